"""A backup is a whole and sound copy of one moment, whatever others do meanwhile."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import apsw
import pytest

from _fakes import fast, texts
from memoranda import ConfigurationError, InvalidInput, Memory
from memoranda.errors import StoreUnreadable, StoreUnwritable
from memoranda.moving import fingerprint

ANA = {'user_id': 'ana'}


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    made = fast(tmp_path / 'memory.db')
    made.add('Likes tea', **ANA)
    made.add('Likes cake', user_id='ben')
    return made


def test_a_backup_holds_everything_and_only_its_owner_may_read_it(memory: Memory, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with memory:
        report = memory.backup(tmp_path / 'copy.db', progress=lambda *at: told.append(at))
        assert fingerprint(tmp_path / 'memory.db') == fingerprint(report.path)
    assert (report.owners, report.memories, report.episodes, report.entries) == (2, 2, 2, 2)
    assert told[-1][0] == told[-1][1] > 0
    assert stat.S_IMODE(os.stat(report.path).st_mode) == 0o600 or os.name != 'posix'
    assert {p.name for p in tmp_path.iterdir()} == {'memory.db', 'copy.db'}
    with fast(report.path) as copy:
        assert texts(copy.get_all(**ANA).items) == ['Likes tea']
        assert [h.text for h in copy.search('tea', strategy='semantic', **ANA)] == ['Likes tea']
        copy.add('Likes coffee', **ANA)
        assert copy.verify(all_projects=True).ok


def test_what_is_written_meanwhile_is_not_in_it_and_does_not_wait(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('memoranda.moving.snapshot._PAGES', 8)
    with memory:
        before = len(memory.episodes(**ANA, limit=1000).items)
        written = 0

        def write(done: int, total: int) -> None:
            nonlocal written
            if done < total:
                memory.add(f'Meanwhile {written}', infer=False, user_id='ben')
                written += 1

        report = memory.backup(tmp_path / 'copy.db', progress=write)
        assert written > 0
        assert report.episodes == before + 1
    with fast(report.path) as copy:
        assert texts(copy.get_all(user_id='ben').items) == ['Likes cake']


def test_in_a_folder_it_is_named_after_the_database_and_the_time(memory: Memory, tmp_path: Path) -> None:
    folder = tmp_path / 'backups'
    folder.mkdir()
    with memory:
        report = memory.backup(folder)
    assert [Path(report.path)] == list(folder.iterdir())
    assert re.fullmatch(r'memory-\d{8}T\d{6}Z\.db', Path(report.path).name)


def test_nothing_is_overwritten(memory: Memory, tmp_path: Path) -> None:
    kept = tmp_path / 'kept.db'
    kept.write_text('mine')
    with memory:
        for target in (kept, tmp_path / 'memory.db'):
            with pytest.raises(InvalidInput, match='overwrites nothing'):
                memory.backup(target)
        partial = tmp_path / 'copy.db.partial'
        partial.write_text('of another')
        with pytest.raises(StoreUnwritable, match='another backup is under way'):
            memory.backup(tmp_path / 'copy.db')
    assert (kept.read_text(), partial.read_text()) == ('mine', 'of another')


@pytest.mark.parametrize('target', ['', 'no\0path', '/nowhere/at/all/copy.db'])
def test_a_target_that_is_none_is_refused(memory: Memory, target: str) -> None:
    with memory, pytest.raises((InvalidInput, StoreUnwritable)):
        memory.backup(target)


def test_a_database_in_memory_is_not_backed_up() -> None:
    with fast() as memory, pytest.raises(ConfigurationError, match=':memory:'):
        memory.backup('copy.db')


def test_a_damaged_database_is_found_out_and_leaves_no_backup(memory: Memory, tmp_path: Path) -> None:
    with memory:
        memory.add('Likes pie', **ANA)
    connection = apsw.Connection(str(tmp_path / 'memory.db'))
    connection.execute("UPDATE history SET actor = 'somebody' WHERE row = (SELECT min(row) FROM history)")
    connection.close()
    with memory, pytest.raises(StoreUnreadable, match='audit chain'):
        memory.backup(tmp_path / 'copy.db')
    assert not [p for p in tmp_path.iterdir() if p.name.startswith('copy')]


def test_erased_words_are_not_in_a_backup_made_before_the_files_were_swept(memory: Memory, tmp_path: Path) -> None:
    with memory:
        memory.add('Is called Zebulon Quirk', infer=False, user_id='zeb')
        reader = apsw.Connection(str(tmp_path / 'memory.db'))
        reader.execute('BEGIN')
        reader.execute('SELECT count(*) FROM memory').fetchall()  # so that the sweep has to wait
        assert memory.forget(user_id='zeb').stores == {'database': 'logical'}
        report = memory.backup(tmp_path / 'copy.db')
        reader.close()
    assert b'Zebulon' not in Path(report.path).read_bytes()
