"""The audit log across chains, latest first. A page looks through so many entries at most, whatever is asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from memoranda.errors import InvalidInput, shown
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import SEQ_BITS, SEQ_MASK
from memoranda.stores.sql.rows import find_owner, from_us, row_range, to_us
from memoranda.stores.trails import TrailAsked, TrailEntry

__all__ = ['trail']

_COLUMNS: Final = 'h.row, h.at, h.op, h.actor, h.reason, h.memory_id, h.change_id, o.kind, o.key, o.project'
_CURSOR: Final = re.compile(r'(\d{1,19})\.(\d{1,19})')
_END: Final = (1 << 63) - 1
_GROWTH: Final = 4


def trail(connection: Connection, asked: TrailAsked) -> tuple[list[TrailEntry], str | None]:
    """Entries that are wanted, and where to go on; None at the end. A page may be short and not be the last."""
    low, high = 0, _END
    if asked.owner is not None:
        owner = find_owner(connection, asked.owner)
        if owner is None:
            return [], None
        low, high = row_range(owner.id)
    place: tuple[int, int] | None = None
    found: list[Any] = []
    for looked, row in enumerate(_rows(connection, asked, low, high)):
        if looked == asked.most or len(found) > asked.limit:
            break
        place = (row[1], row[0])
        if _is_wanted(row, asked):
            found.append(row)
    else:
        place = None
    page = _told(connection, found[: asked.limit])
    if len(found) > asked.limit:
        return page, page[-1].cursor
    return page, None if place is None else '{}.{}'.format(*place)


def _is_wanted(row: Sequence[Any], asked: TrailAsked) -> bool:
    return (
        row[9] == asked.project
        and asked.kind in (None, row[7])
        and (asked.ops is None or row[2] in asked.ops)
        and (asked.actor is None or str(row[3]).startswith(asked.actor))
    )


def _rows(connection: Connection, asked: TrailAsked, low: int, high: int) -> Iterator[Any]:
    """Entries that may be wanted, latest first: of one chain in its own order, which an import keeps too."""
    at, row = _place(asked.cursor)
    whole = asked.owner is None
    order = 'h.at DESC, h.row DESC' if whole else 'h.row DESC'
    size = 2 * asked.limit + 1
    fixed, values = _conditions(asked)
    while True:
        if whole:
            where, more = 'h.at <= ? AND (h.at < ? OR h.row < ?)', [at, at, row]
        else:
            where, more = 'h.row BETWEEN ? AND ?', [low, min(high, row - 1)]
        # A cross join keeps the order of its tables, and with it that of the index: no sorting.
        rows = connection.execute(
            f'SELECT {_COLUMNS} FROM history h CROSS JOIN owner o WHERE o.id = h.row >> {SEQ_BITS} AND {where}{fixed} '
            f'ORDER BY {order} LIMIT ?',
            (*more, *values, size),
        ).fetchall()
        yield from rows
        if len(rows) < size:
            return
        row, at = rows[-1][:2]
        size = min(_GROWTH * size, 5_000)


def _conditions(asked: TrailAsked) -> tuple[str, list[Any]]:
    """What an index can find."""
    where, values = '', list[Any]()
    if asked.memory_id is not None:
        where += ' AND h.memory_id = ?'
        values.append(asked.memory_id)
    if asked.since is not None:
        where += ' AND h.at >= ?'
        values.append(to_us(asked.since))
    if asked.until is not None:
        where += ' AND h.at < ?'
        values.append(to_us(asked.until))
    return where, values


def _place(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return _END, _END
    found = _CURSOR.fullmatch(cursor)
    if found is None or max(int(found[1]), int(found[2])) > _END:
        raise InvalidInput(f'cursor={shown(cursor)} is not one that a page returned: pass it as it is')
    return int(found[1]), int(found[2])


def _told(connection: Connection, rows: Sequence[Any]) -> list[TrailEntry]:
    wordless = [row[0] for row in rows if not row[5]]  # of the others the words are a memory's
    told: dict[int, str | None] = {}
    if wordless:
        listed = connection.dialect.numbers('?')
        told |= connection.execute(
            f'SELECT row, after FROM history_text WHERE row IN {listed}', (json.dumps(wordless),)
        ).fetchall()
    return [
        TrailEntry(
            place=(row[1], row[0]),
            number=row[0] >> SEQ_BITS,
            seq=row[0] & SEQ_MASK,
            at=from_us(row[1]),
            op=row[2],
            actor=row[3],
            reason=row[4],
            memory_id=row[5],
            change_id=row[6],
            kind=row[7],
            key=row[8],
            told=told.get(row[0]),
        )
        for row in rows
    ]
