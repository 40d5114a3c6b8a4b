"""`memoranda add`."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from memoranda.cli._dates import parse_moment
from memoranda.cli._output import day, emit, many, one_line, out, plain, quote, short_id, status_line
from memoranda.cli._target import Target, scoped
from memoranda.records import AddResult, Edit

__all__ = ['add', 'changes_table']


@scoped
def add(
    target: Target,
    text: Annotated[str | None, typer.Argument(help='What was said. Left out or -: read standard input.')] = None,
    fact: Annotated[
        bool, typer.Option('--fact', help='Store it as a memory as it stands, without extraction.')
    ] = False,
    kind: Annotated[str | None, typer.Option(help='Kind of the fact, such as preference. Implies --fact.')] = None,
    slot: Annotated[str | None, typer.Option(help='Single-valued key, such as home.city. Implies --fact.')] = None,
    tag: Annotated[list[str] | None, typer.Option(help='Tag of the fact; repeatable. Implies --fact.')] = None,
    pin: Annotated[bool, typer.Option('--pin', help='Always give it to the agent. Implies --fact.')] = False,
    at: Annotated[str | None, typer.Option(metavar='DATE', help='When it was said. Default: now.')] = None,
    expires: Annotated[str | None, typer.Option(metavar='DATE', help='When to stop believing it.')] = None,
    background: Annotated[
        bool, typer.Option('--background', help='Only store it; facts are drawn later by a program or `worker`.')
    ] = False,
) -> None:
    """Remember something that was said."""
    said = parse_moment(at)
    until = parse_moment(expires)
    if text is None or text == '-':
        text = sys.stdin.read()
    options: dict[str, Any] = {'occurred_at': said, 'expires_at': until, 'background': background}
    if fact or kind or slot or tag or pin:
        options |= {'infer': False, 'kind': kind, 'slot': slot, 'tags': tuple(tag or ()), 'pinned': pin}
    with target.open() as memory:
        result = memory.add(text, **target.ids, **options)
    if target.as_json:
        found = plain(replace(result, follower=None))
        del found['follower']  # what waits for the job, in a program that goes on
        emit(found)
        return
    target.introduce('Told to')
    if result.status == 'done':
        _show(target, result)
    else:
        _receipt(result)


def _receipt(result: AddResult) -> None:
    """What was stored, and who goes on."""
    stored, job = many(len(result.episode_ids), 'message'), short_id(result.job_id or '')
    console = out()
    console.print(f'Stored {stored}. Job {job} is {result.status}.')
    console.print('A program that has this database open does it, or `memoranda worker`.', style='dim')


def _show(target: Target, result: AddResult) -> None:
    console = out()
    if result.changes:
        console.print(changes_table(result.changes))
        if result.pending:
            wait = 'waits' if len(result.pending) == 1 else 'wait'
            console.print(f'{many(len(result.pending), "proposal")} {wait} for a person: `{target.command("review")}`')
    elif result.episode_ids:
        console.print('Kept as a message. No fact was drawn from it; `memoranda search` finds its words.')
        if result.skipped.get('locked'):
            console.print('It contradicts a memory that a person edited, which only `memoranda edit` changes.')
    else:
        console.print('Nothing new: this was known already.')


_VERBS = {
    'confirm': ('confirmed', 'cyan'),
    'correct': ('corrected', 'yellow'),
    'retract': ('no longer', 'yellow'),
    'expire': ('expired', 'yellow'),
}


_STYLES = {'active': 'bold', 'pending': 'italic'}


def changes_table(changes: tuple[Edit, ...]) -> Table:
    """What became of the memories, each with the words it rests on."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_column(no_wrap=True, style='dim')
    # What is believed now comes first, what it replaced after it.
    for edit in sorted(changes, key=lambda e: e.after.status != 'active'):
        record = edit.after
        verb, colour = _VERBS.get(edit.op, ('remembered', 'green'))
        if record.status == 'superseded':
            verb, colour = 'replaced', 'yellow'
        elif record.status == 'pending':
            verb, colour = 'for review', 'yellow'
        elif record.status == 'retracted':
            verb, colour = 'no longer', 'yellow'
        # A wish to confirm or to retract has no words of its own.
        wish = edit.review is not None and edit.review.op in ('confirm', 'retract')
        words = record.evidence[-1].quote if wish and record.evidence else record.text
        text = Text(one_line(words), style=_STYLES.get(record.status, 'strike dim'))
        table.add_row(Text(verb, style=colour), text, short_id(record.id))
        if record.status == 'active':
            table.add_row('', status_line(record))
            for evidence in record.evidence[-1:]:
                table.add_row('', quote(evidence))
        elif record.valid_to is not None:
            table.add_row('', Text(f'held until {day(record.valid_to)}', style='dim'))
    return table
