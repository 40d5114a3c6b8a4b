"""Audit: who changed and who read what, latest first, and the proof that the log is whole."""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Final, cast, get_args

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.datastructures import UploadFile
from starlette.responses import StreamingResponse

from memoranda.consent.trail import OPS, TrailEntry, opened, trail
from memoranda.errors import InvalidInput, shown
from memoranda.scope import Owner, OwnerKind, Scope
from memoranda.server.console import _upkeep
from memoranda.server.console.page import HEADERS, Viewer, done, page, viewer
from memoranda.server.problems import Problem
from memoranda.stores.trails import MOST_LOOKED_AT

__all__ = ['router']

router = APIRouter(prefix='/console/audit')

HERE: Final = '/console/audit'
VERIFY: Final = f'{HERE}/verify'
VIEWS: Final[Mapping[str, tuple[str, ...]]] = {
    'changes': tuple(op for op in OPS if op not in ('read', 'key', 'erase', 'import')),
    'reads': ('read',),
    'upkeep': ('erase', 'key', 'import'),
}
"""The sorts of entries, beside single ones."""
KINDS: Final[tuple[tuple[OwnerKind, str], ...]] = (
    ('user', 'Person'),
    ('agent', 'Agent'),
    ('app', 'App'),
    ('run', 'Conversation without a person'),
    ('global', 'The project itself'),
)
_WORK: Final = 'verification'
_SIZE: Final = 50
_EXPORTED_AT_ONCE: Final = 1_000
_MOST_ANCHOR: Final = 64 << 20
"""Bytes of a checkpoint. The limit of a request's body comes first, by default."""

Admin = Annotated[Viewer, viewer('admin', whole_project=True)]
Text = Annotated[str, Query(max_length=256)]


@router.get('')
async def log(
    request: Request,
    who: Admin,
    what: Text = '',
    actor: Text = '',
    kind: Text = '',
    key: Text = '',
    memory_id: Text = '',
    since: Text = '',
    until: Text = '',
    cursor: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """The log of the project, or of one chain."""
    if what and what not in VIEWS and what not in OPS:
        raise Problem(422, 'this sort of entry is unknown: choose one of the list')
    found = await trail(
        who.memory,
        owner=_owner(who, kind, key),
        kind=cast('OwnerKind', kind) if kind else None,
        ops=VIEWS.get(what) or ((what,) if what else None),
        actor=actor.strip() or None,
        memory_id=memory_id.strip() or None,
        since=_day(since, 'since'),
        until=_day(until, 'until', after=True),
        limit=_SIZE,
        cursor=cursor or None,
    )
    names = await _key_names(who) if any(one.op == 'key' for one in found.items) else {}
    asked = {
        'what': what, 'actor': actor, 'kind': kind, 'key': key, 'memory_id': memory_id, 'since': since, 'until': until,
        'cursor': cursor,
    }  # fmt: skip
    return page(
        request,
        who,
        'audit.html',
        title='Audit',
        here='audit',
        entries=found.items,
        cursor=found.cursor,
        looked_to=found.looked_to,
        most=MOST_LOOKED_AT,
        asked=asked,
        narrowed=any(value for name, value in asked.items() if name != 'cursor'),
        whats=[
            ('changes', 'Changes'),
            ('reads', 'Reads'),
            ('upkeep', 'Keys, erasures, imports'),
            *((op, f'only {op}') for op in OPS if op != 'read'),
        ],
        kinds=KINDS,
        about=partial(_about, names),
        reads_noted=who.memory.engine.policy.audit_reads,
    )


@router.get('/entry/{number}/{seq}')
async def entry(
    request: Request,
    who: Admin,
    number: Annotated[str, Path(max_length=20)],
    seq: Annotated[str, Path(max_length=20)],
) -> Response:
    """One entry, with the words it tells of as far as they were not erased, and what its hash is made of."""
    if not number.isdecimal() or not seq.isdecimal():
        raise Problem(404, 'there is no such entry')
    one = await opened(who.memory, int(number), int(seq))
    before, after = _state(one.link.before), _state(one.link.after)
    return page(
        request,
        who,
        'audit_entry.html',
        title=f'Entry {one.link.seq}',
        here='audit',
        chain=one.chain,
        link=one.link,
        at=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=max(one.link.at, 0)),
        holds=one.holds,
        before=before,
        after=after,
        differing=sorted(k for k in {*before, *after} if k != 'text' and before.get(k) != after.get(k)),
        erased=one.link.salt is None,
        last=one.link.seq >= one.chain.length,
    )


@router.get('/verify')
async def verification(request: Request, who: Admin) -> Response:
    """The last proof: how far it is, or what it found."""
    work = _upkeep.find(request, who, _WORK)
    return page(
        request,
        who,
        'audit_verify.html',
        title='Prove the log',
        here='audit',
        work=work,
        found=None if work is None else work.result,
        kinds=KINDS,
    )


