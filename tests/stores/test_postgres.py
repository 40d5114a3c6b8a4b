from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from _fakes import fast, fast_async, texts
from _postgres import PASSWORD, ROLE, Server, admin, available, fresh_database, name_of, own_server, replica_of, server
from memoranda import ConfigurationError
from memoranda._bridge import run
from memoranda.errors import StoreBusy, StoreError, StoreUnreachable, StoreUnreadable, StoreUnwritable
from memoranda.records import Edit, MemoryRecord
from memoranda.scope import Scope
from memoranda.stores.data import Clash
from memoranda.stores.sql import reembedding
from memoranda.stores.sql.cache import Cache
from memoranda.testing import HashingEmbedder
from memoranda.testing._bench import Bench

psycopg = pytest.importorskip('psycopg')
pytestmark = pytest.mark.skipif(not available(), reason='no PostgreSQL for this platform')

from memoranda.stores.postgres import PostgresStore  # noqa: E402  # after the check that there is a driver

ANA = Scope(user_id='ana')


@pytest.fixture
def url() -> Iterator[str]:
    with fresh_database(tables=True) as url:
        yield url


@contextlib.contextmanager
def opened(url: str, **options: Any) -> Generator[Bench]:
    """A store, opened, and closed afterwards."""
    store = PostgresStore(url, **options)
    try:
        yield Bench(store, run)
    finally:
        run(store.close())


def refused(url: str, kind: type[StoreError | ConfigurationError], **options: Any) -> str:
    """What is said when a database can't be opened. Never a password."""
    with pytest.raises(kind) as caught, opened(url, **options):
        pass
    said = str(caught.value)
    assert PASSWORD not in said
    assert 'tr0ub' not in said
    return said


def sql(url: str, statement: str, *values: Any) -> list[Any]:
    """What the superuser is told inside a database."""
    return admin(statement, values, database=name_of(url))


def drop_connections(url: str) -> int:
    """End every session in a database, as a server does that goes down."""
    ended = 'SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s'
    return admin(ended, (name_of(url),))[0][0]


# --- what can't be opened


def test_a_wrong_password_is_told_without_showing_it(url: str) -> None:
    said = refused(server().url(name_of(url), password='wr0ng'), StoreUnreachable)
    assert 'refused the user or the password' in said
    assert f'postgresql://{ROLE}@127.0.0.1' in said
    assert 'wr0ng' not in said


def test_a_database_that_is_not_there_is_named(url: str) -> None:
    assert 'nowhere" does not exist' in refused(server().url('nowhere'), StoreUnreachable)


def test_an_absent_server_is_named_with_its_host_and_port() -> None:
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        port = taken.getsockname()[1]
    said = refused(f'postgresql://ana:s3cr3t@127.0.0.1:{port}/app', StoreUnreachable)
    assert f'postgresql://ana@127.0.0.1:{port}/app does not answer' in said
    assert 's3cr3t' not in said


@pytest.mark.parametrize('option', ['sslmode=perhaps', 'connect_timeout=soon', 'target_session_attrs=any-one'])
def test_an_option_that_means_nothing_is_not_taken_for_a_server_that_is_away(url: str, option: str) -> None:
    said = refused(f'{url}?{option}', StoreUnreachable)
    assert 'has an option in its URL that means nothing' in said
    assert option.partition('=')[0] in said
    assert 'does not answer' not in said


def test_tls_that_the_server_lacks_is_told(url: str) -> None:
    said = refused(f'{url}?sslmode=require', StoreUnreachable)
    assert 'sslmode' in said


def test_without_the_extension_it_says_what_to_run_once() -> None:
    with fresh_database(extension=False) as url:
        assert 'CREATE EXTENSION vector' in refused(url, ConfigurationError)
        sql(url, 'CREATE EXTENSION vector')
        with opened(url) as bench:
            bench.learn('tea')


def test_the_extension_may_be_in_a_schema_of_its_own() -> None:
    with fresh_database(extension=False) as url:
        sql(url, 'CREATE SCHEMA extensions')
        sql(url, 'CREATE EXTENSION vector SCHEMA extensions')
        sql(url, f'GRANT USAGE ON SCHEMA extensions TO {ROLE}')
        with opened(url) as bench:
            bench.learn('green tea')
            assert bench.found('tea', generation=bench.generation()) == ['green tea']


