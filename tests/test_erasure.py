"""After an erasure nothing of the words is left: in no table, and in no byte of the files."""

from __future__ import annotations

import errno
import json
import random
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from memoranda import Memory
from memoranda._bridge import run, wait_for
from memoranda.errors import ProcessingFailed
from memoranda.scope import Scope
from memoranda.stores.sql import erasing
from memoranda.stores.sqlite import SQLiteStore, sweeping
from memoranda.stores.sqlite.store import _files
from memoranda.testing import HashingEmbedder, ScriptedExtractor
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, Quote

USERS = [f'user{n}' for n in range(10)]
VOCABULARY = [f'w{n}' for n in range(500)]


def memory(path: Path) -> Memory:
    return Memory(path, embedder=HashingEmbedder(), extractor=ScriptedExtractor())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / 'm.db'


@pytest.fixture
def chores_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the writer does every two seconds doesn't come in between."""
    monkeypatch.setattr('memoranda.stores.sqlite.connection.IDLE_SECONDS', 3600.0)


@pytest.fixture
def quick_chores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('memoranda.stores.sqlite.connection.IDLE_SECONDS', 0.05)


def rare(user: str) -> str:
    return f'zq{user}qz'


def fill(m: Memory, *, rounds: int = 3, size: int = 12, users: list[str] = USERS, run_id: str | None = None) -> None:
    """Users take turns, so that their rows split one another's pages."""
    words = random.Random(7)
    for turn in range(rounds):
        for user in users:
            said = [
                ' '.join(
                    (
                        f'{user.upper()} says {turn}-{i}',
                        rare(user),
                        *words.choices(VOCABULARY, k=words.randrange(3, 40)),
                    )
                )
                for i in range(size)
            ]
            m.add(said, user_id=user, run_id=run_id, metadata={'secret': f'{user.upper()} says so'}, tags=[rare(user)])


def files(path: Path) -> bytes:
    return b''.join(p.read_bytes() for p in sorted(path.parent.iterdir()) if p.name.startswith(path.name))


def left(path: Path, user: str) -> int:
    """How often a user's words are in the files."""
    data = files(path)
    return sum(data.count(word.encode()) for word in (f'{user.upper()} says', rare(user)))


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, 'it never happened'


def check_file(path: Path) -> None:
    connection = apsw.Connection(str(path))
    assert connection.pragma('integrity_check') == 'ok'
    assert connection.execute(
        'SELECT count(*) FROM evidence WHERE memory NOT IN (SELECT row FROM memory)'
    ).fetchone() == (0,)
    connection.close()


@pytest.fixture
def reader(path: Path) -> Iterator[Callable[[], apsw.Connection]]:
    """Begins a read transaction that is none of ours."""
    opened: list[apsw.Connection] = []

    def begin() -> apsw.Connection:
        connection = apsw.Connection(str(path))
        connection.execute('BEGIN')
        connection.execute('SELECT count(*) FROM memory').fetchone()
        opened.append(connection)
        return connection

    yield begin
    for connection in opened:
        connection.close()


def test_nothing_of_an_erased_user_is_left_in_the_files(path: Path) -> None:
    with memory(path) as m:
        fill(m)
        m.add({'role': 'user', 'content': 'Hello', 'name': 'USER5 says'}, user_id='user5')
        some = m.get_all(user_id='user5').items[0]
        m.update(some.id, text='USER5 says something else', user_id='user5')
        m.delete(some.id, user_id='user5')
        m.search('USER5 says', user_id='user5', include=('memories', 'episodes'))
        kept = {user: m.get_all(user_id=user, limit=1000).items for user in USERS if user != 'user5'}
        others = {user: left(path, user) for user in kept}
        assert left(path, 'user5') > 0
        result = m.delete_all(user_id='user5')
        assert (result.memories, result.versions, result.episodes, result.scrub) == (36, 38, 37, 'verified')
        assert left(path, 'user5') == 0
        assert b'user5' not in files(path)  # not even the id
        assert m.search('USER5 says', user_id='user5', include=('memories', 'episodes')) == []
        assert m.get_all(user_id='user5', include_inactive=True).items == ()
        assert {user: m.get_all(user_id=user, limit=1000).items for user in kept} == kept
        assert all(left(path, user) > 0 for user in others)
        assert m.search('USER6 says', user_id='user6')
    check_file(path)
    assert left(path, 'user5') == 0


