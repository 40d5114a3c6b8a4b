"""API keys, a part of the settings: made, rotated and revoked. A secret is told once, in the answer that made it."""

from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response

from memoranda.errors import Conflict, InvalidInput, KeyNotFound
from memoranda.keys import ROLES, ApiKey, NewKey
from memoranda.records import now
from memoranda.server.console._rendering import segment
from memoranda.server.console.page import Viewer, done, page, viewer
from memoranda.server.problems import Problem

__all__ = ['TABS', 'router']

router = APIRouter(prefix='/console/settings/keys')

HERE: Final = '/console/settings/keys'
TABS: Final = (
    ('In force', '/console/settings'),
    ('Keys', HERE),
    ('Policy', '/console/settings/policy'),
    ('Retention', '/console/settings/retention'),
    ('Storage', '/console/settings/storage'),
)
ROLE_TEXTS: Final = {
    'reader': 'sees and searches',
    'writer': 'adds, edits, deletes',
    'reviewer': 'decides what waits, reverts',
    'admin': 'everything in the project',
}
SPANS: Final = (('', 'Never'), ('30', 'In 30 days'), ('90', 'In 90 days'), ('365', 'In a year'))
OVERLAPS: Final = (('0', 'End at once'), ('3600', 'In an hour'), ('86400', 'In a day'), ('604800', 'In a week'))

Admin = Annotated[Viewer, viewer('admin', whole_project=True)]
Id = Annotated[str, Path(max_length=256)]


@router.get('')
async def keys(request: Request, who: Admin, ended: str = '') -> Response:
    """The keys of the project."""
    return await _listed(request, who, ended=bool(ended))


@router.post('')
async def create(request: Request, who: Admin) -> Response:
    """Make one."""
    form = await request.form()
    given = {name: str(form.get(name) or '').strip() for name in ('name', 'role', 'user_id', 'expires')}
    try:
        made = await who.memory.keys.create(
            given['name'],
            role=next((role for role in ROLES if role == given['role']), given['role']),  # type: ignore[arg-type]
            user_id=given['user_id'] or None,
            expires_at=_until(given['expires']),
        )
    except (InvalidInput, Conflict) as error:
        status = 422 if isinstance(error, InvalidInput) else 409
        return await _listed(request, who, ended=False, status=status, error=str(error), given=given)
    return _shown(request, who, made)


@router.get('/{key_id}')
async def key(request: Request, who: Admin, key_id: Id) -> Response:
    """One key."""
    found = await _found(who, key_id)
    return page(
        request,
        who,
        'key.html',
        title=f'Key {found.name}',
        here='settings',
        key=found,
        at=now(),
        own=found.id == who.caller.key_id,
        overlaps=OVERLAPS,
        role_texts=ROLE_TEXTS,
    )


@router.post('/{key_id}/rotate')
async def rotate(request: Request, who: Admin, key_id: Id) -> Response:
    """Make one in its place."""
    form = await request.form()
    overlap = str(form.get('overlap') or '0')
    if overlap not in dict(OVERLAPS):
        raise Problem(422, 'this time is unknown: choose one of the list')
    await _found(who, key_id)
    try:
        made = await who.memory.keys.rotate(key_id, overlap_seconds=float(overlap))
    except KeyNotFound as error:
        raise Problem(409, str(error)) from None
    return _shown(request, who, made, replaces=True, overlap=dict(OVERLAPS)[overlap], ends=key_id == who.caller.key_id)


@router.post('/{key_id}/revoke')
async def revoke(request: Request, who: Admin, key_id: Id) -> Response:
    """End it."""
    await _found(who, key_id)
    ended = await who.memory.keys.revoke(key_id)
    return done(request, who, f'Key {ended.name} opens nothing any more.', to=HERE)


async def _found(who: Viewer, key_id: str) -> ApiKey:
    try:
        return await who.memory.keys.get(key_id)
    except KeyNotFound:
        raise Problem(404, 'there is no such key in this project') from None


async def _listed(
    request: Request,
    who: Viewer,
    *,
    ended: bool,
    status: int = 200,
    error: str | None = None,
    given: dict[str, str] | None = None,
) -> Response:
    """The list, and the form for another one with what was typed into it."""
    found = await who.memory.keys.list(include_ended=ended)
    return page(
        request,
        who,
        'keys.html',
        title='Settings',
        here='settings',
        status=status,
        tabs=TABS,
        keys=found,
        at=now(),
        ended=ended,
        error=error,
        given=given or {'name': '', 'role': 'reader', 'user_id': '', 'expires': ''},
        roles=[(role, f'{role}: {ROLE_TEXTS[role]}') for role in ROLES],
        spans=SPANS,
        path_of=_path_of,
    )


def _shown(
    request: Request, who: Viewer, made: NewKey, *, replaces: bool = False, overlap: str = '', ends: bool = False
) -> Response:
    """The one page that tells a secret."""
    return page(
        request,
        who,
        'key_made.html',
        title='New key',
        here='settings',
        made=made.key,
        secret=made.secret,
        replaces=replaces,
        overlap=overlap.lower(),
        ends=ends,
        status=201,
    )


def _path_of(one: ApiKey) -> str:
    return f'{HERE}/{segment(one.id)}'


def _until(days: str) -> Any:
    if not days:
        return None
    if days not in dict(SPANS):
        raise InvalidInput('expires is unknown: choose one of the list')
    return now() + timedelta(days=int(days))
