"""Which database and whose memories a command is about: the options that all of them share."""

from __future__ import annotations

import inspect
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer

from memoranda.cli._output import many, out
from memoranda.cli._safe import one_line
from memoranda.errors import InvalidInput, MemoryNotFound

if TYPE_CHECKING:
    from memoranda import Memory
    from memoranda.records import MemoryRecord

__all__ = [
    'JSON_ASKED',
    'DatabaseOption',
    'JsonOption',
    'ProjectOption',
    'Target',
    'every',
    'find_id',
    'resolve',
    'scoped',
]

P = ParamSpec('P')

JSON_ASKED = 'memoranda.json'
_DEFAULT_USER = 'me'
_FULL_ID = re.compile(r'[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}')
_PAGE = 500


def _remember_json(ctx: typer.Context, value: bool) -> bool:
    ctx.meta[JSON_ASKED] = value  # errors are shown the same way
    return value


_SCOPE = 'Scope'
JsonOption = Annotated[bool, typer.Option('--json', help='Print JSON.', callback=_remember_json, is_eager=True)]
DatabaseOption = Annotated[
    str | None,
    typer.Option('--database', '-d', metavar='PATH', help='Default: MEMORANDA_DATABASE, else the user data folder.'),
]
ProjectOption = Annotated[str | None, typer.Option('--project', help='The tenant.', rich_help_panel=_SCOPE)]
UserOption = Annotated[
    str | None,
    typer.Option(
        '--user', '-u', help="Default, when no id is given: MEMORANDA_USER, else 'me'.", rich_help_panel=_SCOPE
    ),
]
AgentOption = Annotated[str | None, typer.Option('--agent', help='Agent id.', rich_help_panel=_SCOPE)]
RunOption = Annotated[str | None, typer.Option('--run', help='Conversation id.', rich_help_panel=_SCOPE)]
AppOption = Annotated[str | None, typer.Option('--app', help='Application id.', rich_help_panel=_SCOPE)]

_SHARED: dict[str, tuple[Any, Any]] = {
    'database': (DatabaseOption, None),
    'project': (ProjectOption, None),
    'user': (UserOption, None),
    'agent': (AgentOption, None),
    'run': (RunOption, None),
    'app': (AppOption, None),
    'as_json': (JsonOption, False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The shared options of a command."""

    database: str | None = None
    project: str | None = None
    user: str | None = None
    agent: str | None = None
    run: str | None = None
    app: str | None = None
    as_json: bool = False

    @property
    def default_user(self) -> str:
        """Whose memories are meant when no id is given."""
        return os.environ.get('MEMORANDA_USER') or _DEFAULT_USER

    @property
    def assumed(self) -> bool:
        """Whether no id was given, so that the default user is meant."""
        return self.user is None and self.agent is None and self.run is None and self.app is None

    @property
    def ids(self) -> dict[str, Any]:
        """The ids, as keyword arguments of the memory's methods."""
        found = {'user_id': self.user, 'agent_id': self.agent, 'run_id': self.run, 'app_id': self.app}
        if self.assumed:
            found['user_id'] = self.default_user
        return {key: value for key, value in found.items() if value is not None}

    @property
    def whose(self) -> str:
        """The ids in words."""
        text = ', '.join(f'{key.removesuffix("_id")} {one_line(value, 60)}' for key, value in self.ids.items())
        if self.assumed:
            text += ' (MEMORANDA_USER)' if os.environ.get('MEMORANDA_USER') else ' (the default; --user names another)'
        return text

    def command(self, words: str) -> str:
        """What to type for a further command on the same memories, so with the options that this one was given."""
        given = (
            ('--project', self.project),
            ('--user', self.user),
            ('--agent', self.agent),
            ('--run', self.run),
            ('--app', self.app),
            ('--database', None if '://' in (self.database or '') else self.database),  # a URL may hold a password
        )
        options = [f'{name} {shlex.quote(one_line(value, 200))}' for name, value in given if value is not None]
        return ' '.join(['memoranda', words, *options])

    def open(self, *, embedder: str | None = None) -> Memory:
        """The memory; use it in a `with` block.

        It leaves jobs to `memoranda worker`: a command that lists something must not begin to ask a model. And it
        raises what goes wrong: an empty answer means that nothing was found.
        """
        from memoranda import Memory
        from memoranda.settings import Settings

        settings = Settings(workers=0, errors='raise')
        return Memory(self.database, project=self.project, embedder=embedder, settings=settings)

    def introduce(self, what: str) -> None:
        """Say whose memories follow."""
        if not self.as_json:
            out(stderr=True).print(f'{what} {self.whose}', style='dim')


def scoped(function: Callable[Concatenate[Target, P], None]) -> Callable[..., None]:
    """Give a command the shared options and hand them over as its first argument."""

    def command(**options: Any) -> None:
        target = Target(**{name: options.pop(name) for name in _SHARED})
        function(target, **options)  # pyright: ignore[reportCallIssue]

    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for name, (kind, default) in _SHARED.items()
    ]
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + shared
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    command.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def every(memory: Memory, ids: dict[str, Any], *, include_inactive: bool = False) -> Iterator[MemoryRecord]:
    """All memories of a scope, oldest first, read page by page."""
    cursor: str | None = None
    while True:
        page = memory.get_all(**ids, limit=_PAGE, cursor=cursor, include_inactive=include_inactive)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return


def resolve(memory: Memory, given: str, ids: dict[str, Any]) -> str:
    """The full id of a memory for an id or for its beginning or end, within the scope.

    Raises:
        InvalidInput: It is too short, or several memories fit.
        MemoryNotFound: None fits.
    """
    wanted = given.strip().strip('[]…').lower().removeprefix('m:')  # as context blocks cite it
    records = every(memory, ids, include_inactive=True)
    return find_id(wanted, (record.id for record in records), noun='memory', lister='memoranda list')


def find_id(given: str, known: Iterable[str], *, noun: str, lister: str) -> str:
    """The full id for an id or for its beginning or end.

    Args:
        given: What was typed. An id in full is returned as it is.
        known: The ids it may be, read only if they are needed.
        noun: What they are ids of; it adds an s, or ies for a y.
        lister: The command that shows them.

    Raises:
        InvalidInput: It is too short, or several fit.
        MemoryNotFound: None fits.
    """
    wanted = given.strip().lower()
    if _FULL_ID.fullmatch(wanted):
        return wanted
    bare = wanted.replace('-', '')
    if len(bare) < 4 or not re.fullmatch(r'[0-9a-f]+', bare):
        raise InvalidInput(
            f'{one_line(given, 60)!r} is no {noun} id, nor a part of one (4 or more of 0-9 and a-f): `{lister}` shows '
            'the ids'
        )
    found: list[str] = []
    for one in known:
        candidate = one.replace('-', '')
        if (candidate.endswith(bare) or candidate.startswith(bare)) and one not in found:
            found.append(one)
    if not found:
        raise MemoryNotFound(f'no {noun} {one_line(given, 60)!r} in this scope: `{lister}` shows the ids')
    if len(found) > 1:
        raise InvalidInput(
            f'{one_line(given, 60)!r} fits {many(len(found), noun)}: write one of {", ".join(found[:5])} in full'
        )
    return found[0]