def test_of_an_erased_user_one_link_stays_that_tells_how_many_there_were(path: Path) -> None:
    with memory(path) as m:
        for text in ('USER5 one', 'USER5 two', 'USER5 three'):
            m.add(text, infer=False, user_id='user5')
        m.delete_all(user_id='user5')
        m.add('USER5 anew', infer=False, user_id='user5')
    connection = apsw.Connection(str(path))
    links = connection.execute(
        'SELECT op, seq, after FROM (SELECT op, h.row & 0xffffff AS seq, after FROM history h '
        'JOIN history_text t ON t.row = h.row ORDER BY h.row)'
    ).fetchall()
    connection.close()
    (closing, first) = links
    assert (closing[:2], json.loads(closing[2])) == (('erase', 4), {'blanked': [[1, 3]], 'erased': 'everything'})
    assert first[:2] == ('add', 1)


def test_the_vectors_go_too(path: Path) -> None:
    with memory(path) as m:
        fill(m, rounds=2, size=10)
        connection = apsw.Connection(str(path))
        owner = connection.execute("SELECT id FROM owner WHERE key = 'user5'").fetchone()[0]
        vectors = [
            bytes(vector)[:64]
            for table in ('memory_vector_1', 'segment_vector_1')
            for (vector,) in connection.execute(f'SELECT vector FROM {table} WHERE row >> 24 = ?', (owner,))
        ]
        connection.close()
        assert len(vectors) == 40
        assert all(v in files(path) for v in vectors)
        assert m.delete_all(user_id='user5').scrub == 'verified'
        data = files(path)
        assert not any(v in data for v in vectors)


def test_the_index_holds_no_words(path: Path) -> None:
    with memory(path) as m:
        fill(m, rounds=1)
        connection = apsw.Connection(str(path))
        rows = connection.execute('SELECT * FROM posting').fetchall()
        connection.close()
        assert len(rows) > 1000
        dumped = repr(rows).encode() + b''.join(bytes(row[4]) for row in rows)
        for user in USERS:
            assert rare(user).encode() not in dumped
            assert rare(user)[:5].encode() not in dumped
        # The same word of two users has two keys.
        terms = [{row[2] for row in rows if row[0] == owner} for owner in {row[0] for row in rows}]
        assert not set.intersection(*terms)


@pytest.mark.usefixtures('chores_by_hand')
def test_page_splits_leave_copies_that_only_the_sweep_removes(path: Path) -> None:
    store = SQLiteStore(path)
    m = Memory(store=store, embedder=HashingEmbedder(), extractor=ScriptedExtractor())
    fill(m, rounds=8, size=12)

    def erase(user: str) -> int:
        run(store._write(lambda c: erasing.erase(c, Scope(user_id=user).erasure('default'))))
        foreign = apsw.Connection(str(path))
        assert foreign.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchone()[0] == 0
        foreign.close()
        return left(path, user)

    remains = {user: erase(user) for user in USERS[:6]}
    assert sum(remains.values()) > 0  # rows and log are gone, and still the words are in the file
    assert m.stats().scrub_pending
    assert m.finish_erasure()
    assert not m.stats().scrub_pending
    assert {user: left(path, user) for user in remains} == dict.fromkeys(remains, 0)
    assert left(path, USERS[7]) > 0
    m.close()
    check_file(path)


