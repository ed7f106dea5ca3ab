"""The store's contract on SQLite: the embedded store and one on an application's own engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from sql_backends import BY_NAME, opened, opened_async
from stepup.ports import AsyncStore
from stepup.stores.sql import SQLStore
from stepup.testing.store import AsyncStoreContract, StoreContract


@pytest.mark.requirement("S-01")
class TestEmbedded(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SQLStore]:
        store = SQLStore.sqlite(tmp_path / "stepup.db", timeout=10)
        yield store
        store.engine.dispose()


class TestSQLite(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SQLStore]:
        with opened(BY_NAME["sqlite"], tmp_path) as store:
            yield store


class TestAiosqlite(AsyncStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> AbstractAsyncContextManager[AsyncStore]:
        return opened_async(BY_NAME["aiosqlite"], tmp_path, pool_size=1, max_overflow=0)
