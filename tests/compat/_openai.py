"""A server on this machine that speaks OpenAI's protocol: chat with tools, and embeddings."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DIMENSIONS = 64


@dataclass
class OpenAI:
    """What it answers, and what it was asked."""

    fact: str = 'Is a vegetarian'
    quote: str = 'vegetarian'
    text: str = 'Task: compare prices. Opened shop.example: 3 prices, 9 to 14 EUR. Left: the table.'
    status: int = 200
    asked: list[dict[str, Any]] = field(default_factory=list)
    """Path, Authorization header and body of each request."""

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """What one path was asked."""
        return [one['body'] for one in self.asked if one['path'] == path]

    def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        """A fact where the shape of an answer is given as a tool, else some words."""
        message: dict[str, Any] = {'role': 'assistant', 'content': self.text}
        if body.get('tools'):
            answer = {'operations': [{'op': 'add', 'text': self.fact, 'evidence': [self._evidence()]}]}
            name = body['tools'][0]['function']['name']
            call = {'id': 'c1', 'type': 'function', 'function': {'name': name, 'arguments': json.dumps(answer)}}
            message = {'role': 'assistant', 'content': None, 'tool_calls': [call]}
        choice = {'index': 0, 'finish_reason': 'stop', 'message': message}
        usage = {'prompt_tokens': 1, 'completion_tokens': 1, 'total_tokens': 2}
        return {
            'id': 'x', 'object': 'chat.completion', 'created': 1, 'model': 'm', 'choices': [choice], 'usage': usage,
        }  # fmt: skip

    def _evidence(self) -> dict[str, Any]:
        return {'message': 1, 'quote': self.quote}


def vector(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Texts that share words are close."""
    found = [0.001] * dimensions
    for word in re.findall(r'\w+', text.lower()):
        found[hashlib.sha256(word.encode()).digest()[0] % dimensions] += 1.0
    return found


def _embeddings(body: dict[str, Any]) -> dict[str, Any]:
    texts = [body['input']] if isinstance(body['input'], str) else body['input']
    size = body.get('dimensions') or DIMENSIONS
    data = [{'object': 'embedding', 'index': i, 'embedding': vector(text, size)} for i, text in enumerate(texts)]
    return {'object': 'list', 'data': data, 'model': 'm', 'usage': {'prompt_tokens': 1, 'total_tokens': 1}}


@contextmanager
def serving(server: OpenAI) -> Iterator[str]:
    """Its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'

        def log_message(self, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get('Content-Length') or 0)))
            path = '/' + '/'.join(self.path.partition('?')[0].split('/')[-2:])  # whatever stands before it
            path = path.replace('/v1/embeddings', '/embeddings')
            server.asked.append({'path': path, 'key': self.headers.get('Authorization'), 'body': body})
            found = server.chat(body) if path == '/chat/completions' else _embeddings(body)
            text = json.dumps(found if server.status == 200 else {'error': {'message': 'no'}}).encode()
            self.send_response(server.status)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Content-Length', str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    http = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={'poll_interval': 0.01})
    thread.start()
    try:
        yield f'http://127.0.0.1:{http.server_port}/v1'
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
