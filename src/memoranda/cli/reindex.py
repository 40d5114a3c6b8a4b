"""`memoranda reindex`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from memoranda.cli._output import emit, say
from memoranda.cli._progress import Advance, shown
from memoranda.cli._target import DatabaseOption, JsonOption, Target
from memoranda.cli.jobs import span

if TYPE_CHECKING:
    from memoranda.reindex import ReindexProgress

__all__ = ['reindex']


def reindex(
    database: DatabaseOption = None,
    embedder: Annotated[
        str | None,
        typer.Option(help='The new embedder, such as openai:text-embedding-3-small. Default: as configured.'),
    ] = None,
    rows_per_second: Annotated[
        float | None, typer.Option(metavar='N', help='Embed at most so many texts a second.')
    ] = None,
    discard: Annotated[
        bool, typer.Option('--discard', help='Drop what an unfinished reindex with another embedder has done.')
    ] = False,
    anew: Annotated[bool, typer.Option('--anew', help='Embed also what has a vector of this embedder.')] = False,
    as_json: JsonOption = False,
) -> None:
    """Make the vectors of another embedder, then switch to them. It may be interrupted and run again."""
    target = Target(database=database, as_json=as_json)
    with target.open(embedder=embedder) as memory, shown(quiet=as_json) as advance:
        done = memory.reindex(
            progress=None if advance is None else lambda at: _tell(advance, at),
            rate=rows_per_second,
            discard=discard,
            anew=anew,
        )
        stats = memory.stats()
    generation = stats.generation
    if as_json:
        emit({'embedded': done, 'generation': generation, 'memories': stats.memories, 'episodes': stats.episodes})
    elif generation is None or not stats.versions + stats.episodes:
        say('There is nothing to embed yet.')
    elif not done:
        say(f'Everything was embedded with {generation.embedder} already.')
    else:
        say(f'Embedded {done:,} texts with {generation.embedder} ({generation.dimensions} dimensions).')


def _tell(advance: Advance, at: ReindexProgress) -> None:
    left = '' if at.seconds_left is None else f', {span(at.seconds_left)} left'
    advance('embedding', at.done, at.total, f'{at.rows_per_second:,.0f} a second{left}')
