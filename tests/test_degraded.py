"""An agent goes on when the storage or the embedder fails, is told so, and finds its memory again without a restart."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from _fakes import fast, fast_async, texts
from _outages import SECONDS, Clock, Flaky, Log, locked, remount, small_disk
from memoranda import (
    AsyncMemory,
    ConfigurationError,
    EmbedderMismatch,
    InvalidInput,
    InvalidScope,
    Memory,
    ProcessingFailed,
    StoreBusy,
    StoreUnreadable,
    StoreUnwritable,
)
from memoranda.settings import Settings
from memoranda.testing.embedders import HashingEmbedder
from memoranda.write.extract import Extraction, ExtractionRequest
from memoranda.write.failed import ModelFailed

ANA = {'user_id': 'ana'}
SAID = 'Zebulon grows oolong'
WORDS = ('zebulon', 'oolong', 'grows')
Outage = Callable[[Path], AbstractContextManager[Path]]
"""Given a folder: a database that can't be used inside the block, and can after it."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    logging.getLogger('memoranda').addHandler(log)
    yield log
    logging.getLogger('memoranda').removeHandler(log)


def found(memory: Memory, query: str = 'oolong', **options: Any) -> list[str]:
    """What a search that lacks nothing finds."""
    hits = memory.search(query, **ANA, **options)
    assert hits.degraded is None
    return [hit.text for hit in hits]


def healed(memory: Memory, clock: Clock) -> list[str]:
    """What a search finds once what failed has rested. What is tried then may be slow, and counts a moment later."""
    for _ in range(5):
        clock.skip()
        hits = memory.search('oolong', **ANA)
        if hits.degraded is None:
            break
    return found(memory)


def stored(path: Path) -> Path:
    with fast(path) as memory:
        memory.add(SAID, **ANA)
    return path


# --- storages that fail ---


@contextmanager
def unreachable(folder: Path) -> Generator[Path]:
    """It is gone, and a link that leads nowhere is in its place: at one stroke, else a worker makes a new one."""
    path, away, nowhere = folder / 'here' / 'memory.db', folder / 'away', folder / 'nowhere'
    path.parent.mkdir()
    stored(path)
    nowhere.symlink_to(path)
    path.rename(away)
    nowhere.rename(path)
    yield path
    away.replace(path)


@contextmanager
def locked_wholly(folder: Path) -> Generator[Path]:
    path = stored(folder / 'memory.db')
    with locked(path, wholly=True):
        yield path


OUTAGES: dict[str, tuple[Outage, str]] = {
    'unreachable': (unreachable, 'StoreUnwritable'),
    'locked': (locked_wholly, 'StoreBusy'),
}


@pytest.mark.parametrize('kind', OUTAGES)
def test_an_agent_goes_on_without_its_memory_and_finds_it_again(
    tmp_path: Path, kind: str, clock: Clock, log: Log
) -> None:
    outage, cause = OUTAGES[kind]
    with outage(tmp_path) as path:
        memory = fast(path, settings=Settings(busy_timeout=0.05))
        for _ in range(5):
            hits = memory.search('oolong', **ANA)
            block = memory.context('oolong', **ANA)
            assert (list(hits), hits.degraded) == ([], f'storage: {cause}')
            assert (str(block), block.standing, block.relevant) == ('', (), ())
            assert block.degraded == f'storage: {cause}'
            assert not block
        receipt = memory.add('The tea is green', background=True, **ANA)
        assert (receipt.status, receipt.error, receipt.job_id) == ('unsaved', cause, None)
        assert len(log.lines('can not be read')) == len(log.lines('can not be written')) == 1
        assert log.lines('again') == []
    assert healed(memory, clock) == [SAID]
    assert SAID in str(memory.context('oolong', **ANA))
    done = receipt.result(SECONDS)
    assert (done.status, texts(done.memories)) == ('done', ['The tea is green'])
    assert len(log.lines('can be read again')) == len(log.lines('can be written again')) == 1
    assert len(log.lines()) == 4
    memory.close()
    assert not any(word in line.lower() for line in log.lines() for word in WORDS)


