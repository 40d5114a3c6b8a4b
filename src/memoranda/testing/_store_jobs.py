"""The part of `StoreSuite` about jobs that are read together, and about what a person does to jobs."""

# the names of the tests say what they check
from __future__ import annotations

from collections.abc import Sequence

from memoranda.errors import Conflict
from memoranda.records import Edit, Job, JobStatus
from memoranda.scope import Owner, Reach, Scope
from memoranda.stores.base import Store
from memoranda.stores.data import LeaseLost
from memoranda.testing._bench import ANA, raises
from memoranda.testing._store_base import StoreTests

__all__ = ['JobListTests', 'MergeTests']

BEN, CAM = Scope(user_id='ben'), Scope(user_id='cam')
HOUR = 3600.0


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
        work = bench.soon(turns=3)
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
