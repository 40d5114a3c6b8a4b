"""`SQLiteStore`: the primitives over one file."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import apsw

from memoranda._bridge import wait_for
from memoranda._precedence import is_for_job, step
from memoranda._threads import Pool, settle
from memoranda.errors import StoreError, StoreUnwritable
from memoranda.filters import fold
from memoranda.scope import Erasure
from memoranda.stores.data import ErasureResult, Stats
from memoranda.stores.erasures import Trace
from memoranda.stores.sql import (
    erasing,
    forgetting,
    remaining,
)
from memoranda.stores.sql.cache import Cache
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.store import SqlStore
from memoranda.stores.sql.unfinished import refuse_unfinished
from memoranda.stores.sqlite import sweeping, traces
from memoranda.stores.sqlite.connection import (
    Closed,
    Durability,
    Moved,
    Reader,
    Writer,
    connect,
    snapshot,
    translated,
)
from memoranda.stores.sqlite.forking import forks
from memoranda.stores.sqlite.schema import migrate
from memoranda.stores.sqlite.stats import stats
from memoranda.stores.sqlite.uses import save

if TYPE_CHECKING:
    from memoranda.stores.erasures import Forgetting, Forgotten

__all__ = ['SQLiteStore']

T = TypeVar('T')
log = logging.getLogger('memoranda.stores')
_files = sweeping.SweepFiles()
_MOVES = 5
"""In a row: then the file is replaced again and again, or its file system tells it by another number each time."""


class SQLiteStore(SqlStore):
    """Memories in one SQLite file, which several threads and processes may share.

    Args:
        path: The file, made if missing with its folder, readable by its owner only; or `':memory:'`.
        busy_timeout: Seconds to wait for another process's write.
        durability: `'normal'` survives the death of the process, `'full'` power loss too.
        readers: Threads that read.
        cache_mb: Bound of the vectors kept in memory, in MiB.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        busy_timeout: float = 30.0,
        durability: Durability = 'normal',
        readers: int = 2,
        cache_mb: int = 256,
    ) -> None:
        super().__init__(cache_mb=cache_mb)
        location = os.fspath(path)
        self._memory = location == ':memory:'
        # The file itself, not a link to it: one file has one sweep descriptor, see `SweepFiles`.
        self._path = location if self._memory else os.path.realpath(location)
        self._busy = busy_timeout
        self._durability: Durability = durability
        self._reader_count = readers
        self._erasures = 0
        self._sweep = sweeping.Progress()
        self._lock = threading.Lock()
        self._state: _Running | None = None
        self._inherited: list[_Running] = []
        self._when_replaced: list[Callable[[], None]] = []
        forks.watch(self)

    @property
    def location(self) -> str:
        """Absolute path of the file, or `':memory:'`."""
        return self._path

    async def open(self) -> None:
        """Open or create the file and bring its schema up to date."""
        await wait_for(self._submit(lambda connection: None, alone=True))

    async def close(self) -> None:
        """Commit what is queued and close the file."""
        with self._lock:
            running, self._state = self._state, None
        self._cache.clear()
        if running is not None and running.pid == os.getpid():
            done: Future[None] = Future()
            threading.Thread(target=_shut, args=(running, done), name='memoranda-close', daemon=True).start()
            await wait_for(done)

    def _running(self) -> _Running:
        with self._lock:
            state = self._state
            if state is not None and state.pid != os.getpid():
                # After a fork the threads are gone, and the parent's connections must not be touched, not even closed.
                self._inherited.append(state)
                self._cache = Cache(self._cache.max_bytes)
                self._state = state = None
            if state is None:
                user = object()
                writer = Writer(
                    self._path, lambda: self._connect_writer(user), idle=self._idle, moved=self._forget_file
                )
                readers = Pool(
                    1 if self._memory else self._reader_count,
                    'memoranda-reader',
                    lambda: Reader(self._path, self._connect, writer),
                    Reader.close,
                )
                of_jobs = Pool(
                    1, 'memoranda-job-reader', lambda: Reader(self._path, self._connect, writer), Reader.close
                )
                apart = Pool(
                    1, 'memoranda-audit-reader', lambda: Reader(self._path, self._connect, writer), Reader.close
                )
                leave = partial(_files.leave, self._path, user)
                self._state = state = _Running(os.getpid(), writer, readers, of_jobs, apart, leave, self._last)
            return state

    def _submit(self, function: Callable[[Connection], T], *, alone: bool = False) -> Future[T]:
        while True:
            with contextlib.suppress(Closed):  # by a fork or another caller, just now: the next one opens it again
                return self._running().writer.submit(function, alone=alone)

    def pause(self) -> None:
        """Close the connections before a fork. Nothing runs until `resume`."""
        self._lock.acquire()
        running = self._state
        if running is not None and not self._memory and running.pid == os.getpid():
            self._state = None
            _end(running)

    def resume(self) -> None:
        """After a fork, in parent and child: the next call opens again."""
        self._lock.release()

    def _last(self, writer: Writer) -> None:
        if self._uses:
            writer.submit(self._save_uses, alone=True)

    def _save_uses(self, connection: Connection) -> None:
        save(connection, self._uses, busy_ms=int(self._busy * 1000))

    def _connect(self) -> Connection:
        connection = connect(self._path, busy_timeout=self._busy, durability=self._durability)
        connection.create_scalar_function('fold', _fold, 1, deterministic=True)
        return connection

    def _connect_writer(self, user: object) -> Connection:
        if not self._memory:  # here, not where the store is asked: this may wait for the disk
            _files.enter(self._path, user)
        connection = self._connect()
        try:
            with translated(self._path):
                migrate(connection, self._path)
                refuse_unfinished(connection, self._path)
                if connection.readonly('main'):
                    raise StoreUnwritable(
                        f'{self._path} is read-only for this user: make it writable, '
                        'or name another file in MEMORANDA_DATABASE'
                    )
                self._scrub(connection, sweeping.INLINE_BYTES)
        except BaseException:
            connection.close()
            raise
        return connection

    def _forget_file(self) -> None:
        """Another file is at the path: nothing read from the one before counts."""
        self._cache = Cache(self._cache.max_bytes)
        self._sweep = sweeping.Progress()
        _files.renew(self._path)
        for tell in self._when_replaced:
            tell()

    def when_replaced(self, tell: Callable[[], None]) -> None:
        """Call this when another file is found at the path."""
        self._when_replaced.append(tell)

    def _scrub(self, connection: Connection, most_bytes: int | None) -> bool:
        if self._memory:
            connection.execute('DELETE FROM scrub WHERE rest IS NULL')
            return True
        try:
            forgetting.resume(connection)
            return sweeping.scrub(
                connection, self._path, _files, self._sweep, most_bytes=most_bytes, busy_ms=int(self._busy * 1000)
            )
        except (OSError, apsw.BusyError, apsw.FullError, apsw.IOError) as error:
            # The erasure itself is committed; what is left of it is tried again.
            log.warning('%s could not be swept (%s): erased words may still be in it', self._path, error)
            return False

    def _idle(self, connection: Connection) -> None:
        """Every two seconds: count uses, forget owners other processes erased, go on with pending scrubs."""
        self._save_uses(connection)
        with contextlib.suppress(apsw.Error, StoreError):
            erasures = connection.execute("SELECT value FROM meta WHERE key = 'erasures'").fetchone()[0]
            if erasures != self._erasures:
                self._erasures = erasures
                self._cache.drop_stale(connection)
            self._scrub(connection, sweeping.TICK_BYTES)

    async def _read(self, function: Callable[[Connection], T], *, apart: bool = False) -> T:
        if self._memory:  # it lives in one connection, the writer's
            return await wait_for(self._submit(lambda c: self._read_now(c, function), alone=True))

        def read(reader: Reader) -> T:
            with reader.snapshot() as connection:
                return function(connection)

        def stepwise(reader: Reader) -> T:
            with step():
                return read(reader)

        moves, before = 0, None
        while True:
            running = self._running()
            try:
                readers = running.apart if apart else running.of_jobs if is_for_job() else running.readers
                future = readers.submit(stepwise if is_for_job() and not apart else read)
            except RuntimeError:  # closed just now, see `_submit`
                continue
            try:
                return await wait_for(future)
            except Moved:  # the writer opens first: it creates the file and migrates it
                moves, before = (moves + 1 if running is before else 1), running  # it may have been closed meanwhile
                if moves == _MOVES:
                    raise
                await self.open()

    def _read_now(self, connection: Connection, function: Callable[[Connection], T]) -> T:
        with snapshot(connection, self._path):
            return function(connection)

    async def _write(self, function: Callable[[Connection], T]) -> T:
        return await wait_for(self._submit(function))

    def _send(self, function: Callable[[Connection], T]) -> Future[T]:
        return self._submit(function)

    async def save_uses(self) -> None:
        """Write what was counted."""
        if self._uses:
            await wait_for(self._submit(self._save_uses, alone=True))

    async def erase(self, erasure: Erasure) -> ErasureResult:
        """Remove rows, words, vectors and index entries, then what is left of them in the file."""
        result = await wait_for(self._submit(lambda c: c.durably(lambda c: erasing.erase(c, erasure)), alone=True))
        if result.scrub == 'verified':
            return result
        return replace(result, scrub='verified' if await self._clean() else 'pending')

    async def _clean(self) -> bool:
        """After an erasure: whether nothing of it is left in the files, or in what this process keeps."""

        def clean(connection: Connection) -> bool:
            self._cache.drop_stale(connection)
            small = os.path.getsize(self._path) <= sweeping.INLINE_BYTES if not self._memory else True
            return self._scrub(connection, sweeping.INLINE_BYTES if small else 0)

        try:
            return await wait_for(self._submit(clean, alone=True))
        except StoreError as error:  # what is erased is erased; the chores go on
            log.warning('%s could not be scrubbed yet (%s)', self._path, type(error).__name__)
            return False

    async def forget(self, what: Forgetting) -> Forgotten:
        """Erase, and leave a tombstone where a subject is forgotten."""
        if what.owner is not None or not what.buries:
            part = await wait_for(self._submit(lambda c: forgetting.forget_one(c, what), alone=True))
            return part.told(scrubbed=await self._clean())
        part = await wait_for(self._submit(lambda c: forgetting.begin(c, what), alone=True))
        try:  # a few owners at once, so that others may write between them
            while not await wait_for(self._submit(lambda c: forgetting.forget_some(c, part), alone=True)):
                pass
        except BaseException:  # it is finished by the chores
            self._submit(lambda c: forgetting.release(c, part), alone=True)
            raise
        return part.told(scrubbed=await self._clean())

    async def traces(self, texts: Sequence[str], *, sample: bool = False) -> Sequence[Trace]:
        """Where texts are found that should be gone."""
        found: dict[int, set[str]] = {}
        if not self._memory:
            search = await wait_for(self._submit(lambda c: traces.Search(self._path, texts, sample=sample), alone=True))
            # A part at a time, so that others may write between them.
            while not await wait_for(self._submit(lambda c: search.step(_files.descriptor(self._path)), alone=True)):
                pass
            await wait_for(self._submit(lambda c: search.beside(), alone=True))
            found = search.found
        suspects = dict(enumerate(texts))
        if sample:  # those that others said too are told apart one by one, so not all of them are
            found = {i: found[i] for i in sorted(found)[: traces.SUSPECTS]}
            suspects = {i: texts[i] for i in found}
        rows = await self._read(lambda c: remaining.in_rows(c, suspects)) if suspects else {}
        if sample:
            return [Trace(text=i, where=tuple(sorted(found[i]))) for i in sorted(found) if i not in rows]
        return [
            Trace(text=i, where=tuple(sorted(rows[i] if i in rows else found[i])))
            for i in sorted(found.keys() | rows.keys())
        ]

    async def finish_scrub(self) -> bool:
        """Go on with erasures whose words may still be in a file."""
        while True:  # in slices, so that others may write between them
            before = self._sweep.page
            if await wait_for(self._submit(lambda c: self._scrub(c, sweeping.TICK_BYTES), alone=True)):
                return True
            if self._sweep.page == before:
                return False

    async def stats(self) -> Stats:
        """What the file holds."""
        return await self._read(lambda c: stats(c, self._path))


class _Running:
    """The threads of one process."""

    def __init__(
        self,
        pid: int,
        writer: Writer,
        readers: Pool[Reader],
        of_jobs: Pool[Reader],
        apart: Pool[Reader],
        leave: Callable[[], None],
        last: Callable[[Writer], None],
    ) -> None:
        self.of_jobs = of_jobs
        """Reads for jobs: the others are free for what is asked meanwhile."""
        self.apart = apart
        """Reads that take seconds."""
        self.pid, self.writer, self.readers, self.leave, self.last = pid, writer, readers, leave, last


def _end(running: _Running) -> None:
    running.readers.close()
    running.of_jobs.close()
    running.apart.close()
    running.last(running.writer)
    running.writer.close()
    running.leave()


def _shut(running: _Running, done: Future[None]) -> None:
    try:
        _end(running)
    except BaseException as error:
        settle(done, error)
    else:
        settle(done)


def _fold(text: Any) -> Any:
    return fold(text) if isinstance(text, str) else text