def test_a_file_system_that_is_read_only_for_a_while(tmp_path: Path, clock: Clock, log: Log) -> None:
    with small_disk(tmp_path / 'disk') as disk:
        path = stored(disk / 'memory.db')
        remount(disk, 'ro')
        memory = fast(path)
        assert memory.search('oolong', **ANA).degraded == 'storage: StoreUnwritable'
        receipt = memory.add('The tea is green', background=True, **ANA)
        assert (receipt.status, receipt.error) == ('unsaved', 'StoreUnwritable')
        remount(disk, 'rw')
        assert healed(memory, clock) == [SAID]
        assert receipt.result(SECONDS).status == 'done'
        memory.close()
    assert len(log.lines()) == 4


def test_a_full_disk_is_read_and_written_again_when_there_is_space(tmp_path: Path, log: Log) -> None:
    with small_disk(tmp_path / 'disk') as disk:
        ballast = disk / 'ballast'
        with fast(stored(disk / 'memory.db'), settings=Settings(poll_seconds=0.01)) as memory:
            assert found(memory) == [SAID]
            with pytest.raises(OSError, match='No space left'):
                ballast.write_bytes(bytes(8 << 20))
            receipts = [memory.add(f'{i} ' + 'word ' * 20_000, background=True, **ANA) for i in range(3)]
            assert {r.status for r in receipts} == {'unsaved'}
            assert receipts[0].error in ('StoreFull', 'StoreUnreachable')
            assert found(memory) == [SAID]
            ballast.unlink()
            assert memory.flush(SECONDS) == 0
            assert [r.result(SECONDS).status for r in receipts] == ['done'] * 3
            assert len(log.lines('can not be written')) == len(log.lines('can be written again')) == 1
            said = memory.episodes(**ANA).items
            assert [e.text.split()[0] for e in said[1:]] == ['0', '1', '2']


def test_while_another_process_writes_for_long_everything_is_read(tmp_path: Path, log: Log) -> None:
    path = stored(tmp_path / 'memory.db')
    with fast(path, settings=Settings(busy_timeout=0.05)) as memory:
        with locked(path):
            receipt = memory.add('The tea is green', background=True, **ANA)
            assert (receipt.status, receipt.error) == ('unsaved', 'StoreBusy')
            for _ in range(3):
                assert found(memory) == [SAID]
                assert memory.context('oolong', **ANA).degraded is None
            assert memory.add('It is from Madeira', background=True, **ANA).status == 'unsaved'
        assert receipt.result(SECONDS).status == 'done'
    assert log.lines('read') == []
    assert len(log.lines('can not be written')) == 1


def test_a_storage_that_does_not_answer_is_waited_for_once(tmp_path: Path, log: Log) -> None:
    """And what it answers in the end is heard: nobody has to try."""
    path = stored(tmp_path / 'memory.db')
    memory = fast(path, settings=Settings(busy_timeout=SECONDS, degrade_seconds=0.05))
    with locked(path, wholly=True):
        for _ in range(20):
            assert memory.search('oolong', **ANA).degraded == 'storage: TimeoutError'
    log.wait_for('can be read again')
    assert found(memory) == [SAID]
    assert len(log.lines()) == 2
    memory.close()


def test_waiting_in_vain_ends_in_every_event_loop(tmp_path: Path) -> None:
    path = stored(tmp_path / 'memory.db')

    async def main(memory: AsyncMemory) -> str | None:
        return (await memory.search('oolong', **ANA)).degraded

    settings = Settings(busy_timeout=SECONDS, degrade_seconds=0.05)
    memories = [fast_async(path, settings=settings) for _ in range(2)]
    with locked(path, wholly=True):
        assert asyncio.run(main(memories[0])) == 'storage: TimeoutError'
        assert trio.run(main, memories[1]) == 'storage: TimeoutError'
    for memory in memories:
        asyncio.run(memory.close())


def test_a_search_that_is_cancelled_while_it_tries_lets_the_next_one_try(tmp_path: Path, clock: Clock) -> None:
    path = stored(tmp_path / 'memory.db')
    memory = fast_async(path, settings=Settings(busy_timeout=0.05, degrade_seconds=SECONDS))

    async def main() -> None:
        with locked(path, wholly=True):
            assert (await memory.search('oolong', **ANA)).degraded == 'storage: StoreBusy'
            clock.skip()
            task = asyncio.create_task(memory.search('oolong', **ANA))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        clock.skip()
        assert (await memory.search('oolong', **ANA)).degraded is None
        await memory.close()

    asyncio.run(main())


