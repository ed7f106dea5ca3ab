"""Version 1 of the schema: records and events.

Revision ID: stepup_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import mysql

revision = "stepup_0001"
down_revision = None
branch_labels = ("stepup",)
depends_on = None

NEVER = 253402214400000000


def upgrade() -> None:
    """Make the tables, the fence and the schema's version."""
    schema, record, event = _names()
    op.create_table(
        record,
        sa.Column("partition", _exact(64), nullable=False),
        sa.Column("kind", _exact(64), nullable=False),
        sa.Column("key", _exact(192), nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("tag", _exact(192)),
        sa.Column("data", _text(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "kind", "key", name=f"{record}_pkey"),
        sa.CheckConstraint(sa.column("version") >= 1, name=f"{record}_version"),
        sa.CheckConstraint(sa.column("expires_at") > 0, name=f"{record}_expires_at"),
        sa.CheckConstraint(sa.func.length(sa.column("data")) > 0, name=f"{record}_data"),
        sa.CheckConstraint(
            sa.or_(sa.func.length(sa.column("partition")) > 0, sa.column("kind").in_(["fence", "schema"])),
            name=f"{record}_partition",
        ),
        schema=schema,
        mysql_engine="InnoDB",
        mariadb_engine="InnoDB",
    )
    perishable = sa.text(f"expires_at < {NEVER}")
    op.create_index(
        f"{record}_expiry", record, ["expires_at"], schema=schema, postgresql_where=perishable, sqlite_where=perishable
    )
    tagged = sa.text("tag IS NOT NULL")
    op.create_index(
        f"{record}_tag",
        record,
        ["tag", "partition", "kind", "key"],
        schema=schema,
        postgresql_where=tagged,
        sqlite_where=tagged,
    )
    moment = sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    op.create_table(
        event,
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("partition", _exact(64), nullable=False),
        sa.Column("id", _text(64), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("type", _text(64), nullable=False),
        sa.Column("result", _text(16), nullable=False),
        sa.Column("actor", _text(256), nullable=False),
        *(
            sa.Column(name, _text(length))
            for name, length in (
                ("reason", 1024), ("on_behalf_of", 256), ("action", 128), ("resource_type", 256), ("resource_id", 256),
                ("organization", 256), ("session", 128), ("device", 128), ("method", 64),
            )
        ),
        sa.Column("risk_score", sa.Integer, nullable=False),
        sa.Column("risk_level", _text(16), nullable=False),
        *(
            sa.Column(name, _text(length))
            for name, length in (
                ("ip", 128), ("user_agent", 1024), ("challenge_id", 128), ("grant_id", 128), ("rules", 128),
            )
        ),
        sa.Column("detail", _text(), nullable=False),
        sa.Column("snapshot", _text()),
        sa.CheckConstraint(sa.func.length(sa.column("partition")) > 0, name=f"{event}_partition"),
        sa.CheckConstraint(sa.func.length(sa.column("id")) > 0, name=f"{event}_id"),
        sa.CheckConstraint(
            sa.or_(sa.func.length(sa.column("actor")) > 0, sa.column("type") == sa.literal_column("'forgotten'")),
            name=f"{event}_actor",
        ),
        sa.CheckConstraint(sa.column("result").in_(["ok", "refused", "open"]), name=f"{event}_result"),
        sa.CheckConstraint(sa.column("risk_score").between(0, 100), name=f"{event}_risk_score"),
        schema=schema,
        mysql_engine="InnoDB",
        mariadb_engine="InnoDB",
        sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index(f"{event}_partition_seq", event, ["partition", "seq"], schema=schema)
    _seed(schema, record)


def downgrade() -> None:
    """Drop the tables. Whatever was proved, counted or recorded is gone, and every token with it."""
    schema, record, event = _names()
    op.drop_table(event, schema=schema)
    op.drop_table(record, schema=schema)


def _names() -> tuple[str | None, str, str]:
    config = context.config
    prefix = config.get_main_option("stepup_table_prefix") or "stepup_"
    return config.get_main_option("stepup_schema") or None, f"{prefix}record", f"{prefix}event"


def _exact(length: int) -> sa.types.TypeEngine[str]:
    return (
        sa.String(length)
        .with_variant(sa.String(length, collation="C"), "postgresql")
        .with_variant(mysql.VARBINARY(length), "mysql", "mariadb")
    )


def _text(length: int | None = None) -> sa.types.TypeEngine[str]:
    charset = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}
    if length is None:
        return sa.Text().with_variant(mysql.MEDIUMTEXT(**charset), "mysql", "mariadb")
    return sa.String(length).with_variant(mysql.VARCHAR(length, **charset), "mysql", "mariadb")


def _seed(schema: str | None, record: str) -> None:
    """The fence is drawn by the database, so that a script run on two databases gives each its own."""
    chance = {
        "postgresql": "1 + CAST(floor(random() * 9007199254740990) AS bigint)",
        "sqlite": "1 + abs(random() % 9007199254740990)",
    }.get(op.get_context().dialect.name, "1 + CAST(floor(rand() * 9007199254740990) AS SIGNED)")
    quote = op.get_context().dialect.identifier_preparer.quote
    columns = ", ".join(quote(name) for name in ("partition", "kind", "key", "version", "expires_at", "data"))
    table = f"{schema}.{record}" if schema else record
    for kind, version, data in (("fence", chance, '{"format":1,"type":"fence","value":{}}'), ("schema", "1", "-")):
        op.execute(
            sa.text(
                f"INSERT INTO {table} ({columns}) VALUES ('', '{kind}', '', {version}, {NEVER}, :data)"  # noqa: S608 -- constants, and names from the application's own configuration
            ).bindparams(sa.bindparam("data", data, literal_execute=True))
        )
