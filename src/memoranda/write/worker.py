"""Takes a job from its messages to a commit: gate, extract, guard, consolidate, and again when somebody was faster.

Messages and job are committed before any of this, so a death at any point leaves the job to be done again. Jobs of one
owner run one after the other, whoever runs them: the lease in the store says whose turn it is, and within this process
those who wait form a queue.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from memoranda._bridge import wait_for
from memoranda.checks import as_moment
from memoranda.errors import ConfigurationError, Conflict, ProcessingFailed, StoreError
from memoranda.records import Change, Edit, Episode, MemoryRecord, fact_hash, new_id, now
from memoranda.scope import Owner, Reach
from memoranda.stores.base import Appended, Commit, LeaseLost, Snapshot, Store, Work
from memoranda.stores.leases import new_token
from memoranda.write.consolidate import Decision, consolidate
from memoranda.write.extract import Extraction, ExtractionRequest, Extractor, Proposal, PureExtractor, Quote
from memoranda.write.gate import worth_reading
from memoranda.write.guard import MAX_FACT_CHARS, Candidate, guard

if TYPE_CHECKING:
    from memoranda.engine import Engine
    from memoranda.lanes import FloatVector

__all__ = ['Outcome', 'Worker']

log = logging.getLogger('memoranda.write')

Related: TypeAlias = Callable[[Reach, str], Awaitable[Sequence[MemoryRecord]]]

MAX_ATTEMPTS: Final = 5
MAX_CONFLICTS: Final = 20
POLL_SECONDS: Final = 0.05
"""How long to wait for another process's job of the same owner before looking again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job."""

    edits: Sequence[Edit]
    skipped: Mapping[str, int]


