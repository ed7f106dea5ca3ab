"""``require(within=)``: a proof is spent in the very transaction that does the damage, on the sync face."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import cast

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session as ORMSession
from sqlalchemy.orm import scoped_session, sessionmaker
from within_world import ACCOUNT, ACTIONS, ACTOR, CONTEXT, SECRET, Shop, settle, shop

from sql_backends import SYNC, Backend, opened
from stepup import Session, StepUp, StepUpRequired, Verified
from stepup.errors import InvalidInput, StoreUnavailable
from stepup.event import EventType
from stepup.stores.memory import MemoryStore
from stepup.stores.sql import SQLStore
from stepup.testing import FrozenClock, ScriptedVerifier, grant


@pytest.fixture(params=SYNC, ids=str)
def backend(request: pytest.FixtureRequest) -> Backend:
    return cast(Backend, request.param)


@pytest.fixture
def here(backend: Backend, tmp_path: Path) -> Iterator[Shop]:
    with shop(backend, tmp_path) as made:
        yield made


def token(here: Shop, action: str = "payout.create") -> str:
    return grant(here.gate, action, CONTEXT, resource=ACCOUNT)


def spend(here: Shop, connection: object, presented: str | None, action: str = "payout.create") -> None:
    here.gate.require(action, CONTEXT, resource=ACCOUNT, token=presented, within=connection)


@contextmanager
def rolled_back(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction of the application's that comes to nothing."""
    with engine.connect() as connection:
        transaction = connection.begin()
        yield connection
        transaction.rollback()


def is_spent(here: Shop, presented: str, action: str = "payout.create") -> bool:
    """Whether the token opens nothing any more, as ``check`` sees it: it spends nothing."""
    return not here.gate.check(action, CONTEXT, resource=ACCOUNT, token=presented).allowed


# -- together or not at all -----------------------------------------------------------


@pytest.mark.requirement("C-04", "Y-03")
def test_action_and_claim_commit_together(here: Shop) -> None:
    """After the commit the action is there, the proof is spent, and the audit has its line."""
    presented = token(here)

    with here.engine.begin() as connection:
        spend(here, connection, presented)
        here.pay(connection)

    assert here.payments() == 1
    assert is_spent(here, presented)
    newest = here.gate.events(ACTOR, limit=1).items[0]
    assert (newest.type, newest.result, newest.reason) == (EventType.AUTHORIZATION, "ok", "grant_redeemed")


@pytest.mark.requirement("C-04", "Y-03")
def test_action_and_claim_roll_back_together(here: Shop) -> None:
    """After a rollback neither is there: the person need not prove again."""
    presented = token(here)

    with rolled_back(here.engine) as connection:
        spend(here, connection, presented)
        here.pay(connection)

    assert here.payments() == 0
    assert not is_spent(here, presented)
    assert "grant_redeemed" not in [event.reason for event in here.gate.events(ACTOR, limit=5).items]
    with here.engine.begin() as connection:
        spend(here, connection, presented)


def test_nothing_is_seen_outside_before_the_commit(here: Shop) -> None:
    """Until the caller commits, the proof counts as unspent for everybody else, and nobody else can spend it."""
    presented = token(here)

    with here.engine.begin() as connection:
        spend(here, connection, presented)
        unseen = not is_spent(here, presented)

    assert unseen
    with pytest.raises(StepUpRequired):
        here.gate.require("payout.create", CONTEXT, resource=ACCOUNT, token=presented)


@pytest.mark.requirement("X-01", "C-05")
def test_of_64_callers_one_commits(here: Shop) -> None:
    """64 transactions race for one proof: one action happens, the others are refused and roll back."""
    presented = token(here)
    together = threading.Barrier(64)

    def pay(number: int) -> str:
        together.wait(60)
        try:
            with here.engine.begin() as connection:
                spend(here, connection, presented)
                here.pay(connection, str(number))
        except StepUpRequired:
            return "refused"
        except StoreUnavailable:
            return "unavailable"
        return "paid"

    with ThreadPoolExecutor(64) as pool:
        outcomes = list(pool.map(pay, range(64)))

    assert outcomes.count("paid") == 1
    assert here.payments() == 1
    assert is_spent(here, presented)


def test_different_proofs_of_one_person_do_not_wait_for_each_other(here: Shop, backend: Backend) -> None:
    """Two transactions of one person that spend different proofs are open at once (SQLite has one writer)."""
    if backend.server is None:
        pytest.skip("SQLite has one writer")
    first, second = token(here), token(here)

    with here.engine.begin() as one, here.engine.begin() as two:
        spend(here, one, first)
        spend(here, two, second)

    assert is_spent(here, first)
    assert is_spent(here, second)


