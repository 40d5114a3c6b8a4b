"""`memory.review`: what waits for a person, and what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from _calls import no_blocking_calls
from _fakes import Grammar, fast, fast_async, texts
from memoranda import (
    AddResult,
    AsyncMemory,
    Conflict,
    InvalidInput,
    InvalidScope,
    Memory,
    MemoryNotFound,
    MemoryRecord,
    Policy,
    Scope,
)
from memoranda.consent.review import ReviewItem
from memoranda.records import Episode
from memoranda.settings import Settings
from memoranda.testing import ScriptedExtractor
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, Quote

ANA = {'user_id': 'ana'}
BEN = {'user_id': 'ben'}


class Hearsay(Grammar):
    """What begins with `they say` comes from a tool, so that it has to be approved."""

    def read(self, index: int, message: Episode, current: dict[str, str]) -> Proposal:
        heard = message.text.removeprefix('they say ')
        found = super().read(index, replace(message, text=heard), current)
        if heard == message.text:
            return found
        skipped = len(message.text) - len(heard)
        return replace(found, trust='tool', evidence=(Quote(index, skipped, len(message.text)),))


@pytest.fixture
def memory() -> Iterator[Memory]:
    with fast(extractor=Hearsay()) as opened:
        yield opened


def queue(memory: Memory, **options: Any) -> list[ReviewItem]:
    return list(memory.review.list(**(options or ANA)).items)


def waiting(memory: Memory, **options: Any) -> list[str]:
    return [item.memory.text for item in queue(memory, **options)]


def propose(memory: Memory, text: str, **scope: Any) -> str:
    """Add what has to wait, and tell the proposal's id."""
    (found,) = memory.add(f'they say {text}', **(scope or ANA)).pending
    return found.id


def locked(memory: Memory, text: str = 'the city is Braga') -> MemoryRecord:
    """A value of `home.city` that a person has written."""
    record = memory.add('home.city = Lisbon', **ANA).memories[0]
    return memory.update(record.id, text=text, **ANA)


def edits(result: AddResult) -> list[tuple[str, str, str]]:
    return [(e.op, e.after.text, e.after.status) for e in result.changes]


