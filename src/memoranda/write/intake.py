"""From what `add` was given to a committed batch and its outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from memoranda._precedence import first
from memoranda._telemetry import current_traceparent
from memoranda.checks import check_text
from memoranda.errors import InvalidInput
from memoranda.records import AddResult, Trust, content_hash, new_id
from memoranda.scope import Scope
from memoranda.stores.data import Batch, Draft, Quiet, SegmentDraft
from memoranda.stores.leases import new_token
from memoranda.write.detect import is_quick, redact
from memoranda.write.messages import Message, normalise, said_at, segments
from memoranda.write.options import check_metadata, without_secrets
from memoranda.write.receipts import Waiting, outcome_of, receipt_of, skipped_by
from memoranda.write.spool import Kept

if TYPE_CHECKING:
    from memoranda.engine import Engine
    from memoranda.write.background import Background
    from memoranda.write.process import Drawn
    from memoranda.write.worker import Worker

__all__ = ['batch_of', 'queue_up', 'take_in']

BRIEF_CHARS: Final = 2_000


async def batch_of(
    engine: Engine,
    messages: object,
    *,
    project: str,
    scope: Scope,
    options: Mapping[str, Any],
    metadata: object,
    occurred_at: datetime | None,
    idempotency_key: str | None = None,
    background: bool = False,
    trust: Trust | None = None,
    batch_turns: int | None = None,
) -> Batch | None:
    """What an `add` brings, checked, redacted and ready to be stored; None when it is nothing."""
    if idempotency_key is not None:
        check_text('idempotency_key', idempotency_key, 256)
    level = options.get('level')
    if level is not None and level != scope.home_level and (scope.user_id is None or scope.run_id is None):
        raise InvalidInput(f'level={level!r} needs a {level}_id, and none was given: pass it, or leave level out')
    with first():
        if background and _is_brief(messages, metadata) and engine.has_drafted and is_quick(engine.policy):
            # Quicker than to hand it to another thread, which has to wait for its turn first.
            drafts, history = _drafts(engine, messages, metadata, occurred_at, trust)
        else:
            drafts, history = await engine.compute(
                lambda: _drafts(engine, messages, metadata, occurred_at, trust), awaited=background
            )
            engine.has_drafted = True
    if not drafts:
        return None
    return Batch(
        owner=scope.home(project),
        scope=scope,
        conversation_id=scope.run_id or f'add:{new_id()}',
        drafts=drafts,
        history=history,
        job=without_secrets(options, engine.policy),
        trace=current_traceparent(),
        idempotency_key=idempotency_key,
        worker=new_token(),
        lease_seconds=engine.settings.lease_seconds,
        lease=not background,
        quiet=_quiet(engine, scope, options, batch_turns) if background else None,
    )


def _quiet(engine: Engine, scope: Scope, options: Mapping[str, Any], turns: int | None) -> Quiet:
    # Without a run no further turn can come, and given facts are not read together: they'd wait for nothing.
    grows = scope.run_id is not None and options.get('infer', True)
    return Quiet((turns or engine.settings.batch_turns) if grows else 1, engine.settings.batch_seconds)


async def queue_up(engine: Engine, worker: Worker, background: Background, batch: Batch | None) -> AddResult:
    """Store messages durably, or keep them until that works, and leave to a worker what there is to do with them."""
    if batch is None:
        return AddResult(job_id=None, episode_ids=())
    with first():
        saved = await background.spool.save(batch)
    if isinstance(saved, Kept):
        return Waiting(engine, worker, background, saved).receipt()
    return await receipt_of(engine, worker, background, batch.owner, saved)


async def take_in(engine: Engine, worker: Worker, batch: Batch | None, *, drawn: Drawn | None = None) -> AddResult:
    """Store messages durably, then do what there is to do with them.

    Args:
        engine: Where to.
        worker: Does the job.
        batch: The messages.
        drawn: What they say, when that is known already.
    """
    if batch is None:
        return AddResult(job_id=None, episode_ids=())
    try:
        appended = await engine.store.append(batch)
    except BaseException:  # cancelled while it is written: the job must not stay leased to nobody
        engine.store.abandon(batch.worker)
        raise
    ids = tuple(appended.episode_ids)
    if appended.job_id is None:
        return AddResult(
            job_id=None,
            episode_ids=ids,
            known=appended.known,
            replayed=appended.replayed,
            skipped=skipped_by(appended),
        )
    outcome = await worker.finish(batch.owner, appended, batch.worker, drawn=drawn)
    result = AddResult(
        job_id=appended.job_id,
        episode_ids=ids,
        changes=tuple(outcome.edits),
        known=appended.known,
        replayed=appended.replayed,
        skipped={**outcome.skipped, **skipped_by(appended)},
        usage=outcome.usage,
        # Erased, or taken out of the queue, while it waited for earlier ones.
        status='dropped' if {'erased', 'dropped'} & outcome.skipped.keys() else 'done',
    )
    if 'taken over' in outcome.skipped:  # by another worker, or it was dropped or erased
        result = await outcome_of(engine, result, project=batch.owner.project)
    return result


def _is_brief(messages: object, metadata: object) -> bool:
    """Whether reading messages takes well under a millisecond."""
    if metadata is not None:
        return False
    if isinstance(messages, str):
        return len(messages) <= BRIEF_CHARS
    # As an agent's turn comes in. Whatever else there may be in it is read by another thread.
    if (
        not isinstance(messages, list)
        or len(said := cast('list[object]', messages)) != 1
        or not isinstance(said[0], dict)
    ):
        return False
    text = cast('dict[str, object]', said[0]).get('content')
    return isinstance(text, str) and len(text) <= BRIEF_CHARS


def _drafts(
    engine: Engine, messages: object, metadata: object, occurred_at: datetime | None, trust: Trust | None = None
) -> tuple[list[Draft], bool]:
    found, history = normalise(messages, max_chars=engine.settings.max_text_chars, trust=trust)
    common = check_metadata(metadata, policy=engine.policy)
    moments = _moments(found, occurred_at)
    return [_draft(engine, m, at, common) for m, at in zip(found, moments, strict=True)], history


def _moments(messages: Sequence[Message], occurred_at: datetime | None) -> list[datetime]:
    """When each was said: one without a moment of its own when the one before it was, or else the one after."""
    known = [said_at(m, None) if m.at is not None else None for m in messages]
    moment = next((at for at in known if at is not None), None)
    moments: list[datetime] = []
    for message, at in zip(messages, known, strict=True):
        moment = at if at is not None else occurred_at or moment
        moments.append(said_at(message, moment))
    return moments


def _draft(engine: Engine, message: Message, at: datetime, common: Mapping[str, Any]) -> Draft:
    policy = engine.policy
    name = redact(message.name, policy)[0] if message.name else None
    message = replace(message, text=redact(message.text, policy)[0], name=name)
    stamp = (at.isoformat(),) if message.at is not None else ()
    return Draft(
        role=message.role,
        text=message.text,
        name=message.name,
        occurred_at=at,
        dated=message.at is not None,
        trust=message.trust,
        metadata={**common, **check_metadata(message.metadata, policy=policy)},
        content_hash=content_hash(message.role, message.name or '', message.text, *stamp),
        segments=[
            SegmentDraft(start=start, end=end, terms=engine.terms(message.text[start:end]))
            for start, end in segments(message.text)
        ],
    )
