"""The review queue of a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

from memoranda.checks import KEEP, Keep
from memoranda.client._asking import given, json_of, listed
from memoranda.client._base import quoted
from memoranda.client._http import Ask
from memoranda.client._problems import told_error
from memoranda.client._reading import Moments
from memoranda.client._records import kinds_of, record
from memoranda.client._writing import fields_told
from memoranda.consent.items import (
    ReviewEvidence,
    ReviewItem,
    ReviewPage,
    ReviewResult,
    checked_reasons,
    scope_ids,
)
from memoranda.consent.items import listed as ids_listed
from memoranda.errors import InvalidInput
from memoranda.server.native import models

if TYPE_CHECKING:
    from memoranda.client._base import BaseClient
    from memoranda.consent.review import Many
    from memoranda.scope import Scope

__all__ = ['RemoteReviewQueue']

kinds_of({models.ReviewItem: ReviewItem, models.ReviewEvidence: ReviewEvidence})


class RemoteReviewQueue:
    """What waits for a person, within the reach of a client. Got as `client.review`; see `ReviewQueue`."""

    def __init__(self, client: BaseClient) -> None:
        self._client: Any = client

    async def list(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        reasons: Sequence[str] | None = None,
        limit: int = 20,
        cursor: str | None = None,
        details: bool = True,
    ) -> ReviewPage:
        """See `ReviewQueue.list`."""
        scope = self._client._id_scope(user_id, agent_id, run_id, app_id, session_id)
        checked = checked_reasons(reasons)
        told = await self._client._get(
            models.ReviewPage,
            '/v1/review',
            scope,
            reasons=listed(checked),
            limit=limit,
            cursor=cursor,
            details=details,
        )
        return ReviewPage(items=tuple(record(one) for one in told.items), cursor=told.next_cursor)

    async def get(
        self,
        item_id: str,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> ReviewItem:
        """See `ReviewQueue.get`."""
        scope = self._client._id_scope(user_id, agent_id, run_id, app_id, session_id)
        return record(await self._client._get(models.ReviewItem, f'/v1/review/{quoted("item_id", item_id)}', scope))

    @overload
    async def approve(self, item_ids: str, **ids: str | None) -> ReviewResult: ...
    @overload
    async def approve(self, item_ids: Many, **ids: str | None) -> tuple[ReviewResult, ...]: ...
    async def approve(self, item_ids: str | Many, **ids: str | None) -> ReviewResult | tuple[ReviewResult, ...]:
        """See `ReviewQueue.approve`."""
        return await self._decide('approve', item_ids, ids)

    @overload
    async def reject(self, item_ids: str, **ids: str | None) -> ReviewResult: ...
    @overload
    async def reject(self, item_ids: Many, **ids: str | None) -> tuple[ReviewResult, ...]: ...
    async def reject(self, item_ids: str | Many, **ids: str | None) -> ReviewResult | tuple[ReviewResult, ...]:
        """See `ReviewQueue.reject`."""
        return await self._decide('reject', item_ids, ids)

    async def edit(
        self,
        item_id: str,
        *,
        text: str | None = None,
        kind: str | None = None,
        slot: str | Keep | None = KEEP,
        value: str | Keep | None = KEEP,
        metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
        importance: float | None = None,
        pinned: bool | None = None,
        expires_at: Moments | Keep = KEEP,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> ReviewResult:
        """See `ReviewQueue.edit`."""
        body = fields_told(text, kind, slot, value, metadata, tags, importance, pinned, expires_at)
        if not body:
            raise InvalidInput('edit() was given nothing to change: pass text=..., or approve() it as it is')
        scope = self._client._id_scope(user_id, agent_id, run_id, app_id, session_id)
        return await self._done(f'/{quoted("item_id", item_id)}/edit', scope, json_of(body))

    async def _decide(
        self, what: Literal['approve', 'reject'], item_ids: str | Many, ids: Mapping[str, str | None]
    ) -> ReviewResult | tuple[ReviewResult, ...]:
        scope = self._client._id_scope(*scope_ids(ids))
        if isinstance(item_ids, str):
            return await self._done(f'/{quoted("item_id", item_ids)}/{what}', scope, None)
        several = ids_listed(item_ids)
        if not several:
            return ()
        ask = Ask(
            'POST',
            '/v1/review',
            params=self._client._asking('POST', '', scope).params,
            body=json_of({'decision': what, 'ids': several}),
        )
        told = await self._client._told(models.ReviewResults, ask)
        return tuple(_result(one) for one in told.items)

    async def _done(self, path: str, scope: Scope | None, body: bytes | None) -> ReviewResult:
        params = self._client._asking('POST', '', scope).params
        ask = Ask('POST', f'/v1/review{path}', params=params, body=body)
        return _result(await self._client._told(models.ReviewResult, ask))


def _result(told: models.ReviewResult) -> ReviewResult:
    return ReviewResult(
        id=told.id,
        outcome=told.outcome,
        **given(
            change=None if told.change is None else record(told.change),
            memory=None if told.memory is None else record(told.memory),
            error=None if told.error is None else told_error(told.error.model_dump()),
        ),
        notes=tuple(told.notes),
    )
