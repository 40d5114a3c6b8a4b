"""The root of the parts of `StoreSuite`."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from memoranda._bridge import run
from memoranda.stores.base import Store
from memoranda.testing._bench import Bench

__all__ = ['StoreTests']

T = TypeVar('T')


class StoreTests:
    """How the tests call the store."""

    durable: bool = True
    """Whether what the store holds outlives `close`."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Drive a method of the store as the blocking `Memory` does: on a plain thread, without an event loop."""
        return run(coroutine)

    def bench(self, store: Store) -> Bench:
        """The store, opened, with short words for what the tests do to it."""
        return Bench(store, self.run)
