"""What a thousand million memories come to on several servers: a simulation with fixed seeds, in a minute.

Usage: python benchmarks/billion.py [--memories 1000000000] [--owners 10000000]

Owners get memories and asks by a lognormal distribution and go to a fixed number of shards by rendezvous hashing, as
in docs/sharding.md; servers hold whole shards. What a memory takes and what a search costs are arguments: the bytes
were measured by `postgres_search.py`, the times are assumptions. Nothing here was run on that many machines: it is
arithmetic with a realistic skew. The tables of docs/operations.md are its output.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEED = 7
GIB = 2**30
DAY = 86_400
MOST = 1 << 24
"""Rows that one owner may have."""
SERVERS = (8, 16, 32, 64)
SHARDS = (16, 64, 256)
CHOSEN = 256
"""Shards of the plan."""
GROWTH = ((8, 16), (16, 20), (16, 32), (32, 64))
PARTITIONS = (1, 16, 64, 256)
DIMENSIONS = 512
_AT_ONCE = 1 << 18


@dataclass(frozen=True, slots=True)
class World:
    """Owners: how many memories each has, and how often each asks."""

    memories: NDArray[np.float64]
    asks: NDArray[np.float64]
    """A second, at the busiest time."""
    homes: Mapping[int, NDArray[np.int64]]
    """By number of shards, which of them each owner is in."""

    @classmethod
    def made(cls, arguments: argparse.Namespace) -> World:
        rng = np.random.default_rng(SEED)
        # Most have a few, some very many; who has many asks more often, and half as much again by chance.
        size = np.exp(arguments.skew * rng.standard_normal(arguments.owners))
        memories = np.minimum(size * (arguments.memories / size.sum()), arguments.most)
        habit = np.sqrt(memories) * np.exp(0.5 * rng.standard_normal(arguments.owners))
        active = rng.random(arguments.owners) < arguments.active
        asks = habit * active
        asks *= arguments.owners * arguments.active * arguments.asks * arguments.peak / DAY / asks.sum()
        return cls(memories, asks, homes(arguments.owners, SHARDS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--memories', type=float, default=1e9)
    parser.add_argument('--owners', type=int, default=10_000_000)
    parser.add_argument('--skew', type=float, default=1.6, help='sigma of the lognormal distribution of sizes')
    parser.add_argument('--most', type=float, default=200_000, help='memories of the largest owner')
    parser.add_argument('--active', type=float, default=0.1, help='share of owners that ask on a day')
    parser.add_argument('--asks', type=float, default=20, help='searches of an active owner a day')
    parser.add_argument('--adds', type=float, default=5, help='background adds of an active owner a day')
    parser.add_argument('--peak', type=float, default=5, help='the busiest time, as a multiple of the mean')
    parser.add_argument('--bytes', type=float, default=BYTES, help='of a memory with all that belongs to it')
    parser.add_argument('--vector-bytes', type=float, default=VECTOR_BYTES, help='of them for the vector')
    parser.add_argument('--searched-bytes', type=float, default=SEARCHED_BYTES, help='of them that a search reads')
    parser.add_argument('--search-ms', type=float, default=SEARCH_MS, help='of a core of the server, for any search')
    parser.add_argument('--search-us', type=float, default=SEARCH_US, help='and for each memory of the owner')
    parser.add_argument('--add-ms', type=float, default=ADD_MS, help='of a core of the server, for an add and its job')
    parser.add_argument('--mib-per-second', type=float, default=50, help='at which owners move between servers')
    arguments = parser.parse_args()
    began = time.perf_counter()
    world = World.made(arguments)
    owners(world, arguments)
    shards(world, arguments)
    servers(world, arguments)
    growing(world, arguments)
    partitions(arguments)
    qdrant(world, arguments)
    print(f'\n{time.perf_counter() - began:.1f} s')


BYTES = 7_400
VECTOR_BYTES = 2_800
SEARCHED_BYTES = 3_300
SEARCH_MS = 0.6
SEARCH_US = 2.5
ADD_MS = 6.0


def heading(text: str, *columns: str) -> None:
    print(f'\n{text}\n\n| {" | ".join(columns)} |\n|{"---|" * len(columns)}')


def row(*cells: str) -> None:
    print(f'| {" | ".join(cells)} |')


def owners(world: World, arguments: argparse.Namespace) -> None:
    """How uneven it is."""
    memories = world.memories
    cost = seconds(world, arguments)
    heading(
        f'{memories.sum() / 1e9:.2f} x 10^9 memories of {len(memories):,} owners, '
        f'{world.asks.sum():,.0f} searches a second at the busiest time',
        'share of owners', 'memories at most', 'share of all memories', 'share of searches', 'of the time they take',
    )  # fmt: skip
    order = np.argsort(memories)
    for share in (0.5, 0.9, 0.99, 0.999, 1.0):
        chosen = order[: round(share * len(order))]
        row(
            f'{100 * share:g} %',
            f'{memories[chosen[-1]]:,.0f}',
            f'{100 * memories[chosen].sum() / memories.sum():.0f} %',
            f'{100 * world.asks[chosen].sum() / world.asks.sum():.0f} %',
            f'{100 * cost[chosen].sum() / cost.sum():.0f} %',
        )
    assert memories.max() < MOST


def seconds(world: World, arguments: argparse.Namespace) -> NDArray[np.float64]:
    """Seconds of a core a second that each owner's searches take."""
    return world.asks * (arguments.search_ms / 1e3 + world.memories * arguments.search_us / 1e6)


