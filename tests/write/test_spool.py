"""Messages of background adds that can't be stored yet: kept in order, stored as soon as that works."""

from __future__ import annotations

import asyncio
import copy
import logging
import os
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from _fakes import fast, fast_async, subprocess_environment, texts
from _left import nothing_left
from _outages import SECONDS, Log, locked
from memoranda import AddResult, Memory, Scope, StoreBusy, StoreError, StoreUnwritable
from memoranda.settings import Settings

ANA, BEN = {'user_id': 'ana'}, {'user_id': 'ben'}
posix = pytest.mark.skipif(os.name != 'posix', reason='forks are POSIX ones')


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    with nothing_left():
        yield


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    logging.getLogger('memoranda').addHandler(log)
    yield log
    logging.getLogger('memoranda').removeHandler(log)


@contextmanager
def gone(folder: Path) -> Generator[Path]:
    """A database in a folder that can't be made."""
    path = folder / 'here' / 'memory.db'
    path.parent.touch()
    yield path
    if path.parent.is_file():
        mend(path)


def mend(path: Path) -> None:
    path.parent.unlink()


def queued(memory: Memory, text: str, **scope: Any) -> AddResult:
    receipt = memory.add(text, background=True, **(scope or ANA))
    assert receipt.status == 'unsaved'
    return receipt


def said(memory: Memory, **scope: Any) -> list[str]:
    return [e.text for e in memory.episodes(limit=1000, **(scope or ANA)).items]


def test_they_are_stored_in_order_by_themselves_without_anybody_opening_the_memory(tmp_path: Path, log: Log) -> None:
    with gone(tmp_path) as path:
        memory = fast(path)
        receipts = [queued(memory, f'fact {i}', user_id=f'user {i % 3}') for i in range(30)]
        mend(path)
        log.wait_for('can be written again')
        done = [receipt.result(SECONDS) for receipt in receipts]
        assert {d.status for d in done} == {'done'}
        assert [texts(d.memories) for d in done] == [[f'fact {i}'] for i in range(30)]
        for user in range(3):
            assert said(memory, user_id=f'user {user}') == [f'fact {i}' for i in range(user, 30, 3)]
        memory.close()


def test_later_ones_of_the_same_owner_queue_behind_them(tmp_path: Path) -> None:
    memory = fast(tmp_path / 'memory.db', settings=Settings(busy_timeout=0.02))
    memory.add('The first', **ANA)
    with locked(tmp_path / 'memory.db'):
        receipts = [queued(memory, f'fact {i}') for i in range(5)]
    # The storage works, and perhaps it is known by now: in either case the order stays.
    receipts += [memory.add(f'fact {i}', background=True, **ANA) for i in range(5, 10)]
    assert [receipt.result(SECONDS).status for receipt in receipts] == ['done'] * 10
    assert said(memory) == ['The first', *(f'fact {i}' for i in range(10))]
    memory.close()


def test_a_storage_that_is_slow_gets_them_once(tmp_path: Path, log: Log) -> None:
    """Nobody knows yet whether they were stored, so they are not stored again."""
    memory = fast(tmp_path / 'memory.db', settings=Settings(busy_timeout=SECONDS, degrade_seconds=0.05))
    memory.add('The first', **ANA)
    with locked(tmp_path / 'memory.db'):
        receipts = [queued(memory, f'fact {i}') for i in range(3)]
        assert [r.error for r in receipts] == ['TimeoutError'] * 3
        assert memory.flush(0.0) == 3
    assert [receipt.result(SECONDS).status for receipt in receipts] == ['done'] * 3
    assert said(memory) == ['The first', 'fact 0', 'fact 1', 'fact 2']
    assert len(log.lines()) == 2
    memory.close()


def test_an_add_that_is_waited_for_stores_first_what_was_said_before(tmp_path: Path) -> None:
    with gone(tmp_path) as path:
        memory = fast(path)
        receipts = [queued(memory, f'fact {i}') for i in range(3)]
        with pytest.raises(StoreUnwritable):
            memory.add('fact 3', **ANA)
        mend(path)
        assert texts(memory.add('fact 3', **ANA).memories) == ['fact 3']
        assert said(memory) == ['fact 0', 'fact 1', 'fact 2', 'fact 3']
        assert [receipt.result(SECONDS).status for receipt in receipts] == ['done'] * 3
        memory.close()


def test_no_more_are_kept_than_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('memoranda.write.spool.MAX_ADDS', 3)
    monkeypatch.setattr('memoranda.write.spool.MAX_CHARS', 100)
    with gone(tmp_path) as path:
        memory = fast(path)
        receipts = [queued(memory, 'a' * 40), queued(memory, 'b' * 40)]
        with pytest.raises(StoreError, match=r'2 adds of 80 characters wait for it in memory, .* add them again'):
            memory.add('c' * 40, background=True, **BEN)
        receipts.append(queued(memory, 'd'))
        with pytest.raises(StoreError, match='3 adds of 81 characters'):
            memory.add('e', background=True, **BEN)
        mend(path)
        assert [receipt.result(SECONDS).status for receipt in receipts] == ['done'] * 3
        assert memory.add('f', background=True, **BEN).result(SECONDS).status == 'done'
        assert (said(memory), said(memory, **BEN)) == (['a' * 40, 'b' * 40, 'd'], ['f'])
        memory.close()


