"""Valid time and recorded time: what held then, what was known then, and what order of arrival must not change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from _fakes import fast, texts
from memoranda import InvalidInput, Memory

ANA = {'user_id': 'ana'}


@pytest.fixture
def memory() -> Iterator[Memory]:
    with fast() as opened:
        yield opened


def day(number: int) -> datetime:
    return datetime(2024, 1, number, tzinfo=UTC)


def city(memory: Memory, **moment: Any) -> list[str]:
    """The city by listing and by search, which must agree."""
    listed = texts(memory.get_all(**ANA, **moment))
    found = texts(h.memory for h in memory.search('home city', **ANA, top_k=50, **moment) if h.memory)
    assert listed == found
    return [t.removeprefix('home.city is ') for t in listed]


def test_as_of_tells_what_held_then(memory: Memory) -> None:
    for number, where in ((5, 'Lisbon'), (10, 'Porto'), (15, 'Lisbon'), (20, 'Faro')):
        memory.add(f'home.city = {where}', occurred_at=day(number), **ANA)
    assert [city(memory, as_of=day(n)) for n in (4, 5, 9, 10, 14, 15, 19, 20, 28)] == [
        [],
        ['Lisbon'],
        ['Lisbon'],
        ['Porto'],
        ['Porto'],
        ['Lisbon'],
        ['Lisbon'],
        ['Faro'],
        ['Faro'],
    ]
    assert city(memory) == ['Faro']


@pytest.mark.parametrize('order', [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1), (1, 0, 2), (0, 2, 1)])
def test_chats_imported_in_any_order_tell_the_same_story(memory: Memory, order: tuple[int, ...]) -> None:
    said = [(5, 'Lisbon'), (10, 'Porto'), (15, 'Faro')]
    for number, where in (said[i] for i in order):
        memory.add(f'home.city = {where}', occurred_at=day(number), run_id=f's{number}', **ANA)
    assert city(memory) == ['Faro']
    assert [city(memory, as_of=day(n)) for n in (6, 11, 16)] == [['Lisbon'], ['Porto'], ['Faro']]
    history = {m.text: m for m in memory.get_all(include_inactive=True, **ANA)}
    assert history['home.city is Lisbon'].valid_to == day(10)
    assert history['home.city is Porto'].valid_to == day(15)


def test_a_value_that_was_confirmed_later_is_not_overwritten_by_an_older_chat(memory: Memory) -> None:
    memory.add('home.city = Lisbon', occurred_at=day(1), **ANA)
    memory.add('home.city = Lisbon', occurred_at=day(20), **ANA)
    memory.add('home.city = Porto', occurred_at=day(10), **ANA)
    assert city(memory) == ['Lisbon']


def test_known_at_tells_what_was_believed_then(memory: Memory) -> None:
    first = memory.add('home.city = Lisbon', occurred_at=day(5), **ANA).memories[0]
    second = memory.add('home.city = Porto', occurred_at=day(10), **ANA).memories[0]
    assert city(memory, known_at=first.recorded_at - timedelta(microseconds=1)) == []
    assert city(memory, known_at=first.recorded_at) == ['Lisbon']
    assert city(memory, known_at=second.recorded_at) == ['Porto']
    # What we believed then about an earlier day, and what we know of it now.
    assert city(memory, known_at=first.recorded_at, as_of=day(12)) == ['Lisbon']
    assert city(memory, as_of=day(7)) == ['Lisbon']


def test_a_correction_changes_what_is_known_of_the_past_and_a_supersession_does_not(memory: Memory) -> None:
    wrong = memory.add('home.city = Lisbon', occurred_at=day(5), **ANA).memories[0]
    memory.add('not home.city = Porto', occurred_at=day(10), **ANA)
    assert city(memory) == ['Porto']
    assert city(memory, as_of=day(7)) == ['Porto']
    assert city(memory, known_at=wrong.recorded_at) == ['Lisbon']
    memory.add('home.city = Faro', occurred_at=day(15), **ANA)
    assert city(memory, as_of=day(7)) == ['Porto']
    assert city(memory) == ['Faro']


def test_a_retracted_fact_held_until_it_was_retracted(memory: Memory) -> None:
    memory.add('home.city = Lisbon', occurred_at=day(5), **ANA)
    memory.add('forget home.city', occurred_at=day(10), **ANA)
    assert city(memory) == []
    assert city(memory, as_of=day(7)) == ['Lisbon']
    assert city(memory, as_of=day(10)) == []


def test_a_deleted_fact_was_known_until_it_was_deleted(memory: Memory) -> None:
    record = memory.add('home.city = Lisbon', occurred_at=day(5), **ANA).memories[0]
    memory.delete(record.id, **ANA)
    assert city(memory) == []
    assert city(memory, as_of=day(7)) == []
    assert city(memory, known_at=record.recorded_at) == ['Lisbon']


def test_a_fact_holds_between_the_moments_it_was_given(memory: Memory) -> None:
    memory.add('in Rome', infer=False, valid_from=day(5), valid_to=day(10), **ANA)
    assert [texts(memory.get_all(as_of=day(n), **ANA)) for n in (4, 5, 9, 10)] == [[], ['in Rome'], ['in Rome'], []]
    assert len(memory.get_all(**ANA)) == 0
    assert memory.search('Rome', **ANA) == []


def test_a_fact_that_begins_later_is_not_recalled_before(memory: Memory) -> None:
    later = datetime.now(UTC) + timedelta(days=300)
    memory.add('Lisbon', infer=False, slot='home.city', **ANA)
    memory.add('Porto', infer=False, slot='home.city', valid_from=later, **ANA)
    assert texts(memory.get_all(**ANA)) == ['Lisbon']
    current = memory.get_slot('home.city', **ANA)
    assert current is not None
    assert current.text == 'Lisbon'
    assert texts(memory.get_all(as_of=later, **ANA)) == ['Porto']


def test_an_expired_fact_is_no_longer_recalled(memory: Memory) -> None:
    memory.add('the code of the door is 12', infer=False, expires_at=day(5), occurred_at=day(1), **ANA)
    memory.add('the door is blue', infer=False, expires_at=datetime.now(UTC) + timedelta(days=1), **ANA)
    assert texts(memory.get_all(**ANA)) == ['the door is blue']
    assert [h.text for h in memory.search('door', **ANA)] == ['the door is blue']
    assert texts(memory.get_all(as_of=day(4), **ANA)) == ['the code of the door is 12']
    assert len(memory.get_all(include_inactive=True, **ANA)) == 2


def test_when_it_was_said_comes_from_the_message_the_call_or_the_clock(memory: Memory) -> None:
    messages = [{'content': 'one fact', 'timestamp': day(3)}, {'content': 'another fact'}]
    known = {m.text: m for m in memory.add(messages, occurred_at=day(9), **ANA).memories}
    assert known['one fact'].valid_from == day(3)
    assert known['another fact'].valid_from == day(9)
    now = memory.add('a third fact', **ANA).memories[0]
    assert now.recorded_at - now.valid_from < timedelta(minutes=1)


def test_moments_are_utc_whatever_they_were_written_in(memory: Memory) -> None:
    record = memory.add('a fact', occurred_at='2024-01-05T12:00:00+02:00', **ANA).memories[0]
    assert record.valid_from == datetime(2024, 1, 5, 10, tzinfo=UTC)
    assert record.valid_from.tzinfo == UTC
    assert memory.get(record.id, **ANA) == record


@pytest.mark.parametrize('year', [1, 1900, 1969, 1970])
def test_moments_long_past_are_kept_to_the_microsecond(memory: Memory, year: int) -> None:
    moment = datetime(year, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)
    record = memory.add('a fact', occurred_at=moment, **ANA).memories[0]
    assert memory.get(record.id, **ANA).valid_from == moment


@pytest.mark.parametrize(
    'value',
    [
        'tomorrow',
        '',
        '2024-13-01',
        '0000-01-01',
        datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=UTC),
        1e18,
        float('inf'),
        float('nan'),
        True,
        [],
        '9' * 500,
    ],
)
@pytest.mark.parametrize('name', ['occurred_at', 'expires_at', 'valid_from', 'as_of', 'known_at'])
def test_a_moment_out_of_range_is_refused_by_name(memory: Memory, name: str, value: Any) -> None:
    def call() -> object:
        if name in ('as_of', 'known_at'):
            return memory.search('x', **{name: value}, **ANA)
        return memory.add('a fact', infer=False, **{name: value}, **ANA)

    with pytest.raises(InvalidInput, match=f'^{name}=.* is not a moment: pass a datetime') as caught:
        call()
    assert len(str(caught.value)) < 400
    assert memory.stats().owners == 0


def test_what_was_said_in_the_future_is_refused(memory: Memory) -> None:
    later = datetime.now(UTC) + timedelta(days=3)
    for messages, fields in (('a fact', {'occurred_at': later}), ([{'content': 'a fact', 'timestamp': later}], {})):
        with pytest.raises(InvalidInput, match=r'lies in the future.*correct occurred_at or the timestamp'):
            memory.add(messages, **fields, **ANA)
    assert memory.stats().owners == 0


def test_an_end_before_the_beginning_is_refused(memory: Memory) -> None:
    with pytest.raises(InvalidInput, match=r'valid_to=.* is not after valid_from=.*: swap or correct them'):
        memory.add('a fact', infer=False, valid_from=day(5), valid_to=day(5), **ANA)


def test_a_fact_of_the_past_may_be_given_by_its_end_alone(memory: Memory) -> None:
    record = memory.add('lived in Rome', infer=False, valid_to=day(5), **ANA).changes[0].after
    assert record.valid_to == day(5)
    assert record.valid_from < day(5)
    assert len(memory.get_all(**ANA)) == 0
