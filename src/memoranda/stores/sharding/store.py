"""`ShardedStore`: the primitives over several databases."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from memoranda.errors import Conflict, StoreError
from memoranda.records import NO_USAGE, Change, Edit, Hit, Job, MemoryRecord, Usage
from memoranda.scope import Erasure, Owner, Reach
from memoranda.stores.data import (
    Appended,
    Batch,
    Commit,
    ErasureResult,
    Foreseen,
    Moment,
    NewerJob,
    SearchPlan,
    Snapshot,
    Work,
)
from memoranda.stores.portable import JobItem, MemoryIn
from memoranda.stores.sharding.forgetting import ForgettingShards
from memoranda.stores.sharding.listing import ListingShards
from memoranda.stores.sharding.placement import place
from memoranda.stores.sharding.reembedding import ReembeddingShards
from memoranda.stores.sharding.routing import together
from memoranda.stores.sharding.searching import Chosen, Gathered, by_shard, key_of, merge

if TYPE_CHECKING:
    from memoranda.filters import Filter
    from memoranda.lanes import FloatVector
    from memoranda.records import Trust
    from memoranda.stores.aging import Round
    from memoranda.stores.portable import Holdings, RestoreNote, RowIn, Take
    from memoranda.stores.sql.store import SqlStore

__all__ = ['ShardedStore']


class ShardedStore(ListingShards, ForgettingShards, ReembeddingShards):
    """Memories in several databases, each owner whole in one of them.

    A user, an agent, an app, an anonymous conversation and what a project shares are owners; `place` says where each
    lives. A change touches one owner, so it is one transaction in one database, as ever. What concerns several owners
    asks several shards. A shard that can't be reached costs its owners their memory, and no one else.

    Args:
        shards: In the order they were made in. Their number is fixed once something is stored: begin with as many
            databases as will ever be wanted, several on one server, and move them to servers of their own.
    """

    async def append(self, batch: Batch) -> Appended:
        """Store unseen messages and a job for them."""
        return await (await self._of(batch.owner)).append(batch)

    async def foresee(self, batch: Batch) -> Foreseen:
        """What `append` would store."""
        return await (await self._of(batch.owner)).foresee(batch)

    async def claim(
        self, owner: Owner, *, worker: str, lease_seconds: float, due: bool = False, ahead: str | None = None
    ) -> Work | None:
        """Lease the owner's earliest unfinished job."""
        shard = await self._of(owner)
        return await shard.claim(owner, worker=worker, lease_seconds=lease_seconds, due=due, ahead=ahead)

    async def claim_next(self, *, worker: str, lease_seconds: float, turns: int = 1) -> Work | None:
        """Lease the job that is due for longest, as far as the clocks of the shards agree."""
        due = await together(self._call(n, lambda shard: shard.due_at()) for n in range(len(self._shards)))
        self._reached(dict(enumerate(due)))
        moments = {
            n: moment for n, moment in enumerate(due) if moment is not None and not isinstance(moment, StoreError)
        }
        newer: NewerJob | None = None
        for number in sorted(moments, key=moments.__getitem__):
            try:
                shard = self._shards[number]
                work = await shard.claim_next(worker=worker, lease_seconds=lease_seconds, turns=turns)
            except NewerJob as error:
                newer = error
            except StoreError as error:
                self._note({number: error})
            else:
                if work is not None:
                    return work
        if newer is not None:
            raise newer
        return None

    async def due_in(self) -> float | None:
        """Seconds until a job is due in some shard."""
        found = await self._anywhere(lambda shard: shard.due_in())
        return min((seconds for seconds in found if seconds is not None), default=None)

    async def recover(self, *, lease_seconds: float) -> int:
        """Give back what is leased to processes that are gone."""
        return sum(await self._anywhere(lambda shard: shard.recover(lease_seconds=lease_seconds)))

    async def hurry(self, owner: Owner | None = None) -> None:
        """Make jobs due that wait for more turns."""
        if owner is not None:
            return await (await self._of(owner)).hurry(owner)
        await self._anywhere(lambda shard: shard.hurry())
        return None

    async def waiting(self, owner: Owner | None = None, *, before: str | None = None) -> int:
        """How many jobs are queued or running."""
        if owner is not None:
            return await (await self._of(owner)).waiting(owner, before=before)
        return sum(await self._anywhere(lambda shard: shard.waiting(before=before)))

    async def load(self, job_id: str) -> Work | None:
        """A job with its messages."""
        return await self._find(lambda shard: shard.load(job_id))

    async def job(self, job_id: str, *, project: str) -> tuple[Owner, Job] | None:
        """A job and whose it is."""
        return await self._find(lambda shard: shard.job(job_id, project=project))

    async def requeue(self, job_id: str, *, project: str) -> Job | None:
        """Make a dead or waiting job due now."""
        return await self._find(lambda shard: shard.requeue(job_id, project=project))

    async def drop(self, job_id: str, *, project: str) -> bool:
        """Take a job out of the queue."""

        async def try_in(shard: SqlStore) -> bool | None:
            return await shard.drop(job_id, project=project) or None

        return await self._find(try_in) or False

    async def fail(
        self,
        job: Job,
        *,
        worker: str,
        error: str,
        retry_after: float | None,
        usage: Usage = NO_USAGE,
        counted: bool = True,
        outage: bool = False,
        epoch: int | None = None,
    ) -> None:
        """Give a job back."""
        shard = await self._of(job.scope.home(job.project))
        await shard.fail(
            job,
            worker=worker,
            error=error,
            retry_after=retry_after,
            usage=usage,
            counted=counted,
            outage=outage,
            epoch=epoch,
        )

    def abandon(self, worker: str) -> None:
        """Give back whatever is leased under this token."""
        for number in self._checked:
            self._shards[number].abandon(worker)

    async def renew(self, *workers: str, lease_seconds: float) -> None:
        """Hold what is leased under these tokens."""
        await self._anywhere(lambda shard: shard.renew(*workers, lease_seconds=lease_seconds))

    async def snapshot(
        self,
        owner: Owner,
        *,
        hashes: Sequence[str] = (),
        slots: Sequence[str] = (),
        ids: Sequence[str] = (),
        near: Sequence[FloatVector] = (),
        near_limit: int = 3,
        generation: int | None = None,
        latest: Sequence[str] = (),
    ) -> Snapshot:
        """Current memories that a proposal may touch."""
        number = place(owner, len(self._shards))
        held = await self._generation_in(number, generation)
        return await (await self._ready(number)).snapshot(
            owner,
            hashes=hashes,
            slots=slots,
            ids=ids,
            near=near if held == generation or held is not None else (),
            near_limit=near_limit,
            generation=held,
            latest=latest,
        )

    async def commit(self, commit: Commit) -> None:
        """Write a change."""
        number = place(commit.owner, len(self._shards))
        held = await self._generation_in(number, commit.generation)
        await (await self._ready(number)).commit(replace(commit, generation=held))

    async def search(self, plan: SearchPlan) -> list[Hit]:
        """Candidates of all shards that the owners live in, ranked together.

        Where they live in several, rows are read in a snapshot of their own; what was erased in between is left out.
        Without the shard of an agent, of an app or of what all share, the answer comes from the others, with a warning;
        without that of the first owner there is none.
        """
        parts = self._split(plan.reaches)
        if len(parts) <= 1:
            number = next(iter(parts), 0)
            held = await self._generation_in(number, plan.generation)
            return await (await self._ready(number)).search(replace(plan, generation=held))
        gathered = {number: Gathered() for number in parts}

        async def gather(number: int) -> None:
            held = await self._generation_in(number, plan.generation)
            part = replace(plan, reaches=parts[number])
            await (await self._ready(number)).search(gathered[number].plan(part, held))

        results = dict(zip(parts, await together(gather(number) for number in parts), strict=True))
        home = results[place(plan.reaches[0].owner, len(self._shards))]
        if isinstance(home, StoreError):
            raise home
        self._reached(results)
        reached = [number for number in parts if not isinstance(results[number], StoreError)]
        lanes = merge([gathered[number].lanes for number in reached])
        ranked = plan.rank(lanes)
        chosen = {number: Chosen(wanted) for number, wanted in by_shard(lanes, ranked).items()}

        async def read(number: int) -> None:
            part = replace(plan, reaches=parts[number])
            await (await self._ready(number)).search(chosen[number].plan(part))

        for result in await together(read(number) for number in chosen):
            if isinstance(result, StoreError):
                raise result
        named = {lane.name: lane for lane in lanes}
        found = {key: pair for one in chosen.values() for key, pair in one.pairs.items()}
        keys = [key_of(named[one.lane], one.row) for one in ranked]
        return plan.finish([found[key] for key in keys if key in found])

    def note_uses(self, uses: Sequence[tuple[Owner, str, int, datetime]]) -> None:
        """Count that memories were recalled."""
        for use in uses:
            self._shards[place(use[0], len(self._shards))].note_uses([use])

    def note_recall(self, owner: Owner, seconds: float, *, found: bool, tokens: int | None = None) -> None:
        """Count a recall."""
        self._shards[place(owner, len(self._shards))].note_recall(owner, seconds, found=found, tokens=tokens)

    async def save_uses(self) -> None:
        """Write what was counted."""
        for number in tuple(self._checked):
            await self._shards[number].save_uses()

    async def written_since(self, owner: Owner, trust: Trust, since: datetime, *, limit: int) -> int:
        """How many memories of a tier are new since a moment."""
        return await (await self._of(owner)).written_since(owner, trust, since, limit=limit)

    async def standing(
        self, reaches: Sequence[Reach], *, wheres: Sequence[Filter | None], moment: Moment, limit: int
    ) -> tuple[list[MemoryRecord], Sequence[str]]:
        """What is told whatever the question is, and the speakers' names."""
        parts = self._split(reaches)
        if len(parts) == 1:
            shard = await self._ready(next(iter(parts)))
            return await shard.standing(reaches, wheres=wheres, moment=moment, limit=limit)
        return await super().standing(reaches, wheres=wheres, moment=moment, limit=limit)

    async def get(self, memory_id: str, *, project: str) -> MemoryRecord | None:
        """The latest version of a memory."""
        return await self._find(lambda shard: shard.get(memory_id, project=project))

    async def edits_of(self, job_id: str) -> Sequence[Edit]:
        """What a finished job changed."""

        async def edits(shard: SqlStore) -> Sequence[Edit] | None:
            return await shard.edits_of(job_id) or None

        return await self._find(edits) or ()

    async def change(self, change_id: str, *, project: str) -> tuple[Owner, Change] | None:
        """One change and whose it is."""
        return await self._find(lambda shard: shard.change(change_id, project=project))

    async def erase(self, erasure: Erasure) -> ErasureResult:
        """Remove rows, words, vectors and index entries."""
        if erasure.whole:
            await self._drop_keys(erasure.owner)
        return await (await self._of(erasure.owner)).erase(erasure)

    async def begin_round(self, name: str, *, worker: str, every: float, lease_seconds: float) -> Round:
        """Take the turn at some work; the first shard keeps the turns."""
        shard = await self._ready(0)
        return await shard.begin_round(name, worker=worker, every=every, lease_seconds=lease_seconds)

    async def renew_round(self, name: str, *, worker: str, lease_seconds: float, after: str | None) -> bool:
        """Hold the turn."""
        shard = await self._ready(0)
        return await shard.renew_round(name, worker=worker, lease_seconds=lease_seconds, after=after)

    async def end_round(self, name: str, *, worker: str, again: float, after: str | None = None) -> None:
        """Give the turn back."""
        await (await self._ready(0)).end_round(name, worker=worker, again=again, after=after)

    async def holdings(self, owner: Owner) -> Holdings:
        """How much is held on an owner."""
        return await (await self._of(owner)).holdings(owner)

    async def export_rows(self, owner: Owner, take: Take) -> Holdings:
        """Hand over everything held on an owner."""
        return await (await self._of(owner)).export_rows(owner, take)

    async def begin_restore(self, owner: Owner, token: str) -> Holdings:
        """Make room for what `restore_rows` brings."""
        return await (await self._of(owner)).begin_restore(owner, token)

    async def restore_rows(self, owner: Owner, token: str, rows: Sequence[RowIn], *, generation: int | None) -> None:
        """Take in some items that nobody sees yet.

        Raises:
            Conflict: An id is held by somebody else, in any shard.
        """
        ids = [
            row.item.id if isinstance(row, MemoryIn) else row.id for row in rows if isinstance(row, MemoryIn | JobItem)
        ]
        elsewhere = [n for n in range(len(self._shards)) if n != place(owner, len(self._shards))]
        if ids and any([await (await self._ready(n)).holds(ids) for n in elsewhere]):
            raise Conflict(
                f'an id in this document is held by somebody else in this storage already ({ids[0]} or one of '
                f'{len(ids)} from there on): a subject is held once, so forget it there, or use another storage'
            )
        number = place(owner, len(self._shards))
        held = await self._generation_in(number, generation)
        await (await self._ready(number)).restore_rows(owner, token, rows, generation=held)

    async def finish_restore(self, owner: Owner, token: str, note: RestoreNote) -> None:
        """Let everybody see what came."""
        await (await self._of(owner)).finish_restore(owner, token, note)

    def abandon_restore(self, token: str) -> None:
        """Erase what an unfinished import brought."""
        for number in self._checked:
            with suppress(StoreError):
                self._shards[number].abandon_restore(token)
