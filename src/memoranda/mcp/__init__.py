"""The memory as an MCP server: tools, resources and a prompt, on stdio and over HTTP (docs/mcp.md). Extra `mcp`."""

from __future__ import annotations

import importlib.util
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from memoranda.errors import ConfigurationError
from memoranda.mcp.principal import Principal

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from mcp.server import Server
    from starlette.types import ASGIApp, Receive, Scope, Send

    from memoranda.memory import AsyncMemory
    from memoranda.records import Trust

__all__ = ['Principal', 'http_app', 'make_server', 'serve_stdio']

_MISSING = "MCP needs the package mcp: pip install 'memoranda[mcp]'"


def make_server(principal: Principal | Callable[[Any], Principal]) -> Server[Any]:
    """A server of the official SDK, for a transport of your own.

    Args:
        principal: Who asks; or a function that tells it from a request's context.

    Raises:
        ConfigurationError: The extra is not installed.
    """
    _check()
    from memoranda.mcp.server import build

    return build(principal if callable(principal) else lambda _: principal)


def serve_stdio(principal: Principal) -> None:
    """Serve one client on standard input and output until it goes, then close the memory.

    Raises:
        ConfigurationError: The extra is not installed.
    """
    _check()
    from memoranda.mcp.stdio import serve

    serve(principal)


def http_app(memory: AsyncMemory, *, trust: Trust = 'tool') -> tuple[ASGIApp, AbstractAsyncContextManager[Any]]:
    """What a server mounts at `/mcp`: an ASGI app for streamable HTTP, and what to enter while the server runs.

    It serves each request for itself, so any process may answer any of them. `scope['state']['caller']` has to be the
    `Caller` whose key the request carries.

    Args:
        memory: The server's. Every request uses that of its caller.
        trust: The tier of what models note.
    """
    del memory
    if not _installed():
        return _Unavailable(), nullcontext()
    from memoranda.mcp.http import Endpoint

    endpoint = Endpoint(trust=trust)
    return endpoint, endpoint


class _Unavailable:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from memoranda.server.problems import Problem

        raise Problem(501, _MISSING)


def _installed() -> bool:
    return importlib.util.find_spec('mcp') is not None


def _check() -> None:
    if not _installed():
        raise ConfigurationError(_MISSING)
