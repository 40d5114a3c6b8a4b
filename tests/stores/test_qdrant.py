"""A vector index in Qdrant: what it finds, what becomes of it when either side fails, and that it shows no more."""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('qdrant_edge')

from _fakes import fast, subprocess_environment
from _outages import SECONDS, Clock, Log
from _postgres import available, fresh_database
from _qdrant import FakeQdrant, running
from memoranda import ConfigurationError, Memory
from memoranda.errors import IndexMismatch, IndexRefused, IndexUnreachable
from memoranda.settings import Settings
from memoranda.stores.qdrant import QdrantIndex
from memoranda.testing.embedders import HashingEmbedder

ANA: dict[str, Any] = {'user_id': 'ana'}
BOB: dict[str, Any] = {'user_id': 'bob'}
SETTINGS = Settings(poll_seconds=0.02)
FRUITS = ('apple', 'pear', 'plum', 'quince', 'cherry', 'medlar', 'fig', 'grape', 'peach', 'lemon')
PLACES = ('Lisbon', 'Porto', 'Madrid', 'Turin', 'Graz', 'Bergen', 'Gent', 'Brno', 'Cork', 'Split')


@pytest.fixture
def qdrant(tmp_path: Path) -> Generator[FakeQdrant]:
    with running(tmp_path / 'qdrant') as fake:
        yield fake


@pytest.fixture
def memory(tmp_path: Path, qdrant: FakeQdrant) -> Generator[Memory]:
    with indexed(tmp_path / 'memory.db', qdrant) as memory:
        yield memory


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    logging.getLogger('memoranda').addHandler(log)
    yield log
    logging.getLogger('memoranda').removeHandler(log)


def indexed(path: Path | str, qdrant: FakeQdrant | str, options: str = '', **arguments: Any) -> Memory:
    """A memory over a file whose vectors are in Qdrant too. An outage costs one try: these tests wait for nothing."""
    url = qdrant if isinstance(qdrant, str) else qdrant.url
    return fast(path, index=f'{url}?tries=1{options}', settings=arguments.pop('settings', SETTINGS), **arguments)


def facts(count: int, seed: int = 1) -> list[str]:
    """Facts that share words, so that each question has many answers, some better than others."""
    choose = random.Random(seed)
    return [
        f'{choose.choice(FRUITS)} {choose.choice(FRUITS)} number {i} from {choose.choice(PLACES)}' for i in range(count)
    ]


def learn(memory: Memory, texts: list[str], **ids: Any) -> None:
    memory.add([{'role': 'user', 'content': text} for text in texts], **ids)


def found(memory: Memory, question: str, top_k: int = 5, **options: Any) -> list[tuple[str, float]]:
    """What a search that lacks nothing finds, and how well it fits."""
    hits = memory.search(question, top_k=top_k, **({} if 'user_id' in options else ANA), **options)
    assert hits.degraded is None
    return [(hit.text, round(hit.score, 4)) for hit in hits]


def asked(qdrant: FakeQdrant) -> int:
    """How many searches came."""
    return sum(path.endswith('/query/batch') for _, path in qdrant.asked)


# --- what it finds


QUESTIONS = ('an apple from Lisbon', 'quince', 'what comes from Bergen?', 'medlar fig 17', 'grape and lemon of Cork')


@pytest.mark.parametrize('count', [40, 500])
def test_a_search_finds_what_comparing_all_vectors_finds(tmp_path: Path, qdrant: FakeQdrant, count: int) -> None:
    path = tmp_path / 'memory.db'
    with fast(path) as plain:
        learn(plain, facts(count), **ANA)
        learn(plain, facts(30, seed=2), **BOB)
        for include in (['memories'], ['memories', 'episodes']):
            best = {question: dict(found(plain, question, include=include)) for question in QUESTIONS}
            with indexed(path, qdrant) as memory:
                memory.index_flush()
                before = asked(qdrant)
                # Of many, those that are left are told by a sample: two that are as good may change places.
                assert {question: dict(found(memory, question, include=include)) for question in QUESTIONS} == best
                assert asked(qdrant) == before + len(QUESTIONS)