class TestWhatWaits:
    def test_a_proposal_is_kept_and_told_but_nowhere_recalled(self, memory: Memory) -> None:
        memory.add('likes tea', **ANA)
        result = memory.add('they say home.city = Porto', **ANA)
        assert edits(result) == [('add', 'home.city is Porto', 'pending')]
        assert (result.memories, texts(result.pending)) == ((), ['home.city is Porto'])
        assert texts(memory.get_all(**ANA)) == ['likes tea']
        assert 'home.city is Porto' not in [h.text for h in memory.search('home.city Porto', **ANA)]
        assert memory.get_slot('home.city', **ANA) is None
        assert 'is Porto' not in str(memory.context('where does she live? Porto', include=('memories',), **ANA))
        assert memory.get_all(as_of='2100-01-01', known_at='2100-01-01', **ANA).items[0].text == 'likes tea'

    def test_an_extractor_is_not_shown_what_waits(self) -> None:
        shown: list[list[str]] = []

        def read(request: ExtractionRequest) -> Extraction:
            shown.append([m.text for m in request.existing])
            text = request.messages[0].text
            trust = 'tool' if 'tool' in text else None
            return Extraction(proposals=[Proposal(text=text, trust=trust, evidence=(Quote(0, 0, len(text)),))])

        with fast(extractor=ScriptedExtractor(read)) as memory:
            for text in ('drinks tea', 'the tool says she drinks rum', 'drinks rum or tea'):
                memory.add(text, **ANA)
        assert shown[-1] == ['drinks tea']

    def test_an_item_tells_what_is_needed_to_decide(self, memory: Memory) -> None:
        old = memory.add('home.city = Lisbon', **ANA).memories[0]
        memory.add({'role': 'user', 'name': 'Ana', 'content': 'they say home.city = Porto'}, **ANA)
        (item,) = queue(memory)
        assert (item.op, item.target, item.reasons) == ('add', None, ('source:tool',))
        assert (item.id, item.memory.text, item.memory.status) == (item.memory.id, 'home.city is Porto', 'pending')
        (said,) = item.evidence
        assert (said.before, said.quote, said.after) == ('they say ', 'home.city = Porto', '')
        assert (said.role, said.name) == ('user', 'Ana')
        assert [m.id for m in item.nearest] == [old.id]
        assert [(e.op, e.after.text, e.after.status) for e in item.diff] == [
            ('approve', 'home.city is Porto', 'active'),
            ('supersede', 'home.city is Lisbon', 'superseded'),
        ]
        assert memory.review.get(item.id, **ANA).memory == item.memory

    def test_looking_at_the_queue_changes_nothing(self, memory: Memory) -> None:
        memory.add('home.city = Lisbon', **ANA)
        propose(memory, 'home.city = Porto')
        before = memory.get_all(include_inactive=True, **ANA)
        assert [len(item.diff) for item in queue(memory)] == [2]
        assert memory.get_all(include_inactive=True, **ANA) == before

    def test_only_what_surrounds_the_words_of_a_long_message_is_shown(self) -> None:
        text = f'{"before " * 500}likes tea{" after" * 500}'
        start = text.index('likes')
        extractor = ScriptedExtractor(
            lambda _: Extraction(
                proposals=[Proposal(text='likes tea', trust='tool', evidence=(Quote(0, start, start + 9),))]
            )
        )
        with fast(extractor=extractor) as memory:
            memory.add(text, **ANA)
            (said,) = queue(memory)[0].evidence
        assert (len(said.before), said.quote, len(said.after)) == (400, 'likes tea', 400)

    def test_the_same_proposal_gathers_evidence_instead_of_piling_up(self, memory: Memory) -> None:
        first = propose(memory, 'likes tea')
        assert edits(memory.add('they say  Likes  TEA.', **ANA)) == [('confirm', 'likes tea', 'pending')]
        memory.add('they say really likes tea', **ANA)
        (item,) = queue(memory)
        assert item.id == first
        assert [e.quote for e in item.evidence] == ['likes tea', ' Likes  TEA.', 'really likes tea']

    def test_reading_the_same_messages_again_proposes_nothing_new(self, memory: Memory) -> None:
        said = {'role': 'user', 'content': 'they say likes tea', 'timestamp': '2026-01-01T10:00:00Z'}
        memory.add([said], run_id='r1', **ANA)
        memory.add([said], run_id='r1', **ANA)
        assert len(queue(memory)[0].evidence) == 1

    def test_what_is_known_already_does_not_wait(self, memory: Memory) -> None:
        memory.add('likes tea', **ANA)
        result = memory.add('they say likes tea', **ANA)
        assert (result.changes, waiting(memory)) == ((), [])

    def test_a_preview_tells_what_would_wait_and_keeps_nothing(self, memory: Memory) -> None:
        shown = memory.preview('they say likes tea', **ANA)
        assert (texts(shown.pending), waiting(memory)) == (['likes tea'], [])
        assert texts(memory.apply(shown).pending) == waiting(memory) == ['likes tea']

    def test_without_review_nothing_waits_and_it_is_counted(self) -> None:
        with fast(extractor=Hearsay(), policy=Policy(review='off')) as memory:
            result = memory.add('they say likes tea', **ANA)
            assert (result.changes, dict(result.skipped)) == ((), {'source:tool': 1})
            locked(memory)
            assert dict(memory.add('home.city = Porto', **ANA).skipped) == {'locked': 1}
            assert waiting(memory) == []


