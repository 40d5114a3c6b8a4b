"""What passes between the audit and a store: chains, their links, and who read what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from memoranda.records import MemoryRecord
    from memoranda.scope import Owner
    from memoranda.stores.history import Link

__all__ = ['Chain', 'ReadEntry', 'ReadNote', 'Seen', 'Visit', 'Walked']


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """An owner's audit chain, as its owner tells of it."""

    number: int
    """The owner's, which is never given to another."""
    project: str
    kind: str
    """`erased` after everything of the owner was erased; `unknown` for entries that belong to no owner."""
    key: str
    """Its id; of an erased one its number."""
    subject: str
    """The keyed hash of the three."""
    length: int
    head: str
    """Hash of the last link."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A link, and the version of a memory that it made as the tables hold it now; None where it made none."""

    link: Link
    memory: MemoryRecord | None
    messages: Mapping[str, tuple[str, str | None]] = field(default_factory=dict[str, tuple[str, str | None]])
    """Of messages, by their ids: the digest that the link tells (`history.messages_told`), and that of the message as
    the tables hold it now; None where it is gone."""


Visit: TypeAlias = Callable[[Chain, Sequence[Seen]], bool]
"""Is shown the links of a chain in their order, some hundreds at a time. False ends it. Runs on the store's thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What is left to tell when all links of a chain were seen."""

    chain: Chain
    stray: tuple[str, int] | None = None
    """Id and version of a memory that no link tells of."""
    odd: tuple[str, int] | None = None
    """Id and version of a memory that counts as current beside a later version, or as retired without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadNote:
    """That something of an owner was read; never what it says."""

    owner: Owner
    actor: str
    purpose: str
    """Which call: `search`, `context`, ..."""
    reason: str
    """The caller's own; empty without one."""
    memory_ids: Sequence[str]
    message_ids: Sequence[str]
    times: int
    """How many such calls in a row are told together."""
    at: datetime
    """Of the first of them."""
    everything: bool = False
    """All that was held then, such as by an export; then no ids are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadEntry:
    """An entry of the audit chain that tells of a read."""

    id: str
    at: datetime
    actor: str
    purpose: str
    reason: str
    memory_ids: tuple[str, ...]
    message_ids: tuple[str, ...]
    times: int
    everything: bool
    """All that was held then; no ids are listed."""
    seq: int
    """Its place in the chain of the owner."""
    kind: str
    """Of the owner: `user`, `run`, `agent`, `app`, `global`."""
    key: str
    """The owner's id."""
