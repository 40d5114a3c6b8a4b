"""Which owner's turn it is: of every owner that has unfinished jobs, when the first of them may be taken.

All moments here, and those of leases, are told by one clock: over PostgreSQL that of the server, for the machines that
share it may each have another idea of what time it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from memoranda.records import now
from memoranda.scope import Owner
from memoranda.stores.data import JOB_FORMAT
from memoranda.stores.leases import holder_is_gone
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import SEQ_BITS, SEQ_MASK
from memoranda.stores.sql.locks import HELD, WRITES, hold_owners
from memoranda.stores.sql.rows import find_owner, row_range, to_us

__all__ = [
    'OPEN_JOBS',
    'SET_BACK_US',
    'Turn',
    'due_at',
    'due_in',
    'hurry',
    'moment_of',
    'next_owner',
    'place',
    'recover',
    'settle',
    'stuck',
    'waiting',
]

OPEN_JOBS = "row BETWEEN ? AND ? AND state IN ('queued', 'running')"
_OPEN_OF = "FROM job WHERE row BETWEEN ?2 AND ?3 AND state IN ('queued', 'running')"
_NONE_OPEN: Final = f'DELETE FROM queue WHERE owner = ?1 AND NOT EXISTS(SELECT 1 {_OPEN_OF})'
# The one that runs needn't be the first: given facts don't wait for messages that a model failed on.
_FIRST: Final = (
    "SELECT run_after, format, (SELECT max(lease_until) FROM job WHERE state = 'running' AND row BETWEEN ?2 AND ?3) "
    f'AS lease {_OPEN_OF} ORDER BY row LIMIT 1'
)
# Not before now: who has waited for longest goes to the end of the line after each of its jobs. But whose turn it is
# already keeps the place, or who speaks all the time would never be served.
_PLACE_FIRST: Final = (
    'INSERT INTO queue(owner, due, format, project) SELECT o.id, CASE '
    'WHEN f.lease > f.run_after THEN f.lease WHEN f.lease IS NOT NULL OR f.run_after > ?4 THEN f.run_after '
    'WHEN q.due < ?4 THEN q.due ELSE ?4 END, f.format, o.project '
    f'FROM owner o JOIN ({_FIRST}) f ON TRUE LEFT JOIN queue q ON q.owner = o.id WHERE o.id = ?1 '
    'ON CONFLICT(owner) DO UPDATE SET due = excluded.due, format = excluded.format, project = excluded.project'
)
SET_BACK_US = 1_000_000
"""What was set later than so long from now, in microseconds, was set before the clock was."""


def moment_of(connection: Connection) -> int:
    """Now, by the clock that leases are told by."""
    return to_us(now()) + connection.skew_us


def settle(connection: Connection, owners: Iterable[int]) -> None:
    """Note when the first unfinished job of each owner may be taken. To be called after every change of a job."""
    moment = moment_of(connection)
    for owner in owners:
        connection.execute(_NONE_OPEN, (owner, *row_range(owner)))
        connection.execute(_PLACE_FIRST, (owner, *row_range(owner), moment))


def place(connection: Connection, owner: int, due: int, written: int) -> None:
    """Note when the first unfinished job of an owner may be taken, when that is known.

    Args:
        connection: In a transaction.
        owner: Whose.
        due: When, in microseconds.
        written: The format of the job.
    """
    connection.execute(
        'INSERT INTO queue(owner, due, format, project) SELECT id, ?, ?, project FROM owner WHERE id = ? '
        'ON CONFLICT(owner) DO UPDATE SET due = excluded.due, format = excluded.format, project = excluded.project',
        (due, written, owner),
    )


@dataclass(slots=True)
class Turn:
    """Which project was served last, by one process: projects take turns, however much one of them has waiting."""

    project: str | None = None


_PROJECT = (
    '(WITH RECURSIVE p(project) AS (SELECT min(project) FROM queue{0} UNION ALL '
    'SELECT (SELECT min(n.project) FROM queue n WHERE n.project > p.project) FROM p WHERE p.project IS NOT NULL) '
    'SELECT p.project FROM p WHERE EXISTS(SELECT 1 FROM queue d WHERE d.project = p.project AND d.due <= ?1 '
    'AND d.format <= ?2) LIMIT 1)'
)
"""A project in which a job is due: looks at one row of each until it finds one."""
_NEXT = f'coalesce({_PROJECT.format(" WHERE project > {0}")}, {_PROJECT.format("")})'


def next_owner(connection: Connection, passed: Collection[int], turn: Turn) -> int | None:
    """The owner whose job is due for longest in the project whose turn it is; held for this transaction.

    Args:
        connection: In a transaction.
        passed: Owners to pass over.
        turn: Is moved on.
    """
    moment, found = moment_of(connection), None
    if turn.project is not None:
        project, which = turn.project, _NEXT.format('?4')
        if not connection.dialect.shared:  # two short statements: SQLite is slow to nest them
            which = '?4'
            sql = f'SELECT {_NEXT.format("?3")}'
            (project,) = connection.execute(sql, (moment, JOB_FORMAT, turn.project)).fetchone()
        given = (moment, JOB_FORMAT, len(passed) + 1, project)
        found = _next_of(connection, passed, f' AND q.project = {which}', given)
    if found is None:
        found = _next_of(connection, passed, '', (moment, JOB_FORMAT, len(passed) + 1))
    if found is None:
        return None
    owner, turn.project = found
    return owner


def _next_of(
    connection: Connection, passed: Collection[int], which: str, given: Sequence[int | str | None]
) -> tuple[int, str] | None:
    due = f'q.due <= ?1 AND q.format <= ?2{which} ORDER BY q.due LIMIT ?3'
    sql = f'SELECT q.owner, q.project FROM queue q WHERE {due}'
    if connection.dialect.shared:  # those that somebody else writes for now are left to the next look
        sql = (
            f'SELECT o.id, q.project{WRITES} FROM queue q JOIN owner o ON o.id = q.owner '
            f'WHERE {due}{HELD} OF o SKIP LOCKED'
        )
    return next(((row[0], row[1]) for row in connection.execute(sql, given) if row[0] not in passed), None)


def due_in(connection: Connection) -> float | None:
    """Seconds until a job is due."""
    for (due,) in connection.execute('SELECT due FROM queue WHERE format <= ? ORDER BY due LIMIT 1', (JOB_FORMAT,)):
        return max(0.0, (due - moment_of(connection)) / 1e6)
    return None


def due_at(connection: Connection) -> int | None:
    """When the first job is due, in microseconds since 1970 by the clock that leases are told by."""
    found = connection.execute('SELECT min(due) FROM queue WHERE format <= ?', (JOB_FORMAT,)).fetchone()
    return found[0]


def hurry(connection: Connection, owner: Owner | None) -> None:
    """Make jobs due that wait for more turns."""
    moment = moment_of(connection)
    span = _span(connection, owner)
    if span is None:
        return
    early = f"{OPEN_JOBS} AND state = 'queued' AND attempts = 0 AND last_error IS NULL AND run_after > ?"
    if connection.dialect.shared:
        found = connection.execute(f'SELECT DISTINCT owner FROM job WHERE {early}', (*span, moment)).fetchall()
        hold_owners(connection, [number for (number,) in found])
    found = connection.execute(
        f'UPDATE job SET run_after = ?, touched_at = ? WHERE row IN (SELECT row FROM job WHERE {early}) RETURNING row',
        (moment, moment, *span, moment),
    ).fetchall()
    settle(connection, sorted({row >> SEQ_BITS for (row,) in found}))


def waiting(connection: Connection, owner: Owner | None, before: str | None) -> int:
    """How many jobs are queued or running."""
    span = _span(connection, owner)
    if span is None:
        return 0
    more, values = '', ()
    if before is not None:
        # Ids tell the time, and what came before the clock was set back came before.
        more, values = ' AND (id < ? OR created_at > ?)', (before, moment_of(connection) + SET_BACK_US)
    return connection.execute(f'SELECT count(*) FROM job WHERE {OPEN_JOBS}{more}', (*span, *values)).fetchone()[0]


def _span(connection: Connection, owner: Owner | None) -> tuple[int, int] | None:
    if owner is None:
        return 0, (1 << 63) - 1
    found = find_owner(connection, owner)
    return None if found is None else row_range(found.id)


# Noted as due later than its first job is: this happens when the clock was set back after it was noted.
_OF_OWNER = f'j.row BETWEEN q.owner << {SEQ_BITS} AND (q.owner << {SEQ_BITS}) + {SEQ_MASK}'
_LATE = (
    'SELECT owner FROM queue q WHERE due > ?1 + ?2 AND NOT EXISTS(SELECT 1 FROM job j '
    f"WHERE j.state = 'running' AND {_OF_OWNER}) AND ?1 >= (SELECT j.run_after FROM job j WHERE {_OF_OWNER} "
    "AND j.state IN ('queued', 'running') ORDER BY j.row LIMIT 1)"
)
_HOLDERS = "SELECT DISTINCT worker FROM job WHERE state = 'running' AND lease_until > ?"
_AHEAD = "SELECT row FROM job WHERE state IN ('queued', 'running') AND touched_at > ?"


def stuck(connection: Connection) -> bool:
    """Whether `recover` has something to do."""
    moment = moment_of(connection)
    if any(holder_is_gone(holder) for (holder,) in connection.execute(_HOLDERS, (moment,))):
        return True
    if connection.dialect.shared:  # a server's clock is not set back; and what all its owners have waiting is much
        return False
    if connection.execute(f'{_LATE} LIMIT 1', (moment, SET_BACK_US)).fetchone() is not None:
        return True
    return connection.execute(f'{_AHEAD} LIMIT 1', (moment + SET_BACK_US,)).fetchone() is not None


def recover(connection: Connection, lease_seconds: float) -> int:
    """Give back what is leased to processes that are gone, and what lies in the future since the clock was set back.

    Of owners that somebody else writes for, another time.
    """
    moment = moment_of(connection)
    owners: list[int] = []
    for (holder,) in connection.execute(_HOLDERS, (moment,)).fetchall():
        if holder_is_gone(holder):
            held = _free(connection, "SELECT row FROM job WHERE state = 'running' AND worker = ?", (holder,))
            # It stays `running`: whoever takes it over sees that it was left in the middle.
            found = connection.execute(
                'UPDATE job SET lease_until = ?, touched_at = ? '
                f"WHERE state = 'running' AND worker = ?{held} RETURNING row",
                (moment, moment, holder),
            ).fetchall()
            owners += [row >> SEQ_BITS for (row,) in found]
    held = _free(connection, _AHEAD, (moment + SET_BACK_US,))
    found = connection.execute(
        'UPDATE job SET run_after = CASE WHEN run_after > ?1 THEN ?1 ELSE run_after END, touched_at = ?1, '
        'lease_until = CASE WHEN lease_until > ?2 THEN ?2 ELSE lease_until END '
        f"WHERE row IN (SELECT row FROM job WHERE state IN ('queued', 'running')) AND touched_at > ?3{held} "
        'RETURNING row',
        # Whoever is still at it renews its lease in time.
        (moment, moment + int(lease_seconds * 1e6), moment + SET_BACK_US),
    ).fetchall()
    owners += [row >> SEQ_BITS for (row,) in found]
    late = connection.execute(_LATE, (moment, SET_BACK_US)).fetchall()
    owners += hold_owners(connection, [owner for (owner,) in late], free=True)
    settle(connection, sorted(set(owners)))
    return len(owners)


def _free(connection: Connection, sql: str, values: tuple[object, ...]) -> str:
    """Hold the owners of some jobs that nobody else holds; a condition for their jobs."""
    if not connection.dialect.shared:
        return ''
    owners = {row >> SEQ_BITS for (row,) in connection.execute(sql, values).fetchall()}
    held = hold_owners(connection, owners, free=True)
    return f' AND owner IN ({", ".join(str(owner) for owner in held) or "NULL"})'