class TestWhatAPersonEdited:
    @pytest.mark.parametrize(
        ('text', 'op'),
        [('home.city = Porto', 'supersede'), ('not home.city = Porto', 'correct'), ('forget home.city', 'retract')],
    )
    def test_contradicting_evidence_waits_and_changes_nothing(self, memory: Memory, text: str, op: str) -> None:
        mine = locked(memory)
        memory.add(text, **ANA)
        (item,) = queue(memory)
        assert (item.op, item.target, item.reasons) == (op, mine, ('locked',))
        assert memory.get(mine.id, **ANA) == mine
        assert [texts([e.after]) for e in item.diff[1:]] == [['the city is Braga']]

    def test_approving_it_overwrites_what_the_person_wrote(self, memory: Memory) -> None:
        mine = locked(memory)
        memory.add('home.city = Porto', **ANA)
        result = memory.review.approve(queue(memory)[0].id, **ANA)
        assert result.memory is not None
        assert (result.memory.text, result.memory.locked, result.memory.actor) == ('home.city is Porto', False, 'user')
        assert texts(memory.get_all(**ANA)) == ['home.city is Porto']
        assert memory.get(mine.id, **ANA).superseded_by == result.memory.id

    def test_approving_a_retraction_ends_the_memory(self, memory: Memory) -> None:
        mine = locked(memory)
        memory.add('forget home.city', **ANA)
        result = memory.review.approve(queue(memory)[0].id, **ANA)
        assert result.memory is not None
        assert (result.memory.id, result.memory.status) == (mine.id, 'retracted')
        assert (texts(memory.get_all(**ANA)), waiting(memory)) == ([], [])

    def test_a_rejected_retraction_is_not_proposed_again(self, memory: Memory) -> None:
        locked(memory)
        memory.add('forget home.city', **ANA)
        memory.review.reject(queue(memory)[0].id, **ANA)
        assert dict(memory.add('forget home.city', **ANA).skipped) == {'rejected before': 1}
        assert edits(memory.add('again home.city', **ANA)) == [('confirm', 'the city is Braga', 'active')]

    def test_saying_what_the_person_wrote_confirms_it(self, memory: Memory) -> None:
        mine = locked(memory, 'home.city is Porto')
        assert edits(memory.add('home.city = Porto', **ANA)) == [('confirm', 'home.city is Porto', 'active')]
        assert memory.get(mine.id, **ANA).locked
        assert waiting(memory) == []


