from __future__ import annotations

import asyncio
import hashlib
import textwrap
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from memoranda import AsyncMemory
from memoranda.errors import ConfigurationError, InvalidInput
from memoranda.evals.extraction import (
    ExtractionReport,
    Share,
    evaluate,
    load_cases,
    read_cases,
    wilson,
)
from memoranda.records import Usage
from memoranda.testing.embedders import HashingEmbedder
from memoranda.testing.extractors import ScriptedExtractor
from memoranda.write.extract import Extraction, ExtractionRequest, Proposal, Quote

pytest.importorskip('pydantic_evals', reason="reads the cases: pip install 'memoranda[evals]'")

Propose = Callable[[ExtractionRequest], Sequence[Proposal]]

HEAD = """
name: small
cases:
"""


def case(
    *operations: str,
    say: str = 'I moved to Porto and I hate rain.',
    existing: str = '[]',
    scope: str = 'user',
    gate: str = '[true]',
    category: str = 'statement',
    name: str = 'one',
) -> str:
    lines = ''.join(f'    - {{{operation}}}\n' for operation in operations) or '      []\n'
    return (
        textwrap.dedent(f"""\
- name: {name}
  inputs:
    scope: {scope}
    existing: {existing}
    messages:
    - {{role: user, content: "{say}", timestamp: '2026-03-12T09:00:00Z'}}
    gate: {gate}
  expected_output:
    operations:
""")
        + f'{lines}  metadata: {{category: {category}}}\n'
    )


CITY = '[{text: Lives in Lisbon, kind: profile, slot: home.city}, {text: Is vegan, kind: preference, slot: diet}]'
PORTO = 'op: supersede, target: 0, says: [[porto]], kind: [profile], quote: moved to Porto'
RAIN = 'op: add, says: [[rain], [hate, dislike]], kind: [preference], quote: hate rain'


def quoted(request: ExtractionRequest, words: str) -> tuple[Quote, ...]:
    for number, message in enumerate(request.messages):
        if words in message.text:
            start = message.text.index(words)
            return (Quote(number, start, start + len(words)),)
    raise AssertionError(words)


def fact(request: ExtractionRequest, text: str, words: str = 'hate rain', **fields: Any) -> Proposal:
    return Proposal(text=text, evidence=quoted(request, words), **{'kind': 'preference', **fields})


def known(request: ExtractionRequest, slot: str) -> str:
    return {m.slot: m.id for m in request.existing}[slot]


class Answering:
    """Like a model it is shown what may be meant, not only what shares words with the message."""

    name = 'answering'

    def __init__(self, answer: Callable[[ExtractionRequest], Extraction]) -> None:
        self._answer = answer

    async def extract(self, request: ExtractionRequest) -> Extraction:
        return self._answer(request)


def run(yaml: str, propose: Propose, **usage: Any) -> ExtractionReport:
    """The report of an extractor that answers by a function."""

    def answer(request: ExtractionRequest) -> Extraction:
        return Extraction(proposals=propose(request), usage=Usage(**usage))

    def memory() -> AsyncMemory:
        return AsyncMemory(':memory:', extractor=Answering(answer), embedder=HashingEmbedder())

    return asyncio.run(evaluate(read_cases((HEAD + yaml).encode()).cases, memory, extractor='scripted'))


