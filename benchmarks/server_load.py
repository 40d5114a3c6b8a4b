"""One server process under load: requests a second, what they take, and whether its memory stays as it is.

Usage: python benchmarks/server_load.py [--users 10000] [--connections 50] [--seconds 30] [--minutes 10] [--dir DIR]

`memoranda serve` on a file of so many users, with the bundled embedder and the rules. Each connection sends its next
request when the last one is answered: nine of ten read (search, context, a page of memories), one of ten writes (half
of these in the background). With `--minutes` everybody is asked about twice, which fills the cache of vectors; then it
goes on for so long, a line a minute with what the cache holds, and in the end the last third of these minutes is
compared with the second. The cache grows with the people who are asked about and with what is added, up to
`--cache-mb`; it is smaller here than by default (256), so that it is full when the minutes begin and memory has no
reason to grow.

Mem0's own self-hosted server is no part of its wheel: it needs PostgreSQL, a graph database and a model, so there is
no peer beside it here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from _common import folder, machine, median, quantile, spread, title
from _load import Others, message, question
from memoranda import AsyncMemory, Memory
from memoranda.settings import Settings

MEMORY_GROWTH = 1.05
"""How much more resident memory the last third of the minutes may have than the second, and still count as flat."""
FACTS = 5
"""Of each user at the beginning."""
AT_ONCE = 64
ENVIRONMENT = {'MEMORANDA_SERVER_RATE': '0', 'MEMORANDA_SERVER_KEY_CONCURRENCY': '1000'}
_LENGTH = re.compile(rb'\r\ncontent-length: *(\d+)', re.IGNORECASE)


async def fill(path: Path, users: int) -> None:
    """A file with so many users, each of whom is known `FACTS` facts about."""
    began = time.perf_counter()
    async with AsyncMemory(path, settings=Settings(workers=0, durability='normal')) as memory:
        following = iter(range(users))

        async def add() -> None:
            for user in following:
                said = [{'role': 'user', 'content': message(user, number)} for number in range(FACTS)]
                await memory.add(said, user_id=f'user-{user}', infer=False)

        await asyncio.gather(*(add() for _ in range(AT_ONCE)))
    print(f'  {users:,} users with {FACTS} facts each, {time.perf_counter() - began:.0f} s', flush=True)


@dataclass
class Server:
    """A `memoranda serve` of its own."""

    process: subprocess.Popen[str]
    port: int
    key: str
    watching: str
    """A key that may read the metrics."""

    @classmethod
    def start(cls, path: Path, cache_mb: int) -> Server:
        with Memory(path, settings=Settings(workers=0)) as memory:
            key = memory.keys.create(f'load {time.time_ns()}', role='writer').secret
            watching = memory.keys.create(f'metrics {time.time_ns()}', role='admin').secret
        environment = {**os.environ, **ENVIRONMENT, 'MEMORANDA_CACHE_MB': str(cache_mb), 'PYTHONUNBUFFERED': '1'}
        command = [sys.executable, '-m', 'memoranda', 'serve', '--database', str(path), '--port', '0']
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r'https?://[^:/\s]+:(\d+)', line):
                return cls(process, int(found[1]), key, watching)
        raise SystemExit('the server did not start')

    def resident(self) -> float:
        """MiB."""
        try:
            status = Path(f'/proc/{self.process.pid}/status').read_text(encoding='ascii')
        except OSError:
            return float('nan')
        return int(re.search(r'VmRSS:\s+(\d+)', status)[1]) / 1024  # type: ignore[index]

    def cached(self) -> float:
        """MiB of vectors that the server says it keeps."""
        asked = Request(f'http://127.0.0.1:{self.port}/metrics', headers={'Authorization': f'Bearer {self.watching}'})
        with urlopen(asked, timeout=60) as page:
            found = re.search(r'^memoranda_cache_usage_bytes(?:{.*})? (\S+)', page.read().decode(), re.MULTILINE)
        return float(found[1]) / 2**20 if found else float('nan')

    def seconds(self) -> float:
        """Of processor time so far."""
        try:
            fields = Path(f'/proc/{self.process.pid}/stat').read_text(encoding='ascii').rpartition(')')[2].split()
        except OSError:
            return float('nan')
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def stop(self) -> int:
        """The exit status after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


