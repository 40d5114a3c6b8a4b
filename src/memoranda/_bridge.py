"""Awaiting work that runs on the engine's own threads, from any event loop or from none.

Everything the engine awaits is a `concurrent.futures.Future`. Under asyncio it is wrapped, under Trio it is waited for
through its token, and `run` drives a coroutine on a plain thread by blocking on each future in turn. So the blocking
`Memory` needs no loop of its own and works inside a running one.
"""

from __future__ import annotations

import threading
from collections.abc import Coroutine, Generator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, TypeVar, cast

__all__ = ['may_block', 'run', 'wait_for']

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
    await done.wait()
    return future.result()


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Drive a coroutine of the engine to its end on this thread."""
    _driven.depth = getattr(_driven, 'depth', 0) + 1
    try:
        while True:
            try:
                future = coroutine.send(None)
            except StopIteration as stop:
                return cast('T', stop.value)
            # Waits without raising what the future holds: the coroutine shall see it. (Cheaper than futures.wait.)
            with suppress(CancelledError):
                cast('Future[Any]', future).exception()
    except BaseException:
        coroutine.close()
        raise
    finally:
        _driven.depth -= 1
