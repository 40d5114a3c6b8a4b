"""What a database does for a vector index elsewhere: notes of rows that change, and what there is of them.

Triggers write the notes, so they are part of the transaction that changes a row, whatever part of the program it is in
and whether or not that process knows of the index. A note is a row key and nothing else: who sees to it looks at the
row as it is then, and writes or deletes its point. So neither the order of notes matters, nor seeing to one twice.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Protocol, TypeVar

import numpy as np

from memoranda.lanes import LaneName
from memoranda.records import now
from memoranda.scope import Reach
from memoranda.stores.generation import Generation
from memoranda.stores.index import Collection, Ground, IndexPoint, Noted, Part, Words
from memoranda.stores.leases import holder_is_gone
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import SEQ_BITS, vector_tables
from memoranda.stores.sql.locks import hold_name
from memoranda.stores.sql.rows import find_owner, row_range, to_us, within
from memoranda.stores.sql.writing import current_generation, term_key

__all__ = ['SqlIndexSource', 'run_hash', 'watch', 'word_keys']

T = TypeVar('T')
_LANES: Final[tuple[LaneName, ...]] = ('memories', 'episodes')
_FREE: Final = json.dumps(['', 0])
_DONE: Final = 'done'
_LOCK: Final = 'index'
_WORD_BITS: Final = 0xFFFFFFFF


class _Runs(Protocol):
    """Runs a function in one snapshot, or in one transaction."""

    def __call__(self, function: Callable[[Connection], T], /) -> Awaitable[T]: ...


class SqlIndexSource:
    """See `memoranda.stores.index.IndexSource`.

    Args:
        read: Runs a function in one snapshot.
        write: Runs a function in a transaction.
    """

    def __init__(self, read: _Runs, write: _Runs) -> None:
        self._read, self._write = read, write

    async def attach(self) -> str:
        """From now on note which rows change."""
        found = await self._read(_name)
        return found if found is not None else await self._write(_attach)

    async def detach(self) -> str | None:
        """Note nothing any more."""
        return await self._write(_detach)

    async def ground(self, reaches: Sequence[Reach], *, most: int) -> Ground:
        """What a search within reach has to know."""
        return await self._read(lambda c: _ground(c, reaches, most))

    async def generations(self) -> Sequence[Generation]:
        """The generations whose vectors an index shall hold."""
        return await self._read(_generations)

    async def has_work(self) -> bool:
        """Whether something is noted, or is to be."""
        return await self._read(_has_work)

    async def take(self, worker: str, *, lease_seconds: float, limit: int) -> Noted | None:
        """Take the turn at what is noted."""
        return await self._write(lambda c: _take(c, worker, lease_seconds, limit))

    async def points(
        self, generation: Generation, rows: Sequence[int], *, words: Callable[[str], Sequence[str]] | None = None
    ) -> list[IndexPoint]:
        """What an index shall hold of these rows."""
        return await self._read(lambda c: _points(c, generation, rows, words))

    async def settle(self, noted: Noted) -> None:
        """These were seen to."""
        await self._write(lambda c: _settle(c, noted))

    async def release(self, worker: str) -> None:
        """Give the turn back."""
        await self._write(lambda c: _release(c, worker))

    async def note_all(self, generation: Generation, *, limit: int) -> bool:
        """Note so many rows of a generation that was never noted."""
        return await self._write(lambda c: _note_all(c, generation, limit))

    async def begin_anew(self, generation: Generation) -> None:
        """All rows of a generation are to be noted again."""
        await self._write(lambda c: c.execute('DELETE FROM index_state WHERE key = ?', (_mark(generation.id),)))

    async def note(self, rows: Sequence[int]) -> None:
        """Note these."""
        await self._write(lambda c: _note(c, rows))

    async def waiting(self) -> int:
        """How many notes there are."""
        return await self._read(lambda c: c.execute('SELECT count(*) FROM index_log').fetchone()[0])

    async def noted(self, rows: Sequence[int]) -> set[int]:
        """Those of some rows that are noted."""
        return await self._read(lambda c: {r for (r,) in within(c, 'SELECT row FROM index_log WHERE row', rows)})

    async def page(self, generation: Generation, *, after: int, limit: int) -> list[int]:
        """Row keys an index shall hold."""
        return await self._read(lambda c: _page(c, generation, after, limit))

    async def held(self, generation: Generation, rows: Sequence[int]) -> set[int]:
        """Those of some rows that an index shall hold."""
        return await self._read(
            lambda c: {r for sql in _held(generation) for (r,) in within(c, f'SELECT v.row {sql} AND v.row', rows)}
        )

    async def expected(self, generation: Generation) -> int:
        """How many rows an index shall hold."""
        return await self._read(
            lambda c: sum(c.execute(f'SELECT count(*) {sql}').fetchone()[0] for sql in _held(generation))
        )


def _name(connection: Connection) -> str | None:
    """The database's name, if notes are taken in it."""
    if connection.dialect.name == 'sqlite':
        there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'index_state'").fetchone()
    else:
        there = connection.execute("SELECT 1 WHERE to_regclass('index_state') IS NOT NULL").fetchone()
    if there is None:
        return None
    found = connection.execute("SELECT value FROM index_state WHERE key = 'store'").fetchone()
    return found[0] if found else None