class TestApproving:
    def test_it_is_believed_with_the_trust_of_its_evidence(self, memory: Memory) -> None:
        item = propose(memory, 'likes tea')
        result = memory.review.approve(item, **ANA)
        assert (result.outcome, result.error, result.notes) == ('approved', None, ())
        assert result.change is not None
        assert (result.change.actor, result.change.reason) == ('user', 'approved')
        (found,) = memory.get_all(**ANA)
        assert (found.id, found.status, found.trust, found.actor, found.version) == (item, 'active', 'tool', 'user', 2)
        assert [h.text for h in memory.search('tea', **ANA)] == ['likes tea']
        assert [(e.op, e.actor) for e in memory.history(item, **ANA)] == [('add', 'grammar'), ('approve', 'user')]

    def test_a_value_that_was_replaced_meanwhile_enters_as_history(self, memory: Memory) -> None:
        old = propose(memory, 'home.city = Porto')
        memory.add('home.city = Faro', **ANA)
        (item,) = queue(memory)
        assert [(e.op, e.after.status) for e in item.diff] == [('approve', 'superseded')]
        memory.review.approve(old, **ANA)
        assert texts(memory.get_all(**ANA)) == ['home.city is Faro']
        assert [e.after['text'] for e in memory.history(slot='home.city', **ANA) if e.after][-1] == 'home.city is Porto'

    def test_what_is_said_by_another_memory_meanwhile_gives_it_its_evidence(self, memory: Memory) -> None:
        item = propose(memory, 'likes tea')
        known = memory.add('likes tea', **ANA).memories[0]
        result = memory.review.approve(item, **ANA)
        assert result.memory is not None
        assert (result.memory.id, result.memory.trust, len(result.memory.evidence)) == (known.id, 'user', 2)
        assert texts(memory.get_all(**ANA)) == ['likes tea']
        gone = memory.get_all(include_inactive=True, filters={'status': 'retracted'}, **ANA).items
        assert [(m.id, m.superseded_by) for m in gone] == [(item, known.id)]

    def test_when_what_it_replaces_is_gone_it_is_believed_nonetheless(self, memory: Memory) -> None:
        mine = locked(memory)
        memory.add('not home.city = Porto', **ANA)
        memory.delete(mine.id, **ANA)
        (item,) = queue(memory)
        assert item.notes == ('unknown target',)
        result = memory.review.approve(item.id, **ANA)
        assert result.notes == ('unknown target',)
        assert texts(memory.get_all(**ANA)) == ['home.city is Porto']

    def test_when_what_it_retracts_is_gone_it_only_leaves_the_queue(self, memory: Memory) -> None:
        mine = locked(memory)
        memory.add('forget home.city', **ANA)
        memory.delete(mine.id, **ANA)
        assert memory.review.approve(queue(memory)[0].id, **ANA).notes == ('unknown target',)
        assert (texts(memory.get_all(**ANA)), waiting(memory)) == ([], [])

    def test_what_took_the_place_of_its_target_is_meant(self, memory: Memory) -> None:
        locked(memory)
        memory.add('home.city = Porto', **ANA)
        memory.add('forget home.city', **ANA)
        porto, nowhere = queue(memory)
        memory.review.approve(porto.id, **ANA)
        result = memory.review.approve(nowhere.id, **ANA)
        assert result.memory is not None
        assert (result.memory.text, result.memory.status) == ('home.city is Porto', 'retracted')

    def test_edited_words_are_locked_and_the_evidence_stays(self, memory: Memory) -> None:
        item = propose(memory, 'likes tee')
        result = memory.review.edit(item, text='likes tea', tags=['drinks'], **ANA)
        assert result.memory is not None
        assert (result.memory.text, result.memory.locked, result.memory.tags) == ('likes tea', True, ('drinks',))
        assert [e.quote for e in result.memory.evidence] == ['likes tee']
        assert [h.text for h in memory.search('tea', **ANA)] == ['likes tea']
        assert result.change is not None
        assert result.change.reason == 'approved in other words'

    def test_edited_words_that_are_known_lock_the_memory_that_says_them(self, memory: Memory) -> None:
        known = memory.add('likes tea', **ANA).memories[0]
        memory.review.edit(propose(memory, 'golfs at the tee'), text='likes tea', **ANA)
        (found,) = memory.get_all(**ANA)
        assert (found.id, found.locked, len(found.evidence)) == (known.id, True, 2)

    def test_a_wish_to_retract_has_no_words_to_edit(self, memory: Memory) -> None:
        locked(memory)
        memory.add('forget home.city', **ANA)
        with pytest.raises(InvalidInput, match='has no words of its own'):
            memory.review.edit(queue(memory)[0].id, text='something', **ANA)
        assert len(queue(memory)) == 1

    def test_reverting_it_puts_it_back_into_the_queue(self, memory: Memory) -> None:
        old = memory.add('home.city = Lisbon', **ANA).memories[0]
        item = propose(memory, 'home.city = Porto')
        change = memory.review.approve(item, **ANA).change
        assert change is not None
        memory.revert(change.id, **ANA)
        assert texts(memory.get_all(**ANA)) == ['home.city is Lisbon']
        assert memory.get(old.id, **ANA).superseded_by is None
        assert [(i.id, i.reasons) for i in queue(memory)] == [(item, ('source:tool',))]
        assert memory.review.approve(item, **ANA).outcome == 'approved'

    def test_an_edit_in_between_is_seen(self, tmp_path: Path) -> None:
        with fast(tmp_path / 'm.db', extractor=Hearsay()) as one, fast(tmp_path / 'm.db', extractor=Hearsay()) as two:
            item = propose(one, 'home.city = Porto')
            (seen,) = queue(one)
            assert [e.op for e in seen.diff] == ['approve']
            two.add('home.city = Faro', occurred_at='2020-01-01', **ANA)
            result = one.review.approve(item, **ANA)
            assert result.change is not None
            assert [(e.op, e.after.text) for e in result.change.edits] == [
                ('approve', 'home.city is Porto'),
                ('supersede', 'home.city is Faro'),
            ]


class TestRejecting:
    def test_it_is_not_proposed_again(self, memory: Memory) -> None:
        item = propose(memory, 'likes rum')
        result = memory.review.reject(item, **ANA)
        assert result.outcome == 'rejected'
        assert result.memory is not None
        assert result.memory.status == 'rejected'
        assert dict(memory.add('they say Likes RUM!', **ANA).skipped) == {'rejected before': 1}
        assert waiting(memory) == []
        assert propose(memory, 'likes rum', **BEN) != item  # for nobody else was it turned down
        assert [e.op for e in memory.history(item, **ANA)] == ['add', 'reject']

    def test_what_a_tool_claimed_in_vain_may_still_be_said_by_the_user(self, memory: Memory) -> None:
        memory.review.reject(propose(memory, 'home.city = Porto'), **ANA)
        assert edits(memory.add('home.city = Porto', **ANA)) == [('add', 'home.city is Porto', 'active')]

    def test_a_value_turned_down_does_not_keep_other_values_out(self, memory: Memory) -> None:
        memory.review.reject(propose(memory, 'home.city = Porto'), **ANA)
        assert edits(memory.add('home.city = Faro', **ANA)) == [('add', 'home.city is Faro', 'active')]

    def test_reverting_it_puts_it_back_and_it_may_be_said_again(self, memory: Memory) -> None:
        item = propose(memory, 'likes rum')
        change = memory.review.reject(item, **ANA).change
        assert change is not None
        memory.revert(change.id, **ANA)
        assert waiting(memory) == ['likes rum']
        assert edits(memory.add('they say likes rum', **ANA)) == [('confirm', 'likes rum', 'pending')]


