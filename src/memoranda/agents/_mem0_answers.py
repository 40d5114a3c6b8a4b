"""What is asked of Mem0, and what its answers hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from memoranda.agents.provider import StoredMemory
from memoranda.errors import InvalidFilter, InvalidInput, StoreError, shown, what_is
from memoranda.records import content_hash
from memoranda.scope import Scope
from memoranda.write.messages import Message

__all__ = ['checked', 'ids_of', 'is_not_found', 'is_under', 'items_of', 'key_of', 'pending', 'stored']

_IDS: Final = ('user_id', 'agent_id', 'run_id')
_ALSO_CALLED: Final = {'run_id': 'session_id'}
"""In listings of the hosted service."""
_RESERVED: Final = frozenset(
    (*_IDS, 'app_id', 'actor_id', 'role', 'data', 'hash', 'text_lemmatized', 'attributed_to', 'expiration_date')
)
"""Names that its open-source library keeps beside the metadata, in the same place."""
_KEY = re.compile(r'[^$.*\x00-\x1f\x7f]{1,256}')


def ids_of(scope: Scope) -> dict[str, str]:
    found = {name: cast('str | None', getattr(scope, name)) for name in _IDS}
    return {name: value for name, value in found.items() if value is not None}


def checked(metadata: Mapping[str, Any], *, nested: bool = False) -> dict[str, Any]:
    """Metadata that can't be taken for ids, for operators or for a wildcard.

    Args:
        metadata: As it was given.
        nested: Whether lists and objects are fine, which can be kept and not be compared.
    """
    for key, value in metadata.items():
        if not isinstance(key, str) or not _KEY.fullmatch(key) or key in _RESERVED or key in ('AND', 'OR', 'NOT'):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidFilter(f'metadata key {shown(key)} has another meaning for Mem0: use another word')
        if nested:
            continue
        if not isinstance(value, str | int | float) or value == '*':
            raise InvalidFilter(f'metadata {key}={shown(value)} can not be searched for: use text, a number or a bool')
    return dict(metadata)


def is_under(item: object, ids: Mapping[str, str], *, surely: bool = False) -> bool:
    """Whether a memory is kept under ids; one that doesn't tell may be, but not surely."""
    if not isinstance(item, Mapping):
        return False
    fields = cast('Mapping[str, object]', item)
    for name, value in ids.items():
        said = fields.get(name) or fields.get(_ALSO_CALLED.get(name, name))
        if said != value and (surely or said is not None):
            return False
    return True


def items_of(answer: object) -> list[Mapping[str, Any]]:
    listed = cast('Mapping[str, object]', answer).get('results', []) if isinstance(answer, Mapping) else answer
    if not isinstance(listed, list):
        raise StoreError(
            f'Mem0 answered with {what_is(listed)}, and results come as a list: check the address and the '
            'version of mem0ai'
        )
    return [cast('Mapping[str, Any]', one) for one in cast('list[object]', listed) if isinstance(one, Mapping)]


def key_of(message: Message, ids: Mapping[str, str]) -> str | None:
    """What tells a message from others; None when the same words may be said again."""
    if message.at is None:
        return None
    return content_hash(*(f'{k}={v}' for k, v in sorted(ids.items())), message.role, message.text, str(message.at))


def stored(item: Mapping[str, Any]) -> StoredMemory:
    data, kept = item.get('data'), item.get('metadata')
    text = item.get('memory') or (cast('Mapping[str, Any]', data).get('memory') if isinstance(data, Mapping) else None)
    return StoredMemory(
        id=str(item.get('id') or ''),
        memory=str(text or ''),
        event=str(item.get('event') or 'ADD'),
        metadata=cast('dict[str, Any]', kept) if isinstance(kept, dict) else {},
    )


def pending(answer: object) -> list[StoredMemory]:
    event = cast('Mapping[str, Any]', answer).get('event_id') if isinstance(answer, Mapping) else None
    return [StoredMemory(id=str(event), memory='', event='PENDING')] if event else []


def is_not_found(error: Exception) -> bool:
    if isinstance(error, InvalidInput):
        return False
    # The open-source library has no class of its own for it.
    return type(error).__name__ == 'MemoryNotFoundError' or (
        isinstance(error, ValueError) and 'not found' in str(error)
    )
