"""Stand-ins for Mem0: a server with its wire protocol, and clients with its signatures."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
IDS = ('user_id', 'agent_id', 'run_id')


class NotFound(Exception):
    """Answered as 404."""


class Shelf:
    """Memories of everybody, as a server keeps them."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.leaks = False
        """Whether it takes no notice of filters, as stores of Mem0 have done."""
        self._number = itertools.count(1)

    def add(self, messages: list[dict[str, str]], fields: dict[str, Any]) -> list[dict[str, Any]]:
        added: list[dict[str, Any]] = []
        for message in messages:
            number = next(self._number)
            at = (BEGAN + timedelta(days=number)).isoformat()
            row = {
                'id': f'm{number}',
                'memory': message['content'],
                'metadata': fields.get('metadata'),
                'created_at': at,
            }
            self.rows[row['id']] = row | {name: fields[name] for name in IDS if name in fields}
            added.append({'id': row['id'], 'memory': message['content'], 'event': 'ADD'})
        return added

    def find(self, filters: dict[str, Any], query: str | None = None) -> list[dict[str, Any]]:
        wanted = dict(filters)
        metadata = {k: wanted.pop(k) for k in list(wanted) if k not in (*IDS, 'metadata')} | wanted.pop('metadata', {})
        found = [
            row
            for row in self.rows.values()
            if self.leaks
            or (
                all(row.get(k) == v for k, v in wanted.items())
                and all((row['metadata'] or {}).get(k) == v for k, v in metadata.items())
            )
        ]
        if query is None:
            return found
        words = set(re.findall(r'\w+', query.lower()))
        scored = [{**r, 'score': len(words & set(r['memory'].lower().split())) / len(words)} for r in found]
        return sorted(scored, key=lambda r: -r['score'])

    def get(self, memory_id: str) -> dict[str, Any]:
        if memory_id not in self.rows:
            raise NotFound(memory_id)
        return self.rows[memory_id]

    def delete(self, memory_id: str) -> dict[str, Any]:
        self.get(memory_id)
        del self.rows[memory_id]
        return {'message': 'Memory deleted successfully!'}


class MemoryNotFoundError(Exception):
    """As the hosted clients raise it."""


class MemoryClient:
    """The blocking client of the hosted service."""

    def __init__(self, api_key: str | None = None, host: str | None = None, shelf: Shelf | None = None) -> None:
        self.api_key, self.host = api_key, host
        self.shelf = shelf or Shelf()

    def _note(self, method: str, fields: dict[str, Any]) -> None:
        self.shelf.asked.append((method, fields))

    def add(self, messages: Any, options: Any = None, **kwargs: Any) -> Any:
        self._note('add', {'messages': messages, **kwargs})
        added = self.shelf.add(messages, kwargs)
        if kwargs.get('infer', True):
            return {'message': 'queued', 'status': 'PENDING', 'event_id': 'e1'}
        named = [{'id': row['id'], 'data': {'memory': row['memory']}, 'event': 'ADD'} for row in added]
        return {'status': 'SUCCEEDED', 'event_id': 'e1', 'results': named}

    def search(self, query: str, options: Any = None, **kwargs: Any) -> Any:
        assert not set(IDS) & kwargs.keys(), 'as the real one: ids belong into filters'
        self._note('search', {'query': query, **kwargs})
        return {'results': self.shelf.find(kwargs['filters'], query)[: kwargs['top_k']]}

    def get_all(self, options: Any = None, **kwargs: Any) -> Any:
        self._note('get_all', kwargs)
        found = [
            {**{k: v for k, v in row.items() if k != 'run_id'}, 'session_id': row.get('run_id')}
            for row in self.shelf.find(kwargs['filters'])
        ]
        begin = (kwargs['page'] - 1) * kwargs['page_size']
        more = len(found) > begin + kwargs['page_size']
        page = found[begin : begin + kwargs['page_size']]
        return {'count': len(found), 'next': 'more' if more else None, 'previous': None, 'results': page}

    def get(self, memory_id: str) -> Any:
        try:
            return self.shelf.get(memory_id)
        except NotFound as error:
            raise MemoryNotFoundError(f'no {memory_id}') from error

    def delete(self, memory_id: str, delete_linked: bool = False) -> Any:
        try:
            return self.shelf.delete(memory_id)
        except NotFound as error:
            raise MemoryNotFoundError(f'no {memory_id}') from error


