"""The part of `StoreSuite` about searching, listing and history."""

# the names of the tests say what they check
from __future__ import annotations

import itertools
from datetime import datetime, timedelta

from memoranda.filters import parse
from memoranda.records import Edit, MemoryRecord
from memoranda.scope import Owner, Reach, Scope
from memoranda.stores.base import Store
from memoranda.stores.history import holds
from memoranda.testing._bench import ANA, DAY, Bench
from memoranda.testing._store_base import StoreTests

__all__ = ['HistoryTests', 'ListingTests', 'SearchTests']

BEN = Scope(user_id='ben')
RUN = Scope(user_id='ana', run_id='r1')


class SearchTests(StoreTests):
    """What a search may see, and what ranking is given."""

    def test_a_search_sees_its_owners_only(self, store: Store) -> None:
        bench = self.bench(store)
        for scope in (ANA, BEN, Scope(agent_id='ana'), Scope(app_id='ana'), Scope(run_id='ana'), Scope.GLOBAL):
            bench.learn(f'of {scope.home("").kind} {scope.home("").key}', scope=scope)
        bench.learn('of another project', project='other')
        assert bench.found() == ['of user ana']
        assert bench.found(lanes=('episodes',)) == ['of user ana']
        both = [Reach(Owner('default', 'user', 'ben')), Reach(Owner('default', 'agent', 'ana'))]
        assert bench.found(reaches=both) == ['of agent ana', 'of user ben']
        assert bench.found(reaches=[Reach(Owner('default', 'user', 'nobody'))]) == []
        assert bench.found(reaches=[]) == []

    def test_a_reach_says_which_runs_are_seen(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('always')
        bench.learn('in run one', scope=RUN, level='run')
        bench.learn('in run two', scope=Scope(user_id='ana', run_id='r2'), level='run')
        owner = ANA.home('default')
        for runs, own, expected in (
            (None, True, ['always', 'in run one', 'in run two']),
            (None, False, ['in run one', 'in run two']),
            ((), True, ['always']),
            (('r1',), True, ['always', 'in run one']),
            (('r1',), False, ['in run one']),
            (('r3',), False, []),
            ((), False, []),
        ):
            reaches = [Reach(owner, runs, own)]
            assert bench.found(reaches=reaches) == expected
            assert sorted(bench.texts(reaches=reaches)) == expected

    def test_only_current_memories_are_seen(self, store: Store) -> None:
        bench = self.bench(store)
        later = DAY + timedelta(days=400)  # the search looks a year after DAY
        old = bench.learn('old city', slot='s')
        bench.supersede(old, 'new city', at=DAY + timedelta(days=1))
        bench.learn('not yet', valid_from=later)
        bench.learn('no longer', valid_to=DAY + timedelta(days=1))
        bench.learn('still', valid_to=later, expires_at=later)
        bench.learn('expired', expires_at=DAY + timedelta(days=1))
        for status in ('pending', 'rejected', 'retracted', 'expired'):
            bench.learn(f'is {status}', status=status)
        assert bench.found() == ['new city', 'still']
        assert sorted(bench.texts()) == ['new city', 'still']

    def test_ranking_gets_words_lengths_and_moments(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('tea tea tea please')
        bench.learn('no thanks', at=DAY + timedelta(days=1))
        bench.learn('Tea in Porto', scope=BEN)
        hits = bench.search('tea porto nothing', reaches=[*ANA.reaches('default'), *BEN.reaches('default')])
        (lane,) = bench.lanes
        assert [h.text for h in hits] == ['tea tea tea please', 'no thanks', 'Tea in Porto']
        assert lane.length.tolist() == [4, 2, 3]
        assert lane.at.tolist() == [DAY.timestamp(), (DAY + timedelta(days=1)).timestamp(), DAY.timestamp()]
        held = {term: dict(zip(*(p.tolist() for p in posting), strict=True)) for term, posting in lane.postings.items()}
        assert held['tea'] == {0: 3, 2: 1}
        assert held['porto'] == {2: 1}
        assert held.get('nothing', {}) == {}
        assert len(set(lane.key.tolist())) == 3

    def test_ranking_gets_the_closeness_of_rows_that_have_a_vector(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('green tea')
        work = bench.work(bench.say('black cats'))
        bench.finish(work, Edit(op='add', before=None, after=bench.fact('black cats', work.episodes)), vectors=False)
        for lane_name in ('memories', 'episodes'):
            bench.search('green tea', lanes=(lane_name,), generation=bench.generation())
            (lane,) = bench.lanes
            assert lane.dense is not None
            close, none = lane.dense.tolist()
            assert abs(close - 1.0) < 1e-5
            assert none != none  # nan
        bench.search('green tea')
        assert bench.lanes[0].dense is None

    def test_what_was_just_written_is_searched(self, store: Store) -> None:
        bench = self.bench(store)
        first = bench.learn('one')
        assert bench.found() == ['one']
        bench.learn('two')
        bench.learn('in a run', scope=RUN, level='run')
        assert bench.found() == ['in a run', 'one', 'two']
        bench.commit(bench.revise(first, text='three'))
        assert bench.found() == ['in a run', 'three', 'two']
        assert bench.found('three', lanes=('episodes',)) == ['in a run', 'one', 'two']
        assert bench.search('three')
        assert sum(len(rows) for rows, _ in bench.lanes[0].postings.values()) == 1

    def test_a_new_version_with_the_same_words_keeps_its_vector(self, store: Store) -> None:
        bench = self.bench(store)
        memory = bench.learn('green tea')
        bench.commit(bench.revise(memory, pinned=True), generation=bench.generation())
        bench.search('green tea', generation=bench.generation())
        (lane,) = bench.lanes
        assert lane.dense is not None
        assert abs(lane.dense[lane.allowed].tolist()[0] - 1.0) < 1e-5

    def test_vectors_of_another_generation_are_not_compared(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('green tea')
        other = self.run(store.start_generation('another', 4, rebuild=True))
        assert [h.text for h in bench.search('green tea', generation=other)] == ['green tea']
        assert bench.lanes[0].dense is None

    def test_filters_narrow_both_lanes(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('tea', kind='preference', scope=RUN, metadata={'team': 'a'})
        bench.learn('cats', kind='profile', metadata={'team': 'b'})
        assert bench.found(filters={'kind': 'preference'}) == ['tea']
        assert bench.found(filters={'metadata.team': 'b'}) == ['cats']
        assert bench.found(filters={'run_id': 'r1'}, lanes=('memories', 'episodes')) == ['tea', 'tea']
        assert bench.found(filters={'kind': 'preference'}, lanes=('episodes',)) == []

    def test_the_past_can_be_asked(self, store: Store) -> None:
        bench = self.bench(store)
        lisbon = bench.learn('Lisbon', slot='home.city')
        bench.supersede(lisbon, 'Porto', at=DAY + timedelta(days=10))
        braga = bench.learn('Braga', at=DAY)
        bench.commit(bench.revise(braga, op='retract', at=DAY + timedelta(days=20), status='retracted'))

        def both(**moment: datetime) -> list[str]:
            found = bench.found('', **moment)
            assert sorted(bench.texts(**moment)) == found
            return found

        day = [DAY + timedelta(days=n) for n in range(31)]
        assert both() == ['Porto']
        assert both(as_of=day[5]) == ['Lisbon']
        assert both(as_of=day[15]) == ['Porto']
        assert both(as_of=DAY - timedelta(days=1)) == []
        assert both(known_at=day[5]) == ['Braga', 'Lisbon']
        assert both(known_at=day[15]) == ['Braga', 'Porto']
        assert both(known_at=day[25]) == ['Porto']
        assert both(known_at=day[15], as_of=day[5]) == ['Braga', 'Lisbon']
        assert both(known_at=DAY - timedelta(days=1)) == []

    def test_messages_said_later_than_the_moment_asked_are_not_seen(self, store: Store) -> None:
        bench = self.bench(store)
        bench.say('early', at=DAY)
        bench.say('late', at=DAY + timedelta(days=2))
        assert bench.found(lanes=('episodes',)) == ['early', 'late']
        assert bench.found(lanes=('episodes',), as_of=DAY + timedelta(days=1)) == ['early']

    def test_a_hit_in_a_message_is_the_passage(self, store: Store) -> None:
        bench = self.bench(store)
        long = 'first ' * 40 + 'second ' * 40
        bench.say(long)
        one, two = bench.search('second', lanes=('episodes',))
        assert (one.start, one.end, two.start, two.end) == (0, 260, 260, 520)
        assert one.episode == two.episode
        assert one.episode is not None
        assert one.episode.text == long
        assert one.text + two.text == long

    def test_messages_are_in_conversations_in_order(self, store: Store) -> None:
        bench = self.bench(store)
        bench.say('a', 'b', conversation='one', name='Ana')
        bench.say('c', conversation='two')
        bench.say('x' * 300, conversation='one', history=False, name='Ben')
        bench.say('d', scope=BEN, conversation='one', name='Ana')
        reaches = [*ANA.reaches('default'), *BEN.reaches('default')]
        bench.search(lanes=('episodes',), reaches=reaches)
        (lane,) = bench.lanes
        assert lane.conversation is not None
        assert lane.position is not None
        assert lane.speaker is not None
        assert lane.role is not None
        numbers = lane.conversation.tolist()
        assert [numbers.index(n) for n in numbers] == [0, 0, 2, 0, 0, 5]
        assert lane.position.tolist() == [0, 1, 0, 2, 3, 0]
        numbers = lane.speaker.tolist()
        names = [*lane.speakers, None]
        assert [names[i] for i in numbers] == ['Ana', 'Ana', None, 'Ben', 'Ben', 'Ana']
        assert set(lane.role.tolist()) == {0}
        assert set(self.run(store.speakers(reaches))) == {'Ana', 'Ben'}
        assert set(self.run(store.speakers(BEN.reaches('default')))) == {'Ana'}

    def test_a_message_whose_fact_no_longer_holds_is_stale(self, store: Store) -> None:
        bench = self.bench(store)
        old = bench.learn('Lives in Lisbon', slot='home.city')
        bench.supersede(old, 'Lives in Porto', at=DAY + timedelta(days=1))
        bench.say('Hello', history=False)
        hits = {h.text: h.stale for h in bench.search(lanes=('episodes',))}
        assert hits == {'Lives in Lisbon': True, 'Lives in Porto': False, 'Hello': False}


class ListingTests(StoreTests):
    """Everything, a page at a time."""

    def test_pages_follow_one_another_and_end(self, store: Store) -> None:
        bench = self.bench(store)
        expected = [f'fact {i}' for i in range(7)]
        for text in expected:
            bench.learn(text)
        for newest_first in (False, True):
            seen: list[str] = []
            cursor: str | None = None
            for _ in range(10):
                found, cursor = bench.page(limit=3, cursor=cursor, newest_first=newest_first)
                assert len(found) <= 3
                seen += [m.text for m in found]
                if cursor is None:
                    break
            assert seen == (expected[::-1] if newest_first else expected)
        assert bench.page(limit=7)[1] is None

    def test_a_page_over_several_owners_is_one_list(self, store: Store) -> None:
        bench = self.bench(store)
        for i in range(6):
            bench.learn(f'fact {i}', scope=ANA if i % 2 else BEN)
        reaches = [*ANA.reaches('default'), *BEN.reaches('default')]
        first, cursor = bench.page(reaches=reaches, limit=4)
        rest, end = bench.page(reaches=reaches, limit=4, cursor=cursor)
        assert [m.text for m in (*first, *rest)] == [f'fact {i}' for i in range(6)]
        assert end is None

    def test_a_page_holds_the_latest_versions(self, store: Store) -> None:
        bench = self.bench(store)
        memory = bench.learn('one')
        bench.learn('two')
        bench.commit(bench.revise(memory, text='uno'))
        gone = bench.learn('three')
        bench.commit(bench.revise(gone, op='retract', status='retracted'))
        assert bench.texts() == ['uno', 'two']
        assert bench.texts(inactive=True) == ['uno', 'two', 'three']
        assert bench.texts(where=parse({'version': 2}), inactive=True) == ['uno', 'three']

    def test_messages_come_in_pages_too(self, store: Store) -> None:
        bench = self.bench(store)
        bench.say(*(f'message {i}' for i in range(5)))
        bench.say('of ben', scope=BEN)
        bench.say('message 5', history=False)
        reaches = ANA.reaches('default')
        seen: list[str] = []
        cursor: str | None = None
        for _ in range(10):
            page = self.run(store.episodes(reaches, limit=2, cursor=cursor))
            seen += [e.text for e in page.items]
            cursor = page.cursor
            if cursor is None:
                break
        assert seen == [f'message {i}' for i in range(6)]

    def test_a_slot_is_read_without_a_search(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('of ana', slot='s')
        bench.learn('of the run', slot='s', scope=RUN, level='run')
        bench.learn('of the agent', slot='s', scope=Scope(agent_id='guide'))
        bench.learn('gone', slot='t', expires_at=DAY + timedelta(days=1))
        now = bench.moment().now

        def values(slot: str, scope: Scope) -> list[str]:
            return [m.text for m in self.run(store.by_slot(slot, scope.reaches('default'), now=now))]

        assert values('s', Scope(user_id='ana', run_id='r1', agent_id='guide')) == [
            'of the run',
            'of ana',
            'of the agent',
        ]
        assert values('s', Scope(user_id='ana', run_id='r2')) == ['of ana']
        assert values('t', ANA) == []
        assert values('s', BEN) == []

    def test_stats_count_what_is_held(self, store: Store) -> None:
        bench = self.bench(store)
        empty = self.run(store.stats())
        assert (empty.owners, empty.memories, empty.versions, empty.episodes, empty.generation) == (0, 0, 0, 0, None)
        memory = bench.learn('one')
        bench.commit(bench.revise(memory, text='two'))
        bench.say('three', 'four', scope=BEN)
        held = self.run(store.stats())
        assert (held.owners, held.memories, held.versions, held.episodes) == (2, 1, 2, 3)
        assert (held.jobs_queued, held.jobs_dead, held.scrub_pending) == (1, 0, False)
        assert held.generation == bench.generation()
        assert held.location == store.location


class HistoryTests(StoreTests):
    """The audit chain and the versions."""

    def test_history_tells_every_change_of_a_memory(self, store: Store) -> None:
        bench = self.bench(store)
        memory = bench.learn('one', metadata={'f': 0.1, 'ü': ['\U0001f600']})
        edit = bench.revise(memory, text='two')
        bench.commit(edit)
        bench.commit(bench.revise(edit.after, op='retract', status='retracted'))
        entries = self.run(store.history(memory.id, project='default'))
        assert [(e.op, e.actor, e.reason) for e in entries] == [
            ('add', 'test', 'a test'),
            ('update', 'test', 'a test'),
            ('retract', 'test', 'a test'),
        ]
        assert entries[0].before is None
        assert [(e.after or {}).get('text') for e in entries] == ['one', 'two', 'two']
        # Digests of messages are of the entry, and not of the memory.
        assert entries[1].before == {k: v for k, v in (entries[0].after or {}).items() if k != 'message_digests'}
        assert entries[1].change_id == edit.after.change_id
        assert entries[1].at == edit.after.recorded_at

    def test_every_link_of_the_chain_verifies(self, store: Store) -> None:
        bench = self.bench(store)
        memories = _story(bench)
        links = sorted(
            (e for m in memories for e in self.run(store.history(m.id, project='default'))), key=lambda e: e.seq
        )
        assert [e.seq for e in links] == list(range(1, len(links) + 1))
        assert len(links[0].prev_hash) == 64  # whose it is, see AuditTests
        for before, after in itertools.pairwise(links):
            assert after.prev_hash == before.hash
        assert all(holds(e) for e in links)

    def test_a_memory_of_another_project_is_not_found(self, store: Store) -> None:
        bench = self.bench(store)
        memory = bench.learn('one')
        assert self.run(store.get(memory.id, project='other')) is None
        assert list(self.run(store.versions(memory.id, project='other'))) == []
        assert list(self.run(store.history(memory.id, project='other'))) == []
        assert self.run(store.get('no such memory', project='default')) is None


def _story(bench: Bench) -> list[MemoryRecord]:
    first = bench.learn('Lives in Lisbon', slot='home.city', tags=('a', 'ü'), confidence=1 / 3)
    second = bench.supersede(first, 'Lives in Porto', at=DAY + timedelta(days=1, microseconds=7))
    third = bench.learn('Likes tea', metadata={'x': 1e-7, 'y': [None, True]})
    bench.commit(bench.revise(third, op='retract', status='retracted'))
    bench.learn('Another owner', scope=BEN)
    return [first, second, third]
