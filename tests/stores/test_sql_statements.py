"""What each operation of the SQL store costs in statements, counted where it cannot be argued with.

On PostgreSQL it is what libpq sends to the server, traced by libpq itself; on SQLite what its engine runs, traced by
that; on MariaDB the server's own count of questions. ``BEGIN`` and ``COMMIT`` are among them.

``COSTS`` is golden: a word more is a round trip more that somebody pays on every request.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

import pytest

from sql_backends import BY_NAME, opened
from stepup import Action, Actor, Context, Policy, Session, StepUp, StepUpRequired, Verified
from stepup.binding import partition
from stepup.changes import ACTOR_EPOCH, APPLIED, FENCE, ROSTER, THROTTLE, Changes, Key, Record, session_epoch
from stepup.event import Event, EventType
from stepup.grant import Claim
from stepup.stores.sql import SQLStore
from stepup.testing.clock import START, FrozenClock
from stepup.testing.scripted import ScriptedVerifier

WHO: Final = Context(Actor("usr_2048"), session=Session("sess_1"))
WHERE: Final = partition("stepup", WHO.actor)
ONE_CONNECTION: Final[Mapping[str, Any]] = {"pool_size": 1, "max_overflow": 0}

# -- counting ---------------------------------------------------------------------------


class Watch(Protocol):
    """Counts what reaches the database while something runs: the first words, or how many where words are not told."""

    def during(self, work: Callable[[], object]) -> Sequence[str]: ...


def driver(store: SQLStore) -> Any:
    """The only connection of the store's pool, as its driver has it."""
    fairy = store.engine.raw_connection()
    try:
        return fairy.driver_connection
    finally:
        fairy.close()


class ByLibpq:
    """libpq's own trace of what it sends."""

    def __init__(self, store: SQLStore) -> None:
        self._connection = driver(store).pgconn

    def during(self, work: Callable[[], object]) -> Sequence[str]:
        with tempfile.TemporaryFile() as file:
            self._connection.trace(file.fileno())
            try:
                work()
            finally:
                self._connection.untrace()
            file.seek(0)
            sent = re.findall(rb'^[^\n]*F\t\d+\t(Query|Parse|Execute)\t ("" )?"(\w*)', file.read(), re.MULTILINE)
        assert sum(kind == b"Parse" for kind, _, _ in sent) == sum(kind == b"Execute" for kind, _, _ in sent)
        return [word.decode() for kind, _, word in sent if kind != b"Execute"]


class BySQLite:
    """SQLite's trace of what it runs."""

    def __init__(self, store: SQLStore) -> None:
        self._connection = driver(store)

    def during(self, work: Callable[[], object]) -> Sequence[str]:
        found: list[str] = []
        self._connection.set_trace_callback(found.append)
        try:
            work()
        finally:
            self._connection.set_trace_callback(None)
        return [statement.split()[0] for statement in found]


class ByMariaDB:
    """The server's count of this session's questions; it does not tell which."""

    def __init__(self, store: SQLStore) -> None:
        self._connection = driver(store)

    def _questions(self) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute("SHOW SESSION STATUS LIKE 'Questions'")
            return int(cursor.fetchone()[1])

    def during(self, work: Callable[[], object]) -> Sequence[str]:
        before = self._questions()
        work()
        return ["?"] * (self._questions() - before - 1)  # asking is one


@dataclass
class Bench:
    """A gate on one store whose statements are counted, for somebody who has been here before."""

    store: SQLStore
    watch: Watch
    gate: StepUp

    @classmethod
    def over(cls, store: SQLStore, watch: Watch) -> Bench:
        actions = (
            Action("once", "Once", risk=4, policy=Policy(uses=1)),
            Action("often", "Often, and risky", risk=3, policy=Policy()),
            Action("light", "Often, and not", risk=2, policy=Policy()),
            Action("thrice", "Three times", risk=3, policy=Policy(uses=3)),
        )
        passkey = ScriptedVerifier("passkey", strength=40, answer="touch")
        secret = "a store test secret, never a real one: 0123456789"
        gate = StepUp(actions=actions, verifiers=[passkey], store=store, secret=secret, clock=FrozenClock())
        made = cls(store, watch, gate)
        made.prove("once")
        return made

    def prove(self, action: str) -> str:
        proved = self.gate.verify(self.gate.start(action, WHO).id, "passkey", "touch", WHO)
        assert isinstance(proved, Verified)
        return proved.token

    def spend(self, action: str, token: str) -> Sequence[str]:
        return self.watch.during(lambda: self.gate.require(action, WHO, token=token))


