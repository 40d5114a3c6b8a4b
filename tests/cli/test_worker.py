"""`memoranda worker`, most of it as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import pytest

from _fakes import fast, subprocess_environment, texts
from memoranda import Memory
from memoranda.settings import Settings

if TYPE_CHECKING:
    from conftest import Cli

posix = pytest.mark.skipif(os.name != 'posix', reason='signals are POSIX ones')
SECONDS = 90
"""What a hung test waits before it says so; nothing here takes that long."""
IDLE = Settings(workers=0)

# The command as it is, but for a model that can be held up, and an embedder that needs no loading.
PROCESS = """
    import asyncio, os, signal, sys, threading
    import memoranda.embedders, memoranda.write.rules
    from memoranda.testing import HashingEmbedder
    from memoranda.write.extract import Extraction, Proposal, Quote

    mode, go = sys.argv.pop(1), sys.argv.pop(1)
    if mode == 'elsewhere':  # signals are taken by a thread that is not the main one
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    class Model:
        name = 'model of the test'

        async def extract(self, request):
            os.write(1, b'begun\\n')
            if mode == 'fails':
                raise RuntimeError('no answer to: ' + request.messages[0].text)
            while mode in ('held', 'elsewhere') and not os.path.exists(go):
                await asyncio.sleep(0.005)
            return Extraction(
                proposals=[Proposal(text=m.text, evidence=(Quote(i, 0, len(m.text)),))
                           for i, m in enumerate(request.messages)]
            )

    memoranda.write.rules.RulesExtractor = Model
    memoranda.embedders.resolve_embedder = lambda given: HashingEmbedder()

    from memoranda.cli import main
    main()
"""


@pytest.fixture
def go(tmp_path: Path) -> Path:
    """The file that lets a held model answer, once it is there."""
    return tmp_path / 'go'


@contextmanager
def worker(mode: str, go: Path, database: Path, *options: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The command, in a process of its own."""
    command = [sys.executable, '-c', textwrap.dedent(PROCESS), mode, str(go), 'worker', '-d', str(database), *options]
    settings = {f'MEMORANDA_{name.upper()}': value for name, value in environment.items()}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**subprocess_environment(), 'MEMORANDA_POLL_SECONDS': '0.02', **settings},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def told(process: subprocess.Popen[str], words: str) -> str:
    """Wait until it says this on standard error. Returns all that was said until then."""
    assert process.stderr is not None
    said = ''
    for line in process.stderr:
        said += line
        print('worker:', line, end='')  # shown where the test fails, were it by the time that it may take
        if words in line:
            return said
    raise AssertionError(f'it ended without {words!r}: {said}')


def begun(process: subprocess.Popen[str]) -> None:
    """Wait until the model is asked."""
    assert process.stdout is not None
    assert process.stdout.readline() == 'begun\n'


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Wait for a good end. Returns what it still said."""
    assert process.stdout is not None
    assert process.stderr is not None
    out, error = process.stdout.read(), process.stderr.read()
    assert process.wait(SECONDS) == 0, error
    return out, error


def queue_up(database: Path, *users: str, project: str = 'default') -> None:
    with fast(database, settings=IDLE, project=project) as memory:
        for user in users:
            assert memory.add(f'{user} likes tea', user_id=user, background=True).status == 'queued'


def states(database: Path, project: str = 'default') -> list[tuple[str, int]]:
    """Status and tries of every job, oldest first."""
    with fast(database, settings=IDLE, project=project) as memory:
        return [(job.status, job.attempts) for job in reversed(memory.project_wide().jobs().items)]


def done(memory: Memory) -> None:
    """Wait until the workers have done everything."""
    assert memory.flush(SECONDS) == 0


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another program has the file to itself."""
    connection = apsw.Connection(str(database))
    connection.pragma('locking_mode', 'exclusive')
    connection.execute('BEGIN EXCLUSIVE')
    try:
        yield
    finally:
        connection.execute('ROLLBACK')
        connection.close()


@contextmanager
def writing(database: Path) -> Iterator[None]:
    """Another program writes, and goes on writing; the file can be read."""
    connection = apsw.Connection(str(database))
    connection.execute('BEGIN IMMEDIATE')
    try:
        yield
    finally:
        connection.execute('ROLLBACK')
        connection.close()


