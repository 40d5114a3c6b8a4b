"""Does a reindex lose or mix anything when it is killed again and again, while others search and write?

Usage: python benchmarks/reindex.py [--memories 100000] [--kills 5] [--rows-per-second N] [--database URL] [--dir DIR]

The new embedder is the old one with its coordinates shuffled and some of their signs turned: vectors of either one
alone give every pair of texts the same cosine, and one of each kind gives noise. So whatever vectors a search used, its
answer has to be the same, hit by hit and score by score, before, during and after the switch. A reader asks all the
time, for everything of some users; a writer that only knows the old embedder goes on beside it; and the process that
reindexes is ended by SIGKILL at evenly spaced places.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import _build
from _common import folder, machine, quantile, title
from memoranda import Memory
from memoranda.embedders import SyncEmbedder
from memoranda.moving import migrate
from memoranda.settings import Settings
from memoranda.testing import HashingEmbedder

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as Pipe
    from multiprocessing.synchronize import Event

    from numpy.typing import NDArray

    from memoranda.reindex import ReindexProgress

DIMENSIONS = 64
OWNED = 50
"""Memories of a user whom the reader asks about."""
WATCHED = 20
"""How many of these users, at most."""
SAME = 1e-3
"""Two cosines that differ by less are the same; of a mixture they differ by some 0.1."""
WORDS = [f'{a}{b}' for a in ('bal', 'cor', 'dun', 'fer', 'gim', 'hol', 'jas', 'kel') for b in 'aeiou']

_fork = multiprocessing.get_context('fork')


class Turned(SyncEmbedder):
    """`HashingEmbedder` in another basis."""

    def __init__(self) -> None:
        super().__init__(f'turned/{DIMENSIONS}', dimensions=DIMENSIONS)
        rng = np.random.default_rng(0)
        self._order = rng.permutation(DIMENSIONS)
        self._signs = rng.choice([-1.0, 1.0], DIMENSIONS)
        self._inner = HashingEmbedder(DIMENSIONS)

    def encode(self, texts: list[str], *, query: bool) -> NDArray[np.float64]:
        return self._inner.encode(texts, query=query)[:, self._order] * self._signs


def opened(database: str, *embedders: SyncEmbedder) -> Memory:
    return Memory(database, embedder=embedders, settings=Settings(workers=0, errors='degrade'))


def user(number: int) -> str:
    return f'user-{number}'


def said(rng: random.Random) -> str:
    return ' '.join(rng.choices(WORDS, k=rng.randint(6, 12)))


def fill(path: Path, memories: int) -> None:
    """Messages with five facts each, users mixed as in life."""
    rng, embedder = random.Random(1), HashingEmbedder(DIMENSIONS)
    connection = _build.connect(str(path), busy_timeout=5, durability='normal')
    _build.schema.migrate(connection, str(path))
    with closing(connection):
        connection.execute('BEGIN IMMEDIATE')
        generation = _build.generations.start(connection, embedder.name, DIMENSIONS, rebuild=False)
        connection.execute('COMMIT')
        owners = [user(i // (OWNED // _build.GROUP)) for i in range(memories // _build.GROUP)]
        rng.shuffle(owners)
        for begin in range(0, len(owners), 400):
            connection.execute('BEGIN IMMEDIATE')
            for number, name in enumerate(owners[begin : begin + 400], begin):
                texts = [f'{said(rng)} {number} {part}' for part in range(_build.GROUP)]
                vectors = embedder.embed_now([*texts, '. '.join(texts)])
                facts = [_build.Fact(text, vector) for text, vector in zip(texts, vectors, strict=False)]
                at = _build._BEGINNING + timedelta(minutes=number)
                _build.write_message(connection, name, facts, at, generation.id)
            connection.execute('COMMIT')


def answers(memory: Memory, name: str, question: str) -> dict[str, float]:
    """Everything of a user, by id, with its cosine."""
    hits = memory.search(question, user_id=name, strategy='semantic', top_k=1000, explain=True)
    return {hit.id: (hit.why or {}).get('cosine', float('nan')) for hit in hits}


def watched(memories: int) -> int:
    return min(WATCHED, memories // OWNED)


def questions(memories: int) -> Iterator[tuple[str, str]]:
    rng = random.Random(2)
    for number in range(watched(memories)):
        yield user(number), said(rng)


def reader(database: str, stop: Event, wanted: Mapping[str, tuple[str, dict[str, float]]], pipe: Pipe) -> None:
    """Ask all the time; tell how many answers were right, by embedder, and what was wrong."""
    right: dict[str, int] = {}
    wrong: list[str] = []
    seconds: list[float] = []
    with opened(database, HashingEmbedder(DIMENSIONS), Turned()) as memory:
        while not stop.is_set() and not wrong:
            for name, (question, expected) in wanted.items():
                begun = time.perf_counter()
                found = answers(memory, name, question)
                seconds.append(time.perf_counter() - begun)
                by = memory.engine.embedder.name
                if found.keys() != expected.keys():
                    wrong.append(f'{len(expected.keys() - found.keys())} of {len(expected)} are missing ({by})')
                elif not all(abs(found[i] - expected[i]) < SAME for i in found):
                    wrong.append(f'an answer mixes vectors ({by})')
                right[by] = right.get(by, 0) + 1
    pipe.send(
        {'right': right, 'wrong': wrong[:3], 'p50_ms': 1e3 * quantile(seconds, 0.5), 'max_ms': 1e3 * max(seconds)}
    )


def writer(database: str, stop: Event, pipe: Pipe) -> None:
    """Go on adding with the old embedder alone."""
    rng, number = random.Random(3), 0
    with opened(database, HashingEmbedder(DIMENSIONS)) as memory:
        while not stop.is_set():
            memory.add(f'{said(rng)} {number}', user_id=f'writer-{number % 7}', infer=False)
            number += 1
            stop.wait(0.01)
    pipe.send(number)


def reindexer(database: str, rate: float | None, pipe: Pipe) -> None:
    with opened(database, Turned()) as memory:
        embedded = memory.reindex(rate=rate, progress=pipe.send)
    pipe.send(embedded)


def killed(database: str, rate: float | None, stop_at: float | None) -> tuple[int, int | None]:
    """Run a reindex, up to a share of the whole. Returns how many had their vector then, and what its end told."""
    ours, theirs = _fork.Pipe(duplex=False)
    process = _fork.Process(target=reindexer, args=(database, rate, theirs))
    process.start()
    theirs.close()
    done = 0
    while True:
        try:
            told: ReindexProgress | int = ours.recv()
        except EOFError:
            raise SystemExit('the process that reindexes ended badly') from None
        if isinstance(told, int):
            process.join()
            return done, told
        done = told.done
        if stop_at is not None and done >= stop_at * told.total:
            assert process.pid is not None
            time.sleep(random.random() * 0.02)  # so that it is in the middle of something
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            return done, None


def check(database: str, memories: int, written: int) -> dict[str, Any]:
    """What is there in the end."""
    with opened(database, Turned()) as memory:
        late = memory.reindex()
        generation = memory.stats().generation
        assert generation is not None
        assert generation.embedder == Turned().name
        has, total = _wait(memory.engine.store.coverage(generation))
        assert (has, memory.stats().memories, memory.stats().building) == (total, memories + written, None)
        for number in range(watched(memories)):
            for fact in memory.get_all(user_id=user(number), limit=5).items:
                (best,) = memory.search(fact.text, user_id=user(number), strategy='semantic', top_k=1)
                assert best.id == fact.id
    return {'texts': total, 'written_without_vector': late}


def _wait(coroutine: Any) -> Any:
    from memoranda._bridge import run

    return run(coroutine)


def measure(database: str, kills: int, rate: float | None, memories: int) -> dict[str, Any]:
    with opened(database, HashingEmbedder(DIMENSIONS)) as memory:
        wanted = {name: (question, answers(memory, name, question)) for name, question in questions(memories)}
    assert all(len(expected) == OWNED for _, expected in wanted.values())
    stop = _fork.Event()
    (read, read_end), (wrote, wrote_end) = _fork.Pipe(duplex=False), _fork.Pipe(duplex=False)
    others = [
        _fork.Process(target=reader, args=(database, stop, wanted, read_end)),
        _fork.Process(target=writer, args=(database, stop, wrote_end)),
    ]
    for process in others:
        process.start()
    read_end.close()  # so that the end of a process is seen here
    wrote_end.close()
    begun = time.perf_counter()
    places = [killed(database, rate, number / (kills + 1))[0] for number in range(1, kills + 1)]
    _, embedded = killed(database, rate, None)
    took = time.perf_counter() - begun
    time.sleep(1.5)  # some answers with the new vectors, and some facts from the writer that lacks their embedder
    stop.set()
    told, written = read.recv(), wrote.recv()
    for process in others:
        process.join()
    ended = check(database, memories, written)
    return {'seconds': took, 'killed_at': places, 'last_run': embedded, 'written': written, **told, **ended}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--memories', type=int, default=100_000)
    parser.add_argument('--kills', type=int, default=5)
    parser.add_argument('--rows-per-second', type=float)
    parser.add_argument('--database', help='an empty PostgreSQL database to do it in; default: an SQLite file')
    parser.add_argument('--dir', type=Path, help='where to put the file; default: a temporary folder')
    parser.add_argument('--json', action='store_true')
    given = parser.parse_args()
    memories = max(given.memories // OWNED, 1) * OWNED
    with folder(given.dir) as where:
        path = where / f'reindex-{os.getpid()}.db'
        fill(path, memories)
        if given.database:
            migrate(path, given.database)
        if not given.json:
            title(f'{memories:,} memories, killed {given.kills} times')
            print(machine())
        told = measure(given.database or str(path), given.kills, given.rows_per_second, memories)
    if given.json:
        print(json.dumps(told))
    else:
        print(
            f'killed when {", ".join(f"{place:,}" for place in told["killed_at"])} of {told["texts"]:,} texts were done'
        )
        print(f'{told["seconds"]:.1f} s in all, {told["texts"] / told["seconds"]:,.0f} texts a second')
        print(f'answers with either embedder: {told["right"]}; wrong: {told["wrong"] or "none"}')
        print(f'a question for all {OWNED} memories of a user: p50 {told["p50_ms"]:.1f}, worst {told["max_ms"]:.0f} ms')
        print(
            f'{told["written"]:,} facts written meanwhile; {told["written_without_vector"]} texts came after the '
            'switch, from a process without the new embedder'
        )
    return 1 if told['wrong'] or len(told['right']) < 2 else 0


if __name__ == '__main__':
    sys.exit(main())
