"""The part of `StoreSuite` about reading a whole project: listings, people, figures of days, slots in trouble."""

# the names of the tests say what they check
from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from memoranda.errors import InvalidInput
from memoranda.filters import parse
from memoranda.records import NO_USAGE, Usage, now
from memoranda.scope import OwnerKind, Reach, Scope
from memoranda.stores.base import Store
from memoranda.stores.erasures import Forgetting
from memoranda.stores.figures import BrowseAsked, Browsed, ContestedSlot, Day
from memoranda.testing._bench import ANA, DAY, WORKER
from memoranda.testing._store_base import StoreTests

__all__ = ['OverviewTests']

BEN = Scope(user_id='ben')
TODAY = DAY + timedelta(days=2)


class OverviewTests(StoreTests):
    """What is asked of all owners of a project at once."""

    def slice_of(self, store: Store, **asked: Any) -> Browsed:
        """One slice."""
        asked.setdefault('project', 'default')
        return self.run(store.browse(BrowseAsked(**asked)))

    def texts_of(self, store: Store, **asked: Any) -> list[str]:
        """The texts of a listing, read in slices of two."""
        found: list[str] = []
        page = self.slice_of(store, size=2, **asked)
        total = page.count
        while True:
            assert len(page.items) <= 2
            found += [memory.text for memory in page.items]
            if page.cursor is None:
                assert (total, page.more) == (len(found), False)
                return found
            page = self.slice_of(store, size=2, cursor=page.cursor, **asked)
            assert page.count is None

    def test_a_project_is_listed_page_by_page_in_the_order_of_recording(self, store: Store) -> None:
        bench = self.bench(store)
        for number in range(5):
            bench.learn(f'fact {number}', scope=(ANA, BEN, Scope(agent_id='bot'))[number % 3])
        bench.learn('elsewhere', project='other')
        assert self.texts_of(store) == ['fact 4', 'fact 3', 'fact 2', 'fact 1', 'fact 0']
        assert self.texts_of(store, newest_first=False) == ['fact 0', 'fact 1', 'fact 2', 'fact 3', 'fact 4']
        assert self.texts_of(store, project='other') == ['elsewhere']
        assert self.texts_of(store, project='nobody') == []
        assert self.texts_of(store, reaches=ANA.reaches('default')) == ['fact 3', 'fact 0']
        assert self.texts_of(store, reaches=[*BEN.reaches('default'), *ANA.reaches('default')]) == [
            'fact 4',
            'fact 3',
            'fact 1',
            'fact 0',
        ]

    def test_a_memory_is_listed_once_in_its_latest_version(self, store: Store) -> None:
        bench = self.bench(store)
        old = bench.learn('Lives in Lisbon')
        bench.supersede(old, 'Lives in Porto', at=DAY + timedelta(days=1))
        assert self.texts_of(store) == ['Lives in Porto', 'Lives in Lisbon']
        assert self.texts_of(store, statuses=('active',)) == ['Lives in Porto']
        assert self.texts_of(store, statuses=('superseded', 'retracted')) == ['Lives in Lisbon']
        assert self.texts_of(store, statuses=()) == []

    def test_a_listing_is_narrowed_by_what_its_index_holds(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('one', kind='preference', trust='tool')
        bench.learn('two', kind='preference', scope=Scope(user_id='ben', agent_id='bot'))
        bench.learn('three', at=DAY + timedelta(days=1))
        for where, texts in (
            ({'kind': 'preference'}, ['two', 'one']),
            ({'kind': {'ne': 'preference'}}, ['three']),
            ({'trust': {'in': ['tool', 'external']}}, ['one']),
            ({'agent_id': 'bot'}, ['two']),
            ({'agent_id': {'exists': False}}, ['three', 'one']),
            ({'recorded_at': {'gte': DAY + timedelta(hours=1)}}, ['three']),
            ({'said_at': {'lt': DAY + timedelta(hours=1)}, 'kind': 'preference', 'trust': 'user'}, ['two']),
            ({'kind': 'nothing'}, []),
        ):
            assert self.texts_of(store, where=parse(where)) == texts, where
            assert self.texts_of(store, where=parse(where), reaches=ANA.reaches('default')) == [
                text for text in texts if text != 'two'
            ]

    def test_words_and_other_fields_are_looked_for_row_by_row(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('Likes STRASSE food', tags=('food',))
        bench.learn('Likes 100% tea_', scope=BEN, metadata={'team': 'red'})
        bench.learn('Hates rain')
        assert self.texts_of(store, text='straße') == ['Likes STRASSE food']
        assert self.texts_of(store, text='likes') == ['Likes 100% tea_', 'Likes STRASSE food']
        assert self.texts_of(store, text='%') == ['Likes 100% tea_']
        assert self.texts_of(store, text='likes', reaches=BEN.reaches('default')) == ['Likes 100% tea_']
        assert self.texts_of(store, rest=parse({'metadata.team': 'red'})) == ['Likes 100% tea_']
        assert self.texts_of(store, rest=parse({'tags': 'food'}), text='LIKES') == ['Likes STRASSE food']
        assert self.texts_of(store, rest=parse({'user_id': {'ne': 'ana'}})) == ['Likes 100% tea_']

    def test_words_are_not_looked_for_in_more_rows_than_may_be_read(self, store: Store, monkeypatch: Any) -> None:
        from memoranda.stores.sql import overview

        bench = self.bench(store)
        for number in range(4):
            bench.learn(f'fact {number}', kind='goal' if number else 'event')
        monkeypatch.setattr(overview, 'MOST_READ', 2)
        try:
            self.slice_of(store, text='fact')
        except InvalidInput as error:
            assert 'user_id' in str(error)  # noqa: PT017  # no pytest here
        else:
            assert self.in_several(store)
        assert self.texts_of(store, text='fact', where=parse({'kind': 'event'})) == ['fact 0']

    def in_several(self, store: Store) -> bool:
        """Whether the store is of several databases, each of which has its own bounds."""
        return ' ' in store.location

    def test_more_than_are_counted_are_told_to_be_more(self, store: Store, monkeypatch: Any) -> None:
        from memoranda.stores.sharding import listing
        from memoranda.stores.sql import overview

        bench = self.bench(store)
        for number in range(5):
            bench.learn(f'fact {number}', scope=Scope(user_id=f'u{number}'))
        monkeypatch.setattr(overview, 'MOST_COUNTED', 3)
        monkeypatch.setattr(listing, 'MOST_COUNTED', 3)
        page = self.slice_of(store, size=2)
        assert (page.count, page.more, len(page.items)) == (3, True, 2)
        found = self.run(store.people(project='default', kinds=('user',), prefix='', size=2, after=None))
        assert (found.count, found.more) == (3, True)

    def test_runs_out_of_reach_are_not_listed(self, store: Store) -> None:
        bench = self.bench(store)
        one, two = Scope(user_id='ana', run_id='r1'), Scope(user_id='ana', run_id='r2')
        bench.learn('of one', scope=one, level='run')
        bench.learn('of two', scope=two, level='run')
        bench.learn('of ana')
        assert self.texts_of(store, reaches=one.reaches('default')) == ['of ana', 'of one']
        assert self.texts_of(store, reaches=one.reaches('default', levels=('run',))) == ['of one']
        assert self.texts_of(store) == ['of ana', 'of two', 'of one']

    def people_of(
        self, store: Store, *kinds: OwnerKind, prefix: str = '', project: str = 'default'
    ) -> Sequence[tuple[str, str, int]]:
        """Kind, id and memories of all who are listed, in slices of two."""
        found: list[tuple[str, str, int]] = []
        after: tuple[OwnerKind, str] | None = None
        total: int | None = None
        while True:
            page = self.run(store.people(project=project, kinds=kinds, prefix=prefix, size=2, after=after))
            found += [(one.owner.kind, one.owner.key, one.memories) for one in page.items]
            total = page.count if total is None else total
            if page.cursor is None:
                assert total == len(found)
                return found
            last = page.items[-1].owner
            assert page.cursor == f'{last.kind}:{last.key}'
            after = (last.kind, last.key)

    def test_people_are_listed_by_their_ids(self, store: Store) -> None:
        bench = self.bench(store)
        for name in ('ben', 'ana', 'Zoë', 'an%', 'ann'):
            bench.learn(f'{name} likes tea', scope=Scope(user_id=name))
        bench.learn('ana likes rain')
        bench.learn('of the bot', scope=Scope(agent_id='bot'))
        bench.learn('elsewhere', project='other', scope=Scope(user_id='anton'))
        assert self.people_of(store, 'user') == [
            ('user', 'Zoë', 1),
            ('user', 'an%', 1),
            ('user', 'ana', 2),
            ('user', 'ann', 1),
            ('user', 'ben', 1),
        ]
        assert self.people_of(store, 'user', prefix='an') == [
            ('user', 'an%', 1),
            ('user', 'ana', 2),
            ('user', 'ann', 1),
        ]
        assert self.people_of(store, 'user', prefix='an%') == [('user', 'an%', 1)]
        assert self.people_of(store, 'agent', 'user', prefix='b') == [('agent', 'bot', 1), ('user', 'ben', 1)]
        assert self.people_of(store, 'user', project='nobody') == []

    def last_days(self, store: Store, today: datetime = TODAY, project: str = 'default') -> list[Day]:
        """The figures of the last three days."""
        return list(self.run(store.activity(project=project, today=today, days=3)).days)

    def test_what_happens_is_counted_by_day(self, store: Store) -> None:
        bench = self.bench(store)
        old = bench.learn('Lives in Lisbon', slot='home.city')
        bench.learn('Likes tea', scope=BEN, at=DAY + timedelta(days=1))
        bench.supersede(old, 'Lives in Porto', at=DAY + timedelta(days=1))
        gone = bench.learn('Likes rain', at=DAY + timedelta(days=2))
        bench.commit(bench.revise(gone, op='retract', status='retracted'))
        found = self.last_days(store)
        assert [one.day for one in found] == [date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)]
        assert [one.added for one in found] == [1, 2, 1]
        assert [one.superseded for one in found] == [0, 1, 0]
        assert [one.retracted for one in found] == [0, 0, 1]
        assert [one.memories for one in found] == [1, 2, 2]
        assert all(one.usage == NO_USAGE and one.hit_rate is None and one.latency is None for one in found)
        whole = self.run(store.activity(project='default', today=TODAY, days=3))
        assert (whole.memories, whole.people, whole.since) == (2, 2, date(2026, 3, 1))
        assert whole.letters_held == len('Lives in LisbonLikes teaLives in PortoLikes rain')
        nobody = self.run(store.activity(project='other', today=TODAY, days=2))
        assert (nobody.memories, nobody.people, nobody.since, len(nobody.days)) == (0, 0, None, 2)
        assert nobody.tokens_saved is nobody.percentile(0.5) is None

    def test_messages_people_and_jobs_are_counted_as_they_come(self, store: Store) -> None:
        bench = self.bench(store)
        bench.say('hello', 'there')
        failed = bench.queue('x', scope=BEN)
        bench.say('again')
        work = bench.taken()
        bench.fail(work, after=None)
        today = self.run(store.activity(project='default', today=now(), days=1))
        (day,) = today.days
        assert (day.messages, day.people, today.letters_held) == (4, 2, len('hellothereagainx'))
        assert (today.queued, today.dead) in ((2, 1), (1, 1))
        assert failed

    def test_what_models_took_is_counted(self, store: Store) -> None:
        bench = self.bench(store)
        work = bench.work(bench.say('hello'))
        for cost in (None, 0.5):
            used = Usage(requests=1, input_tokens=100, output_tokens=10, cost=cost)
            self.run(store.fail(work.job, worker=WORKER, error='E: x', retry_after=0.0, usage=used))
            work = bench.soon()
        (day,) = self.run(store.activity(project='default', today=now(), days=1)).days
        assert day.usage == Usage(requests=2, input_tokens=200, output_tokens=20, cost=0.5)

    def test_recalls_are_counted_with_the_time_they_took(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('Likes tea')
        owner = ANA.home('default')
        for seconds, found, tokens in ((0.001, True, None), (0.015, True, 120), (0.2, False, None), (9.0, False, 0)):
            store.note_recall(owner, seconds, found=found, tokens=tokens)
        store.note_recall(Scope(user_id='x').home('unknown'), 0.1, found=False)
        self.run(store.save_uses())
        told = self.run(store.activity(project='default', today=now(), days=1))
        (day,) = told.days
        assert (day.recalls, day.recalls_found, day.hit_rate, day.blocks, day.block_tokens) == (4, 2, 0.5, 1, 120)
        assert abs(day.recall_seconds - 9.216) < 1e-3
        assert [told.percentile(share) for share in (0.25, 0.5, 0.75, 1)] == [0.002, 0.02, 0.2, float('inf')]
        assert sum(day.latencies) == 4
        assert self.run(store.activity(project='unknown', today=now(), days=1)).days[0].recalls == 0

    def test_what_is_erased_counts_no_longer(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('Likes tea', at=now())
        bench.learn('Likes rain', scope=Scope(user_id='ana', run_id='r1'), at=now())
        bench.learn('Likes fog', scope=BEN, at=now())
        self.run(store.erase(Scope(user_id='ana', run_id='r1').erasure('default')))
        told = self.run(store.activity(project='default', today=now(), days=1))
        assert (told.memories, told.letters_held, told.days[0].erased) == (2, len('Likes teaLikes fog'), 1)
        self.run(store.erase(ANA.erasure('default')))
        told = self.run(store.activity(project='default', today=now(), days=2))
        assert (told.memories, told.people, told.letters_held) == (1, 1, len('Likes fog'))
        assert (told.days[1].erased, told.days[1].memories, told.days[0].memories, told.days[0].people) == (2, 1, 0, 0)
        assert self.texts_of(store) == ['Likes fog']

    def test_of_a_project_that_is_forgotten_no_day_is_left(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('Likes tea', project='p')
        self.run(store.forget(Forgetting(project='p', owner=None)))
        store.note_recall(ANA.home('p'), 0.1, found=False)
        self.run(store.save_uses())
        told = self.run(store.activity(project='p', today=TODAY, days=3))
        assert (told.since, told.memories, told.people, told.letters_held) == (None, 0, 0, 0)

    def test_slots_that_change_often_or_disagree_are_told(self, store: Store) -> None:
        bench = self.bench(store)
        value = bench.learn('Lives in Lisbon', slot='home.city')
        for city in ('Porto', 'Braga'):
            value = bench.supersede(value, f'Lives in {city}', at=value.recorded_at + timedelta(days=1))
        calm = bench.learn('Eats meat', slot='diet', scope=BEN)
        bench.supersede(calm, 'Eats fish', at=DAY + timedelta(days=1), scope=BEN)
        bench.learn('Is Ben', slot='name', scope=BEN)
        bench.learn('Is Benjamin', slot='name', scope=BEN, status='pending')
        bench.learn('Is in Rome', slot='place', scope=Scope(user_id='ben', run_id='r1'), level='run')
        bench.learn('Is in Oslo', slot='place', scope=Scope(user_id='ben', run_id='r2'), level='run')
        bench.learn('Elsewhere', slot='name', project='other')

        def told(
            reaches: Sequence[Reach] | None = None,
            changes: int = 2,
            project: str = 'default',
            size: int = 10,
            after: tuple[int, str, str] | None = None,
        ) -> Sequence[ContestedSlot]:
            return self.run(store.conflicts(project=project, reaches=reaches, changes=changes, size=size, after=after))

        found = sorted(told(), key=lambda one: one.owner.key)
        assert [(one.owner.key, one.slot, one.run_id, one.troubles, one.changes) for one in found] == [
            ('ana', 'home.city', None, ('changed',), 2),
            ('ben', 'name', None, ('disagree',), 0),
        ]
        assert [memory.text for memory in found[0].memories] == ['Lives in Braga', 'Lives in Porto', 'Lives in Lisbon']
        assert [memory.text for memory in found[1].memories] == ['Is Ben', 'Is Benjamin']
        assert [one.slot for one in told(BEN.reaches('default'))] == ['name']
        assert sorted(one.slot for one in told(changes=1)) == ['diet', 'home.city', 'name']
        assert told(project='other') == []
        first = told(size=1)
        assert len(first) == 2
        rest = told(after=(first[0].number, first[0].slot, ''))
        assert [one.slot for one in rest] == [first[1].slot]

    def test_uses_of_a_memory_are_told(self, store: Store) -> None:
        bench = self.bench(store)
        memory = bench.learn('Likes tea')
        owner = ANA.home('default')
        assert self.run(store.usages(memory.id, owner=owner)).times == 0
        at = datetime(2026, 5, 1, tzinfo=UTC)
        store.note_uses([(owner, memory.id, 2, at)])
        self.run(store.save_uses())
        told = self.run(store.usages(memory.id, owner=owner))
        assert (told.times, told.last) == (2, at)
        assert self.run(store.usages(memory.id, owner=BEN.home('default'))).times == 0
