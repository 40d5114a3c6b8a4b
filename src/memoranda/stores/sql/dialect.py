# ruff: noqa: D102  # what the methods give is told at `Dialect`
"""Where SQLite and PostgreSQL want other words for the same thing. What both understand is written so elsewhere.

PostgreSQL needs of its schema: text columns with `COLLATE "C"`, whole numbers as `bigint` (flags as `smallint`), `REAL`
as `double precision`, and a sequence `clock` without a cache in place of the row of that name in `meta`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from memoranda.lanes import FloatVector

__all__ = ['POSTGRESQL', 'SQLITE', 'Dialect', 'JsonKind', 'Postgresql', 'Sqlite']

JsonKind: TypeAlias = Literal['text', 'number', 'integer', 'true', 'false']


class Dialect(Protocol):
    """What a connection's database calls things. Arguments are SQL expressions, unless they say otherwise."""

    name: Literal['sqlite', 'postgresql']
    shared: bool
    """Whether several transactions may write at once, so that those of an owner have to wait for each other."""
    folds: bool
    """Whether there is a function `fold`, see `memoranda.filters.fold`."""
    compares_exactly: bool
    """Whether an integer equals a float only where it is that float."""
    clock: str | None
    """The next number of the write counter as an expression, where it is one."""
    counted: str
    """The query for the number it gave last."""
    stored_vector: str
    """The column `vector`, as `unpack` reads it."""
    quoted: tuple[str, str] | None
    """What a condition for the messages that memories quote has before and behind a list of the row keys of these; None
    where it is as well to look at the memories first."""

    whole_index: str | None
    """A statement that gives the keyword index of an owner's lane as three bytea: the terms, ascending, as big-endian
    int64, the lengths of their data as int32, and the data; None where looking up terms one by one is as good."""

    def packed(self, *numbers: str) -> str | None:
        """Whole numbers of all rows in one value: big-endian int64, those of a row side by side; None where rows are as
        good. NULL when there is no row.
        """
        ...

    def numbers(self, mark: str) -> str:
        """A subquery of `value`s, from a JSON list of whole numbers in a parameter."""
        ...

    def texts(self, mark: str) -> str:
        """The same of strings."""
        ...

    def flag(self, column: str) -> str:
        """Whether a column is 1, worded as in the condition of the index over it."""
        ...

    def place(self, text: str, part: str) -> str:
        """Where a text begins in another, counted from 1; 0 when it doesn't."""
        ...

    def appended(self, data: str, more: str) -> str:
        """Bytes behind bytes."""
        ...

    def index(self, name: str) -> str:
        """Behind a table's name: which index it is to be read by."""
        ...

    def member(self, column: str, *names: str) -> str:
        """A scalar inside a column that holds JSON, as text. The names are words, not parameters."""
        ...

    def json(self, column: str, keys: Sequence[str], kind: JsonKind) -> tuple[str, list[Any]]:
        """A scalar of one kind inside a column that holds JSON, or NULL, and its parameters; the keys are data.

        The kinds `true` and `false` give a truth value; `integer` a number to be
        compared with a large integer.
        """
        ...

    def has_json(self, column: str, keys: Sequence[str]) -> tuple[str, list[Any]]:
        """Whether there is something but null."""
        ...

    def elements(self, column: str, keys: Sequence[str], kind: JsonKind) -> tuple[str, list[Any]]:
        """A subquery of the `value`s of one kind in a list inside a column that holds JSON, and its parameters."""
        ...

    def vector_table(self, name: str, dimensions: int) -> str:
        """The statement that makes a table of vectors."""
        ...

    def pack(self, vector: FloatVector) -> Any:
        """A vector as a parameter."""
        ...

    def unpack(self, stored: Sequence[bytes], dimensions: int) -> NDArray[np.float32]:
        """Vectors as they were read, (n, dimensions)."""
        ...

    def cosines(self, table: str) -> str | None:
        """A statement that compares the vectors of a range of rows; None where reading them is as good.

        Its parameters are a vector that `pack` made, the first and the last row key. It gives bytes twice: the key of
        each row as big-endian int64, and in the same order the product of the two vectors as float32.
        """
        ...

    def number_owners_from(self, first: int) -> Sequence[tuple[str, tuple[int, ...]]]:
        """Statements with their values, after which owners that are new have numbers from this one on."""
        ...


