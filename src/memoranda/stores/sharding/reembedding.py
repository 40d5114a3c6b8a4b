"""Embedding generations of all shards, and what they hold in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from memoranda.records import Usage
from memoranda.stores.data import Stats
from memoranda.stores.generation import Generation
from memoranda.stores.sharding.placement import shard_of_row
from memoranda.stores.sharding.routing import Routing
from memoranda.stores.walks import Walk

if TYPE_CHECKING:
    from memoranda.lanes import FloatVector
    from memoranda.stores.sql.store import SqlStore

__all__ = ['ReembeddingShards']


class ReembeddingShards(Routing):
    """Each shard has generations of its own; the first one's numbers stand for those of the same embedder elsewhere.

    They are switched one after the other. A shard that has not switched yet answers from keywords for that moment.
    """

    async def generation(self) -> Generation | None:
        """The current embedding generation."""
        return await (await self._ready(0)).generation()

    async def start_generation(self, embedder: str, dimensions: int, *, rebuild: bool) -> Generation:
        """Register the first generation, or begin or resume its replacement."""
        current = await self.generation()
        replaced = rebuild and current is not None

        async def start(shard: SqlStore) -> Generation:
            own = await shard.generation()
            switched = own is not None and (own.embedder, own.dimensions) == (embedder, dimensions)
            other = current is not None and (current.embedder, current.dimensions) != (embedder, dimensions)
            if own is not None and replaced and switched and other:
                return own  # it has switched already, and the first has not: that was cut off
            return await shard.start_generation(embedder, dimensions, rebuild=rebuild)

        started = await self._everywhere(start)
        self._numbers.clear()
        return started[0]

    async def _alike(self, shard: SqlStore, generation: Generation) -> Generation | None:
        for own in await shard.generations():
            if (own.embedder, own.dimensions) == (generation.embedder, generation.dimensions) and own.state != 'old':
                return own
        return None

    def _parts(self, walk: Walk) -> list[Walk | None]:
        if not walk.parts:
            walk.parts = [Walk() for _ in self._shards]
        return walk.parts

    async def unembedded(
        self, generation: Generation, *, limit: int, walk: Walk | None = None
    ) -> Sequence[tuple[str, int, str]]:
        """Rows that have no vector in this generation."""
        found: list[tuple[str, int, str]] = []
        parts = self._parts(walk if walk is not None else Walk())
        for number, part in enumerate(parts):
            shard = await self._ready(number)
            own = await self._alike(shard, generation)
            if part is not None and own is not None and len(found) < limit:
                found += await shard.unembedded(own, limit=limit - len(found), walk=part)
        return found

    async def coverage(self, generation: Generation) -> tuple[int, int]:
        """How many rows have a vector of it, and how many there are."""
        have = total = 0
        for number in range(len(self._shards)):
            shard = await self._ready(number)
            own = await self._alike(shard, generation)
            if own is not None:
                part = await shard.coverage(own)
                have, total = have + part[0], total + part[1]
        return have, total

    async def put_vectors(self, generation: Generation, vectors: Sequence[tuple[str, int, FloatVector]]) -> None:
        """Store vectors for rows that are still there."""
        parts: dict[int, list[tuple[str, int, FloatVector]]] = {}
        for one in vectors:
            parts.setdefault(shard_of_row(one[1]), []).append(one)
        for number, part in parts.items():
            shard = await self._ready(number)
            own = await self._alike(shard, generation)
            await shard.put_vectors(own or generation, part)

    async def switch_generation(self, generation: Generation, *, walk: Walk | None = None) -> bool:
        """Make it the current one in each shard, the first one last: then what was cut off is seen, and goes on."""
        parts: list[Walk | None] = [None] * len(self._shards) if walk is None else self._parts(walk)
        for number in reversed(range(len(self._shards))):
            shard = await self._ready(number)
            own = await self._alike(shard, generation)
            if not await shard.switch_generation(own or generation, walk=parts[number]):
                return False
        self._numbers.clear()
        return True

    async def drop_generation(self, generation: Generation) -> None:
        """Give up a generation that is being built."""
        for number in range(len(self._shards)):
            shard = await self._ready(number)
            for own in await shard.generations():
                if own.state == 'building' and own.embedder == generation.embedder:
                    await shard.drop_generation(own)

    async def drop_old_vectors(self, *, limit: int) -> bool:
        """Delete so many vectors of generations that nobody reads any more."""
        return all(await self._everywhere(lambda shard: shard.drop_old_vectors(limit=limit)))

    async def lacking(self, *, limit: int) -> Walk | None:
        """A walk through the rows of so many owners of each shard that got no vector."""
        parts = await self._everywhere(lambda shard: shard.lacking(limit=limit))
        return Walk(parts=parts) if any(part is not None for part in parts) else None

    async def settle_lacking(self, walk: Walk) -> None:
        """The rows of such a walk have their vectors now."""
        for number, part in enumerate(walk.parts):
            if part is not None:
                await (await self._ready(number)).settle_lacking(part)

    async def stats(self) -> Stats:
        """What all shards hold together."""
        parts = await self._everywhere(lambda shard: shard.stats())
        costs = [part.usage.cost for part in parts if part.usage.cost is not None]
        shards: dict[str, Any] = {
            part.location: {'owners': part.owners, 'memories': part.memories, 'bytes': part.bytes} for part in parts
        }
        return replace(
            parts[0],
            location=self.location,
            owners=sum(part.owners for part in parts),
            memories=sum(part.memories for part in parts),
            versions=sum(part.versions for part in parts),
            episodes=sum(part.episodes for part in parts),
            jobs_queued=sum(part.jobs_queued for part in parts),
            jobs_dead=sum(part.jobs_dead for part in parts),
            bytes=sum(part.bytes for part in parts),
            building=next((part.building for part in parts if part.building is not None), None),
            scrub_pending=any(part.scrub_pending for part in parts),
            usage=Usage(
                requests=sum(part.usage.requests for part in parts),
                input_tokens=sum(part.usage.input_tokens for part in parts),
                output_tokens=sum(part.usage.output_tokens for part in parts),
                cost=sum(costs) if costs else None,
            ),
            details={**{name: told for name, told in parts[0].details.items() if name != 'shard'}, 'shards': shards},
        )
