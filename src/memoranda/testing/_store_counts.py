"""The part of `StoreSuite` about counting what was written lately."""

# the names of the tests say what they check
from __future__ import annotations

from datetime import timedelta

from memoranda.records import Edit
from memoranda.scope import Scope
from memoranda.stores.base import Store
from memoranda.testing._bench import ANA, Bench
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

    def _written(self, bench: Bench, since: object) -> tuple[int, ...]:
        owner = ANA.home('default')
        return tuple(
            self.run(bench.store.written_since(owner, tier, since, limit=100))  # pyright: ignore[reportArgumentType]
            for tier in ('tool', 'assistant', 'external')
        )
