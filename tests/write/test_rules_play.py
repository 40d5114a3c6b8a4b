"""Games, parts and texts for others: who speaks there isn't the speaker."""

from __future__ import annotations

import pytest

from _sayings import episode, texts
from memoranda.write.extract import ExtractionRequest
from memoranda.write.rules import RulesExtractor


def said(*messages: str, before: tuple[str, ...] = ()) -> list[str]:
    request = ExtractionRequest(
        messages=[episode(text) for text in messages], previous=[episode(text) for text in before]
    )
    return [p.text for p in RulesExtractor().propose(request).proposals]


BEGUN = [
    "Let's pretend I'm a dragon named Skarn.",
    "Let's roleplay! You're a bartender and I'm a detective.",
    "Can we do a mock interview? You're the hiring manager.",
    "You play the waiter, I'll be the customer",
    "Act as my patient. I'll be the doctor.",
    "Imagine I'm a knight in 1300.",
    'I want to play a text adventure game',
    "Let's play 20 questions.",
    'From now on stay in character, old wizard.',
]


@pytest.mark.parametrize('opening', BEGUN)
def test_a_part_is_played_until_it_is_called_off(opening: str) -> None:
    assert said(opening, 'I live in Tortuga and I hate trumpets.', 'My wife is called Matilda.') == []


@pytest.mark.parametrize('opening', BEGUN)
def test_a_part_taken_earlier_in_the_conversation_goes_on(opening: str) -> None:
    assert said('I hate trumpets.', before=(opening, 'I am hungry.')) == []


@pytest.mark.parametrize(
    'ending',
    [
        'ok, back to reality.',
        'Haha, enough role play.',
        "Let's stop pretending.",
        'The game is over.',
        'Out of character:',
        'Jokes aside,',
    ],
)
def test_what_comes_after_the_game_is_read(ending: str) -> None:
    assert said("Let's pretend I'm a dragon.", 'I hate trumpets.', f'{ending} I live in Porto.', "I'm vegan") == [
        'Lives in Porto',
        'Is vegan',
    ]


def test_what_was_said_before_the_game_is_read() -> None:
    assert said("I live in Porto. Let's pretend I'm a dragon. I live in Mordor.") == ['Lives in Porto']


@pytest.mark.parametrize(
    'text',
    [
        "I'm a nurse. You are a good assistant.",
        'I love role-play games',
        'I have an interview on Friday',
        'I run a game studio',
    ],
)
def test_talk_about_games_begins_none(text: str) -> None:
    assert said(text, 'I live in Porto.')[-1] == 'Lives in Porto'


@pytest.mark.parametrize(
    'text',
    [
        '*Skarn yawns* I live under the hills and I loathe trumpets.',
        "Here's my cover letter:\nI'm a nurse from Leeds. I love working with people.",
        "here's my test data\n\nname: Bob Miller\ncity: Paris\ndiet: vegan",
        'I have keys but open no locks. I live in a box. What am I?',
        'Forwarded message\nFrom: Bob\nTo: me\n\nI live in Rome and I love jazz.',
        'From: bob@x.com\nTo: me\nSubject: hi\n\nI live in Rome.',
        'My poem goes like this:\n\nI live in the north\nI love snow',
        "My character's bio:\n\nI'm Lena. I live in Hamburg. I hate rain.",
        "Can you reply to this? Hi, I'm Tom and I live in Leeds.",
        "Write me a dating profile: I'm 34, I love hiking",
        "prompt: You are a chef. I'm a food critic and I hate garlic.",
        'Two truths and a lie: I speak Finnish. I live in Bergen.',
        "I'm writing a story. I live in Prague and I hate garlic.",
        "draft for the website: We're a small bakery in Leeds. We love bread.",
        "asking for a friend: I'm 45 and I have diabetes",
        'shell: bash\nos: linux',
        'Allergies: none known',
        'Likes: 1200 shares',
    ],
)
def test_a_text_that_is_not_the_speakers_says_nothing_of_them(text: str) -> None:
    assert [fact for fact in texts(text) if not fact.startswith('Is writing')] == []


@pytest.mark.parametrize('text', ['*a b ' * 4000, 'I live in Rome' + '\n' * 20_000, 'pretend. back to reality. ' * 800])
def test_a_long_text_is_read_in_linear_time(text: str) -> None:
    assert len(said(text)) <= 1