@posix
def test_a_signal_lets_the_job_that_runs_end(tmp_path: Path, go: Path) -> None:
    database = tmp_path / 'm.db'
    queue_up(database, 'ana')
    with worker('held', go, database, '--drain-seconds', str(SECONDS)) as process:
        assert f'started on {database} with extractor model of the test, 8 at once' in told(process, 'started')
        begun(process)
        process.terminate()
        told(process, 'ending')
        go.touch()
        _, error = ended(process)
    assert 'ended: 1 job done, 0 failed tries, 0 left' in error
    assert states(database) == [('done', 1)]


@posix
def test_what_is_not_done_within_the_time_is_given_back(tmp_path: Path, go: Path) -> None:
    database = tmp_path / 'm.db'
    queue_up(database, 'ana', 'ben')
    with worker('held', go, database, '--drain-seconds', '0') as process:
        begun(process)
        begun(process)
        process.terminate()
        _, error = ended(process)
    assert 'ended: 0 jobs done, 0 failed tries, 2 left' in error
    assert states(database) == [('queued', 0), ('queued', 0)]


@posix
@pytest.mark.parametrize(('number', 'options'), [(signal.SIGINT, ()), (signal.SIGTERM, ('--once',))])
def test_a_second_signal_gives_back_at_once(
    tmp_path: Path, go: Path, number: signal.Signals, options: tuple[str, ...]
) -> None:
    database = tmp_path / 'm.db'
    queue_up(database, 'ana')
    with worker('held', go, database, '--drain-seconds', str(SECONDS), *options) as process:
        begun(process)
        process.send_signal(number)
        told(process, 'ending')
        process.send_signal(number)
        _, error = ended(process)
    assert 'giving back' in error
    assert states(database) == [('queued', 0)]


@posix
def test_a_signal_that_the_main_thread_does_not_take_ends_its_wait(tmp_path: Path, go: Path) -> None:
    database = tmp_path / 'm.db'
    queue_up(database, 'ana')
    with worker('elsewhere', go, database, '--once') as process:
        begun(process)
        process.terminate()
        told(process, 'ending')
        go.touch()
        _, error = ended(process)
    assert 'ended: 1 job done' in error


@posix
def test_two_workers_share_the_jobs_of_one_file(tmp_path: Path, go: Path) -> None:
    database = tmp_path / 'm.db'
    users = [f'user {i}' for i in range(10)]
    queue_up(database, *users)
    with worker('held', go, database, '--workers', '1', '--json') as slow:
        begun(slow)
        with worker('answers', go, database, '--json') as quick, fast(database, settings=IDLE) as memory:
            for _ in range(9):
                begun(quick)
            go.touch()
            done(memory)
            slow.terminate()
            quick.terminate()
            figures = [json.loads(ended(p)[0].replace('begun\n', '')) for p in (slow, quick)]
            assert [f['done'] for f in figures] == [1, 9]
            for user in users:
                assert texts(memory.get_all(user_id=user)) == [f'{user} likes tea']
    assert states(database) == [('done', 1)] * 10


@posix
def test_jobs_of_a_killed_worker_are_done_by_the_next(tmp_path: Path, go: Path) -> None:
    database = tmp_path / 'm.db'
    queue_up(database, 'ana')
    with worker('held', go, database) as process:
        begun(process)
        process.kill()
        process.wait(SECONDS)
    with worker('answers', go, database, '--once') as process:
        _, error = ended(process)
    assert '1 job done' in error


@posix
def test_a_database_that_is_locked_at_the_start_is_waited_for(tmp_path: Path, go: Path) -> None:
    database = tmp_path / 'm.db'
    queue_up(database, 'ana')
    with locked(database):
        stack = ExitStack()
        process = stack.enter_context(worker('answers', go, database, busy_timeout='0.05'))
        assert f'waiting: {database} stayed locked' in told(process, 'waiting')
    with stack:
        begun(process)
        told(process, 'started')
        process.terminate()
        ended(process)
    assert states(database) == [('done', 1)]


