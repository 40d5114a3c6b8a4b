"""Checks of what callers pass, shared by the write path and the read path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final, TypeAlias, cast

from memoranda.errors import InvalidInput, shown, what_is
from memoranda.records import KINDS

__all__ = [
    'KEEP',
    'Keep',
    'Moments',
    'as_moment',
    'check_count',
    'check_cursor',
    'check_flag',
    'check_kind',
    'check_slot',
    'check_tags',
    'check_text',
    'check_unit',
    'storable',
]

Moments: TypeAlias = datetime | str | float | None
"""What `as_moment` takes for a moment, or none."""
MAX_TAGS: Final = 64
_KIND = re.compile(r'[a-z][a-z0-9_-]{0,63}')
_SLOT = re.compile(r'[^\W_](?:[\w.@+#-]{0,126}\w)?')
_CURSOR = re.compile(r'\d{1,19}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')
_UNSTORABLE = re.compile('[\x00\ud800-\udfff]')
_EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
_LATEST = datetime(9999, 12, 30, tzinfo=UTC)


class Keep:
    """Stands for "leave it as it is", where None means "none"."""


KEEP = Keep()


def storable(text: str) -> str:
    """The text without NUL and half surrogate pairs."""
    return _UNSTORABLE.sub('\ufffd', text)


def as_moment(value: object, name: str) -> datetime:
    """A moment from a datetime (naive means UTC), a date, ISO 8601 text or unix seconds.

    Raises:
        InvalidInput: It is none of these, or lies outside the years 1 to 9999.
    """
    moment: datetime | None = None
    try:
        if isinstance(value, datetime):
            moment = value
        elif isinstance(value, date):
            moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
        elif isinstance(value, str):
            moment = datetime.fromisoformat(value.strip())
        elif isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value)
        if moment is not None:
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        moment = None
    if moment is None or not _EARLIEST <= moment <= _LATEST:
        raise InvalidInput(
            f'{name}={shown(value)} is not a moment: pass a datetime, ISO 8601 text such as 2026-05-31T09:30:00Z, '
            'or unix seconds, within the years 1 to 9999'
        )
    return moment


def check_kind(kind: object) -> str:
    """A kind of memory: one of ours, or a lower-case word of the user's own."""
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise InvalidInput(
            f'kind={shown(kind)} is not a lower-case word of up to 64 letters, digits, - and _: '
            f'use one of {", ".join(KINDS)}, or a word of your own'
        )
    return kind


def check_slot(slot: object) -> str:
    """A single-valued key such as `home.city`."""
    if not isinstance(slot, str) or not _SLOT.fullmatch(slot) or slot != slot.casefold():
        raise InvalidInput(
            f'slot={shown(slot)} is not a key of up to 128 lower-case letters, digits and . _ - @ + #, beginning '
            'and ending with a letter or digit: write it like home.city'
        )
    return slot


def check_tags(tags: object) -> tuple[str, ...]:
    """Words to find a memory by."""
    if isinstance(tags, str) or not isinstance(tags, Sequence | set | frozenset):
        raise InvalidInput(f'tags={shown(tags)} is {what_is(tags)}: pass a list of words')
    listed = cast('Sequence[object]', tags)
    if len(listed) > MAX_TAGS:
        raise InvalidInput(f'tags has {len(listed)} entries, and {MAX_TAGS} is the most: use metadata for the rest')
    for tag in listed:
        if not isinstance(tag, str) or not tag.strip() or len(tag) > 128 or storable(tag) != tag:
            raise InvalidInput(f'tag {shown(tag)} is not text of 1 to 128 characters: leave it out or shorten it')
    return tuple(dict.fromkeys(cast('Sequence[str]', listed)))


def check_count(name: str, value: object, least: int, most: int) -> int:
    """A whole number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidInput(f'{name}={shown(value)} is not a whole number from {least:,} to {most:,}: pass one')
    return value


def check_text(name: str, value: object, most: int) -> str:
    """Text that isn't blank, of at most so many characters, all of which a database can carry."""
    if not isinstance(value, str) or not value.strip() or len(value) > most or storable(value) != value:
        raise InvalidInput(
            f'{name}={shown(value)} is not text of 1 to {most} characters without NUL and half surrogate pairs: '
            'pass it as it was given, or shorten it'
        )
    return value


def check_flag(name: str, value: object) -> bool:
    """A yes or no; words for it are refused, because the word `false` would count as true."""
    if not isinstance(value, bool):
        raise InvalidInput(f'{name}={shown(value)} is {what_is(value)}: pass True or False')
    return value


def check_unit(name: str, value: object) -> float:
    """A number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidInput(f'{name}={shown(value)} is not a number from 0 to 1: pass one, for example 0.8')
    return float(value)


def check_cursor(cursor: object) -> str | None:
    """Where a page of a list goes on, as the page before said; None is the beginning.

    Raises:
        InvalidInput: No page said this.
    """
    if cursor is None:
        return None
    text = check_text('cursor', cursor, 64)
    if not _CURSOR.fullmatch(text):
        raise InvalidInput(f'cursor={shown(text)} is not one that a page returned: pass page.cursor as it is')
    return text
