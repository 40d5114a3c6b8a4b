"""`memoranda show`."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from memoranda.cli._output import emit, moment, one_line, out, plain, quote, shown
from memoranda.cli._target import Target, resolve, scoped
from memoranda.records import MemoryRecord
from memoranda.scope import Scope

__all__ = ['record_table', 'show']


@scoped
def show(
    target: Target,
    memory_id: Annotated[str, typer.Argument(metavar='ID', help='The id, or enough of its beginning or end.')],
) -> None:
    """Show one memory with everything known about it."""
    with target.open() as memory:
        record = memory.get(resolve(memory, memory_id, target.ids), **target.ids)
    if target.as_json:
        emit(record)
        return
    console = out()
    console.print(shown(record.text), style='bold')
    console.print(record_table(record))


def record_table(record: MemoryRecord) -> Table:
    """The fields of a memory that say something."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style='dim', no_wrap=True)
    table.add_column()

    def row(name: str, value: str | None) -> None:
        if value:
            table.add_row(name, Text(one_line(value)))

    row('id', record.id)
    row('kind', record.kind)
    row('slot', record.slot)
    row('status', f'{record.status}, version {record.version}')
    row('level', f'{record.level} ({_scope(record.scope)})')
    row('said under', _scope(record.said_under))
    row('holds', f'from {moment(record.valid_from)}' + (f' to {moment(record.valid_to)}' if record.valid_to else ''))
    row(
        'recorded', moment(record.recorded_at) + (f', retired {moment(record.retired_at)}' if record.retired_at else '')
    )
    row('expires', moment(record.expires_at) if record.expires_at else None)
    row('confidence', f'{record.confidence:.2f}, importance {record.importance:.2f}, trust: {record.trust}')
    row('by', record.actor)
    row('marks', ', '.join(name for name, on in (('pinned', record.pinned), ('edited', record.locked)) if on))
    row('tags', ', '.join(record.tags))
    row('metadata', json.dumps(plain(record.metadata), ensure_ascii=False) if record.metadata else None)
    row('supersedes', record.supersedes)
    row('superseded by', record.superseded_by)
    for number, evidence in enumerate(record.evidence):
        table.add_row('' if number else 'from the words', quote(evidence, None))
    return table


def _scope(scope: Scope) -> str:
    return ', '.join(f'{key.removesuffix("_id")} {value}' for key, value in plain(scope).items()) or 'everybody'
