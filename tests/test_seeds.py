"""The sayings this field began with, run literally, on the rules and the bundled embedder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from memoranda import Memory

SEED = "I'm building a FastAPI app with PostgreSQL. I prefer async code and I hate ORM magic."
TODAY = datetime.now(UTC)


@pytest.fixture
def memory() -> Iterator[Memory]:
    with Memory(':memory:') as opened:
        yield opened


def test_two_sentences_give_four_memories_with_their_evidence(memory: Memory) -> None:
    result = memory.add(SEED, user_id='ana')
    assert {m.text: m.evidence[0].quote for m in result.memories} == {
        'Is building a FastAPI app': "I'm building a FastAPI app with PostgreSQL",
        'Uses PostgreSQL': "I'm building a FastAPI app with PostgreSQL",
        'Prefers async code': 'I prefer async code',
        'Hates ORM magic': 'I hate ORM magic',
    }
    assert {m.actor for m in result.memories} == {'rules'}


def test_a_question_about_database_queries_finds_the_database_and_the_orm_dislike(memory: Memory) -> None:
    memory.add(SEED, user_id='ana')
    assert [h.text for h in memory.search('database query patterns', user_id='ana', top_k=2)] == [
        'Uses PostgreSQL',
        'Hates ORM magic',
    ]


def test_a_switch_leaves_the_new_language_only_and_the_old_one_in_the_past(memory: Memory) -> None:
    memory.add('I mostly code in Python', user_id='ana', occurred_at=TODAY - timedelta(days=30))
    memory.add('I switched from Python to TypeScript', user_id='ana', occurred_at=TODAY)
    question = 'Which programming language?'
    last_week = TODAY - timedelta(days=7)

    def found(**moment: datetime) -> list[str]:
        hits = memory.search(question, user_id='ana', **moment)
        listed = memory.get_all(user_id='ana', **moment)
        block = memory.context(question, user_id='ana', include=('memories',), **moment)
        told = [m.text for m in block.standing] + [h.text for h in block.relevant]
        assert sorted(h.text for h in hits) == sorted(m.text for m in listed) == sorted(told)
        return sorted(told)

    assert found() == ['Switched to TypeScript']
    (past,) = found(as_of=last_week)
    assert 'Python' in past
    passages = str(memory.context(question, user_id='ana'))
    assert 'TypeScript' in passages
    assert 'mostly code in Python' not in passages


def test_what_was_known_last_week_is_not_what_held_last_week(memory: Memory) -> None:
    memory.add('I live in Lisbon', user_id='ana', occurred_at=TODAY - timedelta(days=30))
    known = datetime.now(UTC)
    memory.add('I moved to Porto', user_id='ana', occurred_at=TODAY - timedelta(days=7))
    two_weeks_ago = TODAY - timedelta(days=14)
    assert [m.text for m in memory.get_all(user_id='ana')] == ['Lives in Porto']
    assert [m.text for m in memory.get_all(user_id='ana', as_of=two_weeks_ago)] == ['Lives in Lisbon']
    assert [m.text for m in memory.get_all(user_id='ana', known_at=known)] == ['Lives in Lisbon']
    assert list(memory.get_all(user_id='ana', known_at=two_weeks_ago)) == []
    assert memory.context('home?', user_id='ana', as_of=two_weeks_ago).standing[0].text == 'Lives in Lisbon'


def test_a_correction_was_never_true_and_a_change_was(memory: Memory) -> None:
    memory.add('I live in Porto', user_id='ana', occurred_at=TODAY - timedelta(days=30))
    before = datetime.now(UTC)
    memory.add("Actually it's Braga, not Porto.", user_id='ana', occurred_at=TODAY)
    assert [m.text for m in memory.get_all(user_id='ana')] == ['Lives in Braga']
    last_week = TODAY - timedelta(days=7)
    assert [m.text for m in memory.get_all(user_id='ana', as_of=last_week)] == ['Lives in Braga']
    assert [m.text for m in memory.get_all(user_id='ana', known_at=before)] == ['Lives in Porto']
