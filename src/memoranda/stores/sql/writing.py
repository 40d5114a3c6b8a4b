"""What runs on the writer thread, inside its transaction: messages come in, changes are written."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from memoranda.errors import Conflict
from memoranda.records import Change, Episode, Usage, content_hash, new_id, now
from memoranda.scope import Owner, Scope
from memoranda.stores.data import (
    JOB_FORMAT,
    Appended,
    Batch,
    Clash,
    Commit,
    Draft,
    Erased,
    LeaseLost,
    Quiet,
    VersionWrite,
    Work,
)
from memoranda.stores.generation import Generation
from memoranda.stores.history import entry_of, message_digest
from memoranda.stores.sql import auditing, reviewing
from memoranda.stores.sql.begun import begun, last_said
from memoranda.stores.sql.daily import count_cost, count_day, count_edits
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import SEQ_MASK, vector_tables
from memoranda.stores.sql.lacking import note_lacking
from memoranda.stores.sql.locks import hold_owners
from memoranda.stores.sql.owners import advance_sought, hold_sought, make_owner, take_held
from memoranda.stores.sql.queue import OPEN_JOBS, moment_of, place, settle
from memoranda.stores.sql.rows import (
    OwnerRow,
    dump,
    find_owner,
    row_range,
    to_us,
    within,
)
from memoranda.stores.sql.tombstones import admitted
from memoranda.stores.sql.versions import Known, insert_versions, messages_sought

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
    'generation_sought',
    'put_vectors',
    'spend',
    'term_key',
    'unseen',
]

MEMORIES, SEGMENTS = 0, 1
NO_OWNER = -1
"""The version of an owner that was never written to."""
ROLES = {'user': 0, 'assistant': 1, 'system': 2, 'tool': 2}
_CHUNK_BITS = 9
_PARTS: Final = 16
_COST: Final = 'CAST(?4 AS DOUBLE PRECISION)'
_EPISODE: Final = (
    'row, id, conversation, seq, role, name, text, occurred_at, recorded_at, dated, trust, agent_id, run_id, app_id, '
    'metadata, content_hash'
)
_SEGMENT: Final = 'row, episode, first, last, conversation, position, length, at, role, speaker'


def term_key(salt: bytes, term: str) -> int:
    """The index key of a term: a keyed hash, so the index itself holds no words."""
    digest = hashlib.blake2b(term.encode('utf-8', 'surrogatepass'), key=salt, digest_size=8).digest()
    return int.from_bytes(digest, 'little', signed=True)


def put_postings(connection: Connection, owner: OwnerRow, lane: int, rows: Iterable[tuple[int, Sequence[str]]]) -> None:
    """Add rows to the keyword index. Row keys must be greater than any already there."""
    data: defaultdict[tuple[str, int], bytearray] = defaultdict(bytearray)
    for row, terms in rows:
        seq = row & SEQ_MASK
        for term, count in Counter(terms).items():
            data[term, seq >> _CHUNK_BITS] += seq.to_bytes(4, 'little') + bytes((min(count, 255),))
    connection.executemany(
        'INSERT INTO posting(owner, lane, term, chunk, data) VALUES(?, ?, ?, ?, ?) '
        'ON CONFLICT(owner, lane, term, chunk) '
        f'DO UPDATE SET data = {connection.dialect.appended("posting.data", "excluded.data")}',
        sorted((owner.id, lane, term_key(owner.salt, term), chunk, bytes(b)) for (term, chunk), b in data.items()),
    )


def append(connection: Connection, batch: Batch, guess: int | None = None) -> Appended:
    """Store unseen messages and their job.

    Args:
        connection: In a transaction.
        batch: The messages.
        guess: The owner's number as it was last time: what it takes is asked together with what that is now.
    """
    sought_owner = _hold_for(connection, batch)
    looked = None if guess is None else _conversation_sought(connection, guess, batch)
    owner = sought_owner()
    if batch.expect_version is not None:
        _check_ground(connection, batch.owner, batch.expect_version)
    if batch.held is not None:
        _held(connection, batch.held[:1])(batch.held[1], batch.held[2])
    drafts = admitted(connection, batch)
    forgotten = len(batch.drafts) - len(drafts)
    if forgotten and not drafts:  # not even the owner's id is to come back by them
        return Appended(job_id=None, episode_ids=(), known=0, leased=False, forgotten=forgotten)
    newcomer = owner is None
    owner = owner or make_owner(connection, batch.owner)
    scope = batch.scope
    said = [[d.content_hash, d.metadata] for d in batch.drafts]
    options = {name: option for name, option in batch.job.items() if name != 'by'}  # whoever says it again
    told = [said, options, scope.agent_id, scope.run_id, scope.app_id]
    digest = content_hash(json.dumps(told, sort_keys=True))
    if batch.idempotency_key is not None:
        replay = _replay(connection, owner.id, batch.idempotency_key, digest)
        if replay is not None:
            return replay
    batch = replace(batch, drafts=drafts)
    if looked is None or owner.id != guess:
        looked = _conversation_sought(connection, owner.id, batch)
    there, waiting = looked.there()
    drafts = unseen(connection, owner.id, *(there or (-1, 0))[:2], batch)
    known = len(batch.drafts) - len(drafts)
    if not drafts and batch.idempotency_key is None:
        return Appended(job_id=None, episode_ids=(), known=known, leased=False, forgotten=forgotten)
    segments = sum(len(draft.segments) for draft in drafts)
    keys = iter(take_held(connection, owner, (there is None) + len(drafts) + segments + 1))
    conversation = there[0] if there else next(keys)
    stored, position = _grown(connection, owner.id, conversation, batch.conversation_id, there, len(drafts), segments)
    said_now = _insert_episodes(connection, owner, conversation, stored, position, keys, drafts, batch)
    rows = [row for row, *_ in said_now.messages]
    state = 'done' if not drafts else 'queued' if waiting or not batch.lease else 'running'
    job_id, moment = new_id(), moment_of(connection)
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
    until = moment + int(batch.lease_seconds * 1e6) if leased else None
    told_job, worker = json.dumps(payload), batch.worker if leased else None
    finished = moment if state == 'done' else None
    connection.execute(
        'INSERT INTO job(row, id, kind, payload, state, attempts, created_at, run_after, worker, lease_until, owner, '
        'idempotency_key, digest, format, touched_at, finished_at) '
        f'VALUES({", ".join("?" * 16)})',
        (
            next(keys), job_id, 'extract', told_job, state, int(leased), moment, due, worker, until, owner.id,
            batch.idempotency_key, digest, JOB_FORMAT, moment, finished,
        ),
    )  # fmt: skip
    if drafts and not waiting:
        place(connection, owner.id, due if until is None else until, JOB_FORMAT)
    elif drafts and quiet is not None:  # else the same job comes first as before
        settle(connection, (owner.id,))
    count_day(
        connection,
        batch.owner,
        owner.id,
        now(),
        messages=len(drafts),
        letters=sum(len(draft.text) for draft in drafts),
        people=int(newcomer and batch.owner.kind == 'user'),
    )
    work: Work | None = None
    if leased:
        job = (
            job_id, 'extract', told_job, state, 1, due, until, None, moment, None, 0, None, JOB_FORMAT, 0, 0, 0, None,
            worker,
        )  # fmt: skip
        work = begun(owner, job, said_now.messages, said_now.segments, looked.previous(), connection.skew_us)
    return Appended(
        job_id=job_id if drafts else None,
        episode_ids=[id_ for _, id_, *_ in said_now.messages],
        known=known,
        leased=leased,
        forgotten=forgotten,
        waits=due > moment,
        work=work,
    )


def _hold_for(connection: Connection, batch: Batch) -> Callable[[], OwnerRow | None]:
    """Hold the owner of a batch, which may be new, and the owner of the job that it hangs on; to be looked at later."""
    if connection.dialect.shared and batch.held is not None:
        there = find_owner(connection, batch.owner)
        of_job = connection.execute('SELECT owner FROM job WHERE id = ?', (batch.held[0],)).fetchone()
        hold_owners(connection, [*([there.id] if there else ()), *(of_job or ())])
    return hold_sought(connection, batch.owner)


def _due(connection: Connection, owner: int, conversation: int, quiet: Quiet, moment: int) -> int:
    """When a new turn of a conversation is due; the earlier ones that still wait for more are due with it."""
    if quiet.turns <= 1:
        return moment
    earlier = (
        f"WHERE {OPEN_JOBS} AND state = 'queued' AND attempts = 0 AND last_error IS NULL AND run_after > ? "
        f'AND {connection.dialect.member("payload", "conversation")} = ?'
    )
    which = (*row_range(owner), moment, str(conversation))
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
        named = dict(within(connection, 'SELECT row, id FROM episode WHERE row', rows))
        ids = [named[row] for row in rows if row in named]
        return Appended(job_id=job_id if rows else None, episode_ids=ids, known=0, leased=False, replayed=True)
    return None


class _Looked(NamedTuple):
    """What was asked about a conversation, to be looked at later."""

    there: Callable[[], tuple[tuple[int, int, int] | None, bool]]
    """Its row and how many messages and segments it has, and whether jobs of the owner wait."""
    previous: Callable[[], Sequence[Episode]]
    """The messages that it ended with, for whoever does the job."""


def _conversation_sought(connection: Connection, owner: int, batch: Batch) -> _Looked:
    id_ = batch.conversation_id
    found = connection.ask(
        'SELECT c.row, c.messages, c.segments, EXISTS(SELECT 1 FROM job j WHERE j.row BETWEEN ?3 AND ?4 '
        "AND j.state IN ('queued', 'running')) FROM (SELECT 1) one "
        'LEFT JOIN conversation c ON c.owner = ?1 AND c.id = ?2',
        (owner, id_, *row_range(owner)),
    )
    # Without a run it is a new one.
    goes_on = batch.lease and batch.scope.run_id is not None
    previous = last_said(connection, owner, id_, batch.owner) if goes_on else list[Episode]

    def there() -> tuple[tuple[int, int, int] | None, bool]:
        row, messages, segments, waiting = found.fetchone()
        return None if row is None else (row, messages, segments), bool(waiting)

    return _Looked(there, previous)


def _grown(
    connection: Connection,
    owner: int,
    row: int,
    id_: str,
    there: tuple[int, int, int] | None,
    messages: int,
    segments: int,
) -> tuple[int, int]:
    """Make room in a conversation, or make it. Returns where its new messages and segments begin."""
    if there is None:
        connection.execute(
            'INSERT INTO conversation(row, id, owner, messages, segments) VALUES(?, ?, ?, ?, ?)',
            (row, id_, owner, messages, segments),
        )
        return 0, 0
    connection.execute(
        'UPDATE conversation SET messages = messages + ?, segments = segments + ? WHERE row = ?',
        (messages, segments, row),
    )
    return there[1], there[2]


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
        found = connection.execute(
            f'SELECT content_hash FROM episode WHERE content_hash IN {connection.dialect.texts("?")} '
            f'AND {connection.dialect.flag("dated")} AND row BETWEEN ? AND ?',
            (json.dumps([d.content_hash for d in drafts]), *row_range(owner)),
        )
        seen = {hash_ for (hash_,) in found}
        return [d for d in drafts if d.content_hash not in seen]
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


class _Said(NamedTuple):
    """Messages as they were stored."""

    messages: list[tuple[Any, ...]]
    """As rows of `EPISODE_COLUMNS`."""
    segments: list[tuple[int, str]]
    """(row key, text)"""


def _insert_episodes(
    connection: Connection,
    owner: OwnerRow,
    conversation: int,
    stored: int,
    position: int,
    keys: Iterator[int],
    drafts: Sequence[Draft],
    batch: Batch,
) -> _Said:
    recorded = to_us(now())
    speakers = _speakers(connection, owner.id, {draft.name for draft in drafts if draft.name is not None})
    episodes: list[tuple[Any, ...]] = []
    segments: list[tuple[int, ...]] = []
    indexed: list[tuple[int, Sequence[str]]] = []
    said = _Said([], [])
    for offset, draft in enumerate(drafts):
        row, id_, metadata = next(keys), new_id(), dump(draft.metadata)
        occurred = to_us(draft.occurred_at)
        speaker = -1 if draft.name is None else speakers[draft.name]
        episodes.append((
            row, id_, conversation, stored + offset, draft.role, draft.name, draft.text, occurred, recorded,
            int(draft.dated), draft.trust, batch.scope.agent_id, batch.scope.run_id, batch.scope.app_id,
            metadata, draft.content_hash,
        ))  # fmt: skip
        said.messages.append((
            row, id_, batch.conversation_id, stored + offset, draft.role, draft.name, draft.text, occurred, recorded,
            draft.trust, batch.scope.agent_id, batch.scope.run_id, batch.scope.app_id, metadata, draft.content_hash,
        ))  # fmt: skip
        for segment in draft.segments:
            key = next(keys)
            segments.append((
                key, row, segment.start, segment.end, conversation, position, len(segment.terms), occurred,
                ROLES[draft.role], speaker,
            ))  # fmt: skip
            indexed.append((key, segment.terms))
            said.segments.append((key, draft.text[segment.start : segment.end]))
            position += 1
    connection.executemany(f'INSERT INTO episode({_EPISODE}) VALUES({", ".join("?" * 16)})', episodes)
    connection.executemany(f'INSERT INTO segment({_SEGMENT}) VALUES({", ".join("?" * 10)})', segments)
    put_postings(connection, owner, SEGMENTS, indexed)
    return said


def _speakers(connection: Connection, owner: int, names: Collection[str]) -> dict[str, int]:
    """The numbers of the owner's speakers, with these among them."""
    if not names:
        return {}
    rows = connection.execute('SELECT name, ordinal FROM speaker WHERE owner = ?', (owner,)).fetchall()
    known: dict[str, int] = dict(rows)
    fresh = sorted(name for name in names if name not in known)
    known.update(zip(fresh, range(len(rows), len(rows) + len(fresh)), strict=True))
    connection.executemany(
        'INSERT INTO speaker(owner, ordinal, name) VALUES(?, ?, ?)', [(owner, known[name], name) for name in fresh]
    )
    return known