def _attach(connection: Connection) -> str:
    hold_name(connection, _LOCK)
    found = _name(connection)
    if found is not None:  # somebody else just did
        return found
    sqlite = connection.dialect.name == 'sqlite'
    number = 'INTEGER PRIMARY KEY AUTOINCREMENT' if sqlite else 'BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY'
    connection.execute(f'CREATE TABLE index_log(id {number}, row BIGINT NOT NULL)')
    connection.execute('CREATE INDEX index_log_row ON index_log(row)')
    connection.execute('CREATE TABLE index_state(key TEXT PRIMARY KEY, value TEXT NOT NULL)')
    name = secrets.token_hex(6)
    connection.executemany('INSERT INTO index_state VALUES(?, ?)', [('store', name), ('lease', _FREE)])
    if not sqlite:
        for event, row in (('written', 'NEW'), ('deleted', 'OLD')):
            connection.execute(
                f'CREATE OR REPLACE FUNCTION index_{event}() RETURNS trigger LANGUAGE plpgsql AS '
                f"'BEGIN INSERT INTO index_log(row) VALUES({row}.row); RETURN NULL; END'"
            )
    _trigger(connection, 'memory', 'UPDATE OF live', when='NEW.live <> OLD.live')
    for table in ('memory', 'segment'):
        _trigger(connection, table, 'DELETE')
    for generation in _generations(connection):
        _watch(connection, generation.id)
    return name


def watch(connection: Connection, generation: int) -> None:
    """The tables of a generation were made: what is written to them is noted too, where notes are taken."""
    if _name(connection) is not None:
        _watch(connection, generation)


def _watch(connection: Connection, generation: int) -> None:
    for table in vector_tables(generation):
        for event in ('INSERT', 'UPDATE'):
            _trigger(connection, table, event)


def _trigger(connection: Connection, table: str, event: str, *, when: str = '') -> None:
    name = f'index_{table}_{event.split(maxsplit=1)[0].lower()}'
    head = f'CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW {f"WHEN ({when}) " if when else ""}'
    if connection.dialect.name == 'sqlite':
        row = 'OLD' if event == 'DELETE' else 'NEW'
        connection.execute(f'{head} BEGIN INSERT INTO index_log(row) VALUES({row}.row); END')
    else:
        connection.execute(f'{head} EXECUTE FUNCTION index_{"deleted" if event == "DELETE" else "written"}()')


def _detach(connection: Connection) -> str | None:
    hold_name(connection, _LOCK)
    name = _name(connection)
    if name is None:
        return None
    if connection.dialect.name == 'sqlite':
        found = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'index!_%' ESCAPE '!'"
        )
        for (trigger,) in found.fetchall():
            connection.execute(f'DROP TRIGGER {trigger}')
    else:
        for event in ('written', 'deleted'):
            connection.execute(f'DROP FUNCTION IF EXISTS index_{event}() CASCADE')
    connection.execute('DROP TABLE index_log')
    connection.execute('DROP TABLE index_state')
    return name


