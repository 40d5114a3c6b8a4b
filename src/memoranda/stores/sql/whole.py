"""Lanes of owners read whole: their columns, and their vectors.

What is sought is asked for before anything of it is looked at, so that it travels together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from memoranda.lanes import FloatVector, LaneName
from memoranda.stores.generation import Generation
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.fresh import MEMORY, SEGMENT
from memoranda.stores.sql.keys import vector_tables
from memoranda.stores.sql.rows import row_range

__all__ = [
    'Columns',
    'ColumnsSought',
    'Ints',
    'VectorsSought',
    'columns_sought',
    'of_memories',
    'of_segments',
    'vectors_sought',
    'with_vectors',
]

T = TypeVar('T')
Ints: TypeAlias = NDArray[np.int64]
_FAR: Final = np.iinfo(np.int64).max
_CURRENT: Final = 'FROM memory WHERE owner = ? AND live = 1 AND touched > 0'
_PARTS: Final = 'FROM segment WHERE row BETWEEN ? AND ?'
_ENDS: Final = f'COALESCE(LEAST(valid_to, expires_at), {_FAR})'


@dataclass(frozen=True, slots=True)
class Columns:
    """One lane of one owner: parallel arrays, ascending by row key."""

    row: Ints
    length: Ints
    at: Ints
    """Microseconds: valid_from of a memory, occurred_at of a message."""
    live: NDArray[np.bool_]
    vectors: NDArray[np.float32] | None
    """(n, dimensions); a row without a vector is all zeros."""
    missing: NDArray[np.bool_]
    """Rows without a vector."""
    run: Ints | None = None
    """Memories: index into `runs`."""
    until: Ints | None = None
    """Memories: the earlier of valid_to and expires_at."""
    runs: tuple[str, ...] = ()
    conversation: Ints | None = None
    position: Ints | None = None
    role: Ints | None = None
    speaker: Ints | None = None
    cosine: FloatVector | None = None
    """To what one search asks for, where the database was asked in advance. Not for another one: it isn't kept."""


ColumnsSought: TypeAlias = Callable[[], Columns]
VectorsSought: TypeAlias = Callable[[], tuple[Ints, NDArray[np.float32]]]
"""Row keys, ascending, and vectors (n, dimensions)."""


def columns_sought(connection: Connection, owner: int, lane: LaneName) -> ColumnsSought:
    """A lane without its vectors, to be looked at later."""
    return _once(_columns_sought(connection, owner, lane))


def _once(look: Callable[[], T]) -> Callable[[], T]:
    """Look once and know it then: one search may need a lane twice, and rows can be fetched once."""
    known: list[T] = []

    def looked() -> T:
        if not known:
            known.append(look())
        return known[0]

    return looked


def _columns_sought(connection: Connection, owner: int, lane: LaneName) -> ColumnsSought:
    values = (owner,) if lane == 'memories' else row_range(owner)
    dialect = connection.dialect
    numbers = dialect.packed('row', 'length', 'valid_from', _ENDS) if lane == 'memories' else dialect.packed(*SEGMENT)
    if numbers is None:
        names, rows = (MEMORY, _CURRENT) if lane == 'memories' else (SEGMENT, _PARTS)
        told = connection.ask(f'SELECT {", ".join(names)} {rows}', values)
        make = of_memories if lane == 'memories' else of_segments
        return lambda: make(told.fetchall())
    if lane == 'episodes':
        packed = connection.ask(f'SELECT {numbers} {_PARTS}', values)
        return lambda: _segments(_table(packed.fetchone()[0], len(SEGMENT)))
    in_run = "FILTER (WHERE run_key <> '')"
    found = connection.ask(f'SELECT {numbers}, array_agg(row) {in_run}, array_agg(run_key) {in_run} {_CURRENT}', values)

    def look() -> Columns:
        data, rows, keys = found.fetchone()
        row, length, at, until = _table(data, 4)
        known = {'': 0}
        run = np.zeros(len(row), dtype=np.int64)
        if rows:
            where = np.searchsorted(row, np.array(rows, dtype=np.int64))
            run[where] = [known.setdefault(key, len(known)) for key in keys]
        return _memories(row, length, at, until, run, tuple(known))

    return look


