"""Files of any size, made with the store's own functions, many changes to a transaction.

Everything a search reads (rows, indexes, postings, vectors, history) is written by the functions that `append` and
`commit` call, so a file made here is what as many `add`s would have made (tests/evals/test_benchmark_files.py compares
the two).
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memoranda.embedders import SyncEmbedder
from memoranda.recall.tokens import index_terms
from memoranda.records import (
    Change,
    Edit,
    Evidence,
    MemoryRecord,
    content_hash,
    fact_hash,
    new_id,
    now,
)
from memoranda.scope import Owner, Scope
from memoranda.stores.data import Batch, Commit, Draft, SegmentDraft, VersionWrite
from memoranda.stores.sql import generations, jobs, writing
from memoranda.stores.sqlite import schema
from memoranda.stores.sqlite.connection import connect

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ['DIMENSIONS', 'GROUP', 'PROJECT', 'Fact', 'Owners', 'StoredVectors', 'World', 'build', 'write_message']

DIMENSIONS = 512
GROUP = 5
"""Facts drawn from one message."""
PROJECT = 'default'
_ROWS_PER_TRANSACTION = 2_000
_BEGINNING = datetime(2023, 1, 1, tzinfo=UTC)
_SPAN_DAYS = 700


@dataclass(frozen=True, slots=True)
class Owners:
    """Who owns how many memories."""

    sizes: Mapping[str, int]
    groups: Mapping[int, Sequence[str]]
    """Owners to measure, by size; the others fill the file."""

    @classmethod
    def planned(cls, memories: int, rng: np.random.Generator) -> Owners:
        """A few owners of each size that is measured, as many in a large file as in a small one; then small ones."""
        groups: dict[int, list[str]] = {}
        sizes: dict[str, int] = {}
        left = memories
        for size, count in ((10_000, 4), (1_000, 30), (100, 60)):
            while count * size > max(left - memories // 10, 0):
                count -= 1
            if not count:
                continue
            groups[size] = [f'user-{size}-{i}' for i in range(count)]
            sizes |= dict.fromkeys(groups[size], size)
            left -= size * count
        number = 0
        while left > 0:
            size = min(left, GROUP * int(rng.integers(1, 10)))
            sizes[f'small-{number}'] = size
            left -= size
            number += 1
        return cls(sizes, groups)

    def interleaved(self, rng: np.random.Generator) -> list[tuple[str, int]]:
        """(owner, facts) message by message, owners mixed as they are in life."""
        names = list(self.sizes)
        owner = np.repeat(np.arange(len(names)), [-(-size // GROUP) for size in self.sizes.values()])
        rng.shuffle(owner)
        left = dict(self.sizes)
        order: list[tuple[str, int]] = []
        for index in owner:
            name = names[index]
            count = min(GROUP, left[name])
            left[name] -= count
            order.append((name, count))
        return order


@dataclass(frozen=True, slots=True)
class Fact:
    """One memory to be."""

    text: str
    vector: NDArray[np.float32]


class World:
    """Texts over a vocabulary with a Zipf-Mandelbrot distribution, and unit vectors that gather around topics."""

    def __init__(self, seed: int, *, words: int = 20_000, topics: int = 300) -> None:
        self.rng = np.random.default_rng(seed)
        # Always the same vocabulary and topics, whatever the seed.
        fixed = np.random.default_rng(0)
        syllables = [c + v for c in 'bcdfghjklmnprstvwz' for v in 'aeiou']
        found: dict[str, None] = {}
        while len(found) < words:
            picks = fixed.integers(0, len(syllables), (words, 4)).tolist()
            lengths = fixed.integers(2, 5, words).tolist()
            found |= dict.fromkeys(''.join(syllables[i] for i in p[:n]) for p, n in zip(picks, lengths, strict=True))
        self._words = list(found)[:words]
        # A common word (not a stop word) is in some 15 % of the facts.
        weight = 1 / (np.arange(words) + 10.0) ** 1.07
        self._share = np.cumsum(weight / weight.sum())
        self._topics = _unit(fixed.standard_normal((topics, DIMENSIONS)))

    def texts(self, count: int, low: int, high: int) -> list[str]:
        """So many texts of `low` to `high` words."""
        lengths = self.rng.integers(low, high + 1, count)
        picks = np.searchsorted(self._share, self.rng.random(int(lengths.sum()))).clip(max=len(self._words) - 1)
        ends = np.cumsum(lengths)
        return [
            ' '.join(self._words[i] for i in picks[end - n : end]).capitalize()
            for n, end in zip(lengths.tolist(), ends.tolist(), strict=True)
        ]

    def vectors(self, count: int) -> NDArray[np.float32]:
        """(count, DIMENSIONS): a cosine of about 0.3 inside a topic, about 0 across topics."""
        topic = self._topics[self.rng.integers(0, len(self._topics), count)]
        noise = _unit(self.rng.standard_normal((count, DIMENSIONS), dtype=np.float32))
        return _unit(0.65 * topic + noise).astype(np.float32)

    def facts(self) -> Iterator[Fact]:
        """Facts without end."""
        while True:
            for text, vector in zip(self.texts(2_000, 6, 14), self.vectors(2_000), strict=True):
                yield Fact(text, vector)


def _unit(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class StoredVectors(SyncEmbedder):
    """Answers at once, from a table: what is left of a search is ours."""

    def __init__(self, world: World) -> None:
        super().__init__(f'benchmark/{DIMENSIONS}', dimensions=DIMENSIONS)
        self._table = world.vectors(4_096)

    @property
    def table(self) -> NDArray[np.float32]:
        """(4096, DIMENSIONS): the answer to a text is the row of its CRC-32, modulo the number of rows."""
        return self._table

    def encode(self, texts: list[str], *, query: bool) -> NDArray[np.float32]:
        return self._table[[zlib.crc32(text.encode()) % len(self._table) for text in texts]]


def build(path: Path, memories: int, *, seed: int = 1, owners: Owners | None = None) -> Owners:
    """Make a file, unless it is there; prints how far it is. Without `owners` they are planned here."""
    rng = np.random.default_rng(seed)
    owners = Owners.planned(memories, rng) if owners is None else owners
    if path.exists():
        return owners
    partial = path.with_suffix('.partial')
    for stale in (partial, Path(f'{partial}-wal'), Path(f'{partial}-shm')):
        stale.unlink(missing_ok=True)
    world = World(seed)
    connection = connect(str(partial), busy_timeout=5, durability='normal')
    schema.migrate(connection, str(partial))
    for name, value in (('synchronous', 0), ('cache_size', -1_500_000), ('wal_autocheckpoint', 20_000)):
        connection.pragma(name, value)
    generation = generations.start(connection, StoredVectors(world).name, DIMENSIONS, rebuild=False)
    facts = world.facts()
    order = owners.interleaved(rng)
    moments = np.sort(rng.random(len(order))) * _SPAN_DAYS
    started, done, reported = time.perf_counter(), 0, 0
    connection.execute('BEGIN IMMEDIATE')
    for number, (name, count) in enumerate(order):
        at = _BEGINNING + timedelta(days=float(moments[number]))
        write_message(connection, name, [next(facts) for _ in range(count)], at, generation.id)
        done += count
        if number % (_ROWS_PER_TRANSACTION // GROUP) == 0:
            connection.execute('COMMIT')
            connection.execute('BEGIN IMMEDIATE')
            if done - reported >= memories // 10:
                reported = done
                print(f'  {done:>9,} memories, {done / (time.perf_counter() - started):,.0f} a second', flush=True)
    connection.execute('COMMIT')
    connection.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchone()
    connection.close()
    partial.rename(path)
    seconds, size = time.perf_counter() - started, path.stat().st_size / 2**20
    print(f'  {done:>9,} memories of {len(owners.sizes):,} owners, {size:,.0f} MiB, {seconds:.0f} s')
    return owners


def write_message(
    connection: writing.Connection, user: str, facts: Sequence[Fact], at: datetime, generation: int
) -> None:
    """One message and the facts drawn from it, inside the caller's transaction."""
    text = '. '.join(f.text for f in facts)
    owner, scope = Owner(PROJECT, 'user', user), Scope(user_id=user, run_id=f'{user}-{at:%Y-%m}')
    draft = Draft(
        role='user',
        text=text,
        occurred_at=at,
        dated=True,
        trust='user',
        content_hash=content_hash('user', '', text, at.isoformat()),
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
    change_id, recorded = new_id(), now()
    edits: list[Edit] = []
    start = 0
    for fact in facts:
        end = start + len(fact.text)
        edits.append(
            Edit(
                op='add',
                before=None,
                after=MemoryRecord(
                    id=new_id(),
                    version=1,
                    project=PROJECT,
                    level='user',
                    scope=Scope(user_id=user),
                    said_under=scope,
                    text=fact.text,
                    kind='knowledge',
                    confidence=0.9,
                    valid_from=at,
                    recorded_at=recorded,
                    said_at=at,
                    evidence=(Evidence(appended.episode_ids[0], start, end, fact.text),),
                    actor='benchmark',
                    change_id=change_id,
                    hash=fact_hash(fact.text),
                ),
            )
        )
        start = end + 2
    change = Change(
        id=change_id, edits=tuple(edits), actor='benchmark', reason='extraction', job_id=work.job.id, at=recorded
    )
    commit = Commit(
        owner=owner,
        expect_version=None,
        change=change,
        writes=[VersionWrite(terms=index_terms(f.text), vector=f.vector) for f in facts],
        job=work.job,
        worker='benchmark',
        segment_vectors=[(row, facts[0].vector) for row, _ in work.segments],
        generation=generation,
    )
    writing.commit(connection, commit)
