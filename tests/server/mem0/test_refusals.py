"""Readings of a request that would reach too far, and what isn't offered: each is refused, with the reason."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from _fakes import fast_async
from _wire import Wire, serving
from memoranda.server.mem0.platform import NOT_OFFERED as OF_THE_PLATFORM
from memoranda.server.mem0.selfhosted import NOT_OFFERED as OF_ITS_SERVER
from memoranda.settings import Settings

IMAGE = {'type': 'image_url', 'image_url': {'url': 'https://example.org/menu.jpg'}}
NOBODY = '01a2022b-b2d4-7dac-82a7-549a26906482'
WIDE: dict[str, Any] = {
    'a star': {'user_id': '*'},
    'a star among ids': {'user_id': {'in': ['ana', '*']}},
    'stars alone': {'AND': [{'user_id': '*'}, {'agent_id': '*'}]},
    'everybody but one': {'user_id': {'ne': 'bo'}},
    'not one': {'NOT': [{'user_id': 'bo'}]},
    'an id or anything': {'OR': [{'user_id': 'ana'}, {'metadata': {'team': 'sales'}}]},
    'nobody': {'metadata': {'team': 'sales'}},
    'nothing': {},
}
ODD: dict[str, tuple[Any, str]] = {
    'another user beside the pinned one': ({'user_id': 'ana', 'AND': [{'user_id': 'bo'}]}, 'of both'),
    'two users at once': ({'AND': [{'user_id': 'ana'}, {'user_id': 'bo'}]}, 'of both'),
    'two agents at once': ({'user_id': 'ana', 'AND': [{'agent_id': 'a'}, {'agent_id': 'b'}]}, 'of both'),
    'an unknown key': ({'user_id': 'ana', 'color': 'red'}, "filter key 'color' is unknown"),
    'an operator of the library': ({'user_id': {'nin': ['bo']}}, "operator 'nin'"),
    'a list of values for metadata': ({'user_id': 'ana', 'metadata': {'n': [1, 2]}}, 'does not fit'),
    'an operator that has no order': ({'user_id': 'ana', 'metadata': {'n': {'gt': 1}}}, "operator 'gt'"),
    'the text of a filter': ("{'user_id': 'ana'}", 'send an object'),
    'a list': ([{'user_id': 'ana'}], 'send an object'),
    'an id that is a number': ({'user_id': 7}, 'send the id as text'),
    'no id': ({'user_id': None}, 'names nobody'),
    'an empty id': ({'user_id': ''}, 'send the id as text'),
    'no ids': ({'user_id': {'in': []}}, 'no list of ids'),
    'an empty list': ({'user_id': 'ana', 'AND': []}, 'no list of filters'),
    'an object where a list should be': ({'OR': {'user_id': 'ana'}}, 'no list of filters'),
    'an empty filter inside': ({'AND': [{'user_id': 'ana'}, {}]}, 'says nothing'),
    'a path into metadata': ({'user_id': 'ana', 'metadata': {'a.b': 1}}, 'without dots'),
    'what is noted beside a memory': ({'user_id': 'ana', 'metadata': {'_mem0': '*'}}, 'kept for the server'),
    'metadata that is text': ({'user_id': 'ana', 'metadata': 'sales'}, 'no object'),
    'a day that is none': ({'user_id': 'ana', 'created_at': {'gte': '2023-02-31'}}, 'not a moment'),
    'a day in words': ({'user_id': 'ana', 'expiration_date': 'tomorrow'}, 'YYYY-MM-DD'),
    'too deep': ({'AND': [{'AND': [{'AND': [{'AND': [{'AND': [{'AND': [{'AND': [{'AND': [{'AND': [{'AND': [
        {'AND': [{'AND': [{'AND': [{'AND': [{'user_id': 'ana'}]}]}]}]}]}]}]}]}]}]}]}]}]}]}, 'levels deep'),
}  # fmt: skip


@pytest.mark.parametrize('filters', WIDE.values(), ids=WIDE)
def test_a_filter_that_pins_nobody_is_refused_everywhere(wire: Wire, filters: Any) -> None:
    wire.add('of ana', metadata={'team': 'sales'})
    for path, body in (
        ('/v3/memories/', {'filters': filters}),
        ('/v3/memories/search/', {'query': 'who?', 'filters': filters}),
        ('/v1/exports/', {'filters': filters, 'schema': {'properties': {}}}),
        ('/v1/summary/', {'filters': filters}),
    ):
        status, detail = wire.refused('POST', path, body)
        assert (status, 'pins nobody' in detail) == (400, True), detail


@pytest.mark.parametrize(('filters', 'words'), ODD.values(), ids=ODD)
def test_an_odd_filter_is_refused(wire: Wire, filters: Any, words: str) -> None:
    wire.add('of ana')
    for path, body in (('/v3/memories/', {}), ('/v3/memories/search/', {'query': 'who?'})):
        status, detail = wire.refused('POST', path, {'filters': filters, **body})
        assert (status, words in detail) == (400, True), detail


def test_nothing_is_deleted_unless_it_is_named(wire: Wire) -> None:
    wire.add('of ana')
    ways = {
        '': 'nothing says whose',
        '?': 'nothing says whose',
        '?user_id=': 'an id is empty',
        '?user_id=*': 'refused',
        '?user_id=%2A&agent_id=*&app_id=*&run_id=*': 'refused',
        '?user_id=ana&agent_id=*': 'refused',
        '?user_id=ana&user_id=bo': 'twice',
        '?users=ana': "'users' is unknown",
        f'?filters={quote(str({"user_id": "ana"}))}': 'holds no JSON',
        f'?user_id=ana&filters={quote(str({"user_id": "bo"}))}': 'holds no JSON',
        '?filters=%5Bobject+Object%5D': 'holds no JSON',
        '?user_id=ana&metadata=%7B%27team%27%3A+%27sales%27%7D': 'no JSON object',
        '?agent_id=guide&metadata=%7B%22team%22%3A+1%7D': 'send user_id too',
    }
    for query, words in ways.items():
        for path in ('/v1/memories/', '/memories'):
            status, detail = wire.refused('DELETE', f'{path}{query}')
            assert status == 400, (query, detail)
            assert words in detail or path == '/memories', (query, detail)
    for path in ('/v2/entities/user/*/', '/v1/entities/user/%2A/'):
        assert wire.refused('DELETE', path)[0] == 400
    assert wire.refused('DELETE', '/v2/entities/everybody/ana/')[0] == 400
    assert wire.refused('POST', '/reset', {})[0] == 400
    assert wire.listed() == ['of ana']


def test_a_body_is_taken_as_it_is_meant_or_not_at_all(wire: Wire) -> None:
    said = [{'role': 'user', 'content': 'of ana'}]
    ways: list[tuple[dict[str, Any], str]] = [
        ({'messages': said}, 'nobody is named'),
        ({'messages': said, 'userid': 'ana'}, "'userid' is unknown"),
        ({'messages': said, 'user_id': '*'}, 'not an id'),
        ({'messages': said, 'user_id': 'ana', 'prompt': 7}, 'send text'),
        ({'messages': said, 'user_id': 7}, 'send it as text'),
        ({'messages': said, 'user_id': '', 'agent_id': 'guide'}, 'user_id is empty'),
        ({'messages': said, 'user_id': 'ana', 'async_mode': 'perhaps'}, 'neither true nor false'),
        ({'messages': said, 'user_id': 'ana', 'filters': {'user_id': 'bo'}}, 'differs'),
        ({'messages': said, 'filters': {'AND': [{'user_id': 'ana'}]}}, "holds 'AND'"),
        ({'messages': said, 'user_id': 'ana', 'metadata': 'sales'}, 'send an object'),
        ({'messages': said, 'user_id': 'ana', 'metadata': {'_mem0': {}}}, 'kept for the server'),
        ({'messages': said, 'user_id': 'ana', 'infer': 'perhaps'}, 'neither true nor false'),
        ({'messages': [{**said[0], 'metadata': {'_mem0': 1}}], 'user_id': 'ana'}, 'kept for the server'),
        ({'messages': said, 'user_id': 'ana', 'expiration_date': 'soon'}, 'YYYY-MM-DD'),
        ({'messages': said, 'user_id': 'ana', 'timestamp': 'lately'}, 'not a moment'),
        ({'messages': [], 'user_id': 'ana'}, 'empty list'),
        ({'messages': ['of ana', 7], 'user_id': 'ana'}, 'messages[0]'),
        ({'messages': [{'role': 'king', 'content': 'x'}], 'user_id': 'ana'}, "role='king'"),
        ({'user_id': 'ana'}, 'messages is missing'),
    ]
    for body, words in ways:
        status, detail = wire.refused('POST', '/v3/memories/add/', body)
        assert (status, words in detail) == (400, True), detail
    for content in (b'', b'[]', b'"x"', b'{', b'null'):
        assert wire.call('POST', '/v3/memories/add/', content=content).status_code == 400
    for body in (
        *({'query': ''}, {'query': 7}, {}, {'query': 'x', 'top_k': 0}, {'query': 'x', 'top_k': 1001}),
        *({'query': 'x', 'threshold': one} for one in ('high', 5, -0.1, True)),
        *({'query': 'x', 'metadata': one} for one in ([], '', False, 'sales')),
        *({'query': 'x', 'categories': one} for one in ({}, 7, False)),
    ):
        assert wire.refused('POST', '/v3/memories/search/', {'filters': {'user_id': 'ana'}, **body})[0] == 400
    for query in ('?page=0', '?page=x', '?page_size=201', '?page=1&page=2', '?offset=3', '?page=999999999'):
        assert wire.refused('POST', f'/v3/memories/{query}', {'filters': {'user_id': 'ana'}})[0] == 400
    assert wire.listed() == []


def test_a_project_that_is_not_the_keys_is_refused(wire: Wire) -> None:
    said = {'messages': 'of ana', 'user_id': 'ana', 'infer': False}
    others = ({'project_id': 'default'}, {'project_id': 7}, {'project_name': 'x'}, {'org_id': 'x'}, {'org_name': 'x'})
    for more in others:
        assert wire.refused('POST', '/v3/memories/add/', said | more)[0] == 404
        query = ''.join(f'&{name}={value}' for name, value in more.items())
        assert wire.refused('DELETE', f'/v1/memories/?user_id=ana{query}')[0] == 404
        assert wire.refused('POST', f'/v3/memories/add/?{query[1:]}', said)[0] == 404
    assert wire.listed() == []
    wire.told('POST', '/v3/memories/add/', said | {'project_id': wire.project, 'org_id': 'memoranda'})
    assert wire.listed() == ['of ana']


def test_a_batch_changes_all_or_nothing(wire: Wire) -> None:
    first, second, third = wire.add('one'), wire.add('two'), wire.add('three')
    fixed = wire.add('four', immutable=True)
    wire.told('DELETE', f'/v1/memories/{second}/')
    texts = [{'memory_id': first, 'text': 'changed'}]
    for memories, status in (
        ([*texts, {'memory_id': NOBODY, 'text': 'x'}], 404),
        ([*texts, {'memory_id': second, 'text': 'x'}], 404),
        ([*texts, {'memory_id': first, 'text': 'x'}], 400),
        ([*texts, {'memory_id': NOBODY, 'text': 'x', 'user_id': 'bo'}], 400),
        ([*texts, {'text': 'x'}], 400),
        ([*texts, {'memory_id': third, 'text': ' '}], 400),
        ([*texts, {'memory_id': third, 'text': 7}], 400),
        ([*texts, {'memory_id': third, 'metadata': {'n': 'x' * 100_000}}], 400),
        ([*texts, {'memory_id': third, 'metadata': 'sales'}], 400),
        ([*texts, {'memory_id': third, 'expiration_date': 'soon'}], 400),
        ([*texts, {'memory_id': third, 'timestamp': 4e9}], 400),
        ([*texts, {'memory_id': third}], 400),
        ([*texts, {'memory_id': fixed, 'text': 'x'}], 409),
        ([], 400),
        (texts * 1001, 400),
    ):
        assert wire.refused('PUT', '/v1/batch/', {'memories': memories})[0] == status
    assert wire.refused('DELETE', '/v1/batch/', {'memories': [{'memory_id': first}, {'memory_id': NOBODY}]})[0] == 404
    assert wire.listed() == ['four', 'one', 'three']
    wire.told('PUT', '/v1/batch/', {'memories': [*texts, {'memory_id': third, 'metadata': {'n': 1}}]})
    assert wire.listed({'user_id': 'ana', 'metadata': {'n': 1}}) == ['three']
    assert wire.listed() == ['changed', 'four', 'three']


@pytest.mark.parametrize(('method', 'path', 'what', 'why'), [*OF_THE_PLATFORM, *OF_ITS_SERVER])
def test_what_is_not_offered_says_why(wire: Wire, method: str, path: str, what: str, why: str) -> None:
    for name in ('org_id', 'project_id', 'webhook_id', 'entity_type', 'entity_id', 'key_id'):
        path = path.replace(f'{{{name}}}', 'x')
    assert wire.refused(method, path, {}) == (501, f'{what}: {why}')


@pytest.mark.parametrize(
    ('method', 'path', 'body'),
    [
        ('POST', '/v3/memories/add/', {'messages': 'x', 'user_id': 'ana', 'custom_categories': [{'a': 'b'}]}),
        ('POST', '/v3/memories/add/', {'messages': 'x', 'user_id': 'ana', 'structured_data_schema': {'a': 'b'}}),
        ('POST', '/memories', {'messages': 'x', 'user_id': 'ana', 'memory_type': 'procedural_memory'}),
        ('POST', '/v3/memories/add/', {'messages': [{'role': 'user', 'content': IMAGE}], 'user_id': 'ana'}),
        ('POST', '/memories', {'messages': [{'role': 'user', 'content': [IMAGE]}], 'user_id': 'ana'}),
        ('POST', '/v3/memories/search/', {'query': 'x', 'filters': {'user_id': 'ana'}, 'show_expired': True}),
        ('POST', '/v1/exports/get/', {'filters': {'user_id': 'ana'}}),
        ('POST', '/v2/profiles/settings/', {'enabled': False}),
        ('POST', '/v2/profiles/settings/', {'entities': {'user': {'schema': {'type': 'object'}}}}),
        ('PATCH', '/api/v1/orgs/organizations/memoranda/projects/PROJECT/', {'custom_instructions': 'x'}),
        ('PATCH', '/api/v1/orgs/organizations/memoranda/projects/PROJECT/', {'decay': True}),
        ('GET', '/v1/entities/filters/', None),
    ],
)
def test_parts_of_a_request_that_are_not_offered_say_why(wire: Wire, method: str, path: str, body: Any) -> None:
    status, detail = wire.refused(method, path.replace('PROJECT', wire.project), body)
    assert (status, ': ' in detail) == (501, True)


def test_a_setting_lets_a_star_mean_everybody_of_the_project_and_no_further() -> None:
    memory = fast_async()
    with serving(memory, projects=2, settings=Settings(server_mem0_wildcards=True)) as following:
        one, two = following(), following()
        for wire in (one, two):
            wire.add('of ana')
            wire.add('of bo', user_id='bo')
            wire.add('of the guide', None, agent_id='guide')
        everybody = ['of ana', 'of bo', 'of the guide']
        assert one.listed({'OR': [{'user_id': '*'}, {'agent_id': '*'}]}) == everybody
        assert one.listed({'user_id': '*'}) == everybody[:2]
        assert one.listed({'NOT': [{'user_id': 'bo'}]}) == ['of ana', 'of the guide']
        assert sorted(one.found('of', {'user_id': '*'})) == everybody[:2]
        assert one.listed({'user_id': 'ana', 'AND': [{'user_id': 'bo'}]}) == []
        assert one.as_('ana').listed({'user_id': '*'}) == ['of ana']
        for query in ('?user_id=*&agent_id=guide', '?user_id=*&metadata=%7B%22a%22%3A1%7D'):
            assert one.refused('DELETE', f'/v1/memories/{query}')[0] == 400
        assert one.as_('writer').refused('DELETE', '/v1/memories/?user_id=*')[0] == 403
        assert one.as_('ana').refused('DELETE', '/v1/memories/?user_id=*')[0] == 403
        assert one.as_('ana').refused('POST', '/reset', {})[0] == 403
        gone = one.told('DELETE', '/v1/memories/?user_id=*&agent_id=*&app_id=*&run_id=*')
        assert one.told('GET', f'/v1/event/{gone["event_id"]}/')['status'] == 'SUCCEEDED'
        assert one.listed({'user_id': '*'}) == []
        assert two.listed({'user_id': '*'}) == everybody[:2]
        two.told('POST', '/reset', {})
        assert two.listed({'user_id': '*'}) == []


def test_a_parameter_that_would_be_without_effect_is_refused(wire: Wire) -> None:
    id_ = wire.add('of ana')
    ways: list[tuple[str, str, dict[str, Any]]] = [
        ('POST', '/v3/memories/add/', {'messages': 'of bo', 'user_id': 'bo'}),
        ('POST', '/v3/memories/', {'filters': {'user_id': 'ana'}}),
        ('POST', '/v3/memories/search/', {'query': 'who?', 'filters': {'user_id': 'ana'}}),
        ('PUT', f'/v1/memories/{id_}/', {'text': 'changed'}),
        ('PUT', '/v1/batch/', {'memories': [{'memory_id': id_, 'text': 'changed'}]}),
        ('DELETE', '/v1/batch/', {'memories': [{'memory_id': id_}]}),
        ('POST', '/v1/feedback/', {'memory_id': id_, 'feedback': 'POSITIVE'}),
        ('POST', '/v1/exports/', {'schema': {'properties': {}}, 'user_id': 'ana'}),
        ('POST', '/v1/summary/', {'filters': {'user_id': 'ana'}}),
        ('POST', '/memories', {'messages': 'of bo', 'user_id': 'bo'}),
        ('POST', '/search', {'query': 'who?', 'user_id': 'ana'}),
        ('PUT', f'/memories/{id_}', {'text': 'changed'}),
    ]
    for method, path, body in ways:
        status, detail = wire.refused(method, f'{path}?user_id=ana', body)
        assert (status, "'user_id' is unknown here" in detail) == (400, True), path
    assert wire.listed() == ['of ana']


def test_an_empty_id_never_means_everybody_under_the_others(wire: Wire) -> None:
    wire.add('of bo', user_id='bo', agent_id='guide')
    for method, path, body in (
        ('GET', '/memories?user_id=&agent_id=guide', None),
        ('POST', '/search', {'query': 'who?', 'user_id': '', 'agent_id': 'guide'}),
        ('POST', '/v1/summary/', {'user_id': '', 'filters': {'agent_id': 'guide'}}),
        ('POST', '/v1/exports/', {'schema': {'properties': {}}, 'user_id': '', 'agent_id': 'guide'}),
    ):
        status, detail = wire.refused(method, path, body)
        assert (status, 'user_id is empty' in detail) == (400, True), path
    for filters in ([], '', 0, False, 'x'):
        assert wire.refused('POST', '/search', {'query': 'who?', 'agent_id': 'guide', 'filters': filters})[0] == 400
