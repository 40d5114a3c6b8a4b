"""Moves to PostgreSQL and back, and its own tools."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import _postgres
from _fakes import fast
from _moves import ANA, check, fill, killed
from memoranda import ConfigurationError
from memoranda.errors import Conflict, MemorandaError, StoreUnreadable
from memoranda.moving import fingerprint, migrate

pytestmark = pytest.mark.skipif(not _postgres.available(), reason='needs the PostgreSQL of a wheel')


@pytest.fixture
def url() -> Iterator[str]:
    with _postgres.fresh_database() as found:
        yield found


@pytest.fixture(scope='module')
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('filled') / 'source.db'
    fill(path)
    return path


@pytest.fixture
def source(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(filled, tmp_path / 'source.db'))


def test_there_and_back_again_everything_is_as_it_was(source: Path, url: str, tmp_path: Path) -> None:
    there = migrate(source, url)
    assert there.tables == fingerprint(source) == fingerprint(url)
    back = migrate(url, tmp_path / 'back.db')
    assert back.tables == there.tables
    assert (back.entries, back.written_since) == (there.entries, False)
    check(url)
    check(tmp_path / 'back.db')


def test_a_move_that_is_killed_goes_on_and_nobody_can_use_what_is_incomplete(source: Path, url: str) -> None:
    killed(source, url, 12)
    with pytest.raises(StoreUnreadable, match=r'filling it from .*source\.db'), fast(url) as memory:
        memory.get_all(**ANA)
    assert migrate(source, url).resumed
    assert fingerprint(source) == fingerprint(url)
    check(url)


def test_what_can_not_be_moved_says_why(source: Path, url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUnreadable, match='has no memories'):
        migrate(url, tmp_path / 'target.db')
    with pytest.raises(MemorandaError, match='nowhere') as caught:
        migrate(source, f'{url.rpartition("/")[0]}/nowhere')
    assert 'tr0ub' not in str(caught.value)
    with fast(url) as memory:
        memory.add('Likes tea', user_id='ben')
        with pytest.raises(ConfigurationError, match='pg_dump'):
            memory.backup(tmp_path / 'copy.db')
    with pytest.raises(Conflict, match='holds memories already'):
        migrate(source, url)
    assert not (tmp_path / 'target.db').exists()


def test_pg_dump_and_pg_restore_bring_everything_back(source: Path, url: str, tmp_path: Path) -> None:
    binaries = _postgres.server().binaries
    if not (binaries / 'pg_dump').exists():
        pytest.skip('the wheel has no pg_dump')
    migrate(source, url)
    dump = tmp_path / 'memoranda.dump'
    run = lambda *command: subprocess.run(list(map(str, command)), check=True, env=os.environ, timeout=60)  # noqa: E731
    run(binaries / 'pg_dump', '--format=custom', '--schema=memoranda', f'--file={dump}', url)
    with _postgres.fresh_database() as other:
        run(binaries / 'pg_restore', f'--dbname={other}', dump)
        assert fingerprint(other) == fingerprint(source)
        check(other)