def test_a_user_who_may_not_make_a_schema_is_told_what_to_ask_for() -> None:
    with fresh_database() as url:
        name = name_of(url)
        admin(f'ALTER DATABASE {name} OWNER TO postgres')
        said = refused(url, StoreUnwritable)
        assert 'CREATE SCHEMA memoranda AUTHORIZATION' in said
        sql(url, f'CREATE SCHEMA memoranda AUTHORIZATION {ROLE}')
        with opened(url) as bench:
            bench.learn('tea')


def test_a_schema_with_tables_of_another_program_is_left_as_it_is() -> None:
    with fresh_database() as url:
        sql(url, 'CREATE SCHEMA memoranda')
        sql(url, 'CREATE TABLE memoranda.theirs(x int)')
        sql(url, f'GRANT ALL ON SCHEMA memoranda TO {ROLE}')
        assert 'tables of another program' in refused(url, StoreUnreadable)
        with opened(url, schema='ours') as bench:
            bench.learn('tea')


def test_a_newer_schema_is_refused_and_left_as_it_is(url: str) -> None:
    sql(url, "UPDATE memoranda.meta SET value = '99' WHERE key = 'schema_version'")
    assert 'schema version 99' in refused(url, StoreUnreadable)
    assert sql(url, "SELECT value FROM memoranda.meta WHERE key = 'schema_version'") == [('99',)]


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        ({'schema': 'A b'}, 'no name'),
        ({'schema': 'pg_x'}, 'no name'),
        ({'schema': ''}, 'no name'),
        ({'pool': 3}, 'small'),
    ],
)
def test_options_that_can_not_be_used_are_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        PostgresStore('postgresql://localhost/app', **options)


