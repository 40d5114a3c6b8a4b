"""`PostgresStore`: the primitives over PostgreSQL."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, TypeVar, cast

from memoranda._bridge import wait_for
from memoranda._locks import short_lock
from memoranda._precedence import is_for_job
from memoranda._threads import Closed, Pool, settle
from memoranda.errors import ConfigurationError, StoreError
from memoranda.stores.data import ErasureResult, Stats
from memoranda.stores.erasures import Trace
from memoranda.stores.leases import new_token
from memoranda.stores.postgres import vacuuming
from memoranda.stores.postgres.connection import Link, Options, Shared, unlimited
from memoranda.stores.postgres.database import PostgresConnection
from memoranda.stores.postgres.schema import identity, migrate
from memoranda.stores.postgres.stats import stats
from memoranda.stores.postgres.urls import DEFAULT_SCHEMA, place
from memoranda.stores.sql import erasing, forgetting, remaining, retaining, usage
from memoranda.stores.sql.cache import Cache
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.store import SqlStore
from memoranda.stores.sql.unfinished import refuse_unfinished

if TYPE_CHECKING:
    from memoranda.scope import Erasure
    from memoranda.stores.erasures import Forgetting, Forgotten

__all__ = ['PostgresStore']

T = TypeVar('T')
log = logging.getLogger('memoranda.stores')

CHORES_SECONDS: Final = 2.0
_VACUUM: Final = 'vacuum'
_SCRUB_AGAIN: Final = 30.0
_SCRUB_LEASE: Final = 900.0


class PostgresStore(SqlStore):
    """Memories in PostgreSQL 15 or later with pgvector, for many processes on many machines.

    The user needs no more than to own a schema; a superuser runs `CREATE EXTENSION vector` once. TLS, several hosts and
    the like are options of the URL (`?sslmode=verify-full`, `?target_session_attrs=read-write`).

    Args:
        url: Such as `postgresql://user:password@host:5432/database`; `?schema=name` is an option of it, too.
        schema: In which the tables are, made if it is missing, unless the URL names one.
        pool: Connections this process has at most.
        connect_timeout: Seconds to wait for the server.
        statement_timeout: Seconds a statement may take; erasures and migrations may take longer.
        lock_timeout: Seconds to wait for another transaction on the same owner.
        pgbouncer: Whether a pooler in transaction mode is in between: then nothing is prepared.
        durability: `'normal'` as the server is set; `'full'` waits for its disk also where it is set not to.
        cache_mb: Bound of the vectors kept in memory, in MiB.

    Raises:
        ConfigurationError: The URL or the schema's name can't be used.
    """

    def __init__(
        self,
        url: str,
        *,
        schema: str = DEFAULT_SCHEMA,
        pool: int = 8,
        connect_timeout: float = 10.0,
        statement_timeout: float = 30.0,
        lock_timeout: float = 30.0,
        pgbouncer: bool = False,
        durability: Literal['normal', 'full'] = 'normal',
        cache_mb: int = 256,
    ) -> None:
        super().__init__(cache_mb=cache_mb)
        if pool < len(_Running.POOLS):
            raise ConfigurationError(
                f'pool={pool} is too small: allow at least {len(_Running.POOLS)} connections, one for each kind of work'
            )
        found = place(url, schema)
        self._where = found.where
        self._options = Options(
            url=found.url,
            where=found.where,
            schema=found.schema,
            connect_timeout=connect_timeout,
            statement_timeout=statement_timeout,
            lock_timeout=lock_timeout,
            pgbouncer=pgbouncer,
        )
        self._pool = pool
        self._durably = durability == 'full'
        self._lock = short_lock()
        self._state: _Running | None = None
        self._inherited: list[_Running] = []
        self._when_replaced: list[Callable[[], None]] = []

    @property
    def location(self) -> str:
        """The URL without password and options, but for a schema that is not the usual one."""
        return self._where

    async def open(self) -> None:
        """Connect, and bring the schema up to date."""
        await wait_for(self._submit('write', lambda link: link.read(lambda connection: None)))

    async def close(self) -> None:
        """Finish what is queued and close the connections."""
        with self._lock:
            running, self._state = self._state, None
        self._cache.clear()
        if running is not None and running.pid == os.getpid():
            done: Future[None] = Future()
            closing = (running, self._save_uses, done)
            threading.Thread(target=_shut, args=closing, name='memoranda-close', daemon=True).start()
            await wait_for(done)

    def when_replaced(self, tell: Callable[[], None]) -> None:
        """Call this when another database is found under the URL, as after a restore."""
        self._when_replaced.append(tell)

    def _running(self) -> _Running:
        with self._lock:
            state = self._state
            if state is not None and state.pid != os.getpid():
                # After a fork the threads are gone. The connections are the parent's: closing them here would end them
                # there, so they are kept, and never touched.
                self._inherited.append(state)
                self._cache = Cache(self._cache.max_bytes)
                self._state = state = None
            if state is None:
                shared = Shared(self._cache.clear)
                self._state = state = _Running(
                    self._pool, lambda: Link(self._options, shared, lambda c: self._prepare(c, shared)), self._chores
                )
            return state

    def _submit(self, kind: str, function: Callable[[Link], T]) -> Future[T]:
        while True:
            with contextlib.suppress(Closed):  # closed by another caller, just now: the next one opens it again
                return self._running().submit(kind, function)

    def _prepare(self, connection: PostgresConnection, shared: Shared) -> None:
        """See to the schema on the first connection, and that it is still the same database on the others."""
        schema = self._options.schema
        if not shared.path:
            path = migrate(connection, schema, self._where)
            refuse_unfinished(cast('Connection', connection), self._where, schema)
            (shared.vector,) = connection.execute(
                'SELECT CAST(t.oid AS bigint) FROM pg_type t JOIN pg_extension e ON e.extnamespace = t.typnamespace '
                "WHERE e.extname = 'vector' AND t.typname = 'vector'"
            ).fetchone()
            shared.probe(connection)
            shared.path = path
        found = identity(connection, schema)
        if shared.identity is None:
            shared.identity = found
        elif found != shared.identity:
            log.warning('%s was replaced by another database: what is there now is opened', self._where)
            shared.path, shared.identity = '', None
            self._cache = Cache(self._cache.max_bytes)
            for tell in self._when_replaced:
                tell()
            self._prepare(connection, shared)

    async def _read(self, function: Callable[[Connection], T], *, apart: bool = False) -> T:
        kind = 'apart' if apart else 'job' if is_for_job() else 'read'
        return await wait_for(self._submit(kind, lambda link: link.read(function)))

    async def _write(self, function: Callable[[Connection], T]) -> T:
        return await wait_for(self._send(function))

    def _send(self, function: Callable[[Connection], T]) -> Future[T]:
        kind = 'job' if is_for_job() else 'write'
        return self._submit(kind, lambda link: link.write(function, durably=self._durably))

    async def save_uses(self) -> None:
        """Write what was counted."""
        if self._uses:
            await wait_for(self._submit('write', self._save_uses))

    def _save_uses(self, link: Link) -> None:
        counts, recalls = self._uses.take(), self._uses.take_recalls()
        if not counts and not recalls:
            return

        def write(connection: Connection) -> usage.Counts:
            left = usage.write(connection, counts)
            usage.write_recalls(connection, recalls)
            return left

        try:
            counts = link.write(write)
        except StoreError as error:  # they are counts, not memories: they may wait
            self._uses.put_back(recalls)
            log.debug('uses of %d memories could not be counted (%s)', len(counts), type(error).__name__)
        self._uses.add((owner, memory, times, at) for (owner, memory), (times, at) in counts.items())

    def _chores(self, running: _Running) -> None:
        """Every two seconds: count uses, forget owners other processes erased, go on with pending scrubs."""

        def look(link: Link) -> None:
            self._save_uses(link)
            link.read(self._cache.drop_stale)
            if link.read(lambda c: c.execute('SELECT EXISTS(SELECT 1 FROM scrub)').fetchone()[0]):
                self._scrub_in_turn(link)

        try:
            running.submit('apart', look).result()
        except StoreError as error:
            log.debug('%s: chores failed (%s)', self._where, type(error).__name__)

    def _scrub_in_turn(self, link: Link) -> None:
        """Go on with what erasures left, unless another process is at it, or was not long ago."""
        token = new_token()
        turn = link.write(lambda c: retaining.begin_round(c, _VACUUM, token, _SCRUB_AGAIN, _SCRUB_LEASE))
        if not turn.mine:
            return
        done = False
        try:
            done = self._scrub(link)
        finally:  # when somebody could still read what was erased, some time is to pass
            again = 0.0 if done else _SCRUB_AGAIN
            link.write(lambda c: retaining.end_round(c, _VACUUM, token, again, None))

    def _scrub(self, link: Link) -> bool:
        link.alone(forgetting.resume)
        return vacuuming.scrub(link, self._options.schema)

    async def erase(self, erasure: Erasure) -> ErasureResult:
        """Remove rows, words, vectors and index entries. Their space is given back soon after, see `finish_scrub`."""
        result = await wait_for(
            self._submit('write', lambda link: link.write(unlimited(lambda c: erasing.erase(c, erasure)), durably=True))
        )
        await self._drop_stale()
        return result if result.scrub == 'verified' else replace(result, scrub='pending')

    async def _drop_stale(self) -> None:
        with contextlib.suppress(StoreError):  # the chores do it too
            await self._read(self._cache.drop_stale)

    async def forget(self, what: Forgetting) -> Forgotten:
        """Erase, and leave a tombstone where a subject is forgotten."""
        if what.owner is not None or not what.buries:
            part = await self._alone(lambda c: forgetting.forget_one(c, what))
        else:
            part = await self._alone(lambda c: forgetting.begin(c, what))
            try:  # a few owners at once, so that others may write between them
                while not await self._alone(lambda c: forgetting.forget_some(c, part)):
                    pass
            except BaseException:  # it is finished by the chores
                self._submit('write', lambda link: link.alone(lambda c: forgetting.release(c, part)))
                raise
        await self._drop_stale()
        return part.told(scrubbed=False)

    async def _alone(self, function: Callable[[Connection], T]) -> T:
        return await wait_for(self._submit('write', lambda link: link.alone(function)))

    @property
    def sees_bytes(self) -> bool:
        """False: only the server's administrator can look into its files."""
        return False

    async def traces(self, texts: Sequence[str], *, sample: bool = False) -> Sequence[Trace]:
        """Where texts are found in rows."""
        if sample:
            return []
        rows = await self._read(unlimited(lambda c: remaining.in_rows(c, dict(enumerate(texts)))), apart=True)
        return [Trace(text=i, where=tuple(sorted(rows[i]))) for i in sorted(rows)]

    async def finish_scrub(self) -> bool:
        """Vacuum what erasures left, so that no version of an erased row is left in a table."""
        return await wait_for(self._submit('apart', self._scrub))

    async def stats(self) -> Stats:
        """What the database holds."""
        return await self._read(lambda c: stats(c, self._where, self._options.schema))


