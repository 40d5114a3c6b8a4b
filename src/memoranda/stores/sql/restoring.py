"""Taking in what another store, or this one at another time, held on an owner.

The rows come in many short transactions, under an owner of a project that no id can name: nobody sees them. In the last
transaction that owner gets the name of the one they are for, and all is there at once. What is left of an import that
was cut off is erased by the next one, and by whatever looks after abandoned jobs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, TypeGuard

from memoranda.errors import Conflict
from memoranda.records import new_id, now
from memoranda.scope import Owner
from memoranda.stores.erasures import Forgetting, subject_key
from memoranda.stores.history import Entry, dump_state
from memoranda.stores.leases import holder_is_gone
from memoranda.stores.portable import (
    EntryItem,
    EpisodeIn,
    Holdings,
    MemoryIn,
    RestoreNote,
    RowIn,
)
from memoranda.stores.sql import auditing, erasing, tombstones
from memoranda.stores.sql.daily import count_day
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.exporting import holdings
from memoranda.stores.sql.inserting import insert_rows
from memoranda.stores.sql.keys import SEQ_BITS
from memoranda.stores.sql.locks import hold_name, hold_owners
from memoranda.stores.sql.owners import ensure_owner, hold_owner, touch
from memoranda.stores.sql.queue import settle
from memoranda.stores.sql.rows import OwnerRow, find_owner, row_range, to_us, within

__all__ = ['abandoned', 'begin', 'discard', 'discard_abandoned', 'finish', 'insert']

_PROJECT: Final = '\x01import'
"""No project can be called so: its name would have a control character."""
_KIND: Any = 'import'


def begin(connection: Connection, owner: Owner, token: str) -> Holdings:
    """Make room for an import, unless another one for this owner is under way."""
    hold_name(connection, _PROJECT)
    discard_abandoned(connection)
    for staged, _, other in _staged(connection):
        if staged[:3] == [owner.project, owner.kind, owner.key] and other != token:
            raise Conflict(
                f'another import for {owner.kind} {owner.key!r} is under way: wait for it, then look what is there'
            )
    seen = _buried_at(connection, owner)
    ensure_owner(connection, Owner(_PROJECT, _KIND, json.dumps([owner.project, owner.kind, owner.key, token, seen])))
    return holdings(connection, owner)


def insert(connection: Connection, owner: Owner, token: str, rows: Sequence[RowIn], generation: int | None) -> None:
    """Write rows where nobody sees them yet."""
    staging, seen = _staging(connection, owner, token)
    _check_ground(connection, owner, seen)
    taken = (
        f'an id in this document is held by somebody else in this storage already ({_first_id(rows)} or one of the '
        f'{len(rows)} items from there on): a subject is held once, so forget it there, or use another storage'
    )
    try:
        insert_rows(connection, staging, rows, generation)
        touch(connection, staging.id)  # for a reindex that has looked at this owner before
        connection.settle()
    except connection.violations as error:
        raise Conflict(taken) from error
    # Another version number, or a mere entry of the history, would violate nothing and claim what is somebody else's.
    named = {row.item.id if isinstance(row, MemoryIn) else row.memory_id for row in rows if _names_memory(row)}
    if within(connection, 'SELECT id FROM memory WHERE owner <> ? AND id', sorted(named), values=(staging.id,)):
        raise Conflict(taken)


def finish(connection: Connection, owner: Owner, token: str, note: RestoreNote) -> None:
    """Let everybody see what was written."""
    staging, seen = _staging(connection, owner, token)
    if connection.dialect.shared:
        there = find_owner(connection, owner)
        hold_owners(connection, [staging.id, *([there.id] if there else ())])
    there = hold_owner(connection, owner)
    _check_ground(connection, owner, seen)
    if there is not None:
        held = holdings(connection, owner)
        if not held.empty:
            raise Conflict(f'{owner.kind} {owner.key!r} got something of its own meanwhile: nothing was imported')
        connection.execute(
            "UPDATE owner SET kind = 'erased', key = ?, salt = ? WHERE id = ?", (str(there.id), bytes(16), there.id)
        )
    connection.execute(
        'UPDATE owner SET project = ?, kind = ?, key = ? WHERE id = ?',
        (owner.project, owner.kind, owner.key, staging.id),
    )
    connection.execute('UPDATE memory SET project = ? WHERE owner = ?', (owner.project, staging.id))
    row = OwnerRow(staging.id, owner, staging.version, staging.epoch, staging.salt, staging.next_seq)
    _record(connection, row, note)
    _count(connection, row, newcomer=there is None)
    connection.execute(
        "UPDATE job SET state = 'queued' WHERE row BETWEEN ? AND ? AND state = 'staged'",
        row_range(row.id),
    )
    settle(connection, (row.id,))
    touch(connection, row.id)


def _record(connection: Connection, owner: OwnerRow, note: RestoreNote) -> None:
    reason = 'restored' if note.restored else 'imported'
    lifted = tombstones.lift(connection, owner.owner, note.actor, reason) if note.restored else 0
    if note.forgotten_at is not None:
        forgetting = Forgetting(project=owner.owner.project, owner=owner.owner)
        tombstones.bury(connection, forgetting, to_us(note.forgotten_at))
    first = connection.execute('SELECT prev_hash FROM history WHERE row = ?', (owner.id << SEQ_BITS | 1,)).fetchone()
    (length,) = connection.execute('SELECT chain_length FROM owner WHERE id = ?', (owner.id,)).fetchone()
    told = {
        'digest': note.digest,
        'restored': note.restored,
        'lifted': lifted,
        'counts': dict(note.counts),
        # A chain begins with a hash that only the storage it was begun in can make: so it says for whom it came here.
        'chain': {
            'begins': first[0] if first else None,
            'entries': length - (1 if lifted else 0),
            'subject': auditing.subject(connection, owner.owner),
        },
    }
    entry = Entry(
        op='import', actor=note.actor, reason=reason, change_id=new_id(), at=to_us(now()), after=dump_state(told)
    )
    auditing.append(connection, owner, (entry,))


def _count(connection: Connection, owner: OwnerRow, *, newcomer: bool) -> None:
    span = row_range(owner.id)
    memories, messages, letters = connection.execute(
        'SELECT (SELECT count(*) FROM memory WHERE row BETWEEN ?1 AND ?2 AND live = 1), count(*), '
        'coalesce(sum(length(text)), 0) FROM episode WHERE row BETWEEN ?1 AND ?2',
        span,
    ).fetchone()
    people = int(newcomer and owner.owner.kind == 'user')
    count_day(
        connection, owner.owner, owner.id, now(), memories=memories, messages=messages, letters=letters, people=people
    )


def abandoned(connection: Connection) -> bool:
    """Whether an import was left by a process that is gone."""
    return any(holder_is_gone(token) for _, _, token in _staged(connection))


def discard_abandoned(connection: Connection) -> int:
    """Erase what imports left whose processes are gone. Returns how many."""
    gone = [name for name, _, token in _staged(connection) if holder_is_gone(token)]
    for name in gone:
        _discard(connection, name)
    return len(gone)


def discard(connection: Connection, token: str) -> None:
    """Erase what an import has written so far."""
    for name, _, other in _staged(connection):
        if other == token:
            _discard(connection, name)


def _discard(connection: Connection, name: Sequence[Any]) -> None:
    staging = find_owner(connection, Owner(_PROJECT, _KIND, json.dumps(name)), hold=True)
    if staging is None:
        return
    erasing.erase_owner(connection, staging)
    # It never was anybody's: nothing is to be told of it.
    span = row_range(staging.id)
    for table in ('history', 'history_text'):
        connection.execute(f'DELETE FROM {table} WHERE row BETWEEN ? AND ?', span)
    connection.execute('DELETE FROM owner WHERE id = ?', (staging.id,))


def _staged(connection: Connection) -> list[tuple[list[Any], int, str]]:
    """Imports under way: the parts of their names, their owner rows, and their tokens."""
    rows = connection.execute('SELECT key, id FROM owner WHERE project = ? AND kind = ?', (_PROJECT, _KIND)).fetchall()
    return [(name, row, name[3]) for name, row in ((json.loads(key), row) for key, row in rows)]


def _staging(connection: Connection, owner: Owner, token: str) -> tuple[OwnerRow, int | None]:
    for name, _, other in _staged(connection):
        if other == token and name[:3] == [owner.project, owner.kind, owner.key]:
            found = find_owner(connection, Owner(_PROJECT, _KIND, json.dumps(name)), hold=True)
            if found is not None:
                return found, name[4]
    raise Conflict(f'the import for {owner.kind} {owner.key!r} was dropped meanwhile: begin it anew')


def _check_ground(connection: Connection, owner: Owner, seen: int | None) -> None:
    if _buried_at(connection, owner) != seen:
        raise Conflict(
            f'{owner.kind} {owner.key!r}, or a part of it, was forgotten while it was imported: nothing was imported; '
            'ask for restore if it shall come back'
        )


def _buried_at(connection: Connection, owner: Owner) -> int | None:
    """When the owner, a part of it, or all of its project was last forgotten."""
    key = auditing.secret(connection)
    whole = subject_key(key, owner.project, owner, {})
    return connection.execute(
        'SELECT max(erased_at) FROM tombstone WHERE project = ?1 AND (of_owner = ?2 OR subject = ?2 OR subject = ?1)',
        (tombstones.project_key(key, owner.project), whole),
    ).fetchone()[0]


def _names_memory(row: RowIn) -> TypeGuard[MemoryIn | EntryItem]:
    return isinstance(row, MemoryIn) or (isinstance(row, EntryItem) and bool(row.memory_id))


def _first_id(rows: Sequence[RowIn]) -> str:
    first = rows[0]
    if isinstance(first, EpisodeIn | MemoryIn):
        return f'{"message" if isinstance(first, EpisodeIn) else "memory"} {first.item.id}'
    return f'{type(first).__name__.removesuffix("Item").lower()} {getattr(first, "id", "")}'.strip()
