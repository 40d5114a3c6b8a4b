"""Undoing a change: a compensating change, which leaves every version that was ever believed where it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from memoranda.errors import Conflict, MemoryNotFound, shown
from memoranda.records import Change, Edit, MemoryRecord, new_id, now
from memoranda.scope import Owner, Reach
from memoranda.stores.base import Commit

if TYPE_CHECKING:
    from memoranda.engine import Engine

__all__ = ['revert']

MAX_TRIES: Final = 20
MAX_NAMED: Final = 5


class _Blocked(Exception):
    """Later changes stand on what shall be undone."""

    def __init__(self, changes: tuple[str, ...]) -> None:
        super().__init__(*changes)
        self.changes = changes


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
        owner, first = await _owned(engine, change_id, project, reaches)
        version = (await engine.store.snapshot(owner)).owner_version
        undone = {first.id: first}
        while True:
            try:
                edits = await _undo(engine, owner, undone.values(), project)
                break
            except _Blocked as blocked:
                if not cascade:
                    raise Conflict(_explain(first, blocked.changes)) from None
                for other in blocked.changes:
                    _, undone[other] = await _owned(engine, other, project, reaches)
        if not edits:
            raise Conflict(f'change {first.id} is undone already: its memories are as they were before it')
        done = _stamped(edits, undone, actor)
        commit = Commit(
            owner=owner,
            expect_version=version,
            change=done,
            writes=await engine.writes(done.edits, {}),
            generation=generation.id if (generation := await engine.ensure_generation()) else None,
        )
        try:
            await engine.store.commit(commit)
        except Conflict:
            continue  # somebody wrote meanwhile: look again
        return done
    raise Conflict(f'change {change_id} met a concurrent change {MAX_TRIES} times: try again')


async def _owned(engine: Engine, change_id: str, project: str, reaches: Sequence[Reach] | None) -> tuple[Owner, Change]:
    found = await engine.store.change(change_id, project=project)
    if found is None or (reaches is not None and not _within(*found, reaches)):
        raise MemoryNotFound(f'change {shown(change_id)} does not exist in this scope: changes() lists them')
    owner, change = found
    if change.erased:
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


async def _undo(engine: Engine, owner: Owner, changes: Iterable[Change], project: str) -> list[Edit]:
    """The edits that take these changes back.

    Raises:
        _Blocked: Other changes have to be taken back first.
    """
    undone = {c.id for c in changes}
    # What a memory was before the first of them that touched it.
    first: dict[str, Edit] = {}
    last: dict[str, int] = {}
    for change in sorted(changes, key=lambda c: c.id):
        for edit in change.edits:
            known = first.get(edit.memory_id)
            if known is None or edit.after.version < known.after.version:
                first[edit.memory_id] = edit
            last[edit.memory_id] = max(last.get(edit.memory_id, 0), edit.after.version)
    edits: list[Edit] = []
    blocking: set[str] = set()
    for memory_id, edit in first.items():
        versions = await engine.store.versions(memory_id, project=project)
        latest = versions[-1]
        standing = next(v for v in versions if v.version == last[memory_id])
        back = edit.before or replace(edit.after, status='retracted', valid_to=None)
        if _fields(latest) == _fields(back):
            continue
        if _fields(latest) != _fields(standing):
            blocking.update(v.change_id for v in versions if v.version > edit.after.version)
            continue
        op = 'retract' if edit.before is None else 'restore'
        edits.append(Edit(op=op, before=latest, after=replace(back, version=latest.version + 1, retired_at=None)))
    blocking.update(await _in_the_way(engine, owner, edits, project))
    if blocking - undone:
        raise _Blocked(tuple(sorted(blocking - undone)))
    return edits


async def _in_the_way(engine: Engine, owner: Owner, edits: Sequence[Edit], project: str) -> set[str]:
    """The changes that gave what comes back a successor: another memory with its words, or in its slot."""
    returning = {_key(e.after): e.after for e in edits if _open(e.after)}
    touched = {e.memory_id for e in edits}
    if not returning:
        return set()
    snapshot = await engine.store.snapshot(
        owner,
        hashes=list({m.hash for m in returning.values()}),
        slots=list({m.slot for m in returning.values() if m.slot is not None}),
    )
    changes: set[str] = set()
    for memory in snapshot.memories:
        if memory.id in touched or not _open(memory):
            continue
        if any(_clash(memory, m) for m in returning.values()):
            # From the version on that made it current.
            for version in reversed(await engine.store.versions(memory.id, project=project)):
                changes.add(version.change_id)
                if not _open(version) or not any(_clash(version, m) for m in returning.values()):
                    break
    return changes


def _key(memory: MemoryRecord) -> tuple[Any, ...]:
    return (memory.id, memory.version)


def _open(memory: MemoryRecord) -> bool:
    """Whether the constraints that keep facts and slots single hold it."""
    return memory.status == 'active' and memory.valid_to is None


def _clash(a: MemoryRecord, b: MemoryRecord) -> bool:
    if (a.level, a.scope) != (b.level, b.scope):
        return False
    return a.hash == b.hash or (a.slot is not None and a.slot == b.slot)


_BOOKKEEPING: Final = ('version', 'recorded_at', 'retired_at', 'change_id', 'actor')


def _fields(memory: MemoryRecord) -> Mapping[str, Any]:
    """What a memory says, without who wrote which version when."""
    names = MemoryRecord.__dataclass_fields__
    return {name: getattr(memory, name) for name in names if name not in _BOOKKEEPING}


def _stamped(edits: Sequence[Edit], undone: Mapping[str, Change], actor: str) -> Change:
    at: datetime = now()
    change_id = new_id()
    reason = f'revert of {", ".join(sorted(undone))}'
    stamped = [replace(e, after=replace(e.after, recorded_at=at, change_id=change_id, actor=actor)) for e in edits]
    return Change(id=change_id, edits=tuple(stamped), actor=actor, reason=reason, at=at)


def _explain(change: Change, later: Sequence[str]) -> str:
    named = ', '.join(later[:MAX_NAMED]) + (f' and {len(later) - MAX_NAMED} more' if len(later) > MAX_NAMED else '')
    return (
        f'change {change.id} cannot be reverted alone, because later changes depend on it ({named}): '
        'revert those first, or pass cascade=True to revert them with it'
    )
