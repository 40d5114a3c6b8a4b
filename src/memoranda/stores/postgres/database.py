"""The `Connection` of the shared statements over psycopg.

Statements are written with SQLite's placeholders, `?` and `?3`; PostgreSQL is told `$1` and so on. Values and results
travel in binary: int as bigint, float as double precision, str as text, bytes as bytea. A pgvector column takes a numpy
array of float32.
"""

from __future__ import annotations

import re
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
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
from memoranda.stores.postgres.wire import Answer, Wire
from memoranda.stores.sql.dialect import Postgresql

if TYPE_CHECKING:
    from psycopg import Connection as RawConnection

    from memoranda.lanes import FloatVector

__all__ = ['NATIVE', 'PostgresConnection', 'Rows', 'adapt', 'translate']

_PLACE = re.compile(r"""'[^']*'|"[^"]*"|--[^\n]*|\?(\d*)""")
_INSERT = re.compile(r"(INSERT INTO [^?']* VALUES)(\((?:\?, )*\?\))((?: ON CONFLICT[^?']*)?)")
_VALUES_AT_ONCE: Final = 512
_SMALLEST, _LARGEST = -(1 << 63), (1 << 63) - 1
_BIGINT: Final = 20
_INLINE: Final = 1900
"""Dimensions of a vector that fits on a page, with what else is there."""
_HEAD: Final = struct.Struct('>HH')
_UNPACKED: Final = 64
"""Vectors that are unpacked at once."""
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


@lru_cache(maxsize=512)
def _rows_at_once(statement: str, count: int) -> bytes | None:
    """An INSERT of one row as one of so many; None when it isn't one of plain values."""
    found = _INSERT.fullmatch(statement)
    if found is None:
        return None
    return translate(f'{found[1]}{", ".join([found[2]] * count)}{found[3]}')


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
        vectors = np.empty((len(stored), dimensions), dtype=np.float32)
        for first in range(0, len(stored), _UNPACKED):  # some at once: another copy of all of them costs more than that
            some = b''.join(stored[first : first + _UNPACKED])
            vectors[first : first + _UNPACKED] = np.frombuffer(some, dtype=table)['vector']
        return vectors


NATIVE: Final = _Native()


class Rows:
    """What a statement gave. It is waited for when it is looked at."""

    __slots__ = ('_answers', '_left')

    def __init__(self, *answers: Answer) -> None:
        self._answers = answers
        self._left: deque[Any] | None = None

    def _rows(self) -> deque[Any]:
        if self._left is None:
            self._left = deque(row for answer in self._answers for row in answer.rows())
        return self._left

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())

    def fetchone(self) -> Any:
        """The next row; None at the end."""
        left = self._rows()
        return left.popleft() if left else None

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        if self._left is None and len(self._answers) == 1:
            self._left = deque()
            return self._answers[0].rows()
        left = self._rows()
        self._left = deque()
        return list(left)


class PostgresConnection:
    """See `memoranda.stores.sql.database.Connection`. Statements go when an answer is waited for.

    Args:
        raw: In autocommit: transactions are begun by statements.
        pooled: Whether every transaction may have another session: then nothing is kept prepared.
    """

    dialect = NATIVE
    violations = (psycopg.IntegrityError,)

    def __init__(self, raw: RawConnection[Any], *, pooled: bool = False) -> None:
        self.raw = raw
        self.clock = Clock()
        self._pooled = pooled
        self._wire = Wire(raw, prepares=not pooled)
        self._last: Sequence[Answer] = ()
        self._left = False
        self._means: Callable[[], Exception] | None = None

    def adapt(self, vector: int | None) -> None:
        """Teach it our types, see `adapt`."""
        adapt(self.raw, vector)
        self._wire.adapt()

    @property
    def skew_us(self) -> int:
        """How far the server's clock is ahead."""
        return self.clock.ahead_us

    def execute(self, statement: str, values: Sequence[Any] = _NO_VALUES, /) -> Rows:
        """Run one statement. Every call has rows of its own, so earlier ones may still be read."""
        answer = self._wire.send(translate(statement), values)
        self._last = (answer,)
        return Rows(answer)

    def ask(self, statement: str, values: Sequence[Any] = _NO_VALUES, /) -> Rows:
        """The same: rows are waited for when they are looked at."""
        return self.execute(statement, values)

    def executemany(self, statement: str, values: Iterable[Sequence[Any]], /) -> Rows:
        """Run one statement for each row of values. Rows that are inserted go some at once: no two may conflict."""
        left, answers = list(values), list[Answer]()
        at_once = max(1, _VALUES_AT_ONCE // max(1, len(left[0]))) if left else 1
        while left:
            # As many as a power of two: then the statements are few, and are prepared.
            count = 1 << (min(len(left), at_once).bit_length() - 1)
            told = _rows_at_once(statement, count)
            some, left = left[:count], left[count:]
            if told is None:
                answers += (self._wire.send(translate(statement), row) for row in some)
            else:
                answers.append(self._wire.send(told, [value for row in some for value in row]))
        self._last = answers
        return Rows(*answers)

    def begin(self, how: str, settings: str) -> Rows:
        """Begin a transaction; gives what a statement that sets something in it gave."""
        self._left, self._means = False, None
        if self._pooled:  # a pooler may give it another session only when it knows that the former one has ended
            self._wire.wait()
        self._wire.send(f'BEGIN {how}'.encode(), again=False)
        return Rows(self._wire.send(settings.encode()))

    def commit(self) -> None:
        """End a transaction, and wait for it."""
        self._wire.send(b'COMMIT', again=False).result()

    def last(self) -> None:
        """Nothing more is asked in this transaction, which only reads: its end goes with what was asked."""
        self._wire.send(b'ROLLBACK', again=False)
        self._left = True

    def leave(self) -> None:
        """Give up a transaction in which all went well, without waiting: the next one finds out how it ended."""
        self._wire.wait()
        if not self._left:
            self._wire.send(b'ROLLBACK', again=False)
            self._wire.go()

    def rollback(self) -> None:
        """Give up what is open, whatever state it is in."""
        with suppress(psycopg.Error):  # whoever waited for it was told
            self._wire.wait()
        if not self.raw.closed and self.raw.info.transaction_status != pq.TransactionStatus.IDLE:
            self._wire.send(b'ROLLBACK', again=False).result()

    def ending(self, means: Callable[[], Exception], /) -> None:
        """What is on its way goes with the commit, and a constraint it violates is raised as this."""
        self._means = means

    def meaning(self, error: Exception) -> Exception | None:
        """What an error at the end of the transaction is to be raised as, if it is another one."""
        return self._means() if self._means is not None and isinstance(error, self.violations) else None

    def settle(self) -> None:
        """Wait for what was sent, and raise what failed."""
        self._wire.wait()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction was begun and not ended."""
        self._wire.wait()
        return self.raw.info.transaction_status != pq.TransactionStatus.IDLE

    def script(self, statements: str) -> None:
        """Run several statements without values in one journey, also such as no transaction takes."""
        self._wire.run(statements)

    def changes(self) -> int:
        """How many rows the last statement inserted, updated or deleted."""
        return sum(answer.count() for answer in self._last)
