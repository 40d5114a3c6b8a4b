"""`memoranda history`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from memoranda.cli._output import emit, moment, note, one_line, out
from memoranda.cli._target import Target, resolve, scoped
from memoranda.records import HistoryEntry

__all__ = ['history']


@scoped
def history(
    target: Target,
    memory_id: Annotated[str, typer.Argument(metavar='ID', help='The id, or enough of its beginning or end.')],
) -> None:
    """Show how a memory came to say what it says."""
    with target.open() as memory:
        entries = memory.history(resolve(memory, memory_id, target.ids), **target.ids)
    if target.as_json:
        emit(entries)
        return
    if not entries:
        note('no history', style='yellow')
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(style='dim', no_wrap=True)
    table.add_column(no_wrap=True, style='cyan')
    table.add_column(ratio=1)
    for entry in entries:
        table.add_row(moment(entry.at), entry.op, _what(entry))
    out().print(table)


def _what(entry: HistoryEntry) -> Group:
    before, after = _words(entry.before), _words(entry.after)
    lines: list[Text] = []
    if entry.before is None and entry.after is None:
        lines.append(Text('(the words were erased)', style='dim'))
    elif before and after and before != after:
        lines += [Text(before, style='strike dim'), Text(after)]
    else:
        lines.append(Text(after or before or '(nothing)'))
    changed = _changed(entry.before, entry.after)
    if changed:
        lines.append(Text(changed, style='dim'))
    lines.append(Text(one_line(f'{entry.actor}: {entry.reason}' if entry.reason else entry.actor, 160), style='dim'))
    return Group(*lines)


def _words(fields: Mapping[str, Any] | None) -> str:
    return one_line(str(fields.get('text', ''))) if fields else ''


def _changed(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """The fields beside the text that an edit changed and a reader wants to know of."""
    if not before or not after:
        return ''
    names = ('status', 'kind', 'slot', 'valid_to', 'pinned', 'tags', 'expires_at', 'confidence')
    parts = (f'{name}: {before.get(name)} → {after.get(name)}' for name in names if before.get(name) != after.get(name))
    return one_line(', '.join(parts), 200)
