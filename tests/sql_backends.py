"""The databases that tests run on, by name: where they are, whether they answer, and a store in a corner of its own.

``STEPUP_TEST_POSTGRESQL`` and ``STEPUP_TEST_MARIADB`` name other servers (``user@host:port/database``). What needs a
server that does not answer is skipped, and the run ends with its name; with
``STEPUP_TEST_ALL_STORES=1`` it fails instead.
"""

from __future__ import annotations

import functools
import os
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from stepup.stores.sql import AsyncSQLStore, SQLStore

SERVERS: Final[Mapping[str, str]] = {
    "postgresql": os.environ.get("STEPUP_TEST_POSTGRESQL", "postgres@127.0.0.1:5432/test"),
    "mariadb": os.environ.get("STEPUP_TEST_MARIADB", "root@127.0.0.1:3306/test"),
}
MUST: Final = os.environ.get("STEPUP_TEST_ALL_STORES") == "1"
not_exercised: Final[set[str]] = set()


@dataclass(frozen=True)
class Backend:
    """One database through one driver."""

    name: str
    server: str | None
    scheme: str

    def url(self, folder: Path) -> str:
        """Its address; *folder* is where a file would be."""
        if self.server is None:
            return f"{self.scheme}:///{folder / 'stepup.db'}"
        return f"{self.scheme}://{SERVERS[self.server]}"

    def __str__(self) -> str:
        return self.name


SYNC: Final = (
    Backend("sqlite", None, "sqlite"),
    Backend("psycopg", "postgresql", "postgresql+psycopg"),
    Backend("pymysql", "mariadb", "mysql+pymysql"),
)
ASYNC: Final = (
    Backend("aiosqlite", None, "sqlite+aiosqlite"),
    Backend("psycopg-async", "postgresql", "postgresql+psycopg_async"),
    Backend("asyncpg", "postgresql", "postgresql+asyncpg"),
    Backend("asyncmy", "mariadb", "mysql+asyncmy"),
)
BY_NAME: Final = {one.name: one for one in (*SYNC, *ASYNC)}
every_sync = pytest.mark.parametrize("backend", SYNC, ids=str)
every_async = pytest.mark.parametrize("backend", ASYNC, ids=str)


@functools.cache
def problem(server: str) -> str | None:
    """Why the server cannot be used; None if it can."""
    scheme = {"postgresql": "postgresql+psycopg", "mariadb": "mysql+pymysql"}[server]
    engine = sa.create_engine(f"{scheme}://{SERVERS[server]}", connect_args={"connect_timeout": 3})
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
    except sa.exc.DBAPIError as error:
        return f"{server} at {SERVERS[server].rpartition('@')[2]} ({type(error.orig).__name__})"
    finally:
        engine.dispose()
    return None


def need(server: str | None) -> None:
    """Skip the test that needs *server* where it does not answer; fail it where it has to."""
    if server is None or (why := problem(server)) is None:
        return
    not_exercised.add(why)
    if MUST:
        pytest.fail(f"not reachable: {why}")
    pytest.skip(f"not reachable: {why}")


def a_prefix() -> str:
    """A prefix that no other run uses: tests may share a database."""
    return f"t{secrets.token_hex(5)}_"


@contextmanager
def opened(backend: Backend, folder: Path, *, timeout: float = 10.0, **options: Any) -> Iterator[SQLStore]:
    """A store with tables of its own, and *options* for its engine; the tables go when it is closed."""
    need(backend.server)
    options.setdefault("pool_size", 16)
    engine = sa.create_engine(backend.url(folder), **options)
    store = SQLStore(engine, table_prefix=a_prefix(), timeout=timeout)
    store.create_schema()
    try:
        yield store
    finally:
        if backend.server is not None:
            drop(engine, store)
        engine.dispose()


def drop(engine: sa.Engine, store: SQLStore) -> None:
    """Drop a store's tables."""
    store.tables.record.metadata.drop_all(engine)


@asynccontextmanager
async def opened_async(
    backend: Backend, folder: Path, *, seconds: float = 10.0, **options: Any
) -> AsyncIterator[AsyncSQLStore]:
    """As ``opened``, for the async face."""
    need(backend.server)
    options.setdefault("pool_size", 16)
    engine: AsyncEngine = create_async_engine(backend.url(folder), **options)
    store = AsyncSQLStore(engine, table_prefix=a_prefix(), timeout=seconds)
    await store.create_schema()
    try:
        yield store
    finally:
        if backend.server is not None:
            async with engine.begin() as connection:
                await connection.run_sync(store.tables.record.metadata.drop_all)
        await engine.dispose()
