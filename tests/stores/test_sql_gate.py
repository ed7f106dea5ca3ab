"""A gate over a database: it outlives its process, a restored backup revives nothing, and one line opens it."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pyotp
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from within_world import ACCOUNT, ACTIONS, ACTOR, CONTEXT, SECRET

from sql_backends import SYNC, Backend, need, opened
from stepup import AsyncStepUp, Code, Rejected, Resource, StepUp, StepUpRequired, Strength, Verified
from stepup.errors import ConfigurationError, StoreUnavailable
from stepup.event import EventType
from stepup.factor import Factor
from stepup.stores.sql import AsyncSQLStore, SQLStore
from stepup.testing import FrozenClock, ScriptedVerifier, grant
from stepup.verifiers import TOTP


def gate_over(store: SQLStore, clock: FrozenClock | None = None) -> StepUp:
    return StepUp(
        actions=ACTIONS,
        verifiers=[ScriptedVerifier("password")],
        store=store,
        secret=SECRET,
        clock=clock or FrozenClock(),
    )


def store_of(gate: StepUp) -> SQLStore:
    return cast(SQLStore, gate.store)


@pytest.fixture(params=SYNC, ids=str)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SQLStore]:
    backend = cast(Backend, request.param)
    need(backend.server)
    with opened(backend, tmp_path) as made:
        yield made


def again(store: SQLStore) -> SQLStore:
    """The same database as a new process would open it."""
    return SQLStore(store.engine, table_prefix=store.tables.record.name.removesuffix("record"), timeout=10)


# -- restarts ---------------------------------------------------------------------------


@pytest.mark.requirement("Y-07")
def test_what_was_used_stays_used_after_a_restart(store: SQLStore) -> None:
    """A spent grant, the count of a challenge, a revoked session: another process finds them as they were left."""
    gate = gate_over(store)
    spent, kept = (grant(gate, "payout.create", CONTEXT, resource=ACCOUNT) for _ in range(2))
    gate.require("payout.create", CONTEXT, resource=ACCOUNT, token=spent)
    challenge = gate.start("payout.create", CONTEXT, resource=ACCOUNT)
    gate.verify(challenge.id, "password", "wrong", CONTEXT)

    restarted = gate_over(again(store))

    with pytest.raises(StepUpRequired):
        restarted.require("payout.create", CONTEXT, resource=ACCOUNT, token=spent)
    found = restarted.challenge(challenge.id, CONTEXT)
    assert found is not None
    assert found.attempts == 1
    restarted.revoke(CONTEXT, session=True)
    with pytest.raises(StepUpRequired):
        gate_over(again(store)).require("payout.create", CONTEXT, resource=ACCOUNT, token=kept)


@pytest.mark.requirement("Y-07", "T-02")
def test_a_totp_step_stays_used_after_a_restart(store: SQLStore) -> None:
    """The last step accepted is a record: the same code is a replay for whichever process asks."""
    clock = FrozenClock()

    def gate_now() -> StepUp:
        passkey = ScriptedVerifier("passkey", strength=Strength.PASSKEY)
        return StepUp(actions=ACTIONS, verifiers=[TOTP(), passkey], store=again(store), secret=SECRET, clock=clock)

    gate = gate_now()
    adding = grant(
        gate, "stepup.factor.add", CONTEXT, resource=Resource("factors", ACTOR.id), params={"method": "totp"}
    )
    enrolment = gate.factors.enrol_totp(CONTEXT, token=adding)
    code = pyotp.TOTP(enrolment.secret)
    assert isinstance(gate.factors.confirm_totp(CONTEXT, enrolment.factor_id, code.at(clock.now())), Factor)
    clock.advance(60)
    answer = code.at(clock.now())

    first, second = (
        one.verify(one.start("note.edit", CONTEXT, resource=ACCOUNT).id, "totp", answer, CONTEXT)
        for one in (gate, gate_now())
    )

    assert isinstance(first, Verified)
    assert isinstance(second, Rejected)


# -- backups ------------------------------------------------------------------------------


@pytest.mark.requirement("Y-11")
def test_a_restored_backup_revives_nothing(tmp_path: Path) -> None:
    """A backup from before a grant was spent does not make it good again, once ``restored`` has been run."""
    gate = StepUp.sqlite(
        tmp_path / "live.db", actions=ACTIONS, verifiers=[ScriptedVerifier("password")], secret=SECRET,
        clock=FrozenClock(),
    )  # fmt: skip
    token = grant(gate, "payout.create", CONTEXT, resource=ACCOUNT)
    challenge = gate.start("role.change", CONTEXT, resource=ACCOUNT)
    with sqlite3.connect(tmp_path / "live.db") as source, sqlite3.connect(tmp_path / "backup.db") as target:
        source.backup(target)
    source.close()
    target.close()
    gate.require("payout.create", CONTEXT, resource=ACCOUNT, token=token)
    store_of(gate).close()
    for name in ("live.db-wal", "live.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.db", tmp_path / "live.db")

    restored = StepUp.sqlite(
        tmp_path / "live.db", actions=ACTIONS, verifiers=[ScriptedVerifier("password")], secret=SECRET,
        clock=FrozenClock(),
    )  # fmt: skip
    revived_without = restored.check("payout.create", CONTEXT, resource=ACCOUNT, token=token).allowed
    store_of(restored).restored()

    assert revived_without, "the backup is from before the spending: the fence is what ends it"
    with pytest.raises(StepUpRequired) as refused:
        restored.require("payout.create", CONTEXT, resource=ACCOUNT, token=token)
    assert [reason.code for reason in refused.value.decision.reasons] == ["fence"]
    assert not isinstance(restored.verify(challenge.id, "password", "right", CONTEXT), Verified)
    fresh = grant(restored, "payout.create", CONTEXT, resource=ACCOUNT)
    restored.require("payout.create", CONTEXT, resource=ACCOUNT, token=fresh)
    store_of(restored).close()


def test_a_person_is_forgotten(store: SQLStore) -> None:
    """``forget`` erases everything but the epochs, and says that somebody was erased, not who."""
    gate = gate_over(store)
    token = grant(gate, "payout.create", CONTEXT, resource=ACCOUNT)

    gate.forget(ACTOR)

    assert [(event.type, event.actor) for event in gate.events(ACTOR).items] == [(EventType.FORGOTTEN, "")]
    with pytest.raises(StepUpRequired):
        gate.require("payout.create", CONTEXT, resource=ACCOUNT, token=token)


# -- one line -----------------------------------------------------------------------------


def test_one_line_opens_a_gate(tmp_path: Path) -> None:
    """``StepUp.sqlite`` is a whole gate: blocked, proved, opened, once."""
    gate = StepUp.sqlite(
        tmp_path / "stepup.db", secret=SECRET, actions=ACTIONS, verifiers=[ScriptedVerifier("password")]
    )
    with pytest.raises(StepUpRequired) as blocked:
        gate.require("payout.create", CONTEXT, resource=ACCOUNT)

    challenge = gate.start_offer(blocked.value.offer, CONTEXT)
    result = gate.verify(challenge.id, "password", "right", CONTEXT)
    assert isinstance(result, Verified)
    gate.require("payout.create", CONTEXT, resource=ACCOUNT, token=result.token)
    with pytest.raises(StepUpRequired) as spent:
        gate.require("payout.create", CONTEXT, resource=ACCOUNT, token=result.token)

    assert spent.value.code == Code.GRANT_INVALID
    kinds = [event.type for event in gate.events(ACTOR).items]
    assert kinds.count(EventType.AUTHORIZATION) == 2
    with store_of(gate).engine.connect() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("journal_mode", "synchronous")
        ]
    assert pragmas == ["wal", 2]
    store_of(gate).close()


def test_one_line_opens_an_async_gate(tmp_path: Path) -> None:
    """``AsyncStepUp.sqlite`` needs no event loop to be made, and sees what the sync one wrote."""
    sync = StepUp.sqlite(
        tmp_path / "stepup.db", secret=SECRET, actions=ACTIONS, verifiers=[ScriptedVerifier("password")]
    )
    token = grant(sync, "payout.create", CONTEXT, resource=ACCOUNT)
    store_of(sync).close()
    gate = AsyncStepUp.sqlite(
        tmp_path / "stepup.db", secret=SECRET, actions=ACTIONS, verifiers=[ScriptedVerifier("password")]
    )

    async def main() -> None:
        await gate.require("payout.create", CONTEXT, resource=ACCOUNT, token=token)
        with pytest.raises(StepUpRequired):
            await gate.require("payout.create", CONTEXT, resource=ACCOUNT, token=token)
        await cast(AsyncSQLStore, gate.store).close()

    asyncio.run(main())


@pytest.mark.parametrize("path", ["", ":memory:", "file:x?mode=memory"])
def test_a_database_in_memory_is_refused(path: str) -> None:
    """What keeps nothing is called MemoryStore."""
    with pytest.raises(ConfigurationError, match="MemoryStore"):
        SQLStore.sqlite(path)
    with pytest.raises(ConfigurationError, match="MemoryStore"):
        AsyncSQLStore.sqlite(path)


def test_a_file_that_cannot_be_made_is_said_at_start(tmp_path: Path) -> None:
    """The folder is missing: the operator hears of it when the gate is made."""
    with pytest.raises(StoreUnavailable, match="directory must be there"):
        SQLStore.sqlite(tmp_path / "nowhere" / "stepup.db")
    with pytest.raises(StoreUnavailable, match="not an address"):
        SQLStore.sqlite("sqlite:///nowhere/stepup.db")


@pytest.mark.parametrize("face", [StepUp, AsyncStepUp])
def test_without_the_extra_the_gate_is_not_made(face: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy names it."""
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(ConfigurationError, match=r"stepup-auth\[sql\]"):
        face.sqlite(tmp_path / "stepup.db", secret=SECRET, actions=ACTIONS, verifiers=[ScriptedVerifier("password")])


