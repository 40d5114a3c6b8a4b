"""Erasure: first the rows, in one transaction; then what their bytes left behind in the files.

SQLite's `secure_delete` zeroes deleted cells and freed pages, but two places keep old bytes: the write-ahead log, and
the unallocated gap of a page whose cells a page split once moved elsewhere (measured: about one row in 20,000 when
owners' rows interleave). So after the commit the log is truncated and the gaps are zeroed. Both wait until no reader
holds the log; until then the erasure is listed in the table `scrub`, and is taken up again, also after a restart.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import apsw
import numpy as np

from memoranda.records import new_id, now
from memoranda.scope import Erasure
from memoranda.stores.base import ErasureResult
from memoranda.stores.history import digest_of, dump_state, erase_hash
from memoranda.stores.sqlite.database import Connection
from memoranda.stores.sqlite.queue import settle
from memoranda.stores.sqlite.rows import OwnerRow, find_owner, row_range, to_us
from memoranda.stores.sqlite.schema import SEQ_BITS, SEQ_MASK, vector_tables
from memoranda.stores.sqlite.withdrawing import Saying, withdraw
from memoranda.stores.sqlite.writing import MEMORIES, SEGMENTS, tick

__all__ = ['INLINE_BYTES', 'TICK_BYTES', 'Progress', 'SweepFiles', 'erase', 'scrub']

_SWEEP_BYTES = 16 << 20
INLINE_BYTES = 64 << 20
"""Files up to this size are swept before an erasure returns; larger ones go on in the background."""
TICK_BYTES = 256 << 20
"""How much of a large file is swept every two seconds; a tenth of a second in which nothing else is written."""
_HEADERS = {0x0D: 8, 0x0A: 8, 0x05: 12, 0x02: 12}  # b-tree page types and the length of their headers
_CHECKPOINT_WAIT_MS = 100


def erase(connection: Connection, erasure: Erasure) -> ErasureResult:
    """Remove an owner, or the part of it that was said under a run, an agent or an app."""
    owner = find_owner(connection, erasure.owner)
    if owner is None:
        pending = _count(connection, 'SELECT count(*) FROM scrub', ()) > 0  # perhaps of this very owner's erasure
        return ErasureResult(memories=0, episodes=0, versions=0, scrub='pending' if pending else 'verified')
    connection.execute('INSERT INTO scrub(requested_at) VALUES(?)', (to_us(now()),))
    result = _whole(connection, owner) if erasure.whole else _part(connection, owner, erasure)
    connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'erasures'")
    return result


def _count(connection: Connection, sql: str, values: Sequence[Any]) -> int:
    return connection.execute(sql, values).fetchone()[0]


def _vector_tables(connection: Connection) -> list[tuple[str, str]]:
    return [vector_tables(id_) for (id_,) in connection.execute('SELECT id FROM generation').fetchall()]


def _whole(connection: Connection, owner: OwnerRow) -> ErasureResult:
    span = row_range(owner.id)
    result = ErasureResult(
        memories=_count(connection, 'SELECT count(DISTINCT id) FROM memory WHERE row BETWEEN ? AND ?', span),
        versions=_count(connection, 'SELECT count(*) FROM memory WHERE row BETWEEN ? AND ?', span),
        episodes=_count(connection, 'SELECT count(*) FROM episode WHERE row BETWEEN ? AND ?', span),
        scrub='pending',
    )
    tables = ['memory', 'episode', 'segment', 'conversation', 'change_set', 'history', 'history_text', 'job']
    for table in [*tables, *(t for pair in _vector_tables(connection) for t in pair)]:
        connection.execute(f'DELETE FROM {table} WHERE row BETWEEN ? AND ?', span)
    connection.execute('DELETE FROM evidence WHERE episode BETWEEN ? AND ?', span)
    for table in ('posting', 'speaker', 'rejected', 'usage', 'queue'):
        connection.execute(f'DELETE FROM {table} WHERE owner = ?', (owner.id,))
    _close_chain(connection, owner)
    clock = tick(connection)
    connection.execute(
        "UPDATE owner SET kind = 'erased', key = ?, salt = zeroblob(16), version = ?, epoch = ? WHERE id = ?",
        (str(owner.id), clock, clock, owner.id),
    )
    return result


def _part(connection: Connection, owner: OwnerRow, erasure: Erasure) -> ErasureResult:
    low, high = row_range(owner.id)
    ids = {'run_id': erasure.run_id, 'agent_id': erasure.agent_id, 'app_id': erasure.app_id}
    wanted = {name: value for name, value in ids.items() if value is not None}
    said = ' AND '.join(f'{name} = ?' for name in wanted)
    values = (low, high, *wanted.values())
    episodes = {
        r for (r,) in connection.execute(f'SELECT row FROM episode WHERE row BETWEEN ? AND ? AND {said}', values)
    }
    saying = Saying(episodes, wanted)
    touched = {i for (i,) in connection.execute(f'SELECT id FROM memory WHERE row BETWEEN ? AND ? AND {said}', values)}
    for row in episodes:
        touched.update(
            i
            for (i,) in connection.execute(
                'SELECT m.id FROM evidence v JOIN memory m ON m.row = v.memory WHERE v.episode = ?', (row,)
            )
        )
    memories, gone = withdraw(connection, touched, saying)
    segments = [
        r
        for r, episode in connection.execute('SELECT row, episode FROM segment WHERE row BETWEEN ? AND ?', (low, high))
        if episode in episodes
    ]
    _delete_rows(connection, 'memory', memories)
    _delete_rows(connection, 'segment', segments)
    _delete_rows(connection, 'episode', episodes)
    for memory_table, segment_table in _vector_tables(connection):
        _delete_rows(connection, memory_table, memories)
        _delete_rows(connection, segment_table, segments)
    connection.executemany('DELETE FROM evidence WHERE episode = ?', [(e,) for e in episodes])
    connection.executemany(
        'DELETE FROM usage WHERE owner = ? AND memory = ? AND NOT EXISTS(SELECT 1 FROM memory WHERE id = usage.memory)',
        [(owner.id, id_) for id_ in touched],
    )
    _forget_speakers(connection, owner, (low, high))
    _unpost(connection, owner, {MEMORIES: memories, SEGMENTS: segments})
    _drop_jobs(connection, owner, saying)
    connection.execute(
        'DELETE FROM conversation WHERE row BETWEEN ? AND ? AND NOT EXISTS'
        '(SELECT 1 FROM episode WHERE episode.conversation = conversation.row)',
        (low, high),
    )
    _note(connection, owner, ', '.join(wanted), _blanks(connection, owner))
    clock = tick(connection)
    connection.execute('UPDATE owner SET version = ?, epoch = ? WHERE id = ?', (clock, clock, owner.id))
    return ErasureResult(memories=gone, versions=len(memories), episodes=len(episodes), scrub='pending')


def _delete_rows(connection: Connection, table: str, rows: Iterable[int]) -> None:
    connection.executemany(f'DELETE FROM {table} WHERE row = ?', [(r,) for r in rows])


def _forget_speakers(connection: Connection, owner: OwnerRow, span: tuple[int, int]) -> None:
    """Names that no message is left under. Their numbers stay taken."""
    heard = {s for (s,) in connection.execute('SELECT DISTINCT speaker FROM segment WHERE row BETWEEN ? AND ?', span)}
    numbers = connection.execute('SELECT ordinal FROM speaker WHERE owner = ?', (owner.id,)).fetchall()
    connection.executemany(
        'UPDATE speaker SET name = NULL WHERE owner = ? AND ordinal = ?',
        [(owner.id, ordinal) for (ordinal,) in numbers if ordinal not in heard],
    )


def _unpost(connection: Connection, owner: OwnerRow, lanes: dict[int, list[int]]) -> None:
    dtype = np.dtype([('seq', '<u4'), ('tf', 'u1')])
    for lane, rows in lanes.items():
        if not rows:
            continue
        gone = np.array([r & SEQ_MASK for r in rows], dtype=np.uint32)
        chunks = connection.execute(
            'SELECT term, chunk, data FROM posting WHERE owner = ? AND lane = ?', (owner.id, lane)
        ).fetchall()
        for term, chunk, data in chunks:
            found = np.frombuffer(data, dtype=dtype)
            rest = found[~np.isin(found['seq'], gone)]
            key = (owner.id, lane, term, chunk)
            if not len(rest):
                connection.execute('DELETE FROM posting WHERE owner = ? AND lane = ? AND term = ? AND chunk = ?', key)
            elif len(rest) < len(found):
                connection.execute(
                    'UPDATE posting SET data = ? WHERE owner = ? AND lane = ? AND term = ? AND chunk = ?',
                    (rest.tobytes(), *key),
                )


def _drop_jobs(connection: Connection, owner: OwnerRow, saying: Saying) -> None:
    """Jobs go with their messages, and those without messages by the ids they were given under.

    One that is running loses its lease so, and its commit fails. A job holds tags and instructions of the caller, and
    the error of one that stays may quote what others said.
    """
    span = row_range(owner.id)
    for row, payload in connection.execute('SELECT row, payload FROM job WHERE row BETWEEN ? AND ?', span).fetchall():
        options = json.loads(payload)
        # Older files don't tell under which ids: a job without messages is of use for its idempotency key alone.
        under = options.get('said_under')
        given = saying.covers(under) if under is not None else not options['episodes']
        if given or any(e in saying.episodes for e in options['episodes']):
            connection.execute('DELETE FROM job WHERE row = ?', (row,))
    connection.execute(
        "UPDATE job SET last_error = substr(last_error, 1, instr(last_error || ':', ':') - 1) "
        'WHERE row BETWEEN ? AND ? AND last_error IS NOT NULL',
        span,
    )
    settle(connection, (owner.id,))


def _close_chain(connection: Connection, owner: OwnerRow) -> None:
    """In place of a chain whose entries all go: one link that says how many there were, behind the last one's hash."""
    (length,) = connection.execute('SELECT chain_length FROM owner WHERE id = ?', (owner.id,)).fetchone()
    _note(connection, owner, 'everything', [[1, length]] if length else [])


