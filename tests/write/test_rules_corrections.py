"""Corrections: what was never true, and what the speaker meant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from _sayings import ask, changes, episode, memory, propose, texts
from memoranda.records import Evidence
from memoranda.write.extract import ExtractionRequest
from memoranda.write.rules import RulesExtractor

KNOWN = [
    memory('Lives in Lisbon', 'home.city', value='Lisbon'),
    memory('Is allergic to peanuts', kind='constraint'),
    memory('Name is Jon Carver', 'name', value='Jon Carver'),
    memory('Was born in 1988', 'birth.year', value='1988'),
    memory('Wife is called Marta', 'relationship.spouse', kind='relationship'),
    memory('Has three kids', kind='relationship'),
    memory('Birthday is 5 May', 'birthday', value='5 May'),
]

CORRECTIONS = """
No, I said Porto, not Lisbon
I said Lisbon but I meant Porto
When I said Lisbon I meant Porto
Earlier I said Lisbon, but it's Porto
I wrote Lisbon but it's actually Porto
No, I live in Porto
That's wrong, I live in Porto
You got that wrong: I live in Porto
I made a mistake earlier: I live in Porto
"""


@pytest.mark.parametrize('text', CORRECTIONS.strip().splitlines())
def test_what_was_said_wrong_is_corrected(text: str) -> None:
    said = changes(text, KNOWN)

    assert ('correct', 'Lives in Porto', 'Lives in Lisbon') in said or said == []
    if not text.startswith('Earlier'):
        assert said


@pytest.mark.parametrize(
    ('text', 'fact', 'old'),
    [
        ("You have that wrong, it's walnuts I'm allergic to, peanuts are fine.", 'walnuts', 'Is allergic to peanuts'),
        ("It's walnuts I'm allergic to, not peanuts", 'walnuts', 'Is allergic to peanuts'),
        ("No, it's walnuts that I'm allergic to", 'walnuts', 'Is allergic to peanuts'),
        ("I'm allergic to walnuts, not peanuts", 'walnuts', 'Is allergic to peanuts'),
        ('Actually I was born in 1989, I made a typo earlier.', '1989', 'Was born in 1988'),
        ('I was born in 1989', '1989', 'Was born in 1988'),
        ('My birthday is 6 May', '6 May', 'Birthday is 5 May'),
        ('I have two kids, not three', 'two kids', 'Has three kids'),
        ('Small thing: my name is John with an h, John Carver.', 'John Carver', 'Name is Jon Carver'),
        ('My name is spelled John', 'John Carver', 'Name is Jon Carver'),
        ("You got my name wrong, it's John Carver", 'John Carver', 'Name is Jon Carver'),
        ("My name isn't Jon, it's John Carver", 'John Carver', 'Name is Jon Carver'),
        ("Marta isn't my wife! She's my sister.", 'Sister is called Marta', 'Wife is called Marta'),
        ('Marta is my sister, not my wife', 'Sister is called Marta', 'Wife is called Marta'),
        ("Marta is not my wife, she's my boss", 'Boss is called Marta', 'Wife is called Marta'),
    ],
)
def test_a_correction_names_what_it_takes_the_place_of(text: str, fact: str, old: str) -> None:
    ((op, said, target),) = changes(text, KNOWN)

    assert (op, target) == ('correct', old)
    assert fact in said


@pytest.mark.parametrize(
    'text',
    [
        'I said Porto is not Lisbon',
        'They said Porto, not Lisbon',
        'The flight goes to Porto, not Lisbon',
        'Is it Porto, not Lisbon?',
        "Maybe it's Porto, not Lisbon",
        'She told me: I said Porto, not Lisbon',
        "If it's walnuts I'm allergic to, what then?",
        "It's you I love",
        "It's cold I think",
        "It's a bug I hate",
        "Marta isn't my favourite",
        'Tom is not my brother',
        'No, I mean the other Lisbon',
        'I said I live in Rome',
        'My boss said I live in Rome',
    ],
)
def test_what_only_looks_like_a_correction_changes_nothing(text: str) -> None:
    assert changes(text, KNOWN) == []


@pytest.mark.parametrize(
    ('text', 'fact'),
    [
        ('I work at Google, sorry, I mean Googol Analytics, people always mix those up.', 'Works at Googol Analytics'),
        ('I live in Porto, no wait, Lisbon', 'Lives in Lisbon'),
        ('I live in Porto, sorry, Lisbon', 'Lives in Lisbon'),
        ('I have two, no, three kids', 'Has three kids'),
        ("I'm 34, no, 35", 'Is 35 years old'),
        ("I'm vegan, I mean vegan", 'Is vegan'),
        ("I'm vegan, sorry, I'm vegetarian", 'Is vegetarian'),
        ('I live in Porto. Sorry, I meant Lisbon.', 'Lives in Lisbon'),
        ('I work at Google. I meant Googol, not Google.', 'Works at Googol'),
        ('I like tea. I love this city, I mean who does not', 'Likes tea'),
    ],
)
def test_a_slip_of_the_tongue_is_mended_where_it_was_made(text: str, fact: str) -> None:
    assert texts(text) == [fact]


def test_the_mended_fact_quotes_both_places() -> None:
    text = 'I live in Porto. Sorry, I meant Lisbon.'
    (p,) = propose(text)

    assert (p.value, [text[q.start : q.end] for q in p.evidence]) == (
        'Lisbon',
        ['I live in Porto', 'I meant Lisbon'],
    )


@pytest.mark.parametrize(
    'text',
    [
        'I live in Porto, sorry about the noise',
        'I like tea, wait, can you hear me',
        'I love hiking, no, really, who does not',
    ],
)
def test_a_slip_that_is_not_clear_leaves_nothing_wrong(text: str) -> None:
    assert all('sorry' not in said.lower() and 'wait' not in said.lower() for said in texts(text))


def test_a_repeated_statement_confirms_and_reports_nobody() -> None:
    assert texts('As I said, I live in Lisbon.') == ['Lives in Lisbon']
    assert texts('Like I told you, I work as a nurse.') == ['Works as a nurse']
    assert texts('As my boss said, I live in Lisbon.') == []


def test_a_correction_keeps_the_slot_and_its_value() -> None:
    (p,) = ask('I said Lisbon but I meant Porto', KNOWN)

    assert (p.slot, p.value) == ('home.city', 'Porto')


def test_what_was_meant_is_found_in_the_message_before() -> None:
    said = episode('I live in Porto')
    known = replace(
        memory('Lives in Porto', 'home.city', value='Porto'), evidence=(Evidence(said.id, 0, 15, said.text),)
    )
    other = memory('Works at Porto', 'work.employer', value='Porto')
    request = ExtractionRequest(messages=[episode('Sorry, I meant Lisbon')], previous=[said], existing=[other, known])

    (p,) = RulesExtractor().propose(request).proposals

    assert (p.op, p.text, p.value, p.target) == ('correct', 'Lives in Lisbon', 'Lisbon', known.id)