class TestDecidingTwice:
    @pytest.mark.parametrize('first', ['approve', 'reject'])
    @pytest.mark.parametrize('second', ['approve', 'reject'])
    def test_the_second_reviewer_is_told_what_the_first_did(self, memory: Memory, first: str, second: str) -> None:
        item = propose(memory, 'likes tea')
        result = getattr(memory.review, first)(item, **ANA)
        done = {'approve': 'approved', 'reject': 'rejected'}[first]
        with pytest.raises(Conflict, match=rf'was {done} by user at .*{result.change.id}'):
            getattr(memory.review, second)(item, **ANA)
        with pytest.raises(Conflict, match=f'was {done}'):
            memory.review.edit(item, text='likes rum', **ANA)
        with pytest.raises(Conflict, match=f'was {done}'):
            memory.review.get(item, **ANA)

    def test_of_many_at_once_one_decides(self) -> None:
        async def main() -> list[object]:
            async with fast_async(extractor=Hearsay()) as memory:
                (found,) = (await memory.add('they say likes tea', **ANA)).pending
                calls = [memory.review.approve(found.id, **ANA), memory.review.reject(found.id, **ANA)]
                done = await asyncio.gather(*calls, return_exceptions=True)
                assert len(await memory.history(found.id, **ANA)) == 2
                return list(done)

        done = asyncio.run(main())
        assert sorted(type(d).__name__ for d in done) == ['Conflict', 'ReviewResult']

    def test_what_was_taken_back_by_its_change_no_longer_waits(self, memory: Memory) -> None:
        item = propose(memory, 'likes tea')
        memory.revert(memory.changes(**ANA).items[0].id, **ANA)
        assert waiting(memory) == []
        with pytest.raises(Conflict, match='is retracted and no longer waits'):
            memory.review.approve(item, **ANA)


class TestMany:
    def test_each_is_answered_and_a_bad_one_undoes_no_other(self, memory: Memory) -> None:
        tea, rum = propose(memory, 'likes tea'), propose(memory, 'likes rum')
        foreign, done = propose(memory, 'likes gin', **BEN), propose(memory, 'likes figs')
        memory.review.reject(done, **ANA)
        ids = [tea, 'nonsense', foreign, done, rum, tea]
        results = memory.review.approve(ids, **ANA)
        assert [r.id for r in results] == ids[:-1]
        assert [type(r.error).__name__ for r in results] == [
            'NoneType', 'MemoryNotFound', 'MemoryNotFound', 'Conflict', 'NoneType'
        ]  # fmt: skip
        assert [r.outcome for r in results] == ['approved', 'failed', 'failed', 'failed', 'approved']
        assert texts(memory.get_all(**ANA)) == ['likes rum', 'likes tea']
        assert waiting(memory, **BEN) == ['likes gin']

    def test_many_are_turned_down_at_once(self, memory: Memory) -> None:
        ids = [propose(memory, f'likes {what}') for what in ('tea', 'rum', 'gin')]
        assert [r.outcome for r in memory.review.reject(ids, **ANA)] == ['rejected'] * 3
        assert memory.review.reject([], **ANA) == ()

    @pytest.mark.parametrize('ids', [None, 3, b'abc', {'a': 1}, [str(n) for n in range(1001)]])
    def test_what_is_no_list_of_ids_is_refused(self, memory: Memory, ids: Any) -> None:
        with pytest.raises(InvalidInput):
            memory.review.approve(ids, **ANA)


