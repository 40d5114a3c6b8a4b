"""Audit, exports, erasures, maintenance and figures: for keys with the role admin."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from memoranda._bridge import wait_for
from memoranda.checks import check_flag
from memoranda.client._asking import days, filters_told, given, ids_told, json_of, listed
from memoranda.client._base import BaseClient, on_a_thread, quoted
from memoranda.client._http import Ask
from memoranda.errors import InvalidInput, InvalidScope, shown

if TYPE_CHECKING:
    from memoranda.client._exported import Export
    from memoranda.client.review import RemoteReviewQueue
    from memoranda.consent.audit import AuditPage, Checkpoint, ReadPage, Verification
    from memoranda.consent.forgetting import ErasureReceipt, ErasureReport
    from memoranda.filters import Filter
    from memoranda.stores.data import Stats
    from memoranda.stores.portable import Holdings
    from memoranda.subject import Document, ImportReport
    from memoranda.write.cleaning import CleanResult
    from memoranda.write.retention import RetentionResult

__all__ = ['Upkeep']

_EXPORT_SECONDS = 600.0
_MOST_EXPORTED = 4 * 1024**3


class Upkeep(BaseClient):
    """What is for whoever runs the project."""

    @property
    def review(self) -> RemoteReviewQueue:
        """What waits for a person: list it, approve, edit or reject it. Needs a key with the role reviewer."""
        from memoranda.client.review import RemoteReviewQueue

        return RemoteReviewQueue(self)

    async def verify(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        anchor: Checkpoint | str | bytes | Mapping[str, Any] | None = None,
    ) -> Verification:
        """See `AsyncMemory.verify`."""
        from memoranda.client._audit import verification
        from memoranda.consent.checkpoint import Checkpoint
        from memoranda.server.native import models

        held = anchor if anchor is None or isinstance(anchor, Checkpoint) else Checkpoint.parse(anchor)
        told = await self._post(
            models.Verification,
            '/v1/audit/verify',
            self._id_scope(user_id, agent_id, run_id, app_id, session_id),
            again=True,
            anchor=None if held is None else json.loads(str(held)),
        )
        return verification(told)

    async def checkpoint(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> Checkpoint:
        """See `AsyncMemory.checkpoint`."""
        from memoranda.consent.checkpoint import Checkpoint

        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        return Checkpoint.parse((await self._send(self._asking('GET', '/v1/audit/checkpoint', scope))).body)

    async def audit_log(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        words: bool = True,
        limit: int = 1000,
        cursor: str | None = None,
    ) -> AuditPage:
        """See `AsyncMemory.audit_log`; a page has at most 1,000 entries."""
        from memoranda.client._audit import audit_page
        from memoranda.server.native import models

        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        words = check_flag('words', words)
        return audit_page(
            await self._get(models.AuditPage, '/v1/audit', scope, words=words, limit=limit, cursor=cursor)
        )

    async def reads(
        self,
        memory_id: str | None = None,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> ReadPage:
        """See `AsyncMemory.reads`."""
        from memoranda.client._audit import read_page
        from memoranda.server.native import models

        scope = self._id_scope(user_id, agent_id, run_id, app_id, session_id)
        params = {'memory_id': memory_id, 'limit': limit, 'cursor': cursor}
        return read_page(await self._get(models.ReadPage, '/v1/audit/reads', scope, **params))

    async def verify_erasure(self, receipt: ErasureReceipt) -> ErasureReport:
        """See `AsyncMemory.verify_erasure`. Erased words are looked for where the storage is (`memoranda verify`)."""
        from memoranda.client._audit import erasure_report
        from memoranda.server.native import models

        told = json.loads(receipt.to_json())
        return erasure_report(
            await self._post(models.ErasureReport, '/v1/erasures/verify', None, again=True, receipt=told)
        )

    async def holdings(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> Holdings:
        """See `AsyncMemory.holdings`. Of a user only."""
        from memoranda.server.native import models
        from memoranda.stores.portable import Holdings

        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        ids = ids_told(scope)
        if set(ids) != {'user_id'}:
            raise InvalidScope(
                f'{", ".join(ids)} was given, and a server counts what is held on a user: pass user_id only'
            )
        told = await self._get(models.Holdings, f'/v1/subjects/{quoted("user_id", scope.user_id)}', None)
        return Holdings(counts=dict(told.counts), forgotten_at=told.forgotten_at)

    async def export(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> Export:
        """See `AsyncMemory.export`. The document comes whole into memory: up to 4 GiB, in 10 minutes."""
        from memoranda.client._exported import Export

        scope = self._scope(user_id, agent_id, run_id, app_id, session_id)
        params = self._asking('GET', '', scope).params
        ask = Ask('GET', '/v1/export', params=params, again=True, seconds=_EXPORT_SECONDS, most=_MOST_EXPORTED)
        return Export((await self._send(ask)).body)

    async def import_subject(self, document: Document, *, restore: bool = False, dry_run: bool = False) -> ImportReport:
        """See `AsyncMemory.import_subject`. A server takes a document as large as its limit of bodies."""
        from memoranda.client._audit import import_report
        from memoranda.server.native import models

        params = {'restore': check_flag('restore', restore), 'dry_run': check_flag('dry_run', dry_run)}
        body = await _document(document)
        ask = Ask(
            'POST',
            '/v1/import',
            params=self._asking('POST', '', None, **params).params,
            body=body,
            seconds=_EXPORT_SECONDS,
        )
        return import_report(await self._told(models.ImportReport, ask))

    async def clean(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        expired: bool = True,
        filters: Mapping[str, Any] | Filter | None = None,
        older_than: timedelta | None = None,
        unused_for: timedelta | None = None,
        max_confidence: float | None = None,
        kinds: Sequence[str] | None = None,
        merge_duplicates: bool = False,
        dry_run: bool = False,
    ) -> CleanResult:
        """See `AsyncMemory.clean`."""
        body = {
            **ids_told(self._scope(user_id, agent_id, run_id, app_id, session_id)),
            'expired': expired,
            'merge_duplicates': merge_duplicates,
            'dry_run': dry_run,
            **given(
                filters=filters_told(filters),
                older_than_days=days('older_than', older_than),
                unused_for_days=days('unused_for', unused_for),
                max_confidence=max_confidence,
                kinds=listed(kinds),
            ),
        }
        return await self._cleaned('/v1/clean', body)

    async def reset(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        kinds: Sequence[str] | None = None,
        dry_run: bool = False,
    ) -> CleanResult:
        """See `AsyncMemory.reset`."""
        ids = ids_told(self._scope(user_id, agent_id, run_id, app_id, session_id))
        return await self._cleaned('/v1/reset', {**ids, 'dry_run': dry_run, **given(kinds=listed(kinds))})

    async def _cleaned(self, path: str, body: dict[str, Any]) -> CleanResult:
        from memoranda.client._audit import clean_result
        from memoranda.server.native import models

        return clean_result(await self._told(models.CleanResult, Ask('POST', path, body=json_of(body))))

    async def retention_preview(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
        sample: int = 20,
    ) -> RetentionResult:
        """See `AsyncMemory.retention_preview`."""
        from memoranda.client._audit import retention_result
        from memoranda.server.native import models

        scope = self._owner_scope(user_id, agent_id, run_id, app_id, session_id)
        told = await self._post(models.RetentionResult, '/v1/retention', scope, again=True, dry_run=True, sample=sample)
        return retention_result(told)

    async def apply_retention(
        self,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        app_id: str | None = None,
        session_id: str | None = None,
    ) -> RetentionResult:
        """See `AsyncMemory.apply_retention`."""
        from memoranda.client._audit import retention_result
        from memoranda.server.native import models

        scope = self._owner_scope(user_id, agent_id, run_id, app_id, session_id)
        return retention_result(await self._post(models.RetentionResult, '/v1/retention', scope))

    async def stats(self) -> Stats:
        """See `AsyncMemory.stats`. The location is the server's address."""
        from memoranda.client._records import stats
        from memoranda.server.native import models

        return stats(await self._get(models.Stats, '/v1/stats', None), self.location)


async def _document(document: object) -> bytes:
    from memoranda.subject import SubjectExport

    if isinstance(document, bytes | bytearray):
        return bytes(document)
    if isinstance(document, Mapping):
        return json_of(cast('Mapping[str, Any]', document))
    if isinstance(document, SubjectExport):
        return b''.join([part async for part in document])
    if isinstance(document, str | os.PathLike):
        path = cast('str | os.PathLike[str]', document)
        return await wait_for(on_a_thread(lambda: _file(path)))
    raise InvalidInput(f'document={shown(document)} is none: pass a path, bytes, a dict, or what export() returned')


def _file(path: str | os.PathLike[str]) -> bytes:
    with open(path, 'rb') as file:
        return file.read()
