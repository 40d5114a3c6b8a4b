"""A copy of an SQLite database, made while others read and write it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import apsw

from memoranda._bridge import wait_for
from memoranda._threads import settle
from memoranda.errors import ConfigurationError, InvalidInput, StoreError, StoreUnreadable, StoreUnwritable, shown
from memoranda.records import now
from memoranda.stores.sharding import ShardedStore
from memoranda.stores.sqlite import SQLiteStore
from memoranda.stores.sqlite.connection import connect, translated

if TYPE_CHECKING:
    from memoranda.consent.audit import Verification
    from memoranda.engine import Engine
    from memoranda.settings import Settings
    from memoranda.stores.base import Store
    from memoranda.stores.data import Stats

__all__ = ['BackupReport', 'backup', 'copy', 'inspect', 'only_reading', 'partial_file', 'put_in_place']

_PAGES: Final = 256
"""Copied in one step: 4 MiB. Between two steps the copying can be told of, and interrupted."""
_DATABASE_MODE: Final = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """A backup that was made and checked."""

    path: str
    source: str
    at: datetime
    """It holds what had been written then, and nothing later."""
    bytes: int
    schema_version: int
    owners: int
    memories: int
    episodes: int
    entries: int
    """Entries of audit chains, all of which verify."""
    seconds: float


async def backup(
    engine: Engine, target: str | os.PathLike[str], *, progress: Callable[[int, int], None] | None = None
) -> BackupReport:
    """Copy a database and check the copy. See `AsyncMemory.backup`."""
    source = _path_of(engine.store)
    await engine.store.open()
    done: Future[None] = Future()
    made: list[BackupReport] = []

    def work() -> None:
        try:
            made.append(_make(source, target, engine.settings, progress))
        except BaseException as error:
            settle(done, error)
        else:
            settle(done)

    # On a thread of its own: it may take minutes, and others need theirs.
    threading.Thread(target=work, name='memoranda-backup', daemon=True).start()
    await wait_for(done)
    return made[0]


def _make(
    source: str, target: str | os.PathLike[str], settings: Settings, progress: Callable[[int, int], None] | None
) -> BackupReport:
    begun = time.monotonic()
    path = _target(target, source)
    with partial_file(path, 'partial') as partial:
        at = copy(source, str(partial), settings.busy_timeout, progress)
        found, stats = inspect(partial, settings)
        put_in_place(partial, path)
    return BackupReport(
        path=str(path),
        source=source,
        at=at,
        bytes=path.stat().st_size,
        schema_version=stats.schema_version,
        owners=stats.owners,
        memories=stats.memories,
        episodes=stats.episodes,
        entries=found.entries,
        seconds=time.monotonic() - begun,
    )


def inspect(path: Path, settings: Settings) -> tuple[Verification, Stats]:
    """Check a file that nobody else uses: its pages, its audit chains, and that no erased words are left in it.

    Raises:
        StoreUnreadable: Something is wrong with it.
    """
    from memoranda import Memory

    with Memory(store=SQLiteStore(path), settings=only_reading(settings)) as memory:
        memory.finish_erasure()  # of what was being erased when it was copied
        found = memory.verify(all_projects=True)
        stats = memory.stats()
    problems = _problems(path)
    if problems or not found.ok:
        first = problems[0] if problems else f'{len(found.breaks)} broken audit chains, see `memoranda verify`'
        raise StoreUnreadable(f'{path} is damaged ({first}): the source is too, or the disk failed; it was not kept')
    return found, stats


def only_reading(settings: Settings) -> Settings:
    """Settings to look at a database with, without a model, an embedder of anybody else's, or background work."""
    none = dict.fromkeys(('embedder', 'next_embedder', 'index', 'model'))
    return settings.model_copy(update={**none, 'workers': 0, 'errors': 'raise'})


def _problems(path: Path) -> list[str]:
    with translated(str(path)):
        connection = connect(str(path), busy_timeout=5, durability='normal', create=False)
        try:
            rows: list[tuple[str]] = connection.execute('PRAGMA integrity_check(5)').fetchall()
        finally:
            connection.close()
    return [row[0] for row in rows if row[0] != 'ok']


