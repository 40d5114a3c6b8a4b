"""What is read of a whole project: listings over all its owners, its figures, and slots in trouble."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from memoranda.errors import InvalidInput, shown
from memoranda.filters import Compare, Field, Filter, fold
from memoranda.records import MemoryRecord, Usage
from memoranda.scope import Owner, OwnerKind, Reach
from memoranda.stores.figures import (
    LATENCIES,
    MOST_COUNTED,
    MOST_READ,
    Activity,
    BrowseAsked,
    Browsed,
    ContestedSlot,
    Day,
    People,
    SlotTrouble,
    Usages,
)
from memoranda.stores.sql.daily import DAY_US, FIGURES
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.reading import MEMORY
from memoranda.stores.sql.rows import find_owner, from_us, owner_by_id, read_memories, row_range, within
from memoranda.stores.sql.where import MEMORY_FIELDS, compile_filter
from memoranda.stores.subjects import Subject

__all__ = ['activity', 'browse', 'conflicts', 'people', 'usages']

_LAST: Final = '\U0010ffff'
_VALUES: Final = 20
"""Values of a slot that are told."""
_EVERYWHERE: Final = (0, (1 << 63) - 1)
_ALL: Final = 1 << 40


def browse(connection: Connection, asked: BrowseAsked) -> Browsed:
    """A slice of the memories of a project, or of some owners, in the order of their ids."""
    first = asked.cursor is None
    wanted = MOST_COUNTED + 1 if first else asked.size + 1
    if asked.reaches is not None:
        found = _of_owners(connection, asked, asked.reaches, wanted)
    elif asked.rest is None and asked.text is None:
        found = _listed(connection, asked, asked.cursor, wanted)
    else:
        found = _looked_through(connection, asked)
    page = found[: asked.size]
    rows = within(connection, f'{MEMORY}WHERE retired_at IS NULL AND id', page)
    items = sorted(read_memories(connection, rows), key=lambda m: m.id, reverse=asked.newest_first)
    return Browsed(
        items=tuple(items),
        cursor=page[-1] if len(found) > asked.size else None,
        count=min(len(found), MOST_COUNTED) if first else None,
        more=first and len(found) > MOST_COUNTED,
    )


def _narrowed(
    connection: Connection, asked: BrowseAsked, where: Sequence[Filter | None], span: tuple[int, int]
) -> tuple[str, list[Any]]:
    """A condition for latest versions, and the values in it."""
    tests, values = ['retired_at IS NULL'], list[Any]()
    if asked.statuses is not None:
        one = len(asked.statuses) == 1  # a list of one costs more to look through than the one
        tests.append('status = ?' if one else f'status IN ({", ".join("?" * len(asked.statuses)) or "NULL"})')
        values += asked.statuses
    for one in where:
        if one is not None:
            test, more = compile_filter(connection, one, MEMORY_FIELDS, span)
            tests.append(test)
            values += more
    return ' AND '.join(tests), values


def _behind(asked: BrowseAsked, cursor: str | None) -> tuple[str, str, tuple[str, ...]]:
    order = 'DESC' if asked.newest_first else 'ASC'
    if cursor is None:
        return order, '', ()
    return order, f' AND id {"<" if asked.newest_first else ">"} ?', (cursor,)


def _listed(connection: Connection, asked: BrowseAsked, cursor: str | None, limit: int) -> list[str]:
    """Ids, by the index that holds all that is compared."""
    condition, values = _narrowed(connection, asked, [asked.where], _EVERYWHERE)
    order, after, behind = _behind(asked, cursor)
    sql = (
        f'SELECT id FROM memory {connection.dialect.index("memory_browse")} '
        f'WHERE project = ? AND {condition}{after} ORDER BY id {order} LIMIT ?'
    )
    return [id_ for (id_,) in connection.execute(sql, (asked.project, *values, *behind, limit))]


def _of_owners(connection: Connection, asked: BrowseAsked, reaches: Sequence[Reach], limit: int) -> list[str]:
    words = None if asked.text is None else Compare(Field('text', 'text'), 'icontains', asked.text)
    order, after, behind = _behind(asked, asked.cursor)
    found: list[list[str]] = []
    for reach in reaches:
        owner = find_owner(connection, reach.owner)
        if owner is None:
            continue
        where = [asked.where, asked.rest, words]
        condition, values = _narrowed(connection, asked, where, row_range(owner.id))
        rows = connection.execute(
            f'SELECT id, run_key FROM memory {connection.dialect.index("memory_page")} '
            f'WHERE owner = ? AND {condition}{after} ORDER BY id {order} LIMIT ?',
            (owner.id, *values, *behind, limit if reach.own and reach.runs is None else _ALL),
        )
        found.append([id_ for id_, run_key in rows if reach.sees(run_key)])
    return list(heapq.merge(*found, reverse=asked.newest_first))[:limit]


def _looked_through(connection: Connection, asked: BrowseAsked) -> list[str]:
    """Ids, by what only the rows tell: of few enough that all of them can be read."""
    found = _listed(connection, asked, None, MOST_READ + 1)
    if len(found) > MOST_READ:
        what = f'text={shown(asked.text)}' if asked.text is not None else 'a filter by a field that is in no index'
        raise InvalidInput(
            f'{what} would be looked for in more than {MOST_READ:,} memories: name a person (user_id), or narrow the '
            'listing by kind, agent_id, trust, status or time'
        )
    if asked.rest is not None:
        condition, values = compile_filter(connection, asked.rest, MEMORY_FIELDS, _EVERYWHERE)
        rows = connection.execute(
            f'SELECT id FROM memory WHERE id IN {connection.dialect.texts("?")} AND retired_at IS NULL AND {condition}',
            (json.dumps(found), *values),
        )
        kept = {id_ for (id_,) in rows}
        found = [id_ for id_ in found if id_ in kept]
    if asked.text is not None:
        wanted = fold(asked.text)
        texts = within(connection, 'SELECT id, text FROM memory WHERE retired_at IS NULL AND id', found)
        kept = {id_ for id_, text in texts if wanted in fold(text)}
        found = [id_ for id_ in found if id_ in kept]
    if asked.cursor is None:
        return found
    return [id_ for id_ in found if (id_ < asked.cursor if asked.newest_first else id_ > asked.cursor)]


def people(
    connection: Connection,
    project: str,
    kinds: Sequence[OwnerKind],
    prefix: str,
    size: int,
    after: tuple[OwnerKind, str] | None,
) -> People:
    """A slice of the owners of some kinds, one kind after the other, by their ids."""
    rows: list[tuple[int, OwnerKind, str]] = []
    left = list(kinds) if after is None else list(kinds)[list(kinds).index(after[0]) :]
    counted = 0
    among = 'FROM owner WHERE project = ? AND kind = ? AND key >= ? AND key < ?'
    for kind in left:
        if len(rows) <= size:
            behind = after[1] if after is not None and after[0] == kind else None
            more = '' if behind is None else ' AND key > ?'
            values = (project, kind, prefix, prefix + _LAST, *(() if behind is None else (behind,)))
            sql = f'SELECT id, kind, key {among}{more} ORDER BY key LIMIT ?'
            rows += connection.execute(sql, (*values, size + 1 - len(rows)))
        if after is None and counted <= MOST_COUNTED:
            sql = f'SELECT count(*) FROM (SELECT 1 {among} LIMIT ?) AS first_ones'
            values = (project, kind, prefix, prefix + _LAST, MOST_COUNTED + 1)
            counted += connection.execute(sql, values).fetchone()[0]
    held = {
        number: figures
        for number, *figures in within(
            connection,
            'SELECT owner, count(*), min(said_at), max(recorded_at) FROM memory WHERE live = 1 AND owner',
            [number for number, _, _ in rows[:size]],
            ' GROUP BY owner',
        )
    }
    items: list[Subject] = []
    for number, kind, key in rows[:size]:
        count, first, last = held.get(number, (0, None, None))
        items.append(
            Subject(
                number=number,
                owner=Owner(project, kind, key),
                memories=count,
                first_said=None if first is None else from_us(first),
                last_recorded=None if last is None else from_us(last),
            )
        )
    return People(
        items=tuple(items),
        cursor=f'{items[-1].owner.kind}:{items[-1].owner.key}' if len(rows) > size else None,
        count=min(counted, MOST_COUNTED) if after is None else None,
        more=counted > MOST_COUNTED,
    )


def usages(connection: Connection, memory_id: str, owner: Owner) -> Usages:
    """How often a memory was recalled, and when last."""
    found = find_owner(connection, owner)
    for times, last in connection.execute(
        'SELECT uses, last_used_at FROM usage WHERE owner = ? AND memory = ?',
        (-1 if found is None else found.id, memory_id),
    ).fetchall():
        return Usages(times=times, last=from_us(last))
    return Usages()


def activity(connection: Connection, project: str, today: datetime, days: int) -> Activity:
    """What happened on the last days, and how it stands."""
    last = int(today.timestamp() * 1e6) // DAY_US
    names = (*FIGURES, 'cost')
    sums = ', '.join(f'sum({name})' for name in names)
    told: dict[int, dict[str, Any]] = {}
    for day, *figures in connection.execute(
        f'SELECT day, {sums} FROM activity WHERE project = ? AND day > ? GROUP BY day', (project, last - days)
    ):
        told[day] = dict(
            zip(
                names,
                (f if f is None else float(f) if n == 'cost' else int(f) for n, f in zip(names, figures, strict=True)),
                strict=True,
            )
        )
    since, letters = connection.execute(
        'SELECT min(day), coalesce(sum(letters), 0) FROM activity WHERE project = ?', (project,)
    ).fetchone()
    memories = _one(
        connection,
        f'SELECT count(*) FROM memory {connection.dialect.index("memory_browse")} '
        "WHERE project = ? AND status = 'active' AND retired_at IS NULL",
        project,
    )
    users = _one(connection, "SELECT count(*) FROM owner WHERE project = ? AND kind = 'user'", project)
    jobs = 'SELECT count(*) FROM job j JOIN owner o ON o.id = j.owner WHERE {} AND o.project = ?'
    began = datetime(1970, 1, 1, tzinfo=UTC).date()
    listed: list[Day] = []
    held, known = memories, users
    for day in range(last, last - days, -1):
        figures = told.get(day, {})
        listed.append(_day(began + timedelta(days=day), figures, held, known))
        held -= figures.get('memories', 0)
        known -= figures.get('people', 0)
    return Activity(
        days=tuple(reversed(listed)),
        since=None if since is None else began + timedelta(days=since),
        memories=memories,
        people=users,
        letters_held=max(0, int(letters)),
        queued=_one(connection, jobs.format("j.state IN ('queued', 'running')"), project),
        dead=_one(connection, jobs.format("j.state = 'dead'"), project),
    )


_SAME: Final = (
    'added', 'confirmed', 'superseded', 'corrected', 'edited', 'retracted', 'rejected', 'erased', 'messages', 'recalls',
    'recalls_found', 'blocks', 'block_tokens',
)  # fmt: skip


def _day(date: Any, figures: dict[str, Any], memories: int, people_: int) -> Day:
    return Day(
        day=date,
        **{name: figures.get(name, 0) for name in _SAME},
        memories=max(0, memories),
        people=max(0, people_),
        recall_seconds=figures.get('recall_us', 0) / 1e6,
        latencies=tuple(figures.get(f'took_{i}', 0) for i in range(len(LATENCIES) + 1)),
        usage=Usage(
            requests=figures.get('requests', 0),
            input_tokens=figures.get('input_tokens', 0),
            output_tokens=figures.get('output_tokens', 0),
            cost=figures.get('cost'),
        ),
    )


def conflicts(
    connection: Connection,
    project: str,
    reaches: Sequence[Reach] | None,
    changes: int,
    size: int,
    after: tuple[int, str, str] | None,
) -> list[ContestedSlot]:
    """Slots in trouble, in the order of their owners' numbers; one more than asked for when others follow."""
    found: list[ContestedSlot] = []
    for number, slot, run_key, ended, standing in _troubled(connection, reaches, changes, after):
        owner = owner_by_id(connection, number)
        if owner.project != project or not _sees(reaches, owner, run_key):
            continue
        troubles: list[SlotTrouble] = []
        if ended >= changes:
            troubles.append('changed')
        if standing > 1:
            troubles.append('disagree')
        found.append(
            ContestedSlot(
                owner=owner,
                slot=slot,
                number=number,
                run_id=run_key or None,
                troubles=tuple(troubles),
                changes=ended,
                memories=tuple(_values(connection, number, slot, run_key)),
            )
        )
        if len(found) > size:
            break
    return found


