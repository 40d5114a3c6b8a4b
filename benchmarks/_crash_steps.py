"""One process that is killed at its n-th write to the database, for every n: the instants chance may not meet.

The writes are counted in a layer under SQLite. A kill can cut a write where a page of memory ends, so a part of the
n-th write is done first.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import apsw

from _crash_actors import Entry, Pen, Stage, or_end
from _crash_storm import in_child
from memoranda import Memory

if TYPE_CHECKING:
    from typing_extensions import Buffer

MEMORY_PAGE = 4096


class Dying(apsw.VFS):
    """Files whose n-th write is the last thing this process does."""

    def __init__(self, last: int, seed: str) -> None:
        super().__init__('dying', 'unix', makedefault=True)
        self._lock = threading.Lock()
        self._last, self._random = last, random.Random(seed)
        self.done = 0

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _File(self, name, flags)

    def count(self, data: Buffer) -> memoryview | None:
        """None, or what of the last write is done."""
        with self._lock:
            self.done += 1
            if self.done != self._last:
                return None
            view = memoryview(data)
            return view[: self._random.randint(0, len(view) // MEMORY_PAGE) * MEMORY_PAGE]


class _File(apsw.VFSFile):
    def __init__(self, vfs: Dying, name: Any, flags: list[int]) -> None:
        self._vfs = vfs
        super().__init__('unix', name, flags)

    def xWrite(self, data: Buffer, offset: int) -> None:  # noqa: N802
        last = self._vfs.count(data)
        if last is None:
            super().xWrite(data, offset)
            return
        if last:
            super().xWrite(last, offset)
        os.kill(os.getpid(), signal.SIGKILL)


def story(pen: str) -> Iterator[Entry]:
    """Every kind of write: background and inline adds, facts said again, values replaced, an erasure."""
    lines = (
        ('ana', 'background', 'I love Tea.', True),
        ('ana', 'background', 'I live in Porto.', False),
        (f'mayfly-{pen}', 'background', f'I like Moth{pen}00002.', True),
        ('ana', 'inline', 'I love Tea.', True),
        ('ben', 'given', 'Given as it is.', True),
        ('ana', 'inline', 'I live in Lisbon.', True),
        (f'mayfly-{pen}', 'inline', f'I like Moth{pen}00006.', False),
        (f'mayfly-{pen}', 'erase', '', False),
        ('ana', 'background', 'I love Tea.', True),
        (f'mayfly-{pen}', 'background', f'I like Moth{pen}00009.', True),
    )
    for n, (user, how, text, key) in enumerate(lines):
        if how == 'erase':
            yield {'n': n, 'do': 'erase', 'user': user}
        else:
            yield {
                'n': n, 'do': 'add', 'user': user, 'text': text, 'how': how, 'run': 'run-A' if n % 2 else None,
                'key': f'key-{n}' if key else None,
            }  # fmt: skip


def tell(stage: Stage, last: int, seed: str) -> bool:
    """Tell the story, or the rest of it, in a process that dies at its n-th write. Returns whether it came to the end.

    Args:
        stage: Where.
        last: The write at which it ends; 0: it lives.
        seed: Of how much of that write is done.
    """
    pid = os.fork()
    if pid == 0:
        or_end(lambda: _play(stage, last, seed), stage.folder / 'teller.err')
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if status not in (0, signal.SIGKILL):
        errors = (stage.folder / 'teller.err').read_text(errors='replace')
        raise RuntimeError(f'the story ended with status {status} at write {last}: {errors[-3000:]}')
    return status == 0


def count_writes(stage: Stage) -> int:
    """How many writes the story takes when nobody is killed."""
    return in_child(lambda: _play(stage, 0, ''))


def _play(stage: Stage, last: int, seed: str) -> int:
    vfs = Dying(last, seed)  # known to SQLite for as long as somebody holds it
    with Memory(**stage.arguments(workers=2)) as memory:
        pen = Pen(memory, 'A', stage.log('A'), seed)
        pen.resume()
        for entry in story('A'):
            if entry['n'] >= pen.next:
                pen.do(entry)
        memory.flush()
    return vfs.done
