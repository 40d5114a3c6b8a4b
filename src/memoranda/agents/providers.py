"""The providers under one name, for imports written like `from ....providers import Mem0Provider`."""

from __future__ import annotations

from memoranda.agents.engine import MemorandaProvider
from memoranda.agents.mem0 import Mem0Provider
from memoranda.agents.provider import BaseMemoryProvider, MemoryProvider

__all__ = ['BaseMemoryProvider', 'Mem0Provider', 'MemorandaProvider', 'MemoryProvider']
