"""Jobs: the messages from which memories are still to be drawn."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from memoranda.records import Episode, Job, JobStatus, Usage, now
from memoranda.scope import Owner, Reach
from memoranda.stores.base import JOB_FORMAT, MAX_CRASHES, Batch, Foreseen, NewerJob, Work
from memoranda.stores.leases import holder_is_gone
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import SEQ_BITS, vector_tables
from memoranda.stores.sql.queue import OPEN_JOBS, SET_BACK_US, next_owner, settle
from memoranda.stores.sql.rows import (
    EPISODE_COLUMNS,
    JOB_COLUMNS,
    find_owner,
    level_scope,
    owner_by_id,
    read_episodes,
    read_job,
    row_range,
    to_us,
)
from memoranda.stores.sql.tombstones import admitted
from memoranda.stores.sql.writing import NO_OWNER, current_generation, spend, unseen

__all__ = [
    'abandon',
    'claim',
    'claim_next',
    'drop',
    'fail',
    'foresee',
    'job',
    'jobs',
    'load',
    'renew',
    'requeue',
    'unfinished',
]

_PREVIOUS = 4
_LAST: Final = '~'
"""After every id."""
_YEAR: Final = 366 * 86_400.0
"""Seconds, at most until the next try: what a provider asks for may be beyond any date."""


def claim(
    connection: Connection, owner: Owner, worker: str, lease_seconds: float, due: bool, ahead: str | None
) -> Work | None:
    """Lease the owner's earliest unfinished job."""
    found = find_owner(connection, owner)
    if found is None:
        return None
    return _claim(connection, found.id, worker, lease_seconds, due=due, turns=0, ahead=ahead)


def claim_next(connection: Connection, worker: str, lease_seconds: float, turns: int) -> Work | None:
    """Lease the job that is due for longest."""
    passed: set[int] = set()
    while (owner := next_owner(connection, passed)) is not None:
        try:
            work = _claim(connection, owner, worker, lease_seconds, due=True, turns=turns)
        except NewerJob:  # whoever knows it does it, and nobody else's jobs wait for that
            work = None
        if work is not None:
            return work
        settle(connection, (owner,))
        passed.add(owner)  # it isn't free after all
    return None


def _claim(
    connection: Connection,
    owner: int,
    worker: str,
    lease_seconds: float,
    *,
    due: bool,
    turns: int,
    ahead: str | None = None,
) -> Work | None:
    moment = to_us(now())
    if _busy(connection, owner, moment, lease_seconds):
        return None
    _release(connection, owner, moment)
    # Not kept in a variable: an error's traceback would keep it, and with it a read transaction of the writer.
    for row, id_, run_after, touched_at, written, crashes, attempts, last_error in connection.execute(
        'SELECT row, id, run_after, touched_at, format, crashes, attempts, last_error FROM job '
        f'WHERE {OPEN_JOBS} ORDER BY row',
        row_range(owner),
    ):
        if ahead is not None and id_ != ahead and last_error is not None:
            continue
        if written > JOB_FORMAT:
            raise NewerJob(
                f'job {id_} was written by a newer memoranda (format {written}, and this one knows {JOB_FORMAT}), and '
                'comes first: upgrade memoranda in this environment, or let the newer one do it'
            )
        if due and run_after > moment and touched_at <= moment + SET_BACK_US:
            return None
        if crashes >= MAX_CRASHES:
            error = f'Crash: the process that ran it ended in the middle, {crashes} times'
            connection.execute(
                "UPDATE job SET state = 'dead', last_error = ?, finished_at = ? WHERE row = ?", (error, moment, row)
            )
            settle(connection, (owner,))
            continue
        connection.execute(
            "UPDATE job SET state = 'running', worker = ?, lease_until = ?, attempts = attempts + 1, touched_at = ? "
            'WHERE row = ?',
            (worker, moment + int(lease_seconds * 1e6), moment, row),
        )
        if turns and attempts == 0:
            _merge(connection, owner, row, id_, turns)
        settle(connection, (owner,))
        return _work(connection, 'row = ?', row)
    return None


def _busy(connection: Connection, owner: int, moment: int, lease_seconds: float) -> bool:
    """Whether a job of this owner runs."""
    busy = False
    for row, lease_until, touched_at, holder in connection.execute(
        "SELECT row, lease_until, touched_at, worker FROM job WHERE state = 'running' AND row BETWEEN ? AND ?",
        row_range(owner),
    ).fetchall():
        if lease_until <= moment or holder_is_gone(holder):
            continue
        busy = True
        if touched_at > moment + SET_BACK_US:  # the clock was set back: whoever is still at it renews it in time
            connection.execute(
                'UPDATE job SET lease_until = min(lease_until, ?), touched_at = ? WHERE row = ?',
                (moment + int(lease_seconds * 1e6), moment, row),
            )
            settle(connection, (owner,))
    return busy


