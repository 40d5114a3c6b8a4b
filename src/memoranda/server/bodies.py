"""Whether a body is what every program would read in the same way: UTF-8, not too deep, no name twice.

It is parsed for that, and what was read is kept for the route: parsing it again would hold up everybody else.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterable
from email.message import Message
from math import isinf
from typing import Any, Final

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from memoranda.errors import shown
from memoranda.server.problems import Problem

__all__ = ['NOT_JSON', 'READ', 'ReadRoute', 'check_body', 'check_headers', 'json_of']

READ: Final = 'read_body'
"""Where in the state of a request the JSON of its body is."""
NOT_JSON: Final = object()
_DIGITS: Final = 400
# Text whose end is missing is passed over too: else each quote in it would begin another look at all of the rest.
_BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


class _Unfit(ValueError):
    """JSON, and yet nothing that everybody reads alike."""


def check_headers(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """The length of a body as announced.

    Raises:
        Problem: 415, it is compressed or in another character set.
    """
    length: int | None = None
    for name, value in headers:
        if name == b'content-length' and value.isdigit():
            length = int(value[:20])
        elif name == b'content-encoding' and value.strip().lower() not in (b'', b'identity'):
            raise Problem(415, 'the body is compressed: send it as it is, without Content-Encoding')
        elif name == b'content-type' and value != b'application/json':
            read = Message()
            read['content-type'] = value.decode('latin-1')
            subtype = read.get_content_type()
            is_json = subtype == 'application/json' or subtype.endswith('+json')
            charset = str(read.get_param('charset') or 'utf-8').lower()
            if is_json and charset not in ('utf-8', 'utf8', 'us-ascii'):
                raise Problem(415, 'JSON is in UTF-8: send it without another charset')
    return length


class ReadRoute(APIRoute):
    """A route whose body isn't read again."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As of any route."""
        handle = super().get_route_handler()
        lists = _lists_of(self.dependant)

        async def handled(request: Request) -> Response:
            read = _Read(request.scope, request.receive)
            read.check_query(lists)
            if self.body_field is not None:
                await read.check()
            return await handle(read)

        return handled


class _Read(Request):
    async def json(self) -> Any:
        return await json_of(self)

    def check_query(self, lists: Collection[str]) -> None:
        """Make sure that only lists are repeated: of two users a proxy may look at the one, and a route at the other.

        Raises:
            Problem: 400, something else is there twice.
        """
        given = Counter(name for name, _ in self.query_params.multi_items())
        for name, times in given.items():
            if times > 1 and name not in lists:
                raise Problem(400, f'{shown(name)} is in the query {times} times, and is no list: send it once')

    async def check(self) -> None:
        """Make sure that a body is JSON and says so: a route would find all its fields wrong instead.

        Raises:
            Problem: 415, it is declared as something else; 400, it is no JSON.
        """
        body = await self.body()
        if not body:
            return  # the route says what is missing
        declared = self.headers.get('content-type', '')
        if not _is_json(declared):
            was = f'Content-Type is {shown(declared)}' if declared else 'Content-Type is missing'
            raise Problem(415, f'{was}, and the body is read as JSON only: send Content-Type: application/json')
        try:
            await self.json()
        except json.JSONDecodeError as error:
            raise Problem(
                400, f'the body is no JSON (character {error.pos}: {error.msg}): check quotes and commas there'
            ) from None


def _lists_of(dependant: Dependant) -> frozenset[str]:
    """The parameters of a query that may be repeated."""
    found: set[str] = set()
    for one in (dependant, *dependant.dependencies):
        for parameter in one.query_params:
            kind: object = parameter.field_info.annotation
            fields = kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else {}
            found |= {name for name, field in fields.items() if 'list[' in str(field.annotation)}
    return frozenset(found)


def _is_json(declared: str) -> bool:
    read = Message()
    read['content-type'] = declared
    subtype = read.get_content_type()
    return subtype == 'application/json' or (subtype.startswith('application/') and subtype.endswith('+json'))


async def json_of(request: Request) -> Any:
    """The JSON that a request brings.

    Raises:
        ValueError: It is none.
    """
    read = request.scope.get('state', {}).get(READ, NOT_JSON)
    return json.loads(await request.body()) if read is NOT_JSON else read


def check_body(body: bytes, depth: int) -> Any:
    """Look through a body as if it were JSON, whatever its type says: a route may read it as such.

    Returns:
        What it says; `NOT_JSON`, which is left to the route to tell.

    Raises:
        Problem: 400, it isn't UTF-8, is nested too deep, has a name twice in an object, or NaN and the like.
    """
    try:
        text = body.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise Problem(400, f'the body is not UTF-8 (byte {error.start}): encode it so') from None
    if '\0' in text:
        raise Problem(400, 'the body has a zero byte in it: encode it in UTF-8')
    level = 0
    for found in _BRACKETS.finditer(body):
        sign = body[found.start()]
        if sign in b'[{':
            level += 1
            if level > depth:
                raise Problem(400, f'the body is nested deeper than {depth} levels: send it flatter')
        elif sign in b']}':
            level -= 1
    try:
        return json.loads(
            text, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_number, parse_int=_whole
        )
    except _Unfit as error:
        raise Problem(400, str(error)) from None
    except ValueError:  # the route says where
        return NOT_JSON


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Unfit("an object of the body has a name twice: which one counts is anybody's guess, send it once")
    return found


def _number(text: str) -> float:
    if len(text) > _DIGITS or isinf(number := float(text)):
        raise _Unfit('a number of the body is too large: send it as text')
    return number


def _whole(text: str) -> int:
    _number(text)
    return int(text)


def _no_number(name: str) -> Any:
    raise _Unfit(f'{name} is not JSON: send null, or leave it out')