def test_flush_counts_them(tmp_path: Path) -> None:
    with gone(tmp_path) as path:
        memory = fast(path)
        for _ in range(3):
            queued(memory, 'I like tea')
        queued(memory, 'I like jazz', **BEN)
        assert memory.flush(0.0) == 4
        assert memory.scoped(Scope(user_id='ben')).flush(0.0) == 1
        with pytest.raises(StoreUnwritable):  # nothing of hers waits here, and whether something does there is unknown
            memory.scoped(Scope(user_id='eve')).flush(0.0)
        mend(path)
        assert memory.flush(SECONDS) == 0
        assert texts(memory.get_all(**BEN)) == ['I like jazz']
        memory.close()


def test_waiting_for_one_in_vain_says_why(tmp_path: Path) -> None:
    with gone(tmp_path) as path:
        memory = fast(path, settings=Settings(drain_seconds=0.0))
        receipt = queued(memory, 'I like tea')
        with pytest.raises(TimeoutError, match=r'not stored yet after 0\.01 s \(StoreUnwritable\)'):
            receipt.result(0.01)
        memory.close()


def test_closing_tries_once_more(tmp_path: Path, log: Log) -> None:
    with gone(tmp_path) as path:
        memory = fast(path).__enter__()
        receipts = [queued(memory, f'fact {i}') for i in range(5)]
        mend(path)
        memory.close()
        assert log.lines('lost') == []
        with fast(path, settings=Settings(workers=0)) as later:
            # Not only stored: there was time to draw facts from them.
            assert texts(later.get_all(**ANA)) == [f'fact {i}' for i in range(5)]
        assert [receipt.result(SECONDS).status for receipt in receipts] == ['done'] * 5
        memory.close()


def test_what_can_not_be_stored_even_then_is_told_to_be_lost(tmp_path: Path, log: Log) -> None:
    with gone(tmp_path) as path:
        memory = fast(path).__enter__()
        receipt = queued(memory, 'Zebulon likes tea')
        other = memory.add(['one', 'two', 'three'], background=True, **BEN)
        memory.close()
        (line,) = log.lines('lost')
        assert line.startswith('ERROR: 4 messages are lost')
        assert '(StoreUnwritable)' in line
        for lost in (receipt.result(SECONDS), other.result(SECONDS)):
            assert lost.status == 'unsaved'
            assert 'add the messages again' in str(lost.error)
        memory.close()
        assert len(log.lines('lost')) == 1
        mend(path)
        # The memory itself can still be used.
        with memory:
            assert memory.add('Zebulon likes tea', background=True, **ANA).result(SECONDS).status == 'done'
        assert not any('Zebulon' in line for line in log.lines())


def test_closing_does_not_wait_longer_than_it_may(tmp_path: Path, log: Log) -> None:
    memory = fast(tmp_path / 'memory.db', settings=Settings(busy_timeout=0.05, drain_seconds=0.0))
    memory.add('The first', **ANA)
    with locked(tmp_path / 'memory.db'):
        queued(memory, 'I like tea')
        memory.close()
    assert len(log.lines('1 messages are lost')) == 1


def test_those_of_an_erased_user_never_come_back(tmp_path: Path) -> None:
    memory = fast(tmp_path / 'memory.db', settings=Settings(busy_timeout=0.02))
    memory.add('The first', run_id='monday', **ANA)
    with locked(tmp_path / 'memory.db'):
        monday = queued(memory, 'On Monday', run_id='monday', **ANA)
        tuesday = queued(memory, 'On Tuesday', run_id='tuesday', **ANA)
        other = queued(memory, 'I like jazz', **BEN)
        with pytest.raises(StoreBusy):
            memory.delete_all(run_id='monday', **ANA)
        assert memory.flush(0.0) == 3  # it failed, and nothing was dropped for it
    with ThreadPoolExecutor(1) as pool:
        erased = pool.submit(memory.delete_all, run_id='monday', **ANA)
        assert erased.result(SECONDS).scrub in ('verified', 'pending')
    assert tuesday.result(SECONDS).status == other.result(SECONDS).status == 'done'
    assert monday.result(SECONDS).status == 'dropped'
    assert said(memory) == ['On Tuesday']
    memory.close()


