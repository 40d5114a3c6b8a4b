"""A memory that fails: tools say so, and never pass it off as nothing known."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from mcp import MCPError

from _fakes import fast_async
from _mcp import call, connected, failing, text_of
from _outages import Flaky, locked
from memoranda.settings import Settings


def test_without_its_embedder_a_search_goes_by_words_and_says_so() -> None:
    async def main() -> None:
        embedder = Flaky()
        async with fast_async(embedder=embedder) as memory, connected(memory) as client:
            await memory.add('Zebulon grows oolong', user_id='ana')
            embedder.error = OSError('no route')
            result = await client.call_tool('memory_search', {'query': 'oolong'})
            assert 'Zebulon' in text_of(result)
            assert 'something may be missing' in text_of(result)
            assert result.structured_content['degraded'].startswith('embedder')
            assert 'stored' in await failing(client, 'memory_add', fact='Likes tea')
            embedder.error = None

    asyncio.run(main())


@pytest.mark.parametrize('errors', ['degrade', 'raise'])
def test_a_storage_that_is_locked_is_told(tmp_path: Path, errors: str) -> None:
    path = tmp_path / 'memory.db'

    async def main() -> None:
        async with fast_async(path) as memory:
            await memory.add('Zebulon grows oolong', user_id='ana')
        settings = Settings(busy_timeout=0.05, degrade_seconds=0.2, errors=errors, workers=0)
        memory = fast_async(path, settings=settings)
        with locked(path, wholly=True):
            async with connected(memory) as client:
                for name, arguments in {
                    'memory_search': {'query': 'oolong'},
                    'memory_list': {},
                    'memory_add': {'fact': 'Likes tea'},
                }.items():
                    reason = await failing(client, name, **arguments)
                    assert 'The memory does not work now' in reason, name
                    assert str(tmp_path) not in reason
                for uri in ('memoranda://profile', 'memoranda://recent'):
                    with pytest.raises(MCPError, match='does not work now'):
                        await client.read_resource(uri)
                with pytest.raises(MCPError, match='does not work now'):
                    await client.get_prompt('memory_context', {'topic': 'tea'})
        async with connected(memory) as client:
            assert (await call(client, 'memory_list'))['facts'][0]['text'] == 'Zebulon grows oolong'
        await memory.close()

    asyncio.run(main())
