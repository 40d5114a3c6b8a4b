"""`memoranda mcp --config`: what clients are to be told, against the formats they document."""

from __future__ import annotations

import json
import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from memoranda.cli._app import app

if not all(find_spec(name) for name in ('jsonschema', 'mcp')):
    pytest.skip('goes without extras', allow_module_level=True)

import jsonschema

from memoranda.mcp import Principal

TEXTS = {'type': 'object', 'additionalProperties': {'type': 'string'}}
LOCAL = {
    'type': 'object',
    'required': ['command'],
    'additionalProperties': False,
    'properties': {
        'type': {'const': 'stdio'},
        'command': {'type': 'string', 'minLength': 1},
        'args': {'type': 'array', 'items': {'type': 'string'}},
        'env': TEXTS,
        'envFile': {'type': 'string'},
    },
}
REMOTE = {
    'type': 'object',
    'required': ['url'],
    'additionalProperties': False,
    'properties': {
        'type': {'enum': ['http', 'sse']},
        'url': {'type': 'string', 'pattern': '^https?://'},
        'headers': TEXTS,
    },
}


def servers(key: str, **further: Any) -> dict[str, Any]:
    entry = {'oneOf': [{**LOCAL, **further}, {**REMOTE, **further}]}
    return {
        'type': 'object',
        'required': [key],
        'additionalProperties': False,
        'properties': {
            key: {'type': 'object', 'minProperties': 1, 'additionalProperties': entry},
            'inputs': {'type': 'array'},
        },
    }


FORMATS = {
    # code.visualstudio.com/docs/copilot/reference/mcp-configuration: `servers`, and each needs its type
    'vscode': {
        **servers('servers'),
        'allOf': [
            {'properties': {'servers': {'additionalProperties': {'required': ['type']}}}},
        ],
    },
    # docs.cursor.com/context/mcp: `mcpServers`; the transport follows from command or url
    'cursor': servers('mcpServers'),
    # code.claude.com/docs/en/mcp: `mcpServers`; type http has to be said
    'claude-code': servers('mcpServers'),
    # modelcontextprotocol.io/quickstart/user: processes only
    'claude-desktop': {
        **servers('mcpServers'),
        'allOf': [
            {'properties': {'mcpServers': {'additionalProperties': {'required': ['command', 'args']}}}},
        ],
    },
}


def printed(*arguments: str) -> Result:
    return CliRunner().invoke(app, ['mcp', *arguments])


def entry_of(client: str, *arguments: str) -> dict[str, Any]:
    """The one entry of a configuration, which has to be of the client's format."""
    result = printed('--config', client, *arguments)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    jsonschema.validate(document, FORMATS[client])
    (entry,) = next(iter(document.values())).values()
    return entry


@pytest.mark.parametrize('client', FORMATS)
def test_a_configuration_starts_this_very_installation(client: str, tmp_path: Path) -> None:
    entry = entry_of(client, '--database', str(tmp_path / 'a b.db'), '--user', 'ana', '--agent', 'coder', '--read-only')
    assert os.path.isabs(entry['command'])
    assert shutil.which(entry['command'])
    arguments = entry['args'][entry['args'].index('mcp') + 1 :]
    assert arguments == [
        *('--database', str(tmp_path / 'a b.db')),
        *('--project', 'default', '--user', 'ana', '--agent', 'coder', '--read-only'),
    ]


