"""The audit chains: reading them, proving them, and who read what."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from memoranda.server.native.models._base import Flag, Ids, JsonObject, Moment, Paged, Told, Whole

__all__ = [
    'AuditEntry',
    'AuditPage',
    'Break',
    'ChainHead',
    'Checkpoint',
    'ListAudit',
    'ListReads',
    'Owner',
    'ReadEntry',
    'ReadPage',
    'Verification',
    'VerifyAudit',
]


class ListAudit(Paged):
    """Whose chains; without any id, all of the project."""

    limit: Annotated[Whole, Field(ge=1, le=1000)] = 100
    """How many at most."""
    words: Flag = False
    """With what was remembered; the chain can be proved without it."""


class AuditEntry(Told):
    """One entry of a chain: all that its hash is made of."""

    owner: int
    """The owner's number in the storage."""
    kind: str
    subject: str
    """The owner's keyed hash."""
    seq: int
    format: int
    change_id: str
    memory_id: str
    op: str
    actor: str
    reason: str
    at: int
    """Microseconds since 1970, UTC."""
    before: str | None
    """The very text that the digest is made of: JSON."""
    after: str | None
    salt: str | None
    digest: str
    prev_hash: str
    hash: str


class AuditPage(Told):
    """A slice of the log: owner by owner, each in the order of its chain."""

    items: list[AuditEntry]
    next_cursor: str | None
    """Pass it as `cursor` to get the next slice; null at the end."""


class VerifyAudit(Ids):
    """Whose chains to prove; without any id, all of the project."""

    model_config = ConfigDict(json_schema_extra={'examples': [{}, {'user_id': 'ana'}]})

    anchor: JsonObject | None = None
    """A checkpoint that was made before: then also that nothing up to it was cut off or changed."""


class Owner(Told):
    """Whose a chain is."""

    project: str
    kind: str
    key: str


class Break(Told):
    """The first thing that doesn't fit in a chain."""

    owner: Owner
    subject: str
    seq: int | None
    reason: str
    detail: str
    memory_id: str | None


class Verification(Told):
    """What was found."""

    ok: bool
    at: Moment
    owners: int
    """Chains that were looked at."""
    entries: int
    versions: int
    """Versions of memories that were compared with the entry that made them."""
    erased: int
    reads: int
    unbound: int
    anchored: int
    """Chains that were compared with the anchor."""
    unprovable: int
    breaks: list[Break]


class ChainHead(Told):
    """How far a chain had come."""

    owner: int
    project: str
    kind: str
    subject: str
    entries: int
    head: str


class Checkpoint(Told):
    """How far the chains have come: an anchor, to be kept elsewhere. It names nobody."""

    memoranda: Literal['checkpoint']
    format: int
    at: str
    storage: str
    project: str | None
    projects: dict[str, Any]
    chains: list[ChainHead]
    digest: str


class ListReads(Paged):
    """Whose reads; without any id, all of the project."""

    memory_id: str | None = None
    """Only reads of this memory."""


class ReadEntry(Told):
    """That something was read."""

    id: str
    at: Moment
    actor: str
    purpose: str
    reason: str
    memory_ids: list[str]
    message_ids: list[str]
    times: int
    everything: bool
    """All that was held then; no ids are listed."""
    seq: int
    kind: str
    key: str
    """The owner's id."""


class ReadPage(Told):
    """A slice of the reads, latest first."""

    items: list[ReadEntry]
    next_cursor: str | None
    """Pass it as `cursor` to get the next slice; null at the end."""
