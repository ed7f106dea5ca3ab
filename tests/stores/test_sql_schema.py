"""The tables: what they refuse, that every way to make them makes the same, and the commands around them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

import stepup.stores.sql.migrations
from sql_backends import SYNC, Backend, a_prefix, need, opened
from stepup.__main__ import main
from stepup.changes import ACTOR_EPOCH, APPLIED, FENCE, Changes, Check, Epoch, Record, claim_key
from stepup.errors import ConfigurationError, SchemaMismatch
from stepup.event import Event, EventType
from stepup.grant import Claim
from stepup.stores.sql import SQLStore, ddl, metadata, metadata_of, tables_in
from stepup.testing.store import check_store

NOW = datetime(2026, 6, 11, 18, 3, tzinfo=UTC)
OLIVIA = "0a" * 32


@pytest.fixture(params=SYNC, ids=str)
def backend(request: pytest.FixtureRequest) -> Backend:
    made = cast(Backend, request.param)
    need(made.server)
    return made


@pytest.fixture
def store(backend: Backend, tmp_path: Path) -> Iterator[SQLStore]:
    with opened(backend, tmp_path) as made:
        yield made


def version_of(store: SQLStore) -> int:
    (record,) = store.load(OLIVIA, [FENCE])
    assert record is not None
    return record.version


# -- rows half built ------------------------------------------------------------------

WHOLE_RECORD: dict[str, object] = {
    "partition": OLIVIA, "kind": "claim", "key": "x", "version": 1, "expires_at": 1, "tag": None, "data": "{}",
}  # fmt: skip
WHOLE_EVENT: dict[str, object] = {
    "partition": OLIVIA, "id": "e", "at": NOW, "type": "attempt", "result": "ok", "actor": "usr_2048", "risk_score": 0,
    "risk_level": "low", "detail": "{}",
}  # fmt: skip


def insert(store: SQLStore, table: sa.Table, row: dict[str, object]) -> None:
    binary = {c.name for c in table.columns if isinstance(c.type.dialect_impl(store.engine.dialect), sa.LargeBinary)}
    binary |= {"partition", "kind", "key", "tag"} if store.engine.dialect.name in {"mysql", "mariadb"} else set()
    values = {k: v.encode() if k in binary and isinstance(v, str) else v for k, v in row.items()}
    with store.engine.begin() as connection:
        connection.execute(table.insert().values(**values))


@pytest.mark.requirement("X-11")
@pytest.mark.parametrize(
    ("column", "value"),
    [
        *((name, None) for name in ("partition", "kind", "key", "version", "expires_at", "data")),
        ("version", 0), ("version", -1), ("expires_at", 0), ("data", ""), ("partition", ""),
    ],
)  # fmt: skip
def test_a_record_half_built_cannot_exist(store: SQLStore, column: str, value: object) -> None:
    """The database itself refuses a record without its parts, whoever writes it."""
    insert(store, store.tables.record, WHOLE_RECORD)

    with pytest.raises(sa.exc.DBAPIError):
        insert(store, store.tables.record, {**WHOLE_RECORD, "key": "y", column: value})


@pytest.mark.requirement("X-11")
@pytest.mark.parametrize(
    ("column", "value"),
    [
        *((name, None) for name in WHOLE_EVENT),
        ("partition", ""), ("id", ""), ("actor", ""), ("result", "maybe"), ("risk_score", 101), ("risk_score", -1),
    ],
)  # fmt: skip
def test_an_event_half_built_cannot_exist(store: SQLStore, column: str, value: object) -> None:
    """Nor an event."""
    insert(store, store.tables.event, WHOLE_EVENT)

    with pytest.raises(sa.exc.DBAPIError):
        insert(store, store.tables.event, {**WHOLE_EVENT, column: value})


def test_an_auditor_asks_in_sql(store: SQLStore) -> None:
    """Every field of an event is a column, times are times, and the detail is JSON."""
    event = Event(
        "e" * 32, NOW, EventType.AUTHORIZATION, "refused", "usr_2048", reason="spent", action="payout.create",
        resource_type="account", resource_id="acc_7", organization="org_7", session="a" * 32, method="password",
        risk_score=77, risk_level="high", ip="192.0.2.7", user_agent="Safari", challenge_id="c", grant_id="g",
        rules="r", detail={"stale_by": 312},
    )  # fmt: skip
    store.apply(OLIVIA, Changes(NOW, events=(event,)))

    table = store.tables.event
    with store.engine.connect() as connection:
        row = connection.execute(
            sa.select(table).where(table.c.actor == "usr_2048", table.c.at > NOW - timedelta(seconds=1))
        ).one()
    found = row._mapping
    assert found["at"].replace(tzinfo=UTC) == NOW
    assert {name: found[name] for name in ("type", "result", "reason", "action", "risk_score", "ip", "detail")} == {
        "type": "authorization", "result": "refused", "reason": "spent", "action": "payout.create", "risk_score": 77,
        "ip": "192.0.2.7", "detail": '{"stale_by":312}',
    }  # fmt: skip


# -- every way to make them -------------------------------------------------------------


def differences(engine: sa.Engine, wanted: sa.MetaData) -> list[Any]:
    """What Alembic would change of the database to come to *wanted*; other tests' tables are not looked at."""
    names = {table.name for table in wanted.tables.values()}
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _: kind != "table" or name in names, "compare_type": True},
        )
        return list(compare_metadata(context, wanted))


