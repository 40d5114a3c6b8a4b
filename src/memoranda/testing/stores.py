"""For tests: the suite every store must pass."""

# the names of the tests say what they check
from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Any

from memoranda.errors import Conflict, EmbedderMismatch
from memoranda.records import Edit
from memoranda.scope import Erasure, Scope
from memoranda.stores.base import Store
from memoranda.stores.data import LeaseLost
from memoranda.stores.history import holds
from memoranda.stores.walks import Walk
from memoranda.testing._bench import ANA, DAY, raises
from memoranda.testing._store_audits import AuditTests
from memoranda.testing._store_base import StoreTests
from memoranda.testing._store_changes import ChangeTests
from memoranda.testing._store_concurrency import ConcurrencyTests
from memoranda.testing._store_counts import CountTests
from memoranda.testing._store_erasures import ForgetTests
from memoranda.testing._store_exports import ExportTests
from memoranda.testing._store_jobs import JobListTests, MergeTests
from memoranda.testing._store_keys import KeyTests
from memoranda.testing._store_overviews import OverviewTests
from memoranda.testing._store_queue import LeaseTests, QueueTests
from memoranda.testing._store_reads import HistoryTests, ListingTests, SearchTests
from memoranda.testing._store_retention import RetentionTests
from memoranda.testing._store_reviews import ReviewTests
from memoranda.testing._store_writes import CommitTests, IntakeTests, JobTests

__all__ = ['StoreSuite']

BEN = Scope(user_id='ben')


