"""Which parts the app is put together from, and in whose words each of them tells an error."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route

from memoranda.server.problems import Problem, rendered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import ModuleType

    from fastapi import APIRouter, FastAPI, Request, Response

    from memoranda.memory import AsyncMemory

__all__ = ['MCP', 'PARTS', 'Surfaces']

MCP: Final = '/mcp'

PARTS: Final = ('memoranda.server.native', 'memoranda.server.mem0', 'memoranda.server.console', 'memoranda.mcp')
"""Modules that offer any of

- `routers() -> list[APIRouter]`
- `http_app(memory: AsyncMemory) -> tuple[ASGIApp, AbstractAsyncContextManager]`: what is mounted at `/mcp` behind the
  same keys (`scope['state']['caller']` is the `Caller`), and what is entered while the server runs
- `problem(problem: Problem) -> Response`: how it tells errors; by default application/problem+json
- `owns(path: str) -> bool`: whether a path, of a route or not, is its own: needed for `problem` to be asked
- `turned_away(request: Request) -> Response`: what somebody without a key gets at a path of its own; by default the
  problem 401
- `openapi(document: dict) -> None`: changes to the OpenAPI document
"""


def _found(named: Sequence[str | ModuleType]) -> Iterator[ModuleType]:
    """Those that are there."""
    for one in named:
        if not isinstance(one, str):
            yield one
            continue
        spec = importlib.util.find_spec(one)
        if spec is not None and spec.origin is not None:
            yield importlib.import_module(one)


class Surfaces:
    """Finds the part that a request belongs to.

    Args:
        named: The parts, by the names of their modules.
    """

    def __init__(self, named: Sequence[str | ModuleType] = PARTS) -> None:
        self._named = named
        self._parts: list[ModuleType] = []
        self.running: list[AbstractAsyncContextManager[Any]] = []
        """What is to be entered while the server runs."""

    def include(self, app: FastAPI, memory: AsyncMemory) -> None:
        """Put the routes of every part into the app."""
        for module in _found(self._named):
            routers: list[APIRouter] = module.routers() if hasattr(module, 'routers') else []
            for router in routers:  # not included: that would match each route twice, for half a millisecond a request
                app.router.routes.extend(router.routes)
            if hasattr(module, 'http_app'):
                mounted, running = module.http_app(memory)
                # Not a Mount, which has no path without a slash at its end.
                app.router.routes.append(Route(MCP, endpoint=mounted))
                self.running.append(running)
            self._parts.append(module)

    def openapi(self, document: dict[str, Any]) -> None:
        """Let each part change the document that describes the app."""
        for part in self._parts:
            change = getattr(part, 'openapi', None)
            if change:
                change(document)

    def part_of(self, path: str) -> ModuleType | None:
        """The part with words of its own that a path belongs to."""
        for part in self._parts:
            if hasattr(part, 'owns') and part.owns(path) and hasattr(part, 'problem'):
                return part
        return None

    def render(self, path: str, problem: Problem) -> Response:
        """An error as the part tells it that the path belongs to."""
        part = self.part_of(path)
        return rendered(problem) if part is None else part.problem(problem)

    def turned_away(self, request: Request) -> Response:
        """What a request without a valid key gets."""
        part = self.part_of(request.scope['path'])
        if part is not None and hasattr(part, 'turned_away'):
            return part.turned_away(request)
        return self.render(request.scope['path'], Problem(401))