def script(engine: sa.Engine, text: str) -> None:
    with engine.begin() as connection:
        for statement in text.split(";\n\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)


def test_the_script_makes_what_create_schema_makes(backend: Backend, tmp_path: Path) -> None:
    """``ddl`` is the same schema as the metadata, with the rows it starts with; the store takes it as it is."""
    engine, prefix = sa.create_engine(backend.url(tmp_path)), a_prefix()
    dialect = {"sqlite": "sqlite", "psycopg": "postgresql", "pymysql": "mariadb"}[backend.name]

    script(engine, ddl(dialect, table_prefix=prefix))

    store = SQLStore(engine, table_prefix=prefix)
    store.check_schema()
    assert differences(engine, store.tables.record.metadata) == []
    assert 0 < version_of(store) < 2**53
    store.tables.record.metadata.drop_all(engine)
    engine.dispose()


def alembic(url: str, prefix: str, folder: Path) -> Config:
    """An application's own Alembic, with a revision of its own, that includes the store's."""
    (folder / "versions").mkdir(parents=True, exist_ok=True)
    (folder / "env.py").write_text(
        "from alembic import context\nimport sqlalchemy as sa\n"
        "url = context.config.get_main_option('sqlalchemy.url')\n"
        "engine = sa.create_engine(url, poolclass=sa.NullPool)\n"
        "with engine.connect() as connection:\n"
        f"    context.configure(connection=connection, version_table='{prefix}alembic')\n"
        "    with context.begin_transaction():\n"
        "        context.run_migrations()\n"
    )
    (folder / "versions" / "app_1.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        "revision, down_revision, branch_labels, depends_on = 'app_1', None, ('app',), 'stepup_0001'\n"
        f"def upgrade():\n    op.create_table('{prefix}app', sa.Column('id', sa.Integer, primary_key=True))\n"
        f"def downgrade():\n    op.drop_table('{prefix}app')\n"
    )
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "newline")
    ours = Path(stepup.stores.sql.migrations.__file__).parent
    config.set_main_option("version_locations", f"{folder / 'versions'}\n{ours}")
    config.set_main_option("sqlalchemy.url", url)
    config.set_main_option("stepup_table_prefix", prefix)
    return config


