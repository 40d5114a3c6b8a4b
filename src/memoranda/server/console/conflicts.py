"""Slots whose values changed often or disagree: choose one of them, or write one in their place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import BaseModel, Field

from memoranda import across
from memoranda.errors import Conflict, InvalidInput, MemoryNotFound
from memoranda.memory import AsyncMemory
from memoranda.records import MemoryRecord, now
from memoranda.server.console._deciding import shown_again, take_back
from memoranda.server.console._rendering import href
from memoranda.server.console.page import Viewer, done, page, viewer
from memoranda.stores.figures import ContestedSlot

__all__ = ['router']

router = APIRouter(prefix='/console/conflicts', include_in_schema=False)

PATH: Final = '/console/conflicts'
SIZE: Final = 10
_LOOKED: Final = 5
"""Pages of the listing that one page of settled and open ones reads at most."""
_MOST: Final = 20
"""Values of one slot."""

Reader = Annotated[Viewer, viewer('reader')]
Reviewer = Annotated[Viewer, viewer('reviewer')]


class Asked(BaseModel):
    """Which are shown: the query string of the page."""

    person: str = Field('', max_length=256)
    settled: bool = False
    cursor: str = Field('', max_length=512)

    def link(self, path: str = '', **other: Any) -> str:
        """The page, or where a form of it is sent, with these instead."""
        given: dict[str, Any] = {'person': self.person, 'settled': self.settled, 'cursor': self.cursor, **other}
        return href(f'{PATH}{path}', **{name: '1' if value is True else value for name, value in given.items()})

    def within(self, who: Viewer) -> AsyncMemory:
        """What is looked through."""
        return who.caller.within(user_id=self.person) if self.person else who.memory


Filtered = Annotated[Asked, Query()]


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot as it is shown."""

    of: ContestedSlot
    holder: MemoryRecord | None
    """What is believed now."""
    waiting: tuple[MemoryRecord, ...]

    @property
    def settled(self) -> bool:
        """Whether a person has chosen, and nothing has come up since."""
        return self.holder is not None and self.holder.locked and not self.waiting

    def offers(self, one: MemoryRecord) -> bool:
        """Whether choosing a value would change anything."""
        if self.holder is None or one.id == self.holder.id:
            return one.status == 'pending' or (self.holder is not None and not self.settled)
        return one.status == 'pending' or one.text != self.holder.text


class Choice(BaseModel):
    """What a form of the page sends: which values it showed, and which was chosen."""

    held: str = Field('', max_length=256)
    """Id of the memory that was believed."""
    version: int = Field(0, ge=0)
    waiting: list[str] = Field(default=[], max_length=_MOST)
    chosen: str = Field('', max_length=256)
    text: str = ''
    value: str = Field('', max_length=1_000)


@router.get('')
async def conflicts(request: Request, who: Reader, asked: Filtered) -> Response:
    """The slots."""
    return await _show(request, who, asked)


@router.post('/choose')
async def choose(request: Request, who: Reviewer, asked: Filtered, form: Annotated[Choice, Form()]) -> Response:
    """Let one of the values be believed, turn down those that wait, and lock it."""
    return await _settle(request, who, asked, form, _chosen)


@router.post('/merge')
async def merge(request: Request, who: Reviewer, asked: Filtered, form: Annotated[Choice, Form()]) -> Response:
    """Let what somebody wrote be believed instead of all values, and lock it."""
    return await _settle(request, who, asked, form, _written)


@router.post('/undo')
async def undo(
    request: Request, who: Reviewer, asked: Filtered, change: Annotated[list[str], Query(max_length=2 * _MOST)]
) -> Response:
    """Take back what was chosen."""
    count = await take_back(who.memory, change)
    if count < len(change):
        error = 'That can not be taken back altogether: later changes rest on it, or it was taken back already.'
        return await _show(request, who, asked, status=409, error=error)
    return done(request, who, 'Taken back: it is as it was before.', to=asked.link())