@posix
def test_a_folder_that_can_not_be_reached_yet_is_waited_for(tmp_path: Path, go: Path) -> None:
    database = tmp_path / 'folder' / 'm.db'
    (tmp_path / 'folder').write_text('in the way', encoding='utf-8')
    with worker('answers', go, database) as process:
        told(process, 'waiting')
        (tmp_path / 'folder').unlink()
        told(process, 'started')
        queue_up(database, 'ana')
        begun(process)
        process.terminate()
        ended(process)
    assert states(database) == [('done', 1)]


@posix
def test_a_signal_ends_it_while_it_waits_for_the_database(tmp_path: Path, go: Path) -> None:
    (tmp_path / 'folder').write_text('in the way', encoding='utf-8')
    with worker('answers', go, tmp_path / 'folder' / 'm.db', '--json') as process:
        told(process, 'waiting')
        process.terminate()
        out, error = ended(process)
    assert json.loads(out)['done'] == 0
    assert 'ended' not in error


@posix
def test_a_database_that_is_locked_later_is_waited_for(tmp_path: Path, go: Path) -> None:
    database = tmp_path / 'm.db'
    queue_up(database, 'ana')
    with worker('held', go, database, busy_timeout='0.05') as process:
        begun(process)
        with writing(database):
            go.touch()
            assert 'jobs wait, the storage fails (StoreBusy)' in told(process, 'jobs wait')
        told(process, 'works again')
        process.terminate()
        ended(process)
    assert states(database) == [('done', 1)]


