"""Exports and summaries: a JSON schema filled from what is remembered of one user, an agent, an app or a run.

Nothing of an export is kept: its id says what was asked, and when. Whoever asks for it gets what is filled then from
what was known at that moment, less whatever was erased since.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from memoranda import across
from memoranda.checks import as_moment
from memoranda.errors import shown, what_is
from memoranda.records import MemoryRecord, now
from memoranda.scope import Owner
from memoranda.server.access import Caller, needs
from memoranda.server.mem0 import tokens
from memoranda.server.mem0.bodies import IDS, as_object, body_of, ids_of
from memoranda.server.mem0.errors import bad, not_offered
from memoranda.server.mem0.filling import filled
from memoranda.server.mem0.filters import Reading, read_filters
from memoranda.server.mem0.whose import owners_of, wildcards

__all__ = ['router']

router = APIRouter(include_in_schema=False)

MOST_READ: Final = 1_000
"""Memories that an export or a summary is made of, the latest."""

Reader = Annotated[Caller, needs('reader')]


@router.post('/v1/exports/')
async def create_export(request: Request, caller: Reader) -> JSONResponse:
    body = await body_of(request, ('schema', 'filters', 'export_instructions', *IDS))
    schema = _schema(body.get('schema'))
    if body.get('export_instructions'):
        raise not_offered('export_instructions', 'a schema is filled from slots: describe its fields in the schema')
    filters = _filters(body)
    await _whose(request, caller, filters)
    content = {'schema': schema, 'filters': filters, 'at': now().isoformat()}
    if len(json.dumps(content)) > tokens.MOST:
        raise bad(f'schema and filters have more than {tokens.MOST:,} characters together: shorten them')
    id_ = await tokens.written(caller, 'export', content)
    message = 'Memory export request received. The export will be ready in a few seconds.'
    return JSONResponse({'message': message, 'id': id_}, status_code=201)


@router.post('/v1/exports/get/')
async def get_export(request: Request, caller: Reader) -> dict[str, Any]:
    body = await body_of(request, ('memory_export_id', 'filters', *IDS))
    id_ = body.get('memory_export_id')
    if id_ is None:
        raise not_offered('an export by its filters', 'exports are not kept, so only memory_export_id names one')
    if not isinstance(id_, str):
        raise bad(f'memory_export_id={shown(id_)} is no id: send the one that was given')
    asked = await tokens.read(caller, 'export', id_)
    reading, owners = await _whose(request, caller, asked.get('filters'))
    at = as_moment(asked.get('at'), 'memory_export_id')
    memories = await _read(caller, owners, reading, known_at=at)
    schema = _schema(asked.get('schema'))
    return await filled(caller.memory, schema, owners[0], memories, at=at, narrowed=_is_narrow(reading, owners[0]))


@router.post('/v1/summary/')
async def get_summary(request: Request, caller: Reader) -> list[dict[str, Any]]:
    body = await body_of(request, ('filters', *IDS))
    reading, owners = await _whose(request, caller, _filters(body))
    memories = await _read(caller, owners, reading)
    if not memories:
        return []
    # Oldest first, as somebody would tell it.
    told = sorted(memories, key=lambda m: (m.said_at, m.id))
    return [
        {
            **{f'{owner.kind}_id': owner.key for owner in owners[:1]},
            'summary': '\n'.join(m.text for m in told),
            'memory_ids': [m.id for m in told],
            'created_at': now().isoformat(),
        }
    ]


def _filters(body: Mapping[str, Any]) -> dict[str, Any]:
    """The filters, with the ids that came beside them."""
    filters = body.get('filters')
    if filters is not None and not isinstance(filters, Mapping):
        raise bad(f'filters={shown(filters)} is {what_is(filters)}: send an object')
    parts: list[Any] = [dict(cast('Mapping[str, Any]', filters))] if filters else []
    parts += [{name: id_} for name, id_ in ids_of(body).items()]
    return parts[0] if len(parts) == 1 else {'AND': parts} if parts else {}


async def _whose(request: Request, caller: Caller, filters: object) -> tuple[Reading, Sequence[Owner]]:
    reading = read_filters(filters, lenient=wildcards(request))
    owners = await owners_of(caller, reading.cover, everybody=False, most=across.MOST_LISTED)
    if len(reading.cover or ()) > 1:
        raise bad('the filter names several ids: an export and a summary are about one of them')
    if not owners:
        raise bad('the parts of the filter contradict each other: nobody is left whom it could be about')
    return reading, owners


def _is_narrow(reading: Reading, owner: Owner) -> bool:
    """Whether a filter asks for more than whose memories they are."""
    return reading.where not in (None, read_filters({f'{owner.kind}_id': owner.key}).where)


async def _read(
    caller: Caller, owners: Sequence[Owner], reading: Reading, *, known_at: datetime | None = None
) -> Sequence[MemoryRecord]:
    page = await across.numbered_page(
        caller.memory, owners, where=reading.where, number=1, size=MOST_READ, known_at=known_at
    )
    return page.items


def _schema(schema: object) -> dict[str, Any]:
    """A JSON schema of an object: as an object, or as its text, which is how the Python client types it.

    Raises:
        Problem: 400, it is neither.
    """
    if isinstance(schema, str):
        try:
            schema = json.loads(schema)
        except (ValueError, RecursionError):
            raise bad(f'schema={shown(schema)} is not JSON: send a JSON schema of an object') from None
    found = as_object(schema)
    if found is None or as_object(found.get('properties')) is None:
        raise bad(f'schema={shown(schema)} has no properties: send a JSON schema of an object')
    return found
