"""Many threads on one `Memory`: adds with searches in between, the bundled embedder and the rules.

Usage: python benchmarks/threads.py [--threads 50] [--adds 100] [--users 50]
"""

from __future__ import annotations

import argparse
import threading
import time
from collections import Counter
from pathlib import Path

from _common import Clock, folder, machine, title
from memoranda import Memory
from memoranda.embedders import resolve_embedder

_SAYINGS = (
    'I moved to {city} last year, flat number {n}.',
    'My sister {name} plays the violin in orchestra {n}.',
    'I like {food} with lemon, recipe {n}.',
    'The build of project {n} failed again on Windows.',
    'I work as an engineer at company {n} in {city}.',
    'Remember that invoice {n} for {name} is due on Friday.',
)
_CITIES = 'Lisbon Porto Braga Coimbra Faro Evora Aveiro'.split()
_NAMES = 'Ana Bea Carla Duarte Elisa Filipe Gil'.split()
_FOODS = 'sardines rice soup bread figs cheese olives'.split()
_QUESTIONS = ('Where do I live?', 'What do I like?', 'Who plays the violin?', 'Which build failed?', 'What is due?')
SEARCH_EVERY = 4


def saying(thread: int, number: int) -> str:
    """Unlike every other in this run."""
    n = thread * 100_000 + number
    return _SAYINGS[number % len(_SAYINGS)].format(n=n, city=_CITIES[n % 7], name=_NAMES[n % 7], food=_FOODS[n % 7])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--threads', type=int, default=50)
    parser.add_argument('--adds', type=int, default=100, help='by each thread')
    parser.add_argument('--users', type=int, help='whom the threads write for; by default each for its own user')
    arguments = parser.parse_args()
    print(machine())
    # The first search loads the model: before the clock starts.
    embedder = resolve_embedder(None)
    embedder.embed_now(['ready'])
    with folder(None) as place, Memory(place / 'threads.db', embedder=embedder) as memory:
        run(memory, arguments.threads, arguments.adds, arguments.users or arguments.threads, place)


def run(memory: Memory, threads: int, adds: int, users: int, place: Path) -> None:
    title(f'{threads} threads x {adds} adds for {users} users, a search after every {SEARCH_EVERY} adds')
    clocks = [(Clock(), Clock()) for _ in range(threads)]
    problems: list[str] = []
    begin = threading.Barrier(threads + 1)

    def work(thread: int) -> None:
        user = f'user-{thread % users}'
        added, searched = clocks[thread]
        begin.wait()
        for number in range(adds):
            try:
                added.call(memory.add, saying(thread, number), user_id=user)
                if number % SEARCH_EVERY == SEARCH_EVERY - 1:
                    # Numbered, so that each has to be embedded.
                    question = f'{_QUESTIONS[number % len(_QUESTIONS)]} ({thread}.{number})'
                    searched.call(memory.search, question, user_id=user, include=('memories', 'episodes'))
            except Exception as error:  # counted and shown below
                problems.append(f'{type(error).__name__}: {error}')

    workers = [threading.Thread(target=work, args=(i,)) for i in range(threads)]
    for worker in workers:
        worker.start()
    begin.wait()
    started = time.perf_counter()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - started
    total = threads * adds
    searches = sum(len(s.seconds) for _, s in clocks)
    print(f'  {seconds:.1f} s: {total / seconds:.0f} adds and {searches / seconds:.0f} searches a second')
    print(f'  add     {merged([a for a, _ in clocks])}')
    print(f'  search  {merged([s for _, s in clocks])}')
    verify(memory, threads, adds, users, problems)
    print(f'  file {sum(f.stat().st_size for f in place.iterdir()) / 2**20:.1f} MiB')
    if problems:
        raise SystemExit(1)


def merged(clocks: list[Clock]) -> Clock:
    together = Clock()
    for clock in clocks:
        together.seconds += clock.seconds
    return together


def verify(memory: Memory, threads: int, adds: int, users: int, problems: list[str]) -> None:
    """Every message that was added is there once, under the user it was added for."""
    lost = repeated = 0
    for number in range(users):
        stored: Counter[str] = Counter()
        cursor = None
        while True:
            page = memory.episodes(user_id=f'user-{number}', limit=1000, cursor=cursor)
            stored.update(e.text for e in page.items)
            cursor = page.cursor
            if cursor is None:
                break
        expected = Counter(saying(t, n) for t in range(number, threads, users) for n in range(adds))
        lost += (expected - stored).total()
        repeated += (stored - expected).total()
    stats = memory.stats()
    print(
        f'  {stats.episodes} messages and {stats.memories} memories stored: {lost} lost, {repeated} too many, '
        f'{stats.jobs_queued} jobs unfinished, {stats.jobs_dead} given up'
    )
    print(f'  errors: {len(problems)}')
    for problem, count in Counter(problems).most_common(5):
        print(f'    {count} x {problem[:200]}')
    if lost or repeated or stats.jobs_queued or stats.jobs_dead:
        problems.append('something was lost')


if __name__ == '__main__':
    main()
