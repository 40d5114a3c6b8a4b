"""What an agent learns while it serves users is its own, and says nothing of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoranda import Memory
from memoranda.scope import Scope
from memoranda.settings import Settings
from memoranda.testing import HashingEmbedder, ScriptedExtractor
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, Quote
from memoranda.write.lessons import leaks

SERVING = {'user_id': 'ana', 'agent_id': 'planner', 'run_id': 'r1'}
LESSON = 'Asking for the budget before proposing hotels saves a round of questions'


def teaching(*lessons: str) -> Callable[[ExtractionRequest], Extraction]:
    """An extractor that finds a fact about the user and these lessons, whatever it is given."""

    def read(request: ExtractionRequest) -> Extraction:
        quote = (Quote(0, 0, len(request.messages[0].text)),)
        fact = Proposal(text='Travels to Oslo', evidence=quote)
        return Extraction(
            proposals=[fact, *(Proposal(text=t, kind='heuristic', level='agent', evidence=quote) for t in lessons)]
        )

    return read


def memory(policy: str, *lessons: str) -> Memory:
    return Memory(
        ':memory:',
        embedder=HashingEmbedder(),
        extractor=ScriptedExtractor(teaching(*lessons)),
        settings=Settings(agent_lessons=policy),  # pyright: ignore[reportArgumentType]
    )


def of_the_agent(opened: Memory, **options: Any) -> list[str]:
    return [m.text for m in opened.get_all(agent_id='planner', **options)]


def test_lessons_are_off_unless_asked_for() -> None:
    with memory('off', LESSON) as opened:
        result = opened.add('I need a hotel in Oslo', **SERVING)
        assert [m.text for m in result.memories] == ['Travels to Oslo']
        assert result.skipped == {'lesson not wanted': 1}
        assert of_the_agent(opened, include_inactive=True) == []


def test_a_lesson_waits_for_approval_and_is_not_recalled() -> None:
    with memory('review', LESSON) as opened:
        result = opened.add('I need a hotel in Oslo', **SERVING)
        assert [m.text for m in result.memories] == ['Travels to Oslo']
        assert of_the_agent(opened) == []
        (waiting,) = opened.get_all(agent_id='planner', include_inactive=True, filters={'status': 'pending'})
        assert (waiting.text, waiting.kind, waiting.trust, waiting.actor) == (
            LESSON,
            'heuristic',
            'assistant',
            'scripted',
        )
        assert opened.search('budget hotels', agent_id='planner') == []
        assert not opened.context('budget hotels', agent_id='planner', include=('memories',))


def test_a_lesson_is_recalled_for_every_user_once_that_is_allowed() -> None:
    with memory('auto', LESSON) as opened:
        opened.add('I need a hotel in Oslo', **SERVING)
        assert of_the_agent(opened) == [LESSON]
        assert LESSON in str(opened.context('hotel budget', user_id='ben', agent_id='planner', include=('memories',)))


def test_nothing_of_the_user_is_with_the_agent() -> None:
    with memory('auto', LESSON) as opened:
        opened.add({'role': 'user', 'name': 'Ana Silva', 'content': 'I need a hotel in Oslo'}, **SERVING)
        (lesson,) = opened.get_all(agent_id='planner')
        assert lesson.scope == Scope(agent_id='planner')
        assert lesson.said_under == Scope(agent_id='planner')
        assert [e.quote for e in lesson.evidence] == [LESSON]
        assert [e.text for e in opened.episodes(agent_id='planner').items] == [LESSON]
        entries = opened.history(lesson.id, agent_id='planner')
        assert 'ana' not in repr(entries).casefold()
        assert 'oslo' not in repr(entries).casefold()
        opened.delete_all(user_id='ana')
        assert of_the_agent(opened) == [LESSON]


@pytest.mark.parametrize(
    'leaking',
    [
        'Ana likes short answers',
        'Offer silva the quiet rooms',
        'Users who travel to Oslo want breakfast',
        'People allergic to shellfish need a warning, as I am allergic to shellfish shows',
        'Write to ana.silva@example.org for the invoice',
        'Call +351 912 345 678 before booking',
        'The budget is 850 per night',
        'Planner users in run r1 are impatient',
        'Book near Karl Johans gate',
        'The key is [api key]',
    ],
)
def test_a_lesson_that_tells_of_the_user_is_dropped_and_counted(leaking: str) -> None:
    said = {
        'role': 'user',
        'name': 'Ana Silva',
        'content': 'I need a hotel in Oslo near Karl Johans gate, at most 850 a night. I am allergic to shellfish.',
    }
    with memory('auto', leaking) as opened:
        result = opened.add(said, **SERVING)
        assert result.skipped == {'lesson about the user': 1}
        assert of_the_agent(opened, include_inactive=True) == []
        assert opened.episodes(agent_id='planner').items == ()


def test_the_same_lesson_twice_is_one() -> None:
    with memory('auto', LESSON, LESSON) as opened:
        opened.add('I need a hotel in Oslo', **SERVING)
        opened.add('And one in Bergen', **SERVING)
        assert of_the_agent(opened) == [LESSON]


def test_an_agent_on_its_own_learns_what_it_is_told() -> None:
    with Memory(':memory:', embedder=HashingEmbedder(), extractor=ScriptedExtractor()) as opened:
        opened.add('The staging database is reset every Monday', agent_id='planner')
        (learnt,) = opened.get_all(agent_id='planner')
        assert (learnt.level, learnt.status) == ('agent', 'active')


@pytest.mark.parametrize(
    ('said', 'lesson'),
    [
        ('Maria again. Please keep it short, I am asking about the split', 'Maria wants short answers'),
        ('my name is maria and i want short answers', 'Maria wants short answers'),
        ('this is klaus schmidt from siemens', 'Klaus Schmidt needs the long form'),
        ('i am hiv positive', 'People with HIV need other offers'),
        (
            '\u6211\u53eb\u738b\u5c0f\u660e\uff0c\u4f4f\u5728\u5317\u4eac',
            '\u738b\u5c0f\u660e\u559c\u6b22\u7b80\u77ed\u7684\u56de\u7b54',
        ),
    ],
)
def test_names_leak_however_they_are_written(said: str, lesson: str) -> None:
    with memory('auto', lesson) as opened:
        assert opened.add(said, **SERVING).skipped == {'lesson about the user': 1}
        assert of_the_agent(opened, include_inactive=True) == []


def test_what_was_drawn_from_the_same_words_counts_as_known() -> None:
    def read(request: ExtractionRequest) -> Extraction:
        quote = (Quote(0, 0, len(request.messages[0].text)),)
        named = Proposal(text='Is called maria', slot='name', value='maria', evidence=quote)
        lesson = Proposal(text='remind maria of the budget', kind='heuristic', level='agent', evidence=quote)
        return Extraction(proposals=[named, lesson])

    with Memory(
        ':memory:',
        embedder=HashingEmbedder(),
        extractor=ScriptedExtractor(read),
        settings=Settings(agent_lessons='auto'),
    ) as opened:
        assert opened.add('the usual, please book it', **SERVING).skipped == {'lesson about the user': 1}


@given(
    name=st.text(st.characters(categories=['Lu', 'Ll']), min_size=2, max_size=12),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
)
def test_no_lesson_carries_the_name_of_a_speaker(name: str, before: str, after: str) -> None:
    text = f'{before} {name} {after}'
    assert leaks(text, said=(), facts=(), names=(name,), scope=Scope(user_id='u1'))
