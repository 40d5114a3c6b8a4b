"""Jobs done behind the caller's back: a dispatcher on the engine's own loop that claims them and runs some at once.

It is woken by adds of this process and looks now and then for those of others. Nothing it meets ends it: what fails is
noted with the job, and a storage that fails is asked again after a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final

from memoranda._breaker import Breaker
from memoranda._bridge import wait_for, wait_within
from memoranda._degraded import PROBE_SECONDS
from memoranda._precedence import begin_jobs
from memoranda._threads import settle
from memoranda.errors import ConfigurationError, StoreError
from memoranda.records import new_id
from memoranda.stores.base import Store
from memoranda.stores.data import LeaseLost, Work
from memoranda.stores.leases import new_token
from memoranda.write.process import SETTING_SECONDS
from memoranda.write.spool import Spool

if TYPE_CHECKING:
    from memoranda.engine import Engine
    from memoranda.records import Job
    from memoranda.scope import Owner
    from memoranda.write.worker import Worker

__all__ = ['Background', 'Dispatcher']

log = logging.getLogger('memoranda.write')

RECOVER_SECONDS: Final = 5.0
"""How often to look for jobs of processes that are gone."""
CATCH_UP_SECONDS: Final = 10.0
"""How often to look for what was written without a vector."""


class Background:
    """The jobs of a store, done in this process.

    Args:
        engine: Where they are, and what runs them.
        worker: Does one.
    """

    def __init__(self, engine: Engine, worker: Worker) -> None:
        self._engine, self._worker = engine, worker
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._wanted = False
        self._inside = 0
        self._closing: Future[None] | None = None
        self._closers = 0
        self._lent: set[Future[bool]] = set()
        self._recovered = float('-inf')
        self._dispatcher: Dispatcher | None = None
        self.spool = Spool(engine, self._stored)
        """What could not be stored yet."""

    @property
    def works(self) -> bool:
        """Whether jobs are done in this process now."""
        return self._dispatcher is not None and self._pid == os.getpid()

    @property
    def entered(self) -> bool:
        """Whether anybody is inside."""
        return self._pid == os.getpid() and self._inside > 0

    async def enter(self) -> None:
        """Begin, unless the settings leave it to other processes, once whoever is closing has closed."""
        while True:
            with self._own_lock():
                closing = self._closing
                if closing is None:
                    self._inside += 1
                    self._wanted = True
                    break
            ended: Future[None] = Future()  # of this caller alone
            closing.add_done_callback(lambda _, ended=ended: settle(ended))
            await wait_for(ended)
        self._ensure()

    def leave(self, *, all_: bool) -> bool:
        """Whether whoever leaves is the last one, who has to close, and then call `closed`."""
        with self._own_lock():
            self._inside = 0 if all_ else max(0, self._inside - 1)
            if self._inside:
                return False
            self._closers += 1
            self._closing = self._closing or Future()
            return True

    def closed(self) -> None:
        """Let in those who wait to enter."""
        with self._own_lock():
            self._closers -= 1
            if self._closers > 0:  # another one still closes
                return
            closing, self._closing = self._closing, None
        if closing is not None:
            settle(closing)

    def lend(self, make: Callable[[], Coroutine[Any, Any, bool]]) -> Future[bool] | None:
        """Do a job here while nobody works, on the engine's loop; None when there are as many as may run at once."""
        with self._own_lock():
            self._lent = {doing for doing in self._lent if not doing.done()}
            if len(self._lent) >= self._engine.settings.workers:
                return None
            doing = Context().run(self._engine.start, make)
            self._lent.add(doing)
            return doing

    def notify(self, *, waits: bool = False) -> None:
        """A job was stored; `waits` for more turns, so that there is nothing to take yet."""
        self._ensure()  # the child of a fork begins with its first job
        dispatcher = self._dispatcher
        if dispatcher is not None and not waits:
            dispatcher.wake()

    def _stored(self) -> None:
        """What had waited for the storage was stored, so it works."""
        self._ensure()
        dispatcher = self._dispatcher
        if dispatcher is not None:
            dispatcher.works_again()
            dispatcher.wake()

    async def stop(self, drain_seconds: float) -> None:
        """Finish what is due, as far as it can be done in so many seconds, and give the rest back."""
        deadline = time.monotonic() + drain_seconds
        await self.spool.stop(drain_seconds)
        with self._own_lock():
            self._wanted = False
            dispatcher, self._dispatcher = self._dispatcher, None
            lent, self._lent = self._lent, set()
        if dispatcher is not None:
            await dispatcher.stop(max(0.0, deadline - time.monotonic()))
        for doing in lent:
            if not await wait_within(doing, max(0.0, deadline - time.monotonic())):
                doing.cancel()

    async def flush(self, timeout: float | None, owner: Owner | None) -> int:
        """Wait until the jobs that are there now are done, those that wait for more turns too.

        Returns:
            How many are not, when the time is over; messages that could not be stored count as a job for each add.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        unsaved = await self.spool.flush(owner, timeout) if self.spool.count(owner) else 0
        if not unsaved:
            return await self._flush(deadline, owner)
        before = new_id()
        counting = self._engine.start(lambda: self._engine.store.waiting(owner, before=before))
        told = await wait_within(counting, PROBE_SECONDS) and counting.exception() is None
        return unsaved + (counting.result() if told else 0)

    async def _flush(self, deadline: float | None, owner: Owner | None) -> int:
        store, turns = self._engine.store, self._worker.turns
        before = new_id()
        await store.hurry(owner)
        mine = None
        if not self.works and self._engine.settings.workers:
            mine = Dispatcher(self._engine, self._worker, tidies=False)
        try:
            while left := await store.waiting(owner, before=before):
                if mine is None and not self.works and self._engine.settings.workers:  # it was closed meanwhile
                    mine = Dispatcher(self._engine, self._worker, tidies=False)
                if mine is None:
                    self.notify()
                count_at = time.monotonic() + self._engine.settings.poll_seconds
                if deadline is not None:
                    count_at = min(count_at, deadline)
                if count_at <= time.monotonic():
                    break
                # Counting takes the longer the more there are: then not after each of them.
                for _ in range(left // 100 + 1):
                    if (seconds := count_at - time.monotonic()) > 0:
                        await turns.progress(None, seconds, self._engine.later)
            return left
        finally:
            if mine is not None:
                await mine.stop(0.0)

    async def process_one(self) -> Job | None:
        """Do the job that is due for longest, whoever's it is."""
        store = self._engine.store
        while True:
            recovers = time.monotonic() - self._recovered > RECOVER_SECONDS
            if recovers:
                await self._recover()
            token = new_token()
            work = await _take(self._engine, token)
            if work is None and not recovers and await self._recover():
                work = await _take(self._engine, token)
            if work is None:
                return None
            try:
                await self._worker.run(work, token, renewing=True)
            except (ConfigurationError, StoreError):
                raise
            except LeaseLost:
                store.abandon(token)  # of what was taken together, the rest
            except Exception as error:  # it is noted with the job, which is returned
                log.debug('job %s was not done (%s)', work.job.id, type(error).__name__)
            found = await store.job(work.job.id, project=work.owner.project)
            if found is not None:  # else its messages were erased meanwhile
                return found[1]

    async def _recover(self) -> int:
        self._recovered = time.monotonic()
        return await self._engine.store.recover(lease_seconds=self._engine.settings.lease_seconds)

    def _ensure(self) -> None:
        if self.works or not self._wanted or self._engine.settings.workers == 0:
            return
        with self._own_lock():
            if self._dispatcher is None and self._wanted:
                self._dispatcher = Dispatcher(self._engine, self._worker)

    def _own_lock(self) -> threading.Lock:
        if self._pid != os.getpid():  # the child of a fork: the lock may be held, and the dispatcher is the parent's
            self._lock, self._dispatcher, self._closing, self._lent = threading.Lock(), None, None, set()
            self._pid, self._closers = os.getpid(), 0
        return self._lock


