"""Owner matrices kept in memory: what a search compares, without reading a row.

An entry is right when its owner's version, epoch and embedding generation are those of the read transaction. A newer
owner version brings only the rows written or retired since; an erasure changes the epoch, and the entry is read anew.
What arrays tell that were handed out is never written again, so readers share them freely: vectors grow behind the end
of earlier views, and one that comes late takes the place of a row that these say is missing.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from memoranda._caches import sized
from memoranda.lanes import FloatVector, LaneName
from memoranda.scope import Owner
from memoranda.stores.generation import Generation
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.distant import Told, told_sought
from memoranda.stores.sql.fresh import MEMORY, SEGMENT, Fresh
from memoranda.stores.sql.keys import vector_tables
from memoranda.stores.sql.rows import OwnerRow, row_range, within
from memoranda.stores.sql.whole import (
    Columns,
    ColumnsSought,
    Ints,
    VectorsSought,
    columns_sought,
    of_memories,
    of_segments,
    vectors_sought,
    with_vectors,
)
from memoranda.stores.sql.words import Words

__all__ = ['Ahead', 'Cache', 'Columns', 'LaneName']

_SEEN: Final = 10_000
_SEARCHES: Final = 3
_ROWS_A_SEARCH: Final = 50
"""Rows whose words take about as long to read as a search saves that has them; measured."""
_OBJECTS: Final = 2_500
"""Bytes of an entry beside the elements of its arrays; measured."""


@dataclass(slots=True)
class _Entry:
    version: int
    epoch: int
    generation: int
    columns: Columns
    buffer: NDArray[np.float32] | None
    """What the vectors are the beginning of: behind them is room for more."""
    words: Words | None = None
    """The keyword index, once it was searched often enough as it is."""
    asked: int = 0
    """How often that was, after the first time."""

    @property
    def nbytes(self) -> int:
        """Memory held, that of Python's objects too."""
        vectors, words = (0 if part is None else part.nbytes for part in (self.buffer, self.words))
        return vectors + words + 80 * len(self.columns.row) + _OBJECTS


@dataclass(frozen=True, slots=True)
class Ahead:
    """What was asked about a lane in advance."""

    entry: _Entry | None
    """Which state of it was kept then."""
    fresh: Fresh | None
    """What was written since."""
    columns: ColumnsSought | None
    """All of it, where nothing was kept."""
    generation: Generation | None
    """Of the vectors that were asked for or compared."""
    vectors: VectorsSought | None
    told: Told | None
    """How near its rows are to the vector that was given."""


_Key: TypeAlias = tuple[int, LaneName, bool]
"""Owner, lane, and whether with vectors."""


