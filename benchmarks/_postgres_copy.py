"""Looks into a PostgreSQL database of ours, and fills one with the rows of a file: tables and columns are the same."""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw
import numpy as np

from _build import StoredVectors, World
from memoranda import Memory
from memoranda.settings import Settings
from memoranda.stores.sql.keys import SEQ_BITS, SEQ_MASK

if TYPE_CHECKING:
    from _server import Database

__all__ = ['copy_file', 'everything', 'querying']

_COLUMNS = """
    SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, NULL)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
        AND EXISTS(SELECT 1 FROM pg_class p WHERE p.relnamespace = n.oid AND p.relname = 'posting')
    ORDER BY 1, 2, a.attnum
"""
_OF_ALL = frozenset({'generation', 'spent', 'activity'})
"""What belongs to no owner."""
_OWN = frozenset({'meta', 'scrub'})
"""What a database has for itself."""


@contextlib.contextmanager
def querying(url: str) -> Generator[Callable[[str], list[Any]]]:
    """A function that gives the rows of a statement about our tables."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        schema, _ = tables(connection)
        connection.execute(f'SET search_path = "{schema}", public')
        yield lambda sql: connection.execute(sql.encode()).fetchall()


def tables(connection: Any) -> tuple[str, dict[str, dict[str, str]]]:
    """The schema we are in, and the types of each table's columns."""
    rows = connection.execute(_COLUMNS).fetchall()
    found: dict[str, dict[str, str]] = {}
    for _, table, column, kind in rows:
        found.setdefault(table, {})[column] = kind.rpartition('.')[2]
    return rows[0][0] if rows else 'public', found


