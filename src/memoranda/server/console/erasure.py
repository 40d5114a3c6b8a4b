"""Everything of somebody: given out, or erased, with a receipt that can be checked at any time."""

import base64
import binascii
import contextlib
import json
import re
import zlib
from datetime import UTC
from typing import Annotated, Final

from fastapi import APIRouter, Form, Query, Request, Response, UploadFile
from starlette.responses import StreamingResponse

from memoranda.consent.forgetting import ErasureReceipt
from memoranda.errors import InvalidInput, InvalidScope
from memoranda.server.console._deciding import shown_again
from memoranda.server.console._owners import Whose, WhoseAsked, shown_as
from memoranda.server.console._rendering import href
from memoranda.server.console.page import HEADERS, Viewer, done, page, viewer

__all__ = ['router']

router = APIRouter(prefix='/console', include_in_schema=False)

RECEIPTS: Final = '/console/receipts'
_WAIT: Final = 2.0
"""Seconds that an answer waits for the files to be clean; else the page follows it."""
_PACKED: Final = 6_000
"""Characters of a receipt in a URL."""
_MOST: Final = 1 << 20
"""Bytes of a receipt that is looked at."""
_UNFIT: Final = re.compile(r'[^A-Za-z0-9._-]+')

Admin = Annotated[Viewer, viewer('admin')]
Packed = Annotated[str, Query(max_length=_PACKED)]


@router.get('/export')
async def export(request: Request, who: Admin, whose: WhoseAsked, format: str = 'json') -> Response:  # noqa: A002
    """Everything held on one, of one moment, as a file."""
    found = await whose.view(who).export()
    markdown = format == 'markdown'
    name = _UNFIT.sub('-', whose.id).strip('-.')[:60] or 'shared'
    day = found.exported_at.astimezone(UTC).strftime('%Y-%m-%d')
    headers = _download(f'memoranda-{whose.kind}-{name}-{day}.{"md" if markdown else "json"}')
    if markdown:
        parts = (text.encode('utf-8', 'replace') for text in found.markdown())
        return StreamingResponse(parts, media_type='text/markdown; charset=utf-8', headers=headers)
    return StreamingResponse(aiter(found), media_type='application/json', headers=headers)


@router.get('/erase')
async def preview(request: Request, who: Admin, whose: WhoseAsked) -> Response:
    """What would go, before anything does."""
    return await _asking(request, who, whose)


@router.post('/erase')
async def erase(
    request: Request, who: Admin, whose: WhoseAsked, typed: Annotated[str, Form(max_length=2_000)] = ''
) -> Response:
    """Erase everything of one, once the id was typed as it is."""
    memory = whose.view(who)
    if typed not in _confirmations(whose):
        error = 'Nothing was erased: what was typed is not the id above. Type it exactly, upper and lower case too.'
        return await _asking(request, who, whose, typed=typed, error=error)
    receipt = await memory.forget()
    with contextlib.suppress(TimeoutError):  # somebody reads old pages of the files: our page follows
        receipt = await receipt.wait(_WAIT)
    packed = _packed(receipt)
    if who.only is not None:  # the key was that person's, and is gone with everything else
        return await _told(request, who, receipt, '')
    return done(request, who, 'Erased. Keep the receipt.', to=href(RECEIPTS, r=packed))


@router.get('/receipts')
async def receipt(request: Request, who: Admin, r: Packed = '') -> Response:
    """A receipt, and whether what it says still holds; without one, where to show one."""
    if not r:
        return page(request, who, 'receipts.html', title='Erasure receipts', here='people', receipt=None, error='')
    try:
        found = _unpacked(r)
    except InvalidInput as error:
        return _refused(request, who, str(error))
    return await _told(request, who, found, r)


@router.post('/receipts')
async def look(
    request: Request,
    who: Admin,
    document: Annotated[str, Form(max_length=_MOST)] = '',
    file: UploadFile | None = None,
) -> Response:
    """Look at a receipt that somebody has kept."""
    try:
        given: str | bytes = document
        if file is not None and (file.size or 0) > 0:
            if (file.size or 0) > _MOST:
                raise InvalidInput('that file is too large for a receipt: choose the one that was downloaded here')
            given = await file.read()
        if not given.strip():
            raise InvalidInput('no receipt was given: choose its file, or paste what is in it')
        found = ErasureReceipt.from_json(given)
    except InvalidInput as error:
        return _refused(request, who, str(error), document)
    packed = _packed(found)
    if len(packed) > _PACKED:
        return await _told(request, who, found, '')
    return done(request, who, 'The receipt was checked.', to=href(RECEIPTS, r=packed))


@router.get('/receipts/file')
async def download(who: Admin, r: Packed) -> Response:
    """A receipt as a file."""
    found = _unpacked(r)
    headers = _download(f'memoranda-erasure-{found.at.strftime("%Y-%m-%d")}-{found.id[-12:]}.json')
    return Response(found.to_json() + '\n', media_type='application/json', headers=headers)


async def _asking(request: Request, who: Viewer, whose: Whose, *, typed: str = '', error: str = '') -> Response:
    holdings = await whose.view(who).holdings()
    keys: list[str] = []
    if whose.kind == 'user':
        try:
            keys = [key.name for key in await who.memory.keys.list() if key.user_id == whose.id]
        except InvalidScope:  # a key for one person sees no keys
            keys = []
    response = page(
        request,
        who,
        'erase.html',
        title='Erase',
        here='people',
        status=422 if error else 200,
        whose=whose,
        holdings=holdings,
        keys=keys,
        confirm=shown_as(whose.id) or 'shared',
        typed=typed,
        error=error,
    )
    return shown_again(request, response)


async def _told(request: Request, who: Viewer, found: ErasureReceipt, packed: str) -> Response:
    report = await who.memory.verify_erasure(found)
    response = page(
        request,
        who,
        'receipts.html',
        title='Erasure receipt',
        here='people',
        receipt=found,
        report=report,
        packed=packed,
        document=found.to_json(),
        error='',
    )
    return shown_again(request, response)


def _refused(request: Request, who: Viewer, error: str, document: str = '') -> Response:
    return page(
        request,
        who,
        'receipts.html',
        title='Erasure receipts',
        here='people',
        status=422,
        receipt=None,
        error=error,
        document=document[:20_000],
    )


def _confirmations(whose: Whose) -> tuple[str, ...]:
    """What has to be typed: the id, or as it is shown when it has signs that nobody can type."""
    return (whose.id, shown_as(whose.id)) if whose.id else ('shared',)


def _packed(found: ErasureReceipt) -> str:
    """A receipt for a URL: no word and no id of the person is in it."""
    short = json.dumps(json.loads(found.to_json()), separators=(',', ':')).encode()
    return base64.urlsafe_b64encode(zlib.compress(short, 9)).rstrip(b'=').decode()


def _unpacked(packed: str) -> ErasureReceipt:
    try:
        raw = base64.b64decode(packed + '=' * (-len(packed) % 4), altchars=b'-_', validate=True)
        short = zlib.decompressobj().decompress(raw, _MOST)
    except (ValueError, binascii.Error, zlib.error) as error:
        raise InvalidInput('this address holds no receipt: choose the file that was downloaded') from error
    return ErasureReceipt.from_json(short)


def _download(name: str) -> dict[str, str]:
    return {**HEADERS, 'Content-Disposition': f'attachment; filename="{name}"', 'X-Content-Type-Options': 'nosniff'}
