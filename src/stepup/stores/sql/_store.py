"""``SQLStore``: the sync face of the body."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from stepup.changes import Applied, Changes, Key, Lost, Page, Partition, Record
from stepup.errors import ConfigurationError
from stepup.event import Event
from stepup.stores import _validate

from . import _body, _create, _embedded
from ._connections import Connections
from ._joined import Joined
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
from .schema import PREFIX, Tables, metadata_of, tables_of


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
        require_source("SQLStore", engine, sa.Engine)
        self.tables: Tables = tables_of(metadata_of(schema, table_prefix), table_prefix)
        self._own = isinstance(engine, sa.Engine) and _embedded.is_own(engine)
        self._connections = Connections(engine, self.tables, require_timeout(timeout), watched=True, own=self._own)

    @classmethod
    def sqlite(cls, path: str | os.PathLike[str], *, table_prefix: str = PREFIX, timeout: float = TIMEOUT) -> SQLStore:
        """A store in the SQLite file at *path*, made with its tables if it is not there yet.

        The file is opened with a write-ahead log and ``synchronous=FULL``, and written by one call at a time; several
        processes of one machine may share it, several machines may not.

        Raises:
            ConfigurationError: for a database in memory: ``MemoryStore`` is that.
            StoreUnavailable: if the file cannot be opened or made.
        """
        engine = _embedded.engine_for(path, require_timeout(timeout))
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
        require_load(partition, keys)
        return _body.load(self._connections, partition, keys)

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        """As ``Store.apply``: in a transaction of its own; on PostgreSQL, spending a proof is one statement.

        Raises:
            InvalidInput: for a batch that is not one, puts a key twice, or puts the fence. Nothing is written.
            StoreUnavailable: if the outcome is not known, or nothing could be written.
        """
        require_apply(partition, changes)
        return _body.apply(self._connections, partition, changes)

    def list(self, tag: str, *, after: str | None, limit: int) -> Page[Record]:
        """As ``Store.list``: ordered by partition and key.

        Raises:
            InvalidInput: for anything but a tag, a cursor of an earlier page, and a positive limit.
            StoreUnavailable: if the database cannot answer in time.
        """
        require_list(tag, limit)
        return _body.listed(self._connections, tag, after, limit)

    def events(self, partition: Partition, *, after: str | None, limit: int) -> Page[Event]:
        """As ``Store.events``: in the reverse order of writing.

        Raises:
            InvalidInput: for anything but a partition, a cursor of an earlier page, and a positive limit.
            StoreUnavailable: if the database cannot answer in time.
        """
        require_partition(partition)
        require_limit(limit)
        return _body.events(self._connections, partition, _validate.serial_cursor(after), limit)

    def purge(self, before: datetime, *, limit: int = 1000) -> int:
        """As ``Store.purge``: 200 records to a transaction.

        Raises:
            InvalidInput: for anything but a timezone-aware time and a positive limit.
            StoreUnavailable: if the database cannot answer in time.
        """
        _validate.require_before(before)
        require_limit(limit)
        return _body.purge(self._connections, before, limit)