class Cache:
    """Bounded in bytes, least recently used first out. Shared by the reader threads of a process."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes, self._held = max_bytes, 0
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._asked: OrderedDict[_Key, bool] = OrderedDict()
        """What vectors were asked for lately without being kept."""
        self._lock = threading.Lock()
        self._seen: OrderedDict[int, tuple[int, bytes]] = OrderedDict()
        self._loading: dict[_Key, threading.Lock] = {}
        self.generation: Generation | None = None
        """The one that was current at the last search."""
        sized(self)

    @property
    def held_bytes(self) -> int:
        """Of memory, at most `max_bytes` but for an entry that alone is larger."""
        return self._held

    def seen(self, owner: Owner) -> tuple[int, bytes] | None:
        """An owner's number and salt as they were last time, to ask by before it is known whether they still are."""
        return self._seen.get(hash(owner))

    def remembered(self, owner: Owner) -> tuple[OwnerRow, Words] | None:
        """An owner as it was when its memories were read, if their vectors and words are kept."""
        known = self.seen(owner)
        entry = None if known is None else self._entries.get((known[0], 'memories', True))
        if known is None or entry is None or entry.words is None:
            return None
        return OwnerRow(known[0], owner, entry.version, entry.epoch, known[1], 0), entry.words

    def wants_words(self, owner: OwnerRow) -> bool:
        """Whether the words of an owner's memories shall be kept too.

        They are read anew whenever something was written, so that is after as many searches without as it costs.
        """
        with self._lock:
            entry = self._entries.get((owner.id, 'memories', True))
            if entry is None or (entry.version, entry.epoch) != (owner.version, owner.epoch) or entry.words is not None:
                return False
            return entry.asked >= _SEARCHES + len(entry.columns.row) // _ROWS_A_SEARCH

    def keep_words(self, owner: OwnerRow, words: Words) -> None:
        """Keep them, with what they belong to."""
        with self._lock:
            entry = self._entries.get((owner.id, 'memories', True))
            if entry is not None and (entry.version, entry.epoch) == (owner.version, owner.epoch):
                self._held -= entry.nbytes
                entry.words = words
                self._held += entry.nbytes
                self._make_room()

    def number_of(self, owner: Owner) -> int | None:
        """An owner's number as it was last time, if it was read."""
        known = self.seen(owner)
        return None if known is None else known[0]

    def see(self, owner: OwnerRow) -> None:
        """Note them for the next time. Not whose they are."""
        with self._lock:
            self._seen[hash(owner.owner)] = owner.id, owner.salt
            if len(self._seen) > _SEEN:
                self._seen.popitem(last=False)

    def has(self, owner: OwnerRow, lane: LaneName, generation: Generation) -> bool:
        """Whether the vectors of a lane are kept, of whatever version."""
        entry = self._entries.get((owner.id, lane, True))
        return entry is not None and entry.generation == generation.id

    def ahead(
        self,
        connection: Connection,
        owner: int,
        lane: LaneName,
        generation: Generation | None = None,
        vector: FloatVector | None = None,
    ) -> Ahead | None:
        """Ask for what `columns` will want of a lane: what was written since it was kept, or all of it.

        Nothing is asked of what was kept when nothing was written while it was searched several times: then it is
        likely that nothing was again.

        Args:
            connection: In a snapshot.
            owner: The owner's number.
            lane: Which.
            generation: Of the vectors that will be compared, if it is known.
            vector: With which, if it is one and the database may compare them.
        """
        key = (owner, lane, True)
        with self._lock:
            full, bare, again = self._entries.get(key), self._entries.get((owner, lane, False)), key in self._asked
        current = generation or self.generation
        if full is not None and current is not None and full.generation != current.id:
            full = None  # its vectors are those of an embedder that was replaced
        entry = full or bare
        fresh = columns = vectors = told = None
        if entry is None:
            columns = columns_sought(connection, owner, lane)
        elif entry.asked < _SEARCHES:
            fresh = Fresh(connection, owner, lane, entry.generation, entry.version, _last(owner, entry))
        if full is None and generation is not None and vector is not None:
            large = bare is not None and self._is_large(len(bare.columns.row), generation)
            if large or not again:
                told = told_sought(connection, lane, generation, owner, vector)
            elif bare is not None:
                vectors = vectors_sought(connection, lane, generation, owner)
        if fresh is columns is vectors is told is None:
            return None
        return Ahead(entry, fresh, columns, generation, vectors, told)

    def columns(
        self,
        connection: Connection,
        owner: OwnerRow,
        lane: LaneName,
        generation: Generation | None,
        ahead: Ahead | None = None,
    ) -> Columns:
        """The lane as the connection's read transaction sees it.

        Args:
            connection: In that transaction.
            owner: As it is there.
            lane: Which.
            generation: Of the vectors that belong to it; None: without.
            ahead: What was asked about it in advance, in the same transaction.
        """
        number = generation.id if generation else 0
        key = (owner.id, lane, number > 0)
        with self._lock:
            loading = self._loading.setdefault(key, threading.Lock())
        with loading:
            with self._lock:
                entry = self._entries.get(key)
                if entry is not None:
                    self._entries.move_to_end(key)
            if entry is not None and entry.epoch == owner.epoch and entry.generation == number:
                if entry.version == owner.version:
                    entry.asked += 1
                    return entry.columns
                if entry.version < owner.version:
                    known = ahead.fresh if ahead is not None and ahead.entry is entry else None
                    since = None if known is None else known.rows(generation)
                    fresh = _advance(connection, owner, lane, generation, entry, since)
                    if fresh is not None:
                        return self._keep(key, fresh)
                else:  # this transaction began before one that another thread has already seen
                    return _load(connection, owner, lane, generation, ahead).columns
            return self._keep(key, _load(connection, owner, lane, generation, ahead, self._take_bare(owner, lane)))

    def _take_bare(self, owner: OwnerRow, lane: LaneName) -> ColumnsSought | None:
        """The lane without vectors, if it is kept as it is now: it goes on with them."""
        key = (owner.id, lane, False)
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or (entry.version, entry.epoch) != (owner.version, owner.epoch):
                return None
            del self._entries[key]
            self._held -= entry.nbytes
        columns = entry.columns
        return lambda: columns

    def keeps(self, owner: OwnerRow, lane: LaneName, generation: Generation, rows: int) -> bool:
        """Whether the vectors of so many rows are kept, or shall be from now on.

        They shall when they fit, and were asked for before, not longer ago than as many as fit were since.
        """
        key = (owner.id, lane, True)
        size = _size(rows, generation)
        with self._lock:
            if key in self._entries:
                return True
            if self._is_large(rows, generation):
                return False
            known = self._asked.pop(key, False)
            self._asked[key] = True
            while len(self._asked) > self.max_bytes // size:
                self._asked.popitem(last=False)
            return known

    def _is_large(self, rows: int, generation: Generation) -> bool:
        """Whether the vectors of so many rows would take too much of it."""
        return _size(rows, generation) > self.max_bytes // 4

    def _keep(self, key: _Key, entry: _Entry) -> Columns:
        with self._lock:
            old = self._entries.pop(key, None)
            self._held += entry.nbytes - (old.nbytes if old else 0)
            self._entries[key] = entry
            self._make_room()
        return entry.columns

    def _make_room(self) -> None:
        while self._held > self.max_bytes and len(self._entries) > 1:
            dropped, gone = self._entries.popitem(last=False)
            self._held -= gone.nbytes
            self._loading.pop(dropped, None)

    def owners(self) -> set[int]:
        """The owners something is kept of."""
        with self._lock:
            return {owner for owner, _, _ in self._entries}

    def drop(self, owner: int) -> None:
        """Forget an owner."""
        with self._lock:
            for key in [k for k in self._entries if k[0] == owner]:
                self._held -= self._entries.pop(key).nbytes
            for key in [k for k in self._loading if k[0] == owner]:
                del self._loading[key]
            for key in [k for k, (number, _) in self._seen.items() if number == owner]:
                del self._seen[key]

    def drop_stale(self, connection: Connection) -> None:
        """Forget owners that were erased, wholly or in part, and vectors that were replaced, by any process."""
        current = {number for (number,) in connection.execute("SELECT id FROM generation WHERE state = 'current'")}
        with self._lock:
            for key in [k for k, entry in self._entries.items() if entry.generation not in (0, *current)]:
                self._held -= self._entries.pop(key).nbytes
            held = {(owner, entry.epoch) for (owner, _, _), entry in self._entries.items()}
        there = within(connection, "SELECT id, epoch FROM owner WHERE kind <> 'erased' AND id", {o for o, _ in held})
        for owner, _ in held - set(there):
            self.drop(owner)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._loading.clear()
            self._asked.clear()
            self._seen.clear()
            self._held = 0
            self.generation = None


