"""Being one shard of several."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from memoranda.errors import ConfigurationError
from memoranda.stores.generation import Generation
from memoranda.stores.sql.database import Connection

if TYPE_CHECKING:
    from memoranda.stores.sharding.placement import Membership

__all__ = ['as_shard', 'generations', 'group_of', 'holds', 'join']


def group_of(connection: Connection) -> tuple[str, int, int] | None:
    """The group of shards that this database is one of, its position, and how many there are; None when it is none."""
    found = connection.execute("SELECT value FROM meta WHERE key = 'shard'").fetchone()
    if found is None:
        return None
    group, number, count = json.loads(found[0])
    return group, number, count


def as_shard(connection: Connection) -> dict[str, str]:
    """Which shard this database is, for its figures; nothing when it is none."""
    held = group_of(connection)
    return {} if held is None else {'shard': f'{held[1]} of {held[2]}'}


def join(connection: Connection, location: str, member: Membership) -> None:
    """Make an empty database one shard of several; nothing happens when it is this one already.

    Raises:
        ConfigurationError: It holds something already, or is another shard.
    """
    held = group_of(connection)
    if held is not None:
        if held != (member.group, member.number, member.count):
            raise ConfigurationError(
                f'{location} is shard {held[1]} of {held[2]} (group {held[0]}), and was named as shard '
                f'{member.number} of {member.count} (group {member.group}): name all shards, in the order they were '
                'made in'
            )
        return
    if connection.execute('SELECT EXISTS(SELECT 1 FROM owner)').fetchone()[0]:
        raise ConfigurationError(
            f'{location} holds memories already, so it cannot become a shard: name an empty database, or use this one '
            'alone'
        )
    connection.execute(
        "INSERT INTO meta VALUES('shard', ?)", (json.dumps([member.group, member.number, member.count]),)
    )
    connection.execute("UPDATE meta SET value = ? WHERE key = 'secret'", (member.secret.hex(),))
    for statement, values in connection.dialect.number_owners_from(member.first_owner):
        connection.execute(statement, values)


def generations(connection: Connection) -> list[Generation]:
    """All embedding generations, the oldest first."""
    rows = connection.execute('SELECT id, embedder, dimensions, state FROM generation ORDER BY id').fetchall()
    return [Generation(id=id_, embedder=maker, dimensions=size, state=state) for id_, maker, size, state in rows]


def holds(connection: Connection, ids: Sequence[str]) -> bool:
    """Whether a memory or a job of anybody has one of these ids."""
    wanted = connection.dialect.texts('?')
    sql = f'SELECT EXISTS(SELECT 1 FROM {{}} WHERE id IN {wanted})'
    return any(
        connection.execute(sql.format(table), (json.dumps(list(ids)),)).fetchone()[0] for table in ('memory', 'job')
    )
