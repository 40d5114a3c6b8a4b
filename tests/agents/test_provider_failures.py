"""What a provider refuses, fails to take or is given up on holds up nobody else, and is not lost in silence."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import ModelMessage
from pydantic_ai.messages import ModelRequest, UserPromptPart

from _capability import Deps, Speaker, agent_of, run
from _fakes import fast_async
from agents import _mem0
from agents._mem0 import Shelf
from memoranda import ConfigurationError
from memoranda.agents import (
    Mem0Provider,
    MemorandaProvider,
    MemoryConfig,
    RetrievedMemory,
    StoredMemory,
)


class Shelves:
    """A provider that keeps what users said, and refuses a word."""

    def __init__(self, refuses: str = 'poison') -> None:
        self.refuses = refuses
        self.down = False
        self.offered: list[list[str]] = []
        self.kept: list[str] = []

    async def retrieve_memories(self, query: str, **_: Any) -> list[RetrievedMemory]:
        return []

    async def store_memories(self, messages: Sequence[ModelMessage], **_: Any) -> list[StoredMemory]:
        parts = [part for m in messages if isinstance(m, ModelRequest) for part in m.parts]
        said = [str(part.content) for part in parts if isinstance(part, UserPromptPart)]
        self.offered.append(said)
        if self.down:
            raise ConnectionError
        if any(self.refuses in text for text in said):
            raise ValueError(self.refuses)
        self.kept += said
        return []

    async def get_all_memories(self, **_: Any) -> list[RetrievedMemory]:
        return []

    async def delete_memory(self, memory_id: str) -> bool:
        return False


def test_a_turn_that_is_refused_holds_up_no_other_and_is_given_up_at_last(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        shelves = Shelves()
        agent = agent_of(shelves)
        for text in ('poison', 'one', 'two', 'three', 'four'):
            await agent.run(text, deps=Deps(), conversation_id='c')
        assert shelves.kept == ['one', 'two', 'three', 'four']
        assert shelves.offered[-1] == ['four']
        assert 'messages are not remembered' in caplog.text
        assert 'poison' not in caplog.text

    run(main())


def test_nothing_is_given_up_because_a_provider_is_down() -> None:
    async def main() -> None:
        shelves = Shelves()
        agent = agent_of(shelves)
        shelves.down = True
        for number in range(6):
            await agent.run(f'turn {number}', deps=Deps(), conversation_id='c')
        assert len(shelves.offered) <= 12
        shelves.down = False
        await agent.run('turn 6', deps=Deps(), conversation_id='c')
        assert shelves.kept == [f'turn {number}' for number in range(7)]

    run(main())


def test_a_provider_that_ignores_its_errors_is_not_believed_in_a_run() -> None:
    class Down(_mem0.AsyncMemoryClient):
        down = True

        async def add(self, messages: Any, options: Any = None, **kwargs: Any) -> Any:
            if self.down:
                raise ConnectionError
            return await super().add(messages, options, **kwargs)

    async def main() -> None:
        client = Down()
        provider = Mem0Provider(client=client, errors='ignore')
        speaker = Speaker(('remember', {'fact': 'Likes tea'}), 'Sorry')
        agent = agent_of(provider, speaker, tools=['remember'])
        await agent.run('I like tea', deps=Deps(), conversation_id='c')
        assert 'Remembered' not in str(speaker.requests[-1])
        client.down = False
        await agent.run('And cake', deps=Deps(), conversation_id='c')
        assert 'I like tea' in [row['memory'] for row in client.shelf.rows.values()]
        client.down = True
        assert await provider.store_memories(['x'], user_id='ana') == []  # called directly it does as it was told

    run(main())


@pytest.mark.parametrize('times', [1, 2])
def test_a_run_that_is_cancelled_while_what_was_said_is_stored_is_remembered(times: int) -> None:
    class Slow(Shelves):
        def __init__(self) -> None:
            super().__init__()
            self.asked, self.may, self.done = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def store_memories(self, *args: Any, **more: Any) -> list[StoredMemory]:
            self.asked.set()
            await self.may.wait()
            self.done.set()
            return await super().store_memories(*args, **more)

    async def main() -> None:
        provider, speaker = Slow(), Speaker()
        task = asyncio.create_task(agent_of(provider, speaker, timeout=50).run('I live in Lisbon', deps=Deps()))
        await provider.asked.wait()
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        provider.may.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        await provider.done.wait()

    run(main())


def test_users_who_leave_say_nothing_of_the_provider() -> None:
    class Slow(Shelves):
        def __init__(self) -> None:
            super().__init__()
            self.asked = asyncio.Event()
            self.hangs = True

        async def retrieve_memories(self, query: str, **_: Any) -> list[RetrievedMemory]:
            self.asked.set()
            if self.hangs:
                await asyncio.Event().wait()
            return [RetrievedMemory('1', 'Likes tea')]

    async def main() -> None:
        provider, speaker = Slow(), Speaker()
        agent = agent_of(provider, speaker, timeout=50)
        for _ in range(3):
            provider.asked.clear()
            task = asyncio.create_task(agent.run('Hello', deps=Deps()))
            await provider.asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        provider.hangs = False
        await agent.run('What do I drink?', deps=Deps())
        assert '- Likes tea [m:1]' in str(speaker.requests[-1])

    run(main())


ENDING = """
import asyncio, logging, sys
from agents.test_provider_failures import Shelves
from pydantic_ai import Agent
from _capability import Speaker
from memoranda import Scope
from memoranda.agents import LongTermMemory, MemoryConfig

