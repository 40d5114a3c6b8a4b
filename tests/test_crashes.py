"""SIGKILL between the steps of the write path, and fifty of them at random instants (`benchmarks/crashes.py`)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from textwrap import dedent

import apsw
import pytest

from _fakes import subprocess_environment
from memoranda import Memory
from memoranda.settings import Settings
from memoranda.testing import HashingEmbedder, ScriptedExtractor
from test_processes import check_file, child, line

STORM_SECONDS = 300
"""What fifty kills may take, on a machine that is busy with other things; alone it takes half a minute."""
pytestmark = [
    pytest.mark.skipif(os.name != 'posix', reason='signals are POSIX ones'),
    pytest.mark.timeout(STORM_SECONDS + 60),
]

STORM = Path(__file__).parents[1] / 'benchmarks' / 'crashes.py'

WRITER = """
    m = memory()  # not entered: this process stores, and does nothing in the background
    for text in sys.argv[2:]:
        done = m.add(text, user_id='ana', background=True)
        say(done.status, done.job_id)
    sys.stdin.readline()
"""
INLINE = """
    class Waiting:
        name = 'waiting'
        def propose(self, request):
            say('asked', request.messages[0].text)
            sys.stdin.readline()
    m = Memory(path, embedder=HashingEmbedder(), extractor=Waiting())
    m.add('I like tea', user_id='ana', idempotency_key='k')
"""
# A lease of a day: only the death of its holder can end it before the test does.
WORKER = """
    import asyncio
    from memoranda import AsyncMemory
    from memoranda.settings import Settings

    class Endless:
        name = 'endless'
        async def extract(self, request):
            say('asked', request.messages[0].text)
            await asyncio.Event().wait()

    async def main():
        settings = Settings(lease_seconds=86_400)
        async with AsyncMemory(path, embedder=HashingEmbedder(), extractor=Endless(), settings=settings) as m:
            say('ready')
            await asyncio.Event().wait()

    asyncio.run(main())
"""


def memory(path: Path, *, workers: int = 8) -> tuple[Memory, ScriptedExtractor]:
    extractor = ScriptedExtractor()
    settings = Settings(workers=workers, poll_seconds=0.05)
    return Memory(path, embedder=HashingEmbedder(), extractor=extractor, settings=settings), extractor


def kill(*processes: subprocess.Popen[str]) -> None:
    """All at the same instant; then until they are gone."""
    for process in processes:
        process.kill()
    for process in processes:
        process.wait(timeout=60)


def check_done_once(m: Memory, *texts: str) -> None:
    """Each message is there and said one fact, by one change of its job."""
    assert [e.text for e in m.episodes(user_id='ana').items] == list(texts)
    assert [(f.text, f.confirmations) for f in m.get_all(user_id='ana')] == [(text, 1) for text in texts]
    assert [[e.op for e in m.history(f.id, user_id='ana')] for f in m.get_all(user_id='ana')] == [
        ['add'] for _ in texts
    ]
    jobs = m.jobs(user_id='ana').items
    assert [(job.status, job.last_error) for job in jobs] == [('done', None)] * len(texts)
    assert {c.job_id for c in m.changes(user_id='ana')} == {job.id for job in jobs}


def test_what_a_writer_stored_before_it_was_killed_is_done_by_the_next_open(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    with child(WRITER, path, 'I like tea', 'I like jazz') as writer:
        receipts = [line(writer).split() for _ in range(2)]
        kill(writer)
    assert [status for status, _ in receipts] == ['queued', 'queued']
    m, extractor = memory(path)
    with m:
        assert m.flush(timeout=60) == 0
        check_done_once(m, 'I like tea', 'I like jazz')
        assert [m.job(id_, user_id='ana').attempts for _, id_ in receipts] == [1, 1]
        assert len(extractor.requests) == 2
    check_file(path)


def test_a_message_is_done_by_the_next_open_when_its_writer_was_killed_in_the_middle_of_an_inline_add(
    tmp_path: Path,
) -> None:
    path = tmp_path / 'm.db'
    with child(INLINE, path) as writer:
        assert line(writer) == 'asked I like tea'
        kill(writer)
    m, extractor = memory(path)
    with m:
        assert m.flush(timeout=60) == 0
        check_done_once(m, 'I like tea')
        again = m.add('I like tea', user_id='ana', idempotency_key='k')  # what the writer was going to say again
        assert (again.replayed, again.status) == (True, 'done')
        check_done_once(m, 'I like tea')
        assert len(extractor.requests) == 1
    check_file(path)


def test_a_job_whose_worker_was_killed_in_the_middle_of_a_model_call_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    m, extractor = memory(path)
    with child(WORKER, path) as worker:
        assert line(worker) == 'ready'
        receipt = m.add('I like tea', user_id='ana', background=True)
        assert line(worker) == 'asked I like tea'
        with m:  # another worker, which leaves alone what is leased for a day, until its holder is gone
            assert m.job(receipt.job_id or '', user_id='ana').status == 'running'
            kill(worker)
            done = receipt.result(timeout=60)
            assert (done.status, [f.text for f in done.memories]) == ('done', ['I like tea'])
            check_done_once(m, 'I like tea')
            job = m.job(receipt.job_id or '', user_id='ana')
            assert (job.attempts, job.crashes) == (2, 1)
            assert len(extractor.requests) == 1
    check_file(path)


def test_a_writer_and_a_worker_may_be_killed_at_once(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    with child(WORKER, path) as worker:
        assert line(worker) == 'ready'
        with child(WRITER, path, 'I like tea', 'I like jazz') as writer:
            assert [line(writer).split()[0] for _ in range(2)] == ['queued', 'queued']
            assert line(worker) == 'asked I like tea'
            kill(writer, worker)
    m, extractor = memory(path)
    with m:
        assert m.flush(timeout=60) == 0
        check_done_once(m, 'I like tea', 'I like jazz')
        assert [(job.attempts, job.crashes) for job in m.jobs(user_id='ana')] == [(1, 0), (2, 1)]
        assert [r.messages[0].text for r in extractor.requests] == ['I like tea', 'I like jazz']
    check_file(path)


@pytest.fixture(scope='module')
def stormed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Fifty kills, what was said of them, and the files they left."""
    if not STORM.exists():
        pytest.skip('the benchmarks are not part of this copy')
    folder = tmp_path_factory.mktemp('storm')
    command = [sys.executable, str(STORM), '--kills', '50', '--writes', '6', '--dir', str(folder)]
    return folder, run(command, folder)


