"""Recalling and looking up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from memoranda.checks import check_slot
from memoranda.client._asking import filters_told, ids_told, json_of, listed, moment, question
from memoranda.client._base import BaseClient, quoted
from memoranda.client._http import Ask
from memoranda.errors import InvalidInput, MemoryNotFound
from memoranda.records import ChangePage, ContextBlock, HistoryEntry, Hits, MemoryRecord, Page

if TYPE_CHECKING:
    from pydantic import BaseModel

    from memoranda.client._rules import Rules
    from memoranda.filters import Filter
    from memoranda.profile import Profile
    from memoranda.recall.search import Strategy
    from memoranda.scope import Level, Scope
    from memoranda.stores.data import EpisodePage

__all__ = ['Reading']

Moments = datetime | str | float | None
Include = Literal['memories', 'episodes']
ModelT = TypeVar('ModelT', bound='BaseModel')
_PAGE = 1000


class Reading(BaseClient):
    """What reads."""

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
        """See `AsyncMemory.search`. Without the server, with `errors='degrade'`, it finds nothing and says so."""
        from memoranda.client._records import hits
        from memoranda.server.native import models

        body = {
            **ids_told(self._scope(user_id, agent_id, run_id, app_id, session_id)),
            'query': question(query),
            'filters': filters_told(filters),
            'top_k': top_k,
            'min_score': min_score,
            'strategy': strategy,
            'include': listed(include),
            'levels': listed(levels),
            'as_of': moment('as_of', as_of),
            'known_at': moment('known_at', known_at),
            'explain': explain,
        }
        answer, degraded = await self._patiently(Ask('POST', '/v1/search', body=json_of(body), again=True))
        return Hits(degraded=degraded) if answer is None else hits(self._read(models.SearchHits, answer))

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
    ) -> ContextBlock:
        """See `AsyncMemory.context`. Without the server, with `errors='degrade'`, it is empty and says so."""
        from memoranda.client._records import record
        from memoranda.server.native import models

        body = {
            **ids_told(self._scope(user_id, agent_id, run_id, app_id, session_id)),
            'query': question(query),
            'filters': filters_told(filters),
            'max_tokens': max_tokens,
            'top_k': top_k,
            'include': listed(include),
            'as_of': moment('as_of', as_of),
            'known_at': moment('known_at', known_at),
        }
        answer, degraded = await self._patiently(Ask('POST', '/v1/context', body=json_of(body), again=True))
        if answer is None:
            return ContextBlock(text='', tokens=0, degraded=degraded)
        return record(self._read(models.Context, answer))

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
        """See `AsyncMemory.get`."""
        from memoranda.client._records import record
        from memoranda.server.native import models

        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        return record(await self._get(models.Memory, f'/v1/memories/{quoted("memory_id", memory_id)}', scope))

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
        """See `AsyncMemory.get_slot`."""
        from memoranda.client._records import record
        from memoranda.server.native import models

        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        try:
            return record(await self._get(models.Memory, f'/v1/slots/{quoted("slot", check_slot(slot))}', scope))
        except MemoryNotFound:
            return None

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
        """See `AsyncMemory.get_all`."""
        from memoranda.client._records import page
        from memoranda.server.native import models

        told = filters_told(filters)
        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        return page(
            await self._get(
                models.MemoryPage,
                '/v1/memories',
                scope,
                filters=None if not told else json_of(told).decode('ascii'),
                limit=limit,
                cursor=cursor,
                levels=listed(levels),
                include_inactive=include_inactive,
                as_of=moment('as_of', as_of),
                known_at=moment('known_at', known_at),
            )
        )

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
        """See `AsyncMemory.episodes`."""
        from memoranda.client._records import page
        from memoranda.server.native import models

        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        return page(await self._get(models.EpisodePage, '/v1/episodes', scope, limit=limit, cursor=cursor))

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
        """See `AsyncMemory.history`."""
        from memoranda.client._records import record
        from memoranda.server.native import models

        if (memory_id is None) == (slot is None):
            raise InvalidInput('history() needs a memory_id or a slot, and one of them only')
        if memory_id is not None:
            scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
            path = f'/v1/memories/{quoted("memory_id", memory_id)}/history'
        else:
            scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
            path = f'/v1/slots/{quoted("slot", check_slot(slot))}/history'
        told = await self._get(models.History, path, scope)
        return [record(entry) for entry in told.items]

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
        """See `AsyncMemory.changes`."""
        from memoranda.client._records import page
        from memoranda.server.native import models

        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        return page(await self._get(models.ChangePage, '/v1/changes', scope, limit=limit, cursor=cursor))

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
        """See `AsyncMemory.profile`. The model is filled here: the server is asked for the memories of its slots."""
        from memoranda.profile import fill

        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        return await fill(model, lambda where: self._every(scope, where, as_of, known_at))

    async def _every(
        self, scope: Scope, where: Mapping[str, Any], as_of: Moments, known_at: Moments
    ) -> list[MemoryRecord]:
        """All that match; without a run none of what holds in one conversation."""
        view = self.scoped(scope)
        own = scope.user_id is None or scope.run_id is not None
        found: list[MemoryRecord] = []
        cursor: str | None = None
        while True:
            page = await view.get_all(
                filters=where,
                levels=None if own else ('user', 'agent', 'app', 'global'),
                as_of=as_of,
                known_at=known_at,
                limit=_PAGE,
                cursor=cursor,
            )
            found += page.items
            cursor = page.cursor
            if cursor is None:
                return found

    async def project_name(self) -> str:
        """The project that the key is for: what `AsyncMemory.project` is."""
        from memoranda.server.native import models

        return (await self._get(models.Me, '/v1/me', None)).project

    async def rules(self) -> Rules:
        """What an agent has to know of the server's settings, asked for once. For adapters; may change."""
        from memoranda.client._rules import Rules
        from memoranda.server.native import models

        if self._shared.rules is None:
            self._shared.rules = Rules.of(await self._get(models.Me, '/v1/me', None))
        return self._shared.rules

    async def known_rules(self) -> Rules:
        """The same, or what is so by default while the server can't be asked."""
        from memoranda.client._rules import Rules
        from memoranda.server.native import models

        if self._shared.rules is None:
            answer, _ = await self._patiently(Ask('GET', '/v1/me', again=True))
            if answer is None:
                return Rules.default()
            self._shared.rules = Rules.of(self._read(models.Me, answer))
        return self._shared.rules
