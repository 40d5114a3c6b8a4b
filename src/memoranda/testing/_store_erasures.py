"""The part of `StoreSuite` on what is forgotten: by whom it is found again, and what does not come back."""

# the names of the tests say what they check
from __future__ import annotations

from datetime import timedelta

from memoranda.errors import MemoryNotFound
from memoranda.filters import parse
from memoranda.records import Edit, now
from memoranda.scope import Scope
from memoranda.stores.base import Store
from memoranda.stores.data import LeaseLost
from memoranda.stores.erasures import COUNTED, Forgetting
from memoranda.stores.history import holds
from memoranda.testing._bench import ANA, DAY, raises
from memoranda.testing._store_base import StoreTests

__all__ = ['ForgetTests']

BEN = Scope(user_id='ben')
HOME, BENS = ANA.home('default'), BEN.home('default')
ALL = Forgetting(project='default', owner=HOME)


class ForgetTests(StoreTests):
    """What `forget` takes, leaves and tells."""

    def test_a_forgotten_owner_is_gone_and_counted(self, store: Store) -> None:
        bench = self.bench(store)
        memory = bench.learn('Lives in Lisbon', slot='home.city')
        bench.commit(bench.revise(memory, text='Lives in Porto'), generation=bench.generation())
        kept = bench.learn('Likes tea', scope=BEN)
        told = self.run(store.forget(ALL))
        assert set(told.counts) == set(COUNTED)
        assert (told.counts['memories'], told.counts['versions'], told.counts['episodes']) == (1, 2, 1)
        assert (told.counts['history'], told.counts['jobs'], told.tombstone, len(told.chains)) == (2, 1, True, 1)
        assert told.counts['vectors'] >= 2
        assert (bench.texts(inactive=True), bench.messages()) == ([], [])
        assert self.run(store.get(kept.id, project='default')) == kept
        assert self.run(store.finish_scrub())
        again = self.run(store.forget(ALL))
        assert (set(again.counts.values()), again.chains, again.subject) == ({0}, (), told.subject)

    def test_one_message_goes_with_what_rests_on_it_alone(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('Lives in Lisbon')
        memory = bench.learn('Likes tea')
        work = bench.work(bench.say('I do like tea', history=False))
        extra = bench.fact('Likes tea', work.episodes).evidence
        bench.finish(work, bench.revise(memory, op='confirm', evidence=(*memory.evidence, *extra)))
        (gone,) = memory.evidence
        told = self.run(store.forget(Forgetting(project='default', owner=HOME, episode_id=gone.episode_id)))
        assert (told.counts['episodes'], told.counts['memories'], told.tombstone) == (1, 0, False)
        assert bench.texts() == ['Lives in Lisbon', 'Likes tea']
        assert [m.evidence for m in bench.page()[0]][1] == extra
        assert bench.messages() == ['Lives in Lisbon', 'I do like tea']
        last = Forgetting(project='default', owner=HOME, episode_id=extra[0].episode_id)
        assert self.run(store.forget(last)).counts['memories'] == 1
        assert bench.texts(inactive=True) == ['Lives in Lisbon']
        with raises(MemoryNotFound):
            self.run(store.forget(last))

    def test_one_memory_goes_with_the_messages_it_rests_on(self, store: Store) -> None:
        bench = self.bench(store)
        memory = bench.learn('Lives in Lisbon', slot='home.city')
        bench.supersede(memory, 'Lives in Porto', at=DAY + timedelta(days=1))
        told = self.run(store.forget(Forgetting(project='default', owner=HOME, memory_id=memory.id)))
        assert (told.counts['memories'], told.counts['versions'], told.counts['episodes']) == (1, 2, 1)
        assert bench.texts(inactive=True) == ['Lives in Porto']
        with raises(MemoryNotFound):
            self.run(store.forget(Forgetting(project='default', owner=BENS, memory_id=memory.id)))

    def test_what_matches_a_filter_goes_and_messages_too_when_they_can_match(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('Likes tea', kind='preference')
        bench.learn('Lives in Lisbon', kind='profile')
        bench.say('A word', metadata={'ticket': 7}, history=False)

        def forget(filters: dict[str, object]) -> tuple[int, int]:
            told = self.run(store.forget(Forgetting(project='default', owner=HOME, where=parse(filters))))
            return told.counts['memories'], told.counts['episodes']

        assert forget({'kind': 'goal'}) == (0, 0)
        assert forget({'kind': 'preference'}) == (1, 1)
        assert forget({'metadata.ticket': 7}) == (0, 1)
        assert forget({'text': {'icontains': 'LISBON'}}) == (1, 1)
        assert (bench.texts(inactive=True), bench.messages()) == ([], [])

    def test_what_was_said_before_is_refused_when_it_tells_when_it_was_said(self, store: Store) -> None:
        bench = self.bench(store)
        bench.say('a', 'b', at=DAY)
        told = self.run(store.forget(ALL))
        assert self.run(store.tombstone(HOME)) == told.at
        again = bench.say('a', 'b', at=DAY)
        assert (again.job_id, list(again.episode_ids), again.forgotten) == (None, [], 2)
        assert self.run(store.foresee(bench.batch('a', at=DAY))).drafts == []
        assert bench.say('c', history=False).forgotten == 0
        assert bench.say('d', at=now() + timedelta(seconds=1)).forgotten == 0
        assert bench.messages() == ['c', 'd']
        assert bench.say('a', at=DAY, scope=BEN).forgotten == 0
        assert bench.say('a', at=DAY, project='other').forgotten == 0

    def test_a_part_that_was_forgotten_is_refused_and_the_rest_is_not(self, store: Store) -> None:
        bench = self.bench(store)
        run = Scope(user_id='ana', run_id='r1')
        bench.say('a', at=DAY, scope=run)
        self.run(store.forget(Forgetting(project='default', owner=HOME, run_id='r1')))
        assert bench.say('a', at=DAY, scope=run).forgotten == 1
        assert bench.say('a', at=DAY, scope=Scope(user_id='ana', run_id='r1', agent_id='x')).forgotten == 1
        assert bench.say('a', at=DAY, scope=Scope(user_id='ana', run_id='r2')).forgotten == 0
        assert self.run(store.tombstone(HOME)) is None
        assert self.run(store.tombstone(HOME, ids={'run_id': 'r1'})) is not None

    def test_a_lifted_tombstone_lets_in_again_and_is_recorded(self, store: Store) -> None:
        bench = self.bench(store)
        self.run(store.forget(ALL))
        self.run(store.forget(Forgetting(project='default', owner=HOME, run_id='r1')))
        assert self.run(store.lift_tombstones(HOME, actor='admin', reason='restored')) == 2
        assert self.run(store.lift_tombstones(HOME, actor='admin', reason='restored')) == 0
        assert self.run(store.tombstone(HOME, ids={'run_id': 'r1'})) is None
        memory = bench.learn('Likes tea')
        assert bench.say('a', at=DAY, scope=Scope(user_id='ana', run_id='r1')).forgotten == 0
        (entry,) = self.run(store.history(memory.id, project='default'))
        assert (entry.seq, holds(entry)) == (2, True)  # the first tells of the tombstones

    def test_a_whole_project_is_forgotten_and_the_others_stay(self, store: Store) -> None:
        bench = self.bench(store)
        for number in range(12):
            bench.learn('Likes tea', scope=Scope(user_id=f'user {number}'), project='acme')
        bench.learn('Likes tea')
        told = self.run(store.forget(Forgetting(project='acme', owner=None)))
        assert (told.counts['memories'], len(told.chains)) == (12, 12)
        assert bench.messages(Scope(user_id='user 3'), 'acme') == []
        assert bench.texts() == ['Likes tea']
        assert bench.say('a', at=DAY, project='acme').forgotten == 1
        assert bench.say('a', at=DAY).forgotten == 0

    def test_an_agent_is_forgotten_wherever_it_was_talked_to(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('Likes tea', scope=Scope(user_id='ana', agent_id='bot'))
        bench.learn('Likes jazz')
        bench.learn('Answers in rhymes', scope=Scope(agent_id='bot'))
        told = self.run(store.forget(Forgetting(project='default', owner=None, agent_id='bot')))
        assert (told.counts['memories'], len(told.chains)) == (2, 2)
        assert bench.texts() == ['Likes jazz']
        assert bench.texts(scope=Scope(agent_id='bot')) == []
        assert bench.say('a', at=DAY, scope=Scope(user_id='ben', agent_id='bot')).forgotten == 1

    def test_a_job_without_its_messages_is_gone_and_one_that_has_others_goes_on(self, store: Store) -> None:
        bench = self.bench(store)
        both = bench.work(bench.say('one', 'two'))
        alone = bench.say('three', history=False)
        for id_ in (both.episodes[0].id, alone.episode_ids[0]):
            self.run(store.forget(Forgetting(project='default', owner=HOME, episode_id=id_)))
        assert self.run(store.load(alone.job_id or '')) is None
        work = self.run(store.load(both.job.id))
        assert work is not None
        assert [e.text for e in work.episodes] == ['two']
        self.run(store.forget(ALL))
        with raises(LeaseLost):
            bench.finish(both, Edit(op='add', before=None, after=bench.fact('two', both.episodes[1:])))

    def test_what_is_known_of_an_erasure_afterwards(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('Likes tea')
        told = self.run(store.forget(ALL))
        assert self.run(store.finish_scrub())
        left = self.run(store.remains('user', told.subject, told.at, told.chains))
        assert (left.chain, left.tombstone, dict(left.rows), left.scrub_pending) == ((), told.at, {}, False)
        bench.say('Likes jazz')  # afterwards
        assert not self.run(store.remains('user', told.subject, told.at, told.chains)).rows
        later = now() + timedelta(seconds=1)
        assert set(self.run(store.remains('user', told.subject, later, told.chains)).rows) >= {'episode'}

    def test_texts_are_found_where_they_are_and_not_where_they_were(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('Plays the Xylophone')
        bench.learn('Plays the zither', scope=BEN)
        told = self.run(store.forget(ALL))
        assert self.run(store.finish_scrub())
        (found,) = self.run(store.traces(['Xylophone', 'ZITHER']))
        assert (found.text, bool(found.where)) == (1, True)
        assert list(self.run(store.traces(told.words, sample=True))) == []

    def test_the_secret_is_the_storages_own_and_stays(self, store: Store) -> None:
        self.bench(store)
        secret = self.run(store.secret())
        assert len(secret) == 32
        if self.durable:
            self.run(store.close())
            assert self.run(store.secret()) == secret
