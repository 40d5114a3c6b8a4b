"""`/mcp` on the server: the official client with the server's keys, and requests that no client would send."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from _mcp import ERAS, READING, WRITING, call, failing, over_http, text_of
from _server import Served, serving

Check = Callable[[Served], Awaitable[None]]
HELLO: dict[str, Any] = {
    'jsonrpc': '2.0',
    'id': 1,
    'method': 'initialize',
    'params': {
        'protocolVersion': '2025-11-25',
        'capabilities': {},
        'clientInfo': {'name': 'test', 'version': '1'},
    },
}
ACCEPT = {'Accept': 'application/json, text/event-stream'}


def played(check: Check) -> None:
    async def main() -> None:
        async with serving() as server:
            await server.memory.add('home.city = Lisbon', user_id='ana')
            await server.memory.add('Ben has a secret', user_id='ben')
            await server.memory.in_project('other').add('home.city = Rome', user_id='ana')
            await check(server)

    asyncio.run(main())


@pytest.mark.parametrize('mode', ERAS)
def test_every_tool_resource_and_prompt_works_over_http(mode: str) -> None:
    async def check(server: Served) -> None:
        async with over_http(server, mode=mode) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == [*READING, *WRITING]
            found = await call(client, 'memory_search', query='city', user_id='ana')
            city = found['facts'][0]['id']
            assert found['facts'][0]['text'] == 'home.city is Lisbon'
            for name in ('memory_get', 'memory_history'):
                assert 'Lisbon' in str(await call(client, name, memory_id=city, user_id='ana'))
            assert len((await call(client, 'memory_list', user_id='ana'))['facts']) == 1
            assert (await call(client, 'memory_add', fact='Likes tea', user_id='ana'))['outcome'] == 'waiting'
            changed = await call(client, 'memory_update', memory_id=city, fact='Lives in Porto', user_id='ana')
            assert changed['outcome'] == 'waiting'
            assert (await call(client, 'memory_forget', memory_id=city, user_id='ana'))['memory_id'] == city
            (content,) = (await client.read_resource('memoranda://users/ben/recent')).contents
            assert 'secret' in content.text
            (message,) = (await client.get_prompt('memory_context', {'user_id': 'ben', 'topic': 'secret'})).messages
            assert 'secret' in message.content.text
        last = (await server.memory.history(city, user_id='ana'))[-1]
        assert (last.op, last.actor) == ('retract', 'key:writer-all')

    played(check)


@pytest.mark.parametrize('mode', ERAS)
def test_a_key_for_one_user_reaches_nobody_else(mode: str) -> None:
    async def check(server: Served) -> None:
        ben = (await server.memory.get_all(user_id='ben')).items[0].id
        async with over_http(server, user_id='ana', mode=mode) as client:
            tools = (await client.list_tools()).tools
            assert not any('user_id' in tool.input_schema['properties'] for tool in tools)
            assert (await call(client, 'memory_search', query='city'))['facts'][0]['text'] == 'home.city is Lisbon'
            assert 'fixed' in await failing(client, 'memory_search', query='secret', user_id='ben')
            assert 'fixed' in await failing(client, 'memory_add', fact='x', agent_id='bot')
            for name in ('memory_get', 'memory_forget', 'memory_history'):
                assert 'does not exist' in await failing(client, name, memory_id=ben)
            result = await client.call_tool('memory_search', {'query': 'Ben secret'})
            assert 'secret' not in text_of(result)
            (content,) = (await client.read_resource('memoranda://recent')).contents
            assert 'Lisbon' in content.text

    played(check)


def test_a_key_of_another_project_finds_its_own() -> None:
    async def check(server: Served) -> None:
        foreign = (await server.memory.get_all(user_id='ana')).items[0].id
        async with over_http(server, 'admin', project='other') as client:
            found = await call(client, 'memory_search', query='city', user_id='ana')
            assert [fact['text'] for fact in found['facts']] == ['home.city is Rome']
            reason = await failing(client, 'memory_forget', memory_id=foreign, user_id='ana')
            assert 'does not exist' in reason

    played(check)


def test_each_role_has_the_tools_it_may_use() -> None:
    async def check(server: Served) -> None:
        for role, tools in (
            ('reader', READING),
            ('writer', [*READING, *WRITING]),
            ('reviewer', [*READING, *WRITING]),
            ('admin', [*READING, *WRITING]),
        ):
            async with over_http(server, role) as client:
                assert [tool.name for tool in (await client.list_tools()).tools] == tools
        async with over_http(server, 'reader') as client:
            for name in WRITING:
                assert 'needs the role writer' in await failing(client, name, user_id='ana')
        assert len(await server.memory.get_all(user_id='ana')) == 1

    played(check)


def test_requests_that_are_none_of_the_protocol_are_refused() -> None:
    async def check(server: Served) -> None:
        async with server.client(None) as http:
            refused = await http.post('/mcp', json=HELLO, headers=ACCEPT)
            assert refused.status_code == 401
            assert refused.headers['www-authenticate'] == 'Bearer'
            wrong = {**ACCEPT, 'Authorization': 'Bearer memoranda_' + 'x' * 49}
            assert (await http.post('/mcp', json=HELLO, headers=wrong)).status_code == 401
        async with server.client('reader') as http:
            assert (await http.post('/mcp', json=HELLO, headers=ACCEPT)).status_code == 200
            for method in ('GET', 'DELETE', 'PUT'):
                refused = await http.request(method, '/mcp', headers=ACCEPT)
                assert (refused.status_code, refused.headers.get('allow')) == (405, 'POST')
            origin = {**ACCEPT, 'Origin': 'https://evil.example'}
            assert (await http.post('/mcp', json=HELLO, headers=origin)).status_code == 403
            same = {**ACCEPT, 'Origin': 'http://testserver'}
            assert (await http.post('/mcp', json=HELLO, headers=same)).status_code == 200
            for body in (b'', b'{', b'[]', b'"x"', b'{"jsonrpc":"2.0"}', b'\xff\xfe', b'[' * 2_000, b'{"a":' * 500):
                answered = await http.post('/mcp', content=body, headers={**ACCEPT, 'Content-Type': 'application/json'})
                assert 400 <= answered.status_code < 500, body[:20]
            assert (await http.post('/mcp', json=HELLO, headers={'Accept': 'text/html'})).status_code == 406
            assert (await http.post('/mcp/x', json=HELLO, headers=ACCEPT)).status_code == 404
            assert (await http.post('/mcp', json=HELLO, headers=ACCEPT)).status_code == 200

    played(check)


def test_no_request_needs_another_one_before_it() -> None:
    async def check(server: Served) -> None:
        listing = {'jsonrpc': '2.0', 'id': 2, 'method': 'tools/list', 'params': {}}
        async with server.client('reader') as http:
            answered = await http.post('/mcp', json=listing, headers=ACCEPT)
            assert len(answered.json()['result']['tools']) == len(READING)
            assert 'mcp-session-id' not in answered.headers
            # A session id of another process, or one somebody made up, changes nothing.
            answered = await http.post('/mcp', json=listing, headers={**ACCEPT, 'Mcp-Session-Id': 'abc'})
            assert answered.status_code == 200

    played(check)


def test_many_clients_are_served_at_once_and_none_sees_anothers() -> None:
    async def check(server: Served) -> None:
        async def one(user: str, words: str) -> None:
            async with over_http(server, 'reader') as client:
                for _ in range(3):
                    facts = (await call(client, 'memory_search', query='city secret', user_id=user))['facts']
                    assert [fact['text'] for fact in facts] == [words]

        await asyncio.gather(
            *(one('ana', 'home.city is Lisbon') for _ in range(4)), *(one('ben', 'Ben has a secret') for _ in range(4))
        )

    played(check)


def test_without_the_extra_the_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'mcp', None)

    async def check(server: Served) -> None:
        async with server.client('reader') as http:
            answered = await http.post('/mcp', json=HELLO, headers=ACCEPT)
            assert answered.status_code == 501
            assert "pip install 'memoranda[mcp]'" in answered.text

    played(check)


def test_an_app_that_is_started_again_serves_again() -> None:
    async def main() -> None:
        async with serving() as server, over_http(server, 'reader') as client:
            assert len((await client.list_tools()).tools) == len(READING)
        async with server.app.router.lifespan_context(server.app), over_http(server, 'reader') as client:
            assert len((await client.list_tools()).tools) == len(READING)

    asyncio.run(main())