def test_filters_and_runs_find_their_own_among_many(memory: Memory) -> None:
    learn(memory, facts(400), **ANA)
    memory.add('here: the plum of the meeting', **ANA, run_id='s1')
    memory.add('here: the plum of the dinner', **ANA, run_id='s2')
    memory.add('plum compote', **ANA, infer=False, kind='preference')
    memory.index_flush()
    in_run = [text for text, _ in found(memory, 'plum', top_k=30, run_id='s1', include=['memories'])]
    assert 'the plum of the meeting' in in_run
    assert 'the plum of the dinner' not in in_run
    assert [t for t, _ in found(memory, 'pear', filters={'kind': 'preference'})] == ['plum compote']


def test_a_memory_is_found_before_the_index_knows_of_it(memory: Memory, qdrant: FakeQdrant) -> None:
    learn(memory, facts(280), **ANA)
    memory.index_flush()
    sent = threading.Event()
    qdrant.before = lambda method, path: None if method != 'PUT' else (sent.wait(SECONDS), None)[1]
    memory.add('Zebulon grows oolong', **ANA)
    assert found(memory, 'zebulons oolongs')[0][0] == 'Zebulon grows oolong'
    memory.update(memory.search('oolong', **ANA)[0].id, text='Zebulon drinks mate', **ANA)
    assert 'Zebulon grows oolong' not in dict(found(memory, 'oolong', top_k=50, include=['memories']))
    sent.set()
    assert memory.index_verify().ok


def test_points_hold_numbers_and_nobody_s_words(memory: Memory, qdrant: FakeQdrant) -> None:
    memory.add('here: Zebulon grows oolong', **ANA, run_id='tea party')
    memory.index_flush()
    told = repr(qdrant.points()) + repr([body for body in qdrant.bodies if 'points' in body])
    assert qdrant.points()
    assert not [word for word in ('ana', 'tea', 'party', 'zebulon', 'oolong') if word in told.lower()]


def test_what_the_database_does_not_know_is_never_shown(memory: Memory, qdrant: FakeQdrant) -> None:
    learn(memory, facts(5), **ANA)
    memory.add('Bob hides rubies', **BOB)
    memory.index_flush()
    anas = next(p['owner'] for id_, p in qdrant.points().items() if id_ >> 24 == 1)
    vector = HashingEmbedder().embed_now(['Bob hides rubies'])[0].tolist()
    for id_ in [i for i in qdrant.points() if i >> 24 != int(anas)]:  # Bob's rows, under Ana's name
        qdrant.put(id_, 'memories', vector, {'owner': anas, 'lane': 'memories', 'run': ''})
    qdrant.put((int(anas) << 24) + 999_999, 'memories', vector, {'owner': anas, 'lane': 'memories', 'run': ''})
    assert 'Bob hides rubies' not in dict(found(memory, 'Bob hides rubies', top_k=50))
    report = memory.index_verify()
    assert (report.unknown, report.missing, report.stale) == (1, 0, 2)


# --- keeping both sides alike


def test_verification_tells_what_is_missing_unknown_and_stale_and_mends_it(memory: Memory, qdrant: FakeQdrant) -> None:
    learn(memory, facts(20), **ANA)
    memory.index_flush()
    rows = sorted(qdrant.points())
    payload = qdrant.points()[rows[0]]
    qdrant.remove(*rows[3:6])
    vector = [1.0] + [0.0] * 63
    qdrant.put(rows[0], payload['lane'], vector, payload)
    qdrant.put(rows[-1] + 77, 'memories', vector, payload)
    qdrant.put('5b0d2f1c-8a57-4f9c-9b1e-0d6a3c1f2e4a', 'memories', vector, {'colour': 'red'})
    report = memory.index_verify(vectors=True)
    assert (report.missing, report.unknown, report.stale, report.strange) == (3, 1, 1, 1)
    assert (report.points, report.expected, report.ok) == (len(rows) - 3 + 2, len(rows), False)
    assert set(report.rows) == {*rows[3:6], rows[0], rows[-1] + 77}
    assert memory.index_verify(vectors=True, repair=True).repaired == 5
    report = memory.index_verify(vectors=True)
    assert (report.missing, report.unknown, report.stale, report.strange) == (0, 0, 0, 1)


