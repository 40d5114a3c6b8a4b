"""Failures that are no ordinary ones: none of them costs a job more than its try, or stops the others."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from _fakes import fast
from _thinking import Thinking, down, quick
from memoranda._breaker import Breaker
from memoranda._bridge import run
from memoranda.scope import Scope
from memoranda.stores.sqlite import SQLiteStore
from memoranda.testing._bench import Bench

ANA = {'user_id': 'ana'}


class Odd(Exception):
    retry_after = 'soon'


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError('no words')


@pytest.mark.parametrize(
    'error', [Odd(), Mute(), down(retry_after=math.inf), down(retry_after=math.nan), down(retry_after=1e13)]
)
def test_a_job_is_given_back_whatever_its_error_says(error: Exception) -> None:
    memory = fast(extractor=Thinking(fails=lambda *_: error), settings=quick(workers=0))
    memory.add('I like tea', background=True, **ANA)
    job = memory.process_one_job()
    assert job is not None
    assert (job.status, job.attempts) == ('retrying', 1)
    assert (job.run_after - job.created_at).total_seconds() < 90_000
    memory.close()


def test_a_process_that_was_killed_is_no_failed_try_of_the_job(tmp_path: Path) -> None:
    model = Thinking(fails=lambda number, _: RuntimeError('once') if number == 1 else None)
    memory = fast(tmp_path / 'm.db', extractor=model, settings=quick(workers=0))
    memory.add('I like tea', background=True, **ANA)
    bench = Bench(SQLiteStore(tmp_path / 'm.db'), run)
    for _ in range(5):
        bench.taken(lease=0.0)
    run(bench.store.close())
    job = memory.process_one_job()
    assert job is not None
    assert (job.status, job.crashes) == ('retrying', 5)
    memory.close()


def test_calls_that_were_under_way_when_it_began_to_rest_make_the_rest_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr('memoranda._breaker.time', SimpleNamespace(monotonic=lambda: 1000.0))
    breaker = Breaker(after=5, first=1.0, most=60.0)
    for _ in range(48):
        assert breaker.enter() == 0
    for _ in range(48):
        breaker.failed('down')
    assert breaker.resting <= 1.0


@pytest.mark.parametrize('given', [{}, {'run_id': 's1', 'infer': False}])
def test_what_is_read_alone_waits_for_no_further_turn(given: dict[str, object]) -> None:
    memory = fast(extractor=Thinking(), settings=quick(workers=0, batch_turns=3, batch_seconds=3600))
    memory.add('I like tea', background=True, **ANA, **given)
    assert memory.process_one_job() is not None
    memory.close()


def test_enough_turns_do_not_wait_for_those_of_another_conversation() -> None:
    bench = Bench(SQLiteStore(':memory:'), run)
    bench.queue('1', turns=3, conversation='one')
    for text in '123':
        bench.queue(text, turns=3, conversation='two')
    assert run(bench.store.due_in()) == 0
    run(bench.store.close())


def test_a_commit_ends_no_other_job_that_is_held_under_the_same_token() -> None:
    bench = Bench(SQLiteStore(':memory:'), run)
    bench.queue('one')
    other = bench.queue('two', scope=Scope(user_id='ben'))
    work = bench.taken()
    bench.taken()
    bench.finish(work)
    assert bench.job(other).status == 'running'
    run(bench.store.close())
