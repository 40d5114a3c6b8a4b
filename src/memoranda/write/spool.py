"""Messages that wait in this process until the storage can be written again.

A background `add` that meets a full, locked, read-only or unreachable storage leaves them here, and its receipt says
`unsaved`. They are stored in order for each owner as soon as that works. They do not outlive the process, so they are
bounded, and what is lost when it ends is told in the log.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from memoranda._bridge import Errand, run, wait_within
from memoranda._degraded import PROBE_SECONDS, can_not_write
from memoranda._telemetry import count_degraded
from memoranda._threads import settle
from memoranda.errors import StoreError, StoreUnreachable, StoreUnreadable

if TYPE_CHECKING:
    from memoranda.engine import Engine
    from memoranda.records import JobStatus
    from memoranda.scope import Erasure, Owner
    from memoranda.stores.data import Appended, Batch

__all__ = ['MAX_ADDS', 'MAX_CHARS', 'Kept', 'Lost', 'Spool']

log = logging.getLogger('memoranda')
T = TypeVar('T')

MAX_ADDS: Final = 10_000
"""Kept at once."""
MAX_CHARS: Final = 5_000_000
"""Of all that is kept."""
AT_ONCE: Final = 64
"""Owners whose messages are stored at once when the storage works again."""
SLOW: Final = 'TimeoutError'
_HELD_SECONDS: Final = 0.05
_LOOK_SECONDS: Final = 0.25
_IDLE_SECONDS: Final = 30.0


class Lost(Exception):
    """Messages were never stored.

    Attributes:
        status: What their receipt says from then on.
    """

    def __init__(self, status: JobStatus, reason: str) -> None:
        super().__init__(reason)
        self.status: JobStatus = status


class Kept:
    """What one `add` brought, until it is stored."""

    def __init__(self, batch: Batch, error: str) -> None:
        self.batch = batch
        self.error = error
        """What kept it from being stored, without content."""
        self.failure: StoreError | None = None
        self.pid = os.getpid()
        self.chars = sum(len(d.text) + (len(str(d.metadata)) if d.metadata else 0) for d in batch.drafts)
        self.stored: Future[Appended] = Future()
        """What was stored in the end; or `Lost`."""
        self.attempt: Future[None] | None = None
        """Done when the try that is under way has ended, one way or another."""
        self.held = False
        """Whether it is not to be stored now, because its owner is being erased."""


class Spool:
    """The messages of an engine that are not stored yet, in order for each owner. May be shared by threads.

    Args:
        engine: Where they are to be stored.
        notify: Called when some were.
    """

    def __init__(self, engine: Engine, notify: Callable[[], None]) -> None:
        self.engine, self._notify = engine, notify
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._waiting: dict[Owner, deque[Kept]] = {}
        self._adds = self._chars = 0
        self._sender: _Sender | None = None

    def _own(self) -> threading.Lock:
        if self._pid != os.getpid():  # the child of a fork: what waits is the parent's, who stores it
            self._begin()
        return self._lock

    def count(self, owner: Owner | None = None) -> int:
        """How many adds wait; of one owner, or of all."""
        with self._own():
            return self._adds if owner is None else len(self._waiting.get(owner, ()))

    async def save(self, batch: Batch) -> Appended | Kept:
        """Store messages, or keep them for later where the engine's settings want that.

        Raises:
            StoreError: It refuses these messages; or it fails, and no more can be kept.
        """
        engine = self.engine
        if engine.settings.errors == 'raise':
            return await engine.store.append(batch)
        part = engine.health.writes
        if self.count(batch.owner) or (part.breaker.open and self.count()) or part.breaker.enter() > 0:
            cause = part.breaker.cause or SLOW
            part.notice.fails(cause)
            return self._keep(Kept(batch, cause))
        seconds = engine.settings.degrade_seconds
        errand = Errand(engine.store.append(batch))
        errand.done.add_done_callback(part.heard)
        try:
            if not await errand.wait(min(seconds, PROBE_SECONDS) if part.breaker.open else seconds):
                part.failed(SLOW)
                self._start(errand.carry_on)
                # It may still be stored, so it is not tried a second time before that is known.
                return self._keep(Kept(batch, SLOW), errand.done)
        except BaseException:
            errand.cancel()
            raise
        try:
            return errand.done.result()
        except StoreError as error:
            if not can_not_write(error):
                raise
            kept = Kept(batch, type(error).__name__)
            kept.failure = error
            return self._keep(kept)

    def _keep(self, kept: Kept, appending: Future[Appended] | None = None) -> Kept:
        with self._own():
            adds, chars = self._adds + 1, self._chars + kept.chars
            if appending is None and (adds > MAX_ADDS or chars > MAX_CHARS):
                raise StoreUnreachable(
                    f'the storage can not be written ({kept.error}), and {self._adds:,} adds of {self._chars:,} '
                    f'characters wait for it in memory, where {MAX_ADDS:,} and {MAX_CHARS:,} are the most: '
                    'these messages are not kept, add them again once the storage works'
                ) from kept.failure
            self._adds, self._chars = adds, chars
            self._waiting.setdefault(kept.batch.owner, deque()).append(kept)
            begun = None if self._sender is not None else _Sender(self)
            self._sender = self._sender or begun
        if appending is not None:
            self._follow(kept, appending)
        if begun is not None:
            _ends.watch(self)
            self._start(begun.work)
        infer = kept.batch.job.get('infer', True)
        count_degraded('upsert_memory' if infer else 'create_memory', kept.error)
        return kept

    def _start(self, make: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
        """On the engine's own loop, and not as part of the trace of the add that began it."""
        return Context().run(self.engine.start, make)

    def due(self, most: int) -> list[Kept]:
        """The first of each owner."""
        with self._own():
            firsts = [queue[0] for queue in self._waiting.values() if not queue[0].held]
        return firsts[:most]

    def ends(self, sender: _Sender) -> bool:
        """Whether nothing waits any more; then this sender is no longer the one to wake."""
        with self._own():
            if self._waiting and not sender.stopped:
                return False
            if self._sender is sender:
                self._sender = None
            return True

    def attempt(self, kept: Kept) -> Future[None] | None:
        """Store the first of an owner, unless that is under way. None when it is not to be stored now."""
        with self._own():
            if kept.attempt is not None or kept.held or kept.stored.done():
                return kept.attempt
            kept.attempt = attempt = Future[None]()
        appending = self._start(lambda: self.engine.store.append(kept.batch))
        appending.add_done_callback(self.engine.health.writes.heard)
        self._follow(kept, appending, attempt)
        return attempt

    def _follow(self, kept: Kept, appending: Future[Appended], attempt: Future[None] | None = None) -> None:
        attempt = kept.attempt = attempt or Future[None]()

        def tried(done: Future[Appended]) -> None:
            self._tried(kept, done)
            settle(attempt)

        appending.add_done_callback(tried)

    def _tried(self, kept: Kept, done: Future[Appended]) -> None:
        if done.cancelled():  # with the loop it ran on
            kept.attempt = None
            return
        error = done.exception()
        if isinstance(error, StoreError) and (can_not_write(error) or isinstance(error, StoreUnreadable)):
            kept.error, kept.failure, kept.attempt = type(error).__name__, error, None
            return
        self._take_out([kept])
        if error is None:
            kept.stored.set_result(done.result())
            self._notify()
            return
        log.error('messages that waited for the storage are refused by it (%s)', type(error).__name__)
        kept.stored.set_exception(Lost('dead', f'{type(error).__name__}: {error}'))

    def _take_out(self, gone: Iterable[Kept]) -> None:
        with self._own():
            for kept in gone:
                queue = self._waiting.get(kept.batch.owner)
                if queue is None or kept not in queue:
                    continue
                queue.remove(kept)
                if not queue:
                    del self._waiting[kept.batch.owner]
                self._adds, self._chars = self._adds - 1, self._chars - kept.chars
            sender = self._sender
        if sender is not None:
            sender.wake()

    async def settle(self, owner: Owner) -> None:
        """Store what waits of an owner, because something that was said later is about to be.

        Raises:
            StoreError: It still can't be.
        """
        while self.count(owner):
            with self._own():
                queue = self._waiting.get(owner)
                first = queue[0] if queue else None
            if first is None:
                return
            attempt = self.attempt(first)
            if attempt is None:
                await wait_within(first.stored, _HELD_SECONDS)
                continue
            await wait_within(attempt, None)
            if not first.stored.done() and first.failure is not None and not first.held:
                raise first.failure

    async def flush(self, owner: Owner | None, seconds: float | None) -> int:
        """Try now to store what waits, and again until the time is over. Returns how much of it still waits."""
        deadline = None if seconds is None else time.monotonic() + seconds
        with self._own():
            sender = self._sender
            waiting = [kept for of, queue in self._waiting.items() if owner in (None, of) for kept in queue]
        if sender is not None:
            sender.hurry()
        for kept in waiting:
            if not await wait_within(kept.stored, None if deadline is None else deadline - time.monotonic()):
                break
        return sum(not kept.stored.done() for kept in waiting)

    @asynccontextmanager
    async def erasing(self, erased: Erasure | Callable[[Batch], bool]) -> AsyncGenerator[None]:
        """Hold back what waits of the erased, and drop it when the erasure has succeeded."""
        covers = erased if callable(erased) else partial(_covers, erased)
        with self._own():
            held = [kept for queue in self._waiting.values() for kept in queue if covers(kept.batch)]
            for kept in held:
                kept.held = True
            under_way = [kept.attempt for kept in held if kept.attempt is not None]
        try:
            for attempt in under_way:
                await wait_within(attempt, None)
            yield
        except BaseException:
            for kept in held:
                kept.held = False
            raise
        self._let_go(held, Lost('dropped', 'its messages were erased'))

    def _let_go(self, gone: list[Kept], why: Lost) -> None:
        self._take_out(gone)
        for kept in gone:
            if not kept.stored.done():
                kept.stored.set_exception(why)

    async def stop(self, seconds: float) -> None:
        """Try once more to store what waits, for so long."""
        with self._own():
            sender = self._sender
        if sender is not None:
            sender.stop(seconds)
            await wait_within(sender.ended, seconds + _LOOK_SECONDS)

    def give_up(self) -> None:
        """Let go of what could not be stored, and tell it."""
        with self._own():
            lost = [kept for queue in self._waiting.values() for kept in queue]
        if not lost:
            return
        messages, error = sum(len(kept.batch.drafts) for kept in lost), lost[-1].error
        log.error('%d messages are lost: they waited for the storage, which still fails (%s)', messages, error)
        self._let_go(lost, Lost('unsaved', f'{error}: the storage did not work until the end; add the messages again'))


