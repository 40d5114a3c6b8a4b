"""What became of messages that were stored to be read in the background."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from memoranda.errors import ConfigurationError, StoreError
from memoranda.records import AddResult
from memoranda.stores.base import LeaseLost
from memoranda.stores.leases import new_token

if TYPE_CHECKING:
    from memoranda.engine import Engine
    from memoranda.scope import Owner
    from memoranda.write.background import Background
    from memoranda.write.worker import Worker

__all__ = ['Following', 'outcome_of']


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


class Following:
    """Follows one job to its end (a `Follower`). Copies and pickles of a receipt follow nothing."""

    def __init__(
        self, engine: Engine, worker: Worker, background: Background, owner: Owner, receipt: AddResult
    ) -> None:
        self._engine, self._worker, self._background = engine, worker, background
        self._owner, self._receipt = owner, receipt

    async def __call__(self, timeout: float | None) -> AddResult:
        """The outcome, once there is one."""
        engine = self._engine
        deadline = None if timeout is None else time.monotonic() + timeout
        begun = False
        while True:
            now = await outcome_of(engine, self._receipt, project=self._owner.project)
            if now.status in ('done', 'dead', 'dropped'):
                return now
            if not self._background.works and engine.settings.workers:  # nobody here does it: then this caller
                if not begun:
                    begun = True
                    await engine.store.hurry(self._owner)
                if await self._do_next():
                    continue
            seconds = engine.settings.poll_seconds
            if deadline is not None:
                seconds = min(seconds, deadline - time.monotonic())
            if seconds <= 0:
                raise TimeoutError(
                    f'job {self._receipt.job_id} is {now.status} after {timeout:g} s: it goes on, wait again or ask '
                    'memory.job(...) later'
                )
            await self._worker.turns.progress(self._owner, seconds, engine.later)

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

    def __deepcopy__(self, memo: dict[int, Any]) -> None:
        return None

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()
