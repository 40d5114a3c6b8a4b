"""The last word on what is believed: candidates and existing memories -> edits. Pure and deterministic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from memoranda.records import Edit, MemoryRecord, Op, fact_hash, new_id
from memoranda.scope import Level, Owner, Scope
from memoranda.stores.base import Snapshot
from memoranda.write.guard import TIERS, Candidate

__all__ = ['Decision', 'consolidate', 'level_of']

MAX_EVIDENCE: Final = 50
"""Confirmations beyond this keep the first and the latest."""


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
    terms: Callable[[str], Sequence[str]],
) -> Decision:
    """Decide what each candidate does to the owner's memories.

    - Same words: the memory is confirmed; its evidence grows, its trust may rise.
    - Same slot: the value that was said later wins, whenever it arrived; an older one enters as history, closed at
      the start of the next.
    - A target named by the extractor must be a current memory of the same level; otherwise it is ignored and counted.
    - Memories a person edited are never overwritten.

    Args:
        candidates: In the order they were said.
        snapshot: Current memories they may touch, with the history of their slots.
        owner: Whose they are.
        actor: Recorded with every edit.
        change_id: Of the change these edits become.
        at: When the change is recorded.
        terms: Index terms of a text; two facts with the same terms say the same.
    """
    state = _State(snapshot, owner, actor, change_id, at, terms)
    for candidate in candidates:
        state.take(candidate)
    return Decision(tuple(state.edits.values()), dict(state.skipped))


class _State:
    """The memories as they will be, edit by edit."""

    def __init__(
        self,
        snapshot: Snapshot,
        owner: Owner,
        actor: str,
        change_id: str,
        at: datetime,
        terms: Callable[[str], Sequence[str]],
    ) -> None:
        self._rejected = snapshot.rejected
        self._owner, self._actor, self._change_id, self._at, self._terms = owner, actor, change_id, at, terms
        self._memories = {m.id: m for m in snapshot.memories}
        self.edits: dict[str, Edit] = {}
        self.skipped: Counter[str] = Counter()

    def take(self, candidate: Candidate) -> None:
        op = candidate.proposal.op
        if op in ('confirm', 'retract'):
            target = self._target(candidate)
            if target is None:
                return
            if op == 'confirm':
                self._confirm(target, candidate)
            elif target.locked:
                self.skipped['locked'] += 1
            else:
                self._edit(
                    'retract', target, status='retracted', valid_to=max(candidate.said.occurred_at, target.valid_from)
                )
            return
        new = self._new(candidate)
        if new.hash in self._rejected:
            self.skipped['rejected before'] += 1
            return
        same = self._same(new)
        if same is not None:
            self._confirm(same, candidate)
            return
        target = self._target(candidate) if candidate.proposal.target else None
        if target is not None and target.locked:
            self.skipped['locked'] += 1
        elif target is not None and op == 'correct':
            new = replace(new, valid_from=target.valid_from, supersedes=target.id)
            self._edit('correct', target, status='retracted', superseded_by=new.id)
            self._slot_or_add(new, 'add')
        elif target is not None and target.slot is None and target.said_at <= new.said_at:
            new = replace(new, supersedes=target.id)
            self._supersede(target, new)
            self._slot_or_add(new, 'add')
        else:
            self._slot_or_add(new, 'add')

    def _new(self, candidate: Candidate) -> MemoryRecord:
        proposal = candidate.proposal
        level = level_of(candidate, self._owner)
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
            slot=proposal.slot,
            confidence=proposal.confidence,
            importance=proposal.importance,
            trust=candidate.trust,
            valid_from=proposal.valid_from or candidate.said.occurred_at,
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
            hash=fact_hash(text),
        )

    def _same(self, new: MemoryRecord) -> MemoryRecord | None:
        """A current memory that says the same: the same words, or the same index terms in any form."""
        terms: list[str] | None = None
        for memory in self._memories.values():
            if memory.status != 'active' or memory.valid_to is not None or not _same_level(memory, new):
                continue
            if memory.hash == new.hash:
                return memory
            if memory.kind == new.kind and memory.slot == new.slot:
                terms = sorted(self._words(new.text)) if terms is None else terms
                if terms and sorted(self._words(memory.text)) == terms:
                    return memory
        return None

    def _words(self, text: str) -> list[str]:
        # Stop words are no index terms, but a negation among them changes everything.
        folded = text.casefold().replace('\u2019', "'")
        negations = [w for w in folded.split() if w in _NEGATIONS or w.endswith("n't")]
        return [*self._terms(text), *('not' for _ in negations)]

    def _target(self, candidate: Candidate) -> MemoryRecord | None:
        target = self._memories.get(candidate.proposal.target or '')
        if target is None or target.status != 'active':
            self.skipped['unknown target'] += 1
            return None
        if target.level != level_of(candidate, self._owner) and target.level != self._owner.kind:
            self.skipped['target of another level'] += 1
            return None
        return target

    def _slot_or_add(self, new: MemoryRecord, op: Op) -> None:
        chain = [] if new.slot is None or _over(new) else self._chain(new)
        later = next((m for m in chain if m.said_at > new.said_at), None)
        earlier = next((m for m in reversed(chain) if m.said_at <= new.said_at), None)
        if earlier is not None and earlier.status == 'active' and earlier.locked:
            self.skipped['locked'] += 1
            return
        if later is not None:  # an older value: it enters as history
            end = max(later.valid_from, new.valid_from)
            new = replace(new, status='superseded', valid_to=end, superseded_by=later.id)
        if earlier is not None:
            new = replace(new, supersedes=new.supersedes or earlier.id)
            if earlier.status == 'active':
                self._supersede(earlier, new)
            elif earlier.valid_to is None or earlier.valid_to > new.valid_from:
                self._edit('update', earlier, valid_to=max(new.valid_from, earlier.valid_from), superseded_by=new.id)
        self._put(Edit(op=op, before=None, after=new))

    def _supersede(self, old: MemoryRecord, new: MemoryRecord) -> None:
        # "I moved last week", said today, ends what was said yesterday: no fact ends before it began.
        end = max(new.valid_from, old.valid_from)
        self._edit('supersede', old, status='superseded', valid_to=end, superseded_by=new.id)

    def _chain(self, new: MemoryRecord) -> list[MemoryRecord]:
        """What the slot has held, by when it was said."""
        return sorted(
            (
                m
                for m in self._memories.values()
                if m.slot == new.slot and _same_level(m, new) and m.status in ('active', 'superseded')
            ),
            key=lambda m: (m.said_at, m.status == 'active', m.id),
        )

    def _confirm(self, memory: MemoryRecord, candidate: Candidate) -> None:
        held = {(e.episode_id, e.start, e.end) for e in memory.evidence}
        fresh = tuple(e for e in candidate.evidence if (e.episode_id, e.start, e.end) not in held)
        if not fresh:
            self.skipped['known'] += 1
            return
        evidence = (*memory.evidence, *fresh)
        if len(evidence) > MAX_EVIDENCE:
            evidence = (evidence[0], *evidence[1 - MAX_EVIDENCE :])
        self._edit(
            'confirm',
            memory,
            evidence=evidence,
            trust=min(memory.trust, candidate.trust, key=TIERS.index),
            confidence=max(memory.confidence, candidate.proposal.confidence),
            valid_from=min(memory.valid_from, candidate.proposal.valid_from or candidate.said.occurred_at),
            said_at=max(memory.said_at, candidate.said.occurred_at),
        )

    def _edit(self, op: Op, memory: MemoryRecord, **fields: object) -> None:
        earlier = self.edits.get(memory.id)
        if earlier is not None:
            # One edit per memory and change: it goes from the state before the change to the last one.
            after = replace(memory, **fields)  # pyright: ignore[reportArgumentType]
            self._put(Edit(op=earlier.op if earlier.before is None else op, before=earlier.before, after=after))
            return
        after = replace(
            memory,
            version=memory.version + 1,
            recorded_at=self._at,
            change_id=self._change_id,
            actor=self._actor,
            **fields,  # pyright: ignore[reportArgumentType]
        )
        self._put(Edit(op=op, before=memory, after=after))

    def _put(self, edit: Edit) -> None:
        self._memories[edit.memory_id] = edit.after
        self.edits[edit.memory_id] = edit


_NEGATIONS: Final = frozenset(('not', 'no', 'never', 'without', 'neither', 'nor', 'cannot', 'none', 'nothing'))


def _over(memory: MemoryRecord) -> bool:
    """Whether it was said of the past: then it says nothing about what the slot holds now."""
    return memory.valid_to is not None and memory.valid_to <= memory.said_at


def _same_level(a: MemoryRecord, b: MemoryRecord) -> bool:
    return a.level == b.level and a.scope == b.scope


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
