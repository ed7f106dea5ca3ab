"""That every statement of the SQL store meets an index, on tables of some thousand rows.

The texts are the store's own. Each database explains them, and ``PLANS`` says which index has to come of it: golden,
since a statement that reads the whole table is fast in every test and slow in every year after. PostgreSQL is asked
for the plan for any values too, which is the one it keeps for a statement that is sent often.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa
from sql_plans import (
    BY_PERSON,
    EXPIRY,
    HOUR,
    NOW,
    NUMBERED,
    PK,
    TAG,
    explained,
    mariadb,
    postgresql,
    postgresql_any_values,
    sqlite,
)

from sql_backends import BY_NAME, opened
from stepup.stores.sql import SQLStore
from stepup.stores.sql._sql import MariaDB, statements_for
from stepup.testing.clock import START

PEOPLE: Final = 100
NEVER: Final = 253_402_214_400_000_000

# -- a database that has been in use ------------------------------------------------------


def records() -> Iterator[dict[str, object]]:
    """Forty records for each of a hundred people; one in ten is tagged, and one in ten has expired."""
    kinds = ("claim", "grant", "challenge", "shelf")
    for person in range(PEOPLE):
        for number in range(40):
            forever = number < 4
            yield {
                "partition": f"{person:064x}",
                "kind": "epoch" if forever else kinds[number % 4],
                "key": ("actor", "session:x", "session:y", "session:z")[number] if forever else f"claim {number}",
                "version": 1,
                "expires_at": NEVER if forever else NOW + (HOUR if number % 10 else -HOUR) + number,
                "tag": f"tag {person % 5}" if number % 10 == 1 else None,
                "data": json.dumps({"format": 1, "type": "claim", "value": {"filled": "x" * 100}}),
            }


def events() -> Iterator[dict[str, object]]:
    """Forty events for each of them, in the order in which they happened."""
    for number in range(40 * PEOPLE):
        yield {
            "partition": f"{number % PEOPLE:064x}",
            "id": f"event {number}",
            "at": START,
            "type": "attempt",
            "result": "ok",
            "actor": f"usr_{number % PEOPLE}",
            "risk_score": 0,
            "risk_level": "low",
            "detail": "{}",
        }


ANALYZE: Final = {"sqlite": "ANALYZE", "postgresql": "ANALYZE {0}, {1}", "mysql": "ANALYZE TABLE {0}, {1}"}


def fill(store: SQLStore) -> None:
    """Put them in, and let the database look at them."""
    tables, name = store.tables, store.engine.dialect.name
    with store.engine.begin() as connection:
        binary = name == "mysql"
        for table, rows in ((tables.record, records()), (tables.event, events())):
            connection.execute(table.insert(), [_in_bytes(table, row) if binary else row for row in rows])
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        names = [table.fullname for table in tables]
        connection.exec_driver_sql(ANALYZE[name].format(*names)).close()


def _in_bytes(table: sa.Table, row: Mapping[str, object]) -> dict[str, object]:
    exact = {"partition", "kind", "key", "tag"} if table.name.endswith("record") else {"partition"}
    return {name: value.encode() if name in exact and isinstance(value, str) else value for name, value in row.items()}


# -- what has to come of them ----------------------------------------------------------------

PLANS: Final[Mapping[str, set[str]]] = {
    "load one": {PK},
    "load four": {PK},
    "versions, shared": {PK},
    "versions, alone": {PK},
    "update": {PK},
    "bump the fence": {PK},
    "latest events": {BY_PERSON},
    "erase": {PK},
    "erase events": {BY_PERSON},
    "list": {TAG},
    "list, going on": {TAG},
    "events": {BY_PERSON},
    "events, going on": {BY_PERSON},
    "purge": {EXPIRY, PK},
    "purge, all expired": {EXPIRY, PK},
    "schema version": {PK},
    "redeem once": {PK},
    "redeem counted": {PK},
    "redeem risky": {PK},
}
BY_EXPIRY: Final = {**PLANS, "purge": {EXPIRY}, "purge, all expired": {EXPIRY}}
"""On the servers a purge deletes what it finds by the index; SQLite finds by one index and deletes by the other."""


@contextmanager
def filled(name: str, folder: Path) -> Iterator[SQLStore]:
    """A store that has been in use."""
    with opened(BY_NAME[name], folder) as store:
        fill(store)
        yield store


@pytest.fixture(scope="module")
def on_postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SQLStore]:
    with filled("psycopg", tmp_path_factory.mktemp("none")) as store:
        yield store


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SQLStore]:
    with filled("sqlite", tmp_path_factory.mktemp("plans")) as store:
        yield store


@pytest.fixture(scope="module")
def on_mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SQLStore]:
    with filled("pymysql", tmp_path_factory.mktemp("none")) as store:
        yield store


def of(expected: Mapping[str, set[str]], found: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """What is expected of the statements there are."""
    return {name: expected[name] for name in found}


def test_sqlite_meets_an_index(on_sqlite: SQLStore) -> None:
    """Every statement is a search."""
    found = explained(on_sqlite, statements_for(on_sqlite.engine.dialect, on_sqlite.tables), sqlite)

    assert found == of(PLANS, found)


def test_postgresql_meets_an_index(on_postgresql: SQLStore) -> None:
    """Every statement is a look-up, planned for its values; the one that redeems too."""
    found = explained(on_postgresql, statements_for(on_postgresql.engine.dialect, on_postgresql.tables), postgresql)

    assert set(found) == set(PLANS)
    assert found == BY_EXPIRY


def test_postgresql_meets_an_index_for_any_values(on_postgresql: SQLStore) -> None:
    """And so does the plan that is kept for any values."""
    found = explained(on_postgresql, statements_for(NUMBERED, on_postgresql.tables), postgresql_any_values)

    assert found == of(BY_EXPIRY, found)


def test_mariadb_meets_an_index(on_mariadb: SQLStore) -> None:
    """Every statement reads rows by an index, or a range of one."""
    sql = statements_for(on_mariadb.engine.dialect, on_mariadb.tables)
    assert isinstance(sql, MariaDB)
    found = explained(on_mariadb, sql, mariadb)

    assert found == of(BY_EXPIRY, found)


def test_a_statement_without_an_index_is_seen(
    on_sqlite: SQLStore, on_postgresql: SQLStore, on_mariadb: SQLStore
) -> None:
    """The same look, at a statement for which there is no index."""
    for store, explain in ((on_sqlite, sqlite), (on_postgresql, postgresql), (on_mariadb, mariadb)):
        table = store.tables.record.name
        fairy = store.engine.raw_connection()
        text = f"SELECT version FROM {table} WHERE version = 2"
        found = explain(fairy.driver_connection, text, [], store)
        fairy.close()

        assert len(found) == 1
        assert next(iter(found)).lower() in {f"scan {table}", f"all of {table}"}
