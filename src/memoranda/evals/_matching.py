"""What an `add` drew, and which of it was expected."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

from memoranda.evals._cases import CaseInputs, ExpectedOperation
from memoranda.records import Edit, Evidence, MemoryRecord

__all__ = ['Drawn', 'Fields', 'Span', 'drawn_from', 'fields_of', 'fits', 'match', 'reasons_of']

DrawnOp: TypeAlias = Literal['add', 'supersede', 'correct', 'confirm', 'retract']


@dataclass(frozen=True, slots=True)
class Span:
    """Words of a message: `stored text of messages[message][start:end]`."""

    message: int
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One operation, as it came to be in the store."""

    op: DrawnOp
    text: str
    """Of the new fact; for confirm and retract the words of the target."""
    kind: str
    level: str
    target: int | None = None
    """Index into `existing`; None also for a fact that was known otherwise."""
    valid_from: datetime
    slot: str | None = None
    evidence: tuple[Span, ...] = ()
    """Of the messages under test; empty for retract, which stores none."""
    new: bool = True
    """Whether it made a memory."""


def drawn_from(edits: Sequence[Edit], existing: Sequence[str], messages: Sequence[str]) -> list[Drawn]:
    """The operations that edits amount to.

    A new fact and the end of the memory it replaces are one operation. A second memory that ends with it counts as a
    retraction of its own, and so does one that ends without a new fact.

    Args:
        edits: `AddResult.changes`.
        existing: Ids of the facts known before, in their order.
        messages: Ids of the episodes under test, in their order.
    """
    places = {id_: place for place, id_ in enumerate(existing)}
    numbers = {id_: number for number, id_ in enumerate(messages)}
    made = {e.memory_id: e for e in edits if e.before is None and e.after.status not in ('pending', 'rejected')}
    ended = [e for e in edits if e.before is not None and _ends(e)]
    drawn: list[Drawn] = []
    taken: set[str] = set()
    for edit in made.values():
        replaced = [e for e in ended if e.after.superseded_by == edit.memory_id and e.memory_id not in taken]
        first = next((e for e in replaced if e.memory_id == edit.after.supersedes), replaced[0] if replaced else None)
        if first is None:
            drawn.append(_drawn('add', edit.after, None, numbers, edit.after.evidence))
            continue
        taken.add(first.memory_id)
        place = places.get(first.memory_id)
        old: Collection[Evidence] = first.before.evidence if first.before else ()
        fresh = tuple(e for e in edit.after.evidence if e not in old)
        if _folded(first.after.text) == _folded(edit.after.text):  # the same words, which gain a slot
            drawn.append(_drawn('confirm', edit.after, place, numbers, fresh, new=False))
        else:
            op: DrawnOp = 'correct' if first.after.status == 'retracted' else 'supersede'
            drawn.append(_drawn(op, edit.after, place, numbers, fresh))
    for edit in edits:
        if edit.before is None or edit.memory_id in taken:
            continue
        place = places.get(edit.memory_id)
        if _ends(edit):
            drawn.append(_drawn('retract', edit.after, place, numbers, (), new=False))
        elif edit.op == 'confirm':
            fresh = tuple(e for e in edit.after.evidence if e not in edit.before.evidence)
            drawn.append(_drawn('confirm', edit.after, place, numbers, fresh, new=False))
    return drawn


def reasons_of(edits: Sequence[Edit]) -> Mapping[str, int]:
    """Why some of them wait for a person, and how many."""
    return Counter(reason for e in edits if e.review is not None for reason in e.review.reasons)


def _ends(edit: Edit) -> bool:
    """Whether the edit ends a memory that held: at once, or at a moment to come."""
    before, after = edit.before, edit.after
    if before is None or before.status != 'active':
        return False
    return after.status in ('superseded', 'retracted', 'expired') or (
        after.superseded_by is not None and after.superseded_by != before.superseded_by
    )


def _drawn(
    op: DrawnOp,
    memory: MemoryRecord,
    target: int | None,
    numbers: Mapping[str, int],
    evidence: Sequence[Evidence],
    *,
    new: bool = True,
) -> Drawn:
    return Drawn(
        op=op,
        text=memory.text,
        kind=memory.kind,
        level=memory.level,
        target=target,
        valid_from=memory.valid_from,
        slot=memory.slot,
        evidence=tuple(
            Span(numbers[e.episode_id], e.start, e.end, e.quote) for e in evidence if e.episode_id in numbers
        ),
        new=new,
    )


def _folded(text: str) -> str:
    return ' '.join(unicodedata.normalize('NFKC', text).replace('’', "'").casefold().split())


_ENDING = ('supersede', 'correct')


