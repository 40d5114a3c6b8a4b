"""`QdrantIndex`: the vectors of a database in a Qdrant server or cluster.

Each embedding generation has a collection of its own, with one named vector per lane. A point's id is the row key of
the database, its payload the owner's number, the lane and a hash of the run: no text and nobody's name. Owners are
tenants of a keyword index, so a search reads one owner's points whatever else the collection holds.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import random
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import numpy as np

from memoranda.errors import ConfigurationError, shown
from memoranda.stores.index import (
    Asked,
    Collection,
    IndexFailed,
    IndexLost,
    IndexMismatch,
    IndexPoint,
    IndexRefused,
    IndexUnreachable,
    Nearest,
    Part,
    PointPage,
)

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

__all__ = ['QdrantIndex']

log = logging.getLogger('memoranda.stores')
T = TypeVar('T')

LANES: Final = ('memories', 'episodes')
MINIMUM: Final = (1, 11)
"""The first server that knows tenant indexes; named vectors and the query API are older."""
WORDS_MINIMUM: Final = (1, 19)
"""The first one that counts how rare a word is within one tenant."""
BATCH_FLOATS: Final = 400_000
"""Of one request: with their digits some 8 MB, and a server refuses 32 MB."""
BATCH_POINTS: Final = 500
_MOST_WAIT: Final = 5.0
_ROW: Final = 1 << 63
_CONFLICT, _NOT_FOUND, _TOO_MANY, _REQUEST_TIMEOUT, _SERVER = 409, 404, 429, 408, 500
_DENIED: Final = (401, 403)


class QdrantIndex:
    """Vectors in Qdrant.

    Args:
        url: `http://` or `https://`, host and port; by default `QDRANT_URL`, else the host.
        host: By default `QDRANT_HOST`, else `localhost`.
        port: By default `QDRANT_PORT`, else 6333 (the REST port).
        api_key: By default `QDRANT_API_KEY`.
        tls: Whether to use https with a host.
        ca: A file of certificates to trust, in place of the system's.
        prefix: Begins the names of the collections. A copy of a database needs another one than its original.
        timeout: Whole seconds that one request may take.
        tries: Of one request that writes; a search is tried twice.
        quantization: `'int8'` keeps vectors of one byte per dimension in memory to find candidates by, and compares
            these by the exact ones.
        on_disk: Whether the exact vectors may stay on disk.
        exact: Whether every search compares all vectors of the owners; else large owners have a graph.
        words: Whether points carry hashed words too (sparse vectors), so that rows that hold a word of the question
            come with their cosines. Needs a server from 1.19; an older one is used without.
        shard_number: Shards of a collection (with `custom_shards`: per key).
        replication_factor: Copies of each shard.
        write_consistency_factor: Copies that must have a write before it counts.
        custom_shards: Shard keys `owners-0` and so on, to which owners are assigned by their number; 0: Qdrant
            distributes points by itself. Fixed once the collection is made.

    Raises:
        ConfigurationError: Something that can't be used, or qdrant-client is not installed.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        host: str | None = None,
        port: int | None = None,
        api_key: str | None = None,
        tls: bool = False,
        ca: str | None = None,
        prefix: str = 'memoranda',
        timeout: int = 5,
        tries: int = 4,
        quantization: Literal['int8'] | None = None,
        on_disk: bool = False,
        exact: bool = False,
        words: bool = False,
        shard_number: int | None = None,
        replication_factor: int | None = None,
        write_consistency_factor: int | None = None,
        custom_shards: int = 0,
    ) -> None:
        if not re.fullmatch(r'[A-Za-z0-9][A-Za-z0-9_-]{0,99}', prefix):
            raise ConfigurationError(
                f'prefix={shown(prefix)} can not begin the name of a collection: use up to 100 letters, digits, - and _'
            )
        if quantization not in (None, 'int8'):
            raise ConfigurationError(f"quantization={shown(quantization)} is unknown: use 'int8', or leave it out")
        for name, number in (('timeout', timeout), ('tries', tries)):
            if number < 1:
                raise ConfigurationError(f'{name}={number} is less than 1: give a whole number from 1')
        self._url, self._key = _address(url, host, port, tls=tls), api_key or os.environ.get('QDRANT_API_KEY') or None
        self._ca, self._prefix, self._timeout, self._tries = ca, prefix, timeout, tries
        self._quantization, self._on_disk, self._exact, self._words = quantization, on_disk, exact, words
        self._shards: dict[str, Any] = {
            'shard_number': shard_number,
            'replication_factor': replication_factor,
            'write_consistency_factor': write_consistency_factor,
        }
        self._custom_shards = custom_shards
        self._lock = threading.Lock()
        self._client: tuple[int, QdrantClient] | None = None
        self._version: tuple[int, ...] | None = None
        if importlib.util.find_spec('qdrant_client') is None:
            raise ConfigurationError(
                "qdrant-client is not installed, which a vector index in Qdrant takes: pip install 'memoranda[qdrant]'"
            )

    @classmethod
    def from_url(cls, url: str) -> QdrantIndex:
        """An index by an address with its options: `qdrant://host:6333?quantization=int8&shard_number=6`.

        Args:
            url: `qdrant` (everything from `QDRANT_*`), `qdrant://`, `qdrants://` (TLS), `http://` or `https://`. The
                options after `?` are those of the class, but not `api_key`: that is no part of an address.

        Raises:
            ConfigurationError: It can't be read.
        """
        text = url.strip()
        if text == 'qdrant':
            return cls()
        parts = urlsplit(text)
        if parts.scheme not in ('qdrant', 'qdrants', 'http', 'https'):
            raise ConfigurationError(
                f'index={_masked(text)!r} is no address of a vector index: write qdrant://host:6333, '
                "or 'qdrant' and set QDRANT_URL"
            )
        if parts.username is not None or parts.password is not None:
            raise ConfigurationError(
                f'index={_masked(text)!r} holds a key, which logs may show: set QDRANT_API_KEY in place of it'
            )
        options = _options(text, parts.query)
        if not parts.netloc:
            return cls(tls=parts.scheme == 'qdrants', **options)
        scheme = {'qdrant': 'http', 'qdrants': 'https'}.get(parts.scheme, parts.scheme)
        return cls(f'{scheme}://{parts.netloc}{unquote(parts.path).rstrip("/")}', **options)

    @property
    def location(self) -> str:
        """The server's address."""
        return self._url

    @property
    def has_words(self) -> bool:
        """Whether points carry words: wanted, and the server is new enough."""
        return self._words and (self._version or WORDS_MINIMUM) >= WORDS_MINIMUM

    def load(self) -> None:
        """Load the client, which takes seconds."""
        self._connected()
        _models()

    def ping(self) -> str:
        """The server's version."""
        version = str(self._ask(lambda c: c.info().version, tries=1))
        found = tuple(int(n) for n in re.findall(r'\d+', version)[:2])
        if found and found < MINIMUM:
            raise IndexRefused(
                f'Qdrant {version} at {self._url} is too old: it takes {".".join(map(str, MINIMUM))} or later'
            )
        if self._words and self._version is None and found < WORDS_MINIMUM:
            log.warning(
                'Qdrant %s at %s can not weigh words within one tenant (1.19 can): it is used without words',
                version,
                self._url,
            )
        self._version = found
        return version

    def close(self) -> None:
        """Give the connections back."""
        with self._lock:
            held, self._client = self._client, None
        if held is not None and held[0] == os.getpid():
            held[1].close()

    def has(self, collection: Collection) -> bool:
        """Whether the collection is there."""
        name = self._name(collection)
        return bool(self._ask(lambda c: c.collection_exists(name)))

    def prepare(self, collection: Collection) -> None:
        """Make the collection unless it is there."""
        if self._version is None:
            self.ping()
        name, models = self._name(collection), _models()
        if not self.has(collection):
            self._create(name, collection)
        info = self._ask(lambda c: c.get_collection(name))
        self._check(name, collection, info)
        for number in range(self._custom_shards):
            with contextlib.suppress(_Exists):
                self._ask(lambda c, n=number: c.create_shard_key(name, f'owners-{n}', timeout=self._timeout))
        fields = {
            'owner': models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True),
            'run': models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD),
        }
        for field, schema in fields.items():
            if field not in info.payload_schema:
                self._ask(lambda c, f=field, s=schema: c.create_payload_index(name, f, s, timeout=self._timeout))

    def _create(self, name: str, collection: Collection) -> None:
        models = _models()
        vector = models.VectorParams(
            size=collection.dimensions, distance=models.Distance.COSINE, on_disk=self._on_disk or None
        )
        vectors: dict[str, Any] = dict.fromkeys(LANES, vector)
        quantization: Any = None
        if self._quantization:
            scalar = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
            quantization = models.ScalarQuantization(scalar=scalar)
        words = {f'{lane}_words': models.SparseVectorParams(modifier=models.Modifier.IDF) for lane in LANES}
        try:
            self._ask(
                lambda c: c.create_collection(
                    name,
                    vectors_config=vectors,
                    sparse_vectors_config=words if self.has_words else None,
                    # No graph over all owners, one for each large one: filters would cut through the former.
                    hnsw_config=models.HnswConfigDiff(m=0, payload_m=16),
                    quantization_config=quantization,
                    sharding_method=models.ShardingMethod.CUSTOM if self._custom_shards else None,
                    timeout=self._timeout,
                    **self._shards,
                )
            )
        except _Exists:
            log.info('collection %s was made by another process just now', name)

    def _check(self, name: str, collection: Collection, info: Any) -> None:
        vectors: Any = info.config.params.vectors
        for lane in LANES:
            found: Any = cast('dict[str, Any]', vectors).get(lane) if isinstance(vectors, dict) else None
            size, distance = getattr(found, 'size', None), str(getattr(found, 'distance', ''))
            if size != collection.dimensions or distance != 'Cosine':
                holds = f'{size} dimensions and {distance} distance' if size is not None else f'no vectors {lane!r}'
                raise IndexMismatch(
                    f'collection {name!r} at {self._url} has {holds}, and {lane} here have {collection.dimensions} '
                    'dimensions and Cosine distance: name another prefix, or delete that collection if it is nobody '
                    "else's and run `memoranda index rebuild`"
                )
        sparse: dict[str, Any] = getattr(info.config.params, 'sparse_vectors', None) or {}
        if self.has_words and f'{LANES[0]}_words' not in sparse:
            raise IndexMismatch(
                f'collection {name!r} at {self._url} was made without words: leave out words, '
                'or run `memoranda index rebuild`'
            )

    def search(self, collection: Collection, asked: Sequence[Asked]) -> list[Nearest]:
        """The nearest rows to each question, in one trip."""
        requests = [r for one in asked for r in self._requests(one)]
        name = self._name(collection)
        found = self._ask(lambda c: c.query_batch_points(name, requests, timeout=self._timeout), tries=2)
        answers = iter(found)
        nearest: list[Nearest] = []
        for one in asked:
            points = next(answers).points
            full = len(points) >= one.limit
            if self._asks_words(one):
                points = [*points, *next(answers).points]
            nearest.append(Nearest.of({p.id: p.score for p in points if isinstance(p.id, int)}, full=full))
        return nearest

    def _asks_words(self, one: Asked) -> bool:
        return self.has_words and bool(one.words)

    def _requests(self, one: Asked) -> list[Any]:
        models = _models()
        where = _filter(one.parts)
        common: dict[str, Any] = {
            'query': one.vector.tolist(),
            'using': one.lane,
            'limit': one.limit,
            'with_payload': False,
            'shard_key': self._keys_of(part.owner for part in one.parts),
        }
        quantized = models.QuantizationSearchParams(rescore=True, oversampling=2.0) if self._quantization else None
        params = models.SearchParams(exact=True) if self._exact else models.SearchParams(quantization=quantized)
        requests = [models.QueryRequest(**common, filter=where, params=params)]
        if self._asks_words(one) and one.words:
            owners = models.Filter(must=where.must)
            prefetch = models.Prefetch(
                query=models.SparseVector(indices=list(one.words), values=list(one.words.values())),
                using=f'{one.lane}_words',
                filter=where,
                params=models.SearchParams(idf=models.IdfCorpusParams(corpus=owners)),
                limit=one.limit,
            )
            requests.append(models.QueryRequest(**common, prefetch=prefetch))
        return requests

    def upsert(self, collection: Collection, points: Sequence[IndexPoint]) -> None:
        """Write points."""
        name = self._name(collection)
        size = max(1, min(BATCH_POINTS, BATCH_FLOATS // collection.dimensions))
        for key, some in self._by_shard(points, lambda p: p.owner):
            for begin in range(0, len(some), size):
                batch = [self._point(p) for p in some[begin : begin + size]]
                self._ask(
                    lambda c, b=batch, k=key: c.upsert(
                        name, b, shard_key_selector=k, wait=True,
                        timeout=self._timeout,
                    )
                )  # fmt: skip

    def _point(self, point: IndexPoint) -> Any:
        models = _models()
        vectors: dict[str, Any] = {point.lane: point.vector.tolist()}
        if self.has_words and point.words is not None:
            vectors[f'{point.lane}_words'] = models.SparseVector(
                indices=list(point.words), values=list(point.words.values())
            )
        payload = {'owner': str(point.owner), 'lane': point.lane, 'run': point.run}
        return models.PointStruct(id=point.row, vector=vectors, payload=payload)

    def delete(self, collection: Collection, rows: Sequence[int]) -> None:
        """Delete points by their row keys."""
        name, models = self._name(collection), _models()
        for key, some in self._by_shard(rows, lambda row: row >> 24):
            for begin in range(0, len(some), 10 * BATCH_POINTS):
                which = models.PointIdsList(points=list(some[begin : begin + 10 * BATCH_POINTS]))
                self._ask(
                    lambda c, w=which, k=key: c.delete(
                        name, w, shard_key_selector=k, wait=True, timeout=self._timeout
                    )
                )  # fmt: skip

    def delete_owner(self, collection: Collection, owner: int) -> None:
        """Delete all points of an owner."""
        which = _models().FilterSelector(filter=_filter((Part(owner),)))
        key = self._keys_of((owner,))
        name = self._name(collection)
        self._ask(lambda c: c.delete(name, which, shard_key_selector=key, wait=True, timeout=self._timeout))

    def count(self, collection: Collection) -> int:
        """How many points there are."""
        name = self._name(collection)
        return self._ask(lambda c: c.count(name, exact=True, timeout=self._timeout)).count

    def page(self, collection: Collection, *, cursor: int | str | None, limit: int, vectors: bool) -> PointPage:
        """Points one after another."""
        name = self._name(collection)
        records, following = self._ask(
            lambda c: c.scroll(
                name, limit=limit, offset=cursor, with_payload=True, with_vectors=vectors, timeout=self._timeout
            )
        )
        points = [p for record in records if (p := _read(record)) is not None]
        after = following if following is None or isinstance(following, int) else str(following)
        return PointPage(points, len(records) - len(points), after)

    def get(self, collection: Collection, rows: Sequence[int], *, vectors: bool) -> list[IndexPoint]:
        """Points by their row keys."""
        name = self._name(collection)
        found = self._ask(
            lambda c: c.retrieve(
                name, list(rows), with_payload=True, with_vectors=vectors, timeout=self._timeout
            )
        )  # fmt: skip
        return [p for record in found if (p := _read(record)) is not None]

    def generations(self, store: str) -> list[int]:
        """Of which generations of a database there is a collection."""
        names = [c.name for c in self._ask(lambda c: c.get_collections()).collections]
        begin = f'{self._prefix}_{store}_'
        return sorted(int(rest) for n in names if n.startswith(begin) and (rest := n[len(begin) :]).isdecimal())

    def drop(self, store: str, generation: int) -> None:
        """Delete a collection."""
        name = f'{self._prefix}_{store}_{generation}'
        self._ask(lambda c: c.delete_collection(name, timeout=self._timeout))

    def _name(self, collection: Collection) -> str:
        return f'{self._prefix}_{collection.store}_{collection.generation}'

    def _keys_of(self, owners: Any) -> Any:
        if not self._custom_shards:
            return None
        return sorted({f'owners-{owner % self._custom_shards}' for owner in owners})

    def _by_shard(self, items: Sequence[T], owner: Callable[[T], int]) -> list[tuple[str | None, list[T]]]:
        if not self._custom_shards:
            return [(None, list(items))] if items else []
        found: defaultdict[str | None, list[T]] = defaultdict(list)
        for item in items:
            found[f'owners-{owner(item) % self._custom_shards}'].append(item)
        return list(found.items())

    def _connected(self) -> QdrantClient:
        with self._lock:
            if self._client is None or self._client[0] != os.getpid():  # the child of a fork leaves the parent's alone
                self._client = (os.getpid(), self._connect())
            return self._client[1]

    def _connect(self) -> QdrantClient:
        options: dict[str, Any] = {}
        if self._ca is not None:
            import ssl

            try:
                options['verify'] = ssl.create_default_context(cafile=self._ca)
            except OSError as error:
                raise IndexRefused(f'ca={self._ca!r} can not be read ({error}): name a file of certificates') from error
        if self._key is not None and self._url.startswith('http:'):
            log.warning('the key for %s goes over the network unencrypted: use https', self._url)
            options['headers'] = {'api-key': self._key}
        elif self._key is not None:
            options['api_key'] = self._key
        from qdrant_client import QdrantClient

        return QdrantClient(url=self._url, timeout=self._timeout, check_compatibility=False, **options)

    def _ask(self, call: Callable[[QdrantClient], T], *, tries: int | None = None) -> T:
        """The answer to a request, tried again with backoff and full jitter while the server can't."""
        most = tries or self._tries
        for attempt in range(1, most + 1):
            try:
                return call(self._connected())
            except IndexFailed:
                raise
            except Exception as error:
                failed, wait = self._failed(error)
                if attempt == most or wait is None:
                    raise failed from error
                # A search waits for nothing but a connection that broke while nobody used it.
                longest = 0.05 if tries is not None else 0.2 * 2.0**attempt
                time.sleep(min(_MOST_WAIT, wait + random.uniform(0.0, longest)))  # noqa: S311 - no secret
        raise AssertionError  # pragma: no cover

    def _failed(self, error: Exception) -> tuple[IndexFailed, float | None]:
        """What to raise, and after how many seconds it makes sense to ask again; None: it makes none."""
        status = getattr(error, 'status_code', None)
        what = f'Qdrant at {self._url}'
        after = getattr(error, 'retry_after_s', None)
        if after is not None or status in (_TOO_MANY, _REQUEST_TIMEOUT):
            return IndexUnreachable(f'{what} has too much to do'), float(after or 0.0)
        if status is None:
            cause = getattr(error, 'source', error)
            name = type(cause).__name__
            if not isinstance(cause, OSError) and not type(cause).__module__.startswith(('http', 'ssl')):
                return IndexRefused(f'{what} does not answer as Qdrant does ({name}): is it one?'), None
            slow = 'Timeout' in name and 'Connect' not in name
            return IndexUnreachable(f'{what} does not answer ({name}): is it running?'), None if slow else 0.0
        if status >= _SERVER:
            return IndexUnreachable(f'{what} failed ({status})'), 0.0
        if status == _NOT_FOUND:
            return IndexLost(f'{what} does not know our collection: run `memoranda index rebuild`'), None
        if status == _CONFLICT:
            return _Exists(f'{what} holds it already'), None
        if status in _DENIED:
            return IndexRefused(f'{what} refused the key ({status}): set QDRANT_API_KEY'), None
        told = _told(error)
        if 'already exists' in told:
            return _Exists(f'{what} holds it already'), None
        return IndexRefused(f'{what} refused a request ({status}: {told}): is it {_dotted(MINIMUM)} or later?'), None


class _Exists(IndexFailed):
    """What is to be made is there."""


def _dotted(version: Sequence[int]) -> str:
    return '.'.join(map(str, version))


def _told(error: Exception) -> str:
    content = cast('bytes', getattr(error, 'content', b''))
    found = re.search(rb'"error"\s*:\s*"((?:[^"\\]|\\.)*)"', content)
    return (found[1] if found else content)[:200].decode('utf-8', 'replace')


def _filter(parts: Sequence[Part]) -> Any:
    """Points of these owners, and of these runs of theirs."""
    models = _models()

    def condition(field: str, values: Sequence[str]) -> Any:
        return models.FieldCondition(key=field, match=models.MatchAny(any=list(values)))

    owners = condition('owner', [str(part.owner) for part in parts])
    if all(part.runs is None for part in parts):
        return models.Filter(must=[owners])
    either = [
        models.Filter(
            must=[condition('owner', [str(part.owner)])] + ([] if part.runs is None else [condition('run', part.runs)])
        )
        for part in parts
    ]
    return models.Filter(must=[owners], should=either)


def _read(record: Any) -> IndexPoint | None:
    payload: Mapping[str, Any] = record.payload or {}
    owner, lane, run = payload.get('owner'), payload.get('lane'), payload.get('run')
    if not isinstance(record.id, int) or record.id >= _ROW or not isinstance(owner, str) or not owner.isdecimal():
        return None
    if lane not in LANES or not isinstance(run, str):
        return None
    named: Any = record.vector  # None unless it was asked for
    vector = np.array(named.get(lane, ()) if hasattr(named, 'get') else (), dtype=np.float32)
    return IndexPoint(row=record.id, owner=int(owner), lane=lane, run=run, vector=vector)


_OPTIONS: Mapping[str, type] = {
    'ca': str,
    'prefix': str,
    'timeout': int,
    'tries': int,
    'quantization': str,
    'on_disk': bool,
    'exact': bool,
    'words': bool,
    'shard_number': int,
    'replication_factor': int,
    'write_consistency_factor': int,
    'custom_shards': int,
}


def _options(url: str, query: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        kind = _OPTIONS.get(name)
        if kind is None:
            raise ConfigurationError(
                f'option {name!r} of index={_masked(url)!r} is unknown: known are {", ".join(_OPTIONS)}'
            )
        if kind is bool and value in ('true', 'false', '1', '0', ''):
            found[name] = value in ('true', '1', '')
        elif kind is int and value.isdecimal():
            found[name] = int(value)
        elif kind is str and value:
            found[name] = value
        else:
            wanted = {bool: 'true or false', int: 'a whole number', str: 'some text'}[kind]
            raise ConfigurationError(f'option {name}={value!r} of index={_masked(url)!r} is no {wanted}: give {wanted}')
    return found


def _address(url: str | None, host: str | None, port: int | None, *, tls: bool) -> str:
    if url is not None and host is not None:
        raise ConfigurationError(f'url and host={host!r} were both given: leave one of them out')
    if url is None and host is None:
        url, host = os.environ.get('QDRANT_URL') or None, os.environ.get('QDRANT_HOST') or None
        url = None if url is None else url.strip()
    if url is None:
        number = port if port is not None else os.environ.get('QDRANT_PORT') or 6333
        if not str(number).isdecimal() or not 0 < int(number) < 1 << 16:
            raise ConfigurationError(f'QDRANT_PORT={shown(number)} is no port: give a number from 1 to 65535')
        return f'{"https" if tls else "http"}://{host or "localhost"}:{int(number)}'
    try:
        parts = urlsplit(url if '://' in url else f'http://{url}')
        number = parts.port
    except ValueError as error:
        raise ConfigurationError(f'Qdrant address {_masked(url)!r} can not be read ({error}): correct it') from None
    if parts.scheme not in ('http', 'https') or not parts.hostname:
        raise ConfigurationError(f'Qdrant address {_masked(url)!r} is no http or https address: correct it')
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(f'Qdrant address {_masked(url)!r} holds a key: set QDRANT_API_KEY in place of it')
    shown_host = f'[{parts.hostname}]' if ':' in parts.hostname else parts.hostname
    return f'{parts.scheme}://{shown_host}:{number or port or 6333}{parts.path.rstrip("/")}'


def _masked(url: str) -> str:
    return re.sub(r'//[^/@\s]*@', '//***@', url)


def _models() -> Any:
    from qdrant_client import models

    return models
