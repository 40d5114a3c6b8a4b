"""Maintenance: what has expired, what nobody needs any more, what was said twice, what a new set-up makes void.

Every run is at most one change per owner, committed whole or not at all, which `revert` undoes. Messages stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

from memoranda.checks import check_flag, check_kind, check_unit
from memoranda.errors import Conflict, InvalidInput, shown
from memoranda.filters import All, Any_, Compare, Field, Filter, parse
from memoranda.records import WORKSPACE_TAG, Change, Edit, MemoryRecord, Op, new_id, now
from memoranda.stores.data import Commit, Moment
from memoranda.write.duplicates import bridges, read
from memoranda.write.guard import TIERS
from memoranda.write.waiting import MAX_EVIDENCE

if TYPE_CHECKING:
    from memoranda.engine import Engine
    from memoranda.scope import Reach

__all__ = [
    'CleanRequest',
    'CleanResult',
    'LeftAlone',
    'Plan',
    'ago',
    'clean',
    'every',
    'expire',
    'is_workspace',
    'reset',
    'settle',
]

MAX_TRIES: Final = 20
WORKSPACE_SLOTS: Final = (
    'browser', 'cloud', 'database', 'editor', 'environment', 'framework', 'hardware', 'ide', 'keyboard',
    'language.programming', 'os', 'package_manager', 'setup', 'shell', 'stack', 'terminal', 'tool', 'vcs', 'workspace',
)  # fmt: skip
"""Slots that are these, or begin with one of these and a dot."""

_ACTIVE: Final = Compare(Field('status', 'choice'), 'eq', 'active')
_OPEN: Final = Compare(Field('status', 'choice'), 'in', ('active', 'pending'))
"""A proposal that is past its end would be believed and not recalled."""


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A memory that would have been changed."""

    memory: MemoryRecord
    reason: Literal['pinned', 'locked']


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanResult:
    """What a `clean` or a `reset` did, or would do."""

    changes: tuple[Change, ...] = ()
    """One for each owner touched. Of a dry run they were not made, and their ids mean nothing."""
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    """How many memories were `expired`, `dropped`, `merged` (into another) or `reset`."""
    left: tuple[LeftAlone, ...] = ()
    """Memories that a person has pinned or written."""
    dry_run: bool = False

    @property
    def edits(self) -> tuple[Edit, ...]:
        """All edits of all changes."""
        return tuple(edit for change in self.changes for edit in change.edits)


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanRequest:
    """What to clean. A memory is dropped when it meets every condition that is given; without any, none is."""

    expired: bool = True
    where: Filter | None = None
    older_than: timedelta | None = None
    unused_for: timedelta | None = None
    max_confidence: float | None = None
    kinds: tuple[str, ...] | None = None
    merge_duplicates: bool = False

    @classmethod
    def checked(
        cls,
        *,
        expired: object = True,
        filters: Mapping[str, Any] | Filter | None = None,
        older_than: object = None,
        unused_for: object = None,
        max_confidence: object = None,
        kinds: object = None,
        merge_duplicates: object = False,
    ) -> CleanRequest:
        """A request from what a caller passed.

        Raises:
            InvalidInput: Something can't be used.
        """
        return cls(
            expired=check_flag('expired', expired),
            where=parse(filters),
            older_than=_duration('older_than', older_than),
            unused_for=_duration('unused_for', unused_for),
            max_confidence=None if max_confidence is None else check_unit('max_confidence', max_confidence),
            kinds=_kinds(kinds),
            merge_duplicates=check_flag('merge_duplicates', merge_duplicates),
        )

    @property
    def conditions(self) -> tuple[str, ...]:
        """The names of the conditions given."""
        names = {
            'filters': self.where,
            'older_than': self.older_than,
            'unused_for': self.unused_for,
            'max_confidence': self.max_confidence,
            'kinds': self.kinds,
        }
        return tuple(name for name, value in names.items() if value is not None)

    def filter(self, at: datetime) -> Filter:
        """The conditions that a store can test."""
        parts: list[Filter] = [_ACTIVE]
        if self.where is not None:
            parts.append(self.where)
        if self.max_confidence is not None:
            parts.append(Compare(Field('confidence', 'number'), 'lte', self.max_confidence))
        if self.kinds is not None:
            parts.append(Compare(Field('kind', 'text'), 'in', self.kinds))
        if self.unused_for is not None:
            used = Field('last_used_at', 'time')
            parts.append(Any_((Compare(used, 'exists', False), Compare(used, 'lt', ago(at, self.unused_for)))))
        return All(tuple(parts))

    def too_fresh(self, memory: MemoryRecord, at: datetime) -> bool:
        """Whether it was said, or written, too lately to be dropped for its age."""
        if self.older_than is not None and memory.said_at >= ago(at, self.older_than):
            return True
        # An old chat that was imported yesterday had no time to be of use.
        last = max(memory.said_at, memory.recorded_at)
        return self.unused_for is not None and last >= ago(at, self.unused_for)


