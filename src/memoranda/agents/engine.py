"""`MemorandaProvider`: our engine behind the provider protocol."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from memoranda._sync import Memory
from memoranda.agents._backend import note
from memoranda.agents._engine_memories import fact_of, retrieved, stored, where, without_told
from memoranda.agents._providing import (
    as_list,
    best_of,
    by_relevance_and_age,
    check_config,
    check_errors,
    forgiving,
    parts_of,
)
from memoranda.agents.provider import (
    BaseMemoryProvider,
    Errors,
    MemoryConfig,
    MemoryScope,
    RetrievalStrategy,
    RetrievedMemory,
    StoredMemory,
)
from memoranda.checks import check_count
from memoranda.client import AsyncClient, Client
from memoranda.errors import ConfigurationError, InvalidInput, InvalidScope, MemoryNotFound, shown, what_is
from memoranda.memory import AsyncMemory
from memoranda.records import MemoryRecord, Trust
from memoranda.scope import Scope, check_scope

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from pydantic_ai.messages import ModelMessage

    from memoranda.filters import Filter
    from memoranda.policy import Policy
    from memoranda.records import ContextBlock

__all__ = ['MemorandaProvider']

OVERFETCH: Final = 3
"""How many times the `top_k` are read where more is left out, or put in another order, afterwards."""
_PAGE: Final = 1_000


class MemorandaProvider(BaseMemoryProvider):
    """A memory of memoranda, as a provider: facts, and passages of messages that no fact was drawn from.

    A bound view: it never leaves its project, and with `scope` never that scope, by-id calls included.

    Args:
        memory: An `AsyncMemory`, a `Memory` or a client of a server, whose views keep the scope they are bound to; or
            the path of a database, as for `AsyncMemory`, which `async with provider` or `aclose()` closes again.
        project: The tenant; by default the memory's.
        scope: Ids that hold in every call. Others narrow it further; another value is refused. With `Scope.GLOBAL` the
            provider is for memories under no id.
        config: For calls of its methods: `retrieval_strategy`, `min_relevance_score`, `metadata`, and with the scope
            `global` calls without an id. In runs of an agent the config of `LongTermMemory` counts instead.
        errors: `'raise'`, or `'ignore'` to find nothing when something fails.

    Raises:
        ConfigurationError: Something that can't be used.
        InvalidScope: A scope outside the one the memory is bound to.
    """

    def __init__(
        self,
        memory: AsyncMemory | Memory | AsyncClient | Client | str | os.PathLike[str] | None = None,
        *,
        project: str | None = None,
        scope: Scope | None = None,
        config: MemoryConfig | None = None,
        errors: Errors = 'raise',
    ) -> None:
        self.config = MemoryConfig() if config is None else check_config(config)
        self.errors = check_errors(errors)
        given = memory.aio if isinstance(memory, Memory | Client) else memory
        self._owns = not isinstance(given, AsyncMemory | AsyncClient)
        made = _memory(given, project)
        self.memory = made
        """The memory it works on."""
        held = cast('Scope | None', getattr(made, '_bound', None))
        self.scope = held if scope is None else _within(check_scope(scope), held)
        """The ids that hold in every call; None when each call gives its own."""

    def bound(self, scope: Scope) -> Self:
        """The same provider, for one scope only."""
        view = self._view()
        view.scope = _within(check_scope(scope), self.scope)
        return view

    def configured(self, config: MemoryConfig) -> Self:
        """The same provider, with another config."""
        view = self._view()
        view.config = check_config(config)
        return view

    def _view(self) -> Self:
        view = object.__new__(type(self))
        vars(view).update(vars(self))
        view._owns = False
        return view

    async def __aenter__(self) -> Self:
        if self._owns:
            await self.memory.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._owns:
            await self.memory.__aexit__(kind, error, trace)

    async def aclose(self) -> None:
        """Close the database that it has opened itself; a memory that was given stays open."""
        if self._owns:
            await self.memory.close()

    @forgiving(list[RetrievedMemory])
    async def retrieve_memories(
        self,
        query: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        top_k: int = 5,
        metadata: dict[str, Any] | None = None,
        also_run_id: str | None = None,
    ) -> list[RetrievedMemory]:
        """What is known that answers a question, best first.

        Args:
            query: A question or some words, in any language.
            user_id: Whose.
            agent_id: Told to which agent.
            run_id: Told in which conversation. Without it, what holds in one conversation only is not found.
            top_k: The most to return, 1 to 1,000.
            metadata: What their metadata must hold: equal values, also inside objects.
            also_run_id: A conversation of the user. What holds in it only is found too, and nothing else is left out.

        Raises:
            InvalidInput: Something can't be used; without any id `InvalidScope`.
            StoreError: The storage fails.
        """
        scope = self._narrowed(user_id, agent_id, run_id)
        check_count('top_k', top_k, 1, _PAGE)
        readable = scope
        if also_run_id is not None and scope.user_id is not None and scope.run_id is None:
            readable = Scope(user_id=scope.user_id, run_id=also_run_id)
        ask = partial(self._ask, readable, where(scope, self._stamp(metadata)), top_k)
        found = await ask(query)
        if self.config.min_relevance_score and self.config.retrieval_strategy is not RetrievalStrategy.RECENCY:
            found = without_told(best_of([found, *[await ask(part) for part in parts_of(query)]]))
        if self.config.retrieval_strategy is RetrievalStrategy.HYBRID:
            found = by_relevance_and_age(found)
        return found[:top_k]

    async def _ask(self, scope: Scope, narrowed: Filter | None, top_k: int, query: str) -> list[RetrievedMemory]:
        latest = self.config.retrieval_strategy is RetrievalStrategy.RECENCY
        search = partial(
            self._home(scope).search,
            query,
            filters=narrowed,
            # By words as well as by meaning: that is what finds a name. Recency has next to no part in it.
            strategy='recency' if latest else 'hybrid',
            levels=('user',) if scope.user_id is not None and scope.run_id is None else None,
            min_score=0.0 if latest else self.config.min_relevance_score,
        )
        # Asked for in one list, a passage may stand in for the fact that was drawn from it.
        many = min(top_k * OVERFETCH, _PAGE)
        facts = await search(top_k=many if self.config.retrieval_strategy is RetrievalStrategy.HYBRID else top_k)
        passages = await search(top_k=many, include=('episodes',))
        return retrieved(facts, passages, scored=not latest, policy=await _policy(self.memory))

    async def standing(
        self,
        query: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        also_run_id: str | None = None,
        max_tokens: int = 800,
    ) -> ContextBlock:
        """What holds whatever the question is (wishes, allergies, the profile), as `AsyncMemory.context` tells it.

        Its `standing` may hold what others share with this owner: see `MemoryRecord.level`.

        Raises:
            InvalidScope: Without any id.
        """
        scope = self._narrowed(user_id, agent_id, run_id)
        if also_run_id is not None and scope.user_id is not None and scope.run_id is None:
            scope = Scope(user_id=scope.user_id, run_id=also_run_id)
        return await self._home(scope).context(query, top_k=1, max_tokens=max_tokens, include=('memories',))

    @forgiving(list[StoredMemory])
    async def store_memories(
        self,
        messages: Sequence[ModelMessage | Mapping[str, Any] | str] | Mapping[str, Any] | str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        background: bool = False,
        idempotency_key: str | None = None,
    ) -> list[StoredMemory]:
        """Remember what was said. Messages that are known already, such as those of an earlier turn, change nothing.

        Args:
            messages: Those of a run (`result.all_messages()`); dicts with `role` and `content`, and text, do as well;
                also a single one.
            user_id: By whom.
            agent_id: To which agent.
            run_id: In which conversation.
            metadata: Kept with messages and facts.
            background: Return when the messages are stored; facts are drawn from them later.
            idempotency_key: As in `AsyncMemory.add`.

        Returns:
            What became known or was changed by them; nothing with `background`.

        Raises:
            InvalidInput: Something can't be used; without any id `InvalidScope`.
            ProcessingFailed: The messages are stored, drawing facts from them failed and is tried again later.
            StoreError: The storage fails.
        """
        scope = self._narrowed(user_id, agent_id, run_id)
        if not messages:
            return []
        result = await self.memory.scoped(scope).add(
            as_list(messages),
            metadata=self._stamp(metadata),
            background=background,
            idempotency_key=idempotency_key,
        )
        return [stored(edit) for edit in result.changes]

    async def store_fact(
        self,
        fact: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        here: bool = False,
        idempotency_key: str | None = None,
        trust: Trust | None = None,
    ) -> bool:
        """Remember a sentence as it is.

        Args:
            fact: The sentence.
            user_id: Whose.
            agent_id: Told to which agent.
            run_id: Told in which conversation.
            metadata: Kept with it.
            here: It holds in this conversation only.
            idempotency_key: As in `AsyncMemory.add`.
            trust: As in `AsyncMemory.add`.

        Returns:
            Whether it is stored durably; False when it is kept until it can be.
        """
        scope = self._narrowed(user_id, agent_id, run_id)
        receipt = await self.memory.scoped(scope).add(
            fact if trust is None else note(fact, trust),
            infer=False,
            level='run' if here and scope.user_id is not None and scope.run_id is not None else None,
            metadata=self._stamp(metadata),
            background=True,
            idempotency_key=idempotency_key,
            trust=trust,
        )
        return receipt.status != 'unsaved'

    def _stamp(self, metadata: object) -> dict[str, Any]:
        """What a call gave, on top of what is the same in all of them."""
        if metadata is not None and not isinstance(metadata, Mapping):
            raise InvalidInput(f'metadata={shown(metadata)} is {what_is(metadata)}: pass a dict of JSON values')
        return {**self.config.metadata, **cast('Mapping[str, Any]', metadata or {})}

    @forgiving(list[RetrievedMemory])
    async def get_all_memories(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        limit: int | None = None,
    ) -> list[RetrievedMemory]:
        """All facts, in the order they were first recorded; those of single conversations too.

        Args:
            user_id: Whose.
            agent_id: Told to which agent.
            run_id: Told in which conversation.
            limit: The most to return; None for all.
        """
        scope = self._narrowed(user_id, agent_id, run_id)
        if limit is not None:
            check_count('limit', limit, 1, 1_000_000)
        found: list[RetrievedMemory] = []
        cursor: str | None = None
        while limit is None or len(found) < limit:
            page = await self._home(scope).get_all(
                filters=where(scope, self.config.metadata),
                limit=_PAGE if limit is None else min(limit - len(found), _PAGE),
                cursor=cursor,
            )
            found += [fact_of(memory, 1.0) for memory in page]
            cursor = page.cursor
            if cursor is None:
                break
        return found

    @forgiving(bool)
    async def delete_memory(self, memory_id: str) -> bool:
        """Retract a fact: it is no longer found, nor are the messages it was drawn from.

        Returns:
            False when there is none with this id, in the project or the scope it is bound to, and for a passage.
        """
        view = self.memory.project_wide()
        try:
            if self.scope is not None and not _is_of(await view.get(memory_id), self.scope):
                return False
            await view.delete(memory_id)
        except MemoryNotFound:
            return False
        return True

    def _narrowed(self, user_id: str | None, agent_id: str | None, run_id: str | None) -> Scope:
        given = Scope(user_id=user_id, agent_id=agent_id, run_id=run_id)
        if self.scope is not None:
            return _within(given, self.scope)
        if given.is_global and self.config.scope is not MemoryScope.GLOBAL:
            raise InvalidScope(
                'no id was given: pass user_id=..., or make the provider with scope=Scope.GLOBAL for shared memories'
            )
        return given

    def _home(self, scope: Scope) -> AsyncMemory:
        """A view of the one owner that a scope stores under; the ids beside it only narrow."""
        kind = scope.home_level
        ids: dict[str, Scope] = {
            'user': Scope(user_id=scope.user_id, run_id=scope.run_id),
            'run': Scope(run_id=scope.run_id),
            'agent': Scope(agent_id=scope.agent_id),
            'app': Scope(app_id=scope.app_id),
        }
        return self.memory.scoped(ids.get(kind, Scope.GLOBAL))


def _memory(given: AsyncMemory | AsyncClient | str | os.PathLike[str] | None, project: str | None) -> AsyncMemory:
    """What was given, in a project."""
    if isinstance(given, AsyncClient):
        if project is not None:
            raise ConfigurationError(f'project={project!r}, and on a server the API key decides that: leave it out')
        return cast('AsyncMemory', given)
    if isinstance(given, AsyncMemory):
        return given if project is None else given.in_project(project)
    return AsyncMemory(given, project=project)


async def _policy(memory: AsyncMemory) -> Policy:
    """What a prompt may show."""
    view = cast('AsyncMemory | AsyncClient', memory)
    return (await view.rules()).policy if isinstance(view, AsyncClient) else view.engine.policy


def _within(given: Scope, bound: Scope | None) -> Scope:
    """Both together.

    Raises:
        InvalidScope: An id that is another one than the scope is bound to, or any with `Scope.GLOBAL`.
    """
    if bound is None:
        return given
    ids: dict[str, str | None] = {}
    for name in ('user_id', 'agent_id', 'run_id', 'app_id'):
        held, asked = cast('str | None', getattr(bound, name)), cast('str | None', getattr(given, name))
        if asked is not None and (bound.is_global or (held is not None and held != asked)):
            raise InvalidScope(
                f'{name}={asked!r} is outside the scope this provider is bound to: leave it out, or use another one'
            )
        ids[name] = held if held is not None else asked
    return Scope(**ids)


def _is_of(memory: MemoryRecord, scope: Scope) -> bool:
    """Whether a provider that is bound to a scope may find a memory."""
    if scope.is_global:
        return memory.level == 'global'
    # Whose it is decides, not who told it: what an agent learnt from a user is the agent's.
    if scope.user_id is not None and memory.scope.user_id != scope.user_id:
        return False
    said = memory.said_under
    asked = ((scope.run_id, said.run_id), (scope.agent_id, said.agent_id), (scope.app_id, said.app_id))
    return all(held is None or held == other for held, other in asked)
