"""With a model that is asked over HTTP, what is sent is what a provider would get."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic_ai import Agent

from _capability import Deps, of_the_user, run
from _fakes import fast_async
from memoranda.agents import LongTermMemory

pytest.importorskip('openai')

from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


@contextmanager
def provider(requests: list[dict[str, Any]]) -> Generator[str]:
    """An endpoint for chat completions that says `ok` to everything; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            requests.append(json.loads(self.rfile.read(int(self.headers['Content-Length']))))
            choice = {'index': 0, 'finish_reason': 'stop', 'message': {'role': 'assistant', 'content': 'ok'}}
            answer = {'id': 'c1', 'object': 'chat.completion', 'created': 1, 'model': 'stub', 'choices': [choice]}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f'http://127.0.0.1:{server.server_port}/v1'
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_second_conversation_knows_the_first_and_another_user_does_not() -> None:
    requests: list[dict[str, Any]] = []

    async def main(address: str) -> None:
        model = OpenAIChatModel('stub', provider=OpenAIProvider(base_url=address, api_key='none'))
        async with model, fast_async() as memory:
            agent = Agent(model, deps_type=Deps, capabilities=[LongTermMemory(memory, scope=of_the_user)])
            await agent.run('I live in Lisbon', deps=Deps('ana'))
            await memory.flush()
            first = await agent.run('Which city do I live in?', deps=Deps('ana'))
            await agent.run('And how is it?', deps=Deps('ana'), message_history=first.all_messages())
            await agent.run('Which city do I live in?', deps=Deps('bob'))

    with provider(requests) as address:
        run(main(address))
    said = [[json.dumps(m) for m in request['messages']] for request in requests]
    assert ['- I live in Lisbon (' in ''.join(messages) for messages in said] == [False, True, True, False]
    assert said[2][: len(said[1])] == said[1]
    assert all(messages[0] == said[0][0] for messages in said)  # the instructions
