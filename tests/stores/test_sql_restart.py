"""A database that goes away and comes back, and a pool that somebody else holds.

While it is gone every call is refused. When it is back, the same store works. A connection that the pool held over a
restart is dead, and nobody knows before it is used: one call is refused for it, and none where the engine has
``pool_pre_ping``. What was acknowledged is there after a power cut.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from servers import Server, until
from sql_faces import OLIVIA, Face, every_backend, every_served, opened_on, refused_in_time
from sqlalchemy.ext.asyncio import AsyncEngine

from sql_backends import BY_NAME, Backend
from stepup.changes import APPLIED, FENCE
from stepup.errors import StoreUnavailable
from stepup.testing._store_bench import NOW

IDLE = 4
"""How many connections the pool holds over a restart."""


async def _some_async(engine: AsyncEngine) -> list[Any]:
    return [await engine.connect() for _ in range(IDLE)]


async def _close_async(connections: list[Any]) -> int:
    for one in connections:
        await one.close()
    return len(connections)


def take(face: Face) -> list[Any]:
    """Connections of the pool, as an application takes them."""
    engine = face.store.engine
    if isinstance(engine, AsyncEngine):
        taken: list[Any] = face.wait(_some_async(engine))
        return taken
    return [engine.connect() for _ in range(IDLE)]


def give_back(face: Face, connections: list[Any]) -> None:
    if isinstance(face.store.engine, AsyncEngine):
        face.wait(_close_async(connections))
        return
    for one in connections:
        one.close()


def fill_pool(face: Face) -> None:
    """Leave some idle connections in the pool."""
    give_back(face, take(face))
    assert face.pool.checkedin() >= IDLE


def refusals(face: Face, calls: int) -> int:
    """How many of so many calls, one after the other, are refused."""
    refused = 0
    for _ in range(calls):
        try:
            face.load(OLIVIA, [FENCE])
        except StoreUnavailable:
            refused += 1
    return refused


@every_served
@pytest.mark.requirement("S-03")
def test_a_server_that_is_gone_refuses_and_works_again_when_it_is_back(backend: Backend, own_server: Server) -> None:
    """A killed server costs refusals and nothing else; the first call after it is back is answered."""
    with opened_on(backend, own_server, timeout=10) as face:
        face.works("before")
        own_server.kill()

        refused_in_time(lambda: face.load(OLIVIA, [FENCE]), 10)
        refused_in_time(lambda: face.claim("while-gone"), 10)
        refused_in_time(lambda: face.purge(NOW, limit=1), 10)

        own_server.start()
        assert not face.has("while-gone")
        face.works("after")
        assert face.has("before")


@every_served
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_after_a_restart_one_call_is_refused_however_many_connections_died(
    how: str, backend: Backend, own_server: Server
) -> None:
    """The pool held four connections; the first call finds one dead, and then all of them are replaced."""
    with opened_on(backend, own_server, timeout=20) as face:
        fill_pool(face)
        getattr(own_server, how)()
        own_server.start()

        assert refusals(face, 2 * IDLE) <= 1
        face.works("after")


@every_served
def test_with_pre_ping_a_restart_goes_unnoticed(backend: Backend, own_server: Server) -> None:
    """An engine that pings before it hands out a connection finds the dead ones itself."""
    with opened_on(backend, own_server, timeout=20, pool_pre_ping=True) as face:
        fill_pool(face)
        own_server.kill()
        own_server.start()

        assert refusals(face, 2 * IDLE) == 0
        face.works("after")


@every_served
@pytest.mark.requirement("S-01")
def test_what_was_acknowledged_outlives_a_power_cut(backend: Backend, own_server: Server) -> None:
    """A server killed in the middle of writing has every acknowledged batch; the last one is whole, or not there."""
    acknowledged: list[str] = []
    tried: list[str] = []

    def write(face: Face) -> None:
        for number in range(100_000):
            tried.append(f"batch-{number}")
            assert face.claim_twice(tried[-1]) is APPLIED
            acknowledged.append(tried[-1])

    with opened_on(backend, own_server, timeout=20) as face, ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write, face)
        until("some batches are written", lambda: len(acknowledged) >= 30 or writing.done())
        own_server.kill()
        with pytest.raises(StoreUnavailable):
            writing.result(30)
        own_server.start()
        refusals(face, 1)

        assert len(acknowledged) >= 30
        assert [name for name in acknowledged if not face.all_or_nothing(name)] == []
        face.all_or_nothing(tried[-1])


# -- the pool -----------------------------------------------------------------------


@every_backend
@pytest.mark.requirement("S-03")
def test_a_pool_that_the_application_holds_is_refused_in_time(
    backend: Backend, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The engine would wait 30 s for a connection; the store waits as long as it was told, and not a call more."""
    where = tmp_path if backend.server is None else request.getfixturevalue("own_server")
    with opened_on(backend, where, timeout=2, pool_size=IDLE, max_overflow=0) as face:
        held = take(face)

        refused_in_time(lambda: face.load(OLIVIA, [FENCE]), 2)
        refused_in_time(lambda: face.claim("none-free"), 2)

        give_back(face, held)
        until("the background is quiet", lambda: not face.let_run())
        until("all connections are back", lambda: face.pool.checkedout() == 0)
        face.works_soon("free-again")
        assert not face.has("none-free")


@pytest.mark.parametrize("name", ["sqlite", "psycopg", "pymysql"])
def test_sixty_calls_on_two_connections_all_get_their_turn(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A pool that is too small makes callers wait for each other, and none is forgotten."""
    backend = BY_NAME[name]
    where = tmp_path if backend.server is None else request.getfixturevalue(f"own_{backend.server}")
    barrier = threading.Barrier(60)
    with opened_on(backend, where, timeout=30, pool_size=2, max_overflow=0) as face, ThreadPoolExecutor(60) as pool:

        def call(number: int) -> object:
            barrier.wait(30)
            return face.claim(f"claim-{number}")

        answers = list(pool.map(call, range(60)))

        assert answers == [APPLIED] * 60
        assert face.pool.checkedout() == 0
        assert 1 <= face.pool.checkedin() <= 2


def test_an_application_that_keeps_sqlite_locked_is_refused_in_time(tmp_path: Path) -> None:
    """Calls of one process queue for SQLite's one writer; who waited in the queue waits no second time for the lock."""
    with opened_on(BY_NAME["sqlite"], tmp_path, timeout=5) as face, ThreadPoolExecutor(3) as pool:
        other = sa.create_engine(BY_NAME["sqlite"].url(tmp_path))
        with other.connect() as application:
            application.exec_driver_sql("BEGIN IMMEDIATE")
            list(pool.map(lambda n: refused_in_time(lambda: face.claim(f"c{n}"), 5), range(3)))
            application.rollback()
        other.dispose()

        face.works("unlocked")
