"""`memoranda import subject`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from memoranda.cli._output import emit, many, moment, note, one_line, out
from memoranda.cli._target import Target

if TYPE_CHECKING:
    from memoranda import Memory
    from memoranda.subject import ImportReport

__all__ = ['import_subject']

_DONE = {
    'imported': 'Imported',
    'restored': 'Restored',
    'known': 'Nothing was written: it is here already',
    'forgotten': 'Nothing was written',
    'checked': 'The document is whole. It would be imported',
}


def import_subject(target: Target, path: Path, *, restore: bool, yes: bool, dry_run: bool) -> None:
    """Import one document. What was forgotten since is asked for, unless `yes`."""
    with target.open() as opened:
        memory = opened if target.assumed else opened.scoped(_scope(target))
        if restore and not yes and not dry_run:
            _ask(memory.import_subject(path, restore=True, dry_run=True))
        report = _import(memory, target, path, restore=restore, dry_run=dry_run)
    if target.as_json:
        emit(report)
        return
    whose = _whose(report)
    counts = f'{many(report.counts["memories"], "memory")}, {many(report.counts["episodes"], "message")} of {whose}'
    out().print(f'{_DONE[report.status]}: {counts}.')
    if report.status == 'forgotten' and report.forgotten_at is not None:
        note(
            f'{whose} was forgotten on {moment(report.forgotten_at)}, after this was recorded: '
            '--restore brings it back all the same',
            style='yellow',
        )


def _scope(target: Target):  # noqa: ANN202
    from memoranda.scope import Scope

    return Scope(user_id=target.user, agent_id=target.agent, run_id=target.run, app_id=target.app)


def _import(memory: Memory, target: Target, path: Path, *, restore: bool, dry_run: bool) -> ImportReport:
    console = out(stderr=True)
    progress = Progress(
        TextColumn('{task.description}'),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=target.as_json or not console.is_terminal,
        transient=True,
    )
    with progress:
        task = progress.add_task(one_line(path.name, 30), total=None)

        def advance(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        return memory.import_subject(path, restore=restore, dry_run=dry_run, progress=advance)


def _ask(report: ImportReport) -> None:
    """Have the id typed of somebody who was forgotten; anything else stops the command."""
    if report.status != 'checked' or report.forgotten_at is None:
        return
    word = report.scope.home('').key or 'global'
    note(
        f'{_whose(report)} was forgotten on {moment(report.forgotten_at)}. Everything in this document will be held '
        'again, and the history will tell so.',
        style='yellow',
    )
    answer = typer.prompt(f'Type {one_line(word, 80)} to go on', default='', show_default=False, err=True)
    if answer.strip() != word:
        note('nothing was changed')
        raise typer.Exit(1)


def _whose(report: ImportReport) -> str:
    owner = report.scope.home('')
    return f'{owner.kind} {one_line(owner.key, 60)}' if owner.key else 'what the project shares'