@pytest.mark.parametrize("action", ["role.change", "note.edit"])
def test_a_grant_of_many_uses_is_held_until_the_end(here: Shop, action: str) -> None:
    """Where nothing is used up, what the grant rests on is still checked in the caller's transaction."""
    presented = token(here, action)

    with here.engine.begin() as connection:
        spend(here, connection, presented, action)
        here.pay(connection)

    assert here.payments() == 1
    assert not is_spent(here, presented, action)


@pytest.mark.requirement("C-04")
def test_a_counted_use_goes_back_with_the_transaction(here: Shop) -> None:
    """One of three uses is taken with the commit, and given back with the rollback."""
    presented = token(here, "batch.run")
    with rolled_back(here.engine) as connection:
        spend(here, connection, presented, "batch.run")

    for _ in range(3):
        with here.engine.begin() as connection:
            spend(here, connection, presented, "batch.run")

    with pytest.raises(StepUpRequired), here.engine.begin() as connection:
        spend(here, connection, presented, "batch.run")


@pytest.mark.requirement("Y-02", "C-05")
@pytest.mark.parametrize("action", ["payout.create", "batch.run"])
def test_the_same_request_again_does_not_act_twice(here: Shop, action: str) -> None:
    """After a lost reply the action is there, committed with the proof: the request may not do it again."""
    presented = token(here, action)

    def pay() -> None:
        with here.engine.begin() as connection:
            here.gate.require(
                action, CONTEXT, resource=ACCOUNT, token=presented, request_id="the very same", within=connection
            )
            here.pay(connection)

    pay()
    with pytest.raises(StepUpRequired):
        pay()

    assert here.payments() == 1


def test_a_session_of_the_orm_will_do(here: Shop) -> None:
    """A Session, or a scoped_session, in place of a connection."""
    for made in (sessionmaker(here.engine)(), scoped_session(sessionmaker(here.engine))):
        presented = token(here)
        spend(here, made, presented)
        made.execute(here.paid.insert().values(note="orm"))
        made.commit()
        assert is_spent(here, presented)
        made.close()

    presented = token(here)
    with ORMSession(here.engine) as session:
        spend(here, session, presented)
        session.rollback()

    assert not is_spent(here, presented)
    assert here.payments() == 2


def test_a_guard_can_spend_in_the_arguments_transaction(here: Shop) -> None:
    """``guard(within=)`` takes the connection from the guarded function's arguments."""

    @here.gate.guard(
        "payout.create",
        resource=ACCOUNT,
        context=CONTEXT,
        token=lambda token: token,
        within=lambda connection: connection,
    )
    def pay(connection: sa.Connection, token: str | None) -> None:
        here.pay(connection)

    presented = token(here)
    with rolled_back(here.engine) as connection:
        pay(connection, presented)

    assert not is_spent(here, presented)
    with pytest.raises(InvalidInput, match="gave None"):
        pay(None, presented)  # type: ignore[arg-type] # what is shown


# -- killed in between -----------------------------------------------------------------


def _spend_and_stop(
    backend: Backend, folder: Path, prefix: str, paid: str, token: str, commit: bool, pipe: Pipe
) -> None:
    """In a process of its own: spend, act, perhaps commit, say so, and wait to be killed."""
    engine = sa.create_engine(backend.url(folder))
    store = SQLStore(sa.create_engine(backend.url(folder)), table_prefix=prefix)
    gate = StepUp(
        actions=ACTIONS, verifiers=[ScriptedVerifier("password")], store=store, secret=SECRET, clock=FrozenClock()
    )
    with engine.connect() as connection:
        connection.begin()
        gate.require("payout.create", CONTEXT, resource=ACCOUNT, token=token, within=connection)
        connection.exec_driver_sql(f"INSERT INTO {paid} (note) VALUES ('child')")
        if commit:
            connection.commit()
        pipe.send("done")
        signal.pause()


