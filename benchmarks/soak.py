"""A steady load for a long time: do memory, file and latency stay as they are?

Usage: python benchmarks/soak.py --minutes 30 [--adds 20] [--searches 20] [--dir DIR]

Background adds, searches and erasures at a steady rate. As many users leave, with `delete_all`, as new ones come, so
that the amount of data stays the same once the first have left. A line a minute tells how things stand; in the end the
last third of the minutes is compared with the second.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from _common import folder, machine, median, quantile, title
from _load import Gaps, Others, SlowModel, message, question, steadily
from memoranda import AsyncMemory
from memoranda.settings import Settings

MEMORY_GROWTH = 1.05
FILE_GROWTH = 1.05
LATENCY_GROWTH = 1.5
"""How much more of each the last third may have than the second, and still count as flat. Medians of the minutes."""
COUNT_GROWTH = 0
"""How many threads and open files more."""
FEW_JOBS = 20
"""A queue that is shorter at the end is no backlog."""


@dataclass
class Minute:
    """What was seen at the end of a minute, and what calls took in it. MiB and milliseconds."""

    resident: float
    file: float
    log: float
    add: float
    add95: float
    search: float
    search95: float
    erase: float
    gaps99: float
    threads: int
    files: int
    jobs: int
    memories: int
    others: float

    HEAD = (
        'minute    RSS   file    WAL |  add p50   p95 | search p50   p95 | erase p50 | gaps p99 | threads  fds | '
        'jobs memories | others'
    )

    def line(self, number: int) -> str:
        return (
            f'{number:6} {self.resident:6.1f} {self.file:6.1f} {self.log:6.1f} | {self.add:8.2f} {self.add95:5.1f} | '
            f'{self.search:10.2f} {self.search95:5.1f} | {self.erase:9.1f} | {self.gaps99:8.2f} | '
            f'{self.threads:7} {self.files:4} | {self.jobs:4} {self.memories:8} | {self.others:6.2f}'
        )


@dataclass
class Soak:
    """The load, and what is measured of it."""

    memory: AsyncMemory
    path: Path
    users: int
    adds: list[float] = field(default_factory=list)
    searches: list[float] = field(default_factory=list)
    erasures: list[float] = field(default_factory=list)
    gaps: Gaps = field(default_factory=Gaps)
    errors: Counter[str] = field(default_factory=Counter[str])
    oldest: int = 0
    """The users are `oldest` to `oldest + users - 1`."""
    rng: random.Random = field(default_factory=lambda: random.Random(1))

    def someone(self) -> int:
        return self.oldest + self.rng.randrange(self.users)

    async def add(self, number: int) -> None:
        user = self.someone()
        await self._timed(
            self.adds, self.memory.add(message(user, number % 10_000), user_id=f'user-{user}', background=True)
        )

    async def search(self, number: int) -> None:
        user = self.someone()
        await self._timed(self.searches, self.memory.search(question(user, number % 10_000), user_id=f'user-{user}'))

    async def replace_oldest(self, _: int) -> None:
        user, self.oldest = self.oldest, self.oldest + 1
        await self._timed(self.erasures, self.memory.delete_all(user_id=f'user-{user}'))

    async def _timed(self, taken: list[float], call: object) -> None:
        began = time.perf_counter()
        try:
            await call  # type: ignore[misc]
        except Exception as error:
            self.errors[f'{type(error).__name__}: {error}'[:120]] += 1
        else:
            taken.append(time.perf_counter() - began)

    async def minute(self, others: Others) -> Minute:
        """What there is to tell of the minute that ends now."""
        stats = await self.memory.stats()
        found = Minute(
            resident=resident(),
            file=size(self.path),
            log=size(Path(f'{self.path}-wal')),
            add=1e3 * quantile(self.adds, 0.5),
            add95=1e3 * quantile(self.adds, 0.95),
            search=1e3 * quantile(self.searches, 0.5),
            search95=1e3 * quantile(self.searches, 0.95),
            erase=1e3 * quantile(self.erasures, 0.5),
            gaps99=1e3 * quantile(self.gaps.seconds, 0.99),
            threads=engine_threads(),
            files=open_files(),
            jobs=stats.jobs_queued,
            memories=stats.memories,
            others=others.cores(),
        )
        for taken in (self.adds, self.searches, self.erasures, self.gaps.seconds):
            taken.clear()
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    # Short by default, because `make bench` runs everything; 30 tell something.
    parser.add_argument('--minutes', type=float, default=3)
    parser.add_argument('--adds', type=float, default=20, help='a second')
    parser.add_argument('--searches', type=float, default=20, help='a second')
    parser.add_argument('--users', type=int, default=120, help='at any time')
    parser.add_argument('--stay', type=float, default=240, help='seconds from the first of them to the last')
    parser.add_argument('--model-seconds', type=float, default=1.0)
    parser.add_argument('--workers', type=int, default=48)
    parser.add_argument('--dir', type=Path)
    arguments = parser.parse_args()
    print(machine())
    with folder(arguments.dir) as place:
        path = place / 'soak.db'
        for suffix in ('', '-wal', '-shm'):
            Path(f'{path}{suffix}').unlink(missing_ok=True)
        minutes, soak = asyncio.run(soaked(path, arguments))
    if not judged(minutes, soak):
        raise SystemExit(1)


async def soaked(path: Path, arguments: argparse.Namespace) -> tuple[list[Minute], Soak]:
    slow = SlowModel(arguments.model_seconds)
    settings = Settings(workers=arguments.workers)
    minutes: list[Minute] = []
    async with AsyncMemory(path, model=slow.model, settings=settings) as memory:
        soak = Soak(memory, path, arguments.users)
        # Loads modules and models.
        await (await memory.add(message(0, 0), user_id='user-0', background=True)).wait(timeout=60)
        await soak.search(0)
        title(
            f'{arguments.adds:g} background adds and {arguments.searches:g} searches a second, '
            f'{arguments.users} users, each for {arguments.stay:g} s; '
            f'{arguments.workers} workers, a model that takes {arguments.model_seconds:g} s'
        )
        print(f'  {Minute.HEAD}')
        begun = time.perf_counter()
        end = begun + 60 * arguments.minutes

        async def report() -> None:
            while True:
                others = Others()
                await asyncio.sleep(max(0.0, begun + 60 * (len(minutes) + 1) - time.perf_counter()))
                minutes.append(await soak.minute(others))
                print(f'  {minutes[-1].line(len(minutes))}', flush=True)

        def over() -> bool:
            return time.perf_counter() >= end

        reporting = asyncio.create_task(report())
        async with soak.gaps.watched():
            await asyncio.gather(
                steadily(soak.add, rate=arguments.adds, until=over),
                steadily(soak.search, rate=arguments.searches, until=over),
                steadily(soak.replace_oldest, rate=arguments.users / arguments.stay, until=over),
            )
        await asyncio.sleep(0.5)  # the last report
        reporting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reporting
        left = await memory.flush(60)
        stats = await memory.stats()
    print(f'  then {left} jobs unfinished after a minute, {stats.jobs_dead} given up')
    soak.errors['jobs given up'] += stats.jobs_dead
    return minutes, soak


def judged(minutes: list[Minute], soak: Soak) -> bool:
    """Compare the last third with the second."""
    third = len(minutes) // 3
    print(f'  failed calls: {soak.errors.total()}')
    for error, count in (+soak.errors).most_common(5):
        print(f'    {count} x {error}')
    if third < 1:
        print('  too short to compare its parts')
        return not soak.errors.total()
    before, after = minutes[third : 2 * third], minutes[2 * third :]
    title(f'minutes {third + 1} to {2 * third}, and {2 * third + 1} to {len(minutes)}')
    flat = True
    rules: list[tuple[str, str, float]] = [
        ('resident memory', 'resident', MEMORY_GROWTH),
        ('file', 'file', FILE_GROWTH),
        ('add, p50', 'add', LATENCY_GROWTH),
        ('search, p50', 'search', LATENCY_GROWTH),
        ('add, p95', 'add95', 2 * LATENCY_GROWTH),
        ('search, p95', 'search95', 2 * LATENCY_GROWTH),
    ]
    for name, attribute, most in rules:
        a, b = (median([getattr(m, attribute) for m in part]) for part in (before, after))
        fine = b <= a * most
        flat &= fine
        print(f'  {"flat" if fine else "GROWS":<6} {name:<18}{a:10.2f}{b:10.2f}{b / a:8.2f}x  (at most {most:g}x)')
    for name, attribute in (('threads', 'threads'), ('open files', 'files')):
        a, b = (max(getattr(m, attribute) for m in part) for part in (before, after))
        fine = b <= a + COUNT_GROWTH
        flat &= fine
        print(f'  {"flat" if fine else "GROWS":<6} {name:<18}{a:10}{b:10}')
    a, b = (max(m.jobs for m in part) for part in (before, after))
    fine = b <= max(FEW_JOBS, 2 * a)
    flat &= fine
    print(f'  {"flat" if fine else "GROWS":<6} {"jobs waiting":<18}{a:10}{b:10}')
    print(f'  {"FLAT" if flat else "NOT FLAT"}; a minute is the median of its calls, a third the median of its minutes')
    return flat and not soak.errors.total()


def resident() -> float:
    """MiB of this process in memory now; nan where it can't be told."""
    try:
        pages = int(Path('/proc/self/statm').read_text(encoding='ascii').split()[1])
    except (OSError, ValueError):
        return float('nan')
    return pages * os.sysconf('SC_PAGE_SIZE') / 2**20


def engine_threads() -> int:
    """Those of the memory. The caller's loop starts its own, six at most here, whenever it first needs one more."""
    return sum(thread.name.startswith('memoranda') for thread in threading.enumerate())


def open_files() -> int:
    """Descriptors of this process; -1 where they can't be counted."""
    try:
        return len(os.listdir('/proc/self/fd'))
    except OSError:
        return -1


def size(path: Path) -> float:
    return path.stat().st_size / 2**20 if path.exists() else 0.0


if __name__ == '__main__':
    main()
