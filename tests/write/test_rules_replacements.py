"""Changes of mind: one thing takes the place of another, opinions turn, and old habits come back."""

from __future__ import annotations

import pytest

from _sayings import ask, changes, memory

WORK = [memory('Works at Siemens', 'work.employer'), memory('Works as a junior accountant', 'work.title')]


def facts(text: str, known: list[tuple[str, str | None]] | None = None) -> list[tuple[str, str, str]]:
    return changes(text, [memory(words, slot) for words, slot in known or []])


@pytest.mark.parametrize(
    ('text', 'slot', 'value'),
    [
        ("I left Siemens, I'm at a startup called Helio Labs now.", 'work.employer', 'Helio Labs'),
        ('I quit Siemens and I joined Helio Labs', 'work.employer', 'Helio Labs'),
        ("I left Siemens and I'm at Zalando now", 'work.employer', 'Zalando'),
        ('I joined Zalando as a data engineer', 'work.employer', 'Zalando'),
        ('I got hired by Zalando as a data engineer', 'work.employer', 'Zalando'),
        ("I've started working at Zalando", 'work.employer', 'Zalando'),
        ('My new job is at Zalando', 'work.employer', 'Zalando'),
        ('Guess what, they made me senior accountant yesterday!', 'work.title', 'senior accountant'),
        ('My boss promoted me to team lead', 'work.title', 'team lead'),
        ("I've been promoted to team lead", 'work.title', 'team lead'),
        ('I was appointed head of sales', None, None),
        ("I'm team lead now", 'work.title', 'team lead'),
    ],
)
def test_a_new_job_fills_its_slot(text: str, slot: str | None, value: str | None) -> None:
    found = {(p.slot, p.value) for p in ask(text, WORK) if p.op == 'add'}

    assert slot is None or (slot, value) in found


@pytest.mark.parametrize(
    'text',
    [
        'I left Siemens a message',
        'If I left Siemens, who would hire me?',
        'I might leave Siemens',
        'My brother left Siemens',
        'He said I left Siemens',
        'I left London early',
        "I'm at Heathrow now",
        "I'm at Starbucks now",
        'I joined Netflix',
        'They made me laugh',
        'They made me redo it now',
        "I'm so happy now",
        "I'm ready now",
        'They wanted to make me team lead',
        'I almost joined Zalando as a data engineer',
    ],
)
def test_leaving_and_joining_other_things_is_no_work(text: str) -> None:
    assert [p for p in ask(text, WORK) if p.op == 'retract' or (p.slot or '').startswith('work')] == []


@pytest.mark.parametrize(
    ('before', 'text', 'after'),
    [
        ('Loves coffee', 'I hate coffee', 'Hates coffee'),
        ('Hates coffee', 'I love coffee', 'Loves coffee'),
        ('Likes olives', "I can't stand olives", "Can't stand olives"),
        ('Dislikes olives', 'I enjoy olives', 'Enjoys olives'),
        ('Prefers tea', 'I hate tea', 'Hates tea'),
        ('Hates tea', 'I prefer tea', 'Prefers tea'),
        ("Doesn't like jazz", "I'm into jazz", 'Is into jazz'),
        ('Is into jazz', "I don't like jazz", "Doesn't like jazz"),
        ('Hates jazz', "I've come to like jazz", 'Likes jazz'),
        ('Loves coffee', 'I used to love coffee but now I hate it', 'Hates coffee'),
        ('Hates olives', 'I used to hate olives, but now I love them', 'Loves olives'),
        ('Eats meat', "I don't eat meat", "Doesn't eat meat"),
    ],
)
def test_the_older_opinion_is_superseded_both_ways(before: str, text: str, after: str) -> None:
    assert facts(text, [(before, None)]) == [('supersede', after, before)]


@pytest.mark.parametrize(
    'text',
    [
        'I hate coffee ads',
        'I hate coffee after 9pm',
        'My sister hates coffee',
        "I'd hate coffee if it were cold",
        'Do I hate coffee?',
        'I hate coffee, just kidding',
        'I hate it when coffee is cold',
    ],
)
def test_another_opinion_leaves_the_first_alone(text: str) -> None:
    assert [op for op, _, target in facts(text, [('Loves coffee', None)]) if target] == []


@pytest.mark.parametrize(
    ('before', 'text', 'after'),
    [
        ("Doesn't drink coffee", "I've gone back to drinking coffee", 'Drinks coffee again'),
        ("Doesn't drink coffee", "I've gone back to coffee", 'Drinks coffee again'),
        ('No longer eats meat', "I'm eating meat again", 'Eats meat again'),
        ('Never eats fish', 'I eat fish again', 'Eats fish again'),
        ('Quit smoking', 'I started smoking again', 'Smokes again'),
        (
            'Drinks coffee every morning',
            "I don't drink coffee these days, I've gone over to green tea.",
            'Drinks green tea',
        ),
        (
            'Wants to learn Italian',
            'Change of plan: instead of Italian I want to learn Portuguese.',
            'Wants to learn Portuguese',
        ),
        ('Wants to learn Italian', 'I want to learn Portuguese instead of Italian', 'Wants to learn Portuguese'),
        ('Uses Postman', 'I ditched Postman for Bruno', 'Switched to Bruno'),
        ('Uses Docker', 'I replaced Docker with Podman', 'Switched to Podman'),
    ],
)
def test_what_comes_back_or_takes_a_place_supersedes(before: str, text: str, after: str) -> None:
    assert ('supersede', after, before) in facts(text, [(before, None)])


@pytest.mark.parametrize(
    ('text', 'slot', 'value'),
    [
        ('Zed is my editor now', 'editor.preferred', 'Zed'),
        ('Helix is now my main editor', 'editor.preferred', 'Helix'),
        ('Rust is my language of choice', 'language.programming.preferred', 'Rust'),
        ('I went back to Vim', 'editor.preferred', 'Vim'),
    ],
)
def test_a_new_tool_fills_its_slot(text: str, slot: str, value: str) -> None:
    assert [(p.slot, p.value) for p in ask(text)] == [(slot, value)]


@pytest.mark.parametrize(
    'text',
    [
        'I went back to bed',
        "I've gone back to the drawing board",
        "I'm back to square one",
        "I'm back on track",
        'I eat out again',
        'I went back to NYC',
        'Instead of a list I want a table',
        'I want a table instead of a list',
        'Is Zed my editor now?',
        'If Zed is my editor now, what changes?',
        'I could go back to drinking coffee',
    ],
)
def test_going_back_elsewhere_says_nothing(text: str) -> None:
    assert ask(text) == []


def test_a_diet_that_ended_is_replaced_by_the_next() -> None:
    known = [memory('Is vegan', 'diet')]

    said = changes("I'm not vegan any more, I eat fish again. So pescatarian, I guess.", known)

    assert ('add', 'Is pescatarian', '') in said
    assert 'retract' not in [op for op, _, _ in said]