def test_an_owner_who_is_erased_leaves_no_point(memory: Memory, qdrant: FakeQdrant) -> None:
    learn(memory, facts(30), **ANA)
    memory.add('Bob stays', **BOB)
    memory.index_flush()
    memory.forget(**ANA)
    memory.index_flush()
    assert {id_ >> 24 for id_ in qdrant.points()} == {2}
    assert memory.index_verify().ok


def test_what_retention_or_a_change_takes_goes_from_the_index_too(memory: Memory, qdrant: FakeQdrant) -> None:
    memory.add('home.city = Lisbon', **ANA)
    memory.index_flush()
    before = set(qdrant.points())
    memory.add('home.city = Porto', **ANA)
    memory.index_flush()
    memories = [id_ for id_, p in qdrant.points().items() if p['lane'] == 'memories']
    assert len(memories) == 1
    assert memories[0] not in before
    memory.delete(memory.get_all(**ANA).items[0].id, **ANA)
    memory.index_flush()
    assert not [p for p in qdrant.points().values() if p['lane'] == 'memories']
    assert memory.index_verify().ok


def test_a_writer_that_knows_of_no_index_feeds_it_nevertheless(tmp_path: Path, qdrant: FakeQdrant) -> None:
    path = tmp_path / 'memory.db'
    with indexed(path, qdrant) as memory:
        memory.add('Ana likes tea', **ANA)
        memory.index_flush()
        with fast(path) as other:
            other.add('Ana likes mate', **ANA)
            other.delete_all(**BOB)
        memory.index_flush()
        assert memory.index_verify().ok
        assert len(qdrant.points()) == 4


KILLED = """
import os, sys
from _fakes import fast
from memoranda.settings import Settings
memory = fast(sys.argv[1], index=sys.argv[2] + '?tries=1', settings=Settings(workers=0))
memory.__enter__()
memory.add('Zebulon grows oolong', user_id='ana')
memory.delete_all(user_id='bob')
os._exit(9)
"""


def test_a_process_killed_between_commit_and_index_leaves_nothing_undone(tmp_path: Path, qdrant: FakeQdrant) -> None:
    path = tmp_path / 'memory.db'
    with indexed(path, qdrant) as memory:
        memory.add('Bob likes tea', **BOB)
        memory.index_flush()
    bobs = set(qdrant.points())
    url = qdrant.url
    qdrant.stop()
    command = [sys.executable, '-c', KILLED, str(path), url]
    assert subprocess.run(command, env=subprocess_environment(), timeout=SECONDS, check=False).returncode == 9
    qdrant.start()
    assert set(qdrant.points()) == bobs
    with indexed(path, qdrant) as memory:
        memory.index_flush()
        assert memory.index_verify().ok
    assert qdrant.points()
    assert not bobs & set(qdrant.points())


def test_new_vectors_get_a_collection_of_their_own_and_the_old_one_goes(tmp_path: Path, qdrant: FakeQdrant) -> None:
    path = tmp_path / 'memory.db'
    with indexed(path, qdrant) as memory:
        learn(memory, facts(30), **ANA)
        memory.index_flush()
        (first,) = qdrant.collections
        memory.reindex(embedder=HashingEmbedder(32))
        memory.index_flush()
        assert memory.index_verify().missing == 0
        assert found(memory, 'quince')
        deadline = threading.Event()
        for _ in range(500):
            if first not in qdrant.collections:
                break
            deadline.wait(0.02)
        (second,) = qdrant.collections
        assert qdrant.one.spec['vectors']['memories']['size'] == 32
    assert first != second


def test_a_collection_that_is_lost_is_made_anew(memory: Memory, qdrant: FakeQdrant, clock: Clock) -> None:
    learn(memory, facts(20), **ANA)
    memory.index_flush()
    qdrant.drop_all()
    assert memory.search('quince', **ANA).degraded == 'index: IndexLost'
    clock.skip()
    wait_until(lambda: not memory.search('quince', **ANA).degraded and memory.index_verify().ok, clock)
    memory.index_flush()
    assert len(qdrant.points()) == 40


