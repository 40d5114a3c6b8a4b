"""The methods of Mem0's `Memory` over our engine: what they take, what they return, what they refuse."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import memoranda
from _fakes import subprocess_environment
from memoranda import InvalidFilter, InvalidInput, InvalidScope
from memoranda.compat import _mem0_told
from memoranda.compat.mem0 import AsyncMemory, Memory, MemoryNotFoundError
from memoranda.testing.embedders import HashingEmbedder

EMBEDDER = {'provider': 'pydantic_ai', 'config': {'model': HashingEmbedder()}}
CONFIG: dict[str, Any] = {
    'embedder': EMBEDDER,
    'vector_store': {'provider': 'sqlite', 'config': {'path': ':memory:'}},
}


@pytest.fixture
def memory() -> Iterator[Memory]:
    with Memory.from_config(CONFIG) as memory:
        yield memory


def words(found: Any) -> list[str]:
    return [item['memory'] for item in found]


def keep(memory: Memory, text: str, **arguments: Any) -> str:
    """Store a fact as it is; its id."""
    arguments.setdefault('user_id', 'ana')
    return memory.add(text, infer=False, **arguments)['results'][0]['id']


# What is returned


def test_a_result_is_a_dict_and_a_list_at_once(memory: Memory) -> None:
    keep(memory, 'Likes green tea')
    keep(memory, 'Likes black tea')
    found = memory.get_all(user_id='ana')
    assert [m['memory'] for m in found] == [m['memory'] for m in found['results']] == words(found.get('results'))
    assert isinstance(found, dict)
    assert len(found) == 2
    assert found[0]['memory'] == 'Likes green tea'
    assert found[-1]['memory'] == 'Likes black tea'
    assert words(found[:1]) == ['Likes green tea']
    assert found['memories'] == found['results']
    assert next(reversed(found)) == found[1]
    assert 'results' in found
    assert found[0] in found
    assert list(found.keys()) == ['results']
    assert found == {'results': list(found)}
    assert dict(**found) == dict(found) == {'results': list(found)}
    assert json.loads(json.dumps(found)) == {'results': [dict(m) for m in found]}
    assert pickle.loads(pickle.dumps(found)) == copy.deepcopy(found) == found
    nothing = memory.get_all(user_id='ben')
    assert not nothing
    assert nothing == {'results': []}
    with pytest.raises(KeyError):
        found['relations']


def test_the_words_of_an_item_go_by_both_names(memory: Memory) -> None:
    keep(memory, 'Likes green tea')
    (item,) = memory.search('tea', user_id='ana')
    assert item['text'] == item['memory'] == item.get('text') == 'Likes green tea'
    assert 'text' not in dict(item)
    assert item.get('nothing') is None
    with pytest.raises(KeyError):
        item['nothing']


def test_a_row_of_a_history_goes_by_the_names_of_older_versions_too(memory: Memory) -> None:
    id_ = keep(memory, 'Likes green tea')
    memory.update(id_, data='Likes black tea')
    rows = memory.history(id_)
    assert [(row['action'], row['previous_value'], row['new_value']) for row in rows] == [
        ('ADD', None, 'Likes green tea'),
        ('UPDATE', 'Likes green tea', 'Likes black tea'),
    ]
    assert rows[1].get('action') == rows[1]['event']
    assert 'action' not in rows[1]
    assert memory.get(id_).get('action') is None
    with pytest.raises(KeyError):
        memory.get(id_)['new_value']


def test_an_item_says_whose_it_is_and_when_it_was_made(memory: Memory) -> None:
    before = datetime.now(UTC)
    keep(
        memory,
        'Likes green tea',
        agent_id='barista',
        run_id='r1',
        app_id='shop',
        metadata={'topic': 'drinks'},
        expiration_date='2999-12-31',
    )
    (item,) = memory.search('tea', user_id='ana')
    assert {k: item[k] for k in ('user_id', 'agent_id', 'run_id', 'app_id', 'role', 'metadata', 'expiration_date')} == {
        'user_id': 'ana',
        'agent_id': 'barista',
        'run_id': 'r1',
        'app_id': 'shop',
        'role': 'user',
        'metadata': {'topic': 'drinks'},
        'expiration_date': '2999-12-31',
    }
    made, updated = (datetime.fromisoformat(item[name]) for name in ('created_at', 'updated_at'))
    assert before <= made <= updated <= datetime.now(UTC)
    assert 0 < item['score'] <= 1


def test_a_date_of_its_own_is_kept(memory: Memory) -> None:
    first = keep(memory, 'Moved to Lisbon', timestamp=1_600_000_000)
    second = keep(memory, 'Moved to Porto', metadata={'created_at': '2021-05-06T07:08:09+02:00', 'topic': 'home'})
    with Memory.from_config(CONFIG) as rules:
        drawn = rules.add('I live in Lisbon', user_id='ana', timestamp='2020-01-02')[0]['id']
        assert rules.get(drawn)['created_at'] == '2020-01-02T00:00:00+00:00'
        assert rules.memoranda.get(drawn, user_id='ana').valid_from == datetime(2020, 1, 2, tzinfo=UTC)
    assert memory.get(first)['created_at'] == '2020-09-13T12:26:40+00:00'
    found = memory.get(second)
    assert (found['created_at'], found['metadata']) == ('2021-05-06T05:08:09+00:00', {'topic': 'home'})
    assert memory.history(second)[0]['created_at'] == found['created_at']


def test_explain_gives_the_parts_of_a_score(memory: Memory) -> None:
    keep(memory, 'Likes green tea')
    (item,) = memory.search('tea', user_id='ana', explain=True, threshold=0.1)
    assert item['score_details']['final_score'] == item['score']
    assert item['score_details']['threshold'] == 0.1
    assert 'cosine' in item['score_details']
    assert 'score_details' not in memory.search('tea', user_id='ana')[0]


# Adding


def test_without_inference_each_message_is_kept_with_its_role(memory: Memory) -> None:
    result = memory.add(
        [
            {'role': 'system', 'content': 'You are a barista'},
            {'role': 'user', 'content': 'A flat white, please', 'name': 'Ana'},
            {'role': 'assistant', 'content': 'Coming up'},
            {'role': 'assistant', 'content': None},
            {'role': 'user', 'content': '  '},
        ],
        user_id='ana',
        infer=False,
    )
    assert [(r['memory'], r['event'], r['role'], r['actor_id']) for r in result] == [
        ('A flat white, please', 'ADD', 'user', 'Ana'),
        ('Coming up', 'ADD', 'assistant', None),
    ]
    assert words(memory.get_all(filters={'user_id': 'ana', 'role': 'assistant'})) == ['Coming up']
    assert words(memory.get_all(filters={'user_id': 'ana', 'actor_id': 'Ana'})) == ['A flat white, please']
    assert memory.get(result[0]['id'])['actor_id'] == 'Ana'
    # The answer of a model is no word of the user's.
    assert memory.memoranda.get(result[1]['id'], user_id='ana').trust == 'assistant'


def test_a_new_value_takes_the_place_of_the_old_one(memory: Memory) -> None:
    memory.add('I live in Lisbon', user_id='ana')
    result = memory.add('I moved to Porto', user_id='ana')
    assert [(r['event'], r['memory']) for r in result] == [('ADD', 'Lives in Porto'), ('DELETE', 'Lives in Lisbon')]
    assert words(memory.get_all(user_id='ana')) == ['Lives in Porto']
    assert memory.get(result[1]['id']) is None
    assert [row['event'] for row in memory.history(result[1]['id'])] == ['ADD', 'DELETE']


def test_what_is_said_again_is_not_kept_twice(memory: Memory) -> None:
    first = memory.add('I live in Lisbon', user_id='ana')
    again = memory.add('I live in Lisbon', user_id='ana')
    assert (again[0]['id'], again[0]['event']) == (first[0]['id'], 'NONE')
    assert len(memory.get_all(user_id='ana')) == 1
    assert len(memory.history(first[0]['id'])) == 1


def test_a_whole_history_may_be_passed_after_every_turn(memory: Memory) -> None:
    history = [{'role': 'user', 'content': 'I live in Lisbon'}]
    memory.add(history, user_id='ana', run_id='r1')
    history += [{'role': 'assistant', 'content': 'Nice'}, {'role': 'user', 'content': 'I love hiking'}]
    assert [r['event'] for r in memory.add(history, user_id='ana', run_id='r1')] == ['ADD']


def test_what_rules_cannot_read_is_kept_as_it_was_said(memory: Memory) -> None:
    told = 'Working on improving my tennis skills, suggestions are welcome.'
    assert words(memory.add(told, user_id='ana')) == [told]
    asked = 'Back from a weekend in the hills. Suggest a film. What is the weather like?'
    assert words(memory.add(asked, user_id='ana')) == ['Back from a weekend in the hills.']
    assert memory.add('Thanks, that is all!', user_id='ana') == {'results': []}
    assert memory.add('What is the capital of France?', user_id='ana') == {'results': []}
    quiet = {**CONFIG, 'llm': {'provider': 'rules', 'config': {'keep_unread': False}}}
    with Memory.from_config(quiet) as strict:
        assert strict.add(told, user_id='ana') == {'results': []}


@pytest.mark.parametrize('nothing', ['', '   ', [], [{'role': 'user', 'content': ''}], [{'role': 'assistant'}]])
@pytest.mark.parametrize('infer', [True, False])
def test_messages_without_words_leave_nothing(memory: Memory, nothing: Any, infer: bool) -> None:
    assert memory.add(nothing, user_id='ana', infer=infer) == {'results': []}


def test_a_question_and_its_answer_in_one_text_are_what_two_have_said(memory: Memory) -> None:
    assert words(memory.add('User: I live in Lisbon\nAssistant: A fine place.', user_id='ana')) == ['Lives in Lisbon']
    said = [(m.role, m.text) for m in memory.memoranda.episodes(user_id='ana')]
    assert sorted(said) == [('assistant', 'A fine place.'), ('user', 'I live in Lisbon')]
    kept = memory.add('User: I live in Lisbon\nAssistant: A fine place.', user_id='ben', infer=False)
    assert words(kept) == ['User: I live in Lisbon Assistant: A fine place.']


@pytest.mark.parametrize(
    'text',
    [
        'User: I live in Lisbon\nAssistant: Fine.\nUser: I work in Porto',
        'They wrote:\nUser: I live in Lisbon\nAssistant: Fine.',
        'User: I live in Lisbon\nAssistant: Fine.\nSystem: I live in Porto',
        'User: I live in Lisbon',
    ],
)
def test_other_texts_with_names_of_speakers_are_one_text_that_quotes(memory: Memory, text: str) -> None:
    assert [item['event'] for item in memory.add(text, user_id='ana')] in ([], ['PENDING'])
    assert [m.role for m in memory.memoranda.episodes(user_id='ana')] == ['user']
    assert not memory.get_all(user_id='ana')


def test_images_are_refused_with_the_reason_and_left_out_beside_text(
    memory: Memory, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_mem0_told, '_told', set())
    image = {'type': 'image_url', 'image_url': {'url': 'https://example.org/menu.jpg'}}
    for content in (image, [image], [image, {'type': 'pdf_url', 'pdf_url': {'url': 'https://example.org/x.pdf'}}]):
        with pytest.raises(InvalidInput, match=r'messages\[1\] has no text: images and files are not read'):
            memory.add(['I live in Porto', {'role': 'user', 'content': content}], user_id='ana')
    both = [{'role': 'user', 'content': [{'type': 'text', 'text': 'I live in Lisbon'}, image]}]
    assert words(memory.add(both, user_id='ana')) == ['Lives in Lisbon']
    memory.add(both, user_id='ben')
    assert [r.getMessage() for r in caplog.records].count(
        'images and files are not read: send what is in them as text. Of messages with both, the text is kept'
    ) == 1


def test_a_prompt_without_a_model_is_told_to_be_without_effect(
    memory: Memory, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_mem0_told, '_told', set())
    for _ in range(2):
        memory.add('I live in Lisbon', user_id='ana', prompt='Keep cities only')
    assert [r.getMessage() for r in caplog.records if 'prompt' in r.getMessage()] == [
        'add(prompt=...) is for a model, and none is configured: it is without effect'
    ]


def test_message_objects_of_a_client_are_read(memory: Memory) -> None:
    class Message:
        role, content = 'user', 'I live in Lisbon'

    assert words(memory.add([Message()], user_id='ana')) == ['Lives in Lisbon']


@pytest.mark.parametrize(
    ('messages', 'match'),
    [(None, 'NoneType'), (7, 'int'), ([7], r'messages\[0\]'), ([{'role': 'bot', 'content': 'x'}], "'bot'")],
)
@pytest.mark.parametrize('infer', [True, False])
def test_messages_that_are_none_are_refused(memory: Memory, messages: Any, match: str, infer: bool) -> None:
    with pytest.raises(InvalidInput, match=match):
        memory.add(messages, user_id='ana', infer=infer)
    assert memory.get_all(user_id='ana') == {'results': []}


def test_the_key_of_metadata_that_is_ours_is_refused(memory: Memory) -> None:
    known = keep(memory, 'Likes tea')
    for call in (
        lambda: memory.add('Likes milk', user_id='ana', metadata={'_mem0': {'role': 'assistant'}}),
        lambda: memory.update(known, metadata={'_mem0': 1}),
        lambda: memory.add([{'content': 'Likes milk', 'metadata': {'_mem0': 1}}], user_id='ana'),
    ):
        with pytest.raises(InvalidInput, match="'_mem0' is taken"):
            call()
    assert words(memory.get_all(user_id='ana')) == ['Likes tea']


# Whose memories


def test_ids_are_read_as_mem0_reads_them(memory: Memory) -> None:
    keep(memory, 'Likes tea', user_id=7)
    keep(memory, 'Likes milk', user_id=UUID(int=9))
    assert words(memory.search('likes', filters={'user_id': ' 7 '})) == ['Likes tea']
    assert words(memory.get_all(user_id=str(UUID(int=9)))) == ['Likes milk']


def test_further_ids_narrow(memory: Memory) -> None:
    keep(memory, 'Likes tea', agent_id='coach', run_id='one')
    keep(memory, 'Likes milk', agent_id='cook', run_id='two')
    keep(memory, 'Likes water')
    assert len(memory.get_all(user_id='ana')) == 3
    assert words(memory.get_all(user_id='ana', agent_id='coach')) == ['Likes tea']
    assert words(memory.search('likes', filters={'user_id': 'ana', 'run_id': 'two'})) == ['Likes milk']
    assert words(memory.search('likes', user_id='ana', session_id='two', agent_id='cook')) == ['Likes milk']
    assert not memory.search('likes', user_id='ana', run_id='two', agent_id='coach')
    assert not memory.search('likes', agent_id='coach')


def test_an_agent_has_memories_of_its_own(memory: Memory) -> None:
    keep(memory, 'Answers are short', user_id=None, agent_id='coach')
    keep(memory, 'Visitor wants a refund', user_id=None, run_id='visit')
    assert words(memory.search('answers', agent_id='coach')) == ['Answers are short']
    assert words(memory.get_all(run_id='visit')) == ['Visitor wants a refund']
    assert not memory.get_all(user_id='ana')


@pytest.mark.parametrize(
    'asked',
    [
        {},
        {'filters': {}},
        {'filters': {'topic': 'home'}},
        {'filters': {'user_id': '*'}},
        {'user_id': '*'},
        {'filters': {'user_id': {'ne': 'ben'}}},
        {'filters': {'user_id': {'in': ['ana', 'ben']}}},
        {'filters': {'user_id': None}},
        {'user_id': 'ana', 'filters': {'user_id': 'ben'}},
        {'filters': {'user_id': 'ana', 'AND': [{'user_id': 'ben'}]}},
        {'filters': {'user_id': 'ana', 'OR': [{'user_id': 'ben'}]}},
        {'filters': {'user_id': 'ana', 'NOT': [{'user_id': 'ana'}]}},
        {'user_id': ''},
        {'user_id': True},
        {'user_id': ['ana']},
        {'user_id': 'ana', 'run_id': 'r1', 'session_id': 'r2'},
    ],
)
def test_an_unclear_or_missing_id_is_refused(memory: Memory, asked: dict[str, Any]) -> None:
    keep(memory, 'Likes tea')
    keep(memory, 'Likes milk', user_id='ben')
    for call in (lambda: memory.search('likes', **asked), lambda: memory.get_all(**asked)):
        with pytest.raises(InvalidScope) as caught:
            call()
        assert 'milk' not in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_ids_are_found_inside_of_and(memory: Memory) -> None:
    keep(memory, 'Likes tea', metadata={'topic': 'drinks'})
    keep(memory, 'Likes hiking', metadata={'topic': 'sport'})
    filters = {'AND': [{'user_id': 'ana'}, {'AND': [{'topic': {'in': ['drinks']}}]}]}
    assert words(memory.search('likes', filters=filters)) == ['Likes tea']
    assert words(memory.get_all(filters={'AND': [{'user_id': {'eq': 'ana'}}]})) == ['Likes tea', 'Likes hiking']


def test_nobody_deletes_everybody(memory: Memory) -> None:
    keep(memory, 'Likes tea')
    for asked in ({}, {'user_id': '*'}, {'user_id': ' '}, {'agent_id': '*'}):
        with pytest.raises(ValueError, match='id'):
            memory.delete_all(**asked)
    with pytest.raises(InvalidScope):
        memory.add('Likes milk', user_id='*')
    assert words(memory.get_all(user_id='ana')) == ['Likes tea']


# Filters


@pytest.mark.parametrize(
    ('filters', 'found'),
    [
        ({'topic': 'drinks'}, ['green tea', 'milk']),
        ({'topic': {'eq': 'sport'}}, ['hiking']),
        ({'topic': {'ne': 'sport'}}, ['green tea', 'milk', 'nothing']),
        ({'topic': '*'}, ['green tea', 'hiking', 'milk']),
        ({'topic': ['sport', 'drinks']}, ['green tea', 'hiking', 'milk']),
        ({'topic': {'nin': ['sport']}}, ['green tea', 'milk', 'nothing']),
        ({'topic': {'contains': 'rin'}}, ['green tea', 'milk']),
        ({'topic': {'icontains': 'RIN'}}, ['green tea', 'milk']),
        ({'rank': {'gt': 1, 'lte': 3}}, ['hiking', 'milk']),
        ({'AND': [{'topic': 'drinks'}, {'rank': {'lt': 2}}]}, ['green tea']),
        ({'AND': [{'rank': {'gte': 2}}, {'rank': {'lt': 3}}]}, ['hiking']),
        ({'AND': [{'OR': [{'rank': 1}, {'rank': 2}]}, {'OR': [{'rank': 2}, {'rank': 3}]}]}, ['hiking']),
        ({'NOT': [{'topic': 'drinks'}, {'rank': 2}]}, ['nothing']),
        ({'metadata': {'topic': 'drinks', 'rank': 1}}, ['green tea']),
        ({'metadata.topic': 'sport'}, ['hiking']),
        ({'place.city': 'Oslo'}, ['hiking']),
        ({'flag': True}, ['milk']),
        ({'data': {'contains': 'tea'}}, ['green tea']),
        ({'OR': [{'agent_id': 'cook'}, {'rank': 2}]}, ['hiking', 'nothing']),
    ],
)
def test_filters_mean_what_they_say(memory: Memory, filters: dict[str, Any], found: list[str]) -> None:
    keep(memory, 'green tea', metadata={'topic': 'drinks', 'rank': 1})
    keep(memory, 'hiking', metadata={'topic': 'sport', 'rank': 2, 'place': {'city': 'Oslo'}})
    keep(memory, 'milk', metadata={'topic': 'drinks', 'rank': 3, 'flag': True})
    keep(memory, 'nothing', agent_id='cook')
    assert sorted(words(memory.get_all(filters={'user_id': 'ana', **filters}))) == found
    assert sorted(words(memory.search('tea', user_id='ana', filters=filters))) == found


def test_dates_can_be_filtered_by(memory: Memory) -> None:
    keep(memory, 'old', timestamp='2020-01-01T10:00:00Z')
    keep(memory, 'new', expiration_date='2990-01-01')
    now = datetime.now(UTC)

    def found(**filters: Any) -> list[str]:
        return words(memory.get_all(filters={'user_id': 'ana', **filters}))

    assert found(created_at={'gte': '2020-01-01T10:00:00+00:00', 'lt': '2021-01-01'}) == ['old']
    assert found(created_at={'gt': '2021-01-01'}) == ['new']
    assert found(created_at='2020-01-01T10:00:00Z') == ['old']
    assert found(created_at={'lte': now + timedelta(days=1)}) == ['old', 'new']
    assert found(updated_at={'gte': now - timedelta(days=1)}) == ['old', 'new']
    assert found(expiration_date='2990-01-01') == ['new']
    assert found(expiration_date={'gte': '2989-12-31'}) == ['new']
    assert found(expiration_date='*') == ['new']


@pytest.mark.parametrize(
    'filters',
    [
        {'topic': {'regex': 'x'}},
        {'topic': {}},
        {'$or': [{'topic': 'x'}]},
        {'or': [{'topic': 'x'}]},
        {'OR': {'topic': 'x'}},
        {'OR': []},
        {'AND': ['topic']},
        {'AND': [{}]},
        {'hash': 'x'},
        {'created_at': {'contains': '2024'}},
        {'created_at': {'gte': 'yesterday'}},
        {'expiration_date': 'soon'},
        {7: 'x'},
        {'to"pic': 'x'},
        {'topic': object()},
        "{'topic': 'x'}",
    ],
)
def test_a_filter_that_can_not_be_read_is_refused(memory: Memory, filters: Any) -> None:
    keep(memory, 'Likes tea')
    for call in (memory.get_all, lambda **asked: memory.search('tea', **asked)):
        with pytest.raises(InvalidInput):
            call(user_id='ana', filters=filters)


def test_a_filter_nested_without_end_is_refused(memory: Memory) -> None:
    filters: dict[str, Any] = {'topic': 'x'}
    for _ in range(5000):
        filters = {'AND': [filters]}
    with pytest.raises(InvalidFilter, match='levels deep'):
        memory.search('tea', user_id='ana', filters=filters)


_KEYS = st.sampled_from(
    [
        'user_id',
        'agent_id',
        'run_id',
        'session_id',
        'topic',
        'AND',
        'OR',
        'NOT',
        'created_at',
        'expiration_date',
        'data',
    ]
)
_VALUES = st.recursive(
    st.sampled_from(['ana', 'ben', '*', '', None, True, 3, -1.5, '2024-01-01', 'x" OR 1=1 --', '\ud800', [], {}]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            _KEYS | st.sampled_from(['eq', 'ne', 'gt', 'in', 'nin', 'contains', '$or']), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@pytest.fixture(scope='module')
def shared() -> Iterator[Memory]:
    with Memory.from_config(CONFIG) as memory:
        keep(memory, 'of ana', metadata={'topic': 'x'})
        keep(memory, 'of ben', user_id='ben', metadata={'topic': 'x'})
        yield memory


@settings(max_examples=60)
@given(filters=st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_no_filter_shows_the_memories_of_somebody_else(shared: Memory, filters: dict[str, Any]) -> None:
    try:
        found = shared.get_all(filters={**filters, 'user_id': 'ana'})
    except InvalidInput:
        return
    assert set(words(found)) <= {'of ana'}


# Searching and listing


def test_both_names_of_the_number_of_results_work(memory: Memory) -> None:
    for number in range(4):
        keep(memory, f'Likes tea number {number}')
    assert len(memory.search('tea', user_id='ana', limit=2)) == 2
    assert len(memory.search('tea', user_id='ana', top_k=3)) == 3
    assert len(memory.get_all(filters={'user_id': 'ana'}, top_k=1)) == 1
    assert len(memory.get_all(user_id='ana', limit=4)) == 4
    assert memory.search('tea', user_id='ana', top_k=0) == {'results': []} == memory.get_all(user_id='ana', limit=0)
    with pytest.raises(InvalidInput, match='mean the same'):
        memory.search('tea', user_id='ana', limit=2, top_k=3)
    for wrong in (-1, 2.5, True, '3'):
        with pytest.raises(InvalidInput, match='top_k'):
            memory.search('tea', user_id='ana', top_k=wrong)


def test_arguments_by_position_are_those_of_older_versions(memory: Memory) -> None:
    memory.add('I live in Lisbon', 'ana', None, 'r1', {'topic': 'home'})
    assert words(memory.search('Lisbon', 'ana', None, 'r1', 5, {'topic': 'home'}, 0.1)) == ['Lives in Lisbon']
    assert words(memory.get_all('ana', None, 'r1', {'topic': 'home'}, 5)) == ['Lives in Lisbon']
    assert words(memory.add(data='I love hiking', user_id='ana')) == ['Loves hiking']


def test_a_threshold_leaves_out_what_is_beside_the_question(memory: Memory) -> None:
    keep(memory, 'Likes green tea')
    keep(memory, 'Flies to Oslo')
    assert len(memory.search('green tea', user_id='ana')) == 2
    assert words(memory.search('green tea', user_id='ana', threshold=0.7)) == ['Likes green tea']
    for wrong in (-0.1, 1.1, '0.5', True):
        with pytest.raises(InvalidInput, match='threshold'):
            memory.search('tea', user_id='ana', threshold=wrong)


def test_what_has_expired_is_listed_on_demand(memory: Memory) -> None:
    gone = keep(memory, 'On holiday', expiration_date='2020-01-01')
    keep(memory, 'Likes tea')
    old = memory.add('I live in Lisbon', user_id='ana')[0]['id']
    memory.add('I moved to Porto', user_id='ana')
    assert words(memory.get_all(user_id='ana')) == ['Likes tea', 'Lives in Porto']
    assert words(memory.get_all(user_id='ana', show_expired=True)) == ['On holiday', 'Likes tea', 'Lives in Porto']
    assert words(memory.get_all(filters={'user_id': 'ana', 'role': 'user'}, show_expired=True, top_k=1)) == [
        'On holiday'
    ]
    assert words(memory.search('holiday', user_id='ana', threshold=0.5)) == []
    assert memory.get(gone)['expiration_date'] == '2020-01-01'
    assert memory.get(old) is None


def test_a_memory_is_known_on_its_last_day(memory: Memory) -> None:
    today = datetime.now(UTC).date()
    keep(memory, 'Here until tonight', expiration_date=today)
    keep(memory, 'Gone since yesterday', expiration_date=today - timedelta(days=1))
    assert 'Gone since yesterday' not in words(memory.get_all(user_id='ana'))
    kept = memory.get_all(user_id='ana', show_expired=True)
    assert [m['expiration_date'] for m in kept] == [str(today), str(today - timedelta(days=1))]
    with pytest.raises(InvalidInput, match='YYYY-MM-DD'):
        keep(memory, 'x', expiration_date='next week')


def test_a_question_needs_words(memory: Memory) -> None:
    for wrong in ('', '  ', None, 7):
        with pytest.raises(ValueError, match='query'):
            memory.search(wrong, user_id='ana')


# By id


def test_a_memory_is_corrected_by_its_id(memory: Memory) -> None:
    known = keep(memory, 'Plays cricket', metadata={'topic': 'sport', 'day': 'Sunday'})
    assert memory.update(known, 'Plays tennis') == {'message': 'Memory updated successfully!'}
    memory.update(memory_id=known, data='Plays chess', metadata={'topic': 'games'}, expiration_date='2990-01-01')
    found = memory.get(known)
    assert (found['memory'], found['metadata'], found['expiration_date'], found['role']) == (
        'Plays chess',
        {'topic': 'games', 'day': 'Sunday'},
        '2990-01-01',
        'user',
    )
    assert found['updated_at'] > found['created_at']
    memory.update(known, expiration_date=None)
    assert 'expiration_date' not in memory.get(known)
    assert [(r['event'], r['old_memory'], r['new_memory'], r['is_deleted']) for r in memory.history(known)] == [
        ('ADD', None, 'Plays cricket', False),
        ('UPDATE', 'Plays cricket', 'Plays tennis', False),
        ('UPDATE', 'Plays tennis', 'Plays chess', False),
    ]
    with pytest.raises(InvalidInput, match='nothing to change'):
        memory.update(known)


def test_of_two_corrections_at_once_neither_is_lost(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    id_ = keep(memory, 'Likes green tea', metadata={'topic': 'drinks'})
    read = memoranda.AsyncMemory.get
    between = [{'topic': 'drinks', 'checked': True}]

    async def slow(self: memoranda.AsyncMemory, memory_id: str, **ids: Any) -> Any:
        found = await read(self, memory_id, **ids)
        if between:
            await self.update(memory_id, metadata=between.pop())
        return found

    monkeypatch.setattr(memoranda.AsyncMemory, 'get', slow)
    memory.update(id_, text='Likes black tea', metadata={'n': 1})
    found = memory.get(id_)
    assert (found['memory'], found['metadata']) == ('Likes black tea', {'topic': 'drinks', 'checked': True, 'n': 1})


def test_a_deleted_memory_is_gone_and_its_history_stays(memory: Memory) -> None:
    known = keep(memory, 'Plays cricket')
    assert memory.delete(known) == {'message': 'Memory deleted successfully!'}
    assert memory.get(known) is None
    assert not memory.search('cricket', user_id='ana')
    last = memory.history(known)[-1]
    assert (last['event'], last['old_memory'], last['new_memory'], last['is_deleted']) == (
        'DELETE',
        'Plays cricket',
        None,
        True,
    )
    for call in (lambda: memory.delete(known), lambda: memory.update(known, 'x'), lambda: memory.delete('unknown')):
        with pytest.raises(MemoryNotFoundError, match='not found') as caught:
            call()
        assert isinstance(caught.value, ValueError)
        assert isinstance(caught.value, memoranda.MemoryNotFound)
    assert memory.get('unknown') is None
    assert memory.history('unknown') == []


def test_an_id_of_another_project_is_nobodys_here() -> None:
    with memoranda.Memory(':memory:', embedder=HashingEmbedder()) as below:
        theirs, ours = (Memory.over(below.in_project(name)) for name in ('theirs', 'ours'))
        known = keep(theirs, 'Plays cricket')
        assert ours.get(known) is None
        assert ours.history(known) == []
        for call in (lambda: ours.update(known, 'x'), lambda: ours.delete(known)):
            with pytest.raises(MemoryNotFoundError):
                call()
        with pytest.raises(InvalidInput, match="project 'ours'"):
            ours.reset()
        keep(ours, 'Plays chess')
        assert ours.reset(confirm=True) == {'message': "Erased 1 memories and 1 messages of project 'ours' of :memory:"}
        assert not ours.get_all(user_id='ana')
        assert theirs.get(known)['memory'] == 'Plays cricket'
        keep(ours, 'Plays chess')  # after a reset one begins anew
        assert words(ours.get_all(user_id='ana')) == ['Plays chess']


def test_delete_all_erases_messages_and_history_too(memory: Memory) -> None:
    known = keep(memory, 'Plays cricket', run_id='one')
    keep(memory, 'Plays chess', run_id='two')
    assert memory.delete_all(user_id='ana', run_id='one') == {'message': 'Memories deleted successfully!'}
    assert words(memory.get_all(user_id='ana')) == ['Plays chess']
    assert [e.text for e in memory.memoranda.episodes(user_id='ana').items] == ['Plays chess']
    assert all('cricket' not in str(row) for row in memory.history(known))
    memory.delete_all('ana')
    assert not memory.get_all(user_id='ana')


def test_a_view_that_is_bound_is_refused() -> None:
    below = memoranda.Memory(':memory:', embedder=HashingEmbedder())
    with pytest.raises(ValueError, match='bound to'):
        Memory.over(below.scoped(memoranda.Scope(user_id='ana')))


# Life


def test_the_async_class_has_the_same_methods() -> None:
    async def main() -> None:
        memory = await AsyncMemory.from_config(CONFIG)  # as older versions had it
        known = (await memory.add('I live in Lisbon', user_id='ana'))['results'][0]['id']
        found, listed = await asyncio.gather(
            memory.search('Lisbon', filters={'user_id': 'ana'}), memory.get_all(user_id='ana', limit=5)
        )
        assert words(found) == words(listed) == ['Lives in Lisbon']
        await memory.update(known, text='Lives in Porto')
        assert (await memory.get(known))['memory'] == 'Lives in Porto'
        assert len(await memory.history(known)) == 2
        await memory.delete(known)
        await memory.delete_all(user_id='ana')
        with pytest.raises(NotImplementedError):
            await memory.chat('hello')
        await memory.close()
        async with AsyncMemory(CONFIG) as other:
            assert await other.get_all(user_id='ana') == {'results': []}
            other.close()  # without await, as Mem0 has it

    asyncio.run(main())
    AsyncMemory.from_config(CONFIG).close()


def test_the_blocking_class_works_inside_a_running_loop(memory: Memory) -> None:
    async def main() -> None:
        keep(memory, 'Likes tea')
        assert words(memory.search('tea', user_id='ana')) == ['Likes tea']

    asyncio.run(main())


def test_a_memory_may_be_used_again_after_it_was_closed(tmp_path) -> None:
    config = {**CONFIG, 'vector_store': {'provider': 'sqlite', 'config': {'path': str(tmp_path / 'm.db')}}}
    memory = Memory.from_config(config)
    keep(memory, 'Likes tea')
    memory.close()
    assert words(memory.get_all(user_id='ana')) == ['Likes tea']
    memory.close()


def test_mem0_is_neither_needed_nor_imported() -> None:
    code = (
        'import sys; sys.modules["mem0"] = None\n'
        'from memoranda.compat.mem0 import Memory, AsyncMemory, MemoryConfig\n'
        'print([m for m in ("numpy", "pydantic_ai", "qdrant_client", "openai") if m in sys.modules])'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], env=subprocess_environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == '[]'


def test_the_client_of_the_hosted_service_is_pointed_at_a_server() -> None:
    for code, match in (
        ('from memoranda.compat.mem0 import MemoryClient', 'memoranda serve'),
        ('from memoranda.compat.mem0 import Mem0', 'search before you ask your model'),
        ('from memoranda.compat.mem0 import Unknown', 'Unknown'),
    ):
        with pytest.raises(ImportError, match=match):
            exec(code, {})
