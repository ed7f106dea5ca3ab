"""The statements, for each database: what they say, never when they are sent.

``Statements`` has those that read alike everywhere; ``PostgreSQL``, ``MariaDB`` and ``SQLite`` add how a batch
takes its locks. ``statements_for`` picks one. Text is made once for each shape of batch and kept; names come from
the schema, which accepts plain identifiers only; values are always parameters.

How a batch is kept from others:

- *PostgreSQL*: a lock on the person (``pg_advisory_xact_lock``), shared by batches that only create and check, which
  exclude nobody but those that update, erase, or check that something is absent. What is checked is read ``FOR
  SHARE``, so that a statement which waited sees what was committed meanwhile.
- *MariaDB, MySQL*: the same two modes, on a row of the person's own (the anchor), always locked first.
- *SQLite*: ``BEGIN IMMEDIATE``; there is one writer.
"""

from __future__ import annotations

import functools
import hashlib
from typing import Final

import sqlalchemy as sa

from stepup.changes import FENCE, Key
from stepup.errors import ConfigurationError

from ._rows import EVENT_COLUMNS
from .schema import ANCHOR, NEVER, SCHEMA_KIND, Tables

_EVENT_TYPES: Final = {"at": "timestamptz", "risk_score": "integer"}


class Statements:
    """What reads alike on every database. ``?`` marks a parameter until ``_styled`` puts in the driver's mark."""

    plain_insert_ignores = True
    """Whether an insert that meets a row already there writes nothing instead of failing."""

    def __init__(self, dialect: sa.Dialect, tables: Tables) -> None:
        quote = dialect.identifier_preparer.quote
        self._style = dialect.paramstyle
        self.record = dialect.identifier_preparer.format_table(tables.record)
        self.event = dialect.identifier_preparer.format_table(tables.event)
        self.partition, self.kind, self.key = quote("partition"), quote("kind"), quote("key")
        self.pk = f"{self.partition} = ? AND {self.kind} = ? AND {self.key} = ?"
        self.columns = f"{self.partition}, {self.kind}, {self.key}, version, expires_at, tag, data"
        self.event_columns = ", ".join(quote(name) for name in ("partition", *EVENT_COLUMNS))
        self.selected_events = ", ".join(quote(name) for name in ("seq", *EVENT_COLUMNS))
        self.update = self._styled(
            f"UPDATE {self.record} SET version = version + 1, expires_at = ?, tag = ?, data = ?"  # noqa: S608 -- plain identifiers
            f" WHERE {self.pk} AND version = ?"
        )
        self.insert = self._styled(
            f"INSERT INTO {self.record} ({self.columns}) VALUES (?, ?, ?, 1, ?, ?, ?){self._ignoring()}"  # noqa: S608 -- as above
        )
        marks = ", ".join("?" * (1 + len(EVENT_COLUMNS)))
        self.insert_event = self._styled(f"INSERT INTO {self.event} ({self.event_columns}) VALUES ({marks})")  # noqa: S608 -- as above
        self.erase_events = self._styled(f"DELETE FROM {self.event} WHERE {self.partition} = ?")  # noqa: S608 -- as above
        self.bump_fence = self._styled(f"UPDATE {self.record} SET version = ? WHERE {self.pk} AND version <> ?")  # noqa: S608 -- as above
        self.latest = self._styled(
            f"SELECT {quote('id')} FROM {self.event} WHERE {self.partition} = ?"  # noqa: S608 -- as above
            f" ORDER BY {self.partition} DESC, seq DESC LIMIT 200"
        )
        self.in_schema = tables.record.schema is not None
        self.load = functools.cache(self._load)
        self.versions = functools.cache(self._versions)
        self.erase = functools.cache(self._erase)
        self.list = functools.cache(self._list)
        self.events = functools.cache(self._events)

    def _styled(self, text: str) -> str:
        if self._style == "qmark":
            return text
        if self._style == "numeric_dollar":
            first, *others = text.split("?")
            return first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))
        return text.replace("?", "%s")

    def _ignoring(self) -> str:
        return " ON CONFLICT DO NOTHING"

    def _load(self, count: int) -> str:
        """Point reads, put together: one statement is one moment, and each part is an index look-up."""
        one = f"SELECT {self.kind}, {self.key}, version, expires_at, tag, data FROM {self.record} WHERE {self.pk}"  # noqa: S608 -- plain identifiers
        return self._styled(" UNION ALL ".join([one] * count))

    def _versions(self, count: int, shared: bool) -> str:
        """The versions under *count* keys, locked as the database needs it."""
        raise NotImplementedError

    def _erase(self, kept: int) -> str:
        """Delete a person's records but the epochs, the anchor and *kept* keys."""
        spared = f" AND NOT ({self.kind} = ? AND {self.key} = ?)" * kept
        return self._styled(
            f"DELETE FROM {self.record} WHERE {self.partition} = ? AND {self.kind} NOT IN ('epoch', ''){spared}"  # noqa: S608 -- plain identifiers
        )

    def _list(self, going_on: bool) -> str:
        further = (
            f" AND ({self.partition} > ? OR ({self.partition} = ?"
            f" AND ({self.kind} > ? OR ({self.kind} = ? AND {self.key} > ?))))"
        )
        return self._styled(
            f"SELECT {self.columns} FROM {self.record} WHERE tag = ?{further if going_on else ''}"  # noqa: S608 -- plain identifiers
            f" ORDER BY tag, {self.partition}, {self.kind}, {self.key} LIMIT ?"
        )

    def _events(self, going_on: bool) -> str:
        return self._styled(
            f"SELECT {self.selected_events} FROM {self.event} WHERE {self.partition} = ?"  # noqa: S608 -- plain identifiers
            f"{' AND seq < ?' if going_on else ''} ORDER BY {self.partition} DESC, seq DESC LIMIT ?"
        )

    @functools.cached_property
    def purge(self) -> str:
        """Delete at most so many expired records; one that is locked, or was renewed meanwhile, stays."""
        raise NotImplementedError

    @functools.cached_property
    def schema_version(self) -> str:
        """The version of the schema, and that of the fence."""
        return (
            f"SELECT {self.kind}, version FROM {self.record} WHERE {self.partition} = ''"  # noqa: S608 -- plain identifiers
            f" AND {self.kind} IN ('{SCHEMA_KIND}', '{FENCE.kind}')"
        )

    def _expired(self) -> str:
        return f"expires_at < ? AND expires_at < {NEVER} AND {self.kind} <> 'epoch'"


