"""In a durable workflow every read and write is one operation: a replay does none of them again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.durable_exec import (
    JSON_CODEC,
    BaseDurabilityCapability,
    DurabilityEngineSpec,
    JournalCallableOperationBackend,
    RoleBasedOperationConfig,
)

from _capability import Speaker, blocks, run, stored
from _fakes import fast_async
from memoranda import AsyncMemory, Scope
from memoranda.agents import LongTermMemory


class Crash(Exception):
    """The process ends."""


class Journal:
    """What the steps of a workflow gave, in their order."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, Any]] = []
        self.done: list[str] = []
        """Steps that were really done, in all attempts."""
        self.at = 0
        self.inside = False
        self.under_way: list[str] = []
        self.together: set[str] = set()
        """Steps that were begun while another one was under way."""

    async def attempt(self, workflow: Awaitable[Any]) -> Any:
        """Begin the workflow, or begin it again."""
        self.at, self.inside = 0, True
        try:
            return await workflow
        finally:
            self.inside = False

    async def step(self, name: str, body: Callable[[], Awaitable[Any]]) -> Any:
        """Do a step, unless it is done already."""
        at = self.at
        self.at += 1
        if at < len(self.entries):
            assert self.entries[at][0] == name, 'the replay takes another way'
            return self.entries[at][1]
        if self.under_way:
            self.together |= {name, *self.under_way}
        self.under_way.append(name)
        try:
            payload = await body()
        finally:
            self.under_way.remove(name)
        self.done.append(name.partition('__capability__')[2] or name)
        self.entries.append((name, payload))
        return payload


class Steps(JournalCallableOperationBackend[Any]):
    """Does operations as steps of a journal."""

    journal: Journal

    async def execute(
        self, *, operation_id: Any, name: str, body: Callable[[], Awaitable[object]], cache_key: Any, config: Any
    ) -> object:
        return await self.journal.step(name, body)


class Durability(BaseDurabilityCapability[Any]):
    """A durable engine in memory, which keeps what crosses its border as JSON."""

    engine_spec = DurabilityEngineSpec(
        engine_name='Journal', durable_unit_noun='step', durable_container_noun='workflow', codec=JSON_CODEC
    )

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self.journal = journal

    @property
    def in_durable_context(self) -> bool:
        return self.journal.inside

    def get_durable_operation_backend(self) -> Steps:
        config = RoleBasedOperationConfig[Any](model=None, event=None, capability=None, tool=None)
        backend = Steps(agent_name=self.name, config=config)
        backend.journal = self.journal
        return backend


def durable_agent(memory: AsyncMemory, journal: Journal, speaker: Speaker, **arguments: Any) -> Agent[None, str]:
    memories = LongTermMemory(memory, scope=Scope(user_id='ana'), **arguments)
    return Agent(speaker.model, name='agent', capabilities=[memories, Durability(journal)])


def own(journal: Journal) -> list[str]:
    """The steps of ours that were done."""
    return [name for name in journal.done if name.startswith('long_term_memory')]


def test_recall_and_remember_are_operations_with_names_that_stay() -> None:
    async def main() -> None:
        journal, speaker = Journal(), Speaker('Green')
        async with fast_async() as memory:
            await memory.add('Likes green tea', user_id='ana', infer=False)
            agent = durable_agent(memory, journal, speaker)
            result = await journal.attempt(agent.run('Which tea do I like?'))
            assert result.output == 'Green'
            assert speaker.told == ['Likes green tea']
            assert (await stored(memory))[1:] == ['user: Which tea do I like?', 'assistant: Green']
        assert own(journal) == ['long_term_memory.remember', 'long_term_memory.recall', 'long_term_memory.remember']

    run(main())


def test_a_workflow_does_its_operations_one_after_another() -> None:
    async def main() -> None:
        journal = Journal()
        async with fast_async() as memory:
            agent = durable_agent(memory, journal, Speaker('Green'))
            await journal.attempt(agent.run('Which tea do I like?'))
        assert len(own(journal)) == 3
        assert not journal.together  # outside of a workflow the prompt is stored while what is known is looked up

    run(main())


def test_a_crash_between_recall_and_the_model_replays_without_a_second_read_or_write() -> None:
    async def main() -> None:
        journal, speaker = Journal(), Speaker(Crash(), 'Green')
        async with fast_async() as memory:
            await memory.add('Likes green tea', user_id='ana', infer=False)
            agent = durable_agent(memory, journal, speaker)
            with pytest.raises(Crash):
                await journal.attempt(agent.run('Which tea do I like?', run_id='r1', conversation_id='c1'))
            before = own(journal)
            await memory.add('Likes black tea', user_id='ana', infer=False)  # the replay goes on with what it had
            result = await journal.attempt(agent.run('Which tea do I like?', run_id='r1', conversation_id='c1'))
            assert before == ['long_term_memory.remember', 'long_term_memory.recall']
            assert own(journal) == [*before, 'long_term_memory.remember']
            assert result.output == 'Green'
            assert speaker.told == ['Likes green tea']
            assert len(blocks(result.all_messages())) == 1
            assert [text for text in await stored(memory) if 'Which' in text] == ['user: Which tea do I like?']

    run(main())


def test_a_step_that_is_done_twice_stores_once() -> None:
    async def main() -> None:
        async with fast_async() as memory:
            for _ in range(2):  # the engine lost its journal after the step
                agent = durable_agent(memory, journal := Journal(), Speaker('Green'))
                await journal.attempt(agent.run('I like tea', run_id='r1', conversation_id='c1'))
            assert await stored(memory) == ['user: I like tea', 'assistant: Green']

    run(main())


def test_tools_are_operations_too() -> None:
    async def main() -> None:
        journal = Journal()
        speaker = Speaker(('remember', {'fact': 'Likes tea'}), ('recall', {'query': 'tea'}), 'Noted')
        async with fast_async() as memory:
            agent = durable_agent(memory, journal, speaker, recall='tool', remember='tool')
            await journal.attempt(agent.run('I like tea'))
            assert len(await stored(memory)) == 1
        calls = [name for name in journal.done if 'call_tool' in name or name.startswith('long_term_memory')]
        assert len(calls) == 2

    run(main())
