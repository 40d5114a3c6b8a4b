"""The audit chains: reading them, proving them, and who read what."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from memoranda.server.access import Caller, needs
from memoranda.server.bodies import ReadRoute
from memoranda.server.native import models
from memoranda.server.native._answers import answer, page, problems, raw, unsealed, view

__all__ = ['router']

router = APIRouter(prefix='/v1/audit', tags=['audit'], route_class=ReadRoute)

Admin = Annotated[Caller, needs('admin')]


@router.get(
    '',
    operation_id='list_audit',
    summary='The audit log',
    response_model=models.AuditPage,
    responses=problems(),
)
async def list_audit(asked: Annotated[models.ListAudit, Query()], caller: Admin) -> Response:
    """The audit chains entry by entry, with their hashes, a page at a time; without any id those of the project."""
    found = await view(caller, asked).audit_log(words=asked.words, limit=asked.limit, cursor=unsealed(asked))
    return await page(models.AuditPage, found.items, found.cursor, asked)


@router.post(
    '/verify',
    operation_id='verify_audit',
    summary='Prove the audit chains',
    response_model=models.Verification,
    responses=problems(body=True),
)
async def verify_audit(body: models.VerifyAudit, caller: Admin) -> Response:
    """Hash each entry anew, and compare the versions of memories with the entries that made them."""
    return await answer(models.Verification, await view(caller, body).verify(anchor=body.anchor))


@router.get(
    '/checkpoint',
    operation_id='make_checkpoint',
    summary='An anchor for the chains',
    response_model=models.Checkpoint,
    responses=problems(),
)
async def make_checkpoint(asked: Annotated[models.Ids, Query()], caller: Admin) -> Response:
    """How far the chains have come: keep it elsewhere, and `POST /v1/audit/verify` compares with it."""
    return raw(str(await view(caller, asked).checkpoint()))


@router.get(
    '/reads',
    operation_id='list_reads',
    summary='Who read what',
    response_model=models.ReadPage,
    responses=problems(404),
)
async def list_reads(asked: Annotated[models.ListReads, Query()], caller: Admin) -> Response:
    """Reads, latest first, as far as the policy had them noted (`audit_reads`)."""
    found = await view(caller, asked).reads(asked.memory_id, limit=asked.limit, cursor=unsealed(asked))
    return await page(models.ReadPage, found.items, found.cursor, asked)
