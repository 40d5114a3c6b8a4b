from __future__ import annotations

from collections.abc import Iterator

import pytest

from _fakes import fast
from memoranda import InvalidScope, Memory, Policy
from memoranda._bridge import run
from memoranda.filters import parse
from memoranda.rehearsal import PURPOSE, Rehearsal, rehearse
from memoranda.scope import Scope

ANA = Scope(user_id='ana')


@pytest.fixture
def memory() -> Iterator[Memory]:
    with fast(policy=Policy(audit_reads=True)) as memory:
        memory.add('home.city = Lisbon', user_id='ana', occurred_at='2026-01-10')
        memory.add('home.city = Porto', user_id='ana', occurred_at='2026-03-01')
        memory.add('Answers in short sentences', user_id='ana', infer=False, kind='instruction')
        memory.add('Has a green bicycle', user_id='ana', infer=False)
        memory.add('Lives in Oslo', user_id='ben', infer=False)
        yield memory


def asked(memory: Memory, query: str, **options: object) -> Rehearsal:
    return run(rehearse(memory.aio.scoped(ANA), query, **options))  # type: ignore[arg-type]


def test_the_parts_of_a_candidate_add_up_to_its_place(memory: Memory) -> None:
    told = asked(memory, 'home.city')
    assert len(told.candidates) >= 3
    for one in told.candidates:
        assert sum(part.value for part in one.parts) == pytest.approx(one.order, abs=1e-4)
    assert [one.order for one in told.candidates] == sorted((one.order for one in told.candidates), reverse=True)


def test_each_candidate_says_where_in_the_block_it_stands(memory: Memory) -> None:
    told = asked(memory, 'home.city')
    places = {one.hit.text: one.place for one in told.candidates if one.hit.memory}
    assert places['home.city is Porto'] == 'always'  # of the profile
    assert places['Answers in short sentences'] == 'always'
    assert places['Has a green bicycle'] == 'left out'
    assert 'home.city is Porto' in told.block.text
    assert 'bicycle' not in told.block.text
    relevant = {one.hit.text: one.place for one in asked(memory, 'green bicycle').candidates if one.hit.memory}
    assert relevant['Has a green bicycle'] == 'relevant'


def test_it_is_the_block_that_an_agent_gets(memory: Memory) -> None:
    for query in ('home.city', 'green bicycle', 'something else'):
        assert asked(memory, query).block.text == memory.context(query, user_id='ana').text


def test_what_held_then_is_asked(memory: Memory) -> None:
    from datetime import UTC, datetime

    then = asked(memory, 'home.city', as_of=datetime(2026, 2, 1, tzinfo=UTC))
    assert 'home.city is Lisbon' in then.block.text
    assert 'home.city is Porto' not in {one.hit.text for one in then.candidates}


def test_filters_and_lanes_narrow_it(memory: Memory) -> None:
    facts = asked(memory, 'home.city', include=('memories',), where=parse({'kind': 'instruction'}))
    assert [one.hit.text for one in facts.candidates] == ['Answers in short sentences']


def test_looking_does_not_count_as_a_recall_and_is_noted_as_what_it_is(memory: Memory) -> None:
    asked(memory, 'home.city')
    assert memory.get_all(user_id='ana', filters={'uses': {'exists': True}}).items == ()
    assert {read.purpose for read in memory.reads(user_id='ana')} == {PURPOSE}


def test_it_is_about_somebody(memory: Memory) -> None:
    with pytest.raises(InvalidScope):
        run(rehearse(memory.aio.project_wide(), 'home.city'))
