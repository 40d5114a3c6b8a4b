"""One memory, many threads and event loops: nothing lost, no loop blocked, nothing left behind."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from _fakes import Grammar, fast, fast_async, subprocess_environment, texts
from memoranda import AsyncMemory, Memory, ProcessingFailed, Scope, StoreError
from memoranda.testing.embedders import HashingEmbedder
from memoranda.write.extract import Extraction, ExtractionRequest

ANA = {'user_id': 'ana'}
OURS = 'memoranda-'


def our_threads() -> set[threading.Thread]:
    for thread in threading.enumerate():
        if thread.name == 'memoranda-close':  # it has told that all is closed and is about to end
            thread.join(30)
    return {t for t in threading.enumerate() if t.name.startswith(OURS)}


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Every test here closes what it opens, and no thread of ours may be left then."""
    before = our_threads()
    yield
    assert our_threads() <= before


def in_threads(count: int, work: Callable[[int], object]) -> None:
    """Run it in as many threads at once; the first error is raised."""
    errors: list[BaseException] = []
    gate = threading.Barrier(count)

    def target(number: int) -> None:
        try:
            gate.wait()
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=target, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


class Held(Grammar):
    """A pure extractor that waits until it is let go."""

    def __init__(self) -> None:
        self.reached, self.go = threading.Event(), threading.Event()

    def propose(self, request: ExtractionRequest) -> Extraction:
        self.reached.set()
        assert self.go.wait(30)
        return super().propose(request)


class Failing(Grammar):
    """An extractor that raises until it is mended."""

    def __init__(self, broken: bool = True) -> None:
        self.broken, self.calls = broken, 0

    def propose(self, request: ExtractionRequest) -> Extraction:
        self.calls += 1
        if self.broken:
            raise ValueError('the model is ill')
        return super().propose(request)


class Asking:
    """An extractor that does I/O: it runs on the engine's own loop."""

    name = 'asking'

    def __init__(self) -> None:
        self.threads: set[str] = set()
        self.loops: set[int] = set()

    async def extract(self, request: ExtractionRequest) -> Extraction:
        self.threads.add(threading.current_thread().name)
        self.loops.add(id(asyncio.get_running_loop()))
        await asyncio.sleep(0)
        return Grammar().propose(request)


def test_fifty_threads_share_a_memory_and_nothing_is_lost(tmp_path: Path) -> None:
    users = [f'user {i}' for i in range(10)]
    with fast(tmp_path / 'memory.db') as memory:

        def work(number: int) -> None:
            user = users[number % len(users)]
            for i in range(20):
                result = memory.add(f'fact{i}of{number} is known', infer=i % 10 == 0, user_id=user)
                assert len(result.memories) == 1
                if i % 10 == 5:
                    hits = memory.search(f'fact{i}of{number}', user_id=user, strategy='keyword', top_k=1)
                    assert hits[0].text == f'fact{i}of{number} is known'

        in_threads(50, work)
        stats = memory.stats()
        assert (stats.memories, stats.episodes, stats.jobs_queued, stats.jobs_dead) == (1000, 1000, 0, 0)
        for k, user in enumerate(users):
            expected = {f'fact{i}of{n} is known' for n in range(k, 50, 10) for i in range(20)}
            assert set(texts(memory.get_all(limit=1000, user_id=user))) == expected


def test_many_threads_about_one_slot_leave_one_value(tmp_path: Path) -> None:
    with fast(tmp_path / 'memory.db') as memory:
        in_threads(16, lambda n: memory.add(f'home.city = city {n % 4}', **ANA))
        assert len(memory.get_all(**ANA)) == 1
        assert len(memory.episodes(**ANA).items) == 16
        everything = memory.get_all(include_inactive=True, limit=1000, **ANA)
        assert sum(len(m.evidence) for m in everything) == 16


def test_six_threads_that_say_the_same_leave_one_fact_with_six_confirmations(tmp_path: Path) -> None:
    with fast(tmp_path / 'memory.db') as memory:
        in_threads(6, lambda n: memory.add('Likes green tea', **ANA))
        (fact,) = memory.get_all(**ANA)
        assert fact.confirmations == 6
        assert [e.text for e in memory.episodes(**ANA).items] == ['Likes green tea'] * 6
        assert [e.op for e in memory.history(fact.id, **ANA)] == ['add'] + ['confirm'] * 5


