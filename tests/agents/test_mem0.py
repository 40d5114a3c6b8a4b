"""`Mem0Provider`, against clients with the signatures of Mem0's and a server with its wire protocol.

Where `mem0ai` is installed its own clients are used too.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import threading
import types
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ToolReturnPart, UserPromptPart
from pydantic_ai.models.test import TestModel

from agents import _mem0
from agents._mem0 import Shelf
from memoranda import ConfigurationError, InvalidFilter, InvalidInput, InvalidScope, Scope, StoreError
from memoranda.agents import LongTermMemory, Mem0Provider, MemoryConfig, MemoryProvider

HOSTED = [_mem0.AsyncMemoryClient, _mem0.MemoryClient]
LIBRARY = [_mem0.AsyncMemory, _mem0.Memory]
agent = Agent(TestModel(custom_output_text='Noted.'))


def words(found: Any) -> list[str]:
    return [memory.memory for memory in found]


@pytest.fixture
def mem0(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module of that name with the stand-ins in it."""
    module = types.ModuleType('mem0')
    module.__spec__ = ModuleSpec('mem0', None)
    for kind in (*HOSTED, *LIBRARY):
        setattr(module, kind.__name__, kind)
    monkeypatch.setitem(sys.modules, 'mem0', module)
    monkeypatch.delenv('MEM0_API_KEY', raising=False)
    monkeypatch.setenv('MEM0_TELEMETRY', 'False')
    return module


@pytest.mark.parametrize('kind', [*HOSTED, *LIBRARY])
def test_each_of_its_clients_stores_finds_lists_and_deletes(kind: type) -> None:
    async def main() -> None:
        shelf = Shelf()
        provider = Mem0Provider(client=kind(shelf=shelf), infer=False)
        assert isinstance(provider, MemoryProvider)
        stored = await provider.store_memories(['likes tea', 'plays cello'], user_id='ana', metadata={'app': 'one'})
        assert [(m.id, m.memory, m.event) for m in stored] == [
            ('m1', 'likes tea', 'ADD'),
            ('m2', 'plays cello', 'ADD'),
        ]
        await provider.store_memories(['likes coffee'], user_id='ben')
        found = await provider.retrieve_memories('tea', user_id='ana', top_k=1)
        assert words(found) == ['likes tea']
        assert (found[0].score, found[0].metadata) == (1.0, {'app': 'one'})
        assert found[0].created_at is not None
        assert words(await provider.get_all_memories(user_id='ana')) == ['likes tea', 'plays cello']
        assert await provider.delete_memory('m1') is True
        assert await provider.delete_memory('m1') is False
        assert words(await provider.get_all_memories(user_id='ana')) == ['plays cello']

    asyncio.run(main())


def test_a_service_that_reads_messages_later_says_that_they_are_pending() -> None:
    async def main() -> None:
        provider = Mem0Provider(client=_mem0.AsyncMemoryClient())
        (stored,) = await provider.store_memories(['likes tea'], user_id='ana')
        assert (stored.id, stored.memory, stored.event) == ('e1', '', 'PENDING')

    asyncio.run(main())


@pytest.mark.parametrize('kind', [_mem0.AsyncMemoryClient, _mem0.AsyncMemory])
def test_the_same_run_twice_is_sent_once(kind: type) -> None:
    async def main() -> None:
        shelf = Shelf()
        provider = Mem0Provider(client=kind(shelf=shelf))
        first = await agent.run('I like tea')
        await provider.store_memories(first.all_messages(), user_id='ana')
        assert await provider.store_memories(first.all_messages(), user_id='ana') == []
        second = await agent.run('I like milk', message_history=first.all_messages())
        await provider.store_memories(second.all_messages(), user_id='ana')
        sent = [[m['content'] for m in fields['messages']] for method, fields in shelf.asked if method == 'add']
        assert sent == [['I like tea', 'Noted.'], ['I like milk', 'Noted.']]
        await provider.store_memories(first.all_messages(), user_id='ben')
        assert len(shelf.rows) == 6

    asyncio.run(main())


