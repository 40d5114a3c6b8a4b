"""Reading a whole project page by page, over any number of memories: for people who look after it.

Each function takes a view of a memory and stays in its project. On a view that is bound to a scope `browse` and
`conflicts` read that scope only, and the others refuse.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from memoranda.checks import check_count, check_text, storable
from memoranda.errors import InvalidInput, InvalidScope, MemoryNotFound, shown
from memoranda.filters import All, Any_, Compare, Filter, Not, parse
from memoranda.records import MemoryRecord, Status, now
from memoranda.scope import Owner, OwnerKind, Reach
from memoranda.stores.figures import Activity, BrowseAsked, Browsed, ContestedSlot, People, Usages

if TYPE_CHECKING:
    from memoranda.consent.audit import ReadPage
    from memoranda.memory import AsyncMemory

__all__ = ['ConflictPage', 'Sort', 'UsesPage', 'activity', 'browse', 'conflicts', 'people', 'uses']

Sort = Literal['newest', 'oldest']
MOST_SHOWN: Final = 200
MOST_PEOPLE: Final = 100
MOST_DAYS: Final = 400
_ID: Final = re.compile('[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictPage:
    """A slice of the slots that are in trouble."""

    items: tuple[ContestedSlot, ...]
    cursor: str | None
    """Pass it to get the next slice; None at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsesPage:
    """How often a memory was recalled, and a slice of its reads."""

    total: Usages
    reads: ReadPage
    """Who was given it, by which call and when, latest first: what the policy had noted (`audit_reads`). No question is
    kept."""


async def browse(
    memory: AsyncMemory,
    *,
    where: Mapping[str, Any] | Filter | None = None,
    statuses: Sequence[str] | None = ('active',),
    sort: Sort = 'newest',
    size: int = 50,
    cursor: str | None = None,
    text: str | None = None,
) -> Browsed:
    """The memories of a project in the order they were first recorded, each in its latest version.

    Args:
        memory: A project-wide view, or one bound to a scope.
        where: Which, as in `search`. Of any number of memories: by `user_id`, `agent_id`, `kind`, `status`, `trust`,
            `recorded_at`, `said_at` and `id`. By other fields too, where these (or a person) leave at most 20,000.
        statuses: Only these; None: all of them.
        sort: The latest recorded first, or the oldest.
        size: How many, 1 to 200.
        cursor: `page.cursor` of the page before, asked for with the same arguments.
        text: Only those that have these words in their text, wherever case differs.

    Returns:
        A slice; the first one with how many there are, counted up to 10,000.

    Raises:
        InvalidInput: Something can't be used, or `text` (or a field that is in no index) is asked for in more than
            20,000 memories.
        InvalidFilter: The filter can't be read.
    """
    tree = parse(where)
    people_, indexed, rest = _split(tree)
    reaches = _reaches(memory, people_)
    asked = BrowseAsked(
        project=memory.project,
        reaches=reaches,
        where=indexed,
        rest=rest,
        text=None if text is None else storable(check_text('text', text, 1_000)),
        statuses=None if statuses is None else _statuses(statuses),
        newest_first=_sorted(sort) == 'newest',
        size=check_count('size', size, 1, MOST_SHOWN),
        cursor=_memory_id(cursor),
    )
    found = await memory.engine.store.browse(asked)
    await _note(memory, found.items)
    return found


