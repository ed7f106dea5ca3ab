"""What stays with the caller's connection after a proof was spent through it, until its transaction has ended.

A ``Bond`` lets no commit through that would leave the proof behind. Much can undo a write without SQLAlchemy being
told: a deadlock that the application swallows (MariaDB then rolls back everything and goes on), a savepoint or a
rollback through the driver, a constraint that rolls back. So it looks: before the commit, what was written must still
be there. If it is not, the commit is refused, and the driver's transaction rolled back in the same moment, because
SQLAlchemy takes a transaction whose commit failed for ended and the next commit would carry the action along.

It also runs what had to wait for the end: what is recorded of a refusal must not be rolled back with the caller, and on
SQLite could not be written while the caller's transaction is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection

from stepup.changes import Partition
from stepup.errors import InvalidInput, StoreUnavailable

from ._connections import Connections
from ._link import Link

Written = tuple[tuple[Partition, str], ...]
Ending = Callable[[bool, Written], object]
"""Called with whether the caller seems to have committed, and what was written; the commit may have failed."""

logger: Final = logging.getLogger("stepup")
_AFTERWARDS: Final = "stepup.afterwards"


class Bond:
    """One connection, as one store uses it, while its transaction lasts."""

    def __init__(self, connection: sa.Connection, connections: Connections, link: Link) -> None:
        self.link = link
        self.connections = connections
        self.poison: str | None = None
        self._held = weakref.ref(connection)
        self._written: list[tuple[Partition, str]] = []
        self._endings: list[Ending] = []
        self._committed = False
        event.listen(connection, "commit", self._on_commit)
        event.listen(connection, "prepare_twophase", self._on_commit)
        event.listen(connection, "commit_twophase", self._on_commit_twophase)
        event.listen(connection, "rollback", self._on_rollback)
        event.listen(connection, "rollback_twophase", self._on_rollback)
        event.listen(connection, "begin", self._on_begin)

    def wrote(self, partition: Partition, event_id: str) -> None:
        """Remember what a batch wrote: it must still be there when the caller commits."""
        self._written.append((partition, event_id))

    def stand(self, written: Written) -> bool:
        """Whether what was *written* is there for everybody: the caller's commit may have failed."""
        return all(self.connections.read(_is_there, partition, ident) for partition, ident in written)

    def abandon(self) -> None:
        """Take the connection out of use: nobody knows what was sent through it."""
        self.poison = "Spending a proof was interrupted in this transaction."
        connection = self._held()
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.invalidate()

    # -- what follows -------------------------------------------------------------

    def later(self, ending: Ending) -> None:
        """Call *ending* once the transaction has ended."""
        connection = self._held()
        info = None if connection is None or connection.closed else connection.connection.record_info
        if connection is None or info is None:  # closed, or detached from its pool: nobody would tell of its end
            ending(False, ())
            return
        _listen(connection.engine.pool)
        waiting = info.setdefault(_AFTERWARDS, [])
        if self not in waiting:
            waiting.append(self)
        self._endings.append(ending)

    def end(self) -> None:
        """Run what has waited; nothing that goes wrong in it reaches the application."""
        endings, self._endings = self._endings, []
        for ending in endings:
            try:
                ending(self._committed, tuple(self._written))
            except Exception as error:  # noqa: BLE001 -- the transaction has ended, whatever comes after
                logger.warning("what was to follow a transaction was dropped: %s", type(error).__name__)

    # -- what SQLAlchemy tells ----------------------------------------------------

    def _on_commit(self, *_: object) -> None:
        why = self.poison or self._missing()
        if why is None:
            self._committed = True
            return
        with contextlib.suppress(Exception):
            self.link.connection.rollback()
            self._on_rollback()
        raise StoreUnavailable(why, remedy="What the transaction did has been rolled back; let the person try again.")

    def _on_commit_twophase(self, _connection: object, _xid: object, is_prepared: bool) -> None:
        if not is_prepared:
            self._on_commit()

    def _missing(self) -> str | None:
        """Why the commit must not be: what was spent is not in the transaction any more."""
        try:
            lost = [ident for partition, ident in self._written if not _is_there(self.link, partition, ident)]
        except Exception:  # noqa: BLE001 -- what cannot be confirmed is refused
            return "Whether a proof is still spent in this transaction could not be seen."
        return "A proof that was spent in this transaction has come back, by a rollback inside it." if lost else None

    def _on_rollback(self, *_: object) -> None:
        self.poison, self._committed = None, False
        self._written = []

    def _on_begin(self, *_: object) -> None:
        self.end()
        self._committed = False
        self._written = []


def _is_there(link: Link, partition: Partition, ident: str) -> bool:
    rows = link.rows(link.sql.latest, (partition,))
    return any(row[0] == ident for row in rows)


# -- finding the bond -----------------------------------------------------------------

_BONDS: Final[weakref.WeakKeyDictionary[sa.Connection, list[Bond]]] = weakref.WeakKeyDictionary()
_POOLS: Final[weakref.WeakSet[sa.Pool]] = weakref.WeakSet()
_LOCK: Final = threading.Lock()


def bond_with(connection: sa.Connection, connections: Connections) -> Bond:
    """The bond between a connection and a store, made where there is none yet.

    Raises:
        InvalidInput: if it is to a database of another kind than the store's.
    """
    if connection.dialect.name != connections.engine.dialect.name:
        raise InvalidInput("within", "is a connection to another database than the store's")
    driver = cast(DBAPIConnection, connection.connection.dbapi_connection)
    bonds = _BONDS.setdefault(connection, [])
    for bond in bonds:
        if bond.connections is connections and bond.link.connection is driver:
            return bond
    made = Bond(
        connection, connections, Link(driver, connection.dialect, connections.statements(connection.dialect), 0)
    )
    bonds.append(made)
    return made


def _listen(pool: sa.Pool) -> None:
    with _LOCK:
        if pool not in _POOLS:
            _POOLS.add(pool)
            event.listen(pool, "checkin", _given_back)


def _given_back(_: object, record: Any) -> None:
    for bond in record.record_info.pop(_AFTERWARDS, ()):
        bond.end()


# -- beside the caller ----------------------------------------------------------------


class _Worker:
    """One thread for what follows transactions; there while there is something to do."""

    def __init__(self) -> None:
        self._renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._jobs: deque[Callable[[], object]] = deque()
        self._running = False

    def put(self, job: Callable[[], object]) -> None:
        """Run *job* soon, after those before it."""
        with self._lock:
            self._jobs.append(job)
            if self._running:
                return
            self._running = True
        try:
            threading.Thread(target=self._run, name="stepup-afterwards").start()
        except RuntimeError:
            with self._lock:
                self._running = False
                self._jobs.clear()
            raise

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._running = False
                    return
                job = self._jobs.popleft()
            try:
                job()
            except Exception as error:  # noqa: BLE001 -- nobody waits for it; the log is told
                logger.warning("what was to follow a transaction failed: %s", type(error).__name__)


_WORKER: Final = _Worker()
_TASKS: Final[set[asyncio.Task[None]]] = set()


def in_thread(job: Callable[[], object]) -> None:
    """Run *job* in the thread beside the caller's."""
    _WORKER.put(job)


def in_task(work: Callable[[], Awaitable[object]]) -> None:
    """Await what *work* makes, in a task beside the caller's."""

    async def run() -> None:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 -- as above
            logger.warning("what was to follow a transaction failed: %s", type(error).__name__)

    task = asyncio.get_running_loop().create_task(run())
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)
