"""Jobs: the messages from which memories are still to be drawn."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from memoranda.records import Episode, Job, JobStatus, Usage
from memoranda.scope import Owner, Reach
from memoranda.stores.data import JOB_FORMAT, MAX_CRASHES, Batch, Foreseen, NewerJob, Work
from memoranda.stores.generation import Generation
from memoranda.stores.leases import holder_is_gone
from memoranda.stores.sql.begun import EPISODE, last_said, previous_sought
from memoranda.stores.sql.database import Connection, Rows
from memoranda.stores.sql.dialect import Dialect
from memoranda.stores.sql.keys import SEQ_BITS, vector_tables
from memoranda.stores.sql.locks import HELD, WRITES, hold_owners
from memoranda.stores.sql.queue import OPEN_JOBS, SET_BACK_US, Turn, moment_of, next_owner, place, settle
from memoranda.stores.sql.rows import (
    JOB_COLUMNS,
    find_owner,
    level_scope,
    read_episodes,
    read_job,
    row_range,
    sought,
)
from memoranda.stores.sql.tombstones import admitted
from memoranda.stores.sql.writing import NO_OWNER, generation_sought, spend, unseen

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

_PAGE: Final = 8
"""Jobs of an owner that are read at once, at least."""
_LAST: Final = '~'
"""After every id."""
_YEAR: Final = 366 * 86_400.0
"""Seconds, at most until the next try: what a provider asks for may be beyond any date."""


def claim(
    connection: Connection, owner: Owner, worker: str, lease_seconds: float, due: bool, ahead: str | None
) -> Work | None:
    """Lease the owner's earliest unfinished job."""
    found = find_owner(connection, owner, hold=True)
    if found is None:
        return None
    return _claim(connection, found.id, worker, lease_seconds, due=due, turns=0, ahead=ahead)


def claim_next(connection: Connection, worker: str, lease_seconds: float, turns: int, turn: Turn) -> Work | None:
    """Lease the job that is due for longest in the project whose turn it is."""
    passed: set[int] = set()
    while (owner := next_owner(connection, passed, turn)) is not None:
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
    moment = moment_of(connection)
    if not _is_free(connection, owner, moment, lease_seconds):
        return None
    waiting = _open_jobs(connection, owner, max(_PAGE, turns))
    first = True
    for row, id_, _, payload, run_after, touched_at, written, crashes, attempts, last_error in waiting:
        if ahead is not None and id_ != ahead and last_error is not None:
            first = False
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
        until = moment + int(lease_seconds * 1e6)
        connection.execute(
            "UPDATE job SET state = 'running', worker = ?, lease_until = ?, attempts = attempts + 1, touched_at = ? "
            'WHERE row = ?',
            (worker, until, moment, row),
        )
        followers = _followers(payload, waiting, turns) if turns and attempts == 0 else []
        connection.executemany(
            "UPDATE job SET state = 'running', worker = ?, lease_until = ?, touched_at = ?, attempts = 1, "
            'merged_into = ? WHERE row = ?',
            [(worker, until, moment, id_, follower[0]) for follower in followers],
        )
        if first:
            place(connection, owner, max(run_after, until), written)
        else:
            settle(connection, (owner,))
        return _work(connection, 'j.row = ?', row, [(follower[1], follower[3]) for follower in followers])
    return None


def _is_free(connection: Connection, owner: int, moment: int, lease_seconds: float) -> bool:
    """Whether no job of this owner runs. What was left in the middle is put back in its place then."""
    running = connection.execute(
        "SELECT row, lease_until, touched_at, worker FROM job WHERE state = 'running' AND row BETWEEN ? AND ?",
        row_range(owner),
    ).fetchall()
    busy = [one for one in running if one[1] > moment and not holder_is_gone(one[3])]
    # The clock was set back: whoever is still at it renews it in time.
    ahead = [row for row, _, touched_at, _ in busy if touched_at > moment + SET_BACK_US]
    if ahead:
        until = moment + int(lease_seconds * 1e6)
        connection.executemany(
            'UPDATE job SET lease_until = CASE WHEN lease_until > ?1 THEN ?1 ELSE lease_until END, touched_at = ?2 '
            'WHERE row = ?3',
            [(until, moment, row) for row in ahead],
        )
        settle(connection, (owner,))
    if busy or not running:
        return not busy
    connection.execute(
        "UPDATE job SET state = 'queued', worker = NULL, lease_until = NULL, merged_into = NULL, touched_at = ?, "
        "crashes = crashes + 1 WHERE state = 'running' AND row BETWEEN ? AND ?",
        (moment, *row_range(owner)),
    )
    settle(connection, (owner,))
    return True


