"""A circuit breaker: what fails again and again is left alone for a while instead of being waited for each time."""

from __future__ import annotations

import random
import time
from typing import Final

from memoranda._locks import short_lock

__all__ = ['Breaker']

MOST_SECONDS: Final = 86_400.0
"""The longest that anybody is left alone because they asked for it."""
SOON_SECONDS: Final = 1.0
"""When to ask again while somebody tries: that may end any moment."""
PROBE_SECONDS: Final = 120.0
"""When whoever was let through to try has not told how it went, another one is."""


class Breaker:
    """Counts failures in a row; after some of them it rests, then lets one caller through to try.

    Times are of the monotonic clock. May be shared by threads; never blocks.

    Args:
        after: Failures in a row, without a success in between.
        first: Seconds of the first rest; every further one in a row is twice as long.
        most: The longest.
    """

    def __init__(self, *, after: int, first: float, most: float) -> None:
        self._after, self._first, self._most = after, first, most
        self._lock = short_lock()
        self._failures = 0
        self._until = 0.0
        self._probe_until = 0.0
        self.cause = ''
        """What failed last, in words that hold no content."""

    @property
    def open(self) -> bool:
        """Whether the last calls failed, so that it rests or lets one through at a time."""
        return self._failures >= self._after

    @property
    def resting(self) -> float:
        """Seconds until it lets somebody through; 0 when it does now."""
        with self._lock:
            if self._failures < self._after:
                return 0.0
            moment = time.monotonic()
            return max(0.0, self._until - moment, min(self._probe_until - moment, SOON_SECONDS))

    def enter(self) -> float:
        """Ask to be let through.

        Returns:
            0 when the caller is, and then has to tell how it went; else the seconds that are left of the rest.
        """
        with self._lock:
            if self._failures < self._after:
                return 0.0
            moment = time.monotonic()
            left = max(self._until - moment, min(self._probe_until - moment, SOON_SECONDS))
            if left > 0:
                return left
            self._probe_until = moment + PROBE_SECONDS
            return 0.0

    def succeeded(self) -> bool:
        """It worked. True when it had not before."""
        with self._lock:
            was_open = self._failures >= self._after
            self._failures, self._until, self._probe_until = 0, 0.0, 0.0
            return was_open

    def failed(self, cause: str, retry_after: float | None = None) -> bool:
        """It didn't. True when this made it rest for the first time.

        Args:
            cause: Why, without content.
            retry_after: Seconds for which it was asked to be left alone, which it is then at once.
        """
        with self._lock:
            was_open = self._failures >= self._after
            self.cause = cause
            asked = min(max(0.0, retry_after or 0.0), MOST_SECONDS)
            # Let through before it rested: that tells nothing new.
            if was_open and not self._probe_until and time.monotonic() < self._until:
                self._until = max(self._until, time.monotonic() + asked)
                return False
            self._failures = max(self._failures + 1, self._after if asked else 0)
            self._probe_until = 0.0
            if self._failures < self._after:
                return False
            rest = min(self._most, self._first * 2.0 ** min(self._failures - self._after, 30))
            # Half of it at random, so that several processes don't come back at the same moment.
            self._until = time.monotonic() + max(rest * random.uniform(0.5, 1.0), asked)  # noqa: S311 - no secret
            return not was_open

    def withdraw(self) -> None:
        """Whoever was let through has not tried after all."""
        with self._lock:
            self._probe_until = 0.0
