"""How like are the hits through a vector index to those of comparing all vectors, and what does each cost?

Usage: python benchmarks/index_recall.py [--memories 30000] [--questions 60] [--option quantization=int8 ...]

Qdrant is the test fixture around its real engine, in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from _build import StoredVectors, World, build
from _common import Clock, folder, machine, title
from index_outage import served
from memoranda import Memory
from memoranda.settings import Settings

TOP = 10


def compare(exact: Memory, indexed: Memory, owners: list[str], questions: list[str], strategy: Any) -> None:
    """One line: overlap of the first ten, whether the first is the same, and both times."""
    same, first, plain, through = [], [], Clock(), Clock()
    for number, question in enumerate(questions):
        ids = {'user_id': owners[number % len(owners)]}
        options: dict[str, Any] = {'top_k': TOP, 'strategy': strategy, 'include': ('memories', 'episodes')}
        one = plain.call(exact.search, question, **options, **ids)
        other = through.call(indexed.search, question, **options, **ids)
        assert other.degraded is None
        best, found = [hit.text for hit in one], [hit.text for hit in other]
        same.append(len(set(best) & set(found)) / max(1, len(set(best))))
        first.append(best[:1] == found[:1])
    print(f'  {strategy:9} top-{TOP} overlap {np.mean(same):.3f}, same first {np.mean(first):.3f}')
    print(f'            all vectors   {plain}')
    print(f'            through index {through}')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--memories', type=int, default=30_000)
    parser.add_argument('--questions', type=int, default=60)
    parser.add_argument('--option', action='append', default=[], help='of the index, such as quantization=int8')
    parser.add_argument('--dir', type=Path)
    arguments = parser.parse_args()
    print(machine())
    world = World(7)
    questions = world.texts(arguments.questions, 4, 9)
    with folder(arguments.dir) as place, tempfile.TemporaryDirectory() as data, served(Path(data) / 'qdrant') as qdrant:
        path = place / f'recall-{arguments.memories}.db'
        owners = build(path, arguments.memories)
        settings = Settings(workers=0)
        index = qdrant.url + '?' + '&'.join(arguments.option)
        embedder = StoredVectors(World(1))
        with (
            Memory(path, embedder=embedder, settings=settings) as exact,
            Memory(path, embedder=embedder, settings=settings, index=index) as indexed,
        ):
            begun = time.perf_counter()
            sent = indexed.index_flush()
            seconds = time.perf_counter() - begun
            print(f'{sent:,} vectors sent in {seconds:.1f} s ({sent / seconds:,.0f} a second)')
            for size, names in owners.groups.items():
                title(f'owners of {size:,}')
                for strategy in ('semantic', 'hybrid'):
                    for memory in (exact, indexed):  # what is read once isn't measured
                        for name in names[: len(questions)]:
                            memory.search('warm', user_id=name)
                    compare(exact, indexed, names, questions, strategy)


if __name__ == '__main__':
    os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
    sys.exit(main())
