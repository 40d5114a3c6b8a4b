"""Forms of plain statements: names, ages, shared copulas, what holds today, answers, tags, spelling."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import pytest

from _sayings import BASE, ask, changes, episode, memory, propose, texts
from memoranda.records import WORKSPACE_TAG
from memoranda.write.extract import ExtractionRequest
from memoranda.write.rules import RulesExtractor
from memoranda.write.rules.words import WORKSPACE


@pytest.mark.parametrize(
    ('text', 'name'),
    [
        ("Hi! I'm Maya", 'Maya'),
        ("Hello there! I'm Zoë.", 'Zoë'),
        ("Good morning! I'm Ana Sousa.", 'Ana Sousa'),
        ("I'm Zed and I love chess", 'Zed'),
        ("Hi, I'm Zed, nice to meet you", 'Zed'),
        ("Hey! I'm Zed and I work as a nurse", 'Zed'),
    ],
)
def test_who_greets_or_goes_on_says_a_name(text: str, name: str) -> None:
    assert [(p.slot, p.value) for p in propose(text) if p.slot == 'name'] == [('name', name)]


@pytest.mark.parametrize(
    'text',
    [
        "I'm German and I love chess",
        "I'm Catholic and I love chess",
        "I'm Aries and I love chess",
        "Hi! I'm Dutch",
        "Hi! I'm Back",
        "I'm Zed",
        "The build is broken. I'm Zed and I love chess",
        "I'm INFJ and I love chess",
        "I'm done and I love it",
        "She said hi. I'm Maya, she said.",
    ],
)
def test_other_capitals_are_no_names(text: str) -> None:
    assert [p for p in propose(text) if p.slot == 'name'] == []


def test_a_second_name_is_not_believed_without_being_asked_for() -> None:
    assert [p.slot for p in ask("I'm Batman and I love chess", [memory('Name is Ana', 'name')])] == [None]


@pytest.mark.parametrize(
    ('text', 'value', 'since'),
    [
        ("I'm 34", '34', None),
        ("I'm 34 years old", '34', None),
        ('My age is 34', '34', None),
        ('I just turned 35', '35', None),
        ('I turned 35 yesterday', '35', datetime(2023, 5, 7, tzinfo=UTC)),
    ],
)
def test_an_age_holds_for_a_year(text: str, value: str, since: datetime | None) -> None:
    (p,) = propose(text)

    assert (p.slot, p.value, p.valid_from) == ('age', value, since)
    assert p.valid_to is not None
    assert (p.valid_to - (since or BASE)).days == 365


@pytest.mark.parametrize(
    'text', ['I turned 30 in 2019', "I'm 5 minutes late", "I'm turning 40 soon", 'I turned 18 when I met her']
)
def test_an_age_of_the_past_is_no_age(text: str) -> None:
    assert 'age' not in [p.slot for p in propose(text)]


@pytest.mark.parametrize(
    ('text', 'facts'),
    [
        ("Just so you know, I'm vegetarian and lactose intolerant.", ['Is vegetarian', 'Is lactose intolerant']),
        ("I'm Dutch and vegan", ['Is Dutch', 'Is vegan']),
        ("I'm 34 and single", ['Is 34 years old', 'Is single']),
        ("I'm a nurse and a night owl", ['Works as a nurse', 'Is a night owl']),
        ("I'm a Finnish citizen living in Athens.", ['Is a Finnish citizen', 'Lives in Athens']),
        ("I'm diabetic, so keep the recipes low in sugar.", ['Is diabetic']),
        ("I'm 34 and live in Utrecht", ['Is 34 years old', 'Lives in Utrecht']),
        ('I have a dog and two cats', ['Has a dog', 'Has two cats']),
        ('We have two cats, Miso and Tofu.', ['Has two cats called Miso and Tofu']),
        ('Tom is my brother', ['Brother is called Tom']),
        ("I've played the cello since I was six", ['Plays the cello']),
    ],
)
def test_what_shares_a_verb_is_said_apart(text: str, facts: list[str]) -> None:
    assert texts(text) == facts


@pytest.mark.parametrize(
    ('text', 'facts'),
    [
        ("I'm fluent in French and German", ['Speaks French and German']),
        ("I'm learning French and Spanish", ['Is learning French and Spanish']),
        ("I'm allergic to dogs and cats", ['Is allergic to dogs and cats']),
        ("I'm not vegan and lactose intolerant", []),
        ("I'm into Korean and Japanese food", ['Is into Korean and Japanese food']),
    ],
)
def test_one_thing_of_two_words_is_not_taken_apart(text: str, facts: list[str]) -> None:
    assert texts(text) == facts


BRIEF = """
I'm vegan today
I can't eat dairy this week
I live in Berlin this week
I'm on a keto diet this week
I prefer short answers today
I don't drink coffee today
Today I prefer tea
I only eat fruit today
I'm using Windows today
I work from home this week
"""


@pytest.mark.parametrize('text', BRIEF.strip().splitlines())
def test_what_holds_today_is_never_kept_for_good(text: str) -> None:
    assert {p.level for p in propose(text)} <= {'run'}
    assert propose(text, run_id=None) == []


@pytest.mark.parametrize('text', ['I quit my job today', 'I moved to Berlin this week', 'I became vegan this week'])
def test_what_began_today_lasts(text: str) -> None:
    assert [p.level for p in propose(text)] != []
    assert {p.level for p in propose(text)} == {None}


@pytest.mark.parametrize(
    ('asked', 'text', 'facts'),
    [
        ('So you live in Toulouse, right?', 'Exactly, for ten years now.', ['Lives in Toulouse']),
        ('Do you live in Toulouse?', 'Yes.', ['Lives in Toulouse']),
        ("You're vegetarian, correct?", "That's right", ['Is vegetarian']),
        ('Are you allergic to nuts?', 'Yes, I am', ['Is allergic to nuts']),
        ("Good to know. Do I understand correctly that you're left-handed?", 'Yep!', ['Is left-handed']),
        ('Your birthday is 5 May, right?', 'Correct', ['Birthday is 5 May']),
        ('Do you live in Toulouse or in Nice?', 'Yes.', []),
        ('Do you live in Toulouse?', 'No.', []),
        ('Do you live in Toulouse?', 'Yes, but why do you ask?', []),
        ('Do you want to learn Spanish?', 'Yes', []),
        ('Would you like to live in Toulouse?', 'Yes', []),
        ('Do you like it?', 'Yes', []),
        ('Are you ready? Do you live in Toulouse?', 'Yes', []),
        ('I live in Toulouse.', 'Yes', []),
        ('Does your sister live in Toulouse?', 'Yes', []),
    ],
)
def test_a_plain_yes_states_what_was_asked(asked: str, text: str, facts: list[str]) -> None:
    assert [said for _, said, _ in changes(text, [], asked=asked)] == facts


def test_a_yes_quotes_the_users_own_word() -> None:
    text = 'Exactly, for ten years now.'
    (p,) = ask(text, asked='So you live in Toulouse, right?')

    assert text[p.evidence[0].start : p.evidence[0].end] == 'Exactly, for ten years now'
    assert p.valid_from is not None
    assert p.valid_from.year == 2013


def test_a_yes_to_another_user_states_nothing() -> None:
    messages = [episode('Do you live in Toulouse?', name='Bob'), episode('Yes', name='Ana')]

    assert list(RulesExtractor().propose(ExtractionRequest(messages=messages)).proposals) == []


@pytest.mark.parametrize(
    ('text', 'confirmed'),
    [
        ('Still vegetarian, by the way.', ['Is vegetarian']),
        ('Still live in Graz', ['Lives in Graz']),
        ('Yes, still living in Graz', ['Lives in Graz']),
        ('Still not working', []),
        ('Still broken, by the way', []),
        ('Still vegan', []),
        ('Still vegetarian?', []),
    ],
)
def test_what_still_holds_is_confirmed_where_it_is_known(text: str, confirmed: list[str]) -> None:
    known = [memory('Is vegetarian', 'diet'), memory('Lives in Graz', 'home.city')]

    assert [target for op, _, target in changes(text, known) if op == 'confirm'] == confirmed


TOOLS = """
I use Neovim
I use `uv` for packaging
I code in Rust
My browser is Firefox
Our backend is written in Go
My team uses Go
We deploy everything with Terraform on AWS
I'm using the Singapore region
"""


@pytest.mark.parametrize('text', TOOLS.strip().splitlines())
def test_what_one_works_with_is_tagged(text: str) -> None:
    assert propose(text)
    assert {p.tags for p in propose(text)} == {(WORKSPACE,)}


def test_the_tag_is_the_one_that_a_reset_looks_for() -> None:
    assert WORKSPACE == WORKSPACE_TAG


@pytest.mark.parametrize('text', ["I'm building a chess engine", 'I drive a Tesla', 'I love tea', 'I live in Lisbon'])
def test_other_facts_have_no_tag(text: str) -> None:
    assert [p.tags for p in propose(text)] == [()]


@pytest.mark.parametrize(
    'text', ['my favorite color is green', 'My favourite colour is green', 'favorite_color = green']
)
def test_both_spellings_fill_one_slot(text: str) -> None:
    assert [(p.slot, p.value) for p in propose(text)] == [('favourite.colour', 'green')]


@pytest.mark.parametrize(
    'text',
    ['My name is José Muñoz. I love crème brûlée.', 'Ich heiße Jürgen und ich wohne in Köln', 'Je suis végétarienne'],
)
def test_a_decomposed_message_is_read_and_quoted_as_it_is_stored(text: str) -> None:
    decomposed = unicodedata.normalize('NFD', text)

    found = propose(decomposed)

    assert [p.text for p in found] == texts(text)
    for p, plain in zip(found, propose(text), strict=True):
        quoted = decomposed[p.evidence[0].start : p.evidence[0].end]
        assert unicodedata.normalize('NFC', quoted) == text[plain.evidence[0].start : plain.evidence[0].end]


@pytest.mark.parametrize(
    ('text', 'fact'),
    [
        ("I can't spend more than 900 euros on the new laptop.", "Can't spend more than 900 euros on the new laptop"),
        ("I don't own a car", "Doesn't own a car"),
        ('I want to get fitter.', 'Wants to get fitter'),
        ('I always want an aisle seat.', 'Always wants an aisle seat'),
        ('My thesis is about octopus camouflage', 'Thesis is about octopus camouflage'),
        ('Weekends are for my hobby: I restore old mechanical typewriters.', 'Restores old mechanical typewriters'),
        ('As a hobby I restore typewriters', 'Restores typewriters'),
        ("I'm afraid of heights", 'Is afraid of heights'),
        ('I got engaged last week', 'Is engaged'),
        ('My parents live in Ghent', 'Parents live in Ghent'),
        ('My sister moved to Rome', 'Sister moved to Rome'),
        ('My blood type is AB', 'Blood type is AB'),
        ('Call me Sasha, nobody says Alexandra.', 'Call the user Sasha'),
        ('Write all code in TypeScript', 'Write all code in TypeScript'),
        ("Explain things like I'm five", 'Explain things like the user is five'),
        ('I want short answers', 'Wants short answers'),
        ("Please don't use the word delve", "Don't use the word delve"),
        ('When I ask for a recipe, give metric amounts', 'When the user asks for a recipe, give metric amounts'),
        ('Always start with a summary', 'Always start with a summary'),
        ('Ask before you delete anything.', 'Ask before you delete anything'),
        ('Give temperatures in Celsius.', 'Give temperatures in Celsius'),
        ("I'm type 1 diabetic.", 'Is type 1 diabetic'),
        ("I haven't eaten meat for three years.", "Hasn't eaten meat since around 2020"),
        ('My goal is to read 50 books this year.', 'Goal is to read 50 books in 2023'),
        ('I write mostly Python.', 'Writes Python'),
        ("I'm a software developer, mostly Go and Kubernetes.", 'Works as a software developer'),
        ("I'm now the head of marketing.", 'Works as head of marketing'),
        ("I'm 1.90 m tall.", 'Height is 1.90 m'),
        ('I take my coffee black.', 'Takes their coffee black'),
        ('I collect stamps.', 'Collects stamps'),
        ('I sing in a choir.', 'Sings in a choir'),
        ('I use a wheelchair.', 'Uses a wheelchair'),
    ],
)
def test_more_forms_are_read(text: str, fact: str) -> None:
    assert texts(text) == [fact]


@pytest.mark.parametrize(
    'text',
    [
        'I always want to cry',
        'I always want more',
        'I always pick the wrong one',
        'Run all tests',
        'Delete all files in this folder',
        'Write all code for this',
        'When you write the function, use recursion',
        "I can't spend more than that",
        "I'm afraid of losing it",
        'My book is on the table',
        "don't forget my birthday",
        'I use the European version of the word',
        'Is Tom my brother?',
        'I want answers to these questions',
        'I collect logs',
        'I collect the errors',
        'I dance around the topic',
        "I haven't eaten anything since breakfast",
        "I haven't had a drink for two days",
        'I write mostly at night',
        "I'm 5 tall",
        'Explain this like I am five',
    ],
)
def test_what_is_near_to_them_is_not(text: str) -> None:
    assert texts(text) == []


def test_an_instruction_for_this_conversation_stays_there() -> None:
    for text, fact in (
        (
            'For this session we only touch the billing module, leave everything else alone.',
            'Only touch the billing module',
        ),
        ("Okay, for the rest of this chat let's do Spanish instead of French.", 'Answer in Spanish'),
        ('In this chat speak German please', 'Answer in German'),
    ):
        assert [(p.text, p.level) for p in propose(text)] == [(fact, 'run')]