def _sees(reaches: Sequence[Reach] | None, owner: Owner, run_key: str) -> bool:
    return reaches is None or any(reach.owner == owner and reach.sees(run_key) for reach in reaches)


_AT_ONCE: Final = 64


def _troubled(
    connection: Connection, reaches: Sequence[Reach] | None, changes: int, after: tuple[int, str, str] | None
) -> Iterator[tuple[int, str, str, int, int]]:
    """Owner, slot, run key, and how many values ended and how many stand, in this order."""
    own, numbers = '', list[int]()
    if reaches is not None:
        rows = (find_owner(connection, reach.owner) for reach in reaches)
        numbers = [row.id for row in rows if row is not None]
        own = f' AND owner IN ({", ".join("?" * len(numbers)) or "NULL"})'
    place = after or (-1, '', '')
    ended = "sum(CASE WHEN status = 'superseded' THEN 1 ELSE 0 END)"
    standing = "sum(CASE WHEN status IN ('active', 'pending') THEN 1 ELSE 0 END)"
    sql = (
        f'SELECT owner, slot, run_key, {ended}, {standing} FROM memory {connection.dialect.index("memory_chain")} '
        f'WHERE retired_at IS NULL AND slot IS NOT NULL AND (owner, slot, run_key) > (?, ?, ?){own} '
        f'GROUP BY owner, slot, run_key HAVING {ended} >= ? OR {standing} > 1 ORDER BY owner, slot, run_key LIMIT ?'
    )
    while True:
        some = connection.execute(sql, (*place, *numbers, changes, _AT_ONCE)).fetchall()
        for row in some:
            yield row[0], row[1], row[2], int(row[3]), int(row[4])
        if len(some) < _AT_ONCE:
            return
        place = some[-1][:3]


def _values(connection: Connection, number: int, slot: str, run_key: str) -> list[MemoryRecord]:
    rows = connection.execute(
        f'{MEMORY}{connection.dialect.index("memory_chain")} '
        'WHERE owner = ? AND slot = ? AND run_key = ? AND retired_at IS NULL '
        "ORDER BY CASE status WHEN 'active' THEN 0 WHEN 'pending' THEN 1 ELSE 2 END, said_at DESC, id DESC LIMIT ?",
        (number, slot, run_key, _VALUES),
    ).fetchall()
    return read_memories(connection, rows)


def _one(connection: Connection, sql: str, project: str) -> int:
    return connection.execute(sql, (project,)).fetchone()[0]
