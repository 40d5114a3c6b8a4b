"""What erased rows left behind in the files: found and zeroed.

SQLite's `secure_delete` zeroes deleted cells and freed pages, but two places keep old bytes: the write-ahead log, and
the unallocated gap of a page whose cells a page split once moved elsewhere (measured: about one row in 20,000 when
owners' rows interleave). So after the commit the log is truncated and the gaps are zeroed. Both wait until no reader
holds the log; until then the erasure is listed in the table `scrub`, and is taken up again, also after a restart.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass

import apsw

from memoranda.stores.sql.database import Connection

__all__ = ['INLINE_BYTES', 'TICK_BYTES', 'Progress', 'SweepFiles', 'scrub']

_SWEEP_BYTES = 16 << 20
INLINE_BYTES = 64 << 20
"""Files up to this size are swept before an erasure returns; larger ones go on in the background."""
TICK_BYTES = 256 << 20
"""How much of a large file is swept every two seconds; a tenth of a second in which nothing else is written."""
_HEADERS = {0x0D: 8, 0x0A: 8, 0x05: 12, 0x02: 12}  # b-tree page types and the length of their headers
_CHECKPOINT_WAIT_MS = 100
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
        Whether nothing erased is left in the files, and nothing is left to be erased.
    """
    pending = _pending(connection)
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
                connection.execute('DELETE FROM scrub WHERE id <= ? AND rest IS NULL', (progress.up_to,))
            else:  # somebody may have read these pages before they were swept: this commit drops their cache too
                connection.execute('UPDATE scrub SET requested_at = requested_at + 1 WHERE id = ?', (progress.up_to,))
            connection.execute('COMMIT')
            progress.page = last
        except BaseException:
            if connection.in_transaction:
                connection.execute('ROLLBACK')
            raise
    return progress.page >= end and _pending(connection) is None


def _pending(connection: Connection) -> int | None:
    return connection.execute('SELECT max(id) FROM scrub').fetchone()[0]


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
