"""`memoranda jobs`, and what `memoranda doctor` says of the queue."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw
import pytest

from _fakes import fast
from memoranda import Memory
from memoranda.settings import Settings
from memoranda.testing import ScriptedExtractor

if TYPE_CHECKING:
    from conftest import Cli

EVIL = 'no \x1b[31manswer\x1b]0;owned\x07 \u202ereversed\u202c [red]markup[/red] \x9b2J'


def queue_up(database: Path, *users: str, project: str = 'default') -> list[str]:
    """A background add of each, that nobody does. Returns the jobs' ids."""
    with fast(database, settings=Settings(workers=0), project=project) as memory:
        found = [memory.add(f'{user} likes tea', user_id=user, background=True).job_id for user in users]
    return [str(job_id) for job_id in found]


def fail(database: Path, *, tries: int = 1, error: str = 'no answer', wait: float = 3600) -> None:
    """Do what is due with a model that fails, and give it up after so many tries."""
    settings = Settings(workers=0, max_attempts=tries, retry_seconds=wait, max_retry_seconds=wait)

    def no_answer(request: Any) -> Any:
        raise RuntimeError(error)

    with fast(database, settings=settings, extractor=ScriptedExtractor(no_answer)) as memory:
        while memory.process_one_job() is not None:
            pass


def do(database: Path) -> None:
    """Do what is due."""
    with fast(database, settings=Settings(workers=0)) as memory:
        while memory.process_one_job() is not None:
            pass


def listed(cli: Cli, *options: str) -> list[tuple[str, str]]:
    """Status and user of each job, latest first."""
    items = cli('jobs', 'list', '--json', *options).json['items']
    return [(item['status'], item['scope']['user_id']) for item in items]


@pytest.mark.parametrize('command', ['list', 'show', 'retry', 'drop'])
def test_every_command_of_jobs_explains_itself_and_speaks_json(cli: Cli, command: str) -> None:
    ran = cli('jobs', command, '--help')
    assert ran.code == 0
    assert '--json' in ran.out
    assert '--database' in ran.out
    assert '--all' in ran.out


def test_jobs_of_the_scope_are_listed_latest_first(cli: Cli, database: Path) -> None:
    queue_up(database, 'ana', 'ben', 'ana')
    assert listed(cli, '-u', 'ana') == [('queued', 'ana'), ('queued', 'ana')]
    assert listed(cli, '--all') == [('queued', 'ana'), ('queued', 'ben'), ('queued', 'ana')]
    assert listed(cli, '--all', '--project', 'other') == []
    shown = cli('jobs', 'list', '-u', 'ben')
    assert 'Jobs of user ben' in shown.err
    assert shown.out.count('queued') == 1
    assert 'none' in cli('jobs', 'list').err
    everybody = cli('jobs', 'list', '-a')
    assert 'everybody in the project' in everybody.err
    assert 'user ben' in everybody.out


def test_jobs_are_listed_a_page_at_a_time(cli: Cli, database: Path) -> None:
    ids = queue_up(database, 'ana', 'ben', 'eve')
    first = cli('jobs', 'list', '--all', '--limit', '2', '--json').json
    assert [item['id'] for item in first['items']] == [ids[2], ids[1]]
    rest = cli('jobs', 'list', '--all', '--cursor', first['cursor'], '--json').json
    assert ([item['id'] for item in rest['items']], rest['cursor']) == ([ids[0]], None)
    assert f'more: --cursor {ids[1]}' in cli('jobs', 'list', '--all', '--limit', '2').err


def test_jobs_are_listed_by_state(cli: Cli, database: Path) -> None:
    queue_up(database, 'ana')
    do(database)
    queue_up(database, 'ben')
    fail(database)
    queue_up(database, 'eve')
    assert listed(cli, '--all', '--state', 'dead') == [('dead', 'ben')]
    assert listed(cli, '--all', '-s', 'dead', '-s', 'done') == [('dead', 'ben'), ('done', 'ana')]
    assert listed(cli, '--all') == [('queued', 'eve'), ('dead', 'ben'), ('done', 'ana')]
    wrong = cli('jobs', 'list', '--state', 'gone')
    assert wrong.code == 2
    assert 'retrying' in wrong.err


