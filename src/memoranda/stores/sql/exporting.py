"""Everything the file holds on one owner, read in one snapshot as records that name each other by id."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar

from memoranda.scope import Owner
from memoranda.stores.erasures import subject_key
from memoranda.stores.portable import (
    ChangeItem,
    ConversationItem,
    EntryItem,
    EpisodeItem,
    Holdings,
    Item,
    JobItem,
    MemoryItem,
    RejectedItem,
    ReviewItem,
    SaidUnder,
    Span,
    Take,
    VersionItem,
)
from memoranda.stores.sql.auditing import secret
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import SEQ_MASK
from memoranda.stores.sql.rows import find_owner, from_us, row_range
from memoranda.stores.sql.tombstones import project_key

__all__ = ['export_rows', 'forgotten_at', 'holdings']

T = TypeVar('T')
_BATCH: Final = 500
_ROWS: Final = 'row BETWEEN ? AND ?'
_COUNTS: Final[Mapping[str, str]] = {
    'conversations': 'SELECT count(*) FROM conversation WHERE row BETWEEN ? AND ?',
    'episodes': 'SELECT count(*) FROM episode WHERE row BETWEEN ? AND ?',
    'memories': 'SELECT count(DISTINCT id) FROM memory WHERE row BETWEEN ? AND ?',
    'changes': 'SELECT count(*) FROM change_set WHERE row BETWEEN ? AND ?',
    'history': 'SELECT count(*) FROM history WHERE row BETWEEN ? AND ?',
    'jobs': 'SELECT count(*) FROM job WHERE row BETWEEN ? AND ?',
    'rejected': 'SELECT count(*) FROM rejected WHERE owner BETWEEN ? >> 24 AND ? >> 24',
}
_VERSION: Final = (
    'id, version, level, run_key, agent_id, run_id, app_id, text, kind, slot, value, status, confidence, importance, '
    'trust, pinned, locked, valid_from, valid_to, said_at, recorded_at, retired_at, expires_at, supersedes, '
    'superseded_by, evidence, metadata, tags, actor, change_id, hash'
)


def holdings(connection: Connection, owner: Owner) -> Holdings:
    """How much is held on an owner."""
    found = find_owner(connection, owner)
    counts = dict.fromkeys(_COUNTS, 0)
    if found is not None:
        span = row_range(found.id)
        counts = {name: connection.execute(sql, span).fetchone()[0] for name, sql in _COUNTS.items()}
    return Holdings(counts=counts, forgotten_at=forgotten_at(connection, owner))


def forgotten_at(connection: Connection, owner: Owner) -> datetime | None:
    """When an owner was erased as a whole."""
    key = secret(connection)
    for (at,) in connection.execute(
        'SELECT erased_at FROM tombstone WHERE project = ? AND subject = ?',
        (project_key(key, owner.project), subject_key(key, owner.project, owner, {})),
    ):
        return from_us(at)
    return None


def export_rows(connection: Connection, owner: Owner, take: Take) -> Holdings:
    """Hand over all items, section by section, in the order they were stored in."""
    held = holdings(connection, owner)
    found = find_owner(connection, owner)
    if found is None:
        return held
    span = row_range(found.id)
    conversations: dict[int, str] = {}
    sections: Mapping[str, Iterator[Item]] = {
        'conversations': _conversations(connection, span, conversations),
        'episodes': _episodes(connection, span, conversations),
        'memories': _memories(connection, found.id, span),
        'changes': _changes(connection, span),
        'history': _history(connection, span),
        'jobs': _jobs(connection, span, conversations),
        'rejected': _rejected(connection, found.id),
    }
    for name, items in sections.items():
        for batch in _batches(items, _BATCH):
            take(name, batch)
    return held


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _conversations(connection: Connection, span: tuple[int, int], known: dict[int, str]) -> Iterator[ConversationItem]:
    for row, id_, messages in connection.execute(
        f'SELECT row, id, messages FROM conversation WHERE {_ROWS} ORDER BY row', span
    ):
        known[row] = id_
        yield ConversationItem(id=id_, messages=messages)


def _episodes(connection: Connection, span: tuple[int, int], conversations: Mapping[int, str]) -> Iterator[EpisodeItem]:
    for row in connection.execute(
        'SELECT id, conversation, seq, role, name, text, occurred_at, dated, recorded_at, trust, agent_id, run_id, '
        f'app_id, metadata, content_hash FROM episode WHERE {_ROWS} ORDER BY row',
        span,
    ):
        yield EpisodeItem(
            id=row[0],
            conversation_id=conversations[row[1]],
            seq=row[2],
            role=row[3],
            name=row[4],
            text=row[5],
            occurred_at=from_us(row[6]),
            dated=bool(row[7]),
            recorded_at=from_us(row[8]),
            trust=row[9],
            said_under=SaidUnder(agent_id=row[10], run_id=row[11], app_id=row[12]),
            metadata=json.loads(row[13]) if row[13] else {},
            content_hash=row[14],
        )


def _memories(connection: Connection, owner: int, span: tuple[int, int]) -> Iterator[MemoryItem]:
    ids = connection.execute(f'SELECT id FROM memory WHERE {_ROWS} GROUP BY id ORDER BY min(row)', span)
    for (id_,) in ids.fetchall():
        rows = connection.execute(f'SELECT {_VERSION} FROM memory WHERE id = ? ORDER BY version', (id_,)).fetchall()
        uses = connection.execute(
            'SELECT uses, last_used_at FROM usage WHERE owner = ? AND memory = ?', (owner, id_)
        ).fetchone()
        yield MemoryItem(
            id=id_,
            versions=tuple(_version(connection, row) for row in rows),
            uses=uses[0] if uses else 0,
            last_used_at=from_us(uses[1]) if uses else None,
            review=_review(connection, owner, id_),
        )


def _version(connection: Connection, row: Any) -> VersionItem:
    return VersionItem(
        version=row[1],
        level=row[2],
        run_id=row[3] or None,
        said_under=SaidUnder(agent_id=row[4], run_id=row[5], app_id=row[6]),
        text=row[7],
        kind=row[8],
        slot=row[9],
        value=row[10],
        status=row[11],
        confidence=row[12],
        importance=row[13],
        trust=row[14],
        pinned=bool(row[15]),
        locked=bool(row[16]),
        valid_from=from_us(row[17]),
        valid_to=_moment(row[18]),
        said_at=from_us(row[19]),
        recorded_at=from_us(row[20]),
        retired_at=_moment(row[21]),
        expires_at=_moment(row[22]),
        supersedes=row[23],
        superseded_by=row[24],
        evidence=tuple(_spans(connection, json.loads(row[25]))),
        metadata=json.loads(row[26]) if row[26] else {},
        tags=tuple(json.loads(row[27])),
        actor=row[28],
        change_id=row[29],
        hash=row[30],
    )


def _spans(connection: Connection, spans: Iterable[tuple[int, int, int]]) -> Iterator[Span]:
    for episode, start, end in spans:
        for (id_,) in connection.execute('SELECT id FROM episode WHERE row = ?', (episode,)):
            yield Span(episode_id=id_, start=start, end=end)


def _review(connection: Connection, owner: int, memory: str) -> ReviewItem | None:
    for op, target, reasons, at in connection.execute(
        'SELECT op, target, reasons, at FROM review WHERE owner = ? AND memory = ?', (owner, memory)
    ):
        return ReviewItem(op=op, target=target, reasons=tuple(json.loads(reasons)), at=from_us(at))
    return None


def _changes(connection: Connection, span: tuple[int, int]) -> Iterator[ChangeItem]:
    for id_, actor, reason, job_id, at in connection.execute(
        f'SELECT id, actor, reason, job_id, at FROM change_set WHERE {_ROWS} ORDER BY row', span
    ):
        yield ChangeItem(id=id_, actor=actor, reason=reason, job_id=job_id, at=from_us(at))


def _history(connection: Connection, span: tuple[int, int]) -> Iterator[EntryItem]:
    for row in connection.execute(
        'SELECT h.row, h.change_id, h.memory_id, h.op, t.before, t.after, h.actor, h.reason, h.at, t.salt, h.digest, '
        'h.prev_hash, h.hash, h.format FROM history h LEFT JOIN history_text t ON t.row = h.row '
        'WHERE h.row BETWEEN ? AND ? ORDER BY h.row',
        span,
    ):
        yield EntryItem(
            seq=row[0] & SEQ_MASK,
            change_id=row[1],
            memory_id=row[2],
            op=row[3],
            before=json.loads(row[4]) if row[4] else None,
            after=json.loads(row[5]) if row[5] else None,
            actor=row[6],
            reason=row[7],
            at=from_us(row[8]),
            salt=row[9],
            digest=row[10],
            prev_hash=row[11],
            hash=row[12],
            format=row[13],
        )


def _jobs(connection: Connection, span: tuple[int, int], conversations: Mapping[int, str]) -> Iterator[JobItem]:
    for row in connection.execute(
        'SELECT id, kind, payload, state, attempts, crashes, created_at, run_after, finished_at, last_error, '
        'merged_into, idempotency_key, digest, format, requests, input_tokens, output_tokens, cost '
        f'FROM job WHERE {_ROWS} ORDER BY row',
        span,
    ):
        options: dict[str, Any] = json.loads(row[2])
        # Traces lead into the telemetry of this installation.
        rows, conversation, _ = (options.pop(name, None) for name in ('episodes', 'conversation', 'trace'))
        ids = [i for r in rows or () for (i,) in connection.execute('SELECT id FROM episode WHERE row = ?', (r,))]
        # Its lease is of no use elsewhere, and neither is its part in another's work.
        running = row[3] == 'running'
        yield JobItem(
            id=row[0],
            kind=row[1],
            episode_ids=tuple(ids),
            conversation_id=conversations.get(conversation) if conversation is not None else None,
            options=options,
            state='queued' if running else row[3],
            attempts=row[4],
            crashes=row[5],
            created_at=from_us(row[6]),
            run_after=from_us(row[7]),
            finished_at=_moment(row[8]),
            last_error=row[9],
            merged_into=None if running else row[10],
            idempotency_key=row[11],
            digest=row[12],
            format=row[13],
            requests=row[14],
            input_tokens=row[15],
            output_tokens=row[16],
            cost=row[17],
        )


def _rejected(connection: Connection, owner: int) -> Iterator[RejectedItem]:
    for (hash_,) in connection.execute('SELECT hash FROM rejected WHERE owner = ? ORDER BY hash', (owner,)):
        yield RejectedItem(hash=hash_)


def _moment(value: int | None) -> datetime | None:
    return None if value is None else from_us(value)
