"""What an `add` would do, worked out without writing anything, and done afterwards exactly so or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from memoranda.errors import Conflict, InvalidInput, InvalidScope, what_is
from memoranda.records import NO_USAGE, AddResult, Edit, Episode, Job, MemoryRecord, Usage, new_id, now
from memoranda.scope import Scope
from memoranda.stores.data import Batch, Foreseen, Work
from memoranda.stores.leases import new_token
from memoranda.write.intake import take_in

if TYPE_CHECKING:
    from memoranda.engine import Engine
    from memoranda.write.process import Drawn
    from memoranda.write.worker import Worker

__all__ = ['Plan', 'Preview', 'apply', 'preview']


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What `apply` needs to do what a preview showed."""

    engine: Engine
    batch: Batch
    drawn: Drawn
    version: int
    """The owner's, when it was looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an `add` would do. Its ids are provisional."""

    changes: tuple[Edit, ...] = ()
    known: int = 0
    """Messages that the conversation holds already."""
    skipped: Mapping[str, int] = field(default_factory=dict[str, int])
    """How many proposals would be dropped, by reason."""
    waiting: int = 0
    """Earlier messages of this owner still have so many jobs to be done: they may change the ground."""
    usage: Usage = NO_USAGE
    """What the model took to find this out."""
    plan: Plan | None = field(default=None, repr=False, compare=False)

    @property
    def memories(self) -> tuple[MemoryRecord, ...]:
        """The memories that would be believed because of it."""
        return tuple(e.after for e in self.changes if e.after.status == 'active')

    @property
    def pending(self) -> tuple[MemoryRecord, ...]:
        """What would wait until a person approves it."""
        return tuple(e.after for e in self.changes if e.after.status == 'pending')


async def preview(engine: Engine, worker: Worker, batch: Batch | None) -> Preview:
    """Draw and decide on the memories as they are now. Nothing is written, but a model is asked."""
    if batch is None:
        return Preview()
    seen = await engine.store.foresee(batch)
    if not seen.drafts:
        return Preview(known=seen.known, waiting=seen.waiting)
    work = _as_work(batch, seen)
    drawn = await worker.process.draw(work)
    generation = await engine.generation()
    decision, version, _ = await worker.process.decide(work, drawn, generation.id if generation else None)
    if version is not None and version != seen.owner_version:
        raise Conflict('these memories were changed while the preview was made: preview again')
    plan = Plan(
        engine=engine, batch=replace(batch, drafts=seen.drafts, history=False), drawn=drawn, version=seen.owner_version
    )
    return Preview(
        changes=decision.edits,
        known=seen.known,
        skipped=Counter(drawn.skipped) + Counter(decision.skipped),
        waiting=seen.waiting,
        usage=drawn.usage,
        plan=plan,
    )


async def apply(
    engine: Engine,
    worker: Worker,
    shown: object,
    *,
    project: str,
    bound: Scope | None,
    by: str | None,
) -> AddResult:
    """Do what a preview showed; the model isn't asked again.

    Raises:
        Conflict: Something of this owner was written since. Nothing was stored.
    """
    if not isinstance(shown, Preview):
        raise InvalidInput(f'preview is {what_is(shown)}: pass what preview() returned')
    plan = shown.plan
    if plan is None:
        return AddResult(job_id=None, episode_ids=(), known=shown.known)
    if plan.engine is not engine:
        raise InvalidInput('this preview was made by another memory: apply it with the one that made it')
    if plan.batch.owner.project != project or (bound is not None and bound != plan.batch.scope):
        raise InvalidScope('this preview was made in another project or scope: apply it where it was made')
    given = not plan.batch.job.get('infer', True)
    job = {**plan.batch.job, 'by': by} if given and by is not None else plan.batch.job
    batch = replace(plan.batch, job=job, worker=new_token(), expect_version=plan.version)
    result = await take_in(engine, worker, batch, drawn=plan.drawn)
    same = [_content(e) for e in result.changes] == [_content(e) for e in shown.changes]
    return replace(result, known=shown.known, as_previewed=same)


def _as_work(batch: Batch, seen: Foreseen) -> Work:
    at = now()
    job = Job(
        id='',
        project=batch.owner.project,
        kind='extract',
        payload=batch.job,
        state='running',
        attempts=1,
        run_after=at,
        lease_until=None,
        last_error=None,
    )
    episodes = [
        Episode(
            id=new_id(),
            project=batch.owner.project,
            scope=replace(batch.scope, user_id=batch.owner.key if batch.owner.kind == 'user' else None),
            conversation_id=batch.conversation_id,
            seq=seen.first_seq + number,
            role=draft.role,
            name=draft.name,
            text=draft.text,
            occurred_at=draft.occurred_at,
            recorded_at=at,
            trust=draft.trust,
            metadata=draft.metadata,
            content_hash=draft.content_hash,
        )
        for number, draft in enumerate(seen.drafts)
    ]
    return Work(job=job, owner=batch.owner, scope=batch.scope, episodes=episodes, segments=(), previous=seen.previous)


def _content(edit: Edit) -> tuple[Any, ...]:
    """What an edit does, without its ids and moments of recording."""
    m = edit.after
    kept = None if edit.before is None else edit.before.id
    ends = (m.valid_from, m.valid_to, m.expires_at, m.said_at)
    return (edit.op, kept, m.text, m.kind, m.slot, m.value, m.status, m.level, m.scope, m.trust, m.confidence, *ends)
