"""Cosines of rows whose vectors are not in memory: the database compares them, and tells the numbers only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from memoranda.lanes import FloatVector, LaneName
from memoranda.stores.generation import Generation
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import vector_tables
from memoranda.stores.sql.rows import row_range

__all__ = ['Told', 'told_sought']

_KEYS: Final = np.dtype('>i8')
_COSINES: Final = np.dtype('>f4')

Told: TypeAlias = Callable[[NDArray[np.int64]], FloatVector]
"""(n,) the cosine of each row, nan where it has no vector, given (n,) row keys of the owner, ascending."""


def told_sought(
    connection: Connection, name: LaneName, generation: Generation, owner: int, vector: FloatVector
) -> Told | None:
    """How near the rows of a lane are to a vector, to be looked at later; None where the database doesn't compare."""
    statement = connection.dialect.cosines(vector_tables(generation.id)[0 if name == 'memories' else 1])
    if statement is None:
        return None
    found = connection.ask(statement, (connection.dialect.pack(vector), *row_range(owner)))

    def look(rows: NDArray[np.int64]) -> FloatVector:
        cosines = np.full(len(rows), np.nan, dtype=np.float32)
        told_rows, told_cosines = found.fetchone()
        if not len(rows) or told_rows is None:
            return cosines
        keys = np.frombuffer(told_rows, dtype=_KEYS).astype(np.int64)
        places = np.searchsorted(rows, keys)
        places[places == len(rows)] = 0
        there = rows[places] == keys
        cosines[places[there]] = np.frombuffer(told_cosines, dtype=_COSINES)[there]
        return cosines

    return look
