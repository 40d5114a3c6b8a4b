"""What a test must not leave behind: threads, open files, sockets and pipes."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
from collections.abc import Generator
from pathlib import Path

__all__ = ['nothing_left']

SECONDS = 30
DESCRIPTORS = Path('/dev/fd')


def threads() -> set[threading.Thread]:
    """Those that run, but for those that Trio keeps for a while in case it needs them again."""
    for thread in threading.enumerate():
        if thread.name == 'memoranda-close':  # it has told that all is closed, and is about to end
            thread.join(SECONDS)
        elif thread.name.startswith('AnyIO'):  # told to end with the loop it worked for
            thread.join(0.1)
    return {t for t in threading.enumerate() if not t.name.startswith('Trio') and t.is_alive()}


def open_files() -> dict[int, str]:
    """What this process holds open, by descriptor, where the system tells it."""
    found: dict[int, str] = {}
    for name in os.listdir(DESCRIPTORS) if DESCRIPTORS.exists() else ():
        with contextlib.suppress(OSError):  # the one the list was read through
            found[int(name)] = os.readlink(DESCRIPTORS / name)
    return found


@contextlib.contextmanager
def nothing_left() -> Generator[None]:
    """Whatever is opened inside is closed inside, and no thread goes on that was started there."""
    if sys.platform != 'win32':
        import uvloop

        uvloop.new_event_loop().close()  # the first of a process opens a pipe that stays
    gc.collect()
    before, files = threads(), open_files()
    yield
    gc.collect()
    assert threads() <= before, threads() - before
    left = {number: file for number, file in open_files().items() if files.get(number) != file}
    assert not left, left
