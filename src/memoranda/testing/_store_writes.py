"""The part of `StoreSuite` about messages coming in, jobs, and changes."""

# the names of the tests say what they check
from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from memoranda.errors import Conflict
from memoranda.records import Edit, Evidence, fact_hash, new_id
from memoranda.scope import Scope
from memoranda.stores.base import Store
from memoranda.stores.data import LeaseLost
from memoranda.testing._bench import ANA, DAY, raises
from memoranda.testing._store_base import StoreTests

__all__ = ['CommitTests', 'IntakeTests', 'JobTests']

BEN = Scope(user_id='ben')
ODD_TEXTS = (
    '\U0001f600 \u202eright to left\u202c e\u0301 \ufffd',
    '\x07\x1b[31m\ttab\r\nline',
    '\'; DROP TABLE memory; -- " % _ * ?',
    '{"a": [1, 2]} \\u0041',
    ' white space around ',
    'long ' * 2000,
)


class IntakeTests(StoreTests):
    """Messages, and which of them are new."""

    def test_a_message_is_kept_as_it_was_said(self, store: Store) -> None:
        bench = self.bench(store)
        scope = Scope(user_id='ana', agent_id='guide', run_id='r1', app_id='web')
        said = bench.say('I live in Lisbon', scope=scope, at=DAY, name='Ana', metadata={'k': [1, None, {'x': 'ü'}]})
        (episode,) = self.run(store.episodes(ANA.reaches('default'), limit=10, cursor=None)).items
        assert (episode.id,) == tuple(said.episode_ids)
        assert (episode.text, episode.role, episode.name, episode.trust) == ('I live in Lisbon', 'user', 'Ana', 'user')
        assert (episode.scope, episode.conversation_id, episode.seq) == (scope, 'r1', 0)
        assert episode.occurred_at == DAY
        assert episode.metadata == {'k': [1, None, {'x': 'ü'}]}
        assert episode.project == 'default'

    def test_any_text_comes_back_unchanged(self, store: Store) -> None:
        bench = self.bench(store)
        bench.say(*ODD_TEXTS)
        assert bench.messages() == list(ODD_TEXTS)

    def test_a_list_sent_again_brings_only_what_is_new(self, store: Store) -> None:
        bench = self.bench(store)
        bench.say('hello', 'how are you?')
        again = bench.say('hello', 'how are you?', 'I moved')
        assert (again.known, len(again.episode_ids)) == (2, 1)
        assert bench.messages() == ['hello', 'how are you?', 'I moved']

    def test_a_list_with_nothing_new_makes_no_job(self, store: Store) -> None:
        bench = self.bench(store)
        bench.say('hello', 'how are you?')
        again = bench.say('hello', 'how are you?')
        assert (again.job_id, again.known, tuple(again.episode_ids), again.leased) == (None, 2, (), False)

    def test_a_list_that_lost_its_beginning_brings_only_what_is_new(self, store: Store) -> None:
        bench = self.bench(store)
        bench.say('one', 'two', 'three', 'four')
        assert bench.say('three', 'four', 'five').known == 2
        assert bench.say('two', 'three', 'four').known == 3
        assert bench.messages() == ['one', 'two', 'three', 'four', 'five']

    def test_a_question_and_its_answer_said_again_later_are_new(self, store: Store) -> None:
        bench = self.bench(store)
        for turn in (('I moved to Paris', 'ok'), ('I moved to Lisbon', 'ok')) * 2:
            assert bench.say(*turn).known == 0
        assert len(bench.messages()) == 8

    def test_the_same_sentence_twice_stays_two_messages(self, store: Store) -> None:
        bench = self.bench(store)
        bench.say('ok', 'ok')
        assert bench.say('ok', 'ok').known == 2
        assert bench.say('ok', 'ok', 'ok').known == 2
        assert bench.messages() == ['ok', 'ok', 'ok']

    def test_a_single_undated_message_is_a_new_turn(self, store: Store) -> None:
        bench = self.bench(store)
        bench.say('ok', history=False)
        bench.say('ok', history=False)
        bench.say('ok')
        assert bench.messages() == ['ok', 'ok', 'ok']

    def test_conversations_are_apart(self, store: Store) -> None:
        bench = self.bench(store)
        bench.say('hello', 'bye', conversation='one')
        assert bench.say('hello', 'bye', conversation='two').known == 0
        assert len(bench.messages()) == 4

    def test_a_dated_message_is_the_same_wherever_it_turns_up_again(self, store: Store) -> None:
        bench = self.bench(store)
        bench.say('hello', 'bye', at=DAY, conversation='one')
        assert bench.say('hello', 'bye', 'again', at=DAY, conversation='two').known == 2
        assert bench.say('hello', at=DAY + timedelta(days=1), conversation='two').known == 0
        assert bench.messages() == ['hello', 'bye', 'again', 'hello']

    def test_what_one_user_said_is_not_known_of_another(self, store: Store) -> None:
        bench = self.bench(store)
        bench.say('hello', 'bye', at=DAY)
        assert bench.say('hello', 'bye', at=DAY, scope=BEN).known == 0
        assert bench.say('hello', 'bye', at=DAY, project='other').known == 0

    def test_an_idempotency_key_gives_the_first_answer_again(self, store: Store) -> None:
        bench = self.bench(store)
        first = bench.say('hello', history=False, key='k1')
        again = bench.say('hello', history=False, key='k1')
        assert again.replayed
        assert not again.leased
        assert (again.job_id, tuple(again.episode_ids)) == (first.job_id, tuple(first.episode_ids))
        assert bench.messages() == ['hello']

    def test_an_idempotency_key_for_other_content_is_refused(self, store: Store) -> None:
        bench = self.bench(store)
        bench.say('hello', key='k1')
        with raises(Conflict):
            bench.say('bye', key='k1')
        assert bench.messages() == ['hello']
        assert not bench.say('bye', key='k1', scope=BEN).replayed

    def test_a_key_is_remembered_when_nothing_was_new(self, store: Store) -> None:
        bench = self.bench(store)
        bench.say('hello', 'bye')
        bench.say('hello', 'bye', key='k1')
        assert bench.say('hello', 'bye', key='k1').replayed


