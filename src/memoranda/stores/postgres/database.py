"""The `Connection` of the shared statements over psycopg.

Statements are written with SQLite's placeholders, `?` and `?3`; PostgreSQL is told `$1` and so on. Values and results
travel in binary: int as bigint, float as double precision, str as text, bytes as bytea. A pgvector column takes a numpy
array of float32.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import pq
from psycopg.adapt import Buffer, Dumper
from psycopg.types.numeric import IntNumericBinaryDumper
from psycopg.types.string import ByteaBinaryLoader, StrBinaryDumper

from memoranda.stores.postgres.clock import Clock
from memoranda.stores.sql.dialect import Postgresql

if TYPE_CHECKING:
    from psycopg import Connection as RawConnection

    from memoranda.lanes import FloatVector

__all__ = ['NATIVE', 'PostgresConnection', 'Rows', 'adapt', 'translate']

_PLACE = re.compile(r"""'[^']*'|"[^"]*"|--[^\n]*|\?(\d*)""")
_SMALLEST, _LARGEST = -(1 << 63), (1 << 63) - 1
_BIGINT: Final = 20
_INLINE: Final = 1900
"""Dimensions of a vector that fits on a page, with what else is there."""
_HEAD: Final = struct.Struct('>HH')
_NO_VALUES: Final = ()


@lru_cache(maxsize=4096)
def translate(statement: str) -> bytes:
    """A statement with `$1` for `?1`; a bare `?` is one more than the largest before it, as in SQLite."""
    most = 0

    def place(found: re.Match[str]) -> str:
        nonlocal most
        if found[1] is None:
            return found[0]
        number = int(found[1]) if found[1] else most + 1
        most = max(most, number)
        return f'${number}'

    return _PLACE.sub(place, statement).encode()


class _IntDumper(Dumper):
    """Every int as bigint: one statement shall have one plan, whatever its values are."""

    format = pq.Format.BINARY
    oid = _BIGINT

    def get_key(self, obj: int, format: Any) -> type | tuple[type]:  # noqa: A002  # psycopg's name
        return self.cls if _SMALLEST <= obj <= _LARGEST else (self.cls,)

    def upgrade(self, obj: int, format: Any) -> Dumper:  # noqa: A002
        return self if _SMALLEST <= obj <= _LARGEST else IntNumericBinaryDumper(self.cls)

    def dump(self, obj: int) -> Buffer:
        return obj.to_bytes(8, 'big', signed=True)


def _vector_dumper(type_oid: int) -> type[Dumper]:
    class VectorDumper(Dumper):
        format = pq.Format.BINARY
        oid = type_oid

        def dump(self, obj: Any) -> Buffer:
            return _HEAD.pack(len(obj), 0) + np.asarray(obj, dtype='>f4').tobytes()

    return VectorDumper


def adapt(raw: RawConnection[Any], vector: int | None) -> None:
    """Teach a connection our types.

    Args:
        raw: Newly opened.
        vector: Number of the type `vector` in its database; None when it isn't known yet.
    """
    raw.adapters.register_dumper(int, _IntDumper)
    raw.adapters.register_dumper(str, StrBinaryDumper)
    if vector is not None:
        raw.adapters.register_loader(vector, ByteaBinaryLoader)
        raw.adapters.register_dumper(np.ndarray, _vector_dumper(vector))


class _Native(Postgresql):
    """With vectors in binary, both ways."""

    def pack(self, vector: FloatVector) -> Any:
        return vector

    def vector_table(self, name: str, dimensions: int) -> str:
        make = f'CREATE TABLE {name}(row BIGINT PRIMARY KEY, vector vector({dimensions:d}) NOT NULL)'
        if dimensions > _INLINE:
            return make
        # Else vectors of some 500 numbers and more lie in a table of their own, and each costs a look-up.
        plain = f'ALTER TABLE {name} ALTER COLUMN vector SET STORAGE PLAIN'
        return f'DO $make$ BEGIN {make}; {plain}; END $make$'

    def unpack(self, stored: Sequence[bytes], dimensions: int) -> NDArray[np.float32]:
        # Of each two numbers, the dimensions and a reserved one, and then the floats, big-endian.
        table = np.dtype([('head', f'V{_HEAD.size}'), ('vector', '>f4', (dimensions,))])
        return np.frombuffer(b''.join(stored), dtype=table)['vector'].astype(np.float32)


NATIVE: Final = _Native()


class Rows:
    """What a statement gave: all of it is here already."""

    __slots__ = ('_cursor',)

    def __init__(self, cursor: psycopg.RawCursor[Any]) -> None:
        self._cursor = cursor

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())

    def fetchone(self) -> Any:
        """The next row; None at the end."""
        return self._cursor.fetchone() if self._cursor.description else None

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        return self._cursor.fetchall() if self._cursor.description else []


class PostgresConnection:
    """See `memoranda.stores.sql.database.Connection`.

    Args:
        raw: In autocommit: transactions are begun by statements.
    """

    dialect = NATIVE
    violations = (psycopg.IntegrityError,)

    def __init__(self, raw: RawConnection[Any]) -> None:
        self.raw = raw
        self.clock = Clock()
        self._changes = 0

    @property
    def skew_us(self) -> int:
        """How far the server's clock is ahead."""
        return self.clock.ahead_us

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction was begun and not ended."""
        return self.raw.info.transaction_status != pq.TransactionStatus.IDLE

    def execute(self, statement: str, values: Sequence[Any] = _NO_VALUES, /) -> Rows:
        """Run one statement. Every call has a cursor of its own, so an earlier one may still be read."""
        cursor = psycopg.RawCursor(self.raw)
        cursor.execute(translate(statement), values, binary=True)
        self._changes = cursor.rowcount
        return Rows(cursor)

    def executemany(self, statement: str, values: Iterable[Sequence[Any]], /) -> Rows:
        """Run one statement for each row of values, without waiting for each."""
        cursor = psycopg.RawCursor(self.raw)
        rows = list(values)
        if rows:
            cursor.executemany(translate(statement), rows)
        self._changes = max(cursor.rowcount, 0) if rows else 0
        return Rows(cursor)

    def script(self, statements: str) -> Rows:
        """Run several statements without values in one journey; gives what the last of them gave."""
        cursor = psycopg.RawCursor(self.raw)
        cursor.execute(statements.encode())
        while cursor.nextset():
            pass
        return Rows(cursor)

    def changes(self) -> int:
        """How many rows the last statement inserted, updated or deleted."""
        return self._changes
