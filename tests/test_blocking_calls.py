"""Nothing that the engine does blocks an event loop: neither the caller's nor its own."""

from __future__ import annotations

import asyncio
import inspect
import os
import queue
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from uuid import uuid4

import apsw
import pytest
import trio
from pydantic import BaseModel

from _calls import Blocked, no_blocking_calls
from _fakes import Grammar, fast_async, subprocess_environment
from memoranda import AsyncMemory, MemoryNotFound, ProcessingFailed
from memoranda.settings import Settings
from memoranda.testing.embedders import HashingEmbedder
from memoranda.write.extract import Extraction, ExtractionRequest

ANA = {'user_id': 'ana', 'run_id': 'monday'}


class City(BaseModel):
    city: str | None = None


class Asking:
    """An extractor that does I/O: it runs on the engine's own loop."""

    name = 'asking'

    async def extract(self, request: ExtractionRequest) -> Extraction:
        await asyncio.sleep(0)
        return Grammar().propose(request)


class Remote(HashingEmbedder):
    """An embedder behind a network: it runs on the engine's own loop too."""

    @property
    def local(self) -> bool:
        return False

    async def embed(self, texts: Any, *, query: bool = False, progress: Any = None) -> Any:
        await asyncio.sleep(0)
        return self.embed_now(texts, query=query)


async def everything(memory: AsyncMemory, did: Callable[[str], None]) -> None:
    """Every operation there is."""

    async def do(name: str, *args: Any, **kwargs: Any) -> Any:
        did(name)
        return await getattr(memory, name)(*args, **kwargs)

    async with memory:
        added = await do('add', ['home.city = Lisbon', 'I like tea', 'here: the train is late'], **ANA)
        tea = added.memories[1]
        await do('add', 'Likes jazz', infer=False, kind='preference', idempotency_key='one', **ANA)
        for strategy in ('hybrid', 'semantic', 'keyword', 'recency'):
            await do('search', 'tea', strategy=strategy, include=('memories', 'episodes'), explain=True, **ANA)
        await do('context', 'where does Ana live?', **ANA)
        await do('get', tea.id, **ANA)
        await do('get_slot', 'home.city', **ANA)
        await do('get_all', filters={'kind': 'profile'}, **ANA)
        await do('episodes', **ANA)
        await do('profile', City, **ANA)
        await do('apply', await do('preview', 'home.city = Porto', **ANA))
        updated = await do('update', tea.id, text='I like green tea', **ANA)
        await do('history', tea.id, **ANA)
        await do('revert', updated.change_id, **ANA)
        await do('changes', **ANA)
        await do('delete', tea.id, **ANA)
        await do('clean', merge_duplicates=True, **ANA)
        await do('reset', kinds=['profile'], **ANA)
        await do('reindex')
        await do('backup', Path(memory.location).with_name(f'{uuid4()}.db'))
        await do('stats')
        anchor = await do('checkpoint', all_projects=True)
        assert await do('verify', all_projects=True, anchor=anchor)
        await do('audit_log', all_projects=True)
        await do('reads', user_id='ana')
        await do('retention_preview', user_id='ana')
        await do('apply_retention', user_id='ana')
        exported = await do('export', user_id='ana')
        assert [part async for part in exported]
        await do('holdings', user_id='ana')
        await do('delete_all', **ANA)
        await do('finish_erasure')
        erased = await do('forget', **ANA)
        await do('verify_erasure', erased, texts=['Lisbon'])
        await memory.delete_all(user_id='ana')
        await do('import_subject', exported, restore=True)

        receipt = await do('add', 'I like cocoa', background=True, **ANA)
        done = await receipt.wait(30)
        assert [m.text for m in done.memories] == ['I like cocoa']
        await do('job', receipt.job_id, **ANA)
        await do('receipt', receipt.job_id, **ANA)
        await do('jobs', **ANA)
        for i in range(3):
            await do('add', f'I like number {i}', background=True, user_id=f'user {i}')
        assert await do('flush', 30) == 0
        assert await do('process_one_job') is None


async def waiting_jobs(memory: AsyncMemory, did: Callable[[str], None]) -> None:
    """What is done to jobs while nobody works in the background."""
    first = await memory.add('I like tea', background=True, **ANA)
    other = await memory.add('I like jazz', background=True, user_id='ben')
    did('retry_job')
    await memory.retry_job(first.job_id, **ANA)
    did('drop_job')
    await memory.drop_job(other.job_id, user_id='ben')
    did('process_one_job')
    assert (await memory.process_one_job()) is not None
    did('close')
    await memory.close()


def read_a_socket() -> None:
    one, two = socket.socketpair()
    one.settimeout(0.001)
    with one, two, pytest.raises(TimeoutError):
        one.recv(1)


def join_a_thread() -> None:
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()
    thread.join(0.001)
    go.set()


def wait_for_a_future() -> None:
    with pytest.raises(TimeoutError):
        Future[None]().result(0.001)


def take_from_a_queue() -> None:
    with pytest.raises(queue.Empty):
        queue.SimpleQueue[None]().get(timeout=0.001)


