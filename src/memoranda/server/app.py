"""`create_app`: the memory over HTTP, as an ASGI application.

Its routes come from the parts that `surfaces.py` names, which says what each offers.

Every route says which role it needs (`access.needs`), or that anybody may call it (`access.public`). An app with a
route that doesn't is not made.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import Request
from starlette.routing import Route, compile_path

from memoranda.errors import ConfigurationError, MemorandaError
from memoranda.server.access import role_of
from memoranda.server.console.sessions import SIGN_IN, Sessions
from memoranda.server.describing import describe
from memoranda.server.gate import Gate
from memoranda.server.health import metrics_router
from memoranda.server.health import router as health
from memoranda.server.keyring import Keys
from memoranda.server.limits import BodyLimit, KeyLimit, TotalLimit
from memoranda.server.problems import Caught, Problem, problem_of
from memoranda.server.shield import Shield
from memoranda.server.surfaces import MCP, PARTS, Surfaces
from memoranda.server.telemetry import Spans

if TYPE_CHECKING:
    from types import ModuleType

    from starlette.responses import Response

    from memoranda.keys import NewKey
    from memoranda.memory import AsyncMemory
    from memoranda.server.console.sessions import Local
    from memoranda.settings import Settings

__all__ = ['create_app', 'route_roles']

log = logging.getLogger('memoranda.server')


def create_app(
    memory: AsyncMemory,
    *,
    settings: Settings | None = None,
    keys: Sequence[NewKey] = (),
    metrics: Callable[[], tuple[bytes, str]] | None = None,
    hosts: Sequence[str] = (),
    parts: Sequence[str | ModuleType] = PARTS,
    local: Local | None = None,
) -> FastAPI:
    """The application. It opens the memory when it starts, and closes it when it ends.

    Args:
        memory: What it serves: all projects of its storage.
        settings: By default those of the memory.
        keys: Keys of this process only (`memoranda.keys.make_key`), beside those that are stored.
        metrics: What makes the page at `/metrics` and tells its type (`telemetry.prometheus()`).
        hosts: Names that requests may call it by, beside those of the settings; none of both: any.
        parts: What it is put together from (`surfaces.py`), beside health and metrics.
        local: Who may open the console by a link that works once.

    Raises:
        ConfigurationError: A route doesn't say who may call it.
    """
    from memoranda import __version__

    settings = settings or memory.engine.settings
    surfaces = Surfaces(parts)
    known = Keys(memory, keys if local is None else [*keys, local.key])
    sessions = Sessions(known, secret=settings.console_secret, local=local)
    app = FastAPI(
        title='memoranda',
        version=__version__,
        description='Persistent memory for AI agents.',
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=_lifespan(memory, known, surfaces),
        telemetry={'tracing': False, 'logs': False, 'operation_spans': False},  # they tell paths and words of errors
    )
    app.state.memory, app.state.settings, app.state.metrics = memory, settings, metrics
    app.state.sessions = sessions
    app.include_router(health)
    if settings.server_metrics != 'off':
        app.include_router(metrics_router(settings.server_metrics))
    surfaces.include(app, memory)
    roles = route_roles(app)
    public = {path for (_, path), role in roles.items() if role == 'public'}

    methods = [(compile_path(path)[0], method) for method, path in roles]

    async def handle(request: Request, error: Exception) -> Response:
        path, problem = request.scope['path'], problem_of(error)
        if problem.status == 405:  # a route knows of its own method only
            allowed = sorted({method for pattern, method in methods if pattern.match(path)})
            if allowed:  # /mcp says it itself
                problem.headers = {**problem.headers, 'Allow': ', '.join(allowed)}
        return surfaces.render(path, problem)

    for kind in (Problem, MemorandaError, RequestValidationError, StarletteHTTPException):
        app.add_exception_handler(kind, handle)
    _layer(app, settings, surfaces, known, sessions, public, hosts)
    describe(app, roles, surfaces)
    return app


def _layer(
    app: FastAPI,
    settings: Settings,
    surfaces: Surfaces,
    known: Keys,
    sessions: Sessions,
    public: Collection[str],
    hosts: Sequence[str],
) -> None:
    """Put what every request goes through around the routes. The last one is the outermost."""
    app.add_middleware(Caught, surfaces=surfaces)
    app.add_middleware(
        BodyLimit,
        most=settings.server_max_body_kb * 1024,
        seconds=settings.server_body_seconds,
        depth=settings.server_max_depth,
        forms=(SIGN_IN,),
        surfaces=surfaces,
    )
    app.add_middleware(KeyLimit, rate=settings.server_rate, at_once=settings.server_key_concurrency, surfaces=surfaces)
    app.add_middleware(Gate, keys=known, public=public, surfaces=surfaces, sessions=sessions)
    app.add_middleware(Spans)
    app.add_middleware(TotalLimit, at_once=settings.server_concurrency, surfaces=surfaces)
    named = [name.strip() for name in settings.server_hosts.split(',') if name.strip()]
    app.add_middleware(Shield, hosts=[*named, *hosts], surfaces=surfaces)


def route_roles(app: FastAPI) -> dict[tuple[str, str], str]:
    """Who may call what: (method, path) to a role or `'public'`.

    Raises:
        ConfigurationError: A route doesn't say.
    """
    told: dict[tuple[str, str], str] = {}
    for context in iter_route_contexts(app.routes):
        route, path = context.original_route, str(context.path)
        if type(route) is Route and path == MCP:
            continue  # behind the gate as all others, and it looks at the role of each tool
        role = role_of(context.dependant) if isinstance(route, APIRoute) else None
        if role is None:
            raise ConfigurationError(f'route {path!r} does not say who may call it: declare needs(role), or public()')
        if role == 'public' and '{' in path:
            raise ConfigurationError(f'route {path!r} is public and has a parameter: declare needs(role)')
        for method in context.methods or ():
            told[method, str(context.path_format)] = role
    return told


def _lifespan(memory: AsyncMemory, known: Keys, surfaces: Surfaces) -> Any:
    @asynccontextmanager
    async def run(_: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(memory)
            except MemorandaError as error:
                log.error('can not start: %s', error)
                raise
            await stack.enter_async_context(known)
            for further in surfaces.running:
                await stack.enter_async_context(further)
            yield

    return run
