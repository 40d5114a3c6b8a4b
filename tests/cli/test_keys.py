from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from _fakes import fast
from memoranda.keys import well_formed

if TYPE_CHECKING:
    from conftest import Cli


def test_a_key_is_shown_once_and_nothing_else_goes_to_standard_output(cli: Cli) -> None:
    made = cli('keys', 'create', 'app', '--role', 'writer')
    assert made.code == 0
    assert well_formed(made.out.strip())
    assert 'app: writer in project default' in made.err
    assert 'shown this once' in made.err
    listed = cli('keys', 'list')
    assert made.out.strip() not in listed.out
    assert made.out.strip()[-4:] in listed.out


def test_keys_as_json(cli: Cli) -> None:
    made = cli('keys', 'create', 'app', '--role', 'admin', '--user', 'ana', '--expires', '90d', '--json').json
    assert well_formed(made['secret'])
    assert (made['name'], made['role'], made['user_id'], made['in_force']) == ('app', 'admin', 'ana', True)
    (listed,) = cli('keys', 'list', '--json').json
    assert listed == {name: value for name, value in made.items() if name != 'secret'}
    assert made['created_by'].startswith('cli:')


def test_keys_are_of_the_project_that_is_named(cli: Cli) -> None:
    cli('keys', 'create', 'app', '--project', 'acme')
    assert cli('keys', 'list', '--json').json == []
    assert 'none in force' in cli('keys', 'list').err
    assert [key['project'] for key in cli('keys', 'list', '--project', 'acme', '--json').json] == ['acme']


def test_a_key_is_named_by_its_name_or_a_part_of_its_id(cli: Cli) -> None:
    first = cli('keys', 'create', 'app', '--json').json
    rotated = cli('keys', 'rotate', 'app', '--overlap', '24h', '--json').json
    assert rotated['replaces'] == first['id']
    assert len(cli('keys', 'list', '--json').json) == 2
    several = cli('keys', 'revoke', 'app')
    assert (several.code, several.out) == (2, '')
    assert "'app' is the name of 2 keys in force" in several.err
    assert cli('keys', 'revoke', first['id'][-12:]).code == 0
    assert 'revoked: app' in cli('keys', 'revoke', 'app').err
    assert cli('keys', 'list', '--json').json == []
    assert {key['in_force'] for key in cli('keys', 'list', '--all', '--json').json} == {False}
    assert 'revoked' in cli('keys', 'list', '--all').out
    ended = cli('keys', 'rotate', 'app')
    assert (ended.code, ended.out) == (3, '')
    assert "no key 'app' is in force any more" in ended.err


@pytest.mark.parametrize(
    ('arguments', 'code', 'said'),
    [
        (('create', 'app', '--role', 'root'), 2, 'is no role'),
        (('create', 'a\nb'), 2, 'name='),
        (('create', 'app', '--expires', 'soon'), 2, 'is no date and no time span'),
        (('create', 'app', '--expires', '2001-01-01'), 2, 'has passed'),
        (('create', 'taken'), 1, 'in force'),
        (('revoke', 'nobody'), 2, "no key in force is called 'nobody'"),
        (('revoke', '0123456789ab'), 3, 'no key'),
        (('rotate', 'taken', '--overlap', 'long'), 2, 'is no time span'),
    ],
)
def test_what_can_not_be_done_is_told(cli: Cli, arguments: tuple[str, ...], code: int, said: str) -> None:
    cli('keys', 'create', 'taken')
    ran = cli('keys', *arguments)
    assert (ran.code, ran.out) == (code, '')
    assert said in ran.err


def test_it_is_audited_on_the_account_of_whoever_runs_it(cli: Cli, database: Path) -> None:
    cli('keys', 'create', 'app')
    with fast(database) as memory:
        (entry,) = memory.project_wide().audit_log().items
    assert entry.op == 'key'
    assert entry.actor.startswith('cli:')
