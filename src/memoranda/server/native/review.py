"""What waits for a person, and what the person decides."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from memoranda._noted import with_notes
from memoranda.errors import Conflict, shown
from memoranda.memory import AsyncMemory
from memoranda.server.access import Caller, needs
from memoranda.server.bodies import ReadRoute
from memoranda.server.native import models
from memoranda.server.native._answers import answer, page, problems, unsealed, view
from memoranda.server.native.memories import fields_of
from memoranda.server.problems import problem_of

__all__ = ['router']

router = APIRouter(prefix='/v1/review', tags=['review'], route_class=ReadRoute)

Reviewer = Annotated[Caller, needs('reviewer')]
ItemId = Annotated[
    str, Path(description='Id of a proposal.', max_length=256, examples=['01890a5d-ac96-774b-bcce-b302099a8057'])
]


@router.get(
    '',
    operation_id='list_review',
    summary='What waits for a person',
    response_model=models.ReviewPage,
    responses=problems(),
)
async def list_review(asked: Annotated[models.ListReview, Query()], caller: Reviewer) -> Response:
    """Proposals in the order they were made, a page at a time. One with fewer than `limit` may still have a next."""
    found = await view(caller, asked).review.list(
        reasons=asked.reasons, limit=asked.limit, cursor=unsealed(asked), details=asked.details
    )
    return await page(models.ReviewPage, found.items, found.cursor, asked)


@router.get(
    '/{item_id}',
    operation_id='get_review_item',
    summary='One proposal',
    response_model=models.ReviewItem,
    responses=problems(404, 409),
)
async def get_review_item(item_id: ItemId, asked: Annotated[models.Ids, Query()], caller: Reviewer) -> Response:
    """A proposal that waits; 409 when somebody has decided on it already."""
    return await answer(models.ReviewItem, await view(caller, asked).review.get(item_id))


@router.post(
    '',
    operation_id='decide_many',
    summary='Decide on several proposals',
    response_model=models.ReviewResults,
    responses=problems(body=True),
)
async def decide_many(body: models.DecideMany, asked: Annotated[models.Ids, Query()], caller: Reviewer) -> Response:
    """Approve or reject up to 1,000 proposals. What fails is told in its result and stops no other."""
    queue = view(caller, asked).review
    done = await (queue.approve(body.ids) if body.decision == 'approve' else queue.reject(body.ids))
    return await answer(models.ReviewResults, {'items': [_told(result) for result in done]}, size=2 * len(done))


@router.post(
    '/{item_id}/approve',
    operation_id='approve_proposal',
    summary='Approve a proposal',
    response_model=models.ReviewResult,
    responses=problems(404, 409),
)
async def approve_proposal(item_id: ItemId, asked: Annotated[models.Ids, Query()], caller: Reviewer) -> Response:
    """Let it be believed, as one change made on the memories as they are now. Its trust stays that of its evidence."""
    return await answer(models.ReviewResult, _told(await view(caller, asked).review.approve(item_id)))


@router.post(
    '/{item_id}/reject',
    operation_id='reject_proposal',
    summary='Reject a proposal',
    response_model=models.ReviewResult,
    responses=problems(404, 409),
)
async def reject_proposal(item_id: ItemId, asked: Annotated[models.Ids, Query()], caller: Reviewer) -> Response:
    """Turn it down. The same words are not proposed again for this user, run, agent or app."""
    return await answer(models.ReviewResult, _told(await view(caller, asked).review.reject(item_id)))


@router.post(
    '/{item_id}/edit',
    operation_id='edit_proposal',
    summary='Approve a proposal in other words',
    response_model=models.ReviewResult,
    responses=problems(404, 409, body=True),
)
async def edit_proposal(
    item_id: ItemId, body: models.EditProposal, asked: Annotated[models.Ids, Query()], caller: Reviewer
) -> Response:
    """Approve it as corrected. The memory is locked: extraction never overwrites it."""
    queue, fields = view(caller, asked).review, fields_of(body)
    if body.metadata is not None:
        fields['metadata'] = with_notes(body.metadata, (await queue.get(item_id)).memory.metadata)
    done = await queue.edit(item_id, **fields)
    return await answer(models.ReviewResult, _told(done))


@router.post(
    '/{item_id}/undo',
    operation_id='undo_decision',
    summary='Take a decision back',
    response_model=models.Change,
    responses=problems(404, 409),
)
async def undo_decision(item_id: ItemId, asked: Annotated[models.Ids, Query()], caller: Reviewer) -> Response:
    """Revert the latest decision on a proposal: it waits again. 409 when later changes depend on it, or it waits."""
    memory = view(caller, asked)
    if await _waits(memory, item_id):
        raise Conflict(f'proposal {shown(item_id)} waits: there is nothing to take back')
    entries = await memory.history(item_id)
    decision = next((e for e in reversed(entries) if e.op in ('approve', 'reject')), None)
    if decision is None:
        raise Conflict(f'proposal {shown(item_id)} was not decided on by a person: there is nothing to take back')
    done = await memory.revert(decision.change_id)
    return await answer(models.Change, done, size=2 * len(done.edits))


async def _waits(memory: AsyncMemory, item_id: str) -> bool:
    """Whether a proposal waits; it is an error when there is none."""
    try:
        await memory.review.get(item_id)
    except Conflict:
        return False
    return True


def _told(result: Any) -> dict[str, Any]:
    """A result, with its error as a problem."""
    told = {name: getattr(result, name) for name in ('id', 'outcome', 'change', 'memory', 'notes')}
    problem = None if result.error is None else problem_of(result.error)
    error = None
    if problem is not None:
        error = {
            'type': problem.type,
            'title': problem.title,
            'status': problem.status,
            'detail': problem.detail or None,
            'incident': problem.incident or None,
        }
    return {**told, 'error': error}
