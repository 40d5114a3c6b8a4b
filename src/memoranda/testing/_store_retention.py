"""The part of `StoreSuite` about what has grown old, and whose turn it is to look after it."""

# the names of the tests say what they check
from __future__ import annotations

from datetime import UTC, datetime, timedelta

from memoranda.records import Edit
from memoranda.scope import Owner, Scope
from memoranda.stores.aging import Aging, Spared
from memoranda.stores.base import Store
from memoranda.stores.leases import new_token
from memoranda.testing._bench import ANA, DAY
from memoranda.testing._store_base import StoreTests

__all__ = ['RetentionTests']

BEN = Scope(user_id='ben')
HOME = ANA.home('default')
HOUR = timedelta(hours=1)


def _now() -> datetime:
    return datetime.now(UTC)


def _aging(spared: Spared = 'current', *, old: bool = True, without: tuple[str, ...] = ()) -> Aging:
    """What was stored so far is old enough, or nothing is."""
    before = _now() + HOUR if old else DAY - HOUR
    return Aging(before={spared: before}, at=_now(), without=without)


class RetentionTests(StoreTests):
    """Which messages are to go and which stay, and who does it."""

    def _aged(self, store: Store, aging: Aging, owner: Owner = HOME) -> tuple[int, int, list[str], list[str]]:
        found = self.run(store.aged(owner, aging, limit=10))
        return found.messages, found.facts, [e.text for e in found.episodes], [m.text for m in found.memories]

    def test_messages_that_a_current_fact_rests_on_stay(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('Likes tea')
        bench.finish(bench.work(bench.say('Hello', history=False)))
        assert self._aged(store, _aging()) == (1, 0, ['Hello'], [])
        assert self._aged(store, _aging(old=False)) == (0, 0, [], [])
        assert self.run(store.erase_aged(HOME, _aging(), limit=10)).messages == 1
        assert bench.messages() == ['Likes tea']
        assert bench.texts() == ['Likes tea']
        assert self._aged(store, _aging()) == (0, 0, [], [])

    def test_what_no_longer_holds_goes_with_its_messages(self, store: Store) -> None:
        bench = self.bench(store)
        lisbon = bench.learn('Lives in Lisbon', slot='home.city')
        bench.supersede(lisbon, 'Lives in Porto', at=DAY.replace(day=5))
        tea = bench.learn('Likes tea')
        bench.commit(bench.revise(tea, op='retract', status='retracted'))
        bench.learn('Parks on level 3', expires_at=DAY + HOUR)
        told = ['Lives in Lisbon', 'Likes tea', 'Parks on level 3']
        assert self._aged(store, _aging()) == (3, 3, told, told)
        gone = self.run(store.erase_aged(HOME, _aging(), limit=10))
        assert (gone.messages, gone.facts) == (3, 3)
        assert bench.texts(inactive=True) == ['Lives in Porto']
        assert self.run(store.get(tea.id, project='default')) is None

    def test_what_is_about_to_end_does_not_count(self, store: Store) -> None:
        bench = self.bench(store)
        tea = bench.learn('Likes tea')
        assert self._aged(store, _aging(without=(tea.id,))) == (1, 1, ['Likes tea'], ['Likes tea'])

    def test_all_messages_go_but_those_of_pinned_and_locked_facts(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('Likes tea')
        bench.learn('Allergic to nuts', pinned=True)
        bench.learn('Vegan', locked=True)
        assert self._aged(store, _aging('pinned')) == (1, 1, ['Likes tea'], ['Likes tea'])
        assert self._aged(store, _aging('nothing'))[:2] == (3, 3)
        assert self.run(store.erase_aged(HOME, _aging('pinned'), limit=10)).facts == 1
        assert bench.texts() == ['Allergic to nuts', 'Vegan']

    def test_what_waits_for_a_person_counts_as_current(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('Likes tea', status='pending')
        assert self._aged(store, _aging())[0] == 0

    def test_a_fact_that_others_said_too_loses_a_message_and_stays(self, store: Store) -> None:
        bench = self.bench(store)
        work = bench.work(bench.say('Tea please', 'Tea again', history=False))
        first, second = work.episodes
        both = bench.fact('Likes tea', work.episodes)
        bench.finish(work, Edit(op='add', before=None, after=both))
        gone = self.run(store.erase_aged(HOME, _aging('nothing'), limit=1))
        assert (gone.messages, gone.facts) == (1, 0)
        kept = self.run(store.get(both.id, project='default'))
        assert kept is not None
        assert [e.episode_id for e in kept.evidence] == [second.id] != [first.id]

    def test_messages_whose_job_is_not_done_stay(self, store: Store) -> None:
        bench = self.bench(store)
        said = bench.say('Hello', history=False)
        assert self._aged(store, _aging('nothing'))[0] == 0
        bench.finish(bench.work(said))
        assert self._aged(store, _aging('nothing'))[0] == 1

    def test_the_oldest_go_first_and_nobody_elses(self, store: Store) -> None:
        bench = self.bench(store)
        for text in ('one', 'two', 'three'):
            bench.finish(bench.work(bench.say(text, history=False)))
        bench.finish(bench.work(bench.say('of Ben', scope=BEN, history=False)))
        bench.finish(bench.work(bench.say('elsewhere', project='other', history=False)))
        assert self.run(store.erase_aged(HOME, _aging(), limit=2)).messages == 2
        assert bench.messages() == ['three']
        assert bench.messages(BEN) == ['of Ben']
        assert bench.messages(project='other') == ['elsewhere']
        assert self._aged(store, _aging(), Owner('default', 'user', 'nobody')) == (0, 0, [], [])

    def test_owners_of_whom_something_is_old_come_a_page_at_a_time(self, store: Store) -> None:
        bench = self.bench(store)
        for name in ('ana', 'ben', 'cem'):
            bench.say('Hello', scope=Scope(user_id=name))
        bench.say('Hello', scope=Scope(user_id='dan'), project='other')
        self.run(store.erase(BEN.erasure('default')))
        found: list[str] = []
        after: str | None = None
        while True:
            page, after = self.run(store.aging_owners(project=None, before=_now() + HOUR, after=after, limit=1))
            found += [owner.key for owner in page]
            if after is None:
                break
        assert sorted(found) == ['ana', 'cem', 'dan']
        page, _ = self.run(store.aging_owners(project='default', before=_now() + HOUR, after=None, limit=10))
        assert sorted(owner.key for owner in page) == ['ana', 'cem']
        assert self.run(store.aging_owners(project=None, before=DAY - HOUR, after=None, limit=10)) == ([], None)

    def test_an_owner_with_something_expired_is_one_of_them(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('Parks on level 3', expires_at=DAY + HOUR)
        page, _ = self.run(store.aging_owners(project=None, before=DAY - HOUR, after=None, limit=10))
        assert list(page) == [HOME]

    def test_conversations_in_which_nothing_was_said_lately(self, store: Store) -> None:
        bench = self.bench(store)
        for run in ('s1', 's2'):
            bench.learn(f'Of {run}', scope=Scope(user_id='ana', run_id=run), level='run')
        bench.learn('Likes tea', scope=Scope(user_id='ana', run_id='s3'))
        bench.learn('Has a question', scope=Scope(run_id='visitor'))
        visitor = Owner('default', 'run', 'visitor')
        assert list(self.run(store.idle_runs(HOME, before=_now() + HOUR))) == ['s1', 's2']
        assert list(self.run(store.idle_runs(visitor, before=_now() + HOUR))) == ['']
        for owner in (HOME, visitor, Owner('default', 'agent', 'ana')):
            assert list(self.run(store.idle_runs(owner, before=DAY))) == []

    def test_one_at_a_time_has_the_turn_and_it_is_due_again_later(self, store: Store) -> None:
        one, two = new_token(), new_token()

        def begin(worker: str, every: float = 3600.0, lease: float = 600.0) -> tuple[bool, str | None]:
            turn = self.run(store.begin_round('tidy', worker=worker, every=every, lease_seconds=lease))
            assert turn.mine or 0 < turn.again <= 3600
            return turn.mine, turn.after

        assert begin(one) == (True, None)
        assert begin(two) == (False, None)
        assert self.run(store.renew_round('tidy', worker=one, lease_seconds=600, after='5'))
        assert not self.run(store.renew_round('tidy', worker=two, lease_seconds=600, after='7'))
        self.run(store.end_round('tidy', worker=two, again=0))
        assert begin(two) == (False, None)
        self.run(store.end_round('tidy', worker=one, again=0, after='5'))
        assert begin(two) == (True, '5'), 'where the one before left off'
        self.run(store.end_round('tidy', worker=two, again=3600))
        assert begin(one) == (False, None)
        assert self.run(store.begin_round('other', worker=one, every=1, lease_seconds=1)).mine

    def test_a_turn_whose_lease_ran_out_is_taken_over_where_it_was(self, store: Store) -> None:
        one, two = new_token(), new_token()
        assert self.run(store.begin_round('tidy', worker=one, every=3600, lease_seconds=600)).mine
        self.run(store.renew_round('tidy', worker=one, lease_seconds=0, after='5'))
        turn = self.run(store.begin_round('tidy', worker=two, every=3600, lease_seconds=600))
        assert (turn.mine, turn.after) == (True, '5')
        assert not self.run(store.renew_round('tidy', worker=one, lease_seconds=600, after='6'))