class Worker:
    """Runs jobs for one engine.

    Args:
        engine: Store, embedder and threads.
        extractor: Draws proposals from messages.
        related: Finds the memories within reach that a text may be about.
    """

    def __init__(self, engine: Engine, extractor: Extractor | PureExtractor, related: Related) -> None:
        self._engine, self.extractor, self._related = engine, extractor, related
        self.lease_seconds = engine.settings.lease_seconds
        self._waiting: tuple[int, _Turns] = (os.getpid(), _Turns())

    @property
    def _turns(self) -> _Turns:
        if self._waiting[0] != os.getpid():  # the child of a fork: those who waited are threads of the parent
            self._waiting = (os.getpid(), _Turns())
        return self._waiting[1]

    @property
    def _store(self) -> Store:
        return self._engine.store

    async def finish(self, owner: Owner, appended: Appended, token: str) -> Outcome:
        """Do the job of an `add`, after the owner's earlier ones.

        Args:
            owner: Whose job it is.
            appended: What `append` answered.
            token: The lease's, as `append` was given it.

        Raises:
            ProcessingFailed: The job, or one before it, failed; both stay queued.
        """
        try:
            if appended.leased and (work := await self._store.load(appended.job_id or '')) is not None:
                return await self._run_for(work, appended, token)
            await self._turns.enter(owner)
            try:
                return await self._take_turn(owner, appended, token)
            finally:
                self._turns.leave(owner)
        except ProcessingFailed:
            raise
        except BaseException:  # cancelled: whoever comes next shall not wait for the lease to run out
            self._store.abandon(token)
            raise

    async def _take_turn(self, owner: Owner, appended: Appended, token: str) -> Outcome:
        job_id = appended.job_id or ''
        while True:
            work = await self._store.claim(owner, worker=token, lease_seconds=self.lease_seconds)
            if work is not None:
                outcome = await self._run_for(work, appended, token)
                if work.job.id == job_id:
                    return outcome
                continue
            mine = await self._store.load(job_id)
            if mine is None:  # its messages were erased meanwhile
                return Outcome((), {'erased': len(appended.episode_ids)})
            if mine.job.state == 'done':
                return Outcome(await self._store.edits_of(job_id), {})
            if mine.job.state == 'dead':
                raise ProcessingFailed(f'job {job_id} was given up: {mine.job.last_error}', appended)
            await self._turns.progress(owner, POLL_SECONDS)

    async def run_next(self, owner: Owner) -> Outcome | None:
        """Do the owner's earliest job; None when there is none to do now."""
        token = new_token()
        work = await self._store.claim(owner, worker=token, lease_seconds=self.lease_seconds)
        return None if work is None else await self._run(work, token)

    async def _run_for(self, work: Work, appended: Appended, token: str) -> Outcome:
        try:
            return await self._run(work, token)
        except LeaseLost:
            return Outcome((), {'taken over': 1})
        except Exception as error:
            raise ProcessingFailed(
                f'the messages are stored, but job {work.job.id} failed ({_told(error)}): '
                'it stays queued and is tried again with the next add of this scope',
                appended,
            ) from error

    async def _run(self, work: Work, token: str) -> Outcome:
        try:
            return await self._process(work, token)
        except LeaseLost:
            raise
        except (ConfigurationError, StoreError):
            self._store.abandon(token)  # nothing is wrong with the job: this doesn't count as a try
            raise
        except Exception as error:
            dead = work.job.attempts >= MAX_ATTEMPTS
            await self._store.fail(
                work.job,
                worker=token,
                error=_told(error),
                retry_after=None if dead else 0.0,
            )
            log.warning('job %s failed on attempt %d (%s)', work.job.id, work.job.attempts, type(error).__name__)
            raise
        finally:
            self._turns.advance(work.owner)

    async def _process(self, work: Work, token: str) -> Outcome:
        engine, payload = self._engine, work.job.payload
        vectors = await engine.embed([text for _, text in work.segments])
        extraction = await self._extract(work)
        # What a caller gives as it is may be as long as a message.
        longest = MAX_FACT_CHARS if payload.get('infer', True) else engine.settings.max_text_chars
        candidates, dropped = await engine.compute(
            lambda: guard(extraction.proposals, work.episodes, max_chars=longest)
        )
        skipped = Counter(extraction.skipped) + Counter(dropped)
        generation = await engine.ensure_generation()
        texts = list({' '.join(c.proposal.text.split()) for c in candidates if c.proposal.text})
        facts = dict(zip(texts, await engine.embed(texts), strict=True))
        for _ in range(MAX_CONFLICTS):
            decision, version, change = await self._decide(
                work, candidates, facts, generation.id if generation else None
            )
            commit = Commit(
                owner=work.owner,
                expect_version=version,
                change=change,
                writes=await engine.writes(decision.edits, facts),
                job=work.job,
                worker=token,
                segment_vectors=[(row, vector) for (row, _), vector in zip(work.segments, vectors, strict=True)],
                generation=generation.id if generation else None,
            )
            try:
                await self._store.commit(commit)
            except LeaseLost:
                raise
            except Conflict:
                continue  # somebody edited these memories meanwhile: decide again, the model isn't asked again
            return Outcome(decision.edits, skipped + Counter(decision.skipped))
        raise Conflict(f'job {work.job.id} met a concurrent change {MAX_CONFLICTS} times: try again')

    async def _decide(
        self,
        work: Work,
        candidates: Sequence[Candidate],
        facts: Mapping[str, FloatVector],
        generation: int | None,
    ) -> tuple[Decision, int | None, Change | None]:
        if not candidates:
            return Decision((), {}), None, None
        engine = self._engine
        actor = self.extractor.name if work.job.payload.get('infer', True) else 'caller'
        snapshot = await self._snapshot(work.owner, candidates, facts, generation)
        at, change_id = now(), new_id()
        decision = await engine.compute(
            lambda: consolidate(
                candidates, snapshot, owner=work.owner, actor=actor, change_id=change_id, at=at, terms=engine.terms
            )
        )
        if not decision.edits:
            return decision, None, None
        change = Change(id=change_id, edits=decision.edits, actor=actor, reason='extraction', job_id=work.job.id, at=at)
        return decision, snapshot.owner_version, change

    async def _snapshot(
        self,
        owner: Owner,
        candidates: Sequence[Candidate],
        vectors: Mapping[str, FloatVector],
        generation: int | None,
    ) -> Snapshot:
        """The memories that candidates may touch."""
        proposals = [c.proposal for c in candidates]
        return await self._store.snapshot(
            owner,
            hashes=list({fact_hash(' '.join(p.text.split()), s) for p in proposals if p.text for s in (None, p.slot)}),
            slots=list({p.slot for p in proposals if p.slot}),
            ids=list({p.target for p in proposals if p.target}),
            near=list(vectors.values()) if generation is not None else (),  # else they are of another embedder
            generation=generation,
        )

    async def _extract(self, work: Work) -> Extraction:
        options = work.job.payload
        if not options.get('infer', True):
            return Extraction(
                proposals=[_as_given(i, m, options) for i, m in enumerate(work.episodes) if m.role == 'user']
            )
        readable = await self._engine.compute(lambda: [m for m in work.episodes if worth_reading(m)])
        if not readable:
            return Extraction(skipped={'gate': len(work.episodes)} if work.episodes else {})
        reach = Reach(work.owner, () if work.scope.run_id is None else (work.scope.run_id,))
        existing = await self._related(reach, '\n'.join(m.text for m in readable))
        request = ExtractionRequest(messages=work.episodes, previous=work.previous, existing=existing)
        extractor = self.extractor
        if isinstance(extractor, PureExtractor):
            found = await self._engine.compute(lambda: extractor.propose(request))
        else:
            found = await self._engine.on_loop(lambda: extractor.extract(request))
        stamped = [_stamped(p, work, options) for p in found.proposals]
        return Extraction(proposals=stamped, skipped=found.skipped)


