"""`memoranda reindex`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from memoranda.cli._output import emit, out, say
from memoranda.cli._target import DatabaseOption, JsonOption, Target

__all__ = ['reindex']


def reindex(
    database: DatabaseOption = None,
    embedder: Annotated[
        str | None,
        typer.Option(help='The new embedder, such as openai:text-embedding-3-small. Default: as configured.'),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Embed everything anew, with the configured embedder or another one. It may be interrupted and run again."""
    target = Target(database=database, as_json=as_json)
    console = out(stderr=True)
    progress = Progress(
        TextColumn('embedding'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=as_json or not console.is_terminal,
        transient=True,
    )
    task = progress.add_task('embedding', total=None)

    def advance(done: int, total: int) -> None:
        progress.update(task, completed=done, total=total)

    with target.open(embedder=embedder) as memory, progress:
        done = memory.reindex(progress=advance)
        stats = memory.stats()
    generation = stats.generation
    if as_json:
        emit({'embedded': done, 'generation': generation, 'memories': stats.memories, 'episodes': stats.episodes})
    elif generation is None:
        say('There is nothing to embed yet.')
    elif not done:
        say(f'Everything was embedded with {generation.embedder} already.')
    else:
        say(f'Embedded {done} texts with {generation.embedder} ({generation.dimensions} dimensions).')
