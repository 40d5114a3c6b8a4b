"""Changes to one memory or several, and what people think of one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from memoranda._noted import NOTED, noted, with_notes, without_notes
from memoranda.checks import KEEP, Keep
from memoranda.errors import MemoryNotFound, VersionMismatch, shown
from memoranda.server.mem0.errors import bad
from memoranda.server.mem0.moments import moment_of, until
from memoranda.server.mem0.shapes import metadata_in
from memoranda.server.problems import Problem

if TYPE_CHECKING:
    from memoranda.memory import AsyncMemory
    from memoranda.records import HistoryEntry, MemoryRecord, Status

__all__ = ['EDITS', 'Edits', 'all_active', 'change', 'check_all', 'edits_of', 'feedback', 'known', 'told_of']

EDITS: Final = frozenset(('text', 'data', 'metadata', 'timestamp', 'expiration_date'))
"""What of a memory can be changed; `data` is what older clients call the text."""
MAX_REASON: Final = 10_000
_VALUES: Final = ('POSITIVE', 'NEGATIVE', 'VERY_NEGATIVE')
_PAST: Final[tuple[Status, ...]] = ('active', 'expired', 'superseded', 'retracted')
_TRIES: Final = 10
"""A change is made anew when somebody else's came between reading and writing."""


@dataclass(frozen=True, slots=True)
class Edits:
    """What of a memory is to be changed; None leaves it."""

    text: str | None
    metadata: dict[str, Any] | None
    said_at: datetime | None
    expires_at: datetime | Keep | None
    """None: it doesn't end any more."""


async def known(memory: AsyncMemory, memory_id: str, *, among: Collection[Status] = _PAST) -> MemoryRecord:
    """A memory that somebody may be told of.

    Raises:
        MemoryNotFound: The view doesn't reach such a memory, or it has another status: what a person has yet to
            approve, or did not approve, is told nobody here.
    """
    return _known(await memory.get(memory_id), among)


def _known(memory: MemoryRecord, among: Collection[Status]) -> MemoryRecord:
    if memory.status not in among:
        raise MemoryNotFound(f'memory {shown(memory.id)} is {memory.status}, and not known: leave it out')
    return memory


async def told_of(memory: AsyncMemory, memory_id: str) -> tuple[Sequence[HistoryEntry], MemoryRecord | None]:
    """The history of a memory, and the memory as it is; None when it was deleted, of which the history is still there.

    Raises:
        MemoryNotFound: As of `known`.
    """
    entries = await memory.history(memory_id)
    try:
        found = await memory.get(memory_id)
    except MemoryNotFound:
        return entries, None
    return entries, _known(found, _PAST)


def edits_of(body: Mapping[str, Any]) -> Edits:
    """What a client asks to have changed.

    Raises:
        Problem: 400, nothing, or a value that doesn't fit.
    """
    given = {name: value for name, value in body.items() if value is not None or name == 'expiration_date'}
    if not given.keys() & EDITS:
        raise bad('nothing is to be changed: send text, metadata, timestamp or expiration_date')
    text = given.get('text', given.get('data'))
    if given.get('data', text) != text:
        raise bad('text and data differ, and are the same thing: send text')
    ends = given.get('expiration_date')
    kept = 'expiration_date' not in given
    return Edits(
        text=text,
        metadata=metadata_in(given.get('metadata')),
        said_at=moment_of(given['timestamp'], 'timestamp') if 'timestamp' in given else None,
        expires_at=KEEP if kept else None if ends is None else until(ends, 'expiration_date'),
    )


async def change(memory: AsyncMemory, memory_id: str, edits: Edits, *, merged: bool = False) -> MemoryRecord:
    """Correct a memory.

    Args:
        memory: A view of the project.
        memory_id: Which.
        edits: What is changed.
        merged: Whether keys of its metadata that aren't named stay.

    Raises:
        Problem: 409, it was added as immutable.
        InvalidInput: A value that doesn't fit.
        MemoryNotFound: The view doesn't reach such a memory, or it isn't active.
    """

    async def attempt(before: MemoryRecord) -> MemoryRecord:
        _check_mutable(before)
        return await memory.update(memory_id, **_fields(before, edits, merged=merged), if_version=before.version)

    return await _unless_changed(memory, memory_id, attempt)


