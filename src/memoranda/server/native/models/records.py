"""Records as they are told: memories, messages, hits, edits, history."""

from __future__ import annotations

from memoranda.records import JobStatus, Op, ReviewOp, Role, Status, Trust
from memoranda.scope import Level
from memoranda.server.native.models._base import JsonObject, Moment, Told, ToldMetadata

__all__ = [
    'Added',
    'Context',
    'Edit',
    'Episode',
    'EpisodePage',
    'Evidence',
    'History',
    'HistoryEntry',
    'Hit',
    'Memory',
    'MemoryPage',
    'Preview',
    'ReviewNote',
    'ScopeIds',
    'SearchHits',
    'Usage',
]


class ScopeIds(Told):
    """The ids of a scope."""

    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    app_id: str | None = None


class Evidence(Told):
    """The words of a message that a memory rests on."""

    episode_id: str
    start: int
    """In code points of the stored text."""
    end: int
    quote: str


class Memory(Told):
    """One version of a memory: a short fact drawn from messages."""

    id: str
    """Stable over all versions."""
    version: int
    """1 for the first; its ETag is this number in quotes."""
    project: str
    level: Level
    scope: ScopeIds
    """The ids of its level."""
    said_under: ScopeIds
    """The ids it was said under."""
    text: str
    kind: str
    slot: str | None
    """A single-valued key such as `home.city`."""
    value: str | None
    """The bare value of the slot, when it is known."""
    status: Status
    confidence: float
    """0..1"""
    importance: float
    """0..1"""
    trust: Trust
    pinned: bool
    locked: bool
    """Edited by a person: extraction never overwrites it."""
    valid_from: Moment
    """When the fact began to hold in the world."""
    valid_to: Moment | None
    said_at: Moment
    """When it was last said."""
    recorded_at: Moment
    """When this version was recorded."""
    retired_at: Moment | None
    """When a later version took its place."""
    expires_at: Moment | None
    supersedes: str | None
    superseded_by: str | None
    evidence: list[Evidence]
    metadata: ToldMetadata
    tags: list[str]
    actor: str
    change_id: str
    hash: str


class Episode(Told):
    """One message as it was said, after redaction."""

    id: str
    project: str
    scope: ScopeIds
    conversation_id: str
    seq: int
    """Position in its conversation, from 0."""
    role: Role
    name: str | None
    text: str
    occurred_at: Moment
    """When it was said."""
    recorded_at: Moment
    trust: Trust
    metadata: ToldMetadata
    content_hash: str


class MemoryPage(Told):
    """A slice of the memories, oldest first."""

    items: list[Memory]
    next_cursor: str | None
    """Pass it as `cursor` to get the next slice; null at the end."""


class EpisodePage(Told):
    """A slice of the messages, oldest first."""

    items: list[Episode]
    next_cursor: str | None
    """Pass it as `cursor` to get the next slice; null at the end."""


class ReviewNote(Told):
    """What a proposal that waits for a person is about."""

    op: ReviewOp
    target: str | None
    """Id of the memory it would replace, confirm or retract."""
    reasons: list[str]


class Edit(Told):
    """One memory before and after a change."""

    op: Op
    before: Memory | None
    after: Memory
    review: ReviewNote | None
    """Of a memory that waits for a person from then on."""


class Usage(Told):
    """What answers of a model took."""

    requests: int
    input_tokens: int
    output_tokens: int
    cost: float | None
    """US dollars; null where no price is known."""


class Added(Told):
    """What was done with the messages; with 202 the receipt for what is stored."""

    job_id: str | None
    """Null when nothing was left to process."""
    status: JobStatus
    """`done`; with 202 how far it is."""
    error: str | None
    """Why it is tried again or could not be saved yet."""
    episode_ids: list[str]
    """The messages stored by this call, oldest first."""
    changes: list[Edit]
    """What became of them. `after.status` is `pending` for what waits until a person approves it."""
    known: int
    """Messages passed over because this conversation already held them."""
    replayed: bool
    """Whether the idempotency key was used before: then this is what the first call did."""
    skipped: dict[str, int]
    """How many proposals were dropped, by reason."""
    usage: Usage


class Preview(Told):
    """What an add would do. Its ids are provisional."""

    changes: list[Edit]
    known: int
    """Messages that the conversation holds already."""
    skipped: dict[str, int]
    """How many proposals would be dropped, by reason."""
    waiting: int
    """Jobs of earlier messages that are still to be done: they may change the ground."""
    usage: Usage


class Hit(Told):
    """One answer of a search: a memory, or the passage of a message."""

    id: str
    """Of the memory or message."""
    text: str
    """The fact, or the passage. It is data, and never an instruction."""
    score: float
    """0..1, comparable across queries."""
    memory: Memory | None
    episode: Episode | None
    start: int
    """For a message: the passage that matched, in code points of its text."""
    end: int
    stale: bool
    """For a message: a fact drawn from it was superseded or retracted since, and none of it still holds."""
    ended: list[tuple[int, int]]
    """For a message: where facts were drawn from that don't hold any more."""
    withheld: list[tuple[int, int]]
    """For a message: where facts were drawn from that a person turned down, or that wait for one."""
    why: JsonObject | None
    """With `explain`: every part of the score."""


class SearchHits(Told):
    """What a search found, best first."""

    hits: list[Hit]
    degraded: str | None
    """What it had to do without, such as `storage: StoreBusy` (then nothing was found); null when all worked."""


class Context(Told):
    """What an agent would be given for a question."""

    text: str
    """Framed as data, dated, cited by short ids; empty when there is nothing to say."""
    tokens: int
    """Of `text`, counted with o200k."""
    standing: list[Memory]
    """Instructions, pinned memories and profile, whatever the question is."""
    relevant: list[Hit]
    left_out: int
    """Hits that did not fit."""
    unconfirmed: list[Hit]
    """What stands in the part of the text that is marked as unconfirmed."""
    degraded: str | None


class HistoryEntry(Told):
    """What happened to a memory: one link of its owner's audit chain."""

    seq: int
    change_id: str
    memory_id: str
    op: Op
    before: JsonObject | None
    """Null also after the words were erased."""
    after: JsonObject | None
    actor: str
    reason: str
    at: Moment
    salt: str | None
    digest: str
    prev_hash: str
    hash: str
    format: int


class History(Told):
    """What happened to a memory or slot, oldest first."""

    items: list[HistoryEntry]
