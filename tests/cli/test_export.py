from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Cli

DATA = Path(__file__).parent.parent / 'data'


@pytest.fixture
def ana(cli: Cli) -> str:
    """Somebody with two messages."""
    for text in ('I live in Lisbon.', 'I moved to Porto.'):
        assert cli('add', text, '--user', 'ana').code == 0
    return 'ana'


def test_an_export_is_written_to_standard_output_or_to_a_new_file(cli: Cli, ana: str, tmp_path: Path) -> None:
    printed = cli('export', '--user', ana).json
    assert printed['format'] == 'memoranda.subject'
    file = tmp_path / 'ana.json'
    ran = cli('export', '--user', ana, '-o', str(file))
    assert ran.out == ''
    assert '2 messages of user ana written to' in ran.err
    assert json.loads(file.read_text(encoding='utf-8'))['digest'] == printed['digest']
    again = cli('export', '--user', ana, '-o', str(file))
    assert again.code == 2
    assert 'is there already' in again.err
    told = cli('export', '--user', ana, '-o', str(tmp_path / 'b.json'), '--json').json
    assert (told['digest'], told['counts']['episodes']) == (printed['digest'], 2)


def test_markdown_is_for_reading(cli: Cli, ana: str, tmp_path: Path) -> None:
    assert cli('export', '--user', ana, '--format', 'markdown').out.startswith('# What is held on user ana')
    cli('export', '--user', ana, '-f', 'markdown', '-o', str(tmp_path / 'ana.md'))
    assert '> I moved to Porto.' in (tmp_path / 'ana.md').read_text(encoding='utf-8')
    assert cli('export', '--user', ana, '-f', 'xml').code == 2
    assert cli('export', '--user', ana, '-f', 'markdown', '--json').code == 2


def test_nobody_is_exported_with_a_remark(cli: Cli) -> None:
    ran = cli('export', '--user', 'nobody')
    assert ran.json['counts']['memories'] == 0
    assert 'nothing is held on user nobody' in ran.err


def test_what_is_printed_can_not_steer_a_terminal(cli: Cli) -> None:
    cli('add', 'I like \x1b[2J tea \u202e.', '--fact', '--user', 'ana')
    for format_ in ('json', 'markdown'):
        printed = cli('export', '--user', 'ana', '--format', format_).out
        assert '\x1b' not in printed
        assert '\u202e' not in printed


def test_a_subject_comes_back_in_another_database(cli: Cli, ana: str, tmp_path: Path) -> None:
    file, other = str(tmp_path / 'ana.json'), str(tmp_path / 'other.db')
    cli('export', '--user', ana, '-o', file)
    assert cli('import', 'subject', file, '--database', other, '--dry-run').out.startswith('The document is whole.')
    assert cli('list', '--user', ana, '--database', other, '--json').json['items'] == []
    assert 'Imported: ' in cli('import', 'subject', file, '--database', other).out
    assert cli('import', 'subject', file, '--database', other, '--json').json['status'] == 'known'
    here, there = cli('export', '--user', ana).json, cli('export', '--user', ana, '--database', other).json
    assert here['digest'] == there['digest']


def test_who_was_forgotten_is_asked_for(cli: Cli, ana: str, tmp_path: Path) -> None:
    file = str(tmp_path / 'ana.json')
    cli('export', '--user', ana, '-o', file)
    assert cli('forget', '--all', '--yes', '--user', ana).code == 0
    plain = cli('import', 'subject', file)
    assert plain.code == 0
    assert 'Nothing was written' in plain.out
    assert '--restore brings it back' in plain.err
    refused = cli('import', 'subject', file, '--restore', input='no\n')
    assert refused.code == 1
    assert 'user ana was forgotten on' in refused.err
    assert cli('list', '--user', ana, '--json').json['items'] == []
    assert 'Restored: ' in cli('import', 'subject', file, '--restore', input='ana\n').out
    assert cli('list', '--user', ana, '--json').json['items'] != []


def test_yes_restores_without_asking(cli: Cli, ana: str, tmp_path: Path) -> None:
    file = str(tmp_path / 'ana.json')
    cli('export', '--user', ana, '-o', file)
    cli('forget', '--all', '--yes', '--user', ana)
    assert cli('import', 'subject', file, '--restore', '--yes', '--json').json['status'] == 'restored'


def test_a_document_of_somebody_else_is_refused_when_one_is_named(cli: Cli, ana: str, tmp_path: Path) -> None:
    file = str(tmp_path / 'ana.json')
    cli('export', '--user', ana, '-o', file)
    ran = cli('import', 'subject', file, '--user', 'ben')
    assert ran.code == 2
    assert "user_id='ana'" in ran.err


def test_a_damaged_document_is_named(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / 'x.json'
    file.write_text('{"format": "memoranda.subject", "version": 9}', encoding='utf-8')
    ran = cli('import', 'subject', str(file))
    assert ran.code == 1
    assert 'version 9' in ran.err


@pytest.mark.parametrize(
    'arguments',
    [
        ('subject', 'a', 'b'),
        ('subject', 'a', '--collection', 'x'),
        ('mem0', 'a', '--restore'),
        ('a.jsonl', '--restore'),
        ('a.jsonl', '--history', 'x'),
    ],
)
def test_options_that_do_not_belong_are_refused(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert cli('import', *arguments).code == 2


def test_a_dry_run_of_conversations_counts_them(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / 'a.jsonl'
    path.write_text('{"role": "user", "content": "I like tea."}\n' * 2, encoding='utf-8')
    assert '1 conversation: 2 messages, 0 skipped; nothing was written' in cli('import', str(path), '--dry-run').out
    assert cli('list', '--messages', '--json').json['items'] == []


@pytest.fixture
def mem0(tmp_path: Path) -> str:
    """A store of Mem0."""
    places = {
        'mem0_points.sql': tmp_path / 'mem0' / 'collection' / 'mem0' / 'storage.sqlite',
        'mem0_history.sql': tmp_path / 'mem0' / 'history.db',
    }
    for dump, path in places.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path)
        connection.executescript((DATA / dump).read_text(encoding='utf-8'))
        connection.close()
    return str(tmp_path / 'mem0')


def test_a_store_of_mem0_is_imported(cli: Cli, mem0: str) -> None:
    dry = cli('import', 'mem0', mem0, '--dry-run', '--json').json
    assert (dry['memories'], dry['versions']) == (5, 2)
    assert cli('list', '--user', 'ana', '--json').json['items'] == []
    assert 'user ana: 3 memories' in cli('import', 'mem0', mem0, '--dry-run').out
    ran = cli('import', 'mem0', mem0)
    assert '5 new memories with 2 earlier versions, 0 skipped' in ran.out
    assert len(cli('list', '--user', 'ana', '--json').json['items']) == 3
    assert cli('import', 'mem0', mem0, '--json').json['known'] == 5


def test_only_what_is_kept_under_the_ids_named_is_imported(cli: Cli, mem0: str) -> None:
    assert cli('import', 'mem0', mem0, '--user', 'ben', '--json').json['memories'] == 1
    assert cli('list', '--user', 'ana', '--json').json['items'] == []


def test_a_memory_that_can_not_be_used_is_named(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / 'export.json'
    path.write_text(json.dumps([{'memory': 'x'}, {'memory': 'Likes tea', 'user_id': 'ana'}]), encoding='utf-8')
    ran = cli('import', 'mem0', str(path))
    assert ran.code == 0
    assert 'belongs to no user' in ran.err
    assert '1 new memory' in ran.out
    assert cli('import', 'mem0', str(path), '--strict').code == 1
