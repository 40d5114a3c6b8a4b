"""Opening the file, and again when another one is at its path; and the one writer."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar, cast

import apsw

from memoranda._precedence import is_for_job
from memoranda.errors import StoreBusy, StoreError, StoreFull, StoreUnreachable, StoreUnreadable, StoreUnwritable
from memoranda.stores.sql.database import Connection, Fetched, Rows
from memoranda.stores.sql.dialect import SQLITE

__all__ = [
    'APPLICATION_ID',
    'PAGE_SIZE',
    'Closed',
    'Durability',
    'Moved',
    'Reader',
    'Writer',
    'connect',
    'snapshot',
    'translated',
]

log = logging.getLogger('memoranda')
T = TypeVar('T')
Identity: TypeAlias = tuple[int, int]
_Item: TypeAlias = tuple[Future[Any], Callable[[Connection], Any], bool]
Durability = Literal['normal', 'full']

APPLICATION_ID = 0x4D454D4F  # 'MEMO': tells our files from other SQLite files
PAGE_SIZE = 16384
_GROUP = 64
_GROUP_OF_JOBS = 4
"""So few that a message to be stored doesn't wait long for their end."""
_MOST_PASSED_OVER = 4
"""Groups that go before those of jobs while these wait."""
IDLE_SECONDS = 2.0
_MEMORY = ':memory:'
_TRIES = 3
_LET_GO_MS = 1000
_BROKEN = (apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError, apsw.NotADBError, apsw.CorruptError)
"""After these a connection is not used again: what it holds open may be what is wrong."""


@contextmanager
def translated(path: str) -> Generator[None]:
    """Turn SQLite's errors into ours, naming the file, the reason and the fix."""
    try:
        yield
    except (apsw.BusyError, apsw.LockedError, apsw.ProtocolError) as error:
        raise StoreBusy(
            f'{path} stayed locked by another process past the busy timeout: '
            'end the process that holds it, or raise MEMORANDA_BUSY_TIMEOUT'
        ) from error
    except apsw.FullError as error:
        raise StoreFull(f'{path}: the disk is full, nothing of this operation was kept: free some space') from error
    except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError) as error:
        raise StoreUnwritable(
            f'{path} cannot be opened for writing ({error}): check that the folder exists, that this user may write '
            'to it, and that the file system is not read-only, or name another file in MEMORANDA_DATABASE'
        ) from error
    except apsw.NotADBError as error:
        raise StoreUnreadable(f'{path} is not an SQLite database: name another file, or move this one away') from error
    except apsw.CorruptError as error:
        raise StoreUnreadable(f'{path} is damaged ({error}): restore it from a backup') from error
    except apsw.IOError as error:
        raise StoreUnreachable(
            f'{path}: reading or writing failed ({error}): check the disk and its free space'
        ) from error
    except (apsw.TooBigError, apsw.NoMemError) as error:
        raise StoreError(f'{path}: a value was too large ({error}): store less text at once') from error
    except apsw.Error as error:
        raise StoreError(f'{path}: SQLite refused ({error}): check the file with `memoranda doctor`') from error


class _Connection(apsw.Connection):
    """With what the statements of all SQL backends ask a connection for."""

    dialect = SQLITE
    skew_us = 0
    """Processes that share a file share a clock."""
    violations = (apsw.ConstraintError,)

    def ask(self, statement: str, values: Sequence[Any] = (), /) -> Rows:
        """Run a statement to its end: one that is left in the middle would hold its snapshot."""
        return Fetched(self.execute(statement, values).fetchall())

    def last(self) -> None:
        """Nothing: a snapshot ends without a journey."""

    def ending(self, means: Callable[[], Exception], /) -> None:
        """Nothing: what violates a constraint was told at once."""

    def settle(self) -> None:
        """Nothing: a statement was done when it was executed."""

    def durably(self, function: Callable[[Connection], T]) -> T:
        """Run a function in a transaction that survives a loss of power, whatever the setting.

        Outside a transaction only: SQLite takes no other setting inside one.
        """
        connection = cast('Connection', self)
        before: int = connection.pragma('synchronous')
        connection.pragma('synchronous', 2)
        try:
            connection.execute('BEGIN IMMEDIATE')
            try:
                result = function(connection)
                connection.execute('COMMIT')
            except BaseException:
                if connection.in_transaction:
                    connection.execute('ROLLBACK')
                raise
        finally:
            connection.pragma('synchronous', before)
        return result


