"""The store inside a transaction of the caller's: a proof spent together with what it was spent for.

``Joined`` (and ``AsyncJoined``) writes one batch through the caller's own connection. The batch and the action commit
together or roll back together. A ``_Bond`` stays with the connection until its transaction has ended:

- After an error of the database, or a rollback to a savepoint that the proof was spent in, it refuses the commit.
- It runs what had to wait for the end (``afterwards``): whatever else is recorded of the decision, which must not be
  rolled back with it, and which on SQLite could not be written while the caller's transaction is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.util import greenlet_spawn

from stepup.changes import FENCE, Applied, Changes, Lost, Partition
from stepup.errors import InvalidInput, SchemaMismatch, StoreUnavailable

from . import _batch, _body
from ._connections import Connections, Link
from ._deadline import WATCH, descriptor_of
from ._failures import Conflict, refusal
from ._sql import PostgreSQL, SQLite

T = TypeVar("T")
Ending = Callable[[bool], object]
logger: Final = logging.getLogger("stepup")
_REMEDY: Final = "Pass what `with engine.begin() as connection` gives, or a Session of it."
_AFTERWARDS: Final = "stepup.afterwards"


class Joined:
    """The store in the caller's transaction, for the sync face. Used for one batch."""

    def __init__(self, connection: object, connections: Connections) -> None:
        if isinstance(connection, scoped_session):
            connection = connection()
        if not isinstance(connection, sa.Connection | Session):
            raise InvalidInput("within", f"must be a Connection or Session, not a {_kind(connection)}", remedy=_REMEDY)
        self._bond = _bond(_connection_of(connection), connections)
        self._connections = connections

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        """Write *changes* through the caller's connection, and leave the transaction open.

        Raises:
            InvalidInput: if the connection turns out to be to another database.
            StoreUnavailable: if the database failed; the transaction can only be rolled back then.
        """
        return _apply(self._bond, self._connections, partition, changes, watched=True)

    def afterwards(self, work: Ending) -> None:
        """Call ``work(committed)`` once the caller's transaction has ended, in a thread of its own."""
        self._bond.later(lambda committed: _in_thread(work, committed))


class AsyncJoined:
    """The store in the caller's transaction, for the async face. Used for one batch."""

    def __init__(self, connection: object, connections: Connections) -> None:
        if isinstance(connection, async_scoped_session):
            connection = connection()
        if not isinstance(connection, AsyncConnection | AsyncSession):
            raise InvalidInput(
                "within", f"must be an AsyncConnection or AsyncSession, not a {_kind(connection)}", remedy=_REMEDY
            )
        self._given = connection
        self._connections = connections
        self._bond: _Bond | None = None
        self._endings: list[Ending] = []

    async def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        """As ``Joined.apply``."""
        work = greenlet_spawn(self._apply, partition, changes)
        task = asyncio.ensure_future(cast("asyncio.Future[Applied | Lost]", work))
        await asyncio.wait({task}, timeout=self._connections.timeout)
        if not task.done():
            task.cancel()
            self._poison()
            raise StoreUnavailable(f"The database did not answer within {self._connections.timeout:g} s.")
        return task.result()

    def afterwards(self, work: Callable[[bool], Awaitable[object]]) -> None:
        """Await ``work(committed)`` once the caller's transaction has ended, in a task of its own."""

        def ended(committed: bool) -> None:
            _in_task(work, committed)

        if self._bond is None:
            self._endings.append(ended)
        else:
            self._bond.later(ended)

    async def prepare(self) -> None:
        """Look at the connection before anything is decided.

        Raises:
            InvalidInput: if it is in no transaction of the store's database.
        """
        await greenlet_spawn(self._found)

    def _found(self) -> _Bond:
        if self._bond is None:
            given = self._given.sync_session if isinstance(self._given, AsyncSession) else self._given.sync_connection
            if given is None:
                raise InvalidInput("within", "is a connection that was never opened", remedy=_REMEDY)
            self._bond = _bond(_connection_of(given), self._connections)
            for ending in self._endings:
                self._bond.later(ending)
        return self._bond

    def _apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        return _apply(self._found(), self._connections, partition, changes, watched=False)

    def _poison(self) -> None:
        if self._bond is not None:
            self._bond.poison = "The database did not answer while a proof was being spent."