class JobTests(StoreTests):
    """Whose turn it is."""

    def test_the_first_job_of_an_owner_is_leased_to_who_appended_it(self, store: Store) -> None:
        bench = self.bench(store)
        first, second = bench.say('one', history=False), bench.say('two', history=False)
        assert (first.leased, second.leased) == (True, False)
        assert bench.say('three', scope=BEN).leased

    def test_a_job_brings_its_messages_their_parts_and_what_came_before(self, store: Store) -> None:
        bench = self.bench(store)
        bench.finish(bench.work(bench.say('another conversation', conversation='two')))
        bench.finish(bench.work(bench.say(*'abcdef')))
        long = 'word ' * 100
        bench.finish(bench.work(bench.say('g', history=False)), vectors=False)
        work = bench.work(bench.say('g', long, 'last'))
        assert [e.text for e in work.episodes] == [long, 'last']
        assert [text for _, text in work.segments] == [long[:250], long[250:], 'last']
        assert [e.text for e in work.previous] == ['d', 'e', 'f', 'g']
        assert work.owner == ANA.home('default')
        assert work.job.payload['infer'] is True

    def test_a_job_that_is_told_when_it_is_stored_is_the_one_that_is_read_later(self, store: Store) -> None:
        bench = self.bench(store)
        scope = Scope(user_id='ana', agent_id='guide', run_id='r1')
        for texts in (('hello', 'I live in Lisbon. ' * 200), ('and I like tea', 'and coffee')):
            said = bench.say(*texts, scope=scope, name='Ana', metadata={'k': [1, {'x': 'ü'}]}, history=False)
            read = bench.work(said)
            assert said.leased
            assert said.work in (None, read)
            bench.finish(read)
        waiting = [bench.say('first', scope=scope), bench.say('second', scope=scope)]
        assert waiting[1].work is None, 'whose turn it is not'

    def test_segments_with_a_vector_are_not_embedded_again(self, store: Store) -> None:
        bench = self.bench(store)
        appended = bench.say('one', 'two')
        bench.finish(bench.work(appended))
        assert bench.work(appended).segments == []

    def test_jobs_of_an_owner_are_claimed_one_after_the_other(self, store: Store) -> None:
        bench = self.bench(store)
        jobs = [bench.say(text, history=False) for text in ('one', 'two', 'three')]
        assert bench.claim(worker='other') is None
        for i, appended in enumerate(jobs):
            work = bench.work(appended) if i == 0 else bench.claim()
            assert work is not None
            assert work.job.id == appended.job_id
            assert bench.claim(worker='other') is None
            bench.finish(work)
        assert bench.claim() is None

    def test_claiming_for_an_unknown_owner_finds_nothing(self, store: Store) -> None:
        bench = self.bench(store)
        assert bench.claim(Scope(user_id='nobody')) is None
        assert self.run(store.load('no such job')) is None

    def test_an_expired_lease_is_taken_over_and_the_first_holder_learns_it(self, store: Store) -> None:
        bench = self.bench(store)
        appended = bench.say('one', lease=0.0)
        late = bench.work(appended)
        taken = bench.claim(worker='other')
        assert taken is not None
        assert (taken.job.id, taken.job.attempts) == (appended.job_id, 2)
        with raises(LeaseLost):
            bench.finish(late, Edit(op='add', before=None, after=bench.fact('one', late.episodes)))
        assert bench.texts() == []
        bench.finish(taken, worker='other')
        assert bench.work(appended).job.state == 'done'

    def test_a_failed_job_is_tried_again_before_later_ones(self, store: Store) -> None:
        bench = self.bench(store)
        first = bench.work(bench.say('one', history=False))
        bench.say('two', history=False)
        self.run(store.fail(first.job, worker='worker-1', error='Timeout: no answer', retry_after=0.0))
        again = bench.claim(worker='other')
        assert again is not None
        assert (again.job.id, again.job.attempts) == (first.job.id, 2)
        assert again.job.last_error == 'Timeout: no answer'

    def test_a_job_is_not_claimed_before_it_is_due_nor_are_later_ones(self, store: Store) -> None:
        bench = self.bench(store)
        first = bench.work(bench.say('one', history=False))
        bench.say('two', history=False)
        self.run(store.fail(first.job, worker='worker-1', error='no answer', retry_after=3600.0))
        assert bench.claim(due=True) is None
        waiting = bench.claim()  # whoever is there and waits doesn't have to wait for that
        assert waiting is not None
        assert waiting.job.id == first.job.id

    def test_a_dead_job_lets_later_ones_pass(self, store: Store) -> None:
        bench = self.bench(store)
        first = bench.work(bench.say('one', history=False))
        second = bench.say('two', history=False)
        self.run(store.fail(first.job, worker='worker-1', error='unreadable', retry_after=None))
        claimed = bench.claim()
        assert claimed is not None
        assert claimed.job.id == second.job_id
        dead = self.run(store.load(first.job.id))
        assert dead is not None
        assert (dead.job.state, dead.job.last_error) == ('dead', 'unreadable')
        assert self.run(store.stats()).jobs_dead == 1

    def test_only_the_holder_can_fail_a_job(self, store: Store) -> None:
        bench = self.bench(store)
        work = bench.work(bench.say('one'))
        self.run(store.fail(work.job, worker='other', error='not mine', retry_after=None))
        bench.finish(work)
        again = self.run(store.load(work.job.id))
        assert again is not None
        assert (again.job.state, again.job.last_error) == ('done', None)

    def test_an_abandoned_job_is_soon_free(self, store: Store) -> None:
        bench = self.bench(store)
        mine, other = bench.say('one', worker='mine'), bench.say('two', scope=BEN, worker='other')
        store.abandon('mine')
        for _ in range(1000):
            claimed = bench.claim(worker='next')
            if claimed is not None:
                break
        else:
            raise AssertionError('the job stayed leased')
        assert claimed.job.id == mine.job_id
        assert bench.work(other).job.state == 'running'
        store.abandon('nobody')

    def test_owners_with_waiting_jobs_are_listed_longest_waiting_first(self, store: Store) -> None:
        bench = self.bench(store)
        assert list(self.run(store.unfinished(limit=10))) == []
        first = bench.say('one')
        bench.say('two', scope=BEN)
        bench.say('three', history=False)
        ana, ben = ANA.home('default'), BEN.home('default')
        assert list(self.run(store.unfinished(limit=10))) == [ana, ben]
        assert list(self.run(store.unfinished(limit=1))) == [ana]
        bench.finish(bench.work(first))
        assert set(self.run(store.unfinished(limit=10))) == {ana, ben}


