"""Clients of the official SDK for the memory's MCP server: in this process, over HTTP, and as a process of its own."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters, types
from mcp.client.streamable_http import streamable_http_client

from _fakes import subprocess_environment
from _server import Served
from memoranda import AsyncMemory
from memoranda.mcp import Principal, make_server

ERAS = ('legacy', 'auto')
"""The protocol with its handshake, and the one without (2026-07-28)."""
READING = ['memory_search', 'memory_get', 'memory_list', 'memory_history']
WRITING = ['memory_add', 'memory_update', 'memory_forget']


def connected(memory: AsyncMemory, *, mode: str = 'auto', answers: list[str] | None = None, **principal: Any) -> Client:
    """A client of a server in this process.

    Args:
        memory: What it serves.
        mode: The era.
        answers: What the person at the client says when asked, in order; the questions are put in their place.
        principal: Fields of `Principal`; by default the server is for the user `ana`.
    """
    principal.setdefault('fixed', {'user_id': 'ana'})
    server = make_server(Principal(memory=memory.acting_as('mcp'), asks=answers is not None, **principal))
    asked = 0

    async def ask(_: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        nonlocal asked
        assert answers is not None
        reply, answers[asked] = answers[asked], params.message
        asked += 1
        return types.ElicitResult(action=reply, content={'approve': True} if reply == 'accept' else None)

    return Client(server, mode=mode, elicitation_callback=None if answers is None else ask)


@asynccontextmanager
async def over_http(
    server: Served, role: Any = 'writer', *, user_id: str | None = None, project: str = 'default', mode: str = 'auto'
) -> AsyncGenerator[Client]:
    """A client of the app's `/mcp`, with a key."""
    headers = {'Authorization': f'Bearer {server.key(role, user_id=user_id, project=project)}'}
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(server.app), headers=headers)
    async with http, Client(streamable_http_client('http://localhost/mcp', http_client=http), mode=mode) as client:
        yield client


def command(database: Path, *arguments: str) -> StdioServerParameters:
    """A real `memoranda mcp`."""
    return StdioServerParameters(
        command=sys.executable,
        args=['-m', 'memoranda', 'mcp', '--database', str(database), *arguments],
        env=subprocess_environment(),
    )


def text_of(result: types.CallToolResult) -> str:
    """What the model reads."""
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The structured answer of a tool that has to work."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    assert result.structured_content is not None
    return result.structured_content


async def failing(client: Client, tool: str, **arguments: Any) -> str:
    """The reason that a tool gives, which has to fail."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    return text_of(result)
