"""Locks that are free in the child of a fork.

A fork copies one thread and the memory of all: a lock that another thread held stays locked in the child for ever. So a
fork waits until nobody holds any of these; what they guard is then whole in the child too.
"""

from __future__ import annotations

import os
import threading
import weakref

__all__ = ['short_lock']

_locks: weakref.WeakSet[threading.Lock] = weakref.WeakSet()
_held: list[threading.Lock] = []


def short_lock() -> threading.Lock:
    """A lock for a few lines that wait for nothing and take no other lock."""
    lock = threading.Lock()
    _locks.add(lock)
    return lock


def _before() -> None:
    for lock in list(_locks):
        lock.acquire()
        _held.append(lock)


def _after() -> None:
    while _held:
        _held.pop().release()


# Hooks before a fork run latest first, and open stores are closed by one that is registered later than this: their
# threads need these locks to come to an end.
if hasattr(os, 'register_at_fork'):
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after)
