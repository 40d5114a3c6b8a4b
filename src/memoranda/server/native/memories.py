"""Adding, listing, reading, correcting and retracting memories."""

import json
from dataclasses import replace
from typing import Annotated, Any, cast

from fastapi import APIRouter, Path, Query, Response

from memoranda._noted import with_notes
from memoranda.checks import KEEP
from memoranda.errors import InvalidFilter, ProcessingFailed
from memoranda.memory import AsyncMemory
from memoranda.records import AddResult, MemoryRecord
from memoranda.server.access import Caller, needs
from memoranda.server.bodies import ReadRoute
from memoranda.server.native import models
from memoranda.server.native._answers import answer, page, problems, unsealed, view
from memoranda.server.native._conditions import (
    IdempotencyKey,
    IfMatch,
    IfNoneMatch,
    Prefer,
    etag,
    preference,
    unchanged,
    versions,
)
from memoranda.server.problems import Problem
from memoranda.stores.data import Appended

__all__ = ['MemoryId', 'changed', 'parsed_filters', 'router']

router = APIRouter(prefix='/v1', tags=['memories'], route_class=ReadRoute)

Reader = Annotated[Caller, needs('reader')]
Writer = Annotated[Caller, needs('writer')]
Admin = Annotated[Caller, needs('admin')]
MemoryId = Annotated[
    str, Path(description='Id of a memory.', max_length=256, examples=['01890a5d-ac96-774b-bcce-b302099a8057'])
]
_ETAG = {'ETag': {'description': 'The version, for If-Match.', 'schema': {'type': 'string'}, 'example': '"3"'}}
_LOCATION = {
    'Location': {
        'description': 'The job.',
        'schema': {'type': 'string'},
        'example': '/v1/jobs/01890a5d-ac96-774b-bcce-b302099a8057',
    },
    'Preference-Applied': {
        'description': 'With `Prefer: respond-async`.',
        'schema': {'type': 'string'},
        'example': 'respond-async',
    },
}


@router.post(
    '/memories',
    operation_id='add_memories',
    summary='Remember what was said',
    response_model=models.Added,
    status_code=201,
    responses={
        **problems(409, body=True),
        200: {'model': models.Added, 'description': 'Nothing new was in it, or the idempotency key was used before.'},
        201: {'description': 'The messages are stored, and `changes` tells what became of them.'},
        202: {
            'model': models.Added,
            'description': 'The messages are stored, and read in the background: see the job.',
            'headers': _LOCATION,
        },
    },
)
async def add_memories(
    body: models.AddMemories, caller: Writer, prefer: Prefer = None, idempotency_key: IdempotencyKey = None
) -> Response:
    """Store messages, draw facts from them, and merge these with what is known.

    With `Prefer: respond-async` the answer comes as soon as the messages are stored, and a worker draws the facts:
    `Location` names the job. The same answer comes when drawing facts failed and is tried again.

    A repeated request with the same `Idempotency-Key` and body does nothing and is answered the same; with another body
    it is refused (409). A key is good for the user (agent, app or conversation) that it was used for.
    """
    asked = preference(prefer)
    memory = view(caller, body)
    told = {name: getattr(body, name) for name in _ADD if name in body.model_fields_set}
    try:
        result = await memory.add(
            _said(body.messages), **told, background=asked.background, idempotency_key=idempotency_key
        )
    except ProcessingFailed as failed:
        result = await _stored(memory, failed)
    if asked.background and asked.wait and result.status not in _ENDED:
        result = await _waited(result, asked.wait)
    if result.status not in _ENDED:
        return await _added(result, 202, applied=asked.background)
    return await _added(result, 201 if result.episode_ids and not result.replayed else 200, applied=asked.background)


@router.post(
    '/preview',
    operation_id='preview_memories',
    summary='What an add would do',
    response_model=models.Preview,
    responses=problems(409, body=True),
)
async def preview_memories(body: models.PreviewMemories, caller: Writer) -> Response:
    """Draw facts and decide on them without writing anything. A model, if there is one, is asked."""
    told = {name: getattr(body, name) for name in _PREVIEW if name in body.model_fields_set}
    found = await view(caller, body).preview(_said(body.messages), **told)
    return await answer(models.Preview, found, size=2 * len(found.changes))


