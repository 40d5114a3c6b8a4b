"""What is to be forgotten, what is over, and when a set-up is reset."""

from __future__ import annotations

import pytest

from _sayings import ask, changes, ended, memory, texts

KNOWN = [
    memory('Lives in Lisbon', 'home.city'),
    memory('Name is Ana Sousa', 'name'),
    memory('Is 34 years old', 'age'),
    memory('Works at Siemens', 'work.employer'),
    memory('Favourite colour is green', 'favourite.colour'),
    memory('Birthday is 5 May', 'birthday'),
    memory('Girlfriend is called Noor', 'relationship.partner', kind='relationship'),
    memory('Wants no emojis in answers', kind='instruction'),
    memory('Answer in French', 'language.answer', kind='instruction'),
    memory('Call the user Sasha', 'name.preferred', kind='instruction'),
    memory('Has a car'),
    memory('Is allergic to cats', kind='constraint'),
    memory('Likes green tea', kind='preference'),
    memory('Wants to learn Italian', kind='goal'),
    memory('Studies law'),
]


@pytest.mark.parametrize(
    ('text', 'target'),
    [
        ('Forget where I live, please.', 'Lives in Lisbon'),
        ('please forget my address', 'Lives in Lisbon'),
        ('Forget my age', 'Is 34 years old'),
        ('Forget how old I am.', 'Is 34 years old'),
        ('You can forget where I work', 'Works at Siemens'),
        ('Forget my favorite color', 'Favourite colour is green'),
        ('Delete my birthday from your memory', 'Birthday is 5 May'),
        ("Don't remember my birthday", 'Birthday is 5 May'),
        ('Forget what I told you about green tea', 'Likes green tea'),
        ('Forget that I like green tea', 'Likes green tea'),
        ("Good news from the doctor: I'm no longer allergic to cats.", 'Is allergic to cats'),
        ('Noor and I broke up.', 'Girlfriend is called Noor'),
        ('Noor and I split up last month', 'Girlfriend is called Noor'),
        ('I broke up with Noor', 'Girlfriend is called Noor'),
        ('My girlfriend and I have separated', 'Girlfriend is called Noor'),
        ('We broke up', 'Girlfriend is called Noor'),
        ("You can use emojis again, I don't mind them any more.", 'Wants no emojis in answers'),
        ('Feel free to use emojis again', 'Wants no emojis in answers'),
        ('Emojis are fine again', 'Wants no emojis in answers'),
        ("You don't have to answer in French any more", 'Answer in French'),
        ('You can stop answering in French', 'Answer in French'),
        ("Don't call me Sasha any more", 'Call the user Sasha'),
        ('I sold my car', 'Has a car'),
        ('We got rid of the car', 'Has a car'),
        ("I've given up on learning Italian", 'Wants to learn Italian'),
        ('I changed my mind about learning Italian', 'Wants to learn Italian'),
        ("I'm not learning Italian any more", 'Wants to learn Italian'),
        ('I dropped out of university', 'Studies law'),
    ],
)
def test_what_is_over_or_to_be_forgotten_is_retracted(text: str, target: str) -> None:
    assert ended(text, KNOWN) == [target]


@pytest.mark.parametrize(
    'text',
    [
        'Never forget where I live',
        "Don't forget where I live",
        'Did you forget where I live?',
        'What if I forget where I live?',
        'I forget where I live sometimes',
        'Forget where the file is',
        'Forget my last message',
        'Forget it',
        'delete my name from the document',
        'Delete where I live from the form',
        'Remove my car from the picture',
        'Noor and Tom broke up',
        'Tom and I broke up',
        'Noor and I broke up the monologue',
        'Did Noor and I break up?',
        "If Noor and I broke up, I'd move",
        'In my dream Noor and I broke up',
        'You can use emojis in the commit message',
        'Can I use emojis again?',
        'Emojis are fine',
        'My dad sold my car',
        'I want to sell my car',
        'I almost sold my car',
        "I sold my car's radio",
        "My doctor says I'm no longer allergic to cats",
        'I changed my mind about the button',
        'We are no longer together in the same office.',
        'I got fired up',
    ],
)
def test_what_only_sounds_so_retracts_nothing(text: str) -> None:
    assert ended(text, KNOWN) == []


RESETS = """
Reset my workspace
Please reset my workspace.
I've changed my whole setup, forget the tools I use
New job, new stack: forget my old setup
I switched companies, so forget my old stack please
Forget everything about my setup
forget what tools I use
We moved to a new stack. Forget my old tools.
Forget my whole tech stack and start from scratch
"""


@pytest.mark.parametrize('text', RESETS.strip().splitlines())
def test_a_new_setup_resets_the_workspace(text: str) -> None:
    (p,) = ask(text)

    assert (p.op, p.text, p.target) == ('reset', '', None)
    assert text[p.evidence[0].start : p.evidence[0].end]


@pytest.mark.parametrize(
    'text',
    [
        'how do I reset my workspace in VS Code?',
        'How do I reset my workspace?',
        'Can you reset my workspace?',
        'Reset my workspace in VS Code',
        'reset my password',
        'reset the database',
        'Reset my environment variables',
        "Don't reset my workspace",
        "don't forget my setup",
        'I forgot my old setup',
        'I always forget my tools',
        'If it crashes, reset my workspace',
        'When I say so, reset my workspace',
        'My boss said: reset my workspace',
        '"reset my workspace" is what she typed',
        'To fix it, reset my workspace',
        "I've changed my whole setup",
        'Should I forget my old setup?',
        'You should never forget my tools',
    ],
)
def test_asking_about_a_reset_is_none(text: str) -> None:
    assert 'reset' not in [p.op for p in ask(text, KNOWN)]


@pytest.mark.parametrize(
    ('text', 'left'),
    [
        ('I prefer tabs. Scrap that, I prefer spaces.', ['Prefers spaces']),
        ('I live in Porto. Scratch that. I live in Braga.', ['Lives in Braga']),
        ('I love olives. I take that back.', []),
        ('I like tea. I love olives. Strike that.', ['Likes tea']),
        ('I love olives. Forget what I just said.', []),
        ('I love olives. Scrap that idea for the logo.', ['Loves olives']),
        ('I love olives. That was a joke we scrapped.', ['Loves olives']),
    ],
)
def test_the_sentence_before_is_taken_back(text: str, left: list[str]) -> None:
    assert texts(text) == left


def test_what_another_fact_of_the_message_replaces_is_not_retracted_as_well() -> None:
    assert changes("I no longer work at Siemens, I'm at a startup called Helio Labs now.", KNOWN)[-1] == (
        'add',
        'Works at a startup called Helio Labs',
        '',
    )
    assert ended("I no longer work at Siemens, I'm at a startup called Helio Labs now.", KNOWN) == []
