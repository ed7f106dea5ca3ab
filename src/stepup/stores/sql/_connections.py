"""One connection for one call: taken from the pool, put into the right mode, given back as it was.

``Connections.run`` is all there is to it: it takes a connection, hands a ``Link`` to the work, ends whatever is open,
and turns what went wrong into a refusal. The same code serves both faces: on the async one it runs in the greenlet
that SQLAlchemy's async drivers need, and its deadline is the store's (``asyncio``), not the watch's.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
import weakref
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from stepup.errors import ConfigurationError, SchemaMismatch, StoreUnavailable

from ._deadline import WATCH, descriptor_of, within
from ._failures import DUPLICATE, Conflict, meaning, refusal
from ._rows import Row, text
from ._sql import MariaDB, PostgreSQL, Statements, statements_for
from .schema import SCHEMA_KIND, SUPPORTED, Tables

T = TypeVar("T")
EngineOf = Callable[[], sa.Engine]
_READ_TRIES: Final = 3
_PATIENCE: Final = 0.75


class Link:
    """A driver's connection while a call lasts: statements through its own cursor, and nothing in between.

    ``end`` is when the call has to be over, as ``time.monotonic`` counts.
    """

    __slots__ = ("changed_level", "connection", "dialect", "end", "sql")

    def __init__(self, connection: DBAPIConnection, dialect: sa.Dialect, sql: Statements, end: float) -> None:
        self.connection = connection
        self.dialect = dialect
        self.sql = sql
        self.end = end
        self.changed_level = False

    def rows(self, statement: str, values: Sequence[object] = ()) -> Sequence[Row]:
        """What a query answers."""
        cursor = self.connection.cursor()
        try:
            cursor.execute(statement, tuple(values))
            return cast("Sequence[Row]", cursor.fetchall())
        finally:
            cursor.close()

    def read(self, statement: str, values: Sequence[object] = ()) -> Sequence[Row]:
        """What a query answers that stands alone: no transaction has to be begun and ended for it."""
        if isinstance(self.sql, PostgreSQL):
            self.level("AUTOCOMMIT")
        return self.rows(statement, values)

    def changed(self, statement: str, values: Sequence[object] = ()) -> int:
        """How many rows a statement changed; 0 for an insert that met one already there."""
        cursor = self.connection.cursor()
        try:
            cursor.execute(statement, tuple(values))
            return cursor.rowcount
        except Exception as error:
            if not self.sql.plain_insert_ignores and meaning(error) == DUPLICATE:
                return 0
            raise
        finally:
            cursor.close()

    def level(self, name: str) -> None:
        """Put the connection into an isolation level, or into autocommit, until it is given back."""
        self.changed_level = True
        self.dialect.set_isolation_level(self.connection, cast(Any, name))

    def patience(self) -> float:
        """Seconds to wait for a lock: the database is to give up before the call is cut off, and say why."""
        return max(0.001, (self.end - time.monotonic()) * _PATIENCE)


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
        self._writing = threading.Lock()
        self.timeout = timeout

    @property
    def engine(self) -> sa.Engine:
        """The engine in use now.

        Raises:
            ConfigurationError: if the function that names it answers something else.
        """
        engine = self._engine_of()
        if not isinstance(engine, sa.Engine):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
            raise ConfigurationError(f"The store's engine must be a sqlalchemy.Engine, not a {type(engine).__name__}.")
        return engine

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
        """Run *work* that only reads: a conflict leaves nothing behind, so it is tried again."""
        for _ in range(_READ_TRIES):
            with contextlib.suppress(Conflict):
                return self.run(work, *values)
        raise StoreUnavailable(f"Reading met a conflict {_READ_TRIES} times.", remedy="Try again.")

    def run(self, work: Callable[..., T], *values: object, checked: bool = True) -> T:
        """Run ``work(link, *values)`` on a connection of the pool, within the timeout.

        Raises:
            Conflict: nothing was written, because of another writer.
            StoreUnavailable: anything else that a database, a driver or a pool does.
        """
        engine = self.engine
        end = time.monotonic() + self.timeout
        answer: T | None = None
        failure: Exception | None = None
        try:
            fairy = self._taken(engine)
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
        number = self._watch(fairy, end)
        failure: Exception | None = None
        answer: T | None = None
        try:
            connection = cast(DBAPIConnection, fairy.dbapi_connection)
            link = Link(connection, engine.dialect, self.statements(engine.dialect), end)
            before = self._impatient(link)
            try:
                answer = work(link, *values)
            except Exception as error:  # noqa: BLE001 -- refusal() turns it into one of ours, without its text
                failure = self._refused(error)
                connection.rollback()
            self._as_it_was(link, before)
        except Exception as error:  # noqa: BLE001 -- what cannot be put right is not given back
            failure = failure or self._refused(error)
            _throw_away(fairy)
        except BaseException:
            _throw_away(fairy)  # interrupted in the middle of the protocol
            raise
        finally:
            with contextlib.suppress(Exception):
                fairy.close()
            if number is not None and WATCH.end(number) and failure is not None:
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
        if link.changed_level:
            link.dialect.reset_isolation_level(link.connection)
        if patience is not None:
            link.rows(f"PRAGMA busy_timeout = {patience}")

    def _taken(self, engine: sa.Engine) -> PoolProxiedConnection:
        pool = engine.pool
        idle = isinstance(pool, QueuePool) and pool.checkedin() > 0 and not getattr(pool, "_pre_ping", True)
        if not self._watched or engine.dialect.name == "sqlite" or idle:
            return engine.raw_connection()
        return within(self.timeout, engine.raw_connection, lambda late: late.close())

    def _watch(self, fairy: PoolProxiedConnection, end: float) -> int | None:
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
    def taking_turns(self) -> Generator[None]:
        """SQLite has one writer: those of this process queue here, where waiting costs nothing and is fair."""
        if self._own or not self._watched or self.engine.dialect.name != "sqlite":
            yield
            return
        if not self._writing.acquire(timeout=self.timeout):
            raise self._late()
        try:
            yield
        finally:
            self._writing.release()


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
