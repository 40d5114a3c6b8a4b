"""Search, add and erase in files of 100,000 and of a million memories, without the time of embedding.

Usage: python benchmarks/scale.py --memories 100000 1000000 --dir DIR [--profile]
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import functools
import importlib
import pstats
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from _build import Owners, StoredVectors, World, build
from _common import Clock, folder, machine, median, spread, title
from memoranda import Memory
from memoranda.stores.sql import searching

SEARCHES = 300
ROUNDS = 100
DELETIONS = 10
LANES = ('memories',)


class Bench:
    """One file, opened."""

    def __init__(self, memory: Memory, owners: Owners, path: Path, name: str) -> None:
        self.memory, self.owners, self.path, self.name = memory, owners, path, name
        self.world = World(99)
        # Asked in turn: never the same question twice, so that nothing answers from a cache of questions.
        self._questions = iter(self.world.texts(20_000, 3, 5))
        self._facts = iter(self.world.texts(20_000, 6, 14))
        self.figures: dict[str, float] = {}

    def search(self, user: str, include: tuple[Any, ...] = LANES) -> None:
        question = next(self._questions)
        if not self.memory.search(question, user_id=user, include=include):
            raise SystemExit(f'nothing found for {user!r}')

    def add(self, user: str) -> None:
        self.memory.add(next(self._facts), user_id=user, infer=False)

    def report(self, name: str, clock: Clock, *, key: str | None = None) -> None:
        print(f'  {self.name:>9}  {name:<38} {clock}', flush=True)
        if key:
            self.figures[key] = median(clock.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--memories', type=int, nargs='+', default=[100_000], help='sizes of file')
    parser.add_argument('--dir', type=Path, help='where to keep the files (5 KiB a memory); else a temporary one')
    parser.add_argument('--profile', action='store_true', help='where a search of 10,000 memories spends its time')
    arguments = parser.parse_args()
    print(machine())
    with folder(arguments.dir) as place, contextlib.ExitStack() as files:
        benches = [opened(place, count, files) for count in sorted(arguments.memories)]
        cold(benches)
        warm(benches)
        for bench in benches if arguments.profile else ():
            if 10_000 in bench.owners.groups:
                profiled(bench)
        alternating(benches)
        for bench in benches:
            adding(bench)
        for bench in benches:
            if 1_000 in bench.owners.groups:
                deleting(bench)
        if len(benches) > 1:
            compare(benches[0], benches[-1])


def opened(place: Path, count: int, files: contextlib.ExitStack) -> Bench:
    title(f'a file of {count:,} memories')
    original = place / f'memories-{count}.db'
    owners = build(original, count)
    path = place / f'used-{count}.db'  # the measurements add and erase
    shutil.copyfile(original, path)
    for suffix in ('', '-wal', '-shm'):
        files.callback(Path(f'{path}{suffix}').unlink, missing_ok=True)
    memory = files.enter_context(Memory(path, embedder=StoredVectors(World(5))))
    bench = Bench(memory, owners, path, f'{count:,}')
    bench.search(next(name for name in owners.sizes if name.startswith('small')))  # modules, connections
    return bench


def sizes(benches: list[Bench]) -> list[int]:
    """Sizes of owner that every file has."""
    return sorted(set.intersection(*(set(bench.owners.groups) for bench in benches)))


def cold(benches: list[Bench]) -> None:
    title('first search of an owner (its vectors are read from the file)')
    for size in sizes(benches):
        clocks = [Clock() for _ in benches]
        for i in range(min(15, *(len(bench.owners.groups[size]) for bench in benches))):
            for bench, clock in zip(benches, clocks, strict=True):
                clock.call(bench.search, bench.owners.groups[size][i])
        for bench, clock in zip(benches, clocks, strict=True):
            bench.report(f'{size:,} memories', clock, key=f'cold search, {size:,}')


def warm(benches: list[Bench]) -> None:
    """The files take turns, so that whatever else the machine does falls on all of them."""
    title('search, warm')
    for size in sizes(benches):
        for include, note in ((LANES, ''), (('memories', 'episodes'), ', with episodes')):
            clocks, used = [Clock() for _ in benches], [0.0 for _ in benches]
            for bench in benches:
                for name in bench.owners.groups[size][:4]:
                    bench.search(name, include)
            for i in range(SEARCHES):
                for number, bench in enumerate(benches):
                    names = bench.owners.groups[size][:4]
                    before = time.process_time()
                    clocks[number].call(bench.search, names[i % len(names)], include)
                    used[number] += time.process_time() - before
            for bench, clock, seconds in zip(benches, clocks, used, strict=True):
                bench.report(f'{size:,} memories{note}', clock, key=f'warm search, {size:,}{note}')
                print(f'  {"":<50}processor time {1e3 * seconds / SEARCHES:.2f} ms each')
                bench.figures[f'processor time of it, {size:,}{note}'] = seconds / SEARCHES


def alternating(benches: list[Bench]) -> None:
    title('an add and a search in turn')
    for size in sizes(benches):
        clocks = [(Clock(), Clock()) for _ in benches]
        for _ in range(ROUNDS):
            for bench, (adds, searches) in zip(benches, clocks, strict=True):
                adds.call(bench.add, bench.owners.groups[size][0])
                searches.call(bench.search, bench.owners.groups[size][0])
        for bench, (adds, searches) in zip(benches, clocks, strict=True):
            bench.report(f'{size:,} memories: search', searches, key=f'search after add, {size:,}')
            bench.report(f'{size:,} memories: add', adds, key=f'add, {size:,}')


def adding(bench: Bench) -> None:
    title(f'adding facts as given, {bench.name} memories')
    names = [name for name in bench.owners.sizes if name.startswith('small')]
    count = 300
    started = time.perf_counter()
    for i in range(count):
        bench.add(names[i % len(names)])
    print(f'  one thread     {count / (time.perf_counter() - started):8.0f} a second, each to another owner')
    workers = 16

    def work(number: int) -> None:
        for i in range(40):
            bench.add(names[(number * 40 + i) % len(names)])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(workers)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f'  {workers} threads     {workers * 40 / (time.perf_counter() - started):8.0f} a second')


def deleting(bench: Bench) -> None:
    title(f'delete_all of an owner with 1,000 memories (200 messages), {bench.name} memories in the file')
    clock, states, memories = Clock(), [], 0
    with spans(ERASURE, time.perf_counter) as spent:
        for name in bench.owners.groups[1_000][-DELETIONS:]:
            result = clock.call(bench.memory.delete_all, user_id=name)
            states.append(result.scrub)
            memories += result.memories
    bench.report(f'{memories:,} memories in all', clock, key='delete_all, 1,000')
    print(f'  answered: {", ".join(f"{states.count(s)} {s}" for s in dict.fromkeys(states))}')
    for name, seconds in spent.items():
        print(f'    of which {name:<35}{1e3 * seconds / len(states):8.2f} ms each')
    sweep, waiting = Clock(), Clock()
    pending = threading.Thread(target=sweep.call, args=(bench.memory.finish_erasure,))
    pending.start()
    while pending.is_alive():
        waiting.call(bench.add, bench.owners.groups[100][0])
    pending.join()
    print(f'  sweep of the whole file ({bench.path.stat().st_size / 2**20:,.0f} MiB): {sweep.seconds[0]:.2f} s')
    print(f'  adds meanwhile: {spread(waiting.seconds)}, longest {1e3 * max(waiting.seconds, default=0):.0f} ms')
    bench.figures['sweep of the file'] = sweep.seconds[0]


_SQLITE, _SQL = 'memoranda.stores.sqlite', 'memoranda.stores.sql'
ERASURE = {
    'the transaction': (f'{_SQLITE}.connection', 'Writer._commit'),
    '  rows deleted': (f'{_SQL}.erasing', 'erase'),
    'what the files still hold': (f'{_SQLITE}.sweeping', 'scrub'),
    '  owners dropped from the cache': (f'{_SQL}.cache', 'Cache.drop_stale'),
    '  log truncated': (f'{_SQLITE}.sweeping', '_truncate'),
    '  gaps swept': (f'{_SQLITE}.sweeping', '_sweep'),
}
SEARCH = {
    'on the reader thread': (f'{_SQL}.reading', 'search'),
    '  a lane gathered': (f'{_SQL}.reading', '_lane'),
    '    columns of the owner': (f'{_SQL}.cache', 'Cache.columns'),
    '    cosines': (f'{_SQL}.reading', '_cosines'),
    '    postings': (f'{_SQL}.reading', '_postings'),
    '    what may be seen': (f'{_SQL}.reading', '_allowed'),
    '  ranking': ('memoranda.recall.search', 'rank'),
    '  rows read': (f'{_SQL}.reading', '_read_hits'),
    '    memories': (f'{_SQL}.reading', 'read_memories'),
    '  reranking': ('memoranda.recall.search', 'rerank'),
    'question analysed': ('memoranda.recall.search', 'analyse'),
}


@contextlib.contextmanager
def spans(names: dict[str, tuple[str, str]], timer: Callable[[], float]) -> Iterator[dict[str, float]]:
    """Seconds inside functions, by label, while this is entered. A function that is gone counts as 0."""
    spent = dict.fromkeys(names, 0.0)
    undo: list[Callable[[], None]] = []
    for label, (module_name, path) in names.items():
        *outer, function_name = path.split('.')
        holder: Any = importlib.import_module(module_name)
        for name in outer:
            holder = getattr(holder, name, None)
        original = getattr(holder, function_name, None)
        if original is None:
            continue

        def timed(*args: Any, _label: str = label, _original: Any = original, **kwargs: Any) -> Any:
            started = timer()
            try:
                return _original(*args, **kwargs)
            finally:
                spent[_label] += timer() - started

        setattr(holder, function_name, timed)
        undo.append(functools.partial(setattr, holder, function_name, original))
    try:
        yield spent
    finally:
        for restore in undo:
            restore()


def profiled(bench: Bench) -> None:
    """Processor time by part; then the functions of the reader thread under cProfile, which makes calls look dear."""
    title(f'where a warm search of 10,000 memories spends its time, {bench.name} in the file')
    for include in (LANES, ('memories', 'episodes')):
        with spans(SEARCH, time.thread_time) as spent:
            used, own, clock = time.process_time(), time.thread_time(), Clock()
            in_turn(bench, clock, include)
            used, own = time.process_time() - used, time.thread_time() - own
        print(f'  {" and ".join(include)}: {clock}')
        print(f'    {"processor time of all threads":<32}{1e3 * used / SEARCHES:8.3f} ms')
        print(f'    {"the caller`s thread":<32}{1e3 * own / SEARCHES:8.3f} ms')
        for name, seconds in spent.items():
            print(f'    {name:<32}{1e3 * seconds / SEARCHES:8.3f} ms')
    profiles: dict[int, cProfile.Profile] = {}
    original = searching.search

    def search(*args: Any) -> Any:
        profile = profiles.setdefault(threading.get_ident(), cProfile.Profile(time.thread_time))
        profile.enable()
        try:
            return original(*args)
        finally:
            profile.disable()

    searching.search = search
    try:
        in_turn(bench, Clock(), LANES)
    finally:
        searching.search = original
    costs(pstats.Stats(*profiles.values()), SEARCHES)


def in_turn(bench: Bench, clock: Clock, include: tuple[Any, ...]) -> None:
    names = bench.owners.groups[10_000][:4]
    for i in range(SEARCHES):
        clock.call(bench.search, names[i % len(names)], include)


def costs(stats: pstats.Stats, calls: int, *, rows: int = 10) -> None:
    """Per call: first by what a function took itself, then, for our own functions, with what they called."""
    found = stats.stats  # type: ignore[attr-defined]
    for heading, column, ours in (('itself', 2, False), ('with what it calls', 3, True)):
        print(f'    {heading}')
        chosen = [(key, value) for key, value in found.items() if not ours or 'memoranda' in key[0]]
        for (file, line, name), value in sorted(chosen, key=lambda item: -item[1][column])[:rows]:
            where = f'{Path(file).name}:{line} {name}' if line else name
            print(f'      {1e3 * value[column] / calls:8.3f} ms  {value[0] / calls:7.1f} calls  {where[:90]}')


def compare(small: Bench, large: Bench) -> None:
    title(f'medians in ms: {small.name} memories, {large.name}, and the ratio')
    for key, before in small.figures.items():
        after = large.figures.get(key, float('nan'))
        print(f'  {key:<44}{1e3 * before:10.2f}{1e3 * after:10.2f}{after / before if before else 0:8.2f}x')


if __name__ == '__main__':
    main()
