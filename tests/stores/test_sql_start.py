"""How a store begins: its tables, and its engine.

``create_schema`` may be called from everywhere at once. Tables of another version are refused at the first call, and
left as they are.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from servers import ended_well, forks, in_child
from sql_faces import OLIVIA, Face, every_backend, opened_on
from sqlalchemy.ext.asyncio import create_async_engine

from sql_backends import ASYNC, SYNC, Backend, a_prefix
from stepup.changes import APPLIED, FENCE, Changes
from stepup.errors import ConfigurationError, SchemaMismatch
from stepup.stores.sql import AsyncSQLStore, SQLStore
from stepup.testing._store_bench import NOW, a_claim

CROWD = 8


def place(backend: Backend, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    """Where a backend is, for ``opened_on``."""
    return tmp_path if backend.server is None else request.getfixturevalue("own_server")


# -- the tables ---------------------------------------------------------------------


def rows_without_a_person(face: Face) -> object:
    """How many fences and versions there are."""
    record = face.store.tables.record
    nobody = sa.select(sa.func.count()).where(sa.cast(record.c.partition, sa.String(64)) == "")
    return face.on_connection(lambda connection: connection.execute(nobody).scalar())


@pytest.mark.parametrize("backend", SYNC, ids=str)
def test_threads_that_make_the_tables_at_once_all_succeed(
    backend: Backend, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Every worker of an application may call ``create_schema`` when it starts."""
    where, prefix, barrier = place(backend, tmp_path, request), a_prefix(), threading.Barrier(CROWD)

    def start(number: int) -> int:
        with opened_on(backend, where, prefix=prefix, made=False) as face:
            barrier.wait(30)
            face.create_schema()
            face.works(f"worker-{number}")
            (fence,) = face.load(OLIVIA, [FENCE])
            assert fence is not None
            return fence.version

    with ThreadPoolExecutor(CROWD) as pool:
        fences = set(pool.map(start, range(CROWD)))

    with opened_on(backend, where, prefix=prefix, made=False) as face:
        assert len(fences) == 1
        assert rows_without_a_person(face) == 2


