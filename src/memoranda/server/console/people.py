"""People and other owners: whom something is remembered of, and what is held on one of them."""

from itertools import groupby
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from memoranda import across
from memoranda.errors import InvalidInput
from memoranda.memory import AsyncMemory
from memoranda.server.console import erasure
from memoranda.server.console._owners import Key, Kind, Whose, check_end
from memoranda.server.console._rendering import href
from memoranda.server.console.page import Viewer, page, viewer

__all__ = ['router']

router = APIRouter(prefix='/console/people', include_in_schema=False)

PATH: Final = '/console/people'
SIZE: Final = 50
_SLOTS: Final = 500
"""Values of a profile that a page shows."""
_MESSAGES: Final = 50
_CHANGES: Final = 25
_TABS: Final = ('profile', 'conversations', 'changes')
_SORTS: Final = (('user', 'People'), ('agent', 'Agents'), ('app', 'Apps'), ('run', 'Conversations without a person'))
_TOLD: Final = ('instruction', 'constraint')
"""Kinds that agents are always told, whatever is asked."""

Reader = Annotated[Viewer, viewer('reader')]


class Asked(BaseModel):
    """Which are listed: the query string of the page."""

    kind: Kind = 'user'
    q: str = Field('', max_length=256)
    cursor: str = Field('', max_length=512)

    @property
    def query(self) -> dict[str, Any]:
        """As parameters of a URL."""
        return {'kind': None if self.kind == 'user' else self.kind, 'q': self.q, 'cursor': self.cursor}


class Part(BaseModel):
    """Which part of somebody's page is shown."""

    kind: Kind = 'user'
    tab: str = Field('profile', max_length=20)
    cursor: str = Field('', max_length=512)
    full: str = Field('', max_length=256)
    """Id of a message that is shown in full."""


@router.get('')
async def people(
    request: Request, who: Annotated[Viewer, viewer('reader', whole_project=True)], asked: Annotated[Asked, Query()]
) -> Response:
    """The list."""
    found, error = None, ''
    try:
        found = await across.people(
            who.memory, kinds=(asked.kind,), prefix=asked.q.strip(), size=SIZE, cursor=asked.cursor or None
        )
    except InvalidInput as problem:
        error = str(problem)
    return page(
        request,
        who,
        'people.html',
        title='People',
        here='people',
        status=422 if error else 200,
        asked=asked,
        found=found,
        error=error,
        sorts=[(title, href(PATH, kind=None if kind == 'user' else kind)) for kind, title in _SORTS],
        current=href(PATH, kind=None if asked.kind == 'user' else asked.kind),
        noun=dict(_SORTS)[asked.kind] if asked.kind != 'global' else '',
    )


@router.get('/{key:path}')
async def person(request: Request, who: Reader, key: Key, part: Annotated[Part, Query()]) -> Response:
    """What is held on one."""
    check_end(request)
    whose = Whose(kind=part.kind, id='' if part.kind == 'global' else key)
    memory = whose.view(who)
    tab = part.tab if part.tab in _TABS else 'profile'
    holdings = await memory.holdings()
    return page(
        request,
        who,
        'person.html',
        title=whose.id or 'Shared memory',
        here='people',
        whose=whose,
        holdings=holdings,
        tab=tab,
        tabs=[
            ('Profile', whose.path(), None),
            ('Conversations', whose.path(tab='conversations'), holdings.counts.get('conversations', 0)),
            ('Changes', whose.path(tab='changes'), holdings.counts.get('changes', 0)),
        ],
        current=whose.path(tab=None if tab == 'profile' else tab),
        part=part,
        **await _PARTS[tab](memory, part),
    )


async def _profile(memory: AsyncMemory, part: Part) -> dict[str, Any]:
    """The values of slots, what agents are always told, and what was learnt last."""
    slots = await memory.get_all(filters={'slot': {'exists': True}}, limit=_SLOTS)
    told = await memory.get_all(filters={'OR': [{'pinned': True}, {'kind': {'in': list(_TOLD)}}]}, limit=100)
    recent = await across.browse(memory, size=5)
    return {
        'slots': sorted(slots.items, key=lambda m: (m.slot or '', m.level == 'run')),
        'more': slots.cursor is not None,
        'told': told.items,
        'recent': recent.items,
    }


async def _conversations(memory: AsyncMemory, part: Part) -> dict[str, Any]:
    """Messages word for word, in the order they were stored, a conversation under one head."""
    found = await memory.episodes(limit=_MESSAGES, cursor=part.cursor or None)
    talks = [(id_, list(said)) for id_, said in groupby(found.items, key=lambda e: e.conversation_id)]
    return {'talks': talks, 'cursor': found.cursor}


async def _changes(memory: AsyncMemory, part: Part) -> dict[str, Any]:
    """What was changed, latest first."""
    found = await memory.changes(limit=_CHANGES, cursor=part.cursor or None)
    return {'changes': found.items, 'cursor': found.cursor}


_PARTS: Final = {'profile': _profile, 'conversations': _conversations, 'changes': _changes}

# Ids are whole paths here, so what is done with somebody has paths of its own.
router.routes.extend(erasure.router.routes)
