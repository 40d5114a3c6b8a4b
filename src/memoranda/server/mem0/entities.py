"""Entities on the platform's paths: whom there are memories of, forgetting them, and their profiles."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from memoranda import across
from memoranda.errors import MemoryNotFound, shown
from memoranda.filters import parse
from memoranda.records import MemoryRecord
from memoranda.scope import Owner, OwnerKind, Scope
from memoranda.server.access import Caller, needs
from memoranda.server.mem0 import tokens
from memoranda.server.mem0.bodies import as_object, body_of, number, query_of
from memoranda.server.mem0.deleting import forget
from memoranda.server.mem0.errors import bad, not_offered
from memoranda.server.mem0.memories import MOST_OF_A_PAGE, link
from memoranda.server.mem0.shapes import stamp
from memoranda.server.problems import Problem
from memoranda.stores.subjects import Subject

__all__ = ['KINDS', 'MOST_COUNTED', 'entities_of', 'router']

router = APIRouter(include_in_schema=False)

KINDS: Final[tuple[OwnerKind, ...]] = ('user', 'agent', 'app', 'run')
MOST_SAMPLED: Final = 10
MOST_COUNTED: Final = 10_000
"""Entities that are listed and counted."""

Reader = Annotated[Caller, needs('reader')]
Writer = Annotated[Caller, needs('writer')]
Admin = Annotated[Caller, needs('admin')]


async def entities_of(caller: Caller, *, skip: int, size: int) -> tuple[list[dict[str, Any]], int]:
    """Some of those that there are memories of, and how many they are in all, counted up to `MOST_COUNTED`."""
    if caller.user_id is not None:
        one = await _entity(caller, caller.user_id)
        listed = [] if one is None else [one]
        return listed[skip : skip + size], len(listed)
    page = await across.subject_page(caller.memory, kinds=KINDS, start=skip, size=size, most=MOST_COUNTED)
    return [_shaped(one) for one in page.items], page.count


def _shaped(subject: Subject) -> dict[str, Any]:
    owner = subject.owner
    return _entity_of(owner.kind, owner.key, subject.memories, subject.first_said, subject.last_recorded)


def _entity_of(kind: str, id_: str, memories: int, first: datetime | None, last: datetime | None) -> dict[str, Any]:
    return {
        'id': id_,
        'name': id_,
        'type': kind,
        'total_memories': memories,
        'created_at': stamp(first),
        'updated_at': stamp(last),
        'owner': None,
        'metadata': None,
    }


async def _entity(caller: Caller, user_id: str) -> dict[str, Any] | None:
    """The one that a key for one person may know of."""
    own = [Owner(caller.project, 'user', user_id)]
    page = await across.numbered_page(caller.memory, own, where=None, number=1, size=1)
    if not page.items:
        return None
    return _entity_of('user', user_id, page.count, page.items[-1].said_at, page.items[0].recorded_at)


@router.get('/v1/entities/')
async def list_entities(request: Request, caller: Reader) -> JSONResponse:
    asked = query_of(request, ('page', 'page_size'))
    # The Python client can't ask for a page, and deletes all those that it is told of.
    paged = 'page' in asked or 'page_size' in asked
    size = number(asked, 'page_size', MOST_OF_A_PAGE, MOST_OF_A_PAGE) if paged else MOST_COUNTED
    page = number(asked, 'page', 1, 10**6)
    listed, count = await entities_of(caller, skip=(page - 1) * size, size=size)
    told = {
        'count': count,
        'next': link(request, page + 1, size) if page * size < count else None,
        'previous': link(request, page - 1, size) if page > 1 else None,
        'results': listed,
        **await _totals(caller, listed, count),
    }
    return JSONResponse(told)  # as it is: looking for what JSON can't hold takes longer than all the rest


async def _totals(caller: Caller, listed: Sequence[Mapping[str, Any]], count: int) -> dict[str, int]:
    """How many there are of each sort in all, not on a page only."""
    if len(listed) == count:
        return {f'total_{kind}s': sum(one['type'] == kind for one in listed) for kind in KINDS}
    if caller.user_id is not None:  # who may know of one only
        return {f'total_{kind}s': count if kind == 'user' else 0 for kind in KINDS}
    found: dict[str, int] = {}
    for kind in KINDS:
        page = await across.subject_page(caller.memory, kinds=(kind,), start=0, size=0, most=MOST_COUNTED)
        found[f'total_{kind}s'] = page.count
    return found


@router.get('/v1/entities/filters/')
async def entity_filters(request: Request, caller: Reader) -> dict[str, Any]:
    raise not_offered('entities/filters', 'list the entities, and choose among them')


@router.get('/v2/entities/user/{entity_id:path}/profile/')
async def get_profile(request: Request, entity_id: str, caller: Reader) -> dict[str, Any]:
    query_of(request, ())
    found = await _known(caller, entity_id)
    profile = _profile(found)
    return {
        'profile': profile or None,
        'status': 'succeeded' if profile else 'insufficient_data',
        'entity_type': 'user',
        'entity_id': entity_id,
        'updated_at': stamp(max((m.recorded_at for m in found), default=None)),
        'generation_count': 1 if profile else 0,
    }


@router.delete('/v2/entities/{kind}/{entity_id:path}/')
@router.delete('/v1/entities/{kind}/{entity_id:path}/')
async def delete_entity(request: Request, kind: str, entity_id: str, caller: Admin) -> dict[str, Any]:
    query_of(request, ())
    if kind not in KINDS:
        raise bad(f'entity type {shown(kind)} is unknown: use one of {", ".join(KINDS)}')
    return await forget(caller, kind, entity_id)


async def _known(caller: Caller, user_id: str) -> list[MemoryRecord]:
    """What is believed of a user in single-valued facts.

    Raises:
        MemoryNotFound: There is no such user in this project.
        Problem: 403, the key is for somebody else.
    """
    id_ = cast('str', caller.user(user_id))
    owner = Scope(user_id=id_).home(caller.project)
    page = await across.numbered_page(
        caller.memory, [owner], where=parse({'slot': {'exists': True}}), number=1, size=across.MOST_LISTED
    )
    if not page.items and not await _anything(caller, owner):
        raise MemoryNotFound(f'user {shown(user_id)} does not exist in this project: check the id')
    return list(page.items)


async def _anything(caller: Caller, owner: Owner) -> bool:
    return bool((await across.numbered_page(caller.memory, [owner], where=None, number=1, size=1)).items)


def _profile(memories: list[MemoryRecord]) -> dict[str, Any]:
    """Slots as nested objects (`home.city`); of two levels the first, the user's own, holds."""
    flat: dict[str, str] = {}
    for memory in sorted(memories, key=lambda m: (m.level != 'user', m.id)):
        flat.setdefault(memory.slot or '', memory.value or memory.text)
    root: dict[str, Any] = {}
    for slot, value in sorted(flat.items()):
        *path, last = slot.split('.')
        place = root
        for name in path:
            inner = place.setdefault(name, {})
            if not isinstance(inner, dict):
                inner = place[name] = {'': inner}
            place = cast('dict[str, Any]', inner)
        place[last] = value
    return root