def wait_until(is_so: Any, clock: Clock) -> None:
    """What fails rests for a while: let that time pass until something is so."""
    pause = threading.Event()
    for _ in range(int(SECONDS / 0.02)):
        clock.skip()
        if is_so():
            return
        pause.wait(0.02)
    raise AssertionError('it never was')


# --- when it is down


def test_while_it_is_down_agents_find_everything_and_are_told_once(
    memory: Memory, qdrant: FakeQdrant, clock: Clock, log: Log
) -> None:
    learn(memory, facts(100), **ANA)
    memory.index_flush()
    best = [text for text, _ in found(memory, 'quince from Graz')]
    qdrant.stop()
    hits = memory.search('quince from Graz', **ANA)
    assert hits.degraded == 'index: IndexUnreachable'
    assert [hit.text for hit in hits] == best
    memory.add('Zebulon grows oolong', **ANA)
    assert memory.search('oolong', **ANA)[0].text == 'Zebulon grows oolong'
    assert memory.context('oolong', **ANA).text
    assert len(log.lines('vector index')) == 1
    qdrant.start()
    wait_until(lambda: not memory.search('oolong', **ANA).degraded, clock)
    memory.index_flush()
    assert memory.index_verify(vectors=True).ok
    assert [line for line in log.lines('vector index') if 'works again' in line]


def test_turns_go_on_under_load_while_it_comes_and_goes(memory: Memory, qdrant: FakeQdrant, clock: Clock) -> None:
    learn(memory, facts(100), **ANA)
    memory.index_flush()
    failed: list[BaseException] = []
    turns: list[int] = []
    over = threading.Event()

    def agent(number: int) -> None:
        try:
            while not over.is_set():
                mine: dict[str, Any] = {'user_id': f'user {number}'}
                memory.search('quince', **ANA)
                memory.add(f'{number} saw plum {len(turns)}', **mine)
                assert memory.search(f'plum {len(turns)}', **mine)
                turns.append(number)
        except BaseException as error:
            failed.append(error)

    agents = [threading.Thread(target=agent, args=(i,)) for i in range(4)]
    for one in agents:
        one.start()
    pause = threading.Event()
    for _ in range(int(os.environ.get('MEMORANDA_OUTAGES', '2'))):
        for step in (qdrant.stop, qdrant.start):
            target = len(turns) + 12
            while len(turns) < target and not failed:
                pause.wait(0.01)
            step()
    over.set()
    for one in agents:
        one.join(SECONDS)
    assert not failed
    wait_until(lambda: not memory.search('quince', **ANA).degraded, clock)
    memory.index_flush()
    report = memory.index_verify(vectors=True)
    assert report.ok, report
    assert report.points >= len(turns)


def test_a_server_that_hangs_costs_a_search_its_patience_once(tmp_path: Path, qdrant: FakeQdrant) -> None:
    settings = Settings(poll_seconds=0.02, degrade_seconds=1.0)
    with indexed(tmp_path / 'memory.db', qdrant, '&timeout=1', settings=settings) as memory:
        learn(memory, facts(5), **ANA)
        memory.index_flush()
        qdrant.hangs.set()
        hits = memory.search('quince', **ANA)
        assert hits.degraded in ('index: TimeoutError', 'index: IndexUnreachable')
        assert len(hits) == 5
        before = asked(qdrant)
        assert memory.search('quince', **ANA).degraded
        assert asked(qdrant) == before
        qdrant.hangs.clear()


def test_keywords_take_its_place_where_owners_are_too_large_to_compare(tmp_path: Path, qdrant: FakeQdrant) -> None:
    settings = Settings(poll_seconds=0.02, index_fallback='keywords')
    with indexed(tmp_path / 'memory.db', qdrant, settings=settings) as memory:
        memory.add('Zebulon grows oolong', **ANA)
        memory.add('Ana rows', **ANA)
        memory.index_flush()
        assert len(found(memory, 'oolong', include=['memories'])) == 2
        qdrant.stop()
        hits = memory.search('oolong', **ANA, include=['memories'], strategy='semantic')
        assert [hit.text for hit in hits] == ['Zebulon grows oolong']
        assert hits.degraded


