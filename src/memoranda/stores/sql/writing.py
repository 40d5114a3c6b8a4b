"""What runs on the writer thread, inside its transaction: messages come in, changes are written."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import apsw

from memoranda.errors import Conflict, StoreError
from memoranda.records import Change, Job, MemoryRecord, Usage, content_hash, new_id, now
from memoranda.scope import Owner, Scope
from memoranda.stores.base import (
    JOB_FORMAT,
    Appended,
    Batch,
    Clash,
    Commit,
    Draft,
    Erased,
    Generation,
    LeaseLost,
    Quiet,
    VersionWrite,
)
from memoranda.stores.history import entry_of
from memoranda.stores.sql import auditing, reviewing
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import SEQ_BITS, SEQ_MASK, vector_tables
from memoranda.stores.sql.queue import OPEN_JOBS, settle
from memoranda.stores.sql.rows import (
    OwnerRow,
    dump,
    find_owner,
    row_range,
    to_us,
)
from memoranda.stores.sql.tombstones import admitted

if TYPE_CHECKING:
    from memoranda.lanes import FloatVector

__all__ = [
    'MEMORIES',
    'NO_OWNER',
    'SEGMENTS',
    'append',
    'commit',
    'current_generation',
    'generation_in',
    'put_vectors',
    'spend',
    'term_key',
    'tick',
    'unseen',
]

MEMORIES, SEGMENTS = 0, 1
NO_OWNER = -1
"""The version of an owner that was never written to."""
ROLES = {'user': 0, 'assistant': 1, 'system': 2, 'tool': 2}
_CHUNK_BITS = 9


def term_key(salt: bytes, term: str) -> int:
    """The index key of a term: a keyed hash, so the index itself holds no words."""
    digest = hashlib.blake2b(term.encode('utf-8', 'surrogatepass'), key=salt, digest_size=8).digest()
    return int.from_bytes(digest, 'little', signed=True)


def tick(connection: Connection) -> int:
    """The next number of the file's write counter."""
    return _one(connection, "UPDATE meta SET value = value + 1 WHERE key = 'clock' RETURNING value")


def ensure_owner(connection: Connection, owner: Owner) -> OwnerRow:
    """The owner's row, made if it is new."""
    found = find_owner(connection, owner)
    if found is not None:
        return found
    salt = secrets.token_bytes(16)
    version = tick(connection)
    id_ = _one(
        connection,
        'INSERT INTO owner(project, kind, key, version, epoch, salt) VALUES(?, ?, ?, ?, ?, ?) RETURNING id',
        (owner.project, owner.kind, owner.key, version, version, salt),
    )
    return OwnerRow(id_, owner, version, version, salt)


def take_rows(connection: Connection, owner: int, count: int) -> range:
    """Row keys for new rows of an owner."""
    after = _one(connection, 'UPDATE owner SET next_seq = next_seq + ? WHERE id = ? RETURNING next_seq', (count, owner))
    if after > SEQ_MASK:
        raise StoreError(f'one owner cannot hold more than {SEQ_MASK} rows: split it over several ids')
    base = owner << SEQ_BITS
    return range(base + after - count, base + after)


def touch(connection: Connection, owner: int) -> int:
    """A new version for the owner, so that every cache notices."""
    version = tick(connection)
    connection.execute('UPDATE owner SET version = ? WHERE id = ?', (version, owner))
    return version


def put_postings(connection: Connection, owner: OwnerRow, lane: int, rows: Iterable[tuple[int, Sequence[str]]]) -> None:
    """Add rows to the keyword index. Row keys must be greater than any already there."""
    data: defaultdict[tuple[str, int], bytearray] = defaultdict(bytearray)
    for row, terms in rows:
        seq = row & SEQ_MASK
        for term, count in Counter(terms).items():
            data[term, seq >> _CHUNK_BITS] += seq.to_bytes(4, 'little') + bytes((min(count, 255),))
    connection.executemany(
        'INSERT INTO posting VALUES(?, ?, ?, ?, ?) '
        'ON CONFLICT DO UPDATE SET data = CAST(data || excluded.data AS BLOB)',
        sorted((owner.id, lane, term_key(owner.salt, term), chunk, bytes(b)) for (term, chunk), b in data.items()),
    )


