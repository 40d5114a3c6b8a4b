"""The paths of Mem0's own server, without a slash at their end, with the answers of its open-source library."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from memoranda import across
from memoranda.records import MemoryRecord
from memoranda.server.access import Caller, needs
from memoranda.server.mem0 import shapes
from memoranda.server.mem0.adding import FIELDS, add
from memoranda.server.mem0.bodies import IDS, as_list, as_object, body_of, flag, ids_of, number, query_of
from memoranda.server.mem0.changing import EDITS, change, edits_of, known, told_of
from memoranda.server.mem0.deleting import delete_all, told
from memoranda.server.mem0.entities import MOST_COUNTED, entities_of
from memoranda.server.mem0.errors import bad, not_offered
from memoranda.server.mem0.filters import read_filters
from memoranda.server.mem0.whose import found, owners_of, wildcards
from memoranda.server.problems import Problem

__all__ = ['NOT_OFFERED', 'router']

router = APIRouter(include_in_schema=False)

MOST: Final = 1_000
Reader = Annotated[Caller, needs('reader')]
Writer = Annotated[Caller, needs('writer')]
Admin = Annotated[Caller, needs('admin')]


@router.post('/memories')
async def add_memories(request: Request, caller: Writer) -> dict[str, Any]:
    result = await add(caller, await body_of(request, FIELDS), background=False)
    return {'results': [_result(one) for one in shapes.results(result.changes)]}


def _result(one: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one[name] for name in ('id', 'memory', 'event')}


@router.get('/memories')
async def list_memories(request: Request, caller: Reader) -> dict[str, Any]:
    asked = query_of(request, (*IDS, 'top_k', 'limit', 'show_expired'))
    size = number(asked, 'top_k', number(asked, 'limit', 20, MOST), MOST)
    listed = await _page(request, caller, ids_of(asked), size, expired=flag(asked, 'show_expired'))
    return {'results': [_item(m) for m in listed]}


async def _page(
    request: Request, caller: Caller, ids: Mapping[str, str], size: int, *, expired: bool
) -> tuple[MemoryRecord, ...]:
    if not ids and caller.user_id is None:
        raise bad(f'nobody is named: send one of {", ".join(IDS)}')
    reading = read_filters(dict(ids), more=[shapes.not_ended()] if expired else ())
    owners = await owners_of(caller, reading.cover, everybody=wildcards(request), most=across.MOST_LISTED)
    page = await across.numbered_page(caller.memory, owners, where=reading.where, number=1, size=size, inactive=expired)
    return page.items


def _item(memory: MemoryRecord) -> dict[str, Any]:
    """As the open-source library has it: ids only where there are some."""
    said = {name: value for name in IDS if (value := getattr(memory.said_under, name)) is not None}
    shaped = shapes.item(memory)
    names = ('id', 'memory', 'hash', 'metadata', 'created_at', 'updated_at')
    expires = {} if memory.expires_at is None else {'expiration_date': shaped['expiration_date']}
    return {**{name: shaped[name] for name in names}, **said, **expires}


@router.post('/search')
async def search_memories(request: Request, caller: Reader) -> dict[str, Any]:
    body = await body_of(
        request, ('query', 'filters', *IDS, 'top_k', 'limit', 'threshold', 'explain', 'show_expired', 'rerank')
    )
    if flag(body, 'show_expired'):
        raise not_offered('show_expired', 'a search finds what holds now: list expired memories instead')
    parts: list[Any] = [] if body.get('filters') in (None, {}) else [body['filters']]
    parts += [{name: value} for name, value in ids_of(body).items()]
    wanted = {'AND': [_as_platform(one) for one in parts]} if parts else None
    reading = read_filters(wanted, lenient=wildcards(request), library=True)
    top_k = number(body, 'top_k', number(body, 'limit', 20, MOST), MOST)
    hits = await found(request, caller, reading, query=body.get('query'), top_k=top_k, threshold=body.get('threshold'))
    explain = flag(body, 'explain')
    shaped: list[dict[str, Any]] = []
    for hit in hits:
        one = {**_item(cast('MemoryRecord', hit.memory)), 'score': round(hit.score, 6)}
        shaped.append({**one, 'score_details': shapes.hit(hit)['score_breakdown']} if explain else one)
    return {'results': shaped}


def _as_platform(filters: object, depth: int = 1) -> object:
    """A filter of the open-source library, whose keys that it doesn't know are metadata."""
    entries = as_object(filters)
    if entries is None or depth > 20:
        return filters
    named: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for key, value in entries.items():
        if key in ('AND', 'OR', 'NOT'):
            named[key] = [_as_platform(part, depth + 1) for part in as_list(value) or [value]]
        elif key in (*IDS, 'created_at', 'updated_at', 'expiration_date', 'metadata'):
            named[key] = value
        else:
            metadata[key] = value
    if not metadata:
        return named
    # Beside what `metadata` itself asks for: of one key both may be wanted.
    return {'AND': [named, {'metadata': metadata}]} if named else {'metadata': metadata}


