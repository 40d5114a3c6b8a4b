from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Cli

COMMANDS = 'demo chat add search list show edit forget history import doctor reindex version'.split()


@pytest.mark.parametrize('command', COMMANDS)
def test_every_command_explains_itself_and_speaks_json(cli: Cli, command: str) -> None:
    ran = cli(command, '--help')
    assert ran.code == 0
    assert '--json' in ran.out
    if command not in ('demo', 'version'):
        assert '--database' in ran.out


def test_what_was_added_is_found_with_the_words_it_came_from(cli: Cli) -> None:
    added = cli('add', 'I live in Lisbon and I am allergic to peanuts.')
    assert added.code == 0
    assert 'Lisbon' in added.out
    assert 'user me' in added.err
    found = cli('search', 'where do I live?')
    assert found.code == 0
    assert '“I live in Lisbon”' in found.out
    assert 'home.city' in found.out


def test_search_finds_memories_and_messages_unless_told_otherwise(cli: Cli) -> None:
    cli('add', 'I live in Lisbon.')
    both = cli('search', 'Lisbon', '--json').json
    assert {hit['type'] for hit in both} == {'memory', 'episode'}
    assert all(0 <= hit['score'] <= 1 for hit in both)
    for only, kind in (('memories', 'memory'), ('episodes', 'episode')):
        assert {hit['type'] for hit in cli('search', 'Lisbon', '--only', only, '--json').json} == {kind}
    assert len(cli('search', 'Lisbon', '--top-k', '1', '--json').json) == 1


def test_explain_shows_the_parts_of_a_score(cli: Cli) -> None:
    cli('add', 'I live in Lisbon.')
    assert 'part of the score' in cli('search', 'Lisbon', '--explain').out
    assert cli('search', 'Lisbon', '--explain', '--json').json[0]['why']
    assert 'why' not in cli('search', 'Lisbon', '--json').json[0]


def test_a_new_city_replaces_the_old_one_and_says_so(cli: Cli) -> None:
    cli('add', 'I live in Berlin.', '--at', '2024-01-01')
    moved = cli('add', 'I moved to Lisbon.', '--at', '2024-06-01')
    assert 'replaced' in moved.out
    assert 'Berlin' not in cli('list').out
    assert 'superseded' in cli('list', '--all').out


def test_facts_are_stored_as_given(cli: Cli) -> None:
    cli('add', 'Prefers window seats', '--kind', 'preference', '--slot', 'seat', '--tag', 'travel', '--pin')
    [item] = cli('list', '--json').json['items']
    assert (item['text'], item['kind'], item['slot']) == ('Prefers window seats', 'preference', 'seat')
    assert item['tags'] == ['travel']
    assert item['pinned'] is True
    assert cli('list', '--kind', 'goal', '--json').json['items'] == []


def test_add_reads_standard_input(cli: Cli) -> None:
    assert cli('add', '-', input='I live in Porto.\n').code == 0
    assert 'Porto' in cli('list').out
    assert cli('list', '--messages', '--json').json['items'][0]['role'] == 'user'


def test_scopes_are_kept_apart_and_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli('add', 'Likes tea', '--fact', '--user', 'ana')
    assert 'none yet' in cli('list').err
    listed = cli('list', '-u', 'ana')
    assert 'Likes tea' in listed.out
    assert 'user ana' in listed.err
    assert cli('list', '-u', 'ana', '--project', 'other', '--json').json['items'] == []


