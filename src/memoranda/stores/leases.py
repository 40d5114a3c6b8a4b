"""Names of leases, which tell whether their holder can still be alive.

A lease lasts as long as its time says; but when its holder ran on this machine and is gone, nobody needs to wait.
"""

from __future__ import annotations

import os
import platform
import secrets
from functools import lru_cache

__all__ = ['holder_is_gone', 'new_token']

_names: dict[int, str] = {}
if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_names.clear)


def _this_process() -> str:
    """A name for this process that its successor with the same number doesn't share."""
    return _names.setdefault(os.getpid(), secrets.token_hex(4))  # atomic: threads that ask first at once agree


def new_token() -> str:
    """A name for one lease of this process."""
    return f'{_machine()}:{os.getpid()}:{_this_process()}:{secrets.token_hex(6)}'


@lru_cache(maxsize=1)
def _machine() -> str:
    """Where process numbers mean the same: containers may share a host name and number their own processes."""
    try:
        space = os.readlink('/proc/self/ns/pid')  # such as pid:[4026531836]
    except (OSError, AttributeError):
        return platform.node().replace(':', '-')
    return f'{platform.node()}/{space}'.replace(':', '-')


def holder_is_gone(token: str) -> bool:
    """Whether the process that took this lease certainly ended. False in doubt: on another machine, or on Windows."""
    node, _, rest = token.rpartition(':')[0].partition(':')
    pid, _, boot = rest.partition(':')
    if node != _machine() or not pid.isdecimal() or os.name != 'posix':
        return False
    if int(pid) == os.getpid():
        return boot != _this_process()
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return _is_zombie(pid)


def _is_zombie(pid: str) -> bool:
    """Whether a process has ended and only its parent has not noticed yet (proc_pid_stat(5))."""
    try:
        with open(f'/proc/{pid}/stat', encoding='utf-8', errors='replace') as file:
            return file.read().rpartition(')')[2].split()[0] in ('Z', 'X')
    except (OSError, IndexError):
        return False


_machine()  # asks the file system, and remembers: now, since later an event loop would wait for it
