"""Owners with rows that got no vector, because who wrote them lacks the embedder of the current generation.

After a switch there may be such writers for as long as a rollout takes. Whoever has the embedder makes up for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from memoranda.stores.sql.database import Connection

__all__ = ['clock', 'forget_lacking', 'lacking', 'note_lacking', 'settle_lacking']

_NOTE: Final = 'lacks:'
"""Before the number of an owner, as a key of the table `meta`."""


def clock(connection: Connection) -> int:
    """The number of the latest write."""
    return connection.execute(connection.dialect.counted).fetchone()[0]


def note_lacking(connection: Connection, owner: int) -> None:
    """An owner has rows without a vector."""
    connection.execute(
        'INSERT INTO meta(key, value) VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value',
        (f'{_NOTE}{owner}', str(clock(connection))),
    )


def lacking(connection: Connection, limit: int) -> dict[int, int]:
    """Owners that were noted, and at which write."""
    rows: list[tuple[str, Any]] = connection.execute(
        'SELECT key, value FROM meta WHERE key LIKE ? LIMIT ?', (f'{_NOTE}%', limit)
    ).fetchall()
    return {int(key.removeprefix(_NOTE)): int(value) for key, value in rows}


def settle_lacking(connection: Connection, noted: Mapping[int, int]) -> None:
    """These are done, unless they were noted again."""
    connection.executemany(
        'DELETE FROM meta WHERE key = ? AND value = ?', [(f'{_NOTE}{owner}', str(at)) for owner, at in noted.items()]
    )


def forget_lacking(connection: Connection) -> None:
    """All are done."""
    connection.execute('DELETE FROM meta WHERE key LIKE ?', (f'{_NOTE}%',))
