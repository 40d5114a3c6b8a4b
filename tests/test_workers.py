"""Four `memoranda worker` processes on one PostgreSQL database."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import _postgres
from _fakes import subprocess_environment
from memoranda import Memory
from memoranda.settings import Settings
from memoranda.testing import HashingEmbedder

pytestmark = pytest.mark.skipif(not _postgres.available(), reason='needs psycopg and a PostgreSQL from a wheel')

WORKERS = 4
USERS = 5
TURNS = 4
SECONDS = 90
"""What a hung test waits before it says so; nothing here takes that long."""

# The command as it is, but for a model that notes when it is asked and when it has answered, and an embedder that needs
# no loading. The model answers nobody before every process has asked: so all of them take part.
PROCESS = """
    import asyncio, json, os, sys
    import memoranda.embedders, memoranda.write.rules
    from memoranda.testing import HashingEmbedder
    from memoranda.write.extract import Extraction, Proposal, Quote

    number, count, path = int(sys.argv.pop(1)), int(sys.argv.pop(1)), sys.argv.pop(1)
    log = os.open(path, os.O_WRONLY | os.O_APPEND)

    def note(what, request):
        said = [m.text for m in request.messages]
        os.write(log, json.dumps([number, what, said]).encode() + b'\\n')

    class Model:
        name = 'model of the test'

        async def extract(self, request):
            note('asked', request)
            while len({line[:2] for line in open(path, 'rb')}) < count:
                await asyncio.sleep(0.005)
            note('answered', request)
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
def url() -> Iterator[str]:
    with _postgres.fresh_database() as url:
        yield url


@contextmanager
def worker(number: int, log: Path, url: str) -> Iterator[subprocess.Popen[str]]:
    """The command, in a process of its own."""
    settings = {'DATABASE': url, 'POLL_SECONDS': '0.1', 'POSTGRES_POOL': '4'}
    with subprocess.Popen(
        [
            sys.executable,
            '-c',
            textwrap.dedent(PROCESS),
            str(number),
            str(WORKERS),
            str(log),
            'worker',
            '--concurrency',
            '1',
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**subprocess_environment(), **{f'MEMORANDA_{name}': value for name, value in settings.items()}},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def started(process: subprocess.Popen[str]) -> None:
    """Wait until it looks for jobs."""
    assert process.stderr is not None
    said = ''
    for line in process.stderr:
        said += line
        if 'started on' in line:
            return
    raise AssertionError(said)


def ended(process: subprocess.Popen[str]) -> None:
    """Ask it to end, and wait."""
    assert process.stderr is not None
    process.send_signal(signal.SIGTERM)
    said = process.stderr.read()
    assert process.wait(SECONDS) == 0, said


def said_by(user: int, turn: int) -> str:
    return f'user {user} told thing {turn}'


@pytest.mark.skipif(os.name != 'posix', reason='signals are POSIX ones')
def test_four_processes_do_every_job_once_and_those_of_an_owner_in_order(tmp_path: Path, url: str) -> None:
    log = tmp_path / 'log'
    log.touch()
    with ExitStack() as stack:
        settings = Settings(workers=0, errors='raise')
        memory = stack.enter_context(Memory(url, embedder=HashingEmbedder(), settings=settings))
        memory.add('made before them', user_id='first', infer=False)  # the tables, and those of the vectors
        workers = [stack.enter_context(worker(number, log, url)) for number in range(WORKERS)]
        for process in workers:
            started(process)
        for turn, user in itertools.product(range(TURNS), range(USERS)):
            memory.add(said_by(user, turn), user_id=f'user-{user}', background=True)
        assert memory.flush(SECONDS) == 0
        for process in workers:
            ended(process)
        stats = memory.stats()
        assert (stats.jobs_queued, stats.jobs_dead) == (0, 0)
        for user in range(USERS):
            found = memory.get_all(user_id=f'user-{user}', limit=100)
            assert sorted(record.text for record in found) == sorted(said_by(user, turn) for turn in range(TURNS))
            assert {record.confirmations for record in found} == {1}
        assert not memory.verify(all_projects=True).breaks

    noted = [json.loads(line) for line in log.read_text().splitlines()]
    per_user: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for _, what, (text,) in noted:
        per_user[text.partition(' told ')[0]].append((what, text))
    for user in range(USERS):
        expected = [(what, said_by(user, turn)) for turn in range(TURNS) for what in ('asked', 'answered')]
        assert per_user[f'user {user}'] == expected
    share = Counter(number for number, what, _ in noted if what == 'asked')
    assert len(share) == WORKERS
