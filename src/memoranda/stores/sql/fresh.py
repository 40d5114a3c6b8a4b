"""What was written of a lane since it was kept, asked for before it is known whether anything was.

So it travels with the question what the owner's version is, and a lane that moved on costs no journey of its own.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from memoranda.stores.generation import Generation
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import vector_tables
from memoranda.stores.sql.rows import row_range

__all__ = ['MEMORY', 'SEGMENT', 'Fresh']

MEMORY: Final = ('row', 'live', 'run_key', 'length', 'valid_from', 'valid_to', 'expires_at')
SEGMENT: Final = ('row', 'length', 'at', 'conversation', 'position', 'role', 'speaker')
_MOST: Final = 64
"""Rows that are asked for in advance: more are rare, and their vectors large."""
_UNSEEN: Final = '(SELECT CAST(? AS BIGINT))'
"""A number as a query: as a value the server would look at it, guess that hardly a row is behind it, and plan the
statement anew each time, which takes longer than to run it."""
_LIMIT: Final = f'LIMIT {_MOST + 1}'
_WIDTH: Final = len(MEMORY)


class Fresh:
    """Rows of one lane of an owner, on their way.

    Args:
        connection: In a snapshot.
        owner: The owner's number.
        lane: Which.
        generation: Of the vectors that are wanted too; 0 for none.
        version: The owner's, that memories are wanted after.
        last: The last row that is known.
    """

    def __init__(
        self,
        connection: Connection,
        owner: int,
        lane: Literal['memories', 'episodes'],
        generation: int,
        version: int,
        last: int,
    ) -> None:
        join, vector = '', ''
        if generation:
            table = vector_tables(generation)[0 if lane == 'memories' else 1]
            join, vector = f'LEFT JOIN {table} v ON v.row = t.row', f', v.{connection.dialect.stored_vector}'
        if lane == 'memories':
            columns = ', '.join(f't.{name}' for name in MEMORY)
            join += ' AND t.live = 1' if join else ''
            sql = f'SELECT {columns}{vector} FROM memory t {join} WHERE t.owner = ? AND t.touched > {_UNSEEN} {_LIMIT}'
            self._found = connection.ask(sql, (owner, version))
        else:
            columns = ', '.join(f't.{name}' for name in SEGMENT)
            between = f't.row > {_UNSEEN} AND t.row <= {_UNSEEN} ORDER BY t.row'
            sql = f'SELECT {columns}{vector} FROM segment t {join} WHERE {between} {_LIMIT}'
            self._found = connection.ask(sql, (last, row_range(owner)[1]))
        self.generation = generation
        self._dialect = connection.dialect

    def rows(self, generation: Generation | None) -> tuple[list[Any], dict[int, Any]] | None:
        """All of them, and their vectors as far as they have any; None when they are too many."""
        found = self._found.fetchall()
        if len(found) > _MOST:
            return None
        if generation is None:
            return [row[:_WIDTH] for row in found], {}
        stored = {row[0]: row[_WIDTH] for row in found if row[_WIDTH] is not None}
        vectors = self._dialect.unpack(list(stored.values()), generation.dimensions)
        return [row[:_WIDTH] for row in found], dict(zip(stored, vectors, strict=True))