def current_generation(connection: Connection) -> Generation | None:
    """The embedding generation that searches use."""
    return generation_in(connection, 'current')


def generation_sought(connection: Connection) -> Callable[[], Generation | None]:
    """`current_generation`, to be looked at later, see `rows.sought`."""
    return _generation_sought(connection, 'current')


def generation_in(connection: Connection, state: Literal['current', 'building']) -> Generation | None:
    """The embedding generation in this state."""
    return _generation_sought(connection, state)()


def _generation_sought(
    connection: Connection, state: Literal['current', 'building']
) -> Callable[[], Generation | None]:
    found = connection.ask('SELECT id, embedder, dimensions FROM generation WHERE state = ?', (state,))

    def look() -> Generation | None:
        row = found.fetchone()
        return None if row is None else Generation(id=row[0], embedder=row[1], dimensions=row[2], state=state)

    return look


def commit(connection: Connection, commit: Commit, guess: int | None = None) -> None:
    """Write a change, its index rows and vectors, and end its job: all or nothing.

    Args:
        connection: In a transaction.
        commit: What.
        guess: The owner's number as it was last time: what it takes is asked together with what that is now.
    """
    sought_owner = hold_sought(connection, commit.owner)
    check = None if commit.job is None else _held(connection, (commit.job.id, *commit.merged))
    sought_generation = generation_sought(connection)
    ground = None if guess is None else _ground(connection, guess, commit)
    owner = sought_owner()
    if check is not None:
        check(commit.worker, commit.epoch)
    newcomer = owner is None
    if owner is None:
        if commit.expect_version not in (None, NO_OWNER):
            raise _moved_on()
        owner = make_owner(connection, commit.owner)
    if ground is None or owner.id != guess:
        ground = _ground(connection, owner.id, commit)
    if not newcomer and ground.moved_on(owner.epoch):
        raise _moved_on()
    try:
        _write_commit(connection, owner, commit, ground, sought_generation())
        if commit.change is not None:
            edits = commit.change.edits
            count_edits(connection, commit.owner, owner.id, commit.change.at, edits, newcomer=newcomer)
        if commit.job is not None:
            settle(connection, (owner.id,))
        connection.ending(_clash)
    except connection.violations as error:
        raise _clash() from error


