"""Actions of a policy written as a setting: `redact`, or by kind as in `review; health=drop; religion=allow`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

__all__ = ['read_actions']


def read_actions(given: str | Mapping[str, str]) -> Any:
    """What `Policy` takes: one action for all, or actions by kind, with that of all others under `*`.

    Args:
        given: An action; actions by kind, apart by semicolons, where one without a kind is for all others; or a table.

    Raises:
        ValueError: It can't be read.
    """
    parts = dict(given) if isinstance(given, Mapping) else _parts(given)
    from memoranda.policy import Action

    for kind, action in parts.items():
        if action not in get_args(Action):
            raise ValueError(f'{action!r} is no action')
        if not kind.strip():
            raise ValueError(f'{action!r} is of no kind')
    return parts['*'] if list(parts) == ['*'] else cast('Mapping[str, Action]', parts)


def _parts(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in text.split(';'))):
        kind, equals, action = part.rpartition('=')
        kind = kind.strip() if equals else '*'
        if kind in found:
            raise ValueError(f'{text.strip()!r} says what becomes of {"all others" if kind == "*" else kind} twice')
        found[kind] = action.strip()
    if not found:
        raise ValueError('it is empty')
    return found
