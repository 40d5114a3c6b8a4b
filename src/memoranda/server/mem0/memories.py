"""Memories on the platform's paths: add, list, search, read, change, delete, history, batches, feedback, events."""

# FastAPI reads the annotations of routes when they are made.
from collections.abc import Mapping
from typing import Annotated, Any, Final, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Request

from memoranda import across
from memoranda.errors import shown
from memoranda.records import MemoryRecord, now
from memoranda.server.access import Caller, needs
from memoranda.server.mem0 import shapes
from memoranda.server.mem0.adding import FIELDS, add
from memoranda.server.mem0.bodies import IDS, TOLERATED, as_list, as_object, body_of, flag, number, query_of
from memoranda.server.mem0.changing import (
    EDITS,
    Edits,
    all_active,
    change,
    check_all,
    edits_of,
    feedback,
    known,
    told_of,
)
from memoranda.server.mem0.deleting import delete_all, event_of_erasure
from memoranda.server.mem0.errors import bad, not_offered
from memoranda.server.mem0.filters import read_filters
from memoranda.server.mem0.moments import DAY, day_of, is_day, moment_of
from memoranda.server.mem0.tokens import sort_of
from memoranda.server.mem0.whose import found, owners_of, wildcards

__all__ = ['MOST_OF_A_PAGE', 'link', 'router']

router = APIRouter(include_in_schema=False)

PAGE_SIZE: Final = 100
MOST_OF_A_PAGE: Final = 200
MOST_OF_A_BATCH: Final = 1_000
MOST_EVENTS: Final = 1_000
_LISTED: Final = frozenset(
    ('filters', 'show_expired', 'start_date', 'end_date', 'categories', 'fields', 'latest_only', 'page', 'page_size')
)
_SEARCHED: Final = frozenset(
    (
        *('query', 'filters', 'top_k', 'limit', 'threshold', 'rerank', 'fields', 'categories', 'metadata'),
        *('show_expired', 'reference_date', 'latest_only', 'keyword_search', 'filter_memories'),
    )
)

Reader = Annotated[Caller, needs('reader')]
Writer = Annotated[Caller, needs('writer')]
Admin = Annotated[Caller, needs('admin')]


@router.post('/v3/memories/add/')
@router.post('/v1/memories/')
async def add_memories(request: Request, caller: Writer) -> dict[str, Any]:
    body = await body_of(request, FIELDS)
    # Older clients wait for what became of it with `async_mode=False`.
    result = await add(caller, body, background=flag(body, 'async_mode', True))
    if result.status == 'done' and result.changes:
        return {'status': 'SUCCEEDED', 'event_id': result.job_id, 'results': shapes.results(result.changes)}
    if result.status == 'done':
        return {
            'message': 'Nothing new was in these messages',
            'status': 'SUCCEEDED',
            'event_id': result.job_id,
            'results': [],
        }
    if result.status == 'unsaved':
        message = 'The storage can not be written just now: the messages wait in the memory of this server'
        return {'message': message, 'status': 'PENDING', 'event_id': None}
    message = 'Memory processing has been queued for background execution'
    return {'message': message, 'status': 'PENDING', 'event_id': result.job_id}


@router.post('/v3/memories/')
@router.post('/v2/memories/')
async def list_memories(request: Request, caller: Reader) -> dict[str, Any]:
    body = await body_of(request, _LISTED, parameters=('page', 'page_size'))
    asked = query_of(request, ('page', 'page_size'))
    page = number({**body, **asked}, 'page', 1, 10**9)
    size = number({**body, **asked}, 'page_size', PAGE_SIZE, MOST_OF_A_PAGE)
    expired = flag(body, 'show_expired')
    reading = read_filters(body.get('filters'), more=_narrowing(body, expired=expired), lenient=wildcards(request))
    owners = await owners_of(caller, reading.cover, everybody=wildcards(request), most=across.MOST_LISTED)
    listed = await across.numbered_page(
        caller.memory, owners, where=reading.where, number=page, size=size, inactive=expired
    )
    return {
        'count': listed.count,
        'next': link(request, page + 1, size) if page * size < listed.count else None,
        'previous': link(request, page - 1, size) if page > 1 else None,
        'results': shapes.listed([shapes.item(m) for m in listed.items], _fields(body)),
    }


@router.post('/v3/memories/search/')
@router.post('/v2/memories/search/')
async def search_memories(request: Request, caller: Reader) -> dict[str, Any]:
    body = await body_of(request, _SEARCHED)
    if flag(body, 'show_expired'):
        raise not_offered(
            'show_expired', 'a search finds what holds now: list expired memories, or send reference_date'
        )
    more = _narrowing(body)
    if (metadata := body.get('metadata')) not in (None, {}):
        more.append({'AND': [cast('Any', read_filters({'metadata': metadata}).where)]})
    reading = read_filters(body.get('filters'), more=more, lenient=wildcards(request))
    asked_at = body.get('reference_date')
    hits = await found(
        request,
        caller,
        reading,
        query=body.get('query'),
        top_k=number(body, 'top_k', number(body, 'limit', 10, 1_000), 1_000),
        threshold=body.get('threshold'),
        as_of=None if asked_at is None else _end_of(asked_at),
    )
    return {'results': shapes.listed([shapes.hit(hit) for hit in hits], _fields(body))}


def _end_of(day: object) -> Any:
    """What a question is asked on: of a day its end, as far as it has come."""
    at = day_of(day, 'reference_date') + DAY if is_day(day) else moment_of(day, 'reference_date')
    return min(at, now()) if is_day(day) else at


