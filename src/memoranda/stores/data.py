"""What the engine and a store hand each other: drafts, plans, pages, figures, and the errors that say "not so"."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from memoranda.errors import Conflict, StoreError
from memoranda.records import (
    NO_USAGE,
    Change,
    Episode,
    Hit,
    Job,
    MemoryRecord,
    ReviewNote,
    Trust,
    Usage,
)

if TYPE_CHECKING:
    from memoranda.filters import Filter
    from memoranda.lanes import FloatVector, Lane
    from memoranda.scope import Owner, Reach, Scope
    from memoranda.stores.index import Nearest

from memoranda.stores.generation import Generation

__all__ = [
    'JOB_FORMAT',
    'MAX_CRASHES',
    'PAGE',
    'PENDING_READ',
    'Appended',
    'Batch',
    'Clash',
    'Commit',
    'Draft',
    'EpisodePage',
    'Erased',
    'ErasureResult',
    'Foreseen',
    'LeaseLost',
    'Moment',
    'NewerJob',
    'Pending',
    'Quiet',
    'Ranked',
    'SearchPlan',
    'SegmentDraft',
    'Snapshot',
    'Stats',
    'VersionWrite',
    'Work',
]


JOB_FORMAT: Final = 1
"""Of the payloads that this version writes and reads."""
MAX_CRASHES: Final = 20
"""How often the process that runs a job may end in the middle, before the job counts as the cause."""
PENDING_READ: Final = 100
"""How many of an owner's proposals are looked at for one that says the same in other words."""
PAGE: Final = 1000
"""Memories that are read at once where all are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentDraft:
    """A part of a message that is indexed on its own. Offsets are code points of the message's text."""

    start: int
    end: int
    terms: Sequence[str]
    """Index terms, with repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message on its way in, redacted."""

    role: Literal['user', 'assistant', 'system', 'tool']
    text: str
    name: str | None = None
    occurred_at: datetime
    dated: bool
    """Whether its moment came with the message: then the moment is part of its identity."""
    trust: Trust
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    content_hash: str
    segments: Sequence[SegmentDraft]


