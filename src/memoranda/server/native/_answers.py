"""Answers: records as JSON, pages with sealed cursors, and what the document says of errors."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from anyio.to_thread import run_sync
from fastapi import Response
from pydantic import BaseModel

from memoranda.errors import shown
from memoranda.scope import Scope
from memoranda.server.native.models import Ids, Paged, Told
from memoranda.server.problems import Problem

if TYPE_CHECKING:
    from memoranda.memory import AsyncMemory
    from memoranda.server.access import Caller

__all__ = ['answer', 'page', 'problems', 'raw', 'unsealed', 'view']

ToldT = TypeVar('ToldT', bound=Told)
_MANY: Final = 50
"""Records that take about a millisecond to write as JSON: more are written by another thread."""
_ERRORS: Final[Mapping[int, str]] = {
    400: 'The body is not JSON, or the request is malformed.',
    401: 'No valid key.',
    403: "The key's role does not suffice, or it is for another user.",
    404: 'There is no such thing in the reach of the key.',
    409: 'Something else was there first.',
    412: 'It was changed since the version that was named.',
    413: 'The body is too large.',
    415: 'The body is not declared as JSON.',
    422: 'Something in the request can not be used. Nothing was written.',
    428: 'The version that is meant was not named.',
    429: 'Too many requests.',
    503: 'The storage does not answer just now.',
}
_ALWAYS: Final = (400, 401, 403, 422, 429, 503)
_BODY: Final = (413, 415)


async def answer(
    kind: type[ToldT],
    source: Any,
    status: int = 200,
    *,
    size: int = 1,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A record as JSON.

    Args:
        kind: The model to tell it by.
        source: The record, a mapping, or the model itself.
        status: HTTP status.
        size: How many records are in it, about: many are written by another thread.
        headers: Of the answer.
    """

    def write() -> bytes:
        told = source if isinstance(source, kind) else kind.model_validate(source, from_attributes=True)
        return told.__pydantic_serializer__.to_json(told)

    body = await run_sync(write) if size > _MANY else write()
    return raw(body, status, headers=headers)


def raw(body: bytes | str, status: int = 200, *, headers: Mapping[str, str] | None = None) -> Response:
    """JSON that is written already."""
    return Response(body, status, dict(headers or {}), media_type='application/json')


async def page(kind: type[ToldT], found: Sequence[Any], cursor: str | None, asked: BaseModel) -> Response:
    """A page of a listing, whose cursor is good for this listing only."""
    return await answer(kind, {'items': list(found), 'next_cursor': _sealed(cursor, asked)}, size=len(found))


def _sealed(cursor: str | None, asked: BaseModel) -> str | None:
    if cursor is None:
        return None
    return base64.urlsafe_b64encode(f'{_asked(asked)}.{cursor}'.encode()).rstrip(b'=').decode()


def unsealed(asked: Paged | Any) -> str | None:
    """The engine's cursor in that of a request.

    Raises:
        Problem: 422, it is none of this listing.
    """
    given: str | None = asked.cursor
    if given is None:
        return None
    try:
        text = base64.b64decode(given + '=' * (-len(given) % 4), altchars=b'-_', validate=True).decode('ascii')
    except (ValueError, binascii.Error):
        text = ''
    which, _, cursor = text.partition('.')
    if not cursor or which != _asked(asked):
        raise Problem(
            422,
            f'cursor={shown(given)} is not one that this listing gave: pass next_cursor as it is, '
            'with all other parameters as they were',
        )
    return cursor


def _asked(asked: BaseModel) -> str:
    """What a listing is of, in short."""
    fields = asked.model_dump(mode='json', exclude={'cursor', 'limit'}, exclude_defaults=True)
    text = json.dumps([type(asked).__name__, fields], sort_keys=True)
    return hashlib.blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=6).hexdigest()


def view(caller: Caller, ids: Ids) -> AsyncMemory:
    """The memory within the ids of a request; without any what the key may see.

    Raises:
        Problem: 403, they are not for this key; 422, ids and `shared` contradict each other.
    """
    given = ids.ids()
    if not ids.shared:
        return caller.within(**given)
    if given:
        raise Problem(422, f'{" and ".join(given)} and shared=true contradict each other: leave one of them out')
    if caller.user_id is not None:
        raise Problem(403, 'this key is for one user, and shared=true is what all share: use a key of the project')
    return caller.memory.scoped(Scope.GLOBAL)


def problems(*statuses: int, body: bool = False) -> dict[int | str, dict[str, Any]]:
    """What the document says of the errors of a route: those that every route has, and some of its own."""
    return {
        status: {'description': _ERRORS[status]} for status in sorted({*_ALWAYS, *(_BODY if body else ()), *statuses})
    }
