"""What a model answers, and how it becomes proposals: numbers to ids, quotes to offsets, words to dates, or nothing."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from memoranda.checks import as_moment, check_slot
from memoranda.errors import InvalidInput
from memoranda.records import KINDS, WORKSPACE_TAG, MemoryRecord
from memoranda.scope import Level
from memoranda.write.extract import ExtractionRequest, Proposal, ProposalOp, Quote
from memoranda.write.prompt import SLOTS, Audience, Part, Piece, known_slot
from memoranda.write.quotes import Quotable

__all__ = ['Answer', 'Evidence', 'Operation', 'Reader']

MAX_QUOTES: Final = 10
"""Of one operation; further ones prove nothing more."""
_PARTIAL = re.compile(r'(\d{4})(?:-(\d{2}))?')


def _undescribed(schema: dict[str, Any]) -> None:
    # Sent with every call, and the rules of the prompt say it all.
    schema.pop('description', None)
    schema.pop('title', None)
    for part in schema.get('properties', {}).values():
        part.pop('title', None)


def _text(value: object) -> object:
    return '' if value is None else value


def _number(value: object) -> object:
    return 0 if value is None or value == '' else value


def _share(value: object) -> object:
    """A number from 0 to 1; models that think in percent, or beyond what was asked, mean the same."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return value
    return min(1.0, max(0.0, value / 100 if 1 < value <= 100 else value))


def _level(value: object) -> object:
    return value if value in ('user', 'run', 'agent') else 'user'


def _flag(value: object) -> bool:
    # Only a clear yes: whatever else it is, it is no reason to ask again.
    return value is True or (isinstance(value, str) and value.strip().casefold() == 'true')


_Flag = Annotated[bool, BeforeValidator(_flag)]
_Text = Annotated[str, BeforeValidator(_text)]
_Number = Annotated[int, BeforeValidator(_number)]
_Share = Annotated[float, BeforeValidator(_share)]


class Evidence(BaseModel):
    """Words of a new message."""

    model_config = ConfigDict(json_schema_extra=_undescribed)

    message: _Number = 0
    quote: str


class Operation(BaseModel):
    """One thing to do to the memory."""

    model_config = ConfigDict(json_schema_extra=_undescribed)

    op: ProposalOp
    target: _Number = 0
    text: _Text = ''
    kind: _Text = 'knowledge'
    slot: _Text = ''
    value: _Text = ''
    level: Annotated[Literal['user', 'run', 'agent'], BeforeValidator(_level)] = 'user'
    confidence: _Share = 0.9
    importance: _Share = 0.5
    valid_from: _Text = ''
    valid_to: _Text = ''
    workspace: _Flag = False
    category: _Text = ''
    evidence: list[Evidence]


class Answer(BaseModel):
    """What a model makes of the new messages."""

    model_config = ConfigDict(json_schema_extra=_undescribed)

    operations: list[Operation]


class _Dropped(Exception):
    """Why an operation isn't one."""


