"""`memoranda forget`."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from memoranda.cli._output import emit, many, note, one_line, out
from memoranda.cli._target import Target, find_id, resolve, scoped

if TYPE_CHECKING:
    from memoranda import Memory
    from memoranda.consent.forgetting import ErasureReceipt

__all__ = ['forget']

_PAGE = 500
_SHOWN = 5


@scoped
def forget(
    target: Target,
    memory_id: Annotated[
        str | None, typer.Argument(metavar='[ID]', help='One memory: the id, or enough of its beginning or end.')
    ] = None,
    erase: Annotated[
        bool, typer.Option('--erase', help='With an id: erase the memory and the messages it rests on for good.')
    ] = False,
    everything: Annotated[
        bool, typer.Option('--all', help='Erase all memories, messages and history of the scope. Can not be undone.')
    ] = False,
    episode: Annotated[
        str | None, typer.Option('--episode', metavar='ID', help='Erase one message, and what was drawn from it alone.')
    ] = None,
    matching: Annotated[
        str | None,
        typer.Option('--filter', metavar='JSON', help='Erase the memories that match, and the messages they rest on.'),
    ] = None,
    project_wide: Annotated[
        bool,
        typer.Option(
            '--project-wide', help='Erase everything of the project; with --agent, --run or --app, all said under that.'
        ),
    ] = False,
    receipt: Annotated[
        Path | None, typer.Option('--receipt', metavar='FILE', help='Write the receipt to this new file.')
    ] = None,
    by: Annotated[
        str | None, typer.Option('--by', metavar='NAME', help='Who does it, for the history. Default: user.')
    ] = None,
    yes: Annotated[bool, typer.Option('--yes', '-y', help='Do not ask.')] = False,
) -> None:
    """Stop believing one memory, or erase a memory, a message, a conversation (--run), a user or a project.

    One memory is retracted: it is not recalled any more, its words stay in the history.
    With --erase, --all, --episode, --filter, --run or --project-wide the words themselves are erased, from every file.
    What was said of a user (agent, run, app, project) before it was erased is refused afterwards.
    """
    named = [memory_id is not None, everything, episode is not None, matching is not None, project_wide]
    if sum(named) > 1 or not (any(named) or target.run is not None):
        raise typer.BadParameter(
            'name one thing: a memory by its id, a message by --episode, some by --filter, a conversation by --run, '
            'the whole scope by --all, or the project by --project-wide'
        )
    if memory_id is None and erase:
        raise typer.BadParameter('--erase is for one memory: name its id')
    if memory_id is not None and not erase:
        if receipt is not None:
            raise typer.BadParameter('a memory that is only retracted leaves no receipt: add --erase')
        _retract(target, memory_id, by=by, yes=yes)
        return
    where = None if matching is None else _read_filter(matching)
    with target.open() as opened, _new_file(receipt) as file:
        memory = opened if by is None else opened.acting_as(by)
        if receipt is None and not target.as_json and not yes:
            note('No receipt will be kept: --receipt FILE writes one, which proves later that it was done.')
        if project_wide:
            found = _project(target, memory, yes=yes)
        elif memory_id is not None or episode is not None:
            found = _one(target, memory, memory_id, episode, yes=yes)
        elif where is not None:
            found = _matching(target, memory, where, yes=yes)
        else:
            found = _scope(target, memory, yes=yes)
        if file is not None:
            file.write(found.to_json() + '\n')
    _tell(target, found, receipt)


def _retract(target: Target, memory_id: str, *, by: str | None, yes: bool) -> None:
    with target.open() as opened:
        memory = opened if by is None else opened.acting_as(by)
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


def _scope(target: Target, memory: Memory, *, yes: bool) -> ErasureReceipt:
    if not target.as_json and not _holds_something(memory, target.ids):
        whose = ' A conversation of a user needs --user.' if list(target.ids) == ['run_id'] else ''
        note(
            f'Nothing is held on {target.whose}: is the id right?{whose} What was said before is refused from then on.'
        )
    if not yes:
        note(f'Everything of {target.whose} will be erased: memories, messages, history.', style='yellow')
        _confirm(next(iter(target.ids.values())))
    return memory.forget(**target.ids)


def _holds_something(memory: Memory, ids: dict[str, Any]) -> bool:
    return bool(memory.episodes(**ids, limit=1).items or memory.get_all(**ids, limit=1, include_inactive=True).items)


def _one(target: Target, memory: Memory, memory_id: str | None, episode: str | None, *, yes: bool) -> ErasureReceipt:
    if episode is not None:
        full = find_id(episode, _episode_ids(memory, target.ids), noun='message', lister='memoranda list --messages')
        if not yes:
            note('The message and what was drawn from it alone will be erased.', style='yellow')
            _confirm('forget')
        return memory.forget(episode_id=full, **target.ids)
    full = resolve(memory, memory_id or '', target.ids)
    if not yes:
        history = memory.history(full, **target.ids)
        said = next((e.after['text'] for e in reversed(history) if e.after and 'text' in e.after), '')
        note(f'“{one_line(str(said), 300)}”', style='bold')
        note('It will be erased, with the messages it rests on and what was drawn from these alone.', style='yellow')
        _confirm('forget')
    return memory.forget(full, **target.ids)


def _matching(target: Target, memory: Memory, where: dict[str, Any], *, yes: bool) -> ErasureReceipt:
    if not yes:
        page = memory.get_all(**target.ids, filters=where, include_inactive=True, limit=_PAGE)
        for record in page.items[:_SHOWN]:
            note(f'“{one_line(record.text, 120)}”')
        found = f'{len(page)} or more memories' if page.cursor else many(len(page), 'memory')
        note(f'{found} of {target.whose} will be erased, with the messages they rest on.', style='yellow')
        _confirm('forget')
    return memory.forget(filters=where, **target.ids)


def _project(target: Target, memory: Memory, *, yes: bool) -> ErasureReceipt:
    if target.user is not None:
        raise typer.BadParameter('--project-wide is not for one user: use --all with --user')
    ids = {} if target.assumed else target.ids
    if not yes:
        part = f'said under {target.whose}' if ids else 'of everybody'
        note(f'Everything {part} in project {one_line(memory.project, 60)} will be erased.', style='yellow')
        _confirm(memory.project)
    view = memory.project_wide()
    return view.forget(**ids) if ids else view.forget(whole_project=True)


def _episode_ids(memory: Memory, ids: dict[str, Any]) -> Iterator[str]:
    cursor: str | None = None
    while True:
        page = memory.episodes(**ids, limit=_PAGE, cursor=cursor)
        yield from (episode.id for episode in page.items)
        cursor = page.cursor
        if cursor is None:
            return


def _read_filter(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f'--filter {one_line(text, 60)} is not JSON ({error})') from error
    if not isinstance(found, dict):
        raise typer.BadParameter(f'--filter {one_line(text, 60)} is no object: write \'{{"kind": "profile"}}\'')
    return found  # pyright: ignore[reportUnknownVariableType]


@contextmanager
def _new_file(path: Path | None) -> Generator[TextIO | None]:
    """A file of its own, opened before anything is erased: a receipt can not be had a second time."""
    if path is None:
        yield None
        return
    try:
        file = path.open('x', encoding='utf-8')
    except FileExistsError as error:
        raise typer.BadParameter(f'{path} is there already: name a new file for the receipt') from error
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        if path.stat().st_size == 0:
            with contextlib.suppress(OSError):
                path.unlink()
        raise


def _tell(target: Target, receipt: ErasureReceipt, path: Path | None) -> None:
    counts = receipt.counts
    if target.as_json:
        figures = {name: counts[name] for name in ('memories', 'episodes', 'versions')}
        scrub = 'verified' if receipt.done else 'pending'
        emit({**figures, 'scrub': scrub, 'receipt': json.loads(receipt.to_json())})
        return
    whose = '' if receipt.asked in ('message', 'memory', 'filter', 'project') else f' of {target.whose}'
    out().print(f'Erased {many(counts["memories"], "memory")} and {many(counts["episodes"], "message")}{whose}.')
    if not any(counts.values()):
        note('Nothing was there to be erased.', style='yellow')
    elif receipt.done:
        out().print('Checked: nothing of it is left in the database files.')
    else:
        note(
            'Traces may remain in the database files while another process reads them; they are removed later, '
            'and `memoranda doctor` says when that is done.',
            style='yellow',
        )
    if path is not None:
        out().print(f'Receipt: {one_line(str(path), 300)}')


def _confirm(word: str) -> None:
    """Ask for a word to be typed; anything else stops the command."""
    answer = typer.prompt(f'Type {one_line(word, 80)} to go on', default='', show_default=False, err=True)
    if answer.strip() != word:
        note('nothing was changed')
        raise typer.Exit(1)
