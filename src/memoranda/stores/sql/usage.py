"""How often memories were recalled: counted in memory, written when there is time, read beside hits."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, TypeAlias

from memoranda._locks import short_lock
from memoranda.scope import Owner
from memoranda.stores.sql.daily import Recalls, count_recalls
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.locks import hold_owners
from memoranda.stores.sql.rows import owner_sought, to_us

__all__ = ['Counts', 'PendingUses', 'Recalled', 'write', 'write_recalls']

MAX_PENDING: Final = 100_000
"""Memories counted between two writes; uses of more are lost."""

_AT_ONCE: Final = 64
# Memories that were erased meanwhile must not come back, not even as an id.
_COUNT: Final = (
    'INSERT INTO usage(owner, memory, uses, last_used_at) SELECT v.column1, v.column2, v.column3, v.column4 '
    'FROM (VALUES {}) AS v WHERE EXISTS(SELECT 1 FROM memory WHERE owner = v.column1 AND id = v.column2 '
    'AND retired_at IS NULL) ON CONFLICT(owner, memory) DO UPDATE SET uses = usage.uses + excluded.uses, '
    'last_used_at = CASE WHEN usage.last_used_at > excluded.last_used_at THEN usage.last_used_at '
    'ELSE excluded.last_used_at END'
)

Counts: TypeAlias = Mapping[tuple[Owner, str], tuple[int, datetime]]
Recalled: TypeAlias = Mapping[tuple[str, int], Recalls]
"""By project and day."""


class PendingUses:
    """Uses that are not written yet. Lost when the process dies: they are counts, not memories."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._lock = short_lock()
        self._counts: dict[tuple[Owner, str], tuple[int, datetime]] = {}
        self._recalls: dict[tuple[str, int], Recalls] = {}

    def _mine(self) -> None:
        if self._pid != os.getpid():  # the child of a fork: these are the parent's, and its lock may be held
            self._lock, self._counts, self._recalls, self._pid = threading.Lock(), {}, {}, os.getpid()

    def add(self, uses: Iterable[tuple[Owner, str, int, datetime]]) -> None:
        """Count (owner, memory id, times, moment)."""
        self._mine()
        with self._lock:
            for owner, memory, times, at in uses:
                known = self._counts.get((owner, memory))
                if known is not None:
                    self._counts[owner, memory] = known[0] + times, max(known[1], at)
                elif len(self._counts) < MAX_PENDING:
                    self._counts[owner, memory] = times, at

    def take(self) -> Counts:
        """What was counted since the last time."""
        if self._pid != os.getpid():
            return {}
        with self._lock:
            taken, self._counts = self._counts, {}
        return taken

    def recalled(self, project: str, day: int, seconds: float, *, found: bool, tokens: int | None) -> None:
        """Count a recall, see `Recalls.add`."""
        self._mine()
        with self._lock:
            self._recalls.setdefault((project, day), Recalls()).add(seconds, found=found, tokens=tokens)

    def take_recalls(self) -> Recalled:
        """The recalls that were counted since the last time."""
        if self._pid != os.getpid():
            return {}
        with self._lock:
            taken, self._recalls = self._recalls, {}
        return taken

    def put_back(self, recalls: Recalled) -> None:
        """Keep for the next time what could not be written."""
        with self._lock:
            for key, one in recalls.items():
                self._recalls.setdefault(key, Recalls()).merge(one)

    def __bool__(self) -> bool:
        return bool(self._counts or self._recalls) and self._pid == os.getpid()


def write_recalls(connection: Connection, recalls: Recalled) -> None:
    """Write how often something was recalled, and how long it took."""
    for (project, day), one in sorted(recalls.items(), key=lambda pair: pair[0]):
        count_recalls(connection, project, day, one)


def write(connection: Connection, counts: Counts) -> Counts:
    """Write what was counted. Returns what was not: that of owners whom somebody else writes for now."""
    asked = {owner: owner_sought(connection, owner) for owner in dict.fromkeys(owner for owner, _ in counts)}
    numbers = {owner: found.id for owner, look in asked.items() if (found := look()) is not None}
    held = set(hold_owners(connection, numbers.values(), free=True))
    rows = [
        (numbers[owner], memory, times, to_us(at))
        for (owner, memory), (times, at) in counts.items()
        if numbers.get(owner) in held
    ]
    rows.sort()
    while rows:
        size = min(_AT_ONCE, 1 << (len(rows).bit_length() - 1))  # so that the statements are few
        some, rows = rows[:size], rows[size:]
        connection.execute(_COUNT.format(', '.join(['(?, ?, ?, ?)'] * size)), [value for row in some for value in row])
    busy = set(numbers.values()) - held
    return {key: count for key, count in counts.items() if numbers.get(key[0]) in busy}