def test_many_threads_may_edit_and_delete_at_once(tmp_path: Path) -> None:
    with fast(tmp_path / 'memory.db') as memory:
        record = memory.add('I like tea', **ANA).memories[0]
        in_threads(12, lambda n: memory.update(record.id, tags=[f't{n}'], **ANA))
        assert memory.get(record.id, **ANA).version == 13
        assert len(memory.history(record.id, **ANA)) == 13


def test_threads_that_erase_and_add_at_once_leave_only_whole_things(tmp_path: Path) -> None:
    with fast(tmp_path / 'memory.db') as memory:

        def work(number: int) -> None:
            for i in range(10):
                if number % 3 == 0:
                    memory.delete_all(**ANA)
                else:
                    memory.add(f'fact {i} of {number}', **ANA)

        in_threads(6, work)
        known = {e.id for e in memory.episodes(limit=1000, **ANA).items}
        for record in memory.get_all(limit=1000, include_inactive=True, **ANA):
            assert {e.episode_id for e in record.evidence} <= known
        assert memory.stats().jobs_queued == 0


def test_the_blocking_memory_works_inside_a_running_loop(tmp_path: Path) -> None:
    async def main() -> None:
        with fast(tmp_path / 'memory.db') as memory:
            memory.add('I like tea', **ANA)
            assert [h.text for h in memory.search('tea', **ANA)] == ['I like tea']
            assert await asyncio.to_thread(lambda: len(memory.get_all(**ANA))) == 1

    asyncio.run(main())


def test_the_blocking_memory_works_inside_a_running_loop_with_an_async_extractor(tmp_path: Path) -> None:
    async def main() -> None:
        with fast(tmp_path / 'memory.db', extractor=Asking()) as memory:
            assert texts(memory.add('I like tea', **ANA).memories) == ['I like tea']

    asyncio.run(main())


def test_several_loops_in_several_threads_share_an_async_memory(tmp_path: Path) -> None:
    memory = fast_async(tmp_path / 'memory.db')

    async def main(number: int) -> None:
        await asyncio.gather(*(memory.add(f'fact {i} of {number}', user_id=f'user {i % 3}') for i in range(10)))
        for i in range(3):
            assert await memory.search('fact', user_id=f'user {i}')

    in_threads(6, lambda n: asyncio.run(main(n)))
    assert asyncio.run(memory.stats()).memories == 60
    asyncio.run(memory.close())


def test_an_async_memory_may_be_used_from_one_loop_after_another(tmp_path: Path) -> None:
    memory = fast_async(tmp_path / 'memory.db', extractor=Asking())
    for number in range(3):
        asyncio.run(memory.add(f'fact {number}', **ANA))
    assert texts(asyncio.run(memory.get_all(**ANA))) == ['fact 0', 'fact 1', 'fact 2']
    asyncio.run(memory.close())


def test_trio_callers_are_bridged(tmp_path: Path) -> None:
    trio = pytest.importorskip('trio')
    memory = fast_async(tmp_path / 'memory.db', extractor=Asking())

    async def main() -> None:
        async with memory, trio.open_nursery() as nursery:
            for i in range(5):
                nursery.start_soon(lambda i=i: memory.add(f'fact {i}', **ANA))

    trio.run(main)

    async def check() -> None:
        assert texts(await memory.get_all(**ANA)) == [f'fact {i}' for i in range(5)]
        assert len(await memory.search('fact 3', **ANA)) == 5
        await memory.close()

    trio.run(check)


def test_a_cancelled_trio_call_lets_go_of_the_owner(tmp_path: Path) -> None:
    trio = pytest.importorskip('trio')
    extractor = Held()
    memory = fast_async(tmp_path / 'memory.db', extractor=extractor)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: memory.add('I like tea', **ANA))
            await trio.to_thread.run_sync(extractor.reached.wait)
            nursery.cancel_scope.cancel()
            extractor.go.set()
        await memory.add('I like jazz', **ANA)
        assert texts(await memory.get_all(**ANA)) == ['I like jazz', 'I like tea']
        await memory.close()

    trio.run(main)


