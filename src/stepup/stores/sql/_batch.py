"""How one batch is written: its locks, its comparisons, its puts and events. One function for each way.

- ``in_transaction``: begin, lock, compare, write, commit. Every batch on every database can go this way.
- ``in_one_statement``: PostgreSQL, for a batch with at most one put that relies on nothing being absent. Spending a
  proof is one of these.
- ``write``: what stands between begin and commit; also used in a transaction of the caller's, where
  ``in_savepoint`` undoes the first of several puts if a later one is lost.

A conditional write decides, whatever was compared before: an update counts only if its version still held, an insert
only if nothing was there.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence

from stepup.changes import APPLIED, FENCE, Applied, Changes, Check, Key, Lost, Partition, Record
from stepup.errors import SchemaMismatch

from ._link import Link
from ._rows import AT, Row, event_values, text, written
from ._sql import MariaDB, PostgreSQL, place
from .schema import ANCHOR, SUPPORTED


def shares(changes: Changes) -> bool:
    """Whether *changes* only creates and checks what is there, and so need not keep its like away."""
    absent = any(check.version == 0 for check in changes.checks)
    return not (absent or changes.erase or any(put.version for put in changes.puts))


def fits_one_statement(changes: Changes) -> bool:
    """Whether one statement can do it: it cannot see whether something is absent, nor undo one of two puts."""
    return (
        len(changes.puts) <= 1
        and len(changes.events) <= 1
        and not changes.erase
        and all(check.version for check in changes.checks)
    )


def joins(changes: Changes) -> bool:
    """Whether *changes* can be part of somebody else's transaction: it spends a proof, of one call or of several."""
    claims_alone = len(changes.puts) <= 1 or not any(put.version for put in changes.puts)
    checked = all(check.version for check in changes.checks)
    return bool(changes.events) and claims_alone and checked and not changes.erase


def at_odds(changes: Changes) -> Key | None:
    """A key that is checked at two versions, of which one cannot hold; said before anything is sent."""
    wanted: dict[Key, int] = {}
    return next((key for key, version in changes.checks if wanted.setdefault(key, version) != version), None)


def first_the_fence(changes: Changes) -> list[Check]:
    """The checks in the order in which they are judged: if writes were lost, nothing else means what it says."""
    return sorted(changes.checks, key=lambda check: check.key != FENCE)


def apply(link: Link, partition: Partition, changes: Changes) -> Applied | Lost:
    """Write *changes*, in the way that is best for the database and the batch."""
    if isinstance(link.sql, PostgreSQL) and fits_one_statement(changes):
        link.level("AUTOCOMMIT")
        return in_one_statement(link, link.sql, partition, changes, lock_timeout(link))
    return in_transaction(link, partition, changes)


def lock_timeout(link: Link) -> str:
    """PostgreSQL's ``lock_timeout``, in milliseconds."""
    return str(max(1, int(link.patience() * 1000)))


# -- in a transaction ---------------------------------------------------------------


def in_transaction(link: Link, partition: Partition, changes: Changes) -> Applied | Lost:
    """Begin, write, commit."""
    begin(link)
    if isinstance(link.sql, PostgreSQL):
        link.rows(link.sql.lock[shares(changes)], (lock_timeout(link), link.sql.person(partition)))
    answer = write(link, partition, changes)
    if answer is APPLIED:
        link.connection.commit()
    else:
        link.connection.rollback()
    return answer


def in_savepoint(link: Link, partition: Partition, changes: Changes) -> Applied | Lost:
    """Write *changes* in a transaction that goes on, all of it or nothing."""
    if isinstance(link.sql, PostgreSQL):  # the lock is held until that transaction ends; its own timeout stays
        link.rows(link.sql.lock_alone[shares(changes)], (link.sql.person(partition),))
    link.changed("SAVEPOINT stepup_batch")
    answer = write(link, partition, changes)
    if answer is not APPLIED:
        link.changed("ROLLBACK TO SAVEPOINT stepup_batch")
    link.changed("RELEASE SAVEPOINT stepup_batch")
    return answer


