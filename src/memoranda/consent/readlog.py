"""Who read what, on its way to the audit chains. It holds ids, never words.

A read is noted in memory and written within half a second, all that came meanwhile in one transaction: so it costs a
read next to nothing. With `errors='raise'` a read waits until its note is written, and fails when that can't be.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from memoranda._bridge import run
from memoranda._degraded import Notice
from memoranda._locks import short_lock
from memoranda._telemetry import count_degraded
from memoranda.errors import StoreError
from memoranda.records import Episode, MemoryRecord, now
from memoranda.scope import Owner
from memoranda.stores.chains import ReadNote

if TYPE_CHECKING:
    from memoranda.engine import Engine

__all__ = ['FLUSH_SECONDS', 'MAX_WAITING', 'ReadLog', 'Reader']

log = logging.getLogger('memoranda')

FLUSH_SECONDS: Final = 0.5
MAX_WAITING: Final = 10_000
"""Reads that are kept while the storage can't be written; further ones are counted and lost."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, and why."""

    actor: str
    reason: str = ''


@dataclass(slots=True)
class _Waiting:
    """Reads of one owner by one reader for one purpose, which become one entry."""

    at: datetime
    times: int
    memories: dict[str, None] = field(default_factory=dict[str, None])
    messages: dict[str, None] = field(default_factory=dict[str, None])
    everything: bool = False

    def add(self, other: _Waiting) -> None:
        self.at = min(self.at, other.at)
        self.times += other.times
        self.memories |= other.memories
        self.messages |= other.messages
        self.everything |= other.everything


_Key: TypeAlias = tuple[Owner, str, str, str]
"""Whose, actor, purpose, reason."""


class ReadLog:
    """Of one engine. Shared by threads; the child of a fork begins with none of its parent's.

    Args:
        engine: Whose store it writes to.
        strict: Whether a read waits until its note is written.
    """

    def __init__(self, engine: Engine, *, strict: bool) -> None:
        self._engine, self._strict = engine, strict
        self._lock = short_lock()
        self._pid = os.getpid()
        self._waiting: dict[_Key, _Waiting] = {}
        self._timed = False
        self.lost = 0
        """Reads that could not be noted, since it was last told."""
        self._notice = Notice(
            'reads can not be noted in the audit chain (%s): they are kept in this process until they can',
            'reads can be noted in the audit chain again',
        )
        _live.add(self)

    async def note(
        self,
        reader: Reader,
        purpose: str,
        *,
        memories: Iterable[MemoryRecord] = (),
        messages: Iterable[Episode] = (),
    ) -> None:
        """Note that somebody was given these. A read that found nothing is no read.

        Raises:
            StoreError: It can't be written, and `strict`.
        """
        at = now()
        found: dict[_Key, _Waiting] = {}
        for memory in memories:
            key = (memory.scope.home(memory.project), reader.actor, purpose, reader.reason)
            found.setdefault(key, _Waiting(at, 1)).memories[memory.id] = None
        for message in messages:
            key = (message.scope.home(message.project), reader.actor, purpose, reader.reason)
            found.setdefault(key, _Waiting(at, 1)).messages[message.id] = None
        await self._take(found)

    async def note_ids(self, reader: Reader, purpose: str, owner: Owner, memory_ids: Iterable[str]) -> None:
        """Note that somebody was given what memories of an owner say, or said. Raises as `note` does."""
        one = _Waiting(now(), 1, dict.fromkeys(memory_ids))
        await self._take({(owner, reader.actor, purpose, reader.reason): one} if one.memories else {})

    async def note_everything(self, reader: Reader, purpose: str, owner: Owner) -> None:
        """Note that somebody was given all that is held of an owner. Raises as `note` does."""
        await self._take({(owner, reader.actor, purpose, reader.reason): _Waiting(now(), 1, everything=True)})

    async def _take(self, found: Mapping[_Key, _Waiting]) -> None:
        if not found:
            return
        if self._strict:
            await self._engine.store.note_reads([_note(key, one) for key, one in found.items()])
        elif self._keep(found):
            self._engine.start(self._write_soon, awaited=False)

    def _keep(self, found: Mapping[_Key, _Waiting], *, timed: bool = True) -> bool:
        """Let these wait. Whether nobody is going to write them yet; with `timed` the caller will then."""
        lost = 0
        with self._lock:
            if self._pid != os.getpid():  # what waits is the parent's, and so is who would write it
                self._waiting, self._timed, self._pid = {}, False, os.getpid()
            for key, one in found.items():
                held = self._waiting.get(key)
                if held is not None:
                    held.add(one)
                elif len(self._waiting) < MAX_WAITING:
                    self._waiting[key] = one
                else:
                    lost += one.times
            self.lost += lost
            alone = not self._timed
            self._timed = self._timed or timed
        for _ in range(lost):
            count_degraded('search_memory', 'AuditLost')
        return alone

    async def _write_soon(self) -> None:
        await asyncio.sleep(FLUSH_SECONDS)
        with self._lock:
            self._timed = False
        await self.flush()
        if self._waiting and self._keep({}):  # the storage can't be written now
            self._engine.start(self._write_soon, awaited=False)

    async def flush(self) -> None:
        """Write what is waiting. What can't be written now is kept for the next time."""
        with self._lock:
            taken, self._waiting = self._waiting, {}
        if not taken or self._pid != os.getpid():
            return
        try:
            await self._engine.store.note_reads([_note(key, one) for key, one in taken.items()])
        except StoreError as error:
            self._notice.fails(type(error).__name__)
            count_degraded('search_memory', error)
            self._keep(taken, timed=False)
        except BaseException:  # cancelled: told twice is better than not at all
            self._keep(taken, timed=False)
            raise
        else:
            self._notice.works()

    async def close(self) -> None:
        """Write what is waiting, for the last time; what can't be written is lost, and the log says how much."""
        await self.flush()
        with self._lock:
            left, self._waiting, self._timed = self._waiting, {}, False
            lost, self.lost = self.lost + sum(one.times for one in left.values()), 0
        if lost:
            log.warning('%d reads could not be noted in the audit chain and are lost', lost)

    @property
    def waiting(self) -> bool:
        """Whether something is still to be written."""
        return bool(self._waiting) and self._pid == os.getpid()


def _note(key: _Key, one: _Waiting) -> ReadNote:
    owner, actor, purpose, reason = key
    return ReadNote(
        owner=owner,
        actor=actor,
        purpose=purpose,
        reason=reason,
        memory_ids=tuple(one.memories),
        message_ids=tuple(one.messages),
        times=one.times,
        at=one.at,
        everything=one.everything,
    )


_live: weakref.WeakSet[ReadLog] = weakref.WeakSet()


@atexit.register
def _write_the_rest() -> None:
    """Of memories that nobody closed."""
    for one in list(_live):
        if one.waiting:
            with contextlib.suppress(Exception):
                run(one.close())