def test_without_its_driver_no_file_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The async face needs one that the extra does not bring."""
    monkeypatch.setitem(sys.modules, "aiosqlite", None)
    with pytest.raises(ConfigurationError, match="pip install aiosqlite"):
        AsyncSQLStore.sqlite(tmp_path / "stepup.db")
    assert list(tmp_path.iterdir()) == []


# -- what is refused at construction --------------------------------------------------------


def test_engines_of_the_wrong_kind_are_refused() -> None:
    """Each face says which store is the other's."""
    sync, other = sa.create_engine("sqlite://"), create_async_engine("sqlite+aiosqlite://")
    with pytest.raises(ConfigurationError, match="AsyncSQLStore"):
        SQLStore(cast(Any, other))
    with pytest.raises(ConfigurationError, match="SQLStore"):
        AsyncSQLStore(cast(Any, sync))
    for junk in (None, "sqlite://", 7):
        with pytest.raises(ConfigurationError, match="engine"):
            SQLStore(cast(Any, junk))
        with pytest.raises(ConfigurationError, match="engine"):
            AsyncSQLStore(cast(Any, junk))
    shared = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    with pytest.raises(ConfigurationError, match="StaticPool"):
        SQLStore(shared).check_schema()
    shared.dispose()
    for timeout in (0, -1, True, "2", 4000):
        with pytest.raises(ConfigurationError, match="timeout"):
            SQLStore(sync, timeout=cast(Any, timeout))
    with pytest.raises(ConfigurationError, match=r"sqlalchemy\.Engine"):
        SQLStore(lambda: cast(Any, "an engine")).check_schema()
    sync.dispose()
