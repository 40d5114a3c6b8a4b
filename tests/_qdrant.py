"""A Qdrant for tests: the REST calls that `qdrant-client` makes for us, answered by the real engine in this process.

No server can be had here, so this speaks its HTTP API around `qdrant-edge-py`, which is the engine of a single shard:
vectors, filters, payload indexes, sparse vectors and inverse document frequencies are the real ones; clusters, replicas
and consistency between them are not. It can be stopped and started again, hang, fail, and pretend to be older.
"""

# JSON is anything.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import qdrant_edge as edge

__all__ = ['FakeQdrant', 'running']

VERSION = '1.19.0'
Json = dict[str, Any]


class _Refused(Exception):
    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status


class _Held:
    """One collection."""

    def __init__(self, folder: Path, spec: Json) -> None:
        self.spec = spec
        self.indexes: dict[str, Json] = {}
        self.shard_keys: set[str] = set()
        vectors = {
            name: edge.EdgeVectorParams(size=v['size'], distance=getattr(edge.Distance, v['distance']))
            for name, v in spec['vectors'].items()
        }
        sparse = {
            name: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf if v.get('modifier') == 'idf' else None)
            for name, v in (spec.get('sparse_vectors') or {}).items()
        }
        quantization = None
        if spec.get('quantization_config'):
            scalar = spec['quantization_config']['scalar']
            assert scalar['type'] == 'int8'
            quantization = edge.ScalarQuantizationConfig(type=edge.ScalarType.Int8, always_ram=scalar['always_ram'])
        self._file = folder / 'collection.json'
        if self._file.exists():
            kept = json.loads(self._file.read_text())
            self.indexes, self.shard_keys = kept['indexes'], set(kept['shard_keys'])
            self.shard = edge.EdgeShard.load(str(folder / 'shard'))
            return
        folder.mkdir(parents=True)
        config = edge.EdgeConfig(vectors=vectors, sparse_vectors=sparse or None, quantization_config=quantization)
        self.shard = edge.EdgeShard.create(str(folder / 'shard'), config)
        self.save()

    def save(self) -> None:
        """What the engine doesn't keep by itself."""
        kept = {'spec': self.spec, 'indexes': self.indexes, 'shard_keys': sorted(self.shard_keys)}
        self._file.write_text(json.dumps(kept))

    @property
    def custom(self) -> bool:
        return self.spec.get('sharding_method') == 'custom'

    def check_keys(self, keys: Any) -> None:
        given = [keys] if isinstance(keys, str) else keys or []
        if self.custom and not set(given) <= self.shard_keys:
            raise _Refused(404, f'Shard key not found: {given}')
        if not self.custom and given:
            raise _Refused(400, 'Shard key given for a collection without custom sharding')


