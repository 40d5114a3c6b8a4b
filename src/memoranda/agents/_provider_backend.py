"""What the capability needs of a memory, given by any provider under a `MemoryConfig`."""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, cast

import anyio
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart

from memoranda._breaker import Breaker
from memoranda.agents._backend import (
    LEAD_TOKENS,
    TELLING_CHARS,
    Line,
    Recalled,
    Said,
    as_dict,
    fact_line,
    shortened,
    standing_lines,
)
from memoranda.agents._engine_memories import EngineMemory
from memoranda.agents._providing import as_score, by_relevance_and_age, moment_of, raising
from memoranda.agents._waiting import Waiting
from memoranda.agents.engine import MemorandaProvider
from memoranda.agents.provider import (
    MemoryConfig,
    MemoryProvider,
    MemoryScope,
    RetrievalStrategy,
    RetrievedMemory,
)
from memoranda.errors import (
    ConfigurationError,
    InvalidInput,
    InvalidScope,
    MemoryNotFound,
    StoreError,
    StoreUnreachable,
    shown,
    what_is,
)
from memoranda.recall.block import count_tokens, short_id
from memoranda.records import Trust
from memoranda.scope import Scope

__all__ = ['ProviderBackend']

log = logging.getLogger('memoranda')

MAX_LISTED: Final = 1_000
"""Memories that a provider is asked for where it can't be asked for the latest, or for a short id."""
OVERFETCH: Final = 3
SPARE_TOKENS: Final = 110
"""Of what is asked for, a quarter of what isn't told, and the frame of a block."""