def test_one_that_the_storage_refuses_holds_up_nobody(tmp_path: Path, log: Log) -> None:
    """The same idempotency key for something else: an add that is not kept is refused at once."""
    with gone(tmp_path) as path:
        memory = fast(path)
        first = memory.add('I like tea', background=True, idempotency_key='one', **ANA)
        again = memory.add('I like tea', background=True, idempotency_key='one', **ANA)
        refused = memory.add('I like jazz', background=True, idempotency_key='one', **ANA)
        last = queued(memory, 'I like cocoa')
        mend(path)
        assert last.result(SECONDS).status == 'done'
        assert first.result(SECONDS).job_id == again.result(SECONDS).job_id
        assert again.result(SECONDS).replayed
        dead = refused.result(SECONDS)
        assert dead.status == 'dead'
        assert str(dead.error).startswith('Conflict: ')
        assert len(log.lines('ERROR: messages that waited for the storage are refused by it (Conflict)')) == 1
        assert said(memory) == ['I like tea', 'I like cocoa']
        memory.close()


def test_copies_of_a_receipt_wait_for_nothing(tmp_path: Path) -> None:
    with gone(tmp_path) as path:
        memory = fast(path, settings=Settings(drain_seconds=0.0))
        receipt = queued(memory, 'I like tea')
        for copied in (copy.deepcopy(receipt), pickle.loads(pickle.dumps(receipt))):
            assert copied == receipt
            assert copied.result(0.0).status == 'unsaved'
        memory.close()


@pytest.mark.parametrize('start', [lambda main: asyncio.run(main()), trio.run], ids=['asyncio', 'trio'])
def test_callers_of_every_event_loop_go_on(tmp_path: Path, start: Callable[..., Any]) -> None:
    async def main() -> None:
        with gone(tmp_path) as path:
            memory = fast_async(path)
            receipts = [await memory.add(f'fact {i}', background=True, **ANA) for i in range(3)]
            assert {r.status for r in receipts} == {'unsaved'}
            mend(path)
            for receipt in receipts:
                assert (await receipt.wait(SECONDS)).status == 'done'
            await memory.close()

    start(main)


def test_an_add_that_is_cancelled_while_the_storage_is_slow_may_or_may_not_be_stored(tmp_path: Path) -> None:
    path = tmp_path / 'memory.db'

    async def main() -> None:
        memory = fast_async(path, settings=Settings(busy_timeout=SECONDS, degrade_seconds=SECONDS))
        await memory.add('The first', **ANA)
        with locked(path):
            task = asyncio.create_task(memory.add('I like tea', background=True, **ANA))
            for _ in range(5):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (await (await memory.add('I like jazz', background=True, **ANA)).wait(SECONDS)).status == 'done'
        await memory.close()

    asyncio.run(main())
    with fast(path) as memory:
        assert [text for text in said(memory) if text != 'I like tea'] == ['The first', 'I like jazz']


# --- processes ---

HEAD = """
import asyncio, logging, os, sys, warnings
from pathlib import Path
from _fakes import fast, fast_async, texts
from memoranda.settings import Settings
logging.basicConfig(format='%(levelname)s %(message)s', stream=sys.stdout)
path = Path(sys.argv[1])
path.parent.touch()
"""


def program(code: str, path: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, '-c', HEAD + textwrap.dedent(code), str(path)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=subprocess_environment(),
    )
    assert (done.stderr, done.returncode) == ('', 0)
    return done.stdout.splitlines()


def test_a_program_that_ends_without_closing_tells_what_is_lost(tmp_path: Path) -> None:
    code = """
    memory = fast_async(path)
    print(asyncio.run(memory.add(['one', 'two'], user_id='ana', background=True)).status)
    """
    first, *_, last = program(code, tmp_path / 'here' / 'memory.db')
    assert first.endswith('until it can')
    assert last == ('ERROR 2 messages are lost: they waited for the storage, which still fails (StoreUnwritable)')


def test_a_program_that_ends_without_closing_stores_what_it_can(tmp_path: Path) -> None:
    path = tmp_path / 'here' / 'memory.db'
    code = """
    memory = fast_async(path)
    print(asyncio.run(memory.add(['one', 'two'], user_id='ana', background=True)).status)
    path.parent.unlink()
    """
    lines = program(code, path)
    assert not any(line.startswith('ERROR') for line in lines)
    with fast(path) as memory:
        assert said(memory) == ['one', 'two']


@posix
def test_a_fork_leaves_them_to_the_parent(tmp_path: Path) -> None:
    path = tmp_path / 'here' / 'memory.db'
    code = """
    warnings.simplefilter('ignore')  # of forking with threads
    logging.disable()
    memory = fast(path)
    parent = memory.add('From the parent', user_id='ana', background=True)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            told = parent.result(1)
            assert (told.status, 'forked' in told.error) == ('unsaved', True), told
            child = memory.add('From the child', user_id='ben', background=True)
            assert child.status == 'unsaved', child
            path.parent.unlink()
            assert child.result(60).status == 'done'
            memory.close()
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
    assert parent.result(60).status == 'done'
    print(*[e.text for u in ('ana', 'ben') for e in memory.episodes(user_id=u).items], sep='\\n')
    memory.close()
    """
    assert program(code, path) == ['From the parent', 'From the child']
