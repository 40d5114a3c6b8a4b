"""Standing wishes to the assistant in words, or a language, that no other rule reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from memoranda.write.commands import wishes
from memoranda.write.rules.drafts import Context, Draft

__all__ = ['read']

_SENTENCE: Final = re.compile(r'(?:[^.!?\n\0]|[.](?=\w))+(?P<mark>[.!?]*)')
_LONGEST: Final = 200


def read(text: str, ctx: Context) -> Iterator[tuple[Draft, int, int]]:
    """Drafts of what is to hold for every answer, word for word, and where that stands.

    Args:
        text: A message.
        ctx: Not looked at: a wish says all of it itself.
    """
    for m in _SENTENCE.finditer(text):
        words = m[0].strip(' \t,.!')
        if m['mark'].startswith('?') or len(words) > _LONGEST or not wishes(words):
            continue
        start = text.index(words, m.start())
        yield Draft(words, 'instruction', form='whole', confidence=0.8, importance=0.9), start, start + len(words)