def append(connection: Connection, batch: Batch) -> Appended:
    """Store unseen messages and their job."""
    if batch.expect_version is not None:
        _check_ground(connection, batch.owner, batch.expect_version)
    if batch.held is not None:
        _check_held(connection, batch.held[0], batch.held[1])
        _check_epoch(connection, batch.held[0], batch.held[2])
    drafts = admitted(connection, batch)
    forgotten = len(batch.drafts) - len(drafts)
    if forgotten and not drafts:  # not even the owner's id is to come back by them
        return Appended(job_id=None, episode_ids=(), known=0, leased=False, forgotten=forgotten)
    owner = ensure_owner(connection, batch.owner)
    scope = batch.scope
    said = [[d.content_hash, d.metadata] for d in batch.drafts]
    told = [said, batch.job, scope.agent_id, scope.run_id, scope.app_id]
    digest = content_hash(json.dumps(told, sort_keys=True))
    if batch.idempotency_key is not None:
        replay = _replay(connection, owner.id, batch.idempotency_key, digest)
        if replay is not None:
            return replay
    batch = replace(batch, drafts=drafts)
    conversation, stored = _conversation(connection, owner.id, batch.conversation_id)
    drafts = unseen(connection, owner.id, conversation, stored, batch)
    known = len(batch.drafts) - len(drafts)
    if not drafts and batch.idempotency_key is None:
        return Appended(job_id=None, episode_ids=(), known=known, leased=False, forgotten=forgotten)
    ids, rows = _insert_episodes(connection, owner, conversation, stored, drafts, batch)
    waiting = _one(connection, f'SELECT EXISTS(SELECT 1 FROM job WHERE {OPEN_JOBS})', row_range(owner.id))
    state = 'done' if not drafts else 'queued' if waiting or not batch.lease else 'running'
    job_id, moment = new_id(), to_us(now())
    due = moment
    leased = state == 'running'
    quiet = batch.quiet if state == 'queued' and not batch.lease else None
    payload = {**batch.job, 'episodes': rows, 'conversation': conversation, 'said_under': _said_under(scope)}
    if batch.trace is not None:
        payload['trace'] = batch.trace
    if quiet is not None:
        due = _due(connection, owner.id, conversation, quiet, moment)
        if quiet.turns > 1:
            payload['turns'] = quiet.turns
    connection.execute(
        'INSERT INTO job(row, id, kind, payload, state, attempts, created_at, run_after, worker, lease_until, owner, '
        'idempotency_key, digest, format, touched_at, finished_at) '
        f'VALUES({", ".join("?" * 16)})',
        (
            take_rows(connection, owner.id, 1)[0],
            job_id,
            'extract',
            json.dumps(payload),
            state,
            int(leased),
            moment,
            due,
            batch.worker if leased else None,
            moment + int(batch.lease_seconds * 1e6) if leased else None,
            owner.id,
            batch.idempotency_key,
            digest,
            JOB_FORMAT,
            moment,
            moment if state == 'done' else None,
        ),
    )
    if drafts and (not waiting or quiet is not None):  # else the same job comes first as before
        settle(connection, (owner.id,))
    touch(connection, owner.id)
    return Appended(
        job_id=job_id if drafts else None,
        episode_ids=ids,
        known=known,
        leased=leased,
        forgotten=forgotten,
        waits=due > moment,
    )


def _due(connection: Connection, owner: int, conversation: int, quiet: Quiet, moment: int) -> int:
    """When a new turn of a conversation is due; the earlier ones that still wait for more are due with it."""
    if quiet.turns <= 1:
        return moment
    earlier = (
        f"WHERE {OPEN_JOBS} AND state = 'queued' AND attempts = 0 AND last_error IS NULL AND run_after > ? "
        "AND json_extract(payload, '$.conversation') = ?"
    )
    which = (*row_range(owner), moment, conversation)
    turns = _one(connection, f'SELECT count(*) FROM job {earlier}', which)
    if turns + 1 < quiet.turns:
        due = moment + int(quiet.seconds * 1e6)
        connection.execute(f'UPDATE job SET run_after = ?, touched_at = ? {earlier}', (due, moment, *which))
        return due
    connection.execute(  # the turns of other conversations that wait come first: else these would wait for them
        f"UPDATE job SET run_after = ?, touched_at = ? WHERE {OPEN_JOBS} AND state = 'queued' AND attempts = 0 "
        'AND last_error IS NULL AND run_after > ?',
        (moment, moment, *row_range(owner), moment),
    )
    return moment


def _said_under(scope: Scope) -> dict[str, str]:
    """The ids beside the owner's, for an erasure to find the job by."""
    ids = {'agent_id': scope.agent_id, 'run_id': scope.run_id, 'app_id': scope.app_id}
    return {name: id_ for name, id_ in ids.items() if id_ is not None}


