"""A shop that pays out of its own database, and a gate whose store stands in the same one."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from sql_backends import Backend, a_prefix, need, opened, opened_async
from stepup import Action, Actor, AsyncStepUp, Context, Policy, Resource, Session, StepUp
from stepup._config import AsyncOptions, Options
from stepup.stores.sql import AsyncSQLStore, SQLStore
from stepup.testing import FrozenClock, ScriptedVerifier

ACTOR = Actor("usr_2048", email="olivia@northstar.example")
ACCOUNT = Resource("account", "acc_7")
CONTEXT = Context(ACTOR, session=Session("sess_1"))
SECRET = "a secret of the tests, never a real one: 0123456789"
ACTIONS = (
    Action("payout.create", "Pay out", risk=4),
    Action("role.change", "Change a role", risk=3),
    Action("note.edit", "Edit a note", risk=2),
    Action("batch.run", "Run a batch", policy=Policy(uses=3)),
)


@dataclass(frozen=True)
class Shop:
    """The application's engine and table, and the gate."""

    engine: sa.Engine
    paid: sa.Table
    store: SQLStore
    gate: StepUp

    def pay(self, connection: sa.Connection, note: str = "") -> None:
        connection.execute(self.paid.insert().values(note=note))

    def payments(self) -> int:
        with self.engine.connect() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(self.paid)).scalar_one()


@dataclass(frozen=True)
class AsyncShop:
    """``Shop`` on the async face."""

    engine: AsyncEngine
    paid: sa.Table
    store: AsyncSQLStore
    gate: AsyncStepUp

    async def payments(self) -> int:
        async with self.engine.connect() as connection:
            return (await connection.execute(sa.select(sa.func.count()).select_from(self.paid))).scalar_one()


def _table() -> sa.Table:
    return sa.Table(
        f"{a_prefix()}paid",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("note", sa.String(100), nullable=False),
        mysql_engine="InnoDB",
    )


@contextmanager
def shop(backend: Backend, folder: Path, **options: Unpack[Options]) -> Iterator[Shop]:
    """A shop on *backend*; the tables go with it. *options* are the gate's."""
    need(backend.server)
    options.setdefault("clock", FrozenClock())
    with opened(backend, folder, timeout=5.0) as store:
        engine = sa.create_engine(backend.url(folder), pool_size=24, max_overflow=0, pool_timeout=30)
        if backend.server is None:
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        paid = _table()
        paid.create(engine)
        gate = StepUp(
            actions=ACTIONS,
            verifiers=[ScriptedVerifier("password")],
            store=store,
            secret=SECRET,
            **options,
        )
        try:
            yield Shop(engine, paid, store, gate)
        finally:
            settle()
            if backend.server is not None:
                paid.drop(engine)
            engine.dispose()


@asynccontextmanager
async def async_shop(backend: Backend, folder: Path, **options: Unpack[AsyncOptions]) -> AsyncIterator[AsyncShop]:
    """As ``shop``, on the async face."""
    need(backend.server)
    options.setdefault("clock", FrozenClock())
    async with opened_async(backend, folder, seconds=5.0) as store:
        engine = create_async_engine(backend.url(folder), pool_size=24, max_overflow=0, pool_timeout=30)
        paid = _table()
        async with engine.begin() as connection:
            if backend.server is None:
                await connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            await connection.run_sync(paid.create)
        gate = AsyncStepUp(
            actions=ACTIONS,
            verifiers=[ScriptedVerifier("password")],
            store=store,
            secret=SECRET,
            **options,
        )
        try:
            yield AsyncShop(engine, paid, store, gate)
        finally:
            if backend.server is not None:
                async with engine.begin() as connection:
                    await connection.run_sync(paid.drop)
            await engine.dispose()


def settle() -> None:
    """Wait for what follows a transaction."""
    for thread in threading.enumerate():
        if thread.name == "stepup-afterwards":
            thread.join(30)
