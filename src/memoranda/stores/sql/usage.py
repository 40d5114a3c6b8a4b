"""How often memories were recalled: counted in memory, written when there is time, read beside hits."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeAlias

from memoranda._locks import short_lock
from memoranda.records import Hit
from memoranda.scope import Owner
from memoranda.stores.base import Ranked, SearchPlan
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.locks import hold_owners
from memoranda.stores.sql.rows import find_owner, from_us, to_us

__all__ = ['Counts', 'PendingUses', 'with_uses', 'write']

_ROUND: Final = 16
MAX_PENDING: Final = 100_000
"""Memories counted between two writes; uses of more are lost."""

Counts: TypeAlias = Mapping[tuple[Owner, str], tuple[int, datetime]]


class PendingUses:
    """Uses that are not written yet. Lost when the process dies: they are counts, not memories."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._lock = short_lock()
        self._counts: dict[tuple[Owner, str], tuple[int, datetime]] = {}

    def add(self, uses: Iterable[tuple[Owner, str, int, datetime]]) -> None:
        """Count (owner, memory id, times, moment)."""
        if self._pid != os.getpid():  # the child of a fork: these are the parent's, and its lock may be held
            self._lock, self._counts, self._pid = threading.Lock(), {}, os.getpid()
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

    def __bool__(self) -> bool:
        return bool(self._counts) and self._pid == os.getpid()


def write(connection: Connection, counts: Counts) -> Counts:
    """Write what was counted. Returns what was not: that of owners whom somebody else writes for now."""
    numbers: dict[Owner, int] = {}
    for owner in {owner for owner, _ in counts}:
        found = find_owner(connection, owner)
        if found is not None:
            numbers[owner] = found.id
    held = set(hold_owners(connection, numbers.values(), free=True))
    rows = [
        (numbers[owner], memory, times, to_us(at))
        for (owner, memory), (times, at) in counts.items()
        if numbers.get(owner) in held
    ]
    # Memories that were erased meanwhile must not come back, not even as an id.
    connection.executemany(
        'INSERT INTO usage(owner, memory, uses, last_used_at) SELECT ?1, ?2, ?3, ?4 '
        'WHERE EXISTS(SELECT 1 FROM memory WHERE owner = ?1 AND id = ?2 AND retired_at IS NULL) '
        'ON CONFLICT(owner, memory) DO UPDATE SET uses = usage.uses + excluded.uses, last_used_at = '
        'CASE WHEN usage.last_used_at > excluded.last_used_at THEN usage.last_used_at ELSE excluded.last_used_at END',
        sorted(rows),
    )
    busy = set(numbers.values()) - held
    return {key: count for key, count in counts.items() if numbers.get(key[0]) in busy}


def with_uses(connection: Connection, plan: SearchPlan) -> SearchPlan:
    """The plan, whose last word is told how often each memory was recalled before."""
    if not plan.uses:
        return plan

    def finish(pairs: Sequence[tuple[Ranked, Hit]]) -> list[Hit]:
        return plan.finish(_counted(connection, pairs))

    return replace(plan, finish=finish)


def _counted(connection: Connection, pairs: Sequence[tuple[Ranked, Hit]]) -> Sequence[tuple[Ranked, Hit]]:
    asked: dict[Owner, list[str]] = {}
    for _, hit in pairs:
        if hit.memory is not None:
            asked.setdefault(hit.memory.scope.home(hit.memory.project), []).append(hit.memory.id)
    known: dict[str, tuple[int, int]] = {}
    for owner, ids in asked.items():
        found = find_owner(connection, owner)
        if found is not None:
            # Their number rounded up, so that few statements need to be compiled.
            marks = ', '.join('?' * (len(ids) + -len(ids) % _ROUND))
            values = (*ids, *(None for _ in range(-len(ids) % _ROUND)))
            for memory, uses, at in connection.execute(
                f'SELECT memory, uses, last_used_at FROM usage WHERE owner = ? AND memory IN ({marks})',
                (found.id, *values),
            ):
                known[memory] = uses, at
    if not known:
        return pairs
    return [(_with(ranked, known.get(hit.memory.id) if hit.memory else None), hit) for ranked, hit in pairs]


def _with(ranked: Ranked, known: tuple[int, int] | None) -> Ranked:
    return ranked if known is None else replace(ranked, uses=known[0], last_used_at=from_us(known[1]))
