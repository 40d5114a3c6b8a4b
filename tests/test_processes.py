"""Several processes on one file, and processes that die."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from memoranda import Memory
from memoranda.errors import StoreFull
from memoranda.testing import HashingEmbedder, ScriptedExtractor

posix = pytest.mark.skipif(os.name != 'posix', reason='signals and limits are POSIX ones')

HEAD = """
    import os, sys, time
    from memoranda import Memory
    from memoranda.errors import MemorandaError, StoreError, StoreFull
    from memoranda.testing import HashingEmbedder, ScriptedExtractor
    path = sys.argv[1]
    def memory(path=path):
        return Memory(path, embedder=HashingEmbedder(), extractor=ScriptedExtractor())
    def say(*words):
        os.write(1, (' '.join(map(str, words)) + '\\n').encode())  # in one piece, whichever thread says it
"""


def memory(path: Path) -> Memory:
    return Memory(path, embedder=HashingEmbedder(), extractor=ScriptedExtractor())


def source(code: str) -> str:
    return textwrap.dedent(HEAD) + textwrap.dedent(code)


@contextmanager
def child(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, '-c', source(code), *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run(code: str, *arguments: object) -> list[str]:
    done = subprocess.run(
        [sys.executable, '-c', source(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.stderr, done.returncode) == ('', 0)
    return done.stdout.splitlines()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> list[str]:
    """What a child still says. It must end well."""
    out, error = process.communicate('go\n', timeout=100)
    assert (error, process.returncode) == ('', 0)
    return out.splitlines()


def check_file(path: Path) -> None:
    connection = apsw.Connection(str(path))
    assert connection.pragma('integrity_check') == 'ok'
    connection.close()


def test_another_process_searches_and_adds_while_this_one_imports(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    code = """
    m = memory()
    say('ready')
    sys.stdin.readline()
    for i in range(40):
        m.add(f'Ben says {i}', user_id='ben')
        m.search('Ana says', user_id='ana', include=('memories', 'episodes'))
        found = m.search(f'Ben says {i}', user_id='ben', top_k=1)
        assert [h.text for h in found] == [f'Ben says {i}'], found
    m.close()
    say('done')
    """
    with memory(path) as m, child(code, path) as other:
        assert line(other) == 'ready'
        assert other.stdin is not None
        other.stdin.write('go\n')
        other.stdin.flush()
        for i in range(20):
            m.add([f'Ana says {10 * i + j}' for j in range(10)], user_id='ana', run_id=f'r{i}')
            m.search('Ben says', user_id='ben')
        assert end(other) == ['done']
        assert len(m.get_all(user_id='ana', limit=1000)) == 200
        assert len(m.get_all(user_id='ben', limit=1000)) == 40
        assert len(m.episodes(user_id='ana', limit=1000).items) == 200
        assert m.stats().jobs_queued == 0
    check_file(path)


def test_processes_that_learn_the_same_fact_at_once_share_one_memory(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    code = """
    m = memory()
    m.search('tea', user_id='ana')
    say('ready')
    sys.stdin.readline()
    for i in range(10):
        m.add('I like tea', user_id='ana')
        m.add(f'process{sys.argv[2]} says {i}', user_id='ana')
    m.close()
    say('done')
    """
    memory(path).close()
    with child(code, path, 1) as one, child(code, path, 2) as two, child(code, path, 3) as three:
        children = (one, two, three)
        for process in children:
            assert line(process) == 'ready'
        for process in children:
            assert process.stdin is not None
            process.stdin.write('go\n')
            process.stdin.flush()
        for process in children:
            assert end(process) == ['done']
    with memory(path) as m:
        found = m.get_all(user_id='ana', limit=1000).items
        assert len(found) == 31
        (tea,) = (f for f in found if f.text == 'I like tea')
        assert len({e.episode_id for e in tea.evidence}) == 30
        assert len(m.episodes(user_id='ana', limit=1000).items) == 60
        history = m.history(tea.id, user_id='ana')
        assert [h.op for h in history] == ['add', *['confirm'] * 29]
        assert (m.stats().jobs_queued, m.stats().jobs_dead) == (0, 0)
    check_file(path)


def test_two_processes_may_create_the_same_file_at_once(tmp_path: Path) -> None:
    code = """
    say('ready')
    sys.stdin.readline()
    m = memory()
    m.add('Hello', user_id=f'user{sys.argv[2]}')
    m.close()
    """
    for attempt in range(3):
        path = tmp_path / f'm{attempt}.db'
        with child(code, path, 1) as one, child(code, path, 2) as two:
            for process in (one, two):
                assert line(process) == 'ready'
            for process in (one, two):
                assert process.stdin is not None
                process.stdin.write('go\n')
                process.stdin.flush()
            end(one)
            end(two)
        with memory(path) as m:
            assert m.stats().episodes == 2
        check_file(path)


@posix
@pytest.mark.parametrize('seed', range(4))
def test_a_killed_process_loses_nothing_it_was_told_is_kept(tmp_path: Path, seed: int) -> None:
    path = tmp_path / 'm.db'
    code = """
    import threading
    m = memory()
    def work(user):
        for i in range(10_000):
            done = m.add(f'{user} says {i}', user_id=user, run_id='r')
            say(user, i, done.job_id)
            if i % 5 == 4:
                m.delete(done.memories[0].id, user_id=user)
    for user in ('ana', 'ben'):
        threading.Thread(target=work, args=(user,)).start()
    """
    lines = random.Random(seed).randrange(5, 80)
    with child(code, path) as process:
        said = [line(process) for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        assert process.stdout is not None
        said += process.stdout.read().splitlines()[:-1]  # the last line may be cut off
        process.wait(timeout=30)
    check_file(path)
    with memory(path) as m:
        for user in ('ana', 'ben'):
            acknowledged = [entry.split()[1] for entry in said if entry.startswith(user)]
            kept = [e.text for e in m.episodes(user_id=user, limit=1000).items]
            # What was acknowledged is there in order; at most one more was on its way.
            assert kept[: len(acknowledged)] == [f'{user} says {i}' for i in acknowledged]
            m.add('And on it goes', user_id=user, run_id='r')  # the lease of the dead doesn't matter for long
        assert m.stats().jobs_dead == 0


@posix
def test_a_full_disk_is_said_so_and_nothing_half_written(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    code = """
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    from memoranda.settings import Settings
    # A lease that could not be given back while the disk was full is given back as soon as it can be.
    m = Memory(path, embedder=HashingEmbedder(), extractor=ScriptedExtractor(), settings=Settings(lease_seconds=86_400))
    m.add('The first', user_id='ana')
    size = os.path.getsize(path + '-wal')
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 300_000, limits[1]))
    kept = 1
    for i in range(1000):
        try:
            m.add(f'Number {i} ' + 'word ' * 2000, user_id='ana')
            kept += 1
        except MemorandaError as error:
            say(type(error).__name__, str(error)[:2000])
            break
    stats = m.stats()
    assert stats.episodes - kept in (0, 1), (stats.episodes, kept)
    for _ in range(3):
        try:
            m.add('word ' * 20_000, user_id='ben')
        except StoreError as error:
            say(type(error).__name__, str(error)[:2000])
    assert m.search('first', user_id='ana')[0].text == 'The first'
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    m.add('The last', user_id='ana')
    assert m.search('last', user_id='ana', top_k=1)[0].text == 'The last'
    assert m.stats().jobs_queued <= 1, m.stats()
    m.close()
    """
    said = run(code, path)
    assert len(said) == 4
    for one in said[1:]:
        assert one.startswith(('StoreFull', 'StoreUnreachable'))
        assert str(path) in one
        assert 'space' in one
    check_file(path)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB, where one may be mounted."""
    folder = tmp_path / 'tiny'
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', str(folder)]
    if sys.platform != 'linux' or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip('no file system can be mounted here')
    yield folder
    subprocess.run(['umount', str(folder)], check=True)