@pytest.mark.requirement("Y-03", "C-04")
@pytest.mark.parametrize("commit", [False, True], ids=["before-the-commit", "after-the-commit"])
def test_a_process_killed_in_between_leaves_both_or_neither(
    here: Shop, backend: Backend, tmp_path: Path, commit: bool
) -> None:
    """kill -9 between spending and commit undoes both; after the commit both stand."""
    presented = token(here)
    ours, theirs = multiprocessing.Pipe()
    prefix = here.store.tables.record.name.removesuffix("record")
    child = multiprocessing.get_context("spawn").Process(
        target=_spend_and_stop, args=(backend, tmp_path, prefix, here.paid.name, presented, commit, theirs)
    )
    child.start()
    assert ours.poll(60)
    assert ours.recv() == "done"
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join(30)

    ours.close()
    theirs.close()
    if commit:
        assert is_spent(here, presented)
        assert here.payments() == 1
    else:
        _spend_when_the_server_has_noticed(here, presented)
        assert here.payments() == 1


def _spend_when_the_server_has_noticed(here: Shop, presented: str) -> None:
    """The proof can be spent again once the server has rolled the dead client's transaction back."""
    for _ in range(20):
        try:
            with here.engine.begin() as connection:
                spend(here, connection, presented)
                here.pay(connection, "parent")
        except StoreUnavailable:
            continue  # it waited for the lock as long as it may
        return
    pytest.fail("the proof was not given back")


# -- revoking --------------------------------------------------------------------------


@pytest.mark.requirement("G-02", "X-05")
def test_a_revoke_waits_for_an_open_one_and_then_holds(here: Shop) -> None:
    """A revoke is not acknowledged while a transaction that spent a proof is open; once it is, nothing opens."""
    presented, other = token(here), token(here)
    done = threading.Event()

    def revoke() -> None:
        here.gate.revoke(CONTEXT, everything=True)
        done.set()

    with here.engine.begin() as connection:
        spend(here, connection, presented)
        thread = threading.Thread(target=revoke)
        thread.start()
        acknowledged_meanwhile = done.wait(0.5)
        here.pay(connection)
    thread.join(30)

    assert not acknowledged_meanwhile
    assert done.is_set()
    assert here.payments() == 1
    with pytest.raises(StepUpRequired), here.engine.begin() as connection:
        spend(here, connection, other)


# -- what is refused -------------------------------------------------------------------


def test_autocommit_is_refused(here: Shop) -> None:
    """Where nothing is rolled back together, ``within`` would promise what it cannot keep."""
    presented = token(here)
    with here.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.begin()
        with pytest.raises(InvalidInput, match="autocommit"):
            spend(here, connection, presented)
    engine = sa.create_engine(here.engine.url, isolation_level="AUTOCOMMIT")
    with engine.begin() as connection, pytest.raises(InvalidInput, match="autocommit"):
        spend(here, connection, presented)
    engine.dispose()

    assert not is_spent(here, presented)


def test_a_connection_without_a_transaction_is_refused(here: Shop) -> None:
    """A connection has to have begun; a closed one is none."""
    presented = token(here)
    with here.engine.connect() as connection, pytest.raises(InvalidInput, match="no transaction"):
        spend(here, connection, presented)
    with pytest.raises(InvalidInput, match="no transaction"):
        spend(here, connection, presented)

    assert not is_spent(here, presented)


def test_another_database_is_refused(here: Shop, backend: Backend, tmp_path: Path) -> None:
    """The tables of another store, none at all, or a database of another kind: nothing is spent, nothing commits."""
    presented = token(here)
    other = tmp_path / "other"
    other.mkdir()
    with opened(SYNC[0], other) as foreign:
        elsewhere = StepUp(
            actions=ACTIONS,
            verifiers=[ScriptedVerifier("password")],
            store=SQLStore(foreign.engine, table_prefix=foreign.tables.record.name.removesuffix("record")),
            secret=SECRET,
            clock=FrozenClock(),
        )
        with pytest.raises(InvalidInput, match="database"), foreign.engine.begin() as connection:
            spend(here, connection, presented)
        assert elsewhere.events(ACTOR, limit=5).items == ()

    assert not is_spent(here, presented)


def test_the_fence_tells_another_store_of_the_same_kind(here: Shop, backend: Backend, tmp_path: Path) -> None:
    """A connection to a database with the same tables and another fence is seen through, and cannot commit."""
    presented = token(here)
    with here.engine.begin() as connection:
        connection.execute(
            sa.update(here.store.tables.record)
            .where(here.store.tables.record.c.kind == _kind(backend, "fence"))
            .values(version=4242)
        )
        with pytest.raises(InvalidInput, match="another database"):
            spend(here, connection, presented)
        with pytest.raises(StoreUnavailable):
            connection.commit()

    assert not is_spent(here, presented)


def _kind(backend: Backend, kind: str) -> object:
    return kind.encode() if backend.server == "mariadb" else kind