def test_where_errors_are_wanted_an_outage_is_one_only_if_something_is_missing(
    tmp_path: Path, qdrant: FakeQdrant
) -> None:
    for fallback in ('exact', 'keywords'):
        settings = Settings(poll_seconds=0.02, index_fallback=fallback, errors='raise')
        with indexed(tmp_path / f'{fallback}.db', qdrant, settings=settings) as memory:
            memory.add('Zebulon grows oolong', **ANA)
            memory.index_flush()
            qdrant.stop()
            if fallback == 'exact':
                assert memory.search('oolong', **ANA)
            else:
                with pytest.raises(IndexUnreachable, match='is it running'):
                    memory.search('oolong', **ANA)
            with pytest.raises(IndexUnreachable):
                memory.index_verify()
            qdrant.start()


# --- servers, collections and settings that don't fit


def test_a_collection_of_other_dimensions_is_refused(tmp_path: Path, qdrant: FakeQdrant) -> None:
    path = tmp_path / 'memory.db'
    with indexed(path, qdrant) as memory:
        memory.add('Ana likes tea', **ANA)
        memory.index_flush()
        (name,) = qdrant.collections
    spec = qdrant.one.spec
    qdrant.drop_all()
    wrong = {lane: {'size': 3, 'distance': 'Cosine'} for lane in spec['vectors']}
    qdrant.answer('PUT', f'/collections/{name}', {**spec, 'vectors': wrong})
    with indexed(path, qdrant) as memory:
        with pytest.raises(IndexMismatch, match=r'has 3 dimensions and Cosine distance.*here have 64'):
            memory.index_flush()
        assert memory.search('tea', **ANA)
        memory.index_rebuild()
        assert memory.index_verify().ok


def test_a_wrong_key_and_an_old_server_are_told(tmp_path: Path) -> None:
    with running(tmp_path / 'locked', api_key='sesame') as locked:
        with indexed(tmp_path / 'one.db', locked) as memory:
            memory.add('Ana likes tea', **ANA)
            with pytest.raises(IndexRefused, match='refused the key'):
                memory.index_flush()
            assert memory.search('tea', **ANA)
        index = QdrantIndex(locked.url, api_key='sesame')
        with fast(tmp_path / 'one.db', index=index, settings=SETTINGS) as memory:
            memory.index_flush()
            assert memory.index_verify().ok
    with running(tmp_path / 'old', version='1.10.1') as old, indexed(tmp_path / 'two.db', old) as memory:
        memory.add('Ana likes tea', **ANA)
        with pytest.raises(IndexRefused, match=r'1\.10\.1 .* is too old: it takes 1\.11'):
            memory.index_flush()


@pytest.mark.parametrize(('version', 'with_words'), [('1.19.0', True), ('1.18.2', False)])
def test_words_are_weighed_within_a_tenant_where_the_server_can(tmp_path: Path, version: str, with_words: bool) -> None:
    with (
        running(tmp_path / 'qdrant', version=version) as qdrant,
        indexed(tmp_path / 'memory.db', qdrant, '&words') as memory,
    ):
        learn(memory, facts(280), **ANA)
        memory.add('Zebulon grows oolong', **ANA)
        memory.index_flush()
        assert found(memory, 'oolong of Zebulon')[0][0] == 'Zebulon grows oolong'
        assert bool(qdrant.one.spec.get('sparse_vectors')) is with_words
        searches = repr([body for body in qdrant.bodies if 'searches' in body])
        assert ("'idf': {'corpus'" in searches) is with_words
        assert memory.index_verify(vectors=True).ok


