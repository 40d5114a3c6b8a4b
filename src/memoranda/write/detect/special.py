"""Special categories of personal data, by words that rarely mean anything else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from memoranda.write.detect.findings import Finding
from memoranda.write.detect.words import WORDS

__all__ = ['special_categories']

_WORD: Final = re.compile(r"[^\W\d_]+(?:[-'\u2019][^\W\d_]+)*")


def _tables() -> tuple[Mapping[str, str], Mapping[str, str], Mapping[str, list[tuple[tuple[str, ...], str]]], tuple[int, ...]]:
    whole: dict[str, str] = {}
    stems: dict[str, str] = {}
    phrases: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for kind, lists in WORDS.items():
        for entry in (' '.join(e.split()).casefold() for text in lists for e in text.split(',')):
            words = tuple(entry.split())
            if len(words) > 1:
                phrases.setdefault(words[0].rstrip('*'), []).append((words, kind))
            elif entry.endswith('*'):
                stems.setdefault(entry[:-1], kind)
            elif entry:
                whole.setdefault(entry, kind)
    return whole, stems, phrases, tuple(sorted({len(s) for s in stems}))


_WHOLE, _STEMS, _PHRASES, _LENGTHS = _tables()
_OPENERS: Final = tuple(sorted({len(first) for first in _PHRASES}))


def special_categories(text: str) -> Iterator[Finding]:
    """Words that tell of health, religion, politics and the like, in English, French, German, Italian, Portuguese, Spanish.

    They tell what is spoken of, not that it is so: `I don't have diabetes` holds one too.
    """
    found = [(m[0].replace('\u2019', "'").casefold(), m) for m in _WORD.finditer(text)]
    for index, (word, match) in enumerate(found):
        kind = _WHOLE.get(word) or next((_STEMS[word[:n]] for n in _LENGTHS if word[:n] in _STEMS), None)
        if kind is not None:
            yield Finding('special category', kind, *match.span())
        for length in _OPENERS:
            for words, of in _PHRASES.get(word[:length], ()) if len(word) >= length else ():
                rest = found[index : index + len(words)]
                if len(rest) == len(words) and all(_fits(w[0], pattern) for w, pattern in zip(rest, words, strict=True)):
                    yield Finding('special category', of, match.start(), rest[-1][1].end())


def _fits(word: str, pattern: str) -> bool:
    return word.startswith(pattern[:-1]) if pattern.endswith('*') else word == pattern