def _open_jobs(connection: Connection, owner: int, page: int) -> Iterator[Any]:
    """(row, id, state, payload, run_after, touched_at, format, crashes, attempts, last_error), as they came."""
    first, last = row_range(owner)
    while True:
        rows = connection.execute(
            'SELECT row, id, state, payload, run_after, touched_at, format, crashes, attempts, last_error FROM job '
            f'WHERE {OPEN_JOBS} ORDER BY row LIMIT ?',
            (first, last, page),
        ).fetchall()
        yield from rows
        if len(rows) < page:
            return
        first = rows[-1][0] + 1


def _followers(leader: str, waiting: Iterator[Any], turns: int) -> list[Any]:
    """The jobs that follow a payload's, as far as one reading may do them all."""
    options: dict[str, Any] = json.loads(leader)
    same = _options(options)
    turns = max(turns, options.get('turns', 1))
    followers: list[Any] = []
    if not same.get('infer', True):
        return followers
    while len(followers) < turns - 1 and (following := next(waiting, None)) is not None:
        _, _, state, payload, _, _, written, _, attempts, _ = following
        if state != 'queued' or attempts or written > JOB_FORMAT or _options(json.loads(payload)) != same:
            break
        followers.append(following)
    return followers


_OF_ONE = ('episodes', 'trace', 'outages', 'turns')
"""What of a payload tells nothing about how to read the messages."""


def _options(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name not in _OF_ONE}


def load(connection: Connection, job_id: str) -> Work | None:
    """A job with its messages."""
    return _work(connection, 'j.id = ?', job_id)


_JOB: Final = (
    f'SELECT {", ".join(f"j.{column}" for column in JOB_COLUMNS.split(", "))}, o.id, o.project, o.kind, o.key, o.epoch '
    'FROM job j CROSS JOIN owner o WHERE o.id = j.owner AND '
)


def _work(
    connection: Connection,
    where: Literal['j.row = ?', 'j.id = ?'],
    key: Any,
    merged: Sequence[tuple[str, str]] | None = None,
) -> Work | None:
    """A job with its messages, and (id, payload) of those that are done together with it, where they are known."""
    sought_job = connection.ask(_JOB + where, (key,))
    sought_generation = generation_sought(connection)
    followers: Rows | None = None
    if merged is None:
        followers = connection.ask(
            "SELECT id, payload FROM job WHERE state = 'running' AND merged_into = ?1 "
            "AND worker = (SELECT worker FROM job WHERE id = ?1 AND state = 'running') ORDER BY row",
            (key,),
        )
    found = sought_job.fetchone()
    if found is None:
        return None
    number, owner, epoch = found[18], Owner(found[19], found[20], found[21]), found[22]
    job = read_job(found, owner, connection.skew_us)
    if followers is not None:
        merged = followers.fetchall()
    merged = merged or ()
    rows: list[int] = [*job.payload['episodes'], *(row for _, p in merged for row in json.loads(p)['episodes'])]
    sought_episodes = sought(connection, f'{EPISODE} WHERE e.row', rows)
    sought_previous = previous_sought(connection, rows[0]) if rows else None
    sought_segments = _unembedded_segments(connection, number, rows, sought_generation())
    there = {row[0]: row for row in sought_episodes()}
    told = [there[row] for row in rows if row in there]
    episodes = read_episodes(told, owner)
    if told and told[0][0] != rows[0]:  # the first one was erased
        sought_previous = previous_sought(connection, told[0][0])
    previous = sought_previous.fetchall() if told and sought_previous is not None else []
    texts = {row[0]: episode for row, episode in zip(told, episodes, strict=True)}
    return Work(
        job=job,
        owner=owner,
        scope=episodes[0].scope if episodes else level_scope(owner, owner.kind, ''),
        episodes=episodes,
        segments=sought_segments(texts),
        previous=read_episodes(reversed(previous), owner),
        merged=[id_ for id_, _ in merged],
        epoch=epoch,
    )


