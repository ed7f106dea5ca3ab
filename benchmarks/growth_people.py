"""People by the hundred thousand, as records and events of a database that has been in use for a while.

One person's records are made by a real ceremony; everybody else's are copies under ids of their own. Each of them has
two epochs, a throttle, a roster and a shelf, and five ceremonies of three records and three events each. The records
of three ceremonies have expired.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast

import sqlalchemy as sa

from stepup import Action, Actor, Context, Event, Policy, Resource, Session, StepUp, Verified
from stepup.binding import partition
from stepup.changes import Applied, Changes, Key, Lost, Record
from stepup.codec import encode
from stepup.ports import Store
from stepup.stores.memory import MemoryStore
from stepup.stores.sql import SQLStore
from stepup.stores.sql._rows import AT, EVENT_COLUMNS, event_values, microseconds
from stepup.testing.clock import START, FrozenClock
from stepup.testing.scripted import ScriptedVerifier

ORG: Final = Resource("organization", "org_7", label="Northstar")
CEREMONIES: Final = 5
EXPIRED: Final = 3
AT_A_TIME: Final = 20_000
_SECRET: Final = "for benchmarks only, never a real secret: 903275"  # noqa: S105 -- as it says


def gate(store: Store) -> StepUp:
    """The gate that everything is measured through."""
    return StepUp(
        actions=(Action("org.delete", "Delete organization", risk=4, policy=Policy(uses=1)),),
        verifiers=[ScriptedVerifier("passkey", strength=40, answer="touch", amr=("hwk", "user"))],
        store=store,
        secret=_SECRET,
        clock=FrozenClock(),
    )


def context(number: int) -> Context:
    """A request of person *number*."""
    return Context(Actor(actor_id(number)), session=Session("sess_1"), organization="org_7", ip="192.0.2.7")


def actor_id(number: int) -> str:
    """The id of person *number*: always as long, so that one can be put in place of another."""
    return f"usr_{number:012d}"


class _Remembering(MemoryStore):
    """Keeps what was put and told, to copy it."""

    def __init__(self) -> None:
        super().__init__()
        self.puts: dict[Key, Record] = {}
        self.told: list[Event] = []

    def apply(self, partition: str, changes: Changes) -> Applied | Lost:
        answer = super().apply(partition, changes)
        if isinstance(answer, Applied):
            self.puts.update({put.key: put for put in changes.puts})
            self.told.extend(changes.events)
        return answer


@dataclass(frozen=True)
class Template:
    """One person: what there is once, what there is for each ceremony, and its events, with the ids to replace."""

    once: tuple[Record, ...]
    each: tuple[Record, ...]
    events: tuple[Event, ...]
    ids: tuple[str, str]

    @property
    def records(self) -> int:
        """How many records a person has."""
        return len(self.once) + CEREMONIES * len(self.each)


def template() -> Template:
    """One person's records, made by proving once and spending it."""
    store = _Remembering()
    here, who = gate(store), context(0)
    challenge = here.start("org.delete", who, resource=ORG)
    proved = here.verify(challenge.id, "passkey", "touch", who)
    if not isinstance(proved, Verified):
        raise TypeError(f"the ceremony ended in {proved!r}")
    here.require("org.delete", who, resource=ORG, token=proved.token)
    every = tuple(store.puts.values())
    each = tuple(one for one in every if one.key.kind in {"challenge", "grant", "claim"})
    once = tuple(one for one in every if one not in each)
    return Template(once, each, tuple(store.told), (challenge.id, proved.grant.id))


Row = tuple[Any, ...]


def record_rows(made: Template, people: range) -> Iterator[Row]:
    """The records of *people*: partition, kind, key, version, expires_at, tag, data."""
    once = [(one.key, encode(one.value), microseconds(one.expires_at)) for one in made.once]
    each = [(one.key, encode(one.value)) for one in made.each]
    before, template_actor = made.ids, actor_id(0)
    ends = [microseconds(START + timedelta(days=1 if n >= EXPIRED else -1 - n)) for n in range(CEREMONIES)]
    for number in people:
        who, where = actor_id(number), partition("stepup", Actor(actor_id(number)))
        for key, data, end in once:
            yield where, key.kind, key.id, 1, end, None, data.replace(template_actor, who)
        for ceremony, end in enumerate(ends):
            after = tuple(f"{old[:-17]}{ceremony}{number:016x}" for old in before)
            for key, data in each:
                name, text = _renamed(key.id, before, after), data.replace(template_actor, who)
                yield where, key.kind, name, 1, end + number, None, _renamed(text, before, after)


def event_rows(made: Template, people: range, dialect: str) -> Iterator[Row]:
    """The events of *people*, in the order in which they would have come."""
    wheres = [partition("stepup", Actor(actor_id(number))) for number in people]
    actor = 1 + EVENT_COLUMNS.index("actor")
    for ceremony in range(CEREMONIES):
        at = AT[dialect](START - timedelta(days=CEREMONIES - ceremony))
        every = [event_values("", one, at) for one in made.events]
        for number, where in zip(people, wheres, strict=True):
            for turn, values in enumerate(every):
                ident = f"{ceremony}{turn}{number:030x}"
                yield where, ident, *values[2:actor], actor_id(number), *values[actor + 1 :]


def _renamed(text: str, before: Sequence[str], after: Sequence[str]) -> str:
    for old, new in zip(before, after, strict=True):
        text = text.replace(old, new)
    return text


def fill(store: SQLStore, made: Template, people: range) -> None:
    """Put *people* in, as fast as the database takes them, and let it look at what it has."""
    put = _copied if store.engine.dialect.name == "postgresql" else _inserted
    record, event = store.tables
    for some in (range(n, min(n + AT_A_TIME, people.stop)) for n in range(people.start, people.stop, AT_A_TIME)):
        columns = [column.name for column in record.columns]
        put(store.engine, record, columns, record_rows(made, some))
        put(store.engine, event, ["partition", *EVENT_COLUMNS], event_rows(made, some, store.engine.dialect.name))
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if store.engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"VACUUM (ANALYZE) {record.fullname}, {event.fullname}")
            connection.exec_driver_sql("CHECKPOINT")
        else:
            connection.exec_driver_sql("ANALYZE")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _copied(engine: sa.Engine, table: sa.Table, columns: Sequence[str], rows: Iterator[Row]) -> None:
    fairy = engine.raw_connection()
    try:
        cursor = cast(Any, fairy.cursor())
        names = ", ".join(engine.dialect.identifier_preparer.quote(name) for name in columns)
        with cursor.copy(f"COPY {table.fullname} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        fairy.commit()
    finally:
        fairy.close()


def _inserted(engine: sa.Engine, table: sa.Table, columns: Sequence[str], rows: Iterator[Row]) -> None:
    fairy = engine.raw_connection()
    try:
        cursor = fairy.cursor()
        names = ", ".join(engine.dialect.identifier_preparer.quote(name) for name in columns)
        marks = ", ".join("?" * len(columns))
        cursor.execute("PRAGMA synchronous = OFF")  # a crash loses the benchmark, which can be run again
        cursor.execute("PRAGMA cache_size = -500000")
        cursor.execute("BEGIN IMMEDIATE")
        while chunk := list(itertools.islice(rows, 1000)):
            cursor.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", chunk)  # noqa: S608 -- plain identifiers
        fairy.commit()
    finally:
        fairy.invalidate()  # with its settings
