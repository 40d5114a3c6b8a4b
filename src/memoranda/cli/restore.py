"""`memoranda restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memoranda.cli._output import emit, many, note, say
from memoranda.cli._progress import shown
from memoranda.cli._target import DatabaseOption, JsonOption

__all__ = ['restore']


def restore(
    backup: Annotated[Path, typer.Argument(help='What `memoranda backup` made.')],
    database: DatabaseOption = None,
    receipt: Annotated[
        list[Path] | None,
        typer.Option('--receipt', help='A receipt of an erasure since, which is repeated; repeatable.'),
    ] = None,
    yes: Annotated[bool, typer.Option('--yes', '-y', help='Do not ask.')] = False,
    as_json: JsonOption = False,
) -> None:
    """Put a copy of a backup in the place of the database, which is kept beside it.

    Whoever was forgotten since, by the database that is replaced or by receipts, is forgotten in the copy.
    """
    from memoranda import ErasureReceipt
    from memoranda.moving import restore as go_back
    from memoranda.settings import Settings, resolve_database

    receipts = [ErasureReceipt.from_json(file.read_bytes()) for file in receipt or ()]
    settings = Settings()
    target = resolve_database(database, settings)
    there = isinstance(target.path, Path) and target.path.exists()
    if there and not yes and not typer.confirm(f'Replace {target} by {backup}?', err=True):
        raise typer.Abort
    with shown(quiet=as_json) as advance:
        report = go_back(
            backup,
            database,
            receipts=receipts,
            settings=settings,
            progress=None if advance is None else lambda done, total: advance('pages', done, total, ''),
        )
    if as_json:
        emit(report)
        return
    say(
        f'{report.path} holds {many(report.memories, "memory")} and {many(report.episodes, "message")} of '
        f'{many(report.owners, "owner")}.'
    )
    if report.forgotten:
        say(f'{many(report.forgotten, "erasure")} since the backup repeated.')
    if report.replaced:
        say(f'What was there is {report.replaced}: it holds what the backup lacks; remove it when it is not needed.')
    for id_ in report.unmatched:
        note(f'receipt {id_} names nothing in the backup, unless it was a filter', style='yellow')
