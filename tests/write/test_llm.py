"""What becomes of a model's answer, and how the extractor is configured."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models.test import TestModel
from pydantic_ai.usage import RequestUsage

from _fakes import fast, subprocess_environment
from _model import Script, about, asked, extract, fact, known, message, operations
from memoranda import ConfigurationError
from memoranda.scope import Scope
from memoranda.write.answer import Answer
from memoranda.write.extract import Extraction, ExtractionRequest, Extractor, PureExtractor, Quote, SlotSpec
from memoranda.write.llm import LLMExtractor
from memoranda.write.prompt import rules

ANA = Scope(user_id='ana')
HERE = Scope(user_id='ana', run_id='s1')
AGENT = Scope(agent_id='coder')
MOVED = 'Big news, I moved to Porto last week!'


def test_an_answer_becomes_proposals() -> None:
    home = known('Lives in Lisbon', 'home.city')
    script = Script(
        [
            about(
                'supersede',
                1,
                'moved to Porto',
                text='Lives in Porto',
                kind='profile',
                slot='home.city',
                value='Porto',
                confidence=0.95,
                importance=0.7,
                valid_from='2026-03-05',
            )
        ]
    )
    found = extract(script, MOVED, existing=[home])
    (proposal,) = found.proposals
    assert (proposal.op, proposal.target, proposal.text) == ('supersede', home.id, 'Lives in Porto')
    assert (proposal.kind, proposal.slot, proposal.value) == ('profile', 'home.city', 'Porto')
    assert (proposal.confidence, proposal.importance, proposal.level) == (0.95, 0.7, None)
    assert proposal.valid_from == datetime(2026, 3, 5, tzinfo=UTC)
    assert proposal.evidence == (Quote(0, 12, 26),)
    assert found.skipped == {}


@pytest.mark.parametrize(
    ('said', 'found'),
    [
        ('2026-03-05', datetime(2026, 3, 5, tzinfo=UTC)),
        ('2026-03', datetime(2026, 3, 1, tzinfo=UTC)),
        ('2026', datetime(2026, 1, 1, tzinfo=UTC)),
        ('2026-03-05T10:00:00+02:00', datetime(2026, 3, 5, 8, tzinfo=UTC)),
        ('', None),
        (None, None),
        ('last week', None),
        ('2026-13-45', None),
    ],
)
def test_a_start_that_cannot_be_read_is_left_out(said: str | None, found: datetime | None) -> None:
    (proposal,) = extract(Script([fact('Moved', 'moved to Porto', valid_from=said)]), MOVED).proposals
    assert proposal.valid_from == found


def test_an_end_that_cannot_be_read_voids_the_operation_because_it_would_make_the_past_current() -> None:
    script = Script([fact('Lived in Rome', 'moved to Porto', valid_to='some time ago')])
    found = extract(script, MOVED)
    assert (found.proposals, found.skipped) == ([], {'unreadable date': 1})


@pytest.mark.parametrize(
    ('number', 'quoted'), [(7, 'I like tea'), (0, 'I like tea'), (2, 'I like tea'), (-1, 'i like TEA')]
)
def test_a_wrong_number_is_mended_where_the_words_tell_the_message(number: int, quoted: str) -> None:
    found = extract(Script([fact('Likes tea', quoted, number)]), 'I like tea', 'and jazz')
    assert found.proposals[0].evidence == (Quote(0, 0, 10),)


def test_a_wrong_number_with_words_of_several_messages_proves_nothing() -> None:
    found = extract(Script([fact('Likes tea', 'I like tea', 9)]), 'I like tea', 'I like tea, too')
    assert (found.proposals, found.skipped) == ([], {'no evidence': 1})


def test_quotes_that_were_never_said_void_the_operation() -> None:
    script = Script([fact('Is rich', 'I am rich'), fact('Moved', 'moved to Porto')])
    found = extract(script, MOVED)
    assert [p.text for p in found.proposals] == ['Moved']
    assert found.skipped == {'no evidence': 1}


@pytest.mark.parametrize('op', ['confirm', 'retract', 'supersede', 'correct'])
@pytest.mark.parametrize('target', [2, 99, -1])
def test_a_target_that_was_not_shown_voids_the_operation(op: str, target: int) -> None:
    script = Script([about(op, target, 'moved to Porto', text='Lives in Porto')])
    found = extract(script, MOVED, existing=[known('Lives in Lisbon', 'home.city')])
    assert (found.proposals, found.skipped) == ([], {'unknown target': 1})


@pytest.mark.parametrize(
    ('op', 'becomes'), [('supersede', 'add'), ('correct', 'add'), ('confirm', None), ('retract', None)]
)
def test_without_a_target_a_new_fact_is_added_and_nothing_else_is_done(op: str, becomes: str | None) -> None:
    found = extract(Script([about(op, 0, 'moved to Porto', text='Lives in Porto')]), MOVED)
    assert [p.op for p in found.proposals] == ([becomes] if becomes else [])


def test_confirm_retract_and_reset_carry_no_text() -> None:
    script = Script([about(op, 1, 'moved to Porto', text='noise') for op in ('confirm', 'retract', 'reset')])
    found = extract(script, MOVED, existing=[known('Lives in Porto')])
    assert [(p.op, p.text, p.target is None) for p in found.proposals] == [
        ('confirm', '', False),
        ('retract', '', False),
        ('reset', '', True),
    ]


def test_what_the_assistant_said_is_no_fact_about_the_user_unless_the_user_agrees() -> None:
    said = [message('You live in Porto, right?', role='assistant'), message('Right')]
    alone = fact('Lives in Porto', 'You live in Porto')
    both = {**alone, 'evidence': [*alone['evidence'], {'message': 2, 'quote': 'Right'}]}
    found = extract(Script([alone, both]), *said)
    assert [[q.message for q in p.evidence] for p in found.proposals] == [[0, 1]]
    assert found.skipped == {'not said by the user': 1}


def test_what_was_done_together_may_rest_on_the_assistants_words() -> None:
    said = message('I booked the table for you', role='assistant')
    found = extract(Script([fact('The assistant booked a table', 'booked the table', kind='interaction')]), said)
    assert [p.kind for p in found.proposals] == ['interaction']


def test_a_fact_of_this_conversation_stays_in_it() -> None:
    script = Script([fact('Is in a hurry', 'in a hurry', level='run')])
    assert [p.level for p in extract(script, "I'm in a hurry", scope=HERE).proposals] == ['run']
    found = extract(script, "I'm in a hurry", scope=ANA)
    assert (found.proposals, found.skipped) == ([], {'no such level': 1})
    assert [p.level for p in extract(script, "I'm in a hurry", scope=Scope(run_id='s1')).proposals] == [None]


def test_an_exception_for_this_conversation_ends_nothing_that_holds_elsewhere() -> None:
    script = Script([about('supersede', 1, 'English', text='Wants English here', slot='language.answer', level='run')])
    wish = known('Wants answers in Portuguese', 'language.answer')
    (proposal,) = extract(script, 'English in this chat please', scope=HERE, existing=[wish]).proposals
    assert (proposal.op, proposal.target, proposal.level) == ('add', None, 'run')


def test_a_kind_nobody_defined_is_knowledge() -> None:
    script = Script([fact('Has a cat', 'cat', kind=kind) for kind in ('Profile ', 'pet', 'zoology', '')])
    found = extract(script, 'I have a cat', options={'kinds': {'pet': 'anything about pets'}})
    assert [p.kind for p in found.proposals] == ['profile', 'pet', 'knowledge', 'knowledge']


def test_a_slot_nobody_defined_is_no_slot() -> None:
    slots = ['home.city', 'Favourite.Tea Pot', 'hobby', 'team', 'langs.python', 'car', 'favourite.', 'no slot!']
    found = extract(
        Script([fact('x', 'I like tea', slot=s, value='v') for s in slots]),
        'I like tea',
        existing=[known('Drives a van', 'car')],
        slots=[SlotSpec(slot='team'), SlotSpec(slot='langs', many=True)],
    )
    assert [p.slot for p in found.proposals] == [
        'home.city',
        'favourite.tea_pot',
        None,
        'team',
        'langs.python',
        'car',
        None,
        None,
    ]
    assert [p.value for p in found.proposals] == ['v', 'v', None, 'v', 'v', 'v', None, None]


@pytest.mark.parametrize(
    ('said', 'found'), [(0.3, 0.3), (1, 1.0), (95, 0.95), (-1, 0.0), (1000, 1.0), (None, 0.9), ('0.4', 0.4)]
)
def test_shares_are_brought_between_0_and_1(said: Any, found: float) -> None:
    operation = fact('Likes tea', 'I like tea')
    if said is not None:
        operation['confidence'] = said
    assert extract(Script([operation]), 'I like tea').proposals[0].confidence == found


@pytest.mark.parametrize(
    ('fields', 'tags'),
    [
        ({'workspace': True}, ('workspace',)),
        ({'workspace': 'true'}, ('workspace',)),
        ({'workspace': True, 'slot': 'team.stack'}, ('workspace',)),
        ({'workspace': True, 'slot': 'editor.preferred'}, ()),  # its slot says so
        ({'workspace': True, 'slot': 'home.city'}, ()),  # and this one says otherwise
        ({'workspace': False}, ()),
        ({'workspace': None}, ()),
        ({'workspace': 'a good deal'}, ()),
        ({}, ()),
    ],
)
def test_facts_of_tools_and_set_up_are_tagged(fields: dict[str, Any], tags: tuple[str, ...]) -> None:
    script = Script([fact('Uses PostgreSQL', 'use PostgreSQL', **fields)])
    (proposal,) = extract(script, 'I use PostgreSQL', slots=[SlotSpec(slot='team.stack')]).proposals
    assert proposal.tags == tags


def test_a_new_set_up_ends_the_tools_that_a_model_reported() -> None:
    script = Script(
        [fact('Uses PostgreSQL', 'use PostgreSQL', workspace=True), fact('Has a cat', 'have a cat')],
        [about('reset', 0, 'all new here')],
    )
    with fast(extractor=LLMExtractor(script.model)) as memory:
        memory.add('I use PostgreSQL and have a cat', user_id='ana')
        memory.add('New job, all new here, forget my old stack', user_id='ana')
        assert [m.text for m in memory.get_all(user_id='ana')] == ['Has a cat']


def test_nulls_count_as_left_out() -> None:
    nothing = dict.fromkeys(('slot', 'value', 'target', 'valid_from', 'valid_to', 'level', 'kind'))
    (proposal,) = extract(Script([fact('Likes tea', 'I like tea', **nothing)]), 'I like tea').proposals
    assert (proposal.slot, proposal.kind, proposal.valid_to) == (None, 'knowledge', None)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3)
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {'op': st.sampled_from(['add', 'supersede', 'correct', 'confirm', 'retract', 'reset'])},
            optional={
                'text': st.text(max_size=30),
                'target': st.integers(),
                'kind': st.text(max_size=9),
                'slot': st.text(max_size=9),
                'value': st.text(max_size=9),
                'level': JSON,
                'confidence': st.floats(allow_nan=False),
                'valid_from': st.text(max_size=12),
                'valid_to': st.text(max_size=12),
                'evidence': st.lists(
                    st.fixed_dictionaries(
                        {'message': st.integers(), 'quote': st.sampled_from(['tea', 'x', '', 'like'])}
                    )
                ),
            },
        ),
        max_size=4,
    )
)
def test_whatever_a_model_answers_every_proposal_rests_on_words_that_were_said(found: list[dict[str, Any]]) -> None:
    for operation in found:
        operation.setdefault('evidence', [])
    facts = [known('Likes coffee')]
    result = extract(Script(found), 'I like tea', existing=facts)
    assert len(result.proposals) + sum(result.skipped.values()) == len(found)
    for proposal in result.proposals:
        assert proposal.evidence
        assert all('I like tea'[q.start : q.end] in ('tea', 'like') for q in proposal.evidence)
        assert proposal.target in (None, facts[0].id)


# Agents.


def test_an_agent_alone_is_asked_what_it_learnt() -> None:
    script = Script([fact('When the API answers 429, wait', 'wait after a 429', kind='heuristic')])
    said = message('I had to wait after a 429', role='assistant')
    found = extract(script, said, scope=AGENT)
    assert script.asked[0].system.startswith(rules('agent'))
    assert 'Possible levels' not in script.asked[0].prompt
    assert [(p.kind, p.level) for p in found.proposals] == [('heuristic', None)]


def test_lessons_are_asked_for_only_when_wanted() -> None:
    both = Scope(user_id='ana', agent_id='coder')
    assert '# Lessons' in asked('I like tea', scope=both, lessons=True).system
    assert '# Lessons' not in asked('I like tea', scope=both).system
    assert asked('I like tea', scope=both).system.startswith(rules('user'))


def test_a_lesson_is_a_heuristic_of_the_agent_without_slot_or_target() -> None:
    script = Script(
        [
            fact('Check units first', 'wrong units', level='agent', kind='profile', slot='home.city', value='x'),
            about('supersede', 1, 'wrong units', level='agent', text='Check units'),
        ]
    )
    fields: dict[str, Any] = {'scope': Scope(user_id='ana', agent_id='coder'), 'existing': [known('Likes tea')]}
    found = extract(script, 'You used the wrong units', lessons=True, **fields)
    assert [(p.op, p.level, p.kind, p.slot, p.value) for p in found.proposals] == [
        ('add', 'agent', 'heuristic', None, None)
    ]
    assert found.skipped == {'no such level': 1}
    assert extract(script, 'You used the wrong units', **fields).skipped == {'no such level': 2}


# Usage, configuration.


def test_usage_is_summed_over_answers_that_had_to_be_mended() -> None:
    tokens = RequestUsage(input_tokens=1_000, output_tokens=50)
    script = Script()

    def answer(prompt: str) -> ModelResponse:
        found: Any = [fact('Likes tea', 'I like tea')] if len(script.asked) > 1 else {'operations': 'none'}
        return operations(found, script.asked[-1].info, tokens)

    script = Script(answer)
    usage = extract(script, 'I like tea').usage
    assert (usage.requests, usage.input_tokens, usage.output_tokens, usage.cost) == (2, 2_000, 100, None)


def test_cost_is_told_where_a_price_is_known() -> None:
    script = Script()
    tokens = RequestUsage(input_tokens=10, output_tokens=5, cost=Decimal('0.0025'))
    script = Script(lambda prompt: operations([], script.asked[-1].info, tokens))
    assert extract(script, 'I like tea').usage.cost == 0.0025


@pytest.mark.parametrize('price', ['NaN', 'Infinity', '-1'])
def test_a_price_that_is_no_amount_is_unknown_and_spoils_no_sum(price: str) -> None:
    script = Script()
    prices = iter([Decimal(price), Decimal('0.5')])

    def answer(prompt: str) -> ModelResponse:
        return operations([], script.asked[-1].info, RequestUsage(input_tokens=10, cost=next(prices)))

    script = Script(answer)
    with fast(extractor=LLMExtractor(script.model)) as memory:
        memory.add('I like tea', user_id='ana')
        memory.add('I like jazz', user_id='ana')
        assert memory.stats().usage.cost == 0.5


def test_a_list_of_models_is_tried_in_order() -> None:
    from pydantic_ai.exceptions import ModelHTTPError

    first = Script(ModelHTTPError(503, 'first', body='I like tea'), name='first')
    second = Script([fact('Likes tea', 'I like tea')], name='second')
    extractor = LLMExtractor([first.model, second.model])
    assert extractor.name == 'llm:function:first,function:second'
    found = asyncio.run(extractor.extract(ExtractionRequest(messages=[message('I like tea')], scope=ANA)))
    assert [p.text for p in found.proposals] == ['Likes tea']
    assert (len(first.asked), len(second.asked)) == (1, 1)


def test_a_model_by_name_is_made_at_the_first_use() -> None:
    extractor = LLMExtractor('test')
    assert extractor.name == 'llm:test'
    found = asyncio.run(extractor.extract(ExtractionRequest(messages=[message('I like tea')], scope=ANA)))
    assert found.usage.requests == 1


def test_one_extractor_serves_many_loops_and_many_calls_at_once() -> None:
    script = Script([fact('Likes tea', 'I like tea')])
    extractor = LLMExtractor(script.model)
    request = ExtractionRequest(messages=[message('I like tea')], scope=ANA)

    async def both() -> list[Extraction]:
        found = await asyncio.gather(*(extractor.extract(request) for _ in range(10)))
        await extractor.aclose()
        return [*found, await extractor.extract(request)]

    for _ in range(2):
        assert [len(f.proposals) for f in asyncio.run(both())] == [1] * 11


def test_no_messages_ask_nothing() -> None:
    script = Script()
    assert extract(script).proposals == ()
    assert script.asked == []


def test_it_is_an_extractor_that_waits() -> None:
    extractor = LLMExtractor(TestModel())
    assert isinstance(extractor, Extractor)
    assert not isinstance(extractor, PureExtractor)
    assert LLMExtractor(TestModel(), name='mine').name == 'mine'


@pytest.mark.parametrize(
    ('model', 'options', 'told'),
    [
        ('', {}, "model=''"),
        (' openai:x', {}, "' openai:x'"),
        (None, {}, 'NoneType'),
        (7, {}, 'int'),
        ([], {}, 'empty list'),
        (['test', 7], {}, 'int'),
        ('test', {'timeout': 0}, 'timeout=0'),
        ('test', {'timeout': True}, 'timeout=True'),
        ('test', {'max_input_tokens': 10}, 'max_input_tokens=10'),
        ('test', {'retries': -1}, 'retries=-1'),
        ('test', {'retries': 1.5}, 'retries=1.5'),
        ('test', {'kinds': ['pet']}, 'kinds='),
        ('test', {'kinds': {'Pet!': 'x'}}, "kind='Pet!'"),
        ('test', {'kinds': {'pet': ''}}, "kinds['pet']"),
        ('test', {'name': ' '}, "name=' '"),
        ('test', {'name': 'a\ud800'}, 'half a surrogate pair'),
        ('test', {'name': 'a\0b'}, 'NUL'),
        ('test', {'name': 'n' * 201}, 'name has 201 characters'),
        ('te\ud800st', {}, 'model='),
        ('test' * 100, {}, 'model='),
        ('test', {'instructions': 7}, 'instructions=7'),
        ('test', {'instructions': '\ud800x'}, 'half a surrogate pair'),
        ('test', {'instructions': 'x' * 1_000_000}, 'instructions has 1,000,000 characters'),
        ('test', {'kinds': {'pet': '\ud800'}}, "kinds['pet']"),
        ('test', {'kinds': {'pet': 'x' * 1_000_000}}, "kinds['pet'] has 1,000,000 characters"),
        ('test', {'kinds': {f'k{i}': 'x' for i in range(101)}}, 'kinds has 101 entries'),
        ('test', {'trace_content': 'false'}, "trace_content='false'"),
        ('test', {'trace_content': 0}, 'trace_content=0'),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(model: Any, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        LLMExtractor(model, **options)


def test_the_schema_carries_no_prose() -> None:
    assert 'description' not in json.dumps(Answer.model_json_schema())


def test_without_pydantic_ai_a_named_model_stops_no_read_and_loses_no_message(tmp_path: Path) -> None:
    code = """
import sys
sys.modules['pydantic_ai'] = None  # as if it were not installed
from memoranda import Memory, ProcessingFailed
from memoranda.testing import HashingEmbedder
with Memory(sys.argv[1], model='openai:gpt-4o-mini', embedder=HashingEmbedder()) as memory:
    memory.add('Likes tea', user_id='ana', infer=False)
    try:
        memory.add('I live in Lisbon', user_id='ana')
    except ProcessingFailed as failed:
        print('memoranda[pydantic-ai]' in str(failed))
    print([h.text for h in memory.search('tea', user_id='ana')])
    print([e.text for e in memory.episodes(user_id='ana').items])
with Memory(sys.argv[1], embedder=HashingEmbedder()) as memory:
    memory.add('I hate olives', user_id='ana')
    print(sorted(m.text for m in memory.get_all(user_id='ana')))
"""
    done = subprocess.run(
        [sys.executable, '-c', code, str(tmp_path / 'm.db')],
        env=subprocess_environment(),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.stdout.splitlines() == [
        'True',
        "['Likes tea']",
        "['Likes tea', 'I live in Lisbon']",
        "['Hates olives', 'Likes tea', 'Lives in Lisbon']",
    ], done.stderr
