"""Jobs of the background that fail: when they are tried again, and when they are given up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from _fakes import fast, texts
from _thinking import SECONDS, Thinking, down, quick
from memoranda import ProcessingFailed
from memoranda.errors import ConfigurationError
from memoranda.records import Usage, now

ANA = {'user_id': 'ana'}


def test_a_job_that_failed_is_tried_again_until_it_is_done() -> None:
    model = Thinking(fails=lambda number, _: RuntimeError('no answer') if number < 4 else None)
    with fast(extractor=model, settings=quick()) as memory:
        receipt = memory.add('I like tea', background=True, **ANA)
        memory.add('I like jazz', background=True, **ANA)
        done = receipt.result(SECONDS)
        assert (done.status, done.error, texts(done.memories)) == ('done', None, ['I like tea'])
        job = memory.job(receipt.job_id or '', **ANA)
        assert (job.attempts, job.last_error, job.crashes) == (4, None, 0)
        assert memory.flush(SECONDS) == 0
        assert model.asked == [*[['I like tea']] * 4, ['I like jazz']]


def test_a_job_is_given_up_with_its_error_after_so_many_tries_and_later_ones_go_on() -> None:
    model = Thinking(fails=lambda _, said: RuntimeError('unreadable') if said == ['I like tea'] else None)
    with fast(extractor=model, settings=quick(max_attempts=3)) as memory:
        receipt = memory.add('I like tea', background=True, **ANA)
        later = memory.add('I like jazz', background=True, **ANA)
        dead = receipt.result(SECONDS)
        assert (dead.status, dead.error, dead.changes) == ('dead', 'RuntimeError: unreadable', ())
        assert later.result(SECONDS).status == 'done'
        assert model.asked.count(['I like tea']) == 3
        assert (memory.stats().jobs_dead, memory.stats().jobs_queued) == (1, 0)
        (hit,) = memory.search('tea', include=('episodes',), top_k=1, **ANA)
        assert hit.text == 'I like tea'
        assert memory.flush(SECONDS) == 0


def test_what_failed_tries_cost_is_told_too() -> None:
    spent = Usage(requests=1, input_tokens=70, output_tokens=5)
    model = Thinking(usage=spent, fails=lambda number, _: down(reason='output', usage=spent) if number < 3 else None)
    with fast(extractor=model, settings=quick()) as memory:
        done = memory.add('I like tea', background=True, **ANA).result(SECONDS)
        assert done.usage == memory.stats().usage == Usage(requests=3, input_tokens=210, output_tokens=15)


def test_a_provider_is_asked_again_no_sooner_than_it_wants() -> None:
    model = Thinking(fails=lambda number, _: down(reason='rate limit', retry_after=3600.0))
    with fast(extractor=model, settings=quick(workers=0)) as memory:
        before = now()
        receipt = memory.add('I like tea', background=True, **ANA)
        job = memory.process_one_job()
        assert job is not None
        assert (job.id, job.status, job.attempts) == (receipt.job_id, 'retrying', 1)
        assert timedelta(seconds=3600) <= job.run_after - before < timedelta(seconds=3700)
        assert memory.process_one_job() is None
        assert len(model.asked) == 1


def test_an_outage_of_the_provider_does_not_use_up_the_tries_of_a_job() -> None:
    model = Thinking(fails=lambda number, _: down() if number < 4 else None)
    with fast(extractor=model, settings=quick(max_attempts=1)) as memory:
        receipt = memory.add('I like tea', background=True, **ANA)
        assert receipt.result(SECONDS).status == 'done'
        assert memory.job(receipt.job_id or '', **ANA).attempts == 4


def test_an_outage_that_lasts_too_long_does() -> None:
    model = Thinking(fails=lambda *_: down())
    with fast(extractor=model, settings=quick(max_attempts=2, outage_hours=0)) as memory:
        dead = memory.add('I like tea', background=True, **ANA).result(SECONDS)
        assert (dead.status, dead.error) == ('dead', 'ModelFailed: no connection')
        assert len(model.asked) == 2


def test_a_bad_answer_after_an_outage_is_tried_again_like_any_other() -> None:
    model = Thinking(fails=lambda number, _: down() if number < 7 else ValueError('x') if number < 9 else None)
    with fast(extractor=model, settings=quick(max_attempts=3)) as memory:
        assert memory.add('I like tea', background=True, **ANA).result(SECONDS).status == 'done'
        assert len(model.asked) == 9


def test_a_wrong_setting_is_met_by_one_job_at_a_time() -> None:
    model = Thinking(fails=lambda *_: ConfigurationError('no key'))
    memory = fast(extractor=model, settings=quick(retry_seconds=3600, max_retry_seconds=3600))
    for number in range(40):
        memory.add('I like tea', background=True, user_id=f'user {number}')
    with memory:
        model.wait_asked()
        assert memory.flush(0.5) == 40
        assert len(model.asked) <= 8  # those that were begun before the first one had failed


def test_a_wrong_setting_is_no_fault_of_the_job() -> None:
    model = Thinking(fails=lambda number, _: ConfigurationError('no key') if number < 8 else None)
    with fast(extractor=model, settings=quick(max_attempts=2)) as memory:
        receipt = memory.add('I like tea', background=True, **ANA)
        assert receipt.result(SECONDS).status == 'done'
        assert memory.job(receipt.job_id or '', **ANA).attempts == 1


def test_an_error_never_puts_a_whole_message_into_the_job() -> None:
    secret = 'my secret ' * 500
    model = Thinking(fails=lambda *_: ValueError(secret))
    with fast(extractor=model, settings=quick(max_attempts=1)) as memory:
        dead = memory.add('I like tea', background=True, **ANA).result(SECONDS)
        assert dead.error is not None
        assert len(dead.error) < 300


def test_an_inline_add_that_fails_leaves_a_job_that_workers_do() -> None:
    model = Thinking(fails=lambda number, _: RuntimeError('no answer') if number == 1 else None)
    with fast(extractor=model, settings=quick()) as memory:
        with pytest.raises(ProcessingFailed, match='stays queued'):
            memory.add('I like tea', **ANA)
        assert memory.flush(SECONDS) == 0
        assert texts(memory.get_all(**ANA)) == ['I like tea']


def test_workers_go_on_after_an_extractor_raised_anything_at_all() -> None:
    class Odd(Exception):
        usage = 'a lot'

    errors = iter([Odd(), StopIteration(), KeyError('x'), ExceptionGroup('e', [ValueError()]), TimeoutError()])
    model = Thinking(fails=lambda *_: next(errors, None))
    with fast(extractor=model, settings=quick(max_attempts=9)) as memory:
        assert memory.add('I like tea', background=True, **ANA).result(SECONDS).status == 'done'
        assert len(model.asked) == 6
