"""The records that cross every border: frozen, UTC, identified by UUIDv7."""

from __future__ import annotations

import hashlib
import math
import os
import time
import unicodedata
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from memoranda._locks import short_lock
from memoranda.scope import Level, Scope

__all__ = [
    'EPOCH',
    'KINDS',
    'NO_USAGE',
    'RECALL_TAG',
    'WORKSPACE_TAG',
    'AddResult',
    'Category',
    'Change',
    'ChangePage',
    'ContextBlock',
    'Edit',
    'Episode',
    'Evidence',
    'Follower',
    'HistoryEntry',
    'Hit',
    'Hits',
    'Job',
    'JobPage',
    'JobStatus',
    'MemoryRecord',
    'Op',
    'Page',
    'ReviewNote',
    'ReviewOp',
    'Status',
    'Trust',
    'Usage',
    'content_hash',
    'fact_hash',
    'new_id',
    'now',
]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KINDS = (
    'preference',
    'profile',
    'goal',
    'constraint',
    'instruction',
    'event',
    'interaction',
    'relationship',
    'knowledge',
    'heuristic',
    'summary',
)
"""The kinds we know; any other lower-case word is a kind of the user's own."""

RECALL_TAG = 'recalled_memory'
"""The tag around what recall puts into a prompt; whatever comes back inside it is never learnt again."""

WORKSPACE_TAG = 'workspace'
"""The tag of what somebody works with: tools and set-up, which `reset` takes back."""

Status = Literal['active', 'pending', 'superseded', 'retracted', 'rejected', 'expired']
Trust = Literal['user', 'assistant', 'tool', 'external']
Category = Literal['secret', 'personal data', 'special category']
"""What sort of words a policy tells apart. Each has kinds of its own."""
Role = Literal['user', 'assistant', 'system', 'tool']
JobStatus = Literal['unsaved', 'queued', 'running', 'retrying', 'done', 'dead', 'dropped']
"""How far messages are on their way to memories.

- `unsaved`: held in this process only, because the storage can't be written; saved as soon as it can
- `queued`: stored, nobody has begun
- `running`: somebody is at it
- `retrying`: it failed and is tried again
- `done`: what it changed is stored
- `dead`: given up; the messages stay, and can be searched
- `dropped`: taken out of the queue by hand; the messages stay
"""
Op = Literal[
    'add',
    'update',
    'supersede',
    'confirm',
    'correct',
    'retract',
    'expire',
    'restore',
    'approve',
    'reject',
    'erase',
    'import',
    'read',
    'key',
]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The words of a message that a memory rests on. `quote == episode.text[start:end]`, checked by code."""

    episode_id: str
    start: int
    """Code points from the start of the stored text."""
    end: int
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRecord:
    """One version of a memory: a short fact drawn from messages."""

    id: str
    """Stable over all versions."""
    version: int
    """1 for the first."""
    project: str
    level: Level
    scope: Scope
    """The ids of its level: the identity of the memory together with its hash or slot."""
    said_under: Scope
    """The ids it was said under: provenance, filterable, never part of the identity."""
    text: str
    kind: str
    slot: str | None = None
    """A single-valued key such as `home.city`: a new value supersedes the old one."""
    value: str | None = None
    """The bare value of the slot (`Lisbon`), when it is known."""
    status: Status = 'active'
    confidence: float = 1.0
    """0..1"""
    importance: float = 0.5
    """0..1"""
    trust: Trust = 'user'
    pinned: bool = False
    locked: bool = False
    """Edited by a person: extraction never overwrites it."""
    valid_from: datetime
    """When the fact began to hold in the world."""
    valid_to: datetime | None = None
    said_at: datetime
    """When it was last said: of two values of a slot, the one said later holds."""
    recorded_at: datetime
    """When we began to believe this version."""
    retired_at: datetime | None = None
    """When we stopped."""
    expires_at: datetime | None = None
    supersedes: str | None = None
    superseded_by: str | None = None
    evidence: tuple[Evidence, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    tags: tuple[str, ...] = ()
    actor: str = 'rules'
    change_id: str = ''
    hash: str = ''

    @property
    def confirmations(self) -> int:
        """How many messages say it. Of one that was said more than 50 times the first and the latest count."""
        return len({e.episode_id for e in self.evidence}) if len(self.evidence) > 1 else len(self.evidence)

    def is_current(self, at: datetime) -> bool:
        """Active, unretired, valid and unexpired at the moment given."""
        return (
            self.status == 'active'
            and self.retired_at is None
            and self.valid_from <= at
            and (self.valid_to is None or at < self.valid_to)
            and (self.expires_at is None or at < self.expires_at)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One verbatim message, after redaction: the evidence."""

    id: str
    project: str
    scope: Scope
    conversation_id: str
    seq: int
    """Position in its conversation, from 0."""
    role: Role
    name: str | None = None
    text: str
    occurred_at: datetime
    """When it was said."""
    recorded_at: datetime
    trust: Trust = 'user'
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    content_hash: str = ''