def test_an_applications_alembic_includes_ours(backend: Backend, tmp_path: Path) -> None:
    """``upgrade heads`` makes the same schema; ``downgrade`` takes it away; the contract holds on it."""
    url, prefix = backend.url(tmp_path), a_prefix()
    engine = sa.create_engine(url, pool_size=10)
    config = alembic(url, prefix, tmp_path / "alembic")

    command.upgrade(config, "heads")

    store = SQLStore(engine, table_prefix=prefix, timeout=10)
    assert differences(engine, metadata_of(table_prefix=prefix)) == []
    check_store(store)
    store_again = SQLStore(engine, table_prefix=prefix)
    before = version_of(store_again)
    store_again.create_schema()
    assert version_of(store_again) == before
    engine.dispose()
    command.downgrade(config, "app@base")
    command.downgrade(config, "stepup@base")
    left = [name for name in sa.inspect(engine).get_table_names() if name.startswith(prefix)]
    assert left == [f"{prefix}alembic"]
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE {prefix}alembic")
    engine.dispose()


def test_a_schema_of_its_own() -> None:
    """On PostgreSQL the tables can stand in another schema."""
    need("postgresql")
    engine = sa.create_engine(SYNC[1].url(Path()), pool_size=10)
    name = f"s{a_prefix()}x"
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(name))
    store = SQLStore(engine, schema=name, timeout=10)
    try:
        store.create_schema()
        check_store(store)
    finally:
        with engine.begin() as connection:
            connection.execute(sa.schema.DropSchema(name, cascade=True))
        engine.dispose()


def test_the_tables_can_stand_in_an_applications_metadata() -> None:
    """``tables_in`` adds them to metadata that holds other tables."""
    mine = sa.MetaData()
    sa.Table("user", mine, sa.Column("id", sa.Integer, primary_key=True))

    made = tables_in(mine, "auth_")

    assert sorted(mine.tables) == ["auth_event", "auth_record", "user"]
    assert made.record.name == "auth_record"
    assert sorted(metadata.tables) == ["stepup_event", "stepup_record"]


@pytest.mark.parametrize("name", ["Stepup", "a-b", 'x"; DROP TABLE users; --', "", "1a", "é", "a" * 42, None, 7])
def test_names_are_plain_identifiers(name: Any) -> None:
    """A schema or prefix is never more than an identifier, so nothing can be smuggled into a statement."""
    with pytest.raises(ConfigurationError):
        metadata_of(table_prefix=name)
    if name is not None:
        with pytest.raises(ConfigurationError):
            metadata_of(schema=name)


# -- versions ---------------------------------------------------------------------------


@pytest.mark.parametrize("version", [None, 99])
def test_a_schema_that_will_not_do_is_said_at_start(store: SQLStore, version: int | None) -> None:
    """Tables of another release, or without their version, are refused with what to do."""
    record = store.tables.record
    kind: Any = b"schema" if store.engine.dialect.name in {"mysql", "mariadb"} else "schema"
    with store.engine.begin() as connection:
        if version is None:
            connection.execute(sa.delete(record).where(record.c.kind == kind))
        else:
            connection.execute(sa.update(record).where(record.c.kind == kind).values(version=version))
    fresh = SQLStore(store.engine, table_prefix=record.name.removesuffix("record"))

    for call in (fresh.check_schema, lambda: fresh.load(OLIVIA, [FENCE]), fresh.restored):
        with pytest.raises(SchemaMismatch, match="migrations") as refused:
            call()
        assert refused.value.found == version


# -- the fence ----------------------------------------------------------------------------


@pytest.mark.requirement("Y-11")
def test_restored_ends_what_was_minted_before(store: SQLStore) -> None:
    """After ``restored`` no batch that checks the old fence is applied, on whatever connection it arrives."""
    before = version_of(store)
    store.apply(OLIVIA, Changes(NOW, (Record(ACTOR_EPOCH, Epoch()),)))

    after = store.restored()

    assert after == version_of(store) != before
    claim = Record(claim_key("x"), Claim(NOW), 0, NOW + timedelta(days=1))
    assert store.apply(OLIVIA, Changes(NOW, (claim,), (Check(FENCE, before),))) is not APPLIED
    assert store.apply(OLIVIA, Changes(NOW, (claim,), (Check(FENCE, after),))) is APPLIED