def test_what_lasts_is_told_again_now_and_then(tmp_path: Path, clock: Clock, log: Log) -> None:
    with unreachable(tmp_path) as path:
        memory = fast(path)
        for _ in range(3):
            for _ in range(4):
                assert memory.search('oolong', **ANA).degraded
            clock.skip(301)
        begun, *again = log.lines('can not be read')
        assert 'times so far' not in begun
        assert len(again) == 2
        assert all('times so far' in line for line in again)
        memory.close()


def test_a_context_gives_what_it_could_read(tmp_path: Path) -> None:
    """The embedder is slow, and the storage goes meanwhile: what always holds was read before."""
    path = tmp_path / 'memory.db'

    class Pulling(HashingEmbedder):
        on = False

        def encode(self, texts: list[str], *, query: bool) -> Any:
            if self.on:
                path.rename(tmp_path / 'away.db')
                path.mkdir()
            return super().encode(texts, query=query)

    embedder = Pulling()
    with fast(path, embedder=embedder, settings=Settings(workers=0)) as memory:
        memory.add('Allergic to peanuts', infer=False, kind='constraint', **ANA)
        embedder.on = True
        block = memory.context('what shall I cook?', **ANA)
        assert block.degraded == 'storage: StoreUnwritable'
        assert texts(block.standing) == ['Allergic to peanuts']
        assert 'Allergic to peanuts' in str(block)
        assert block.relevant == ()
        path.rmdir()


# --- a file that is replaced ---


def test_a_file_that_is_replaced_is_opened_anew(tmp_path: Path, log: Log) -> None:
    path, backup = tmp_path / 'memory.db', tmp_path / 'backup.db'
    with fast(backup) as other:
        other.add('Likes cocoa', **ANA)
    with fast(path) as memory:
        memory.add(SAID, **ANA)
        assert found(memory) == [SAID]
        os.replace(backup, path)
        assert found(memory, 'cocoa') == ['Likes cocoa']
        memory.add('Likes jazz', **ANA)
        assert texts(memory.get_all(**ANA)) == ['Likes cocoa', 'Likes jazz']
        assert found(memory, 'jazz', strategy='semantic', top_k=1) == ['Likes jazz']
        assert len(log.lines('memory.db was replaced, moved or deleted')) == 1
        assert memory.delete_all(**ANA).scrub == 'verified'
    assert b'Likes cocoa' not in path.read_bytes()
    assert len(log.lines()) == 1


def test_the_log_of_a_replaced_file_gets_into_neither(tmp_path: Path) -> None:
    """What was written to the old file is in it, wherever it is now; the new one stays as it was."""
    path, old, backup = tmp_path / 'memory.db', tmp_path / 'old.db', tmp_path / 'backup.db'
    with fast(backup) as other:
        other.add('Likes cocoa', **ANA)
    with fast(path) as memory:
        for i in range(30):
            memory.add(f'fact {i}', **ANA)
        path.rename(old)
        backup.rename(path)
        assert memory.stats().memories == 1
    for file, count in ((old, 30), (path, 1)):
        with fast(file) as memory:
            assert memory.stats().memories == count
            assert memory.add('Likes jazz', **ANA).memories


def test_a_file_that_is_deleted_is_begun_anew(tmp_path: Path, log: Log) -> None:
    path = tmp_path / 'memory.db'
    with fast(path) as memory:
        memory.add(SAID, **ANA)
        for file in tmp_path.iterdir():
            file.unlink()
        assert memory.add('Likes jazz', background=True, **ANA).result(SECONDS).status == 'done'
        assert texts(memory.get_all(**ANA)) == ['Likes jazz']
        assert found(memory, 'jazz', strategy='semantic') == ['Likes jazz']
    assert len(log.lines()) == 1
    with fast(path) as memory:
        assert texts(memory.get_all(**ANA)) == ['Likes jazz']


