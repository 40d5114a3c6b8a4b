"""Finds the words a model quoted in the text they were said in: its spaces and quotation marks may differ, no more."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

__all__ = ['MAX_TOLERANT_CHARS', 'Quotable', 'folded']

MAX_TOLERANT_CHARS: Final = 2_000
"""A longer quote has to stand in the text exactly as it was given."""

_SAME: Final = str.maketrans(
    {
        **dict.fromkeys('\u2018\u2019\u201a\u201b\u2032\u02bc\u00b4`', "'"),
        **dict.fromkeys('\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb', '"'),
        **dict.fromkeys('\u2010\u2011\u2012\u2013\u2014\u2015\u2212', '-'),
    }
)
_MOST_PLACES: Final = 1_000
"""Looked at for one quote: a letter stands in every second word."""
_MOST_LOOKS: Final = 200_000
"""For all quotes of an answer: about half a second. Those that come after are not found."""
_LINE_MARK: Final = re.compile(r'\n\| ?')
_AROUND: Final = '"\'\u2018\u2019\u201c\u201d\u00ab\u00bb\u201e \t\r\n\u2026.'


@dataclass(frozen=True, slots=True)
class _Fold:
    text: str
    origins: list[int]
    """For each character of `text` the index of the one it comes from."""


@dataclass(slots=True)
class _Looks:
    """How often one may still look."""

    left: int

    def take(self) -> bool:
        self.left -= 1
        return self.left >= 0


class _Quoted:
    """Words to be found, folded once for all the texts they may stand in."""

    __slots__ = ('_folds', 'readings')

    def __init__(self, quote: str) -> None:
        self.readings = _readings(quote)
        self._folds: list[str] | None = None

    @property
    def folds(self) -> list[str]:
        if self._folds is None:
            folds = dict.fromkeys(folded(r) for r in self.readings if len(r) <= MAX_TOLERANT_CHARS)
            self._folds = [f for f in folds if _says_something(f)]
        return self._folds


class _Text:
    """A text in which quotes are looked for. Folding it is put off until a quote isn't found as it stands."""

    __slots__ = ('_fold', '_text')

    def __init__(self, text: str) -> None:
        self._text = text
        self._fold: _Fold | None = None

    def find(self, quote: _Quoted, looks: _Looks) -> tuple[int, int] | None:
        for words in quote.readings:
            found = _best(self._text, words, looks)
            if found is not None:
                return found
        for words in quote.folds:
            fold = self.fold()
            span = _best(fold.text, words, looks, lambda a, b, fold=fold: _whole(fold, a, b))
            if span is not None:
                return fold.origins[span[0]], fold.origins[span[1] - 1] + 1
        return None

    def fold(self) -> _Fold:
        if self._fold is None:
            self._fold = _folding(self._text)
        return self._fold


class Quotable:
    """Texts in which the quotes of an answer are looked for, with a bound on the work for all of them.

    The exact words come first, and where they are words of their own rather than part of longer ones. Then, for quotes
    of up to `MAX_TOLERANT_CHARS`, white space, case, typographic signs, the forms of Unicode (NFKC) and invisible
    characters may differ, and what the prompt itself puts into a text: line marks and escaped tags.
    """

    def __init__(self, *texts: str) -> None:
        self._texts = [_Text(text) for text in texts]
        self._all = '\n'.join(texts)
        self._all_folded: str | None = None
        self._quoted: dict[str, _Quoted] = {}
        self._looks = _Looks(_MOST_LOOKS)

    def find(self, quote: str, index: int = 0) -> tuple[int, int] | None:
        """(start, end) in code points of where the quote stands in one of the texts, or None."""
        quoted = self._known(quote)
        return self._texts[index].find(quoted, self._looks) if self._stands(quoted) else None

    def anywhere(self, quote: str) -> list[tuple[int, int, int]]:
        """(index, start, end) for each of the texts that the quote stands in."""
        quoted = self._known(quote)
        if not self._stands(quoted):
            return []
        spans = ((i, text.find(quoted, self._looks)) for i, text in enumerate(self._texts))
        return [(i, *span) for i, span in spans if span is not None]

    def _known(self, quote: str) -> _Quoted:
        quoted = self._quoted.get(quote)
        if quoted is None:
            quoted = self._quoted[quote] = _Quoted(quote)
        return quoted

    def _stands(self, quote: _Quoted) -> bool:
        """Whether it may stand in any of them: most words that a model makes up stand in none."""
        if any(words in self._all for words in quote.readings):
            return True
        if self._all_folded is None:
            self._all_folded = '\n'.join(text.fold().text for text in self._texts)
        return any(words in self._all_folded for words in quote.folds)


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


def _best(
    text: str, words: str, looks: _Looks, fits: Callable[[int, int], bool] = lambda start, end: True
) -> tuple[int, int] | None:
    """The first place where the words stand alone, else the first place at all."""
    inside: tuple[int, int] | None = None
    at = -1
    for _ in range(_MOST_PLACES):
        if not looks.take() or (at := text.find(words, at + 1)) < 0:
            break
        end = at + len(words)
        if fits(at, end):
            if not _joined(text, at) and not _joined(text, end):
                return at, end
            inside = inside or (at, end)
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


@lru_cache(maxsize=4_096)
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
