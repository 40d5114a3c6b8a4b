"""Remembering, recalling, looking up and correcting memories."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from memoranda.records import JobStatus, Op, ReviewOp, Role, Status, Trust
from memoranda.scope import Level
from memoranda.server.native.models._base import (
    Ask,
    Filters,
    Flag,
    Id,
    Ids,
    JsonObject,
    Key,
    Kind,
    Moment,
    Paged,
    Tags,
    Text,
    Told,
    Unit,
    UpdateFields,
    Value,
)

__all__ = [
    'AddMemories',
    'Added',
    'BuildContext',
    'Context',
    'DeleteMemory',
    'Edit',
    'Episode',
    'EpisodePage',
    'Erased',
    'Evidence',
    'History',
    'HistoryEntry',
    'Hit',
    'ListEpisodes',
    'ListMemories',
    'Memory',
    'MemoryPage',
    'Message',
    'Part',
    'Preview',
    'PreviewMemories',
    'ReviewNote',
    'ScopeIds',
    'SearchHits',
    'SearchMemories',
    'SlotQuery',
    'UpdateMemory',
    'Usage',
]

Lane = Literal['memories', 'episodes']
Strategy = Literal['hybrid', 'semantic', 'keyword', 'recency']
Lanes = Annotated[list[Lane], Field(min_length=1, max_length=2)]
Levels = Annotated[list[Level], Field(min_length=1, max_length=5)]


class Part(Ask):
    """A part of a message's content. Only text is remembered; an image or a file is passed over."""

    model_config = ConfigDict(extra='allow')

    type: Key
    text: str | None = None


class Message(Ask):
    """One thing that was said."""

    role: Literal['user', 'human', 'assistant', 'ai', 'model', 'system', 'developer', 'tool', 'function']
    """What `system`, `developer`, `tool` and `function` say is passed over, unless a tool's words come with `trust`."""
    content: Annotated[str, StringConstraints(max_length=1_000_000)] | list[Part | str] | None = None
    name: Id | None = None
    """Who said it, in a conversation of several."""
    timestamp: Moment | None = None
    """When it was said."""
    metadata: JsonObject = Field(default_factory=dict[str, Any])
    """Your own JSON, kept with this message."""
    trust: Trust | None = None
    """A lower tier than its role promises, such as `external` for a document."""
    tool_calls: list[Any] | None = None
    """Passed over."""
    tool_call_id: str | None = None
    """Passed over."""


class _Facts(Ids):
    messages: Annotated[
        Text | Message | Annotated[list[Message], Field(min_length=1, max_length=10_000)],
        Field(examples=['I live in Lisbon.', [{'role': 'user', 'content': 'I live in Lisbon.'}]]),
    ]
    """Text, a message, or a list of messages, oldest first."""
    metadata: JsonObject = Field(default_factory=dict[str, Any], examples=[{'ticket': 7}])
    """Your own JSON, kept with messages and facts, and filterable."""
    infer: bool = True
    """Draw facts from the messages. False stores each message of a user as one fact, as given."""
    kind: Kind | None = None
    """With `infer: false`: what sort of fact, `knowledge` by default."""
    slot: Key | None = None
    """With `infer: false`: its single-valued key, such as `home.city`; a new value supersedes the old."""
    occurred_at: Moment | None = None
    """When it was said, unless a message tells itself; by default now."""
    valid_from: Moment | None = None
    """With `infer: false`: since when it holds, by default since it was said."""
    valid_to: Moment | None = None
    """With `infer: false`: until when."""
    expires_at: Moment | None = None
    """When to stop recalling it."""
    instructions: Annotated[str, StringConstraints(min_length=1, max_length=4_000)] | None = None
    """What extraction by a model shall regard in these messages."""
    trust: Trust | None = None
    """The best tier of these messages, where their role promises too much (docs/trust.md)."""


