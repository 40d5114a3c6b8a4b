"""A memory as agents of any framework see it: retrieve, store, list, delete.

The shapes are those first drafted for Pydantic AI itself (`pydantic_ai.memory`), kept because tutorials use them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeVar, cast, runtime_checkable

from memoranda.errors import ConfigurationError, shown, what_is

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage

__all__ = [
    'BaseMemoryProvider',
    'Errors',
    'MemoryConfig',
    'MemoryContext',
    'MemoryProvider',
    'MemoryScope',
    'RetrievalStrategy',
    'RetrievedMemory',
    'StoredMemory',
]

EnumT = TypeVar('EnumT', bound=StrEnum)
Errors = Literal['raise', 'ignore']
"""What a provider does when it fails.

- `raise`: it raises
- `ignore`: it answers that there is nothing, and the log has a warning
"""

MOST: Final = 1_000
"""The largest `top_k`."""


class RetrievalStrategy(StrEnum):
    """What decides which memories are retrieved."""

    SEMANTIC_SEARCH = 'semantic_search'
    """How well they answer the question."""
    RECENCY = 'recency'
    """How lately they were said; the question plays no part."""
    HYBRID = 'hybrid'
    """Both: of those that answer the question, the later ones come sooner."""


class MemoryScope(StrEnum):
    """Which of the ids of a run its memories are stored and retrieved under."""

    USER = 'user'
    """The user's, in every conversation."""
    AGENT = 'agent'
    """The agent's, whoever it talks to. What one user says is recalled for another."""
    RUN = 'run'
    """This conversation's."""
    GLOBAL = 'global'
    """Everybody's, under no id."""


@dataclass(frozen=True)
class MemoryConfig:
    """How memory works in the runs of an agent, whatever the provider.

    Raises:
        ConfigurationError: A value that can't be used.
    """

    auto_store: bool = True
    """Store what was said in every run."""
    auto_retrieve: bool = True
    """Retrieve what is known before the model is asked."""
    retrieval_strategy: RetrievalStrategy = RetrievalStrategy.SEMANTIC_SEARCH
    """One of them, or its value (`'hybrid'`)."""
    top_k: int = 5
    """The most memories to retrieve, 1 to 1,000."""
    min_relevance_score: float = 0.0
    """0..1; weaker ones are left out. Recency alone has no relevance, and takes no notice of it."""
    store_after_turns: int = 1
    """Store when a conversation has gone on for so many turns, those turns together."""
    memory_summary_in_system: bool = True
    """Give the model what was retrieved: framed as data after the prompt, and never in its instructions."""
    scope: MemoryScope = MemoryScope.USER
    """One of them, or its value (`'agent'`)."""
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    """Kept with what is stored, and what memories must hold to be retrieved."""

    def __post_init__(self) -> None:
        for name in ('auto_store', 'auto_retrieve', 'memory_summary_in_system'):
            given = getattr(self, name)
            if not isinstance(given, bool):
                raise ConfigurationError(f'{name}={shown(given)} is {what_is(given)}: pass True or False')
        self._check_least('top_k', MOST)
        self._check_least('store_after_turns', MOST)
        score = cast('object', self.min_relevance_score)
        if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
            raise ConfigurationError(
                f'min_relevance_score={shown(score)}, and min_relevance_score must be between 0.0 and 1.0: pass 0.0 to '
                'leave none out'
            )
        metadata = cast('object', self.metadata)
        if not isinstance(metadata, dict):
            raise ConfigurationError(f'metadata={shown(metadata)} is {what_is(metadata)}: pass a dict of JSON values')
        _check_metadata(cast('dict[object, object]', metadata))
        object.__setattr__(
            self, 'retrieval_strategy', _member(RetrievalStrategy, 'retrieval_strategy', self.retrieval_strategy)
        )
        object.__setattr__(self, 'scope', _member(MemoryScope, 'scope', self.scope))

    def _check_least(self, name: str, most: int) -> None:
        given: object = getattr(self, name)
        if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= most:
            raise ConfigurationError(
                f'{name}={shown(given)}, and {name} must be at least 1 and at most {most:,}: pass a whole number'
            )


def _check_metadata(metadata: Mapping[object, object], path: str = '') -> None:
    """Whether memories can be searched for by it."""
    for key, value in metadata.items():
        here = f'{path}{key}'
        if not isinstance(key, str) or not key:
            raise ConfigurationError(f'metadata key {shown(key)} is no text: pass text without quotes')
        if isinstance(value, Mapping):
            _check_metadata(cast('Mapping[object, object]', value), f'{here}.')
        elif not isinstance(value, str | int | float):
            raise ConfigurationError(
                f'metadata {here}={shown(value)} is {what_is(value)}, and what is retrieved must hold an equal '
                'value: pass text, numbers, True or False'
            )


