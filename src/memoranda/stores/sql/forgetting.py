"""Forgetting: finds what is asked for, erases it durably, leaves a tombstone, and goes on where a process ended."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from memoranda.errors import MemoryNotFound, shown
from memoranda.filters import All, Any_, Compare, Filter, Not
from memoranda.records import now
from memoranda.scope import Owner
from memoranda.stores.erasures import COUNTED, ChainPosition, Forgetting, Forgotten
from memoranda.stores.leases import holder_is_gone, new_token
from memoranda.stores.sql import auditing
from memoranda.stores.sql.apikeys import drop_of, drop_personal
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.erasing import Gone, erase_episodes, erase_owner, erase_part
from memoranda.stores.sql.locks import hold_generations, hold_newcomer, hold_owners
from memoranda.stores.sql.rows import OwnerRow, find_owner, from_us, owner_by_id, row_range, to_us
from memoranda.stores.sql.tombstones import bury
from memoranda.stores.sql.where import EPISODE_FIELDS, MEMORY_FIELDS, compile_filter
from memoranda.stores.sql.withdrawing import Saying

__all__ = ['Part', 'begin', 'forget_one', 'forget_some', 'release', 'resume']

_SAMPLE = 24
"""Messages, and memories, whose words are looked for in the files afterwards."""
_LONG = 120
"""Characters of each."""
_AT_ONCE = 8
"""Owners that are erased before others may write."""
_PASSED = 2000
"""Owners that are looked at before others may write."""


@dataclass(slots=True, kw_only=True)
class Part:
    """What went so far."""

    subject: str
    at: int
    """Microseconds."""
    tombstone: bool
    rest: int | None = None
    """The row of `scrub` that lists what is still to be erased."""
    done: int = 0
    """The last owner that was looked at."""
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))
    chains: list[ChainPosition] = field(default_factory=list[ChainPosition])
    words: list[str] = field(default_factory=list[str], repr=False)

    def add(self, gone: Gone, chain: ChainPosition, words: Iterable[str]) -> None:
        """Count what went of an owner."""
        for name, count in asdict(gone).items():
            self.counts[name] += count
        self.chains.append(chain)
        self.words += words

    def told(self, *, scrubbed: bool) -> Forgotten:
        """For the caller."""
        return Forgotten(
            subject=self.subject,
            at=from_us(self.at),
            counts=self.counts,
            chains=tuple(self.chains),
            tombstone=self.tombstone,
            scrubbed=scrubbed,
            words=tuple(dict.fromkeys(self.words)),
        )


def forget_one(connection: Connection, forgetting: Forgetting) -> Part:
    """Forget something of one owner, in a transaction of its own that survives a loss of power."""
    return connection.durably(lambda c: _forget_one(c, forgetting))


def _forget_one(connection: Connection, forgetting: Forgetting) -> Part:
    found = _owner(connection, forgetting)
    part = _begun(connection, forgetting)
    if found is not None:
        _erase(connection, found, forgetting, part)
    elif forgetting.buries and forgetting.owner is not None and not forgetting.ids:
        drop_of(connection, forgetting.owner)
    elif not forgetting.buries and forgetting.where is None:
        raise _missing(forgetting)
    return part


def _begun(connection: Connection, forgetting: Forgetting) -> Part:
    # No message of the same moment may slip through between the tombstone and what is erased.
    at = to_us(now())
    if forgetting.buries:
        bury(connection, forgetting, at)
    subject = forgetting.subject(auditing.secret(connection))
    return Part(subject=subject, at=at, tombstone=forgetting.buries)


def _missing(forgetting: Forgetting) -> MemoryNotFound:
    noun, id_ = ('message', forgetting.episode_id) if forgetting.episode_id else ('memory', forgetting.memory_id)
    return MemoryNotFound(f'{noun} {shown(id_)} does not exist in this scope: check the id and the scope')


def _owner(connection: Connection, forgetting: Forgetting) -> OwnerRow | None:
    if forgetting.owner is not None:
        found = _held(connection, forgetting.owner)
        if found is None:
            hold_newcomer(connection, forgetting.owner)
            found = find_owner(connection, forgetting.owner, hold=True)
        return found
    found = connection.execute(
        'SELECT o.project, o.kind, o.key FROM owner o CROSS JOIN episode e '
        "WHERE o.project = ? AND o.kind <> 'erased' AND e.row >> 24 = o.id AND e.id = ? LIMIT 1",
        (forgetting.project, forgetting.episode_id),
    ).fetchone()
    return None if found is None else _held(connection, Owner(*found))


def _held(connection: Connection, owner: Owner) -> OwnerRow | None:
    """The owner, held with the agents that learnt from it: all at once, or two who forget might wait for each other."""
    found = find_owner(connection, owner)
    if found is None or not connection.dialect.shared:
        return found
    agents = connection.execute(
        "SELECT id FROM owner WHERE project = ? AND kind = 'agent' AND key IN "
        '(SELECT agent_id FROM episode WHERE row BETWEEN ? AND ?)',
        (owner.project, *row_range(found.id)),
    ).fetchall()
    hold_owners(connection, [found.id, *(id_ for (id_,) in agents)])
    return find_owner(connection, owner, hold=True)


def _owners(connection: Connection, project: str, up_to: int | None = None) -> list[int]:
    return [
        id_
        for (id_,) in connection.execute(
            "SELECT id FROM owner WHERE project = ? AND kind <> 'erased' AND id <= ? ORDER BY id",
            (project, (1 << 62) if up_to is None else up_to),
        )
    ]


def _erase(connection: Connection, owner: OwnerRow, forgetting: Forgetting, part: Part) -> None:
    """Erase what is asked for of one owner, and note where that is recorded."""
    ids, span = forgetting.ids, row_range(owner.id)
    agents = connection.execute(
        'SELECT DISTINCT agent_id FROM episode WHERE row BETWEEN ? AND ? AND agent_id IS NOT NULL', span
    ).fetchall()
    jobs = _jobs(connection, span)
    if forgetting.buries and (not ids or (forgetting.owner is None and _whole(owner, ids))):
        words = _sample(connection, owner, None, None)
        gone = erase_owner(connection, owner, forgetting.actor)
    elif forgetting.buries:
        episodes, memories = _said(connection, owner, 'episode', ids), _said(connection, owner, 'memory', ids)
        words = _sample(connection, owner, episodes, memories)
        gone = erase_part(connection, owner, ids, forgetting.actor)
    else:
        episodes, memory_ids = _wanted(connection, owner, forgetting)
        if forgetting.where is not None and not episodes and not memory_ids:
            return
        words = _sample(connection, owner, episodes, _rows_of(connection, memory_ids))
        gone = erase_episodes(connection, owner, Saying(episodes, {}), memory_ids, forgetting.asked, forgetting.actor)
    part.add(gone, _recorded(connection, owner), words)
    drawn = jobs - _jobs(connection, span)
    for (agent,) in agents:
        teacher = Owner(owner.owner.project, 'agent', agent)
        if teacher != owner.owner and (learnt := find_owner(connection, teacher, hold=True)) is not None:
            _unlearn(connection, learnt, drawn, part)


def _recorded(connection: Connection, owner: OwnerRow) -> ChainPosition:
    length, head = connection.execute('SELECT chain_length, chain_head FROM owner WHERE id = ?', (owner.id,)).fetchone()
    return ChainPosition(owner=owner.id, length=length, head=head)


def _jobs(connection: Connection, span: tuple[int, int]) -> set[str]:
    return {id_ for (id_,) in connection.execute('SELECT id FROM job WHERE row BETWEEN ? AND ?', span)}


def _unlearn(connection: Connection, agent: OwnerRow, jobs: Collection[str], part: Part) -> None:
    """The lessons that an agent drew from what is gone: they are messages of its own, named after the job."""
    rows = connection.execute(
        'SELECT e.row FROM episode e JOIN conversation c ON c.row = e.conversation '
        f'WHERE c.owner = ? AND c.id IN {connection.dialect.texts("?")}',
        (agent.id, json.dumps([f'lesson:{job}' for job in sorted(jobs)])),
    ).fetchall()
    if rows:
        episodes = {row for (row,) in rows}
        words = _sample(connection, agent, episodes, ())
        gone = erase_episodes(connection, agent, Saying(episodes, {}), (), 'lesson')
        part.add(gone, _recorded(connection, agent), words)


def _said(connection: Connection, owner: OwnerRow, table: str, ids: dict[str, str]) -> set[int]:
    """Rows that were said under all of these ids; all of the owner's, when there are none."""
    condition = ''.join(f' AND {name} = ?' for name in ids)
    sql = f'SELECT row FROM {table} WHERE row BETWEEN ? AND ?{condition}'
    return {row for (row,) in connection.execute(sql, (*row_range(owner.id), *ids.values()))}


