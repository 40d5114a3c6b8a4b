"""Request headers: If-Match, If-None-Match, Prefer, Idempotency-Key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Header

from memoranda.errors import shown
from memoranda.server.problems import Problem

__all__ = [
    'IdempotencyKey',
    'IfMatch',
    'IfNoneMatch',
    'Prefer',
    'Preference',
    'etag',
    'preference',
    'unchanged',
    'versions',
]

MOST_TAGS: Final = 20
_TAG: Final = re.compile(r'(?P<weak>W/)?"(?P<tag>[\x21\x23-\x7e]*)"')
_WAIT: Final = re.compile(r'wait\s*=\s*"?(\d{1,18})"?', re.IGNORECASE | re.ASCII)
_LONGEST_WAIT: Final = 60.0
"""Seconds, as of a job that is asked for."""

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias='Idempotency-Key',
        description='A repeated request with this key and the same body does nothing, and is answered the same.',
        pattern=r'^[!-~]{1,256}$',
        examples=['order-4711'],
    ),
]
Prefer = Annotated[
    str | None,
    Header(
        alias='Prefer',
        description='`respond-async`: answer as soon as the messages are stored (202). `respond-async, wait=5`: wait '
        'up to so many seconds for the outcome, 60 at most.',
        max_length=200,
        examples=['respond-async'],
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias='If-Match',
        description='The ETag that was read, such as `"3"`; `*` for whatever version.',
        max_length=2000,
        examples=['"3"', '*'],
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Header(alias='If-None-Match', description='ETags that are known: then 304.', max_length=2000, examples=['"3"']),
]


@dataclass(frozen=True, slots=True)
class Preference:
    """What a `Prefer` header asks for (RFC 7240)."""

    background: bool = False
    wait: float = 0.0
    """Seconds."""


def preference(given: str | None) -> Preference:
    """Read a `Prefer` header. What isn't known in it is passed over, as the RFC wants."""
    background, wait = False, 0.0
    for part in (given or '').split(','):
        token = part.partition(';')[0].strip()
        background = background or token.casefold() == 'respond-async'
        if found := _WAIT.fullmatch(token):
            wait = min(float(found[1]), _LONGEST_WAIT)
    return Preference(background, wait)


def etag(version: int) -> str:
    """The ETag of a version of a memory."""
    return f'"{version}"'


def versions(given: str) -> frozenset[int] | None:
    """The versions that an `If-Match` header names; None for `*`.

    Raises:
        Problem: 422, it is no list of ETags.
    """
    if given.strip() == '*':
        return None
    # A weak tag never matches here (RFC 9110, 13.1.1), and neither does one that no version has.
    return frozenset(int(tag) for weak, tag in _tags('If-Match', given) if not weak and _is_version(tag))


def unchanged(given: str | None, version: int) -> bool:
    """Whether an `If-None-Match` header names this version."""
    if given is None:
        return False
    return given.strip() == '*' or any(tag == str(version) for _, tag in _tags('If-None-Match', given))


def _tags(name: str, given: str) -> list[tuple[bool, str]]:
    found = [_TAG.fullmatch(part.strip()) for part in given.split(',')[: MOST_TAGS + 1]]
    if len(found) > MOST_TAGS or not all(found):
        raise Problem(422, f'{name}={shown(given)} is no ETag: pass it with its quotes, such as "3", or *')
    return [(bool(m['weak']), m['tag']) for m in found if m is not None]


def _is_version(tag: str) -> bool:
    return tag.isascii() and tag.isdecimal() and len(tag) <= 18 and not tag.startswith('0')
