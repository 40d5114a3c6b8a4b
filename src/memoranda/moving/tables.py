"""What a database holds, table by table, in a form that doesn't depend on which database it is."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from memoranda.errors import StoreError
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import vector_tables
from memoranda.stores.sql.unfinished import MARK

__all__ = ['Digest', 'Table', 'digest', 'names_of', 'pages', 'tables_of']

_PAGE: Final = 1000
_OWN: Final = ('schema_version', 'clock', MARK)
"""Keys of `meta` that each database has for itself."""
_KEYS: Final[dict[str, tuple[str, ...]]] = {
    'meta': ('key',),
    'owner': ('id',),
    'conversation': ('row',),
    'speaker': ('owner', 'ordinal'),
    'episode': ('row',),
    'segment': ('row',),
    'memory': ('row',),
    'evidence': ('episode', 'memory'),
    'posting': ('owner', 'lane', 'term', 'chunk'),
    'rejected': ('owner', 'hash'),
    'change_set': ('row',),
    'history': ('row',),
    'history_text': ('row',),
    'job': ('row',),
    'review': ('owner', 'memory'),
    'tombstone': ('project', 'subject'),
    'api_key': ('id',),
    'usage': ('owner', 'memory'),
    'spent': ('part',),
    'activity': ('project', 'day', 'part'),
    'scrub': ('id',),
    'generation': ('id',),
}
_MADE_ANEW: Final = ('queue',)
_ONLY: Final = {
    'meta': f'key NOT IN ({", ".join(f"{name!r}" for name in _OWN)})',
    'scrub': 'rest IS NOT NULL',  # what is left of erased words in the files of one database is not in another
    'generation': "state IN ('current', 'building')",
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table to be moved."""

    name: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    only: str = ''
    """Which of its rows."""
    dimensions: int | None = None
    """Of the vectors it holds."""

    def count(self, connection: Connection) -> int:
        """How many rows there are to be moved."""
        where = f' WHERE {self.only}' if self.only else ''
        return connection.execute(f'SELECT count(*) FROM "{self.name}"{where}').fetchone()[0]

    def page(self, connection: Connection, after: Sequence[Any] | None, limit: int = _PAGE) -> list[tuple[Any, ...]]:
        """Rows in the order of their keys, behind one of them, each as it is to be written elsewhere."""
        keys = ', '.join(f'"{key}"' for key in self.keys)
        tests = [self.only] if self.only else []
        if after is not None:
            tests.append(f'({keys}) > ({", ".join("?" * len(self.keys))})')
        where = f' WHERE {" AND ".join(tests)}' if tests else ''
        columns = ', '.join(f'"{column}"' for column in self.columns)
        rows = connection.execute(
            f'SELECT {columns} FROM "{self.name}"{where} ORDER BY {keys} LIMIT ?', (*(after or ()), limit)
        ).fetchall()
        if self.dimensions is not None:
            unpacked = connection.dialect.unpack([row[1] for row in rows], self.dimensions) if rows else ()
            return [(row[0], vector.astype('<f4').tobytes()) for row, vector in zip(rows, unpacked, strict=True)]
        return [self._plain(row) for row in rows]

    def key_of(self, row: Sequence[Any]) -> list[Any]:
        """The key of a row."""
        return [row[self.columns.index(key)] for key in self.keys]

    def _plain(self, row: Sequence[Any]) -> tuple[Any, ...]:
        if self.name == 'meta':
            return row[0], None if row[1] is None else str(row[1])
        if self.name == 'job':
            values = dict(zip(self.columns, row, strict=True))
            if values['state'] == 'running':  # by a process that doesn't know of the other database
                values |= {'state': 'queued', 'worker': None, 'lease_until': None}
            return tuple(values.values())
        return tuple(row)


@dataclass(frozen=True, slots=True)
class Digest:
    """What a table holds, in short."""

    rows: int
    sha256: str
    """Of all rows in the order of their keys."""


def tables_of(connection: Connection) -> list[Table]:
    """The tables of a database, those of its vectors last.

    Raises:
        StoreError: There is one that this version doesn't know.
    """
    found = _names(connection)
    vectors: dict[str, int] = {}
    ignored: set[str] = set(_MADE_ANEW)
    for id_, dimensions, state in connection.execute('SELECT id, dimensions, state FROM generation ORDER BY id'):
        if state not in ('current', 'building'):
            ignored.update(vector_tables(id_))
        else:
            for name in vector_tables(id_):
                vectors[name] = dimensions
    unknown = [name for name in found if name not in _KEYS and name not in vectors and name not in ignored]
    if unknown:
        raise StoreError(
            f'table {unknown[0]} is unknown to this version, and nothing is moved in part: upgrade memoranda'
        )
    tables = [Table(name, keys, _columns(connection, name), _ONLY.get(name, '')) for name, keys in _KEYS.items()]
    return tables + [Table(name, ('row',), ('row', 'vector'), '', size) for name, size in vectors.items()]


def names_of(connection: Connection) -> set[str]:
    """All tables but those that each database has for itself."""
    return {name for name in _names(connection) if name not in _MADE_ANEW}


def _names(connection: Connection) -> list[str]:
    """All tables but those that feed an index elsewhere."""
    if connection.dialect.name == 'sqlite':
        sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    else:
        sql = 'SELECT CAST(tablename AS text) FROM pg_tables WHERE schemaname = current_schema()'
    return [name for (name,) in connection.execute(sql) if not name.startswith('index_')]


def _columns(connection: Connection, table: str) -> tuple[str, ...]:
    """In the order of their names, which is the same everywhere."""
    if connection.dialect.name == 'sqlite':
        sql = 'SELECT name FROM pragma_table_info(?)'
    else:
        sql = (
            'SELECT CAST(column_name AS text) FROM information_schema.columns '
            'WHERE table_schema = current_schema() AND table_name = ?'
        )
    return tuple(sorted(name for (name,) in connection.execute(sql, (table,))))


def pages(connection: Connection, table: Table, after: Sequence[Any] | None = None) -> Iterator[list[tuple[Any, ...]]]:
    """All rows of a table behind a key, some at a time."""
    while rows := table.page(connection, after):
        yield rows
        after = table.key_of(rows[-1])


def digest(connection: Connection, table: Table) -> Digest:
    """Read a table and sum it up."""
    sum_ = hashlib.sha256('\0'.join((table.name, *table.columns)).encode())
    count = 0
    for rows in pages(connection, table):
        count += len(rows)
        for row in rows:
            sum_.update(b''.join(map(_encoded, row)))
    return Digest(count, sum_.hexdigest())


def _encoded(value: Any) -> bytes:
    """A value, so that no two have the same bytes."""
    if value is None:
        return b'n'
    if isinstance(value, float):
        return b'f' + struct.pack('>d', value)
    if isinstance(value, int):
        return b'i%d;' % value
    kind, data = (b'b', value) if isinstance(value, bytes) else (b't', str(value).encode('utf-8', 'surrogatepass'))
    return b'%b%d:%b' % (kind, len(data), data)