async def _settle(request: Request, who: Viewer, asked: Asked, form: Choice, act: Any) -> Response:
    try:
        changes: list[str] = await act(who.memory, form)
    except (Conflict, MemoryNotFound):
        error = 'Nothing was changed: somebody else changed this slot since you opened the page. It is shown anew.'
        return await _show(request, who, asked, status=409, error=error)
    except InvalidInput as problem:
        return await _show(request, who, asked, status=422, error=str(problem))
    changes += await _turned_down(who.memory, [id_ for id_ in form.waiting if id_ != form.chosen])
    back = asked.link('/undo', change=changes) if changes else None
    return done(request, who, 'Settled: agents do not overwrite it.', to=asked.link(), undo=back)


async def _chosen(memory: AsyncMemory, form: Choice) -> list[str]:
    """Let a value be believed that there is, or was, and answer the changes that it took."""
    chosen = await memory.get(form.chosen)
    if chosen.id == form.held:
        return await _locked(memory, chosen, form.version)
    if chosen.status == 'pending':
        result = await memory.review.approve(chosen.id)
        changes = [] if result.change is None else [result.change.id]
        kept = result.memory
        return changes if kept is None or kept.status != 'active' else [*changes, *await _locked(memory, kept)]
    held = await _held(memory, form)
    if held.slot != chosen.slot or held.scope != chosen.scope or held.level != chosen.level:
        raise InvalidInput('the value that was chosen is of another slot: load the page again')
    after = await memory.update(
        held.id, text=chosen.text, value=chosen.value, locked=True, if_version=form.version or None
    )
    return _changes(held, after)


async def _written(memory: AsyncMemory, form: Choice) -> list[str]:
    """Let words be believed that somebody typed."""
    held = await _held(memory, form)
    value = form.value.strip() or None
    after = await memory.update(held.id, text=form.text, value=value, locked=True, if_version=form.version or None)
    return _changes(held, after)


async def _held(memory: AsyncMemory, form: Choice) -> MemoryRecord:
    if not form.held:
        raise InvalidInput('no value of this slot is believed now: approve one that waits, or add the fact anew')
    return await memory.get(form.held)


async def _locked(memory: AsyncMemory, held: MemoryRecord, version: int = 0) -> list[str]:
    if held.locked and not version:
        return []
    return _changes(held, await memory.update(held.id, locked=True, if_version=version or None))


async def _turned_down(memory: AsyncMemory, item_ids: Sequence[str]) -> list[str]:
    """Reject what waits; somebody may have done so already."""
    results = await memory.review.reject(list(item_ids)) if item_ids else ()
    return [result.change.id for result in results if result.change is not None]


def _changes(before: MemoryRecord, after: MemoryRecord) -> list[str]:
    return [] if after.version == before.version else [after.change_id]


async def _show(request: Request, who: Viewer, asked: Asked, *, status: int = 200, error: str = '') -> Response:
    found: list[Slot] = []
    cursor: str | None = asked.cursor or None
    hidden = 0
    try:
        memory = asked.within(who)
        for _ in range(_LOOKED):
            listed = await across.conflicts(memory, size=SIZE, cursor=cursor)
            shown = [_slot(one) for one in listed.items]
            found += [one for one in shown if asked.settled or not one.settled]
            hidden += sum(one.settled for one in shown)
            cursor = listed.cursor
            if cursor is None or len(found) >= SIZE:
                break
    except InvalidInput as problem:
        status, error, cursor = 422, str(problem), None
    response = page(
        request,
        who,
        'conflicts.html',
        title='Conflicts',
        here='conflicts',
        status=status,
        asked=asked,
        error=error,
        slots=found,
        hidden=0 if asked.settled else hidden,
        cursor=cursor,
    )
    return shown_again(request, response)


def _slot(one: ContestedSlot) -> Slot:
    at = now()
    holder = next((m for m in one.memories if m.is_current(at)), None)
    return Slot(one, holder, tuple(m for m in one.memories if m.status == 'pending'))