def test_a_disk_without_space_is_said_to_be_full(tiny_disk: Path) -> None:
    path = tiny_disk / 'm.db'
    with memory(path) as m:
        m.add('The first', user_id='ana')
        ballast = tiny_disk / 'ballast'
        with pytest.raises(OSError, match='No space left'):
            ballast.write_bytes(bytes(8 << 20))
        with pytest.raises(StoreFull, match=r'm\.db: the disk is full.*free some space'):
            m.add('word ' * 20_000, user_id='ana')
        assert [e.text for e in m.episodes(user_id='ana').items] == ['The first']
        assert m.search('first', user_id='ana')[0].text == 'The first'
        ballast.unlink()
        m.add('The last', user_id='ana')
        assert len(m.get_all(user_id='ana')) == 2
    check_file(path)


@posix
def test_a_fork_leaves_both_processes_working(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    code = """
    import warnings
    warnings.simplefilter('ignore')  # of forking with threads
    m = memory()
    m.add('Before the fork', user_id='ana')
    m.search('fork', user_id='ana')
    inode = str(os.stat(path).st_ino)

    def locked(pid):
        with open('/proc/locks') as locks:
            return any(f' {pid} ' in entry and entry.split()[5].endswith(f':{inode}') for entry in locks)

    children = []
    for n in range(3):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                assert [x.text for x in m.get_all(user_id='ana')][0] == 'Before the fork'
                for i in range(5):
                    m.add(f'child{n} says {i}', user_id=f'child{n}')
                    m.add(f'child{n} says {i}', user_id='ana')
                    m.search('child', user_id='ana')
                # Its locks are its own: what it inherited would vanish with the parent.
                assert not os.path.exists('/proc/locks') or locked(os.getpid())
                if n:
                    m.close()
                code = 0
            except BaseException:
                import traceback
                traceback.print_exc()
            finally:
                os._exit(code)
        children.append(pid)
        m.add(f'parent says {n}', user_id='ana')
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0
    assert len(m.get_all(user_id='ana', limit=1000)) == 1 + 15 + 3
    assert m.stats().memories == 1 + 15 + 3 + 15
    m.close()
    """
    run(code, path)
    check_file(path)


@posix
def test_a_fork_while_other_threads_write_disturbs_nobody(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    code = """
    import threading, warnings
    warnings.simplefilter('ignore')  # of forking with threads
    m = memory()
    m.add('Before the fork', user_id='ana')
    failures = []
    stop = threading.Event()

    def work(user):
        i = 0
        while not stop.is_set() or i < 5:
            try:
                m.add(f'{user} says {i}', user_id=user)
                m.search('says', user_id=user)
                i += 1
            except BaseException as error:
                failures.append(repr(error))
                return

    threads = [threading.Thread(target=work, args=(f'user{n}',)) for n in range(3)]
    for thread in threads:
        thread.start()
    for n in range(5):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures, failures
    m.close()
    """
    run(code, path)
    check_file(path)


def test_twelve_processes_that_say_the_same_leave_one_fact_with_twelve_confirmations(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    code = """
        with memory() as m:
            say('ready')
            sys.stdin.readline()
            m.add('Likes green tea', user_id='ana')
            say('done')
    """
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(child(code, path)) for _ in range(12)]
        for process in children:
            assert process.stdout is not None
            assert process.stdout.readline() == 'ready\n'
        for process in children:
            assert process.stdin is not None
            process.stdin.write('go\n')
            process.stdin.flush()
        for process in children:
            assert process.stdout is not None
            assert process.stdout.readline() == 'done\n'
            assert process.wait() == 0
    with memory(path) as m:
        (fact,) = m.get_all(user_id='ana')
        assert fact.confirmations == 12
        assert [e.op for e in m.history(fact.id, user_id='ana')] == ['add'] + ['confirm'] * 11
        assert m.stats().jobs_queued == 0
