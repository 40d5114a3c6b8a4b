"""Adds in the background: what workers do with them, in which order, and what happens when something fails."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from _fakes import fast, fast_async, subprocess_environment, texts
from _thinking import SECONDS, Thinking, quick
from memoranda import Scope
from memoranda.settings import Settings
from memoranda.stores.sqlite import SQLiteStore

ANA = {'user_id': 'ana'}
BEN = {'user_id': 'ben'}


def test_a_background_add_answers_before_the_message_is_read() -> None:
    model = Thinking(held=True)
    with fast(extractor=model) as memory:
        receipt = memory.add('I like tea', background=True, **ANA)
        assert (receipt.status, receipt.changes, receipt.error, len(receipt.episode_ids)) == ('queued', (), None, 1)
        model.wait_asked()
        assert memory.job(receipt.job_id or '', **ANA).status == 'running'
        assert len(memory.get_all(**ANA)) == 0
        model.let_go()
        done = receipt.result(SECONDS)
        assert (done.status, texts(done.memories), done.episode_ids) == ('done', ['I like tea'], receipt.episode_ids)
        assert texts(memory.get_all(**ANA)) == ['I like tea']


def test_a_message_is_found_by_its_words_at_once() -> None:
    model = Thinking(held=True)
    with fast(extractor=model) as memory:
        memory.add('The zebra is striped', background=True, **ANA)
        for strategy in ('keyword', 'hybrid'):
            (hit,) = memory.search('zebra', strategy=strategy, include=('episodes',), **ANA)
            assert hit.text == 'The zebra is striped'
        assert memory.search('zebra', **ANA) == []
        model.let_go()
        assert memory.flush(SECONDS) == 0
        assert [hit.text for hit in memory.search('zebra', **ANA)] == ['The zebra is striped']


def test_a_message_is_found_by_its_meaning_while_the_model_still_thinks() -> None:
    model = Thinking(held=True)
    with fast(extractor=model) as memory:
        memory.add('The zebra is striped', background=True, **ANA)
        model.wait_asked()
        (hit,) = memory.search('striped zebra', strategy='semantic', include=('episodes',), **ANA)
        assert hit.text == 'The zebra is striped'
        model.let_go()


def test_a_worker_is_woken_by_each_add() -> None:
    model = Thinking()
    with fast(extractor=model, settings=Settings(poll_seconds=3600)) as memory:
        for number in range(10):
            memory.add(f'fact {number}', background=True, **ANA)
            model.wait_asked(number + 1)
            while memory.stats().jobs_queued:
                pass
            memory.search('fact', **ANA)  # meanwhile it falls asleep
    assert len(model.asked) == 10


def test_messages_of_one_user_are_read_one_after_the_other_as_they_came() -> None:
    model = Thinking()
    with fast(extractor=model) as memory:
        for number in range(20):
            memory.add(f'home.city = city{number:02}', background=True, **ANA)
        assert memory.flush(SECONDS) == 0
        assert [t for (t,) in model.asked] == [f'home.city = city{number:02}' for number in range(20)]
        assert model.at_once == {'all': 1, 'ana': 1}
        record = memory.get_slot('home.city', **ANA)
        assert record is not None
        assert record.value == 'city19'


def test_several_users_are_served_at_once_and_no_more_than_there_are_workers() -> None:
    model = Thinking(held=True)
    with fast(extractor=model, settings=Settings(workers=4)) as memory:
        receipts = [memory.add('I like tea', background=True, user_id=f'user {n}') for n in range(9)]
        model.wait_asked(4)
        model.let_go()
        assert {r.result(SECONDS).status for r in receipts} == {'done'}
        assert model.at_once['all'] == 4
        assert set(model.at_once.values()) == {1, 4}


def test_who_says_a_lot_does_not_hold_up_others() -> None:
    model = Thinking(held=True)
    with fast(extractor=model, settings=Settings(workers=1)) as memory:
        for number in range(12):
            memory.add(f'fact {number}', background=True, **ANA)
        model.wait_asked()
        memory.add('one of ben', background=True, **BEN)
        memory.add('another of ana', background=True, **ANA)
        memory.add('two of ben', background=True, **BEN)
        model.let_go()
        assert memory.flush(SECONDS) == 0
        assert [t for (t,) in model.asked][:4] == ['fact 0', 'one of ben', 'fact 1', 'two of ben']


def test_two_memories_on_one_file_share_the_work_and_nothing_is_read_twice(tmp_path: Path) -> None:
    model = Thinking()
    with (
        fast(tmp_path / 'm.db', extractor=model) as one,
        fast(tmp_path / 'm.db', extractor=model) as two,
    ):
        for number in range(30):
            (one, two)[number % 2].add(f'fact {number:02}', background=True, user_id=f'user {number % 5}')
        assert (one.flush(SECONDS), two.flush(SECONDS)) == (0, 0)
        assert sorted(t for (t,) in model.asked) == [f'fact {number:02}' for number in range(30)]
        assert one.stats().memories == 30


class Watched(SQLiteStore):
    """Tells when leases are renewed."""

    def __init__(self, path: Path, renewed: threading.Semaphore) -> None:
        super().__init__(path)
        self.renewed = renewed

    async def renew(self, *workers: str, lease_seconds: float) -> None:
        await super().renew(*workers, lease_seconds=lease_seconds)
        self.renewed.release()


def test_a_model_slower_than_a_lease_keeps_its_jobs(tmp_path: Path) -> None:
    renewed, model = threading.Semaphore(0), Thinking(held=True)  # whichever of the two has them
    one, two = (Watched(tmp_path / 'm.db', renewed) for _ in range(2))
    with (
        fast(None, store=one, extractor=model, settings=quick(lease_seconds=1)) as memory,
        fast(None, store=two, extractor=model, settings=quick(lease_seconds=1)) as other,
    ):
        receipts = [memory.add('I like tea', background=True, user_id=f'user {n}') for n in range(3)]
        model.wait_asked(3)
        for _ in range(4):  # later than the leases would have ended
            assert renewed.acquire(timeout=SECONDS)
        assert other.flush(0) == 3
        model.let_go()
        assert {r.result(SECONDS).status for r in receipts} == {'done'}
        assert len(model.asked) == 3
        assert {job.crashes for job in memory.project_wide().jobs()} == {0}


def test_a_memory_without_workers_leaves_the_jobs_to_others(tmp_path: Path) -> None:
    idle = Thinking()
    with fast(tmp_path / 'm.db', extractor=idle, settings=Settings(workers=0)) as memory:
        receipt = memory.add('I like tea', background=True, **ANA)
        assert memory.flush(0) == 1
        with pytest.raises(TimeoutError, match='queued'):
            receipt.result(0)
        with fast(tmp_path / 'm.db') as other:
            assert texts(receipt.result(SECONDS).memories) == ['I like tea']
            assert texts(other.get_all(**ANA)) == ['I like tea']
        assert idle.asked == []


def test_given_facts_can_be_added_in_the_background_too() -> None:
    model = Thinking()
    with fast(extractor=model) as memory:
        receipt = memory.add(
            'Lives in Lisbon',
            infer=False,
            slot='home.city',
            value='Lisbon',
            tags=['t'],
            background=True,
            **ANA,
        )
        (record,) = receipt.result(SECONDS).memories
        assert (record.text, record.slot, record.value, record.tags) == (
            'Lives in Lisbon',
            'home.city',
            'Lisbon',
            ('t',),
        )
        assert model.asked == []


def test_an_inline_add_waits_for_the_job_of_the_same_user_that_runs() -> None:
    model = Thinking(held=True)
    with fast(extractor=model) as memory:
        receipt = memory.add('home.city = Lisbon', background=True, **ANA)
        model.wait_asked()
        results: list[list[str]] = []
        inline = threading.Thread(
            target=lambda: results.append(texts(memory.add('home.city = Porto', **ANA).memories)),
        )
        inline.start()
        stats = memory.stats()
        while stats.episodes < 2:
            stats = memory.stats()
        model.let_go()
        inline.join(SECONDS)
        assert results == [['home.city is Porto']]
        assert receipt.result(SECONDS).status == 'done'
        assert model.asked == [['home.city = Lisbon'], ['home.city = Porto']]
        assert model.at_once['ana'] == 1


def test_an_inline_add_of_another_user_does_not_wait() -> None:
    model = Thinking(held=True)
    with fast(extractor=model) as memory:
        memory.add('I like tea', background=True, **ANA)
        model.wait_asked()
        inline = threading.Thread(target=lambda: memory.add('I like chess', **BEN))
        inline.start()
        model.wait_asked(2)
        model.let_go('ben')
        inline.join(SECONDS)
        assert texts(memory.get_all(**BEN)) == ['I like chess']
        assert len(memory.get_all(**ANA)) == 0
        model.let_go()


def test_erasing_a_user_whose_message_is_being_read_leaves_nothing() -> None:
    model = Thinking(held=True)
    with fast(extractor=model) as memory:
        receipts = [memory.add(f'fact {n}', background=True, **ANA) for n in range(3)]
        model.wait_asked()
        memory.delete_all(**ANA)
        model.let_go()
        for receipt in receipts:
            ended = receipt.result(SECONDS)
            assert (ended.status, ended.error, ended.changes) == ('dropped', 'its messages were erased', ())
        memory.add('I like jazz', background=True, **ANA)
        assert memory.flush(SECONDS) == 0
        assert texts(memory.get_all(**ANA)) == ['I like jazz']
        assert [e.text for e in memory.episodes(**ANA).items] == ['I like jazz']
        assert model.asked == [['fact 0'], ['I like jazz']]


# --- flush and close ---


def test_flush_tells_what_is_left_when_its_time_is_over() -> None:
    model = Thinking(held=True)
    with fast(extractor=model) as memory:
        for user in ('ana', 'ana', 'ben'):
            memory.add('I like tea', background=True, user_id=user)
        model.wait_asked(2)
        assert memory.flush(0) == 3
        assert memory.flush(0.01) == 3
        assert memory.scoped(Scope(user_id='ana')).flush(0) == 2
        assert memory.scoped(Scope(user_id='eve')).flush(0) == 0
        model.let_go('ben')
        assert memory.scoped(Scope(user_id='ben')).flush(SECONDS) == 0
        assert memory.flush(0) == 2
        model.let_go()
        assert memory.flush(None) == 0


def test_flush_does_the_work_itself_where_nobody_else_does(tmp_path: Path) -> None:
    memory = fast(tmp_path / 'm.db')  # without `with`
    for user in ('ana', 'ben'):
        memory.add('I like tea', background=True, user_id=user)
    assert memory.flush(SECONDS) == 0
    assert memory.stats().memories == 2
    memory.close()


def test_flush_does_not_count_what_was_given_up() -> None:
    model = Thinking(fails=lambda *_: RuntimeError('no'))
    with fast(extractor=model, settings=quick(max_attempts=1)) as memory:
        memory.add('I like tea', background=True, **ANA)
        assert memory.flush(SECONDS) == 0
        assert memory.stats().jobs_dead == 1


def test_what_closing_gives_back_was_not_tried_and_the_next_start_does_it(tmp_path: Path) -> None:
    model = Thinking(held=True)
    with fast(tmp_path / 'm.db', extractor=model, settings=Settings(drain_seconds=0)) as memory:
        ids = [memory.add(f'fact {n}', background=True, user_id=f'user {n % 2}').job_id for n in range(4)]
        model.wait_asked(2)
    assert model.cancelled == 2
    later = fast(tmp_path / 'm.db')
    jobs = {job.id: job for job in later.project_wide().jobs()}
    assert [(jobs[i or ''].status, jobs[i or ''].attempts, jobs[i or ''].crashes) for i in ids] == [
        ('queued', 0, 0)
    ] * 4
    with later:
        assert later.flush(SECONDS) == 0
        assert later.stats().memories == 4


def test_cancelling_who_does_a_job_by_hand_gives_it_back(tmp_path: Path) -> None:
    model = Thinking(held=True)

    async def main() -> None:
        memory = fast_async(tmp_path / 'm.db', extractor=model)
        await memory.add('I like tea', background=True, **ANA)
        doing = asyncio.create_task(memory.process_one_job())
        await asyncio.to_thread(model.wait_asked)
        doing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doing
        (job,) = await memory.jobs(**ANA)
        while job.status == 'running':  # it is given back without anybody waiting for it
            (job,) = await memory.jobs(**ANA)
        assert (job.status, job.attempts, job.crashes) == ('queued', 0, 0)
        model.let_go()
        job = await memory.process_one_job()
        assert job is not None
        assert (job.status, job.attempts) == ('done', 1)
        await memory.close()

    asyncio.run(main())


def test_a_disk_that_fills_while_a_job_is_done_costs_a_wait_and_not_the_job(tmp_path: Path) -> None:
    pytest.importorskip('resource', reason='limits are POSIX ones')
    done = subprocess.run(
        [sys.executable, '-c', FULL_DISK, str(tmp_path / 'm.db')],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=subprocess_environment(),
    )
    assert (done.stderr, done.stdout.splitlines()) == ('', ['1 asked while it is full', '1 asked', '300 facts', 'done'])


FULL_DISK = """
import logging, os, resource, signal, sys, threading
from types import SimpleNamespace
import memoranda._breaker
from _fakes import fast
from _thinking import SECONDS, Thinking, quick
from memoranda.write.extract import Extraction, Proposal, Quote

moment = 0.0
memoranda._breaker.time = SimpleNamespace(monotonic=lambda: moment)  # the pauses end when we say so
failed = threading.Event()


class Watch(logging.Handler):
    def emit(self, record):
        if 'storage fails' in record.getMessage():
            failed.set()


class Big(Thinking):
    async def extract(self, request):
        await super().extract(request)
        quote = (Quote(0, 0, 6),)
        return Extraction(proposals=[Proposal(text=f'fact {n} ' + 'word ' * 300, evidence=quote) for n in range(300)])


logging.getLogger('memoranda.write').addHandler(Watch())
logging.getLogger('memoranda.write').propagate = False
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = sys.argv[1]
model = Big(held=True)
with fast(path, extractor=model, settings=quick()) as memory:
    receipt = memory.add('I like tea', background=True, user_id='ana')
    model.wait_asked()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(path + '-wal') + 100_000, limits[1]))
    model.let_go()
    assert failed.wait(SECONDS)
    assert memory.flush(0.1) == 1
    print(len(model.asked), 'asked while it is full')
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    moment += 1000.0
    assert memory.flush(SECONDS) == 0
    print(len(model.asked), 'asked')
    print(memory.stats().memories, 'facts')
    print(receipt.result(0).status)
"""
