"""A connection goes back to the pool as it came, and none is lost: after success, defeat, failure, interruption."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from servers import PostgreSQL, Server, until
from sql_faces import OLIVIA, Face, every_backend, opened_on, stranger, waiting

from sql_backends import ASYNC, BY_NAME, Backend
from stepup.changes import APPLIED, Changes, Check, Key, Lost
from stepup.errors import StepUpError, StoreUnavailable
from stepup.stores.sql import AsyncSQLStore
from stepup.testing._store_bench import NOW, a_claim, an_event

QUESTIONS = {
    "postgresql": (
        "SHOW transaction_isolation", "SHOW default_transaction_isolation", "SHOW transaction_read_only",
        "SHOW lock_timeout", "SHOW statement_timeout",
    ),
    "mysql": (
        "SELECT @@session.tx_isolation", "SELECT @@autocommit", "SELECT @@innodb_lock_wait_timeout",
        "SELECT @@lock_wait_timeout", "SELECT @@sql_mode", "SELECT @@in_transaction",
    ),
    "sqlite": ("PRAGMA busy_timeout", "PRAGMA query_only", "PRAGMA foreign_keys", "PRAGMA read_uncommitted"),
}  # fmt: skip
ENGINES: dict[str, tuple[str | None, dict[str, Any]]] = {
    "plain": (None, {}),
    "serializable": (None, {"isolation_level": "SERIALIZABLE"}),
    "autocommit": (None, {"isolation_level": "AUTOCOMMIT"}),
    "its own session": ("session", {}),
}
SESSIONS = {
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE",
    "mysql": "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "sqlite": "PRAGMA busy_timeout = 4321",
}


def state(face: Face) -> list[object]:
    """What an application can see of a connection of the pool."""

    def ask(connection: sa.Connection) -> list[object]:
        driver: Any = connection.connection.driver_connection
        seen: list[object] = (
            [getattr(driver, "autocommit", None) if not callable(driver.autocommit) else None]
            if (hasattr(driver, "autocommit"))
            else []
        )
        seen.append(getattr(driver, "isolation_level", None))
        seen.append(connection.dialect.detect_autocommit_setting(connection.connection.dbapi_connection))  # type: ignore[arg-type] # there is one
        seen.append(getattr(driver, "in_transaction", None))
        seen += [connection.exec_driver_sql(one).scalar() for one in QUESTIONS[connection.dialect.name]]
        return seen

    return face.on_connection(ask)


def the_driver(face: Face) -> object:
    """The driver's own connection."""
    return face.on_connection(lambda connection: connection.connection.driver_connection)


def success(face: Face) -> None:
    """A batch in one statement, one in a transaction, a read, and a purge."""
    assert face.claim("one") is APPLIED
    assert face.claim_twice("two") is APPLIED
    assert face.apply(OLIVIA, Changes(NOW, (a_claim("three", version=0),), erase=True)) is APPLIED
    assert face.has("three")
    face.purge(NOW, limit=10)


def defeat(face: Face) -> None:
    """Batches whose versions do not hold."""
    assert face.claim("one") is APPLIED
    assert face.claim("one") == Lost(Key("claim", "one"))
    assert face.claim("other", checks=(Check(Key("claim", "one"), 7),)) == Lost(Key("claim", "one"))
    assert isinstance(face.apply(OLIVIA, Changes(NOW, (a_claim("one"), a_claim("two")))), Lost)


def failure(face: Face) -> None:
    """Batches that the database refuses in the middle."""
    face.refuse_events_with("forbidden")
    for puts in ((a_claim("one"),), (a_claim("one"), a_claim("two"))):
        with pytest.raises(StoreUnavailable):
            face.apply(OLIVIA, Changes(NOW, puts, (), (an_event("forbidden"),)))
    assert not face.has("one")


