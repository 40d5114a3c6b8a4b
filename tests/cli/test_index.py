from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('qdrant_edge')

from _fakes import fast
from _qdrant import FakeQdrant, running
from memoranda import ConfigurationError
from memoranda.settings import Settings

Cli = Callable[..., Any]


@pytest.fixture
def qdrant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[FakeQdrant]:
    with running(tmp_path / 'qdrant') as fake:
        monkeypatch.setenv('MEMORANDA_INDEX', f'{fake.url}?tries=1')
        yield fake


def test_an_index_is_filled_checked_mended_and_dropped(cli: Cli, qdrant: FakeQdrant, database: Path) -> None:
    with fast(database, settings=Settings(workers=0)) as memory:
        memory.add('Ana likes tea', user_id='ana')
    status = cli('index', 'status', '--json').json
    assert (status['points'], status['expected'], status['ready'], status['version']) == (None, 2, False, '1.19.0')
    assert cli('index', 'verify').code == 1
    assert cli('index', 'flush').out == 'Sent 2 changes.\n'
    assert cli('index', 'verify', '--vectors').out == 'Whole: 2 points of 2 rows, 0 waiting.\n'
    assert '2 of 2 points' in cli('index', 'status').out
    (gone, *_) = qdrant.points()
    qdrant.remove(gone)
    ran = cli('index', 'verify', '--json')
    assert (ran.code, ran.json['ok'], ran.json['missing'], ran.json['rows']) == (1, False, 1, [gone])
    ran = cli('index', 'verify', '--repair')
    assert ran.code == 0
    assert '1 row missing from the index' in ran.out
    assert '1 row repaired' in ran.out
    assert cli('index', 'rebuild').out == 'Sent 2 vectors.\n'
    assert cli('index', 'drop', '--yes').code == 0
    assert not qdrant.collections


def test_a_collection_that_was_lost_is_told_of_and_made_anew(cli: Cli, qdrant: FakeQdrant, database: Path) -> None:
    with fast(database, settings=Settings(workers=0)) as memory:
        memory.add('Ana likes tea', user_id='ana')
    assert cli('index', 'flush').code == 0
    qdrant.drop_all()
    assert '0 of 2 points' in cli('index', 'status').out
    ran = cli('index', 'verify')
    assert ran.code == 1
    assert '2 rows missing from the index' in ran.out
    assert '`memoranda index verify --repair`' in ' '.join(ran.out.split())
    ran = cli('index', 'verify', '--repair')
    assert ran.code == 0
    assert '2 rows repaired' in ran.out
    assert cli('index', 'verify', '--vectors').out == 'Whole: 2 points of 2 rows, 0 waiting.\n'


def test_a_server_that_is_down_is_an_exit_code(cli: Cli, qdrant: FakeQdrant) -> None:
    qdrant.stop()
    ran = cli('index', 'status')
    assert ran.code == 1
    assert 'does not answer' in ran.out
    assert 'is it running' in ran.err
    ran = cli('index', 'verify', '--json')
    assert ran.code == 1
    assert 'IndexUnreachable' in ran.err


def test_without_an_index_the_command_says_how_to_name_one(cli: Cli) -> None:
    ran = cli('index', 'status')
    assert ran.code == 1
    assert 'MEMORANDA_INDEX' in ran.err
    assert ConfigurationError.__name__ not in ran.err
