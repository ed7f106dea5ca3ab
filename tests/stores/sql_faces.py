"""Both faces of the SQL store through the same calls, so that what holds of a database is written once.

``opened_on`` gives a ``Face``: the methods of ``Store``, in place. The async face runs on an event loop that is kept
between the calls, so that its pool lives on; what the loop has to complain about is in ``complaints``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import pytest
import sqlalchemy as sa
from servers import PostgreSQL, Server, until
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from sql_backends import ASYNC, SYNC, Backend, a_prefix
from stepup.changes import APPLIED, Applied, Changes, Check, Key, Lost, Page, Partition, Record
from stepup.errors import StoreUnavailable
from stepup.event import Event
from stepup.stores.sql import AsyncSQLStore, SQLStore
from stepup.testing._store_bench import NOW, a_claim, an_event

T = TypeVar("T")
EVERY: Final = (*SYNC, *ASYNC)
SERVED: Final = tuple(backend for backend in EVERY if backend.server is not None)
every_backend = pytest.mark.parametrize("backend", EVERY, ids=str)
every_served = pytest.mark.parametrize("backend", SERVED, ids=str)
OLIVIA: Final = "0a" * 32
SLACK: Final = 2.0
"""Seconds that a refusal may take beyond the store's timeout, on a machine that others use too."""


