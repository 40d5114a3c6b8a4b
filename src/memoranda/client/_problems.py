"""Answers that are errors, as the exceptions that an embedded memory raises."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from memoranda import errors
from memoranda.errors import MemorandaError, shown

__all__ = ['error_of', 'told_error']

URN: Final = 'urn:memoranda:'
"""Begins the type of a problem that stands for one of our exceptions."""
_LONGEST: Final = 4_000
_MOST_FIELDS: Final = 10
_STATUSES: Final[Mapping[int, type[MemorandaError]]] = {
    401: errors.KeyRefused,
    403: errors.NotAllowed,
    404: errors.MemoryNotFound,
    409: errors.Conflict,
    412: errors.VersionMismatch,
    429: errors.RateLimited,
    502: errors.StoreUnreachable,
    503: errors.StoreUnreachable,
    504: errors.StoreUnreachable,
    507: errors.StoreFull,
}
_UNPRINTABLE: Final = re.compile(r'[\x00-\x08\x0b-\x1f\x7f-\x9f]')


def error_of(status: int, kind: str, body: bytes, *, address: str) -> MemorandaError:
    """What an answer that is an error stands for.

    Args:
        status: Of the answer.
        kind: Its media type.
        body: Its body, or the beginning of it.
        address: Of the server, as the message names it.
    """
    try:
        read: Any = json.loads(body)
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict) or not kind.startswith(('application/problem+json', 'application/json')):
        return _stranger(status, address)
    problem = cast('dict[str, Any]', read)
    if status == 404 and _named(problem.get('type')) is None:  # no such route, and not: no such memory
        return _stranger(status, address)
    return told_error({**problem, 'status': status})


def told_error(problem: Mapping[str, Any]) -> MemorandaError:
    """The exception that a problem stands for: by its type, else by its status."""
    status = problem.get('status')
    found = _named(problem.get('type'))
    if found is None:
        known = _STATUSES.get(status) if isinstance(status, int) else None
        found = known or (errors.StoreError if not isinstance(status, int) or status >= 500 else errors.InvalidInput)
    words = _words(problem)
    if issubclass(found, errors.ProcessingFailed):
        return found(words, None)
    return found(words)


def _named(kind: object) -> type[MemorandaError] | None:
    if not isinstance(kind, str) or not kind.startswith(URN):
        return None
    name = kind.removeprefix(URN)
    found = getattr(errors, name, None) if name in errors.__all__ else None
    return found if isinstance(found, type) and issubclass(found, MemorandaError) else None


def _words(problem: Mapping[str, Any]) -> str:
    told = [str(problem.get('detail') or problem.get('title') or f'status {problem.get("status")}')]
    listed = problem.get('errors')
    fields: Sequence[Any] = cast('list[Any]', listed) if isinstance(listed, list) else ()
    named = [_field(cast('Mapping[str, Any]', one)) for one in fields[:_MOST_FIELDS] if isinstance(one, dict)]
    if named:
        told.append(': ' + '; '.join(named))
    if problem.get('incident'):
        told.append(f" (incident {problem['incident']}: the server's log tells more)")
    return _UNPRINTABLE.sub(' ', ''.join(told))[:_LONGEST]


def _field(one: Mapping[str, Any]) -> str:
    where = one.get('loc')
    names = [str(n) for n in cast('list[Any]', where)] if isinstance(where, list) else []
    return f'{".".join(names[1:] if names[:1] in (["body"], ["query"]) else names)} {one.get("msg", "")}'.strip()


def _stranger(status: int, address: str) -> MemorandaError:
    if status in (502, 503, 504):
        return errors.StoreUnreachable(f'{address} answered {status}: the server behind it does not answer')
    return errors.StoreError(
        f'{shown(address)} answered {status}, and not as a server of memoranda does: check the address, and what '
        'stands in front of it'
    )
