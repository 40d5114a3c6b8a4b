"""The mark of a database that `memoranda migrate` is filling: nobody else may use it before it is complete."""

from __future__ import annotations

import json
from typing import Final

from memoranda.errors import StoreUnreadable
from memoranda.stores.sql.database import Connection

__all__ = ['MARK', 'refuse_unfinished']

MARK: Final = 'moving'
"""Its key in the table `meta`."""


def refuse_unfinished(connection: Connection, where: str, schema: str = 'main') -> None:
    """Raise when the database is still being filled."""
    found = connection.execute(f'SELECT value FROM "{schema}".meta WHERE key = ?', (MARK,)).fetchone()
    if found is not None:
        source = json.loads(found[0])['source']
        raise StoreUnreadable(
            f'{where} is not complete, `memoranda migrate` is filling it from {source}: let it finish, or run it again '
            'if it was cut off'
        )