async def people(
    memory: AsyncMemory,
    *,
    kinds: Sequence[OwnerKind] = ('user',),
    prefix: str = '',
    size: int = 50,
    cursor: str | None = None,
) -> People:
    """Whom the project remembers something of, by their ids.

    Args:
        memory: A project-wide view.
        kinds: Which sorts of owner; one sort after the other.
        prefix: Only those whose id begins so, as it is written.
        size: How many, 1 to 200.
        cursor: `page.cursor` of the page before, asked for with the same arguments.

    Returns:
        A slice; the first one with how many there are, counted up to 10,000.

    Raises:
        InvalidScope: The view is bound to a scope.
        InvalidInput: Something can't be used.
    """
    _whole(memory, 'whom else the project knows')
    names = tuple(dict.fromkeys(kinds))
    if not names or any(name not in get_args(OwnerKind) for name in names):
        raise InvalidInput(f'kinds={shown(kinds)}: pass some of {", ".join(get_args(OwnerKind))}')
    return await memory.engine.store.people(
        project=memory.project,
        kinds=names,
        prefix=storable(check_text('prefix', prefix, 256)) if prefix else '',
        size=check_count('size', size, 1, MOST_SHOWN),
        after=_owner_after(cursor, names),
    )


async def activity(memory: AsyncMemory, *, days: int = 30) -> Activity:
    """What happened in a project on each of the last days (UTC), and how it stands now.

    Args:
        memory: A project-wide view.
        days: How many, today among them, 1 to 400.

    Raises:
        InvalidScope: The view is bound to a scope.
        InvalidInput: `days` is out of range.
    """
    _whole(memory, 'what happens in the project')
    await memory.engine.store.save_uses()
    return await memory.engine.store.activity(
        project=memory.project, today=now(), days=check_count('days', days, 1, MOST_DAYS)
    )


async def conflicts(
    memory: AsyncMemory, *, changes: int = 2, size: int = 20, cursor: str | None = None
) -> ConflictPage:
    """Slots whose values changed often, or of which several stand side by side (one believed, one proposed).

    Args:
        memory: A project-wide view, or one bound to a scope.
        changes: How often a value must have been superseded to count as often, 1 to 1,000.
        size: How many, 1 to 100.
        cursor: `page.cursor` of the page before.

    Raises:
        InvalidInput: Something can't be used.
    """
    size = check_count('size', size, 1, 100)
    found = await memory.engine.store.conflicts(
        project=memory.project,
        reaches=_reaches(memory, None),
        changes=check_count('changes', changes, 1, 1_000),
        size=size,
        after=_slot_after(cursor),
    )
    items = tuple(found[:size])
    await _note(memory, [value for one in items for value in one.memories])
    return ConflictPage(items=items, cursor=_slot_cursor(items[-1]) if len(found) > size else None)


async def uses(memory: AsyncMemory, memory_id: str, *, size: int = 20, cursor: str | None = None) -> UsesPage:
    """How often a memory was recalled, and who was given it.

    Args:
        memory: A project-wide view, or one bound to a scope.
        memory_id: Which.
        size: How many reads, 1 to 200.
        cursor: `page.reads.cursor` of the page before.

    Raises:
        MemoryNotFound: It isn't within reach.
    """
    view = memory if memory.bound_to is not None else memory.project_wide()
    # Which looks whether it is within reach; one that was deleted is too.
    reads = await view.reads(memory_id, limit=check_count('size', size, 1, MOST_SHOWN), cursor=cursor)
    found = await memory.engine.store.get(memory_id, project=memory.project)
    if found is None:  # erased in between
        raise MemoryNotFound(f'memory {shown(memory_id)} does not exist in this scope: check the id and the scope')
    await memory.engine.store.save_uses()
    total = await memory.engine.store.usages(memory_id, owner=found.scope.home(memory.project))
    return UsesPage(total=total, reads=reads)


_INDEXED: Final = frozenset(('status', 'kind', 'trust', 'agent_id', 'recorded_at', 'said_at', 'id'))
"""The fields that the listing's index holds."""