def begin(link: Link) -> None:
    """Begin a transaction of the store's own, at the isolation level that it counts on."""
    if isinstance(link.sql, PostgreSQL):
        link.level("READ COMMITTED")
    elif isinstance(link.sql, MariaDB):
        link.changed("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        link.changed("START TRANSACTION READ WRITE")  # refused by a replica, whose answers may be stale
    else:
        link.changed("BEGIN IMMEDIATE")


def write(link: Link, partition: Partition, changes: Changes) -> Applied | Lost:
    """Compare and write, in the transaction that is open."""
    lost = at_odds(changes)
    if lost is not None:
        return Lost(lost)
    relied_on = (*first_the_fence(changes), *((put.key, put.version) for put in changes.puts if put.version))
    held = _held(link, partition, sorted({key for key, _ in relied_on}), shares(changes))
    for key, version in relied_on:
        if held.get(key, 0) != version:
            return Lost(key)
    if changes.erase:
        _erase(link, partition, changes.puts)
    for put in sorted(changes.puts, key=lambda one: one.key):
        if _put(link, partition, put) != 1:
            return Lost(put.key)
    for event in changes.events:
        at = AT[link.dialect.name](event.at)
        link.changed(link.sql.insert_event, event_values(partition, event, at))
    return APPLIED


def _held(link: Link, partition: Partition, keys: Sequence[Key], shared: bool) -> dict[Key, int]:
    """The versions now, of what exists; none of them can change before the transaction ends."""
    if isinstance(link.sql, MariaDB):
        return _versions(_held_by_anchor(link, link.sql, partition, keys, shared))
    if not keys:
        return {}
    places = _flat(place(partition, key) for key in keys)
    return _versions(link.rows(link.sql.versions(len(keys), shared), places))


def _held_by_anchor(link: Link, sql: MariaDB, partition: Partition, keys: Sequence[Key], shared: bool) -> Sequence[Row]:
    """Lock the person's anchor and read the rest; the fence belongs to everybody, so it is only ever shared."""
    mine = [key for key in keys if shared or key != FENCE]
    places = [(partition, ANCHOR, ""), *(place(partition, key) for key in mine)]
    statement = sql.versions(len(places), shared)
    rows = link.rows(statement, _flat(places))
    if not any(text(kind) == ANCHOR for kind, _, _ in rows):
        link.changed(sql.make_anchor, (partition,))
        rows = link.rows(statement, _flat(places))
    if len(mine) < len(keys):
        rows = [*rows, *link.rows(sql.versions(1, True), place(partition, FENCE))]
    return [row for row in rows if text(row[0]) != ANCHOR]


def _erase(link: Link, partition: Partition, puts: Iterable[Record]) -> None:
    kept = [put.key for put in puts]
    link.changed(link.sql.erase(len(kept)), (partition, *_flat((key.kind, key.id) for key in kept)))
    link.changed(link.sql.erase_events, (partition,))


def _put(link: Link, partition: Partition, put: Record) -> int:
    if put.version:
        return link.changed(link.sql.update, (*written(put), *place(partition, put.key), put.version))
    return link.changed(link.sql.insert, (*place(partition, put.key), *written(put)))


def _versions(rows: Iterable[Row]) -> dict[Key, int]:
    return {Key(text(kind), text(key)): int(version) for kind, key, version in rows}


def _flat(parts: Iterable[Sequence[object]]) -> list[object]:
    return [value for part in parts for value in part]


# -- in one statement ---------------------------------------------------------------


def in_one_statement(
    link: Link, sql: PostgreSQL, partition: Partition, changes: Changes, timeout: str | None
) -> Applied | Lost:
    """The whole batch as one statement, which commits by itself in autocommit. *timeout* None leaves that alone."""
    lost = at_odds(changes)
    if lost is not None:
        return Lost(lost)
    checks = tuple(dict.fromkeys(first_the_fence(changes)))
    put = changes.puts[0] if changes.puts else None
    values: list[object] = [timeout, sql.person(partition)]
    values += _flat(place(partition, check.key) for check in checks)
    values += _flat((check.key.kind, check.key.id, check.version) for check in checks)
    how = ""
    if put is not None and put.version:
        how = "update"
        values += [*written(put), *place(partition, put.key), put.version]
    elif put is not None:
        how = "insert"
        values += [*place(partition, put.key), *written(put)]
    for event in changes.events:
        values += event_values(partition, event, AT["postgresql"](event.at))
    rows = link.rows(sql.single(len(checks), how, bool(changes.events), shares(changes)), values)
    held = {Key(kind, key): version for kind, key, version in rows if kind}
    done = sum(version for kind, _, version in rows if not kind)
    for check in checks:
        if held.get(check.key, 0) != check.version:
            return Lost(check.key)
    if done != 1:
        return Lost(put.key if put is not None else None)
    return APPLIED


# -- the fence ----------------------------------------------------------------------


def bump_fence(link: Link) -> int:
    """Give the fence another version; waits for whoever has checked it, and nobody's check of the old one holds after.

    Drawn, not counted up: a backup that is restored twice must not come to the same version twice.
    """
    begin(link)
    nobody = place("", FENCE)
    after = _drawn()
    if link.changed(link.sql.bump_fence, (after, *nobody, after)) != 1:
        raise SchemaMismatch(None, tuple(sorted(SUPPORTED)))
    link.connection.commit()
    return after


def _drawn() -> int:
    return 1 + secrets.randbelow(2**53 - 1)
