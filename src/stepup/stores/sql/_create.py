"""Making the tables, and looking whether they will do."""

from __future__ import annotations

from typing import Final

from sqlalchemy.schema import CreateIndex, CreateTable

from stepup.errors import SchemaMismatch, StoreUnavailable

from ._connections import Connections, require_schema
from ._failures import Conflict
from ._link import Link
from ._sql import MariaDB
from .schema import Tables, seeds

_TRIES: Final = 50


def create_schema(connections: Connections, tables: Tables) -> None:
    """As ``SQLStore.create_schema``. Another process may be at it too: what it has made is not made again."""
    try:
        return check_schema(connections)
    except SchemaMismatch as error:
        if error.found is not None:
            raise  # tables of another version are not touched
    except StoreUnavailable:
        pass
    with connections.taking_turns() as end:
        failure = _made(connections, tables, end)
    try:
        return check_schema(connections)
    except StoreUnavailable as error:
        raise failure or error from None


def _made(connections: Connections, tables: Tables, end: float) -> StoreUnavailable | None:
    """Make them, and again where another process got in the way; why that cannot be said to have worked."""
    for _ in range(_TRIES):
        try:
            connections.run(_make, tables, checked=False, end=end)
        except Conflict:
            continue  # what the other has made so far may be half of it
        except StoreUnavailable as error:
            return error
        break
    return None


def check_schema(connections: Connections) -> None:
    """As ``SQLStore.check_schema``."""
    connections.read(_look)


def _look(link: Link) -> None:
    require_schema(link)


def _make(link: Link, tables: Tables) -> None:
    if not isinstance(link.sql, MariaDB) and link.dialect.name == "sqlite":
        link.changed("BEGIN IMMEDIATE")
    for table in tables:
        link.changed(str(CreateTable(table, if_not_exists=True).compile(dialect=link.dialect)))
        for index in sorted(table.indexes, key=lambda one: str(one.name)):
            statement = CreateIndex(index, if_not_exists=_knows_if_not_exists(link))
            link.changed(str(statement.compile(dialect=link.dialect)))
    for seed in seeds(link.dialect, tables):
        link.changed(seed)
    link.connection.commit()


def _knows_if_not_exists(link: Link) -> bool:
    """MySQL cannot be asked to make an index only where it is not there; MariaDB can."""
    return link.dialect.name != "mysql" or bool(getattr(link.dialect, "is_mariadb", False))
