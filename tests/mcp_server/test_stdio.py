"""A real `memoranda mcp`, and processes that end."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, stdio_client

from _fakes import fast, fast_async, subprocess_environment
from _mcp import READING, WRITING, call, command, connected, failing
from memoranda import Memory
from memoranda.settings import Settings

SECONDS = 60
"""What a hung process waits before it says so."""
HELLO = {
    'jsonrpc': '2.0',
    'id': 1,
    'method': 'initialize',
    'params': {'protocolVersion': '2025-11-25', 'capabilities': {}, 'clientInfo': {'name': 'test', 'version': '1'}},
}
READY = {'jsonrpc': '2.0', 'method': 'notifications/initialized'}


def note(number: int) -> dict[str, Any]:
    fact = {'name': 'memory_add', 'arguments': {'fact': 'Swims with sharks'}}
    return {'jsonrpc': '2.0', 'id': number, 'method': 'tools/call', 'params': fact}


def started(database: Path) -> subprocess.Popen[str]:
    """A process of its own, spoken to by hand."""
    script = Path(__file__).parents[1] / '_mcp_process.py'
    return subprocess.Popen(
        [sys.executable, '-W', 'always', str(script), str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=subprocess_environment(),
    )


def say(process: subprocess.Popen[str], *messages: dict[str, Any] | str) -> None:
    assert process.stdin is not None
    for message in messages:
        process.stdin.write((message if isinstance(message, str) else json.dumps(message)) + '\n')
    process.stdin.flush()


def test_a_client_drives_every_tool_resource_and_prompt_and_the_server_ends_with_it(tmp_path: Path) -> None:
    database, errors = tmp_path / 'memory.db', tmp_path / 'errors'

    async def main() -> None:
        options = ('--user', 'ana', '--project', 'acme', '--trust', 'assistant')
        with errors.open('w') as file:
            await drive(Client(stdio_client(command(database, *options), errlog=file)))

    async def drive(connecting: Client) -> None:
        async with connecting as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == [*READING, *WRITING]
            city = (await call(client, 'memory_add', fact='Lives in Lisbon', slot='home.city', value='Lisbon'))[
                'memory_id'
            ]
            found = await call(client, 'memory_search', query='Where is her home?')
            assert found['facts'][0]['text'] == 'Lives in Lisbon'
            got = await call(client, 'memory_get', memory_id=city)
            assert got['fact']['value'] == 'Lisbon'
            added = await call(client, 'memory_add', fact='Likes green tea')
            assert added['outcome'] == 'remembered'
            assert len((await call(client, 'memory_list'))['facts']) == 2
            changed = await call(client, 'memory_update', memory_id=added['memory_id'], fact='Likes black tea')
            assert changed['outcome'] == 'remembered'
            assert (await call(client, 'memory_history', memory_id=added['memory_id']))['entries']
            await call(client, 'memory_forget', memory_id=changed['memory_id'])
            for uri in ('memoranda://recent', f'memoranda://memories/{city}'):
                (content,) = (await client.read_resource(uri)).contents
                assert 'Lisbon' in content.text
            (message,) = (await client.get_prompt('memory_context', {'topic': 'Lisbon'})).messages
            assert 'Lisbon' in message.content.text

    asyncio.run(main())
    assert errors.read_text() == ''  # it needed no signal to end
    with Memory(database, project='acme', settings=Settings(workers=0)) as memory:
        assert [m.text for m in memory.get_all(user_id='ana')] == ['Lives in Lisbon']
        assert memory.changes(user_id='ana').items[0].actor == 'mcp'


@pytest.mark.skipif(sys.platform == 'win32', reason='signals of POSIX')
def test_it_writes_only_the_protocol_and_a_signal_ends_it_though_its_client_is_there(tmp_path: Path) -> None:
    process = started(tmp_path / 'memory.db')
    say(process, HELLO, READY, 'this is not JSON', '{"jsonrpc": "2.0", "id": 2}', '[1, 2', '\x00' * 10, note(3))
    assert process.stdout is not None
    lines: list[str] = []
    while not any(json.loads(line).get('id') == 3 for line in lines):
        lines.append(process.stdout.readline())
    assert json.loads(lines[0])['result']['serverInfo']['name'] == 'memoranda'
    say(process, note(4))  # is under way when the signal comes
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 0
    rest, errors = process.communicate()
    for line in [*lines, *rest.splitlines()]:
        assert json.loads(line)['jsonrpc'] == '2.0'
    assert 'sharks' not in errors
    with fast(tmp_path / 'memory.db') as memory:
        assert [item.memory.text for item in memory.review.list(user_id='ana')] == ['Swims with sharks']
        assert memory.verify(user_id='ana').ok


def test_a_storage_that_can_not_be_read_is_told_by_every_tool(tmp_path: Path) -> None:
    database = tmp_path / 'memory.db'
    database.write_bytes(b'This is no database. ' * 500)

    async def main() -> None:
        for local in (True, False):
            memory = fast_async(database)
            async with connected(memory, local=local) as client:
                assert len((await client.list_tools()).tools) == len(READING) + len(WRITING)
                for name, arguments in {
                    'memory_search': {'query': 'x'},
                    'memory_list': {},
                    'memory_add': {'fact': 'x'},
                    'memory_get': {'memory_id': 'm:1a2b3c4d'},
                }.items():
                    reason = await failing(client, name, **arguments)
                    assert 'The memory does not work now' in reason
                    assert (str(database) in reason) is local  # over HTTP no path is told
            await memory.close()

    asyncio.run(main())