@pytest.mark.parametrize("junk", [object(), "connection", 7, sa.create_engine("sqlite://"), MemoryStore()])
def test_what_is_no_connection_is_refused(here: Shop, junk: object) -> None:
    """Anything but a connection or session is the developer's mistake, and nothing is spent."""
    presented = token(here)
    with pytest.raises(InvalidInput, match="within"):
        spend(here, junk, presented)

    assert not is_spent(here, presented)


def test_a_store_elsewhere_cannot_join() -> None:
    """The memory store stands in no database: ``within`` says so instead of spending on its own."""
    gate = StepUp(actions=ACTIONS, verifiers=[ScriptedVerifier("password")], store=MemoryStore(), secret=SECRET)
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection, pytest.raises(InvalidInput, match="MemoryStore"):
        gate.require("payout.create", CONTEXT, resource=ACCOUNT, within=connection)
    engine.dispose()


# -- rollback only ---------------------------------------------------------------------


@pytest.mark.requirement("Y-01")
def test_after_an_error_of_the_database_the_transaction_cannot_commit(here: Shop) -> None:
    """An application that swallows the error still does not get its action through."""
    presented = token(here)
    events = here.store.tables.event
    with here.engine.connect() as connection:
        connection.begin()
        here.pay(connection)
        bent, in_place = events.name.replace("event", "bent"), here.engine.dialect.name == "sqlite"
        with here.engine.connect() as other:
            if not in_place:
                other.exec_driver_sql(f"ALTER TABLE {events.name} RENAME TO {bent}")
                other.commit()
        try:
            if in_place:  # its writer is the caller, and the name comes back with the rollback
                connection.exec_driver_sql(f"ALTER TABLE {events.name} RENAME TO {bent}")
            with pytest.raises((StoreUnavailable, InvalidInput)):
                spend(here, connection, presented)
            with pytest.raises(StoreUnavailable):
                connection.commit()
            connection.rollback()
            connection.commit()
        finally:
            connection.rollback()
            if not in_place:
                with here.engine.begin() as other:
                    other.exec_driver_sql(f"ALTER TABLE {bent} RENAME TO {events.name}")

    assert here.payments() == 0
    assert not is_spent(here, presented)


def test_a_savepoint_that_is_rolled_back_takes_the_commit_with_it(here: Shop, backend: Backend) -> None:
    """A proof spent in a savepoint comes back when that is rolled back; then the whole transaction must not commit."""
    if backend.server is None:
        pytest.skip("refused: the driver of SQLite commits when a savepoint is released")
    presented = token(here)
    with here.engine.connect() as connection:
        connection.begin()
        savepoint = connection.begin_nested()
        spend(here, connection, presented)
        savepoint.rollback()
        here.pay(connection)
        with pytest.raises(StoreUnavailable, match="come back"):
            connection.commit()
        connection.rollback()
        with connection.begin(), connection.begin_nested():
            spend(here, connection, presented)

    assert here.payments() == 0
    assert is_spent(here, presented)


def test_a_savepoint_of_sqlites_driver_is_refused(here: Shop, backend: Backend) -> None:
    """Python's driver commits when a savepoint is released, so nothing would roll back together."""
    if backend.server is not None:
        pytest.skip("of SQLite")
    presented = token(here)
    with here.engine.begin() as connection:
        savepoint = connection.begin_nested()
        with pytest.raises(InvalidInput, match="savepoint"):
            spend(here, connection, presented)
        savepoint.rollback()

    assert not is_spent(here, presented)


def test_a_refusal_in_a_savepoint_leaves_the_transaction_alone(here: Shop, backend: Backend) -> None:
    """Where nothing was spent, nothing has come back: the rest of the transaction is the application's."""
    if backend.server is None:
        pytest.skip("refused")
    presented = token(here)
    here.gate.require("payout.create", CONTEXT, resource=ACCOUNT, token=presented)

    with here.engine.begin() as connection:
        savepoint = connection.begin_nested()
        with pytest.raises(StepUpRequired):
            spend(here, connection, presented)
        savepoint.rollback()
        here.pay(connection)

    assert here.payments() == 1