@router.post('/verify')
async def verify(request: Request, who: Admin) -> Response:
    """Begin to hash every entry anew, of the project or of one chain, and compare with a checkpoint if one is given."""
    try:
        form = await request.form()
        owner = _owner(who, str(form.get('kind') or ''), str(form.get('key') or ''))
        given = form.get('anchor')
        anchor = await given.read(_MOST_ANCHOR) if isinstance(given, UploadFile) and given.filename else None
    finally:
        await request.close()
    if anchor is not None:
        from memoranda.consent.checkpoint import Checkpoint

        Checkpoint.parse(anchor)  # told at once, and not by the work
    memory = who.memory.project_wide() if owner is None else who.memory.scoped(_scope(owner))

    async def work(one: _upkeep.Work) -> Any:
        return await memory.verify(anchor=anchor, progress=one.tell)

    subject = 'the project' if owner is None or owner.kind == 'global' else f'{owner.kind} {shown(owner.key)}'
    _upkeep.begin(request, who, _WORK, work, subject=subject)
    return done(request, who, 'The proof is under way.', to=VERIFY)


@router.post('/verify/stop')
async def stop(request: Request, who: Admin) -> Response:
    """End it before its time."""
    ended = _upkeep.stop(request, who, _WORK)
    return done(request, who, 'Stopped.' if ended else 'It had ended already.', to=VERIFY)


@router.get('/checkpoint')
async def checkpoint(who: Admin) -> Response:
    """Counts and heads of all chains of the project, to be kept elsewhere. It names nobody."""
    made = await who.memory.checkpoint()
    name = f'memoranda-checkpoint-{made.at:%Y%m%d-%H%M%S}.json'
    return Response(
        str(made),
        media_type='application/json',
        headers={**HEADERS, 'Content-Disposition': f'attachment; filename="{name}"'},
    )


@router.get('/export')
async def export(who: Admin) -> Response:
    """The chains entry by entry as lines of JSON, with their hashes and without the words: enough to prove them."""
    name = f'memoranda-audit-{datetime.now(UTC):%Y%m%d-%H%M%S}.jsonl'
    first = await who.memory.audit_log(words=False, limit=_EXPORTED_AT_ONCE)  # what fails, fails before it begins

    async def lines() -> AsyncIterator[bytes]:
        part = first
        while True:
            yield ''.join(f'{one}\n' for one in part).encode('utf-8', 'surrogatepass')
            if part.cursor is None:
                return
            part = await who.memory.audit_log(words=False, limit=_EXPORTED_AT_ONCE, cursor=part.cursor)

    return StreamingResponse(
        lines(),
        media_type='application/x-ndjson',
        headers={**HEADERS, 'Content-Disposition': f'attachment; filename="{name}"'},
    )


def _owner(who: Viewer, kind: str, key: str) -> Owner | None:
    """Whose chain is meant; None: all of the project."""
    key = key.strip()
    if kind and kind not in get_args(OwnerKind):
        raise Problem(422, 'this sort of owner is unknown: choose one of the list')
    if kind == 'global':
        return Owner(who.memory.project, 'global', '')
    if not key:
        return None
    return _scope(Owner(who.memory.project, cast('OwnerKind', kind or 'user'), key)).home(who.memory.project)


def _scope(owner: Owner) -> Scope:
    return Scope.GLOBAL if owner.kind == 'global' else Scope(**{f'{owner.kind}_id': owner.key})


def _day(text: str, name: str, *, after: bool = False) -> datetime | None:
    """The beginning of a day in UTC, or with `after` its end; a moment with a time is taken as it is."""
    if not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        return found + timedelta(days=1) if after and len(text.strip()) == 10 else found
    except (ValueError, OverflowError):
        raise InvalidInput(f'{name}={shown(text)} is no day: write it like 2026-01-31') from None


async def _key_names(who: Viewer) -> dict[str, str]:
    """The names of keys, which the log doesn't tell."""
    return {key.id: key.name for key in await who.memory.keys.list(include_ended=True)}


def _state(text: str | None) -> dict[str, Any]:
    """What an entry says of a memory, or of something else; empty when it is no JSON of ours."""
    try:
        read: object = json.loads(text or '{}')
    except ValueError:
        return {}
    return cast('dict[str, Any]', read) if isinstance(read, dict) else {}


def _about(names: Mapping[str, str], one: TrailEntry) -> str:
    """What an entry without a memory tells, in words."""
    told = _state(one.told)
    match one.op:
        case 'read':
            return _read_in_words(told)
        case 'key':
            events = {'create': 'made', 'revoke': 'revoked', 'rotate': 'made in the place of another one'}
            name = names.get(str(told.get('key')), 'that is gone')
            whose = ', for one person' if told.get('for_one_user') else ''
            return f'key {name} ({told.get("role")}{whose}) {events.get(str(told.get("event")), told.get("event"))}'
        case 'erase':
            return f'erased: {told.get("erased")}'
        case 'import':
            return 'restored from an export' if told.get('restored') else 'imported'
        case 'restore':
            return 'may be remembered again'
        case _:
            return ''


def _read_in_words(told: Mapping[str, Any]) -> str:
    if told.get('everything'):
        what = 'everything that was held'
    else:
        parts = [
            f'{len(told[name]):,} {noun if len(told[name]) == 1 else plural}'
            for name, noun, plural in (('memories', 'memory', 'memories'), ('messages', 'message', 'messages'))
            if isinstance(told.get(name), list) and told[name]
        ]
        what = ' and '.join(parts) or 'nothing'
    times = told.get('times', 1)
    return f'{told.get("purpose")}: {what}{f", {times} times" if times != 1 else ""}'
