"""Going back to a backup of an SQLite database, without bringing back what was erased since."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import apsw

from memoranda._bridge import run
from memoranda.errors import ConfigurationError, InvalidInput, MemoryNotFound, StoreBusy, StoreError, StoreUnreadable
from memoranda.moving.ended import end_again, ended_keys
from memoranda.moving.snapshot import copy, inspect, partial_file, put_in_place
from memoranda.records import now
from memoranda.scope import Owner
from memoranda.settings import Settings, resolve_database
from memoranda.stores.erasures import Forgetting, subject_key, subjects_of
from memoranda.stores.sql import auditing
from memoranda.stores.sql.unfinished import refuse_unfinished
from memoranda.stores.sqlite import SQLiteStore, schema
from memoranda.stores.sqlite.connection import connect, snapshot, translated

if TYPE_CHECKING:
    from memoranda.consent.forgetting import ErasureReceipt
    from memoranda.stores.sql.database import Connection

__all__ = ['RestoreReport', 'restore']

_ACTOR: Final = 'restore'
_IDS: Final = ('run_id', 'agent_id', 'app_id')
_FILE: Final = "SELECT value FROM meta WHERE key = 'file'"
_Tombstone = tuple[str, str, int, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """A backup that is in use again."""

    path: str
    replaced: str | None
    """Where the database is now that was there before."""
    owners: int
    memories: int
    episodes: int
    forgotten: int
    """Erasures that the backup didn't know of, and that were repeated in it."""
    unmatched: tuple[str, ...]
    """Ids of receipts that name nothing in the backup: what they erased came later, or was named by a filter."""


