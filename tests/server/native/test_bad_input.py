"""What a hostile or careless client sends: refused as a problem, with nothing written and nothing told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from _native import Api

JSON = {'Content-Type': 'application/json'}


@pytest.fixture(scope='module')
def api(following: Callable[[], Api]) -> Api:
    """One project for all: nothing of what is sent here is to get there."""
    return following()


def send(api: Api, content: bytes, path: str = '/v1/memories', **headers: str) -> Any:
    return api.call('POST', path, content=content, headers={**JSON, **headers})


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'{',
        b'null',
        b'"text"',
        b'[]',
        b'{"messages": "x", "user_id": "ana"',
        b'{"messages": "x", "messages": "y", "user_id": "ana"}',
        b'{"messages": "caf\xe9", "user_id": "ana"}',
        '{"messages": "x", "user_id": "ana"}'.encode('utf-16'),
        b'{"messages": "x", "user_id": "ana", "importance": NaN}',
        b'{"messages": "x", "user_id": "ana", "importance": 1e400}',
        b'{"messages": "x", "user_id": "ana", "batch_turns": ' + b'9' * 5000 + b'}',
        b'{"messages": "x", "user_id": "ana", "metadata": ' + b'[' * 5000 + b']' * 5000 + b'}',
        b'{"messages": "x", "user_id": "ana", "metadata": ' + b'{"a":' * 5000 + b'1' + b'}' * 5000 + b'}',
    ],
)
def test_a_body_that_is_not_what_it_should_be_is_refused(api: Api, content: bytes) -> None:
    answer = send(api, content)

    assert answer.status_code in (400, 422), answer.text
    assert answer.headers['content-type'] == 'application/problem+json'
    assert len(answer.text) < 2000
    assert api.texts() == []


@pytest.mark.parametrize('kind', ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', ''])
def test_a_body_that_is_not_declared_as_json_is_refused(api: Api, kind: str) -> None:
    answer = api.call(
        'POST', '/v1/memories', content=b'{"messages": "x", "user_id": "ana"}', headers={'Content-Type': kind}
    )

    assert answer.status_code == 415
    assert 'send Content-Type: application/json' in answer.json()['detail']
    assert api.texts() == []


def test_a_body_that_is_no_json_says_where(api: Api) -> None:
    answer = send(api, b'{"messages": "the lighthouse"')

    assert answer.status_code == 400
    assert "the body is no JSON (character 29: Expecting ',' delimiter)" in answer.json()['detail']
    assert 'lighthouse' not in answer.text


@pytest.mark.parametrize(
    ('messages', 'where'),
    [
        (5, ['body', 'messages', 'text']),
        ([], ['body', 'messages', 'list']),
        ({'role': 'king', 'content': 'x'}, ['body', 'messages', 'message', 'role']),
        ([{'role': 'king', 'content': 'x'}], ['body', 'messages', 'list', 0, 'role']),
    ],
)
def test_of_the_shapes_that_messages_may_have_only_the_one_that_is_meant_is_told(
    api: Api, messages: Any, where: list[Any]
) -> None:
    (error,) = api.post('/v1/memories', {'messages': messages, 'user_id': 'ana'}).json()['errors']

    assert error['loc'] == where


def test_a_call_without_an_id_is_told_how_it_is_done_over_http(api: Api) -> None:
    answer = api.post('/v1/memories', {'messages': 'x'})

    assert answer.status_code == 422
    assert answer.json()['detail'].startswith('no id was given: pass user_id')
    assert 'shared=true' in answer.json()['detail']


@pytest.mark.parametrize(
    'body',
    [
        {'messages': 'x'},
        {'messages': 'x', 'user_id': ''},
        {'messages': 'x', 'user_id': ' ana'},
        {'messages': 'x', 'user_id': '*'},
        {'messages': 'x', 'user_id': 'a\0b'},
        {'messages': 'x', 'user_id': 'a' * 257},
        {'messages': 'x', 'user_id': ['ana']},
        {'messages': 'x', 'user_id': 7},
        {'messages': '', 'user_id': 'ana'},
        {'messages': ' ', 'user_id': 'ana'},
        {'messages': [], 'user_id': 'ana'},
        {'messages': [{'role': 'root', 'content': 'x'}], 'user_id': 'ana'},
        {'messages': [{'role': 'user', 'content': {'text': 'x'}}], 'user_id': 'ana'},
        {'messages': [{'role': 'user'}], 'user_id': 'ana'},
        {'messages': [{'role': 'user', 'content': 'x', 'extra': 1}], 'user_id': 'ana'},
        {'messages': 'x', 'user_id': 'ana', 'infer': 'false'},
        {'messages': 'x', 'user_id': 'ana', 'infer': 0},
        {'messages': 'x', 'user_id': 'ana', 'importance': 2, 'infer': False},
        {'messages': 'x', 'user_id': 'ana', 'importance': '0.5', 'infer': False},
        {'messages': 'x', 'user_id': 'ana', 'kind': 'Not A Kind', 'infer': False},
        {'messages': 'x', 'user_id': 'ana', 'occurred_at': 'yesterday'},
        {'messages': 'x', 'user_id': 'ana', 'occurred_at': '2026-01-01'},
        {'messages': 'x', 'user_id': 'ana', 'occurred_at': '2026-01-01T00:00:00'},
        {'messages': 'x', 'user_id': 'ana', 'occurred_at': 1700000000},
        {'messages': 'x', 'user_id': 'ana', 'occurred_at': '0000-01-01T00:00:00Z'},
        {'messages': 'x', 'user_id': 'ana', 'occurred_at': '9999-12-31T23:59:59-23:00'},
        {'messages': 'x', 'user_id': 'ana', 'occurred_at': '2026-01-01T00:00:00+99:99'},
        {'messages': 'x', 'user_id': 'ana', 'tags': ['t'] * 65},
        {'messages': 'x', 'user_id': 'ana', 'tags': 't'},
        {'messages': 'x', 'user_id': 'ana', 'metadata': []},
        {'messages': 'x', 'user_id': 'ana', 'metadata': {'a': 'b' * 70_000}},
        {'messages': 'x', 'user_id': 'ana', 'project': 'other'},
        {'messages': 'x', 'user_id': 'ana', 'background': True},
    ],
)
def test_a_field_that_can_not_be_used_is_named(api: Api, body: dict[str, Any]) -> None:
    answer = api.post('/v1/memories', body)

    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem['detail']
    assert all('input' not in one and 'ctx' not in one for one in problem.get('errors', ()))
    assert api.texts() == []


@pytest.mark.parametrize(
    ('path', 'body'),
    [
        ('/v1/memories', '{"messages": "half \\ud83d pair", "user_id": "ana"}'),
        ('/v1/memories', '{"messages": [{"role": "user", "content": "half \\udc00 pair"}], "user_id": "ana"}'),
        ('/v1/memories', '{"messages": "x", "user_id": "a\\ud800"}'),
        ('/v1/memories', '{"messages": "x", "user_id": "ana", "tags": ["\\ud800"]}'),
        ('/v1/search', '{"query": "\\ud800", "user_id": "ana"}'),
        ('/v1/search', '{"query": "x", "user_id": "ana", "filters": {"kind": "\\ud800"}}'),
        ('/v1/search', '{"query": "x", "user_id": "ana", "filters": {"\\ud800": 1}}'),
        ('/v1/profile', '{"user_id": "ana", "fields": {"\\ud800": {"slot": "home.city"}}}'),
        ('/v1/erasures/verify', '{"receipt": {"format": "\\ud800"}}'),
        ('/v1/audit/verify', '{"anchor": {"memoranda": "\\ud800"}}'),
        ('/v1/nowhere', '{}'),
    ],
)
def test_half_a_surrogate_pair_never_gets_anywhere(api: Api, path: str, body: str) -> None:
    answer = send(api, body.encode(), path)

    assert answer.status_code in (404, 422), answer.text
    assert answer.headers['content-type'] == 'application/problem+json'
    json.loads(answer.content.decode('utf-8'))


def test_only_lists_may_be_repeated_in_a_query(api: Api) -> None:
    twice = api.call('GET', '/v1/memories?user_id=ana&user_id=ben')
    several = api.call('GET', '/v1/memories?user_id=ana&levels=user&levels=run')

    assert (twice.status_code, several.status_code) == (400, 200)
    assert twice.json()['detail'] == "'user_id' is in the query 2 times, and is no list: send it once"


@pytest.mark.parametrize('path', ['/v1/memories?user_id=%ff', '/v1/memories/%c3%28?user_id=ana'])
def test_an_address_that_is_no_text_is_refused(api: Api, path: str) -> None:
    answer = api.call('GET', path)

    assert answer.status_code == 400
    assert answer.headers['content-type'] == 'application/problem+json'
    assert 'not UTF-8' in answer.json()['detail']


def test_what_no_database_can_carry_is_replaced_in_words_and_metadata(api: Api) -> None:
    content = (
        b'{"messages": "a\\u0000b", "user_id": "ben", "infer": false, "metadata": {"k\\ud800": ["\\u0000", 1e300]}}'
    )
    fact = send(api, content).json()['changes'][0]['after']

    assert fact['text'] == 'a\ufffdb'
    assert fact['metadata'] == {'k\ufffd': ['\ufffd', 1e300]}


@pytest.mark.parametrize(
    'query',
    [
        {'limit': '0'},
        {'limit': '1001'},
        {'limit': '1e2'},
        {'limit': '\u0665'},
        {'limit': '9' * 400},
        {'limit': ['1', '2']},
        {'shared': 'yes'},
        {'include_inactive': '1'},
        {'levels': 'planet'},
        {'as_of': '2026-01-01'},
        {'as_of': '-1'},
        {'filters': '{'},
        {'filters': '{"a":' * 3000 + '1' + '}' * 3000},
        {'filters': '{"metadata.a": 1e999}'},
        {'filters': '{"kind": {"in": [' + '1,' * 2000 + '1]}}'},
        {'cursor': ''},
        {'cursor': '\0'},
        {'cursor': "' OR 1=1 --"},
        {'nonsense': '1'},
    ],
)
def test_a_query_that_can_not_be_used_is_refused(api: Api, query: dict[str, Any]) -> None:
    answer = api.get('/v1/memories', user_id='ana', **query)

    assert answer.status_code == (400 if query == {'limit': ['1', '2']} else 422), answer.text
    assert answer.headers['content-type'] == 'application/problem+json'


@pytest.mark.parametrize(
    'identifier', ['nonsense', '%00', '..%2f..%2fetc', "'%20OR%201=1--", 'a' * 257, '%F0%9F%98%80']
)
@pytest.mark.parametrize('path', ['/v1/memories/{}', '/v1/jobs/{}', '/v1/review/{}', '/v1/memories/{}/history'])
def test_ids_that_nobody_gave_are_not_found_or_refused(api: Api, path: str, identifier: str) -> None:
    answer = api.call('GET', path.format(identifier))

    assert answer.status_code in (404, 422), answer.text
    assert answer.headers['content-type'] == 'application/problem+json'


def test_an_error_tells_nothing_of_what_is_remembered_or_how_it_is_stored(api: Api) -> None:
    api.add('my locker code is plum-seven', 'ben', slot='locker.code', value='plum-seven', infer=False)
    taken = api.add('something else', 'ben', infer=False)['id']

    clash = api.call('PATCH', f'/v1/memories/{taken}', json={'slot': 'locker.code'}, headers={'If-Match': '*'})
    assert clash.status_code == 409
    for secret in ('plum', 'SELECT', 'sqlite', 'Traceback', '.py'):
        assert secret not in clash.text
