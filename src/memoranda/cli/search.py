"""`memoranda search`."""

from __future__ import annotations

import enum
import json
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from memoranda.cli._dates import parse_moment
from memoranda.cli._output import emit, moment, note, one_line, out, quote, short_id, status_line
from memoranda.cli._target import Target, scoped
from memoranda.records import Episode, Hit

__all__ = ['hits_table', 'search']

_COLUMNS = 6
_BEFORE, _AFTER = 60, 60


class Only(enum.StrEnum):
    """One of the two things a search looks through."""

    memories = 'memories'
    episodes = 'episodes'


class Strategy(enum.StrEnum):
    """How a search ranks."""

    hybrid = 'hybrid'
    semantic = 'semantic'
    keyword = 'keyword'
    recency = 'recency'


@scoped
def search(
    target: Target,
    query: Annotated[str, typer.Argument(help='A question or a few words.')],
    top_k: Annotated[int, typer.Option('--top-k', '-k', min=1, max=1000, help='How many hits.')] = 5,
    only: Annotated[Only | None, typer.Option(help='Leave the other out. Default: both.')] = None,
    strategy: Annotated[Strategy, typer.Option(help='How to rank.')] = Strategy.hybrid,
    min_score: Annotated[float, typer.Option('--min-score', min=0, max=1, help='Leave out weaker hits.')] = 0.0,
    filters: Annotated[
        str | None, typer.Option('--filter', metavar='JSON', help='Such as \'{"kind": "preference"}\'.')
    ] = None,
    as_of: Annotated[str | None, typer.Option('--as-of', metavar='DATE', help='What held on that day.')] = None,
    known_at: Annotated[str | None, typer.Option('--known-at', metavar='DATE', help='What was believed then.')] = None,
    explain: Annotated[bool, typer.Option('--explain', help='Show the parts of every score.')] = False,
    full: Annotated[bool, typer.Option('--full', help='Show whole ids and passages.')] = False,
) -> None:
    """Find memories and the passages of messages that answer a question."""
    with target.open() as memory:
        hits = memory.search(
            query,
            **target.ids,
            filters=_filters(filters),
            top_k=top_k,
            min_score=min_score,
            strategy=strategy.value,
            include=('memories', 'episodes') if only is None else (only.value,),
            as_of=parse_moment(as_of),
            known_at=parse_moment(known_at),
            explain=explain,
        )
    if target.as_json:
        emit(hits)
        return
    target.introduce('Remembered of')
    if not hits:
        note('nothing found', style='yellow')
        return
    out().print(hits_table(hits, full=full))
    if explain:
        _explain(hits)


def _filters(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise typer.BadParameter(f'{text!r} is no JSON object: write it as {{"kind": "preference"}}')
    return value  # pyright: ignore[reportUnknownVariableType]


def hits_table(hits: list[Hit], *, full: bool = False, ids: bool = True) -> Table:
    """Hits with number, score, words and where they come from."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify='right', style='dim', no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    if ids:
        table.add_column(no_wrap=True, style='dim')
    for number, hit in enumerate(hits, 1):
        cells: list[Any] = [str(number), _score(hit.score), _memory(hit) if hit.memory else _passage(hit, full=full)]
        if ids:
            cells.append(hit.id if full else short_id(hit.id))
        table.add_row(*cells)
    return table


def _score(score: float) -> Text:
    return Text(f'{score:.2f}', style='green' if score >= 0.6 else 'yellow' if score >= 0.35 else 'dim')


def _memory(hit: Hit) -> Group:
    record = hit.memory
    assert record is not None
    lines = [Text(one_line(record.text), style='bold'), status_line(record)]
    lines.extend(quote(evidence) for evidence in record.evidence[:2])
    return Group(*lines)


def _passage(hit: Hit, *, full: bool) -> Group:
    episode = hit.episode
    assert episode is not None
    start = 0 if full else max(0, hit.start - _BEFORE)
    end = len(episode.text) if full else min(len(episode.text), max(hit.end, hit.start) + _AFTER)
    passage = Text.assemble(
        ('…' if start else '', 'dim'),
        (one_line(episode.text[start : hit.start]) + ' ' if episode.text[start : hit.start].strip() else '', 'dim'),
        one_line(hit.text, None if full else 400),
        (' ' + one_line(episode.text[hit.end : end]) if episode.text[hit.end : end].strip() else '', 'dim'),
        ('…' if end < len(episode.text) else '', 'dim'),
    )
    said = f'{_speaker(episode)}, {moment(episode.occurred_at)}'
    return Group(passage, Text(said + ' · no longer believed' * hit.stale, style='dim'))


def _speaker(episode: Episode) -> str:
    return one_line(episode.name or episode.role, 40)


def _explain(hits: list[Hit]) -> None:
    console = out()
    for first in range(0, len(hits), _COLUMNS):
        shown = hits[first : first + _COLUMNS]
        parts = list(dict.fromkeys(name for hit in shown for name in hit.why or {}))
        table = Table('part of the score', title='', box=None, pad_edge=False, header_style='dim')
        for number in range(first + 1, first + len(shown) + 1):
            table.add_column(str(number), justify='right')
        for part in parts:
            table.add_row(one_line(part, 40), *(_value((hit.why or {}).get(part)) for hit in shown))
        console.print(table)


def _value(value: Any) -> str:
    if value is None:
        return ''
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, int | float):
        return f'{value:.3f}'.rstrip('0').rstrip('.')
    return one_line(str(value), 24)