def _generations(connection: Connection) -> list[Generation]:
    rows = connection.execute(
        "SELECT id, embedder, dimensions, state FROM generation WHERE state IN ('current', 'building') ORDER BY id"
    ).fetchall()
    return [Generation(id=i, embedder=e, dimensions=d, state=s) for i, e, d, s in rows]


def _mark(generation: int) -> str:
    """The key under which it is told how far a generation's rows were noted."""
    return f'noted:{generation:d}'


def _noted_to(connection: Connection, generation: int) -> str | None:
    found = connection.execute('SELECT value FROM index_state WHERE key = ?', (_mark(generation),)).fetchone()
    return found[0] if found else None


def _has_work(connection: Connection) -> bool:
    if connection.execute('SELECT 1 FROM index_log LIMIT 1').fetchone() is not None:
        return True
    return any(_noted_to(connection, generation.id) != _DONE for generation in _generations(connection))


def run_hash(salt: bytes, run_key: str) -> str:
    """What an index is told of a run: who has the owner's salt can check it, nobody else."""
    if not run_key:
        return ''
    return hashlib.blake2b(run_key.encode('utf-8', 'surrogatepass'), key=salt, digest_size=8, person=b'run').hexdigest()


def word_keys(salt: bytes, terms: Iterable[str]) -> Words:
    """Keyed hashes of words with how often each is said; of two words with one hash, both together."""
    counted: Counter[int] = Counter()
    for term, count in Counter(terms).items():
        counted[term_key(salt, term) & _WORD_BITS] += count
    return {key: float(count) for key, count in counted.items()}


def _ground(connection: Connection, reaches: Sequence[Reach], most: int) -> Ground:
    memories: list[Part] = []
    episodes: list[Part] = []
    salts: dict[int, bytes] = {}
    waiting: set[int] = set()
    name, current = _name(connection), current_generation(connection)
    if name is None or current is None or _noted_to(connection, current.id) != _DONE:
        return Ground(collection=None, parts={}, salts={}, waiting=None)
    for reach in reaches:
        owner = find_owner(connection, reach.owner)
        if owner is None:
            continue
        # Runs that are not the owner's own level are many: then whatever comes is sorted out here.
        runs = None if reach.runs is None else ('', *reach.runs) if reach.own else reach.runs
        salts[owner.id] = owner.salt
        memories.append(Part(owner.id, None if runs is None else tuple(run_hash(owner.salt, run) for run in runs)))
        episodes.append(Part(owner.id))
        rows = connection.execute(
            'SELECT row FROM index_log WHERE row BETWEEN ? AND ? LIMIT ?', (*row_range(owner.id), most + 1)
        ).fetchall()
        waiting.update(r for (r,) in rows)
    collection = Collection(store=name, generation=current.id, dimensions=current.dimensions)
    rows = None if len(waiting) > most else np.array(sorted(waiting), dtype=np.int64)
    return Ground(collection=collection, parts={'memories': memories, 'episodes': episodes}, salts=salts, waiting=rows)


def _take(connection: Connection, worker: str, lease_seconds: float, limit: int) -> Noted | None:
    (held,) = connection.execute("SELECT value FROM index_state WHERE key = 'lease'").fetchone()
    holder, until = json.loads(held)
    moment = to_us(now()) + connection.skew_us
    if holder not in ('', worker) and until > moment and not holder_is_gone(holder):
        return None
    mine = json.dumps([worker, moment + int(lease_seconds * 1e6)])
    connection.execute("UPDATE index_state SET value = ? WHERE key = 'lease' AND value = ?", (mine, held))
    if connection.changes() != 1:  # somebody else was faster
        return None
    notes = connection.execute('SELECT id, row FROM index_log ORDER BY id LIMIT ?', (limit,)).fetchall()
    return Noted([id_ for id_, _ in notes], sorted({row for _, row in notes}))


def _release(connection: Connection, worker: str) -> None:
    (held,) = connection.execute("SELECT value FROM index_state WHERE key = 'lease'").fetchone()
    if json.loads(held)[0] == worker:
        connection.execute("UPDATE index_state SET value = ? WHERE key = 'lease' AND value = ?", (_FREE, held))


