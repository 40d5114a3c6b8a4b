"""Why the keyword index is a table of our own: postings per owner against SQLite's FTS5, in one run.

    python benchmarks/keywords.py [--rows 200000]

Same rows, same SQLite, 16 KiB pages, secure_delete on; rows of many owners interleaved at insert. FTS5 is used the way
it is fastest here (detail=none, one MATCH per word, a range of row keys). Both end with the erasure of one owner of
1,000 rows, with nothing left in the file: FTS5 needs its `secure-delete` option for that.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path

import apsw
import numpy as np

from _common import machine, title

BATCH = 100
WORDS = 10
POSTING = np.dtype([('seq', '<u4'), ('tf', 'u1')])


def connect(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    for pragma in ('page_size=16384', 'journal_mode=wal', 'synchronous=normal', 'secure_delete=on'):
        list(connection.execute(f'PRAGMA {pragma}'))
    return connection


class Fts:
    name = 'FTS5'

    def __init__(self, path: Path) -> None:
        self.connection = connect(path)
        self.connection.execute("CREATE VIRTUAL TABLE f USING fts5(t, detail=none, columnsize=0, tokenize='unicode61')")
        self.connection.execute("INSERT INTO f(f, rank) VALUES('secure-delete', 1)")

    def insert(self, owner: int, seq: int, words: list[str]) -> None:
        self.connection.execute('INSERT INTO f(rowid, t) VALUES(?, ?)', (owner << 24 | seq, ' '.join(words)))

    def find(self, owner: int, words: list[str]) -> None:
        low, high = owner << 24, ((owner + 1) << 24) - 1
        for word in words:
            self.connection.execute(
                'SELECT rowid FROM f WHERE f MATCH ? AND rowid BETWEEN ? AND ?', (f'"{word}"', low, high)
            ).fetchall()

    def erase(self, owner: int) -> None:
        self.connection.execute('DELETE FROM f WHERE rowid BETWEEN ? AND ?', (owner << 24, ((owner + 1) << 24) - 1))


class Postings:
    name = 'postings'

    def __init__(self, path: Path) -> None:
        self.connection = connect(path)
        self.connection.execute(
            'CREATE TABLE posting(owner, term, chunk, data, PRIMARY KEY(owner, term, chunk)) WITHOUT ROWID'
        )

    def insert(self, owner: int, seq: int, words: list[str]) -> None:
        self.connection.executemany(
            'INSERT INTO posting VALUES(?, ?, ?, ?) '
            'ON CONFLICT DO UPDATE SET data = CAST(data || excluded.data AS BLOB)',
            [(owner, hash(w), seq >> 9, seq.to_bytes(4, 'little') + bytes((n,))) for w, n in Counter(words).items()],
        )

    def find(self, owner: int, words: list[str]) -> None:
        for word in words:
            rows = self.connection.execute(
                'SELECT data FROM posting WHERE owner = ? AND term = ? ORDER BY chunk', (owner, hash(word))
            )
            np.frombuffer(b''.join(r[0] for r in rows), dtype=POSTING)

    def erase(self, owner: int) -> None:
        self.connection.execute('DELETE FROM posting WHERE owner = ?', (owner,))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rows', type=int, default=200_000)
    rows = parser.parse_args().rows
    print(machine())
    rng = random.Random(1)
    vocabulary = [f'w{int(rng.paretovariate(0.7)) % 20_000}x' for _ in range(400_000)]
    large = max(1, rows // 100_000)
    sizes = [10_000] * large + [1_000] * (rows * 3 // 10_000)
    sizes += [100] * ((rows - sum(sizes)) // 100)
    owners = [owner for owner, size in enumerate(sizes) for _ in range(size)]
    rng.shuffle(owners)
    title(f'{len(owners):,} rows of {WORDS} words, {len(sizes):,} owners')

    def words(count: int) -> list[str]:
        start = rng.randrange(len(vocabulary) - count)
        return vocabulary[start : start + count]

    with tempfile.TemporaryDirectory() as folder:
        both = (Fts(Path(folder, 'fts.db')), Postings(Path(folder, 'postings.db')))
        spent, seqs = {index.name: 0.0 for index in both}, [0] * len(sizes)
        for at in range(0, len(owners), BATCH):
            batch = []
            for owner in owners[at : at + BATCH]:
                seqs[owner] += 1
                batch.append((owner, seqs[owner], words(WORDS)))
            for index in both:
                begun = time.perf_counter()
                index.connection.execute('BEGIN IMMEDIATE')
                for one in batch:
                    index.insert(*one)
                index.connection.execute('COMMIT')
                spent[index.name] += time.perf_counter() - begun
        figures: dict[str, list[str]] = {'insert, us per row': [], 'file, MB': []}
        for index in both:
            list(index.connection.execute('PRAGMA wal_checkpoint(TRUNCATE)'))
            size = Path(index.connection.filename).stat().st_size
            figures['insert, us per row'].append(f'{1e6 * spent[index.name] / len(owners):.0f}')
            figures['file, MB'].append(f'{size / 1e6:.1f}')
        for size in (10_000, 1_000, 100):
            owner = sizes.index(size)
            questions = [words(5) for _ in range(100)]
            figures[f'five words, owner of {size:,}, ms p50'] = [
                f'{1e3 * statistics.median(timed(index.find, owner, q) for q in questions):.3f}' for index in both
            ]
        victim = sizes.index(1_000) + 1
        figures['erase an owner of 1,000, ms'] = [f'{1e3 * timed(erase, index, victim):.1f}' for index in both]
        print(f'{"":42}' + ''.join(f'{index.name:>12}' for index in both))
        for name, values in figures.items():
            print(f'{name:42}' + ''.join(f'{value:>12}' for value in values))


def erase(index: Fts | Postings, owner: int) -> None:
    index.connection.execute('BEGIN IMMEDIATE')
    index.erase(owner)
    index.connection.execute('COMMIT')
    list(index.connection.execute('PRAGMA wal_checkpoint(TRUNCATE)'))


def timed(function, *arguments) -> float:  # noqa: ANN001, ANN002
    begun = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - begun


if __name__ == '__main__':
    main()
