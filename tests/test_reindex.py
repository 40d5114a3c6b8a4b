"""Another embedder: its vectors are made while the old ones answer, and nothing is lost or mixed on the way."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

import _postgres
from _fakes import subprocess_environment
from memoranda import ConfigurationError, EmbedderMismatch, InvalidInput, Memory
from memoranda._bridge import run
from memoranda.embedders import AsyncEmbedder, EmbeddingFailed, SyncEmbedder
from memoranda.engine import Engine
from memoranda.errors import Conflict, StoreFull
from memoranda.reindex import ReindexProgress, catch_up
from memoranda.stores.sqlite import SQLiteStore
from memoranda.testing import HashingEmbedder, ScriptedExtractor

ANA = {'user_id': 'ana'}
ROOT = Path(__file__).parents[1]


class Failing(HashingEmbedder):
    """Fails after so many texts."""

    def __init__(self, dimensions: int, after: int) -> None:
        super().__init__(dimensions)
        self.left = after
        self.texts = 0

    def encode(self, texts: list[str], *, query: bool) -> Any:
        self.left -= len(texts)
        if self.left < 0:
            raise RuntimeError('out of memory')
        self.texts += len(texts)
        return super().encode(texts, query=query)


class Remote(AsyncEmbedder):
    """Answers as `HashingEmbedder` does, after so many errors of a status; refuses texts that are too long."""

    def __init__(self, errors: Sequence[int] = (), longest: int = 10_000) -> None:
        super().__init__('remote/32', dimensions=32)
        self.errors, self.longest = list(errors), longest
        self.lengths: list[int] = []

    async def request(self, texts: list[str], *, query: bool) -> Any:
        status = self.errors.pop() if self.errors else 400 if max(map(len, texts)) > self.longest else 200
        if status != 200:
            error = RuntimeError('no')
            error.status_code = status  # pyright: ignore[reportAttributeAccessIssue]
            raise error
        self.lengths += map(len, texts)
        return HashingEmbedder(32).encode(texts, query=query)


def opened(path: Path | str, embedder: Any = 64, **more: Any) -> Memory:
    made = HashingEmbedder(embedder) if isinstance(embedder, int) else embedder
    return Memory(path, embedder=made, extractor=ScriptedExtractor(), **more)


@pytest.fixture(scope='module')
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with 40 facts, and as many messages."""
    file = tmp_path_factory.mktemp('filled') / 'memory.db'
    with opened(file) as memory:
        for number in range(40):
            memory.add(f'Likes tea number {number}', user_id=f'user{number % 4}')
    return file


@pytest.fixture
def path(filled: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(filled, tmp_path / 'memory.db'))


def nearest(memory: Memory, number: int) -> list[str]:
    hits = memory.search(f'tea number {number}', user_id=f'user{number % 4}', strategy='semantic', top_k=1)
    assert hits.degraded is None
    return [hit.text for hit in hits]