def _settle(connection: Connection, noted: Noted) -> None:
    if not noted.ids:
        return
    connection.execute(
        f'DELETE FROM index_log WHERE id IN {connection.dialect.numbers("?")}', (json.dumps(list(noted.ids)),)
    )
    if connection.changes() < len(noted.ids):
        # Another process thought us dead and did the same. Which of us wrote last nobody knows.
        _note(connection, noted.rows)


def _note(connection: Connection, rows: Iterable[int]) -> None:
    connection.executemany('INSERT INTO index_log(row) VALUES(?)', [(row,) for row in rows])


def _note_all(connection: Connection, generation: Generation, limit: int) -> bool:
    reached = _noted_to(connection, generation.id) or f'{_LANES[0]}:-1'
    if reached == _DONE:
        return True
    lane, _, after = reached.partition(':')
    number = 0 if lane == _LANES[0] else 1
    table = vector_tables(generation.id)[number]
    rows = [
        r
        for (r,) in connection.execute(
            f'SELECT row FROM {table} WHERE row > ? ORDER BY row LIMIT ?', (int(after), limit)
        ).fetchall()
    ]
    _note(connection, rows)
    if len(rows) == limit:
        reached = f'{lane}:{rows[-1]}'
    else:
        reached = _DONE if number else f'{_LANES[1]}:-1'
    connection.execute(
        'INSERT INTO index_state VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value',
        (_mark(generation.id), reached),
    )
    return reached == _DONE


_SOURCE: Final = (
    'SELECT s.row, s.owner, s.run_key, {vector}, {text} FROM {table} v JOIN memory s ON s.row = v.row '
    'WHERE s.live = 1 AND s.row',
    "SELECT s.row, 0, '', {vector}, {text} FROM {table} v JOIN segment s ON s.row = v.row "
    'JOIN episode e ON e.row = s.episode WHERE s.row',
)
_TEXT: Final = ('s.text', 'substr(e.text, CAST(s.first + 1 AS INTEGER), CAST(s.last - s.first AS INTEGER))')


def _points(
    connection: Connection, generation: Generation, rows: Sequence[int], words: Callable[[str], Sequence[str]] | None
) -> list[IndexPoint]:
    dialect = connection.dialect
    salts: dict[int, bytes] = dict(
        within(connection, 'SELECT id, salt FROM owner WHERE id', sorted({row >> SEQ_BITS for row in rows}))
    )
    points: list[IndexPoint] = []
    for number, table in enumerate(vector_tables(generation.id)):
        text = _TEXT[number] if words is not None else "''"
        sql = _SOURCE[number].format(vector=dialect.stored_vector, text=text, table=table)
        found = _once(within(connection, sql, rows))
        vectors = dialect.unpack([row[3] for row in found], generation.dimensions)
        for (row, _, run, _, said), vector in zip(found, vectors, strict=True):
            owner = row >> SEQ_BITS
            salt = salts.get(owner, b'')
            points.append(
                IndexPoint(
                    row=row,
                    owner=owner,
                    lane=_LANES[number],
                    run=run_hash(salt, run),
                    vector=vector,
                    words=None if words is None else word_keys(salt, words(said)),
                )
            )
    return points


def _once(rows: Iterable[Any]) -> list[Any]:
    """Each row once: looking some up may give the last of them twice."""
    return list({row[0]: row for row in rows}.values())


def _held(generation: Generation) -> tuple[str, str]:
    """What comes behind the columns of a statement about the rows that an index shall hold."""
    memories, segments = vector_tables(generation.id)
    return (
        f'FROM {memories} v JOIN memory s ON s.row = v.row WHERE s.live = 1',
        f'FROM {segments} v JOIN segment s ON s.row = v.row WHERE s.row = v.row',
    )


def _page(connection: Connection, generation: Generation, after: int, limit: int) -> list[int]:
    found: list[int] = []
    for sql in _held(generation):
        rows = connection.execute(f'SELECT v.row {sql} AND v.row > ? ORDER BY v.row LIMIT ?', (after, limit))
        found += [r for (r,) in rows.fetchall()]
    return sorted(found)[:limit]
