"""Profiles, maintenance, figures, and who is calling."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from memoranda.server.native.models._base import Ask, Filters, Ids, Key, Kind, Moment, Told, Unit
from memoranda.server.native.models.records import Episode, Memory, Usage
from memoranda.server.native.models.review import Change

__all__ = [
    'ApplyRetention',
    'Clean',
    'CleanResult',
    'Generation',
    'InvalidValue',
    'LeftAlone',
    'Me',
    'Profile',
    'ProfileField',
    'ProfileSlot',
    'ReadProfile',
    'Reset',
    'RetentionResult',
    'Stats',
]

Kinds = Annotated[list[Kind], Field(min_length=1, max_length=64)]
Days = Annotated[float, Field(gt=0, le=100_000)]
ValueType = Literal['text', 'integer', 'number', 'boolean', 'date', 'datetime']
FieldName = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class ProfileSlot(Ask):
    """Where a field's value is kept, and what it is."""

    slot: Key
    """Such as `home.city`."""
    type: ValueType = 'text'
    many: bool = False
    """A list: of the slot itself, and of the slots that begin with it and a dot."""
    choices: (
        Annotated[
            list[Annotated[str, StringConstraints(max_length=200)]],
            Field(min_length=1, max_length=100, fail_fast=True),
        ]
        | None
    ) = None
    """With the type `text`: the only values it can have."""


class ReadProfile(Ids):
    """Fields to fill from memories."""

    model_config = ConfigDict(
        json_schema_extra={
            'examples': [
                {
                    'user_id': 'ana',
                    'fields': {'city': {'slot': 'home.city'}, 'allergies': {'slot': 'allergy', 'many': True}},
                }
            ]
        }
    )

    fields: Annotated[dict[FieldName, ProfileSlot], Field(min_length=1, max_length=100)]
    """What to fill, by names of your own."""
    as_of: Moment | None = None
    """What held then instead of now."""
    known_at: Moment | None = None
    """What was believed then instead of now."""


class ProfileField(Told):
    """The value of a field, and what it rests on."""

    slot: str
    value: Any
    confidence: float
    """0..1"""
    valid_from: Moment
    valid_to: Moment | None
    memories: list[Memory]
    """What says so: one memory, or for a list one per item."""
    shadowed: list[Memory]
    """What less personal levels say of the slot now."""


class InvalidValue(Told):
    """A memory whose value doesn't fit."""

    field: str
    slot: str
    reason: str
    memory: Memory


class Profile(Told):
    """What is known of some fields."""

    fields: dict[str, ProfileField]
    missing: list[str]
    """Fields that no current memory says anything about."""
    conflicts: dict[str, list[Memory]]
    """Fields left out because several memories of one level hold now and differ."""
    invalid: list[InvalidValue]


class Clean(Ids):
    """What to tidy. A memory is dropped when it meets every condition that is given; without any, none is."""

    model_config = ConfigDict(
        json_schema_extra={
            'examples': [{'user_id': 'ana', 'unused_for_days': 365, 'max_confidence': 0.4, 'dry_run': True}]
        }
    )

    expired: bool = True
    """Give those past their `expires_at` the status `expired`."""
    filters: Filters | None = None
    older_than_days: Days | None = None
    """Drop what was last said longer ago than this."""
    unused_for_days: Days | None = None
    """Drop what was neither recalled nor written for so long."""
    max_confidence: Unit | None = None
    """Drop what is at most so certain."""
    kinds: Kinds | None = None
    """Drop only these kinds."""
    merge_duplicates: bool = False
    """Merge those that say the same into the best supported one."""
    dry_run: bool = False
    """Only tell what would be changed."""


class Reset(Ids):
    """Which memories to take back: what is known of tools and set-up, or all of some kinds."""

    model_config = ConfigDict(json_schema_extra={'examples': [{'user_id': 'ana', 'dry_run': True}]})

    kinds: Kinds | None = None
    """All memories of these kinds, instead of what belongs to the workspace."""
    dry_run: bool = False
    """Only tell what would be changed."""


class LeftAlone(Told):
    """A memory that would have been changed."""

    memory: Memory
    reason: Literal['pinned', 'locked']


class CleanResult(Told):
    """What was tidied, or would be."""

    changes: list[Change]
    counts: dict[str, int]
    """How many memories were `expired`, `dropped`, `merged` or `reset`."""
    left: list[LeftAlone]
    """Memories that a person has pinned or written."""
    dry_run: bool


class ApplyRetention(Ids):
    """Of whom: one id; without any, of everybody in the project."""

    model_config = ConfigDict(json_schema_extra={'examples': [{'dry_run': True}]})

    dry_run: bool = False
    """Only tell what would be taken."""
    sample: Annotated[int, Field(ge=0, le=1000)] = 20
    """With `dry_run`: how many examples of each to give."""


class RetentionResult(Told):
    """What the policy's retention took, or would take."""

    expired: int
    """Facts that got the status `expired`."""
    messages: int
    """Messages that were erased."""
    facts: int
    """Facts that were erased with them."""
    left: int
    """Facts that are old enough, and pinned or locked."""
    owners: int
    some_expired: list[Memory]
    some_messages: list[Episode]
    some_facts: list[Memory]
    scrub: Literal['verified', 'pending'] | None
    dry_run: bool


class Generation(Told):
    """The embedder that vectors were made with."""

    id: int
    embedder: str
    dimensions: int


class Stats(Told):
    """What the storage holds, over all projects."""

    backend: str
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
    building: Generation | None
    scrub_pending: bool
    usage: Usage


class Me(Told):
    """Whose the key is, and what it may do."""

    name: str
    project: str
    role: Literal['reader', 'writer', 'reviewer', 'admin']
    user_id: str | None
    """The only user that the key is for."""
    read: dict[str, str] = Field(default_factory=dict[str, str])
    """How a fact of each tier gets into a prompt: `include`, `fence` (marked as unconfirmed) or `exclude`."""
    passages: dict[str, str] = Field(default_factory=dict[str, str])
    """The same for passages of messages."""
    batch_turns: int = 1
    """Turns of a conversation that are read together."""