def _unembedded_segments(
    connection: Connection, owner: int, rows: Sequence[int], current: Generation | None
) -> Callable[[Mapping[int, Episode]], list[tuple[int, str]]]:
    """The parts of messages that have no vector yet, given the messages; to be looked at later."""
    if not rows:
        return lambda episodes: []
    join, bare = '', ''
    if current is not None:
        join = f'LEFT JOIN {vector_tables(current.id)[1]} v ON v.row = s.row '
        bare = ' AND v.row IS NULL'
    last = row_range(owner)[1]
    # A message's segments have the row keys right after its own.
    found = connection.ask(
        f'SELECT s.row, s.episode, s.first, s.last FROM segment s {join}WHERE s.row > ? AND s.row < '
        f'coalesce((SELECT min(e.row) FROM episode e WHERE e.row > ? AND e.row <= ?), ?){bare} ORDER BY s.row',
        (min(rows), max(rows), last, last + 1),
    )

    def look(episodes: Mapping[int, Episode]) -> list[tuple[int, str]]:
        by_message: dict[int, list[tuple[int, str]]] = {row: [] for row in episodes}
        for row, of, first, end in found.fetchall():
            if of in episodes:  # others were said in between
                by_message[of].append((row, episodes[of].text[first:end]))
        return [segment for segments in by_message.values() for segment in segments]

    return look


def _hold_leased(connection: Connection, workers: Collection[str]) -> None:
    """Hold the owners of what is leased under some tokens."""
    if connection.dialect.shared:
        found = connection.execute(
            f"SELECT DISTINCT owner FROM job WHERE state = 'running' AND worker IN {connection.dialect.texts('?')}",
            (json.dumps(list(workers)),),
        ).fetchall()
        hold_owners(connection, [owner for (owner,) in found])


def _hold_of(connection: Connection, job_id: str) -> tuple[int, int] | None:
    """Hold the owner of a job: its number and epoch."""
    shared = connection.dialect.shared
    found = connection.execute(
        f'SELECT id, epoch{WRITES if shared else ""} FROM owner WHERE id = (SELECT owner FROM job WHERE id = ?)'
        f'{HELD if shared else ""}',
        (job_id,),
    ).fetchone()
    return None if found is None else (found[0], found[1])