def homes(count: int, wanted: Sequence[int]) -> dict[int, NDArray[np.int64]]:
    """The shard of each owner, by rendezvous hashing: the one whose hash with the owner's is largest."""
    found = {shards: np.empty(count, dtype=np.int64) for shards in wanted}
    salts = _mixed(np.arange(1, max(wanted) + 1, dtype=np.uint64))
    for first in range(0, count, _AT_ONCE):
        here = slice(first, min(count, first + _AT_ONCE))
        keys = _mixed(np.arange(here.start, here.stop, dtype=np.uint64) + np.uint64(SEED << 40))
        best = np.zeros(len(keys), dtype=np.uint64)
        home = np.zeros(len(keys), dtype=np.int64)
        for shard, salt in enumerate(salts):
            score = _mixed(keys ^ salt)
            home[score > best] = shard
            np.maximum(best, score, out=best)
            if shard + 1 in found:
                found[shard + 1][here] = home
    return found


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A well mixed hash of each number (the finaliser of splitmix64)."""
    with np.errstate(over='ignore'):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def shards(world: World, arguments: argparse.Namespace) -> None:
    """How even they are."""
    heading(
        f'shards, {arguments.bytes:,.0f} bytes a memory',
        'shards', 'owners in one', 'GiB in one', 'fullest / mean', 'busiest / mean',
        f'minutes to move one at {arguments.mib_per_second:g} MiB/s',
    )  # fmt: skip
    for count in SHARDS:
        size = np.bincount(world.homes[count], world.memories, count) * arguments.bytes / GIB
        asks = np.bincount(world.homes[count], world.asks, count)
        row(
            str(count),
            f'{len(world.memories) / count:,.0f}',
            f'{size.mean():,.1f}',
            f'{size.max() / size.mean():.2f}',
            f'{asks.max() / asks.mean():.2f}',
            f'{size.max() * 1024 / arguments.mib_per_second / 60:,.0f}',
        )


def servers(world: World, arguments: argparse.Namespace) -> None:
    """How full and how busy each is, with as many of the shards on each."""
    heading(
        f'{CHOSEN} shards on PostgreSQL servers; a search {arguments.search_ms:g} ms + {arguments.search_us:g} us a '
        f'memory of a core, an add with its job {arguments.add_ms:g} ms',
        'servers', 'GiB on one', 'fullest / mean', 'GiB that the owners of a day search', 'searches/s on one',
        'adds/s on one', 'cores busy on the busiest',
    )  # fmt: skip
    cost = seconds(world, arguments)
    adds = len(world.memories) * arguments.active * arguments.adds * arguments.peak / DAY
    for count in SERVERS:
        home = world.homes[CHOSEN] % count
        size = np.bincount(home, world.memories, count) * arguments.bytes / GIB
        asks = np.bincount(home, world.asks, count)
        searched = np.bincount(home, world.memories * (world.asks > 0), count) * arguments.searched_bytes / GIB
        work = np.bincount(home, cost, count) + adds / count * arguments.add_ms / 1e3
        row(
            str(count),
            f'{size.mean():,.0f}',
            f'{size.max() / size.mean():.2f}',
            f'{searched.max():,.0f}',
            f'{asks.mean():,.0f}',
            f'{adds / count:,.0f}',
            f'{work.max():.2f}',
        )


def growing(world: World, arguments: argparse.Namespace) -> None:
    """What moves when servers are added: whole shards, from each old one to the new ones."""
    heading(
        f'adding servers: whole shards move, one by one from each old server, at {arguments.mib_per_second:g} MiB/s',
        'from', 'to', 'shards that move', 'GiB in all', 'GiB from each old one', 'hours in all',
        'minutes that an owner is without memory',
    )  # fmt: skip
    size = np.bincount(world.homes[CHOSEN], world.memories, CHOSEN) * arguments.bytes / GIB
    for before, after in GROWTH:
        moved = CHOSEN - CHOSEN * before // after
        each = moved / before
        one = size.max() * 1024 / arguments.mib_per_second / 60
        row(
            str(before), str(after), str(moved), f'{moved * size.mean():,.0f}', f'{each * size.mean():,.0f}',
            f'{each * one / 60:.1f}', f'{one:.0f}',
        )  # fmt: skip


def partitions(arguments: argparse.Namespace) -> None:
    """How large the tables of one server get, whole or in hash partitions."""
    heading(
        'hash partitions of one server: GiB of vectors in one',
        'memories on the server', *(f'{count} partitions' if count > 1 else 'not partitioned' for count in PARTITIONS),
    )  # fmt: skip
    for memories in (1e6, 1e7, 3e7, 1e8):
        whole = memories * arguments.vector_bytes / GIB
        row(f'{memories:,.0f}', *(f'{whole / count:,.2f}' for count in PARTITIONS))


def qdrant(world: World, arguments: argparse.Namespace) -> None:
    """Vectors in Qdrant, the rest in PostgreSQL."""
    points = world.memories.sum() * 1.2  # with the passages of messages
    heading(
        f'Qdrant for {points / 1e9:.1f} x 10^9 points (memories, passages) of {DIMENSIONS} dimensions, two copies',
        'nodes', 'shards', 'points in a shard', 'GiB of disk on a node', 'GiB of RAM on a node: int8 in memory',
        'float32 in memory',
    )  # fmt: skip
    for nodes in (6, 12, 24, 48):
        shards = nodes * 4
        on_node = points * 2 / nodes
        # Payload (owner, keys, flags) and the index over the owner: some 150 bytes; a sparse vector: some 12 terms.
        other = 150 + 12 * 8
        disk = on_node * (DIMENSIONS * 4 + DIMENSIONS + other) / GIB
        row(
            str(nodes), str(shards), f'{points / shards / 1e6:,.0f} million', f'{disk:,.0f}',
            f'{on_node * (DIMENSIONS + 60) / GIB:,.0f}', f'{on_node * (DIMENSIONS * 4 + 60) / GIB:,.0f}',
        )  # fmt: skip


if __name__ == '__main__':
    main()