@forks
@pytest.mark.parametrize("backend", SYNC, ids=str)
def test_processes_that_make_the_tables_at_once_all_succeed(
    backend: Backend, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """So may every process of it."""
    where, prefix = place(backend, tmp_path, request), a_prefix()
    reading, writing = os.pipe()

    def start() -> None:
        os.close(writing)
        with opened_on(backend, where, prefix=prefix, made=False) as face:
            os.read(reading, 1)  # until the parent closes it
            face.create_schema()
            face.works(f"process-{os.getpid()}")

    children = [in_child(start) for _ in range(CROWD)]
    os.close(writing)

    assert ended_well(children)
    os.close(reading)
    with opened_on(backend, where, prefix=prefix, made=False) as face:
        assert rows_without_a_person(face) == 2


@forks
def test_processes_that_open_one_sqlite_file_at_once_all_succeed(tmp_path: Path) -> None:
    """``SQLStore.sqlite`` makes its tables itself, and switches a new file to a write-ahead log."""
    path = tmp_path / "store" / "stepup.db"
    path.parent.mkdir()
    reading, writing = os.pipe()

    def start() -> None:
        os.close(writing)
        os.read(reading, 1)
        store = SQLStore.sqlite(path, timeout=20)
        assert store.apply(OLIVIA, Changes(NOW, (a_claim(f"process-{os.getpid()}"),))) is APPLIED

    children = [in_child(start) for _ in range(CROWD)]
    os.close(writing)

    assert ended_well(children)
    os.close(reading)


@pytest.mark.parametrize("backend", ASYNC, ids=str)
def test_tasks_that_make_the_tables_at_once_all_succeed(
    backend: Backend, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The async face, too."""
    with opened_on(backend, place(backend, tmp_path, request), made=False, pool_size=CROWD) as face:

        async def start() -> None:
            store = face.store
            assert isinstance(store, AsyncSQLStore)
            await asyncio.gather(*(store.create_schema() for _ in range(CROWD)))

        face.wait(start())

        assert rows_without_a_person(face) == 2
        face.works("after")


def rewritten(face: Face, statement: sa.Update | sa.Delete) -> None:
    """Change the row of the schema's version."""

    def work(connection: sa.Connection) -> None:
        kind = sa.cast(face.store.tables.record.c.kind, sa.String(64))
        assert connection.execute(statement.where(kind == "schema")).rowcount == 1
        connection.commit()

    face.on_connection(work)


def dropped(index: sa.Index, connection: sa.Connection) -> None:
    index.drop(connection)
    connection.commit()


@every_backend
def test_tables_of_another_version_are_refused_at_the_first_call(
    backend: Backend, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A release never guesses at tables that it does not know, and does not touch them."""
    where, prefix = place(backend, tmp_path, request), a_prefix()
    with opened_on(backend, where, prefix=prefix) as maker:
        record = maker.store.tables.record
        rewritten(maker, sa.update(record).values(version=99))
        index = next(one for one in record.indexes if str(one.name).endswith("_tag"))
        maker.on_connection(partial(dropped, index))

        with opened_on(backend, where, prefix=prefix, made=False) as face:
            calls: list[Callable[[], object]] = [
                lambda: face.load(OLIVIA, [FENCE]),
                lambda: face.claim("x"),
                lambda: face.purge(NOW, limit=1),
                face.check_schema,
                face.create_schema,
            ]
            for call in calls:
                with pytest.raises(SchemaMismatch) as caught:
                    call()
                assert (caught.value.found, caught.value.supported) == (99, (1,))
                assert str(caught.value) == (
                    "The store's schema has version 99; this release works on 1."
                    " Run the migrations, or the release that the schema belongs to."
                )
            indexes = face.on_connection(lambda connection: sa.inspect(connection).get_indexes(record.name))
            assert index.name not in {one["name"] for one in indexes}

            rewritten(maker, sa.update(record).values(version=1))
            face.works("x")


@every_backend
def test_tables_that_are_not_there_are_named(backend: Backend, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """No tables, or none with a version: the message says how to make them."""
    where, prefix = place(backend, tmp_path, request), a_prefix()
    said = "The store's tables are not there. Call create_schema(), or run the migrations."
    with opened_on(backend, where, prefix=prefix, made=False) as face:
        with pytest.raises(SchemaMismatch) as caught:
            face.load(OLIVIA, [FENCE])
        assert (caught.value.found, str(caught.value)) == (None, said)

        face.create_schema()
        rewritten(face, sa.delete(face.store.tables.record))
        with opened_on(backend, where, prefix=prefix, made=False) as other:
            with pytest.raises(SchemaMismatch) as caught:
                other.claim("x")
            assert (caught.value.found, str(caught.value)) == (None, said)


# -- the engine ---------------------------------------------------------------------


def test_a_function_names_the_engine_anew_for_every_call(tmp_path: Path) -> None:
    """An application that makes its engine later, or has several, gives a function."""
    engines = [sa.create_engine(f"sqlite:///{tmp_path / name}") for name in ("a.db", "b.db")]
    current = engines[0]
    store = SQLStore(lambda: current)
    for engine in engines:
        current = engine
        store.create_schema()
        assert store.engine is engine
        assert store.apply(OLIVIA, Changes(NOW, (a_claim("once"),))) is APPLIED

    fences = set()
    for engine in engines:
        current = engine
        (fence,) = store.load(OLIVIA, [FENCE])
        assert fence is not None
        fences.add(fence.version)
        engine.dispose()
    assert len(fences) == 2


def test_an_engine_of_the_wrong_kind_is_refused(tmp_path: Path) -> None:
    """At once where it is seen at once; at the first call where a function answers it."""
    sync = sa.create_engine(f"sqlite:///{tmp_path / 'a.db'}")
    later = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
    wrong: Any = object()

    for made in (
        lambda: SQLStore(later),  # type: ignore[arg-type] # what is refused
        lambda: AsyncSQLStore(sync),  # type: ignore[arg-type] # what is refused
        lambda: SQLStore(wrong),
        lambda: AsyncSQLStore(wrong),
        lambda: SQLStore(None),  # type: ignore[arg-type] # what is refused
    ):
        with pytest.raises(ConfigurationError):
            made()
    with pytest.raises(ConfigurationError, match=r"must be a sqlalchemy\.Engine, not a AsyncEngine"):
        SQLStore(lambda: later).load(OLIVIA, [FENCE])  # type: ignore[arg-type, return-value] # what is refused
    with pytest.raises(ConfigurationError, match="must be an AsyncEngine, not a Engine"):
        asyncio.run(AsyncSQLStore(lambda: sync).load(OLIVIA, [FENCE]))  # type: ignore[arg-type, return-value] # what is refused
    with pytest.raises(ConfigurationError, match="not a NoneType"):
        SQLStore(lambda: None).check_schema()  # type: ignore[arg-type, return-value] # what is refused
