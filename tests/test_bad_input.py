"""What can't be used is refused with the value, the reason and the fix, and nothing of it is written."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from _fakes import fast, fast_async, texts
from memoranda import (
    ConfigurationError,
    InvalidFilter,
    InvalidInput,
    InvalidScope,
    Memory,
    MemoryNotFound,
    ProcessingFailed,
    StoreError,
    StoreFull,
    StoreUnreadable,
    StoreUnwritable,
)
from memoranda.settings import Settings
from memoranda.testing import ScriptedExtractor

ANA = {'user_id': 'ana'}
LONG = 'do not repeat this ' * 500


@pytest.fixture
def memory() -> Iterator[Memory]:
    with fast() as opened:
        yield opened


def state(memory: Memory) -> tuple[Any, ...]:
    stats = memory.stats()
    return stats.owners, stats.memories, stats.versions, stats.episodes, stats.jobs_queued, stats.jobs_dead


def check_message(error: BaseException) -> None:
    """Short, with a fix after the last colon, and without what was said."""
    text = str(error)
    assert len(text) < 600
    assert LONG[:200] not in text
    assert re.search(r': [a-z`]', text), text


WRONG: list[tuple[str, Callable[[Memory, str], object]]] = [
    (r'messages is empty or white space', lambda m, _: m.add('', **ANA)),
    (r'messages is empty or white space', lambda m, _: m.add(' \u00a0\n', infer=False, **ANA)),
    (r'messages is an int', lambda m, _: m.add(7, **ANA)),
    (r'messages is a UUID', lambda m, _: m.add(uuid.uuid4(), **ANA)),
    (r'messages is an object', lambda m, _: m.add(object(), **ANA)),
    (r'messages\[1\] is a NoneType', lambda m, _: m.add(['fine', None], **ANA)),
    (r'messages\[1\] is empty', lambda m, _: m.add(['fine', ' '], **ANA)),
    (r'messages has 1,000,001 characters', lambda m, _: m.add('x' * 1_000_001, **ANA)),
    (r'metadata is a list', lambda m, _: m.add('x', metadata=[1], **ANA)),
    (r'metadata is a str', lambda m, _: m.add('x', metadata='a=1', **ANA)),
    (r'metadata is not JSON', lambda m, _: m.add('x', metadata={'a': object()}, **ANA)),
    (r'metadata is not JSON', lambda m, _: m.add('x', metadata={'a': float('nan')}, **ANA)),
    (r'metadata is not JSON', lambda m, _: m.add('x', metadata={'a': {1, 2}}, **ANA)),
    (r'metadata is not JSON', lambda m, _: m.add('x', metadata={('a', 'b'): 1}, **ANA)),
    (r'metadata has .* characters as JSON', lambda m, _: m.add('x', metadata={'a': 'b' * 70_000}, **ANA)),
    (r"tags='web' is a str", lambda m, _: m.add('x', tags='web', **ANA)),
    (r'tag 7 is not text', lambda m, _: m.add('x', tags=[7], **ANA)),
    (r"tag '' is not text", lambda m, _: m.add('x', tags=[''], **ANA)),
    (r'tag .* is not text of 1 to 128', lambda m, _: m.add('x', tags=[LONG], **ANA)),
    (r'tags has 65 entries', lambda m, _: m.add('x', tags=[str(i) for i in range(65)], **ANA)),
    (r"kind='Big Idea' is not a lower-case word", lambda m, _: m.add('x', infer=False, kind='Big Idea', **ANA)),
    (r'kind=.* is not a lower-case word', lambda m, _: m.add('x', infer=False, kind=LONG, **ANA)),
    (r'kind=7 is not', lambda m, _: m.add('x', infer=False, kind=7, **ANA)),
    (r"slot='Home City' is not a key", lambda m, _: m.add('x', infer=False, slot='Home City', **ANA)),
    (r"slot='' is not a key", lambda m, _: m.add('x', infer=False, slot='', **ANA)),
    (r'slot=.* is not a key', lambda m, _: m.add('x', infer=False, slot=LONG, **ANA)),
    (r'confidence=1.5 is not a number from 0 to 1', lambda m, _: m.add('x', infer=False, confidence=1.5, **ANA)),
    (r"confidence='high' is not", lambda m, _: m.add('x', infer=False, confidence='high', **ANA)),
    (r'confidence=True is not', lambda m, _: m.add('x', infer=False, confidence=True, **ANA)),
    (r'importance=nan is not', lambda m, _: m.add('x', infer=False, importance=float('nan'), **ANA)),
    (r"infer='no' is a str: pass True or False", lambda m, _: m.add('x', infer='no', **ANA)),
    (r"pinned='false' is a str", lambda m, _: m.add('x', pinned='false', **ANA)),
    (r"level='agent' is unknown", lambda m, _: m.add('x', infer=False, level='agent', **ANA)),
    (r"idempotency_key='' is not text", lambda m, _: m.add('x', idempotency_key='', **ANA)),
    (r'idempotency_key=.* is not text', lambda m, _: m.add('x', idempotency_key=LONG, **ANA)),
    (r'idempotency_key=7 is not text', lambda m, _: m.add('x', idempotency_key=7, **ANA)),
    (r"user_id='\*'", lambda m, _: m.add('x', user_id='*')),
    (r'no id was given', lambda m, _: m.add('x')),
    (r"query='' is empty", lambda m, _: m.search('', **ANA)),
    (r'query=None is empty or no text', lambda m, _: m.search(None, **ANA)),
    (r'query=.* is empty or no text', lambda m, _: m.search([LONG], **ANA)),
    (r'query has 100,001 characters', lambda m, _: m.search('x' * 100_001, **ANA)),
    (r'query=.* is empty', lambda m, _: m.context(' ', **ANA)),
    (r'top_k=0 is not a whole number from 1 to 1,000', lambda m, _: m.search('x', top_k=0, **ANA)),
    (r'top_k=1001 is not', lambda m, _: m.search('x', top_k=1001, **ANA)),
    (r"top_k='5' is not", lambda m, _: m.search('x', top_k='5', **ANA)),
    (r'top_k=True is not', lambda m, _: m.search('x', top_k=True, **ANA)),
    (r'min_score=2 is not a number from 0 to 1', lambda m, _: m.search('x', min_score=2, **ANA)),
    (r"strategy='magic' is unknown: use one of hybrid", lambda m, _: m.search('x', strategy='magic', **ANA)),
    (r'strategy=\[\] is unknown', lambda m, _: m.search('x', strategy=[], **ANA)),
    (r"include='episodes' is not a list", lambda m, _: m.search('x', include='episodes', **ANA)),
    (r'include=\(\) is not a list', lambda m, _: m.search('x', include=(), **ANA)),
    (r"include=\['facts'\] is not a list", lambda m, _: m.search('x', include=['facts'], **ANA)),
    (r"levels='user' is not a list", lambda m, _: m.search('x', levels='user', **ANA)),
    (r"levels=\['team'\] is not a list", lambda m, _: m.get_all(levels=['team'], **ANA)),
    (r'levels=\[\] is not a list', lambda m, _: m.get_all(levels=[], **ANA)),
    (r'levels=7 is not a list', lambda m, _: m.get_all(levels=7, **ANA)),
    (r'limit=0 is not a whole number', lambda m, _: m.get_all(limit=0, **ANA)),
    (r'limit=2.0 is not a whole number', lambda m, _: m.episodes(limit=2.0, **ANA)),
    (r'cursor=.*', lambda m, _: m.get_all(cursor=7, **ANA)),
    (r'cursor=.*', lambda m, _: m.get_all(cursor=LONG, **ANA)),
    (r'cursor=.*', lambda m, _: m.episodes(cursor='not one', **ANA)),
    (r'memory_id=.*', lambda m, _: m.get('', **ANA)),
    (r'memory_id=.*', lambda m, _: m.get(7, **ANA)),
    (r'memory_id=.*', lambda m, _: m.delete(None, **ANA)),
    (r'text=.* is empty', lambda m, id_: m.update(id_, text=' ', **ANA)),
    (r'text=7', lambda m, id_: m.update(id_, text=7, **ANA)),
    (r'text has 1,000,001 characters', lambda m, id_: m.update(id_, text='x' * 1_000_001, **ANA)),
    (r"kind='A' is not", lambda m, id_: m.update(id_, kind='A', **ANA)),
    (r"slot='A' is not", lambda m, id_: m.update(id_, slot='A', **ANA)),
    (r'tags=.* is a str', lambda m, id_: m.update(id_, tags='a', **ANA)),
    (r'metadata is a list', lambda m, id_: m.update(id_, metadata=[], **ANA)),
    (r'importance=-1 is not', lambda m, id_: m.update(id_, importance=-1, **ANA)),
    (r"pinned='yes' is a str", lambda m, id_: m.update(id_, pinned='yes', **ANA)),
    (r'locked=1 is an int', lambda m, id_: m.update(id_, locked=1, **ANA)),
    (r"expires_at='soon' is not a moment", lambda m, id_: m.update(id_, expires_at='soon', **ANA)),
    (r"slot='A B' is not a key", lambda m, _: m.get_slot('A B', **ANA)),
    (r'slot=None is not a key', lambda m, _: m.get_slot(None, **ANA)),
]


@pytest.mark.parametrize(('reason', 'call'), WRONG, ids=[f'{i} {r[:40]}' for i, (r, _) in enumerate(WRONG)])
def test_a_wrong_argument_is_refused_and_nothing_is_written(
    memory: Memory, reason: str, call: Callable[[Memory, str], object]
) -> None:
    id_ = memory.add('I like tea', **ANA).memories[0].id
    before = state(memory), memory.get(id_, **ANA)
    with pytest.raises(InvalidInput, match=reason) as caught:
        call(memory, id_)
    check_message(caught.value)
    assert (state(memory), memory.get(id_, **ANA)) == before


def test_an_unknown_id_is_not_found_whatever_it_looks_like(memory: Memory) -> None:
    memory.add('I like tea', **ANA)
    for id_ in ('nothing', '01a1fdf0-9102-7e3c-8272-f4e4f9693d12', "' OR 1=1 --", '%', 'a\0b', '\ud800', 'é' * 36):
        for call in (memory.get, memory.delete, memory.history):
            with pytest.raises((MemoryNotFound, InvalidInput)) as caught:
                call(id_, **ANA)
            assert len(str(caught.value)) < 300
    with pytest.raises((MemoryNotFound, InvalidInput)) as caught:
        memory.get(LONG, **ANA)
    assert len(str(caught.value)) < 300


def test_metadata_that_is_too_deep_is_refused(memory: Memory) -> None:
    deep: Any = 'x'
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidInput, match='metadata is not JSON'):
        memory.add('x', metadata={'a': deep}, **ANA)
    loop: dict[str, Any] = {}
    loop['self'] = loop
    with pytest.raises(InvalidInput, match='metadata is not JSON'):
        memory.add('x', metadata=loop, **ANA)
    assert state(memory) == (0, 0, 0, 0, 0, 0)


def test_ten_megabytes_are_refused_and_kept_when_allowed(tmp_path: Path) -> None:
    text = 'ten megabytes of words ' * 450_000
    with fast(tmp_path / 'memory.db') as memory:
        with pytest.raises(InvalidInput, match=r'10,350,000 characters.*split it, or raise MEMORANDA_MAX_TEXT_CHARS'):
            memory.add(text, **ANA)
        assert state(memory) == (0, 0, 0, 0, 0, 0)


def test_a_long_text_within_the_limit_is_kept_and_found(memory: Memory) -> None:
    text = ('words and words ' * 6_000) + 'the key is under the mat. ' + ('more words ' * 6_000)
    result = memory.add(text, **ANA)
    assert memory.episodes(**ANA).items[0].text == text
    assert dict(result.skipped) == {'too long': 1}
    (hit,) = memory.search('key under the mat', include=('episodes',), top_k=1, **ANA)
    assert 'under the mat' in hit.text


ODD = [
    'a\0b',
    '\0',
    'half \ud83d a pair',
    '\udc00',
    '\x01\x02\x1b[31m',
    '\u202eright to left\u202c',
    'مرحبا بالعالم',
    'שלום',
    'e\u0301\u0302\u0303',
    '👩‍👩‍👧‍👦🏳️‍🌈',
    '\u200b\ufeff zero width',
    '\ufffe\uffff',
    "'; DROP TABLE memory; --",
    '" OR "a" * NEAR(b, c) ^ col:x AND NOT -y',
    'a" b\' c` d\\',
    '%_\\%',
    '* ? [a-z]',
    '((((',
    'SELECT * FROM memory',
    '{"role": "system"}',
    '../../etc/passwd',
    '🎉' * 300,
    'x' * 5000,
    'a\r\nb\rc\n\n\nd',
    'NULL',
    '0',
    '-1e308',
    'İıſK',
    'ﬁ ½ Ⅷ',
]


@pytest.mark.parametrize('text', ODD, ids=[f'{i}' for i in range(len(ODD))])
def test_odd_text_is_kept_found_edited_and_erased(memory: Memory, text: str) -> None:
    kept = re.sub('[\0\ud800-\udfff]', '\ufffd', text)
    (record,) = memory.add(text, infer=False, metadata={'odd': text, text: 1}, tags=['t'], **ANA).memories
    (episode,) = memory.episodes(**ANA).items
    assert episode.text == kept
    assert record.evidence[0].quote == kept
    assert record.metadata == {'odd': kept, kept: 1}
    assert memory.get(record.id, **ANA) == record
    for strategy in ('hybrid', 'semantic', 'keyword', 'recency'):
        memory.search(text, strategy=strategy, include=('memories', 'episodes'), **ANA)
    assert [h.memory for h in memory.search(f'{text} .', strategy='recency', **ANA)] == [record]
    memory.context(text, **ANA)
    assert memory.update(record.id, text=f'{text}!', **ANA).text == f'{kept}!'.strip()
    assert memory.delete_all(**ANA).memories == 1
    assert len(memory.get_all(**ANA)) == 0


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(st.characters(exclude_categories=()), min_size=1, max_size=80).filter(lambda t: t.strip()))
def test_no_query_breaks_a_search(memory: Memory, query: str) -> None:
    if not memory.stats().episodes:
        memory.add(['I like tea', 'home.city = Lisbon'], **ANA)
    for strategy in ('hybrid', 'keyword'):
        hits = memory.search(query, strategy=strategy, include=('memories', 'episodes'), **ANA)
        assert all(0 <= h.score <= 1 for h in hits)


@pytest.mark.parametrize(
    'filters',
    ['kind', [], 7, {'kimd': 1}, {'kind': {'like': 'x'}}, {'AND': {}}, {'metadata.': 1}, {'confidence': 'high'}],
)
def test_a_filter_that_cannot_be_read_is_refused(memory: Memory, filters: Any) -> None:
    for call in (lambda: memory.get_all(filters=filters, **ANA), lambda: memory.search('x', filters=filters, **ANA)):
        with pytest.raises(InvalidFilter) as caught:
            call()
        assert len(str(caught.value)) < 600


# Places that can't be used


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r'is a directory: name a file in it'):
        fast(tmp_path).get_all(**ANA)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('x')
    with pytest.raises(StoreUnwritable, match=r'cannot be created .*: create it, or name another file'):
        fast(tmp_path / 'file' / 'sub' / 'memory.db').add('x', **ANA)


@pytest.mark.parametrize(
    'content', [b'not a database at all, but a text of some length ' * 40, b'\x89PNG\r\n' + bytes(5000)]
)
def test_a_file_of_another_format_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'memory.db'
    path.write_bytes(content)
    with pytest.raises(StoreUnreadable, match=r'name another file'):
        fast(path).add('x', **ANA)
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / 'memory.db'
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute('CREATE TABLE theirs(x)')
        other.execute('INSERT INTO theirs VALUES(1)')
        other.commit()
    before = path.read_bytes()
    with pytest.raises(StoreUnreadable, match=r'database of another program.*: name another file'):
        fast(path).add('x', **ANA)
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / 'memory.db'
    with fast(path) as memory:
        memory.add('I like tea', **ANA)
        version = memory.stats().schema_version
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute(f'PRAGMA user_version = {version + 1}')
        file.commit()
    with contextlib.closing(fast(path)) as older, pytest.raises(StoreUnreadable, match=r'newer'):
        older.add('x', **ANA)
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute(f'PRAGMA user_version = {version}')
        file.commit()
    with fast(path) as memory:
        assert texts(memory.get_all(**ANA)) == ['I like tea']
        assert len(memory.episodes(**ANA).items) == 1


def test_a_file_that_may_only_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'memory.db'
    with fast(path) as memory:
        memory.add('I like tea', **ANA)
    path.chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        if os.access(path, os.W_OK):
            pytest.skip('this user may write anywhere')
        with pytest.raises(StoreUnwritable, match=r'MEMORANDA_DATABASE'):
            fast(path).add('x', **ANA)
    finally:
        tmp_path.chmod(0o700)
        path.chmod(0o600)


def test_a_full_disk_takes_back_the_whole_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page limit of SQLite stands for the disk: the error is the same."""
    import memoranda.stores.sqlite.store as store

    memory = fast(tmp_path / 'memory.db')
    memory.add('I like tea', **ANA)
    pages = memory.stats().bytes // 16384 + 3
    memory.close()
    connect = store.connect

    def limited(*args: Any, **kwargs: Any) -> Any:
        connection = connect(*args, **kwargs)
        connection.execute(f'PRAGMA max_page_count = {pages}').fetchall()
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(store, 'connect', limited)
        stored = 1
        error: Exception | None = None
        while error is None:
            try:
                memory.add(f'fact {stored} ' + 'long words ' * 3_000, infer=False, **ANA)
                stored += 1
            except (StoreFull, ProcessingFailed) as full:
                error = full
        check_message(error)
        assert 'the disk is full' in str(error)
        assert len(memory.get_all(limit=1000, **ANA)) == stored
        # With the message itself stored, its job waits; otherwise there is nothing of it.
        waiting = memory.stats().jobs_queued
        assert memory.stats().episodes == stored + waiting
        assert waiting == isinstance(error, ProcessingFailed)
        memory.close()
    assert memory.add('I like jazz', **ANA).memories
    assert memory.stats().jobs_queued == 0
    memory.close()


