"""Memories, messages and their history, one by one or page by page. Runs on a reader thread, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from memoranda.errors import InvalidInput
from memoranda.filters import Filter
from memoranda.records import Episode, HistoryEntry, MemoryRecord
from memoranda.scope import Owner, Reach
from memoranda.stores.data import EpisodePage, Moment
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.rows import (
    EPISODE_COLUMNS,
    MEMORY_COLUMNS,
    OwnerRow,
    find_owner,
    read_episodes,
    read_history,
    read_memories,
    row_range,
    to_us,
    within,
)
from memoranda.stores.sql.where import MEMORY_FIELDS, compile_filter

__all__ = [
    'MEMORY',
    'by_slot',
    'condition_for',
    'episodes',
    'get',
    'history',
    'numbered',
    'page',
    'temporal',
    'versions',
]

MEMORY: Final = f'SELECT {MEMORY_COLUMNS} FROM memory '
_EPISODE = f'SELECT {EPISODE_COLUMNS} FROM episode e JOIN conversation c ON c.row = e.conversation '
_EVER = "(status IN ('active', 'superseded', 'expired') OR (status = 'retracted' AND valid_to IS NOT NULL))"


def temporal(moment: Moment) -> tuple[str, list[Any]]:
    """What was current at a moment: of the world (as_of) and of our knowledge (known_at)."""
    held = to_us(moment.as_of or moment.known_at or moment.now)
    if moment.as_of is None and moment.known_at is None:
        return (
            'live = 1 AND valid_from <= ? AND (valid_to IS NULL OR valid_to > ?) '
            'AND (expires_at IS NULL OR expires_at > ?)',
            [held, held, held],
        )
    believed = 'retired_at IS NULL'
    values: list[Any] = []
    if moment.known_at is not None:
        known = to_us(moment.known_at)
        believed = 'recorded_at <= ? AND (retired_at IS NULL OR retired_at > ?)'
        values += [known, known]
    return (
        f'{_EVER} AND {believed} AND valid_from <= ? AND (valid_to IS NULL OR valid_to > ?) '
        'AND (expires_at IS NULL OR expires_at > ?)',
        [*values, held, held, held],
    )


def get(connection: Connection, memory_id: str, project: str) -> MemoryRecord | None:
    """The latest version of a memory."""
    found = versions(connection, memory_id, project)
    return found[-1] if found else None


def versions(connection: Connection, memory_id: str, project: str) -> list[MemoryRecord]:
    """Every version of a memory, oldest first."""
    rows = connection.execute(MEMORY + 'WHERE id = ? ORDER BY version', (memory_id,)).fetchall()
    return [m for m in read_memories(connection, rows) if m.project == project]


def by_slot(connection: Connection, slot: str, reaches: Sequence[Reach], now: datetime) -> list[MemoryRecord]:
    """The current memories with a slot."""
    found: list[MemoryRecord] = []
    for reach in reaches:
        owner = find_owner(connection, reach.owner)
        if owner is None:
            continue
        condition, values = temporal(Moment(now=now))
        rows = connection.execute(
            MEMORY + f'WHERE owner = ? AND slot = ? AND retired_at IS NULL AND {condition} ORDER BY run_key DESC',
            (owner.id, slot, *values),
        ).fetchall()
        found += [m for row, m in zip(rows, read_memories(connection, rows), strict=True) if reach.sees(row[5])]
    return found


def page(
    connection: Connection,
    reaches: Sequence[Reach],
    where: Filter | None,
    moment: Moment,
    inactive: bool,
    limit: int,
    cursor: str | None,
    newest_first: bool,
) -> tuple[list[MemoryRecord], str | None]:
    """Memories in the order they were first recorded."""
    order = 'DESC' if newest_first else 'ASC'
    after, behind = ('', ()) if cursor is None else (f' AND id {"<" if newest_first else ">"} ?', (cursor,))
    rows: list[Any] = []
    known: dict[int, Owner] = {}
    for owner, condition, values in _listing(connection, reaches, where, moment, inactive):
        rows += connection.execute(
            MEMORY + f'WHERE {condition}{after} ORDER BY id {order} LIMIT ?', (*values, *behind, limit + 1)
        )
        known[owner.id] = owner.owner
    rows.sort(key=lambda row: row[2], reverse=newest_first)
    more_left = len(rows) > limit
    memories = read_memories(connection, rows[:limit], known)
    return memories, memories[-1].id if more_left else None


def numbered(
    connection: Connection,
    reaches: Sequence[Reach],
    where: Filter | None,
    moment: Moment,
    inactive: bool,
    start: int,
    size: int,
    most: int,
) -> tuple[list[MemoryRecord], int, bool]:
    """Memories from a place on, the latest first; how many there are, counted up to `most`; and whether that is all."""
    found: list[tuple[str, int]] = []
    known: dict[int, Owner] = {}
    for owner, condition, values in _listing(connection, reaches, where, moment, inactive):
        sql = f'SELECT id, row FROM memory WHERE {condition} ORDER BY id DESC LIMIT ?'
        found += [(id_, row) for id_, row in connection.execute(sql, (*values, most + 1))]
        known[owner.id] = owner.owner
    found.sort(reverse=True)
    chosen = [row for _, row in found[:most][start : start + size]]
    rows = sorted(within(connection, MEMORY + 'WHERE row', chosen), key=lambda row: row[2], reverse=True)
    return read_memories(connection, rows, known), min(len(found), most), len(found) <= most


def _listing(
    connection: Connection, reaches: Sequence[Reach], where: Filter | None, moment: Moment, inactive: bool
) -> Iterator[tuple[OwnerRow, str, list[Any]]]:
    """Of each owner that is known, the condition for its memories, and the values in it."""
    for reach in reaches:
        owner = find_owner(connection, reach.owner)
        if owner is not None:
            yield owner, *condition_for(connection, owner, reach, where, moment, inactive=inactive)


def condition_for(
    connection: Connection, owner: OwnerRow, reach: Reach, where: Filter | None, moment: Moment, *, inactive: bool
) -> tuple[str, list[Any]]:
    """The condition for the memories of an owner that are read, and the values in it."""
    held, values = ('retired_at IS NULL', []) if inactive else temporal(moment)
    if not inactive and moment.as_of is None and moment.known_at is None:
        held = 'retired_at IS NULL AND ' + held
    runs, run_values = _runs(reach)
    more, more_values = '', []
    if where is not None:
        more, more_values = compile_filter(connection, where, MEMORY_FIELDS, row_range(owner.id))
    return (
        f'owner = ? AND {held}{more and " AND "}{more}{runs}',
        [owner.id, *values, *more_values, *run_values],
    )


def _runs(reach: Reach) -> tuple[str, tuple[str, ...]]:
    keys = ('', *(reach.runs or ())) if reach.own else (reach.runs or ())
    if reach.runs is not None:
        return f' AND run_key IN ({", ".join("?" * len(keys)) or "NULL"})', keys
    return '' if reach.own else " AND run_key <> ''", ()


def episodes(connection: Connection, reaches: Sequence[Reach], limit: int, cursor: str | None) -> EpisodePage:
    """Messages in the order they were recorded."""
    after = -1
    if cursor is not None:
        if not cursor.isdecimal() or int(cursor) >= 1 << 63:
            raise InvalidInput(f'cursor={cursor!r} is not one that a page returned: pass page.cursor as it is')
        after = int(cursor)
    owners = sorted(
        ((row, reach) for reach in reaches if (row := find_owner(connection, reach.owner)) is not None),
        key=lambda pair: pair[0].id,
    )
    found: list[Episode] = []
    last = after
    for owner, reach in owners:
        low, high = row_range(owner.id)
        said, values = ('', ()) if reach.own else _runs(reach)
        rows = connection.execute(
            _EPISODE + f'WHERE e.row > ? AND e.row <= ?{said.replace("run_key", "e.run_id")} ORDER BY e.row LIMIT ?',
            (max(after, low - 1), high, *values, limit + 1 - len(found)),
        ).fetchall()
        for row, episode in zip(rows, read_episodes(rows, owner.owner), strict=True):
            if len(found) == limit:
                return EpisodePage(items=tuple(found), cursor=str(last))
            found.append(episode)
            last = row[0]
    return EpisodePage(items=tuple(found), cursor=None)


def history(connection: Connection, memory_id: str, project: str) -> list[HistoryEntry]:
    """The audit entries of a memory."""
    rows = connection.execute(
        'SELECT h.row, h.change_id, h.memory_id, h.op, h.actor, h.reason, h.at, h.digest, h.prev_hash, h.hash, '
        't.before, t.after, t.salt, h.format FROM history h LEFT JOIN history_text t ON t.row = h.row '
        'JOIN owner o ON o.id = h.row >> 24 WHERE h.memory_id = ? AND o.project = ? ORDER BY h.row',
        (memory_id, project),
    ).fetchall()
    return read_history(rows)