@dataclass
class Load:
    """What is asked, and what came of it."""

    server: Server
    users: int
    taken: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter[str])
    rng: random.Random = field(default_factory=lambda: random.Random(1))
    number: int = 0
    asked: Iterator[int] | None = None
    """Whom to search for, each once, instead of the mixture."""

    def following(self) -> tuple[str, str, str, Any, str] | None:
        """What the next request is: its name, method, path, body and further header."""
        self.number += 1
        if self.asked is not None:
            user = next(self.asked, None)
            asked = {'user_id': f'user-{user}', 'query': 'what is known?'}
            return None if user is None else ('search', 'POST', '/v1/search', asked, '')
        user, chance = self.rng.randrange(self.users), self.rng.random()
        ids = {'user_id': f'user-{user}'}
        if chance < 0.60:
            return 'search', 'POST', '/v1/search', {**ids, 'query': question(user, self.number)}, ''
        if chance < 0.75:
            return 'context', 'POST', '/v1/context', {**ids, 'query': question(user, self.number)}, ''
        if chance < 0.90:
            return 'list', 'GET', f'/v1/memories?user_id=user-{user}&limit=20', None, ''
        said = message(user, 1_000 + self.number % 90_000)
        if chance < 0.95:
            return 'add', 'POST', '/v1/memories', {**ids, 'messages': said, 'infer': False}, ''
        return 'add later', 'POST', '/v1/memories', {**ids, 'messages': said}, 'Prefer: respond-async\r\n'

    async def connection(self, until: float) -> None:
        """Ask over one connection, one request at a time."""
        reader, writer = await asyncio.open_connection('127.0.0.1', self.server.port)
        try:
            while time.perf_counter() < until and (following := self.following()) is not None:
                name, method, path, body, header = following
                content = b'' if body is None else json.dumps(body).encode()
                head = (
                    f'{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.server.key}\r\n'
                    f'{header}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n'
                )
                began = time.perf_counter()
                writer.write(head.encode() + content)
                answer = await reader.readuntil(b'\r\n\r\n')
                length = _LENGTH.search(answer)
                if length is not None:
                    await reader.readexactly(int(length[1]))
                status = answer[9:12].decode()
                if status[0] == '2':
                    self.taken[name].append(time.perf_counter() - began)
                else:
                    self.errors[f'{name}: {status}'] += 1
        except (OSError, asyncio.IncompleteReadError) as error:
            self.errors[type(error).__name__] += 1
        finally:
            writer.close()

    async def run(self, connections: int, seconds: float) -> float:
        """Requests a second that were answered."""
        began = time.perf_counter()
        await asyncio.gather(*(self.connection(began + seconds) for _ in range(connections)))
        return sum(map(len, self.taken.values())) / (time.perf_counter() - began)


def report(load: Load, rate: float, processor: float, seconds: float) -> None:
    everything = [taken for each in load.taken.values() for taken in each]
    print(f'  {rate:8,.0f} requests a second, {processor / seconds:.2f} cores of the server')
    print(f'  {"all":10} {spread(everything)}')
    for name in sorted(load.taken):
        print(f'  {name:10} {spread(load.taken[name])}')
    print(f'  errors: {dict(load.errors) or "none"}')


async def measure(server: Server, arguments: argparse.Namespace) -> bool:
    warm = Load(server, arguments.users)
    await warm.run(arguments.connections, min(5.0, arguments.seconds))
    title(f'{arguments.connections} connections, {arguments.seconds:g} s')
    load, others, before = Load(server, arguments.users), Others(), server.seconds()
    rate = await load.run(arguments.connections, arguments.seconds)
    report(load, rate, server.seconds() - before, arguments.seconds)
    print(f'  {others} (the server itself among them); resident: {server.resident():.0f} MiB')
    good = not load.errors
    if arguments.minutes:
        good = await last(server, arguments) and good
    return good


async def last(server: Server, arguments: argparse.Namespace) -> bool:
    """The same for some minutes, when the caches hold what they will."""
    everybody = Load(server, arguments.users, asked=iter([*range(arguments.users)] * 2))
    began = time.perf_counter()
    await everybody.run(arguments.connections, float('inf'))
    taken = time.perf_counter() - began
    print(f'  everybody asked about twice, {taken:.0f} s; resident: {server.resident():.0f} MiB', end='')
    print(f', of it the cache: {await asyncio.to_thread(server.cached):.0f} MiB', flush=True)
    title(f'{arguments.minutes:g} minutes')
    print('  minute  requests/s   p50 ms   p99 ms   resident MiB   cache MiB   errors')
    resident: list[float] = []
    errors: Counter[str] = Counter()
    for minute in range(1, max(1, round(arguments.minutes)) + 1):
        load = Load(server, arguments.users, rng=random.Random(minute), number=minute * 1_000_003)
        rate = await load.run(arguments.connections, 60 * arguments.minutes / max(1, round(arguments.minutes)))
        p50, p99 = (1e3 * quantile([t for each in load.taken.values() for t in each], share) for share in (0.5, 0.99))
        resident.append(server.resident())
        cached = await asyncio.to_thread(server.cached)
        errors += load.errors
        told = f'  {minute:6} {rate:11,.0f} {p50:8.1f} {p99:8.1f} {resident[-1]:14.0f} {cached:11.0f}'
        print(f'{told} {load.errors.total():8}', flush=True)
    third = len(resident) // 3
    if not third:
        return not errors
    growth = median(resident[-third:]) / median(resident[-2 * third : -third])
    flat = growth <= MEMORY_GROWTH
    print(f'  memory of the last third to the second: {growth:.3f}, {"flat" if flat else "NOT FLAT"}')
    print(f'  errors: {dict(errors) or "none"}')
    return flat and not errors


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--users', type=int, default=10_000)
    parser.add_argument('--connections', type=int, default=50)
    parser.add_argument('--seconds', type=float, default=30)
    parser.add_argument('--minutes', type=float, default=0, help='how long to look at memory afterwards')
    parser.add_argument('--cache-mb', type=int, default=64, help='of the server: it grows until this is full')
    parser.add_argument('--dir', type=Path, help='where the file is kept, for the next time')
    arguments = parser.parse_args()
    print(machine())
    with folder(arguments.dir) as where:
        path = where / f'server-{arguments.users}.db'
        if not path.exists():
            partial = path.with_suffix('.partial')
            partial.unlink(missing_ok=True)
            asyncio.run(fill(partial, arguments.users))
            partial.rename(path)
        server = Server.start(path, arguments.cache_mb)
        try:
            good = asyncio.run(measure(server, arguments))
        finally:
            status = server.stop()
        with Memory(path, settings=Settings(workers=0)) as memory:
            left = memory.stats().jobs_queued
        print(f'  the server ended with status {status} after SIGTERM, {left:,} messages are left to be read')
    return 0 if good and status == 0 else 1


if __name__ == '__main__':
    sys.exit(main())
