"""What is told whatever the question is, read in as few statements as it takes: an agent waits for it in every turn."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from memoranda.filters import Filter
from memoranda.records import MemoryRecord
from memoranda.scope import Reach
from memoranda.stores.data import Moment
from memoranda.stores.sql.database import Connection, Rows
from memoranda.stores.sql.reading import MEMORY, condition_for
from memoranda.stores.sql.rows import OwnerRow, owner_sought, quotes_sought, read_memories
from memoranda.stores.sql.searching import speakers

__all__ = ['standing']


def standing(
    connection: Connection, reaches: Sequence[Reach], wheres: Sequence[Filter | None], moment: Moment, limit: int
) -> tuple[list[MemoryRecord], Sequence[str]]:
    """Of each condition the latest memories that meet it, and the names that messages were said under."""
    looks = [(owner_sought(connection, reach.owner), reach) for reach in reaches]
    owners = [(owner, reach) for look, reach in looks if (owner := look()) is not None]
    asked = [[_latest(connection, owner, reach, w, moment, limit) for owner, reach in owners] for w in wheres]
    found: list[Any] = []
    for parts in asked:
        rows = list(chain.from_iterable(part.fetchall() for part in parts))
        rows.sort(key=lambda row: row[2], reverse=True)
        found += rows[:limit]
    quotes = quotes_sought(connection, [row[0] for row in found])
    memories = read_memories(connection, found, {owner.id: owner.owner for owner, _ in owners}, quotes)
    return memories, speakers(connection, reaches)


def _latest(
    connection: Connection, owner: OwnerRow, reach: Reach, where: Filter | None, moment: Moment, limit: int
) -> Rows:
    condition, values = condition_for(connection, owner, reach, where, moment, inactive=False)
    return connection.ask(MEMORY + f'WHERE {condition} ORDER BY id DESC LIMIT ?', (*values, limit))
