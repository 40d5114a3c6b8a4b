"""Every error memoranda raises. A message names the value, the reason and the fix, in that order."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

__all__ = [
    'ConfigurationError',
    'Conflict',
    'DetectorFailed',
    'EmbedderMismatch',
    'IndexFailed',
    'IndexLost',
    'IndexMismatch',
    'IndexRefused',
    'IndexUnreachable',
    'InvalidFilter',
    'InvalidInput',
    'InvalidScope',
    'KeyNotFound',
    'KeyRefused',
    'MemorandaError',
    'MemoryNotFound',
    'NotAllowed',
    'ProcessingFailed',
    'RateLimited',
    'StoreBusy',
    'StoreError',
    'StoreFull',
    'StoreUnreachable',
    'StoreUnreadable',
    'StoreUnwritable',
    'VersionMismatch',
    'discreet',
    'is_discreet',
    'shown',
    'what_is',
    'with_article',
]

_WORD: Final = 64
"""Characters of an id or a name; what was said is longer, or more than one word."""
_discreet: ContextVar[bool] = ContextVar('memoranda_discreet', default=False)
_VOWEL: Final = re.compile(r'[aeio]|u(?!ni|s|ti|ui|r)')
"""A first letter that is spoken as one: not that of a unit, a user or a UUID."""
_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80


@contextmanager
def discreet() -> Generator[None]:
    """Let errors tell no value but a short word, a number or a name: for answers that go through many hands."""
    token = _discreet.set(True)
    try:
        yield
    finally:
        _discreet.reset(token)


def is_discreet() -> bool:
    """Whether errors tell no value just now (see `discreet`)."""
    return _discreet.get()


def shown(value: object) -> str:
    """A value as an error message names it: shortened, because it may be a whole message in the wrong place."""
    if _discreet.get():
        if isinstance(value, str):
            if len(value) > _WORD or len(value.split()) > 1:
                return f'a text of {len(value):,} characters'
        elif not isinstance(value, bool | int | float | None):
            return what_is(value)
    try:
        return _short.repr(value)
    except ValueError:  # an int too long for Python to print
        return what_is(value)


def what_is(value: object) -> str:
    """What a value is, as an error message says it: `an int`, `a list`."""
    return with_article(type(value).__name__)


def with_article(noun: str) -> str:
    """`an agent`, `a user`."""
    return f'{"an" if _VOWEL.match(noun.lower()) else "a"} {noun}'


class MemorandaError(Exception):
    """The base of them all."""


class InvalidInput(MemorandaError, ValueError):
    """An argument that can't be used. Nothing was written."""


class InvalidScope(InvalidInput):
    """A scope or project id that is missing or malformed."""


class InvalidFilter(InvalidInput):
    """A filter with an unknown field or operator, or a value that doesn't fit."""


class ConfigurationError(MemorandaError, ValueError):
    """A setting that is unknown or can't be used."""


class MemoryNotFound(MemorandaError, LookupError):
    """No such memory in this scope (a memory of another scope answers the same)."""


class KeyNotFound(MemoryNotFound):
    """No such API key in this project, or it has ended."""


class NotAllowed(MemorandaError):
    """A server refused it: the role of the API key does not suffice, or it is for another user. Nothing was done."""


class KeyRefused(NotAllowed, ConfigurationError):
    """A server does not know the API key, or it has ended."""


class Conflict(MemorandaError):
    """Something else changed first, or an idempotency key was reused for other content."""


class VersionMismatch(Conflict):
    """The memory is not, or no longer, of the version that was named. Nothing was written."""


class DetectorFailed(MemorandaError):
    """A detector of secrets or personal data failed. Nothing was stored, because it may hold what must not be."""


class ProcessingFailed(MemorandaError):
    """The messages are stored, but drawing memories from them failed; the job stays queued.

    Attributes:
        receipt: What was stored, and the job that will be tried again.
    """

    def __init__(self, message: str, receipt: object) -> None:
        super().__init__(message)
        self.receipt = receipt


class StoreError(MemorandaError):
    """The storage failed."""


class StoreUnreadable(StoreError):
    """A file that isn't ours, is damaged, or was written by a newer version."""


class StoreUnwritable(StoreError):
    """A path that can't be created or written."""


class StoreFull(StoreError):
    """The disk is full. The operation was rolled back."""


class StoreBusy(StoreError):
    """Another process held the database for longer than the busy timeout."""


class RateLimited(StoreBusy):
    """A server was asked too often with this API key. It was not done; ask again later."""


class StoreUnreachable(StoreError):
    """The storage doesn't answer, or reading or writing it failed. It may well work later."""


class EmbedderMismatch(StoreError, ConfigurationError):
    """The file's vectors were made by another embedder."""


class IndexFailed(StoreError):
    """The vector index failed. Nothing is lost: the database holds all that it held."""


class IndexUnreachable(IndexFailed):
    """It doesn't answer, or says that it can't now. It may well work later."""


class IndexLost(IndexFailed):
    """It answers, and doesn't know our collection: it was deleted there, or this is another server."""


class IndexRefused(IndexFailed):
    """It refused what it was asked: the key is wrong, or the server is too old for it."""


class IndexMismatch(IndexFailed, ConfigurationError):
    """It holds something else under our collection's name, such as vectors of other dimensions."""
