"""What searches ask of lanes before they know whether they need it, so that it travels with what they ask anyway."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from memoranda.lanes import FloatVector, LaneName
from memoranda.stores.data import SearchPlan
from memoranda.stores.generation import Generation
from memoranda.stores.sql.cache import Ahead, Cache
from memoranda.stores.sql.database import Connection

__all__ = ['Aheads', 'asked_ahead', 'asked_for']

Aheads: TypeAlias = Mapping[tuple[int, LaneName], Ahead]
"""What was asked about lanes in advance, by the owner's number."""


def asked_for(
    connection: Connection,
    cache: Cache,
    plan: SearchPlan,
    owners: Iterable[tuple[int, bytes]],
    generation: Generation | None,
) -> Aheads:
    """What a search will want of the lanes of some owners, as they are now.

    Args:
        connection: In a snapshot.
        cache: Keeps lanes.
        plan: The search.
        owners: The number of each, and its salt.
        generation: The current one, as far as is known.
    """
    past = plan.moment.as_of is not None or plan.moment.known_at is not None
    lanes: list[LaneName] = [lane for lane in plan.lanes if lane == 'episodes' or not past]
    known = plan.nearest is None and generation is not None and generation.id == plan.generation
    return asked_ahead(
        connection, cache, [number for number, _ in owners], lanes, plan.vectors if known else None, generation
    )


def asked_ahead(
    connection: Connection,
    cache: Cache,
    owners: Iterable[int],
    lanes: Sequence[LaneName],
    vectors: Mapping[str, FloatVector] | None = None,
    generation: Generation | None = None,
) -> Aheads:
    """What will be wanted of lanes that are not kept as they are; asked where that saves a journey.

    Args:
        connection: In a snapshot.
        cache: Keeps them.
        owners: By their numbers.
        lanes: Which.
        vectors: What the rows of a lane will be compared with, if it is one for each.
        generation: Of those.
    """
    if not connection.dialect.shared:
        return {}
    asked: dict[tuple[int, LaneName], Ahead] = {}
    for number in owners:
        for lane in lanes:
            vector = vectors.get(lane) if vectors is not None else None
            if (one := cache.ahead(connection, number, lane, generation, vector)) is not None:
                asked[number, lane] = one
    return asked
