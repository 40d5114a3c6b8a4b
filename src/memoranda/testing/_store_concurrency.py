"""The part of `StoreSuite` about many who write at once: to one owner, and to many, through several stores."""

# the names of the tests say what they check
from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from memoranda.errors import Conflict
from memoranda.records import Edit
from memoranda.scope import Scope
from memoranda.stores.base import Store
from memoranda.stores.chains import Chain, Seen
from memoranda.stores.data import Appended, Work
from memoranda.stores.erasures import Forgetting
from memoranda.stores.generation import Generation
from memoranda.testing._bench import ANA, DAY, Bench
from memoranda.testing._store_base import StoreTests

__all__ = ['ConcurrencyTests']

T = TypeVar('T')
MANY = 4
ROUNDS = 5


class ConcurrencyTests(StoreTests):
    """Threads with stores of their own on one database, as processes and machines have them."""

    def another(self, store: Store) -> Store | None:
        """One more store on the database of this one, for the test to close; None where there can't be one."""
        return None

    @contextmanager
    def benches(self, store: Store) -> Generator[list[Bench]]:
        """As many as write at once, each on a store of its own if there can be several."""
        self.run(store.open())
        others = [other for _ in range(MANY - 1) if (other := self.another(store)) is not None]
        try:
            yield [self.bench(each) for each in (store, *(others or [store] * (MANY - 1)))]
        finally:
            for other in others:
                self.run(other.close())

    def at_once(self, *functions: Callable[[], T]) -> list[T]:
        """What they return, all begun at the same time; raises what the first of them raised."""
        ready = threading.Barrier(len(functions))
        results: list[Any] = [None] * len(functions)
        failures: list[BaseException] = []

        def work(number: int, function: Callable[[], T]) -> None:
            try:
                ready.wait(60)
                results[number] = function()
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=pair, daemon=True) for pair in enumerate(functions)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        return results

    def whole(self, bench: Bench, scope: Scope = ANA) -> None:
        """That every message of an owner has its place, and the chain its links."""
        page = self.run(bench.store.episodes(scope.reaches('default'), limit=1000, cursor=None))
        places = [(e.conversation_id, e.seq) for e in page.items]
        assert len(set(places)) == len(places)
        (chain,) = self.run(bench.store.chains([scope.home('default')], project=None, limit=1)) or (None,)
        seen: list[int] = []

        def visit(chain: Chain, links: Sequence[Seen]) -> bool:
            seen.extend(one.link.seq for one in links)
            return True

        if chain is not None:
            self.run(bench.store.walk(chain, visit))
            assert seen == list(range(1, len(seen) + 1))

    def test_a_new_owner_is_made_once(self, store: Store) -> None:
        with self.benches(store) as benches:

            def say(number: int, bench: Bench) -> Callable[[], None]:
                def work() -> None:
                    for i in range(ROUNDS):
                        bench.say(f'message {i} of {number}', history=False, name=f'speaker {i % 2}')

                return work

            self.at_once(*(say(number, bench) for number, bench in enumerate(benches)))
            texts = benches[0].messages()
            assert len(texts) == MANY * ROUNDS
            for number in range(MANY):
                assert [t for t in texts if t.endswith(f'of {number}')] == [
                    f'message {i} of {number}' for i in range(ROUNDS)
                ]
            assert self.run(store.stats()).owners == 1
            assert sorted(self.run(store.speakers(ANA.reaches('default')))) == ['speaker 0', 'speaker 1']
            self.whole(benches[0])
            assert len(benches[0].found('message', lanes=('episodes',))) == MANY * ROUNDS

    def test_a_key_that_is_used_by_several_at_once_stores_one_job(self, store: Store) -> None:
        with self.benches(store) as benches:
            for i in range(ROUNDS):
                told: list[Appended] = self.at_once(
                    *(lambda bench=bench, i=i: bench.say(f'one {i}', f'two {i}', key=f'key {i}') for bench in benches)
                )
                assert sorted(one.replayed for one in told) == [False] + [True] * (MANY - 1)
                assert len({one.job_id for one in told}) == 1
                assert len({tuple(one.episode_ids) for one in told}) == 1
            assert len(benches[0].messages()) == 2 * ROUNDS

    def test_dated_messages_that_several_bring_at_once_are_stored_once(self, store: Store) -> None:
        with self.benches(store) as benches:
            told = self.at_once(
                *(lambda bench=bench: bench.say(*(f'message {i}' for i in range(ROUNDS)), at=DAY) for bench in benches)
            )
            assert sorted(one.known for one in told) == [0] + [ROUNDS] * (MANY - 1)
            assert benches[0].messages() == [f'message {i}' for i in range(ROUNDS)]

    def test_of_those_who_decided_by_the_same_memories_one_writes(self, store: Store) -> None:
        with self.benches(store) as benches:
            benches[0].learn('where it begins')

            def add(text: str, bench: Bench) -> Callable[[], bool]:
                seen = self.run(bench.store.snapshot(ANA.home('default')))
                said = bench.work(bench.say(text, history=False))
                edit = Edit(op='add', before=None, after=bench.fact(text, said.episodes))

                def work() -> bool:
                    try:
                        bench.commit(edit, expect=seen.owner_version)
                    except Conflict:
                        return False
                    return True

                return work

            for i in range(ROUNDS):
                wrote = self.at_once(*(add(f'fact {i} of {n}', bench) for n, bench in enumerate(benches)))
                assert sum(wrote) == 1
            assert len(benches[0].texts()) == 1 + ROUNDS
            self.whole(benches[0])

    def test_what_several_believe_at_once_is_believed_once(self, store: Store) -> None:
        with self.benches(store) as benches:

            def add(bench: Bench, text: str) -> Callable[[], bool]:
                said = bench.work(bench.say(text, history=False))
                edit = Edit(op='add', before=None, after=bench.fact(text, said.episodes, slot='home.city'))

                def work() -> bool:
                    try:
                        bench.commit(edit)
                    except Conflict:
                        return False
                    return True

                return work

            assert sum(self.at_once(*(add(bench, 'Lives in Lisbon') for bench in benches))) == 1
            assert sum(self.at_once(*(add(bench, f'Lives in {n}') for n, bench in enumerate(benches)))) == 0
            assert benches[0].texts() == ['Lives in Lisbon']
            self.whole(benches[0])

    def test_each_job_is_done_once_and_those_of_an_owner_in_their_order(self, store: Store) -> None:
        users = [Scope(user_id=f'user {n}') for n in range(MANY + 2)]
        done: list[tuple[str, str]] = []
        running: set[str] = set()
        lock = threading.Lock()

        def take(work: Work) -> None:
            with lock:
                assert work.owner.key not in running, 'two jobs of an owner run at once'
                running.add(work.owner.key)

        with self.benches(store) as benches:
            for i in range(ROUNDS):
                for user in users:
                    benches[0].queue(f'{i}', scope=user)
            left = MANY * ROUNDS
            asked = iter(range(left))

            def work_through(number: int, bench: Bench) -> Callable[[], None]:
                def work() -> None:
                    token = 0
                    while True:
                        with lock:
                            if len(done) == len(users) * ROUNDS + left:
                                return
                            more = next(asked, None)
                        if more is not None:  # they come while others are done
                            bench.queue(f'{ROUNDS + more}', scope=Scope(user_id=f'late {more % MANY}'))
                        token += 1
                        work = bench.next(f'worker {number}.{token}')
                        if work is None:
                            continue
                        take(work)
                        with lock:
                            done.append((work.owner.key, work.episodes[0].text))
                            running.discard(work.owner.key)
                        bench.finish(work, worker=f'worker {number}.{token}', vectors=False)

                return work

            self.at_once(*(work_through(number, bench) for number, bench in enumerate(benches)))
            assert len(set(done)) == len(done)
            for user in users:
                assert [text for key, text in done if key == user.user_id] == [f'{i}' for i in range(ROUNDS)]
            assert self.run(store.waiting()) == 0
            assert self.run(store.due_in()) is None

    def test_projects_take_turns(self, store: Store) -> None:
        bench = self.bench(store)
        for project in ('big', 'small', 'tiny'):
            for number in range({'big': 6, 'small': 3, 'tiny': 1}[project]):
                bench.queue('one', scope=Scope(user_id=f'user {number}'), project=project)
        order = [bench.taken(f'worker {n}').owner for n in range(10)]
        assert [owner.project for owner in order[:6]] == ['big', 'small', 'tiny', 'big', 'small', 'big']
        assert {owner.project for owner in order[7:]} == {'big'}
        assert [owner.key for owner in order if owner.project == 'big'] == [f'user {n}' for n in range(6)]

    def test_a_turn_is_taken_by_one(self, store: Store) -> None:
        with self.benches(store) as benches:
            taken = self.at_once(
                *(
                    lambda bench=bench, n=n: self.run(
                        bench.store.begin_round('tidy', worker=f'worker {n}', every=3600.0, lease_seconds=60.0)
                    )
                    for n, bench in enumerate(benches)
                )
            )
            assert sum(one.mine for one in taken) == 1

    def test_nothing_is_left_of_an_owner_who_is_erased_while_others_write(self, store: Store) -> None:
        with self.benches(store) as benches:

            def write(number: int, bench: Bench) -> Callable[[], None]:
                def work() -> None:
                    for i in range(ROUNDS):
                        text = f'fact {i} of {number}'
                        said = bench.say(text, history=False)
                        work = self.run(bench.store.load(said.job_id or ''))
                        if work is None or not work.episodes:  # erased meanwhile
                            continue
                        with contextlib.suppress(Conflict):
                            bench.finish(work, Edit(op='add', before=None, after=bench.fact(text, work.episodes)))

                return work

            def erase() -> None:
                for _ in range(ROUNDS):
                    self.run(benches[0].store.erase(ANA.erasure('default')))

            self.at_once(erase, *(write(number, bench) for number, bench in enumerate(benches[1:])))
            bench = benches[0]
            said = bench.messages()
            assert set(bench.texts()) <= set(said)
            assert self.run(store.stats()).episodes == len(said)
            self.whole(bench)
            self.run(store.erase(ANA.erasure('default')))
            stats = self.run(store.stats())
            assert (stats.owners, stats.episodes, stats.versions, stats.jobs_queued) == (0, 0, 0, 0)

    def test_what_was_said_before_a_project_was_forgotten_is_gone_however_many_write(self, store: Store) -> None:
        with self.benches(store) as benches:

            def say(number: int, bench: Bench) -> Callable[[], None]:
                def work() -> None:
                    for i in range(ROUNDS):
                        bench.say('a', scope=Scope(user_id=f'user {number}.{i}'), project='gone', at=DAY)

                return work

            def forget() -> None:
                self.run(benches[0].store.forget(Forgetting(project='gone', owner=None)))

            self.at_once(forget, *(say(number, bench) for number, bench in enumerate(benches[1:])))
            for number in range(MANY):
                for i in range(ROUNDS):
                    assert benches[0].messages(Scope(user_id=f'user {number}.{i}'), 'gone') == []

    def test_no_vector_is_lost_when_another_generation_takes_over_while_others_write(self, store: Store) -> None:
        with self.benches(store) as benches:
            old = benches[0].generation()
            for bench in benches:
                bench.learn(f'begins {id(bench)}')
            done = threading.Event()

            def write(number: int, bench: Bench) -> Callable[[], None]:
                scope = Scope(user_id=f'user {number}')

                def work() -> None:
                    for i in range(ROUNDS):
                        said = bench.work(bench.say(f'fact {i}', scope=scope, history=False))
                        fact = bench.fact(f'fact {i}', said.episodes, scope=scope)
                        bench.commit(
                            Edit(op='add', before=None, after=fact),
                            work=said,
                            segment_vectors=[(row, bench.vector(text)) for row, text in said.segments],
                            generation=old,
                        )

                return work

            def rebuild() -> None:
                bench = benches[0]
                new = self.run(store.start_generation('new', 16, rebuild=True))
                while True:
                    self.fill(bench, new)
                    if self.run(store.switch_generation(new)):
                        done.set()
                        return

            self.at_once(rebuild, *(write(number, bench) for number, bench in enumerate(benches[1:])))
            current = self.run(store.generation())
            assert current is not None
            assert (current.embedder, done.is_set()) == ('new', True)
            self.fill(benches[0], current)  # those that were written after the switch, with vectors of the old one
            covered, rows = self.run(store.coverage(current))
            assert covered == rows

    def fill(self, bench: Bench, generation: Generation) -> None:
        """Give vectors to all rows without one."""
        while rows := self.run(bench.store.unembedded(generation, limit=50)):
            vectors = [(lane, row, bench.vector(text)) for lane, row, text in rows]
            self.run(bench.store.put_vectors(generation, vectors))
