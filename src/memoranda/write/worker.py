"""Takes a job from its messages to a commit: gate, extract, guard, consolidate, and again when somebody was faster.

Messages and job are committed before any of this, so a death at any point leaves the job to be done again. Jobs of one
owner run one after the other, whoever runs them: the lease in the store says whose turn it is, and within this process
those who wait form a queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from memoranda._precedence import begin_jobs, for_job
from memoranda._telemetry import count_job, job_span
from memoranda.errors import ConfigurationError, Conflict, ProcessingFailed, StoreError
from memoranda.records import NO_USAGE, Edit, Usage, now
from memoranda.scope import Owner
from memoranda.stores.base import Store
from memoranda.stores.data import Appended, Batch, Clash, Commit, Erased, LeaseLost, Work
from memoranda.stores.leases import new_token
from memoranda.write.detect import quiet
from memoranda.write.extract import Extractor, PureExtractor
from memoranda.write.failed import OUTAGES, ModelFailed, ModelResting
from memoranda.write.lessons import lesson_batch
from memoranda.write.process import SETTING_SECONDS, Drawn, Process, Related
from memoranda.write.turns import Turns

if TYPE_CHECKING:
    from memoranda.engine import Engine
    from memoranda.policy import Policy

__all__ = ['Outcome', 'Worker']

log = logging.getLogger('memoranda.write')

MAX_CONFLICTS: Final = 20
MAX_CLASHES: Final = 3
MOST_UNWRITTEN: Final = 64
POLL_SECONDS: Final = 0.05
"""How long to wait for another process's job of the same owner before looking again."""
DAY_SECONDS: Final = 86_400.0
_MOST_WORDS: Final = 4_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job."""

    edits: Sequence[Edit]
    skipped: Mapping[str, int]
    usage: Usage = NO_USAGE


@dataclass(frozen=True, slots=True)
class Retry:
    """What becomes of a job that failed."""

    after: float | None
    """Seconds; None gives it up."""
    counted: bool = True


class Worker:
    """Runs jobs for one engine.

    Args:
        engine: Store, embedder and threads.
        extractor: Draws proposals from messages.
        related: Finds the memories within reach that a text may be about.
    """

    def __init__(self, engine: Engine, extractor: Extractor | PureExtractor, related: Related) -> None:
        self._engine = engine
        self.process = Process(engine, extractor, related)
        self.lease_seconds = engine.settings.lease_seconds
        self.watcher: Callable[[Work, Exception | None], Awaitable[None]] | None = None
        """Told of each claimed job when it is done, or with what failed."""
        self._unwritten: dict[tuple[str, int | None], Drawn] = {}
        """What models drew from messages, when it could not be written: they aren't asked again."""
        self._waiting: tuple[int, Turns] = (os.getpid(), Turns())

    def forget(self) -> None:
        """Keep nothing of what was drawn so far: something was erased."""
        self._unwritten.clear()

    @property
    def turns(self) -> Turns:
        """Who waits for whom in this process."""
        if self._waiting[0] != os.getpid():  # the child of a fork: those who waited are threads of the parent
            self._waiting = (os.getpid(), Turns())
        return self._waiting[1]

    @property
    def _store(self) -> Store:
        return self._engine.store

    async def finish(self, owner: Owner, appended: Appended, token: str, *, drawn: Drawn | None = None) -> Outcome:
        """Do the job of an `add`, after the owner's earlier ones.

        Args:
            owner: Whose job it is.
            appended: What `append` answered.
            token: The lease's, as `append` was given it.
            drawn: What its messages say, when that is known already.

        Raises:
            ProcessingFailed: The job, or one before it, failed; both stay queued.
        """
        try:
            work = appended.work
            if work is None and appended.leased:
                work = await self._store.load(appended.job_id or '')
            if work is not None:
                return await self._run_for(work, appended, token, drawn)
            await self.turns.enter(owner)
            try:
                return await self._take_turn(owner, appended, token)
            finally:
                self.turns.leave(owner)
        except ProcessingFailed:
            raise
        except BaseException:  # cancelled: whoever comes next shall not wait for the lease to run out
            self._store.abandon(token)
            raise

    async def _take_turn(self, owner: Owner, appended: Appended, token: str) -> Outcome:
        job_id = appended.job_id or ''
        mine = await self._store.load(job_id)
        # Facts that a caller gave need no model, so they don't wait for one that fails.
        ahead = job_id if mine is not None and not mine.job.payload.get('infer', True) else None
        while True:
            work = await self._store.claim(owner, worker=token, lease_seconds=self.lease_seconds, ahead=ahead)
            if work is not None:
                if work.job.id == job_id:
                    return await self._run_for(work, appended, token)
                try:
                    with job_span(self._engine, work.job) as span:
                        span.changed((await self._run_for(work, appended, token)).edits)
                except ProcessingFailed as error:
                    if ahead is None or isinstance(error.__cause__, StoreError):  # the same would meet this one
                        raise
                continue
            mine = await self._store.load(job_id)
            if mine is None:  # its messages were erased meanwhile
                return Outcome((), {'erased': len(appended.episode_ids)})
            if mine.job.state == 'done':
                return Outcome(await self._store.edits_of(job_id), {})
            if mine.job.state == 'dropped':
                return Outcome((), {'dropped': len(appended.episode_ids)})
            if mine.job.state == 'dead':
                raise ProcessingFailed(f'job {job_id} was given up: {mine.job.last_error}', appended)
            await self.turns.progress(owner, POLL_SECONDS, self._engine.later)

    async def run(self, work: Work, token: str, *, renewing: bool = False) -> Outcome:
        """Do a claimed job. A failure is noted with it, and raised.

        Args:
            work: What `claim` gave.
            token: Its lease's.
            renewing: Whether the lease is to be held while a model is asked; else the caller does that.

        Raises:
            LeaseLost: Somebody else does it, or its messages were erased.
        """
        try:
            with job_span(self._engine, work.job, merged=len(work.merged)) as span:
                outcome = await self._run(work, token, renewing=renewing)
                span.changed(outcome.edits)
        except BaseException as error:
            if not isinstance(error, Exception):  # cancelled: the next one shall not wait for the lease to run out
                self._store.abandon(token)
            elif self.watcher is not None:
                await self.watcher(work, error)
            raise
        if self.watcher is not None:
            await self.watcher(work, None)
        return outcome

    async def _run_for(self, work: Work, appended: Appended, token: str, drawn: Drawn | None = None) -> Outcome:
        try:
            return await self._run(work, token, drawn)
        except LeaseLost:
            return Outcome((), {'taken over': 1})
        except Exception as error:
            retried = self._retry(work, error)
            raise ProcessingFailed(
                f'the messages are stored, but job {work.job.id} failed ({_told(error, self._engine.policy)}): '
                + (
                    f'it was given up after {work.job.attempts} tries, its messages can still be searched'
                    if retried.after is None
                    else 'it stays queued and is tried again by a worker, or with the next add of this scope'
                ),
                appended,
            ) from error

    async def _run(self, work: Work, token: str, drawn: Drawn | None = None, *, renewing: bool = True) -> Outcome:
        holding = self._engine.start(lambda: self._hold(token), awaited=False) if renewing else None
        try:
            with for_job():
                outcome = await self._process(work, token, drawn)
            count_job('done', merged=len(work.merged))
            return outcome
        except LeaseLost:
            raise
        except Exception as error:
            await self._give_back(work, token, error)
            raise
        finally:
            if holding is not None:
                holding.cancel()
            self.turns.advance(work.owner)

    async def _give_back(self, work: Work, token: str, error: Exception) -> None:
        if isinstance(error, StoreError) and not isinstance(error, ConfigurationError):
            self._store.abandon(token)  # nothing is wrong with the job, and there is nowhere to note it
            return
        retry = self._retry(work, error)
        count_job('dead' if retry.after is None else 'retrying', merged=len(work.merged), error=error)
        usage: object = getattr(error, 'usage', None)
        # While a model is left alone, that has been said already.
        level = logging.DEBUG if isinstance(error, ModelResting) else logging.WARNING
        log.log(level, 'job %s failed on attempt %d (%s)', work.job.id, work.job.attempts, type(error).__name__)
        try:
            await self._store.fail(
                work.job,
                worker=token,
                error=_told(error, self._engine.policy),
                retry_after=retry.after,
                usage=usage if isinstance(usage, Usage) else NO_USAGE,
                counted=retry.counted,
                outage=retry.counted and _is_outage(error),
                epoch=work.epoch,
            )
        except StoreError as unwritable:
            log.warning('job %s could not be given back (%s)', work.job.id, type(unwritable).__name__)
            self._store.abandon(token)

    def _retry(self, work: Work, error: Exception) -> Retry:
        """When to try again: with exponential backoff and full jitter, not before a provider wants to be asked."""
        settings = self._engine.settings
        if isinstance(error, ModelResting):  # it wasn't asked
            return Retry(after=error.retry_after or 0.0, counted=False)
        if isinstance(error, ConfigurationError | StoreError):
            return Retry(after=min(SETTING_SECONDS, settings.max_retry_seconds), counted=False)
        age = (now() - work.job.created_at).total_seconds()
        # A process that was killed, or a provider that was down, tells nothing of the job.
        tries = work.job.attempts - work.job.crashes - work.job.payload.get('outages', 0)
        begun = work.job.attempts - work.job.crashes
        lasts = begun >= settings.max_attempts and age >= settings.outage_hours * 3600
        if lasts if _is_outage(error) else tries >= settings.max_attempts:
            return Retry(after=None)
        # https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        longest = min(settings.max_retry_seconds, settings.retry_seconds * 2.0 ** min(work.job.attempts - 1, 60))
        return Retry(after=_asked_to_wait(error) + random.uniform(0.0, longest))  # noqa: S311 - no secret

    async def _process(self, work: Work, token: str, drawn: Drawn | None) -> Outcome:
        engine = self._engine
        # Before anything is embedded: after a switch meanwhile the store leaves these vectors out.
        generation = await engine.ensure_generation()
        vectors = await engine.embed([text for _, text in work.segments])
        if vectors and generation is not None and self._asks_a_model(work, drawn):
            # What was said can be found by its meaning before the model has answered.
            found = [('episodes', row, v) for (row, _), v in zip(work.segments, vectors, strict=True)]
            await self._store.put_vectors(generation, found)
            work, vectors = replace(work, segments=()), ()
        kept = self._unwritten.pop((work.job.id, work.epoch), None)
        if drawn is None and kept is not None and [e.id for e in kept.episodes] == [e.id for e in work.episodes]:
            drawn = kept
        elif drawn is None:
            drawn = await self.process.draw(work)
        else:
            drawn = drawn.said_in(work.episodes)
        try:
            taught = await self._hand_over(work, drawn, token)
        except Erased:
            return await self._anew(work, token)
        number = generation.id if generation and drawn.made_by == generation.embedder else None
        clashes = 0
        for _ in range(MAX_CONFLICTS):
            decision, version, change = await self.process.decide(work, drawn, number)
            commit = Commit(
                owner=work.owner,
                expect_version=version,
                change=change,
                writes=await engine.writes(decision.edits, drawn.vectors),
                job=work.job,
                merged=work.merged,
                worker=token,
                segment_vectors=[(row, vector) for (row, _), vector in zip(work.segments, vectors, strict=True)],
                epoch=work.epoch,
                generation=number,
                usage=drawn.usage,
            )
            try:
                await self._store.commit(commit)
            except LeaseLost:
                raise
            except Erased:  # what was drawn may hold words of what is gone
                return await self._anew(work, token)
            except StoreError:  # nothing was wrong with the answer, which was paid for
                self._unwritten[work.job.id, work.epoch] = drawn
                while len(self._unwritten) > MOST_UNWRITTEN:
                    self._unwritten.pop(next(iter(self._unwritten)), None)
                raise
            except Clash:
                clashes += 1
                if clashes == MAX_CLASHES:  # nobody wrote in between: deciding again would decide the same
                    raise
                continue
            except Conflict:
                continue  # somebody edited these memories meanwhile: decide again, the model isn't asked again
            await self._teach(work, taught)
            return Outcome(decision.edits, Counter(drawn.skipped) + Counter(decision.skipped), drawn.usage)
        raise Conflict(f'job {work.job.id} met a concurrent change {MAX_CONFLICTS} times: try again')

    async def _anew(self, work: Work, token: str) -> Outcome:
        """Read the messages once more, beside what is left."""
        again = await self._store.load(work.job.id)
        if again is None:
            raise LeaseLost(f'job {work.job.id} is gone, its messages were erased')
        return await self._process(again, token, None)

    def _asks_a_model(self, work: Work, drawn: Drawn | None) -> bool:
        return (
            drawn is None
            and not isinstance(self.process.extractor, PureExtractor)
            and work.job.payload.get('infer', True)
        )

    @property
    def _may_take_long(self) -> bool:
        """Whether somebody elsewhere is asked."""
        return not (isinstance(self.process.extractor, PureExtractor) and self._engine.embedder.local)

    async def _hold(self, token: str) -> None:
        """Renew a lease until it is cancelled."""
        begin_jobs()
        while True:
            await asyncio.sleep(self.lease_seconds / 3)
            with contextlib.suppress(Exception):  # it runs on; whether it was lost is seen at the commit
                await self._store.renew(token, lease_seconds=self.lease_seconds)

    async def _hand_over(self, work: Work, drawn: Drawn, held: str) -> list[tuple[Batch, Appended]]:
        """Store lessons with the agent. Before the commit: a job that is done again hands over none twice."""
        stored: list[tuple[Batch, Appended]] = []
        review = self._engine.settings.agent_lessons == 'review'
        for number, lesson in enumerate(drawn.lessons):
            batch = lesson_batch(self._engine, lesson, work, number, pending=review, token=new_token(), held=held)
            try:
                appended = await self._store.append(batch)
            except (Erased, LeaseLost):  # or somebody else's by now
                raise
            except Conflict:
                continue  # an earlier try of this job handed over another one in its place
            if appended.job_id is not None and not appended.replayed:
                stored.append((batch, appended))
        return stored

    async def _teach(self, work: Work, stored: Sequence[tuple[Batch, Appended]]) -> None:
        """Make memories of the lessons; the agent may be busy, and by now nothing waits for them."""
        for batch, appended in stored:
            try:
                await self.finish(batch.owner, appended, batch.worker)
            except ProcessingFailed as error:
                cause = type(error.__cause__ or error).__name__
                log.warning('a lesson of job %s is stored and waits (%s)', work.job.id, cause)


def _is_outage(error: Exception) -> bool:
    """Whether the job may well succeed later, as it is."""
    from memoranda.embedders import EmbeddingFailed

    return (isinstance(error, ModelFailed) and error.reason in OUTAGES) or isinstance(error, EmbeddingFailed | OSError)


def _told(error: Exception, policy: Policy) -> str:
    """An error in short: what an extractor raises may hold whole messages, as a model wrote them."""
    try:
        words = str(error)
    except Exception:
        words = ''
    # Before it is cut: half a key could not be told any more.
    words = quiet(words[:_MOST_WORDS], policy)
    return f'{type(error).__name__}: {words[:200]}{"..." if len(words) > 200 else ""}'


def _asked_to_wait(error: Exception) -> float:
    """Seconds that a provider wants to be left alone, at most a day; an error of somebody else's may say anything."""
    asked: object = getattr(error, 'retry_after', None)
    return min(max(0.0, float(asked)), DAY_SECONDS) if isinstance(asked, int | float) else 0.0
