"""The audit chains: whatever is changed behind the back of memoranda is found and named, and nothing else is."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _fakes import fast
from memoranda import (
    Checkpoint,
    InvalidInput,
    InvalidScope,
    Memory,
    Policy,
    Scope,
    Verification,
)
from memoranda.moving import migrate

SIZE = int(os.environ.get('AUDIT_ENTRIES', '600'))
"""Entries of the long chain: set AUDIT_ENTRIES=1000000 for the long variant."""
NUMBER = 24
"""Bits of a row key below the owner's number."""


def tell(memory: Memory) -> None:
    """A bit of everything that makes entries: adds, a change of mind, edits, a retraction, reads, erasures."""
    memory.add('home.city = Lisbon', user_id='ana', run_id='r1')
    memory.add('home.city = Porto', user_id='ana', run_id='r2')
    tea = memory.add('likes tea', user_id='ana', metadata={'cups': 3}).memories[0]
    memory.add('only in a run', user_id='ana', run_id='r1')
    memory.acting_as('support:jane', reason='ticket 7').update(tea.id, text='likes green tea', user_id='ana')
    memory.search('tea', user_id='ana')
    memory.add('chess', user_id='ben')
    memory.add('to be forgotten', user_id='carla')
    memory.add('so is this', user_id='carla')
    memory.delete_all(user_id='carla')
    memory.delete_all(user_id='ana', run_id='r1')
    memory.delete(memory.add('a mistake', user_id='ana').memories[0].id, user_id='ana')
    memory.context('tea', user_id='ana')
    assert memory.reads(user_id='ana').items


@pytest.fixture(scope='module')
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('told') / 'm.db'
    with fast(path, policy=Policy(audit_reads=True)) as memory:
        tell(memory)
    return path


@pytest.fixture
def file(told: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(told, tmp_path / 'm.db'))


@pytest.fixture
def memory(file: Path) -> Iterator[Memory]:
    with fast(file) as memory:
        yield memory


@pytest.fixture
def inside(file: Path) -> Iterator[apsw.Connection]:
    with closing(apsw.Connection(str(file))) as connection:
        connection.set_busy_timeout(10_000)
        yield connection


@contextmanager
def undone(connection: apsw.Connection, *tables: str) -> Iterator[None]:
    """What is done to these tables in here is taken back afterwards."""
    held = {t: connection.execute(f'SELECT rowid, * FROM {t}').fetchall() for t in tables}
    names = {t: [row[1] for row in connection.execute(f'PRAGMA table_info({t})')] for t in tables}
    try:
        yield
    finally:
        connection.execute('BEGIN IMMEDIATE')
        for table, rows in held.items():
            connection.execute(f'DELETE FROM {table}')
            marks = ', '.join('?' * len(names[table]))
            connection.executemany(f'INSERT INTO {table} VALUES({marks})', [row[1:] for row in rows])
        connection.execute('COMMIT')


def every(memory: Memory, **arguments: Any) -> Verification:
    return memory.verify(all_projects=True, **arguments)


def named(found: Verification) -> list[tuple[str, int | None, str]]:
    return [(b.subject, b.seq, b.reason) for b in found.breaks]


def subjects(memory: Memory) -> dict[int, str]:
    return {c.owner: c.subject for c in memory.checkpoint(all_projects=True).chains}


def rows(connection: apsw.Connection, table: str) -> list[int]:
    return [row for (row,) in connection.execute(f'SELECT row FROM {table} ORDER BY row')]


def test_what_nobody_touched_is_whole(memory: Memory) -> None:
    found = every(memory)
    assert found.ok, found.breaks
    assert found
    assert (found.owners, found.unbound, found.anchored, found.unprovable) == (3, 0, 0, 0)
    assert found.entries == 13
    assert found.reads == 2
    assert found.erased == 5
    assert found.versions == 6


OTHER: dict[str, Callable[[Any], Any]] = {
    'change_id': lambda value: f'{value}x',
    'memory_id': lambda value: f'{value}x',
    'op': lambda value: 'confirm',
    'actor': lambda value: 'somebody else',
    'reason': lambda value: f'{value}.',
    'at': lambda value: value + 1,
    'digest': lambda value: hashlib.sha256(value.encode()).hexdigest(),
    'prev_hash': lambda value: hashlib.sha256(value.encode()).hexdigest(),
    'hash': lambda value: hashlib.sha256(value.encode()).hexdigest(),
    'format': lambda value: 3 - value,
    'before': lambda value: 'null' if value is None else value.replace('e', 'f'),
    'after': lambda value: 'null' if value is None else value.replace('e', 'f'),
    'salt': lambda value: value[::-1] if value[::-1] != value else 'x',
}


