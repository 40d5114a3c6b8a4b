"""What fails again and again is left alone for a while, and asked again without a restart."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from _fakes import fast, texts
from _thinking import SECONDS, Thinking, down, quick
from memoranda import ProcessingFailed
from memoranda._breaker import PROBE_SECONDS, Breaker
from memoranda.errors import StoreBusy
from memoranda.stores.data import Work
from memoranda.stores.sqlite import SQLiteStore

ANA = {'user_id': 'ana'}
FAILURES = 5
"""In a row, before a model is left alone."""
WORKERS = 8


class Clock:
    """The time that breakers see: it stands still unless it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr('memoranda._breaker.time', SimpleNamespace(monotonic=lambda: clock.now))
    return clock


# --- the breaker alone ---


def opened(**arguments: float) -> Breaker:
    """One that rests."""
    breaker = Breaker(after=1, **{'first': 1.0, 'most': 60.0, **arguments})
    assert breaker.failed('down')
    return breaker


def test_it_lets_everybody_through_until_so_many_calls_failed_in_a_row() -> None:
    breaker = Breaker(after=3, first=1.0, most=60.0)
    for failed in (True, True, False, True, True):
        assert breaker.enter() == 0
        if failed:
            assert not breaker.failed('down')
        else:
            assert not breaker.succeeded()
    assert (breaker.open, breaker.resting) == (False, 0)
    assert breaker.failed('down')
    assert breaker.open
    assert 0.5 <= breaker.enter() <= 1.0
    assert 0.5 <= breaker.resting <= 1.0
    assert breaker.cause == 'down'


def test_after_a_rest_one_is_let_through_at_a_time(clock: Clock) -> None:
    breaker = opened()
    clock.now += 1.0
    assert breaker.resting == 0
    assert breaker.enter() == 0
    assert breaker.enter() > 0
    assert breaker.resting > 0
    assert breaker.succeeded()
    assert (breaker.enter(), breaker.enter(), breaker.open) == (0, 0, False)
    assert not breaker.succeeded()


def test_each_rest_is_longer_than_the_one_before_up_to_a_limit(clock: Clock) -> None:
    breaker = opened()
    for longest in (2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0):
        clock.now += 60.0
        assert breaker.enter() == 0
        assert not breaker.failed('down')
        assert longest / 2 <= breaker.resting <= longest
    clock.now += 60.0
    assert breaker.enter() == 0
    breaker.succeeded()
    breaker.failed('down')
    assert breaker.resting <= 1.0


def test_it_never_rests_longer_than_the_limit_however_often_it_failed(clock: Clock) -> None:
    breaker = opened()
    for _ in range(2000):
        clock.now += 60.0
        assert breaker.enter() == 0
        breaker.failed('down')
    assert breaker.resting <= 60.0


def test_one_that_was_let_through_and_did_not_try_makes_way(clock: Clock) -> None:
    breaker = opened()
    clock.now += 1.0
    assert breaker.enter() == 0
    breaker.withdraw()
    assert breaker.enter() == 0
    assert breaker.open


def test_one_that_was_let_through_and_never_came_back_is_not_waited_for_all_the_time(clock: Clock) -> None:
    breaker = opened()
    clock.now += 1.0
    assert breaker.enter() == 0
    assert 0 < breaker.enter() < PROBE_SECONDS  # it may come back any moment
    clock.now += PROBE_SECONDS
    assert breaker.enter() == 0


def test_who_asks_to_be_left_alone_is_at_once_and_for_that_long(clock: Clock) -> None:
    breaker = Breaker(after=5, first=1.0, most=60.0)
    assert breaker.failed('rate limit', retry_after=300.0)
    assert 300.0 <= breaker.enter() <= 301.0
    clock.now += 300.0
    assert breaker.enter() == 0


