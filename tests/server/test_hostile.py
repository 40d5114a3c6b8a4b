"""What somebody with a key may try to reach other people's memories, or to keep the server from answering others."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import tempfile
import threading
import zlib
from pathlib import Path
from typing import Any

import httpx

from _fakes import Grammar, fast_async
from _server import Served, serving
from memoranda import AsyncMemory
from memoranda.server.bodies import check_body
from memoranda.settings import Settings
from memoranda.write.extract import Extraction, ExtractionRequest

JSON = {'content-type': 'application/json'}
MCP = {'accept': 'application/json, text/event-stream'}
SECRET = 'Ben keeps plums'


async def _added(http: httpx.AsyncClient, text: str, **ids: Any) -> dict[str, Any]:
    answer = await http.post('/v1/memories', json={'messages': text, 'infer': False, **ids})
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def _ids(http: httpx.AsyncClient, **ids: Any) -> dict[str, str]:
    added = await _added(http, SECRET, metadata={'k': 1}, **ids)
    changes = (
        await http.get('/v1/changes', params={k: str(v).lower() for k, v in ids.items() if v is True} or ids)
    ).json()
    return {
        'memory': added['changes'][0]['after']['id'],
        'job': added['job_id'],
        'episode': added['episode_ids'][0],
        'change': changes['items'][0]['id'],
    }


def _by_id(ids: dict[str, str]) -> list[tuple[str, str, dict[str, Any]]]:
    memory, job, text = ids['memory'], ids['job'], {'json': {'text': 'x'}}
    return [
        ('GET', f'/v1/memories/{memory}', {}),
        ('GET', f'/v1/memories/{memory}', {'headers': {'If-None-Match': '*'}}),
        ('PATCH', f'/v1/memories/{memory}', {**text, 'headers': {'If-Match': '*'}}),
        ('DELETE', f'/v1/memories/{memory}', {}),
        ('GET', f'/v1/memories/{memory}/history', {}),
        ('POST', f'/v1/review/{memory}/approve', {}),
        ('POST', f'/v1/review/{memory}/undo', {}),
        ('POST', f'/v1/changes/{ids["change"]}/revert', {'json': {'cascade': True}}),
        ('POST', '/v1/erasures', {'json': {'memory_id': memory}}),
        ('POST', '/v1/erasures', {'json': {'episode_id': ids['episode']}}),
        ('GET', f'/v1/jobs/{job}', {}),
        ('GET', f'/v1/jobs/{job}/events', {}),
        ('POST', f'/v1/jobs/{job}/drop', {}),
        ('GET', f'/v1/memories/{memory}/', {}),
        ('PUT', f'/v1/memories/{memory}/', text),
        ('DELETE', f'/v1/memories/{memory}/?delete_linked=true', {}),
        ('GET', f'/v1/memories/{memory}/history/', {}),
        ('PUT', '/v1/batch/', {'json': {'memories': [{'memory_id': memory, 'text': 'x'}]}}),
        ('DELETE', '/v1/batch/', {'json': {'memories': [{'memory_id': memory}]}}),
        ('POST', '/v1/feedback/', {'json': {'memory_id': memory, 'feedback': 'POSITIVE'}}),
        ('GET', f'/v1/event/{job}/', {}),
        ('GET', f'/memories/{memory}', {}),
        ('PUT', f'/memories/{memory}', text),
        ('DELETE', f'/memories/{memory}', {}),
        ('GET', f'/memories/{memory}/history', {}),
    ]


def test_no_id_of_others_opens_anything_to_a_key_for_one_person_or_of_another_project() -> None:
    async def asked(server: Served) -> None:
        async with server.client() as admin:
            whose: list[dict[str, Any]] = [
                {'user_id': 'ben'},
                {'agent_id': 'coach'},
                {'run_id': 'r1'},
                {'shared': True},
            ]
            theirs = [await _ids(admin, **ids) for ids in whose]
            for strange, reached in (
                (server.client('admin', user_id='ana'), theirs),
                (server.client('admin', project='other'), theirs[:1]),
            ):
                for ids in reached:
                    for method, path, further in _by_id(ids):
                        answer = await strange.request(method, path, **further)
                        assert answer.status_code == 404, (method, path, answer.status_code, answer.text)
                    for tool in ('memory_get', 'memory_history', 'memory_forget', 'memory_update'):
                        told = await _tool(strange, tool, memory_id=ids['memory'][-8:], fact='x is y')
                        assert SECRET not in told
                    decided = await strange.post('/v1/review', json={'ids': [ids['memory']], 'decision': 'approve'})
                    assert decided.json()['items'][0]['error']['status'] == 404
            for ids in theirs:
                left = (await admin.get(f'/v1/memories/{ids["memory"]}')).json()
                assert (left['status'], left['version'], left['text']) == ('active', 1, SECRET)

    _serve(asked)


async def _tool(http: httpx.AsyncClient, name: str, **arguments: Any) -> str:
    call = {'jsonrpc': '2.0', 'id': 1, 'method': 'tools/call', 'params': {'name': name, 'arguments': arguments}}
    answer = await http.post('/mcp', json=call, headers=MCP)
    assert answer.status_code == 200
    assert answer.json()['result']['isError']
    return answer.text


FILTERS: list[Any] = [
    {'OR': [{'user_id': 'ana'}, {'agent_id': 'coach'}]},
    {'NOT': [{'user_id': 'ana'}]},
    {'agent_id': 'coach'},
    {'run_id': 'r1'},
    {'user_id': '*'},
    {'AND': [{'user_id': '*'}, {'agent_id': '*'}]},
    {'user_id': {'ne': 'ana'}},
    {'metadata': {'k': 1}},
    {'metadata': {'user_id': 'ben'}},
    {'user_id': 'ben'},
    {'user_id': {'in': ['ana', 'ben']}},
    None,
]


def test_no_filter_widens_what_a_key_for_one_person_reads_even_where_wildcards_are_allowed() -> None:
    async def asked(server: Served) -> None:
        async with server.client() as admin:
            for ids in ({'user_id': 'ben'}, {'agent_id': 'coach'}, {'run_id': 'r1'}, {'shared': True}):
                await _added(admin, SECRET, metadata={'k': 1, 'user_id': 'ben'}, **ids)
        schema = {'properties': {'memories': {'type': 'array'}}}
        async with server.client('admin', user_id='ana') as ana:
            for filters in FILTERS:
                for path, further in (
                    ('/v3/memories/', {}),
                    ('/v3/memories/search/', {'query': 'plums'}),
                    ('/search', {'query': 'plums'}),
                    ('/v1/summary/', {}),
                    ('/v1/exports/', {'schema': schema}),
                ):
                    answer = await ana.post(path, json={'filters': filters, **further})
                    assert SECRET not in answer.text
                    assert answer.status_code < 500
                    if path == '/v1/exports/' and answer.status_code == 201:
                        got = await ana.post('/v1/exports/get/', json={'memory_export_id': answer.json()['id']})
                        assert SECRET not in got.text
                made_up = _token('export', {'filters': filters, 'schema': schema, 'at': '2100-01-01T00:00:00+00:00'})
                assert SECRET not in (await ana.post('/v1/exports/get/', json={'memory_export_id': made_up})).text
            for query in ('user_id=*', 'agent_id=*', 'user_id=ben', 'user_id=ana&agent_id=*'):
                assert (await ana.delete(f'/v1/memories/?{query}')).status_code in (400, 403)
                assert (await ana.delete(f'/memories?{query}')).status_code in (400, 403)
        everybody = await server.client().post('/search', json={'query': 'plums', 'top_k': 10})
        assert everybody.text.count(SECRET) == 4

    _serve(asked, fast_async(settings=Settings(server_mem0_wildcards=True)))


def _token(sort: str, content: Any) -> str:
    """An id such as the server makes them, signed by somebody else."""
    packed = zlib.compress(json.dumps(content).encode())
    code = hmac.digest(b'', packed, 'sha256')[:16]
    return f'{sort}-{base64.urlsafe_b64encode(code + packed).rstrip(b"=").decode()}'


def test_what_is_made_up_or_malformed_is_refused_and_nothing_fails() -> None:
    nobody = {'AND': [{'user_id': 'ana'}, {'user_id': 'ben'}]}

    async def asked(server: Served) -> None:
        export = {'filters': {'user_id': 'ana'}, 'at': '2100-01-01T00:00:00+00:00'}
        fields = {'properties': {'a': {'$ref': '#/$defs/a'}}}
        async with server.client() as http:
            answers = [
                await http.post('/search', json={'query': 'x', 'filters': {'user_id': 'a', 'metadata': 'x', 'k': 'y'}}),
                await http.post('/mcp', json={}, headers={**MCP, 'origin': 'http://['}),
                await http.post('/v1/exports/', json={'filters': nobody, 'schema': fields}),
                await http.post(
                    '/v1/exports/get/',
                    json={'memory_export_id': _token('export', {**export, 'filters': nobody, 'schema': fields})},
                ),
                await http.get(f'/v1/event/{_token("erasure", {"receipt": 5})}/'),
                await http.get(f'/v1/event/{_token("erasure", 5)}/'),
            ]
            assert [answer.status_code for answer in answers] == [400, 403, 400, 404, 404, 404]
            asked_for = {'filters': {'user_id': 'ana'}, 'schema': {**fields, '$defs': [1]}}
            made = (await http.post('/v1/exports/', json=asked_for)).json()['id']
            assert (await http.post('/v1/exports/get/', json={'memory_export_id': made})).json() == {'a': None}

    _serve(asked, fast_async(settings=Settings(server_mem0_wildcards=True)))


def test_a_body_is_looked_through_whatever_its_type_says() -> None:
    async def asked(server: Served) -> None:
        twice = b'{"query": "x", "user_id": "ana", "user_id": "ben"}'
        listed = b'{"filters": {"user_id": "ana"}, "filters": {"user_id": "ben"}}'
        types = [('content-type', 'application/json'), ('content-type', 'text/plain')]
        async with server.client('reader') as http:
            for headers in (types, types[::-1], types[:1]):
                answer = await http.post('/v1/search', content=twice, headers=headers)
                assert (answer.status_code, 'twice' in answer.text) == (400, True)
            for kind in ('text/plain', 'application/x-www-form-urlencoded', 'application/json'):
                answer = await http.post('/v3/memories/', content=listed, headers={'content-type': kind})
                assert (answer.status_code, 'twice' in answer.text) == (400, True)
                wide = listed.decode().encode('utf-16')
                answer = await http.post('/v3/memories/', content=wide, headers={'content-type': kind})
                assert answer.status_code == 400

    _serve(asked)


def test_text_without_an_end_is_passed_over_once() -> None:
    # Each of these quotes could begin a text: looking at the rest for every one of them would take a day.
    check_body(b'"' + b'\\"' * 1_000_000, 40)


def test_many_thousand_mistakes_are_answered_in_a_few_words() -> None:
    many = 20_000

    async def asked(server: Served) -> None:
        unknown = {f'k{number}': 1 for number in range(many)}
        texts = [{'role': 'user', 'content': [1] * many}]
        said = [{'role': 'user', 'content': 'a'}] * 10_001
        one = {'jsonrpc': '2.0', 'id': 1, 'method': 'tools/call'}
        async with server.client('writer') as http:
            for path, body in (
                ('/v1/search', {'query': 'x', 'user_id': 'ana', **unknown}),
                ('/v1/memories', {'messages': texts, 'user_id': 'ana'}),
                ('/v1/memories', {'messages': [{f'k{n}': 1 for n in range(200)}] * 100, 'user_id': 'ana'}),
                ('/v3/memories/', {'filters': {'AND': [{'user_id': 'ana'}] * many}}),
                ('/v3/memories/', {'filters': {'AND': [{'user_id': 'ana'}, {'created_at': {'in': ['2026'] * many}}]}}),
                ('/v3/memories/add/', {'messages': said, 'user_id': 'ana'}),
                ('/mcp', {**one, 'params': {'name': 'memory_search', 'arguments': unknown}}),
            ):
                answer = await http.post(path, json=body, headers=MCP)
                assert answer.status_code in ((200,) if path == '/mcp' else (400, 422)), path
                assert len(answer.content) < 2_000, path

    _serve(asked)


def test_erasing_a_user_with_a_slash_too_many_is_no_erasure() -> None:
    async def asked(server: Served) -> None:
        async with server.client() as http:
            await _added(http, SECRET, user_id='ana')
            assert (await http.delete('/v1/subjects/ana/')).status_code == 404
            assert (await http.delete('/v1/subjects/ana%2F')).json()['counts']['memories'] == 0
            assert (await http.delete('/v1/subjects/ana')).json()['counts']['memories'] == 1

    _serve(asked)


def test_the_key_of_an_erased_user_ends_with_the_user_at_once_and_leaves_nothing() -> None:
    with tempfile.TemporaryDirectory() as folder:
        memory = fast_async(Path(folder) / 'm.db')

        async def asked(server: Served) -> None:
            made = await memory.keys.create('phone of zoezoe', role='writer', user_id='zoezoe')
            async with server.client(None, headers={'X-API-Key': made.secret}) as phone, server.client() as admin:
                headers = {'Idempotency-Key': 'order-zoezoe'}
                said = {'messages': 'I play the xylophone', 'infer': False}
                added = (await phone.post('/v1/memories', json=said, headers=headers)).json()
                id_ = added['changes'][0]['after']['id']
                reason = {'memory_id': id_, 'feedback': 'NEGATIVE', 'feedback_reason': 'no xylophone'}
                assert (await phone.post('/v1/feedback/', json=reason)).status_code == 200
                assert (await admin.delete('/v1/subjects/zoezoe')).status_code == 200
                assert (await phone.post('/v1/memories', json=said, headers=headers)).status_code == 401
                assert await memory.keys.list(include_ended=True) == []

        _serve(asked, memory)
        held = b''.join(file.read_bytes() for file in Path(folder).iterdir())
        assert b'zoezoe' not in held
        assert b'xylophone' not in held


class Slow(Grammar):
    """Answers when it is let."""

    def __init__(self) -> None:
        self.let = threading.Event()

    def propose(self, request: ExtractionRequest) -> Extraction:
        self.let.wait(60)
        return super().propose(request)


def test_a_key_follows_only_so_many_jobs_at_the_same_time() -> None:
    slow = Slow()
    memory = fast_async(extractor=slow, settings=Settings(server_key_concurrency=1))

    async def asked(server: Served) -> None:
        receipt = await memory.add('I like tea', user_id='ana', background=True)
        path = f'/v1/jobs/{receipt.job_id}/events'
        async with server.client('reader') as http, asyncio.timeout(30):
            begun, gone = asyncio.Event(), asyncio.Event()
            following = asyncio.create_task(_follow(server, path, begun, gone))
            await begun.wait()
            assert (await http.get(path)).status_code == 429
            gone.set()
            await following
            slow.let.set()
            assert 'event: end' in (await http.get(path)).text

    _serve(asked, memory)


async def _follow(server: Served, path: str, begun: asyncio.Event, gone: asyncio.Event) -> None:
    sent = iter([{'type': 'http.request', 'body': b'', 'more_body': False}])

    async def receive() -> Any:
        message = next(sent, None)
        if message is None:
            await gone.wait()
        return message or {'type': 'http.disconnect'}

    async def send(message: Any) -> None:
        if message.get('body'):
            begun.set()

    await server.app(
        {
            'type': 'http',
            'asgi': {'version': '3.0', 'spec_version': '2.3'},
            'http_version': '1.1',
            'method': 'GET',
            'path': path,
            'raw_path': path.encode(),
            'root_path': '',
            'query_string': b'',
            'scheme': 'http',
            'headers': [(b'host', b'testserver'), (b'x-api-key', server.key('reader').encode())],
            'client': ('127.0.0.1', 1),
            'server': ('testserver', 80),
            'state': {},
        },
        receive,
        send,
    )


def _serve(asked: Any, memory: AsyncMemory | None = None) -> None:
    async def run() -> None:
        async with serving(memory) as server:
            await asked(server)

    asyncio.run(run())
