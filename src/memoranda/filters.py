"""Filters: one tree, parsed and checked once, that every store compiles to its own language.

What a filter means, so that every compiler agrees with `matches`:

- Logic has two values. A field without a value is *missing*: a column that is NULL, or a metadata path that leads
  nowhere or to JSON null. On a missing field `ne` and `nin` are true, `exists` compares with False, and everything
  else is false. So `ne` is exactly "not `eq`", `nin` "not `in`", and NOT the complement.
- Text is compared by code points (SQLite's BINARY, PostgreSQL's "C"), exactly; no character is a wildcard.
  `icontains` compares `fold(text)` of both sides. An operand is never empty and holds no NUL or half surrogate pair.
- `contains` on text finds a part of it; on `tags`, and on a metadata array, a whole element.
  `in` and `nin` on `tags` ask for any and none of the tags listed.
- Metadata has JSON's types. Values of different types are different: true is not 1, '1' is not 1, and comparing
  the order of two types is false. A number is one type: 1 equals 1.0. Objects and arrays equal nothing.
  A path steps through object keys only: `metadata.a.0` is the key '0' of an object, never an array's element.
- Integers beyond 64 bits in stored metadata count as floats, as they do in SQLite.
- Times are UTC with microseconds.
"""

from __future__ import annotations

import difflib
import math
import reprlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal, NoReturn, TypeAlias, cast

from memoranda.errors import InvalidFilter, is_discreet, shown, what_is
from memoranda.records import MemoryRecord

__all__ = [
    'FIELDS',
    'OPERATORS',
    'All',
    'Any_',
    'Compare',
    'Field',
    'FieldType',
    'Filter',
    'Not',
    'Operator',
    'Scalar',
    'fields_of',
    'fold',
    'matches',
    'parse',
]

