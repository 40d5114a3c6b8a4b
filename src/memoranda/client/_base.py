"""What all calls of a client stand on: the connection, whose memories are meant, and going on without a server."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, get_args
from urllib.parse import quote

from memoranda._bridge import wait_for, wait_within
from memoranda._degraded import PROBE_SECONDS, can_not_read
from memoranda._threads import settle
from memoranda.checks import check_count, check_text
from memoranda.client._asking import ids_told, json_of
from memoranda.client._http import Answer, Ask, Wire, check_installed, check_key, check_url
from memoranda.client._kept import Spool, server_part
from memoranda.client._loop import Loop
from memoranda.errors import ConfigurationError, InvalidScope, MemoryNotFound, shown
from memoranda.scope import Scope, check_scope

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    import httpx2

    from memoranda.client._rules import Rules
    from memoranda.server.native.models import Told

__all__ = ['BaseClient', 'Errors', 'Shared', 'on_a_thread', 'quoted']

Errors = Literal['degrade', 'raise']
ToldT = TypeVar('ToldT', bound='Told')
T = TypeVar('T')
Ids = tuple[str | None, str | None, str | None, str | None, str | None]

URL_VARIABLE: Final = 'MEMORANDA_URL'
KEY_VARIABLE: Final = 'MEMORANDA_API_KEY'
DRAIN_SECONDS: Final = 5.0
"""How long closing tries to send what waits."""


class Shared:
    """What all views of a client have in common."""

    def __init__(self, wire: Wire, *, errors: Errors) -> None:
        self.wire, self.errors = wire, errors
        self.part = server_part()
        self.loop = Loop(wire.close)
        self.spool = Spool(self.loop, wire, self.part)
        self.rules: Rules | None = None
        """What the server has told of its settings."""
        self.entered = 0


class BaseClient:
    """The connection, and views of it."""

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        timeout: float = 60.0,
        retries: int = 3,
        errors: Errors = 'degrade',
        degrade_seconds: float = 5.0,
        max_connections: int = 20,
        max_answer_bytes: int = 64 * 1024 * 1024,
        allow_http: bool = False,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        check_installed()
        address = check_url(url if url is not None else os.environ.get(URL_VARIABLE, ''), allow_http=allow_http)
        key = check_key(api_key if api_key is not None else os.environ.get(KEY_VARIABLE, ''))
        if errors not in get_args(Errors):
            raise ConfigurationError(f"errors={shown(errors)} is unknown: use 'degrade' or 'raise'")
        wire = Wire(
            address,
            key,
            timeout=_seconds('timeout', timeout),
            retries=check_count('retries', retries, 0, 20),
            most=check_count('max_answer_bytes', max_answer_bytes, 1024, 1 << 40),
            connections=check_count('max_connections', max_connections, 1, 1000),
            transport=transport,
        )
        self._shared = Shared(wire, errors=errors)
        self._patience = _seconds('degrade_seconds', degrade_seconds)
        self._bound: Scope | None = None
        self._wide = False

    def __repr__(self) -> str:
        bound = '' if self._bound is None else f', bound to {self._bound}'
        return f'<{type(self).__name__} {self.location}{bound}>'

    def _view(self, *, bound: Scope | None = None, wide: bool = False) -> Self:
        view = object.__new__(type(self))
        view._shared, view._bound, view._wide, view._patience = self._shared, bound, wide, self._patience
        return view

    def patient(self, seconds: float) -> Self:
        """The same view, which waits for the server so long at most where it can go on without. For adapters."""
        view = self._view(bound=self._bound, wide=self._wide)
        view._patience = min(seconds, self._patience)
        return view

    def scoped(self, scope: Scope) -> Self:
        """A view bound to a scope: its ids need not be passed, and no others are accepted."""
        return self._view(bound=check_scope(scope))

    def project_wide(self) -> Self:
        """A view whose by-id operations (get, update, delete, history) need no scope: all that the key may see."""
        return self._view(wide=True)

    @property
    def actor(self) -> None:
        """None: the server notes the key as the one who reads and edits."""
        return

    @property
    def location(self) -> str:
        """The address of the server."""
        return self._shared.wire.url

    @property
    def bound_to(self) -> Scope | None:
        """The scope this view is bound to (see `scoped`); None: each call names its own."""
        return self._bound

    async def __aenter__(self) -> Self:
        self._shared.entered += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shared.entered -= 1
        if self._shared.entered <= 0:  # else others are still inside
            await self.close()

    async def close(self) -> None:
        """Send what waits, if that works now, and close the connections, for every view. A later call opens others."""
        shared = self._shared
        shared.entered = 0
        if len(shared.spool):
            future = shared.loop.start(shared.spool.drain)
            if not await wait_within(future, DRAIN_SECONDS):
                future.cancel()
        await wait_for(on_a_thread(shared.loop.end))
        shared.spool.give_up()

    # Whose memories a call is about: as in `AsyncMemory`.

    def _scope(
        self, user_id: str | None, agent_id: str | None, run_id: str | None, app_id: str | None, session_id: str | None
    ) -> Scope:
        if run_id is not None and session_id is not None and run_id != session_id:
            raise InvalidScope(f'run_id={run_id!r} and session_id={session_id!r} are the same thing: pass one')
        given = Scope(
            user_id=user_id, agent_id=agent_id, run_id=run_id if run_id is not None else session_id, app_id=app_id
        )
        if self._bound is None:
            if given.is_global:
                raise InvalidScope(
                    'no id was given: pass user_id, agent_id, run_id or app_id; what a project shares is asked for by '
                    'scoped(Scope.GLOBAL), over HTTP by shared=true'
                )
            return given
        for name in ('user_id', 'agent_id', 'run_id', 'app_id'):
            value: str | None = getattr(given, name)
            if value is not None and value != getattr(self._bound, name):
                raise InvalidScope(
                    f'{name}={value!r} is outside the scope this memory is bound to: leave it out, or use another view'
                )
        return self._bound

    def _id_scope(
        self, user_id: str | None, agent_id: str | None, run_id: str | None, app_id: str | None, session_id: str | None
    ) -> Scope | None:
        if self._wide and (user_id, agent_id, run_id, app_id, session_id) == (None,) * 5:
            return None
        return self._scope(user_id, agent_id, run_id, app_id, session_id)

    def _owner_scope(
        self, user_id: str | None, agent_id: str | None, run_id: str | None, app_id: str | None, session_id: str | None
    ) -> Scope | None:
        """As `_id_scope`, and without any id everybody in the project also of a view that is not wide."""
        if self._bound is None and (user_id, agent_id, run_id, app_id, session_id) == (None,) * 5:
            return None
        return self._scope(user_id, agent_id, run_id, app_id, session_id)

    # Requests.

    async def _send(self, ask: Ask) -> Answer:
        shared = self._shared
        answer = await wait_for(shared.loop.start(lambda: shared.wire.send(ask)))
        shared.part.works()
        return answer

    async def _told(self, kind: type[ToldT], ask: Ask) -> ToldT:
        return self._read(kind, await self._send(ask))

    def _read(self, kind: type[ToldT], answer: Answer) -> ToldT:
        from memoranda.client._records import read

        return read(kind, answer.body, address=self.location)

    async def _get(self, kind: type[ToldT], path: str, scope: Scope | None, **params: Any) -> ToldT:
        return await self._told(kind, self._asking('GET', path, scope, **params))

    async def _post(
        self, model: type[ToldT], path: str, scope: Scope | None, /, *, again: bool = False, **fields: Any
    ) -> ToldT:
        """Ids and fields in the body."""
        body = json_of({**ids_told(scope), **_known(fields)})
        return await self._told(model, Ask('POST', path, body=body, again=again))

    @staticmethod
    def _asking(method: str, path: str, scope: Scope | None, *, again: bool = True, **params: Any) -> Ask:
        """A request whose ids and fields are in the query."""
        return Ask(method, path, params=_query({**ids_told(scope), **params}), again=again)

    async def _patiently(self, ask: Ask) -> tuple[Answer | None, str | None]:
        """The answer, or what the caller has to do without: `errors='degrade'`.

        Raises:
            MemorandaError: What the server answers; with `errors='raise'`, also that it doesn't.
        """
        shared = self._shared
        if shared.errors == 'raise':
            return await self._send(ask), None
        part = shared.part
        if part.breaker.enter() > 0:
            part.notice.fails(part.breaker.cause)
            return None, f'storage: {part.breaker.cause}'
        seconds = min(self._patience, PROBE_SECONDS) if part.breaker.open else self._patience
        cause = await self._tried(shared.loop.start(lambda: shared.wire.send(ask)), seconds, can_not_read)
        return cause if isinstance(cause, tuple) else (None, f'storage: {cause}')

    async def _tried(
        self, future: Future[Answer], seconds: float, fails: Callable[[BaseException | None], bool]
    ) -> tuple[Answer, None] | str:
        """The answer, or why there is none; errors of which `fails` says no are the caller's."""
        part, begun = self._shared.part, time.monotonic()
        try:
            done = await wait_within(future, seconds)
        except BaseException:
            future.cancel()
            if time.monotonic() - begun >= PROBE_SECONDS:  # an agent is not to lose its time in every turn
                part.failed('TimeoutError')
            else:
                part.breaker.withdraw()
            raise
        if not done:
            future.cancel()
            part.failed('TimeoutError')
            return 'TimeoutError'
        error = future.exception()
        if error is None:
            part.works()
            return future.result(), None
        if fails(error):
            part.failed(type(error).__name__)
            return type(error).__name__
        part.works()
        raise error


def quoted(name: str, value: object) -> str:
    """An id as part of a path.

    Raises:
        InvalidInput: It is no text.
        MemoryNotFound: It would be another path, and nothing has such an id.
    """
    text = check_text(name, value, 256)
    if text in ('.', '..') or (name != 'user_id' and '/' in text):
        raise MemoryNotFound(f'{name}={shown(text)} does not exist: check the id and the scope')
    return quote(text, safe='')


def on_a_thread(work: Callable[[], T]) -> Future[T]:
    """Do something that blocks, on a thread of its own."""
    done: Future[T] = Future()

    def call() -> None:
        try:
            result = work()
        except BaseException as error:
            settle(done, error)
        else:
            if done.set_running_or_notify_cancel():
                done.set_result(result)

    threading.Thread(target=call, name='memoranda-client-work', daemon=True).start()
    return done


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _query(params: dict[str, Any]) -> dict[str, Any]:
    return {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in params.items()
        if value is not None
    }


def _seconds(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float('inf'):
        raise ConfigurationError(f'{name}={shown(value)} is not a number of seconds: pass one above 0')
    return float(value)
