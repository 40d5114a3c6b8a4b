"""Jobs: the messages from which memories are still to be drawn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from memoranda.records import Episode, Job, Usage, now
from memoranda.scope import Owner
from memoranda.stores.base import Batch, Foreseen, Work
from memoranda.stores.leases import holder_is_gone
from memoranda.stores.sqlite.database import Connection
from memoranda.stores.sqlite.rows import (
    EPISODE_COLUMNS,
    JOB_COLUMNS,
    find_owner,
    level_scope,
    owner_by_id,
    read_episodes,
    read_job,
    row_range,
    to_us,
)
from memoranda.stores.sqlite.schema import SEQ_BITS, vector_tables
from memoranda.stores.sqlite.writing import NO_OWNER, OPEN_JOBS, current_generation, spend, unseen

__all__ = ['abandon', 'claim', 'fail', 'foresee', 'load', 'renew', 'unfinished']

_PREVIOUS = 4


def claim(connection: Connection, owner: Owner, worker: str, lease_seconds: float) -> Work | None:
    """Lease the owner's earliest unfinished job."""
    found = find_owner(connection, owner)
    if found is None:
        return None
    moment = to_us(now())
    for row, state, run_after, lease_until, holder in connection.execute(
        f'SELECT row, state, run_after, lease_until, worker FROM job WHERE {OPEN_JOBS} ORDER BY row LIMIT 1',
        row_range(found.id),
    ):
        if state == 'running' and lease_until > moment and not holder_is_gone(holder):
            return None
        if state == 'queued' and run_after > moment:
            return None
        connection.execute(
            "UPDATE job SET state = 'running', worker = ?, lease_until = ?, attempts = attempts + 1 WHERE row = ?",
            (worker, moment + int(lease_seconds * 1e6), row),
        )
        return _work(connection, 'row = ?', row)
    return None


def load(connection: Connection, job_id: str) -> Work | None:
    """A job with its messages."""
    return _work(connection, 'id = ?', job_id)


def _work(connection: Connection, where: Literal['row = ?', 'id = ?'], key: Any) -> Work | None:
    found = connection.execute(f'SELECT {JOB_COLUMNS}, owner FROM job WHERE {where}', (key,)).fetchone()
    if found is None:
        return None
    owner = owner_by_id(connection, found[8])
    job = read_job(found, owner.project)
    episode_rows: list[Any] = []
    for row in job.payload['episodes']:
        episode_rows += connection.execute(_EPISODE + ' WHERE e.row = ?', (row,))
    episodes = read_episodes(episode_rows, owner)
    previous: list[Any] = []
    if episode_rows:
        previous = connection.execute(
            _EPISODE + ' WHERE e.conversation = (SELECT conversation FROM episode WHERE row = ?) AND e.seq < ? '
            'ORDER BY e.seq DESC LIMIT ?',
            (episode_rows[0][0], episode_rows[0][3], _PREVIOUS),
        ).fetchall()
    return Work(
        job=job,
        owner=owner,
        scope=episodes[0].scope if episodes else level_scope(owner, owner.kind, ''),
        episodes=episodes,
        segments=list(_unembedded_segments(connection, zip((r[0] for r in episode_rows), episodes, strict=True))),
        previous=read_episodes(reversed(previous), owner),
    )


_EPISODE = f'SELECT {EPISODE_COLUMNS} FROM episode e JOIN conversation c ON c.row = e.conversation'


def _unembedded_segments(connection: Connection, episodes: Iterable[tuple[int, Episode]]) -> Iterable[tuple[int, str]]:
    current = current_generation(connection)
    table = vector_tables(current.id)[1] if current else None
    for episode_row, episode in episodes:
        # A message's segments have the row keys right after its own.
        for row, of, first, last in connection.execute(
            'SELECT row, episode, first, last FROM segment WHERE row > ? ORDER BY row', (episode_row,)
        ):
            if of != episode_row:
                break
            if table is None or not _has(connection, table, row):
                yield row, episode.text[first:last]


def renew(connection: Connection, worker: str, lease_seconds: float) -> None:
    """Hold what is leased under a token for longer."""
    connection.execute(
        "UPDATE job SET lease_until = ? WHERE state = 'running' AND worker = ? "
        "AND row IN (SELECT row FROM job WHERE state IN ('queued', 'running'))",
        (to_us(now()) + int(lease_seconds * 1e6), worker),
    )


def foresee(connection: Connection, batch: Batch) -> Foreseen:
    """What `append` would store."""
    owner = find_owner(connection, batch.owner)
    if owner is None:
        return Foreseen(drafts=batch.drafts, known=0, first_seq=0, previous=(), waiting=0, owner_version=NO_OWNER)
    row, first = connection.execute(
        'SELECT row, messages FROM conversation WHERE owner = ? AND id = ?', (owner.id, batch.conversation_id)
    ).fetchone() or (-1, 0)
    drafts = unseen(connection, owner.id, row, first, batch)
    before = connection.execute(
        _EPISODE + ' WHERE e.conversation = ? ORDER BY e.seq DESC LIMIT ?', (row, _PREVIOUS)
    ).fetchall()
    waiting = connection.execute(f'SELECT count(*) FROM job WHERE {OPEN_JOBS}', row_range(owner.id)).fetchone()[0]
    return Foreseen(
        drafts=drafts,
        known=len(batch.drafts) - len(drafts),
        first_seq=first,
        previous=read_episodes(reversed(before), batch.owner),
        waiting=waiting,
        owner_version=owner.version,
    )


def fail(connection: Connection, job: Job, worker: str, error: str, retry_after: float | None, usage: Usage) -> None:
    """Give a job back."""
    spend(connection, job.id, usage)
    moment = to_us(now())
    connection.execute(
        'UPDATE job SET state = ?, run_after = ?, last_error = ?, worker = NULL, lease_until = NULL '
        "WHERE id = ? AND worker = ? AND state = 'running'",
        (
            'dead' if retry_after is None else 'queued',
            moment + int((retry_after or 0) * 1e6),
            error[:2000],
            job.id,
            worker,
        ),
    )


def abandon(connection: Connection, worker: str) -> None:
    """Give back what is leased under a token."""
    connection.execute(
        "UPDATE job SET state = 'queued', worker = NULL, lease_until = NULL, attempts = max(attempts - 1, 0) "
        "WHERE state = 'running' AND worker = ? AND row IN (SELECT row FROM job WHERE state IN ('queued', 'running'))",
        (worker,),
    )


def unfinished(connection: Connection, limit: int) -> list[Owner]:
    """Owners that have jobs waiting, longest waiting first."""
    owners: dict[int, None] = {}
    for (row,) in connection.execute("SELECT row FROM job WHERE state IN ('queued', 'running') ORDER BY created_at"):
        owners.setdefault(row >> SEQ_BITS)
        if len(owners) == limit:
            break
    return [owner_by_id(connection, id_) for id_ in owners]


def _has(connection: Connection, table: str, row: int) -> bool:
    return connection.execute(f'SELECT 1 FROM {table} WHERE row = ?', (row,)).fetchone() is not None