logging.basicConfig()
shelves = Shelves()
memories = LongTermMemory(shelves, scope=Scope(user_id='ana'), config=MemoryConfig(store_after_turns=3))

async def main():
    await Agent(Speaker().model, capabilities=[memories]).run('one')
    if sys.argv[1] == 'flush':
        await memories.flush()
    print(shelves.kept)

asyncio.run(main())
"""


@pytest.mark.parametrize(('does', 'kept', 'told'), [('flush', "['one']", False), ('nothing', '[]', True)])
def test_what_waits_is_stored_by_flush_or_the_log_says_that_it_is_lost(does: str, kept: str, told: bool) -> None:
    """In a process of its own, whose end nothing else can put off."""
    paths = os.pathsep.join((str(Path(__file__).parent.parent), *filter(None, sys.path)))
    ran = subprocess.run(
        [sys.executable, '-c', ENDING, does],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
        env={**os.environ, 'PYTHONPATH': paths},
    )
    assert ran.stdout.strip() == kept
    assert ('2 messages that waited' in ran.stderr) is told, ran.stderr


def test_a_row_that_may_be_somebody_elses_is_not_deleted() -> None:
    class Vague(_mem0.AsyncMemoryClient):
        async def get_all(self, options: Any = None, **kwargs: Any) -> Any:
            answer = await super().get_all(options, **kwargs)
            return {**answer, 'results': [{k: row[k] for k in ('id', 'memory')} for row in answer['results']]}

    async def main() -> None:
        shelf = Shelf()
        shelf.leaks = True
        provider = Mem0Provider(client=Vague(shelf=shelf), infer=False)
        await provider.store_memories(['likes tea'], user_id='bob')
        await provider.store_memories(['likes cake'], user_id='ana')
        for id_ in ('m1', 'm2'):
            speaker = Speaker(('forget', {'memory_id': id_}))
            await agent_of(provider, speaker, tools=['forget'], recall='off', remember='off').run('Forget', deps=Deps())
        assert [row['memory'] for row in shelf.rows.values()] == ['likes tea']

    run(main())


@pytest.mark.parametrize('messages', ['likes tea', {'role': 'user', 'content': 'likes tea'}])
def test_a_single_message_is_one(messages: Any) -> None:
    async def main() -> None:
        shelf = Shelf()
        async with fast_async() as memory:
            for provider in (MemorandaProvider(memory), Mem0Provider(client=_mem0.AsyncMemoryClient(shelf=shelf))):
                await provider.store_memories(messages, user_id='ana')
            assert [e.text for e in (await memory.episodes(user_id='ana')).items] == ['likes tea']
        assert [row['memory'] for row in shelf.rows.values()] == ['likes tea']

    run(main())


@pytest.mark.parametrize('metadata', [{'tags': ['x']}, {'a': {'b': None}}, {1: 'x'}, {'': 'x'}])
def test_metadata_that_nothing_could_be_retrieved_by_is_refused_when_the_config_is_made(metadata: Any) -> None:
    with pytest.raises(ConfigurationError, match='metadata'):
        MemoryConfig(metadata=metadata)


def test_what_many_conversations_left_is_handed_over_while_nobody_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr('memoranda.agents._waiting.MAX_WAITING', 4)  # 1,000 runs would take ten seconds

    class Slow(Shelves):
        def __init__(self) -> None:
            super().__init__()
            self.open = asyncio.Event()

        async def store_memories(self, messages: Sequence[ModelMessage], **arguments: Any) -> list[StoredMemory]:
            await self.open.wait()
            return await super().store_memories(messages, **arguments)

    async def main() -> None:
        shelves = Slow()
        agent = agent_of(shelves, Speaker(*(RuntimeError('down') for _ in range(7))), recall='off')
        for number in range(7):  # runs without an answer, whose prompts wait for the next turn
            with pytest.raises(RuntimeError):
                await agent.run(f'prompt {number}', deps=Deps(), conversation_id=f'c{number}')
        assert shelves.kept == []  # and no run has waited for it
        shelves.open.set()
        for _ in range(100):
            await asyncio.sleep(0)
        assert shelves.kept[:1] == ['prompt 0']

    run(main())
