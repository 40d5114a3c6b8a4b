"""One memory: what it says and when it held, the words it rests on, what happened to it, who was given it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Form, Path, Query, Request, Response
from pydantic import BaseModel, Field

from memoranda import across
from memoranda.errors import Conflict, InvalidInput, MemoryNotFound, VersionMismatch
from memoranda.provenance import Conversation, Line, Traced, conversations, current_version, lineage, trace
from memoranda.records import KINDS, HistoryEntry, MemoryRecord, now
from memoranda.rehearsal import PURPOSE
from memoranda.server.console._rendering import href, segment
from memoranda.server.console._states import FieldChange, changed_fields
from memoranda.server.console._timeline import learnt_at, timeline
from memoranda.server.console.page import Viewer, done, page, viewer
from memoranda.stores.history import state_of

__all__ = ['router']

router = APIRouter(prefix='/console/memories')

PATH: Final = '/console/memories'
MOST_ENTRIES: Final = 30
"""Of the history that are shown before somebody asks for all."""
MOST_AROUND: Final = 20
READS: Final = 50
NEAR_CHARS: Final = 600
"""Of a message that are shown beside the marked words."""
MOST_CHARS: Final = 4_000
"""Of the marked words."""
Reader = Annotated[Viewer, viewer('reader')]
Writer = Annotated[Viewer, viewer('writer')]
Reviewer = Annotated[Viewer, viewer('reviewer')]
Admin = Annotated[Viewer, viewer('admin')]
MemoryId = Annotated[str, Path(max_length=256)]


def at(memory_id: str, part: str = '', **query: Any) -> str:
    """The page of a memory, or a path below it."""
    return href(f'{PATH}/{segment(memory_id)}{part}', **query)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A link of the history, as the page tells it."""

    entry: HistoryEntry
    before: str | None
    after: str | None
    fields: Sequence[FieldChange]
    erased: bool

    @property
    def after_version(self) -> int | None:
        """Which version it made."""
        return None if self.entry.after is None else int(self.entry.after.get('version', 0))

    @property
    def worded(self) -> bool:
        """Whether its words changed."""
        return self.before is not None and self.after is not None and self.before != self.after


@router.get('/{memory_id}')
async def memory(
    request: Request,
    who: Reader,
    memory_id: MemoryId,
    around: Annotated[int, Query(ge=0, le=MOST_AROUND)] = 2,
    history: Annotated[str, Query(max_length=10)] = '',
    reads: Annotated[str, Query(max_length=200)] = '',
    blocked: Annotated[str, Query(max_length=256)] = '',
) -> Response:
    """The page. `blocked` names a change that can't be taken back alone."""
    traced = await trace(who.memory, memory_id)
    found = traced.memory
    kin = await lineage(who.memory, found)
    talks = await conversations(who.memory, found, around=around)
    used = await across.uses(who.memory, found.id, size=READS, cursor=reads or None)
    entries = [_told(entry) for entry in reversed(traced.history)]
    sources = {e.episode_id for e in found.evidence}
    shown = {line.message.id for talk in talks for line in talk.lines if line.message.id in sources}
    return page(
        request,
        who,
        'memory.html',
        title='Memory',
        here='memories',
        memory=found,
        current=found.is_current(now()),
        editable=found.status == 'active',
        forever=_erased_words(traced),
        learnt=learnt_at(found),
        kin=kin,
        timeline=timeline(kin, now()),
        talks=talks,
        around=around,
        more_around=min(max(2 * around, 2), MOST_AROUND) if around < MOST_AROUND and _goes_on(talks, around) else 0,
        unseen=len(sources) - len(shown),
        entries=entries if history else entries[:MOST_ENTRIES],
        left=0 if history else max(0, len(entries) - MOST_ENTRIES),
        last_change=traced.history[-1].change_id if traced.history else '',
        used=used.total,
        reads=used.reads,
        reading=reads,
        audited=who.memory.engine.reads is not None,
        answers=('search', 'context', 'get_slot', 'profile', PURPOSE),
        stretches=_stretches,
        blocked=next((e for e in entries if e.entry.change_id == blocked), None),
        at=at,
    )


