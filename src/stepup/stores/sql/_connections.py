"""One connection for one call: taken from the pool, put into the right mode, given back as it was.

``Connections.run`` is all there is to it: it takes a connection, hands a ``Link`` to the work, ends whatever is open,
and turns what went wrong into a refusal. The same code serves both faces: on the async one it runs in the greenlet
that SQLAlchemy's async drivers need, and its deadline is the store's (``asyncio``), not the watch's.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
import weakref
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import PoolProxiedConnection, QueuePool, SingletonThreadPool, StaticPool

from stepup.errors import ConfigurationError, SchemaMismatch, StoreUnavailable

from ._deadline import WATCH, Call, at_once, descriptor_of, openings, within
from ._failures import Conflict, refusal
from ._link import Link
from ._rows import text
from ._sql import MariaDB, Statements, statements_for
from .schema import SCHEMA_KIND, SUPPORTED, Tables

T = TypeVar("T")
EngineOf = Callable[[], sa.Engine]
_READ_TRIES: Final = 20


class Connections:
    """Where the store's connections come from, for one engine or for whatever engine a function names."""

    def __init__(
        self, engine: sa.Engine | EngineOf, tables: Tables, timeout: float, *, watched: bool, own: bool = False
    ) -> None:
        self._own = own
        self._engine_of: EngineOf = (lambda: engine) if isinstance(engine, sa.Engine) else engine
        self._tables = tables
        self._watched = watched
        self._sql: dict[str, Statements] = {}
        self._known: weakref.WeakSet[sa.Engine] = weakref.WeakSet()
        self._identities: weakref.WeakKeyDictionary[sa.Engine, tuple[str, ...]] = weakref.WeakKeyDictionary()
        self.timeout = timeout
        self.renew()
        _EVERY.add(self)

    def renew(self) -> None:
        """Begin with all locks free. A child process has what its parent's threads held, and none to let go of it."""
        self._writing = threading.Lock()
        self._openings = openings()

    @property
    def engine(self) -> sa.Engine:
        """The engine in use now.

        Raises:
            ConfigurationError: if the function that names it answers something else.
        """
        engine = self._engine_of()
        if not isinstance(engine, sa.Engine):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
            raise ConfigurationError(f"The store's engine must be a sqlalchemy.Engine, not a {type(engine).__name__}.")
        if isinstance(engine.pool, StaticPool | SingletonThreadPool):
            raise ConfigurationError(
                f"The engine's {type(engine.pool).__name__} gives one connection to several callers at once.",
                remedy="Use a pool whose connections are one caller's at a time, such as QueuePool.",
            )
        return engine

    def identity(self, ask: Callable[[Link], tuple[str, ...]]) -> tuple[str, ...]:
        """What *ask* finds out about the database of the engine in use; asked once."""
        engine = self.engine
        if engine not in self._identities:
            self._identities[engine] = self.read(ask)
        return self._identities[engine]

    def statements(self, dialect: sa.Dialect) -> Statements:
        """The statements for a connection's database; asked once the dialect has met its server."""
        name = f"{dialect.name} {dialect.driver}"
        made = self._sql.get(name)
        if made is None:
            made = statements_for(dialect, self._tables)
            if isinstance(made, MariaDB):
                made.waiting(max(1, math.floor(self.timeout) - 1))
            self._sql[name] = made
        return made

    def read(self, work: Callable[..., T], *values: object) -> T:
        """Run *work* that only reads: a conflict leaves nothing behind, so it is tried again, within one timeout."""
        end = time.monotonic() + self.timeout
        for _ in range(_READ_TRIES):
            with contextlib.suppress(Conflict):
                return self.run(work, *values, end=end)
        raise StoreUnavailable(f"Reading met a conflict {_READ_TRIES} times.", remedy="Try again.")

    def run(self, work: Callable[..., T], *values: object, checked: bool = True, end: float | None = None) -> T:
        """Run ``work(link, *values)`` on a connection of the pool, within the timeout; by *end* if that began before.

        Raises:
            Conflict: nothing was written, because of another writer.
            StoreUnavailable: anything else that a database, a driver or a pool does.
        """
        engine = self.engine
        end = time.monotonic() + self.timeout if end is None else end
        answer: T | None = None
        failure: Exception | None = None
        try:
            fairy = self._taken(engine, end)
        except Exception as error:  # noqa: BLE001 -- refusal() turns it into one of ours, without its text
            failure = self._refused(error)
        else:
            if not checked or engine in self._known:
                failure, answer = self._held(fairy, engine, end, work, values)
            else:
                failure, answer = self._held(fairy, engine, end, self._checked, (work, values, engine))
        if failure is not None:
            raise failure  # here, where no exception of the driver's is being handled and none becomes its context
        return cast(T, answer)

    def _checked(self, link: Link, work: Callable[..., T], values: Sequence[object], engine: sa.Engine) -> T:
        """The first call on an engine looks at the schema before it does anything."""
        require_schema(link)
        self._known.add(engine)
        return work(link, *values)

    def _held(
        self,
        fairy: PoolProxiedConnection,
        engine: sa.Engine,
        end: float,
        work: Callable[..., T],
        values: Sequence[object],
    ) -> tuple[Exception | None, T | None]:
        watched: Call | None = None
        failure: Exception | None = None
        answer: T | None = None
        try:
            watched = self._watch(fairy, end)
            connection = cast(DBAPIConnection, fairy.dbapi_connection)
            link = Link(connection, engine.dialect, self.statements(engine.dialect), end)
            before = self._impatient(link)
            try:
                answer = work(link, *values)
            except Exception as error:  # noqa: BLE001 -- refusal() turns it into one of ours, without its text
                failure = self._refused(error)
                if engine.dialect.is_disconnect(cast(Any, error), connection, None):
                    _disconnected(fairy, engine, watched)
                else:
                    connection.rollback()
            if fairy.is_valid:
                self._as_it_was(link, before)
        except Exception as error:  # noqa: BLE001 -- what cannot be put right is not given back
            failure = failure or self._refused(error)
            _throw_away(fairy)
        except BaseException:
            _throw_away(fairy)  # interrupted in the middle of the protocol
            raise
        finally:
            if _given_back(fairy, watched) and failure is not None:
                failure = self._late()
        return failure, answer

    def _impatient(self, link: Link) -> int | None:
        """On an application's own SQLite, how long it waits for locks; the store waits no longer than it may."""
        if self._own or link.dialect.name != "sqlite":
            return None
        before = int(link.rows("PRAGMA busy_timeout")[0][0])
        link.rows(f"PRAGMA busy_timeout = {int(link.patience() * 1000)}")
        return before

    def _as_it_was(self, link: Link, patience: int | None) -> None:
        link.restore()
        if patience is not None:
            link.rows(f"PRAGMA busy_timeout = {patience}")

    def _taken(self, engine: sa.Engine, end: float) -> PoolProxiedConnection:
        pool = engine.pool
        if not self._watched or self._own or (engine.dialect.name == "sqlite" and not isinstance(pool, QueuePool)):
            return engine.raw_connection()  # asyncio's deadline, or nothing that could take long
        idle = at_once(engine)
        if idle is not None:
            return idle
        left = max(0.0, end - time.monotonic())
        return within(left, engine.raw_connection, lambda late: late.close(), self._openings)

    def _watch(self, fairy: PoolProxiedConnection, end: float) -> Call | None:
        if not self._watched:
            return None
        descriptor = descriptor_of(fairy.dbapi_connection)
        return None if descriptor is None else WATCH.begin(descriptor, max(0.0, end - time.monotonic()))

    def _refused(self, error: Exception) -> Exception:
        return self._late() if type(error) is TimeoutError else refusal(error, self.timeout)

    def _late(self) -> StoreUnavailable:
        return StoreUnavailable(
            f"The database did not answer within {self.timeout:g} s.", remedy="Look at its load and its locks."
        )

    @contextlib.contextmanager
    def taking_turns(self) -> Generator[float]:
        """SQLite has one writer: those of this process queue here, where waiting costs nothing and is fair.

        Gives when the call has to be over, the queue included.
        """
        end = time.monotonic() + self.timeout
        if not self._watched or self.engine.dialect.name != "sqlite":
            yield end
            return
        if not self._writing.acquire(timeout=self.timeout):
            raise self._late()
        try:
            yield end
        finally:
            self._writing.release()


