"""The figures of a run: what was drawn, what of it was right, what was missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from memoranda.evals._cases import CATEGORIES, CaseInputs, ExpectedOperation
from memoranda.evals._matching import Drawn, Fields
from memoranda.evals._wilson import Share
from memoranda.records import Usage

__all__ = ['CaseOutcome', 'ExtractionReport', 'Scores']

_ENDS: Final = ('supersede', 'correct', 'retract')


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseOutcome:
    """A case, what was drawn from it, and which of that was expected."""

    name: str
    category: str
    inputs: CaseInputs
    expected: tuple[ExpectedOperation, ...]
    drawn: tuple[Drawn, ...] = ()
    matches: tuple[int | None, ...] = ()
    """Per drawn operation the index of the expected one that says the same, at whatever level."""
    fields: tuple[Fields | None, ...] = ()
    """Per drawn operation which parts of it are right; None where it matches nothing."""
    gate: tuple[bool, ...] = ()
    """Per message what the gate said."""
    skipped: Mapping[str, int] = field(default_factory=dict[str, int])
    """What code dropped, by reason."""
    usage: Usage = field(default_factory=Usage)
    error: str | None = None
    """Why extraction failed; then nothing was drawn."""

    @property
    def hits(self) -> tuple[int | None, ...]:
        """Like `matches`, without those at the wrong level: what holds for today is no fact of the user's."""
        return tuple(
            None if parts is None or parts.level is False else number
            for number, parts in zip(self.matches, self.fields, strict=True)
        )

    @property
    def wrong(self) -> list[Drawn]:
        """Drawn, and not expected, or not at this level."""
        return [one for one, number in zip(self.drawn, self.hits, strict=True) if number is None]

    @property
    def missed(self) -> list[ExpectedOperation]:
        """Required, and not drawn."""
        return [op for number, op in enumerate(self.expected) if not op.optional and number not in self.hits]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong or missing, in any part."""
        return (
            self.error is None
            and not self.wrong
            and not self.missed
            and all(parts.right for parts in self.fields if parts is not None)
        )

    @property
    def _ended(self) -> set[int | None]:
        return {one.target for one in self.drawn if one.op in _ENDS}

    @property
    def superseded(self) -> bool | None:
        """Whether the right memories ended, each with the right replacement, and no other; None if none should."""
        ending = [number for number, op in enumerate(self.expected) if op.op in _ENDS]
        if all(self.expected[number].optional for number in ending):
            return None
        required = [number for number in ending if not self.expected[number].optional]
        allowed = {self.expected[number].target for number in ending}
        return self.error is None and all(n in self.hits for n in required) and self._ended <= allowed

    @property
    def left_alone(self) -> bool | None:
        """Where facts are known and none should end: whether none did."""
        if not self.inputs.existing or self.superseded is not None:
            return None
        return self._ended <= {op.target for op in self.expected if op.op in _ENDS}


@dataclass(frozen=True, slots=True)
class Scores:
    """Precision and recall of some operations."""

    precision: Share
    """Matched operations among those drawn."""
    recall: Share
    """Matched operations among those required; optional ones count in neither part."""


@dataclass(frozen=True)
class ExtractionReport:
    """The figures of a run. Definitions in docs/evaluation.md; every `Share` has its 95 % interval."""

    extractor: str
    outcomes: Sequence[CaseOutcome]

    @cached_property
    def overall(self) -> Scores:
        """Over all cases."""
        return _scores(self.outcomes, lambda _: True, lambda _o, _e: True)

    @cached_property
    def strict_precision(self) -> Share:
        """Like precision, but an operation with any wrong part (op, kind, level, evidence, date) is no match."""
        return Share.of(parts is not None and parts.right for o in self.outcomes for parts in o.fields)

    @cached_property
    def passed(self) -> Share:
        """Cases without any error."""
        return Share.of(o.passed for o in self.outcomes)

    @cached_property
    def supersession(self) -> Share:
        """Cases in which a memory should end: the right ones did, rightly replaced, and no other."""
        return Share.of(o.superseded for o in self.outcomes if o.superseded is not None)

    @cached_property
    def left_alone(self) -> Share:
        """Cases with known facts of which none should end: none did."""
        return Share.of(o.left_alone for o in self.outcomes if o.left_alone is not None)

    @cached_property
    def parts(self) -> Mapping[str, Share]:
        """Right parts among those of matched operations that the cases label: op, kind, level, evidence, date."""
        found = [parts for o in self.outcomes for parts in o.fields if parts is not None]
        return {
            name: Share.of(part for parts in found if (part := getattr(parts, name)) is not None)
            for name in ('op', 'kind', 'level', 'evidence', 'date')
        }

    @cached_property
    def by_kind(self) -> Mapping[str, Scores]:
        """Precision by the kind that was drawn, recall by the kind that was expected (the first that is listed, or the
        target's; `any` where the case names none).
        """
        kinds = {one.kind for o in self.outcomes for one in o.drawn}
        kinds |= {_kind(o, op) for o in self.outcomes for op in o.expected if not op.optional}

        def of(kind: str) -> Scores:
            return _scores(self.outcomes, lambda one: one.kind == kind, lambda o, op: _kind(o, op) == kind)

        return {kind: of(kind) for kind in sorted(kinds)}

    @cached_property
    def by_category(self) -> Mapping[str, Scores]:
        """By the category of the case."""
        present = [c for c in CATEGORIES if any(o.category == c for o in self.outcomes)]
        return {
            category: _scores([o for o in self.outcomes if o.category == category], lambda _: True, lambda _o, _e: True)
            for category in present
        }

    @cached_property
    def gate(self) -> Scores:
        """Of the gate, over messages; positive means worth reading."""
        pairs = [(said, label) for o in self.outcomes for said, label in zip(o.gate, o.inputs.gate, strict=True)]
        return Scores(
            Share.of(label for said, label in pairs if said), Share.of(said for said, label in pairs if label)
        )

    @cached_property
    def skipped(self) -> Mapping[str, int]:
        """What code dropped, by reason, over all cases."""
        total: Counter[str] = Counter()
        for outcome in self.outcomes:
            total.update(outcome.skipped)
        return dict(total.most_common())

    @cached_property
    def usage(self) -> Usage:
        """What the model's answers cost."""
        return sum((o.usage for o in self.outcomes), Usage())

    @property
    def failed(self) -> list[CaseOutcome]:
        """Cases in which extraction raised; they count as if nothing had been drawn."""
        return [o for o in self.outcomes if o.error is not None]

    def summary(self) -> dict[str, Any]:
        """Every figure as JSON values: a share as hits, total, value and its 95 % interval."""
        return {
            'extractor': self.extractor,
            'cases': len(self.outcomes),
            'failed': len(self.failed),
            'precision': _plain(self.overall.precision),
            'precision_strict': _plain(self.strict_precision),
            'recall': _plain(self.overall.recall),
            'supersession': _plain(self.supersession),
            'left_alone': _plain(self.left_alone),
            'cases_without_error': _plain(self.passed),
            'parts': {name: _plain(share) for name, share in self.parts.items()},
            'by_kind': {name: _both(scores) for name, scores in self.by_kind.items()},
            'by_category': {name: _both(scores) for name, scores in self.by_category.items()},
            'gate': _both(self.gate),
            'dropped': dict(self.skipped),
            'usage': {
                'requests': self.usage.requests,
                'input_tokens': self.usage.input_tokens,
                'output_tokens': self.usage.output_tokens,
                'cost': self.usage.cost,
            },
        }


def _plain(share: Share) -> dict[str, Any]:
    return {'hits': share.hits, 'total': share.total, 'value': share.value, 'interval': list(share.interval)}


def _both(scores: Scores) -> dict[str, Any]:
    return {'precision': _plain(scores.precision), 'recall': _plain(scores.recall)}


def _scores(
    outcomes: Sequence[CaseOutcome],
    drawn: Callable[[Drawn], bool],
    expected: Callable[[CaseOutcome, ExpectedOperation], bool],
) -> Scores:
    return Scores(
        Share.of(
            number is not None for o in outcomes for one, number in zip(o.drawn, o.hits, strict=True) if drawn(one)
        ),
        Share.of(
            number in o.hits
            for o in outcomes
            for number, op in enumerate(o.expected)
            if not op.optional and expected(o, op)
        ),
    )


def _kind(outcome: CaseOutcome, operation: ExpectedOperation) -> str:
    if operation.kind:
        return operation.kind[0]
    return 'any' if operation.target is None else outcome.inputs.existing[operation.target].kind
