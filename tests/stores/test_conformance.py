from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from _postgres import available, fresh_database, pooled
from memoranda.stores.base import Store
from memoranda.stores.sqlite import SQLiteStore
from memoranda.testing import StoreSuite


class TestSQLiteFile(StoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = SQLiteStore(tmp_path / 'memoranda.db')
        yield store
        self.run(store.close())

    def another(self, store: Store) -> Store:
        return SQLiteStore(store.location)


class TestSQLiteInMemory(StoreSuite):
    durable = False

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        store = SQLiteStore(':memory:')
        yield store
        self.run(store.close())


@pytest.mark.skipif(not available(), reason='no PostgreSQL for this platform')
class TestPostgres(StoreSuite):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        with fresh_database(tables=True) as url:
            self.url, self.pooled = pooled(url)
            store = self.another(None)
            yield store
            self.run(store.close())

    def another(self, store: Store | None) -> Store:
        from memoranda.stores.postgres import PostgresStore

        return PostgresStore(self.url, pgbouncer=self.pooled)
