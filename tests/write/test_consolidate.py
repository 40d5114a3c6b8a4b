"""What becomes of candidates: confirmed, superseded, corrected, entered as history. Without a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoranda.policy import Policy
from memoranda.records import Episode, MemoryRecord, ReviewNote, new_id
from memoranda.scope import Owner, Scope
from memoranda.stores.data import Snapshot
from memoranda.write.consolidate import Decision, consolidate
from memoranda.write.extract import Proposal, Quote
from memoranda.write.guard import Candidate, guard

OWNER = Owner('default', 'user', 'ana')
START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2027, 1, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


@dataclass
class Belief:
    """Applies decisions one after the other, as a store would."""

    memories: dict[str, MemoryRecord] = field(default_factory=dict)
    rejected: Mapping[str, Any] = field(default_factory=dict)
    at: datetime = NOW
    decisions: list[Decision] = field(default_factory=list)

    def take(self, *candidates: Candidate) -> Decision:
        # What a store may offer: everything but the retracted, in no particular order.
        offered = [m for m in self.memories.values() if m.status in ('active', 'superseded')]
        decision = consolidate(
            candidates,
            Snapshot(owner_version=1, memories=offered, rejected=self.rejected),
            owner=OWNER,
            actor='test',
            change_id=new_id(),
            at=self.at,
        )
        for edit in decision.edits:
            held = self.memories.get(edit.memory_id)
            assert edit.before == held
            assert edit.after.version == (1 if held is None else held.version + 1)
            assert edit.after.valid_to is None or edit.after.valid_from <= edit.after.valid_to
            self.memories[edit.memory_id] = edit.after
        self.decisions.append(decision)
        return decision

    def say(self, text: str, on: float, **fields: Any) -> Decision:
        return self.take(said(text, on, **fields))

    def current(self, at: datetime | None = None) -> list[str]:
        return sorted(m.text for m in self.memories.values() if m.is_current(at or self.at))

    def held(self, at: datetime) -> list[MemoryRecord]:
        """What held at another moment, as far as is known now."""
        return [
            m
            for m in self.memories.values()
            if m.status in ('active', 'superseded') and m.valid_from <= at and (m.valid_to is None or at < m.valid_to)
        ]

    def one(self, text: str) -> MemoryRecord:
        (found,) = (m for m in self.memories.values() if m.text == text)
        return found


def said(
    text: str, on: float, *, words: str | None = None, run: str | None = None, role: Any = 'user', **fields: Any
) -> Candidate:
    words = words or text or 'some words'
    message = Episode(
        id=new_id(),
        project='default',
        scope=Scope(user_id='ana', run_id=run),
        conversation_id='c',
        seq=0,
        role=role,
        text=words,
        occurred_at=day(on),
        recorded_at=NOW,
        trust=role,
    )
    proposal = Proposal(text=text, evidence=(Quote(0, 0, len(words)),), **fields)
    (candidate,), _ = guard([proposal], [message], policy=Policy(write={'tool': 'auto', 'external': 'auto'}))
    return candidate


def ops(decision: Decision) -> list[str]:
    return [e.op for e in decision.edits]


def test_the_same_words_confirm_and_the_evidence_grows() -> None:
    belief = Belief()
    belief.say('Likes tea', 1, confidence=0.6)
    decision = belief.say('likes  TEA.', 2, confidence=0.8)
    assert ops(decision) == ['confirm']
    memory = belief.one('Likes tea')
    assert [e.quote for e in memory.evidence] == ['Likes tea', 'likes  TEA.']
    assert (memory.confidence, memory.valid_from, memory.said_at) == (0.8, day(1), day(2))


def test_words_that_differ_in_form_only_are_the_same_fact() -> None:
    belief = Belief()
    belief.say('Likes walking in the mountains', 1)
    assert ops(belief.say('Likes walking in mountains', 2)) == ['confirm']


@pytest.mark.parametrize(
    ('first', 'second'),
    [
        ('Eats meat', 'Does not eat meat'),
        ('Eats meat', "Doesn't eat meat"),
        ('Eats meat', 'Doesn\u2019t eat meat'),
        ('Has 2 cats', 'Has 3 cats'),
        ('Works with Ana', 'Works with Ben'),
        ('Ana manages Ben', 'Ben manages Ana'),
        ('Never works on Sundays', 'Works on Sundays'),
    ],
)
def test_numbers_names_and_negations_tell_facts_apart(first: str, second: str) -> None:
    belief = Belief()
    belief.say(first, 1)
    assert ops(belief.say(second, 2)) == ['add']
    assert belief.current() == sorted([first, second])


def test_confirmation_raises_trust_and_never_lowers_it() -> None:
    belief = Belief()
    for role, trust in (('tool', 'tool'), ('external', 'tool'), ('assistant', 'assistant'), ('user', 'user')):
        belief.say('Likes tea', 1, role=role)
        assert belief.one('Likes tea').trust == trust
    belief.say('Likes tea', 1, role='external')
    assert belief.one('Likes tea').trust == 'user'


def test_evidence_is_bounded_and_keeps_the_first_and_the_latest() -> None:
    belief = Belief()
    for number in range(70):
        belief.say('Likes tea', number, words=f'tea {number}')
    quotes = [e.quote for e in belief.one('Likes tea').evidence]
    assert len(quotes) == 50
    assert (quotes[0], quotes[1], quotes[-1]) == ('tea 0', 'tea 21', 'tea 69')


def test_a_new_value_of_a_slot_supersedes_the_old_one() -> None:
    belief = Belief()
    belief.say('Lives in Lisbon', 1, slot='home.city')
    assert ops(belief.say('Lives in Porto', 5, slot='home.city')) == ['supersede', 'add']
    lisbon, porto = belief.one('Lives in Lisbon'), belief.one('Lives in Porto')
    assert (lisbon.status, lisbon.valid_to, lisbon.superseded_by) == ('superseded', day(5), porto.id)
    assert (porto.status, porto.valid_from, porto.supersedes) == ('active', day(5), lisbon.id)


def test_an_older_value_that_arrives_later_enters_as_history() -> None:
    belief = Belief()
    belief.say('Lives in Porto', 5, slot='home.city')
    assert ops(belief.say('Lives in Lisbon', 1, slot='home.city')) == ['add']
    lisbon = belief.one('Lives in Lisbon')
    assert (lisbon.status, lisbon.valid_from, lisbon.valid_to) == ('superseded', day(1), day(5))
    assert belief.current() == ['Lives in Porto']
    belief.say('Lives in Faro', 3, slot='home.city')
    assert [belief.one(f'Lives in {c}').valid_to for c in ('Lisbon', 'Faro')] == [day(3), day(5)]


def test_a_value_that_comes_back_is_current_again() -> None:
    belief = Belief()
    for number, city in enumerate(('Lisbon', 'Porto', 'Lisbon')):
        belief.say(f'Lives in {city}', number, slot='home.city')
    assert belief.current() == ['Lives in Lisbon']
    assert len(belief.memories) == 3


def test_a_value_that_comes_back_keeps_its_past_apart_when_told_in_reverse() -> None:
    belief = Belief()
    for number, city in ((5, 'Lisbon'), (3, 'Porto'), (1, 'Lisbon')):
        belief.say(f'Lives in {city}', number, slot='home.city')
    assert [[m.text for m in belief.held(day(d))] for d in (2, 4, 6)] == [
        ['Lives in Lisbon'],
        ['Lives in Porto'],
        ['Lives in Lisbon'],
    ]


def test_the_same_words_in_two_slots_are_two_facts() -> None:
    belief = Belief()
    belief.say('dark', 1, slot='editor.theme')
    assert ops(belief.say('dark', 2, slot='terminal.theme')) == ['add']
    assert [m.slot for m in belief.memories.values() if m.is_current(NOW)] == ['editor.theme', 'terminal.theme']


def test_a_fact_told_again_with_its_slot_takes_it() -> None:
    belief = Belief()
    belief.say('Lives in Faro', 1, slot='home.city')
    belief.say('Lives in Lisbon', 2)
    belief.say('Lives in Lisbon', 3, slot='home.city')
    (current,) = (m for m in belief.memories.values() if m.is_current(NOW))
    assert (current.text, current.slot, len(current.evidence)) == ('Lives in Lisbon', 'home.city', 2)
    assert ops(belief.say('Lives in Lisbon', 4)) == ['confirm']


def test_levels_and_runs_hold_their_own_values() -> None:
    belief = Belief()
    belief.say('tea', 1, slot='drink')
    for run in ('s1', 's2'):
        assert ops(belief.say('cocoa', 2, slot='drink', level='run', run=run)) == ['add']
    assert belief.current() == ['cocoa', 'cocoa', 'tea']


def test_a_plan_leaves_the_present_value_current_until_it_begins() -> None:
    belief = Belief()
    belief.say('Lives in Lisbon', 1, slot='home.city')
    move = NOW + timedelta(days=30)
    belief.say('Lives in Porto', 5, slot='home.city', valid_from=move)
    assert belief.current() == ['Lives in Lisbon']
    assert belief.current(move) == ['Lives in Porto']
    belief.say('Lives in Faro', 6, slot='home.city')
    assert belief.current() == ['Lives in Faro']
    assert belief.current(move) == ['Lives in Faro']


def test_what_was_said_of_the_past_touches_no_present_value() -> None:
    belief = Belief()
    belief.say('Lives in Porto', 5, slot='home.city')
    belief.say('Lived in Rome', 6, slot='home.city', valid_from=day(-900), valid_to=day(-100))
    belief.say('Lived in Oslo', 7, slot='home.city', valid_to=day(-1000))
    assert belief.current() == ['Lives in Porto']
    belief.say('Lives in Faro', 8, slot='home.city')
    assert belief.current() == ['Lives in Faro']
    assert [m.text for m in belief.held(day(-500))] == ['Lived in Rome']
    assert belief.one('Lived in Rome').valid_to == day(-100)
    assert belief.one('Lived in Oslo').valid_from < day(-1000)
    again = belief.say('Lived in Rome', 9, slot='home.city', valid_from=day(-900), valid_to=day(-100))
    assert ops(again) == ['confirm']


def test_an_end_that_was_given_is_kept_when_the_value_enters_as_history() -> None:
    belief = Belief()
    belief.say('Lives in Porto', 50, slot='home.city')
    belief.say('Lives in Lisbon', 1, slot='home.city', valid_to=day(10))
    assert belief.one('Lives in Lisbon').valid_to == day(10)


def test_a_correction_takes_the_place_of_what_was_never_true() -> None:
    belief = Belief()
    belief.say('Lives in Lisbon', 1, slot='home.city')
    wrong = belief.one('Lives in Lisbon')
    assert ops(belief.say('Lives in Porto', 2, op='correct', target=wrong.id)) == ['correct', 'add']
    right = belief.one('Lives in Porto')
    assert (right.slot, right.valid_from, right.supersedes) == ('home.city', day(1), wrong.id)
    assert belief.memories[wrong.id].status == 'retracted'
    assert belief.memories[wrong.id].valid_to is None
    assert [m.text for m in belief.held(day(1.5))] == ['Lives in Porto']


def test_a_correction_to_something_known_leaves_only_that() -> None:
    belief = Belief()
    belief.say('Likes coffee', 1)
    belief.say('Likes tea', 1)
    coffee = belief.one('Likes coffee')
    assert ops(belief.say('Likes tea', 2, op='correct', target=coffee.id)) == ['confirm', 'correct']
    assert belief.current() == ['Likes tea']
    assert belief.memories[coffee.id].superseded_by == belief.one('Likes tea').id


def test_a_supersession_replaces_its_target() -> None:
    belief = Belief()
    belief.say('Uses Python at work', 1)
    old = belief.one('Uses Python at work')
    assert ops(belief.say('Uses TypeScript at work', 2, op='supersede', target=old.id)) == ['supersede', 'add']
    assert belief.current() == ['Uses TypeScript at work']
    assert belief.one('Uses TypeScript at work').supersedes == old.id


def test_a_supersession_without_a_slot_takes_its_targets() -> None:
    belief = Belief()
    belief.say('Lives in Lisbon', 1, slot='home.city')
    old = belief.one('Lives in Lisbon')
    belief.say('Lives in Porto', 2, op='supersede', target=old.id)
    assert belief.current() == ['Lives in Porto']
    assert belief.one('Lives in Porto').slot == 'home.city'


@pytest.mark.parametrize('slot', [None, 'home.city'])
def test_older_changes_that_arrive_later_never_touch_what_is_newer(slot: str | None) -> None:
    belief = Belief()
    belief.say('Lives in Lisbon', 10, slot=slot)
    target = belief.one('Lives in Lisbon')
    assert belief.say('', 5, op='retract', target=target.id).skipped == {'older': 1}
    assert belief.say('Lives in Faro', 5, op='correct', target=target.id).skipped == {'older': 1}
    belief.say('Lives in Porto', 5, op='supersede', target=target.id)
    assert belief.current() == ['Lives in Lisbon']
    assert (belief.one('Lives in Porto').status, belief.one('Lives in Porto').valid_to) == ('superseded', day(10))


def test_a_retraction_ends_a_fact_and_keeps_its_past() -> None:
    belief = Belief()
    belief.say('Eats meat', 1)
    target = belief.one('Eats meat')
    assert ops(belief.say('', 5, op='retract', target=target.id, words='no meat any more')) == ['retract']
    ended = belief.memories[target.id]
    assert (ended.status, ended.valid_to) == ('retracted', day(5))
    assert ops(belief.say('Eats meat', 9)) == ['add']


@pytest.mark.parametrize(
    'fields',
    [
        {'op': 'retract', 'text': ''},
        {'op': 'correct', 'text': 'Lives in Faro'},
        {'op': 'supersede', 'text': 'Lives in Faro'},
        {'op': 'add', 'text': 'Lives in Faro', 'slot': 'home.city'},
    ],
    ids=lambda f: f['op'],
)
def test_what_a_person_edited_is_never_overwritten(fields: dict[str, Any]) -> None:
    belief = Belief()
    belief.say('Lives in Lisbon', 1, slot='home.city')
    mine = belief.one('Lives in Lisbon')
    belief.memories[mine.id] = replace(mine, locked=True)
    op, text = fields['op'], fields['text']
    (edit,) = belief.take(said(**fields, on=2, target=None if op == 'add' else mine.id)).edits
    assert (edit.op, edit.after.status, edit.after.text) == ('add', 'pending', text or f'retract {mine.id}')
    assert edit.review == ReviewNote(op={'add': 'supersede'}.get(op, op), target=mine.id, reasons=('locked',))
    assert belief.current() == ['Lives in Lisbon']
    assert ops(belief.say('Lives in Lisbon', 3, slot='home.city')) == ['confirm']


@pytest.mark.parametrize('op', ['retract', 'confirm', 'supersede', 'correct'])
def test_a_target_that_is_not_there_is_counted(op: Any) -> None:
    belief = Belief()
    decision = belief.say('' if op in ('retract', 'confirm') else 'Likes tea', 1, op=op, target='nowhere')
    assert decision.skipped == {'unknown target': 1}
    assert belief.current() == ([] if op in ('retract', 'confirm') else ['Likes tea'])


def test_a_run_cannot_touch_another_runs_facts() -> None:
    belief = Belief()
    belief.say('The budget is 500', 1, level='run', run='s1')
    target = belief.one('The budget is 500')
    for op in ('retract', 'confirm', 'supersede', 'correct'):
        text = '' if op in ('retract', 'confirm') else 'The budget is 900'
        decision = belief.say(text, 2, op=op, target=target.id, level='run', run='s2')
        assert decision.skipped == {'target of another level': 1}
    assert belief.memories[target.id] == target


def test_what_a_person_turned_down_is_not_believed_again() -> None:
    belief = Belief()
    belief.say('Likes tea', 1)
    turned_down = {belief.one('Likes tea').hash: 'user'}
    again = Belief(rejected=turned_down)
    assert again.say('likes tea!', 2).skipped == {'rejected before': 1}
    assert again.memories == {}


def test_one_change_may_say_several_things_about_one_slot() -> None:
    belief = Belief()
    cities = [said(f'Lives in {c}', n, slot='home.city') for n, c in enumerate(('Rome', 'Oslo', 'Faro'))]
    decision = belief.take(*cities)
    assert ops(decision) == ['add', 'add', 'add']
    assert belief.current() == ['Lives in Faro']


# Properties

SLOTS = ('a.x', 'b.y', None)
statements = st.lists(
    st.tuples(
        st.sampled_from(SLOTS),
        st.sampled_from(('red', 'green', 'blue')),
        st.sampled_from((None, 's1', 's2')),
    ),
    min_size=1,
    max_size=9,
)


def candidates_of(spoken: Sequence[tuple[str | None, str, str | None]]) -> list[Candidate]:
    """In the order they were said, a day apart; a run id makes it a fact of that run."""
    return [
        said(
            value if slot else f'plain {value}',
            number,
            slot=slot,
            run=run,
            level='run' if run else None,
            words=f'{value} {number}',
        )
        for number, (slot, value, run) in enumerate(spoken)
    ]


def check_invariants(belief: Belief) -> None:
    moments = [day(n / 2) for n in range(-1, 40)] + [NOW]
    for at in moments:
        held = belief.held(at)
        for a, b in combinations(held, 2):
            if (a.level, a.scope) == (b.level, b.scope):
                assert a.slot is None or a.slot != b.slot, f'{a.text} and {b.text} both held in {a.slot}'
                assert a.hash != b.hash
    for memory in belief.memories.values():
        for link in (memory.supersedes, memory.superseded_by):
            assert link is None or link in belief.memories


@given(spoken=statements, data=st.data())
def test_whatever_the_order_of_arrival_a_slot_ends_up_with_what_was_said_last(
    spoken: list[tuple[str | None, str, str | None]], data: st.DataObject
) -> None:
    candidates = candidates_of(spoken)
    arriving = [candidates[i] for i in data.draw(st.permutations(range(len(spoken))))]
    cuts = data.draw(st.lists(st.integers(0, len(arriving)), max_size=3).map(sorted))
    belief = Belief()
    for start, end in zip([0, *cuts], [*cuts, len(arriving)], strict=True):
        belief.take(*arriving[start:end])
        check_invariants(belief)
    last = {(slot, run): value for slot, value, run in spoken if slot is not None}
    current = {(m.slot, m.scope.run_id): m.text for m in belief.memories.values() if m.slot and m.is_current(NOW)}
    assert current == last
    plain = {(f'plain {value}', run) for slot, value, run in spoken if slot is None}
    assert {(m.text, m.scope.run_id) for m in belief.memories.values() if m.slot is None} == plain


@given(spoken=statements, data=st.data())
def test_what_is_drawn_twice_from_the_same_messages_changes_nothing(
    spoken: list[tuple[str | None, str, str | None]], data: st.DataObject
) -> None:
    candidates = candidates_of([(s or 'c.z', v, r) for s, v, r in spoken])
    belief = Belief()
    for i in data.draw(st.permutations(range(len(spoken)))):
        belief.take(candidates[i])
    before = dict(belief.memories)
    for i in data.draw(st.permutations(range(len(spoken)))):
        assert belief.take(candidates[i]).edits == ()
    assert belief.memories == before


@given(spoken=statements, data=st.data())
def test_any_mix_of_operations_keeps_the_invariants(
    spoken: list[tuple[str | None, str, str | None]], data: st.DataObject
) -> None:
    belief = Belief()
    for number, (slot, value, run) in enumerate(spoken):
        op = data.draw(st.sampled_from(('add', 'supersede', 'correct', 'confirm', 'retract')))
        targets = [m.id for m in belief.memories.values() if m.status == 'active']
        target = data.draw(st.sampled_from(targets)) if targets and op != 'add' else None
        on = data.draw(st.integers(0, 20)) + number / 100
        since = data.draw(st.none() | st.integers(-5, 25).map(day))
        until = data.draw(st.none() | st.integers(26, 30).map(day))
        belief.say(
            '' if op in ('confirm', 'retract') else value,
            on,
            op=op,
            target=target,
            slot=slot,
            run=run,
            level='run' if run else None,
            valid_from=since,
            valid_to=until,
        )
        current = [m for m in belief.memories.values() if m.is_current(NOW)]
        for a, b in combinations(current, 2):
            if (a.level, a.scope) == (b.level, b.scope):
                assert a.hash != b.hash
                assert a.slot is None or a.slot != b.slot