def _told(entry: HistoryEntry) -> _Entry:
    before = None if entry.before is None else str(entry.before.get('text', ''))
    after = None if entry.after is None else str(entry.after.get('text', ''))
    return _Entry(
        entry, before, after, changed_fields(entry.before, entry.after), erased=before is None and after is None
    )


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A part of a message: as it is, marked, or how much was left out."""

    kind: Literal['plain', 'mark', 'gap']
    text: str


def _stretches(line: Line) -> list[_Stretch]:
    """A message with the quoted words marked; of a long one what stands around them, or its beginning."""
    text, found, end = line.message.text, list[_Stretch](), 0
    for start, stop in line.marked:
        found += _beside(text[end:start], head=end > 0, tail=True)
        found.append(_Stretch('mark', text[start:stop][:MOST_CHARS]))
        end = stop
    return [*found, *_beside(text[end:], head=True, tail=False)]


def _beside(text: str, *, head: bool, tail: bool) -> list[_Stretch]:
    """What is not marked: of much of it the ends that touch something."""
    room = NEAR_CHARS * (head + tail)
    if len(text) <= room + NEAR_CHARS // 4:
        return [_Stretch('plain', text)] if text else []
    gap = _Stretch('gap', f'{len(text) - room:,} characters')
    before = [_Stretch('plain', text[:NEAR_CHARS])] if head else []
    return [*before, gap, *([_Stretch('plain', text[-NEAR_CHARS:])] if tail else [])]


def _goes_on(talks: Sequence[Conversation], around: int) -> bool:
    """Whether more may be said in one of them than is shown."""
    for talk in talks:
        behind = next((n for n, line in enumerate(reversed(talk.lines)) if line.marked), 0)
        if talk.lines[0].skipped or behind >= around or any(line.skipped for line in talk.lines):
            return True
    return False


@router.get('/{memory_id}/text')
async def whole_text(request: Request, who: Reader, memory_id: MemoryId) -> Response:
    """All the words of one that is too long for its page."""
    found = (await trace(who.memory, memory_id)).memory
    return page(request, who, 'memory_text.html', title='Memory', here='memories', memory=found, to=at(found.id))


@router.get('/{memory_id}/news')
async def news(
    request: Request, who: Reader, memory_id: MemoryId, version: Annotated[int, Query(ge=0)] = 0
) -> Response:
    """Whether it was changed since its page was shown: polled, without its words, and so no read of it."""
    latest = await current_version(who.memory, memory_id)
    return page(
        request, who, 'memory_news.html', title='Memory', here='memories', latest=latest, version=version,
        id=memory_id, at=at,
    )  # fmt: skip


def _erased_words(traced: Traced) -> bool:
    return any(entry.before is None and entry.after is None for entry in traced.history)


# Changing it


class Edited(BaseModel):
    """What the form for an edit sends."""

    version: int = Field(ge=1)
    text: str = Field('', max_length=1_000_000)
    kind: str = Field('', max_length=200)
    slot: str = Field('', max_length=500)
    value: str = Field('', max_length=10_000)
    tags: str = Field('', max_length=20_000)
    importance: str = Field('', max_length=20)
    expires_at: str = Field('', max_length=40)
    locked: bool = False
    pinned: bool = False


@router.get('/{memory_id}/edit')
async def edit_form(request: Request, who: Writer, memory_id: MemoryId) -> Response:
    """The form for an edit."""
    found = (await trace(who.memory, memory_id)).memory
    return _form(request, who, found, _as_typed(found))


@router.post('/{memory_id}/edit')
async def edit(request: Request, who: Writer, memory_id: MemoryId, typed: Annotated[Edited, Form()]) -> Response:
    """Correct it. What somebody else changed meanwhile is shown, and what was typed isn't lost."""
    found = (await trace(who.memory, memory_id)).memory
    try:
        before = found.version
        after = await who.memory.update(memory_id, **_fields(typed, found), if_version=typed.version)
    except VersionMismatch:
        newer = await trace(who.memory, memory_id)
        return _form(request, who, newer.memory, _rebased(typed, newer), newer=True)
    except MemoryNotFound as problem:  # no longer active
        return _form(request, who, (await trace(who.memory, memory_id)).memory, typed, error=str(problem))
    except (InvalidInput, Conflict) as problem:
        return _form(request, who, found, typed, error=str(problem))
    if after.version == before:
        return done(request, who, 'Nothing was different, so nothing was changed.', to=at(memory_id))
    return done(request, who, 'Saved.', to=at(memory_id), undo=_undo(who, after))


def _form(
    request: Request, who: Viewer, found: MemoryRecord, typed: Edited, *, error: str = '', newer: bool = False
) -> Response:
    status = 409 if newer else 422 if error else 200
    return page(
        request, who, 'memory_edit.html', status=status, title='Edit a memory', here='memories', memory=found,
        typed=typed, error=error, newer=newer, kinds=KINDS, at=at, to=at(found.id),
    )  # fmt: skip


def _as_typed(found: MemoryRecord) -> Edited:
    return _shown(state_of(found))


def _shown(state: Mapping[str, Any]) -> Edited:
    """A state of a memory, as the form shows it."""
    until = state['expires_at']
    return Edited(
        version=state['version'],
        text=state['text'],
        kind=state['kind'],
        slot=state['slot'] or '',
        value=state['value'] or '',
        tags=', '.join(state['tags']),
        importance=f'{state["importance"]:g}',
        expires_at='' if until is None else datetime.fromisoformat(until).isoformat(timespec='minutes')[:16],
        locked=state['locked'],
        pinned=state['pinned'],
    )


def _rebased(typed: Edited, newer: Traced) -> Edited:
    """What was typed, on what somebody else wrote meanwhile: what was left as it was shown is theirs."""
    theirs = _as_typed(newer.memory)
    states = (entry.after for entry in newer.history if entry.after is not None)
    base = next((_shown(state) for state in states if state.get('version') == typed.version), theirs)
    left = {
        name: getattr(theirs, name)
        for name in Edited.model_fields
        if name == 'version' or _plain(getattr(typed, name)) == _plain(getattr(base, name))
    }
    return typed.model_copy(update=left)