@pytest.mark.parametrize(
    ('hits', 'total', 'low', 'high'),
    # Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_the_one_in_the_literature(hits: int, total: int, low: float, high: float):
    assert wilson(hits, total) == pytest.approx((low, high), abs=5e-5)


def test_the_interval_is_symmetric_and_reaches_the_ends_only_where_the_share_does():
    assert wilson(29, 29)[1] == 1.0
    assert wilson(28, 29) == pytest.approx((1 - 0.1718, 1 - 0.0061), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)


def test_more_hits_than_trials_are_refused():
    with pytest.raises(InvalidInput, match='hits=3 of total=2'):
        wilson(3, 2)


def test_a_share_of_nothing_has_no_value():
    assert Share().value is None
    assert Share.of([True, False, True]) == Share(2, 3)


def test_a_right_answer_has_full_marks():
    report = run(
        case(PORTO, RAIN, existing=CITY, category='change_of_mind'),
        lambda r: [
            Proposal(text='Lives in Porto', kind='profile', slot='home.city', evidence=quoted(r, 'moved to Porto')),
            fact(r, 'Hates rain'),
        ],
    )
    assert report.overall.precision == report.overall.recall == Share(2, 2)
    assert report.strict_precision == Share(2, 2)
    assert report.supersession == Share(1, 1)
    assert report.left_alone == Share(0, 0)
    assert report.passed == Share(1, 1)
    assert report.parts['kind'] == report.parts['evidence'] == Share(2, 2)
    assert report.by_kind['preference'].recall == Share(1, 1)
    assert report.by_category['change_of_mind'].precision == Share(2, 2)


def test_figures_over_several_cases_are_those_counted_by_hand():
    yaml = (
        case(RAIN, 'op: add, says: [[porto]], kind: [profile]', name='a')  # one of two found
        + case(name='b', say='Is rain wet?', gate='[false]', category='question')  # stopped by the gate
        + case(name='c', say='I hate rain, they say.')  # drawn, and wrong
        + case('op: add, says: [[sun]], optional: true', name='d', say='I hate rain but maybe like sun.')
    )

    def propose(request: ExtractionRequest) -> Sequence[Proposal]:
        text = 'Likes sun, perhaps' if 'sun' in request.messages[0].text else 'Hates rain'
        return [fact(request, text)]

    report = run(yaml, propose)
    assert report.overall.precision == Share(2, 3)
    assert report.overall.recall == Share(1, 2)
    assert report.by_kind['preference'].precision == Share(2, 3)
    assert report.by_kind['profile'].recall == Share(0, 1)
    assert report.by_category['statement'].recall == Share(1, 2)
    assert report.gate.precision == report.gate.recall == Share(3, 3)
    assert report.skipped == {'gate': 1}
    assert [o.name for o in report.outcomes if not o.passed] == ['a', 'c']


def test_one_fact_that_says_two_things_counts_once_and_two_facts_that_say_one_thing_count_once():
    both = run(case(RAIN, 'op: add, says: [[porto]]'), lambda r: [fact(r, 'Hates rain in Porto')])
    assert (both.overall.precision, both.overall.recall) == (Share(1, 1), Share(1, 2))
    twice = run(case(RAIN), lambda r: [fact(r, 'Hates rain'), fact(r, 'Does hate the rain in winter')])
    assert (twice.overall.precision, twice.overall.recall) == (Share(1, 2), Share(1, 1))


def test_facts_are_assigned_so_that_most_of_them_match():
    # The first fact fits both operations, the second only one of them.
    report = run(
        case('op: add, says: [[rain]]', 'op: add, says: [[rain], [porto]]'),
        lambda r: [fact(r, 'Hates the rain of Porto'), fact(r, 'Hates rain')],
    )
    assert report.overall.precision == report.overall.recall == Share(2, 2)
    assert report.outcomes[0].matches == (1, 0)


def test_a_required_operation_goes_before_an_optional_one():
    report = run(case('op: add, says: [[rain]], optional: true', RAIN), lambda r: [fact(r, 'Hates rain')])
    assert report.overall.recall == Share(1, 1)


def test_words_match_in_any_case_and_form_and_what_may_never_be_said_is_an_error():
    operation = "op: add, says: [[CAFÉ, tea]], never: [doesn't]"
    assert run(case(operation), lambda r: [fact(r, 'Likes cafe\u0301')]).overall.precision == Share(1, 1)
    assert run(case(operation), lambda r: [fact(r, 'Doesn’t like café')]).overall.precision == Share(0, 1)


def test_a_replacement_without_the_end_of_the_old_fact_is_wrong_and_missed():
    report = run(
        case(PORTO, existing=CITY),
        lambda r: [Proposal(text='Lives in Porto', kind='profile', evidence=quoted(r, 'moved to Porto'))],
    )
    assert (report.overall.precision, report.overall.recall) == (Share(0, 1), Share(0, 1))
    assert report.supersession == Share(0, 1)


def test_the_end_of_another_memory_spoils_a_supersession():
    report = run(
        case(PORTO, existing=CITY),
        lambda r: [
            Proposal(text='Lives in Porto', kind='profile', slot='home.city', evidence=quoted(r, 'moved to Porto')),
            Proposal(op='retract', target=known(r, 'diet'), evidence=quoted(r, 'hate rain')),
        ],
    )
    assert report.overall.precision == Share(1, 2)
    assert report.supersession == Share(0, 1)


def test_where_nothing_should_end_it_is_counted_whether_nothing_did():
    yaml = case(RAIN, existing=CITY)
    assert run(yaml, lambda r: [fact(r, 'Hates rain')]).left_alone == Share(1, 1)
    ended = run(yaml, lambda r: [Proposal(op='retract', target=known(r, 'diet'), evidence=quoted(r, 'hate rain'))])
    assert ended.left_alone == Share(0, 1)


def test_a_change_taken_for_a_correction_is_found_but_has_a_wrong_part():
    report = run(
        case(PORTO, existing=CITY),
        lambda r: [
            Proposal(
                op='correct',
                target=known(r, 'home.city'),
                text='Lives in Porto',
                kind='profile',
                evidence=quoted(r, 'moved to Porto'),
            )
        ],
    )
    assert report.overall.recall == report.supersession == Share(1, 1)
    assert report.parts['op'] == report.strict_precision == Share(0, 1)


def test_a_confirmation_and_a_retraction_are_matched_by_their_target():
    yaml = case('op: confirm, target: 0, quote: moved to Porto', 'op: retract, target: 1', existing=CITY)
    right = run(
        yaml,
        lambda r: [
            Proposal(op='confirm', target=known(r, 'home.city'), evidence=quoted(r, 'moved to Porto')),
            Proposal(op='retract', target=known(r, 'diet'), evidence=quoted(r, 'hate rain')),
        ],
    )
    assert right.overall.recall == Share(2, 2)
    assert right.parts['evidence'] == Share(1, 1)
    assert right.supersession == Share(1, 1)
    crossed = run(
        yaml,
        lambda r: [
            Proposal(op='confirm', target=known(r, 'diet'), evidence=quoted(r, 'moved to Porto')),
            Proposal(op='retract', target=known(r, 'home.city'), evidence=quoted(r, 'hate rain')),
        ],
    )
    assert crossed.overall.recall == Share(0, 2)
    assert crossed.supersession == Share(0, 1)


def test_what_holds_for_a_conversation_is_an_error_at_the_level_of_the_user():
    yaml = case('op: add, says: [[rain]], level: run', scope='session')
    here = run(yaml, lambda r: [fact(r, 'Hates rain', level='run')])
    assert here.overall.precision == here.parts['level'] == Share(1, 1)
    everywhere = run(yaml, lambda r: [fact(r, 'Hates rain', level='user')])
    assert everywhere.overall.precision == everywhere.overall.recall == everywhere.parts['level'] == Share(0, 1)


def test_evidence_from_other_words_is_a_wrong_part():
    report = run(case(RAIN), lambda r: [fact(r, 'Hates rain', words='moved to Porto')])
    assert report.overall.precision == Share(1, 1)
    assert report.parts['evidence'] == report.strict_precision == Share(0, 1)


def test_a_date_may_be_off_by_its_tolerance():
    yaml = case("op: add, says: [[rain]], valid_from: '2026-03-05', tolerance_days: 2")
    near, far = datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 3, 8, tzinfo=UTC)
    assert run(yaml, lambda r: [fact(r, 'Hates rain', valid_from=near)]).parts['date'] == Share(1, 1)
    assert run(yaml, lambda r: [fact(r, 'Hates rain', valid_from=far)]).parts['date'] == Share(0, 1)


