"""SQLite as the store of one machine: an engine whose file keeps what was acknowledged.

Write-ahead log, ``synchronous=FULL`` (durable when ``apply`` returns). There is one writer at a time: the store's calls
take turns (``Connections.taking_turns``, ``AsyncSQLStore``), because SQLite's own busy handler sleeps instead of
queueing. A few connections more let others read meanwhile, and let the application begin a transaction for
``require(within=)``. A child process opens its own.
"""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event, pool
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from stepup.errors import ConfigurationError

_READERS: Final = 4
_OWN: Final[weakref.WeakSet[sa.Engine]] = weakref.WeakSet()


def is_own(engine: sa.Engine) -> bool:
    """Whether *engine* was made here, for the store alone."""
    return engine in _OWN


def engine_for(path: str | os.PathLike[str], timeout: float) -> sa.Engine:
    """A sync engine for the file at *path*.

    Raises:
        ConfigurationError: for a database in memory, which keeps nothing.
    """
    made = sa.create_engine(
        sa.URL.create("sqlite", database=_file(path)),
        poolclass=pool.QueuePool,
        pool_size=_READERS,
        max_overflow=0,
        pool_timeout=timeout / 2,
        connect_args={"check_same_thread": False, "timeout": timeout / 2},
    )
    return _prepared(made, timeout)


def async_engine_for(path: str | os.PathLike[str], timeout: float) -> AsyncEngine:
    """An async engine for the file at *path*, over aiosqlite.

    Raises:
        ConfigurationError: for a database in memory, which keeps nothing; or where the driver is not installed.
    """
    try:
        made = create_async_engine(
            sa.URL.create("sqlite+aiosqlite", database=_file(path)),
            poolclass=pool.AsyncAdaptedQueuePool,
            pool_size=_READERS,
            max_overflow=0,
            pool_timeout=timeout / 2,
            connect_args={"timeout": timeout / 2},
        )
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"SQLite on the async face needs the package {error.name}.", remedy=f"pip install {error.name}"
        ) from None
    _prepared(made.sync_engine, timeout)
    return made


def _file(path: str | os.PathLike[str]) -> str:
    name = os.fspath(path)
    if not name or name == ":memory:" or name.startswith("file:"):
        raise ConfigurationError(
            f"SQLStore.sqlite({name!r}) names no file.", remedy="Name one; MemoryStore is what lives in memory."
        )
    return str(Path(name))


def _prepared(engine: sa.Engine, timeout: float) -> sa.Engine:
    milliseconds = max(1, int(timeout * 500))  # waiting for the connection takes the other half

    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: object) -> None:  # noqa: ARG001 -- as SQLAlchemy calls it
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")  # first: the next may have to wait
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    if hasattr(os, "register_at_fork"):
        held = weakref.ref(engine)

        def forget() -> None:
            inherited = held()
            if inherited is not None:
                inherited.dispose(close=False)

        os.register_at_fork(after_in_child=forget)
    _OWN.add(engine)
    return engine