class ProviderBackend:
    """A provider in the runs of an agent. Whatever goes wrong is raised: the capability lets the run go on.

    Args:
        provider: Any; of ours, `MemorandaProvider`, more is known than the protocol tells.
        config: Every field is obeyed. Of a provider that has a `config` of its own, this one counts in runs.
    """

    def __init__(self, provider: MemoryProvider, config: MemoryConfig | None = None) -> None:
        self.config = MemoryConfig() if config is None else config
        engine = provider if isinstance(provider, MemorandaProvider) else None
        if engine is not None:
            engine = provider = engine.configured(self.config)
        self.provider: MemoryProvider = provider
        self.traced = engine is not None
        self.overlaps = False
        self._engine = engine
        self._waiting = Waiting(self._send, self.config.store_after_turns)
        self._reads, self._writes = (Breaker(after=2, first=5.0, most=60.0) for _ in range(2))

    async def recall(self, query: str, scope: Scope, *, top_k: int, max_tokens: int) -> Recalled:
        """What the provider finds; of that the capability tells `config.top_k`, as far as they fit."""
        if not self.config.auto_retrieve or not self.config.memory_summary_in_system:
            return Recalled()
        found = await self.search(query, scope, top_k=top_k)
        always = await self._standing(query, scope, max_tokens)
        known = {line.id for line in always}
        lines = (*always, *(line for line in found.lines if line.id not in known))
        # A few lines fit however they are counted, also into the third of `max_tokens` that one block may be.
        if sum(len(line.text.encode('utf-8', 'surrogatepass')) for line in lines) > max_tokens // 4 - SPARE_TOKENS:
            lines = await anyio.to_thread.run_sync(_counted, lines)  # it may have to load the vocabulary
        return Recalled(lines=lines)

    async def _standing(self, query: str, scope: Scope, max_tokens: int) -> list[Line]:
        """What holds whatever the question is, of what the config lets in."""
        if self._engine is None:
            return []
        with _asking():
            block = await self._engine.standing(
                shortened(query), also_run_id=scope.run_id, max_tokens=max_tokens + LEAD_TOKENS, **self._ids(scope)
            )
        levels = {MemoryScope.USER: ('user', 'run'), MemoryScope.RUN: ('run', 'user')}.get(
            self.config.scope, (self.config.scope.value,)
        )
        kept = {m.id for m in block.standing if m.level in levels and _holds(m.metadata, self.config.metadata)}
        if self.config.scope is MemoryScope.RUN:
            kept = {m.id for m in block.standing if m.id in kept and m.said_under.run_id == scope.run_id}
        return [line for line in standing_lines(block) if line.id in kept]

    async def remember(
        self, messages: Sequence[Said], scope: Scope, *, key: str, metadata: Mapping[str, Any] | None
    ) -> None:
        """Store turns of a conversation, when there are `config.store_after_turns` of them.

        A turn is over with its answer. Till then it waits in this process, unless the provider is ours, which stores it
        at once; so does the prompt of a run that failed, until the next turn of its conversation or `flush`.
        """
        if not self.config.auto_store or not messages:
            return
        ids, stamp = self._ids(scope), {**self.config.metadata, **(metadata or {})}
        if self._engine is not None and self.config.store_after_turns == 1:
            ours = self._ids_of_ours(scope)
            with raising():
                await self._engine.store_memories(
                    _as_dicts(messages), metadata=stamp, background=True, idempotency_key=key, **ours
                )
            return
        said = tuple(messages) if self._engine is not None else _dated(messages)
        await self._waiting.put((Scope(**ids), scope.run_id), key, said, scope, stamp)

    async def flush(self) -> None:
        """Store what waits."""
        await self._waiting.flush()

    async def search(self, query: str, scope: Scope, *, top_k: int) -> Recalled:
        """What the provider finds."""
        found = await self._retrieve(shortened(query), scope, top_k=top_k)
        shared = self.config.scope in (MemoryScope.AGENT, MemoryScope.GLOBAL)
        return Recalled(lines=tuple(_line(m, shared=shared) for m in found))

    async def add(self, fact: str, scope: Scope, *, key: str, here: bool, trust: Trust | None = None) -> bool:
        """Store a sentence: as it is where the provider is ours, else as something that was said."""
        if self._engine is not None:
            ids = self._ids_of_ours(scope)
            with _asking():
                return await self._engine.store_fact(fact, here=here, idempotency_key=key, trust=trust, **ids)
        if here and self.config.scope is not MemoryScope.RUN:
            raise InvalidInput(
                'only_this_conversation=True, and this memory keeps nothing for one conversation: call it with False, '
                'or not at all'
            )
        if not self._waiting.is_stored(key):
            # Who else stores it has no tiers: at least it isn't the user who says it then.
            said = Said('user' if trust in (None, 'user') else 'assistant', fact, at=datetime.now(UTC))
            with _asking(self._writes):
                await self.provider.store_memories(
                    _as_messages([said]), metadata=dict(self.config.metadata) or None, **self._ids(scope)
                )
            self._waiting.note(key)
        return True

    async def forget(self, memory_id: str, scope: Scope) -> str:
        """Delete a memory that is listed under the ids of the scope, if these are somebody's own."""
        is_own = self.config.scope in (MemoryScope.USER, MemoryScope.RUN)
        if not is_own and (scope.user_id is not None or scope.run_id is not None or not self._ids(scope)):
            raise MemoryNotFound(
                f"memory {shown(memory_id)} is shared, and nobody's own to take back: let the application delete it"
            )
        wanted = memory_id.strip().strip('[]').removeprefix('m:')
        with _asking():
            listed = _sound(
                await self.provider.get_all_memories(limit=MAX_LISTED, **self._ids(scope)), of=self.provider
            )
        found = {m.id: m for m in listed if wanted in (m.id, short_id(m.id))}
        if len(found) > 1:
            raise InvalidInput(f'{shown(memory_id)} is the short id of {len(found)} memories: pass the full id')
        for id_, memory in found.items():
            if await self._delete(id_, self._ids(scope)):
                return memory.memory
        raise MemoryNotFound(f'memory {shown(memory_id)} does not exist here: pass the id at the end of a line')

    async def _delete(self, memory_id: str, ids: Mapping[str, str]) -> bool:
        from memoranda.agents.mem0 import Mem0Provider

        with _asking():
            if isinstance(self.provider, Mem0Provider):  # whose listings may not tell whose a memory is
                return await self.provider.delete_memory(memory_id, under=ids)
            return await self.provider.delete_memory(memory_id)

    async def _send(self, said: Sequence[Said], key: str, scope: Scope, metadata: Mapping[str, Any]) -> None:
        if self._engine is None:
            with _asking(self._writes):
                await self.provider.store_memories(
                    _as_messages(said), metadata=dict(metadata) or None, **self._ids(scope)
                )
            return
        ids = self._ids_of_ours(scope)
        with raising():
            await self._engine.store_memories(
                _as_dicts(said), metadata=dict(metadata), background=True, idempotency_key=key, **ids
            )

    async def _retrieve(self, query: str, scope: Scope, *, top_k: int) -> list[RetrievedMemory]:
        ids, strategy, metadata = self._ids(scope), self.config.retrieval_strategy, self.config.metadata
        if self._engine is not None:  # it knows the config
            with _asking():
                return await self._engine.retrieve_memories(query, top_k=top_k, also_run_id=scope.run_id, **ids)
        with _asking(self._reads):
            if strategy is RetrievalStrategy.RECENCY:
                found: object = await self.provider.get_all_memories(**ids, limit=MAX_LISTED)
            else:
                many = top_k * OVERFETCH if strategy is RetrievalStrategy.HYBRID else top_k
                found = await self.provider.retrieve_memories(query, top_k=many, metadata=dict(metadata) or None, **ids)
        memories = _sound(found, of=self.provider)
        if strategy is RetrievalStrategy.RECENCY:
            fitting = [m for m in memories if _holds(m.metadata, metadata)]
            return sorted(fitting, key=moment_of, reverse=True)[:top_k]
        memories = [m for m in memories if m.score >= self.config.min_relevance_score]
        return (by_relevance_and_age(memories) if strategy is RetrievalStrategy.HYBRID else memories)[:top_k]

    def _ids_of_ours(self, scope: Scope) -> dict[str, Any]:
        """Our engine is told the conversation too: some of what a user says holds in it only."""
        ids = self._ids(scope)
        in_conversation = 'user_id' in ids and scope.run_id is not None
        return {**ids, 'run_id': scope.run_id} if in_conversation else ids

    def _ids(self, scope: Scope) -> dict[str, Any]:
        """The ids that the config's scope takes of a run's."""
        wanted: Mapping[MemoryScope, tuple[tuple[str, ...], str]] = {
            MemoryScope.USER: (('user_id',), 'user_id'),
            MemoryScope.AGENT: (('agent_id',), 'agent_id'),
            MemoryScope.RUN: (('user_id', 'run_id'), 'run_id'),
            MemoryScope.GLOBAL: ((), ''),
        }
        names, needed = wanted[self.config.scope]
        ids = {name: cast('str | None', getattr(scope, name)) for name in names}
        if needed and ids[needed] is None:
            raise ConfigurationError(
                f'the scope of this run has no {needed}, and config.scope is {self.config.scope.value!r}: give the '
                f'capability a scope with {needed}, or another config'
            )
        return {name: value for name, value in ids.items() if value is not None}


