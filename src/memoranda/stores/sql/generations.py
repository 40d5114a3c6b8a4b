"""Embedding generations: sets of vectors made by one embedder, and what the file holds in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memoranda.errors import EmbedderMismatch
from memoranda.records import Usage
from memoranda.stores.data import Stats
from memoranda.stores.generation import Generation
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.indexing import watch
from memoranda.stores.sql.keys import vector_tables
from memoranda.stores.sql.locks import hold_generations
from memoranda.stores.sql.reembedding import retire
from memoranda.stores.sql.writing import current_generation, generation_in

__all__ = ['start', 'stats']


def start(connection: Connection, embedder: str, dimensions: int, rebuild: bool) -> Generation:
    """Register the first generation, or begin or resume the one that shall replace it."""
    current = current_generation(connection)
    if current is None or rebuild:
        hold_generations(connection)
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
        retire(connection, building)
    return _create(connection, embedder, dimensions, 'building')


def mismatch(current: Generation, embedder: str, dimensions: int | None) -> str:
    """What to say when the file's vectors were made by another embedder."""
    return (
        f'embedder {embedder!r} ({dimensions or "?"} dimensions) cannot search vectors made by {current.embedder!r} '
        f'({current.dimensions}): run `memoranda reindex` with the new embedder, or configure the old one'
    )


def _create(connection: Connection, embedder: str, dimensions: int, state: Any) -> Generation:
    (id_,) = connection.execute(
        'INSERT INTO generation(embedder, dimensions, state) VALUES(?, ?, ?) RETURNING id',
        (embedder, dimensions, state),
    ).fetchone()
    for table in vector_tables(id_):
        connection.execute(connection.dialect.vector_table(table, dimensions))
    watch(connection, id_)
    return Generation(id=id_, embedder=embedder, dimensions=dimensions, state=state)


def stats(
    connection: Connection,
    *,
    backend: str,
    location: str,
    schema_version: int,
    size: int,
    details: Mapping[str, Any],
) -> Stats:
    """What the database holds.

    Args:
        connection: In one snapshot.
        backend: Its name.
        location: Where it is.
        schema_version: That it has.
        size: Bytes.
        details: What only this backend has.
    """

    def count(sql: str) -> int:
        return connection.execute(sql).fetchone()[0]

    return Stats(
        backend=backend,
        location=location,
        schema_version=schema_version,
        owners=count("SELECT count(*) FROM owner WHERE kind <> 'erased'"),
        memories=count('SELECT count(*) FROM memory WHERE live = 1'),
        versions=count('SELECT count(*) FROM memory'),
        episodes=count('SELECT count(*) FROM episode'),
        jobs_queued=count("SELECT count(*) FROM job WHERE state IN ('queued', 'running')"),
        jobs_dead=count("SELECT count(*) FROM job WHERE state = 'dead'"),
        bytes=size,
        generation=current_generation(connection),
        building=generation_in(connection, 'building'),
        scrub_pending=count('SELECT count(*) FROM scrub') > 0,
        usage=_spent(connection),
        details=details,
    )


def _spent(connection: Connection) -> Usage:
    rows = connection.execute('SELECT requests, input_tokens, output_tokens, cost FROM spent').fetchall()
    costs = [row[3] for row in rows if row[3] is not None]
    return Usage(
        requests=sum(row[0] for row in rows),
        input_tokens=sum(row[1] for row in rows),
        output_tokens=sum(row[2] for row in rows),
        cost=sum(costs) if costs else None,
    )
