"""The primitives a backend implements. All policy (what to believe, how to rank) lives above them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from memoranda.errors import ConfigurationError
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
    Trust,
    Usage,
)

if TYPE_CHECKING:
    from memoranda.filters import Filter
    from memoranda.lanes import FloatVector
    from memoranda.scope import Erasure, Owner, OwnerKind, Reach
    from memoranda.stores.aging import Aged, Aging, Round
    from memoranda.stores.apikeys import ApiKey
    from memoranda.stores.chains import Chain, ReadEntry, ReadNote, Visit, Walked
    from memoranda.stores.erasures import Asked, ChainPosition, Forgetting, Forgotten, Remains, Trace
    from memoranda.stores.figures import Activity, BrowseAsked, Browsed, ContestedSlot, People, Usages
    from memoranda.stores.index import IndexSource
    from memoranda.stores.portable import Holdings, RestoreNote, RowIn, Take
    from memoranda.stores.subjects import Subject
    from memoranda.stores.trails import TrailAsked, TrailEntry
    from memoranda.stores.walks import Walk

from memoranda.stores.data import (
    PAGE,
    Appended,
    Batch,
    Commit,
    EpisodePage,
    ErasureResult,
    Foreseen,
    Moment,
    Pending,
    SearchPlan,
    Snapshot,
    Stats,
    Work,
)
from memoranda.stores.generation import Generation

__all__ = ['Store']


class Store(ABC):
    """A backend.

    Every method is one snapshot or one transaction, may be awaited from any loop, and raises `StoreError`. Owners are
    created by the first `append` or `commit` that names them; reading an unknown owner finds nothing.
    """

    @property
    def sees_bytes(self) -> bool:
        """Whether `traces` looks into raw bytes, and not into rows only."""
        return True

    @property
    @abstractmethod
    def location(self) -> str:
        """Where it keeps what it holds, as a person would name it: an absolute path, or a URL without secrets."""

    @abstractmethod
    async def open(self) -> None:
        """Open or create the storage, migrating an older schema. Idempotent."""

    @abstractmethod
    async def close(self) -> None:
        """Give everything back. Idempotent; the store may be opened again."""

    @abstractmethod
    async def append(self, batch: Batch) -> Appended:
        """Store unseen messages and a job for them. Durable on return."""

    @abstractmethod
    async def claim(
        self, owner: Owner, *, worker: str, lease_seconds: float, due: bool = False, ahead: str | None = None
    ) -> Work | None:
        """Lease the owner's earliest unfinished job, unless one is leased elsewhere.

        Args:
            owner: Whose.
            worker: The lease's token, of this claim alone.
            lease_seconds: How long others leave it alone.
            due: Whether to leave it alone before its time, too.
            ahead: Id of a job that need not wait for those that failed and are to be tried again.

        Raises:
            NewerJob: It has to wait for a newer version of memoranda.
        """

    @abstractmethod
    async def claim_next(self, *, worker: str, lease_seconds: float, turns: int = 1) -> Work | None:
        """Lease the job that is due for longest, of any owner none of whose jobs is running.

        Projects take turns: it is of the next project that has one. A store that several machines write to may pass
        over owners whom somebody writes for at this moment.

        Args:
            worker: The lease's token, of this claim alone.
            lease_seconds: How long others leave it alone.
            turns: So many jobs of one conversation are leased together when they follow each other, have the same
                options and were never tried; more, if the first of them was to wait for more.
        """

    @abstractmethod
    async def due_in(self) -> float | None:
        """Seconds until a job is due, 0 when one is; None when none waits. Cheap: it is asked all the time."""

    @abstractmethod
    async def recover(self, *, lease_seconds: float) -> int:
        """Give back what is leased to processes that are gone, and what is overdue since the clock was set back.

        Returns:
            How many jobs that were.
        """

    @abstractmethod
    async def hurry(self, owner: Owner | None = None) -> None:
        """Make jobs due that wait for more turns."""

    @abstractmethod
    async def waiting(self, owner: Owner | None = None, *, before: str | None = None) -> int:
        """How many jobs are queued or running, of those with an id below one when it is given."""

    @abstractmethod
    async def load(self, job_id: str) -> Work | None:
        """A job with its messages; None when it is gone."""

    @abstractmethod
    async def job(self, job_id: str, *, project: str) -> tuple[Owner, Job] | None:
        """A job and whose it is."""

    @abstractmethod
    async def jobs(
        self,
        reaches: Sequence[Reach] | None,
        *,
        project: str,
        states: Sequence[JobStatus] | None,
        limit: int,
        cursor: str | None,
    ) -> tuple[Sequence[Job], str | None]:
        """Jobs within reach (None: of the whole project), latest first."""

    @abstractmethod
    async def requeue(self, job_id: str, *, project: str) -> Job | None:
        """Make a dead or waiting job due now, with its tries forgotten. None when it is neither."""

    @abstractmethod
    async def drop(self, job_id: str, *, project: str) -> bool:
        """Take a job out of the queue: its messages stay, nothing is drawn from them. False when it was done."""

    @abstractmethod
    async def unfinished(self, *, limit: int) -> Sequence[Owner]:
        """Owners that have jobs waiting, longest waiting first."""

    @abstractmethod
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
        """Give a job back, and those merged with it: queued again after so many seconds, or dead when None.

        Args:
            job: Which.
            worker: The lease's token; nothing happens when it isn't held.
            error: What went wrong.
            retry_after: Seconds.
            usage: What it took in vain.
            counted: Whether it was a try of the job; not when something else is to blame.
            outage: Whether a provider was down: counted in the payload, as `outages`.
            epoch: Of the work; when something of the owner was erased since, only the first word of the error is kept.
        """

    @abstractmethod
    def abandon(self, worker: str) -> None:
        """Give back whatever is leased under this token, soon, without waiting. Never raises."""

    @abstractmethod
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
        """Current memories of an owner with one of these hashes, slots or ids, or nearest to one of these vectors.

        Of a slot, and of the slots of what is found by hash or id, also what it held before; of the hashes also facts
        that held once; of the ids in `latest`, whatever their status. `near` is passed over when
        the current vectors are of another generation than the one named.
        """

    @abstractmethod
    async def commit(self, commit: Commit) -> None:
        """Write a change.

        Raises:
            Conflict: The owner moved on, the lease was lost, or a current memory already has that hash or slot.
        """

    @abstractmethod
    async def search(self, plan: SearchPlan) -> list[Hit]:
        """Candidates, ranking and rows in one snapshot."""

    def note_uses(self, uses: Sequence[tuple[Owner, str, int, datetime]]) -> None:
        """Count that memories were recalled: (owner, memory id, times, last moment).

        Kept in memory and written later, all at once. Does no I/O, waits for nothing and never raises; counts may be
        lost. A store may leave this out.
        """
        return

    def note_recall(self, owner: Owner, seconds: float, *, found: bool, tokens: int | None = None) -> None:
        """Count that something was looked for on behalf of an owner, as `note_uses` counts.

        Args:
            owner: The first of those that were read.
            seconds: What it took.
            found: Whether it gave something.
            tokens: Of the block an agent was given; None for a search.
        """
        return

    def index_source(self) -> IndexSource:
        """What feeds a vector index elsewhere. A store may leave this out.

        Raises:
            ConfigurationError: It can't.
        """
        raise ConfigurationError(
            f'{type(self).__name__} can not feed a vector index elsewhere: leave out index, or use another database'
        )

    async def save_uses(self) -> None:
        """Write what was counted, if that needs no waiting. Never raises."""
        return

    def when_replaced(self, tell: Callable[[], None]) -> None:
        """Call this when another file or database turns up in the place of the one that was open.

        From any thread; it returns at once. A store whose place can't be taken may leave this out.
        """
        return

    @abstractmethod
    async def speakers(self, reaches: Sequence[Reach]) -> Sequence[str]:
        """The names that messages of these owners were said under."""

    @abstractmethod
    async def written_since(self, owner: Owner, trust: Trust, since: datetime, *, limit: int) -> int:
        """How many memories of an owner that rest on this tier were first recorded at or after a moment.

        Those that wait for a person count too. At most `limit`: nobody needs to know more.
        """

    async def standing(
        self, reaches: Sequence[Reach], *, wheres: Sequence[Filter | None], moment: Moment, limit: int
    ) -> tuple[list[MemoryRecord], Sequence[str]]:
        """What is told whatever the question is: of each condition the latest memories that meet it.

        With the names that messages were said under, which reading a question needs. A store that can does it in one
        snapshot.
        """
        found: list[MemoryRecord] = []
        for where in wheres:
            read, _ = await self.page(
                reaches, where=where, moment=moment, inactive=False, limit=limit, cursor=None, newest_first=True
            )
            found += read
        return found, await self.speakers(reaches)

    @abstractmethod
    async def get(self, memory_id: str, *, project: str) -> MemoryRecord | None:
        """The latest version of a memory, whatever its status."""

    @abstractmethod
    async def by_slot(self, slot: str, reaches: Sequence[Reach], *, now: datetime) -> Sequence[MemoryRecord]:
        """The current memories with this slot, in the order of the reaches."""

    @abstractmethod
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
        """Memories one by one, oldest first by when they were first recorded."""

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
        """What `page` would give, latest first, from a place on, and how many there are.

        A store that can count without reading does it in one snapshot. Here each page is a snapshot of its own.

        Args:
            reaches: As in `page`.
            where: As in `page`.
            moment: As in `page`.
            inactive: As in `page`.
            start: How many come before.
            size: How many at most.
            most: How many are looked at.

        Returns:
            The memories, how many there are, counted up to `most`, and whether these are all.
        """
        chosen: list[MemoryRecord] = []
        count, cursor = 0, None
        while True:
            read, cursor = await self.page(
                reaches,
                where=where,
                moment=moment,
                inactive=inactive,
                limit=min(PAGE, most - count),
                cursor=cursor,
                newest_first=True,
            )
            chosen += read[max(0, start - count) : max(0, start + size - count)]
            count += len(read)
            if cursor is None or count >= most:
                return chosen, count, cursor is None

    async def every(
        self, reaches: Sequence[Reach], *, where: Filter | None, moment: Moment, inactive: bool = False
    ) -> list[MemoryRecord]:
        """All memories that `page` would give, read a page at a time: each page is a snapshot of its own."""
        found: list[MemoryRecord] = []
        cursor: str | None = None
        while True:
            read, cursor = await self.page(
                reaches, where=where, moment=moment, inactive=inactive, limit=PAGE, cursor=cursor
            )
            found += read
            if cursor is None:
                return found

    @abstractmethod
    async def episodes(self, reaches: Sequence[Reach], *, limit: int, cursor: str | None) -> EpisodePage:
        """Messages one by one, oldest first."""

    @abstractmethod
    async def versions(self, memory_id: str, *, project: str) -> Sequence[MemoryRecord]:
        """Every version of a memory, oldest first."""

    @abstractmethod
    async def history(self, memory_id: str, *, project: str) -> Sequence[HistoryEntry]:
        """The audit entries of a memory, oldest first."""

    @abstractmethod
    async def chains(
        self, owners: Sequence[Owner] | None, *, project: str | None, limit: int, after: int = 0
    ) -> Sequence[Chain]:
        """The audit chains of these owners, or of a project (None: of everybody), in the order of their numbers.

        Of everybody, entries are listed too whose owner isn't known, as chains of the kind `unknown`.

        Args:
            owners: Whose; those of whom nothing is stored are passed over.
            project: The tenant, when no owners are given.
            limit: How many at most.
            after: Only owners with a higher number.
        """

    @abstractmethod
    async def subjects(
        self,
        *,
        project: str,
        kinds: Sequence[OwnerKind],
        said_under: Mapping[str, str],
        limit: int,
        after: int = 0,
    ) -> Sequence[Subject]:
        """The owners of a project, of these kinds, in the order of their numbers, with counts of their active memories.

        Args:
            project: The tenant.
            kinds: Which sorts.
            said_under: Only those with memories said under all of these (`run_id`, `agent_id`, `app_id`), which alone
                are counted then. All active memories of the project are looked at for it.
            limit: How many at most.
            after: Only owners with a higher number.
        """

    @abstractmethod
    async def subject_numbers(self, *, project: str, kinds: Sequence[OwnerKind], limit: int) -> Sequence[int]:
        """The numbers of the first owners that `subjects` lists, ascending, without anything being counted.

        Args:
            project: The tenant.
            kinds: Which sorts.
            limit: How many at most.
        """

    @abstractmethod
    async def walk(self, chain: Chain, visit: Visit, *, after: int = 0, compare: bool = True) -> Walked | None:
        """Show the links of a chain to `visit`, in one snapshot, beside which others read and write.

        Args:
            chain: Which; its length and head are read anew.
            visit: Is shown them in their order, some hundreds at a time, on a thread of the store's.
            after: Only those behind this place.
            compare: Whether to show beside each the version of a memory that it made, as the tables hold it now.

        Returns:
            What is left to tell at the end; None when `visit` ended it.
        """

    @abstractmethod
    async def browse(self, asked: BrowseAsked) -> Browsed:
        """A slice of the memories of a project in the order of their ids, each in its latest version.

        Raises:
            InvalidInput: More rows would have to be read than a listing may.
        """

    @abstractmethod
    async def people(
        self,
        *,
        project: str,
        kinds: Sequence[OwnerKind],
        prefix: str,
        size: int,
        after: tuple[OwnerKind, str] | None,
    ) -> People:
        """Owners of a project whose ids begin so, one kind after the other, by their ids."""

    @abstractmethod
    async def usages(self, memory_id: str, *, owner: Owner) -> Usages:
        """How often a memory of an owner was recalled, as far as it was written."""

    @abstractmethod
    async def activity(self, *, project: str, today: datetime, days: int) -> Activity:
        """What happened in a project on the days up to this moment (UTC), and how it stands."""

    @abstractmethod
    async def conflicts(
        self,
        *,
        project: str,
        reaches: Sequence[Reach] | None,
        changes: int,
        size: int,
        after: tuple[int, str, str] | None,
    ) -> Sequence[ContestedSlot]:
        """Slots (behind owner number, slot, run key) whose values changed so often, or of which several stand.

        Returns:
            In this order; one more than asked for when others follow.
        """

    @abstractmethod
    async def note_reads(self, notes: Sequence[ReadNote]) -> int:
        """Append entries that tell of reads, and nothing else: no memory and no cache notices.

        Returns:
            How many were written; those of owners that were erased are not.
        """

    @abstractmethod
    async def reads(
        self, reaches: Sequence[Reach] | None, *, project: str, memory_id: str | None, limit: int, cursor: str | None
    ) -> tuple[Sequence[ReadEntry], str | None]:
        """Who read what of these owners (None: of the project), latest first; with an id, only reads of that memory."""

    @abstractmethod
    async def trail(self, asked: TrailAsked) -> tuple[Sequence[TrailEntry], str | None]:
        """Entries of audit chains, latest first, and where to go on: at most so many are looked through for a page."""

    @abstractmethod
    async def reviews(
        self,
        reaches: Sequence[Reach] | None,
        *,
        project: str,
        reasons: Sequence[str] | None,
        limit: int,
        cursor: str | None,
    ) -> tuple[Sequence[Pending], str | None]:
        """What waits for a person within reach (None: in the whole project), in the order it was proposed.

        Args:
            reaches: Whose.
            project: The tenant.
            reasons: Only what has one of these codes, or a code that begins with one and a colon.
            limit: How many at most. A page may hold fewer although more follow: one call reads so many rows only.
            cursor: Of the page before: a memory id, after which it goes on.
        """

    @abstractmethod
    async def review(self, memory_id: str, *, project: str) -> Pending | None:
        """A proposal, whatever became of it; None when the memory never was one, or is gone."""

    async def approved(self, ids: Sequence[str], *, project: str) -> frozenset[str]:
        """Those among some memories that were proposed, waited for a person, and are believed now."""
        found = [await self.review(id_, project=project) for id_ in ids]
        return frozenset(f.memory.id for f in found if f is not None and f.memory.status == 'active')

    @abstractmethod
    async def messages(self, ids: Sequence[str], *, owner: Owner, around: int = 0) -> Sequence[Episode]:
        """Messages of an owner by their ids, as far as they are there, oldest first.

        With `around`, also so many before and after each of them in its conversation.
        """

    @abstractmethod
    async def edits_of(self, job_id: str) -> Sequence[Edit]:
        """What a finished job changed."""

    @abstractmethod
    async def foresee(self, batch: Batch) -> Foreseen:
        """What `append` would store, without storing it."""

    @abstractmethod
    async def renew(self, *workers: str, lease_seconds: float) -> None:
        """Hold what is leased under these tokens for so many seconds from now."""

    @abstractmethod
    async def change(self, change_id: str, *, project: str) -> tuple[Owner, Change] | None:
        """One change and whose it is. After an erasure, edits of erased memories are missing from it."""

    @abstractmethod
    async def changes(
        self, reaches: Sequence[Reach], *, limit: int, cursor: str | None
    ) -> tuple[Sequence[Change], str | None]:
        """What was changed within reach, latest first.

        A change is listed when one of its edits is within reach; of a change across runs, only those edits.
        """

    @abstractmethod
    async def erase(self, erasure: Erasure) -> ErasureResult:
        """Remove rows, words, vectors and index entries, also from the files."""

    @abstractmethod
    async def forget(self, what: Forgetting) -> Forgotten:
        """Erase, and leave a tombstone where a subject is forgotten. Durable on return, to the loss of power too.

        Of one owner it is one transaction. Of a whole project it is one for each owner: when the process ends in
        between, whoever opens the storage next goes on.

        Raises:
            MemoryNotFound: The owner has no such message or memory.
        """

    @abstractmethod
    async def aging_owners(
        self, *, project: str | None, before: datetime, after: str | None, limit: int
    ) -> tuple[Sequence[Owner], str | None]:
        """Owners of whom something was stored before a moment or has expired, and where the next page begins.

        Args:
            project: The tenant; None: all of them.
            before: Up to when.
            after: What the page before answered.
            limit: How many.
        """

    @abstractmethod
    async def idle_runs(self, owner: Owner, *, before: datetime) -> Sequence[str]:
        """Run keys of an owner with facts at the run level, in whose conversation nothing was stored since a moment.

        Of an owner that is a conversation itself: the empty one.
        """

    @abstractmethod
    async def aged(self, owner: Owner, aging: Aging, *, limit: int) -> Aged:
        """What `erase_aged` would erase in all, with some of it."""

    @abstractmethod
    async def erase_aged(self, owner: Owner, aging: Aging, *, limit: int) -> Aged:
        """Erase so many old messages, the oldest first, and what rests on them alone. One transaction.

        What is left of the words in the files goes later, see `finish_scrub`.
        """

    @abstractmethod
    async def begin_round(self, name: str, *, worker: str, every: float, lease_seconds: float) -> Round:
        """Take the turn at some work that is due every so many seconds, unless somebody else has it.

        Args:
            name: Which work.
            worker: The lease's token.
            every: How often it is due, at most.
            lease_seconds: How long others leave it alone.
        """

    @abstractmethod
    async def renew_round(self, name: str, *, worker: str, lease_seconds: float, after: str | None) -> bool:
        """Hold the turn for so many seconds from now, and note how far it came. False when somebody else has it."""

    @abstractmethod
    async def end_round(self, name: str, *, worker: str, again: float, after: str | None = None) -> None:
        """Give the turn back.

        Args:
            name: Which work.
            worker: The lease's token; nothing happens when it isn't held.
            again: Seconds until it is due again.
            after: How far it came, when it is not done.
        """

    @abstractmethod
    async def tombstone(self, owner: Owner, *, ids: Mapping[str, str] | None = None) -> datetime | None:
        """Until when what was said or recorded of a subject is refused; None when it never was forgotten.

        Args:
            owner: Whose.
            ids: The further ids of a message (`run_id`, `agent_id`, `app_id`): then also whether these were forgotten.
        """

    @abstractmethod
    async def lift_tombstones(self, owner: Owner, *, actor: str, reason: str) -> int:
        """Let in again what was said of an owner, and of parts of it, before it was forgotten; the chain tells so.

        A tombstone of the whole project stays. To be called by what restores an export, and by nothing else.

        Returns:
            How many there were.
        """

    @abstractmethod
    async def add_key(self, key: ApiKey, digest: bytes, *, reason: str = '') -> None:
        """Store a new API key, by the SHA-256 of its secret, and note it in the audit chain of what its project shares.

        Raises:
            Conflict: One of that name is in force in the project.
        """

    @abstractmethod
    async def rotate_key(
        self, old: str, key: ApiKey, digest: bytes, *, until: datetime | None, reason: str = ''
    ) -> bool:
        """Store a key in the place of another one of its project, which is in force until then (None: no longer).

        False, and nothing is stored, when that one isn't in force.
        """

    @abstractmethod
    async def revoke_key(
        self, key_id: str, *, project: str, at: datetime, actor: str, reason: str = ''
    ) -> ApiKey | None:
        """End a key, and note it. One that was revoked before stays as it is; None when there is none."""

    @abstractmethod
    async def key_by_digest(self, digest: bytes) -> tuple[ApiKey, bytes] | None:
        """The key of any project with this digest, in force or not, and the digest as it is stored."""

    @abstractmethod
    async def keys(self, project: str | None) -> Sequence[ApiKey]:
        """All keys of a project (None: of all), those too that have ended, the latest first."""

    @abstractmethod
    async def note_key_uses(self, uses: Mapping[str, datetime]) -> None:
        """Write when keys were last used, by their ids."""

    @abstractmethod
    async def secret(self) -> bytes:
        """What keys the hashes of subjects and the codes of receipts: 32 bytes, made with the storage."""

    @abstractmethod
    async def traces(self, texts: Sequence[str], *, sample: bool = False) -> Sequence[Trace]:
        """Where texts are found that should be gone: in rows, and in raw bytes that no row accounts for.

        Compared as they are, in upper and in lower case.

        Args:
            texts: What to look for.
            sample: Only in raw bytes, as they are; and of a large storage some of them will do. Finds nothing where
                `sees_bytes` is false.
        """

    @abstractmethod
    async def remains(self, asked: Asked, subject: str, at: datetime, chains: Sequence[ChainPosition]) -> Remains:
        """What is known of an erasure by what its receipt says."""

    @abstractmethod
    async def holdings(self, owner: Owner) -> Holdings:
        """How much is held on an owner, and when it was forgotten."""

    @abstractmethod
    async def export_rows(self, owner: Owner, take: Take) -> Holdings:
        """Hand over everything held on an owner but vectors and index entries, all of one snapshot.

        Args:
            owner: Whose.
            take: Told (section, some of its items), in the order of `SECTIONS` and, within one, in the order they were
                stored in. Runs on the store's thread, while the snapshot lasts: it shan't wait for anything.
        """

    @abstractmethod
    async def begin_restore(self, owner: Owner, token: str) -> Holdings:
        """Make room for what `restore_rows` brings. Nobody sees it before `finish_restore`.

        Args:
            owner: Whose it is.
            token: Names this import, as `new_token` gives it: what a process left that is gone is erased.

        Raises:
            Conflict: Another import for this owner is under way.
        """

    @abstractmethod
    async def restore_rows(self, owner: Owner, token: str, rows: Sequence[RowIn], *, generation: int | None) -> None:
        """Take in some items, in the order that `export_rows` gave them. One transaction.

        Raises:
            Conflict: The owner was forgotten since `begin_restore`, or an id is held by somebody else.
        """

    @abstractmethod
    async def finish_restore(self, owner: Owner, token: str, note: RestoreNote) -> None:
        """Let everybody see what came, and record the import behind the entries of its chain. One transaction.

        Raises:
            Conflict: The owner holds something, or was forgotten since `begin_restore`.
        """

    @abstractmethod
    def abandon_restore(self, token: str) -> None:
        """Erase what an import brought that is not finished, soon, without waiting. Never raises."""

    @abstractmethod
    async def generation(self) -> Generation | None:
        """The current embedding generation; None before the first vector."""

    @abstractmethod
    async def start_generation(self, embedder: str, dimensions: int, *, rebuild: bool) -> Generation:
        """Register the first generation, or (rebuild) begin or resume the one that shall replace it.

        One that is being built for another embedder is given up.
        """

    @abstractmethod
    async def unembedded(
        self, generation: Generation, *, limit: int, walk: Walk | None = None
    ) -> Sequence[tuple[str, int, str]]:
        """(lane, row key, text) of rows that have no vector in this generation.

        Args:
            generation: Which.
            limit: How many.
            walk: How far the caller has come; it is moved on. Nothing is returned at the end of each of its rounds.
        """

    @abstractmethod
    async def coverage(self, generation: Generation) -> tuple[int, int]:
        """How many rows have a vector of it, and how many there are. Reads all of them."""

    @abstractmethod
    async def put_vectors(self, generation: Generation, vectors: Sequence[tuple[str, int, FloatVector]]) -> None:
        """Store vectors for (lane, row key). Rows erased meanwhile are passed over.

        Raises:
            Conflict: It was being built, and was given up for another one.
        """

    @abstractmethod
    async def switch_generation(self, generation: Generation, *, walk: Walk | None = None) -> bool:
        """Make it the current one and leave the old one to `drop_old_vectors`, unless some row still lacks a vector.

        Args:
            generation: Which.
            walk: Of whoever has embedded everything, at the end of a round: then only rows written since it began are
                looked at.

        Raises:
            Conflict: It was given up for another one.
        """

    @abstractmethod
    async def drop_generation(self, generation: Generation) -> None:
        """Give up one that is being built."""

    @abstractmethod
    async def drop_old_vectors(self, *, limit: int) -> bool:
        """Delete so many vectors of generations that were given up or replaced. True when none is left."""

    @abstractmethod
    async def lacking(self, *, limit: int) -> Walk | None:
        """A walk through the rows of so many owners that got no vector, because who wrote them lacks the embedder."""

    @abstractmethod
    async def settle_lacking(self, walk: Walk) -> None:
        """The rows of such a walk have their vectors now, unless there are new ones."""

    @abstractmethod
    async def stats(self) -> Stats:
        """What it holds."""

    @abstractmethod
    async def finish_scrub(self) -> bool:
        """Go on with erasures whose words may still be in a file. True when nothing is left to do."""