def test_the_default_user_can_be_set_in_the_environment(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MEMORANDA_USER', 'ben')
    cli('add', 'Likes tea', '--fact')
    listed = cli('list')
    assert 'user ben (MEMORANDA_USER)' in listed.err
    assert cli('list', '--json', '-u', 'ben').json['items'][0]['scope'] == {'user_id': 'ben'}


def test_a_memory_can_be_shown_edited_and_its_history_read(cli: Cli) -> None:
    cli('add', 'Likes tea', '--fact')
    full = cli('list', '--json').json['items'][0]['id']
    shortened = cli('list').out.split()[0]
    assert full.replace('-', '').endswith(shortened)
    shown = cli('show', shortened)
    assert full in shown.out
    edited = cli('edit', shortened, 'Likes green tea', '--tag', 'drinks', '--pin')
    assert edited.code == 0
    record = cli('show', full, '--json').json
    assert (record['text'], record['tags'], record['pinned']) == ('Likes green tea', ['drinks'], True)
    entries = cli('history', shortened, '--json').json
    assert len(entries) >= 2
    told = cli('history', shortened)
    assert 'Likes tea' in told.out
    assert 'Likes green tea' in told.out


def test_forgetting_one_memory_asks_first(cli: Cli) -> None:
    cli('add', 'Likes tea', '--fact')
    key = cli('list').out.split()[0]
    refused = cli('forget', key, input='no\n')
    assert refused.code == 1
    assert 'nothing was changed' in refused.err
    assert 'Likes tea' in cli('list').out
    assert cli('forget', key, input='forget\n').code == 0
    assert cli('list', '--json').json['items'] == []


def test_erasing_a_user_asks_for_the_name(cli: Cli) -> None:
    cli('add', 'I live in Lisbon.', '-u', 'ana')
    assert cli('forget', '--all', '-u', 'ana', input='yes\n').code == 1
    erased = cli('forget', '--all', '-u', 'ana', input='ana\n')
    assert erased.code == 0
    assert 'nothing of it is left' in erased.out
    assert cli('list', '--messages', '-u', 'ana', '--json').json['items'] == []
    assert cli('forget', '--all', '-u', 'ana', '--yes', '--json').json['episodes'] == 0


def test_forget_wants_to_know_what(cli: Cli) -> None:
    assert cli('forget').code == 2
    assert cli('forget', 'abcd1234', '--all', '--yes').code == 2


def test_errors_are_one_line_with_a_meaningful_code(cli: Cli, tmp_path: Path) -> None:
    cli('add', 'Likes tea', '--fact')
    missing = cli('show', '00000000')
    assert missing.code == 3
    assert missing.err.startswith('error: no memory')
    assert 'Traceback' not in missing.err
    assert cli('show', '00000000-0000-7000-8000-000000000000').code == 3
    assert cli('show', 'zz').code == 2
    assert cli('list', '--user', '*').code == 2
    assert cli('add', '   ').code == 2
    assert cli('add', 'x', '--at', 'someday').code == 2
    assert cli('search', 'x', '--filter', '{"colour": 1}').code == 2
    assert cli('search', 'x', '--filter', 'nope').code == 2
    assert cli('edit', '00000000').code == 2
    assert cli('nonsense').code == 2
    unusable = cli('list', '-d', str(tmp_path))
    assert unusable.code == 1
    assert unusable.err.startswith('error: ')
    as_json = cli('show', '00000000', '--json')
    assert as_json.code == 3
    assert json.loads(as_json.err)['error'] == 'MemoryNotFound'
    assert as_json.out == ''


def test_a_memory_of_somebody_else_is_not_found(cli: Cli) -> None:
    cli('add', 'Likes tea', '--fact', '-u', 'ana')
    full = cli('list', '-u', 'ana', '--json').json['items'][0]['id']
    for command in (('show', full), ('history', full), ('edit', full, 'x'), ('forget', full, '--yes')):
        assert cli(*command, '-u', 'ben').code == 3


def test_remembered_text_can_not_steer_the_terminal(cli: Cli) -> None:
    evil = 'I live in \x1b[31mLisbon\x1b]0;owned\x07 \u202ereversed\u202c [red]markup[/red] \x9b2J'
    cli('add', evil)
    cli('add', evil, '--fact', '--tag', 'a\x1bb', '--kind', 'preference')
    key = cli('list').out.split()[0]
    for command in (
        ('list',),
        ('list', '--messages'),
        ('list', '--all', '--json'),
        ('search', 'Lisbon'),
        ('search', 'Lisbon', '--full', '--explain'),
        ('search', 'Lisbon', '--json'),
        ('show', key),
        ('show', key, '--json'),
        ('history', key),
        ('history', key, '--json'),
        ('forget', key, '--yes'),
    ):
        ran = cli(*command)
        assert ran.code == 0, command
        for character in '\x1b\x07\x9b\u202e\u202c':
            assert character not in ran.out + ran.err, command
    assert '[red]markup[/red]' in cli('list', '--messages').out


def test_the_installed_command_works_in_its_own_process(tmp_path: Path) -> None:
    environment = {**os.environ, 'MEMORANDA_DATABASE': str(tmp_path / 'own.db'), 'PYTHONWARNINGS': 'error'}
    environment['PYTHONPATH'] = os.pathsep.join(p for p in sys.path if p)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = 'from memoranda.cli import main; main()'
        return subprocess.run(
            [sys.executable, '-c', code, *arguments],
            env=environment, capture_output=True, text=True, encoding='utf-8', timeout=60, check=False,
        )  # fmt: skip

    assert run('version').returncode == 0
    added = run('add', 'I live in Lisbon.')
    assert (added.returncode, 'Lisbon' in added.stdout) == (0, True), added.stderr
    assert json.loads(run('search', 'city', '--json').stdout)
    missing = run('show', '00000000')
    assert (missing.returncode, missing.stderr.count('\n')) == (3, 1)


def test_the_version_is_told_by_an_option_too(cli: Cli) -> None:
    told = cli('--version')
    assert (told.code, told.out) == (0, cli('version').out)