def _rows_of(connection: Connection, memory_ids: Iterable[str]) -> set[int]:
    return {r for id_ in memory_ids for (r,) in connection.execute('SELECT row FROM memory WHERE id = ?', (id_,))}


def _wanted(connection: Connection, owner: OwnerRow, forgetting: Forgetting) -> tuple[set[int], set[str]]:
    """The messages that go, and the memories that go with all they rest on."""
    narrowed = ''.join(f' AND {name} = ?' for name in forgetting.ids)
    span = row_range(owner.id)
    given = (*span, *forgetting.ids.values())
    if forgetting.episode_id is not None:
        sql = f'SELECT row FROM episode WHERE row BETWEEN ? AND ?{narrowed} AND row >> 24 = ? AND id = ?'
        rows = connection.execute(sql, (*given, owner.id, forgetting.episode_id)).fetchall()
        if not rows:
            raise _missing(forgetting)
        return {row for (row,) in rows}, set()
    episodes: set[int] = set()
    memory_ids: set[str] = set()
    if forgetting.memory_id is not None:
        memory_ids.add(forgetting.memory_id)
    elif forgetting.where is not None:
        condition, values = compile_filter(connection, forgetting.where, MEMORY_FIELDS, span)
        sql = f'SELECT id FROM memory WHERE row BETWEEN ? AND ?{narrowed} AND retired_at IS NULL AND {condition}'
        memory_ids.update(id_ for (id_,) in connection.execute(sql, (*given, *values)))
        if _names(forgetting.where) <= EPISODE_FIELDS.columns.keys():
            condition, values = compile_filter(connection, forgetting.where, EPISODE_FIELDS, span)
            sql = f'SELECT e.row FROM episode e WHERE row BETWEEN ? AND ?{narrowed} AND {condition}'
            episodes.update(row for (row,) in connection.execute(sql, (*given, *values)))
    rested = _rests(connection, owner, memory_ids)
    if forgetting.memory_id is not None and rested is None:
        raise _missing(forgetting)
    return episodes | (rested or set()), memory_ids


