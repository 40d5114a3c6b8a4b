"""A connection that opens itself, again when it was dropped, and runs functions in transactions.

No state outside transactions: search path and timeouts are set within each, so that pgbouncer may give every
transaction another session.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

import psycopg
from psycopg import conninfo

from memoranda.errors import StoreError, StoreUnreachable
from memoranda.stores.postgres.clock import Clock
from memoranda.stores.postgres.database import NATIVE, PostgresConnection
from memoranda.stores.postgres.errors import Again, Undone, again, is_lost, translated
from memoranda.stores.sql.database import Connection, Rows

__all__ = ['Link', 'Options', 'Shared', 'unlimited']

T = TypeVar('T')
log = logging.getLogger('memoranda.stores')

_TRIES: Final = 5
_NAP: Final = 0.02
_ASKED: Final = 50
"""How often a server is asked whether a commit happened, while the session that sent it is still at it."""
_SAME_CLOCK: Final = 0.1
"""Seconds that clocks differ by without anybody minding."""
_STUCK_MS: Final = 120_000
"""After so long between two statements of a transaction its client is taken for gone."""
# The upper half of a file's name in the log: a server that took the place of another writes another timeline, and gives
# numbers of transactions that were lost with the one before to others.
_TIMELINE: Final = 'CASE WHEN NOT pg_is_in_recovery() THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END'
_NUMBER: Final = 'CASE WHEN NOT pg_is_in_recovery() THEN CAST(pg_current_xact_id() AS text) END'
_BECAME: Final = (
    'SELECT timeline, CASE WHEN timeline = ?1 THEN pg_xact_status(CAST(?2 AS xid8)) END FROM (SELECT {}) '
    'AS server(timeline)'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to connect."""

    url: str
    where: str
    """The database as people are told of it."""
    schema: str
    connect_timeout: float
    statement_timeout: float
    lock_timeout: float
    pgbouncer: bool
    """Whether a pooler may give every transaction another session: then no statement is prepared."""


class Shared:
    """What the connections of a process have found out about their database.

    Args:
        forget: Called when a table is gone that was there: what is in memory may name others that are.
    """

    def __init__(self, forget: Callable[[], None]) -> None:
        self.forget = forget
        self.lock = threading.Lock()
        self.path = ''
        """The search path, once the schema was seen to."""
        self.vector: int | None = None
        """Number of pgvector's type."""
        self.identity: str | None = None
        """What tells this database from one that takes its place."""
        self.timeline = 'NULL'
        """How to ask for the server's timeline, where it tells."""

    def probe(self, connection: PostgresConnection) -> None:
        """Find out whether the server tells its timeline; some that are only like PostgreSQL don't."""
        self.timeline = _TIMELINE
        try:
            connection.execute(f'SELECT {_TIMELINE}').fetchone()
        except (psycopg.DatabaseError, psycopg.NotSupportedError):
            if connection.raw.closed:
                raise
            self.timeline = 'NULL'


def unlimited(function: Callable[[Connection], T]) -> Callable[[Connection], T]:
    """A function whose statements may take as long as they do, as those of an erasure."""

    def run(connection: Connection) -> T:
        connection.execute("SELECT set_config('statement_timeout', '0', true)")
        return function(connection)

    return run


