"""The queue of jobs in a file: a clock that is set back, files of other versions, and many jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from memoranda._bridge import run
from memoranda.records import now
from memoranda.scope import Scope
from memoranda.stores.data import JOB_FORMAT, MAX_CRASHES, NewerJob
from memoranda.stores.sqlite import SQLiteStore
from memoranda.testing._bench import ANA, WORKER, Bench

BEN = Scope(user_id='ben')
HOUR = 3600.0


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    store = SQLiteStore(tmp_path / 'm.db')
    yield Bench(store, run)
    run(store.close())


def execute(bench: Bench, sql: str, values: Sequence[Any] = ()) -> None:
    """Change the file behind the store's back."""
    connection = apsw.Connection(bench.store.location)
    connection.set_busy_timeout(30_000)
    connection.execute(sql, values)
    connection.close()


def us(seconds: float) -> int:
    """A moment so many seconds from now, as it is in the file."""
    return int((now().timestamp() + seconds) * 1e6)


# --- a clock that was set back: what was noted before lies in the future ---


def test_a_job_that_was_noted_before_the_clock_was_set_back_is_due(bench: Bench) -> None:
    job_id = bench.queue('one')
    execute(bench, 'UPDATE job SET run_after = ?1, touched_at = ?1', [us(HOUR)])
    execute(bench, 'UPDATE queue SET due = ?', [us(HOUR)])
    assert bench.next() is None
    assert run(bench.store.recover(lease_seconds=60.0)) >= 1
    assert run(bench.store.due_in()) == 0
    assert bench.taken().job.id == job_id


def test_whoever_asks_for_an_owner_need_not_wait_for_that(bench: Bench) -> None:
    job_id = bench.queue('one')
    execute(bench, 'UPDATE job SET run_after = ?1, touched_at = ?1', [us(HOUR)])
    work = bench.claim(due=True)
    assert work is not None
    assert work.job.id == job_id


def test_an_owner_whose_place_in_the_line_was_noted_before_the_clock_was_set_back_is_due(bench: Bench) -> None:
    for text in ('one', 'two'):
        bench.queue(text)
    bench.finish(bench.taken())
    execute(bench, 'UPDATE queue SET due = ?', [us(HOUR)])  # the job itself came earlier than that
    assert bench.next() is None
    assert run(bench.store.recover(lease_seconds=60.0)) == 1
    assert run(bench.store.recover(lease_seconds=60.0)) == 0
    assert [e.text for e in bench.taken().episodes] == ['two']


def test_what_is_to_be_tried_later_is_not_mistaken_for_that(bench: Bench) -> None:
    for text, scope in (('one', ANA), ('of ben', BEN)):
        bench.queue(text, scope=scope)
    bench.fail(bench.taken(), after=HOUR)
    bench.taken(lease=HOUR)
    bench.queue('two', turns=9)
    assert run(bench.store.recover(lease_seconds=60.0)) == 0
    assert bench.next() is None


@pytest.mark.parametrize('recovers', [True, False])
def test_a_lease_from_before_the_clock_was_set_back_is_no_longer_than_any_other(bench: Bench, recovers: bool) -> None:
    job_id = bench.queue('one')
    work = bench.taken(lease=60.0)
    execute(bench, 'UPDATE job SET lease_until = ?, touched_at = ?', [us(HOUR + 60), us(HOUR)])
    execute(bench, 'UPDATE queue SET due = ?', [us(HOUR + 60)])
    if recovers:
        assert run(bench.store.recover(lease_seconds=60.0)) == 1
    else:
        assert bench.claim(worker='other', lease=60.0) is None  # somebody may be at it
    lease = bench.job(job_id).lease_until
    assert lease is not None
    assert (lease - now()).total_seconds() <= 60
    due = run(bench.store.due_in())
    assert due is not None
    assert 0 < due <= 60
    bench.finish(work)
    assert bench.job(job_id).status == 'done'


def test_jobs_from_before_the_clock_was_set_back_are_counted_among_the_earlier_ones(bench: Bench) -> None:
    job_id = bench.queue('one')
    execute(bench, 'UPDATE job SET created_at = ?', [us(HOUR)])
    assert run(bench.store.waiting(before=job_id)) == 1


# --- jobs of a newer version ---


def test_a_job_of_a_newer_version_is_left_to_it_and_holds_up_only_its_owner(bench: Bench) -> None:
    newer = bench.queue('one')
    bench.queue('two')
    execute(bench, 'UPDATE job SET format = ? WHERE id = ?', [JOB_FORMAT + 1, newer])
    bench.queue('of ben', scope=BEN)
    work = bench.taken()
    assert work.owner.key == 'ben'
    bench.finish(work)
    assert bench.next() is None
    assert run(bench.store.due_in()) is None
    assert run(bench.store.waiting()) == 2
    assert bench.job(newer).status == 'queued'
    with pytest.raises(NewerJob, match='upgrade memoranda'):
        bench.claim()
    execute(bench, 'UPDATE job SET format = ?', [JOB_FORMAT])  # as if this version knew it
    execute(bench, 'UPDATE queue SET format = ?', [JOB_FORMAT])
    assert bench.taken().job.id == newer


