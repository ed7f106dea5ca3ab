"""The store's contract on PostgreSQL, through every driver."""

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
class TestPsycopg(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SQLStore]:
        with opened(BY_NAME["psycopg"], tmp_path) as store:
            yield store


class TestPsycopgAsync(AsyncStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> AbstractAsyncContextManager[AsyncStore]:
        return opened_async(BY_NAME["psycopg-async"], tmp_path)


class TestAsyncpg(AsyncStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> AbstractAsyncContextManager[AsyncStore]:
        return opened_async(BY_NAME["asyncpg"], tmp_path)
