"""Clients of an application in this process."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from _server import Served, serving
from memoranda import AsyncClient, AsyncMemory
from memoranda.keys import Role

URL = 'http://testserver.localhost'


class Breakable(httpx2.AsyncBaseTransport):
    """The application, as long as it is reachable. Keeps what was sent."""

    def __init__(self, app: Any) -> None:
        self._inner = httpx2.ASGITransport(app, raise_app_exceptions=False)
        self.down = False
        self.answers: list[httpx2.Response | Exception] = []
        """What comes in place of the next answers."""
        self.sent: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(request)
        if self.down:
            raise httpx2.ConnectError('refused', request=request)
        if self.answers:
            instead = self.answers.pop(0)
            if isinstance(instead, Exception):
                await self._inner.handle_async_request(request)  # it is done, and nobody hears of it
                raise instead
            return instead
        return await self._inner.handle_async_request(request)

    def requests(self, path: str) -> list[httpx2.Request]:
        return [request for request in self.sent if request.url.path == path]


class Remote:
    """A server and clients of it."""

    def __init__(self, server: Served) -> None:
        self.server = server
        self.wire = Breakable(server.app)
        self._clients: list[AsyncClient] = []

    @property
    def memory(self) -> AsyncMemory:
        return self.server.memory

    def client(
        self, role: Role = 'admin', *, project: str = 'default', user_id: str | None = None, **arguments: Any
    ) -> AsyncClient:
        key = self.server.key(role, project=project, user_id=user_id)
        arguments.setdefault('transport', self.wire)
        self._clients.append(AsyncClient(URL, **{'api_key': key, **arguments}))
        return self._clients[-1]

    async def close(self) -> None:
        for client in self._clients:
            await client.close()


@asynccontextmanager
async def remote(memory: AsyncMemory | None = None, **arguments: Any) -> AsyncGenerator[Remote]:
    async with serving(memory, parts=('memoranda.server.native',), **arguments) as server:
        at = Remote(server)
        try:
            yield at
        finally:
            await at.close()
