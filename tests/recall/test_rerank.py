from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoranda.recall.rank import ADDENDS
from memoranda.recall.rerank import LATE_ADDENDS, rerank
from memoranda.records import Episode, Evidence, Hit, MemoryRecord
from memoranda.scope import Scope
from memoranda.stores.data import Ranked
from recall._lanes import NOW

ANA = Scope(user_id='ana')


def fact(order, text, *sources, **changes):
    record = MemoryRecord(
        id=text,
        version=1,
        project='p',
        level='user',
        scope=ANA,
        said_under=ANA,
        text=text,
        kind='knowledge',
        said_at=NOW,
        valid_from=NOW,
        recorded_at=NOW,
        evidence=tuple(Evidence(s, 0, 1, 'x') for s in sources),
    )
    return (
        Ranked('memories', 0, order, 0.5, {'words': order}),
        Hit(memory=replace(record, **changes), score=0.5),
    )


def turn(order, text, id_, start=0):
    episode = Episode(
        id=id_,
        project='p',
        scope=ANA,
        conversation_id='c',
        seq=0,
        role='user',
        text='.' * start + text,
        occurred_at=NOW,
        recorded_at=NOW,
    )
    return (
        Ranked('episodes', 0, order, 0.5, {'words': order}),
        Hit(episode=episode, start=start, end=start + len(text), score=0.5),
    )


def texts(found):
    return [hit.text for _, hit in found]


def test_a_fact_lifts_its_turn_but_only_one_of_them_stands_on_top():
    found = rerank(
        [
            fact(3.0, 'Lives in Lisbon', 'e1'),
            turn(2.9, 'the weather there', 'e2'),
            turn(2.5, 'I moved to Lisbon', 'e1'),
        ],
        top_k=3,
    )
    assert texts(found) == ['Lives in Lisbon', 'the weather there', 'I moved to Lisbon']
    assert found[0][0].parts['link'] == pytest.approx(0.3 * 2.5)
    assert found[2][0].parts['repeat'] < 0 < found[2][0].parts['link']


def test_turns_wanted_alone_keep_the_support_of_facts():
    found = rerank(
        [
            fact(4.0, 'Lives in Lisbon', 'e1'),
            turn(2.2, 'the weather there', 'e2'),
            turn(2.0, 'I moved to Lisbon', 'e1'),
        ],
        top_k=3,
        include=('episodes',),
    )
    assert texts(found) == ['I moved to Lisbon', 'the weather there']


def test_two_facts_of_one_turn_do_not_push_each_other_down():
    found = rerank(
        [fact(3.0, 'Lives in Lisbon', 'e1'), fact(2.9, 'Works as a nurse', 'e1'), fact(2.8, 'Rows')], top_k=3
    )
    assert texts(found) == ['Lives in Lisbon', 'Works as a nurse', 'Rows']


def test_a_text_said_twice_leaves_room_for_another():
    found = rerank(
        [turn(3.0, 'I like green tea!', 'e1'), turn(2.9, 'I like green tea', 'e2'), turn(1.0, 'And you?', 'e3')],
        top_k=2,
    )
    assert texts(found) == ['I like green tea!', 'And you?']


def test_other_numbers_and_negations_are_not_the_same_text():
    found = rerank(
        [fact(3.0, 'Has 2 kids'), fact(2.9, 'Has 3 kids'), fact(2.8, 'Has no kids'), fact(0.0, 'Rows')], top_k=4
    )
    assert not any('duplicate' in ranked.parts for ranked, _ in found)


def test_a_second_passage_of_a_message_waits_behind_other_messages():
    found = rerank(
        [turn(3.0, 'first part', 'e1'), turn(2.9, 'other words', 'e1', start=50), turn(1.0, 'And you?', 'e2')], top_k=3
    )
    assert texts(found) == ['first part', 'And you?', 'other words']


def test_what_a_memory_is_worth_decides_between_equals():
    plain = fact(1.0, 'plain')
    assert texts(rerank([plain, fact(1.0, 'important', importance=0.9)], top_k=2))[0] == 'important'
    assert texts(rerank([plain, fact(1.0, 'pinned', pinned=True)], top_k=2))[0] == 'pinned'
    assert texts(rerank([fact(1.0, 'doubtful', confidence=0.4), plain], top_k=2))[0] == 'plain'
    assert texts(rerank([fact(1.0, 'from outside', trust='external'), plain], top_k=2))[0] == 'plain'


def test_single_strategies_keep_their_order():
    pairs = [fact(1.0, 'a', 'e1'), fact(1.0, 'b', importance=1.0), turn(0.5, 'c', 'e1')]
    for strategy in ('semantic', 'keyword', 'recency'):
        assert rerank(pairs, top_k=2, strategy=strategy) == pairs[:2]
        assert rerank(pairs, top_k=2, strategy=strategy, include=('episodes',)) == pairs[2:]


pairs = st.lists(
    st.builds(fact, st.floats(-5, 20), st.sampled_from(['tea', 'coffee', 'tea time']), st.sampled_from(['e1', 'e2']))
    | st.builds(turn, st.floats(-5, 20), st.sampled_from(['tea', 'coffee', '']), st.sampled_from(['e1', 'e2', 'e3'])),
    max_size=10,
)


@given(pairs, st.integers(0, 12))
def test_nothing_is_lost_or_invented_and_the_parts_add_up(found, top_k):
    chosen = rerank(found, top_k=top_k)
    assert len(chosen) == min(top_k, len(found))
    left = [hit for _, hit in found]
    for ranked, hit in chosen:
        left.remove(hit)
        assert ranked.score == 0.5
        assert sum(ranked.parts.get(n, 0) for n in (*ADDENDS, *LATE_ADDENDS)) == pytest.approx(ranked.order)
    orders = [ranked.order for ranked, _ in chosen]
    assert orders == sorted(orders, reverse=True)