def _check_ground(connection: Connection, owner: Owner, version: int) -> None:
    # The messages count too: what was said in between may be what is to be stored.
    found = find_owner(connection, owner)
    if (NO_OWNER if found is None else found.version) != version:
        raise Conflict('something was written for this owner since the preview, nothing was stored: preview again')
    if found is not None and _one(connection, f'SELECT count(*) FROM job WHERE {OPEN_JOBS}', row_range(found.id)):
        raise Conflict('earlier messages of this owner still wait to be processed, nothing was stored: preview again')


def _replay(connection: Connection, owner: int, key: str, digest: str) -> Appended | None:
    for job_id, payload, found in connection.execute(
        'SELECT id, payload, digest FROM job WHERE owner = ? AND idempotency_key = ?', (owner, key)
    ):
        if found != digest:
            raise Conflict(
                f'idempotency_key={key!r} was used before for other messages or options: use a new key for new content'
            )
        rows = json.loads(payload)['episodes']
        ids = [i for r in rows for (i,) in connection.execute('SELECT id FROM episode WHERE row = ?', (r,))]
        return Appended(job_id=job_id if rows else None, episode_ids=ids, known=0, leased=False, replayed=True)
    return None


def _conversation(connection: Connection, owner: int, id_: str) -> tuple[int, int]:
    for row, messages in connection.execute(
        'SELECT row, messages FROM conversation WHERE owner = ? AND id = ?', (owner, id_)
    ):
        return row, messages
    (row,) = take_rows(connection, owner, 1)
    connection.execute('INSERT INTO conversation(row, id, owner) VALUES(?, ?, ?)', (row, id_, owner))
    return row, 0


def unseen(connection: Connection, owner: int, conversation: int, stored: int, batch: Batch) -> Sequence[Draft]:
    """The drafts this conversation doesn't hold yet.

    A message that carries its own moment is the same message wherever it turns up again. The others are matched by
    order: what a re-sent list repeats is the longest run at its start that ends where the conversation ends, or the
    whole list when it has three messages and lies inside. A single undated message is always a new turn: people do
    say "ok" twice.
    """
    drafts = list(batch.drafts)
    if not batch.history:
        return drafts
    if all(d.dated for d in drafts):
        low, high = row_range(owner)
        return [
            d
            for d in drafts
            if not _one(
                connection,
                'SELECT EXISTS(SELECT 1 FROM episode WHERE content_hash = ? AND dated AND row BETWEEN ? AND ?)',
                (d.content_hash, low, high),
            )
        ]
    if not stored or len(drafts) == 1:
        return drafts
    held: list[str] = [
        h
        for (h,) in connection.execute(
            'SELECT content_hash FROM episode WHERE conversation = ? ORDER BY seq', (conversation,)
        )
    ]
    coming = [d.content_hash for d in drafts]
    for size in range(min(len(held), len(coming)), 0, -1):
        if held[-size:] == coming[:size]:
            return drafts[size:]
    width = len(coming)
    # A question and its answer may well be said twice; three messages in a row are hardly.
    if width > 2 and any(held[i : i + width] == coming for i in range(len(held) - width + 1)):
        return []
    return drafts


def _insert_episodes(
    connection: Connection,
    owner: OwnerRow,
    conversation: int,
    stored: int,
    drafts: Sequence[Draft],
    batch: Batch,
) -> tuple[list[str], list[int]]:
    recorded = to_us(now())
    segments = sum(len(d.segments) for d in drafts)
    keys = iter(take_rows(connection, owner.id, len(drafts) + segments))
    position: int = (
        _one(
            connection,
            'UPDATE conversation SET messages = messages + ?, segments = segments + ? WHERE row = ? RETURNING segments',
            (len(drafts), segments, conversation),
        )
        - segments
    )
    ids: list[str] = []
    rows: list[int] = []
    indexed: list[tuple[int, Sequence[str]]] = []
    for offset, draft in enumerate(drafts):
        row, id_ = next(keys), new_id()
        occurred = to_us(draft.occurred_at)
        speaker = _speaker(connection, owner.id, draft.name)
        connection.execute(
            f'INSERT INTO episode VALUES({", ".join("?" * 16)})',
            (
                row, id_, conversation, stored + offset, draft.role, draft.name, draft.text, occurred, recorded,
                int(draft.dated), draft.trust, batch.scope.agent_id, batch.scope.run_id, batch.scope.app_id,
                dump(draft.metadata), draft.content_hash,
            ),
        )  # fmt: skip
        for segment in draft.segments:
            key = next(keys)
            connection.execute(
                'INSERT INTO segment VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
                (
                    key, row, segment.start, segment.end, conversation, position, len(segment.terms), occurred,
                    ROLES[draft.role], speaker,
                ),
            )  # fmt: skip
            indexed.append((key, segment.terms))
            position += 1
        ids.append(id_)
        rows.append(row)
    put_postings(connection, owner, SEGMENTS, indexed)
    return ids, rows