BLOCKING: dict[str, tuple[Callable[[], object], str]] = {
    'a sleep': (lambda: time.sleep(0), 'time.sleep'),
    'an event': (lambda: threading.Event().wait(0.001), 'wait for a thread'),
    'a future': (wait_for_a_future, 'wait for a thread'),
    'a thread': (join_a_thread, 'wait for a thread'),
    'a queue': (take_from_a_queue, '_queue.get'),
    'a file': (lambda: open(__file__).close(), 'open'),
    'a path': (lambda: Path(__file__).exists(), 'os.stat'),
    'a file opened by C code': (lambda: next(map(open, [__file__])).close(), 'open'),
    'a process': (lambda: subprocess.Popen([sys.executable, '-c', '']).wait(), 'process'),
    'a socket': (read_a_socket, 'socket: recv'),
    'a database that is opened': (lambda: apsw.Connection(':memory:'), 'SQLite'),
    'the sqlite3 of Python': (lambda: sqlite3.connect(':memory:').close(), 'SQLite'),
    'an import': (lambda: __import__('json.tool'), 'import of json.tool'),
}


def caught(block: Callable[[], object]) -> str:
    """What is said of a call on an event loop."""

    async def main() -> None:
        block()

    with pytest.raises(Blocked) as error, no_blocking_calls():
        asyncio.run(main())
    return str(error.value)


@pytest.mark.parametrize('way', BLOCKING)
def test_a_call_that_blocks_the_loop_is_caught(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, 'json.tool', raising=False)
    block, what = BLOCKING[way]
    said = caught(block)
    assert f'{what} on an event loop:' in said
    assert f'File "{__file__}"' in said


@pytest.mark.parametrize('way', BLOCKING)
def test_off_the_loop_the_same_call_is_fine(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, 'json.tool', raising=False)
    block, what = BLOCKING[way]

    async def main() -> None:
        await asyncio.to_thread(block)

    with no_blocking_calls() as calls:
        asyncio.run(main())
    assert calls.elsewhere[what]


def test_a_statement_is_caught_whoever_opened_the_database() -> None:
    with no_blocking_calls() as calls:
        connection = apsw.Connection(':memory:')
        rows = connection.execute('SELECT 1 UNION SELECT 2')

        async def main() -> None:
            assert next(rows) == (1,)
            assert next(rows) == (2,)  # no function is called for it, SQLite alone tells

        asyncio.run(main())
        connection.close()
        assert [what for what, _ in calls.found] == ['SQLite']
        calls.found.clear()


@pytest.mark.parametrize('kind', ['Lock', 'RLock'])
def test_a_lock_that_somebody_holds_while_a_file_is_read_is_caught(kind: str) -> None:
    def hold(lock: Any) -> None:
        with lock:
            Path(__file__).exists()

    async def take(lock: Any) -> None:
        with lock:
            pass

    with no_blocking_calls() as calls:
        held, taken = getattr(threading, kind)(), getattr(threading, kind)()
        hold(held)
        asyncio.run(take(taken))
        calls.check()
        asyncio.run(take(held))
        with pytest.raises(Blocked, match=r'(?s)is taken on an event loop.*and held during os\.stat'):
            calls.check()
        calls.locks.clear()


def test_trio_is_a_loop_too() -> None:
    async def main() -> None:
        time.sleep(0)  # noqa: ASYNC251

    with pytest.raises(Blocked, match=r'time\.sleep on an event loop'), no_blocking_calls():
        trio.run(main)


def test_what_does_not_wait_is_not_caught() -> None:
    async def main() -> None:
        done = Future[int]()
        done.set_result(1)
        assert await asyncio.wrap_future(done) == done.result() == 1
        with threading.Lock():
            await asyncio.sleep(0)
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.is_alive()
        os.urandom(16)
        assert not threading.Event().wait(0)
        await asyncio.to_thread(time.sleep, 0)

    with no_blocking_calls():
        asyncio.run(main())


@pytest.mark.parametrize('where', ['the extractor', 'the embedder'])
def test_a_blocking_call_on_the_engines_own_loop_is_caught(tmp_path: Path, where: str) -> None:
    class Sleepy(Asking):
        async def extract(self, request: ExtractionRequest) -> Extraction:
            if where == 'the extractor':
                time.sleep(0)  # noqa: ASYNC251
            return await super().extract(request)

    class Slow(Remote):
        async def embed(self, texts: Any, *, query: bool = False, progress: Any = None) -> Any:
            if where == 'the embedder':
                time.sleep(0)  # noqa: ASYNC251
            return await super().embed(texts, query=query)

    async def main() -> None:
        async with memory:
            await memory.add('I like tea', **ANA)

    memory = fast_async(tmp_path / 'memory.db', extractor=Sleepy(), embedder=Slow())
    asyncio.run(main())  # now all modules are there
    with pytest.raises(Blocked, match='on an event loop'), no_blocking_calls() as calls:
        asyncio.run(main())
    assert {what for what, _ in calls.found} == {'time.sleep'}


