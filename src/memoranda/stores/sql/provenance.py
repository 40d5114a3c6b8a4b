"""What a memory rests on: messages with those around them. Runs on a reader thread, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from memoranda.records import Episode
from memoranda.scope import Owner
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.rows import EPISODE_COLUMNS, find_owner, read_episodes

__all__ = ['messages_around']

_FROM: Final = f'SELECT {EPISODE_COLUMNS} FROM episode e JOIN conversation c ON c.row = e.conversation '


def messages_around(connection: Connection, ids: Sequence[str], owner: Owner, around: int) -> list[Episode]:
    """Messages by their ids, each with so many before and after it in its conversation; each once, oldest first."""
    found = find_owner(connection, owner)
    if found is None:
        return []
    rows = {
        row[0]: row
        for id_ in dict.fromkeys(ids)
        for conversation, seq in connection.execute(
            'SELECT conversation, seq FROM episode WHERE row >> 24 = ? AND id = ?', (found.id, id_)
        ).fetchall()
        for row in connection.execute(
            _FROM + 'WHERE e.conversation = ? AND e.seq BETWEEN ? AND ?', (conversation, seq - around, seq + around)
        ).fetchall()
    }
    return read_episodes([rows[key] for key in sorted(rows)], owner)
