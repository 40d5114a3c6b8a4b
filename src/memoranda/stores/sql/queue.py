"""Which owner's turn it is: of every owner that has unfinished jobs, when the first of them may be taken."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from memoranda.records import now
from memoranda.scope import Owner
from memoranda.stores.base import JOB_FORMAT
from memoranda.stores.leases import holder_is_gone
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import SEQ_BITS, SEQ_MASK
from memoranda.stores.sql.rows import find_owner, row_range, to_us

__all__ = ['OPEN_JOBS', 'SET_BACK_US', 'due_in', 'hurry', 'next_owner', 'recover', 'settle', 'stuck', 'waiting']

OPEN_JOBS = "row BETWEEN ? AND ? AND state IN ('queued', 'running')"
_LEASE = "SELECT coalesce(max(lease_until), 0) FROM job WHERE state = 'running' AND row BETWEEN ? AND ? HAVING count(*)"
_FIRST = f'SELECT run_after, format FROM job WHERE {OPEN_JOBS} ORDER BY row LIMIT 1'
SET_BACK_US = 1_000_000
"""What was set later than so long from now, in microseconds, was set before the clock was."""


def settle(connection: Connection, owners: Iterable[int]) -> None:
    """Note when the first unfinished job of each owner may be taken. To be called after every change of a job."""
    moment = to_us(now())
    for owner in owners:
        span = row_range(owner)
        first = connection.execute(_FIRST, span).fetchone()
        if first is None:
            connection.execute('DELETE FROM queue WHERE owner = ?', (owner,))
            continue
        # The one that runs needn't be the first: given facts don't wait for messages that a model failed on.
        lease = connection.execute(_LEASE, span).fetchone()
        # Not before now: who has waited for longest goes to the end of the line after each of its jobs. But whose turn
        # it is already keeps the place, or who speaks all the time would never be served.
        due = max(first[0], moment if lease is None else lease[0])
        connection.execute(
            'INSERT INTO queue VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET format = excluded.format, '
            'due = CASE WHEN excluded.due = ?4 THEN min(queue.due, excluded.due) ELSE excluded.due END',
            (owner, due, first[1], moment if lease is None else None),
        )


def next_owner(connection: Connection, passed: Collection[int]) -> int | None:
    """The owner whose job is due for longest, but for those that were passed over."""
    for (owner,) in connection.execute(
        'SELECT owner FROM queue WHERE due <= ? AND format <= ? ORDER BY due LIMIT ?',
        (to_us(now()), JOB_FORMAT, len(passed) + 1),
    ):
        if owner not in passed:
            return owner
    return None


def due_in(connection: Connection) -> float | None:
    """Seconds until a job is due."""
    for (due,) in connection.execute('SELECT due FROM queue WHERE format <= ? ORDER BY due LIMIT 1', (JOB_FORMAT,)):
        return max(0.0, (due - to_us(now())) / 1e6)
    return None


def hurry(connection: Connection, owner: Owner | None) -> None:
    """Make jobs due that wait for more turns."""
    moment = to_us(now())
    span = _span(connection, owner)
    if span is None:
        return
    found = connection.execute(
        'UPDATE job SET run_after = ?, touched_at = ? WHERE row IN '
        f"(SELECT row FROM job WHERE {OPEN_JOBS} AND state = 'queued' AND attempts = 0 AND last_error IS NULL "
        'AND run_after > ?) RETURNING row',
        (moment, moment, *span, moment),
    ).fetchall()
    settle(connection, {row >> SEQ_BITS for (row,) in found})


def waiting(connection: Connection, owner: Owner | None, before: str | None) -> int:
    """How many jobs are queued or running."""
    span = _span(connection, owner)
    if span is None:
        return 0
    return connection.execute(
        # Ids tell the time, and what came before the clock was set back came before.
        f'SELECT count(*) FROM job WHERE {OPEN_JOBS} AND (?3 IS NULL OR id < ?3 OR created_at > ?4)',
        (*span, before, to_us(now()) + SET_BACK_US),
    ).fetchone()[0]


def _span(connection: Connection, owner: Owner | None) -> tuple[int, int] | None:
    if owner is None:
        return 0, (1 << 63) - 1
    found = find_owner(connection, owner)
    return None if found is None else row_range(found.id)


# Noted as due later than its first job is: this happens when the clock was set back after it was noted.
_LATE = (
    'SELECT owner FROM queue q WHERE due > ?1 + ?2 AND NOT EXISTS(SELECT 1 FROM job j '
    f"WHERE j.state = 'running' AND j.row BETWEEN q.owner << {SEQ_BITS} AND q.owner << {SEQ_BITS} | {SEQ_MASK}) "
    'AND ?1 >= (SELECT j.run_after FROM job j '
    f'WHERE j.row BETWEEN q.owner << {SEQ_BITS} AND q.owner << {SEQ_BITS} | {SEQ_MASK} '
    "AND j.state IN ('queued', 'running') ORDER BY j.row LIMIT 1)"
)


def stuck(connection: Connection) -> bool:
    """Whether `recover` has something to do."""
    moment = to_us(now())
    if connection.execute(f'{_LATE} LIMIT 1', (moment, SET_BACK_US)).fetchone() is not None:
        return True
    holders = connection.execute(
        "SELECT DISTINCT worker FROM job WHERE state = 'running' AND lease_until > ?", (moment,)
    )
    if any(holder_is_gone(holder) for (holder,) in holders):
        return True
    return bool(
        connection.execute(
            "SELECT EXISTS(SELECT 1 FROM job WHERE state IN ('queued', 'running') AND touched_at > ?)",
            (moment + SET_BACK_US,),
        ).fetchone()[0]
    )


def recover(connection: Connection, lease_seconds: float) -> int:
    """Give back what is leased to processes that are gone, and what lies in the future since the clock was set back."""
    moment = to_us(now())
    owners: list[int] = []
    holders = connection.execute(
        "SELECT DISTINCT worker FROM job WHERE state = 'running' AND lease_until > ?", (moment,)
    ).fetchall()
    for (holder,) in holders:
        if holder_is_gone(holder):
            # It stays `running`: whoever takes it over sees that it was left in the middle.
            found = connection.execute(
                "UPDATE job SET lease_until = ?, touched_at = ? WHERE state = 'running' AND worker = ? RETURNING row",
                (moment, moment, holder),
            ).fetchall()
            owners += [row >> SEQ_BITS for (row,) in found]
    found = connection.execute(
        'UPDATE job SET run_after = min(run_after, ?1), touched_at = ?1, lease_until = min(lease_until, ?2) '
        "WHERE row IN (SELECT row FROM job WHERE state IN ('queued', 'running')) AND touched_at > ?3 RETURNING row",
        # Whoever is still at it renews its lease in time.
        (moment, moment + int(lease_seconds * 1e6), moment + SET_BACK_US),
    ).fetchall()
    owners += [row >> SEQ_BITS for (row,) in found]
    owners += [owner for (owner,) in connection.execute(_LATE, (moment, SET_BACK_US)).fetchall()]
    settle(connection, set(owners))
    return len(owners)
