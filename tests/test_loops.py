"""Any caller works: asyncio, several loops, Trio, uvloop, plain threads, agents, notebooks. Nothing is left behind."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from _fakes import Grammar, fast, fast_async, texts
from _left import nothing_left
from _model import fact, operations
from _programs import SECONDS, stored
from memoranda import AddResult, AsyncMemory, Memory
from memoranda.testing.embedders import HashingEmbedder
from memoranda.write.extract import Extraction, ExtractionRequest

ANA = {'user_id': 'ana'}


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    with nothing_left():
        yield


def on_asyncio(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


def on_uvloop(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def on_trio(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    trio.run(main)


LOOPS = pytest.mark.parametrize('run', [on_asyncio, on_trio, *([on_uvloop] if sys.platform != 'win32' else [])])


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


class Told:
    """A model that takes a turn of its loop, and tells which loop that was."""

    def __init__(self) -> None:
        self.loops: set[asyncio.AbstractEventLoop] = set()
        self.model = FunctionModel(self._answer, model_name='told')

    async def _answer(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        await asyncio.sleep(0)
        self.loops.add(asyncio.get_running_loop())
        return operations([fact('Likes tea', 'I like tea')], info)


@LOOPS
def test_a_receipt_tells_what_became_of_it(tmp_path: Path, run: Any) -> None:
    async def main() -> None:
        async with fast_async(tmp_path / 'memory.db') as memory:
            receipt = await memory.add('I like tea', background=True, **ANA)
            assert (receipt.status, receipt.changes) == ('queued', ())
            done = await receipt.wait(SECONDS)
            assert (done.status, texts(done.memories)) == ('done', ['I like tea'])
            assert [h.text for h in await memory.search('tea', **ANA)] == ['I like tea']

    run(main)


@LOOPS
def test_the_rules_work_from_any_loop(tmp_path: Path, run: Any) -> None:
    async def main() -> None:
        async with AsyncMemory(tmp_path / 'memory.db', embedder=HashingEmbedder()) as memory:
            await memory.add('I live in Lisbon.', **ANA)
            receipt = await memory.add('Actually, I moved to Porto.', background=True, **ANA)
            await receipt.wait(SECONDS)
            city = await memory.get_slot('home.city', **ANA)
            assert city is not None
            assert city.value == 'Porto'

    run(main)


@LOOPS
@pytest.mark.parametrize('background', [False, True])
def test_a_model_is_asked_on_the_engines_own_loop(tmp_path: Path, run: Any, background: bool) -> None:
    told = Told()
    callers: list[object] = []

    async def main() -> None:
        if run is not on_trio:
            callers.append(asyncio.get_running_loop())
        memory = AsyncMemory(tmp_path / 'memory.db', embedder=HashingEmbedder(), model=told.model)
        async with memory:
            added = await memory.add('I like tea', background=background, **ANA)
            assert texts((await added.wait(SECONDS)).memories) == ['Likes tea']

    run(main)
    assert len(told.loops) == 1
    assert told.loops.isdisjoint(callers)


@LOOPS
def test_a_wait_that_is_given_up_stops_nothing(tmp_path: Path, run: Any) -> None:
    extractor = Held()

    async def main() -> None:
        async with fast_async(tmp_path / 'memory.db', extractor=extractor) as memory:
            receipt = await memory.add('I like tea', background=True, **ANA)
            with pytest.raises(TimeoutError, match=receipt.job_id):
                await receipt.wait(0)
            extractor.go.set()
            assert (await receipt.wait(SECONDS)).status == 'done'

    run(main)


async def cancelled(run: Any, call: Callable[[], Coroutine[Any, Any, object]], when: threading.Event) -> None:
    """Start a call on this loop, and cancel it at some moment."""
    if run is on_trio:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await trio.to_thread.run_sync(when.wait, SECONDS)
            nursery.cancel_scope.cancel()
        return
    task = asyncio.create_task(call())
    await asyncio.to_thread(when.wait, SECONDS)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@LOOPS
def test_a_cancelled_wait_stops_nothing(tmp_path: Path, run: Any) -> None:
    extractor = Held()

    async def main() -> None:
        async with fast_async(tmp_path / 'memory.db', extractor=extractor) as memory:
            receipt = await memory.add('I like tea', background=True, **ANA)
            await cancelled(run, receipt.wait, extractor.reached)
            extractor.go.set()
            assert (await receipt.wait(SECONDS)).status == 'done'

    run(main)


@LOOPS
def test_a_cancelled_add_stops_its_model(tmp_path: Path, run: Any) -> None:
    """Nobody waits for the answer any more, and its job is done by whoever comes next."""
    extractor = Never()

    async def main() -> None:
        memory = fast_async(tmp_path / 'memory.db', extractor=extractor)
        await cancelled(run, lambda: memory.add('I like tea', **ANA), extractor.reached)
        await memory.close()  # waits for what is under way: the test would hang here

    run(main)
    assert extractor.cancelled.is_set()
    assert stored(tmp_path / 'memory.db') == ['I like tea']


@LOOPS
def test_a_loop_that_ends_right_after_an_add_leaves_it_to_the_next_open(tmp_path: Path, run: Any) -> None:
    memory = fast_async(tmp_path / 'memory.db')

    async def main() -> None:
        receipt = await memory.add('I like tea', background=True, **ANA)
        assert receipt.status == 'queued'

    run(main)
    assert stored(tmp_path / 'memory.db') == ['I like tea']
    asyncio.run(memory.close())


@LOOPS
def test_leaving_the_block_right_after_an_add_does_it_first(tmp_path: Path, run: Any) -> None:
    receipts: list[AddResult] = []
    memory = fast_async(tmp_path / 'memory.db')

    async def main() -> None:
        async with memory:
            receipts.extend([await memory.add(f'I like number {i}', background=True, **ANA) for i in range(20)])

    run(main)
    assert {r.status for r in receipts} == {'queued'}
    assert asyncio.run(memory.stats()).jobs_queued == 0
    asyncio.run(memory.close())


def test_one_loop_after_another_may_use_a_memory_and_its_receipts(tmp_path: Path) -> None:
    memory = fast_async(tmp_path / 'memory.db')
    asyncio.run(memory.__aenter__())
    first = asyncio.run(memory.add('I like tea', background=True, **ANA))
    assert trio.run(first.wait, SECONDS).status == 'done'
    second = trio.run(lambda: memory.add('I like jazz', background=True, **ANA))
    assert asyncio.run(second.wait(SECONDS)).status == 'done'
    third = asyncio.run(memory.add('I like cocoa', background=True, **ANA))
    assert third.result(SECONDS).status == 'done'
    asyncio.run(memory.close())
    assert stored(tmp_path / 'memory.db') == ['I like cocoa', 'I like jazz', 'I like tea']


def test_several_loops_at_once_share_the_workers_of_one_memory(tmp_path: Path) -> None:
    memory = fast_async(tmp_path / 'memory.db')
    asyncio.run(memory.__aenter__())
    together = threading.Barrier(6)

    async def main(number: int) -> None:
        added = [await memory.add(f'fact {i} of {number}', background=True, user_id=f'user {i}') for i in range(5)]
        for receipt in added:
            done = await receipt.wait(SECONDS)
            assert (done.status, len(done.memories)) == ('done', 1)

    def loop(number: int) -> None:
        together.wait()
        (trio.run if number % 2 else lambda f, n: asyncio.run(f(n)))(main, number)

    in_threads(6, loop)
    for i in range(5):
        expected = [f'fact {i} of {n}' for n in range(6)]
        assert texts(asyncio.run(memory.get_all(user_id=f'user {i}'))) == expected
    asyncio.run(memory.close())


def in_threads(count: int, work: Callable[[int], object]) -> None:
    """Run it in as many threads; the first error is raised."""
    errors: list[BaseException] = []

    def target(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=target, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_threads_add_in_the_background_and_wait_for_their_own(tmp_path: Path) -> None:
    with fast(tmp_path / 'memory.db') as memory:

        def work(number: int) -> None:
            for i in range(5):
                receipt = memory.add(f'fact {i} of {number}', background=True, **ANA)
                assert texts(receipt.result(SECONDS).memories) == [f'fact {i} of {number}']

        in_threads(8, work)
        assert memory.flush(SECONDS) == 0
        assert len(memory.get_all(**ANA)) == 40


def test_the_blocking_memory_waits_for_its_workers_inside_a_running_loop(tmp_path: Path) -> None:
    """As in a notebook, where a loop is always running."""

    async def cell() -> None:
        memory = fast(tmp_path / 'memory.db', extractor=Grammar())
        with memory:
            receipt = memory.add('I like tea', background=True, **ANA)
            assert receipt.result(SECONDS).status == 'done'
            memory.add('I like jazz', background=True, **ANA)
            assert memory.flush(SECONDS) == 0
            assert texts(memory.get_all(**ANA)) == ['I like jazz', 'I like tea']

    asyncio.run(cell())
    trio.run(cell)


def test_without_workers_whoever_waits_does_it(tmp_path: Path) -> None:
    memory = fast(tmp_path / 'memory.db')
    assert memory.add('I like tea', background=True, **ANA).result(SECONDS).status == 'done'
    memory.add('I like jazz', background=True, **ANA)
    assert memory.flush(SECONDS) == 0
    assert texts(memory.get_all(**ANA)) == ['I like jazz', 'I like tea']
    memory.close()


# --- agents ---


def chat(*calls: ToolCallPart) -> FunctionModel:
    """A model that calls these tools at once, then says what they returned."""

    async def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        await asyncio.sleep(0)
        returned = [str(p.content) for p in messages[-1].parts if isinstance(p, ToolReturnPart)]
        return ModelResponse(parts=[TextPart(' '.join(returned))] if returned else list(calls))

    return FunctionModel(answer)


def agent_with(blocking: Memory, memory: AsyncMemory) -> Agent[None, str]:
    model = chat(
        ToolCallPart('remember_now', {'text': 'I like tea'}),
        ToolCallPart('remember_later', {'text': 'I like jazz'}),
        ToolCallPart('remember_async', {'text': 'I like cocoa'}),
    )
    agent = Agent(model)

    @agent.tool_plain
    def remember_now(text: str) -> str:
        return blocking.add(text, **ANA).status

    @agent.tool_plain
    def remember_later(text: str) -> str:
        return blocking.add(text, background=True, **ANA).result(SECONDS).status

    @agent.tool_plain
    async def remember_async(text: str) -> str:
        return (await (await memory.add(text, background=True, **ANA)).wait(SECONDS)).status

    return agent


def test_tools_of_an_agent_that_runs_without_a_loop(tmp_path: Path) -> None:
    with fast(tmp_path / 'memory.db') as memory:
        agent = agent_with(memory, memory.aio)
        for _ in range(2):  # each run may have a loop of its own
            assert agent.run_sync('Remember').output == 'done done done'
        assert texts(memory.get_all(**ANA)) == ['I like cocoa', 'I like jazz', 'I like tea']
    close_the_loop_of_run_sync()


def test_tools_of_an_agent_in_a_running_loop(tmp_path: Path) -> None:
    async def main() -> None:
        async with fast_async(tmp_path / 'memory.db') as memory:
            blocking = fast(tmp_path / 'memory.db')  # of its own, on the same file
            assert (await agent_with(blocking, memory).run('Remember')).output == 'done done done'
            assert texts(await memory.get_all(**ANA)) == ['I like cocoa', 'I like jazz', 'I like tea']
            blocking.close()

    asyncio.run(main())


def test_a_blocking_tool_that_runs_on_the_loop_itself_does_not_hang(tmp_path: Path) -> None:
    """Where there are no threads for tools, as in a workflow, a blocking tool holds the loop while it works."""
    with fast(tmp_path / 'memory.db') as memory:
        agent = Agent(chat(ToolCallPart('remember', {'text': 'I like tea'})))

        @agent.tool_plain
        async def remember(text: str) -> str:
            return memory.add(text, background=True, **ANA).result(SECONDS).status

        assert agent.run_sync('Remember').output == 'done'
    close_the_loop_of_run_sync()


def close_the_loop_of_run_sync() -> None:
    """`run_sync` keeps its loop as the thread's current one."""
    loop = asyncio.get_event_loop_policy().get_event_loop()
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    asyncio.set_event_loop(None)
