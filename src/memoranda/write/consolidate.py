"""The last word on what is believed: candidates and existing memories -> edits. Pure and deterministic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from memoranda.records import Edit, MemoryRecord, Op, ReviewNote, ReviewOp, fact_hash, new_id
from memoranda.scope import Level, Owner, Scope
from memoranda.stores.data import Snapshot
from memoranda.write.guard import TIERS, Candidate
from memoranda.write.known import same_level
from memoranda.write.waiting import MAX_EVIDENCE, Waiting, with_evidence

__all__ = ['MAX_EVIDENCE', 'Consolidation', 'Decision', 'consolidate', 'level_of']


@dataclass(frozen=True, slots=True)
class Decision:
    """What shall change."""

    edits: tuple[Edit, ...]
    skipped: Mapping[str, int]


def level_of(candidate: Candidate, owner: Owner) -> Level:
    """The level a fact is stored at: the extractor may choose the run's instead of the user's, nothing else."""
    wanted = candidate.proposal.level
    if owner.kind == 'user' and wanted == 'run' and candidate.said.scope.run_id is not None:
        return 'run'
    return owner.kind


def consolidate(
    candidates: Sequence[Candidate],
    snapshot: Snapshot,
    *,
    owner: Owner,
    actor: str,
    change_id: str,
    at: datetime,
    review: bool = True,
    most_waiting: int | None = None,
) -> Decision:
    """Decide what each candidate does to the owner's memories.

    - Same words: the memory is confirmed; its evidence grows, its trust may rise.
    - Same slot: the value that was said later wins, whenever it arrived; an older one enters as history, closed at
      the start of the next.
    - A target named by the extractor must be a current memory of the same level; otherwise it is ignored and counted.
    - Memories a person edited are never overwritten: what contradicts them waits for a person, as does every candidate
      that has to (`pending`). What a person turned down is not proposed again.

    Args:
        candidates: In the order they were said.
        snapshot: Current memories they may touch, with the history of their slots.
        owner: Whose they are.
        actor: Recorded with every edit.
        change_id: Of the change these edits become.
        at: When the change is recorded.
        review: Whether anybody reviews; without, what would have to wait is dropped and counted under its reason.
        most_waiting: So many proposals from one source may wait; further ones are dropped and counted.
    """
    state = Consolidation(snapshot, owner, actor, change_id, at, review=review, most=most_waiting)
    for candidate in candidates:
        state.take(candidate)
    return Decision(tuple(state.edits.values()), dict(state.skipped))


class Consolidation(Waiting):
    """The memories as they will be, edit by edit."""

    def __init__(
        self,
        snapshot: Snapshot,
        owner: Owner,
        actor: str,
        change_id: str,
        at: datetime,
        *,
        review: bool = True,
        most: int | None = None,
    ) -> None:
        super().__init__(snapshot, review=review, most=most)
        self._owner, self._actor, self._change_id, self._at = owner, actor, change_id, at
        self.edits: dict[str, Edit] = {}

    def take(self, candidate: Candidate) -> None:
        """Let a candidate change what it does."""
        op = candidate.proposal.op
        if op in ('confirm', 'retract'):
            if (target := self._target(candidate)) is None:
                return
            if candidate.pending:
                self._ask(op, target, candidate, candidate.reasons)
            elif op == 'confirm':
                self._confirm(target, candidate)
            else:
                self._retract(target, candidate)
            return
        target = self._target(candidate) if op in ('supersede', 'correct') and candidate.proposal.target else None
        new = self._new(candidate, target)
        same = self._same(new)
        if (reason := self._settled(new, same)) is not None:
            self.skipped[reason] += 1
            return
        locked = self._overwritten(new, same, target)
        about = target or locked
        if candidate.pending and same is not None and (target is None or target.id == same.id):
            self.skipped['known'] += 1
        elif candidate.pending or locked is not None:
            waits: ReviewOp = 'add' if about is None else 'correct' if op == 'correct' else 'supersede'
            reasons = (*candidate.reasons, *(('locked',) if locked is not None else ()))
            self._wait(new, ReviewNote(op=waits, target=None if about is None else about.id, reasons=reasons))
        else:
            self._believe(new, same, target, candidate)

    def _believe(
        self, new: MemoryRecord, same: MemoryRecord | None, target: MemoryRecord | None, candidate: Candidate
    ) -> None:
        op = candidate.proposal.op
        if same is not None:
            if _gains_slot(same, new):
                self._give_slot(same, new)
            else:
                self._confirm(same, candidate)
                new = replace(new, id=same.id)
            if target is not None and target.id != same.id:
                self._retire(target, new, op)
        elif target is None or (op == 'supersede' and target.slot is not None and target.slot == new.slot):
            self._slot_or_add(new)
        else:
            self._replace(target, new, op)

    def _settled(self, new: MemoryRecord, same: MemoryRecord | None) -> str | None:
        """Why there is nothing to decide about it."""
        if same is None and self._is_rejected(new):
            return 'rejected before'
        if self._is_known(new):
            return 'known'
        return 'older' if self._ends_of(new) else None

    def _retract(self, target: MemoryRecord, candidate: Candidate) -> None:
        said = candidate.said.occurred_at
        if said < target.said_at:  # an older chat, imported later
            self.skipped['older'] += 1
        elif self._is_locked(target):
            self._ask('retract', target, candidate, ('locked',))
        else:
            self._edit('retract', target, status='retracted', valid_to=max(said, target.valid_from))

    def _replace(self, target: MemoryRecord, new: MemoryRecord, op: str) -> None:
        if target.said_at > new.said_at:
            if op == 'correct':
                self.skipped['older'] += 1
            else:
                self._enter(self._ended(new, target))
            return
        self._retire(target, new, op)
        since = target.valid_from if op == 'correct' else new.valid_from
        self._slot_or_add(replace(new, valid_from=since, supersedes=target.id))

    def _retire(self, target: MemoryRecord, new: MemoryRecord, op: str) -> None:
        if target.said_at > new.said_at:
            return
        if op == 'correct':
            # It never held: a version that says until when would be found in the past.
            self._edit('correct', target, status='retracted', valid_to=None, superseded_by=new.id)
        else:
            self._edit('supersede', target, **self._until(target, new))

    def _new(self, candidate: Candidate, target: MemoryRecord | None) -> MemoryRecord:
        proposal = candidate.proposal
        slot = target.slot if target is not None and proposal.slot is None else proposal.slot
        level = target.level if target is not None else level_of(candidate, self._owner)
        text = ' '.join(proposal.text.split())
        said = candidate.said.scope
        return MemoryRecord(
            id=new_id(),
            version=1,
            project=self._owner.project,
            level=level,
            scope=_level_scope(self._owner, level, said),
            said_under=said,
            text=text,
            kind=proposal.kind,
            slot=slot,
            value=proposal.value if slot is not None else None,
            confidence=proposal.confidence,
            importance=proposal.importance,
            trust=candidate.trust,
            valid_from=_began(candidate),
            valid_to=proposal.valid_to,
            said_at=candidate.said.occurred_at,
            recorded_at=self._at,
            expires_at=proposal.expires_at,
            evidence=candidate.evidence,
            metadata=proposal.metadata,
            tags=proposal.tags,
            pinned=proposal.pinned,
            actor=self._actor,
            change_id=self._change_id,
            hash=fact_hash(text, slot),
        )

    def _same(self, new: MemoryRecord) -> MemoryRecord | None:
        """A current memory that says the same: the same words, in order, without idle ones."""
        hashes = {new.hash, fact_hash(new.text)}
        found: MemoryRecord | None = None
        for memory in self._known.alike(new):
            if memory.status != 'active' or not same_level(memory, new) or not self._same_time(memory, new):
                continue
            if memory.hash == new.hash:
                found = memory
                break
            if memory.hash in hashes or (new.slot is None and fact_hash(memory.text) == new.hash):
                found = found or memory  # once with its slot, once without
            elif memory.kind == new.kind and memory.slot == new.slot and self._known.same_words(memory, new):
                found = found or memory
        return None if found is None or self._changed_between(new.said_at, found) else found

    def _is_known(self, new: MemoryRecord) -> bool:
        """Whether the same words were drawn from the same messages before, whatever has become of them since."""
        spans = {(e.episode_id, e.start, e.end) for e in new.evidence}
        return any(
            m.hash == new.hash and same_level(m, new) and spans <= {(e.episode_id, e.start, e.end) for e in m.evidence}
            for m in self._known.alike(new)
        )

    def _ends_of(self, new: MemoryRecord) -> list[datetime]:
        """When the same fact was taken back after this was said, in messages that came in before it."""
        return [
            m.valid_to
            for m in self._known.alike(new)
            if (m.status == 'retracted' or (m.status == 'superseded' and m.slot is None))
            and m.valid_to is not None
            and new.said_at < m.valid_to
            and same_level(m, new)
            and (m.hash == new.hash or (m.slot == new.slot and self._known.same_words(m, new)))
        ]

    def _same_time(self, memory: MemoryRecord, new: MemoryRecord) -> bool:
        """Whether both still hold, or both ended together."""
        return memory.valid_to == new.valid_to or (
            not _over(new) and (memory.valid_to is None or memory.valid_to > self._at)
        )

    def _changed_between(self, said_at: datetime, held: MemoryRecord) -> bool:
        """Whether its slot held something else after this was said: then this is history, not a confirmation."""
        return (
            held.slot is not None
            and said_at < held.said_at
            and any(said_at < m.said_at < held.said_at and m.id != held.id for m in self._chain(held))
        )

    def _target(self, candidate: Candidate) -> MemoryRecord | None:
        target = self._known.get(candidate.proposal.target or '')
        seen: set[str] = set()
        # Another proposal, or another writer, may have been faster: what took its place is meant then.
        while target is not None and target.status == 'superseded' and target.id not in seen:
            seen.add(target.id)
            target = self._known.get(target.superseded_by or '')
        if target is None or target.status != 'active':
            self.skipped['unknown target'] += 1
            return None
        elsewhere = target.level == 'run' and target.scope.run_id not in (None, candidate.said.scope.run_id)
        wanted = candidate.proposal.level
        if elsewhere or (wanted is not None and level_of(candidate, self._owner) != target.level):
            self.skipped['target of another level'] += 1
            return None
        return target

    def _slot_or_add(self, new: MemoryRecord) -> None:
        chain = [] if new.slot is None or _over(new) else self._chain(new)
        before = [m for m in chain if m.said_at <= new.said_at]
        ending = [m for m in before if _reaches(m, new)]
        later = chain[len(before) :]
        ended = [m.valid_to for m in before if m.status == 'retracted' and m.valid_to and m.valid_to > new.said_at]
        if ended and not later:  # what the slot held was taken back after this was said
            new = replace(new, status='retracted', valid_to=max(min(ended), new.valid_from))
        if later:  # an older value: it enters as history
            first = min(m.valid_from for m in later)
            new = self._ended(new, replace(later[0], valid_from=first))
        if before:
            new = replace(new, supersedes=new.supersedes or before[-1].id)
        for memory in ending:
            self._edit('supersede' if memory.status == 'active' else 'update', memory, **self._until(memory, new))
        self._enter(new)

    def _enter(self, new: MemoryRecord) -> None:
        self._put(Edit(op='add', before=None, after=new))

    def _overwritten(
        self, new: MemoryRecord, same: MemoryRecord | None, target: MemoryRecord | None
    ) -> MemoryRecord | None:
        """The memory edited by a person that would end because of it."""
        if target is not None and target.said_at > new.said_at:
            return None
        if target is not None and self._is_locked(target) and (same is None or same.id != target.id):
            return target
        if (same is not None and not _gains_slot(same, new)) or _over(new):
            return None
        # What a target stands for is looked at above; it ends whatever the dates say.
        rivals = (m for m in self._chain(new) if target is None or m.id != target.id)
        return next(
            (
                m
                for m in rivals
                if self._is_locked(m) and (target is not None or (m.said_at <= new.said_at and _reaches(m, new)))
            ),
            None,
        )

    def _is_locked(self, memory: MemoryRecord) -> bool:
        return memory.locked and memory.status == 'active'

    def _ended(self, old: MemoryRecord, new: MemoryRecord) -> MemoryRecord:
        return replace(old, **self._until(old, new))

    def _until(self, old: MemoryRecord, new: MemoryRecord) -> dict[str, Any]:
        """What becomes of a value when the next begins: until then, if that lies ahead, it stays current."""
        # "I moved last week", said today, ends what was said yesterday: no fact ends before it began.
        end = max(new.valid_from, old.valid_from)
        if old.valid_to is not None:
            end = min(end, old.valid_to)
        lasts = old.status == 'active' and old.valid_from < end and end > self._at
        return {'status': 'active' if lasts else 'superseded', 'valid_to': end, 'superseded_by': new.id}

    def _give_slot(self, memory: MemoryRecord, new: MemoryRecord) -> None:
        if any(m.said_at > new.said_at for m in self._chain(new)):  # what the slot held once, not what was said last
            self._slot_or_add(new)
            return
        self._edit('supersede', memory, **self._until(memory, new))
        evidence = (*memory.evidence, *(e for e in new.evidence if e not in memory.evidence))
        self._slot_or_add(replace(new, evidence=evidence, supersedes=memory.id))

    def _chain(self, new: MemoryRecord) -> list[MemoryRecord]:
        """What the slot has held, by when it was said."""
        if new.slot is None:
            return []
        return sorted(
            (
                m
                for m in self._known.in_slot(new.slot)
                if m.slot == new.slot
                and same_level(m, new)
                and (m.status in ('active', 'superseded') or (m.status == 'retracted' and m.valid_to is not None))
                and not (m.status == 'active' and _over(m))
            ),
            key=lambda m: (m.said_at, m.status == 'active', m.id),
        )

    def _confirm(self, memory: MemoryRecord, candidate: Candidate) -> None:
        evidence = with_evidence(memory, candidate.evidence)
        if evidence is None:
            self.skipped['known'] += 1
            return
        same_slot = memory.slot is not None and candidate.proposal.slot == memory.slot
        # Said before the slot held something else: it vouches for the words, not for when they began to hold.
        began = memory.valid_from if self._changed_between(candidate.said.occurred_at, memory) else _began(candidate)
        self._edit(
            'confirm',
            memory,
            evidence=evidence,
            # Of an edited memory an extractor may not fill in what the person has left out.
            value=memory.value or (candidate.proposal.value if same_slot and not self._is_locked(memory) else None),
            trust=min(memory.trust, candidate.trust, key=TIERS.index),
            confidence=max(memory.confidence, candidate.proposal.confidence),
            valid_from=min(memory.valid_from, began),
            said_at=max(memory.said_at, candidate.said.occurred_at),
        )
        if memory.slot is not None and began < memory.valid_from:
            self._close_before(self.edits[memory.id].after)

    def _close_before(self, memory: MemoryRecord) -> None:
        """A value turns out to hold longer: what the slot held before it ended earlier."""
        for other in self._chain(memory):
            overlaps = other.valid_to is None or other.valid_to > memory.valid_from
            if other.id != memory.id and other.said_at <= memory.said_at and overlaps:
                self._edit('update', other, **self._until(other, memory))

    def _edit(self, op: Op, memory: MemoryRecord, *, review: ReviewNote | None = None, **fields: object) -> None:
        earlier = self.edits.get(memory.id)
        if earlier is not None:
            # One edit per memory and change: it goes from the state before the change to the last one.
            after = replace(earlier.after, **fields)  # pyright: ignore[reportArgumentType]
            kept = earlier.op if earlier.before is None else op
            self._put(Edit(op=kept, before=earlier.before, after=after, review=review or earlier.review))
            return
        after = replace(
            memory,
            version=memory.version + 1,
            recorded_at=self._at,
            change_id=self._change_id,
            actor=self._actor,
            **fields,  # pyright: ignore[reportArgumentType]
        )
        self._put(Edit(op=op, before=memory, after=after, review=review))

    def _put(self, edit: Edit) -> None:
        self._known.put(edit.after)
        self.edits[edit.memory_id] = edit
        if edit.review is not None:
            self.notes[edit.memory_id] = edit.review


def _began(candidate: Candidate) -> datetime:
    proposal, said = candidate.proposal, candidate.said.occurred_at
    if proposal.valid_from is None and proposal.valid_to is not None and proposal.valid_to <= said:
        return proposal.valid_to - timedelta(microseconds=1)  # it ended before it was said; since when isn't known
    return proposal.valid_from or said


def _gains_slot(memory: MemoryRecord, new: MemoryRecord) -> bool:
    return memory.slot is None and new.slot is not None and not memory.locked


def _over(memory: MemoryRecord) -> bool:
    """Whether it was said of the past: then it says nothing about what the slot holds now."""
    return memory.valid_to is not None and memory.valid_to <= memory.said_at


def _reaches(old: MemoryRecord, new: MemoryRecord) -> bool:
    """Whether one still held when the next began."""
    return old.valid_to is None or old.valid_to > new.valid_from


def _level_scope(owner: Owner, level: Level, said: Scope) -> Scope:
    match owner.kind:
        case 'user':
            return Scope(user_id=owner.key, run_id=said.run_id if level == 'run' else None)
        case 'run':
            return Scope(run_id=owner.key)
        case 'agent':
            return Scope(agent_id=owner.key)
        case 'app':
            return Scope(app_id=owner.key)
        case 'global':
            return Scope.GLOBAL