def _as_given(index: int, message: Episode, options: Mapping[str, Any]) -> Proposal:
    """A structured fact, stored as the caller gave it."""
    return Proposal(
        text=message.text,
        kind=options.get('kind') or 'knowledge',
        slot=options.get('slot'),
        level='run' if options.get('level') == 'run' else None,
        confidence=options.get('confidence', 1.0),
        importance=options.get('importance', 0.5),
        valid_from=_moment(options, 'valid_from'),
        valid_to=_moment(options, 'valid_to'),
        expires_at=_moment(options, 'expires_at'),
        evidence=(Quote(index, 0, len(message.text)),),
        tags=tuple(options.get('tags') or ()),
        metadata=message.metadata,
        pinned=bool(options.get('pinned')),
    )


def _stamped(proposal: Proposal, work: Work, options: Mapping[str, Any]) -> Proposal:
    """The caller's metadata, tags and expiry on what was drawn from the caller's messages."""
    first = proposal.evidence[0].message if proposal.evidence else -1
    source = work.episodes[first] if 0 <= first < len(work.episodes) else None  # a wrong number is for guard to drop
    return replace(
        proposal,
        metadata={**(source.metadata if source else {}), **proposal.metadata},
        tags=(*proposal.tags, *(t for t in options.get('tags') or () if t not in proposal.tags)),
        expires_at=proposal.expires_at or _moment(options, 'expires_at'),
        pinned=proposal.pinned or bool(options.get('pinned')),
    )


def _told(error: Exception) -> str:
    """An error in short: what an extractor raises may hold whole messages."""
    words = str(error)
    return f'{type(error).__name__}: {words[:200]}{"..." if len(words) > 200 else ""}'


def _moment(options: Mapping[str, Any], name: str) -> Any:
    value = options.get(name)
    return None if value is None else as_moment(value, name)


class _Turns:
    """Who waits for an owner's jobs in this process: first come, first served."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[Owner, deque[Future[None]]] = {}
        self._watching: dict[Owner, list[Future[None]]] = {}

    async def enter(self, owner: Owner) -> None:
        turn: Future[None] = Future()
        with self._lock:
            queue = self._queues.setdefault(owner, deque())
            queue.append(turn)
            if queue[0] is turn:
                turn.set_result(None)
        try:
            await wait_for(turn)
        except BaseException:
            self._withdraw(owner, turn)
            raise

    def _withdraw(self, owner: Owner, turn: Future[None]) -> None:
        with self._lock:
            queue = self._queues.get(owner)
            if queue is None or turn not in queue:
                return
            first = queue[0] is turn
            queue.remove(turn)
        if first:
            self._wake(owner)

    def leave(self, owner: Owner) -> None:
        with self._lock:
            self._queues[owner].popleft()
        self._wake(owner)

    def _wake(self, owner: Owner) -> None:
        with self._lock:
            queue = self._queues.get(owner)
            if not queue:
                self._queues.pop(owner, None)
                return
            turn = queue[0]
            # One that was cancelled is still on its way to withdraw, and wakes the next then.
            if not turn.done() and turn.set_running_or_notify_cancel():
                turn.set_result(None)

    def advance(self, owner: Owner) -> None:
        """A job of this owner ended in this process."""
        with self._lock:
            watches = self._watching.pop(owner, [])
        for watch in watches:
            if watch.set_running_or_notify_cancel():
                watch.set_result(None)

    async def progress(self, owner: Owner, seconds: float) -> None:
        """Wait until a job of this owner ends here, or so long that another process may have ended one."""
        watch: Future[None] = Future()  # of this waiter alone: when it is cancelled, nobody else's is
        with self._lock:
            self._watching.setdefault(owner, []).append(watch)
        timer = threading.Timer(seconds, self.advance, (owner,))
        timer.daemon = True
        timer.start()
        try:
            await wait_for(watch)
        finally:
            timer.cancel()
