"""Correcting when something was said, and deleting a fact together with those it had replaced."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from _fakes import fast, texts
from memoranda import InvalidInput, MemoryNotFound

LONG_AGO = datetime(2020, 5, 1, 12, tzinfo=UTC)


def test_when_something_was_said_is_corrected_and_the_day_it_began_to_hold_with_it() -> None:
    with fast() as memory:
        (found,) = memory.add('Likes tea', user_id='ana', infer=False).memories
        told = memory.update(found.id, said_at=LONG_AGO, user_id='ana')
        assert (told.said_at, told.valid_from, told.version, told.locked) == (LONG_AGO, LONG_AGO, 2, False)
        assert texts(memory.get_all(user_id='ana', as_of=LONG_AGO + timedelta(days=1))) == ['Likes tea']
        assert texts(memory.get_all(user_id='ana', filters={'said_at': {'lt': '2020-05-02'}})) == ['Likes tea']
        assert texts(memory.get_all(user_id='ana', filters={'said_at': {'gte': '2020-05-02'}})) == []
        assert memory.update(found.id, said_at=LONG_AGO, user_id='ana').version == 2


def test_what_is_known_to_hold_since_a_day_still_does_when_it_was_said_on_another() -> None:
    with fast() as memory:
        (found,) = memory.add('Likes tea', user_id='ana', infer=False, valid_from='2019-01-01').memories
        told = memory.update(found.id, said_at=LONG_AGO, user_id='ana')
        assert (told.said_at, told.valid_from.year) == (LONG_AGO, 2019)


@pytest.mark.parametrize('said_at', ['yesterday', True, datetime.now(UTC) + timedelta(days=2), float('nan')])
def test_a_moment_that_can_not_be_is_refused(said_at: object) -> None:
    with fast() as memory:
        (found,) = memory.add('Likes tea', user_id='ana', infer=False).memories
        with pytest.raises(InvalidInput, match='said_at'):
            memory.update(found.id, said_at=said_at, text='x', user_id='ana')  # type: ignore[arg-type]
        assert texts(memory.get_all(user_id='ana')) == ['Likes tea']


def test_a_fact_is_deleted_with_those_it_had_replaced_when_asked() -> None:
    with fast() as memory:
        for day, city in enumerate(('Lisbon', 'Porto', 'Braga')):
            memory.add(f'home.city = {city}', user_id='ana', occurred_at=LONG_AGO + timedelta(days=day))
        memory.add('home.city = Faro', user_id='bo', occurred_at=LONG_AGO)
        (now,) = memory.get_all(user_id='ana')
        with pytest.raises(InvalidInput, match='linked'):
            memory.delete(now.id, linked='yes', user_id='ana')  # type: ignore[arg-type]
        with pytest.raises(MemoryNotFound):
            memory.delete(now.id, linked=True, user_id='bo')
        assert texts(memory.get_all(user_id='ana')) == ['home.city is Braga']
        assert memory.delete(now.id, linked=True, user_id='ana') == 3
        for day in range(3):
            assert texts(memory.get_all(user_id='ana', as_of=LONG_AGO + timedelta(days=day, hours=1))) == []
        assert texts(memory.get_all(user_id='bo')) == ['home.city is Faro']
        assert memory.verify(user_id='ana').ok


def test_a_fact_is_deleted_alone_by_default() -> None:
    with fast() as memory:
        memory.add('home.city = Lisbon', user_id='ana', occurred_at=LONG_AGO)
        memory.add('home.city = Porto', user_id='ana', occurred_at=LONG_AGO + timedelta(days=1))
        (now,) = memory.get_all(user_id='ana')
        assert memory.delete(now.id, user_id='ana') == 1
        assert texts(memory.get_all(user_id='ana', as_of=LONG_AGO + timedelta(hours=1))) == ['home.city is Lisbon']