Operator = Literal['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'nin', 'contains', 'icontains', 'exists']
FieldType = Literal['text', 'choice', 'number', 'boolean', 'time', 'tags', 'json']
Scalar: TypeAlias = str | int | float | bool | datetime
"""An operand; `datetime` (aware, UTC) for fields of type `time` only."""

OPERATORS: tuple[Operator, ...] = ('eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'nin', 'contains', 'icontains', 'exists')
ALLOWED: Mapping[FieldType, tuple[Operator, ...]] = {
    'text': OPERATORS,
    'choice': ('eq', 'ne', 'in', 'nin', 'exists'),
    'number': ('eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'nin', 'exists'),
    'boolean': ('eq', 'ne', 'in', 'nin', 'exists'),
    'time': ('eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'nin', 'exists'),
    'tags': ('contains', 'icontains', 'in', 'nin', 'exists'),
    'json': OPERATORS,
}
"""The operators each type of field takes."""
CHOICES: Mapping[str, tuple[str, ...]] = {
    'status': ('active', 'pending', 'superseded', 'retracted', 'rejected', 'expired'),
    'level': ('user', 'run', 'agent', 'app', 'global'),
    'trust': ('user', 'assistant', 'tool', 'external'),
}
FIELDS: Mapping[str, FieldType] = {
    'id': 'text',
    'text': 'text',
    'kind': 'text',
    'slot': 'text',
    'status': 'choice',
    'level': 'choice',
    'confidence': 'number',
    'importance': 'number',
    'trust': 'choice',
    'pinned': 'boolean',
    'locked': 'boolean',
    'valid_from': 'time',
    'valid_to': 'time',
    'said_at': 'time',
    'recorded_at': 'time',
    'expires_at': 'time',
    'tags': 'tags',
    'user_id': 'text',
    'agent_id': 'text',
    'run_id': 'text',
    'app_id': 'text',
    'actor': 'text',
    'version': 'number',
    'uses': 'number',
    'last_used_at': 'time',
}
"""The fields besides `metadata.<path>`, and their types. The four ids are those a memory was said under."""

MAX_DEPTH = 16
MAX_NODES = 256
MAX_LIST = 1_000
MAX_OPERANDS = 10_000
"""In all lists together: what a database takes as parameters of one statement is bounded (SQLite: 32,766)."""
MAX_TEXT = 10_000
MAX_PATH = 16


@dataclass(frozen=True, slots=True)
class Field:
    """What is compared: a column, or a path into metadata."""

    name: str
    """A name of `FIELDS`, or `metadata`."""
    type: FieldType
    path: tuple[str, ...] = ()
    """Object keys from the root of metadata, without quotes, backslashes or control characters; empty for a column."""

    def __str__(self) -> str:
        return '.'.join((self.name, *self.path))


@dataclass(frozen=True, slots=True)
class Compare:
    """One comparison. `value` is a tuple of scalars for `in` and `nin`, a bool for `exists`, else a scalar."""

    field: Field
    op: Operator
    value: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class All:
    """True when every part is. Never empty."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Any_:  # noqa: N801  # `Any` is taken
    """True when some part is. Never empty."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when the part is not."""

    part: Filter


Filter: TypeAlias = Compare | All | Any_ | Not


def parse(filters: Mapping[str, Any] | Filter | None) -> Filter | None:
    """Read and check a filter.

    Args:
        filters: None or an empty mapping for no filter, a tree, which is checked like anything else, or a mapping of

            - a field to a value (equal to it; for `tags`, holding it), to None (missing) or to `{operator: operand}`,
              of which several must all hold
            - `AND` or `OR` to a list of filters; `NOT` to one filter, or to a list of which none may hold

            Several keys must all hold. Times are aware or naive (UTC) datetimes, dates, or ISO text.

    Raises:
        InvalidFilter: An unknown field or operator, an operand that doesn't fit, or more than 16 levels, 256 nodes,
            1,000 operands in a list or 10,000 in all lists.
    """
    if filters is None or (isinstance(filters, Mapping) and not filters):
        return None
    tree = _Parser().read(filters, 1)
    if _depth(tree) > MAX_DEPTH:
        _too_deep()
    return tree


def fold(text: str) -> str:
    """Text as `icontains` compares it."""
    return text.casefold()


def fields_of(memory: MemoryRecord) -> dict[str, Any]:
    """The fields of a memory by name, as `matches` reads them."""
    said = memory.said_under
    fields: dict[str, Any] = {name: getattr(said if name in _IDS else memory, name, None) for name in FIELDS}
    fields['metadata'] = memory.metadata
    return fields


def matches(filter: Filter | None, fields: Mapping[str, Any]) -> bool:  # noqa: A002
    """Whether fields satisfy a parsed filter: the meaning that every store's compiler must reproduce.

    Args:
        filter: From `parse`; None lets everything through.
        fields: Values by field name (`fields_of`), `metadata` being JSON. An absent field is missing.
    """
    match filter:
        case None:
            return True
        case All():
            return all(matches(part, fields) for part in filter.parts)
        case Any_():
            return any(matches(part, fields) for part in filter.parts)
        case Not():
            return not matches(filter.part, fields)
        case Compare(field, op, operand):
            found: Any = fields.get(field.name)
            for key in field.path:
                found = cast('Mapping[str, Any]', found).get(key) if isinstance(found, Mapping) else None
            if op == 'exists':
                return (found is not None) is operand
            if op == 'ne':
                return not _holds('eq', field, found, operand)
            if op == 'nin':
                return not _holds('in', field, found, operand)
            return _holds(op, field, found, operand)


_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    'eq': lambda a, b: a == b,
    'gt': lambda a, b: a > b,
    'gte': lambda a, b: a >= b,
    'lt': lambda a, b: a < b,
    'lte': lambda a, b: a <= b,
}


def _holds(op: str, field: Field, found: Any, operand: Any) -> bool:
    if found is None:
        return False
    if op == 'in':
        one = 'contains' if field.type == 'tags' else 'eq'
        return any(_holds(one, field, found, each) for each in operand)
    if op == 'contains':
        if isinstance(found, list | tuple):
            return any(_compare('eq', element, operand) for element in cast('Collection[Any]', found))
        return isinstance(found, str) and isinstance(operand, str) and operand in found
    if op == 'icontains':
        wanted = fold(operand)
        if isinstance(found, list | tuple):
            return any(
                isinstance(element, str) and fold(element) == wanted for element in cast('Collection[Any]', found)
            )
        return isinstance(found, str) and wanted in fold(found)
    return _compare(op, found, operand)


def _compare(op: str, found: Any, operand: Any) -> bool:
    left, right = _typed(found), _typed(operand)
    if left is None or right is None or left[0] != right[0]:
        return False
    return _ORDER[op](left[1], right[1])


def _typed(value: Any) -> tuple[str, Any] | None:
    """A scalar with the name of its type; None for anything else."""
    if isinstance(value, bool):
        return 'boolean', value
    if isinstance(value, int):
        if -(2**63) <= value < 2**63:
            return 'number', value
        try:
            return 'number', float(value)
        except OverflowError:
            return 'number', math.copysign(math.inf, value)
    if isinstance(value, float):
        return 'number', value
    if isinstance(value, str):
        return 'text', value
    if isinstance(value, datetime):
        return 'time', value if value.tzinfo else value.replace(tzinfo=UTC)
    return None


def _depth(tree: Filter) -> int:
    match tree:
        case Compare():
            return 1
        case Not():
            return 1 + _depth(tree.part)
        case All() | Any_():
            return 1 + max(_depth(part) for part in tree.parts)


class _Parser:
    """Reads one filter and counts what it makes."""

    def __init__(self) -> None:
        self._nodes = 0
        self._operands = 0

    def read(self, value: object, level: int) -> Filter:
        if level > MAX_DEPTH:
            _too_deep()
        if isinstance(value, Compare | All | Any_ | Not):
            return self._tree(value, level)
        if not isinstance(value, Mapping):
            raise InvalidFilter(
                f'filter {_show(value)} is {what_is(value)}, and a filter is a mapping: '
                "write {'kind': 'preference'}, {'metadata.team': {'in': ['a', 'b']}} or {'OR': [..., ...]}"
            )
        if not value:
            raise InvalidFilter('filter {} inside another says nothing: remove it, or name a field')
        entries = cast('Mapping[object, object]', value)
        return self._all([self._entry(key, operand, level) for key, operand in entries.items()])

    def _tree(self, tree: Filter, level: int) -> Filter:
        """A tree somebody built by hand is checked like one that was written."""
        match tree:
            case Compare():
                field = _field(str(tree.field))
                if tree.field != field:
                    raise InvalidFilter(f'{tree.field!r} is not a field: take it from parse(), here {field!r}')
                return self._comparison(field, tree.op, tree.value)
            case Not():
                return self._made(Not(self.read(tree.part, level + 1)))
            case All() | Any_():
                parts = self._parts(type(tree).__name__, tree.parts, level)
                return self._made(All(parts) if isinstance(tree, All) else Any_(parts))

    def _entry(self, key: object, value: object, level: int) -> Filter:
        if key in ('AND', 'OR'):
            parts = self._parts(str(key), value, level)
            return self._all(parts) if key == 'AND' else self._any(parts)
        if key == 'NOT':
            if _is_list(value):
                return self._made(Not(self._any(self._parts('NOT', value, level))))
            return self._made(Not(self.read(value, level + 1)))
        field = _field(key)
        if not isinstance(value, Mapping):
            return self._comparison(field, 'contains' if field.type == 'tags' else 'eq', value)
        if not value:
            raise InvalidFilter(f'filter {field}={{}} has no operator: write {{{str(field)!r}: {{"eq": ...}}}}')
        operators = cast('Mapping[object, object]', value)
        return self._all([self._comparison(field, op, operand) for op, operand in operators.items()])

    def _parts(self, key: str, value: object, level: int) -> tuple[Filter, ...]:
        if not _is_list(value) or not value:
            raise InvalidFilter(f'filter {key}={_show(value)} is no list of filters: write {key}: [{{...}}, {{...}}]')
        return tuple(self.read(part, level + 1) for part in cast('Collection[object]', value))

    def _comparison(self, field: Field, op: object, operand: object) -> Filter:
        if op not in OPERATORS:
            raise InvalidFilter(
                f'filter operator {_show(op)} on {field} is unknown{_closest(op, OPERATORS)}: use one of '
                f'{" ".join(ALLOWED[field.type])}'
            )
        if operand is None and op in ('eq', 'ne') and field.type != 'tags':
            return self._made(Compare(field, 'exists', op == 'ne'))
        if op not in ALLOWED[field.type]:
            raise InvalidFilter(
                f'filter operator {op!r} does not fit {field}, whose type is {field.type}: use one of '
                f'{" ".join(ALLOWED[field.type])}'
            )
        value: Scalar | tuple[Scalar, ...]
        if op == 'exists':
            value = operand if isinstance(operand, bool) else _wrong(field, op, operand, 'true or false')
        elif op in ('in', 'nin'):
            if not isinstance(operand, list | tuple | set | frozenset):
                _wrong(field, op, operand, 'a list')
            listed = cast('Collection[object]', operand)
            if len(listed) > MAX_LIST:
                raise InvalidFilter(
                    f'filter {field} {op} lists {len(listed):,} values, and {MAX_LIST:,} is the most: ask several times'
                )
            self._operands += len(listed)
            if self._operands > MAX_OPERANDS:
                raise InvalidFilter(
                    f'the filter lists more than {MAX_OPERANDS:,} values in all its "in" and "nin": ask several times'
                )
            value = tuple(_scalar(field, op, each) for each in listed)
        else:
            value = _scalar(field, op, operand)
        return self._made(Compare(field, op, value))

    def _all(self, parts: Collection[Filter]) -> Filter:
        return next(iter(parts)) if len(parts) == 1 else self._made(All(tuple(parts)))

    def _any(self, parts: Collection[Filter]) -> Filter:
        return next(iter(parts)) if len(parts) == 1 else self._made(Any_(tuple(parts)))

    def _made(self, node: Filter) -> Filter:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise InvalidFilter(
                f'the filter has more than {MAX_NODES} comparisons and combinations: use "in" for lists of values'
            )
        return node


def _field(name: object) -> Field:
    if isinstance(name, str) and name in FIELDS:
        return Field(name, FIELDS[name])
    if isinstance(name, str) and name.startswith('metadata.'):
        path = tuple(name.split('.')[1:])
        if len(path) > MAX_PATH or any(not key or len(key) > 256 or _unfit(key) for key in path):
            raise InvalidFilter(
                f'filter field {_show(name)} is no path into metadata: name at most {MAX_PATH} keys separated by dots, '
                'none of them empty, over 256 characters, or with quotes, backslashes or control characters in it'
            )
        return Field('metadata', 'json', path)
    known = (*FIELDS, 'metadata.<path>', 'AND', 'OR', 'NOT')
    raise InvalidFilter(f'filter field {_show(name)} is unknown{_closest(name, known)}: use one of {", ".join(known)}')


def _scalar(field: Field, op: str, operand: object) -> Scalar:
    if field.type == 'json':
        return _json(field, op, operand)
    if field.type == 'number':
        return _number(field, op, operand)
    if field.type == 'boolean':
        return operand if isinstance(operand, bool) else _wrong(field, op, operand, 'true or false')
    if field.type == 'time':
        return _time(field, op, operand)
    text = _text(field, op, operand)
    if field.type == 'choice' and text not in CHOICES[field.name]:
        choices = CHOICES[field.name]
        raise InvalidFilter(
            f'filter {field}={_show(text)} can never hold{_closest(text, choices)}: use one of {", ".join(choices)}'
        )
    return text


def _json(field: Field, op: str, operand: object) -> Scalar:
    if isinstance(operand, str) or op == 'icontains':
        return _text(field, op, operand)
    if isinstance(operand, bool) and op in ('eq', 'ne', 'in', 'nin', 'contains'):
        return operand
    if isinstance(operand, datetime):
        _wrong(field, op, operand, 'the ISO text as it is stored (metadata is JSON, which has no times)')
    if isinstance(operand, int | float) and not isinstance(operand, bool):
        return _number(field, op, operand)
    expected = 'a text or a number' if op in _ORDER and op != 'eq' else 'a text, a number, true or false'
    return _wrong(field, op, operand, expected)


def _text(field: Field, op: str, operand: object) -> str:
    if not isinstance(operand, str):
        _wrong(field, op, operand, 'a text')
    if not operand and (op in ('contains', 'icontains') or field.type == 'tags'):
        raise InvalidFilter(f"filter {field} {op} '' looks for nothing: give a text to look for, or use exists")
    if len(operand) > MAX_TEXT:
        raise InvalidFilter(
            f'filter {field} {op} has a text of {len(operand):,} characters, and {MAX_TEXT:,} is the most: shorten it'
        )
    if '\0' in operand or any('\ud800' <= c <= '\udfff' for c in operand):
        raise InvalidFilter(
            f'filter {field} {op} {_show(operand)} has a NUL or half a surrogate pair in it, which no stored text has: '
            'remove it'
        )
    return str.__str__(operand)


def _number(field: Field, op: str, operand: object) -> int | float:
    if isinstance(operand, bool) or not isinstance(operand, int | float):
        _wrong(field, op, operand, 'a number')
    if isinstance(operand, int):
        if not -(2**63) <= operand < 2**63:
            _wrong(field, op, operand, 'a number of at most 64 bits')
        return int(operand)
    if not math.isfinite(operand):
        _wrong(field, op, operand, 'a finite number')
    return float(operand)


def _time(field: Field, op: str, operand: object) -> datetime:
    expected = 'a datetime, or ISO text such as 2026-01-31T12:00:00Z'
    if isinstance(operand, str):
        try:
            moment = datetime.fromisoformat(operand)
        except ValueError:
            _wrong(field, op, operand, expected)
    elif isinstance(operand, datetime):
        moment = operand
    elif isinstance(operand, date):
        return datetime(operand.year, operand.month, operand.day, tzinfo=UTC)
    else:
        _wrong(field, op, operand, expected)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        _wrong(field, op, operand, 'a time that is within the years 1 to 9999 in UTC too')


_IDS = ('user_id', 'agent_id', 'run_id', 'app_id')


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _unfit(key: str) -> bool:
    return any(c in '"\\' or ord(c) < 32 or 0xD800 <= ord(c) <= 0xDFFF for c in key)


def _wrong(field: Field, op: str, operand: object, expected: str) -> NoReturn:
    hint = ', or operators such as {"in": [...]}' if _is_list(operand) else ''
    raise InvalidFilter(
        f'filter {field} {op} {_show(operand)} is {what_is(operand)} that does not fit: give {expected}{hint}'
    )


def _too_deep() -> NoReturn:
    raise InvalidFilter(f'the filter is more than {MAX_DEPTH} levels deep: flatten its AND, OR and NOT')


def _closest(name: object, known: Collection[str]) -> str:
    if not isinstance(name, str) or len(name) > 64:
        return ''
    by_lower = {k.lower(): k for k in known}
    found = difflib.get_close_matches(name.lower().lstrip('$'), by_lower, n=1)
    return f', did you mean {by_lower[found[0]]!r}?' if found else ''


def _show(value: object) -> str:
    return shown(value) if is_discreet() else reprlib.repr(value)