class AddMemories(_Facts):
    """Something to remember."""

    model_config = ConfigDict(
        json_schema_extra={
            'examples': [
                {
                    'messages': [{'role': 'user', 'content': 'I live in Lisbon and I am allergic to peanuts.'}],
                    'user_id': 'ana',
                    'run_id': 's1',
                },
                {'messages': 'Prefers tea to coffee', 'user_id': 'ana', 'infer': False, 'kind': 'preference'},
            ]
        }
    )

    value: Value | None = None
    """With `infer: false` and a slot: the bare value, such as `Lisbon` of "Lives in Lisbon"."""
    level: Literal['user', 'run'] | None = None
    """With `infer: false`: `run` keeps the fact to this conversation."""
    tags: Tags = Field(default_factory=list[str])
    """Words to find it by."""
    confidence: Unit | None = None
    """With `infer: false`: 0..1."""
    importance: Unit | None = None
    """With `infer: false`: 0..1."""
    pinned: bool = False
    """Always part of the context."""
    supersedes: Id | None = None
    """With `infer: false`: the id of a memory that held until now, and whose place this takes."""
    corrects: Id | None = None
    """The same of a memory that was never true."""
    batch_turns: Annotated[int, Field(ge=1, le=1000)] | None = None
    """With `Prefer: respond-async` and a run: read together with further turns, once there are so many."""


class PreviewMemories(_Facts):
    """Something that might be remembered."""

    model_config = ConfigDict(json_schema_extra={'examples': [{'messages': 'I moved to Porto.', 'user_id': 'ana'}]})


class _Question(Ids):
    query: Annotated[str, StringConstraints(min_length=1, max_length=10_000)] = Field(examples=['where do they live?'])
    """A question or some words, in any language."""
    filters: Filters | None = None
    as_of: Moment | None = None
    """What held then instead of now."""
    known_at: Moment | None = None
    """What was believed then instead of now."""


class SearchMemories(_Question):
    """A question to the memory."""

    model_config = ConfigDict(
        json_schema_extra={'examples': [{'query': 'where do they live?', 'user_id': 'ana', 'top_k': 3}]}
    )

    top_k: Annotated[int, Field(ge=1, le=1000)] = 5
    """How many."""
    min_score: Unit = 0.0
    """Weaker hits are left out."""
    strategy: Strategy = 'hybrid'
    """`recency` lists the latest first."""
    include: Lanes = Field(default_factory=lambda: ['memories'])
    """Facts, passages of messages, or both in one list."""
    levels: Levels | None = None
    """Only memories of these levels."""
    explain: bool = False
    """Give every part of each score in `why`."""


class BuildContext(_Question):
    """A question that an agent is to be given the context of."""

    model_config = ConfigDict(
        json_schema_extra={'examples': [{'query': 'plan a dinner', 'user_id': 'ana', 'max_tokens': 400}]}
    )

    max_tokens: Annotated[int, Field(ge=50, le=1_000_000)] = 800
    """The most the text may take, counted with o200k."""
    top_k: Annotated[int, Field(ge=1, le=1000)] = 12
    """How many hits to choose from."""
    include: Lanes = Field(default_factory=lambda: ['memories', 'episodes'])


class UpdateMemory(UpdateFields):
    """What is to change. A field that is left out stays; `slot`, `value` and `expires_at` are cleared by null."""

    model_config = ConfigDict(json_schema_extra={'examples': [{'text': 'Lives in Lisbon, in Alfama', 'pinned': True}]})

    locked: bool | None = None
    """False lets extraction overwrite it again."""
    said_at: Moment | None = None
    """When it was said; where that was taken for the day it began to hold, that moves along."""


class DeleteMemory(Ids):
    """What to retract."""

    linked: Flag = False
    """Those it superseded too, and those that they did: then the past holds none of them either."""


class ListMemories(Paged):
    """Which memories."""

    filters: Annotated[str, StringConstraints(max_length=100_000)] | None = Field(
        default=None, examples=['{"kind": "preference"}']
    )
    """What must hold, as JSON text (docs/filters.md)."""
    levels: Levels | None = None
    """Only memories of these levels."""
    include_inactive: Flag = False
    """Superseded, retracted and expired ones too."""
    as_of: Moment | None = None
    """What held then instead of now."""
    known_at: Moment | None = None
    """What was believed then instead of now."""


class ListEpisodes(Paged):
    """Which messages; of a run, those of that run."""


class Erased(Told):
    """What an erasure removed."""

    memories: int
    episodes: int
    versions: int
    scrub: Literal['verified', 'pending']
    """`verified`: the words are gone from every file. `pending`: that is finished later."""


class SlotQuery(Ids):
    """Whose slot."""


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
    metadata: JsonObject
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
    metadata: JsonObject
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
