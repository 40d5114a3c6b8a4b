"""What was changed, and taking it back."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from memoranda.server.access import Caller, needs
from memoranda.server.bodies import ReadRoute
from memoranda.server.native import models
from memoranda.server.native._answers import answer, page, problems, unsealed, view

__all__ = ['router']

router = APIRouter(prefix='/v1/changes', tags=['changes'], route_class=ReadRoute)

Reader = Annotated[Caller, needs('reader')]
Reviewer = Annotated[Caller, needs('reviewer')]
ChangeId = Annotated[
    str, Path(description='Id of a change.', max_length=256, examples=['01890a5d-ac96-774b-bcce-b302099a8057'])
]


@router.get(
    '',
    operation_id='list_changes',
    summary='What was changed',
    response_model=models.ChangePage,
    responses=problems(),
)
async def list_changes(asked: Annotated[models.ListChanges, Query()], caller: Reader) -> Response:
    """What was changed in a scope, latest first, a page at a time."""
    found = await view(caller, asked).changes(limit=asked.limit, cursor=unsealed(asked))
    return await page(models.ChangePage, found.items, found.cursor, asked)


@router.post(
    '/{change_id}/revert',
    operation_id='revert_change',
    summary='Take a change back',
    response_model=models.Change,
    responses=problems(404, 409, body=True),
)
async def revert_change(change_id: ChangeId, body: models.RevertChange, caller: Reviewer) -> Response:
    """Undo a change by one that takes it back: what it added is retracted, what it altered is as it was before.

    409 when later changes depend on it, which are named; `cascade` takes those back too.
    """
    done = await view(caller, body).revert(change_id, cascade=body.cascade)
    return await answer(models.Change, done, size=2 * len(done.edits))
