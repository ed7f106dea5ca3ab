"""Making the tables, and looking whether they will do."""

from __future__ import annotations

from sqlalchemy.schema import CreateIndex, CreateTable

from stepup.errors import SchemaMismatch, StoreUnavailable

from ._connections import Connections, Link, require_schema
from ._failures import Conflict
from ._sql import MariaDB
from .schema import Tables, seeds


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
        failure: StoreUnavailable | None = None
        try:
            connections.run(_make, tables, checked=False, end=end)
        except StoreUnavailable as error:
            failure = error
        except Conflict:
            pass  # another process is at it; what it has made is looked at below
    try:
        return check_schema(connections)
    except StoreUnavailable as error:
        raise failure or error from None


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