def renew(connection: Connection, workers: Sequence[str], lease_seconds: float) -> None:
    """Hold what is leased under some tokens for longer."""
    _hold_leased(connection, workers)
    moment = moment_of(connection)
    found = connection.execute(
        "UPDATE job SET lease_until = ?, touched_at = ? WHERE state = 'running' "
        f'AND worker IN {connection.dialect.texts("?")} RETURNING row',
        (moment + int(lease_seconds * 1e6), moment, json.dumps(list(workers))),
    ).fetchall()
    settle(connection, sorted({row >> SEQ_BITS for (row,) in found}))


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
    before = last_said(connection, owner.id, batch.conversation_id, batch.owner)
    waiting = connection.execute(f'SELECT count(*) FROM job WHERE {OPEN_JOBS}', row_range(owner.id)).fetchone()[0]
    return Foreseen(
        drafts=drafts,
        known=len(batch.drafts) - len(drafts),
        first_seq=first,
        previous=before(),
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
    held = _hold_of(connection, job.id)
    if held is None:
        spend(connection, None, None, usage)
        return
    owner, since = held
    spend(connection, job.id, owner, usage)
    moment = moment_of(connection)
    if epoch is not None and since > epoch:
        error = error.partition(':')[0]  # it may quote what is gone
    found = connection.execute(
        "SELECT row, payload FROM job WHERE state = 'running' AND worker = ? AND (id = ? OR merged_into = ?)",
        (worker, job.id, job.id),
    ).fetchall()
    connection.executemany(
        'UPDATE job SET state = ?, run_after = ?, touched_at = ?, last_error = ?, '
        'attempts = CASE WHEN attempts > ?5 THEN attempts - ?5 ELSE 0 END, payload = ?, '
        'finished_at = ?, worker = NULL, lease_until = NULL, merged_into = NULL WHERE row = ?',
        [
            (
                'dead' if retry_after is None else 'queued',
                moment + int(min(max(0.0, retry_after or 0.0), _YEAR) * 1e6),
                moment,
                error[:2000],
                int(not counted),
                _with_outage(payload) if outage else payload,
                moment if retry_after is None else None,
                row,
            )
            for row, payload in found
        ],
    )
    settle(connection, {owner} if found else ())


def _with_outage(payload: str) -> str:
    options: dict[str, Any] = json.loads(payload)
    return json.dumps({**options, 'outages': options.get('outages', 0) + 1})


def abandon(connection: Connection, worker: str) -> None:
    """Give back what is leased under a token."""
    _hold_leased(connection, (worker,))
    found = connection.execute(
        "UPDATE job SET state = 'queued', worker = NULL, lease_until = NULL, merged_into = NULL, touched_at = ?, "
        'attempts = CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END '
        "WHERE state = 'running' AND worker = ? RETURNING row",
        (moment_of(connection), worker),
    ).fetchall()
    settle(connection, {row >> SEQ_BITS for (row,) in found})


def job(connection: Connection, job_id: str, project: str) -> tuple[Owner, Job] | None:
    """A job and whose it is."""
    found = connection.execute(_JOB + 'j.id = ?', (job_id,)).fetchone()
    if found is None:
        return None
    owner = Owner(found[19], found[20], found[21])
    return (owner, read_job(found, owner, connection.skew_us)) if owner.project == project else None


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
    known = [_STATES[state] for state in states if state in _STATES] if states is not None else ['TRUE']
    # With these, the few that are open are looked through instead of all there ever were.
    unfinished = states is not None and set(states) <= {'queued', 'retrying', 'running'}
    where = [f'({" OR ".join(known) or "FALSE"})', 'o.project = ?']
    if unfinished:
        where.append("state IN ('queued', 'running')")
    values: list[Any] = [project]
    if reaches is not None:
        spans: list[str] = []
        for reach in reaches:
            found = find_owner(connection, reach.owner)
            if found is not None:
                test, more = _seen(connection.dialect, reach)
                spans.append(f'(j.row BETWEEN ? AND ? AND {test})')
                values += [*row_range(found.id), *more]
        where.append(f'({" OR ".join(spans) or "FALSE"})')
    # No column of an index: else SQLite would go through the jobs of everybody in the order of their ids.
    id_ = 'j.id' if reaches is None and not unfinished else "coalesce(j.id, '')"
    sql = f'{_JOB}{" AND ".join(where)} AND {id_} < ? ORDER BY {id_} DESC LIMIT ?'
    page: list[Job] = []
    after, size = cursor or _LAST, 2 * limit + 1
    while True:
        rows = connection.execute(sql, (*values, after, size)).fetchall()
        for row in rows:
            found_job = read_job(row, Owner(row[19], row[20], row[21]), connection.skew_us)
            if states is not None and found_job.status not in states:
                continue
            if len(page) == limit:
                return page, page[-1].id
            page.append(found_job)
        if len(rows) < size:
            return page, None
        after, size = rows[-1][0], 2 * size


def _seen(dialect: Dialect, reach: Reach) -> tuple[str, list[Any]]:
    """Which jobs of an owner a reach sees: by the run their messages were said in."""
    run = dialect.member('j.payload', 'said_under', 'run_id')
    if reach.owner.kind != 'user' or (reach.own and reach.runs is None):
        return 'TRUE', []
    tests = [f'{run} IS NULL'] if reach.own else []
    if reach.runs is None:
        tests.append(f'{run} IS NOT NULL')
    elif reach.runs:
        tests.append(f'{run} IN ({", ".join("?" * len(reach.runs))})')
    return f'({" OR ".join(tests) or "FALSE"})', list(reach.runs or ())


def requeue(connection: Connection, job_id: str, project: str) -> Job | None:
    """Make a dead or waiting job due now."""
    _hold_of(connection, job_id)
    found = job(connection, job_id, project)
    if found is None or found[1].status not in ('dead', 'queued', 'retrying'):
        return None
    moment = moment_of(connection)
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
    _hold_of(connection, job_id)
    # Those that are done together with it would wait until the lease ends: what is drawn from all can't be written.
    holder = connection.execute("SELECT worker FROM job WHERE id = ? AND state = 'running'", (job_id,)).fetchone()
    rows = connection.execute(
        "UPDATE job SET state = 'dropped', worker = NULL, lease_until = NULL, finished_at = ?, merged_into = NULL "
        "WHERE id = ? AND state IN ('queued', 'running', 'dead') RETURNING row",
        (moment_of(connection), job_id),
    ).fetchall()
    if holder is not None:
        abandon(connection, holder[0])
    settle(connection, {row >> SEQ_BITS for (row,) in rows})
    return bool(rows)


def unfinished(connection: Connection, limit: int) -> list[Owner]:
    """Owners that have jobs waiting, longest waiting first."""
    rows = connection.execute(
        'SELECT o.project, o.kind, o.key FROM queue q JOIN owner o ON o.id = q.owner ORDER BY q.due LIMIT ?', (limit,)
    )
    return [Owner(*row) for row in rows]
