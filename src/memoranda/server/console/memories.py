"""All memories of the project: filtered, sorted, page by page; several at once changed; views of it saved."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import BaseModel, Field

from memoranda import across
from memoranda.errors import Conflict, InvalidInput, MemorandaError, MemoryNotFound, StoreError
from memoranda.filters import CHOICES
from memoranda.memory import AsyncMemory
from memoranda.records import KINDS, now
from memoranda.server.console._rendering import href
from memoranda.server.console._views import keep, named, saved
from memoranda.server.console.page import Viewer, done, page, viewer
from memoranda.server.console.sessions import own_path

__all__ = ['PATH', 'router']

router = APIRouter(prefix='/console/memories')

PATH: Final = '/console/memories'
SIZES: Final = ('25', '50', '100')
SUGGESTED: Final = 20
MOST_UNDO: Final = 2_500
"""Characters of the link that takes changes back: a cookie of 4,096 bytes holds it, encoded and signed."""
Reader = Annotated[Viewer, viewer('reader')]
Writer = Annotated[Viewer, viewer('writer')]
Reviewer = Annotated[Viewer, viewer('reviewer')]


class Asked(BaseModel):
    """Which memories are shown: the query string of the page. A word that fits no choice is told on the page."""

    q: str = Field('', max_length=1_000)
    person: str = Field('', max_length=256)
    agent: str = Field('', max_length=256)
    kind: str = Field('', max_length=64)
    status: str = Field('', max_length=20)
    trust: str = Field('', max_length=20)
    mark: str = Field('', max_length=20)
    since: str = Field('', max_length=40)
    until: str = Field('', max_length=40)
    sort: str = Field('newest', max_length=20)
    size: str = Field('50', max_length=5)
    cursor: str = Field('', max_length=200)

    def query(self, **other: Any) -> dict[str, Any]:
        """As parameters of a URL, without those that are as they always are."""
        given = {**self.model_dump(), **other}
        return {name: value for name, value in given.items() if value and value != _USUAL.get(name)}

    def link(self, **other: Any) -> str:
        """The page with these instead."""
        return href(PATH, **self.query(**{'cursor': '', **other}))


_USUAL: Final = {name: field.default for name, field in Asked.model_fields.items()}
FIELDS: Final = tuple(name for name in Asked.model_fields if name != 'cursor')
STATUSES: Final = (('', 'Believed'), ('all', 'Any status'), *((s, s.capitalize()) for s in CHOICES['status'][1:]))
MARKS: Final = (('pinned', 'Pinned'), ('locked', 'Edited by a person'), ('expires', 'With an end date'))
_BUILT_IN: Final = (
    ('Believed', ''),
    ('Everything', 'status=all'),
    ('From tools', 'trust=tool'),
    ('From outside', 'trust=external'),
    ('Waiting', 'status=pending'),
    ('Superseded', 'status=superseded'),
)
_MARKED: Final[dict[str, dict[str, Any]]] = {
    'pinned': {'pinned': True},
    'locked': {'locked': True},
    'expires': {'expires_at': {'exists': True}},
}


@dataclass(frozen=True, slots=True)
class _Chip:
    """A filter that is set, and the page without it."""

    name: str
    value: str
    without: str


@router.get('')
async def memories(request: Request, who: Reader, asked: Annotated[Asked, Query()]) -> Response:
    """The listing."""
    found, error = None, ''
    try:
        found = await across.browse(
            who.memory,
            where=_where(asked) or None,
            statuses=_statuses(asked),
            sort='oldest' if asked.sort == 'oldest' else 'newest',
            size=_size(asked),
            cursor=asked.cursor or None,
            text=asked.q.strip() or None,
        )
    except InvalidInput as problem:
        error = str(problem)
    views = saved(request, who, FIELDS)
    here = asked.link()
    response = page(
        request,
        who,
        'memories.html',
        title='Memories',
        here='memories',
        asked=asked,
        found=found,
        error=error,
        chips=_chips(asked),
        built_in=[(name, f'{PATH}?{query}' if query else PATH) for name, query in _BUILT_IN],
        views=[(view.name, href(PATH, **view.asked)) for view in views],
        here_link=here,
        kinds=KINDS,
        statuses=STATUSES,
        trusts=CHOICES['trust'],
        marks=MARKS,
        sizes=SIZES,
        now=now(),
    )
    if 'hx-request' in request.headers:
        response.headers['HX-Push-Url'] = asked.link(cursor=asked.cursor)
    return response


@router.get('/people')
async def suggested(
    request: Request,
    who: Annotated[Viewer, viewer('reader', whole_project=True)],
    person: Annotated[str, Query(max_length=256)] = '',
) -> Response:
    """People whose ids begin so, for the field in which one is named."""
    found = await across.people(who.memory, prefix=person.strip(), size=SUGGESTED)
    return page(request, who, 'memories_people.html', title='Memories', here='memories', people=found.items)


def _where(asked: Asked) -> dict[str, Any]:
    """The filter that a query string means.

    Raises:
        InvalidInput: A word in it that fits no choice, or no date.
    """
    where: dict[str, Any] = {}
    for name, value in (('user_id', asked.person), ('agent_id', asked.agent), ('kind', asked.kind)):
        if value.strip():
            where[name] = value.strip()
    if asked.trust:
        where['trust'] = asked.trust
    if asked.mark:
        if asked.mark not in _MARKED:
            raise InvalidInput(f'mark={asked.mark!r} is unknown: choose one of {", ".join(_MARKED)}')
        where |= _MARKED[asked.mark]
    times: dict[str, datetime] = {}
    if asked.since:
        times['gte'] = _day('from', asked.since)
    if asked.until:
        times['lt'] = _day('to', asked.until) + timedelta(days=1)
    if times:
        where['recorded_at'] = times
    return where


def _day(name: str, text: str) -> datetime:
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        day = None
    if day is None or not 2 <= day.year < 9999:
        raise InvalidInput(f'{name}={text[:40]!r} is no day: write it like 2026-05-31')
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _statuses(asked: Asked) -> Sequence[str] | None:
    if not asked.status:
        return ('active',)
    if asked.status == 'all':
        return None
    if asked.status not in CHOICES['status']:
        raise InvalidInput(f'status={asked.status!r} is unknown: choose one of all, {", ".join(CHOICES["status"])}')
    return (asked.status,)


def _size(asked: Asked) -> int:
    return int(asked.size) if asked.size in SIZES else 50


def _chips(asked: Asked) -> list[_Chip]:
    named_ = {
        'q': 'Text', 'person': 'Person', 'agent': 'Agent', 'kind': 'Kind', 'status': 'Status', 'trust': 'Source',
        'mark': 'Mark', 'since': 'From', 'until': 'To',
    }  # fmt: skip
    labels = {'status': dict(STATUSES), 'mark': dict(MARKS)}
    return [
        _Chip(title, labels.get(name, {}).get(value, value), asked.link(**{name: ''}))
        for name, title in named_.items()
        if (value := str(getattr(asked, name)))
    ]


# Several at once


@dataclass(frozen=True, slots=True)
class _Action:
    """What can be done to several memories."""

    told: str
    fields: dict[str, Any] | None
    """Of `update`; None: it is retracted."""


_ACTIONS: Final = {
    'pin': _Action('pinned', {'pinned': True}),
    'unpin': _Action('unpinned', {'pinned': False}),
    'lock': _Action('locked', {'locked': True}),
    'unlock': _Action('unlocked', {'locked': False}),
    'retract': _Action('retracted', None),
}


@dataclass
class _Outcome:
    changes: list[str]
    same: int = 0
    refused: str = ''
    failed: int = 0


@router.post('/bulk')
async def bulk(
    request: Request,
    who: Writer,
    action: Annotated[str, Form(max_length=20)],
    id: Annotated[list[str], Form(max_length=200)] = [],  # noqa: A002, B006
    back: Annotated[str, Form(max_length=4_000)] = PATH,
) -> Response:
    """Do the same to each of some memories. One that fails undoes no other."""
    back = _within_listing(back)
    if action not in _ACTIONS:
        raise InvalidInput(f'action={action[:20]!r} is unknown: use one of {", ".join(_ACTIONS)}')
    if not id:
        return done(request, who, 'No memory was selected, so nothing was changed.', to=back)
    deed = _ACTIONS[action]
    outcome = _Outcome([])
    for one in dict.fromkeys(id):
        await _do(who.memory, one, deed, outcome)
    undo = None
    if outcome.changes and who.may('reviewer'):
        undo = href(f'{PATH}/undo', changes=_packed(outcome.changes), back=back)
        if len(undo) > MOST_UNDO:
            undo = href(f'{PATH}/undo', changes=_packed(outcome.changes), back=PATH)
    return done(request, who, _told(outcome, deed), to=back, undo=undo)


async def _do(memory: AsyncMemory, memory_id: str, deed: _Action, outcome: _Outcome) -> None:
    try:
        before = await memory.get(memory_id)
        if deed.fields is None:
            await memory.delete(memory_id)
            outcome.changes.append((await memory.history(memory_id))[-1].change_id)
            return
        after = await memory.update(memory_id, **deed.fields)
        if after.version == before.version:
            outcome.same += 1
        else:
            outcome.changes.append(after.change_id)
    except StoreError:
        raise
    except MemorandaError as problem:
        outcome.failed += 1
        outcome.refused = outcome.refused or str(problem)


def _told(outcome: _Outcome, deed: _Action) -> str:
    count = len(outcome.changes)
    parts = [f'{count} {"memory" if count == 1 else "memories"} {deed.told}.'] if count or not outcome.failed else []
    if outcome.same:
        parts.append(f'{outcome.same} {"was" if outcome.same == 1 else "were"} so already.')
    if outcome.failed:
        parts.append(f'{outcome.failed} could not be: {outcome.refused}')
    return ' '.join(parts)


@router.post('/undo')
async def undo(
    request: Request,
    who: Reviewer,
    changes: Annotated[str, Query(max_length=5_000)] = '',
    back: Annotated[str, Query(max_length=4_000)] = PATH,
) -> Response:
    """Take changes back that were made at once."""
    back, undone, refused = _within_listing(back), 0, ''
    for one in _unpacked(changes):
        try:
            await who.memory.revert(one)
            undone += 1
        except (Conflict, MemoryNotFound) as problem:
            refused = refused or str(problem)
    message = f'{undone} {"change" if undone == 1 else "changes"} taken back.'
    return done(request, who, f'{message} The others could not be: {refused}' if refused else message, to=back)


def _packed(changes: Sequence[str]) -> str:
    """Ids of changes in a third of their length: a cookie holds the link that takes them back."""
    return base64.urlsafe_b64encode(b''.join(UUID(one).bytes for one in changes)).decode().rstrip('=')


def _unpacked(text: str) -> list[str]:
    try:
        read = base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))
        return [str(UUID(bytes=read[place : place + 16])) for place in range(0, len(read), 16)]
    except ValueError:
        raise InvalidInput(f'changes={text[:20]!r} are no ids: use the link as it was given') from None


# Views


@router.post('/views')
async def save_view(
    request: Request,
    who: Reader,
    name: Annotated[str, Form(max_length=200)] = '',
    back: Annotated[str, Form(max_length=4_000)] = PATH,
) -> Response:
    """Keep the filters of the listing under a name, in this browser."""
    back = _within_listing(back)
    try:
        view = named(name, urlsplit(back).query, FIELDS)
        views = [one for one in saved(request, who, FIELDS) if one.name != view.name]
        response = done(request, who, 'The view is saved in this browser.', to=back)
        keep(response, who, [*views, view])
    except ValueError as problem:
        return done(request, who, str(problem), to=back)
    return response


@router.post('/views/delete')
async def delete_view(
    request: Request,
    who: Reader,
    name: Annotated[str, Form(max_length=200)] = '',
    back: Annotated[str, Form(max_length=4_000)] = PATH,
) -> Response:
    """Drop a saved view."""
    response = done(request, who, 'The view is deleted.', to=_within_listing(back))
    keep(response, who, [one for one in saved(request, who, FIELDS) if one.name != name])
    return response


def _within_listing(back: str) -> str:
    """Where an action leads back to: a page of this listing, whatever was sent."""
    found = own_path(back)
    return found if urlsplit(found).path.startswith(PATH) else PATH
