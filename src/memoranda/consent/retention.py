"""Retention written as a setting: `messages 90d; kind=event 1y; level=run 30d`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memoranda.policy import Retention

__all__ = ['read_rules', 'read_span']

_DAYS = {'h': 1 / 24, 'd': 1, 'w': 7, 'y': 365}
_SPAN = re.compile(r'(\d{1,6})([hdwy])')


def read_span(text: str) -> timedelta | None:
    """A time span such as `90d`; None of an empty text.

    Raises:
        ValueError: It is none.
    """
    if not text.strip():
        return None
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None or not int(found[1]):
        raise ValueError(f'{text.strip()!r} is no time span')
    return timedelta(days=int(found[1]) * _DAYS[found[2]])


def read_rules(text: str) -> tuple[Retention, ...]:
    """The rules of a setting: each one time span, and words that tell what it is about.

    Raises:
        ValueError: A rule that can't be read.
    """
    return tuple(_rule(part) for part in text.split(';') if part.strip())


def _rule(text: str) -> Retention:
    from memoranda.policy import Retention

    given: dict[str, Any] = {}
    for word in text.split():
        name, _, value = word.partition('=')
        if name in ('kind', 'level') and value:
            field, read = f'{name}s', tuple(v for v in value.split(',') if v)
        elif name == 'messages' and value in ('', 'all'):
            field, read = 'episodes', value or True
        elif word in ('pinned', 'waiting'):
            field, read = word, True
        elif _SPAN.fullmatch(word.lower()):
            field, read = 'after', read_span(word)
        else:
            raise ValueError(f'{word!r} is no part of a rule')
        if field in given:
            raise ValueError(f'{text.strip()!r} says {name} twice')
        given[field] = read
    if 'after' not in given:
        raise ValueError(f'{text.strip()!r} has no time span')
    return Retention(**given)
