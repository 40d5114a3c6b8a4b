"""The vector index is killed for a minute while agents work: does a turn fail, and is it whole afterwards?

Usage: python benchmarks/index_outage.py [--seconds 60] [--agents 8] [--memories 2000] [--url DATABASE] [--index URL]

Qdrant is the test fixture around its real engine, in a process of its own that is killed by SIGKILL and started again;
or a server of yours by --index, which you stop and start when you are told to.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _common import folder, machine, spread, title
from memoranda import AsyncMemory
from memoranda.settings import Settings
from memoranda.testing.embedders import HashingEmbedder

_TESTS = Path(__file__).resolve().parent.parent / 'tests'
FRUITS = ('apple', 'pear', 'plum', 'quince', 'cherry', 'medlar', 'fig', 'grape', 'peach', 'lemon')


class Qdrant:
    """The fixture as a process that can be killed."""

    def __init__(self, data: Path) -> None:
        self._data, self._process = data, None
        data.mkdir(parents=True)
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]
        self.url = f'http://127.0.0.1:{self.port}'

    def start(self) -> None:
        command = [sys.executable, str(_TESTS / '_qdrant.py'), str(self._data), str(self.port)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        self._process: Any = process

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Stages:
    """What turns took, by what the index did meanwhile."""

    def __init__(self) -> None:
        self.now = 'up'
        self.searches: dict[str, list[float]] = {}
        self.adds: dict[str, list[float]] = {}
        self.degraded: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()


async def agent(memory: AsyncMemory, number: int, stages: Stages, over: asyncio.Event) -> None:
    """Asks and tells, turn by turn."""
    choose, ids = random.Random(number), {'user_id': f'user {number}'}
    turn = 0
    while not over.is_set():
        turn += 1
        stage = stages.now
        try:
            begun = time.perf_counter()
            hits = await memory.search(f'{choose.choice(FRUITS)} and {choose.choice(FRUITS)}', user_id='ana')
            stages.searches.setdefault(stage, []).append(time.perf_counter() - begun)
            stages.degraded[stage] += hits.degraded is not None
            fact = f'{choose.choice(FRUITS)} number {turn} of {number}'
            begun = time.perf_counter()
            await memory.add(fact, **ids, infer=False)
            stages.adds.setdefault(stage, []).append(time.perf_counter() - begun)
            found = await memory.search(fact, **ids, top_k=3)
            stages.missed[stage] += fact not in [hit.text for hit in found]
        except Exception as error:  # a turn that failed is what is counted here
            stages.failed[f'{stage}: {type(error).__name__}'] += 1
        await asyncio.sleep(0.02)


async def outage(memory: AsyncMemory, qdrant: Qdrant | None, arguments: argparse.Namespace) -> bool:
    """Up, down, up again."""
    stages, over = Stages(), asyncio.Event()
    facts = [f'I like {FRUITS[i % 10]} and {FRUITS[i // 10 % 10]} number {i}' for i in range(arguments.memories)]
    await memory.add([{'role': 'user', 'content': fact} for fact in facts], user_id='ana')
    await memory.index_flush()
    agents = [asyncio.create_task(agent(memory, i, stages, over)) for i in range(arguments.agents)]
    await asyncio.sleep(arguments.seconds / 4)
    stages.now = 'down'
    if qdrant is None:
        print('stop the server now', flush=True)
    else:
        qdrant.kill()
    await asyncio.sleep(arguments.seconds)
    waited = (await memory.index_status()).waiting
    if qdrant is None:
        print('start it again now', flush=True)
    else:
        await asyncio.to_thread(qdrant.start)
    stages.now, begun = 'up again', time.perf_counter()
    while (await memory.search('quince', user_id='ana')).degraded is not None:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.05)
    healed = time.perf_counter() - begun
    await asyncio.sleep(arguments.seconds / 4)
    over.set()
    await asyncio.gather(*agents)
    begun = time.perf_counter()
    await memory.index_flush()
    drained = time.perf_counter() - begun
    report = await memory.index_verify(vectors=True)
    title(f'{arguments.agents} agents')
    for stage, seconds in stages.searches.items():
        print(f'  search, {stage:9} {spread(seconds)}, {stages.degraded[stage]:,} without the index')
    for stage, seconds in stages.adds.items():
        print(f'  add,    {stage:9} {spread(seconds)}')
    print(f'  turns that failed: {dict(stages.failed) or "none"}')
    print(f'  a fact just stored was not among three hits: {sum(stages.missed.values()):,} times')
    print(f'  {waited:,} changes waited at the end of the outage; searches asked it again after {healed:.1f} s')
    print(f'  the rest was sent in {drained:.1f} s; verified: {report}')
    return report.ok and not stages.failed


@contextlib.contextmanager
def served(data: Path) -> Iterator[Qdrant]:
    """The fixture for a while."""
    qdrant = Qdrant(data)
    qdrant.start()
    try:
        yield qdrant
    finally:
        qdrant.kill()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seconds', type=float, default=60.0, help='how long it is down')
    parser.add_argument('--agents', type=int, default=8)
    parser.add_argument('--memories', type=int, default=2_000)
    parser.add_argument('--url', help='a database, by default a new file')
    parser.add_argument('--index', help='a Qdrant of yours')
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format='  log: %(message)s')
    print(machine())

    async def run(database: str, index: str, qdrant: Qdrant | None) -> bool:
        settings = Settings(batch_turns=1)
        async with AsyncMemory(database, index=index, embedder=HashingEmbedder(256), settings=settings) as memory:
            return await outage(memory, qdrant, arguments)

    with folder(None) as place:
        database = arguments.url or str(place / 'memory.db')
        if arguments.index:
            return 0 if asyncio.run(run(database, arguments.index, None)) else 1
        with served(place / 'qdrant') as qdrant:
            return 0 if asyncio.run(run(database, qdrant.url, qdrant)) else 1


if __name__ == '__main__':
    os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
    sys.exit(main())