def run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in subprocess_environment().items() if not k.upper().startswith('MEMORANDA_')}
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=STORM_SECONDS, check=False
    )


def test_fifty_kills_at_random_instants_lose_nothing_and_do_nothing_twice(
    stormed: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    _, ran = stormed
    assert (ran.returncode, ran.stderr) == (0, ''), f'{ran.stdout[-8000:]}\n{ran.stderr[-4000:]}'
    assert ran.stdout.endswith('problems: 0\n')


DAMAGE = {
    'acknowledged and not there': """UPDATE episode SET metadata = '{"said": "X1"}'""",
    'stored more than once': """
        INSERT INTO episode SELECT (SELECT max(row) FROM episode WHERE row >> 24 = e.row >> 24) + 1, 'twin',
        conversation, seq + 1000, role, name, text, occurred_at, recorded_at, dated, trust, agent_id, run_id, app_id,
        metadata, content_hash FROM episode e LIMIT 1
    """,
    'memories say': """
        UPDATE memory SET text = (SELECT max(text) FROM memory o WHERE o.owner = memory.owner)
    """,
    'times and rests on': "UPDATE memory SET evidence = '[]' WHERE row = (SELECT max(row) FROM memory WHERE live)",
    'jobs are left': "UPDATE job SET state = 'dead' WHERE row = (SELECT max(row) FROM job)",
    'its words, its reason or its salt were changed': "UPDATE history_text SET after = replace(after, 'i', 'e')",
    'is missing': 'DELETE FROM history WHERE row = (SELECT max(row) FROM history)',
    'of the table memory have no vector': 'DELETE FROM memory_vector_1',
}


def test_damage_of_every_sort_would_have_been_noticed(
    stormed: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    code = """
        import json, sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[1])
        from _crash_actors import Stage
        from _crash_aftermath import examine
        for folder in sys.argv[2:]:
            print(json.dumps(examine(Stage(Path(folder), 'model', batch_turns=4), thorough=False)['problems']))
    """
    folders = [tmp_path / str(number) for number in range(len(DAMAGE) + 1)]
    for folder, damage in zip(folders, ('', *DAMAGE.values()), strict=True):
        shutil.copytree(stormed[0] / 'round-1', folder)
        with closing(apsw.Connection(str(folder / 'm.db'))) as connection:
            connection.execute(damage)
    ran = run([sys.executable, '-c', dedent(code), str(STORM.parent), *map(str, folders)], tmp_path)
    assert ran.returncode == 0, ran.stderr
    untouched, *told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert untouched == []
    for expected, problems in zip(DAMAGE, told, strict=True):
        assert any(expected in problem for problem in problems), (expected, problems)
