"""Lists over all shards: each gives its part in the order of the whole, and the parts are merged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar, cast

from memoranda.errors import InvalidInput
from memoranda.records import Change, Episode, HistoryEntry, Job, JobStatus, MemoryRecord
from memoranda.scope import Owner, OwnerKind, Reach
from memoranda.stores.data import EpisodePage, Moment, Pending
from memoranda.stores.figures import (
    MOST_COUNTED,
    Activity,
    BrowseAsked,
    Browsed,
    ContestedSlot,
    People,
    Usages,
    together,
)
from memoranda.stores.sharding.placement import place, shard_of_number
from memoranda.stores.sharding.routing import Routing

if TYPE_CHECKING:
    from memoranda.filters import Filter
    from memoranda.stores.aging import Aged, Aging
    from memoranda.stores.chains import Chain, ReadEntry, ReadNote, Visit, Walked
    from memoranda.stores.sql.store import SqlStore
    from memoranda.stores.subjects import Subject
    from memoranda.stores.trails import TrailAsked, TrailEntry

__all__ = ['ListingShards']

T = TypeVar('T')
_CURSOR = ':'
"""Between the number of a shard and the cursor inside it."""


class ListingShards(Routing):
    """What is asked page by page, and what is asked about one owner or message."""

    async def jobs(
        self,
        reaches: Sequence[Reach] | None,
        *,
        project: str,
        states: Sequence[JobStatus] | None,
        limit: int,
        cursor: str | None,
    ) -> tuple[Sequence[Job], str | None]:
        """Jobs within reach, latest first."""

        async def ask(shard: SqlStore, part: Sequence[Reach] | None) -> tuple[Sequence[Job], str | None]:
            return await shard.jobs(part, project=project, states=states, limit=limit, cursor=cursor)

        pages = await (self._everywhere(lambda s: ask(s, None)) if reaches is None else self._over(reaches, ask))
        return _merged(pages, limit, lambda job: job.id, lambda job: job.id, latest_first=True)

    async def unfinished(self, *, limit: int) -> Sequence[Owner]:
        """Owners that have jobs waiting, of each shard in turn."""
        parts = await self._anywhere(lambda shard: shard.unfinished(limit=limit))
        longest = max((len(part) for part in parts), default=0)
        return [part[i] for i in range(longest) for part in parts if i < len(part)][:limit]

    async def speakers(self, reaches: Sequence[Reach]) -> Sequence[str]:
        """The names that messages were said under."""
        parts = await self._over(reaches, lambda shard, part: shard.speakers(part))
        return list(dict.fromkeys(chain.from_iterable(parts)))

    async def by_slot(self, slot: str, reaches: Sequence[Reach], *, now: datetime) -> Sequence[MemoryRecord]:
        """The current memories with this slot, in the order of the reaches."""
        parts = await self._over(reaches, lambda shard, part: shard.by_slot(slot, part, now=now))
        owners = [reach.owner for reach in reaches]
        found = list(chain.from_iterable(parts))
        return sorted(found, key=lambda memory: owners.index(memory.scope.home(memory.project)))

    async def page(
        self,
        reaches: Sequence[Reach],
        *,
        where: Filter | None,
        moment: Moment,
        inactive: bool,
        limit: int,
        cursor: str | None,
        newest_first: bool = False,
    ) -> tuple[Sequence[MemoryRecord], str | None]:
        """Memories one by one."""

        async def ask(shard: SqlStore, part: Sequence[Reach]) -> tuple[Sequence[MemoryRecord], str | None]:
            return await shard.page(
                part,
                where=where,
                moment=moment,
                inactive=inactive,
                limit=limit,
                cursor=cursor,
                newest_first=newest_first,
            )

        pages = await self._over(reaches, ask)
        return _merged(pages, limit, lambda m: m.id, lambda m: m.id, latest_first=newest_first)

    async def episodes(self, reaches: Sequence[Reach], *, limit: int, cursor: str | None) -> EpisodePage:
        """Messages one by one, shard after shard. A cursor is a row key, which tells the shard."""
        found: list[Episode] = []
        parts = self._split(reaches)
        for number in sorted(parts):
            shard = await self._ready(number)
            page = await shard.episodes(parts[number], limit=limit - len(found), cursor=cursor)
            found += page.items
            if page.cursor is not None:
                return EpisodePage(items=tuple(found), cursor=page.cursor)
            if len(found) == limit and number != max(parts):
                return await self._full(found, parts, number, cursor)
        return EpisodePage(items=tuple(found), cursor=None)

    async def _full(
        self, found: Sequence[Episode], parts: dict[int, list[Reach]], number: int, cursor: str | None
    ) -> EpisodePage:
        """A page that is full at the end of a shard: whether others follow, and from where."""
        for later in sorted(n for n in parts if n > number):
            page = await (await self._ready(later)).episodes(parts[later], limit=1, cursor=cursor)
            if page.items:
                return EpisodePage(items=tuple(found), cursor=str((later << 56) - 1))
        return EpisodePage(items=tuple(found), cursor=None)

    async def versions(self, memory_id: str, *, project: str) -> Sequence[MemoryRecord]:
        """Every version of a memory."""

        async def ask(shard: SqlStore) -> Sequence[MemoryRecord] | None:
            return await shard.versions(memory_id, project=project) or None

        return await self._find(ask) or ()

    async def history(self, memory_id: str, *, project: str) -> Sequence[HistoryEntry]:
        """The audit entries of a memory."""

        async def ask(shard: SqlStore) -> Sequence[HistoryEntry] | None:
            return await shard.history(memory_id, project=project) or None

        return await self._find(ask) or []

    async def reviews(
        self,
        reaches: Sequence[Reach] | None,
        *,
        project: str,
        reasons: Sequence[str] | None,
        limit: int,
        cursor: str | None,
    ) -> tuple[Sequence[Pending], str | None]:
        """What waits for a person, in the order it was proposed."""

        async def ask(shard: SqlStore, part: Sequence[Reach] | None) -> tuple[Sequence[Pending], str | None]:
            return await shard.reviews(part, project=project, reasons=reasons, limit=limit, cursor=cursor)

        pages = await (self._everywhere(lambda s: ask(s, None)) if reaches is None else self._over(reaches, ask))
        # A shard may stop early, see `Store.reviews`: nothing behind the first place where one did is known to be next.
        ends = [end for _, end in pages if end is not None]
        items = sorted((p for page, _ in pages for p in page), key=lambda p: p.memory.id)
        if ends:
            items = [p for p in items if p.memory.id <= min(ends)]
        if len(items) > limit:
            return items[:limit], items[limit - 1].memory.id
        return items, min(ends) if ends else None

    async def review(self, memory_id: str, *, project: str) -> Pending | None:
        """A proposal, whatever became of it."""
        return await self._find(lambda shard: shard.review(memory_id, project=project))

    async def messages(self, ids: Sequence[str], *, owner: Owner, around: int = 0) -> Sequence[Episode]:
        """Messages of an owner by their ids."""
        return await (await self._of(owner)).messages(ids, owner=owner, around=around)

    async def chains(
        self, owners: Sequence[Owner] | None, *, project: str | None, limit: int, after: int = 0
    ) -> Sequence[Chain]:
        """The audit chains of these owners, or of a project. Numbers of owners tell the shard, so their order does."""
        if owners is None:
            pages = await self._everywhere(lambda s: s.chains(None, project=project, limit=limit, after=after))
        else:
            pages: list[Sequence[Chain]] = []
            for number in {place(owner, len(self._shards)) for owner in owners}:
                own = [owner for owner in owners if place(owner, len(self._shards)) == number]
                shard = await self._ready(number)
                pages.append(await shard.chains(own, project=project, limit=limit, after=after))
        return sorted(chain.from_iterable(pages), key=lambda c: c.number)[:limit]

    async def subjects(
        self,
        *,
        project: str,
        kinds: Sequence[OwnerKind],
        said_under: Mapping[str, str],
        limit: int,
        after: int = 0,
    ) -> Sequence[Subject]:
        """The owners of a project, counted. Numbers of owners tell the shard, so their order does."""
        pages = await self._everywhere(
            lambda s: s.subjects(project=project, kinds=kinds, said_under=said_under, limit=limit, after=after)
        )
        return sorted(chain.from_iterable(pages), key=lambda s: s.number)[:limit]

    async def subject_numbers(self, *, project: str, kinds: Sequence[OwnerKind], limit: int) -> Sequence[int]:
        """The numbers of the first owners that `subjects` lists."""
        pages = await self._everywhere(lambda s: s.subject_numbers(project=project, kinds=kinds, limit=limit))
        return sorted(chain.from_iterable(pages))[:limit]

    async def browse(self, asked: BrowseAsked) -> Browsed:
        """A slice of the memories of a project."""
        if asked.reaches is None:
            pages = await self._everywhere(lambda s: s.browse(asked))
        else:
            pages = await self._over(asked.reaches, lambda s, part: s.browse(replace(asked, reaches=part)))
        parts = [(page.items, page.cursor) for page in pages]
        items, cursor = _merged(parts, asked.size, lambda m: m.id, lambda m: m.id, latest_first=asked.newest_first)
        count = sum(page.count or 0 for page in pages) if asked.cursor is None else None
        more = any(page.more for page in pages) or (count or 0) > MOST_COUNTED
        return Browsed(
            items=tuple(items),
            cursor=cursor,
            count=None if count is None else min(count, MOST_COUNTED),
            more=more,
        )

    async def people(
        self,
        *,
        project: str,
        kinds: Sequence[OwnerKind],
        prefix: str,
        size: int,
        after: tuple[OwnerKind, str] | None,
    ) -> People:
        """Owners of a project by their ids."""
        pages = await self._everywhere(
            lambda s: s.people(project=project, kinds=kinds, prefix=prefix, size=size, after=after)
        )
        items, cursor = _merged(
            [(page.items, page.cursor) for page in pages],
            size,
            lambda one: (kinds.index(one.owner.kind), one.owner.key),
            lambda one: f'{one.owner.kind}:{one.owner.key}',
            latest_first=False,
        )
        count = sum(page.count or 0 for page in pages) if after is None else None
        more = any(page.more for page in pages) or (count or 0) > MOST_COUNTED
        return People(
            items=tuple(items), cursor=cursor, count=None if count is None else min(count, MOST_COUNTED), more=more
        )

    async def usages(self, memory_id: str, *, owner: Owner) -> Usages:
        """How often a memory was recalled."""
        return await (await self._of(owner)).usages(memory_id, owner=owner)

    async def activity(self, *, project: str, today: datetime, days: int) -> Activity:
        """What happened in a project on the last days."""
        return together(await self._everywhere(lambda s: s.activity(project=project, today=today, days=days)))

    async def conflicts(
        self,
        *,
        project: str,
        reaches: Sequence[Reach] | None,
        changes: int,
        size: int,
        after: tuple[int, str, str] | None,
    ) -> Sequence[ContestedSlot]:
        """Slots in trouble. Numbers of owners tell the shard, so their order does."""

        async def ask(shard: SqlStore, part: Sequence[Reach] | None) -> Sequence[ContestedSlot]:
            return await shard.conflicts(project=project, reaches=part, changes=changes, size=size, after=after)

        pages = await (self._everywhere(lambda s: ask(s, None)) if reaches is None else self._over(reaches, ask))
        found = sorted(chain.from_iterable(pages), key=lambda c: (c.number, c.slot, c.run_id or ''))
        return found[: size + 1]

    async def walk(self, chain: Chain, visit: Visit, *, after: int = 0, compare: bool = True) -> Walked | None:
        """Show the links of a chain."""
        number = min(shard_of_number(chain.number), len(self._shards) - 1)
        return await (await self._ready(number)).walk(chain, visit, after=after, compare=compare)

    async def note_reads(self, notes: Sequence[ReadNote]) -> int:
        """Append entries that tell of reads."""
        written = 0
        for number in {place(note.owner, len(self._shards)) for note in notes}:
            own = [note for note in notes if place(note.owner, len(self._shards)) == number]
            written += await (await self._ready(number)).note_reads(own)
        return written

    async def reads(
        self, reaches: Sequence[Reach] | None, *, project: str, memory_id: str | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[ReadEntry], str | None]:
        """Who read what, latest first."""

        async def ask(shard: SqlStore, part: Sequence[Reach] | None) -> tuple[Sequence[ReadEntry], str | None]:
            return await shard.reads(part, project=project, memory_id=memory_id, limit=limit, cursor=cursor)

        pages = await (self._everywhere(lambda s: ask(s, None)) if reaches is None else self._over(reaches, ask))
        return _merged(pages, limit, lambda e: e.id, lambda e: e.id, latest_first=True)

    async def trail(self, asked: TrailAsked) -> tuple[Sequence[TrailEntry], str | None]:
        """Entries of audit chains, latest first."""
        if asked.owner is not None:
            return await (await self._of(asked.owner)).trail(asked)
        pages = await self._everywhere(lambda s: s.trail(asked))
        found = sorted((e for page, _ in pages for e in page), key=lambda e: e.place, reverse=True)
        # A shard may stop early: nothing behind the first place where one did is known to be next.
        ends = [cast('tuple[int, int]', tuple(map(int, end.split('.')))) for _, end in pages if end is not None]
        if ends:
            found = [e for e in found if e.place >= max(ends)]
        if len(found) > asked.limit:
            return found[: asked.limit], found[asked.limit - 1].cursor
        return found, '{}.{}'.format(*max(ends)) if ends else None

    async def changes(
        self, reaches: Sequence[Reach], *, limit: int, cursor: str | None
    ) -> tuple[Sequence[Change], str | None]:
        """What was changed within reach, latest first."""
        pages = await self._over(reaches, lambda shard, part: shard.changes(part, limit=limit, cursor=cursor))
        return _merged(pages, limit, lambda c: c.id, lambda c: c.id, latest_first=True)

    async def aging_owners(
        self, *, project: str | None, before: datetime, after: str | None, limit: int
    ) -> tuple[Sequence[Owner], str | None]:
        """Owners of whom something is old, shard after shard."""
        number, inside = 0, None
        if after is not None:
            head, _, inside = after.partition(_CURSOR)
            if not head.isdecimal():
                raise InvalidInput(f'after={after!r} is not what a page returned: pass it as it is')
            number = int(head)
        found: list[Owner] = []
        while number < len(self._shards) and len(found) < limit:
            shard = await self._ready(number)
            owners, rest = await shard.aging_owners(
                project=project, before=before, after=inside or None, limit=limit - len(found)
            )
            found += owners
            if rest is not None:
                return found, f'{number}{_CURSOR}{rest}'
            number, inside = number + 1, None
        return found, f'{number}{_CURSOR}' if number < len(self._shards) else None

    async def idle_runs(self, owner: Owner, *, before: datetime) -> Sequence[str]:
        """Conversations in which nothing was stored since a moment."""
        return await (await self._of(owner)).idle_runs(owner, before=before)

    async def aged(self, owner: Owner, aging: Aging, *, limit: int) -> Aged:
        """What `erase_aged` would erase."""
        return await (await self._of(owner)).aged(owner, aging, limit=limit)

    async def erase_aged(self, owner: Owner, aging: Aging, *, limit: int) -> Aged:
        """Erase so many old messages."""
        return await (await self._of(owner)).erase_aged(owner, aging, limit=limit)


def _merged(
    pages: Sequence[tuple[Sequence[T], str | None]],
    limit: int,
    order: Callable[[T], Any],
    cursor: Callable[[T], str],
    *,
    latest_first: bool,
) -> tuple[list[T], str | None]:
    """The first items of all pages together. Each page is full when more follow in its shard."""
    items = sorted((item for page, _ in pages for item in page), key=order, reverse=latest_first)
    more = len(items) > limit or any(end is not None for _, end in pages)
    return items[:limit], cursor(items[limit - 1]) if more and len(items) >= limit else None