def restore(
    backup: str | os.PathLike[str],
    database: str | os.PathLike[str] | None = None,
    *,
    receipts: Sequence[ErasureReceipt] = (),
    settings: Settings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RestoreReport:
    """Put a copy of a backup in the place of a database. Blocks until it is done.

    Whoever was forgotten since the backup was made, by the tombstones of the database that is replaced or by receipts,
    is forgotten in the copy before anybody can use it. API keys that ended since stay ended. The database that was
    there is kept beside it.

    Args:
        backup: What `AsyncMemory.backup` made. It is only read.
        database: Where to; None: as for `AsyncMemory`.
        receipts: Of erasures since, also of single messages and memories.
        settings: None reads them.
        progress: Called as (pages copied, pages in all).

    Raises:
        StoreUnreadable: The backup is damaged, or no backup.
        StoreBusy: Some process still has the database open.
        InvalidInput: Both are the same file.
    """
    settings = settings or Settings()
    target = resolve_database(database, settings)
    if target.kind != 'sqlite' or isinstance(target.path, str):
        raise ConfigurationError(f'{target} is no SQLite file: use the tools of its server (docs/moving.md)')
    source, path = Path(os.path.abspath(os.path.expanduser(backup))), Path(os.path.realpath(target.path))
    if not source.is_file():
        raise StoreUnreadable(f'{source} does not exist: name the file that `memoranda backup` made')
    if path.exists() and source.samefile(path):
        raise InvalidInput(f'{path} is backup and database at once: name two files')
    file = _file_of(source)
    buried = _tombstones(path, file) if path.exists() else []
    ended = ended_keys(path) if path.exists() else []
    with partial_file(path, 'restoring') as partial:
        copy(str(source), str(partial), settings.busy_timeout, progress)
        run(_bring_up_to_date(partial))
        again, unmatched = _to_forget(partial, buried, receipts)
        run(_forget(partial, again))
        _bury(partial, buried)
        end_again(partial, ended)
        _, stats = inspect(partial, settings)
        replaced = _set_aside(path, settings.busy_timeout) if path.exists() else None
        put_in_place(partial, path)
    return RestoreReport(
        path=str(path),
        replaced=replaced,
        owners=stats.owners,
        memories=stats.memories,
        episodes=stats.episodes,
        forgotten=len(again),
        unmatched=unmatched,
    )


def _file_of(path: Path) -> str:
    """What all copies of a database share."""
    connection = connect(str(path), busy_timeout=5, durability='normal', create=False)
    try:
        with snapshot(connection, str(path)):
            found = connection.pragma('user_version')
            if not 0 < found <= schema.SCHEMA_VERSION:
                raise StoreUnreadable(
                    f'{path} has schema version {found}, and this memoranda knows 1 to {schema.SCHEMA_VERSION}: '
                    'upgrade memoranda, or name another file'
                )
            refuse_unfinished(connection, str(path))
            return connection.execute(_FILE).fetchone()[0]
    finally:
        connection.close()


async def _bring_up_to_date(path: Path) -> None:
    store = SQLiteStore(path)
    try:
        await store.open()
    finally:
        await store.close()


def _tombstones(path: Path, file: str) -> list[_Tombstone]:
    """Whom the database that is there knows to be forgotten."""
    try:
        connection = connect(str(path), busy_timeout=5, durability='normal', create=False)
    except StoreUnreadable as error:
        raise StoreError(
            f'{path} can not be read ({error.__cause__ or error}), so nobody knows who was forgotten since: move it '
            'away together with its -wal and -shm, and give the receipts of erasures'
        ) from error
    try:
        with snapshot(connection, str(path)):
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            if 'meta' in tables and connection.execute(_FILE).fetchone()[0] != file:
                raise InvalidInput(
                    f'{path} is another database than the one the backup was made of: move it away, or name another'
                )
            if 'tombstone' not in tables:  # of an older version, or empty
                return []
            return connection.execute('SELECT project, subject, erased_at, of_owner FROM tombstone').fetchall()
    finally:
        connection.close()


def _to_forget(
    partial: Path, buried: Sequence[_Tombstone], receipts: Sequence[ErasureReceipt]
) -> tuple[list[Forgetting], tuple[str, ...]]:
    """What is in the copy and was forgotten since, and the receipts that match nothing in it."""
    connection = connect(str(partial), busy_timeout=5, durability='normal', create=False)
    try:
        with snapshot(connection, str(partial)):
            known = {
                (project, subject): at
                for project, subject, at in connection.execute('SELECT project, subject, erased_at FROM tombstone')
            }
            wanted = {subject for project, subject, at, _ in buried if known.get((project, subject), -1) < at}
            wanted |= {receipt.subject for receipt in receipts}
            found = {subject: what for subject, what in _subjects(connection, receipts) if subject in wanted}
    finally:
        connection.close()
    return list(found.values()), tuple(receipt.id for receipt in receipts if receipt.subject not in found)


def _subjects(connection: Connection, receipts: Sequence[ErasureReceipt]) -> Iterator[tuple[str, Forgetting]]:
    """Everything in a database that can be forgotten, by what stands for it in tombstones and receipts."""
    secret = auditing.secret(connection)
    for project, kind, key, run_id, agent_id, app_id in connection.execute(
        'SELECT project, kind, key, NULL, NULL, NULL FROM owner UNION '
        'SELECT project, kind, key, e.run_id, e.agent_id, e.app_id FROM episode e JOIN owner o ON o.id = e.row >> 24 '
        'UNION SELECT o.project, o.kind, key, m.run_id, m.agent_id, m.app_id FROM memory m '
        'JOIN owner o ON o.id = m.owner'
    ):
        if kind in ('erased', 'import'):
            continue
        owner = Owner(project, kind, key)
        ids = {name: value for name, value in zip(_IDS, (run_id, agent_id, app_id), strict=True) if value is not None}
        yield from _parts(secret, owner, ids)
    asked = {receipt.asked for receipt in receipts}
    for what, sql in (
        ('message', 'SELECT e.id, o.project, o.kind, o.key FROM episode e JOIN owner o ON o.id = e.row >> 24'),
        ('memory', 'SELECT DISTINCT m.id, o.project, o.kind, o.key FROM memory m JOIN owner o ON o.id = m.owner'),
    ):
        for id_, project, kind, key in connection.execute(sql) if what in asked else ():
            whole = Forgetting(project=project, owner=Owner(project, kind, key), actor=_ACTOR)
            one = replace(whole, episode_id=id_) if what == 'message' else replace(whole, memory_id=id_)
            yield subject_key(secret, project, None, {}, what, id_), one


def _parts(secret: bytes, owner: Owner, ids: Mapping[str, str]) -> Iterator[tuple[str, Forgetting]]:
    """An owner and its project, each as a whole and under further ids: in the order of `subjects_of`."""
    names = [name for name in _IDS if name in ids]
    chosen = [{n: ids[n] for i, n in enumerate(names) if mask >> i & 1} for mask in range(1 << len(names))]
    what = [
        replace(
            Forgetting(project=owner.project, owner=whose, actor=_ACTOR),
            run_id=some.get('run_id'),
            agent_id=some.get('agent_id'),
            app_id=some.get('app_id'),
        )
        for whose in (owner, None)
        for some in chosen
    ]
    yield from zip(subjects_of(secret, owner, ids), what, strict=True)


async def _forget(partial: Path, again: Sequence[Forgetting]) -> None:
    store = SQLiteStore(partial)
    try:
        for what in sorted(again, key=lambda w: w.buries):  # single messages first, while their owners are there
            with contextlib.suppress(MemoryNotFound):  # it went with another
                await store.forget(what)
    finally:
        await store.close()


def _bury(partial: Path, buried: Sequence[_Tombstone]) -> None:
    """What was said before an erasure stays out, also of those who are not in the backup."""
    connection = connect(str(partial), busy_timeout=5, durability='normal', create=False)
    try:
        with translated(str(partial)):
            connection.execute('BEGIN IMMEDIATE')
            connection.executemany(
                'INSERT INTO tombstone(project, subject, erased_at, of_owner) VALUES(?, ?, ?, ?) '
                'ON CONFLICT(project, subject) DO UPDATE SET erased_at = excluded.erased_at '
                'WHERE tombstone.erased_at < excluded.erased_at',
                buried,
            )
            connection.execute('COMMIT')
    finally:
        connection.close()


def _set_aside(path: Path, busy_timeout: float) -> str:
    """Move a database that nobody has open, complete in one file."""
    connection = connect(str(path), busy_timeout=min(busy_timeout, 5.0), durability='normal', create=False)
    try:
        # Only who is alone with a file can end its log.
        mode = connection.execute('PRAGMA journal_mode = delete').fetchone()[0]
    except apsw.BusyError:
        mode = 'wal'
    finally:
        connection.close()
    if mode != 'delete':
        raise StoreBusy(f'{path} is open in another process: end what uses it, then restore again')
    kept = path.with_name(f'{path.name}.before-{now():%Y%m%dT%H%M%SZ}')
    if os.path.lexists(kept):
        raise StoreError(f'{kept} is there already: restore again in a second')
    path.rename(kept)
    return str(kept)
