"""Servers of the tests' own: started when the first test asks, and as they were again for the next."""

from __future__ import annotations

from collections.abc import Iterator

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