class _Sender:
    """Stores what waits, on the engine's own loop, until nothing does."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken: asyncio.Event | None = None
        self._hurried = False
        self._stop_at: float | None = None
        self.ended: Future[None] = Future()

    @property
    def stopped(self) -> bool:
        """Whether it shall end, whatever still waits."""
        return self._stop_at is not None

    def wake(self) -> None:
        """Look again now."""
        loop, woken = self._loop, self._woken
        if loop is not None and woken is not None:
            with contextlib.suppress(RuntimeError):  # it ended just now
                loop.call_soon_threadsafe(woken.set)

    def hurry(self) -> None:
        """Try now instead of later."""
        self._hurried = True
        self.wake()

    def stop(self, seconds: float) -> None:
        """Try once more, for so long, and end."""
        self._stop_at = time.monotonic() + seconds
        self.hurry()

    async def work(self) -> None:
        """Run until nothing waits, or it is stopped."""
        self._loop, self._woken = asyncio.get_running_loop(), asyncio.Event()
        try:
            while True:
                self._woken.clear()
                pause = await self._send()
                if self._spool.ends(self):
                    return
                if not self._hurried:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._woken.wait(), pause)
        finally:
            settle(self.ended)

    async def _send(self) -> float:
        """Store as much as can be. Returns the seconds until it makes sense to try again."""
        part = self._spool.engine.health.writes
        hurried, self._hurried = self._hurried, False
        if not hurried and (rest := part.breaker.enter()) > 0:
            return rest
        while due := self._spool.due(1 if part.breaker.open else AT_ONCE):
            attempts = [attempt for kept in due if (attempt := self._spool.attempt(kept)) is not None]
            if not await self._wait(attempts):
                return 0.0
            failed = [kept for kept in due if not kept.stored.done()]
            if failed:
                if not part.breaker.open:  # it answers, but can't be used
                    part.failed(failed[0].error)
                return max(part.breaker.resting, _LOOK_SECONDS)
        part.breaker.withdraw()
        return _IDLE_SECONDS

    async def _wait(self, attempts: list[Future[None]]) -> bool:
        """Wait for all of them, unless the time to stop comes first."""
        for attempt in attempts:
            while not await wait_within(attempt, _LOOK_SECONDS):
                if self._stop_at is not None and time.monotonic() >= self._stop_at:
                    return False
        return True


class _Ends:
    """Tries once more when the interpreter ends with messages that were never stored, and tells what is lost."""

    def __init__(self) -> None:
        self._spools: weakref.WeakSet[Spool] = weakref.WeakSet()
        self._registered = False

    def watch(self, spool: Spool) -> None:
        self._spools.add(spool)
        if not self._registered:
            self._registered = True
            atexit.register(self._end)

    def _end(self) -> None:
        for spool in list(self._spools):
            if spool.count():
                run(spool.stop(spool.engine.settings.drain_seconds))
                spool.give_up()


_ends = _Ends()


def _covers(erasure: Erasure, batch: Batch) -> bool:
    if batch.owner != erasure.owner:
        return False
    scope = batch.scope
    wanted = ((erasure.run_id, scope.run_id), (erasure.agent_id, scope.agent_id), (erasure.app_id, scope.app_id))
    return all(id_ in (None, under) for id_, under in wanted)
