"""Everything held on somebody: counting it, giving it out, taking it in, erasing it."""

import json
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.responses import StreamingResponse

from memoranda import across
from memoranda.errors import InvalidInput
from memoranda.server.access import Caller, needs
from memoranda.server.bodies import ReadRoute
from memoranda.server.native import models
from memoranda.server.native._answers import answer, page, problems, raw, unsealed, view
from memoranda.server.problems import Problem

__all__ = ['router']

router = APIRouter(prefix='/v1', tags=['subjects'], route_class=ReadRoute)

Admin = Annotated[Caller, needs('admin')]
UserId = Annotated[str, Path(description='Whose, percent-encoded.', min_length=1, max_length=256, examples=['ana'])]
_DOCUMENT = {'schema': {'type': 'object', 'description': 'docs/subject.schema.json'}}


@router.get(
    '/subjects',
    operation_id='list_subjects',
    summary='Whom something is remembered of',
    response_model=models.SubjectPage,
    responses=problems(),
)
async def list_subjects(asked: Annotated[models.ListSubjects, Query()], caller: Admin) -> Response:
    """Users, agents, apps and conversations without a user, in the order of first use, a page at a time."""
    if caller.user_id is not None:
        raise Problem(403, 'this key is for one user, and who else there is, is not for it: use a key of the project')
    found = await across.subjects(
        caller.memory,
        kinds=asked.kinds or ('user', 'agent', 'app', 'run'),
        limit=asked.limit + 1,
        after=_number(unsealed(asked)),
    )
    page_ = found[: asked.limit]
    items = [
        {
            'kind': one.owner.kind,
            'id': one.owner.key,
            'memories': one.memories,
            'first_said': one.first_said,
            'last_recorded': one.last_recorded,
        }
        for one in page_
    ]
    return await page(models.SubjectPage, items, str(page_[-1].number) if len(found) > len(page_) else None, asked)


@router.get(
    '/subjects/{user_id:path}',
    operation_id='get_subject',
    summary='How much is held on a user',
    response_model=models.Holdings,
    responses=problems(404),
)
async def get_subject(user_id: UserId, caller: Admin, request: Request) -> Response:
    """What an export would give and an erasure would take, in figures."""
    _check_end(request)
    return await answer(models.Holdings, await caller.within(user_id=user_id).holdings())


@router.delete(
    '/subjects/{user_id:path}',
    operation_id='forget_subject',
    summary='Erase a user',
    response_model=models.Receipt | models.Holdings,
    responses={
        **problems(404, 409),
        200: {'description': 'The receipt: it can not be had a second time. With `dry_run` what would be erased.'},
    },
)
async def forget_subject(
    user_id: UserId, asked: Annotated[models.ForgetQuery, Query()], caller: Admin, request: Request
) -> Response:
    """Erase messages, memories with all versions, history texts, vectors and jobs of a user, from every file.

    What was said before is refused from then on. A user of whom nothing is held is forgotten too.
    """
    _check_end(request)
    memory = caller.within(user_id=user_id)
    if asked.dry_run:
        return await answer(models.Holdings, await memory.holdings())
    return raw((await memory.forget()).to_json())


@router.post(
    '/erasures',
    operation_id='forget',
    summary='Erase for good',
    response_model=models.Receipt,
    responses=problems(404, 409, body=True),
)
async def forget(body: models.Forget, caller: Admin) -> Response:
    """Erase an agent, an app, a conversation, one memory, one message, or what matches a filter (docs/erasure.md).

    A whole project is erased on the command line only.
    """
    if body.everywhere:
        given = body.ids()
        if caller.user_id is not None:
            raise Problem(403, 'this key is for one user, and everywhere=true is about all: use a key of the project')
        if body.shared or 'user_id' in given or not given:
            raise InvalidInput('everywhere=true is for an agent, an app or a run without a user: name one of these')
        memory = caller.memory
    else:
        memory, given = view(caller, body), dict[str, str]()
    receipt = await memory.forget(
        body.memory_id,
        episode_id=body.episode_id,
        filters=body.filters,
        run_id=given.get('run_id'),
        agent_id=given.get('agent_id'),
        app_id=given.get('app_id'),
    )
    return raw(receipt.to_json())


@router.post(
    '/erasures/verify',
    operation_id='verify_erasure',
    summary='Whether a receipt still holds',
    response_model=models.ErasureReport,
    responses=problems(body=True),
)
async def verify_erasure(body: models.VerifyErasure, caller: Admin) -> Response:
    """Whether a receipt is as this database wrote it, and what it says is still so."""
    from memoranda.consent.forgetting import ErasureReceipt

    receipt = ErasureReceipt.from_json(json.dumps(body.receipt))
    return await answer(models.ErasureReport, await caller.memory.verify_erasure(receipt))


@router.get(
    '/export',
    operation_id='export_subject',
    summary='Export everything held on one subject',
    response_class=StreamingResponse,
    responses={
        **problems(),
        200: {
            'description': 'The document (docs/export.md), of one moment.',
            'content': {
                'application/json': _DOCUMENT,
                'text/markdown': {'schema': {'type': 'string'}},
            },
        },
    },
)
async def export_subject(asked: Annotated[models.ExportQuery, Query()], caller: Admin) -> Response:
    """Of a user, an agent, an app, a conversation without a user, or what the project shares: one id says whose."""
    export = await view(caller, asked).export()
    headers = {'Cache-Control': 'no-store'}
    if asked.format == 'markdown':
        parts = (text.encode('utf-8', 'replace') for text in export.markdown())
        return StreamingResponse(parts, media_type='text/markdown', headers=headers)
    return StreamingResponse(aiter(export), media_type='application/json', headers=headers)


@router.post(
    '/import',
    operation_id='import_subject',
    summary='Import an exported document',
    response_model=models.ImportReport,
    responses=problems(409, body=True),
    openapi_extra={'requestBody': {'required': True, 'content': {'application/json': _DOCUMENT}}},
)
async def import_subject(request: Request, asked: Annotated[models.ImportQuery, Query()], caller: Admin) -> Response:
    """Write everything that a document holds on its subject, with all ids, dates and history; or nothing.

    409 when something else is held on the subject.
    """
    document = await request.body()
    report = await caller.memory.import_subject(document, restore=asked.restore, dry_run=asked.dry_run)
    return await answer(models.ImportReport, report)


def _check_end(request: Request) -> None:
    """Refuse a path with a slash at its end: the receipt would be for `ana/`, and `ana` would still be there.

    Raises:
        Problem: 404. A slash that belongs to the id is sent as `%2F`.
    """
    if request.scope.get('raw_path', request.scope['path'].encode()).partition(b'?')[0].endswith(b'/'):
        raise Problem(404, 'paths end without a slash here: leave it out, or send %2F where it is part of the id')


def _number(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isdecimal() or len(cursor) > 18:
        raise Problem(422, 'cursor is not one that this listing gave: pass next_cursor as it is')
    return int(cursor)
