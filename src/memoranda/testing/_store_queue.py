"""The part of `StoreSuite` about jobs that wait for a worker: order, leases, and what a person does to them."""

# the names of the tests say what they check
from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from memoranda.errors import Conflict
from memoranda.records import Edit, Job, JobStatus, Usage, now
from memoranda.scope import Owner, Reach, Scope
from memoranda.stores.base import MAX_CRASHES, LeaseLost, Store, Work
from memoranda.stores.leases import holder_is_gone, new_token
from memoranda.testing._bench import ANA, WORKER, Bench, raises
from memoranda.testing._store_base import StoreTests

__all__ = ['JobListTests', 'LeaseTests', 'MergeTests', 'QueueTests']

BEN, CAM = Scope(user_id='ben'), Scope(user_id='cam')
HOUR = 3600.0


def gone_token() -> str:
    """The token of a process of this machine that ended."""
    node, pid, _, rest = new_token().rsplit(':', 3)
    return ':'.join((node, pid, 'another', rest))


class QueueTests(StoreTests):
    """Which job comes next, and when."""

    def test_an_empty_queue_has_nothing_to_do(self, store: Store) -> None:
        bench = self.bench(store)
        assert bench.next() is None
        assert self.run(store.due_in()) is None
        assert self.run(store.waiting()) == 0
        assert self.run(store.waiting(ANA.home('default'))) == 0
        assert self.run(store.recover(lease_seconds=60.0)) == 0
        self.run(store.hurry())
        self.run(store.hurry(ANA.home('default')))

    def test_a_job_for_a_worker_waits_for_one_and_is_due_at_once(self, store: Store) -> None:
        bench = self.bench(store)
        job_id = bench.queue('one')
        job = bench.job(job_id)
        assert (job.status, job.attempts, job.lease_until, job.last_error) == ('queued', 0, None, None)
        assert job.scope == ANA
        assert self.run(store.due_in()) == 0
        work = bench.taken()
        assert (work.job.id, work.job.attempts, work.owner) == (job_id, 1, ANA.home('default'))
        assert [e.text for e in work.episodes] == ['one']
        running = bench.job(job_id)
        assert running.status == 'running'
        assert running.lease_until is not None
        bench.finish(work)
        done = bench.job(job_id)
        assert (done.status, done.lease_until) == ('done', None)
        assert done.finished_at is not None
        assert self.run(store.due_in()) is None

    def test_a_running_job_holds_back_the_later_ones_of_its_owner(self, store: Store) -> None:
        bench = self.bench(store)
        jobs = [bench.queue(text) for text in ('one', 'two', 'three')]
        for job_id in jobs:
            work = bench.taken()
            assert work.job.id == job_id
            assert bench.next('other') is None
            assert bench.claim(worker='other') is None
            due = self.run(store.due_in())
            assert due is not None
            assert due > 0
            bench.finish(work)
        assert bench.next() is None

    def test_owners_are_worked_for_at_the_same_time(self, store: Store) -> None:
        bench = self.bench(store)
        ids = [bench.queue('one', scope=scope) for scope in (ANA, BEN, CAM)]
        ids.append(bench.queue('one', project='other'))
        assert [bench.taken(f'worker {n}').job.id for n in range(4)] == ids
        assert bench.next('one more') is None

    def test_who_has_many_jobs_holds_up_nobody(self, store: Store) -> None:
        bench = self.bench(store)
        for number in range(10):
            bench.queue(f'{number}')
        bench.queue('of ben', scope=BEN)
        bench.queue('of cam', scope=CAM)
        bench.queue('again of cam', scope=CAM)
        served: list[str] = []
        while (work := bench.next()) is not None:
            served.append(work.owner.key)
            bench.finish(work)
        assert served == ['ana', 'ben', 'cam', 'ana', 'cam', *['ana'] * 8]

    def test_who_goes_on_speaking_keeps_the_place_in_the_line(self, store: Store) -> None:
        bench = self.bench(store)
        bench.queue('one')
        bench.queue('one', scope=BEN)
        bench.queue('two')
        bench.queue('two', scope=BEN)
        bench.queue('three')
        assert bench.taken().owner.key == 'ana'

    def test_a_job_that_failed_is_due_at_its_time_and_others_are_not_held_up(self, store: Store) -> None:
        bench = self.bench(store)
        first = bench.queue('one')
        bench.queue('two')
        bench.fail(bench.taken(), after=HOUR, error='Timeout: no answer')
        assert bench.next() is None
        due = self.run(store.due_in())
        assert due is not None
        assert 0 < HOUR - due < 60
        job = bench.job(first)
        assert (job.status, job.attempts, job.last_error) == ('retrying', 1, 'Timeout: no answer')
        assert 0 < (job.run_after - now()).total_seconds() <= HOUR
        bench.queue('of ben', scope=BEN)
        assert self.run(store.due_in()) == 0
        assert bench.taken().owner.key == 'ben'

    def test_a_job_is_tried_again_when_its_time_has_come(self, store: Store) -> None:
        bench = self.bench(store)
        first = bench.queue('one')
        bench.queue('two')
        for attempt in (1, 2, 3):
            work = bench.taken()
            assert (work.job.id, work.job.attempts) == (first, attempt)
            bench.fail(work)
        assert self.run(store.due_in()) == 0

    def test_what_was_not_a_try_is_not_counted(self, store: Store) -> None:
        bench = self.bench(store)
        job_id = bench.queue('one')
        for _ in range(3):
            bench.fail(bench.taken(), counted=False, error='ModelResting: later')
            job = bench.job(job_id)
            assert (job.attempts, job.status, job.last_error) == (0, 'retrying', 'ModelResting: later')
        bench.finish(bench.taken())
        job = bench.job(job_id)
        assert (job.attempts, job.status, job.last_error) == (1, 'done', None)

    def test_what_a_failed_try_cost_is_kept(self, store: Store) -> None:
        bench = self.bench(store)
        job_id = bench.queue('one')
        cost = Usage(requests=2, input_tokens=70, output_tokens=5)
        for times in (1, 2):
            self.run(store.fail(bench.taken().job, worker=WORKER, error='E: x', retry_after=0.0, usage=cost))
            assert bench.job(job_id).usage.requests == 2 * times
        assert self.run(store.stats()).usage.input_tokens == 140

    def test_a_job_that_is_given_up_lets_the_next_one_pass(self, store: Store) -> None:
        bench = self.bench(store)
        first, second = bench.queue('one'), bench.queue('two')
        bench.fail(bench.taken(), after=None, error='E: unreadable')
        dead = bench.job(first)
        assert (dead.status, dead.last_error) == ('dead', 'E: unreadable')
        assert dead.finished_at is not None
        assert bench.taken().job.id == second

    def test_turns_of_a_conversation_wait_for_more_and_are_due_together(self, store: Store) -> None:
        bench = self.bench(store)
        for number in (1, 2):
            bench.queue(f'{number}', turns=3)
            assert bench.next() is None
            due = self.run(store.due_in())
            assert due is not None
            assert 0 < due <= HOUR
        bench.queue('3', turns=3)
        for number in (1, 2, 3):
            work = bench.taken()
            assert [e.text for e in work.episodes] == [f'{number}']
            bench.finish(work)

    def test_another_turn_starts_the_wait_anew(self, store: Store) -> None:
        bench = self.bench(store)
        first = bench.queue('1', turns=9, seconds=HOUR)
        bench.queue('2', turns=9, seconds=5 * HOUR)
        assert bench.job(first).run_after - now() > timedelta(seconds=4 * HOUR)
        bench.queue('3', turns=9, seconds=0.0)
        assert bench.taken().job.id == first

    def test_only_turns_of_the_same_conversation_count(self, store: Store) -> None:
        bench = self.bench(store)
        bench.queue('1', turns=2, conversation='one')
        bench.queue('1', turns=2, conversation='two')
        bench.queue('1', turns=2, scope=BEN, conversation='one')
        assert bench.next() is None
        bench.queue('2', turns=2, scope=BEN, conversation='one')
        assert bench.taken().owner.key == 'ben'
        assert bench.next() is None

    def test_a_turn_that_failed_does_not_count_for_the_next_ones(self, store: Store) -> None:
        bench = self.bench(store)
        first = bench.queue('1')
        bench.fail(bench.taken(), after=HOUR)
        before = bench.job(first).run_after
        second = bench.queue('2', turns=2, seconds=2 * HOUR)
        assert bench.job(second).run_after - now() > timedelta(seconds=HOUR)
        assert bench.job(first).run_after == before

    def test_what_waits_for_more_turns_can_be_hurried(self, store: Store) -> None:
        bench = self.bench(store)
        bench.queue('of ana', turns=9)
        bench.queue('of ben', turns=9, scope=BEN)
        self.run(store.hurry(CAM.home('default')))
        self.run(store.hurry(ANA.home('other')))
        assert bench.next() is None
        self.run(store.hurry(BEN.home('default')))
        assert bench.taken().owner.key == 'ben'
        assert bench.next() is None
        self.run(store.hurry())
        assert bench.taken().owner.key == 'ana'

    def test_a_job_that_failed_is_not_hurried(self, store: Store) -> None:
        bench = self.bench(store)
        bench.queue('one')
        bench.queue('of ben', scope=BEN)
        bench.fail(bench.taken(), after=HOUR)
        bench.fail(bench.taken(), after=HOUR, counted=False)
        self.run(store.hurry())
        assert bench.next() is None

    def test_unfinished_jobs_are_counted_by_owner_and_by_when_they_came(self, store: Store) -> None:
        bench = self.bench(store)
        ids = [bench.queue(text, scope=scope) for text in ('one', 'two') for scope in (ANA, BEN)]
        work = bench.taken()
        assert self.run(store.waiting()) == 4
        assert self.run(store.waiting(ANA.home('default'))) == 2
        assert self.run(store.waiting(CAM.home('default'))) == 0
        assert self.run(store.waiting(ANA.home('other'))) == 0
        assert [self.run(store.waiting(before=id_)) for id_ in ids] == [0, 1, 2, 3]
        assert self.run(store.waiting(BEN.home('default'), before=ids[3])) == 1
        bench.finish(work)
        bench.fail(bench.taken(), after=None)
        assert self.run(store.waiting()) == 2

    def test_a_caller_who_waits_may_take_a_job_before_its_time(self, store: Store) -> None:
        bench = self.bench(store)
        first = bench.queue('one', turns=9)
        assert bench.claim(due=True) is None
        work = bench.claim()
        assert work is not None
        assert work.job.id == first

    def test_a_given_fact_need_not_wait_for_messages_that_failed(self, store: Store) -> None:
        bench = self.bench(store)
        failed = bench.queue('one')
        bench.fail(bench.taken(), after=HOUR)
        fresh, mine = bench.queue('two'), bench.queue('three')
        work = bench.claim(ahead=mine)
        assert work is not None
        assert work.job.id == fresh  # it never failed, so it is read in its turn
        bench.finish(work)
        work = bench.claim(ahead=mine)
        assert work is not None
        assert work.job.id == mine
        assert bench.claim(worker='other') is None
        assert bench.next('other') is None
        bench.finish(work)
        assert bench.job(failed).status == 'retrying'

    def test_where_a_message_came_from_stays_with_its_job(self, store: Store) -> None:
        bench = self.bench(store)
        trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
        bench.queue('one', trace=trace)
        assert bench.taken().job.payload['trace'] == trace