def test_once_does_not_wait_for_a_locked_database(cli: Cli, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue_up(database, 'ana')
    monkeypatch.setenv('MEMORANDA_BUSY_TIMEOUT', '0.05')
    with locked(database):
        ran = cli('worker', '--once')
    assert ran.code == 1
    assert 'stayed locked' in ran.err


@pytest.mark.parametrize(('rule', 'known', 'waiting'), [('auto', 1, 0), ('review', 0, 1), ('drop', 0, 0)])
def test_it_goes_by_the_rules_of_the_settings_for_sources(
    tmp_path: Path, go: Path, rule: str, known: int, waiting: int
) -> None:
    database = tmp_path / 'm.db'
    with fast(database, settings=IDLE) as memory:
        memory.add('I live in Porto.', trust='tool', user_id='ana', background=True)
    with worker('answers', go, database, '--once', write=f'tool={rule}') as process:
        ended(process)
    with fast(database, settings=IDLE) as memory:
        found = len(memory.get_all(user_id='ana').items), len(memory.review.list(user_id='ana').items)
    assert found == (known, waiting)


@pytest.mark.parametrize('once', [(), ('--once',)])
def test_a_file_of_another_program_ends_it_with_the_error(cli: Cli, tmp_path: Path, once: tuple[str, ...]) -> None:
    path = tmp_path / 'theirs.db'
    connection = apsw.Connection(str(path))
    connection.execute('CREATE TABLE t(x)')
    connection.close()
    ran = cli('worker', '-d', str(path), *once)
    assert ran.code == 1
    assert 'another program' in ran.err
    assert 'started' not in ran.err


def test_a_newer_schema_ends_it_with_the_error(cli: Cli, database: Path) -> None:
    queue_up(database)
    connection = apsw.Connection(str(database))
    connection.pragma('user_version', 9999)
    connection.close()
    ran = cli('worker')
    assert ran.code == 1
    assert 'upgrade' in ran.err


def test_once_does_what_is_due_in_every_project_and_ends(cli: Cli, database: Path) -> None:
    for project in ('default', 'other'):
        with Memory(database, project=project, settings=IDLE) as memory:
            memory.add('I live in Lisbon.', user_id='ana', background=True)
            memory.add('I moved to Porto.', user_id='ana', background=True)
    ran = cli('worker', '--once', '--json')
    assert ran.code == 0
    figures = ran.json
    assert (figures.pop('seconds') >= 0, figures) == (
        True,
        {'database': str(database), 'done': 4, 'failed': 0, 'dead': 0, 'left': 0},
    )
    assert [item['value'] for item in cli('list', '-u', 'ana', '--project', 'other', '--json').json['items']] == [
        'Porto'
    ]
    again = cli('worker', '--once')
    assert (again.code, again.out) == (0, '')
    assert '0 jobs done' in again.err


def test_once_leaves_what_is_not_due_yet(cli: Cli, database: Path) -> None:
    patient = Settings(workers=0, batch_turns=10, batch_seconds=3600)
    with Memory(database, settings=patient) as memory:
        memory.add('I live in Lisbon.', user_id='ana', run_id='monday', background=True)
    assert '0 jobs done, 0 failed tries, 1 left' in cli('worker', '--once').err


@posix
def test_a_worker_touches_the_file_of_its_probe(cli: Cli, tmp_path: Path) -> None:
    alive = tmp_path / 'alive'
    assert cli('worker', '--once', '--alive-file', str(alive)).code == 0
    assert alive.exists()


def test_a_file_of_a_probe_that_can_not_be_written_ends_it_with_the_error(cli: Cli, tmp_path: Path) -> None:
    ran = cli('worker', '--once', '--alive-file', str(tmp_path / 'missing' / 'alive'))
    assert ran.code == 1
    assert 'name a file in a folder that exists' in ran.err


def test_what_failed_is_counted_and_nothing_that_was_said_is_shown(tmp_path: Path, go: Path) -> None:
    database = tmp_path / 'm.db'
    queue_up(database, 'ana', 'ben')
    with worker('fails', go, database, '--once', '--verbose', '--json', max_attempts='1') as process:
        out, error = ended(process)
    figures = json.loads(out.replace('begun\n', ''))
    assert (figures['done'], figures['failed'], figures['dead'], figures['left']) == (0, 2, 2, 0)
    assert '0 jobs done, 2 failed tries, 2 given up' in error
    assert 'given up, `memoranda jobs show' in error
    assert 'tea' not in error + out
    assert states(database) == [('dead', 1), ('dead', 1)]


@posix
def test_a_failed_job_waits_for_its_next_try(tmp_path: Path, go: Path) -> None:
    database = tmp_path / 'm.db'
    queue_up(database, 'ana')
    with worker('fails', go, database, '--once', retry_seconds='3600', max_retry_seconds='3600') as process:
        _, error = ended(process)
    assert '0 jobs done, 1 failed try, 1 left' in error
    assert states(database) == [('retrying', 1)]


def test_a_setting_that_is_wrong_is_named_and_ends_once(
    cli: Cli, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_up(database, 'ana')
    monkeypatch.setenv('MEMORANDA_MODEL', 'nobody:knows')
    ran = cli('worker', '--once')
    assert ran.code == 1
    assert 'nobody' in ran.err
    assert states(database) == [('retrying', 0)]


def test_vectors_of_another_embedder_end_it_with_the_error(cli: Cli, database: Path) -> None:
    with fast(database) as memory:
        memory.add('Ana likes tea', user_id='ana')
    ran = cli('worker')
    assert ran.code == 1
    assert 'memoranda reindex' in ran.err


@pytest.mark.parametrize(
    'wrong', [('--workers', '0'), ('--drain-seconds', '-1'), ('--user', 'ana'), ('extra',)], ids=' '.join
)
def test_what_can_not_be_used_is_wrong_usage(cli: Cli, wrong: tuple[str, ...]) -> None:
    assert cli('worker', '--once', *wrong).code == 2


def test_no_other_command_does_jobs(cli: Cli) -> None:
    told = cli('add', 'I live in Lisbon.', '--background')
    assert told.code == 0
    assert 'queued' in told.out
    for command in (('list',), ('search', 'Lisbon'), ('jobs', 'list'), ('doctor',), ('add', 'Likes tea', '-u', 'ben')):
        assert cli(*command).code == 0
    assert cli('list', '--json').json['items'] == []
    assert [item['text'] for item in cli('search', 'Lisbon', '--json').json] == ['I live in Lisbon.']
    assert cli('worker', '--once').code == 0
    assert [item['value'] for item in cli('list', '--json').json['items']] == ['Lisbon']


def test_an_inline_add_does_what_waited_before_it(cli: Cli) -> None:
    receipt = cli('add', 'I live in Lisbon.', '--background', '--json').json
    assert (receipt['status'], len(receipt['episode_ids']), receipt['changes']) == ('queued', 1, [])
    assert 'follower' not in receipt
    assert cli('add', 'I moved to Porto.', '--json').json['status'] == 'done'
    assert cli('jobs', 'show', receipt['job_id'], '--json').json['status'] == 'done'
    assert [item['value'] for item in cli('list', '--json').json['items']] == ['Porto']
