"""Searches of owners that are asked again and again: ranked by what is in memory, in one journey to the database.

The rows of the best are asked for together with the question whether the owners are still as they were. If they are
not, nothing of it counts and the search is made as always.
"""

from __future__ import annotations

from memoranda.records import Hit
from memoranda.scope import Reach
from memoranda.stores.data import SearchPlan
from memoranda.stores.sql.cache import Cache
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.rows import OwnerRow, owner_sought
from memoranda.stores.sql.searching import Grounds, Kept, Said, hits_sought, is_plain, ranked_lanes
from memoranda.stores.sql.writing import generation_sought, term_key

__all__ = ['glance', 'remembers']


def remembers(cache: Cache, plan: SearchPlan) -> bool:
    """Whether all that a search ranks by is in memory."""
    return is_plain(plan) and all(cache.remembered(reach.owner) is not None for reach in plan.reaches)


def glance(connection: Connection, cache: Cache, plan: SearchPlan) -> list[Hit] | None:
    """The hits, if what is in memory is what the database holds."""
    owners: list[tuple[OwnerRow, Reach]] = []
    said: dict[int, Said] = {}
    for reach in plan.reaches:
        known = cache.remembered(reach.owner)
        if known is None:  # dropped just now
            return None
        row, words = known
        owners.append((row, reach))
        said[row.id] = {'memories': {term: words.of(term_key(row.salt, term)) for term in plan.terms}}
    held = cache.generation
    grounds = Grounds(owners, held, {}, said, {})
    ranked, lanes = ranked_lanes(Kept(connection, cache, held), plan, grounds)
    sought_owners = [owner_sought(connection, reach.owner) for reach in plan.reaches]
    sought_generation = generation_sought(connection)
    sought_hits = hits_sought(connection, plan, ranked, lanes)
    connection.last()
    for look, (row, _) in zip(sought_owners, owners, strict=True):
        found = look()
        if found is None or (found.id, found.version, found.epoch) != (row.id, row.version, row.epoch):
            return None
    if sought_generation() != held:
        return None
    return plan.finish(sought_hits({row.id: row.owner for row, _ in owners}))