def _split(where: Filter | None) -> tuple[list[str] | None, Filter | None, Filter | None]:
    """The users that a filter names (None: anybody), what of it the listing's index tells, and the rest."""
    parts = where.parts if isinstance(where, All) else () if where is None else (where,)
    users: list[str] | None = None
    indexed: list[Filter] = []
    rest: list[Filter] = []
    for part in parts:
        if isinstance(part, Compare) and part.field.name == 'user_id' and part.op in ('eq', 'in'):
            named = [str(one) for one in part.value] if isinstance(part.value, tuple) else [str(part.value)]
            users = named if users is None else [one for one in users if one in named]
        elif _names(part) <= _INDEXED:
            indexed.append(part)
        else:
            rest.append(part)
    if users is not None and len(users) > MOST_PEOPLE:
        raise InvalidInput(
            f'user_id names {len(users):,} people, and a listing reads {MOST_PEOPLE} at most: name fewer'
        )
    return users, _all(indexed), _all(rest)


def _all(parts: Sequence[Filter]) -> Filter | None:
    return All(tuple(parts)) if parts else None


def _names(where: Filter) -> set[str]:
    match where:
        case Compare():
            return {where.field.name}
        case Not():
            return _names(where.part)
        case All() | Any_():
            return {name for part in where.parts for name in _names(part)}


def _reaches(memory: AsyncMemory, users: Sequence[str] | None) -> list[Reach] | None:
    """Of these users, as far as the view reaches; None: of the whole project."""
    bound = memory.bound_to
    if bound is None:
        return None if users is None else [Reach(Owner(memory.project, 'user', one)) for one in dict.fromkeys(users)]
    own = bound.reaches(memory.project)
    return own if users is None else [r for r in own if r.owner.kind == 'user' and r.owner.key in users]


def _whole(memory: AsyncMemory, what: str) -> None:
    if memory.bound_to is not None:
        raise InvalidScope(f'{what} is not for a view that is bound to a scope: use one of the project')


def _statuses(statuses: Sequence[str]) -> tuple[str, ...]:
    known = get_args(Status)
    if isinstance(statuses, str) or any(one not in known for one in statuses):
        raise InvalidInput(f'statuses={shown(statuses)}: pass some of {", ".join(known)}, or None for all')
    return tuple(dict.fromkeys(statuses))


def _sorted(sort: str) -> str:
    if sort not in get_args(Sort):
        raise InvalidInput(f'sort={shown(sort)} is unknown: use one of {", ".join(get_args(Sort))}')
    return sort


def _memory_id(cursor: str | None) -> str | None:
    if cursor is not None and not _ID.fullmatch(check_text('cursor', cursor, 64)):
        raise _foreign(cursor)
    return cursor


def _owner_after(cursor: str | None, kinds: Sequence[OwnerKind]) -> tuple[OwnerKind, str] | None:
    if cursor is None:
        return None
    kind, found, key = check_text('cursor', cursor, 512).partition(':')
    for known in kinds:
        if found and kind == known:
            return known, storable(key)
    raise _foreign(cursor)


def _slot_cursor(last: ContestedSlot) -> str:
    told = json.dumps([last.number, last.slot, last.run_id or ''], ensure_ascii=False)
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip('=')


def _slot_after(cursor: str | None) -> tuple[int, str, str] | None:
    if cursor is None:
        return None
    try:
        told = json.loads(base64.urlsafe_b64decode(check_text('cursor', cursor, 4_000).encode() + b'=='))
    except ValueError as error:
        raise _foreign(cursor) from error
    match told:
        case [int() as number, str() as slot, str() as run_key] if 0 <= number < 1 << 39:
            return number, storable(slot), storable(run_key)
        case _:
            raise _foreign(cursor)


def _foreign(cursor: str) -> InvalidInput:
    return InvalidInput(f'cursor={shown(cursor)} is not one that a page returned: pass page.cursor as it is')


async def _note(memory: AsyncMemory, read: Sequence[MemoryRecord]) -> None:
    reads = memory.engine.reads
    if reads is not None:
        from memoranda.consent.readlog import Reader

        await reads.note(Reader(memory.actor or 'caller', ''), 'browse', memories=iter(read), messages=iter(()))
