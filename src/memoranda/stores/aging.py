"""What retention asks of a store, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from memoranda.records import Episode, MemoryRecord

__all__ = ['Aged', 'Aging', 'Round', 'Spared']

Spared: TypeAlias = Literal['current', 'pinned', 'nothing']
"""Which old messages stay.

- `current`: those that a current fact rests on, or one that waits for a person
- `pinned`: those that a pinned or locked one of these rests on
- `nothing`: none
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aging:
    """Messages that are to go. One whose job is not done stays until it is."""

    before: Mapping[Spared, datetime]
    """Up to when they were stored, by what stays nevertheless; a message goes when one of these takes it."""
    at: datetime
    """Now: which facts are current."""
    without: Sequence[str] = ()
    """Ids of memories that shall not count, because they are about to end."""
    actor: str = 'retention'
    """On whose account they go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """What is to go, or went, of one owner."""

    messages: int = 0
    facts: int = 0
    """Memories, of whatever status, that rest on these messages alone."""
    episodes: Sequence[Episode] = ()
    """Some of the messages. Of an erasure none: nothing is left of them."""
    memories: Sequence[MemoryRecord] = ()
    """Some of the facts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Leave to do work that is due now and then, or how long to wait for it."""

    mine: bool
    """Whether the caller is to do it; nobody else does as long as its lease is renewed."""
    after: str | None = None
    """How far somebody came who was interrupted."""
    again: float = 0.0
    """Seconds until it makes sense to ask again, when it isn't the caller's."""
