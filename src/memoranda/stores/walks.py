"""How far a search for rows without a vector has come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ['Span', 'Walk']

Span: TypeAlias = tuple[str, int, int]
"""(lane, first row key, last row key)."""


@dataclass(slots=True)
class Walk:
    """Goes through all rows of a store once, then only through those of owners that were written to since.

    Made by whoever embeds, once for a run of its own, and moved on by `Store.unembedded`. What a call returned counts
    as embedded from then on, so a run that drops some of it begins a new walk.
    """

    left: list[Span] | None = None
    """What this round has still to look at; None between two rounds."""
    began: int = 0
    """The number of the store's latest write when this round began."""
    whole: int | None = None
    """Whatever was written up to the write of this number has a vector; None before the end of a round."""
    noted: dict[int, int] = field(default_factory=dict[int, int])
    """Of a walk that `Store.lacking` gave: the owners it is about, and when they were noted."""
    parts: list[Walk | None] = field(default_factory=list['Walk | None'])
    """Of a store over several databases: a walk through each, or None where there is nothing to do."""

    def move(self, left: list[Span], *, done: bool) -> None:
        """Note what is left of the round, or that it is done."""
        self.left = None if done else left
        if done:
            self.whole = self.began
