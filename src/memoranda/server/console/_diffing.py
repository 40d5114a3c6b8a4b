"""What changed between two texts, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Final, Literal

__all__ = ['diffed']

_WORDS: Final = re.compile(r'\s+|[^\s\w]|\w+')
_MOST: Final = 4_000
"""Words of each that are compared; of longer texts all is told as replaced."""


def diffed(before: str | None, after: str | None) -> Iterator[tuple[Literal['=', '-', '+'], str]]:
    """The stretches of two texts: kept (`=`), taken out (`-`), put in (`+`), in reading order."""
    old, new = _WORDS.findall(before or ''), _WORDS.findall(after or '')
    if len(old) > _MOST or len(new) > _MOST:
        if before != after:
            yield from _both(before or '', after or '')
        else:
            yield '=', before or ''
        return
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == 'equal':
            yield '=', ''.join(old[i:j])
        else:
            yield from _both(''.join(old[i:j]), ''.join(new[k:m]))


def _both(old: str, new: str) -> Iterator[tuple[Literal['=', '-', '+'], str]]:
    if old:
        yield '-', old
    if new:
        yield '+', new
