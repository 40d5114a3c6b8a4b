from __future__ import annotations

from typing import Any

import pytest

from _sayings import episode, memory
from memoranda.records import MemoryRecord
from memoranda.write.extract import ExtractionRequest, Proposal
from memoranda.write.rules import RulesExtractor

KNOWN = [
    memory('Lives in Lisbon', 'home.city'),
    memory('Loves Lisbon'),
    memory('Uses Python'),
    memory('Uses Vim'),
    memory('Eats meat'),
    memory('Likes tea'),
    memory('Likes green tea'),
    memory('Works at Google', 'work.employer'),
    memory('Works as a nurse', 'work.title'),
    memory('Smokes'),
    memory('Is vegan', 'diet'),
]


def propose(text: str, known: list[MemoryRecord], previous: str = '', **how: Any) -> list[Proposal]:
    request = ExtractionRequest(
        messages=[episode(text, **how)],
        previous=[episode(previous, role='assistant')] if previous else [],
        existing=known,
    )
    return list(RulesExtractor().propose(request).proposals)


def changes(text: str, known: list[MemoryRecord], previous: str = '') -> list[tuple[str, str, str | None]]:
    """(op, text, text of the target) of every proposal."""
    names = {record.id: record.text for record in known}
    return [(p.op, p.text, names.get(p.target or '')) for p in propose(text, known, previous)]


CORRECTIONS = [
    "actually it's Porto, not Lisbon",
    "It's not Lisbon, it's Porto",
    'Sorry, I meant Porto, not Lisbon',
    'not Lisbon, Porto',
    'I live in Porto, not Lisbon',
    'No, I live in Porto, not Lisbon!',
    'Correction: it is Porto not Lisbon',
]


@pytest.mark.parametrize('text', CORRECTIONS)
def test_a_correction_replaces_the_old_word_in_the_memory_that_has_it(text: str) -> None:
    (p,) = propose(text, KNOWN)

    assert (p.op, p.text, p.slot, p.value, p.target) == ('correct', 'Lives in Porto', 'home.city', 'Porto', KNOWN[0].id)


def test_a_correction_of_something_unknown_does_nothing() -> None:
    assert changes("actually it's Oslo, not Bergen", KNOWN) == []


def test_a_remark_about_a_file_corrects_no_memory() -> None:
    assert changes("It's Rust, not Python", KNOWN) == []
    assert changes("It's a bug in Rust, not Lisbon", KNOWN) == []
    assert changes("Actually it's Rust, not Python", KNOWN) == [('correct', 'Uses Rust', 'Uses Python')]
    assert changes("It's Rust, not Python", KNOWN, previous='You use Python.') == [
        ('correct', 'Uses Rust', 'Uses Python')
    ]


ENDED = [
    ('I no longer eat meat', 'Eats meat', 'No longer eats meat'),
    ("I don't eat meat anymore", 'Eats meat', 'No longer eats meat'),
    ("I don't use Vim any more", 'Uses Vim', 'No longer uses Vim'),
    ("I'm no longer vegan", 'Is vegan', 'Is no longer vegan'),
    ("I'm not vegan anymore", 'Is vegan', 'Is no longer vegan'),
    ("I don't live in Lisbon any more", 'Lives in Lisbon', 'No longer lives in Lisbon'),
    ('I no longer work at Google', 'Works at Google', 'No longer works at Google'),
    ('I stopped smoking', 'Smokes', 'Stopped smoking'),
    ('I quit smoking', 'Smokes', 'Quit smoking'),
    ('I no longer like green tea', 'Likes green tea', 'No longer likes green tea'),
]


@pytest.mark.parametrize(('text', 'old', 'new'), ENDED)
def test_what_ended_is_retracted_and_said_so(text: str, old: str, new: str) -> None:
    assert changes(text, KNOWN) == [('retract', '', old), ('add', new, None)]


def test_what_ended_but_was_never_known_is_only_said() -> None:
    assert changes('I no longer eat meat', []) == [('add', 'No longer eats meat', None)]


def test_a_job_that_was_left_takes_title_and_employer_with_it() -> None:
    assert sorted(changes('I quit my job at Google', KNOWN)) == [
        ('add', 'Quit their job at Google', None),
        ('retract', '', 'Works as a nurse'),
        ('retract', '', 'Works at Google'),
    ]


def test_a_switch_supersedes_what_was_used_and_fills_the_slot() -> None:
    (p,) = propose('I switched from Python to TypeScript', KNOWN)

    assert (p.op, p.slot, p.value, p.target) == (
        'supersede',
        'language.programming.preferred',
        'TypeScript',
        KNOWN[2].id,
    )
    assert p.text == 'Switched to TypeScript'


def test_a_switch_of_something_unknown_is_added_with_its_slot() -> None:
    (p,) = propose('I switched from Python to TypeScript', [])

    assert (p.op, p.slot, p.value, p.target) == ('add', 'language.programming.preferred', 'TypeScript', None)


@pytest.mark.parametrize(
    ('text', 'slot', 'value'),
    [
        ('I switched to Neovim', 'editor.preferred', 'Neovim'),
        ('I moved from Vim to VS Code', 'editor.preferred', 'VS Code'),
        ('I now use Rust instead of C++', 'language.programming.preferred', 'Rust'),
        ('I migrated from MySQL to PostgreSQL', None, None),
        ('I moved from Lisbon to Porto', 'home.city', 'Porto'),
        ("I've moved to Oslo", 'home.city', 'Oslo'),
        ('I started a new job at Stripe', 'work.employer', 'Stripe'),
    ],
)
def test_a_change_fills_the_slot_it_concerns(text: str, slot: str | None, value: str | None) -> None:
    assert [(p.op, p.slot, p.value) for p in propose(text, [])] == [('add', slot, value)]


@pytest.mark.parametrize(
    ('text', 'target'),
    [
        ('forget that I like green tea', 'Likes green tea'),
        ('Please forget about Vim', 'Uses Vim'),
        ("It's no longer true that I like green tea", 'Likes green tea'),
    ],
)
def test_what_is_to_be_forgotten_is_found_by_its_words(text: str, target: str) -> None:
    assert changes(text, KNOWN) == [('retract', '', target)]


@pytest.mark.parametrize('text', ['forget it', 'forget that', 'forget about my cat', "that's not true any more"])
def test_what_is_not_found_is_left_alone(text: str) -> None:
    assert changes(text, KNOWN) == []


def test_a_denial_retracts_the_one_memory_the_last_message_spoke_of() -> None:
    assert changes("That's not true any more.", KNOWN, previous='You work as a nurse, right?') == [
        ('retract', '', 'Works as a nurse')
    ]


def test_a_speaker_changes_only_their_own_memories() -> None:
    theirs, own = memory('Bob eats meat'), memory('Ana eats meat')

    found = propose('I no longer eat meat', [theirs, own], name='Ana')

    assert [(p.op, p.text, p.target) for p in found] == [
        ('retract', '', own.id),
        ('add', 'Ana no longer eats meat', None),
    ]