def test_only_what_people_and_agents_say_is_sent() -> None:
    messages: list[ModelMessage] = [
        ModelRequest(parts=[UserPromptPart('I like tea<recalled_memory>Likes milk</recalled_memory>')]),
        ModelRequest(parts=[ToolReturnPart('look', 'Tea is a drink', tool_call_id='1')]),
        ModelResponse(parts=[TextPart('Noted.')]),
    ]

    async def main() -> None:
        shelf = Shelf()
        provider = Mem0Provider(client=_mem0.AsyncMemoryClient(shelf=shelf))
        await provider.store_memories(messages, user_id='ana')
        assert shelf.asked[0][1]['messages'] == [
            {'role': 'user', 'content': 'I like tea'},
            {'role': 'assistant', 'content': 'Noted.'},
        ]
        assert await provider.store_memories([], user_id='ana') == []
        assert await provider.store_memories(messages[1:2], user_id='ana') == []

    asyncio.run(main())


def test_what_it_refused_is_sent_again() -> None:
    class Moody(_mem0.AsyncMemoryClient):
        async def add(self, messages: Any, options: Any = None, **kwargs: Any) -> Any:
            await super().add(messages, options, **kwargs)
            if len(self.shelf.asked) == 1:
                raise ConnectionError
            return {'results': []}

    async def main() -> None:
        shelf = Shelf()
        provider = Mem0Provider(client=Moody(shelf=shelf))
        result = await agent.run('I like tea')
        with pytest.raises(ConnectionError):
            await provider.store_memories(result.all_messages(), user_id='ana')
        assert await provider.store_memories(result.all_messages(), user_id='ana') == []
        assert len(shelf.asked) == 2

    asyncio.run(main())


@pytest.mark.parametrize('kind', [*HOSTED, *LIBRARY])
def test_rows_of_others_are_left_out_even_when_the_store_hands_them_over(kind: type) -> None:
    async def main() -> None:
        shelf = Shelf()
        provider = Mem0Provider(client=kind(shelf=shelf))
        await provider.store_memories(['likes tea'], user_id='ana', run_id='one', metadata={'app': 'one'})
        await provider.store_memories(['hates tea'], user_id='ben')
        shelf.leaks = True
        assert words(await provider.retrieve_memories('tea', user_id='ana')) == ['likes tea']
        assert words(await provider.get_all_memories(user_id='ben')) == ['hates tea']
        assert await provider.retrieve_memories('tea', user_id='ana', run_id='two') == []
        assert await provider.get_all_memories(user_id='ana', run_id='two') == []
        assert await provider.retrieve_memories('tea', user_id='ana', metadata={'app': 'two'}) == []

    asyncio.run(main())


@pytest.mark.parametrize('ids', [{}, {'user_id': '*'}, {'user_id': ''}, {'user_id': 'ana', 'run_id': '*'}])
def test_a_wildcard_or_no_id_never_reaches_it(ids: dict[str, str]) -> None:
    async def main() -> None:
        shelf = Shelf()
        provider = Mem0Provider(client=_mem0.AsyncMemoryClient(shelf=shelf))
        for call in (
            provider.retrieve_memories('tea', **ids),  # type: ignore[arg-type]
            provider.store_memories(['tea'], **ids),  # type: ignore[arg-type]
            provider.get_all_memories(**ids),  # type: ignore[arg-type]
        ):
            with pytest.raises(InvalidScope):
                await call
        assert shelf.asked == []

    asyncio.run(main())


@pytest.mark.parametrize(
    'metadata',
    [{'user_id': 'ben'}, {'AND': [{'user_id': 'ben'}]}, {'NOT': 'x'}, {'app': '*'}, {'app': {'ne': 'x'}}, {'*': 'x'}],
)
def test_metadata_can_not_be_taken_for_ids_or_operators(metadata: dict[str, Any]) -> None:
    async def main() -> None:
        provider = Mem0Provider(client=_mem0.AsyncMemory())
        with pytest.raises(InvalidFilter):
            await provider.retrieve_memories('tea', user_id='ana', metadata=metadata)

    asyncio.run(main())


def test_a_bound_provider_stays_with_its_ids() -> None:
    async def main() -> None:
        shelf = Shelf()
        both = Mem0Provider(client=_mem0.AsyncMemoryClient(shelf=shelf))
        ana = Mem0Provider(client=_mem0.AsyncMemoryClient(shelf=shelf), scope=Scope(user_id='ana'))
        await ana.store_memories(['likes tea'])
        await both.store_memories(['hates tea'], user_id='ben')
        assert words(await ana.retrieve_memories('tea')) == ['likes tea']
        with pytest.raises(InvalidScope):
            await ana.get_all_memories(user_id='ben')
        assert await ana.delete_memory('m2') is False
        assert await ana.delete_memory('none') is False
        assert await ana.delete_memory('m1') is True
        assert set(shelf.rows) == {'m2'}

    asyncio.run(main())