class Link:
    """One connection, of one thread.

    Args:
        options: Where to.
        shared: Of all links to this database.
        prepare: Brings the schema up to date on a new connection and fills in `shared`, if nobody did yet.
    """

    def __init__(self, options: Options, shared: Shared, prepare: Callable[[PostgresConnection], None]) -> None:
        self._options, self._shared, self._prepare = options, shared, prepare
        self._connection: PostgresConnection | None = None
        self._clock = Clock()
        self._settings: dict[tuple[str, bool, str], str] = {}

    @property
    def skew_us(self) -> int:
        """See `Connection.skew_us`."""
        return self._clock.ahead_us

    def read(self, function: Callable[[Connection], T]) -> T:
        """Run a function in one snapshot."""
        return self._repeat(lambda: self._read(function))

    def write(self, function: Callable[[Connection], T], *, durably: bool = False) -> T:
        """Run a function in one transaction, again when it lost against another or its connection was dropped.

        Args:
            function: What to do.
            durably: Whether it survives a loss of power whatever the server is set to.
        """
        return self._repeat(lambda: self._write(function, durably))

    def alone(self, function: Callable[[Connection], T]) -> T:
        """Run a function whose transactions are its own, once: each statement outside of one is one."""
        with translated(self._options.where, self._options.schema):
            self._repeat(self._awaken)
            return function(cast('Connection', _Alone(self)))

    def bare(self, function: Callable[[PostgresConnection], T]) -> T:
        """Run a function without search path or timeouts, for statements that no transaction can hold."""
        with translated(self._options.where, self._options.schema):
            self._repeat(self._awaken)
            return function(self._open())

    def _awaken(self) -> None:
        """Find out whether the connection is still there."""
        self._open().script('SELECT 1')

    def close(self) -> None:
        """Close it; the next use opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.raw.close()

    def once(self, function: Callable[[Connection], T], *, durably: bool) -> T:
        """Run a function in one transaction, which isn't repeated: it keeps account of what it did."""
        return self._write(function, durably)

    def _repeat(self, attempt: Callable[[], T]) -> T:
        with translated(self._options.where, self._options.schema):
            for tries in range(1, _TRIES + 1):
                try:
                    return attempt()
                except Again as error:
                    lost = self._is_lost(error)
                    if lost:
                        self.close()
                    if tries == _TRIES and isinstance(error, Undone) and error.__cause__ is not None:
                        raise error.__cause__  # noqa: B904  # it is what happened
                    if tries == _TRIES or not (lost or again(error)):
                        raise
                    if isinstance(error, psycopg.errors.UndefinedTable):
                        self._shared.forget()
                    time.sleep(random.uniform(_NAP / 2, _NAP) * 2**tries)  # noqa: S311  # a pause, not a secret
        raise AssertionError

    def _is_lost(self, error: BaseException) -> bool:
        if self._connection is None:  # it could not be opened: only who is starting or stopping is asked again
            return is_lost(error, closed=False) or 'starting up' in str(error) or 'shutting down' in str(error)
        return is_lost(error, closed=self._connection.raw.closed)

    def _open(self) -> PostgresConnection:
        if self._connection is not None and not self._connection.raw.closed:
            return self._connection
        self.close()
        raw = psycopg.connect(_with_defaults(self._options), autocommit=True)
        try:
            connection = PostgresConnection(raw, pooled=self._options.pgbouncer)
            with self._shared.lock:
                self._prepare(connection)
            connection.adapt(self._shared.vector)
            self._clock = connection.clock = Clock(_skew(connection))
        except BaseException:
            raw.close()
            raise
        self._connection = connection
        return connection

    def _begin(self, how: str, *, durably: bool = False, last: str = '') -> Rows:
        connection = self._open()  # which finds the search path
        key = (self._shared.path, durably, last)
        settings = self._settings.get(key)
        if settings is None:
            settings = self._settings[key] = self._set(durably) + last
        return connection.begin(how, settings)

    def _set(self, durably: bool) -> str:
        options = self._options
        settings = {
            'search_path': self._shared.path,
            'statement_timeout': f'{options.statement_timeout * 1000:.0f}',
            'lock_timeout': f'{options.lock_timeout * 1000:.0f}',
            'idle_in_transaction_session_timeout': str(_STUCK_MS),
            **({'synchronous_commit': 'on'} if durably else {}),
        }
        chosen = ', '.join(f'set_config({_quoted(name)}, {_quoted(value)}, true)' for name, value in settings.items())
        return f'SELECT {chosen}'

    def _read(self, function: Callable[[Connection], T]) -> T:
        self._begin('ISOLATION LEVEL REPEATABLE READ, READ ONLY')
        connection = self._open()
        try:
            result = function(cast('Connection', connection))
            connection.leave()
        except BaseException:
            self._leave(connection)
            raise
        return result

    def _write(self, function: Callable[[Connection], T], durably: bool) -> T:
        # The number of the transaction is known before it is committed, to ask afterwards what became of it.
        self._open()  # so that it is known how to ask for the timeline
        which = f', {_NUMBER}, {self._shared.timeline}'
        told = self._begin('ISOLATION LEVEL READ COMMITTED', durably=durably, last=which)
        connection = self._open()
        try:
            result = function(cast('Connection', connection))
            begun = told.fetchone()
        except BaseException:
            self._leave(connection)
            raise
        try:
            connection.commit()
        except psycopg.Error as error:
            if not self._is_lost(error):
                self._leave(connection)
                if (meant := connection.meaning(error)) is not None:
                    raise meant from error
                raise
            self.close()
            if not self._is_committed(begun[-2], begun[-1], error):
                raise Undone(str(error)) from error
        return result

    def _is_committed(self, number: str | None, timeline: str | None, error: psycopg.Error) -> bool:
        """Whether a transaction was committed whose end this client did not hear of. Never a guess.

        Raises:
            StoreUnreachable: The server that knows can't be asked.
        """
        where = self._options.where
        unknown = StoreUnreachable(
            f'{where} was lost while it committed ({type(error).__name__}), and whether it did is not known: '
            'look whether the change is there, or repeat the call with the same idempotency_key'
        )
        for tries in range(_ASKED):
            try:
                connection = self._open()
                found, status = connection.execute(_BECAME.format(self._shared.timeline), (timeline, number)).fetchone()
            except (psycopg.Error, StoreError) as failed:
                self.close()
                if tries > 4:
                    raise unknown from failed
                time.sleep(_NAP * 2**tries)
                continue
            if found is None or found != timeline or status is None:
                raise unknown from error
            if status != 'in progress':
                return status == 'committed'
            time.sleep(_NAP * 5)
        raise unknown from error

    def _leave(self, connection: PostgresConnection) -> None:
        """End what is open, or close the connection if that fails."""
        if connection.raw.closed:
            return
        try:
            connection.rollback()
        except psycopg.Error:
            connection.raw.close()


