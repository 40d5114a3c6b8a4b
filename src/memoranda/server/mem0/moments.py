"""Days and moments as Mem0 writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from memoranda.checks import as_moment
from memoranda.errors import shown
from memoranda.server.mem0.errors import bad

__all__ = ['DAY', 'day_of', 'is_day', 'last_day', 'moment_of', 'until']

DAY: Final = timedelta(days=1)
_DAY_ONLY: Final = re.compile(r'\d{4}-\d{2}-\d{2}')
_TINY: Final = timedelta(microseconds=1)


def is_day(value: object) -> bool:
    """Whether a value is a day (`2026-01-31`), and not a moment of it."""
    return isinstance(value, str) and _DAY_ONLY.fullmatch(value) is not None


def moment_of(value: object, name: str) -> datetime:
    """A moment: unix seconds, also as text, or ISO 8601; of a day its first.

    Raises:
        InvalidInput: It is neither.
    """
    if isinstance(value, str) and re.fullmatch(r'-?\d{1,12}(\.\d{1,6})?', value):
        return as_moment(float(value), name)
    return as_moment(value, name)


def day_of(value: object, name: str) -> datetime:
    """The first moment of a day.

    Raises:
        Problem: 400, it is no day.
        InvalidInput: There is no such day.
    """
    if not is_day(value):
        raise bad(f'{name}={shown(value)} is no day: send it as YYYY-MM-DD')
    return as_moment(value, name)


def until(value: object, name: str) -> datetime:
    """When something ends whose last day is this one."""
    return day_of(value, name) + DAY


def last_day(expires_at: datetime | None) -> str | None:
    """The last day before something ends."""
    return None if expires_at is None else (expires_at.astimezone(UTC) - _TINY).date().isoformat()
