"""The vector_store section of a Mem0 configuration, as a database of ours."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from memoranda.compat._mem0_sections import Section, check_keys, flag, number, secret, text
from memoranda.errors import ConfigurationError, shown

if TYPE_CHECKING:
    from memoranda.stores.index import VectorIndex

__all__ = ['Place', 'place_of']

DEFAULT_COLLECTION: Final = 'mem0'
FILE: Final = 'memoranda.db'
_COMMON: Final = ('collection_name', 'embedding_model_dims')
_FOLDERS: Final[Mapping[str, tuple[str, ...]]] = {
    'chroma': (),
    'faiss': ('distance_strategy', 'normalize_L2'),
}
"""Stores in a folder, and keys of theirs that an exact comparison of all vectors needs no answer to."""
_MADE: Final = 'it is connected by the library that made it: give its address'
_SERVER: Final = 'a Chroma server is not spoken to: give a path, or another store'
_PG_REFUSED: Final = {'connection_pool': _MADE}
_STORES: Final = 'qdrant, pgvector, supabase, chroma (path), faiss (path), sqlite'


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where memories are."""

    database: str | Path | None = None
    """None: the usual one."""
    project: str | None = None
    """None: the usual one."""
    index: VectorIndex | None = None
    pool: int | None = None
    warnings: tuple[str, ...] = ()
    """What somebody who moves here should know before anything is lost."""
    note: str = ''
    """What is where, if that is not plain."""


def place_of(section: Section | None) -> Place:
    """Where a section says that memories are. Nothing is opened.

    Raises:
        ConfigurationError: An unknown provider or key, or a value that can't be used.
    """
    if section is None:
        return Place()
    name, config = section.provider or 'qdrant', {k: v for k, v in section.config.items() if v is not None}
    if name == 'qdrant':
        return _qdrant(config)
    if name in ('pgvector', 'supabase'):
        return _postgres(name, config)
    if name in _FOLDERS:
        refused = dict.fromkeys(('host', 'port', 'api_key', 'tenant'), _SERVER) | {'client': _MADE}
        check_keys('vector_store', name, config, (*_COMMON, 'path', *_FOLDERS[name]), refused)
        return _folder(_path(config), config)
    if name == 'sqlite':
        check_keys('vector_store', name, config, (*_COMMON, 'path'), {})
        return Place(database=_path(config), project=_project(config))
    raise ConfigurationError(
        f'vector_store.provider={shown(name)} is not offered: use one of {_STORES}, or leave it out for a file; Mem0 '
        'itself over any store it knows is memoranda.agents.Mem0Provider(config=...)'
    )


def _project(config: Mapping[str, Any]) -> str | None:
    """Collections don't see each other's memories, and neither do projects."""
    name = text('vector_store.config.collection_name', config.get('collection_name'))
    return None if name is None or name == DEFAULT_COLLECTION else name


def _path(config: Mapping[str, Any]) -> str | None:
    given: object = config.get('path')
    return text('vector_store.config.path', str(given) if isinstance(given, Path) else given)


def _qdrant(config: Mapping[str, Any]) -> Place:
    known = (*_COMMON, 'host', 'port', 'path', 'url', 'api_key', 'https', 'on_disk')
    check_keys('vector_store', 'qdrant', config, known, {'client': _MADE})
    url, host = (text(f'vector_store.config.{name}', config.get(name)) for name in ('url', 'host'))
    if url is None and host is None:
        return _folder(_path(config), config)
    port = config.get('port')
    at = None if port is None else int(number('vector_store.config.port', port, whole=True))
    if importlib.util.find_spec('qdrant_client') is None:
        raise ConfigurationError(
            "vector_store: qdrant-client is not installed, which Qdrant takes: pip install 'memoranda[qdrant]'"
        )
    from memoranda.stores.qdrant import QdrantIndex

    index = QdrantIndex(
        url,
        host=None if url is not None else host,
        port=at,
        api_key=secret('vector_store.config.api_key', config.get('api_key')),
        tls=flag('vector_store.config.https', config.get('https')),
        on_disk=flag('vector_store.config.on_disk', config.get('on_disk')),
    )
    note = f'memories are in the database, and Qdrant at {index.location} has a copy of their vectors (docs/qdrant.md)'
    return Place(project=_project(config), index=index, note=note)


def _folder(path: str | None, config: Mapping[str, Any]) -> Place:
    """A file of ours in the folder that the store was to be in."""
    if path is None or path == ':memory:':
        return Place(database=path, project=_project(config))
    folder = Path(path).expanduser()
    warnings: list[str] = []
    if (folder / 'collection').is_dir():
        warnings.append(
            f'{folder} holds memories of Mem0, which are not read by themselves: `memoranda import mem0 {folder}`'
        )
    if folder.is_absolute() and folder.is_relative_to(tempfile.gettempdir()):
        warnings.append(
            f'{folder} is a folder for temporary files: what is remembered there may be gone after a restart'
        )
    return Place(database=folder / FILE, project=_project(config), warnings=tuple(warnings))


def _postgres(name: str, config: Mapping[str, Any]) -> Place:
    fast = ('hnsw', 'diskann', 'minconn', 'maxconn') if name == 'pgvector' else ('index_method', 'index_measure')
    parts = ('dbname', 'user', 'password', 'host', 'port', 'sslmode') if name == 'pgvector' else ()
    check_keys('vector_store', name, config, (*_COMMON, *parts, *fast, 'connection_string'), _PG_REFUSED)
    measure = config.get('index_measure')
    if measure is not None and 'cosine' not in str(getattr(measure, 'value', measure)):
        raise ConfigurationError(
            f'vector_store.config.index_measure={shown(measure)} is not offered: vectors are compared by their cosine'
        )
    pool = config.get('maxconn')
    return Place(
        database=_given_url(name, config) or _url(name, config),
        project=_project(config),
        pool=None if pool is None else max(4, int(number('vector_store.config.maxconn', pool, whole=True))),
    )


def _given_url(name: str, config: Mapping[str, Any]) -> str | None:
    url = secret('vector_store.config.connection_string', config.get('connection_string'))
    if url is None:
        return None
    scheme, found, rest = url.partition('://')
    if not found or scheme.partition('+')[0] not in ('postgresql', 'postgres'):
        raise ConfigurationError(
            f'vector_store.config.connection_string of {name} is no URL: write '
            'postgresql://user:password@host:5432/database'
        )
    return f'postgresql://{rest}'


def _url(name: str, config: Mapping[str, Any]) -> str:
    user = text('vector_store.config.user', config.get('user'))
    host = text('vector_store.config.host', config.get('host'))
    if name == 'supabase' or user is None or host is None:
        needed = 'connection_string' if name == 'supabase' else 'connection_string, or user, password, host and port,'
        raise ConfigurationError(f'vector_store.config of {name} tells no database: give {needed}')
    password = secret('vector_store.config.password', config.get('password'))
    login = quote(user, safe='') + (f':{quote(password, safe="")}' if password else '')
    port = int(number('vector_store.config.port', config.get('port', 5432), whole=True))
    mode = text('vector_store.config.sslmode', config.get('sslmode'))
    database = quote(text('vector_store.config.dbname', config.get('dbname')) or 'postgres', safe='')
    address = f'[{host}]' if ':' in host else host
    return f'postgresql://{login}@{address}:{port}/{database}' + (f'?{urlencode({"sslmode": mode})}' if mode else '')
