"""What the routes of all pages stand on: who looks (`viewer`), how a page is shown (`page`), and what follows an action
(`done`).

```python
router = APIRouter(prefix='/console/people')


@router.get('')
async def people(request: Request, who: Annotated[Viewer, viewer('reader', whole_project=True)]) -> Response:
    return page(request, who, 'people.html', title='People', here='people', people=...)


@router.post('/{user_id}/pin')
async def pin(request: Request, user_id: str, who: Annotated[Viewer, viewer('writer')]) -> Response:
    await who.memory.update(...)
    return done(request, who, 'Pinned.', to='/console/people', undo='/console/people/ana/unpin')
```

A template extends `base.html`, fills the block `content` and further blocks that are named like the element they hold
(`{% block results %}<div id="results">`): a request of htmx for `#results` is answered by that block alone. The macros
of `_ui.html` are there as `ui`, without an import.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from memoranda.server.access import Caller, Role, allows
from memoranda.server.console._rendering import environment, pieces
from memoranda.server.console.navigation import places
from memoranda.server.console.sessions import SAFE, Session, Sessions, own_path, path_of
from memoranda.server.problems import Problem

if TYPE_CHECKING:
    from memoranda.memory import AsyncMemory

__all__ = ['HEADERS', 'Viewer', 'bare', 'done', 'page', 'viewer']

HEADERS: Final = {
    'Cache-Control': 'no-store',
    'Content-Security-Policy': (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Referrer-Policy': 'same-origin',
    'Vary': 'HX-Request, HX-Target',
}
"""Of every page."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever looks at a page."""

    caller: Caller
    csrf: str
    """What a form has to send back in the field `csrf`; console.js sends it by itself. Empty of an API key, which no
    other site can make a browser send."""
    session: Session | None
    """None: an API key was sent instead of a cookie."""

    def may(self, role: Role) -> bool:
        """Whether what needs this role may be offered."""
        return allows(self.caller.role, role)

    @property
    def memory(self) -> AsyncMemory:
        """In the project of the key, acting as it; bound to one person when the key is."""
        return self.caller.memory

    @property
    def only(self) -> str | None:
        """The one person that the key is for; None: the whole project."""
        return self.caller.user_id


def viewer(role: Role = 'reader', *, whole_project: bool = False) -> Any:
    """Let in those of a role and above, in a session or with an API key; others get 403.

    A route declares it as `who: Annotated[Viewer, viewer('writer')]`. Of a session, whatever isn't a GET needs its CSRF
    token and has to come from a page of this server.

    Args:
        role: What the route needs.
        whole_project: Whether keys for one user are refused.
    """

    async def looking(request: Request) -> Viewer:
        state: dict[str, Any] = request.scope.get('state', {})
        caller: Caller | None = state.get('caller')
        if caller is None:
            raise Problem(401)
        session: Session | None = state.get('session')
        if session is not None and request.method not in SAFE:
            await session.check(request)
        if not allows(caller.role, role):
            raise Problem(403, f'this key has the role {caller.role}: {role} is needed')
        if whole_project and caller.user_id is not None:
            raise Problem(403, 'this key is for one user: this page is about the whole project, use a key of it')
        return Viewer(caller, '' if session is None else session.csrf, session)

    looking.role = role  # type: ignore[attr-defined]
    looking.console = True  # type: ignore[attr-defined]
    return Depends(looking)


def page(
    request: Request,
    who: Viewer,
    template: str,
    /,
    *,
    title: str,
    here: str,
    status: int = 200,
    **context: Any,
) -> Response:
    """A page; of a request by htmx only the block that it is for.

    Args:
        request: It.
        who: Whoever looks; `who` in the template.
        template: A file of `templates/`.
        title: Of the page, in plain words.
        here: The place in the navigation (`navigation.py`).
        status: Of the answer.
        context: What the template is given. `request`, `who`, `title`, `here`, `path` and `url` are there too.
    """
    env = environment()
    made = env.get_template(template)
    given = {
        **context,
        'flash': _flash(request, who),
        'here': here,
        'path': request.url.path,
        'places': places(who.caller),
        'query': dict(request.query_params),
        'request': request,
        'title': _visible(title),
        'url': path_of(request),
        'who': who,
    }
    headers = dict(HEADERS)
    if 'hx-request' not in request.headers or 'hx-history-restore-request' in request.headers:
        text = made.render(given)
    else:
        wanted = request.headers.get('hx-target', '').replace('-', '_')
        name = wanted if wanted in made.blocks else 'content'
        text = ''.join(made.blocks[name](made.new_context(given)))
        if 'x-poll' in request.headers:
            seen = hashlib.sha256(text.encode()).hexdigest()[:16]
            headers['X-Seen'] = seen
            if request.headers['x-poll'] == seen:
                return Response(status_code=204, headers=headers)
        else:
            text = env.get_template('_swapped.html').render(given) + text
    response = HTMLResponse(text, status_code=status, headers=headers)
    if who.session is not None and 'x-poll' not in request.headers:  # what a page does by itself doesn't keep it open
        sessions: Sessions = request.app.state.sessions
        if (renewed := sessions.renewed(who.session)) is not None:
            sessions.give(response, renewed)
    if given['flash'] is not None and 'x-poll' not in request.headers:
        response.delete_cookie(_flash_name(who), path='/console')
    return response


def bare(template: str, *, title: str, status: int = 200, **context: Any) -> HTMLResponse:
    """A page for somebody who isn't known: without navigation."""
    made = environment().get_template(template)
    return HTMLResponse(made.render({**context, 'title': title}), status_code=status, headers=HEADERS)


def done(request: Request, who: Viewer, message: str, *, to: str, undo: str | None = None) -> Response:
    """After an action: lead on to a page, which tells what was done.

    Args:
        request: The action.
        who: Whose.
        message: One sentence in plain words. What is remembered stays out of it.
        to: A path under `/console`, with its query.
        undo: Where a POST takes it back.

    Raises:
        ValueError: A path that isn't of the console.
    """
    for path in (to, *([] if undo is None else [undo])):
        if own_path(path) != path:
            raise ValueError(f'{path!r} is not a path of the console: begin it with /console')
    if 'hx-request' not in request.headers:
        response: Response = RedirectResponse(to, status_code=303, headers=HEADERS)
    else:
        # Within a section its content is swapped; elsewhere the navigation has to change as well.
        current = urlsplit(request.headers.get('hx-current-url', '')).path
        if current == urlsplit(to).path:
            told = json.dumps({'path': to, 'target': '#content', 'swap': 'innerHTML show:none'})
            response = Response(status_code=204, headers={**HEADERS, 'HX-Location': told})
        else:
            response = Response(status_code=204, headers={**HEADERS, 'HX-Redirect': to})
    if who.session is not None:
        value = who.session.sign({'message': message, 'undo': undo})
        response.set_cookie(
            _flash_name(who),
            value,
            max_age=60,
            path='/console',
            httponly=True,
            samesite='strict',
            secure=who.session.secure,
        )
    return response


def _visible(title: str) -> str:
    """A title as a tab of the browser may show it: it may hold an id."""
    return ''.join(f'[{piece.odd}]' if piece.odd else piece.text for piece in pieces(title, 100))


def _flash_name(who: Viewer) -> str:
    return '' if who.session is None else f'{who.session.cookie}_said'


def _flash(request: Request, who: Viewer) -> dict[str, Any] | None:
    """What the last action has to tell."""
    if who.session is None or 'x-poll' in request.headers:
        return None
    value = request.cookies.get(_flash_name(who))
    return None if value is None else who.session.read(value)
