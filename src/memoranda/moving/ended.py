"""API keys that ended since a backup was made: going back to it must not put them in force again."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from memoranda.stores.sqlite.connection import connect, snapshot, translated

__all__ = ['Ended', 'end_again', 'ended_keys']

Ended: TypeAlias = tuple[int | None, int | None, str]
"""When a key was revoked, when it expires, and its id."""


def ended_keys(path: Path) -> list[Ended]:
    """The keys of a database that were revoked or have a last day."""
    connection = connect(str(path), busy_timeout=5, durability='normal', create=False)
    try:
        with snapshot(connection, str(path)):
            if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'api_key'").fetchone():
                return []
            return connection.execute(
                'SELECT revoked_at, expires_at, id FROM api_key WHERE revoked_at IS NOT NULL OR expires_at IS NOT NULL'
            ).fetchall()
    finally:
        connection.close()


def end_again(path: Path, ended: list[Ended]) -> None:
    """End them in another copy of the database."""
    connection = connect(str(path), busy_timeout=5, durability='normal', create=False)
    try:
        with translated(str(path)):
            connection.execute('BEGIN IMMEDIATE')
            connection.executemany(
                'UPDATE api_key SET revoked_at = coalesce(?, revoked_at), expires_at = coalesce(?, expires_at) '
                'WHERE id = ?',
                ended,
            )
            connection.execute('COMMIT')
    finally:
        connection.close()
