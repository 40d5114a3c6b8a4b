from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from memoranda.consent.forgetting import ErasureReceipt, verify_erasure

if TYPE_CHECKING:
    from conftest import Cli


def facts(cli: Cli, *ids: str) -> list[str]:
    return sorted(item['text'] for item in cli('list', *ids, '--json').json['items'])


def messages(cli: Cli, *ids: str) -> list[dict[str, str]]:
    return cli('list', '--messages', *ids, '--json').json['items']


def test_a_message_is_erased_by_the_end_of_its_id(cli: Cli, database: Path) -> None:
    cli('add', 'Likes tea', '--fact')
    cli('add', 'Likes jazz', '--fact')
    (first, _) = messages(cli)
    refused = cli('forget', '--episode', first['id'][-8:], input='no\n')
    assert (refused.code, 'nothing was changed' in refused.err) == (1, True)
    ran = cli('forget', '--episode', first['id'][-8:], input='forget\n')
    assert ran.code == 0, ran.err
    assert 'Erased 1 memory and 1 message.' in ran.out
    assert facts(cli) == ['Likes jazz']
    assert b'tea' not in database.read_bytes()
    assert cli('forget', '--episode', first['id'], '--yes').code == 3
    assert cli('forget', '--episode', 'zz', '--yes').code == 2


def test_a_memory_is_retracted_or_erased(cli: Cli, database: Path) -> None:
    for text in ('Likes tea', 'Likes jazz'):
        cli('add', text, '--fact')
    keys = {item['text']: item['id'] for item in cli('list', '--json').json['items']}
    cli('forget', keys['Likes jazz'], '--yes')
    assert b'Likes jazz' in database.read_bytes()
    for text in keys:  # also one that was retracted before
        ran = cli('forget', keys[text], '--erase', input='forget\n')
        assert (ran.code, text in ran.err) == (0, True), ran.err
        assert text.encode() not in database.read_bytes()
    assert cli('forget', keys['Likes tea'], '--erase', '--yes').code == 3


def test_what_matches_is_shown_before_it_is_erased(cli: Cli) -> None:
    cli('add', 'Likes tea', '--fact', '--tag', 'drink')
    cli('add', 'Likes jazz', '--fact')
    asked = cli('forget', '--filter', '{"tags": "drink"}', input='forget\n')
    assert asked.code == 0, asked.err
    assert 'Likes tea' in asked.err
    assert '1 memory of' in asked.err
    assert facts(cli) == ['Likes jazz']
    for wrong in ('nope', '[]', '{"colour": 1}', '{}'):
        assert cli('forget', '--filter', wrong, '--yes').code == 2
    assert facts(cli) == ['Likes jazz']


def test_a_conversation_is_erased_by_its_id_alone(cli: Cli) -> None:
    cli('add', 'Likes tea', '--fact', '--run', 'r1')
    cli('add', 'Likes jazz', '--fact', '--run', 'r2')
    assert cli('forget', '--run', 'r1', input='r1\n').code == 0
    assert facts(cli, '--run', 'r1') == []
    assert facts(cli, '--run', 'r2') == ['Likes jazz']


def test_a_project_asks_for_its_name(cli: Cli) -> None:
    for project, user in (('acme', 'ana'), ('acme', 'ben'), ('other', 'ana')):
        cli('add', 'Likes tea', '--fact', '--project', project, '-u', user)
    assert cli('forget', '--project-wide', '--project', 'acme', input='yes\n').code == 1
    assert cli('forget', '--project-wide', '--project', 'acme', '-u', 'ana', '--yes').code == 2
    ran = cli('forget', '--project-wide', '--project', 'acme', input='acme\n')
    assert ran.code == 0, ran.err
    assert 'Erased 2 memories and 2 messages.' in ran.out
    assert facts(cli, '--project', 'acme', '-u', 'ben') == []
    assert facts(cli, '--project', 'other', '-u', 'ana') == ['Likes tea']


def test_an_agent_is_erased_wherever_it_was_talked_to(cli: Cli) -> None:
    cli('add', 'Likes tea', '--fact', '-u', 'ana', '--agent', 'bot')
    cli('add', 'Likes jazz', '--fact', '-u', 'ana')
    ran = cli('forget', '--project-wide', '--agent', 'bot', '--yes', '--json')
    assert (ran.code, ran.json['memories']) == (0, 1)
    assert facts(cli, '-u', 'ana') == ['Likes jazz']