@pytest.mark.usefixtures('chores_by_hand')
def test_a_page_that_another_process_read_before_the_sweep_is_not_written_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is swept in parts, and somebody who writes between them from pages cached before."""
    store = SQLiteStore(path)
    m = Memory(store=store, embedder=HashingEmbedder(), extractor=ScriptedExtractor())
    fill(m, rounds=8, size=12)
    foreign = apsw.Connection(str(path))
    foreign.pragma('cache_size', -262144)
    foreign.pragma('secure_delete', True)
    sweep = sweeping._sweep
    parts = 0

    def read_then_sweep(*args: Any) -> None:
        nonlocal parts
        parts += 1
        foreign.execute('SELECT sum(length(text)) + sum(length(metadata)) FROM memory').fetchall()
        foreign.execute('SELECT sum(length(text)) + sum(length(metadata)) FROM episode').fetchall()
        foreign.execute('SELECT sum(length(before)) + sum(length(after)) FROM history_text').fetchall()
        sweep(*args)

    class Between:
        """The writer's connection, with somebody who writes when it is about to begin."""

        def __init__(self, connection: Any) -> None:
            self._connection = connection

        def __getattr__(self, name: str) -> Any:
            return getattr(self._connection, name)

        def execute(self, sql: str, *values: Any) -> Any:
            nonlocal written
            if sql == 'BEGIN IMMEDIATE' and written < parts:
                written = parts
                foreign.execute('UPDATE memory SET importance = importance * 0.999')
                foreign.execute('UPDATE episode SET recorded_at = recorded_at + 1')
                foreign.execute('UPDATE history_text SET salt = hex(randomblob(16))')
            return self._connection.execute(sql, *values)

    written = 0
    for user in USERS[:6]:
        run(store._write(lambda c, user=user: erasing.erase(c, Scope(user_id=user).erasure('default'))))
    monkeypatch.setattr(sweeping, '_SWEEP_BYTES', 64 * 16384)
    monkeypatch.setattr(sweeping, '_sweep', read_then_sweep)

    def scrub(connection: Any) -> bool:
        return sweeping.scrub(
            Between(connection), str(path), _files, sweeping.Progress(), most_bytes=None, busy_ms=1000
        )

    assert run(wait_for(store._submit(scrub, alone=True)))
    assert parts > 3
    assert written > 2
    foreign.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchall()
    assert {user: left(path, user) for user in USERS[:6]} == dict.fromkeys(USERS[:6], 0)
    foreign.close()
    m.close()
    check_file(path)


@pytest.mark.usefixtures('chores_by_hand')
def test_a_foreign_reader_makes_it_pending_and_it_is_finished_when_the_reader_left(
    path: Path, reader: Callable[[], apsw.Connection]
) -> None:
    with memory(path) as m:
        fill(m, rounds=1)
        foreign = reader()
        result = m.delete_all(user_id='user5')
        assert (result.memories, result.scrub) == (12, 'pending')
        assert m.stats().scrub_pending
        assert m.search('USER5 says', user_id='user5', include=('memories', 'episodes')) == []
        assert m.delete_all(user_id='user5').scrub == 'pending'  # asking again doesn't make it true
        assert m.delete_all(user_id='nobody').scrub == 'pending'
        assert not m.finish_erasure()
        foreign.execute('ROLLBACK')
        assert m.finish_erasure()
        assert not m.stats().scrub_pending
        assert left(path, 'user5') == 0
        assert m.delete_all(user_id='user5').scrub == 'verified'


@pytest.mark.usefixtures('quick_chores')
def test_a_pending_erasure_is_finished_without_being_asked(path: Path, reader: Callable[[], apsw.Connection]) -> None:
    with memory(path) as m:
        fill(m, rounds=1)
        foreign = reader()
        assert m.delete_all(user_id='user5').scrub == 'pending'
        foreign.execute('ROLLBACK')
        until(lambda: not m.stats().scrub_pending)
        assert left(path, 'user5') == 0