@every_backend
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("work", [success, defeat, failure], ids=lambda one: one.__name__)
def test_a_connection_goes_back_as_it_came(
    work: Callable[[Face], None], engine: str, backend: Backend, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Level, autocommit, timeouts and transactions of the application's only connection are what they were."""
    where: Any = tmp_path if backend.server is None else request.getfixturevalue("own_server")
    session, options = ENGINES[engine]
    with opened_on(backend, where, made=False, pool_size=1, max_overflow=0, **options) as face:
        if session:

            @sa.event.listens_for(face.engine, "connect")
            def connected(connection: Any, _: object) -> None:
                cursor = connection.cursor()
                cursor.execute(SESSIONS[face.engine.dialect.name])
                cursor.close()
                connection.commit()

        before, driver = state(face), the_driver(face)
        face.create_schema()
        work(face)

        assert state(face) == before
        assert the_driver(face) is driver
        assert face.pool.checkedout() == 0


@pytest.mark.parametrize("name", ["psycopg", "pymysql", "asyncpg", "asyncmy"])
@pytest.mark.parametrize("work", [success, defeat, failure], ids=lambda one: one.__name__)
def test_no_transaction_is_left_open(work: Callable[[Face], None], name: str, request: pytest.FixtureRequest) -> None:
    """A connection that waits in the pool keeps nobody from anything."""
    backend = BY_NAME[name]
    server: Server = request.getfixturevalue(f"own_{backend.server}")
    with opened_on(backend, server, pool_size=1, max_overflow=0) as face:
        work(face)

        assert open_transactions(server) == 0


def open_transactions(server: Server) -> object:
    if isinstance(server, PostgreSQL):
        question = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%'"
    else:
        question = "SELECT count(*) FROM information_schema.innodb_trx"
    ((number,),) = server.ask(question)
    return number


# -- interruptions ------------------------------------------------------------------


@pytest.mark.parametrize("backend", ASYNC, ids=str)
@pytest.mark.parametrize("patience", [0.0, 0.0005, 0.002, 0.005])
@pytest.mark.requirement("S-01")
def test_a_cancelled_call_leaves_a_whole_batch_or_none(
    patience: float, backend: Backend, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A client that goes away cancels its request, at any moment; the pool has its connection back soon after."""
    where: Any = tmp_path if backend.server is None else request.getfixturevalue("own_server")
    with opened_on(backend, where, pool_size=2, max_overflow=0) as face:
        store = face.store
        assert isinstance(store, AsyncSQLStore)

        async def cancelled(number: int) -> bool:
            puts = (a_claim(f"c{number}"), a_claim(f"c{number}-too"))
            call = asyncio.create_task(store.apply(OLIVIA, Changes(NOW, puts, (), (an_event(f"c{number}"),))))
            await asyncio.sleep(patience)
            call.cancel()
            await asyncio.wait({call})
            return call.cancelled()

        for number in range(10):
            face.wait(cancelled(number))
        until("the background is quiet", lambda: not face.let_run())

        assert face.pool.checkedout() == 0
        for number in range(10):
            face.all_or_nothing(f"c{number}")
        face.works("after")


@pytest.mark.parametrize("backend", ASYNC, ids=str)
def test_a_cancelled_call_that_fails_complains_of_nothing(
    backend: Backend, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Nobody waits any more for what goes wrong in the background, and the loop does not say that nobody did."""
    where: Any = tmp_path if backend.server is None else request.getfixturevalue("own_server")
    with opened_on(backend, where) as face:
        face.refuse_events_with("forbidden")
        store = face.store
        assert isinstance(store, AsyncSQLStore)

        async def cancelled() -> None:
            call = asyncio.create_task(store.apply(OLIVIA, Changes(NOW, (), (), (an_event("forbidden"),))))
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait({call})

        face.wait(cancelled())
        until("the background is quiet", lambda: not face.let_run())
        gc.collect()

        assert face.complaints == []


@pytest.mark.parametrize("backend", ASYNC, ids=str)
def test_a_loop_that_ends_in_the_middle_of_a_call_complains_of_nothing(
    backend: Backend, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """What still runs when the loop ends is cancelled by it, and says nothing of it."""
    where: Any = tmp_path if backend.server is None else request.getfixturevalue("own_server")
    with opened_on(backend, where) as face:
        store = face.store
        assert isinstance(store, AsyncSQLStore)

        async def leave() -> None:
            calls = [asyncio.create_task(store.apply(OLIVIA, Changes(NOW, (a_claim(f"c{n}"),)))) for n in range(5)]
            await asyncio.sleep(0.001)
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)

        face.wait(leave())
        complaints = face.complaints

    assert complaints == []


class Interrupted(BaseException):
    """What a signal handler raises, as ``KeyboardInterrupt`` is raised."""


@pytest.mark.parametrize("name", ["psycopg", "pymysql"])
@pytest.mark.requirement("S-01")
def test_an_interrupt_in_the_middle_of_a_call_leaves_the_pool_usable(name: str, request: pytest.FixtureRequest) -> None:
    """Ctrl-C while the database is waited for: the connection is thrown away, and the next call gets another."""
    backend = BY_NAME[name]
    server: Server = request.getfixturevalue(f"own_{backend.server}")

    def interrupt(*_: object) -> None:
        raise Interrupted

    with opened_on(backend, server, timeout=20, pool_size=1, max_overflow=0) as face:
        face.works("before")
        main = threading.main_thread().ident
        assert main is not None
        before = signal.signal(signal.SIGUSR1, interrupt)
        try:
            with stranger(server, face) as other, ThreadPoolExecutor(1) as pool:
                other.lock(Key("claim", "before"))

                def signal_when_waiting() -> None:
                    until("the store waits", lambda: waiting(server) == 1)
                    signal.pthread_kill(main, signal.SIGUSR1)

                signalling = pool.submit(signal_when_waiting)
                with pytest.raises(Interrupted):
                    face.apply(OLIVIA, Changes(NOW, (a_claim("before", version=1),)))
                signalling.result(30)

                assert face.pool.checkedout() == 0
                assert face.claim("meanwhile", partition="0b" * 32) is APPLIED
        finally:
            signal.signal(signal.SIGUSR1, before)
        face.works("after")


def test_interrupts_at_any_moment_do_not_use_the_pool_up(tmp_path: Path, own_postgresql: PostgreSQL) -> None:
    """A timer interrupts a busy caller a hundred times; whatever it hits, the pool of two works afterwards.

    One that lands in a callback of pydantic's or the driver's is swallowed there, and the call is refused.
    """

    def interrupt(*_: object) -> None:
        raise Interrupted

    with opened_on(BY_NAME["psycopg"], own_postgresql, timeout=20, pool_size=2, max_overflow=0) as face:
        before = signal.signal(signal.SIGALRM, interrupt)
        hits = 0
        try:
            for number in range(100):
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.0005 + 0.00003 * number)
                    for part in range(100):
                        face.claim_twice(f"n{number}-{part}")
                except (Interrupted, StepUpError):
                    hits += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

        assert hits >= 90
        gc.collect()  # what an interrupt left in a cycle is given back when that is collected
        # SQLAlchemy's own pool has moments in which an interrupt costs it a connection; one of a hundred is allowed.
        until("a connection can be had", lambda: face.pool.checkedout() <= 1)
        face.works("after")
