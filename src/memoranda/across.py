"""Reading several owners at once, for surfaces that ask a whole project: by pages with numbers, and in one ranking.

Each function takes a view of a memory and stays in its project; a view that is bound to a scope reads that scope only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, get_args

from memoranda.browsing import ConflictPage, UsesPage, activity, browse, conflicts, people, uses
from memoranda.checks import check_count
from memoranda.errors import InvalidInput, InvalidScope
from memoranda.records import Hits, MemoryRecord, now
from memoranda.scope import Owner, OwnerKind, Reach
from memoranda.stores.data import Moment

if TYPE_CHECKING:
    from memoranda.filters import Filter
    from memoranda.memory import AsyncMemory
    from memoranda.stores.subjects import Subject

__all__ = [
    'MOST_LISTED',
    'MOST_SEARCHED',
    'ConflictPage',
    'NumberedPage',
    'SubjectPage',
    'UsesPage',
    'activity',
    'browse',
    'conflicts',
    'numbered_page',
    'owners_under',
    'people',
    'search',
    'subject_page',
    'subjects',
    'uses',
]

KINDS: Final[tuple[OwnerKind, ...]] = get_args(OwnerKind)
MOST_LISTED: Final = 1_000
"""Owners that one listing reads."""
MOST_SEARCHED: Final = 100
"""Owners that one search ranks together."""
MOST_COUNTED: Final = 50_000
"""Memories that are passed over or counted for a page with a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedPage:
    """A slice of a listing that is asked for by its number, latest first."""

    items: tuple[MemoryRecord, ...]
    count: int
    """How many there are in all; with `more`, at least so many."""
    more: bool
    """Whether it was not counted to the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectPage:
    """A slice of a listing of owners that is asked for by its place."""

    items: tuple[Subject, ...]
    count: int
    """How many there are in all, counted up to the most that was asked for."""


async def subjects(
    memory: AsyncMemory,
    *,
    kinds: Sequence[OwnerKind] = ('user', 'agent', 'app', 'run'),
    said_under: Mapping[str, str] | None = None,
    limit: int = 100,
    after: int = 0,
) -> Sequence[Subject]:
    """Whom the project of a view remembers something of, in the order of first use.

    Args:
        memory: A project-wide view.
        kinds: Which sorts of owner.
        said_under: Only those with memories said under these (`run_id`, `agent_id`, `app_id`).
        limit: How many, 1 to 1,001.
        after: Only those behind this number.

    Raises:
        InvalidScope: The view is bound to a scope.
    """
    _unbound(memory)
    return await memory.engine.store.subjects(
        project=memory.project,
        kinds=kinds,
        said_under=said_under or {},
        limit=check_count('limit', limit, 1, MOST_LISTED + 1),
        after=after,
    )


async def subject_page(
    memory: AsyncMemory,
    *,
    kinds: Sequence[OwnerKind] = ('user', 'agent', 'app', 'run'),
    start: int,
    size: int,
    most: int,
) -> SubjectPage:
    """Whom the project of a view remembers something of, from one place of the listing on.

    Memories are counted of those on the page only.

    Args:
        memory: A project-wide view.
        kinds: Which sorts of owner.
        start: How many are passed over.
        size: How many are listed.
        most: How many can be reached and are counted.

    Raises:
        InvalidScope: The view is bound to a scope.
    """
    _unbound(memory)
    numbers = await memory.engine.store.subject_numbers(project=memory.project, kinds=kinds, limit=most)
    page = numbers[start : start + size]
    found: list[Subject] = []
    for first in range(0, len(page), MOST_LISTED):
        part = page[first : first + MOST_LISTED]
        told = await subjects(memory, kinds=kinds, limit=len(part), after=part[0] - 1)
        found += [one for one in told if one.number <= part[-1]]  # some may have gone meanwhile
    return SubjectPage(items=tuple(found), count=len(numbers))


def _unbound(memory: AsyncMemory) -> None:
    if memory.bound_to is not None:
        raise InvalidScope('who else there is, is not for a view that is bound to a scope: use one of the project')


async def owners_under(memory: AsyncMemory, said_under: Mapping[str, str], *, most: int) -> list[Owner]:
    """Everybody of whom something was said under a run, an agent or an app; without any, everybody.

    Args:
        memory: A project-wide view.
        said_under: `run_id`, `agent_id`, `app_id`.
        most: How many may be read together.

    Raises:
        InvalidInput: More than `most`.
    """
    found = await subjects(memory, kinds=KINDS, said_under=said_under, limit=most + 1)
    if len(found) > most:
        named = ', '.join(said_under) or 'no id'
        raise InvalidInput(
            f'the filter names {named} and no user_id, and more than {most:,} users have memories like that: name the '
            'user_id'
        )
    return [one.owner for one in found]


async def numbered_page(
    memory: AsyncMemory,
    owners: Sequence[Owner],
    *,
    where: Filter | None,
    number: int,
    size: int,
    inactive: bool = False,
    known_at: datetime | None = None,
) -> NumberedPage:
    """One page of the memories of some owners, latest first, with how many there are.

    Args:
        memory: Any view of the project.
        owners: Whose.
        where: Which.
        number: From 1.
        size: Memories of a page.
        inactive: Whether superseded, retracted and expired ones are among them.
        known_at: What was believed then instead of now.

    Raises:
        InvalidInput: The page begins behind the first 50,000.
    """
    reaches = _reaches(memory, owners)
    start = (number - 1) * size
    if start >= MOST_COUNTED:
        raise InvalidInput(
            f'page {number:,} begins behind the first {MOST_COUNTED:,} memories: narrow the listing by a filter'
        )
    if not reaches:
        return NumberedPage(items=(), count=0, more=False)
    found, count, all_ = await memory.engine.store.numbered(
        reaches,
        where=where,
        moment=Moment(now=now(), known_at=known_at),
        inactive=inactive,
        start=start,
        size=size,
        most=MOST_COUNTED,
    )
    await _note(memory, 'get_all', found)
    return NumberedPage(items=tuple(found), count=count, more=not all_)


async def search(
    memory: AsyncMemory,
    query: str,
    owners: Sequence[Owner],
    *,
    where: Filter | None,
    top_k: int,
    min_score: float,
    as_of: datetime | None = None,
) -> Hits:
    """The memories of some owners that answer a question, in one ranking, with every part of each score.

    Args:
        memory: Any view of the project.
        query: The question.
        owners: Whose, at most 100.
        where: Which.
        top_k: How many, 1 to 1,000.
        min_score: 0..1
        as_of: What held then instead of now.

    Raises:
        InvalidInput: Something can't be used.
    """
    from memoranda.recall.search import SearchRequest, answer

    request = SearchRequest.checked(
        query=query,
        reaches=_reaches(memory, owners),
        moment=Moment(now=now(), as_of=as_of),
        include=('memories',),
        top_k=top_k,
        filters=where,
        min_score=min_score,
        explain=True,
    )
    if not request.reaches:
        return Hits()
    hits = await answer(memory.engine, request)
    await _note(memory, 'search', [hit.memory for hit in hits if hit.memory is not None])
    return hits


def _reaches(memory: AsyncMemory, owners: Sequence[Owner]) -> list[Reach]:
    """All of these owners, as far as the view reaches.

    Raises:
        InvalidScope: One of them is outside.
    """
    if any(owner.project != memory.project for owner in owners):
        raise InvalidScope('an owner of another project is named: use a view of that project')
    bound = memory.bound_to
    if bound is None:
        return [Reach(owner) for owner in dict.fromkeys(owners)]
    own = {reach.owner: reach for reach in bound.reaches(memory.project)}
    if any(owner not in own for owner in owners):
        raise InvalidScope('somebody is named who is outside the scope this memory is bound to: leave the id out')
    return [own[owner] for owner in dict.fromkeys(owners)]


async def _note(memory: AsyncMemory, purpose: str, read: Sequence[MemoryRecord]) -> None:
    reads = memory.engine.reads
    if reads is not None:
        from memoranda.consent.readlog import Reader

        await reads.note(Reader(memory.actor or 'caller', ''), purpose, memories=iter(read), messages=iter(()))
