"""A file of any size as a console meets it: many people, several agents, kinds, sources and statuses, two years.

Written with the store's own functions, as `_build` does, so that all indexes and counters are those of real use.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from _build import PROJECT, World
from memoranda.recall.tokens import index_terms
from memoranda.records import Change, Edit, Evidence, MemoryRecord, content_hash, fact_hash, new_id
from memoranda.scope import Owner, Scope
from memoranda.stores.data import Batch, Commit, Draft, SegmentDraft, VersionWrite
from memoranda.stores.sql import generations, jobs, writing
from memoranda.stores.sqlite import schema
from memoranda.stores.sqlite.connection import connect
from memoranda.testing import HashingEmbedder

if TYPE_CHECKING:
    from memoranda.lanes import FloatVector

__all__ = ['BUSY', 'RARE_AGENT', 'RARE_KIND', 'build_console_file']

BUSY: Final = 'person-busy'
"""Who has 10,000 memories."""
RARE_KIND: Final = 'lesson'
RARE_AGENT: Final = 'agent-rare'
_DAYS: Final = 35
_WRITTEN: Final = 50_000
"""Memories that are written one by one; of more the rest are copies."""
_FACTS: Final = 4
"""Of a message."""
_KINDS: Final = {
    'knowledge': 0.4, 'preference': 0.2, 'profile': 0.12, 'event': 0.12, 'goal': 0.06, 'interaction': 0.05,
    'relationship': 0.03, 'constraint': 0.015, 'instruction': 0.0049, RARE_KIND: 0.0001,
}  # fmt: skip
_TIERS: Final = {'user': 0.8, 'assistant': 0.14, 'tool': 0.05, 'external': 0.01}
_SLOTS: Final = ('home.city', 'work.role', 'diet.kind', 'pet.name', 'language.preferred')


@dataclass(frozen=True, slots=True)
class _Said:
    """One message to be."""

    user: str
    at: datetime
    agent: str


class _Facts:
    """Texts, kinds and the rest of it, drawn by the thousand."""

    def __init__(self, seed: int, dimensions: int) -> None:
        self._world = World(seed)
        self._rng = self._world.rng
        table = self._rng.standard_normal((1_024, dimensions)).astype(np.float32)
        self._table = table / np.linalg.norm(table, axis=1, keepdims=True)
        self.slots: dict[tuple[str, str], MemoryRecord] = {}
        """The value that holds, by person and slot."""

    def drawn(self) -> Iterator[dict[str, Any]]:
        rng = self._rng
        while True:
            size = 4_000
            texts = self._world.texts(size, 6, 14)
            kinds = rng.choice(list(_KINDS), size, p=list(_KINDS.values()))
            tiers = rng.choice(list(_TIERS), size, p=list(_TIERS.values()))
            luck = rng.random(size)
            for i, text in enumerate(texts):
                slot = _SLOTS[i % len(_SLOTS)] if luck[i] < 0.2 else None
                status = 'pending' if 0.2 < luck[i] < 0.21 else 'retracted' if 0.21 < luck[i] < 0.22 else 'active'
                yield {
                    'text': text,
                    'kind': str(kinds[i]),
                    'trust': str(tiers[i]),
                    'slot': slot,
                    'status': status,
                    'vector': self._table[i % len(self._table)],
                }


def build_console_file(path: Path, memories: int) -> None:
    """Make a file, unless it is there; prints how far it is.

    Of a large one 50,000 memories are written, and copied for further people, each time 35 days earlier: the rows of a
    copy are as they would be, but its audit chains don't hold, and its jobs are of no use.
    """
    if path.exists():
        return
    copies = max(1, memories // _WRITTEN)
    first = path if copies == 1 else path.with_suffix('.first')
    if not first.exists():
        _written(first, memories // copies)
    if copies > 1:
        _copied(first, path, copies)


def _written(path: Path, memories: int, *, seed: int = 3) -> None:
    partial = path.with_suffix('.partial')
    for stale in (partial, Path(f'{partial}-wal'), Path(f'{partial}-shm')):
        stale.unlink(missing_ok=True)
    embedder = HashingEmbedder()
    facts = _Facts(seed, embedder.dimensions or 64)
    connection = connect(str(partial), busy_timeout=5, durability='normal')
    schema.migrate(connection, str(partial))
    for name, value in (('synchronous', 0), ('cache_size', -300_000), ('wal_autocheckpoint', 20_000)):
        connection.pragma(name, value)
    generation = generations.start(connection, embedder.name, embedder.dimensions or 64, rebuild=False).id
    started, done, reported = time.perf_counter(), 0, 0
    drawn = facts.drawn()
    connection.execute('BEGIN IMMEDIATE')
    for number, said in enumerate(_messages(memories, np.random.default_rng(seed))):
        some = [next(drawn) for _ in range(min(_FACTS, memories - done))]
        done += len(some)
        _write(connection, said, some, facts, generation)
        if number % 500 == 499:
            connection.execute('COMMIT')
            connection.execute('BEGIN IMMEDIATE')
        if done - reported >= memories // 10:
            reported = done
            print(f'  {done:>9,} memories, {done / (time.perf_counter() - started):,.0f} a second', flush=True)
    connection.execute('COMMIT')
    connection.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchone()
    connection.close()
    partial.rename(path)
    print(f'  {done:>9,} memories, {path.stat().st_size / 2**20:,.0f} MiB, {time.perf_counter() - started:.0f} s')


def _messages(memories: int, rng: np.random.Generator) -> Iterator[_Said]:
    """Who says something when, in the order of time: one person much, the others a little each."""
    count = -(-memories // _FACTS)
    busy = min(2_500, count // 10)
    people = rng.integers(0, max(count * 2 // 5, 1), count)
    people[rng.permutation(count)[:busy]] = -1
    share = 1 / np.arange(1, 13)
    agents = rng.choice(12, count, p=share / share.sum())
    rare = set(rng.permutation(count)[: max(1, count // 20_000)].tolist())
    begin = datetime.now(UTC) - timedelta(days=_DAYS)
    for i in range(count):
        user = BUSY if people[i] < 0 else f'person-{people[i]:06d}'
        agent = RARE_AGENT if i in rare else f'agent-{agents[i]}'
        yield _Said(user, begin + timedelta(days=_DAYS * i / count), agent)


def _id_at(moment: datetime, number: int) -> str:
    """A UUIDv7 of that moment; the number keeps those of a message apart and in order."""
    stamp = int(moment.timestamp() * 1000)
    random = int.from_bytes(uuid.uuid4().bytes) & (1 << 62) - 1
    return str(uuid.UUID(int=stamp << 80 | 7 << 76 | number << 64 | 2 << 62 | random))


def _write(
    connection: writing.Connection, said: _Said, some: Sequence[dict[str, Any]], facts: _Facts, generation: int
) -> None:
    """One message and the facts drawn from it."""
    text = '. '.join(fact['text'] for fact in some)
    owner = Owner(PROJECT, 'user', said.user)
    scope = Scope(user_id=said.user, run_id=f'{said.user}-{said.at:%Y-%m}', agent_id=said.agent)
    draft = Draft(
        role='user',
        text=text,
        occurred_at=said.at,
        dated=True,
        trust='user',
        content_hash=content_hash('user', '', text, said.at.isoformat()),
        segments=[SegmentDraft(start=0, end=len(text), terms=index_terms(text))],
    )
    batch = Batch(
        owner=owner,
        scope=scope,
        conversation_id=scope.run_id or '',
        drafts=[draft],
        history=True,
        job={'infer': True},
        worker='benchmark',
        lease_seconds=60,
    )
    appended = writing.append(connection, batch)
    work = jobs.load(connection, appended.job_id or '')
    assert work is not None
    change_id = new_id()
    edits: list[Edit] = []
    writes: list[VersionWrite] = []
    start = 0
    for number, fact in enumerate(some):
        vector: FloatVector = fact['vector']
        end = start + len(fact['text'])
        record = MemoryRecord(
            id=_id_at(said.at, number),
            version=1,
            project=PROJECT,
            level='user',
            scope=Scope(user_id=said.user),
            said_under=scope,
            text=fact['text'],
            kind=fact['kind'],
            slot=fact['slot'],
            value=None if fact['slot'] is None else fact['text'].split()[0],
            status=fact['status'],
            trust=fact['trust'],
            confidence=0.9,
            valid_from=said.at,
            recorded_at=said.at,
            said_at=said.at,
            evidence=(Evidence(appended.episode_ids[0], start, end, fact['text']),),
            actor='benchmark',
            change_id=change_id,
            hash=fact_hash(fact['text'], fact['slot']),
        )
        start = end + 2
        before = None if record.slot is None else facts.slots.get((said.user, record.slot))
        if before is not None and before.change_id == change_id:
            record, before = replace(record, slot=None, value=None, hash=fact_hash(record.text)), None
        if before is not None:
            ended = replace(
                before,
                version=before.version + 1,
                status='superseded',
                valid_to=said.at,
                recorded_at=said.at,
                superseded_by=record.id,
                change_id=change_id,
            )
            edits.append(Edit(op='supersede', before=before, after=ended))
            writes.append(VersionWrite(terms=index_terms(ended.text), vector=None))
            record = replace(record, supersedes=before.id)
        edits.append(Edit(op='add', before=None, after=record))
        writes.append(VersionWrite(terms=index_terms(fact['text']), vector=vector))
        if record.slot is not None and record.status == 'active':
            facts.slots[said.user, record.slot] = record
    change = Change(
        id=change_id, edits=tuple(edits), actor='benchmark', reason='extraction', job_id=work.job.id, at=said.at
    )
    commit = Commit(
        owner=owner,
        expect_version=None,
        change=change,
        writes=writes,
        job=work.job,
        worker='benchmark',
        segment_vectors=[(row, some[0]['vector']) for row, _ in work.segments],
        generation=generation,
    )
    writing.commit(connection, commit)


_TIMES: Final = (
    'valid_from',
    'valid_to',
    'said_at',
    'recorded_at',
    'retired_at',
    'occurred_at',
    'at',
    'created_at',
    'run_after',
    'touched_at',
    'finished_at',
    'last_used_at',
)
_IDS: Final = ('id', 'supersedes', 'superseded_by', 'change_id', 'job_id', 'memory_id', 'memory')
_ROWS: Final = ('row', 'conversation', 'episode')
_SKIPPED: Final = ('meta', 'scrub', 'generation', 'queue', 'spent', 'tombstone', 'api_key', 'activity')


def _copied(first: Path, path: Path, copies: int) -> None:
    partial = path.with_suffix('.partial')
    partial.unlink(missing_ok=True)
    shutil.copyfile(first, partial)
    connection = connect(str(partial), busy_timeout=5, durability='normal')
    for name, value in (('synchronous', 0), ('cache_size', -200_000), ('wal_autocheckpoint', 10_000)):
        connection.pragma(name, value)
    connection.create_scalar_function('earlier_id', _earlier_id, 2, deterministic=True)
    connection.create_scalar_function('moved_rows', _moved_rows, 2, deterministic=True)
    owners = connection.execute('SELECT max(id) FROM owner').fetchone()[0]
    started = time.perf_counter()
    for copy in range(1, copies):
        connection.execute('BEGIN IMMEDIATE')
        for statement in _statements(connection, owners * copy, copy):
            connection.execute(statement)
        connection.execute('COMMIT')
        print(f'  copy {copy} of {copies - 1}, {time.perf_counter() - started:.0f} s', flush=True)
    connection.execute("UPDATE meta SET value = (SELECT max(version) FROM owner) WHERE key = 'clock'")
    connection.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchone()
    connection.close()
    partial.rename(path)


def _statements(connection: writing.Connection, owners: int, copy: int) -> Iterator[str]:
    """What copies the rows of the owners that were written, for others, earlier."""
    last = connection.execute(f'SELECT {owners} / {copy}').fetchone()[0]
    earlier = copy * _DAYS * 86_400_000_000
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    ).fetchall()
    for (table,) in names:
        if table in _SKIPPED:
            continue
        columns = [name for (name,) in connection.execute(f"SELECT name FROM pragma_table_info('{table}')")]
        terms = [_term(table, column, owners, earlier, copy) for column in columns]
        own = 'id' if table == 'owner' else 'owner' if 'owner' in columns else f'{columns[0]} >> 24'
        yield (
            f'INSERT INTO {table}({", ".join(columns)}) SELECT {", ".join(terms)} FROM {table} WHERE {own} <= {last} '
            'ORDER BY 1, 2'
        )
    counted = ('added', 'superseded', 'messages', 'letters', 'memories', 'people')
    sums = ', '.join(f'{name} = {name} + excluded.{name}' for name in counted)
    own = f'SELECT max(day) - {_DAYS} FROM activity'
    yield (
        f'INSERT INTO activity(project, day, part, {", ".join(counted)}) SELECT project, day - {copy * _DAYS}, part, '
        f'{", ".join(counted)} FROM activity WHERE day >= ({own}) ON CONFLICT DO UPDATE SET {sums}'
    )


def _term(table: str, column: str, owners: int, earlier: int, copy: int) -> str:
    if table == 'owner':
        return {'id': f'id + {owners}', 'key': f"key || '-{copy}'"}.get(column, column)
    if column == 'owner':
        return f'owner + {owners}'
    if column in _ROWS or (table == 'evidence' and column == 'memory'):
        return f'{column} + ({owners} << 24)'
    if table == 'memory' and column == 'evidence':
        return f'moved_rows(evidence, {owners} << 24)'
    if column in _TIMES:
        return f'{column} - {earlier}'
    if column in _IDS and table != 'conversation':
        return f'earlier_id({column}, {earlier // 1000})'
    return column


def _earlier_id(text: str | None, ms: int) -> str | None:
    if not text:
        return text
    stamp = f'{int(text[:8] + text[9:13], 16) - ms:012x}'
    return f'{stamp[:8]}-{stamp[8:]}{text[13:]}'


def _moved_rows(text: str, by: int) -> str:
    return json.dumps([[row + by, *rest] for row, *rest in json.loads(text)])
