"""``AsyncSQLStore``: the async face of the body, with its deadline and, on SQLite, its turns."""

from __future__ import annotations

import asyncio
import contextlib
import os
import weakref
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from stepup.changes import Applied, Changes, Key, Lost, Page, Partition, Record
from stepup.errors import ConfigurationError, StoreUnavailable
from stepup.event import Event
from stepup.stores import _validate

from . import _body, _create, _embedded
from ._connections import Connections
from ._joined import AsyncJoined
from ._require import (
    TIMEOUT,
    require_apply,
    require_limit,
    require_list,
    require_load,
    require_partition,
    require_source,
    require_timeout,
)
from ._store import SQLStore
from .schema import PREFIX, Tables, metadata_of, tables_of

T = TypeVar("T")


class AsyncSQLStore:
    """``SQLStore`` for the async face, over aiosqlite, psycopg, asyncpg or asyncmy; needs asyncio.

    The same body, so the same contract. A call that is cancelled goes on in the background until it has ended, since a
    batch that was sent may have been written. An engine belongs to the event loop it is used in.

    Args:
        engine: a ``sqlalchemy.ext.asyncio.AsyncEngine``, or a function that returns one, asked on every call.
        schema: the database schema of the tables; None for the default one.
        table_prefix: what the names of the two tables begin with.
        timeout: seconds after which a call is refused that the database does not answer.

    Raises:
        ConfigurationError: for an engine of another kind, or names that are no plain identifiers.
    """

    def __init__(
        self,
        engine: AsyncEngine | Callable[[], AsyncEngine],
        *,
        schema: str | None = None,
        table_prefix: str = PREFIX,
        timeout: float = TIMEOUT,
    ) -> None:
        if isinstance(engine, sa.Engine):
            raise ConfigurationError(
                "AsyncSQLStore() was given a sync Engine.", remedy="Use SQLStore, or an async one."
            )
        require_source("AsyncSQLStore", engine, AsyncEngine)
        self._engine_of: Callable[[], AsyncEngine] = (lambda: engine) if isinstance(engine, AsyncEngine) else engine
        self.tables: Tables = tables_of(metadata_of(schema, table_prefix), table_prefix)
        self._timeout = require_timeout(timeout)
        self._own = isinstance(engine, AsyncEngine) and _embedded.is_own(engine.sync_engine)
        self._turns: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = weakref.WeakKeyDictionary()
        self._connections = Connections(self._sync_engine, self.tables, timeout, watched=False, own=self._own)

    @classmethod
    def sqlite(
        cls, path: str | os.PathLike[str], *, table_prefix: str = PREFIX, timeout: float = TIMEOUT
    ) -> AsyncSQLStore:
        """As ``SQLStore.sqlite``, over aiosqlite. No event loop is needed: the tables are made before there is one.

        Raises:
            ConfigurationError: for a database in memory: ``AsyncMemoryStore`` is that; or without aiosqlite.
            StoreUnavailable: if the file cannot be opened or made.
        """
        engine = _embedded.async_engine_for(path, require_timeout(timeout))
        SQLStore.sqlite(path, table_prefix=table_prefix, timeout=timeout).engine.dispose()
        return cls(engine, table_prefix=table_prefix, timeout=timeout)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.tables.record.fullname}>"

    @property
    def engine(self) -> AsyncEngine:
        """The engine in use now: its ``begin()`` opens a transaction for ``require(within=)``.

        Raises:
            ConfigurationError: if the function that names it answers something else.
        """
        engine = self._engine_of()
        if not isinstance(engine, AsyncEngine):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
            raise ConfigurationError(f"The store's engine must be an AsyncEngine, not a {type(engine).__name__}.")
        return engine

    def _sync_engine(self) -> sa.Engine:
        return self.engine.sync_engine

    async def close(self) -> None:
        """As ``SQLStore.close``."""
        if self._own:
            await self.engine.dispose()

    async def create_schema(self) -> None:
        """As ``SQLStore.create_schema``."""
        await self._run(_create.create_schema, self._connections, self.tables)

    async def check_schema(self) -> None:
        """As ``SQLStore.check_schema``."""
        await self._run(_create.check_schema, self._connections)

    async def restored(self) -> int:
        """As ``SQLStore.restored``."""
        return await self._run(_body.restored, self._connections)

    def joined(self, connection: object) -> AsyncJoined:
        """As ``SQLStore.joined``, for an async connection or session.

        Raises:
            InvalidInput: for what is no async connection or session in a transaction of this database.
        """
        return AsyncJoined(connection, self._connections)

    # -- the contract ---------------------------------------------------------------

    async def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        """As ``SQLStore.load``."""
        require_load(partition, keys)
        return await self._run(_body.load, self._connections, partition, keys)

    async def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        """As ``SQLStore.apply``."""
        require_apply(partition, changes)
        return await self._write(_body.apply, self._connections, partition, changes)

    async def list(self, tag: str, *, after: str | None, limit: int) -> Page[Record]:
        """As ``SQLStore.list``."""
        require_list(tag, limit)
        return await self._run(_body.listed, self._connections, tag, after, limit)

    async def events(self, partition: Partition, *, after: str | None, limit: int) -> Page[Event]:
        """As ``SQLStore.events``."""
        require_partition(partition)
        require_limit(limit)
        return await self._run(_body.events, self._connections, partition, _validate.serial_cursor(after), limit)

    async def purge(self, before: datetime, *, limit: int = 1000) -> int:
        """As ``SQLStore.purge``."""
        _validate.require_before(before)
        require_limit(limit)
        return await self._write(_body.purge, self._connections, before, limit)

    async def _write(self, work: Callable[..., T], *values: object) -> T:
        """Run *work* that writes. On SQLite the tasks of a loop take turns: waiting in the database is not fair."""
        if self.engine.dialect.name != "sqlite":
            return await self._run(work, *values)
        turn = self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        taken = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeout):
                taken = await turn.acquire()
        if not taken:
            raise StoreUnavailable("Other calls of the store were writing all the time.", remedy="Look at its load.")
        try:
            return await self._run(work, *values)
        finally:
            turn.release()

    async def _run(self, work: Callable[..., T], *values: object) -> T:
        """Run *work* where async drivers can be used like sync ones, and wait for it as long as may be."""
        task = asyncio.ensure_future(_spawned(work, *values))
        # Of the task itself, not of who waits for it: a caller that goes away must not leave a hung call behind.
        deadline = asyncio.get_running_loop().call_later(self._timeout, task.cancel)
        task.add_done_callback(_seen)
        task.add_done_callback(lambda _: deadline.cancel())
        await asyncio.wait({task}, timeout=self._timeout)
        if not task.done() or task.cancelled():
            task.cancel()
            raise StoreUnavailable(
                f"The database did not answer within {self._timeout:g} s.", remedy="Look at its load and its locks."
            )
        return task.result()


async def _spawned(work: Callable[..., T], *values: object) -> T:
    return await greenlet_spawn(work, *values)


def _seen(task: asyncio.Future[T]) -> None:
    """Look at how a call ended that nobody waits for any more, so that the loop does not complain."""
    if not task.cancelled():
        task.exception()
