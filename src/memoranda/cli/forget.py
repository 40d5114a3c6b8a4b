"""`memoranda forget`."""

from __future__ import annotations

from typing import Annotated

import typer

from memoranda.cli._output import emit, many, note, one_line, out
from memoranda.cli._target import Target, resolve, scoped

__all__ = ['forget']


@scoped
def forget(
    target: Target,
    memory_id: Annotated[
        str | None, typer.Argument(metavar='[ID]', help='One memory: the id, or enough of its beginning or end.')
    ] = None,
    everything: Annotated[
        bool, typer.Option('--all', help='Erase all memories, messages and history of the scope. Can not be undone.')
    ] = False,
    yes: Annotated[bool, typer.Option('--yes', '-y', help='Do not ask.')] = False,
) -> None:
    """Stop believing one memory, or erase everything of a user (agent, run, app).

    One memory is retracted: it is not recalled any more, its words stay in the history.
    With --all the words themselves are erased, from every file.
    """
    if (memory_id is None) is not everything:
        raise typer.BadParameter('name either one memory by its id, or the whole scope by --all')
    if memory_id is None:
        _erase(target, yes=yes)
    else:
        _retract(target, memory_id, yes=yes)


def _retract(target: Target, memory_id: str, *, yes: bool) -> None:
    with target.open() as memory:
        full = resolve(memory, memory_id, target.ids)
        record = memory.get(full, **target.ids)
        if not yes:
            note(f'“{one_line(record.text, 300)}”', style='bold')
            _confirm('forget')
        memory.delete(full, **target.ids)
    if target.as_json:
        emit({'id': full, 'forgotten': True})
    else:
        out().print(f'Forgotten: {one_line(record.text, 300)}')


def _erase(target: Target, *, yes: bool) -> None:
    with target.open() as memory:
        if not yes:
            note(f'Everything of {target.whose} will be erased: memories, messages, history.', style='yellow')
            _confirm(next(iter(target.ids.values())))
        result = memory.delete_all(**target.ids)
    if target.as_json:
        emit(result)
        return
    out().print(f'Erased {many(result.memories, "memory")} and {many(result.episodes, "message")} of {target.whose}.')
    if result.scrub == 'verified':
        out().print('Checked: nothing of it is left in the database files.')
    else:
        note(
            'Traces may remain in the database files while another process reads them; they are removed later, '
            'and `memoranda doctor` says when that is done.',
            style='yellow',
        )


def _confirm(word: str) -> None:
    """Ask for a word to be typed; anything else stops the command."""
    answer = typer.prompt(f'Type {one_line(word, 80)} to go on', default='', show_default=False, err=True)
    if answer.strip() != word:
        note('nothing was changed')
        raise typer.Exit(1)