@dataclass(slots=True)
class Plan:
    """What shall become of one owner's memories."""

    at: datetime
    edits: list[tuple[Op, MemoryRecord, dict[str, Any]]] = field(
        default_factory=list[tuple[Op, MemoryRecord, dict[str, Any]]]
    )
    counts: Counter[str] = field(default_factory=Counter[str])
    reasons: list[str] = field(default_factory=list[str])
    left: list[LeftAlone] = field(default_factory=list[LeftAlone])

    def take(self, op: Op, memory: MemoryRecord, count: str | None, **fields: Any) -> None:
        """Change these fields of a memory."""
        self.edits.append((op, memory, fields))
        if count is not None:
            self.counts[count] += 1

    def spare(self, memory: MemoryRecord, *, pinned: bool = True) -> bool:
        """Whether a memory is left alone, which is noted."""
        reason = 'locked' if memory.locked else 'pinned' if memory.pinned and pinned else None
        if reason is not None:
            self.left.append(LeftAlone(memory, reason))
        return reason is not None

    def change(self, actor: str) -> Change | None:
        """All of it as one change; None when there is nothing to do."""
        if not self.edits:
            return None
        change_id = new_id()
        edits = tuple(
            Edit(
                op=op,
                before=before,
                after=replace(
                    before, version=before.version + 1, recorded_at=self.at, actor=actor, change_id=change_id, **fields
                ),
            )
            for op, before, fields in self.edits
        )
        return Change(id=change_id, edits=edits, actor=actor, reason='; '.join(self.reasons), at=self.at)


_Fill: TypeAlias = Callable[['Reach', Plan], Awaitable[None]]


async def clean(
    engine: Engine, reaches: Sequence[Reach], request: CleanRequest, *, dry_run: bool = False, by: str | None = None
) -> CleanResult:
    """Tidy what is within reach, on the account of somebody who was named.

    Raises:
        Conflict: Somebody kept writing; nothing was changed for the owner that this happened to.
    """

    async def fill(reach: Reach, plan: Plan) -> None:
        if request.expired:
            await expire(engine, reach, plan)
        dropped = await _drop(engine, reach, request, plan) if request.conditions else set[str]()
        if request.merge_duplicates:
            await _merge(engine, reach, plan, dropped)

    if request.unused_for is not None:
        await engine.store.save_uses()
    return await settle(engine, reaches, fill, actor=by or 'clean', dry_run=dry_run)


async def reset(
    engine: Engine, reaches: Sequence[Reach], *, kinds: object = None, dry_run: bool = False, by: str | None = None
) -> CleanResult:
    """Retract what belongs to the workspace, or all memories of some kinds. Locked ones are left alone.

    Raises:
        InvalidInput: No list of kinds.
        Conflict: As in `clean`.
    """
    chosen = _kinds(kinds)

    async def fill(reach: Reach, plan: Plan) -> None:
        where = None if chosen is None else Compare(Field('kind', 'text'), 'in', chosen)
        for memory in await every(engine, reach, where, plan.at):
            if (chosen is not None or is_workspace(memory)) and not plan.spare(memory, pinned=False):
                plan.take('retract', memory, 'reset', status='retracted', valid_to=None)
        # No words of the caller's: the reason outlives an erasure.
        plan.reasons.append('workspace' if chosen is None else 'kinds')

    return await settle(engine, reaches, fill, actor=by or 'reset', dry_run=dry_run)


def is_workspace(memory: MemoryRecord) -> bool:
    """Whether it is about the tools and the set-up of whom it belongs to: by its slot, or tagged `workspace`."""
    slot = memory.slot or ''
    return WORKSPACE_TAG in memory.tags or any(slot == s or slot.startswith(f'{s}.') for s in WORKSPACE_SLOTS)


async def settle(engine: Engine, reaches: Sequence[Reach], fill: _Fill, *, actor: str, dry_run: object) -> CleanResult:
    """Make each owner's plan, and commit it."""
    only_tell = check_flag('dry_run', dry_run)
    changes: list[Change] = []
    left: list[LeftAlone] = []
    counts: Counter[str] = Counter()
    for reach in reaches:
        for _ in range(MAX_TRIES):
            version = (await engine.store.snapshot(reach.owner)).owner_version
            plan = Plan(now())
            await fill(reach, plan)
            change = plan.change(actor)
            if change is None or only_tell or await _committed(engine, reach, change, version):
                break
        else:
            raise Conflict(f'these memories were changed by others {MAX_TRIES} times in a row: try again later')
        left += plan.left
        counts += plan.counts
        if change is not None:
            changes.append(change)
    return CleanResult(changes=tuple(changes), counts=dict(counts), left=tuple(left), dry_run=only_tell)


