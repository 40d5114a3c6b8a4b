"""Facts that turn on a few words: a condition, a denial, a wedding, a move within the company, a story."""

from __future__ import annotations

import pytest

from _sayings import BASE, memory
from memoranda.records import Episode, MemoryRecord, new_id
from memoranda.scope import Scope
from memoranda.write.extract import ExtractionRequest, Proposal
from memoranda.write.rules import RulesExtractor


def propose(text: str, known: list[MemoryRecord], name: str | None = None) -> list[Proposal]:
    said = Episode(
        id=new_id(),
        project='p',
        scope=Scope(user_id='ana', run_id='r1'),
        conversation_id='c',
        seq=0,
        role='user',
        name=name,
        text=text,
        occurred_at=BASE,
        recorded_at=BASE,
    )
    return list(RulesExtractor().propose(ExtractionRequest(messages=[said], existing=known)).proposals)


def added(text: str, name: str | None = None) -> list[tuple[str, str | None]]:
    """(text, slot) of every proposal."""
    return [(p.text, p.slot) for p in propose(text, [], name)]


def retracted(text: str, known: list[MemoryRecord]) -> list[str]:
    names = {record.id: record.text for record in known}
    return [names[p.target or ''] for p in propose(text, known) if p.op == 'retract']


@pytest.mark.parametrize(
    ('text', 'fact'),
    [
        ("I don't drink coffee after 3pm", "Doesn't drink coffee after 3pm"),
        ('I never drink alcohol before a race', 'Never drinks alcohol before a race'),
        ("I can't eat dairy after dinner", "Can't eat dairy after dinner"),
        ("I don't eat gluten when travelling", "Doesn't eat gluten when travelling"),
        ('I never drink coffee before noon', 'Never drinks coffee before noon'),
        ("I don't drink coffee without milk after 3pm", "Doesn't drink coffee without milk after 3pm"),
        ("I don't drink coffee, except before a race", "Doesn't drink coffee, except before a race"),
        ("I'm vegan except on weekends", 'Is vegan except on weekends'),
        ('I prefer Python when scripting', 'Prefers Python when scripting'),
        ('I love spending time outside together', 'Loves spending time outside'),
    ],
)
def test_a_condition_stays_in_the_words_and_fills_no_slot(text: str, fact: str) -> None:
    assert added(text) == [(fact, None)]


@pytest.mark.parametrize(
    'text',
    [
        "After 3pm, I don't drink coffee",
        "After 3pm I don't drink coffee",
        "On weekends, I don't eat meat",
        'Before a race, I never drink alcohol',
        "At work, I don't drink coffee",
        "I don't eat meat unless it's organic",
        "I'm vegan, but not at home",
    ],
)
def test_a_condition_that_cannot_be_kept_leaves_no_fact(text: str) -> None:
    assert added(text) == []


def test_what_ended_under_a_condition_retracts_nothing() -> None:
    known = [memory('Drinks coffee'), memory('Eats meat')]

    assert retracted('I no longer drink coffee after 3pm', known) == []
    assert retracted('I stopped drinking coffee after lunch', known) == []
    assert retracted('I stopped eating meat before the wedding', known) == ['Eats meat']


@pytest.mark.parametrize(
    ('text', 'target'),
    [
        ("I'm not allergic to peanuts, that was a mistake", 'Is allergic to peanuts'),
        ("Actually, I'm not allergic to peanuts", 'Is allergic to peanuts'),
        ("I'm no longer allergic to peanuts", 'Is allergic to peanuts'),
    ],
)
def test_a_denial_retracts_the_memory_that_says_just_that(text: str, target: str) -> None:
    known = [memory(t) for t in ('Is allergic to peanuts', 'Likes tea', 'Likes green tea', 'Eats meat')]

    assert retracted(text, known) == [target]


@pytest.mark.parametrize(
    'text',
    ["My doctor says I'm no longer allergic", "I'm not allergic to peanuts when roasted", "I'm not allergic to dust"],
)
def test_another_denial_retracts_nothing(text: str) -> None:
    assert retracted(text, [memory('Is allergic to peanuts')]) == []


@pytest.mark.parametrize('text', ['I got divorced', 'We got divorced last year', "I'm single now", "I'm single"])
def test_the_end_of_a_marriage_retracts_the_spouse(text: str) -> None:
    known = [
        memory('Spouse is called Tom', 'relationship.spouse'),
        memory('Husband works at Acme'),
        memory('Likes tea'),
    ]

    assert retracted(text, known) == ['Spouse is called Tom', 'Husband works at Acme']
    assert 'relationship.status' in [p.slot for p in propose(text, known)]


def test_an_old_divorce_leaves_the_marriage_of_today_alone() -> None:
    known = [memory('Spouse is called Tom', 'relationship.spouse')]

    assert [(p.op, p.text) for p in propose('I got divorced in 2010', known)] == [('add', 'Got divorced in 2010')]


def test_a_wedding_sets_the_status_and_the_spouse() -> None:
    assert added('I got married to Jonas last week') == [
        ('Is married', 'relationship.status'),
        ('Spouse is called Jonas', 'relationship.spouse'),
        ('Got married to Jonas in the week of 1 May 2023', None),
    ]


@pytest.mark.parametrize(
    'where',
    'Sales in June|Amazon last month|management|engineering|marketing|HR|finance|product|another team|the backend team'
    '|the Platform Team|Stripe'.split('|'),
)
def test_a_move_within_work_is_no_home(where: str) -> None:
    assert 'home.city' not in [slot for said in ('I', 'i') for _, slot in added(f'{said} moved to {where}')]


def test_a_district_is_still_a_home() -> None:
    assert added('I moved to the Upper East Side') == [('Lives in the Upper East Side', 'home.city')]


@pytest.mark.parametrize(
    'text',
    [
        'For the roleplay, I am a vegan.',
        "In the novel I'm writing, I live in Rome.",
        'In my story, I live in Rome. I am a pilot.',
        'I live in Rome, I wish!',
        'I live in Rome. I wish!',
    ],
)
def test_fiction_and_wishes_are_no_facts(text: str) -> None:
    assert added(text) == []


@pytest.mark.parametrize(
    ('text', 'fact'),
    [
        ('Never use emojis when you talk to me', 'Never use emojis when you talk to the user'),
        ('Call me Captain', 'Call the user Captain'),
        ('Always check my code', "Always check the user's code"),
        ("Whenever I don't say why, ask me first", "Whenever the user doesn't say why, ask the user first"),
    ],
)
def test_an_instruction_names_the_user_who_gave_it(text: str, fact: str) -> None:
    assert [p.text for p in propose(text, [])] == [fact]


def test_an_instruction_of_a_named_speaker_speaks_of_them() -> None:
    assert added('Call me Captain', name='Ana') == [('Ana asks: call them Captain', 'name.preferred')]


def test_a_switch_back_is_a_switch() -> None:
    assert added('I switched back to Python') == [('Switched to Python', 'language.programming.preferred')]


def test_a_seat_is_preferred_with_its_article() -> None:
    assert added('I prefer the aisle seat') == [('Prefers the aisle seat', None)]
