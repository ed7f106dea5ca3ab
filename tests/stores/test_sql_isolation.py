"""Other isolation levels than the usual one, and conflicts that only the database sees.

The whole contract holds, with the same answers, whatever level the application or the server has chosen. A deadlock
or a failed serialization is a ``Lost(None)``, from which a caller decides again; who waits too long is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from servers import MariaDB, PostgreSQL, Server, until
from sql_faces import OLIVIA, Face, every_backend, opened_on, refused_in_time, stranger, waiting

from sql_backends import BY_NAME, Backend
from stepup.changes import APPLIED, Applied, Changes, Check, Key, Lost
from stepup.stores.sql import SQLStore
from stepup.testing._store_bench import NOW, a_claim
from stepup.testing.store import check_async_store, check_store

RR, SER, RC = "REPEATABLE READ", "SERIALIZABLE", "READ COMMITTED"
A, B = Key("claim", "a"), Key("claim", "b")


def keeps_the_contract(face: Face) -> None:
    """Run every check of the contract on one store."""
    if isinstance(face.store, SQLStore):
        check_store(face.store)
    else:
        face.wait(check_async_store(face.store))


@pytest.mark.parametrize("name", ["psycopg", "asyncpg"])
@pytest.mark.parametrize("level", [RR, SER])
@pytest.mark.requirement("S-01")
def test_the_contract_holds_for_a_role_with_another_default_level(
    name: str, level: str, own_postgresql: PostgreSQL
) -> None:
    """``ALTER ROLE ... SET default_transaction_isolation`` changes no answer of the store."""
    role = level.replace(" ", "_").lower()
    with opened_on(BY_NAME[name], as_role(own_postgresql, role, level), pool_size=16) as face:
        assert face.on_connection(lambda c: c.get_isolation_level()) == level
        keeps_the_contract(face)


@pytest.mark.parametrize("name", ["psycopg", "asyncpg"])
@pytest.mark.parametrize("level", [RR, SER, "AUTOCOMMIT"])
@pytest.mark.requirement("S-01")
def test_the_contract_holds_on_a_postgresql_engine_of_another_level(
    name: str, level: str, own_postgresql: PostgreSQL
) -> None:
    """``create_engine(isolation_level=...)`` changes no answer of the store."""
    with opened_on(BY_NAME[name], own_postgresql, pool_size=16, isolation_level=level) as face:
        keeps_the_contract(face)


@pytest.mark.parametrize(
    ("name", "level", "snapshot"),
    [
        *(("pymysql", level, snapshot) for level in (RC, RR, SER) for snapshot in ("ON", "OFF")),
        ("pymysql", "AUTOCOMMIT", "ON"),
        ("asyncmy", RR, "ON"),
        ("asyncmy", SER, "ON"),
    ],
)
@pytest.mark.requirement("S-01")
def test_the_contract_holds_on_a_mariadb_engine_of_every_level(
    name: str, level: str, snapshot: str, own_mariadb: MariaDB
) -> None:
    """With and without ``innodb_snapshot_isolation``, which lets MariaDB refuse a row that has changed (error 1020)."""
    own_mariadb.ask(f"SET GLOBAL innodb_snapshot_isolation = {snapshot}")
    with opened_on(BY_NAME[name], own_mariadb, pool_size=16, isolation_level=level) as face:
        assert face.on_connection(lambda c: c.exec_driver_sql("SELECT @@innodb_snapshot_isolation").scalar()) == (
            1 if snapshot == "ON" else 0
        )
        keeps_the_contract(face)


def as_role(server: PostgreSQL, role: str, level: str) -> str:
    """The address of a server for a role whose transactions have another level."""
    if not server.ask(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
        server.ask(f"CREATE ROLE {role} SUPERUSER LOGIN")
    server.ask(f"ALTER ROLE {role} SET default_transaction_isolation = '{level.lower()}'")
    return server.address.replace("postgres@", f"{role}@")


# -- conflicts ----------------------------------------------------------------------


def two_claims(face: Face) -> None:
    assert face.apply(OLIVIA, Changes(NOW, (a_claim("a"), a_claim("b")))) is APPLIED


UPDATES = {
    "one statement": Changes(NOW, (a_claim("a", version=1),), (Check(B, 1),)),
    "a transaction": Changes(NOW, (a_claim("a", version=1), a_claim("b", version=1))),
}
CHECKS = {
    "one statement": Changes(NOW, (), (Check(A, 1), Check(B, 1))),
    "a transaction": Changes(NOW, (a_claim("a", version=1), a_claim("b", version=1))),
}


@pytest.mark.parametrize("name", ["psycopg", "psycopg-async", "asyncpg"])
@pytest.mark.parametrize(
    ("level", "batch", "wanted"),
    [
        (RC, "one statement", APPLIED),
        (RR, "one statement", Lost(None)),
        (SER, "one statement", Lost(None)),
        (RR, "a transaction", APPLIED),
        (SER, "a transaction", APPLIED),
    ],
)
@pytest.mark.requirement("S-04")
def test_a_failed_serialization_is_lost_with_no_key(
    name: str, level: str, batch: str, wanted: Applied | Lost, own_postgresql: PostgreSQL
) -> None:
    """A row that was written meanwhile, unchanged: PostgreSQL cannot serialize that, and nobody is told of a replay.

    A transaction of the store's own has its own level, READ COMMITTED, and takes the row as it is.
    """
    where = as_role(own_postgresql, level.replace(" ", "_").lower(), level)
    with opened_on(BY_NAME[name], where) as face, ThreadPoolExecutor(1) as pool:
        two_claims(face)
        with stranger(own_postgresql, face) as other:
            other.rewrite(A)
            answer = pool.submit(face.apply, OLIVIA, UPDATES[batch])
            until("the store waits for the row", lambda: waiting(own_postgresql) == 1)
            other.connection.commit()

            assert answer.result(30) == wanted

        (record, _) = face.load(OLIVIA, [A, B])
        assert record is not None
        assert record.version == (2 if wanted is APPLIED else 1)


@pytest.mark.parametrize("name", ["psycopg", "psycopg-async", "asyncpg"])
@pytest.mark.parametrize("batch", CHECKS)
@pytest.mark.requirement("S-04")
def test_a_deadlock_on_postgresql_is_lost_with_no_key(name: str, batch: str, own_postgresql: PostgreSQL) -> None:
    """The store waits for somebody who waits for the store: the database ends one of them, and the store decides again.

    A third holds the first row, until the other is known to wait for it, too; so it is the store that comes to wait
    last, and that looks for deadlocks (the other never does).
    """
    with opened_on(BY_NAME[name], own_postgresql, timeout=20) as face, ThreadPoolExecutor(2) as pool:
        two_claims(face)
        with stranger(own_postgresql, face) as other, stranger(own_postgresql, face) as third:
            third.lock(A)
            other.run("SET deadlock_timeout = '1h'")
            other.lock(B)
            answer = pool.submit(face.apply, OLIVIA, CHECKS[batch])
            until("the store waits for the first row", lambda: waiting(own_postgresql) == 1)
            crossing = pool.submit(other.lock, A)
            until("the other waits for it, too", lambda: waiting(own_postgresql) == 2)
            third.connection.rollback()

            assert answer.result(30) == Lost(None)

            crossing.result(30)
        assert face.apply(OLIVIA, CHECKS[batch]) is APPLIED


@pytest.mark.parametrize("name", ["pymysql", "asyncmy"])
@pytest.mark.parametrize("batch", CHECKS)
@pytest.mark.requirement("S-04")
def test_a_deadlock_on_mariadb_is_lost_with_no_key(name: str, batch: str, own_mariadb: MariaDB) -> None:
    """InnoDB ends the transaction that has written less, which is the store's."""
    with opened_on(BY_NAME[name], own_mariadb, timeout=20) as face, ThreadPoolExecutor(1) as pool:
        two_claims(face)
        own_mariadb.ask("CREATE TABLE IF NOT EXISTS heavy (n INT)", "TRUNCATE heavy")
        with stranger(own_mariadb, face) as other:
            other.run("INSERT INTO heavy SELECT seq FROM seq_1_to_1000")
            other.lock(B)
            answer = pool.submit(face.apply, OLIVIA, CHECKS[batch])
            until("the store waits for the second row", lambda: waiting(own_mariadb) == 1)
            other.lock(A)

            assert answer.result(30) == Lost(None)

        assert face.apply(OLIVIA, CHECKS[batch]) is APPLIED


@every_backend
@pytest.mark.parametrize("batch", UPDATES)
@pytest.mark.requirement("S-03")
def test_a_lock_that_is_held_too_long_refuses_in_time(
    batch: str, backend: Backend, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Somebody keeps a row locked: the store gives up before its time is over, says why, and has written nothing."""
    where: Any = tmp_path if backend.server is None else request.getfixturevalue("own_server")
    with opened_on(backend, where, timeout=3) as face, holding(face, where) as let_go:
        error = refused_in_time(lambda: face.apply(OLIVIA, UPDATES[batch]), 3)
        let_go()

        assert "kept the records locked" in str(error)
        assert [record.version for record in face.load(OLIVIA, [A, B]) if record] == [1, 1]
        assert face.apply(OLIVIA, UPDATES[batch]) is APPLIED


@contextmanager
def holding(face: Face, where: Server | Path) -> Iterator[Any]:
    """Two claims, the second of them locked by somebody else; on SQLite, all of it."""
    two_claims(face)
    if isinstance(where, Server):
        with stranger(where, face) as other:
            other.lock(B)
            yield other.connection.rollback
        return
    engine = sa.create_engine(BY_NAME["sqlite"].url(where))
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection.rollback
    engine.dispose()
