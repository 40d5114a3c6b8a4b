"""Jobs as a person looks after them, and as a scheduler of somebody's own drives them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from _fakes import fast, fast_async, texts
from _thinking import SECONDS, Thinking, quick
from memoranda import Conflict, InvalidInput, InvalidScope, Memory, MemoryNotFound, Scope
from memoranda.errors import ConfigurationError, StoreError
from memoranda.records import Job
from memoranda.stores.data import JOB_FORMAT

ANA = {'user_id': 'ana'}
BEN = {'user_id': 'ben'}


@pytest.fixture
def memory() -> Iterator[Memory]:
    """One whose jobs nobody does unless asked to."""
    memory = fast(settings=quick(workers=0))
    yield memory
    memory.close()


def queue(memory: Memory, text: str = 'I like tea', **scope: Any) -> str:
    return memory.add(text, background=True, **(scope or ANA)).job_id or ''


def ids(memory: Memory, **arguments: Any) -> list[str]:
    """Of all pages."""
    found: list[str] = []
    cursor = None
    while True:
        page = memory.jobs(limit=2, cursor=cursor, **arguments)
        assert len(page) == len(page.items) <= 2
        found += [job.id for job in page]
        cursor = page.cursor
        if cursor is None:
            return found


# --- looking ---


def test_jobs_of_a_scope_are_listed_latest_first(memory: Memory) -> None:
    mine = [queue(memory, f'fact {n}') for n in range(5)]
    theirs = queue(memory, **BEN)
    assert ids(memory, **ANA) == mine[::-1]
    assert ids(memory, **BEN) == [theirs]
    assert ids(memory, user_id='eve') == []
    assert ids(memory.project_wide()) == [theirs, *mine[::-1]]
    assert ids(memory.scoped(Scope(user_id='ben'))) == [theirs]


def test_a_job_tells_what_is_known_of_it_and_no_word_of_the_message(memory: Memory) -> None:
    before = memory.jobs(**ANA)
    assert (before.items, before.cursor) == ((), None)
    receipt = memory.add('I like tea', background=True, run_id='s1', agent_id='guide', **ANA)
    job = memory.job(receipt.job_id or '', **ANA)
    assert (job.id, job.project, job.status, job.attempts) == (receipt.job_id, 'default', 'queued', 0)
    assert job.scope == Scope(user_id='ana', agent_id='guide', run_id='s1')
    assert job.created_at <= job.run_after
    assert 'tea' not in repr(job)


def test_jobs_are_listed_by_state(memory: Memory) -> None:
    done, waiting = queue(memory, user_id='a'), queue(memory, user_id='b')
    memory.process_one_job()
    assert ids(memory.project_wide(), states=['done']) == [done]
    assert ids(memory.project_wide(), states={'queued', 'running'}) == [waiting]
    assert ids(memory, user_id='a', states=('queued',)) == []
    assert ids(memory.project_wide(), states=['dead', 'retrying', 'dropped', 'unsaved']) == []


@pytest.mark.parametrize('states', [[], 'queued', ['lost'], 7, ['queued', 7], [None]])
def test_states_that_are_none_are_refused(memory: Memory, states: Any) -> None:
    with pytest.raises(InvalidInput, match=r'states=.* is not a list of states: use some of unsaved, queued'):
        memory.jobs(states=states, **ANA)


def test_pages_that_are_none_are_refused(memory: Memory) -> None:
    for limit in (0, 1001, 'x', True):
        with pytest.raises(InvalidInput, match='limit'):
            memory.jobs(limit=limit, **ANA)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InvalidInput, match='cursor'):
        memory.jobs(cursor='; DROP TABLE job', **ANA)
    with pytest.raises(InvalidScope):
        memory.jobs()


def test_the_jobs_of_a_conversation_are_seen_from_it_and_from_the_user(memory: Memory) -> None:
    plain = queue(memory)
    one, two = (queue(memory, run_id=run, **ANA) for run in ('s1', 's2'))
    assert ids(memory, **ANA) == [two, one, plain]
    assert ids(memory, run_id='s1', **ANA) == ids(memory, session_id='s1', **ANA) == [one, plain]
    assert memory.job(one, run_id='s1', **ANA).id == one
    with pytest.raises(MemoryNotFound):
        memory.job(one, run_id='s2', **ANA)
    assert ids(memory, run_id='s1') == []


# --- whose ---


def others(memory: Memory) -> list[tuple[Memory, dict[str, str]]]:
    """From where a job of ana can't be seen."""
    return [
        (memory, BEN),
        (memory, {'agent_id': 'ana'}),
        (memory, {'run_id': 'ana'}),
        (memory.scoped(Scope(user_id='ben')), {}),
        (memory.scoped(Scope.GLOBAL), {}),
        (memory.in_project('other'), ANA),
        (memory.in_project('other').project_wide(), {}),
    ]