def _moved_on() -> Conflict:
    return Conflict('these memories were changed by someone else meanwhile: read them again')


def _clash() -> Clash:
    return Clash('a current memory already says this, or holds this slot: read them again')


def _write_commit(
    connection: Connection, owner: OwnerRow, commit: Commit, ground: _Ground, current: Generation | None
) -> None:
    tables = vector_tables(current.id) if current else None
    ours = current is not None and current.id == commit.generation
    if commit.change is not None and commit.change.edits:
        table = tables[0] if tables else None
        _write_change(connection, owner, commit.change, commit.writes, ground, table, ours)
    if tables and ours:
        put_vectors(connection, SEGMENTS, tables[1], commit.segment_vectors)
    elif tables and (commit.segment_vectors or any(write.vector is not None for write in commit.writes)):
        note_lacking(connection, owner.id)
    if commit.job is not None:
        connection.execute(
            "UPDATE job SET state = 'done', finished_at = ?, worker = NULL, lease_until = NULL, last_error = NULL "
            "WHERE state = 'running' AND worker = ? AND (id = ? OR merged_into = ?)",
            (moment_of(connection), commit.worker, commit.job.id, commit.job.id),
        )
        spend(connection, commit.job.id, owner.id, commit.usage)


def spend(connection: Connection, job_id: str | None, owner: int | None, usage: Usage) -> None:
    """Note what the model took: with the job, and in totals that outlive it.

    Args:
        connection: In a transaction.
        job_id: None when the job is gone.
        owner: Whose it is, or was.
        usage: What it took.
    """
    spent = (usage.requests, usage.input_tokens, usage.output_tokens)
    if not any(spent):
        return
    cost = None if usage.cost is None else float(usage.cost)
    if job_id is not None:
        connection.execute(
            'UPDATE job SET requests = requests + ?, input_tokens = input_tokens + ?, '
            'output_tokens = output_tokens + ?, '
            f'cost = CASE WHEN {_COST} IS NULL THEN cost ELSE coalesce(cost, 0) + {_COST} END WHERE id = ?5',
            (*spent, cost, job_id),
        )
    connection.execute(
        'INSERT INTO spent(part, requests, input_tokens, output_tokens, cost) VALUES(?, ?, ?, ?, ?) '
        'ON CONFLICT(part) DO UPDATE SET requests = spent.requests + excluded.requests, '
        'input_tokens = spent.input_tokens + excluded.input_tokens, '
        'output_tokens = spent.output_tokens + excluded.output_tokens, cost = CASE WHEN excluded.cost IS NULL '
        'THEN spent.cost ELSE coalesce(spent.cost, 0) + excluded.cost END',
        ((owner or 0) % _PARTS, *spent, cost),
    )
    if owner is not None:
        count_cost(connection, owner, now(), spent, cost)


