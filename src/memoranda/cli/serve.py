"""`memoranda serve`: the memory over HTTP."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memoranda.cli._logs import logging_shown
from memoranda.cli._output import note, out
from memoranda.cli._target import DatabaseOption
from memoranda.errors import ConfigurationError

if TYPE_CHECKING:
    from memoranda.keys import NewKey

__all__ = ['serve']


def serve(
    database: DatabaseOption = None,
    host: Annotated[
        str | None,
        typer.Option('--host', help='Address to listen on. Default: MEMORANDA_SERVER_HOST, else 127.0.0.1.'),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            '--port', '-p', min=0, max=65_535, help='Default: MEMORANDA_SERVER_PORT, else 8080. 0: a free one.'
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            '--workers',
            '-w',
            min=0,
            max=1000,
            help='Jobs of the background done at once here. Default: MEMORANDA_WORKERS, else 8.',
        ),
    ] = None,
    no_workers: Annotated[bool, typer.Option('--no-workers', help='Leave all jobs to `memoranda worker`.')] = False,
    behind_tls_proxy: Annotated[
        str | None,
        typer.Option(
            '--behind-tls-proxy',
            metavar='ADDRESSES',
            help='Proxies that end TLS, such as 10.0.0.0/8: they are believed who asks.',
        ),
    ] = None,
    tls_certificate: Annotated[Path | None, typer.Option('--tls-certificate', metavar='FILE', help='PEM.')] = None,
    tls_key: Annotated[Path | None, typer.Option('--tls-key', metavar='FILE', help='PEM.')] = None,
    drain_seconds: Annotated[
        float | None,
        typer.Option(
            '--drain-seconds',
            min=0,
            max=86_400,
            metavar='SECONDS',
            help='How long to finish requests, then jobs, after a signal. Default: MEMORANDA_DRAIN_SECONDS, else 10.',
        ),
    ] = None,
    verbose: Annotated[bool, typer.Option('--verbose', '-v', help='Also tell of each request.')] = False,
) -> None:
    """Serve the memory over HTTP until SIGTERM or Ctrl-C: the native API, that of Mem0, and MCP (docs/server.md).

    All projects of the database are served; a key says which one is meant. Without any key, and reachable from this
    machine only, a key for this process is made and shown.
    """
    missing = [name for name in ('fastapi', 'uvicorn') if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"the server needs a package that is not installed ({missing[0]}): pip install 'memoranda[server]'"
        )
    from memoranda import AsyncMemory
    from memoranda.server.running import serve as run_server
    from memoranda.settings import Settings

    given: dict[str, Any] = {
        'server_host': host,
        'server_port': port,
        'workers': 0 if no_workers else workers,
        'server_behind_tls_proxy': behind_tls_proxy,
        'server_tls_certificate': None if tls_certificate is None else str(tls_certificate),
        'server_tls_key': None if tls_key is None else str(tls_key),
        'drain_seconds': drain_seconds,
        # Whoever asks over HTTP is told what fails.
        'errors': 'raise',
    }
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    memory = AsyncMemory(database, settings=settings)
    with logging_shown(verbose=verbose):
        status = run_server(memory, say=_say, show_key=_show)
    if status:
        raise typer.Exit(status)


def _say(text: str) -> None:
    out().print(text, soft_wrap=True)
    sys.stdout.flush()


def _show(key: NewKey) -> None:
    note('no API key is stored: this one is for this process, shown once, and may do everything in its project')
    sys.stderr.write(f'{key.secret}\n')
    sys.stderr.flush()
