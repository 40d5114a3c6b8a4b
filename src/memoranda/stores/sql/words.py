"""The keyword index of a lane in memory, as one table: for owners that are searched again and again, as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memoranda.stores.sql.database import Connection

__all__ = ['Words', 'words_sought']


@dataclass(frozen=True, slots=True)
class Words:
    """Where each term of a lane is said. Holds no words: terms are their keyed hashes."""

    terms: NDArray[np.int64]
    """Ascending; one as often as it has chunks."""
    starts: NDArray[np.int64]
    """Where the data of each begins, and at last where all of it ends."""
    data: bytes

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self.terms.nbytes + self.starts.nbytes + len(self.data)

    def of(self, term: int) -> bytes:
        """The postings of a term, as its rows hold them, one chunk behind the other."""
        first, end = (np.searchsorted(self.terms, term, side) for side in ('left', 'right'))
        return self.data[self.starts[first] : self.starts[end]]


def words_sought(connection: Connection, owner: int, lane: int) -> Callable[[], Words]:
    """The index of a lane, where the dialect reads it whole; to be looked at later."""
    found = connection.ask(connection.dialect.whole_index or '', (owner, lane))

    def look() -> Words:
        terms, lengths, data = (part or b'' for part in found.fetchone())
        starts = np.zeros(len(lengths) // 4 + 1, dtype=np.int64)
        np.cumsum(np.frombuffer(lengths, dtype='>i4'), out=starts[1:])
        return Words(np.frombuffer(terms, dtype='>i8').astype(np.int64), starts, bytes(data))

    return look
