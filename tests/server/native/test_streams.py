"""Answers that are sent while something goes on."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from _fakes import Grammar, fast_async
from memoranda.keys import NewKey, make_key
from memoranda.server.app import create_app
from memoranda.write.extract import Extraction, ExtractionRequest


class Slow(Grammar):
    """Answers when it is let."""

    def __init__(self) -> None:
        self.begun, self.let = threading.Event(), threading.Event()

    def propose(self, request: ExtractionRequest) -> Extraction:
        self.begun.set()
        self.let.wait(60)
        return super().propose(request)


class Request:
    """One request to an application in this loop, of whose answer every part is seen when it is sent."""

    def __init__(self, app: FastAPI, key: NewKey, path: str, query: str = '') -> None:
        self.status = 0
        self.parts: asyncio.Queue[bytes] = asyncio.Queue()
        self.gone = asyncio.Event()
        self._messages: Iterator[dict[str, Any]] = iter([{'type': 'http.request', 'body': b'', 'more_body': False}])
        headers = [(b'host', b'memory.test'), (b'authorization', f'Bearer {key.secret}'.encode())]
        scope = {
            'type': 'http',
            'asgi': {'version': '3.0', 'spec_version': '2.3'},
            'http_version': '1.1',
            'method': 'GET',
            'path': path,
            'raw_path': path.encode(),
            'root_path': '',
            'query_string': query.encode(),
            'scheme': 'http',
            'headers': headers,
            'client': ('127.0.0.1', 1),
            'server': ('memory.test', 80),
            'state': {},
        }
        self.done = asyncio.ensure_future(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        message = next(self._messages, None)
        if message is None:
            await self.gone.wait()
            return {'type': 'http.disconnect'}
        return message

    async def _send(self, message: Any) -> None:
        if message['type'] == 'http.response.start':
            self.status = message['status']
        if message['type'] == 'http.response.body':
            self.parts.put_nowait(message.get('body', b''))

    async def until(self, words: bytes) -> bytes:
        """The part that holds these words."""
        while words not in (part := await self.parts.get()):
            pass
        return part


async def run(*, leaving: bool) -> None:
    slow = Slow()
    memory = fast_async(extractor=slow)
    key = make_key('default', name='docs', role='reader')
    app = create_app(memory, keys=[key], parts=('memoranda.server.native',))
    async with app.router.lifespan_context(app):
        receipt = await memory.add('I like tea', user_id='ana', background=True)
        request = Request(app, key, f'/v1/jobs/{receipt.job_id}/events')
        async with asyncio.timeout(60):
            assert b'"changes":[]' in await request.until(b'event: status')
            if leaving:
                request.gone.set()
                await request.done
            slow.let.set()
            if not leaving:
                assert b'I like tea' in await request.until(b'event: end')
                await request.done
            assert (await receipt.wait()).status == 'done'


def test_a_stream_tells_how_far_a_job_is_and_then_its_end() -> None:
    asyncio.run(run(leaving=False))


def test_a_stream_ends_when_nobody_listens_and_the_job_goes_on() -> None:
    asyncio.run(run(leaving=True))


def test_a_stream_ends_with_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('memoranda.server.native.jobs._LOOK', 0.01)

    async def main() -> None:
        slow = Slow()
        memory = fast_async(extractor=slow)
        app = create_app(memory, parts=('memoranda.server.native',))
        async with app.router.lifespan_context(app), asyncio.timeout(60):
            key, other = await memory.keys.create('app'), await memory.keys.create('other')
            job = f'/v1/jobs/{(await memory.add("I like tea", user_id="ana", background=True)).job_id}'
            streams = [Request(app, one, f'{job}/events') for one in (key, other)]
            waiting = Request(app, key, job, 'wait=30')
            for stream in streams:
                await stream.until(b'event: status')
            for stream in streams:
                await stream.until(b':')  # the next look at it finds nothing new
            await memory.keys.revoke(key.key.id)
            told = await streams[0].until(b'event: error')
            assert json.loads(told.partition(b'data: ')[2])['status'] == 401
            await streams[0].done
            slow.let.set()
            assert b'I like tea' in await streams[1].until(b'event: end')
            await asyncio.gather(streams[1].done, waiting.done)
            assert waiting.status == 401
            assert b'tea' not in await waiting.parts.get()

    asyncio.run(main())