class LeaseTests(StoreTests):
    """Who holds a job, for how long, and what happens when they fall silent."""

    def test_what_fell_silent_is_taken_over_and_counted_as_a_crash(self, store: Store) -> None:
        bench = self.bench(store)
        job_id = bench.queue('one')
        late = bench.taken(lease=0.0)
        assert bench.job(job_id).status == 'queued'
        taken = bench.taken('other')
        assert (taken.job.id, taken.job.attempts, taken.job.crashes) == (job_id, 2, 1)
        with raises(LeaseLost):
            bench.finish(late, Edit(op='add', before=None, after=bench.fact('one', late.episodes)))
        bench.finish(taken, worker='other')
        assert bench.texts() == []

    def test_a_job_that_ends_its_processes_again_and_again_is_given_up(self, store: Store) -> None:
        bench = self.bench(store)
        job_id, later = bench.queue('one'), bench.queue('two')
        for _ in range(MAX_CRASHES):
            assert bench.taken(lease=0.0).job.id == job_id
        assert bench.taken().job.id == later
        job = bench.job(job_id)
        assert (job.status, job.crashes) == ('dead', MAX_CRASHES)
        assert job.last_error is not None
        assert job.last_error.startswith('Crash')
        assert self.run(store.stats()).jobs_dead == 1

    def test_the_last_job_of_an_owner_may_be_given_up_so_too(self, store: Store) -> None:
        bench = self.bench(store)
        bench.queue('one')
        for _ in range(MAX_CRASHES):
            bench.taken(lease=0.0)
        assert bench.next() is None
        assert self.run(store.due_in()) is None
        assert self.run(store.waiting()) == 0

    def test_a_lease_that_is_renewed_is_held(self, store: Store) -> None:
        bench = self.bench(store)
        for scope in (ANA, BEN, CAM):
            bench.queue('one', scope=scope)
        for worker in ('first', 'second', 'third'):
            bench.taken(worker, lease=0.0001)
        self.run(store.renew('first', 'second', 'nobody', lease_seconds=HOUR))
        assert bench.taken('other').owner.key == 'cam'
        assert bench.next('other') is None

    def test_a_lease_that_was_lost_is_not_renewed(self, store: Store) -> None:
        bench = self.bench(store)
        job_id = bench.queue('one')
        bench.taken('late', lease=0.0)
        work = bench.taken('other')
        self.run(store.renew('late', lease_seconds=HOUR))
        bench.finish(work, worker='other')
        self.run(store.renew('late', 'other', lease_seconds=HOUR))
        assert bench.job(job_id).status == 'done'
        self.run(store.renew(lease_seconds=HOUR))

    def test_a_lease_that_ran_out_is_still_good_while_nobody_took_it(self, store: Store) -> None:
        bench = self.bench(store)
        bench.queue('one')
        work = bench.taken(lease=0.0)
        bench.finish(work, Edit(op='add', before=None, after=bench.fact('one', work.episodes)))
        assert bench.texts() == ['one']
        assert bench.next('other') is None

    def test_a_job_is_done_once_also_by_two_who_share_a_token(self, store: Store) -> None:
        bench = self.bench(store)
        bench.queue('one')
        work = bench.taken()
        assert bench.next() is None  # the same token is no way in
        bench.finish(work, Edit(op='add', before=None, after=bench.fact('one', work.episodes)))
        with raises(LeaseLost):
            bench.finish(work, Edit(op='add', before=None, after=bench.fact('One', work.episodes)))
        self.run(store.fail(work.job, worker=WORKER, error='E: x', retry_after=0.0))
        assert bench.texts() == ['one']
        assert bench.job(work.job.id).status == 'done'

    def test_an_abandoned_job_is_due_at_once_and_was_not_tried(self, store: Store) -> None:
        bench = self.bench(store)
        job_id = bench.queue('one')
        work = bench.taken('mine')
        store.abandon('nobody')
        store.abandon('mine')
        again = _soon(bench)
        assert (again.job.id, again.job.attempts, again.job.crashes) == (job_id, 1, 0)
        with raises(LeaseLost):
            bench.finish(work, worker='mine')

    def test_what_a_process_held_that_is_gone_is_given_back(self, store: Store) -> None:
        gone = gone_token()
        if not holder_is_gone(gone):  # a system on which nobody can tell
            return
        bench = self.bench(store)
        job_id = bench.queue('one')
        bench.queue('of ben', scope=BEN)
        bench.taken(gone)
        alive = bench.taken(new_token())
        assert bench.job(job_id).status == 'queued'  # whatever its lease says
        assert self.run(store.recover(lease_seconds=60.0)) == 1
        assert self.run(store.recover(lease_seconds=60.0)) == 0
        assert self.run(store.due_in()) == 0
        work = bench.taken()
        assert (work.job.id, work.job.crashes) == (job_id, 1)
        assert bench.next() is None
        assert bench.job(alive.job.id).status == 'running'

    def test_whoever_asks_for_an_owner_need_not_wait_for_a_process_that_is_gone(self, store: Store) -> None:
        gone = gone_token()
        if not holder_is_gone(gone):
            return
        bench = self.bench(store)
        job_id = bench.queue('one')
        bench.taken(gone)
        work = bench.claim(due=True)
        assert work is not None
        assert work.job.id == job_id

    def test_erasing_an_owner_whose_job_runs_leaves_nothing_to_do(self, store: Store) -> None:
        bench = self.bench(store)
        job_id = bench.queue('one')
        bench.queue('two')
        work = bench.taken()
        self.run(store.erase(ANA.erasure('default')))
        with raises(LeaseLost):
            bench.finish(work, Edit(op='add', before=None, after=bench.fact('one', work.episodes)))
        self.run(store.fail(work.job, worker=WORKER, error='E: x', retry_after=0.0))
        store.abandon(WORKER)
        self.run(store.renew(WORKER, lease_seconds=60.0))
        assert bench.next() is None
        assert self.run(store.due_in()) is None
        assert self.run(store.job(job_id, project='default')) is None
        assert bench.texts() == []
        bench.queue('anew')
        assert [e.text for e in bench.taken().episodes] == ['anew']

    def test_erasing_one_run_lets_the_jobs_of_the_others_go_on(self, store: Store) -> None:
        bench = self.bench(store)
        runs = [Scope(user_id='ana', run_id=name) for name in ('r1', 'r2')]
        for run in (*runs, runs[0]):
            bench.queue('one', scope=run)
        work = bench.taken()
        self.run(store.erase(runs[0].erasure('default')))
        with raises(LeaseLost):
            bench.finish(work)
        assert self.run(store.due_in()) == 0
        assert bench.taken().scope == runs[1]
        assert self.run(store.waiting()) == 1


