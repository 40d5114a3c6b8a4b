"""Filling an embedding generation while others write, and letting it take the place of the one before.

A round goes through the rows in the order of their keys, from somewhere in the middle, so that two who do it at once
begin at different places. Rows written meanwhile, before the place it has come to, belong to an owner whose version is
higher than the write counter was when the round began: the next round, and the switch, look at these owners only. So
the transaction that switches is short, however much there is.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from memoranda.errors import Conflict
from memoranda.records import now
from memoranda.stores.generation import Generation
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import SEQ_BITS, vector_tables
from memoranda.stores.sql.lacking import clock, forget_lacking, note_lacking
from memoranda.stores.sql.locks import hold_generations, hold_owners
from memoranda.stores.sql.owners import touch
from memoranda.stores.sql.rows import row_range, to_us
from memoranda.stores.sql.writing import MEMORIES, SEGMENTS, current_generation, put_vectors

if TYPE_CHECKING:
    from memoranda.lanes import FloatVector
    from memoranda.stores.walks import Span, Walk

__all__ = ['begun', 'coverage', 'drop_old', 'give_up', 'has_old', 'put', 'retire', 'switch', 'unembedded']

_LANES: Final = {'memories': MEMORIES, 'episodes': SEGMENTS}
_TEXT: Final = {
    'memories': 'SELECT s.row, s.text FROM memory s',
    'episodes': 'SELECT s.row, substr(e.text, CAST(s.first + 1 AS INTEGER), CAST(s.last - s.first AS INTEGER)) '
    'FROM segment s JOIN episode e ON e.row = s.episode',
}
_LAST: Final = (1 << 63) - 1
_PATIENCE: Final = '2s'
"""How long to wait for the end of all that is being written."""
_EMPTY: Final = 'empty '
"""The state of a generation without rows, with the moment that it was emptied at."""
_STILL_READ_US: Final = 60_000_000
"""How long a snapshot from before a switch may still look for its tables, where dropping them takes them from all."""


def begun(connection: Connection) -> int:
    """The number of a write: what was written up to it can be seen by whoever looks from now on."""
    _hold_all(connection)
    return clock(connection)


def _hold_all(connection: Connection) -> None:
    if connection.dialect.shared:  # whoever comes later waits behind this one: rather give up, and try again
        connection.execute("SELECT set_config('lock_timeout', ?, true)", (_PATIENCE,)).fetchall()
    hold_generations(connection)


def unembedded(
    connection: Connection, generation: Generation, limit: int, walk: Walk
) -> tuple[list[tuple[str, int, str]], list[Span]]:
    """(lane, row key, text) of rows without a vector, and what is left of the round."""
    if _state(connection, generation) not in ('current', 'building'):
        raise Conflict(_dropped(generation))
    left = _round(connection, walk) if walk.left is None else list(walk.left)
    found: list[tuple[str, int, str]] = []
    while left and len(found) < limit:
        lane, first, last = left[0]
        rows = _missing(connection, generation, lane, first, last, limit - len(found))
        found += [(lane, row, text) for row, text in rows]
        if len(found) < limit:
            left.pop(0)
        else:
            left[0] = lane, rows[-1][0] + 1, last
    return found, left


def _round(connection: Connection, walk: Walk) -> list[Span]:
    if walk.noted or walk.whole is not None:
        owners = list(walk.noted) or _written_since(connection, walk.whole or 0)
        return [(lane, *row_range(owner)) for lane in _LANES for owner in owners]
    highest = connection.execute('SELECT max(id) FROM owner').fetchone()[0] or 0
    middle = random.randint(0, highest) << SEQ_BITS  # noqa: S311 - no secret
    return [(lane, *span) for lane in _LANES for span in ((middle, _LAST), (0, middle - 1))]


def _written_since(connection: Connection, version: int) -> list[int]:
    return [id_ for (id_,) in connection.execute('SELECT id FROM owner WHERE version > ? ORDER BY id', (version,))]


def _missing(
    connection: Connection, generation: Generation, lane: str, first: int, last: int, limit: int
) -> list[tuple[int, str]]:
    table = vector_tables(generation.id)[_LANES[lane]]
    return connection.execute(
        f'{_TEXT[lane]} WHERE s.row BETWEEN ? AND ? '
        f'AND NOT EXISTS(SELECT 1 FROM {table} v WHERE v.row = s.row) ORDER BY s.row LIMIT ?',
        (first, last, limit),
    ).fetchall()


def coverage(connection: Connection, generation: Generation) -> tuple[int, int]:
    """How many rows have a vector of it, and how many there are."""
    tables = vector_tables(generation.id)
    return _count(connection, tables), _count(connection, ('memory', 'segment'))


def _count(connection: Connection, tables: Iterable[str]) -> int:
    return sum(connection.execute(f'SELECT count(*) FROM {table}').fetchone()[0] for table in tables)


def put(connection: Connection, generation: Generation, vectors: Sequence[tuple[str, int, FloatVector]]) -> None:
    """Store vectors of rows that are still there."""
    owners = hold_owners(connection, {row >> SEQ_BITS for _, row, _ in vectors})
    state = _state(connection, generation)
    if state not in ('current', 'building'):
        if generation.state == 'building':
            raise Conflict(_dropped(generation))
        for owner in owners:  # another process has switched meanwhile
            note_lacking(connection, owner)
        return
    for lane, number in _LANES.items():
        rows = [(row, vector) for name, row, vector in vectors if name == lane]
        if rows:
            put_vectors(connection, number, vector_tables(generation.id)[number], rows)
    if state == 'current':
        for owner in owners:
            touch(connection, owner)  # so that caches look for the vectors they miss


def switch(connection: Connection, generation: Generation, walk: Walk | None) -> bool:
    """Make it the current one, unless some row still lacks a vector."""
    _hold_all(connection)
    if _state(connection, generation) not in ('current', 'building'):
        raise Conflict(_dropped(generation))
    spans = [(0, _LAST)]
    if walk is not None and walk.whole is not None:
        spans = [row_range(owner) for owner in _written_since(connection, walk.whole)]
    if any(_missing(connection, generation, lane, *span, 1) for lane in _LANES for span in spans):
        return False
    old = current_generation(connection)
    if old is not None and old.id != generation.id:
        retire(connection, old)
    connection.execute("UPDATE generation SET state = 'current' WHERE id = ?", (generation.id,))
    forget_lacking(connection)
    return True


def _state(connection: Connection, generation: Generation) -> str | None:
    found = connection.execute('SELECT state FROM generation WHERE id = ?', (generation.id,)).fetchone()
    return found[0] if found else None


def _dropped(generation: Generation) -> str:
    return (
        f'the vectors of {generation.embedder!r} were dropped while they were made, because another process began to '
        'make those of another embedder: see which one is wanted, then run reindex with it alone'
    )


def retire(connection: Connection, generation: Generation) -> None:
    """Leave a generation to `drop_old`."""
    connection.execute("UPDATE generation SET state = 'old' WHERE id = ?", (generation.id,))


def give_up(connection: Connection, generation: Generation) -> None:
    """The same with one that is being built."""
    _hold_all(connection)
    if _state(connection, generation) == 'building':
        retire(connection, generation)


def drop_old(connection: Connection, limit: int) -> bool:
    """Delete so many vectors of generations that nobody reads any more. True when there is nothing to do now."""
    found = _next_old(connection)
    if found is None:
        return True
    id_, emptied = found
    tables = vector_tables(id_)
    for table in tables:
        # Not all at once: what is deleted is overwritten with zeros, and others want to write too.
        beyond = connection.execute(f'SELECT row FROM {table} ORDER BY row LIMIT 1 OFFSET ?', (limit,)).fetchone()
        if beyond is not None:
            connection.execute(f'DELETE FROM {table} WHERE row < ?', (beyond[0],))
            return False
    if connection.dialect.shared and not emptied:
        for table in tables:
            connection.execute(f'DELETE FROM {table}')
        state = f'{_EMPTY}{to_us(now())}'
        connection.execute('UPDATE generation SET state = ? WHERE id = ?', (state, id_))
    else:
        _hold_all(connection)
        for table in tables:
            connection.execute(f'DROP TABLE {table}')
        connection.execute('DELETE FROM generation WHERE id = ?', (id_,))
    return _next_old(connection) is None


def has_old(connection: Connection) -> bool:
    """Whether `drop_old` has something to do."""
    return _next_old(connection) is not None


def _next_old(connection: Connection) -> tuple[int, bool] | None:
    """A generation to be deleted, and whether its vectors are, long enough ago."""
    rows: list[tuple[int, str]] = connection.execute(
        "SELECT id, state FROM generation WHERE state NOT IN ('current', 'building') ORDER BY id"
    ).fetchall()
    moment = to_us(now())
    for id_, state in rows:
        if not state.startswith(_EMPTY):
            return id_, False
        if moment - int(state.removeprefix(_EMPTY)) > _STILL_READ_US:
            return id_, True
    return None