@pytest.mark.parametrize('column', OTHER)
def test_a_changed_column_of_any_entry_is_found_and_named(memory: Memory, inside: apsw.Connection, column: str) -> None:
    table = 'history_text' if column in ('before', 'after', 'salt') else 'history'
    whose = subjects(memory)
    tried = 0
    for row in rows(inside, table):
        (value,) = inside.execute(f'SELECT {column} FROM {table} WHERE row = ?', (row,)).fetchone()
        inside.execute(f'UPDATE {table} SET {column} = ? WHERE row = ?', (OTHER[column](value), row))
        ((subject, seq, reason),) = named(every(memory))
        assert (subject, seq) == (whose[row >> NUMBER], row & (1 << NUMBER) - 1), column
        assert reason in ('digest', 'link')
        inside.execute(f'UPDATE {table} SET {column} = ? WHERE row = ?', (value, row))
        tried += 1
    assert tried >= 8
    assert every(memory).ok


@pytest.mark.parametrize('value', ['', b'bytes', 'null', '{}', 7, 1.5, '\x00'])
@pytest.mark.parametrize('column', ['before', 'after', 'salt', 'reason', 'hash', 'at', 'format'])
def test_values_that_no_entry_ever_has_are_found(
    memory: Memory, inside: apsw.Connection, column: str, value: Any
) -> None:
    table = 'history_text' if column in ('before', 'after', 'salt') else 'history'
    row = rows(inside, table)[2]
    inside.execute(f'UPDATE {table} SET {column} = ? WHERE row = ?', (value, row))
    assert [b.seq for b in every(memory).breaks] == [row & (1 << NUMBER) - 1]


def test_bytes_that_are_no_text_are_found_and_do_not_stop_it(memory: Memory, inside: apsw.Connection) -> None:
    row = rows(inside, 'history_text')[3]
    inside.execute("UPDATE history_text SET after = CAST(x'7bff7d' AS TEXT) WHERE row = ?", (row,))
    ((_, seq, reason),) = named(every(memory))
    assert (seq, reason) == (row & (1 << NUMBER) - 1, 'digest')


def test_an_entry_that_is_gone_is_missed(memory: Memory, inside: apsw.Connection) -> None:
    whose = subjects(memory)
    for row in rows(inside, 'history'):
        with undone(inside, 'history'):
            inside.execute('DELETE FROM history WHERE row = ?', (row,))
            first = 1 if whose[row >> NUMBER] == whose[3] else row & (1 << NUMBER) - 1  # all but one were erased
            assert named(every(memory)) == [(whose[row >> NUMBER], first, 'missing')]
    assert every(memory).ok


def test_words_that_are_gone_without_an_erasure_are_missed(memory: Memory, inside: apsw.Connection) -> None:
    whose = subjects(memory)
    for row in rows(inside, 'history_text'):
        with undone(inside, 'history_text'):
            inside.execute('DELETE FROM history_text WHERE row = ?', (row,))
            ((subject, seq, reason),) = named(every(memory))
            assert (subject, seq) == (whose[row >> NUMBER], row & (1 << NUMBER) - 1)
            assert reason in ('blank', 'link')


def test_erased_words_that_are_put_back_are_noticed(file: Path, tmp_path: Path) -> None:
    with fast(tmp_path / 'a.db') as memory:
        memory.add('secret', user_id='ana', run_id='r1')
        memory.add('kept', user_id='ana')
        with closing(apsw.Connection(str(tmp_path / 'a.db'))) as inside:
            inside.set_busy_timeout(10_000)
            words = inside.execute('SELECT * FROM history_text WHERE row & 1 = 1').fetchone()
            reason = inside.execute('SELECT reason FROM history WHERE row = ?', words[:1]).fetchone()
            memory.delete_all(user_id='ana', run_id='r1')
            assert memory.verify(user_id='ana').ok
            inside.execute('INSERT INTO history_text VALUES(?, ?, ?, ?)', words)
            inside.execute('UPDATE history SET reason = ? WHERE row = ?', (*reason, words[0]))
            assert [(b.seq, b.reason) for b in memory.verify(user_id='ana').breaks] in (
                [(1, 'restored')],
                [(1, 'removed')],
            )


