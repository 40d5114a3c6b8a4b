"""Closing, reopening, interrupts, the end of a process: nothing is lost, nothing hangs, nothing stays open."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from _fakes import Grammar, fast, fast_async
from _left import nothing_left
from _programs import SECONDS, program, stored
from _thinking import Thinking
from memoranda import StoreUnreadable
from memoranda.settings import Settings
from memoranda.write.extract import Extraction, ExtractionRequest

ANA = {'user_id': 'ana'}
posix = pytest.mark.skipif(os.name != 'posix', reason='forks and signals are POSIX ones')


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    with nothing_left():
        yield


class Held(Grammar):
    """A pure extractor that waits until it is let go."""

    def __init__(self) -> None:
        self.reached, self.go = threading.Event(), threading.Event()

    def propose(self, request: ExtractionRequest) -> Extraction:
        self.reached.set()
        assert self.go.wait(SECONDS)
        return super().propose(request)


class Never:
    """An extractor whose model never answers."""

    name = 'never'

    def __init__(self) -> None:
        self.reached, self.cancelled = threading.Event(), threading.Event()

    async def extract(self, request: ExtractionRequest) -> Extraction:
        self.reached.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        raise AssertionError


def test_closing_finishes_what_is_queued(tmp_path: Path) -> None:
    with fast(tmp_path / 'memory.db') as memory:
        for i in range(30):
            memory.add(f'fact {i}', background=True, user_id=f'user {i % 3}')
    later = fast(tmp_path / 'memory.db')
    assert (later.stats().memories, later.stats().jobs_queued) == (30, 0)
    later.close()


def test_closing_lets_an_extraction_end_that_is_under_way(tmp_path: Path) -> None:
    extractor = Held()
    memory = fast(tmp_path / 'memory.db', extractor=extractor, settings=Settings(drain_seconds=SECONDS))
    memory.__enter__()
    memory.add('I like tea', background=True, **ANA)
    assert extractor.reached.wait(SECONDS)
    closing = threading.Thread(target=memory.close)
    closing.start()
    extractor.go.set()
    closing.join()
    later = fast(tmp_path / 'memory.db')
    assert (later.stats().memories, later.stats().jobs_queued) == (1, 0)
    later.close()


@pytest.mark.parametrize('drain', [0.0, 0.05])
def test_a_model_that_never_answers_does_not_hold_up_closing(tmp_path: Path, drain: float) -> None:
    extractor = Never()
    memory = fast(tmp_path / 'memory.db', extractor=extractor, settings=Settings(drain_seconds=drain))
    with memory:
        for i in range(12):  # more than run at once
            memory.add(f'fact {i}', background=True, user_id=f'user {i % 4}')
        assert extractor.reached.wait(SECONDS)
    assert extractor.cancelled.is_set()
    # Given back at once: whoever comes next does not wait for a lease to run out, and it was no failed try.
    for i in range(4):
        expected = sorted(f'fact {n}' for n in range(i, 12, 4))
        assert stored(tmp_path / 'memory.db', user_id=f'user {i}') == expected


def test_a_memory_that_was_closed_opens_again_with_its_workers(tmp_path: Path) -> None:
    memory = fast(tmp_path / 'memory.db')
    for i in range(3):
        with memory:
            receipt = memory.add(f'fact {i}', background=True, **ANA)
            assert receipt.result(SECONDS).status == 'done'
    late = memory.add('fact 3', background=True, **ANA)  # opens it, without workers
    assert late.status == 'queued'
    memory.close()
    with memory:
        assert late.result(SECONDS).status == 'done'
    assert stored(tmp_path / 'memory.db') == [f'fact {i}' for i in range(4)]


def test_threads_that_an_extractor_uses_end_with_the_memory(tmp_path: Path) -> None:
    """Those of the engine's own loop, in which network libraries look up names, for example."""

    class Threaded(Never):
        async def extract(self, request: ExtractionRequest) -> Extraction:
            return await asyncio.to_thread(Grammar().propose, request)

    with fast(tmp_path / 'memory.db', extractor=Threaded()) as memory:
        memory.add('I like tea', **ANA)
        assert any(thread.name.startswith('asyncio') for thread in threading.enumerate())