class MergeTests(StoreTests):
    """Turns of a conversation that are read together."""

    def test_turns_that_follow_each_other_are_taken_together(self, store: Store) -> None:
        bench = self.bench(store)
        ids = [bench.queue(text) for text in 'abcde']
        work = bench.taken(turns=3)
        assert work.job.id == ids[0]
        assert list(work.merged) == ids[1:3]
        assert [e.text for e in work.episodes] == ['a', 'b', 'c']
        assert [text for _, text in work.segments] == ['a', 'b', 'c']
        assert [bench.job(id_).status for id_ in ids] == [*['running'] * 3, 'queued', 'queued']
        assert [bench.job(id_).merged_into for id_ in ids] == [None, ids[0], ids[0], None, None]
        assert bench.next('other', turns=3) is None
        bench.finish(work)
        assert list(bench.taken(turns=3).merged) == ids[4:]

    def test_what_was_read_together_is_done_by_one_commit_and_each_tells_its_changes(self, store: Store) -> None:
        bench = self.bench(store)
        ids = [bench.queue(text) for text in 'abc']
        work = bench.taken(turns=3)
        edit = Edit(op='add', before=None, after=bench.fact('all of it', work.episodes))
        bench.finish(work, edit)
        assert [bench.job(id_).status for id_ in ids] == ['done'] * 3
        for id_ in ids:
            assert list(self.run(store.edits_of(id_))) == [edit]
        assert bench.next() is None
        with raises(LeaseLost):
            bench.finish(work, Edit(op='add', before=None, after=bench.fact('once more', work.episodes)))

    def test_only_turns_with_the_same_options_are_taken_together(self, store: Store) -> None:
        bench = self.bench(store)
        plain = bench.queue('a', trace='one')
        same = bench.queue('b', trace='another')
        bench.queue('c', options={'tags': ['t']})
        bench.queue('d')
        work = bench.taken(turns=9)
        assert (work.job.id, list(work.merged)) == (plain, [same])
        bench.finish(work)
        assert list(bench.taken(turns=9).merged) == []

    def test_only_turns_of_one_conversation_and_scope_are_taken_together(self, store: Store) -> None:
        bench = self.bench(store)
        bench.queue('a', conversation='one')
        bench.queue('b', conversation='two')
        bench.queue('c', conversation='two', scope=Scope(user_id='ana', agent_id='guide'))
        bench.queue('d', scope=BEN, conversation='one')
        seen: list[str] = []
        while (work := bench.next(turns=9)) is not None:
            assert list(work.merged) == []
            seen += [e.text for e in work.episodes]
            bench.finish(work)
        assert sorted(seen) == ['a', 'b', 'c', 'd']

    def test_given_facts_are_not_taken_together(self, store: Store) -> None:
        bench = self.bench(store)
        for text in 'ab':
            bench.queue(text, options={'infer': False})
        assert list(bench.taken(turns=9).merged) == []

    def test_what_was_tried_before_is_taken_alone(self, store: Store) -> None:
        bench = self.bench(store)
        ids = [bench.queue(text) for text in 'abc']
        bench.fail(bench.taken(turns=3), error='E: one of them')
        assert [bench.job(id_).status for id_ in ids] == ['retrying'] * 3
        assert [bench.job(id_).attempts for id_ in ids] == [1] * 3
        for id_ in ids:
            work = bench.taken(turns=3)
            assert (work.job.id, list(work.merged), work.job.attempts) == (id_, [], 2)
            bench.finish(work)
            assert [e.text for e in work.episodes] == ['abc'[ids.index(id_)]]

    def test_a_turn_that_was_tried_ends_what_is_taken_together(self, store: Store) -> None:
        bench = self.bench(store)
        first = bench.queue('a')
        bench.fail(bench.taken())
        ids = [bench.queue(text) for text in 'bc']
        requeued = bench.taken(turns=9)
        assert (requeued.job.id, list(requeued.merged)) == (first, [])
        bench.finish(requeued)
        assert list(bench.taken(turns=9).merged) == ids[1:]

    def test_a_failure_that_is_not_counted_keeps_them_together(self, store: Store) -> None:
        bench = self.bench(store)
        ids = [bench.queue(text) for text in 'abc']
        bench.fail(bench.taken(turns=3), counted=False)
        assert [bench.job(id_).attempts for id_ in ids] == [0] * 3
        assert list(bench.taken(turns=3).merged) == ids[1:]

    def test_they_are_given_up_together(self, store: Store) -> None:
        bench = self.bench(store)
        ids = [bench.queue(text) for text in 'abc']
        bench.fail(bench.taken(turns=3), after=None, error='E: nothing fits')
        assert [(bench.job(id_).status, bench.job(id_).last_error) for id_ in ids] == [('dead', 'E: nothing fits')] * 3
        assert bench.next() is None

    def test_abandoned_together_they_are_taken_together_again(self, store: Store) -> None:
        bench = self.bench(store)
        ids = [bench.queue(text) for text in 'abc']
        bench.taken('mine', turns=3)
        store.abandon('mine')
        work = _soon(bench, turns=3)
        assert (work.job.id, list(work.merged)) == (ids[0], ids[1:])
        assert {bench.job(id_).attempts for id_ in ids} == {1}

    def test_their_lease_is_renewed_together(self, store: Store) -> None:
        bench = self.bench(store)
        ids = [bench.queue(text) for text in 'abc']
        bench.taken('mine', lease=0.0, turns=3)
        assert {bench.job(id_).status for id_ in ids} == {'queued'}
        self.run(store.renew('mine', lease_seconds=HOUR))
        assert {bench.job(id_).status for id_ in ids} == {'running'}
        assert bench.next('other') is None

    def test_when_who_read_them_falls_silent_each_is_taken_alone(self, store: Store) -> None:
        bench = self.bench(store)
        ids = [bench.queue(text) for text in 'abc']
        late = bench.taken('late', lease=0.0, turns=3)
        for id_ in ids:
            work = bench.taken(turns=3)
            assert (work.job.id, list(work.merged)) == (id_, [])
            self.run(store.renew('late', lease_seconds=HOUR))
            with raises(LeaseLost):
                bench.finish(late, Edit(op='add', before=None, after=bench.fact('late', late.episodes)), worker='late')
            bench.finish(work)
        assert bench.texts() == []

    def test_the_rest_is_free_when_one_of_them_is_dropped(self, store: Store) -> None:
        for dropped in (0, 1):
            bench = self.bench(store)
            ids = [bench.queue(text, scope=Scope(user_id=f'user {dropped}')) for text in 'abc']
            work = bench.taken(turns=3)
            assert self.run(store.drop(ids[dropped], project='default'))
            with raises(LeaseLost):
                bench.finish(work, Edit(op='add', before=None, after=bench.fact('late', work.episodes)))
            ids.remove(ids[dropped])
            seen: list[str] = []
            while (work := bench.next()) is not None:
                assert work.job.crashes == 0
                seen.append(work.job.id)
                bench.finish(work)
            assert seen == ids

    def test_what_was_erased_meanwhile_is_not_committed(self, store: Store) -> None:
        bench = self.bench(store)
        run = Scope(user_id='ana', run_id='r1')
        bench.queue('elsewhere', scope=Scope(user_id='ana', run_id='r2'), turns=9)
        self.run(store.hurry())
        bench.finish(bench.taken())
        for text in 'abc':
            bench.queue(text, scope=run)
        work = bench.taken(turns=3)
        self.run(store.erase(run.erasure('default')))
        with raises(LeaseLost):
            bench.finish(work, Edit(op='add', before=None, after=bench.fact('abc', work.episodes)))
        assert bench.texts() == []
        assert self.run(store.waiting()) == 0

    def test_a_key_that_is_used_again_tells_of_the_turns_own_message(self, store: Store) -> None:
        bench = self.bench(store)
        first, second = (bench.queue(text, key=text) for text in 'ab')
        work = bench.taken(turns=2)
        bench.finish(work, Edit(op='add', before=None, after=bench.fact('both', work.episodes)))
        again = self.run(
            store.append(bench.batch('b', history=False, key='b')),
        )
        assert (again.job_id, again.replayed, len(again.episode_ids)) == (second, True, 1)
        assert list(self.run(store.edits_of(second))) == list(self.run(store.edits_of(first)))


