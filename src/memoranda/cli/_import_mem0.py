"""`memoranda import mem0`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn

from memoranda.cli._output import emit, many, note, one_line, out
from memoranda.cli._target import Target
from memoranda.importers import ImportProblem

if TYPE_CHECKING:
    from memoranda.importers.mem0 import Mem0Memory
    from memoranda.importers.mem0_facts import Mem0Report

__all__ = ['import_mem0']

_NAMED = 5


def import_mem0(
    target: Target, source: str, *, history: str | None, collection: str | None, dry_run: bool, strict: bool
) -> None:
    """Import a store or an export of Mem0; with ids only what is kept under them."""
    from memoranda.importers.mem0 import read_mem0

    problems: list[ImportProblem] = []

    def report(problem: ImportProblem) -> None:
        problems.append(problem)
        if strict:
            raise problem

    began = time.monotonic()
    read = read_mem0(source, history=history, collection=collection, on_problem=report)
    found = (one for one in read if _wanted(target, one))
    if dry_run:
        _tell(target, found, problems)
        return
    try:
        done = _write(target, found, report)
    except KeyboardInterrupt:
        note('stopped; the same command goes on where it left off', style='yellow')
        raise typer.Exit(130) from None
    figures = {
        'memories': done.memories,
        'versions': done.versions,
        'known': done.known,
        'merged': done.merged,
        'waiting': done.waiting,
        'forgotten': done.forgotten,
        'skipped': len(problems) + max(0, done.skipped - len(done.problems)),
        'problems': [{'where': p.where, 'reason': p.reason} for p in problems[:_NAMED]],
        'seconds': round(time.monotonic() - began, 2),
    }
    if target.as_json:
        emit(figures)
        return
    _name(problems)
    parts = [f'{many(done.memories, "new memory")} with {many(done.versions, "earlier version")}']
    parts += [f'{count:,} {name}' for name in ('known', 'merged', 'waiting', 'forgotten') if (count := figures[name])]
    out().print(f'{", ".join(parts)}, {figures["skipped"]} skipped, {figures["seconds"]:.1f} s')


def _wanted(target: Target, one: Mem0Memory) -> bool:
    return target.assumed or all(one.ids.get(name) == value for name, value in target.ids.items())


def _write(target: Target, found: Iterable[Mem0Memory], report: Any) -> Mem0Report:
    from memoranda._bridge import run
    from memoranda.importers.mem0_facts import import_mem0

    console = out(stderr=True)
    progress = Progress(
        SpinnerColumn(),
        TextColumn('{task.completed} memories'),
        console=console,
        disable=target.as_json or not console.is_terminal,
        transient=True,
    )
    with target.open() as memory, progress:
        task = progress.add_task('', total=None)

        def counted() -> Iterator[Mem0Memory]:
            for one in found:
                yield one
                progress.advance(task)

        return run(import_mem0(memory.aio, counted(), on_problem=report))


def _tell(target: Target, found: Iterable[Mem0Memory], problems: list[ImportProblem]) -> None:
    owners: Counter[tuple[str, str]] = Counter()
    versions = 0
    for one in found:
        owners[next(iter(one.ids.items()))] += 1
        versions += len(one.versions) - 1
    if target.as_json:
        emit(
            {
                'memories': owners.total(),
                'versions': versions,
                'of': [{name: key, 'memories': count} for (name, key), count in owners.most_common()],
                'skipped': len(problems),
                'problems': [{'where': p.where, 'reason': p.reason} for p in problems[:_NAMED]],
            }
        )
        return
    _name(problems)
    for (name, key), count in owners.most_common(20):
        out().print(f'{name.removesuffix("_id")} {one_line(key, 60)}: {many(count, "memory")}')
    out().print(f'{many(owners.total(), "memory")} with {many(versions, "earlier version")}; nothing was written')


def _name(problems: list[ImportProblem]) -> None:
    for problem in problems[:_NAMED]:
        note(f'skipped: {one_line(str(problem), 200)}', style='yellow')
    if len(problems) > _NAMED:
        note(f'skipped: {len(problems) - _NAMED} more', style='yellow')
