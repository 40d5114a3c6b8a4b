"""What became of messages that were stored to be read in the background."""

from __future__ import annotations

import os
import time
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from memoranda._bridge import wait_within
from memoranda._degraded import can_not_read
from memoranda.errors import ConfigurationError, MemoryNotFound, StoreError
from memoranda.records import AddResult, Job
from memoranda.stores.data import Appended, LeaseLost
from memoranda.stores.leases import new_token
from memoranda.write.spool import Kept, Lost

if TYPE_CHECKING:
    from memoranda.engine import Engine
    from memoranda.scope import Owner
    from memoranda.write.background import Background
    from memoranda.write.worker import Worker

__all__ = ['Following', 'Waiting', 'outcome_of', 'receipt_again', 'receipt_of', 'skipped_by']


def skipped_by(appended: Appended) -> dict[str, int]:
    """What of the messages was not stored, by reason: those said before their subject was forgotten."""
    return {'forgotten': appended.forgotten} if appended.forgotten else {}


async def outcome_of(engine: Engine, receipt: AddResult, *, project: str) -> AddResult:
    """A receipt as its job is now."""
    if receipt.job_id is None:
        return receipt
    found = await engine.store.job(receipt.job_id, project=project)
    if found is None:
        return replace(receipt, status='dropped', error='its messages were erased')
    job = found[1]
    changes = tuple(await engine.store.edits_of(job.id)) if job.status == 'done' else ()
    return replace(receipt, status=job.status, error=job.last_error, changes=changes, usage=job.usage)


async def receipt_of(
    engine: Engine, worker: Worker, background: Background, owner: Owner, appended: Appended
) -> AddResult:
    """The receipt of messages that were just stored."""
    receipt = AddResult(
        job_id=appended.job_id,
        episode_ids=tuple(appended.episode_ids),
        known=appended.known,
        replayed=appended.replayed,
        status='queued' if appended.job_id is not None else 'done',
        skipped=skipped_by(appended),
    )
    if appended.job_id is None:
        return receipt
    if appended.replayed:
        try:
            receipt = await outcome_of(engine, receipt, project=owner.project)
        except StoreError as error:  # what is stored is stored
            if engine.settings.errors == 'raise' or not can_not_read(error):
                raise
    else:
        background.notify(waits=appended.waits)
    return replace(receipt, follower=Following(engine, worker, background, owner, receipt))


async def receipt_again(engine: Engine, worker: Worker, background: Background, job: Job) -> AddResult:
    """The receipt of a job that was stored before, as it is now.

    Raises:
        MemoryNotFound: It was erased meanwhile.
    """
    found = await engine.store.job(job.id, project=job.project)
    if found is None:
        raise MemoryNotFound(f'job {job.id} was erased meanwhile, with its messages')
    work = await engine.store.load(job.id)
    ids = () if work is None else tuple(episode.id for episode in work.episodes)
    receipt = await outcome_of(engine, AddResult(job_id=job.id, episode_ids=ids), project=job.project)
    if receipt.status in ('done', 'dead', 'dropped'):
        return receipt
    return replace(receipt, follower=Following(engine, worker, background, found[0], receipt))


class _Follower:
    """Copies and pickles of a receipt follow nothing."""

    def __deepcopy__(self, memo: dict[int, Any]) -> None:
        return None

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()


class Waiting(_Follower):
    """Follows messages that are not stored yet, then their job (a `Follower`)."""

    def __init__(self, engine: Engine, worker: Worker, background: Background, kept: Kept) -> None:
        self._engine, self._worker, self._background, self._kept = engine, worker, background, kept

    def receipt(self) -> AddResult:
        """What the caller gets now."""
        return AddResult(job_id=None, episode_ids=(), status='unsaved', error=self._kept.error, follower=self)

    async def __call__(self, timeout: float | None) -> AddResult:
        """The outcome, once there is one."""
        kept, begun = self._kept, time.monotonic()
        if kept.pid != os.getpid():
            return replace(self.receipt(), error='they wait in the process that this one was forked from')
        if not await wait_within(kept.stored, timeout):
            raise TimeoutError(
                f'the messages are not stored yet after {timeout:g} s ({kept.error}): they wait in this process, '
                'mend the storage, or wait again'
            )
        try:
            appended = kept.stored.result()
        except Lost as lost:
            return replace(self.receipt(), status=lost.status, error=str(lost), follower=None)
        receipt = await receipt_of(self._engine, self._worker, self._background, kept.batch.owner, appended)
        return await receipt.wait(None if timeout is None else max(0.0, timeout - (time.monotonic() - begun)))


class Following(_Follower):
    """Follows one job to its end (a `Follower`)."""

    def __init__(
        self, engine: Engine, worker: Worker, background: Background, owner: Owner, receipt: AddResult
    ) -> None:
        self._engine, self._worker, self._background = engine, worker, background
        self._owner, self._receipt = owner, receipt
        self._doing: tuple[int, Future[bool]] | None = None
        """The job that is done for it, and in which process."""

    async def __call__(self, timeout: float | None) -> AddResult:
        """The outcome, once there is one."""
        engine = self._engine
        deadline = None if timeout is None else time.monotonic() + timeout
        begun = False
        while True:
            watched: Owner | None = self._owner
            now = await outcome_of(engine, self._receipt, project=self._owner.project)
            if now.status in ('done', 'dead', 'dropped'):
                return now
            if not self._background.works and engine.settings.workers:  # nobody here does it: then this caller
                if not begun:
                    begun = True
                    await engine.store.hurry(self._owner)
                doing = self._lent()
                if doing is None:
                    watched = None  # somebody else's job has to end first
                elif (
                    await wait_within(doing, None if deadline is None else max(0.0, deadline - time.monotonic()))
                    and not doing.cancelled()  # by a close
                    and doing.result()
                ):
                    continue
            seconds = engine.settings.poll_seconds
            if deadline is not None:
                seconds = min(seconds, deadline - time.monotonic())
            if seconds <= 0:
                raise TimeoutError(
                    f'job {self._receipt.job_id} is {now.status} after {timeout:g} s: it goes on, wait again or ask '
                    'memory.job(...) later'
                )
            await self._worker.turns.progress(watched, seconds, engine.later)

    def _lent(self) -> Future[bool] | None:
        if self._doing is None or self._doing[0] != os.getpid() or self._doing[1].done():
            doing = self._background.lend(self._do_next)
            self._doing = None if doing is None else (os.getpid(), doing)
        return None if self._doing is None else self._doing[1]

    async def _do_next(self) -> bool:
        """Do the owner's first job, if it is due."""
        store, token = self._engine.store, new_token()
        try:
            work = await store.claim(
                self._owner, worker=token, lease_seconds=self._engine.settings.lease_seconds, due=True
            )
        except BaseException:
            store.abandon(token)
            raise
        if work is None:
            return False
        try:
            await self._worker.run(work, token, renewing=True)
        except (ConfigurationError, StoreError):
            raise
        except LeaseLost:
            return True
        except Exception:  # noted with the job
            return True
        return True
