"""`memoranda console`: the memory of this machine in a browser."""

from __future__ import annotations

import getpass
import re
import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from memoranda.cli._logs import logging_shown
from memoranda.cli._output import note, out
from memoranda.cli._target import DatabaseOption, ProjectOption
from memoranda.errors import ConfigurationError

__all__ = ['console']


def console(
    database: DatabaseOption = None,
    project: ProjectOption = None,
    port: Annotated[int, typer.Option('--port', '-p', min=0, max=65_535, help='0: a free one.')] = 0,
    workers: Annotated[
        int, typer.Option('--workers', '-w', min=0, max=1000, help='Jobs of the background done at once here.')
    ] = 0,
    no_browser: Annotated[bool, typer.Option('--no-browser', help='Only show the address.')] = False,
    verbose: Annotated[bool, typer.Option('--verbose', '-v', help='Also tell of each request.')] = False,
) -> None:
    """See, correct, approve and erase what is remembered, in a browser, until Ctrl-C (docs/console.md).

    Only this machine can reach it. The address holds a token that works once, within two minutes.
    """
    needed = ('fastapi', 'uvicorn', 'jinja2', 'python_multipart')
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"the console needs a package that is not installed ({missing[0]}): pip install 'memoranda[console]'"
        )
    from memoranda import AsyncMemory
    from memoranda.keys import make_key
    from memoranda.server.console.sessions import Local
    from memoranda.server.running import serve
    from memoranda.settings import Settings

    settings = Settings(workers=workers, errors='raise', server_metrics='off')
    memory = AsyncMemory(database, project=project, settings=settings)
    login = _login()

    def show(address: str) -> None:
        out().print(f'console: {address}', soft_wrap=True)
        sys.stdout.flush()
        if not no_browser:
            _open(address)

    local = Local(
        key=make_key(memory.project, name=login, role='admin', created_by='memoranda console'),
        actor=f'console:{login}',
        show=show,
    )
    with logging_shown(verbose=verbose):
        status = serve(memory, host='127.0.0.1', port=port, local=local)
    if status:
        raise typer.Exit(status)


def _login() -> str:
    """Who sits here, as a name of a key."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # an id without a name, in a container
        name = ''
    return re.sub(r'[^\w.@-]', '', name).strip('.@-')[:60] or 'somebody'


def _open(address: str) -> None:
    import webbrowser

    try:
        opened = webbrowser.open(address)
    except webbrowser.Error:
        opened = False
    if not opened:
        note('no browser could be opened: open the address yourself')
