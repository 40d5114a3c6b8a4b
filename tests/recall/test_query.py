from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoranda.recall.query import analyse

NOW = datetime(2024, 3, 1, tzinfo=UTC)
PEOPLE = ('Caroline', 'Melanie')


@pytest.mark.parametrize(
    ('asked', 'rewritten'),
    [
        ('When did Caroline go to the support group?', 'When did I go to the support group?'),
        ('Where does Melanie live?', 'Where do I live?'),
        ("Where does Melanie's son live?", 'Where does my son live?'),
        ('What is Caroline’s identity?', 'What is my identity?'),
        ('Is Caroline married?', 'Am I married?'),
        ('What has Melanie painted?', 'What have I painted?'),
        ('What inspired Melanie to paint?', 'What inspired me to paint?'),
        ('what did caroline research', 'what did I research'),
        ('caroline hobbies', 'my hobbies'),
        ('What did Carolines do?', 'What did Carolines do?'),
    ],
)
def test_a_question_about_a_speaker_is_put_in_the_first_person(asked, rewritten):
    query = analyse(asked, speakers=PEOPLE, now=NOW)
    assert query.dense_text_first_person == rewritten
    assert query.text == query.dense_text == asked


@pytest.mark.parametrize(
    ('asked', 'rewritten'),
    [
        ("What is the user's name?", 'What is my name?'),
        ('user name', 'my name'),
        ('What does the user like?', 'What do I like?'),
        ('where does she live?', 'where do I live?'),
        ('does he like her dog', 'do I like my dog'),
        ('What did she say to Anna?', 'What did she say to Anna?'),
        ('where does my sister live, is she happy?', 'where does my sister live, is she happy?'),
        ('where do I live?', 'where do I live?'),
    ],
)
def test_the_user_is_the_first_person_of_what_was_said_and_remembered(asked, rewritten):
    query = analyse(asked, now=NOW)
    assert query.dense_text_first_person == query.dense_text == rewritten


def test_a_pronoun_stays_when_it_may_be_one_of_several_speakers():
    assert analyse('where does she live?', speakers=PEOPLE, now=NOW).dense_text_first_person == 'where does she live?'


def test_the_speaker_named_first_is_the_one_it_is_about():
    query = analyse('How does Melanie feel about Caroline?', speakers=PEOPLE, now=NOW)
    assert (query.speaker, query.speaker_name, query.speaker_terms) == (1, 'Melanie', frozenset({'melani'}))
    assert query.dense_text_first_person == 'How do I feel about Caroline?'
    assert (analyse('Who lives here?', speakers=PEOPLE, now=NOW).speaker_name) is None


def test_a_first_name_names_a_speaker_when_only_one_has_it():
    assert analyse('Where does Ana live?', speakers=('Bo Li', 'Ana Silva'), now=NOW).speaker == 1
    assert analyse('Where does Ana live?', speakers=('Ana Costa', 'Ana Silva'), now=NOW).speaker == -1
    assert analyse('Where does Ana Silva live?', speakers=('Ana Costa', 'Ana Silva'), now=NOW).speaker == 1


def test_a_name_that_is_a_common_word_must_be_written_as_a_name():
    assert analyse('will it rain?', speakers=('Will',), now=NOW).speaker == -1
    assert analyse('where does Will live?', speakers=('Will',), now=NOW).speaker == 0


def test_the_word_user_is_not_looked_for():
    assert analyse("What is the user's name?", now=NOW).terms == ('name',)
    assert analyse('user name', now=NOW).terms == ('name',)
    assert analyse('the user', now=NOW).terms == ('user',)
    assert analyse('user interfaces and users of it', now=NOW).terms[0] == 'interfac'


@pytest.mark.parametrize(
    'asked',
    [
        'what did you suggest for dinner?',
        'Which book was I recommended?',
        'You told me a joke once',
        "what was the assistant's answer about Rust",
        'the recipe the bot gave me',
        'can you repeat your advice on shoes',
    ],
)
def test_a_question_for_the_assistants_words_is_known_as_one(asked):
    assert analyse(asked, now=NOW).wants_role == 'assistant'


@pytest.mark.parametrize(
    'asked', ['what did I tell you?', 'where do I live?', 'Do you know my name?', 'my suggestions']
)
def test_other_questions_prefer_nobody(asked):
    assert analyse(asked, now=NOW).wants_role is None


def test_a_time_becomes_a_window_in_utc_seconds():
    window = analyse('What did Caroline do in May 2023?', now=NOW).time
    assert window is not None
    assert window.begin == datetime(2023, 5, 1, tzinfo=UTC).timestamp()
    assert window.until == datetime(2023, 6, 1, tzinfo=UTC).timestamp()
    assert analyse('Where did I live before 2020?', now=NOW).time.begin == float('-inf')
    assert analyse('Where did I live?', now=NOW).time is None


def test_a_document_as_the_question_is_bounded():
    query = analyse(' '.join(f'word{i}' for i in range(5000)), speakers=PEOPLE, now=NOW)
    assert len(query.terms) == 64
    assert query.terms[0] == 'word0'
    assert query.terms[-1] == 'word4999'


@given(st.text(), st.lists(st.text(max_size=12), max_size=4))
def test_any_text_and_any_names_are_read(text, speakers):
    query = analyse(text, speakers=speakers, now=NOW)
    assert len(set(query.terms)) == len(query.terms) <= 64
    assert -1 <= query.speaker < len(speakers)
    assert (query.speaker_name is None) == (query.speaker == -1)


@pytest.mark.parametrize('piece', ['she ', 'Caroline ', 'you said ', "Caroline's ", 'the user ', 'in May ', 'A', 'a '])
def test_repetition_does_not_slow_it_down(piece):
    assert analyse(piece * (100_000 // len(piece)), speakers=PEOPLE, now=NOW).text.startswith(piece)
