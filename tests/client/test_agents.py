"""An agent moves from an embedded memory to one on a server by changing one line, and goes on when that is down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage

from _capability import Deps, Speaker, of_the_user
from _client import Remote, remote
from _server import process
from memoranda import AsyncClient, AsyncMemory, Client, Scope, StoreUnreachable
from memoranda.agents import LongTermMemory, MemorandaProvider, MemoryConfig, MemoryProvider


async def _known(memory: AsyncMemory) -> None:
    for words in ('home.city = Lisbon', 'has a dog called Rex', 'plays the cello in an orchestra'):
        await memory.add(words, user_id='ana')
    await memory.add('answer briefly', user_id='ana', infer=False, kind='instruction')
    await memory.add({'role': 'user', 'content': 'the dog is ill', 'trust': 'external'}, user_id='ana')
    await memory.add('dogs must stay outside', agent_id='guide')


async def _run(memory: Any, prompts: list[str], *, speaker: Speaker | None = None, **arguments: Any) -> Speaker:
    speaker = speaker or Speaker()
    arguments.setdefault('scope', of_the_user)
    agent = Agent(speaker.model, deps_type=Deps, capabilities=[LongTermMemory(memory, **arguments)])
    history: list[ModelMessage] = []
    for prompt in prompts:
        history = (await agent.run(prompt, deps=Deps(), message_history=history)).all_messages()
    return speaker


def _prompts(speaker: Speaker) -> list[str]:
    return [
        str(part.content)
        for message in speaker.requests[-1]
        for part in message.parts
        if hasattr(part, 'content') and part.part_kind != 'text'
    ]


@pytest.mark.parametrize(
    'arguments',
    [
        {},
        {'scope': Scope(user_id='ana', agent_id='guide')},
        {'config': MemoryConfig()},
        {'config': MemoryConfig(retrieval_strategy='hybrid', min_relevance_score=0.1, metadata={})},  # type: ignore[arg-type]
    ],
    ids=['plain', 'with an agent', 'a config', 'another config'],
)
def test_an_agent_is_told_the_same_embedded_and_remote(arguments: dict[str, Any]) -> None:
    async def main() -> None:
        asked = ['what is the name of my dog?', 'and where do I live?']
        async with remote() as at:
            await _known(at.memory)
            here = await _run(at.memory, asked[:1], remember='off', **arguments)
            async with at.client('writer') as client:
                there = await _run(client, asked[:1], remember='off', **arguments)
                assert _prompts(there) == _prompts(here)
                assert here.told
                here = await _run(at.memory, asked, remember='off', **arguments)
                there = await _run(client, asked, remember='off', **arguments)
                assert _prompts(there) == _prompts(here)

    asyncio.run(main())


def test_what_an_agent_hears_is_remembered_by_the_server_once() -> None:
    async def main() -> None:
        async with remote() as at, at.client('writer') as client:
            await _run(client, ['I like tea', 'I have a cat'])
            await client.flush(30)
            page = await at.memory.episodes(user_id='ana')
            assert [(e.role, e.text) for e in page.items] == [
                ('user', 'I like tea'),
                ('assistant', 'ok'),
                ('user', 'I have a cat'),
                ('assistant', 'ok'),
            ]

    asyncio.run(main())


def test_the_tools_of_a_model_reach_the_server() -> None:
    async def main() -> None:
        async with remote() as at:
            await _known(at.memory)
            async with at.client('writer') as client:
                answers: list[list[str]] = []
                for memory in (at.memory, client):
                    speaker = Speaker(('recall', {'query': 'the dog'}))
                    await _run(memory, ['hello'], speaker=speaker, recall='tool', remember='tool')
                    answers.append([text for text in _prompts(speaker) if 'Rex' in text])
                assert answers[0] == answers[1] != []
                speaker = Speaker(('remember', {'fact': 'Is allergic to nuts'}))
                await _run(client, ['I am allergic to nuts'], speaker=speaker, recall='tool', remember='tool')
                await client.flush(30)
                found = next(m for m in await at.memory.get_all(user_id='ana') if m.text == 'Is allergic to nuts')
                speaker = Speaker(('forget', {'memory_id': f'm:{found.id[-8:]}'}))
                await _run(client, ['forget the nuts'], speaker=speaker, recall='tool', remember='tool')
                assert 'Is allergic to nuts' not in [m.text for m in await at.memory.get_all(user_id='ana')]

    asyncio.run(main())


def test_a_provider_over_a_client_does_what_one_over_a_memory_does() -> None:
    async def main() -> None:
        async with remote() as at:
            await _known(at.memory)
            async with at.client() as client:
                here, there = MemorandaProvider(at.memory), MemorandaProvider(client)
                assert isinstance(there, MemoryProvider)
                calls: list[Callable[[MemorandaProvider], Any]] = [
                    lambda p: p.retrieve_memories('dog', user_id='ana', top_k=3),
                    lambda p: p.retrieve_memories('dog', agent_id='guide'),
                    lambda p: p.get_all_memories(user_id='ana'),
                    lambda p: p.get_all_memories(user_id='ana', agent_id='none'),
                ]
                for call in calls:
                    assert await call(there) == await call(here)
                stored = await there.store_memories('likes tea', user_id='ana')
                assert [m.memory for m in stored] == ['likes tea']
                assert await there.delete_memory(stored[0].id)
                assert not await there.delete_memory(stored[0].id)
                bound = MemorandaProvider(client.scoped(Scope(user_id='bo')))
                others = await at.memory.get_all(user_id='ana')
                assert not await bound.delete_memory(others.items[0].id)

    asyncio.run(main())


def test_the_blocking_client_serves_an_agent_too() -> None:
    async def main() -> None:
        async with remote() as at:
            await _known(at.memory)
            client = Client('http://testserver.localhost', api_key=at.server.key('writer'), transport=at.wire)
            speaker = await _run(client, ['what is the name of my dog?'])
            assert any('Lisbon' in line for line in speaker.told)
            client.close()

    asyncio.run(main())


async def _healed(at: Remote, client: AsyncClient) -> None:
    at.wire.down = False
    assert await client.flush(60) == 0


def test_an_agent_goes_on_when_the_server_is_down_and_nothing_it_heard_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async with remote() as at, at.client('writer', retries=0) as client:
            await _known(at.memory)
            await _run(client, ['hello'])
            at.wire.down = True
            caplog.clear()
            speaker = await _run(client, ['I like tea', 'I have a cat'])
            assert speaker.told == []
            warnings = [r for r in caplog.records if r.levelno >= logging.WARNING]
            assert len(warnings) == 1, [r.getMessage() for r in warnings]
            assert 'the server can not be reached (StoreUnreachable)' in warnings[0].getMessage()
            await _healed(at, client)
            assert 'the server can be reached again' in caplog.text
            page = await at.memory.episodes(user_id='ana')
            assert [e.text for e in page.items if e.role == 'user'][-2:] == ['I like tea', 'I have a cat']
            speaker = await _run(client, ['what do you know of tea?'])
            assert speaker.told != []

    caplog.set_level(logging.INFO, logger='memoranda')
    asyncio.run(main())


def test_reads_and_background_adds_do_without_a_server_and_say_so() -> None:
    async def main() -> None:
        async with remote() as at, at.client(retries=0) as client:
            at.wire.down = True
            hits = await client.search('tea', user_id='ana')
            assert (hits, hits.degraded) == ([], 'storage: StoreUnreachable')
            block = await client.context('tea', user_id='ana')
            assert (block.text, block.degraded) == ('', 'storage: StoreUnreachable')
            first = await client.add('likes tea', user_id='ana', background=True)
            second = await client.add('likes cats', user_id='ana', background=True)
            assert (first.status, second.status, first.error) == ('unsaved', 'unsaved', 'StoreUnreachable')
            with pytest.raises(TimeoutError):
                await first.wait(0.01)
            with pytest.raises(StoreUnreachable):
                await client.add('waits', user_id='ana')
            with pytest.raises(StoreUnreachable):
                await client.get_all(user_id='ana')
            at.wire.down = False
            assert [m.text for m in (await second.wait(60)).memories] == ['likes cats']
            assert (await first.wait(60)).status == 'done'
            told = [e.text for e in (await at.memory.episodes(user_id='ana')).items]
            assert told == ['likes tea', 'likes cats']

    asyncio.run(main())


def test_with_errors_raise_nothing_is_kept() -> None:
    async def main() -> None:
        async with remote() as at, at.client(retries=0, errors='raise') as client:
            at.wire.down = True
            for call in (client.search('tea', user_id='ana'), client.add('x', user_id='ana', background=True)):
                with pytest.raises(StoreUnreachable):
                    await call

    asyncio.run(main())


def test_what_could_not_be_sent_before_the_end_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with remote() as at:
            client = at.client(retries=0)
            at.wire.down = True
            receipt = await client.add('likes tea', user_id='ana', background=True)
            await client.close()
            outcome = await receipt.wait(5)
            assert outcome.status == 'unsaved'
            assert 'closed' in (outcome.error or '')

    asyncio.run(main())
    assert '1 adds could not be sent' in caplog.text
    assert 'likes tea' not in caplog.text


def test_a_kept_add_that_the_server_refuses_does_not_hold_up_the_others() -> None:
    async def main() -> None:
        async with remote() as at, at.client(retries=0) as client:
            at.wire.down = True
            refused = await client.add('x', user_id='ana', background=True, kind='Not A Kind')
            fine = await client.add('likes tea', user_id='ana', background=True)
            at.wire.down = False
            assert (await fine.wait(60)).status == 'done'
            outcome = await refused.wait(5)
            assert outcome.status == 'dropped'
            assert (outcome.error or '').startswith('InvalidInput')

    asyncio.run(main())


def test_an_agent_goes_on_when_its_server_process_ends_in_the_middle(tmp_path: Path) -> None:
    async def main() -> None:
        with process(tmp_path / 'm.db', parts=('memoranda.server.native',)) as server:
            async with AsyncClient(server.url, api_key=server.key('admin'), retries=1) as client:
                await client.add('home.city = Lisbon', user_id='ana')
                receipt = await client.add('has a dog called Rex', user_id='ana', background=True)
                assert (await receipt.wait(60)).status == 'done'
                speaker = await _run(client, ['what is the name of my dog?'])
                assert any('Lisbon' in line for line in speaker.told)
                await asyncio.to_thread(server.stop)
                speaker = await _run(client, ['I like tea'])
                assert speaker.told == []
                with pytest.raises(StoreUnreachable):
                    await client.get_all(user_id='ana')

    asyncio.run(main())