def connect(path: str, *, busy_timeout: float, durability: Durability, create: bool = True) -> Connection:
    """A connection with every setting read back.

    Raises:
        StoreError: The path can't be used, or the file isn't ours.
    """
    _check_path(path)
    with translated(path):
        flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
        connection = cast('Connection', _Connection(path, flags=flags))
        try:
            connection.set_busy_timeout(int(busy_timeout * 1000))
            _check_ours(connection, path)
            _to_wal(connection, path, time.monotonic() + busy_timeout)
            _pragma(connection, 'synchronous', {'normal': 1, 'full': 2}[durability])
            _pragma(connection, 'secure_delete', 1)
            _pragma(connection, 'foreign_keys', 1)
            _pragma(connection, 'cache_size', -32768)
            _pragma(connection, 'temp_store', 2)
        except BaseException:
            connection.close()
            raise
    return connection


def _to_wal(connection: Connection, path: str, deadline: float) -> None:
    # Of several that turn a new file into a WAL file at once, SQLite tells all but one that it is busy, and doesn't
    # wait before it says so.
    while True:
        try:
            _pragma(connection, 'journal_mode', 'wal', expect='memory' if path == _MEMORY else 'wal')
            return
        except apsw.BusyError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.005)


def _check_path(path: str) -> None:
    if path == _MEMORY:
        return
    folder = Path(path).parent
    if os.path.isdir(path):  # unlike those of Path, these raise nothing where one may not look
        raise StoreUnwritable(f'{path} is a folder: name a file in it, for example {path}/memoranda.db')
    if not os.path.exists(folder):
        try:
            folder.mkdir(parents=True, mode=0o700)
        except OSError as error:
            raise StoreUnwritable(
                f'{folder} cannot be created ({error.strerror}): create it, or name another file in MEMORANDA_DATABASE'
            ) from error
    if not os.path.exists(path):
        # A new file holds what people told their agents: nobody else on this machine may read it.
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise StoreUnwritable(
                f'{path} cannot be created ({error.strerror}): check the folder, or name another in MEMORANDA_DATABASE'
            ) from error


def _check_ours(connection: Connection, path: str) -> None:
    pages = _value(connection, 'PRAGMA page_count')
    if pages == 0:
        _pragma(connection, 'page_size', PAGE_SIZE)
        return
    application = _value(connection, 'PRAGMA application_id')
    if application != APPLICATION_ID:
        # A process that creates the same file at this moment has not written its mark yet.
        if application == 0 and _value(connection, 'SELECT count(*) FROM sqlite_schema') == 0:
            return
        # Between these two looks it may have: mark and tables come in one transaction.
        application = _value(connection, 'PRAGMA application_id')
    if application != APPLICATION_ID:
        raise StoreUnreadable(
            f'{path} is an SQLite database of another program (application_id {application}): name another file'
        )


def _pragma(connection: Connection, name: str, value: str | int, *, expect: str | int | None = None) -> None:
    # One statement per call: apsw stops a multi-statement execute at the first row a PRAGMA returns.
    list(connection.execute(f'PRAGMA {name} = {value}'))
    found = _value(connection, f'PRAGMA {name}')
    if found != (value if expect is None else expect):
        raise StoreError(f'PRAGMA {name} is {found!r} instead of {value!r}: this SQLite cannot hold a memoranda file')


def _value(connection: Connection, sql: str) -> Any:
    for row in connection.execute(sql):
        return row[0]
    return None


class Closed(StoreError):
    """The writer was closed."""


class Moved(StoreError):
    """The file at the path is not the one that the writer has open."""


