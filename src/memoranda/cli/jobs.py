"""`memoranda jobs`: the queue of what is still to be read, looked after by a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer
from rich.table import Table
from rich.text import Text

from memoranda.cli._output import emit, many, moment, note, one_line, out, plain, short_id
from memoranda.cli._target import Target, find_id, scoped
from memoranda.errors import Conflict
from memoranda.records import Job, JobStatus, now

if TYPE_CHECKING:
    from memoranda import Memory

__all__ = ['app', 'every_job', 'span']

_PAGE = 1000
_SHOWN_STATES = tuple(state for state in get_args(JobStatus) if state != 'unsaved')
_COLOURS: dict[str, str] = {
    'queued': 'cyan',
    'running': 'green',
    'retrying': 'yellow',
    'done': 'dim',
    'dead': 'red',
    'dropped': 'dim',
}

app = typer.Typer(help='List, show, retry and drop the jobs of background adds.', no_args_is_help=True)

JobId = Annotated[str, typer.Argument(metavar='ID', help='The id, or enough of its beginning or end.')]
JobIds = Annotated[
    list[str] | None, typer.Argument(metavar='[ID]...', help='Their ids, or enough of the beginning or end.')
]
Everybody = Annotated[bool, typer.Option('--all', '-a', help='Of everybody in the project.', rich_help_panel='Scope')]


def _states(values: list[str] | None) -> list[str] | None:
    for value in values or ():
        if value not in _SHOWN_STATES:
            raise typer.BadParameter(f'{one_line(value, 60)!r} is no state: use some of {", ".join(_SHOWN_STATES)}')
    return values


@app.callback()
def _jobs() -> None:  # pyright: ignore[reportUnusedFunction]
    """List, show, retry and drop the jobs of background adds."""


@app.command('list')
@scoped
def list_(
    target: Target,
    state: Annotated[
        list[str] | None,
        typer.Option(
            '--state', '-s', callback=_states, metavar='STATE', help=f'Only {", ".join(_SHOWN_STATES)}; repeatable.'
        ),
    ] = None,
    everybody: Everybody = False,
    limit: Annotated[int, typer.Option('--limit', '-n', min=1, max=1000, help='How many at most.')] = 50,
    cursor: Annotated[str | None, typer.Option(help='Go on where an earlier list ended.')] = None,
    full: Annotated[bool, typer.Option('--full', help='Show whole ids.')] = False,
) -> None:
    """List jobs, latest first."""
    with target.open() as memory:
        view, ids = _reach(memory, target, everybody=everybody)
        states = cast('list[JobStatus]', state) if state else None
        page = view.jobs(**ids, states=states, limit=limit, cursor=cursor)
    if target.as_json:
        emit({'items': [_as_json(job) for job in page], 'cursor': page.cursor})
        return
    _introduce(target, everybody=everybody)
    if not page.items:
        note('none' if cursor is None else 'no more', style='yellow')
        return
    out().print(_table(page.items, full=full, scopes=everybody))
    if page.cursor is not None:
        note(f'more: --cursor {page.cursor}')


@app.command('show')
@scoped
def show(target: Target, job_id: JobId, everybody: Everybody = False) -> None:
    """Show one job with its last error."""
    with target.open() as memory:
        view, ids = _reach(memory, target, everybody=everybody)
        job = view.job(_resolve(view, ids, job_id), **ids)
    if target.as_json:
        emit(_as_json(job))
        return
    out().print(_details(job))
    hint = _next_step(job, '' if target.assumed and not everybody else ' --all')
    if hint:
        note(hint)


@app.command('retry')
@scoped
def retry(
    target: Target,
    job_ids: JobIds = None,
    dead: Annotated[bool, typer.Option('--dead', help='All that were given up.')] = False,
    everybody: Everybody = False,
) -> None:
    """Make jobs due now that were given up or wait for their next try, with their failures forgotten."""
    if bool(job_ids) is dead:
        raise typer.BadParameter('name jobs by their ids, or all that were given up by --dead')
    with target.open() as memory:
        view, ids = _reach(memory, target, everybody=everybody)
        if dead:
            wanted = [job.id for job in every_job(view, ids, states=('dead',))]
        else:
            wanted = _resolve_all(view, ids, job_ids or ())
        done, refused = _each(wanted, lambda job_id: view.retry_job(job_id, **ids))
    if not target.as_json and not wanted:
        _introduce(target, everybody=everybody)
        note('none was given up', style='yellow')
        return
    said = f'{many(len(done), "job")} due again: a program that has the database open does it, or `memoranda worker`.'
    _tell(target, done, refused, said)


@app.command('drop')
@scoped
def drop(
    target: Target,
    job_ids: JobIds = None,
    everybody: Everybody = False,
    yes: Annotated[bool, typer.Option('--yes', '-y', help='Do not ask.')] = False,
) -> None:
    """Take jobs out of the queue: nothing is drawn from their messages, which stay and can be searched."""
    if not job_ids:
        raise typer.BadParameter('name the jobs by their ids: `memoranda jobs list` shows them')
    with target.open() as memory:
        view, ids = _reach(memory, target, everybody=everybody)
        wanted = _resolve_all(view, ids, job_ids)
        if not yes:
            out(stderr=True).print(_table([view.job(job_id, **ids) for job_id in wanted], full=False, scopes=True))
            if not typer.confirm(f'Draw nothing from the messages of {many(len(wanted), "job")}?', err=True):
                note('nothing was changed')
                raise typer.Exit(1)
        done, refused = _each(wanted, lambda job_id: view.drop_job(job_id, **ids))
    _tell(target, done, refused, f'Dropped {many(len(done), "job")}; the messages stay.')


def every_job(memory: Memory, ids: dict[str, Any], *, states: Sequence[JobStatus] | None = None) -> Iterator[Job]:
    """All jobs of a scope, latest first, read page by page."""
    cursor: str | None = None
    while True:
        page = memory.jobs(**ids, states=states, limit=_PAGE, cursor=cursor)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return


def span(seconds: float) -> str:
    """A time in its largest unit: `3 min`."""
    whole = max(0, round(seconds))
    for size, unit in ((86_400, 'days'), (3_600, 'h'), (60, 'min')):
        if whole >= 2 * size:
            return f'{whole // size} {unit}'
    return f'{whole} s'


def _reach(memory: Memory, target: Target, *, everybody: bool) -> tuple[Memory, dict[str, Any]]:
    """The view to ask, and the ids to ask it with."""
    if not everybody:
        return memory, target.ids
    if not target.assumed:
        raise typer.BadParameter('--all means everybody in the project: leave out --user, --agent, --run and --app')
    return memory.project_wide(), {}


def _introduce(target: Target, *, everybody: bool) -> None:
    if not everybody:
        target.introduce('Jobs of')
    elif not target.as_json:
        note('Jobs of everybody in the project')


def _resolve(view: Memory, ids: dict[str, Any], given: str) -> str:
    return find_id(given, (job.id for job in every_job(view, ids)), noun='job', lister='memoranda jobs list')


def _resolve_all(view: Memory, ids: dict[str, Any], given: Sequence[str]) -> list[str]:
    """All of them before any is touched, so that a slip of the pen changes nothing."""
    found = [_resolve(view, ids, one) for one in given]
    for job_id in found:
        view.job(job_id, **ids)
    return list(dict.fromkeys(found))


def _each(job_ids: Sequence[str], change: Callable[[str], Job]) -> tuple[list[Job], dict[str, str]]:
    """Change each of them.

    Returns:
        Those that were changed, and why others, by id, were not.
    """
    done: list[Job] = []
    refused: dict[str, str] = {}
    for job_id in job_ids:
        try:
            done.append(change(job_id))
        except Conflict as error:
            refused[job_id] = str(error)
    return done, refused


def _tell(target: Target, done: Sequence[Job], refused: dict[str, str], said: str) -> None:
    if target.as_json:
        emit({'items': [_as_json(job) for job in done], 'refused': refused})
    else:
        if done:
            out().print(said)
        for reason in refused.values():
            note(f'error: {one_line(reason)}', style='red')
    if refused:
        raise typer.Exit(1)


def _as_json(job: Job) -> dict[str, Any]:
    return {'id': job.id, 'status': job.status, **plain(job)}


def _table(jobs: Sequence[Job], *, full: bool, scopes: bool) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style='dim')
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style='dim')
    if scopes:
        table.add_column(style='dim')
    table.add_column(ratio=1)
    for job in jobs:
        cells: list[str | Text] = [
            job.id if full else short_id(job.id),
            Text(job.status, style=_COLOURS.get(job.status, '')),
            moment(job.created_at),
        ]
        if scopes:
            cells.append(_scope(job))
        table.add_row(*cells, one_line(_remark(job), 200))
    return table


def _remark(job: Job) -> str:
    """What there is to say of a job on one line."""
    wait = (job.run_after - now()).total_seconds()
    parts: list[str] = []
    if job.status in ('queued', 'retrying') and wait > 0:
        parts.append(f'{"next try" if job.last_error else "due"} in {span(wait)}')
    if job.merged_into:
        parts.append(f'with {short_id(job.merged_into)}')
    if job.attempts and job.status != 'done':
        parts.append(f'{job.attempts} tries' if job.attempts > 1 else '1 try')
    if job.last_error and job.status != 'done':
        parts.append(job.last_error)
    return ' · '.join(parts)


def _details(job: Job) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style='dim', no_wrap=True)
    table.add_column()

    def row(name: str, value: str | Text | None) -> None:
        if value:
            table.add_row(name, value if isinstance(value, Text) else Text(one_line(value)))

    row('id', job.id)
    row('status', Text(job.status, style=_COLOURS.get(job.status, '')))
    row('said under', f'{_scope(job)}, project {job.project}')
    with suppress(TypeError):
        row('messages', str(len(job.payload.get('episodes', ()))))
    row('created', _when(job.created_at))
    if job.status in ('queued', 'retrying'):
        row('due', _when(job.run_after))
    if job.status == 'running' and job.lease_until is not None:
        row('held until', _when(job.lease_until) + ', unless renewed')
    row('finished', _when(job.finished_at) if job.finished_at else None)
    row('tries', str(job.attempts) if job.attempts else None)
    row('crashes', str(job.crashes) if job.crashes else None)
    row('done with', job.merged_into)
    usage = job.usage
    if usage.requests:
        cost = f', {usage.cost:.4f} US dollars' if usage.cost is not None else ''
        row('model', f'{many(usage.requests, "request")}, {usage.input_tokens + usage.output_tokens:,} tokens{cost}')
    row('error', job.last_error)
    return table


def _next_step(job: Job, reach: str) -> str | None:
    key = short_id(job.id) + reach
    if job.status == 'dead':
        return f'`memoranda jobs retry {key}` tries it again, `memoranda jobs drop {key}` gives it up for good'
    if job.status == 'retrying':
        return f'`memoranda jobs retry {key}` tries it now'
    return None


def _when(at: datetime) -> str:
    seconds = (at - now()).total_seconds()
    return f'{moment(at)} (in {span(seconds)})' if seconds > 0 else f'{moment(at)} ({span(-seconds)} ago)'


def _scope(job: Job) -> str:
    ids = ', '.join(f'{key.removesuffix("_id")} {one_line(value, 60)}' for key, value in plain(job.scope).items())
    return ids or 'everybody'