class PostgreSQL(Statements):
    """PostgreSQL 13 and newer."""

    def __init__(self, dialect: sa.Dialect, tables: Tables) -> None:
        super().__init__(dialect, tables)
        self._salt = tables.record.name.encode()  # without the schema, which another process may leave out
        self.identity = f"SELECT current_database(), to_regclass('{self.record}')::oid::text"
        self.single = functools.cache(self._single)
        self.lock = {
            shared: self._styled(
                "SELECT set_config('lock_timeout', ?, true), "
                f"pg_advisory_xact_lock{'_shared' if shared else ''}(?::bigint)"
            )
            for shared in (True, False)
        }
        self.lock_alone = {
            shared: self._styled(f"SELECT pg_advisory_xact_lock{'_shared' if shared else ''}(?::bigint)")
            for shared in (True, False)
        }

    def person(self, partition: str) -> int:
        """The number of a person's lock: 64 bits of a hash, so that two people hardly ever wait for each other."""
        return int.from_bytes(hashlib.blake2b(self._salt + partition.encode(), digest_size=8).digest(), signed=True)

    def _among(self, count: int) -> str:
        """Rows joined to *count* keys: look-ups by primary key, whatever the planner believes of the table."""
        rows = ", ".join(["(?::text, ?::text, ?::text)"] * count)
        return (
            f"(VALUES {rows}) AS v (p, k, i) JOIN {self.record} AS r"
            f' ON r.{self.partition} = v.p COLLATE "C" AND r.{self.kind} = v.k COLLATE "C"'
            f' AND r.{self.key} = v.i COLLATE "C"'
        )

    def _versions(self, count: int, shared: bool) -> str:  # noqa: ARG002 -- the person's lock has the mode
        return self._styled(
            f"SELECT r.{self.kind}, r.{self.key}, r.version FROM {self._among(count)} FOR SHARE OF r"  # noqa: S608 -- plain identifiers
        )

    def _single(self, checks: int, put: str, event: bool, shared: bool) -> str:
        """A whole batch in one statement: checks, at most one put (``insert`` or ``update``), at most one event.

        Parameters: lock timeout or None, the person's lock; a place for each check; its kind, key and version each;
        the put's; the event's. Answers what stands under the checks, and a row with an empty kind that counts 1 if
        the batch was written.
        """
        lock = f"pg_advisory_xact_lock{'_shared' if shared else ''}(?::bigint)"
        timeout = "set_config('lock_timeout', coalesce(?::text, current_setting('lock_timeout')), true)"
        parts = [f"l AS MATERIALIZED (SELECT {timeout} AS t, {lock} AS l)"]
        met = "(SELECT count(*) FROM l) = 1"
        if checks:
            parts.append(
                f"held AS MATERIALIZED (SELECT r.{self.kind}, r.{self.key}, r.version"  # noqa: S608 -- plain identifiers
                f" FROM l, {self._among(checks)} FOR SHARE OF r)"
            )
            wanted = ", ".join(["(?::text, ?::text, ?::bigint)"] * checks)
            met = (
                f"(SELECT count(*) FROM held AS h JOIN (VALUES {wanted}) AS w (k, i, n)"  # noqa: S608 -- as above
                f' ON h.{self.kind} = w.k COLLATE "C" AND h.{self.key} = w.i COLLATE "C"'
                f" AND h.version = w.n) = {checks}"
            )
        parts.append(f"met AS MATERIALIZED (SELECT {met} AS yes)")
        done = "SELECT 1 FROM met WHERE yes"
        if put == "insert":
            parts.append(
                f"put AS (INSERT INTO {self.record} ({self.columns})"  # noqa: S608 -- as above
                " SELECT ?::text, ?::text, ?::text, 1, ?::bigint, ?::text, ?::text FROM met WHERE yes"
                " ON CONFLICT DO NOTHING RETURNING version)"
            )
            done = "SELECT 1 FROM put"
        elif put == "update":
            parts.append(
                f"put AS (UPDATE {self.record} SET version = version + 1, expires_at = ?::bigint, tag = ?::text,"  # noqa: S608 -- as above
                f" data = ?::text WHERE {self.partition} = ?::text AND {self.kind} = ?::text AND {self.key} = ?::text"
                " AND version = ?::bigint AND (SELECT yes FROM met) RETURNING version)"
            )
            done = "SELECT 1 FROM put"
        if event:
            casts = "?::text, " + ", ".join(f"?::{_EVENT_TYPES.get(name, 'text')}" for name in EVENT_COLUMNS)
            parts.append(
                f"told AS (INSERT INTO {self.event} ({self.event_columns})"
                f" SELECT {casts} WHERE EXISTS ({done}) RETURNING seq)"
            )
        answers = [f"SELECT '' AS kind, '' AS key, count(*) AS version FROM ({done}) AS d"]  # noqa: S608 -- as above
        if checks:
            answers.append(f"SELECT {self.kind}::text, {self.key}::text, version FROM held")  # noqa: S608 -- as above
        return self._styled(f"WITH {', '.join(parts)} {' UNION ALL '.join(answers)}")

    @functools.cached_property
    def purge(self) -> str:
        """As ``Statements.purge``; by the rows' places, which are locked, so that no planner thinks of a join."""
        return self._styled(
            f"DELETE FROM {self.record} WHERE ctid = ANY (ARRAY ("  # noqa: S608 -- plain identifiers
            f"SELECT ctid FROM {self.record} WHERE {self._expired()}"
            " ORDER BY expires_at LIMIT ? FOR UPDATE SKIP LOCKED))"
        )


