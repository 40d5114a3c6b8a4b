"""What waits for a person: one row beside the memory, written and erased together with it."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, get_args

from memoranda.records import Edit, Episode, ReviewNote, Trust
from memoranda.scope import Owner, Reach
from memoranda.stores.data import PENDING_READ, Pending
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.rows import (
    EPISODE_COLUMNS,
    MEMORY_COLUMNS,
    find_owner,
    from_us,
    read_episodes,
    read_memories,
    within,
)

__all__ = ['keep_notes', 'messages', 'pending_sought', 'rejected_sought', 'review', 'reviews', 'waiting_of']

_SCAN: Final = 5000
"""Rows that one page reads at most: of a project, others' may lie between its own."""
_FEW: Final = 1000
_COUNTED: Final = 100_000
"""Proposals of one owner that are counted at most."""
_PAGE: Final = 128
_TIERS: Final[Sequence[Trust]] = get_args(Trust)
_NOTE = 'r.op, r.target, r.reasons, coalesce(r.at, m.recorded_at)'
_QUEUE = (
    f'SELECT m.id, m.row, m.run_key, o.project, {_NOTE} FROM memory m {{index}} JOIN owner o ON o.id = m.owner '
    'LEFT JOIN review r ON r.owner = m.owner AND r.memory = m.id '
    "WHERE m.status = 'pending' AND m.retired_at IS NULL AND m.id > ?{more} ORDER BY m.id LIMIT ?"
)
_WAITS = "status = 'pending' AND retired_at IS NULL"


def keep_notes(connection: Connection, owner: int, edits: Iterable[Edit], at: int) -> None:
    """Write what proposals are about, and remember what was turned down."""
    for edit in edits:
        note, memory = edit.review, edit.after
        if note is not None:
            connection.execute(
                'INSERT INTO review(owner, memory, op, target, reasons, at) VALUES(?, ?, ?, ?, ?, ?) '
                'ON CONFLICT(owner, memory) DO UPDATE '
                'SET op = excluded.op, target = excluded.target, reasons = excluded.reasons',
                (owner, memory.id, note.op, note.target, json.dumps(note.reasons, ensure_ascii=False), at),
            )
        if memory.status == 'rejected':
            connection.execute(
                'INSERT INTO rejected(owner, hash) VALUES(?, ?) ON CONFLICT DO NOTHING', (owner, memory.hash)
            )
        elif edit.before is not None and edit.before.status == 'rejected':
            _pardon(connection, owner, edit.before.hash)


def _pardon(connection: Connection, owner: int, hash_: str) -> None:
    """Let it be proposed again, unless a memory is left that says it was turned down."""
    connection.execute(
        'DELETE FROM rejected WHERE owner = ?1 AND hash = ?2 AND NOT EXISTS(SELECT 1 FROM memory '
        "WHERE owner = ?1 AND hash = ?2 AND live = 0 AND retired_at IS NULL AND status = 'rejected')",
        (owner, hash_),
    )


def pending_sought(connection: Connection, owner: int, hashes: Sequence[str]) -> Callable[[], list[Pending]]:
    """What waits of an owner: with one of these hashes, and the latest. To be looked at later."""
    by_index = connection.dialect.index('memory_pending')
    latest = f'SELECT row FROM memory {by_index} WHERE owner = ? AND {_WAITS} ORDER BY id DESC LIMIT ?'
    found = connection.ask(latest, (owner, PENDING_READ))
    return lambda: _pending(connection, owner, hashes, {r for (r,) in found.fetchall()})


def _pending(connection: Connection, owner: int, hashes: Sequence[str], rows: set[int]) -> list[Pending]:
    if len(rows) == PENDING_READ:  # else these are all
        for hash_ in hashes:
            found = f'SELECT row FROM memory WHERE owner = ? AND hash = ? AND live = 0 AND {_WAITS}'
            rows.update(r for (r,) in connection.execute(found, (owner, hash_)))
    noted = f'SELECT m.row, {_NOTE} FROM memory m LEFT JOIN review r ON r.owner = m.owner AND r.memory = m.id'
    return _read(connection, sorted(within(connection, f'{noted} WHERE m.row', rows), key=lambda r: r[0]))


def waiting_of(connection: Connection, owner: int) -> dict[Trust, int]:
    """How many proposals of an owner wait, by source tier."""
    by_index = connection.dialect.index('memory_pending')
    waits = f'SELECT trust FROM memory {by_index} WHERE owner = ? AND {_WAITS} LIMIT ?'
    found = connection.execute(f'SELECT w.trust, count(*) FROM ({waits}) AS w GROUP BY w.trust', (owner, _COUNTED))
    return dict(found.fetchall())


def rejected_sought(connection: Connection, owner: int, hashes: Sequence[str]) -> Callable[[], dict[str, Trust]]:
    """What a person has turned down: of these hashes, and the rest as far as it is little. To be looked at later."""
    told = (
        'SELECT r.hash, m.trust FROM rejected r LEFT JOIN memory m ON m.owner = r.owner AND m.hash = r.hash '
        "AND m.live = 0 AND m.retired_at IS NULL AND m.status = 'rejected' WHERE r.owner = ?"
    )
    # What a proposal is stored under may depend on the memory it is about, so more is told than was asked for.
    few = connection.ask(f'{told} LIMIT ?', (owner, _FEW))
    return lambda: _rejected(connection, owner, hashes, told, few.fetchall())


