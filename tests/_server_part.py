"""Routes for tests of what stands around routes: a part for `serving(parts=...)` and `process(parts=...)`."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from memoranda.errors import ConfigurationError, Conflict, InvalidInput, MemoryNotFound, StoreBusy, StoreFull
from memoranda.server.access import Caller, needs

SECRET_WORDS = 'she told me about the lighthouse'
_RAISED: dict[str, Exception] = {
    'broken': RuntimeError(SECRET_WORDS),
    'busy': StoreBusy(SECRET_WORDS),
    'full': StoreFull(SECRET_WORDS),
    'unset': ConfigurationError(SECRET_WORDS),
    'missing': MemoryNotFound('memory x does not exist'),
    'conflict': Conflict('it changed'),
    'invalid': InvalidInput('kind=x is no kind'),
}
router = APIRouter(prefix='/test')


def routers() -> list[APIRouter]:
    return [router]


@router.get('/me/{role}')
async def me(role: str, caller: Annotated[Caller, needs('reader')]) -> dict[str, Any]:
    bound = caller.memory.bound_to
    return {
        'project': caller.memory.project,
        'actor': caller.memory.actor,
        'bound': None if bound is None else bound.user_id,
        'role': caller.role,
        'asked': role,
    }


@router.get('/writer')
async def writer(caller: Annotated[Caller, needs('writer')]) -> str:
    return caller.name


@router.get('/user')
async def user(caller: Annotated[Caller, needs('reader')], user_id: str | None = None) -> str | None:
    return caller.user(user_id)


@router.get('/within')
async def within(
    caller: Annotated[Caller, needs('reader')],
    user_id: str | None = None,
    run_id: str | None = None,
    agent_id: str | None = None,
) -> list[str | None]:
    bound = caller.within(user_id=user_id, run_id=run_id, agent_id=agent_id).bound_to
    return [] if bound is None else [bound.user_id, bound.run_id, bound.agent_id]


@router.post('/echo')
async def echo(body: dict[str, Any], caller: Annotated[Caller, needs('writer')]) -> dict[str, Any]:
    return body


@router.get('/raise/{what}')
async def raising(what: str, caller: Annotated[Caller, needs('reader')]) -> None:
    raise _RAISED[what]


@router.get('/half')
async def half(caller: Annotated[Caller, needs('reader')]) -> StreamingResponse:
    async def parts() -> AsyncGenerator[str]:
        yield 'one'
        raise RuntimeError(SECRET_WORDS)

    return StreamingResponse(parts(), media_type='text/plain')


@router.get('/header')
async def header(value: str, caller: Annotated[Caller, needs('reader')]) -> Response:
    response = Response('ok')
    response.raw_headers.append((b'x-echo', value.encode('latin-1', 'replace')))
    return response


@router.post('/hold')
async def hold(request: Request, caller: Annotated[Caller, needs('reader')]) -> str:
    state = request.app.state
    state.held = getattr(state, 'held', 0) + 1
    state.arrived.set()
    await state.release.wait()
    return 'released'


@router.get('/stream')
async def stream(request: Request, caller: Annotated[Caller, needs('reader')]) -> StreamingResponse:
    async def events() -> AsyncGenerator[str]:
        yield 'data: one\n\n'
        await request.app.state.release.wait()

    return StreamingResponse(events(), media_type='text/event-stream')


@router.get('/large')
async def large(caller: Annotated[Caller, needs('reader')]) -> Response:
    return Response(b'x' * 50_000_000)


def prepare(state: Any) -> None:
    """Make what `/hold` waits for."""
    state.arrived, state.release = asyncio.Event(), asyncio.Event()
