"""A database that takes no writes: a replica, a role that only reads, a file that was opened for reading.

What it answers may be old. Every decision that allows something ends in a batch, and every batch is refused, with the
remedy that helps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from servers import MariaDB, PostgreSQL, until
from sql_faces import OLIVIA, Face, opened_on

from sql_backends import BY_NAME, Backend
from stepup.changes import FENCE, Changes, Check, Key
from stepup.errors import StoreUnavailable
from stepup.testing._store_bench import NOW, a_claim, an_event

SQLITE = pytest.mark.parametrize("backend", [BY_NAME["sqlite"], BY_NAME["aiosqlite"]], ids=str)
POSTGRESQL = pytest.mark.parametrize("backend", [BY_NAME[n] for n in ("psycopg", "psycopg-async", "asyncpg")], ids=str)
MARIADB = pytest.mark.parametrize("backend", [BY_NAME[n] for n in ("pymysql", "asyncmy")], ids=str)


def writes_are_refused(face: Face) -> None:
    """Insist that whatever a decision is made of is refused, and reading is not: it only ever precedes a batch."""
    (fence,) = face.load(OLIVIA, [FENCE])
    assert fence is not None
    for batch in (
        Changes(NOW, (a_claim("x"),)),
        Changes(NOW, (a_claim("x"), a_claim("y"))),
        Changes(NOW, (), (), (an_event("x"),)),
        Changes(NOW, (a_claim("before", version=1),)),
    ):
        is_read_only(face, batch)
    with pytest.raises(StoreUnavailable):
        face.purge(NOW, limit=1)


def is_read_only(face: Face, batch: Changes) -> None:
    """Insist that a batch is refused because the database takes none, and says what to do about it."""
    with pytest.raises(StoreUnavailable) as caught:
        face.apply(OLIVIA, batch)
    assert caught.value.remedy == "Connect to the primary, not to a replica."


def a_check(face: Face) -> Changes:
    """A batch that writes nothing, and only relies on what is there."""
    (fence,) = face.load(OLIVIA, [FENCE])
    assert fence is not None
    return Changes(NOW, (), (Check(Key("claim", "before"), 1), Check(FENCE, fence.version)))


@SQLITE
@pytest.mark.requirement("S-03")
def test_a_sqlite_file_that_is_opened_for_reading_refuses(backend: Backend, tmp_path: Path) -> None:
    """A read-only file answers what it holds and takes nothing."""
    with opened_on(backend, tmp_path) as writer:
        writer.works("before")
        address = f"/file:{tmp_path / 'stepup.db'}?mode=ro&uri=true"
        with opened_on(backend, address, prefix=writer.prefix, made=False) as face:
            writes_are_refused(face)


@POSTGRESQL
@pytest.mark.requirement("S-03")
def test_a_role_that_only_reads_refuses(backend: Backend, own_postgresql: PostgreSQL) -> None:
    """``default_transaction_read_only`` is how a fail-over keeps the old primary from being written to."""
    own_postgresql.ask("DROP ROLE IF EXISTS reader", "CREATE ROLE reader SUPERUSER LOGIN")
    own_postgresql.ask("ALTER ROLE reader SET default_transaction_read_only = on")
    with opened_on(backend, own_postgresql) as writer:
        writer.works("before")
        where = own_postgresql.address.replace("postgres@", "reader@")
        with opened_on(backend, where, prefix=writer.prefix, made=False) as face:
            writes_are_refused(face)
            is_read_only(face, a_check(face))


@pytest.fixture(scope="module")
def primary() -> Iterator[PostgreSQL]:
    server = PostgreSQL.made()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def standby(primary: PostgreSQL) -> Iterator[PostgreSQL]:
    server = primary.standby()
    yield server
    server.remove()


@POSTGRESQL
@pytest.mark.requirement("S-03")
def test_a_standby_reads_what_may_be_old_and_refuses_every_batch(
    backend: Backend, primary: PostgreSQL, standby: PostgreSQL
) -> None:
    """A replica may not know yet that a proof was spent; since every decision ends in a batch, it can allow nothing."""
    with opened_on(backend, primary) as writer:
        writer.works("before")
        with opened_on(backend, standby, prefix=writer.prefix, made=False) as face:
            until("the standby has caught up", lambda: caught_up(face))
            standby.ask("SELECT pg_wal_replay_pause()")
            writer.works("spent")

            assert not face.has("spent")
            writes_are_refused(face)
            is_read_only(face, a_check(face))

            standby.ask("SELECT pg_wal_replay_resume()")
            until("the standby has caught up", lambda: face.has("spent"))


def caught_up(face: Face) -> bool:
    return face.answers() and face.has("before")


@MARIADB
@pytest.mark.requirement("S-03")
def test_a_read_only_mariadb_refuses(backend: Backend, own_mariadb: MariaDB) -> None:
    """``read_only`` is what a replica has, and what a primary gets before a fail-over."""
    with read_only(backend, own_mariadb) as face:
        writes_are_refused(face)
        own_mariadb.ask("SET GLOBAL read_only = OFF")

        face.works("after")


@MARIADB
@pytest.mark.requirement("S-03")
def test_a_read_only_mariadb_refuses_what_only_checks(backend: Backend, own_mariadb: MariaDB) -> None:
    """A replica may not know yet that a session was signed out: it does not vouch for what it holds."""
    with read_only(backend, own_mariadb) as face:
        is_read_only(face, a_check(face))


@contextmanager
def read_only(backend: Backend, server: MariaDB) -> Iterator[Face]:
    """A store on a server that has become read-only."""
    with opened_on(backend, server) as face:
        face.works("before")
        server.ask("SET GLOBAL read_only = ON")
        try:
            yield face
        finally:
            server.ask("SET GLOBAL read_only = OFF")
