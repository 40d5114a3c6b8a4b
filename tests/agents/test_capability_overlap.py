"""The prompt is stored while what is known is looked up, and is there before the model is asked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from _capability import SECONDS, Deps, Speaker, agent_of, run, stored
from _fakes import fast_async
from _outages import locked
from memoranda import AsyncMemory
from memoranda.settings import Settings
from memoranda.testing.embedders import HashingEmbedder


class Waiting(HashingEmbedder):
    """A remote embedder that answers questions once it may."""

    def __init__(self, *, may: bool = False) -> None:
        super().__init__()
        self.asked, self.may = asyncio.Event(), asyncio.Event()
        self._tester = asyncio.get_running_loop()
        if may:
            self.may.set()

    @property
    def local(self) -> bool:
        return False

    async def embed(self, texts: Any, *, query: bool = False, progress: Any = None) -> Any:
        if query:
            self._tester.call_soon_threadsafe(self.asked.set)
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self.may.wait(), self._tester))
        return self.embed_now(texts, query=query)


async def until_stored(memory: AsyncMemory, message: str) -> None:
    async with asyncio.timeout(SECONDS):
        while message not in await stored(memory):
            pass


def test_a_prompt_is_stored_while_the_question_is_embedded() -> None:
    async def main() -> None:
        embedder, speaker = Waiting(), Speaker('Green')
        async with fast_async(embedder=embedder) as memory:
            await memory.add('Likes green tea', user_id='ana', infer=False)
            task = asyncio.create_task(agent_of(memory, speaker, timeout=SECONDS).run('Which tea?', deps=Deps()))
            await embedder.asked.wait()
            await until_stored(memory, 'user: Which tea?')
            assert speaker.requests == []
            embedder.may.set()
            assert (await task).output == 'Green'
            assert speaker.told == ['Likes green tea']

    run(main())


def test_a_run_that_is_cancelled_while_the_question_is_embedded_remembers_the_prompt() -> None:
    async def main() -> None:
        embedder = Waiting()
        async with fast_async(embedder=embedder) as memory:
            await memory.add('Likes green tea', user_id='ana', infer=False)
            task = asyncio.create_task(agent_of(memory, timeout=SECONDS).run('Which tea?', deps=Deps()))
            await embedder.asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            embedder.may.set()
            await until_stored(memory, 'user: Which tea?')

    run(main())


def test_no_model_is_asked_before_the_prompt_is_stored_and_looking_up_does_not_wait_for_ever(tmp_path: Path) -> None:
    async def main() -> None:
        path, speaker, embedder = tmp_path / 'memory.db', Speaker('Green'), Waiting(may=True)
        settings = Settings(degrade_seconds=float(SECONDS), busy_timeout=float(SECONDS), workers=0)
        async with fast_async(path, settings=settings, embedder=embedder) as memory:
            await memory.add('Likes green tea', user_id='ana', infer=False)
            with locked(path):
                task = asyncio.create_task(agent_of(memory, speaker, timeout=1.0).run('Which tea?', deps=Deps()))
                await embedder.asked.wait()
                assert await memory.context('Which tea?', user_id='ana')  # reading goes on
                assert speaker.requests == []
            assert (await task).output == 'Green'
            assert speaker.told == ['Likes green tea']
            assert await stored(memory) == ['user: Likes green tea', 'user: Which tea?', 'assistant: Green']

    run(main())
