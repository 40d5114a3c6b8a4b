"""The one thread that writes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import apsw
import pytest

from memoranda._bridge import run, wait_for
from memoranda.errors import Conflict, StoreBusy, StoreError
from memoranda.stores.sqlite import SQLiteStore
from memoranda.testing._bench import Bench


def test_of_a_group_only_what_failed_is_taken_back(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / 'm.db')
    run(store.open())
    started, go = threading.Event(), threading.Event()

    def hold(connection: Any) -> None:
        started.set()
        go.wait(30)

    def put(key: str, *, fail: bool = False) -> Any:
        def write(connection: Any) -> str:
            connection.execute('INSERT INTO meta VALUES(?, 1)', (key,))
            if fail:
                raise Conflict('on purpose')
            return key

        return write

    first = store._submit(hold)
    assert started.wait(30)
    futures = [
        store._submit(put('a')),
        store._submit(put('b', fail=True)),
        store._submit(put('a')),
        store._submit(put('c')),
    ]
    go.set()
    assert run(wait_for(first)) is None
    assert run(wait_for(futures[0])) == 'a'
    with pytest.raises(Conflict, match='on purpose'):
        run(wait_for(futures[1]))
    with pytest.raises(StoreError, match='UNIQUE'):
        run(wait_for(futures[2]))
    assert run(wait_for(futures[3])) == 'c'
    found = run(store._read(lambda c: c.execute("SELECT key FROM meta WHERE key IN ('a', 'b', 'c')").fetchall()))
    assert found == [('a',), ('c',)]
    run(store.close())


def test_another_program_that_keeps_the_file_locked_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    store = SQLiteStore(path, busy_timeout=0.05)
    bench = Bench(store, run)
    bench.say('one')
    foreign = apsw.Connection(str(path))
    foreign.execute('BEGIN IMMEDIATE')
    with pytest.raises(StoreBusy, match=r'stayed locked by another process.*MEMORANDA_BUSY_TIMEOUT'):
        bench.say('two', history=False)
    assert bench.messages() == ['one']  # reading goes on
    foreign.execute('ROLLBACK')
    bench.say('three', history=False)
    assert bench.messages() == ['one', 'three']
    foreign.close()
    run(store.close())


def test_closing_ends_every_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    store = SQLiteStore(tmp_path / 'm.db')
    bench = Bench(store, run)
    bench.say('one')
    bench.messages()
    assert {t.name for t in set(threading.enumerate()) - before} == {'memoranda-writer', 'memoranda-reader-0'}
    run(store.close())
    assert {t.name for t in set(threading.enumerate()) - before} <= {'memoranda-close'}  # it says so as it ends
