"""A database that does not answer: frozen, or a port behind which there is nobody.

Every call is refused within the store's timeout, whatever state the pool was in, and the same store works again when
the database does. Nothing hangs: neither a caller, nor, for longer than the server does, a thread.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from servers import MariaDB, PostgreSQL, Server, until
from sql_faces import OLIVIA, Face, every_served, opened_on, refused_in_time

from sql_backends import BY_NAME, Backend
from stepup.changes import FENCE

TIMEOUT = 0.5
POOLS: dict[str, dict[str, Any]] = {
    "idle": {},
    "empty": {},
    "pre-ping": {"pool_pre_ping": True},
    "recycled": {"pool_recycle": 0},
}


def connecting() -> int:
    """How many threads are opening a connection."""
    return sum(thread.name == "stepup-connecting" for thread in threading.enumerate())


def nobody_waits(face: Face) -> None:
    """Insist that whatever was left in the background comes to its end, and the pool has all its connections."""
    until("nobody opens a connection any more", lambda: connecting() == 0)
    until("the background is quiet", lambda: not face.let_run())
    until("all connections are back", lambda: face.pool.checkedout() == 0)


def load(face: Face) -> object:
    return face.load(OLIVIA, [FENCE])


def apply(face: Face) -> object:
    return face.claim("while-frozen")


def apply_in_transaction(face: Face) -> object:
    return face.claim_twice("two-while-frozen")


@contextmanager
def warmed(backend: Backend, server: Server, **options: Any) -> Iterator[tuple[Face, Face]]:
    """A store with little patience that has been used, and one on the same tables with more, to look with."""
    with (
        opened_on(backend, server, timeout=30) as patient,
        opened_on(backend, server, timeout=TIMEOUT, prefix=patient.prefix, made=False, **options) as face,
    ):
        face.works_soon("before")
        yield face, patient


@every_served
@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.requirement("S-03")
def test_every_call_to_a_frozen_server_is_refused_in_time(backend: Backend, pool: str, own_server: Server) -> None:
    """A server that holds its connections and answers nothing costs a person the store's timeout, and no more."""
    with warmed(backend, own_server, **POOLS[pool]) as (face, patient):
        if pool == "empty":
            face.dispose()
        own_server.freeze()

        for call in (load, apply, apply_in_transaction):
            refused_in_time(partial(call, face), TIMEOUT)

        own_server.thaw()
        nobody_waits(face)
        face.works_soon("after")
        patient.all_or_nothing("two-while-frozen")
        assert patient.has("while-frozen") == ("while-frozen" in patient.told())


@pytest.mark.parametrize("name", ["psycopg", "pymysql"])
def test_a_connection_that_somebody_else_was_given_first_costs_no_more_time(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking for an idle connection and taking it, another thread may; opening one is bounded, too."""
    backend = BY_NAME[name]
    server: Server = request.getfixturevalue(f"own_{backend.server}")
    with warmed(backend, server) as (face, _):
        face.dispose()
        with monkeypatch.context() as patch:
            patch.setattr(sa.QueuePool, "checkedin", lambda _: 1)
            server.freeze()

            refused_in_time(lambda: load(face), TIMEOUT)

            server.thaw()
            nobody_waits(face)
            face.works_soon("after")


@pytest.mark.parametrize("name", ["psycopg", "pymysql"])
def test_forty_callers_at_once_are_all_refused_in_time(name: str, request: pytest.FixtureRequest) -> None:
    """More callers than connections, on a server that does not answer: each waits its timeout, not that of others."""
    backend = BY_NAME[name]
    server: Server = request.getfixturevalue(f"own_{backend.server}")
    with warmed(backend, server) as (face, _), ThreadPoolExecutor(40) as pool:
        server.freeze()
        barrier = threading.Barrier(40)

        def call(_: int) -> None:
            barrier.wait(30)
            refused_in_time(lambda: load(face), TIMEOUT)

        list(pool.map(call, range(40)))

        server.thaw()
        nobody_waits(face)
        face.works_soon("after")


def test_a_database_that_hangs_takes_nothing_from_the_store_in_another(
    own_postgresql: PostgreSQL, own_mariadb: MariaDB
) -> None:
    """Two stores in one process: what waits for the one's server keeps nobody from the other's."""
    with (
        warmed(BY_NAME["psycopg"], own_postgresql, pool_size=64) as (hung, _),
        opened_on(BY_NAME["pymysql"], own_mariadb, timeout=30) as sound,
        ThreadPoolExecutor(40) as pool,
    ):
        hung.dispose()
        sound.dispose()
        own_postgresql.freeze()
        waiting = [pool.submit(refused_in_time, lambda: load(hung), TIMEOUT) for _ in range(40)]
        for one in waiting:
            one.result(30)

        sound.works("meanwhile")

        own_postgresql.thaw()
        nobody_waits(hung)


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield listening.getsockname()[1]


@every_served
@pytest.mark.requirement("S-03")
def test_a_port_that_never_answers_is_refused_in_time(backend: Backend, black_hole: int) -> None:
    """What takes a connection and never says a word is no database, and nobody waits for it longer than for one."""
    where = f"stepup@127.0.0.1:{black_hole}/stepup"
    with opened_on(backend, where, timeout=TIMEOUT, made=False) as face:
        calls: list[Callable[[], object]] = [lambda: load(face), lambda: apply(face), face.check_schema]
        for call in calls:
            refused_in_time(call, TIMEOUT)
