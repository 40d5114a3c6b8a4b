"""Whether the items of a document fit together: ids that are named exist, spans lie in their messages, links hold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast

from memoranda.checks import check_kind, check_slot, check_unit
from memoranda.errors import InvalidInput, InvalidScope, shown, with_article
from memoranda.importers.base import ImportProblem
from memoranda.records import HistoryEntry, Op, content_hash
from memoranda.scope import Owner, Scope
from memoranda.stores.history import dump_state, holds
from memoranda.stores.portable import (
    ChangeItem,
    ConversationItem,
    EntryItem,
    EpisodeItem,
    Item,
    JobItem,
    MemoryItem,
    SaidUnder,
    VersionItem,
)

__all__ = ['Checks']

_TOLD = (
    'text', 'kind', 'slot', 'value', 'status', 'level', 'confidence', 'importance', 'trust', 'pinned', 'locked',
    'supersedes', 'superseded_by', 'metadata', 'tags',
)  # fmt: skip
"""What the history tells of a version in the same words."""


@dataclass(slots=True)
class Checks:
    """What was seen so far. It grows with the number of items, not with their words."""

    owner: Owner = field(default_factory=lambda: Owner('', 'global', ''))
    suspects: dict[str, str] = field(default_factory=dict[str, str])
    """The first item of a section that looks edited; it counts when the digest of the section is wrong, too."""
    oldest: datetime | None = None
    """The earliest moment at which anything was recorded."""
    said: dict[SaidUnder, datetime] = field(default_factory=dict[SaidUnder, datetime])
    """When the first message was recorded, by the ids it was said under."""
    _messages: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """By conversation: how many there were, and the number that must follow."""
    _lengths: dict[str, int] = field(default_factory=dict[str, int])
    """Of messages, in code points."""
    _known: dict[str, set[Any]] = field(default_factory=dict[str, set[Any]])
    _versions: dict[tuple[str, str], bytes] = field(default_factory=dict[tuple[str, str], bytes])
    """What versions say, by memory and change."""
    _ids: set[SaidUnder] = field(default_factory=set[SaidUnder])
    _head: str | None = None
    _links: int = 0

    def look(self, section: str, item: Item, where: str) -> None:
        """Check one item against those before it.

        Raises:
            ImportProblem: It doesn't fit.
        """
        for part in (item, *(item.versions if isinstance(item, MemoryItem) else ())):
            _check_moments(part, where)
        if isinstance(item, ConversationItem):
            self._once('conversation id', item.id, where)
            self._messages[item.id] = item.messages, 0
        elif isinstance(item, EpisodeItem):
            self._episode(item, where)
        elif isinstance(item, MemoryItem):
            self._memory(item, where)
        elif isinstance(item, ChangeItem):
            self._once('change id', item.id, where)
            if item.job_id is not None:
                self._once('job of a change', item.job_id, where)
        elif isinstance(item, EntryItem):
            self._entry(item, where)
        elif isinstance(item, JobItem):
            self._job(item, where)
        else:
            self._once('hash', item.hash, where)

    def _recorded(self, at: datetime) -> None:
        self.oldest = at if self.oldest is None else min(self.oldest, at)

    def _once(self, what: str, key: object, where: str) -> None:
        known = self._known.setdefault(what, set())
        if key in known:
            raise ImportProblem(where, f'its {what} is there twice: use the document as it was exported')
        known.add(key)

    def _episode(self, item: EpisodeItem, where: str) -> None:
        self._once('message id', item.id, where)
        messages, following = self._messages.get(item.conversation_id, (0, 0))
        if not following <= item.seq < messages:
            raise ImportProblem(where, f'is number {item.seq} of a conversation that has no place for it')
        self._messages[item.conversation_id] = messages, item.seq + 1
        self._lengths[item.id] = len(item.text)
        self._recorded(item.recorded_at)
        self._under(item.said_under, where)
        first = self.said.get(item.said_under)
        self.said[item.said_under] = item.recorded_at if first is None else min(first, item.recorded_at)
        stamp = (item.occurred_at.isoformat(),) if item.dated else ()
        if content_hash(item.role, item.name or '', item.text, *stamp) != item.content_hash:
            self.suspects.setdefault('episodes', where)

    def _memory(self, item: MemoryItem, where: str) -> None:
        self._once('memory id', item.id, where)
        if not item.versions:
            raise ImportProblem(where, 'has no version: use the document as it was exported')
        last = 0
        for version in item.versions:
            place = f'{where}, version {version.version}'
            if version.version <= last:
                raise ImportProblem(place, f'follows version {last}: versions count up')
            if version.retired_at is None and version is not item.versions[-1]:
                raise ImportProblem(place, 'was not retired, and another version follows it')
            last = version.version
            self._version(item.id, version, place)

    def _version(self, id_: str, version: VersionItem, where: str) -> None:
        user = self.owner.kind == 'user'
        levels = ('user', 'run') if user else (self.owner.kind,)
        if version.level not in levels or (user and (version.level == 'run') != (version.run_id is not None)):
            raise ImportProblem(
                where, f'has level {version.level!r}, which no memory of {with_article(self.owner.kind)} has'
            )
        _check_fields(version, where)
        self._under(version.said_under, where)
        for span in version.evidence:
            length = self._lengths.get(span.episode_id)
            if length is None:
                raise ImportProblem(where, f'rests on message {shown(span.episode_id)}, which is not in the document')
            if not 0 <= span.start <= span.end <= length:
                raise ImportProblem(
                    where, f'rests on the characters {span.start} to {span.end} of a message that has {length}'
                )
        if version.status == 'active' and version.retired_at is None and version.valid_to is None:
            self._once('current words', (version.hash, version.level, version.run_id), where)
            if version.slot is not None:
                self._once('current slot', (version.slot, version.level, version.run_id), where)
        self._recorded(version.recorded_at)
        told = {name: getattr(version, name) for name in _TOLD}
        self._versions[id_, version.change_id] = _digest({**told, 'tags': list(version.tags)})

    def _under(self, said: SaidUnder, where: str) -> None:
        if said in self._ids:
            return
        try:
            Scope(agent_id=said.agent_id, run_id=said.run_id, app_id=said.app_id)
        except InvalidScope as error:
            raise ImportProblem(where, str(error)) from None
        self._ids.add(said)

    def _entry(self, item: EntryItem, where: str) -> None:
        if item.seq != self._links + 1:
            raise ImportProblem(where, f'follows entry {self._links}: the history has a gap')
        if self._head is not None and item.prev_hash != self._head:
            raise ImportProblem(where, 'is not bound to the entry before it: the history was edited, or broken before')
        if not holds(_as_entry(item)):
            raise ImportProblem(
                where, 'does not hold together: it was edited, or its chain was broken where it was exported'
            )
        self._links, self._head = item.seq, item.hash
        self._recorded(item.at)
        known = self._versions.get((item.memory_id, item.change_id))
        if known is None and item.memory_id and item.after is not None:
            raise ImportProblem(where, 'tells of a version of a memory that is not in the document')
        if known is not None and item.after is not None:
            told = {name: item.after[name] for name in _TOLD if name in item.after}
            if len(told) == len(_TOLD) and _digest(told) != known:
                self.suspects.setdefault('memories', f'memory {item.memory_id} of change {item.change_id}')

    def _job(self, item: JobItem, where: str) -> None:
        self._once('job id', item.id, where)
        said: object = item.options.get('said_under')
        if said is not None:
            try:
                Scope(**cast('dict[str, Any]', said))
            except (InvalidScope, TypeError) as error:
                raise ImportProblem(where, f'was given under ids that can not be used ({error})') from None
        if item.idempotency_key is not None:
            self._once('idempotency key', item.idempotency_key, where)
        for id_ in item.episode_ids:
            if id_ not in self._lengths:
                raise ImportProblem(where, f'names message {shown(id_)}, which is not in the document')
        if item.conversation_id is not None and item.conversation_id not in self._messages:
            named = shown(item.conversation_id)
            raise ImportProblem(where, f'names conversation {named}, which is not in the document')


def _check_fields(version: VersionItem, where: str) -> None:
    """What `add` checks too."""
    try:
        check_unit('confidence', version.confidence)
        check_unit('importance', version.importance)
        check_kind(version.kind)
        if version.slot is not None:
            check_slot(version.slot)
    except InvalidInput as error:
        raise ImportProblem(where, str(error)) from None
    if not version.text.strip():
        raise ImportProblem(where, 'says nothing: use the document as it was exported')


def _check_moments(item: object, where: str) -> None:
    for name in _moments(type(item)):
        value: datetime | None = getattr(item, name)
        if value is not None and value.tzinfo is None:
            raise ImportProblem(where, f'{name}={value.isoformat()} has no time zone: write it with Z at its end')
        try:
            if value is not None:
                value.astimezone(UTC)
        except OverflowError:
            raise ImportProblem(where, f'{name}={value} lies outside the years 1 to 9999') from None


@cache
def _moments(kind: type) -> tuple[str, ...]:
    """The fields that hold moments."""
    return tuple(one.name for one in fields(kind) if 'datetime' in str(one.type))


def _digest(told: Mapping[str, Any]) -> bytes:
    return hashlib.blake2b(dump_state(told).encode('utf-8', 'surrogatepass'), digest_size=8).digest()


def _as_entry(item: EntryItem) -> HistoryEntry:
    return HistoryEntry(
        seq=item.seq,
        change_id=item.change_id,
        memory_id=item.memory_id,
        op=cast('Op', item.op),
        before=item.before,
        after=item.after,
        actor=item.actor,
        reason=item.reason,
        at=item.at,
        salt=item.salt,
        digest=item.digest,
        prev_hash=item.prev_hash,
        hash=item.hash,
        format=item.format,
    )