def test_of_many_threads_one_is_let_through(clock: Clock) -> None:
    breaker = opened()
    clock.now += 1.0
    together, through = threading.Barrier(16), list[float]()

    def enter() -> None:
        together.wait(SECONDS)
        through.append(breaker.enter())

    threads = [threading.Thread(target=enter) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert through.count(0) == 1


# --- a model that is down ---


def test_a_dead_model_is_not_asked_for_each_of_fifty_jobs() -> None:
    model = Thinking(fails=lambda *_: down())
    memory = fast(extractor=model, settings=quick(workers=0))
    ids = [memory.add(f'fact {n}', background=True, user_id=f'user {n}').job_id for n in range(50)]
    seen = [memory.process_one_job() for _ in range(50)]
    assert len(model.asked) == FAILURES
    assert [job.attempts for job in seen if job is not None] == [*[1] * FAILURES, *[0] * (50 - FAILURES)]
    assert sorted(job.id for job in seen if job is not None) == sorted(i or '' for i in ids)
    assert {job.status for job in seen if job is not None} == {'retrying'}
    memory.close()


def test_workers_leave_a_dead_model_alone_and_go_on_when_it_answers(clock: Clock) -> None:
    dead = True
    model = Thinking(held=True, fails=lambda *_: down() if dead else None)
    with fast(extractor=model, settings=quick(workers=WORKERS)) as memory:
        for number in range(50):
            memory.add(f'fact {number}', background=True, user_id=f'user {number}')
        model.wait_asked(WORKERS)
        model.let_go()
        model.wait_idle()
        assert memory.flush(0.1) == 50
        asked = len(model.asked)
        assert asked < FAILURES + WORKERS
        clock.now += 1000.0
        model.wait_asked(asked + 1)  # one to see how it is
        model.wait_idle()
        assert memory.flush(0.1) == 50
        assert len(model.asked) == asked + 1
        dead = False
        clock.now += 1000.0
        assert memory.flush(SECONDS) == 0
        assert memory.stats().memories == 50
        assert len(model.asked) == asked + 1 + 50


def test_a_provider_that_wants_to_be_left_alone_is_by_all_jobs() -> None:
    model = Thinking(fails=lambda *_: down(reason='rate limit', retry_after=3600.0))
    memory = fast(extractor=model, settings=quick(workers=0))
    for number in range(10):
        memory.add(f'fact {number}', background=True, user_id=f'user {number}')
    for _ in range(10):
        job = memory.process_one_job()
        assert job is not None
        assert (job.run_after - job.created_at).total_seconds() >= 3600
    assert len(model.asked) == 1
    memory.close()


def test_an_inline_add_says_at_once_that_the_model_is_left_alone(clock: Clock) -> None:
    dead = True
    model = Thinking(fails=lambda *_: down() if dead else None)
    memory = fast(extractor=model, settings=quick())
    for number in range(FAILURES):
        with pytest.raises(ProcessingFailed, match='no connection'):
            memory.add('I like tea', user_id=f'user {number}')
    with pytest.raises(ProcessingFailed, match=r'asked again in .* s: wait, or name another model'):
        memory.add('I like tea', **ANA)
    assert len(model.asked) == FAILURES
    (job,) = memory.jobs(**ANA)
    assert (job.status, job.attempts) == ('retrying', 0)
    assert [e.text for e in memory.episodes(**ANA).items] == ['I like tea']
    assert memory.add('Lives in Lisbon', infer=False, **ANA).status == 'done'  # facts that are given need no model
    dead = False
    clock.now += 1000.0
    memory.add('I like jazz', **ANA)
    assert texts(memory.get_all(**ANA)) == ['I like jazz', 'I like tea', 'Lives in Lisbon']
    memory.close()


def test_recall_goes_on_while_the_model_is_left_alone() -> None:
    dead = False
    model = Thinking(fails=lambda *_: down() if dead else None)
    memory = fast(extractor=model, settings=quick(workers=0))
    memory.add('I like tea', **ANA)
    dead = True
    for number in range(FAILURES):
        memory.add(f'fact {number}', background=True, user_id=f'user {number}')
        memory.process_one_job()
    assert [hit.text for hit in memory.search('tea', **ANA)] == ['I like tea']
    assert 'I like tea' in str(memory.context('tea', **ANA))
    memory.close()


@pytest.mark.parametrize('error', [down(reason='output'), down(reason='refused'), RuntimeError('mine')])
def test_a_model_that_answers_something_useless_is_not_down(error: Exception) -> None:
    model = Thinking(fails=lambda *_: error)
    memory = fast(extractor=model, settings=quick(workers=0))
    for number in range(12):
        memory.add(f'fact {number}', background=True, user_id=f'user {number}')
        memory.process_one_job()
    assert len(model.asked) == 12
    memory.close()


def test_cancelling_the_one_who_tries_lets_the_next_one_try(clock: Clock, tmp_path: Path) -> None:
    dead = True
    model = Thinking(fails=lambda *_: down() if dead else None)
    with fast(tmp_path / 'm.db', extractor=model, settings=quick(drain_seconds=0)) as memory:
        for number in range(FAILURES):
            with pytest.raises(ProcessingFailed):
                memory.add('I like tea', user_id=f'user {number}')
        dead, asked = False, len(model.asked)
        model.hold()
        clock.now += 1000.0
        memory.add('I like jazz', background=True, **ANA)
        model.wait_asked(asked + 1)
    model.let_go()
    with memory:  # closing cancelled the one who tried
        assert memory.flush(SECONDS) == 0
        assert memory.stats().memories == FAILURES + 1


# --- a storage that fails ---


class Failing(SQLiteStore):
    """Can't be written to by workers, now and then."""

    broken = True
    claims = 0

    async def claim_next(self, *, worker: str, lease_seconds: float, turns: int = 1) -> Work | None:
        self.claims += 1
        if self.broken:
            raise StoreBusy('locked')
        return await super().claim_next(worker=worker, lease_seconds=lease_seconds, turns=turns)


def warnings_of(caplog: pytest.LogCaptureFixture) -> Sequence[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == 'WARNING']


def test_a_storage_that_fails_is_asked_again_after_a_while(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    store = Failing(tmp_path / 'm.db')
    model = Thinking()
    with fast(None, store=store, extractor=model, settings=quick()) as memory:
        for number in range(20):
            memory.add(f'fact {number}', background=True, user_id=f'user {number}')
        assert memory.flush(0.1) == 20
        assert store.claims == 1
        clock.now += 1.0
        assert memory.flush(0.1) == 20
        assert store.claims == 2
        store.broken = False
        clock.now += 60.0
        assert memory.flush(SECONDS) == 0
        assert memory.stats().memories == 20
    assert warnings_of(caplog) == ['jobs wait, the storage fails (StoreBusy)', 'the storage works again, jobs are done']


def test_storage_and_model_may_fail_at_the_same_time(tmp_path: Path, clock: Clock) -> None:
    store = Failing(tmp_path / 'm.db')
    model = Thinking(fails=lambda number, _: down(retry_after=20.0) if number == 1 else None)
    with fast(None, store=store, extractor=model, settings=quick()) as memory:
        memory.add('I like jazz', background=True, user_id='ben')
        assert memory.flush(0.1) == 1
        assert store.claims == 1
        with pytest.raises(ProcessingFailed):
            memory.add('I like tea', **ANA)
        store.broken = False
        clock.now += 10.0  # the storage would be asked again, and the model not yet
        assert memory.flush(0.1) == 2
        assert store.claims == 1
        clock.now += 11.0
        memory.retry_job(memory.jobs(**ANA).items[0].id, **ANA)
        assert memory.flush(SECONDS) == 0
