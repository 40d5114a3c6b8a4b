"""`memoranda keys`: who may ask a server."""

from __future__ import annotations

import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from getpass import getuser
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from memoranda.cli._dates import parse_moment
from memoranda.cli._output import emit, moment, note, one_line, out, plain, short_id
from memoranda.cli._target import DatabaseOption, JsonOption, ProjectOption, Target, find_id
from memoranda.errors import InvalidInput, KeyNotFound
from memoranda.records import now
from memoranda.stores.apikeys import ROLES, ApiKey, Role

if TYPE_CHECKING:
    from memoranda import Memory
    from memoranda.keys import NewKey

__all__ = ['app']

_UNITS: Final = {'s': 1, 'm': 60, 'h': 3600, 'd': 86_400, 'w': 604_800, 'y': 31_536_000}
_SPAN: Final = re.compile(r'(\d{1,9})\s*([smhdwy])')

app = typer.Typer(help='Make, list, rotate and revoke the API keys of a server.', no_args_is_help=True)

KeyId = Annotated[
    str, typer.Argument(metavar='KEY', help='The name of a key in force, its id, or enough of the id to tell it.')
]


@app.callback()
def _keys() -> None:  # pyright: ignore[reportUnusedFunction]
    """Make, list, rotate and revoke the API keys of a server."""


def _role(value: str) -> str:
    if value not in ROLES:
        raise typer.BadParameter(f'{one_line(value, 60)!r} is no role: use one of {", ".join(ROLES)}')
    return value


def _seconds(text: str) -> float:
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None:
        raise typer.BadParameter(f'{one_line(text, 60)!r} is no time span: write it as 30m, 24h, 90d or 1y')
    return float(int(found[1]) * _UNITS[found[2]])


def _until(text: str | None) -> datetime | None:
    """A time span from now, or a date."""
    if text is None:
        return None
    if _SPAN.fullmatch(text.strip().lower()):
        return now() + timedelta(seconds=_seconds(text))
    try:
        return parse_moment(text)
    except typer.BadParameter:
        raise typer.BadParameter(
            f'{one_line(text, 60)!r} is no date and no time span: write it as 2027-01-31, or as 24h, 90d or 1y'
        ) from None


@app.command('create')
def create(
    name: Annotated[str, typer.Argument(help='What it is for. What is done with it is noted as done by key:NAME.')],
    role: Annotated[
        str, typer.Option('--role', '-r', callback=_role, metavar='ROLE', help=f'{", ".join(ROLES)}.')
    ] = 'reader',
    user: Annotated[str | None, typer.Option('--user', '-u', help='The only user that the key reaches.')] = None,
    expires: Annotated[
        str | None, typer.Option('--expires', metavar='WHEN', help='In so long (90d, 1y), or on a date (2027-01-31).')
    ] = None,
    database: DatabaseOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. It is shown this once: only a hash of it is stored."""
    until = _until(expires)
    with _opened(database, project) as memory:
        made = memory.keys.create(name, role=_as_role(role), user_id=user, expires_at=until)
    _show_new(made, as_json=as_json)


@app.command('list')
def list_(
    everything: Annotated[bool, typer.Option('--all', '-a', help='Also those that have ended.')] = False,
    database: DatabaseOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the keys of a project, latest first."""
    with _opened(database, project) as memory:
        found = memory.keys.list(include_ended=everything)
    if as_json:
        emit([_as_json(key) for key in found])
        return
    if not found:
        note('none' if everything else 'none in force', style='yellow')
        return
    out().print(_table(found))


@app.command('revoke')
def revoke(
    key: KeyId,
    database: DatabaseOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a key, at once here and within two seconds in every server."""
    with _opened(database, project) as memory:
        ended = memory.keys.revoke(_resolve(memory, key))
    if as_json:
        emit(_as_json(ended))
        return
    note(f'revoked: {one_line(ended.name)} (…{ended.hint})', style='green')


@app.command('rotate')
def rotate(
    key: KeyId,
    overlap: Annotated[
        str, typer.Option('--overlap', metavar='SPAN', help='How long the old one stays in force, such as 24h.')
    ] = '0s',
    expires: Annotated[
        str | None,
        typer.Option('--expires', metavar='WHEN', help='Of the new one. Default: as long as the old one was made for.'),
    ] = None,
    database: DatabaseOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key in the place of another one, with its name, role and user. It is shown this once."""
    seconds, until = _seconds(overlap), _until(expires)
    with _opened(database, project) as memory:
        made = memory.keys.rotate(_resolve(memory, key), overlap_seconds=seconds, expires_at=until)
    _show_new(made, as_json=as_json)


@contextmanager
def _opened(database: str | None, project: str | None) -> Generator[Memory]:
    with Target(database=database, project=project).open() as memory:
        yield memory.acting_as(f'cli:{_whoami()}')


def _whoami() -> str:
    try:
        return getuser()
    except (OSError, KeyError, ImportError):  # a container's user without a name
        return 'unknown'


def _as_role(value: str) -> Role:
    return next(role for role in ROLES if role == value)


def _resolve(memory: Memory, given: str) -> str:
    known = memory.keys.list(include_ended=True)
    at = now()
    named = [key.id for key in known if key.name == given and key.in_force(at)]
    if len(named) == 1:
        return named[0]
    if named:  # while a rotated one overlaps with its successor
        raise InvalidInput(
            f'{one_line(given, 60)!r} is the name of {len(named)} keys in force: write the id of the one you '
            f'mean, {" or ".join(named)}'
        )
    lister = 'memoranda keys list --all'
    if any(key.name == given for key in known):
        raise KeyNotFound(f'no key {one_line(given, 60)!r} is in force any more: `{lister}` shows when it ended')
    try:
        return find_id(given, (key.id for key in known), noun='key', lister=lister)
    except InvalidInput as error:
        raise InvalidInput(f'no key in force is called {one_line(given, 60)!r}, and {error}') from None


def _as_json(key: ApiKey) -> dict[str, Any]:
    return {**plain(key), 'in_force': key.in_force(now())}


def _show_new(made: NewKey, *, as_json: bool) -> None:
    if as_json:
        emit({**_as_json(made.key), 'secret': made.secret})
        return
    key = made.key
    whose = '' if key.user_id is None else f', for user {one_line(key.user_id, 60)} only'
    until = '' if key.expires_at is None else f', until {moment(key.expires_at)}'
    note(f'{one_line(key.name)}: {key.role} in project {one_line(key.project, 60)}{whose}{until}')
    note('keep it now, it is shown this once:')
    sys.stdout.write(f'{made.secret}\n')


def _table(keys: list[ApiKey]) -> Table:
    table = Table(box=None, pad_edge=False, header_style='dim')
    for column in ('id', 'name', 'role', 'user', 'key', 'made', 'until', 'last used'):
        table.add_column(column)
    at = now()
    for key in keys:
        state = '' if key.in_force(at) else 'dim'
        if key.revoked_at is not None:
            until = Text(f'revoked {moment(key.revoked_at)}', style='red')
        elif key.expires_at is not None:
            until = Text(moment(key.expires_at), style='' if key.in_force(at) else 'red')
        else:
            until = Text('')
        table.add_row(
            Text(short_id(key.id), style=state),
            Text(one_line(key.name), style=state),
            Text(key.role, style=state),
            Text('' if key.user_id is None else one_line(key.user_id, 60), style=state),
            Text(f'…{key.hint}', style=state),
            Text(moment(key.created_at), style=state),
            until,
            Text('' if key.last_used_at is None else moment(key.last_used_at), style=state),
        )
    return table