def _release(connection: Connection, owner: int, moment: int) -> None:
    """Put what was left in the middle back in its place, once nothing of this owner runs."""
    found = connection.execute(
        "UPDATE job SET state = 'queued', worker = NULL, lease_until = NULL, merged_into = NULL, touched_at = ?, "
        "crashes = crashes + 1 WHERE state = 'running' AND row BETWEEN ? AND ? RETURNING row",
        (moment, *row_range(owner)),
    ).fetchall()
    if found:
        settle(connection, (owner,))


def _merge(connection: Connection, owner: int, leader: int, leader_id: str, turns: int) -> None:
    """Lease the jobs that follow with this one, as far as one reading may do them all."""
    worker, lease_until, touched_at, payload = connection.execute(
        'SELECT worker, lease_until, touched_at, payload FROM job WHERE row = ?', (leader,)
    ).fetchone()
    same = _options(payload)
    turns = max(turns, json.loads(payload).get('turns', 1))
    if turns <= 1 or not same.get('infer', True):
        return
    followers: list[int] = []
    for row, state, attempts, written, payload in connection.execute(
        f'SELECT row, state, attempts, format, payload FROM job WHERE {OPEN_JOBS} AND row > ? ORDER BY row LIMIT ?',
        (*row_range(owner), leader, turns - 1),
    ):
        if state != 'queued' or attempts or written > JOB_FORMAT or _options(payload) != same:
            break
        followers.append(row)
    connection.executemany(
        "UPDATE job SET state = 'running', worker = ?, lease_until = ?, touched_at = ?, attempts = 1, merged_into = ? "
        'WHERE row = ?',
        [(worker, lease_until, touched_at, leader_id, row) for row in followers],
    )


_OF_ONE = ('episodes', 'trace', 'outages', 'turns')
"""What of a payload tells nothing about how to read the messages."""


def _options(payload: str) -> dict[str, Any]:
    return {name: value for name, value in json.loads(payload).items() if name not in _OF_ONE}


def load(connection: Connection, job_id: str) -> Work | None:
    """A job with its messages."""
    return _work(connection, 'id = ?', job_id)


def _work(connection: Connection, where: Literal['row = ?', 'id = ?'], key: Any) -> Work | None:
    found = connection.execute(f'SELECT {JOB_COLUMNS}, owner FROM job WHERE {where}', (key,)).fetchone()
    if found is None:
        return None
    owner = owner_by_id(connection, found[18])
    job = read_job(found, owner)
    merged = connection.execute(
        "SELECT id, payload FROM job WHERE state = 'running' AND worker = ? AND merged_into = ? ORDER BY row",
        (found[17], job.id),
    ).fetchall()
    rows: list[int] = [*job.payload['episodes'], *(row for _, p in merged for row in json.loads(p)['episodes'])]
    episode_rows: list[Any] = []
    for row in rows:
        episode_rows += connection.execute(_EPISODE + ' WHERE e.row = ?', (row,))
    episodes = read_episodes(episode_rows, owner)
    previous: list[Any] = []
    if episode_rows:
        previous = connection.execute(
            _EPISODE + ' WHERE e.conversation = (SELECT conversation FROM episode WHERE row = ?) AND e.seq < ? '
            'ORDER BY e.seq DESC LIMIT ?',
            (episode_rows[0][0], episode_rows[0][3], _PREVIOUS),
        ).fetchall()
    return Work(
        job=job,
        owner=owner,
        scope=episodes[0].scope if episodes else level_scope(owner, owner.kind, ''),
        episodes=episodes,
        segments=list(_unembedded_segments(connection, zip((r[0] for r in episode_rows), episodes, strict=True))),
        previous=read_episodes(reversed(previous), owner),
        merged=[id_ for id_, _ in merged],
        epoch=connection.execute('SELECT epoch FROM owner WHERE id = ?', (found[18],)).fetchone()[0],
    )


_EPISODE = f'SELECT {EPISODE_COLUMNS} FROM episode e JOIN conversation c ON c.row = e.conversation'


def _unembedded_segments(connection: Connection, episodes: Iterable[tuple[int, Episode]]) -> Iterable[tuple[int, str]]:
    current = current_generation(connection)
    table = vector_tables(current.id)[1] if current else None
    for episode_row, episode in episodes:
        # A message's segments have the row keys right after its own.
        for row, of, first, last in connection.execute(
            'SELECT row, episode, first, last FROM segment WHERE row > ? ORDER BY row', (episode_row,)
        ):
            if of != episode_row:
                break
            if table is None or not _has(connection, table, row):
                yield row, episode.text[first:last]