def test_sharding_replication_and_quantisation_are_passed_on(tmp_path: Path, qdrant: FakeQdrant) -> None:
    options = (
        '&quantization=int8&shard_number=2&replication_factor=3&write_consistency_factor=2&custom_shards=4&on_disk'
    )
    with indexed(tmp_path / 'memory.db', qdrant, options) as memory:
        for number in range(5):
            learn(memory, facts(40, seed=number), user_id=f'user {number}')
        memory.index_flush()
        spec = qdrant.one.spec
        assert (spec['shard_number'], spec['replication_factor'], spec['write_consistency_factor']) == (2, 3, 2)
        assert spec['sharding_method'] == 'custom'
        assert spec['vectors']['memories']['on_disk'] is True
        assert spec['hnsw_config'] == {'m': 0, 'payload_m': 16}
        assert qdrant.one.indexes['owner']['field_schema'] == {'type': 'keyword', 'is_tenant': True}
        assert qdrant.one.shard_keys == {f'owners-{i}' for i in range(4)}
        keys: set[str] = {body['shard_key'] for body in qdrant.bodies if 'points' in body and 'shard_key' in body}
        assert keys == qdrant.one.shard_keys
        assert found(memory, 'quince', user_id='user 3')
        assert memory.index_verify(vectors=True).ok


@pytest.mark.parametrize(
    ('index', 'told'),
    [
        ('qdrant://host:6333?colour=red', "option 'colour'.*known are"),
        ('qdrant://host:6333?timeout=soon', "timeout='soon'.*a whole number"),
        ('qdrant://key@host:6333', 'holds a key.*QDRANT_API_KEY'),
        ('redis://host', 'is no address of a vector index'),
        ('qdrant://host:6333?quantization=int4', "quantization='int4' is unknown"),
        ('qdrant://host:99999', 'can not be read'),
        ('qdrant://host:6333?prefix=a/b', 'prefix='),
    ],
)
def test_an_address_that_can_not_be_used_is_refused_at_once(index: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as error:
        fast(index=index)
    assert 'key@' not in str(error.value)


def test_the_environment_names_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('QDRANT_HOST', 'vectors.example')
    assert QdrantIndex.from_url('qdrant').location == 'http://vectors.example:6333'
    monkeypatch.setenv('QDRANT_PORT', '7333')
    assert QdrantIndex().location == 'http://vectors.example:7333'
    assert QdrantIndex.from_url('qdrants://').location == 'https://vectors.example:7333'
    monkeypatch.setenv('QDRANT_URL', 'https://cloud.example:6333/cluster')
    assert QdrantIndex.from_url('qdrant').location == 'https://cloud.example:6333/cluster'
    assert QdrantIndex.from_url('qdrants://other.example').location == 'https://other.example:6333'
    assert QdrantIndex('http://explicit:1').location == 'http://explicit:1'
    monkeypatch.setenv('MEMORANDA_INDEX', 'qdrant')
    with fast() as memory:
        assert memory.engine.index is not None
    monkeypatch.delenv('MEMORANDA_INDEX')
    with pytest.raises(ConfigurationError, match='no vector index is configured'):
        fast().index_status()


def test_a_point_that_is_refused_holds_up_no_other(memory: Memory, qdrant: FakeQdrant, log: Log) -> None:
    learn(memory, facts(20), **ANA)
    memory.index_flush()
    bad = sorted(qdrant.points())[7]
    qdrant.refuses.add(bad)
    memory.index_rebuild()
    assert len(qdrant.points()) == 39
    assert memory.index_verify().rows == (bad,)
    assert log.lines(f'row {bad} can not be sent')


@pytest.mark.skipif(not available(), reason='no PostgreSQL for this platform')
def test_it_works_over_postgresql_as_over_a_file(qdrant: FakeQdrant) -> None:
    with fresh_database(tables=True) as url, indexed(url, qdrant) as memory:
        learn(memory, facts(100), **ANA)
        memory.add('home.city = Lisbon', **BOB)
        best = {question: found(memory, question) for question in QUESTIONS}
        memory.index_flush()
        before = asked(qdrant)
        assert {question: found(memory, question) for question in QUESTIONS} == best
        assert asked(qdrant) == before + len(QUESTIONS)
        memory.add('home.city = Porto', **BOB)
        assert found(memory, 'Porto', include=['memories'], **BOB)[0][0] == 'home.city is Porto'
        memory.reindex(embedder=HashingEmbedder(32))
        memory.forget(**ANA)
        memory.index_flush()
        assert memory.index_verify(vectors=True).ok
        assert len(qdrant.points()) == 3
        memory.index_drop()
        assert not qdrant.collections
        memory.add('Bob stays', **BOB)
        assert found(memory, 'stays', **BOB)
