"""The part of `StoreSuite` about the audit chains, as those who prove them read them."""

# the names of the tests say what they check
from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from memoranda.scope import Owner, Scope
from memoranda.stores.base import Store
from memoranda.stores.chains import Chain, ReadNote, Seen, Walked
from memoranda.stores.erasures import subject_key
from memoranda.stores.history import is_hash_of, messages_told, state_of
from memoranda.stores.trails import TrailAsked, TrailEntry
from memoranda.testing._bench import ANA, DAY, Bench
from memoranda.testing._store_base import StoreTests

__all__ = ['AuditTests']

BEN = Scope(user_id='ben')
HOME = ANA.home('default')


class AuditTests(StoreTests):
    """Chains, their links, and the notes of reads."""

    def audited_chain(self, store: Store, owner: Owner = HOME) -> Chain:
        """The chain of an owner; there must be one."""
        (found,) = self.run(store.chains([owner], project='default', limit=10))
        return found

    def audited_links(
        self, store: Store, chain: Chain, *, after: int = 0, compare: bool = True
    ) -> tuple[list[Seen], Walked | None]:
        """The links of a chain, and what is told at the end."""
        found: list[Seen] = []

        def visit(_: Chain, seen: Sequence[Seen]) -> bool:
            found.extend(seen)
            return True

        return found, self.run(store.walk(chain, visit, after=after, compare=compare))

    def test_chains_are_listed_by_owner_by_project_and_all_in_the_order_of_their_numbers(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('one')
        bench.learn('two', scope=BEN)
        bench.learn('three', scope=BEN, project='other')
        everybody = self.run(store.chains(None, project=None, limit=10))
        assert sorted((c.project, c.kind, c.key) for c in everybody) == [
            ('default', 'user', 'ana'),
            ('default', 'user', 'ben'),
            ('other', 'user', 'ben'),
        ]
        numbers = [c.number for c in everybody]
        assert numbers == sorted(set(numbers))
        assert self.run(store.chains(None, project=None, limit=1, after=numbers[0])) == [everybody[1]]
        assert self.run(store.chains(None, project='other', limit=10)) == [c for c in everybody if c.project == 'other']
        two = [c for c in everybody if c.project == 'default']
        assert self.run(store.chains([BEN.home('default'), HOME], project='default', limit=10)) == two
        assert self.run(store.chains([Owner('default', 'user', 'nobody')], project='default', limit=10)) == []

    def test_a_chain_is_known_by_a_keyed_hash_of_whose_it_is(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('one')
        chain = self.audited_chain(store)
        assert chain.subject == subject_key(self.run(store.secret()), 'default', HOME, {})
        (first,), walked = self.audited_links(store, chain)
        assert first.link.prev_hash == chain.subject
        assert walked == Walked(chain=chain)
        assert (chain.length, chain.head) == (1, first.link.hash)

    def test_links_come_in_order_with_the_versions_they_made(self, store: Store) -> None:
        bench = self.bench(store)
        memories = _story(bench)
        seen, walked = self.audited_links(store, self.audited_chain(store))
        links = [s.link for s in seen]
        assert [x.seq for x in links] == list(range(1, len(links) + 1))
        assert all(is_hash_of(x) for x in links)
        assert [x.prev_hash for x in links[1:]] == [x.hash for x in links[:-1]]
        versions = [s.memory for s in seen if s.memory is not None]
        assert len(versions) == len(links)
        held = [v for m in memories for v in self.run(store.versions(m.id, project='default'))]
        assert sorted(map(repr, versions)) == sorted(map(repr, held))
        for one in seen:
            assert one.memory is not None
            assert (one.link.memory_id, one.link.change_id) == (one.memory.id, one.memory.change_id)
            assert state_of(one.memory)['text'] in (one.link.after or '')
            assert one.messages == {id_: (told, told) for id_, told in messages_told(one.link.after).items()}
        first = {s.memory.id: {e.episode_id for e in s.memory.evidence} for s in reversed(seen) if s.memory is not None}
        assert {id_ for s in seen for id_ in s.messages} >= set().union(*first.values())
        assert walked is not None
        assert (walked.stray, walked.odd) == (None, None)

    def test_a_walk_may_begin_later_end_early_and_leave_the_memories_alone(self, store: Store) -> None:
        bench = self.bench(store)
        _story(bench)
        chain = self.audited_chain(store)
        seen, walked = self.audited_links(store, chain, after=chain.length - 2, compare=False)
        assert [s.link.seq for s in seen] == [chain.length - 1, chain.length]
        assert [s.memory for s in seen] == [None, None]
        assert walked is not None
        shown: list[int] = []

        def visit(_: Chain, seen: Sequence[Seen]) -> bool:
            shown.append(len(seen))
            return False

        assert self.run(store.walk(chain, visit)) is None
        assert len(shown) == 1
        assert shown[0] < chain.length

    def test_a_walk_tells_how_the_chain_is_now(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('one')
        before = self.audited_chain(store)
        bench.learn('two')
        seen, walked = self.audited_links(store, before)
        assert len(seen) == 2
        assert walked is not None
        assert walked.chain.length == 2

    def test_after_the_erasure_of_a_part_the_rest_is_still_compared(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('Said in one', scope=Scope(user_id='ana', run_id='r1'))
        kept = bench.learn('Said in two')
        self.run(store.erase(Scope(user_id='ana', run_id='r1').erasure('default')))
        seen, walked = self.audited_links(store, self.audited_chain(store))
        assert [(s.link.op, s.link.salt is None, s.memory is None) for s in seen] == [
            ('add', True, True),
            ('add', False, False),
            ('erase', False, True),
        ]
        assert seen[1].link.memory_id == kept.id
        assert walked is not None
        assert (walked.stray, walked.odd) == (None, None)

    def test_of_an_owner_that_was_erased_one_link_is_left_under_its_number(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('one')
        bench.learn('two')
        before = self.audited_chain(store)
        self.run(store.erase(ANA.erasure('default')))
        assert self.run(store.chains([HOME], project='default', limit=10)) == []
        (after,) = self.run(store.chains(None, project='default', limit=10))
        assert (after.number, after.kind, after.key) == (before.number, 'erased', str(before.number))
        assert after.subject != before.subject
        (last,), _ = self.audited_links(store, after)
        assert (last.link.seq, last.link.op, last.link.prev_hash) == (3, 'erase', before.head)
        assert '"blanked":[[1,2]]' in (last.link.after or '')
        bench.learn('again')
        assert self.audited_chain(store).number > before.number

    def test_reads_are_links_that_nothing_else_notices(self, store: Store) -> None:
        bench = self.bench(store)
        memory = bench.learn('one')
        version = self.run(store.snapshot(HOME)).owner_version
        assert self.run(store.note_reads([_note(memory.id), _note(memory.id, owner=BEN.home('default'))])) == 1
        assert self.run(store.snapshot(HOME)).owner_version == version
        assert [e.op for e in self.run(store.history(memory.id, project='default'))] == ['add']
        changes, _ = self.run(store.changes(ANA.reaches('default'), limit=10, cursor=None))
        assert len(changes) == 1
        seen, walked = self.audited_links(store, self.audited_chain(store))
        assert [(s.link.op, s.link.actor, s.link.reason) for s in seen][1:] == [('read', 'jane', 'why')]
        assert all(is_hash_of(s.link) for s in seen)
        assert walked is not None
        assert walked.stray is None

    def test_reads_are_listed_latest_first_by_owner_memory_and_project(self, store: Store) -> None:
        bench = self.bench(store)
        one, two = bench.learn('one').id, bench.learn('two').id
        three = bench.learn('three', scope=BEN).id
        bench.learn('four', scope=BEN, project='other')
        for hours, (ids, owner) in enumerate((((one,), HOME), ((one, two), HOME), ((three,), BEN.home('default')))):
            self.run(store.note_reads([_note(*ids, owner=owner, hours=hours)]))
        found, cursor = self.run(
            store.reads(ANA.reaches('default'), project='default', memory_id=None, limit=10, cursor=None)
        )
        assert cursor is None
        latest, earliest = found
        assert (latest.memory_ids, latest.message_ids, latest.times) == ((one, two), ('m1',), 2)
        assert (latest.actor, latest.purpose, latest.reason) == ('jane', 'search', 'why')
        assert (latest.at, latest.seq, latest.kind, latest.key) == (DAY + timedelta(hours=1), 4, 'user', 'ana')
        assert earliest.memory_ids == (one,)
        by_memory, _ = self.run(
            store.reads(ANA.reaches('default'), project='default', memory_id=two, limit=10, cursor=None)
        )
        assert by_memory == [latest]
        whole: list[str] = []
        after: str | None = None
        while True:
            page, after = self.run(store.reads(None, project='default', memory_id=None, limit=2, cursor=after))
            whole += [r.key for r in page]
            if after is None:
                break
        assert whole == ['ben', 'ana', 'ana']
        assert self.run(store.reads(None, project='other', memory_id=None, limit=2, cursor=None)) == ([], None)

    def test_the_trail_lists_entries_of_all_chains_latest_first_by_what_is_asked_for(self, store: Store) -> None:
        bench = self.bench(store)
        first = bench.learn('one')
        bench.learn('two', scope=BEN)
        last = bench.supersede(first, 'three', at=DAY + timedelta(days=1))
        bench.learn('four', scope=BEN, project='other')
        note = _note(last.id, owner=BEN.home('default'), hours=100)
        self.run(store.note_reads([note]))

        def asked(**conditions: Any) -> list[TrailEntry]:
            found, cursor = self.run(store.trail(TrailAsked(project='default', **conditions)))
            assert cursor is None
            return list(found)

        everything = asked()
        assert [(e.key, e.op) for e in everything[:1]] == [('ben', 'read')]
        assert sorted((e.key, e.op) for e in everything) == sorted(
            [('ben', 'read'), ('ana', 'supersede'), ('ana', 'add'), ('ben', 'add'), ('ana', 'add')]
        )
        assert [e.place for e in everything] == sorted((e.place for e in everything), reverse=True)
        own = asked(owner=HOME)
        assert [e.seq for e in own] == [3, 2, 1]
        assert [e for e in everything if e.key == 'ana'] == sorted(own, key=lambda e: e.place, reverse=True)
        (read,) = asked(ops=('read',))
        assert (read.actor, read.reason, read.memory_id, read.seq) == ('jane', 'why', '', 2)
        assert f'"memories":["{last.id}"]' in (read.told or '')
        assert asked(actor='ja') == [read]
        assert asked(kind='user') == everything
        assert asked(kind='agent') == []
        assert asked(since=note.at) == [read]
        assert asked(until=note.at) == everything[1:]
        assert {e.memory_id for e in asked(memory_id=first.id)} == {first.id}
        assert all(e.told is None for e in everything if e.memory_id)
        assert asked(owner=Scope(user_id='nobody').home('default')) == []

    def test_pages_of_the_trail_follow_on_each_other_and_look_through_so_many_entries(self, store: Store) -> None:
        bench = self.bench(store)
        for number in range(4):
            bench.learn(f'Fact {number} of ana')
            bench.learn(f'Fact {number} of ben', scope=BEN)
        whole, _ = self.run(store.trail(TrailAsked(project='default')))
        assert len(whole) == 8
        asked: list[dict[str, Any]] = [
            {'limit': 3}, {'limit': 3, 'owner': HOME}, {'ops': ('erase',), 'most': 2}, {'most': 3}
        ]  # fmt: skip
        for conditions in asked:
            found: list[TrailEntry] = []
            cursor: str | None = None
            pages = 0
            while True:
                page, cursor = self.run(store.trail(TrailAsked(project='default', cursor=cursor, **conditions)))
                found += page
                pages += 1
                if cursor is None:
                    break
            assert pages > 1
            wanted = [e for e in whole if conditions.get('owner') in (None, HOME) and 'ops' not in conditions]
            assert {e.place for e in found} == {e.place for e in wanted if 'owner' not in conditions or e.key == 'ana'}
            assert len(found) == len({e.place for e in found})

    def test_reads_go_with_their_owner(self, store: Store) -> None:
        bench = self.bench(store)
        memory = bench.learn('one')
        self.run(store.note_reads([_note(memory.id)]))
        self.run(store.erase(ANA.erasure('default')))
        assert self.run(store.reads(None, project='default', memory_id=None, limit=9, cursor=None)) == ([], None)
        assert self.run(store.note_reads([_note(memory.id)])) == 0


def _story(bench: Bench) -> list[Any]:
    """Several memories with several versions, more links than are shown at once."""
    first = bench.learn('Lives in Lisbon', slot='home.city')
    second = bench.supersede(first, 'Lives in Porto', at=DAY + timedelta(days=1))
    third = bench.learn('Likes tea')
    for number in range(280):
        edit = bench.revise(third, importance=number / 300)
        bench.commit(edit)
        third = edit.after
    return [first, second, third]


def _note(*ids: str, owner: Owner = HOME, actor: str = 'jane', hours: int = 0) -> ReadNote:
    """That these memories were read."""
    return ReadNote(
        owner=owner,
        actor=actor,
        purpose='search',
        reason='why',
        memory_ids=ids,
        message_ids=('m1',),
        times=2,
        at=DAY + timedelta(hours=hours),
    )
