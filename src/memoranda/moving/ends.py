"""The two databases of a move, opened side by side and past what keeps others out of an unfinished one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from memoranda.errors import ConfigurationError, StoreUnreadable
from memoranda.settings import Settings, resolve_database
from memoranda.stores.sql.database import Connection
from memoranda.stores.sqlite import schema
from memoranda.stores.sqlite.connection import connect, snapshot, translated

if TYPE_CHECKING:
    from memoranda.settings import DatabaseTarget
    from memoranda.stores.postgres.database import PostgresConnection

__all__ = ['End', 'open_end']

T = TypeVar('T')
_STATEMENT_SECONDS: Final = 3600.0
_VECTOR_TYPE: Final = (
    'SELECT CAST(t.oid AS bigint) FROM pg_type t JOIN pg_extension e ON e.extnamespace = t.typnamespace '
    "WHERE e.extname = 'vector' AND t.typname = 'vector'"
)


class End(Protocol):
    """A database of a move. Used by one thread."""

    where: str
    """As people are told of it."""
    identity: tuple[Any, ...]
    """What it shares with no other database."""

    def read(self, function: Callable[[Connection], T]) -> T:
        """Run a function in one snapshot; once more, if the connection is lost meanwhile."""
        ...

    def write(self, function: Callable[[Connection], T]) -> T:
        """Run a function in one transaction."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


def open_end(database: str | os.PathLike[str], settings: Settings, *, make: bool) -> End:
    """Open a database.

    Args:
        database: A path or URL.
        settings: How.
        make: Whether to make it when it is missing.

    Raises:
        StoreError: It isn't there, or is of another version.
        ConfigurationError: It is no database that can be moved.
    """
    target = resolve_database(database, settings)
    if target.kind == 'postgresql':
        return _Postgres(target, settings, make=make)
    if target.kind == 'shards':
        raise ConfigurationError('several databases at once can not be moved: name one shard after the other')
    if isinstance(target.path, str):
        raise ConfigurationError("':memory:' lives in one process alone and can't be moved: name a file")
    return _Sqlite(target.path, settings, make=make)


class _Sqlite:
    def __init__(self, path: Path, settings: Settings, *, make: bool) -> None:
        self.where = os.path.realpath(path)
        if not make and not os.path.exists(self.where):
            raise StoreUnreadable(f'{self.where} does not exist: name the file that holds the memories')
        self._connection = connect(self.where, busy_timeout=settings.busy_timeout, durability='normal')
        try:
            with translated(self.where):
                found = self._connection.pragma('user_version')
                if make and found == 0:
                    schema.migrate(self._connection, self.where)
                elif found != schema.SCHEMA_VERSION:
                    raise StoreUnreadable(_of_another_version(self.where, found, schema.SCHEMA_VERSION))
            status = os.stat(self.where)
        except BaseException:
            self._connection.close()
            raise
        self.identity = ('sqlite', status.st_dev, status.st_ino)

    def read(self, function: Callable[[Connection], T]) -> T:
        with snapshot(self._connection, self.where) as connection:
            return function(connection)

    def write(self, function: Callable[[Connection], T]) -> T:
        with translated(self.where):
            self._connection.execute('BEGIN IMMEDIATE')
            try:
                result = function(self._connection)
                self._connection.execute('COMMIT')
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute('ROLLBACK')
                raise
        return result

    def close(self) -> None:
        self._connection.close()


class _Postgres:
    def __init__(self, target: DatabaseTarget, settings: Settings, *, make: bool) -> None:
        try:
            from memoranda.stores.postgres.connection import Link, Options, Shared
            from memoranda.stores.postgres.urls import place
        except ImportError as error:
            raise ConfigurationError(
                f'PostgreSQL needs the package psycopg, which is not usable here ({error}): '
                "pip install 'memoranda[postgres]'"
            ) from error
        found = place(target.url, settings.postgres_schema)
        self.where, self._schema, self._make = found.where, found.schema, make
        self._shared = Shared(lambda: None)
        options = Options(
            url=found.url,
            where=self.where,
            schema=self._schema,
            connect_timeout=settings.postgres_connect_timeout,
            statement_timeout=_STATEMENT_SECONDS,
            lock_timeout=settings.busy_timeout,
            pgbouncer=settings.postgres_pgbouncer,
        )
        self._link = Link(options, self._shared, self._prepare)
        try:
            self.identity = self._link.read(self._identify)
        except BaseException:
            self._link.close()
            raise

    def _prepare(self, connection: PostgresConnection) -> None:
        from memoranda.stores.postgres.schema import SCHEMA_VERSION, migrate

        if not self._shared.path:
            (there,) = connection.execute('SELECT to_regclass(?) IS NOT NULL', (f'"{self._schema}".meta',)).fetchone()
            if there:
                row = connection.execute(
                    f'SELECT value FROM "{self._schema}".meta WHERE key = \'schema_version\''
                ).fetchone()
                if row is None or int(row[0]) != SCHEMA_VERSION:
                    found = row[0] if row else '?'
                    raise StoreUnreadable(_of_another_version(self.where, found, SCHEMA_VERSION))
            elif not self._make:
                raise StoreUnreadable(
                    f'{self.where} has no memories (schema {self._schema}): check the URL and MEMORANDA_POSTGRES_SCHEMA'
                )
            path = migrate(connection, self._schema, self.where)
            self._shared.vector = connection.execute(_VECTOR_TYPE).fetchone()[0]
            self._shared.path = path

    @staticmethod
    def _identify(connection: Connection) -> tuple[Any, ...]:
        found = connection.execute(
            'SELECT CAST(current_database() AS text), CAST(current_schema() AS text), '
            "CAST(pg_postmaster_start_time() AS text), current_setting('port')"
        ).fetchone()
        return ('postgresql', *found)

    def read(self, function: Callable[[Connection], T]) -> T:
        return self._link.read(function)

    def write(self, function: Callable[[Connection], T]) -> T:
        return self._link.write(function)

    def close(self) -> None:
        self._link.close()


def _of_another_version(where: str, found: object, known: int) -> str:
    return (
        f'{where} has schema version {found}, and this memoranda moves version {known}: open it once with this '
        'memoranda (`memoranda doctor`), which brings an older one up to date, or upgrade memoranda'
    )
