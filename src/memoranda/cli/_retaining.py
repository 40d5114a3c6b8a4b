"""`memoranda clean --retention`: what is not kept for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

from memoranda.cli._output import emit, many, note, one_line, out
from memoranda.cli._target import Target
from memoranda.settings import Settings

if TYPE_CHECKING:
    from memoranda.write.retention import RetentionResult

__all__ = ['apply_retention']


def apply_retention(target: Target, *, everybody: bool, dry_run: bool, yes: bool) -> None:
    """Show what the settings don't keep, ask, and take it."""
    ids: dict[str, Any] = {} if everybody else target.ids
    with target.open() as memory:
        settings = Settings()
        if not (settings.retention.strip() or settings.run_expiry.strip()):
            note(
                'nothing is set: name what is not kept, such as MEMORANDA_RETENTION="messages 90d" or '
                'MEMORANDA_RUN_EXPIRY=30d',
                style='yellow',
            )
        if dry_run or not yes:
            found = memory.retention_preview(**ids)
            if dry_run and target.as_json:
                emit(found)
                return
            if not target.as_json:
                _show(target, found, everybody=everybody)
            if dry_run or found.nothing:
                return
            if not typer.confirm('Erased messages do not come back. Go on?', err=True):
                raise typer.Exit(1)
        result = memory.apply_retention(**ids)
    if target.as_json:
        emit(result)
    elif result.nothing:
        note('nothing is old enough', style='yellow')
    else:
        out(stderr=True).print(f'{_told(result)}; {_SCRUB[result.scrub]}', style='green')


_SCRUB = {
    None: '`memoranda revert` undoes it',
    'verified': 'their words are gone from the files',
    'pending': 'their words are being swept from the files, `memoranda doctor` tells when that is done',
}


def _told(result: RetentionResult) -> str:
    parts = [f'{many(result.expired, "fact")} expired'] if result.expired else []
    if result.messages:
        parts.append(f'{many(result.messages, "message")} erased')
    if result.facts:
        parts.append(f'{many(result.facts, "fact")} with them')
    return ', '.join(parts)


def _show(target: Target, found: RetentionResult, *, everybody: bool) -> None:
    whose = f'of project {one_line(target.project or "default", 60)}' if everybody else f'of {target.whose}'
    if found.nothing:
        note(f'nothing {whose} is old enough', style='yellow')
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(style='dim', no_wrap=True)
    for record in found.some_expired:
        table.add_row('expire', Text(one_line(record.text, 300)), one_line(record.kind, 40))
    for episode in found.some_messages:
        table.add_row(Text('erase', style='red'), Text(one_line(episode.text, 300)), f'{episode.recorded_at:%Y-%m-%d}')
    for record in found.some_facts:
        table.add_row(Text('with it', style='red'), Text(one_line(record.text, 300)), record.status)
    out().print(table)
    counts = f'{many(found.expired, "fact")} would expire, {many(found.messages, "message")} would be erased'
    note(f'{counts}, {many(found.facts, "fact")} with them; {found.left:,} left, pinned or locked {whose}')