def _path_of(store: Store) -> str:
    if isinstance(store, SQLiteStore):
        if store.location == ':memory:':
            raise ConfigurationError(
                "':memory:' lives in this process alone and can't be backed up: use a file, or export each subject"
            )
        return store.location
    if isinstance(store, ShardedStore):
        raise ConfigurationError(
            f'{store.location} are shards, and a backup is of one database: back up one after the other, each by its '
            'own name (docs/sharding.md)'
        )
    url, _, schema = store.location.partition('?schema=')
    raise ConfigurationError(
        f'{url} is backed up by its own tools, which know it best: run pg_dump --format=custom '
        f'--schema={schema or "memoranda"} --file=memoranda.dump {url}, and pg_restore --no-owner to get it back '
        '(docs/moving.md)'
    )


def _target(given: str | os.PathLike[str], source: str) -> Path:
    text = str(os.fspath(given))
    if not text.strip() or '\0' in text:
        raise InvalidInput(f'target={shown(text)} is no path: name a file that does not exist yet, or a folder')
    path = Path(os.path.abspath(os.path.expanduser(text)))
    if path.is_dir():
        path /= f'{Path(source).stem}-{now():%Y%m%dT%H%M%SZ}.db'
    if os.path.lexists(path):
        raise InvalidInput(f'{path} is there already, and a backup overwrites nothing: name another file')
    if not path.parent.is_dir():
        raise StoreUnwritable(f'{path.parent} is no folder: create it, or name another place')
    return path


@contextmanager
def partial_file(path: Path, ending: str) -> Generator[Path]:
    """The file to write to, readable by its owner only; gone afterwards, however it ends."""
    partial = path.with_name(f'{path.name}.{ending}')
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR, _DATABASE_MODE))
    except FileExistsError as error:
        raise StoreUnwritable(
            f'{partial} is there already: another backup is under way, or one was cut off; remove it if none is'
        ) from error
    except OSError as error:
        raise StoreUnwritable(f'{partial} cannot be created ({error.strerror}): name another place') from error
    try:
        yield partial
    finally:
        for left in (partial, Path(f'{partial}-wal'), Path(f'{partial}-shm'), Path(f'{partial}-journal')):
            with contextlib.suppress(OSError):
                left.unlink()


def copy(source: str, partial: str, busy_timeout: float, progress: Callable[[int, int], None] | None) -> datetime:
    """Copy all pages of one snapshot. Returns its moment."""
    connection: Any = connect(source, busy_timeout=busy_timeout, durability='normal', create=False)
    try:
        with translated(source):
            # A read transaction around all steps: else each write of somebody else would start the copy anew.
            connection.execute('BEGIN')
            connection.execute('SELECT count(*) FROM generation').fetchone()
            at = now()
        with translated(partial):
            into = apsw.Connection(partial, flags=apsw.SQLITE_OPEN_READWRITE)
            try:
                _step(cast('apsw.Connection', connection), into, progress)
            finally:
                into.close()
    finally:
        connection.close()
    return at


def _step(connection: apsw.Connection, into: apsw.Connection, progress: Callable[[int, int], None] | None) -> None:
    with into.backup('main', connection, 'main') as copying:
        while not copying.done:
            copying.step(_PAGES)
            if progress is not None:
                progress(copying.page_count - copying.remaining, copying.page_count)


def put_in_place(partial: Path, path: Path) -> None:
    """Give a file that is complete its name, durably."""
    with partial.open('rb+') as file:
        os.fsync(file.fileno())
    try:
        os.link(partial, path)  # which overwrites nothing
    except FileExistsError as error:
        raise InvalidInput(f'{path} was made by somebody else meanwhile: name another file') from error
    except OSError:  # a file system without links
        if os.path.lexists(path):
            raise InvalidInput(f'{path} was made by somebody else meanwhile: name another file') from None
        try:
            partial.rename(path)
        except OSError as error:
            raise StoreError(f'{path} cannot be written ({error.strerror}): name another place') from error
    if os.name == 'posix':
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