def test_a_job_of_somebody_else_does_not_exist(memory: Memory) -> None:
    job_id = queue(memory)
    for view, scope in others(memory):
        for method in (view.job, view.retry_job, view.drop_job):
            with pytest.raises(MemoryNotFound, match='does not exist in this scope'):
                method(job_id, **scope)
        assert ids(view, **scope) == []
    assert memory.job(job_id, **ANA).status == 'queued'
    for view in (memory.project_wide(), memory.scoped(Scope(user_id='ana'))):
        assert view.job(job_id).id == job_id


def test_a_bound_view_takes_no_ids_but_its_own(memory: Memory) -> None:
    job_id = queue(memory)
    view = memory.scoped(Scope(user_id='ana'))
    for method in (view.job, view.retry_job, view.drop_job):
        with pytest.raises(InvalidScope, match='outside the scope'):
            method(job_id, **BEN)
    with pytest.raises(InvalidScope):
        memory.job(job_id)


def test_an_id_that_is_none_is_refused(memory: Memory) -> None:
    for method in (memory.job, memory.retry_job, memory.drop_job):
        with pytest.raises(MemoryNotFound):
            method('nowhere', **ANA)
        with pytest.raises(InvalidInput):
            method(7, **ANA)  # pyright: ignore[reportArgumentType]


def test_a_job_goes_with_its_messages(memory: Memory) -> None:
    job_id = queue(memory)
    memory.delete_all(**ANA)
    with pytest.raises(MemoryNotFound, match='jobs go with erased messages'):
        memory.job(job_id, **ANA)
    assert memory.process_one_job() is None


# --- trying again, dropping ---


def test_a_job_that_was_given_up_is_tried_again_by_the_workers() -> None:
    model = Thinking(fails=lambda number, _: RuntimeError('no') if number < 3 else None)
    with fast(extractor=model, settings=quick(max_attempts=2)) as memory:
        receipt = memory.add('I like tea', background=True, **ANA)
        assert receipt.result(SECONDS).status == 'dead'
        assert ids(memory, states=['dead'], **ANA) == [receipt.job_id]
        again = memory.retry_job(receipt.job_id or '', **ANA)
        assert (again.status, again.attempts, again.last_error) == ('queued', 0, None)
        assert memory.flush(SECONDS) == 0
        assert memory.job(again.id, **ANA).status == 'done'
        assert texts(memory.get_all(**ANA)) == ['I like tea']


def test_what_is_done_dropped_or_running_is_not_tried_again(memory: Memory) -> None:
    done, dropped = queue(memory), queue(memory)
    memory.process_one_job()
    memory.drop_job(dropped, **ANA)
    for job_id, status in ((done, 'done'), (dropped, 'dropped')):
        with pytest.raises(Conflict, match=f'is {status}: only one that waits or was given up'):
            memory.retry_job(job_id, **ANA)
        with pytest.raises(Conflict, match=f'is {status}: only one that is not done'):
            memory.drop_job(job_id, **ANA)


def test_a_dropped_job_leaves_its_message(memory: Memory) -> None:
    first, second = queue(memory, 'I like tea'), queue(memory, 'I like jazz')
    assert memory.drop_job(first, **ANA).status == 'dropped'
    job = memory.process_one_job()
    assert job is not None
    assert job.id == second
    assert texts(memory.get_all(**ANA)) == ['I like jazz']
    assert [hit.text for hit in memory.search('tea', include=('episodes',), top_k=1, **ANA)] == ['I like tea']


def test_dropping_the_job_of_an_add_that_waits_ends_the_add(tmp_path: Path) -> None:
    model = Thinking(held=True)

    async def main() -> None:
        async with fast_async(tmp_path / 'm.db', extractor=model) as memory:
            await memory.add('I like tea', background=True, **ANA)
            await asyncio.to_thread(model.wait_asked)
            adding = asyncio.create_task(memory.add('I like jazz', **ANA))
            while len(waiting := (await memory.jobs(states=['queued'], **ANA)).items) < 1:
                pass
            await memory.drop_job(waiting[0].id, **ANA)
            result = await adding
            assert (result.changes, dict(result.skipped)) == ((), {'dropped': 1})
            model.let_go()

    asyncio.run(main())


# --- driven by hand ---


def test_jobs_are_done_one_at_a_time_for_whoever_drives_them(memory: Memory) -> None:
    assert memory.process_one_job() is None
    expected = [queue(memory, 'of ana'), queue(memory, 'of ben', **BEN)]
    expected.append(queue(memory.in_project('other'), 'elsewhere'))
    expected.append(queue(memory, 'another of ana'))
    done: list[Job] = []
    with pytest.raises(InvalidScope, match='bound to a scope'):
        memory.scoped(Scope(user_id='eve')).process_one_job()
    view = memory.in_project('third')  # of any project and owner
    while (job := view.process_one_job()) is not None:
        done.append(job)
    assert [job.project for job in done] == ['default', 'other', 'default', 'default']  # projects take turns
    assert [job.id for job in done if job.project == 'default'] == [*expected[:2], expected[3]]
    assert {job.status for job in done} == {'done'}
    assert texts(memory.in_project('other').get_all(**ANA)) == ['elsewhere']
    assert texts(memory.get_all(**ANA)) == ['another of ana', 'of ana']