def test_two_entries_in_each_others_place_are_found(memory: Memory, inside: apsw.Connection) -> None:
    whose = subjects(memory)
    own = [r for r in rows(inside, 'history') if r >> NUMBER == 1]
    for first, second in zip(own[1:], own, strict=False):
        first, second = sorted((first, second))
        for tables in (('history',), ('history', 'history_text')):
            with undone(inside, *tables):
                for table in tables:
                    inside.execute(f'UPDATE {table} SET row = -1 WHERE row = ?', (first,))
                    inside.execute(f'UPDATE {table} SET row = ? WHERE row = ?', (first, second))
                    inside.execute(f'UPDATE {table} SET row = ? WHERE row = -1', (second,))
                (found,) = every(memory).breaks
                place = 1 << NUMBER
                assert (found.subject, found.seq, found.reason) == (whose[1], first % place, 'moved')
                assert found.detail == f'it is entry {second % place}'


@pytest.mark.parametrize('place', ['before the first', 'after the last'])
def test_an_entry_that_was_put_in_is_found(memory: Memory, inside: apsw.Connection, place: str) -> None:
    own = [r for r in rows(inside, 'history') if r >> NUMBER == 1]
    row = (own[0] - 1) if place == 'before the first' else own[-1] + 1
    inside.execute(
        'INSERT INTO history SELECT ?, change_id, memory_id, op, actor, reason, at, digest, hash, hash, format '
        'FROM history WHERE row = ?',
        (row, own[-1]),
    )
    ((_, seq, reason),) = named(every(memory))
    assert seq == row & (1 << NUMBER) - 1
    assert reason in ('link', 'surplus')


@pytest.mark.parametrize(
    ('column', 'value', 'reason'),
    [
        ('chain_length', 'chain_length + 1', 'head'),
        ('chain_length', 'chain_length - 1', 'head'),
        ('chain_length', '0', 'head'),
        ('chain_head', "''", 'head'),
        ('chain_head', 'upper(chain_head)', 'head'),
        ('key', "'eve'", 'owner'),
        ('kind', "'agent'", 'owner'),
        ('project', "'other'", 'owner'),
    ],
)
def test_what_the_owner_says_of_its_chain_is_checked(
    memory: Memory, inside: apsw.Connection, column: str, value: str, reason: str
) -> None:
    inside.execute(f'UPDATE owner SET {column} = {value} WHERE id = 1')
    (found,) = every(memory).breaks
    assert found.reason == reason


def test_a_chain_without_its_owner_is_found(memory: Memory, inside: apsw.Connection) -> None:
    before = memory.checkpoint(all_projects=True)
    inside.execute('DELETE FROM owner WHERE id = 1')
    (found,) = every(memory).breaks
    assert (found.owner.kind, found.reason, found.detail) == ('unknown', 'surplus', 'its owner is gone')
    inside.execute('DELETE FROM history WHERE row >> 24 = 1')
    assert every(memory).ok  # without an anchor nobody can know
    (lost,) = every(memory, anchor=before).breaks
    assert (lost.reason, lost.owner.key) == ('truncated', '1')


COLUMNS = {
    'text': "'Lives on the moon'",
    'kind': "'goal'",
    'slot': "'home.planet'",
    'value': "'moon'",
    'status': "'pending'",
    'level': "'app'",
    'confidence': '0.123',
    'importance': '0.123',
    'trust': "'external'",
    'pinned': '1 - pinned',
    'locked': '1 - locked',
    'said_at': 'said_at + 1',
    'valid_from': 'valid_from - 1',
    'valid_to': '1',
    'expires_at': '1',
    'recorded_at': 'recorded_at - 1',
    'supersedes': "'x'",
    'superseded_by': "'x'",
    'evidence': "'[]'",
    'metadata': "'{}'",
    'tags': """'["x"]'""",
    'id': "'x'",
    'owner': '2',
    'change_id': "'x'",
}


@pytest.mark.parametrize('column', COLUMNS)
def test_a_memory_that_was_changed_in_the_tables_is_found_by_its_entry(
    memory: Memory, inside: apsw.Connection, column: str
) -> None:
    held = memory.history(memory.get_all(user_id='ana').items[-1].id, user_id='ana')
    last = held[-1]
    with undone(inside, 'memory'):
        inside.execute(f'UPDATE memory SET {column} = {COLUMNS[column]} WHERE change_id = ?', (last.change_id,))
        (found,) = every(memory).breaks
        assert (found.seq, found.memory_id) == (last.seq, last.memory_id)
        assert found.reason == ('removed' if column in ('id', 'owner', 'change_id') else 'altered')
        words = found.detail + str(found)
        assert 'tea' not in words
        assert 'moon' not in words
    assert every(memory).ok


