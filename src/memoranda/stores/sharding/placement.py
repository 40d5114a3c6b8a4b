"""Which shard an owner lives in, and what a database remembers of being a shard."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from memoranda.scope import Owner
from memoranda.stores.sql.keys import SEQ_BITS

__all__ = ['MAX_SHARDS', 'Membership', 'place', 'shard_of_number', 'shard_of_row']

_NUMBER_BITS = 32
"""Of an owner's number; what is above them is the number of the shard."""
MAX_SHARDS = 1 << (63 - SEQ_BITS - _NUMBER_BITS)


@dataclass(frozen=True, slots=True)
class Membership:
    """What a database is told when it becomes a shard, and compared with whenever it is opened."""

    group: str
    """Names the set of shards."""
    number: int
    """Position of this one, from 0."""
    count: int
    """How many there are."""
    secret: bytes
    """Keys the hashes of subjects; the same in all shards."""

    @property
    def first_owner(self) -> int:
        """The number of its first owner. No two shards give the same."""
        return (self.number << _NUMBER_BITS) + 1


def place(owner: Owner, count: int) -> int:
    """The shard of an owner, by rendezvous hashing: the one whose hash together with the owner is the greatest.

    Thaler and Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM Transactions on Networking 6(1),
    1998. With one shard more, 1 in `count + 1` owners would live elsewhere, and all of these in the new one.

    Args:
        owner: Whose; its kind counts, too.
        count: How many shards there are.
    """
    key = '\0'.join((owner.project, owner.kind, owner.key)).encode('utf-8', 'surrogatepass')
    return max(range(count), key=lambda n: hashlib.blake2b(key, digest_size=8, salt=n.to_bytes(8, 'big')).digest())


def shard_of_number(number: int) -> int:
    """The shard that gave an owner its number."""
    return number >> _NUMBER_BITS


def shard_of_row(row: int) -> int:
    """The shard of a row key."""
    return row >> SEQ_BITS + _NUMBER_BITS
