"""Mem0's open-source server, which its own client can't talk to, with the methods of its open-source library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import quote

from memoranda.errors import StoreError

__all__ = ['OpenSourceServer', 'is_open_source']

SECONDS: Final = 300.0
"""As Mem0's client: an `add` waits for a model."""
PROBE_SECONDS: Final = 10.0
MOST: Final = 1_000
"""Of the memories it lists."""


def is_open_source(host: str, key: str) -> bool:
    """Whether a server lacks the first thing that Mem0's client asks for. Blocks."""
    answer = _http().get(
        f'{host.rstrip("/")}/v1/ping/', headers={'Authorization': f'Token {key}'}, timeout=PROBE_SECONDS
    )
    return answer.status_code in (404, 405)


def _http() -> Any:
    """What Mem0 is installed with, or what Pydantic AI is."""
    return import_module('httpx' if find_spec('httpx') is not None else 'httpx2')


class OpenSourceServer:
    """A connection to it. Belongs to one event loop.

    Args:
        host: Its address.
        key: Its API key.
    """

    def __init__(self, host: str, key: str) -> None:
        self.async_client = _http().AsyncClient(
            base_url=host.rstrip('/'), headers={'X-API-Key': key}, timeout=SECONDS, follow_redirects=False
        )

    async def add(self, messages: Sequence[Mapping[str, str]], **fields: Any) -> Any:
        """Store messages."""
        return await self._send('POST', '/memories', json={'messages': list(messages), **fields})

    async def search(self, query: str, **fields: Any) -> Any:
        """Find memories."""
        return await self._send('POST', '/search', json={'query': query, **fields})

    async def get_all(self, *, filters: Mapping[str, Any], top_k: int) -> Any:
        """List memories. Of the filters it knows the ids only."""
        ids = {name: value for name, value in filters.items() if name in ('user_id', 'agent_id', 'run_id')}
        return await self._send('GET', '/memories', params={**ids, 'top_k': min(top_k, MOST)})

    async def get(self, memory_id: str) -> Any:
        """One memory; None when there is none."""
        return await self._send('GET', f'/memories/{quote(memory_id, safe="")}')

    async def delete(self, memory_id: str) -> Any:
        """Delete it."""
        return await self._send('DELETE', f'/memories/{quote(memory_id, safe="")}')

    async def _send(self, method: str, path: str, **content: Any) -> Any:
        answer = await self.async_client.request(method, path, **content)
        if answer.is_success:
            return answer.json()
        # It answers an unknown id with either. Its words may quote what was said.
        if answer.status_code == 404 or (answer.status_code >= 500 and 'not found' in answer.text):
            raise ValueError('not found')
        raise StoreError(f'Mem0 answered {method} with status {answer.status_code}: look at the log of the server')
