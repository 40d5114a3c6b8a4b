"""Turns of a conversation that are read together: after so many, or when it falls quiet."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from _fakes import fast, texts
from _thinking import SECONDS, Thinking, quick
from memoranda import Memory, Scope
from memoranda.errors import ConfigurationError, InvalidInput
from memoranda.settings import Settings

ANA = {'user_id': 'ana', 'run_id': 's1'}


def batching(model: Thinking, path: Path | str = ':memory:', **settings: Any) -> Memory:
    return fast(path, extractor=model, settings=quick(**{'batch_turns': 3, 'batch_seconds': 3600, **settings}))


def say(memory: Memory, *texts: str, **arguments: Any) -> list[Any]:
    return [memory.add(text, background=True, **{**ANA, **arguments}) for text in texts]


def test_so_many_turns_are_read_in_one_go_and_each_receipt_tells_what_came_of_all() -> None:
    model = Thinking()
    with batching(model) as memory:
        receipts = say(memory, 'one', 'two', 'three')
        done = [r.result(SECONDS) for r in receipts]
        assert model.asked == [['one', 'two', 'three']]
        assert {r.status for r in done} == {'done'}
        assert [texts(r.memories) for r in done] == [['one', 'three', 'two']] * 3
        assert [r.episode_ids for r in done] == [r.episode_ids for r in receipts]
        assert len({r.job_id for r in done}) == 3
        jobs = [memory.job(r.job_id, **ANA) for r in receipts]
        assert [j.merged_into for j in jobs] == [None, jobs[0].id, jobs[0].id]


def test_fewer_turns_wait_for_more() -> None:
    model = Thinking()
    with batching(model) as memory:
        receipts = say(memory, 'one', 'two')
        assert memory.process_one_job() is None
        for receipt in receipts:
            with pytest.raises(TimeoutError):
                receipt.result(0)
        assert model.asked == []
        assert [hit.text for hit in memory.search('two', include=('episodes',), strategy='keyword', **ANA)] == ['two']
        say(memory, 'three')
        assert memory.flush(SECONDS) == 0
        assert model.asked == [['one', 'two', 'three']]


def test_when_the_conversation_falls_quiet_they_wait_no_longer() -> None:
    model = Thinking()
    with batching(model, batch_seconds=0.05) as memory:
        receipts = say(memory, 'one')
        assert receipts[0].result(SECONDS).status == 'done'
        assert model.asked == [['one']]


def test_flush_does_not_wait_for_more_turns() -> None:
    model = Thinking()
    with batching(model) as memory:
        say(memory, 'one', 'two')
        assert memory.flush(SECONDS) == 0
        assert model.asked == [['one', 'two']]


def test_flush_of_one_user_does_not_hurry_the_others(tmp_path: Path) -> None:
    model = Thinking()
    memory = batching(model, tmp_path / 'm.db')  # without `with`: flush does the work itself
    say(memory, 'one')
    say(memory, 'of ben', user_id='ben')
    assert memory.scoped(Scope(user_id='ben')).flush(SECONDS) == 0
    assert model.asked == [['of ben']]
    assert memory.process_one_job() is None
    memory.close()


def test_closing_does_not_wait_for_more_turns(tmp_path: Path) -> None:
    model = Thinking()
    with batching(model, tmp_path / 'm.db') as memory:
        say(memory, 'one', 'two')
    assert model.asked == [['one', 'two']]


def test_closing_at_once_leaves_them_to_the_next_start(tmp_path: Path) -> None:
    model = Thinking()
    with batching(model, tmp_path / 'm.db', drain_seconds=0) as memory:
        say(memory, 'one', 'two')
    assert model.asked == []
    with batching(model, tmp_path / 'm.db') as memory:
        assert memory.process_one_job() is None  # they still wait
        say(memory, 'three')
        assert memory.flush(SECONDS) == 0
    assert model.asked == [['one', 'two', 'three']]


def test_more_turns_than_that_are_read_in_several_goes() -> None:
    model = Thinking(held=True)
    with batching(model) as memory:
        say(memory, '1', '2', '3')
        model.wait_asked()
        say(memory, *'456789')
        model.let_go()
        assert memory.flush(SECONDS) == 0
        assert model.asked == [['1', '2', '3'], ['4', '5', '6'], ['7', '8', '9']]


def test_an_add_may_say_itself_how_many_are_read_together() -> None:
    model = Thinking()
    with batching(model, batch_turns=1) as memory:
        say(memory, 'one', 'two', batch_turns=2)
        say(memory, 'three', batch_turns=2)
        assert memory.flush(SECONDS) == 0
        assert model.asked == [['one', 'two'], ['three']]


@pytest.mark.parametrize('turns', [0, 1001, 2.5, '2', True])
def test_a_number_of_turns_that_is_none_is_refused_before_anything_is_stored(turns: Any) -> None:
    with batching(Thinking()) as memory:
        with pytest.raises(InvalidInput, match=r'batch_turns=.*from 1 to 1,000'):
            memory.add('one', background=True, batch_turns=turns, **ANA)
        assert memory.episodes(**ANA).items == ()


def test_a_turn_of_several_messages_is_one_turn() -> None:
    model = Thinking()
    with batching(model) as memory:
        for number in range(3):
            memory.add(
                [f'I say {number}', {'role': 'assistant', 'content': f'You said {number}'}], background=True, **ANA
            )
        assert memory.flush(SECONDS) == 0
        assert [len(request) for request in model.asked] == [6]


@pytest.mark.parametrize(
    ('first', 'second'),
    [
        ({}, {'tags': ['t']}),
        ({}, {'instructions': 'Mind the drinks'}),
        ({'run_id': 's1'}, {'run_id': 's2'}),
        ({}, {'agent_id': 'guide'}),
        ({'infer': False}, {'infer': False}),
    ],
)
def test_turns_with_other_options_or_of_another_conversation_are_read_apart(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    model = Thinking()
    with batching(model) as memory:
        receipts = [*say(memory, 'one', **first), *say(memory, 'two', **second)]
        assert memory.flush(SECONDS) == 0
        assert [texts(r.result(SECONDS).memories) for r in receipts] == [['one'], ['two']]
        assert model.asked == ([] if 'infer' in first else [['one'], ['two']])


def test_adds_without_a_conversation_are_each_one_of_its_own() -> None:
    model = Thinking()
    with batching(model) as memory:
        for text in ('one', 'two', 'three'):
            memory.add(text, background=True, user_id='ana')
        assert memory.flush(SECONDS) == 0
        assert model.asked == [['one'], ['two'], ['three']]


def test_a_turn_that_can_not_be_read_does_not_take_the_others_with_it() -> None:
    model = Thinking(fails=lambda _, said: RuntimeError('unreadable') if 'bad' in said else None)
    with batching(model, max_attempts=3) as memory:
        receipts = say(memory, 'one', 'bad', 'three')
        found = [r.result(SECONDS) for r in receipts]
        assert [r.status for r in found] == ['done', 'dead', 'done']
        assert [texts(r.memories) for r in found] == [['one'], [], ['three']]
        assert model.asked == [['one', 'bad', 'three'], ['one'], ['bad'], ['bad'], ['three']]


def test_an_inline_add_reads_what_waits_before_it() -> None:
    model = Thinking()
    with batching(model) as memory:
        receipts = say(memory, 'home.city = Lisbon')
        memory.add('home.city = Porto', **ANA)
        record = memory.get_slot('home.city', **ANA)
        assert record is not None
        assert record.value == 'Porto'
        assert receipts[0].result(0).status == 'done'
        assert [t for request in model.asked for t in request] == ['home.city = Lisbon', 'home.city = Porto']


def test_evidence_points_at_the_turn_it_came_from() -> None:
    model = Thinking()
    with batching(model) as memory:
        receipts = say(memory, 'one', 'two', 'three')
        assert memory.flush(SECONDS) == 0
        for record in memory.get_all(**ANA):
            (evidence,) = record.evidence
            assert evidence.quote == record.text
            number = ['one', 'two', 'three'].index(record.text)
            assert (evidence.episode_id,) == receipts[number].episode_ids


def test_erasing_the_conversation_while_it_is_read_leaves_nothing_and_others_go_on() -> None:
    model = Thinking(held=True)
    with batching(model) as memory:
        receipts = say(memory, 'one', 'two', 'three')
        model.wait_asked()
        other = say(memory, 'elsewhere', run_id='s2')
        memory.delete_all(**ANA)
        model.let_go()
        assert [r.result(SECONDS).status for r in receipts] == ['dropped'] * 3
        assert memory.flush(SECONDS) == 0
        assert other[0].result(SECONDS).status == 'done'
        assert texts(memory.get_all(user_id='ana')) == ['elsewhere']


def test_dropping_one_of_them_while_they_are_read_reads_the_others_anew() -> None:
    model = Thinking(held=True)
    with batching(model) as memory:
        receipts = say(memory, 'one', 'two', 'three')
        model.wait_asked()
        memory.drop_job(receipts[1].job_id, **ANA)
        model.let_go()
        assert [r.result(SECONDS).status for r in receipts] == ['done', 'dropped', 'done']
        assert texts(memory.get_all(**ANA)) == ['one', 'three']
        assert [e.text for e in memory.episodes(**ANA).items] == ['one', 'two', 'three']


def test_a_repeated_call_of_one_of_them_tells_what_came_of_all() -> None:
    model = Thinking()
    with batching(model) as memory:
        receipts = [say(memory, text, idempotency_key=text)[0] for text in ('one', 'two', 'three')]
        done = receipts[1].result(SECONDS)
        again = say(memory, 'two', idempotency_key='two')[0]
        assert (again.replayed, again.status, again.changes) == (True, 'done', done.changes)
        assert again.episode_ids == receipts[1].episode_ids


def test_a_job_driven_by_hand_takes_the_turns_together() -> None:
    model = Thinking()
    memory = batching(model, workers=0)
    receipts = say(memory, 'one', 'two', 'three', 'four')
    job = memory.process_one_job()
    assert job is not None
    assert (job.id, job.status) == (receipts[0].job_id, 'done')
    assert model.asked == [['one', 'two', 'three']]
    assert memory.process_one_job() is None
    memory.close()


def test_many_conversations_at_once_lose_no_turn() -> None:
    model = Thinking()

    async def talk(memory: Memory, number: int) -> None:
        for turn in range(4):
            await memory.aio.add(
                f'turn {turn} of {number}', background=True, user_id=f'user {number % 3}', run_id=f'run {number}'
            )

    async def main(memory: Memory) -> None:
        await asyncio.gather(*(talk(memory, number) for number in range(9)))

    with batching(model) as memory:
        asyncio.run(main(memory))
        assert memory.flush(SECONDS) == 0
        assert sorted(t for request in model.asked for t in request) == sorted(
            f'turn {turn} of {number}' for turn in range(4) for number in range(9)
        )
        assert memory.stats().memories == 36
        for number in range(9):
            heard = [t for request in model.asked for t in request if t.endswith(f' of {number}')]
            assert heard == [f'turn {turn} of {number}' for turn in range(4)]


def test_settings_that_make_no_sense_are_refused() -> None:
    for wrong in ({'batch_turns': 0}, {'batch_seconds': -1}, {'batch_turns': 1.5}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            Settings(**wrong)
