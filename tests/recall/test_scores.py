"""The scores of the bundled embedder, on pairs written for this."""

from __future__ import annotations

import pytest

from memoranda.embedders.local import LocalEmbedder
from memoranda.recall.calibrate import calibration_for
from memoranda.recall.query import analyse
from memoranda.recall.rank import rank
from recall._lanes import NOW, lane


@pytest.fixture(scope='module')
def embedder():
    return LocalEmbedder()


def scores(embedder, facts, asked):
    query = analyse(asked, now=NOW)
    vectors = embedder.embed_now([*facts, query.dense_text])
    found = rank(
        query,
        [lane(facts, cosine=vectors[:-1] @ vectors[-1])],
        top_k=len(facts),
        now=NOW,
        calibration=calibration_for(embedder.name),
    )
    return {facts[r.row]: r.score for r in found}


FACTS = ['Name is Alice', 'Loves Python programming']


@pytest.mark.parametrize(
    ('fact', 'asked'),
    [
        ('Name is Alice', 'user name'),
        ('Name is Alice', "What is the user's name?"),
        ('Loves Python programming', 'programming preferences'),
        ('Loves Python programming', 'favourite coding language'),
        ('Is allergic to peanuts', 'food allergies'),
        ('Lives in Lisbon', 'Where does the user live?'),
        ('Has two kids', 'How many children does the user have?'),
        ('Birthday is 4 March 1990', 'date of birth'),
        ('Is vegetarian', 'Does the user eat meat?'),
    ],
)
def test_an_answer_scores_high_alone_and_among_others(embedder, fact, asked):
    assert scores(embedder, [fact], asked)[fact] >= 0.7
    among = scores(embedder, sorted({fact, *FACTS}), asked)
    assert among[fact] >= 0.7
    assert max(among, key=among.__getitem__) == fact


@pytest.mark.parametrize(
    'asked', ['weather tomorrow', 'boiling point of water', 'train to Madrid', 'tax return deadline']
)
def test_what_has_nothing_to_do_with_it_scores_low(embedder, asked):
    assert max(scores(embedder, FACTS, asked).values()) < 0.3
