"""The shapes of the provider protocol, as tutorials use them."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
import sys
from typing import Any

import pytest
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart

from _fakes import subprocess_environment
from memoranda import ConfigurationError
from memoranda.agents import (
    BaseMemoryProvider,
    MemorandaProvider,
    MemoryConfig,
    MemoryContext,
    MemoryProvider,
    MemoryScope,
    RetrievalStrategy,
    RetrievedMemory,
    StoredMemory,
)

SAID: list[ModelMessage] = [
    ModelRequest(parts=[UserPromptPart(content='Hello')]),
    ModelResponse(parts=[TextPart(content='Hi there')]),
]


class Shelf(BaseMemoryProvider):
    """A provider of a user's own: two memories, and it notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.found = [RetrievedMemory('1', 'Likes tea', 0.9), RetrievedMemory('2', 'Plays the cello', 0.8)]

    async def retrieve_memories(
        self, query: str, *, user_id=None, agent_id=None, run_id=None, top_k=5, metadata=None
    ) -> list[RetrievedMemory]:
        self.asked.append({'query': query, 'user_id': user_id, 'top_k': top_k, 'metadata': metadata})
        return self.found

    async def store_memories(
        self, messages: list[ModelMessage], *, user_id=None, agent_id=None, run_id=None, metadata=None
    ) -> list[StoredMemory]:
        self.asked.append({'messages': messages, 'user_id': user_id, 'metadata': metadata})
        return [StoredMemory('3', 'Says hello')]

    async def get_all_memories(self, *, user_id=None, agent_id=None, run_id=None, limit=None) -> list[RetrievedMemory]:
        self.asked.append({'limit': limit})
        return self.found

    async def delete_memory(self, memory_id: str) -> bool:
        self.asked.append({'delete': memory_id})
        return True


def test_a_retrieved_memory_needs_only_an_id_and_its_words() -> None:
    memory = RetrievedMemory(id='m', memory='User likes Python')
    assert (memory.score, memory.metadata, memory.created_at) == (1.0, {}, None)
    assert repr(memory) == "RetrievedMemory(id='m', memory='User likes Python', score=1.0)"
    assert RetrievedMemory('m', 'x', metadata=None).metadata == {}  # type: ignore[arg-type]


def test_a_stored_memory_was_added_unless_it_says_otherwise() -> None:
    memory = StoredMemory(id='m', memory='User prefers dark mode')
    assert (memory.event, memory.metadata) == ('ADD', {})
    assert repr(memory) == "StoredMemory(id='m', memory='User prefers dark mode', event='ADD')"
    assert StoredMemory('m', 'x', 'UPDATE', {'importance': 'high'}).metadata == {'importance': 'high'}


def test_the_defaults_of_a_config_store_and_retrieve_for_the_user() -> None:
    config = MemoryConfig()
    assert (config.auto_store, config.auto_retrieve, config.memory_summary_in_system) == (True, True, True)
    assert config.retrieval_strategy == RetrievalStrategy.SEMANTIC_SEARCH == 'semantic_search'
    assert config.scope == MemoryScope.USER == 'user'
    assert (config.top_k, config.min_relevance_score, config.store_after_turns, config.metadata) == (5, 0.0, 1, {})


def test_a_config_takes_members_and_their_values_alike() -> None:
    by_value = MemoryConfig(retrieval_strategy='hybrid', scope='agent')  # type: ignore[arg-type]
    assert by_value == MemoryConfig(retrieval_strategy=RetrievalStrategy.HYBRID, scope=MemoryScope.AGENT)


@pytest.mark.parametrize(
    ('field', 'value', 'said'),
    [
        ('top_k', 0, 'top_k must be at least 1'),
        ('top_k', 1_001, 'at most 1,000'),
        ('top_k', '5', 'top_k'),
        ('top_k', True, 'top_k'),
        ('min_relevance_score', -0.1, 'min_relevance_score must be between 0.0 and 1.0'),
        ('min_relevance_score', 1.1, 'min_relevance_score must be between 0.0 and 1.0'),
        ('min_relevance_score', float('nan'), 'min_relevance_score'),
        ('store_after_turns', 0, 'store_after_turns must be at least 1'),
        ('retrieval_strategy', 'psychic', 'use one of semantic_search, recency, hybrid'),
        ('scope', 'planet', 'use one of user, agent, run, global'),
        ('auto_store', 'no', 'pass True or False'),
        ('metadata', ['x'], 'pass a dict'),
    ],
)
def test_a_config_refuses_what_can_not_be_used(field: str, value: object, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        MemoryConfig(**{field: value})  # type: ignore[arg-type]
    assert field in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_a_config_can_not_be_changed_into_one_that_was_never_checked() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        MemoryConfig().top_k = 0  # type: ignore[misc]
    with pytest.raises(ConfigurationError):
        dataclasses.replace(MemoryConfig(), top_k=0)


def test_whatever_has_the_four_methods_is_a_provider() -> None:
    class Plain:
        async def retrieve_memories(self, query, **ids):
            return []

        async def store_memories(self, messages, **ids):
            return []

        async def get_all_memories(self, **ids):
            return []

        async def delete_memory(self, memory_id):
            return False

    assert isinstance(Plain(), MemoryProvider)
    assert isinstance(Shelf(), MemoryProvider)
    assert isinstance(MemorandaProvider(':memory:'), MemoryProvider)
    assert not isinstance(object(), MemoryProvider)


def test_a_provider_that_lacks_a_method_can_not_be_made() -> None:
    class Half(BaseMemoryProvider):
        async def delete_memory(self, memory_id: str) -> bool:
            return False

    with pytest.raises(TypeError, match='retrieve_memories'):
        Half()  # type: ignore[abstract]


def test_a_context_keeps_what_went_through_it() -> None:
    async def main() -> None:
        shelf = Shelf()
        context = MemoryContext(shelf)
        assert (context.provider, context.retrieved_memories, context.stored_memories) == (shelf, [], [])
        found = await context.search('tea', user_id='ana', top_k=10, metadata={'k': 'v'})
        await context.search('music')
        assert [m.memory for m in found] == ['Likes tea', 'Plays the cello']
        assert len(context.retrieved_memories) == 4
        assert shelf.asked[0] == {'query': 'tea', 'user_id': 'ana', 'top_k': 10, 'metadata': {'k': 'v'}}
        await context.add(messages=SAID, user_id='ana', metadata={'importance': 'high'})
        assert [m.memory for m in context.stored_memories] == ['Says hello']
        assert shelf.asked[2] == {'messages': SAID, 'user_id': 'ana', 'metadata': {'importance': 'high'}}
        assert len(await context.get_all(limit=10)) == 2
        assert await context.delete('1') is True
        assert shelf.asked[3:] == [{'limit': 10}, {'delete': '1'}]

    asyncio.run(main())


def test_the_old_module_of_providers_is_there_too() -> None:
    from memoranda.agents import Mem0Provider, providers

    assert providers.MemorandaProvider is MemorandaProvider
    assert providers.Mem0Provider is Mem0Provider


def test_providers_need_no_pydantic_ai() -> None:
    program = """
import sys
sys.modules['pydantic_ai'] = None
import asyncio
from memoranda.agents import Mem0Provider, MemorandaProvider, MemoryConfig, MemoryContext

async def main():
    async with MemorandaProvider(':memory:') as memory:
        await memory.store_memories([{'role': 'user', 'content': 'My name is Alice'}], user_id='ana')
        print((await MemoryContext(memory).search('user name', user_id='ana'))[0].memory)

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, '-c', program], env=subprocess_environment(), capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ('Name is Alice', '')
