"""The gate: looks at the key of a request before anything of its body is read."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from starlette.requests import Request

from memoranda.errors import MemorandaError
from memoranda.server.console.sessions import in_console
from memoranda.server.problems import problem_of

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.types import ASGIApp, Receive, Send
    from starlette.types import Scope as ASGIScope

    from memoranda.server.console.sessions import Sessions
    from memoranda.server.keyring import Keys
    from memoranda.server.surfaces import Surfaces

__all__ = ['Gate', 'key_of']

_SCHEMES: Final = ('bearer', 'token')


def key_of(headers: Headers) -> str | None:
    """The key that a request carries; None without one, or with several that differ."""
    given = {value.strip() for value in headers.getlist('x-api-key')}
    for value in headers.getlist('authorization'):
        scheme, _, rest = value.strip().partition(' ')
        if scheme.lower() in _SCHEMES:
            given.add(rest.strip())
    given.discard('')
    return given.pop() if len(given) == 1 else None


class Gate:
    """Lets nobody in without a key, but for public paths. Puts the caller where `needs` looks for it.

    What takes long asks `access.still_in_force` now and then.

    Under `/console` the cookie of a session stands for its key, and nowhere else.
    """

    def __init__(
        self, app: ASGIApp, *, keys: Keys, public: Collection[str], surfaces: Surfaces, sessions: Sessions
    ) -> None:
        self.app = app
        self._keys = keys
        self._sessions = sessions
        self._public = public
        self._surfaces = surfaces

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 401."""
        if scope['type'] == 'lifespan':
            await self.app(scope, receive, send)
            return
        if scope['type'] != 'http':  # no route of ours takes a websocket
            await send({'type': 'websocket.close', 'code': 1008})
            return
        request = Request(scope)
        secret = key_of(request.headers)
        session = None
        try:
            caller = await self._keys.caller(secret) if secret is not None else None
            if secret is None and in_console(scope['path']):
                caller, session = await self._sessions.find(request) or (None, None)
        except MemorandaError as error:
            if scope['path'] not in self._public:
                await self._surfaces.render(scope['path'], problem_of(error))(scope, receive, send)
                return
            caller = None
        if caller is None and scope['path'] not in self._public:
            await self._surfaces.turned_away(request)(scope, receive, send)
            return

        async def still() -> bool:
            if session is not None:
                return await self._sessions.find(request) is not None
            return secret is not None and await self._keys.caller(secret) is not None

        scope.setdefault('state', {}).update(caller=caller, session=session, still_in_force=still)
        await self.app(scope, receive, send)
