"""The platform's filters: read strictly, turned into ours, and asked whose memories they can touch at all.

Ids are part of the filter there. Here they say first which owners are read, and then narrow what is read of them:
nothing in a filter widens what another part of it has pinned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias, cast

from memoranda._noted import NOTED
from memoranda.errors import shown, what_is
from memoranda.filters import MAX_OPERANDS, Filter, parse
from memoranda.server.mem0.bodies import IDS, as_list, as_object
from memoranda.server.mem0.errors import bad
from memoranda.server.mem0.moments import DAY, day_of, is_day, moment_of

__all__ = ['KEYS', 'Reading', 'read_filters']

KEYS: Final = (
    *('AND', 'OR', 'NOT', *IDS, 'created_at', 'updated_at', 'timestamp', 'expiration_date', 'text', 'categories'),
    *('metadata', 'keywords', 'keyword_search', 'memory_ids'),
)
"""What a filter may name."""
Named: TypeAlias = frozenset[tuple[str, str]]
"""(`user_id`, `ana`): one of them holds for whatever the filter lets through."""
Cover: TypeAlias = Named | None
"""None: anybody."""
MAX_DEPTH: Final = 14
MAX_ENTRIES: Final = 1_024
"""More than any filter has that is not refused for its size later: reading on would only hold up the others."""
MAX_METADATA_KEY: Final = 256
_OF_METADATA: Final = ('eq', 'ne', 'contains')
_OF_THE_LIBRARY: Final = ('eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'nin', 'contains', 'icontains')
_TIMES: Final = {'created_at': 'said_at', 'timestamp': 'said_at', 'updated_at': 'recorded_at'}


@dataclass(frozen=True, slots=True)
class Reading:
    """A filter that was understood."""

    cover: Cover
    """Whose memories it can let through."""
    where: Filter | None
    """Which of them it does."""


@dataclass(frozen=True, slots=True)
class _Part:
    cover: Cover
    where: dict[str, Any]
    """As `memoranda.filters.parse` reads it."""


def read_filters(
    filters: object, *, more: Sequence[Mapping[str, Any]] = (), lenient: bool = False, library: bool = False
) -> Reading:
    """Read a filter.

    Args:
        filters: As a client sent it; None for none.
        more: Further filters that must hold, in our own language.
        lenient: Whether parts that contradict each other find nothing, instead of being refused.
        library: Whether metadata may be compared in all the ways of the open-source library, not of the platform only.

    Raises:
        Problem: 400, an unknown key or operator, or a value that doesn't fit; or its parts name two persons.
        InvalidFilter: It is too large or too deep, or a value doesn't fit.
    """
    if filters is None or filters == {}:
        part = None
    else:
        part = _Reader(lenient, _OF_THE_LIBRARY if library else _OF_METADATA).read(filters, 1)
    wheres = [*([part.where] if part else []), *(dict(one) for one in more)]
    return Reading(part.cover if part else None, parse({'AND': wheres}) if wheres else None)


class _Reader:
    def __init__(self, lenient: bool, of_metadata: Sequence[str]) -> None:
        self._lenient, self._of_metadata = lenient, of_metadata
        self._entries, self._operands = 0, 0

    def read(self, value: object, depth: int) -> _Part:
        if depth > MAX_DEPTH:
            raise bad(f'the filter is more than {MAX_DEPTH} levels deep: flatten its AND, OR and NOT')
        entries = as_object(value)
        if entries is None:
            raise bad(f'filter {shown(value)} is {what_is(value)}: send an object such as {{"user_id": "ana"}}')
        if not entries:
            raise bad('filter {} inside another says nothing: remove it, or name a key')
        self._count(len(entries))
        return self._all([self._entry(key, operand, depth) for key, operand in entries.items()])

    def _count(self, entries: int, operands: int = 0) -> None:
        self._entries += entries
        self._operands += operands
        if self._entries > MAX_ENTRIES or self._operands > MAX_OPERANDS:
            raise bad(
                f'the filter has more than {MAX_ENTRIES:,} entries, or {MAX_OPERANDS:,} values in its lists: '
                'ask several times'
            )

    def _entry(self, key: str, operand: object, depth: int) -> _Part:
        if key in ('AND', 'OR'):
            parts = self._parts(key, operand, depth)
            return self._all(parts) if key == 'AND' else self._any(parts)
        if key == 'NOT':
            listed = as_list(operand) or [operand]
            return _Part(None, {'NOT': [p.where for p in self._parts(key, listed, depth)]})
        values = (as_object(operand) or {'': operand}).values()
        self._count(len(values), sum(len(as_list(value) or ()) for value in values))
        if key in IDS:
            return self._id(key, operand)
        if key == 'metadata':
            return self._metadata(operand)
        reader = _READERS.get(key)
        if reader is None:
            raise bad(f'filter key {shown(key)} is unknown: use one of {", ".join(KEYS)}')
        return _Part(None, reader(key, operand))

    def _parts(self, key: str, operand: object, depth: int) -> list[_Part]:
        listed = as_list(operand)
        if not listed:
            raise bad(f'filter {key}={shown(operand)} is no list of filters: send {key}: [{{...}}, {{...}}]')
        return [self.read(part, depth + 1) for part in listed]

    def _all(self, parts: Sequence[_Part]) -> _Part:
        cover: Cover = None
        for part in parts:
            cover = self._both(cover, part.cover)
        return parts[0] if len(parts) == 1 else _Part(cover, {'AND': [part.where for part in parts]})

    def _any(self, parts: Sequence[_Part]) -> _Part:
        covers = [part.cover for part in parts]
        cover = None if None in covers else frozenset[tuple[str, str]]().union(*cast('list[Named]', covers))
        return parts[0] if len(parts) == 1 else _Part(cover, {'OR': [part.where for part in parts]})

    def _both(self, one: Cover, other: Cover) -> Cover:
        """What holds for both: the narrower of two covers is one for both, and of the same id both must hold."""
        if one is None or other is None:
            return other if one is None else one
        kinds, others = {name for name, _ in one}, {name for name, _ in other}
        if kinds == others and len(kinds) == 1:
            common = one & other
            if not common and not self._lenient:
                name = next(iter(kinds))
                named = ' and '.join(shown(value) for _, value in (*sorted(one)[:1], *sorted(other)[:1]))
                raise bad(
                    f'the filter names {name} {named}, and no memory is of both: its parts only narrow each other, '
                    'so send one of them, or OR'
                )
            return common
        return one if kinds == {'user_id'} or others != {'user_id'} else other

    def _id(self, name: str, operand: object) -> _Part:
        if operand is None:
            raise bad(f'filter {name}=null names nobody: leave it out, or send an id')
        operators = as_object(operand)
        if operators is None:
            return self._named(name, [operand])
        parts: list[_Part] = []
        for op, value in operators.items():
            if op in ('eq', 'in'):
                listed = as_list(value) if op == 'in' else [value]
                if not listed:
                    raise bad(f'filter {name} in {shown(value)} is no list of ids: send [...]')
                parts.append(self._named(name, listed))
            elif op == 'ne':
                parts.append(_Part(None, {name: {'ne': _text(name, value)}}))
            else:
                raise _operator(name, op, ('eq', 'ne', 'in'))
        if not parts:
            raise bad(f'filter {name}={{}} has no operator: send {{"{name}": {{"in": [...]}}}}')
        return self._all(parts)

    def _named(self, name: str, values: Sequence[object]) -> _Part:
        if '*' in values:
            return _Part(None, {name: {'exists': True}})
        ids = [_text(name, value) for value in values]
        return _Part(frozenset((name, id_) for id_ in ids), {name: ids[0] if len(ids) == 1 else {'in': ids}})

    def _metadata(self, operand: object) -> _Part:
        entries = as_object(operand)
        if not entries:
            raise bad(f'filter metadata={shown(operand)} is no object: send {{"metadata": {{"team": "sales"}}}}')
        found: list[dict[str, Any]] = []
        for key, value in entries.items():
            if '.' in key or not key or len(key) > MAX_METADATA_KEY:
                raise bad(f'metadata key {shown(key)} can not be searched for: use one without dots')
            if key == NOTED:
                raise bad(f'metadata key {shown(key)} is kept for the server: use another one')
            field, operators = f'metadata.{key}', as_object(value)
            if value == '*':
                found.append({field: {'exists': True}})
            elif operators is not None:
                wrong = next((op for op in operators if op not in self._of_metadata), None)
                if wrong is not None or not operators:
                    raise _operator(f'metadata {key}', wrong, self._of_metadata)
                found.append({field: operators})
            elif 'in' in self._of_metadata and as_list(value) is not None:
                found.append({field: {'in': value}})
            else:
                found.append({field: value})
        return _Part(None, found[0] if len(found) == 1 else {'AND': found})


def _operator(name: str, op: object, known: Sequence[str]) -> Exception:
    return bad(f'filter operator {shown(op)} does not fit {name}: use one of {", ".join(known)}')


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value or value == '*':
        raise bad(f'filter {name}={shown(value)} is not text: send the id as text')
    return value


def _times(key: str, operand: object) -> dict[str, Any]:
    """A day stands for all its moments: `lte` a day is until its end."""
    field = _TIMES[key]

    def one(op: str, value: object) -> dict[str, Any]:
        if op in ('eq', 'ne', 'in'):
            listed = as_list(value) if op == 'in' else [value]
            spans = [_span(field, each, key) for each in listed or [value]]
            either: dict[str, Any] = {'OR': spans}
            return {'NOT': [either]} if op == 'ne' else either
        if not is_day(value):
            return {field: {op: moment_of(value, key)}}
        first = day_of(value, key)
        return {field: {'gt': {'gte': first + DAY}, 'gte': {'gte': first}, 'lt': {'lt': first}}.get(
            op, {'lt': first + DAY}
        )}  # fmt: skip

    return _compared(key, operand, ('eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in'), one)


def _span(field: str, value: object, key: str) -> dict[str, Any]:
    if is_day(value):
        first = day_of(value, key)
        return {field: {'gte': first, 'lt': first + DAY}}
    return {field: moment_of(value, key)}


def _expires(key: str, operand: object) -> dict[str, Any]:
    """A memory ends with the last moment of its last day."""

    def one(op: str, value: object) -> dict[str, Any]:
        if op == 'in':
            return {'OR': [one('eq', each) for each in as_list(value) or [value]]}
        first = day_of(value, key)
        spans: dict[str, dict[str, datetime]] = {
            'eq': {'gt': first, 'lte': first + DAY},
            'gt': {'gt': first + DAY},
            'gte': {'gt': first},
            'lt': {'lte': first},
            'lte': {'lte': first + DAY},
        }
        if op == 'ne':
            return {'NOT': [{'expires_at': spans['eq']}]}
        return {'expires_at': spans[op]}

    if operand == '*':
        return {'expires_at': {'exists': True}}
    return _compared(key, operand, ('eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in'), one)


def _words(key: str, operand: object) -> dict[str, Any]:
    """`text` is compared as it is, keywords in any case."""

    def one(op: str, value: object) -> dict[str, Any]:
        if key == 'text' and op in ('eq', 'ne'):
            return {'text': {op: value}}
        return {'text': {'icontains': value}}

    known = ('eq', 'ne', 'contains', 'icontains') if key == 'text' else ('contains', 'icontains')
    return _compared(key, operand if as_object(operand) or key == 'text' else {'contains': operand}, known, one)


def _categories(key: str, operand: object) -> dict[str, Any]:
    """A memory's categories are its kind and its tags."""

    def one(op: str, value: object) -> dict[str, Any]:
        listed = as_list(value) or ([value] if op == 'contains' else [])
        if not listed or any(not isinstance(each, str) for each in listed):
            raise bad(f'filter categories {op} {shown(value)} names no categories: send a list of names')
        return {'OR': [{'kind': {'in': listed}}, {'tags': {'in': listed}}]}

    listed = as_list(operand)
    if listed is not None:
        return one('in', listed)
    return one('contains', operand) if isinstance(operand, str) else _compared(key, operand, ('in', 'contains'), one)


def _ids(key: str, operand: object) -> dict[str, Any]:
    def one(_: str, value: object) -> dict[str, Any]:
        return {'id': {'in': value}}

    listed = as_list(operand)
    return _compared(key, operand if listed is None else {'in': listed}, ('in',), one)


def _compared(
    key: str, operand: object, known: Sequence[str], one: Callable[[str, object], dict[str, Any]]
) -> dict[str, Any]:
    operators = as_object(operand)
    if operators is None:
        if 'eq' not in known:
            raise bad(f'filter {key}={shown(operand)} has no operator: send one of {", ".join(known)}')
        return one('eq', operand)
    wrong = next((op for op in operators if op not in known), None)
    if wrong is not None or not operators:
        raise _operator(key, wrong, known)
    parts = [one(op, value) for op, value in operators.items()]
    return parts[0] if len(parts) == 1 else {'AND': parts}


_READERS: Final[Mapping[str, Callable[[str, object], dict[str, Any]]]] = {
    'created_at': _times,
    'timestamp': _times,
    'updated_at': _times,
    'expiration_date': _expires,
    'text': _words,
    'keywords': _words,
    'keyword_search': _words,
    'categories': _categories,
    'memory_ids': _ids,
}
