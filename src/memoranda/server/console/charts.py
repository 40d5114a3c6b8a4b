"""Charts, drawn on the server: places in an SVG, with the table of what it shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

__all__ = ['Bar', 'Drawn', 'Series', 'bars', 'lines']

_WIDTH: Final = 720.0
_HEIGHT: Final = 180.0
_GRID: Final = 4
_GAP: Final = 0.25
"""Between the bars of two days, of the room of one."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, and what it stands for."""

    x: float
    y: float
    width: float
    height: float
    told: str


@dataclass(frozen=True, slots=True)
class Line:
    """Of the grid: where, and what it stands for."""

    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Series:
    """Values over the same days."""

    name: str
    values: Sequence[float | None]
    """None: not known."""
    bars: Sequence[Bar] = ()
    lines: Sequence[str] = ()
    """Points of each stretch without a gap."""
    area: str = ''


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A chart for `ui.chart`."""

    title: str
    sub: str = ''
    nothing: str = ''
    """What is told in place of it when there is nothing to show."""
    first: str
    """What the rows of the table are."""
    headings: Sequence[tuple[str, str]] = ()
    series: Sequence[Series] = ()
    grid: Sequence[Line] = ()
    ends: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    told: str = ''
    """In words, for those who don't see it."""
    width: float = _WIDTH
    height: float = _HEIGHT
    left: float = field(default=0.0)


Told = Callable[[float], str]


def plain(value: float) -> str:
    """A count."""
    return f'{value:,.0f}' if float(value).is_integer() else f'{value:,.2f}'


def lines(
    title: str,
    labels: Sequence[str],
    series: Sequence[tuple[str, Sequence[float | None]]],
    *,
    sub: str = '',
    nothing: str = 'Nothing yet.',
    told: Told = plain,
    top: float | None = None,
    first: str = 'Day',
) -> Drawn:
    """Lines from left to right; where a value isn't known there is a gap.

    Args:
        title: Of the chart.
        labels: Of the points, such as days.
        series: Up to four of a name and as many values as there are labels.
        sub: Beside the title.
        nothing: What is told when no value is known.
        told: A value in words.
        top: The highest value of the axis; by default what the values need.
        first: What the labels are.
    """
    if not _known(series):
        return Drawn(title=title, sub=sub, nothing=nothing, first=first)
    most = top if top is not None else _above(max(_known(series)))
    step = _WIDTH / max(1, len(labels) - 1)
    drawn: list[Series] = []
    for name, values in series:
        stretches = [[(place * step, _y(value, most)) for place, value in run] for run in _runs(values)]
        area = ''
        if len(series) == 1 and len(stretches) == 1 and len(stretches[0]) > 1:
            points = stretches[0]
            area = _points([(points[0][0], _HEIGHT), *points, (points[-1][0], _HEIGHT)])
        # A point alone has no length: a short stroke shows it.
        shown = [run if len(run) > 1 else [(run[0][0] - 5, run[0][1]), (run[0][0] + 5, run[0][1])] for run in stretches]
        drawn.append(Series(name, values, lines=[_points(run) for run in shown], area=area))
    return _complete(title, sub, labels, drawn, most, told, first)


def bars(
    title: str,
    labels: Sequence[str],
    series: Sequence[tuple[str, Sequence[float]]],
    *,
    sub: str = '',
    nothing: str = 'Nothing yet.',
    told: Told = plain,
    first: str = 'Day',
) -> Drawn:
    """Bars one above the other, day by day. Arguments are those of `lines`."""
    if not any(_known(series)):
        return Drawn(title=title, sub=sub, nothing=nothing, first=first)
    most = _above(max(sum(column) for column in zip(*(values for _, values in series), strict=True)))
    room = _WIDTH / len(labels)
    below = [0.0] * len(labels)
    drawn: list[Series] = []
    for name, values in series:
        made: list[Bar] = []
        for place, value in enumerate(values):
            if value <= 0:
                continue
            height = value / most * _HEIGHT
            y = _HEIGHT - below[place] - height
            below[place] += height
            made.append(
                Bar(
                    _round(place * room + room * _GAP / 2),
                    _round(y),
                    _round(room * (1 - _GAP)),
                    _round(height),
                    f'{labels[place]}: {told(value)} {name}',
                )
            )
        drawn.append(Series(name, values, bars=made))
    return _complete(title, sub, labels, drawn, most, told, first)


def _complete(
    title: str, sub: str, labels: Sequence[str], drawn: Sequence[Series], most: float, told: Told, first: str
) -> Drawn:
    grid = [Line(_round(place * _HEIGHT / _GRID), told(most * (_GRID - place) / _GRID)) for place in range(_GRID + 1)]
    rows = [
        [label, *('–' if (value := one.values[place]) is None else told(value) for one in drawn)]
        for place, label in enumerate(labels)
    ]
    words = '; '.join(_in_words(one, told) for one in drawn)
    return Drawn(
        title=title,
        sub=sub,
        first=first,
        headings=[(one.name, 'number') for one in drawn],
        series=drawn,
        grid=grid,
        ends=[labels[0], labels[-1]] if len(labels) > 1 else list(labels),
        rows=rows[::-1],
        told=f'from {labels[0]} to {labels[-1]}, {words}',
    )


def _in_words(one: Series, told: Told) -> str:
    known = [value for value in one.values if value is not None]
    if not known:
        return f'{one.name} not known'
    return f'{one.name} at most {told(max(known))}, last {told(known[-1])}'


def _known(series: Sequence[tuple[str, Sequence[float | None]]]) -> list[float]:
    return [value for _, values in series for value in values if value is not None]


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    found: list[list[tuple[int, float]]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            found.append([])
        else:
            found[-1].append((place, value))
    return [run for run in found if run]


def _above(value: float) -> float:
    """The next round number that four lines divide well."""
    if value <= 0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(value))
    best = next(step for step in (1, 2, 4, 8, 10) if step * size >= value * 0.999)
    return max(best * size, 4.0) if value >= 1 else best * size


def _y(value: float, most: float) -> float:
    return _HEIGHT - min(1.0, value / most) * _HEIGHT


def _points(found: Sequence[tuple[float, float]]) -> str:
    return ' '.join(f'{_round(x):g},{_round(y):g}' for x, y in found)


def _round(value: float) -> float:
    return round(value, 2)
