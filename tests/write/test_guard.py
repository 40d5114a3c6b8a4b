"""Only what a message bears out may be believed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoranda.records import Episode, new_id
from memoranda.scope import Scope
from memoranda.write.extract import Proposal, Quote
from memoranda.write.guard import guard

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def message(text: str, trust: Any = 'user', seq: int = 0) -> Episode:
    return Episode(
        id=new_id(),
        project='default',
        scope=Scope(user_id='ana'),
        conversation_id='c',
        seq=seq,
        role='user',
        text=text,
        occurred_at=NOW,
        recorded_at=NOW,
        trust=trust,
    )


def judged(messages: list[Episode], **fields: Any) -> tuple[int, dict[str, int]]:
    fields.setdefault('text', 'likes tea')
    fields.setdefault('evidence', (Quote(0, 0, 4),))
    passed, dropped = guard([Proposal(**fields)], messages)
    return len(passed), dict(dropped)


def test_the_quote_is_the_words_of_the_message() -> None:
    text = 'I like 🍵 e\u0301 \u202eabc'
    (candidate,), _ = guard([Proposal(text='likes tea', evidence=(Quote(0, 2, 8),))], [message(text)])
    assert candidate.evidence[0].quote == text[2:8]


@pytest.mark.parametrize(
    'quotes',
    [
        (),
        (Quote(1, 0, 4),),
        (Quote(-1, 0, 4),),
        (Quote(0, 0, 5),),
        (Quote(0, -1, 4),),
        (Quote(0, 3, 3),),
        (Quote(0, 3, 2),),
        (Quote(0, 2, 3),),
    ],
)
def test_a_fact_without_words_to_bear_it_out_is_dropped(quotes: tuple[Quote, ...]) -> None:
    assert judged([message('ab c')], evidence=quotes) == (0, {'no evidence': 1})


def test_quotes_that_hold_count_and_the_others_are_left_out() -> None:
    (candidate,), _ = guard([Proposal(text='x', evidence=(Quote(9, 0, 1), Quote(0, 0, 2)))], [message('ab')])
    assert [e.quote for e in candidate.evidence] == ['ab']


def test_the_trust_of_a_fact_is_the_weakest_among_its_evidence() -> None:
    messages = [message('said'), message('read', 'external', 1), message('heard', 'assistant', 2)]
    for quotes, claimed, trust in (
        ((0,), None, 'user'),
        ((0, 2), None, 'assistant'),
        ((0, 1, 2), None, 'external'),
        ((0,), 'tool', 'tool'),
        ((1,), 'user', 'external'),
    ):
        evidence = tuple(Quote(i, 0, 4) for i in quotes)
        (candidate,), _ = guard([Proposal(text='x', evidence=evidence, trust=claimed)], messages)
        assert candidate.trust == trust


def test_it_was_said_by_the_latest_message_of_its_evidence() -> None:
    messages = [message('first'), message('second', seq=1)]
    (candidate,), _ = guard([Proposal(text='x', evidence=(Quote(1, 0, 4), Quote(0, 0, 4)))], messages)
    assert candidate.said.text == 'second'


@pytest.mark.parametrize(
    ('fields', 'reason'),
    [
        ({'text': ''}, 'empty'),
        ({'text': ' \n'}, 'empty'),
        ({'text': 'x' * 2001}, 'too long'),
        ({'kind': 'Not A Kind'}, 'invalid'),
        ({'slot': 'Home City'}, 'invalid'),
        ({'slot': ''}, 'invalid'),
        ({'confidence': 1.5}, 'invalid'),
        ({'importance': -1}, 'invalid'),
        ({'importance': float('nan')}, 'invalid'),
        ({'tags': ('',)}, 'invalid'),
        ({'metadata': {'a': float('inf')}}, 'invalid'),
        ({'metadata': {'a': object()}}, 'invalid'),
        ({'valid_from': 'soon'}, 'invalid'),
        ({'valid_from': NOW, 'valid_to': NOW}, 'invalid'),
        ({'op': 'delete everything'}, 'invalid'),
        ({'trust': 'root'}, 'invalid'),
    ],
)
def test_a_proposal_that_cannot_be_stored_is_dropped_and_counted(fields: dict[str, Any], reason: str) -> None:
    assert judged([message('tea, please')], **fields) == (0, {reason: 1})


def test_text_is_made_storable_and_naive_moments_are_utc() -> None:
    proposal = Proposal(text='a\0b\ud800', valid_from=NOW.replace(tzinfo=None), evidence=(Quote(0, 0, 2),))
    (candidate,), _ = guard([proposal], [message('ab')])
    assert candidate.proposal.text == 'a\ufffdb\ufffd'
    assert candidate.proposal.valid_from == NOW


@given(
    text=st.text(st.characters(exclude_categories=('Cs',)), min_size=1, max_size=30),
    quotes=st.lists(st.tuples(st.integers(-2, 3), st.integers(-5, 40), st.integers(-5, 40)), max_size=4),
)
def test_whatever_is_quoted_the_evidence_is_found_in_the_message(text: str, quotes: list[tuple[int, int, int]]) -> None:
    messages = [message(text), message(text[::-1], seq=1)]
    by_id = {m.id: m.text for m in messages}
    passed, dropped = guard([Proposal(text='x', evidence=tuple(Quote(*q) for q in quotes))], messages)
    assert len(passed) + sum(dropped.values()) == 1
    for candidate in passed:
        assert candidate.evidence
        for evidence in candidate.evidence:
            assert evidence.quote.strip()
            assert by_id[evidence.episode_id][evidence.start : evidence.end] == evidence.quote
