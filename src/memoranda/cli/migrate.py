"""`memoranda migrate`."""

from __future__ import annotations

from typing import Annotated

import typer

from memoranda.cli._output import emit, many, note, say
from memoranda.cli._progress import shown
from memoranda.cli._target import JsonOption

__all__ = ['migrate']


def migrate(
    source: Annotated[str, typer.Argument(help='A path, sqlite:///absolute/path.db or postgresql://...')],
    target: Annotated[str, typer.Argument(help='The same, of a database that holds nothing yet.')],
    as_json: JsonOption = False,
) -> None:
    """Copy everything into another database, and compare both. It may be interrupted and run again.

    The source is only read. Nobody can use the target before it is complete.
    """
    from memoranda.moving import migrate as move

    with shown(quiet=as_json) as advance:
        report = move(
            source,
            target,
            progress=None if advance is None else lambda at: advance(f'{at.doing} {at.table}', at.done, at.total, ''),
        )
    if as_json:
        emit(report)
        return
    say(f'{report.target} holds all {report.rows:,} rows of {report.source}, as of {report.at:%Y-%m-%d %H:%M:%S} UTC.')
    say(
        f'{many(len(report.tables), "table")} compared row by row; {report.entries:,} entries of audit chains verified',
        style='dim',
    )
    if report.written_since:
        note(
            f'{report.source} was written to since then, and that is not in the target: stop what uses it, and migrate '
            'again into an empty database',
            style='yellow',
        )
