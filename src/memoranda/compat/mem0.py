"""The Python API of Mem0 over our engine: import `Memory` from here in place of `mem0`.

Call shapes of the present version and of older ones are understood, and what is returned can be read in both ways.
docs/mem0.md tells how to move, and every difference. Nothing of Mem0 is needed or imported.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

import memoranda._sync as native
from memoranda import memory as engine
from memoranda._bridge import run
from memoranda.compat._mem0_async import AsyncMemory
from memoranda.compat._mem0_refusals import MemoryNotFoundError, Project
from memoranda.compat._mem0_sections import EmbedderConfig, LlmConfig, MemoryConfig, RerankerConfig, VectorStoreConfig

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = [
    'AsyncMemory',
    'EmbedderConfig',
    'LlmConfig',
    'Memory',
    'MemoryConfig',
    'MemoryNotFoundError',
    'RerankerConfig',
    'VectorStoreConfig',
]

P = ParamSpec('P')
T = TypeVar('T')

_HOSTED: Final = ('MemoryClient', 'AsyncMemoryClient')


def _blocking(
    method: Callable[Concatenate[AsyncMemory, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Memory, P], T]:
    @wraps(method)
    def call(self: Memory, *args: P.args, **kwargs: P.kwargs) -> T:
        return run(method(self.aio, *args, **kwargs))

    return call


class Memory:
    """Mem0's `Memory`. Arguments and methods are those of `AsyncMemory`; it may be shared by threads."""

    def __init__(self, config: MemoryConfig | Mapping[str, Any] | None = None) -> None:
        self.aio = AsyncMemory(config)
        """The memory this one delegates to."""

    @classmethod
    def from_config(cls, config_dict: Mapping[str, Any]) -> Self:
        """A memory for a dict of sections."""
        return cls(config_dict)

    @classmethod
    def over(cls, memory: engine.AsyncMemory | native.Memory) -> Self:
        """These methods over a memory that you have made."""
        self = object.__new__(cls)
        self.aio = AsyncMemory.over(memory)
        return self

    @property
    def config(self) -> MemoryConfig:
        """What it was made with."""
        return self.aio.config

    @property
    def memoranda(self) -> native.Memory:
        """The memory it works on, blocking."""
        return native.Memory._of(self.aio.memoranda)  # pyright: ignore[reportPrivateUsage]

    @property
    def project(self) -> Project:
        """See `Project`."""
        return self.aio.project

    def __enter__(self) -> Self:
        run(self.aio.memoranda.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run(self.aio.memoranda.__aexit__(kind, error, trace))

    def close(self) -> None:
        """Finish what is under way and close the database; a later call opens it again."""
        run(self.aio.memoranda.close())

    add = _blocking(AsyncMemory.add)
    search = _blocking(AsyncMemory.search)
    get_all = _blocking(AsyncMemory.get_all)
    get = _blocking(AsyncMemory.get)
    update = _blocking(AsyncMemory.update)
    delete = _blocking(AsyncMemory.delete)
    delete_all = _blocking(AsyncMemory.delete_all)
    history = _blocking(AsyncMemory.history)
    reset = _blocking(AsyncMemory.reset)
    chat = _blocking(AsyncMemory.chat)


def __getattr__(name: str) -> Any:
    if name == 'Mem0':
        raise ImportError(
            'Mem0, the chat client that remembers, is not offered: search before you ask your model, and add what was '
            'said after it (docs/mem0.md), or give an agent its memory (docs/pydantic-ai.md)'
        )
    if name in _HOSTED:
        raise ImportError(
            f"{name} speaks to a server, and is Mem0's own: keep `from mem0 import {name}`, and point it at "
            '`memoranda serve` with host=... (docs/mem0-server.md)'
        )
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
