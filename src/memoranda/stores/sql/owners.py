"""Owners: their rows, made and held, their write counter, and the row keys that are theirs."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from memoranda.errors import StoreError
from memoranda.scope import Owner
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import SEQ_BITS, SEQ_MASK
from memoranda.stores.sql.locks import hold_newcomer
from memoranda.stores.sql.rows import OwnerRow, find_owner, owner_sought

__all__ = [
    'advance_sought',
    'ensure_owner',
    'hold_owner',
    'hold_sought',
    'make_owner',
    'take_held',
    'take_rows',
    'tick',
    'touch',
]


def tick(connection: Connection) -> int:
    """The next number of the write counter.

    Of an owner that is held it is greater than all before. Between owners the order tells nothing: one that has a
    smaller number may be seen later.
    """
    clock = connection.dialect.clock
    if clock is not None:
        return _one(connection, f'SELECT {clock}')
    return _one(connection, "UPDATE meta SET value = value + 1 WHERE key = 'clock' RETURNING value")


def ensure_owner(connection: Connection, owner: Owner) -> OwnerRow:
    """The owner's row, made if it is new, and held."""
    return hold_owner(connection, owner) or make_owner(connection, owner)


def hold_owner(connection: Connection, owner: Owner) -> OwnerRow | None:
    """The owner's row, held; when there is none, nobody else makes it before the end of this transaction."""
    return hold_sought(connection, owner)()


def hold_sought(connection: Connection, owner: Owner) -> Callable[[], OwnerRow | None]:
    """`hold_owner`, to be looked at later, see `rows.sought`: what is asked after it is of the owner as it is held."""
    sought_owner = owner_sought(connection, owner, hold=True)

    def look() -> OwnerRow | None:
        found = sought_owner()
        if found is None and connection.dialect.shared:
            hold_newcomer(connection, owner)
            found = find_owner(connection, owner, hold=True)
        return found

    return look


def make_owner(connection: Connection, owner: Owner) -> OwnerRow:
    """A row for an owner who has none, while nobody else can make it."""
    salt = secrets.token_bytes(16)
    version = tick(connection)
    id_ = _one(
        connection,
        'INSERT INTO owner(project, kind, key, version, epoch, salt) VALUES(?, ?, ?, ?, ?, ?) RETURNING id',
        (owner.project, owner.kind, owner.key, version, version, salt),
    )
    return OwnerRow(id_, owner, version, version, salt, 1)


def take_rows(connection: Connection, owner: int, count: int) -> range:
    """Row keys for new rows of an owner."""
    sql = 'UPDATE owner SET next_seq = next_seq + ? WHERE id = ? RETURNING next_seq'
    return _keys(owner, _one(connection, sql, (count, owner)), count)


def advance_sought(connection: Connection, number: int, owner: Owner, count: int) -> Callable[[], tuple[range, int]]:
    """Row keys for new rows of an owner, and its new version; to be looked at later, see `rows.sought`.

    Nothing is done, and it isn't to be looked at, when the owner has another number by now.
    """
    clock = connection.dialect.clock
    who = (number, owner.project, owner.kind, owner.key)
    found = connection.ask(
        f'UPDATE owner SET next_seq = next_seq + ?, version = {clock or "?"} '
        'WHERE id = ? AND project = ? AND kind = ? AND key = ? RETURNING next_seq, version',
        (count, *who) if clock else (count, tick(connection), *who),
    )

    def look() -> tuple[range, int]:
        after, version = found.fetchone()
        return _keys(number, after, count), version

    return look


def take_held(connection: Connection, owner: OwnerRow, count: int) -> range:
    """Row keys for new rows of an owner, and a new version of it, without waiting for an answer.

    Args:
        connection: In a transaction.
        owner: As it was read when it was held; nothing was taken of it since.
        count: How many.
    """
    keys = _keys(owner.id, owner.next_seq + count, count)
    clock = connection.dialect.clock
    values = (count, owner.id) if clock else (count, tick(connection), owner.id)
    connection.execute(f'UPDATE owner SET next_seq = next_seq + ?, version = {clock or "?"} WHERE id = ?', values)
    return keys


def _keys(owner: int, after: int, count: int) -> range:
    if after > SEQ_MASK:
        raise StoreError(f'one owner cannot hold more than {SEQ_MASK} rows: split it over several ids')
    base = owner << SEQ_BITS
    return range(base + after - count, base + after)


def touch(connection: Connection, owner: int) -> int:
    """A new version for the owner, so that every cache notices."""
    clock = connection.dialect.clock
    if clock is not None:
        return _one(connection, f'UPDATE owner SET version = {clock} WHERE id = ? RETURNING version', (owner,))
    version = tick(connection)
    connection.execute('UPDATE owner SET version = ? WHERE id = ?', (version, owner))
    return version


def _one(connection: Connection, sql: str, values: tuple[Any, ...] = ()) -> Any:
    for row in connection.execute(sql, values):
        return row[0]
    return None
