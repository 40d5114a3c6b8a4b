"""What a memory answers: searches, contexts, lists, histories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, cast, get_args

from memoranda._telemetry import traced
from memoranda.checks import Moments, as_moment, check_count, check_cursor, check_flag, check_slot
from memoranda.errors import InvalidInput, MemoryNotFound, shown
from memoranda.memory._base import BaseMemory
from memoranda.records import ChangePage, ContextBlock, HistoryEntry, Hits, MemoryRecord, Page, now
from memoranda.scope import Level
from memoranda.stores.data import EpisodePage, Moment

if TYPE_CHECKING:
    from pydantic import BaseModel

    from memoranda.filters import Filter
    from memoranda.profile import Profile
    from memoranda.recall.search import Strategy

__all__ = ['Reading']

Include: TypeAlias = Literal['memories', 'episodes']
ModelT = TypeVar('ModelT', bound='BaseModel')


class Reading(BaseMemory):
    """Search, list, look back."""

    @traced('search_memory')
    async def search(
        self,
        query: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        filters: Mapping[str, Any] | Filter | None = None,
        top_k: int = 5,
        min_score: float = 0.0,
        strategy: Strategy = 'hybrid',
        include: Sequence[Include] = ('memories',),
        levels: Sequence[Level] | None = None,
        as_of: Moments = None,
        known_at: Moments = None,
        explain: bool = False,
    ) -> Hits:
        """The memories that answer a question, best first.

        With `errors='degrade'`, nothing when the storage fails, and what keywords find when the embedder does; then
        `degraded` of the result says so.

        Args:
            query: A question or some words, in any language.
            user_id: Whose memories: all of that user's, whatever the conversation.
            agent_id: Also the agent's own.
            run_id: Of this user's run-level facts, only this conversation's. `session_id` is the same.
            app_id: Also the application's.
            session_id: See `run_id`.
            filters: What a hit must satisfy, such as `{'kind': 'preference'}` (docs/filters.md).
            top_k: How many, 1 to 1,000.
            min_score: 0..1; weaker hits are left out.
            strategy: `'hybrid'`, `'semantic'`, `'keyword'`, or `'recency'` (the latest first).
            include: `'memories'` (facts), `'episodes'` (passages of messages), or both in one list.
            levels: Only memories of these levels.
            as_of: What held then instead of now.
            known_at: What was believed then instead of now.
            explain: Give every part of each score in `hit.why`.

        Raises:
            InvalidInput: Something can't be used.
            EmbedderMismatch: The file was made with another embedder.
            StoreError: The storage fails, and `errors='raise'`; or it is not one of ours.
        """
        from memoranda.recall.search import SearchRequest, answer

        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        request = SearchRequest.checked(
            query=query,
            reaches=scope.reaches(self._project, levels=_levels(levels)),
            moment=_moment(as_of, known_at),
            include=include,
            top_k=top_k,
            strategy=strategy,
            filters=filters,
            min_score=min_score,
            explain=explain,
        )
        hits = await answer(self._engine, request)
        await self._note_read('search', [h.memory for h in hits], [h.episode for h in hits])
        return hits

    @traced('search_memory')
    async def context(
        self,
        query: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        max_tokens: int = 800,
        top_k: int = 12,
        filters: Mapping[str, Any] | Filter | None = None,
        include: Sequence[Include] = ('memories', 'episodes'),
        as_of: Moments = None,
        known_at: Moments = None,
        shared: bool = True,
    ) -> ContextBlock:
        """What an agent would be given for a question: standing instructions and profile, then what is relevant.

        Reads the user, this run, the agent, the app and the project's global memories; without a run, none of a run.
        The text is framed as data, dated, cited by short ids, and at most `max_tokens` long (50 or more, in o200k).
        Arguments are those of `search`; `shared=False` leaves out the project's global memories.
        """
        from memoranda.recall.block import build
        from memoranda.recall.search import SearchRequest

        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        request = SearchRequest.checked(
            query=query,
            # What holds in one conversation is not for another: without a run, no run is meant.
            reaches=[
                replace(r, runs=()) if r.owner.kind == 'user' and scope.run_id is None else r
                for r in scope.reaches(self._project, shared=check_flag('shared', shared))
            ],
            moment=_moment(as_of, known_at),
            include=include,
            top_k=top_k,
            filters=filters,
        )
        block = await build(self._engine, request, max_tokens=check_count('max_tokens', max_tokens, 50, 1_000_000))
        given = [*block.standing, *(h.memory for h in block.relevant)]
        await self._note_read('context', given, [h.episode for h in block.relevant])
        return block

    async def get(
        self,
        memory_id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> MemoryRecord:
        """One memory as it is now, superseded ones too.

        Raises:
            MemoryNotFound: It isn't in this scope, or was deleted.
        """
        found = await self._owned(memory_id, self._id_scope(user_id, agent_id, run_id, app_id, session_id))
        if found.status == 'retracted' and found.valid_to is None:
            raise MemoryNotFound(f'memory {memory_id!r} was deleted: its history is still there, history() tells it')
        await self._note_read('get', [found])
        return found

    async def get_slot(
        self,
        slot: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> MemoryRecord | None:
        """The current value of a slot, the most personal first (this run's before the user's); None when unknown."""
        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        found = await self._engine.store.by_slot(check_slot(slot), self._own_reaches(scope), now=now())
        await self._note_read('get_slot', found[:1])
        return found[0] if found else None

    async def get_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        filters: Mapping[str, Any] | Filter | None = None,
        limit: int = 100,
        cursor: str | None = None,
        levels: Sequence[Level] | None = None,
        include_inactive: bool = False,
        as_of: Moments = None,
        known_at: Moments = None,
    ) -> Page:
        """Memories in the order they were first recorded, a page at a time.

        Args:
            user_id: As in `search`.
            agent_id: As in `search`.
            run_id: As in `search`.
            app_id: As in `search`.
            session_id: As in `search`.
            filters: As in `search`.
            limit: How many, 1 to 1,000.
            cursor: `page.cursor` of the page before.
            levels: As in `search`.
            include_inactive: Superseded, retracted and expired ones too.
            as_of: As in `search`.
            known_at: As in `search`.
        """
        from memoranda.filters import parse

        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        found, after = await self._engine.store.page(
            scope.reaches(self._project, levels=_levels(levels)),
            where=parse(filters),
            moment=_moment(as_of, known_at),
            inactive=include_inactive,
            limit=check_count('limit', limit, 1, 1000),
            cursor=check_cursor(cursor),
        )
        await self._note_read('get_all', found)
        return Page(items=tuple(found), cursor=after)

    async def episodes(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> EpisodePage:
        """The verbatim messages, in the order they were recorded, a page at a time; of a run, those of that run."""
        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        reaches = scope.reaches(self._project)
        if scope.user_id is not None and scope.run_id is not None:
            reaches = [replace(r, own=False) if r.owner.kind == 'user' else r for r in reaches]
        page = await self._engine.store.episodes(
            reaches, limit=check_count('limit', limit, 1, 1000), cursor=check_cursor(cursor)
        )
        await self._note_read('episodes', (), page.items)
        return page

    async def history(
        self,
        memory_id: str | None = None,
        *,
        slot: str | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> list[HistoryEntry]:
        """What happened to a memory, or to everything a slot has held; oldest first.

        Args:
            memory_id: Which memory.
            slot: Instead of an id: all memories that ever were in this slot, within the scope.
            user_id: As in `get_all`.
            agent_id: As in `get_all`.
            run_id: As in `get_all`.
            app_id: As in `get_all`.
            session_id: See `run_id`.

        Raises:
            InvalidInput: Neither an id nor a slot, or both.
            MemoryNotFound: It isn't in this scope.
        """
        if (memory_id is None) == (slot is None):
            raise InvalidInput('history() needs a memory_id or a slot, and one of them only')
        if memory_id is not None:
            owned = await self._owned(memory_id, self._id_scope(user_id, agent_id, run_id, app_id, session_id))
            told = list(await self._engine.store.history(memory_id, project=self._project))
            await self._note_read('history', [owned])
            return told
        from memoranda.filters import parse

        reaches = self._scope(user_id, agent_id, run_id, app_id, session_id).reaches(self._project)
        found = await self._engine.store.every(
            reaches, where=parse({'slot': check_slot(slot)}), moment=_moment(None, None), inactive=True
        )
        entries = [e for m in found for e in await self._engine.store.history(m.id, project=self._project)]
        await self._note_read('history', found)
        return sorted(entries, key=lambda e: (e.at, e.seq))

    async def changes(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> ChangePage:
        """What was changed in a scope, latest first, a page at a time.

        Args:
            user_id: As in `get_all`.
            agent_id: As in `get_all`.
            run_id: As in `get_all`.
            app_id: As in `get_all`.
            session_id: See `run_id`.
            limit: How many, 1 to 1,000.
            cursor: `page.cursor` of the page before.
        """
        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        found, after = await self._engine.store.changes(
            scope.reaches(self._project), limit=check_count('limit', limit, 1, 1000), cursor=check_cursor(cursor)
        )
        await self._note_read('changes', [e.after for change in found for e in change.edits])
        return ChangePage(items=tuple(found), cursor=after)

    async def profile(
        self,
        model: type[ModelT],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        as_of: Moments = None,
        known_at: Moments = None,
    ) -> Profile[ModelT]:
        """A Pydantic model of yours, filled from the memories of a scope.

        Each field is a slot: the one its metadata names (`Annotated[str, Slot('home.city')]`), else one that its name
        stands for (`city` is `home.city`), else `profile.<field>`. Values are validated by the model. What is missing,
        doesn't fit or is contradicted is reported and never guessed.

        Args:
            model: A `pydantic.BaseModel` class.
            user_id: As in `search`.
            agent_id: As in `search`.
            run_id: As in `search`; this run's values come before the user's. Without one, no run is read.
            app_id: As in `search`.
            session_id: See `run_id`.
            as_of: As in `search`.
            known_at: As in `search`.

        Raises:
            InvalidInput: A field that can't be filled from text.
        """
        from memoranda.profile import read_profile

        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        profile = await read_profile(self._engine, model, self._own_reaches(scope), _moment(as_of, known_at))
        told = (*(m for f in profile.fields.values() for m in f.memories), *(v.memory for v in profile.invalid))
        await self._note_read('profile', (*told, *(m for found in profile.conflicts.values() for m in found)))
        return profile


def _levels(levels: object) -> tuple[Level, ...] | None:
    if levels is None:
        return None
    given = tuple(cast('Iterable[object]', levels)) if isinstance(levels, Sequence | set | frozenset) else ()
    if isinstance(levels, str) or not given or any(level not in get_args(Level) for level in given):
        raise InvalidInput(
            f'levels={shown(cast("object", levels))} is not a list of levels: use some of {", ".join(get_args(Level))}'
        )
    return cast('tuple[Level, ...]', given)


def _moment(as_of: Moments, known_at: Moments) -> Moment:
    return Moment(
        now=now(),
        as_of=None if as_of is None else as_moment(as_of, 'as_of'),
        known_at=None if known_at is None else as_moment(known_at, 'known_at'),
    )