def _kind(value: object) -> str:
    return type(value).__name__


def _connection_of(given: sa.Connection | Session) -> sa.Connection:
    """The connection itself. A session begins when it is asked for one; a connection has to have begun.

    Raises:
        InvalidInput: if it is closed, in no transaction, or in autocommit.
    """
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
        return driver.isolation_level is None and not _in_transaction(driver)
    if connection.dialect.name == "postgresql":
        return getattr(driver, "autocommit", False) is True
    return bool(connection.exec_driver_sql("SELECT @@autocommit").scalar())


def _in_transaction(driver: Any) -> bool:
    """Whether a SQLite connection has begun; an async one is wrapped."""
    holder = driver if hasattr(driver, "in_transaction") else driver.driver_connection
    return holder.in_transaction is True


# -- the bond -------------------------------------------------------------------------


class _Bond:
    """What is known of one connection while its transaction lasts."""

    def __init__(self, connection: sa.Connection, link: Link) -> None:
        self.link = link
        self.poison: str | None = None
        self.in_savepoint = False
        self._held = weakref.ref(connection)
        self._endings: list[Ending] = []
        self._committed = False
        for name in ("commit", "commit_twophase", "prepare_twophase"):
            event.listen(connection, name, self._on_commit)
        for name in ("rollback", "rollback_twophase"):
            event.listen(connection, name, self._on_rollback)
        event.listen(connection, "rollback_savepoint", self._on_rollback_savepoint)
        event.listen(connection, "begin", self._on_begin)

    def spent(self) -> None:
        """Note whether the proof was spent in a savepoint, whose rollback would bring it back."""
        connection = self._held()
        self.in_savepoint = self.in_savepoint or (connection is not None and connection.in_nested_transaction())

    def later(self, ending: Ending) -> None:
        """Call *ending* once the transaction has ended."""
        connection = self._held()
        if connection is None or connection.closed:
            ending(False)
            return
        _listen(connection.engine.pool)
        info = connection.connection.record_info
        if info is None:  # detached from its pool: nobody would tell of its end
            ending(False)
            return
        info[_AFTERWARDS] = self
        self._endings.append(ending)

    def end(self) -> None:
        """Run what has waited."""
        endings, self._endings = self._endings, []
        for ending in endings:
            ending(self._committed)

    def _on_commit(self, *_: object) -> None:
        if self.poison is None:
            self._committed = True
            return
        why = self.poison
        # SQLAlchemy takes a transaction whose commit failed for ended, and the next commit would carry it along.
        with contextlib.suppress(Exception):
            self.link.connection.rollback()
            self._on_rollback()
        raise StoreUnavailable(why, remedy="What the transaction did has been rolled back; let the person try again.")

    def _on_rollback(self, *_: object) -> None:
        self.poison, self.in_savepoint, self._committed = None, False, False

    def _on_rollback_savepoint(self, *_: object) -> None:
        if self.in_savepoint:
            self.poison = "The savepoint in which a proof was spent has been rolled back, and the proof with it."

    def _on_begin(self, *_: object) -> None:
        self.end()
        self.in_savepoint = self._committed = False


_BONDS: Final[weakref.WeakKeyDictionary[sa.Connection, _Bond]] = weakref.WeakKeyDictionary()
_POOLS: Final[weakref.WeakSet[sa.Pool]] = weakref.WeakSet()
_LOCK: Final = threading.Lock()


def _bond(connection: sa.Connection, connections: Connections) -> _Bond:
    """The bond with *connection*, made where there is none yet.

    Raises:
        InvalidInput: if it is to a database of another kind than the store's.
    """
    if connection.dialect.name != connections.engine.dialect.name:
        raise InvalidInput("within", "is a connection to another database than the store's", remedy=_REMEDY)
    found = _BONDS.get(connection)
    driver = cast(DBAPIConnection, connection.connection.dbapi_connection)
    if found is None or found.link.connection is not driver:
        link = Link(driver, connection.dialect, connections.statements(connection.dialect), 0.0)
        found = _BONDS[connection] = _Bond(connection, link)
    return found


