"""How much was written lately, for policies that hold back what comes in bursts."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from memoranda.records import Trust
from memoranda.scope import Owner
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.rows import find_owner, row_range, to_us

__all__ = ['written_since']

_PAGE: Final = 64


def written_since(connection: Connection, owner: Owner, trust: Trust, since: datetime, limit: int) -> int:
    """How many memories of a tier are new since a moment, at most `limit`; reads only the rows written since."""
    row = find_owner(connection, owner)
    if row is None:
        return 0
    begin, count = to_us(since), 0
    low, high = row_range(row.id)
    while True:
        rows = connection.execute(
            'SELECT version, trust, recorded_at, row FROM memory WHERE row BETWEEN ? AND ? ORDER BY row DESC LIMIT ?',
            (low, high, _PAGE),
        ).fetchall()
        for version, tier, recorded, _ in rows:
            if recorded < begin or count >= limit:
                return count
            count += version == 1 and tier == trust
        if len(rows) < _PAGE:
            return count
        high = rows[-1][3] - 1