def _speaker(connection: Connection, owner: int, name: str | None) -> int:
    if name is None:
        return -1
    for (ordinal,) in connection.execute('SELECT ordinal FROM speaker WHERE owner = ? AND name = ?', (owner, name)):
        return ordinal
    ordinal = _one(connection, 'SELECT count(*) FROM speaker WHERE owner = ?', (owner,))
    connection.execute('INSERT INTO speaker VALUES(?, ?, ?)', (owner, ordinal, name))
    return ordinal


def current_generation(connection: Connection) -> Generation | None:
    """The embedding generation that searches use."""
    return generation_in(connection, 'current')


def generation_in(connection: Connection, state: Literal['current', 'building']) -> Generation | None:
    """The embedding generation in this state."""
    for id_, embedder, dimensions in connection.execute(
        'SELECT id, embedder, dimensions FROM generation WHERE state = ?', (state,)
    ):
        return Generation(id=id_, embedder=embedder, dimensions=dimensions, state=state)
    return None


def commit(connection: Connection, commit: Commit) -> None:
    """Write a change, its index rows and vectors, and end its job: all or nothing."""
    if commit.job is not None:
        _check_lease(connection, commit.job, commit.merged, commit.worker)
        _check_epoch(connection, commit.job.id, commit.epoch)
    if commit.expect_version is not None and _moved_on(connection, commit.owner, commit.expect_version):
        raise Conflict('these memories were changed by someone else meanwhile: read them again')
    owner = ensure_owner(connection, commit.owner)
    version = touch(connection, owner.id)
    current = current_generation(connection)
    tables = vector_tables(current.id) if current else None
    ours = current is not None and current.id == commit.generation
    if commit.change is not None and commit.change.edits:
        try:
            _write_change(connection, owner, commit.change, commit.writes, version, tables[0] if tables else None, ours)
        except apsw.ConstraintError as error:
            raise Clash('a current memory already says this, or holds this slot: read them again') from error
    if tables and ours:
        put_vectors(connection, SEGMENTS, tables[1], commit.segment_vectors)
    if commit.job is not None:
        connection.execute(
            "UPDATE job SET state = 'done', finished_at = ?, worker = NULL, lease_until = NULL, last_error = NULL "
            "WHERE state = 'running' AND worker = ? AND ? IN (id, merged_into)",
            (to_us(now()), commit.worker, commit.job.id),
        )
        spend(connection, commit.job.id, commit.usage)
        settle(connection, (owner.id,))


def spend(connection: Connection, job_id: str, usage: Usage) -> None:
    """Note what the model took: with the job, and in totals that outlive it."""
    spent = {'requests': usage.requests, 'input_tokens': usage.input_tokens, 'output_tokens': usage.output_tokens}
    if not any(spent.values()):
        return
    connection.execute(
        'UPDATE job SET requests = requests + ?, input_tokens = input_tokens + ?, output_tokens = output_tokens + ?, '
        'cost = CASE WHEN ?4 IS NULL THEN cost ELSE coalesce(cost, 0) + ?4 END WHERE id = ?5',
        (*spent.values(), usage.cost, job_id),
    )
    for name, value in {**spent, 'cost': usage.cost}.items():
        if value is not None:
            connection.execute(
                'INSERT INTO meta VALUES(?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value',
                (f'spent_{name}', value),
            )


def _moved_on(connection: Connection, owner: Owner, version: int) -> bool:
    """Whether memories were written or erased after this version. Messages that came in since don't matter."""
    found = find_owner(connection, owner)
    if found is None:
        return version != NO_OWNER
    written = 'SELECT EXISTS(SELECT 1 FROM memory WHERE owner = ? AND touched > ?)'
    return found.epoch > version or bool(_one(connection, written, (found.id, version)))


def put_vectors(connection: Connection, lane: int, table: str, vectors: Iterable[tuple[int, FloatVector]]) -> None:
    """Store vectors of rows that are still there."""
    source = ('memory', 'segment')[lane]
    connection.executemany(
        f'INSERT OR REPLACE INTO {table} SELECT ?1, ?2 WHERE EXISTS(SELECT 1 FROM {source} WHERE row = ?1)',
        [(row, vector.tobytes()) for row, vector in vectors],
    )


def _check_lease(connection: Connection, job: Job, merged: Sequence[str], worker: str) -> None:
    for id_ in (job.id, *merged):
        _check_held(connection, id_, worker)