@pytest.mark.parametrize('bad', ['postgresql://u:s3cr3t@h:port/db', 'postgresql://u:s3cr3t@h/db?no_such_option=1'])
def test_a_url_that_says_nothing_is_refused_without_its_password(bad: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        PostgresStore(bad)
    assert 's3cr3t' not in str(caught.value)


# --- opening


def test_several_may_open_an_empty_database_at_once() -> None:
    with fresh_database() as url, ThreadPoolExecutor(6) as threads:

        def begin(number: int) -> None:
            with opened(url) as bench:
                bench.learn('tea', scope=Scope(user_id=f'user {number}'))

        list(threads.map(begin, range(6)))
        with opened(url) as bench:
            assert bench.do(bench.store.stats()).memories == 6


def test_two_schemas_in_one_database_know_nothing_of_each_other(url: str) -> None:
    with opened(url) as one, opened(url, schema='other') as two:
        one.learn('tea')
        assert two.texts() == []
        two.learn('coffee')
        assert (one.texts(), two.texts()) == (['tea'], ['coffee'])


def test_text_compares_by_code_points_whatever_the_locale_is(url: str) -> None:
    found = sql(
        url,
        'SELECT c.relname, a.attname, l.collname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid '
        'LEFT JOIN pg_collation l ON l.oid = a.attcollation '
        "WHERE c.relnamespace = 'memoranda'::regnamespace AND c.relkind = 'r' AND a.atttypid = 'text'::regtype",
    )
    assert len(found) > 50
    assert {collation for _, _, collation in found} == {'C'}


def test_everything_survives_closing(url: str) -> None:
    with opened(url) as bench:
        bench.learn('tea')
        bench.do(bench.store.close())
        assert bench.texts() == ['tea']
    with opened(url) as bench:
        assert bench.texts() == ['tea']


def test_the_location_is_the_url_without_password_and_options(url: str) -> None:
    store = PostgresStore(f'{url}?connect_timeout=5')
    assert store.location == url.replace(':' + url.split(':')[2].partition('@')[0], '')
    assert PostgresStore('postgresql:///app?host=/run/pg&user=a@b').location == 'postgresql://a%40b@%2Frun%2Fpg/app'


def test_connections_are_as_many_as_allowed_and_named(url: str) -> None:
    named = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name = 'memoranda'"
    with opened(url, pool=4) as bench:
        users = [Scope(user_id=f'u{n}') for n in range(20)]
        with ThreadPoolExecutor(20) as threads:
            for begun in [threads.submit(bench.learn, 'tea', scope=scope) for scope in users]:
                begun.result()
        assert 2 <= admin(named, (name_of(url),))[0][0] <= 4
    for _ in range(2000):  # the server ends its processes in its own time
        if admin(named, (name_of(url),))[0][0] == 0:
            return
        admin('SELECT pg_sleep(0.01)')
    raise AssertionError('connections are left')


# --- what goes wrong meanwhile


def test_dropped_connections_are_opened_again_unnoticed(url: str) -> None:
    with opened(url) as bench:
        bench.learn('green tea')
        for text in ('one', 'two'):
            assert drop_connections(url) > 0
            bench.learn(text)
            assert drop_connections(url) > 0
            assert bench.texts()[-1] == text
        drop_connections(url)
        bench.do(bench.store.erase(ANA.erasure('default')))
        assert bench.texts() == []


KILL_ONCE = """
CREATE SEQUENCE memoranda.kills;
GRANT ALL ON SEQUENCE memoranda.kills TO {role};
CREATE FUNCTION memoranda.kill_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('memoranda.kills') <= {times} THEN  -- no rollback takes a number back
        PERFORM pg_terminate_backend(pg_backend_pid());
        PERFORM pg_sleep(10);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER kill_once AFTER INSERT ON memoranda.episode DEFERRABLE INITIALLY {when}
FOR EACH ROW EXECUTE FUNCTION memoranda.kill_once();
"""


@pytest.mark.parametrize('when', ['IMMEDIATE', 'DEFERRED'])
def test_a_connection_that_drops_in_the_middle_or_at_the_end_of_a_write_costs_nothing(url: str, when: str) -> None:
    sql(url, KILL_ONCE.format(role=ROLE, times=1, when=when))
    with opened(url) as bench:
        appended = bench.say('I like tea')
        assert len(appended.episode_ids) == 1
        assert bench.messages() == ['I like tea']


def test_a_connection_that_always_drops_is_told(url: str) -> None:
    sql(url, KILL_ONCE.format(role=ROLE, times=100, when='IMMEDIATE'))
    with opened(url) as bench:
        with pytest.raises(StoreUnreachable, match='ended the connection'):
            bench.say('I like tea')
        assert bench.messages() == []


class Proxy:
    """Stands between a store and its server, and cuts connections when told to."""

    def __init__(self, to: Server) -> None:
        self._to = to
        self._listening = socket.create_server(('127.0.0.1', 0))
        self.port = self._listening.getsockname()[1]
        self.seen = bytearray()
        """What clients sent."""
        self.cut_after: bytes | None = None
        """Cut the connection once the server has answered what holds this."""
        self.refuse_after_cut = False
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                if self.cuts and self.refuse_after_cut:
                    client.close()
                    continue
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(('127.0.0.1', self._to.port)) as behind:
            answers = threading.Thread(target=self._answer, args=(client, behind), daemon=True)
            answers.start()
            with contextlib.suppress(OSError):
                while data := client.recv(65536):
                    self.seen += data
                    if self.cut_after is not None and self.cut_after in data:
                        self.cut_after = None
                        self.cuts += 1
                        client.shutdown(socket.SHUT_RDWR)  # before the answer can come
                    behind.sendall(data)
            with contextlib.suppress(OSError):
                behind.shutdown(socket.SHUT_WR)  # what was sent is still done
            answers.join()

    def _answer(self, client: socket.socket, behind: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := behind.recv(65536):
                with contextlib.suppress(OSError):
                    client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)  # the server is gone


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    proxy = Proxy(server())
    yield proxy
    proxy.close()


def through(proxy: Proxy, url: str) -> str:
    return re.sub(r':\d+/', f':{proxy.port}/', url)


def test_a_commit_whose_answer_is_lost_is_found_out_and_not_repeated(url: str, proxy: Proxy) -> None:
    with opened(through(proxy, url)) as bench:
        proxy.cut_after = b'COMMIT\0'
        appended = bench.say('I like tea', history=False)
        assert proxy.cuts == 1
        assert bench.messages() == ['I like tea']
        assert [e.id for e in bench.work(appended).episodes] == list(appended.episode_ids)


def test_when_nobody_can_tell_whether_a_commit_happened_it_is_said_so(url: str, proxy: Proxy) -> None:
    with opened(through(proxy, url)) as bench:
        proxy.cut_after, proxy.refuse_after_cut = b'COMMIT\0', True
        with pytest.raises(StoreUnreachable, match=r'whether it did is not known.*idempotency_key'):
            bench.say('I like tea', key='k')
        proxy.refuse_after_cut = False
        assert bench.say('I like tea', key='k').replayed
        assert bench.messages() == ['I like tea']


JOURNEY = b'S\0\0\0\4'
"""What a client asks all answers for so far by."""


def journeys(proxy: Proxy, do: Callable[[], object]) -> int:
    """How many journeys to the server something takes. The fewest of some: there are chores besides."""
    counts: list[int] = []
    for _ in range(5):
        before = proxy.seen.count(JOURNEY)
        do()
        counts.append(proxy.seen.count(JOURNEY) - before)
    return min(counts)


def test_few_journeys_are_made_to_the_server(url: str, proxy: Proxy) -> None:
    with opened(through(proxy, url)) as bench:
        numbers = itertools.count()
        bench.learn('green tea')
        generation = bench.generation()
        find = partial(bench.found, 'tea', generation=generation)
        for _ in range(6):
            assert find() == ['green tea']
        assert journeys(proxy, find) == 1  # by what is in memory

        def add() -> None:
            bench.learn(f'black coffee {next(numbers)}')

        # Message and job, the job's work, the generation, the change: all that is stored of a fact.
        assert journeys(proxy, add) <= 9

        def add_and_find() -> None:
            add()
            assert 'green tea' in find()

        assert journeys(proxy, add_and_find) <= 9 + 2


def test_the_first_search_of_an_owner_makes_three_journeys_and_the_second_two(url: str, proxy: Proxy) -> None:
    scopes = [Scope(user_id=f'u{number}') for number in range(6)]
    with opened(url) as writing:
        for scope in scopes:
            writing.learn('green tea', scope=scope)
        generation = writing.generation()
    with opened(through(proxy, url)) as bench:
        left = iter(scopes[1:] * 2)  # the one before opens connections
        assert bench.found('tea', scope=scopes[0], generation=generation) == ['green tea']

        def find() -> None:
            assert bench.found('tea', scope=next(left), generation=generation) == ['green tea']

        assert [journeys(proxy, find) for _ in range(2)] == [3, 2]


def test_an_owner_is_the_same_at_its_first_search_and_at_later_ones(url: str) -> None:
    lanes = ('memories', 'episodes')
    with opened(url) as writing:
        generation = writing.generation()
        for number in range(30):
            scope = Scope(user_id='ana', run_id=f'r{number % 3}' if number % 2 else None)
            writing.learn(f'tea {number}', scope=scope, level='run' if scope.run_id else None)
        writing.say('tea without a vector', history=False, lease=0.0)
        reach = Scope(user_id='ana', run_id='r1')
        told: list[Any] = []
        with opened(url) as reading, opened(url, cache_mb=0) as uncached:
            for bench in (*[reading] * 5, *[uncached] * 2):
                hits = bench.search('tea 3 7', scope=reach, lanes=lanes, generation=generation)
                told.append([sorted(hit.id for hit in hits)])
                for lane in bench.lanes:
                    assert lane.dense is not None
                    dense = [None if x != x else round(x, 5) for x in lane.dense.tolist()]
                    columns = (lane.key.tolist(), lane.length.tolist(), lane.at.tolist(), lane.allowed.tolist(), dense)
                    told[-1].append(list(zip(*columns, strict=True)))
        assert len(told[0][1]) == 30
        assert sum(row[3] for row in told[0][1]) == 20  # those of two other conversations are not to be seen
        assert [row[-1] for row in told[0][2]].count(None) == 1
        assert all(one == told[0] for one in told)


@pytest.mark.parametrize('reindexes_itself', [True, False])
def test_who_was_searched_before_a_reindex_is_found_after_the_old_vectors_are_gone(
    url: str, monkeypatch: pytest.MonkeyPatch, reindexes_itself: bool
) -> None:
    monkeypatch.setattr(reembedding, '_STILL_READ_US', 0)
    new = HashingEmbedder(32)
    with fast(url) as memory, fast(url) as other:
        for user in ('ana', 'ben'):
            memory.add('Likes green tea', user_id=user, infer=False)
            for _ in range(3):
                assert texts(memory.search('tea', user_id=user)) == ['Likes green tea']
        reindexing = memory if reindexes_itself else other
        reindexing.reindex(embedder=new)
        while not run(reindexing.aio.engine.store.drop_old_vectors(limit=1000)):
            pass
        for user in ('ana', 'ben'):
            assert texts(memory.search('tea', user_id=user)) == ['Likes green tea']
            memory.add('Likes black tea', user_id=user, infer=False)
            assert len(memory.search('tea', user_id=user)) == 2


def test_a_search_that_others_overtake_finds_what_was_there_when_it_began(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(url) as bench, opened(url) as writing:
        writing.learn('green tea')
        generation = writing.generation()
        columns, inside = Cache.columns, threading.local()

        def overtaken(cache: Cache, *args: Any, **more: Any) -> Any:
            if not getattr(inside, 'looks', False) and not met:
                met.append('overtaken')

                def overtake() -> None:
                    inside.looks = True
                    writing.learn('black tea')
                    assert bench.found('tea', generation=generation) == ['black tea', 'green tea']

                thread = threading.Thread(target=overtake)
                thread.start()
                thread.join()
            return columns(cache, *args, **more)

        met: list[str] = []
        monkeypatch.setattr(Cache, 'columns', overtaken)
        assert bench.found('tea', generation=generation) == ['green tea']
        assert met == ['overtaken']
        assert bench.found('tea', generation=generation) == ['black tea', 'green tea']


def ranked_by(bench: Bench) -> list[Any]:
    """What a search of memories is given to rank, and what it finds."""
    hits = bench.search('tea green lisbon', generation=bench.generation())
    (lane,) = bench.lanes
    assert lane.dense is not None
    keys, dense = lane.key.tolist(), [None if x != x else round(x, 5) for x in lane.dense.tolist()]
    rows = zip(keys, lane.length.tolist(), lane.at.tolist(), dense, lane.allowed.tolist(), strict=True)
    said = {
        term: sorted((keys[i], n) for i, n in zip(*(p.tolist() for p in posting), strict=True) if lane.allowed[i])
        for term, posting in lane.postings.items()
    }
    return [sorted(row for row in rows if row[-1]), said, sorted((hit.text, hit.id) for hit in hits)]


def test_what_is_found_by_what_is_in_memory_is_what_the_database_holds(url: str) -> None:
    chance = random.Random(1)
    words = 'tea coffee cats dogs lisbon porto green black'.split()
    with opened(url) as reading, opened(url) as writing:
        generation = writing.generation()
        assert isinstance(reading.store, PostgresStore)
        cache, by_memory = reading.store._cache, 0
        memories: list[MemoryRecord] = []
        found: list[Any] = []
        for turn in range(40):
            action = chance.randrange(8)
            if action < 4 or not memories:
                scope = Scope(user_id='ana', run_id=chance.choice([None, 'r1']))
                memories.append(writing.learn(' '.join(chance.choices(words, k=3)) + f' {turn}', scope=scope))
            elif action < 7:
                memory = memories.pop(chance.randrange(len(memories)))
                if action == 4:
                    edit = writing.revise(memory, op='retract', status='retracted')
                else:
                    edit = writing.revise(memory, text=f'green {turn}', pinned=True)
                    memories.append(edit.after)
                writing.commit(edit, generation=generation)
            else:
                run(writing.store.erase(Scope(user_id='ana', run_id='r1').erasure('default')))
                memories[:] = [m for m in memories if m.said_under.run_id != 'r1']
            for _ in range(chance.choice((1, 6))):
                by_memory += cache.remembered(ANA.home('default')) is not None
                found = ranked_by(reading)
            with opened(url) as fresh:
                assert found == ranked_by(fresh)
        assert by_memory > 10


def test_an_owner_who_has_another_number_by_now_is_found_under_it(url: str) -> None:
    with opened(url) as bench, opened(url) as other:
        bench.learn('of the first')
        for _ in range(6):
            assert bench.found('first', generation=bench.generation()) == ['of the first']
        run(other.store.erase(ANA.erasure('default')))
        other.learn('of somebody else', scope=Scope(user_id='eve'))
        other.learn('of the second')
        assert bench.found('first', generation=bench.generation()) == ['of the second']
        run(other.store.erase(ANA.erasure('default')))
        other.learn('of the third')
        for text in ('of the fourth', 'of the fifth'):
            bench.learn(text)
        assert bench.texts() == ['of the third', 'of the fourth', 'of the fifth']
        assert other.found(scope=Scope(user_id='eve')) == ['of somebody else']


def test_a_constraint_that_is_violated_at_the_end_of_a_commit_is_told_as_a_clash(url: str) -> None:
    with opened(url) as bench:
        bench.learn('tea', slot='drink')
        work = bench.work(bench.say('coffee', history=False))
        coffee = bench.fact('coffee', work.episodes, slot='drink')
        with pytest.raises(Clash, match='a current memory already says this, or holds this slot'):
            bench.finish(work, Edit(op='add', before=None, after=coffee))
        assert bench.texts() == ['tea']
        bench.finish(work)
        bench.learn('black coffee')
        assert bench.texts() == ['tea', 'black coffee']


def test_what_fails_while_nobody_waits_for_it_is_told_and_nothing_is_stored(url: str) -> None:
    sql(url, 'CREATE FUNCTION memoranda.refuse() RETURNS trigger LANGUAGE plpgsql AS '
        "'BEGIN RAISE EXCEPTION USING MESSAGE = ''not today''; END'")  # fmt: skip
    sql(url, 'CREATE TRIGGER refuse BEFORE INSERT ON memoranda.segment EXECUTE FUNCTION memoranda.refuse()')
    with opened(url) as bench:
        for _ in range(3):
            with pytest.raises(StoreError, match='not today'):
                bench.say('tea')
        assert bench.messages() == []
        sql(url, 'DROP TRIGGER refuse ON memoranda.segment')
        bench.learn('tea')
        assert bench.messages() == ['tea']


def test_large_tables_are_not_counted_row_by_row(url: str) -> None:
    with opened(url) as bench:
        bench.learn('tea')
        told = bench.do(bench.store.stats())
        assert (told.episodes, told.memories, 'estimated' in told.details) == (1, 1, False)
        sql(url, "UPDATE pg_class SET relpages = 1, reltuples = 2e9 WHERE oid = 'memoranda.episode'::regclass")
        told = bench.do(bench.store.stats())
        assert (told.episodes > 1_000_000, told.memories, told.details['estimated']) == (True, 1, 'episodes')


def test_behind_pgbouncer_nothing_is_prepared(url: str, proxy: Proxy) -> None:
    with opened(through(proxy, url), pgbouncer=True) as bench:
        for number in range(8):
            bench.learn(f'tea {number}')
        assert len(bench.texts()) == 8
    assert b'COMMIT' in proxy.seen
    assert b'memo_' not in proxy.seen
    with opened(through(proxy, url), pool=4) as bench:
        for _ in range(8):
            bench.texts()
    assert b'memo_' in proxy.seen


def test_no_session_keeps_anything_between_transactions(url: str) -> None:
    sql(url, f"ALTER ROLE {ROLE} IN DATABASE {name_of(url)} SET search_path = 'nowhere'")
    with opened(url, pgbouncer=True) as bench:
        bench.learn('green tea')
        bench.do(bench.store.erase(ANA.erasure('default')))
        assert bench.do(bench.store.finish_scrub())
        assert bench.texts() == []


def test_a_lock_that_is_held_too_long_is_told(url: str) -> None:
    with opened(url, lock_timeout=0.2) as bench:
        bench.learn('tea')
        with contextlib.closing(server().connect(name_of(url))) as other:
            other.execute('BEGIN')
            other.execute('SELECT 1 FROM memoranda.owner FOR UPDATE')
            with pytest.raises(StoreBusy, match='stayed locked'):
                bench.say('more')
            bench.say('of somebody else', scope=Scope(user_id='ben'))
            assert bench.texts() == ['tea']  # reading waits for nobody
        bench.say('more')


def test_a_statement_that_takes_too_long_is_ended(url: str) -> None:
    sql(url, 'CREATE FUNCTION memoranda.slow() RETURNS trigger LANGUAGE plpgsql AS '
        "'BEGIN PERFORM pg_sleep(30); RETURN NULL; END'")  # fmt: skip
    sql(url, 'CREATE TRIGGER slow AFTER INSERT ON memoranda.episode EXECUTE FUNCTION memoranda.slow()')
    with opened(url, statement_timeout=0.2) as bench, pytest.raises(StoreBusy, match='took longer than allowed'):
        bench.say('tea')


def test_too_many_connections_are_told_with_what_to_do() -> None:
    with fresh_database(tables=True) as url:
        admin(f'ALTER DATABASE {name_of(url)} CONNECTION LIMIT 0')
        said = refused(url, StoreBusy)
        assert 'MEMORANDA_POSTGRES_POOL' in said


def test_where_only_reading_is_allowed_one_reads_and_is_told_when_writing() -> None:
    with fresh_database(tables=True) as url:
        with opened(url) as bench:
            bench.learn('tea')
        admin(f'ALTER DATABASE {name_of(url)} SET default_transaction_read_only = on')
        with opened(url) as bench:
            assert bench.texts() == ['tea']
            assert bench.found('tea') == ['tea']
            with pytest.raises(StoreUnwritable, match='only reads'):
                bench.say('more')
    with fresh_database() as url:
        admin(f'ALTER DATABASE {name_of(url)} SET default_transaction_read_only = on')
        assert 'only reads' in refused(url, StoreUnwritable)


def test_another_database_under_the_same_url_is_noticed(url: str) -> None:
    with opened(url) as bench:
        told: list[bool] = []
        bench.store.when_replaced(lambda: told.append(True))
        bench.learn('tea')
        assert bench.found('tea', generation=bench.generation()) == ['tea']
        sql(url, 'DROP SCHEMA memoranda CASCADE')
        drop_connections(url)
        assert bench.texts() == []
        assert told
        bench.learn('green tea')
        assert bench.found('tea', generation=bench.generation()) == ['green tea']


def test_memories_of_a_child_process_and_its_parent_are_on_connections_of_their_own(url: str) -> None:
    with opened(url) as bench:
        bench.learn('of the parent')
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                bench.learn('of the child')
                os.write(write, '|'.join(bench.texts()).encode())
                run(bench.store.close())
            finally:
                os._exit(0)
        os.close(write)
        assert os.waitpid(child, 0)[1] == 0
        with open(read, 'rb') as told:
            assert told.read() == b'of the parent|of the child'
        assert bench.texts() == ['of the parent', 'of the child']
        assert bench.learn('still works')


def test_closeness_is_the_same_in_memory_and_on_the_server(url: str) -> None:
    with opened(url, cache_mb=0) as cold, opened(url, cache_mb=64) as warm:
        memory = cold.learn('green tea')
        cold.learn('black coffee')
        cold.commit(cold.revise(memory, text='white tea'), generation=cold.generation())
        cold.learn('without a vector', scope=Scope(user_id='ben'))
        cold.say('tea again', history=False)
        lanes = ('memories', 'episodes')
        told: list[list[list[float]]] = []
        for bench in (cold, *[warm] * 3):  # the second time and later from memory
            assert bench.found('tea', lanes=lanes, generation=bench.generation())
            told.append([lane.dense.tolist() for lane in bench.lanes if lane.dense is not None])
        assert [len(lane) for lane in told[0]] == [2, 3]
        for one in told:
            for expected, found in zip(told[0], one, strict=True):
                assert found == pytest.approx(expected, abs=1e-6, nan_ok=True)


# --- erasure


def test_an_erasure_is_done_when_no_version_of_a_row_is_left_in_any_table(url: str) -> None:
    sql(url, 'CREATE EXTENSION pgstattuple SCHEMA public')
    dead = (
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'memoranda'::regnamespace AND c.relkind = 'r' "
        "AND c.relname <> 'scrub' "
        'AND (public.pgstattuple(c.oid)).dead_tuple_count > 0'
    )
    with opened(url) as bench:
        for number in range(5):
            bench.learn(f'tea {number}')
        with contextlib.closing(server().connect(name_of(url))) as other:
            other.execute('BEGIN ISOLATION LEVEL REPEATABLE READ')
            other.execute('SELECT 1').fetchall()
            result = bench.do(bench.store.erase(ANA.erasure('default')))
            assert result.scrub == 'pending'
            assert {('episode',), ('memory',), ('history_text',), ('posting',)} <= set(sql(url, dead))
            assert not bench.do(bench.store.finish_scrub())  # somebody could still see them
            assert bench.do(bench.store.stats()).scrub_pending
        # The session of who could see them takes a moment to end.
        assert any(bench.do(bench.store.finish_scrub()) for _ in range(1000))
        assert not bench.do(bench.store.stats()).scrub_pending
        assert bench.do(bench.store.traces(['tea 1'])) == []
        assert sql(url, dead) == []


def test_texts_are_found_in_rows(url: str) -> None:
    with opened(url) as bench:
        bench.learn('green tea')
        (found,) = bench.do(bench.store.traces(['coffee', 'GREEN tea']))
        assert found.text == 1
        assert {'episode', 'memory'} <= set(found.where)


# --- a server of its own


def test_a_server_that_stops_and_starts_again_heals() -> None:
    with own_server() as mine:
        with contextlib.closing(mine.connect()) as boss:
            boss.execute(f'CREATE DATABASE app OWNER {ROLE} TEMPLATE with_vector')
        with opened(mine.url('app')) as bench:
            bench.learn('tea')
            mine.stop()
            for _ in range(2):
                with pytest.raises(StoreUnreachable):
                    bench.texts()
                with pytest.raises(StoreUnreachable):
                    bench.say('more')
            mine.start()
            assert bench.texts() == ['tea']
            bench.learn('coffee')
            assert bench.texts() == ['tea', 'coffee']


def wait_for_replay(primary: Server, replica: Server) -> None:
    """Until the replica knows everything."""
    with contextlib.closing(primary.connect()) as boss, contextlib.closing(replica.connect()) as follower:
        (sent,) = boss.execute('SELECT pg_current_wal_lsn()').fetchone()
        for _ in range(2000):
            if follower.execute('SELECT pg_last_wal_replay_lsn() >= %s', (sent,)).fetchone()[0]:
                return
            boss.execute('SELECT pg_sleep(0.01)')
    raise AssertionError('the replica fell silent')


def test_a_replica_is_read_and_after_a_failover_no_commit_is_taken_for_what_it_was_not() -> None:
    with own_server() as primary, replica_of(primary) as replica:
        with contextlib.closing(primary.connect()) as boss:
            boss.execute(f'CREATE DATABASE app OWNER {ROLE} TEMPLATE with_vector')
        proxy = Proxy(primary)
        both = primary.url('app').replace(f':{primary.port}/', f':{proxy.port},127.0.0.1:{replica.port}/')
        with opened(f'{both}?target_session_attrs=read-write') as bench, contextlib.closing(proxy):
            bench.learn('tea')
            wait_for_replay(primary, replica)
            with opened(replica.url('app')) as reader:
                assert reader.texts() == ['tea']
                assert reader.found('tea') == ['tea']
                with pytest.raises(StoreUnwritable, match=r'only reads.*replica'):
                    reader.say('more')
            proxy.cut_after, proxy.refuse_after_cut = b'COMMIT\0', True
            with pytest.raises(StoreUnreachable, match='whether it did is not known'):
                bench.say('I like coffee', key='k')
            primary.stop()
            replica.promote()
            assert bench.texts() == ['tea']
            bench.say('I like coffee', key='k')
            assert bench.messages() == ['tea', 'I like coffee']


# --- as a memory


def test_a_memory_may_be_kept_in_postgresql(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with fast(url) as memory:
        memory.add('Ana likes green tea', user_id='ana')
        assert texts(memory.get_all(user_id='ana'))
        assert memory.search('tea', user_id='ana')
        assert memory.location == PostgresStore(url).location
        assert memory.stats().backend == 'postgresql'
        receipt = memory.forget(user_id='ana')
        assert receipt.counts['memories'] == 1
        # Nobody but the server's administrator can search its files.
        assert receipt.result().stores == {'database': 'scrubbed'}
        assert texts(memory.get_all(user_id='ana')) == []


async def from_another_loop(url: str) -> list[str]:
    async with fast_async(url) as memory:
        await memory.add('Ana likes green tea', user_id='ana')
        return texts(await memory.get_all(user_id='ana'))


def test_a_memory_may_be_awaited(url: str) -> None:
    import asyncio

    assert len(asyncio.run(from_another_loop(url))) == 1


def test_text_that_no_database_carries_is_kept_as_in_sqlite(url: str, tmp_path: Path) -> None:
    def kept(memory: Any) -> list[str]:
        with memory:
            memory.add('Ana likes \0 and \ud800 tea', user_id='ana')
            return [e.text for e in memory.episodes(user_id='ana').items]

    assert kept(fast(url)) == kept(fast(tmp_path / 'm.db'))