def test_a_folder_that_vanishes_under_a_running_process_and_comes_back(tmp_path: Path, clock: Clock, log: Log) -> None:
    folder = tmp_path / 'here'
    with fast(folder / 'memory.db') as memory:
        memory.add(SAID, **ANA)
        folder.rename(tmp_path / 'away')
        folder.touch()  # or it would be made anew
        assert memory.search('oolong', **ANA).degraded == 'storage: StoreUnwritable'
        receipt = memory.add('The tea is green', background=True, **ANA)
        assert receipt.status == 'unsaved'
        folder.unlink()
        (tmp_path / 'away').rename(folder)
        assert healed(memory, clock) == [SAID]
        assert receipt.result(SECONDS).status == 'done'
        assert texts(memory.get_all(**ANA)) == ['The tea is green', SAID]


def test_closing_and_opening_again_is_no_outage(tmp_path: Path) -> None:
    """A file that is opened while somebody else closes it has not been replaced, however often that happens."""
    memory = fast(stored(tmp_path / 'memory.db'), errors='raise')
    over, wrong = threading.Event(), list[object]()

    def close() -> None:
        while not over.wait(0.001):  # a thread that closes without a pause starves the others of the interpreter
            memory.close()

    def search() -> None:
        for _ in range(40):
            try:
                assert found(memory) == [SAID]
            except Exception as error:
                wrong.append(error)

    closing, searching = ([threading.Thread(target=work) for _ in range(3)] for work in (close, search))
    for thread in (*closing, *searching):
        thread.start()
    try:
        for thread in searching:
            thread.join()
    finally:
        over.set()
    for thread in closing:
        thread.join()
    memory.close()
    assert wrong == []


# --- what raises all the same ---


def test_with_errors_raise_every_call_raises_the_real_error(tmp_path: Path, log: Log) -> None:
    with unreachable(tmp_path) as path:
        memory = fast(path, errors='raise')
        for _ in range(3):
            for call in (
                lambda: memory.search('oolong', **ANA),
                lambda: memory.context('oolong', **ANA),
                lambda: memory.add('The tea is green', background=True, **ANA),
                memory.__enter__,
            ):
                with pytest.raises(StoreUnwritable, match='here'):
                    call()
        memory.close()
    assert found(memory) == [SAID]
    memory.close()
    assert log.lines() == []
    path = stored(tmp_path / 'other.db')
    memory = fast(path, settings=Settings(busy_timeout=0.01, errors='raise'))
    with locked(path, wholly=True), pytest.raises(StoreBusy):
        memory.search('oolong', **ANA)
    assert found(memory) == [SAID]
    memory.close()


def test_the_argument_comes_before_the_setting(tmp_path: Path) -> None:
    with unreachable(tmp_path) as path:
        degrading = fast(path, settings=Settings(errors='raise'), errors='degrade')
        assert degrading.search('oolong', **ANA).degraded
        raising = fast_async(path, settings=Settings(errors='degrade'), errors='raise')
        with pytest.raises(StoreUnwritable):
            asyncio.run(raising.in_project('acme').search('oolong', **ANA))
        degrading.close()
        asyncio.run(raising.close())
    with pytest.raises(ConfigurationError, match=r"errors='ignore' is unknown: use 'degrade' or 'raise'"):
        fast(errors='ignore')


def test_what_others_call_raises_in_an_outage(tmp_path: Path) -> None:
    with unreachable(tmp_path) as path:
        memory = fast(path)
        assert memory.search('oolong', **ANA).degraded
        for call in (
            lambda: memory.add('The tea is green', **ANA),
            lambda: memory.get_all(**ANA),
            lambda: memory.get('some id', **ANA),
            lambda: memory.get_slot('home.city', **ANA),
            lambda: memory.update('some id', text='x', **ANA),
            lambda: memory.delete('some id', **ANA),
            lambda: memory.delete_all(**ANA),
            lambda: memory.history('some id', **ANA),
            lambda: memory.jobs(**ANA),
            lambda: memory.flush(0.0),
            memory.stats,
            memory.process_one_job,
        ):
            with pytest.raises(StoreUnwritable):
                call()
        memory.close()


def test_input_that_can_not_be_used_is_refused_in_an_outage_too(tmp_path: Path) -> None:
    with unreachable(tmp_path) as path:
        memory = fast(path)
        assert memory.search('oolong', **ANA).degraded
        with pytest.raises(InvalidInput):
            memory.search('', **ANA)
        with pytest.raises(InvalidScope):
            memory.search('oolong')
        with pytest.raises(InvalidInput):
            memory.context('oolong', max_tokens=1, **ANA)
        with pytest.raises(InvalidInput):
            memory.add('', background=True, **ANA)
        memory.close()


