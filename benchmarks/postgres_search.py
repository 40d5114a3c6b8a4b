"""Hybrid search on PostgreSQL, 100,000 and a million memories of 1,000 owners, beside mem0ai with its pgvector store.

Usage: python benchmarks/postgres_search.py [--memories 100000 1000000] [--url URL] [--dir DIR] [--mem0-python PATH]

Without a URL a server is started for it, with fsync and all. Filling it with a million takes an hour on a small
machine, so a database may be kept and measured again: `--url URL`, and next time with `--filled`. A minute's worth:

    python benchmarks/postgres_search.py --memories 20000 --owners 200 --searches 100 --adds 200

For the comparison, mem0ai goes into an environment of its own:

    python -m venv mem0-env
    mem0-env/bin/pip install mem0ai==2.2.1 'psycopg[binary,pool]'
    python benchmarks/postgres_search.py --mem0-python mem0-env/bin/python
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from _build import Owners, StoredVectors, World, build
from _common import Clock, folder, machine, median, quantile, spread, title
from _load import Others
from _postgres_copy import copy_file, copy_name
from _server import Database, database
from memoranda import Memory
from memoranda.settings import Settings

SIDE = Path(__file__).with_name('_mem0_pgvector_side.py')
GOALS = {100: 1.5, 1_000: 7.0}
"""Milliseconds beyond embedding, p50, by memories of the owner."""
TOP_K = 10
SEED = 99


def planned(memories: int, owners: int) -> Owners:
    """So many owners: a few of each size that is measured, and the others share what is left, unevenly."""
    groups: dict[int, list[str]] = {}
    sizes: dict[str, int] = {}
    left = memories
    for size, count in ((10_000, 4), (1_000, 30), (100, 60)):
        while count and (count * size > left * 2 // 3 or len(sizes) + count > owners * 2 // 3):
            count -= 1
        if count:
            groups[size] = [f'user-{size}-{i}' for i in range(count)]
            sizes |= dict.fromkeys(groups[size], size)
            left -= size * count
    others = owners - len(sizes)
    weights = np.random.default_rng(7).lognormal(0, 0.8, others)
    shares = np.maximum(1, np.floor(weights / weights.sum() * left)).astype(int)
    shares[0] = max(1, shares[0] + left - int(shares.sum()))
    sizes |= {f'other-{i}': int(share) for i, share in enumerate(shares)}
    return Owners(sizes, groups)


class Bench:
    """One database, filled."""

    def __init__(self, base: Database, owners: Owners, count: int, arguments: argparse.Namespace) -> None:
        self.base, self.owners, self.count, self.arguments = base, owners, count, arguments
        # What an earlier run added to the same database would be known already.
        world = World(int(time.time()) if arguments.filled else SEED)
        needed = 4 * arguments.searches * len(owners.groups) + 4 * arguments.adds + 1_000
        # Asked in turn: never the same question twice, so that nothing answers from a cache of questions.
        self.questions: Iterator[str] = iter(world.texts(needed, 3, 5))
        self.facts: Iterator[str] = iter(world.texts(needed, 6, 14))
        self.figures: dict[str, float] = {}

    def memory(self, **settings: Any) -> Memory:
        return Memory(self.base.url, embedder=StoredVectors(World(5)), settings=Settings(workers=0, **settings))

    def search(self, memory: Memory, user: str, include: tuple[Any, ...] = ('memories',)) -> None:
        found = memory.search(next(self.questions), user_id=user, include=include, top_k=TOP_K)
        assert found, f'nothing found for {user!r}'

    def report(self, name: str, clock: Clock, *, key: str | None = None) -> None:
        print(f'  {name:<44} {clock}', flush=True)
        if key is not None:
            self.figures[key] = median(clock.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--memories', type=int, nargs='+', default=[100_000], help='sizes of database')
    parser.add_argument('--owners', type=int, default=1_000)
    parser.add_argument('--url', help='an empty database with the extension `vector`; else a server is started')
    parser.add_argument('--filled', action='store_true', help='the database has what an earlier run with --url put in')
    parser.add_argument('--dir', type=Path, help='where to keep the files it is filled from (5 KiB a memory)')
    parser.add_argument('--searches', type=int, default=300, help='of each kind and size of owner')
    parser.add_argument('--adds', type=int, default=500)
    parser.add_argument('--mem0-python', type=Path, help='an interpreter that has mem0ai and psycopg_pool installed')
    parser.add_argument('--profile', action='store_true', help='where a warm search spends its time')
    arguments = parser.parse_args()
    if arguments.url and len(arguments.memories) > 1:
        parser.error('--url names one database, and each size needs its own: give one size')
    if arguments.filled and not arguments.url:
        parser.error('--filled needs --url, the database that an earlier run filled')
    print(machine())
    reached = True
    with folder(arguments.dir) as place, database(arguments.url, filled=arguments.filled) as base:
        for number, count in enumerate(sorted(arguments.memories)):
            if number:
                base.emptied()
            reached &= measured(base, count, place, arguments)
    if not reached:
        raise SystemExit(1)


def measured(base: Database, count: int, place: Path, arguments: argparse.Namespace) -> bool:
    title(f'{count:,} memories of {arguments.owners:,} owners, {base.ask("SELECT version()").split(" on ")[0]}')
    # Making a file of a million memories takes an hour; owners that are copied are no less owners.
    copies = 10 if count >= 500_000 else 1
    source = place / f'postgres-{count // copies}-{arguments.owners // copies}.db'
    owners = planned(count // copies, arguments.owners // copies)
    bench = Bench(base, copied(owners, copies), count, arguments)
    if not arguments.filled:
        build(source, count // copies, owners=owners)
        fill(bench, source, copies)
    others = Others()
    cold(bench)
    with bench.memory() as memory:
        warm(bench, memory)
        if arguments.profile:
            from _postgres_profile import profiled

            for size, names in sorted(owners.groups.items()):
                title(f'what a call consists of, an owner with {size:,} memories')
                profiled(
                    lambda name=names[0]: bench.search(memory, name),
                    lambda name=names[0]: memory.add(next(bench.facts), user_id=name, infer=False),
                )
        alternating(bench, memory)
        adding(bench, memory)
    print(f'  {others}')
    reached = verdicts(bench)
    if arguments.mem0_python is not None:
        compare(bench, source, copies)
    elif count == min(arguments.memories):
        print((__doc__ or '').partition('For the comparison, ')[2])
    return reached


def copied(owners: Owners, copies: int) -> Owners:
    return Owners(
        {copy_name(name, i): size for i in range(copies) for name, size in owners.sizes.items()},
        {size: [copy_name(name, i) for name in names for i in range(copies)] for size, names in owners.groups.items()},
    )


def fill(bench: Bench, source: Path, copies: int) -> None:
    """The rows of the file, table by table, by COPY: with the keys they have there, which are the same here."""
    began = time.perf_counter()
    rows = copy_file(source, bench.base, copies=copies)
    copied = time.perf_counter() - began
    began = time.perf_counter()
    bench.base.tidy()
    total = sum(bench.base.sizes().values())
    print(
        f'  {rows:,} rows copied in {copied:.0f} s, tidied in {time.perf_counter() - began:.0f} s; '
        f'{total / 2**20:,.0f} MiB, {total / bench.count:,.0f} bytes a memory with its share of messages and history'
    )
    for name, size in list(bench.base.sizes().items())[:8]:
        print(f'    {name:<24}{size / 2**20:10,.0f} MiB {size / bench.count:8,.0f} bytes a memory')


def cold(bench: Bench) -> None:
    """The first search of an owner: with nothing in any memory, then with the server's own cache warm."""
    emptied = bench.base.forget_cached()
    for warm_server in (False, True):
        if not warm_server and not emptied:
            continue
        title(
            'first search of an owner in a new process, '
            + ('server and disk cache warm' if warm_server else 'server restarted, its files not in memory')
        )
        with bench.memory() as memory:
            for name in list(bench.owners.sizes)[-3:]:  # modules, connections, plans
                bench.search(memory, name)
            for size, names in sorted(bench.owners.groups.items()):
                clock = Clock()
                for name in names[:15]:
                    clock.call(bench.search, memory, name)
                bench.report(f'{size:,} memories', clock, key=f'{"first" if warm_server else "cold"} search, {size:,}')


