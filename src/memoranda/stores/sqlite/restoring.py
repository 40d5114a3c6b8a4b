"""Taking in what another store, or this one at another time, held on an owner.

The rows come in many short transactions, under an owner of a project that no id can name: nobody sees them. In the last
transaction that owner gets the name of the one they are for, and all is there at once. What is left of an import that
was cut off is erased by the next one, and by whatever looks after abandoned jobs.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import apsw

from memoranda.errors import Conflict
from memoranda.records import new_id, now
from memoranda.scope import Owner
from memoranda.stores.erasures import Forgetting, subject_key
from memoranda.stores.history import Entry, dump_state
from memoranda.stores.leases import holder_is_gone
from memoranda.stores.portable import (
    ChangeItem,
    ConversationItem,
    EntryItem,
    EpisodeIn,
    Holdings,
    JobItem,
    MemoryIn,
    RejectedItem,
    RestoreNote,
    RowIn,
    VersionItem,
)
from memoranda.stores.sqlite import auditing, erasing, tombstones
from memoranda.stores.sqlite.database import Connection
from memoranda.stores.sqlite.exporting import holdings
from memoranda.stores.sqlite.queue import settle
from memoranda.stores.sqlite.rows import OwnerRow, dump, find_owner, row_range, to_us
from memoranda.stores.sqlite.schema import SEQ_BITS, vector_tables
from memoranda.stores.sqlite.writing import (
    MEMORIES,
    ROLES,
    SEGMENTS,
    current_generation,
    ensure_owner,
    put_postings,
    put_vectors,
    take_rows,
    touch,
)

__all__ = ['abandoned', 'begin', 'discard', 'discard_abandoned', 'finish', 'insert']

_PROJECT: Final = '\x00import'
"""No project can be called so: its name would have a control character."""
_KIND: Any = 'import'


def begin(connection: Connection, owner: Owner, token: str) -> Holdings:
    """Make room for an import, unless another one for this owner is under way."""
    discard_abandoned(connection)
    for staged, _, other in _staged(connection):
        if staged[:3] == [owner.project, owner.kind, owner.key] and other != token:
            raise Conflict(
                f'another import for {owner.kind} {owner.key!r} is under way: wait for it, then look what is there'
            )
    seen = _buried_at(connection, owner)
    ensure_owner(connection, Owner(_PROJECT, _KIND, json.dumps([owner.project, owner.kind, owner.key, token, seen])))
    return holdings(connection, owner)


def insert(connection: Connection, owner: Owner, token: str, rows: Sequence[RowIn], generation: int | None) -> None:
    """Write rows where nobody sees them yet."""
    staging, seen = _staging(connection, owner, token)
    _check_ground(connection, owner, seen)
    try:
        _insert(connection, staging, rows, generation)
    except apsw.ConstraintError as error:
        raise Conflict(
            f'an id in this document is held by somebody else in this storage already ({_first_id(rows)} or one of the '
            f'{len(rows)} items from there on): a subject is held once, so forget it there, or use another storage'
        ) from error


def finish(connection: Connection, owner: Owner, token: str, note: RestoreNote) -> None:
    """Let everybody see what was written."""
    staging, seen = _staging(connection, owner, token)
    _check_ground(connection, owner, seen)
    there = find_owner(connection, owner)
    if there is not None:
        held = holdings(connection, owner)
        if not held.empty:
            raise Conflict(f'{owner.kind} {owner.key!r} got something of its own meanwhile: nothing was imported')
        connection.execute(
            "UPDATE owner SET kind = 'erased', key = ?, salt = zeroblob(16) WHERE id = ?", (str(there.id), there.id)
        )
    connection.execute(
        'UPDATE owner SET project = ?, kind = ?, key = ? WHERE id = ?',
        (owner.project, owner.kind, owner.key, staging.id),
    )
    row = OwnerRow(staging.id, owner, staging.version, staging.epoch, staging.salt)
    _record(connection, row, note)
    connection.execute(
        "UPDATE job SET state = 'queued' WHERE row BETWEEN ? AND ? AND state = 'staged'",
        row_range(row.id),
    )
    settle(connection, (row.id,))
    touch(connection, row.id)


def _record(connection: Connection, owner: OwnerRow, note: RestoreNote) -> None:
    reason = 'restored' if note.restored else 'imported'
    lifted = tombstones.lift(connection, owner.owner, note.actor, reason) if note.restored else 0
    if note.forgotten_at is not None:
        forgetting = Forgetting(project=owner.owner.project, owner=owner.owner)
        tombstones.bury(connection, forgetting, to_us(note.forgotten_at))
    first = connection.execute('SELECT prev_hash FROM history WHERE row = ?', (owner.id << SEQ_BITS | 1,)).fetchone()
    (length,) = connection.execute('SELECT chain_length FROM owner WHERE id = ?', (owner.id,)).fetchone()
    told = {
        'digest': note.digest,
        'restored': note.restored,
        'lifted': lifted,
        'counts': dict(note.counts),
        # A chain begins with a hash that only the storage it was begun in can make.
        'chain': {'begins': first[0] if first else None, 'entries': length - (1 if lifted else 0)},
    }
    entry = Entry(
        op='import', actor=note.actor, reason=reason, change_id=new_id(), at=to_us(now()), after=dump_state(told)
    )
    auditing.append(connection, owner, (entry,))


def abandoned(connection: Connection) -> bool:
    """Whether an import was left by a process that is gone."""
    return any(holder_is_gone(token) for _, _, token in _staged(connection))


def discard_abandoned(connection: Connection) -> int:
    """Erase what imports left whose processes are gone. Returns how many."""
    gone = [name for name, _, token in _staged(connection) if holder_is_gone(token)]
    for name in gone:
        _discard(connection, name)
    return len(gone)


def discard(connection: Connection, token: str) -> None:
    """Erase what an import has written so far."""
    for name, _, other in _staged(connection):
        if other == token:
            _discard(connection, name)


def _discard(connection: Connection, name: Sequence[Any]) -> None:
    staging = find_owner(connection, Owner(_PROJECT, _KIND, json.dumps(name)))
    if staging is None:
        return
    erasing.erase_owner(connection, staging)
    # It never was anybody's: nothing is to be told of it.
    span = row_range(staging.id)
    for table in ('history', 'history_text'):
        connection.execute(f'DELETE FROM {table} WHERE row BETWEEN ? AND ?', span)
    connection.execute('DELETE FROM owner WHERE id = ?', (staging.id,))


def _staged(connection: Connection) -> list[tuple[list[Any], int, str]]:
    """Imports under way: the parts of their names, their owner rows, and their tokens."""
    rows = connection.execute('SELECT key, id FROM owner WHERE project = ? AND kind = ?', (_PROJECT, _KIND)).fetchall()
    return [(name, row, name[3]) for name, row in ((json.loads(key), row) for key, row in rows)]


def _staging(connection: Connection, owner: Owner, token: str) -> tuple[OwnerRow, int | None]:
    for name, _, other in _staged(connection):
        if other == token and name[:3] == [owner.project, owner.kind, owner.key]:
            found = find_owner(connection, Owner(_PROJECT, _KIND, json.dumps(name)))
            if found is not None:
                return found, name[4]
    raise Conflict(f'the import for {owner.kind} {owner.key!r} was dropped meanwhile: begin it anew')


def _check_ground(connection: Connection, owner: Owner, seen: int | None) -> None:
    if _buried_at(connection, owner) != seen:
        raise Conflict(
            f'{owner.kind} {owner.key!r}, or a part of it, was forgotten while it was imported: nothing was imported; '
            'ask for restore if it shall come back'
        )


def _buried_at(connection: Connection, owner: Owner) -> int | None:
    """When the owner, a part of it, or all of its project was last forgotten."""
    key = auditing.secret(connection)
    whole = subject_key(key, owner.project, owner, {})
    return connection.execute(
        'SELECT max(erased_at) FROM tombstone WHERE project = ?1 AND (of_owner = ?2 OR subject IN (?2, ?1))',
        (tombstones.project_key(key, owner.project), whole),
    ).fetchone()[0]


def _first_id(rows: Sequence[RowIn]) -> str:
    first = rows[0]
    if isinstance(first, EpisodeIn | MemoryIn):
        return f'{"message" if isinstance(first, EpisodeIn) else "memory"} {first.item.id}'
    return f'{type(first).__name__.removesuffix("Item").lower()} {getattr(first, "id", "")}'.strip()


def _insert(connection: Connection, owner: OwnerRow, rows: Sequence[RowIn], generation: int | None) -> None:
    by_kind: defaultdict[type, list[Any]] = defaultdict(list)
    for row in rows:
        by_kind[type(row)].append(row)
    current = current_generation(connection)
    tables = vector_tables(current.id) if current is not None and current.id == generation else None
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
        },
    )
    connection.executemany(
        'INSERT OR IGNORE INTO evidence(episode, memory) VALUES(?, ?)', [(span[0], row) for span in spans]
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