def test_closing_twice_and_at_once_is_harmless(tmp_path: Path) -> None:
    memory = fast(tmp_path / 'memory.db')
    memory.__enter__()
    memory.add('I like tea', background=True, **ANA)
    closing = [threading.Thread(target=memory.close) for _ in range(5)]
    for thread in closing:
        thread.start()
    for thread in closing:
        thread.join()
    memory.close()
    assert stored(tmp_path / 'memory.db') == ['I like tea']


def test_a_memory_that_can_not_be_opened_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / 'notes.txt').write_text('not a database, and longer than the hundred bytes of a header ' * 4)
    for _ in range(2):
        with pytest.raises(StoreUnreadable), fast(tmp_path / 'notes.txt'):
            raise AssertionError('was opened')


def test_whoever_enters_between_two_who_close_keeps_its_workers(tmp_path: Path) -> None:
    async def main() -> None:
        model = Thinking(held=True)
        memory = fast_async(tmp_path / 'm.db', extractor=model)
        await memory.__aenter__()
        await memory.add('I like tea', background=True, user_id='ana')
        await asyncio.to_thread(model.wait_asked)
        closing = [asyncio.create_task(memory.close()) for _ in range(2)]
        await asyncio.sleep(0)

        async def enter() -> None:
            async with memory:
                await asyncio.gather(*closing)
                await memory.add('I like jazz', background=True, user_id='ben')
                assert await memory.flush(SECONDS) == 0

        entering = asyncio.create_task(enter())
        await asyncio.sleep(0)
        model.let_go()
        await entering

    asyncio.run(main())


def test_adds_that_race_with_closing_are_kept(tmp_path: Path) -> None:
    memory = fast(tmp_path / 'memory.db')
    kept: list[str] = []

    def work(number: int) -> None:
        for i in range(20):
            text = f'fact {i} of {number}'
            assert memory.add(text, background=True, **ANA).status == 'queued'
            kept.append(text)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        with memory:
            pass
    for thread in threads:
        thread.join()
    memory.close()
    assert len(kept) == 80
    assert stored(tmp_path / 'memory.db') == sorted(kept)


def test_an_error_inside_the_block_closes_and_keeps_what_was_added(tmp_path: Path) -> None:
    async def main() -> None:
        async with fast_async(tmp_path / 'memory.db') as memory:
            await memory.add('I like tea', background=True, **ANA)
            raise LookupError('something else')

    with pytest.raises(LookupError, match='something else'):
        asyncio.run(main())
    assert stored(tmp_path / 'memory.db') == ['I like tea']


def test_cancelling_the_block_closes_and_keeps_what_was_added(tmp_path: Path) -> None:
    extractor = Never()

    async def main() -> None:
        settings = Settings(drain_seconds=0.0)
        async with fast_async(tmp_path / 'memory.db', extractor=extractor, settings=settings) as memory:
            await memory.add('I like tea', background=True, **ANA)
            await memory.flush(None)

    async def cancelled() -> None:
        task = asyncio.create_task(main())
        await asyncio.to_thread(extractor.reached.wait, SECONDS)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert stored(tmp_path / 'memory.db') == ['I like tea']


