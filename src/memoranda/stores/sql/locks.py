"""Who waits for whom where several transactions write at once. Over SQLite, where one does, all of this does nothing.

- Whoever writes something of an owner holds the row of that owner, from before it reads what it decides by. Of several
  owners they are taken at once, in the order of their numbers.
- With an owner's row goes, shared by all who write, the lock of the generations: who begins, ends or switches one holds
  it alone, so that no row is written whose vector goes into a table that is not looked at any more. So does who begins
  to forget a whole project, so that nobody whom it can't see yet slips through.
- Work that belongs to no owner (a round, an import) has a lock by its name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from memoranda.scope import Owner
from memoranda.stores.sql.database import Connection

__all__ = ['HELD', 'WRITES', 'hold_generations', 'hold_name', 'hold_newcomer', 'hold_owners']

_CLASS: Final = 0x4D454D4F  # 'MEMO': advisory locks are shared with other programs in the database
_GENERATIONS: Final = 1
WRITES: Final = f', pg_advisory_xact_lock_shared({_CLASS}, {_GENERATIONS}) IS NULL'
"""Behind the columns of a statement that takes an owner's row."""
HELD: Final = ' FOR NO KEY UPDATE'
"""Behind that statement."""


def hold_owners(connection: Connection, owners: Iterable[int], *, free: bool = False) -> list[int]:
    """Take the rows of some owners.

    Args:
        connection: In a transaction.
        owners: Their numbers.
        free: Pass over those that somebody else holds.

    Returns:
        Those that are there, and are held now.
    """
    numbers = sorted(set(owners))
    if not connection.dialect.shared or not numbers:
        return numbers
    rows = connection.execute(
        f'SELECT id{WRITES} FROM owner WHERE id IN {connection.dialect.numbers("?")} ORDER BY id{HELD}'
        f'{" SKIP LOCKED" if free else ""}',
        (json.dumps(numbers),),
    ).fetchall()
    return [row[0] for row in rows]


def hold_newcomer(connection: Connection, owner: Owner) -> None:
    """Wait until nobody else makes, or forgets, an owner that isn't there, and look again then."""
    if connection.dialect.shared:
        connection.execute(
            f'SELECT pg_advisory_xact_lock_shared({_CLASS}, {_GENERATIONS}), '
            'pg_advisory_xact_lock(hashtextextended(CAST(? AS TEXT), ?))',
            (json.dumps([owner.project, owner.kind, owner.key]), _CLASS),
        ).fetchall()


def hold_generations(connection: Connection) -> None:
    """Wait until nobody writes, and let nobody write before the end of this transaction."""
    if connection.dialect.shared:
        connection.execute(f'SELECT pg_advisory_xact_lock({_CLASS}, {_GENERATIONS})').fetchall()


def hold_name(connection: Connection, name: str) -> None:
    """Wait until nobody else holds this name, and hold it until the end of this transaction."""
    if connection.dialect.shared:
        connection.execute(
            'SELECT pg_advisory_xact_lock(hashtextextended(CAST(? AS TEXT), ?))', (name, _CLASS)
        ).fetchall()