ReviewOp = Literal['add', 'supersede', 'correct', 'confirm', 'retract']
"""What approving a proposal does, see `Proposal.op`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewNote:
    """What a proposal that waits for a person is about. Holds no words of it."""

    op: ReviewOp
    target: str | None = None
    """Id of the memory it would replace, confirm or retract."""
    reasons: tuple[str, ...] = ()
    """Codes, such as `locked` or `source:tool`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One memory before and after a change."""

    op: Op
    before: MemoryRecord | None
    after: MemoryRecord
    review: ReviewNote | None = None
    """Of a memory that becomes `pending`, or gets more evidence while it is: written together with it."""

    @property
    def memory_id(self) -> str:
        """The memory it touches."""
        return self.after.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One atomic set of edits."""

    id: str
    edits: tuple[Edit, ...]
    actor: str
    reason: str
    job_id: str | None = None
    at: datetime
    erased: int = 0
    """Edits that are no longer listed, because their memories were erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePage:
    """A slice of the changes, latest first."""

    items: tuple[Change, ...]
    cursor: str | None
    """Pass it to get the next slice; None at the end."""

    def __iter__(self):  # noqa: ANN204
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One link of an owner's audit chain. After erasure the words, and the salt that bound them, are gone."""

    seq: int
    change_id: str
    memory_id: str
    op: Op
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    actor: str
    reason: str
    at: datetime
    salt: str | None
    digest: str
    prev_hash: str
    hash: str
    format: int = 2
    """How digest and hash are made; those of 1 leave out actor and reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What answers of a model took."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    """US dollars by genai-prices; None where no price is known."""

    def __post_init__(self) -> None:
        if self.cost is not None and not math.isfinite(self.cost):
            object.__setattr__(self, 'cost', None)  # no amount: with it no sum would be one either

    def __add__(self, other: Usage) -> Usage:
        known = [u.cost for u in (self, other) if u.cost is not None]
        return Usage(
            requests=self.requests + other.requests,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost=sum(known) if known else None,
        )


NO_USAGE = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work that outlives the process: messages from which memories are still to be drawn."""

    id: str
    project: str
    kind: str
    payload: Mapping[str, Any]
    """Ids and the options of its `add`, never messages."""
    state: Literal['queued', 'running', 'done', 'dead', 'dropped']
    attempts: int
    """How often it was begun, its last try included."""
    run_after: datetime
    """Not before this moment."""
    lease_until: datetime | None
    """While it runs: when others may take it over, unless the lease is renewed."""
    last_error: str | None
    scope: Scope = Scope.GLOBAL
    """The ids its messages were said under."""
    created_at: datetime = EPOCH
    finished_at: datetime | None = None
    crashes: int = 0
    """How often the process that ran it ended in the middle."""
    merged_into: str | None = None
    """The job of the same conversation that did the work of this one too."""
    format: int = 1
    """Of the payload; a higher one than we know was written by a newer version, and waits for one."""
    usage: Usage = NO_USAGE

    @property
    def status(self) -> JobStatus:
        """How far it is. One whose worker fell silent is `queued`: the next worker takes it over."""
        if self.state == 'running' and (self.lease_until is None or self.lease_until <= now()):
            return 'queued'
        if self.state == 'queued' and self.last_error is not None:
            return 'retrying'
        return self.state


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """A slice of the jobs, latest first."""

    items: tuple[Job, ...]
    cursor: str | None
    """Pass it to get the next slice; None at the end."""

    def __iter__(self):  # noqa: ANN204
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


