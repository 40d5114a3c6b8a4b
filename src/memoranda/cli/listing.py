"""`memoranda list`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from memoranda.cli._output import emit, moment, note, one_line, out, plain, said, short_id
from memoranda.cli._target import Target, scoped
from memoranda.records import Episode, MemoryRecord

__all__ = ['list_']


@scoped
def list_(
    target: Target,
    limit: Annotated[int, typer.Option('--limit', '-n', min=1, max=1000, help='How many at most.')] = 50,
    cursor: Annotated[str | None, typer.Option(help='Go on where an earlier list ended.')] = None,
    kind: Annotated[str | None, typer.Option(help='Only memories of this kind.')] = None,
    inactive: Annotated[
        bool, typer.Option('--all', '-a', help='Also what is superseded, forgotten or expired.')
    ] = False,
    messages: Annotated[bool, typer.Option('--messages', help='The messages themselves instead of memories.')] = False,
    full: Annotated[bool, typer.Option('--full', help='Show whole ids.')] = False,
) -> None:
    """List memories, oldest first."""
    items: list[MemoryRecord | Episode] = []
    with target.open() as memory:
        if messages:
            episodes = memory.episodes(**target.ids, limit=limit, cursor=cursor)
            items.extend(episodes.items)
            following = episodes.cursor
        else:
            page = memory.get_all(
                **target.ids,
                filters={'kind': kind} if kind else None,
                limit=limit,
                cursor=cursor,
                include_inactive=inactive,
            )
            items.extend(page.items)
            following = page.cursor
    if target.as_json:
        emit({'items': [plain(item) for item in items], 'cursor': following})
        return
    target.introduce('Messages of' if messages else 'Memories of')
    if not items:
        note('none yet' if cursor is None else 'no more', style='yellow')
        return
    out().print(_table(items, full=full))
    if following is not None:
        note(f'more: --cursor {following}')


def _table(items: list[MemoryRecord | Episode], *, full: bool) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style='dim')
    table.add_column(ratio=1)
    table.add_column(style='dim', no_wrap=True)
    table.add_column(style='dim', no_wrap=True)
    for item in items:
        key = item.id if full else short_id(item.id)
        if isinstance(item, Episode):
            table.add_row(key, one_line(item.text), one_line(item.name or item.role, 16), moment(item.occurred_at))
            continue
        current = item.status == 'active' and item.retired_at is None
        text = Text(one_line(item.text), style='' if current else 'dim strike')
        label = item.kind if current else f'{item.kind}, {item.status}'
        table.add_row(key, text, one_line(label, 24), said(item))
    return table
