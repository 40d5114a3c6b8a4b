"""How long a background add takes until its receipt, in a large file and beside running extractions.

Usage: python benchmarks/receipts.py [--dir DIR] [--memories 100000] [--workers 48] [--processes 4] [--adds 5000]
           [--postgres | --url URL]

On PostgreSQL the file's rows are copied into the database first.

First receipts of one process whose workers are busy all the time, then the same with the workers in a process of their
own, then several processes that add to one file at once.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import shutil
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _build import StoredVectors, World, build
from _common import folder, machine, quantile, title
from _load import Gaps, Others, SlowModel, gathered, long_message, steadily, verdict
from _postgres_copy import copy_file
from _server import Database, add_options, asked_for
from memoranda import AsyncMemory, Memory
from memoranda.embedders import resolve_embedder
from memoranda.settings import Settings

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier, Event

    import numpy as np
    from numpy.typing import NDArray

    from memoranda.embedders import Embedder

USERS = 400
"""Whom the messages are from: jobs of one owner run one after the other."""
OWN_USERS = 50
"""Of each process."""


class Named:
    """The bundled embedder under the name of the file's vectors, so that what embedding costs is paid here."""

    local = True

    def __init__(self, name: str) -> None:
        self.name = name
        self._inner: Embedder = resolve_embedder(None)

    @property
    def dimensions(self) -> int | None:
        return self._inner.dimensions

    def embed_now(
        self, texts: Sequence[str], *, query: bool = False, progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.float32]:
        return self._inner.embed_now(texts, query=query, progress=progress)

    async def embed(
        self, texts: Sequence[str], *, query: bool = False, progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.float32]:
        return await self._inner.embed(texts, query=query, progress=progress)

    async def aclose(self) -> None:
        await self._inner.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--dir', type=Path, help='where to keep the file (5 KiB a memory); else a temporary folder')
    parser.add_argument('--memories', type=int, default=100_000, help='in the file')
    parser.add_argument('--workers', type=int, default=48, help='extractions at once; 0 measures adds alone')
    parser.add_argument('--model-seconds', type=float, default=1.0)
    parser.add_argument('--rate', type=float, default=20.0, help='adds a second')
    parser.add_argument('--seconds', type=float, default=30.0, help='how long to add')
    parser.add_argument('--processes', type=int, default=4, help='that add to one file; 0 leaves that out')
    add_options(parser)
    parser.add_argument('--adds', type=int, default=5_000, help='by each of them')
    arguments = parser.parse_args()
    print(machine())
    reached = True
    with folder(arguments.dir) as place, asked_for(arguments) as base:
        title(f'a file of {arguments.memories:,} memories')
        original = place / f'memories-{arguments.memories}.db'
        build(original, arguments.memories)
        with copied(original, base) as path:
            reached &= asyncio.run(receipts(path, arguments))
        with copied(original, base) as path, worker_apart(path, arguments):
            asyncio.run(receipts(path, arguments, apart=True))
        if arguments.processes:
            with copied(original, base) as path:
                reached &= processes(path, arguments.processes, arguments.adds)
    if not reached:
        raise SystemExit(1)


@contextmanager
def copied(original: Path, base: Database | None) -> Generator[str]:
    if base is not None:
        url = base.emptied()
        copy_file(original, base)
        base.tidy()
        yield url
        return
    path = original.with_name('used-receipts.db')
    shutil.copyfile(original, path)
    try:
        yield str(path)
    finally:
        for suffix in ('', '-wal', '-shm'):
            Path(f'{path}{suffix}').unlink(missing_ok=True)


@contextmanager
def worker_apart(path: str, arguments: argparse.Namespace) -> Generator[None]:
    """What `memoranda worker` is, with a model that takes its time."""
    spawn = multiprocessing.get_context('spawn')
    over = spawn.Event()
    worker = spawn.Process(target=_work, args=(path, arguments.workers, arguments.model_seconds, over))
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()


def _work(path: str, workers: int, seconds: float, over: Event) -> None:
    async def main() -> None:
        settings = Settings(workers=workers, drain_seconds=0)
        embedder = Named(StoredVectors(World(5)).name)
        async with AsyncMemory(path, model=SlowModel(seconds).model, embedder=embedder, settings=settings):
            await asyncio.to_thread(over.wait)

    asyncio.run(main())


