"""What a change may touch: the current memories that a proposal is compared with, in one read transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from memoranda.lanes import FloatVector
from memoranda.scope import Owner
from memoranda.stores.data import PENDING_READ, Pending, Snapshot
from memoranda.stores.sql.asking import asked_ahead
from memoranda.stores.sql.cache import Cache
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.reading import MEMORY
from memoranda.stores.sql.reviewing import pending_sought, rejected_sought, waiting_of
from memoranda.stores.sql.rows import (
    OwnerRow,
    owner_sought,
    quotes_sought,
    read_memories,
    sought,
)
from memoranda.stores.sql.searching import Kept, dense
from memoranda.stores.sql.writing import NO_OWNER, generation_sought

if TYPE_CHECKING:
    from memoranda.records import Trust

__all__ = ['snapshot']

_CHAIN = (
    "retired_at IS NULL AND (status IN ('active', 'superseded') OR (status = 'retracted' AND valid_to IS NOT NULL)) "
    'AND owner = ? AND slot'
)
"""What a slot has held."""


def snapshot(
    connection: Connection,
    cache: Cache,
    owner: Owner,
    hashes: Sequence[str],
    slots: Sequence[str],
    ids: Sequence[str],
    near: Sequence[FloatVector],
    near_limit: int,
    made_by: int | None,
    latest: Sequence[str],
) -> Snapshot:
    """Current memories that a proposal may touch."""
    known, wanted = cache.seen(owner), _Wanted(hashes, slots, ids, latest)
    sought_owner, sought_generation = owner_sought(connection, owner), generation_sought(connection)
    ahead = asked_ahead(connection, cache, () if known is None or not near else known[:1], ('memories',))
    candidates = None if known is None else _candidates(connection, known[0], wanted)
    found = sought_owner()
    if found is None:
        return Snapshot(owner_version=NO_OWNER, memories=())
    if candidates is None or known is None or known[0] != found.id:
        candidates = _candidates(connection, found.id, wanted)
        cache.see(found)
    rows, chains = candidates.rows()
    chained = sought(connection, f'SELECT row FROM memory WHERE {_CHAIN}', sorted(chains), values=(found.id,))
    generation = sought_generation()
    if near and generation is not None and made_by in (None, generation.id):
        rows.update(_nearest(Kept(connection, cache, generation, ahead), found, near, near_limit))
    rows.update(r for (r,) in chained())
    ordered = sorted(rows)
    sought_rows = sought(connection, MEMORY + 'WHERE row', ordered, ' ORDER BY row')
    quotes = quotes_sought(connection, ordered)
    pending = candidates.pending()
    return Snapshot(
        owner_version=found.version,
        memories=read_memories(connection, sought_rows(), {found.id: owner}, quotes),
        rejected=candidates.rejected(),
        pending=pending,
        waiting=waiting_of(connection, found.id) if len(pending) >= PENDING_READ else {},
    )


class _Wanted(NamedTuple):
    """What a snapshot is to tell of."""

    hashes: Sequence[str]
    slots: Sequence[str]
    ids: Sequence[str]
    latest: Sequence[str]


class _Candidates(NamedTuple):
    """What was asked about an owner, to be looked at later."""

    rows: Callable[[], tuple[set[int], set[str]]]
    """Row keys, and the slots whose chains are wanted too."""
    pending: Callable[[], Sequence[Pending]]
    rejected: Callable[[], Mapping[str, Trust]]


def _candidates(connection: Connection, owner: int, wanted: _Wanted) -> _Candidates:
    found = [
        sought(connection, f'SELECT row, slot FROM memory WHERE {condition}', values, values=(owner,))
        for condition, values in (
            ('live = 1 AND valid_to IS NULL AND owner = ? AND hash', wanted.hashes),
            ('live = 0 AND retired_at IS NULL AND valid_to IS NOT NULL AND owner = ? AND hash', wanted.hashes),
            ('live = 1 AND owner = ? AND id', wanted.ids),
            ('retired_at IS NULL AND owner = ? AND id', wanted.latest),
        )
    ]

    def rows() -> tuple[set[int], set[str]]:
        told = [pair for look in found for pair in look()]
        return {row for row, _ in told}, {*wanted.slots, *(slot for _, slot in told if slot is not None)}

    return _Candidates(
        rows,
        pending_sought(connection, owner, wanted.hashes) if wanted.hashes else lambda: (),
        rejected_sought(connection, owner, wanted.hashes),
    )


def _nearest(kept: Kept, owner: OwnerRow, near: Sequence[FloatVector], limit: int) -> list[int]:
    """The memories nearest to some vectors, so many of each."""
    rows: list[int] = []
    if kept.generation is None:
        return rows
    columns = kept.columns(owner, 'memories')
    for vector in near if len(columns.row) else ():
        cosine = np.nan_to_num(dense(kept.connection, 'memories', kept.generation, (columns,), vector), nan=-2.0)
        cosine[~columns.live] = -2.0
        best = np.argsort(cosine)[-limit:]
        rows += (int(columns.row[i]) for i in best if cosine[i] > 0.5)
    return rows
