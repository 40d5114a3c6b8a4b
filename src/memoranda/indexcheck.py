"""Compares a vector index elsewhere with the database, both ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from memoranda.indexing import Indexer
    from memoranda.lanes import FloatVector
    from memoranda.stores.generation import Generation
    from memoranda.stores.index import IndexPoint

__all__ = ['IndexReport', 'verify']

PAGE: Final = 400
SOME: Final = 20
"""Row keys that a report names."""
ALIKE: Final = 0.999
"""The least cosine between a vector and what an index kept of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """What an index lacks, and what it holds in vain. Rows that are waiting to be sent are no faults."""

    points: int
    """In the collection."""
    expected: int
    """Rows of the database that should have one."""
    missing: int = 0
    """Rows that have none."""
    unknown: int = 0
    """Points whose rows the database doesn't hold any more. No search shows them."""
    stale: int = 0
    """Points that tell another owner, lane or run than the database, or have another vector."""
    strange: int = 0
    """Points that somebody else wrote. No search shows them, and nothing here deletes them."""
    waiting: int = 0
    """Changes that were not sent yet."""
    building: bool = False
    """Whether rows are still being noted to be sent."""
    leftover: tuple[int, ...] = ()
    """Generations that are gone, and have a collection."""
    rows: tuple[int, ...] = ()
    """The first few rows of those that are missing, unknown or stale."""
    repaired: int = 0
    """How many of these were seen to."""

    @property
    def ok(self) -> bool:
        """Whether the index holds all that it should and nothing else, but for what is waiting."""
        return not (self.missing or self.unknown or self.stale or self.strange or self.leftover or self.building)


async def verify(
    indexer: Indexer,
    *,
    vectors: bool = False,
    repair: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> IndexReport:
    """Compare the current generation's collection with the database.

    Others may write meanwhile: what looks wrong is looked at once more.

    Args:
        indexer: Of the engine.
        vectors: Whether to compare the vectors too.
        repair: Whether to see to what is wrong.
        progress: Called as (rows looked at, rows in all) now and then.

    Raises:
        IndexFailed: It doesn't answer, or not as it should.
    """
    source = indexer.source
    name = await source.attach()
    generation = next((g for g in await source.generations() if g.state == 'current'), None)
    alive = {g.id for g in await source.generations()}
    leftover = tuple(g for g in await indexer.call(lambda: indexer.index.generations(name)) if g not in alive)
    if generation is None:
        return IndexReport(points=0, expected=0, leftover=leftover)
    checking = _Checking(indexer, generation, name, vectors)
    if not await checking.begin():
        missing = await source.expected(generation)
        if not repair:
            return IndexReport(points=0, expected=missing, missing=missing, leftover=leftover, building=True)
        sent = await indexer.rebuild(progress)  # the collection was lost, or never made
        return IndexReport(points=0, expected=missing, missing=missing, repaired=min(sent, missing))
    expected = await source.expected(generation)
    suspects, looked = await checking.walk_database(expected, progress)
    unknown, points, strange = await checking.walk_index(expected, looked, progress)
    wrong = await checking.sort_out(sorted({*suspects, *unknown}))
    rows = sorted(row for found in wrong.values() for row in found)
    repaired = 0
    if repair and rows:
        await source.note(rows)
        await indexer.catch_up()
        left = await checking.sort_out(rows)
        repaired = len(rows) - sum(len(found) for found in left.values())
    ground = await source.ground((), most=0)
    return IndexReport(
        points=points,
        expected=expected,
        missing=len(wrong['missing']),
        unknown=len(wrong['unknown']),
        stale=len(wrong['stale']),
        strange=strange,
        waiting=await source.waiting(),
        building=ground.collection is None,
        leftover=leftover,
        rows=tuple(rows[:SOME]),
        repaired=repaired,
    )


class _Checking:
    def __init__(self, indexer: Indexer, generation: Generation, name: str, vectors: bool) -> None:
        self._indexer, self._source, self._index = indexer, indexer.source, indexer.index
        self._generation, self._vectors = generation, vectors
        self._collection = indexer.collection(generation, name)

    async def begin(self) -> bool:
        """Whether there is a collection."""
        return await self._indexer.call(lambda: self._index.has(self._collection))

    async def walk_database(self, expected: int, progress: Callable[[int, int], None] | None) -> tuple[list[int], int]:
        """Rows that are missing or stale, and how many were looked at."""
        suspects: list[int] = []
        looked, after = 0, -1
        while rows := await self._source.page(self._generation, after=after, limit=PAGE):
            missing, stale, _ = await self._compare(rows)
            suspects += [*missing, *stale]
            looked, after = looked + len(rows), rows[-1]
            if progress is not None:
                progress(looked, 2 * expected)
        return suspects, looked

    async def walk_index(
        self, expected: int, looked: int, progress: Callable[[int, int], None] | None
    ) -> tuple[list[int], int, int]:
        """Rows that the database doesn't hold; how many points there are, and how many of them are nobody's."""
        unknown: list[int] = []
        points = strange = 0
        cursor: int | str | None = None
        while True:
            page = await self._indexer.call(
                lambda at=cursor: self._index.page(self._collection, cursor=at, limit=PAGE, vectors=False)
            )
            rows = [point.row for point in page.points]
            held = await self._source.held(self._generation, rows)
            unknown += [row for row in rows if row not in held]
            points, strange = points + len(rows) + page.strange, strange + page.strange
            if progress is not None:
                progress(min(looked + points, 2 * expected), 2 * expected)
            cursor = page.cursor
            if cursor is None:
                return unknown, points, strange

    async def sort_out(self, rows: Sequence[int]) -> dict[str, list[int]]:
        """What is wrong with rows, looked at once more, and not noted to be seen to anyway."""
        wrong: dict[str, list[int]] = {'missing': [], 'unknown': [], 'stale': []}
        for begin in range(0, len(rows), PAGE):
            some = rows[begin : begin + PAGE]
            before = await self._source.noted(some)
            found = await self._compare(some)
            noted = before | await self._source.noted(some)
            for kind, of_kind in zip(('missing', 'stale', 'unknown'), found, strict=True):
                wrong[kind] += [row for row in of_kind if row not in noted]
        return wrong

    async def _compare(self, rows: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
        """Of some rows those that are missing, stale, and unknown to the database."""
        wanted = {p.row: p for p in await self._source.points(self._generation, rows)}
        there = {
            p.row: p
            for p in await self._indexer.call(
                lambda: self._index.get(self._collection, rows, vectors=self._vectors)
            )
        }  # fmt: skip
        missing = [row for row in wanted if row not in there]
        unknown = [row for row in there if row not in wanted]
        return missing, [r for r, p in wanted.items() if r in there and self._differs(p, there[r])], unknown

    def _differs(self, wanted: IndexPoint, found: IndexPoint) -> bool:
        if (wanted.owner, wanted.lane, wanted.run) != (found.owner, found.lane, found.run):
            return True
        return self._vectors and not _alike(wanted.vector, found.vector)


def _alike(one: FloatVector, other: FloatVector) -> bool:
    if one.shape != other.shape:
        return False
    length = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return length == 0 or float(one @ other) / length > ALIKE
