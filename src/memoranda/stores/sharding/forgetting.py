"""Erasing and proving it, over all shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from memoranda.scope import Owner
from memoranda.stores.erasures import Forgotten, Remains, Trace, merged
from memoranda.stores.sharding.placement import shard_of_number
from memoranda.stores.sharding.routing import Routing
from memoranda.stores.sql.apikeys import home_of

if TYPE_CHECKING:
    from memoranda.stores.apikeys import ApiKey
    from memoranda.stores.erasures import Asked, ChainPosition, Forgetting
    from memoranda.stores.sql.store import SqlStore

__all__ = ['ForgettingShards']


class ForgettingShards(Routing):
    """What is forgotten lies in one shard, except for a whole project."""

    async def forget(self, what: Forgetting) -> Forgotten:
        """Erase, and leave a tombstone where a subject is forgotten.

        Of a whole project it is one erasure in each shard, and all shards have to be there. When it is cut off between
        two of them, forgetting the project again goes on: nothing is erased twice.
        """
        if what.owner is not None:
            if what.buries and not what.ids:
                await self._drop_keys(what.owner)
            return await (await self._of(what.owner)).forget(what)
        parts = await self._everywhere(lambda shard: shard.forget(what))
        return replace(
            parts[0],
            at=max(part.at for part in parts),
            counts=merged([part.counts for part in parts]),
            chains=tuple(position for part in parts for position in part.chains),
            tombstone=all(part.tombstone for part in parts),
            scrubbed=all(part.scrubbed for part in parts),
            words=tuple(word for part in parts for word in part.words),
        )

    async def _drop_keys(self, owner: Owner) -> None:
        """Keys for one person are not where the person's memories are: they go first."""
        if owner.kind == 'user':
            await (await self._of(home_of(owner.project))).drop_keys_of(owner)

    async def add_key(self, key: ApiKey, digest: bytes, *, reason: str = '') -> None:
        """Store a new API key."""
        await (await self._of(home_of(key.project))).add_key(key, digest, reason=reason)

    async def rotate_key(
        self, old: str, key: ApiKey, digest: bytes, *, until: datetime | None, reason: str = ''
    ) -> bool:
        """Store a key in the place of another one."""
        shard = await self._of(home_of(key.project))
        return await shard.rotate_key(old, key, digest, until=until, reason=reason)

    async def revoke_key(
        self, key_id: str, *, project: str, at: datetime, actor: str, reason: str = ''
    ) -> ApiKey | None:
        """End a key."""
        shard = await self._of(home_of(project))
        return await shard.revoke_key(key_id, project=project, at=at, actor=actor, reason=reason)

    async def key_by_digest(self, digest: bytes) -> tuple[ApiKey, bytes] | None:
        """The key with this digest, in whichever shard its project is."""
        return await self._find(lambda shard: shard.key_by_digest(digest))

    async def keys(self, project: str | None) -> Sequence[ApiKey]:
        """All keys of a project."""
        if project is not None:
            return await (await self._of(home_of(project))).keys(project)
        found = await self._everywhere(lambda shard: shard.keys(None))
        return sorted((key for part in found for key in part), key=lambda key: key.id, reverse=True)

    async def note_key_uses(self, uses: Mapping[str, datetime]) -> None:
        """Write when keys were last used."""
        await self._anywhere(lambda shard: shard.note_key_uses(uses))

    async def tombstone(self, owner: Owner, *, ids: Mapping[str, str] | None = None) -> datetime | None:
        """Until when what was said of a subject is refused."""
        return await (await self._of(owner)).tombstone(owner, ids=ids)

    async def lift_tombstones(self, owner: Owner, *, actor: str, reason: str) -> int:
        """Let in again what was said before an owner was forgotten."""
        return await (await self._of(owner)).lift_tombstones(owner, actor=actor, reason=reason)

    async def secret(self) -> bytes:
        """What keys the hashes of subjects: the same in all shards, so that any that is there will do."""
        return (await self._anywhere(lambda shard: shard.secret()))[0]

    @property
    def sees_bytes(self) -> bool:
        """Whether every shard looks into raw bytes."""
        return all(shard.sees_bytes for shard in self._shards)

    async def traces(self, texts: Sequence[str], *, sample: bool = False) -> Sequence[Trace]:
        """Where texts are found that should be gone."""
        found: dict[int, set[str]] = {}
        for traces in await self._everywhere(lambda shard: shard.traces(texts, sample=sample)):
            for trace in traces:
                found.setdefault(trace.text, set()).update(trace.where)
        return [Trace(text=i, where=tuple(sorted(found[i]))) for i in sorted(found)]

    async def remains(self, asked: Asked, subject: str, at: datetime, chains: Sequence[ChainPosition]) -> Remains:
        """What is known of an erasure by what its receipt says."""
        last = len(self._shards) - 1

        async def ask(shard: SqlStore) -> Remains:
            number = self._shards.index(shard)
            own = [chain for chain in chains if min(shard_of_number(chain.owner), last) == number]
            return await shard.remains(asked, subject, at, own)

        parts = await self._everywhere(ask)
        rows: dict[str, int] = {}
        for part in parts:
            for table, count in part.rows.items():
                rows[table] = rows.get(table, 0) + count
        return Remains(
            chain=tuple(problem for part in parts for problem in part.chain),
            tombstone=max((part.tombstone for part in parts if part.tombstone is not None), default=None),
            lifted=any(part.lifted for part in parts),
            rows=rows,
            scrub_pending=any(part.scrub_pending for part in parts),
        )

    async def finish_scrub(self) -> bool:
        """Go on with erasures whose words may still be in a file."""
        return all(await self._everywhere(lambda shard: shard.finish_scrub()))
