"""An event loop on a thread of its own, so that one pool of connections serves callers of any loop, or of none."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

__all__ = ['Loop']

T = TypeVar('T')


class Loop:
    """Starts with the first coroutine; after `end` the next one starts another. The child of a fork begins anew.

    Args:
        last: What is done on it before it ends.
    """

    def __init__(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._last = last
        self._begin()

    def _begin(self) -> None:
        self.pid = os.getpid()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self, make: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
        """Start a coroutine; cancelling the future cancels it."""
        if self.pid != os.getpid():
            self._begin()
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name='memoranda-client', daemon=True)
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(make(), self._loop)

    def end(self) -> None:
        """Cancel what is under way and end the thread. Blocks for a moment."""
        if self.pid != os.getpid():
            self._begin()
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._finish(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    async def _finish(self) -> None:
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await self._last()
        loop = asyncio.get_running_loop()
        await loop.shutdown_asyncgens()
        await loop.shutdown_default_executor()
