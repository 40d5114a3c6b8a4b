"""Results kept by the texts they are of: all of them are dropped when something is erased."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import ParamSpec, TypeVar

__all__ = ['forget_texts', 'remembered']

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
