"""`SQLiteStore`: the primitives over one file."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import apsw

from memoranda._bridge import wait_for
from memoranda._precedence import is_for_job, step
from memoranda._threads import Pool, settle
from memoranda.errors import StoreError, StoreUnwritable
from memoranda.filters import Filter, fold
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
from memoranda.scope import Erasure, Owner, Reach
from memoranda.stores.base import (
    Appended,
    Batch,
    Commit,
    EpisodePage,
    ErasureResult,
    Foreseen,
    Generation,
    Moment,
    Pending,
    SearchPlan,
    Snapshot,
    Stats,
    Store,
    Work,
)
from memoranda.stores.erasures import Trace
from memoranda.stores.sql import (
    auditing,
    changes,
    counting,
    erasing,
    exporting,
    forgetting,
    generations,
    jobs,
    queue,
    reading,
    restoring,
    retaining,
    reviewing,
    tombstones,
    usage,
    writing,
)
from memoranda.stores.sql.cache import Cache
from memoranda.stores.sql.database import Connection
from memoranda.stores.sql.rows import to_us
from memoranda.stores.sqlite import sweeping, traces
from memoranda.stores.sqlite.connection import (
    Closed,
    Durability,
    Moved,
    Reader,
    Writer,
    connect,
    snapshot,
    translated,
)
from memoranda.stores.sqlite.forking import forks
from memoranda.stores.sqlite.schema import migrate

if TYPE_CHECKING:
    from memoranda.lanes import FloatVector
    from memoranda.stores.aging import Aged, Aging, Round
    from memoranda.stores.chains import Chain, ReadEntry, ReadNote, Visit, Walked
    from memoranda.stores.erasures import Asked, ChainPosition, Forgetting, Forgotten, Remains
    from memoranda.stores.portable import Holdings, RestoreNote, RowIn, Take

__all__ = ['SQLiteStore']

T = TypeVar('T')
log = logging.getLogger('memoranda.stores')
_files = sweeping.SweepFiles()
_MOVES = 5
"""In a row: then the file is replaced again and again, or its file system tells it by another number each time."""


class SQLiteStore(Store):
    """Memories in one SQLite file, which several threads and processes may share.

    Args:
        path: The file, made if missing with its folder, readable by its owner only; or `':memory:'`.
        busy_timeout: Seconds to wait for another process's write.
        durability: `'normal'` survives the death of the process, `'full'` power loss too.
        readers: Threads that read.
        cache_mb: Bound of the vectors kept in memory, in MiB.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        busy_timeout: float = 30.0,
        durability: Durability = 'normal',
        readers: int = 2,
        cache_mb: int = 256,
    ) -> None:
        location = os.fspath(path)
        self._memory = location == ':memory:'
        # The file itself, not a link to it: one file has one sweep descriptor, see `SweepFiles`.
        self._path = location if self._memory else os.path.realpath(location)
        self._busy = busy_timeout
        self._durability: Durability = durability
        self._reader_count = readers
        self._cache = Cache(cache_mb << 20)
        self._erasures = 0
        self._sweep = sweeping.Progress()
        self._resume: dict[tuple[int, str], int] = {}
        self._uses = usage.PendingUses()
        self._lock = threading.Lock()
        self._state: _Running | None = None
        self._inherited: list[_Running] = []
        self._when_replaced: list[Callable[[], None]] = []
        self._abandoned: dict[str, None] = {}
        """Tokens whose leases are not given back yet: it is tried again, for the disk may be full."""
        forks.watch(self)

    @property
    def location(self) -> str:
        """Absolute path of the file, or `':memory:'`."""
        return self._path

    async def open(self) -> None:
        """Open or create the file and bring its schema up to date."""
        await wait_for(self._submit(lambda connection: None, alone=True))

    async def close(self) -> None:
        """Commit what is queued and close the file."""
        with self._lock:
            running, self._state = self._state, None
        self._cache.clear()
        if running is not None and running.pid == os.getpid():
            done: Future[None] = Future()
            threading.Thread(target=_shut, args=(running, done), name='memoranda-close', daemon=True).start()
            await wait_for(done)

    def _running(self) -> _Running:
        with self._lock:
            state = self._state
            if state is not None and state.pid != os.getpid():
                # After a fork the threads are gone, and the parent's connections must not be touched, not even closed.
                self._inherited.append(state)
                self._cache = Cache(self._cache.max_bytes)
                self._state = state = None
            if state is None:
                user = object()
                writer = Writer(
                    self._path, lambda: self._connect_writer(user), idle=self._idle, moved=self._forget_file
                )
                readers = Pool(
                    1 if self._memory else self._reader_count,
                    'memoranda-reader',
                    lambda: Reader(self._path, self._connect, writer),
                    Reader.close,
                )
                of_jobs = Pool(
                    1, 'memoranda-job-reader', lambda: Reader(self._path, self._connect, writer), Reader.close
                )
                apart = Pool(
                    1, 'memoranda-audit-reader', lambda: Reader(self._path, self._connect, writer), Reader.close
                )
                leave = partial(_files.leave, self._path, user)
                self._state = state = _Running(os.getpid(), writer, readers, of_jobs, apart, leave, self._last)
            return state

    def _submit(self, function: Callable[[Connection], T], *, alone: bool = False) -> Future[T]:
        while True:
            with contextlib.suppress(Closed):  # by a fork or another caller, just now: the next one opens it again
                return self._running().writer.submit(function, alone=alone)

    def pause(self) -> None:
        """Close the connections before a fork. Nothing runs until `resume`."""
        self._lock.acquire()
        running = self._state
        if running is not None and not self._memory and running.pid == os.getpid():
            self._state = None
            _end(running)

    def resume(self) -> None:
        """After a fork, in parent and child: the next call opens again."""
        self._lock.release()

    def _last(self, writer: Writer) -> None:
        if self._uses:
            writer.submit(self._save_uses, alone=True)

    def _save_uses(self, connection: Connection) -> None:
        usage.save(connection, self._uses, busy_ms=int(self._busy * 1000))

    def _connect(self) -> Connection:
        connection = connect(self._path, busy_timeout=self._busy, durability=self._durability)
        connection.create_scalar_function('fold', _fold, 1, deterministic=True)
        return connection

    def _connect_writer(self, user: object) -> Connection:
        if not self._memory:  # here, not where the store is asked: this may wait for the disk
            _files.enter(self._path, user)
        connection = self._connect()
        try:
            with translated(self._path):
                migrate(connection, self._path)
                if connection.readonly('main'):
                    raise StoreUnwritable(
                        f'{self._path} is read-only for this user: make it writable, '
                        'or name another file in MEMORANDA_DATABASE'
                    )
                self._scrub(connection, sweeping.INLINE_BYTES)
        except BaseException:
            connection.close()
            raise
        return connection

    def _forget_file(self) -> None:
        """Another file is at the path: nothing read from the one before counts."""
        self._cache = Cache(self._cache.max_bytes)
        self._sweep, self._resume = sweeping.Progress(), {}
        _files.renew(self._path)
        for tell in self._when_replaced:
            tell()

    def when_replaced(self, tell: Callable[[], None]) -> None:
        """Call this when another file is found at the path."""
        self._when_replaced.append(tell)

    def _scrub(self, connection: Connection, most_bytes: int | None) -> bool:
        if self._memory:
            connection.execute('DELETE FROM scrub WHERE rest IS NULL')
            return True
        try:
            forgetting.resume(connection)
            return sweeping.scrub(
                connection, self._path, _files, self._sweep, most_bytes=most_bytes, busy_ms=int(self._busy * 1000)
            )
        except (OSError, apsw.BusyError, apsw.FullError, apsw.IOError) as error:
            # The erasure itself is committed; what is left of it is tried again.
            log.warning('%s could not be swept (%s): erased words may still be in it', self._path, error)
            return False

    def _idle(self, connection: Connection) -> None:
        """Every two seconds: count uses, forget owners other processes erased, go on with pending scrubs."""
        self._save_uses(connection)
        with contextlib.suppress(apsw.Error, StoreError):
            erasures = connection.execute("SELECT value FROM meta WHERE key = 'erasures'").fetchone()[0]
            if erasures != self._erasures:
                self._erasures = erasures
                self._cache.drop_stale(connection)
            self._scrub(connection, sweeping.TICK_BYTES)

    async def _read(self, function: Callable[[Connection], T], *, apart: bool = False) -> T:
        if self._memory:  # it lives in one connection, the writer's
            return await wait_for(self._submit(lambda c: self._read_now(c, function), alone=True))

        def read(reader: Reader) -> T:
            with reader.snapshot() as connection:
                return function(connection)

        def stepwise(reader: Reader) -> T:
            with step():
                return read(reader)

        moves, before = 0, None
        while True:
            running = self._running()
            try:
                readers = running.apart if apart else running.of_jobs if is_for_job() else running.readers
                future = readers.submit(stepwise if is_for_job() and not apart else read)
            except RuntimeError:  # closed just now, see `_submit`
                continue
            try:
                return await wait_for(future)
            except Moved:  # the writer opens first: it creates the file and migrates it
                moves, before = (moves + 1 if running is before else 1), running  # it may have been closed meanwhile
                if moves == _MOVES:
                    raise
                await self.open()

    def _read_now(self, connection: Connection, function: Callable[[Connection], T]) -> T:
        with snapshot(connection, self._path):
            return function(connection)

    async def _write(self, function: Callable[[Connection], T]) -> T:
        return await wait_for(self._submit(function))

    async def append(self, batch: Batch) -> Appended:
        """Store unseen messages and a job for them."""
        return await self._write(lambda c: writing.append(c, batch))

    async def claim(
        self, owner: Owner, *, worker: str, lease_seconds: float, due: bool = False, ahead: str | None = None
    ) -> Work | None:
        """Lease the owner's earliest unfinished job."""
        await self._give_back()
        return await self._write(lambda c: jobs.claim(c, owner, worker, lease_seconds, due, ahead))

    async def claim_next(self, *, worker: str, lease_seconds: float, turns: int = 1) -> Work | None:
        """Lease the job that is due for longest."""
        return await self._write(lambda c: jobs.claim_next(c, worker, lease_seconds, turns))

    async def due_in(self) -> float | None:
        """Seconds until a job is due."""
        return await self._read(queue.due_in)

    async def recover(self, *, lease_seconds: float) -> int:
        """Give back what is leased to processes that are gone, and what lies in the future."""
        await self._give_back()
        if await self._read(restoring.abandoned):
            await self._write(restoring.discard_abandoned)
        if not await self._read(queue.stuck):
            return 0
        return await self._write(lambda c: queue.recover(c, lease_seconds))

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

    def abandon(self, worker: str) -> None:
        """Give back whatever is leased under this token."""
        self._abandoned[worker] = None
        with contextlib.suppress(StoreError):
            future = self._submit(lambda c: jobs.abandon(c, worker))
            future.add_done_callback(lambda f: f.cancelled() or f.exception() or self._abandoned.pop(worker, None))

    async def _give_back(self) -> None:
        tokens = tuple(self._abandoned)
        if tokens:
            await self._write(lambda c: [jobs.abandon(c, token) for token in tokens])
            for token in tokens:
                self._abandoned.pop(token, None)

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
            lambda c: reading.snapshot(c, self._cache, owner, hashes, slots, ids, near, near_limit, generation, latest)
        )

    async def commit(self, commit: Commit) -> None:
        """Write a change."""
        await self._write(lambda c: writing.commit(c, commit))

    async def search(self, plan: SearchPlan) -> list[Hit]:
        """Candidates, ranking and rows in one snapshot."""
        return await self._read(lambda c: reading.search(c, self._cache, usage.with_uses(c, plan)))

    def note_uses(self, uses: Sequence[tuple[Owner, str, int, datetime]]) -> None:
        """Count that memories were recalled; written within two seconds, and when the store closes."""
        self._uses.add(uses)

    async def save_uses(self) -> None:
        """Write what was counted."""
        if self._uses:
            await wait_for(self._submit(self._save_uses, alone=True))

    async def speakers(self, reaches: Sequence[Reach]) -> Sequence[str]:
        """The names that messages were said under."""
        return await self._read(lambda c: reading.speakers(c, reaches))

    async def written_since(self, owner: Owner, trust: Trust, since: datetime, *, limit: int) -> int:
        """How many memories of a tier are new since a moment."""
        return await self._read(lambda c: counting.written_since(c, owner, trust, since, limit))

    async def standing(
        self, reaches: Sequence[Reach], *, wheres: Sequence[Filter | None], moment: Moment, limit: int
    ) -> tuple[list[MemoryRecord], Sequence[str]]:
        """What is told whatever the question is, and the speakers' names, in one snapshot."""

        def read(connection: Connection) -> tuple[list[MemoryRecord], Sequence[str]]:
            pages = [reading.page(connection, reaches, w, moment, False, limit, None, True)[0] for w in wheres]
            return [memory for page in pages for memory in page], reading.speakers(connection, reaches)

        return await self._read(read)

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

    async def messages(self, ids: Sequence[str], *, owner: Owner) -> Sequence[Episode]:
        """Messages of an owner by their ids."""
        return await self._read(lambda c: reviewing.messages(c, ids, owner))

    async def chains(
        self, owners: Sequence[Owner] | None, *, project: str | None, limit: int, after: int = 0
    ) -> Sequence[Chain]:
        """The audit chains of these owners, or of a project."""
        return await self._read(lambda c: auditing.chains(c, owners, project, after, limit))

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

    async def erase(self, erasure: Erasure) -> ErasureResult:
        """Remove rows, words, vectors and index entries, then what is left of them in the file."""
        result = await wait_for(
            self._submit(lambda c: erasing.durably(c, lambda c: erasing.erase(c, erasure)), alone=True)
        )
        if result.scrub == 'verified':
            return result
        return replace(result, scrub='verified' if await self._clean() else 'pending')

    async def _clean(self) -> bool:
        """After an erasure: whether nothing of it is left in the files, or in what this process keeps."""

        def clean(connection: Connection) -> bool:
            self._cache.drop_stale(connection)
            small = os.path.getsize(self._path) <= sweeping.INLINE_BYTES if not self._memory else True
            return self._scrub(connection, sweeping.INLINE_BYTES if small else 0)

        try:
            return await wait_for(self._submit(clean, alone=True))
        except StoreError as error:  # what is erased is erased; the chores go on
            log.warning('%s could not be scrubbed yet (%s)', self._path, type(error).__name__)
            return False

    async def forget(self, what: Forgetting) -> Forgotten:
        """Erase, and leave a tombstone where a subject is forgotten."""
        if what.owner is not None or not what.buries:
            part = await wait_for(self._submit(lambda c: forgetting.forget_one(c, what), alone=True))
            return part.told(scrubbed=await self._clean())
        part = await wait_for(self._submit(lambda c: forgetting.begin(c, what), alone=True))
        try:  # a few owners at once, so that others may write between them
            while not await wait_for(self._submit(lambda c: forgetting.forget_some(c, part), alone=True)):
                pass
        except BaseException:  # it is finished by the chores
            self._submit(lambda c: forgetting.release(c, part), alone=True)
            raise
        return part.told(scrubbed=await self._clean())

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

    async def secret(self) -> bytes:
        """What keys the hashes of subjects."""
        return await self._read(auditing.secret)

    async def traces(self, texts: Sequence[str], *, sample: bool = False) -> Sequence[Trace]:
        """Where texts are found that should be gone."""
        found: dict[int, set[str]] = {}
        if not self._memory:
            search = await wait_for(self._submit(lambda c: traces.Search(self._path, texts, sample=sample), alone=True))
            # A part at a time, so that others may write between them.
            while not await wait_for(self._submit(lambda c: search.step(_files.descriptor(self._path)), alone=True)):
                pass
            await wait_for(self._submit(lambda c: search.beside(), alone=True))
            found = search.found
        suspects = dict(enumerate(texts))
        if sample:  # those that others said too are told apart one by one, so not all of them are
            found = {i: found[i] for i in sorted(found)[: traces.SUSPECTS]}
            suspects = {i: texts[i] for i in found}
        rows = await self._read(lambda c: traces.in_rows(c, suspects)) if suspects else {}
        if sample:
            return [Trace(text=i, where=tuple(sorted(found[i]))) for i in sorted(found) if i not in rows]
        return [
            Trace(text=i, where=tuple(sorted(rows[i] if i in rows else found[i])))
            for i in sorted(found.keys() | rows.keys())
        ]

    async def remains(self, asked: Asked, subject: str, at: datetime, chains: Sequence[ChainPosition]) -> Remains:
        """What is known of an erasure by what its receipt says."""
        return await self._read(lambda c: traces.remains(c, asked, subject, to_us(at), chains))

    async def finish_scrub(self) -> bool:
        """Go on with erasures whose words may still be in a file."""
        while True:  # in slices, so that others may write between them
            before = self._sweep.page
            if await wait_for(self._submit(lambda c: self._scrub(c, sweeping.TICK_BYTES), alone=True)):
                return True
            if self._sweep.page == before:
                return False

    async def holdings(self, owner: Owner) -> Holdings:
        """How much is held on an owner."""
        return await self._read(lambda c: exporting.holdings(c, owner))

    async def export_rows(self, owner: Owner, take: Take) -> Holdings:
        """Hand over everything held on an owner, all of one snapshot."""
        await self.save_uses()
        return await self._read(lambda c: exporting.export_rows(c, owner, take))

    async def begin_restore(self, owner: Owner, token: str) -> Holdings:
        """Make room for what `restore_rows` brings."""
        return await self._write(lambda c: restoring.begin(c, owner, token))

    async def restore_rows(self, owner: Owner, token: str, rows: Sequence[RowIn], *, generation: int | None) -> None:
        """Take in some items that nobody sees yet."""
        await self._write(lambda c: restoring.insert(c, owner, token, rows, generation))

    async def finish_restore(self, owner: Owner, token: str, note: RestoreNote) -> None:
        """Let everybody see what came."""
        await self._write(lambda c: restoring.finish(c, owner, token, note))

    def abandon_restore(self, token: str) -> None:
        """Erase what an unfinished import brought."""
        with contextlib.suppress(StoreError):
            self._submit(lambda c: restoring.discard(c, token))

    async def generation(self) -> Generation | None:
        """The current embedding generation."""
        return await self._read(writing.current_generation)

    async def start_generation(self, embedder: str, dimensions: int, *, rebuild: bool) -> Generation:
        """Register the first generation, or begin or resume its replacement."""
        return await self._write(lambda c: generations.start(c, embedder, dimensions, rebuild))

    async def unembedded(self, generation: Generation, *, limit: int) -> Sequence[tuple[str, int, str]]:
        """Rows that have no vector in this generation."""
        return await self._read(lambda c: generations.unembedded(c, generation, limit, self._resume))

    async def put_vectors(self, generation: Generation, vectors: Sequence[tuple[str, int, FloatVector]]) -> None:
        """Store vectors for rows that are still there."""
        await self._write(lambda c: generations.put(c, generation, vectors))

    async def switch_generation(self, generation: Generation) -> bool:
        """Make it the current one and drop the old."""
        return await self._write(lambda c: generations.switch(c, generation))

    async def stats(self) -> Stats:
        """What the file holds."""
        return await self._read(lambda c: generations.stats(c, self._path, self._path))


class _Running:
    """The threads of one process."""

    def __init__(
        self,
        pid: int,
        writer: Writer,
        readers: Pool[Reader],
        of_jobs: Pool[Reader],
        apart: Pool[Reader],
        leave: Callable[[], None],
        last: Callable[[Writer], None],
    ) -> None:
        self.of_jobs = of_jobs
        """Reads for jobs: the others are free for what is asked meanwhile."""
        self.apart = apart
        """Reads that take seconds."""
        self.pid, self.writer, self.readers, self.leave, self.last = pid, writer, readers, leave, last


def _end(running: _Running) -> None:
    running.readers.close()
    running.of_jobs.close()
    running.apart.close()
    running.last(running.writer)
    running.writer.close()
    running.leave()


def _shut(running: _Running, done: Future[None]) -> None:
    try:
        _end(running)
    except BaseException as error:
        settle(done, error)
    else:
        settle(done)


def _fold(text: Any) -> Any:
    return fold(text) if isinstance(text, str) else text