def _blanks(connection: Connection, owner: OwnerRow) -> list[list[int]]:
    """Which entries have no words left, as ranges."""
    ranges: list[list[int]] = []
    for (row,) in connection.execute(
        'SELECT h.row FROM history h LEFT JOIN history_text t ON t.row = h.row '
        'WHERE h.row BETWEEN ? AND ? AND t.row IS NULL ORDER BY h.row',
        row_range(owner.id),
    ):
        number = row & SEQ_MASK
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges


def _note(connection: Connection, owner: OwnerRow, what: str, blanked: list[list[int]]) -> None:
    """Append a link that names the entries without words, so that an honest blank can be told from tampering."""
    length, head = connection.execute('SELECT chain_length, chain_head FROM owner WHERE id = ?', (owner.id,)).fetchone()
    at, salt, change_id = to_us(now()), secrets.token_hex(16), new_id()
    after = dump_state({'erased': what, 'blanked': blanked})
    digest = digest_of(salt, '', None, after)
    link_hash = erase_hash(head, length + 1, change_id, at, digest)
    row = owner.id << SEQ_BITS | (length + 1)
    connection.execute(
        'INSERT INTO history VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
        (row, change_id, '', 'erase', 'user', 'erasure', at, digest, head, link_hash),
    )
    connection.execute('INSERT INTO history_text VALUES(?, ?, ?, ?)', (row, None, after, salt))
    connection.execute(
        'UPDATE owner SET chain_length = ?, chain_head = ? WHERE id = ?', (length + 1, link_hash, owner.id)
    )


