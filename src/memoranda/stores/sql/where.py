"""Filters as SQL. Logic has two values here too: every comparison is wrapped so that NULL is false."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, cast

from memoranda.filters import All, Any_, Compare, Filter, Not, Operator, Scalar, fold, matches
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.dialect import JsonKind
from memoranda.stores.sql.rows import to_us

__all__ = ['EPISODE_FIELDS', 'MEMORY_FIELDS', 'Fields', 'compile_filter']

_USER = "(SELECT key FROM owner WHERE owner.id = {owner} AND owner.kind = 'user')"
_USAGE = '(SELECT u.{column} FROM usage u WHERE u.owner = memory.owner AND u.memory = memory.id)'


@dataclass(frozen=True, slots=True)
class Fields:
    """What the fields of a filter are in a statement."""

    columns: Mapping[str, str]
    table: str
    """As the statement names it."""
    row: str
    """Its row key."""


MEMORY_FIELDS: Final = Fields(
    {
        **{
            name: f'memory.{name}'
            for name in (
                'id', 'text', 'kind', 'slot', 'status', 'level', 'confidence', 'importance', 'trust', 'pinned',
                'locked', 'valid_from', 'valid_to', 'said_at', 'recorded_at', 'expires_at', 'tags', 'agent_id',
                'run_id', 'app_id', 'actor', 'version', 'metadata',
            )
        },
        'user_id': _USER.format(owner='memory.owner'),
        'uses': _USAGE.format(column='uses'),
        'last_used_at': _USAGE.format(column='last_used_at'),
    },
    'memory',
    'memory.row',
)  # fmt: skip
EPISODE_FIELDS: Final = Fields(
    {
        **{
            name: f'e.{name}'
            for name in ('id', 'text', 'trust', 'recorded_at', 'agent_id', 'run_id', 'app_id', 'metadata')
        },
        'valid_from': 'e.occurred_at',
        'said_at': 'e.occurred_at',
        'user_id': _USER.format(owner='(e.row >> 24)'),
    },
    'episode e',
    'e.row',
)
"""A message has no kind, slot or status: those are missing."""

_NOT_EACH: Final = 2**53
"""From here on not each integer is a float."""
_POSITIVE: Final[Mapping[Operator, Operator]] = {'ne': 'eq', 'nin': 'in'}
_SIGNS = {'eq': '=', 'gt': '>', 'gte': '>=', 'lt': '<', 'lte': '<='}


def compile_filter(
    connection: Connection, where: Filter, fields: Fields, span: tuple[int, int]
) -> tuple[str, list[Any]]:
    """A condition and its parameters.

    Args:
        connection: Where it shall be used.
        where: The filter.
        fields: What its fields are there.
        span: The first and last row key that the statement looks at.
    """
    compiler = _Compiler(connection, fields, span)
    return compiler.condition(where), compiler.values


class _Compiler:
    def __init__(self, connection: Connection, fields: Fields, span: tuple[int, int]) -> None:
        self._connection, self._fields, self._span = connection, fields, span
        self._dialect = connection.dialect
        self.values: list[Any] = []

    def condition(self, where: Filter) -> str:
        match where:
            case All():
                return '(' + ' AND '.join(self.condition(p) for p in where.parts) + ')'
            case Any_():
                return '(' + ' OR '.join(self.condition(p) for p in where.parts) + ')'
            case Not():
                return f'(NOT {self.condition(where.part)})'
            case Compare():
                return self._comparison(where)

    def _comparison(self, compare: Compare) -> str:
        op, operand = compare.op, compare.value
        negated = op in ('ne', 'nin')
        op = _POSITIVE.get(op, op)
        column = self._fields.columns.get(compare.field.name, 'NULL')
        if (op == 'icontains' and not self._dialect.folds) or (compare.field.type == 'json' and self._rounds(operand)):
            sql = self._read(replace(compare, op=op))
        elif compare.field.type == 'json':
            sql = self._json(op, operand, column, compare.field.path)
        elif compare.field.type == 'tags':
            sql = self._tags(op, operand, column)
        else:
            sql = self._column(op, operand, column)
        return f'(NOT COALESCE({sql}, FALSE))' if negated else f'COALESCE({sql}, FALSE)'

    def _read(self, compare: Compare) -> str:
        """A condition that names the rows, for what the database can't compare as `matches` does."""
        fields, name = self._fields, compare.field.name
        if name not in fields.columns:
            return 'FALSE'
        found = self._connection.execute(
            f'SELECT {fields.row}, {fields.columns[name]} FROM {fields.table} WHERE {fields.row} BETWEEN ? AND ?',
            self._span,
        )
        plain = compare.field.type not in ('json', 'tags')
        rows = [
            row
            for row, held in found
            if held is not None and matches(compare, {name: held if plain else json.loads(held)})
        ]
        self.values.append(json.dumps(rows))
        return f'{fields.row} IN {self._dialect.numbers("?")}'

    def _rounds(self, operand: Any) -> bool:
        """Whether the database takes integers for equal to a float that aren't."""
        if self._dialect.compares_exactly:
            return False
        operands = cast('tuple[Any, ...]', operand) if isinstance(operand, tuple) else (operand,)
        return any(isinstance(one, float) and abs(one) >= _NOT_EACH for one in operands)

    def _column(self, op: str, operand: Any, column: str) -> str:
        if op == 'exists':
            return f'({column} IS {"NOT " if operand else ""}NULL)'
        if op == 'in':
            self.values.extend(_plain(v) for v in operand)
            return f'({column} IN ({", ".join("?" * len(operand)) or "NULL"}))'
        if op in ('contains', 'icontains'):
            self.values.append(operand if op == 'contains' else fold(operand))
            return f'({self._dialect.place(column if op == "contains" else f"fold({column})", "?")} > 0)'
        self.values.append(_plain(operand))
        return f'({column} {_SIGNS[op]} ?)'

    def _tags(self, op: str, operand: Any, column: str) -> str:
        if op == 'exists':
            return f'(({column} IS NOT NULL) = {"TRUE" if operand else "FALSE"})'
        wanted, value = operand if op == 'in' else (operand,), 'j.value'
        if op == 'icontains':
            wanted, value = (fold(operand),), 'fold(j.value)'
        self.values.extend(wanted)
        marks = ', '.join('?' * len(wanted)) or 'NULL'
        return f'EXISTS(SELECT 1 FROM {self._dialect.texts(column)} j WHERE {value} IN ({marks}))'

    def _at(self, found: tuple[str, list[Any]]) -> str:
        self.values.extend(found[1])
        return found[0]

    def _json(self, op: str, operand: Any, column: str, path: Sequence[str]) -> str:
        if op == 'exists':
            return f'({self._at(self._dialect.has_json(column, path))} = {"TRUE" if operand else "FALSE"})'
        if op == 'in':
            return self._json_in(operand, column, path)
        if op in ('contains', 'icontains'):
            return self._json_contains(op, operand, column, path)
        found = self._at(self._dialect.json(column, path, _kind(operand)))
        if isinstance(operand, bool):
            return found
        self.values.append(operand)
        return f'({found} {_SIGNS[op]} ?)'

    def _json_in(self, operands: Any, column: str, path: Sequence[str]) -> str:
        """One list per JSON type: SQLite bounds the depth of a chain of ORs."""
        parts: list[str] = []
        for kind in ('text', 'integer', 'number'):
            wanted = [v for v in operands if _kind(v) == kind]
            if wanted:
                found = self._at(self._dialect.json(column, path, kind))
                self.values.extend(wanted)
                parts.append(f'{found} IN ({", ".join("?" * len(wanted))})')
        flags = {v for v in operands if isinstance(v, bool)}
        parts += [self._at(self._dialect.json(column, path, _kind(flag))) for flag in flags]
        return '(' + (' OR '.join(f'COALESCE({p}, FALSE)' for p in parts) or 'FALSE') + ')'

    def _json_contains(self, op: str, operand: Any, column: str, path: Sequence[str]) -> str:
        left, right = ('fold({})', fold(operand)) if op == 'icontains' else ('{}', operand)
        parts: list[str] = []
        if isinstance(operand, str):
            text = left.format(self._at(self._dialect.json(column, path, 'text')))
            self.values.append(right)
            parts.append(f'{self._dialect.place(text, "?")} > 0')
        elements = f'SELECT 1 FROM {self._at(self._dialect.elements(column, path, _kind(operand)))} j'
        if not isinstance(operand, bool):
            self.values.append(right)
            elements += f' WHERE {left.format("j.value")} = ?'
        parts.append(f'EXISTS({elements})')
        return '(' + ' OR '.join(f'COALESCE({p}, FALSE)' for p in parts) + ')'


def _kind(operand: Scalar) -> JsonKind:
    if isinstance(operand, bool):
        return 'true' if operand else 'false'
    if isinstance(operand, str):
        return 'text'
    return 'integer' if isinstance(operand, int) and abs(operand) >= _NOT_EACH else 'number'


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_us(value)
    return int(value) if isinstance(value, bool) else value