KINDS: dict[str, Callable[[], dict[str, Any]]] = {
    'rules': dict,
    'a model': lambda: {'extractor': Asking()},
    'a remote embedder': lambda: {'embedder': Remote()},
}


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('loop', ['asyncio', 'trio'])
def test_no_operation_blocks_a_loop(tmp_path: Path, loop: str, kind: str) -> None:
    names: set[str] = set()

    def use(path: Path) -> None:
        memory = fast_async(path, **KINDS[kind]())
        for work in (everything, waiting_jobs):
            if loop == 'trio':
                trio.run(work, memory, names.add)
            else:
                asyncio.run(work(memory, names.add))

    use(tmp_path / 'first.db')  # modules are imported once in a process: see below
    with no_blocking_calls() as calls:
        use(tmp_path / 'memory.db')
    assert calls.elsewhere['SQLite'] > 100  # it was listening
    operations = {n for n, _ in inspect.getmembers(AsyncMemory, inspect.iscoroutinefunction) if not n.startswith('_')}
    assert {name for name in operations if not name.startswith('index_')} <= names


def test_no_operation_on_an_index_blocks_a_loop(tmp_path: Path) -> None:
    pytest.importorskip('qdrant_edge')
    from _qdrant import running

    async def use(memory: AsyncMemory, names: set[str]) -> None:
        async with memory:
            await memory.add('I like tea', **ANA)
            await memory.search('tea', **ANA)
            for name in sorted(n for n in dir(AsyncMemory) if n.startswith('index_')):
                if name != 'index_drop':
                    await getattr(memory, name)()
                    names.add(name)
            await memory.index_drop()

    names: set[str] = set()
    with running(tmp_path / 'qdrant') as fake:
        asyncio.run(use(fast_async(tmp_path / 'first.db', index=fake.url), names))
        memory = fast_async(tmp_path / 'memory.db', index=fake.url)
        with no_blocking_calls():
            asyncio.run(use(memory, names))
    assert len(names) >= 4


@pytest.mark.parametrize('loop', ['asyncio', 'trio'])
def test_no_failure_blocks_a_loop(tmp_path: Path, loop: str) -> None:
    class Down(Asking):
        async def extract(self, request: ExtractionRequest) -> Extraction:
            raise ConnectionError('no answer')

    async def main() -> None:
        async with memory:
            with pytest.raises(ProcessingFailed, match='no answer'):
                await memory.add('I like tea', **ANA)
            receipt = await memory.add('I like jazz', background=True, user_id='ben')
            with pytest.raises(TimeoutError):
                await receipt.wait(0)
            with pytest.raises(MemoryNotFound):
                await memory.get('nothing', **ANA)

    def use() -> None:
        trio.run(main) if loop == 'trio' else asyncio.run(main())

    memory = fast_async(tmp_path / 'memory.db', extractor=Down(), settings=Settings(drain_seconds=0))
    use()
    with no_blocking_calls():
        use()


def run_alone(code: str, path: Path) -> None:
    """In a process of its own, which says nothing when all is well."""
    command = [sys.executable, '-c', code, str(path)]
    done = subprocess.run(
        command, env=subprocess_environment(), capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.stderr, done.returncode) == ('', 0)


def test_no_module_of_the_engine_makes_a_lock_that_blocks_a_loop(tmp_path: Path) -> None:
    """In a process of its own, where the locks of modules are watched too."""
    code = """
import asyncio, sys
import pytest, trio, pydantic  # not ours: faster while nobody watches
from _calls import no_blocking_calls

with no_blocking_calls(imports=False) as calls:
    from test_blocking_calls import everything
    from _fakes import fast_async
    memory = fast_async(sys.argv[1])
    asyncio.run(everything(memory, lambda name: None))
    assert any('sweeping.py' in lock.made for lock in calls.locks)
"""
    command = [sys.executable, '-c', code, str(tmp_path / 'memory.db')]
    done = subprocess.run(
        command, env=subprocess_environment(), capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.stderr, done.returncode) == ('', 0)


def test_the_first_calls_of_a_process_import_nothing_on_the_loop(tmp_path: Path) -> None:
    code = """
import asyncio, sys
from memoranda import AsyncMemory, MemoryNotFound, ProcessingFailed
from memoranda.settings import Settings
from memoranda.testing.embedders import HashingEmbedder
from _calls import no_blocking_calls

async def main():
    async with memory:
        with no_blocking_calls():
            record = (await memory.add('I live in Lisbon', user_id='ana')).memories[0]
            await memory.search('where does Ana live?', user_id='ana')
            await memory.context('where does Ana live?', user_id='ana')
            await memory.get_all(user_id='ana')
            await memory.update(record.id, text='Lives in Porto', user_id='ana')
            await memory.history(record.id, user_id='ana')
            await memory.delete(record.id, user_id='ana')

memory = AsyncMemory(sys.argv[1], embedder=HashingEmbedder())
asyncio.run(main())
"""
    command = [sys.executable, '-c', code, str(tmp_path / 'memory.db')]
    done = subprocess.run(
        command, env=subprocess_environment(), capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.stderr, done.returncode) == ('', 0)
