"""Filters as SQL. Logic has two values here too: every comparison is wrapped so that NULL is false."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from memoranda.filters import All, Any_, Compare, Filter, Not, Scalar, fold
from memoranda.stores.sql.rows import to_us

__all__ = ['EPISODE_FIELDS', 'MEMORY_FIELDS', 'compile_filter']

_USER = "(SELECT key FROM owner WHERE owner.id = {owner} AND owner.kind = 'user')"
_USAGE = '(SELECT u.{column} FROM usage u WHERE u.owner = memory.owner AND u.memory = memory.id)'
MEMORY_FIELDS: Mapping[str, str] = {
    **{
        name: f'memory.{name}'
        for name in (
            'id', 'text', 'kind', 'slot', 'status', 'level', 'confidence', 'importance', 'trust', 'pinned', 'locked',
            'valid_from', 'valid_to', 'recorded_at', 'expires_at', 'tags', 'agent_id', 'run_id', 'app_id', 'actor',
            'version', 'metadata',
        )
    },
    'user_id': _USER.format(owner='memory.owner'),
    'uses': _USAGE.format(column='uses'),
    'last_used_at': _USAGE.format(column='last_used_at'),
}  # fmt: skip
EPISODE_FIELDS: Mapping[str, str] = {
    **{
        name: f'e.{name}' for name in ('id', 'text', 'trust', 'recorded_at', 'agent_id', 'run_id', 'app_id', 'metadata')
    },
    'valid_from': 'e.occurred_at',
    'user_id': _USER.format(owner='(e.row >> 24)'),
}
"""A message has no kind, slot or status: those are missing."""

_SIGNS = {'eq': '=', 'gt': '>', 'gte': '>=', 'lt': '<', 'lte': '<='}


def compile_filter(where: Filter, fields: Mapping[str, str]) -> tuple[str, list[Any]]:
    """A condition and its parameters."""
    values: list[Any] = []
    return _condition(where, fields, values), values


def _condition(where: Filter, fields: Mapping[str, str], values: list[Any]) -> str:
    match where:
        case All():
            return '(' + ' AND '.join(_condition(p, fields, values) for p in where.parts) + ')'
        case Any_():
            return '(' + ' OR '.join(_condition(p, fields, values) for p in where.parts) + ')'
        case Not():
            return f'(NOT {_condition(where.part, fields, values)})'
        case Compare():
            return _comparison(where, fields, values)


def _comparison(compare: Compare, fields: Mapping[str, str], values: list[Any]) -> str:
    op, operand = compare.op, compare.value
    negated = op in ('ne', 'nin')
    op = {'ne': 'eq', 'nin': 'in'}.get(op, op)
    column = fields.get(compare.field.name, 'NULL')
    if compare.field.type == 'json':
        path = '$' + ''.join(f'."{key}"' for key in compare.field.path)
        sql = _json(op, operand, column, path, values)
    elif compare.field.type == 'tags':
        sql = _tags(op, operand, column, values)
    else:
        sql = _column(op, operand, column, values)
    return f'(NOT COALESCE({sql}, 0))' if negated else f'COALESCE({sql}, 0)'


def _column(op: str, operand: Any, column: str, values: list[Any]) -> str:
    if op == 'exists':
        return f'({column} IS {"NOT " if operand else ""}NULL)'
    if op == 'in':
        values.extend(_plain(v) for v in operand)
        return f'({column} IN ({", ".join("?" * len(operand))}))'
    if op == 'contains':
        values.append(operand)
        return f'(instr({column}, ?) > 0)'
    if op == 'icontains':
        values.append(fold(operand))
        return f'(instr(fold({column}), ?) > 0)'
    values.append(_plain(operand))
    return f'({column} {_SIGNS[op]} ?)'


def _tags(op: str, operand: Any, column: str, values: list[Any]) -> str:
    if op == 'exists':
        return f'(({column} IS NOT NULL) = {int(operand)})'
    wanted = operand if op == 'in' else (operand,)
    if op == 'icontains':
        values.append(fold(operand))
        return f'EXISTS(SELECT 1 FROM json_each({column}) j WHERE fold(j.value) = ?)'
    values.extend(wanted)
    return f'EXISTS(SELECT 1 FROM json_each({column}) j WHERE j.value IN ({", ".join("?" * len(wanted))}))'


def _json(op: str, operand: Any, column: str, path: str, values: list[Any]) -> str:
    if op == 'exists':
        values.append(path)
        return f"((COALESCE(json_type({column}, ?), 'null') <> 'null') = {int(operand)})"
    if op == 'in':
        return _json_in(operand, column, path, values)
    if op in ('contains', 'icontains'):
        return _json_contains(op, operand, column, path, values)
    values.append(path)
    types = _types(operand)
    if isinstance(operand, bool):
        return f'(json_type({column}, ?) = {types})'
    values.extend((path, operand))
    return f'(json_type({column}, ?) IN ({types}) AND json_extract({column}, ?) {_SIGNS[op]} ?)'


def _json_in(operands: Any, column: str, path: str, values: list[Any]) -> str:
    """One list per JSON type: SQLite bounds the depth of a chain of ORs."""
    parts: list[str] = []
    for types, kind in (("'text'", str), ("'integer', 'real'", (int, float))):
        wanted = [v for v in operands if isinstance(v, kind) and not isinstance(v, bool)]
        if wanted:
            values.extend((path, path, *wanted))
            marks = ', '.join('?' * len(wanted))
            parts.append(f'(json_type({column}, ?) IN ({types}) AND json_extract({column}, ?) IN ({marks}))')
    for flag in {v for v in operands if isinstance(v, bool)}:
        values.append(path)
        parts.append(f'(json_type({column}, ?) = {_types(flag)})')
    return '(' + (' OR '.join(f'COALESCE({p}, 0)' for p in parts) or '0') + ')'


def _json_contains(op: str, operand: Any, column: str, path: str, values: list[Any]) -> str:
    left, right = ('fold({})', fold(operand)) if op == 'icontains' else ('{}', operand)
    parts: list[str] = []
    if isinstance(operand, str):
        values.extend((path, path, right))
        text = left.format(f'json_extract({column}, ?)')
        parts.append(f"(json_type({column}, ?) = 'text' AND instr({text}, ?) > 0)")
    values.extend((path, path))
    element = f'j.type IN ({_types(operand)})'
    if not isinstance(operand, bool):
        values.append(right)
        element += f' AND {left.format("j.value")} = ?'
    parts.append(
        f"(json_type({column}, ?) = 'array' AND EXISTS(SELECT 1 FROM json_each({column}, ?) j WHERE {element}))"
    )
    return '(' + ' OR '.join(f'COALESCE({p}, 0)' for p in parts) + ')'


def _types(operand: Scalar) -> str:
    if isinstance(operand, bool):
        return "'true'" if operand else "'false'"
    return "'text'" if isinstance(operand, str) else "'integer', 'real'"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_us(value)
    return int(value) if isinstance(value, bool) else value