def test_a_job_is_shown_with_its_error_and_what_can_be_done(cli: Cli, database: Path) -> None:
    (job_id,) = queue_up(database, 'ana')
    fail(database, tries=2)
    waiting = cli('jobs', 'show', job_id, '-u', 'ana')
    assert waiting.code == 0
    for words in (job_id, 'retrying', 'user ana, project default', 'RuntimeError: no answer', 'in '):
        assert words in waiting.out
    assert f'memoranda jobs retry {short(job_id)} --all' in waiting.err
    assert 'next try in' in cli('jobs', 'list', '-u', 'ana').out
    cli('jobs', 'retry', job_id, '-u', 'ana')
    fail(database)
    found = cli('jobs', 'show', short(job_id), '--all', '--json').json
    assert (found['id'], found['status'], found['attempts']) == (job_id, 'dead', 1)
    assert found['last_error'] == 'RuntimeError: no answer'
    assert f'memoranda jobs drop {short(job_id)} --all' in cli('jobs', 'show', job_id, '--all').err


def short(job_id: str) -> str:
    return job_id.replace('-', '')[-8:]


def test_a_job_of_somebody_else_is_not_found(cli: Cli, database: Path) -> None:
    ana, ben = queue_up(database, 'ana', 'ben')
    for command in (
        ('show', ben),
        ('show', short(ben)),
        ('retry', ben),
        ('drop', ben, '--yes'),
        ('drop', ana, ben, '-y'),
    ):
        assert cli('jobs', *command, '-u', 'ana').code == 3
    assert listed(cli, '--all') == [('queued', 'ben'), ('queued', 'ana')]
    assert cli('jobs', 'show', ben, '--all', '--project', 'other').code == 3
    assert cli('jobs', 'show', 'zz', '--all').code == 2
    assert cli('jobs', 'show', ben, '--all', '-u', 'ben').code == 2


def test_a_short_id_that_fits_several_jobs_names_them(cli: Cli, database: Path) -> None:
    ids = queue_up(database, 'ana', 'ben')
    common = ids[0][:8]
    assert ids[1].startswith(common)
    ran = cli('jobs', 'show', common, '--all')
    assert ran.code == 2
    assert '2 jobs' in ran.err


def test_what_was_given_up_is_tried_again(cli: Cli, database: Path) -> None:
    queue_up(database, 'ana', 'ben')
    fail(database)
    assert 'none was given up' in cli('jobs', 'retry', '--dead').err
    one = cli('jobs', 'retry', '--dead', '-u', 'ana')
    assert one.code == 0
    assert '1 job due again' in one.out
    assert listed(cli, '--all') == [('dead', 'ben'), ('queued', 'ana')]
    again = cli('jobs', 'retry', '--dead', '--all', '--json').json
    assert [(item['status'], item['attempts']) for item in again['items']] == [('queued', 0)]
    do(database)
    assert listed(cli, '--all') == [('done', 'ben'), ('done', 'ana')]


def test_what_can_not_be_tried_again_is_named_and_the_rest_is(cli: Cli, database: Path) -> None:
    (finished,) = queue_up(database, 'ana')
    do(database)
    (given_up,) = queue_up(database, 'ana')
    fail(database)
    ran = cli('jobs', 'retry', finished, given_up, '-u', 'ana')
    assert ran.code == 1
    assert '1 job due again' in ran.out
    assert finished in ran.err
    assert 'is done' in ' '.join(ran.err.split())
    assert listed(cli, '--all') == [('queued', 'ana'), ('done', 'ana')]
    refused = cli('jobs', 'retry', finished, '-u', 'ana', '--json')
    assert (refused.code, refused.json['items'], list(refused.json['refused'])) == (1, [], [finished])