# -- the commands ---------------------------------------------------------------------------


def run(store: SQLStore, *words: str) -> int:
    url = store.engine.url.render_as_string(hide_password=False)
    prefix = store.tables.record.name.removesuffix("record")
    return main([*words, "--store", url, "--table-prefix", prefix])


def test_purge_is_for_cron(store: SQLStore, capsys: pytest.CaptureFixture[str]) -> None:
    """``purge`` deletes what has expired, as often as it is called, and says how much that was."""
    old = datetime.now(UTC) - timedelta(days=2)
    live = datetime.now(UTC) + timedelta(days=2)
    puts = [Record(claim_key(f"{n}"), Claim(NOW), 0, old) for n in range(250)]
    store.apply(OLIVIA, Changes(NOW, (*puts, Record(claim_key("live"), Claim(NOW), 0, live))))

    codes = [run(store, "purge", "--at-most", "100"), run(store, "purge"), run(store, "purge")]

    assert codes == [0, 0, 0]
    assert capsys.readouterr().out.splitlines() == [f"{n} expired records deleted." for n in (100, 150, 0)]
    assert store.load(OLIVIA, [claim_key("live")])[0] is not None


def test_doctor_and_restored_and_create(store: SQLStore, capsys: pytest.CaptureFixture[str]) -> None:
    """``doctor`` finds nothing wrong with a good database, ``restored`` draws a new fence, ``create`` is idempotent."""
    before = version_of(store)

    assert run(store, "doctor") == 0
    found = capsys.readouterr().out
    assert run(store, "restored") == 0
    assert run(store, "create") == 0

    assert "problem" not in found
    for word in ("connected", "tables", "isolation level", "expired"):
        assert word in found
    assert version_of(store) != before


def test_a_file_that_create_made_is_as_the_store_wants_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``create`` on a file that is not there makes one that ``doctor`` has nothing to say against."""
    url = f"sqlite:///{tmp_path / 'made.db'}"

    assert main(["create", "--store", url]) == 0
    assert main(["doctor", "--store", url]) == 0

    found = capsys.readouterr().out
    assert "journal_mode is wal" in found
    assert "warning" not in found


def test_doctor_tells_what_is_wrong(backend: Backend, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tables that are not there are a problem, named, with exit code 1."""
    assert main(["doctor", "--store", backend.url(tmp_path), "--table-prefix", a_prefix()]) == 1

    assert "problem  The store's tables are not there." in capsys.readouterr().out


def test_the_command_line_says_what_is_wrong_with_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """No store, a store with an async driver, an address that is none: one line, no traceback, no password."""
    for words in (
        ["doctor"],
        ["doctor", "--store", "postgresql+asyncpg://u:hunter2@127.0.0.1/x"],
        ["doctor", "--store", "no address"],
        ["doctor", "--store", "nosuch://u:hunter2@127.0.0.1/x"],
        ["purge", "--store", f"sqlite:///{tmp_path}/empty.db"],
    ):
        assert main(words) == 1
        said = capsys.readouterr()
        assert said.err.startswith("stepup: ")
        assert said.err.count("\n") == 1
        assert "hunter2" not in said.err + said.out


@pytest.mark.parametrize("dialect", ["postgresql", "mariadb", "mysql", "sqlite"])
def test_python_m_stepup_ddl(dialect: str) -> None:
    """``python -m stepup ddl`` prints the script, from a shell."""
    done = subprocess.run(
        [sys.executable, "-m", "stepup", "ddl", "--dialect", dialect], capture_output=True, text=True, check=True
    )

    assert done.stdout == ddl(dialect)
    assert done.stdout.count("CREATE TABLE") == 2