class Follower(Protocol):
    """Knows what became of a job."""

    async def __call__(self, timeout: float | None) -> AddResult:
        """The outcome, once there is one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AddResult:
    """What an `add` did; of one in the background, the receipt for what was stored."""

    job_id: str | None
    """None when nothing was left to process."""
    episode_ids: tuple[str, ...]
    """The messages stored by this call, oldest first; those seen before are not among them."""
    changes: tuple[Edit, ...] = ()
    """What became of them."""
    known: int = 0
    """Messages skipped because this conversation already held them."""
    replayed: bool = False
    """Whether the idempotency key was used before: then this is what the first call did."""
    skipped: Mapping[str, int] = field(default_factory=dict[str, int])
    """How many proposals were dropped, by reason."""
    usage: Usage = NO_USAGE
    """What the model's answers cost; nothing without a model."""
    as_previewed: bool | None = None
    """Of `apply`: False when another write came in between and the outcome differs from the preview's."""
    status: JobStatus = 'done'
    """How far it was when this was made."""
    error: str | None = None
    """Why it is retried, was given up, or could not be saved yet."""
    follower: Follower | None = field(default=None, repr=False, compare=False)

    @property
    def memories(self) -> tuple[MemoryRecord, ...]:
        """The memories that are believed because of this call."""
        return tuple(e.after for e in self.changes if e.after.status == 'active')

    @property
    def pending(self) -> tuple[MemoryRecord, ...]:
        """What was proposed and waits until a person approves it (`memory.review`)."""
        return tuple(e.after for e in self.changes if e.after.status == 'pending')

    async def wait(self, timeout: float | None = None) -> AddResult:
        """What became of it: `done` with its changes, `dead` with its error, or `dropped`.

        Where nobody works in the background, the job is done by this call.

        Args:
            timeout: Seconds; None waits as long as it takes.

        Raises:
            TimeoutError: It is neither done nor given up yet. It goes on; wait again.
        """
        if self.status in ('done', 'dead', 'dropped') or self.follower is None:
            return self
        return await self.follower(timeout)

    def result(self, timeout: float | None = None) -> AddResult:
        """`wait`, blocking."""
        from memoranda._bridge import run

        return run(self.wait(timeout))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One answer of a search: a memory, or the passage of a message."""

    memory: MemoryRecord | None = None
    episode: Episode | None = None
    start: int = 0
    """For an episode: the passage that matched, in code points of its text."""
    end: int = 0
    score: float
    """0..1, comparable across queries."""
    stale: bool = False
    """For an episode: a fact drawn from it was superseded or retracted since, and none of it still holds."""
    ended: tuple[tuple[int, int], ...] = ()
    """For an episode: where in its text facts were drawn from that don't hold any more."""
    withheld: tuple[tuple[int, int], ...] = ()
    """For an episode: where in its text facts were drawn from that a person turned down, or that the policy lets wait
    for what their words are. No prompt shows these sentences."""
    why: Mapping[str, Any] | None = None
    """With `explain=True`: every part of the score."""

    @property
    def id(self) -> str:
        """Id of the memory or episode."""
        return self.memory.id if self.memory else self.episode.id if self.episode else ''

    @property
    def text(self) -> str:
        """The fact, or the passage."""
        if self.memory:
            return self.memory.text
        return self.episode.text[self.start : self.end] if self.episode else ''


class Hits(list[Hit]):
    """What a search found, best first.

    Attributes:
        degraded: What it had to do without, such as `storage: StoreBusy` (then nothing was found) or
            `embedder: EmbeddingFailed` (then by keywords only); None when all worked.
    """

    def __init__(self, hits: Iterable[Hit] = (), *, degraded: str | None = None) -> None:
        super().__init__(hits)
        self.degraded = degraded


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A slice of a listing, oldest first."""

    items: tuple[MemoryRecord, ...]
    cursor: str | None
    """Pass it to get the next slice; None at the end."""

    def __iter__(self):  # noqa: ANN204
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextBlock:
    """What an agent would be given. `str(block)` is the framed text, empty when there is nothing to say."""

    text: str
    tokens: int
    """Of `text`, counted with o200k."""
    standing: tuple[MemoryRecord, ...] = ()
    relevant: tuple[Hit, ...] = ()
    left_out: int = 0
    """Hits that did not fit."""
    degraded: str | None = None
    """What it had to do without, as in `Hits`; then memories may be missing."""
    unconfirmed: tuple[Hit, ...] = ()
    """What stands in the part of the text that is marked as unconfirmed (`Policy.read`)."""

    def __str__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        return bool(self.text)


def now() -> datetime:
    """The current moment, UTC."""
    return datetime.now(UTC)


_id_lock = short_lock()
_last_id = 0


def new_id() -> str:
    """A UUIDv7 (RFC 9562 §5.7) that sorts after every earlier one of this process."""
    global _last_id
    with _id_lock:
        stamp = (time.time_ns() // 1_000_000) << 74 | int.from_bytes(os.urandom(10)) >> 6
        _last_id = stamp = max(stamp, _last_id + 1)
    value = (stamp >> 74) << 80 | 7 << 76 | ((stamp >> 62) & 0xFFF) << 64 | 2 << 62 | stamp & (1 << 62) - 1
    return str(uuid.UUID(int=value))


def content_hash(*parts: str) -> str:
    """A digest of a message's identity (role, name, text, and its timestamp when one was given)."""
    return hashlib.blake2b('\x1f'.join(parts).encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()


def fact_hash(text: str, slot: str | None = None) -> str:
    """A digest of a fact that case, white space, width and final punctuation don't change.

    The slot belongs to it: the same words in two slots (`dark`, of the editor and of the terminal) are two facts.
    """
    folded = ' '.join(unicodedata.normalize('NFKC', text).casefold().split()).rstrip('.!,;: ')
    if slot is not None:
        folded = f'{slot}\x1f{folded}'
    return hashlib.blake2b(folded.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()