def test_the_config_of_a_provider_counts_in_its_calls() -> None:
    async def main() -> None:
        shelf = Shelf()
        config = MemoryConfig(min_relevance_score=0.7, metadata={'app': 'one'})
        provider = Mem0Provider(client=_mem0.AsyncMemoryClient(shelf=shelf))
        await provider.store_memories(['green tea'], user_id='ana', metadata={'app': 'one'})
        await provider.store_memories(['green tea'], user_id='ana', metadata={'app': 'two'})
        await provider.store_memories(['green'], user_id='ana', metadata={'app': 'one'})
        provider.config = config
        found = await provider.retrieve_memories('green tea', user_id='ana')
        assert [m.id for m in found] == ['m1']
        assert shelf.asked[-1][1]['threshold'] == 0.7
        assert len(await provider.get_all_memories(user_id='ana')) == 2

    asyncio.run(main())


def test_long_lists_are_read_page_by_page() -> None:
    async def main() -> None:
        shelf = Shelf()
        provider = Mem0Provider(client=_mem0.AsyncMemoryClient(shelf=shelf))
        await provider.store_memories([f'fact {i}' for i in range(450)], user_id='ana')
        assert len(await provider.get_all_memories(user_id='ana')) == 450
        assert len([1 for method, _ in shelf.asked if method == 'get_all']) == 3
        assert len(await provider.get_all_memories(user_id='ana', limit=250)) == 250
        assert len(await provider.get_all_memories(user_id='ana', limit=3)) == 3

    asyncio.run(main())


@pytest.mark.parametrize('answer', ['<html>', None, 7, {'results': 'none'}, {'results': {'a': 1}}])
def test_an_answer_that_is_none_is_an_error_and_not_an_empty_memory(answer: object) -> None:
    class Odd(_mem0.AsyncMemoryClient):
        async def search(self, query: str, options: Any = None, **kwargs: Any) -> Any:
            return answer

    async def main() -> None:
        with pytest.raises(StoreError, match='Mem0 answered'):
            await Mem0Provider(client=Odd()).retrieve_memories('tea', user_id='ana')

    asyncio.run(main())


def test_entries_that_can_not_be_used_are_left_out() -> None:
    rows = [None, 'x', {}, {'id': '1'}, {'id': '2', 'memory': 3}, {'id': 3, 'memory': 'tea', 'score': None}]

    class Odd(_mem0.AsyncMemoryClient):
        async def search(self, query: str, options: Any = None, **kwargs: Any) -> Any:
            return {'results': rows}

    async def main() -> None:
        (found,) = await Mem0Provider(client=Odd()).retrieve_memories('tea', user_id='ana')
        assert (found.id, found.memory, found.score, found.metadata) == ('3', 'tea', 1.0, {})

    asyncio.run(main())


def test_its_errors_are_raised_unless_they_are_to_be_ignored(caplog) -> None:
    class Down(_mem0.AsyncMemoryClient):
        async def search(self, query: str, options: Any = None, **kwargs: Any) -> Any:
            raise ConnectionError(f'no answer to {query}')

    async def main() -> None:
        with pytest.raises(ConnectionError):
            await Mem0Provider(client=Down()).retrieve_memories('my secret', user_id='ana')
        quiet = Mem0Provider(client=Down(), errors='ignore')
        assert await quiet.retrieve_memories('my secret', user_id='ana') == []

    with caplog.at_level(logging.WARNING, logger='memoranda'):
        asyncio.run(main())
    assert 'retrieve_memories of Mem0Provider failed (ConnectionError)' in caplog.text
    assert 'secret' not in caplog.text


@pytest.mark.parametrize('given', [{'query': '  '}, {'top_k': 0}, {'top_k': 1001}])
def test_arguments_that_can_not_be_used_are_refused(given: dict[str, Any]) -> None:
    async def main() -> None:
        with pytest.raises(InvalidInput):
            await Mem0Provider(client=_mem0.AsyncMemory()).retrieve_memories(**{'query': 'tea', **given}, user_id='ana')

    asyncio.run(main())


