"""The stores that the proofs run on, by name: one place to add one.

``open_store(name, where)`` opens a store for one process. Two different *where* never see each other's records; the
same *where* opened again is the same store, which is what a restart is. ``open_async_store`` is its async twin.
``close_store`` gives back what was opened, ``drop_store`` what a server would keep, and ``everything`` reads all of a
durable store, behind its back. Where the servers are, stands in ``tests/sql_backends.py``.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from stepup.changes import Key, Record
from stepup.ports import AsyncStore, Store
from stepup.stores.memory import AsyncMemoryStore, MemoryStore

TIMEOUT: Final = 30.0
DRIVERS: Final = {"postgresql": ("psycopg", "psycopg-async"), "mariadb": ("pymysql", "asyncmy")}
STORES: Final = ("memory", "sqlite", *DRIVERS)
DURABLE: Final = STORES[1:]


class NotThereYet(Exception):
    """The store cannot be opened here; says why and what to do."""


def open_store(name: str, where: str = "") -> Store:
    """The store *name*, in the corner *where*: the beginning of a file's path; on a server, tables named for it.

    Raises:
        NotThereYet: for a name that nothing is known of, or a server that does not answer.
    """
    if name == "memory":
        return MemoryStore()
    import sqlalchemy as sa

    from stepup.stores.sql import SQLStore

    if name == "sqlite":
        return SQLStore.sqlite(f"{where}.db", timeout=TIMEOUT)
    engine = sa.create_engine(_address(name, 0))
    store = SQLStore(engine, table_prefix=_prefix(where), timeout=TIMEOUT)
    store.create_schema()
    return store


def open_async_store(name: str, where: str = "") -> AsyncStore:
    """As ``open_store``, for the async face.

    Raises:
        NotThereYet: as ``open_store``.
    """
    if name == "memory":
        return AsyncMemoryStore()
    from sqlalchemy.ext.asyncio import create_async_engine

    from stepup.stores.sql import AsyncSQLStore

    if name == "sqlite":
        return AsyncSQLStore.sqlite(f"{where}.db", timeout=TIMEOUT)
    close_store(open_store(name, where))  # makes the tables, without an event loop
    return AsyncSQLStore(create_async_engine(_address(name, 1)), table_prefix=_prefix(where), timeout=TIMEOUT)


def _address(name: str, face: int) -> str:
    if name not in DRIVERS:
        raise NotThereYet(f"There is no store {name!r}: add it to {__name__}.py.")
    if (tests := str(Path(__file__).parents[1])) not in sys.path:
        sys.path.insert(0, tests)
    backends: Any = importlib.import_module("sql_backends")
    if (why := backends.problem(name)) is not None:
        raise NotThereYet(f"Not reachable: {why}.")
    return str(backends.BY_NAME[DRIVERS[name][face]].url(Path()))


def _prefix(where: str) -> str:
    return f"f{hashlib.sha256(where.encode()).hexdigest()[:12]}_"


def close_store(store: Any) -> None:
    """Give back the connections of a sync store that was opened here."""
    engine = getattr(store, "engine", None)
    if engine is not None:
        engine.dispose()


def drop_store(name: str, where: str) -> None:
    """Remove the tables of a store on a server; a file goes with its folder."""
    if name in DRIVERS:
        store: Any = open_store(name, where)
        store.tables.record.metadata.drop_all(store.engine)
        close_store(store)


def everything(store: Any, partition: str) -> Mapping[Key, Record]:
    """Every record of *partition* in a durable store, found in its table and read through the store.

    Raises:
        NotThereYet: for a store that has no table to look into.
    """
    tables = getattr(store, "tables", None)
    if tables is None:
        raise NotThereYet(f"Nothing is known of how to look into a {type(store).__name__}: add it to {__name__}.py.")
    import sqlalchemy as sa

    columns = tables.record.c
    binary = store.engine.dialect.name in {"mysql", "mariadb"}  # keys are VARBINARY there
    mine = columns.partition == (partition.encode() if binary else partition)
    with store.engine.connect() as connection:
        rows = connection.execute(sa.select(columns.kind, columns.key).where(mine)).all()
    keys = [Key(_text(kind), _text(key)) for kind, key in rows if kind]
    found: dict[Key, Record] = {}
    for start in range(0, len(keys), 200):
        some = keys[start : start + 200]
        found.update({key: record for key, record in zip(some, store.load(partition, some), strict=True) if record})
    return found


def sound(store: Any) -> list[str]:
    """What the database itself finds wrong with its files; nothing where it cannot be asked."""
    engine = getattr(store, "engine", None)
    if engine is None or engine.dialect.name != "sqlite":
        return []
    with engine.connect() as connection:
        found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check").all()]
    return [] if found == ["ok"] else found


def _text(value: object) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else str(value)