@pytest.mark.skipif(os.name != 'posix', reason='signals and forks are POSIX ones')
@pytest.mark.parametrize('kind', ['sqlite', 'postgresql'])
def test_a_reindex_that_is_killed_loses_and_mixes_nothing_while_others_read_and_write(
    tmp_path: Path, kind: str
) -> None:
    """A small run of benchmarks/reindex.py, which tells how the reader knows."""
    if kind == 'postgresql' and not _postgres.available():
        pytest.skip('needs the PostgreSQL of a wheel')
    command = [
        sys.executable,
        ROOT / 'benchmarks' / 'reindex.py',
        '--json',
        '--dir',
        tmp_path,
        '--rows-per-second',
        '600',
    ]
    command += ['--memories', '250', '--kills', '2'] if kind == 'sqlite' else ['--memories', '100', '--kills', '1']
    with _postgres.fresh_database() if kind == 'postgresql' else contextlib.nullcontext() as url:
        command += ['--database', url] if url else []
        ran = subprocess.run(
            list(map(str, command)), env=subprocess_environment(), capture_output=True, text=True, timeout=100
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads(ran.stdout)
    assert told['wrong'] == []
    assert set(told['right']) == {'hashing/64', 'turned/64'}
    assert len(told['killed_at']) == (2 if kind == 'sqlite' else 1)


def test_progress_tells_how_far_it_is_and_how_fast(path: Path) -> None:
    told: list[ReindexProgress] = []
    with opened(path) as memory:
        assert memory.reindex(embedder=HashingEmbedder(32), progress=told.append, rate=20_000) == 80
    assert [(p.done, p.total) for p in (told[0], told[-1])] == [(0, 80), (80, 80)]
    assert told[0].seconds_left is None
    assert (told[-1].embedder, told[-1].embedded, told[-1].seconds_left) == ('hashing/32', 80, 0.0)
    assert told[-1].rows_per_second > 0


def test_a_rate_is_kept_by_waiting_between_small_batches(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    def later(self: Engine, seconds: float) -> Future[None]:
        waits.append(seconds)
        done: Future[None] = Future()
        done.set_result(None)
        return done

    monkeypatch.setattr(Engine, 'later', later)
    told: list[int] = []
    with opened(path, 32) as memory:
        memory.reindex(progress=lambda at: told.append(at.done), rate=20)
    assert told == [0, 20, 40, 60, 80]
    assert [round(w) for w in waits] == [1, 2, 3, 4]


@pytest.mark.parametrize('rate', [0, -1, float('inf'), float('nan'), True, '5'])
def test_a_rate_that_is_none_is_refused(path: Path, rate: Any) -> None:
    with opened(path, 32) as memory, pytest.raises(InvalidInput, match='rate='):
        memory.reindex(rate=rate)


def test_a_run_goes_on_where_one_that_failed_has_ended(path: Path) -> None:
    new = Failing(32, after=50)
    with opened(path) as memory:
        with pytest.raises(EmbeddingFailed, match='RuntimeError'):
            memory.reindex(embedder=new, rate=16)
        assert nearest(memory, 7) == ['Likes tea number 7']
        building = memory.stats().building
        assert building is not None
        assert building.embedder == new.name
        before, new.left = new.texts, 1000
        done = memory.reindex(embedder=new)
        assert (before, done) == (48, 32)
        assert nearest(memory, 7) == ['Likes tea number 7']
        assert memory.stats().building is None


def test_searches_answer_from_the_old_vectors_until_the_switch(path: Path) -> None:
    used: list[str] = []

    def look(_: ReindexProgress) -> None:
        assert nearest(memory, 13) == ['Likes tea number 13']
        used.append(memory.engine.embedder.name)

    with opened(path) as memory:
        memory.reindex(embedder=HashingEmbedder(32), progress=look, rate=20)
        assert set(used) == {'hashing/64'}
        assert nearest(memory, 13) == ['Likes tea number 13']
        assert memory.engine.embedder.name == 'hashing/32'


def test_what_is_written_meanwhile_gets_its_vector_before_the_switch(path: Path) -> None:
    written: list[str] = []

    def write(at: ReindexProgress) -> None:
        if at.done >= 80 and len(written) < 3:
            written.append(f'Likes cake number {len(written)}')
            memory.add(written[-1], user_id='writer')

    with opened(path) as memory:
        assert memory.reindex(embedder=HashingEmbedder(32), progress=write) == 86
        hits = memory.search('cake', user_id='writer', strategy='semantic', top_k=9)
        assert sorted(hit.text for hit in hits) == written
        assert memory.reindex() == 0


def test_a_preview_is_still_good_after_vectors_were_made(path: Path) -> None:
    with opened(path) as memory:
        preview = memory.preview('Likes coffee', user_id='user1')
        with opened(path, Failing(32, after=70)) as other, pytest.raises(EmbeddingFailed):
            other.reindex(rate=16)
        assert memory.apply(preview).memories[0].text == 'Likes coffee'


def test_another_embedder_names_what_is_half_done_and_drops_it_only_when_told_to(path: Path) -> None:
    with opened(path) as memory:
        with pytest.raises(EmbeddingFailed):
            memory.reindex(embedder=Failing(32, after=50), rate=16)
        for other in (HashingEmbedder(16), HashingEmbedder(64)):
            with pytest.raises(Conflict, match=r"'hashing/32' .*48 of 80 .*--discard"):
                memory.reindex(embedder=other)
        assert memory.reindex(embedder=HashingEmbedder(64), discard=True) == 0
        stats = memory.stats()
        assert stats.generation is not None
        assert (stats.generation.embedder, stats.building) == ('hashing/64', None)
        assert memory.reindex(embedder=HashingEmbedder(16)) == 80


def test_two_that_reindex_at_once_share_the_work(path: Path) -> None:
    done: list[int] = []
    begin = threading.Barrier(2)

    def work() -> None:
        with opened(path, 32) as memory:
            begin.wait()
            done.append(memory.reindex(rate=16_000))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 2
    assert 80 <= sum(done) <= 160
    with opened(path, 32) as memory:
        assert nearest(memory, 21) == ['Likes tea number 21']
        assert memory.reindex() == 0


def test_a_run_whose_work_another_one_has_dropped_says_so(path: Path) -> None:
    def drop(at: ReindexProgress) -> None:
        if at.done == 16:
            with opened(path, 16) as other:
                other.reindex(discard=True)

    with opened(path, 32) as memory, pytest.raises(Conflict, match="'hashing/32' were dropped"):
        memory.reindex(progress=drop, rate=16)
    with opened(path, 16) as memory:
        assert nearest(memory, 3) == ['Likes tea number 3']


def test_an_embedder_may_be_asked_to_do_all_of_it_anew(path: Path) -> None:
    with opened(path) as memory:
        assert (memory.reindex(), memory.reindex(anew=True), memory.reindex()) == (0, 80, 0)
        assert nearest(memory, 5) == ['Likes tea number 5']


# --- other processes ---


def test_a_process_that_knows_both_embedders_goes_over_by_itself(path: Path) -> None:
    with opened(path, [HashingEmbedder(64), HashingEmbedder(32)]) as memory:
        assert nearest(memory, 2) == ['Likes tea number 2']
        with opened(path, 32) as other:
            other.reindex()
        assert nearest(memory, 2) == ['Likes tea number 2']  # at once, though it has looked a moment ago
        assert memory.engine.embedder.name == 'hashing/32'
        memory.add('Likes cocoa', **ANA)
        with opened(path, 32) as other:
            assert [h.text for h in other.search('cocoa', strategy='semantic', **ANA)] == ['Likes cocoa']


def test_the_next_embedder_may_be_a_setting(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MEMORANDA_NEXT_EMBEDDER', 'nothing')
    with pytest.raises(ConfigurationError, match="'nothing'"):
        Memory(path)
    monkeypatch.setenv('MEMORANDA_NEXT_EMBEDDER', 'bundled')
    assert Memory(path).engine.embedder.name.startswith('fast-universal')


def test_an_empty_list_of_embedders_is_refused(path: Path) -> None:
    with pytest.raises(ConfigurationError, match='empty list'):
        opened(path, [])


def test_what_a_process_without_the_new_embedder_writes_gets_its_vectors_from_another(path: Path) -> None:
    with opened(path) as old, opened(path, 32) as new:
        assert nearest(old, 1) == ['Likes tea number 1']
        new.reindex()
        assert old.search('tea', user_id='user1').degraded == 'embedder: EmbedderMismatch'
        old.add('Likes cake', **ANA)
        old.import_subject(_subject(path.with_name('other.db')))
        assert run(catch_up(new.engine)) == 4
        assert run(catch_up(new.engine)) == 0
        for user, text in (('ana', 'Likes cake'), ('ben', 'Likes pie')):
            assert [h.text for h in new.search(text, user_id=user, strategy='semantic')] == [text]
        assert new.reindex() == 0


def _subject(path: Path) -> Any:
    with opened(path) as memory:
        memory.add('Likes pie', user_id='ben')
        return memory.export(user_id='ben')


# --- what goes wrong ---


def test_an_embedder_that_is_unknown_changes_nothing(path: Path) -> None:
    with opened(path) as memory:
        with pytest.raises(ConfigurationError, match="'nonsense'"):
            memory.reindex(embedder='nonsense')
        assert memory.stats().building is None


def test_an_embedder_whose_vectors_change_their_length_is_told_so(path: Path) -> None:
    class Changing:
        name, dimensions, local = 'changing', 32, True

        def embed_now(self, texts: Sequence[str], **_: Any) -> Any:
            return HashingEmbedder(32 if len(texts) > 8 else 16).embed_now(texts)

        async def embed(self, texts: Sequence[str], **_: Any) -> Any:
            raise AssertionError

        async def aclose(self) -> None: ...

    with opened(path) as memory:
        with pytest.raises(EmbedderMismatch, match='began with 32'):
            memory.reindex(embedder=Changing(), rate=40)
        assert nearest(memory, 1) == ['Likes tea number 1']


def test_two_embedders_of_one_name_need_one_length(path: Path) -> None:
    class Named(SyncEmbedder):
        def encode(self, texts: list[str], *, query: bool) -> Any:
            return HashingEmbedder(self.dimensions or 0).encode(texts, query=query)

    with opened(path) as memory, pytest.raises(ConfigurationError, match='another name'):
        memory.reindex(embedder=Named('hashing/64', dimensions=16))


def test_a_remote_embedder_that_fails_for_a_while_is_asked_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('memoranda.reindex._FIRST_WAIT', 0.0)
    with opened(path) as memory:
        assert memory.reindex(embedder=Remote(errors=[503, 429])) == 80
        assert nearest(memory, 9) == ['Likes tea number 9']


def test_a_remote_embedder_that_goes_on_failing_ends_the_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('memoranda.reindex._FIRST_WAIT', 0.0)
    with opened(path) as memory, pytest.raises(EmbeddingFailed, match='status 503'):
        memory.reindex(embedder=Remote(errors=[503] * 99))


def test_a_text_that_an_embedder_refuses_is_embedded_by_its_beginning(path: Path) -> None:
    new = Remote(longest=300)
    with opened(path) as memory:
        memory.add('Likes ' + 'very ' * 200 + 'strong tea', infer=False, **ANA)
        memory.reindex(embedder=new)
        assert max(new.lengths) == 250
        assert memory.search('likes very strong tea', strategy='semantic', **ANA)


def test_a_full_disk_ends_the_run_and_what_is_done_is_kept(path: Path) -> None:
    class Small(SQLiteStore):
        free = 2

        async def put_vectors(self, *args: Any, **kwargs: Any) -> None:
            self.free -= 1
            if self.free < 0:
                raise StoreFull('the disk is full')
            await super().put_vectors(*args, **kwargs)

    small = Small(path)
    with opened(None, 32, store=small) as memory:  # pyright: ignore[reportArgumentType]
        with pytest.raises(StoreFull):
            memory.reindex(rate=16)
        small.free = 99
        assert memory.reindex() == 48


# --- the command ---


@pytest.fixture
def reindexed(path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    from typer.testing import CliRunner

    from memoranda.cli._app import app

    def call(*arguments: str) -> Any:
        return CliRunner().invoke(app, ['reindex', '--database', str(path), *arguments])

    return call


def test_the_command_says_what_it_did(reindexed: Callable[..., Any]) -> None:
    ran = reindexed('--rows-per-second', '1000000', '--json')
    assert json.loads(ran.stdout)['embedded'] == 80
    assert 'already' in reindexed().stdout
    assert 'Embedded 80 texts' in reindexed('--anew').stdout


@pytest.mark.parametrize(
    ('wrong', 'code'), [(('--rows-per-second', '0'), 2), (('--embedder', 'nonsense'), 1)], ids=['rate', 'embedder']
)
def test_the_command_refuses_what_makes_no_sense(
    reindexed: Callable[..., Any], wrong: tuple[str, ...], code: int
) -> None:
    ran = reindexed(*wrong)
    assert (ran.exit_code, ran.stdout) == (code, '')
    assert ran.stderr.startswith('error: ')