def an_event(bench: Bench) -> Sequence[str]:
    one = Event("event 1", START, EventType.ATTEMPT, "ok", "usr_2048", reason="a test")
    return bench.watch.during(lambda: bench.store.apply(WHERE, Changes(START, events=(one,))))


def a_load(bench: Bench) -> Sequence[str]:
    keys = [ACTOR_EPOCH, session_epoch("none"), FENCE, ROSTER, THROTTLE]
    return bench.watch.during(lambda: bench.store.load(WHERE, keys))


def a_spent_token(bench: Bench) -> Sequence[str]:
    token = bench.prove("once")
    bench.spend("once", token)

    def refused() -> None:
        with pytest.raises(StepUpRequired):
            bench.gate.require("once", WHO, token=token)

    return bench.watch.during(refused)


def a_forged_token(bench: Bench) -> Sequence[str]:
    def refused() -> None:
        with pytest.raises(StepUpRequired):
            bench.gate.require("once", WHO, token="a.b.c")

    return bench.watch.during(refused)


def a_verify(bench: Bench) -> Sequence[str]:
    challenge = bench.gate.start("once", WHO)
    return bench.watch.during(lambda: bench.gate.verify(challenge.id, "passkey", "touch", WHO))


def a_wrong_answer(bench: Bench) -> Sequence[str]:
    challenge = bench.gate.start("once", WHO)
    return bench.watch.during(lambda: bench.gate.verify(challenge.id, "passkey", "wrong", WHO))


def a_purge(bench: Bench) -> Sequence[str]:
    """250 expired records: two chunks, the second of which is not full."""
    claims = tuple(Record(Key("claim", f"old {n}"), Claim(START), 0, START) for n in range(250))
    assert bench.store.apply(WHERE, Changes(START, claims)) is APPLIED

    def purge() -> None:
        assert bench.store.purge(START + timedelta(seconds=1), limit=1000) == 250

    return bench.watch.during(purge)


OPERATIONS: Final[Mapping[str, Callable[[Bench], Sequence[str]]]] = {
    "load": a_load,
    "spend a single use": lambda bench: bench.spend("once", bench.prove("once")),
    "use one of many, risky": lambda bench: bench.spend("often", bench.prove("often")),
    "use one of many, not risky": lambda bench: bench.spend("light", bench.prove("light")),
    "use one of three": lambda bench: bench.spend("thrice", bench.prove("thrice")),
    "refuse a spent token": a_spent_token,
    "refuse a forged token": a_forged_token,
    "start": lambda bench: bench.watch.during(lambda: bench.gate.start("once", WHO)),
    "verify": a_verify,
    "verify, wrong": a_wrong_answer,
    "an event alone": an_event,
    "list": lambda bench: bench.watch.during(lambda: bench.store.list("tag", after=None, limit=10)),
    "events": lambda bench: bench.watch.during(lambda: bench.store.events(WHERE, after=None, limit=10)),
    "purge": a_purge,
}

BATCH: Final = "BEGIN SELECT SELECT"
"""How a transaction begins on PostgreSQL: the person's lock, then the versions relied on."""

