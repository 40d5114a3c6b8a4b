"""What has grown old: whose it is, which messages nothing rests on, and whose turn it is to look after it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from memoranda.errors import InvalidInput
from memoranda.records import now
from memoranda.scope import Owner
from memoranda.stores.aging import Aged, Aging, Round, Spared
from memoranda.stores.leases import holder_is_gone
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.erasing import erase_episodes
from memoranda.stores.sql.keys import SEQ_BITS, SEQ_MASK
from memoranda.stores.sql.locks import hold_name
from memoranda.stores.sql.queue import OPEN_JOBS, moment_of
from memoranda.stores.sql.rows import (
    EPISODE_COLUMNS,
    MEMORY_COLUMNS,
    OwnerRow,
    find_owner,
    read_episodes,
    read_memories,
    row_range,
    to_us,
)
from memoranda.stores.sql.withdrawing import Saying

__all__ = ['aged', 'aging_owners', 'begin_round', 'end_round', 'erase_aged', 'idle_runs', 'renew_round']

_CURRENT: Final = (
    "m.retired_at IS NULL AND (m.status = 'pending' OR (m.status = 'active' AND (m.valid_to IS NULL OR m.valid_to > ?) "
    'AND (m.expires_at IS NULL OR m.expires_at > ?)))'
)
"""Takes now, twice."""
_RESTS: Final[dict[Spared, str]] = {
    'current': _CURRENT,
    'pinned': f'(m.pinned = 1 OR m.locked = 1) AND {_CURRENT}',
    'nothing': 'coalesce(?, ?) IS NULL',
}
_FIRST: Final = (
    'coalesce((SELECT f.recorded_at <= ?2 OR f.recorded_at > ?3 FROM {0} f '
    f'WHERE f.row BETWEEN o.id << {SEQ_BITS} AND (o.id << {SEQ_BITS}) + {SEQ_MASK} ORDER BY f.row LIMIT 1), FALSE)'
)
"""Whether the first row of an owner is old enough, for it is the oldest. One of the future is no measure."""


_ALL: Final = (1 << 63) - 1


def aging_owners(
    connection: Connection, project: str | None, before: datetime, after: str | None, limit: int
) -> tuple[list[Owner], str | None]:
    """Owners of whom something was stored before a moment, or has expired by now."""
    if after is not None and not after.isdecimal():
        raise InvalidInput(f'after={after!r} is not what a page of owners returned: pass it as it is')
    whose = '' if project is None else 'AND o.project = ?5 '
    rows = connection.execute(
        "SELECT o.id, o.project, o.kind, o.key FROM owner o WHERE o.id > ?1 AND o.kind <> 'erased' "
        f'{whose}AND ({_FIRST.format("episode")} OR {_FIRST.format("memory")} OR '
        'EXISTS(SELECT 1 FROM memory m WHERE m.owner = o.id AND m.live = 1 AND m.expires_at <= ?3)) '
        'ORDER BY o.id LIMIT ?4',
        (int(after or 0), to_us(before), to_us(now()), limit + 1, *(() if project is None else (project,))),
    ).fetchall()
    owners = [Owner(row[1], row[2], row[3]) for row in rows[:limit]]
    return owners, str(rows[limit - 1][0]) if len(rows) > limit else None


def idle_runs(connection: Connection, owner: Owner, before: datetime) -> list[str]:
    """Run keys with facts of theirs, in which nobody has said or written anything since."""
    found = find_owner(connection, owner)
    if found is None or owner.kind not in ('user', 'run'):
        return []
    moment, span = to_us(before), row_range(found.id)
    if owner.kind == 'run':  # it is one conversation altogether, and has no run keys
        said = 'SELECT EXISTS(SELECT 1 FROM episode WHERE row BETWEEN ? AND ? AND recorded_at > ?)'
        return [] if connection.execute(said, (*span, moment)).fetchone()[0] else ['']
    return [
        run
        for (run,) in connection.execute(
            "SELECT DISTINCT m.run_key FROM memory m WHERE m.owner = ?1 AND m.live = 1 AND m.run_key <> '' AND NOT "
            'EXISTS(SELECT 1 FROM episode e WHERE e.row BETWEEN ?2 AND ?3 AND e.run_id = m.run_key '
            'AND e.recorded_at > ?4) ORDER BY m.run_key',
            (found.id, *span, moment),
        )
    ]


def aged(connection: Connection, owner: Owner, aging: Aging, limit: int) -> Aged:
    """What `erase_aged` would erase, with a few of the messages and facts."""
    found = find_owner(connection, owner)
    if found is None:
        return Aged()
    rows = _messages(connection, found, aging, None)
    if not rows:
        return Aged()
    facts = _facts(connection, rows)
    # As JSON: there may be more of them than a statement takes parameters.
    sql = (
        f'SELECT {EPISODE_COLUMNS} FROM episode e JOIN conversation c ON c.row = e.conversation '
        f'WHERE e.row IN {connection.dialect.numbers("?")} ORDER BY e.row'
    )
    told = connection.execute(sql, (json.dumps(rows[:limit]),)).fetchall()
    sql = f'SELECT {MEMORY_COLUMNS} FROM memory WHERE row IN {connection.dialect.numbers("?")} ORDER BY row'
    held = connection.execute(sql, (json.dumps(facts[:limit]),)).fetchall()
    return Aged(
        messages=len(rows),
        facts=len(facts),
        episodes=read_episodes(told, owner),
        memories=read_memories(connection, held),
    )


def erase_aged(connection: Connection, owner: Owner, aging: Aging, limit: int) -> Aged:
    """Erase the oldest of the messages that are to go, and what rests on them alone."""
    found = find_owner(connection, owner, hold=True)
    rows = [] if found is None else _messages(connection, found, aging, limit)
    if found is None or not rows:
        return Aged()
    gone = erase_episodes(connection, found, Saying(frozenset(rows), {}), (), aging.actor)
    return Aged(messages=gone.episodes, facts=gone.memories)


def _messages(connection: Connection, owner: OwnerRow, aging: Aging, limit: int | None) -> list[int]:
    """Rows of the messages that are to go, the oldest first."""
    span, at = row_range(owner.id), to_us(aging.at)
    ending = json.dumps(list(aging.without))
    tests: list[str] = []
    values: list[Any] = []
    for spared, before in aging.before.items():
        tests.append(
            '(e.recorded_at <= ? AND NOT EXISTS(SELECT 1 FROM evidence v JOIN memory m ON m.row = v.memory '
            f'WHERE v.episode = e.row AND {_RESTS[spared]} AND m.id NOT IN {connection.dialect.texts("?")}))'
        )
        values += [to_us(before), at, at, ending]
    found = connection.execute(
        f'SELECT e.row FROM episode e WHERE e.row BETWEEN ? AND ? AND ({" OR ".join(tests) or "FALSE"}) '
        f'AND e.row NOT IN {connection.dialect.numbers("?")} ORDER BY e.row LIMIT ?',
        (*span, *values, json.dumps(_waiting(connection, span)), _ALL if limit is None else limit),
    )
    return [row for (row,) in found]


def _waiting(connection: Connection, span: tuple[int, int]) -> list[int]:
    """Rows of the messages of unfinished jobs."""
    found = connection.execute(f'SELECT payload FROM job WHERE {OPEN_JOBS}', span)
    return [row for (payload,) in found for row in json.loads(payload)['episodes']]


def _facts(connection: Connection, messages: Sequence[int]) -> list[int]:
    """Rows of the latest versions of those memories that rest on these messages alone."""
    found = connection.execute(
        f'SELECT DISTINCT m.row, m.evidence FROM {connection.dialect.numbers("?")} g '
        'JOIN evidence v ON v.episode = g.value JOIN memory m ON m.row = v.memory '
        'WHERE m.retired_at IS NULL ORDER BY m.row',
        (json.dumps(list(messages)),),
    )
    gone = set(messages)
    return [row for row, spans in found if all(span[0] in gone for span in json.loads(spans))]


# --- whose turn it is ---


def _state(connection: Connection, name: str) -> dict[str, Any]:
    found = connection.execute('SELECT value FROM meta WHERE key = ?', (f'round:{name}',)).fetchone()
    return {} if found is None else json.loads(found[0])


def _put(connection: Connection, name: str, **state: Any) -> None:
    connection.execute(
        'INSERT INTO meta(key, value) VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value',
        (f'round:{name}', json.dumps(state)),
    )


def begin_round(connection: Connection, name: str, worker: str, every: float, lease_seconds: float) -> Round:
    """Take the turn, when it is due and nobody has it."""
    hold_name(connection, f'round:{name}')
    moment, state = moment_of(connection), _state(connection, name)
    held: int = state.get('until', 0)
    # A lease or a last time that lies further ahead than it can: the clock was set back.
    if moment < held <= moment + int(lease_seconds * 1e6) and not holder_is_gone(state.get('worker', '')):
        return Round(mine=False, again=(held - moment) / 1e6)
    due: int = state.get('due', 0)
    if moment < due <= moment + int(every * 1e6):
        return Round(mine=False, again=(due - moment) / 1e6)
    after: str | None = state.get('after')
    _put(connection, name, worker=worker, until=moment + int(lease_seconds * 1e6), after=after)
    return Round(mine=True, after=after)


def renew_round(connection: Connection, name: str, worker: str, lease_seconds: float, after: str | None) -> bool:
    """Hold the turn, and note how far it came."""
    hold_name(connection, f'round:{name}')
    if _state(connection, name).get('worker') != worker:
        return False
    _put(connection, name, worker=worker, until=moment_of(connection) + int(lease_seconds * 1e6), after=after)
    return True


def end_round(connection: Connection, name: str, worker: str, again: float, after: str | None) -> None:
    """Give the turn back."""
    hold_name(connection, f'round:{name}')
    if _state(connection, name).get('worker') == worker:
        _put(connection, name, due=moment_of(connection) + int(again * 1e6), after=after)
