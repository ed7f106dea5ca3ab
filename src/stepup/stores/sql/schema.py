"""The two tables, as SQLAlchemy metadata, and the rows they start with.

- ``metadata_of(schema, table_prefix)`` makes the tables under other names; ``metadata`` has the default ones.
- ``seeds(dialect_name, tables)`` are the statements that put in the fence and the schema's version.
- ``ddl(dialect_name)`` is all of it as a script, for those who run their own.

``stepup_record`` holds one record a row, by (partition, kind, key). Keys are compared byte by byte: no collation,
no padding. ``stepup_event`` has a column for whatever an auditor may ask for. Constraints refuse rows half built.

======== ========= ===================================================================================
partition kind      what a row without a person is
======== ========= ===================================================================================
(empty)  fence     its version changes whenever acknowledged writes may have been lost
(empty)  schema    its version is that of the schema
64 hex   (empty)   MariaDB and MySQL only: the row that a batch of this person locks first
======== ========= ===================================================================================
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateIndex, CreateTable

from stepup.changes import FENCE, FOREVER, Fence
from stepup.codec import encode
from stepup.errors import ConfigurationError
from stepup.event import EventType

from ._rows import MAX_PARTITION as MAX_PARTITION

SCHEMA_VERSION: Final = 1
SUPPORTED: Final = frozenset({1})
"""The versions of the schema that this release works on: a new one is understood one release before it is needed."""

PREFIX: Final = "stepup_"
ANCHOR: Final = ""
NOBODY: Final = ""
SCHEMA_KIND: Final = "schema"
FORGOTTEN: Final = EventType.FORGOTTEN.value
"""The one event without an actor: that somebody was erased, and not who."""

NEVER: Final = int(FOREVER.timestamp()) * 1_000_000
"""``expires_at`` is in microseconds since 1970, UTC: exact, the same everywhere, and free of time zones."""

_IDENTIFIER: Final = re.compile(r"[a-z_][a-z0-9_]{0,40}", re.ASCII)


class Tables(NamedTuple):
    """The two tables of one schema and prefix."""

    record: sa.Table
    event: sa.Table


def metadata_of(schema: str | None = None, table_prefix: str = PREFIX) -> sa.MetaData:
    """Metadata that holds the two tables.

    Raises:
        ConfigurationError: for a schema or prefix that is no plain lower-case identifier.
    """
    made = sa.MetaData(schema=None if schema is None else _identifier("schema", schema))
    tables_in(made, table_prefix)
    return made


def tables_in(metadata: sa.MetaData, table_prefix: str = PREFIX) -> Tables:
    """The two tables, added to *metadata*: an application's own, if it likes to have all its tables in one place.

    Raises:
        ConfigurationError: for a prefix that is no plain lower-case identifier.
    """
    prefix = _identifier("table_prefix", table_prefix)
    return Tables(_record(metadata, prefix), _event(metadata, prefix))


def tables_of(metadata: sa.MetaData, table_prefix: str = PREFIX) -> Tables:
    """The two tables that *metadata* holds already."""
    found = {table.name: table for table in metadata.tables.values()}
    return Tables(found[f"{table_prefix}record"], found[f"{table_prefix}event"])


def _identifier(name: str, value: object) -> str:
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise ConfigurationError(
            f"{name}= must be lower-case letters, digits and underscores, at most 40, not {value!r}."
        )
    return value


def _exact(length: int) -> sa.types.TypeEngine[str]:
    """ASCII text that is compared byte by byte, trailing spaces and case included."""
    return (
        sa.String(length)
        .with_variant(sa.String(length, collation="C"), "postgresql")
        .with_variant(mysql.VARBINARY(length), "mysql", "mariadb")
    )


def _text(length: int | None = None) -> sa.types.TypeEngine[str]:
    """Unicode text. MariaDB's plain TEXT is cut at 64 KiB, so whatever may be longer gets a larger type there."""
    general: sa.types.TypeEngine[str] = sa.Text() if length is None else sa.String(length)
    special = (
        mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin")
        if length is None
        else mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    )
    return general.with_variant(special, "mysql", "mariadb")


def _quoted(word: str) -> sa.ColumnClause[str]:
    """A word as it stands in DDL, where a binary column's own type would not know how to write it."""
    return sa.literal_column(f"'{word}'", sa.String)


def _record(metadata: sa.MetaData, prefix: str) -> sa.Table:
    name = f"{prefix}record"
    partition = sa.Column("partition", _exact(MAX_PARTITION), nullable=False)
    kind = sa.Column("kind", _exact(64), nullable=False)
    key = sa.Column("key", _exact(192), nullable=False)
    version = sa.Column("version", sa.BigInteger, nullable=False)
    expires_at = sa.Column("expires_at", sa.BigInteger, nullable=False)
    tag = sa.Column("tag", _exact(192), nullable=True)
    data = sa.Column("data", _text(), nullable=False)
    return sa.Table(
        name,
        metadata,
        partition,
        kind,
        key,
        version,
        expires_at,
        tag,
        data,
        sa.PrimaryKeyConstraint(partition, kind, key, name=f"{name}_pkey"),
        sa.CheckConstraint(version >= 1, name=f"{name}_version"),
        sa.CheckConstraint(expires_at > 0, name=f"{name}_expires_at"),
        sa.CheckConstraint(sa.func.length(data) > 0, name=f"{name}_data"),
        sa.CheckConstraint(
            sa.or_(sa.func.length(partition) > 0, kind.in_([_quoted(FENCE.kind), _quoted(SCHEMA_KIND)])),
            name=f"{name}_partition",
        ),
        sa.Index(f"{name}_expiry", expires_at, postgresql_where=expires_at < NEVER, sqlite_where=expires_at < NEVER),
        sa.Index(
            f"{name}_tag", tag, partition, kind, key, postgresql_where=tag.is_not(None), sqlite_where=tag.is_not(None)
        ),
        mysql_engine="InnoDB",
        mariadb_engine="InnoDB",
    )