_MEMORY = f'SELECT {", ".join(MEMORY)} FROM memory '
_SEGMENT = f'SELECT {", ".join(SEGMENT)} FROM segment WHERE row > ? AND row <= ? '


def _size(rows: int, generation: Generation) -> int:
    """Bytes of so many vectors."""
    return max(1, rows * generation.dimensions * 4)


def _load(
    connection: Connection,
    owner: OwnerRow,
    lane: LaneName,
    generation: Generation | None,
    ahead: Ahead | None = None,
    known: ColumnsSought | None = None,
) -> _Entry:
    """A lane read from the database, but for what was asked in advance or is known of it."""
    look = known or (None if ahead is None else ahead.columns) or columns_sought(connection, owner.id, lane)
    sought: VectorsSought | None = None
    if generation is not None:
        sought = ahead.vectors if ahead is not None and ahead.generation == generation else None
        sought = sought or vectors_sought(connection, lane, generation, owner.id)
    columns = look()
    if sought is not None:
        columns = with_vectors(columns, *sought())
    return _Entry(owner.version, owner.epoch, generation.id if generation else 0, columns, columns.vectors)


def _last(owner: int, entry: _Entry) -> int:
    """The key of the last row that is kept."""
    row = entry.columns.row
    return int(row[-1]) if len(row) else row_range(owner)[0] - 1