def renew(connection: Connection, workers: Sequence[str], lease_seconds: float) -> None:
    """Hold what is leased under some tokens for longer."""
    moment = to_us(now())
    for worker in workers:
        found = connection.execute(
            "UPDATE job SET lease_until = ?, touched_at = ? WHERE state = 'running' AND worker = ? RETURNING row",
            (moment + int(lease_seconds * 1e6), moment, worker),
        ).fetchall()
        settle(connection, {row >> SEQ_BITS for (row,) in found})


def foresee(connection: Connection, batch: Batch) -> Foreseen:
    """What `append` would store."""
    batch = replace(batch, drafts=admitted(connection, batch))
    owner = find_owner(connection, batch.owner)
    if owner is None:
        return Foreseen(drafts=batch.drafts, known=0, first_seq=0, previous=(), waiting=0, owner_version=NO_OWNER)
    row, first = connection.execute(
        'SELECT row, messages FROM conversation WHERE owner = ? AND id = ?', (owner.id, batch.conversation_id)
    ).fetchone() or (-1, 0)
    drafts = unseen(connection, owner.id, row, first, batch)
    before = connection.execute(
        _EPISODE + ' WHERE e.conversation = ? ORDER BY e.seq DESC LIMIT ?', (row, _PREVIOUS)
    ).fetchall()
    waiting = connection.execute(f'SELECT count(*) FROM job WHERE {OPEN_JOBS}', row_range(owner.id)).fetchone()[0]
    return Foreseen(
        drafts=drafts,
        known=len(batch.drafts) - len(drafts),
        first_seq=first,
        previous=read_episodes(reversed(before), batch.owner),
        waiting=waiting,
        owner_version=owner.version,
    )


def fail(
    connection: Connection,
    job: Job,
    worker: str,
    error: str,
    retry_after: float | None,
    usage: Usage,
    counted: bool,
    outage: bool,
    epoch: int | None,
) -> None:
    """Give a job back, and those merged with it."""
    spend(connection, job.id, usage)
    moment = to_us(now())
    since = connection.execute('SELECT epoch FROM owner WHERE id = (SELECT owner FROM job WHERE id = ?)', (job.id,))
    if epoch is not None and any(found > epoch for (found,) in since):
        error = error.partition(':')[0]  # it may quote what is gone
    found = connection.execute(
        'UPDATE job SET state = ?, run_after = ?, touched_at = ?, last_error = ?, attempts = max(attempts - ?, 0), '
        "payload = CASE ? WHEN 0 THEN payload ELSE json_set(payload, '$.outages', "
        "coalesce(json_extract(payload, '$.outages'), 0) + 1) END, "
        'finished_at = ?, worker = NULL, lease_until = NULL, merged_into = NULL '
        "WHERE state = 'running' AND worker = ? AND ? IN (id, merged_into) RETURNING row",
        (
            'dead' if retry_after is None else 'queued',
            moment + int(min(max(0.0, retry_after or 0.0), _YEAR) * 1e6),
            moment,
            error[:2000],
            int(not counted),
            int(outage),
            moment if retry_after is None else None,
            worker,
            job.id,
        ),
    ).fetchall()
    settle(connection, {row >> SEQ_BITS for (row,) in found})


def abandon(connection: Connection, worker: str) -> None:
    """Give back what is leased under a token."""
    found = connection.execute(
        "UPDATE job SET state = 'queued', worker = NULL, lease_until = NULL, merged_into = NULL, touched_at = ?, "
        "attempts = max(attempts - 1, 0) WHERE state = 'running' AND worker = ? RETURNING row",
        (to_us(now()), worker),
    ).fetchall()
    settle(connection, {row >> SEQ_BITS for (row,) in found})


def job(connection: Connection, job_id: str, project: str) -> tuple[Owner, Job] | None:
    """A job and whose it is."""
    found = connection.execute(f'SELECT {JOB_COLUMNS}, owner FROM job WHERE id = ?', (job_id,)).fetchone()
    if found is None:
        return None
    owner = owner_by_id(connection, found[18])
    return (owner, read_job(found, owner)) if owner.project == project else None


_STATES: Mapping[JobStatus, str] = {
    'queued': "state = 'queued' AND last_error IS NULL OR state = 'running'",  # perhaps its worker fell silent
    'retrying': "state = 'queued' AND last_error IS NOT NULL",
    'running': "state = 'running'",
    'done': "state = 'done'",
    'dead': "state = 'dead'",
    'dropped': "state = 'dropped'",
}