# -- giving back --------------------------------------------------------------------


def _given_back(fairy: PoolProxiedConnection, watched: Call | None) -> bool:
    """Give the connection back, still watched: the pool resets it. Whether the call was cut off."""
    try:
        if watched is not None and fairy.is_valid and WATCH.has_cut(watched):
            _throw_away(fairy)
        with contextlib.suppress(Exception):
            fairy.close()
    finally:
        cut = watched is not None and WATCH.end(watched)
    return cut


_EVERY: Final[weakref.WeakSet[Connections]] = weakref.WeakSet()


def _renew() -> None:
    for one in list(_EVERY):
        one.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


def _disconnected(fairy: PoolProxiedConnection, engine: sa.Engine, watched: Call | None) -> None:
    """Throw away a connection that the server has ended, and have the pool replace those that are as old.

    As SQLAlchemy does it for its own: after a restart, the first call finds all of them dead, not each call one. One
    that was cut off here says nothing of the others.
    """
    whole_pool = getattr(engine.pool, "_invalidate", None)
    if callable(whole_pool) and not (watched is not None and WATCH.has_cut(watched)):
        whole_pool(fairy, None, False)
    _throw_away(fairy)


def _throw_away(fairy: PoolProxiedConnection) -> None:
    with contextlib.suppress(Exception):
        fairy.invalidate()


def require_schema(link: Link) -> None:
    """Refuse a database without the tables, or with those of a release that this one does not know.

    Raises:
        SchemaMismatch: naming what was found and what would do.
    """
    found = {text(kind): int(version) for kind, version in link.read(link.sql.schema_version)}
    link.connection.rollback()  # a query may have begun a transaction, and what follows begins its own
    version = found.get(SCHEMA_KIND)
    if version not in SUPPORTED or "fence" not in found:
        raise SchemaMismatch(version if "fence" in found else None, tuple(sorted(SUPPORTED)))