@pytest.mark.parametrize('errors', ['degrade', 'raise'])
def test_a_file_that_is_not_ours_raises_always(tmp_path: Path, errors: Any) -> None:
    path = tmp_path / 'notes.txt'
    path.write_bytes(b'some notes of somebody ' * 100)
    memory = fast(path, errors=errors)
    for _ in range(2):
        for call in (
            lambda: memory.search('oolong', **ANA),
            lambda: memory.context('oolong', **ANA),
            lambda: memory.add('x', background=True, **ANA),
            memory.__enter__,
        ):
            with pytest.raises(StoreUnreadable, match=r'notes\.txt is not an SQLite database'):
                call()
    memory.close()


def test_a_file_of_another_embedder_raises_always(tmp_path: Path) -> None:
    path = stored(tmp_path / 'memory.db')
    with fast(path, embedder=HashingEmbedder(32)) as memory:
        for _ in range(2):
            with pytest.raises(EmbedderMismatch):
                memory.search('oolong', **ANA)
        with pytest.raises(EmbedderMismatch):
            memory.context('oolong', **ANA)


# --- starting ---


def test_a_program_starts_without_its_storage(tmp_path: Path, log: Log, clock: Clock) -> None:
    async def main(path: Path) -> None:
        async with fast_async(path) as memory:
            assert len(log.lines('can not be read (StoreUnwritable)')) == 1
            assert (await memory.search('oolong', **ANA)).degraded
            receipt = await memory.add('The tea is green', background=True, **ANA)
            outage.__exit__(None, None, None)
            clock.skip()
            assert await memory.flush(SECONDS) == 0
            assert (await receipt.wait(SECONDS)).status == 'done'
            assert (await memory.search('oolong', **ANA)).degraded is None

    outage = unreachable(tmp_path)
    asyncio.run(main(outage.__enter__()))


# --- embedders that fail ---


@pytest.mark.parametrize('remote', [False, True])
def test_without_the_embedder_a_search_goes_by_keywords(tmp_path: Path, remote: bool, clock: Clock, log: Log) -> None:
    embedder = Flaky(remote=remote)
    with fast(embedder=embedder) as memory:
        memory.add([SAID, 'Likes jazz'], **ANA)
        embedder.error, embedder.asked = ConnectionError('no route'), 0
        for strategy in ('hybrid', 'semantic', 'hybrid', 'semantic'):
            hits = memory.search('oolong of Zebulon', strategy=strategy, top_k=1, **ANA)  # pyright: ignore[reportArgumentType]
            assert ([hit.text for hit in hits], hits.degraded) == ([SAID], 'embedder: EmbeddingFailed')
        block = memory.context('oolong of Zebulon', **ANA)
        assert SAID in str(block)
        assert block.degraded == 'embedder: EmbeddingFailed'
        assert embedder.asked == 1  # then it is left alone
        for strategy in ('keyword', 'recency'):
            assert memory.search('oolong', strategy=strategy, **ANA).degraded is None  # pyright: ignore[reportArgumentType]
        embedder.error = None
        clock.skip()
        assert found(memory, strategy='semantic', top_k=1) == [SAID]
    assert [line.partition(',')[0] for line in log.lines()] == [
        'WARNING: questions can not be embedded (EmbeddingFailed): searching by keywords',
        'WARNING: questions can be embedded again',
    ]


def test_an_embedder_that_does_not_answer_is_waited_for_once(clock: Clock) -> None:
    embedder = Flaky(remote=True)
    with fast(embedder=embedder, settings=Settings(degrade_seconds=1.0)) as memory:
        memory.add(SAID, **ANA)
        embedder.hangs, embedder.asked = True, 0
        for _ in range(10):
            hits = memory.search('oolong', **ANA)
            assert ([hit.text for hit in hits], hits.degraded) == ([SAID], 'embedder: TimeoutError')
        assert embedder.asked == 1
        embedder.hangs = False
        assert healed(memory, clock) == [SAID]


