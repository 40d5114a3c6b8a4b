"""A move to another database loses nothing, can be killed, and mixes nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import apsw
import pytest

from _fakes import fast
from _moves import ANA, IDLE, check, fill, killed
from memoranda import InvalidInput
from memoranda.errors import ConfigurationError, Conflict, StoreUnreadable
from memoranda.moving import MigrateProgress, fingerprint, migrate


@pytest.fixture(scope='module')
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('filled') / 'source.db'
    fill(path)
    return path


@pytest.fixture
def source(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(filled, tmp_path / 'source.db'))


def test_everything_is_copied_and_compared(source: Path, tmp_path: Path) -> None:
    target = tmp_path / 'target.db'
    told: list[MigrateProgress] = []
    report = migrate(f'sqlite://{source}', target, progress=told.append)
    assert fingerprint(source) == fingerprint(target) == report.tables
    assert (report.resumed, report.written_since, report.owners) == (False, False, 4)
    assert report.tables['tombstone'].rows == 2
    assert {at.doing for at in told} == {'copying', 'comparing'}
    assert told[-1].done == told[-1].total == report.rows
    check(target)
    with fast(source) as memory:
        assert memory.stats().jobs_queued == 1


def test_a_receipt_still_holds_in_the_target(tmp_path: Path) -> None:
    source, target = tmp_path / 'source.db', tmp_path / 'target.db'
    with fast(source) as memory:
        memory.add('Likes tea', **ANA)
        receipt = memory.forget(**ANA)
    migrate(source, target)
    with fast(target) as memory:
        assert memory.verify_erasure(receipt, texts=['Likes tea']).ok


def test_numbers_of_owners_are_not_given_again(tmp_path: Path) -> None:
    source, target = tmp_path / 'source.db', tmp_path / 'target.db'
    with fast(source) as memory:
        memory.add('Likes tea', **ANA)
    connection = apsw.Connection(str(source))
    connection.execute("UPDATE sqlite_sequence SET seq = 41 WHERE name = 'owner'")
    connection.close()
    migrate(source, target)
    with fast(target) as memory:
        memory.add('Likes cake', user_id='ben')
    connection = apsw.Connection(str(target))
    assert connection.execute('SELECT max(id) FROM owner').fetchone() == (42,)
    connection.close()


@pytest.mark.skipif(os.name != 'posix', reason='signals are POSIX ones')
def test_a_move_that_is_killed_goes_on_and_nobody_can_use_what_is_incomplete(source: Path, tmp_path: Path) -> None:
    target = tmp_path / 'target.db'
    killed(source, target, 9)
    with pytest.raises(StoreUnreadable, match=r'filling it from .*source\.db'):
        fast(target).get_all(**ANA)
    other = tmp_path / 'other.db'
    fill(other)
    with pytest.raises(Conflict, match=r'from another database, .*source\.db'):
        migrate(other, target)
    with fast(source) as memory:  # and what changes meanwhile is not missed
        memory.add('Likes snow', user_id='late')
        memory.delete(memory.get_all(user_id='late').items[0].id, user_id='late')
    report = migrate(source, target)
    assert report.resumed
    assert fingerprint(source) == fingerprint(target)
    check(target)


def test_what_is_written_to_the_source_meanwhile_is_told(source: Path, tmp_path: Path) -> None:
    with fast(source, settings=IDLE) as memory:

        def write(at: MigrateProgress) -> None:
            if at.table == 'memory' and at.doing == 'copying':
                memory.add('Likes wind', infer=False, user_id='late')

        report = migrate(source, tmp_path / 'target.db', progress=write)
    assert report.written_since
    with fast(tmp_path / 'target.db') as memory:
        assert memory.get_all(user_id='late').items == ()
        assert memory.verify(all_projects=True).ok


def test_a_target_that_holds_something_is_refused(source: Path, tmp_path: Path) -> None:
    target = tmp_path / 'target.db'
    with fast(target) as memory:
        memory.add('Likes tea', user_id='ben')
    before = fingerprint(target)
    with pytest.raises(Conflict, match='holds memories already'):
        migrate(source, target)
    assert fingerprint(target) == before


def test_an_empty_database_is_a_target(source: Path, tmp_path: Path) -> None:
    with fast(tmp_path / 'target.db') as memory:
        memory.stats()
    migrate(source, tmp_path / 'target.db')
    assert fingerprint(source) == fingerprint(tmp_path / 'target.db')


def test_a_half_built_generation_moves_too_and_old_vectors_do_not(source: Path, tmp_path: Path) -> None:
    from memoranda.testing import HashingEmbedder

    def stop(at: Any) -> None:
        if at.embedded >= 2:
            raise InterruptedError

    with fast(source) as memory, pytest.raises(InterruptedError):
        memory.reindex(embedder=HashingEmbedder(32), progress=stop, rate=2000)
    report = migrate(source, tmp_path / 'target.db')
    assert sum(d.rows > 0 for name, d in report.tables.items() if name.endswith('_vector_2')) >= 1
    with fast(tmp_path / 'target.db') as memory:
        memory.reindex(embedder=HashingEmbedder(32))
        assert [h.text for h in memory.search('likes tea', strategy='semantic', top_k=1, **ANA)] == ['Likes tea']


def test_the_same_database_twice_is_refused(source: Path, tmp_path: Path) -> None:
    link = tmp_path / 'link.db'
    link.symlink_to(source)
    for target in (source, link):
        with pytest.raises(InvalidInput, match='source and target at once'):
            migrate(source, target)


def test_a_source_that_is_none_is_refused_and_no_target_is_made(tmp_path: Path) -> None:
    target = tmp_path / 'target.db'
    with pytest.raises(StoreUnreadable, match='does not exist'):
        migrate(tmp_path / 'nothing.db', target)
    with pytest.raises(ConfigurationError, match=':memory:'):
        migrate(':memory:', target)
    (tmp_path / 'text.db').write_text('not a database, but long enough to look like one' * 100)
    with pytest.raises(StoreUnreadable, match='not an SQLite database'):
        migrate(tmp_path / 'text.db', target)
    assert not target.exists()


@pytest.mark.parametrize('version', [3, 99])
def test_a_source_of_another_schema_version_is_refused(source: Path, tmp_path: Path, version: int) -> None:
    connection = apsw.Connection(str(source))
    connection.pragma('user_version', version)
    connection.close()
    with pytest.raises(StoreUnreadable, match=f'schema version {version}'):
        migrate(source, tmp_path / 'target.db')
    assert not (tmp_path / 'target.db').exists()


def test_a_table_that_this_version_does_not_know_is_not_left_behind(source: Path, tmp_path: Path) -> None:
    connection = apsw.Connection(str(source))
    connection.execute('CREATE TABLE later(row INTEGER PRIMARY KEY)')
    connection.close()
    with pytest.raises(Exception, match='table later is unknown'):
        migrate(source, tmp_path / 'target.db')


def test_a_value_that_changes_in_the_target_is_found_out(source: Path, tmp_path: Path) -> None:
    target = tmp_path / 'target.db'

    def spoil(at: MigrateProgress) -> None:
        if at.doing == 'comparing' and at.table == 'owner':
            connection = apsw.Connection(str(target))
            connection.execute("UPDATE episode SET text = 'something else' WHERE row = (SELECT min(row) FROM episode)")
            connection.close()

    with pytest.raises(Exception, match=r'table episode of .* is not what was copied'):
        migrate(source, target, progress=spoil)
    with pytest.raises(StoreUnreadable):
        fast(target).get_all(**ANA)
    assert migrate(source, target).resumed  # which copies that table anew
    assert fingerprint(source) == fingerprint(target)
