"""What a client may ask for: how often, how much at once, how large, how slowly. Pure ASGI, one class a limit."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from memoranda.server.bodies import READ, check_body, check_headers
from memoranda.server.problems import Problem
from memoranda.server.shield import PROBES

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from memoranda.server.access import Caller
    from memoranda.server.surfaces import Surfaces

__all__ = ['BodyLimit', 'KeyLimit', 'TotalLimit']

_KEYS_KNOWN: Final = 10_000
"""How many keys' buckets are remembered: the one that was used longest ago is full again."""
_IN_A_THREAD: Final = 65_536
"""Bytes of a body from which on checking it would hold up the others."""
_FORM_BYTES: Final = 4096
_FORM_SECONDS: Final = 5.0
_FORMS_AT_ONCE: Final = 16
"""Forms that are read of somebody without a key."""


class TotalLimit:
    """So many requests at the same time, whoever sends them. `/health` is always answered.

    An answer that is a stream of events counts until it begins.
    """

    def __init__(self, app: ASGIApp, *, at_once: int, surfaces: Surfaces) -> None:
        self.app = app
        self._free = at_once
        self._surfaces = surfaces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 503."""
        if scope['type'] != 'http' or scope['path'] == '/health':
            await self.app(scope, receive, send)
            return
        if self._free <= 0:
            busy = Problem(503, 'the server does as much as it can: try again', headers={'Retry-After': '1'})
            await self._surfaces.render(scope['path'], busy)(scope, receive, send)
            return
        self._free -= 1
        held = True

        def give_back() -> None:
            nonlocal held
            if held:
                held = False
                self._free += 1

        try:
            await self.app(scope, receive, _until_it_streams(send, give_back))
        finally:
            give_back()


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float
    busy: int = 0


class KeyLimit:
    """So many requests a second and at the same time of one key. Behind the gate.

    Args:
        app: What is limited.
        rate: Requests a second; twice as many may come at once. 0: no limit.
        at_once: Requests at the same time.
        surfaces: How errors are told.
        clock: Seconds, for tests.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        rate: float,
        at_once: int,
        surfaces: Surfaces,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app = app
        self._rate, self._at_once = rate, at_once
        self._most = max(2 * rate, 1.0)
        self._surfaces = surfaces
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 429."""
        caller: Caller | None = scope.get('state', {}).get('caller') if scope['type'] == 'http' else None
        if caller is None or scope['path'] in PROBES:
            await self.app(scope, receive, send)
            return
        bucket = self._bucket(caller.key_id)
        refused = self._refused(bucket)
        if refused is not None:
            await self._surfaces.render(scope['path'], refused)(scope, receive, send)
            return
        bucket.busy += 1
        held = True

        def give_back() -> None:
            nonlocal held
            if held:
                held = False
                bucket.busy -= 1

        try:
            await self.app(scope, receive, _until_it_streams(send, give_back))
        finally:
            give_back()

    def _bucket(self, key: str) -> _Bucket:
        at = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(self._most, at)
            if len(self._buckets) > _KEYS_KNOWN:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        bucket.left = min(self._most, bucket.left + (at - bucket.at) * self._rate)
        bucket.at = at
        return bucket

    def _refused(self, bucket: _Bucket) -> Problem | None:
        if bucket.busy >= self._at_once:
            detail = f'this key has {self._at_once} requests under way, which is as many as it may: wait for one'
            return Problem(429, detail, headers=_told(self._at_once, 1))
        if not self._rate:
            return None
        if bucket.left < 1:
            wait = max(1, math.ceil((1 - bucket.left) / self._rate))
            detail = f'this key may send {self._rate:g} requests a second: wait {wait} s'
            return Problem(429, detail, headers=_told(math.floor(self._most), wait))
        bucket.left -= 1
        return None


class BodyLimit:
    """Reads the whole body before the app does: within a size and a time, and JSON that everybody reads alike.

    Whoever leaves meanwhile has sent nothing: the app isn't called.

    Args:
        app: What is limited.
        most: Bytes.
        seconds: How long a body may take.
        depth: Of JSON.
        forms: Public paths that read a small form nonetheless, a few at the same time.
        surfaces: How errors are told.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        most: int,
        seconds: float,
        depth: int,
        surfaces: Surfaces,
        forms: Collection[str] = (),
    ) -> None:
        self.app = app
        self._most, self._seconds, self._depth = most, seconds, depth
        self._surfaces = surfaces
        self._forms, self._forms_free = forms, _FORMS_AT_ONCE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its body, or answer 400, 408, 413 or 415."""
        if scope['type'] != 'http':
            await self.app(scope, receive, send)
            return
        # Nobody's body is waited for on a public route, and none of those that no other limit counts.
        known = scope.get('state', {}).get('caller') is not None and scope['path'] not in PROBES
        if known:
            await self._checked(scope, receive, send, self._most, self._seconds)
        elif scope['path'] not in self._forms or scope['method'] != 'POST':
            await self.app(scope, _replayed(b'', receive), send)
        elif self._forms_free <= 0:
            busy = Problem(503, 'the server does as much as it can: try again', headers={'Retry-After': '1'})
            await self._surfaces.render(scope['path'], busy)(scope, receive, send)
        else:
            self._forms_free -= 1
            try:
                await self._checked(
                    scope, receive, send, min(self._most, _FORM_BYTES), min(self._seconds, _FORM_SECONDS)
                )
            finally:
                self._forms_free += 1

    async def _checked(self, scope: Scope, receive: Receive, send: Send, most: int, seconds: float) -> None:
        try:
            length = check_headers(scope['headers'])
            if length is not None and length > most:
                raise _too_large(most)
            if length == 0:
                body = b''
            else:
                async with asyncio.timeout(seconds):
                    body = await _read(receive, most)
            if body is None:
                return
            if body:
                if len(body) > _IN_A_THREAD:
                    read = await asyncio.to_thread(check_body, body, self._depth)
                else:
                    read = check_body(body, self._depth)
                scope.setdefault('state', {})[READ] = read
        except TimeoutError:
            slow = Problem(
                408,
                f'the body took longer than {seconds:g} s: send it faster, or in parts',
                headers={'Connection': 'close'},
            )
            await self._surfaces.render(scope['path'], slow)(scope, receive, send)
            return
        except Problem as problem:
            await self._surfaces.render(scope['path'], problem)(scope, receive, send)
            return
        await self.app(scope, _replayed(body, receive), send)


async def _read(receive: Receive, most: int) -> bytes | None:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message['type'] == 'http.disconnect':
            return None
        chunk = message.get('body', b'')
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        chunks.append(chunk)
        if not message.get('more_body', False):
            return chunks[0] if len(chunks) == 1 else b''.join(chunks)


def _too_large(most: int) -> Problem:
    return Problem(413, f'the body has more than {most // 1024:,} KiB: send less at once')


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if not given:
            given = True
            return {'type': 'http.request', 'body': body, 'more_body': False}
        return await receive()

    return again


def _until_it_streams(send: Send, give_back: Callable[[], None]) -> Send:
    async def sending(message: Message) -> None:
        if message['type'] == 'http.response.start':
            for name, value in message.get('headers', ()):
                if name == b'content-type' and value.startswith(b'text/event-stream'):
                    give_back()
        await send(message)

    return sending


def _told(limit: int, wait: int) -> dict[str, str]:
    """Headers of a 429."""
    return {
        'Retry-After': str(wait),
        'X-RateLimit-Limit': str(limit),
        'X-RateLimit-Remaining': '0',
        'X-RateLimit-Reset': str(wait),
    }