class AsyncMemoryClient(MemoryClient):
    """The other one."""

    async def add(self, messages: Any, options: Any = None, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return super().add(messages, options, **kwargs)

    async def search(self, query: str, options: Any = None, **kwargs: Any) -> Any:
        return super().search(query, options, **kwargs)

    async def get_all(self, options: Any = None, **kwargs: Any) -> Any:
        return super().get_all(options, **kwargs)

    async def get(self, memory_id: str) -> Any:
        return super().get(memory_id)

    async def delete(self, memory_id: str, delete_linked: bool = False) -> Any:
        return super().delete(memory_id, delete_linked)


class Memory:
    """The open-source library, blocking."""

    made: Any = None

    def __init__(self, config: Any = None, shelf: Shelf | None = None) -> None:
        self.config, self.shelf = config, shelf or Shelf()
        self.closed = False

    @classmethod
    def from_config(cls, config_dict: dict[str, Any]) -> Any:
        cls.made = cls(config_dict)
        return cls.made

    def add(
        self,
        messages: Any,
        *,
        user_id: str | None = None,
        agent_id: str | None = None,
        run_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        infer: bool = True,
    ) -> Any:
        given = {'user_id': user_id, 'agent_id': agent_id, 'run_id': run_id, 'metadata': metadata}
        self.shelf.asked.append(('add', {'messages': messages, 'infer': infer}))
        return {'results': self.shelf.add(messages, {k: v for k, v in given.items() if v is not None})}

    def search(self, query: str, *, top_k: int = 20, filters: Any = None, threshold: float = 0.1) -> Any:
        if not set(IDS) & filters.keys():
            raise ValueError('filters must contain at least one of: user_id, agent_id, run_id')
        self.shelf.asked.append(('search', {'query': query, 'filters': filters, 'threshold': threshold}))
        return {'results': self.shelf.find(filters, query)[:top_k]}

    def get_all(self, *, filters: Any = None, top_k: int = 20) -> Any:
        return {'results': self.shelf.find(filters)[::-1][:top_k]}  # in no order of its own

    def get(self, memory_id: str) -> Any:
        return self.shelf.rows.get(memory_id)

    def delete(self, memory_id: str) -> Any:
        try:
            return self.shelf.delete(memory_id)
        except NotFound as error:
            raise ValueError(f'Memory with id {memory_id} not found') from error

    def close(self) -> None:
        self.closed = True


class AsyncMemory(Memory):
    """The other one."""

    async def add(self, messages: Any, **kwargs: Any) -> Any:
        return super().add(messages, **kwargs)

    async def search(self, query: str, **kwargs: Any) -> Any:
        return super().search(query, **kwargs)

    async def get_all(self, **kwargs: Any) -> Any:
        return super().get_all(**kwargs)

    async def get(self, memory_id: str) -> Any:
        return super().get(memory_id)

    async def delete(self, memory_id: str) -> Any:
        return super().delete(memory_id)


def route(shelf: Shelf, method: str, target: str, headers: Any, body: Any) -> Any:
    """What the hosted service answers."""
    fake = MemoryClient(shelf=shelf)
    path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
    if path.endswith('/embeddings'):
        return embeddings(body)
    if headers['Authorization'] != 'Token secret-key':
        raise PermissionError('bad key')
    if path == '/v1/ping/':
        shelf.asked.append(('ping', {}))
        return {'status': 'ok', 'org_id': 'o', 'project_id': 'p', 'user_email': ''}
    if path == '/v3/memories/add/':
        return fake.add(body.pop('messages'), **body)
    if path == '/v3/memories/search/':
        return fake.search(body.pop('query'), **body)
    if path == '/v3/memories/':
        return fake.get_all(**body, page=int(query['page'][0]), page_size=int(query['page_size'][0]))
    memory_id = path.removeprefix('/v1/memories/').strip('/')
    return fake.get(memory_id) if method == 'GET' else fake.delete(memory_id)


def open_route(shelf: Shelf, method: str, target: str, headers: Any, body: Any) -> Any:
    """What the open-source server answers."""
    library = Memory(shelf=shelf)
    path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
    if path.startswith('/v1/'):
        raise LookupError(path)
    if headers['X-API-Key'] != 'secret-key':
        raise PermissionError('bad key')
    if path == '/search':
        return library.search(**body)
    if path == '/memories' and method == 'POST':
        return library.add(**body)
    if path == '/memories':
        ids = {name: query[name][0] for name in IDS if name in query}
        return library.get_all(filters=ids, top_k=int(query['top_k'][0]))
    memory_id = path.removeprefix('/memories/')
    return library.get(memory_id) if method == 'GET' else library.delete(memory_id)


@contextmanager
def serving(shelf: Shelf, *, open_source: bool = False) -> Iterator[str]:
    """The hosted service's wire protocol, and OpenAI's for embeddings, on this machine. Gives the address.

    With `open_source` that of Mem0's own open-source server.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'

        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self._answer()

        do_POST = do_DELETE = do_GET  # noqa: N815  # names the base class looks for

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
            status, found = 200, None
            try:
                answers = open_route if open_source else route
                found = answers(shelf, self.command, self.path, self.headers, json.loads(body) if body else {})
            except MemoryNotFoundError as error:
                status, found = 404, {'detail': f'{error} not found'}
            except LookupError:
                status, found = 404, {'detail': 'Not Found'}
            except ValueError as error:
                status, found = 500, {'detail': str(error)}
            except PermissionError as error:
                status, found = 401, {'detail': str(error)}
            text = json.dumps(found).encode()
            self.send_response(status)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Content-Length', str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01})
    thread.start()
    try:
        yield f'http://127.0.0.1:{server.server_port}'
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def embeddings(body: dict[str, Any]) -> dict[str, Any]:
    """Vectors of texts that share words are close."""
    texts = [body['input']] if isinstance(body['input'], str) else body['input']
    data: list[dict[str, Any]] = []
    for index, text in enumerate(texts):
        vector = [0.0] * 64
        for word in re.findall(r'\w+', text.lower()):
            vector[hashlib.sha256(word.encode()).digest()[0] % 64] += 1.0
        data.append({'object': 'embedding', 'index': index, 'embedding': vector})
    return {'object': 'list', 'data': data, 'model': 'm', 'usage': {'prompt_tokens': 1, 'total_tokens': 1}}
