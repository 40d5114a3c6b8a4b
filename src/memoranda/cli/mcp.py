"""`memoranda mcp`: the memory for a client that speaks the Model Context Protocol."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memoranda.cli._output import emit, note
from memoranda.cli._target import DatabaseOption, ProjectOption, UserOption

if TYPE_CHECKING:
    from memoranda.records import Trust

__all__ = ['mcp']

_AGENT = 'MEMORANDA_AGENT'
_TRUSTS: tuple[Trust, ...] = ('tool', 'assistant')


def mcp(
    database: DatabaseOption = None,
    project: ProjectOption = None,
    user: UserOption = None,
    agent: Annotated[
        str | None, typer.Option('--agent', help='Agent id. Default: MEMORANDA_AGENT.', rich_help_panel='Scope')
    ] = None,
    any_user: Annotated[
        bool,
        typer.Option(
            '--any-user',
            help='Every call names whose memories it means, anybody in the project.',
            rich_help_panel='Scope',
        ),
    ] = False,
    read_only: Annotated[bool, typer.Option('--read-only', help='Offer only tools that read.')] = False,
    trust: Annotated[
        str,
        typer.Option(
            '--trust',
            metavar='TIER',
            help='Whose word a note counts as: tool (it waits until a person approves it), or assistant (it is '
            'believed: for models that read nothing from elsewhere).',
        ),
    ] = 'tool',
    ask: Annotated[
        bool,
        typer.Option('--ask/--no-ask', help='Let the client ask its user to approve what would wait, if it can.'),
    ] = True,
    config: Annotated[
        str | None,
        typer.Option(
            '--config',
            metavar='CLIENT',
            help='Print the configuration for claude-desktop, claude-code, cursor or vscode, and end.',
        ),
    ] = None,
    url: Annotated[
        str | None, typer.Option('--url', help='With --config: of a server (memoranda serve), instead of a process.')
    ] = None,
) -> None:
    """Serve the memory over the Model Context Protocol, on standard input and output.

    Clients such as Claude Desktop, Claude Code, Cursor and VS Code start it; --config prints what they need to know.
    """
    if trust not in _TRUSTS:
        raise typer.BadParameter(f'{trust!r} is no tier that a note can have: use one of {", ".join(_TRUSTS)}')
    if any_user and (user is not None or agent is not None):
        raise typer.BadParameter('--any-user lets every call name its ids: leave out --user and --agent')
    if url is not None and config is None:
        raise typer.BadParameter('--url is for --config: memoranda mcp --config cursor --url http://127.0.0.1:8080/mcp')
    fixed = None if any_user else _ids(user, agent)
    if config is not None:
        extra = (*(['--read-only'] if read_only else []), *(['--trust', trust] if trust != 'tool' else []))
        _print(config, database, project, fixed, (*extra, *([] if ask else ['--no-ask'])), url)
        return
    _serve(
        database, project, fixed, read_only=read_only, trust='assistant' if trust == 'assistant' else 'tool', ask=ask
    )


def _ids(user: str | None, agent: str | None) -> dict[str, str]:
    user = user or None
    agent = agent or os.environ.get(_AGENT) or None
    if user is None and (agent is None or os.environ.get('MEMORANDA_USER')):
        user = os.environ.get('MEMORANDA_USER') or 'me'
    found = {'user_id': user, 'agent_id': agent}
    return {name: value for name, value in found.items() if value is not None}


def _serve(
    database: str | None, project: str | None, fixed: dict[str, str] | None, *, read_only: bool, trust: Trust, ask: bool
) -> None:
    from memoranda import AsyncMemory, Scope
    from memoranda.mcp import Principal, serve_stdio
    from memoranda.settings import Settings

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format='%(levelname)s %(name)s: %(message)s')
    if fixed is not None:
        Scope(**fixed)  # says now what is wrong with an id
    # Jobs are for `memoranda worker`: an editor must not begin to ask a model about what others have said.
    memory = AsyncMemory(database, project=project, settings=Settings(workers=0))
    if sys.stdin.isatty():
        note(f'Waiting for a client to speak MCP, about {memory.location}. A client starts this itself: see --config.')
    serve_stdio(
        Principal(
            memory=memory.acting_as('mcp'),
            role='reader' if read_only else 'writer',
            fixed=fixed,
            trust=trust,
            asks=ask,
            local=True,
        )
    )


def _print(
    client: str,
    database: str | None,
    project: str | None,
    fixed: dict[str, str] | None,
    options: tuple[str, ...],
    url: str | None,
) -> None:
    from memoranda.mcp.configuration import configuration
    from memoranda.settings import CONFIG_FILE, CONFIG_VARIABLE, Settings, resolve_database

    arguments: list[str] = []
    environment: dict[str, str] = {}
    secrets: list[str] = []
    if url is None:
        settings = Settings()
        file = Path(os.environ.get(CONFIG_VARIABLE) or CONFIG_FILE)
        if file.exists():  # the client starts it somewhere else
            environment[CONFIG_VARIABLE] = str(file.absolute())
        target = resolve_database(database, settings)
        if target.kind == 'sqlite':
            arguments += ['--database', str(target.path)]
        else:
            secrets.append('MEMORANDA_DATABASE')
        arguments += ['--project', project or settings.project]
        arguments += ['--any-user'] if fixed is None else []
        for name, value in (fixed or {}).items():
            arguments += [f'--{name.removesuffix("_id")}', value]
        arguments += options
    found = configuration(client, arguments=arguments, environment=environment, secrets=secrets, url=url)
    emit(found.document)
    note(f'File: {found.file}')
    for told in found.notes:
        note(f'Note: {told}')
