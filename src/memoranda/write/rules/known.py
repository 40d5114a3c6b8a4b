"""Finding what the speaker means among the memories shown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from memoranda.records import MemoryRecord
from memoranda.write.rules.grammar import words

__all__ = ['content_words', 'find_about', 'find_word', 'newest']

_LITTLE = frozenset(
    'a an the to in on at of for with and or is was are be been has have had my our their '
    "his her its i we they them that this any some not no do does don't doesn't from as by "
    "so it it's "
    'called much more anymore longer about very really'.split(' ')
)
_ALIKE = (
    frozenset(('eat', 'like', 'love', 'enjoy', 'favourite', 'favorite', 'prefer', 'drink', 'adore', 'into')),
    frozenset(('use', 'prefer', 'code', 'work', 'write', 'program', 'develop', 'like', 'love', 'editor', 'language')),
    frozenset(('live', 'move', 'base', 'home', 'resid')),
    frozenset(('work', 'job', 'employ')),
)
_NEGATED = re.compile(
    r"\b(?:no longer|not|never|n't|doesn't|don't|can't|stopped|quit|used to|dislikes?|hates?|switched from|gave up)\b",
    re.IGNORECASE,
)


def _stem(word: str) -> str:
    word = word.lower()
    for ending in ('ing', 'es', 'ed', 's', 'e'):
        if len(word) - len(ending) >= 3 and word.endswith(ending):
            return word[: -len(ending)]
    return word


def content_words(text: str) -> list[str]:
    """The stems of the words that carry meaning."""
    return [_stem(w) for w in words(text) if w and w.lower() not in _LITTLE]


def newest(found: list[MemoryRecord]) -> MemoryRecord | None:
    """The one with a slot, else the one that began last."""
    return max(found, key=lambda r: (r.slot is not None, r.valid_from, r.recorded_at), default=None)


def find_word(existing: Sequence[MemoryRecord], old: str) -> MemoryRecord | None:
    """The memory that says `old`, as whole words: one with a slot before others, then the newest."""
    pattern = re.compile(rf'(?<!\w){re.escape(old)}(?!\w)', re.IGNORECASE)
    return newest([r for r in existing if pattern.search(r.text)])


def find_about(existing: Sequence[MemoryRecord], text: str, verb: str = '') -> MemoryRecord | None:
    """The memory that says all of `text`; with a verb, one that says it of the same sort of doing."""
    wanted = content_words(text)
    if not wanted:
        return None
    stem = _stem(verb) if verb else ''
    verbs = {stem}.union(*({_stem(w) for w in group} for group in _ALIKE if verb in group))
    found: list[MemoryRecord] = []
    for record in existing:
        said = set(content_words(record.text))
        if all(w in said for w in wanted) and not _NEGATED.search(record.text) and (not verb or verbs & said):
            found.append(record)
    return newest(found)