def test_the_receipt_is_written_and_holds(cli: Cli, database: Path, tmp_path: Path) -> None:
    cli('add', 'Plays the xylophone', '--fact', '-u', 'ana')
    path = tmp_path / 'receipt.json'
    ran = cli('forget', '--all', '-u', 'ana', '--yes', '--receipt', str(path), '--json')
    assert ran.code == 0, ran.err
    receipt = ErasureReceipt.from_json(path.read_text())
    assert ran.json['receipt'] == json.loads(path.read_text())
    assert (receipt.asked, receipt.counts['episodes']) == ('user', 1)
    assert verify_erasure(database, path.read_bytes(), texts=['xylophone']).ok
    again = cli('forget', '--all', '-u', 'ana', '--yes', '--receipt', str(path))
    assert (again.code, 'there already' in again.err) == (2, True)


def test_no_empty_receipt_is_left_when_nothing_was_erased(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / 'receipt.json'
    cli('add', 'Likes tea', '--fact')
    assert cli('forget', '--all', '--receipt', str(path), input='no\n').code == 1
    assert not path.exists()
    assert cli('forget', '--all', '--yes', '--receipt', str(tmp_path / 'no' / 'such')).code == 1
    assert facts(cli) == ['Likes tea']


@pytest.mark.parametrize(
    'arguments',
    [
        (),
        ('abcd1234', '--all'),
        ('--all', '--episode', 'abcd1234'),
        ('--filter', '{"kind": "profile"}', '--project-wide'),
        ('--all', '--erase'),
        ('abcd1234', '--receipt', 'x.json'),
    ],
)
def test_what_does_not_name_one_thing_is_refused(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert cli('forget', *arguments, '--yes').code == 2


def test_what_was_erased_is_not_imported_again(cli: Cli, tmp_path: Path) -> None:
    said = [{'role': 'user', 'content': 'I like tea.', 'timestamp': '2026-01-05T10:00:00Z'}]
    export = tmp_path / 'chat.json'
    export.write_text(json.dumps(said))
    assert cli('import', str(export), '-u', 'ana').code == 0
    assert len(messages(cli, '-u', 'ana')) == 1
    cli('forget', '--all', '-u', 'ana', '--yes')
    again = cli('import', str(export), '-u', 'ana')
    assert (again.code, '1 message not stored' in again.err) == (0, True)
    assert cli('import', str(export), '-u', 'ana', '--json').json['messages_forgotten'] == 1
    assert messages(cli, '-u', 'ana') == []


def test_an_id_that_nothing_is_held_on_is_doubted(cli: Cli) -> None:
    cli('add', 'Likes tea', '--fact', '-u', 'ana')
    ran = cli('forget', '--all', '-u', 'anna', input='anna\n')
    assert 'Nothing is held on user anna: is the id right?' in ran.err
    assert 'Nothing was there to be erased.' in ran.err
    assert 'Checked' not in ran.out
    assert 'needs --user' not in ran.err
    cli('add', 'Likes tea', '-u', 'ana', '--run', 's1')
    assert 'A conversation of a user needs --user.' in cli('forget', '--run', 's1', '--yes').err
    assert 'Nothing is held' not in cli('forget', '--all', '-u', 'ana', input='no\n').err


def test_a_receipt_that_will_not_be_kept_is_told_before_and_who_did_it_is_noted(cli: Cli, tmp_path: Path) -> None:
    cli('add', 'Likes tea', '--fact', '-u', 'ana')
    assert 'No receipt will be kept' in cli('forget', '--all', '-u', 'ana', input='no\n').err
    kept = cli('forget', '--all', '-u', 'ana', '--receipt', str(tmp_path / 'r.json'), '--by', 'jane', input='ana\n')
    assert 'No receipt' not in kept.err
    cli('verify', '--export', str(tmp_path / 'log.jsonl'))
    (entry,) = [json.loads(line) for line in (tmp_path / 'log.jsonl').read_text('utf-8').splitlines()]
    assert (entry['op'], entry['actor']) == ('erase', 'jane')
