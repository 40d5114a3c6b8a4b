"""A fact that says itself what it takes the place of: `add(..., supersedes=)` and `corrects=`."""

from __future__ import annotations

from typing import Any

import pytest

from _fakes import fast
from memoranda import InvalidInput, Memory, MemoryNotFound
from memoranda.records import MemoryRecord

ANA = {'user_id': 'ana'}


def given(memory: Memory, text: str, **options: Any) -> MemoryRecord:
    return memory.add(text, infer=False, **ANA, **options).memories[-1]


def current(memory: Memory) -> list[str]:
    return [m.text for m in memory.get_all(**ANA)]


def test_what_was_true_until_now_stays_in_the_past() -> None:
    with fast() as memory:
        old = given(memory, 'Lives in Lisbon', slot='home.city', value='Lisbon')
        new = given(memory, 'Lives in Porto', supersedes=old.id)
        assert current(memory) == ['Lives in Porto']
        assert (new.slot, new.supersedes) == ('home.city', old.id)
        then = memory.get(old.id, **ANA)
        assert (then.status, then.valid_to) == ('superseded', new.valid_from)


def test_what_was_never_true_is_retracted() -> None:
    with fast() as memory:
        old = given(memory, 'Was born in May')
        new = given(memory, 'Was born in June', corrects=old.id)
        assert current(memory) == ['Was born in June']
        assert new.valid_from == old.valid_from
        assert [e.op for e in memory.history(old.id, **ANA)] == ['add', 'correct']


def test_a_worse_source_has_to_wait() -> None:
    with fast() as memory:
        old = given(memory, 'Lives in Lisbon')
        page = {'role': 'tool', 'content': 'Lives in Rome', 'trust': 'assistant'}
        result = memory.add(page, infer=False, trust='assistant', supersedes=old.id, **ANA)
        (item,) = memory.review.list(**ANA)
        assert (result.memories, item.op, item.target.id if item.target else None) == ((), 'supersede', old.id)
        assert current(memory) == ['Lives in Lisbon']
        memory.review.approve(item.id, **ANA)
        assert current(memory) == ['Lives in Rome']


def test_a_memory_a_person_edited_is_not_overwritten() -> None:
    with fast() as memory:
        old = given(memory, 'Lives in Lisbon')
        memory.update(old.id, text='Lives in Porto', **ANA)
        assert memory.add('Lives in Rome', infer=False, supersedes=old.id, **ANA).pending
        assert current(memory) == ['Lives in Porto']


def test_only_memories_of_the_same_owner_can_be_meant() -> None:
    with fast() as memory:
        other = memory.add('Has a secret', infer=False, user_id='ben').memories[0]
        with pytest.raises(MemoryNotFound):
            memory.add('Has none', infer=False, supersedes=other.id, **ANA)
        assert not memory.episodes(**ANA).items
        assert memory.get(other.id, user_id='ben').status == 'active'


def test_what_can_not_be_meant_is_an_error() -> None:
    with fast() as memory:
        for options in (
            {'supersedes': 'a', 'corrects': 'b', 'infer': False},
            {'supersedes': 'a'},
            {'corrects': '', 'infer': False},
            {'supersedes': 'x' * 300, 'infer': False},
            {'corrects': 7, 'infer': False},
        ):
            with pytest.raises(InvalidInput):
                memory.add('Lives in Rome', **ANA, **options)
        assert not memory.episodes(**ANA).items
