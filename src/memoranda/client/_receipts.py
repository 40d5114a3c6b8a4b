"""What becomes of messages that were added: an `AddResult` that follows its job on the server."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from memoranda._bridge import wait_for, wait_within
from memoranda.client._asking import ids_told
from memoranda.client._http import Answer, Ask
from memoranda.client._records import read, record
from memoranda.errors import MemorandaError, MemoryNotFound, StoreUnreachable
from memoranda.records import AddResult
from memoranda.server.native import models

if TYPE_CHECKING:
    from memoranda.client._base import Shared
    from memoranda.client._kept import Kept
    from memoranda.scope import Scope

__all__ = ['Following', 'Waiting', 'added', 'outcome_of']

LONGEST_WAIT: Final = 30
"""Seconds that one request waits for a job at most: what stands in front of a server may break off longer ones."""
_MARGIN: Final = 15.0
_ENDED: Final = ('done', 'dead', 'dropped')


def added(shared: Shared, scope: Scope | None, answer: Answer) -> AddResult:
    """What the server answered to an add."""
    told = read(models.Added, answer.body, address=shared.wire.url)
    result: AddResult = record(told)
    if result.status in _ENDED or result.job_id is None:
        return result
    return replace(result, follower=Following(shared, scope, result))


def outcome_of(receipt: AddResult, job: models.JobDetail) -> AddResult:
    """A receipt as its job is now."""
    told: Any = record(job)
    return replace(
        receipt,
        episode_ids=receipt.episode_ids or tuple(job.episode_ids),
        status=job.status,
        error=job.last_error,
        changes=tuple(record(edit) for edit in job.changes),
        usage=told.usage,
    )


class _Follower:
    """Copies and pickles of a receipt follow nothing."""

    def __deepcopy__(self, memo: dict[int, Any]) -> None:
        return None

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()


class Following(_Follower):
    """Follows one job to its end (a `Follower`)."""

    def __init__(self, shared: Shared, scope: Scope | None, receipt: AddResult) -> None:
        self._shared, self._scope, self._receipt = shared, scope, receipt

    async def __call__(self, timeout: float | None) -> AddResult:
        """The outcome, once there is one."""
        until = None if timeout is None else time.monotonic() + timeout
        status = self._receipt.status
        while True:
            left = LONGEST_WAIT if until is None else until - time.monotonic()
            try:
                job = await self._look(max(0.0, min(left, LONGEST_WAIT)))
            except MemoryNotFound:
                return replace(
                    self._receipt, status='dropped', error='its messages were erased', changes=(), follower=None
                )
            status = job.status
            if status in _ENDED:
                return replace(outcome_of(self._receipt, job), follower=None)
            if until is not None and time.monotonic() >= until:
                raise TimeoutError(
                    f'job {self._receipt.job_id} is {status} after {timeout:g} s: it goes on, wait again or ask '
                    'job(...) later'
                )

    async def _look(self, seconds: float) -> models.JobDetail:
        shared, whole = self._shared, int(seconds)
        ask = Ask(
            'GET',
            f'/v1/jobs/{self._receipt.job_id}',
            params={**ids_told(self._scope), 'wait': whole},
            again=True,
            seconds=whole + _MARGIN,
        )
        answer = await wait_for(shared.loop.start(lambda: shared.wire.send(ask)))
        return read(models.JobDetail, answer.body, address=shared.wire.url)


class Waiting(_Follower):
    """Follows messages that the server doesn't have yet, then their job (a `Follower`)."""

    def __init__(self, shared: Shared, scope: Scope | None, kept: Kept) -> None:
        self._shared, self._scope, self._kept = shared, scope, kept

    def receipt(self) -> AddResult:
        """What the caller gets now."""
        return AddResult(job_id=None, episode_ids=(), status='unsaved', error=self._kept.cause, follower=self)

    async def stored(self, timeout: float | None) -> None:
        """Wait until the server has them, or they are lost.

        Raises:
            TimeoutError: Not yet.
        """
        if not await wait_within(self._kept.stored, timeout):
            raise TimeoutError(
                f'the messages are not stored yet after {timeout:g} s ({self._kept.cause}): they wait in this process, '
                'see to the server, or wait again'
            )

    async def __call__(self, timeout: float | None) -> AddResult:
        """The outcome, once there is one."""
        begun = time.monotonic()
        await self.stored(timeout)
        error = self._kept.stored.exception()
        if isinstance(error, StoreUnreachable):  # the client was closed
            return replace(self.receipt(), error=str(error), follower=None)
        if isinstance(error, MemorandaError):
            return replace(self.receipt(), status='dropped', error=f'{type(error).__name__}: {error}', follower=None)
        result = added(self._shared, self._scope, self._kept.stored.result())
        return await result.wait(None if timeout is None else max(0.0, timeout - (time.monotonic() - begun)))
