"""Finds calls that block an event loop: SQL, files, sockets, sleeps, waits for threads, imports, and contended locks.

Three sources together, since none sees everything:

- a profiler on every thread sees each C function that Python code calls, under whatever name it was imported;
- audit events and SQLite's trace see files, processes and statements, whoever asks for them, C code included;
- the locks that memoranda makes are watched: one that any thread holds during such a call may not be taken on a loop.

What is found is kept and raised at the end: on the spot, an `except` could swallow it.
"""

from __future__ import annotations

import _socket
import asyncio
import contextlib
import importlib.util
import itertools
import linecache
import os
import selectors
import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

import apsw

__all__ = ['Blocked', 'BlockingCalls', 'no_blocking_calls']

Place: TypeAlias = tuple[str, int, str]
Stack: TypeAlias = tuple[Place, ...]
"""Files, lines and functions, innermost first."""


def _folder(package: str) -> str:
    spec = importlib.util.find_spec(package)  # without importing it: locks of its modules shall be seen being made
    return str(Path(spec.origin).parent) + os.sep if spec is not None and spec.origin else 'not installed'


MEMORANDA = _folder('memoranda')
TESTS = str(Path(__file__).parent) + os.sep
ALLOWED = (_folder('asyncio'), _folder('trio'), selectors.__file__, _folder('logging'))
"""Event loops themselves: their selectors wait, their sockets don't block. Where log records go, the program says."""
HARMLESS = frozenset(
    'fspath getpid getppid urandom cpu_count sched_getaffinity uname get_blocking set_blocking register_at_fork'.split()
)
"""Of `os`: what waits for no disk, process or network."""
FILES = frozenset('open open_code read readinto readall readline readlines write writelines flush close'.split())
SOCKETS = frozenset('accept connect getaddrinfo recv recv_into recvfrom recvmsg send sendall sendmsg sendto'.split())
EVENTS = {
    'open': 'open',
    'socket.connect': 'socket: connect',
    'socket.getaddrinfo': 'socket: getaddrinfo',
    'subprocess.Popen': 'process',
    'time.sleep': 'time.sleep',
} | {f'os.{name}': f'os.{name}' for name in 'listdir scandir mkdir remove rename rmdir truncate system'.split()}
"""Audit events, and what they are called here."""


class Blocked(AssertionError):
    """Something blocked an event loop."""


class _Thread(threading.local):
    def __init__(self) -> None:
        self.busy = False
        self.held: list[_Lock] = []


_thread = _Thread()
_active: BlockingCalls | None = None


class BlockingCalls:
    """What was found."""

    def __init__(self, imports: bool) -> None:
        self.imports = imports
        self.found: dict[tuple[str, Place], Stack] = {}
        """On a loop: the stack of each call, by what was called and from where in memoranda."""
        self.elsewhere: Counter[str] = Counter()
        """Off the loops, where it is allowed."""
        self.locks: list[_Lock] = []

    def note(self, what: str, frame: FrameType | None) -> None:
        """Something blocks the running thread."""
        _thread.busy = True
        try:
            stack = _stack(frame)
            for lock in _thread.held:
                lock.held_during = lock.held_during or (what, stack)
            if on_a_loop():
                ours = (place for place in stack if place[0].startswith(MEMORANDA))
                self.found.setdefault((what, next(ours, stack[0])), stack)
            else:
                self.elsewhere[what] += 1
        finally:
            _thread.busy = False

    def check(self) -> None:
        """Raise what was found.

        Raises:
            Blocked: With the stack of every call.
        """
        said = [f'{what} on an event loop:\n{_told(stack)}' for (what, _), stack in self.found.items()]
        for lock in self.locks:
            if lock.on_loop and lock.held_during:
                what, stack = lock.held_during
                said.append(
                    f'the lock made at {lock.made} is taken on an event loop:\n{_told(lock.on_loop)}'
                    f'and held during {what}:\n{_told(stack)}'
                )
        if said:
            raise Blocked(f'{len(said)} blocking call{"s" * (len(said) > 1)}:\n\n' + '\n'.join(said))


