"""Recall, reciprocal rank and NDCG for questions that come with a list of evidence.

A hit may stand for several pieces of evidence (a fact drawn from two turns does), so a ranking is a sequence of
collections of ids, best first.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from memoranda.errors import InvalidInput

__all__ = ['Ranking', 'Scores', 'Tally', 'ndcg_at', 'recall_at', 'reciprocal_rank', 'score']

Ranking: TypeAlias = Sequence[Collection[str]]
"""What each hit stands for, best hit first. A hit that stands for nothing is an empty collection; it takes a place."""

CUTS = (5, 10, 20)
NDCG_CUT = 10


def recall_at(ranking: Ranking, evidence: Collection[str], k: int) -> float:
    """Share of the evidence among the first `k` hits, 0..1.

    Raises:
        InvalidInput: There is no evidence, or `k` is less than 1.
    """
    wanted = _wanted(evidence, k)
    return len(wanted & {id_ for hit in ranking[:k] for id_ in hit}) / len(wanted)


def reciprocal_rank(ranking: Ranking, evidence: Collection[str]) -> float:
    """1 / place of the first hit that stands for any of the evidence; 0 when none does.

    Raises:
        InvalidInput: There is no evidence.
    """
    wanted = _wanted(evidence, 1)
    return next((1 / place for place, hit in enumerate(ranking, 1) if not wanted.isdisjoint(hit)), 0.0)


def ndcg_at(ranking: Ranking, evidence: Collection[str], k: int) -> float:
    """Normalised discounted cumulative gain (Järvelin and Kekäläinen 2002, log2 discount) of the first `k` hits, 0..1.

    A hit gains 1 when it brings evidence that no hit above it brought, so repeating a turn earns nothing. The ideal is
    one piece of evidence a hit.

    Raises:
        InvalidInput: There is no evidence, or `k` is less than 1.
    """
    wanted = _wanted(evidence, k)
    ideal = sum(_discounts(min(k, len(wanted))))
    gain = 0.0
    left = set(wanted)
    for hit, discount in zip(ranking[:k], _discounts(k), strict=False):
        if not left.isdisjoint(hit):
            gain += discount
            left.difference_update(hit)
    return gain / ideal


def _wanted(evidence: Collection[str], k: int) -> frozenset[str]:
    if k < 1:
        raise InvalidInput(f'k={k!r} is less than 1: pass how many hits to look at')
    if isinstance(evidence, str) or not evidence:
        raise InvalidInput(f'evidence={evidence!r} names nothing to be found: leave such questions out')
    return frozenset(evidence)


def _discounts(count: int) -> Iterator[float]:
    return (1 / math.log2(place + 1) for place in range(1, count + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """One question's figures, or the means over many. All 0..1."""

    recall: tuple[float, ...]
    """At 5, 10 and 20 (`CUTS`)."""
    mrr: float
    ndcg: float
    """At 10 (`NDCG_CUT`)."""


def score(ranking: Ranking, evidence: Collection[str]) -> Scores:
    """The figures of one question.

    Args:
        ranking: At least 20 hits, unless there were no more.
        evidence: Ids; at least one.

    Raises:
        InvalidInput: There is no evidence.
    """
    return Scores(
        recall=tuple(recall_at(ranking, evidence, k) for k in CUTS),
        mrr=reciprocal_rank(ranking, evidence),
        ndcg=ndcg_at(ranking, evidence, NDCG_CUT),
    )


@dataclass(slots=True)
class Tally:
    """Scores of several questions on their way to a mean, every question weighing the same."""

    scores: list[Scores] = field(default_factory=list[Scores])

    def __len__(self) -> int:
        return len(self.scores)

    def add(self, one: Scores) -> None:
        """One more question."""
        self.scores.append(one)

    def extend(self, more: Iterable[Scores]) -> None:
        """Several more."""
        self.scores.extend(more)

    def mean(self) -> Scores | None:
        """The means; None without questions."""
        count = len(self.scores)
        if not count:
            return None
        return Scores(
            recall=tuple(math.fsum(column) / count for column in zip(*(s.recall for s in self.scores), strict=True)),
            mrr=math.fsum(s.mrr for s in self.scores) / count,
            ndcg=math.fsum(s.ndcg for s in self.scores) / count,
        )