def _listen(pool: sa.Pool) -> None:
    with _LOCK:
        if pool not in _POOLS:
            _POOLS.add(pool)
            event.listen(pool, "checkin", _given_back)


def _given_back(_: object, record: Any) -> None:
    bond = record.record_info.pop(_AFTERWARDS, None)
    if isinstance(bond, _Bond):
        bond.end()


# -- the batch ------------------------------------------------------------------------


def _apply(
    bond: _Bond, connections: Connections, partition: Partition, changes: Changes, *, watched: bool
) -> Applied | Lost:
    if bond.poison is not None:
        raise StoreUnavailable(bond.poison, remedy="Roll back, and let the person try again.")
    if not _batch.fits_one_statement(changes):
        raise InvalidInput("changes", "is no batch that spends a proof, and only those join a transaction")
    failure: Exception | None = None
    answer: Applied | Lost | None = None
    bond.link.end = time.monotonic() + connections.timeout
    descriptor = descriptor_of(bond.link.connection) if watched else None
    number = None if descriptor is None else WATCH.begin(descriptor, connections.timeout)
    try:
        answer = _write(bond.link, partition, changes)
    except Exception as error:  # noqa: BLE001 -- refusal() turns it into one of ours, without its text
        failure = refusal(error, connections.timeout)
    finally:
        if number is not None:
            WATCH.end(number)
    if answer is not None:
        if isinstance(answer, Lost) and answer.key == FENCE:
            _refuse_foreign(bond, connections, changes)
        bond.spent()
        return answer
    bond.poison = "The database failed while a proof was being spent in this transaction."
    if isinstance(failure, SchemaMismatch):
        raise InvalidInput("within", "is a connection to a database without the store's tables")
    if isinstance(failure, Conflict) or failure is None:
        raise StoreUnavailable(
            "Another transaction was faster, and the database has ended this one.", remedy="Roll back and try again."
        )
    raise failure


def _write(link: Link, partition: Partition, changes: Changes) -> Applied | Lost:
    if isinstance(link.sql, PostgreSQL):
        return _batch.in_one_statement(link, link.sql, partition, changes, None)
    if isinstance(link.sql, SQLite) and not _in_transaction(link.connection):
        link.changed("BEGIN IMMEDIATE")  # the driver would begin with the first write; what is read has to hold, too
    return _batch.write(link, partition, changes)


def _refuse_foreign(bond: _Bond, connections: Connections, changes: Changes) -> None:
    """A fence that is the store's own and not the connection's: the caller's transaction is in another database."""
    (record,) = _body.load(connections, "fence", (FENCE,))
    if record is not None and any(check == (FENCE, record.version) for check in changes.checks):
        bond.poison = "A proof was presented in a transaction of another database."
        raise InvalidInput("within", "is a connection to another database than the store's")


# -- the end --------------------------------------------------------------------------

_TASKS: Final[set[asyncio.Task[object]]] = set()


def _in_thread(work: Ending, committed: bool) -> None:
    def run() -> None:
        try:
            work(committed)
        except Exception as error:  # noqa: BLE001 -- nobody waits for it; the log is told
            logger.warning("what was to follow a transaction failed: %s", type(error).__name__)

    threading.Thread(target=run, name="stepup-afterwards").start()


def _in_task(work: Callable[[bool], Awaitable[object]], committed: bool) -> None:
    async def run() -> None:
        try:
            await work(committed)
        except Exception as error:  # noqa: BLE001 -- as above
            logger.warning("what was to follow a transaction failed: %s", type(error).__name__)

    try:
        task: asyncio.Task[object] = asyncio.get_running_loop().create_task(run())
    except RuntimeError:
        logger.warning("what was to follow a transaction was dropped: its event loop has ended")
        return
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)
