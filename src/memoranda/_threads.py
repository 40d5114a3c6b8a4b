"""The engine's own threads: pools that run functions against a per-thread resource, such as a connection."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any, Generic, TypeVar

__all__ = ['Closed', 'Pool']

C = TypeVar('C')
T = TypeVar('T')


class Closed(RuntimeError):
    """The threads have been ended; who still has work starts new ones."""


class Pool(Generic[C]):
    """Daemon threads that take functions from one queue and call them with their own resource.

    Args:
        count: How many threads; they start with the first function.
        name: Prefix of the thread names.
        make: Makes a thread's resource, on that thread, before its first function.
        drop: Gives it back when the pool closes.
    """

    def __init__(
        self, count: int, name: str, make: Callable[[], C], drop: Callable[[C], None] = lambda resource: None
    ) -> None:
        self._count, self._name, self._make, self._drop = count, name, make, drop
        self._queue: queue.SimpleQueue[tuple[Future[Any], Callable[[C], Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def submit(self, function: Callable[[C], T]) -> Future[T]:
        """Queue a function; the future carries its result or what it raised."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise Closed(f'{self._name} is closed')
            if len(self._threads) < self._count:
                thread = threading.Thread(target=self._work, name=f'{self._name}-{len(self._threads)}', daemon=True)
                self._threads.append(thread)
                thread.start()
            self._queue.put((future, function))
        return future

    def close(self) -> None:
        """Finish what is queued and end the threads."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            threads = self._threads
            for _ in threads:
                self._queue.put(None)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join()

    def _work(self) -> None:
        resource: C | None = None
        while (item := self._queue.get()) is not None:
            future, function = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                if resource is None:
                    resource = self._make()
                result = function(resource)
            except BaseException as error:
                settle(future, error)
                del error
            else:
                future.set_result(result)
                del result
            del item, future, function
        if resource is not None:
            self._drop(resource)


def settle(future: Future[Any], error: BaseException | None = None) -> None:
    """End a future without a result, unless whoever waited for it has gone."""
    if future.cancelled():
        return
    with contextlib.suppress(InvalidStateError):  # cancelled just now
        if error is None:
            future.set_result(None)
        # A coroutine can't be told of a StopIteration: it would wait for ever. SystemExit and the like would end the
        # loop that waits for it.
        elif isinstance(error, StopIteration) or not isinstance(error, Exception):
            told = RuntimeError(f'{type(error).__name__} was raised')
            told.__cause__ = error
            future.set_exception(told)
        else:
            future.set_exception(error)
