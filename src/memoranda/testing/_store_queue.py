"""The part of `StoreSuite` about jobs that wait for a worker: order, times and leases."""

# the names of the tests say what they check
from __future__ import annotations

from datetime import timedelta

from memoranda.records import Edit, Usage, now
from memoranda.scope import Scope
from memoranda.stores.base import Store
from memoranda.stores.data import MAX_CRASHES, LeaseLost
from memoranda.stores.leases import holder_is_gone, new_token
from memoranda.testing._bench import ANA, WORKER, raises
from memoranda.testing._store_base import StoreTests

__all__ = ['LeaseTests', 'QueueTests']

BEN, CAM = Scope(user_id='ben'), Scope(user_id='cam')
HOUR = 3600.0


def gone_token() -> str:
    """The token of a process of this machine that ended."""
    machine, pid, _, rest = new_token().rsplit(':', 3)
    return ':'.join((machine, pid, 'another', rest))


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
        assert {bench.taken(f'worker {n}').job.id for n in range(4)} == set(ids)
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

    def test_a_pause_beyond_any_date_is_a_long_one(self, store: Store) -> None:
        bench = self.bench(store)
        for number, after in enumerate((1e13, float('inf'), float('nan'), -5.0)):
            job_id = bench.queue('one', scope=Scope(user_id=f'user {number}'))
            bench.fail(bench.taken(), after=after)
            assert bench.job(job_id).run_after - now() < timedelta(days=400)

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
        work = bench.taken()  # together, for that is what they waited for, whatever is usual here
        assert [e.text for e in work.episodes] == ['1', '2', '3']
        assert len(work.merged) == 2

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
        again = bench.soon()
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

    def test_a_given_fact_that_was_left_in_the_middle_holds_up_nobody_else(self, store: Store) -> None:
        bench = self.bench(store)
        bench.queue('one')
        bench.fail(bench.taken(), after=HOUR)
        mine = bench.queue('two')
        assert bench.claim(ahead=mine, lease=0.0) is not None
        bench.queue('of ben', scope=BEN)
        assert bench.taken().owner.key == 'ben'
        assert bench.next() is None

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
