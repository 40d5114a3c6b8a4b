"""API keys: rows of a project, with their making and ending in the chain of what the project shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

from memoranda.errors import Conflict
from memoranda.records import new_id
from memoranda.scope import Owner
from memoranda.stores.apikeys import ApiKey, Role
from memoranda.stores.history import Entry, dump_state
from memoranda.stores.sql import auditing
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.locks import hold_name
from memoranda.stores.sql.owners import ensure_owner
from memoranda.stores.sql.rows import from_us, to_us

__all__ = ['add', 'by_digest', 'drop_of', 'drop_personal', 'home_of', 'keys', 'note_uses', 'revoke', 'rotate']

_COLUMNS: Final = (
    'id, project, name, role, user_id, hint, created_at, created_by, expires_at, revoked_at, last_used_at, replaces'
)


def home_of(project: str) -> Owner:
    """In whose chain it is told, and in whose shard the keys of a project are: what the project shares."""
    return Owner(project, 'global', '')


def add(connection: Connection, key: ApiKey, digest: bytes, *, reason: str = '') -> None:
    """Store a new key.

    Raises:
        Conflict: One of that name is in force.
    """
    hold_name(connection, f'keys:{key.project}')
    _check_name(connection, key)
    _insert(connection, key, digest)
    _tell(connection, key, 'create', at=key.created_at, actor=key.created_by, reason=reason)


def rotate(
    connection: Connection, old: str, key: ApiKey, digest: bytes, *, until: datetime | None, reason: str = ''
) -> bool:
    """Store a key in the place of another one of the same project. False when that one isn't in force.

    Args:
        connection: In a transaction.
        old: The id of the other one.
        key: The new one.
        digest: Of its secret.
        until: Until when the other one is in force; None: it is revoked at once.
        reason: Why.
    """
    hold_name(connection, f'keys:{key.project}')
    found = _find(connection, old, key.project)
    if found is None or not found.in_force(key.created_at):
        return False
    if until is None:
        _end(connection, old, key.created_at)
    elif found.expires_at is None or until < found.expires_at:
        connection.execute('UPDATE api_key SET expires_at = ? WHERE id = ?', (to_us(until), old))
    _insert(connection, key, digest)
    _tell(connection, key, 'rotate', at=key.created_at, actor=key.created_by, reason=reason)
    return True


def revoke(
    connection: Connection, key_id: str, project: str, *, at: datetime, actor: str, reason: str = ''
) -> ApiKey | None:
    """End a key. One that ended before stays as it is; None when there is none."""
    hold_name(connection, f'keys:{project}')
    found = _find(connection, key_id, project)
    if found is None or found.revoked_at is not None:
        return found
    _end(connection, key_id, at)
    _tell(connection, found, 'revoke', at=at, actor=actor, reason=reason)
    return _find(connection, key_id, project)


def by_digest(connection: Connection, digest: bytes) -> tuple[ApiKey, bytes] | None:
    """The key with this digest, whether or not it is in force, and the digest as it is stored."""
    for row in connection.execute(f'SELECT {_COLUMNS}, digest FROM api_key WHERE digest = ?', (digest.hex(),)):
        return _read(row), bytes.fromhex(row[12])
    return None


def keys(connection: Connection, project: str | None) -> list[ApiKey]:
    """All keys of a project (None: of all), the latest first."""
    where, values = ('', ()) if project is None else (' WHERE project = ?', (project,))
    return [_read(row) for row in connection.execute(f'SELECT {_COLUMNS} FROM api_key{where} ORDER BY id DESC', values)]


def note_uses(connection: Connection, uses: Mapping[str, datetime]) -> None:
    """Write when keys were last used. Those that are gone are passed over."""
    for key_id, at in sorted(uses.items()):
        connection.execute(
            'UPDATE api_key SET last_used_at = ?1 WHERE id = ?2 AND (last_used_at IS NULL OR last_used_at < ?1)',
            (to_us(at), key_id),
        )


def drop_of(connection: Connection, owner: Owner) -> int:
    """Delete the keys that are for one person, because that person is forgotten. Returns how many."""
    if owner.kind != 'user':
        return 0
    connection.execute('DELETE FROM api_key WHERE project = ? AND user_id = ?', (owner.project, owner.key))
    return connection.changes()


def drop_personal(connection: Connection, project: str) -> None:
    """Delete the keys of a project that are for one person each. Those of the project itself stay."""
    connection.execute('DELETE FROM api_key WHERE project = ? AND user_id IS NOT NULL', (project,))


def _find(connection: Connection, key_id: str, project: str) -> ApiKey | None:
    for row in connection.execute(f'SELECT {_COLUMNS} FROM api_key WHERE id = ? AND project = ?', (key_id, project)):
        return _read(row)
    return None


def _check_name(connection: Connection, key: ApiKey) -> None:
    for (id_,) in connection.execute(
        'SELECT id FROM api_key WHERE project = ? AND name = ? AND revoked_at IS NULL '
        'AND (expires_at IS NULL OR expires_at > ?)',
        (key.project, key.name, to_us(key.created_at)),
    ):
        raise Conflict(
            f'name={key.name!r} is that of a key in force ({id_}): take another name, rotate that key, or revoke it'
        )


def _insert(connection: Connection, key: ApiKey, digest: bytes) -> None:
    connection.execute(
        f'INSERT INTO api_key({_COLUMNS}, digest) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
        (
            key.id, key.project, key.name, key.role, key.user_id, key.hint, to_us(key.created_at), key.created_by,
            _us(key.expires_at), _us(key.revoked_at), _us(key.last_used_at), key.replaces, digest.hex(),
        ),
    )  # fmt: skip


def _end(connection: Connection, key_id: str, at: datetime) -> None:
    connection.execute('UPDATE api_key SET revoked_at = ? WHERE id = ?', (to_us(at), key_id))


def _tell(connection: Connection, key: ApiKey, event: str, *, at: datetime, actor: str, reason: str) -> None:
    """Note it in the chain. Whose key it is doesn't go there: the chain outlives what is forgotten."""
    told: dict[str, Any] = {'event': event, 'key': key.id, 'role': key.role, 'for_one_user': key.user_id is not None}
    if key.replaces is not None and event == 'rotate':
        told['replaces'] = key.replaces
    entry = Entry(op='key', actor=actor, reason=reason, change_id=new_id(), at=to_us(at), after=dump_state(told))
    auditing.append(connection, ensure_owner(connection, home_of(key.project)), [entry])


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else to_us(moment)


def _moment(value: int | None) -> datetime | None:
    return None if value is None else from_us(value)


def _read(row: Sequence[Any]) -> ApiKey:
    return ApiKey(
        id=row[0],
        project=row[1],
        name=row[2],
        role=cast('Role', row[3]),
        user_id=row[4],
        hint=row[5],
        created_at=from_us(row[6]),
        created_by=row[7],
        expires_at=_moment(row[8]),
        revoked_at=_moment(row[9]),
        last_used_at=_moment(row[10]),
        replaces=row[11],
    )
