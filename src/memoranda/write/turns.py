"""Who waits for whom among those who write for one owner in this process."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeAlias

from memoranda._bridge import wait_for
from memoranda._threads import settle
from memoranda.scope import Owner

__all__ = ['Later', 'Turns']

Later: TypeAlias = Callable[[float], Future[Any]]


class Turns:
    """Who waits for an owner's jobs in this process: first come, first served."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[Owner, deque[Future[None]]] = {}
        self._watching: dict[Owner | None, list[Future[None]]] = {}

    async def enter(self, owner: Owner) -> None:
        """Wait until those who came before have left."""
        turn: Future[None] = Future()
        with self._lock:
            queue = self._queues.setdefault(owner, deque())
            queue.append(turn)
            if queue[0] is turn:
                turn.set_result(None)
        try:
            await wait_for(turn)
        except BaseException:
            self._withdraw(owner, turn)
            raise

    def _withdraw(self, owner: Owner, turn: Future[None]) -> None:
        with self._lock:
            queue = self._queues.get(owner)
            if queue is None or turn not in queue:
                return
            first = queue[0] is turn
            queue.remove(turn)
        if first:
            self._wake(owner)

    def leave(self, owner: Owner) -> None:
        """Let the next one in."""
        with self._lock:
            self._queues[owner].popleft()
        self._wake(owner)

    def _wake(self, owner: Owner) -> None:
        with self._lock:
            queue = self._queues.get(owner)
            if not queue:
                self._queues.pop(owner, None)
                return
            turn = queue[0]
            # One that was cancelled is still on its way to withdraw, and wakes the next then.
            if not turn.done() and turn.set_running_or_notify_cancel():
                turn.set_result(None)

    def advance(self, owner: Owner) -> None:
        """A job of this owner ended in this process."""
        with self._lock:
            watches = self._watching.pop(owner, []) + self._watching.pop(None, [])
        for watch in watches:
            settle(watch)

    async def progress(self, owner: Owner | None, seconds: float, later: Later) -> None:
        """Wait until a job of this owner ends here, or so long that another process may have ended one.

        Args:
            owner: Whose; None: anybody's.
            seconds: How long.
            later: Starts a timer.
        """
        watch: Future[None] = Future()  # of this waiter alone: when it is cancelled, nobody else's is
        with self._lock:
            self._watching.setdefault(owner, []).append(watch)
        timer = later(seconds)
        timer.add_done_callback(lambda _: settle(watch))
        try:
            await wait_for(watch)
        finally:
            timer.cancel()
            with self._lock:
                watches = self._watching.get(owner, [])
                if watch in watches:
                    watches.remove(watch)
                if not watches:
                    self._watching.pop(owner, None)