def _names(where: Filter) -> set[str]:
    """The fields that a filter asks for."""
    match where:
        case Compare():
            return {where.field.name}
        case Not():
            return _names(where.part)
        case All() | Any_():
            return {name for part in where.parts for name in _names(part)}


def _rests(connection: Connection, owner: OwnerRow, memory_ids: Collection[str]) -> set[int] | None:
    """The messages that any version of these memories rests on; None when there is no such memory."""
    found: set[int] | None = None
    for id_ in memory_ids:
        for (spans,) in connection.execute(
            'SELECT evidence FROM memory WHERE id = ? AND row BETWEEN ? AND ?', (id_, *row_range(owner.id))
        ):
            found = found or set()
            found.update(span[0] for span in json.loads(spans))
    return found


def _sample(
    connection: Connection, owner: OwnerRow, episodes: Collection[int] | None, memories: Collection[int] | None
) -> list[str]:
    """The longest of the texts that go, or the beginnings of them: the likeliest to be said nowhere else."""
    words: list[str] = []
    for table, rows in (('episode', episodes), ('memory', memories)):
        if rows is None:
            which, values = 'row BETWEEN ? AND ?', row_range(owner.id)
        else:
            which, values = f'row IN {connection.dialect.numbers("?")}', (json.dumps(sorted(rows)),)
        sql = f'SELECT substr(text, 1, {_LONG}) FROM {table} WHERE {which} ORDER BY length(text) DESC LIMIT {_SAMPLE}'
        words += [text for (text,) in connection.execute(sql, values)]
    return words


