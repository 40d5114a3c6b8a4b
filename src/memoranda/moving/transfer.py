"""Copying all rows of one database into another, of the same or of another kind.

All backends have the same tables, columns and row keys, so rows are copied as they are: table by table, in the order of
their keys, of one snapshot of the source. What was copied and how far is noted in the target in the transaction that
copies it, so a move that was cut off is gone on with. At the end each table is read on both sides and summed up;
whatever differs, because the source was written to between two runs, is copied anew.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from memoranda.errors import Conflict, InvalidInput, StoreError, StoreUnreadable
from memoranda.moving.ends import End, open_end
from memoranda.moving.snapshot import only_reading
from memoranda.moving.tables import Digest, Table, digest, names_of, pages, tables_of
from memoranda.records import now
from memoranda.settings import Settings
from memoranda.stores.sql.keys import SEQ_BITS
from memoranda.stores.sql.queue import settle
from memoranda.stores.sql.unfinished import MARK

if TYPE_CHECKING:
    from memoranda.stores.sql.database import Connection

__all__ = ['MigrateProgress', 'MigrationReport', 'fingerprint', 'migrate']

_NUMBERED: Final = ('owner', 'generation', 'scrub')
"""Tables whose next row gets a number that no row had before."""
_OPEN: Final = "state IN ('queued', 'running')"


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateProgress:
    """How far a move has come."""

    doing: str
    """`copying` or `comparing`."""
    table: str
    done: int
    """Rows of all tables."""
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationReport:
    """A move that is complete."""

    source: str
    target: str
    at: datetime
    """The target holds what had been written to the source then, and nothing later."""
    tables: dict[str, Digest]
    """The same on both sides."""
    rows: int
    resumed: bool
    written_since: bool
    """Whether the source was written to since: that is not in the target."""
    owners: int
    entries: int
    """Audit chains of the target and entries in them, all of which verify."""
    seconds: float


Told: TypeAlias = Callable[[MigrateProgress], None]


def migrate(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    settings: Settings | None = None,
    progress: Told | None = None,
) -> MigrationReport:
    """Copy everything from one database into another that holds nothing yet, and compare both. Blocks until it is done.

    The target can't be used by anybody else until it is complete. When a move was cut off, call this again.

    Args:
        source: A path or URL. It is only read.
        target: The same. A file or schema that is missing is made.
        settings: How to open them; None reads them.
        progress: Called after each batch of rows.

    Raises:
        StoreUnreadable: The source isn't there, or one of both is of another version.
        Conflict: The target holds something, or is being filled from another source.
        InvalidInput: Both are the same database.
    """
    settings = settings or Settings()
    begun = time.monotonic()
    give = open_end(source, settings, make=False)
    try:
        take = open_end(target, settings, make=True)
        try:
            if give.identity == take.identity:
                raise InvalidInput(f'{give.where} is source and target at once: name two databases')
            move = give.read(lambda c: _Move(give, take, c, progress).work())
            written = give.read(_clock) != move.clock
        finally:
            take.close()
    finally:
        give.close()
    owners, entries = _verify(target, settings)
    return MigrationReport(
        source=give.where,
        target=take.where,
        at=move.at,
        tables=move.digests,
        rows=sum(d.rows for d in move.digests.values()),
        resumed=move.resumed,
        written_since=written,
        owners=owners,
        entries=entries,
        seconds=time.monotonic() - begun,
    )


def fingerprint(database: str | os.PathLike[str], *, settings: Settings | None = None) -> dict[str, Digest]:
    """Sum up each table of a database, vectors and history included, whatever kind of database it is.

    Two databases with equal fingerprints hold the same. Leases of running jobs are left out, and so is what belongs to
    a database itself: its counters, erasures that its files still have to be swept of, and notes for an index.
    """
    end = open_end(database, settings or Settings(), make=False)
    try:
        return end.read(lambda c: {table.name: digest(c, table) for table in tables_of(c)})
    finally:
        end.close()


@dataclass(frozen=True, slots=True)
class _State:
    """What is noted in the target."""

    source: str
    file: str
    """Which database it is filled from."""
    done: tuple[str, ...] = ()
    """Tables that are copied."""
    table: str = ''
    """The one that is being copied."""
    after: tuple[Any, ...] | None = None
    """The key of the last of its rows that was."""

    def dump(self) -> str:
        return json.dumps({**asdict(self), 'after': self.after})

    @classmethod
    def read(cls, text: str) -> _State:
        found: dict[str, Any] = json.loads(text)
        after: list[Any] | None = found['after']
        done: list[str] = found['done']
        return cls(found['source'], found['file'], tuple(done), found['table'], None if after is None else tuple(after))


class _Move:
    """One run, in one snapshot of the source."""

    def __init__(self, give: End, take: End, source: Connection, progress: Told | None) -> None:
        self._give, self._take, self._source, self._progress = give, take, source, progress
        self.at = now()
        self.clock = _clock(source)
        self.resumed = False
        self.digests: dict[str, Digest] = {}
        self._tables = tables_of(source)
        self._state: _State = _State(give.where, _file(source))
        self._total = sum(table.count(source) for table in self._tables)
        self._done = 0

    def work(self) -> _Move:
        self._take.write(self._claim)
        for table in self._tables:
            if table.name not in self._state.done:
                self._copy(table)
            else:
                self._done += table.count(self._source)
        self._done = 0
        for table in self._tables:
            self._compare(table)
        self._take.write(self._finish)
        return self

    def _claim(self, target: Connection) -> None:
        found = target.execute('SELECT value FROM meta WHERE key = ?', (MARK,)).fetchone()
        if found is None:
            for table in ('owner', 'tombstone', 'generation'):
                if target.execute(f'SELECT count(*) FROM {table}').fetchone()[0]:
                    raise Conflict(
                        f'{self._take.where} holds memories already, and two databases are not mixed: name an empty '
                        'one, or export and import the subjects you want to add'
                    )
            target.execute('INSERT INTO meta(key, value) VALUES(?, ?)', (MARK, self._state.dump()))
            return
        state = _State.read(found[0])
        if state.file != self._state.file:
            raise Conflict(
                f'{self._take.where} is being filled from another database, {state.source}: finish that move, or name '
                'an empty target'
            )
        self._state, self.resumed = state, True

    def _copy(self, table: Table) -> None:
        """Copy a table, or what is left of it."""
        if self._state.table != table.name:
            self._step(lambda target: _make_room(target, table), table=table.name, after=None)
        for rows in pages(self._source, table, self._state.after):
            after = tuple(table.key_of(rows[-1]))
            self._step(lambda target, rows=rows: _insert(target, table, rows), after=after)
            self._tell('copying', table, len(rows))
        self._step(lambda target: None, done=(*self._state.done, table.name), table='', after=None)

    def _step(self, write: Callable[[Connection], None], **noted: Any) -> None:
        """Write something to the target, and note how far it is, unless somebody else has noted something meanwhile."""
        state = replace(self._state, **noted)

        def run(target: Connection) -> None:
            write(target)
            told = (state.dump(), MARK, self._state.dump())
            target.execute('UPDATE meta SET value = ? WHERE key = ? AND value = ?', told)
            self._check_alone(target)

        self._take.write(run)
        self._state = state

    def _check_alone(self, target: Connection) -> None:
        if target.changes() != 1:
            raise Conflict(f'another process is filling {self._take.where} too: let one of them do it')

    def _compare(self, table: Table) -> None:
        """Sum a table up on both sides; what differs is copied anew, once."""
        wanted = digest(self._source, table)
        if not self._holds(table, wanted):
            if self.resumed:  # the source was written to since the run before
                self._state = self._forgotten(table)
                self._copy(table)
            if not self.resumed or not self._holds(table, wanted):
                raise StoreError(
                    f'table {table.name} of {self._take.where} is not what was copied into it: somebody else writes to '
                    'it, or its disk fails; name an empty target'
                )
        self.digests[table.name] = wanted
        self._tell('comparing', table, wanted.rows)

    def _forgotten(self, table: Table) -> _State:
        state = replace(self._state, done=tuple(name for name in self._state.done if name != table.name))
        self._step(lambda target: None, done=state.done)
        return state

    def _holds(self, table: Table, wanted: Digest) -> bool:
        return self._take.read(lambda target: table.name in names_of(target) and digest(target, table) == wanted)

    def _finish(self, target: Connection) -> None:
        for name in names_of(target) - {table.name for table in self._tables}:
            target.execute(f'DROP TABLE {name}')  # of vectors that the source dropped between two runs
        _set_counters(target, {name: _next(self._source, name) for name in _NUMBERED}, self.clock)
        for (owner,) in target.execute(f'SELECT DISTINCT row >> {SEQ_BITS} FROM job WHERE {_OPEN}').fetchall():
            settle(target, (owner,))
        if target.dialect.name == 'postgresql':
            for table in self._tables:  # until somebody has counted, its planner takes each for a small one
                target.execute(f'ANALYZE "{table.name}"')
        target.execute('DELETE FROM meta WHERE key = ? AND value = ?', (MARK, self._state.dump()))
        self._check_alone(target)

    def _tell(self, doing: str, table: Table, rows: int) -> None:
        self._done += rows
        if self._progress is not None:
            total = max(self._total, self._done)
            self._progress(MigrateProgress(doing=doing, table=table.name, done=self._done, total=total))


def _make_room(target: Connection, table: Table) -> None:
    if table.dimensions is None:
        target.execute(f'DELETE FROM "{table.name}"{f" WHERE {table.only}" if table.only else ""}')
        return
    target.execute(f'DROP TABLE IF EXISTS {table.name}')
    target.execute(target.dialect.vector_table(table.name, table.dimensions))


def _insert(target: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    columns = ', '.join(f'"{column}"' for column in table.columns)
    if table.dimensions is not None:
        rows = [(row, target.dialect.pack(np.frombuffer(vector, dtype='<f4'))) for row, vector in rows]
    target.executemany(f'INSERT INTO "{table.name}"({columns}) VALUES({", ".join("?" * len(table.columns))})', rows)


def _clock(connection: Connection) -> int:
    return connection.execute(connection.dialect.counted).fetchone()[0]


def _file(connection: Connection) -> str:
    return str(connection.execute("SELECT value FROM meta WHERE key = 'file'").fetchone()[0])


def _next(connection: Connection, table: str) -> int:
    """The number that the next row of a table gets."""
    if connection.dialect.name == 'sqlite':
        found = connection.execute('SELECT seq FROM sqlite_sequence WHERE name = ?', (table,)).fetchone()
        return found[0] + 1 if found else 1
    sequence = _sequence(connection, table)
    last, called = connection.execute(f'SELECT last_value, is_called FROM {sequence}').fetchone()
    return last + 1 if called else last


def _sequence(connection: Connection, table: str) -> str:
    return connection.execute("SELECT pg_get_serial_sequence(?, 'id')", (table,)).fetchone()[0]


def _set_counters(connection: Connection, numbers: Mapping[str, int], clock: int) -> None:
    if connection.dialect.name == 'sqlite':
        connection.execute("UPDATE meta SET value = ? WHERE key = 'clock'", (clock,))
        connection.executemany('DELETE FROM sqlite_sequence WHERE name = ?', [(name,) for name in numbers])
        connection.executemany(
            'INSERT INTO sqlite_sequence(name, seq) VALUES(?, ?)', [(name, n - 1) for name, n in numbers.items()]
        )
        return
    connection.execute("SELECT setval('clock', ?, ?)", (max(clock, 1), clock > 0)).fetchall()
    for name, number in numbers.items():
        connection.execute(
            'SELECT setval(CAST(? AS regclass), ?, false)', (_sequence(connection, name), number)
        ).fetchall()


def _verify(target: str | os.PathLike[str], settings: Settings) -> tuple[int, int]:
    from memoranda import Memory

    with Memory(target, settings=only_reading(settings)) as memory:
        found = memory.verify(all_projects=True)
    if not found.ok:
        raise StoreUnreadable(
            f'{len(found.breaks)} audit chains are broken, as they are in the source: everything was copied; '
            '`memoranda verify` names them'
        )
    return found.owners, found.entries
