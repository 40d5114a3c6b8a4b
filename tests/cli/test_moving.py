"""`memoranda backup`, `restore` and `migrate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Cli


def test_a_backup_is_made_and_gone_back_to(cli: Cli, database: Path, tmp_path: Path) -> None:
    cli('add', 'I live in Lisbon.')
    cli('add', 'I work at a bakery.', '--user', 'ben')
    made = cli('backup', str(tmp_path / 'copy.db'), '--json')
    assert (made.code, made.json['memories'], made.json['path']) == (0, 2, str(tmp_path / 'copy.db'))
    receipt = tmp_path / 'receipt.json'
    assert cli('forget', '--all', '--user', 'ben', '--receipt', str(receipt), '--yes').code == 0
    assert cli('restore', str(tmp_path / 'copy.db'), input='n\n').code == 1
    assert cli('restore', str(tmp_path / 'copy.db'), input='y\n').code == 0
    assert [m['text'] for m in cli('list', '--json').json['items']] == ['Lives in Lisbon']
    assert cli('list', '--json', '--user', 'ben').json['items'] == []
    database.unlink()
    ran = cli('restore', str(tmp_path / 'copy.db'), '--receipt', str(receipt), '--json')
    assert (ran.code, ran.json['forgotten'], ran.json['unmatched']) == (0, 1, [])


def test_what_a_backup_refuses_is_one_line(cli: Cli, tmp_path: Path) -> None:
    cli('add', 'I live in Lisbon.')
    (tmp_path / 'mine.db').write_text('mine')
    ran = cli('backup', str(tmp_path / 'mine.db'))
    assert (ran.code, ran.out) == (2, '')
    assert 'overwrites nothing' in ran.err
    assert cli('restore', str(tmp_path / 'nothing.db'), '--yes').code == 1


def test_a_database_is_migrated_once(cli: Cli, database: Path, tmp_path: Path) -> None:
    cli('add', 'I live in Lisbon.')
    target = f'sqlite://{tmp_path / "target.db"}'
    ran = cli('migrate', str(database), target)
    assert ran.code == 0
    assert 'audit chains verified' in ran.out
    again = cli('migrate', str(database), target, '--json')
    assert again.code == 1
    assert 'holds memories already' in again.err
    assert [m['text'] for m in cli('list', '--json', '--database', target).json['items']] == ['Lives in Lisbon']


def test_a_reindex_says_what_it_did(cli: Cli) -> None:
    assert 'nothing to embed' in cli('reindex').out
    cli('add', 'I live in Lisbon.')
    assert cli('reindex', '--anew', '--rows-per-second', '1000', '--json').json['embedded'] == 2
    assert cli('reindex', '--rows-per-second', '0').code == 2
