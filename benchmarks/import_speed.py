"""How fast a long conversation is imported, and which functions take the processor's time.

Usage: python benchmarks/import_speed.py [PATH] [--no-embedding] [--no-profile]
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _common import TimedEmbedder, folder, import_locomo, load, locomo_file, machine, title
from memoranda import Memory
from memoranda.embedders import resolve_embedder
from memoranda.testing.embedders import HashingEmbedder

ROWS = 18


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('path', type=Path, nargs='?', help='a LoCoMo file; by default LOCOMO_FILE')
    parser.add_argument('--no-embedding', action='store_true', help='with a stand-in embedder that only hashes words')
    parser.add_argument('--no-profile', action='store_true', help='only the speed')
    arguments = parser.parse_args()
    path = locomo_file(arguments.path)
    if path is None:
        return
    print(machine())
    speed(path, arguments.no_embedding)
    if not arguments.no_profile:
        profile(path, arguments.no_embedding)


def _embedder(stand_in: bool) -> TimedEmbedder:
    embedder = TimedEmbedder(HashingEmbedder(512) if stand_in else resolve_embedder(None))
    embedder.inner.embed_now(['ready'])  # loads the model
    return embedder


def speed(path: Path, stand_in: bool) -> None:
    embedder = _embedder(stand_in)
    title('import, not profiled')
    with folder(None) as place, Memory(place / 'import.db', embedder=embedder) as memory:
        used = time.process_time()
        messages, memories, seconds = import_locomo(memory, path)
        used = time.process_time() - used
    print(
        f'  {messages} messages, {memories} memories: {seconds:.1f} s, {messages / seconds:.0f} messages a second; '
        f'{embedder.seconds:.1f} s of it in the embedder ({embedder.texts} texts, '
        f'{1e3 * embedder.seconds / max(embedder.texts, 1):.1f} ms each); '
        f'{used:.1f} s of processor time  [load {load():.1f}]'
    )
    with folder(None) as place, Memory(place / 'again.db', embedder=embedder) as memory:
        import_locomo(memory, path)
        _, _, seconds = import_locomo(memory, path)
    print(f'  the same file again, all of it known: {seconds:.1f} s')


def profile(path: Path, stand_in: bool) -> None:
    embedder = _embedder(stand_in)
    title('processor time by function, over all threads (profiling makes it slower)')
    # The memory closes first: profiles of threads that still run can't be read.
    with folder(None) as place, profiled_threads() as profiles, Memory(place / 'p.db', embedder=embedder) as memory:
        import_locomo(memory, path)
    stats: dict[Any, Any] = pstats.Stats(*profiles.values()).stats  # type: ignore[attr-defined]
    total = sum(value[2] for value in stats.values())
    print(f'  {total:.1f} s in all')
    for name, one in profiles.items():
        own: dict[Any, Any] = pstats.Stats(one).stats  # type: ignore[attr-defined]
        print(f'    {sum(v[2] for v in own.values()):8.2f} s  thread {name}')
    for heading, column, ours in (('itself', 2, False), ('with what it calls, our functions', 3, True)):
        print(f'  {heading}')
        chosen = [(key, value) for key, value in stats.items() if not ours or 'memoranda' in key[0]]
        for (file, line, name), value in sorted(chosen, key=lambda item: -item[1][column])[:ROWS]:
            where = f'{Path(file).parent.name}/{Path(file).name}:{line} {name}' if line else name
            print(f'    {value[column]:8.2f} s {value[column] / total:6.1%}  {value[0]:>9} calls  {where[:90]}')


@contextmanager
def profiled_threads() -> Iterator[dict[str, cProfile.Profile]]:
    """A profile, in processor time, of every thread started meanwhile and of this one."""
    profiles: dict[str, cProfile.Profile] = {}
    original = threading.Thread.run

    def run(self: threading.Thread) -> None:
        one = profiles[f'{self.name}#{len(profiles)}'] = cProfile.Profile(time.thread_time)
        one.enable()
        try:
            original(self)
        finally:
            one.disable()

    here = profiles['main'] = cProfile.Profile(time.thread_time)
    threading.Thread.run = run  # type: ignore[method-assign]
    here.enable()
    try:
        yield profiles
    finally:
        here.disable()
        threading.Thread.run = original  # type: ignore[method-assign]


if __name__ == '__main__':
    main()