@dataclass(frozen=True, slots=True)
class Quiet:
    """When the turns of a conversation that wait for a worker are due: all at once."""

    turns: int
    """At so many."""
    seconds: float
    """Or when for so long no more came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one `add` brings."""

    owner: Owner
    scope: Scope
    """The ids it was said under."""
    conversation_id: str
    drafts: Sequence[Draft]
    history: bool
    """Whether the drafts may repeat what the conversation already holds (a list does, a single text doesn't)."""
    job: Mapping[str, Any]
    """Options of the job; never text."""
    trace: str | None = None
    """The span that the job belongs to, as a W3C `traceparent`."""
    idempotency_key: str | None = None
    worker: str
    lease_seconds: float
    lease: bool = True
    """Whether the caller does the job itself if it is its turn; otherwise it waits for a worker."""
    quiet: Quiet | None = None
    """Of a job for a worker: how long it may wait for more turns of its conversation."""
    held: tuple[str, str, int | None] | None = None
    """Store nothing unless this job is leased under this token and nothing of its owner was erased since the epoch."""
    expect_version: int | None = None
    """Store nothing unless the owner is as it was at this version, messages included, and no job of it waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What became durable."""

    job_id: str | None
    """None when every message was known already."""
    episode_ids: Sequence[str]
    known: int
    """Messages that the conversation already held."""
    leased: bool
    """Whether the job is ours to run now; otherwise earlier ones of this owner come first."""
    replayed: bool = False
    """Whether the idempotency key was seen before: then the ids are those of the first call."""
    waits: bool = False
    """Whether the job waits for more turns, so that there is nothing to do yet."""
    forgotten: int = 0
    """Messages that were not stored, because they were said before their subject was forgotten."""
    work: Work | None = field(default=None, repr=False, compare=False)
    """The job as `load` would give it, where that took no reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What an `append` would do."""

    drafts: Sequence[Draft]
    """The messages the conversation doesn't hold yet."""
    known: int
    first_seq: int
    """Position of the first of them in the conversation."""
    previous: Sequence[Episode]
    """The few messages before them."""
    waiting: int
    """Jobs of this owner that come first."""
    owner_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A claimed job with what is needed to do it."""

    job: Job
    owner: Owner
    scope: Scope
    episodes: Sequence[Episode]
    segments: Sequence[tuple[int, str]]
    """(row key, text) of the segments still without a vector."""
    previous: Sequence[Episode]
    """The few messages before them in their conversation."""
    merged: Sequence[str] = ()
    """Ids of the jobs whose messages are done together with those of `job`. They share its lease and its fate."""
    epoch: int | None = None
    """The owner's, which grows with every erasure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A proposal that waits for a person, or that one has decided on."""

    memory: MemoryRecord
    """As it is now: while it waits its status is `pending`."""
    note: ReviewNote
    at: datetime
    """When it was proposed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Current memories of an owner that a proposal may touch, and the owner version they were read at."""

    owner_version: int
    memories: Sequence[MemoryRecord]
    rejected: Mapping[str, Trust] = field(default_factory=dict[str, Trust])
    """Hashes of facts a person has turned down, with the best source that they were turned down from."""
    pending: Sequence[Pending] = ()
    """What waits for a person: with one of the hashes, and the latest `PENDING_READ`."""
    waiting: Mapping[Trust, int] = field(default_factory=dict[Trust, int])
    """How many wait, by source tier; empty where `pending` are all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionWrite:
    """The search side of a new memory version."""

    terms: Sequence[str]
    vector: FloatVector | None = None
    """None: the version keeps the words, so it keeps the vector, of the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One transaction: a change with its index rows, and the end of the job it came from."""

    owner: Owner
    expect_version: int | None
    """The owner version the change was worked out against; None when it doesn't matter. Messages that came in since
    don't matter either; memories written or erased since make it a conflict."""
    change: Change | None
    writes: Sequence[VersionWrite] = ()
    """One per edit of the change, in order."""
    job: Job | None = None
    merged: Sequence[str] = ()
    worker: str = ''
    segment_vectors: Sequence[tuple[int, FloatVector]] = ()
    epoch: int | None = None
    """Of the work; when something of the owner was erased since, the commit is refused (`Erased`)."""
    generation: int | None = None
    """The embedding generation the vectors belong to."""
    usage: Usage = NO_USAGE
    """What the model took for this job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The moment a read looks from."""

    now: datetime
    as_of: datetime | None = None
    """What held then, in the world."""
    known_at: datetime | None = None
    """What we believed then."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """One candidate after ranking: a row of a lane."""

    lane: Literal['memories', 'episodes']
    row: int
    """Index into the lane's arrays."""
    order: float
    """What the list is sorted by; comparable within one query only."""
    score: float
    """0..1, comparable across queries."""
    parts: Mapping[str, float]
    uses: int = 0
    """Of a memory, when the plan asks for it: how often it was recalled before."""
    last_used_at: datetime | None = None

    # Written out, because `dataclasses.replace` takes several times as long, and a search does it for every row.

    def used(self, uses: int, last_used_at: datetime) -> Ranked:
        """The same, recalled so often."""
        return Ranked(
            lane=self.lane,
            row=self.row,
            order=self.order,
            score=self.score,
            parts=self.parts,
            uses=uses,
            last_used_at=last_used_at,
        )

    def ordered(self, order: float, parts: Mapping[str, float]) -> Ranked:
        """The same at another place."""
        return Ranked(
            lane=self.lane,
            row=self.row,
            order=order,
            score=self.score,
            parts=parts,
            uses=self.uses,
            last_used_at=self.last_used_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPlan:
    """A search, ready to run in one snapshot of the store."""

    reaches: Sequence[Reach]
    moment: Moment
    lanes: Sequence[Literal['memories', 'episodes']]
    terms: Sequence[str]
    vectors: Mapping[str, FloatVector]
    """Query vector per lane; none for a keyword search."""
    generation: int | None
    where: Filter | None
    nearest: Mapping[str, Nearest] | None = None
    """Per lane, what an index elsewhere answered; None: the cosines of all rows are taken from the database."""
    rank: Callable[[Sequence[Lane]], Sequence[Ranked]]
    """Orders the candidates; runs on the store's thread, never on a loop."""
    finish: Callable[[Sequence[tuple[Ranked, Hit]]], list[Hit]]
    """Has the last word once the rows are read (importance, diversity); same thread, same snapshot."""
    uses: bool = False
    """Whether `finish` wants to know how often memories were recalled. A store that doesn't count leaves it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodePage:
    """A slice of the verbatim messages, oldest first."""

    items: tuple[Episode, ...]
    cursor: str | None
    """Pass it to get the next slice; None at the end."""

    def __iter__(self):  # noqa: ANN204
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureResult:
    """What an erasure removed."""

    memories: int
    episodes: int
    versions: int
    scrub: Literal['verified', 'pending']
    """`verified`: the words are gone from every file. `pending`: a foreign reader holds the log open, or the
    file is still being swept; it is finished later, also after a restart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What a store holds."""

    backend: str
    location: str
    schema_version: int
    owners: int
    memories: int
    """Current ones."""
    versions: int
    episodes: int
    jobs_queued: int
    jobs_dead: int
    bytes: int
    generation: Generation | None
    building: Generation | None = None
    scrub_pending: bool = False
    usage: Usage = NO_USAGE
    """What models took for all jobs so far, those of erased messages too."""
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Clash(Conflict):
    """A current memory already says this, or holds this slot."""


class Erased(Conflict):
    """Something of the owner was erased since the job was taken, and may be in what was drawn: it is drawn anew."""


class NewerJob(StoreError):
    """The owner's next job was written by a newer version of memoranda, which has to do it."""


class LeaseLost(Conflict):
    """The job is no longer ours: it was taken over after its lease ran out, or its messages were erased."""
