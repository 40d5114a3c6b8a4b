"""The server's clock, as far as it is known here."""

from __future__ import annotations

import time
from typing import Final

__all__ = ['Clock']

_SLEWED_US: Final = 100_000
"""Up to so much this machine's clock may have been brought back into step since, without a jump."""


class Clock:
    """How far the server's clock is ahead, also when this machine's is set to another time later on.

    Args:
        ahead_us: By how much it is ahead now, in microseconds.
    """

    def __init__(self, ahead_us: int = 0) -> None:
        self._ahead = ahead_us
        self._told, self._passed = time.time_ns(), time.monotonic_ns()

    @property
    def ahead_us(self) -> int:
        """By how much it is ahead, in microseconds."""
        jumped = ((time.monotonic_ns() - self._passed) - (time.time_ns() - self._told)) // 1000
        return self._ahead + (jumped if abs(jumped) > _SLEWED_US else 0)
