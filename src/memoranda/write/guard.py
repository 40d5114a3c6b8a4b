"""The seam between what an extractor proposes and what may be believed.

Only evidence counts here so far: quotes are checked against the stored message, the tier of a fact is the weakest among
its evidence, and a fact nobody vouches for is dropped. Review and policies build on this function.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from memoranda.records import Episode, Evidence, Trust
from memoranda.write.extract import Proposal

__all__ = ['TIERS', 'Candidate', 'guard', 'weakest']

TIERS: Final[Sequence[Trust]] = ('user', 'assistant', 'tool', 'external')
MAX_FACT_CHARS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proposal whose evidence holds."""

    proposal: Proposal
    evidence: tuple[Evidence, ...]
    trust: Trust
    said: Episode
    """The latest message among its evidence: it tells when and under which ids the fact was said."""


def weakest(tiers: Sequence[Trust]) -> Trust:
    """The tier that vouches least."""
    return TIERS[max(TIERS.index(t) for t in tiers)]


def guard(
    proposals: Sequence[Proposal], messages: Sequence[Episode], *, max_chars: int = MAX_FACT_CHARS
) -> tuple[list[Candidate], Mapping[str, int]]:
    """Check proposals against the messages they come from.

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
