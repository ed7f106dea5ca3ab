"""``SQLStore`` and ``AsyncSQLStore``: the two faces of the body."""

from __future__ import annotations

import asyncio
import contextlib
import os
import weakref
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from stepup.changes import Applied, Changes, Key, Lost, Page, Partition, Record
from stepup.errors import ConfigurationError, InvalidInput, StoreUnavailable
from stepup.event import Event
from stepup.stores import _validate

from . import _body, _create, _embedded
from ._connections import Connections
from ._joined import AsyncJoined, Joined
from .schema import MAX_PARTITION, PREFIX, Tables, metadata, metadata_of, tables_of

T = TypeVar("T")
TIMEOUT: Final = 2.0
"""Seconds after which a call that the database does not answer is refused."""

MAX_KEYS: Final = 400
MAX_VERSION: Final = 2**63 - 1
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LIMITS: Final = tuple(
    (column.name, column.type.length)
    for column in tables_of(metadata).event.columns
    if isinstance(column.type, sa.String) and column.type.length and column.name not in {"partition", "type"}
)


class SQLStore:
    """A store in SQLite, PostgreSQL, MariaDB or MySQL, for the sync face. Thread-safe; share one.

    It keeps the contract of ``stepup.ports.Store`` and takes connections of the engine's pool, one for each call, never
    for longer. What it writes is no part of a transaction of the application's, unless ``require(within=)`` asks.

    Args:
        engine: a ``sqlalchemy.Engine``, or a function that returns one, asked on every call.
        schema: the database schema of the tables; None for the default one.
        table_prefix: what the names of the two tables begin with.
        timeout: seconds after which a call is refused that the database does not answer.

    Raises:
        ConfigurationError: for an engine of another kind, or names that are no plain identifiers.
    """

    def __init__(
        self,
        engine: sa.Engine | Callable[[], sa.Engine],
        *,
        schema: str | None = None,
        table_prefix: str = PREFIX,
        timeout: float = TIMEOUT,
    ) -> None:
        if isinstance(engine, AsyncEngine):
            raise ConfigurationError("SQLStore() was given an AsyncEngine.", remedy="Use AsyncSQLStore, or a sync one.")
        _require_source("SQLStore", engine, sa.Engine)
        self.tables: Tables = tables_of(metadata_of(schema, table_prefix), table_prefix)
        self._own = isinstance(engine, sa.Engine) and _embedded.is_own(engine)
        self._connections = Connections(engine, self.tables, _require_timeout(timeout), watched=True, own=self._own)

    @classmethod
    def sqlite(cls, path: str | os.PathLike[str], *, table_prefix: str = PREFIX, timeout: float = TIMEOUT) -> SQLStore:
        """A store in the SQLite file at *path*, made with its tables if it is not there yet.

        The file is opened with a write-ahead log and ``synchronous=FULL``, and written by one call at a time; several
        processes of one machine may share it, several machines may not.

        Raises:
            ConfigurationError: for a database in memory: ``MemoryStore`` is that.
            StoreUnavailable: if the file cannot be opened or made.
        """
        engine = _embedded.engine_for(path, _require_timeout(timeout))
        made = cls(engine, table_prefix=table_prefix, timeout=timeout)
        made.create_schema()
        return made

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.tables.record.fullname}>"

    @property
    def engine(self) -> sa.Engine:
        """The engine in use now: its ``begin()`` opens a transaction for ``require(within=)``."""
        return self._connections.engine

    def close(self) -> None:
        """Close the connections of a store made with ``sqlite()``; an application's engine is the application's."""
        if self._own:
            self.engine.dispose()

    def create_schema(self) -> None:
        """Make the tables, the fence and the schema's version, where they are not there yet.

        Safe to call at every start and from several processes. It does not alter tables of another version.

        Raises:
            SchemaMismatch: if the tables there are of a version that this release does not work on.
            StoreUnavailable: if the database does not let it.
        """
        _create.create_schema(self._connections, self.tables)

    def check_schema(self) -> None:
        """Refuse to start on a database whose tables will not do; otherwise the first call does.

        Raises:
            SchemaMismatch: naming what was found, what would do, and the remedy.
            StoreUnavailable: if the database does not answer.
        """
        _create.check_schema(self._connections)

    def restored(self) -> int:
        """Draw a new fence after a backup was restored: whatever was minted before is refused. The new version."""
        return _body.restored(self._connections)

    def joined(self, connection: object) -> Joined:
        """The store as part of a transaction of the caller's; see ``StepUp.require``, argument ``within``.

        Raises:
            InvalidInput: for what is no sync connection or session in a transaction of this database.
        """
        return Joined(connection, self._connections)

    # -- the contract ---------------------------------------------------------------

    def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        """As ``Store.load``: one statement.

        Raises:
            InvalidInput: for anything but a partition and at most 400 keys.
            StoreUnavailable: if the database cannot answer in time.
        """
        _require_load(partition, keys)
        return _body.load(self._connections, partition, keys)

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        """As ``Store.apply``: in a transaction of its own; on PostgreSQL, spending a proof is one statement.

        Raises:
            InvalidInput: for a batch that is not one, puts a key twice, or puts the fence. Nothing is written.
            StoreUnavailable: if the outcome is not known, or nothing could be written.
        """
        _require_apply(partition, changes)
        return _body.apply(self._connections, partition, changes)

    def list(self, tag: str, *, after: str | None, limit: int) -> Page[Record]:
        """As ``Store.list``: ordered by partition and key.

        Raises:
            InvalidInput: for anything but a tag, a cursor of an earlier page, and a positive limit.
            StoreUnavailable: if the database cannot answer in time.
        """
        _require_list(tag, limit)
        return _body.listed(self._connections, tag, after, limit)

    def events(self, partition: Partition, *, after: str | None, limit: int) -> Page[Event]:
        """As ``Store.events``: in the reverse order of writing.

        Raises:
            InvalidInput: for anything but a partition, a cursor of an earlier page, and a positive limit.
            StoreUnavailable: if the database cannot answer in time.
        """
        _require_partition(partition)
        _require_limit(limit)
        return _body.events(self._connections, partition, _validate.serial_cursor(after), limit)

    def purge(self, before: datetime, *, limit: int = 1000) -> int:
        """As ``Store.purge``: 200 records to a transaction.

        Raises:
            InvalidInput: for anything but a timezone-aware time and a positive limit.
            StoreUnavailable: if the database cannot answer in time.
        """
        _validate.require_before(before)
        _require_limit(limit)
        return _body.purge(self._connections, before, limit)


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
        _require_source("AsyncSQLStore", engine, AsyncEngine)
        self._engine_of: Callable[[], AsyncEngine] = (lambda: engine) if isinstance(engine, AsyncEngine) else engine
        self.tables: Tables = tables_of(metadata_of(schema, table_prefix), table_prefix)
        self._timeout = _require_timeout(timeout)
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
        engine = _embedded.async_engine_for(path, _require_timeout(timeout))
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
        _require_load(partition, keys)
        return await self._run(_body.load, self._connections, partition, keys)

    async def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        """As ``SQLStore.apply``."""
        _require_apply(partition, changes)
        return await self._write(_body.apply, self._connections, partition, changes)

    async def list(self, tag: str, *, after: str | None, limit: int) -> Page[Record]:
        """As ``SQLStore.list``."""
        _require_list(tag, limit)
        return await self._run(_body.listed, self._connections, tag, after, limit)

    async def events(self, partition: Partition, *, after: str | None, limit: int) -> Page[Event]:
        """As ``SQLStore.events``."""
        _require_partition(partition)
        _require_limit(limit)
        return await self._run(_body.events, self._connections, partition, _validate.serial_cursor(after), limit)

    async def purge(self, before: datetime, *, limit: int = 1000) -> int:
        """As ``SQLStore.purge``."""
        _validate.require_before(before)
        _require_limit(limit)
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


