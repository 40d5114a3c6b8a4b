"""What every answer has in common: errors without words of others, headers against browsers, names of the server."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

import _server_part
from _server import serving
from memoranda.server.shield import LOOPBACK_HOSTS

PARTS: list[Any] = [_server_part]


def test_errors_have_one_status_each_and_keep_their_words_to_themselves(caplog: pytest.LogCaptureFixture) -> None:
    async def asked() -> None:
        async with serving(parts=PARTS) as server, server.client('reader') as http:
            for what, status in (
                ('broken', 500), ('busy', 503), ('full', 507), ('unset', 503), ('missing', 404), ('conflict', 409),
                ('invalid', 422),
            ):  # fmt: skip
                answer = await http.get(f'/test/raise/{what}')
                assert answer.status_code == status, what
                assert answer.headers['content-type'] == 'application/problem+json'
                told = answer.json()
                assert told['status'] == status
                assert 'lighthouse' not in answer.text
                assert ('incident' in told) == (status >= 500)
                assert (status == 503) == ('retry-after' in answer.headers)
                if status == 500:
                    assert told['incident'] in caplog.text
                    assert 'RuntimeError' in caplog.text
                    assert 'lighthouse' not in caplog.text

    with caplog.at_level(logging.DEBUG):
        asyncio.run(asked())


def test_an_answer_that_fails_half_way_breaks_off_without_words(caplog: pytest.LogCaptureFixture) -> None:
    async def asked() -> None:
        async with serving(parts=PARTS) as server:
            client = server.client('reader')
            client._transport.raise_app_exceptions = True  # type: ignore[attr-defined]
            with pytest.raises(ConnectionAbortedError, match='incident') as caught:
                await client.get('/test/half')
            assert caught.value.__cause__ is None
            assert caught.value.__suppress_context__

    with caplog.at_level(logging.DEBUG):
        asyncio.run(asked())
    assert 'lighthouse' not in caplog.text


def test_a_request_that_does_not_fit_is_told_where_and_not_what() -> None:
    async def asked() -> None:
        async with serving(parts=PARTS) as server, server.client('writer') as http:
            answer = await http.post('/test/echo', json=['the lighthouse'])
            assert answer.status_code == 422
            (error,) = answer.json()['errors']
            assert error['loc'] == ['body']
            assert 'lighthouse' not in answer.text
            broken = await http.post(
                '/test/echo', content=b'{"a": "the lighthouse', headers={'content-type': 'application/json'}
            )
            assert broken.status_code == 422
            assert 'lighthouse' not in broken.text

    asyncio.run(asked())


def test_what_is_not_there_is_told_like_anything_else() -> None:
    async def asked() -> None:
        async with serving(parts=PARTS) as server, server.client('reader') as http:
            missing = await http.get('/test/nothing')
            assert (missing.status_code, missing.json()['title']) == (404, 'Not Found')
            assert '/openapi.json' in missing.json()['detail']
            wrong = await http.delete('/test/writer')
            assert (wrong.status_code, wrong.headers['allow']) == (405, 'GET')
            assert wrong.headers['content-type'] == 'application/problem+json'
            assert 'Allow' in wrong.json()['detail']
            slash = await http.get('/test/writer/')
            assert slash.status_code == 404

    asyncio.run(asked())


def test_every_answer_keeps_browsers_away() -> None:
    async def asked() -> None:
        async with serving(parts=PARTS) as server:
            answers = [
                await server.client(role).get(path, headers={'Origin': 'https://evil.example', **extra})
                for role, path, extra in (
                    ('reader', '/test/me/x', {}),
                    ('reader', '/test/raise/broken', {}),
                    ('reader', '/nothing', {}),
                    ('reader', '/health', {}),
                )
            ]
            answers.append(await server.client(None).get('/test/me/x'))
            answers.append(await server.client('reader').options('/test/writer'))
            for answer in answers:
                assert answer.headers['x-content-type-options'] == 'nosniff'
                assert answer.headers['x-frame-options'] == 'DENY'
                assert answer.headers['cache-control'] == 'no-store'
                assert answer.headers['referrer-policy'] == 'no-referrer'
                assert "default-src 'none'" in answer.headers['content-security-policy']
                assert not [name for name in answer.headers if name.startswith('access-control')]
                assert 'strict-transport-security' not in answer.headers
            secure = server.client('reader')
            secure.base_url = 'https://testserver'
            assert 'strict-transport-security' in (await secure.get('/test/me/x')).headers

    asyncio.run(asked())


def test_a_header_with_a_line_break_is_left_out() -> None:
    async def asked() -> None:
        async with serving(parts=PARTS) as server, server.client('reader') as http:
            assert (await http.get('/test/header', params={'value': 'fine'})).headers['x-echo'] == 'fine'
            for value in ('a\r\nset-cookie: b=c', 'a\nb', 'a\0b', 'a\x7fb'):
                answer = await http.get('/test/header', params={'value': value})
                assert answer.status_code == 200
                assert 'x-echo' not in answer.headers
                assert 'set-cookie' not in answer.headers

    asyncio.run(asked())


HOSTS = [
    ('localhost', True),
    ('localhost:8080', True),
    ('LOCALHOST.:8080', True),
    ('127.0.0.1:1', True),
    ('[::1]:8080', True),
    ('memory.example.com', False),
    ('localhost.evil.example', False),
    ('localhost@evil.example', False),
    ('localhost:80:80', False),
    ('', False),
]


def test_a_server_on_this_machine_does_not_go_by_other_names() -> None:
    async def asked() -> None:
        async with serving(parts=PARTS, hosts=LOOPBACK_HOSTS) as server, server.client('reader') as http:
            for host, known in HOSTS:
                answer = await http.get('/test/me/x', headers={'Host': host})
                assert answer.status_code == (200 if known else 421), host
                assert (await http.get('/health', headers={'Host': host})).status_code == 200

    asyncio.run(asked())


def test_names_may_be_added() -> None:
    async def asked() -> None:
        from _fakes import fast_async
        from memoranda.settings import Settings

        memory = fast_async(settings=Settings(server_hosts='memory.example.com, other.example.com'))
        async with serving(memory, parts=PARTS) as server, server.client('reader') as http:
            for host, status in (('memory.example.com', 200), ('other.example.com:443', 200), ('localhost', 421)):
                assert (await http.get('/test/me/x', headers={'Host': host})).status_code == status

    asyncio.run(asked())


def test_readiness_tells_details_to_an_admin_only() -> None:
    class Failing:
        async def generation(self) -> None:
            from memoranda.errors import StoreUnreachable

            raise StoreUnreachable('host db.internal does not answer')

    async def asked() -> None:
        async with serving(parts=PARTS) as server:
            assert (await server.client(None).get('/ready')).json() == {'status': 'ok'}
            assert (await server.client('admin').get('/ready')).json() == {'status': 'ok', 'problem': None}
        async with serving(parts=PARTS) as server:
            server.memory.engine.store.generation = Failing().generation  # type: ignore[method-assign]
            refused = await server.client(None).get('/ready')
            assert (refused.status_code, refused.json()) == (503, {'status': 'unavailable'})
            assert (await server.client('writer').get('/ready')).json() == {'status': 'unavailable'}
            told = await server.client('admin').get('/ready')
            assert told.json() == {'status': 'unavailable', 'problem': 'StoreUnreachable'}
            assert (await server.client(None).get('/health')).status_code == 200

    asyncio.run(asked())


def test_the_document_names_keys_and_roles_of_every_route() -> None:
    async def asked() -> None:
        async with serving() as server, server.client(None) as http:
            document = (await http.get('/openapi.json')).json()
            assert set(document['components']['securitySchemes']) == {'bearer', 'token', 'header'}
            for path, item in document['paths'].items():
                for method, operation in item.items():
                    if operation['security'] == []:
                        assert path in ('/health', '/ready'), path
                    else:
                        assert operation['x-memoranda-role'] in ('reader', 'writer', 'reviewer', 'admin'), (
                            method,
                            path,
                        )
                        assert {'401', '403', '429', '503'} <= set(operation['responses'])
            assert json.dumps(document) == json.dumps((await http.get('/openapi.json')).json())

    asyncio.run(asked())


SENT: list[tuple[str, dict[str, Any]]] = [
    ('/v1/memories', {'messages': [{'role': 'the lighthouse', 'content': 'x'}], 'user_id': 'ana'}),
    ('/v1/memories', {'messages': 'x', 'user_id': 'ana', 'infer': False, 'slot': 'the lighthouse'}),
    ('/v1/memories', {'messages': 'x', 'user_id': ' the lighthouse'}),
    ('/v1/memories', {'messages': 'x', 'user_id': '\x01the lighthouse'}),
    ('/v1/memories', {'messages': 'x', 'user_id': 'ana', 'occurred_at': 'at the lighthouse'}),
    ('/v1/search', {'query': 'x', 'user_id': 'ana', 'filters': {'kind': {'the lighthouse': 1}}}),
    ('/v1/search', {'query': 'x', 'user_id': 'ana', 'strategy': 'the lighthouse'}),
    ('/v1/memories/', {'messages': [{'role': 'the lighthouse', 'content': 'x'}], 'user_id': 'ana'}),
    ('/v3/memories/add/', {'messages': 'x', 'user_id': 'ana', 'timestamp': 'at the lighthouse'}),
]


def test_an_error_does_not_repeat_what_was_sent() -> None:
    async def asked() -> None:
        async with serving() as server, server.client('admin') as http:
            for path, body in SENT:
                answer = await http.post(path, json=body)
                assert 400 <= answer.status_code < 500
                assert 'the lighthouse' not in answer.text

    asyncio.run(asked())
