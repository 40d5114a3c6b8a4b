"""The audit chain: one per owner, each link bound to the one before it."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from memoranda.records import Edit, HistoryEntry, MemoryRecord

__all__ = ['Link', 'digest_of', 'dump_state', 'erase_hash', 'holds', 'link']

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Link:
    """What is stored of one edit."""

    before: str | None
    after: str | None
    salt: str
    digest: str
    prev_hash: str
    hash: str


def link(edit: Edit, *, seq: int, change_id: str, at: int, prev_hash: str) -> Link:
    """The next link of a chain.

    `digest = SHA-256(salt, memory id, before, after)` and `hash = SHA-256(prev_hash, seq, change id, op, at, digest)`,
    each over the length-prefixed parts. The salt is erased with the words, so a digest left behind says nothing.
    """
    before, after = _state(edit.before), _state(edit.after)
    salt = secrets.token_hex(16)
    digest = digest_of(salt, edit.memory_id, before, after)
    return Link(before, after, salt, digest, prev_hash, _sha(prev_hash, str(seq), change_id, edit.op, str(at), digest))


def digest_of(salt: str, memory_id: str, before: str | None, after: str | None) -> str:
    """The salted digest of an edit's words."""
    return _sha(salt, memory_id, before or '', after or '')


def erase_hash(prev_hash: str, seq: int, change_id: str, at: int, digest: str) -> str:
    """The hash of a link that records an erasure."""
    return _sha(prev_hash, str(seq), change_id, 'erase', str(at), digest)


def holds(entry: HistoryEntry) -> bool:
    """Whether a link is what its own parts say, its words included as long as they are there.

    The caller compares `prev_hash` with the hash of the link before.
    """
    if entry.salt is not None:
        before, after = (None if state is None else dump_state(state) for state in (entry.before, entry.after))
        if digest_of(entry.salt, entry.memory_id, before, after) != entry.digest:
            return False
    at = (entry.at - _EPOCH) // timedelta(microseconds=1)
    return entry.hash == _sha(entry.prev_hash, str(entry.seq), entry.change_id, entry.op, str(at), entry.digest)


def dump_state(state: Mapping[str, Any]) -> str:
    """A state as it is digested."""
    return json.dumps(state, ensure_ascii=False, sort_keys=True, separators=(',', ':'))


def _state(memory: MemoryRecord | None) -> str | None:
    if memory is None:
        return None
    state: Mapping[str, Any] = {
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
    return dump_state(state)


def _sha(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode('utf-8', 'surrogatepass')
        digest.update(len(data).to_bytes(8, 'big') + data)
    return digest.hexdigest()
