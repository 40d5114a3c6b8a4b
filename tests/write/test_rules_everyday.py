"""Plain things people say of their days, and what is near to them."""

from __future__ import annotations

import pytest

from _sayings import changes, memory, texts


@pytest.mark.parametrize(
    ('text', 'fact'),
    [
        ('My commute is 40 minutes by train', 'Commute is 40 minutes by train'),
        ('I cycle to work', 'Cycles to work'),
        ('I teach physics at a school in Bath', 'Teaches physics at a school in Bath'),
        ('I fix bikes for a living', 'Fixes bikes for a living'),
        ("I've never been to Asia", 'Has never been to Asia'),
        ("I haven't got a driving licence", 'Has no driving licence'),
        ('I have no car so I take the bus', 'Has no car'),
        ('Long meetings bore me to death', 'Dislikes Long meetings'),
        ("Python's my go-to language these days", 'Go-to language is Python'),
        ('My main machine is a Framework laptop', 'Main machine is a Framework laptop'),
        ("I've had asthma since I was six", 'Has asthma'),
        ("I'm prepping for the CKA exam", 'Is prepping for the CKA exam'),
        ("We don't use Docker here", "Doesn't use Docker"),
        ("Can't stand mushrooms", "Can't stand mushrooms"),
        ('Been living in Oslo since May', 'Lives in Oslo'),
        ('Saving for a house', 'Is saving for a house'),
        ('When you give me recipes use grams please', 'When you give me recipes, use grams'),
        ("I'm Ana, she/her", 'Pronouns are she/her'),
    ],
)
def test_a_plain_statement_is_read(text: str, fact: str) -> None:
    assert texts(text) == [fact]


@pytest.mark.parametrize(
    'text',
    [
        'My commute is awful',
        'I could walk to work',
        'I teach you at night',
        'I wish I fixed bikes for a living',
        "I've never been to therapy",
        "I haven't got time",
        'I have no idea',
        'That bores me to death',
        'That is my go-to',
        'My work laptop is a mess',
        "I've had a bad day since this morning",
        "I'm prepping dinner",
        "I don't use Docker",
        "Can't stand it",
        "He can't stand mushrooms",
        'Cannot stand people who lie',
        'Saving for a house is hard',
        'Would you like mushrooms? Saving for later?',
        'I got my certificate wrong',
        'When you give me the file use gzip',
        'When you write the function, use recursion',
    ],
)
def test_what_is_near_to_it_is_not(text: str) -> None:
    assert texts(text) == []


def test_a_mistaken_word_is_corrected_by_who_never_said_it() -> None:
    assert changes("I never said nurse, I'm a midwife.", [memory('Works as a nurse', 'work.title', value='nurse')]) == [
        ('correct', 'Works as a midwife', 'Works as a nurse')
    ]


def test_a_misspelt_name_of_a_child_is_corrected() -> None:
    known = [memory('Has a daughter named Mila', kind='relationship')]
    assert changes("My daughter's name is Milla, with two l's", known) == [
        ('correct', 'Daughter is called Milla', 'Has a daughter named Mila')
    ]


def test_what_is_given_up_on_is_retracted() -> None:
    known = [memory('Is learning to play the ukulele', kind='goal')]
    assert ('retract', '', 'Is learning to play the ukulele') in changes('I gave up on the ukulele in the end', known)