def _advance(
    connection: Connection,
    owner: OwnerRow,
    lane: LaneName,
    generation: Generation | None,
    entry: _Entry,
    since: tuple[list[Any], dict[int, Any]] | None,
) -> _Entry | None:
    """The entry brought forward by what was written since; None when reading it anew is cheaper."""
    old, last = entry.columns, _last(owner.id, entry)
    if lane == 'memories':
        touched = (
            since[0]
            if since is not None
            else connection.execute(_MEMORY + 'WHERE owner = ? AND touched > ?', (owner.id, entry.version)).fetchall()
        )
        if len(touched) > 200 + len(old.row) // 4:
            return None
        new = of_memories([r for r in touched if r[1] and r[0] > last], old.runs)
        retired = np.array([r[0] for r in touched if not r[1] and r[0] <= last], dtype=np.int64)
        live = old.live
        if len(retired):
            live = live.copy()
            where = np.searchsorted(old.row, retired)
            where = where[where < len(old.row)]
            live[where[np.isin(old.row[where], retired)]] = False
            if np.count_nonzero(live) < len(live) // 2:
                return None
        old = replace(old, live=live, runs=new.runs)
    else:
        new = of_segments(
            since[0]
            if since is not None
            else connection.execute(_SEGMENT + 'ORDER BY row', (last, row_range(owner.id)[1])).fetchall()
        )
    buffer = entry.buffer
    if generation is not None and buffer is not None and old.vectors is not None:
        old, new, buffer = _fill(connection, lane, generation, old, new, buffer, None if since is None else since[1])
    joined = _join(old, new, buffer)
    return _Entry(owner.version, owner.epoch, entry.generation, joined, buffer)


def _fill(
    connection: Connection,
    lane: LaneName,
    generation: Generation,
    old: Columns,
    new: Columns,
    buffer: NDArray[np.float32],
    known: Mapping[int, NDArray[np.float32]] | None,
) -> tuple[Columns, Columns, NDArray[np.float32]]:
    table = vector_tables(generation.id)[0 if lane == 'memories' else 1]

    lacking = [int(row) for row in old.row[old.missing]]
    dialect = connection.dialect
    wanted = f'SELECT row, {dialect.stored_vector} FROM {table} WHERE row'
    asked = lacking if known is not None else (*lacking, *map(int, new.row))
    found: dict[int, bytes] = dict(within(connection, wanted, asked))
    vectors = dict(zip(found, dialect.unpack(list(found.values()), generation.dimensions), strict=True))
    vectors.update(known or {})
    late = [(i, vectors[int(old.row[i])]) for i in np.flatnonzero(old.missing) if int(old.row[i]) in vectors]
    count, total = len(old.row), len(old.row) + len(new.row)
    if total > len(buffer):
        grown = np.zeros((total + total // 8 + 2, generation.dimensions), dtype=np.float32)
        grown[:count] = buffer[:count]
        buffer = grown
    missing = old.missing
    if late:
        # In place, as copying all for a message's sake takes longer than a search: in what was handed out before,
        # `missing` says that these rows count for nothing, whatever they hold.
        missing = missing.copy()
        for i, late_one in late:
            buffer[i] = late_one
            missing[i] = False
    fresh = np.zeros(len(new.row), dtype=np.bool_)
    for i, row in enumerate(new.row):
        its = vectors.get(int(row))
        if its is None:
            buffer[count + i] = 0
            fresh[i] = True
        else:
            buffer[count + i] = its
    return replace(old, missing=missing), replace(new, missing=fresh), buffer


def _join(old: Columns, new: Columns, buffer: NDArray[np.float32] | None) -> Columns:
    def both(a: Ints | None, b: Ints | None) -> Ints | None:
        return None if a is None or b is None else np.concatenate((a, b)) if len(b) else a

    row = np.concatenate((old.row, new.row)) if len(new.row) else old.row
    return Columns(
        row=row,
        length=np.concatenate((old.length, new.length)),
        at=np.concatenate((old.at, new.at)),
        live=np.concatenate((old.live, new.live)),
        vectors=None if buffer is None else buffer[: len(row)],
        missing=np.concatenate((old.missing, new.missing)),
        run=both(old.run, new.run),
        until=both(old.until, new.until),
        runs=new.runs or old.runs,
        conversation=both(old.conversation, new.conversation),
        position=both(old.position, new.position),
        role=both(old.role, new.role),
        speaker=both(old.speaker, new.speaker),
    )
