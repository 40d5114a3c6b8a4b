"""Special categories of personal data, by words that rarely mean anything else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from memoranda.write.detect.findings import Finding
from memoranda.write.detect.words import WORDS

__all__ = ['special_categories']

_WORD: Final = re.compile(r"[^\W\d_]+(?:[-'\u2019][^\W\d_]+)*")
_FIRST: Final = 3
"""Letters by which stems are found."""


class _Lists:
    """The lists, as they are looked up."""

    def __init__(self) -> None:
        self.whole: dict[str, str] = {}
        self.stems: dict[str, list[tuple[str, str]]] = {}
        self.phrases: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        """By the first letters of the first word."""
        for kind, texts in WORDS.items():
            for entry in (' '.join(e.split()).lower() for text in texts for e in text.split(',')):
                words = tuple(entry.split())
                if len(words) > 1:
                    self.phrases.setdefault(words[0][:_FIRST], []).append((words, kind))
                elif entry.endswith('*'):
                    self.stems.setdefault(entry[:_FIRST], []).append((entry[:-1], kind))
                elif entry:
                    self.whole.setdefault(entry, kind)

    def kind(self, word: str) -> str | None:
        """The kind that a word tells of by itself."""
        found = self.whole.get(word)
        if found is None:
            for stem, kind in self.stems.get(word[:_FIRST], ()):
                if word.startswith(stem):
                    return kind
        return found


_LISTS: Final = _Lists()


def special_categories(text: str) -> Iterator[Finding]:
    """Words that tell of health, religion, politics and the like, in the languages of the rules.

    They tell what is spoken of, not that it is so: `I don't have diabetes` holds one too.
    """
    # Places stay what they are: only one letter gets longer in lower case, and it is replaced before.
    folded = text.replace('\u0130', 'i').lower().replace('\u2019', "'")
    matches = list(_WORD.finditer(folded))
    found = [m[0] for m in matches]
    whole, stems, phrases = _LISTS.whole, _LISTS.stems, _LISTS.phrases
    for index, word in enumerate(found):
        first = word[:_FIRST]
        if (word in whole or first in stems) and (kind := _LISTS.kind(word)) is not None:
            yield Finding('special category', kind, *matches[index].span())
        for words, of in phrases.get(first, ()):
            rest = found[index : index + len(words)]
            if len(rest) == len(words) and all(map(_fits, rest, words)):
                yield Finding('special category', of, matches[index].start(), matches[index + len(words) - 1].end())


def _fits(word: str, pattern: str) -> bool:
    return word.startswith(pattern[:-1]) if pattern.endswith('*') else word == pattern
