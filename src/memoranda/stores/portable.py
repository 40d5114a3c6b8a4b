"""What a store holds on one owner, as records that any other store can take in.

They name each other by id, never by a row key. Vectors and index entries are left out: each store makes its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

from memoranda.records import Status, Trust
from memoranda.scope import Level

if TYPE_CHECKING:
    from memoranda.lanes import FloatVector
    from memoranda.stores.data import SegmentDraft, VersionWrite

__all__ = [
    'SECTIONS',
    'ChangeItem',
    'ConversationItem',
    'EntryItem',
    'EpisodeIn',
    'EpisodeItem',
    'Holdings',
    'Item',
    'JobItem',
    'MemoryIn',
    'MemoryItem',
    'RejectedItem',
    'RestoreNote',
    'ReviewItem',
    'RowIn',
    'SaidUnder',
    'Span',
    'Take',
    'VersionItem',
]

_CONFIG: Final = {'extra': 'forbid', 'use_attribute_docstrings': True}
"""For the reader of documents, which checks these by Pydantic; nothing here needs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidUnder:
    """The ids beside the owner's that something was said under."""

    __pydantic_config__: ClassVar[Any] = _CONFIG

    agent_id: str | None = None
    run_id: str | None = None
    app_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationItem:
    """A conversation."""

    __pydantic_config__: ClassVar[Any] = _CONFIG

    id: str
    messages: int
    """How many were ever stored; more than are left when some were erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeItem:
    """One message, word for word as it was stored."""

    __pydantic_config__: ClassVar[Any] = _CONFIG

    id: str
    conversation_id: str
    seq: int
    """Position in its conversation, from 0."""
    role: Literal['user', 'assistant', 'system', 'tool']
    name: str | None = None
    text: str
    occurred_at: datetime
    """When it was said."""
    dated: bool
    """Whether its moment came with the message."""
    recorded_at: datetime
    """When it was stored."""
    trust: Trust
    said_under: SaidUnder
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    content_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The words of a message that a memory rests on."""

    __pydantic_config__: ClassVar[Any] = _CONFIG

    episode_id: str
    start: int
    """Code points from the start of the message."""
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionItem:
    """One version of a memory. Nothing of it ever changes but `retired_at`."""

    __pydantic_config__: ClassVar[Any] = _CONFIG

    version: int
    level: Level
    run_id: str | None = None
    """Of a user's run-level memory: the run it belongs to."""
    said_under: SaidUnder
    text: str
    kind: str
    slot: str | None = None
    value: str | None = None
    status: Status
    confidence: float
    importance: float
    trust: Trust
    pinned: bool
    locked: bool
    valid_from: datetime
    valid_to: datetime | None = None
    said_at: datetime
    recorded_at: datetime
    retired_at: datetime | None = None
    expires_at: datetime | None = None
    supersedes: str | None = None
    superseded_by: str | None = None
    evidence: tuple[Span, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    tags: tuple[str, ...] = ()
    actor: str
    change_id: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewItem:
    """Why a memory waits for a person, or waited before it was turned down."""

    __pydantic_config__: ClassVar[Any] = _CONFIG

    op: str
    """What approving it does."""
    target: str | None = None
    """Id of the memory it is about."""
    reasons: tuple[str, ...] = ()
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryItem:
    """A memory with all its versions, oldest first."""

    __pydantic_config__: ClassVar[Any] = _CONFIG

    id: str
    versions: tuple[VersionItem, ...]
    uses: int = 0
    """How often it was recalled, where that is counted."""
    last_used_at: datetime | None = None
    review: ReviewItem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeItem:
    """One atomic set of edits: who made it, why, and from which job. Its edits are the history entries that name it."""

    __pydantic_config__: ClassVar[Any] = _CONFIG

    id: str
    actor: str
    reason: str
    job_id: str | None = None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryItem:
    """One link of the audit chain. After an erasure the words and the salt are gone."""

    __pydantic_config__: ClassVar[Any] = _CONFIG

    seq: int
    change_id: str
    memory_id: str
    op: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    actor: str
    reason: str
    at: datetime
    salt: str | None = None
    digest: str
    prev_hash: str
    hash: str
    format: int
    """How digest and hash are made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobItem:
    """What an `add` left to be done, and what became of it. One that was running counts as queued."""

    __pydantic_config__: ClassVar[Any] = _CONFIG

    id: str
    kind: str
    episode_ids: tuple[str, ...]
    conversation_id: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Of its `add`."""
    state: Literal['queued', 'done', 'dead', 'dropped']
    attempts: int
    crashes: int
    created_at: datetime
    run_after: datetime
    finished_at: datetime | None = None
    last_error: str | None = None
    merged_into: str | None = None
    idempotency_key: str | None = None
    digest: str | None = None
    """Of what an idempotency key was used for."""
    format: int
    requests: int
    input_tokens: int
    output_tokens: int
    cost: float | None = None
    """US dollars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedItem:
    """A fact that a person turned down, as the hash it is known by."""

    __pydantic_config__: ClassVar[Any] = _CONFIG

    hash: str


Item: TypeAlias = ConversationItem | EpisodeItem | MemoryItem | ChangeItem | EntryItem | JobItem | RejectedItem
SECTIONS: Mapping[str, type[Item]] = {
    'conversations': ConversationItem,
    'episodes': EpisodeItem,
    'memories': MemoryItem,
    'changes': ChangeItem,
    'history': EntryItem,
    'jobs': JobItem,
    'rejected': RejectedItem,
}
"""In the order in which they refer to each other."""
Take: TypeAlias = Callable[[str, Sequence[Item]], None]
"""Told (section, some of its items). Runs on the store's thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """How much a store holds on an owner."""

    counts: Mapping[str, int]
    """Items by section."""
    forgotten_at: datetime | None = None
    """When it was last erased as a whole."""

    @property
    def empty(self) -> bool:
        """Whether nothing is held, not even an entry of the audit chain."""
        return not any(self.counts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreNote:
    """What a store records of an import, behind the entries that came with it."""

    digest: str
    """Of the document."""
    restored: bool
    """Whether it was asked for although the owner had been forgotten."""
    counts: Mapping[str, int]
    forgotten_at: datetime | None = None
    """The tombstone that the document brings along."""
    actor: str = 'user'


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeIn:
    """A message on its way into another store, with its search side."""

    item: EpisodeItem
    segments: Sequence[SegmentDraft]
    vectors: Sequence[FloatVector]
    """One per segment, or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryIn:
    """A memory on its way into another store, with the search side of each version."""

    item: MemoryItem
    writes: Sequence[VersionWrite]


RowIn: TypeAlias = ConversationItem | EpisodeIn | MemoryIn | ChangeItem | EntryItem | JobItem | RejectedItem