@dataclass
class Reader:
    """Turns the answers to one request into proposals, and counts what it drops by reason."""

    request: ExtractionRequest
    audience: Audience
    kinds: Mapping[str, str] = field(default_factory=dict[str, str])
    """Beside ours."""
    skipped: Counter[str] = field(default_factory=Counter[str])

    def __post_init__(self) -> None:
        self._texts = Quotable()

    def read(self, answer: Answer, part: Part) -> list[Proposal]:
        """The proposals among an answer's operations, in their order."""
        messages = self.request.messages
        self._texts = Quotable(*(messages[p.message].text[p.start : p.end] for p in part.pieces))
        found: list[Proposal] = []
        for operation in answer.operations:
            try:
                found.append(self._proposal(operation, part))
            except _Dropped as reason:
                self.skipped[str(reason)] += 1
        return found

    def _proposal(self, said: Operation, part: Part) -> Proposal:
        evidence = self._evidence(said, part)
        if said.op == 'reset':
            self._needs_speaker(evidence)
            return Proposal(op='reset', evidence=evidence, confidence=said.confidence)
        if said.level == 'agent' and self.audience == 'user':
            return self._lesson(said, evidence)
        level = self._run_or_home(said)
        op, target = self._target(said, part, level)
        if said.kind.strip().casefold() != 'interaction' or target is not None:
            self._needs_speaker(evidence)
        if op in ('confirm', 'retract'):
            return Proposal(op=op, target=target.id if target else None, evidence=evidence, confidence=said.confidence)
        slot = self._slot(said.slot)
        return Proposal(
            op=op,
            text=said.text,
            kind=self._kind(said.kind),
            slot=slot,
            value=' '.join(said.value.split()) or None if slot or (target and target.slot) else None,
            target=target.id if target else None,
            level=level,
            confidence=said.confidence,
            importance=said.importance,
            valid_from=_since(said.valid_from),
            valid_to=_until(said.valid_to),
            evidence=evidence,
            category=self._category(said.category),
            tags=(WORKSPACE_TAG,) if said.workspace and (slot is None or slot not in SLOTS) else (),
        )

    def _evidence(self, said: Operation, part: Part) -> tuple[Quote, ...]:
        quotes = (self._quote(e, part) for e in said.evidence[:MAX_QUOTES])
        found = tuple(dict.fromkeys(q for q in quotes if q is not None))
        if not found:
            raise _Dropped('no evidence')
        return found

    def _quote(self, evidence: Evidence, part: Part) -> Quote | None:
        if 1 <= evidence.message <= len(part.pieces):
            span = self._texts.find(evidence.quote, evidence.message - 1)
            if span is not None:
                return _placed(part.pieces[evidence.message - 1], span)
        # A wrong number with the right words: taken when there is no doubt whose words they are.
        found = self._texts.anywhere(evidence.quote)
        elsewhere = [_placed(part.pieces[index], span) for index, *span in found]
        return elsewhere[0] if len({q.message for q in elsewhere}) == 1 else None

    def _needs_speaker(self, evidence: Sequence[Quote]) -> None:
        """What the assistant says proves nothing about the user, unless the user's own words stand beside it."""
        if self.audience == 'user' and all(self.request.messages[q.message].role != 'user' for q in evidence):
            raise _Dropped('not said by the user')

    def _run_or_home(self, said: Operation) -> Level | None:
        if self.audience == 'agent' or said.level != 'run':
            return None
        if self.request.scope.run_id is None:  # for now only, and there is no conversation to keep it to
            raise _Dropped('no such level')
        return 'run' if self.request.scope.user_id is not None else None

    def _target(self, said: Operation, part: Part, level: Level | None) -> tuple[ProposalOp, MemoryRecord | None]:
        if said.op in ('add', 'reset'):
            return said.op, None
        if 1 <= said.target <= len(part.known):
            target = part.known[said.target - 1]
            if said.op in ('supersede', 'correct') and level == 'run' and target.level != 'run':
                return 'add', None  # an exception for this conversation ends nothing that holds elsewhere
            return said.op, target
        if said.target == 0 and said.op in ('supersede', 'correct'):
            # It names nothing that would have to go, and the fact has evidence of its own.
            return 'add', None
        raise _Dropped('unknown target')

    def _lesson(self, said: Operation, evidence: tuple[Quote, ...]) -> Proposal:
        # Whether it tells anything of the user is checked where the user's facts are at hand (`process`).
        if not self.request.lessons or said.op != 'add':
            raise _Dropped('no such level')
        return Proposal(
            text=said.text,
            kind='heuristic',
            level='agent',
            confidence=said.confidence,
            importance=said.importance,
            evidence=evidence,
        )

    def _category(self, category: str) -> str | None:
        """The label of a special category. One that was made up labels the fact all the same: in doubt it is one."""
        label = ' '.join(category.replace('_', ' ').casefold().split())
        if not self.request.categories or label in ('', 'none', 'no', 'null', 'n/a', '-', 'other'):
            return None
        return label if label in self.request.categories else label[:40]

    def _kind(self, kind: str) -> str:
        kind = kind.strip().casefold()
        return kind if kind in KINDS or kind in self.kinds else 'knowledge'

    def _slot(self, slot: str) -> str | None:
        slot = '_'.join(slot.casefold().split())
        if not slot or not known_slot(slot, self.request, self.audience):
            return None
        try:
            return check_slot(slot)
        except InvalidInput:
            return None


def _placed(piece: Piece, span: Sequence[int]) -> Quote:
    return Quote(piece.message, piece.start + span[0], piece.start + span[1])


def _since(text: str) -> datetime | None:
    return _moment(text)


def _until(text: str) -> datetime | None:
    """When it ended. Read wrongly it would make the past current, so then there is no operation."""
    if text.strip() and _moment(text) is None:
        raise _Dropped('unreadable date')
    return _moment(text)


def _moment(text: str) -> datetime | None:
    """A moment; a year or a month alone is its first day. None for what isn't one."""
    text = text.strip()
    partial = _PARTIAL.fullmatch(text)
    if partial:
        text = f'{partial[1]}-{partial[2] or "01"}-01'
    try:
        return as_moment(text, 'date') if text else None
    except InvalidInput:
        return None
