"""A database that is full, or refuses a row: what is raised, and what is not said.

``StoreFull`` and a remedy for the operator; nothing is half written; and no word of what was being written stands in
an error, its causes or the log, whatever the server quotes.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from servers import MariaDB, PostgreSQL, until
from sql_faces import OLIVIA, Face, every_backend, every_served, opened_on

from sql_backends import BY_NAME, Backend
from stepup.changes import APPLIED, Changes
from stepup.errors import StoreFull, StoreUnavailable
from stepup.testing._store_bench import NOW, a_claim, an_event

SQLITE = pytest.mark.parametrize("backend", [BY_NAME["sqlite"], BY_NAME["aiosqlite"]], ids=str)
POSTGRESQL = pytest.mark.parametrize("backend", [BY_NAME[n] for n in ("psycopg", "psycopg-async", "asyncpg")], ids=str)
MARIADB = pytest.mark.parametrize("backend", [BY_NAME[n] for n in ("pymysql", "asyncmy")], ids=str)
SECRET = "olivia-pays-zoe-120"


def run(face: Face, *statements: str) -> None:
    """Run statements on a connection of the pool, and commit."""

    def work(connection: sa.Connection) -> None:
        for statement in statements:
            connection.exec_driver_sql(statement)
        connection.commit()

    face.on_connection(work)


# -- full ---------------------------------------------------------------------------


def full(face: Face) -> str:
    """Write until there is no room; the name of what did not fit."""
    for number in range(3000):
        if not fits(face, f"fill-{number}"):
            return f"fill-{number}"
    raise AssertionError("there is always room")


def fits(face: Face, name: str) -> bool:
    """Whether a batch is written; it is refused for want of room otherwise, and for nothing else."""
    try:
        return face.apply(OLIVIA, _large(name)) is APPLIED
    except StoreFull:
        return False


def _large(name: str) -> Changes:
    puts = (a_claim(name, "r" * 100), a_claim(f"{name}-too", "r" * 100))
    return Changes(NOW, puts, (), (an_event(name),))


@SQLITE
@pytest.mark.requirement("S-03")
def test_a_full_sqlite_file_refuses_and_takes_writes_again_with_room(backend: Backend, tmp_path: Path) -> None:
    """No page more is to be had: the batch is refused as a whole, and fits later."""
    with opened_on(backend, tmp_path, pool_size=1, max_overflow=0) as face:
        face.works("before")
        run(face, "PRAGMA max_page_count = 40")

        name = full(face)

        assert not face.all_or_nothing(name)
        assert face.has("before")
        run(face, "PRAGMA max_page_count = 100000")
        assert face.apply(OLIVIA, _large(name)) is APPLIED


@POSTGRESQL
@pytest.mark.requirement("S-03")
def test_a_full_postgresql_refuses_and_takes_writes_again_with_room(
    backend: Backend, own_postgresql: PostgreSQL
) -> None:
    """PostgreSQL says ``disk_full`` in the middle of a batch; a trigger says it here."""
    with opened_on(backend, own_postgresql) as face:
        table = face.store.tables.event.name
        run(
            face,
            f"CREATE FUNCTION {table}_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$",
            f"CREATE TRIGGER full_now BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_full()",
        )

        with pytest.raises(StoreFull):
            face.claim("one")
        with pytest.raises(StoreFull):
            face.claim_twice("two")

        run(face, f"DROP TRIGGER full_now ON {table}")
        assert not face.has("one")
        assert not face.all_or_nothing("two")
        face.works("one")


def bounded(megabytes: int) -> tuple[str, ...]:
    """All of InnoDB in one file that does not grow beyond so much."""
    return f"--innodb-data-file-path=ibdata1:12M:autoextend:max:{megabytes}M", "--innodb-file-per-table=0"


@pytest.fixture(scope="module")
def small_mariadb() -> Iterator[MariaDB]:
    """A server whose one file does not grow beyond 20 MB."""
    server = MariaDB.made(*bounded(20))
    yield server
    server.remove()


@pytest.mark.parametrize(("backend", "room"), [(BY_NAME["pymysql"], 40), (BY_NAME["asyncmy"], 60)], ids=str)
@pytest.mark.requirement("S-03")
def test_a_full_mariadb_refuses_and_takes_writes_again_with_room(
    backend: Backend, room: int, small_mariadb: MariaDB
) -> None:
    """The tablespace has reached its bounds: the batch is refused as a whole, and fits later."""
    with opened_on(backend, small_mariadb) as face:
        face.works("before")
        run(face, "CREATE TABLE IF NOT EXISTS filler (b LONGBLOB)")
        for size in (1_000_000, 100_000, 10_000):
            while inserts(face, f"INSERT INTO filler VALUES (repeat('x', {size}))"):
                pass

        name = full(face)

        assert not face.all_or_nothing(name)
        assert face.has("before")
        small_mariadb.stop()
        small_mariadb.options = bounded(room)
        small_mariadb.start()
        until("the store has another connection", lambda: face.answers())
        assert face.apply(OLIVIA, _large(name)) is APPLIED


def inserts(face: Face, statement: str) -> bool:
    try:
        run(face, statement)
    except sa.exc.DBAPIError:
        return False
    return True


# -- what is not said ---------------------------------------------------------------


def says_nothing(error: BaseException, log: str) -> None:
    """Insist that nothing that hangs on the error, or was logged, holds the secret."""
    said = [str(error), repr(error), *map(str, error.args), "".join(traceback.format_exception(error)), log]
    said += [repr(vars(error)), *getattr(error, "__notes__", [])]

    assert error.__cause__ is None
    assert error.__context__ is None
    assert [text for text in said if SECRET in text] == []


BATCHES: dict[str, Changes] = {
    "one statement": Changes(NOW, (a_claim("x", SECRET),), (), (an_event(SECRET),)),
    "a transaction": Changes(NOW, (a_claim("x", SECRET), a_claim("y", SECRET)), (), (an_event(SECRET),)),
}


@every_backend
@pytest.mark.parametrize("batch", BATCHES)
def test_a_refused_row_is_not_quoted(
    batch: str, backend: Backend, tmp_path: Path, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """The server's own message holds the row that it refused; the error that comes out holds no word of it."""
    where: Any = tmp_path if backend.server is None else request.getfixturevalue("own_server")
    with opened_on(backend, where) as face:
        face.refuse_events_with(SECRET)
        with caplog.at_level(logging.INFO), pytest.raises(StoreUnavailable) as caught:
            face.apply(OLIVIA, BATCHES[batch])

        says_nothing(caught.value, caplog.text)
        assert quoted_by_the_server(face)