def fits(drawn: Drawn, expected: ExpectedOperation) -> bool:
    """Whether the one is the other: the same operation on the same target, and a fact that says what it shall.

    `supersede` and `correct` fit each other here, since both replace the target; which of them it was is one of the
    `Fields`.
    """
    if drawn.op != expected.op and not (drawn.op in _ENDING and expected.op in _ENDING):
        return False
    if drawn.op != 'add' and (drawn.target is None or drawn.target != expected.target):
        return False
    return not drawn.new or says(drawn.text, expected)


def says(text: str, expected: ExpectedOperation) -> bool:
    """Whether a fact says what it shall, and nothing that it shall not."""
    folded = _folded(text)
    return all(any(_part(word) in folded for word in words) for words in expected.says) and not any(
        _part(word) in folded for word in expected.never
    )


def _part(word: str) -> str:
    # Blanks at the ends count: 'no ' is not the beginning of 'north'.
    return unicodedata.normalize('NFKC', word).replace('’', "'").casefold()


@dataclass(frozen=True, slots=True)
class Fields:
    """Which parts of a matched operation are right; None where the case doesn't say, or the store doesn't."""

    op: bool | None = None
    """Replaced as it should be: `supersede` when the world changed, `correct` when it was never true."""
    kind: bool | None = None
    level: bool | None = None
    evidence: bool | None = None
    date: bool | None = None

    @property
    def right(self) -> bool:
        """Whether no part is wrong."""
        return False not in (self.op, self.kind, self.level, self.evidence, self.date)

    @property
    def score(self) -> int:
        """How many are right."""
        return sum(part is True for part in (self.op, self.kind, self.level, self.evidence, self.date))


def fields_of(drawn: Drawn, expected: ExpectedOperation, inputs: CaseInputs, stored: Sequence[str]) -> Fields:
    """Compare the parts of a matched operation.

    Args:
        drawn: What was drawn.
        expected: What it was matched with.
        inputs: Of the case.
        stored: The messages as they were stored, after redaction.
    """
    date = None
    if drawn.new and expected.valid_from is not None:
        day = drawn.valid_from.astimezone(UTC).date()
        date = abs(day - expected.valid_from) <= timedelta(days=expected.tolerance_days)
    return Fields(
        op=drawn.op == expected.op if expected.op in _ENDING else None,
        kind=drawn.kind in expected.kind if drawn.new and expected.kind else None,
        level=drawn.level == expected.level if drawn.new and expected.level is not None else None,
        evidence=_overlaps(drawn.evidence, expected.quote, inputs, stored) if drawn.op != 'retract' else None,
        date=date,
    )


def _overlaps(evidence: Sequence[Span], quote: str | None, inputs: CaseInputs, stored: Sequence[str]) -> bool | None:
    if quote is None:
        return None
    for number, (message, text) in enumerate(zip(inputs.messages, stored, strict=True)):
        if quote not in message.content:
            continue
        start = text.find(quote)
        for span in evidence:
            # Where redaction has cut into the quote, its message has to do.
            if span.message == number and (start < 0 or (span.start < start + len(quote) and start < span.end)):
                return True
    return False


def match(
    drawn: Sequence[Drawn], expected: Sequence[ExpectedOperation], inputs: CaseInputs, stored: Sequence[str]
) -> list[int | None]:
    """For each drawn operation the index of the expected one it is, or None.

    One to one. Of all such assignments the one with the most matches is taken; among these the one that satisfies most
    required operations, then the one with most right fields. Exact: dynamic programming over subsets of `expected`,
    O(drawn · expected · 2^expected); a case has at most 16.
    """
    # Expected operations used so far (a bit each) -> the best value, and the choices that lead there, latest first.
    states: dict[int, tuple[_Value, _Path]] = {0: ((0, 0, 0), None)}
    for one in drawn:
        scores = {
            number: fields_of(one, operation, inputs, stored).score
            for number, operation in enumerate(expected)
            if fits(one, operation)
        }
        following: dict[int, tuple[_Value, _Path]] = {}
        for used, ((matches, required, right), path) in states.items():
            _keep(following, used, (matches, required, right), (None, path))
            for number, score in scores.items():
                if not used >> number & 1:
                    value = (matches + 1, required + (not expected[number].optional), right + score)
                    _keep(following, used | 1 << number, value, (number, path))
        states = following
    path = max(states.values(), key=lambda state: state[0])[1]
    chosen: list[int | None] = []
    while path is not None:
        number, path = path
        chosen.append(number)
    return chosen[::-1]


_Value: TypeAlias = tuple[int, int, int]
_Path: TypeAlias = 'tuple[int | None, _Path] | None'


def _keep(states: dict[int, tuple[_Value, _Path]], used: int, value: _Value, path: _Path) -> None:
    if used not in states or value > states[used][0]:
        states[used] = (value, path)
