"""`Policy`: what may be remembered, what a person has to approve first, what a prompt may show, how long it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from memoranda.records import Trust
from memoranda.scope import Level

__all__ = ['Action', 'Policy', 'ReadRule', 'Retention', 'ReviewMode', 'WriteRule']

Action: TypeAlias = Literal['allow', 'redact', 'review', 'drop']
"""What becomes of words of some kind (a password, a phone number).

- `allow`: stored as they are
- `redact`: replaced by what they were (`[phone number]`) before anything is stored
- `review`: the message keeps them, a fact that holds them waits for a person
- `drop`: as `redact`, and no fact is drawn from the words around them
"""
ReviewMode: TypeAlias = Literal['off', 'flagged', 'all']
"""Which facts wait for a person.

- `off`: none; what would have to wait is not believed at all
- `flagged`: those that some rule flags
- `all`: every one that was not given by a person
"""
WriteRule: TypeAlias = Literal['auto', 'review', 'drop']
ReadRule: TypeAlias = Literal['include', 'fence', 'exclude']
"""How a fact of some tier gets into a prompt: like any other, apart and marked as unconfirmed, or not at all."""

_WRITE: Final[Mapping[Trust, WriteRule]] = MappingProxyType(
    {'user': 'auto', 'assistant': 'auto', 'tool': 'review', 'external': 'review'}
)
_READ: Final[Mapping[Trust, ReadRule]] = MappingProxyType(
    {'user': 'include', 'assistant': 'include', 'tool': 'fence', 'external': 'fence'}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Facts that are not kept: those that meet every condition given, once they are as old as `after`."""

    after: timedelta
    """Since it was last said or written."""
    kinds: tuple[str, ...] | None = None
    levels: tuple[Level, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may be remembered, and on whose word."""

    review: ReviewMode = 'flagged'
    min_confidence: float = 0.0
    """0..1; facts an extractor is less sure of follow `below_confidence`."""
    below_confidence: Literal['review', 'drop'] = 'review'
    secrets: Action | Mapping[str, Action] = 'redact'
    """Of all secrets, or by kind."""
    personal_data: Action | Mapping[str, Action] = 'allow'
    """Of all personal data, or by kind."""
    special_categories: Action | Mapping[str, Action] = 'allow'
    """Health, religion, politics and the like: of all, or by kind."""
    instructions: Literal['review', 'drop'] = 'review'
    """Text that reads like an instruction to the agent and is not the user's own."""
    write: Mapping[Trust, WriteRule] = field(default_factory=lambda: _WRITE)
    """By the weakest tier that a fact rests on. Tiers left out keep their default."""
    read: Mapping[Trust, ReadRule] = field(default_factory=lambda: _READ)
    """Tiers left out keep their default."""
    burst: tuple[int, float] | None = (30, 60.0)
    """So many facts of one owner within so many seconds from one source that is not the user: further ones wait."""
    audit_reads: bool = False
    """Whether it is noted who read which memories; never what they say."""
    retention: tuple[Retention, ...] = ()

    def __post_init__(self) -> None:
        for name, default in (('write', _WRITE), ('read', _READ)):
            given: Mapping[Any, Any] = getattr(self, name)
            object.__setattr__(self, name, MappingProxyType({**default, **given}))