def jobs(
    connection: Connection,
    reaches: Sequence[Reach] | None,
    project: str,
    states: Sequence[JobStatus] | None,
    limit: int,
    cursor: str | None,
) -> tuple[list[Job], str | None]:
    """Jobs within reach, latest first."""
    known = [_STATES[state] for state in states if state in _STATES] if states is not None else ['1']
    # With these, the few that are open are looked through instead of all there ever were.
    unfinished = states is not None and set(states) <= {'queued', 'retrying', 'running'}
    where = [f'({" OR ".join(known) or "0"})', 'o.project = ?']
    if unfinished:
        where.append("state IN ('queued', 'running')")
    values: list[Any] = [project]
    if reaches is not None:
        within: list[str] = []
        for reach in reaches:
            found = find_owner(connection, reach.owner)
            if found is not None:
                test, more = _seen(reach)
                within.append(f'(j.row BETWEEN ? AND ? AND {test})')
                values += [*row_range(found.id), *more]
        where.append(f'({" OR ".join(within) or "0"})')
    columns = ', '.join(f'j.{column}' for column in JOB_COLUMNS.split(', '))
    # A plus keeps SQLite from going through the jobs of everybody in the order of their ids.
    id_ = 'j.id' if reaches is None and not unfinished else '+j.id'
    page: list[Job] = []
    for row in connection.execute(
        f'SELECT {columns}, o.project, o.kind, o.key FROM job j CROSS JOIN owner o ON o.id = j.owner '
        f'WHERE {" AND ".join(where)} AND {id_} < ? ORDER BY {id_} DESC',
        (*values, cursor or _LAST),
    ):
        found_job = read_job(row, Owner(row[18], row[19], row[20]))
        if states is not None and found_job.status not in states:
            continue
        if len(page) == limit:
            return page, page[-1].id
        page.append(found_job)
    return page, None


def _seen(reach: Reach) -> tuple[str, list[Any]]:
    """Which jobs of an owner a reach sees: by the run their messages were said in."""
    run = "json_extract(j.payload, '$.said_under.run_id')"
    if reach.owner.kind != 'user' or (reach.own and reach.runs is None):
        return '1', []
    tests = [f'{run} IS NULL'] if reach.own else []
    if reach.runs is None:
        tests.append(f'{run} IS NOT NULL')
    elif reach.runs:
        tests.append(f'{run} IN ({", ".join("?" * len(reach.runs))})')
    return f'({" OR ".join(tests) or "0"})', list(reach.runs or ())


def requeue(connection: Connection, job_id: str, project: str) -> Job | None:
    """Make a dead or waiting job due now."""
    found = job(connection, job_id, project)
    if found is None or found[1].status not in ('dead', 'queued', 'retrying'):
        return None
    moment = to_us(now())
    rows = connection.execute(
        "UPDATE job SET state = 'queued', run_after = ?, touched_at = ?, attempts = 0, crashes = 0, last_error = NULL, "
        'finished_at = NULL, worker = NULL, lease_until = NULL, merged_into = NULL WHERE id = ? RETURNING row',
        (moment, moment, job_id),
    ).fetchall()
    settle(connection, {row >> SEQ_BITS for (row,) in rows})
    again = job(connection, job_id, project)
    return None if again is None else again[1]


def drop(connection: Connection, job_id: str, project: str) -> bool:
    """Take a job out of the queue. One that is running loses its lease so."""
    if job(connection, job_id, project) is None:
        return False
    # Those that are done together with it would wait until the lease ends: what is drawn from all can't be written.
    holder = connection.execute("SELECT worker FROM job WHERE id = ? AND state = 'running'", (job_id,)).fetchone()
    rows = connection.execute(
        "UPDATE job SET state = 'dropped', worker = NULL, lease_until = NULL, finished_at = ?, merged_into = NULL "
        "WHERE id = ? AND state IN ('queued', 'running', 'dead') RETURNING row",
        (to_us(now()), job_id),
    ).fetchall()
    if holder is not None:
        abandon(connection, holder[0])
    settle(connection, {row >> SEQ_BITS for (row,) in rows})
    return bool(rows)


def unfinished(connection: Connection, limit: int) -> list[Owner]:
    """Owners that have jobs waiting, longest waiting first."""
    rows = connection.execute('SELECT owner FROM queue ORDER BY due LIMIT ?', (limit,)).fetchall()
    return [owner_by_id(connection, id_) for (id_,) in rows]


def _has(connection: Connection, table: str, row: int) -> bool:
    return connection.execute(f'SELECT 1 FROM {table} WHERE row = ?', (row,)).fetchone() is not None
