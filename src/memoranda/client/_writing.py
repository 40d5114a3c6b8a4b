"""Remembering, correcting, forgetting, and the jobs behind it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

from memoranda._degraded import PROBE_SECONDS, can_not_write
from memoranda.checks import KEEP, Keep, check_count, check_flag
from memoranda.client._asking import (
    filters_told,
    given,
    header_key,
    ids_told,
    json_of,
    listed,
    moment,
    said,
)
from memoranda.client._base import BaseClient, quoted
from memoranda.client._http import Ask
from memoranda.client._reading import Moments
from memoranda.errors import InvalidInput, ProcessingFailed
from memoranda.records import AddResult, Change, Job, JobPage, JobStatus, MemoryRecord

if TYPE_CHECKING:
    from memoranda.consent.forgetting import ErasureReceipt
    from memoranda.filters import Filter
    from memoranda.records import Trust
    from memoranda.scope import Scope
    from memoranda.stores.data import ErasureResult
    from memoranda.write.preview import Preview

__all__ = ['Writing']

_OPEN: Final[tuple[JobStatus, ...]] = ('queued', 'running', 'retrying')
_NOTHING: Final = AddResult(job_id=None, episode_ids=())


class Writing(BaseClient):
    """What writes."""

    async def add(
        self,
        messages: object,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        infer: bool = True,
        kind: str | None = None,
        slot: str | None = None,
        value: str | None = None,
        level: Literal['user', 'run'] | None = None,
        tags: Sequence[str] = (),
        confidence: float | None = None,
        importance: float | None = None,
        pinned: bool = False,
        occurred_at: Moments = None,
        valid_from: Moments = None,
        valid_to: Moments = None,
        expires_at: Moments = None,
        instructions: str | None = None,
        background: bool = False,
        idempotency_key: str | None = None,
        batch_turns: int | None = None,
        trust: Trust | None = None,
        supersedes: str | None = None,
        corrects: str | None = None,
    ) -> AddResult:
        """See `AsyncMemory.add`.

        Every add carries an idempotency key, so that it is sent again when the connection breaks off and is done once.
        With `background=True` and `errors='degrade'` it is kept in this process while the server can't be reached.
        """
        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        words = said(messages, trust)
        if words is None:
            return _NOTHING
        body = {
            **ids_told(scope),
            'messages': words,
            'infer': infer,
            'pinned': pinned,
            **given(
                metadata=None if metadata is None else dict(metadata),
                kind=kind,
                slot=slot,
                value=value,
                level=level,
                tags=listed(tags) or None,
                confidence=confidence,
                importance=importance,
                occurred_at=moment('occurred_at', occurred_at),
                valid_from=moment('valid_from', valid_from),
                valid_to=moment('valid_to', valid_to),
                expires_at=moment('expires_at', expires_at),
                instructions=instructions,
                batch_turns=batch_turns,
                trust=trust,
                supersedes=supersedes,
                corrects=corrects,
            ),
        }
        headers = {'Idempotency-Key': header_key(idempotency_key) or uuid.uuid4().hex}
        if check_flag('background', background):
            headers['Prefer'] = 'respond-async'
        ask = Ask('POST', '/v1/memories', body=json_of(body), headers=headers, again=True)
        if background and self._shared.errors == 'degrade':
            return await self._queued(ask, scope)
        return await self._added(ask, scope, background=background)

    async def _added(self, ask: Ask, scope: Scope | None, *, background: bool) -> AddResult:
        from memoranda.client._receipts import added

        result = added(self._shared, scope, await self._send(ask))
        if not background and (result.status in ('retrying', 'dead') or result.error is not None):
            raise ProcessingFailed(
                f'the messages are stored, and drawing facts from them failed ({result.error or result.status}): it is '
                'tried again on the server, and `error.receipt.wait()` tells what became of it',
                result,
            )
        return result

    async def _queued(self, ask: Ask, scope: Scope | None) -> AddResult:
        """The receipt; or the messages are kept until the server has them."""
        from memoranda.client._receipts import Waiting, added

        shared = self._shared
        part = shared.part
        if len(shared.spool) or part.breaker.enter() > 0:
            part.notice.fails(part.breaker.cause or 'StoreUnreachable')
            kept = shared.spool.keep(ask, part.breaker.cause or 'StoreUnreachable')
            return Waiting(shared, scope, kept).receipt()
        seconds = min(self._patience, PROBE_SECONDS) if part.breaker.open else self._patience
        answer = await self._tried(shared.loop.start(lambda: shared.wire.send(ask)), seconds, can_not_write)
        if isinstance(answer, str):  # it may have been done already: its key keeps it from being done twice
            return Waiting(shared, scope, shared.spool.keep(ask, answer)).receipt()
        return added(shared, scope, answer[0])

    async def preview(
        self,
        messages: object,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        infer: bool = True,
        kind: str | None = None,
        slot: str | None = None,
        occurred_at: Moments = None,
        valid_from: Moments = None,
        valid_to: Moments = None,
        expires_at: Moments = None,
        instructions: str | None = None,
        trust: Trust | None = None,
    ) -> Preview:
        """See `AsyncMemory.preview`. It can be looked at; `apply` is not offered over HTTP."""
        from memoranda.client._records import kinds_of, record
        from memoranda.server.native import models
        from memoranda.write.preview import Preview

        kinds_of({models.Preview: Preview})
        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        words = said(messages, trust)
        if words is None:
            return Preview()
        return record(
            await self._post(
                models.Preview,
                '/v1/preview',
                scope,
                again=True,
                messages=words,
                metadata=None if metadata is None else dict(metadata),
                infer=infer,
                kind=kind,
                slot=slot,
                occurred_at=moment('occurred_at', occurred_at),
                valid_from=moment('valid_from', valid_from),
                valid_to=moment('valid_to', valid_to),
                expires_at=moment('expires_at', expires_at),
                instructions=instructions,
                trust=trust,
            )
        )

    async def update(
        self,
        memory_id: str,
        *,
        text: str | None = None,
        kind: str | None = None,
        slot: str | Keep | None = KEEP,
        value: str | Keep | None = KEEP,
        metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
        importance: float | None = None,
        pinned: bool | None = None,
        locked: bool | None = None,
        expires_at: Moments | Keep = KEEP,
        said_at: Moments = None,
        if_version: int | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> MemoryRecord:
        """See `AsyncMemory.update`."""
        from memoranda.client._records import record
        from memoranda.server.native import models

        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        body = fields_told(text, kind, slot, value, metadata, tags, importance, pinned, expires_at)
        body |= given(locked=locked, said_at=moment('said_at', said_at))
        ask = Ask(
            'PATCH',
            f'/v1/memories/{quoted("memory_id", memory_id)}',
            params=self._asking('PATCH', '', scope).params,
            body=json_of(body),
            headers={'If-Match': _tag(if_version) or '*'},
            again=if_version is None,
        )
        return record(await self._told(models.Memory, ask))

    async def delete(
        self,
        memory_id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        linked: bool = False,
        if_version: int | None = None,
    ) -> int:
        """See `AsyncMemory.delete`. With `linked` the server doesn't tell how many went with it: the answer is 1."""
        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        path = f'/v1/memories/{quoted("memory_id", memory_id)}'
        ask = self._asking('DELETE', path, scope, again=False, linked=check_flag('linked', linked) or None)
        tag = _tag(if_version)
        await self._send(ask if tag is None else replace(ask, headers={'If-Match': tag}))
        return 1

    async def delete_all(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> ErasureResult:
        """See `AsyncMemory.delete_all`. Needs a key with the role admin."""
        from memoranda.client._records import record
        from memoranda.server.native import models

        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        return record(await self._told(models.Erased, self._asking('DELETE', '/v1/memories', scope, again=False)))

    async def forget(
        self,
        memory_id: str | None = None,
        *,
        episode_id: str | None = None,
        filters: Mapping[str, Any] | Filter | None = None,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> ErasureReceipt:
        """See `AsyncMemory.forget`. Needs an admin's key; a whole project is forgotten where it is stored."""
        from memoranda.consent.forgetting import ErasureReceipt, check_one

        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        check_one(memory_id=memory_id, episode_id=episode_id, filters=filters, whole_project=None)
        if scope is None and memory_id is None and episode_id is None and filters is None:
            raise InvalidInput('forget() was told nobody and nothing: pass user_id=..., or what is to be forgotten')
        body = {
            **ids_told(scope),
            **given(memory_id=memory_id, episode_id=episode_id, filters=filters_told(filters)),
        }
        named = (user_id, agent_id, run_id, app_id, session_id)
        if self._wide and user_id is None and any(one is not None for one in named):
            body['everywhere'] = True
        answer = await self._send(Ask('POST', '/v1/erasures', body=json_of(body)))
        return ErasureReceipt.from_json(answer.body)

    async def revert(
        self,
        change_id: str,
        *,
        cascade: bool = False,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> Change:
        """See `AsyncMemory.revert`. Needs a key with the role reviewer."""
        from memoranda.client._records import record
        from memoranda.server.native import models

        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        path = f'/v1/changes/{quoted("change_id", change_id)}/revert'
        return record(await self._post(models.Change, path, scope, cascade=cascade))

    async def flush(self, timeout: float | None = 30.0) -> int:
        """Wait until what was added in the background is done: what waits here, and the jobs of this view.

        Of a view that is bound to a scope those of that scope, else all that the key may see.

        Args:
            timeout: Seconds; None waits as long as it takes.

        Returns:
            How many jobs are still not done then, 1,000 at most.
        """
        from memoranda.client._receipts import Following, Waiting

        until = None if timeout is None else time.monotonic() + timeout
        shared = self._shared
        while waiting := shared.spool.last():
            try:
                await Waiting(shared, None, waiting).stored(_left(until))
            except TimeoutError:
                return len(shared.spool)
        while True:
            view = self if self._bound is not None else self.project_wide()
            jobs = (await view.jobs(states=_OPEN, limit=1000)).items
            if not jobs or (until is not None and time.monotonic() >= until):
                return len(jobs)
            receipt = AddResult(job_id=jobs[-1].id, episode_ids=(), status='queued')  # the oldest
            try:
                await Following(shared, self._bound, receipt)(_left(until))
            except TimeoutError:
                continue

    async def jobs(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        states: Sequence[JobStatus] | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> JobPage:
        """See `AsyncMemory.jobs`. A job's `payload` is not told."""
        from memoranda.client._records import page
        from memoranda.server.native import models

        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        return page(
            await self._get(models.JobPage, '/v1/jobs', scope, states=listed(states), limit=limit, cursor=cursor)
        )

    async def job(
        self,
        job_id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> Job:
        """See `AsyncMemory.job`."""
        from memoranda.client._records import record
        from memoranda.server.native import models

        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        return record(await self._get(models.JobDetail, f'/v1/jobs/{quoted("job_id", job_id)}', scope))

    async def receipt(
        self,
        job_id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> AddResult:
        """See `AsyncMemory.receipt`."""
        from memoranda.client._receipts import Following, outcome_of
        from memoranda.server.native import models

        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        job = await self._get(models.JobDetail, f'/v1/jobs/{quoted("job_id", job_id)}', scope)
        result = outcome_of(AddResult(job_id=job.id, episode_ids=()), job)
        if result.status in ('done', 'dead', 'dropped'):
            return result
        return replace(result, follower=Following(self._shared, scope, result))

    async def retry_job(
        self,
        job_id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> Job:
        """See `AsyncMemory.retry_job`."""
        return await self._job('retry', job_id, self._id_scope(user_id, agent_id, run_id, app_id, session_id))

    async def drop_job(
        self,
        job_id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> Job:
        """See `AsyncMemory.drop_job`."""
        return await self._job('drop', job_id, self._id_scope(user_id, agent_id, run_id, app_id, session_id))

    async def _job(self, what: str, job_id: str, scope: Scope | None) -> Job:
        from memoranda.client._records import record
        from memoranda.server.native import models

        ask = self._asking('POST', f'/v1/jobs/{quoted("job_id", job_id)}/{what}', scope, again=False)
        return record(await self._told(models.Job, ask))


def fields_told(
    text: str | None,
    kind: str | None,
    slot: str | Keep | None,
    value: str | Keep | None,
    metadata: Mapping[str, Any] | None,
    tags: Sequence[str] | None,
    importance: float | None,
    pinned: bool | None,
    expires_at: Moments | Keep,
) -> dict[str, Any]:
    """What is to change of a memory: what is left out stays, null clears."""
    fields = given(
        text=text,
        kind=kind,
        metadata=None if metadata is None else dict(metadata),
        tags=listed(tags),
        importance=importance,
        pinned=pinned,
    )
    cleared = {'slot': slot, 'value': value, 'expires_at': expires_at}
    kept = {name: one for name, one in cleared.items() if not isinstance(one, Keep)}
    if 'expires_at' in kept:
        kept['expires_at'] = moment('expires_at', expires_at)
    return {**fields, **kept}


def _tag(version: object) -> str | None:
    return None if version is None else f'"{check_count("if_version", version, 1, 1 << 62)}"'


def _left(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - time.monotonic())
