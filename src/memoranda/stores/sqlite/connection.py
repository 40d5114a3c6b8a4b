"""Opening the file, and the one writer."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar, cast

import apsw

from memoranda._precedence import is_for_job
from memoranda.errors import StoreBusy, StoreError, StoreFull, StoreUnreadable, StoreUnwritable
from memoranda.stores.sqlite.database import Connection

__all__ = ['APPLICATION_ID', 'PAGE_SIZE', 'Closed', 'Durability', 'Writer', 'connect', 'translated']

T = TypeVar('T')
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


@contextmanager
def translated(path: str) -> Generator[None]:
    """Turn SQLite's errors into ours, naming the file, the reason and the fix."""
    try:
        yield
    except (apsw.BusyError, apsw.LockedError) as error:
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
        raise StoreError(f'{path}: reading or writing failed ({error}): check the disk and its free space') from error
    except (apsw.TooBigError, apsw.NoMemError) as error:
        raise StoreError(f'{path}: a value was too large ({error}): store less text at once') from error
    except apsw.Error as error:
        raise StoreError(f'{path}: SQLite refused ({error}): check the file with `memoranda doctor`') from error


def connect(path: str, *, busy_timeout: float, durability: Durability, create: bool = True) -> Connection:
    """A connection with every setting read back.

    Raises:
        StoreError: The path can't be used, or the file isn't ours.
    """
    _check_path(path)
    with translated(path):
        flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
        connection = cast('Connection', apsw.Connection(path, flags=flags))
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
            _pragma(connection, 'journal_mode', 'wal', expect='memory' if path == ':memory:' else 'wal')
            return
        except apsw.BusyError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.005)


def _check_path(path: str) -> None:
    if path == ':memory:':
        return
    folder = Path(path).parent
    if Path(path).is_dir():
        raise StoreUnwritable(f'{path} is a folder: name a file in it, for example {path}/memoranda.db')
    if not folder.exists():
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


class Writer:
    """The one thread of this process that writes, with group commit.

    Functions that wait together run in one transaction, each behind a savepoint, so one that fails takes back only
    itself. Those of jobs run after the others and fewer at once. Futures resolve after the commit.
    """

    def __init__(self, path: str, make: Callable[[], Connection], *, idle: Callable[[Connection], None]) -> None:
        self._path, self._make, self._idle = path, make, idle
        self._ready = threading.Condition()
        self._first: deque[_Item] = deque()
        self._of_jobs: deque[_Item] = deque()
        self._passed_over = 0
        self._thread: threading.Thread | None = None
        self._closed = False

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

    def _work(self) -> None:
        connection: Connection | None = None
        chores = time.monotonic() + IDLE_SECONDS
        while (taken := self._take(chores)) is not None:
            batch = [item for item in taken if item[0].set_running_or_notify_cancel()]
            try:
                if connection is None and batch:
                    connection = self._make()
                if connection is not None:
                    self._run(connection, batch)
            except BaseException as error:
                _fail(batch, error)
            if time.monotonic() >= chores and not self._closed:  # also when it is never quiet
                if connection is not None:
                    self._idle(connection)
                chores = time.monotonic() + IDLE_SECONDS
        if connection is not None:
            with translated(self._path):
                connection.close()

    def _run(self, connection: Connection, batch: list[tuple[Future[Any], Callable[..., Any], bool]]) -> None:
        together: list[tuple[Future[Any], Callable[..., Any], bool]] = []
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
                item[0].set_exception(error)
            else:
                item[0].set_result(result)
        self._commit(connection, together)

    def _commit(self, connection: Connection, batch: list[tuple[Future[Any], Callable[..., Any], bool]]) -> None:
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
                            failed.append((future, error))
                            continue
                        raise  # SQLite gave up the whole transaction (a full disk, an I/O error)
                    connection.execute('RELEASE one')
                    done.append((future, result))
                connection.execute('COMMIT')
        except BaseException as error:
            if connection.in_transaction:
                connection.execute('ROLLBACK')
            _fail(batch, error)
            return
        for future, result in done:
            future.set_result(result)
        for future, error in failed:
            future.set_exception(error)


def _fail(batch: list[tuple[Future[Any], Callable[..., Any], bool]], error: BaseException) -> None:
    for future, _, _ in batch:
        if not future.done():
            future.set_exception(error)
