"""Mem0's filters, read into ids, which say whose memories are meant, and a filter of ours, which only narrows."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, cast

from memoranda._noted import NOTED
from memoranda.errors import InvalidFilter, InvalidScope, shown, what_is
from memoranda.filters import MAX_DEPTH
from memoranda.scope import Scope

__all__ = ['Asked', 'id_of', 'read']

_IDS: Final = ('user_id', 'agent_id', 'run_id', 'app_id')
_LOGIC: Final = ('AND', 'OR', 'NOT')
_OPERATORS: Final = ('eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'nin', 'contains', 'icontains')
_FIELDS: Final[Mapping[str, str]] = {
    'id': 'id',
    'data': 'text',
    'created_at': 'said_at',
    'updated_at': 'recorded_at',
    'actor_id': f'metadata.{NOTED}.actor_id',
    'role': f'metadata.{NOTED}.role',
}
_NOT_OFFERED: Final[Mapping[str, str]] = {
    'hash': 'it is worked out from the words: filter by data',
    'text_lemmatized': 'words are matched by search itself: filter by data',
    'attributed_to': 'who said it is the role: filter by role',
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose memories a call is about, and which of them."""

    scope: Scope
    """The ids of one owner; a user's run with them, if one was given."""
    where: dict[str, Any] | None
    """A filter of ours."""