_ZEROS = bytes(65536)  # as long as a page can be


class SweepFiles:
    """One descriptor per database file, open as long as some store of this process has the file open.

    Closing any descriptor of a file drops every POSIX lock this process holds on it, SQLite's included; so it is
    opened once, shared, and closed only after the last store has closed its connections.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: dict[str, set[object]] = {}
        self._open: dict[str, int] = {}

    def enter(self, path: str, user: object) -> None:
        """A store opens the file. May wait for the disk, so it is no call for an event loop."""
        with self._lock:
            self._users.setdefault(path, set()).add(user)

    def leave(self, path: str, user: object) -> None:
        """A store has closed its last connection to the file, or never opened one."""
        with self._lock:
            users = self._users.get(path, set())
            users.discard(user)
            if path in self._users and not users:
                del self._users[path]
                if path in self._open:
                    os.close(self._open.pop(path))

    def renew(self, path: str) -> None:
        """Another file may be at the path: let go of the one before."""
        try:
            found = os.stat(path)
        except OSError:
            found = None
        with self._lock:
            known = self._open.get(path)
            if known is not None and (found is None or not os.path.samestat(os.fstat(known), found)):
                os.close(self._open.pop(path))

    def descriptor(self, path: str) -> int:
        """The shared descriptor."""
        with self._lock:
            if path not in self._open:
                self._open[path] = os.open(path, os.O_RDWR | getattr(os, 'O_BINARY', 0) | getattr(os, 'O_CLOEXEC', 0))
            return self._open[path]


@dataclass(slots=True)
class Progress:
    """How far a sweep has come, kept in memory: a restart begins anew."""

    up_to: int = 0
    """The last erasure it serves; a later one starts it again."""
    page: int = 0


def scrub(
    connection: Connection, path: str, files: SweepFiles, progress: Progress, *, most_bytes: int | None, busy_ms: int
) -> bool:
    """Truncate the log and zero the gaps. Runs outside a transaction.

    Args:
        connection: The writer's.
        path: The database file.
        files: Gives the descriptor to sweep through.
        progress: Where the last call stopped.
        most_bytes: How much to sweep now, for the writer has other things to do; None: all that is left.
        busy_ms: The connection's busy timeout, restored afterwards.

    Returns:
        Whether nothing erased is left in the files.
    """
    pending = connection.execute('SELECT max(id) FROM scrub').fetchone()[0]
    if pending is None:
        return True
    if pending > progress.up_to:
        progress.up_to, progress.page = pending, 0
    # Pages cached before the sweep would be written back with their old gaps. Ours go here; the commit after each part
    # makes every other connection drop its cache.
    connection.release_memory()
    if not _truncate(connection, busy_ms):
        return False
    size: int = connection.pragma('page_size')  # of the file: it may have been made anew by another tool
    end = connection.pragma('page_count')
    stop = end if most_bytes is None else min(end, progress.page + most_bytes // size)
    while progress.page < stop:
        connection.execute('BEGIN IMMEDIATE')
        try:
            if os.path.exists(path + '-wal') and os.path.getsize(path + '-wal'):
                connection.execute('ROLLBACK')
                if not _truncate(connection, busy_ms):
                    return False
                continue
            last = min(progress.page + _SWEEP_BYTES // size, stop)
            _sweep(files.descriptor(path), progress.page, last, size)
            if last >= end:
                os.fsync(files.descriptor(path))
                connection.execute('DELETE FROM scrub WHERE id <= ?', (progress.up_to,))
            else:  # somebody may have read these pages before they were swept: this commit drops their cache too
                connection.execute('UPDATE scrub SET requested_at = requested_at + 1 WHERE id = ?', (progress.up_to,))
            connection.execute('COMMIT')
            progress.page = last
        except BaseException:
            if connection.in_transaction:
                connection.execute('ROLLBACK')
            raise
    return progress.page >= end


def _truncate(connection: Connection, busy_ms: int) -> bool:
    connection.set_busy_timeout(_CHECKPOINT_WAIT_MS)
    try:
        busy = connection.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchone()[0]
    except apsw.BusyError:
        return False
    finally:
        connection.set_busy_timeout(busy_ms)
    return not busy


def _sweep(descriptor: int, first: int, last: int, size: int) -> None:
    """Zero the gap between the cell pointers and the cells of b-tree pages (SQLite file format, section 1.6).

    The write lock is held and the log is empty, so nobody writes the file; a reader never looks into a gap.
    """
    data = _read(descriptor, first * size, (last - first) * size)
    for number in range(len(data) // size):
        base = number * size
        header = base + (100 if first + number == 0 else 0)  # page 1 begins with the file header
        length = _HEADERS.get(data[header])
        if length is None:
            continue
        cells = int.from_bytes(data[header + 3 : header + 5])
        content = int.from_bytes(data[header + 5 : header + 7]) or 65536
        gap, end = header + length + 2 * cells, base + content
        # Comparing with zeros is a memcmp; counting zeros would look at each byte.
        if gap < end <= base + size and data[gap:end] != _ZEROS[: end - gap]:
            _write(descriptor, first * size + gap, bytes(end - gap))


def _read(descriptor: int, offset: int, length: int) -> bytes:
    parts: list[bytes] = []
    os.lseek(descriptor, offset, os.SEEK_SET)
    while length > 0 and (part := os.read(descriptor, length)):
        parts.append(part)
        length -= len(part)
    return b''.join(parts)


def _write(descriptor: int, offset: int, data: bytes) -> None:
    os.lseek(descriptor, offset, os.SEEK_SET)
    while data:
        data = data[os.write(descriptor, data) :]