def _rejected(
    connection: Connection, owner: int, hashes: Sequence[str], told: str, rows: list[Any]
) -> dict[str, Trust]:
    if len(rows) == _FEW:
        rows += [row for one in hashes for row in connection.execute(f'{told} AND r.hash = ?', (owner, one))]
    found: dict[str, Trust] = {}
    for hash_, told_by in rows:
        trust: Trust = told_by or 'user'
        if hash_ not in found or _TIERS.index(trust) < _TIERS.index(found[hash_]):
            found[hash_] = trust
    return found


def review(connection: Connection, memory_id: str, project: str) -> Pending | None:
    """A proposal, whatever became of it."""
    for row in connection.execute(
        f'SELECT m.row, {_NOTE} FROM memory m JOIN owner o ON o.id = m.owner '
        'LEFT JOIN review r ON r.owner = m.owner AND r.memory = m.id '
        'WHERE m.id = ? AND m.retired_at IS NULL AND o.project = ? '
        "AND (r.memory IS NOT NULL OR m.status = 'pending') ORDER BY m.version DESC LIMIT 1",
        (memory_id, project),
    ).fetchall():
        return _read(connection, [row])[0]
    return None


def approved(connection: Connection, ids: Sequence[str], project: str) -> frozenset[str]:
    """Those that were proposed and are believed now."""
    found = (review(connection, id_, project) for id_ in ids)
    return frozenset(f.memory.id for f in found if f is not None and f.memory.status == 'active')


def reviews(
    connection: Connection,
    reaches: Sequence[Reach] | None,
    project: str,
    reasons: Sequence[str] | None,
    limit: int,
    cursor: str | None,
) -> tuple[list[Pending], str | None]:
    """What waits within reach, oldest first."""
    found: list[Sequence[Any]] = []
    last: str | None = None
    for scanned, (row, visible) in enumerate(_queue(connection, reaches, project, cursor or '')):
        if len(found) == limit or scanned == _SCAN:
            return _read(connection, found), last
        last = row[0]
        if visible and (reasons is None or _has(row[6], reasons)):
            found.append((row[1], *row[4:]))
    return _read(connection, found), None


def _queue(
    connection: Connection, reaches: Sequence[Reach] | None, project: str, after: str
) -> Iterator[tuple[Sequence[Any], bool]]:
    """What waits, oldest first, each with whether it may be seen."""
    if reaches is None:
        all_ = _QUEUE.format(index=connection.dialect.index('memory_queue'), more='')
        for row in _paged(connection, all_, after, ()):
            yield row, row[3] == project
        return
    of_one = _QUEUE.format(index=connection.dialect.index('memory_pending'), more=' AND m.owner = ?')

    def of(reach: Reach) -> Iterator[tuple[Sequence[Any], bool]]:
        owner = find_owner(connection, reach.owner)
        if owner is not None:
            for row in _paged(connection, of_one, after, (owner.id,)):
                yield row, reach.sees(row[2])

    yield from heapq.merge(*map(of, reaches), key=lambda pair: pair[0][0])


def _paged(connection: Connection, sql: str, after: str, values: tuple[int, ...]) -> Iterator[Sequence[Any]]:
    size = _PAGE
    while True:
        rows = connection.execute(sql, (after, *values, size)).fetchall()
        yield from rows
        if len(rows) < size:
            return
        after, size = rows[-1][0], 2 * size


def _has(reasons: str | None, wanted: Sequence[str]) -> bool:
    held: list[str] = json.loads(reasons) if reasons else []
    return any(code == one or code.startswith(f'{one}:') for code in held for one in wanted)


def _read(connection: Connection, rows: Sequence[Sequence[Any]]) -> list[Pending]:
    """Records of rows of (row key, op, target, reasons, at). A memory without a note is one to add."""
    keys = [row[0] for row in rows]
    fetched = within(connection, f'SELECT {MEMORY_COLUMNS} FROM memory WHERE row', keys)
    memories = dict(zip((row[0] for row in fetched), read_memories(connection, fetched), strict=True))
    return [
        Pending(
            memory=memories[key],
            note=ReviewNote(op=op or 'add', target=target, reasons=tuple(json.loads(reasons)) if reasons else ()),
            at=from_us(at),
        )
        for key, op, target, reasons, at in rows
    ]


def messages(connection: Connection, ids: Sequence[str], owner: Owner) -> list[Episode]:
    """Messages by their ids."""
    found = find_owner(connection, owner)
    if found is None:
        return []
    rows = [
        row
        for id_ in dict.fromkeys(ids)
        for row in connection.execute(
            f'SELECT {EPISODE_COLUMNS} FROM episode e JOIN conversation c ON c.row = e.conversation '
            'WHERE e.row >> 24 = ? AND e.id = ?',
            (found.id, id_),
        )
    ]
    return read_episodes(sorted(rows, key=lambda r: r[0]), owner)