@pytest.mark.parametrize('change', ['live = 1 - live', 'retired_at = iif(retired_at IS NULL, 1, NULL)'])
def test_an_old_version_that_counts_again_is_found(memory: Memory, inside: apsw.Connection, change: str) -> None:
    old = inside.execute('SELECT row, id FROM memory WHERE retired_at IS NOT NULL').fetchone()
    inside.execute(f'UPDATE memory SET {change} WHERE row = ?', old[:1])
    (found,) = every(memory).breaks
    assert (found.seq, found.reason, found.memory_id) == (None, 'altered', old[1])


def test_a_memory_that_is_gone_or_has_no_entry_is_found(memory: Memory, inside: apsw.Connection) -> None:
    (latest,) = memory.history(memory.get_all(user_id='ben').items[0].id, user_id='ben')
    with undone(inside, 'memory'):
        inside.execute('DELETE FROM memory WHERE id = ?', (latest.memory_id,))
        (found,) = memory.verify(user_id='ben').breaks
        assert (found.seq, found.reason) == (latest.seq, 'removed')
    names = [row[1] for row in inside.execute('PRAGMA table_info(memory)')]
    taken = ', '.join({'row': 'row + 900', 'id': "'x'", 'hash': "'x'"}.get(n, n) for n in names)
    inside.execute(f'INSERT INTO memory SELECT {taken} FROM memory WHERE id = ?', (latest.memory_id,))
    (found,) = memory.verify(user_id='ben').breaks
    assert (found.seq, found.reason, found.memory_id) == (None, 'unchained', 'x')
    assert str(found).startswith("user 'ben', a memory without an entry")


@pytest.mark.parametrize(
    'change',
    [
        "text = 'likes coffee'",
        "text = 'likes coffee', content_hash = 'made to fit'",
        "role = 'assistant'",
        "name = 'Ben'",
        'text = 7',
        "occurred_at = 'noon', dated = 1",
        'occurred_at = 9000000000000000000, dated = 1',
    ],
)
def test_a_message_that_a_memory_rests_on_and_that_was_changed_is_found(tmp_path: Path, change: str) -> None:
    with fast(tmp_path / 'm.db') as memory:
        memory.add('likes jazz', user_id='ana')
        known = memory.add('likes tea', user_id='ana').memories[0]
        memory.update(known.id, text='likes green tea', user_id='ana')
        message = known.evidence[0].episode_id
        with closing(apsw.Connection(str(tmp_path / 'm.db'))) as inside:
            inside.set_busy_timeout(10_000)
            inside.execute(f"UPDATE episode SET {change} WHERE text = 'likes tea'")
        (broken,) = memory.verify(user_id='ana').breaks
        assert (broken.seq, broken.reason, broken.memory_id) == (2, 'altered', known.id)
        assert broken.detail == f'message {message} it rests on is not what was said'


def test_the_second_message_that_says_the_same_is_watched_too(tmp_path: Path) -> None:
    with fast(tmp_path / 'm.db') as memory:
        memory.add('likes tea', user_id='ana', run_id='r1')
        memory.add({'role': 'user', 'content': 'likes tea', 'timestamp': '2026-05-01T10:00:00Z'}, user_id='ana')
        assert len(memory.get_all(user_id='ana').items[0].evidence) == 2
        assert memory.verify(user_id='ana').ok
        for place, change in ((1, 'run_id IS NOT NULL'), (2, 'run_id IS NULL')):
            with closing(apsw.Connection(str(tmp_path / 'm.db'))) as inside, undone(inside, 'episode'):
                inside.set_busy_timeout(10_000)
                inside.execute(f"UPDATE episode SET text = 'likes rum' WHERE {change}")
                assert [(b.seq, b.reason) for b in memory.verify(user_id='ana').breaks] == [(place, 'altered')]
        with closing(apsw.Connection(str(tmp_path / 'm.db'))) as inside:
            inside.set_busy_timeout(10_000)
            inside.execute('UPDATE episode SET occurred_at = occurred_at + 1 WHERE dated')
        assert [b.seq for b in memory.verify(user_id='ana').breaks] == [2]


