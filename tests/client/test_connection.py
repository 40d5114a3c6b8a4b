"""What goes over the wire: addresses, keys, errors, retries, and how large an answer may be."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import traceback
from typing import Any

import httpx2
import pytest

from _client import URL, Breakable, Remote, remote
from _fakes import fast_async, subprocess_environment
from memoranda import (
    AsyncClient,
    Client,
    ConfigurationError,
    Conflict,
    InvalidFilter,
    InvalidInput,
    InvalidScope,
    KeyRefused,
    MemorandaError,
    MemoryNotFound,
    NotAllowed,
    ProcessingFailed,
    RateLimited,
    Scope,
    StoreError,
    StoreFull,
    StoreUnreachable,
)
from memoranda.errors import VersionMismatch

KEY = 'mk_very_secret_key_0123456789'


@pytest.mark.parametrize(
    'url',
    [
        'memory.example',
        'ftp://memory.example',
        'https://',
        'https://ana:secret@memory.example',
        'https://memory.example/?key=secret',
        'https://memory.example:port',
        'http://memory.example',
        'http://10.0.0.1:8080',
        'http://localhost.example',
        '',
    ],
)
def test_an_address_that_would_give_the_key_away_or_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        AsyncClient(url, api_key=KEY)
    assert 'secret' not in str(caught.value)


@pytest.mark.parametrize('url', ['http://127.0.0.1:1', 'http://[::1]:1', 'http://localhost', 'https://memory.example/'])
def test_this_machine_and_https_are_fine(url: str) -> None:
    assert AsyncClient(url, api_key=KEY).location == url.rstrip('/')


@pytest.mark.parametrize('path', ['v1', 'v1/', 'memory/mcp'])
def test_an_address_that_names_a_path_of_the_server_is_refused(path: str) -> None:
    # Else each call would get 404, and an agent would go on as if nothing were known.
    with pytest.raises(ConfigurationError, match='is a path of the server: leave it out'):
        AsyncClient(f'https://memory.example/{path}', api_key=KEY)


def test_clear_text_over_a_network_can_be_allowed() -> None:
    assert AsyncClient('http://memory.example', api_key=KEY, allow_http=True).location == 'http://memory.example'


def test_address_and_key_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('MEMORANDA_URL', raising=False)
    monkeypatch.delenv('MEMORANDA_API_KEY', raising=False)
    with pytest.raises(ConfigurationError, match='MEMORANDA_URL'):
        AsyncClient(api_key=KEY)
    with pytest.raises(ConfigurationError, match='MEMORANDA_API_KEY'):
        AsyncClient('https://memory.example')
    monkeypatch.setenv('MEMORANDA_URL', 'https://memory.example')
    monkeypatch.setenv('MEMORANDA_API_KEY', KEY)
    assert Client().location == 'https://memory.example'


@pytest.mark.parametrize(
    'arguments',
    [
        {'timeout': 0},
        {'timeout': 'long'},
        {'retries': -1},
        {'errors': 'ignore'},
        {'degrade_seconds': float('inf')},
        {'max_answer_bytes': 1},
        {'api_key': 'two words'},
        {'api_key': 'line\nbreak'},
    ],
)
def test_arguments_that_can_not_be_used_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises((ConfigurationError, InvalidInput)) as caught:
        AsyncClient(URL, **{'api_key': KEY, **arguments})
    assert 'line\nbreak' not in str(caught.value)


def test_the_key_is_in_no_repr_log_or_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def refused(request: httpx2.Request) -> httpx2.Response:
        assert request.headers['Authorization'] == f'Bearer {KEY}'
        return httpx2.Response(401, json={'status': 401, 'detail': 'no valid API key'})

    async def main() -> None:
        async with AsyncClient(URL, api_key=KEY, transport=httpx2.MockTransport(refused)) as client:
            told = [repr(client), str(client), repr(client.scoped(Scope(user_id='ana'))), repr(vars(client))]
            told += [repr(client._shared.wire), repr(vars(client.review))]
            with pytest.raises(KeyRefused) as caught:
                await client.get('1', user_id='ana')
            told += ['\n'.join(traceback.format_exception(caught.value)), repr(caught.value)]
            assert KEY not in '\n'.join(told)

    asyncio.run(main())
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ('status', 'kind', 'expected'),
    [
        (400, 'about:blank', InvalidInput),
        (401, 'about:blank', KeyRefused),
        (403, 'about:blank', NotAllowed),
        (404, 'urn:memoranda:MemoryNotFound', MemoryNotFound),
        (409, 'urn:memoranda:Conflict', Conflict),
        (412, 'urn:memoranda:VersionMismatch', VersionMismatch),
        (412, 'about:blank', VersionMismatch),
        (422, 'urn:memoranda:InvalidFilter', InvalidFilter),
        (422, 'urn:memoranda:__class__', InvalidInput),
        (422, 'urn:memoranda:shown', InvalidInput),
        (429, 'about:blank', RateLimited),
        (500, 'about:blank', StoreError),
        (502, 'urn:memoranda:ProcessingFailed', ProcessingFailed),
        (503, 'about:blank', StoreUnreachable),
        (507, 'urn:memoranda:StoreFull', StoreFull),
        (418, 'https://elsewhere/x', InvalidInput),
    ],
)
def test_a_problem_becomes_the_exception_it_stands_for(status: int, kind: str, expected: type[MemorandaError]) -> None:
    problem = {'type': kind, 'status': status, 'title': 'x', 'detail': 'it is so', 'incident': 'i1'}

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, json=problem, headers={'Content-Type': 'application/problem+json'})

    async def main() -> None:
        transport = httpx2.MockTransport(answer)
        async with AsyncClient(URL, api_key=KEY, retries=0, errors='raise', transport=transport) as client:
            with pytest.raises(expected, match='it is so') as caught:
                await client.get('1', user_id='ana')
            assert type(caught.value) is expected
            assert 'incident i1' in str(caught.value)

    asyncio.run(main())


@pytest.mark.parametrize(
    'answer',
    [
        httpx2.Response(404, html='<h1>nothing here</h1>'),
        httpx2.Response(200, html='<h1>welcome</h1>'),
        httpx2.Response(200, json={'id': 1}),
        httpx2.Response(301, headers={'Location': 'https://elsewhere.example'}),
        httpx2.Response(500, content=b'{"a":'),
        httpx2.Response(403, content=b'[' * 100_000, headers={'Content-Type': 'application/json'}),
    ],
    ids=['a page', 'a page that is fine', 'other JSON', 'elsewhere', 'half an answer', 'nested'],
)
def test_what_is_no_server_of_ours_is_told_apart_from_nothing_found(answer: httpx2.Response) -> None:
    async def main() -> None:
        transport = httpx2.MockTransport(lambda _: answer)
        async with AsyncClient(URL, api_key=KEY, retries=0, transport=transport) as client:
            with pytest.raises(StoreError):
                await client.get('1', user_id='ana')

    asyncio.run(main())


def test_the_server_answers_as_the_memory_would() -> None:
    async def main() -> None:
        async with remote() as at, at.client() as client:
            record = (await client.add('likes tea', user_id='ana')).memories[0]
            with pytest.raises(MemoryNotFound):
                await client.get(record.id, user_id='bo')
            with pytest.raises(MemoryNotFound):
                await at.client(project='other').project_wide().get(record.id)
            with pytest.raises(InvalidScope):
                await client.get(record.id)
            with pytest.raises(InvalidScope):
                await client.scoped(Scope(user_id='ana')).get(record.id, user_id='bo')
            with pytest.raises(InvalidFilter):
                await client.search('tea', user_id='ana', filters={'nothing': 1})
            with pytest.raises(InvalidInput):
                await client.add('x', user_id='ana', metadata={'a': float('nan')})
            with pytest.raises(InvalidInput):
                await client.add('x', user_id='ana', metadata={'a': object()})
            with pytest.raises(VersionMismatch):
                await client.update(record.id, text='y', if_version=7, user_id='ana')
            with pytest.raises(VersionMismatch):
                await client.delete(record.id, if_version=7, user_id='ana')
            with pytest.raises(NotAllowed):
                await at.client('reader').add('x', user_id='ana')
            with pytest.raises(NotAllowed):
                await at.client('reader', user_id='ana').get_all(user_id='bo')
            with pytest.raises(KeyRefused):
                await at.client(api_key='unknown').get_all(user_id='ana')
            for odd in ('../../me', '..', 'a/b', '?x=1', '%2e', 'ü'):
                with pytest.raises(MemoryNotFound):
                    await client.project_wide().get(odd)

    asyncio.run(main())


def test_a_request_that_is_put_off_is_sent_again_if_the_server_asks_for_no_more_time_than_there_is() -> None:
    async def main() -> None:
        async with remote() as at:
            client = at.client(timeout=20)
            refused = {'status': 429, 'detail': 'wait'}
            at.wire.answers = [
                httpx2.Response(429, json=refused, headers={'Retry-After': '0'}),
                httpx2.Response(503, json={'status': 503, 'detail': 'busy'}),
                httpx2.Response(504, content=b'nobody is there'),
            ]
            assert (await client.get_all(user_id='ana')).items == ()
            assert len(at.wire.sent) == 4
            at.wire.answers = [httpx2.Response(429, json=refused, headers={'Retry-After': '30'})]
            with pytest.raises(RateLimited):
                await client.get_all(user_id='ana')
            at.wire.answers = [httpx2.Response(503, json={'status': 503}) for _ in range(3)]
            with pytest.raises(StoreUnreachable):
                await at.client(retries=2).get_all(user_id='ana')
            assert at.wire.answers == []

    asyncio.run(main())


def test_an_add_whose_answer_was_lost_is_sent_again_and_done_once() -> None:
    async def main() -> None:
        async with remote() as at, at.client() as client:
            at.wire.answers = [httpx2.ReadError('gone')]
            added = await client.add('likes tea', user_id='ana')
            assert added.replayed
            sent = at.wire.requests('/v1/memories')
            assert len({request.headers['Idempotency-Key'] for request in sent}) == 1
            assert len(sent) == 2
            assert len((await at.memory.episodes(user_id='ana')).items) == 1

    asyncio.run(main())


def test_what_may_have_been_done_is_not_sent_again() -> None:
    async def main() -> None:
        async with remote() as at, at.client() as client:
            record = (await client.add('likes tea', user_id='ana')).memories[0]
            at.wire.answers = [httpx2.ReadError('gone')]
            before = len(at.wire.sent)
            with pytest.raises(StoreUnreachable):
                await client.delete(record.id, user_id='ana')
            assert len(at.wire.sent) == before + 1
            at.wire.answers = [httpx2.Response(503, json={'status': 503})]
            with pytest.raises(StoreUnreachable):
                await client.revert('x', user_id='ana')

    asyncio.run(main())


def test_an_answer_that_is_too_large_is_refused_and_one_that_never_ends_too() -> None:
    class Endless(httpx2.AsyncByteStream):
        async def __aiter__(self) -> Any:
            while True:
                yield b' ' * 65_536

    async def main() -> None:
        transport = httpx2.MockTransport(lambda _: httpx2.Response(200, stream=Endless()))
        async with AsyncClient(URL, api_key=KEY, transport=transport, max_answer_bytes=1 << 20) as client:
            with pytest.raises(StoreError, match='1,048,576 bytes'):
                await client.get('1', user_id='ana')

    asyncio.run(main())


def test_a_server_that_does_not_answer_is_waited_for_as_long_as_the_timeout_says() -> None:
    async def never(_: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def main() -> None:
        async with AsyncClient(URL, api_key=KEY, transport=httpx2.MockTransport(never), timeout=0.05) as client:
            with pytest.raises(StoreUnreachable, match=r'0\.05 s'):
                await client.get('1', user_id='ana')

    asyncio.run(main())


def test_the_blocking_client_works_in_threads_and_inside_a_running_loop() -> None:
    async def main() -> None:
        async with remote() as at:
            client = Client(URL, api_key=at.server.key('admin'), transport=at.wire)

            def work(number: int) -> None:
                client.add(f'fact {number}', user_id=f'u{number}', infer=False)

            threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                await asyncio.to_thread(thread.join)
            # On the loop's own thread: the application answers on the client's.
            assert client.add('likes tea', user_id='ana', background=True).result(30).status == 'done'
            found = [len(client.get_all(user_id=f'u{number}')) for number in range(8)]
            assert found == [1] * 8
            assert client.review.list(user_id='ana').items == ()
            client.close()
            assert client.search('tea', user_id='ana')[0].text == 'likes tea'  # it opens again
            client.close()

    asyncio.run(main())


def test_a_client_may_be_used_by_one_event_loop_after_another() -> None:
    opened: list[Remote] = []

    async def serve(ready: threading.Event, done: asyncio.Event) -> None:
        async with remote(fast_async()) as at:
            opened.append(at)
            ready.set()
            await done.wait()

    ready, held = threading.Event(), {}

    def host() -> None:
        async def main() -> None:
            held['loop'], held['done'] = asyncio.get_running_loop(), asyncio.Event()
            await serve(ready, held['done'])

        asyncio.run(main())

    thread = threading.Thread(target=host)
    thread.start()
    assert ready.wait(30)
    client = opened[0].client()
    try:
        asyncio.run(client.add('likes tea', user_id='ana'))
        assert len(asyncio.run(client.get_all(user_id='ana'))) == 1
        asyncio.run(client.close())
    finally:
        held['loop'].call_soon_threadsafe(held['done'].set)
        thread.join(30)


def test_closing_leaves_no_thread_behind() -> None:
    async def main() -> None:
        async with remote() as at:
            async with at.client() as client:
                await client.get_all(user_id='ana')
                assert any(t.name == 'memoranda-client' for t in threading.enumerate())
            assert not any(t.name == 'memoranda-client' for t in threading.enumerate())

    asyncio.run(main())


def test_a_transport_is_shared_by_all_views() -> None:
    async def main() -> None:
        async with remote() as at, at.client() as client:
            view = client.scoped(Scope(user_id='ana'))
            await view.add('likes tea')
            assert [m.text for m in await view.get_all()] == ['likes tea']
            assert view.bound_to == Scope(user_id='ana')
            assert isinstance(at.wire, Breakable)

    asyncio.run(main())


def test_importing_the_client_loads_neither_httpx2_nor_the_server() -> None:
    code = (
        'import sys, memoranda; from memoranda import AsyncClient, Client\n'
        "print([m for m in ('httpx2', 'fastapi', 'memoranda.server.native.models') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, '-c', code], env=subprocess_environment(), capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == '[]'