@pytest.mark.parametrize("how", ["driver", "savepoint"])
def test_a_rollback_behind_our_back_takes_the_commit_with_it(here: Shop, how: str) -> None:
    """Through the driver, or by a savepoint in plain SQL: before the commit, what was spent must still be there."""
    presented = token(here)
    with here.engine.connect() as connection:
        connection.begin()
        here.pay(connection)
        if how == "savepoint":
            connection.exec_driver_sql("SAVEPOINT mine")
        spend(here, connection, presented)
        if how == "savepoint":
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT mine")
        else:
            driver = connection.connection.dbapi_connection
            assert driver is not None
            driver.rollback()
        here.pay(connection)
        with pytest.raises(StoreUnavailable, match="come back"):
            connection.commit()
        connection.rollback()

    assert here.payments() == 0
    assert not is_spent(here, presented)


def test_a_deadlock_that_is_swallowed_takes_the_commit_with_it(here: Shop, backend: Backend) -> None:
    """MariaDB ends a deadlock by rolling everything back and going on; the action must not go out alone."""
    if backend.server != "mariadb":
        pytest.skip("of MariaDB")
    presented = token(here)
    with here.engine.begin() as setting:
        for number in (1, 2):
            setting.execute(here.paid.insert().values(id=number, note="row"))

    def touch(connection: sa.Connection, number: int) -> None:
        connection.execute(here.paid.update().where(here.paid.c.id == number).values(note="touched"))

    with here.engine.connect() as one, here.engine.connect() as two:
        one.begin()
        two.begin()
        for number in range(3, 40):  # the heavier transaction survives
            two.execute(here.paid.insert().values(id=number, note="weight"))
        spend(here, one, presented)
        touch(one, 1)
        touch(two, 2)
        waiting = threading.Thread(target=touch, args=(two, 1))
        waiting.start()
        with pytest.raises(sa.exc.OperationalError):
            touch(one, 2)
        waiting.join(30)
        two.rollback()
        here.pay(one)
        with pytest.raises(StoreUnavailable, match="come back"):
            one.commit()
        one.rollback()

    assert here.payments() == 2
    assert not is_spent(here, presented)


def test_a_commit_that_fails_is_not_told_as_one(backend: Backend, tmp_path: Path) -> None:
    """A constraint that is checked at the commit undoes it all: ``on_event`` is told nothing."""
    if backend.server != "postgresql":
        pytest.skip("of PostgreSQL, which can defer a constraint")
    told: list[str | None] = []
    with shop(backend, tmp_path, on_event=lambda event: told.append(event.reason)) as here:
        presented = token(here)
        with here.engine.begin() as setting:
            name = here.paid.name
            deferred = f"REFERENCES {name} DEFERRABLE INITIALLY DEFERRED"
            setting.exec_driver_sql(f"ALTER TABLE {name} ADD other integer {deferred}")
        told.clear()

        with here.engine.connect() as connection:
            connection.begin()
            spend(here, connection, presented)
            connection.exec_driver_sql(f"INSERT INTO {here.paid.name} (note, other) VALUES ('x', 4242)")
            with pytest.raises(sa.exc.IntegrityError):
                connection.commit()
            connection.rollback()
        settle()

        assert told == []
        assert not is_spent(here, presented)


def test_a_counted_grant_is_counted_within_one_transaction(here: Shop) -> None:
    """Two of three uses in one transaction are two uses: the second sees the first."""
    presented = token(here, "batch.run")
    with here.engine.begin() as connection:
        spend(here, connection, presented, "batch.run")
        spend(here, connection, presented, "batch.run")
    with here.engine.begin() as connection:
        spend(here, connection, presented, "batch.run")

    with here.engine.begin() as connection, pytest.raises(StepUpRequired):
        spend(here, connection, presented, "batch.run")


def test_a_transaction_older_than_the_proof_is_told_from_a_revoked_grant(here: Shop, backend: Backend) -> None:
    """A snapshot from before the grant was minted does not show it: the transaction is wrong, not the grant."""
    if backend.server != "postgresql":
        pytest.skip("of PostgreSQL, whose snapshots reach to what is locked")
    engine = here.engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        connection.begin()
        connection.execute(sa.select(here.paid))
        presented = token(here)
        with pytest.raises(StoreUnavailable, match="before the proof"):
            spend(here, connection, presented)
        connection.rollback()

    assert not is_spent(here, presented)