def test_what_code_drops_is_counted_and_is_not_drawn():
    report = run(case(RAIN), lambda r: [Proposal(text='Owns a castle', evidence=()), fact(r, 'Hates rain')])
    assert report.skipped == {'no evidence': 1}
    assert report.overall.precision == Share(1, 1)


def test_what_answers_cost_is_summed():
    yaml = case(RAIN, name='a') + case(RAIN, name='b')
    report = run(yaml, lambda r: [fact(r, 'Hates rain')], requests=1, input_tokens=900, output_tokens=40, cost=0.5)
    assert report.usage == Usage(requests=2, input_tokens=1800, output_tokens=80, cost=1.0)


def test_a_known_fact_that_a_person_edited_stays_and_the_attempt_is_counted():
    locked = '[{text: Lives in Lisbon, kind: profile, slot: home.city, locked: true}]'
    report = run(
        case(existing=locked),
        lambda r: [
            Proposal(text='Lives in Porto', kind='profile', slot='home.city', evidence=quoted(r, 'moved to Porto'))
        ],
    )
    assert report.skipped == {'locked': 1}
    assert report.left_alone == report.passed == Share(1, 1)


def test_a_run_level_fact_is_known_in_its_conversation():
    yaml = case(
        'op: supersede, target: 0, says: [[spanish]], level: run',
        existing='[{text: Wants French, kind: instruction, slot: language.answer, level: run}]',
        scope='session',
    )
    report = run(yaml, lambda r: [fact(r, 'Wants Spanish', kind='instruction', slot='language.answer', level='run')])
    assert report.supersession == report.overall.precision == Share(1, 1)