class MariaDB(Statements):
    """MariaDB 10.6 and newer, and MySQL 8, with InnoDB."""

    plain_insert_ignores = False  # ON DUPLICATE KEY UPDATE reports the duplicate as a row: a double spend

    def __init__(self, dialect: sa.Dialect, tables: Tables) -> None:
        super().__init__(dialect, tables)
        self._is_mariadb = bool(getattr(dialect, "is_mariadb", False))
        self._wait = ""
        self.make_anchor = self._styled(
            f"INSERT IGNORE INTO {self.record} ({self.columns}) VALUES (?, '{ANCHOR}', '', 1, {NEVER}, NULL, '-')"  # noqa: S608 -- plain identifiers
        )

    def waiting(self, seconds: int) -> None:
        """Bound how long a lock is waited for; MySQL has no such clause and keeps to its own setting."""
        if self._is_mariadb:
            self._wait = f" WAIT {seconds}"
            bounded = f"SET STATEMENT innodb_lock_wait_timeout = {seconds} FOR "
            self.insert, self.update = bounded + self.insert, bounded + self.update

    def _ignoring(self) -> str:
        return ""

    def _versions(self, count: int, shared: bool) -> str:
        """All locked in one mode and in the order of the index; without the gaps, which READ COMMITTED leaves alone."""
        rows = ", ".join(["(?, ?, ?)"] * count)
        mode = "LOCK IN SHARE MODE" if shared else "FOR UPDATE"
        return self._styled(
            f"SELECT {self.kind}, {self.key}, version FROM {self.record} FORCE INDEX (PRIMARY)"  # noqa: S608 -- plain identifiers
            f" WHERE ({self.partition}, {self.kind}, {self.key}) IN ({rows}) {mode}{self._wait}"
        )

    @functools.cached_property
    def purge(self) -> str:
        """As ``Statements.purge``; it waits for a row that is locked, and then looks at it again."""
        return self._styled(
            f"DELETE FROM {self.record} WHERE {self._expired()} ORDER BY expires_at LIMIT ?"  # noqa: S608 -- plain identifiers
        )


