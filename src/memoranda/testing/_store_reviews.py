"""The part of `StoreSuite` about what waits for a person."""

# the names of the tests say what they check
from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from memoranda.errors import Conflict
from memoranda.records import Edit, MemoryRecord, ReviewNote, ReviewOp
from memoranda.scope import Level, Scope
from memoranda.stores.base import Store
from memoranda.stores.data import Pending
from memoranda.testing._bench import ANA, DAY, Bench, raises
from memoranda.testing._store_base import StoreTests

__all__ = ['ReviewTests']

BEN = Scope(user_id='ben')
ONE = Scope(user_id='ana', run_id='r1')


def propose(
    bench: Bench,
    text: str,
    *reasons: str,
    op: ReviewOp = 'add',
    target: str | None = None,
    scope: Scope = ANA,
    project: str = 'default',
    level: Level | None = None,
    **fields: Any,
) -> MemoryRecord:
    """Say a text, which waits."""
    work = bench.work(bench.say(text, scope=scope, project=project, history=False))
    memory = bench.fact(text, work.episodes, scope=scope, project=project, level=level, status='pending', **fields)
    note = ReviewNote(op=op, target=target, reasons=reasons)
    bench.finish(work, Edit(op='add', before=None, after=memory, review=note))
    return memory


class ReviewTests(StoreTests):
    """Proposals: kept with what they are about, listed, decided on, erased."""

    def waiting(
        self,
        store: Store,
        scope: Scope | None = ANA,
        *,
        project: str = 'default',
        reasons: list[str] | None = None,
    ) -> list[str]:
        """The texts of the queue, read in pages of two."""
        reaches = None if scope is None else scope.reaches(project)
        found: list[str] = []
        cursor: str | None = None
        while True:
            page, cursor = self.run(store.reviews(reaches, project=project, reasons=reasons, limit=2, cursor=cursor))
            assert len(page) <= 2
            found += [p.memory.text for p in page]
            if cursor is None:
                return found

    def one(self, store: Store, memory: MemoryRecord) -> Pending:
        found = self.run(store.review(memory.id, project='default'))
        assert found is not None
        return found

    def test_a_proposal_is_kept_with_what_it_is_about(self, store: Store) -> None:
        bench = self.bench(store)
        old = bench.learn('Lives in Lisbon')
        new = propose(bench, 'Lives in Porto', 'locked', 'source:tool', op='supersede', target=old.id)
        found = self.one(store, new)
        assert found.memory == new
        assert found.note == ReviewNote(op='supersede', target=old.id, reasons=('locked', 'source:tool'))
        assert found.at == new.recorded_at
        assert self.run(
            store.reviews(ANA.reaches('default'), project='default', reasons=None, limit=9, cursor=None)
        ) == (
            [found],
            None,
        )
        assert self.run(store.review(old.id, project='default')) is None
        assert self.run(store.review(new.id, project='other')) is None
        assert self.run(store.review('nonsense', project='default')) is None

    def test_what_waits_comes_in_the_order_it_was_proposed(self, store: Store) -> None:
        bench = self.bench(store)
        for number in range(5):
            propose(bench, f'fact {number}')
        bench.learn('Likes tea')
        assert self.waiting(store) == [f'fact {n}' for n in range(5)]
        assert self.waiting(store, None) == [f'fact {n}' for n in range(5)]

    def test_what_waits_of_others_is_not_listed(self, store: Store) -> None:
        bench = self.bench(store)
        propose(bench, 'of Ana')
        propose(bench, 'of Ben', scope=BEN)
        propose(bench, 'of one run', scope=ONE, level='run')
        propose(bench, 'of another tenant', project='other')
        propose(bench, 'of the agent', scope=Scope(agent_id='a'))
        assert self.waiting(store) == ['of Ana', 'of one run']
        assert self.waiting(store, BEN) == ['of Ben']
        assert self.waiting(store, Scope(user_id='ana', run_id='r2')) == ['of Ana']
        assert self.waiting(store, Scope(user_id='ana', agent_id='a')) == ['of Ana', 'of one run', 'of the agent']
        assert self.waiting(store, Scope(user_id='nobody')) == []
        assert self.waiting(store, None) == ['of Ana', 'of Ben', 'of one run', 'of the agent']
        assert self.waiting(store, None, project='other') == ['of another tenant']

    def test_what_waits_is_listed_by_reason(self, store: Store) -> None:
        bench = self.bench(store)
        propose(bench, 'one', 'locked')
        propose(bench, 'two', 'source:tool', 'burst')
        propose(bench, 'three', 'source')
        propose(bench, 'four')
        assert self.waiting(store, reasons=['locked']) == ['one']
        assert self.waiting(store, reasons=['source']) == ['two', 'three']
        assert self.waiting(store, None, reasons=['source:tool', 'locked']) == ['one', 'two']
        assert self.waiting(store, reasons=['sourc', "' OR 1", '%']) == []

    def test_what_waits_is_not_recalled(self, store: Store) -> None:
        bench = self.bench(store)
        memory = propose(bench, 'Lives in Lisbon', slot='home.city')
        later = memory.recorded_at + timedelta(days=1)
        assert bench.search('Lisbon', generation=bench.generation()) == []
        assert bench.search('Lisbon', as_of=later) == bench.search('Lisbon', known_at=later) == []
        assert bench.texts() == bench.texts(as_of=later) == bench.texts(known_at=later) == []
        assert list(self.run(store.by_slot('home.city', ANA.reaches('default'), now=bench.moment().now))) == []
        assert bench.texts(inactive=True) == ['Lives in Lisbon']

    def test_a_message_is_not_stale_because_a_proposal_drawn_from_it_waits_or_was_turned_down(
        self, store: Store
    ) -> None:
        bench = self.bench(store)
        memory = propose(bench, 'Lives in Lisbon')
        assert [h.stale for h in bench.search('Lisbon', lanes=('episodes',))] == [False]
        bench.commit(bench.revise(memory, op='reject', status='rejected'))
        assert [h.stale for h in bench.search('Lisbon', lanes=('episodes',))] == [False]

    def test_a_snapshot_tells_what_waits_and_what_was_turned_down(self, store: Store) -> None:
        bench = self.bench(store)
        waits = propose(bench, 'Lives in Lisbon', 'locked')
        refused = propose(bench, 'Likes tea', trust='tool')
        propose(bench, 'Likes tea', scope=BEN)
        bench.commit(bench.revise(refused, op='reject', status='rejected'))
        snapshot = self.run(store.snapshot(ANA.home('default'), hashes=[waits.hash, refused.hash]))
        assert [(p.memory, p.note.reasons) for p in snapshot.pending] == [(waits, ('locked',))]
        assert snapshot.rejected == {refused.hash: 'tool'}
        assert snapshot.memories == []
        assert self.run(store.snapshot(BEN.home('default'), hashes=[refused.hash])).rejected == {}

    def test_more_evidence_changes_the_note_but_not_when_it_was_proposed(self, store: Store) -> None:
        bench = self.bench(store)
        first = propose(bench, 'Lives in Lisbon', 'burst')
        second = bench.revise(first, op='confirm', confidence=0.5)
        note = ReviewNote(op='add', reasons=('burst', 'locked'))
        bench.commit(replace(second, review=note))
        found = self.one(store, first)
        assert (found.memory.version, found.note, found.at) == (2, note, first.recorded_at)
        assert self.waiting(store) == ['Lives in Lisbon']

    def test_what_was_decided_no_longer_waits_and_is_still_known(self, store: Store) -> None:
        bench = self.bench(store)
        yes, no = propose(bench, 'Likes tea', 'burst'), propose(bench, 'Likes rum', 'burst')
        bench.commit(bench.revise(yes, op='approve', status='active'))
        bench.commit(bench.revise(no, op='reject', status='rejected'))
        assert self.waiting(store) == self.waiting(store, None) == []
        assert [self.one(store, m).memory.status for m in (yes, no)] == ['active', 'rejected']
        assert [self.one(store, m).note.reasons for m in (yes, no)] == [('burst',), ('burst',)]
        assert bench.texts() == ['Likes tea']

    def test_what_waits_again_is_no_longer_turned_down(self, store: Store) -> None:
        bench = self.bench(store)
        memory = propose(bench, 'Likes rum', 'burst')
        refused = bench.revise(memory, op='reject', status='rejected')
        bench.commit(refused)
        again = bench.revise(refused.after, op='restore', status='pending')
        bench.commit(again)
        assert self.waiting(store) == ['Likes rum']
        assert self.run(store.snapshot(ANA.home('default'), hashes=[memory.hash])).rejected == {}

    def test_words_turned_down_twice_stay_so_when_one_comes_back(self, store: Store) -> None:
        bench = self.bench(store)
        said = propose(bench, 'Likes rum'), propose(bench, 'Likes rum', scope=ONE, level='run')
        refused = [bench.revise(memory, op='reject', status='rejected') for memory in said]
        for edit in refused:
            bench.commit(edit)
        bench.commit(bench.revise(refused[0].after, op='restore', status='pending'))
        assert self.run(store.snapshot(ANA.home('default'), hashes=[refused[0].after.hash])).rejected

    def test_a_change_that_is_refused_leaves_no_proposal(self, store: Store) -> None:
        bench = self.bench(store)
        memory = propose(bench, 'Likes tea')
        bench.commit(bench.revise(memory, op='approve', status='active'))
        fresh = replace(memory, id=memory.id[:-1] + ('0' if memory.id[-1] != '0' else '1'), change_id='c')
        stale = bench.revise(memory, op='reject', status='rejected')
        with raises(Conflict):  # somebody has approved it since
            bench.commit(Edit(op='add', before=None, after=fresh, review=ReviewNote(op='add')), stale)
        assert self.waiting(store) == []
        assert self.run(store.review(fresh.id, project='default')) is None
        assert self.run(store.snapshot(ANA.home('default'), hashes=[memory.hash])).rejected == {}

    def test_what_waits_is_erased_with_its_owner(self, store: Store) -> None:
        bench = self.bench(store)
        gone, refused = propose(bench, 'Likes tea', 'burst'), propose(bench, 'Likes rum')
        bench.commit(bench.revise(refused, op='reject', status='rejected'))
        propose(bench, 'of Ben', scope=BEN)
        self.run(store.erase(ANA.erasure('default')))
        assert self.waiting(store, None) == ['of Ben']
        assert self.run(store.review(gone.id, project='default')) is None
        bench.learn('Likes chess')
        assert self.run(store.snapshot(ANA.home('default'), hashes=[refused.hash])).rejected == {}

    def test_what_waits_is_erased_with_the_run_it_was_said_in(self, store: Store) -> None:
        bench = self.bench(store)
        said = propose(bench, 'Likes tea', scope=ONE)
        refused = propose(bench, 'Likes rum', scope=ONE)
        bench.commit(bench.revise(refused, op='reject', status='rejected'))
        approved = propose(bench, 'Likes figs', scope=ONE)
        bench.commit(bench.revise(approved, op='approve', status='active'))
        propose(bench, 'Likes chess')
        self.run(store.erase(ONE.erasure('default')))
        assert self.waiting(store) == ['Likes chess']
        assert [self.run(store.review(m.id, project='default')) for m in (said, refused, approved)] == [None] * 3
        assert self.run(store.snapshot(ANA.home('default'), hashes=[refused.hash])).rejected == {}

    def test_messages_are_found_by_their_ids_within_their_owner(self, store: Store) -> None:
        bench = self.bench(store)
        first, second = bench.say('one', history=False), bench.say('two', history=False)
        ids = [*second.episode_ids, 'nonsense', *first.episode_ids, *first.episode_ids]
        found = self.run(store.messages(ids, owner=ANA.home('default')))
        assert [(e.text, e.occurred_at) for e in found] == [('one', DAY), ('two', DAY)]
        assert list(self.run(store.messages(ids, owner=BEN.home('default')))) == []
        bench.say('three', scope=BEN, history=False)
        assert list(self.run(store.messages(ids, owner=BEN.home('default')))) == []

    def test_messages_are_told_with_those_around_them_in_their_conversation(self, store: Store) -> None:
        bench = self.bench(store)
        talk = bench.say(*'abcdefgh', scope=ONE, conversation='r1')
        bench.say('elsewhere', scope=Scope(user_id='ana', run_id='r2'), conversation='r2')
        owner = ANA.home('default')

        def told(*places: int, around: int) -> str:
            ids = [talk.episode_ids[place] for place in places]
            return ''.join(e.text for e in self.run(store.messages(ids, owner=owner, around=around)))

        assert [told(3, around=1), told(0, around=2), told(7, around=2)] == ['cde', 'abc', 'fgh']
        assert told(2, 4, around=1) == 'bcdef'
        assert told(1, 6, around=1) == 'abcfgh'
        assert list(self.run(store.messages(talk.episode_ids, owner=BEN.home('default'), around=3))) == []
