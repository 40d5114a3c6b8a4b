from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Cli


def test_a_healthy_database_is_described(cli: Cli, database: Path) -> None:
    cli('add', 'I live in Lisbon.')
    ran = cli('doctor', '--json')
    assert ran.code == 0
    told = ran.json
    assert told['ok'] is True
    assert told['database'] == str(database)
    assert told['chosen_by'] == 'environment MEMORANDA_DATABASE'
    assert (told['owners'], told['episodes']) == (1, 1)
    assert told['memories'] >= 1
    assert told['schema_version'] >= 1
    assert told['embedder'] == told['embedder_in_file']['embedder']
    assert told['model'] == 'none: rules'
    assert told['problems'] == []
    shown = cli('doctor')
    assert shown.code == 0
    assert 'wrong' not in shown.out


def test_a_missing_database_is_no_problem_and_is_not_made(cli: Cli, database: Path) -> None:
    told = cli('doctor', '--json').json
    assert told['ok'] is True
    assert told['exists'] is False
    assert not database.exists()
    assert 'not there yet' in cli('doctor').out


def test_shards_are_looked_at_together(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / 'shard-0.db', tmp_path / 'shard-1.db'
    monkeypatch.setenv('MEMORANDA_DATABASE', f'shards: {first} {second}')
    assert cli('doctor', '--json').json['exists'] is False
    assert not first.exists()
    for user in ('ana', 'ben', 'cleo'):
        cli('add', 'I live in Lisbon.', '--user', user)
    told = cli('doctor', '--json').json
    assert (told['database'], told['owners'], told['warnings']) == (f'{first} {second}', 3, [])
    assert set(told['details']['shards']) == {str(first), str(second)}
    (warning,) = cli('doctor', '--json', '-d', str(second)).json['warnings']
    assert 'is shard 1 of 2' in warning
    assert 'name all shards' in warning
    monkeypatch.setenv('MEMORANDA_DATABASE', f'shards: {second} {first}')
    assert 'in the order they were made in' in cli('doctor', '--json').json['problems'][0]


def test_a_shard_that_is_missing_is_named_and_not_made(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / 'shard-0.db', tmp_path / 'shard-1.db'
    monkeypatch.setenv('MEMORANDA_DATABASE', f'shards: {first} {second}')
    cli('add', 'I live in Lisbon.')
    second.unlink()
    ran = cli('doctor', '--json')
    assert ran.code == 1
    assert ran.json['problems'][0].startswith(f'{second} is missing (1 of 2 shards are): restore its backup')
    assert not second.exists()


def test_a_file_of_another_program_is_named_and_left_alone(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / 'theirs.db'
    with sqlite3.connect(path) as connection:
        connection.execute('CREATE TABLE t(x)')
    connection.close()
    before = path.read_bytes()
    ran = cli('doctor', '-d', str(path))
    assert ran.code == 1
    assert 'another program' in ' '.join(ran.out.split())
    assert path.read_bytes() == before


@pytest.mark.parametrize('content', [b'just some text, long enough to be read', b'\x00' * 4096])
def test_a_file_that_is_no_database_is_named(cli: Cli, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'notes.txt'
    path.write_bytes(content)
    ran = cli('doctor', '-d', str(path), '--json')
    assert ran.code == 1
    assert 'no SQLite database' in ran.json['problems'][0]
    assert path.read_bytes() == content


def test_a_damaged_database_is_named(cli: Cli, database: Path) -> None:
    cli('add', 'I live in Lisbon.')
    for leftover in database.parent.glob(f'{database.name}-*'):
        leftover.unlink()
    content = bytearray(database.read_bytes())
    content[100 : len(content)] = b'\xff' * (len(content) - 100)
    database.write_bytes(bytes(content))
    ran = cli('doctor', '--json')
    assert ran.code == 1
    assert ran.json['problems']


def test_a_newer_schema_asks_for_an_upgrade(cli: Cli, database: Path) -> None:
    cli('add', 'I live in Lisbon.')
    with sqlite3.connect(database) as connection:
        connection.execute('PRAGMA user_version = 9999')
    connection.close()
    ran = cli('doctor', '--json')
    assert ran.code == 1
    assert 'upgrade' in ran.json['problems'][0]


def test_a_relative_path_and_a_directory_are_noticed(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    relative = cli('doctor', '-d', 'here.db', '--json')
    assert relative.code == 0
    assert 'relative' in relative.json['warnings'][0]
    assert cli('doctor', '-d', str(tmp_path)).code == 1


def test_a_wrong_setting_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MEMORANDA_DATABSE', 'x')
    ran = cli('doctor', '--json')
    assert ran.code == 1
    assert 'MEMORANDA_DATABSE' in ran.json['problems'][0]


@pytest.mark.skipif(os.name == 'nt' or os.geteuid() == 0, reason='root may write anywhere')
def test_a_folder_that_can_not_be_written_is_named(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / 'locked'
    folder.mkdir()
    folder.chmod(0o500)
    assert cli('doctor', '-d', str(folder / 'x.db')).code == 1


def test_another_embedder_names_reindex(cli: Cli, database: Path) -> None:
    cli('add', 'I live in Lisbon.')
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE generation SET embedder = 'other/1'")
    connection.close()
    ran = cli('doctor', '--json')
    assert ran.code == 1
    assert any('memoranda reindex' in problem for problem in ran.json['problems'])


def test_reindex_embeds_everything_anew(cli: Cli) -> None:
    cli('add', 'I live in Lisbon.')
    ran = cli('reindex', '--json')
    assert ran.code == 0
    assert ran.json['generation']['state'] == 'current'
    assert 'already' in cli('reindex').out
    assert cli('search', 'city', '--json').json
