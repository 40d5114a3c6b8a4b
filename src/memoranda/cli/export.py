"""`memoranda export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from memoranda.cli._output import emit, many, note
from memoranda.cli._safe import escape_json, one_line, printable
from memoranda.cli._target import Target, scoped

if TYPE_CHECKING:
    from memoranda.subject import ExportFormat, SubjectExport

__all__ = ['export']

_FORMATS = ('json', 'markdown')


def _format(value: str) -> str:
    if value not in _FORMATS:
        raise typer.BadParameter(f'{value!r} is unknown: use json or markdown')
    return value


@scoped
def export(
    target: Target,
    format_: Annotated[
        str, typer.Option('--format', '-f', callback=_format, metavar='FORMAT', help='json, or markdown for reading.')
    ] = 'json',
    output: Annotated[
        Path | None, typer.Option('--output', '-o', metavar='FILE', help='A new file; default: standard output.')
    ] = None,
) -> None:
    """Write down everything that is held on one user (agent, run, app): messages, memories with all versions, history.

    The JSON form can be imported again: memoranda import subject FILE.
    """
    if target.as_json and format_ != 'json':
        raise typer.BadParameter('--json and --format markdown contradict each other: leave one of them out')
    with target.open() as memory:
        found = memory.export(**target.ids)
    if not any(found.counts.values()):
        note(f'nothing is held on {target.whose}', style='yellow')
    if output is None:
        _print(found, format_)
        return
    found.save(output, cast('ExportFormat', format_))
    told = _told(found, output)
    if target.as_json:
        emit(told)
        return
    counts = [many(found.counts[name], noun) for name, noun in (('memories', 'memory'), ('episodes', 'message'))]
    note(f'{", ".join(counts)} of {target.whose} written to {one_line(str(output))}', style='')


def _print(found: SubjectExport, format_: str) -> None:
    """To standard output, which may be a terminal: what was remembered must not steer it."""
    if format_ == 'markdown':
        for text in found.markdown():
            sys.stdout.write(printable(text))
        return
    for part in found.json():
        sys.stdout.write(escape_json(part.decode('utf-8')))


def _told(found: SubjectExport, output: Path) -> dict[str, Any]:
    return {
        'file': str(output),
        'project': found.project,
        'scope': found.scope,
        'counts': found.counts,
        'digest': found.digest,
        'exported_at': found.exported_at,
        'forgotten_at': found.forgotten_at,
    }
