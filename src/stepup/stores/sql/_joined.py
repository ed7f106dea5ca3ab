"""The store inside a transaction of the caller's: a proof spent together with what it was spent for.

``Joined`` (and ``AsyncJoined``) writes one batch through the caller's own connection. The batch and the action commit
together or roll back together. What stays with the connection until its transaction has ended is a ``Bond``
(``_bond``), which lets no commit through that would leave the batch behind.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.util import greenlet_spawn

from stepup.changes import FENCE, Applied, Changes, Key, Lost, Partition, Record
from stepup.errors import InvalidInput, SchemaMismatch, StoreUnavailable

from . import _batch, _body
from ._bond import Bond, Written, bond_with, in_task, in_thread
from ._connections import Connections
from ._deadline import WATCH, descriptor_of
from ._failures import Conflict, refusal
from ._link import Link
from ._sql import PostgreSQL, SQLite

T = TypeVar("T")
_REMEDY: Final = "Pass what `with engine.begin() as connection` gives, or a Session of it."
_AGAIN: Final = "Roll back, and let the person try again."


class Joined:
    """The store in the caller's transaction, for the sync face. Used for one call of ``require``."""

    def __init__(self, connection: object, connections: Connections) -> None:
        if isinstance(connection, scoped_session):
            connection = cast("scoped_session[Session]", connection)()
        if not isinstance(connection, sa.Connection | Session):
            raise InvalidInput("within", f"must be a Connection or Session, not a {_kind(connection)}", remedy=_REMEDY)
        self._bond = _joining(connection, connections)
        self._connections = connections

    def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        """As ``Store.load``, with what the caller's transaction has written."""
        return _guarded(self._bond, self._connections, lambda link: _load(link, partition, keys), watched=True)

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        """Write *changes* through the caller's connection, and leave the transaction open.

        Raises:
            InvalidInput: if the connection turns out to be to another database.
            StoreUnavailable: if the database failed; the transaction can only be rolled back then.
        """
        return _apply(self._bond, self._connections, partition, changes, watched=True)

    def afterwards(self, work: Callable[[bool], object]) -> None:
        """Call ``work(committed)`` once the caller's transaction has ended, in a thread beside the caller's."""
        bond = self._bond

        def ended(committed: bool, written: Written) -> None:
            in_thread(lambda: work(committed and bond.stand(written)))

        bond.later(ended)


class AsyncJoined:
    """The store in the caller's transaction, for the async face. Used for one call of ``require``."""

    def __init__(self, connection: object, connections: Connections) -> None:
        if isinstance(connection, async_scoped_session):
            connection = cast("async_scoped_session[AsyncSession]", connection)()
        if not isinstance(connection, AsyncConnection | AsyncSession):
            raise InvalidInput(
                "within", f"must be an AsyncConnection or AsyncSession, not a {_kind(connection)}", remedy=_REMEDY
            )
        self._given = connection
        self._connections = connections
        self._found: Bond | None = None

    async def prepare(self) -> None:
        """Look at the connection before anything is decided.

        Raises:
            InvalidInput: if it is in no transaction of the store's database.
        """
        await self._run(self._look)

    async def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        """As ``Joined.load``."""
        return await self._run(
            lambda: _guarded(self._bond, self._connections, lambda link: _load(link, partition, keys), watched=False)
        )

    async def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        """As ``Joined.apply``. Cancelled, it takes the caller's connection out of use: what was sent is not known."""
        return await self._run(lambda: _apply(self._bond, self._connections, partition, changes, watched=False))

    def afterwards(self, work: Callable[[bool], Awaitable[object]]) -> None:
        """Await ``work(committed)`` once the caller's transaction has ended, in a task beside the caller's."""
        bond = self._bond

        def ended(committed: bool, written: Written) -> None:
            async def run() -> None:
                await work(committed and await greenlet_spawn(bond.stand, written))

            in_task(run)

        bond.later(ended)

    @property
    def _bond(self) -> Bond:
        assert self._found is not None  # prepare() comes first
        return self._found

    def _look(self) -> None:
        given = self._given.sync_session if isinstance(self._given, AsyncSession) else self._given.sync_connection
        if given is None:
            raise InvalidInput("within", "is a connection that was never opened", remedy=_REMEDY)
        self._found = _joining(given, self._connections)

    async def _run(self, work: Callable[[], T]) -> T:
        """Run *work* in the caller's own task: cancelling it cancels the driver's call, as with any other."""
        try:
            async with asyncio.timeout(self._connections.timeout):
                return await greenlet_spawn(work)
        except TimeoutError:
            pass
        raise StoreUnavailable(f"The database did not answer within {self._connections.timeout:g} s.", remedy=_AGAIN)


def _kind(value: object) -> str:
    return type(value).__name__


# -- joining ----------------------------------------------------------------------------


def _joining(given: sa.Connection | Session, connections: Connections) -> Bond:
    """The bond with the connection in *given*.

    Raises:
        InvalidInput: if it is closed, in no transaction, in autocommit, or to another database.
        StoreUnavailable: if the database fails to say.
    """
    failure: Exception
    try:
        connection = _connection_of(given)
        bond = bond_with(connection, connections)
        here, there = _database(bond.link), connections.identity(_database)
    except exc.SQLAlchemyError as error:
        failure = refusal(error, connections.timeout)
    else:
        if here != there:
            raise InvalidInput("within", "is a connection to another database than the store's", remedy=_REMEDY)
        return bond
    raise StoreUnavailable(str(failure)) if isinstance(failure, Conflict) else failure


