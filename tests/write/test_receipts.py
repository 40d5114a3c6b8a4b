"""What a receipt tells, and when: queued, running, retrying, done with its changes, dead with its reason."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from pathlib import Path

import pytest

from _fakes import fast, fast_async, texts
from _thinking import SECONDS, Thinking, quick
from memoranda import Conflict, ProcessingFailed
from memoranda.records import AddResult, Usage
from memoranda.settings import Settings

ANA = {'user_id': 'ana'}


def test_an_inline_add_is_done_when_it_answers() -> None:
    with fast() as memory:
        result = memory.add('I like tea', **ANA)
        assert (result.status, result.error) == ('done', None)
        assert result.result(0) is result


def test_a_receipt_of_nothing_new_is_done() -> None:
    with fast() as memory:
        said = [{'role': 'user', 'content': text, 'timestamp': '2026-03-01T12:00:00Z'} for text in ('one', 'two')]
        first = memory.add(said, background=True, **ANA)
        again = memory.add(said, background=True, **ANA)
        assert (again.status, again.job_id, again.known, again.result(0)) == ('done', None, 2, again)
        assert len(first.result(SECONDS).changes) == 2


def test_waiting_gives_up_in_time_and_says_how_far_it_is() -> None:
    model = Thinking(held=True, fails=lambda number, _: RuntimeError('no') if number == 1 else None)
    settings = Settings(retry_seconds=3600, max_retry_seconds=3600)
    with fast(extractor=model, settings=settings) as memory:
        receipt = memory.add('I like tea', background=True, **ANA)
        behind = memory.add('I like jazz', background=True, **ANA)
        model.wait_asked()
        with pytest.raises(TimeoutError, match=rf'job {receipt.job_id} is running after 0 s.*wait again'):
            receipt.result(0)
        with pytest.raises(TimeoutError, match=r'is queued after 0\.01 s'):
            behind.result(0.01)
        model.let_go()
        while memory.job(receipt.job_id or '', **ANA).status == 'running':
            pass
        with pytest.raises(TimeoutError, match='is retrying'):
            receipt.result(0)
        memory.retry_job(receipt.job_id or '', **ANA)
        assert receipt.result(SECONDS).status == behind.result(SECONDS).status == 'done'


def test_a_receipt_can_be_awaited_as_often_as_one_likes_and_by_many() -> None:
    model = Thinking(held=True)

    async def main() -> None:
        async with fast_async(extractor=model) as memory:
            receipt = await memory.add('I like tea', background=True, **ANA)
            waiting = [asyncio.create_task(receipt.wait(SECONDS)) for _ in range(5)]
            gone = asyncio.create_task(receipt.wait())
            await asyncio.to_thread(model.wait_asked)
            gone.cancel()
            with pytest.raises(asyncio.CancelledError):
                await gone
            model.let_go()
            done = await asyncio.gather(*waiting)
            assert {r.status for r in done} == {'done'}
            assert (await receipt.wait()).changes == done[0].changes
            assert await done[0].wait() is done[0]
            assert receipt.status == 'queued'  # it is what it was

    asyncio.run(main())


def test_a_receipt_can_be_waited_for_inside_a_running_loop_and_on_other_threads() -> None:
    model = Thinking(held=True)
    with fast(extractor=model) as memory:
        receipts = [memory.add('I like tea', background=True, user_id=f'user {n}') for n in range(3)]
        found: list[str] = []
        threads = [threading.Thread(target=lambda r=r: found.append(r.result(SECONDS).status)) for r in receipts]
        for thread in threads:
            thread.start()
        model.let_go()

        async def main() -> None:
            assert receipts[0].result(SECONDS).status == 'done'  # blocks this loop, not the engine's

        asyncio.run(main())
        for thread in threads:
            thread.join(SECONDS)
        assert found == ['done'] * 3


def test_a_receipt_is_a_plain_record_and_its_copies_follow_nothing() -> None:
    with fast() as memory:
        receipt = memory.add('I like tea', background=True, **ANA)
        for other in (pickle.loads(pickle.dumps(receipt)), copy.deepcopy(receipt)):
            assert isinstance(other, AddResult)
            assert other == receipt
            assert other.result(0) is other
        assert 'follower' not in repr(receipt)
        assert receipt.result(SECONDS).status == 'done'


def test_a_job_that_is_dropped_ends_its_receipt() -> None:
    model = Thinking(held=True)
    with fast(extractor=model) as memory:
        running, waiting = (memory.add(text, background=True, **ANA) for text in ('I like tea', 'I like jazz'))
        model.wait_asked()
        for receipt in (waiting, running):
            memory.drop_job(receipt.job_id or '', **ANA)
            dropped = receipt.result(SECONDS)
            assert (dropped.status, dropped.changes) == ('dropped', ())
        model.let_go()
        assert memory.flush(SECONDS) == 0
        assert len(memory.get_all(**ANA)) == 0
        assert len(memory.episodes(**ANA).items) == 2


def test_a_job_that_was_given_up_can_be_followed_again_once_it_is_tried_again() -> None:
    model = Thinking(fails=lambda number, _: RuntimeError('no') if number == 1 else None)
    with fast(extractor=model, settings=quick(max_attempts=1)) as memory:
        receipt = memory.add('I like tea', background=True, **ANA)
        dead = receipt.result(SECONDS)
        assert (dead.status, dead.error) == ('dead', 'RuntimeError: no')
        memory.retry_job(receipt.job_id or '', **ANA)
        done = receipt.result(SECONDS)
        assert (done.status, done.error, texts(done.memories)) == ('done', None, ['I like tea'])


def test_a_receipt_tells_what_the_model_took() -> None:
    spent = Usage(requests=1, input_tokens=70, output_tokens=5)
    with fast(extractor=Thinking(usage=spent)) as memory:
        receipt = memory.add('I like tea', background=True, **ANA)
        assert receipt.usage == Usage()
        assert receipt.result(SECONDS).usage == spent


# --- where nobody works in the background, who waits does ---


def test_whoever_waits_does_the_job_where_nobody_else_does(tmp_path: Path) -> None:
    memory = fast(tmp_path / 'm.db')  # without `with`
    receipts = [memory.add(f'fact {n}', background=True, **ANA) for n in range(3)]
    other = memory.add('of ben', background=True, user_id='ben')
    assert memory.stats().memories == 0
    assert texts(receipts[1].result(SECONDS).memories) == ['fact 1']
    assert texts(memory.get_all(**ANA)) == ['fact 0', 'fact 1']  # the earlier ones first, and nothing else
    assert memory.job(other.job_id or '', user_id='ben').status == 'queued'
    memory.close()


def test_whoever_waits_so_meets_the_failures_of_the_job(tmp_path: Path) -> None:
    model = Thinking(fails=lambda *_: RuntimeError('no'))
    memory = fast(tmp_path / 'm.db', extractor=model, settings=quick(max_attempts=3))
    receipt = memory.add('I like tea', background=True, **ANA)
    dead = receipt.result(SECONDS)
    assert (dead.status, dead.error, len(model.asked)) == ('dead', 'RuntimeError: no', 3)
    memory.close()


def test_whoever_waits_so_does_not_try_again_before_its_time(tmp_path: Path) -> None:
    model = Thinking(fails=lambda *_: RuntimeError('no'))
    memory = fast(tmp_path / 'm.db', extractor=model, settings=Settings(retry_seconds=3600, max_retry_seconds=3600))
    receipt = memory.add('I like tea', background=True, **ANA)
    while memory.job(receipt.job_id or '', **ANA).status != 'retrying':
        with pytest.raises(TimeoutError):
            receipt.result(0.05)
    with pytest.raises(TimeoutError, match='is retrying'):
        receipt.result(0.05)
    assert len(model.asked) == 1
    memory.close()


def test_several_who_wait_so_do_it_once(tmp_path: Path) -> None:
    model = Thinking()

    async def main() -> None:
        memory = fast_async(tmp_path / 'm.db', extractor=model)
        receipts = [await memory.add(f'fact {n}', background=True, user_id=f'user {n % 2}') for n in range(8)]
        done = await asyncio.gather(*(r.wait(SECONDS) for r in receipts * 2))
        assert {r.status for r in done} == {'done'}
        assert sorted(t for (t,) in model.asked) == [f'fact {n}' for n in range(8)]
        await memory.close()

    asyncio.run(main())


def test_who_waited_so_and_was_cancelled_leaves_the_job_to_the_next(tmp_path: Path) -> None:
    model = Thinking(held=True)

    async def main() -> None:
        memory = fast_async(tmp_path / 'm.db', extractor=model)
        receipt = await memory.add('I like tea', background=True, **ANA)
        waiting = asyncio.create_task(receipt.wait())
        await asyncio.to_thread(model.wait_asked)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        model.let_go()
        done = await receipt.wait(SECONDS)
        assert (done.status, (await memory.job(receipt.job_id or '', **ANA)).attempts) == ('done', 1)
        await memory.close()

    asyncio.run(main())


def test_a_receipt_of_a_memory_that_was_closed_is_followed_when_asked(tmp_path: Path) -> None:
    with fast(tmp_path / 'm.db', settings=Settings(drain_seconds=0), extractor=Thinking(held=True)) as memory:
        receipt = memory.add('I like tea', background=True, **ANA)
    with fast(tmp_path / 'm.db') as later:
        assert later.flush(SECONDS) == 0
    assert texts(receipt.result(SECONDS).memories) == ['I like tea']
    memory.close()


def test_closing_while_somebody_waits_leaves_the_job_to_the_next_who_asks(tmp_path: Path) -> None:
    model = Thinking(held=True)
    memory = fast(tmp_path / 'm.db', extractor=model, settings=Settings(drain_seconds=0))
    receipt = memory.add('I like tea', background=True, **ANA)
    results: list[AddResult] = []
    waiting = threading.Thread(target=lambda: results.append(receipt.result(SECONDS)))
    waiting.start()
    model.wait_asked()
    memory.close()
    model.let_go()
    waiting.join(SECONDS)
    assert [r.status for r in results] == ['done']
    memory.close()


# --- idempotency keys ---


@pytest.fixture
def held() -> Thinking:
    return Thinking(held=True)


def test_a_repeated_call_gives_the_same_receipt_while_the_job_waits(held: Thinking) -> None:
    with fast(extractor=held) as memory:
        first, again = (memory.add('I like tea', background=True, idempotency_key='k', **ANA) for _ in range(2))
        assert (again.job_id, again.episode_ids, again.replayed) == (first.job_id, first.episode_ids, True)
        assert again.status in ('queued', 'running')
        held.let_go()
        assert again.result(SECONDS).changes == first.result(SECONDS).changes != ()
        assert held.asked == [['I like tea']]
        assert len(memory.episodes(**ANA).items) == 1


def test_a_repeated_call_tells_what_became_of_it_when_it_is_done() -> None:
    with fast() as memory:
        first = memory.add('I like tea', background=True, idempotency_key='k', **ANA).result(SECONDS)
        again = memory.add('I like tea', background=True, idempotency_key='k', **ANA)
        assert (again.status, again.replayed, again.changes) == ('done', True, first.changes)
        inline = memory.add('I like tea', idempotency_key='k', **ANA)
        assert (inline.status, inline.replayed, inline.changes) == ('done', True, first.changes)


def test_a_repeated_call_tells_that_it_was_given_up() -> None:
    model = Thinking(fails=lambda *_: RuntimeError('no'))
    with fast(extractor=model, settings=quick(max_attempts=1)) as memory:
        memory.add('I like tea', background=True, idempotency_key='k', **ANA).result(SECONDS)
        again = memory.add('I like tea', background=True, idempotency_key='k', **ANA)
        assert (again.status, again.error) == ('dead', 'RuntimeError: no')
        with pytest.raises(ProcessingFailed, match='given up'):
            memory.add('I like tea', idempotency_key='k', **ANA)


def test_an_inline_call_with_the_key_of_a_background_one_waits_for_its_job(held: Thinking) -> None:
    with fast(extractor=held) as memory:
        memory.add('I like tea', background=True, idempotency_key='k', **ANA)
        held.wait_asked()
        results: list[AddResult] = []
        inline = threading.Thread(
            target=lambda: results.append(memory.add('I like tea', idempotency_key='k', **ANA)),
        )
        inline.start()
        held.let_go()
        inline.join(SECONDS)
        (result,) = results
        assert (result.status, result.replayed, texts(result.memories)) == ('done', True, ['I like tea'])
        assert held.asked == [['I like tea']]


@pytest.mark.parametrize('background', [True, False])
def test_a_key_for_something_else_is_refused(background: bool) -> None:
    with fast() as memory:
        memory.add('I like tea', background=True, idempotency_key='k', **ANA)
        with pytest.raises(Conflict, match='used before'):
            memory.add('I like jazz', background=background, idempotency_key='k', **ANA)
        with pytest.raises(Conflict, match='used before'):
            memory.add('I like tea', tags=['t'], background=background, idempotency_key='k', **ANA)
        assert len(memory.episodes(**ANA).items) == 1


def test_the_key_of_a_dropped_job_tells_so() -> None:
    memory = fast()
    receipt = memory.add('I like tea', background=True, idempotency_key='k', **ANA)
    memory.drop_job(receipt.job_id or '', **ANA)
    assert memory.add('I like tea', background=True, idempotency_key='k', **ANA).status == 'dropped'
    inline: AddResult = memory.add('I like tea', idempotency_key='k', **ANA)
    assert (inline.changes, dict(inline.skipped)) == ((), {'dropped': 1})
    memory.close()