def _require_source(name: str, engine: object, kind: type) -> None:
    if not isinstance(engine, kind) and not callable(engine):
        raise ConfigurationError(
            f"{name}() needs an engine, or a function that returns one, not a {type(engine).__name__}."
        )


def _require_timeout(timeout: object) -> float:
    if not isinstance(timeout, int | float) or isinstance(timeout, bool) or not 0 < timeout < 3600:
        raise ConfigurationError(f"timeout= must be seconds, more than 0 and less than an hour, not {timeout!r}.")
    return float(timeout)


def _require_partition(partition: object) -> None:
    _validate.require_partition(partition)
    if len(cast(str, partition)) > MAX_PARTITION or not cast(str, partition).isascii():
        raise InvalidInput("partition", f"must be at most {MAX_PARTITION} ASCII characters")


def _require_load(partition: object, keys: object) -> None:
    _require_partition(partition)
    _validate.require_keys(keys)
    if len(cast("Sequence[object]", keys)) > MAX_KEYS:
        raise InvalidInput("keys", f"must be at most {MAX_KEYS}")


def _require_apply(partition: object, changes: object) -> None:
    _require_partition(partition)
    _validate.require_changes(changes)
    made = cast(Changes, changes)
    if len(made.puts) + len(made.checks) > MAX_KEYS:
        raise InvalidInput("changes", f"must have at most {MAX_KEYS} puts and checks")
    for version in (*(put.version for put in made.puts), *(check.version for check in made.checks)):
        if version > MAX_VERSION:
            raise InvalidInput("changes", "must hold versions below 2**63")
    for put in made.puts:
        _require_tag(put.tag)
        if put.expires_at <= _EARLIEST:
            raise InvalidInput("Record.expires_at", "must be after 1970")
    for event in made.events:
        _require_event(event)


def _require_event(event: Event) -> None:
    """A database that takes a text another would refuse would make a gate behave as its database does."""
    for name, limit in _LIMITS:
        value = getattr(event, name)
        if value is None:
            continue
        if not isinstance(value, str) or len(value) > limit or "\0" in value or not _encodable(value):
            raise InvalidInput(f"Event.{name}", f"must be a text of at most {limit} characters, without NUL")


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _require_tag(tag: object) -> None:
    if tag is not None and (len(cast(str, tag)) > _validate.MAX_KEY_ID or not cast(str, tag).isascii()):
        raise InvalidInput("tag", f"must be at most {_validate.MAX_KEY_ID} ASCII characters")


def _require_list(tag: object, limit: object) -> None:
    _validate.require_tag(tag)
    _require_tag(tag)
    _require_limit(limit)


def _require_limit(limit: object) -> None:
    _validate.require_limit(limit)
    if cast(int, limit) >= 2**31:
        raise InvalidInput("limit", "must be below 2**31")