class Face:
    """One SQL store, called in place."""

    def __init__(self, engine: sa.Engine | AsyncEngine, timeout: float, prefix: str) -> None:
        self.complaints: list[str] = []
        self._runner: asyncio.Runner | None = None
        self.store: SQLStore | AsyncSQLStore
        if isinstance(engine, AsyncEngine):
            self._runner = asyncio.Runner()
            self._runner.get_loop().set_exception_handler(self._complain)
            self.store = AsyncSQLStore(engine, table_prefix=prefix, timeout=timeout)
        else:
            self.store = SQLStore(engine, table_prefix=prefix, timeout=timeout)

    def _complain(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.complaints.append(f"{context.get('message')}: {context.get('exception')!r}")

    @property
    def engine(self) -> sa.Engine:
        """The sync engine, also of the async face."""
        engine = self.store.engine
        return engine.sync_engine if isinstance(engine, AsyncEngine) else engine

    @property
    def pool(self) -> sa.QueuePool:
        """Where the connections are."""
        return cast("sa.QueuePool", self.engine.pool)

    def wait(self, work: Any) -> Any:
        """What a call answered, or what the coroutine that it made answers."""
        if self._runner is not None and asyncio.iscoroutine(work):
            return self._runner.run(work)
        return work

    def let_run(self) -> bool:
        """Give what goes on in the background a turn; whether there is still something."""
        if self._runner is None:
            return False
        self._runner.run(asyncio.sleep(0.01))
        return bool(asyncio.all_tasks(self._runner.get_loop()))

    def create_schema(self) -> None:
        self.wait(self.store.create_schema())

    def check_schema(self) -> None:
        self.wait(self.store.check_schema())

    def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        found: Sequence[Record | None] = self.wait(self.store.load(partition, keys))
        return found

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        answer: Applied | Lost = self.wait(self.store.apply(partition, changes))
        return answer

    def list(self, tag: str, *, after: str | None, limit: int) -> Page[Record]:
        page: Page[Record] = self.wait(self.store.list(tag, after=after, limit=limit))
        return page

    def events(self, partition: Partition, *, after: str | None, limit: int) -> Page[Event]:
        page: Page[Event] = self.wait(self.store.events(partition, after=after, limit=limit))
        return page

    def purge(self, before: datetime, *, limit: int = 1000) -> int:
        gone: int = self.wait(self.store.purge(before, limit=limit))
        return gone

    def on_connection(self, work: Callable[[sa.Connection], T]) -> T:
        """What *work* answers, on a connection of the pool as an application takes one."""
        engine = self.store.engine
        if isinstance(engine, sa.Engine):
            with engine.connect() as connection:
                return work(connection)

        async def on_async(engine: AsyncEngine) -> T:
            async with engine.connect() as connection:
                return await connection.run_sync(work)

        return cast(T, self.wait(on_async(engine)))

    def dispose(self) -> None:
        """Close the idle connections."""
        self.wait(self.store.engine.dispose())

    def close(self) -> None:
        """Close the connections and the loop."""
        self.dispose()
        if self._runner is not None:
            self._runner.close()

    def refuse_events_with(self, reason: str) -> None:
        """Have the database refuse events of that reason; it says so with the reason in its words."""
        name = self.store.tables.event.name
        check = {
            "postgresql": f"ALTER TABLE {name} ADD CONSTRAINT {name}_sound CHECK (reason <> '{reason}')",
            "mysql": f"CREATE TRIGGER {name}_sound BEFORE INSERT ON {name} FOR EACH ROW IF NEW.reason = '{reason}' THEN"
            " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = NEW.reason; END IF",
            "sqlite": f"CREATE TRIGGER {name}_sound BEFORE INSERT ON {name} WHEN NEW.reason = '{reason}'"
            f" BEGIN SELECT RAISE(ABORT, '{reason}'); END",
        }

        def refuse(connection: sa.Connection) -> None:
            connection.exec_driver_sql(check[connection.dialect.name])
            connection.commit()

        self.on_connection(refuse)

    # -- what most tests do ---------------------------------------------------------

    def answers(self) -> bool:
        """Whether the database can be asked."""
        try:
            self.check_schema()
        except StoreUnavailable:
            return False
        return True

    @property
    def prefix(self) -> str:
        """What the names of its tables begin with."""
        return self.store.tables.record.name.removesuffix("record")

    def claim(self, name: str, *, checks: tuple[Check, ...] = (), partition: Partition = OLIVIA) -> Applied | Lost:
        """Write a claim and an event of one name."""
        return self.apply(partition, Changes(NOW, (a_claim(name),), checks, (an_event(name),)))

    def claim_twice(self, name: str, *, partition: Partition = OLIVIA) -> Applied | Lost:
        """Write two claims and an event: a batch that takes a transaction on every database."""
        puts = (a_claim(name), a_claim(f"{name}-too"))
        return self.apply(partition, Changes(NOW, puts, (), (an_event(name),)))

    def has(self, name: str, *, partition: Partition = OLIVIA) -> bool:
        """Whether a claim of that name was written."""
        (found,) = self.load(partition, [Key("claim", name)])
        return found is not None

    def told(self, *, partition: Partition = OLIVIA) -> set[str | None]:
        """The reasons of a person's events."""
        return {event.reason for event in self.events(partition, after=None, limit=100).items}

    def works(self, name: str) -> None:
        """Insist that the store takes and gives."""
        assert self.claim(name) is APPLIED
        assert self.has(name)

    def works_soon(self, name: str) -> None:
        """As ``works``, for a timeout so short that a busy machine may cost a call."""
        names = (f"{name}-{number}" for number in count())

        def worked() -> bool:
            try:
                self.works(next(names))
            except StoreUnavailable:
                return False
            return True

        until("the store works", worked)

    def all_or_nothing(self, name: str) -> bool:
        """Whether what ``claim_twice`` was to write is there; insists that not a part of it is."""
        there = (self.has(name), self.has(f"{name}-too"), name in self.told())
        assert len(set(there)) == 1, f"half a batch was written: {there}"
        return there[0]


def refused_in_time(call: Callable[[], object], timeout: float) -> StoreUnavailable:
    """Insist that *call* is refused, and before the store's timeout and some slack are over."""
    before = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        call()
    took = time.monotonic() - before
    assert took < timeout + SLACK, f"refused only after {took:.2f} s"
    return caught.value


def url(backend: Backend, where: Server | str | Path) -> str:
    """The address of a database for a driver: on a server, at ``user@host:port/database``, or in a folder."""
    if isinstance(where, Path):
        return backend.url(where)
    return f"{backend.scheme}://{where if isinstance(where, str) else where.address}"


def an_engine(backend: Backend, where: Server | str | Path, **options: Any) -> sa.Engine | AsyncEngine:
    """An engine of the backend's colour."""
    made = create_async_engine if backend in ASYNC else sa.create_engine
    return made(url(backend, where), **options)


@contextmanager
def opened_on(
    backend: Backend,
    where: Server | str | Path,
    *,
    timeout: float = 10.0,
    prefix: str | None = None,
    made: bool = True,
    **options: Any,
) -> Iterator[Face]:
    """A store with tables of its own, unless they are not to be *made*; and *options* for its engine."""
    face = Face(an_engine(backend, where, **options), timeout, prefix or a_prefix())
    try:
        if made:
            face.create_schema()
        yield face
    finally:
        face.close()
    assert face.complaints == []


# -- somebody else ------------------------------------------------------------------


class Stranger:
    """A transaction of somebody else's, on the tables of a store."""

    def __init__(self, connection: sa.Connection, face: Face) -> None:
        self.connection = connection
        self.table = face.store.tables.record.name

    def run(self, statement: str) -> None:
        self.connection.exec_driver_sql(statement)

    def lock(self, key: Key) -> None:
        """Lock a record of Olivia's."""
        self.run(f"SELECT version FROM {self.table} WHERE {_where(key, self.connection)} FOR UPDATE")

    def rewrite(self, key: Key) -> None:
        """Write a record as it is."""
        self.run(f"UPDATE {self.table} SET version = version WHERE {_where(key, self.connection)}")


def _where(key: Key, connection: sa.Connection) -> str:
    quoted = connection.dialect.identifier_preparer.quote_identifier
    values = {"partition": OLIVIA, "kind": key.kind, "key": key.id}
    return " AND ".join(f"{quoted(name)} = '{value}'" for name, value in values.items())


@contextmanager
def stranger(server: Server, face: Face) -> Iterator[Stranger]:
    """Somebody else, in a transaction that ends with the block at the latest."""
    engine = sa.create_engine(f"{server.scheme}://{server.address}", poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield Stranger(connection, face)


def waiting(server: Server) -> int:
    """How many wait for a lock."""
    if isinstance(server, PostgreSQL):
        question = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    else:
        question = "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
    ((number,),) = server.ask(question)
    assert isinstance(number, int)
    return number