class JobListTests(StoreTests):
    """Jobs as a person looks after them."""

    def listed(
        self,
        store: Store,
        reaches: Sequence[Reach] | None,
        *,
        project: str = 'default',
        states: Sequence[JobStatus] | None = None,
    ) -> list[str]:
        """Ids of the jobs, latest first, read two at a time."""
        found: list[Job] = []
        cursor: str | None = None
        while True:
            page, cursor = self.run(store.jobs(reaches, project=project, states=states, limit=2, cursor=cursor))
            assert len(page) <= 2
            found += page
            if cursor is None:
                return [job.id for job in found]
            assert len(page) == 2

    def test_jobs_are_listed_latest_first_page_by_page(self, store: Store) -> None:
        bench = self.bench(store)
        assert self.listed(store, None) == []
        assert self.listed(store, ANA.reaches('default')) == []
        ids = [bench.queue(f'{number}') for number in range(5)]
        assert self.listed(store, ANA.reaches('default')) == ids[::-1]
        assert self.listed(store, None) == ids[::-1]
        page, cursor = self.run(
            store.jobs(ANA.reaches('default'), project='default', states=None, limit=5, cursor=None)
        )
        assert ([j.id for j in page], cursor) == (ids[::-1], None)

    def test_jobs_of_other_owners_and_projects_are_not_seen(self, store: Store) -> None:
        bench = self.bench(store)
        mine, bens = bench.queue('one'), bench.queue('one', scope=BEN)
        of_agent = bench.queue('one', scope=Scope(agent_id='ana'))
        elsewhere = bench.queue('one', project='other')
        assert self.listed(store, ANA.reaches('default')) == [mine]
        assert self.listed(store, BEN.reaches('default')) == [bens]
        assert self.listed(store, Scope(user_id='ana', agent_id='ana').reaches('default')) == [of_agent, mine]
        assert self.listed(store, None) == [of_agent, bens, mine]
        assert self.listed(store, None, project='other') == [elsewhere]
        assert self.listed(store, ANA.reaches('default'), project='other') == []
        assert self.listed(store, ANA.reaches('other'), project='other') == [elsewhere]
        assert self.listed(store, CAM.reaches('default')) == []
        assert self.run(store.job(mine, project='other')) is None
        assert self.run(store.job('no such job', project='default')) is None
        found = self.run(store.job(elsewhere, project='other'))
        assert found is not None
        assert found[0] == Owner('other', 'user', 'ana')

    def test_the_jobs_of_a_run_are_seen_from_that_run_and_from_the_user(self, store: Store) -> None:
        bench = self.bench(store)
        one, two = (Scope(user_id='ana', run_id=name) for name in ('r1', 'r2'))
        plain, first, second = bench.queue('a'), bench.queue('b', scope=one), bench.queue('c', scope=two)
        alone = bench.queue('d', scope=Scope(run_id='r1'))
        assert self.listed(store, ANA.reaches('default')) == [second, first, plain]
        assert self.listed(store, one.reaches('default')) == [first, plain]
        assert self.listed(store, ANA.reaches('default', levels=('user',))) == [plain]
        assert self.listed(store, one.reaches('default', levels=('run',))) == [first]
        assert self.listed(store, Scope(run_id='r1').reaches('default')) == [alone]
        assert bench.job(first).scope == one

    def test_jobs_are_listed_by_how_far_they_are(self, store: Store) -> None:
        bench = self.bench(store)
        ids: dict[JobStatus, str] = {}
        for status in ('done', 'dead', 'dropped', 'retrying', 'running', 'queued'):
            ids[status] = bench.queue(status, scope=Scope(user_id=status))
        bench.finish(bench.taken())
        bench.fail(bench.taken(), after=None)
        assert self.run(store.drop(ids['dropped'], project='default'))
        bench.fail(bench.taken(), after=HOUR)
        bench.taken()
        for status, id_ in ids.items():
            assert bench.job(id_).status == status
            assert self.listed(store, None, states=[status]) == [id_]
            assert self.listed(store, Scope(user_id=status).reaches('default'), states=[status]) == [id_]
            assert self.listed(store, ANA.reaches('default'), states=[status]) == []
        assert self.listed(store, None, states=['dead', 'done']) == [ids['dead'], ids['done']]
        assert self.listed(store, None, states=['unsaved']) == []
        assert self.listed(store, None, states=list(ids)) == list(ids.values())[::-1]

    def test_a_job_whose_worker_fell_silent_is_listed_as_queued(self, store: Store) -> None:
        bench = self.bench(store)
        ids = [bench.queue('one', scope=Scope(user_id=f'user {n}')) for n in range(7)]
        for n in range(6):
            bench.taken(f'worker {n}', lease=HOUR if n % 2 else 0.0)
        assert self.listed(store, None, states=['running']) == [ids[5], ids[3], ids[1]]
        assert self.listed(store, None, states=['queued']) == [ids[6], ids[4], ids[2], ids[0]]

    def test_a_job_that_was_given_up_can_be_tried_again(self, store: Store) -> None:
        bench = self.bench(store)
        job_id = bench.queue('one')
        bench.fail(bench.taken(), after=None)
        again = self.run(store.requeue(job_id, project='default'))
        assert again is not None
        assert (again.status, again.attempts, again.last_error, again.finished_at) == ('queued', 0, None, None)
        assert self.run(store.due_in()) == 0
        bench.finish(bench.taken())
        assert bench.job(job_id).status == 'done'

    def test_a_job_that_waits_for_its_next_try_can_be_tried_at_once(self, store: Store) -> None:
        bench = self.bench(store)
        job_id = bench.queue('one')
        bench.fail(bench.taken(), after=HOUR)
        assert bench.next() is None
        assert self.run(store.requeue(job_id, project='default')) is not None
        assert (bench.taken().job.id, bench.job(job_id).attempts) == (job_id, 1)

    def test_what_runs_or_ended_well_is_not_tried_again(self, store: Store) -> None:
        bench = self.bench(store)
        job_id, other = bench.queue('one'), bench.queue('two')
        work = bench.taken()
        assert self.run(store.requeue(job_id, project='default')) is None
        bench.finish(work)
        assert self.run(store.requeue(job_id, project='default')) is None
        assert self.run(store.drop(other, project='default'))
        assert self.run(store.requeue(other, project='default')) is None
        assert self.run(store.requeue('no such job', project='default')) is None
        assert self.run(store.due_in()) is None

    def test_what_fell_silent_can_be_tried_at_once(self, store: Store) -> None:
        bench = self.bench(store)
        job_id = bench.queue('one')
        late = bench.taken('late', lease=0.0)
        assert self.run(store.requeue(job_id, project='default')) is not None
        with raises(LeaseLost):
            bench.finish(late, worker='late')
        assert bench.taken().job.id == job_id

    def test_a_job_that_is_tried_again_waits_for_the_one_that_runs(self, store: Store) -> None:
        bench = self.bench(store)
        first, second = bench.queue('one'), bench.queue('two')
        bench.fail(bench.taken(), after=None)
        work = bench.taken()
        assert work.job.id == second
        assert self.run(store.requeue(first, project='default')) is not None
        assert bench.next('other') is None
        assert bench.claim(worker='other') is None
        due = self.run(store.due_in())
        assert due is not None
        assert due > 0
        bench.finish(work)
        assert bench.taken().job.id == first

    def test_a_dropped_job_is_out_of_the_line_and_its_messages_stay(self, store: Store) -> None:
        bench = self.bench(store)
        ids = [bench.queue(text) for text in ('one', 'two', 'three')]
        work = bench.taken()
        assert self.run(store.drop(ids[0], project='default'))  # while it runs
        with raises(LeaseLost):
            bench.finish(work, Edit(op='add', before=None, after=bench.fact('one', work.episodes)))
        assert self.run(store.drop(ids[1], project='default'))
        assert bench.taken().job.id == ids[2]
        job = bench.job(ids[0])
        assert job.status == 'dropped'
        assert job.finished_at is not None
        assert bench.messages() == ['one', 'two', 'three']
        assert bench.texts() == []

    def test_what_is_done_can_not_be_dropped(self, store: Store) -> None:
        bench = self.bench(store)
        job_id = bench.queue('one')
        bench.finish(bench.taken())
        assert not self.run(store.drop(job_id, project='default'))
        assert not self.run(store.drop('no such job', project='default'))
        assert bench.job(job_id).status == 'done'

    def test_a_job_of_another_project_can_be_neither_tried_again_nor_dropped(self, store: Store) -> None:
        bench = self.bench(store)
        job_id = bench.queue('one')
        bench.fail(bench.taken(), after=None)
        assert self.run(store.requeue(job_id, project='other')) is None
        assert not self.run(store.drop(job_id, project='other'))
        assert bench.job(job_id).status == 'dead'
        assert self.run(store.drop(job_id, project='default'))

    def test_a_key_of_a_job_that_was_dropped_is_still_known(self, store: Store) -> None:
        bench = self.bench(store)
        job_id = bench.queue('one', key='k')
        assert self.run(store.drop(job_id, project='default'))
        again = self.run(store.append(bench.batch('one', history=False, key='k')))
        assert (again.job_id, again.replayed) == (job_id, True)
        with raises(Conflict):
            bench.queue('two', key='k')


def _soon(bench: Bench, *, turns: int = 1) -> Work:
    """The next job; giving one back takes a moment."""
    for _ in range(1000):
        work = bench.next('next', turns=turns)
        if work is not None:
            return work
    raise AssertionError('the job stayed leased')
