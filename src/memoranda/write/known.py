"""The memories that candidates may touch, as they will be: found by words and slot without looking at all of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from memoranda.records import MemoryRecord, fact_hash
from memoranda.write.duplicates import words_of

__all__ = ['Known', 'same_level']


class Known:
    """Memories by id. What is found by words or slot may have changed since it was filed: callers check it."""

    def __init__(self, memories: Iterable[MemoryRecord]) -> None:
        self._by_id: dict[str, MemoryRecord] = {}
        self._filed: dict[Hashable, dict[str, None]] = {}
        for memory in memories:
            self.put(memory)

    def get(self, memory_id: str) -> MemoryRecord | None:
        """The memory with this id."""
        return self._by_id.get(memory_id)

    def put(self, memory: MemoryRecord) -> None:
        """Add it, or take it in place of what it was."""
        self._by_id[memory.id] = memory
        bare = fact_hash(memory.text)
        for key in (('hash', memory.hash), ('bare', bare), _by_words(memory), ('slot', memory.slot)):
            self._filed.setdefault(key, {})[memory.id] = None

    def alike(self, memory: MemoryRecord) -> Iterator[MemoryRecord]:
        """Those that may say the same, the same words in the same slot first."""
        bare = fact_hash(memory.text)
        seen: dict[str, None] = {}
        for key in (('hash', memory.hash), ('hash', bare), ('bare', bare), _by_words(memory)):
            seen |= self._filed.get(key, {})
        return (self._by_id[i] for i in seen)

    def same_words(self, a: MemoryRecord, b: MemoryRecord) -> bool:
        """Whether both have the same words, in order, without idle ones."""
        words = _words(a.text)
        return bool(words) and words == _words(b.text)

    def in_slot(self, slot: str) -> Iterator[MemoryRecord]:
        """What has been in a slot."""
        return (self._by_id[i] for i in self._filed.get(('slot', slot), {}))


def same_level(a: MemoryRecord, b: MemoryRecord) -> bool:
    """Whether both belong to the same user, run, agent or app."""
    return a.level == b.level and a.scope == b.scope


def _by_words(memory: MemoryRecord) -> Hashable:
    return 'words', memory.kind, memory.slot, _words(memory.text)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.casefold() for word in words_of(text)[0])