@router.get('/memories/{memory_id}')
async def get_memory(request: Request, memory_id: str, caller: Reader) -> dict[str, Any]:
    query_of(request, ())
    return _item(await known(caller.memory, memory_id, among=('active', 'expired')))


@router.put('/memories/{memory_id}')
async def update_memory(request: Request, memory_id: str, caller: Writer) -> dict[str, str]:
    await change(caller.memory, memory_id, edits_of(await body_of(request, EDITS)), merged=True)
    return {'message': 'Memory updated successfully!'}


@router.delete('/memories/{memory_id}')
async def delete_memory(request: Request, memory_id: str, caller: Writer) -> dict[str, str]:
    query_of(request, ())
    await caller.memory.delete(memory_id)
    return {'message': 'Memory deleted successfully!'}


@router.get('/memories/{memory_id}/history')
async def memory_history(request: Request, memory_id: str, caller: Reader) -> list[dict[str, Any]]:
    query_of(request, ())
    entries, current = await told_of(caller.memory, memory_id)
    names = ('id', 'memory_id', 'old_memory', 'new_memory', 'event', 'created_at', 'updated_at', 'actor_id')
    return [
        {**{name: one[name] for name in names}, 'is_deleted': int(one['is_deleted']), 'role': None}
        for one in shapes.past(entries, current)
    ]


@router.delete('/memories')
async def delete_memories(request: Request, caller: Admin) -> dict[str, Any]:
    done = await delete_all(caller, query_of(request, IDS), wildcards=wildcards(request))
    return {**done, 'message': 'All relevant memories deleted'}


@router.post('/reset')
async def reset(request: Request, caller: Admin) -> dict[str, Any]:
    await body_of(request, ())
    if caller.user_id is not None:
        raise Problem(403, 'this key is for one user, and a reset is about all: use a key of the project')
    if not wildcards(request):
        raise bad(
            "a reset deletes everybody's memories of the project and is refused: delete users one by one, or allow it "
            'by the setting server_mem0_wildcards'
        )
    done = await told(caller, await caller.memory.forget(whole_project=True))
    return {**done, 'message': 'All memories reset'}


@router.get('/entities')
async def list_entities(request: Request, caller: Reader) -> JSONResponse:
    query_of(request, ())
    listed, _ = await entities_of(caller, skip=0, size=MOST_COUNTED)
    return JSONResponse(listed)  # as it is: looking for what JSON can't hold takes longer


@router.get('/configure')
async def get_configuration(request: Request, caller: Admin) -> dict[str, Any]:
    query_of(request, ())
    settings, embedder = caller.memory.engine.settings, caller.memory.engine.embedder
    return {
        'version': 'v1.1',
        'llm': {'provider': 'memoranda', 'config': {'model': settings.model or 'rules'}},
        'embedder': {'provider': 'memoranda', 'config': {'model': embedder.name}},
        'vector_store': {'provider': 'memoranda', 'config': {}},
    }


_SETTINGS: Final = 'models, embedder and storage are settings of the server: see docs/settings.md, and start it anew'
_ACCOUNTS: Final = 'there are no accounts: whoever has a key may do what its role allows, see memoranda keys'
NOT_OFFERED: Final[tuple[tuple[str, str, str, str], ...]] = (
    ('POST', '/configure', 'configure', _SETTINGS),
    ('GET', '/configure/providers', 'configure/providers', _SETTINGS),
    ('POST', '/generate-instructions', 'generate-instructions', 'write what extraction shall regard yourself'),
    ('GET', '/requests', 'requests', 'the server keeps no requests: see its log, metrics and the audit chain'),
    ('GET', '/api-keys', 'api-keys', 'keys are made by memoranda keys'),
    ('POST', '/api-keys', 'api-keys', 'keys are made by memoranda keys'),
    ('DELETE', '/api-keys/{key_id}', 'api-keys', 'keys are revoked by memoranda keys'),
    ('GET', '/auth/setup-status', 'auth', _ACCOUNTS),
    ('POST', '/auth/register', 'auth', _ACCOUNTS),
    ('POST', '/auth/login', 'auth', _ACCOUNTS),
    ('POST', '/auth/refresh', 'auth', _ACCOUNTS),
    ('GET', '/auth/me', 'auth', _ACCOUNTS),
    ('POST', '/auth/change-password', 'auth', _ACCOUNTS),
    ('POST', '/auth/onboarding-complete', 'auth', _ACCOUNTS),
)
"""Method, path, what it is, and why it isn't here."""


def _refuse(what: str, why: str) -> Any:
    async def refused(request: Request, caller: Reader) -> None:
        raise not_offered(what, why)

    return refused


for _method, _path, _what, _why in NOT_OFFERED:
    router.add_api_route(_path, _refuse(_what, _why), methods=[_method])
