"""memoranda: a persistent memory layer for AI agents."""

from memoranda._sync import Memory
from memoranda.errors import (
    ConfigurationError,
    Conflict,
    EmbedderMismatch,
    InvalidFilter,
    InvalidInput,
    InvalidScope,
    MemorandaError,
    MemoryNotFound,
    ProcessingFailed,
    StoreBusy,
    StoreError,
    StoreFull,
    StoreUnreadable,
    StoreUnwritable,
)
from memoranda.memory import AsyncMemory
from memoranda.records import (
    AddResult,
    Change,
    ContextBlock,
    Edit,
    Episode,
    Evidence,
    HistoryEntry,
    Hit,
    MemoryRecord,
    Page,
)
from memoranda.scope import Scope
from memoranda.stores.base import EpisodePage, ErasureResult, Stats

__all__ = [
    'AddResult',
    'AsyncMemory',
    'Change',
    'ConfigurationError',
    'Conflict',
    'ContextBlock',
    'Edit',
    'EmbedderMismatch',
    'Episode',
    'EpisodePage',
    'ErasureResult',
    'Evidence',
    'HistoryEntry',
    'Hit',
    'InvalidFilter',
    'InvalidInput',
    'InvalidScope',
    'MemorandaError',
    'Memory',
    'MemoryNotFound',
    'MemoryRecord',
    'Page',
    'ProcessingFailed',
    'Scope',
    'Stats',
    'StoreBusy',
    'StoreError',
    'StoreFull',
    'StoreUnreadable',
    'StoreUnwritable',
    '__version__',
]

__version__ = '0.1.0'
