"""The engine's own threads: pools that run functions against a per-thread resource, such as a connection."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any, Generic, TypeAlias, TypeVar

__all__ = ['Closed', 'Pool']

C = TypeVar('C')
T = TypeVar('T')
_Item: TypeAlias = tuple[Future[Any], Callable[[C], Any]]
_Inbox: TypeAlias = 'queue.SimpleQueue[_Item[C] | None]'


class Closed(RuntimeError):
    """The threads have been ended; who still has work starts new ones."""


class Pool(Generic[C]):
    """Daemon threads that take functions in turn and call them with their own resource.

    A function goes to the thread that was busy last, whose connection has everything at hand: who asks for one thing
    after the other meets one of them, and no more are started than were ever busy at once.

    Args:
        count: How many threads at most; each starts when the others are busy.
        name: Prefix of the thread names.
        make: Makes a thread's resource, on that thread, before its first function.
        drop: Gives it back when the pool closes.
    """

    def __init__(
        self, count: int, name: str, make: Callable[[], C], drop: Callable[[C], None] = lambda resource: None
    ) -> None:
        self._count, self._name, self._make, self._drop = count, name, make, drop
        self._waiting: deque[_Item[C]] = deque()
        """What no thread has time for; empty while one is idle."""
        self._idle: list[_Inbox[C]] = []
        """Those of the threads that have nothing to do, the last one that had last."""
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def submit(self, function: Callable[[C], T]) -> Future[T]:
        """Queue a function; the future carries its result or what it raised."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise Closed(f'{self._name} is closed')
            if self._idle:
                self._idle.pop().put((future, function))
            elif len(self._threads) < self._count:
                inbox: _Inbox[C] = queue.SimpleQueue()
                inbox.put((future, function))
                name = f'{self._name}-{len(self._threads)}'
                thread = threading.Thread(target=self._work, args=(inbox,), name=name, daemon=True)
                self._threads.append(thread)
                thread.start()
            else:
                self._waiting.append((future, function))
        return future

    def close(self) -> None:
        """Finish what is queued and end the threads."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            threads = self._threads
            for inbox in self._idle:
                inbox.put(None)
            self._idle.clear()
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join()

    def _ready(self, inbox: _Inbox[C]) -> None:
        """See that there is something in the inbox of a thread, now or when there is something to do."""
        with self._lock:
            if self._waiting:
                inbox.put(self._waiting.popleft())
            elif self._closed:
                inbox.put(None)
            else:
                self._idle.append(inbox)

    def _work(self, inbox: _Inbox[C]) -> None:
        resource: C | None = None
        while (item := inbox.get()) is not None:
            future, function = item
            if not future.set_running_or_notify_cancel():
                self._ready(inbox)
                continue
            try:
                if resource is None:
                    resource = self._make()
                result = function(resource)
            except BaseException as error:
                self._ready(inbox)
                settle(future, error)
                del error
            else:
                self._ready(inbox)  # before anybody hears of the result, who may have more to do
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
