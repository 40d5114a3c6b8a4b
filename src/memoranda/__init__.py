"""memoranda: a persistent memory layer for AI agents."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from memoranda._sync import Memory
from memoranda.errors import (
    ConfigurationError,
    Conflict,
    EmbedderMismatch,
    InvalidFilter,
    InvalidInput,
    InvalidScope,
    KeyRefused,
    MemorandaError,
    MemoryNotFound,
    NotAllowed,
    ProcessingFailed,
    RateLimited,
    StoreBusy,
    StoreError,
    StoreFull,
    StoreUnreachable,
    StoreUnreadable,
    StoreUnwritable,
    VersionMismatch,
)
from memoranda.memory import AsyncMemory
from memoranda.records import (
    AddResult,
    Change,
    ChangePage,
    ContextBlock,
    Edit,
    Episode,
    Evidence,
    HistoryEntry,
    Hit,
    Hits,
    Job,
    JobPage,
    JobStatus,
    MemoryRecord,
    Page,
    Usage,
)
from memoranda.scope import Scope
from memoranda.stores.data import EpisodePage, ErasureResult, Stats

if TYPE_CHECKING:
    from memoranda.client import AsyncClient, Client
    from memoranda.consent.audit import AuditEntry, AuditPage, Break, Checkpoint, ReadEntry, ReadPage, Verification
    from memoranda.consent.forgetting import ErasureReceipt, ErasureReport, verify_erasure
    from memoranda.consent.review import ReviewItem, ReviewPage, ReviewQueue, ReviewResult
    from memoranda.policy import Policy, Retention
    from memoranda.profile import InvalidValue, Profile, ProfileField, Slot
    from memoranda.write.cleaning import CleanResult
    from memoranda.write.failed import ModelFailed
    from memoranda.write.llm import LLMExtractor
    from memoranda.write.preview import Preview
    from memoranda.write.retention import RetentionResult

__all__ = [
    'AddResult',
    'AsyncClient',
    'AsyncMemory',
    'AuditEntry',
    'AuditPage',
    'Break',
    'Change',
    'ChangePage',
    'Checkpoint',
    'CleanResult',
    'Client',
    'ConfigurationError',
    'Conflict',
    'ContextBlock',
    'Edit',
    'EmbedderMismatch',
    'Episode',
    'EpisodePage',
    'ErasureReceipt',
    'ErasureReport',
    'ErasureResult',
    'Evidence',
    'HistoryEntry',
    'Hit',
    'Hits',
    'InvalidFilter',
    'InvalidInput',
    'InvalidScope',
    'InvalidValue',
    'Job',
    'JobPage',
    'JobStatus',
    'KeyRefused',
    'LLMExtractor',
    'MemorandaError',
    'Memory',
    'MemoryNotFound',
    'MemoryRecord',
    'ModelFailed',
    'NotAllowed',
    'Page',
    'Policy',
    'Preview',
    'ProcessingFailed',
    'Profile',
    'ProfileField',
    'RateLimited',
    'ReadEntry',
    'ReadPage',
    'Retention',
    'RetentionResult',
    'ReviewItem',
    'ReviewPage',
    'ReviewQueue',
    'ReviewResult',
    'Scope',
    'Slot',
    'Stats',
    'StoreBusy',
    'StoreError',
    'StoreFull',
    'StoreUnreachable',
    'StoreUnreadable',
    'StoreUnwritable',
    'Usage',
    'Verification',
    'VersionMismatch',
    '__version__',
    'verify_erasure',
]

__version__ = '0.1.0'

# What only some programs need, and takes long to load.
_LATER = {
    'AsyncClient': 'memoranda.client',
    'Client': 'memoranda.client',
    'AuditEntry': 'memoranda.consent.audit',
    'AuditPage': 'memoranda.consent.audit',
    'Break': 'memoranda.consent.audit',
    'Checkpoint': 'memoranda.consent.audit',
    'ReadEntry': 'memoranda.consent.audit',
    'ReadPage': 'memoranda.consent.audit',
    'Verification': 'memoranda.consent.audit',
    'CleanResult': 'memoranda.write.cleaning',
    'ErasureReceipt': 'memoranda.consent.forgetting',
    'ErasureReport': 'memoranda.consent.forgetting',
    'verify_erasure': 'memoranda.consent.forgetting',
    'InvalidValue': 'memoranda.profile',
    'LLMExtractor': 'memoranda.write.llm',
    'ModelFailed': 'memoranda.write.failed',
    'Policy': 'memoranda.policy',
    'Preview': 'memoranda.write.preview',
    'Profile': 'memoranda.profile',
    'ProfileField': 'memoranda.profile',
    'Retention': 'memoranda.policy',
    'RetentionResult': 'memoranda.write.retention',
    'ReviewItem': 'memoranda.consent.review',
    'ReviewPage': 'memoranda.consent.review',
    'ReviewQueue': 'memoranda.consent.review',
    'ReviewResult': 'memoranda.consent.review',
    'Slot': 'memoranda.profile',
}


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