def test_a_key_and_a_host_make_a_client_for_them_on_first_use(mem0) -> None:
    async def use(address: str) -> Any:
        provider = Mem0Provider(api_key='secret-key', host=address)
        await provider.store_memories(['likes tea'], user_id='ana')
        return provider

    made: list[Any] = []

    class Noted(_mem0.AsyncMemoryClient):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            made.append(self)

    mem0.AsyncMemoryClient = Noted
    with _mem0.serving(Shelf()) as address:
        provider = asyncio.run(use(address))
        assert (made[0].api_key, made[0].host) == ('secret-key', address)
        asyncio.run(provider.store_memories(['likes milk'], user_id='ana'))  # another loop: another connection
        assert len(made) == 2


def test_a_host_may_be_its_open_source_server(mem0) -> None:
    shelf = Shelf()

    async def use(address: str) -> None:
        async with Mem0Provider(api_key='secret-key', host=address, infer=False) as provider:
            stored = await provider.store_memories(['likes tea'], user_id='ana', metadata={'app': 'one'})
            await provider.store_memories(['hates tea'], user_id='ana', metadata={'app': 'two'})
            assert [(m.event, m.memory) for m in stored] == [('ADD', 'likes tea')]
            found = await provider.retrieve_memories('tea', user_id='ana', metadata={'app': 'one'})
            assert words(found) == ['likes tea']
            assert words(await provider.get_all_memories(user_id='ana')) == ['likes tea', 'hates tea']
            assert await provider.get_all_memories(user_id='ben') == []
            bound = Mem0Provider(api_key='secret-key', host=address, scope=Scope(user_id='ben'))
            assert await bound.delete_memory('m1') is False
            assert await bound.delete_memory('none') is False
            await bound.aclose()
            assert await provider.delete_memory('m1') is True
            assert await provider.delete_memory('m1') is False
        async with Mem0Provider(api_key='wrong', host=address) as provider:
            with pytest.raises(StoreError, match='status 401'):
                await provider.retrieve_memories('tea', user_id='ana')

    with _mem0.serving(shelf, open_source=True) as address:
        asyncio.run(use(address))


def test_a_dict_makes_the_open_source_library_which_is_closed_again(mem0) -> None:
    config = {'vector_store': {'provider': 'pinecone', 'config': {'collection_name': 'm'}}}

    async def main() -> None:
        async with Mem0Provider(config=config) as provider:
            await provider.store_memories(['likes tea'], user_id='ana')
            assert words(await provider.get_all_memories(user_id='ana')) == ['likes tea']
        assert _mem0.AsyncMemory.made.config == config
        assert _mem0.AsyncMemory.made.closed

    asyncio.run(main())


def test_its_usage_reports_are_off_unless_somebody_wants_them(mem0, monkeypatch) -> None:
    for wanted in (None, 'True'):
        if wanted is None:
            monkeypatch.delenv('MEM0_TELEMETRY')
        else:
            monkeypatch.setenv('MEM0_TELEMETRY', wanted)
        asyncio.run(Mem0Provider(config={}).store_memories(['likes tea'], user_id='ana'))
        assert os.environ['MEM0_TELEMETRY'] == (wanted or 'False')


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        ({}, 'MEM0_API_KEY'),
        ({'host': 'http://127.0.0.1:1'}, 'any word'),
        ({'config': {}, 'api_key': 'k'}, 'pass one of them'),
        ({'config': 'pinecone'}, 'pass a dict'),
        ({'client': object()}, 'none of Mem0'),
        ({'client': _mem0.AsyncMemory(), 'api_key': 'k'}, 'pass one of them'),
        ({'api_key': 'k', 'errors': 'panic'}, 'errors'),
    ],
)
def test_what_can_not_be_used_is_told_when_it_is_made(mem0, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Mem0Provider(**arguments)


def test_without_mem0_it_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, 'mem0', None)
    for arguments in ({'api_key': 'k'}, {'config': {}}):
        with pytest.raises(ConfigurationError, match=r'pip install "memoranda\[mem0\]"'):
            Mem0Provider(**arguments)  # type: ignore[arg-type]


def test_an_agent_uses_it_as_its_memory() -> None:
    async def main() -> None:
        shelf = Shelf()
        provider = Mem0Provider(client=_mem0.AsyncMemoryClient(shelf=shelf))
        ours: Agent[None, str] = Agent(
            TestModel(custom_output_text='Noted.'),
            capabilities=[LongTermMemory(provider, scope=Scope(user_id='ana'))],
        )
        await ours.run('I like tea')
        result = await ours.run('tea?')
        assert 'I like tea' in str(result.all_messages()[1])
        assert [fields['user_id'] for method, fields in shelf.asked if method == 'add'] == ['ana', 'ana']

    asyncio.run(main())


