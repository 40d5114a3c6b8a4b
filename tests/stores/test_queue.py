"""The queue of jobs in a file: any interleaving of workers, a clock that is set back, files of newer versions, size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import settings, strategies
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from memoranda._bridge import run
from memoranda.records import Edit, now
from memoranda.scope import Scope
from memoranda.stores.base import JOB_FORMAT, MAX_CRASHES, LeaseLost, NewerJob, Work
from memoranda.stores.sqlite import SQLiteStore
from memoranda.testing._bench import ANA, WORKER, Bench

BEN = Scope(user_id='ben')
USERS = ('ana', 'ben', 'cam')
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


class _Job:
    """What the model of the queue knows of a job."""

    def __init__(self, id_: str, user: str, conversation: str) -> None:
        self.id, self.user, self.conversation = id_, user, conversation
        self.state = 'queued'
        self.token: str | None = None
        self.live = False
        """Whether its lease has not run out."""
        self.due = True
        self.tried = False

    @property
    def open(self) -> bool:
        return self.state in ('queued', 'running')

    @property
    def busy(self) -> bool:
        return self.state == 'running' and self.live

    def back(self, state: str = 'queued', *, due: bool | None = None, tried: bool = True) -> None:
        self.state, self.token, self.live, self.tried = state, None, False, tried
        self.due = self.due if due is None else due


class Interleavings(RuleBasedStateMachine):
    """Workers, callers and a person at work on the queue at once, compared with a list per owner."""

    claims: Bundle[tuple[Work, str]] = Bundle('claims')

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(SQLiteStore(':memory:'), run)
        self.jobs: list[_Job] = []
        self.tokens = 0
        self.texts: list[str] = []

    def teardown(self) -> None:
        run(self.bench.store.close())

    # --- the model ---

    def of(self, user: str) -> list[_Job]:
        return [j for j in self.jobs if j.user == user]

    def by_id(self, id_: str) -> _Job:
        return next(j for j in self.jobs if j.id == id_)

    def held(self, token: str) -> list[_Job]:
        return [j for j in self.jobs if j.state == 'running' and j.token == token]

    def first(self, user: str) -> _Job | None:
        return next((j for j in self.of(user) if j.open), None)

    def may_be_taken(self, user: str, *, early: bool) -> bool:
        first = self.first(user)
        if first is None or any(j.busy for j in self.of(user)):
            return False
        return first.due or early

    def take(self, work: Work, token: str, live: bool, turns: int) -> None:
        user = work.owner.key
        assert not any(j.busy for j in self.of(user)), 'two jobs of an owner run at once'
        first = self.first(user)
        assert first is not None
        assert work.job.id == first.id, 'out of order'
        self.release(user)
        taken = [first]
        if not first.tried:
            for job in [j for j in self.of(user) if j.open][1:turns]:
                if job.tried or job.conversation != first.conversation:
                    break
                taken.append(job)
        assert list(work.merged) == [j.id for j in taken[1:]]
        for job in taken:
            job.state, job.token, job.live, job.tried = 'running', token, live, True

    def release(self, user: str) -> None:
        """What was left in the middle goes back to its place."""
        for job in self.of(user):
            if job.state == 'running':
                job.back()

    def token(self) -> str:
        self.tokens += 1
        return f'worker {self.tokens}'

    # --- what happens ---

    @rule(user=strategies.sampled_from(USERS), conversation=strategies.sampled_from('xy'), due=strategies.booleans())
    def queue(self, user: str, conversation: str, due: bool) -> None:
        scope = Scope(user_id=user)
        text = f'text {len(self.texts)}'
        self.texts.append(text)
        if due:
            id_ = self.bench.queue(text, scope=scope, conversation=conversation)
        else:
            id_ = self.bench.queue(text, scope=scope, conversation=conversation, turns=1000, seconds=HOUR)
        job = _Job(id_, user, conversation)
        job.due = due
        self.jobs.append(job)

    @rule(target=claims, user=strategies.sampled_from(USERS), live=strategies.booleans())
    def add_inline(self, user: str, live: bool) -> Any:
        token = self.token()
        waiting = any(j.open for j in self.of(user))
        text = f'text {len(self.texts)}'
        self.texts.append(text)
        appended = self.bench.say(
            text, scope=Scope(user_id=user), history=False, worker=token, lease=600.0 if live else 0.0
        )
        assert appended.leased == (not waiting)
        job = _Job(appended.job_id or '', user, 'a conversation')
        self.jobs.append(job)
        if appended.leased:
            job.state, job.token, job.live, job.tried = 'running', token, live, True
        return (self.bench.work(appended), token)

    @rule(target=claims, live=strategies.booleans(), turns=strategies.integers(1, 4))
    def claim_next(self, live: bool, turns: int) -> Any:
        token = self.token()
        due = run(self.bench.store.due_in())
        work = self.bench.next(token, lease=600.0 if live else 0.0, turns=turns)
        ready = [u for u in USERS if self.may_be_taken(u, early=False)]
        assert (work is not None) == bool(ready), 'somebody waits for nothing'
        assert (due == 0) == bool(ready)
        if work is None:
            assert (due is None) == (not any(j.open for j in self.jobs))
            return (None, token)
        assert work.owner.key in ready
        self.take(work, token, live, turns)
        return (work, token)

    @rule(target=claims, user=strategies.sampled_from(USERS), live=strategies.booleans(), early=strategies.booleans())
    def claim(self, user: str, live: bool, early: bool) -> Any:
        token = self.token()
        work = self.bench.claim(Scope(user_id=user), worker=token, lease=600.0 if live else 0.0, due=not early)
        assert (work is not None) == self.may_be_taken(user, early=early)
        if work is not None:
            self.take(work, token, live, 1)
        elif not any(j.busy for j in self.of(user)):
            self.release(user)
        return (work, token)

    @rule(claim=consumes(claims))
    def commit(self, claim: tuple[Work | None, str]) -> None:
        work, token = claim
        if work is None:
            return
        ids = [work.job.id, *work.merged]
        mine = [j for j in self.held(token) if j.id in ids]
        fact = self.bench.fact(f'fact of {token}', work.episodes, scope=Scope(user_id=work.owner.key))
        edit = Edit(op='add', before=None, after=fact)
        if len(mine) == len(ids):
            self.bench.finish(work, edit, worker=token, vectors=False)
            for job in mine:
                job.back('done')
        else:
            with pytest.raises(LeaseLost):
                self.bench.finish(work, edit, worker=token, vectors=False)

    @rule(
        claim=consumes(claims), again=strategies.sampled_from(('now', 'later', 'never')), counted=strategies.booleans()
    )
    def fail(self, claim: tuple[Work | None, str], again: str, counted: bool) -> None:
        work, token = claim
        if work is None:
            return
        after = {'now': 0.0, 'later': HOUR, 'never': None}[again]
        before = {j.id: self.bench.job(j.id).attempts for j in self.held(token)}
        self.bench.fail(work, worker=token, after=after, counted=counted)
        for job in self.held(token):
            job.back('dead' if after is None else 'queued', due=again == 'now')
            job.tried = self.bench.job(job.id).attempts > 0
            assert self.bench.job(job.id).attempts == max(before[job.id] - (not counted), 0)

    @rule(claim=consumes(claims))
    def abandon(self, claim: tuple[Work | None, str]) -> None:
        token = claim[1]
        self.bench.store.abandon(token)
        run(self.bench.store.hurry(Scope(user_id='nobody').home('default')))  # behind it in the line of writes
        for job in self.held(token):
            job.back()
            job.tried = self.bench.job(job.id).attempts > 0

    @rule(claim=claims)
    def renew(self, claim: tuple[Work | None, str]) -> None:
        run(self.bench.store.renew(claim[1], lease_seconds=600.0))
        for job in self.held(claim[1]):
            job.live = True

    @rule(user=strategies.sampled_from(USERS))
    def erase(self, user: str) -> None:
        run(self.bench.store.erase(Scope(user_id=user).erasure('default')))
        self.jobs = [j for j in self.jobs if j.user != user]

    @precondition(lambda self: self.jobs)
    @rule(data=strategies.data())
    def requeue(self, data: strategies.DataObject) -> None:
        job = data.draw(strategies.sampled_from(self.jobs), label='job')
        silent = job.state == 'running' and not job.live
        found = run(self.bench.store.requeue(job.id, project='default'))
        assert (found is not None) == (job.state in ('dead', 'queued') or silent)
        if found is not None:
            job.back(due=True, tried=False)

    @precondition(lambda self: self.jobs)
    @rule(data=strategies.data())
    def drop(self, data: strategies.DataObject) -> None:
        job = data.draw(strategies.sampled_from(self.jobs), label='job')
        dropped = run(self.bench.store.drop(job.id, project='default'))
        assert dropped == (job.state in ('queued', 'running', 'dead'))
        if dropped:
            token = job.token
            job.back('dropped')
            for other in self.held(token or ''):
                other.back()
                other.tried = self.bench.job(other.id).attempts > 0

    @rule()
    def hurry(self) -> None:
        run(self.bench.store.hurry())
        for job in self.jobs:
            if job.state == 'queued' and not job.tried and self.bench.job(job.id).last_error is None:
                job.due = True

    @rule()
    def recover(self) -> None:
        assert run(self.bench.store.recover(lease_seconds=600.0)) == 0  # nobody is gone, no clock was set

    @invariant()
    def states_agree(self) -> None:
        assert run(self.bench.store.waiting()) == sum(j.open for j in self.jobs)
        page, _ = run(self.bench.store.jobs(None, project='default', states=None, limit=1000, cursor=None))
        assert [j.id for j in page] == [j.id for j in reversed(self.jobs)]
        for found, job in zip(page, reversed(self.jobs), strict=True):
            assert found.state == job.state
            assert (found.status == 'running') == job.busy

    @invariant()
    def the_queue_knows_when_the_next_is_due(self) -> None:
        due = run(self.bench.store.due_in())
        assert (due == 0) == any(self.may_be_taken(u, early=False) for u in USERS)
        assert (due is None) == (not any(j.open for j in self.jobs))


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


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
    execute(bench, 'INSERT INTO queue SELECT id, ?, 1 FROM owner', [us(-HOUR)])


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