class _Lock:
    """A lock that knows where it is taken, and what is done while it is held."""

    def __init__(self, calls: BlockingCalls, made: str, lock: Any) -> None:
        self._lock, self.made = lock, made
        self.on_loop: Stack | None = None
        self.held_during: tuple[str, Stack] | None = None
        calls.locks.append(self)

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if blocking and timeout and self.on_loop is None and on_a_loop():
            self.on_loop = _stack(sys._getframe(1))
        taken = self._lock.acquire(blocking, timeout)
        if taken:
            _thread.held.append(self)
        return taken

    def release(self) -> None:
        if self in _thread.held:
            _thread.held.remove(self)
        self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def on_a_loop() -> bool:
    """Whether an event loop is running on this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        trio = sys.modules.get('trio')
        return trio is not None and trio.lowlevel.in_trio_run()
    return True


def _frames(frame: FrameType | None) -> Generator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _stack(frame: FrameType | None) -> Stack:
    return tuple(
        (f.f_code.co_filename, f.f_lineno, f.f_code.co_name)
        for f in itertools.islice(_frames(frame), 80)
        if f.f_code.co_filename != __file__ and '<frozen' not in f.f_code.co_filename
    )


def _told(stack: Stack) -> str:
    """The innermost lines of a stack, the last at the end."""
    return ''.join(
        f'  File "{file}", line {line}, in {name}\n    {linecache.getline(file, line).strip()}\n'
        for file, line, name in reversed([place for place in stack if not place[0].startswith(ALLOWED)][:8])
    )


def _called(function: Any) -> str | None:
    """What a C function may wait for; None when it doesn't wait."""
    owner, name = getattr(function, '__self__', None), function.__name__
    module = getattr(function, '__module__', None) or type(owner).__module__
    if module in ('apsw', 'sqlite3', '_sqlite3'):
        return 'SQLite'
    if module in ('posix', 'nt'):
        return None if name in HARMLESS else f'os.{name}'
    if module in ('_io', 'io'):
        in_memory = type(owner).__name__ in ('BytesIO', 'StringIO')
        return name if name in FILES and not in_memory else None
    if module == '_socket' or isinstance(owner, _socket.socket):
        waits = getattr(owner, 'gettimeout', lambda: None)() != 0
        return f'socket: {name}' if name in SOCKETS and waits else None
    if module == '_thread':
        waits = name == 'acquire' and getattr(owner, 'locked', lambda: False)()
        return 'wait for a thread' if waits or name == 'join' else None
    waiting = {('time', 'sleep'), ('_queue', 'get'), ('select', 'select'), ('_posixsubprocess', 'fork_exec')}
    return f'{module}.{name}' if (module, name) in waiting else None


def _exempt(frame: FrameType | None) -> bool:
    """Whether the caller may wait, or a thread is only started, or looked at without waiting for it."""
    for outer in _frames(frame):
        file, name = outer.f_code.co_filename, outer.f_code.co_name
        if file != threading.__file__:
            return file.startswith(ALLOWED) or file == __file__
        if name in ('start', 'is_alive', '_is_owned') or outer.f_locals.get('timeout') == 0:
            return True
    return False


def _notice(what: str, frame: FrameType | None) -> None:
    calls = _active
    if calls is None or _thread.busy or _exempt(frame):
        return
    importing = [f for f in _frames(frame) if f.f_code.co_name == '_find_and_load']
    if importing:  # the outermost is what somebody asked for
        what, frame = f'import of {importing[-1].f_locals["name"]}', importing[-1].f_back
        asked = next(f for f in _frames(frame) if '<frozen' not in f.f_code.co_filename).f_code.co_filename
        if not calls.imports or not asked.startswith((MEMORANDA, TESTS)):
            return
    calls.note(what, frame)


def _profile(frame: FrameType, event: str, argument: Any) -> None:
    if event == 'c_call' and (what := _called(argument)) is not None:
        _notice(what, frame)


def _audit(event: str, _: tuple[Any, ...]) -> None:
    if _active is not None and event in EVENTS:
        _notice(EVENTS[event], sys._getframe(1))


def _connected(connection: apsw.Connection) -> None:
    _notice('SQLite', sys._getframe(1))
    events = apsw.SQLITE_TRACE_STMT | apsw.SQLITE_TRACE_ROW | apsw.SQLITE_TRACE_CLOSE
    connection.trace_v2(events, lambda _: _notice('SQLite', sys._getframe(1)))


def _watched(calls: BlockingCalls, make: Callable[[], Any]) -> Any:
    def lock() -> Any:
        frame = sys._getframe(1)
        ours = frame.f_code.co_filename.startswith((MEMORANDA, TESTS))
        return _Lock(calls, f'{frame.f_code.co_filename}:{frame.f_lineno}', make()) if ours else make()

    return lock


sys.addaudithook(_audit)  # it can't be taken away again; outside of `no_blocking_calls` it does nothing


@contextlib.contextmanager
def no_blocking_calls(*, imports: bool = True) -> Generator[BlockingCalls]:
    """Watch this thread, and those that start meanwhile.

    Args:
        imports: Whether to look at what importing a module does.

    Raises:
        Blocked: At the end, with the stack of every call that blocked an event loop.
    """
    global _active
    assert _active is None
    calls = BlockingCalls(imports)
    before, before_in_threads = sys.getprofile(), threading.getprofile()
    apsw.connection_hooks.append(_connected)
    locks = threading.Lock, threading.RLock
    threading.Lock, threading.RLock = (_watched(calls, make) for make in locks)
    _active = calls
    threading.setprofile(_profile)
    sys.setprofile(_profile)
    try:
        yield calls
    finally:
        sys.setprofile(before)
        threading.setprofile(before_in_threads)  # type: ignore[arg-type]
        _active = None
        threading.Lock, threading.RLock = locks
        apsw.connection_hooks.remove(_connected)
    calls.check()