@contextmanager
def _asking(breaker: Breaker | None = None) -> Generator[None]:
    """Ask a provider; leave it alone for a while when it was cancelled again and again, because it doesn't answer.

    Raises:
        StoreUnreachable: It is being left alone.
        ConfigurationError: It doesn't take these ids. No model can mend that, as it could mend other input.
    """
    left = 0.0 if breaker is None else breaker.enter()
    if left > 0:
        raise StoreUnreachable(f'the provider did not answer, and is left alone for {left:.0f} s: wait, or look at it')
    until = anyio.current_effective_deadline()
    try:
        with raising():
            yield
    except BaseException as error:
        if breaker is not None:
            _judge(breaker, error, in_time=anyio.current_time() < until)
        if isinstance(error, InvalidScope):
            raise ConfigurationError(str(error)) from error
        raise
    if breaker is not None:
        breaker.succeeded()


def _judge(breaker: Breaker, error: BaseException, *, in_time: bool) -> None:
    if isinstance(error, Exception):  # which is an answer
        breaker.succeeded()
    elif in_time:  # the run was given up, which says nothing of the provider
        breaker.withdraw()
    else:
        breaker.failed('no answer')


def _as_dicts(said: Sequence[Said]) -> list[dict[str, Any]]:
    """As our engine is given them: without a moment where none is known, for a repeated call says the same."""
    return [as_dict(m) for m in said]


