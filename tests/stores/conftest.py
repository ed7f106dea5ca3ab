"""Servers of the tests' own: started when the first test asks, and as they were again for the next."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Final

import pytest
from servers import MariaDB, PostgreSQL, Server


@pytest.fixture(scope="session")
def _postgresql() -> Iterator[PostgreSQL]:
    server = PostgreSQL.made()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def _mariadb() -> Iterator[MariaDB]:
    server = MariaDB.made()
    yield server
    server.remove()


@pytest.fixture
def own_postgresql(_postgresql: PostgreSQL) -> Iterator[PostgreSQL]:
    """A PostgreSQL server that a test may do anything to."""
    yield _postgresql
    _postgresql.as_it_was()


@pytest.fixture
def own_mariadb(_mariadb: MariaDB) -> Iterator[MariaDB]:
    """A MariaDB server that a test may do anything to."""
    yield _mariadb
    _mariadb.as_it_was()


@pytest.fixture
def own_server(request: pytest.FixtureRequest) -> Server:
    """The server of the backend that the test is run with."""
    server: Server = request.getfixturevalue(f"own_{request.getfixturevalue('backend').server}")
    return server


CUT_OFF: Final = frozenset({"test_sql_pool", "test_sql_hung", "test_sql_restart", "test_sql_within_async"})
"""Where drivers are cut off in the middle of what they do, and may say later that something was never closed."""


def _is_cut_off(item: pytest.Item) -> bool:
    return item.path.stem in CUT_OFF


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A driver that was cut off while it connected leaves a socket to the collector; that is not the store's."""
    for item in items:
        if _is_cut_off(item):
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(autouse=True)
def _its_own_garbage(request: pytest.FixtureRequest) -> Iterator[None]:
    """What such a test leaves behind is collected before the next test could be blamed for it."""
    yield
    if _is_cut_off(request.node):
        gc.collect()
