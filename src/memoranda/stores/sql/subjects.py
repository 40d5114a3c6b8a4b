"""The owners of a project, counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from memoranda.scope import Owner, OwnerKind
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.rows import from_us
from memoranda.stores.subjects import Subject

__all__ = ['numbers', 'subjects']

_COLUMNS: Final = {name: name for name in ('run_id', 'agent_id', 'app_id')}


def subjects(
    connection: Connection,
    project: str,
    kinds: Sequence[OwnerKind],
    said_under: Mapping[str, str],
    after: int,
    limit: int,
) -> list[Subject]:
    """Owners of these kinds in the order of their numbers.

    Args:
        connection: Where.
        project: The tenant.
        kinds: Which sorts.
        said_under: Only those with active memories that were said under all of these (`run_id`, `agent_id`, `app_id`).
        after: Only those with a higher number.
        limit: How many at most.
    """
    marks = ', '.join('?' * len(kinds))
    under = ''.join(f' AND m.{_COLUMNS[name]} = ?' for name in said_under)
    owned = f'SELECT id, kind, key FROM owner WHERE project = ? AND kind IN ({marks}) AND id > ?'
    values = (project, *kinds, after)
    if said_under:
        sql = (
            'SELECT o.id, o.kind, o.key, count(*), min(m.said_at), max(m.recorded_at) '
            f'FROM ({owned}) o JOIN memory m ON m.owner = o.id AND m.live = 1{under} '
            'GROUP BY o.id, o.kind, o.key ORDER BY o.id LIMIT ?'
        )
    else:
        sql = (
            'SELECT o.id, o.kind, o.key, count(m.row), min(m.said_at), max(m.recorded_at) '
            f'FROM ({owned} ORDER BY id LIMIT ?) o LEFT JOIN memory m ON m.owner = o.id AND m.live = 1 '
            'GROUP BY o.id, o.kind, o.key ORDER BY o.id'
        )
    bound = (*values, *said_under.values(), limit) if said_under else (*values, limit)
    return [
        Subject(
            number=number,
            owner=Owner(project, kind, key),
            memories=count,
            first_said=None if first is None else from_us(first),
            last_recorded=None if last is None else from_us(last),
        )
        for number, kind, key, count, first, last in connection.execute(sql, bound)
    ]


def numbers(connection: Connection, project: str, kinds: Sequence[OwnerKind], limit: int) -> list[int]:
    """The numbers of the first owners of these kinds, ascending."""
    marks = ', '.join('?' * len(kinds))
    sql = f'SELECT id FROM owner WHERE project = ? AND kind IN ({marks}) ORDER BY id LIMIT ?'
    return [number for (number,) in connection.execute(sql, (project, *kinds, limit))]
