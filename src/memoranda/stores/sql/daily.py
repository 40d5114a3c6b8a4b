"""What happens in a project on a day, counted in the transaction in which it happens: figures, never ids or words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from memoranda.records import Edit
from memoranda.scope import Owner
from memoranda.stores.figures import LATENCIES
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.rows import to_us

__all__ = ['DAY_US', 'FIGURES', 'Recalls', 'count_cost', 'count_day', 'count_edits', 'count_recalls', 'day_of']

DAY_US: Final = 86_400_000_000
_PARTS: Final = 16
_RECALLS: Final = _PARTS
"""The part that recalls are counted in: they are written for several owners at once."""
_OPS: Final = {
    'add': 'added',
    'confirm': 'confirmed',
    'supersede': 'superseded',
    'correct': 'corrected',
    'update': 'edited',
    'retract': 'retracted',
    'reject': 'rejected',
}
_TOOK: Final = tuple(f'took_{i}' for i in range(len(LATENCIES) + 1))
FIGURES: Final = (
    *_OPS.values(), 'erased', 'messages', 'letters', 'memories', 'people', 'recalls', 'recalls_found', 'recall_us',
    *_TOOK, 'blocks', 'block_tokens', 'requests', 'input_tokens', 'output_tokens',
)  # fmt: skip
"""The columns that hold whole numbers."""
_OF_RECALLS: Final = ('recalls', 'recalls_found', 'recall_us', *_TOOK, 'blocks', 'block_tokens')
_OF_COST: Final = ('requests', 'input_tokens', 'output_tokens', 'cost')


class Recalls:
    """Recalls of a project on one day that are not written yet."""

    __slots__ = ('blocks', 'found', 'latencies', 'times', 'tokens', 'us')

    def __init__(self) -> None:
        self.times = self.found = self.us = self.blocks = self.tokens = 0
        self.latencies = [0] * len(_TOOK)

    def add(self, seconds: float, *, found: bool, tokens: int | None) -> None:
        """Count one more.

        Args:
            seconds: What it took.
            found: Whether it gave something.
            tokens: Of the block that an agent was given; None for a search.
        """
        self.times += 1
        self.found += found
        self.us += int(seconds * 1e6)
        self.latencies[next((i for i, bound in enumerate(LATENCIES) if seconds <= bound), len(LATENCIES))] += 1
        if tokens:
            self.blocks += 1
            self.tokens += tokens

    def merge(self, other: Recalls) -> None:
        """Count those of another one too."""
        self.times += other.times
        self.found += other.found
        self.us += other.us
        self.blocks += other.blocks
        self.tokens += other.tokens
        self.latencies = [a + b for a, b in zip(self.latencies, other.latencies, strict=True)]

    def figures(self) -> tuple[int, ...]:
        """In the order of their columns."""
        return (self.times, self.found, self.us, *self.latencies, self.blocks, self.tokens)


def day_of(moment: datetime) -> int:
    """The days from 1970 to a moment, UTC."""
    return to_us(moment) // DAY_US


@lru_cache(maxsize=32)
def _adding(names: Sequence[str]) -> str:
    """Rows that are added to what is there. No price is known of some models: then a cost is no number."""
    sums = ', '.join(
        f'{name} = CASE WHEN excluded.{name} IS NULL THEN activity.{name} '
        f'ELSE coalesce(activity.{name}, 0) + excluded.{name} END'
        if name == 'cost'
        else f'{name} = activity.{name} + excluded.{name}'
        for name in names
    )
    return (
        f'INSERT INTO activity(project, day, part, {", ".join(names)}) VALUES(?, ?, ?{", ?" * len(names)}) '
        f'ON CONFLICT(project, day, part) DO UPDATE SET {sums}'
    )


_MARKS: Final = ', '.join('?' * (3 + len(_OF_RECALLS)))
_RECALLED: Final = _adding(_OF_RECALLS).replace(
    f'VALUES({_MARKS})', f'SELECT {_MARKS} WHERE EXISTS(SELECT 1 FROM owner WHERE project = ?)'
)
_COST: Final = _adding(_OF_COST).replace(
    'VALUES(?, ?, ?, ?, ?, ?, ?)', 'SELECT project, ?, ?, ?, ?, ?, CAST(? AS DOUBLE PRECISION) FROM owner WHERE id = ?'
)


def _part(connection: Connection, owner: int) -> int:
    return owner % _PARTS if connection.dialect.shared else 0


def count_day(connection: Connection, owner: Owner, number: int, at: datetime, /, **figures: int) -> None:
    """Add to what happened in a project on a day.

    Args:
        connection: In a transaction, towards its end: others who count may wait for it from here on.
        owner: Of whose project.
        number: The owner's.
        at: When it happened.
        **figures: By how much the columns grow, always the same ones from the same place.
    """
    if any(figures.values()):
        where = (owner.project, day_of(at), _part(connection, number))
        connection.execute(_adding(tuple(figures)), (*where, *figures.values()))


def count_edits(
    connection: Connection, owner: Owner, number: int, at: datetime, edits: Sequence[Edit], *, newcomer: bool
) -> None:
    """Count the edits of a change, and its owner when it is a user nothing was known of before."""
    done = Counter(_OPS.get(edit.op, '') for edit in edits)
    more = sum(
        (edit.after.status == 'active') - (edit.before is not None and edit.before.status == 'active') for edit in edits
    )
    told = {name: done[name] for name in _OPS.values()}
    count_day(connection, owner, number, at, **told, memories=more, people=int(newcomer and owner.kind == 'user'))


def count_cost(
    connection: Connection, number: int, at: datetime, spent: tuple[int, int, int], cost: float | None
) -> None:
    """Count what a model took for a job of an owner."""
    connection.execute(_COST, (day_of(at), _part(connection, number), *spent, cost, number))


def count_recalls(connection: Connection, project: str, day: int, recalls: Recalls) -> None:
    """Count recalls of a project, unless it was forgotten meanwhile: its name must not come back."""
    where = (project, day, _RECALLS if connection.dialect.shared else 0)
    connection.execute(_RECALLED, (*where, *recalls.figures(), project))
