"""What happens to open files when this process forks.

SQLite keeps the locks of a process in memory, and a child that inherits them believes it holds what only its parent
holds: another process may then reset the log under it. So every connection is closed before a fork; parent and child
open their own with the next call. A child made past Python's hooks finds out by its process id.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol

__all__ = ['Forks', 'forks']


class Pausable(Protocol):
    """Something that holds connections."""

    def pause(self) -> None:
        """Close them and let nobody open new ones."""
        ...

    def resume(self) -> None:
        """Let new ones be opened."""
        ...


class Forks:
    """The open stores of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: weakref.WeakSet[Pausable] = weakref.WeakSet()
        self._paused: list[Pausable] = []
        self._watching = False

    def watch(self, store: Pausable) -> None:
        """Pause this store around every fork."""
        with self._lock:
            self._open.add(store)
            if not self._watching and hasattr(os, 'register_at_fork'):
                os.register_at_fork(before=self._before, after_in_parent=self._after, after_in_child=self._after)
                self._watching = True

    def _before(self) -> None:
        self._lock.acquire()
        for store in list(self._open):
            store.pause()
            self._paused.append(store)

    def _after(self) -> None:
        for store in self._paused:
            store.resume()
        self._paused.clear()
        self._lock.release()


forks = Forks()
