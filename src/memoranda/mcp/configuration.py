"""What a client's configuration has to say to use the memory, in the formats that the clients document."""

from __future__ import annotations

import ipaddress
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from memoranda.errors import ConfigurationError, shown

__all__ = ['CLIENTS', 'KEY_VARIABLE', 'ClientName', 'Configuration', 'configuration', 'own_command']

ClientName: TypeAlias = Literal['claude-desktop', 'claude-code', 'cursor', 'vscode']
CLIENTS: Final[tuple[ClientName, ...]] = get_args(ClientName)
KEY_VARIABLE: Final = 'MEMORANDA_API_KEY'
"""The environment variable that a client reads the key of a server from, so that it stands in no file."""
_NAME: Final = 'memoranda'
_FILES: Final[Mapping[ClientName, str]] = {
    'claude-desktop': 'claude_desktop_config.json (Settings, Developer, Edit Config); then start Claude Desktop anew',
    'claude-code': ".mcp.json in the project; or for all projects: claude mcp add-json --scope user memoranda '{...}' "
    'with what stands behind "memoranda":',
    'cursor': '~/.cursor/mcp.json, or .cursor/mcp.json in the project',
    'vscode': '.vscode/mcp.json in the workspace, or the file that "MCP: Open User Configuration" opens',
}
_VARIABLE: Final[Mapping[ClientName, str]] = {
    'claude-code': '${%s}',
    'cursor': '${env:%s}',
    'vscode': '${env:%s}',
}
"""How a client names an environment variable of its own. Claude Desktop has no way to."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What to write where."""

    document: Mapping[str, Any]
    """The whole file; one that is there already gets the entry `memoranda` of it."""
    file: str
    notes: Sequence[str] = field(default_factory=list[str])
    """What else is to do."""


def own_command() -> list[str]:
    """How this very installation is started, by an absolute path: clients don't have the PATH of a shell."""
    name = 'memoranda.exe' if sys.platform == 'win32' else 'memoranda'
    beside = Path(sys.executable).with_name(name)
    if beside.is_file():
        return [str(beside)]
    found = shutil.which('memoranda')
    return [str(Path(found).absolute())] if found else [sys.executable, '-m', 'memoranda']


def configuration(
    client: str,
    *,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] = MappingProxyType({}),
    secrets: Sequence[str] = (),
    url: str | None = None,
) -> Configuration:
    """The configuration of a client.

    Args:
        client: One of `CLIENTS`.
        arguments: Of `memoranda mcp`.
        environment: Variables that it needs.
        secrets: Further ones whose values are not to stand in a file.
        url: Of a server, instead of a process of its own.

    Raises:
        ConfigurationError: There is no such client, or the URL can't be used.
    """
    if client not in CLIENTS:
        raise ConfigurationError(f'config={shown(client)} is no client that is known: use one of {", ".join(CLIENTS)}')
    notes: list[str] = []
    if url is not None:
        entry = _remote(client, _checked(url), notes)
    else:
        entry = _local(client, arguments, environment, secrets, notes)
    top = 'servers' if client == 'vscode' else 'mcpServers'
    return Configuration({top: {_NAME: entry}}, _FILES[client], notes)


def _local(
    client: ClientName,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    secrets: Sequence[str],
    notes: list[str],
) -> dict[str, Any]:
    command, *before = own_command()
    entry: dict[str, Any] = {} if client == 'claude-desktop' else {'type': 'stdio'}
    entry |= {'command': command, 'args': [*before, 'mcp', *arguments]}
    if environment or secrets:
        entry['env'] = {**environment, **{name: _variable(client, name) for name in secrets}}
    if secrets:
        told = 'write its value into the file yourself' if client not in _VARIABLE else 'set it where the client starts'
        notes += [f'{name} holds a password and is not printed: {told}' for name in secrets]
    return entry


def _remote(client: ClientName, url: str, notes: list[str]) -> dict[str, Any]:
    if client == 'claude-desktop':
        _warn_of_clear_text(url, notes)
        notes.append(
            'Claude Desktop starts processes only: mcp-remote (npm, needs Node.js) speaks to the server for it; write '
            'the key into the file yourself'
        )
        plain = [] if url.startswith('https:') else ['--allow-http']
        return {
            'command': 'npx',
            'args': ['-y', 'mcp-remote', url, *plain, '--header', 'Authorization:${AUTHORIZATION}'],
            'env': {'AUTHORIZATION': f'Bearer {_variable(client, KEY_VARIABLE)}'},
        }
    _warn_of_clear_text(url, notes)
    notes.append(
        f'the key is read from {KEY_VARIABLE}: set it where the client starts (memoranda keys create makes one)'
    )
    entry: dict[str, Any] = {} if client == 'cursor' else {'type': 'http'}
    return {**entry, 'url': url, 'headers': {'Authorization': f'Bearer {_variable(client, KEY_VARIABLE)}'}}


def _warn_of_clear_text(url: str, notes: list[str]) -> None:
    parts = urlsplit(url)
    if parts.scheme == 'http' and not _is_this_machine(parts.hostname or ''):
        notes.append(
            f'http:// to {parts.hostname} sends the key, and what is remembered, in clear text: use https://, unless '
            'the network itself is private'
        )


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost' or host.endswith('.localhost')


def _variable(client: ClientName, name: str) -> str:
    return _VARIABLE[client] % name if client in _VARIABLE else f'YOUR_{name}'


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host, parts = None, None
    if parts is None or parts.scheme not in ('http', 'https') or not host or parts.username is not None:
        raise ConfigurationError(
            f'url={shown(url if parts is None or parts.username is None else "...")} is no address of a server: write '
            'http://127.0.0.1:8080/mcp or https://host/mcp, without a user or password'
        )
    return url if parts.path.strip('/') else f'{url.rstrip("/")}/mcp'
