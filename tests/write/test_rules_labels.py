"""Lines of a name and a value."""

from __future__ import annotations

import pytest

from _sayings import ask, changes, memory, propose, texts


@pytest.mark.parametrize(
    ('text', 'fact', 'slot', 'value'),
    [
        ('Timezone: Europe/Lisbon', 'Time zone is Europe/Lisbon', 'timezone', 'Europe/Lisbon'),
        ('my time zone is CET', 'Time zone is CET', 'timezone', 'CET'),
        ('timezone = UTC+2', 'Time zone is UTC+2', 'timezone', 'UTC+2'),
        ('favorite_color = green', 'Favourite color is green', 'favourite.colour', 'green'),
        ('Favourite colour: green', 'Favourite colour is green', 'favourite.colour', 'green'),
        ('- diet: vegan', 'Diet is vegan', 'diet', 'vegan'),
        ('* **Diet**: vegan', 'Diet is vegan', 'diet', 'vegan'),
        ('Pronouns: they/them', 'Pronouns are they/them', 'pronouns', 'they/them'),
        ('My name: Ingrid Solberg', 'Name is Ingrid Solberg', 'name', 'Ingrid Solberg'),
        ('editor: Helix', 'Editor is Helix', 'editor.preferred', 'Helix'),
        ('shell: fish', 'Shell is fish', 'shell.preferred', 'fish'),
        ('Birthday: 5 May', 'Birthday is 5 May', 'birthday', '5 May'),
        ('Occupation: nurse', 'Works as nurse', 'work.title', 'nurse'),
        (
            'Preferred language: Rust',
            'Preferred programming language is Rust',
            'language.programming.preferred',
            'Rust',
        ),
        ('Shoe size: 42', 'Shoe size is 42', 'shoe.size', '42'),
    ],
)
def test_a_line_of_the_speakers_own_fills_its_slot(text: str, fact: str, slot: str, value: str) -> None:
    assert [(p.text, p.slot, p.value) for p in propose(text)] == [(fact, slot, value)]


def test_a_block_says_as_much_as_it_has_lines() -> None:
    text = 'Name: Ingrid Solberg\nPronouns: she/her\nEmployer: Equinor\nDiet: vegan\nAllergies: peanuts, shellfish'

    found = propose(text)

    assert [p.text for p in found] == [
        'Name is Ingrid Solberg',
        'Pronouns are she/her',
        'Works at Equinor',
        'Diet is vegan',
        'Is allergic to peanuts',
        'Is allergic to shellfish',
    ]
    assert [text[p.evidence[0].start : p.evidence[0].end] for p in found[:2]] == [
        'Name: Ingrid Solberg',
        'Pronouns: she/her',
    ]


@pytest.mark.parametrize('head', ['About me:', 'Hi!', 'My settings:', 'For my profile:', 'Here are my details:'])
def test_a_heading_says_whose_it_is(head: str) -> None:
    assert texts(f'{head}\nName: Ana\nCity: Lisbon\n\nWhat should I cook tonight?') == [
        'Name is Ana',
        'Lives in Lisbon',
    ]


def test_a_new_value_takes_the_place_of_the_old_one_by_its_slot() -> None:
    known = [memory('Timezone is America/Chicago', 'timezone')]

    assert changes('timezone: America/Denver', known) == [('add', 'Time zone is America/Denver', '')]
    assert [p.slot for p in ask('timezone: America/Denver', known)] == ['timezone']


@pytest.mark.parametrize(
    'text',
    [
        'Name: Bob',
        'Title: My summer in Rome',
        'name = Bob',
        'city = Paris',
        'name: myapp\nversion: 1.0',
        'Name: John Smith\nSubject: Hello',
        'Name: John Smith\nEmail: john@example.org',
        'My nginx config is below, why do I get a 502?\nworker_processes: 4\nlisten: 8080\nserver_name: example.org',
        'Fix this YAML:\neditor: vim\nshell: bash',
        'editor: vim\nshell: bash\n\nWhy does this config fail?',
        'Parse the following\nName: Ana\nDiet: vegan',
        'Customer:\nName: Ana\nDiet: vegan',
        'My character:\nName: Zed\nDiet: vegan',
        '```\neditor: vim\n```',
        'editor: "vim",',
        'editor: <your editor>',
        'Timezone: unknown',
        'Timezone: string',
        'Diet: ?',
        'Age: n/a',
        'favorite_color = "green";',
        'User: I am vegan',
        'Alice: diet vegan',
        'diet: whatever the doctor says is best for me',
        'https://example.org/?timezone=UTC',
        'Ana: vegan\nBen: vegetarian',
    ],
)
def test_lines_of_anybody_or_anything_else_are_no_facts(text: str) -> None:
    assert texts(text) == []