def test_the_digest_of_a_message_goes_with_the_message(tmp_path: Path) -> None:
    with fast(tmp_path / 'm.db') as memory:
        memory.add('likes tea', user_id='ana', run_id='r1')
        said = memory.add('likes tea', user_id='ana', run_id='r2').memories[0]
        alone = memory.add('likes rum', user_id='ana').memories[0]
        told = {e.seq: json.loads(e.after or '{}')['message_digests'] for e in memory.audit_log(user_id='ana')}
        first, second = (e.episode_id for e in said.evidence)
        assert [set(told[seq]) for seq in (1, 2, 3)] == [{first}, {second}, {alone.evidence[0].episode_id}]
        memory.forget(episode_id=second, user_id='ana')
        memory.forget(episode_id=alone.evidence[0].episode_id, user_id='ana')
        left = '\n'.join(map(str, memory.audit_log(user_id='ana')))
        assert told[1][first] in left
        for seq in (2, 3):
            assert not any(digest in left for digest in told[seq].values())
        assert memory.verify(user_id='ana').ok
        assert [m.text for m in memory.get_all(user_id='ana')] == ['likes tea']


def test_digests_of_messages_come_along_to_another_storage(tmp_path: Path) -> None:
    with fast(tmp_path / 'm.db') as memory:
        memory.add('likes tea', user_id='ana')
        memory.export(user_id='ana').save(tmp_path / 'ana.json')
    migrate(tmp_path / 'm.db', tmp_path / 'moved.db')
    with fast(tmp_path / 'imported.db') as memory:
        memory.import_subject(tmp_path / 'ana.json')
    for name in ('moved', 'imported'):
        with fast(tmp_path / f'{name}.db') as memory:
            assert every(memory).ok
            with closing(apsw.Connection(str(tmp_path / f'{name}.db'))) as inside:
                inside.set_busy_timeout(10_000)
                inside.execute("UPDATE episode SET text = 'likes rum'")
            assert [(b.seq, b.reason) for b in every(memory).breaks] == [(1, 'altered')]


def test_entries_that_hold_no_digests_are_proved_as_before(tmp_path: Path) -> None:
    with closing(apsw.Connection(str(tmp_path / 'old.db'))) as inside:
        inside.execute((Path(__file__).parent / 'data' / 'schema_v3.sql').read_text('utf-8'))
    with fast(tmp_path / 'old.db') as memory:
        assert every(memory).ok
        known = memory.get_all(user_id='ana', filters={'text': {'contains': 'tea'}}).items[0]
        memory.update(known.id, pinned=True, user_id='ana')
        memory.add('likes jazz', user_id='ana')
        with closing(apsw.Connection(str(tmp_path / 'old.db'))) as inside:
            inside.set_busy_timeout(10_000)
            inside.execute("UPDATE episode SET text = text || '!' WHERE text LIKE '%tea%'")
            assert every(memory).ok
            inside.execute("UPDATE episode SET text = text || '!' WHERE text LIKE '%jazz%'")
            assert [b.reason for b in every(memory).breaks] == ['altered']


def forge(inside: apsw.Connection, owner: int, *, upto: int | None = None, actor: str | None = None) -> None:
    """What somebody can do who knows the algorithm: cut the end off, or change an entry, and hash all anew."""

    def sha(*parts: str) -> str:
        return hashlib.sha256(b''.join(len(p.encode()).to_bytes(8, 'big') + p.encode() for p in parts)).hexdigest()

    low = owner << NUMBER
    if upto is not None:
        inside.execute('DELETE FROM history WHERE row BETWEEN ? AND ?', (low + upto + 1, low + (1 << NUMBER) - 1))
        inside.execute('DELETE FROM history_text WHERE row BETWEEN ? AND ?', (low + upto + 1, low + (1 << NUMBER) - 1))
        inside.execute('DELETE FROM memory WHERE owner = ? AND id NOT IN (SELECT memory_id FROM history)', (owner,))
    if actor is not None:
        inside.execute('UPDATE history SET actor = ? WHERE row = ?', (actor, low + 1))
    found = inside.execute(
        'SELECT row, change_id, memory_id, op, actor, at, digest, prev_hash FROM history WHERE row >> 24 = ? '
        'ORDER BY row',
        (owner,),
    ).fetchall()
    head = found[0][7]
    for row, change, memory, op, who, at, digest, _ in found:
        own = sha(head, str(row - low), change, memory, op, who, str(at), digest)
        inside.execute('UPDATE history SET prev_hash = ?, hash = ? WHERE row = ?', (head, own, row))
        head = own
    inside.execute('UPDATE owner SET chain_length = ?, chain_head = ? WHERE id = ?', (len(found), head, owner))