@router.get('/v2/profiles/settings/')
async def get_settings(request: Request, caller: Reader) -> dict[str, Any]:
    query_of(request, ())
    return _settings()


def _settings() -> dict[str, Any]:
    return {
        'enabled': True,
        'capabilities': {'schema': False, 'custom_instructions': False},
        'entities': {'user': {'schema': None, 'custom_instructions': None}},
    }


@router.post('/v2/profiles/settings/')
async def set_settings(request: Request, caller: Admin) -> dict[str, Any]:
    body = await body_of(request, ('enabled', 'entities'))
    user = as_object((as_object(body.get('entities')) or {}).get('user')) or {}
    if body.get('enabled') is False or any(user.values()):
        raise not_offered(
            'profile settings', 'a profile is made of the slots that are known, always: fill a schema by an export'
        )
    return _settings()


@router.post('/v2/profiles/jobs/')
async def make_profiles(request: Request, caller: Writer) -> dict[str, Any]:
    body = await body_of(request, ('operation', 'entity_type', 'entity_id', 'limit'))
    if body.get('entity_type', 'user') != 'user':
        raise bad(f'entity_type={shown(body["entity_type"])} has no profile: send "user"')
    match body.get('operation'):
        case 'trigger':
            id_ = body.get('entity_id')
            if not isinstance(id_, str) or not id_:
                raise bad(f'entity_id={shown(id_)} is no id: send that of the user')
            await _known(caller, id_)
            ids = [id_]
        case 'sample':
            if caller.user_id is not None:
                raise Problem(403, 'this key is for one user: send the operation "trigger" for that user')
            found = await across.subjects(caller.memory, kinds=('user',), limit=number(body, 'limit', 3, MOST_SAMPLED))
            ids = [one.owner.key for one in found]
        case other:
            raise bad(f'operation={shown(other)} is unknown: send "trigger" or "sample"')
    job_id = await tokens.written(caller, 'profiles', {'count': len(ids)})
    return {
        'job_id': job_id,
        'status': 'succeeded',
        'status_url': f'/v2/profiles/jobs/{job_id}/',
        'operation': body['operation'],
        'entity_type': 'user',
        'entity_ids': ids,
        'sampled': len(ids),
        'entity_count_reserved': len(ids),
        'event_id': None,
        'replayed': False,
    }


@router.get('/v2/profiles/jobs/{job_id}/')
async def profile_job(request: Request, job_id: str, caller: Reader) -> dict[str, Any]:
    query_of(request, ())
    count = (await tokens.read(caller, 'profiles', job_id)).get('count')
    return {
        'job': {
            'job_id': job_id,
            'status': 'succeeded',
            'total': count,
            'completed': count,
            'succeeded': count,
            'failed': 0,
            'skipped': 0,
            'enumeration_complete': True,
        }
    }
