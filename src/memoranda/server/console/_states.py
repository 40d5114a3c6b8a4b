"""What an edit changed beside the words, told to people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

__all__ = ['FieldChange', 'changed_fields']

_TOLD: Final = (
    'status', 'kind', 'slot', 'value', 'level', 'trust', 'confidence', 'importance', 'pinned', 'locked', 'said_at',
    'valid_from', 'valid_to', 'expires_at', 'supersedes', 'superseded_by', 'tags', 'metadata', 'evidence',
)  # fmt: skip
_UNSAID: Final[Mapping[str, Any]] = {'tags': [], 'metadata': {}, 'evidence': [], 'pinned': False, 'locked': False}
_MOMENTS: Final = ('said_at', 'valid_from', 'valid_to', 'expires_at')


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field and what it was and is, in words."""

    name: str
    before: str
    after: str
    memory: bool = False
    """Whether the words are ids of memories."""


def changed_fields(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[FieldChange]:
    """The fields beside the text in which two states of a memory differ.

    Args:
        before: A state as the history has it; None of a first one, which differs in nothing.
        after: The state that followed; None when it was erased.
    """
    if before is None or after is None:
        return []
    return [
        FieldChange(
            name.replace('_', ' '),
            _words(name, before.get(name)),
            _words(name, after.get(name)),
            memory=name in ('supersedes', 'superseded_by'),
        )
        for name in _TOLD
        if before.get(name, _UNSAID.get(name)) != after.get(name, _UNSAID.get(name))
    ]


def _words(name: str, value: Any) -> str:
    if value is None or value in ('', [], {}):
        return 'none'
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if name in _MOMENTS:
        return f'{str(value)[:10]} {str(value)[11:16]} UTC'
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    if isinstance(value, list):
        listed = cast('list[Any]', value)
        if name == 'evidence':
            count = len({str(cast('list[Any]', one)[0]) for one in listed if one})
            return f'{count} message{"" if count == 1 else "s"}'
        return ', '.join(map(str, listed))
    return f'{value:g}' if isinstance(value, float) else str(value)