def test_a_chain_that_was_cut_off_or_made_anew_is_told_by_an_anchor_only(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    with fast(path) as memory, closing(apsw.Connection(str(path))) as inside:
        inside.set_busy_timeout(10_000)
        for number in range(4):
            memory.add(f'fact number {number}', user_id='ana')
        anchor = str(memory.project_wide().checkpoint())
        memory.add('and a fifth', user_id='ana')
        assert memory.verify(user_id='ana', anchor=anchor).anchored == 1
        assert memory.verify(user_id='ana', anchor=anchor).ok
        tables = ('history', 'history_text', 'memory', 'owner')
        with undone(inside, *tables):
            forge(inside, 1, upto=4)
            assert memory.verify(user_id='ana', anchor=anchor).ok  # what came after the anchor it can't tell
        with undone(inside, *tables):
            forge(inside, 1, upto=2)
            assert memory.verify(user_id='ana').ok
            (found,) = memory.verify(user_id='ana', anchor=anchor).breaks
            assert (found.seq, found.reason) == (3, 'truncated')
            assert found.detail == 'entries 3 to 4 were there when the anchor was made'
        with undone(inside, *tables):
            forge(inside, 1, actor='nobody')
            assert memory.verify(user_id='ana').ok
            (found,) = memory.verify(user_id='ana', anchor=anchor).breaks
            assert (found.seq, found.reason) == (4, 'rewritten')


def test_an_erasure_since_the_anchor_is_no_break_and_is_counted(tmp_path: Path) -> None:
    with fast(tmp_path / 'm.db') as memory:
        for user in ('ana', 'ben'):
            memory.add('one', user_id=user)
            memory.add('two', user_id=user, run_id='r1')
        anchor = memory.checkpoint(all_projects=True)
        memory.delete_all(user_id='ana')
        memory.delete_all(user_id='ben', run_id='r1')
        found = every(memory, anchor=anchor)
        assert found.ok, found.breaks
        assert (found.anchored, found.unprovable, found.erased) == (2, 2, 3)
        alone = memory.verify(user_id='ana', anchor=anchor)
        assert alone.ok
        assert (alone.owners, alone.unprovable) == (1, 2)


def test_an_erased_chain_of_another_past_is_told_by_an_anchor(tmp_path: Path) -> None:
    path = tmp_path / 'm.db'
    with fast(path) as memory, closing(apsw.Connection(str(path))) as inside:
        inside.set_busy_timeout(10_000)
        memory.add('one', user_id='ana')
        anchor = memory.checkpoint(user_id='ana')
        forge(inside, 1, actor='nobody')
        memory.delete_all(user_id='ana')
        assert every(memory).ok
        assert [b.reason for b in every(memory, anchor=anchor).breaks] == ['rewritten']


def test_a_checkpoint_names_nobody_and_is_refused_when_it_was_altered(tmp_path: Path) -> None:
    with fast(tmp_path / 'm.db') as memory, fast(tmp_path / 'n.db') as another:
        memory.add('one', user_id='ana@example.org')
        memory.in_project('other').add('two', user_id='ben')
        made = memory.project_wide().checkpoint()
        document = str(made)
        assert 'ana' not in document
        assert (made.entries, len(made.chains), made.project) == (1, 1, 'default')
        assert Checkpoint.parse(document) == made
        assert memory.project_wide().verify(anchor=json.loads(document)).ok
        for spoiled in (
            document.replace('"entries": 1', '"entries": 2'),
            document[:-1],
            '{}',
            '7',
            'x',
            '[]',
            '{"a": 1}',
        ):
            with pytest.raises(InvalidInput):
                memory.project_wide().verify(anchor=spoiled)
        newer = {**json.loads(document), 'format': 2}
        with pytest.raises(InvalidInput, match='upgrade memoranda'):
            memory.project_wide().verify(anchor=newer)
        with pytest.raises(InvalidInput, match='another storage'):
            another.project_wide().verify(anchor=made)
        with pytest.raises(InvalidInput, match="project 'default'"):
            memory.in_project('other').project_wide().verify(anchor=made)
        whole = memory.checkpoint(all_projects=True)
        assert memory.in_project('other').project_wide().verify(anchor=whole).anchored == 1
        assert another.verify(all_projects=True).owners == 0


def test_whose_chain_is_meant_must_be_said(tmp_path: Path) -> None:
    with fast(tmp_path / 'm.db') as memory:
        memory.add('one', user_id='ana', agent_id='a', run_id='r')
        with pytest.raises(InvalidScope, match='no id was given'):
            memory.verify()
        for part in ({'run_id': 'r'}, {'agent_id': 'a'}):
            for call in (memory.verify, memory.checkpoint, memory.audit_log, memory.reads):
                with pytest.raises(InvalidScope, match='pass user_id alone'):
                    call(user_id='ana', **part)
        bound = memory.scoped(Scope(user_id='ana'))
        assert bound.verify().owners == 1
        with pytest.raises(InvalidScope):
            bound.verify(all_projects=True)
        with pytest.raises(InvalidScope):
            bound.verify(user_id='ben')
        with pytest.raises(InvalidScope):
            memory.verify(user_id='ana', all_projects=True)
        assert memory.verify(user_id='nobody').owners == 0
        assert memory.scoped(Scope.GLOBAL).verify().owners == 0
        assert memory.in_project('other').project_wide().verify().owners == 0


def test_a_long_chain_is_proved_while_others_write(tmp_path: Path) -> None:
    with fast(tmp_path / 'm.db', policy=Policy(audit_reads=True)) as memory:
        (known,) = memory.add('fact', user_id='ana', infer=False).memories
        for number in range(SIZE - 1):
            memory.acting_as(f'reader {number}').get(known.id, user_id='ana')
        memory.add('other', user_id='ben', infer=False)
        seen: list[tuple[int, int]] = []

        def write(owners: int, entries: int) -> None:
            memory.add(f'meanwhile {owners}', user_id='carla', infer=False)
            seen.append((owners, entries))

        found = every(memory, progress=write)
        assert found.ok, found.breaks
        assert seen[:2] == [(1, SIZE), (2, SIZE + 1)]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(('slot', 'fact', 'run', 'edit', 'delete', 'erase', 'erase run', 'revert', 'clean', 'read')),
        st.sampled_from(('ana', 'ben')),
        st.integers(0, 3),
    ),
    max_size=14,
)