def warm(bench: Bench, memory: Memory) -> None:
    title('search, warm')
    for size, group in sorted(bench.owners.groups.items()):
        names = group[:4]
        for include, note in ((('memories',), ''), (('memories', 'episodes'), ', with episodes')):
            for name in names:
                bench.search(memory, name, include)
                bench.search(memory, name, include)
            clock, used = Clock(), time.process_time()
            for i in range(bench.arguments.searches):
                clock.call(bench.search, memory, names[i % len(names)], include)
            used = (time.process_time() - used) / bench.arguments.searches
            bench.report(f'{size:,} memories{note}', clock, key=f'warm search, {size:,}{note}')
            print(f'  {"":<44} processor time of this process {1e3 * used:.2f} ms each')


def alternating(bench: Bench, memory: Memory) -> None:
    title('an add and a search in turn, on the same owner')
    for size, group in sorted(bench.owners.groups.items()):
        adds, searches = Clock(), Clock()
        for _ in range(min(bench.arguments.searches, 100)):
            adds.call(memory.add, next(bench.facts), user_id=group[0], infer=False)
            searches.call(bench.search, memory, group[0])
        bench.report(f'{size:,} memories: search', searches, key=f'search after add, {size:,}')
        bench.report(f'{size:,} memories: add', adds, key=f'add, {size:,}')


