"""Cosines of rows whose vectors are not in memory: the database compares them, and tells the numbers only."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from memoranda.lanes import FloatVector, LaneName
from memoranda.stores.generation import Generation
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import vector_tables

__all__ = ['distant_cosines']

_TOLD: Final = np.dtype([('row', '>i8'), ('cosine', '>f4')])


def distant_cosines(
    connection: Connection, name: LaneName, generation: Generation, rows: NDArray[np.int64], vector: FloatVector
) -> NDArray[np.float32]:
    """(n,) the cosine of each row to a vector, nan where it has none.

    Args:
        connection: In a transaction, to a database that compares vectors.
        name: The lane.
        generation: Whose vectors.
        rows: (n,) row keys of one owner, ascending.
        vector: To compare with.
    """
    cosines = np.full(len(rows), np.nan, dtype=np.float32)
    statement = connection.dialect.cosines(vector_tables(generation.id)[0 if name == 'memories' else 1])
    if statement is None or not len(rows):
        return cosines
    values = (connection.dialect.pack(vector), int(rows[0]), int(rows[-1]))
    told = np.frombuffer(connection.execute(statement, values).fetchone()[0] or b'', dtype=_TOLD)
    keys = told['row'].astype(np.int64)
    places = np.searchsorted(rows, keys)
    places[places == len(rows)] = 0
    there = rows[places] == keys
    cosines[places[there]] = told['cosine'][there]
    return cosines
