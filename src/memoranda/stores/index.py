"""A vector index outside the database: what it has to do, and what its answers mean.

The database stays the system of record. It keeps every vector too, and notes in the transaction of each change which
rows an index has to look at again; the index holds numbers only (vectors, row keys, owners), and whatever it answers is
compared with the database before anybody sees it. So an index that is lost, stale or wrong costs time, never a memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import numpy as np

from memoranda.errors import IndexFailed, IndexLost, IndexMismatch, IndexRefused, IndexUnreachable
from memoranda.lanes import FloatVector, Ints, LaneName

if TYPE_CHECKING:
    from memoranda.scope import Reach
    from memoranda.stores.generation import Generation

__all__ = [
    'Asked',
    'Collection',
    'Ground',
    'IndexFailed',
    'IndexLost',
    'IndexMismatch',
    'IndexPoint',
    'IndexRefused',
    'IndexSource',
    'IndexUnreachable',
    'Nearest',
    'Noted',
    'Part',
    'PointPage',
    'VectorIndex',
    'Words',
]


Words: TypeAlias = Mapping[int, float]
"""Keyed hashes of words, 32 bits, with their weights. No word can be read from them without the owner's key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Where the vectors of one embedding generation are."""

    store: str
    """Which database they belong to: a name that is made with it."""
    generation: int
    dimensions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPoint:
    """One row of the database: a current version of a memory, or a part of a message."""

    row: int
    """Its key, `owner << 24 | seq`, which is the point's id as well: to write it twice is to write it once."""
    owner: int
    """The owner's number."""
    lane: LaneName
    run: str
    """A keyed hash of the run a memory belongs to; empty: of none."""
    vector: FloatVector
    words: Words | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one owner."""

    owner: int
    runs: tuple[str, ...] | None = None
    """Of which runs, by their hashes (empty: of none); None: of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question to one lane."""

    lane: LaneName
    vector: FloatVector
    parts: Sequence[Part]
    limit: int
    words: Words | None = None
    """Rows that hold one of these are wanted too, the best of them, with their cosines."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """What an index says of a lane."""

    rows: Ints
    """(n,) row keys, ascending, each once."""
    cosine: FloatVector
    """(n,) to the question's vector."""
    full: bool
    """Whether there may be more rows than these, because there were as many as were asked for."""
    waiting: Ints
    """(m,) rows that changed, and that the index may not have heard of when it was asked."""

    @staticmethod
    def of(found: Mapping[int, float], *, full: bool) -> Nearest:
        """What was found: row keys with their cosines."""
        rows = np.fromiter(found, dtype=np.int64, count=len(found))
        cosine = np.fromiter(found.values(), dtype=np.float32, count=len(found))
        order = np.argsort(rows)
        return Nearest(rows[order], cosine[order], full, np.zeros(0, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class PointPage:
    """Some points of a collection."""

    points: Sequence[IndexPoint]
    """Without vectors that were not asked for: these are empty."""
    strange: int
    """Points whose ids are no row keys, or that tell no owner: none of ours."""
    cursor: int | str | None
    """Where the next page begins; None at the end."""


@runtime_checkable
class VectorIndex(Protocol):
    """A vector index. Its methods block; they are called on threads of the engine's, several at once.

    Every method raises `IndexFailed` and nothing else. What is written twice is written once, and what is deleted may
    be missing.
    """

    @property
    def location(self) -> str:
        """Where it is, as a person would name it, without secrets."""
        ...

    @property
    def has_words(self) -> bool:
        """Whether points shall carry words, and questions may."""
        ...

    def load(self) -> None:
        """Load what takes a while to load, so that the first search doesn't. Connects to nothing."""
        ...

    def has(self, collection: Collection) -> bool:
        """Whether the collection is there."""
        ...

    def prepare(self, collection: Collection) -> None:
        """Make the collection unless it is there.

        Raises:
            IndexMismatch: There is one, for vectors of other dimensions or another distance.
        """
        ...

    def search(self, collection: Collection, asked: Sequence[Asked]) -> list[Nearest]:
        """The nearest rows to each question, in one trip."""
        ...

    def upsert(self, collection: Collection, points: Sequence[IndexPoint]) -> None:
        """Write points. They are found from then on."""
        ...

    def delete(self, collection: Collection, rows: Sequence[int]) -> None:
        """Delete points by their row keys."""
        ...

    def delete_owner(self, collection: Collection, owner: int) -> None:
        """Delete all points of an owner."""
        ...

    def count(self, collection: Collection) -> int:
        """How many points there are."""
        ...

    def page(self, collection: Collection, *, cursor: int | str | None, limit: int, vectors: bool) -> PointPage:
        """Points one after another.

        Args:
            collection: Which.
            cursor: What the page before answered.
            limit: How many at most.
            vectors: Whether their vectors are wanted too.
        """
        ...

    def get(self, collection: Collection, rows: Sequence[int], *, vectors: bool) -> list[IndexPoint]:
        """Points by their row keys, as far as they are there."""
        ...

    def generations(self, store: str) -> list[int]:
        """Of which generations of a database there is a collection."""
        ...

    def drop(self, store: str, generation: int) -> None:
        """Delete a collection. It may be missing."""
        ...

    def ping(self) -> str:
        """The server's version, if it answers."""
        ...

    def close(self) -> None:
        """Give connections back. It may be used again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a search has to know of the database before it asks an index."""

    collection: Collection | None
    """None while nothing is embedded, or nothing was indexed yet."""
    parts: Mapping[LaneName, Sequence[Part]]
    salts: Mapping[int, bytes]
    """What keys the words of each owner."""
    waiting: Ints | None
    """Rows of these owners that the index may not have heard of; None: too many."""


@dataclass(frozen=True, slots=True)
class Noted:
    """Rows that were noted to be looked at."""

    ids: Sequence[int]
    """Of the notes."""
    rows: Sequence[int]
    """Each once."""


class IndexSource(Protocol):
    """What a database does for an index: it notes which rows change, and tells what there is of them.

    Every method is one snapshot or one transaction.
    """

    async def attach(self) -> str:
        """From now on note which rows change, whoever changes them. Answers the database's name; idempotent."""
        ...

    async def detach(self) -> str | None:
        """Note nothing any more, and forget what was noted. Answers the database's name, if it was attached."""
        ...

    async def ground(self, reaches: Sequence[Reach], *, most: int) -> Ground:
        """What a search within reach has to know.

        Args:
            reaches: Whose.
            most: How many waiting rows make sense.
        """
        ...

    async def generations(self) -> Sequence[Generation]:
        """The generations whose vectors an index shall hold: the current one and one that is being built."""
        ...

    async def has_work(self) -> bool:
        """Whether something is noted, or rows of a generation were never noted. Cheap: it is asked all the time."""
        ...

    async def take(self, worker: str, *, lease_seconds: float, limit: int) -> Noted | None:
        """Take the turn at what is noted, the oldest first; None while somebody else has it."""
        ...

    async def points(
        self, generation: Generation, rows: Sequence[int], *, words: Callable[[str], Sequence[str]] | None = None
    ) -> list[IndexPoint]:
        """What an index shall hold of these rows: those that are missing it shall not hold.

        Args:
            generation: Whose vectors.
            rows: Row keys.
            words: Splits a text into words, if points shall carry them.
        """
        ...

    async def settle(self, noted: Noted) -> None:
        """These were seen to. What somebody else has seen to meanwhile is noted anew: who was last is unknown."""
        ...

    async def release(self, worker: str) -> None:
        """Give the turn back."""
        ...

    async def note_all(self, generation: Generation, *, limit: int) -> bool:
        """Note so many rows of a generation that was never noted. True when all of them were."""
        ...

    async def begin_anew(self, generation: Generation) -> None:
        """All rows of a generation are to be noted again."""
        ...

    async def note(self, rows: Sequence[int]) -> None:
        """Note these."""
        ...

    async def waiting(self) -> int:
        """How many notes there are."""
        ...

    async def noted(self, rows: Sequence[int]) -> set[int]:
        """Those of some rows that are noted."""
        ...

    async def page(self, generation: Generation, *, after: int, limit: int) -> list[int]:
        """Row keys an index shall hold, ascending from behind one."""
        ...

    async def held(self, generation: Generation, rows: Sequence[int]) -> set[int]:
        """Those of some rows that an index shall hold."""
        ...

    async def expected(self, generation: Generation) -> int:
        """How many rows an index shall hold."""
        ...