@pytest.mark.usefixtures('quick_chores')
def test_a_pending_erasure_is_finished_also_when_the_writer_is_never_quiet(
    path: Path, reader: Callable[[], apsw.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    with memory(path) as m:
        fill(m, rounds=1)
        monkeypatch.setattr('memoranda.stores.sqlite.connection.IDLE_SECONDS', 0.5)
        foreign = reader()
        assert m.delete_all(user_id='user5').scrub == 'pending'
        foreign.execute('ROLLBACK')

        def written_and_done() -> bool:
            m.add('one more', user_id='user6')
            return not m.stats().scrub_pending

        until(written_and_done)
        assert left(path, 'user5') == 0


def test_a_pending_erasure_is_finished_after_a_restart(path: Path, reader: Callable[[], apsw.Connection]) -> None:
    with memory(path) as m:
        fill(m, rounds=1)
        foreign = reader()
        assert m.delete_all(user_id='user5').scrub == 'pending'
    assert left(path, 'user5') > 0
    foreign.close()
    with memory(path) as m:
        assert not m.stats().scrub_pending
        assert left(path, 'user5') == 0
        assert len(m.get_all(user_id='user6')) == 12


@pytest.mark.usefixtures('quick_chores')
def test_a_large_file_is_swept_in_the_background(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, 'INLINE_BYTES', 0)
    monkeypatch.setattr(sweeping, '_SWEEP_BYTES', 16 * 16384)
    monkeypatch.setattr(sweeping, 'TICK_BYTES', 0)  # the background makes no progress yet
    with memory(path) as m:
        fill(m, rounds=2)
        assert m.delete_all(user_id='user5').scrub == 'pending'
        monkeypatch.setattr(sweeping, 'TICK_BYTES', 32 * 16384)
        until(lambda: not m.stats().scrub_pending)
        assert left(path, 'user5') == 0
    check_file(path)


@pytest.mark.usefixtures('chores_by_hand')
@pytest.mark.parametrize('error', [OSError(errno.EIO, 'no luck'), apsw.FullError('no space'), apsw.BusyError('wait')])
def test_a_failing_disk_leaves_the_erasure_pending_and_the_store_working(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*args: object) -> None:
        raise error

    with memory(path) as m:
        fill(m, rounds=1)
        with monkeypatch.context() as patch:
            patch.setattr(sweeping, '_sweep', fail)
            assert m.delete_all(user_id='user5').scrub == 'pending'
        m.add('It still works', user_id='user6')
        with monkeypatch.context() as patch:
            patch.setattr(sweeping, '_sweep', fail)
            assert not m.finish_erasure()
        assert m.finish_erasure()


def test_one_run_of_a_user_is_erased_from_the_files_and_the_rest_stays(path: Path) -> None:
    with memory(path) as m:
        fill(m, rounds=2)
        for i in range(5):
            m.add(
                {'role': 'user', 'content': f'The run secret number {i}', 'name': 'Secret Speaker'},
                user_id='user5', run_id='r1', metadata={'secret': 'run secret'}, tags=['run secret'],
            )  # fmt: skip
            m.add(f'The open word number {i}', user_id='user5', run_id='r2')
        before = m.get_all(user_id='user5', filters={'run_id': {'ne': 'r1'}}, limit=1000).items
        assert m.search('secret', user_id='user5', include=('memories', 'episodes'))
        result = m.delete_all(user_id='user5', run_id='r1')
        assert (result.memories, result.episodes, result.scrub) == (5, 5, 'verified')
        data = files(path)
        for word in (b'run secret', b'Secret Speaker'):
            assert word not in data
        assert b'open word' in data
        assert left(path, 'user5') > 0
        assert m.get_all(user_id='user5', limit=1000).items == before
        found = m.search('secret open word', user_id='user5', include=('memories', 'episodes'), top_k=1000)
        assert not any('secret' in hit.text for hit in found)
        assert any('open word' in hit.text for hit in found)
    check_file(path)


def test_a_superseded_fact_does_not_revive(path: Path) -> None:
    with memory(path) as m:
        m.add('Lives in Lisbon', user_id='ana', run_id='r1', infer=False, slot='home.city')
        m.add('Lives in Porto', user_id='ana', run_id='r2', infer=False, slot='home.city')
        m.delete_all(user_id='ana', run_id='r2')
        assert m.get_slot('home.city', user_id='ana') is None
        assert m.get_all(user_id='ana').items == ()
        assert m.search('Where does she live?', user_id='ana') == []
        (old,) = m.get_all(user_id='ana', include_inactive=True)
        assert (old.text, old.status) == ('Lives in Lisbon', 'superseded')
        assert b'Porto' not in files(path)
        m.add('Lives in Braga', user_id='ana', infer=False, slot='home.city')
        found = m.get_slot('home.city', user_id='ana')
        assert found is not None
        assert found.text == 'Lives in Braga'


def test_an_erasure_while_messages_come_in_takes_all_that_was_there(path: Path) -> None:
    with memory(path) as m:
        fill(m, rounds=1, users=['user5', 'user6'])
        m.delete_all(user_id='user5')
        m.add('USER5 says hello again', user_id='user5')
        assert [x.text for x in m.get_all(user_id='user5')] == ['USER5 says hello again']
        assert m.delete_all(user_id='user5').scrub == 'verified'
        assert left(path, 'user5') == 0


# What stays of a user when one run goes


def test_tags_and_instructions_of_messages_sent_twice_go_with_their_run(path: Path) -> None:
    said = [{'role': 'user', 'content': f'Part {n} of a long story'} for n in range(3)]
    with memory(path) as m:
        m.add(said, user_id='ana', run_id='r1')
        again = m.add(
            said, user_id='ana', run_id='r1', idempotency_key='KEYWORD', tags=['TAGWORD'], instructions='INSTRUCTWORD'
        )
        m.add('Something else', user_id='ana', run_id='r2', tags=['OTHERTAG'], idempotency_key='k2')
        assert (again.known, again.job_id) == (3, None)
        assert m.delete_all(user_id='ana', run_id='r1').scrub == 'verified'
        data = files(path)
        assert [w for w in (b'KEYWORD', b'TAGWORD', b'INSTRUCTWORD') if w in data] == []
        assert b'OTHERTAG' in data
        assert m.add('Something else', user_id='ana', run_id='r2', tags=['OTHERTAG'], idempotency_key='k2').replayed


def test_a_job_of_an_older_file_that_does_not_say_where_it_is_from_goes_too(path: Path) -> None:
    said = [{'role': 'user', 'content': f'Part {n} of a long story'} for n in range(3)]
    with memory(path) as m:
        m.add(said, user_id='ana', run_id='r1')
        m.add(said, user_id='ana', run_id='r1', idempotency_key='k', tags=['TAGWORD'])
        m.add('Something else', user_id='ana', run_id='r2', tags=['OTHERTAG'])
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE job SET payload = json_remove(payload, '$.said_under')")
    connection.close()
    with memory(path) as m:
        assert m.delete_all(user_id='ana', run_id='r1').scrub == 'verified'
        assert b'TAGWORD' not in files(path)
        assert b'OTHERTAG' in files(path)


def test_what_a_failed_job_of_another_run_quotes_goes_too(path: Path) -> None:
    def read(request: ExtractionRequest) -> Extraction:
        if request.existing:
            raise ValueError(f'could not parse {request.existing[0].text}')
        text = f'{request.messages[0].text} QUOTEWORD'
        return Extraction(proposals=[Proposal(text=text, evidence=(Quote(0, 0, 5),))])

    with Memory(path, embedder=HashingEmbedder(), extractor=ScriptedExtractor(read)) as m:
        m.add('I have a dog, you know', user_id='ana', run_id='r1')
        with pytest.raises(ProcessingFailed):
            m.add('I have a dog, you know', user_id='ana', run_id='r2')
        assert m.delete_all(user_id='ana', run_id='r1').scrub == 'verified'
        assert b'QUOTEWORD' not in files(path)
        assert m.stats().jobs_queued == 1


def told(m: Memory, user: str = 'ana') -> str:
    """Everything the API tells of the memories of a user."""
    kept = m.get_all(user_id=user, include_inactive=True, limit=1000).items
    entries = [e for one in kept for e in m.history(one.id, user_id=user)]
    return repr((kept, entries, m.changes(user_id=user, limit=1000).items))


def test_a_value_that_only_the_erased_run_gave_goes_and_what_the_others_gave_stays(path: Path) -> None:
    with memory(path) as m:
        m.add('Lives by the sea', user_id='ana', run_id='r1', infer=False, slot='home', tags=['FIRST'])
        m.add('Lives by the sea', user_id='ana', run_id='r2', infer=False, slot='home', value='VALUEWORD')
        m.add('Lives by the sea', user_id='ana', run_id='r3', infer=False, slot='home')
        assert m.get_slot('home', user_id='ana').value == 'VALUEWORD'  # pyright: ignore[reportOptionalMemberAccess]
        assert m.delete_all(user_id='ana', run_id='r2').scrub == 'verified'
        kept = m.get_slot('home', user_id='ana')
        assert kept is not None
        assert (kept.value, kept.tags, kept.confirmations, kept.said_under.run_id) == (None, ('FIRST',), 2, 'r1')
        assert 'VALUEWORD' not in told(m)
        assert b'VALUEWORD' not in files(path)
    check_file(path)


def test_a_value_that_is_in_the_words_stays_with_them(path: Path) -> None:
    with memory(path) as m:
        for run_id in ('r1', 'r2'):
            m.add('Lives in Lisbon', user_id='ana', run_id=run_id, infer=False, slot='home.city', value='Lisbon')
        m.delete_all(user_id='ana', run_id='r1')
        kept = m.get_slot('home.city', user_id='ana')
        assert kept is not None
        assert (kept.value, kept.said_under.run_id, kept.confirmations) == ('Lisbon', None, 1)


def test_dates_and_trust_are_again_those_of_the_others(path: Path) -> None:
    days = {'r1': '2026-03-05', 'r2': '2026-03-01', 'r3': '2026-03-09'}
    with memory(path) as m:
        for run_id, day in days.items():
            confidence = 0.9 if run_id == 'r2' else 0.4
            m.add('Likes tea', user_id='ana', run_id=run_id, infer=False, occurred_at=day, confidence=confidence)
        (fact,) = m.get_all(user_id='ana').items
        assert (fact.valid_from.day, fact.said_at.day, fact.confidence) == (1, 9, 0.9)
        m.delete_all(user_id='ana', run_id='r2')
        (fact,) = m.get_all(user_id='ana').items
        assert (fact.valid_from.day, fact.said_at.day, fact.confidence) == (5, 9, 0.4)
        m.delete_all(user_id='ana', run_id='r1')
        (fact,) = m.get_all(user_id='ana').items
        assert (fact.valid_from.day, fact.said_at.day) == (9, 9)


def test_what_a_person_gave_by_hand_stays_and_nothing_brings_back_what_was_erased(path: Path) -> None:
    with memory(path) as m:
        one = {'role': 'user', 'content': 'Likes tea', 'metadata': {'source': 'METAWORD', 'lang': 'en'}}
        (fact,) = m.add([one], user_id='ana', run_id='r1', infer=False, slot='drink', value='VALUEWORD',
                        tags=['TAGWORD']).memories  # fmt: skip
        m.add('Likes tea', user_id='ana', run_id='r2', infer=False, slot='drink')
        m.update(fact.id, tags=['TAGWORD', 'mine'], metadata={'source': 'METAWORD', 'lang': 'de'}, user_id='ana')
        m.update(fact.id, value='hot', user_id='ana')
        m.revert(m.changes(user_id='ana').items[0].id, user_id='ana')
        assert m.delete_all(user_id='ana', run_id='r1').scrub == 'verified'
        (fact,) = m.get_all(user_id='ana').items
        assert (fact.tags, fact.metadata, fact.value) == (('mine',), {'lang': 'de'}, None)
        for word in ('TAGWORD', 'METAWORD', 'VALUEWORD'):
            assert word not in told(m)
            assert word.encode() not in files(path)
    check_file(path)


@pytest.mark.parametrize('more', [0, 60])
def test_tags_that_a_merge_took_from_the_erased_run_go(path: Path, more: int) -> None:
    """Also when so much was said that the merged memory no longer names the erased messages."""
    with memory(path) as m:
        (kept,) = m.add('Really enjoys hiking', user_id='ana', run_id='r1', infer=False, tags=['mine']).memories
        m.add('Really enjoys hiking', user_id='ana', run_id='r1', infer=False)
        for number in range(more):
            m.add('Really enjoys hiking', user_id='ana', run_id=f'm{number}', infer=False)
        (other,) = m.add('Loves sailing', user_id='ana', run_id='r2', infer=False, tags=['TAGWORD'],
                         occurred_at='2020-01-01').memories  # fmt: skip
        m.update(other.id, text='Likes hiking', locked=False, user_id='ana')
        assert m.clean(user_id='ana', merge_duplicates=True).counts == {'merged': 1}
        assert m.get_all(user_id='ana').items[0].tags == ('mine', 'TAGWORD')
        assert m.delete_all(user_id='ana', run_id='r2').scrub == 'verified'
        (fact,) = m.get_all(user_id='ana').items
        assert (fact.id, fact.tags, fact.valid_from.year > 2020) == (kept.id, ('mine',), True)
        assert 'TAGWORD' not in told(m)
        assert b'TAGWORD' not in files(path)
    check_file(path)


def test_a_fact_whose_confirmation_was_reverted_goes_with_its_own_run(path: Path) -> None:
    with memory(path) as m:
        for run_id in ('r1', 'r2'):
            m.add('Likes tea', user_id='ana', run_id=run_id, infer=False)
        m.revert(m.changes(user_id='ana').items[0].id, user_id='ana')
        assert m.delete_all(user_id='ana', run_id='r1').memories == 1
        assert m.get_all(user_id='ana', include_inactive=True).items == ()
    check_file(path)


@pytest.mark.parametrize('run_id', [None, 'r1'])
def test_the_kinds_that_were_reset_are_not_named_afterwards(path: Path, run_id: str | None) -> None:
    with memory(path) as m:
        m.add('Something', user_id='ana', run_id='r1', infer=False, kind='kindword')
        m.reset(user_id='ana', kinds=['kindword'])
        assert m.delete_all(user_id='ana', run_id=run_id).scrub == 'verified'
        assert b'kindword' not in files(path)


def child(code: str, path: Path) -> subprocess.Popen[str]:
    head = """
        import sys, time
        from memoranda import Memory
        from memoranda.testing import HashingEmbedder, ScriptedExtractor
        path = sys.argv[1]
        def say(*words):
            print(*words, flush=True)
    """
    return subprocess.Popen(
        [sys.executable, '-c', textwrap.dedent(head) + textwrap.dedent(code), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.usefixtures('chores_by_hand')
def test_a_reader_in_another_process_makes_it_pending_too(path: Path) -> None:
    with memory(path) as m:
        fill(m, rounds=1)
        with child(
            """
            import apsw
            connection = apsw.Connection(path)
            connection.execute('BEGIN')
            connection.execute('SELECT count(*) FROM memory').fetchone()
            say('reading')
            sys.stdin.readline()
            """,
            path,
        ) as process:
            assert line(process) == 'reading'
            assert m.delete_all(user_id='user5').scrub == 'pending'
            process.communicate('go\n', timeout=30)
        assert m.finish_erasure()
        assert left(path, 'user5') == 0


def test_another_process_forgets_an_erased_user_within_five_seconds(path: Path) -> None:
    with memory(path) as m:
        fill(m, rounds=1)
        with child(
            """
            m = Memory(path, embedder=HashingEmbedder(), extractor=ScriptedExtractor())
            cache = m.aio._engine.store._cache
            for user in ('user5', 'user6'):
                assert m.search('says', user_id=user, include=('memories', 'episodes'))
            held = cache.owners()
            say(len(held))
            sys.stdin.readline()
            deadline = time.monotonic() + 5
            while cache.owners() == held and time.monotonic() < deadline:
                time.sleep(0.01)
            say(len(cache.owners()))
            assert not m.search('says', user_id='user5', include=('memories', 'episodes'))
            assert m.search('says', user_id='user6', include=('memories', 'episodes'))
            m.close()
            """,
            path,
        ) as process:
            assert line(process) == '2'
            result = m.delete_all(user_id='user5')
            process.stdin.write('go\n')  # pyright: ignore[reportOptionalMemberAccess]
            process.stdin.flush()  # pyright: ignore[reportOptionalMemberAccess]
            assert line(process) == '1'
            assert result.scrub == 'verified'
            process.communicate(timeout=30)
        assert process.returncode == 0
