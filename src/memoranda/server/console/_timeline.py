"""When memories held, as bars on one axis. Places are shares of the width in percent, so that SVG needs no size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from memoranda.records import MemoryRecord

__all__ = ['Bar', 'Tick', 'Timeline', 'learnt_at', 'timeline']

Look = Literal['holds', 'held', 'never', 'waits']
_LEFT, _RIGHT = 1.5, 98.0
_NARROW: Final = 1.2
"""Percent that a bar is wide at least, to be seen."""
_LABEL: Final = 21.0
"""Percent that a label needs."""
_MONTHS: Final = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark on the axis."""

    x: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """When one memory held."""

    memory: MemoryRecord
    x: float
    width: float
    open: bool
    """Whether no end is known."""
    look: Look
    learnt: float
    """Where it was recorded first."""
    learnt_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Bars, oldest first."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    now: float


def timeline(memories: Sequence[MemoryRecord], at: datetime) -> Timeline:
    """The bars of some memories.

    Args:
        memories: At least one.
        at: The present.
    """
    moments = [at]
    for one in memories:
        moments += [one.valid_from, learnt_at(one), *([one.valid_to] if one.valid_to else [])]
    low, high = min(moments), max(moments)
    if high - low < timedelta(hours=1):
        low = high - timedelta(hours=1)

    def place(moment: datetime) -> float:
        share = (moment - low) / (high - low)
        return round(_LEFT + (_RIGHT - _LEFT) * min(max(share, 0.0), 1.0), 2)

    bars: list[Bar] = []
    for one in memories:
        begin, end = place(one.valid_from), place(one.valid_to or max(at, one.valid_from))
        width = max(end - begin, _NARROW)
        bars.append(
            Bar(
                memory=one,
                x=min(begin, 100.0 - width),
                width=round(width, 2),
                open=one.valid_to is None,
                look=_look(one, at),
                learnt=place(learnt_at(one)),
                learnt_at=learnt_at(one),
            )
        )
    return Timeline(bars=tuple(bars), ticks=tuple(_ticks(low, high, place)), now=place(at))


def learnt_at(memory: MemoryRecord) -> datetime:
    """When a memory was first recorded: its id tells it."""
    try:
        id_ = UUID(memory.id)
        if id_.version != 7:
            return memory.recorded_at
        return datetime.fromtimestamp((id_.int >> 80) / 1000, UTC)
    except (ValueError, OverflowError):
        return memory.recorded_at


def _look(memory: MemoryRecord, at: datetime) -> Look:
    if memory.status == 'pending':
        return 'waits'
    if memory.status == 'rejected' or (memory.status == 'retracted' and memory.valid_to is None):
        return 'never'
    return 'holds' if memory.is_current(at) else 'held'


def _ticks(low: datetime, high: datetime, place: Callable[[datetime], float]) -> Iterator[Tick]:
    last = -_LABEL
    for moment, label in _marks(low, high):
        x = place(moment)
        if low <= moment <= high and x - last >= _LABEL and x <= 100 - _LABEL * 0.9:
            last = x
            yield Tick(x=x, label=label)


def _marks(low: datetime, high: datetime) -> Iterator[tuple[datetime, str]]:
    """Moments that a calendar knows, so many that a few labels fit."""
    span = high - low
    if span < timedelta(days=2):
        step = timedelta(hours=max(1, round(span / timedelta(hours=4))))
        moment = low.replace(minute=0, second=0, microsecond=0)
        while moment <= high:
            yield moment, moment.strftime('%H:%M') if moment.hour else moment.strftime('%-d %b')
            moment += step
    elif span < timedelta(days=62):
        step = timedelta(days=max(1, round(span / timedelta(days=4))))
        moment = low.replace(hour=0, minute=0, second=0, microsecond=0)
        while moment <= high:
            yield moment, moment.strftime('%-d %b')
            moment += step
    else:
        months = span.days / 30.4 / 4
        step = next((count for count in _MONTHS if count >= months), _MONTHS[-1])
        month = (low.year * 12 + low.month - 1) // step * step
        while month // 12 <= min(high.year, 9998):
            if month >= 12:
                moment = datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)
                yield moment, moment.strftime('%Y') if step % 12 == 0 else moment.strftime('%b %Y')
            month += step
