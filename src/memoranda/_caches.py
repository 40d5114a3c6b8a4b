"""What a process keeps: results by the texts they are of, which an erasure drops, and how much large caches hold."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import ParamSpec, Protocol, TypeVar
from weakref import WeakSet

__all__ = ['cached_bytes', 'forget_texts', 'remembered', 'sized']

P = ParamSpec('P')
T = TypeVar('T')

_clear: list[Callable[[], None]] = []


def remembered(maxsize: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """`functools.lru_cache` for functions of remembered text: nothing of it outlives an erasure."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        cached = lru_cache(maxsize=maxsize)(function)
        _clear.append(cached.cache_clear)
        return cached  # pyright: ignore[reportReturnType]  # it takes what the function takes, if that can be hashed

    return decorate


def forget_texts() -> None:
    """Drop what is kept, of all functions."""
    for clear in _clear:
        clear()


class Sized(Protocol):
    """A cache that knows how much it holds."""

    @property
    def held_bytes(self) -> int:
        """Bytes of memory."""
        ...


_sized: WeakSet[Sized] = WeakSet()
_sizing = threading.Lock()


def sized(cache: Sized) -> None:
    """Let a cache be counted by `cached_bytes` as long as it lives."""
    with _sizing:
        _sized.add(cache)


def cached_bytes() -> int:
    """Bytes of memory that the caches of this process hold."""
    with _sizing:
        caches = list(_sized)
    return sum(cache.held_bytes for cache in caches)
