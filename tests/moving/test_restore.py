"""Going back to a backup brings back what was lost, and nobody who was forgotten since."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import pytest

from _fakes import fast, texts
from memoranda import ConfigurationError, InvalidInput, Memory
from memoranda.errors import StoreBusy, StoreError, StoreUnreadable
from memoranda.moving import fingerprint, restore

ANA, BEN = {'user_id': 'ana'}, {'user_id': 'ben'}
OLD = '2020-01-05T10:00:00Z'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / 'memory.db'


@pytest.fixture
def backup(path: Path, tmp_path: Path) -> Path:
    """Of two users and an agent, one of whom spoke in two conversations."""
    with fast(path) as memory:
        memory.add('Likes tea', run_id='s1', **ANA)
        memory.add('Likes cake', run_id='s2', **ANA)
        memory.add('Likes rain', **BEN)
        memory.add('Likes snow', **BEN)
        memory.in_project('other').add('Likes wind', agent_id='bot')
        memory.backup(tmp_path / 'backup.db')
    return tmp_path / 'backup.db'


def held(memory: Memory, **whose: Any) -> list[str]:
    return texts(memory.get_all(**whose).items)


def test_what_was_changed_since_is_undone_and_the_database_that_was_there_is_kept(backup: Path, path: Path) -> None:
    before = fingerprint(backup)
    with fast(path) as memory:
        memory.add('Likes fog', **BEN)
        memory.delete_all(**ANA)
    later = fingerprint(path)
    report = restore(backup, path)
    assert fingerprint(path) == fingerprint(backup) == before
    assert (report.memories, report.owners, report.forgotten, report.unmatched) == (5, 3, 0, ())
    assert report.replaced is not None
    assert fingerprint(report.replaced) == later
    assert sorted(p.name for p in path.parent.iterdir()) == ['backup.db', 'memory.db', Path(report.replaced).name]


def test_whoever_was_forgotten_since_is_forgotten_again(backup: Path, path: Path) -> None:
    with fast(path) as memory:
        memory.forget(**BEN)
        memory.forget(run_id='s1', **ANA)
        memory.in_project('other').project_wide().forget(whole_project=True)
        memory.forget(user_id='never seen')
    report = restore(backup, path)
    assert report.forgotten == 3
    with fast(path) as memory:
        assert held(memory, **ANA) == ['Likes cake']
        assert held(memory, **BEN) == []
        assert held(memory.in_project('other'), agent_id='bot') == []
        assert memory.verify(all_projects=True).ok
        for user in ('ben', 'never seen'):
            told = memory.add([{'role': 'user', 'content': 'Likes sun', 'timestamp': OLD}], user_id=user)
            assert told.skipped == {'forgotten': 1}
    assert b'Likes rain' not in path.read_bytes()


def test_a_key_that_was_revoked_since_stays_revoked(path: Path, tmp_path: Path) -> None:
    with fast(path) as memory:
        kept, revoked, replaced = (memory.keys.create(name).key for name in ('kept', 'revoked', 'replaced'))
        memory.backup(tmp_path / 'backup.db')
        memory.keys.revoke(revoked.id)
        memory.keys.rotate(replaced.id, overlap_seconds=60)
        until = memory.keys.get(replaced.id).expires_at
    restore(tmp_path / 'backup.db', path)
    with fast(path) as memory:
        assert {key.id for key in memory.keys.list()} == {kept.id, replaced.id}
        assert memory.keys.get(replaced.id).expires_at == until


def test_whoever_was_forgotten_before_the_backup_and_came_back_stays(path: Path, tmp_path: Path) -> None:
    with fast(path) as memory:
        memory.add('Likes tea', **ANA)
        memory.forget(**ANA)
        memory.add('Likes cake', **ANA)
        memory.backup(tmp_path / 'backup.db')
    assert restore(tmp_path / 'backup.db', path).forgotten == 0
    with fast(path) as memory:
        assert held(memory, **ANA) == ['Likes cake']


def test_receipts_tell_of_erasures_where_the_database_is_lost(backup: Path, path: Path) -> None:
    with fast(path) as memory:
        message = memory.episodes(run_id='s2', **ANA).items[0]
        snow = next(m for m in memory.get_all(**BEN) if m.text == 'Likes snow')
        receipts = [
            memory.forget(episode_id=message.id, **ANA),
            memory.forget(snow.id, **BEN),
            memory.in_project('other').forget(agent_id='bot'),
            memory.forget(filters={'text': {'contains': 'rain'}}, **BEN),
        ]
    path.unlink()
    report = restore(backup, path, receipts=receipts)
    assert (report.forgotten, report.unmatched, report.replaced) == (3, (receipts[3].id,), None)
    with fast(path) as memory:
        assert (held(memory, **ANA), held(memory, **BEN)) == (['Likes tea'], ['Likes rain'])
        assert held(memory.in_project('other'), agent_id='bot') == []


def test_a_database_in_use_is_not_replaced(backup: Path, path: Path) -> None:
    with fast(path) as memory:
        assert held(memory, **BEN)
        with pytest.raises(StoreBusy, match='open in another process'):
            restore(backup, path)
        assert len(held(memory, **ANA)) == 2
    assert sorted(p.name for p in path.parent.iterdir()) == ['backup.db', 'memory.db']


def test_a_log_that_a_killed_process_left_is_not_taken_for_that_of_the_backup(backup: Path, path: Path) -> None:
    with fast(path) as memory:
        memory.add('Likes fog', **BEN)
        left = path.with_name('memory.db-wal').read_bytes()
    path.with_name('memory.db-wal').write_bytes(left)
    restore(backup, path)
    assert not path.with_name('memory.db-wal').exists()
    assert fingerprint(path) == fingerprint(backup)


def test_another_database_is_not_replaced(backup: Path, tmp_path: Path) -> None:
    other = tmp_path / 'other.db'
    with fast(other) as memory:
        memory.add('Likes tea', **ANA)
    with pytest.raises(InvalidInput, match='another database'):
        restore(backup, other)
    with pytest.raises(InvalidInput, match='at once'):
        restore(backup, backup)


def test_what_is_no_backup_changes_nothing(backup: Path, path: Path, tmp_path: Path) -> None:
    before = fingerprint(path)
    for name, content in (('nothing.db', None), ('text.db', b'no database, ' * 2000)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(StoreUnreadable):
            restore(tmp_path / name, path)
    connection = apsw.Connection(str(backup))
    connection.execute("UPDATE history SET actor = 'somebody' WHERE row = (SELECT min(row) FROM history)")
    connection.close()
    with pytest.raises(StoreUnreadable, match='audit chain'):
        restore(backup, path)
    assert fingerprint(path) == before
    with pytest.raises(ConfigurationError):
        restore(backup, 'postgresql://nobody@nowhere/at_all')


def test_a_database_that_can_not_be_read_is_to_be_moved_away(backup: Path, path: Path) -> None:
    path.write_bytes(b'damaged' * 4000)
    with pytest.raises(StoreError, match='nobody knows who was forgotten since'):
        restore(backup, path)
    path.unlink()
    assert restore(backup, path).memories == 5