class _Ground(NamedTuple):
    """What is asked of an owner that is held before something of it is written; to be looked at later."""

    moved_on: Callable[[int], bool]
    """Given the owner's epoch: whether memories were written or erased after the version that is expected. Messages
    that came in since don't matter."""
    advanced: Callable[[], tuple[range, int]]
    """Row keys, and the new version."""
    messages: Callable[[], Mapping[str, Known]]
    """The messages that the new memories rest on, by their ids."""
    chain: Callable[[], tuple[int, str]]


def _ground(connection: Connection, owner: int, commit: Commit) -> _Ground:
    edits = commit.change.edits if commit.change is not None else ()
    return _Ground(
        _moved_on_sought(connection, owner, commit.expect_version),
        advance_sought(connection, owner, commit.owner, len(edits) + 1 if edits else 0),
        messages_sought(connection, owner, [edit.after for edit in edits]),
        auditing.chain_sought(connection, owner),
    )


def _moved_on_sought(connection: Connection, owner: int, version: int | None) -> Callable[[int], bool]:
    if version is None:
        return lambda epoch: False
    written = 'SELECT EXISTS(SELECT 1 FROM memory WHERE owner = ? AND touched > ?)'
    found = connection.ask(written, (owner, version))
    return lambda epoch: epoch > version or bool(found.fetchone()[0])


