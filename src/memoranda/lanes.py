"""What a store hands to ranking: one table of parallel arrays per kind of thing that can be recalled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    'ASSISTANT',
    'OTHER',
    'ROLES',
    'USER',
    'Bools',
    'FloatVector',
    'Floats',
    'Ints',
    'Lane',
    'LaneName',
    'Posting',
    'Rest',
]

LaneName: TypeAlias = Literal['memories', 'episodes']
FloatVector: TypeAlias = NDArray[np.float32]
Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.integer]
Bools: TypeAlias = NDArray[np.bool_]
Posting: TypeAlias = tuple[Ints, Ints]
"""Rows that hold a term (indices into the lane, each at most once, in any order), and how often each holds it."""

USER, ASSISTANT, OTHER = 0, 1, 2
ROLES: Mapping[str, int] = {'user': USER, 'assistant': ASSISTANT, 'system': OTHER, 'tool': OTHER}
"""The code of a message's role in `Lane.role`."""


@dataclass(frozen=True, slots=True)
class Rest:
    """The cosines of rows that are too many to be looked at, as a sample of them tells."""

    count: int
    mean: float
    spread: float
    """Standard deviation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The candidates of one kind over all owners read: `n` rows, in any order.

    A store fills it inside its read transaction; ranking never writes to the arrays, so they may be views of a cache.
    Figures that depend on the whole collection (document frequency, average length) are taken over the allowed rows.
    """

    name: LaneName
    key: Ints
    """(n,) identifies the row to the store, uniquely in its lane. Equal scores are ordered by it, highest first."""
    length: Ints
    """(n,) number of indexed terms."""
    at: Floats
    """(n,) unix seconds: when a memory became valid, or when a message was said."""
    allowed: Bools
    """(n,) rows that may be seen. The others are as good as absent: they shape no score, not even a neighbour's."""
    dense: FloatVector | None = None
    """(n,) cosine to this lane's query vector, nan for rows without a vector; None when there is no query vector."""
    rest: Rest | None = None
    """When only the nearest rows were looked at: what is known of the other allowed ones, whose `dense` is nan."""
    postings: Mapping[str, Posting] = field(default_factory=dict[str, Posting])
    """Query terms that occur. Rows that aren't allowed may be among them."""
    conversation: Ints | None = None
    """(n,) episodes only: a number for the conversation, distinct over all owners read."""
    position: Ints | None = None
    """(n,) episodes only: order of the segment inside its conversation; neighbours differ by 1."""
    role: NDArray[np.uint8] | None = None
    """(n,) episodes only: see `ROLES`."""
    speaker: Ints | None = None
    """(n,) episodes only: index into `speakers`, -1 for a message without a name."""
    speakers: tuple[str, ...] = ()
    """The names behind `speaker`."""

    def __len__(self) -> int:
        return len(self.key)
