"""`/mcp` on the server: streamable HTTP behind the server's keys, without sessions.

Every request is answered by itself, as JSON, with nothing kept between two of them: so any process of a server may
answer any request, a restart loses nothing, idle clients cost nothing, and there is no session id that could be stolen.
The price is that the server can't speak first: no subscriptions, and no questions to the person at the client.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.datastructures import Headers

from memoranda.mcp.principal import Principal
from memoranda.mcp.server import build
from memoranda.server.problems import Problem

if TYPE_CHECKING:
    from types import TracebackType

    from mcp.server import ServerRequestContext
    from starlette.types import Receive, Scope, Send

    from memoranda.records import Trust
    from memoranda.server.access import Caller

__all__ = ['Endpoint']


class Endpoint:
    """An ASGI app, and the context manager to enter while it serves. It may be entered again after it was left.

    Args:
        trust: The tier of what models note.
    """

    def __init__(self, *, trust: Trust = 'tool') -> None:
        self._trust: Trust = trust
        self._server = build(self._principal)
        self._manager: StreamableHTTPSessionManager | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Endpoint:
        # One manager serves once; the server itself keeps nothing.
        self._manager = StreamableHTTPSessionManager(self._server, json_response=True, stateless=True)
        await self._stack.enter_async_context(self._manager.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._manager = None
        return await self._stack.__aexit__(kind, error, trace)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            Problem: Nobody is let in, or it isn't a request of the protocol.
        """
        if _caller(scope) is None:
            raise Problem(401)
        if self._manager is None:
            raise Problem(503, 'the server is starting or ending: try again')
        if scope['method'] != 'POST':
            # There is nothing to listen to and no session to end.
            raise Problem(405, 'MCP is spoken by POST here', headers={'Allow': 'POST'})
        headers = Headers(scope=scope)
        origin = headers.get('origin')
        if origin is not None and _host(origin) != headers.get('host'):
            raise Problem(403, 'this request comes from a page of another site: send none, or from the same site')
        await self._manager.handle_request(scope, receive, send)

    def _principal(self, context: ServerRequestContext[Any, Any]) -> Principal:
        request = context.request
        caller = None if request is None else _caller(request.scope)
        if caller is None:
            raise Problem(401)
        fixed = None if caller.user_id is None else {'user_id': caller.user_id}
        return Principal(memory=caller.memory, role=caller.role, fixed=fixed, trust=self._trust)


def _host(origin: str) -> str | None:
    """The host of an origin; None: it is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _caller(scope: Scope) -> Caller | None:
    return scope.get('state', {}).get('caller')
