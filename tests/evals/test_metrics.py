from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoranda.errors import InvalidInput
from memoranda.evals.metrics import Scores, Tally, ndcg_at, recall_at, reciprocal_rank, score

IDS = st.sampled_from('abcdefgh')


def turns(ids: str) -> list[str]:
    return list(ids)


def test_recall_is_the_share_of_the_evidence_that_was_found():
    assert recall_at(turns('xaybz'), {'a', 'b', 'c'}, 5) == pytest.approx(2 / 3)
    assert recall_at(turns('xaybz'), {'a', 'b', 'c'}, 2) == pytest.approx(1 / 3)


def test_evidence_below_the_cut_is_not_found():
    assert recall_at(turns('xxa'), {'a'}, 2) == 0


def test_a_fact_counts_as_every_turn_it_was_drawn_from():
    assert recall_at([{'a', 'b'}], ['a', 'b'], 1) == 1


def test_a_hit_that_stands_for_nothing_takes_a_place():
    assert reciprocal_rank([(), (), {'a'}], {'a'}) == pytest.approx(1 / 3)


def test_the_reciprocal_rank_is_that_of_the_first_evidence_and_zero_without_any():
    assert reciprocal_rank(turns('xba'), {'a', 'b'}) == 0.5
    assert reciprocal_rank(turns('xyz'), {'a'}) == 0
    assert reciprocal_rank([], {'a'}) == 0


def test_ndcg_discounts_by_the_logarithm_of_the_place():
    assert ndcg_at(turns('xa'), {'a'}, 10) == pytest.approx(1 / math.log2(3))
    ideal = 1 + 1 / math.log2(3)
    assert ndcg_at(turns('axb'), {'a', 'b'}, 10) == pytest.approx((1 + 1 / math.log2(4)) / ideal)


def test_the_same_turn_twice_gains_nothing_the_second_time():
    assert ndcg_at(turns('aa'), {'a', 'b'}, 10) == ndcg_at(turns('ax'), {'a', 'b'}, 10)


def test_more_evidence_than_the_cut_can_still_be_ideal():
    assert ndcg_at(turns('ab'), {'a', 'b', 'c'}, 2) == pytest.approx(1)


@given(st.lists(st.frozensets(IDS, max_size=3), max_size=15), st.frozensets(IDS, min_size=1), st.integers(1, 20))
def test_every_figure_lies_between_nothing_and_everything(ranking, evidence, k):
    for value in (recall_at(ranking, evidence, k), reciprocal_rank(ranking, evidence), ndcg_at(ranking, evidence, k)):
        assert 0 <= value <= 1 + 1e-9


@given(st.lists(IDS, min_size=1, max_size=15, unique=True), st.data())
def test_evidence_at_the_top_is_perfect(ids, data):
    size = data.draw(st.integers(1, min(5, len(ids))))
    assert score(ids, ids[:size]) == Scores(recall=(1.0, 1.0, 1.0), mrr=1.0, ndcg=pytest.approx(1.0))


@pytest.mark.parametrize('evidence', [[], (), '', 'D1:3'])
def test_a_question_without_evidence_is_refused(evidence):
    with pytest.raises(InvalidInput, match='leave such questions out'):
        score(turns('ab'), evidence)


def test_a_cut_below_one_is_refused():
    with pytest.raises(InvalidInput, match='k=0'):
        recall_at(turns('ab'), {'a'}, 0)


def test_the_mean_weighs_every_question_the_same():
    tally = Tally()
    assert tally.mean() is None
    tally.add(score(turns('a'), {'a'}))
    tally.extend([score(turns('x'), {'a', 'b', 'c'})])
    assert len(tally) == 2
    assert tally.mean() == Scores(recall=(0.5, 0.5, 0.5), mrr=0.5, ndcg=0.5)