def quoted_by_the_server(face: Face) -> bool:
    """Whether the driver's own error for such a row does hold the secret; otherwise the test would show nothing."""
    table = face.store.tables.event.name
    values = f"'{'0a' * 32}', '1', '2020-02-29 12:00:00', 't', 'ok', 'a', '{SECRET}', 0, 'low', '-'"
    columns = "partition, id, at, type, result, actor, reason, risk_score, risk_level, detail"
    if face.engine.dialect.name == "mysql":
        columns = columns.replace("partition", "`partition`")
    try:
        run(face, f"INSERT INTO {table} ({columns}) VALUES ({values})")
    except sa.exc.DBAPIError as error:
        original: Any = error.orig
        while original.__cause__ is not None:
            original = original.__cause__
        return SECRET in f"{original} {getattr(original, 'detail', '')}"
    return False


@every_served
@pytest.mark.parametrize("batch", BATCHES)
def test_a_value_that_is_too_long_is_not_quoted(
    batch: str, backend: Backend, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """A column that somebody made shorter: the database refuses the reason, and no word of it is in the error."""
    with opened_on(backend, request.getfixturevalue("own_server")) as face:
        how = "MODIFY reason" if backend.server == "mariadb" else "ALTER reason TYPE"
        run(face, f"ALTER TABLE {face.store.tables.event.name} {how} varchar(5)")
        with caplog.at_level(logging.INFO), pytest.raises(StoreUnavailable) as caught:
            face.apply(OLIVIA, BATCHES[batch])

        says_nothing(caught.value, caplog.text)
        assert not face.has("x")
