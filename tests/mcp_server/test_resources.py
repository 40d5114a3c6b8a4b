"""Resources and the prompt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from mcp import Client, MCPError

from _fakes import fast_async
from _mcp import ERAS, connected
from memoranda import AsyncMemory

Check = Callable[[AsyncMemory], Awaitable[None]]


def played(check: Check) -> None:
    async def main() -> None:
        async with fast_async() as memory:
            await memory.add('home.city = Lisbon', user_id='ana')
            await memory.add('Met Carla at noon', infer=False, kind='event', user_id='ana')
            await memory.add('Speaks German', infer=False, kind='profile', user_id='ben/../ana')
            await check(memory)

    asyncio.run(main())


async def text_at(client: Client, uri: str) -> str:
    (content,) = (await client.read_resource(uri)).contents
    assert content.mime_type == 'text/plain'
    return content.text


@pytest.mark.parametrize('mode', ERAS)
def test_profile_recent_memories_and_single_ones_can_be_attached(mode: str) -> None:
    async def check(memory: AsyncMemory) -> None:
        async with connected(memory, mode=mode) as client:
            listed = [str(r.uri) for r in (await client.list_resources()).resources]
            assert listed == ['memoranda://profile', 'memoranda://recent']
            (template,) = (await client.list_resource_templates()).resource_templates
            assert template.uri_template == 'memoranda://memories/{memory_id}'
            profile = await text_at(client, listed[0])
            assert 'home.city is Lisbon' in profile
            assert 'Carla' not in profile
            recent = await text_at(client, listed[1])
            assert recent.index('Carla') < recent.index('Lisbon')
            assert recent.startswith('<recalled_memory>')
            memory_id = (await memory.get_all(user_id='ana')).items[0].id
            assert 'Lisbon' in await text_at(client, f'memoranda://memories/{memory_id}')

    played(check)


def test_where_ids_are_not_fixed_the_address_names_the_user() -> None:
    async def check(memory: AsyncMemory) -> None:
        async with connected(memory, fixed=None) as client:
            assert (await client.list_resources()).resources == []
            templates = {t.uri_template for t in (await client.list_resource_templates()).resource_templates}
            assert templates == {
                'memoranda://users/{user_id}/profile',
                'memoranda://users/{user_id}/recent',
                'memoranda://users/{user_id}/memories/{memory_id}',
            }
            assert 'Lisbon' in await text_at(client, 'memoranda://users/ana/profile')
            assert 'German' in await text_at(client, 'memoranda://users/ben%2F..%2Fana/profile')
            assert 'Nothing is known' in await text_at(client, 'memoranda://users/nobody/profile')

    played(check)


def test_addresses_that_lead_nowhere_or_to_others_are_refused() -> None:
    async def check(memory: AsyncMemory) -> None:
        foreign = (await memory.get_all(user_id='ben/../ana')).items[0].id
        async with connected(memory) as client:
            for uri in (
                'memoranda://users/ben/profile',
                'memoranda://users/%2A/profile',
                f'memoranda://memories/{foreign}',
                'memoranda://memories/',
                'memoranda://everything',
                'memoranda://users/ana/../ben/profile',
                'memoranda://users/%FF/profile',
                'memoranda://' + 'x' * 5_000,
                'file:///etc/passwd',
            ):
                with pytest.raises(MCPError) as caught:
                    await client.read_resource(uri)
                assert 'German' not in str(caught.value)
                assert len(str(caught.value)) < 400

    played(check)


@pytest.mark.parametrize('mode', ERAS)
def test_the_prompt_loads_context(mode: str) -> None:
    async def check(memory: AsyncMemory) -> None:
        async with connected(memory, mode=mode) as client:
            (prompt,) = (await client.list_prompts()).prompts
            assert [a.name for a in prompt.arguments] == ['topic']
            for arguments in ({}, {'topic': 'Where does she live?'}):
                (message,) = (await client.get_prompt(prompt.name, arguments)).messages
                assert message.role == 'user'
                assert 'home.city is Lisbon' in message.content.text
                assert message.content.text.startswith('<recalled_memory>')
            for name, arguments in (
                ('other', {}),
                (prompt.name, {'user_id': 'ben'}),
                (prompt.name, {'x': 'y'}),
                (prompt.name, {'topic': 'x' * 5_000}),
            ):
                with pytest.raises(MCPError):
                    await client.get_prompt(name, arguments)
        async with connected(memory, mode=mode, fixed=None) as client:
            (prompt,) = (await client.list_prompts()).prompts
            assert [a.name for a in prompt.arguments] == ['topic', 'user_id', 'agent_id']
            (message,) = (await client.get_prompt(prompt.name, {'user_id': 'nobody'})).messages
            assert 'Nothing is known' in message.content.text

    played(check)
