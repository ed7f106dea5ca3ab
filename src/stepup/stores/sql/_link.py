"""A driver's connection while a call lasts: statements, isolation levels, and how long to wait for a lock."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection

from ._failures import DUPLICATE, meaning
from ._rows import Row
from ._sql import PostgreSQL, Statements

_PATIENCE: Final = 0.75


class Link:
    """A driver's connection while a call lasts: statements through its own cursor, and nothing in between.

    ``end`` is when the call has to be over, as ``time.monotonic`` counts.
    """

    __slots__ = ("_mode", "connection", "dialect", "end", "sql")

    def __init__(self, connection: DBAPIConnection, dialect: sa.Dialect, sql: Statements, end: float) -> None:
        self.connection = connection
        self.dialect = dialect
        self.sql = sql
        self.end = end
        self._mode: tuple[object, object] | None = None

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
        self.alone()
        return self.rows(statement, values)

    def alone(self) -> None:
        """Let what follows stand alone, without a transaction, where one would cost a word each way."""
        if isinstance(self.sql, PostgreSQL):
            self.level("AUTOCOMMIT")

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
        if self._mode is None:
            self.connection.rollback()  # a listener of the application's may have begun something; else it says nothing
            self._mode = _mode_of(self.connection)
        self.dialect.set_isolation_level(self.connection, cast(Any, name))

    def restore(self) -> None:
        """Give the connection the level back that it had, which need not be the engine's."""
        if self._mode is None:
            return
        connection: Any = self.connection
        if hasattr(connection, "set_isolation_level"):
            autocommit, level = self._mode
            connection.set_isolation_level(level)
            connection.autocommit = autocommit
        else:
            self.dialect.reset_isolation_level(connection)

    def patience(self) -> float:
        """Seconds to wait for a lock: the database is to give up before the call is cut off, and say why."""
        return max(0.001, (self.end - time.monotonic()) * _PATIENCE)


def _mode_of(connection: Any) -> tuple[object, object]:
    """What a PostgreSQL driver keeps of how it begins: autocommit or not, and the level, None for the server's."""
    holder = connection if hasattr(connection, "isolation_level") else getattr(connection, "driver_connection", None)
    return getattr(connection, "autocommit", None), getattr(holder, "isolation_level", None)