class SQLite(Statements):
    """SQLite 3.24 and newer."""

    def _versions(self, count: int, shared: bool) -> str:  # noqa: ARG002 -- there is one writer
        one = f"SELECT {self.kind}, {self.key}, version FROM {self.record} WHERE {self.pk}"  # noqa: S608 -- plain identifiers
        return self._styled(" UNION ALL ".join([one] * count))

    @functools.cached_property
    def purge(self) -> str:
        """As ``Statements.purge``."""
        return self._styled(
            f"DELETE FROM {self.record} WHERE ({self.partition}, {self.kind}, {self.key}) IN ("  # noqa: S608 -- plain identifiers
            f"SELECT {self.partition}, {self.kind}, {self.key} FROM {self.record} WHERE {self._expired()}"
            " ORDER BY expires_at LIMIT ?)"
        )


_BY_NAME: Final[dict[str, type[Statements]]] = {
    "postgresql": PostgreSQL,
    "mysql": MariaDB,
    "mariadb": MariaDB,
    "sqlite": SQLite,
}


def statements_for(dialect: sa.Dialect, tables: Tables) -> Statements:
    """The statements for the database behind *dialect*.

    Raises:
        ConfigurationError: for a database there are none for.
    """
    try:
        made = _BY_NAME[dialect.name]
    except KeyError:
        known = ", ".join(_BY_NAME)
        raise ConfigurationError(f"There is no SQL store for {dialect.name!r}; there is for {known}.") from None
    return made(dialect, tables)


def place(partition: str, key: Key) -> tuple[str, str, str]:
    """Where a record stands: the fence belongs to nobody, everything else to a person."""
    return ("", FENCE.kind, FENCE.id) if key == FENCE else (partition, key.kind, key.id)
