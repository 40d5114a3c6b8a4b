"""Coming in and going out: sign-in, sign-out, the one-time link, static files, and pages that tell of an error."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from memoranda.server.access import public
from memoranda.server.console._rendering import STATIC
from memoranda.server.console.page import HEADERS, Viewer, bare, viewer
from memoranda.server.console.sessions import HOME, SIGN_IN, Session, Sessions, check_origin, own_path, path_of
from memoranda.server.problems import Problem

__all__ = ['error_page', 'router', 'turned_away']

router = APIRouter(prefix=HOME, include_in_schema=False)
_TYPES: Final = {'.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml', '.LICENSE': 'text/plain'}
_WORDS: Final = {
    400: 'That request can not be read',
    403: 'You may not do this',
    404: 'There is nothing here',
    405: 'That can not be done here',
    409: 'Something else changed first',
    412: 'Something else changed first',
    413: 'That is too much at once',
    422: 'That can not be used',
    429: 'Too much at once',
    503: 'The storage does not answer',
}


@router.get('/sign-in', dependencies=[public()])
async def sign_in_page(request: Request) -> Response:
    """Where a key is pasted; whoever is signed in goes on."""
    to = own_path(request.query_params.get('next'))
    if request.state.caller is not None:
        return RedirectResponse(to, status_code=303, headers=HEADERS)
    return bare('sign_in.html', title='Sign in', to=to, wrong=None, again=False)


@router.post('/sign-in', dependencies=[public()])
async def sign_in(request: Request) -> Response:
    """Make a session of a key."""
    sessions: Sessions = request.app.state.sessions
    check_origin(request)
    form = await request.form()
    secret, to = form.get('key'), form.get('next')
    to = own_path(to if isinstance(to, str) else None)
    session = await sessions.enter(request, secret.strip() if isinstance(secret, str) else '')
    if session is None:
        wrong = 'This key opens nothing: it was never made, has expired or was revoked, or was not copied whole.'
        return bare('sign_in.html', title='Sign in', status=403, to=to, wrong=wrong, again=False)
    return _entered(sessions, session, to)


@router.get('/enter', dependencies=[public()])
async def enter(request: Request) -> Response:
    """Follow the link that `memoranda console` shows."""
    sessions: Sessions = request.app.state.sessions
    session = sessions.enter_once(request, request.query_params.get('token', ''))
    if session is None:
        if request.state.caller is not None:
            return RedirectResponse(HOME, status_code=303, headers=HEADERS)
        raise Problem(403, 'this link was used before, or is older than two minutes: start `memoranda console` again')
    return _entered(sessions, session, HOME)


@router.post('/sign-out')
async def sign_out(request: Request, who: Annotated[Viewer, viewer('reader')]) -> Response:
    """End the session."""
    response = RedirectResponse(SIGN_IN, status_code=303, headers=HEADERS)
    if who.session is not None:
        sessions: Sessions = request.app.state.sessions
        sessions.end(who.session)
        response.delete_cookie(who.session.cookie, path=HOME)
    return response


def _entered(sessions: Sessions, session: Session, to: str) -> Response:
    response = RedirectResponse(to, status_code=303, headers=HEADERS)
    sessions.give(response, session)
    return response


def turned_away(request: Request) -> Response:
    """What somebody gets who is not signed in, or no more."""
    to = path_of(request)
    if 'hx-request' in request.headers:  # of the page that is open, not of its part
        current = request.headers.get('hx-current-url', '')
        origin = f'{request.url.scheme}://{request.headers.get("host", "")}'
        to = own_path(current.removeprefix(origin))
        return Response(status_code=401, headers={**HEADERS, 'HX-Redirect': f'{SIGN_IN}?{_query(next=to)}'})
    if request.method not in ('GET', 'HEAD'):
        to = HOME
    # A link elsewhere brings no cookie of ours along: the page that is loaded from here does.
    again = request.headers.get('sec-fetch-site') == 'cross-site' and request.method == 'GET'
    return bare('sign_in.html', title='Sign in', status=401, to=own_path(to), wrong=None, again=again)


def error_page(problem: Problem) -> Response:
    """An error as a page; console.js tells its words where a part of a page was asked for."""
    response = bare(
        'error.html',
        title=_WORDS.get(problem.status, 'The server failed at it' if problem.status >= 500 else problem.title),
        status=problem.status,
        problem=problem,
    )
    for name, value in problem.headers.items():
        response.headers[name] = value
    return response


def _query(**given: str) -> str:
    from urllib.parse import urlencode

    return urlencode(given)


def _static(path: Path) -> Callable[[], Coroutine[Any, Any, Response]]:
    """A route for one file, which is read once."""
    content = path.read_bytes()
    headers = {
        'Cache-Control': 'public, max-age=31536000, immutable',
        'Content-Security-Policy': "default-src 'none'; style-src 'self'; frame-ancestors 'none'",
    }

    async def file() -> Response:
        await asyncio.sleep(0)
        return Response(content, media_type=_TYPES[path.suffix], headers=headers)

    return file


for _path in sorted(STATIC.iterdir()):
    if _path.suffix in _TYPES:
        router.add_api_route(f'/static/{_path.name}', _static(_path), methods=['GET'], dependencies=[public()])
