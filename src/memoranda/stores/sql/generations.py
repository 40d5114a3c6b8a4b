"""Embedding generations: sets of vectors made by one embedder, and what the file holds in numbers."""

from __future__ import annotations

import os
from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

import apsw

from memoranda.errors import EmbedderMismatch
from memoranda.records import Usage
from memoranda.stores.base import Generation, Stats
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import SEQ_BITS, vector_tables
from memoranda.stores.sql.writing import MEMORIES, SEGMENTS, current_generation, generation_in, put_vectors, touch
from memoranda.stores.sqlite.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from memoranda.lanes import FloatVector

__all__ = ['put', 'start', 'stats', 'switch', 'unembedded']

_LANES = {'memories': MEMORIES, 'episodes': SEGMENTS}
_TEXT = {
    'memories': 'SELECT s.row, s.text FROM memory s',
    'episodes': 'SELECT s.row, substr(e.text, s.first + 1, s.last - s.first) FROM segment s '
    'JOIN episode e ON e.row = s.episode',
}


def start(connection: Connection, embedder: str, dimensions: int, rebuild: bool) -> Generation:
    """Register the first generation, or begin or resume the one that shall replace it."""
    current = current_generation(connection)
    if current is None:
        return _create(connection, embedder, dimensions, 'current')
    if not rebuild:
        if (current.embedder, current.dimensions) != (embedder, dimensions):
            raise EmbedderMismatch(mismatch(current, embedder, dimensions))
        return current
    building = generation_in(connection, 'building')
    if building is not None:
        if (building.embedder, building.dimensions) == (embedder, dimensions):
            return building
        _drop(connection, building)
    return _create(connection, embedder, dimensions, 'building')


def mismatch(current: Generation, embedder: str, dimensions: int | None) -> str:
    """What to say when the file's vectors were made by another embedder."""
    return (
        f'embedder {embedder!r} ({dimensions or "?"} dimensions) cannot search vectors made by {current.embedder!r} '
        f'({current.dimensions}): run `memoranda reindex` with the new embedder, or configure the old one'
    )


def _create(connection: Connection, embedder: str, dimensions: int, state: Any) -> Generation:
    connection.execute(
        'INSERT INTO generation(embedder, dimensions, state) VALUES(?, ?, ?)', (embedder, dimensions, state)
    )
    id_ = connection.last_insert_rowid()
    for table in vector_tables(id_):
        connection.execute(f'CREATE TABLE {table}(row INTEGER PRIMARY KEY, vector BLOB NOT NULL)')
    return Generation(id=id_, embedder=embedder, dimensions=dimensions, state=state)


def _drop(connection: Connection, generation: Generation) -> None:
    for table in vector_tables(generation.id):
        connection.execute(f'DROP TABLE IF EXISTS {table}')
    connection.execute('DELETE FROM generation WHERE id = ?', (generation.id,))


def unembedded(
    connection: Connection, generation: Generation, limit: int, resume: MutableMapping[tuple[int, str], int]
) -> list[tuple[str, int, str]]:
    """Rows without a vector, in row order. `resume` remembers where the last call stopped."""
    found: list[tuple[str, int, str]] = []
    for lane in ('memories', 'episodes'):
        table = vector_tables(generation.id)[_LANES[lane]]
        for after in (resume.get((generation.id, lane), -1), -1):
            rows = connection.execute(
                f'{_TEXT[lane]} WHERE s.row > ? AND NOT EXISTS(SELECT 1 FROM {table} v WHERE v.row = s.row) '
                'ORDER BY s.row LIMIT ?',
                (after, limit - len(found)),
            ).fetchall()
            if rows:
                resume[generation.id, lane] = rows[0][0] - 1
                found += [(lane, row, text) for row, text in rows]
                break
        if len(found) >= limit:
            break
    return found


def put(connection: Connection, generation: Generation, vectors: Sequence[tuple[str, int, FloatVector]]) -> None:
    """Store vectors of rows that are still there."""
    for lane, number in _LANES.items():
        table = vector_tables(generation.id)[number]
        rows = [(row, vector) for name, row, vector in vectors if name == lane]
        if rows:
            put_vectors(connection, number, table, rows)
    for owner in {row >> SEQ_BITS for _, row, _ in vectors}:
        touch(connection, owner)  # so that caches look for the vectors they miss


def switch(connection: Connection, generation: Generation) -> bool:
    """Make it the current one, unless some row still lacks a vector."""
    if unembedded(connection, generation, 1, {}):
        return False
    old = current_generation(connection)
    if old is not None and old.id != generation.id:
        _drop(connection, old)
    connection.execute("UPDATE generation SET state = 'current' WHERE id = ?", (generation.id,))
    return True


def stats(connection: Connection, location: str, path: str) -> Stats:
    """What the file holds."""

    def count(sql: str) -> int:
        return connection.execute(sql).fetchone()[0]

    files = [path + suffix for suffix in ('', '-wal', '-shm') if os.path.exists(path + suffix)]
    return Stats(
        backend='sqlite',
        location=location,
        schema_version=connection.pragma('user_version'),
        owners=count("SELECT count(*) FROM owner WHERE kind <> 'erased'"),
        memories=count('SELECT count(*) FROM memory WHERE live = 1'),
        versions=count('SELECT count(*) FROM memory'),
        episodes=count('SELECT count(*) FROM episode'),
        jobs_queued=count("SELECT count(*) FROM job WHERE state IN ('queued', 'running')"),
        jobs_dead=count("SELECT count(*) FROM job WHERE state = 'dead'"),
        bytes=sum(os.path.getsize(f) for f in files),
        generation=current_generation(connection),
        building=generation_in(connection, 'building'),
        scrub_pending=count('SELECT count(*) FROM scrub') > 0,
        usage=_spent(connection),
        details={
            'sqlite': apsw.sqlite_lib_version(),
            'journal_mode': connection.pragma('journal_mode'),
            'page_size': connection.pragma('page_size'),
            'wal_bytes': os.path.getsize(path + '-wal') if os.path.exists(path + '-wal') else 0,
            'known_schema_version': SCHEMA_VERSION,
        },
    )


def _spent(connection: Connection) -> Usage:
    spent: dict[str, Any] = dict(
        connection.execute("SELECT substr(key, 7), value FROM meta WHERE key LIKE 'spent!_%' ESCAPE '!'").fetchall()
    )
    return Usage(
        requests=spent.get('requests', 0),
        input_tokens=spent.get('input_tokens', 0),
        output_tokens=spent.get('output_tokens', 0),
        cost=spent.get('cost'),
    )
