"""`memoranda index`: the vector index elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from memoranda.cli._output import emit, many, note, one_line, out, plain, say
from memoranda.cli._target import DatabaseOption, JsonOption, Target

if TYPE_CHECKING:
    from memoranda.indexcheck import IndexReport

__all__ = ['app']

_WRONG = 1
app = typer.Typer(help='The vector index elsewhere (MEMORANDA_INDEX): how it stands, check it, fill it.')


@app.command()
def status(database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Show where it is, how many points it has, and how many changes wait. The exit code is 1 when it is down."""
    with Target(database=database, as_json=as_json).open() as memory:
        found = memory.index_status()
    if as_json:
        emit(plain(found))
    else:
        say(f'{one_line(found.location, 200)}: {"Qdrant " + found.version if found.version else "does not answer"}')
        if found.error:
            note(one_line(found.error, 400), style='red')
        generation = found.generation
        if generation is None:
            say('Nothing is embedded yet.')
        else:
            # Without an answer nobody knows; with one there is no collection.
            points = 'unknown' if found.points is None and found.error else f'{found.points or 0:,}'
            say(f'{generation.embedder} ({generation.dimensions} dimensions): {points} of {found.expected:,} points')
        say(
            f'{many(found.waiting, "change")} to be sent' + ('' if found.ready else '; it is not asked by searches yet')
        )
    if found.error:
        raise typer.Exit(_WRONG)


@app.command()
def verify(
    vectors: Annotated[bool, typer.Option('--vectors', help='Compare the vectors too.')] = False,
    repair: Annotated[bool, typer.Option('--repair', help='Send what is missing, delete what is unknown.')] = False,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the index with the database, both ways. The exit code is 1 when something is wrong and not repaired."""
    with Target(database=database, as_json=as_json).open() as memory, _shown('comparing', as_json) as advance:
        found = memory.index_verify(vectors=vectors, repair=repair, progress=advance)
    wrong = not found.ok and (not repair or found.repaired < found.missing + found.unknown + found.stale)
    wrong = wrong or bool(found.strange or found.leftover or found.building)
    if as_json:
        emit({'ok': not wrong, **plain(found)})
    else:
        _tell(found)
    if wrong:
        raise typer.Exit(_WRONG)


def _tell(found: IndexReport) -> None:
    console = out()
    for count, what in (
        (found.missing, 'missing from the index'),
        (found.unknown, 'in the index and not in the database'),
        (found.stale, 'stale in the index'),
        (found.strange, "in the collection and nobody's"),
    ):
        if count:
            console.print(f'{many(count, "row")} {what}', style='red')
    if found.leftover:
        numbers = ', '.join(map(str, found.leftover))
        console.print(f'collections of generations that are gone: {numbers}', style='red')
    if found.building:
        console.print(
            'the index is not filled: a program that has this memory open does that, or `memoranda index verify '
            '--repair`; run this again then',
            style='red',
        )
    if found.rows:
        note(f'row keys: {", ".join(map(str, found.rows))}')
    if found.repaired:
        say(f'{many(found.repaired, "row")} repaired.')
    state = 'Whole' if found.ok else 'Compared'
    say(f'{state}: {many(found.points, "point")} of {many(found.expected, "row")}, {found.waiting:,} waiting.')


@app.command()
def rebuild(database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Drop the collections of this database and send every vector anew. It may be interrupted and run again."""
    with Target(database=database, as_json=as_json).open() as memory, _shown('sending', as_json) as advance:
        sent = memory.index_rebuild(progress=advance)
    emit({'sent': sent}) if as_json else say(f'Sent {many(sent, "vector")}.')


@app.command()
def flush(database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Send the changes that wait, and wait for it. Processes that have a memory open do this by themselves."""
    with Target(database=database, as_json=as_json).open() as memory, _shown('sending', as_json) as advance:
        sent = memory.index_flush(progress=advance)
    emit({'sent': sent}) if as_json else say(f'Sent {many(sent, "change")}.')


@app.command()
def drop(
    yes: Annotated[bool, typer.Option('--yes', '-y', help='Do not ask.')] = False,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete the collections of this database and note changes no more. End other processes that use it first."""
    if not yes:
        typer.confirm('Delete the index? The database keeps all vectors, so it can be built again.', abort=True)
    with Target(database=database, as_json=as_json).open() as memory:
        memory.index_drop()
    emit({'dropped': True}) if as_json else say('The index is dropped.')


@contextmanager
def _shown(what: str, as_json: bool) -> Generator[Callable[[int, int], None]]:
    """A bar that shows how far it has come, in a terminal."""
    console = out(stderr=True)
    columns: tuple[Any, ...] = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=as_json or not console.is_terminal, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
