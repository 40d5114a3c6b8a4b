"""Shares with their intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from memoranda.errors import InvalidInput

__all__ = ['Share', 'wilson']

Z95: Final = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


def wilson(hits: int, total: int, z: float = Z95) -> tuple[float, float]:
    """The Wilson score interval of a proportion, 0..1; (0, 1) when nothing was counted.

    With p = hits / total and n = total, the bounds are
    (p + z²/2n ∓ z·√(p(1-p)/n + z²/4n²)) / (1 + z²/n).
    Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927), 209-212; recommended
    for small n by Brown, Cai and DasGupta, Statistical Science 16 (2001), 101-133. It takes the trials for independent.

    Args:
        hits: How many of them.
        total: Of how many.
        z: How many standard deviations; by default those of 95 %.

    Raises:
        InvalidInput: hits lies outside 0..total.
    """
    if not 0 <= hits <= total:
        raise InvalidInput(f'hits={hits} of total={total} is no share: pass 0 <= hits <= total')
    if total == 0:
        return (0.0, 1.0)
    share, square = hits / total, z * z
    middle = share + square / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    below, above = (middle - spread) / (1 + square / total), (middle + spread) / (1 + square / total)
    # At 0 and 1 the formula gives the end itself, up to rounding.
    return (0.0 if hits == 0 else max(0.0, below), 1.0 if hits == total else min(1.0, above))


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    hits: int = 0
    total: int = 0

    @classmethod
    def of(cls, outcomes: Iterable[bool]) -> Share:
        """How many of the outcomes are true."""
        found = list(outcomes)
        return cls(sum(found), len(found))

    @property
    def value(self) -> float | None:
        """0..1; None when nothing was counted."""
        return self.hits / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, by Wilson."""
        return wilson(self.hits, self.total)