ENDINGS = {
    'after an add that was done': """
        memory = fast(path)
        memory.add('I like tea', user_id='ana')
    """,
    'after an add in the background': """
        memory = fast(path)
        memory.add('I like tea', user_id='ana', background=True)
    """,
    'after asyncio.run of an add in the background': """
        asyncio.run(fast_async(path).add('I like tea', user_id='ana', background=True))
    """,
    'with workers that have nothing to do': """
        memory = fast(path).__enter__()
        memory.add('I like tea', user_id='ana', background=True).result(60)
    """,
    'with a worker in a thread that never ends': """
        extractor = Stuck()
        memory = fast(path, extractor=extractor).__enter__()
        memory.add('I like tea', user_id='ana', background=True)
        extractor.reached.wait()
    """,
    'with a worker that waits for a model': """
        extractor = Never()
        memory = fast(path, extractor=extractor).__enter__()
        memory.add('I like tea', user_id='ana', background=True)
        extractor.reached.wait()
    """,
    'with many threads at work': """
        memory = fast(path).__enter__()
        def work(number):
            while True:
                memory.add(f'fact of {number}', user_id=f'user {number}', background=True).result(60)
                memory.search('fact', user_id=f'user {number}')
        memory.add('I like tea', user_id='ana', background=True)
        for number in range(4):
            threading.Thread(target=work, args=(number,), daemon=True).start()
        for number in range(4):
            memory.add(f'fact of {number}', user_id=f'user {number}')
    """,
    'by sys.exit inside the block': """
        with fast(path) as memory:
            memory.add('I like tea', user_id='ana', background=True)
            sys.exit(0)
    """,
}


@pytest.mark.parametrize('how', ENDINGS)
def test_a_process_that_never_closes_its_memory_ends_quietly(tmp_path: Path, how: str) -> None:
    program(ENDINGS[how], tmp_path / 'memory.db')
    assert stored(tmp_path / 'memory.db') == ['I like tea']


INTERRUPTED = """
over = threading.Event()
signal.signal(signal.SIGUSR1, lambda *_: None)
extractor = Stuck() if sys.argv[2] == 'stuck' else Never()

def interrupt():
    main = threading.main_thread().ident
    extractor.reached.wait()
    signal.pthread_kill(main, signal.SIGINT)
    while not over.wait(0.01):  # Python forgets to look when a signal comes just before it begins to wait
        signal.pthread_kill(main, signal.SIGUSR1)

async def block():
    async with fast_async(path, extractor=extractor) as memory:
        await memory.add('I like tea', user_id='ana')

threading.Thread(target=interrupt).start()
try:
    match sys.argv[3]:
        case 'add':
            memory = fast(path, extractor=extractor)
            memory.add('I like tea', user_id='ana')
        case 'block':
            with fast(path, extractor=extractor) as memory:
                memory.add('I like tea', user_id='ana')
        case 'asyncio add':
            asyncio.run(fast_async(path, extractor=extractor).add('I like tea', user_id='ana'))
        case 'asyncio block':
            asyncio.run(block())
        case 'closing':
            with fast(path, extractor=extractor) as memory:
                memory.add('I like tea', user_id='ana', background=True)
except KeyboardInterrupt:
    print('interrupted')
over.set()
"""


@posix
@pytest.mark.parametrize('how', ['add', 'block', 'asyncio add', 'asyncio block', 'closing'])
def test_an_interrupt_while_a_model_is_asked_ends_at_once_and_keeps_the_message(tmp_path: Path, how: str) -> None:
    """Ctrl-C. What the model would have answered nobody wants any more, so closing does not wait for it."""
    assert program(INTERRUPTED, tmp_path / 'memory.db', 'never', how) == ['interrupted']
    assert stored(tmp_path / 'memory.db') == ['I like tea']


@posix
@pytest.mark.parametrize('how', ['add', 'block', 'asyncio add'])
def test_an_interrupt_while_a_pure_extractor_works_keeps_the_message(tmp_path: Path, how: str) -> None:
    """A blocking caller runs it in its own thread, where it is interrupted too; elsewhere it can't be stopped."""
    assert program(INTERRUPTED, tmp_path / 'memory.db', 'stuck', how) == ['interrupted']
    assert stored(tmp_path / 'memory.db') == ['I like tea']


@posix
def test_an_interrupt_leaves_waiting_jobs_to_the_next_start(tmp_path: Path) -> None:
    code = """
    async def main():
        async with fast_async(path) as memory:
            for i in range(10):
                await memory.add(f'fact {i}', user_id='ana', background=True)
            signal.raise_signal(signal.SIGINT)
            await asyncio.Event().wait()

    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        print('interrupted')
    """
    assert program(code, tmp_path / 'memory.db') == ['interrupted']
    assert stored(tmp_path / 'memory.db') == [f'fact {i}' for i in range(10)]