def _event(metadata: sa.MetaData, prefix: str) -> sa.Table:
    name = f"{prefix}event"
    moment = sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    seq = sa.Column("seq", serial, primary_key=True, autoincrement=True)
    partition = sa.Column("partition", _exact(MAX_PARTITION), nullable=False)
    ident = sa.Column("id", _text(64), nullable=False)
    kind = sa.Column("type", _text(64), nullable=False)
    result = sa.Column("result", _text(16), nullable=False)
    actor = sa.Column("actor", _text(256), nullable=False)
    score = sa.Column("risk_score", sa.Integer, nullable=False)
    return sa.Table(
        name,
        metadata,
        seq,
        partition,
        ident,
        sa.Column("at", moment, nullable=False),
        kind,
        result,
        actor,
        sa.Column("reason", _text(1024)),
        sa.Column("on_behalf_of", _text(256)),
        sa.Column("action", _text(128)),
        sa.Column("resource_type", _text(256)),
        sa.Column("resource_id", _text(256)),
        sa.Column("organization", _text(256)),
        sa.Column("session", _text(128)),
        sa.Column("device", _text(128)),
        sa.Column("method", _text(64)),
        score,
        sa.Column("risk_level", _text(16), nullable=False),
        sa.Column("ip", _text(128)),
        sa.Column("user_agent", _text(1024)),
        sa.Column("challenge_id", _text(128)),
        sa.Column("grant_id", _text(128)),
        sa.Column("rules", _text(128)),
        sa.Column("detail", _text(), nullable=False),
        sa.Column("snapshot", _text()),
        sa.CheckConstraint(sa.func.length(partition) > 0, name=f"{name}_partition"),
        sa.CheckConstraint(sa.func.length(ident) > 0, name=f"{name}_id"),
        sa.CheckConstraint(sa.or_(sa.func.length(actor) > 0, kind == _quoted(FORGOTTEN)), name=f"{name}_actor"),
        sa.CheckConstraint(result.in_(["ok", "refused", "open"]), name=f"{name}_result"),
        sa.CheckConstraint(score.between(0, 100), name=f"{name}_risk_score"),
        sa.Index(f"{name}_partition_seq", partition, seq),
        mysql_engine="InnoDB",
        mariadb_engine="InnoDB",
        sqlite_autoincrement=True,
    )


metadata: Final = metadata_of()
"""The tables under their default names."""

# -- the rows they start with -------------------------------------------------------

_CHANCE: Final = {
    "postgresql": "1 + CAST(floor(random() * 9007199254740990) AS bigint)",
    "mysql": "1 + CAST(floor(rand() * 9007199254740990) AS SIGNED)",
    "mariadb": "1 + CAST(floor(rand() * 9007199254740990) AS SIGNED)",
    "sqlite": "1 + abs(random() % 9007199254740990)",
}
"""A fence is drawn by the database, so that one script run on two databases gives each its own."""


def seeds(dialect: sa.Dialect, tables: Tables) -> tuple[str, ...]:
    """Statements that put in the fence and the schema's version; each does nothing where its row is there."""
    prepare = dialect.identifier_preparer
    table = prepare.format_table(tables.record)
    columns = ", ".join(prepare.quote(column.name) for column in tables.record.columns)
    kind, partition = prepare.quote("kind"), prepare.quote("partition")
    rows = {FENCE.kind: (chance(dialect), encode(Fence())), SCHEMA_KIND: (str(SCHEMA_VERSION), "-")}
    return tuple(
        f"INSERT INTO {table} ({columns}) SELECT '', '{name}', '', {version}, {NEVER}, NULL, '{data}'"  # noqa: S608 -- constants of this module
        f" FROM (SELECT 1 AS one) AS nobody WHERE NOT EXISTS (SELECT 1 FROM {table} AS held"
        f" WHERE held.{partition} = '' AND held.{kind} = '{name}')"
        for name, (version, data) in rows.items()
    )


def chance(dialect: sa.Dialect) -> str:
    """SQL for a whole number from 1 to 2**53 - 1, drawn anew each time.

    Raises:
        ConfigurationError: for a database that stepup has no statements for.
    """
    try:
        return _CHANCE[dialect.name]
    except KeyError:
        known = "postgresql, mariadb, mysql, sqlite"
        raise ConfigurationError(f"There is no SQL store for {dialect.name!r}; there is for {known}.") from None


def ddl(dialect: str, *, schema: str | None = None, table_prefix: str = PREFIX) -> str:
    """The whole schema as a script for *dialect*: ``postgresql``, ``mariadb``, ``mysql`` or ``sqlite``.

    Raises:
        ConfigurationError: for a dialect without statements, or a schema or prefix that is no plain identifier.
    """
    if dialect not in _CHANCE:
        raise ConfigurationError(f"dialect must be one of {', '.join(_CHANCE)}, not {dialect!r}.")
    spoken = sa.make_url(f"{dialect}://").get_dialect()()
    tables = tables_of(metadata_of(schema, table_prefix), table_prefix)
    made = [str(CreateTable(table).compile(dialect=spoken)) for table in tables]
    made += [
        str(CreateIndex(index).compile(dialect=spoken))
        for table in tables
        for index in sorted(table.indexes, key=lambda one: str(one.name))
    ]
    return "".join(f"{statement.strip()};\n\n" for statement in (*made, *seeds(spoken, tables)))
