"""The seam between what an extractor proposes and what may be believed.

Only evidence counts here so far: quotes are checked against the stored message, the tier of a fact is the weakest among
its evidence, and a fact nobody vouches for is dropped. Review and policies build on this function.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, get_args

from memoranda.checks import as_moment, check_kind, check_slot, check_tags, check_unit, storable
from memoranda.errors import InvalidInput
from memoranda.records import Episode, Evidence, Trust
from memoranda.write.extract import Proposal, ProposalOp
from memoranda.write.options import MAX_FACT_CHARS, check_metadata, check_value
from memoranda.write.redact import redact

__all__ = ['MAX_FACT_CHARS', 'TIERS', 'Candidate', 'guard', 'weakest']

TIERS: Final[Sequence[Trust]] = ('user', 'assistant', 'tool', 'external')


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proposal whose evidence holds."""

    proposal: Proposal
    evidence: tuple[Evidence, ...]
    trust: Trust
    said: Episode
    """The latest message among its evidence: it tells when and under which ids the fact was said."""
    pending: bool = False
    """Whether a person has to approve it before it is recalled."""
    reasons: tuple[str, ...] = ()
    """Why, as codes such as `source:tool`."""


def weakest(tiers: Sequence[Trust]) -> Trust:
    """The tier that vouches least."""
    return TIERS[max(TIERS.index(t) for t in tiers)]


def guard(
    proposals: Sequence[Proposal],
    messages: Sequence[Episode],
    *,
    max_chars: int = MAX_FACT_CHARS,
    secrets: bool = True,
) -> tuple[list[Candidate], Mapping[str, int]]:
    """Check proposals against the messages they come from.

    Args:
        proposals: What an extractor believes.
        messages: What it read.
        max_chars: A longer fact is dropped.
        secrets: Whether to redact secrets in what it wrote.

    Returns:
        Those that may be believed, and counts of the others by reason.
    """
    passed: list[Candidate] = []
    dropped: Counter[str] = Counter()
    for proposal in proposals:
        quotes = [q for q in proposal.evidence if 0 <= q.message < len(messages)]
        spans = [(messages[q.message], q.start, q.end) for q in quotes]
        spans = [(m, a, b) for m, a, b in spans if 0 <= a < b <= len(m.text) and m.text[a:b].strip()]
        text = proposal.text.strip()
        if not spans:
            dropped['no evidence'] += 1
        elif proposal.op not in ('confirm', 'retract') and not text:
            dropped['empty'] += 1
        elif len(text) > max_chars:
            dropped['too long'] += 1
        elif (proposal := _checked(proposal, secrets)) is None:
            dropped['invalid'] += 1
        else:
            tiers: list[Trust] = [m.trust for m, _, _ in spans]
            trust = weakest(tiers if proposal.trust is None else [*tiers, proposal.trust])
            passed.append(
                Candidate(
                    proposal,
                    tuple(Evidence(m.id, a, b, m.text[a:b]) for m, a, b in spans),
                    trust,
                    max((m for m, _, _ in spans), key=lambda m: (m.occurred_at, m.seq)),
                )
            )
    return passed, dropped


def _checked(proposal: Proposal, secrets: bool) -> Proposal | None:
    """The proposal as it can be stored; None when a field holds what no caller of `add` could pass either."""
    moments: dict[str, datetime | None] = {}
    try:
        for name in ('valid_from', 'valid_to', 'expires_at'):
            moment: datetime | None = getattr(proposal, name)
            moments[name] = None if moment is None else as_moment(moment, name)
        value = check_value(proposal.value, proposal.slot) if proposal.slot and proposal.value else None
        checked = replace(
            proposal,
            text=_told(proposal.text, secrets),
            kind=check_kind(proposal.kind),
            slot=None if proposal.slot is None else check_slot(proposal.slot),
            value=None if value is None else _told(value, secrets),
            confidence=check_unit('confidence', proposal.confidence),
            importance=check_unit('importance', proposal.importance),
            tags=tuple(_told(t, secrets) for t in check_tags(proposal.tags)),
            metadata=check_metadata(proposal.metadata, secrets=secrets),
            valid_from=moments['valid_from'],
            valid_to=moments['valid_to'],
            expires_at=moments['expires_at'],
        )
    except InvalidInput:
        return None
    if checked.op not in get_args(ProposalOp) or (checked.trust is not None and checked.trust not in TIERS):
        return None
    backwards = checked.valid_from and checked.valid_to and checked.valid_to <= checked.valid_from
    return None if backwards else checked


def _told(text: str, secrets: bool) -> str:
    """Words that nobody has redacted yet: a model may have put a secret together again."""
    return redact(storable(text))[0] if secrets else storable(text)
