"""What workers that have nothing to do cost a PostgreSQL server.

Usage: python benchmarks/idle_workers.py [--workers 0 1 4 16] [--seconds 20] [--url URL]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _common import machine, title
from _server import Database, database
from memoranda import AsyncMemory, Memory
from memoranda.settings import Settings
from memoranda.testing import HashingEmbedder

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier, Event

IN_ONE_PROCESS = 4
"""Workers of a process here: each an engine of its own, so that sixteen don't take sixteen interpreters' memory."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--workers', type=int, nargs='+', default=[0, 1, 4, 16])
    parser.add_argument('--seconds', type=float, default=20.0)
    parser.add_argument('--poll-seconds', type=float, default=0.5)
    parser.add_argument('--url', help='an empty database with the extension `vector`; else a server is started')
    arguments = parser.parse_args()
    print(machine())
    with database(arguments.url) as base:
        with Memory(base.url, embedder=HashingEmbedder(), settings=Settings(workers=0)) as memory:
            memory.add('The first', user_id='first', infer=False)
        title(f'workers that look for jobs every {arguments.poll_seconds:g} s, and find none')
        for count in arguments.workers:
            measured(base, count, arguments)


def measured(base: Database, count: int, arguments: argparse.Namespace) -> None:
    spawn = multiprocessing.get_context('spawn')
    parts = [min(IN_ONE_PROCESS, count - first) for first in range(0, count, IN_ONE_PROCESS)]
    ready, over = spawn.Barrier(len(parts) + 1), spawn.Event()
    processes = [
        spawn.Process(target=_idle, args=(base.url, part, arguments.poll_seconds, ready, over)) for part in parts
    ]
    for process in processes:
        process.start()
    ready.wait()
    time.sleep(3)  # first looks, and the chores that come with opening
    before, mine = _used(base), _of_processes(processes)
    began = time.perf_counter()
    time.sleep(arguments.seconds)
    seconds = time.perf_counter() - began
    after, ours = _used(base), _of_processes(processes)
    over.set()
    for process in processes:
        process.join()
    transactions = (after['transactions'] - before['transactions']) / seconds
    print(
        f'  {count:>3} workers: {transactions:7.1f} transactions a second, '
        f'server {100 * (after["seconds"] - before["seconds"]) / seconds:5.2f} % of a core, '
        f'workers {100 * (ours - mine) / seconds:5.2f} % of a core, {after["connections"]} connections',
        flush=True,
    )


def _idle(url: str, count: int, poll_seconds: float, ready: Barrier, over: Event) -> None:
    async def work() -> None:
        memories = [
            AsyncMemory(
                url, embedder=HashingEmbedder(), settings=Settings(workers=8, poll_seconds=poll_seconds, model='rules')
            )
            for _ in range(count)
        ]
        for memory in memories:
            await memory.__aenter__()
        await asyncio.to_thread(ready.wait)
        await asyncio.to_thread(over.wait)
        for memory in memories:
            await memory.__aexit__(None, None, None)

    asyncio.run(work())


def _used(base: Database) -> dict[str, Any]:
    """Transactions and connections of the database, and the processor time of its server where it is our own."""
    with base.connect() as connection:
        transactions, connections = connection.execute(
            'SELECT xact_commit + xact_rollback, numbackends - 1 FROM pg_stat_database '
            'WHERE datname = current_database()'
        ).fetchone()
    return {'transactions': transactions, 'connections': connections, 'seconds': _of_server(base)}


def _of_server(base: Database) -> float:
    """Seconds of all processes of the server so far; nan when it isn't our own."""
    if base.own is None:
        return float('nan')
    postmaster = int((base.own.data / 'postmaster.pid').read_text().split()[0])
    return sum(_seconds(pid) for pid in (postmaster, *_children(postmaster)))


def _of_processes(processes: list[Any]) -> float:
    return sum(_seconds(process.pid) for process in processes)


def _children(parent: int) -> list[int]:
    found: list[int] = []
    for path in Path('/proc').glob('[0-9]*/stat'):
        try:
            fields = path.read_text().rpartition(')')[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(path.parent.name))
    return found


def _seconds(pid: int) -> float:
    """User and system time of a process and of those of its children that have ended."""
    try:
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf('SC_CLK_TCK')


if __name__ == '__main__':
    main()