def test_a_newer_job_further_back_is_left_when_its_turn_comes(bench: Bench) -> None:
    first, newer = bench.queue('one'), bench.queue('two')
    execute(bench, 'UPDATE job SET format = ? WHERE id = ?', [JOB_FORMAT + 1, newer])
    work = bench.taken(turns=9)
    assert (work.job.id, list(work.merged)) == (first, [])
    bench.finish(work)
    assert bench.next() is None
    assert run(bench.store.due_in()) is None


def test_a_newer_job_behind_one_that_ends_its_processes_holds_up_nobody_else(bench: Bench) -> None:
    crashing, newer = bench.queue('one'), bench.queue('two')
    execute(bench, 'UPDATE job SET format = ? WHERE id = ?', [JOB_FORMAT + 1, newer])
    for _ in range(MAX_CRASHES):
        bench.taken(lease=0.0)
    bench.queue('of ben', scope=BEN)
    assert bench.taken().owner.key == 'ben'
    assert bench.job(crashing).status == 'dead'


def test_an_error_that_is_kept_does_not_keep_the_file(bench: Bench) -> None:
    newer = bench.queue('one')
    execute(bench, 'UPDATE job SET format = ? WHERE id = ?', [JOB_FORMAT + 1, newer])
    with pytest.raises(NewerJob) as kept:
        bench.claim()
    execute(bench, 'UPDATE job SET kind = kind')  # another process writes
    bench.queue('of ben', scope=BEN)
    assert kept.value


def test_a_job_of_an_older_file_is_done(bench: Bench) -> None:
    job_id = bench.queue('one', scope=Scope(user_id='ana', run_id='r1'))
    payload = '{"infer": true, "episodes": ' + str(list(bench.job(job_id).payload['episodes'])) + '}'
    execute(bench, 'UPDATE job SET payload = ?, touched_at = 0', [payload])
    work = bench.taken(turns=3)
    assert [e.text for e in work.episodes] == ['one']
    assert work.scope == Scope(user_id='ana', run_id='r1')
    bench.finish(work)


# --- size ---

JOBS = 10_000
"""How many are queued at the start."""


@contextmanager
def steps() -> Iterator[dict[str, int]]:
    """How many steps SQLite takes, on connections that are opened inside, by statement."""
    taken: dict[str, int] = {}

    def count(event: Any) -> None:
        taken[event['sql']] = taken.get(event['sql'], 0) + event['stmt_status']['SQLITE_STMTSTATUS_VM_STEP']

    def watch(connection: apsw.Connection) -> None:
        connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, count)

    apsw.connection_hooks.append(watch)
    try:
        yield taken
    finally:
        apsw.connection_hooks.remove(watch)


def fill(bench: Bench, owners: int) -> None:
    """Queue many jobs of other users, or of one."""
    run(bench.store.open())
    number = f'WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {JOBS - 1}) '
    execute(
        bench,
        f'{number} INSERT INTO owner(project, kind, key, version, epoch, salt, next_seq) '
        f"SELECT 'default', 'user', 'user ' || i, 1, 1, zeroblob(16), {JOBS + 1} FROM n LIMIT {owners}",
    )
    payload = '{"infer": true, "episodes": [], "conversation": 1, "said_under": {}}'
    execute(
        bench,
        f'{number} INSERT INTO job(row, id, kind, payload, state, created_at, run_after, owner, format, touched_at) '
        "SELECT (o.id << 24) + 1 + i / ?1, printf('0%05d', i), 'extract', ?2, 'queued', ?3, ?3, o.id, 1, ?3 "
        "FROM n JOIN owner o ON o.key = 'user ' || (i % ?1)",
        [owners, payload, us(-HOUR)],
    )
    execute(bench, 'INSERT INTO queue SELECT id, ?, 1, project FROM owner', [us(-HOUR)])


def work_through(bench: Bench, times: int = 5) -> None:
    for number in range(times):
        assert run(bench.store.due_in()) == 0
        work = bench.taken()
        run(bench.store.renew(WORKER, lease_seconds=60.0))
        if number % 2:
            bench.fail(work)
        else:
            bench.finish(work, vectors=False)
        bench.job(work.job.id)


@pytest.mark.parametrize('owners', [JOBS, 1])
def test_the_next_job_is_found_among_many_without_a_search(tmp_path: Path, owners: int) -> None:
    counts: list[int] = []
    for full in (False, True):
        with steps() as taken:
            bench = Bench(SQLiteStore(tmp_path / f'{full}.db'), run)
            if full:
                fill(bench, owners)
            for number in range(5):
                bench.queue(f'{number}', scope=Scope(user_id='ana'))
            taken.clear()
            work_through(bench)
            counts.append(sum(taken.values()))
            run(bench.store.close())
    few, many = counts
    assert many < 2 * few


def test_jobs_of_one_owner_are_listed_without_looking_at_those_of_others(tmp_path: Path) -> None:
    with steps() as taken:
        bench = Bench(SQLiteStore(tmp_path / 'm.db'), run)
        fill(bench, JOBS)
        mine = bench.queue('one')
        for states in (None, ['queued'], ['dead', 'done']):
            taken.clear()
            page, _ = run(
                bench.store.jobs(ANA.reaches('default'), project='default', states=states, limit=10, cursor=None)
            )
            assert [j.id for j in page] == ([] if states == ['dead', 'done'] else [mine])
            assert sum(taken.values()) < JOBS
        run(bench.store.close())
