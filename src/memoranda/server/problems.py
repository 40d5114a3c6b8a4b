"""Errors as answers: one table from memoranda's exceptions to statuses, and the two shapes they are told in."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from fastapi import Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from memoranda import errors
from memoranda.importers.base import ImportProblem
from memoranda.records import new_id

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from memoranda.server.surfaces import Surfaces

__all__ = ['STATUSES', 'Caught', 'Problem', 'Render', 'problem_of', 'rendered']

log = logging.getLogger('memoranda.server')

STATUSES: Final[tuple[tuple[type[Exception], int], ...]] = (
    (errors.MemoryNotFound, 404),
    (errors.InvalidInput, 422),
    (ImportProblem, 422),
    (errors.VersionMismatch, 412),
    (errors.Conflict, 409),
    (errors.ProcessingFailed, 502),
    (errors.DetectorFailed, 503),
    (errors.EmbedderMismatch, 503),
    (errors.StoreFull, 507),
    (errors.StoreError, 503),
    (errors.ConfigurationError, 503),
)
"""The first that fits."""
_TOLD: Final = (errors.MemoryNotFound, errors.InvalidInput, ImportProblem, errors.Conflict)
"""Errors about what was asked: their words are the caller's own. Others may name paths, and go to the log only."""
_DETAILS: Final = {
    401: 'no valid API key: send one, and no other beside it, as Authorization: Bearer <key>, Authorization: Token '
    '<key> or X-API-Key: <key>',
    404: 'there is nothing here',
    405: 'this path has no such method',
    500: 'the server failed at it',
    502: 'the messages are stored, and reading them failed: it is tried again in the background',
    503: 'the storage does not answer just now: try again later',
    507: 'the storage is full',
}
_UNROUTED: Final = {
    404: 'there is no such path: /openapi.json lists those there are, and none of /v1 ends with a slash',
    405: 'this path has no such method: the header Allow names those it has',
}
"""Where the framework found no route, whose own words only repeat the status."""
_MOST_ERRORS: Final = 100
"""Of fields, that are told."""
_RETRY: Final = {503: '2', 502: '30'}
"""Seconds."""


@dataclass(eq=False)
class Problem(Exception):
    """An answer that is an error. Raise it anywhere below the app."""

    status: int
    detail: str = ''
    errors: Sequence[Mapping[str, Any]] = ()
    """Of fields: `loc` (a list of names and indices), `msg`, `type`."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    incident: str = ''
    """The id under which the log tells more."""
    type: str = 'about:blank'
    """`urn:memoranda:` and the name of an exception of `memoranda.errors`, where it stands for one."""

    def __post_init__(self) -> None:
        self.detail = self.detail or _DETAILS.get(self.status, '')
        if self.status == 401:
            self.headers = {'WWW-Authenticate': 'Bearer', **self.headers}

    @property
    def title(self) -> str:
        """The status in words."""
        return HTTPStatus(self.status).phrase


Render = Callable[[Problem], Response]


def problem_of(error: Exception) -> Problem:
    """What an exception means to a client. What isn't about the request is logged, under an id the client is told."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return Problem(422, 'the request does not fit', errors=[_field(e) for e in error.errors()[:_MOST_ERRORS]])
    if isinstance(error, StarletteHTTPException):
        return Problem(error.status_code, str(error.detail or ''), headers=dict(error.headers or {}))
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), 500)
    if isinstance(error, _TOLD):
        return Problem(status, str(error), type=_type_of(error))
    incident = new_id()
    # Of others not the words, and of none a traceback's values: they may quote what was said.
    words = f' ({error})' if isinstance(error, errors.StoreError | errors.ConfigurationError) else ''
    log.error('incident %s: %s%s', incident, _where(error), words)
    headers = {'Retry-After': _RETRY[status]} if status in _RETRY else {}
    return Problem(status, headers=headers, incident=incident, type=_type_of(error))


def rendered(problem: Problem) -> Response:
    """As `application/problem+json`."""
    body: dict[str, Any] = {'type': problem.type, 'title': problem.title, 'status': problem.status}
    detail = _UNROUTED.get(problem.status, '') if problem.detail == problem.title else problem.detail
    if detail:
        body['detail'] = detail
    if problem.errors:
        body['errors'] = [dict(one) for one in problem.errors]
    if problem.incident:
        body['incident'] = problem.incident
    return JSONResponse(
        body, status_code=problem.status, headers=dict(problem.headers), media_type='application/problem+json'
    )


def _type_of(error: Exception) -> str:
    known = (kind.__name__ for kind in type(error).__mro__ if kind.__name__ in errors.__all__)
    name = next(known, 'MemorandaError')
    return 'about:blank' if name == 'MemorandaError' else f'urn:memoranda:{name}'


def _field(error: Mapping[str, Any]) -> dict[str, Any]:
    """One field's error, without the value that was sent."""
    said = str(error.get('msg', '')).removeprefix('Value error, ')
    return {'loc': list(error.get('loc', ())), 'msg': said, 'type': error.get('type', '')}


def _where(error: BaseException) -> str:
    """Class and place of an error and of its causes, without their words."""
    told: list[str] = []
    one: BaseException | None = error
    while one is not None and len(told) < 5:
        trace = one.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f' at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}' if trace is not None else ''
        told.append(f'{type(one).__name__}{place}')
        one = one.__cause__ or one.__context__
    return ', from '.join(told)


class Caught:
    """The innermost layer: turns what no route has caught into an answer, and keeps its words from every log."""

    def __init__(self, app: ASGIApp, *, surfaces: Surfaces) -> None:
        self.app = app
        self._surfaces = surfaces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 500."""
        begun = False

        async def seen(message: Message) -> None:
            nonlocal begun
            begun = begun or message['type'] == 'http.response.start'
            await send(message)

        try:
            with errors.discreet():
                await self.app(scope, receive, seen)
        except Exception as error:
            if scope['type'] != 'http':
                raise
            problem = problem_of(error)
            if begun:  # all that is left is to break off
                raise ConnectionAbortedError(f'incident {problem.incident or problem.status}') from None
            await self._surfaces.render(scope['path'], problem)(scope, receive, send)