async def _unless_changed(
    memory: AsyncMemory, memory_id: str, attempt: Callable[[MemoryRecord], Awaitable[MemoryRecord]]
) -> MemoryRecord:
    """Change a memory as it was read: of two changes at once neither is lost."""
    for _ in range(_TRIES - 1):
        try:
            return await attempt(await memory.get(memory_id))
        except VersionMismatch:
            continue
    return await attempt(await memory.get(memory_id))


def _fields(before: MemoryRecord, edits: Edits, *, merged: bool) -> dict[str, Any]:
    metadata = edits.metadata
    if metadata is not None:
        metadata = with_notes({**without_notes(before.metadata), **metadata} if merged else metadata, before.metadata)
    return {'text': edits.text, 'metadata': metadata, 'said_at': edits.said_at, 'expires_at': edits.expires_at}


def _check_mutable(memory: MemoryRecord) -> None:
    if noted(memory.metadata).get('immutable'):
        raise Problem(409, f'memory {shown(memory.id)} was added as immutable: delete it, and add another')


async def all_active(memory: AsyncMemory, ids: Sequence[str]) -> list[MemoryRecord]:
    """Memories that are to be changed together, before the first of them is.

    Raises:
        MemoryNotFound: The view doesn't reach one of them, or it isn't active.
    """
    found = [await memory.get(id_) for id_ in ids]
    ended = next((one for one in found if one.status != 'active'), None)
    if ended is not None:
        raise MemoryNotFound(f'memory {shown(ended.id)} is not active any more: leave it out; nothing was changed')
    return found


async def check_all(memory: AsyncMemory, wanted: Mapping[str, Edits]) -> None:
    """Make sure that each memory can be changed as wanted, before the first of them is.

    Raises:
        Problem: 409, one was added as immutable.
        InvalidInput: A value that doesn't fit.
        MemoryNotFound: The view doesn't reach one of them, or it isn't active.
    """
    from memoranda.write.edits import edited

    found = await all_active(memory, list(wanted))
    policy, settings = memory.engine.policy, memory.engine.settings
    left: dict[str, None] = dict.fromkeys(('kind', 'tags', 'importance', 'pinned', 'locked'))

    def check() -> None:
        for before in found:
            _check_mutable(before)
            fields = _fields(before, wanted[before.id], merged=False)
            if fields['expires_at'] is KEEP:
                fields['expires_at'] = before.expires_at
            edited(before, settings, policy=policy, slot=before.slot, value=KEEP, **left, **fields)

    await memory.engine.compute(check)


async def feedback(memory: AsyncMemory, body: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what somebody thinks of a memory with the memory, so that it is exported and erased with it; null clears it.

    Raises:
        Problem: 400, a value that doesn't fit.
        MemoryNotFound: The view doesn't reach such a memory, or it isn't active.
    """
    id_, value, reason = body.get('memory_id'), body.get('feedback'), body.get('feedback_reason')
    if not isinstance(id_, str) or not id_:
        raise bad(f'memory_id={shown(id_)} is no id: send that of the memory')
    if isinstance(value, str):
        value = value.upper()
    if value is not None and value not in _VALUES:
        raise bad(f'feedback={shown(value)} is unknown: send {", ".join(_VALUES)} or null')
    if reason is not None and (not isinstance(reason, str) or len(reason) > MAX_REASON):
        raise bad(f'feedback_reason={shown(reason)} is not text of at most {MAX_REASON:,} characters: shorten it')
    said = {} if value is None else {'feedback': value, 'feedback_reason': reason}

    async def attempt(before: MemoryRecord) -> MemoryRecord:
        kept = {name: one for name, one in noted(before.metadata).items() if name not in _OF_FEEDBACK} | said
        metadata = {**without_notes(before.metadata), **({NOTED: kept} if kept else {})}
        return await memory.update(id_, metadata=metadata, if_version=before.version)

    kept = noted((await _unless_changed(memory, id_, attempt)).metadata)
    return {'id': id_, 'feedback': kept.get('feedback'), 'feedback_reason': kept.get('feedback_reason')}


_OF_FEEDBACK: Final = ('feedback', 'feedback_reason')
