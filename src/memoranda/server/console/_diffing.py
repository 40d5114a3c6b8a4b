"""What changed between two texts, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final, Literal

__all__ = ['diffed']

_WORDS: Final = re.compile(r'\w+\s*|[^\s\w]\s*|\s+')
"""Words with the space behind them: spaces by themselves, which are all alike, make comparing slow."""
_MOST: Final = 600
"""Words between the same beginning and end that are compared; of more all is told as replaced."""


def diffed(before: str | None, after: str | None) -> Iterator[tuple[Literal['=', '-', '+'], str]]:
    """The stretches of two texts: kept (`=`), taken out (`-`), put in (`+`), in reading order."""
    old, new = _WORDS.findall(before or ''), _WORDS.findall(after or '')
    head = _alike(old, new)
    tail = _alike(old[head:][::-1], new[head:][::-1])
    gone, come = old[head : len(old) - tail], new[head : len(new) - tail]
    if head:
        yield '=', ''.join(old[:head])
    if max(len(gone), len(come)) > _MOST:
        yield from _both(''.join(gone), ''.join(come))
    else:
        for tag, i, j, k, m in SequenceMatcher(None, gone, come, autojunk=False).get_opcodes():
            if tag == 'equal':
                yield '=', ''.join(gone[i:j])
            else:
                yield from _both(''.join(gone[i:j]), ''.join(come[k:m]))
    if tail:
        yield '=', ''.join(old[len(old) - tail :])


def _alike(a: Sequence[str], b: Sequence[str]) -> int:
    """How many are the same at the beginning."""
    return next(
        (place for place, (one, other) in enumerate(zip(a, b, strict=False)) if one != other), min(len(a), len(b))
    )


def _both(old: str, new: str) -> Iterator[tuple[Literal['=', '-', '+'], str]]:
    if old:
        yield '-', old
    if new:
        yield '+', new