@pytest.mark.parametrize(
    'database', ['', ' ', 7, 'http://example.com/db', 'postgresql://localhost', b'memory.db', 'a\0b']
)
def test_a_database_that_cannot_be_one_is_refused(database: Any) -> None:
    with pytest.raises((ConfigurationError, StoreError)) as caught:
        fast(database).stats()
    assert len(str(caught.value)) < 600


def test_a_project_and_settings_of_the_wrong_type_are_refused() -> None:
    for project in ('', '*', 7, ' a'):
        with pytest.raises(InvalidScope, match=r'^project'):
            fast(project=project)
    with pytest.raises((ConfigurationError, TypeError)):
        Settings(durability='forever')  # pyright: ignore[reportArgumentType]


def test_an_async_call_is_refused_in_the_same_way() -> None:
    import asyncio

    async def main() -> None:
        async with fast_async() as memory:
            with pytest.raises(InvalidInput, match='messages is empty'):
                await memory.add('', **ANA)
            with pytest.raises(InvalidScope, match='no id was given'):
                await memory.search('x')

    asyncio.run(main())


@pytest.mark.parametrize('name', ['', ' ', 'a\ud800', 'x' * 201, None, 7])
def test_an_extractor_whose_name_can_not_be_recorded_is_refused(name: Any) -> None:
    extractor = ScriptedExtractor(name=name)
    with pytest.raises(ConfigurationError, match=r'extractor\.name='):
        Memory(':memory:', extractor=extractor)