@router.get(
    '/memories',
    operation_id='list_memories',
    summary='List memories',
    response_model=models.MemoryPage,
    responses=problems(),
)
async def list_memories(asked: Annotated[models.ListMemories, Query()], caller: Reader) -> Response:
    """Memories in the order they were first recorded, a page at a time."""
    found = await view(caller, asked).get_all(
        filters=parsed_filters(asked.filters),
        limit=asked.limit,
        cursor=unsealed(asked),
        levels=asked.levels,
        include_inactive=asked.include_inactive,
        as_of=asked.as_of,
        known_at=asked.known_at,
    )
    return await page(models.MemoryPage, found.items, found.cursor, asked)


@router.delete(
    '/memories',
    operation_id='delete_memories',
    summary='Erase everything of a scope',
    response_model=models.Erased,
    responses=problems(),
)
async def delete_memories(asked: Annotated[models.Ids, Query()], caller: Admin) -> Response:
    """Erase messages and memories of a user, an agent, an app or a conversation. New messages are let in.

    `POST /v1/erasures` gives a receipt, and refuses from then on what was said before.
    """
    return await answer(models.Erased, await view(caller, asked).delete_all())


@router.get(
    '/memories/{memory_id}',
    operation_id='get_memory',
    summary='Read a memory',
    response_model=models.Memory,
    responses={
        **problems(404),
        200: {'headers': _ETAG},
        304: {'description': 'It is as If-None-Match says.', 'headers': _ETAG},
    },
)
async def get_memory(
    memory_id: MemoryId,
    asked: Annotated[models.Ids, Query()],
    caller: Reader,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """One memory as it is now, superseded ones too. The ids narrow where it is looked for."""
    found = await view(caller, asked).get(memory_id)
    if unchanged(if_none_match, found.version):
        return Response(status_code=304, headers={'ETag': etag(found.version)})
    return await changed(found)


@router.patch(
    '/memories/{memory_id}',
    operation_id='update_memory',
    summary='Correct a memory',
    response_model=models.Memory,
    responses={**problems(404, 409, 412, 428, body=True), 200: {'headers': _ETAG}},
)
async def update_memory(
    memory_id: MemoryId,
    body: models.UpdateMemory,
    asked: Annotated[models.Ids, Query()],
    caller: Writer,
    if_match: IfMatch = None,
) -> Response:
    """Correct a memory by hand. What is left out stays; the version before remains in its history.

    `If-Match` is needed, so that nothing is overwritten unseen: the ETag that was read, or `*` for whatever
    version there is.
    """
    if if_match is None:
        raise Problem(428, 'If-Match is missing: pass the ETag of the version that you read, or * for whatever it is')
    memory = view(caller, asked)
    version = await _meant(memory, memory_id, if_match)
    fields = fields_of(body)
    if body.metadata is not None:
        fields['metadata'] = with_notes(body.metadata, (await memory.get(memory_id)).metadata)
    fields |= {'locked': body.locked, 'said_at': body.said_at}
    return await changed(await memory.update(memory_id, **fields, if_version=version))


@router.delete(
    '/memories/{memory_id}',
    operation_id='delete_memory',
    summary='Retract a memory',
    status_code=204,
    response_class=Response,
    responses={**problems(404, 409, 412), 204: {'description': 'It is no longer recalled.'}},
)
async def delete_memory(
    memory_id: MemoryId,
    asked: Annotated[models.DeleteMemory, Query()],
    caller: Writer,
    if_match: IfMatch = None,
) -> Response:
    """Stop believing a memory. Its words stay in its history; `POST /v1/erasures` erases them."""
    memory = view(caller, asked)
    version = None if if_match is None else await _meant(memory, memory_id, if_match)
    await memory.delete(memory_id, linked=asked.linked, if_version=version)
    return Response(status_code=204)


@router.get(
    '/memories/{memory_id}/history',
    operation_id='memory_history',
    summary='What happened to a memory',
    response_model=models.History,
    responses=problems(404),
)
async def memory_history(memory_id: MemoryId, asked: Annotated[models.Ids, Query()], caller: Reader) -> Response:
    """All that was done to a memory, oldest first, also to one that was retracted."""
    found = await view(caller, asked).history(memory_id)
    return await answer(models.History, {'items': found}, size=len(found))


_PREVIEW = (
    'metadata', 'infer', 'kind', 'slot', 'occurred_at', 'valid_from', 'valid_to', 'expires_at', 'instructions', 'trust',
)  # fmt: skip
_ADD = (
    *_PREVIEW, 'value', 'level', 'tags', 'confidence', 'importance', 'pinned', 'supersedes', 'corrects', 'batch_turns',
)  # fmt: skip
_ENDED = ('done', 'dead', 'dropped')


def fields_of(body: models.UpdateFields) -> dict[str, Any]:
    """What is to change, as `update` takes it: null clears some fields, and leaves the others as they are."""
    given = body.model_fields_set
    fields: dict[str, Any] = {
        name: getattr(body, name) for name in ('text', 'kind', 'metadata', 'tags', 'importance', 'pinned')
    }
    return fields | {n: getattr(body, n) if n in given else KEEP for n in ('slot', 'value', 'expires_at')}


async def changed(memory: MemoryRecord, status: int = 200) -> Response:
    """A memory with its ETag."""
    return await answer(models.Memory, memory, status, headers={'ETag': etag(memory.version)})


def parsed_filters(text: str | None) -> dict[str, Any] | None:
    """Filters of a query string.

    Raises:
        InvalidFilter: They are no JSON object.
    """
    if text is None:
        return None
    try:
        read: Any = json.loads(text)
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise InvalidFilter('filters is no JSON object: write it like {"kind": "preference"}, percent-encoded')
    return cast('dict[str, Any]', read)


def _said(messages: str | models.Message | list[models.Message]) -> Any:
    if isinstance(messages, str):
        return messages
    if isinstance(messages, models.Message):
        return _one(messages)
    return [_one(message) for message in messages]


def _one(message: models.Message) -> dict[str, Any]:
    kept = ('role', 'name', 'timestamp', 'metadata', 'trust')
    told = {name: value for name in kept if (value := getattr(message, name)) is not None}
    content = message.content
    parts = (
        content if not isinstance(content, list) else [p if isinstance(p, str) else {'text': p.text} for p in content]
    )
    return {**told, 'content': parts}


async def _stored(memory: AsyncMemory, failed: ProcessingFailed) -> AddResult:
    """What is stored of an add whose reading failed, and how it stands with its job."""
    stored = failed.receipt
    if not isinstance(stored, Appended) or stored.job_id is None:
        raise failed
    return replace(
        await memory.receipt(stored.job_id),
        episode_ids=tuple(stored.episode_ids),
        known=stored.known,
        replayed=stored.replayed,
    )


async def _waited(receipt: AddResult, seconds: float) -> AddResult:
    try:
        return await receipt.wait(seconds)
    except TimeoutError:
        return receipt


async def _added(result: AddResult, status: int, *, applied: bool = False) -> Response:
    headers = {'Preference-Applied': 'respond-async'} if applied else {}
    if status == 202 and result.job_id is not None:
        headers['Location'] = f'/v1/jobs/{result.job_id}'
    return await answer(models.Added, result, status, size=2 * len(result.changes), headers=headers)


async def _meant(memory: AsyncMemory, memory_id: str, if_match: str) -> int | None:
    """The version that an `If-Match` header names; None: whatever there is.

    Raises:
        Problem: 412, it is none of those.
    """
    named = versions(if_match)
    if named is None or len(named) == 1:
        return None if named is None else next(iter(named))
    found = (await memory.get(memory_id)).version
    if found not in named:
        raise Problem(412, f'the memory has version {found} now: read it again, and decide anew')
    return found
