"""The statements of the SQL store, and what a database says of how it would run them.

- ``texts``: every statement that reads, changes or deletes rows, as the store sends it.
- ``explained``: for each, the names of the indexes it meets; where it meets none, what would be read instead.

Used by the tests of the plans and by the benchmark of growth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from stepup.stores.sql import SQLStore
from stepup.stores.sql._sql import PostgreSQL, Statements
from stepup.testing.clock import START

NOW: Final = int(START.timestamp()) * 1_000_000
HOUR: Final = 3_600_000_000
ONE: Final = f"{7:064x}"
NUMBERED: Final[sa.Dialect] = sa.make_url("postgresql+asyncpg://").get_dialect()()
"""A dialect of PostgreSQL in whose statements parameters have numbers, as ``PREPARE`` wants them."""

PK, EXPIRY, TAG, BY_PERSON, NUMBER = "record pkey", "record expiry", "record tag", "event partition", "event pkey"
_FEW: Final = [(ONE, "epoch", "actor"), (ONE, "epoch", "session:x"), ("", "fence", ""), (ONE, "claim", "claim 9")]

# -- the statements ------------------------------------------------------------------------

Texts = Mapping[str, tuple[str, Sequence[object]]]


def _flat(rows: Sequence[Sequence[object]]) -> list[object]:
    return [value for row in rows for value in row]


def texts(sql: Statements, chunk: int = 10) -> Texts:
    """Every statement that reads, changes or deletes rows, with values as the store gives them.

    *chunk* is what a purge deletes: of a small table the store's own 200 are so much that reading it whole is right.
    """
    event_values = [ONE, "e", START, "attempt", "ok", "usr_1", *[None] * 9, 0, "low", *[None] * 5, "{}", None]
    found: dict[str, tuple[str, Sequence[object]]] = {
        "load one": (sql.load(1), _FEW[0]),
        "load four": (sql.load(4), _flat(_FEW)),
        "versions, shared": (sql.versions(4, True), _flat(_FEW)),
        "versions, alone": (sql.versions(4, False), _flat(_FEW)),
        "update": (sql.update, [NOW, None, "{}", *_FEW[3], 1]),
        "bump the fence": (sql.bump_fence, [5, *_FEW[2], 5]),
        "latest events": (sql.latest, [ONE]),
        "erase": (sql.erase(1), [ONE, "roster", ""]),
        "erase events": (sql.erase_events, [ONE]),
        "list": (sql.list(False), ["tag 3", 11]),
        "list, going on": (sql.list(True), ["tag 3", ONE, ONE, "claim", "claim", "claim 1", 11]),
        "events": (sql.events(False), [ONE, 11]),
        "events, going on": (sql.events(True), [ONE, 2000, 11]),
        "purge": (sql.purge, [NOW, chunk]),
        "purge, all expired": (sql.purge, [NOW + 24 * HOUR, chunk]),
        "schema version": (sql.schema_version, []),
    }
    if isinstance(sql, PostgreSQL):
        checks = [*_flat(_FEW[:3]), "epoch", "actor", 1, "epoch", "session:x", 1, "fence", "", 1]
        found["redeem once"] = (
            sql.single(3, "insert", True, True),
            [None, 1, *checks, ONE, "claim", "new", NOW, None, "{}", *event_values],
        )
        found["redeem counted"] = (
            sql.single(3, "update", True, False),
            [None, 1, *checks, NOW, None, "{}", *_FEW[3], 1, *event_values],
        )
        found["redeem risky"] = (sql.single(3, "", True, True), [None, 1, *checks, *event_values])
    return found


# -- what a database says of them ------------------------------------------------------------


def postgresql(connection: Any, text: str, values: Sequence[object], store: SQLStore) -> set[str]:
    """The indexes in PostgreSQL's plan for these values; the name of a table where it would be read whole."""
    cursor = connection.cursor()
    cursor.execute(f"EXPLAIN (FORMAT JSON) {text}", tuple(values))
    return set(_in_plan(cursor.fetchone()[0][0]["Plan"], store))


def postgresql_any_values(connection: Any, text: str, values: Sequence[object], store: SQLStore) -> set[str]:
    """As ``postgresql``, for the plan that is kept for a statement sent often; *text* numbers its parameters."""
    cursor = connection.cursor()
    cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    cursor.execute(f"PREPARE one AS {text}")
    try:
        given = ", ".join("NULL" if value is None else f"'{value}'" for value in values)
        cursor.execute(f"EXPLAIN (FORMAT JSON) EXECUTE one{f'({given})' if values else ''}")
        return set(_in_plan(cursor.fetchone()[0][0]["Plan"], store))
    finally:
        cursor.execute("DEALLOCATE one")


def _in_plan(node: Mapping[str, Any], store: SQLStore) -> Iterator[str]:
    if node["Node Type"] in {"Seq Scan", "Sample Scan"}:
        yield f"all of {node['Relation Name']}"
    elif "Index Name" in node:
        yield _plain(node["Index Name"], store)
    for child in node.get("Plans", ()):
        yield from _in_plan(child, store)


def sqlite(connection: Any, text: str, values: Sequence[object], store: SQLStore) -> set[str]:
    """The indexes that SQLite would search; the whole line where it would scan instead."""
    own = [table.name for table in store.tables]
    rows = connection.execute(f"EXPLAIN QUERY PLAN {text}", tuple(values)).fetchall()
    lines = [row[3] for row in rows if any(name in row[3] for name in own)]
    return {_searched(line, store) for line in lines}


def _searched(line: str, store: SQLStore) -> str:
    if not line.startswith("SEARCH "):
        return line
    words = line.replace("COVERING INDEX", "INDEX").split()
    return _plain(words[words.index("INDEX") + 1], store) if "INDEX" in words else line


def mariadb(connection: Any, text: str, values: Sequence[object], store: SQLStore) -> set[str]:
    """The indexes that MariaDB would use, each within a range or for single rows; the kind of access otherwise."""
    cursor = connection.cursor()
    cursor.execute(f"EXPLAIN {text}", tuple(values))
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    prefix = store.tables.record.name.removesuffix("record")
    found: set[str] = set()
    for row in rows:
        if row["table"] is None or not str(row["table"]).startswith(prefix):
            continue
        within = row["type"] in {"system", "const", "eq_ref", "ref", "range"} and row["key"]
        index = f"{row['table']}_pkey" if row["key"] == "PRIMARY" else row["key"]
        found.add(_plain(index, store) if within else f"{row['type']} of {row['table']}")
    return found


def _plain(index: str, store: SQLStore) -> str:
    """An index under the name it has in ``PLANS``, whatever the database calls it."""
    record, event = (table.name for table in store.tables)
    names = {
        f"{record}_pkey": PK,
        f"sqlite_autoindex_{record}_1": PK,
        f"{record}_expiry": EXPIRY,
        f"{record}_tag": TAG,
        f"{event}_partition_seq": BY_PERSON,
        f"{event}_pkey": NUMBER,
    }
    return names.get(index, index)


Explain = Callable[[Any, str, Sequence[object], SQLStore], set[str]]


def explained(store: SQLStore, sql: Statements, explain: Explain, chunk: int = 10) -> dict[str, set[str]]:
    """What *explain* finds for every statement."""
    found: dict[str, set[str]] = {}
    for name, (text, values) in texts(sql, chunk).items():
        fairy = store.engine.raw_connection()
        try:
            found[name] = explain(fairy.driver_connection, text, values, store)
            fairy.rollback()
        finally:
            fairy.close()
    return found