def _identity(path: str) -> Identity | None:
    """Which file is at a path; None when there is none. The number of one that is open is given to no other."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def snapshot(connection: Connection, path: str) -> Generator[Connection]:
    """One read transaction."""
    with translated(path):
        connection.execute('BEGIN')
        try:
            yield connection
        finally:
            if connection.in_transaction:
                connection.execute('ROLLBACK')


class Reader:
    """A connection that reads, on its own thread. It follows the writer when another file is at the path.

    Args:
        path: Where the file is.
        make: Opens it.
        writer: Has opened it before, and so made and migrated it.
    """

    def __init__(self, path: str, make: Callable[[], Connection], writer: Writer) -> None:
        self._path, self._make, self._writer = path, make, writer
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._opened: Identity | None = None
        writer.readers.append(self)

    @contextmanager
    def snapshot(self) -> Generator[Connection]:
        """One read transaction.

        Raises:
            Moved: The writer has to open the file first.
        """
        with self._lock:
            found = _identity(self._path)
            if found is None or found != self._writer.opened:
                raise Moved(f'{self._path} is not open yet, or was replaced: it is opened now')
            if self._opened != found:
                self._drop()
            if self._connection is None:
                self._connection, self._opened = self._make(), found
            try:
                with snapshot(self._connection, self._path):
                    yield self._connection
            except StoreError as error:
                if isinstance(error.__cause__, _BROKEN):
                    self._drop()
                raise

    def close(self) -> None:
        """Close it, once what is read is read; the next snapshot opens it again."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        connection, self._connection, self._opened = self._connection, None, None
        if connection is not None:
            _drop(connection)


