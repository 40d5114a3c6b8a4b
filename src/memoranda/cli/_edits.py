"""Showing what changed, or would change, and asking before it does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import typer
from rich.table import Table
from rich.text import Text

from memoranda.cli._output import emit, many, note, one_line, out, short_id
from memoranda.cli._target import Target
from memoranda.consent.wording import deed, merged_into
from memoranda.records import Change, Edit
from memoranda.write.cleaning import CleanResult

__all__ = ['agreed', 'edits_table', 'show_result', 'summary', 'undo_hint']


def edits_table(edits: Iterable[Edit], *, ids: bool = True) -> Table:
    """One row for each edit: what happens, to what, and of which kind it is.

    Args:
        edits: What to show.
        ids: Whether their ids will be those that are shown.
    """
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(style='dim', no_wrap=True)
    table.add_column(style='dim', no_wrap=True)
    for edit in edits:
        kept = edit.after.status == 'active'
        into = merged_into(edit)
        verb = f'merge into {short_id(into)}' if into else deed(edit)
        style = '' if kept else 'dim strike'
        table.add_row(
            Text(verb, style='green' if kept else 'yellow'),
            Text(one_line(edit.after.text, 300), style=style),
            one_line(', '.join(filter(None, (edit.after.kind, edit.after.slot))), 40),
            short_id(edit.memory_id) if ids or edit.before is not None else 'new',
        )
    return table


def summary(edits: Sequence[Edit]) -> str:
    """What a change did, in a few words."""
    counts: dict[str, int] = {}
    for edit in edits:
        counts[edit.op] = counts.get(edit.op, 0) + 1
    return ', '.join(f'{count:,} {op}' for op, count in counts.items())


def agreed(target: Target, found: CleanResult, *, dry_run: bool, nothing: str) -> bool:
    """Show what would be changed and ask whether it shall be.

    Anything but yes stops the command, and so does a standard input that has no answer.
    """
    if target.as_json:
        if dry_run or not found.edits:
            emit(found)
    else:
        target.introduce('Memories of')
        if found.edits:
            out().print(edits_table(found.edits))
        for one in found.left:
            note(f'left alone, {one.reason}: {one_line(one.memory.text, 120)}')
        if not found.edits:
            note(nothing, style='yellow')
    if dry_run or not found.edits:
        return False
    if not typer.confirm(f'Change {many(len(found.edits), "memory")}?', default=False, err=True):
        note('nothing was changed')
        raise typer.Exit(1)
    return True


def show_result(target: Target, result: CleanResult, done: str) -> None:
    """What was done, and how it is undone."""
    what = ', '.join(f'{count:,} {name}' for name, count in result.counts.items())
    out().print(f'{done}: {many(sum(result.counts.values()), "memory")} ({what}).')
    for change in result.changes:
        out().print(undo_hint(target, change))


def undo_hint(target: Target, change: Change) -> str:
    """The command that takes a change back."""
    return f'Undo it with: {target.command(f"revert {change.id}")}'
