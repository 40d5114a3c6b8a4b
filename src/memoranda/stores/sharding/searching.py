"""One search over owners in several shards: their lanes are ranked together, then each reads the rows that won."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from memoranda.lanes import Ints, Lane, LaneName, Posting
from memoranda.records import Hit
from memoranda.stores.data import Ranked, SearchPlan
from memoranda.stores.sharding.placement import shard_of_row

__all__ = ['Chosen', 'Gathered', 'by_shard', 'key_of', 'merge']


@dataclass(slots=True)
class Gathered:
    """The lanes of one shard, caught in the place of ranking them."""

    lanes: list[Lane] = field(default_factory=list[Lane])

    def plan(self, plan: SearchPlan, generation: int | None) -> SearchPlan:
        """A search that only gathers."""
        return replace(plan, generation=generation, rank=self._rank, finish=_nothing, uses=False)

    def _rank(self, lanes: Sequence[Lane]) -> Sequence[Ranked]:
        self.lanes = list(lanes)
        return []


@dataclass(slots=True)
class Chosen:
    """Reads the rows of one shard that won; those that were erased meanwhile are left out."""

    wanted: Mapping[tuple[LaneName, int], Ranked]
    """By lane and row key."""
    pairs: dict[tuple[LaneName, int], tuple[Ranked, Hit]] = field(
        default_factory=dict[tuple[LaneName, int], tuple[Ranked, Hit]]
    )
    _keys: dict[tuple[LaneName, int], int] = field(default_factory=dict[tuple[LaneName, int], int])

    def plan(self, plan: SearchPlan) -> SearchPlan:
        """A search that takes what was chosen. It needs no words and no vectors."""
        lanes = [lane for lane in plan.lanes if any(name == lane for name, _ in self.wanted)]
        return replace(plan, lanes=lanes, terms=(), vectors={}, rank=self._rank, finish=self._finish)

    def _rank(self, lanes: Sequence[Lane]) -> Sequence[Ranked]:
        found: list[Ranked] = []
        for lane in lanes:
            wanted = np.array([key for name, key in self.wanted if name == lane.name], dtype=np.int64)
            for row in np.flatnonzero(np.isin(lane.key, wanted) & lane.allowed).tolist():
                key = (lane.name, int(lane.key[row]))
                self._keys[lane.name, row] = key[1]
                found.append(replace(self.wanted[key], row=row))
        return found

    def _finish(self, pairs: Sequence[tuple[Ranked, Hit]]) -> list[Hit]:
        for ranked, hit in pairs:
            key = (ranked.lane, self._keys[ranked.lane, ranked.row])
            self.pairs[key] = replace(ranked, row=self.wanted[key].row), hit
        return []


def merge(parts: Sequence[Sequence[Lane]]) -> list[Lane]:
    """The same lanes of several shards as one each. Row keys tell the shard."""
    return [_joined(lanes) for lanes in zip(*parts, strict=True)]


def _joined(lanes: Sequence[Lane]) -> Lane:
    if len(lanes) == 1:
        return lanes[0]
    names = tuple(dict.fromkeys(name for lane in lanes for name in lane.speakers))
    dense = [lane.dense for lane in lanes]
    role = _all([lane.role for lane in lanes])
    return Lane(
        name=lanes[0].name,
        key=np.concatenate([lane.key for lane in lanes]),
        length=np.concatenate([lane.length for lane in lanes]),
        at=np.concatenate([lane.at for lane in lanes]),
        allowed=np.concatenate([lane.allowed for lane in lanes]),
        dense=None
        if all(part is None for part in dense)
        else np.concatenate(
            [
                np.full(len(lane), np.nan, dtype=np.float32) if part is None else part
                for lane, part in zip(lanes, dense, strict=True)
            ]
        ),
        postings=_postings(lanes),
        conversation=_all([lane.conversation for lane in lanes]),
        position=_all([lane.position for lane in lanes]),
        role=None if role is None else role.astype(np.uint8),
        speaker=_all([_renumbered(lane, names) for lane in lanes]),
        speakers=names,
    )


def _all(parts: Sequence[Ints | None]) -> Ints | None:
    present = [part for part in parts if part is not None]
    return np.concatenate(present) if len(present) == len(parts) else None


def _renumbered(lane: Lane, names: tuple[str, ...]) -> Ints | None:
    if lane.speaker is None:
        return None
    numbers = np.array([*(names.index(name) for name in lane.speakers), -1], dtype=np.int64)
    return numbers[lane.speaker]


def _postings(lanes: Sequence[Lane]) -> dict[str, Posting]:
    merged: dict[str, tuple[list[Ints], list[Ints]]] = {}
    offset = 0
    for lane in lanes:
        for term, (rows, counts) in lane.postings.items():
            held = merged.setdefault(term, ([], []))
            held[0].append(rows + offset)
            held[1].append(counts)
        offset += len(lane)
    return {term: (np.concatenate(rows), np.concatenate(counts)) for term, (rows, counts) in merged.items()}


def key_of(lane: Lane, row: int) -> tuple[LaneName, int]:
    """What tells a row of a lane from all others."""
    return lane.name, int(lane.key[row])


def by_shard(lanes: Sequence[Lane], ranked: Sequence[Ranked]) -> dict[int, dict[tuple[LaneName, int], Ranked]]:
    """What won, by shard, lane and row key."""
    named = {lane.name: lane for lane in lanes}
    parts: dict[int, dict[tuple[LaneName, int], Ranked]] = {}
    for one in ranked:
        key = key_of(named[one.lane], one.row)
        parts.setdefault(shard_of_row(key[1]), {})[key] = one
    return parts


def _nothing(pairs: Sequence[tuple[Ranked, Hit]]) -> list[Hit]:
    return []