class Writer:
    """The one thread of this process that writes, with group commit.

    Functions that wait together run in one transaction, each behind a savepoint, so one that fails takes back only
    itself. Those of jobs run after the others and fewer at once. Futures resolve after the commit.
    """

    def __init__(
        self,
        path: str,
        make: Callable[[], Connection],
        *,
        idle: Callable[[Connection], None],
        moved: Callable[[], None] = lambda: None,
    ) -> None:
        self._path, self._make, self._idle, self._on_move = path, make, idle, moved
        self.opened: Identity | None = None
        """Which file it has open."""
        self.readers: list[Reader] = []
        self._beside: dict[str, Identity | None] = {}
        self._ready = threading.Condition()
        self._first: deque[_Item] = deque()
        self._of_jobs: deque[_Item] = deque()
        self._passed_over = 0
        self._thread: threading.Thread | None = None
        self._closed = False
        self._broken = False

    def submit(self, function: Callable[[Connection], T], *, alone: bool = False) -> Future[T]:
        """Queue a function; `alone` runs it outside a transaction (a checkpoint, a reopening)."""
        future: Future[T] = Future()
        with self._ready:
            if self._closed:
                raise Closed(f'{self._path} is closed: open a new Memory')
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name='memoranda-writer', daemon=True)
                self._thread.start()
            (self._of_jobs if is_for_job() else self._first).append((future, function, alone))
            self._ready.notify()
        return future

    def close(self) -> None:
        """Commit what is queued and end the thread."""
        with self._ready:
            if self._closed:
                return
            self._closed = True
            thread = self._thread
            self._ready.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _take(self, until: float) -> list[_Item] | None:
        """What to write next: nothing when nothing came until then, None when it was closed and all is written."""
        with self._ready:
            while not self._first and not self._of_jobs:
                left = until - time.monotonic()
                if self._closed:
                    return None
                if left <= 0:
                    return []
                self._ready.wait(left)
            # Jobs come last, but they do come, however much is asked.
            passed_over = self._passed_over >= _MOST_PASSED_OVER
            if self._first and not (self._of_jobs and passed_over):
                self._passed_over += bool(self._of_jobs)
                return [self._first.popleft() for _ in range(min(len(self._first), _GROUP))]
            self._passed_over = 0
            return [self._of_jobs.popleft() for _ in range(min(len(self._of_jobs), _GROUP_OF_JOBS))]

    def _rest(self, connection: Connection) -> None:
        try:
            self._idle(connection)
        except Exception as error:  # without this thread everybody who writes waits for ever
            log.warning('%s: chores failed (%s)', self._path, type(error).__name__)

    def _work(self) -> None:
        connection: Connection | None = None
        chores = time.monotonic() + IDLE_SECONDS
        while (taken := self._take(chores)) is not None:
            batch = [item for item in taken if item[0].set_running_or_notify_cancel()]
            if batch:
                connection = self._do(connection, batch)
            if time.monotonic() >= chores and not self._closed:  # also when it is never quiet
                if connection is not None:
                    self._rest(connection)
                chores = time.monotonic() + IDLE_SECONDS
        if connection is not None:
            if self._is_elsewhere():
                self._let_go(connection)
            else:
                _drop(connection)

    def _do(self, connection: Connection | None, batch: list[_Item]) -> Connection | None:
        """Run what waited. Returns the connection to go on with."""
        try:
            if connection is not None and self._is_elsewhere():
                self._let_go(connection)
                connection = None
            if connection is None:
                connection = self._open()
            self._run(connection, batch)
        except BaseException as error:
            _fail(batch, error)
        if connection is not None and self._broken:
            _drop(connection)
            connection = None
        self._broken = False
        return connection

    def _open(self) -> Connection:
        for _ in range(_TRIES):
            before = _identity(self._path)
            connection = self._make()
            found = _identity(self._path)
            # In between it may have been made, but not have become another one.
            if self._path == _MEMORY or (found is not None and before in (found, None)):
                self.opened = found
                self._beside = {path: _identity(path) for path in (f'{self._path}-wal', f'{self._path}-shm')}
                return connection
            connection.close()
        raise StoreUnreachable(f'{self._path} is replaced again and again: leave it in its place')

    def _is_elsewhere(self) -> bool:
        return self._path != _MEMORY and _identity(self._path) != self.opened

    def _let_go(self, connection: Connection) -> None:
        """Close a file that was replaced, moved or deleted, complete in itself wherever it is now."""
        log.warning('%s was replaced, moved or deleted while it was open: what is there now is opened', self._path)
        self.opened = None
        for reader in self.readers:
            reader.close()
        with contextlib.suppress(apsw.Error):
            connection.set_busy_timeout(_LET_GO_MS)
            connection.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchall()
        _drop(connection)
        for path, known in self._beside.items():
            # SQLite would take the log of the one file for that of the other, and write it into that.
            if known is not None and _identity(path) == known:
                with contextlib.suppress(OSError):
                    os.unlink(path)
        self._on_move()

    def _run(self, connection: Connection, batch: list[_Item]) -> None:
        together: list[_Item] = []
        for item in batch:
            if not item[2]:
                together.append(item)
                continue
            self._commit(connection, together)
            together = []
            try:
                with translated(self._path):
                    result = item[1](connection)
            except BaseException as error:
                self._look_at(error)
                item[0].set_exception(error)
            else:
                item[0].set_result(result)
        self._commit(connection, together)

    def _look_at(self, error: BaseException) -> None:
        self._broken = self._broken or isinstance(error.__cause__, _BROKEN)

    def _commit(self, connection: Connection, batch: list[_Item]) -> None:
        if not batch:
            return
        done: list[tuple[Future[Any], Any]] = []
        failed: list[tuple[Future[Any], BaseException]] = []
        try:
            with translated(self._path):
                connection.execute('BEGIN IMMEDIATE')
                for future, function, _ in batch:
                    connection.execute('SAVEPOINT one')
                    try:
                        with translated(self._path):
                            result = function(connection)
                    except BaseException as error:
                        if connection.in_transaction:
                            connection.execute('ROLLBACK TO one')
                            connection.execute('RELEASE one')
                            self._look_at(error)
                            failed.append((future, error))
                            continue
                        raise  # SQLite gave up the whole transaction (a full disk, an I/O error)
                    connection.execute('RELEASE one')
                    done.append((future, result))
                connection.execute('COMMIT')
        except BaseException as error:
            self._look_at(error)
            if connection.in_transaction:
                with contextlib.suppress(apsw.Error):
                    connection.execute('ROLLBACK')
            _fail(batch, error)
            return
        for future, result in done:
            future.set_result(result)
        for future, error in failed:
            future.set_exception(error)


def _drop(connection: Connection) -> None:
    with contextlib.suppress(apsw.Error):
        connection.close()


def _fail(batch: list[_Item], error: BaseException) -> None:
    for future, _, _ in batch:
        if not future.done():
            future.set_exception(error)
