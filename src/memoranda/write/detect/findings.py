"""What a detector finds."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from memoranda.records import Category

__all__ = ['Finding', 'Spoken', 'merged', 'places', 'replaced']


@dataclass(frozen=True, slots=True)
class Finding:
    """Words of a text: `text[start:end]`."""

    category: Category
    kind: str
    """Names them in a policy and, in brackets, stands in their place: lower-case words, such as `phone number`."""
    start: int
    """Code points."""
    end: int

    @property
    def code(self) -> str:
        """As reasons and counts name it: `personal data:phone number`, or `secret:password`."""
        return f'{self.category}:{self.kind}'


def merged(found: list[Finding]) -> list[Finding]:
    """Findings in order of place, none of which overlap.

    Those that overlap become one that covers them all, so that no end of a secret is left standing. It has the kind of
    the one that was found first: detectors run from the surest to the vaguest.
    """
    if len(found) < 2:
        return found
    ranked = sorted(enumerate(found), key=lambda item: (item[1].start, -item[1].end))
    rows: list[tuple[int, Finding]] = []
    for rank, finding in ranked:
        if rows and finding.start < rows[-1][1].end:
            known_rank, known = rows[-1]
            surer = known if known_rank <= rank else finding
            end = max(known.end, finding.end)
            rows[-1] = (min(rank, known_rank), Finding(surer.category, surer.kind, known.start, end))
        else:
            rows.append((rank, finding))
    return [finding for _, finding in rows]


def replaced(text: str, found: list[Finding]) -> str:
    """The text with a mark in place of each finding.

    Args:
        text: The words.
        found: In order, without overlaps.
    """
    parts: list[str] = []
    at = 0
    for finding in found:
        parts += (text[at : finding.start], f'[{finding.kind}]')
        at = finding.end
    parts.append(text[at:])
    return ''.join(parts)


class Spoken:
    """Where words of some sort stand in a text, or in a part of it."""

    def __init__(self, words: re.Pattern[str], text: str, start: int = 0, end: int | None = None) -> None:
        spans = [m.span() for m in words.finditer(text, start, len(text) if end is None else end)]
        self._starts, self._ends = [a for a, _ in spans], [b for _, b in spans]

    def __bool__(self) -> bool:
        return bool(self._starts)

    def within(self, start: int, end: int) -> bool:
        """Whether one stands between two places."""
        at = bisect_left(self._starts, start)
        return at < len(self._starts) and self._ends[at] <= end

    def last_end(self, start: int, end: int) -> int:
        """Where the last one between two places ends; -1 when there is none."""
        at = bisect_right(self._ends, end) - 1
        return self._ends[at] if at >= 0 and self._starts[at] >= start else -1


def places(folded: str, names: Sequence[str], *, alone: Sequence[str] = ()) -> Iterator[tuple[int, str]]:
    """Where names stand; before those that are `alone` no letter or digit may."""
    for name in names:
        at = folded.find(name)
        while at >= 0:
            if name not in alone or not at or not folded[at - 1].isalnum():
                yield at, name
            at = folded.find(name, at + len(name))