class CommitTests(StoreTests):
    """Changes: all or nothing, each worked out against what is true when it is written."""

    def test_a_change_is_read_back_field_by_field(self, store: Store) -> None:
        bench = self.bench(store)
        memory = bench.learn(
            'Lives in Lisbon',
            scope=Scope(user_id='ana', agent_id='guide', run_id='r1', app_id='web'),
            kind='profile',
            slot='home.city',
            confidence=0.75,
            importance=0.25,
            trust='assistant',
            pinned=True,
            locked=True,
            valid_to=DAY + timedelta(days=900),
            expires_at=DAY + timedelta(days=800),
            supersedes='another',
            metadata={'n': 1, 'deep': {'list': [True, None, 1.5]}},
            tags=('city', 'ü'),
            actor='test',
        )
        assert self.run(store.get(memory.id, project='default')) == memory
        assert list(self.run(store.versions(memory.id, project='default'))) == [memory]
        assert memory.evidence[0].quote == 'Lives in Lisbon'

    def test_a_commit_ends_its_job_and_tells_what_it_changed(self, store: Store) -> None:
        bench = self.bench(store)
        work = bench.work(bench.say('one'))
        edit = Edit(op='add', before=None, after=bench.fact('one', work.episodes))
        bench.finish(work, edit)
        assert list(self.run(store.edits_of(work.job.id))) == [edit]
        assert list(self.run(store.edits_of('no such job'))) == []
        with raises(LeaseLost):
            bench.finish(work)
        with raises(LeaseLost):
            bench.finish(replace(work, job=replace(work.job, id='no such job')))

    def test_only_the_holder_can_end_a_job(self, store: Store) -> None:
        bench = self.bench(store)
        work = bench.work(bench.say('one'))
        with raises(LeaseLost):
            bench.finish(work, worker='other')
        bench.finish(work)

    def test_a_change_worked_out_against_an_older_state_is_refused(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('one')
        before = self.run(store.snapshot(ANA.home('default'))).owner_version
        bench.learn('two')
        work = bench.work(bench.say('three'))
        edit = Edit(op='add', before=None, after=bench.fact('three', work.episodes))
        with raises(Conflict):
            bench.commit(edit, work=work, expect=before)
        assert bench.texts() == ['one', 'two']
        assert bench.work(bench.say('three', history=False)).job.state == 'queued'
        bench.commit(edit, work=work, expect=self.run(store.snapshot(ANA.home('default'))).owner_version)
        assert bench.texts() == ['one', 'two', 'three']

    def test_messages_that_come_in_meanwhile_do_not_disturb_a_change(self, store: Store) -> None:
        bench = self.bench(store)
        work = bench.work(bench.say('one'))
        version = self.run(store.snapshot(ANA.home('default'))).owner_version
        bench.say('two', history=False)
        bench.commit(Edit(op='add', before=None, after=bench.fact('one', work.episodes)), work=work, expect=version)
        assert bench.texts() == ['one']

    def test_a_change_of_an_unknown_owner_makes_it(self, store: Store) -> None:
        bench = self.bench(store)
        snapshot = self.run(store.snapshot(ANA.home('default'), hashes=[fact_hash('one')], slots=['a'], ids=['b']))
        assert (tuple(snapshot.memories), dict(snapshot.rejected)) == ((), {})
        fact = bench.fact('one', ())
        bench.commit(Edit(op='add', before=None, after=fact), expect=snapshot.owner_version)
        assert bench.texts() == ['one']

    def test_two_current_memories_never_say_the_same(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('I like tea')
        work = bench.work(bench.say('I like coffee', 'i LIKE  tea.'))
        coffee, tea = bench.fact('I like coffee', work.episodes), bench.fact('i LIKE  tea.', work.episodes)
        tea = replace(tea, change_id=coffee.change_id)
        with raises(Conflict):
            bench.finish(work, Edit(op='add', before=None, after=coffee), Edit(op='add', before=None, after=tea))
        assert bench.texts() == ['I like tea']
        assert self.run(store.get(coffee.id, project='default')) is None
        assert list(self.run(store.history(coffee.id, project='default'))) == []
        assert bench.found('coffee') == ['I like tea']
        assert bench.work(bench.say('more', history=False)).job.state == 'queued'

    def test_a_slot_has_one_current_value(self, store: Store) -> None:
        bench = self.bench(store)
        bench.learn('Lives in Lisbon', slot='home.city')
        work = bench.work(bench.say('Lives in Porto'))
        with raises(Conflict):
            bench.finish(
                work, Edit(op='add', before=None, after=bench.fact('Lives in Porto', work.episodes, slot='home.city'))
            )
        assert bench.texts() == ['Lives in Lisbon']

    def test_levels_owners_and_projects_have_their_own_words_and_slots(self, store: Store) -> None:
        bench = self.bench(store)
        for scope, level, project in (
            (ANA, None, 'default'),
            (Scope(user_id='ana', run_id='r1'), 'run', 'default'),
            (Scope(user_id='ana', run_id='r2'), 'run', 'default'),
            (BEN, None, 'default'),
            (ANA, None, 'other'),
            (Scope(agent_id='ana'), None, 'default'),
            (Scope(run_id='ana'), None, 'default'),
            (Scope(app_id='ana'), None, 'default'),
            (Scope.GLOBAL, None, 'default'),
        ):
            bench.learn('The same', scope=scope, level=level, project=project, slot='s')  # pyright: ignore[reportArgumentType]
        assert self.run(store.stats()).memories == 9
        assert self.run(store.stats()).owners == 7

    def test_a_value_may_come_back(self, store: Store) -> None:
        bench = self.bench(store)
        first = bench.learn('Lives in Lisbon', slot='home.city')
        second = bench.supersede(first, 'Lives in Porto', at=DAY + timedelta(days=1))
        third = bench.supersede(second, 'Lives in Lisbon', at=DAY + timedelta(days=2))
        assert [m.id for m in bench.page()[0]] == [third.id]
        found = self.run(store.snapshot(ANA.home('default'), slots=['home.city'])).memories
        assert {m.id for m in found} == {first.id, second.id, third.id}
        found = self.run(store.snapshot(ANA.home('default'), hashes=[first.hash])).memories
        assert {m.id for m in found} == {first.id, second.id, third.id}

    def test_a_version_is_replaced_once(self, store: Store) -> None:
        bench = self.bench(store)
        memory = bench.learn('one')
        bench.commit(bench.revise(memory, text='two'))
        with raises(Conflict):
            bench.commit(bench.revise(memory, text='three'))
        first, second = self.run(store.versions(memory.id, project='default'))
        assert (first.text, first.retired_at, second.text, second.retired_at) == (
            'one',
            second.recorded_at,
            'two',
            None,
        )

    def test_evidence_must_be_a_message_of_the_same_owner(self, store: Store) -> None:
        bench = self.bench(store)
        theirs = bench.work(bench.say('a secret', scope=BEN))
        work = bench.work(bench.say('one'))
        for episodes in (theirs.episodes, [replace(work.episodes[0], id=new_id())]):
            with raises(Conflict):
                bench.finish(work, Edit(op='add', before=None, after=bench.fact('one', episodes)))
        assert bench.texts() == []

    def test_quotes_are_the_words_of_the_message(self, store: Store) -> None:
        bench = self.bench(store)
        work = bench.work(bench.say('\U0001f600 I live in Lisbon'))
        (episode,) = work.episodes
        memory = replace(bench.fact('Lives in Lisbon', ()), evidence=(Evidence(episode.id, 12, 18, 'Lisbon'),))
        bench.finish(work, Edit(op='add', before=None, after=memory))
        (found,) = bench.page()[0]
        assert found.evidence == (Evidence(episode.id, 12, 18, 'Lisbon'),)

    def test_a_snapshot_finds_what_a_proposal_may_touch(self, store: Store) -> None:
        bench = self.bench(store)
        tea, cats = bench.learn('I like green tea'), bench.learn('My cats are black', slot='pets')
        bench.learn('I like green tea', scope=BEN)
        owner = ANA.home('default')
        assert [m.id for m in self.run(store.snapshot(owner, hashes=[tea.hash, 'none'])).memories] == [tea.id]
        assert [m.id for m in self.run(store.snapshot(owner, slots=['pets', 'none'])).memories] == [cats.id]
        assert [m.id for m in self.run(store.snapshot(owner, ids=[tea.id, 'none'])).memories] == [tea.id]
        near = self.run(store.snapshot(owner, near=[bench.vector('I like green tea so much')], near_limit=1))
        assert [m.id for m in near.memories] == [tea.id]
        assert list(self.run(store.snapshot(owner)).memories) == []