def _narrowing(body: Mapping[str, Any], *, expired: bool = False) -> list[dict[str, Any]]:
    """What the fields beside the filter ask for, in our own language."""
    more: list[dict[str, Any]] = []
    if expired:  # of what is not current only this
        more.append(shapes.not_ended())
    for field, op in (('start_date', 'gte'), ('end_date', 'lte')):
        if body.get(field) is not None:
            where = read_filters({'created_at': {op: body[field]}}).where
            more.append({'AND': [where]})
    if (categories := body.get('categories')) not in (None, []):
        more.append({'AND': [read_filters({'categories': categories}).where]})
    return more


def _fields(body: Mapping[str, Any]) -> list[str] | None:
    given = body.get('fields')
    fields = as_list(given)
    if given is None or fields == []:
        return None
    if fields is None or any(not isinstance(one, str) for one in fields):
        raise bad(f'fields={shown(given)} is no list of names: send ["memory", ...]')
    return fields


def link(request: Request, page: int, size: int) -> str:
    """The address of another page of a listing."""
    return f'{str(request.url).partition("?")[0]}?{urlencode({"page": page, "page_size": size})}'


@router.get('/v1/memories/{memory_id}/')
async def get_memory(request: Request, memory_id: str, caller: Reader) -> dict[str, Any]:
    query_of(request, ())
    memory = await known(caller.memory, memory_id)
    return {**shapes.item(memory), 'lifecycle_state': _state(memory)}


def _state(memory: MemoryRecord) -> str:
    return 'active' if memory.is_current(now()) else 'expired' if memory.status == 'active' else memory.status


@router.put('/v1/memories/{memory_id}/')
async def update_memory(request: Request, memory_id: str, caller: Writer) -> dict[str, Any]:
    edits = edits_of(await body_of(request, EDITS))
    return shapes.item(await change(caller.memory, memory_id, edits))


@router.delete('/v1/memories/{memory_id}/')
async def delete_memory(request: Request, memory_id: str, caller: Writer) -> dict[str, Any]:
    linked = flag(query_of(request, ('delete_linked',)), 'delete_linked')
    count = await caller.memory.delete(memory_id, linked=linked)
    done: dict[str, Any] = {'message': 'Memory deleted successfully!'}
    return {**done, 'cascade_count': count - 1} if linked else done


@router.delete('/v1/memories/')
async def delete_memories(request: Request, caller: Admin) -> dict[str, Any]:
    asked = query_of(request, (*IDS, 'metadata', 'filters'))
    return await delete_all(
        caller, {k: v for k, v in asked.items() if k not in TOLERATED}, wildcards=wildcards(request)
    )


@router.get('/v1/memories/{memory_id}/history/')
async def memory_history(request: Request, memory_id: str, caller: Reader) -> list[dict[str, Any]]:
    query_of(request, ())
    entries, current = await told_of(caller.memory, memory_id)
    return shapes.past(entries, current)


@router.put('/v1/batch/')
async def update_batch(request: Request, caller: Writer) -> dict[str, str]:
    wanted: dict[str, Edits] = {}
    for one in _batch(await body_of(request, ('memories',))):
        unknown = next((name for name in one if name not in (*EDITS, 'memory_id')), None)
        if unknown is not None:
            raise bad(f'field {shown(unknown)} is unknown in a batch: use memory_id, text, metadata')
        wanted[one['memory_id']] = edits_of(one)
    await check_all(caller.memory, wanted)
    for id_, edits in wanted.items():
        await change(caller.memory, id_, edits)
    return {'message': f'Successfully updated {len(wanted)} memories'}


@router.delete('/v1/batch/')
async def delete_batch(request: Request, caller: Writer) -> dict[str, str]:
    ids = [str(one['memory_id']) for one in _batch(await body_of(request, ('memories',)))]
    await all_active(caller.memory, ids)
    for id_ in ids:
        await caller.memory.delete(id_)
    return {'message': f'Successfully deleted {len(ids)} memories'}


def _batch(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = body.get('memories')
    listed = as_list(given)
    if not listed or len(listed) > MOST_OF_A_BATCH:
        raise bad(f'memories={shown(given)} is no list of 1 to {MOST_OF_A_BATCH:,}: send [{{"memory_id": ...}}, ...]')
    entries: list[dict[str, Any]] = []
    for one in listed:
        entry = as_object(one) or {'memory_id': one}
        if not isinstance(entry.get('memory_id'), str):
            raise bad(f'memories holds {shown(one)}, which names no memory: send {{"memory_id": "..."}}')
        entries.append(entry)
    if len({one['memory_id'] for one in entries}) != len(entries):
        raise bad('memories names one of them twice: send it once')
    return entries


@router.post('/v1/feedback/')
async def give_feedback(request: Request, caller: Writer) -> dict[str, Any]:
    return await feedback(caller.memory, await body_of(request, ('memory_id', 'feedback', 'feedback_reason')))


@router.get('/v1/event/{event_id}/')
async def get_event(request: Request, event_id: str, caller: Reader) -> dict[str, Any]:
    query_of(request, ())
    if sort_of(event_id) == 'erasure':
        return await event_of_erasure(caller, event_id)
    job = await caller.memory.job(event_id)
    return shapes.event(job, (await caller.memory.receipt(event_id)).changes)


@router.get('/v1/events/')
async def list_events(request: Request, caller: Reader) -> dict[str, Any]:
    asked = query_of(request, ('page', 'page_size'))
    page, size = number(asked, 'page', 1, MOST_EVENTS), number(asked, 'page_size', 50, MOST_OF_A_PAGE)
    listed = await caller.memory.jobs(limit=MOST_EVENTS)
    jobs = listed.items[(page - 1) * size : page * size]
    return {
        'count': len(listed),
        'next': link(request, page + 1, size) if page * size < len(listed) else None,
        'previous': link(request, page - 1, size) if page > 1 else None,
        'results': [shapes.event(job, None) for job in jobs],
    }
