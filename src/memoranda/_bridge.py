"""Awaiting work that runs on the engine's own threads, from any event loop or from none.

Everything the engine awaits is a `concurrent.futures.Future`. Under asyncio it is wrapped, under Trio it is waited for
through its token, and `run` drives a coroutine on a plain thread by blocking on each future in turn. So the blocking
`Memory` needs no loop of its own and works inside a running one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Coroutine, Generator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast

from memoranda._threads import settle

__all__ = ['Errand', 'may_block', 'run', 'wait_for', 'wait_within']

T = TypeVar('T')
_driven = threading.local()


class _Handed:
    """Hands a future to `run`."""

    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def __await__(self) -> Generator[Future[Any], None, Any]:
        yield self._future
        return self._future.result()


def may_block() -> bool:
    """Whether the running coroutine is driven by `run`: then its thread is the caller's own, and no loop waits."""
    return getattr(_driven, 'depth', 0) > 0


async def wait_for(future: Future[T]) -> T:
    """The future's result, without blocking whatever loop this runs on."""
    if may_block():
        return cast('T', await _Handed(future))
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return await _wait_trio(future)
    return await asyncio.wrap_future(future)


async def _wait_trio(future: Future[T]) -> T:
    import trio

    token, done = trio.lowlevel.current_trio_token(), trio.Event()

    def wake(_: Future[T]) -> None:
        try:
            token.run_sync_soon(done.set)
        except trio.RunFinishedError:
            return

    future.add_done_callback(wake)
    try:
        await done.wait()
    except BaseException:  # cancelled: as under asyncio, what nobody waits for any more is stopped if it can be
        future.cancel()
        raise
    return future.result()


async def wait_within(future: Future[Any], seconds: float | None) -> bool:
    """Wait until a future is done, at most so long, without blocking whatever loop this runs on.

    It is neither looked at nor cancelled: what it stands for goes on, also when the waiting is cancelled.

    Args:
        future: What to wait for.
        seconds: None waits as long as it takes.

    Returns:
        Whether it is done.
    """
    if future.done():
        return True
    if may_block():
        with suppress(CancelledError, TimeoutError):
            future.exception(seconds)
        return future.done()
    import asyncio

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return await _wait_trio_within(future, seconds)
    woken: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        if not woken.done():
            woken.set_result(None)

    def wake(_: Future[Any]) -> None:
        with suppress(RuntimeError):  # that loop has ended since
            loop.call_soon_threadsafe(end)

    future.add_done_callback(wake)
    timer = None if seconds is None else loop.call_later(max(seconds, 0.0), end)
    try:
        await woken
    finally:
        if timer is not None:
            timer.cancel()
    return future.done()


async def _wait_trio_within(future: Future[Any], seconds: float | None) -> bool:
    import trio

    token, done = trio.lowlevel.current_trio_token(), trio.Event()

    def wake(_: Future[Any]) -> None:
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(done.set)

    future.add_done_callback(wake)
    with trio.move_on_after(float('inf') if seconds is None else max(seconds, 0.0)):
        await done.wait()
    return future.done()


class Errand(Generic[T]):
    """A coroutine of the engine that ends also when nobody waits for it any more.

    Whoever waits takes its steps, on a thread of their own; who stops waiting leaves them to `carry_on`. It may await
    what other threads do, and not take the processor itself. It begins at once.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self.done: Future[T] = Future()
        """What it returns or raises. Callbacks run where the last step was taken."""
        self._coroutine = coroutine
        self._awaited: Future[Any] = self.done
        self._left = False
        self._step()

    def _step(self) -> None:
        _driven.depth = getattr(_driven, 'depth', 0) + 1
        try:
            self._awaited = cast('Future[Any]', self._coroutine.send(None))
        except StopIteration as stop:
            self.done.set_result(cast('T', stop.value))
        except BaseException as error:
            settle(self.done, error)
        finally:
            _driven.depth -= 1

    async def wait(self, seconds: float | None) -> bool:
        """Go on until it is done, at most so long. Whether it is; if not, `carry_on` has it. One waits at a time."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while not self.done.done():
            if not await wait_within(self._awaited, None if deadline is None else deadline - time.monotonic()):
                self._left = True
                return False
            self._step()
        return True

    async def carry_on(self) -> None:
        """Go on to the end, in the place of somebody who stopped waiting."""
        await self.wait(None)

    def cancel(self) -> None:
        """Stop, and stop what it waits for unless that has begun. Nothing when it is done, or left to `carry_on`."""
        if self._left or self.done.done():
            return
        self._awaited.cancel()
        self._coroutine.close()
        self.done.cancel()


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Drive a coroutine of the engine to its end on this thread.

    An interrupt (Ctrl-C) stops what is waited for and is raised inside the coroutine, which cleans up as a task does
    that is cancelled.
    """
    _driven.depth = getattr(_driven, 'depth', 0) + 1
    interrupt: BaseException | None = None
    try:
        while True:
            try:
                future = coroutine.send(None) if interrupt is None else coroutine.throw(interrupt)
            except StopIteration as stop:
                return cast('T', stop.value)
            interrupt = None
            # Waits without raising what the future holds: the coroutine shall see it. (Cheaper than futures.wait.)
            try:
                with suppress(CancelledError):
                    cast('Future[Any]', future).exception()
            except BaseException as error:
                cast('Future[Any]', future).cancel()
                interrupt = error
    finally:
        _driven.depth -= 1
