"""Searching, building an agent's context, slots, messages."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from memoranda.errors import MemoryNotFound, shown
from memoranda.server.access import Caller, needs
from memoranda.server.bodies import ReadRoute
from memoranda.server.native import models
from memoranda.server.native._answers import answer, page, problems, unsealed, view
from memoranda.server.native.memories import changed

__all__ = ['router']

router = APIRouter(prefix='/v1', tags=['recall'], route_class=ReadRoute)

Reader = Annotated[Caller, needs('reader')]
SlotName = Annotated[str, Path(description='A single-valued key.', max_length=128, examples=['home.city'])]


@router.post(
    '/search',
    operation_id='search_memories',
    summary='Search',
    response_model=models.SearchHits,
    responses=problems(body=True),
)
async def search_memories(body: models.SearchMemories, caller: Reader) -> Response:
    """The memories that answer a question, best first."""
    hits = await view(caller, body).search(
        body.query,
        filters=body.filters,
        top_k=body.top_k,
        min_score=body.min_score,
        strategy=body.strategy,
        include=body.include,
        levels=body.levels,
        as_of=body.as_of,
        known_at=body.known_at,
        explain=body.explain,
    )
    return await answer(models.SearchHits, {'hits': list(hits), 'degraded': hits.degraded}, size=len(hits))


@router.post(
    '/context',
    operation_id='build_context',
    summary='What to give an agent',
    response_model=models.Context,
    responses=problems(body=True),
)
async def build_context(body: models.BuildContext, caller: Reader) -> Response:
    """Standing instructions and profile, then what is relevant to a question, as one framed text.

    Reads the user, this run, the agent, the app and what the project shares; without a run, none of a run. A key that
    is for one user gets nothing of what the project shares.
    """
    found = await view(caller, body).context(
        body.query,
        max_tokens=body.max_tokens,
        top_k=body.top_k,
        filters=body.filters,
        include=body.include,
        as_of=body.as_of,
        known_at=body.known_at,
        shared=caller.user_id is None,
    )
    return await answer(models.Context, found, size=len(found.standing) + len(found.relevant))


@router.get(
    '/slots/{slot}',
    operation_id='get_slot',
    summary='The value of a slot',
    response_model=models.Memory,
    responses=problems(404),
)
async def get_slot(slot: SlotName, asked: Annotated[models.SlotQuery, Query()], caller: Reader) -> Response:
    """The current memory of a slot, the most personal first: this run's before the user's."""
    found = await view(caller, asked).get_slot(slot)
    if found is None:
        raise MemoryNotFound(f'slot {shown(slot)} has no value in this scope')
    return await changed(found)


@router.get(
    '/slots/{slot}/history',
    operation_id='slot_history',
    summary='What a slot has held',
    response_model=models.History,
    responses=problems(),
)
async def slot_history(slot: SlotName, asked: Annotated[models.SlotQuery, Query()], caller: Reader) -> Response:
    """All that was done to the memories that ever were in this slot, oldest first."""
    found = await view(caller, asked).history(slot=slot)
    return await answer(models.History, {'items': found}, size=len(found))


@router.get(
    '/episodes',
    operation_id='list_episodes',
    summary='List messages',
    response_model=models.EpisodePage,
    responses=problems(),
)
async def list_episodes(asked: Annotated[models.ListEpisodes, Query()], caller: Reader) -> Response:
    """The messages as they were said, in the order they were recorded, a page at a time."""
    found = await view(caller, asked).episodes(limit=asked.limit, cursor=unsealed(asked))
    return await page(models.EpisodePage, found.items, found.cursor, asked)
