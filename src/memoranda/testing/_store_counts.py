"""The part of `StoreSuite` about counting what was written lately."""

# the names of the tests say what they check
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from memoranda.records import Edit
from memoranda.scope import OwnerKind, Reach, Scope
from memoranda.stores.base import Store
from memoranda.stores.data import Moment
from memoranda.stores.subjects import Subject
from memoranda.testing._bench import ANA, DAY, Bench
from memoranda.testing._store_base import StoreTests

__all__ = ['CountTests']


class CountTests(StoreTests):
    """How many memories of a tier are new, for what is held back in bursts."""

    def test_new_memories_of_an_owner_are_counted_by_tier(self, store: Store) -> None:
        bench = self.bench(store)
        first = bench.learn('one', trust='tool')
        bench.learn('two', trust='tool')
        bench.learn('three', trust='assistant')
        bench.learn('of ben', scope=Scope(user_id='ben'), trust='tool')
        bench.learn('elsewhere', project='other', trust='tool')
        assert self._written(bench, first.recorded_at) == (2, 1, 0)
        assert self._written(bench, first.recorded_at + timedelta(days=400)) == (0, 0, 0)

    def test_a_count_ends_at_its_limit(self, store: Store) -> None:
        bench = self.bench(store)
        first = bench.learn('one', trust='tool')
        for number in range(4):
            bench.learn(f'more {number}', trust='tool')
        owner = ANA.home('default')
        assert self.run(store.written_since(owner, 'tool', first.recorded_at, limit=3)) == 3
        assert self.run(store.written_since(owner, 'tool', first.recorded_at, limit=10)) == 5

    def test_further_versions_and_nobody_count_for_nothing(self, store: Store) -> None:
        bench = self.bench(store)
        first = bench.learn('one', trust='tool')
        bench.commit(bench.revise(first, text='another one'), generation=bench.generation())
        assert self._written(bench, first.recorded_at) == (1, 0, 0)
        nobody = Scope(user_id='nobody').home('default')
        assert self.run(store.written_since(nobody, 'tool', first.recorded_at, limit=9)) == 0

    def test_what_waits_counts_too(self, store: Store) -> None:
        bench = self.bench(store)
        work = bench.work(bench.say('text', history=False))
        memory = bench.fact('waits', work.episodes, status='pending', trust='tool')
        bench.finish(work, Edit(op='add', before=None, after=memory))
        assert self._written(bench, memory.recorded_at) == (1, 0, 0)

    def test_owners_of_a_project_are_listed_with_counts_of_what_is_believed(self, store: Store) -> None:
        bench = self.bench(store)
        first = bench.learn('one')
        second = bench.learn('two')
        bench.learn('of ben', scope=Scope(user_id='ben'))
        bench.learn('of an agent', scope=Scope(agent_id='ana'))
        bench.learn('of an app', scope=Scope(app_id='web'))
        bench.learn('elsewhere', project='other')
        bench.commit(bench.revise(second, op='retract', status='retracted'), generation=bench.generation())
        listed = self._subjects(store)
        assert sorted((s.owner.kind, s.owner.key, s.memories) for s in listed) == [
            ('agent', 'ana', 1),
            ('app', 'web', 1),
            ('user', 'ana', 1),
            ('user', 'ben', 1),
        ]
        assert [s.number for s in listed] == sorted(s.number for s in listed)
        own = next(s for s in listed if s.owner == ANA.home('default'))
        assert (own.first_said, own.last_recorded) == (first.said_at, first.recorded_at)
        assert [s.owner.key for s in self._subjects(store, kinds=('app',))] == ['web']
        assert list(self._subjects(store, limit=2)) + list(self._subjects(store, after=listed[1].number)) == listed
        everybody: tuple[OwnerKind, ...] = ('user', 'agent', 'app', 'run')
        asked: list[tuple[tuple[OwnerKind, ...], int]] = [(everybody, 9), (everybody, 3), (('app',), 9)]
        for kinds, limit in asked:
            numbers = self.run(store.subject_numbers(project='default', kinds=kinds, limit=limit))
            assert list(numbers) == [s.number for s in self._subjects(store, kinds=kinds, limit=limit)]
        assert self.run(store.erase(ANA.erasure('default'))).memories == 2
        assert ANA.home('default') not in [s.owner for s in self._subjects(store)]

    def test_a_place_in_a_listing_is_read_with_the_number_of_all(self, store: Store) -> None:
        bench = self.bench(store)
        for number in range(5):
            bench.learn(f'fact {number}')
        bench.learn('of ben', scope=Scope(user_id='ben'))
        bench.learn('in a run', scope=Scope(user_id='ben', run_id='r1'), level='run')
        own, ben = Reach(ANA.home('default')), Reach(Scope(user_id='ben').home('default'), runs=())
        moment = Moment(now=DAY + timedelta(days=365))

        def read(reaches: list[Reach], start: int, size: int, most: int = 100) -> tuple[list[str], int, bool]:
            found = store.numbered(
                reaches, where=None, moment=moment, inactive=False, start=start, size=size, most=most
            )
            memories, count, all_ = self.run(found)
            return [memory.text for memory in memories], count, all_

        assert read([own], 0, 2) == (['fact 4', 'fact 3'], 5, True)
        assert read([own], 4, 2) == (['fact 0'], 5, True)
        assert read([own], 5, 2) == ([], 5, True)
        assert read([own, ben], 0, 2) == (['of ben', 'fact 4'], 6, True)
        assert read([own], 2, 9, most=4) == (['fact 2', 'fact 1'], 4, False)
        assert read([], 0, 9) == ([], 0, True)

    def test_owners_are_found_by_what_something_was_said_under(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('in a run', scope=Scope(user_id='ana', run_id='r1', agent_id='bot'))
        bench.learn('in another', scope=Scope(user_id='ana', run_id='r2', agent_id='bot'))
        bench.learn('by ben', scope=Scope(user_id='ben', run_id='r2'))
        bench.learn('elsewhere', scope=Scope(user_id='ana', run_id='r1'), project='other')
        for said_under, expected in (
            ({'run_id': 'r1'}, [('ana', 1)]),
            ({'run_id': 'r2'}, [('ana', 1), ('ben', 1)]),
            ({'agent_id': 'bot'}, [('ana', 2)]),
            ({'agent_id': 'bot', 'run_id': 'r2'}, [('ana', 1)]),
            ({'app_id': 'bot'}, []),
        ):
            found = self._subjects(store, said_under=said_under)
            assert sorted((s.owner.key, s.memories) for s in found) == expected

    def _subjects(
        self,
        store: Store,
        *,
        kinds: Sequence[OwnerKind] = ('user', 'agent', 'app', 'run'),
        said_under: Mapping[str, str] | None = None,
        limit: int = 100,
        after: int = 0,
    ) -> list[Subject]:
        found = store.subjects(project='default', kinds=kinds, said_under=said_under or {}, limit=limit, after=after)
        return list(self.run(found))

    def _written(self, bench: Bench, since: object) -> tuple[int, ...]:
        owner = ANA.home('default')
        return tuple(
            self.run(bench.store.written_since(owner, tier, since, limit=100))  # pyright: ignore[reportArgumentType]
            for tier in ('tool', 'assistant', 'external')
        )
