"""Where a memory comes from: what it took the place of, the words it rests on in their conversation.

For surfaces that show one memory to a person. Each function takes a view of a memory, stays in its project, and goes no
further than the scope the view is bound to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from memoranda.checks import check_count, check_text
from memoranda.errors import MemoryNotFound, shown
from memoranda.records import Episode, HistoryEntry, MemoryRecord

if TYPE_CHECKING:
    from memoranda.memory import AsyncMemory

__all__ = ['AROUND', 'Conversation', 'Line', 'Traced', 'conversations', 'current_version', 'lineage', 'trace']

AROUND: Final = 2
"""Messages shown before and after one that a memory rests on."""
MOST_SOURCES: Final = 20
"""Messages of a memory's evidence that are read: the first and the latest."""
MOST_KIN: Final = 40
"""Memories of a line of succession that are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """A memory as it is now, whatever its status, with what happened to it."""

    memory: MemoryRecord
    history: tuple[HistoryEntry, ...]
    """Oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A message, with the parts of it that a memory rests on."""

    message: Episode
    marked: tuple[tuple[int, int], ...] = ()
    """In code points of its text, in order, none of them overlapping; empty for one that only stands beside."""
    skipped: bool = False
    """Whether messages of the conversation were left out before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A part of a conversation, around the words that a memory rests on."""

    id: str
    lines: tuple[Line, ...]


async def trace(memory: AsyncMemory, memory_id: str) -> Traced:
    """A memory and its history, also of one that was deleted, turned down, or waits for a person.

    Args:
        memory: A view, bound to a scope or project-wide.
        memory_id: Which.

    Raises:
        MemoryNotFound: It isn't within reach of the view.
    """
    history = await memory.history(memory_id)
    found = await memory.engine.store.get(memory_id, project=memory.project)
    if found is None:  # erased in between
        raise MemoryNotFound(f'memory {shown(memory_id)} does not exist in this scope: check the id and the scope')
    return Traced(memory=found, history=tuple(history))


async def current_version(memory: AsyncMemory, memory_id: str) -> int:
    """Which version of a memory is the latest. No words are read, so the read log doesn't tell of it.

    Raises:
        MemoryNotFound: It isn't within reach of the view.
    """
    found = await memory.engine.store.get(check_text('memory_id', memory_id, 256), project=memory.project)
    if found is None or not _within(memory, found):
        raise MemoryNotFound(f'memory {shown(memory_id)} does not exist in this scope: check the id and the scope')
    return found.version


async def lineage(memory: AsyncMemory, of: MemoryRecord) -> tuple[MemoryRecord, ...]:
    """A memory between those it took the place of and those that took its own, the oldest first, as they are now.

    Args:
        memory: As in `trace`.
        of: The memory, from `trace`.
    """
    before = await _following(memory, of, 'supersedes')
    after = await _following(memory, of, 'superseded_by')
    await _note(memory, 'get', [*before, *after], ())
    return (*reversed(before), of, *after)


async def _following(
    memory: AsyncMemory, of: MemoryRecord, link: Literal['supersedes', 'superseded_by']
) -> list[MemoryRecord]:
    chain = {of.id: of}
    while len(chain) < MOST_KIN:
        following: str | None = getattr(next(reversed(chain.values())), link)
        if following is None or following in chain:
            break
        found = await memory.engine.store.get(following, project=memory.project)
        if found is None or not _within(memory, found):
            break
        chain[found.id] = found
    return list(chain.values())[1:]


async def conversations(memory: AsyncMemory, of: MemoryRecord, *, around: int = AROUND) -> tuple[Conversation, ...]:
    """The messages a memory rests on, each between those around it, the latest conversation first.

    Messages that were erased are missing.

    Args:
        memory: As in `trace`.
        of: The memory, from `trace`.
        around: Messages before and after, 0 to 50.
    """
    ids = list(dict.fromkeys(e.episode_id for e in of.evidence))
    if len(ids) > MOST_SOURCES:
        ids = [*ids[: MOST_SOURCES // 2], *ids[-MOST_SOURCES // 2 :]]
    found = await memory.engine.store.messages(
        ids, owner=of.scope.home(of.project), around=check_count('around', around, 0, 50)
    )
    await _note(memory, 'episodes', (), found)
    spans: dict[str, list[tuple[int, int]]] = {}
    for one in of.evidence:
        spans.setdefault(one.episode_id, []).append((one.start, one.end))
    talks: dict[str, list[Episode]] = {}
    for message in found:
        talks.setdefault(message.conversation_id, []).append(message)
    told = [
        Conversation(id=id_, lines=tuple(_lines(sorted(talk, key=lambda m: m.seq), spans)))
        for id_, talk in talks.items()
    ]
    return tuple(sorted(told, key=lambda talk: talk.lines[-1].message.occurred_at, reverse=True))


def _lines(talk: Sequence[Episode], spans: dict[str, list[tuple[int, int]]]) -> Iterable[Line]:
    expected = 0
    for message in talk:
        marked = _merged(spans.get(message.id, []), len(message.text))
        yield Line(message=message, marked=marked, skipped=message.seq > expected)
        expected = message.seq + 1


def _merged(spans: Sequence[tuple[int, int]], length: int) -> tuple[tuple[int, int], ...]:
    """Spans in order, those that touch as one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted((max(0, s), min(e, length)) for s, e in spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        elif start < end:
            joined.append((start, end))
    return tuple(joined)


def _within(memory: AsyncMemory, found: MemoryRecord) -> bool:
    bound = memory.bound_to
    if bound is None:
        return True
    home, run = found.scope.home(found.project), found.scope.run_key(found.level)
    return any(reach.owner == home and reach.sees(run) for reach in bound.reaches(memory.project))


async def _note(
    memory: AsyncMemory, purpose: str, memories: Iterable[MemoryRecord], messages: Iterable[Episode]
) -> None:
    reads = memory.engine.reads
    if reads is not None:
        from memoranda.consent.readlog import Reader

        await reads.note(Reader(memory.actor or 'caller', ''), purpose, memories=memories, messages=messages)