async def _committed(engine: Engine, reach: Reach, change: Change, version: int) -> bool:
    commit = Commit(
        owner=reach.owner,
        expect_version=version,
        change=change,
        writes=await engine.writes(change.edits, {}),  # no words are new, so no embedder is needed
    )
    try:
        await engine.store.commit(commit)
    except Conflict:
        return False
    return True


async def every(
    engine: Engine, reach: Reach, where: Filter | None, at: datetime, *, inactive: bool = False
) -> list[MemoryRecord]:
    """The memories within reach that meet a condition."""
    return await engine.store.every([reach], where=where, moment=Moment(now=at), inactive=inactive)


async def expire(engine: Engine, reach: Reach, plan: Plan) -> None:
    """What is past its `expires_at` gets the status `expired`."""
    where = All((_OPEN, Compare(Field('expires_at', 'time'), 'lte', plan.at)))
    for memory in await every(engine, reach, where, plan.at, inactive=True):
        if not plan.spare(memory):
            plan.take('expire', memory, 'expired', status='expired')
    if plan.counts['expired']:
        plan.reasons.append('expired')


async def _drop(engine: Engine, reach: Reach, request: CleanRequest, plan: Plan) -> set[str]:
    dropped: set[str] = set()
    for memory in await every(engine, reach, request.filter(plan.at), plan.at):
        if not request.too_fresh(memory, plan.at) and not plan.spare(memory):
            plan.take('retract', memory, 'dropped', status='retracted', valid_to=None)
            dropped.add(memory.id)
    if dropped:
        plan.reasons.append(f'dropped by {", ".join(request.conditions)}')
    return dropped


async def _merge(engine: Engine, reach: Reach, plan: Plan, dropped: set[str]) -> None:
    memories = [m for m in await every(engine, reach, None, plan.at) if m.id not in dropped]
    alike = await engine.compute(lambda: read(memories, engine.terms))
    texts = alike.texts if bridges(engine.embedder.name) else []
    vectors = dict(zip(texts, await engine.embed(texts), strict=True))
    spared = {one.memory.id for one in plan.left}
    for group in await engine.compute(lambda: alike.groups(vectors)):
        movable = [m for m in group if not m.pinned and not m.locked]
        for memory in group:
            if memory not in movable and memory.id not in spared:
                plan.spare(memory)
        if len(movable) < 2:
            continue
        best, others = movable[0], movable[1:]
        plan.take('confirm', best, None, **_supported(best, others))
        for memory in others:
            # Retracted, not superseded: nothing changed in the world, so `as_of` shall find the fact once.
            plan.take('retract', memory, 'merged', status='retracted', valid_to=None, superseded_by=best.id)
    if plan.counts['merged']:
        plan.reasons.append('merged duplicates')


def _supported(best: MemoryRecord, others: Sequence[MemoryRecord]) -> dict[str, Any]:
    """What the others lend to the best of them."""
    said = sorted(others, key=lambda m: m.said_at)
    evidence = tuple(dict.fromkeys((*best.evidence, *(e for m in said for e in m.evidence))))
    if len(evidence) > MAX_EVIDENCE:
        evidence = (evidence[0], *evidence[1 - MAX_EVIDENCE :])
    together = (best, *others)
    return {
        'evidence': evidence,
        'confidence': max(m.confidence for m in together),
        'importance': max(m.importance for m in together),
        'trust': min((m.trust for m in together), key=TIERS.index),
        'valid_from': min(m.valid_from for m in together),
        'said_at': max(m.said_at for m in together),
        'tags': tuple(dict.fromkeys(t for m in together for t in m.tags)),
    }


def ago(at: datetime, duration: timedelta) -> datetime:
    """So long before; before all times when it is that long."""
    try:
        return at - duration
    except OverflowError:
        return datetime.min.replace(tzinfo=at.tzinfo)


def _duration(name: str, value: object) -> timedelta | None:
    if value is None:
        return None
    if not isinstance(value, timedelta) or value <= timedelta(0):
        raise InvalidInput(f'{name}={shown(value)} is not a duration: pass a positive one, such as timedelta(days=90)')
    return value


def _kinds(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    listed = cast('Sequence[object]', value) if isinstance(value, Sequence | set | frozenset) else ()
    if isinstance(value, str) or not listed:
        raise InvalidInput(
            f"kinds={shown(cast('object', value))} is not a list of kinds: pass one such as ['event'], or leave it out"
        )
    return tuple(dict.fromkeys(check_kind(kind) for kind in listed))
