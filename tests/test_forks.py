"""Memories that were opened before a fork: parent and child both go on, each with threads and workers of its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from _fakes import subprocess_environment
from _left import nothing_left
from _programs import SECONDS, program, stored

posix = pytest.mark.skipif(os.name != 'posix', reason='forks are POSIX ones')


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    with nothing_left():
        yield


@posix
def test_a_fork_has_workers_of_its_own(tmp_path: Path) -> None:
    code = """
    warnings.simplefilter('ignore')  # of forking with threads
    memory = fast(path).__enter__()
    memory.add('Before the fork', user_id='ana', background=True).result(60)

    def child():
        done = memory.add('From the child', user_id='ana', background=True).result(60)
        assert texts(done.memories) == ['From the child'], done
        assert [t.name for t in threading.enumerate() if t.name == 'memoranda-loop'], 'somebody else did it'
        memory.close()

    pid = in_child(child)
    for i in range(5):
        assert memory.add(f'From the parent {i}', user_id='ana', background=True).result(60).status == 'done'
    ended(pid)
    print(*texts(memory.get_all(user_id='ana')), sep='\\n')
    memory.close()
    """
    parent = [f'From the parent {i}' for i in range(5)]
    assert program(code, tmp_path / 'memory.db') == ['Before the fork', 'From the child', *parent]


@posix
def test_a_fork_in_the_middle_of_a_job_leaves_the_job_to_the_parent(tmp_path: Path) -> None:
    code = """
    warnings.simplefilter('ignore')  # of forking with threads

    class Held(Grammar):
        go, reached = threading.Event(), threading.Event()
        def propose(self, request):
            if 'slow' in request.messages[0].text:
                self.reached.set()
                self.go.wait()
            return super().propose(request)

    memory = fast(path, extractor=Held()).__enter__()
    slow = memory.add('slow tea', user_id='ana', background=True)
    Held.reached.wait()

    def child():
        # Another user's job is done here; the one of this user runs in the parent, and is only waited for.
        assert memory.add('I like jazz', user_id='ben', background=True).result(60).status == 'done'
        assert memory.add('I like jazz', user_id='ana', background=True).status == 'queued'
        assert memory.job(slow.job_id, user_id='ana').status == 'running'
        memory.close()

    ended(in_child(child))
    Held.go.set()
    assert slow.result(60).status == 'done'
    assert memory.flush(60) == 0
    print(*texts(memory.get_all(user_id='ana')), *texts(memory.get_all(user_id='ben')), sep='\\n')
    memory.close()
    """
    # The child closes after its own user's job; what it queued for the other is done by whoever comes first.
    assert program(code, tmp_path / 'memory.db') == ['I like jazz', 'slow tea', 'I like jazz']


@posix
def test_a_fork_while_its_parent_does_a_job_for_who_waits_can_wait_too(tmp_path: Path) -> None:
    code = """
    warnings.simplefilter('ignore')  # of forking with threads
    from _thinking import Thinking

    model = Thinking(held=True)
    memory = fast(path, extractor=model)
    receipt = memory.add('I like tea', user_id='ana', background=True)
    waiting = threading.Thread(target=receipt.result, args=[60])
    waiting.start()
    model.wait_asked()

    def child():
        assert receipt.result(60).status == 'done'

    pid = in_child(child)
    model.let_go()
    ended(pid)
    waiting.join()
    print(*texts(memory.get_all(user_id='ana')), sep='\\n')
    memory.close()
    """
    assert program(code, tmp_path / 'memory.db') == ['I like tea']


@posix
def test_forks_of_a_busy_process_work(tmp_path: Path) -> None:
    """Whatever its threads hold at that moment, a child is not held up by them."""
    code = """
    warnings.simplefilter('ignore')  # of forking with threads
    memory = fast(path).__enter__()
    stop = threading.Event()

    busy = threading.Barrier(4)

    def work(number):
        rounds = 0
        while not stop.is_set():
            memory.add(f'fact of {number}', user_id=f'user {number}', background=True)
            memory.search('fact', user_id=f'user {number}')
            memory.context(f'fact of {number}', user_id=f'user {number}')
            rounds += 1
            if rounds == 1:
                busy.wait()

    def child(number):
        assert memory.add(f'child {number}', user_id='ana').status == 'done'
        assert memory.search(f'child {number}', user_id='ana')
        memory.add(f'later {number}', user_id='ana', background=True)
        memory.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    busy.wait()
    try:
        for i in range(int(sys.argv[2])):
            ended(in_child(lambda: child(i)))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert memory.flush(60) == 0
    print(len(memory.get_all(user_id='ana', limit=1000)))
    memory.close()
    """
    forks = 10
    assert program(code, tmp_path / 'memory.db', forks) == [str(2 * forks)]


@posix
def test_a_fork_waits_for_what_a_thread_does_under_a_lock(tmp_path: Path) -> None:
    """A thread that holds a lock at the fork does not exist in the child, where nobody would ever release it."""
    code = """
    warnings.simplefilter('ignore')  # of forking with threads
    memory = fast(path).__enter__()
    inside, held = threading.Event(), threading.Event()
    urandom = os.urandom

    def slow(count):  # asked for while ids are made, one thread at a time
        if threading.current_thread() is thread:
            inside.set()
            held.wait(0.5)  # nobody sets it: the fork comes now
        return urandom(count)

    def child():
        memory.add('From the child', user_id='ana')
        memory.close()

    os.urandom = slow
    thread = threading.Thread(target=lambda: memory.add('From the parent', user_id='ana'))
    thread.start()
    inside.wait()
    pid = in_child(child)
    thread.join()
    ended(pid)
    print(*texts(memory.get_all(user_id='ana')), sep=', ')
    memory.close()
    """
    assert program(code, tmp_path / 'memory.db') == ['From the child, From the parent']


MULTIPROCESSING = """
import multiprocessing, sys, warnings
from _fakes import fast, texts