def _dated(said: Sequence[Said]) -> tuple[Said, ...]:
    """With the moment they came at where they have none, which stays the same in every try to store them."""
    at = datetime.now(UTC)
    return tuple(m if m.at is not None else replace(m, at=at) for m in said)


def _as_messages(said: Sequence[Said]) -> list[ModelMessage]:
    """As a provider is given them."""
    messages: list[ModelMessage] = []
    for one in said:
        at = one.at or datetime.now(UTC)
        if one.role == 'user':
            messages.append(ModelRequest(parts=[UserPromptPart(one.text, timestamp=at)]))
        else:
            messages.append(ModelResponse(parts=[TextPart(one.text)], timestamp=at))
    return messages


def _sound(found: object, *, of: object) -> list[RetrievedMemory]:
    """What of a provider's answer can be used.

    Raises:
        StoreError: It is no list.
    """
    if not isinstance(found, list | tuple):
        raise StoreError(
            f'{type(of).__name__} answered with {what_is(found)}, and memories come as a list: correct the provider'
        )
    sound: list[RetrievedMemory] = []
    answered = cast('Sequence[object]', found)
    for one in answered:
        id_, text = cast('object', getattr(one, 'id', None)), cast('object', getattr(one, 'memory', None))
        if not isinstance(id_, str | int) or id_ == '' or not isinstance(text, str) or not text.strip():
            continue
        if isinstance(one, EngineMemory):
            sound.append(one)
            continue
        metadata, at = getattr(one, 'metadata', None), getattr(one, 'created_at', None)
        sound.append(
            RetrievedMemory(
                id=str(id_),
                memory=text,
                score=as_score(getattr(one, 'score', None)),
                metadata=cast('dict[str, Any]', metadata) if isinstance(metadata, dict) else {},
                created_at=at.isoformat() if isinstance(at, datetime) else at if isinstance(at, str) else None,
            )
        )
    if len(sound) < len(answered):
        log.warning('%s: %d memories can not be used', type(of).__name__, len(answered) - len(sound))
    return sound


def _holds(metadata: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(key in metadata and metadata[key] == value for key, value in wanted.items())


def _line(memory: RetrievedMemory, *, shared: bool) -> Line:
    at = moment_of(memory)
    kind = memory.kind if isinstance(memory, EngineMemory) else None
    wish = None if shared else kind  # nobody's wish is told to all as one
    line = fact_line(memory.id, memory.memory, at if at.year > 1 else None, kind=wish)
    if isinstance(memory, EngineMemory) and kind is None:  # so that nobody tries to forget it
        head, _, short = line.text.rpartition('[m:')
        line = replace(line, text=f'{head}[e:{short}')
    quotes = memory.quotes if isinstance(memory, EngineMemory) else (memory.memory,)
    return replace(line, here=tuple(words for words in quotes if len(words) >= TELLING_CHARS))


def _counted(lines: Sequence[Line]) -> tuple[Line, ...]:
    return tuple(replace(line, tokens=count_tokens(line.text) + 1) if line.tokens < 0 else line for line in lines)
