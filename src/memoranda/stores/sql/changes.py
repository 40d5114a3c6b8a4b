"""What was changed, when and by whom: read from the versions that a change wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from memoranda.records import Change, Edit
from memoranda.scope import Owner, Reach
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import SEQ_BITS
from memoranda.stores.sql.rows import MEMORY_COLUMNS, find_owner, from_us, owner_by_id, read_memories, row_range

__all__ = ['change', 'changes', 'edits_of']

_CHANGE = 'SELECT row, id, actor, reason, job_id, at FROM change_set '
_MEMORY = f'SELECT {MEMORY_COLUMNS} FROM memory '
_RUN_KEY = MEMORY_COLUMNS.split(', ').index('run_key')
_LAST = '~'
"""After every id."""


def edits_of(connection: Connection, job_id: str) -> list[Edit]:
    """What a finished job changed."""
    found = connection.execute('SELECT owner, coalesce(merged_into, id) FROM job WHERE id = ?', (job_id,)).fetchone()
    if found is None:
        return []
    rows = connection.execute(_CHANGE + 'WHERE row >> 24 = ? AND job_id = ?', found).fetchall()
    return [edit for row in rows for edit in _edits(connection, found[0], row[1], None)]


def change(connection: Connection, change_id: str, project: str) -> tuple[Owner, Change] | None:
    """One change and whose it is."""
    # One statement for all owners: the index begins with the owner.
    for row in connection.execute(
        'SELECT c.row, c.id, c.actor, c.reason, c.job_id, c.at FROM owner o CROSS JOIN change_set c '
        'WHERE c.row >> 24 = o.id AND c.id = ? AND o.project = ? LIMIT 1',
        (change_id, project),
    ).fetchall():
        number = row[0] >> SEQ_BITS
        edits = _edits(connection, number, change_id, None)
        said = 'SELECT count(*) FROM history WHERE row BETWEEN ? AND ? AND change_id = ?'
        written = connection.execute(said, (*row_range(number), change_id)).fetchone()[0]
        return owner_by_id(connection, number), replace(_record(row, edits), erased=written - len(edits))
    return None


def changes(
    connection: Connection, reaches: Sequence[Reach], limit: int, cursor: str | None
) -> tuple[list[Change], str | None]:
    """What was changed within reach, latest first."""
    found: list[Change] = []
    for reach in reaches:
        owner = find_owner(connection, reach.owner)
        if owner is None:
            continue
        seen = 0
        for row in _latest(connection, owner.id, cursor or _LAST, limit + 1):
            edits = _edits(connection, owner.id, row[1], reach)
            if edits:
                found.append(_record(row, edits))
                seen += 1
                if seen > limit:
                    break
    found.sort(key=lambda c: c.id, reverse=True)
    return found[:limit], found[limit - 1].id if len(found) > limit else None


def _latest(connection: Connection, owner: int, before: str, page: int) -> Iterator[Any]:
    while True:
        rows = connection.execute(
            _CHANGE + 'WHERE row >> 24 = ? AND id < ? ORDER BY id DESC LIMIT ?', (owner, before, page)
        ).fetchall()
        yield from rows
        if len(rows) < page:
            return
        before = rows[-1][1]


def _record(row: Sequence[Any], edits: Sequence[Edit]) -> Change:
    return Change(id=row[1], edits=tuple(edits), actor=row[2], reason=row[3], job_id=row[4], at=from_us(row[5]))


def _edits(connection: Connection, owner: int, change_id: str, reach: Reach | None) -> list[Edit]:
    written = _MEMORY + 'WHERE owner = ? AND change_id = ?'
    rows = [
        row
        for row in connection.execute(written, (owner, change_id)).fetchall()
        if reach is None or reach.sees(row[_RUN_KEY])
    ]
    if not rows:
        return []
    before = connection.execute(
        _MEMORY + 'WHERE row IN (SELECT b.row FROM memory m JOIN memory b ON b.id = m.id AND b.version = m.version - 1 '
        'WHERE m.owner = ? AND m.change_id = ?)',
        (owner, change_id),
    ).fetchall()
    records = read_memories(connection, [*rows, *before])
    earlier = {m.id: m for m in records[len(rows) :]}
    entries = {
        memory_id: (place, op)
        for memory_id, place, op in connection.execute(
            'SELECT h.memory_id, h.row, h.op FROM memory m JOIN history h '
            'ON h.memory_id = m.id AND h.change_id = m.change_id WHERE m.owner = ? AND m.change_id = ?',
            (owner, change_id),
        )
    }
    edits = [(entries[m.id], m) for m in records[: len(rows)]]
    return [Edit(op=op, before=earlier.get(m.id), after=m) for (_, op), m in sorted(edits, key=lambda pair: pair[0])]
