"""Finds the words a model quoted in the text they were said in: its spaces and quotation marks may differ, no more."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ['Quotable', 'folded']

_SAME: Final = str.maketrans(
    {
        **dict.fromkeys('\u2018\u2019\u201a\u201b\u2032\u02bc\u00b4`', "'"),
        **dict.fromkeys('\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb', '"'),
        **dict.fromkeys('\u2010\u2011\u2012\u2013\u2014\u2015\u2212', '-'),
    }
)
_MOST_PLACES: Final = 1_000
"""Looked at for one quote: a letter stands in every second word."""
_LINE_MARK: Final = re.compile(r'\n\| ?')
_AROUND: Final = '"\'\u2018\u2019\u201c\u201d\u00ab\u00bb\u201e \t\r\n\u2026.'


@dataclass(frozen=True, slots=True)
class _Fold:
    text: str
    origins: list[int]
    """For each character of `text` the index of the one it comes from."""


class Quotable:
    """A text in which quotes are looked for. Folding it is put off until a quote isn't found as it stands."""

    __slots__ = ('_fold', 'text')

    def __init__(self, text: str) -> None:
        self.text = text
        self._fold: _Fold | None = None

    def find(self, quote: str) -> tuple[int, int] | None:
        """(start, end) in code points of where the quote stands, or None.

        The exact words come first, and where they are words of their own rather than part of longer ones. Then white
        space, case, typographic signs, the forms of Unicode (NFKC) and invisible characters may differ, and what the
        prompt itself puts into a text: line marks and escaped tags.
        """
        for words in _readings(quote):
            found = self._exact(words)
            if found is not None:
                return found
        for words in _readings(quote):
            found = self._tolerant(words)
            if found is not None:
                return found
        return None

    def _exact(self, quote: str) -> tuple[int, int] | None:
        return _best(self.text, quote)

    def _tolerant(self, quote: str) -> tuple[int, int] | None:
        if self._fold is None:
            self._fold = _folding(self.text)
        fold, words = self._fold, folded(quote)
        if not _says_something(words):
            return None
        span = _best(fold.text, words, lambda a, b: _whole(fold, a, b))
        if span is None:
            return None
        start, end = fold.origins[span[0]], fold.origins[span[1] - 1] + 1
        return start, end


def folded(text: str) -> str:
    """A text without what two writings of the same words may differ in."""
    return _folding(text).text.strip()


def _readings(quote: str) -> list[str]:
    """A quote as it was given, and as it would be without what the prompt or a habit of models added."""
    bare = _LINE_MARK.sub('\n', quote.removeprefix('| ')).replace('&lt;', '<')
    readings = [quote.strip(), bare.strip(), bare.strip(_AROUND)]
    return [r for r in dict.fromkeys(readings) if _says_something(r)]


def _says_something(words: str) -> bool:
    return any(c.isalnum() for c in words) or any(unicodedata.category(c) == 'So' for c in words)


def _best(text: str, words: str, fits: Callable[[int, int], bool] = lambda start, end: True) -> tuple[int, int] | None:
    """The first place where the words stand alone, else the first place at all."""
    inside: tuple[int, int] | None = None
    at = text.find(words)
    for _ in range(_MOST_PLACES):
        if at < 0:
            break
        end = at + len(words)
        if fits(at, end):
            if not _joined(text, at) and not _joined(text, end):
                return at, end
            inside = inside or (at, end)
        at = text.find(words, at + 1)
    return inside


def _joined(text: str, at: int) -> bool:
    """Whether a word goes on over this place."""
    return 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()


def _whole(fold: _Fold, start: int, end: int) -> bool:
    """Whether a stretch begins and ends where characters of the source do."""
    origins = fold.origins
    return (start == 0 or origins[start] != origins[start - 1]) and (
        end == len(origins) or (origins[end] != origins[end - 1] and not unicodedata.combining(fold.text[end]))
    )


def _folding(text: str) -> _Fold:
    out: list[str] = []
    origins: list[int] = []
    for index, char in enumerate(text):
        if char.isspace():
            if out and out[-1] != ' ':
                out.append(' ')
                origins.append(index)
            continue
        for same in _char(char):
            out.append(same)
            origins.append(index)
    return _Fold(''.join(out), origins)


def _char(char: str) -> str:
    char = char.translate(_SAME)
    if char.isascii():
        return char.lower()
    if unicodedata.category(char) == 'Cf':
        return ''
    # Decomposed, so that one character and its parts are the same; spaces inside (of a compatibility form) count for
    # nothing.
    parts = unicodedata.normalize('NFKD', unicodedata.normalize('NFKD', char).casefold())
    return parts.translate(_SAME).replace(' ', '')
