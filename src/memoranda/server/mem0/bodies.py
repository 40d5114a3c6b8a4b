"""What comes with a request: a JSON object with known fields, and the ids that say whose memories are meant."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, cast

from fastapi import Request

from memoranda.errors import MemoryNotFound, shown, what_is
from memoranda.server.bodies import json_of
from memoranda.server.mem0.errors import bad

__all__ = [
    'IDS',
    'ORGANISATION',
    'TOLERATED',
    'as_list',
    'as_object',
    'body_of',
    'flag',
    'ids_of',
    'number',
    'query_of',
]

ORGANISATION: Final = 'memoranda'
"""What clients are told that a project belongs to."""
IDS: Final = ('user_id', 'agent_id', 'app_id', 'run_id')
TOLERATED: Final = frozenset(
    (
        *('api_version', 'async_mode', 'enable_graph', 'org_id', 'org_name', 'output_format', 'project_id'),
        *('project_name', 'source', 'version'),
    )
)
"""What clients of one version or another send along, and what changes nothing here."""


def as_list(value: object) -> list[Any] | None:
    """A value when it is a JSON array."""
    return cast('list[Any]', value) if isinstance(value, list) else None


def as_object(value: object) -> dict[str, Any] | None:
    """A value when it is a JSON object."""
    return cast('dict[str, Any]', value) if isinstance(value, dict) else None


async def body_of(request: Request, known: Collection[str], *, parameters: Collection[str] = ()) -> dict[str, Any]:
    """The JSON object that a request brings.

    Args:
        request: Which.
        known: The names of its fields. One that is misspelt is told, not passed over.
        parameters: Those that the route reads itself. Any other would be without effect, and is told too.

    Raises:
        Problem: 400, it is something else.
    """
    query_of(request, parameters)
    try:
        found: object = await json_of(request) if await request.body() else {}
    except (ValueError, RecursionError) as error:
        raise bad(f'the body is not JSON ({type(error).__name__}): send one JSON object in UTF-8') from None
    body = as_object(found)
    if body is None:
        raise bad(f'the body is a JSON {type(found).__name__}: send an object')
    unknown = sorted(name for name in body if name not in known and name not in TOLERATED)
    if unknown:
        raise bad(f'field {shown(unknown[0])} is unknown here: use {", ".join(sorted(known)) or "none"}')
    _check_project(request, body)
    return body


def query_of(request: Request, known: Collection[str]) -> dict[str, str]:
    """The parameters of a request, each of them once.

    Raises:
        Problem: 400, one is unknown, or there twice: what it asked for would not be what is done.
    """
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known and name not in TOLERATED:
            raise bad(f'parameter {shown(name)} is unknown here: use {", ".join(sorted(known)) or "none"}')
        if name in found:
            raise bad(f'parameter {name} is there twice: send it once')
        found[name] = value
    _check_project(request, found)
    return found


def _check_project(request: Request, given: Mapping[str, Any]) -> None:
    """Refuse a project that isn't the key's: what is meant for two would be mixed in one."""
    project = request.state.caller.project
    named = {'project_id': project, 'project_name': project, 'org_id': ORGANISATION, 'org_name': ORGANISATION}
    for name, own in named.items():
        if given.get(name) not in (None, '', own):
            raise MemoryNotFound(f'{name}={shown(given[name])} is not that of this key: use what /v1/ping/ tells')


def ids_of(given: Mapping[str, Any], *, inside: object = None) -> dict[str, str]:
    """The ids among some fields, and those in `filters`, where newer clients put them.

    Raises:
        Problem: 400, one is no text or empty, or is given twice and differs.
    """
    found: dict[str, str] = {}
    if inside is not None and not isinstance(inside, Mapping):
        raise bad(f'filters={shown(inside)} is {what_is(inside)}: send an object such as {{"user_id": "ana"}}')
    for place in (given, cast('Mapping[str, Any]', inside or {})):
        for name, value in place.items():
            if place is not given and name not in IDS:
                raise bad(f'filters holds {shown(name)}, and names whose memory it is here: use {", ".join(IDS)}')
            if name not in IDS or value is None:
                continue
            if value == '':
                raise bad(f'{name} is empty: send it, or leave it out; an empty one never means everybody')
            if not isinstance(value, str):
                raise bad(f'{name}={shown(value)} is {what_is(value)}, and an id is text: send it as text')
            if found.setdefault(name, value) != value:
                raise bad(f'{name} is given twice and differs: send it once')
    return found


def flag(given: Mapping[str, Any], name: str, default: bool = False) -> bool:
    """A yes or no, as JSON has it or as a parameter tells it.

    Raises:
        Problem: 400, it is neither.
    """
    value = given.get(name)
    if value is None:
        return default
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ('true', 'false'):
        return value.lower() == 'true'
    raise bad(f'{name}={shown(value)} is neither true nor false: send one of them')


def number(given: Mapping[str, Any], name: str, default: int, most: int) -> int:
    """A whole number from 1, as JSON has it or as a parameter tells it.

    Raises:
        Problem: 400, it is none, or too large.
    """
    value = given.get(name)
    if value is None:
        return default
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise bad(f'{name}={shown(value)} is not a whole number from 1 to {most:,}: send one')
    return value