def put_vectors(connection: Connection, lane: int, table: str, vectors: Iterable[tuple[int, FloatVector]]) -> None:
    """Store vectors of rows that are still there."""
    source = ('memory', 'segment')[lane]
    pack = connection.dialect.pack
    connection.executemany(
        f'INSERT INTO {table}(row, vector) SELECT ?1, ?2 WHERE EXISTS(SELECT 1 FROM {source} WHERE row = ?1) '
        'ON CONFLICT(row) DO UPDATE SET vector = excluded.vector',
        [(row, pack(vector)) for row, vector in vectors],
    )


def _held(connection: Connection, job_ids: Sequence[str]) -> Callable[[str, int | None], None]:
    """A check whether a worker holds these jobs, and nothing of their owner was erased since an epoch."""
    marks = ', '.join('?' * len(job_ids))
    rows = connection.ask(
        f'SELECT j.id, j.state, j.worker, o.epoch FROM job j CROSS JOIN owner o WHERE j.id IN ({marks}) '
        'AND o.id = j.owner',
        job_ids,
    )

    def check(worker: str, epoch: int | None) -> None:
        found = {id_: (state, holder, now_at) for id_, state, holder, now_at in rows}
        for job_id in job_ids:
            state, holder, _ = found.get(job_id, (None, None, 0))
            if state is None:
                raise LeaseLost(f'job {job_id} is gone, its messages were erased: its result was dropped')
            if (state, holder) != ('running', worker):
                raise LeaseLost(f'job {job_id} is {state} and no longer held by this worker: its result was dropped')
        if epoch is not None and found[job_ids[0]][2] > epoch:
            raise Erased(f'something of the owner of job {job_ids[0]} was erased meanwhile: read its messages again')

    return check


