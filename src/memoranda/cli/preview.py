"""`memoranda preview`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from memoranda.cli._dates import parse_moment
from memoranda.cli._edits import edits_table
from memoranda.cli._output import emit, note, out
from memoranda.cli._target import Target, scoped

__all__ = ['preview']


@scoped
def preview(
    target: Target,
    text: Annotated[str | None, typer.Argument(help='What was said. Left out or -: read standard input.')] = None,
    at: Annotated[str | None, typer.Option(metavar='DATE', help='When it was said. Default: now.')] = None,
) -> None:
    """Show what `add` would remember. Nothing is written; a model, when one is configured, is asked."""
    said = parse_moment(at)
    if text is None or text == '-':
        text = sys.stdin.read()
    with target.open() as memory:
        found = memory.preview(text, **target.ids, occurred_at=said)
    if target.as_json:
        emit({'changes': found.changes, 'skipped': found.skipped, 'known': found.known})
        return
    target.introduce('Would be told to')
    if found.changes:
        out().print(edits_table(found.changes, ids=False))
    else:
        out().print('No fact would be drawn from it; it would be kept as a message.')
    if found.skipped:
        note('left out: ' + ', '.join(f'{count} {reason}' for reason, count in found.skipped.items()))