def test_a_cancelled_add_keeps_the_message_and_lets_go_of_the_owner(tmp_path: Path) -> None:
    extractor = Held()

    async def main() -> None:
        async with fast_async(tmp_path / 'memory.db', extractor=extractor) as memory:
            task = asyncio.create_task(memory.add('I like tea', **ANA))
            await asyncio.to_thread(extractor.reached.wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            extractor.go.set()
            # The lease is a minute long; the suite's timeout would come first if it were waited for.
            assert texts((await memory.add('I like jazz', **ANA)).memories) == ['I like jazz']
            assert texts(await memory.get_all(**ANA)) == ['I like jazz', 'I like tea']
            assert (await memory.stats()).jobs_queued == 0

    asyncio.run(main())


@pytest.mark.parametrize('steps', range(12))
def test_an_add_may_be_cancelled_at_any_step(tmp_path: Path, steps: int) -> None:
    async def main() -> None:
        async with fast_async(tmp_path / 'memory.db') as memory:
            await memory.add('I like jazz', **ANA)
            task = asyncio.create_task(memory.add('I like tea', **ANA))
            for _ in range(steps):
                if task.done():
                    break
                await memory.stats()  # a turn of the loop in which the engine gets on
            task.cancel()
            await asyncio.wait([task])
            await memory.add('I like cocoa', **ANA)
            stored = [e.text for e in (await memory.episodes(**ANA)).items]
            assert stored in (['I like jazz', 'I like cocoa'], ['I like jazz', 'I like tea', 'I like cocoa'])
            assert texts(await memory.get_all(**ANA)) == sorted(stored)
            assert (await memory.stats()).jobs_queued == 0

    asyncio.run(main())


def test_one_cancelled_waiter_does_not_hold_up_the_others(tmp_path: Path) -> None:
    extractor = Held()

    async def main() -> None:
        async with fast_async(tmp_path / 'memory.db', extractor=extractor) as memory:
            first = asyncio.create_task(memory.add('fact 0', **ANA))
            await asyncio.to_thread(extractor.reached.wait)
            others = [asyncio.create_task(memory.add(f'fact {i}', **ANA)) for i in range(1, 6)]
            while (await memory.stats()).episodes < 6:
                pass
            others[0].cancel()
            others[2].cancel()
            extractor.go.set()
            await asyncio.wait([first, *others])
            assert [t.cancelled() for t in others] == [True, False, True, False, False]
            await memory.add('fact 6', **ANA)
            assert texts(await memory.get_all(**ANA)) == [f'fact {i}' for i in range(7)]

    asyncio.run(main())


def test_a_loop_that_ends_right_after_an_add_has_kept_it(tmp_path: Path) -> None:
    code = f"""
import asyncio
from _fakes import fast_async

async def main():
    memory = fast_async({str(tmp_path / 'memory.db')!r})
    print((await memory.add('I like tea', user_id='ana')).episode_ids[0])

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=subprocess_environment(),
    )
    with fast(tmp_path / 'memory.db') as memory:
        assert [e.id for e in memory.episodes(**ANA).items] == [done.stdout.strip()]
        assert texts(memory.get_all(**ANA)) == ['I like tea']


def test_an_extractor_that_raises_leaves_the_message_and_the_job(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    extractor = Failing()
    with fast(tmp_path / 'memory.db', extractor=extractor) as memory, caplog.at_level(logging.DEBUG, 'memoranda'):
        with pytest.raises(ProcessingFailed, match=r'the messages are stored.*ValueError: the model is ill') as caught:
            memory.add('I like tea', **ANA)
        receipt: Any = caught.value.receipt
        (episode,) = memory.episodes(**ANA).items
        assert list(receipt.episode_ids) == [episode.id]
        assert receipt.job_id
        assert memory.stats().jobs_queued == 1
        assert [h.text for h in memory.search('tea', include=('episodes',), strategy='keyword', **ANA)] == [
            'I like tea'
        ]

        extractor.broken = False
        assert texts(memory.add('I like jazz', **ANA).memories) == ['I like jazz']
        assert texts(memory.get_all(**ANA)) == ['I like jazz', 'I like tea']
        assert memory.stats().jobs_queued == 0
    assert 'I like tea' not in caplog.text


def test_a_job_that_keeps_failing_is_given_up_and_holds_nobody_up(tmp_path: Path) -> None:
    extractor = Failing()
    with fast(tmp_path / 'memory.db', extractor=extractor) as memory:
        with pytest.raises(ProcessingFailed):
            memory.add('fact 0', **ANA)
        for _ in range(20):
            if memory.stats().jobs_dead:
                break
            with pytest.raises(ProcessingFailed):
                memory.add('fact 0 again', **ANA)
        assert memory.stats().jobs_dead >= 1
        extractor.broken = False
        assert texts(memory.add('I like jazz', **ANA).memories) == ['I like jazz']
        assert memory.stats().jobs_queued == 0


def test_the_failure_of_one_owner_is_nothing_to_another(tmp_path: Path) -> None:
    extractor = Failing()
    with fast(tmp_path / 'memory.db', extractor=extractor) as memory:
        with pytest.raises(ProcessingFailed):
            memory.add('I like tea', **ANA)
        extractor.broken = False
        assert texts(memory.add('I like jazz', user_id='ben').memories) == ['I like jazz']
        assert memory.stats().jobs_queued == 1


def test_an_error_names_the_failure_without_repeating_what_was_said(tmp_path: Path) -> None:
    class Chatty(Grammar):
        def propose(self, request: ExtractionRequest) -> Extraction:
            raise ValueError(request.messages[0].text)

    text = 'my diary ' * 500
    with fast(tmp_path / 'memory.db', extractor=Chatty()) as memory:
        with pytest.raises(ProcessingFailed) as caught:
            memory.add(text, **ANA)
        assert len(str(caught.value)) < 500


def test_an_async_extractor_runs_on_the_engines_own_loop(tmp_path: Path) -> None:
    extractor = Asking()

    async def main() -> None:
        async with fast_async(tmp_path / 'memory.db', extractor=extractor) as memory:
            await asyncio.gather(*(memory.add(f'fact {i}', user_id=f'user {i}') for i in range(5)))
            assert id(asyncio.get_running_loop()) not in extractor.loops

    asyncio.run(main())
    assert len(extractor.loops) == 1
    assert all(name.startswith(OURS) for name in extractor.threads)


def test_an_async_extractor_that_raises_is_a_failure_like_any_other(tmp_path: Path) -> None:
    class Broken:
        name = 'broken'

        async def extract(self, request: ExtractionRequest) -> Extraction:
            raise ConnectionError('no answer')

    with fast(tmp_path / 'memory.db', extractor=Broken()) as memory, pytest.raises(ProcessingFailed, match='no answer'):
        memory.add('I like tea', **ANA)


def test_closing_ends_every_thread_and_a_later_call_opens_again(tmp_path: Path) -> None:
    before = our_threads()
    memory = fast(tmp_path / 'memory.db', extractor=Asking())
    assert our_threads() <= before  # nothing runs before it is used
    for number in range(3):
        memory.add(f'fact {number}', **ANA)
        assert not our_threads() <= before
        memory.close()
        assert our_threads() <= before
        memory.close()
    assert len(memory.get_all(**ANA)) == 3
    memory.close()


def test_closing_waits_for_an_extraction_that_is_under_way(tmp_path: Path) -> None:
    class Waiting:
        name = 'waiting'

        def __init__(self) -> None:
            self.reached, self.go = threading.Event(), threading.Event()

        async def extract(self, request: ExtractionRequest) -> Extraction:
            self.reached.set()
            await asyncio.to_thread(self.go.wait)
            return Grammar().propose(request)

    extractor = Waiting()
    memory = fast(tmp_path / 'memory.db', extractor=extractor)
    added: list[str] = []
    adding = threading.Thread(target=lambda: added.extend(texts(memory.add('I like tea', **ANA).memories)))
    adding.start()
    assert extractor.reached.wait(30)
    closing = threading.Thread(target=memory.close)
    closing.start()
    extractor.go.set()
    closing.join()
    adding.join()
    assert added == ['I like tea']
    memory.close()


def test_views_share_what_is_closed(tmp_path: Path) -> None:
    before = our_threads()
    memory = fast(tmp_path / 'memory.db')
    view = memory.in_project('acme').scoped(Scope(user_id='ana'))
    view.add('I like tea')
    memory.close()
    assert our_threads() <= before
    assert texts(view.get_all()) == ['I like tea']
    view.close()


def test_closing_while_others_work_breaks_nothing(tmp_path: Path) -> None:
    memory = fast(tmp_path / 'memory.db')
    kept: list[str] = []
    refused: list[str] = []

    def work(number: int) -> None:
        for i in range(15):
            if number == 0:
                memory.close()
                continue
            try:
                memory.add(f'fact {i} of {number}', user_id=f'user {number}')
            except StoreError as error:
                refused.append(str(error))
            else:
                kept.append(f'fact {i} of {number}')

    in_threads(5, work)
    assert [reason for reason in refused if 'closed' not in reason] == []
    found = [t for n in range(1, 5) for t in texts(memory.get_all(limit=1000, user_id=f'user {n}'))]
    assert set(kept) <= set(found)
    memory.close()


def test_no_work_is_done_on_the_callers_loop(tmp_path: Path) -> None:
    """Reading, writing, embedding, extracting and ranking all run on the engine's threads."""
    seen: dict[str, set[str]] = {}

    def note(what: str) -> None:
        seen.setdefault(what, set()).add(threading.current_thread().name)

    class Embedder(HashingEmbedder):
        def encode(self, texts: list[str], *, query: bool) -> Any:
            note('embed')
            return super().encode(texts, query=query)

    class Extractor(Grammar):
        def propose(self, request: ExtractionRequest) -> Extraction:
            note('extract')
            return super().propose(request)

    import memoranda.recall.block as block
    import memoranda.recall.search as search
    import memoranda.stores.sql.candidates as candidates
    import memoranda.stores.sql.reading as reading
    import memoranda.stores.sql.searching as searching
    import memoranda.stores.sql.writing as writing
    import memoranda.write.intake as intake
    import memoranda.write.process as process

    targets: list[tuple[Any, str]] = [
        (writing, 'append'),
        (writing, 'commit'),
        (searching, 'search'),
        (candidates, 'snapshot'),
        (reading, 'page'),
        (search, 'rank'),
        (process, 'consolidate'),
        (intake, 'redact'),
        (intake, 'normalise'),
        (block, 'count_tokens'),
    ]
    patch = pytest.MonkeyPatch()
    for module, name in targets:
        original = getattr(module, name)

        def noted(*args: Any, _original: Any = original, _name: str = name, **kwargs: Any) -> Any:
            note(_name)
            return _original(*args, **kwargs)

        patch.setattr(module, name, noted)

    async def main() -> None:
        async with fast_async(tmp_path / 'memory.db', embedder=Embedder(), extractor=Extractor()) as memory:
            record = (await memory.add(['home.city = Lisbon', 'I like tea'], **ANA)).memories[0]
            await memory.search('tea', **ANA)
            await memory.context('tea', **ANA)
            await memory.get_all(**ANA)
            await memory.update(record.id, text='home.city is Porto', **ANA)
            await memory.delete(record.id, **ANA)
            await memory.delete_all(**ANA)

    try:
        asyncio.run(main())
    finally:
        patch.undo()
    assert {name for _, name in targets} | {'embed', 'extract'} == set(seen)
    for what, names in seen.items():
        assert all(n.startswith(OURS) for n in names), what


def test_the_loop_turns_while_the_engine_waits(tmp_path: Path) -> None:
    extractor = Held()

    async def main() -> None:
        async with fast_async(tmp_path / 'memory.db', extractor=extractor) as memory:
            task = asyncio.create_task(memory.add('I like tea', **ANA))
            await asyncio.to_thread(extractor.reached.wait)
            # The extractor holds a thread; reads and other people's writes go on.
            assert (await memory.stats()).episodes == 1
            assert len((await memory.episodes(**ANA)).items) == 1
            assert not task.done()
            extractor.go.set()
            await task

    asyncio.run(main())


def test_a_slow_extraction_holds_up_neither_searches_nor_other_users(tmp_path: Path) -> None:
    class Slow(Held):
        def propose(self, request: ExtractionRequest) -> Extraction:
            slow = any('slow' in m.text for m in request.messages)
            return super().propose(request) if slow else Grammar.propose(self, request)

    extractor = Slow()
    with fast(tmp_path / 'memory.db', extractor=extractor) as memory:
        thread = threading.Thread(target=lambda: memory.add('slow tea', **ANA))
        thread.start()
        assert extractor.reached.wait(30)
        assert texts(memory.add('I like jazz', user_id='ben').memories) == ['I like jazz']
        assert [h.text for h in memory.search('jazz', user_id='ben')] == ['I like jazz']
        extractor.go.set()
        thread.join()
        assert texts(memory.get_all(**ANA)) == ['slow tea']


def test_two_memories_on_one_file_see_each_other(tmp_path: Path) -> None:
    one, two = fast(tmp_path / 'memory.db'), fast(tmp_path / 'memory.db')
    in_threads(2, lambda n: [(one, two)[n].add(f'fact {i} of {n}', **ANA) for i in range(15)])
    for memory in (one, two):
        assert len(memory.get_all(limit=1000, **ANA)) == 30
        assert memory.search('fact 3 of 1', top_k=1, strategy='keyword', **ANA)[0].text == 'fact 3 of 1'
    one.delete_all(**ANA)
    assert len(two.get_all(**ANA)) == 0
    one.close()
    two.close()


@pytest.mark.parametrize('kind', [Memory, AsyncMemory])
def test_making_a_memory_opens_nothing(tmp_path: Path, kind: Any) -> None:
    before = our_threads()
    kind(tmp_path / 'memory.db')
    assert our_threads() <= before
    assert not (tmp_path / 'memory.db').exists()
