"""What machines ask: whether the server is alive and ready, how it fares, and what it offers."""

import asyncio
import json
import time
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from memoranda.errors import MemorandaError
from memoranda.memory import AsyncMemory
from memoranda.server.access import Caller, needs, public
from memoranda.server.problems import Problem

__all__ = ['metrics_router', 'router']

_READY_AGE: Final = 1.0
_READY_SECONDS: Final = 5.0
"""How long the storage may take to answer."""

router = APIRouter(tags=['server'])


@router.get('/health', dependencies=[public()])
async def health() -> dict[str, str]:
    """Alive: the process answers. Whoever asks needs no key."""
    return {'status': 'ok'}


@router.get(
    '/ready', dependencies=[public()], responses={503: {'description': 'Not now: the storage does not answer.'}}
)
async def ready(request: Request) -> JSONResponse:
    """Ready: the storage answers. With a key of the role admin it is also told what is wrong."""
    problem = await _problem(request.app.state)
    told: dict[str, Any] = {'status': 'ok' if problem is None else 'unavailable'}
    caller: Caller | None = request.state.caller
    if caller is not None and caller.role == 'admin':
        told['problem'] = problem
    return JSONResponse(told, status_code=200 if problem is None else 503)


async def _problem(state: Any) -> str | None:
    """What is wrong with the storage. It is asked once a second, however many want to know."""
    asked: tuple[float, asyncio.Task[str | None]] | None = getattr(state, 'readiness', None)
    if asked is None or time.monotonic() >= asked[0]:
        asked = state.readiness = (time.monotonic() + _READY_AGE, asyncio.create_task(_ask(state.memory)))
    return await asyncio.shield(asked[1])


async def _ask(memory: AsyncMemory) -> str | None:
    try:
        async with asyncio.timeout(_READY_SECONDS):
            await memory.engine.store.generation()
    except TimeoutError:
        return 'timeout'
    except MemorandaError as error:
        return type(error).__name__
    return None


@router.get('/openapi.json', dependencies=[public()], include_in_schema=False)
async def openapi(request: Request) -> Response:
    """What this server offers, as OpenAPI."""
    app = request.app
    made: asyncio.Task[bytes] | None = getattr(app.state, 'described', None)
    if made is None:  # it takes a second, once
        made = app.state.described = asyncio.create_task(asyncio.to_thread(lambda: json.dumps(app.openapi()).encode()))
    return Response(await asyncio.shield(made), media_type='application/json')


def metrics_router(who: str) -> APIRouter:
    """The route of the metrics.

    Args:
        who: A role, or `anybody`.
    """
    made = APIRouter(tags=['server'])
    allowed = public() if who == 'anybody' else needs(who)  # type: ignore[arg-type]

    @made.get('/metrics', dependencies=[allowed], response_class=Response)
    async def metrics(request: Request) -> Response:
        """Figures of this process, all its projects together, in the text format of Prometheus. No ids, no words.

        Only for keys of the project that the server is set to, unless anybody may read them.
        """
        caller: Caller | None = request.state.caller
        if who != 'anybody' and caller is not None:
            caller.check_all_projects()
        if request.app.state.metrics is None:
            raise Problem(404, 'this process sends its metrics elsewhere')
        page, media_type = await asyncio.to_thread(request.app.state.metrics)
        return Response(page, media_type=media_type)

    assert metrics
    return made