def test_a_case_in_which_extraction_fails_draws_nothing_and_is_named():
    def propose(request: ExtractionRequest) -> Sequence[Proposal]:
        raise TimeoutError('no answer')

    report = run(case(RAIN), propose)
    assert report.overall.recall == Share(0, 1)
    assert [o.name for o in report.failed] == ['one']
    assert 'no answer' in (report.failed[0].error or '')
    assert report.summary()['failed'] == 1


def test_an_extractor_that_cannot_be_used_ends_the_run_and_is_not_asked_again():
    asked: list[ExtractionRequest] = []

    def propose(request: ExtractionRequest) -> Sequence[Proposal]:
        asked.append(request)
        raise ConfigurationError('no key')

    with pytest.raises(ConfigurationError, match='no key'):
        run(case(RAIN, name='a') + case(RAIN, name='b'), propose)
    assert len(asked) == 1


def test_several_cases_run_at_once_and_are_reported_in_their_order():
    yaml = ''.join(case(RAIN, name=f'case-{number}') for number in range(5))
    seen: list[tuple[int, int]] = []

    def memory() -> AsyncMemory:
        extractor = ScriptedExtractor(lambda r: Extraction(proposals=[fact(r, 'Hates rain')]))
        return AsyncMemory(':memory:', extractor=extractor, embedder=HashingEmbedder())

    cases = read_cases((HEAD + yaml).encode()).cases
    report = asyncio.run(evaluate(cases, memory, concurrency=3, progress=lambda *step: seen.append(step)))
    assert [o.name for o in report.outcomes] == [f'case-{number}' for number in range(5)]
    assert seen == [(number, 5) for number in range(1, 6)]
    assert report.overall.recall == Share(5, 5)


def test_the_summary_is_json_with_counts_and_intervals():
    summary = run(case(RAIN), lambda r: [fact(r, 'Hates rain')]).summary()
    assert summary['precision'] == {
        'hits': 1,
        'total': 1,
        'value': 1.0,
        'interval': [pytest.approx(0.2065, abs=1e-4), 1.0],
    }
    assert summary['gate']['recall']['hits'] == 1
    assert set(summary['parts']) == {'op', 'kind', 'level', 'evidence', 'date'}


@pytest.mark.parametrize(
    ('yaml', 'problem'),
    [
        (case(RAIN, gate='[true, false]'), 'gate has 2 labels for 1 messages'),
        (case('op: add, says: [[x]], target: 0', existing=CITY), 'every op but add names one'),
        (case('op: supersede, says: [[x]]', existing=CITY), 'every op but add names one'),
        (case('op: supersede, target: 2, says: [[x]]', existing=CITY), 'target 2 is beyond the 2'),
        (case('op: retract, target: 0, says: [[x]]', existing=CITY), 'a new fact says something'),
        (case('op: add'), 'a new fact says something'),
        (case('op: add, says: [[x]], quote: in no message'), "quote 'in no message' is in no message"),
        (case(existing='[{text: Lives here, level: run}]'), "use scope 'session'"),
        (case(RAIN, category='weather'), "category 'weather' is none of"),
        (case(RAIN) + case(RAIN), 'name'),
        (case(f'{RAIN}, sayz: [[x]]'), 'sayz'),
        (case(RAIN).replace("Z'}", "'}"), 'timezone'),
        ('  - [', 'correct it'),
    ],
)
def test_a_set_that_cannot_be_used_says_which_case_and_why(yaml: str, problem: str):
    with pytest.raises(InvalidInput) as raised:
        read_cases((HEAD + yaml).encode())
    assert problem in str(raised.value)


def test_a_frozen_set_is_read_only_as_it_was_frozen():
    data = (HEAD + case(RAIN)).encode()
    digest = hashlib.sha256(data).hexdigest()
    assert len(read_cases(data, sha256=digest.upper()).cases) == 1
    with pytest.raises(InvalidInput, match=f'{digest[:16]}… was frozen.*restore the file'):
        read_cases(data + b'\n', sha256=digest)


def test_a_hold_out_that_was_not_frozen_is_not_opened():
    with pytest.raises(InvalidInput, match='has not been frozen'):
        load_cases('holdout', holdout_sha256='')