path, method = sys.argv[1:]
memory = fast(path)

def child(number):
    done = memory.add(f'child {number}', user_id='ana', background=True).result(60)
    assert texts(done.memories) == [f'child {number}']
    memory.close()

if __name__ == '__main__':
    warnings.simplefilter('ignore')  # of forking with threads
    memory.__enter__()
    memory.add('parent', user_id='ana', background=True).result(60)
    context = multiprocessing.get_context(method)
    children = [context.Process(target=child, args=(n,)) for n in range(3)]
    for process in children:
        process.start()
    for process in children:
        process.join()
    print(*(process.exitcode for process in children))
    print(*texts(memory.get_all(user_id='ana')), sep=', ')
    memory.close()
"""


@pytest.mark.parametrize('method', multiprocessing.get_all_start_methods())
def test_multiprocessing(tmp_path: Path, method: str) -> None:
    file = tmp_path / 'main.py'
    file.write_text(MULTIPROCESSING)
    command = [sys.executable, str(file), str(tmp_path / 'memory.db'), method]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, check=False, env=subprocess_environment()
    )
    assert (done.stderr, done.returncode) == ('', 0)
    assert done.stdout.splitlines() == ['0 0 0', 'child 0, child 1, child 2, parent']


SITE = """
import multiprocessing, os
from _fakes import fast

both = multiprocessing.Barrier(2)
memory = fast(os.environ['MEMORIES']).__enter__()
memory.add('Before the fork', user_id='ana', background=True).result(60)

def app(environ, start_response):
    both.wait(60)  # so each worker has a request
    now = memory.add(f'{os.getpid()} now', user_id='ana')
    later = memory.add(f'{os.getpid()} later', user_id='ana', background=True).result(60)
    found = memory.search('before the fork', user_id='ana', top_k=1)[0].text
    memory.add(f'{os.getpid()} last', user_id='ana', background=True)
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [f'{os.getpid()} {now.status} {later.status} {found}'.encode()]
"""
SETTINGS = """
def when_ready(server):
    print('ready', flush=True)

def worker_exit(server, worker):
    import site_of_ana
    site_of_ana.memory.close()
"""


@posix
def test_gunicorn_with_an_app_that_is_loaded_before_the_fork(tmp_path: Path) -> None:
    (tmp_path / 'site_of_ana.py').write_text(SITE)
    (tmp_path / 'settings.py').write_text(SETTINGS)
    address = tmp_path / 'socket'
    environment = {**subprocess_environment(), 'MEMORIES': str(tmp_path / 'memory.db')}
    command = [
        sys.executable,
        '-W',
        'ignore',
        '-m',
        'gunicorn',
        '--preload',
        '--workers',
        '2',
        '--log-level',
        'warning',
    ]
    command += ['--bind', f'unix:{address}', '--config', 'settings.py', '--chdir', str(tmp_path), 'site_of_ana:app']
    server = subprocess.Popen(
        command, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == 'ready\n'
            answers = two_requests(address)
            server.send_signal(signal.SIGTERM)
            out, error = server.communicate(timeout=SECONDS)
        finally:
            server.kill()
    assert (out, error, server.returncode) == ('', '', 0)
    workers = [answer.split()[0] for answer in answers]
    assert [answer.split(maxsplit=1)[1] for answer in answers] == ['done done Before the fork'] * 2
    assert len({*workers, str(server.pid)}) == 3
    expected = [f'{worker} {when}' for worker in workers for when in ('now', 'later', 'last')]
    assert stored(tmp_path / 'memory.db') == sorted([*expected, 'Before the fork'])


def two_requests(address: Path) -> list[str]:
    """Both at once."""
    with contextlib.ExitStack() as stack:
        asking = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(2)]
        for one in asking:
            one.settimeout(SECONDS)
            one.connect(str(address))
            one.sendall(b'GET / HTTP/1.0\r\n\r\n')
        return [one.makefile().read().splitlines()[-1] for one in asking]


FORKS_BESIDE_SEARCHES = """
import faulthandler, os, sys, threading, warnings
faulthandler.dump_traceback_later(60, exit=True)
warnings.simplefilter('ignore')  # of forking with threads
from memoranda import Memory
from memoranda.testing import HashingEmbedder, ScriptedExtractor
memory = Memory(sys.argv[1], embedder=HashingEmbedder(), extractor=ScriptedExtractor())
memory.add('Before the fork', user_id='ana')
failures, stop = [], threading.Event()

def work(user):
    number = 0
    while not stop.is_set() or number < 5:
        try:
            memory.add(f'{user} says {number}', user_id=user)
            memory.search('says', user_id=user)
        except BaseException as error:
            failures.append(repr(error))
            return
        number += 1

threads = [threading.Thread(target=work, args=(f'user{n}',)) for n in range(3)]
for thread in threads:
    thread.start()
for _ in range(8):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join()
memory.close()
print('failures:', failures)
"""


@posix
def test_forks_beside_threads_that_search_and_add_do_not_hang(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, '-c', FORKS_BESIDE_SEARCHES, str(tmp_path / 'm.db')],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=subprocess_environment(),
    )
    assert (done.returncode, done.stdout) == (0, 'failures: []\n'), done.stderr
