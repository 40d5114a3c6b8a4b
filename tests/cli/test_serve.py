"""`memoranda serve`, most of it as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from _fakes import fast, subprocess_environment
from memoranda.keys import well_formed

if TYPE_CHECKING:
    from conftest import Cli

if not all(find_spec(name) for name in ('fastapi', 'httpx', 'uvicorn')):
    pytest.skip('goes without extras', allow_module_level=True)

import httpx

posix = pytest.mark.skipif(os.name != 'posix', reason='signals are POSIX ones')
SECONDS = 90

# The command as it is, but for an embedder that needs no loading.
PROCESS = """
    import memoranda.embedders
    from memoranda.testing import HashingEmbedder

    memoranda.embedders.resolve_embedder = lambda given: HashingEmbedder()

    from memoranda.cli import main
    main()
"""


@dataclass
class Running:
    process: subprocess.Popen[str]
    url: str
    said: list[str]

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS)


@contextmanager
def running(database: Path, *arguments: str) -> Iterator[Running]:
    started = subprocess.Popen(
        [sys.executable, '-c', textwrap.dedent(PROCESS), 'serve', '--port', '0', '-d', str(database), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**subprocess_environment(), 'COLUMNS': '250'},
        cwd=database.parent,
    )
    said: list[str] = []
    assert started.stdout is not None
    assert started.stderr is not None
    listening = threading.Event()
    url = ['']

    def read_out() -> None:
        for line in started.stdout or ():
            if line.startswith('listening on '):
                url[0] = line.split()[-1]
                listening.set()
        listening.set()

    def read_err() -> None:
        said.extend(started.stderr or ())

    readers = [threading.Thread(target=target, daemon=True) for target in (read_out, read_err)]
    for reader in readers:
        reader.start()
    try:
        assert listening.wait(SECONDS)
        assert url[0], said
        yield Running(started, url[0], said)
    finally:
        with suppress(ProcessLookupError):
            started.kill()
        started.wait()
        for reader in readers:
            reader.join(10)
        started.stdout.close()
        started.stderr.close()


@posix
def test_prompts_and_facts_follow_the_rules_of_the_settings_for_sources(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('MEMORANDA_WRITE', 'tool=auto')
    (database.parent / 'memoranda.toml').write_text('read = { tool = "exclude" }')
    with running(database) as server:
        (secret,) = [line.strip() for line in server.said if well_formed(line.strip())]
        with httpx.Client(base_url=server.url, headers={'Authorization': f'Bearer {secret}'}, timeout=SECONDS) as http:
            assert http.get('/v1/me').json()['read']['tool'] == 'exclude'
            body = {'messages': 'Lives in Porto', 'infer': False, 'trust': 'tool', 'user_id': 'ana'}
            assert http.post('/v1/memories', json=body).json()['changes']
            asked = {'query': 'Where does Ana live?', 'user_id': 'ana'}
            assert 'Porto' not in http.post('/v1/context', json=asked).json()['text']


@posix
def test_without_keys_it_makes_one_for_itself_and_ends_in_order(database: Path) -> None:
    with running(database) as server:
        assert server.url.startswith('http://127.0.0.1:')
        (secret,) = [line.strip() for line in server.said if well_formed(line.strip())]
        headers = {'Authorization': f'Bearer {secret}'}
        assert httpx.get(f'{server.url}/metrics', headers=headers).status_code == 200
        assert httpx.get(f'{server.url}/metrics').status_code == 401
        body = {'messages': 'I like tea', 'user_id': 'ana'}
        added = httpx.post(f'{server.url}/v1/memories', json=body, headers={**headers, 'Prefer': 'respond-async'})
        assert added.status_code == 202
        assert server.end() == 0
        assert not [line for line in server.said if 'Traceback' in line or 'tea' in line]
    with fast(database) as memory:
        # What it had promised is done before it ends.
        assert [job.status for job in memory.jobs(user_id='ana').items] == ['done']
        assert memory.keys.list() == []


@posix
def test_with_a_stored_key_it_makes_none_and_leaves_jobs_to_workers_if_told(database: Path) -> None:
    with fast(database) as memory:
        secret = memory.keys.create('app', role='writer').secret
    with running(database, '--no-workers', '--verbose') as server:
        body = {'messages': 'I like tea', 'user_id': 'ana'}
        headers = {'X-API-Key': secret, 'Prefer': 'respond-async'}
        assert httpx.post(f'{server.url}/v1/memories', json=body, headers=headers).status_code == 202
        assert server.end() == 0
    assert not [line for line in server.said if well_formed(line.strip())]
    assert [line for line in server.said if 'POST /v1/memories 202' in line and 'key:app' in line]
    with fast(database) as memory:
        assert [job.status for job in memory.jobs(user_id='ana').items] == ['queued']


@pytest.mark.parametrize('host', ['0.0.0.0', '::', '192.0.2.1'])
def test_others_may_reach_it_only_with_tls_and_keys(cli: Cli, host: str) -> None:
    refused = cli('serve', '--host', host, '--port', '0')
    assert (refused.code, refused.out) == (1, '')
    assert 'keys would cross the network in the clear' in refused.err
    assert '--behind-tls-proxy' in refused.err
    refused = cli('serve', '--host', host, '--port', '0', '--behind-tls-proxy', '10.0.0.1')
    assert refused.code == 1
    assert 'there is no API key in force' in refused.err
    assert 'memoranda keys create' in refused.err


@pytest.mark.parametrize('proxies', ['10.0.0.0/99', '10.0.0.1/8', 'proxy.example', '10.0.0.1, 10.0.0.'])
def test_proxies_that_are_no_addresses_are_refused(cli: Cli, proxies: str) -> None:
    refused = cli('serve', '--port', '0', '--behind-tls-proxy', proxies)
    assert (refused.code, refused.out) == (1, '')
    assert f"server_behind_tls_proxy='{proxies}' can not be used" in refused.err
    assert 'such as 10.0.0.0/8' in refused.err


def test_a_key_that_has_ended_does_not_count(cli: Cli, database: Path) -> None:
    with fast(database) as memory:
        memory.keys.revoke(memory.keys.create('app').key.id)
    refused = cli('serve', '--host', '0.0.0.0', '--port', '0', '--behind-tls-proxy', '*')
    assert 'there is no API key in force' in refused.err


@pytest.mark.parametrize('missing', ['--tls-certificate', '--tls-key'])
def test_a_certificate_and_its_key_belong_together(cli: Cli, tmp_path: Path, missing: str) -> None:
    given = {'--tls-certificate': tmp_path / 'c.pem', '--tls-key': tmp_path / 'k.pem'}
    del given[missing]
    refused = cli('serve', *(str(part) for pair in given.items() for part in pair))
    assert refused.code == 1
    assert 'one of them is missing' in refused.err


def test_files_that_are_no_certificate_are_told(cli: Cli, tmp_path: Path) -> None:
    for name in ('c.pem', 'k.pem'):
        (tmp_path / name).write_text('nothing')
    refused = cli(
        'serve', '--port', '0', '--tls-certificate', str(tmp_path / 'c.pem'), '--tls-key', str(tmp_path / 'k.pem')
    )
    assert refused.code == 1
    assert 'c.pem' in refused.err


def test_a_port_that_is_taken_is_told(cli: Cli) -> None:
    import socket

    with socket.create_server(('127.0.0.1', 0)) as taken:
        refused = cli('serve', '--port', str(taken.getsockname()[1]))
    assert refused.code == 1
    assert 'free port' in refused.err


def test_without_its_packages_it_names_the_extra(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('memoranda.cli.serve.find_spec', lambda name: None)
    refused = cli('serve')
    assert refused.code == 1
    assert "pip install 'memoranda[server]'" in refused.err
