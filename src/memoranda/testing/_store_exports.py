"""The part of `StoreSuite` about taking everything of an owner out, and in again."""

# the names of the tests say what they check
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from memoranda.errors import Conflict
from memoranda.records import EPOCH
from memoranda.scope import Owner, Scope
from memoranda.stores.base import Store
from memoranda.stores.data import SegmentDraft, VersionWrite
from memoranda.stores.erasures import Forgetting
from memoranda.stores.portable import (
    SECTIONS,
    EntryItem,
    EpisodeIn,
    EpisodeItem,
    Item,
    JobItem,
    MemoryIn,
    MemoryItem,
    RestoreNote,
    RowIn,
)
from memoranda.testing._bench import ANA, DAY, Bench, raises, terms
from memoranda.testing._store_base import StoreTests

__all__ = ['ExportTests']

BEN = Scope(user_id='ben')
NOTE = RestoreNote(digest='d', restored=False, counts={})
HOME = ANA.home('default')


class ExportTests(StoreTests):
    """What is held on an owner can leave a store and come into one, and is the same."""

    def story(self, store: Store) -> Bench:
        """Ana moved, told an agent so in a run of its own, and has a message waiting."""
        bench = self.bench(store)
        lisbon = bench.learn('Lives in Lisbon', slot='home.city', value='Lisbon', tags=('home',), metadata={'n': 1.5})
        bench.supersede(lisbon, 'Lives in Porto', at=DAY.replace(day=5), scope=Scope(user_id='ana', agent_id='bot'))
        bench.learn('Is busy', scope=Scope(user_id='ana', run_id='r1'), level='run')
        bench.say('Hello', 'again', at=DAY, name='Ana', key='k', worker='worker-2')
        bench.queue('I like tea', scope=Scope(user_id='ana', run_id='r2'))
        bench.learn('Likes chess', scope=BEN)
        return bench

    def take(self, store: Store, owner: Owner = HOME) -> dict[str, list[Item]]:
        """What an export gives, by section."""
        taken: dict[str, list[Item]] = {}
        held = self.run(store.export_rows(owner, lambda section, items: taken.setdefault(section, []).extend(items)))
        assert {name: len(items) for name, items in taken.items()} == {k: n for k, n in held.counts.items() if n}
        return taken

    def bring(self, store: Store, taken: dict[str, list[Item]], name: str = 'one', owner: Owner = HOME) -> None:
        """Take it in, but for the last step."""
        self.run(store.begin_restore(owner, name))
        for items in taken.values():
            self.run(store.restore_rows(owner, name, incoming(items), generation=None))

    def test_an_unknown_owner_holds_nothing(self, store: Store) -> None:
        self.bench(store)
        assert self.take(store) == {}
        assert self.run(store.holdings(HOME)).empty

    def test_an_export_names_everything_by_its_id(self, store: Store) -> None:
        bench = self.story(store)
        taken = self.take(store)
        assert list(taken) == [name for name in SECTIONS if name in taken]
        said = {e.id for e in taken['episodes'] if isinstance(e, EpisodeItem)}
        memories = [m for m in taken['memories'] if isinstance(m, MemoryItem)]
        assert [[v.text for v in m.versions] for m in memories] == [
            ['Lives in Lisbon', 'Lives in Lisbon'],
            ['Lives in Porto'],
            ['Is busy'],
        ]
        assert all(s.episode_id in said for m in memories for v in m.versions for s in v.evidence)
        assert memories[0].versions[1].superseded_by == memories[1].id
        jobs = [j for j in taken['jobs'] if isinstance(j, JobItem)]
        assert {j.state for j in jobs} == {'queued', 'done'}
        assert all(j.episode_ids and set(j.episode_ids) <= said for j in jobs)
        assert 'Likes chess' not in repr(taken)
        assert bench.texts(scope=BEN) == ['Likes chess']

    def test_what_was_taken_out_and_erased_comes_back_the_same(self, store: Store) -> None:
        bench = self.story(store)
        taken, versions = self.take(store), bench.page(inactive=True)[0]
        self.run(store.erase(ANA.erasure('default')))
        assert bench.texts(inactive=True) == []
        self.bring(store, taken)
        self.run(store.finish_restore(HOME, 'one', NOTE))
        again = self.take(store)
        last = again['history'].pop()
        assert isinstance(last, EntryItem)
        assert last.op == 'import'
        assert again == taken
        assert bench.page(inactive=True)[0] == versions
        assert bench.found('tea hello', lanes=('episodes',)) == sorted(bench.messages())
        assert bench.found('porto', lanes=('memories',)) == ['Is busy', 'Lives in Porto']
        assert set(bench.lanes[0].postings) == {'porto'}

    def test_the_next_messages_follow_on_those_that_came(self, store: Store) -> None:
        bench = self.story(store)
        taken = self.take(store)
        self.run(store.erase(ANA.erasure('default')))
        self.bring(store, taken)
        self.run(store.finish_restore(HOME, 'one', NOTE))
        again = bench.say('Hello', 'again', at=DAY, name='Ana', key='k')
        assert again.replayed
        waiting = [bench.next(), bench.next(worker='worker-3')]
        assert [e.text for work in waiting if work for e in work.episodes] == ['Hello', 'again']
        bench.say('More', scope=Scope(user_id='ana', run_id='r2'))
        page = self.run(store.episodes(ANA.reaches('default'), limit=100, cursor=None))
        assert [(e.text, e.seq) for e in page.items if e.conversation_id == 'r2'] == [('I like tea', 0), ('More', 1)]

    def test_nobody_sees_what_is_not_finished(self, store: Store) -> None:
        bench = self.story(store)
        taken = self.take(store)
        memory = next(m.id for m in taken['memories'] if isinstance(m, MemoryItem))
        self.run(store.erase(ANA.erasure('default')))
        self.bring(store, taken)
        assert bench.texts(inactive=True) == []
        assert bench.messages() == []
        assert self.run(store.get(memory, project='default')) is None
        assert self.run(store.holdings(HOME)).empty
        assert self.run(store.waiting()) == 0
        assert bench.next() is None
        assert self.run(store.jobs(None, project='default', states=('queued',), limit=10, cursor=None))[0] == []

    def test_what_is_abandoned_is_gone_and_may_be_brought_again(self, store: Store) -> None:
        bench = self.story(store)
        taken = self.take(store)
        self.run(store.erase(ANA.erasure('default')))
        owners = self.run(store.stats()).owners
        self.bring(store, taken)
        store.abandon_restore('one')
        with raises(Conflict):
            self.run(store.finish_restore(HOME, 'one', NOTE))
        stats = self.run(store.stats())
        assert (stats.owners, stats.episodes, stats.memories) == (owners, 1, 1)
        self.bring(store, taken, name='another')
        self.run(store.finish_restore(HOME, 'another', NOTE))
        assert bench.texts() == ['Lives in Porto', 'Is busy']

    def test_two_do_not_come_in_at_once(self, store: Store) -> None:
        self.story(store)
        nobody = Scope(user_id='nobody').home('default')
        self.run(store.begin_restore(nobody, 'one'))
        self.run(store.begin_restore(Scope(user_id='nobody').home('other'), 'three'))
        with raises(Conflict):
            self.run(store.begin_restore(nobody, 'two'))

    def test_nothing_comes_to_an_owner_who_holds_something(self, store: Store) -> None:
        bench = self.story(store)
        taken = self.take(store)
        self.run(store.erase(ANA.erasure('default')))
        self.bring(store, taken)
        bench.learn('Likes tea')
        with raises(Conflict):
            self.run(store.finish_restore(HOME, 'one', NOTE))
        assert bench.texts(inactive=True) == ['Likes tea']

    def test_nothing_comes_back_that_is_forgotten_meanwhile(self, store: Store) -> None:
        self.forgets_meanwhile(store, Forgetting(project='default', owner=HOME))

    def test_nothing_comes_back_of_which_a_part_is_forgotten_meanwhile(self, store: Store) -> None:
        self.forgets_meanwhile(store, Forgetting(project='default', owner=HOME, run_id='r1'))

    def test_nothing_comes_back_whose_project_is_forgotten_meanwhile(self, store: Store) -> None:
        self.forgets_meanwhile(store, Forgetting(project='default', owner=None))

    def forgets_meanwhile(self, store: Store, forgetting: Forgetting) -> None:
        """Bring everything, and forget this before the last step."""
        bench = self.story(store)
        taken = self.take(store)
        self.run(store.erase(ANA.erasure('default')))
        self.bring(store, taken)
        self.run(store.forget(forgetting))
        with raises(Conflict):
            self.run(store.restore_rows(HOME, 'one', (), generation=None))
        with raises(Conflict):
            self.run(store.finish_restore(HOME, 'one', NOTE))
        assert bench.texts(inactive=True) == []

    def test_a_restore_lifts_the_tombstone_and_says_so(self, store: Store) -> None:
        self.story(store)
        taken = self.take(store)
        self.run(store.forget(Forgetting(project='default', owner=HOME)))
        assert self.run(store.tombstone(HOME)) is not None
        self.bring(store, taken)
        self.run(store.finish_restore(HOME, 'one', replace(NOTE, restored=True)))
        assert self.run(store.tombstone(HOME)) is None
        told = [e.op for e in self.take(store)['history'][-2:] if isinstance(e, EntryItem)]
        assert told == ['restore', 'import']

    def test_a_tombstone_comes_along(self, store: Store) -> None:
        self.story(store)
        taken = self.take(store)
        self.run(store.erase(ANA.erasure('default')))
        self.bring(store, taken)
        self.run(store.finish_restore(HOME, 'one', replace(NOTE, forgotten_at=EPOCH)))
        assert self.run(store.holdings(HOME)).forgotten_at == EPOCH

    def test_an_id_that_somebody_else_holds_is_refused(self, store: Store) -> None:
        bench = self.story(store)
        taken = self.take(store)
        eve = Scope(user_id='eve').home('default')
        with raises(Conflict):
            self.bring(store, taken, owner=eve)
        store.abandon_restore('one')
        assert bench.texts() == ['Lives in Porto', 'Is busy']
        assert bench.texts(scope=Scope(user_id='eve')) == []

    def test_vectors_are_those_that_came_along(self, store: Store) -> None:
        bench = self.bench(store)
        generation = bench.generation()
        bench.learn('Lives in Lisbon')
        taken = self.take(store)
        self.run(store.erase(ANA.erasure('default')))
        self.run(store.begin_restore(HOME, 'one'))
        for items in taken.values():
            rows = incoming(items, bench)
            self.run(store.restore_rows(HOME, 'one', rows, generation=generation.id))
        self.run(store.finish_restore(HOME, 'one', NOTE))
        bench.search('Lives in Lisbon', lanes=('memories', 'episodes'), generation=generation)
        for lane in bench.lanes:
            assert lane.dense is not None
            assert lane.dense.tolist()[0] > 0.99
        assert list(self.run(store.unembedded(generation, limit=10))) == []


def incoming(items: Sequence[Item], bench: Bench | None = None) -> list[RowIn]:
    """Items with their search side; with a bench with vectors too."""
    rows: list[RowIn] = []
    for item in items:
        if isinstance(item, EpisodeItem):
            segment = SegmentDraft(start=0, end=len(item.text), terms=terms(item.text))
            vectors = [] if bench is None else [bench.vector(item.text)]
            rows.append(EpisodeIn(item=item, segments=[segment], vectors=vectors))
        elif isinstance(item, MemoryItem):
            writes = [
                VersionWrite(terms=terms(v.text), vector=None if bench is None else bench.vector(v.text))
                for v in item.versions
            ]
            rows.append(MemoryIn(item=item, writes=writes))
        else:
            rows.append(item)
    return rows
