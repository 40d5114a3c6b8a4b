"""The second look, at the few rows that were read: what they are worth, what they share, what they repeat."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from memoranda.recall.rank import DEFAULT, Strategy, Weights
from memoranda.recall.usage import retention

if TYPE_CHECKING:
    from memoranda.lanes import LaneName
    from memoranda.records import Hit
    from memoranda.stores.data import Ranked

__all__ = ['LATE_ADDENDS', 'rerank']

LATE_ADDENDS = ('importance', 'decay', 'confidence', 'pinned', 'trust', 'stale', 'link', 'repeat', 'duplicate')
"""The entries this stage adds to `Ranked.parts`. With `rank.ADDENDS` they add up to `Ranked.order`."""

_STEPS = {'user': 0, 'assistant': 1, 'tool': 2, 'external': 3}
_WORD = re.compile(r'\w+')
_READ = 400
_ALIKE = 0.8


def rerank(
    found: Sequence[tuple[Ranked, Hit]],
    *,
    top_k: int,
    strategy: Strategy = 'hybrid',
    include: Sequence[LaneName] = ('memories', 'episodes'),
    now: datetime | None = None,
    weights: Weights = DEFAULT,
) -> list[tuple[Ranked, Hit]]:
    """Choose from the rows that were read.

    A fact and the turns it was drawn from support each other, but only the better of them is worth a place near the
    top; so is only one of two texts that say the same. The score is not touched.

    Args:
        found: What `rank` returned, with the rows; `2 * top_k + 10` of them serve as well as any more.
        top_k: How many to return.
        strategy: Anything but `hybrid` keeps its order.
        include: The lanes wanted. Rows of the other one only lend their support.
        now: The moment to which importance has faded; None: it hasn't.
        weights: See `Weights`.

    Returns:
        Best first, with order and parts brought up to date.
    """
    wanted = [i for i, (ranked, _) in enumerate(found) if ranked.lane in include]
    if strategy != 'hybrid' or top_k <= 0:
        return [found[i] for i in wanted[: max(top_k, 0)]]
    parts = [dict(ranked.parts) for ranked, _ in found]
    worth = [ranked.order for ranked, _ in found]
    for i, (ranked, hit) in enumerate(found):
        for name, value in _merits(ranked, hit, now, weights):
            worth[i] += value
            parts[i][name] = value
    for i, value in enumerate(_linked(found, worth, weights)):
        if value:
            worth[i] += value
            parts[i]['link'] = value
    chosen = _choose([(-worth[i], i) for i in wanted], [hit for _, hit in found], parts, top_k, weights)
    return [(found[i][0].ordered(order, parts[i]), found[i][1]) for order, i in chosen]


def _merits(ranked: Ranked, hit: Hit, now: datetime | None, weights: Weights) -> list[tuple[str, float]]:
    memory = hit.memory
    if memory is None:
        # A turn's trust is that of its role, which was counted.
        return [('stale', -weights.stale)] if hit.stale and weights.stale else []
    left = 1.0 if now is None else retention(memory, now, uses=ranked.uses, last_used_at=ranked.last_used_at)
    values = (
        ('importance', weights.importance * (memory.importance - 0.5)),
        ('decay', weights.decay * memory.importance * (left - 1)),
        ('confidence', weights.confidence * (memory.confidence - 1)),
        ('pinned', weights.pinned * memory.pinned),
        ('trust', -weights.trust * _STEPS[memory.trust]),
    )
    return [merit for merit in values if merit[1]]


def _linked(found: Sequence[tuple[Ranked, Hit]], worth: Sequence[float], weights: Weights) -> list[float]:
    """What each row is lent by the best of those it shares its evidence with."""
    lent = [0.0] * len(found)
    turns: dict[str, list[int]] = {}
    for i, (_, hit) in enumerate(found):
        if hit.episode is not None:
            turns.setdefault(hit.episode.id, []).append(i)
    for i, (_, hit) in enumerate(found):
        if hit.memory is None or not turns:
            continue
        for source in {e.episode_id for e in hit.memory.evidence}:
            for j in turns.get(source, ()):
                lent[j] = max(lent[j], weights.link * worth[i])
                lent[i] = max(lent[i], weights.link * worth[j])
    return lent


def _choose(
    heap: list[tuple[float, int]],
    hits: Sequence[Hit],
    parts: Sequence[dict[str, float]],
    top_k: int,
    weights: Weights,
) -> list[tuple[float, int]]:
    """Takes the best one left, again and again; what repeats one already taken falls back once."""
    heapify(heap)
    chosen: list[tuple[float, int]] = []
    words: list[frozenset[str]] = []
    shown: set[str] = set()
    told: set[str] = set()
    seen: set[int] = set()
    while heap and len(chosen) < top_k:
        order, i = heappop(heap)
        hit = hits[i]
        if i not in seen:
            seen.add(i)
            said = frozenset(_WORD.findall(hit.text[:_READ].casefold()))
            fallen = 0.0
            if _is_told(hit, shown, told):
                parts[i]['repeat'] = -weights.repeat
                fallen += weights.repeat
            if _repeats(said, words):
                parts[i]['duplicate'] = -weights.duplicate
                fallen += weights.duplicate
            if fallen:
                heappush(heap, (order + fallen, i))
                continue
            words.append(said)
        chosen.append((-order, i))
        if hit.episode is not None:
            shown.add(hit.episode.id)
        elif hit.memory is not None:
            told.update(e.episode_id for e in hit.memory.evidence)
    return chosen


def _is_told(hit: Hit, shown: set[str], told: set[str]) -> bool:
    if hit.episode is not None:
        return hit.episode.id in told or hit.episode.id in shown
    return (
        hit.memory is not None and bool(hit.memory.evidence) and all(e.episode_id in shown for e in hit.memory.evidence)
    )


def _repeats(said: frozenset[str], others: Sequence[frozenset[str]]) -> bool:
    """Whether it says nearly the same as one of the others."""
    size = len(said)
    for other in others:
        few, many = (size, len(other)) if size < len(other) else (len(other), size)
        if few >= _ALIKE * many > 0:
            shared = len(said & other)
            if shared >= _ALIKE * (few + many - shared):
                return True
    return False