class FakeQdrant:
    """One server.

    Args:
        folder: Holds its data.
        version: What it says it is.
        api_key: What it wants to be given.
        port: Where it listens; 0: anywhere.
    """

    def __init__(self, folder: Path, *, version: str = VERSION, api_key: str | None = None, port: int = 0) -> None:
        self.version, self.api_key = version, api_key
        self.fails: int | None = None
        """A status to answer everything with."""
        self.hangs = threading.Event()
        """While it is set, requests are read and not answered."""
        self.before: Callable[[str, str], None] = lambda method, path: None
        """Called before each request is answered."""
        self.refuses: set[Any] = set()
        """Ids of points it doesn't take."""
        self.asked: list[tuple[str, str]] = []
        """Methods and paths of all requests."""
        self.bodies: list[Json] = []
        self._folder = folder
        self.collections = {
            file.parent.name: _Held(file.parent, json.loads(file.read_text())['spec'])
            for file in folder.glob('*/collection.json')
        }
        self._lock = threading.RLock()
        self._server: ThreadingHTTPServer | None = None
        self._port = port

    @property
    def url(self) -> str:
        return f'http://127.0.0.1:{self._port}'

    def start(self) -> None:
        fake = self

        class Handler(_Handler):
            qdrant = fake

        self._server = _Server(('127.0.0.1', self._port), Handler)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), name='fake-qdrant', daemon=True).start()

    def stop(self) -> None:
        """Connections are refused from now on. What it holds stays."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def close(self) -> None:
        self.hangs.clear()
        self.stop()
        for held in self.collections.values():
            held.shard.close()

    @property
    def one(self) -> _Held:
        """The only collection."""
        (held,) = self.collections.values()
        return held

    def points(self) -> dict[Any, Json]:
        """What all collections hold: ids with their payloads."""
        with self._lock:
            found: dict[Any, Json] = {}
            for held in self.collections.values():
                records, _ = held.shard.scroll(edge.ScrollRequest(limit=1_000_000, with_payload=True))
                found |= {r.id: r.payload or {} for r in records}
            return found

    def put(self, id_: Any, lane: str, vector: list[float], payload: Json) -> None:
        """Write a point behind our back."""
        with self._lock:
            point = edge.Point(id_, {lane: vector}, payload)
            self.one.shard.update(edge.UpdateOperation.upsert_points([point]))

    def remove(self, *ids: Any) -> None:
        """Delete points behind our back."""
        with self._lock:
            self.one.shard.update(edge.UpdateOperation.delete_points(list(ids)))

    def drop_all(self) -> None:
        """Lose everything."""
        with self._lock:
            for name in list(self.collections):
                self.do_delete(name, {})

    # --- what it answers

    def answer(self, method: str, path: str, body: Json) -> Any:
        for verb, pattern, function in _ROUTES:
            found = re.fullmatch(pattern, path)
            if found and verb == method:
                with self._lock:
                    return function(self, *found.groups(), body)
        raise _Refused(404, f'{method} {path} is unknown here')

    def do_info(self, body: Json) -> Json:
        return {'title': 'qdrant - vector search engine', 'version': self.version}

    def do_list(self, body: Json) -> Json:
        return {'collections': [{'name': name} for name in self.collections]}

    def do_exists(self, name: str, body: Json) -> Json:
        return {'exists': name in self.collections}

    def do_create(self, name: str, body: Json) -> bool:
        if name in self.collections:
            raise _Refused(409, f'Wrong input: Collection `{name}` already exists!')
        self.collections[name] = _Held(self._folder / name, body)
        return True

    def do_delete(self, name: str, body: Json) -> bool:
        held = self.collections.pop(name, None)
        if held is not None:
            held.shard.close()
            shutil.rmtree(self._folder / name)
        return held is not None

    def _held(self, name: str) -> _Held:
        if name not in self.collections:
            raise _Refused(404, f"Not found: Collection `{name}` doesn't exist!")
        return self.collections[name]

    def do_get(self, name: str, body: Json) -> Json:
        held = self._held(name)
        params = {
            'vectors': held.spec['vectors'],
            'sparse_vectors': held.spec.get('sparse_vectors'),
            'shard_number': held.spec.get('shard_number') or 1,
            'replication_factor': held.spec.get('replication_factor') or 1,
            'write_consistency_factor': held.spec.get('write_consistency_factor') or 1,
            'sharding_method': held.spec.get('sharding_method'),
            'on_disk_payload': True,
        }
        schema = {
            field: {'data_type': 'keyword', 'params': index['field_schema'], 'points': 0}
            for field, index in held.indexes.items()
        }
        return {
            'status': 'green',
            'optimizer_status': 'ok',
            'segments_count': 1,
            'points_count': held.shard.count(edge.CountRequest()),
            'config': {
                'params': params,
                'hnsw_config': {'m': 0, 'ef_construct': 100, 'full_scan_threshold': 10000},
                'optimizer_config': {
                    'deleted_threshold': 0.2, 'vacuum_min_vector_number': 1000, 'default_segment_number': 0,
                    'flush_interval_sec': 5,
                },
            },
            'payload_schema': schema,
        }  # fmt: skip

    def do_index(self, name: str, body: Json) -> Json:
        held = self._held(name)
        schema = body['field_schema']
        held.indexes[body['field_name']] = body
        params = edge.KeywordIndexParams(is_tenant=schema.get('is_tenant'))
        held.shard.update(edge.UpdateOperation.create_field_index(body['field_name'], params))
        held.save()
        return {'operation_id': 0, 'status': 'completed'}

    def do_shard_key(self, name: str, body: Json) -> bool:
        held = self._held(name)
        if body['shard_key'] in held.shard_keys:
            raise _Refused(400, f'Shard key {body["shard_key"]} already exists')
        held.shard_keys.add(body['shard_key'])
        held.save()
        return True

    def do_upsert(self, name: str, body: Json) -> Json:
        held = self._held(name)
        held.check_keys(body.get('shard_key'))
        points = [edge.Point(p['id'], _vectors(p['vector']), p.get('payload')) for p in body['points']]
        if any(point['id'] in self.refuses for point in body['points']):
            raise _Refused(400, 'Wrong input: told to refuse this point')
        for point in body['points']:
            for lane, vector in point['vector'].items():
                if isinstance(vector, list) and len(vector) != held.spec['vectors'][lane]['size']:
                    raise _Refused(400, 'Wrong input: Vector dimension error')
        held.shard.update(edge.UpdateOperation.upsert_points(points))
        return {'operation_id': 0, 'status': 'completed'}

    def do_remove(self, name: str, body: Json) -> Json:
        held = self._held(name)
        held.check_keys(body.get('shard_key'))
        if 'points' in body:
            held.shard.update(edge.UpdateOperation.delete_points(body['points']))
        else:
            held.shard.update(edge.UpdateOperation.delete_points_by_filter(_filter(body['filter'])))
        return {'operation_id': 0, 'status': 'completed'}

    def do_query(self, name: str, body: Json) -> Any:
        held = self._held(name)
        answers: list[Json] = []
        for search in body['searches']:
            held.check_keys(search.get('shard_key'))
            prefetch = search.get('prefetch')
            request = edge.QueryRequest(
                limit=search['limit'],
                query=_nearest(search['query'], search['using']),
                prefetches=[_prefetch(prefetch)] if prefetch else None,
                filter=_filter(search.get('filter')),
                params=_params(search.get('params')),
            )
            found = held.shard.query(request)
            answers.append({'points': [{'id': p.id, 'version': 0, 'score': p.score} for p in found]})
        return answers

    def do_count(self, name: str, body: Json) -> Json:
        request = edge.CountRequest(exact=True, filter=_filter(body.get('filter')))
        return {'count': self._held(name).shard.count(request)}

    def do_scroll(self, name: str, body: Json) -> Json:
        records, following = self._held(name).shard.scroll(
            edge.ScrollRequest(
                offset=body.get('offset'),
                limit=body['limit'],
                with_payload=True,
                with_vector=bool(body.get('with_vector')),
            )
        )
        after = following if following is None or isinstance(following, int) else str(following)
        return {'points': [_record(r) for r in records], 'next_page_offset': after}

    def do_retrieve(self, name: str, body: Json) -> Any:
        found = self._held(name).shard.retrieve(body['ids'], True, bool(body.get('with_vector')))
        return [_record(r) for r in found]


_NAME = r'/collections/([^/]+)'
_ROUTES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ('GET', '/', FakeQdrant.do_info),
    ('GET', '/collections', FakeQdrant.do_list),
    ('GET', _NAME, FakeQdrant.do_get),
    ('PUT', _NAME, FakeQdrant.do_create),
    ('DELETE', _NAME, FakeQdrant.do_delete),
    ('GET', _NAME + '/exists', FakeQdrant.do_exists),
    ('PUT', _NAME + '/index', FakeQdrant.do_index),
    ('PUT', _NAME + '/shards', FakeQdrant.do_shard_key),
    ('PUT', _NAME + '/points', FakeQdrant.do_upsert),
    ('POST', _NAME + '/points', FakeQdrant.do_retrieve),
    ('POST', _NAME + '/points/delete', FakeQdrant.do_remove),
    ('POST', _NAME + '/points/query/batch', FakeQdrant.do_query),
    ('POST', _NAME + '/points/count', FakeQdrant.do_count),
    ('POST', _NAME + '/points/scroll', FakeQdrant.do_scroll),
)


def _vectors(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: edge.SparseVector(v['indices'], v['values']) if isinstance(v, dict) else v for name, v in given.items()
    }


def _record(record: Any) -> Json:
    vector: Any = record.vector
    if isinstance(vector, dict):
        vector = {
            name: {'indices': v.indices, 'values': v.values} if isinstance(v, edge.SparseVector) else v
            for name, v in vector.items()
        }
    id_ = record.id if isinstance(record.id, int) else str(record.id)
    return {'id': id_, 'payload': record.payload, 'vector': vector}


def _nearest(query: Any, using: str) -> Any:
    if isinstance(query, dict) and 'nearest' in query:
        query = query['nearest']
    if isinstance(query, dict):
        query = edge.SparseVector(query['indices'], query['values'])
    return edge.Query.Nearest(query, using=using)


def _prefetch(body: Any) -> edge.Prefetch:
    if isinstance(body, list):
        (body,) = body
    return edge.Prefetch(
        limit=body['limit'],
        query=_nearest(body['query'], body['using']),
        filter=_filter(body.get('filter')),
        params=_params(body.get('params')),
    )


def _params(body: Json | None) -> Any:
    if not body:
        return None
    idf = body.get('idf')
    quantization = body.get('quantization')
    return edge.SearchParams(
        exact=bool(body.get('exact')),
        idf=None if idf is None else edge.IdfParams(corpus=_filter(idf['corpus'])),
        quantization=None
        if quantization is None
        else edge.QuantizationSearchParams(
            rescore=quantization.get('rescore'), oversampling=quantization.get('oversampling')
        ),
    )


def _filter(body: Json | None) -> Any:
    if not body:
        return None

    def condition(one: Json) -> Any:
        if 'key' not in one:
            return _filter(one)
        match = one['match']
        found = edge.MatchAny(match['any']) if 'any' in match else edge.MatchValue(match['value'])
        return edge.FieldCondition(one['key'], match=found)

    parts = {part: [condition(one) for one in body[part]] for part in ('must', 'should', 'must_not') if body.get(part)}
    return edge.Filter(**parts)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        return  # whoever asked has gone


class _Handler(BaseHTTPRequestHandler):
    qdrant: FakeQdrant
    protocol_version = 'HTTP/1.1'

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
        return

    def _respond(self) -> None:
        fake = self.qdrant
        length = int(self.headers.get('Content-Length') or 0)
        body: Json = json.loads(self.rfile.read(length)) if length else {}
        path = self.path.partition('?')[0]
        fake.asked.append((self.command, path))
        fake.bodies.append(body)
        while fake.hangs.is_set():
            threading.Event().wait(0.02)
        status, answer = 200, {}
        try:
            fake.before(self.command, path)
            if fake.api_key is not None and self.headers.get('api-key') != fake.api_key:
                raise _Refused(401, 'Must provide an API key or an Authorization bearer token')
            if fake.fails is not None:
                raise _Refused(fake.fails, 'told to fail')
            result = fake.answer(self.command, path, body)
            answer = result if path == '/' else {'result': result, 'status': 'ok', 'time': 0.0}
        except _Refused as error:
            status, answer = error.status, {'status': {'error': str(error)}, 'time': 0.0}
        except Exception as error:
            status, answer = 500, {'status': {'error': repr(error)}, 'time': 0.0}
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_DELETE = _respond  # noqa: N815 - names of the base class


@contextlib.contextmanager
def running(folder: Path, **options: Any) -> Generator[FakeQdrant]:
    """A server for a while."""
    folder.mkdir(parents=True, exist_ok=True)
    fake = FakeQdrant(folder, **options)
    fake.start()
    try:
        yield fake
    finally:
        fake.close()


if __name__ == '__main__':  # python _qdrant.py FOLDER PORT: one of its own process, which may be killed
    with running(Path(sys.argv[1]), port=int(sys.argv[2])) as served:
        print(served.url, flush=True)
        sys.stdin.read()
