"""`memoranda backup`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memoranda.cli._output import emit, many, say, size
from memoranda.cli._progress import shown
from memoranda.cli._target import DatabaseOption, JsonOption, Target

__all__ = ['backup']


def backup(
    target: Annotated[Path, typer.Argument(help='A file that does not exist yet, or a folder.')],
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the database while it is in use, and check the copy."""
    with Target(database=database, as_json=as_json).open() as memory, shown(quiet=as_json) as advance:
        report = memory.backup(
            target, progress=None if advance is None else lambda done, total: advance('pages', done, total, '')
        )
    if as_json:
        emit(report)
        return
    say(f'{report.path}: {size(report.bytes)}, as of {report.at:%Y-%m-%d %H:%M:%S} UTC')
    say(
        f'{many(report.memories, "memory")} and {many(report.episodes, "message")} of {many(report.owners, "owner")}; '
        f'{report.entries:,} entries of audit chains verified'
    )
    say('Whoever is forgotten from now on is still in it; `memoranda restore` sees to that.', style='dim')