def _plain(value: Any) -> Any:
    """As browsers send what is in a text area."""
    return value.replace('\r\n', '\n').strip() if isinstance(value, str) else value


def _fields(typed: Edited, found: MemoryRecord) -> dict[str, Any]:
    """What of it differs from what was shown, as `update` takes it.

    Raises:
        InvalidInput: A number or a moment that is none.
    """
    shown = _as_typed(found)
    fields: dict[str, Any] = {}
    if _plain(typed.text) != _plain(found.text):
        fields['text'] = _plain(typed.text)
    if typed.kind.strip() != shown.kind:
        fields['kind'] = typed.kind.strip()
    if typed.slot.strip() != shown.slot:
        fields['slot'] = typed.slot.strip() or None
    if typed.value.strip() != shown.value.strip():
        fields['value'] = typed.value.strip() or None
    if typed.tags.strip() != shown.tags.strip():
        fields['tags'] = [tag.strip() for tag in typed.tags.split(',') if tag.strip()]
    if typed.importance.strip() != shown.importance:
        fields['importance'] = _unit('importance', typed.importance)
    if typed.expires_at.strip() != shown.expires_at:
        fields['expires_at'] = typed.expires_at.strip() or None
    if typed.pinned != found.pinned:
        fields['pinned'] = typed.pinned
    if typed.locked != found.locked:
        fields['locked'] = typed.locked
    return fields


def _unit(name: str, text: str) -> float:
    try:
        return float(text.strip().replace(',', '.'))
    except ValueError:
        raise InvalidInput(f'{name}={text[:20]!r} is no number: write one from 0 to 1') from None


@router.post('/{memory_id}/mark')
async def mark(
    request: Request,
    who: Writer,
    memory_id: MemoryId,
    name: Annotated[str, Form(pattern='^(pinned|locked)$')],
    on: Annotated[bool, Form()] = False,
) -> Response:
    """Pin it, so that it is part of every context; or lock it against extraction. Or the other way round."""
    before = await who.memory.get(memory_id)
    change = who.memory.update
    after = await (change(memory_id, pinned=on) if name == 'pinned' else change(memory_id, locked=on))
    told = {'pinned': ('Pinned.', 'Unpinned.'), 'locked': ('Locked.', 'Unlocked.')}[name][0 if on else 1]
    undo = _undo(who, after) if after.version > before.version else None
    return done(request, who, told, to=at(memory_id), undo=undo)


@router.post('/{memory_id}/retract')
async def retract(
    request: Request,
    who: Writer,
    memory_id: MemoryId,
    version: Annotated[int | None, Form()] = None,
    linked: Annotated[bool, Form()] = False,
) -> Response:
    """Stop believing it; its words stay in its history."""
    count = await who.memory.delete(memory_id, linked=linked, if_version=version)
    told = 'Retracted: it is no longer recalled.' if count == 1 else f'{count} memories retracted.'
    after = (await trace(who.memory, memory_id)).memory
    return done(request, who, told, to=at(memory_id), undo=_undo(who, after) if count == 1 else None)


@router.post('/{memory_id}/revert')
async def revert(
    request: Request,
    who: Reviewer,
    memory_id: MemoryId,
    change: Annotated[str, Query(max_length=256)] = '',
    cascade: bool = False,
) -> Response:
    """Take a change of it back; those that depend on it too, when that was asked for."""
    traced = await trace(who.memory, memory_id)
    if change not in {entry.change_id for entry in traced.history}:
        raise MemoryNotFound('this change is not one of this memory: its history lists them')
    try:
        made = await who.memory.revert(change, cascade=cascade)
    except Conflict as problem:
        if 'cascade=True' in str(problem):
            told = 'Nothing was changed yet: later changes depend on that one.'
            return done(request, who, told, to=at(memory_id, blocked=change))
        return done(request, who, f'Nothing was changed: {problem}', to=at(memory_id))
    undo = at(memory_id, '/revert', change=made.id) if memory_id in {e.memory_id for e in made.edits} else None
    return done(request, who, 'The change was taken back.', to=at(memory_id), undo=undo)


def _undo(who: Viewer, after: MemoryRecord) -> str | None:
    return at(after.id, '/revert', change=after.change_id) if who.may('reviewer') else None


# Erasing it


@router.post('/{memory_id}/erase')
async def erase(
    request: Request, who: Admin, memory_id: MemoryId, word: Annotated[str, Form(max_length=40)] = ''
) -> Response:
    """Erase it for good, with the messages it rests on. A word has to be typed, so that nobody does it unawares."""
    await trace(who.memory, memory_id)
    if word.strip().casefold() != 'erase':
        return done(request, who, 'Nothing was erased: the word erase was not typed.', to=at(memory_id))
    receipt = await who.memory.forget(memory_id)
    document = receipt.to_json()
    return page(
        request, who, 'memory_erased.html', title='Erased', here='memories', receipt=receipt, document=document,
        data=base64.b64encode(document.encode()).decode(),
    )  # fmt: skip