@dataclass(frozen=True, slots=True, repr=False)
class RetrievedMemory:
    """One thing that is known."""

    id: str
    memory: str
    """Its words. They are data, and never instructions."""
    score: float = 1.0
    """0..1, how well it answers; 1.0 where nothing was asked."""
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    created_at: str | None = None
    """ISO 8601, when it was said."""

    def __repr__(self) -> str:
        return f'RetrievedMemory(id={self.id!r}, memory={self.memory!r}, score={self.score!r})'

    def __post_init__(self) -> None:
        if self.metadata is None:  # pyright: ignore[reportUnnecessaryComparison]  # as providers may well pass it
            object.__setattr__(self, 'metadata', {})


@dataclass(frozen=True, slots=True)
class StoredMemory:
    """What became of one thing that was stored."""

    id: str
    memory: str
    event: str = 'ADD'
    """`ADD`, `UPDATE` or `DELETE`; `PENDING` where a provider takes messages now and reads them later."""
    metadata: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)

    def __post_init__(self) -> None:
        if self.metadata is None:  # pyright: ignore[reportUnnecessaryComparison]
            object.__setattr__(self, 'metadata', {})


@runtime_checkable
class MemoryProvider(Protocol):
    """What a memory has to be able to do, so that an agent can use it.

    Ids narrow: what is retrieved was said under all that are given. Whatever goes wrong is raised; in a run of an agent
    with `LongTermMemory` it doesn't break the run.
    """

    async def retrieve_memories(
        self,
        query: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        top_k: int = 5,
        metadata: dict[str, Any] | None = None,
    ) -> list[RetrievedMemory]:
        """What is known that answers a question, best first.

        Args:
            query: A question or some words.
            user_id: Whose.
            agent_id: Told to which agent.
            run_id: Told in which conversation.
            top_k: The most to return.
            metadata: What their metadata must hold.
        """
        ...

    async def store_memories(
        self,
        messages: list[ModelMessage],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> list[StoredMemory]:
        """Remember what was said.

        Args:
            messages: Those of a run, such as `result.all_messages()`.
            user_id: By whom.
            agent_id: To which agent.
            run_id: In which conversation.
            metadata: Kept with it.
        """
        ...

    async def get_all_memories(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        limit: int | None = None,
    ) -> list[RetrievedMemory]:
        """All that is known.

        Args:
            user_id: Whose.
            agent_id: Told to which agent.
            run_id: Told in which conversation.
            limit: The most to return; None for all.
        """
        ...

    async def delete_memory(self, memory_id: str) -> bool:
        """Delete one memory. False when there is none with this id."""
        ...


class BaseMemoryProvider(ABC):
    """A `MemoryProvider` to derive from: what is missing is told when it is made, not when it is first needed."""

    @abstractmethod
    async def retrieve_memories(
        self,
        query: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        top_k: int = 5,
        metadata: dict[str, Any] | None = None,
    ) -> list[RetrievedMemory]:
        """See `MemoryProvider.retrieve_memories`."""

    @abstractmethod
    async def store_memories(
        self,
        messages: list[ModelMessage],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> list[StoredMemory]:
        """See `MemoryProvider.store_memories`."""

    @abstractmethod
    async def get_all_memories(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        limit: int | None = None,
    ) -> list[RetrievedMemory]:
        """See `MemoryProvider.get_all_memories`."""

    @abstractmethod
    async def delete_memory(self, memory_id: str) -> bool:
        """See `MemoryProvider.delete_memory`."""


class MemoryContext:
    """A provider in use: it keeps what was retrieved and stored through it, for one run or one request.

    Args:
        provider: Where to look and store. Its errors are raised.
    """

    def __init__(self, provider: MemoryProvider) -> None:
        self.provider = provider
        self.retrieved_memories: list[RetrievedMemory] = []
        """Everything that `search` has found so far."""
        self.stored_memories: list[StoredMemory] = []
        """Everything that `add` has stored so far."""

    async def search(
        self,
        query: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        top_k: int = 5,
        metadata: dict[str, Any] | None = None,
    ) -> list[RetrievedMemory]:
        """See `MemoryProvider.retrieve_memories`."""
        found = await self.provider.retrieve_memories(
            query, user_id=user_id, agent_id=agent_id, run_id=run_id, top_k=top_k, metadata=metadata
        )
        self.retrieved_memories.extend(found)
        return found

    async def add(
        self,
        messages: list[ModelMessage],
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> list[StoredMemory]:
        """See `MemoryProvider.store_memories`."""
        stored = await self.provider.store_memories(
            messages, user_id=user_id, agent_id=agent_id, run_id=run_id, metadata=metadata
        )
        self.stored_memories.extend(stored)
        return stored

    async def get_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        limit: int | None = None,
    ) -> list[RetrievedMemory]:
        """See `MemoryProvider.get_all_memories`."""
        return await self.provider.get_all_memories(user_id=user_id, agent_id=agent_id, run_id=run_id, limit=limit)

    async def delete(self, memory_id: str) -> bool:
        """See `MemoryProvider.delete_memory`."""
        return await self.provider.delete_memory(memory_id)


def _member(kind: type[EnumT], name: str, value: object) -> EnumT:
    try:
        return kind(value)
    except ValueError:
        raise ConfigurationError(
            f'{name}={shown(value)} is unknown: use one of {", ".join(member.value for member in kind)}'
        ) from None