def test_retry_and_drop_want_to_know_what(cli: Cli) -> None:
    assert cli('jobs', 'retry').code == 2
    assert cli('jobs', 'retry', 'abcd1234', '--dead').code == 2
    assert cli('jobs', 'drop', '--yes').code == 2
    assert cli('jobs', 'nonsense').code == 2


def test_dropping_asks_first_and_keeps_the_messages(cli: Cli, database: Path) -> None:
    ana, ben = queue_up(database, 'ana', 'ben')
    refused = cli('jobs', 'drop', ana, ben, '--all', input='n\n')
    assert refused.code == 1
    assert 'nothing was changed' in refused.err
    assert 'user ben' in refused.err
    assert cli('jobs', 'drop', ana, '--all', input='').code == 1
    assert listed(cli, '--all') == [('queued', 'ben'), ('queued', 'ana')]
    assert 'Dropped 1 job' in cli('jobs', 'drop', short(ana), '--all', input='y\n').out
    dropped = cli('jobs', 'drop', ben, '--all', '--yes', '--json').json
    assert [item['status'] for item in dropped['items']] == ['dropped']
    assert cli('jobs', 'drop', ben, '--all', '--yes').code == 1
    assert [item['text'] for item in cli('list', '-u', 'ana', '--messages', '--json').json['items']] == [
        'ana likes tea'
    ]


def test_an_error_can_not_steer_the_terminal(cli: Cli, database: Path) -> None:
    (job_id,) = queue_up(database, 'ana [red]x')
    fail(database, error=EVIL)
    for command in (
        ('list', '--all'),
        ('list', '--all', '--json'),
        ('show', job_id, '--all'),
        ('show', job_id, '--all', '--json'),
        ('drop', job_id, '--all', '--yes', '--json'),
    ):
        ran = cli('jobs', *command)
        assert ran.code == 0
        for character in '\x1b\x07\x9b\u202e\u202c':
            assert character not in ran.out + ran.err, command
        assert '[red]x' in ran.out
        assert 'markup' in ran.out


def test_doctor_describes_the_queue(cli: Cli, database: Path) -> None:
    queue_up(database, 'ana', 'ben')
    ran = cli('doctor', '--json')
    assert ran.code == 0
    jobs = ran.json['jobs']
    assert (jobs['project'], jobs['queued']['count']) == ('default', 2)
    assert ran.json['warnings'] == [w for w in ran.json['warnings'] if 'nobody' not in w]
    assert re.search(r'jobs +2 waiting \(the oldest added \d+ s ago\)', cli('doctor').out)


def test_doctor_names_what_was_given_up_and_what_to_do(cli: Cli, database: Path) -> None:
    queue_up(database, 'ana')
    queue_up(database, 'ben', project='other')
    fail(database)
    ran = cli('doctor', '--json')
    assert ran.code == 1
    assert ran.json['jobs']['dead']['count'] == 1
    here, elsewhere = [problem for problem in ran.json['problems'] if 'given up' in problem]
    assert '1 job given up' in here
    assert 'memoranda jobs retry --all --dead' in here
    assert 'in other projects' in elsewhere
    assert '1 in other projects' in cli('doctor').out


def test_doctor_says_when_nobody_does_the_jobs(cli: Cli, database: Path) -> None:
    queue_up(database, 'ana')
    connection = apsw.Connection(str(database))
    connection.execute('UPDATE job SET run_after = run_after - 7200000000, created_at = created_at - 7200000000')
    connection.close()
    ran = cli('doctor', '--json')
    assert ran.code == 0
    (warning,) = [w for w in ran.json['warnings'] if 'nobody ' in w]  # the path has the word too
    assert 'due for 2 h' in warning
    assert 'memoranda worker' in warning


def test_an_empty_queue_is_said_to_be_empty(cli: Cli) -> None:
    with Memory() as memory:
        memory.stats()
    assert 'none left to do' in cli('doctor').out
    assert 'none' in cli('jobs', 'list', '--all').err
