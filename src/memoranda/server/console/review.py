"""The review queue: what waits for a person, decided by mouse or by keyboard."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Form, Path, Query, Request, Response
from pydantic import BaseModel, Field

from memoranda.consent.items import ReviewItem, ReviewPage, ReviewResult
from memoranda.consent.wording import ASKS, NOTES, REASONS, deed, merged_into, reason, words_of
from memoranda.errors import Conflict, InvalidInput, MemoryNotFound
from memoranda.memory import AsyncMemory
from memoranda.records import KINDS
from memoranda.server.console._deciding import Decision, decision_on, seen_as, shown_again, take_back, waiting
from memoranda.server.console._rendering import href
from memoranda.server.console.page import Viewer, done, page, viewer

__all__ = ['router']

router = APIRouter(prefix='/console/review', include_in_schema=False)

PATH: Final = '/console/review'
SIZE: Final = 25
"""Proposals of a page: so many can be decided at once, and taken back by one link."""
_COMPARED: Final = 4_000
"""Characters of texts whose words are compared."""
_ACTS: Final = {'approve': 'approved', 'reject': 'rejected'}

Reviewer = Annotated[Viewer, viewer('reviewer')]
ItemId = Annotated[str, Path(max_length=256)]


class Asked(BaseModel):
    """Which part of the queue is shown, and which proposal of it: the query string of the page."""

    person: str = Field('', max_length=256)
    reason: str = Field('', max_length=128)
    after: str = Field('', max_length=64)
    item: str = Field('', max_length=256)
    edit: bool = False

    def link(self, **other: Any) -> str:
        """The page with these instead."""
        given = {**self.model_dump(), 'edit': False, **other}
        return href(PATH, **{name: '1' if value is True else value for name, value in given.items()})

    def act(self, path: str, **other: Any) -> str:
        """Where a form is sent, from which it comes back to this part of the queue."""
        return href(f'{PATH}{path}', person=self.person, reason=self.reason, after=self.after, **other)

    def within(self, who: Viewer) -> AsyncMemory:
        """What the queue is read from."""
        return who.caller.within(user_id=self.person) if self.person else who.memory

    @property
    def reasons(self) -> list[str] | None:
        """As the engine takes them."""
        return [self.reason] if self.reason else None


Filtered = Annotated[Asked, Query()]


@dataclass
class _Words:
    """What a reviewer typed."""

    text: str
    kind: str
    slot: str


@dataclass
class _Shown:
    """What the page tells beside the queue."""

    status: int = 200
    error: str = ''
    lost: bool = False
    """Somebody else was faster."""
    stale: bool = False
    """What it would change was changed since it was shown."""
    typed: _Words | None = None
    selected: Sequence[str] = field(default_factory=list[str])


@router.get('')
async def queue(request: Request, who: Reviewer, asked: Filtered) -> Response:
    """What waits, and one proposal of it in full."""
    return await _show(request, who, asked, _Shown())


@router.get('/news')
async def news(
    request: Request,
    who: Reviewer,
    asked: Filtered,
    last: Annotated[str, Query(max_length=64)] = '',
    count: Annotated[int, Query(ge=0, le=SIZE)] = 0,
    end: bool = False,
) -> Response:
    """What changed since the queue was shown: polled, and no words in it."""
    memory = asked.within(who)
    found = await waiting(memory, reasons=asked.reasons, after=asked.after or None, limit=2 * SIZE)
    held = sum(1 for one in found.ids if one <= last)
    decision: Decision | None = None
    if asked.item and asked.item not in found.ids and not await _waits(memory, asked.item):
        try:
            decision = await decision_on(memory, asked.item)
        except MemoryNotFound:
            decision = None
    return page(
        request,
        who,
        'review_news.html',
        title='Review',
        here='review',
        asked=asked,
        fresh=len(found.ids) - held if end else 0,
        more=found.more,
        gone=max(0, count - held),
        decision=decision,
    )


@router.post('')
async def decide_many(
    request: Request,
    who: Reviewer,
    asked: Filtered,
    decision: Annotated[Literal['approve', 'reject'], Form()],
    ids: Annotated[list[str], Form(max_length=SIZE)] = [],  # noqa: B006  # FastAPI copies it
) -> Response:
    """Approve or reject what was selected; what fails stops no other."""
    if not ids:
        return await _show(request, who, asked, _Shown(422, 'Nothing was selected: tick some proposals first.'))
    memory = asked.within(who)
    results = await (memory.review.approve(ids) if decision == 'approve' else memory.review.reject(ids))
    changes = [r.change.id for r in results if r.change is not None]
    told = [f'{_many(len(changes))} {_ACTS[decision]}.'] if changes else []
    faster = sum(isinstance(r.error, Conflict) for r in results)
    if faster:
        told.append(f'{_many(faster)} left alone: somebody else has decided on them, or changed them, meanwhile.')
    if other := len(results) - len(changes) - faster:
        told.append(f'{_many(other)} could not be decided on.')
    if not changes:
        return await _show(request, who, asked, _Shown(409, ' '.join(told)))
    return done(request, who, ' '.join(told), to=asked.link(item=''), undo=asked.act('/undo', change=changes))


@router.post('/undo')
async def undo(
    request: Request,
    who: Reviewer,
    asked: Filtered,
    change: Annotated[list[str], Query(min_length=1, max_length=4 * SIZE)],
) -> Response:
    """Take decisions back: what they were about waits again."""
    count = await take_back(who.memory, change)
    if count == 0:
        error = 'That can not be taken back: later changes rest on it, it was taken back already, or it was erased.'
        return await _show(request, who, asked, _Shown(409, error))
    told = 'Taken back: it waits again.' if count == len(change) == 1 else f'{count} of {len(change)} taken back.'
    return done(request, who, told, to=asked.link())


@router.post('/{item_id}/approve')
async def approve(
    request: Request, who: Reviewer, item_id: ItemId, asked: Filtered, seen: Annotated[str, Form()] = ''
) -> Response:
    """Let it be believed, as one change made on the memories as they are now."""

    async def act(memory: AsyncMemory) -> ReviewResult:
        return await memory.review.approve(item_id)

    return await _decide(request, who, asked.model_copy(update={'item': item_id}), act, 'Approved', seen=seen)


@router.post('/{item_id}/reject')
async def reject(request: Request, who: Reviewer, item_id: ItemId, asked: Filtered) -> Response:
    """Turn it down: the same words are not proposed again."""

    async def act(memory: AsyncMemory) -> ReviewResult:
        return await memory.review.reject(item_id)

    return await _decide(request, who, asked.model_copy(update={'item': item_id}), act, 'Rejected')


@router.post('/{item_id}/edit')
async def edit(
    request: Request,
    who: Reviewer,
    item_id: ItemId,
    asked: Filtered,
    text: Annotated[str, Form()],
    kind: Annotated[str, Form(max_length=64)],
    slot: Annotated[str, Form(max_length=256)] = '',
    seen: Annotated[str, Form()] = '',
) -> Response:
    """Approve it in other words; the memory is locked against extraction."""

    async def act(memory: AsyncMemory) -> ReviewResult:
        return await memory.review.edit(item_id, text=text, kind=kind, slot=slot.strip() or None)

    here = asked.model_copy(update={'item': item_id, 'edit': True})
    return await _decide(request, who, here, act, 'Approved in other words', seen=seen, typed=_Words(text, kind, slot))


async def _decide(
    request: Request,
    who: Viewer,
    asked: Asked,
    act: Callable[[AsyncMemory], Awaitable[ReviewResult]],
    said: str,
    *,
    seen: str = '',
    typed: _Words | None = None,
) -> Response:
    memory = asked.within(who)
    try:
        if seen and seen_as(await memory.review.get(asked.item)) != seen:
            return await _show(request, who, asked, _Shown(409, stale=True, typed=typed))
        result = await act(memory)
    except Conflict:
        if typed is None and await _mine(memory, asked.item, said):  # a key that was pressed twice
            return done(request, who, f'{said}.', to=asked.link(item=await _next(memory, asked)))
        return await _show(request, who, asked, _Shown(409, lost=True, typed=typed))
    except MemoryNotFound:
        return await _show(request, who, asked, _Shown(404, typed=typed))
    except InvalidInput as error:
        return await _show(request, who, asked, _Shown(422, str(error), typed=typed))
    notes = [NOTES.get(note, note) for note in result.notes]
    to = asked.link(item=await _next(memory, asked))
    back = None if result.change is None else asked.act('/undo', item=asked.item, change=[result.change.id])
    return done(request, who, '. '.join((said, *(n[:1].upper() + n[1:] for n in notes))) + '.', to=to, undo=back)


async def _mine(memory: AsyncMemory, item_id: str, said: str) -> bool:
    """Whether this person has decided so already."""
    found = await decision_on(memory, item_id)
    return found is not None and found.by == memory.actor and found.what == said.lower()


async def _next(memory: AsyncMemory, asked: Asked) -> str:
    """The proposal behind one that was decided on; empty at the end, where the page begins anew."""
    found = await waiting(memory, reasons=asked.reasons, after=asked.item, limit=1)
    return found.ids[0] if found.ids else ''


async def _waits(memory: AsyncMemory, item_id: str) -> bool:
    found = await memory.engine.store.review(item_id, project=memory.project)
    return found is not None and found.memory.status == 'pending'


async def _show(request: Request, who: Viewer, asked: Asked, shown: _Shown) -> Response:
    """The page."""
    try:
        memory = asked.within(who)
        listed = await memory.review.list(reasons=asked.reasons, limit=SIZE, cursor=asked.after or None, details=False)
    except InvalidInput as error:
        memory, listed = who.memory, ReviewPage(items=(), cursor=None)
        shown = _Shown(422, str(error))
    chosen = asked.item or (listed.items[0].id if listed.items else '')
    item, decision, gone = await _chosen(memory, chosen)
    around = [one.id for one in listed.items]
    place = around.index(chosen) if chosen in around else None
    response = page(
        request,
        who,
        'review.html',
        title='Review',
        here='review',
        status=shown.status if shown.status != 200 or not gone else 404,
        asked=asked,
        shown=shown,
        listed=listed.items,
        cursor=listed.cursor,
        chosen=chosen,
        place=place,
        item=item,
        seen='' if item is None else seen_as(item),
        edits=() if item is None else _edits(item),
        alike=item is not None and item.target is not None and _alike(item.target.text, item.memory.text),
        decision=decision,
        gone=gone,
        reasons=REASONS,
        kinds=KINDS,
        asks=ASKS,
        notes=NOTES,
        reason_of=reason,
        words_of=words_of,
        deed=deed,
        merged_into=merged_into,
        you=who.memory.actor,
    )
    return shown_again(request, response)


async def _chosen(memory: AsyncMemory, item_id: str) -> tuple[ReviewItem | None, Decision | None, bool]:
    """One proposal in full; or else what was decided on it; or else that it is not there."""
    if not item_id:
        return None, None, False
    try:
        return await memory.review.get(item_id), None, False
    except Conflict:
        return None, await decision_on(memory, item_id), False
    except MemoryNotFound:
        return None, None, True


def _edits(item: ReviewItem) -> Sequence[Any]:
    """What approving would change. A wish to confirm or to retract has no words of its own to be believed."""
    return item.diff[1:] if item.op in ASKS and len(item.diff) > 1 else item.diff


def _alike(before: str, after: str) -> bool:
    """Whether two texts share so many words that what differs can be read inside of one."""
    if len(before) > _COMPARED or len(after) > _COMPARED:
        return False
    old, new = set(before.casefold().split()), set(after.casefold().split())
    return len(old & new) * 2 >= len(old | new)


def _many(count: int) -> str:
    return f'{count} proposal' if count == 1 else f'{count} proposals'
