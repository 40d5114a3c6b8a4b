"""Questions that are read and embedded before they are asked."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from memoranda._locks import short_lock
from memoranda.embedders.cache import digest_of

__all__ = ['Ahead']

_MOST: Final = 16
"""Questions kept: those that were expected before and never asked are forgotten."""


class Ahead:
    """What was begun for questions, until they are asked. Safe to share between threads.

    Questions are known by their digests, under a key of this object's own.
    """

    def __init__(self) -> None:
        self._lock = short_lock()
        self._pid = os.getpid()
        self._begun: OrderedDict[bytes, Future[Any]] = OrderedDict()
        self._key = os.urandom(32)

    def begin(self, question: str, start: Callable[[], Future[Any]]) -> None:
        """Start it, unless it was begun already."""
        digest = digest_of(question, self._key)
        with self._lock:
            if self._pid != os.getpid():  # the child of a fork: what was begun goes on in the parent
                self._pid = os.getpid()
                self._begun.clear()
            if digest in self._begun:
                return
        future = start()
        with self._lock:
            self._begun[digest] = future
            while len(self._begun) > _MOST:
                self._begun.popitem(last=False)

    def take(self, question: str) -> Future[Any] | None:
        """What was begun for a question, which is given once; None when nothing was."""
        with self._lock:
            if not self._begun or self._pid != os.getpid():
                return None
            return self._begun.pop(digest_of(question, self._key), None)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._begun.clear()
