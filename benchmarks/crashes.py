"""Real processes, killed at random instants by SIGKILL: is every acknowledged message there, and nothing done twice?

Usage: python benchmarks/crashes.py [--kills 1000] [--seed N]
       python benchmarks/crashes.py --postgres [--workers 4]
       python benchmarks/crashes.py --url URL [--workers 4]

On a file, or on PostgreSQL: a server is started for it, or a database is named, which must be empty and is emptied
between the rounds.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

# Before numpy starts threads: this process forks.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')

from _common import folder, machine, title
from _crash_actors import Kind, Role, Stage
from _crash_aftermath import examine
from _crash_steps import count_writes, tell
from _crash_storm import Storm, in_child
from _server import Database, add_options, asked_for
from memoranda import Memory
from memoranda.cli import main as command_line
from memoranda.embedders import resolve_embedder

ROUND = 50
"""Kills on one file."""
BIRTH = 4
"""Kills on a file that is just being made."""
BIRTHS = 5
"""Such files between other rounds."""


@dataclass(frozen=True, slots=True)
class Round:
    """A file, and what happens to it."""

    seed: str
    kind: Kind
    kills: int
    birth: bool = False
    """Whether all are killed at their start, on a file that is just being made."""
    batch_turns: int = 1
    workers: int = 2
    """Processes that work in the background and do nothing else."""

    @property
    def roles(self) -> tuple[Role, ...]:
        if self.birth:
            return ('writer', *(['worker'] * (self.workers - 1)))
        workers: list[Role] = ['worker'] * (self.workers - 1)
        return ('writer', 'writer', *workers, 'driver' if self.kind == 'model' else 'command')


def rounds(kills: int, seed: int, workers: int) -> Iterator[Round]:
    """Rounds until there are enough kills: one with a model, one with the rules, some births, and again."""
    many = max(1, min(ROUND, kills * 2 // 5))  # so that few kills meet all kinds too
    plans: list[tuple[Kind, int, bool]] = [('model', many, False), ('rules', many, False)]
    birth: tuple[Kind, int, bool] = ('model', BIRTH, True)
    plans += [birth] * BIRTHS
    number, left = 0, kills
    while left > 0:
        for kind, most, young in plans:
            if left <= 0:
                return
            number += 1
            yield Round(f'{seed}.{number}', kind, min(left, most), young, 1 + number % 2 * 3, workers)
            left -= most


def run(plan: Round, place: Path, base: Database | None, pace: float) -> dict[str, Any]:
    """Kill, then look. Returns the figures and the problems."""
    place.mkdir(parents=True)
    url = in_child(lambda: base.emptied()) if base is not None else None
    stage = Stage(place, plan.kind, plan.batch_turns, url)
    storm = Storm(stage, plan.seed, plan.kills, young=1.0 if plan.birth else 0.3, pace=pace)
    began = time.perf_counter()
    storm.run(plan.roles)
    stormed = time.perf_counter()
    found = in_child(lambda: examine(stage, thorough=not plan.birth))
    if base is not None and not plan.birth:
        found['problems'] += in_child(base.corruption)
    return {
        **found,
        'problems': [*storm.problems, *found['problems']],
        'killed': storm.killed,
        'early': storm.early,
        'together': storm.together,
        'storm_seconds': stormed - began,
        'seconds': time.perf_counter() - began,
    }


def load(base: Database | None) -> None:
    """Have everything in this process that those it forks will need: so they start in milliseconds."""
    resolve_embedder(None).embed_now(['ready'])
    for module in in_child(lambda: rehearse(base)):
        importlib.import_module(module)


def rehearse(base: Database | None) -> list[str]:
    """The modules that a writer and a worker load on the way."""
    with tempfile.TemporaryDirectory() as name:
        for kind in ('model', 'rules'):
            stage = Stage(Path(name), kind, url=base.emptied() if base is not None else None)
            with Memory(**stage.arguments(workers=1)) as memory:
                memory.add('I live in Lisbon.', user_id='ana')
                memory.add('I like tea.', user_id='ana', background=True)
                memory.flush()
                memory.delete_all(user_id='ana')
            stage.path.unlink(missing_ok=True)
        os.environ['MEMORANDA_DATABASE'] = base.emptied() if base is not None else str(stage.path)
        sys.argv = ['memoranda', 'worker', '--once']
        with suppress(SystemExit), redirect_stderr(StringIO()):
            command_line()
    return [name for name in sys.modules if name.partition('.')[0] != '__main__']


def storms(kills: int, seed: int, place: Path, *, workers: int, base: Database | None, pace: float, keep: bool) -> int:
    """All rounds, with a line for each. Returns how many problems there were."""
    title('kills (before it was ready; together with others), and what was found afterwards')
    totals: Counter[str] = Counter()
    for number, plan in enumerate(rounds(kills, seed, workers), 1):
        here = place / f'round-{number}'
        told = run(plan, here, base, pace)
        problems: list[str] = told.pop('problems')
        totals.update(told)
        print(f'  {plan.seed:>10} {"birth" if plan.birth else plan.kind:6} {figures(told)}', flush=True)
        report(problems, here, keep=keep)
        totals['problems'] += len(problems)
    print(f'  {"":10} {"all":6} {figures(totals)}')
    return totals['problems']


def figures(told: Mapping[str, Any]) -> str:
    return (
        '{killed:4} kills ({early:3}; {together:3}) in {storm_seconds:5.1f} s, {seconds:5.1f} with the checks: '
        '{acknowledged:4} acknowledged, {interrupted:3} cut off, {messages:4} messages, {facts:4} facts, '
        '{calls:4} model calls, {repeated:3} of them again'
    ).format_map(told)


def report(problems: Sequence[str], here: Path, *, keep: bool) -> None:
    """Say what was wrong, and keep the files of that round."""
    if problems and not keep:
        here = Path(shutil.copytree(here, tempfile.mkdtemp(prefix='memoranda-crash-'), dirs_exist_ok=True))
    if problems:
        print(f'    {len(problems)} problems, files in {here}')
    for problem in problems[:10]:
        print('    - ' + problem.replace('\n', '\n      '), flush=True)


def writes(times: int, seed: int, place: Path, *, keep: bool) -> int:
    """A kill at certain writes of a story, and at any write of its second telling. Returns how many problems."""
    title('one process, killed at its n-th write to the file, and its successor at another')
    chance = random.Random(f'{seed}/writes')
    full = Stage(place / 'writes', 'model')
    full.folder.mkdir(parents=True)
    total = count_writes(full)
    bad, tried, began = 0, sorted(chance.sample(range(1, total), min(times, total - 1))), time.perf_counter()
    for last in tried:
        stage = Stage(place / f'write-{last}', 'model')
        stage.folder.mkdir()
        ended = tell(stage, last, f'{seed}/{last}') or tell(stage, chance.randint(1, total), f'{seed}/{last}/2')
        ended = ended or tell(stage, 0, '')
        problems = in_child(lambda stage=stage: examine(stage, thorough=False))['problems']
        report([f'write {last}: {problem}' for problem in problems], stage.folder, keep=keep)
        bad += len(problems)
        if not keep:
            shutil.rmtree(stage.folder)
    print(f'  {len(tried)} of {total} writes tried in {time.perf_counter() - began:.1f} s, twice each')
    return bad


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--kills', type=int, default=1000)
    parser.add_argument('--writes', type=int, default=100, help='at how many writes to a file one process is killed')
    add_options(parser)
    parser.add_argument('--pace', type=float, default=1.0, help='lets processes live so many times as long')
    parser.add_argument('--workers', type=int, help='processes that only work in the background; 2, on PostgreSQL 4')
    parser.add_argument('--seed', type=int, help='as printed by an earlier run')
    parser.add_argument('--dir', type=Path, help='where files go, and stay; those of a bad round stay anyway')
    arguments = parser.parse_args()
    seed: int = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(10**6)
    warnings.filterwarnings('ignore', message='.*fork', category=DeprecationWarning)
    print(f'{machine()}; --seed {seed}', flush=True)
    with folder(arguments.dir) as place, asked_for(arguments) as base:
        workers = arguments.workers or (2 if base is None else 4)
        load(base)
        keep = arguments.dir is not None
        problems = storms(arguments.kills, seed, place, workers=workers, base=base, pace=arguments.pace, keep=keep)
        if base is None:  # the writes of a server are its own
            problems += writes(arguments.writes, seed, place, keep=keep)
    print(f'problems: {problems}')
    if problems:
        sys.exit(1)


if __name__ == '__main__':
    main()
