"""Undoing a change: a compensating change, which leaves every version that was ever believed where it was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from memoranda.errors import Conflict, MemoryNotFound, shown
from memoranda.filters import All, Compare, Field
from memoranda.records import Change, Edit, MemoryRecord, new_id, now
from memoranda.scope import Owner, Reach
from memoranda.stores.data import Clash, Commit, Moment

if TYPE_CHECKING:
    from memoranda.engine import Engine

__all__ = ['revert']

MAX_TRIES: Final = 20
MAX_NAMED: Final = 5


class _Moved(Exception):
    """What was read before is no longer there: somebody erased it meanwhile."""


async def revert(
    engine: Engine, change_id: str, *, project: str, reaches: Sequence[Reach] | None, cascade: bool, actor: str
) -> Change:
    """Undo a change, in one new change.

    What it added is retracted, as never having held; what it altered is again as it was before. Memories that were
    altered later, or that later took the place of what comes back, stand in the way: with `cascade` the changes that
    did so are undone with it, otherwise nothing is.

    Args:
        engine: Where it was made.
        change_id: Which.
        project: The tenant.
        reaches: What the caller may touch; None: everything in the project.
        cascade: Undo later changes that depend on it too.
        actor: Who asks.

    Raises:
        MemoryNotFound: No such change within reach.
        Conflict: Later changes depend on it, or some of its words were erased.
    """
    for _ in range(MAX_TRIES):
        owner, first = await _found(engine, change_id, project, reaches)
        version = (await engine.store.snapshot(owner)).owner_version
        plan = _Plan(engine, owner, project)
        try:
            await _complete(plan, first, reaches, cascade)
        except _Moved:
            continue
        edits = plan.edits()
        if not edits:
            raise Conflict(f'change {first.id} is undone already: its memories are as they were before it')
        done = _stamped(edits, first, plan.undone, actor)
        generation = await engine.ensure_generation()
        commit = Commit(
            owner=owner,
            expect_version=version,
            change=done,
            writes=await engine.writes(done.edits, {}),
            generation=generation.id if generation else None,
        )
        try:
            await engine.store.commit(commit)
        except Clash as error:  # nobody wrote meanwhile: it would fail again
            raise Conflict(await _refused(engine, owner, first, done.edits)) from error
        except Conflict:
            continue
        return done
    raise Conflict(f'change {change_id} met a concurrent change {MAX_TRIES} times: try again')


async def _complete(plan: _Plan, first: Change, reaches: Sequence[Reach] | None, cascade: bool) -> None:
    """Take in the changes that have to be undone with the first."""
    plan.add(first)
    while blocking := await plan.blocking():
        if not cascade:
            raise Conflict(_explain(first, sorted(blocking)))
        for other in blocking:
            try:
                plan.add((await _found(plan.engine, other, plan.project, reaches))[1])
            except MemoryNotFound as error:
                raise Conflict(
                    f'change {first.id} cannot be reverted from this scope, because change {other} depends on it and '
                    'touched memories outside: revert it from a scope that holds both'
                ) from error


async def _found(engine: Engine, change_id: str, project: str, reaches: Sequence[Reach] | None) -> tuple[Owner, Change]:
    found = await engine.store.change(change_id, project=project)
    if found is None or (reaches is not None and not _within(*found, reaches)):
        raise MemoryNotFound(f'change {shown(change_id)} does not exist in this scope: list the changes for their ids')
    owner, change = found
    # A version without the one before it: what the memory was before this change is gone.
    if change.erased or any(e.before is None and e.after.version > 1 for e in change.edits):
        raise Conflict(
            f'change {change.id} touched memories that were erased since, and what was erased does not come back: '
            'correct what is left by update() or delete()'
        )
    return owner, change


def _within(owner: Owner, change: Change, reaches: Sequence[Reach]) -> bool:
    """Whether all of it may be touched."""
    mine = [r for r in reaches if r.owner == owner]
    runs = {e.after.scope.run_key(e.after.level) for e in change.edits}
    return bool(mine) and all(any(r.sees(run) for r in mine) for run in runs)


@dataclass(frozen=True, slots=True)
class _Goal:
    """What shall become of a memory that an undone change has touched."""

    latest: MemoryRecord
    back: MemoryRecord
    """As it was before the first of them."""
    added: bool
    """Whether the first of them added it."""
    left_at: datetime
    """When it ceased to be so."""

    @property
    def edit(self) -> Edit | None:
        """What leads there; None when it is so already."""
        if _same(self.latest, self.back):
            return None
        after = replace(self.back, version=self.latest.version + 1, retired_at=None)
        return Edit(op='retract' if self.added else 'restore', before=self.latest, after=after)


@dataclass(frozen=True, slots=True)
class _Held:
    """For how long, by the clock of the records, a memory stood where another one comes back."""

    since: datetime
    until: datetime | None
    changes: tuple[str, ...]
    """What made it stand there, and altered it since."""


class _Plan:
    """The changes to undo, and what the memories they touched go back to.

    Grows change by change. Whatever is read is read once, and only what the last changes touched is looked at again.
    """

    def __init__(self, engine: Engine, owner: Owner, project: str) -> None:
        self.engine, self.owner, self.project = engine, owner, project
        self.undone: dict[str, Change] = {}
        self._at = now()
        self._touched: defaultdict[str, dict[int, Edit]] = defaultdict(dict)
        """Of each memory, the versions that the changes to undo have made."""
        self._goals: dict[str, _Goal] = {}
        self._latest: dict[str, MemoryRecord] = {}
        self._versions: dict[str, Sequence[MemoryRecord]] = {}
        self._places: defaultdict[Hashable, dict[str, MemoryRecord]] = defaultdict(dict)
        """What will hold each place (words, or a slot), as far as that is known."""
        self._seen: set[Hashable] = set()
        """The places whose present holders are known."""
        self._unsettled: dict[str, None] = {}
        """Memories to look at for later versions."""
        self._unplaced: dict[str, None] = {}
        """Memories to look at for others in their place."""

    def add(self, change: Change) -> None:
        """Undo this one too."""
        self.undone[change.id] = change
        for edit in change.edits:
            self._touched[edit.memory_id][edit.after.version] = edit
            self._unsettled[edit.memory_id] = None

    def edits(self) -> list[Edit]:
        """What undoes them."""
        return [edit for goal in self._goals.values() if (edit := goal.edit) is not None]

    async def blocking(self) -> set[str]:
        """Further changes that have to be undone; none when the plan is complete."""
        return await self._later() or await self._rivals()

    async def _later(self) -> set[str]:
        """The changes that altered what was touched, and were not taken back since."""
        ids = list(self._unsettled)
        self._unsettled.clear()
        if unread := [i for i in ids if i not in self._latest]:
            found = await self.engine.store.snapshot(self.owner, latest=unread)
            self._latest.update((m.id, m) for m in found.memories)
        blocking: set[str] = set()
        for memory_id in ids:
            made = self._touched[memory_id]
            if memory_id not in self._latest:
                raise _Moved
            first, latest = made[min(made)], self._latest[memory_id]
            back = first.before or replace(first.after, status='retracted', valid_to=None)
            goal = _Goal(latest, back, first.before is None, first.after.recorded_at)
            self._aim(memory_id, goal)
            if latest.version - first.after.version + 1 > len(made) and not _same(latest, back):
                blocking |= _unmatched(await self._all(memory_id), made)
        return blocking - self.undone.keys()

    def _aim(self, memory_id: str, goal: _Goal) -> None:
        for known in (self._latest[memory_id], *([self._goals[memory_id].back] if memory_id in self._goals else ())):
            for place in _places(known):
                self._places[place].pop(memory_id, None)
        self._goals[memory_id] = goal
        if _lasts(goal.back, self._at):
            for place in _places(goal.back):
                self._places[place][memory_id] = goal.back
            self._unplaced[memory_id] = None

    async def _rivals(self) -> set[str]:
        """The changes that gave what comes back a successor: another memory with its words, or in its slot."""
        goals = {i: self._goals[i] for i in self._unplaced}
        returning = {i: g.back for i, g in goals.items() if _lasts(g.back, self._at) and g.edit is not None}
        self._unplaced.clear()
        await self._look_up(returning.values())
        blocking: set[str] = set()
        for memory_id, back in returning.items():
            others = {i: m for place in _places(back) for i, m in self._places[place].items() if i != memory_id}
            for other in others.values():
                if _clash(back, other, self._at):
                    blocking |= await self._in_the_way(back, other)
        return blocking

    async def _look_up(self, returning: Iterable[MemoryRecord]) -> None:
        """Read who holds these places now."""
        unseen = [m for m in returning if any(place not in self._seen for place in _places(m))]
        if not unseen:
            return
        snapshot = await self.engine.store.snapshot(
            self.owner,
            hashes=list({m.hash for m in unseen}),
            slots=list({m.slot for m in unseen if m.slot is not None}),
        )
        found = list(snapshot.memories)
        if any(m.slot is None for m in unseen):
            found += await self._ending()
        places = {place for m in unseen for place in _places(m)}
        self._seen |= places
        for memory in found:
            if memory.id not in self._goals and _lasts(memory, self._at):
                self._latest[memory.id] = memory
                for place in places.intersection(_places(memory)):
                    self._places[place][memory.id] = memory

    async def _ending(self) -> list[MemoryRecord]:
        """What holds now and until a known day: a store finds no words of these by their hash."""
        where = All((Compare(Field('status', 'choice'), 'eq', 'active'), Compare(_VALID_TO, 'gt', self._at)))
        return await self.engine.store.every(
            [Reach(self.owner)], where=where, moment=Moment(now=self._at), inactive=True
        )

    async def _in_the_way(self, back: MemoryRecord, other: MemoryRecord) -> set[str]:
        """Of two that can't stand side by side, the changes that brought the later one; none when they once did."""
        if await self._stood_beside(back, other) or await self._stood_beside(other, back):
            return set()
        ours, theirs = await self._holding(back, other), await self._holding(other, back)
        later = ours if theirs.until is not None and ours.since >= theirs.until else theirs
        return set(later.changes)

    async def _stood_beside(self, memory: MemoryRecord, other: MemoryRecord) -> bool:
        """Whether they clashed already when a memory was last as it shall be again: then this is how it was."""
        goal = self._goals.get(memory.id)
        if goal is None:
            return False
        return any(
            v.recorded_at < goal.left_at <= (v.retired_at or goal.left_at) and _clash(v, memory, self._at)
            for v in await self._all(other.id)
        )

    async def _holding(self, memory: MemoryRecord, against: MemoryRecord) -> _Held:
        """Since when, without a break up to the state planned for it, a memory clashes with another."""
        versions = await self._all(memory.id)
        goal = self._goals.get(memory.id)
        made = self._touched.get(memory.id)
        standing = [v for v in versions if made is None or v.version < min(made)]
        run: list[MemoryRecord] = []
        for version in reversed(standing):
            if not _clash(version, against, self._at):
                break
            run.append(version)
        if not run:
            raise _Moved
        return _Held(run[-1].recorded_at, goal.left_at if goal else None, tuple(v.change_id for v in run))

    async def _all(self, memory_id: str) -> Sequence[MemoryRecord]:
        if memory_id not in self._versions:
            self._versions[memory_id] = await self.engine.store.versions(memory_id, project=self.project)
        return self._versions[memory_id]