def _check_epoch(connection: Connection, job_id: str, epoch: int | None) -> None:
    found = _one(connection, 'SELECT epoch FROM owner WHERE id = (SELECT owner FROM job WHERE id = ?)', (job_id,))
    if epoch is not None and found is not None and found > epoch:
        raise Erased(f'something of the owner of job {job_id} was erased meanwhile: read its messages again')


def _check_held(connection: Connection, job_id: str, worker: str) -> None:
    found = connection.execute('SELECT state, worker FROM job WHERE id = ?', (job_id,)).fetchone()
    if found is None:
        raise LeaseLost(f'job {job_id} is gone, its messages were erased: its result was dropped')
    if found != ('running', worker):
        raise LeaseLost(f'job {job_id} is {found[0]} and no longer held by this worker: its result was dropped')


def _write_change(
    connection: Connection,
    owner: OwnerRow,
    change: Change,
    writes: Sequence[VersionWrite],
    version: int,
    table: str | None,
    ours: bool,
) -> None:
    at = to_us(change.at)
    keys = take_rows(connection, owner.id, len(change.edits) + 1)
    connection.execute(
        'INSERT INTO change_set VALUES(?, ?, ?, ?, ?, ?)',
        (keys[0], change.id, change.actor, change.reason, change.job_id, at),
    )
    for edit in change.edits:
        if edit.before is not None:
            connection.execute(
                'UPDATE memory SET retired_at = ?, live = 0, touched = ? '
                'WHERE id = ? AND version = ? AND retired_at IS NULL AND owner = ?',
                (at, version, edit.before.id, edit.before.version, owner.id),
            )
            if connection.changes() != 1:
                raise Conflict(f'memory {edit.memory_id} was changed by someone else meanwhile: read it again')
    indexed: list[tuple[int, Sequence[str]]] = []
    vectors: list[tuple[int, FloatVector]] = []
    for row, edit, write in zip(keys[1:], change.edits, writes, strict=True):
        _insert_version(connection, owner.id, row, edit.after, version, len(write.terms))
        indexed.append((row, write.terms))
        if table and ours and write.vector is not None:
            vectors.append((row, write.vector))
        elif table and write.vector is None and edit.before is not None:  # whoever made it: the words are the same
            connection.execute(
                f'INSERT INTO {table} SELECT ?, vector FROM {table} WHERE row = '
                '(SELECT row FROM memory WHERE id = ? AND version = ?)',
                (row, edit.before.id, edit.before.version),
            )
    put_postings(connection, owner, MEMORIES, indexed)
    if table:
        put_vectors(connection, MEMORIES, table, vectors)
    reviewing.keep_notes(connection, owner.id, change.edits, at)
    auditing.append(connection, owner, [entry_of(edit, change) for edit in change.edits])


def _insert_version(
    connection: Connection, owner: int, row: int, memory: MemoryRecord, version: int, length: int
) -> None:
    spans: list[list[int]] = []
    for evidence in memory.evidence:
        episode = _one(
            connection, 'SELECT row FROM episode WHERE row >> 24 = ? AND id = ?', (owner, evidence.episode_id)
        )
        if episode is None:
            raise Conflict(f'message {evidence.episode_id} was erased meanwhile: read the memories again')
        spans.append([episode, evidence.start, evidence.end])
    live = memory.status == 'active' and memory.retired_at is None
    values = (
        row, owner, memory.id, memory.version, memory.level, memory.scope.run_key(memory.level),
        memory.said_under.agent_id, memory.said_under.run_id, memory.said_under.app_id,
        memory.text, memory.kind, memory.slot, memory.status, memory.confidence, memory.importance, memory.trust,
        int(memory.pinned), int(memory.locked), to_us(memory.valid_from), _us(memory.valid_to),
        to_us(memory.said_at), to_us(memory.recorded_at), _us(memory.retired_at), _us(memory.expires_at),
        memory.supersedes, memory.superseded_by, json.dumps(spans), dump(memory.metadata),
        json.dumps(memory.tags, ensure_ascii=False), memory.actor, memory.change_id, memory.hash, length,
        int(live), version, memory.value,
    )  # fmt: skip
    connection.execute(f'INSERT INTO memory VALUES({", ".join("?" * len(values))})', values)
    connection.executemany('INSERT OR IGNORE INTO evidence VALUES(?, ?)', [(span[0], row) for span in spans])


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else to_us(moment)


def _one(connection: Connection, sql: str, values: Sequence[Any] = ()) -> Any:
    for row in connection.execute(sql, values):
        return row[0]
    return None
