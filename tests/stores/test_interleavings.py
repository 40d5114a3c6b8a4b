"""Workers, callers and a person at work on the queue at once, in any order, compared with a list per owner."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings, strategies
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from memoranda._bridge import run
from memoranda.records import Edit
from memoranda.scope import Scope
from memoranda.stores.data import LeaseLost, Work
from memoranda.stores.sqlite import SQLiteStore
from memoranda.testing._bench import Bench

USERS = ('ana', 'ben', 'cam')
HOUR = 3600.0


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

    def take(self, work: Work, token: str, live: bool, turns: int, first: _Job | None = None) -> None:
        user = work.owner.key
        assert not any(j.busy for j in self.of(user)), 'two jobs of an owner run at once'
        first = first or self.first(user)
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

    @rule(target=claims, user=strategies.sampled_from(USERS), live=strategies.booleans())
    def claim_ahead(self, user: str, live: bool) -> Any:
        """The latest job is a fact that was given: it doesn't wait for those that failed."""
        token = self.token()
        waiting = [j for j in self.of(user) if j.open]
        if not waiting:
            return (None, token)
        mine = waiting[-1]
        failed = {j.id for j in waiting if self.bench.job(j.id).last_error is not None}
        work = self.bench.claim(Scope(user_id=user), worker=token, lease=600.0 if live else 0.0, ahead=mine.id)
        assert (work is None) == any(j.busy for j in waiting)
        if work is not None:
            first = next(j for j in waiting if j is mine or j.id not in failed)
            self.take(work, token, live, 1, first)
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