class TestListing:
    def test_the_queue_comes_in_pages_by_reason(self, memory: Memory) -> None:
        for number in range(5):
            propose(memory, f'fact {number}')
        mine = locked(memory)
        memory.add('forget home.city', **ANA)
        first = memory.review.list(limit=2, **ANA)
        rest = memory.review.list(cursor=first.cursor, **ANA)
        assert [i.memory.text for i in (*first, *rest)] == [*(f'fact {n}' for n in range(5)), f'retract {mine.id}']
        assert (len(first), rest.cursor) == (2, None)
        assert waiting(memory, reasons=['locked'], **ANA) == [f'retract {mine.id}']
        assert len(queue(memory, reasons=['source'], **ANA)) == 5

    def test_a_list_without_details_needs_no_search(self, memory: Memory) -> None:
        locked(memory)
        memory.add('home.city = Porto', **ANA)
        (item,) = queue(memory)
        (bare,) = queue(memory, details=False, **ANA)
        assert bare == replace(item, evidence=(), nearest=(), diff=(), notes=())
        assert bare.target is not None

    @pytest.mark.parametrize(
        'options',
        [
            {'limit': 0},
            {'limit': 201},
            {'limit': '2'},
            {'reasons': 'locked'},
            {'details': 1},
            {'reasons': [3]},
            {'cursor': 'x' * 99},
        ],
    )
    def test_what_can_not_be_used_is_refused(self, memory: Memory, options: dict[str, Any]) -> None:
        with pytest.raises(InvalidInput):
            memory.review.list(**ANA, **options)

    def test_an_item_of_somebody_else_is_not_there(self, memory: Memory) -> None:
        item = propose(memory, 'likes tea')
        reviews = (
            memory.review,
            memory.in_project('other').review,
            memory.in_project('other').project_wide().review,
            memory.scoped(Scope(user_id='ben')).review,
        )
        for view, ids in zip(reviews, (BEN, ANA, {}, {}), strict=True):
            assert len(view.list(**ids)) == 0
            for call in (view.get, view.approve, view.reject):
                with pytest.raises(MemoryNotFound):
                    call(item, **ids)
            with pytest.raises(MemoryNotFound):
                view.edit(item, text='x', **ids)
        with pytest.raises(InvalidScope):
            memory.review.approve(item)
        with pytest.raises(InvalidScope):
            memory.review.approve(item, user='ana')
        with pytest.raises(InvalidScope):
            memory.scoped(Scope(user_id='ben')).review.approve(item, **ANA)
        assert waiting(memory) == ['likes tea']

    def test_what_is_of_one_run_is_seen_from_that_run_only(self, memory: Memory) -> None:
        def read(request: ExtractionRequest) -> Extraction:
            text = request.messages[0].text
            return Extraction(
                proposals=[Proposal(text=text, level='run', trust='tool', evidence=(Quote(0, 0, len(text)),))]
            )

        with fast(extractor=ScriptedExtractor(read)) as other:
            item = other.add('is in a hurry', run_id='r1', **ANA).pending[0].id
            assert waiting(other, run_id='r2', **ANA) == []
            with pytest.raises(MemoryNotFound):
                other.review.approve(item, run_id='r2', **ANA)
            assert waiting(other, run_id='r1', **ANA) == waiting(other) == ['is in a hurry']

    def test_whoever_runs_the_project_sees_all_of_it(self, memory: Memory) -> None:
        ids = [propose(memory, 'likes tea'), propose(memory, 'likes rum', **BEN)]
        memory.in_project('other').add('they say likes gin', **ANA)
        wide = memory.project_wide().review
        assert [i.id for i in wide.list()] == ids
        assert [r.outcome for r in wide.approve(ids)] == ['approved'] * 2
        assert texts(memory.get_all(**BEN)) == ['likes rum']

    def test_lessons_of_an_agent_wait_there(self) -> None:
        lesson = 'Asks for a budget before it suggests a hotel'

        def read(request: ExtractionRequest) -> Extraction:
            found = [Proposal(text=lesson, kind='heuristic', level='agent', evidence=(Quote(0, 0, 6),))]
            return Extraction(proposals=found if request.lessons else [])

        extractor = ScriptedExtractor(read)
        with fast(extractor=extractor, settings=Settings(agent_lessons='review')) as memory:
            memory.add('I need a hotel in Oslo', agent_id='planner', **ANA)
            (item,) = queue(memory, agent_id='planner')
            assert (item.memory.text, item.reasons[-1], item.op) == (lesson, 'lesson', 'add')
            memory.review.approve(item.id, agent_id='planner')
            assert texts(memory.get_all(agent_id='planner')) == [lesson]

    def test_a_proposal_of_a_memory_that_never_waited_is_not_there(self, memory: Memory) -> None:
        known = memory.add('likes tea', **ANA).memories[0]
        with pytest.raises(MemoryNotFound, match='to see what waits'):
            memory.review.approve(known.id, **ANA)

    def test_a_wish_to_retract_outlives_neither_the_words_it_is_about_nor_those_it_was_said_in(
        self, memory: Memory
    ) -> None:
        record = memory.add('home.city = Lisbon', run_id='r1', **ANA).memories[0]
        memory.update(record.id, text='the city is Braga', **ANA)
        memory.add('forget home.city', run_id='r2', **ANA)
        memory.add('they say forget home.city', run_id='r3', **ANA)
        memory.delete_all(run_id='r1', **ANA)
        memory.delete_all(run_id='r2', **ANA)
        (item,) = queue(memory)
        assert (item.target, [e.quote for e in item.evidence]) == (None, ['forget home.city'])
        assert item.memory.text == f'retract {record.id}'
        memory.review.approve(item.id, **ANA)

    def test_what_is_erased_no_longer_waits(self, memory: Memory) -> None:
        item = propose(memory, 'likes tea', run_id='r1', **ANA)
        memory.review.reject(propose(memory, 'likes rum', run_id='r1', **ANA), **ANA)
        memory.delete_all(run_id='r1', **ANA)
        assert waiting(memory) == []
        with pytest.raises(MemoryNotFound):
            memory.review.approve(item, **ANA)
        assert texts(memory.add('they say likes rum', **ANA).pending) == ['likes rum']


