"""`I'm vegetarian and lactose intolerant`: two things that share one copula."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from memoranda.write.rules.drafts import Draft
from memoranda.write.rules.words import LANGUAGES, NATIONALITIES

__all__ = ['complements']

_COPULA = re.compile(
    r"(?P<be>(?:i'm|im|i am|we're|we are)\s(?:both\s|also\s)?)(?!not\b|no\b|never\b)(?P<rest>.{5,160})$", re.IGNORECASE
)
_BETWEEN = re.compile(
    r',\s(?:and\s|but\s)?(?:also\s|currently\s)?|\s(?:and|but)\s(?:also\s|currently\s)?'
    r'|,?\s(?=(?:living|based|residing)\sin\s[A-ZÀ-Þ])|,?\s(?=(?:originally\s)?from\s[A-ZÀ-Þ])',
    re.IGNORECASE,
)
_MOST = 4
_NAMES = LANGUAGES | NATIONALITIES


def complements(text: str, read: Callable[[str], Sequence[Draft]]) -> list[tuple[str, int, int]]:
    """Each part as a statement of its own, with its span in the text; nothing unless every part states something."""
    m = _COPULA.match(text)
    if m is None:
        return []
    spans: list[tuple[int, int]] = []
    start = m.start('rest')
    for cut in _BETWEEN.finditer(text, start):
        spans.append((start, cut.start()))
        start = cut.end()
    spans.append((start, len(text)))
    if not 2 <= len(spans) <= _MOST:
        return []
    parts = [text[a:b].rstrip(' .,!') for a, b in spans]
    # `I'm fluent in French and German` makes nobody German.
    if any(_is_one_more_name(before, part) for before, part in pairwise(parts)):
        return []
    if any(not part or len(part.split()) > 6 for part in parts[1:]):
        return []
    stated = [m['be'] + part for part in parts]
    if not all(read(one) for one in stated):
        return []
    return [(one, 0 if place == 0 else a, b) for place, (one, (a, b)) in enumerate(zip(stated, spans, strict=True))]


def _is_one_more_name(before: str, part: str) -> bool:
    """Whether a language or nationality goes on a list of them that hangs on another word."""
    last = before.lower().split()[-1:]
    return part.lower() in _NAMES and before.lower() not in NATIONALITIES and last != [] and last[0] in _NAMES