def test_a_question_that_can_not_be_embedded_does_not_count_against_the_embedder() -> None:
    class Picky(HashingEmbedder):
        def encode(self, texts: list[str], *, query: bool) -> Any:
            rows = super().encode(texts, query=query)
            return rows * 0 if any('zero' in text for text in texts) else rows

    with fast(embedder=Picky()) as memory:
        memory.add(SAID, **ANA)
        for _ in range(3):
            assert memory.search('zero oolong', **ANA).degraded == 'embedder: EmbeddingFailed'
            assert found(memory) == [SAID]


def test_after_another_process_has_switched_the_embedder_a_search_says_so_once(
    tmp_path: Path, clock: Clock, log: Log
) -> None:
    path = tmp_path / 'memory.db'
    with fast(path) as old, fast(path, embedder=HashingEmbedder(32)) as new:
        old.add(SAID, **ANA)
        assert found(old) == [SAID]
        new.reindex()
        clock.skip(10)
        for strategy in ('hybrid', 'semantic', 'hybrid'):
            hits = old.search('oolong', strategy=strategy, **ANA)  # pyright: ignore[reportArgumentType]
            assert ([hit.text for hit in hits], hits.degraded) == ([SAID], 'embedder: EmbedderMismatch')
        assert len(log.lines('vectors are now made by')) == 1
        old.reindex()
        assert found(old) == [SAID]


def test_a_model_that_is_down_delays_no_search(tmp_path: Path) -> None:
    class Down:
        name = 'down'

        async def extract(self, request: ExtractionRequest) -> Extraction:
            raise ModelFailed('no connection', reason='unavailable')

    with fast(stored(tmp_path / 'memory.db'), extractor=Down()) as memory:
        receipt = memory.add('The tea is green', background=True, **ANA)
        with pytest.raises(ProcessingFailed):
            memory.add('It is from Madeira', user_id='ben')
        for _ in range(10):
            assert found(memory) == [SAID]
            assert memory.context('oolong', **ANA).degraded is None
        assert memory.job(str(receipt.job_id), **ANA).status in ('queued', 'running', 'retrying')
    with fast(tmp_path / 'memory.db') as memory:
        assert memory.flush(SECONDS) == 0
        assert texts(memory.get_all(**ANA)) == ['The tea is green', SAID]


# --- what is told ---


def test_a_span_and_a_counter_tell_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from opentelemetry import metrics, trace
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = TracerProvider(shutdown_on_exit=False), MeterProvider([reader], shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, 'get_tracer_provider', lambda: tracers)
    monkeypatch.setattr(metrics, 'get_meter_provider', lambda: meters)
    with unreachable(tmp_path) as path:
        exporter.clear()
        memory = fast(path, settings=Settings(drain_seconds=0.0))
        memory.search(SAID, **ANA)
        memory.context(SAID, **ANA)
        memory.add(SAID, background=True, **ANA)
        memory.add(SAID, background=True, infer=False, **ANA)
        memory.close()
    spans = exporter.get_finished_spans()
    assert [s.name for s in spans] == ['search_memory'] * 2 + ['upsert_memory', 'create_memory']
    for span in spans:
        assert span.attributes is not None
        assert span.attributes['error.type'] == 'StoreUnwritable'
        assert span.attributes['memoranda.degraded'] is True
        assert not span.status.is_ok
        assert not any(word in span.to_json().lower() for word in WORDS)
    assert spans[-1].attributes is not None
    assert spans[-1].attributes['memoranda.status'] == 'unsaved'
    data = reader.get_metrics_data()
    assert data is not None
    counted = {
        (point.attributes['gen_ai.operation.name'], point.attributes['error.type']): point.value
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == 'memoranda.degraded'
        for point in metric.data.data_points
    }
    assert counted == {
        ('search_memory', 'StoreUnwritable'): 2,
        ('upsert_memory', 'StoreUnwritable'): 1,
        ('create_memory', 'StoreUnwritable'): 1,
    }
    meters.shutdown()


def test_searches_of_many_threads_in_an_outage_warn_once(tmp_path: Path, log: Log, clock: Clock) -> None:
    with unreachable(tmp_path) as path:
        memory = fast(path)
        told: list[str | None] = []

        def work() -> None:
            told.extend(memory.search('oolong', **ANA).degraded for _ in range(20))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert told == ['storage: StoreUnwritable'] * 160
        assert len(log.lines()) == 1
    assert healed(memory, clock) == [SAID]
    memory.close()
