"""A real `memoranda mcp`."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from _fakes import subprocess_environment
from _mcp import READING, WRITING, call, command, failing, text_of
from memoranda import Memory

SECONDS = 60
"""What a hung process waits before it says so."""
HELLO = {
    'jsonrpc': '2.0',
    'id': 1,
    'method': 'initialize',
    'params': {'protocolVersion': '2025-11-25', 'capabilities': {}, 'clientInfo': {'name': 'test', 'version': '1'}},
}


def started(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """A process of its own, spoken to by hand."""
    return subprocess.Popen(
        [sys.executable, '-m', 'memoranda', 'mcp', *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**subprocess_environment(), **environment},
    )


def say(process: subprocess.Popen[str], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(message) + '\n')
    process.stdin.flush()


def test_a_client_drives_every_tool_resource_and_prompt(tmp_path: Path) -> None:
    database = tmp_path / 'memory.db'
    with Memory(database) as memory:
        memory.add('I live in Lisbon.', user_id='ana')

    async def main() -> None:
        async with Client(command(database, '--user', 'ana', '--trust', 'assistant')) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == [*READING, *WRITING]
            found = await call(client, 'memory_search', query='Where does she live?')
            city = found['facts'][0]['id']
            assert found['facts'][0]['text'] == 'Lives in Lisbon'
            got = await call(client, 'memory_get', memory_id=city)
            assert got['evidence'][0]['quote'] == 'I live in Lisbon'
            added = await call(client, 'memory_add', fact='Likes green tea')
            assert added['outcome'] == 'remembered'
            assert len((await call(client, 'memory_list'))['facts']) == 2
            changed = await call(client, 'memory_update', memory_id=added['memory_id'], fact='Likes black tea')
            assert changed['outcome'] == 'remembered'
            assert (await call(client, 'memory_history', memory_id=added['memory_id']))['entries']
            await call(client, 'memory_forget', memory_id=changed['memory_id'])
            for uri in ('memoranda://profile', 'memoranda://recent', f'memoranda://memories/{city}'):
                (content,) = (await client.read_resource(uri)).contents
                assert 'Lisbon' in content.text
            (message,) = (await client.get_prompt('memory_context', {'topic': 'weather'})).messages
            assert 'Lisbon' in message.content.text

    asyncio.run(main())
    with Memory(database) as memory:
        assert [m.text for m in memory.get_all(user_id='ana')] == ['Lives in Lisbon']
        assert {entry.actor for entry in memory.history(slot='home.city', user_id='ana')} == {'rules'}


def test_only_the_protocol_is_written_to_standard_output(tmp_path: Path) -> None:
    process = started('--database', str(tmp_path / 'memory.db'), '--user', 'ana', PYTHONWARNINGS='always')
    say(process, HELLO)
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    assert first['result']['serverInfo']['name'] == 'memoranda'
    say(process, {'jsonrpc': '2.0', 'method': 'notifications/initialized'})
    process.stdin.write('this is not JSON\n{"jsonrpc": "2.0", "id": 2}\n[1, 2\n')
    fact = {'name': 'memory_add', 'arguments': {'fact': 'Swims with sharks'}}
    say(process, {'jsonrpc': '2.0', 'id': 3, 'method': 'tools/call', 'params': fact})
    lines = []
    while not any(json.loads(line).get('id') == 3 for line in lines):
        lines.append(process.stdout.readline())
    rest, errors = process.communicate(timeout=SECONDS)  # which closes its input
    assert process.returncode == 0
    for line in [*lines, *rest.splitlines()]:
        assert json.loads(line)['jsonrpc'] == '2.0'
    assert 'sharks' not in errors


@pytest.mark.parametrize('how', ['input', 'SIGTERM', 'SIGINT'])
def test_it_ends_with_its_client_and_keeps_what_was_stored(tmp_path: Path, how: str) -> None:
    if sys.platform == 'win32' and how != 'input':
        pytest.skip('signals of POSIX')
    database = tmp_path / 'memory.db'
    process = started('--database', str(database), '--user', 'ana')
    say(process, HELLO)
    assert process.stdout is not None
    process.stdout.readline()
    say(process, {'jsonrpc': '2.0', 'method': 'notifications/initialized'})
    fact = {'name': 'memory_add', 'arguments': {'fact': 'Likes tea'}}
    say(process, {'jsonrpc': '2.0', 'id': 2, 'method': 'tools/call', 'params': fact})
    assert json.loads(process.stdout.readline())['id'] == 2
    # Another call is under way when the client is gone.
    say(process, {'jsonrpc': '2.0', 'id': 3, 'method': 'tools/call', 'params': fact})
    if how != 'input':
        process.send_signal(getattr(signal, how))
        assert process.wait(SECONDS) == 0
    process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    with Memory(database) as memory:
        assert [item.memory.text for item in memory.review.list(user_id='ana')] == ['Likes tea']
        assert memory.verify(user_id='ana').ok


def test_a_storage_that_can_not_be_read_is_told_by_every_tool(tmp_path: Path) -> None:
    database = tmp_path / 'memory.db'
    database.write_bytes(b'This is no database. ' * 500)

    async def main() -> None:
        async with Client(command(database, '--user', 'ana')) as client:
            assert len((await client.list_tools()).tools) == len(READING) + len(WRITING)
            for name, arguments in {
                'memory_search': {'query': 'x'},
                'memory_list': {},
                'memory_add': {'fact': 'x'},
                'memory_get': {'memory_id': 'm:1a2b3c4d'},
            }.items():
                reason = await failing(client, name, **arguments)
                assert 'The memory does not work now' in reason
                assert str(database) in reason

    asyncio.run(main())


def test_whose_it_is_comes_from_the_environment_too(tmp_path: Path) -> None:
    with Memory(tmp_path / 'memory.db') as memory:
        memory.add('I live in Lisbon.', user_id='ana')
    parameters = command(tmp_path / 'memory.db', '--read-only')
    parameters.env = {
        **(parameters.env or {}),
        'MEMORANDA_USER': 'ana',
        'MEMORANDA_AGENT': 'bot',
        'MEMORANDA_API_KEY': 'k',
    }

    async def main() -> None:
        async with Client(parameters) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == READING
            assert 'Lisbon' in text_of(await client.call_tool('memory_search', {'query': 'Where?'}))

    asyncio.run(main())


def test_a_project_and_any_user(tmp_path: Path) -> None:
    with Memory(tmp_path / 'memory.db', project='acme') as memory:
        memory.add('I live in Lisbon.', user_id='ana')

    async def main() -> None:
        async with Client(command(tmp_path / 'memory.db', '--project', 'acme', '--any-user')) as client:
            assert (await call(client, 'memory_list', user_id='ben'))['facts'] == []
            assert (await call(client, 'memory_list', user_id='ana'))['facts'][0]['text'] == 'Lives in Lisbon'

    asyncio.run(main())