def _connection_of(given: sa.Connection | Session) -> sa.Connection:
    """The connection itself. A session begins when it is asked for one; a connection has to have begun."""
    connection = given.connection() if isinstance(given, Session) else given
    if connection.closed or not connection.in_transaction():
        raise InvalidInput("within", "is in no transaction", remedy=_REMEDY)
    if _autocommits(connection):
        raise InvalidInput("within", "is in autocommit, where nothing is rolled back together", remedy=_REMEDY)
    return connection


def _autocommits(connection: sa.Connection) -> bool:
    options = {**connection.engine.get_execution_options(), **connection.get_execution_options()}
    if options.get("isolation_level") == "AUTOCOMMIT":
        return True
    driver: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite":
        legacy = driver.isolation_level is not None
        if legacy and connection.in_nested_transaction():
            raise InvalidInput(
                "within",
                "is in a savepoint of SQLite's driver, which commits when it is released",
                remedy="Use no savepoint, or the driver's isolation_level None with a BEGIN of your own.",
            )
        return not legacy and not in_transaction(driver)
    if connection.dialect.name == "postgresql":
        return getattr(driver, "autocommit", False) is True
    return bool(connection.exec_driver_sql("SELECT @@autocommit").scalar())


def in_transaction(driver: Any) -> bool:
    """Whether a SQLite connection has begun; an async one is wrapped."""
    holder = driver if hasattr(driver, "in_transaction") else driver.driver_connection
    return holder.in_transaction is True


def _database(link: Link) -> tuple[str, ...]:
    """What tells one database from another, as far as a database can say; the fence tells the rest."""
    if isinstance(link.sql, PostgreSQL):
        rows = link.rows(link.sql.identity)
    elif link.sql.in_schema:
        return ()  # the tables are named in full, whatever the connection's own database is
    elif isinstance(link.sql, SQLite):
        rows = [row for row in link.rows("PRAGMA database_list") if row[1] == "main"]
    else:
        rows = link.rows("SELECT DATABASE()")
    return tuple(str(part) for row in rows for part in row)


# -- the batch ---------------------------------------------------------------------------


def _load(link: Link, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
    found = _body.records(link, partition, list(dict.fromkeys(keys)))
    return [found.get(key) for key in keys]


def _apply(
    bond: Bond, connections: Connections, partition: Partition, changes: Changes, *, watched: bool
) -> Applied | Lost:
    if not _batch.joins(changes):
        raise InvalidInput("changes", "is no batch that spends a proof, and only those join a transaction")
    answer = _guarded(bond, connections, lambda link: _write(link, partition, changes), watched=watched)
    if isinstance(answer, Lost):
        _explain(bond, connections, partition, changes, answer)
    else:
        for made in changes.events:
            bond.wrote(partition, made.id)
    return answer


def _guarded(bond: Bond, connections: Connections, work: Callable[[Link], T], *, watched: bool) -> T:
    """Run *work* on the caller's connection; whatever goes wrong there leaves a transaction that cannot commit."""
    if bond.poison is not None:
        raise StoreUnavailable(bond.poison, remedy=_AGAIN)
    failure: Exception
    bond.link.end = time.monotonic() + connections.timeout
    descriptor = descriptor_of(bond.link.connection) if watched else None
    call = None if descriptor is None else WATCH.begin(descriptor, connections.timeout)
    try:
        return work(bond.link)
    except InvalidInput:
        raise
    except Exception as error:  # noqa: BLE001 -- refusal() turns it into one of ours, without its text
        failure = refusal(error, connections.timeout)
    except BaseException:
        bond.abandon()  # interrupted in the middle of the protocol: the connection is nobody's any more
        raise
    finally:
        if call is not None:
            WATCH.end(call)
    bond.poison = "The database failed while a proof was being spent in this transaction."
    if isinstance(failure, SchemaMismatch):
        raise InvalidInput("within", "is a connection to a database without the store's tables")
    if isinstance(failure, Conflict):
        raise StoreUnavailable(
            "Another transaction was faster, and the database has ended this one.", remedy="Roll back and try again."
        )
    raise failure


def _write(link: Link, partition: Partition, changes: Changes) -> Applied | Lost:
    if isinstance(link.sql, SQLite) and not in_transaction(link.connection):
        link.changed("BEGIN IMMEDIATE")  # the driver would begin with the first write; what is read has to hold, too
    if not _batch.fits_one_statement(changes):
        return _batch.in_savepoint(link, partition, changes)
    if isinstance(link.sql, PostgreSQL):
        return _batch.in_one_statement(link, link.sql, partition, changes, None)
    return _batch.write(link, partition, changes)


def _explain(bond: Bond, connections: Connections, partition: Partition, changes: Changes, lost: Lost) -> None:
    """Whether a check failed only for this connection: then it is the connection that is wrong, not the grant.

    Raises:
        InvalidInput: if the fence is the store's own and not the connection's: that is another database.
        StoreUnavailable: if the transaction's snapshot is older than what the grant rests on.
    """
    wanted = next((check.version for check in changes.checks if check.key == lost.key), None)
    if lost.key is None or wanted is None:
        return
    (record,) = _body.load(connections, partition, (lost.key,))
    if record is None or record.version != wanted:
        return
    if lost.key == FENCE:
        bond.poison = "A proof was presented in a transaction of another database."
        raise InvalidInput("within", "is a connection to another database than the store's")
    raise StoreUnavailable(
        "The transaction sees the database as it was before the proof was given.",
        remedy="Roll back, and begin the transaction after the proof.",
    )