@pytest.mark.parametrize('where', ['constructor', 'call'])
def test_a_client_that_blocks_holds_no_run_up(mem0, where: str) -> None:
    gone = threading.Event()

    class Blocking(_mem0.MemoryClient):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            if where == 'constructor':
                gone.wait(60)

        def search(self, query: str, options: Any = None, **kwargs: Any) -> Any:
            gone.wait(60)
            return super().search(query, options, **kwargs)

    mem0.AsyncMemoryClient = Blocking

    async def main() -> None:
        capability = LongTermMemory(
            Mem0Provider(api_key='k'),
            scope=Scope(user_id='ana'),
            timeout=0.01,
            config=MemoryConfig(auto_store=False),
        )
        ours: Agent[None, str] = Agent(TestModel(custom_output_text='Noted.'), capabilities=[capability])
        try:
            assert (await ours.run('tea?')).output == 'Noted.'
        finally:
            gone.set()

    asyncio.run(main())


# With Mem0's own clients, where they are installed.


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch, own_environment) -> Iterator[Any]:
    monkeypatch.setenv('MEM0_TELEMETRY', 'False')
    monkeypatch.setenv('MEM0_DIR', str(own_environment / 'mem0'))
    yield pytest.importorskip('mem0')
    gc.collect()  # it leaves connections open, which must not be told of some later test


@pytest.mark.filterwarnings('ignore')
def test_the_real_client_talks_to_a_server_of_ones_own(real) -> None:
    shelf = Shelf()

    async def use(address: str) -> None:
        async with Mem0Provider(api_key='secret-key', host=address) as provider:
            result = await agent.run('I like tea')
            (stored,) = await provider.store_memories(
                result.all_messages(), user_id='ana', run_id='one', metadata={'app': 'one'}
            )
            assert stored.event == 'PENDING'
            assert await provider.store_memories(result.all_messages(), user_id='ana', run_id='one') == []
            found = await provider.retrieve_memories('tea', user_id='ana', metadata={'app': 'one'}, top_k=1)
            assert words(found) == ['I like tea']
            assert words(await provider.get_all_memories(user_id='ana', run_id='one')) == ['I like tea', 'Noted.']
            assert await provider.retrieve_memories('tea', user_id='ben') == []
            assert await provider.delete_memory('m1') is True
            assert await provider.delete_memory('m1') is False

    with _mem0.serving(shelf) as address:
        asyncio.run(use(address))
        with pytest.raises(ValueError, match='bad key'):
            asyncio.run(Mem0Provider(api_key='wrong', host=address).retrieve_memories('tea', user_id='ana'))


@pytest.mark.filterwarnings('ignore')
def test_the_real_library_keeps_memories_in_a_store_of_its_own(real, tmp_path) -> None:
    async def use(address: str) -> None:
        served = {'api_key': 'x', 'openai_base_url': f'{address}/v1'}
        config = {
            'embedder': {'provider': 'openai', 'config': {**served, 'embedding_dims': 64}},
            'llm': {'provider': 'openai', 'config': served},
            'vector_store': {
                'provider': 'qdrant',
                'config': {'path': str(tmp_path / 'vectors'), 'embedding_model_dims': 64},
            },
            'history_db_path': str(tmp_path / 'history.db'),
        }
        async with Mem0Provider(config=config, infer=False) as provider:
            stored = await provider.store_memories(['likes green tea'], user_id='ana', metadata={'app': 'one'})
            await provider.store_memories(['likes black tea'], user_id='ana', run_id='two', metadata={'app': 'two'})
            await provider.store_memories(['hates tea'], user_id='ben')
            assert [(m.event, m.memory) for m in stored] == [('ADD', 'likes green tea')]
            found = await provider.retrieve_memories('tea', user_id='ana', metadata={'app': 'one'})
            assert words(found) == ['likes green tea']
            assert found[0].metadata == {'app': 'one'}
            assert words(await provider.retrieve_memories('tea', user_id='ana', run_id='two')) == ['likes black tea']
            assert words(await provider.get_all_memories(user_id='ana')) == ['likes green tea', 'likes black tea']
            assert await provider.delete_memory('00000000-0000-0000-0000-000000000000') is False
            assert await provider.delete_memory(stored[0].id) is True
            assert words(await provider.get_all_memories(user_id='ana')) == ['likes black tea']

    with _mem0.serving(Shelf()) as address:
        asyncio.run(use(address))
