"""`AsyncMemory`, the one façade: what it does is in modules by what it is for."""

from memoranda.memory.aio import AsyncMemory

__all__ = ['AsyncMemory']