class ErasureTests(StoreTests):
    """What an erasure takes away, as far as reads can tell."""

    def test_an_erased_owner_is_gone(self, store: Store) -> None:
        bench = self.bench(store)
        memory = bench.learn('Lives in Lisbon', slot='home.city')
        bench.commit(bench.revise(memory, text='Lives in Porto'), generation=bench.generation())
        bench.say('Hello', history=False, name='Ana')
        kept = bench.learn('Likes tea', scope=BEN)
        bench.learn('Of the agent', scope=Scope(agent_id='ana'))
        bench.search('Lisbon', lanes=('memories', 'episodes'), generation=bench.generation())
        result = self.run(store.erase(ANA.erasure('default')))
        assert (result.memories, result.versions, result.episodes) == (1, 2, 2)
        assert result.scrub in ('verified', 'pending')
        assert bench.search('Lisbon', lanes=('memories', 'episodes')) == []
        assert bench.texts(inactive=True) == []
        assert bench.messages() == []
        assert self.run(store.get(memory.id, project='default')) is None
        assert list(self.run(store.versions(memory.id, project='default'))) == []
        assert list(self.run(store.by_slot('home.city', ANA.reaches('default'), now=bench.moment().now))) == []
        assert list(self.run(store.speakers(ANA.reaches('default')))) == []
        assert self.run(store.get(kept.id, project='default')) == kept
        assert bench.texts(scope=Scope(agent_id='ana')) == ['Of the agent']
        stats = self.run(store.stats())
        assert (stats.owners, stats.memories, stats.versions, stats.episodes, stats.jobs_queued) == (2, 2, 2, 2, 0)

    def test_erasing_twice_or_nobody_removes_nothing(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('one')
        self.run(store.erase(ANA.erasure('default')))
        again = self.run(store.erase(ANA.erasure('default')))
        assert (again.memories, again.versions, again.episodes) == (0, 0, 0)
        nobody = self.run(store.erase(Scope(user_id='nobody').erasure('default')))
        assert (nobody.memories, nobody.versions, nobody.episodes) == (0, 0, 0)

    def test_a_finished_erasure_is_verified(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('one')
        self.run(store.erase(ANA.erasure('default')))
        assert self.run(store.finish_scrub())
        assert not self.run(store.stats()).scrub_pending

    def test_an_erasure_of_everything_leaves_no_entry_of_a_memory(self, store: Store) -> None:
        bench = self.bench(store)
        memory = bench.learn('one')
        self.run(store.erase(ANA.erasure('default')))
        assert self.run(store.history(memory.id, project='default')) == []

    def test_an_erased_owner_may_begin_anew(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('one')
        bench.say('a', 'b', at=DAY, key='k')
        self.run(store.erase(ANA.erasure('default')))
        bench.learn('one')
        again = bench.say('a', 'b', at=DAY, key='k')
        assert (again.known, again.replayed) == (0, False)
        assert bench.texts() == ['one']
        assert bench.messages() == ['one', 'a', 'b']

    def test_one_run_of_a_user_can_be_erased(self, store: Store) -> None:
        bench = self.bench(store)
        one, two = Scope(user_id='ana', run_id='r1'), Scope(user_id='ana', run_id='r2')
        bench.learn('Said in one', scope=one)
        bench.learn('Only in one', scope=one, level='run')
        bench.learn('Said in two', scope=two)
        bench.learn('Said anywhere')
        bench.say('Hi', scope=one, name='Only One', history=False)
        bench.say('Hi', scope=two, name='Ana', history=False)
        bench.search(lanes=('memories', 'episodes'))
        result = self.run(store.erase(one.erasure('default')))
        assert (result.memories, result.versions, result.episodes) == (2, 2, 3)
        assert bench.texts() == ['Said in two', 'Said anywhere']
        assert bench.messages() == ['Said in two', 'Said anywhere', 'Hi']
        assert list(self.run(store.speakers(ANA.reaches('default')))) == ['Ana']
        bench.say('Hello', name='Eve', history=False)
        assert bench.found('said only in one', lanes=('memories', 'episodes')) == [
            'Hello',
            'Hi',
            'Said anywhere',
            'Said anywhere',
            'Said in two',
            'Said in two',
        ]
        for lane in bench.lanes:
            assert {term: len(rows) for term, (rows, _) in lane.postings.items() if len(rows)} == {'in': 1, 'said': 2}
        speaker = bench.lanes[1].speaker
        assert speaker is not None
        assert [bench.lanes[1].speakers[i] for i in speaker.tolist() if i >= 0] == ['Ana', 'Eve']

    def test_what_was_said_to_an_agent_or_an_app_can_be_erased(self, store: Store) -> None:
        bench = self.bench(store)
        for agent, app in (('a', 'x'), ('a', 'y'), ('b', 'x')):
            bench.learn(f'To {agent} in {app}', scope=Scope(user_id='ana', agent_id=agent, app_id=app))
        owner = ANA.home('default')
        self.run(store.erase(Erasure(owner, agent_id='a', app_id='y')))
        assert bench.texts() == ['To a in x', 'To b in x']
        self.run(store.erase(Erasure(owner, agent_id='a')))
        assert bench.texts() == ['To b in x']
        self.run(store.erase(Erasure(owner, app_id='x')))
        assert (bench.texts(), bench.messages()) == ([], [])

    def test_a_memory_keeps_the_evidence_that_is_left(self, store: Store) -> None:
        bench = self.bench(store)
        memory = bench.learn('Likes tea', scope=Scope(user_id='ana', run_id='r1'))
        work = bench.work(bench.say('Likes tea', scope=Scope(user_id='ana', run_id='r2')))
        extra = bench.fact('Likes tea', work.episodes).evidence
        bench.finish(work, bench.revise(memory, op='confirm', evidence=(*memory.evidence, *extra)))
        result = self.run(store.erase(Scope(user_id='ana', run_id='r1').erasure('default')))
        assert (result.memories, result.versions, result.episodes) == (0, 1, 1)
        (left,) = bench.page()[0]
        assert (left.id, left.version, left.evidence) == (memory.id, 2, extra)
        self.run(store.erase(Scope(user_id='ana', run_id='r2').erasure('default')))
        assert bench.texts(inactive=True) == []

    def test_a_memory_loses_what_only_the_erased_messages_gave_it(self, store: Store) -> None:
        bench = self.bench(store)
        run = Scope(user_id='ana', run_id='r2')
        memory = bench.learn('Lives by the sea', slot='home', tags=('first',))
        work = bench.work(bench.say('Lives by the sea', scope=run))
        extra = bench.fact('Lives by the sea', work.episodes).evidence
        given: dict[str, Any] = {
            'value': 'the sea house',
            'tags': ('first', 'second'),
            'metadata': {'a': 'b'},
            'confidence': 1.0,
        }
        bench.finish(work, bench.revise(memory, op='confirm', evidence=(*memory.evidence, *extra), **given))
        (latest,) = bench.page()[0]
        bench.commit(bench.revise(latest, tags=('first', 'second', 'third')))
        self.run(store.erase(run.erasure('default')))
        (left,) = bench.page()[0]
        assert (left.version, left.evidence, left.value, left.tags) == (3, memory.evidence, None, ('first', 'third'))
        assert left.metadata == {}
        told = repr(self.run(store.versions(memory.id, project='default')))
        told += repr(self.run(store.history(memory.id, project='default')))
        assert 'sea house' not in told
        assert 'second' not in told
        assert all(holds(e) for e in self.run(store.history(memory.id, project='default')))

    def test_a_key_is_forgotten_with_the_run_it_was_used_in(self, store: Store) -> None:
        bench = self.bench(store)
        for name in ('r1', 'r2'):
            scope = Scope(user_id='ana', run_id=name)
            bench.say('a', 'b', scope=scope)
            assert bench.say('a', 'b', scope=scope, key=f'key of {name}').known == 2  # a job without messages
        self.run(store.erase(Scope(user_id='ana', run_id='r1').erasure('default')))
        for name, replayed in (('r1', False), ('r2', True)):
            assert (
                bench.say('a', 'b', scope=Scope(user_id='ana', run_id=name), key=f'key of {name}').replayed is replayed
            )

    def test_an_erased_value_does_not_revive_the_one_it_superseded(self, store: Store) -> None:
        bench = self.bench(store)
        old = bench.learn('Lives in Lisbon', slot='home.city')
        bench.supersede(old, 'Lives in Porto', at=DAY + timedelta(days=1), scope=Scope(user_id='ana', run_id='r1'))
        self.run(store.erase(Scope(user_id='ana', run_id='r1').erasure('default')))
        assert bench.texts() == []
        assert bench.texts(inactive=True) == ['Lives in Lisbon']

    def test_the_chain_of_what_is_left_still_verifies(self, store: Store) -> None:
        bench = self.bench(store)
        gone = bench.learn('Said in one', scope=Scope(user_id='ana', run_id='r1'))
        kept = bench.learn('Said in two')
        self.run(store.erase(Scope(user_id='ana', run_id='r1').erasure('default')))
        after = bench.learn('Said later')
        (blank,) = self.run(store.history(gone.id, project='default'))
        assert (blank.before, blank.after, blank.salt) == (None, None, None)
        entries = [e for m in (gone, kept, after) for e in self.run(store.history(m.id, project='default'))]
        assert [e.seq for e in entries] == [1, 2, 4]  # the third records the erasure
        assert entries[1].prev_hash == entries[0].hash
        assert all(holds(e) for e in entries)

    def test_a_job_whose_messages_were_erased_cannot_be_committed(self, store: Store) -> None:
        for narrow in (ANA, Scope(user_id='ana', run_id='r1')):
            bench = self.bench(store)
            work = bench.work(bench.say('one', 'two', scope=Scope(user_id='ana', run_id='r1')))
            waiting = bench.say('three', scope=Scope(user_id='ana', run_id='r1'))
            self.run(store.erase(narrow.erasure('default')))
            with raises(LeaseLost):
                bench.finish(work, Edit(op='add', before=None, after=bench.fact('one', work.episodes)))
            assert bench.texts() == []
            assert self.run(store.load(waiting.job_id or '')) is None
            assert bench.claim() is None


class GenerationTests(StoreTests):
    """Sets of vectors, and how one takes the place of another."""

    def test_the_first_generation_is_current_at_once(self, store: Store) -> None:
        self.bench(store)
        assert self.run(store.generation()) is None
        first = self.run(store.start_generation('one', 4, rebuild=False))
        assert (first.embedder, first.dimensions, first.state) == ('one', 4, 'current')
        assert self.run(store.start_generation('one', 4, rebuild=False)) == first
        assert self.run(store.generation()) == first

    def test_another_embedder_is_refused(self, store: Store) -> None:
        self.bench(store)
        self.run(store.start_generation('one', 4, rebuild=False))
        for name, dimensions in (('two', 4), ('one', 8)):
            with raises(EmbedderMismatch):
                self.run(store.start_generation(name, dimensions, rebuild=False))

    def test_a_generation_is_built_beside_the_current_one_and_switched_when_complete(self, store: Store) -> None:
        bench = self.bench(store)
        memory = bench.learn('green tea')
        bench.commit(bench.revise(memory, text='black tea'), generation=bench.generation())
        old = bench.generation()
        new = self.run(store.start_generation('new', 2, rebuild=True))
        assert new.state == 'building'
        assert self.run(store.start_generation('new', 2, rebuild=True)) == new
        assert self.run(store.generation()) == old
        assert self.run(store.stats()).building == new
        texts: list[str] = []
        while batch := self.run(store.unembedded(new, limit=2)):
            assert not self.run(store.switch_generation(new))
            assert len(batch) <= 2
            texts += [text for _, _, text in batch]
            two = bench.vector('x')[:2].copy()
            self.run(store.put_vectors(new, [(lane, row, two) for lane, row, _ in batch]))
            bench.search('green tea', generation=old)
            assert bench.lanes[0].dense is not None
            if len(texts) == 2:
                bench.say('in between', history=False)
        assert sorted(texts) == ['black tea', 'green tea', 'green tea', 'in between']
        assert self.run(store.switch_generation(new))
        current = self.run(store.generation())
        assert current is not None
        assert (current.id, current.embedder, current.state) == (new.id, 'new', 'current')
        assert self.run(store.stats()).building is None
        assert bench.found('tea', generation=old) == ['black tea']
        assert bench.lanes[0].dense is None

    def test_a_rebuild_for_yet_another_embedder_starts_over(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('tea')
        half = self.run(store.start_generation('half', 2, rebuild=True))
        other = self.run(store.start_generation('other', 2, rebuild=True))
        assert other.id != half.id
        assert self.run(store.stats()).building == other
        assert len(self.run(store.unembedded(other, limit=10))) == 2

    def test_vectors_of_erased_rows_are_passed_over(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('tea')
        new = self.run(store.start_generation('new', 16, rebuild=True))
        rows = self.run(store.unembedded(new, limit=10))
        self.run(store.erase(ANA.erasure('default')))
        self.run(store.put_vectors(new, [(lane, row, bench.vector(text)) for lane, row, text in rows]))
        assert list(self.run(store.unembedded(new, limit=10))) == []
        assert self.run(store.switch_generation(new))

    def test_a_walk_meets_every_row_once_and_then_only_what_was_written_since(self, store: Store) -> None:
        bench = self.bench(store)
        for number in range(3):
            bench.learn(f'tea {number}', scope=Scope(user_id=f'user{number}'))
        new, walk = self.run(store.start_generation('new', 16, rebuild=True)), Walk()
        assert self.run(store.coverage(new)) == (0, 6)
        met: list[str] = []

        def embed() -> int:
            rows = self.run(store.unembedded(new, limit=4, walk=walk))
            met.extend(text for _, _, text in rows)
            self.run(store.put_vectors(new, [(lane, row, bench.vector(text)) for lane, row, text in rows]))
            return len(rows)

        assert embed() == 4
        bench.learn('in between', scope=Scope(user_id='user1'))
        while embed():
            pass
        if not self.run(store.switch_generation(new, walk=walk)):
            while embed():
                pass
            assert self.run(store.switch_generation(new, walk=walk))
        assert sorted(met) == sorted(2 * ['in between', 'tea 0', 'tea 1', 'tea 2'])
        assert self.run(store.coverage(new)) == (8, 8)

    def test_one_that_was_given_up_takes_no_vectors(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('tea')
        half = self.run(store.start_generation('half', 16, rebuild=True))
        rows = self.run(store.unembedded(half, limit=10))
        self.run(store.drop_generation(half))
        assert self.run(store.stats()).building is None
        for _ in range(2):
            with raises(Conflict):
                self.run(store.put_vectors(half, [(lane, row, bench.vector(text)) for lane, row, text in rows]))
            with raises(Conflict):
                self.run(store.switch_generation(half))
            while not self.run(store.drop_old_vectors(limit=1)):
                pass

    def test_what_is_written_without_a_vector_is_noted_until_it_has_one(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('tea')
        old = bench.generation()
        new = self.run(store.start_generation('new', 16, rebuild=True))
        rows = self.run(store.unembedded(new, limit=10))
        self.run(store.put_vectors(new, [(lane, row, bench.vector(text)) for lane, row, text in rows]))
        assert self.run(store.switch_generation(new))
        assert self.run(store.lacking(limit=10)) is None
        work = bench.work(bench.say('cake'))
        edit = Edit(op='add', before=None, after=bench.fact('cake', work.episodes))
        found = [(row, bench.vector(text)) for row, text in work.segments]
        bench.commit(edit, work=work, segment_vectors=found, generation=old)
        walk = self.run(store.lacking(limit=10))
        assert walk is not None
        rows = self.run(store.unembedded(new, limit=10, walk=walk))
        assert [text for _, _, text in rows] == ['cake', 'cake']
        self.run(store.put_vectors(new, [(lane, row, bench.vector(text)) for lane, row, text in rows]))
        assert list(self.run(store.unembedded(new, limit=10, walk=walk))) == []
        self.run(store.settle_lacking(walk))
        assert self.run(store.lacking(limit=10)) is None


class LifeTests(StoreTests):
    """Opening, closing, and who may call."""

    def test_opening_and_closing_twice_does_no_harm(self, store: Store) -> None:
        bench = self.bench(store)
        self.run(store.open())
        bench.learn('one')
        self.run(store.close())
        self.run(store.close())
        self.run(store.open())
        assert bench.texts() == (['one'] if self.durable else [])

    def test_it_opens_on_first_use(self, store: Store) -> None:
        assert self.run(store.generation()) is None

    def test_it_may_be_awaited_from_several_event_loops_at_once(self, store: Store) -> None:
        bench = self.bench(store)
        failures: list[BaseException] = []

        async def ask(user: str) -> None:
            scope = Scope(user_id=user)
            for i in range(5):
                bench_of_loop = await asyncio.to_thread(bench.say, f'message {i}', scope=scope, history=False)
                assert await store.load(bench_of_loop.job_id or '') is not None
                page = await store.episodes(scope.reaches('default'), limit=100, cursor=None)
                assert len(page.items) == i + 1

        def loop(user: str) -> None:
            try:
                asyncio.run(ask(user))
            except BaseException as error:  # asserted below
                failures.append(error)

        threads = [threading.Thread(target=loop, args=(f'user {n}',)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []


class StoreSuite(
    IntakeTests,
    JobTests,
    QueueTests,
    LeaseTests,
    MergeTests,
    JobListTests,
    ChangeTests,
    CommitTests,
    SearchTests,
    ListingTests,
    HistoryTests,
    AuditTests,
    CountTests,
    OverviewTests,
    ReviewTests,
    ErasureTests,
    ForgetTests,
    ExportTests,
    RetentionTests,
    KeyTests,
    GenerationTests,
    ConcurrencyTests,
    LifeTests,
):
    """What everything above relies on in a store.

    Subclass it in a pytest module and give it the `store` fixture, an empty store that the fixture closes afterwards:

    ```python
    class TestMyStore(StoreSuite):
        @pytest.fixture
        def store(self) -> Iterator[Store]:
            store = MyStore('postgresql://localhost/test')
            yield store
            self.run(store.close())
    ```

    Set `durable = False` when closing the store loses what it holds, and override `another` when a second store can be
    opened on the same database. Needs pytest and no plugin.
    """
