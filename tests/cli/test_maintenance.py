from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Cli


@pytest.fixture
def told(cli: Cli) -> Cli:
    """Someone who has said a few things, some of them long ago."""
    cli('add', 'Went to the dentist', '--kind', 'event', '--at', '2020-05-01')
    cli('add', 'Parks on level 3', '--fact', '--at', '2020-05-01', '--expires', '2020-05-02')
    cli('add', 'Likes hiking', '--kind', 'preference')
    cli('add', 'Enjoys hiking', '--kind', 'preference')
    cli('add', 'Uses Vim as their editor', '--slot', 'editor.preferred')
    return cli


def current(cli: Cli) -> set[str]:
    return {item['text'] for item in cli('list', '--json').json['items']}


@pytest.mark.parametrize('command', ['clean', 'reset', 'changes', 'revert', 'preview'])
def test_every_command_of_maintenance_explains_itself_and_speaks_json(cli: Cli, command: str) -> None:
    ran = cli(command, '--help')
    assert ran.code == 0
    assert '--json' in ran.out
    assert '--database' in ran.out


def test_a_dry_run_shows_the_rows_and_changes_nothing(told: Cli) -> None:
    before = current(told)
    ran = told('clean', '--older-than', '90d', '--merge-duplicates', '--dry-run')
    assert ran.code == 0
    assert 'drop' in ran.out
    assert 'Went to the dentist' in ran.out
    assert 'expire' in ran.out
    assert 'Parks on level 3' in ran.out
    assert 'merge into' in ran.out
    assert 'Uses Vim' not in ran.out
    assert 'user me' in ran.err
    assert current(told) == before
    as_json = told('clean', '--older-than', '90d', '--dry-run', '--json').json
    assert (as_json['dry_run'], as_json['counts']) == (True, {'expired': 1, 'dropped': 1})


def test_cleaning_asks_first_and_tells_how_to_undo_it(told: Cli) -> None:
    before = current(told)
    refused = told('clean', '--older-than', '90d', input='n\n')
    assert refused.code == 1
    assert 'nothing was changed' in refused.err
    assert told('clean', '--older-than', '90d', input='').code == 1
    assert current(told) == before
    done = told('clean', '--older-than', '90d', input='y\n')
    assert done.code == 0
    assert 'Cleaned: 2 memories (1 expired, 1 dropped).' in done.out
    assert current(told) == before - {'Went to the dentist'}
    undo = done.out.split('memoranda revert ')[1].split()[0]
    reverted = told('revert', undo)
    assert reverted.code == 0
    assert 'Went to the dentist' in reverted.out
    assert current(told) == before


def test_the_conditions_of_a_clean_are_all_to_be_met(told: Cli) -> None:
    told('clean', '--kind', 'preference', '--max-confidence', '0.2', '--no-expired', '--yes')
    told('clean', '--kind', 'preference', '--filter', '{"text": {"contains": "Enjoys"}}', '--no-expired', '--yes')
    told('clean', '--unused-for', '1d', '--no-expired', '--yes')
    assert current(told) == {'Went to the dentist', 'Likes hiking', 'Uses Vim as their editor'}


def test_nothing_to_clean_is_said(cli: Cli) -> None:
    for arguments in ((), ('--yes',), ('--dry-run',)):
        ran = cli('clean', *arguments)
        assert (ran.code, 'nothing to clean' in ran.err) == (0, True)
        ran = cli('reset', *arguments)
        assert (ran.code, 'nothing to reset' in ran.err) == (0, True)
        assert cli('clean', '--json', *arguments).json['changes'] == []
        assert cli('reset', '--json', *arguments).json['changes'] == []


def test_what_is_left_alone_is_named(cli: Cli) -> None:
    cli('add', 'Likes tea', '--kind', 'event', '--pin')
    assert 'left alone, pinned: Likes tea' in cli('clean', '--kind', 'event').err


@pytest.mark.parametrize(
    'wrong',
    [
        ('--older-than', '90'),
        ('--older-than', '0d'),
        ('--unused-for', 'long'),
        ('--max-confidence', '3'),
        ('--filter', '[]'),
        ('--filter', '{}'),
        ('--filter', '{"colour": 1}'),
        ('--kind', 'No Kind'),
    ],
    ids=' '.join,
)
def test_what_can_not_be_used_is_wrong_usage(told: Cli, wrong: tuple[str, ...]) -> None:
    before = current(told)
    assert told('clean', '--yes', *wrong).code == 2
    assert current(told) == before