class _Running:
    """The threads of one process, each with a connection of its own."""

    POOLS: Final = ('read', 'write', 'job', 'apart')
    """Who waits for an answer, who writes, the work of jobs, and what takes seconds."""

    def __init__(self, count: int, link: Callable[[], Link], chores: Callable[[_Running], None]) -> None:
        self.pid = os.getpid()
        self._chores = chores
        self._links: list[Link] = []
        left = count - len(self.POOLS)
        shares = {'read': 1 + (left + 1) // 2, 'write': 1 + left // 4, 'apart': 1}
        shares['job'] = count - sum(shares.values())

        def make() -> Link:
            made = link()
            self._links.append(made)  # so that a child of a fork doesn't lose, and so close, it
            return made

        self._pools = {kind: Pool(shares[kind], f'memoranda-{kind}', make, Link.close) for kind in self.POOLS}
        self._ended = threading.Event()
        self._chorist = threading.Thread(target=self._do_chores, name='memoranda-chores', daemon=True)
        self._lock = threading.Lock()
        self._begun = False

    def submit(self, kind: str, function: Callable[[Link], T]) -> Future[T]:
        """Queue a function for the threads of a kind."""
        future = self._pools[kind].submit(function)
        with self._lock:
            if not self._begun:
                self._begun = True
                self._chorist.start()
        return future

    def _do_chores(self) -> None:
        while not self._ended.wait(CHORES_SECONDS):
            with contextlib.suppress(Closed):  # closed just now
                self._chores(self)

    def end(self, last: Callable[[Link], None]) -> None:
        """Finish what is queued, then `last`, and close the connections."""
        self._ended.set()
        if self._begun:
            self._chorist.join()
            with contextlib.suppress(StoreError):
                self._pools['write'].submit(last).result()
        for pool in self._pools.values():
            pool.close()


def _shut(running: _Running, last: Callable[[Link], None], done: Future[None]) -> None:
    try:
        running.end(last)
    except BaseException as error:
        settle(done, error)
    else:
        settle(done)
