"""What approving a proposal does to the memories as they are now. Pure and deterministic, like `consolidate`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from memoranda.records import Edit, Episode, MemoryRecord, fact_hash
from memoranda.scope import Owner
from memoranda.stores.data import Pending, Snapshot
from memoranda.write.consolidate import Consolidation
from memoranda.write.extract import Proposal
from memoranda.write.guard import Candidate
from memoranda.write.waiting import ASKS

__all__ = ['Approval', 'approve', 'hashes_of', 'turn_down']


@dataclass(frozen=True, slots=True)
class Approval:
    """What approving a proposal changes."""

    edits: tuple[Edit, ...]
    """The first is of the proposal itself."""
    merged_into: str | None
    """The memory that says the same already, and got its evidence."""
    notes: tuple[str, ...]
    """Why less is changed than was proposed: codes as in `AddResult.skipped`."""


def hashes_of(memory: MemoryRecord) -> list[str]:
    """What a memory that says the same may be stored under."""
    return list({fact_hash(memory.text, slot) for slot in (None, memory.slot)})


def approve(
    pending: Pending,
    snapshot: Snapshot,
    *,
    owner: Owner,
    change_id: str,
    at: datetime,
    corrected: MemoryRecord | None = None,
) -> Approval:
    """Decide what a proposal does now that a person has approved it.

    The rules are those of `consolidate`, but for two: a person may overwrite what a person has edited, and what was
    turned down or taken back before may come in again. A fact that holds no longer enters as history.

    Args:
        pending: What was proposed.
        snapshot: The memories it may touch.
        owner: Whose they are.
        change_id: Of the change these edits become.
        at: When the change is recorded.
        corrected: The memory with the words that the person gave it instead.
    """
    state = _Approving(pending, snapshot, owner, change_id, at, corrected)
    note, memory = pending.note, corrected or pending.memory
    asks = note.op in ASKS
    proposal = Proposal(
        op=note.op,
        text='' if asks else memory.text,
        kind=memory.kind,
        slot=memory.slot,
        value=memory.value,
        target=note.target,
        level='run' if memory.level == 'run' else None,
        confidence=memory.confidence,
        importance=memory.importance,
        valid_from=None if asks else memory.valid_from,
        valid_to=None if asks else memory.valid_to,
        expires_at=memory.expires_at,
        tags=memory.tags,
        metadata=memory.metadata,
        pinned=memory.pinned,
    )
    said = Episode(
        id='',
        project=memory.project,
        scope=memory.said_under,
        conversation_id='',
        seq=0,
        role='user',
        text='',
        occurred_at=memory.said_at,
        recorded_at=memory.recorded_at,
        trust=memory.trust,
    )
    state.take(Candidate(proposal, memory.evidence, memory.trust, said))
    return state.approval()


def turn_down(pending: Pending, *, change_id: str, at: datetime) -> Edit:
    """The edit that turns a proposal down."""
    return _of(pending, op='reject', status='rejected', change_id=change_id, at=at)


def _of(pending: Pending, *, op: Literal['approve', 'reject'], change_id: str, at: datetime, **fields: object) -> Edit:
    held = pending.memory
    after = replace(
        held,
        version=held.version + 1,
        recorded_at=at,
        change_id=change_id,
        actor='user',
        **fields,  # pyright: ignore[reportArgumentType]
    )
    return Edit(op=op, before=held, after=after)


class _Approving(Consolidation):
    """Takes one proposal, whose memory keeps its id."""

    def __init__(
        self,
        pending: Pending,
        snapshot: Snapshot,
        owner: Owner,
        change_id: str,
        at: datetime,
        corrected: MemoryRecord | None,
    ) -> None:
        others = replace(
            snapshot,
            memories=[m for m in snapshot.memories if m.id != pending.memory.id],
            pending=(),  # proposals don't answer each other
        )
        super().__init__(others, owner, 'user', change_id, at)
        self._pending, self._corrected = pending, corrected
        self._merged_into: str | None = None

    def approval(self) -> Approval:
        """What it has come to."""
        own = self.edits.pop(self._pending.memory.id, None)
        if own is None:  # nothing is left to believe: it only leaves the queue
            own = _of(
                self._pending,
                op='approve',
                change_id=self._change_id,
                at=self._at,
                status='retracted',
                valid_to=None,
                superseded_by=self._merged_into,
            )
        return Approval((own, *self.edits.values()), self._merged_into, tuple(self.skipped))

    def _new(self, candidate: Candidate, target: MemoryRecord | None) -> MemoryRecord:
        memory = self._corrected or self._pending.memory
        return replace(
            memory,
            version=self._pending.memory.version + 1,
            status='active',
            recorded_at=self._at,
            change_id=self._change_id,
            actor=self._actor,
        )

    def _settled(self, new: MemoryRecord, same: MemoryRecord | None) -> str | None:
        return None

    def _is_locked(self, memory: MemoryRecord) -> bool:
        return False

    def _enter(self, new: MemoryRecord) -> None:
        ends = self._ends_of(new) if new.status == 'active' else []
        if ends and self._corrected is None:  # it was taken back after it was said
            new = replace(new, status='retracted', valid_to=max(min(ends), new.valid_from))
        self._put(Edit(op='approve', before=self._pending.memory, after=new))

    def _confirm(self, memory: MemoryRecord, candidate: Candidate) -> None:
        self._merged_into = memory.id
        super()._confirm(memory, candidate)
        if self._corrected is not None and not memory.locked:
            held = self.edits[memory.id].after if memory.id in self.edits else memory
            self._edit('confirm', held, locked=True)
