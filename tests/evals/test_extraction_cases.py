"""The development set is sound. The hold-out is not looked at here: its bytes are checked when it is opened."""

from __future__ import annotations

from collections import Counter

import pytest

from memoranda.checks import check_kind, check_slot
from memoranda.evals.extraction import CATEGORIES, load_cases
from memoranda.records import KINDS
from memoranda.write.redact import redact

pytest.importorskip('pydantic_evals', reason="reads the cases: pip install 'memoranda[evals]'")


@pytest.fixture(scope='module')
def cases():
    return load_cases('dev').cases


def test_there_are_at_least_a_hundred_cases_and_several_of_every_category(cases):
    assert len(cases) >= 100
    counts = Counter(case.metadata.category for case in cases)
    assert set(counts) == set(CATEGORIES)
    assert min(counts.values()) >= 4


def test_names_are_unique_and_in_kebab_case(cases):
    names = [case.name for case in cases]
    assert len(set(names)) == len(names)
    assert [name for name in names if name != '-'.join(name.lower().split()).replace('_', '-')] == []


def test_no_message_of_some_length_is_in_two_cases(cases):
    said = Counter(message.content for case in cases for message in case.inputs.messages if len(message.content) > 25)
    assert [text for text, count in said.items() if count > 1] == []


def test_kinds_and_slots_are_known_ones(cases):
    for case in cases:
        for fact in case.inputs.existing:
            assert check_kind(fact.kind) in KINDS
            assert fact.slot is None or check_slot(fact.slot)
        for operation in case.expected_output.operations:
            assert set(operation.kind) <= set(KINDS), case.name


def test_every_required_operation_names_the_words_it_rests_on(cases):
    without = [
        case.name
        for case in cases
        for operation in case.expected_output.operations
        if operation.quote is None and not operation.optional
    ]
    assert without == []


def test_secrets_are_gone_before_extraction_and_quotes_survive_that(cases):
    for case in cases:
        stored = [redact(message.content)[0] for message in case.inputs.messages]
        for operation in case.expected_output.operations:
            assert any(operation.quote in text for text in stored), (case.name, operation.quote)
        for text in stored:  # what no fact may hold is gone
            for operation in case.expected_output.operations:
                digits = [word for word in operation.never if word.isdigit() and len(word) > 3]
                assert case.metadata.category != 'secret' or not any(word in text for word in digits), case.name


def test_messages_come_in_their_order_and_several_languages_and_scopes_are_there(cases):
    for case in cases:
        moments = [message.timestamp for message in case.inputs.messages]
        assert moments == sorted(set(moments)), case.name
    assert len({case.metadata.language for case in cases}) >= 8
    assert {case.inputs.scope for case in cases} == {'user', 'session', 'agent'}


def test_gate_labels_of_both_sorts_are_there(cases):
    labels = Counter(label for case in cases for label in case.inputs.gate)
    assert labels[False] >= 12
    assert labels[True] >= 100


def test_the_seeds_of_the_field_are_among_them(cases):
    said = {message.content for case in cases for message in case.inputs.messages}
    assert {
        "I'm building a FastAPI app with PostgreSQL. I prefer async code and I hate ORM magic.",
        'I switched from Python to TypeScript',
        "I'm in a hurry today, skip explanations",
        'Reset my workspace',
    } <= said