@settings(max_examples=25)
@given(STEPS)
def test_whatever_is_done_the_chains_hold(steps: list[tuple[str, str, int]]) -> None:
    with fast(policy=Policy(audit_reads=True)) as memory:
        first = None
        for number, (step, user, choice) in enumerate(steps):
            ids = {'user_id': user}
            held = memory.get_all(**ids).items
            if step == 'slot':
                memory.add(f'home.city = City{choice}', **ids, run_id=f'r{choice}')
            elif step == 'fact':
                memory.add(f'fact {choice}', **ids, tags=[f't{number}'])
            elif step == 'run':
                memory.add(f'here: fact {choice}', **ids, run_id=f'r{choice}')
            elif step == 'erase':
                memory.delete_all(**ids)
            elif step == 'erase run':
                memory.delete_all(**ids, run_id=f'r{choice}')
            elif step == 'clean':
                memory.clean(**ids, merge_duplicates=True)
            elif step == 'read':
                memory.search('fact', **ids)
            elif held and step == 'edit':
                memory.update(held[choice % len(held)].id, text=f'edited {number}', **ids)
            elif held and step == 'delete':
                memory.delete(held[choice % len(held)].id, **ids)
            elif step == 'revert' and (changes := memory.changes(**ids).items):
                memory.revert(changes[0].id, cascade=True, **ids)
            if number == 5:
                first = memory.checkpoint(all_projects=True)
        found = every(memory, anchor=first)
        assert found.ok, found.breaks


def test_what_other_parts_do_keeps_the_chains_whole(tmp_path: Path) -> None:
    file = tmp_path / 'ana.json'
    with fast(tmp_path / 'm.db', policy=Policy(review='all')) as memory:
        known, other = (memory.add(text, user_id='ana').pending[0].id for text in ('likes tea', 'likes jazz'))
        memory.add('said in a run', user_id='ana', run_id='r1')
        boss = memory.acting_as('reviewer:bo')
        boss.review.approve(known, user_id='ana')
        boss.review.reject(other, user_id='ana')
        told = [(e.op, e.actor) for i in (known, other) for e in memory.history(i, user_id='ana')]
        assert told == [('add', 'grammar'), ('approve', 'reviewer:bo'), ('add', 'grammar'), ('reject', 'reviewer:bo')]
        memory.delete_all(user_id='ana', run_id='r1')
        memory.export(user_id='ana').save(file)
        anchor = memory.checkpoint(all_projects=True)
        boss.forget(user_id='ana')
        assert [e.actor for e in memory.audit_log(all_projects=True)] == ['reviewer:bo']
        memory.import_subject(file, restore=True)
        found = every(memory, anchor=anchor)
        assert found.ok, found.breaks
        assert found.versions == 4
        assert memory.verify(user_id='ana').ok
    with fast(tmp_path / 'n.db') as elsewhere:
        elsewhere.import_subject(file)
        elsewhere.add('goes on', user_id='ana')
        elsewhere.in_project('acme').add('something', user_id='ben')
        assert every(elsewhere).ok
        anchor = elsewhere.checkpoint(all_projects=True)
        elsewhere.in_project('acme').project_wide().forget(whole_project=True)
        found = every(elsewhere, anchor=anchor)
        assert found.ok, found.breaks
        assert (found.anchored, found.unprovable) == (2, 1)
        with closing(apsw.Connection(str(tmp_path / 'n.db'))) as inside:
            inside.set_busy_timeout(10_000)
            inside.execute(
                "UPDATE history_text SET after = replace(after, 'begins', 'began') WHERE after LIKE '%begins%'"
            )
        assert [b.reason for b in every(elsewhere).breaks] == ['digest']


