"""The rows of what comes from another store: its items, with row keys, index entries and vectors of this one."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from memoranda.records import now
from memoranda.stores.history import dump_state
from memoranda.stores.portable import (
    ChangeItem,
    ConversationItem,
    EntryItem,
    EpisodeIn,
    JobItem,
    MemoryIn,
    RejectedItem,
    RowIn,
    VersionItem,
)
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import SEQ_BITS, vector_tables
from memoranda.stores.sql.lacking import note_lacking
from memoranda.stores.sql.owners import take_rows
from memoranda.stores.sql.rows import OwnerRow, dump, to_us
from memoranda.stores.sql.writing import (
    MEMORIES,
    ROLES,
    SEGMENTS,
    current_generation,
    put_postings,
    put_vectors,
)

__all__ = ['insert_rows']


def insert_rows(connection: Connection, owner: OwnerRow, rows: Sequence[RowIn], generation: int | None) -> None:
    """Write items as rows of an owner, in the order they have.

    Args:
        connection: In a transaction.
        owner: Whose.
        rows: What came, after what it refers to.
        generation: The embedding generation that the vectors belong to.
    """
    by_kind: defaultdict[type, list[Any]] = defaultdict(list)
    for row in rows:
        by_kind[type(row)].append(row)
    current = current_generation(connection)
    tables = vector_tables(current.id) if current is not None and current.id == generation else None
    if current is not None and tables is None:
        note_lacking(connection, owner.id)
    _conversations(connection, owner.id, by_kind[ConversationItem])
    _episodes(connection, owner, by_kind[EpisodeIn], tables[1] if tables else None)
    _memories(connection, owner, by_kind[MemoryIn], tables[0] if tables else None)
    _changes(connection, owner.id, by_kind[ChangeItem])
    _history(connection, owner.id, by_kind[EntryItem])
    _jobs(connection, owner.id, by_kind[JobItem])
    rejected: Iterable[RejectedItem] = by_kind[RejectedItem]
    connection.executemany('INSERT INTO rejected(owner, hash) VALUES(?, ?)', [(owner.id, r.hash) for r in rejected])


def _put(connection: Connection, table: str, row: Mapping[str, Any]) -> None:
    names = ', '.join(row)
    marks = ', '.join('?' * len(row))
    connection.execute(f'INSERT INTO {table}({names}) VALUES({marks})', tuple(row.values()))


def _conversations(connection: Connection, owner: int, items: Sequence[ConversationItem]) -> None:
    if not items:
        return
    for row, item in zip(take_rows(connection, owner, len(items)), items, strict=True):
        _put(connection, 'conversation', {'row': row, 'id': item.id, 'owner': owner, 'messages': item.messages})


def _conversation(connection: Connection, owner: int, id_: str) -> tuple[int, int]:
    return connection.execute(
        'SELECT row, segments FROM conversation WHERE owner = ? AND id = ?', (owner, id_)
    ).fetchone()


def _episodes(connection: Connection, owner: OwnerRow, incoming: Sequence[EpisodeIn], table: str | None) -> None:
    if not incoming:
        return
    keys = iter(take_rows(connection, owner.id, len(incoming) + sum(len(one.segments) for one in incoming)))
    indexed: list[tuple[int, Sequence[str]]] = []
    vectors: list[tuple[int, Any]] = []
    for one in incoming:
        item, row = one.item, next(keys)
        conversation, position = _conversation(connection, owner.id, item.conversation_id)
        occurred, speaker = to_us(item.occurred_at), _speaker(connection, owner.id, item.name)
        # Messages that were erased leave a gap, over which their neighbours don't touch.
        gap = int(item.seq > _next_seq(connection, conversation))
        said = item.said_under
        _put(
            connection,
            'episode',
            {
                'row': row,
                'id': item.id,
                'conversation': conversation,
                'seq': item.seq,
                'role': item.role,
                'name': item.name,
                'text': item.text,
                'occurred_at': occurred,
                'recorded_at': to_us(item.recorded_at),
                'dated': int(item.dated),
                'trust': item.trust,
                'agent_id': said.agent_id,
                'run_id': said.run_id,
                'app_id': said.app_id,
                'metadata': dump(item.metadata),
                'content_hash': item.content_hash,
            },
        )
        position += gap
        for i, segment in enumerate(one.segments):
            key = next(keys)
            _put(
                connection,
                'segment',
                {
                    'row': key,
                    'episode': row,
                    'first': segment.start,
                    'last': segment.end,
                    'conversation': conversation,
                    'position': position,
                    'length': len(segment.terms),
                    'at': occurred,
                    'role': ROLES[item.role],
                    'speaker': speaker,
                },
            )
            indexed.append((key, segment.terms))
            if table and one.vectors:
                vectors.append((key, one.vectors[i]))
            position += 1
        connection.execute('UPDATE conversation SET segments = ? WHERE row = ?', (position, conversation))
    put_postings(connection, owner, SEGMENTS, indexed)
    if table:
        put_vectors(connection, SEGMENTS, table, vectors)


def _next_seq(connection: Connection, conversation: int) -> int:
    """The number of the message that would follow those of a conversation."""
    return connection.execute(
        'SELECT coalesce(max(seq), -1) + 1 FROM episode WHERE conversation = ?', (conversation,)
    ).fetchone()[0]


def _speaker(connection: Connection, owner: int, name: str | None) -> int:
    if name is None:
        return -1
    for (ordinal,) in connection.execute('SELECT ordinal FROM speaker WHERE owner = ? AND name = ?', (owner, name)):
        return ordinal
    (ordinal,) = connection.execute('SELECT count(*) FROM speaker WHERE owner = ?', (owner,)).fetchone()
    connection.execute('INSERT INTO speaker(owner, ordinal, name) VALUES(?, ?, ?)', (owner, ordinal, name))
    return ordinal


def _memories(connection: Connection, owner: OwnerRow, incoming: Sequence[MemoryIn], table: str | None) -> None:
    if not incoming:
        return
    keys = iter(take_rows(connection, owner.id, sum(len(one.item.versions) for one in incoming)))
    indexed: list[tuple[int, Sequence[str]]] = []
    vectors: list[tuple[int, Any]] = []
    for one in incoming:
        item = one.item
        for version, write in zip(item.versions, one.writes, strict=True):
            row = next(keys)
            _version(connection, owner, row, item.id, version, len(write.terms))
            indexed.append((row, write.terms))
            if table and write.vector is not None:
                vectors.append((row, write.vector))
        if item.uses and item.last_used_at is not None:
            use = {'owner': owner.id, 'memory': item.id, 'uses': item.uses, 'last_used_at': to_us(item.last_used_at)}
            _put(connection, 'usage', use)
        if item.review is not None:
            note = item.review
            proposed = {'owner': owner.id, 'memory': item.id, 'op': note.op, 'target': note.target}
            _put(connection, 'review', {**proposed, 'reasons': json.dumps(note.reasons), 'at': to_us(note.at)})
    put_postings(connection, owner, MEMORIES, indexed)
    if table:
        put_vectors(connection, MEMORIES, table, vectors)


def _version(connection: Connection, owner: OwnerRow, row: int, id_: str, version: VersionItem, length: int) -> None:
    spans: list[list[int]] = []
    for span in version.evidence:
        (episode,) = connection.execute(
            'SELECT row FROM episode WHERE row >> 24 = ? AND id = ?', (owner.id, span.episode_id)
        ).fetchone()
        spans.append([episode, span.start, span.end])
    said = version.said_under
    _put(
        connection,
        'memory',
        {
            'row': row,
            'owner': owner.id,
            'id': id_,
            'version': version.version,
            'level': version.level,
            'run_key': version.run_id or '',
            'agent_id': said.agent_id,
            'run_id': said.run_id,
            'app_id': said.app_id,
            'text': version.text,
            'kind': version.kind,
            'slot': version.slot,
            'value': version.value,
            'status': version.status,
            'confidence': version.confidence,
            'importance': version.importance,
            'trust': version.trust,
            'pinned': int(version.pinned),
            'locked': int(version.locked),
            'valid_from': to_us(version.valid_from),
            'valid_to': _us(version.valid_to),
            'said_at': to_us(version.said_at),
            'recorded_at': to_us(version.recorded_at),
            'retired_at': _us(version.retired_at),
            'expires_at': _us(version.expires_at),
            'supersedes': version.supersedes,
            'superseded_by': version.superseded_by,
            'evidence': json.dumps(spans),
            'metadata': dump(version.metadata),
            'tags': json.dumps(version.tags, ensure_ascii=False),
            'actor': version.actor,
            'change_id': version.change_id,
            'hash': version.hash,
            'length': length,
            'live': int(version.status == 'active' and version.retired_at is None),
            'touched': owner.version,
            'project': owner.owner.project,
        },
    )
    connection.executemany(
        'INSERT INTO evidence(episode, memory) VALUES(?, ?) ON CONFLICT DO NOTHING', [(span[0], row) for span in spans]
    )


def _changes(connection: Connection, owner: int, items: Sequence[ChangeItem]) -> None:
    if not items:
        return
    for row, item in zip(take_rows(connection, owner, len(items)), items, strict=True):
        made = {'row': row, 'id': item.id, 'actor': item.actor, 'reason': item.reason}
        _put(connection, 'change_set', {**made, 'job_id': item.job_id, 'at': to_us(item.at)})


def _history(connection: Connection, owner: int, items: Sequence[EntryItem]) -> None:
    for item in items:
        row = owner << SEQ_BITS | item.seq
        _put(
            connection,
            'history',
            {
                'row': row,
                'change_id': item.change_id,
                'memory_id': item.memory_id,
                'op': item.op,
                'actor': item.actor,
                'reason': item.reason,
                'at': to_us(item.at),
                'digest': item.digest,
                'prev_hash': item.prev_hash,
                'hash': item.hash,
                'format': item.format,
            },
        )
        if item.salt is not None:
            before, after = (None if state is None else dump_state(state) for state in (item.before, item.after))
            _put(connection, 'history_text', {'row': row, 'before': before, 'after': after, 'salt': item.salt})
    if items:
        connection.execute(
            'UPDATE owner SET chain_length = ?, chain_head = ? WHERE id = ?', (items[-1].seq, items[-1].hash, owner)
        )


def _jobs(connection: Connection, owner: int, items: Sequence[JobItem]) -> None:
    if not items:
        return
    moment = to_us(now())
    for row, item in zip(take_rows(connection, owner, len(items)), items, strict=True):
        payload: dict[str, Any] = {**item.options, 'episodes': _rows_of(connection, owner, item.episode_ids)}
        if item.conversation_id is not None:
            payload['conversation'] = _conversation(connection, owner, item.conversation_id)[0]
        _put(
            connection,
            'job',
            {
                'row': row,
                'id': item.id,
                'kind': item.kind,
                'payload': json.dumps(payload),
                # Not in the queue before all is there.
                'state': 'staged' if item.state == 'queued' else item.state,
                'attempts': item.attempts,
                'crashes': item.crashes,
                'created_at': to_us(item.created_at),
                'run_after': to_us(item.run_after),
                'touched_at': moment,
                'finished_at': _us(item.finished_at),
                'last_error': item.last_error,
                'merged_into': item.merged_into,
                'owner': owner,
                'idempotency_key': item.idempotency_key,
                'digest': item.digest,
                'format': item.format,
                'requests': item.requests,
                'input_tokens': item.input_tokens,
                'output_tokens': item.output_tokens,
                'cost': item.cost,
            },
        )


def _rows_of(connection: Connection, owner: int, ids: Iterable[str]) -> list[int]:
    find = 'SELECT row FROM episode WHERE row >> 24 = ? AND id = ?'
    return [row for id_ in ids for (row,) in connection.execute(find, (owner, id_))]


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else to_us(moment)
