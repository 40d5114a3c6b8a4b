"""An extractor that errs in known ways, and what code makes of it."""

from __future__ import annotations

import asyncio

import pytest

from memoranda.errors import InvalidInput
from memoranda.evals.extraction import load_cases
from memoranda.evals.scripted import FAULTS, FaultRow, scripted_errors

pytest.importorskip('pydantic_evals', reason="reads the cases: pip install 'memoranda[evals]'")


@pytest.fixture(scope='module')
def rows() -> dict[str, FaultRow]:
    found = asyncio.run(scripted_errors(load_cases('dev').cases, each=2))
    return {row.name: row for row in found}


REASONS = {
    'no evidence': 'no evidence',
    'quote that is not in the message (beyond its end)': 'no evidence',
    'quote of length 0': 'no evidence',
    'quote that ends before it starts': 'no evidence',
    'quote at a negative place': 'no evidence',
    'message that does not exist': 'no evidence',
    'message with a negative number': 'no evidence',
    'empty text': 'empty',
    'text of 100 kB': 'too long',
    'kind that is none': 'invalid',
    'slot that is none': 'invalid',
    'confidence of 7': 'invalid',
    'confidence that is no number': 'invalid',
    'operation that is none': 'invalid',
    'end before the beginning': 'invalid',
    'same fact twice in one answer': 'known',
    'exception instead of an answer': 'messages kept, job tried again',
    'target that does not exist': 'unknown target',
    "target of another user's": 'unknown target',
    'target of another conversation': 'unknown target',
    'target that a person has edited': 'locked',
}


@pytest.mark.parametrize('name', REASONS)
def test_an_error_that_code_can_know_of_is_caught_every_time_and_counted(rows: dict[str, FaultRow], name: str):
    row = rows[name]
    assert (row.caught.hits, row.caught.total) == (2, 2)
    assert row.reasons == {REASONS[name]: 2}
    assert not row.beyond


def test_what_an_extractor_claims_too_much_is_kept_within_its_bounds(rows: dict[str, FaultRow]):
    for name in ("assistant's claim given as the user's word", 'level of everybody'):
        assert rows[name].caught.value == 1


def test_every_error_is_in_the_table_and_those_beyond_code_say_so(rows: dict[str, FaultRow]):
    assert list(rows) == [fault.name for fault in FAULTS]
    assert {name for name, row in rows.items() if row.beyond} == {
        "wrong one of the user's own memories",
        'invented fact with a true quote',
        'negation turned round',
    }


def test_cases_that_suit_no_error_are_refused():
    with pytest.raises(InvalidInput, match='no case suits'):
        asyncio.run(scripted_errors([]))
