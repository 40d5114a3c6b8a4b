"""Memory for agents: a Pydantic AI capability, and a provider protocol for any framework."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from memoranda.errors import ConfigurationError

if TYPE_CHECKING:
    from memoranda.agents.capability import LongTermMemory, strip_recalled
    from memoranda.agents.engine import MemorandaProvider
    from memoranda.agents.mem0 import Mem0Provider
    from memoranda.agents.provider import (
        BaseMemoryProvider,
        MemoryConfig,
        MemoryContext,
        MemoryProvider,
        MemoryScope,
        RetrievalStrategy,
        RetrievedMemory,
        StoredMemory,
    )

__all__ = [
    'BaseMemoryProvider',
    'LongTermMemory',
    'Mem0Provider',
    'MemorandaProvider',
    'MemoryConfig',
    'MemoryContext',
    'MemoryProvider',
    'MemoryScope',
    'RetrievalStrategy',
    'RetrievedMemory',
    'StoredMemory',
    'strip_recalled',
]

# Each loads what it needs when it is first asked for: the provider protocol needs no Pydantic AI.
_LATER = {
    'LongTermMemory': 'capability',
    'Mem0Provider': 'mem0',
    'MemorandaProvider': 'engine',
    'strip_recalled': 'capability',
}


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    try:
        module = import_module(f'memoranda.agents.{_LATER.get(name, "provider")}')
    except ModuleNotFoundError as error:
        if not (error.name or '').startswith('pydantic_ai'):
            raise
        raise ConfigurationError(
            f'{name} needs Pydantic AI, which is not installed: run `pip install "memoranda[pydantic-ai]"`'
        ) from error
    return getattr(module, name)