class Sqlite:
    """See `Dialect`. One transaction writes at a time."""

    name: Literal['sqlite', 'postgresql'] = 'sqlite'
    shared = False
    folds = True
    compares_exactly = True
    clock: str | None = None
    counted = "SELECT value FROM meta WHERE key = 'clock'"
    stored_vector = 'vector'
    quoted: tuple[str, str] | None = None
    whole_index: str | None = None

    def packed(self, *numbers: str) -> str | None:
        return None

    def numbers(self, mark: str) -> str:
        return f'(SELECT value FROM json_each({mark}))'

    def texts(self, mark: str) -> str:
        return f'(SELECT value FROM json_each({mark}))'

    def flag(self, column: str) -> str:
        return column

    def place(self, text: str, part: str) -> str:
        return f'instr({text}, {part})'

    def appended(self, data: str, more: str) -> str:
        return f'CAST({data} || {more} AS BLOB)'

    def index(self, name: str) -> str:
        return f'INDEXED BY {name}'

    def member(self, column: str, *names: str) -> str:
        return f"CAST(json_extract({column}, '$.{'.'.join(names)}') AS TEXT)"

    def json(self, column: str, keys: Sequence[str], kind: JsonKind) -> tuple[str, list[Any]]:
        path = _path(keys)
        if kind in ('true', 'false'):
            return f"(json_type({column}, ?) = '{kind}')", [path]
        sql = f'CASE WHEN json_type({column}, ?) IN ({_SQLITE_KINDS[kind]}) THEN json_extract({column}, ?) END'
        return sql, [path, path]

    def has_json(self, column: str, keys: Sequence[str]) -> tuple[str, list[Any]]:
        return f"(COALESCE(json_type({column}, ?), 'null') <> 'null')", [_path(keys)]

    def elements(self, column: str, keys: Sequence[str], kind: JsonKind) -> tuple[str, list[Any]]:
        sql = (
            f"(SELECT value FROM json_each({column}, ?) WHERE json_type({column}, ?) = 'array' "
            f'AND type IN ({_SQLITE_KINDS[kind]}))'
        )
        return sql, [_path(keys)] * 2

    def vector_table(self, name: str, dimensions: int) -> str:
        return f'CREATE TABLE {name}(row INTEGER PRIMARY KEY, vector BLOB NOT NULL)'

    def pack(self, vector: FloatVector) -> Any:
        return vector.tobytes()

    def unpack(self, stored: Sequence[bytes], dimensions: int) -> NDArray[np.float32]:
        return _floats(stored, dimensions)

    def cosines(self, table: str) -> str | None:
        return None

    def number_owners_from(self, first: int) -> Sequence[tuple[str, tuple[int, ...]]]:
        return (
            ("DELETE FROM sqlite_sequence WHERE name = 'owner'", ()),
            ("INSERT INTO sqlite_sequence(name, seq) VALUES('owner', ?)", (first - 1,)),
        )


def _floats(stored: Sequence[bytes], dimensions: int) -> NDArray[np.float32]:
    """Of each the bytes of its float32, in the order of this machine."""
    return np.frombuffer(b''.join(stored), dtype=np.float32).reshape(len(stored), dimensions)


_SQLITE_KINDS: Final = {
    'text': "'text'",
    'number': "'integer', 'real'",
    'integer': "'integer', 'real'",
    'true': "'true'",
    'false': "'false'",
}


def _path(keys: Sequence[str]) -> str:
    return '$' + ''.join(f'."{key}"' for key in keys)


