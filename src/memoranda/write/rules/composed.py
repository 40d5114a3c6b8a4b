"""A text in composed form (`é` as one code point) that knows where its code points stand in the stored text."""

from __future__ import annotations

import unicodedata

__all__ = ['Composed']

_LONGEST = 8
"""Combining marks of one letter that are composed; a longer run is no writing."""


class Composed:
    """`text` in composed form: rules spell letters that way, a Mac or a PDF may not.

    Args:
        stored: The text as it is stored.
    """

    __slots__ = ('_places', 'text')

    def __init__(self, stored: str) -> None:
        self._places: list[int] | None = None
        self.text = stored
        if unicodedata.is_normalized('NFC', stored):
            return
        parts: list[str] = []
        places: list[int] = []
        start = 0
        for end in range(1, len(stored) + 1):
            if end < len(stored) and end - start <= _LONGEST and unicodedata.combining(stored[end]):
                continue
            part = stored[start:end]
            part = unicodedata.normalize('NFC', part) if end - start > 1 else part
            parts.append(part)
            places.extend([start] * len(part))
            start = end
        places.append(len(stored))
        self.text, self._places = ''.join(parts), places

    def stored(self, place: int) -> int:
        """Where a place in `text` is in the stored text."""
        return place if self._places is None else self._places[place]