@pytest.mark.parametrize('client', FORMATS)
def test_a_configuration_for_a_server_holds_no_key(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MEMORANDA_API_KEY', 'memoranda_verysecret')
    result = printed('--config', client, '--url', 'https://memory.example')
    assert 'verysecret' not in result.output
    entry = entry_of(client, '--url', 'https://memory.example')
    variable = {'claude-code': '${MEMORANDA_API_KEY}', 'claude-desktop': 'YOUR_MEMORANDA_API_KEY'}
    secret = variable.get(client, '${env:MEMORANDA_API_KEY}')
    if client == 'claude-desktop':
        assert entry['args'][:3] == ['-y', 'mcp-remote', 'https://memory.example/mcp']
        assert entry['env'] == {'AUTHORIZATION': f'Bearer {secret}'}
    else:
        assert (entry['url'], entry['headers']) == (
            'https://memory.example/mcp',
            {'Authorization': f'Bearer {secret}'},
        )


@pytest.mark.parametrize('client', FORMATS)
def test_a_configuration_warns_of_clear_text_over_a_network(client: str) -> None:
    warned = printed('--config', client, '--url', 'http://memory.example').stderr
    assert 'sends the key, and what is remembered, in clear text' in ' '.join(warned.split())
    assert 'clear text' not in printed('--config', client, '--url', 'http://127.0.0.1:8080').stderr


@pytest.mark.parametrize('client', FORMATS)
def test_a_password_of_a_database_is_not_printed(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MEMORANDA_DATABASE', 'postgresql://app:hunter2@db.example/app')
    result = printed('--config', client)
    assert 'hunter2' not in result.output
    entry = entry_of(client)
    assert '--database' not in entry['args']
    assert 'MEMORANDA_DATABASE' in entry['env']
    assert 'MEMORANDA_DATABASE' in result.stderr


def test_the_settings_file_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / 'settings.toml'
    file.write_text('project = "acme"\n')
    monkeypatch.setenv('MEMORANDA_CONFIG', str(file))
    entry = entry_of('cursor')
    assert entry['env'] == {'MEMORANDA_CONFIG': str(file)}
    assert entry['args'][entry['args'].index('--project') + 1] == 'acme'


@pytest.mark.parametrize(
    ('arguments', 'reason'),
    [
        (['--config', 'emacs'], 'claude-desktop, claude-code, cursor, vscode'),
        (['--config', 'cursor', '--url', 'ftp://host'], 'no address of a server'),
        (['--config', 'cursor', '--url', 'https://me:hunter2@host/mcp'], 'no address of a server'),
        (['--url', 'https://host/mcp'], '--url is for --config'),
        (['--any-user', '--user', 'ana'], 'leave out'),
        (['--trust', 'user'], 'use one of tool, assistant'),
        (['--user', '*'], "'*'"),
    ],
)
def test_what_can_not_be_used_is_named(arguments: list[str], reason: str, tmp_path: Path) -> None:
    result = printed(*arguments, *(['--database', str(tmp_path / 'm.db')] if '--config' not in arguments else []))
    assert result.exit_code != 0
    told = ' '.join(result.output.replace('│', ' ').split())
    assert reason in told
    assert 'hunter2' not in told


@pytest.mark.parametrize(
    ('arguments', 'environment', 'ids'),
    [
        ([], {}, {'user_id': 'me'}),
        ([], {'MEMORANDA_USER': 'ana'}, {'user_id': 'ana'}),
        ([], {'MEMORANDA_USER': 'ana', 'MEMORANDA_AGENT': 'bot'}, {'user_id': 'ana', 'agent_id': 'bot'}),
        (['--user', 'ben'], {'MEMORANDA_USER': 'ana'}, {'user_id': 'ben'}),
        (['--agent', 'bot'], {}, {'agent_id': 'bot'}),
        (['--any-user'], {'MEMORANDA_USER': 'ana'}, None),
    ],
)
def test_whose_it_is_comes_from_options_and_the_environment(
    arguments: list[str],
    environment: dict[str, str],
    ids: dict[str, str] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served: list[Principal] = []
    monkeypatch.setattr('memoranda.mcp.serve_stdio', served.append)
    for name, value in {**environment, 'MEMORANDA_API_KEY': 'of a server, and no setting'}.items():
        monkeypatch.setenv(name, value)
    result = printed('--database', str(tmp_path / 'm.db'), '--project', 'acme', *arguments)
    assert result.exit_code == 0, result.output
    (principal,) = served
    assert (principal.fixed, principal.memory.project, principal.memory.actor) == (ids, 'acme', 'mcp')
    assert (principal.role, principal.trust, principal.asks) == ('writer', 'tool', True)


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'mcp', None)
    result = printed('--database', str(tmp_path / 'm.db'))
    assert result.exit_code == 1
    assert "pip install 'memoranda[mcp]'" in ' '.join(result.output.split())
    assert printed('--config', 'cursor').exit_code == 0


def test_options_choose_what_a_model_may_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Principal] = []
    monkeypatch.setattr('memoranda.mcp.serve_stdio', served.append)
    printed('--database', str(tmp_path / 'm.db'), '--read-only', '--trust', 'assistant', '--no-ask')
    assert (served[0].role, served[0].trust, served[0].asks) == ('reader', 'assistant', False)