def test_reset_drops_tools_and_set_up(told: Cli) -> None:
    assert 'Uses Vim' in told('reset', '--dry-run').out
    assert told('reset', input='n\n').code == 1
    done = told('reset', '--yes')
    assert 'Reset: 1 memory (1 reset).' in done.out
    assert current(told) == {'Went to the dentist', 'Likes hiking', 'Enjoys hiking'}
    assert told('reset', '--kind', 'preference', '--yes', '--json').json['counts'] == {'reset': 2}


def test_changes_are_listed_latest_first_with_who_and_why(told: Cli) -> None:
    told('clean', '--kind', 'event', '--yes')
    listed = told('changes')
    assert listed.code == 0
    assert 'clean: expired; dropped by kinds' in listed.out
    first, second = told('changes', '--json', '--limit', '2').json['items']
    assert (first['actor'], second['actor']) == ('clean', 'caller')
    limited = told('changes', '--limit', '1')
    assert 'more: --cursor' in limited.err
    cursor = limited.err.split('--cursor ')[1].split()[0]
    assert told('changes', '--limit', '1', '--cursor', cursor, '--json').json['items'][0]['id'] == second['id']
    assert 'none yet' in told('changes', '-u', 'nobody').err


def test_a_change_may_be_named_by_the_end_of_its_id(told: Cli) -> None:
    told('clean', '--kind', 'event', '--yes')
    [change] = told('changes', '--json', '--limit', '1').json['items']
    assert told('revert', change['id'][-10:]).code == 0
    assert 'Went to the dentist' in current(told)
    assert told('revert', 'zz').code == 2
    assert told('revert', '00000000').code == 3
    assert told('revert', change['id'], '-u', 'nobody').code == 3


def test_a_change_that_others_depend_on_is_reverted_with_them_when_asked(cli: Cli) -> None:
    cli('add', 'Lives in Berlin', '--slot', 'home.city', '--at', '2024-01-01')
    [first] = cli('changes', '--json').json['items']
    cli('add', 'Lives in Lisbon', '--slot', 'home.city', '--at', '2024-06-01')
    refused = cli('revert', first['id'])
    assert refused.code == 1
    assert 'later changes depend on it' in ' '.join(refused.err.split())
    assert cli('revert', first['id'], '--cascade').code == 0
    assert current(cli) == set()


def test_preview_shows_what_would_be_remembered_and_writes_nothing(cli: Cli) -> None:
    ran = cli('preview', 'I live in Lisbon.')
    assert ran.code == 0
    assert 'Lisbon' in ran.out
    assert 'home.city' in ran.out
    assert cli('list', '--json').json['items'] == []
    assert cli('list', '--messages', '--json').json['items'] == []
    found = cli('preview', 'I live in Lisbon.', '--json').json
    assert [edit['op'] for edit in found['changes']] == ['add']
    assert 'No fact' in cli('preview', '-', input='Thanks!\n').out
    assert cli('preview', 'x', '--at', 'someday').code == 2


def test_remembered_text_in_a_change_can_not_steer_the_terminal(cli: Cli) -> None:
    evil = 'Likes \x1b[31mred\x07 \u202ereversed\u202c [red]markup[/red] \x9b2J'
    cli('add', evil, '--kind', 'event')
    cli('add', f'also {evil}', '--slot', 'editor.preferred')
    ran = cli('clean', '--kind', 'event', '--dry-run')
    assert '[red]markup[/red]' in ran.out
    cleaned = cli('clean', '--kind', 'event', '--yes', '--json')
    change = cleaned.json['changes'][0]['id']
    for one in (
        ran,
        cleaned,
        cli('reset', '--dry-run'),
        cli('changes'),
        cli('changes', '--json'),
        cli('preview', evil),
        cli('revert', change),
    ):
        assert one.code == 0
        for character in '\x1b\x07\x9b\u202e\u202c':
            assert character not in one.out + one.err
