"""The gate: looks at the key of a request before anything of its body is read."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from starlette.requests import Request

from memoranda.errors import MemorandaError, StoreError
from memoranda.keys import ApiKey, NewKey, changes, digest_of, well_formed
from memoranda.records import now
from memoranda.scope import Scope
from memoranda.server.access import Caller
from memoranda.server.console.sessions import in_console
from memoranda.server.problems import problem_of

if TYPE_CHECKING:
    from typing import Self

    from starlette.datastructures import Headers
    from starlette.types import ASGIApp, Receive, Send
    from starlette.types import Scope as ASGIScope

    from memoranda.memory import AsyncMemory
    from memoranda.server.console.sessions import Sessions
    from memoranda.server.surfaces import Surfaces

__all__ = ['Gate', 'Keys', 'key_of']

log = logging.getLogger('memoranda.server')

_SCHEMES: Final = ('bearer', 'token')
_LONGEST: Final = 200
_KNOWN: Final = 4096
"""Keys that are remembered."""
_KNOWN_SECONDS: Final = 2.0
_WRITE_SECONDS: Final = 60.0
_USE_EVERY: Final = timedelta(minutes=1)


class Keys:
    """Who holds a key: those of this process, then those that are stored.

    A stored key is looked up once in two seconds: for so long one that was revoked elsewhere may still open. One that
    was revoked in this process is let in no more at once. When keys were last used is written once a minute, and when
    the server ends.

    Args:
        memory: Where keys are stored.
        here: Keys of this process only, that are stored nowhere.
    """

    def __init__(self, memory: AsyncMemory, here: Iterable[NewKey] = ()) -> None:
        self._memory = memory
        self._here = [(one.digest, one.key) for one in here]
        self._known: OrderedDict[bytes, tuple[float, Caller, ApiKey]] = OrderedDict()
        self._seen = changes()
        self._used: dict[str, datetime] = {}
        self._ending = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._writing = asyncio.create_task(self._write_now_and_then())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending.set()
        if self._writing is not None:
            await self._writing

    async def caller(self, secret: str) -> Caller | None:
        """Who holds a key; None: nobody does, or it has expired or was revoked.

        Raises:
            StoreError: The storage doesn't tell.
        """
        if len(secret) > _LONGEST or not well_formed(secret):
            return None
        return await self.holder(digest_of(secret))

    async def holder(self, digest: bytes) -> Caller | None:
        """Who holds the key of a SHA-256; None: nobody does, or it has expired or was revoked.

        Raises:
            StoreError: The storage doesn't tell.
        """
        at = now()
        held = self._of_here(digest)
        if held is not None:
            return self._as_caller(held) if held.in_force(at) else None
        found = self._cached(digest) or await self._looked_up(digest)
        if found is None or not found[1].in_force(at):
            return None
        caller, key = found
        if key.last_used_at is None or at - key.last_used_at > _USE_EVERY:
            self._used[key.id] = at
        return caller

    def _of_here(self, digest: bytes) -> ApiKey | None:
        found: ApiKey | None = None
        for known, key in self._here:
            if hmac.compare_digest(known, digest):
                found = key
        return found

    def _cached(self, digest: bytes) -> tuple[Caller, ApiKey] | None:
        if self._seen != (seen := changes()):  # a key was ended in this process
            self._seen = seen
            self._known.clear()
        found = self._known.get(digest)
        if found is None or time.monotonic() >= found[0]:
            return None
        return found[1:]

    async def _looked_up(self, digest: bytes) -> tuple[Caller, ApiKey] | None:
        seen, until = changes(), time.monotonic() + _KNOWN_SECONDS
        found = await self._memory.engine.store.key_by_digest(digest)
        if found is None or not hmac.compare_digest(found[1], digest):
            return None
        key = found[0]
        caller = self._as_caller(key)
        if seen == changes():
            self._known[digest] = (until, caller, key)
            self._known.move_to_end(digest)
            if len(self._known) > _KNOWN:
                self._known.popitem(last=False)
        return caller, key

    def _as_caller(self, key: ApiKey) -> Caller:
        acting = self._memory.in_project(key.project).acting_as(f'key:{key.name}')
        memory = acting.project_wide() if key.user_id is None else acting.scoped(Scope(user_id=key.user_id))
        return Caller(
            key_id=key.id, name=key.name, project=key.project, role=key.role, user_id=key.user_id, memory=memory
        )

    async def _write_now_and_then(self) -> None:
        while not self._ending.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _WRITE_SECONDS)
            used, self._used = self._used, {}
            if used:
                try:
                    await self._memory.engine.store.note_key_uses(used)
                except StoreError as error:
                    log.debug('when keys were used could not be written (%s)', type(error).__name__)


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
        scope.setdefault('state', {}).update(caller=caller, session=session)
        await self.app(scope, receive, send)
