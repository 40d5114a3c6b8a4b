"""Remembering, recalling, looking up and correcting memories."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, StringConstraints, Tag

from memoranda.records import Trust
from memoranda.scope import Level
from memoranda.server.native.models._base import (
    Ask,
    Filters,
    Flag,
    Id,
    Ids,
    Key,
    Kind,
    Metadata,
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
    'BuildContext',
    'DeleteMemory',
    'Erased',
    'ListEpisodes',
    'ListMemories',
    'Message',
    'Part',
    'PreviewMemories',
    'SearchMemories',
    'SlotQuery',
    'UpdateMemory',
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


Parts = Annotated[list[Part | str], Field(fail_fast=True)]


class Message(Ask):
    """One thing that was said."""

    role: Literal['user', 'human', 'assistant', 'ai', 'model', 'system', 'developer', 'tool', 'function']
    """What `system`, `developer`, `tool` and `function` say is passed over, unless a tool's words come with `trust`."""
    content: Annotated[str, StringConstraints(max_length=1_000_000)] | Parts | None = None
    name: Id | None = None
    """Who said it, in a conversation of several."""
    timestamp: Moment | None = None
    """When it was said."""
    metadata: Metadata = Field(default_factory=dict[str, Any])
    """Your own JSON, kept with this message."""
    trust: Trust | None = None
    """A lower tier than its role promises, such as `external` for a document."""
    tool_calls: list[Any] | None = None
    """Passed over."""
    tool_call_id: str | None = None
    """Passed over."""


def _shape(given: object) -> str:
    """Which of the shapes of messages is meant, so that an error tells of that one only."""
    if isinstance(given, list):
        return 'list'
    return 'message' if isinstance(given, dict | Message) else 'text'


class _Facts(Ids):
    messages: Annotated[
        Annotated[Text, Tag('text')]
        | Annotated[Message, Tag('message')]
        | Annotated[list[Message], Field(min_length=1, max_length=10_000, fail_fast=True), Tag('list')],
        Discriminator(_shape),
        Field(examples=['I live in Lisbon.', [{'role': 'user', 'content': 'I live in Lisbon.'}]]),
    ]
    """Text, a message, or a list of messages, oldest first."""
    metadata: Metadata = Field(default_factory=dict[str, Any], examples=[{'ticket': 7}])
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
