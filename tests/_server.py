"""A server to test against: in this process without a socket, or a process of its own on a free port.

```python
async def test_a_reader_may_search(server: Served) -> None:      # `from _server import server` in a conftest, or:
    async with serving() as server, server.client('reader') as http:
        assert (await http.get('/v1/memories')).status_code == 200

def test_over_a_socket() -> None:
    with process(tmp_path / 'm.db') as server:                    # hashing embedder; `bundled=True` for the real one
        httpx.get(f'{server.url}/health')
        server.key('writer')                                      # one of each role, of project `default`
```
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from _fakes import fast_async, subprocess_environment
from memoranda import AsyncMemory
from memoranda.keys import ROLES, NewKey, Role, make_key
from memoranda.server.app import create_app
from memoranda.server.surfaces import PARTS

START_SECONDS = 60


@dataclass
class Served:
    """An app in this process."""

    app: FastAPI
    memory: AsyncMemory
    keys: dict[tuple[str, Role, str | None], NewKey]

    def key(self, role: Role = 'admin', *, project: str = 'default', user_id: str | None = None) -> str:
        """The secret of a key: of `default` and `other` there is one of each role, and one each for the user `ana`."""
        return self.keys[project, role, user_id].secret

    def client(
        self, role: Role | None = 'admin', *, project: str = 'default', user_id: str | None = None, **arguments: Any
    ) -> httpx.AsyncClient:
        """A client that sends such a key; role None: none."""
        headers = {} if role is None else {'X-API-Key': self.key(role, project=project, user_id=user_id)}
        arguments.setdefault('headers', headers)
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False),
            base_url='http://testserver',
            **arguments,
        )


@asynccontextmanager
async def serving(memory: AsyncMemory | None = None, **arguments: Any) -> AsyncGenerator[Served]:
    """An app in this process, with its lifespan. Arguments are those of `create_app`, or of `fast_async`'s memory.

    Without a memory: an empty one in memory with the hashing embedder and `Grammar` for an extractor.
    """
    memory = memory if memory is not None else fast_async()
    keys = {
        (project, role, user): make_key(project, name=f'{role}-{user or "all"}', role=role, user_id=user)
        for project in ('default', 'other')
        for role in ROLES
        for user in (None, 'ana')
    }
    app = create_app(memory, keys=[*keys.values()], **arguments)
    async with app.router.lifespan_context(app):
        yield Served(app, memory, keys)


@dataclass
class Process:
    """A server in a process of its own."""

    url: str
    secrets: dict[str, str]
    running: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)
    """Lines it wrote, standard error too."""

    def key(self, role: Role = 'admin') -> str:
        """The secret of a key of project `default`."""
        return self.secrets[role]

    def headers(self, role: Role = 'admin') -> dict[str, str]:
        """What a client sends."""
        return {'X-API-Key': self.key(role)}

    def stop(self, *, seconds: float = 30) -> int:
        """Send SIGTERM and wait; the exit status."""
        self.running.send_signal(signal.SIGTERM)
        return self.running.wait(seconds)


@contextmanager
def process(
    database: Path | str,
    *,
    environment: dict[str, str] | None = None,
    parts: Sequence[str] = PARTS,
    **settings: Any,
) -> Generator[Process]:
    """A server process on a free port of 127.0.0.1, with the hashing embedder and `Grammar`, and a key of each role.

    Args:
        database: A path or URL.
        environment: Further variables.
        parts: Modules that offer routes, by their names: those of the product, or of tests.
        settings: `MEMORANDA_` settings by their names, such as `server_rate=5`.
    """
    keys = {role: make_key('default', name=role, role=role).secret for role in ROLES}
    variables = {f'MEMORANDA_{name.upper()}': str(value) for name, value in settings.items()}
    started = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name('_serve.py')), str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**subprocess_environment(), **variables, **(environment or {})},
        cwd=os.path.dirname(database) if os.path.isabs(str(database)) else None,
    )
    assert started.stdin is not None
    assert started.stdout is not None
    started.stdin.write(json.dumps({'keys': keys, 'parts': parts}))
    started.stdin.close()
    said: list[str] = []
    ready, url = threading.Event(), ['']

    def read() -> None:
        for line in started.stdout or ():
            said.append(line)
            if line.startswith('listening on '):
                url[0] = line.removeprefix('listening on ').split()[0]
                ready.set()
        ready.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        assert ready.wait(START_SECONDS), said
        assert url[0], ''.join(said)
        yield Process(url[0], keys, started, said)
    finally:
        if started.poll() is None:
            started.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                started.wait(20)
            started.kill()
        started.wait()
        reader.join(10)
        started.stdout.close()
