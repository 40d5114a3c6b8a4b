"""Puts an engine together from what a caller names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, get_args

from memoranda.errors import ConfigurationError, shown

if TYPE_CHECKING:
    from memoranda.engine import Closing, Engine
    from memoranda.policy import Policy
    from memoranda.settings import DatabaseTarget, Settings
    from memoranda.stores.base import Store
    from memoranda.stores.index import VectorIndex
    from memoranda.stores.sql.store import SqlStore
    from memoranda.write.background import Background
    from memoranda.write.extract import Extractor, PureExtractor
    from memoranda.write.worker import Worker

__all__ = ['Errors', 'assemble']

Errors: TypeAlias = Literal['degrade', 'raise']

NEAREST_EXISTING = 40
"""Memories an extractor is shown."""
MAX_NAME = 200


def assemble(
    database: str | os.PathLike[str] | None,
    *,
    model: Any = None,
    instructions: str = '',
    kinds: Mapping[str, str] | None = None,
    embedder: Any = None,
    extractor: Extractor | PureExtractor | None,
    settings: Settings | None,
    store: Store | None,
    errors: Errors | None = None,
    policy: Policy | None = None,
    index: VectorIndex | str | None = None,
) -> tuple[Engine, Worker, Background]:
    """An engine over a database, and what does its jobs. Nothing is opened or loaded yet.

    Raises:
        ConfigurationError: Something that can't be used.
    """
    from memoranda.embedders import resolve_embedder
    from memoranda.engine import Engine
    from memoranda.policy import check_policy
    from memoranda.recall.search import related
    from memoranda.settings import Settings
    from memoranda.write.background import Background
    from memoranda.write.detect import check_installed
    from memoranda.write.extract import PureExtractor
    from memoranda.write.worker import Worker

    settings = settings if settings is not None else Settings()
    if errors is not None:
        if errors not in get_args(Errors):
            raise ConfigurationError(f"errors={shown(errors)} is unknown: use 'degrade' or 'raise'")
        settings = settings.model_copy(update={'errors': errors})
    if store is not None and database is not None:
        raise ConfigurationError('database and store were both given, and a memory has one: leave one of them out')
    wanted = model if model is not None else settings.model
    if extractor is not None and (model is not None or instructions or kinds):
        raise ConfigurationError(
            'extractor was given together with model, instructions or kinds, which an extractor of your own does not '
            'see: leave one of them out'
        )
    if extractor is None:
        extractor = _extractor(wanted, instructions, kinds, settings)
    policy = settings.policy() if policy is None else check_policy(policy)
    check_installed(policy)
    if policy.review == 'off' and settings.agent_lessons == 'review':
        raise ConfigurationError(
            "agent_lessons='review' contradicts policy.review='off', under which nobody reviews, so that each lesson "
            "would be dropped: use review='flagged', or agent_lessons='auto' or 'off'"
        )
    first, *others = _embedders(embedder, settings)
    engine = Engine(
        store if store is not None else _store(database, settings),
        embedder=resolve_embedder(first),
        settings=settings,
        policy=policy,
    )
    for other in others:
        engine.adopt(resolve_embedder(other))
    wanted_index = index if index is not None else settings.index
    if wanted_index is not None:
        from memoranda.indexing import attached

        attached(engine, wanted_index)
    _check_name(extractor)
    closing = getattr(extractor, 'aclose', None)
    if callable(closing):
        engine.at_close.append(cast('Closing', closing))
    # Rules look for words; a model understands what means the same.
    semantic = not isinstance(extractor, PureExtractor)
    worker = Worker(engine, extractor, partial(related, engine, limit=NEAREST_EXISTING, semantic=semantic))
    return engine, worker, Background(engine, worker)


def _embedders(given: Any, settings: Settings) -> list[Any]:
    """The one to begin with, and those to go over to when a reindex has switched to their vectors."""
    if isinstance(given, list | tuple):
        found = cast('Sequence[Any]', given)
        if not found:
            raise ConfigurationError('embedder is an empty list: name one, or leave it out for the bundled one')
        return list(found)
    if given is not None:
        return [given]
    return [settings.embedder, *([] if settings.next_embedder is None else [settings.next_embedder])]


def _check_name(extractor: Extractor | PureExtractor) -> None:
    """The name is written beside everything that an extractor leads to."""
    from memoranda.checks import storable

    name: object = getattr(extractor, 'name', None)
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME or storable(name) != name:
        raise ConfigurationError(
            f'extractor.name={shown(name)} can not be recorded: give it a name of 1 to {MAX_NAME} characters'
        )


def _extractor(
    model: Any, instructions: str, kinds: Mapping[str, str] | None, settings: Settings
) -> Extractor | PureExtractor:
    if model is not None and model != 'rules':
        from memoranda.write.llm import LLMExtractor

        return LLMExtractor(model, instructions=instructions, kinds=kinds, trace_content=settings.trace_include_content)
    if instructions or kinds:
        raise ConfigurationError(
            'instructions and kinds are for a model, and none is configured: pass model=..., or leave them out'
        )
    from memoranda.write.rules import RulesExtractor

    return RulesExtractor()


def _store(database: str | os.PathLike[str] | None, settings: Settings) -> Store:
    from memoranda.settings import resolve_database

    target = resolve_database(database, settings)
    if target.kind == 'shards':
        from memoranda.stores.sharding import ShardedStore

        # One bound for all of them, for an owner is in one of them only.
        shared = settings.model_copy(update={'cache_mb': -(-settings.cache_mb // len(target.parts))})
        return ShardedStore([_database(part, shared) for part in target.parts])
    return _database(target, settings)


def _database(target: DatabaseTarget, settings: Settings) -> SqlStore:
    if target.kind == 'postgresql':
        return _postgres(target.url, settings)
    from memoranda.stores.sqlite import SQLiteStore

    return SQLiteStore(
        target.path,
        busy_timeout=settings.busy_timeout,
        durability=settings.durability,
        readers=settings.readers,
        cache_mb=settings.cache_mb,
    )


def _postgres(url: str, settings: Settings) -> SqlStore:
    try:
        from memoranda.stores.postgres import PostgresStore
    except ImportError as error:
        raise ConfigurationError(
            f'PostgreSQL needs the package psycopg, which is not usable here ({error}): '
            "pip install 'memoranda[postgres]'"
        ) from error
    return PostgresStore(
        url,
        schema=settings.postgres_schema,
        pool=settings.postgres_pool,
        connect_timeout=settings.postgres_connect_timeout,
        statement_timeout=settings.postgres_statement_timeout,
        lock_timeout=settings.busy_timeout,
        pgbouncer=settings.postgres_pgbouncer,
        durability=settings.durability,
        cache_mb=settings.cache_mb,
    )
