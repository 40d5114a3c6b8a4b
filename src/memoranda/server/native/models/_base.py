"""What all requests and answers have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from memoranda._noted import NOTED, without_notes

__all__ = [
    'Ask',
    'Filters',
    'Flag',
    'Id',
    'Ids',
    'JsonObject',
    'Key',
    'Kind',
    'Metadata',
    'Moment',
    'Paged',
    'Tags',
    'Text',
    'Told',
    'ToldMetadata',
    'Unit',
    'UpdateFields',
    'Value',
    'Whole',
]

MOST_FIELDS: Final = 100
"""More than any request has."""
_STAMP: Final = re.compile(r'\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,12})?([Zz]|[+-]\d\d:\d\d)', re.ASCII)
_NUMBER: Final = re.compile(r'-?\d{1,18}', re.ASCII)


def _moment(value: object) -> object:
    if isinstance(value, datetime):  # of a record, or of a client that builds a request
        if value.tzinfo is UTC:
            return value
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if not isinstance(value, str) or not _STAMP.fullmatch(value):
        raise ValueError('is not a moment of RFC 3339: write it like 2026-05-31T09:30:00Z')
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError('is no day or time of the years 1 to 9999') from None


def _flag(value: object) -> object:
    if isinstance(value, str):
        if value not in ('true', 'false'):
            raise ValueError('is neither true nor false')
        return value == 'true'
    return value


def _number(value: object) -> object:
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise ValueError('is not a whole number')
        return int(value)
    return value


# In a query string all is text, and pydantic would read many words as a yes.
Moment = Annotated[datetime, BeforeValidator(_moment)]
"""RFC 3339 with an offset; UTC in answers."""
Flag = Annotated[bool, BeforeValidator(_flag)]
Whole = Annotated[int, BeforeValidator(_number)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Kind = Annotated[str, StringConstraints(pattern=r'^[a-z][a-z0-9_-]{0,63}$')]
Value = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1_000_000)]
Tags = Annotated[list[Key], Field(max_length=64)]
Unit = Annotated[float, Field(ge=0, le=1)]
JsonObject = dict[str, Any]


def _unreserved(metadata: dict[str, Any]) -> dict[str, Any]:
    if NOTED in metadata:
        raise ValueError(f'has the key {NOTED}, which is kept for what other programs note: use another one')
    return metadata


Metadata = Annotated[JsonObject, AfterValidator(_unreserved)]
"""Of a request."""
ToldMetadata = Annotated[JsonObject, AfterValidator(without_notes)]
"""Of an answer: as it was given."""
Filters = Annotated[
    dict[str, Any],
    Field(
        description='What must hold, such as `{"kind": "preference"}` (docs/filters.md).',
        examples=[{'kind': 'preference'}],
    ),
]


class Ask(BaseModel):
    """What a client sends. A field that isn't known is refused, and nothing is read as something of another type."""

    model_config = ConfigDict(extra='forbid', strict=True, use_attribute_docstrings=True, validate_default=False)

    @model_validator(mode='before')
    @classmethod
    def _not_too_many(cls, given: object) -> object:
        # Each unknown field would be an error of its own, and writing a million of them holds up everybody.
        count = len(cast('Mapping[str, object]', given)) if isinstance(given, Mapping) else 0
        if count > MOST_FIELDS:
            raise ValueError('has too many fields')
        return cast('object', given)


class Told(BaseModel):
    """What the server answers. Clients must bear further fields."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True, arbitrary_types_allowed=False)


class Ids(Ask):
    """Whose memories a call is about: at least one id, or `shared`."""

    user_id: Id | None = None
    """Whose. A key that is for one user fills it in."""
    agent_id: Id | None = None
    """The agent; alone, the agent's own memories."""
    run_id: Id | None = None
    """The conversation."""
    app_id: Id | None = None
    """The application; alone, memories shared by it."""
    shared: Flag = False
    """What the project shares with everybody, instead of any id."""

    def ids(self) -> dict[str, str]:
        """Those that were given."""
        names = ('user_id', 'agent_id', 'run_id', 'app_id')
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class Paged(Ids):
    """A listing that is read a page at a time."""

    limit: Annotated[Whole, Field(ge=1, le=1000)] = 100
    """How many at most."""
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    """`next_cursor` of the page before, with all else the same."""


class UpdateFields(Ask):
    """What a person may change of a memory. What is left out stays; null clears `slot`, `value` and `expires_at`."""

    text: Text | None = None
    """New words lock the memory: extraction never overwrites what a person has written."""
    kind: Kind | None = None
    slot: Key | None = None
    value: Value | None = None
    """The bare value of the slot."""
    metadata: Metadata | None = None
    """Replaces what there was."""
    tags: Tags | None = None
    """Replaces what there was."""
    importance: Unit | None = None
    pinned: bool | None = None
    """Always part of the context."""
    expires_at: Moment | None = None
    """When to stop recalling it."""
