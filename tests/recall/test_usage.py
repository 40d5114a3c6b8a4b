"""How often memories are recalled: what counts, where it is kept, and what it does to ranking."""

from __future__ import annotations

import os
import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from _fakes import fast
from memoranda.recall.rerank import rerank
from memoranda.recall.usage import LASTING, retention
from memoranda.records import Hit, MemoryRecord
from memoranda.scope import Scope
from memoranda.stores.data import Ranked

ANA = {'user_id': 'ana'}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / 'uses.db'


def uses(path: Path) -> dict[str, int]:
    """What the closed file has counted, by the words of the memory."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute(
            'SELECT m.text, u.uses FROM usage u JOIN memory m ON m.id = u.memory WHERE m.retired_at IS NULL'
        ).fetchall()
    connection.close()
    return dict(rows)


def record(kind: str = 'knowledge', *, days: float = 0, pinned: bool = False, importance: float = 0.5) -> MemoryRecord:
    return MemoryRecord(
        id=f'{kind}-{days}-{importance}',
        version=1,
        project='p',
        level='user',
        scope=Scope(user_id='ana'),
        said_under=Scope(user_id='ana'),
        text=f'a fact {kind} {days} {importance}',
        kind=kind,
        importance=importance,
        pinned=pinned,
        valid_from=NOW - timedelta(days=days),
        said_at=NOW - timedelta(days=days),
        recorded_at=NOW - timedelta(days=days),
    )


def test_the_hits_of_a_search_are_counted(path: Path) -> None:
    with fast(path) as memory:
        memory.add('likes green tea', **ANA)
        memory.add('owns a violin', **ANA)
        for _ in range(3):
            memory.search('green tea', top_k=1, **ANA)
    assert uses(path) == {'likes green tea': 3}


def test_the_lines_of_a_context_are_counted_once(path: Path) -> None:
    with fast(path) as memory:
        memory.add('likes green tea', **ANA)
        memory.add('is allergic to nuts', infer=False, kind='constraint', **ANA)
        memory.context('is green tea allergic to nuts?', **ANA)
    assert uses(path)['is allergic to nuts'] == 1
    assert set(uses(path).values()) == {1}


def test_listing_adding_and_looking_into_the_past_count_nothing(path: Path) -> None:
    with fast(path) as memory:
        memory.add('likes green tea', **ANA)
        memory.add('likes green tea a lot', **ANA)
        memory.get_all(**ANA)
        memory.search('green tea', as_of=datetime.now(UTC), **ANA)
        memory.search('green tea', known_at=datetime.now(UTC), **ANA)
        memory.clean(merge_duplicates=True, **ANA)
    assert uses(path) == {}


def test_uses_can_be_filtered_by(path: Path) -> None:
    with fast(path) as memory:
        memory.add('likes green tea', **ANA)
        memory.add('owns a violin', **ANA)
        memory.search('green tea', top_k=1, **ANA)
        memory.search('green tea', top_k=1, **ANA)
    with fast(path) as memory:

        def found(**filters: object) -> list[str]:
            return [m.text for m in memory.get_all(filters=filters, **ANA)]

        assert found(uses=2) == ['likes green tea']
        assert found(uses={'exists': False}) == ['owns a violin']
        assert found(last_used_at={'lt': '2020-01-01'}) == []
        assert found(last_used_at={'gt': '2020-01-01'}) == ['likes green tea']
        assert found(last_used_at=None) == ['owns a violin']


def test_a_use_of_what_is_erased_meanwhile_is_not_kept(path: Path) -> None:
    with fast(path) as memory:
        memory.add('likes green tea', **ANA)
        memory.add('likes black tea', user_id='ben')
        memory.search('tea', **ANA)
        memory.search('tea', user_id='ben')
        memory.delete_all(**ANA)
    assert uses(path) == {'likes black tea': 1}
    with sqlite3.connect(path) as connection:
        assert connection.execute('SELECT count(*) FROM usage').fetchone() == (1,)
    connection.close()


def test_a_search_waits_for_no_writer_and_its_uses_are_counted_later(path: Path) -> None:
    with fast(path) as memory:
        memory.add('likes green tea', **ANA)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute('BEGIN IMMEDIATE')
        assert memory.search('green tea', **ANA)
        memory.close()  # the lock is still held: the count is kept for later instead
        other.execute('ROLLBACK')
        other.close()
        memory.search('green tea', **ANA)
    assert uses(path) == {'likes green tea': 2}


def test_many_threads_lose_no_use(path: Path) -> None:
    before = set(threading.enumerate())
    with fast(path) as memory:
        memory.add('likes green tea', **ANA)
        threads = [
            threading.Thread(target=lambda: [memory.search('green tea', **ANA) for _ in range(10)]) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert uses(path) == {'likes green tea': 60}
    assert set(threading.enumerate()) <= before


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')
def test_a_child_counts_its_own_uses_only(path: Path) -> None:
    memory = fast(path)
    memory.add('likes green tea', **ANA)
    memory.search('green tea', **ANA)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            memory.search('green tea', **ANA)
            memory.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    memory.search('green tea', **ANA)
    memory.close()
    assert uses(path) == {'likes green tea': 3}


def test_what_is_fresh_or_lasting_or_pinned_keeps_its_importance() -> None:
    assert retention(record(), NOW) == 1
    for kind in LASTING:
        assert retention(record(kind, days=9999), NOW) == 1
    assert retention(record('event', days=9999, pinned=True), NOW) == 1
    assert retention(record(days=-5), NOW) == 1


def test_importance_halves_and_recalling_slows_that_down() -> None:
    old = record('event', days=60)
    assert retention(old, NOW) == pytest.approx(0.5)
    assert retention(record('event', days=120), NOW) == pytest.approx(0.25)
    often = [retention(old, NOW, uses=n) for n in range(5)]
    assert often == sorted(often)
    assert often[0] < often[-1] < 1
    assert retention(old, NOW, uses=1, last_used_at=NOW) == 1
    assert retention(old, NOW, last_used_at=NOW - timedelta(days=90)) == retention(old, NOW)


def test_fading_breaks_ties_in_ranking_and_never_more() -> None:
    old, new = record(days=2000, importance=1.0), record(days=0, importance=1.0)
    close = [
        (Ranked('memories', 0, 1.05, 0.9, {}), Hit(memory=old, score=0.9)),
        (Ranked('memories', 1, 1.0, 0.9, {}), Hit(memory=new, score=0.9)),
    ]
    assert [h.memory for _, h in rerank(close, top_k=2, now=NOW)] == [new, old]
    assert [h.memory for _, h in rerank(close, top_k=2)] == [old, new]
    used = replace(close[0][0], uses=50, last_used_at=NOW)
    assert [h.memory for _, h in rerank([(used, close[0][1]), close[1]], top_k=2, now=NOW)] == [old, new]
    apart = [(replace(close[0][0], order=1.5), close[0][1]), close[1]]
    [(first, _), _] = rerank(apart, top_k=2, now=NOW)
    assert first.parts['decay'] == pytest.approx(-0.1, abs=0.001)


def test_explain_shows_what_has_faded() -> None:
    with fast() as memory:
        memory.add('likes green tea', occurred_at='2020-01-01', **ANA)
        memory.add('plays green tea ceremonies', **ANA)
        why = {h.text: h.why or {} for h in memory.search('green tea', explain=True, **ANA)}
    assert why['likes green tea']['decay'] < 0
    assert why['plays green tea ceremonies'].get('decay', 0) == pytest.approx(0, abs=1e-6)
