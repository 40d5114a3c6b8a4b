"""Changes a person makes by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from memoranda.checks import KEEP, as_moment, check_flag, check_kind, check_slot, check_tags, check_unit, storable
from memoranda.errors import InvalidInput, shown
from memoranda.records import MemoryRecord, now
from memoranda.write.detect import redact
from memoranda.write.options import check_metadata, check_named, check_value

if TYPE_CHECKING:
    from memoranda.policy import Policy
    from memoranda.settings import Settings

__all__ = ['edited']


def edited(
    memory: MemoryRecord,
    settings: Settings,
    *,
    policy: Policy,
    text: object,
    kind: str | None,
    slot: str | None,
    value: object,
    metadata: Mapping[str, Any] | None,
    tags: Sequence[str] | None,
    importance: float | None,
    pinned: bool | None,
    locked: bool | None,
    expires_at: object,
    said_at: object = None,
) -> MemoryRecord:
    """The memory with these fields; None leaves one as it is, except slot, value and expires_at, where it clears.

    Raises:
        InvalidInput: A value that can't be used.
    """
    slot = None if slot is None else check_slot(slot)
    check_named(
        policy=policy,
        slot=None if slot == memory.slot else slot,
        kind=None if kind in (None, memory.kind) else check_kind(kind),
    )
    words = memory.text
    if text is not None:
        if not isinstance(text, str) or not text.strip():
            raise InvalidInput(f'text={shown(text)} is empty or no text: pass the fact, or delete the memory')
        if len(text) > settings.max_text_chars:
            raise InvalidInput(
                f'text has {len(text):,} characters, and {settings.max_text_chars:,} is the most: shorten it'
            )
        words = redact(storable(text.strip()), policy)[0]
    if value is KEEP:  # a value belongs to its words and its slot
        value = memory.value if words == memory.text and slot == memory.slot else None
    value = check_value(value, slot)
    said = memory.said_at if said_at is None else _said(as_moment(said_at, 'said_at'))
    return replace(
        memory,
        text=words,
        kind=memory.kind if kind is None else check_kind(kind),
        slot=slot,
        value=None if value is None else redact(value, policy)[0],
        metadata=memory.metadata if metadata is None else check_metadata(metadata, policy=policy),
        tags=memory.tags if tags is None else tuple(redact(t, policy)[0] for t in check_tags(tags)),
        importance=memory.importance if importance is None else check_unit('importance', importance),
        pinned=memory.pinned if pinned is None else check_flag('pinned', pinned),
        locked=memory.locked or words != memory.text if locked is None else check_flag('locked', locked),
        expires_at=None if expires_at is None else as_moment(expires_at, 'expires_at'),
        said_at=said,
        # What began to hold when it was said, as far as anybody knew, begins with it.
        valid_from=said if memory.valid_from == memory.said_at else memory.valid_from,
    )


def _said(at: datetime) -> datetime:
    if at > now() + timedelta(days=1):
        raise InvalidInput(
            f'said_at={at.isoformat()} lies in the future, and a fact was said before it is known: correct it'
        )
    return at
