"""How soon a thread that wants to run gets its turn.

Python lets a busy thread go on for 5 ms while others wait, and one that searches or stores a message waits so again
after each call of SQLite and numpy. While engines have threads, this process switches sooner (`sys.setswitchinterval`);
then as often as before.
"""

from __future__ import annotations

import os
import sys
from math import isclose
from typing import Final

from memoranda._locks import short_lock

__all__ = ['begin', 'end']


_ROUNDED: Final = 2e-6
"""Python keeps whole microseconds."""


class _Switching:
    def __init__(self) -> None:
        self.lock = short_lock()
        self.wanted: list[float] = []
        self.before = 0.0
        """What the process had before the first of them."""
        self.ours: float | None = None
        """What was set here."""

    def apply(self) -> None:
        now = sys.getswitchinterval()
        if self.ours is None:
            self.before = now
        elif not isclose(now, self.ours, abs_tol=_ROUNDED):  # the application has set another one since, which counts
            return
        interval = min((self.before, *self.wanted))
        self.ours = interval if self.wanted else None
        if not isclose(now, interval, abs_tol=_ROUNDED):
            sys.setswitchinterval(interval)


_switching = _Switching()


def begin(seconds: float) -> None:
    """Let no thread of this process run on for longer while others wait. Somebody who wants it sooner is heard too."""
    with _switching.lock:
        _switching.wanted.append(seconds)
        _switching.apply()


def end(seconds: float) -> None:
    """Take back one `begin`."""
    with _switching.lock:
        if seconds in _switching.wanted:
            _switching.wanted.remove(seconds)
            _switching.apply()


def _after_fork() -> None:
    """In a child nobody has begun yet."""
    _switching.wanted.clear()
    _switching.apply()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_after_fork)