@pytest.mark.parametrize('scope', [{}, {'run_id': 'r1'}], ids=['all of a user', 'one run'])
def test_an_erasure_leaves_no_row_of_the_queue_and_no_hash_of_what_was_turned_down(
    tmp_path: Path, scope: dict[str, str]
) -> None:
    with fast(tmp_path / 'm.db', extractor=Hearsay()) as memory:
        for decide, text in ((None, 'likes tea'), (memory.review.approve, 'likes rum'), (memory.review.reject, 'x y')):
            item = propose(memory, text, run_id='r1', **ANA)
            if decide is not None:
                decide(item, **ANA)
        propose(memory, 'likes gin', **BEN)
        memory.delete_all(**ANA, **scope)
    connection = apsw.Connection(str(tmp_path / 'm.db'))
    assert connection.execute('SELECT count(*) FROM review').fetchone() == (1,)
    assert connection.execute('SELECT count(*) FROM rejected').fetchone() == (0,)
    connection.close()


def test_edit_with_nothing_to_change_is_refused(memory: Memory) -> None:
    item = propose(memory, 'likes tea')
    with pytest.raises(InvalidInput, match='nothing to change'):
        memory.review.edit(item, **ANA)
    for text in ('', ' ', 3):
        with pytest.raises(InvalidInput):
            memory.review.edit(item, text=text, **ANA)
    assert waiting(memory) == ['likes tea']


def test_the_queue_survives_the_process(tmp_path: Path) -> None:
    with fast(tmp_path / 'm.db', extractor=Hearsay()) as memory:
        propose(memory, 'likes tea')
    with fast(tmp_path / 'm.db', extractor=Hearsay()) as memory:
        assert waiting(memory) == ['likes tea']


def test_code_with_a_loop_awaits_the_same() -> None:
    async def main() -> AsyncMemory:
        async with fast_async(extractor=Hearsay()) as memory:
            (found,) = (await memory.add('they say likes tea', **ANA)).pending
            with no_blocking_calls():
                page = await memory.review.list(**ANA)
                assert [i.id for i in page] == [found.id]
                assert (await memory.review.get(found.id, **ANA)).memory == found
                (result,) = await memory.review.approve([found.id], **ANA)
            assert result.outcome == 'approved'
            return memory

    asyncio.run(main())