def everything(url: str) -> Iterator[bytes]:
    """Every row of every table, as text."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        schema, found = tables(connection)
        for table in found:
            with connection.cursor().copy(f'COPY "{schema}"."{table}" TO STDOUT') as copy:
                for part in copy:
                    yield bytes(part)


def copy_file(source: Path, base: Database, *, copies: int = 1) -> int:
    """Fill an empty database with the rows of a file. Returns how many.

    Keys of rows are the same in both, so the rows go over as they are, vectors in pgvector's own format.

    Args:
        source: Made by `_build.py`.
        base: Where to.
        copies: How often: each time for further owners with other ids, so that a large database doesn't take hours to
            make. Their audit chains don't hold, which nothing here looks at.
    """
    _make_tables(base)
    count = 0
    with (
        base.connect() as connection,
        contextlib.closing(apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)) as file,
    ):
        schema, found = tables(connection)
        of_file = {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        connection.execute(f'SET search_path = "{schema}", public')
        for table, columns in found.items():
            if table not in of_file or table in _OWN:
                continue
            has = {row[1] for row in file.execute(f'PRAGMA table_info("{table}")')}
            shared = {name: kind for name, kind in columns.items() if name in has}
            assert has <= set(columns), f'{table} lacks {has - set(columns)}'
            connection.execute(f'TRUNCATE "{table}"')
            count += _copy(connection, file, table, shared, copies)
            for name, kind in shared.items():
                if kind == 'bigint' and name == 'id':  # the next number is beyond those that came along
                    connection.execute(
                        'SELECT setval(s, (SELECT coalesce(max(id), 0) + 1 FROM '
                        f'"{table}"), false) FROM pg_get_serial_sequence(%s, %s) s WHERE s IS NOT NULL',
                        (f'"{table}"', name),
                    )
        clock = file.execute("SELECT value FROM meta WHERE key = 'clock'").fetchone()[0]
        connection.execute("SELECT setval('clock', %s)", (int(clock) + 1,))
    return count


def _make_tables(base: Database) -> None:
    with Memory(base.url, embedder=StoredVectors(World(5)), settings=Settings(workers=0)) as memory:
        memory.add('A first fact', user_id='first', infer=False)  # the vectors' tables come with the first of them
        memory.delete_all(user_id='first')


def _copy(connection: Any, file: apsw.Connection, table: str, columns: dict[str, str], copies: int) -> int:
    owners = file.execute('SELECT max(id) FROM owner').fetchone()[0]
    changes = [_change(table, name) for name in columns]
    names = ', '.join(f'"{name}"' for name in columns)
    packers = [_PACKERS[kind] for kind in columns.values()]
    head, count, waiting = struct.pack('>h', len(packers)), 0, bytearray()
    with connection.cursor().copy(f'COPY "{table}" ({names}) FROM STDIN (FORMAT BINARY)') as copy:
        copy.write(b'PGCOPY\n\xff\r\n\0' + bytes(8))
        for row in _mixed(file, table, names, keyed='row' in columns):
            for number in range(1 if table in _OF_ALL else copies):
                waiting += head
                for value, pack, change in zip(row, packers, changes, strict=True):
                    if number and change is not None and value is not None:
                        waiting += pack(change(value, number, owners))
                    else:
                        waiting += _NULL if value is None else pack(value)
                count += 1
            if len(waiting) > 1 << 20:
                copy.write(bytes(waiting))
                waiting.clear()
        copy.write(bytes(waiting) + b'\xff\xff')
    return count


def copy_name(key: str, number: int) -> str:
    """What an owner is called in a further copy."""
    return f'{key}-copy-{number}' if number else key


def _change(table: str, column: str) -> Callable[[Any, int, int], Any] | None:
    """What becomes of a column in the n-th copy of a file with so many owners."""
    if (table, column) in {('owner', 'id'), ('queue', 'owner')} or column == 'owner':
        return lambda value, number, owners: value + number * owners
    if (table, column) == ('owner', 'key'):
        return lambda value, number, owners: copy_name(value, number)
    if column in _KEYS or (table, column) in {('evidence', 'memory')}:
        return lambda value, number, owners: value + (number * owners << SEQ_BITS)
    if (table, column) == ('memory', 'evidence'):
        return lambda value, number, owners: json.dumps(
            [[row + (number * owners << SEQ_BITS), *span] for row, *span in json.loads(value)]
        )
    if column in _IDS or (table in _NAMED and column == 'id'):
        # Their ends count up, so that another end may be somebody's; all begin alike, with the time.
        return lambda value, number, owners: f'{int(value[:2], 16) + number:02x}{value[2:]}'
    return None


_KEYS = frozenset({'row', 'episode', 'conversation'})
_NAMED = frozenset({'memory', 'episode', 'change_set', 'job'})
_IDS = frozenset({'memory_id', 'change_id', 'job_id'})


def _mixed(file: apsw.Connection, table: str, names: str, *, keyed: bool) -> Iterator[tuple[Any, ...]]:
    """The rows in the order in which they come in life: all owners side by side, each from its first to its last."""
    if not keyed:
        yield from file.execute(f'SELECT {names} FROM "{table}" ORDER BY random()')
        return
    keys = file.execute(
        f'SELECT row FROM "{table}" ORDER BY (row & {SEQ_MASK}) * 1.0 / '
        f'(SELECT next_seq FROM owner WHERE id = row >> {SEQ_BITS}), row'
    ).fetchall()
    for key in keys:
        yield from file.execute(f'SELECT {names} FROM "{table}" WHERE row = ?', key)


_NULL = struct.pack('>i', -1)
_BIGINT, _SMALLINT, _DOUBLE = struct.Struct('>iq'), struct.Struct('>ih'), struct.Struct('>id')


def _text(value: object) -> bytes:
    return _bytes(str(value).encode())


def _bytes(value: bytes) -> bytes:
    return struct.pack('>i', len(value)) + value


def _vector(value: bytes) -> bytes:
    numbers = np.frombuffer(value, '<f4')
    return _bytes(struct.pack('>HH', len(numbers), 0) + numbers.astype('>f4').tobytes())


def _halfvec(value: bytes) -> bytes:
    numbers = np.frombuffer(value, '<f4')
    return _bytes(struct.pack('>HH', len(numbers), 0) + numbers.astype('>f2').tobytes())


_PACKERS: dict[str, Callable[[Any], bytes]] = {
    'bigint': lambda value: _BIGINT.pack(8, value),
    'smallint': lambda value: _SMALLINT.pack(2, value),
    'integer': lambda value: struct.pack('>ii', 4, value),
    'boolean': lambda value: struct.pack('>ib', 1, bool(value)),
    'double precision': lambda value: _DOUBLE.pack(8, value),
    'real': lambda value: struct.pack('>if', 4, value),
    'text': _text,
    'bytea': _bytes,
    'vector': _vector,
    'halfvec': _halfvec,
}
