"""Adds that wait in this process until the server can be reached: what an embedded memory's spool does.

They are sent in their order, each with the idempotency key of its first try, and do not outlive the process.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
import weakref
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final

from memoranda._degraded import Notice, Part, can_not_write
from memoranda.errors import MemorandaError, StoreUnreachable

if TYPE_CHECKING:
    from memoranda.client._http import Answer, Ask, Wire
    from memoranda.client._loop import Loop

__all__ = ['MAX_ADDS', 'MAX_BYTES', 'Kept', 'Spool', 'server_part']

log = logging.getLogger('memoranda')

MAX_ADDS: Final = 10_000
"""Kept at once."""
MAX_BYTES: Final = 20_000_000
"""Of all that is kept."""
_LOOK_SECONDS: Final = 0.05


def server_part() -> Part:
    """How it stands with a server: asked again and again, it is left alone for a while."""
    notice = Notice(
        'the server can not be reached (%s): nothing is recalled, and background adds are kept in this process',
        'the server can be reached again',
    )
    return Part('storage', notice, can_not_write)


class Kept:
    """One add, until it is stored."""

    def __init__(self, ask: Ask, cause: str) -> None:
        self.ask, self.cause = ask, cause
        self.stored: Future[Answer] = Future()
        """What the server answered in the end; or why it is lost."""


class Spool:
    """The adds of a client that are not stored yet.

    Args:
        loop: Where they are sent.
        wire: By which they are sent.
        part: How it stands with the server.
    """

    def __init__(self, loop: Loop, wire: Wire, part: Part) -> None:
        self._loop, self._wire, self.part = loop, wire, part
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._waiting: deque[Kept] = deque()
        self._bytes = 0
        self._sending = False

    def _own(self) -> threading.Lock:
        if self._pid != os.getpid():  # the child of a fork: what waits is the parent's, who sends it
            self._begin()
        return self._lock

    def __len__(self) -> int:
        with self._own():
            return len(self._waiting)

    def last(self) -> Kept | None:
        """What came in last; None when nothing waits."""
        with self._own():
            return self._waiting[-1] if self._waiting else None

    def keep(self, ask: Ask, cause: str) -> Kept:
        """Keep an add for later.

        Raises:
            StoreUnreachable: No more can be kept.
        """
        kept, size = Kept(ask, cause), len(ask.body or b'')
        with self._own():
            if len(self._waiting) >= MAX_ADDS or self._bytes + size > MAX_BYTES:
                raise StoreUnreachable(
                    f'the server can not be reached ({cause}), and {len(self._waiting):,} adds of {self._bytes:,} '
                    f'bytes wait for it in memory, where {MAX_ADDS:,} and {MAX_BYTES:,} are the most: these messages '
                    'are not kept, add them again once it works'
                )
            self._waiting.append(kept)
            self._bytes += size
            begins, self._sending = not self._sending, True
        if begins:
            self._loop.start(self._send_all)
        return kept

    async def _send_all(self) -> None:
        try:
            while (kept := self._first()) is not None:
                pause = self.part.breaker.resting or self.part.breaker.enter()
                if pause > 0:
                    await asyncio.sleep(max(pause, _LOOK_SECONDS))
                    continue
                await self._send(kept)
        except BaseException:  # the loop ends
            with self._own():
                self._sending = False
            raise

    async def _send(self, kept: Kept) -> None:
        try:
            answer = await self._wire.send(kept.ask, retries=0)
        except MemorandaError as error:
            if can_not_write(error):
                self.part.failed(type(error).__name__)
                return
            self.part.works()
            log.warning('an add that was kept is refused by the server (%s), and lost', type(error).__name__)
            self._take(kept, error)
        except BaseException:
            self.part.breaker.withdraw()
            raise
        else:
            self.part.works()
            self._take(kept, answer)

    def _first(self) -> Kept | None:
        with self._own():
            if not self._waiting:
                self._sending = False
                return None
            return self._waiting[0]

    def _take(self, kept: Kept, outcome: Answer | MemorandaError) -> None:
        """It has left, unless `drain` and the sender have met at it."""
        with self._own():
            if not self._waiting or self._waiting[0] is not kept:
                return
            self._waiting.popleft()
            self._bytes -= len(kept.ask.body or b'')
        if isinstance(outcome, MemorandaError):
            kept.stored.set_exception(outcome)
        else:
            kept.stored.set_result(outcome)

    async def drain(self) -> None:
        """Try once more to send what waits, as long as that works."""
        while (kept := self._first()) is not None:
            await self._send(kept)
            if not kept.stored.done():
                return

    def give_up(self) -> None:
        """The client is closed: what still waits is lost, and the log says how much."""
        with self._own():
            lost, self._waiting = self._waiting, deque()
            self._bytes, self._sending = 0, False
        if lost:
            log.error('%d adds could not be sent to the server before the client was closed, and are lost', len(lost))
        for kept in lost:
            kept.stored.set_exception(
                StoreUnreachable('the client was closed before the server could be reached: add these messages again')
            )


_all: weakref.WeakSet[Spool] = weakref.WeakSet()


@atexit.register
def _tell() -> None:
    for spool in list(_all):
        if spool._pid == os.getpid() and spool._waiting:  # pyright: ignore[reportPrivateUsage]
            spool.give_up()