def adding(bench: Bench, memory: Memory) -> None:
    title('facts added as given, each to another owner')
    names = adders(bench)
    for threads in (1, 4, 16):
        count = bench.arguments.adds

        def work(number: int, threads: int = threads, count: int = count) -> None:
            for i in range(count // threads):
                memory.add(next(bench.facts), user_id=names[(number * 37 + i) % len(names)], infer=False)

        workers = [threading.Thread(target=work, args=(i,)) for i in range(threads)]
        began = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        rate = count // threads * threads / (time.perf_counter() - began)
        bench.figures[f'adds a second, {threads} threads'] = rate
        print(f'  {threads:>2} threads {rate:8.0f} a second', flush=True)


def adders(bench: Bench) -> list[str]:
    return [name for name in bench.owners.sizes if name.startswith('other')][:200]


def verdicts(bench: Bench) -> bool:
    reached = True
    for size, goal in GOALS.items():
        value = bench.figures.get(f'warm search, {size:,}')
        if value is not None:
            met = 1e3 * value <= goal
            reached &= met
            told = 'reached' if met else 'MISSED '
            print(f'  {told}  search, {size:,} memories, p50 {1e3 * value:6.2f} ms  (goal {goal:g})')
    return reached


def compare(bench: Bench, source: Path, copies: int) -> None:
    """The same memories and questions with mem0ai, on the same server."""
    title('the same with mem0ai and its pgvector store')
    world = World(SEED)
    arguments = bench.arguments
    asked = {
        'url': bench.base.url,
        'source': str(source),
        'copies': copies,
        'table': StoredVectors(World(5)).table.tolist(),
        'questions': world.texts(200 + arguments.searches * len(bench.owners.groups), 3, 5),
        'facts': world.texts(arguments.adds, 6, 14),
        'groups': {str(size): names[:4] for size, names in sorted(bench.owners.groups.items())},
        'adders': adders(bench),
        'top_k': TOP_K,
        'searches': arguments.searches,
        'first': 4,
        'adds': arguments.adds,
        'fill': not (arguments.filled and bench.base.ask("SELECT to_regclass('mem0_bench') IS NOT NULL")),
    }
    with folder(None) as place:
        wanted = place / 'asked.json'
        wanted.write_text(json.dumps(asked))
        command = [str(arguments.mem0_python), str(SIDE), str(wanted)]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | {'PYTHONPATH': ''}
        )
    told = json.loads(done.stdout.splitlines()[-1])
    if filled := told.get('filled'):
        print(
            f'  {filled["rows"]:,} rows copied in {filled["copied"]:.0f} s, '
            f'HNSW and GIN indexes made in {filled["indexed"]:.0f} s'
        )
    for size, part in told['warm'].items():
        seconds, returned = part['seconds'], part['returned']
        print(f'  search, {int(size):>6,} memories {spread(seconds)}')
        print(f'    of {TOP_K} wanted: {quantile(returned, 0.5):.0f} found in the median, at least {min(returned)}')
        ours = bench.figures[f'warm search, {int(size):,}']
        print(f'    theirs / ours, p50: {quantile(seconds, 0.5) / ours:.1f}x')
    for threads, rate in told['adds'].items():
        ours = bench.figures[f'adds a second, {threads} threads']
        print(f'  adds, {threads} threads: {rate:.0f} a second; ours / theirs {ours / rate:.1f}x')


if __name__ == '__main__':
    main()
