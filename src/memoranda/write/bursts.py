"""Holds back facts that come in masses from one source that is not the user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from memoranda.policy import Policy
    from memoranda.records import Trust
    from memoranda.scope import Owner
    from memoranda.stores.base import Store
    from memoranda.write.guard import Candidate

__all__ = ['held_back']

_CODE: Final = 'burst'


async def held_back(
    candidates: Sequence[Candidate], owner: Owner, *, store: Store, policy: Policy, at: datetime
) -> Sequence[Candidate]:
    """The candidates, of which those beyond what the policy allows wait.

    What counts is what is stored, so it is the same whichever process does the work, and after a restart.

    Args:
        candidates: In order.
        owner: Whose they are.
        store: Knows what was written before.
        policy: How many facts in how many seconds.
        at: Now.
    """
    if policy.burst is None:
        return candidates
    most, seconds = policy.burst
    new: list[Trust] = [c.trust for c in candidates if _counts(c)]
    if not new:
        return candidates
    written: Counter[Trust] = Counter()
    for tier in dict.fromkeys(new):
        written[tier] = await store.written_since(owner, tier, at - timedelta(seconds=seconds), limit=most)
    kept: list[Candidate] = []
    for candidate in candidates:
        if _counts(candidate):
            written[candidate.trust] += 1
            if written[candidate.trust] > most:
                candidate = replace(candidate, pending=True, reasons=(*candidate.reasons, _CODE))
        kept.append(candidate)
    return kept


def _counts(candidate: Candidate) -> bool:
    return candidate.trust != 'user' and not candidate.pending and candidate.proposal.op not in ('confirm', 'retract')
