"""The audit chain: one per owner, each link bound to the one before it.

`docs/audit.md` tells the algorithm to those who verify an exported chain without this package.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, cast

from memoranda.records import Change, Edit, HistoryEntry, MemoryRecord

__all__ = [
    'FORMAT',
    'Entry',
    'Link',
    'digest_of',
    'dump_state',
    'entry_of',
    'hash_of',
    'holds',
    'is_hash_of',
    'message_digest',
    'messages_told',
    'seal',
    'state_of',
]

FORMAT: Final = 2
"""Of the links that are made. Those of format 1, made by 0.1.0, leave out who made a change and why."""
_MESSAGES: Final = 'message_digests'
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is to become a link."""

    op: str
    actor: str
    reason: str
    change_id: str
    at: int
    """Microseconds since 1970."""
    memory_id: str = ''
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link as it is stored. After an erasure its words and its salt are gone."""

    seq: int
    format: int = FORMAT
    change_id: str
    memory_id: str
    op: str
    actor: str
    reason: str
    at: int
    """Microseconds since 1970."""
    before: str | None
    after: str | None
    salt: str | None
    digest: str
    prev_hash: str
    hash: str


def entry_of(edit: Edit, change: Change, digests: Mapping[str, str] = MappingProxyType({})) -> Entry:
    """What is recorded of an edit.

    Args:
        edit: The edit.
        change: What it belongs to.
        digests: `message_digest` of messages, by their ids. The entry holds those of messages that the version is the
            first one of its memory to rest on. They are erased with the words of the entry, as soon as one of these
            messages is.
    """
    rested = set[str]() if edit.before is None else {e.episode_id for e in edit.before.evidence}
    fresh = {e.episode_id for e in edit.after.evidence} - rested
    told = {id_: digests[id_] for id_ in fresh if id_ in digests}
    return Entry(
        op=edit.op,
        actor=change.actor,
        reason=change.reason,
        change_id=change.id,
        at=(change.at - _EPOCH) // timedelta(microseconds=1),
        memory_id=edit.memory_id,
        before=None if edit.before is None else dump_state(state_of(edit.before)),
        after=dump_state(state_of(edit.after) | ({_MESSAGES: told} if told else {})),
    )


def seal(entry: Entry, *, seq: int, prev_hash: str) -> Link:
    """The next link of a chain.

    `digest = SHA-256(salt, before, after, reason)` and
    `hash = SHA-256(prev_hash, seq, change id, memory id, op, actor, at, digest)`, each over the length-prefixed parts.
    The salt is erased with the words, so a digest left behind says nothing. `prev_hash` of the first link is the
    subject's key (`erasures.subject_key`) of the owner, which ties the chain to whose it is.
    """
    salt = secrets.token_hex(16)
    digest = _sha(salt, entry.before or '', entry.after or '', entry.reason)
    return Link(
        seq=seq,
        change_id=entry.change_id,
        memory_id=entry.memory_id,
        op=entry.op,
        actor=entry.actor,
        reason=entry.reason,
        at=entry.at,
        before=entry.before,
        after=entry.after,
        salt=salt,
        digest=digest,
        prev_hash=prev_hash,
        hash=_sha(prev_hash, str(seq), entry.change_id, entry.memory_id, entry.op, entry.actor, str(entry.at), digest),
    )


def digest_of(link: Link) -> str | None:
    """The digest that the words of a link make; None when they were erased."""
    if link.salt is None:
        return None
    if link.format == 1:
        return _sha(link.salt, link.memory_id, link.before or '', link.after or '')
    return _sha(link.salt, link.before or '', link.after or '', link.reason)


def hash_of(link: Link, *, seq: int | None = None) -> str:
    """The hash that the parts of a link make, at its place or at another one."""
    place = str(link.seq if seq is None else seq)
    if link.format == 1:
        return _sha(link.prev_hash, place, link.change_id, link.op, str(link.at), link.digest)
    parts = (link.change_id, link.memory_id, link.op, link.actor, str(link.at), link.digest)
    return _sha(link.prev_hash, place, *parts)


def is_hash_of(link: Link) -> bool:
    """Whether a link is what its own parts say, its words included as long as they are there.

    The caller compares `prev_hash` with the hash of the link before.
    """
    return digest_of(link) in (None, link.digest) and hash_of(link) == link.hash


def holds(entry: HistoryEntry) -> bool:
    """`is_hash_of` an entry of the history."""
    before, after = (None if state is None else dump_state(state) for state in (entry.before, entry.after))
    return is_hash_of(
        Link(
            seq=entry.seq,
            format=entry.format,
            change_id=entry.change_id,
            memory_id=entry.memory_id,
            op=entry.op,
            actor=entry.actor,
            reason=entry.reason,
            at=(entry.at - _EPOCH) // timedelta(microseconds=1),
            before=before,
            after=after,
            salt=entry.salt,
            digest=entry.digest,
            prev_hash=entry.prev_hash,
            hash=entry.hash,
        )
    )


def message_digest(id_: str, content_hash: str) -> str:
    """What an entry holds of a message: nobody can tell from it who else said the same.

    Args:
        id_: Its id, which no other message has.
        content_hash: `records.content_hash` of its role, name, text and, if it was dated, date.
    """
    return _sha(id_, content_hash)[:32]


def messages_told(after: str | None) -> dict[str, str]:
    """`message_digest` of the messages that an entry holds one of, by their ids. Older entries hold none."""
    if not after or f'"{_MESSAGES}"' not in after:
        return {}
    try:
        told: object = json.loads(after)
    except ValueError:
        return {}
    found: object = cast('dict[str, object]', told).get(_MESSAGES) if isinstance(told, dict) else None
    pairs = cast('dict[str, object]', found).items() if isinstance(found, dict) else ()
    return {id_: digest for id_, digest in pairs if isinstance(digest, str)}


def dump_state(state: Mapping[str, Any]) -> str:
    """A state as it is digested."""
    return json.dumps(state, ensure_ascii=False, sort_keys=True, separators=(',', ':'))


def state_of(memory: MemoryRecord) -> dict[str, Any]:
    """What the history tells of a version of a memory."""
    return {
        'version': memory.version,
        'text': memory.text,
        'kind': memory.kind,
        'slot': memory.slot,
        'value': memory.value,
        'status': memory.status,
        'level': memory.level,
        'confidence': memory.confidence,
        'importance': memory.importance,
        'trust': memory.trust,
        'pinned': memory.pinned,
        'locked': memory.locked,
        'said_at': memory.said_at.isoformat(),
        'valid_from': memory.valid_from.isoformat(),
        'valid_to': memory.valid_to.isoformat() if memory.valid_to else None,
        'expires_at': memory.expires_at.isoformat() if memory.expires_at else None,
        'supersedes': memory.supersedes,
        'superseded_by': memory.superseded_by,
        'evidence': [[e.episode_id, e.start, e.end] for e in memory.evidence],
        'metadata': dict(memory.metadata),
        'tags': list(memory.tags),
    }


def _sha(*parts: str) -> str:
    encoded = [part.encode('utf-8', 'surrogatepass') for part in parts]
    return hashlib.sha256(b''.join([len(data).to_bytes(8) + data for data in encoded])).hexdigest()
