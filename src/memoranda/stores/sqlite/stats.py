"""What a file holds, in numbers."""

from __future__ import annotations

import os

import apsw

from memoranda.stores.data import Stats
from memoranda.stores.sql import generations
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.membership import as_shard
from memoranda.stores.sqlite.schema import SCHEMA_VERSION

__all__ = ['stats']


def stats(connection: Connection, path: str) -> Stats:
    """What the file at a path, and those beside it, hold."""
    sizes = {end: os.path.getsize(path + end) if os.path.exists(path + end) else 0 for end in ('', '-wal', '-shm')}
    return generations.stats(
        connection,
        backend='sqlite',
        location=path,
        schema_version=connection.pragma('user_version'),
        size=sum(sizes.values()),
        details={
            'sqlite': apsw.sqlite_lib_version(),
            'journal_mode': connection.pragma('journal_mode'),
            'page_size': connection.pragma('page_size'),
            'wal_bytes': sizes['-wal'],
            'known_schema_version': SCHEMA_VERSION,
            **as_shard(connection),
        },
    )
