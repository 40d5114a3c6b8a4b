from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from _fakes import fast
from memoranda import Memory, MemoryNotFound
from memoranda._bridge import run
from memoranda.memory import AsyncMemory
from memoranda.provenance import conversations, current_version, lineage, trace
from memoranda.scope import Scope


@pytest.fixture
def memory() -> Iterator[Memory]:
    with fast() as memory:
        yield memory


def wide(memory: Memory) -> AsyncMemory:
    return memory.aio.project_wide()


def say(memory: Memory, *texts: str, **ids: Any) -> list[str]:
    result = memory.add(list[Any]({'role': 'user', 'content': text} for text in texts), **ids)
    return [edit.memory_id for edit in result.changes]


def test_a_memory_stands_between_those_it_took_the_place_of_and_its_successors(memory: Memory) -> None:
    for day, city in enumerate(('Lisbon', 'Porto', 'Faro', 'Braga'), 1):
        memory.add(f'home.city = {city}', user_id='ana', occurred_at=f'2026-01-0{day}')
    all_ = memory.get_all(user_id='ana', include_inactive=True).items
    for one in all_:
        told = run(lineage(wide(memory), run(trace(wide(memory), one.id)).memory))
        assert [m.value for m in told] == ['Lisbon', 'Porto', 'Faro', 'Braga']


def test_one_that_was_deleted_can_still_be_traced(memory: Memory) -> None:
    (id_,) = say(memory, 'likes tea', user_id='ana')
    memory.delete(id_, user_id='ana')
    traced = run(trace(wide(memory), id_))
    assert traced.memory.status == 'retracted'
    assert [entry.op for entry in traced.history] == ['add', 'retract']


def test_the_words_it_rests_on_are_told_inside_their_conversation(memory: Memory) -> None:
    ids = say(memory, *'abcdefgh', user_id='ana', run_id='r1')
    say(memory, 'z', user_id='ana', run_id='r2')
    record = run(trace(wide(memory), ids[4])).memory
    (talk,) = run(conversations(wide(memory), record, around=1))
    assert talk.id == 'r1'
    assert [(line.message.text, line.marked, line.skipped) for line in talk.lines] == [
        ('d', (), True),
        ('e', ((0, 1),), False),
        ('f', (), False),
    ]


def test_evidence_of_several_conversations_is_told_the_latest_first(memory: Memory) -> None:
    for day, run_id in enumerate(('r1', 'r2'), 1):
        memory.add('home.city = Lisbon', user_id='ana', run_id=run_id, occurred_at=f'2026-01-0{day}')
    (record,) = memory.get_all(user_id='ana').items
    talks = run(conversations(wide(memory), record))
    assert [talk.id for talk in talks] == ['r2', 'r1']
    assert all(line.marked == ((0, 18),) for talk in talks for line in talk.lines)


def test_nothing_is_told_beyond_the_scope_of_the_view(memory: Memory) -> None:
    (id_,) = say(memory, 'likes tea', user_id='ana')
    assert run(current_version(memory.aio.scoped(Scope(user_id='ana')), id_)) == 1
    for view in (memory.aio.scoped(Scope(user_id='ben')), memory.aio.in_project('other').project_wide()):
        for told in (trace(view, id_), current_version(view, id_)):
            with pytest.raises(MemoryNotFound):
                run(told)


def test_a_look_is_noted_where_reads_are(memory: Memory) -> None:
    from memoranda import Policy

    with fast(policy=Policy(audit_reads=True)) as noted:
        (id_,) = say(noted, 'likes tea', user_id='ana')
        view = noted.aio.project_wide().acting_as('support:jane')
        record = run(trace(view, id_)).memory
        run(conversations(view, record))
        run(current_version(view, id_))
        reads = noted.reads(user_id='ana').items
    assert sorted((r.actor, r.purpose) for r in reads) == [('support:jane', 'episodes'), ('support:jane', 'history')]
