"""`memoranda changes`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from memoranda.cli._edits import summary
from memoranda.cli._output import emit, moment, note, one_line, out
from memoranda.cli._target import Target, scoped
from memoranda.records import Change

__all__ = ['changes']

_WORDS = 3


@scoped
def changes(
    target: Target,
    limit: Annotated[int, typer.Option('--limit', '-n', min=1, max=1000, help='How many at most.')] = 20,
    cursor: Annotated[str | None, typer.Option(help='Go on where an earlier list ended.')] = None,
) -> None:
    """List what was changed, latest first: when, by whom, why and what."""
    with target.open() as memory:
        page = memory.changes(**target.ids, limit=limit, cursor=cursor)
    if target.as_json:
        emit({'items': list(page.items), 'cursor': page.cursor})
        return
    target.introduce('Changes to the memories of')
    if not page.items:
        note('none yet' if cursor is None else 'no more', style='yellow')
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(style='dim', no_wrap=True)
    table.add_column(ratio=1)
    for change in page.items:
        table.add_row(moment(change.at), _told(change))
    out().print(table)
    if page.cursor is not None:
        note(f'more: --cursor {page.cursor}')


def _told(change: Change) -> Group:
    by = f'{change.actor}: {change.reason}' if change.reason else change.actor
    lines = [Text(one_line(f'{summary(change.edits)} · {by}', 200))]
    lines += [Text(one_line(edit.after.text, 160), style='dim') for edit in change.edits[:_WORDS]]
    if len(change.edits) > _WORDS:
        lines.append(Text(f'and {len(change.edits) - _WORDS:,} more', style='dim'))
    return Group(*lines, Text(change.id, style='cyan', overflow='fold'))