_VALID_TO: Final = Field('valid_to', 'time')


def _unmatched(versions: Sequence[MemoryRecord], undone: Collection[int]) -> set[str]:
    """The changes between and after the ones to undo, as far as they left the memory another than they found it.

    What was changed and taken back since is in nobody's way.
    """
    blocking: set[str] = set()
    between: list[MemoryRecord] = []
    held: MemoryRecord | None = None
    for version in versions:
        if version.version in undone:
            if held is not None and between and not _same(between[-1], held):
                blocking.update(v.change_id for v in between)
            held, between = version, []
        elif held is not None:
            between.append(version)
    if held is None:
        raise _Moved
    if between and not _same(between[-1], held):
        blocking.update(v.change_id for v in between)
    return blocking


def _lasts(memory: MemoryRecord, at: datetime) -> bool:
    """Whether it holds, or will hold, at some moment from now on."""
    if memory.status != 'active':
        return False
    if memory.valid_to is None:  # the constraints that keep facts and slots single hold it, expired or not
        return True
    return memory.valid_to > at and (memory.expires_at is None or memory.expires_at > at)


def _clash(a: MemoryRecord, b: MemoryRecord, at: datetime) -> bool:
    """Whether from now on both would hold in one place at one time."""
    if not (_lasts(a, at) and _lasts(b, at)) or not set(_places(a)).intersection(_places(b)):
        return False
    return (b.valid_to is None or a.valid_from < b.valid_to) and (a.valid_to is None or b.valid_from < a.valid_to)