def test_a_job_that_fails_so_is_told_and_not_raised() -> None:
    model = Thinking(fails=lambda number, _: RuntimeError('no') if number < 3 else None)
    memory = fast(extractor=model, settings=quick(workers=0, max_attempts=2))
    job_id = queue(memory)
    told: list[tuple[str, int, str | None]] = []
    for _ in range(2):
        job = memory.process_one_job()
        while job is None:  # its pause is a millisecond at most
            job = memory.process_one_job()
        assert job.id == job_id
        told.append((job.status, job.attempts, job.last_error))
    assert told == [('retrying', 1, 'RuntimeError: no'), ('dead', 2, 'RuntimeError: no')]
    assert memory.process_one_job() is None
    memory.close()


def test_a_wrong_setting_is_raised_to_whoever_drives_them() -> None:
    model = Thinking(fails=lambda number, _: ConfigurationError('model x has no key: set it'))
    memory = fast(extractor=model, settings=quick(workers=0))
    job_id = queue(memory)
    with pytest.raises(ConfigurationError, match='no key'):
        memory.process_one_job()
    job = memory.job(job_id, **ANA)
    assert (job.status, job.attempts) == ('retrying', 0)
    memory.close()


def test_a_job_that_is_erased_while_it_is_done_is_passed_over() -> None:
    model = Thinking(held=True)

    async def main() -> None:
        memory = fast_async(extractor=model)
        await memory.add('I like tea', background=True, **ANA)
        second = await memory.add('I like jazz', background=True, **BEN)
        doing = asyncio.create_task(memory.process_one_job())
        await asyncio.to_thread(model.wait_asked)
        await memory.delete_all(**ANA)
        model.let_go()
        job = await doing
        assert job is not None  # not None: there was another one to do
        assert (job.id, job.status) == (second.job_id, 'done')
        assert await memory.process_one_job() is None
        await memory.close()

    asyncio.run(main())


def test_several_may_drive_at_once(tmp_path: Path) -> None:
    model = Thinking()

    async def drive(memory: Any) -> int:
        done = 0
        while await memory.process_one_job() is not None:
            done += 1
        return done

    async def main() -> None:
        one, two = (fast_async(tmp_path / 'm.db', extractor=model) for _ in range(2))
        for number in range(20):
            await one.add(f'fact {number:02}', background=True, user_id=f'user {number}')
        done = await asyncio.gather(*(drive(m) for m in (one, two, one, two)))
        assert sum(done) == 20
        assert sorted(t for (t,) in model.asked) == [f'fact {number:02}' for number in range(20)]
        await one.close()
        await two.close()

    asyncio.run(main())


def test_a_long_queue_is_worked_off_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    with fast(path, settings=quick(workers=0)) as memory:
        for number in range(300):
            memory.add(f'fact {number}', background=True, user_id=f'user {number % 40}')
        assert memory.flush(0) == 300
    with fast(path) as memory:
        assert memory.flush(SECONDS) == 0
        assert (memory.stats().memories, memory.stats().jobs_queued) == (300, 0)


# --- files of a newer version ---


def stamp(path: Path, job_id: str, number: int) -> None:
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(30_000)
    connection.execute('UPDATE job SET format = ? WHERE id = ?', [number, job_id])
    connection.execute(
        'UPDATE queue SET format = ? WHERE owner = (SELECT owner FROM job WHERE id = ?)', [number, job_id]
    )
    connection.close()


def test_a_job_of_a_newer_version_waits_for_it_and_nobody_else_waits_for_the_job(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    with fast(path, settings=quick(workers=0)) as memory:
        newer = queue(memory, 'I like tea')
        stamp(path, newer, JOB_FORMAT + 1)
    with fast(path, settings=quick()) as memory:
        behind = memory.add('I like jazz', background=True, **ANA)
        assert memory.add('I like chess', background=True, **BEN).result(SECONDS).status == 'done'
        assert memory.flush(0.1) == 2
        assert memory.job(newer, **ANA).status == behind.status == 'queued'
        with pytest.raises(StoreError, match=r'was written by a newer memoranda.*upgrade memoranda'):
            memory.add('I like go', **ANA)
        assert [e.text for e in memory.episodes(**ANA).items] == ['I like tea', 'I like jazz', 'I like go']
        stamp(path, newer, JOB_FORMAT)  # as if this version knew it
        assert memory.flush(SECONDS) == 0
        assert texts(memory.get_all(**ANA)) == ['I like go', 'I like jazz', 'I like tea']


def test_a_job_of_a_newer_version_can_be_dropped(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    memory = fast(path, settings=quick(workers=0))
    job_id = queue(memory, 'I like tea')
    stamp(path, job_id, JOB_FORMAT + 1)
    later = queue(memory, 'I like jazz')
    assert memory.process_one_job() is None
    memory.drop_job(job_id, **ANA)
    job = memory.process_one_job()
    assert job is not None
    assert (job.id, job.status) == (later, 'done')
    memory.close()
