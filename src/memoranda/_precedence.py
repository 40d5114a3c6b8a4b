"""What an agent waits for goes before the work of jobs.

Python runs one thread at a time, and one that wants to run waits for each that is busy, again after every call that
lets others run meanwhile, as most of numpy and SQLite do: beside a few busy threads a search of 5 ms takes 500. So the
work of jobs is cut into steps that run one at a time on whatever thread, and between its steps it waits while somebody
searches or adds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Generator
from contextvars import ContextVar
from typing import Final

__all__ = ['begin_jobs', 'first', 'for_job', 'give_way', 'is_for_job', 'stand_back', 'step']

LONGEST_WAIT: Final = 0.02
"""Seconds that a step waits for those who go first: jobs end, however much is asked."""
SHORTEST_WAIT: Final = 0.004
"""Where there is no end of them, each step waits half as long as the one before, and no shorter than this."""

_NAP: Final = 0.002

_job: ContextVar[bool] = ContextVar('memoranda_job', default=False)


class _Gate:
    """Of one process, for Python's lock is one for all its engines."""

    def __init__(self) -> None:
        self.mutex = threading.Lock()
        self.ahead = 0
        self.clear = threading.Event()
        self.clear.set()
        self.turn = threading.RLock()
        self.patience = LONGEST_WAIT


_gate = _Gate()


def _after_fork() -> None:
    """A child starts with locks that nobody holds: their holders stayed in the parent."""
    global _gate
    _gate = _Gate()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_after_fork)


def is_for_job() -> bool:
    """Whether what runs belongs to a job. Known to every task and every coroutine that it starts."""
    return _job.get()


def begin_jobs() -> None:
    """From here on, what the running task does belongs to jobs."""
    _job.set(True)


@contextlib.contextmanager
def for_job() -> Generator[None]:
    """What is awaited in here belongs to a job."""
    token = _job.set(True)
    try:
        yield
    finally:
        _job.reset(token)


@contextlib.contextmanager
def first() -> Generator[None]:
    """Jobs pause meanwhile, unless this belongs to one itself. For what takes milliseconds, not for a network."""
    if _job.get():
        yield
        return
    gate = _gate
    with gate.mutex:
        gate.ahead += 1
        gate.clear.clear()
    try:
        yield
    finally:
        with gate.mutex:
            gate.ahead -= 1
            if not gate.ahead:
                gate.clear.set()


def give_way() -> None:
    """Block until nobody goes first, or it took long enough. For threads of jobs."""
    gate = _gate
    if gate.clear.wait(gate.patience):
        gate.patience = LONGEST_WAIT
    else:
        gate.patience = max(SHORTEST_WAIT, gate.patience / 2)


async def stand_back() -> None:
    """The same without blocking, for what jobs do on the engine's loop."""
    waited = 0.0
    while waited < LONGEST_WAIT and not _gate.clear.is_set():
        await asyncio.sleep(_NAP)
        waited += _NAP


@contextlib.contextmanager
def step() -> Generator[None]:
    """Do a step of a job in here: one at a time, after those who go first. For what takes milliseconds."""
    with _gate.turn:
        give_way()
        yield