class _Alone:
    """A connection outside a transaction: each statement has one, and so has what is to be durable."""

    dialect = NATIVE
    violations = PostgresConnection.violations

    def __init__(self, link: Link) -> None:
        self._link = link
        self._changes = 0

    @property
    def skew_us(self) -> int:
        return self._link.skew_us

    @property
    def in_transaction(self) -> bool:
        return False

    def last(self) -> None:
        pass

    def ending(self, means: Callable[[], Exception], /) -> None:
        pass

    def settle(self) -> None:
        pass

    def durably(self, function: Callable[[Connection], T]) -> T:
        return self._link.once(function, durably=True)

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Rows:
        def run(connection: Connection) -> Rows:
            found = connection.execute(statement, values)
            self._changes = connection.changes()
            return found

        return self._link.once(run, durably=False)

    def ask(self, statement: str, values: Sequence[Any] = (), /) -> Rows:
        return self.execute(statement, values)

    def executemany(self, statement: str, values: Iterable[Sequence[Any]], /) -> Rows:
        rows = list(values)
        return self._link.once(lambda c: c.executemany(statement, rows), durably=False)

    def changes(self) -> int:
        return self._changes


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _skew(connection: PostgresConnection) -> int:
    """How far the server's clock is ahead, in microseconds; 0 where that can't be told from the way there."""
    before = time.time()
    (there,) = connection.execute('SELECT CAST(extract(epoch FROM clock_timestamp()) AS double precision)').fetchone()
    after = time.time()
    ahead = there - (before + after) / 2
    return int(ahead * 1e6) if abs(ahead) > after - before + _SAME_CLOCK else 0


def _with_defaults(options: Options) -> str:
    """The URL, with what it leaves open."""
    given = conninfo.conninfo_to_dict(options.url)
    defaults: dict[str, Any] = {
        'connect_timeout': max(2, round(options.connect_timeout)),
        'application_name': 'memoranda',
        'keepalives_idle': 30,
        'keepalives_interval': 10,
        'keepalives_count': 3,
        'tcp_user_timeout': 60_000,
        'client_encoding': 'utf8',
    }
    return conninfo.make_conninfo(options.url, **{name: v for name, v in defaults.items() if name not in given})