def _table(data: bytes | None, width: int) -> Ints:
    """(width, rows), ascending by the first of each."""
    table = np.frombuffer(data or b'', dtype='>i8').reshape(-1, width)
    table = table[_ascending(table[:, 0])]
    return np.ascontiguousarray(table.T, dtype=np.int64)


def _ascending(keys: NDArray[np.integer]) -> slice | NDArray[np.intp]:
    """What puts keys into their order. They mostly have it already; no database promises that, but one that is asked to
    sort vectors writes them to its disk first.
    """
    return slice(None) if bool((keys[1:] > keys[:-1]).all()) else np.argsort(keys)


def of_memories(
    rows: list[tuple[int, int, str, int, int, int | None, int | None]], runs: tuple[str, ...] = ()
) -> Columns:
    """Of rows of `MEMORY`; `runs` are known by their numbers already."""
    rows.sort()
    known = {run: i for i, run in enumerate(runs)}
    return _memories(
        row=np.array([r[0] for r in rows], dtype=np.int64),
        length=np.array([r[3] for r in rows], dtype=np.int64),
        at=np.array([r[4] for r in rows], dtype=np.int64),
        until=np.array([min(_FAR if end is None else end for end in r[5:7]) for r in rows], dtype=np.int64),
        run=np.array([known.setdefault(r[2], len(known)) for r in rows], dtype=np.int64),
        runs=tuple(known),
    )


def _memories(row: Ints, length: Ints, at: Ints, until: Ints, run: Ints, runs: tuple[str, ...]) -> Columns:
    return Columns(
        row=row,
        length=length,
        at=at,
        live=np.ones(len(row), dtype=np.bool_),
        vectors=None,
        missing=np.ones(len(row), dtype=np.bool_),
        run=run,
        until=until,
        runs=runs,
    )


def of_segments(rows: list[tuple[int, int, int, int, int, int, int]]) -> Columns:
    """Of rows of `SEGMENT`."""
    rows.sort()
    return _segments(np.array(rows, dtype=np.int64).reshape(len(rows), len(SEGMENT)).T.copy())


def _segments(table: Ints) -> Columns:
    row, length, at, conversation, position, role, speaker = table
    return Columns(
        row=row,
        length=length,
        at=at,
        live=np.ones(len(row), dtype=np.bool_),
        vectors=None,
        missing=np.ones(len(row), dtype=np.bool_),
        conversation=conversation,
        position=position,
        role=role,
        speaker=speaker,
    )


def vectors_sought(connection: Connection, lane: LaneName, generation: Generation, owner: int) -> VectorsSought:
    """The vectors of a lane, to be looked at later."""
    table = vector_tables(generation.id)[0 if lane == 'memories' else 1]
    dialect = connection.dialect
    found = connection.ask(
        f'SELECT row, {dialect.stored_vector} FROM {table} WHERE row BETWEEN ? AND ?', row_range(owner)
    )

    def look() -> tuple[Ints, NDArray[np.float32]]:
        told: list[Any] = found.fetchall()
        rows = np.fromiter((r[0] for r in told), dtype=np.int64, count=len(told))
        order = _ascending(rows)
        if not isinstance(order, slice):
            rows, told = rows[order], [told[i] for i in order]
        stored: Sequence[Any] = [r[1] for r in told]
        return rows, dialect.unpack(stored, generation.dimensions)

    return _once(look)


def with_vectors(columns: Columns, rows: Ints, vectors: NDArray[np.float32]) -> Columns:
    """A lane with the vectors of some rows, ascending by their keys; others may be among them."""
    if np.array_equal(rows, columns.row):
        return replace(columns, vectors=vectors, missing=np.zeros(len(rows), dtype=np.bool_))
    where = np.searchsorted(rows, columns.row)
    where[where == len(rows)] = 0
    has = rows[where] == columns.row if len(rows) else np.zeros(len(columns.row), dtype=np.bool_)
    buffer = np.zeros((len(columns.row), vectors.shape[1]), dtype=np.float32)
    buffer[has] = vectors[where[has]]
    return replace(columns, vectors=buffer, missing=~has)