class Postgresql:
    """See `Dialect`. From version 15 on, with pgvector."""

    name: Literal['sqlite', 'postgresql'] = 'postgresql'
    shared = True
    folds = False
    compares_exactly = False
    clock: str | None = "nextval('clock')"
    counted = 'SELECT last_value FROM clock'
    stored_vector = 'vector'
    # An array of them, whose length the planner doesn't think it knows: so it never reads the whole table.
    quoted: tuple[str, str] | None = (
        'row = ANY(ARRAY(SELECT CAST(part.value ->> 0 AS BIGINT) FROM memory m, '
        'json_array_elements(CAST(m.evidence AS json)) AS part(value) WHERE m.row',
        '))',
    )
    whole_index: str | None = (
        'SELECT string_agg(int8send(term), gap), string_agg(int4send(length(data)), gap), string_agg(data, gap) '
        "FROM (SELECT term, data, CAST('' AS bytea) AS gap FROM posting WHERE owner = ? AND lane = ? "
        'ORDER BY term, chunk) AS ordered'
    )

    def packed(self, *numbers: str) -> str | None:
        return f"string_agg({' || '.join(f'int8send({number})' for number in numbers)}, CAST('' AS bytea))"

    def numbers(self, mark: str) -> str:
        return f'(SELECT CAST(value AS BIGINT) AS value FROM json_array_elements_text(CAST({mark} AS json)))'

    def texts(self, mark: str) -> str:
        return f'(SELECT value FROM json_array_elements_text(CAST({mark} AS json)))'

    def flag(self, column: str) -> str:
        return f'{column} = 1'

    def place(self, text: str, part: str) -> str:
        return f'strpos({text}, {part})'

    def appended(self, data: str, more: str) -> str:
        return f'{data} || {more}'

    def index(self, name: str) -> str:
        return ''

    def member(self, column: str, *names: str) -> str:
        *outer, last = (f"'{name}'" for name in names)
        return ''.join((f'(CAST({column} AS jsonb)', *(f' -> {name}' for name in outer), f' ->> {last})'))

    def json(self, column: str, keys: Sequence[str], kind: JsonKind) -> tuple[str, list[Any]]:
        at = _at(column, keys)
        if kind in ('true', 'false'):
            return f"({at} = CAST('{kind}' AS jsonb))", list(keys)
        found = f"({at} #>> '{{}}')"
        if kind in _POSTGRESQL_NUMBERS:
            found = f'CAST({found} AS {_POSTGRESQL_NUMBERS[kind]})'
        return f"CASE WHEN jsonb_typeof({at}) = '{_POSTGRESQL_KINDS[kind]}' THEN {found} END", [*keys, *keys]

    def has_json(self, column: str, keys: Sequence[str]) -> tuple[str, list[Any]]:
        return f"(COALESCE(jsonb_typeof({_at(column, keys)}), 'null') <> 'null')", list(keys)

    def elements(self, column: str, keys: Sequence[str], kind: JsonKind) -> tuple[str, list[Any]]:
        at = _at(column, keys)
        value = "value #>> '{}'"
        if kind in _POSTGRESQL_NUMBERS:
            value = f'CAST({value} AS {_POSTGRESQL_NUMBERS[kind]})'
        wanted = f"value = CAST('{kind}' AS jsonb)"
        if kind in _POSTGRESQL_KINDS:
            wanted = f"jsonb_typeof(value) = '{_POSTGRESQL_KINDS[kind]}'"
        sql = (
            f'(SELECT CASE WHEN {wanted} THEN {value} END AS value FROM jsonb_array_elements(CASE WHEN '
            f"jsonb_typeof({at}) = 'array' THEN {at} END) WHERE {wanted})"
        )
        return sql, [*keys, *keys]

    def vector_table(self, name: str, dimensions: int) -> str:
        return f'CREATE TABLE {name}(row BIGINT PRIMARY KEY, vector vector({dimensions:d}) NOT NULL)'

    def pack(self, vector: FloatVector) -> Any:
        return vector

    def unpack(self, stored: Sequence[bytes], dimensions: int) -> NDArray[np.float32]:
        return _floats(stored, dimensions)

    def cosines(self, table: str) -> str | None:
        product = 'CAST(-(vector <#> CAST(?1 AS vector)) AS real)'
        return (
            "SELECT string_agg(int8send(row), CAST('' AS bytea)), "
            f"string_agg(float4send({product}), CAST('' AS bytea)) FROM {table} WHERE row BETWEEN ?2 AND ?3"
        )

    def number_owners_from(self, first: int) -> Sequence[tuple[str, tuple[int, ...]]]:
        return (("SELECT setval(pg_get_serial_sequence('owner', 'id'), ?, false)", (first,)),)


_POSTGRESQL_KINDS: Final = {'text': 'string', 'number': 'number', 'integer': 'number'}
_POSTGRESQL_NUMBERS: Final = {'number': 'DOUBLE PRECISION', 'integer': 'NUMERIC'}


def _at(column: str, keys: Sequence[str]) -> str:
    return ''.join((f'(CAST({column} AS jsonb)', *(' -> CAST(? AS TEXT)' for _ in keys), ')'))


SQLITE: Final = Sqlite()
POSTGRESQL: Final = Postgresql()
