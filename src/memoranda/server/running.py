"""Running the app: the socket, signals, and what must be so before others may reach it."""

from __future__ import annotations

import ipaddress
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from memoranda._bridge import run
from memoranda.errors import ConfigurationError
from memoranda.keys import NewKey, make_key
from memoranda.server.shield import LOOPBACK_HOSTS
from memoranda.server.surfaces import PARTS

if TYPE_CHECKING:
    from types import ModuleType

    from memoranda.memory import AsyncMemory
    from memoranda.server.console.sessions import Local
    from memoranda.settings import Settings

__all__ = ['serve']

log = logging.getLogger('memoranda.server')

_BACKLOG: Final = 2048
_MOST_FILES: Final = 65_536
_GRACE_SECONDS: Final = 1.0
"""What requests get at least to be finished after a signal."""


def serve(
    memory: AsyncMemory,
    *,
    settings: Settings | None = None,
    keys: Sequence[NewKey] = (),
    host: str | None = None,
    port: int | None = None,
    say: Callable[[str], None] | None = None,
    show_key: Callable[[NewKey], None] | None = None,
    parts: Sequence[str | ModuleType] = PARTS,
    local: Local | None = None,
) -> int:
    """Serve until SIGTERM or Ctrl-C, then finish what is under way. To be called in the main thread.

    Args:
        memory: What is served. It is opened here, and closed at the end.
        settings: By default those of the memory.
        keys: Keys of this process only.
        host: By default the setting.
        port: By default the setting; 0 takes a free one.
        say: Told `listening on http://...` once requests are answered; by default standard output.
        show_key: Told the key that is made when there is none and only this machine can ask; by default it goes to
            standard error.
        parts: See `create_app`.
        local: Who may open the console by a link that works once; no other address is told then.

    Returns:
        The exit status.

    Raises:
        ConfigurationError: Others could reach it, and there is no key, or no TLS; or the address can't be had.
    """
    from memoranda.server.app import create_app
    from memoranda.server.telemetry import prometheus

    settings = settings or memory.engine.settings
    host = settings.server_host if host is None else host
    port = settings.server_port if port is None else port
    loopback = _is_loopback(host)
    _check_tls(settings, host, local=loopback)
    made = [] if local is not None else _process_key(memory, settings, host, keys, local=loopback)
    _allow_connections()
    with _listen(host, port) as listening:
        app = create_app(
            memory,
            settings=settings,
            keys=[*keys, *made],
            metrics=None if settings.server_metrics == 'off' else prometheus(),
            hosts=LOOPBACK_HOSTS if loopback else (),
            parts=parts,
            local=local,
        )
        for key in made:
            (show_key or _show)(key)
        scheme = 'https' if settings.server_tls_certificate else 'http'
        address = f'{scheme}://{_shown(host)}:{listening.getsockname()[1]}'

        def told() -> None:
            if local is None:
                (say or _say)(f'listening on {address}')
            else:
                local.show(address + app.state.sessions.once)

        server = _server(app, settings, told)
        with _quiet_signals():
            server.run(sockets=[listening])
    return 0 if server.started else 1


def _server(app: Any, settings: Settings, told: Callable[[], None]) -> Any:
    import uvicorn

    from memoranda.server.protocol import patient_protocol

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            if self.started:
                told()

    return Server(
        uvicorn.Config(
            app,
            http=patient_protocol(
                settings.server_header_seconds, settings.server_body_seconds, settings.server_max_body_kb * 1024
            ),
            ws='none',
            lifespan='on',
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.server_behind_tls_proxy),
            forwarded_allow_ips=settings.server_behind_tls_proxy or '',
            timeout_keep_alive=settings.server_idle_seconds,
            timeout_graceful_shutdown=int(max(settings.drain_seconds, _GRACE_SECONDS)),
            ssl_certfile=settings.server_tls_certificate or None,
            ssl_keyfile=settings.server_tls_key or None,
            backlog=_BACKLOG,
        )
    )


def _check_tls(settings: Settings, host: str, *, local: bool) -> None:
    if bool(settings.server_tls_certificate) != bool(settings.server_tls_key):
        raise ConfigurationError(
            'server_tls_certificate and server_tls_key belong together, and one of them is missing: give both files'
        )
    if settings.server_tls_certificate:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
                settings.server_tls_certificate, settings.server_tls_key
            )
        except OSError as error:  # SSLError too
            raise ConfigurationError(
                f'server_tls_certificate={settings.server_tls_certificate!r} and its key can not be used '
                f'({error.strerror or type(error).__name__}): give the PEM files of a certificate and of its key'
            ) from error
    if local or settings.server_tls_certificate or settings.server_behind_tls_proxy:
        return
    raise ConfigurationError(
        f'server_host={host!r} can be reached by others, and keys would cross the network in the clear: give '
        '--tls-certificate and --tls-key, or name the proxy that ends TLS with --behind-tls-proxy ADDRESSES, or listen '
        'on 127.0.0.1'
    )


def _process_key(
    memory: AsyncMemory, settings: Settings, host: str, keys: Sequence[NewKey], *, local: bool
) -> list[NewKey]:
    """A key for this process, where there is none and only this machine can ask."""
    if keys or run(memory.keys.any_in_force()):
        return []
    if not local:
        raise ConfigurationError(
            f'server_host={host!r} can be reached by others, and there is no API key in force: make one with '
            '`memoranda keys create NAME --role admin`, or listen on 127.0.0.1'
        )
    return [make_key(settings.project, name='process', role='admin', created_by='memoranda serve')]


def _is_loopback(host: str) -> bool:
    if host == 'localhost':
        return True
    try:
        return ipaddress.ip_address(host.strip('[]').partition('%')[0]).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    host = host.strip('[]')
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(_BACKLOG)
        except BaseException:
            listening.close()
            raise
    except OSError as error:
        raise ConfigurationError(
            f'server_host={host!r}, server_port={port} can not be listened on ({error.strerror}): name an address of '
            'this machine and a free port'
        ) from error
    return listening


def _allow_connections() -> None:
    """As many open connections as the system lets this process have; the usual 1,024 are gone soon."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _shown(host: str) -> str:
    bare = host.strip('[]')
    return f'[{bare}]' if ':' in bare else bare


@contextmanager
def _quiet_signals() -> Generator[None]:
    """Uvicorn raises the signal that ended it once more when it is done: here that is no error."""
    before: dict[signal.Signals, Any] = {}
    with suppress(ValueError):  # not the main thread
        for name in (signal.SIGINT, signal.SIGTERM):
            before[name] = signal.signal(name, _ignore)
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _ignore(*_: object) -> None:
    return None


def _say(text: str) -> None:
    sys.stdout.write(f'{text}\n')
    sys.stdout.flush()


def _show(key: NewKey) -> None:
    sys.stderr.write(f'API key of this process, role admin: {key.secret}\n')
    sys.stderr.flush()
