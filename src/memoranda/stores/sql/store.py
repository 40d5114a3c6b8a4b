"""`SqlStore`: what every store over a SQL database does alike, given how it reads and how it writes."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from memoranda._bridge import wait_within
from memoranda.errors import StoreError
from memoranda.filters import Filter
from memoranda.records import (
    NO_USAGE,
    Change,
    Edit,
    Episode,
    HistoryEntry,
    Hit,
    Job,
    JobStatus,
    MemoryRecord,
    Usage,
    now,
)
from memoranda.stores.base import Store
from memoranda.stores.data import (
    Appended,
    Batch,
    Commit,
    EpisodePage,
    Foreseen,
    Moment,
    Pending,
    SearchPlan,
    Snapshot,
    Work,
)
from memoranda.stores.generation import Generation
from memoranda.stores.sql import (
    apikeys,
    auditing,
    candidates,
    changes,
    counting,
    exporting,
    generations,
    glancing,
    jobs,
    lacking,
    membership,
    overview,
    provenance,
    queue,
    reading,
    reembedding,
    remaining,
    restoring,
    retaining,
    reviewing,
    searching,
    standing,
    subjects,
    tombstones,
    trail,
    writing,
)
from memoranda.stores.sql.cache import Cache
from memoranda.stores.sql.daily import day_of
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.indexing import SqlIndexSource
from memoranda.stores.sql.rows import to_us
from memoranda.stores.sql.usage import PendingUses
from memoranda.stores.walks import Walk

if TYPE_CHECKING:
    from memoranda.lanes import FloatVector
    from memoranda.records import Trust
    from memoranda.scope import Owner, OwnerKind, Reach
    from memoranda.stores.aging import Aged, Aging, Round
    from memoranda.stores.apikeys import ApiKey
    from memoranda.stores.chains import Chain, ReadEntry, ReadNote, Visit, Walked
    from memoranda.stores.erasures import Asked, ChainPosition, Remains
    from memoranda.stores.figures import Activity, BrowseAsked, Browsed, ContestedSlot, People, Usages
    from memoranda.stores.index import IndexSource
    from memoranda.stores.portable import Holdings, RestoreNote, RowIn, Take
    from memoranda.stores.sharding.placement import Membership
    from memoranda.stores.subjects import Subject
    from memoranda.stores.trails import TrailAsked, TrailEntry

__all__ = ['SqlStore']

T = TypeVar('T')


class SqlStore(Store):
    """The primitives as statements, each one snapshot or one transaction.

    A backend says how a function over a `Connection` is run: `_read`, `_write` and `_send`.

    Args:
        cache_mb: Bound of the vectors kept in memory, in MiB.
    """

    def __init__(self, *, cache_mb: int) -> None:
        self._cache = Cache(cache_mb << 20)
        self._uses = PendingUses()
        self._turn = queue.Turn()
        self._abandoned: dict[str, None] = {}
        """Tokens whose leases are not given back yet: it is tried again, for the disk may be full."""
        self._discards: set[Future[None]] = set()

    @abstractmethod
    async def _read(self, function: Callable[[Connection], T], *, apart: bool = False) -> T:
        """Run a function in one snapshot.

        Args:
            function: Reads.
            apart: Whether it takes so long that others shan't wait for it.
        """

    @abstractmethod
    async def _write(self, function: Callable[[Connection], T]) -> T:
        """Run a function in a transaction. It is durable on return."""

    @abstractmethod
    def _send(self, function: Callable[[Connection], T]) -> Future[T]:
        """Queue a function to be run in a transaction, without waiting.

        Raises:
            StoreError: It can't be queued.
        """

    @abstractmethod
    async def save_uses(self) -> None:
        """Write what `note_uses` counted."""

    def abandon(self, worker: str) -> None:
        """Give back whatever is leased under this token."""
        self._abandoned[worker] = None
        with contextlib.suppress(StoreError):
            future = self._send(lambda c: jobs.abandon(c, worker))
            future.add_done_callback(lambda f: f.cancelled() or f.exception() or self._abandoned.pop(worker, None))

    async def _give_back(self) -> None:
        tokens = tuple(self._abandoned)
        if tokens:
            await self._write(lambda c: [jobs.abandon(c, token) for token in tokens])
            for token in tokens:
                self._abandoned.pop(token, None)

    async def recover(self, *, lease_seconds: float) -> int:
        """Give back what is leased to processes that are gone, and what lies in the future."""
        await self._give_back()
        if await self._read(restoring.abandoned):
            await self._write(restoring.discard_abandoned)
        if not await self._read(queue.stuck):
            return 0
        return await self._write(lambda c: queue.recover(c, lease_seconds))

    async def search(self, plan: SearchPlan) -> list[Hit]:
        """Candidates, ranking and rows in one snapshot."""
        if glancing.remembers(self._cache, plan):
            hits = await self._read(lambda c: glancing.glance(c, self._cache, plan))
            if hits is not None:
                return hits
        return await self._read(lambda c: searching.search(c, self._cache, plan))

    def index_source(self) -> IndexSource:
        """What feeds a vector index elsewhere."""
        return SqlIndexSource(self._read, self._write)

    def note_uses(self, uses: Sequence[tuple[Owner, str, int, datetime]]) -> None:
        """Count that memories were recalled; written within two seconds, and when the store closes."""
        self._uses.add(uses)

    def note_recall(self, owner: Owner, seconds: float, *, found: bool, tokens: int | None = None) -> None:
        """Count a recall; written like uses."""
        self._uses.recalled(owner.project, day_of(now()), seconds, found=found, tokens=tokens)

    async def remains(self, asked: Asked, subject: str, at: datetime, chains: Sequence[ChainPosition]) -> Remains:
        """What is known of an erasure by what its receipt says."""
        return await self._read(lambda c: remaining.remains(c, asked, subject, to_us(at), chains))

    def abandon_restore(self, token: str) -> None:
        """Erase what an unfinished import brought."""
        with contextlib.suppress(StoreError):
            future = self._send(lambda c: restoring.discard(c, token))
            self._discards.add(future)
            future.add_done_callback(self._discards.discard)

    async def _discarded(self) -> None:
        """What was abandoned before is gone: writes may overtake each other."""
        for future in tuple(self._discards):
            await wait_within(future, None)

    async def append(self, batch: Batch) -> Appended:
        """Store unseen messages and a job for them."""
        guess = self._cache.number_of(batch.owner)
        return await self._write(lambda c: writing.append(c, batch, guess))

    async def claim(
        self, owner: Owner, *, worker: str, lease_seconds: float, due: bool = False, ahead: str | None = None
    ) -> Work | None:
        """Lease the owner's earliest unfinished job."""
        await self._give_back()
        return await self._write(lambda c: jobs.claim(c, owner, worker, lease_seconds, due, ahead))

    async def claim_next(self, *, worker: str, lease_seconds: float, turns: int = 1) -> Work | None:
        """Lease the job that is due for longest."""
        return await self._write(lambda c: jobs.claim_next(c, worker, lease_seconds, turns, self._turn))

    async def due_in(self) -> float | None:
        """Seconds until a job is due."""
        return await self._read(queue.due_in)

    async def due_at(self) -> int | None:
        """When the first job is due, in microseconds since 1970."""
        return await self._read(queue.due_at)

    async def hurry(self, owner: Owner | None = None) -> None:
        """Make jobs due that wait for more turns."""
        await self._write(lambda c: queue.hurry(c, owner))

    async def waiting(self, owner: Owner | None = None, *, before: str | None = None) -> int:
        """How many jobs are queued or running."""
        return await self._read(lambda c: queue.waiting(c, owner, before))

    async def load(self, job_id: str) -> Work | None:
        """A job with its messages."""
        return await self._read(lambda c: jobs.load(c, job_id))

    async def job(self, job_id: str, *, project: str) -> tuple[Owner, Job] | None:
        """A job and whose it is."""
        return await self._read(lambda c: jobs.job(c, job_id, project))

    async def jobs(
        self,
        reaches: Sequence[Reach] | None,
        *,
        project: str,
        states: Sequence[JobStatus] | None,
        limit: int,
        cursor: str | None,
    ) -> tuple[Sequence[Job], str | None]:
        """Jobs within reach, latest first."""
        return await self._read(lambda c: jobs.jobs(c, reaches, project, states, limit, cursor))

    async def requeue(self, job_id: str, *, project: str) -> Job | None:
        """Make a dead or waiting job due now."""
        return await self._write(lambda c: jobs.requeue(c, job_id, project))

    async def drop(self, job_id: str, *, project: str) -> bool:
        """Take a job out of the queue."""
        return await self._write(lambda c: jobs.drop(c, job_id, project))

    async def unfinished(self, *, limit: int) -> Sequence[Owner]:
        """Owners that have jobs waiting."""
        return await self._read(lambda c: jobs.unfinished(c, limit))

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
        await self._write(lambda c: jobs.fail(c, job, worker, error, retry_after, usage, counted, outage, epoch))

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
        return await self._read(
            lambda c: candidates.snapshot(
                c, self._cache, owner, hashes, slots, ids, near, near_limit, generation, latest
            )
        )

    async def commit(self, commit: Commit) -> None:
        """Write a change."""
        guess = self._cache.number_of(commit.owner)
        await self._write(lambda c: writing.commit(c, commit, guess))

    async def speakers(self, reaches: Sequence[Reach]) -> Sequence[str]:
        """The names that messages were said under."""
        return await self._read(lambda c: searching.speakers(c, reaches))

    async def written_since(self, owner: Owner, trust: Trust, since: datetime, *, limit: int) -> int:
        """How many memories of a tier are new since a moment."""
        return await self._read(lambda c: counting.written_since(c, owner, trust, since, limit))

    async def standing(
        self, reaches: Sequence[Reach], *, wheres: Sequence[Filter | None], moment: Moment, limit: int
    ) -> tuple[list[MemoryRecord], Sequence[str]]:
        """What is told whatever the question is, and the speakers' names, in one snapshot."""
        return await self._read(lambda c: standing.standing(c, reaches, wheres, moment, limit))

    async def get(self, memory_id: str, *, project: str) -> MemoryRecord | None:
        """The latest version of a memory."""
        return await self._read(lambda c: reading.get(c, memory_id, project))

    async def by_slot(self, slot: str, reaches: Sequence[Reach], *, now: datetime) -> Sequence[MemoryRecord]:
        """The current memories with this slot."""
        return await self._read(lambda c: reading.by_slot(c, slot, reaches, now))

    async def page(
        self,
        reaches: Sequence[Reach],
        *,
        where: Filter | None,
        moment: Moment,
        inactive: bool,
        limit: int,
        cursor: str | None,
        newest_first: bool = False,
    ) -> tuple[Sequence[MemoryRecord], str | None]:
        """Memories one by one."""
        return await self._read(
            lambda c: reading.page(c, reaches, where, moment, inactive, limit, cursor, newest_first)
        )

    async def numbered(
        self,
        reaches: Sequence[Reach],
        *,
        where: Filter | None,
        moment: Moment,
        inactive: bool,
        start: int,
        size: int,
        most: int,
    ) -> tuple[Sequence[MemoryRecord], int, bool]:
        """Memories from a place on, and how many there are."""
        return await self._read(lambda c: reading.numbered(c, reaches, where, moment, inactive, start, size, most))

    async def episodes(self, reaches: Sequence[Reach], *, limit: int, cursor: str | None) -> EpisodePage:
        """Messages one by one."""
        return await self._read(lambda c: reading.episodes(c, reaches, limit, cursor))

    async def versions(self, memory_id: str, *, project: str) -> Sequence[MemoryRecord]:
        """Every version of a memory."""
        return await self._read(lambda c: reading.versions(c, memory_id, project))

    async def history(self, memory_id: str, *, project: str) -> Sequence[HistoryEntry]:
        """The audit entries of a memory."""
        return await self._read(lambda c: reading.history(c, memory_id, project))

    async def reviews(
        self,
        reaches: Sequence[Reach] | None,
        *,
        project: str,
        reasons: Sequence[str] | None,
        limit: int,
        cursor: str | None,
    ) -> tuple[Sequence[Pending], str | None]:
        """What waits for a person, in the order it was proposed."""
        return await self._read(lambda c: reviewing.reviews(c, reaches, project, reasons, limit, cursor))

    async def review(self, memory_id: str, *, project: str) -> Pending | None:
        """A proposal, whatever became of it."""
        return await self._read(lambda c: reviewing.review(c, memory_id, project))

    async def approved(self, ids: Sequence[str], *, project: str) -> frozenset[str]:
        """Those that were proposed and are believed now."""
        return await self._read(lambda c: reviewing.approved(c, ids, project))

    async def messages(self, ids: Sequence[str], *, owner: Owner, around: int = 0) -> Sequence[Episode]:
        """Messages of an owner by their ids."""
        if around:
            return await self._read(lambda c: provenance.messages_around(c, ids, owner, around))
        return await self._read(lambda c: reviewing.messages(c, ids, owner))

    async def chains(
        self, owners: Sequence[Owner] | None, *, project: str | None, limit: int, after: int = 0
    ) -> Sequence[Chain]:
        """The audit chains of these owners, or of a project."""
        return await self._read(lambda c: auditing.chains(c, owners, project, after, limit))

    async def subjects(
        self,
        *,
        project: str,
        kinds: Sequence[OwnerKind],
        said_under: Mapping[str, str],
        limit: int,
        after: int = 0,
    ) -> Sequence[Subject]:
        """The owners of a project, counted."""
        return await self._read(lambda c: subjects.subjects(c, project, kinds, said_under, after, limit))

    async def subject_numbers(self, *, project: str, kinds: Sequence[OwnerKind], limit: int) -> Sequence[int]:
        """The numbers of the first owners that `subjects` lists."""
        return await self._read(lambda c: subjects.numbers(c, project, kinds, limit))

    async def browse(self, asked: BrowseAsked) -> Browsed:
        """A slice of the memories of a project."""
        return await self._read(lambda c: overview.browse(c, asked), apart=asked.reaches is None)

    async def people(
        self,
        *,
        project: str,
        kinds: Sequence[OwnerKind],
        prefix: str,
        size: int,
        after: tuple[OwnerKind, str] | None,
    ) -> People:
        """Owners of a project by their ids."""
        return await self._read(lambda c: overview.people(c, project, kinds, prefix, size, after))

    async def usages(self, memory_id: str, *, owner: Owner) -> Usages:
        """How often a memory was recalled."""
        return await self._read(lambda c: overview.usages(c, memory_id, owner))

    async def activity(self, *, project: str, today: datetime, days: int) -> Activity:
        """What happened in a project on the last days."""
        return await self._read(lambda c: overview.activity(c, project, today, days), apart=True)

    async def conflicts(
        self,
        *,
        project: str,
        reaches: Sequence[Reach] | None,
        changes: int,
        size: int,
        after: tuple[int, str, str] | None,
    ) -> Sequence[ContestedSlot]:
        """Slots in trouble."""
        return await self._read(lambda c: overview.conflicts(c, project, reaches, changes, size, after), apart=True)

    async def walk(self, chain: Chain, visit: Visit, *, after: int = 0, compare: bool = True) -> Walked | None:
        """Show the links of a chain."""
        return await self._read(lambda c: auditing.walk(c, chain, visit, after, compare), apart=True)

    async def note_reads(self, notes: Sequence[ReadNote]) -> int:
        """Append entries that tell of reads."""
        return await self._write(lambda c: auditing.note_reads(c, notes))

    async def reads(
        self, reaches: Sequence[Reach] | None, *, project: str, memory_id: str | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[ReadEntry], str | None]:
        """Who read what."""
        return await self._read(lambda c: auditing.reads(c, reaches, project, memory_id, limit, cursor))

    async def trail(self, asked: TrailAsked) -> tuple[Sequence[TrailEntry], str | None]:
        """Entries of audit chains, latest first."""
        return await self._read(lambda c: trail.trail(c, asked))

    async def edits_of(self, job_id: str) -> Sequence[Edit]:
        """What a finished job changed."""
        return await self._read(lambda c: changes.edits_of(c, job_id))

    async def foresee(self, batch: Batch) -> Foreseen:
        """What `append` would store."""
        return await self._read(lambda c: jobs.foresee(c, batch))

    async def renew(self, *workers: str, lease_seconds: float) -> None:
        """Hold what is leased under these tokens."""
        await self._write(lambda c: jobs.renew(c, workers, lease_seconds))

    async def change(self, change_id: str, *, project: str) -> tuple[Owner, Change] | None:
        """One change and whose it is."""
        return await self._read(lambda c: changes.change(c, change_id, project))

    async def changes(
        self, reaches: Sequence[Reach], *, limit: int, cursor: str | None
    ) -> tuple[Sequence[Change], str | None]:
        """What was changed within reach, latest first."""
        return await self._read(lambda c: changes.changes(c, reaches, limit, cursor))

    async def aging_owners(
        self, *, project: str | None, before: datetime, after: str | None, limit: int
    ) -> tuple[Sequence[Owner], str | None]:
        """Owners of whom something is old."""
        return await self._read(lambda c: retaining.aging_owners(c, project, before, after, limit))

    async def idle_runs(self, owner: Owner, *, before: datetime) -> Sequence[str]:
        """Conversations in which nothing was stored since a moment."""
        return await self._read(lambda c: retaining.idle_runs(c, owner, before))

    async def aged(self, owner: Owner, aging: Aging, *, limit: int) -> Aged:
        """What `erase_aged` would erase."""
        return await self._read(lambda c: retaining.aged(c, owner, aging, limit))

    async def erase_aged(self, owner: Owner, aging: Aging, *, limit: int) -> Aged:
        """Erase so many old messages."""
        return await self._write(lambda c: retaining.erase_aged(c, owner, aging, limit))

    async def begin_round(self, name: str, *, worker: str, every: float, lease_seconds: float) -> Round:
        """Take the turn at some work."""
        return await self._write(lambda c: retaining.begin_round(c, name, worker, every, lease_seconds))

    async def renew_round(self, name: str, *, worker: str, lease_seconds: float, after: str | None) -> bool:
        """Hold the turn."""
        return await self._write(lambda c: retaining.renew_round(c, name, worker, lease_seconds, after))

    async def end_round(self, name: str, *, worker: str, again: float, after: str | None = None) -> None:
        """Give the turn back."""
        await self._write(lambda c: retaining.end_round(c, name, worker, again, after))

    async def tombstone(self, owner: Owner, *, ids: Mapping[str, str] | None = None) -> datetime | None:
        """Until when what was said of a subject is refused."""
        return await self._read(lambda c: tombstones.tombstone(c, owner, ids))

    async def lift_tombstones(self, owner: Owner, *, actor: str, reason: str) -> int:
        """Let in again what was said before an owner was forgotten."""
        return await self._write(lambda c: tombstones.lift(c, owner, actor, reason))

    async def add_key(self, key: ApiKey, digest: bytes, *, reason: str = '') -> None:
        """Store a new API key."""
        await self._write(lambda c: apikeys.add(c, key, digest, reason=reason))

    async def rotate_key(
        self, old: str, key: ApiKey, digest: bytes, *, until: datetime | None, reason: str = ''
    ) -> bool:
        """Store a key in the place of another one."""
        return await self._write(lambda c: apikeys.rotate(c, old, key, digest, until=until, reason=reason))

    async def revoke_key(
        self, key_id: str, *, project: str, at: datetime, actor: str, reason: str = ''
    ) -> ApiKey | None:
        """End a key."""
        return await self._write(lambda c: apikeys.revoke(c, key_id, project, at=at, actor=actor, reason=reason))

    async def key_by_digest(self, digest: bytes) -> tuple[ApiKey, bytes] | None:
        """The key with this digest."""
        return await self._read(lambda c: apikeys.by_digest(c, digest))

    async def keys(self, project: str | None) -> Sequence[ApiKey]:
        """All keys of a project."""
        return await self._read(lambda c: apikeys.keys(c, project))

    async def note_key_uses(self, uses: Mapping[str, datetime]) -> None:
        """Write when keys were last used."""
        await self._write(lambda c: apikeys.note_uses(c, uses))

    async def drop_keys_of(self, owner: Owner) -> None:
        """Delete the keys that are for one person, who is forgotten in another database."""
        await self._write(lambda c: apikeys.drop_of(c, owner))

    async def secret(self) -> bytes:
        """What keys the hashes of subjects."""
        return await self._read(auditing.secret)

    async def holdings(self, owner: Owner) -> Holdings:
        """How much is held on an owner."""
        return await self._read(lambda c: exporting.holdings(c, owner))

    async def export_rows(self, owner: Owner, take: Take) -> Holdings:
        """Hand over everything held on an owner, all of one snapshot."""
        await self.save_uses()
        return await self._read(lambda c: exporting.export_rows(c, owner, take))

    async def begin_restore(self, owner: Owner, token: str) -> Holdings:
        """Make room for what `restore_rows` brings."""
        await self._discarded()
        return await self._write(lambda c: restoring.begin(c, owner, token))

    async def restore_rows(self, owner: Owner, token: str, rows: Sequence[RowIn], *, generation: int | None) -> None:
        """Take in some items that nobody sees yet."""
        await self._discarded()
        await self._write(lambda c: restoring.insert(c, owner, token, rows, generation))

    async def finish_restore(self, owner: Owner, token: str, note: RestoreNote) -> None:
        """Let everybody see what came."""
        await self._discarded()
        await self._write(lambda c: restoring.finish(c, owner, token, note))

    async def generation(self) -> Generation | None:
        """The current embedding generation."""
        return await self._read(writing.current_generation)

    async def generations(self) -> Sequence[Generation]:
        """All of them, the oldest first."""
        return await self._read(membership.generations)

    async def group(self) -> tuple[str, int, int] | None:
        """The group of shards that this database is one of, its position, and how many there are."""
        return await self._read(membership.group_of)

    async def holds(self, ids: Sequence[str]) -> bool:
        """Whether a memory or a job of anybody has one of these ids."""
        return await self._read(lambda c: membership.holds(c, ids))

    async def join(self, member: Membership) -> None:
        """Make this empty database one shard of several.

        Raises:
            ConfigurationError: It holds something already, or is another shard.
        """
        await self._write(lambda c: membership.join(c, self.location, member))

    async def start_generation(self, embedder: str, dimensions: int, *, rebuild: bool) -> Generation:
        """Register the first generation, or begin or resume its replacement."""
        return await self._write(lambda c: generations.start(c, embedder, dimensions, rebuild))

    async def unembedded(
        self, generation: Generation, *, limit: int, walk: Walk | None = None
    ) -> Sequence[tuple[str, int, str]]:
        """Rows that have no vector in this generation."""
        going = Walk() if walk is None else walk
        if going.left is None:
            going.began = await self._write(reembedding.begun)
        found, left = await self._read(lambda c: reembedding.unembedded(c, generation, limit, going))
        going.move(left, done=not found)
        return found

    async def coverage(self, generation: Generation) -> tuple[int, int]:
        """How many rows have a vector of it, and how many there are."""
        return await self._read(lambda c: reembedding.coverage(c, generation), apart=True)

    async def put_vectors(self, generation: Generation, vectors: Sequence[tuple[str, int, FloatVector]]) -> None:
        """Store vectors for rows that are still there."""
        await self._write(lambda c: reembedding.put(c, generation, vectors))

    async def switch_generation(self, generation: Generation, *, walk: Walk | None = None) -> bool:
        """Make it the current one."""
        return await self._write(lambda c: reembedding.switch(c, generation, walk))

    async def drop_generation(self, generation: Generation) -> None:
        """Give up a generation that is being built."""
        await self._write(lambda c: reembedding.give_up(c, generation))

    async def drop_old_vectors(self, *, limit: int) -> bool:
        """Delete so many vectors of generations that nobody reads any more."""
        if not await self._read(reembedding.has_old):
            return True
        return await self._write(lambda c: reembedding.drop_old(c, limit))

    async def lacking(self, *, limit: int) -> Walk | None:
        """Rows that got no vector since the last switch."""
        noted = await self._read(lambda c: lacking.lacking(c, limit))
        return Walk(noted=noted) if noted else None

    async def settle_lacking(self, walk: Walk) -> None:
        """These have their vectors now."""
        await self._write(lambda c: lacking.settle_lacking(c, walk.noted))
