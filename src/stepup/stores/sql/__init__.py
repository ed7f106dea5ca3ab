"""The store in a SQL database: SQLite, PostgreSQL, MariaDB or MySQL, through SQLAlchemy 2 (extra ``sql``).

- ``SQLStore``, ``AsyncSQLStore``: the store; ``.sqlite(path)`` needs no server.
- ``metadata``, ``metadata_of``, ``tables_in``: the tables, for an application that keeps its own metadata.
- ``ddl``: the schema as a script. ``migrations`` is a folder of Alembic revisions.

Read on: ``schema`` (the tables), ``_store`` and ``_async_store`` (the two faces), ``_require`` (what they take),
``_body`` (the five methods, once), ``_batch`` (how a batch is written), ``_sql`` (the statements), ``_connections``
(a connection for one call), ``_link`` (what is done with it), ``_deadline`` (how long it may take), ``_failures``
(what errors mean), ``_joined`` (inside a transaction of the caller's), ``_embedded`` (SQLite).
"""

from __future__ import annotations

from ._async_store import AsyncSQLStore
from ._store import SQLStore
from .schema import SCHEMA_VERSION, ddl, metadata, metadata_of, tables_in

__all__ = ["SCHEMA_VERSION", "AsyncSQLStore", "SQLStore", "ddl", "metadata", "metadata_of", "tables_in"]
