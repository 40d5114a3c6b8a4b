"""The suite every store must pass, with searches that go through Qdrant.

It takes minutes, so it runs only where TEST_QDRANT is set.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('qdrant_edge')

from _postgres import available, fresh_database
from _qdrant import running
from memoranda.engine import Engine
from memoranda.indexcheck import verify
from memoranda.indexing import Indexer
from memoranda.policy import Policy
from memoranda.settings import Settings
from memoranda.stores.base import Store
from memoranda.stores.data import SearchPlan
from memoranda.stores.qdrant import QdrantIndex
from memoranda.stores.sqlite import SQLiteStore
from memoranda.testing import StoreSuite
from memoranda.testing.embedders import HashingEmbedder

pytestmark = pytest.mark.skipif(not os.environ.get('TEST_QDRANT'), reason='TEST_QDRANT is not set')


@contextmanager
def through_qdrant(store: Store, folder: Path) -> Generator[None]:
    """Let the searches of a store go through an index: every second one while it hasn't heard of the latest changes."""
    with running(folder) as fake:
        engine = Engine(store, embedder=HashingEmbedder(16), settings=Settings(poll_seconds=0.01), policy=Policy())
        indexer = Indexer(engine, QdrantIndex(fake.url))
        direct, searches = store.search, 0

        async def search(plan: SearchPlan) -> Any:
            nonlocal searches
            moment = plan.moment
            if plan.generation is None or not plan.vectors or moment.as_of or moment.known_at:
                return await direct(plan)
            searches += 1
            if searches % 2:
                await indexer.catch_up()
            nearest = await indexer.nearest(
                plan.reaches, plan.vectors, plan.terms, generation=plan.generation, top_k=10
            )  # pyright: ignore[reportArgumentType]
            # None: of another generation than the current one, or nothing was sent yet.
            return await direct(replace(plan, nearest=nearest))

        async def end() -> None:
            if searches:
                await indexer.catch_up()
                report = await verify(indexer, vectors=True)
                assert report.ok, report
            await engine.close()
            await indexer.close()

        asyncio.run(indexer.source.attach())
        store.search = search
        yield
        asyncio.run(end())


class TestSQLiteThroughQdrant(StoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Generator[Store]:
        store = SQLiteStore(tmp_path / 'memoranda.db')
        with through_qdrant(store, tmp_path / 'qdrant'):
            yield store
        self.run(store.close())

    def another(self, store: Store) -> Store:
        return SQLiteStore(store.location)


@pytest.mark.skipif(not available(), reason='no PostgreSQL for this platform')
class TestPostgresThroughQdrant(StoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Generator[Store]:
        from memoranda.stores.postgres import PostgresStore

        with fresh_database(tables=True) as url:
            self.url, store = url, PostgresStore(url)
            with through_qdrant(store, tmp_path / 'qdrant'):
                yield store
            self.run(store.close())

    def another(self, store: Store) -> Store:
        from memoranda.stores.postgres import PostgresStore

        return PostgresStore(self.url)