def test_an_imported_chain_that_is_given_to_somebody_else_is_found(tmp_path: Path) -> None:
    file = tmp_path / 'ana.json'
    with fast(tmp_path / 'm.db') as memory:
        memory.add('likes tea', user_id='ana')
        memory.export(user_id='ana').save(file)
    with fast(tmp_path / 'n.db') as elsewhere:
        elsewhere.import_subject(file)
        assert every(elsewhere).ok
        elsewhere.export(user_id='ana').save(tmp_path / 'again.json')
    with closing(apsw.Connection(str(tmp_path / 'n.db'))) as inside:
        inside.execute("UPDATE owner SET key = 'mallory' WHERE key = 'ana'")
    with fast(tmp_path / 'n.db') as elsewhere:
        (broken,) = every(elsewhere).breaks
        assert (broken.reason, broken.owner.key) == ('owner', 'mallory')
    with fast(tmp_path / 'o.db') as third:  # and one that was imported before is as good here as any
        third.import_subject(tmp_path / 'again.json')
        assert every(third).ok


def test_who_stored_a_fact_as_given_is_noted(memory: Memory) -> None:
    jane = memory.acting_as('support:jane')
    jane.add('Plays chess', user_id='dan', infer=False)
    jane.apply(memory.preview('Sings', user_id='dan', infer=False))
    jane.add('dances = tango', user_id='dan')
    memory.acting_as('user').add('Cooks', user_id='dan', infer=False)  # which is no decision over what is believed
    assert {c.edits[0].after.text: c.actor for c in memory.changes(user_id='dan')} == {
        'Plays chess': 'support:jane',
        'Sings': 'support:jane',
        'dances is tango': 'grammar',
        'Cooks': 'caller',
    }
    assert memory.verify(user_id='dan').ok


def test_the_log_can_be_read_page_by_page_and_proved_by_its_lines(memory: Memory) -> None:
    seen: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = memory.audit_log(all_projects=True, limit=4, cursor=cursor)
        seen += [json.loads(str(entry)) for entry in page]
        cursor = page.cursor
        if cursor is None:
            break
    assert len(seen) == 13
    assert [(e['owner'], e['seq']) for e in seen] == sorted((e['owner'], e['seq']) for e in seen)
    assert seen == [json.loads(str(e)) for e in memory.audit_log(all_projects=True)]

    def sha(*parts: str) -> str:
        return hashlib.sha256(b''.join(len(p.encode()).to_bytes(8, 'big') + p.encode() for p in parts)).hexdigest()

    heads: dict[int, str] = {}
    for e in seen:
        if e['salt'] is not None:
            assert e['digest'] == sha(e['salt'], e['before'] or '', e['after'] or '', e['reason'])
        parts = (e['change_id'], e['memory_id'], e['op'], e['actor'], str(e['at']), e['digest'])
        assert e['hash'] == sha(e['prev_hash'], str(e['seq']), *parts)
        assert e['prev_hash'] == heads.get(e['owner'], e['subject'] if e['seq'] == 1 else e['prev_hash'])
        heads[e['owner']] = e['hash']
    bare = [json.loads(str(e)) for e in memory.audit_log(all_projects=True, words=False)]
    assert [e['hash'] for e in bare] == [e['hash'] for e in seen]
    assert 'tea' not in json.dumps(bare)
    assert {e['owner'] for e in map(vars_of, memory.audit_log(user_id='ben'))} == {2}
    for cursor in ('x', '9' * 19, '-1'):
        with pytest.raises(InvalidInput):
            memory.audit_log(user_id='ana', cursor=cursor)


def vars_of(entry: Any) -> dict[str, Any]:
    return json.loads(str(entry))
