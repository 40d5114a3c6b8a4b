"""What a store tells of a whole project: listings over all owners, and what happened on each day."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import TYPE_CHECKING, Final, Literal

from memoranda.records import NO_USAGE, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memoranda.filters import Filter
    from memoranda.records import MemoryRecord
    from memoranda.scope import Owner, Reach
    from memoranda.stores.subjects import Subject

__all__ = [
    'LATENCIES',
    'MOST_COUNTED',
    'MOST_READ',
    'Activity',
    'BrowseAsked',
    'Browsed',
    'ContestedSlot',
    'Day',
    'People',
    'SlotTrouble',
    'Usages',
    'together',
]

MOST_COUNTED: Final = 10_000
"""What a listing counts to the end; of more it tells that there are more."""
MOST_READ: Final = 20_000
"""Memories whose rows a listing looks at for what no index tells."""

LATENCIES: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Upper bounds, in seconds, of the classes that recalls are counted in by the time they took; the last has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowseAsked:
    """Which memories a listing shows, and in what order."""

    project: str
    reaches: Sequence[Reach] | None = None
    """Whose; None: of everybody in the project."""
    where: Filter | None = None
    """Over what the listing's index holds: status, kind, trust, agent_id, recorded_at, said_at and id."""
    rest: Filter | None = None
    """Over anything."""
    text: str | None = None
    """A part of the text, wherever case differs."""
    statuses: Sequence[str] | None = None
    newest_first: bool = True
    size: int = 50
    cursor: str | None = None
    """A memory id, behind which it goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Browsed:
    """A slice of a listing over a whole project."""

    items: tuple[MemoryRecord, ...]
    cursor: str | None
    """Pass it to get the next slice; None at the end."""
    count: int | None = None
    """Of the first slice how many there are in all; with `more`, at least so many. None in the slices behind it."""
    more: bool = False
    """Whether it was not counted to the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """A slice of the owners of a project, by their ids."""

    items: tuple[Subject, ...]
    cursor: str | None
    """Pass it to get the next slice; None at the end."""
    count: int | None = None
    """Of the first slice how many there are in all; with `more`, at least so many. None in the slices behind it."""
    more: bool = False
    """Whether it was not counted to the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What happened in a project on one day (UTC). What is not known of a day is 0; see `Activity.since`."""

    day: date
    added: int = 0
    confirmed: int = 0
    superseded: int = 0
    """Memories that a newer value took the place of."""
    corrected: int = 0
    edited: int = 0
    """By a person."""
    retracted: int = 0
    rejected: int = 0
    """Proposals that a person turned down."""
    erased: int = 0
    """Memories, with all their words."""
    messages: int = 0
    memories: int = 0
    """How many were believed at the end of the day."""
    people: int = 0
    """How many users something was known of at the end of the day."""
    recalls: int = 0
    """Searches and contexts, by whatever surface."""
    recalls_found: int = 0
    """Those that gave something."""
    recall_seconds: float = 0.0
    """That they took together, embedding among it."""
    latencies: tuple[int, ...] = (0,) * (len(LATENCIES) + 1)
    """How many recalls took at most so long, class by class of `LATENCIES`."""
    blocks: int = 0
    """Contexts given to agents: those among the recalls that found something to say."""
    block_tokens: int = 0
    """Of these."""
    usage: Usage = NO_USAGE
    """What models took for extraction."""

    @property
    def hit_rate(self) -> float | None:
        """The share of recalls that found something, 0..1; None without any."""
        return self.recalls_found / self.recalls if self.recalls else None

    @property
    def latency(self) -> float | None:
        """Seconds of a recall on average; None without any."""
        return self.recall_seconds / self.recalls if self.recalls else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What happened in a project in the last days, and how it stands now."""

    days: tuple[Day, ...]
    """One for each day without gaps, oldest first; the last is today, as far as it went."""
    since: date | None
    """The first day anything was counted; None when nothing ever was."""
    memories: int
    """Believed now."""
    people: int
    """Users of whom something is known now."""
    letters_held: int
    """Characters of all messages that are held now, as far as they were counted."""
    queued: int
    """Jobs that wait or run."""
    dead: int
    """Jobs that were given up."""

    @property
    def history_tokens(self) -> int | None:
        """An estimate: what the messages of one person have in tokens, on average (four characters each)."""
        return self.letters_held // 4 // self.people if self.people and self.letters_held else None

    @property
    def tokens_saved(self) -> int | None:
        """An estimate: what the contexts given in these days spared against a person's whole history in each of them.

        None when no context was given, or nothing is known of the messages.
        """
        blocks, history = sum(day.blocks for day in self.days), self.history_tokens
        if not blocks or history is None:
            return None
        return max(0, blocks * history - sum(day.block_tokens for day in self.days))

    @property
    def usage(self) -> Usage:
        """What models took for extraction in these days."""
        return sum((day.usage for day in self.days), NO_USAGE)

    def percentile(self, share: float) -> float | None:
        """The time that so many of the recalls of these days took at most, in seconds: a bound of `LATENCIES`.

        Args:
            share: 0..1, such as 0.95.

        Returns:
            `inf` when it is beyond the last bound, None without any recall.
        """
        counts = [sum(column) for column in zip(*(day.latencies for day in self.days), strict=True)]
        wanted, seen = share * sum(counts), 0
        if not wanted:
            return None
        for bound, count in zip((*LATENCIES, float('inf')), counts, strict=True):
            seen += count
            if seen >= wanted:
                return bound
        return float('inf')


def together(parts: Sequence[Activity]) -> Activity:
    """What several databases tell of the same days, as one."""
    first, *others = parts
    days = list(first.days)
    for other in others:
        days = [_sum(a, b) for a, b in zip(days, other.days, strict=True)]
    known = [part.since for part in parts if part.since is not None]
    return Activity(
        days=tuple(days),
        since=min(known) if known else None,
        memories=sum(part.memories for part in parts),
        people=sum(part.people for part in parts),
        letters_held=sum(part.letters_held for part in parts),
        queued=sum(part.queued for part in parts),
        dead=sum(part.dead for part in parts),
    )


def _sum(one: Day, other: Day) -> Day:
    figures = {
        f.name: getattr(one, f.name) + getattr(other, f.name) for f in fields(Day) if f.name not in ('day', 'latencies')
    }
    latencies = tuple(a + b for a, b in zip(one.latencies, other.latencies, strict=True))
    return Day(day=one.day, latencies=latencies, **figures)


SlotTrouble = Literal['changed', 'disagree']
"""Why a slot is listed: its value changed often, or several values of it stand side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestedSlot:
    """A slot of somebody whose values changed often or disagree."""

    owner: Owner
    slot: str
    number: int
    """The owner's."""
    run_id: str | None
    """The conversation in which it holds; None at the owner's own level."""
    troubles: tuple[SlotTrouble, ...]
    changes: int
    """How often its value was superseded."""
    memories: tuple[MemoryRecord, ...]
    """The latest version of each of its values, those that hold or wait first, then the latest said; at most 20."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usages:
    """How often a memory was recalled."""

    times: int = 0
    """In answers and contexts; written within two seconds. More than were noted one by one (`audit_reads`)."""
    last: datetime | None = None
