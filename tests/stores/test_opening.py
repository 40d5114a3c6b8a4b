"""Opening files of every sort: each opens, or says what is wrong with it, why, and what to do."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from memoranda import Memory
from memoranda._bridge import run
from memoranda.errors import StoreError, StoreUnreadable, StoreUnwritable
from memoranda.stores.sqlite import SQLiteStore
from memoranda.stores.sqlite.connection import APPLICATION_ID, connect
from memoranda.stores.sqlite.schema import SCHEMA_VERSION
from memoranda.testing import HashingEmbedder, ScriptedExtractor

DATA = Path(__file__).parents[1] / 'data'
posix = pytest.mark.skipif(os.name != 'posix', reason='permissions are POSIX ones')


def memory(path: Path | str) -> Memory:
    return Memory(path, embedder=HashingEmbedder(), extractor=ScriptedExtractor())


def add_and_search(path: Path | str) -> None:
    with memory(path) as m:
        m.add('I live in Lisbon', user_id='eve')
        assert [h.text for h in m.search('Lisbon', user_id='eve')] == ['I live in Lisbon']


def integrity(path: Path) -> str:
    connection = apsw.Connection(str(path))
    try:
        return connection.pragma('integrity_check')
    finally:
        connection.close()


def test_a_new_file_is_made_with_its_folder_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / 'a' / 'b' / 'memoranda.db'
    with memory(path) as m:
        m.add('I live in Lisbon', user_id='ana')
        files = sorted(p.name for p in path.parent.iterdir())
        assert files == ['memoranda.db', 'memoranda.db-shm', 'memoranda.db-wal']
        if os.name == 'posix':
            assert {stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()} == {0o600}
            assert stat.S_IMODE(path.parent.stat().st_mode) & 0o077 == 0
    assert [p.name for p in path.parent.iterdir()] == ['memoranda.db']


def test_several_that_make_the_same_new_file_at_once_can_all_write(tmp_path: Path) -> None:
    for number in range(8):
        path = tmp_path / f'{number}.db'
        memories = [memory(path) for _ in range(6)]
        gate = threading.Barrier(len(memories))

        def write(opened: Memory, gate: threading.Barrier = gate) -> None:
            gate.wait()
            opened.add('I live in Lisbon', user_id='ana')

        with ThreadPoolExecutor(len(memories)) as pool:
            list(pool.map(write, memories))
        assert len(memories[0].episodes(user_id='ana').items) == len(memories)
        for opened in memories:
            opened.close()


def test_every_setting_is_as_it_should_be(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    add_and_search(path)
    for durability, synchronous in (('normal', 1), ('full', 2)):
        connection = connect(str(path), busy_timeout=3.0, durability=durability)  # pyright: ignore[reportArgumentType]
        try:
            expected = {
                'page_size': 16384,
                'journal_mode': 'wal',
                'synchronous': synchronous,
                'secure_delete': 1,
                'foreign_keys': 1,
                'busy_timeout': 3000,
                'application_id': APPLICATION_ID,
                'user_version': SCHEMA_VERSION,
                'temp_store': 2,
            }
            assert {name: connection.pragma(name) for name in expected} == expected
        finally:
            connection.close()


def test_the_connections_of_a_store_have_them_too(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / 'm.db', durability='full')
    wanted = ('journal_mode', 'synchronous', 'secure_delete', 'page_size')
    read = run(store._read(lambda c: [c.pragma(name) for name in wanted]))
    written = run(store._write(lambda c: [c.pragma(name) for name in wanted]))
    assert read == written == ['wal', 2, 1, 16384]
    run(store.close())


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    path.touch()
    add_and_search(path)
    assert connect(str(path), busy_timeout=1, durability='normal').pragma('page_size') == 16384


def test_a_path_with_odd_characters_is_a_path(tmp_path: Path) -> None:
    for name in ('with space.db', 'é ü \U0001f600.db', 'a?mode=ro&x#y%20.db', "it's.db", 'file:x.db'):
        add_and_search(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 0


@pytest.mark.parametrize('content', [b'hello, this is a text file\n' * 1000, b'hi', bytes(range(256)) * 100])
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'notes.txt'
    path.write_bytes(content)
    with pytest.raises(StoreUnreadable, match=r'notes\.txt is not an SQLite database: name another file'):
        memory(path).get_all(user_id='ana')
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    for application in (0, 42):
        path = tmp_path / f'other{application}.db'
        connection = apsw.Connection(str(path))
        connection.execute('CREATE TABLE things(name TEXT)')
        connection.pragma('application_id', application)
        connection.close()
        before = path.read_bytes()
        with pytest.raises(StoreUnreadable, match='of another program'):
            memory(path).add('I live in Lisbon', user_id='ana')
        assert path.read_bytes() == before
        assert [p.name for p in tmp_path.iterdir() if p.name.startswith(path.name)] == [path.name]


def test_a_newer_schema_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    add_and_search(path)
    connection = apsw.Connection(str(path))
    connection.pragma('user_version', SCHEMA_VERSION + 1)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreUnreadable, match=f'schema version {SCHEMA_VERSION + 1}.*upgrade memoranda'):
        memory(path).add('I live in Porto', user_id='ana')
    assert path.read_bytes() == before


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreUnwritable, match='is a folder: name a file in it'):
        run(SQLiteStore(tmp_path).open())


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(StoreUnwritable, match='file'):
        memory(tmp_path / 'file' / 'm.db').add('I live in Lisbon', user_id='ana')
    with pytest.raises(StoreUnwritable, match='cannot be created'):
        memory(tmp_path / 'file' / 'deeper' / 'm.db').add('I live in Lisbon', user_id='ana')


def test_opening_can_be_tried_again_after_it_failed(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    path.write_bytes(b'no database' * 100)
    m = memory(path)
    for _ in range(2):
        with pytest.raises(StoreUnreadable):
            m.add('I live in Lisbon', user_id='ana')
        with pytest.raises(StoreUnreadable):
            m.search('Lisbon', user_id='ana')
    path.unlink()
    m.add('I live in Lisbon', user_id='ana')
    assert len(m.search('Lisbon', user_id='ana')) == 1
    m.close()


AS_NOBODY = """
    import os, sys
    from memoranda import Memory
    from memoranda.errors import StoreError
    from memoranda.testing import HashingEmbedder, ScriptedExtractor
    with Memory(':memory:', embedder=HashingEmbedder(), extractor=ScriptedExtractor()) as m:
        m.add('every module is loaded now', user_id='ana')  # nobody may not be allowed to read them
        m.search('module', user_id='ana')
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    m = Memory(sys.argv[1], embedder=HashingEmbedder(), extractor=ScriptedExtractor())
    for call in (lambda: m.add('I live in Porto', user_id='ana'), lambda: m.get_all(user_id='ana')):
        try:
            call()
        except StoreError as error:
            print(type(error).__name__, str(error))
        else:
            print('no error')
