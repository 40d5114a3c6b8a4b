"""The cosines of a lane when an index elsewhere told which rows are nearest: these, and a few from the database.

From the database come rows the index may not know yet, rows that hold words of the question, and a sample of the others
that tells what cosines they have. So a memory is found as soon as it is stored, a keyword hit is weighed by its meaning
too, and the nearest rows are compared with all rows, not with each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from memoranda.lanes import FloatVector, Ints, LaneName, Posting, Rest
from memoranda.stores.generation import Generation
from memoranda.stores.index import Nearest
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.keys import vector_tables
from memoranda.stores.sql.rows import within

__all__ = ['cosines']

ALL: Final = 256
"""When no more rows than these are left, they are all read."""
WORDED: Final = 400
"""Rows that hold words of the question."""
BEST: Final = 64
"""Rows of those, and of the nearest ones, whose neighbours are read."""
SAMPLE: Final = 128
STARVED: Final = 50
"""When filters leave fewer of the nearest rows, the latest others are read."""
LATEST: Final = 2_000

Places = NDArray[np.int64]


def cosines(
    connection: Connection,
    name: LaneName,
    generation: Generation,
    key: Places,
    allowed: NDArray[np.bool_],
    postings: Mapping[str, Posting],
    vector: FloatVector,
    nearest: Nearest,
) -> tuple[FloatVector, Rest | None]:
    """(n,) the cosine of each row, nan where it isn't known, and what is known of these."""
    dense = np.full(len(key), np.nan, dtype=np.float32)
    places, there = _places(key, nearest.rows)
    dense[places] = nearest.cosine[there]
    waiting, _ = _places(key, nearest.waiting)
    dense[waiting] = np.nan
    unseen = allowed & np.isnan(dense)
    count = int(np.count_nonzero(unseen))
    if not count:
        return dense, None
    left = np.flatnonzero(unseen)
    sample = left if count <= ALL else left[np.linspace(0, count - 1, SAMPLE).astype(np.int64)]
    wanted = [sample]
    if count > ALL:
        worded = _worded(postings, unseen)
        wanted += [waiting[unseen[waiting]], worded]
        if name == 'episodes':  # what was said around good hits counts there
            wanted.append(_around(dense, worded, unseen))
        if nearest.full and int(np.count_nonzero(allowed & ~np.isnan(dense))) < STARVED:
            wanted.append(left[-LATEST:])
    read = np.unique(np.concatenate(wanted))
    _fill(connection, name, generation, key, read, vector, dense)
    rest = count - len(read)
    known = dense[sample]
    known = known[~np.isnan(known)]
    if rest <= 0 or not len(known):
        return dense, None
    share = len(known) / len(sample)  # the others have no vector at all
    return dense, Rest(round(rest * share), float(known.mean()), float(known.std()))


def _places(key: Places, rows: Ints) -> tuple[Places, Places]:
    """Where in `key` these rows are, and which of them that are."""
    if not len(key) or not len(rows):
        empty = np.zeros(0, dtype=np.int64)
        return empty, empty
    sort = None if bool((key[1:] > key[:-1]).all()) else np.argsort(key)
    places = np.searchsorted(key, rows, sorter=sort)
    places[places == len(key)] = 0
    if sort is not None:
        places = sort[places]
    there = np.flatnonzero(key[places] == rows)
    return places[there], there


def _worded(postings: Mapping[str, Posting], unseen: NDArray[np.bool_]) -> Places:
    """Rows that words speak for most: BM25 as ranking has it, but for the lengths."""
    weight = np.zeros(len(unseen), dtype=np.float32)
    for rows, said in postings.values():
        rarity = np.float32(np.log1p((len(unseen) - len(rows) + 0.5) / (len(rows) + 0.5)))
        weight[rows] += rarity * said / (said + np.float32(1.2))
    weight[~unseen] = 0
    hits = np.flatnonzero(weight)
    if len(hits) > WORDED:
        hits = hits[np.argpartition(-weight[hits], WORDED)[:WORDED]]
    return hits[np.argsort(-weight[hits])]


def _around(dense: FloatVector, worded: Places, unseen: NDArray[np.bool_]) -> Places:
    """Unseen rows one and two places from the best ones."""
    seen = np.flatnonzero(~np.isnan(dense))
    if len(seen) > BEST:
        seen = seen[np.argpartition(-dense[seen], BEST)[:BEST]]
    best = np.concatenate((seen, worded[:BEST]))
    near = np.unique(np.concatenate([best + step for step in (-2, -1, 1, 2)]))
    near = near[(near >= 0) & (near < len(dense))]
    return near[unseen[near]]


def _fill(
    connection: Connection,
    name: LaneName,
    generation: Generation,
    key: Places,
    places: Places,
    vector: FloatVector,
    dense: FloatVector,
) -> None:
    table = vector_tables(generation.id)[0 if name == 'memories' else 1]
    at = {int(key[place]): int(place) for place in places}
    dialect = connection.dialect
    found = dict(within(connection, f'SELECT row, {dialect.stored_vector} FROM {table} WHERE row', at))
    if found:
        vectors = dialect.unpack(list(found.values()), generation.dimensions)
        dense[[at[row] for row in found]] = np.vecdot(vectors, vector)
