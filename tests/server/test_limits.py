"""Limits over HTTP: how often, how much at once, how large, and JSON that everybody reads alike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

import _server_part
from _fakes import fast_async
from _server import Served, serving
from memoranda.settings import Settings

PARTS: list[Any] = [_server_part]


@asynccontextmanager
async def limited(**settings: Any) -> AsyncGenerator[Served]:
    async with serving(fast_async(settings=Settings(workers=0, **settings)), parts=PARTS) as server:
        _server_part.prepare(server.app.state)
        yield server


def test_a_key_that_asks_too_often_is_told_when_to_come_back() -> None:
    async def asked() -> None:
        async with limited(server_rate=0.01) as server, server.client('reader') as http:
            assert (await http.get('/test/me/x')).status_code == 200
            refused = await http.get('/test/me/x')
            assert refused.status_code == 429
            assert refused.headers['retry-after'] == '100'
            assert refused.headers['x-ratelimit-limit'] == '1'
            assert refused.headers['x-ratelimit-remaining'] == '0'
            assert refused.headers['x-ratelimit-reset'] == '100'
            assert refused.json()['status'] == 429
            # Others are not concerned, and machines that watch it never.
            assert (await server.client('writer').get('/test/me/x')).status_code == 200
            assert (await http.get('/health')).status_code == 200

    asyncio.run(asked())


def test_twice_the_rate_may_come_at_once() -> None:
    async def asked() -> None:
        async with limited(server_rate=5) as server, server.client('reader') as http:
            answers = await asyncio.gather(*(http.get('/test/me/x') for _ in range(20)))
            assert sum(answer.status_code == 200 for answer in answers) in (10, 11)

    asyncio.run(asked())


async def _held(server: Served, *clients: httpx.AsyncClient) -> list[asyncio.Task[httpx.Response]]:
    held: list[asyncio.Task[httpx.Response]] = []
    for client in clients:
        server.app.state.arrived.clear()
        held.append(asyncio.create_task(client.post('/test/hold')))
        await server.app.state.arrived.wait()
    return held


def test_one_key_has_so_many_requests_under_way() -> None:
    async def asked() -> None:
        async with limited(server_key_concurrency=2) as server, server.client('reader') as http:
            held = await _held(server, http, http)
            refused = await http.get('/test/me/x')
            assert refused.status_code == 429
            assert 'under way' in refused.json()['detail']
            assert (await server.client('writer').get('/test/me/x')).status_code == 200
            server.app.state.release.set()
            assert [(await task).status_code for task in held] == [200, 200]
            assert (await http.get('/test/me/x')).status_code == 200

    asyncio.run(asked())


def test_all_together_have_so_many_and_health_is_answered_nevertheless() -> None:
    async def asked() -> None:
        async with limited(server_concurrency=2) as server:
            held = await _held(server, server.client('reader'), server.client('writer'))
            refused = await server.client('admin').get('/test/me/x')
            assert refused.status_code == 503
            assert refused.headers['retry-after'] == '1'
            assert (await server.client(None).get('/health')).status_code == 200
            server.app.state.release.set()
            assert [(await task).status_code for task in held] == [200, 200]
            assert (await server.client('admin').get('/test/me/x')).status_code == 200

    asyncio.run(asked())


def test_a_stream_of_events_takes_no_place_once_it_has_begun() -> None:
    async def asked() -> None:
        async with limited(server_concurrency=1, server_key_concurrency=1) as server:
            started = asyncio.Event()
            sent: list[Any] = []

            async def send(message: Any) -> None:
                sent.append(message)
                if message['type'] == 'http.response.body':
                    started.set()

            async def receive() -> Any:
                await server.app.state.release.wait()
                return {'type': 'http.disconnect'}

            key = server.key('reader').encode()
            scope = {
                'type': 'http', 'method': 'GET', 'path': '/test/stream', 'query_string': b'', 'state': {},
                'headers': [(b'x-api-key', key), (b'content-length', b'0')], 'http_version': '1.1', 'scheme': 'http',
            }  # fmt: skip
            streaming = asyncio.create_task(server.app(scope, receive, send))
            await started.wait()
            assert (await server.client('reader').get('/test/me/x')).status_code == 200
            server.app.state.release.set()
            await streaming
            assert sent[0]['status'] == 200

    asyncio.run(asked())


def test_a_body_has_a_size() -> None:
    async def asked() -> None:
        async with limited(server_max_body_kb=4) as server, server.client('writer') as http:
            assert (await http.post('/test/echo', json={'a': 'x' * 4000})).status_code == 200
            refused = await http.post('/test/echo', json={'a': 'x' * 4100})
            assert refused.status_code == 413
            assert '4 KiB' in refused.json()['detail']

            async def chunks() -> AsyncGenerator[bytes]:
                yield b'{"a": "'
                for _ in range(100):
                    yield b'x' * 100
                yield b'"}'

            chunked = await http.post('/test/echo', content=chunks(), headers={'content-type': 'application/json'})
            assert chunked.status_code == 413

    asyncio.run(asked())


def test_a_body_has_a_time() -> None:
    async def asked() -> None:
        async with limited(server_body_seconds=0.05) as server, server.client('writer') as http:
            never = asyncio.Event()

            async def chunks() -> AsyncGenerator[bytes]:
                yield b'{"a": '
                await never.wait()

            slow = await http.post('/test/echo', content=chunks(), headers={'content-type': 'application/json'})
            assert slow.status_code == 408

    asyncio.run(asked())


def _nested(depth: int) -> bytes:
    return b'{"a":' + b'[' * (depth - 1) + b']' * (depth - 1) + b'}'


BODIES: list[tuple[bytes, int, str]] = [
    (b'{"a": 1, "a": 2}', 400, 'twice'),
    (b'{"a": {"b": 1, "b": 1}}', 400, 'twice'),
    (b'{"a": "\xff"}', 400, 'UTF-8'),
    ('{"a": 1}'.encode('utf-16'), 400, 'UTF-8'),
    ('{"a": 1}'.encode('utf-16-le'), 400, 'zero byte'),
    ('{"a": 1}'.encode('utf-32-be'), 400, 'zero byte'),
    (b'{"a": NaN}', 400, 'NaN'),
    (b'{"a": -Infinity}', 400, 'Infinity'),
    (_nested(41), 400, 'deeper than 40'),
    (b'[' * 1_000_000, 400, 'deeper than 40'),
    (b'{"a":' * 100_000, 400, 'deeper than 40'),
    (b'{"a": 1e999}', 400, 'number'),
    (b'{"a": ' + b'9' * 5000 + b'}', 400, 'number'),
    (b'{"a": 1', 422, ''),
    (b'nothing', 422, ''),
    (b'"text"', 422, ''),
    (b'', 422, ''),
    (_nested(40), 200, ''),
    (b'{"a": "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\"[["}', 200, ''),
    (b'\xef\xbb\xbf{"a": 1}', 200, ''),
    (b'{"a": [{"b": 1}, {"b": 2}]}', 200, ''),
]


def test_json_is_what_everybody_reads_alike() -> None:
    async def asked() -> None:
        async with limited() as server, server.client('writer') as http:
            for body, status, said in BODIES:
                answer = await http.post('/test/echo', content=body, headers={'content-type': 'application/json'})
                assert answer.status_code == status, (body[:80], answer.text)
                assert said in answer.text

    asyncio.run(asked())


def test_a_large_body_is_looked_through_too() -> None:
    async def asked() -> None:
        async with limited() as server, server.client('writer') as http:
            body = json.dumps({'a': 'x' * 100_000})[:-1] + ', "a": 1}'
            answer = await http.post('/test/echo', content=body, headers={'content-type': 'application/json'})
            assert answer.status_code == 400

    asyncio.run(asked())


@pytest.mark.parametrize(
    ('path', 'status'), [('/v1/memories', 201), ('/v3/memories/add/', 200)], ids=['native', 'of Mem0']
)
def test_a_large_body_is_read_once(monkeypatch: pytest.MonkeyPatch, path: str, status: int) -> None:
    read: list[int] = []
    loads = json.loads

    def counted(text: Any, **how: Any) -> Any:
        read.append(len(text))
        return loads(text, **how)

    async def asked() -> None:
        async with serving() as server, server.client('writer') as http:
            metadata = {'n': 7, 'x': 0.5, 'big': 10**40, 'text': 'x' * 20_000, 'minus': -(10**18)}
            messages = [{'role': 'user', 'content': 'I like tea'}, *({'role': 'system', 'content': 'x' * 1_000},) * 90]
            body = {'messages': messages, 'user_id': 'ana', 'infer': False, 'metadata': metadata}
            with monkeypatch.context() as patched:
                patched.setattr(json, 'loads', counted)
                assert (await http.post(path, json=body)).status_code == status
            (memory,) = (await server.memory.get_all(user_id='ana')).items
            assert dict(memory.metadata) == metadata
            assert {name: type(value) for name, value in memory.metadata.items()} == {
                name: type(value) for name, value in metadata.items()
            }

    asyncio.run(asked())
    assert len([size for size in read if size > 100_000]) == 1


def test_other_encodings_are_refused() -> None:
    async def asked() -> None:
        async with limited() as server, server.client('writer') as http:
            for headers in (
                {'content-type': 'application/json; charset=utf-16'},
                {'content-type': 'application/json; charset=latin-1'},
                {'content-type': 'application/json', 'content-encoding': 'gzip'},
            ):
                assert (await http.post('/test/echo', content=b'{}', headers=headers)).status_code == 415

    asyncio.run(asked())


def test_headers_that_come_at_once_may_not_be_larger_than_others() -> None:
    async def asked() -> None:
        async with limited() as server, server.client('reader') as http:
            refused = await http.get('/test/me/x', headers={'x-more': 'a' * 70_000})
            assert refused.status_code == 431
            assert '64 KiB' in refused.json()['detail']

    asyncio.run(asked())


def test_whoever_leaves_before_the_end_of_the_body_has_sent_nothing() -> None:
    async def asked() -> None:
        async with limited() as server:
            messages = iter([{'type': 'http.request', 'body': b'{"a"', 'more_body': True}, {'type': 'http.disconnect'}])
            sent: list[Any] = []

            async def receive() -> Any:
                return next(messages)

            async def send(message: Any) -> None:
                sent.append(message)

            scope = {
                'type': 'http', 'method': 'POST', 'path': '/test/echo', 'query_string': b'', 'state': {},
                'headers': [(b'x-api-key', server.key('writer').encode()), (b'content-type', b'application/json')],
                'http_version': '1.1', 'scheme': 'http',
            }  # fmt: skip
            await server.app(scope, receive, send)
            assert sent == []

    asyncio.run(asked())