class Dispatcher:
    """Claims jobs and runs them, some at once, until it is stopped. Starts on the engine's loop when it is made."""

    def __init__(self, engine: Engine, worker: Worker, *, tidies: bool = True) -> None:
        self._engine, self._worker = engine, worker
        self._tidies = tidies
        """Whether it sees to retention too."""
        self._stop_at: float | None = None
        self._wake: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._storage = Breaker(after=1, first=0.5, most=30.0)
        longest = min(SETTING_SECONDS, engine.settings.max_retry_seconds)
        self._settings = Breaker(after=1, first=longest, most=longest)
        """Open while every job fails for a setting: one at a time tells whether it was mended."""
        self._recovered = float('-inf')
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._woken = False
        self._claims = True
        # In no caller's context: its jobs are nobody's child, they are linked to what queued them.
        self._ended: Future[None] = Context().run(engine.start, self._work)

    def wake(self) -> None:
        """Look for jobs now."""
        if self._woken or self._loop is None or self._wake is None:
            return
        self._woken = True
        try:
            self._loop.call_soon_threadsafe(self._wake.set)
        except RuntimeError:  # its loop ended just now
            return

    async def stop(self, drain_seconds: float, *, claim: bool = True) -> None:
        """Finish what is under way and, with `claim`, what is due or waits for more turns, within the time."""
        self._claims = claim
        self._stop_at = time.monotonic() + drain_seconds
        self._woken = False
        self.wake()
        await wait_for(self._ended)

    @property
    def _store(self) -> Store:
        return self._engine.store

    async def _work(self) -> None:
        begin_jobs()
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        holding = asyncio.create_task(self._hold())
        tidying = asyncio.create_task(self._tidy())
        catching_up = asyncio.create_task(self._catch_up())
        hurried = False
        try:
            while True:
                self._wake.clear()
                self._woken = False  # from here on a new job wakes it again
                stop_at = self._stop_at  # when it is set from here on, one more look is due
                if stop_at is not None:
                    if time.monotonic() >= stop_at:
                        return
                    if self._claims and not hurried:
                        hurried = await self._hurry(stop_at - time.monotonic())
                pause = await self._fill() if self._claims else self._engine.settings.poll_seconds
                if stop_at is not None:
                    left = stop_at - time.monotonic()
                    if left <= 0 or (pause > 0 and not self._tasks):
                        return
                    pause = min(pause, left)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), pause)
        finally:
            holding.cancel()
            tidying.cancel()
            catching_up.cancel()
            under_way = dict(self._tasks)
            for task in under_way:
                task.cancel()
            await asyncio.gather(holding, tidying, catching_up, *under_way, return_exceptions=True)
            for token in under_way.values():  # one that was cancelled before it began could not do so itself
                self._store.abandon(token)

    async def _hurry(self, seconds: float) -> bool:
        with contextlib.suppress(StoreError, TimeoutError):
            await asyncio.wait_for(self._store.hurry(), seconds)
        return True

    async def _fill(self) -> float:
        """Take what is due, as much as may run at once. Returns the seconds until it makes sense to look again."""
        rest = self._storage.enter()
        if rest > 0:
            return rest
        try:
            return await self._claim()
        except Exception as error:  # whatever it is: the next look may go better, and jobs must not wait for a restart
            self._failed(error)
            return self._storage.resting
        finally:
            self._storage.withdraw()  # who was let through to try may have had nothing to do

    async def _claim(self) -> float:
        settings, store = self._engine.settings, self._store
        if time.monotonic() - self._recovered > RECOVER_SECONDS:
            await store.recover(lease_seconds=settings.lease_seconds)
            self._recovered = time.monotonic()
        while True:
            rest = max(self._engine.model_breaker.resting, self._settings.resting)
            if rest > 0:
                return min(rest, settings.poll_seconds)
            tender = self._engine.model_breaker.open or self._storage.open or self._settings.open
            if len(self._tasks) >= (1 if tender else settings.workers):
                return settings.poll_seconds
            due = await store.due_in()
            if due is None or due > 0:
                return settings.poll_seconds if due is None else min(due, settings.poll_seconds)
            token = new_token()
            work = await _take(self._engine, token)
            if work is None:
                return settings.poll_seconds
            task = asyncio.create_task(self._do(work, token))
            self._tasks[task] = token
            task.add_done_callback(self._done)

    async def _do(self, work: Work, token: str) -> None:
        try:
            await self._worker.run(work, token)
        except LeaseLost as lost:
            log.info('%s', lost)
            self._store.abandon(token)  # of what was taken together, the rest
        except StoreError as error:
            if not isinstance(error, ConfigurationError):  # that is no fault of the storage
                self._failed(error)
                return
            self._settings.failed(type(error).__name__)
        except ConfigurationError as error:  # the next job would meet the same
            self._settings.failed(type(error).__name__)
        except Exception as error:  # noted with the job
            log.debug('job %s was not done (%s)', work.job.id, type(error).__name__)
        else:
            self._settings.succeeded()
        self.works_again()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if self._wake is not None:
            self._wake.set()

    def _failed(self, error: Exception) -> None:
        if self._storage.failed(type(error).__name__):
            log.warning('jobs wait, the storage fails (%s)', type(error).__name__)

    def works_again(self) -> None:
        """The storage answers."""
        if self._storage.succeeded():
            log.warning('the storage works again, jobs are done')

    async def _tidy(self) -> None:
        """See to retention, where the policy has any."""
        if self._tidies and (self._engine.policy.retention or self._engine.policy.run_expiry is not None):
            from memoranda.write.retention import look_after

            await look_after(self._engine, self._worker.forget)

    async def _catch_up(self) -> None:
        """After a switch to other vectors: make up for those who write without their embedder."""
        from memoranda.reindex import catch_up

        while self._tidies:
            await asyncio.sleep(CATCH_UP_SECONDS)
            try:
                await catch_up(self._engine)
            except Exception as error:  # the next look may go better
                log.info('vectors that are missing could not be made (%s)', type(error).__name__)

    async def _hold(self) -> None:
        """Renew the leases of what is under way."""
        every = self._engine.settings.lease_seconds / 3
        while True:
            await asyncio.sleep(every)
            tokens = list(self._tasks.values())
            try:
                if tokens:
                    await self._store.renew(*tokens, lease_seconds=self._engine.settings.lease_seconds)
            except Exception as error:  # whether a lease was lost is seen at the commit
                log.warning('leases could not be renewed (%s)', type(error).__name__)


async def _take(engine: Engine, token: str) -> Work | None:
    """Claim the job that is due for longest."""
    settings = engine.settings
    try:
        return await engine.store.claim_next(
            worker=token, lease_seconds=settings.lease_seconds, turns=settings.batch_turns
        )
    except BaseException:  # cancelled while it is claimed
        engine.store.abandon(token)
        raise
