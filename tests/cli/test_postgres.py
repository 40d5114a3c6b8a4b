from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from _postgres import PASSWORD, available, fresh_database, name_of, server

if TYPE_CHECKING:
    from conftest import Cli

pytestmark = pytest.mark.skipif(not available(), reason='no PostgreSQL for this platform')


@pytest.fixture
def url() -> Iterator[str]:
    with fresh_database(tables=True) as url:
        yield url


def test_the_commands_work_on_a_url_and_show_no_password(cli: Cli, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MEMORANDA_DATABASE', url)
    told = [cli('add', 'I live in Lisbon.'), cli('search', 'Lisbon'), cli('doctor'), cli('doctor', '--json')]
    assert [ran.code for ran in told] == [0, 0, 0, 0]
    assert 'Lisbon' in told[1].out
    facts = told[3].json
    assert (facts['backend'], facts['owners'], facts['problems']) == ('postgresql', 1, [])
    assert facts['database'].endswith(f'/{name_of(url)}')
    assert cli('verify').code == 0
    for ran in told:
        assert 'tr0ub' not in ran.out + ran.err


def test_what_is_wrong_is_told_by_the_doctor(cli: Cli, url: str) -> None:
    ran = cli('doctor', '--json', '-d', server().url(name_of(url), password='wr0ng'))
    assert ran.code == 1
    assert 'refused the user or the password' in ran.json['problems'][0]
    assert 'wr0ng' not in ran.out
    assert PASSWORD not in ran.out


def test_a_database_that_only_reads_is_told_of(cli: Cli, url: str) -> None:
    reading = f'{url}?options=-c%20default_transaction_read_only%3Don'
    ran = cli('doctor', '--json', '-d', reading)
    assert ran.code == 0
    (warning,) = ran.json['warnings']
    assert 'only reads, so nothing can be added' in warning
    assert 'target_session_attrs=read-write' in warning
    assert 'only reads' in cli('add', 'I live in Lisbon.', '-d', reading).err


def test_a_backup_names_the_command_that_makes_one(cli: Cli, url: str) -> None:
    told = ' '.join(cli('backup', 'memory.db', '-d', f'{url}?schema=part_0').err.split())
    assert 'pg_dump --format=custom --schema=part_0 --file=memoranda.dump postgresql://' in told
    assert '?schema' not in told
    shards = ' '.join(cli('backup', 'memory.db', '-d', f'shards: {url}?schema=part_{{0..1}}').err.split())
    assert 'back up one after the other' in shards
