"""Proposals put off until a person decides: kept beside what is believed, once each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from memoranda.records import Edit, Evidence, MemoryRecord, Op, ReviewNote, ReviewOp, Trust, fact_hash
from memoranda.stores.data import Snapshot
from memoranda.write.guard import TIERS, Candidate
from memoranda.write.known import Known, same_level

__all__ = ['ASKS', 'FULL', 'MAX_EVIDENCE', 'Waiting', 'ask_text', 'with_evidence']

FULL: Final = 'review full'
"""Counted in `skipped`: as many wait as the policy allows."""

ASKS: Final = ('confirm', 'retract')
"""Proposals that have no fact of their own."""
MAX_EVIDENCE: Final = 50
"""Confirmations beyond this keep the first and the latest."""


def ask_text(op: str, target: str) -> str:
    """What stands in place of the words of a proposal that has none: to confirm or to retract a memory.

    Neither the words of that memory nor those of a message: it may outlive both.
    """
    return f'{op} {target}'


def with_evidence(memory: MemoryRecord, more: Iterable[Evidence]) -> tuple[Evidence, ...] | None:
    """Its evidence with more of it; None when it has all of that."""
    held = {(e.episode_id, e.start, e.end) for e in memory.evidence}
    fresh = tuple(e for e in more if (e.episode_id, e.start, e.end) not in held)
    if not fresh:
        return None
    evidence = (*memory.evidence, *fresh)
    return evidence if len(evidence) <= MAX_EVIDENCE else (evidence[0], *evidence[1 - MAX_EVIDENCE :])


class Waiting(ABC):
    """The part of a consolidation that puts proposals off, and keeps out what was turned down."""

    def __init__(self, snapshot: Snapshot, *, review: bool, most: int | None = None) -> None:
        self._rejected, self._review, self._most = snapshot.rejected, review, most
        self._held = Counter(snapshot.waiting or (p.memory.trust for p in snapshot.pending))
        # By source: who floods the queue keeps nobody else's proposals out.
        self._known = Known([*snapshot.memories, *(p.memory for p in snapshot.pending)])
        self.notes = {p.memory.id: p.note for p in snapshot.pending}
        """Of what waits."""
        self.skipped: Counter[str] = Counter()

    @abstractmethod
    def _new(self, candidate: Candidate, target: MemoryRecord | None) -> MemoryRecord:
        """The memory that a candidate would become."""

    @abstractmethod
    def _edit(self, op: Op, memory: MemoryRecord, *, review: ReviewNote | None = None, **fields: object) -> None:
        """Give a memory its next version."""

    @abstractmethod
    def _put(self, edit: Edit) -> None:
        """Take in an edit."""

    def _is_rejected(self, new: MemoryRecord) -> bool:
        return self._was_rejected(new.hash, new.trust) or self._was_rejected(fact_hash(new.text), new.trust)

    def _was_rejected(self, hash_: str, trust: Trust) -> bool:
        """Whether it was turned down, from a source as good as this: the user may say what a tool claimed in vain."""
        held = self._rejected.get(hash_)
        return held is not None and TIERS.index(held) <= TIERS.index(trust)

    def _ask(self, op: ReviewOp, target: MemoryRecord, candidate: Candidate, reasons: tuple[str, ...]) -> None:
        """Let wait what says nothing new."""
        words = ask_text(op, target.id)
        asked = replace(candidate, proposal=replace(candidate.proposal, text=words, kind=target.kind))
        new = replace(self._new(asked, target), slot=None, value=None, hash=fact_hash(words))
        if self._was_rejected(new.hash, new.trust):
            self.skipped['rejected before'] += 1
        else:
            self._wait(new, ReviewNote(op=op, target=target.id, reasons=reasons))

    def _wait(self, new: MemoryRecord, note: ReviewNote) -> None:
        """Keep a proposal for a person; one that waits already gets its evidence."""
        if not self._review:
            self.skipped[note.reasons[0] if note.reasons else 'review'] += 1
            return
        twin = self._twin(new, note)
        if twin is None:
            if self._most is not None and self._held[new.trust] >= self._most:
                self.skipped[FULL] += 1
                return
            self._held[new.trust] += 1
            self._put(Edit(op='add', before=None, after=replace(new, status='pending'), review=note))
            return
        evidence = with_evidence(twin, new.evidence)
        if evidence is None:
            self.skipped['known'] += 1
            return
        held = self.notes[twin.id]
        self._edit(
            'confirm',
            twin,
            review=ReviewNote(
                # What somebody has looked at must not come to mean something else.
                op=held.op,
                target=held.target,
                reasons=tuple(dict.fromkeys((*held.reasons, *note.reasons))),
            ),
            evidence=evidence,
            value=twin.value or new.value,
            trust=min(twin.trust, new.trust, key=TIERS.index),
            confidence=max(twin.confidence, new.confidence),
            valid_from=min(twin.valid_from, new.valid_from),
            said_at=max(twin.said_at, new.said_at),
        )

    def _twin(self, new: MemoryRecord, note: ReviewNote) -> MemoryRecord | None:
        """What waits already and says the same."""
        for memory in self._known.alike(new):
            if memory.status != 'pending' or not same_level(memory, new) or memory.id not in self.notes:
                continue
            if memory.hash == new.hash:
                return memory
            alike = memory.kind == new.kind and memory.slot == new.slot and self._known.same_words(memory, new)
            if alike and note.op not in ASKS and self.notes[memory.id].op not in ASKS:
                return memory
        return None