async def receipts(path: str, arguments: argparse.Namespace, *, apart: bool = False) -> bool:
    """Add at a steady rate while the workers, here or elsewhere, always have something to do."""
    slow = SlowModel(arguments.model_seconds)
    settings = Settings(workers=0 if apart else arguments.workers, drain_seconds=0, secrets='redact')
    embedder = Named(StoredVectors(World(5)).name)
    ahead = int(arguments.workers / max(arguments.model_seconds, 0.1) * (arguments.seconds + 5))
    async with AsyncMemory(path, model=slow.model, embedder=embedder, settings=settings) as memory:
        before = await memory.stats()
        # Loads the modules and the model.
        receipt = await memory.add(long_message(0, 0), user_id='first', background=settings.workers > 0)
        await receipt.wait(timeout=60)

        async def add(number: int) -> None:
            text = long_message(number % USERS, number)
            result = await memory.add(text, user_id=f'user-{number % USERS}', background=True)
            assert result.status == 'queued', result.status

        for number in range(ahead):
            await add(number)
        title(
            f'a receipt for 500 characters, {arguments.rate:g} a second for {arguments.seconds:g} s, '
            f'{arguments.workers} workers{" in another process" if apart else ""}, '
            f'a model that takes {arguments.model_seconds:g} s'
        )
        asked, others, gaps, running = slow.asked, Others(), Gaps(), list[int]()
        end = time.perf_counter() + arguments.seconds

        async def look() -> None:
            while True:
                running.append(slow.running)
                await asyncio.sleep(0.05)

        looking = asyncio.create_task(look())
        async with gaps.watched():
            taken = await steadily(add, rate=arguments.rate, until=lambda: time.perf_counter() >= end, first=ahead)
        looking.cancel()
        done = slow.asked - asked
        print(f'  {others}')
        print(f'  receipt                  {gathered(taken)}')
        print(f'  gaps of the loop         {gathered(gaps.seconds)}')
    alone = await control(arguments)
    print(f'  gaps without the engine  {gathered(alone.seconds)}')
    share = sum(running) / max(len(running), 1)
    rate = done / arguments.seconds
    if not apart:
        print(f'  {done} extractions began meanwhile, {rate:.1f} a second; {share:.1f} at once in the model')
    with Memory(path, embedder=embedder, settings=Settings(workers=0)) as reopened:
        stats = reopened.stats()
    expected = 1 + ahead + len(taken)
    stored = stats.episodes - before.episodes
    print(f'  {stored} messages stored of {expected}, {stats.jobs_queued} jobs left, {stats.jobs_dead} given up')
    return all(
        [
            verdict('receipt, p50', 1e3 * quantile(taken, 0.5), 3.0),
            verdict('receipt, p99', 1e3 * quantile(taken, 0.99), 25.0),
            verdict('gaps of the loop, p99', 1e3 * quantile(gaps.seconds, 0.99), 20.0),
            stored == expected and not stats.jobs_dead,
        ]
    )


async def control(arguments: argparse.Namespace) -> Gaps:
    """As many waits and as many calls, which do nothing."""
    gaps, end = Gaps(), time.perf_counter() + arguments.seconds / 3

    async def waits() -> None:
        while True:  # noqa: ASYNC110 - it does what a model does, again and again
            await asyncio.sleep(arguments.model_seconds)

    async def nothing(number: int) -> None:
        return

    waiting = [asyncio.create_task(waits()) for _ in range(arguments.workers)]
    async with gaps.watched():
        await steadily(nothing, rate=arguments.rate, until=lambda: time.perf_counter() >= end)
    for task in waiting:
        task.cancel()
    return gaps


def text_of(process: int, number: int) -> str:
    return long_message(1_000 + process, number)


def adding(path: str, process: int, adds: int, begin: Barrier, results: Any) -> None:
    """One process: its messages, one after the other."""
    taken: list[float] = []
    errors: Counter[str] = Counter()
    embedder = StoredVectors(World(5))
    with Memory(path, embedder=embedder, settings=Settings(workers=0, errors='raise', model='rules')) as memory:
        memory.add(long_message(999, process), user_id=f'warm-{process}', background=True)
        begin.wait()
        for number in range(adds):
            began = time.perf_counter()
            try:
                memory.add(text_of(process, number), user_id=f'{process}-{number % OWN_USERS}', background=True)
            except Exception as error:
                errors[f'{type(error).__name__}: {error}'[:200]] += 1
            else:
                taken.append(time.perf_counter() - began)
    results.put((taken, errors))


def processes(path: str, count: int, adds: int) -> bool:
    """Several processes that add to one file at once."""
    title(f'{count} processes x {adds} background adds of 500 characters to that file')
    context = multiprocessing.get_context('spawn')
    begin, results = context.Barrier(count + 1), context.Queue()
    workers = [
        context.Process(target=adding, args=(path, number, adds, begin, results), daemon=True)
        for number in range(count)
    ]
    for worker in workers:
        worker.start()
    begin.wait()
    others, began = Others(), time.perf_counter()
    found: list[tuple[list[float], Counter[str]]] = [results.get() for _ in workers]
    seconds = time.perf_counter() - began
    for worker in workers:
        worker.join()
    print(f'  {others}')
    taken = [second for part, _ in found for second in part]
    errors = sum((part for _, part in found), Counter[str]())
    print(f'  {seconds:.1f} s: {len(taken) / seconds:.0f} adds a second')
    print(f'  receipt                  {gathered(taken)}')
    print(f'  errors: {errors.total()}')
    for error, times in errors.most_common(5):
        print(f'    {times} x {error}')
    with Memory(path, embedder=StoredVectors(World(5)), settings=Settings(workers=0)) as memory:
        lost = sum(missing(memory, process, adds) for process in range(count))
        queued = memory.stats().jobs_queued
    print(f'  {count * adds} messages expected, {lost} of them missing or doubled; {queued} jobs queued')
    return not errors and not lost and queued == count * (adds + 1)


def missing(memory: Memory, process: int, adds: int) -> int:
    """Messages of a process that aren't there exactly once."""
    stored: Counter[str] = Counter()
    for user in range(min(OWN_USERS, adds)):
        cursor = None
        while True:
            page = memory.episodes(user_id=f'{process}-{user}', limit=1000, cursor=cursor)
            stored.update(episode.text for episode in page.items)
            cursor = page.cursor
            if cursor is None:
                break
    expected = Counter(text_of(process, number) for number in range(adds))
    return (expected - stored).total() + (stored - expected).total()


if __name__ == '__main__':
    main()