"""


def as_nobody(path: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, '-W', 'error', '-c', textwrap.dedent(AS_NOBODY), str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, '')
    return done.stdout.splitlines()


@pytest.fixture
def open_tmp(tmp_path: Path) -> Path:
    """A folder that everybody can reach."""
    folder = tmp_path
    while folder != folder.parent and not folder.stat().st_mode & 0o001:
        folder.chmod(folder.stat().st_mode | 0o011)
        folder = folder.parent
    return tmp_path


@posix
def test_a_folder_without_write_permission_is_named(open_tmp: Path) -> None:
    folder = open_tmp / 'locked'
    folder.mkdir(mode=0o555)
    for path in (folder / 'm.db', folder / 'deeper' / 'm.db'):
        for line in as_nobody(path):
            assert line.startswith('StoreUnwritable')
            assert str(folder) in line
            assert 'MEMORANDA_DATABASE' in line


@posix
@pytest.mark.parametrize('folder_mode', [0o555, 0o777])
def test_a_read_only_file_is_named_and_left_as_it_is(open_tmp: Path, folder_mode: int) -> None:
    folder = open_tmp / 'kept'
    folder.mkdir()
    path = folder / 'm.db'
    add_and_search(path)
    path.chmod(0o444)
    folder.chmod(folder_mode)
    before = path.read_bytes()
    try:
        for line in as_nobody(path):
            assert line.startswith('StoreUnwritable')
            assert str(path) in line
            assert 'MEMORANDA_DATABASE' in line
    finally:
        folder.chmod(0o755)
    assert path.read_bytes() == before


@posix
def test_a_file_that_may_not_be_read_is_named(open_tmp: Path) -> None:
    path = open_tmp / 'm.db'
    add_and_search(path)
    path.chmod(0o600)
    open_tmp.chmod(0o755)
    if os.getuid() != 0:
        path.chmod(0)
    for line in as_nobody(path):
        assert line.startswith('StoreUnwritable')
        assert str(path) in line


def damage(path: Path, *, first: int, last: int | None = None) -> None:
    data = bytearray(path.read_bytes())
    for i in range(first, len(data) if last is None else last):
        data[i] = i * 7 % 251
    path.write_bytes(data)


@pytest.mark.parametrize('first', [0, 100, 16384])
def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path, first: int) -> None:
    path = tmp_path / 'm.db'
    add_and_search(path)
    damage(path, first=first)
    m = memory(path)
    for _ in range(2):
        with pytest.raises(StoreError, match=r'damaged|not an SQLite database') as caught:
            m.get_all(user_id='eve')
        assert isinstance(caught.value, StoreUnreadable)
        with pytest.raises(StoreUnreadable):
            m.add('I live in Porto', user_id='ana')
    m.close()


def test_a_truncated_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    add_and_search(path)
    path.write_bytes(path.read_bytes()[: 16384 * 3])
    m = memory(path)
    with pytest.raises(StoreUnreadable):
        m.get_all(user_id='eve')
    m.close()


@pytest.mark.parametrize('version', range(1, SCHEMA_VERSION + 1))
def test_a_file_of_every_earlier_version_opens_and_works(tmp_path: Path, version: int) -> None:
    """schema_vN.sql is a dump of a file that this version wrote; tests/data/make_dump.py made it."""
    path = tmp_path / 'old.db'
    connection = apsw.Connection(str(path))
    for _ in connection.execute((DATA / f'schema_v{version}.sql').read_text('utf-8')):
        pass
    connection.close()
    with memory(path) as m:
        assert m.stats().schema_version == SCHEMA_VERSION
        assert {f.text for f in m.get_all(user_id='ana', include_inactive=True)} == {
            'Lives in Lisbon',
            'Lives in Porto',
            'Likes green tea',
        }
        (city,) = m.get_all(user_id='ana', filters={'slot': 'home.city'})
        assert (city.text, city.evidence[0].quote) == ('Lives in Porto', 'Lives in Porto')
        assert m.get_slot('home.city', user_id='ana') == city
        assert m.search('green tea', user_id='ana')[0].text == 'Likes green tea'
        assert [h.op for h in m.history(city.id, user_id='ana')] == ['add']
        assert m.add('Lives in Braga', user_id='ana', infer=False, slot='home.city').changes
        assert m.delete_all(user_id='ana').scrub == 'verified'
        assert m.get_all(user_id='ben').items[0].text == 'Likes chess'
    assert integrity(path) == 'ok'


def test_the_latest_dump_has_the_tables_of_a_new_file(tmp_path: Path) -> None:
    """When this fails, a migration is missing; or, before its release, run tests/data/make_dump.py again."""
    add_and_search(tmp_path / 'new.db')
    schemas: list[set[tuple[str, str]]] = []
    for path in (tmp_path / 'new.db', tmp_path / 'old.db'):
        connection = apsw.Connection(str(path))
        if path.stem == 'old':
            for _ in connection.execute((DATA / f'schema_v{SCHEMA_VERSION}.sql').read_text('utf-8')):
                pass
        schemas.append(set(connection.execute('SELECT name, sql FROM sqlite_schema')))
        connection.close()
    assert schemas[0] == schemas[1]


def test_a_file_made_anew_with_other_pages_works_and_is_swept_by_its_own_page_size(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    with memory(path) as m:
        for user in range(4):
            m.add([f'User {user} says sentence number {i} ' + 'words ' * 30 for i in range(60)], user_id=f'u{user}')
    connection = apsw.Connection(str(path))
    connection.pragma('journal_mode', 'delete')
    connection.pragma('page_size', 4096)
    connection.execute('VACUUM')
    assert connection.pragma('page_size') == 4096
    connection.close()
    with memory(path) as m:
        assert m.delete_all(user_id='u1').scrub == 'verified'
        assert len(m.get_all(user_id='u2')) == 60
    assert integrity(path) == 'ok'
    assert b'User 1 says' not in path.read_bytes()
    assert b'User 2 says' in path.read_bytes()
