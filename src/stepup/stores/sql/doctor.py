"""Whether a database will do as a store: what ``python -m stepup doctor`` prints.

``examine`` asks the database about itself, one question a function, and never writes. Each finding is ``ok``,
``warning`` (it works, and something is given away) or ``problem`` (it does not work, or not as promised).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy import exc

from stepup.errors import SchemaMismatch, StoreUnavailable

from ._store import SQLStore
from .schema import SUPPORTED, Tables

Severity = Literal["ok", "warning", "problem"]
MAX_DIFFERENCE: Final = 2.0
"""Seconds by which the clocks of database and application may differ before it is worth a word: 30 are tolerated."""


class Finding(NamedTuple):
    """One thing that was looked at."""

    severity: Severity
    what: str
    remedy: str = ""


def examine(store: SQLStore) -> list[Finding]:
    """Everything worth knowing about the database behind *store*; the first problem may keep the rest from view."""
    try:
        with store.engine.connect() as connection:
            return [
                Finding("ok", f"connected to {_server(connection)} through {connection.dialect.driver}"),
                *_schema(store),
                *_clock(connection),
                *_durability(connection),
                *_isolation(connection),
                *_backlog(connection, store.tables),
            ]
    except exc.SQLAlchemyError as error:
        return [Finding("problem", f"the database cannot be asked ({type(error).__name__})", "Look at its address.")]


def _server(connection: sa.Connection) -> str:
    dialect = connection.dialect
    name = "mariadb" if getattr(dialect, "is_mariadb", False) else dialect.name
    return f"{name} {'.'.join(str(part) for part in dialect.server_version_info or ())}"


def _schema(store: SQLStore) -> Iterator[Finding]:
    try:
        store.check_schema()
    except SchemaMismatch as error:
        yield Finding("problem", str(error))
    except StoreUnavailable as error:
        yield Finding("problem", str(error))
    else:
        yield Finding("ok", f"the tables are of a version that works here ({', '.join(map(str, sorted(SUPPORTED)))})")


def _clock(connection: sa.Connection) -> Iterator[Finding]:
    question = {
        "postgresql": "SELECT extract(epoch FROM clock_timestamp())",
        "sqlite": None,
    }.get(connection.dialect.name, "SELECT unix_timestamp(sysdate(6))")
    if question is None:
        return
    before = time.time()
    there = float(connection.exec_driver_sql(question).scalar_one())
    difference = there - (before + time.time()) / 2
    said = f"the clocks of database and application differ by {abs(difference):.3f} s"
    if abs(difference) <= MAX_DIFFERENCE:
        yield Finding("ok", said)
    else:
        remedy = "Time comes from the application; keep all its machines on NTP."
        yield Finding("warning", said, remedy)


def _durability(connection: sa.Connection) -> Iterator[Finding]:
    """Whether what was acknowledged outlives a crash, and whether this is the primary."""
    name = connection.dialect.name
    if name == "postgresql":
        replica = connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar_one()
        yield _must(replica is False, "it is the primary", "it is a replica", "Connect to the primary.")
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            value = str(connection.exec_driver_sql(f"SHOW {setting}").scalar_one())
            yield _should(value != "off", f"{setting} is {value}", "An acknowledged claim can be lost in a crash.")
    elif name == "sqlite":
        mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())
        yield _should(mode == "wal", f"journal_mode is {mode}", "Readers and writers block each other without WAL.")
        level = int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())
        yield _should(level >= 2, f"synchronous is {level}", "Below 2 (FULL), a claim can be lost with the power.")
    else:
        only = int(connection.exec_driver_sql("SELECT @@read_only").scalar_one())
        yield _must(only == 0, "it takes writes", "it takes no writes", "Connect to the primary.")
        flush = int(connection.exec_driver_sql("SELECT @@innodb_flush_log_at_trx_commit").scalar_one())
        yield _should(
            flush == 1, f"innodb_flush_log_at_trx_commit is {flush}", "Other than 1, a claim can be lost in a crash."
        )


def _isolation(connection: sa.Connection) -> Iterator[Finding]:
    level = connection.get_isolation_level()
    yield Finding("ok", f"the isolation level is {level}; the store sets its own for its transactions")
    if connection.dialect.name in {"mysql", "mariadb"}:
        form = str(connection.exec_driver_sql("SELECT @@binlog_format").scalar_one())
        yield _must(
            form != "STATEMENT",
            f"binlog_format is {form}",
            "binlog_format is STATEMENT",
            "InnoDB refuses READ COMMITTED with it; use MIXED or ROW.",
        )


def _backlog(connection: sa.Connection, tables: Tables) -> Iterator[Finding]:
    """How much a purge would find; counted up to a limit, since a count is not free."""
    most = 100_001
    now = int(datetime.now(UTC).timestamp() * 1_000_000)
    expired = sa.select(sa.literal(1)).where(tables.record.c.expires_at < now).limit(most).subquery()
    try:
        found = int(connection.execute(sa.select(sa.func.count()).select_from(expired)).scalar_one())
    except exc.DBAPIError:
        connection.rollback()
        return  # no tables: said already
    text = f"{'more than 100,000' if found == most else f'{found:,}'} records have expired and wait for a purge"
    yield _should(found < most, text, "Run `python -m stepup purge` from cron.")


def _must(holds: bool, good: str, bad: str, remedy: str) -> Finding:
    return Finding("ok", good) if holds else Finding("problem", bad, remedy)


def _should(holds: bool, what: str, remedy: str) -> Finding:
    return Finding("ok", what) if holds else Finding("warning", what, remedy)