# On MariaDB a transaction begins with its isolation level, and every call ends with the pool's rollback.
COSTS: Final[Mapping[str, tuple[str, str, int]]] = {
    # operation: (PostgreSQL, SQLite, how many on MariaDB)
    "load": ("SELECT", "SELECT", 2),
    "spend a single use": ("WITH", "BEGIN SELECT INSERT INSERT COMMIT", 7),
    "use one of many, risky": ("WITH", "BEGIN SELECT INSERT COMMIT", 6),
    "use one of many, not risky": ("SELECT", "SELECT", 2),
    "use one of three": ("SELECT WITH", "SELECT BEGIN SELECT UPDATE INSERT COMMIT", 10),
    "refuse a spent token": (
        "WITH SELECT WITH",
        "BEGIN SELECT INSERT ROLLBACK SELECT BEGIN INSERT COMMIT",
        14,
    ),
    "refuse a forged token": ("", "", 0),
    "start": (
        f"SELECT {BATCH} INSERT UPDATE INSERT COMMIT",
        "SELECT BEGIN SELECT INSERT UPDATE INSERT COMMIT",
        11,
    ),
    "verify": (
        f"SELECT {BATCH} UPDATE UPDATE COMMIT SELECT {BATCH} UPDATE INSERT UPDATE UPDATE INSERT COMMIT",
        "SELECT BEGIN SELECT UPDATE UPDATE COMMIT SELECT BEGIN SELECT UPDATE INSERT UPDATE UPDATE INSERT COMMIT",
        22,
    ),
    "verify, wrong": (
        f"SELECT {BATCH} UPDATE UPDATE COMMIT SELECT WITH",
        "SELECT BEGIN SELECT UPDATE UPDATE COMMIT SELECT BEGIN SELECT UPDATE INSERT COMMIT",
        18,
    ),
    "an event alone": ("WITH", "BEGIN INSERT COMMIT", 6),
    "list": ("SELECT", "SELECT", 2),
    "events": ("SELECT", "SELECT", 2),
    "purge": ("BEGIN DELETE COMMIT BEGIN DELETE COMMIT", "BEGIN DELETE COMMIT BEGIN DELETE COMMIT", 10),
}
every_operation = pytest.mark.parametrize("operation", OPERATIONS)


@pytest.fixture(scope="module")
def on_postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    # What is prepared would be sent without its text.
    options = {**ONE_CONNECTION, "connect_args": {"prepare_threshold": None}}
    with opened(BY_NAME["psycopg"], tmp_path_factory.mktemp("none"), **options) as store:
        yield Bench.over(store, ByLibpq(store))


@pytest.fixture(scope="module")
def on_mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with opened(BY_NAME["pymysql"], tmp_path_factory.mktemp("none"), **ONE_CONNECTION) as store:
        yield Bench.over(store, ByMariaDB(store))


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    store = SQLStore.sqlite(tmp_path_factory.mktemp("embedded") / "stepup.db", timeout=10)
    yield Bench.over(store, BySQLite(store))
    store.engine.dispose()


@pytest.fixture(scope="module")
def on_their_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with opened(BY_NAME["sqlite"], tmp_path_factory.mktemp("theirs"), **ONE_CONNECTION) as store:
        yield Bench.over(store, BySQLite(store))


def test_every_operation_has_a_cost() -> None:
    """The table names each operation, and nothing else."""
    assert sorted(COSTS) == sorted(OPERATIONS)


@every_operation
def test_what_postgresql_is_asked(operation: str, on_postgresql: Bench) -> None:
    """Reading and redeeming are one statement each, in autocommit; a counted use is two."""
    assert " ".join(OPERATIONS[operation](on_postgresql)) == COSTS[operation][0]


@every_operation
def test_what_sqlite_is_asked(operation: str, embedded: Bench) -> None:
    """One read, or one transaction, for each call of the store."""
    assert " ".join(OPERATIONS[operation](embedded)) == COSTS[operation][1]


@every_operation
def test_what_an_applications_sqlite_is_asked(operation: str, on_their_sqlite: Bench) -> None:
    """The same, and around each call how long it waits for locks: looked up, set, and put back."""
    asked = " ".join(OPERATIONS[operation](on_their_sqlite))

    assert re.sub(r"PRAGMA PRAGMA (.+?) PRAGMA", r"\1", asked) == COSTS[operation][1]


@every_operation
def test_how_much_mariadb_is_asked(operation: str, on_mariadb: Bench) -> None:
    """As many questions as the table says, counted by the server."""
    assert len(OPERATIONS[operation](on_mariadb)) == COSTS[operation][2]


def test_the_counters_see_one_statement_more(on_postgresql: Bench, embedded: Bench, on_mariadb: Bench) -> None:
    """Each counter counts two loads as twice what one load is."""
    for bench, one in ((on_postgresql, 1), (embedded, 1), (on_mariadb, 2)):

        def twice(store: SQLStore = bench.store) -> None:
            store.load(WHERE, [FENCE])
            store.load(WHERE, [FENCE])

        assert len(bench.watch.during(twice)) == 2 * one
