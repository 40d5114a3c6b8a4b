"""How often memories are recalled, and how that keeps what they weigh in ranking from fading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from math import log1p
from time import perf_counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from memoranda.engine import Engine
    from memoranda.records import MemoryRecord
    from memoranda.scope import Reach

__all__ = ['HALF_LIVES', 'LASTING', 'note_recall', 'note_uses', 'retention']

LASTING: Final = frozenset(('profile', 'constraint', 'instruction', 'relationship'))
"""Kinds that do not fade: an allergy matters as much after ten years."""
HALF_LIVES: Final[Mapping[str, float]] = {'event': 60.0, 'interaction': 60.0, 'goal': 120.0}
"""Days, by kind; `HALF_LIFE` for the others. Chosen by hand: no public data tells memories that should fade."""
HALF_LIFE: Final = 240.0
_DAY: Final = timedelta(days=1)


def note_uses(engine: Engine, memories: Iterable[MemoryRecord], at: datetime) -> None:
    """Count that these memories were given to somebody. Costs the caller no I/O, and never fails."""
    if engine.counts_uses:
        uses = [(m.scope.home(m.project), m.id, 1, at) for m in memories]
        if uses:
            engine.store.note_uses(uses)


def note_recall(
    engine: Engine, reaches: Sequence[Reach], began: float, *, found: bool, tokens: int | None = None
) -> None:
    """Count a search, or a context with its tokens, as `note_uses` counts. `began` is of `time.perf_counter`."""
    if engine.counts_uses and reaches:
        engine.store.note_recall(reaches[0].owner, perf_counter() - began, found=found, tokens=tokens)


def retention(memory: MemoryRecord, at: datetime, *, uses: int = 0, last_used_at: datetime | None = None) -> float:
    """The share of a memory's importance that is left at a moment: 1 for a fresh or a lasting one, towards 0.

    `2 ** (-t / (h * s))`, with `t` the days since it was last said or recalled, `h` the half-life of its kind, and
    `s = 1 + ln(1 + n)`, where `n` counts the times it was recalled and said again. That is the forgetting curve
    `exp(-t / S)` of Ebbinghaus (1885) as MemoryBank (Zhong et al. 2023, arXiv:2305.10250) uses it, where recalling also
    sets `t` to 0 and strengthens `S`. There `S` grows by 1 with each recall; here by its logarithm, because every hit
    of a search counts, and what ranks first would otherwise keep itself there.

    Args:
        memory: Which.
        at: The moment.
        uses: How often it was recalled.
        last_used_at: When it was last.
    """
    if memory.pinned or memory.kind in LASTING:
        return 1.0
    since = memory.said_at if last_used_at is None else max(memory.said_at, last_used_at)
    days = max((at - since) / _DAY, 0.0)
    strength = 1 + log1p(uses + max(memory.confirmations - 1, 0))
    return 2.0 ** (-days / (HALF_LIVES.get(memory.kind, HALF_LIFE) * strength))
