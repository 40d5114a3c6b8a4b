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