def begin(connection: Connection, forgetting: Forgetting) -> Part:
    """Note that something of all owners of a project is to go, so that it goes on whatever happens to this process."""

    def note(connection: Connection) -> Part:
        hold_generations(connection)
        part = _begun(connection, forgetting)
        up_to = connection.execute('SELECT coalesce(max(id), 0) FROM owner').fetchone()[0]
        rest = {'project': forgetting.project, 'ids': forgetting.ids, 'up_to': up_to, 'by': new_token()}
        rest['actor'] = forgetting.actor
        sql = 'INSERT INTO scrub(requested_at, rest) VALUES(?, ?) RETURNING id'
        (part.rest,) = connection.execute(sql, (part.at, json.dumps(rest))).fetchone()
        return part

    return connection.durably(note)


def forget_some(connection: Connection, part: Part) -> bool:
    """Go on with it for a few owners, each in a transaction of its own. True when it is done."""
    found = connection.execute('SELECT rest FROM scrub WHERE id = ?', (part.rest,)).fetchone()
    if found is None or found[0] is None:
        return True
    rest = json.loads(found[0])
    ids: dict[str, Any] = rest['ids']
    forgetting = Forgetting(project=rest['project'], owner=None, actor=rest.get('actor', 'user'), **ids)
    done = part.done = max(part.done, rest.get('done', 0))
    left = [id_ for id_ in _owners(connection, forgetting.project, rest['up_to']) if id_ > done]
    erased = 0
    for passed, id_ in enumerate(left):
        if erased == _AT_ONCE or passed == _PASSED:
            return False
        if _has(connection, id_, ids):
            connection.durably(lambda c, id_=id_: _forget_owner(c, id_, forgetting, rest, part))
            erased += 1
        part.done = id_
    connection.durably(lambda c: _end(c, forgetting, part))
    return True


def _has(connection: Connection, number: int, ids: dict[str, str]) -> bool:
    """Whether something of an owner is to go."""
    if connection.execute("SELECT 1 FROM owner WHERE id = ? AND kind <> 'erased'", (number,)).fetchone() is None:
        return False
    owner = find_owner(connection, owner_by_id(connection, number))
    return owner is not None and (
        _whole(owner, ids) or bool(_said(connection, owner, 'episode', ids) or _said(connection, owner, 'memory', ids))
    )


def _whole(owner: OwnerRow, ids: dict[str, str]) -> bool:
    """Whether all of an owner goes, when everything under these ids goes wherever it is."""
    return ids in ({}, {f'{owner.owner.kind}_id': owner.owner.key})


def _forget_owner(
    connection: Connection, number: int, forgetting: Forgetting, rest: dict[str, Any], part: Part
) -> None:
    if _has(connection, number, forgetting.ids):  # still
        found = _held(connection, owner_by_id(connection, number))
        if found is not None:
            _erase(connection, found, forgetting, part)
    rest['done'] = number
    connection.execute('UPDATE scrub SET rest = ? WHERE id = ?', (json.dumps(rest), part.rest))


def _end(connection: Connection, forgetting: Forgetting, part: Part) -> None:
    if not forgetting.ids:  # of a project that is forgotten, its name is too
        drop_personal(connection, forgetting.project)
        connection.execute('DELETE FROM activity WHERE project = ?', (forgetting.project,))
        connection.execute("UPDATE owner SET project = '' WHERE project = ? AND kind = 'erased'", (forgetting.project,))
    connection.execute('DELETE FROM scrub WHERE id = ?', (part.rest,))
    connection.execute('INSERT INTO scrub(requested_at) VALUES(?)', (to_us(now()),))


def release(connection: Connection, part: Part) -> None:
    """Leave the rest to whoever comes."""
    found = connection.execute('SELECT rest FROM scrub WHERE id = ? AND rest IS NOT NULL', (part.rest,)).fetchone()
    if found is not None:
        rest = json.dumps({**json.loads(found[0]), 'by': ''})
        connection.execute('UPDATE scrub SET rest = ? WHERE id = ?', (rest, part.rest))


def resume(connection: Connection) -> None:
    """Finish what processes that are gone had begun."""
    for id_, rest in connection.execute('SELECT id, rest FROM scrub WHERE rest IS NOT NULL').fetchall():
        by = json.loads(rest)['by']
        if not by or holder_is_gone(by):
            part = Part(subject='', at=0, tombstone=True, rest=id_)
            while not forget_some(connection, part):
                pass
