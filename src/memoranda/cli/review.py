"""`memoranda review`: what waits for a person, decided one by one on a screen, or by commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from rich.table import Table
from rich.text import Text

from memoranda.cli._output import day, emit, many, note, one_line, out, plain, short_id
from memoranda.cli._review_screen import Screen
from memoranda.cli._target import Target, every, find_id, scoped
from memoranda.consent.wording import REASONS, why, words_of
from memoranda.errors import MemorandaError, MemoryNotFound

if TYPE_CHECKING:
    from memoranda import Memory
    from memoranda.consent.review import ReviewItem, ReviewResult

__all__ = ['app']

_PAGE = 100
_IDS_AT_ONCE = 1000

app = typer.Typer(help='Decide on what waits for a person: approve, edit or reject it.')

ItemIds = Annotated[
    list[str] | None, typer.Argument(metavar='[ID]...', help='Their ids, or enough of the beginning or end.')
]
Reasons = Annotated[
    list[str] | None,
    typer.Option('--reason', '-r', metavar='CODE', help='Only what waits for this reason; repeatable.'),
]
Everybody = Annotated[bool, typer.Option('--all', '-a', help='Of everybody in the project.', rich_help_panel='Scope')]
By = Annotated[str | None, typer.Option('--by', metavar='NAME', help='Who decides, for the history. Default: user.')]
Yes = Annotated[bool, typer.Option('--yes', '-y', help='Do not ask.')]
View: TypeAlias = 'tuple[Memory, dict[str, Any]]'


@app.callback(invoke_without_command=True)
@scoped
def review(
    target: Target, context: typer.Context, reason: Reasons = None, everybody: Everybody = False, by: By = None
) -> None:
    """Decide on what waits for a person, one by one: a approves, e edits, r rejects, s skips, u undoes, q ends.

    With --json it only lists what waits.
    """
    if context.invoked_subcommand is not None:
        if target != Target() or reason or everybody or by:
            raise typer.BadParameter(
                f'write the options after the command: memoranda review {context.invoked_subcommand} ...'
            )
        return
    _check_reasons(reason)
    with target.open() as memory:
        view, ids = _reach(memory, target, everybody=everybody, by=by)
        if target.as_json:
            _emit_page(view.review.list(**ids, reasons=reason, limit=_PAGE))
            return
        _introduce(target, everybody=everybody)
        Screen(view, ids, reasons=reason, hint=_hint(everybody=everybody)).run()


@app.command('list')
@scoped
def list_(
    target: Target,
    reason: Reasons = None,
    everybody: Everybody = False,
    limit: Annotated[int, typer.Option('--limit', '-n', min=1, max=200, help='How many at most.')] = 50,
    cursor: Annotated[str | None, typer.Option(help='Go on where an earlier list ended.')] = None,
    full: Annotated[bool, typer.Option('--full', help='Show whole ids.')] = False,
) -> None:
    """List what waits, in the order it was proposed."""
    _check_reasons(reason)
    with target.open() as memory:
        view, ids = _reach(memory, target, everybody=everybody)
        page = view.review.list(**ids, reasons=reason, limit=limit, cursor=cursor, details=target.as_json)
    if target.as_json:
        _emit_page(page)
        return
    _introduce(target, everybody=everybody)
    if not page.items:
        nothing = f'nothing waits{_hint(everybody=everybody)}'
        note(nothing if page.cursor is None else 'nothing in this part of the queue', style='yellow')
    else:
        out().print(_table(page.items, full=full, scopes=everybody))
    if page.cursor is not None:
        note(f'more: --cursor {page.cursor}')


@app.command('approve')
@scoped
def approve(
    target: Target,
    item_ids: ItemIds = None,
    reason: Reasons = None,
    everybody: Everybody = False,
    by: By = None,
    yes: Yes = False,
) -> None:
    """Let proposals be believed, on the memories as they are now."""
    _decide(target, item_ids, reason, everybody=everybody, by=by, yes=yes, verb='approve')


@app.command('reject')
@scoped
def reject(
    target: Target,
    item_ids: ItemIds = None,
    reason: Reasons = None,
    everybody: Everybody = False,
    by: By = None,
    yes: Yes = False,
) -> None:
    """Turn proposals down: the same words are not proposed again."""
    _decide(target, item_ids, reason, everybody=everybody, by=by, yes=yes, verb='reject')


@app.command('edit')
@scoped
def edit(
    target: Target,
    item_id: Annotated[str, typer.Argument(metavar='ID', help='The id, or enough of its beginning or end.')],
    text: Annotated[str | None, typer.Argument(help='What it should say.')] = None,
    kind: Annotated[str | None, typer.Option(help='Another kind.')] = None,
    slot: Annotated[str | None, typer.Option(help="Another slot; '' removes it.")] = None,
    value: Annotated[str | None, typer.Option(help="The bare value of the slot; '' removes it.")] = None,
    everybody: Everybody = False,
    by: By = None,
) -> None:
    """Approve a proposal in other words, which extraction never overwrites."""
    fields: dict[str, Any] = {'text': text, 'kind': kind}
    fields |= {n: given or None for n, given in (('slot', slot), ('value', value)) if given is not None}
    with target.open() as memory:
        view, ids = _reach(memory, target, everybody=everybody, by=by)
        full = _resolve(target, view, ids, item_id)
        done = view.review.edit(full, **fields, **ids)
    _tell(target, [done], 'approved')


def _decide(
    target: Target,
    given: list[str] | None,
    reason: list[str] | None,
    *,
    everybody: bool,
    by: str | None,
    yes: bool,
    verb: str,
) -> None:
    _check_reasons(reason)
    if bool(given) is bool(reason):
        raise typer.BadParameter('name proposals by their ids, or all that wait for a reason by --reason')
    done = f'{verb}d' if verb.endswith('e') else f'{verb}ed'
    with target.open() as memory:
        view, ids = _reach(memory, target, everybody=everybody, by=by)
        act: Callable[..., Any] = getattr(view.review, verb)
        if given:
            wanted = list(dict.fromkeys(_resolve(target, view, ids, one) for one in given))
        else:
            found = list(_every(view, ids, reason))
            wanted = [item.id for item in found]
            if found and not yes:
                out(stderr=True).print(_table(found[:20], full=False, scopes=True))
                if not typer.confirm(f'{verb.capitalize()} {many(len(found), "proposal")}?', err=True):
                    note('nothing was changed')
                    raise typer.Exit(1)
        results: list[ReviewResult] = []
        if given and len(wanted) == 1:
            results.append(act(wanted[0], **ids))  # raises what goes wrong
        else:
            for begin in range(0, len(wanted), _IDS_AT_ONCE):
                results += act(wanted[begin : begin + _IDS_AT_ONCE], **ids)
    _tell(target, results, done)


def _tell(target: Target, results: Sequence[ReviewResult], done: str) -> None:
    refused = {r.id: r.error for r in results if r.error is not None}
    good = [r for r in results if r.error is None]
    if target.as_json:
        emit(
            {
                'items': [
                    {
                        'id': r.id,
                        'outcome': r.outcome,
                        'change_id': r.change.id if r.change else None,
                        'memory': plain(r.memory),
                        'notes': list(r.notes),
                    }
                    for r in good
                ],
                'refused': {i: _reason(e) for i, e in refused.items()},
            }
        )
    else:
        if good or not refused:
            out().print(f'{done.capitalize()}: {many(len(good), "proposal")}.')
        for error in refused.values():
            note(f'error: {one_line(_reason(error))}', style='red')
    if refused:
        raise typer.Exit(1)


def _reason(error: MemorandaError) -> str:
    return str(error)


def _check_reasons(reasons: list[str] | None) -> None:
    for code in reasons or ():
        if code.partition(':')[0] not in REASONS:
            raise typer.BadParameter(f'--reason {one_line(code, 60)} is unknown: use one of {", ".join(REASONS)}')


def _hint(*, everybody: bool) -> str:
    return '' if everybody else ' (--all: of everybody in the project)'


def _reach(memory: Memory, target: Target, *, everybody: bool, by: str | None = None) -> View:
    """The view to ask, and the ids to ask it with."""
    memory = memory if by is None else memory.acting_as(by)
    if not everybody:
        return memory, target.ids
    if not target.assumed:
        raise typer.BadParameter('--all means everybody in the project: leave out --user, --agent, --run and --app')
    return memory.project_wide(), {}


def _introduce(target: Target, *, everybody: bool) -> None:
    if everybody:
        note('What waits of everybody in the project')
    else:
        target.introduce('What waits of')


def _every(view: Memory, ids: dict[str, Any], reasons: list[str] | None) -> Iterator[ReviewItem]:
    cursor: str | None = None
    while True:
        page = view.review.list(**ids, reasons=reasons, limit=_PAGE, cursor=cursor, details=False)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return


def _resolve(target: Target, view: Memory, ids: dict[str, Any], given: str) -> str:
    known = (item.id for item in _every(view, ids, None))
    lister = target.command('review list' if ids else 'review list --all')
    try:
        return find_id(given, known, noun='proposal', lister=lister)
    except MemoryNotFound:
        if not ids:
            raise
    # It may be decided on already. Asked for in full, the queue says by whom.
    decided = (record.id for record in every(view, ids, include_inactive=True))
    return find_id(given, decided, noun='proposal', lister=lister)


def _emit_page(page: Any) -> None:
    emit({'items': [_as_json(item) for item in page], 'cursor': page.cursor})


def _as_json(item: ReviewItem) -> dict[str, Any]:
    found = plain(item)
    return {'id': item.id, 'text': item.memory.text, **found}


def _table(items: Sequence[ReviewItem], *, full: bool, scopes: bool) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style='dim')
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style='dim')
    if scopes:
        table.add_column(style='dim')
    table.add_column(ratio=1)
    for item in items:
        cells: list[str | Text] = [item.id if full else short_id(item.id), item.op, day(item.proposed_at)]
        if scopes:
            cells.append(one_line(', '.join(plain(item.memory.scope).values()), 60))
        words = Text(one_line(words_of(item), 300))
        words.append(Text(f'  {one_line(why(item.reasons), 120)}', style='yellow'))
        table.add_row(*cells, words)
    return table