def id_of(name: str, value: object) -> str | None:
    """An id as Mem0 reads it: numbers and UUIDs become text, and white space around it goes.

    Raises:
        InvalidScope: It is empty, or of a type that nobody means.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | uuid.UUID):
        raise InvalidScope(f'{name}={shown(value)} is {what_is(value)}, and an id is text: pass {name}=str(...)')
    text = str(value).strip()
    if not text:
        raise InvalidScope(f'{name}={shown(value)} is empty: pass the id itself, or leave {name} out')
    return text


def read(method: str, filters: object, ids: Mapping[str, str | None]) -> Asked:
    """Read the filters of a call.

    Args:
        method: Its name, for errors.
        filters: As they were given.
        ids: Those that were given beside them.

    Raises:
        InvalidScope: No id, several for the same thing, or one that is no id.
        InvalidFilter: Something that can't be read.
    """
    if filters is None:
        filters = {}
    if not isinstance(filters, Mapping):
        raise InvalidFilter(f"filters={shown(filters)} is {what_is(filters)}: pass a dict such as {{'user_id': 'ana'}}")
    found = {name: value for name, value in ids.items() if value is not None}
    rest = _without_ids(cast('Mapping[object, object]', filters), found)
    if not found:
        raise InvalidScope(
            f'{method}() was given no id, and a memory is always somebody\'s: pass filters={{"user_id": ...}} or '
            'user_id=..., agent_id=... or run_id=...'
        )
    parts = [_read(rest, found)] if rest else []
    scope = Scope(**found)
    home = scope.home_level
    parts += [{name: value} for name, value in found.items() if name != f'{home}_id']
    kept = (f'{home}_id', 'run_id') if home == 'user' else (f'{home}_id',)
    return Asked(
        Scope(**{name: value for name, value in found.items() if name in kept}),
        None if not parts else parts[0] if len(parts) == 1 else {'AND': parts},
    )


def _without_ids(filters: Mapping[object, object], found: dict[str, str], level: int = 1) -> dict[object, object]:
    """What remains when the ids that hold for the whole filter were taken out into `found`."""
    _check_level(level)
    rest: dict[object, object] = {}
    for key, value in filters.items():
        name = 'run_id' if key == 'session_id' else key
        if isinstance(name, str) and name in _IDS:
            wanted = _one_id(name, value)
            if found.get(name, wanted) != wanted:
                raise InvalidScope(
                    f'{name} is named twice, as {shown(found[name])} and {shown(wanted)}: one call is about one, so '
                    'name one, or ask once for each'
                )
            found[name] = wanted
        elif key == 'AND' and isinstance(value, list | tuple):
            parts: list[object] = []
            for part in cast('list[object]', value):
                kept = part
                if isinstance(part, Mapping) and part:
                    kept = _without_ids(cast('Mapping[object, object]', part), found, level + 1)
                    if not kept:  # it named ids only
                        continue
                parts.append(kept)
            if parts or not value:
                rest[key] = parts
        else:
            rest[key] = value
    return rest


def _check_level(level: int) -> None:
    if level > MAX_DEPTH:
        raise InvalidFilter(f'the filter is more than {MAX_DEPTH} levels deep: flatten its AND, OR and NOT')


def _one_id(name: str, value: object) -> str:
    """The id that a condition asks for."""
    if isinstance(value, Mapping):
        operators = cast('Mapping[object, object]', value)
        listed = operators.get('in')
        if len(operators) == 1 and 'eq' in operators:
            value = operators['eq']
        elif len(operators) == 1 and isinstance(listed, list | tuple) and len(cast('list[object]', listed)) == 1:
            value = cast('list[object]', listed)[0]
        else:
            raise InvalidScope(
                f'{name}={shown(operators)} is a condition, and {name} says whose memories are meant: give one id, and '
                'ask once for each'
            )
    wanted = id_of(name, value)
    if wanted is None:
        raise InvalidScope(f'{name}=None is no id: give one, or leave {name} out')
    Scope(**{name: wanted})  # which refuses '*'
    return wanted


def _read(filters: object, ids: Mapping[str, str], level: int = 1) -> dict[str, Any]:
    _check_level(level)
    if not isinstance(filters, Mapping):
        raise InvalidFilter(f'filter {shown(filters)} is {what_is(filters)}: write {{field: value}}')
    parts: list[dict[str, Any]] = []
    for key, value in cast('Mapping[object, object]', filters).items():
        if not isinstance(key, str) or not key:
            raise InvalidFilter(f'filter field {shown(key)} is no name: use text')
        if key in _LOGIC:
            if not isinstance(value, list | tuple) or not value:
                raise InvalidFilter(
                    f'filter {key}={shown(cast("object", value))} is no list of filters: write {key}: [{{...}}, '
                    '{...}]'
                )
            parts.append({key: [_read(part, ids, level + 1) for part in cast('list[object]', value)]})
        elif key.startswith('$') or key.upper() in _LOGIC:
            raise InvalidFilter(
                f'filter field {shown(key)} reads like an operator and is none: use {", ".join(_LOGIC)}, and '
                f'{{field: {{operator: value}}}} with {" ".join(_OPERATORS)}'
            )
        else:
            parts += _condition(key, value, ids)
    if not parts:
        raise InvalidFilter('filter {} inside another says nothing: remove it, or name a field')
    return parts[0] if len(parts) == 1 else {'AND': parts}


def _condition(key: str, value: object, ids: Mapping[str, str]) -> list[dict[str, Any]]:
    if key in _NOT_OFFERED:
        raise InvalidFilter(f'filter field {key!r} is not offered: {_NOT_OFFERED[key]}')
    name = 'run_id' if key == 'session_id' else key
    if name in _IDS:
        return [{name: _inner_id(name, value, ids)}]
    if key == 'expiration_date':
        return [{'expires_at': {op: _day_after(v) for op, v in _operators(key, value).items()}}]
    if key == 'metadata' and isinstance(value, Mapping):
        inner = cast('Mapping[object, object]', value)
        return [part for k, v in inner.items() for part in _condition(f'metadata.{k}', v, ids)]
    field = _FIELDS.get(key) or (key if key.startswith('metadata.') else f'metadata.{key}')
    return [{field: _operators(key, value)}]


def _operators(key: str, value: object) -> dict[str, Any]:
    if isinstance(value, Mapping):
        operators = cast('Mapping[Any, Any]', value)
        if not operators or any(op not in _OPERATORS and op != 'exists' for op in operators):
            raise InvalidFilter(
                f'filter {key}={shown(operators)} has no operator that is known: use {" ".join(_OPERATORS)}'
            )
        return dict(operators)
    if value == '*':
        return {'exists': True}
    return {'in': list(cast('list[Any]', value))} if isinstance(value, list | tuple) else {'eq': value}


def _inner_id(name: str, value: object, ids: Mapping[str, str]) -> dict[str, Any]:
    """An id inside OR or NOT, where it can only narrow."""
    if name == 'user_id':
        raise InvalidScope(
            f'user_id={shown(value)} inside OR or NOT asks for several people, and one call is about one: name '
            f'user_id at the top of the filters ({shown(ids.get("user_id"))} now), and ask once for each'
        )
    operators = _operators(name, value)
    return {
        op: [id_of(name, one) for one in cast('list[object]', v)] if isinstance(v, list) else v
        for op, v in operators.items()
    }


def _day_after(value: object) -> Any:
    """A day of Mem0's lasts to its end."""
    if isinstance(value, list | tuple):
        return [_day_after(v) for v in cast('list[object]', value)]
    if isinstance(value, bool):  # of exists
        return value
    try:
        day = value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise InvalidFilter(f'filter expiration_date={shown(value)} is no day: write YYYY-MM-DD') from None
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