def _write_change(
    connection: Connection,
    owner: OwnerRow,
    change: Change,
    writes: Sequence[VersionWrite],
    ground: _Ground,
    table: str | None,
    ours: bool,
) -> None:
    at = to_us(change.at)
    keys, version = ground.advanced()
    connection.execute(
        'INSERT INTO change_set(row, id, actor, reason, job_id, at) VALUES(?, ?, ?, ?, ?, ?)',
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
    lengths = [len(write.terms) for write in writes]
    memories = [edit.after for edit in change.edits]
    known = ground.messages()
    insert_versions(connection, owner.id, keys[1:], memories, version, lengths, known)
    for row, edit, write in zip(keys[1:], change.edits, writes, strict=True):
        indexed.append((row, write.terms))
        if table and ours and write.vector is not None:
            vectors.append((row, write.vector))
        elif table and write.vector is None and edit.before is not None:  # whoever made it: the words are the same
            connection.execute(
                f'INSERT INTO {table}(row, vector) SELECT ?, vector FROM {table} WHERE row = '
                '(SELECT row FROM memory WHERE id = ? AND version = ?)',
                (row, edit.before.id, edit.before.version),
            )
    put_postings(connection, owner, MEMORIES, indexed)
    if table:
        put_vectors(connection, MEMORIES, table, vectors)
    reviewing.keep_notes(connection, owner.id, change.edits, at)
    digests = {id_: message_digest(id_, message.content_hash) for id_, message in known.items()}
    auditing.append(connection, owner, [entry_of(edit, change, digests) for edit in change.edits], chain=ground.chain)


def _one(connection: Connection, sql: str, values: Sequence[Any] = ()) -> Any:
    for row in connection.execute(sql, values):
        return row[0]
    return None