def _places(memory: MemoryRecord) -> tuple[Hashable, ...]:
    """What only one memory of a level can have: its words, and its slot."""
    level = (memory.level, memory.scope)
    words = (*level, 'words', memory.hash)
    return (words,) if memory.slot is None else (words, (*level, 'slot', memory.slot))


_BOOKKEEPING: Final = ('version', 'recorded_at', 'retired_at', 'change_id', 'actor')
_CONTENT: Final = tuple(name for name in MemoryRecord.__dataclass_fields__ if name not in _BOOKKEEPING)


def _same(a: MemoryRecord, b: MemoryRecord) -> bool:
    """Whether both say the same, whoever wrote which version when."""
    return all(getattr(a, name) == getattr(b, name) for name in _CONTENT)


def _stamped(edits: Sequence[Edit], first: Change, undone: Collection[str], actor: str) -> Change:
    at: datetime = now()
    change_id = new_id()
    others = sorted(i for i in undone if i != first.id)
    reason = f'revert of {_named([first.id, *others])}'
    stamped = [replace(e, after=replace(e.after, recorded_at=at, change_id=change_id, actor=actor)) for e in edits]
    return Change(id=change_id, edits=tuple(stamped), actor=actor, reason=reason, at=at)


def _named(ids: Sequence[str]) -> str:
    return ', '.join(ids[:MAX_NAMED]) + (f' and {len(ids) - MAX_NAMED} more' if len(ids) > MAX_NAMED else '')


def _explain(change: Change, later: Sequence[str]) -> str:
    return (
        f'change {change.id} cannot be reverted alone, because later changes depend on it ({_named(later)}): '
        'revert those first, or pass cascade=True (--cascade) to revert them with it'
    )


async def _refused(engine: Engine, owner: Owner, first: Change, edits: Sequence[Edit]) -> str:
    """What to say when the store took the edits for a contradiction, though nothing was written meanwhile."""
    at = now()
    returning = [e.after for e in edits if _lasts(e.after, at)]
    touched = {e.memory_id for e in edits}
    snapshot = await engine.store.snapshot(
        owner,
        hashes=list({m.hash for m in returning}),
        slots=list({m.slot for m in returning if m.slot is not None}),
    )
    others = [*(m for m in snapshot.memories if m.id not in touched), *returning]
    holders = sorted({o.id for m in returning for o in others if o.id != m.id and _clash(m, o, at)})
    return (
        f'change {first.id} cannot be reverted, because what it would bring back has its words or its slot taken by '
        f'memory {_named(holders) or "unknown"}, and no later change says so: delete or update that memory first'
    )
