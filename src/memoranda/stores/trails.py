"""What passes between the audit log, as people look through it, and a store: entries of all chains, latest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from memoranda.scope import Owner

__all__ = ['MOST_LOOKED_AT', 'TrailAsked', 'TrailEntry']

MOST_LOOKED_AT: Final = 10_000
"""Entries that one page looks through for those that are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailAsked:
    """Which entries are wanted. Conditions that are None are left out."""

    project: str
    owner: Owner | None = None
    """Of this chain only; None: of all of the project."""
    kind: str | None = None
    """Of owners of this sort only."""
    ops: tuple[str, ...] | None = None
    actor: str | None = None
    """How the actor's name begins."""
    memory_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Before this moment."""
    limit: int = 50
    cursor: str | None = None
    most: int = MOST_LOOKED_AT


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailEntry:
    """An entry of an audit chain, without the words of any memory."""

    place: tuple[int, int]
    """Microseconds since 1970, and row: latest first is the order of these."""
    number: int
    """The owner's, in the storage."""
    seq: int
    """Its place in the chain, from 1."""
    kind: str
    """Of the owner; `erased` after everything of it was erased."""
    key: str
    """The owner's id; of an erased one its number."""
    at: datetime
    op: str
    actor: str
    reason: str
    memory_id: str
    """Empty when it is about none."""
    change_id: str
    told: str | None
    """JSON of what it tells when it is about no memory: whose key, what was erased, what was read."""

    @property
    def cursor(self) -> str:
        """What the entries behind it are asked for with."""
        return f'{self.place[0]}.{self.place[1]}'