def test_a_clone_of_the_database_is_another_one(here: Shop, backend: Backend) -> None:
    """A copy of the tables has the same fence; it is told by where it stands."""
    if backend.server != "postgresql":
        pytest.skip("of PostgreSQL, where a copy is quickly made")
    presented = token(here)
    schema, tables = here.store.tables.record.name + "clone", (here.store.tables.record, here.store.tables.event)
    with here.engine.begin() as setting:
        setting.exec_driver_sql(f"CREATE SCHEMA {schema}")
        for table in tables:
            setting.exec_driver_sql(f"CREATE TABLE {schema}.{table.name} (LIKE public.{table.name} INCLUDING ALL)")
            setting.exec_driver_sql(f"INSERT INTO {schema}.{table.name} SELECT * FROM public.{table.name}")
    try:
        with here.engine.begin() as connection:
            connection.exec_driver_sql(f"SET LOCAL search_path = {schema}, public")
            with pytest.raises(InvalidInput, match="another database"):
                spend(here, connection, presented)
    finally:
        with here.engine.begin() as setting:
            setting.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")

    assert not is_spent(here, presented)


def test_a_later_savepoint_is_the_applications_own(here: Shop) -> None:
    """A savepoint begun after the proof was spent can be rolled back as ever."""
    presented = token(here)
    with here.engine.begin() as connection:
        spend(here, connection, presented)
        here.pay(connection)
        savepoint = connection.begin_nested()
        here.pay(connection)
        savepoint.rollback()

    assert here.payments() == 1
    assert is_spent(here, presented)


# -- what follows the end ---------------------------------------------------------------


def test_a_refusal_is_recorded_after_the_transaction_has_ended(backend: Backend, tmp_path: Path) -> None:
    """A refused token rolls the caller back; the line in the audit is there all the same."""
    with shop(backend, tmp_path) as here:
        presented = token(here)
        here.gate.require("payout.create", CONTEXT, resource=ACCOUNT, token=presented)

        with rolled_back(here.engine) as connection:
            here.pay(connection)
            with pytest.raises(StepUpRequired):
                spend(here, connection, presented)
        settle()

        newest = here.gate.events(ACTOR, limit=1).items[0]
        assert (newest.result, newest.reason) == ("refused", "spent")
        assert here.payments() == 0


@pytest.mark.parametrize("commit", [True, False])
def test_listeners_are_told_of_what_was_committed_only(backend: Backend, tmp_path: Path, commit: bool) -> None:
    """``on_event`` hears of a spent proof once it is spent for good, and never of one that came back."""
    told: list[str | None] = []
    with shop(backend, tmp_path, on_event=lambda event: told.append(event.reason)) as here:
        presented = token(here)
        told.clear()

        with here.engine.connect() as connection:
            transaction = connection.begin()
            spend(here, connection, presented)
            told_early = list(told)
            transaction.commit() if commit else transaction.rollback()
        settle()

        assert told_early == []
        assert told == (["grant_redeemed"] if commit else [])


def test_counters_are_never_part_of_the_callers_transaction(here: Shop, backend: Backend) -> None:
    """An attempt is counted on a connection of the store's own: a rollback of the caller's gives none back."""
    if backend.server is None:
        pytest.skip("SQLite has one writer: while the caller's transaction is open, the attempt is refused")
    challenge = here.gate.start("payout.create", CONTEXT, resource=ACCOUNT)

    with rolled_back(here.engine) as connection:
        here.pay(connection)
        here.gate.verify(challenge.id, "password", "wrong", CONTEXT)

    counted = here.gate.challenge(challenge.id, CONTEXT)
    assert counted is not None
    assert counted.attempts == 1


@pytest.mark.requirement("V-02")
def test_a_device_token_used_again_ends_its_device_when_the_transaction_is_over(
    backend: Backend, tmp_path: Path
) -> None:
    """Whatever its end: the caller may hold the only writer, and waiting for it would refuse the call instead."""
    clock = FrozenClock()
    with shop(backend, tmp_path, clock=clock) as here:

        def proved(device_token: str | None = None) -> str | None:
            who = replace(CONTEXT, device_token=device_token)
            challenge = here.gate.start("role.change", who, resource=ACCOUNT)
            done = here.gate.verify(challenge.id, "password", "right", who, remember=True)
            assert isinstance(done, Verified)
            return done.device_token

        old = proved()
        new = proved(old)
        clock.advance(61)
        stolen = replace(CONTEXT, session=Session("sess_9"), device_token=old)
        with rolled_back(here.engine) as connection:
            here.pay(connection, "held")
            with pytest.raises(StepUpRequired):
                here.gate.require("note.edit", stolen, resource=ACCOUNT, within=connection)
            assert here.gate.devices.recognise(replace(CONTEXT, device_token=new)) is not None
        settle()

        assert here.gate.devices.recognise(replace(CONTEXT, device_token=new)) is None
        assert here.payments() == 0
