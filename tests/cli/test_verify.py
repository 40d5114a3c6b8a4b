"""`memoranda verify`: exit codes, the first broken entry, checkpoints, the log as a file, erasures."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import pytest

from _fakes import fast
from memoranda import Policy

if TYPE_CHECKING:
    from conftest import Cli

EVIL = 'ana\u202e[red]x'


@pytest.fixture
def filled(database: Path) -> Path:
    with fast(database, policy=Policy(audit_reads=True)) as memory:
        memory.add('home.city = Lisbon', user_id='ana')
        memory.add('home.city = Porto', user_id='ana')
        memory.add('likes chess', user_id=EVIL)
        memory.in_project('acme').add('likes tea', user_id='ana')
        memory.search('chess', user_id=EVIL)
    return database


def tamper(database: Path, statement: str) -> None:
    with closing(apsw.Connection(str(database))) as connection:
        connection.execute(statement)


def test_whole_chains_are_told_with_exit_code_0(cli: Cli, filled: Path) -> None:
    ran = cli('verify')
    assert (ran.code, ran.err) == (0, '')
    assert 'Whole: 6 entries of 3 chains, 5 compared with the memories, 1 of reads.' in ' '.join(ran.out.split())
    assert cli('verify', '--project', 'acme').out.startswith('Whole: 1 entry of 1 chain')
    assert cli('verify', '--user', 'ana').out.startswith('Whole: 3 entries of 1 chain')
    found = cli('verify', '--project', 'acme', '--user', 'ana', '--json').json
    assert (found['ok'], found['entries'], found['breaks']) == (True, 1, [])


def test_the_first_broken_entry_is_named_with_exit_code_1(cli: Cli, filled: Path) -> None:
    tamper(filled, "UPDATE history SET actor = 'nobody' WHERE row & 255 = 2")
    ran = cli('verify')
    assert ran.code == 1
    told = ' '.join(ran.out.split())
    assert "broken: user 'ana', entry 2: what was done, to what, by whom, when, or its hashes were changed" in told
    assert 'broken: 6 entries of 3 chains' in told
    found = cli('verify', '--json')
    assert found.code == 1
    (first, second) = found.json['breaks']
    assert (found.json['ok'], first['seq'], first['reason'], first['owner']['key']) == (False, 2, 'link', 'ana')
    assert (second['seq'], second['owner']['key']) == (2, EVIL)
    assert cli('verify', '--project', 'acme').code == 0


def test_who_it_is_can_not_steer_the_terminal(cli: Cli, filled: Path) -> None:
    tamper(filled, "UPDATE memory SET text = 'x' WHERE text = 'likes chess'")
    ran = cli('verify')
    assert ran.code == 1
    assert '\u202e' not in ran.out
    assert '[red]x' in ran.out
    assert 'chess' not in ran.out


def test_a_checkpoint_is_written_once_and_compared_with(cli: Cli, filled: Path, tmp_path: Path) -> None:
    anchor = tmp_path / 'anchor.json'
    assert 'checkpoint written to' in cli('verify', '--checkpoint', str(anchor)).err
    document = json.loads(anchor.read_text('utf-8'))
    assert document['projects'] == {'default': {'owners': 2, 'entries': 5}, 'acme': {'owners': 1, 'entries': 1}}
    again = cli('verify', '--checkpoint', str(anchor))
    assert again.code == 2
    assert 'exists' in again.err
    assert '3 chains compared with the anchor' in ' '.join(cli('verify', '--anchor', str(anchor)).out.split())
    tamper(filled, 'DELETE FROM history WHERE row >> 24 = 3')
    tamper(filled, 'DELETE FROM history_text WHERE row >> 24 = 3')
    tamper(filled, 'DELETE FROM memory WHERE owner = 3')
    tamper(filled, "UPDATE owner SET chain_length = 0, chain_head = '' WHERE id = 3")
    assert cli('verify').code == 0
    ran = cli('verify', '--anchor', str(anchor))
    assert ran.code == 1
    assert 'entry 1 was there when the anchor was made' in ' '.join(ran.out.split())
    ran = cli('verify', '--anchor', str(anchor), '--checkpoint', str(tmp_path / 'next.json'))
    assert ran.code == 1
    assert 'no checkpoint was written' in ran.err
    assert not (tmp_path / 'next.json').exists()


def test_an_altered_checkpoint_or_one_of_another_file_is_refused(cli: Cli, filled: Path, tmp_path: Path) -> None:
    anchor = tmp_path / 'anchor.json'
    cli('verify', '--checkpoint', str(anchor))
    altered = tmp_path / 'altered.json'
    altered.write_text(anchor.read_text('utf-8').replace('"entries": 1', '"entries": 0'), 'utf-8')
    ran = cli('verify', '--anchor', str(altered))
    assert ran.code == 2
    assert 'altered' in ran.err
    with fast(tmp_path / 'other.db') as memory:
        memory.add('likes tea', user_id='ana')
    ran = cli('verify', '--database', str(tmp_path / 'other.db'), '--anchor', str(anchor))
    assert ran.code == 2
    assert 'another storage' in ' '.join(ran.err.split())
    ran = cli('verify', '--anchor', str(tmp_path / 'missing.json'))
    assert ran.code == 1
    assert 'missing.json' in ran.err.replace('\n', '')


def test_the_entries_can_be_written_as_lines_of_json(cli: Cli, filled: Path, tmp_path: Path) -> None:
    file = tmp_path / 'log.jsonl'
    assert cli('verify', '--export', str(file)).code == 0
    lines = [json.loads(line) for line in file.read_text('utf-8').splitlines()]
    assert len(lines) == 6
    assert 'Porto' in file.read_text('utf-8')
    printed = cli('verify', '--user', 'ana', '--export', '-', '--no-words')
    assert [json.loads(line)['seq'] for line in printed.out.splitlines()] == [1, 2, 3]
    assert 'Porto' not in printed.out
    assert 'Whole' in printed.err
    assert cli('verify', '--export', str(file)).code == 1  # it is there already


def test_a_file_that_is_not_there_is_no_whole_one(cli: Cli, database: Path) -> None:
    ran = cli('verify')
    assert ran.code == 2
    assert 'does not exist' in ' '.join(ran.err.split())
    assert not database.exists()


def test_an_erasure_is_proved_by_its_receipt(cli: Cli, filled: Path, tmp_path: Path) -> None:
    file = tmp_path / 'receipt.json'
    with fast(filled) as memory:
        file.write_text(memory.forget(user_id='ana').to_json(), 'utf-8')
    ran = cli('verify', '--erasure', str(file), '--text', 'home.city is Porto')
    assert (ran.code, ran.out.startswith('The erasure of')) == (0, True), ran.out
    assert cli('verify', '--erasure', str(file), '--json').json['ok'] is True
    assert cli('verify').code == 0
    ran = cli('verify', '--erasure', str(file), '--text', 'likes chess')
    assert ran.code == 1
    assert 'chess' not in ran.out
    file.write_text(file.read_text('utf-8').replace('"episodes": 2', '"episodes": 1'), 'utf-8')
    ran = cli('verify', '--erasure', str(file))
    assert ran.code == 1
    assert 'altered' in ran.out


def test_all_that_an_export_held_is_searched_for_after_an_erasure(cli: Cli, filled: Path, tmp_path: Path) -> None:
    receipt, export, lines = tmp_path / 'receipt.json', tmp_path / 'ana.json', tmp_path / 'ana.txt'
    cli('export', '-u', 'ana', '-o', str(export))
    proving = ('verify', '--erasure', str(receipt), '--texts')
    receipt.write_text('{}')
    assert cli(*proving, str(tmp_path / 'none.txt')).code != 0
    receipt.unlink()
    with fast(filled) as memory:
        receipt.write_text(memory.forget(user_id='ana').to_json(), 'utf-8')
    bare = cli('verify', '--erasure', str(receipt))
    assert ('--text' in bare.err, 'scrubbed' in bare.out) == (True, False)
    ran = cli(*proving, str(export))
    assert (ran.code, 'searched for in tables and files, none found' in ran.out) == (0, True), ran.out + ran.err
    lines.write_text('home.city is Porto\nlikes chess\n')
    ran = cli(*proving, str(lines))
    assert (ran.code, 'text 2: “likes chess”' in ran.err) == (1, True)
    assert 'somebody else said it' in ran.out
    for wrong in ('{"episodes": 3}', '{"episodes": [], "memories": []}'):
        lines.write_text(wrong)
        assert cli(*proving, str(lines)).code == 2


def test_an_erasure_that_was_undone_by_a_restore_is_not_said_to_hold(cli: Cli, filled: Path, tmp_path: Path) -> None:
    receipt, export = tmp_path / 'receipt.json', tmp_path / 'ana.json'
    cli('export', '-u', 'ana', '-o', str(export))
    cli('forget', '--all', '-u', 'ana', '--yes', '--receipt', str(receipt))
    with fast(filled) as memory:
        assert memory.import_subject(export, restore=True).status == 'restored'
    ran = cli('verify', '--erasure', str(receipt))
    assert (ran.code, 'was undone' in ran.out, 'gone' in ran.out) == (1, True, False), ran.out
    told = cli('verify', '--erasure', str(receipt), '--json').json
    assert (told['ok'], told['restored']) == (True, True)  # nobody tampered with anything, and it is there again


def test_a_file_that_is_not_what_it_should_be_is_named(cli: Cli, filled: Path, tmp_path: Path) -> None:
    wrong, receipt = tmp_path / 'wrong.json', tmp_path / 'receipt.json'
    cli('forget', '--all', '-u', 'ana', '--yes', '--receipt', str(receipt))
    for content in (b'xx\n', b'{}', b'{"format": "memoranda.subject"}', b'{"format": 1}', b'\xff\xfe'):
        wrong.write_bytes(content)
        for option in ('--erasure', '--anchor'):
            ran = cli('verify', option, str(wrong))
            said = ' '.join(ran.err.split())
            assert (ran.code, 'wrong.json' in said, "b'" in said, 'KeyError' in said) == (2, True, False, False), said
    for content in (b'', b'\n \n', b'\xff\xfe'):
        wrong.write_bytes(content)
        ran = cli('verify', '--erasure', str(receipt), '--texts', str(wrong))
        assert (ran.code, 'wrong.json' in ran.err, 'unexpected' in ran.err) == (2, True, False), ran.err


def test_an_id_that_nothing_is_recorded_of_is_doubted(cli: Cli, filled: Path) -> None:
    ran = cli('verify', '--user', 'anna')
    assert (ran.code, 'is the id right?' in ran.err) == (0, True)
    assert 'is the id right?' not in cli('verify', '--user', 'ana').err


def test_options_that_do_not_go_together_are_refused(cli: Cli, filled: Path, tmp_path: Path) -> None:
    assert cli('verify', '--text', 'x').code == 2
    assert cli('verify', '--texts', str(filled)).code == 2
    assert cli('verify', '--erasure', str(filled), '--anchor', str(filled)).code == 2
    assert cli('verify', '--user', 'ana', '--run', 'r1').code == 2
