"""What a gate remembers for its risk, on every database: kept through a restart, and gone with the person."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa
from within_world import ACCOUNT, ACTIONS, ACTOR, CONTEXT, SECRET, async_shop, shop

from sql_backends import Backend, every_async, every_sync, opened, opened_async
from stepup import Action, AsyncStepUp, Code, Context, Device, Policy, RiskLevel, StepUp, Verified
from stepup.history import network_of
from stepup.risk import Signals
from stepup.stores.sql import AsyncSQLStore, SQLStore
from stepup.testing import FrozenClock, ScriptedVerifier, grant

HOME = replace(CONTEXT, device=Device("fp_home"), ip="192.0.2.7")
HOTEL = replace(CONTEXT, device=Device("fp_hotel"), ip="198.51.100.9")
BLOCKED = Policy(methods="any", block_session_risk=frozenset({RiskLevel.HIGH, RiskLevel.UNKNOWN}))
ALL = (*ACTIONS, Action("vault.open", "Open vault", risk=3, policy=BLOCKED))
RULES = Signals(country_of={"192.0.2.7": "DE", "198.51.100.9": "JP"}.get)
FAR = ("new_device", "new_network", "impossible_country")


def gate_over(store: SQLStore) -> StepUp:
    return StepUp(
        actions=ALL,
        verifiers=[ScriptedVerifier("password")],
        store=store,
        secret=SECRET,
        clock=FrozenClock(),
        risk=RULES,
    )


def reasons(gate: StepUp, who: Context) -> tuple[str, ...]:
    return gate.check("role.change", who, resource=ACCOUNT).risk.reasons


@every_sync
def test_places_are_known_to_the_next_process(backend: Backend, tmp_path: Path) -> None:
    """What one process has written, another one reads; the database holds no address, and forgets with the person."""
    with opened(backend, tmp_path) as store:
        gate = gate_over(store)
        assert reasons(gate, HOME) == ("new_device", "new_network")
        grant(gate, "role.change", HOME, resource=ACCOUNT)

        again = gate_over(store)
        assert reasons(again, HOME) == ()
        assert reasons(again, HOTEL) == FAR
        denied = again.check("vault.open", HOTEL, resource=ACCOUNT)
        assert (denied.code, denied.risk.level) == (Code.ACTION_BLOCKED, RiskLevel.HIGH)
        assert again.check("vault.open", HOME, resource=ACCOUNT).methods == ("password",)
        with store.engine.connect() as connection:
            kept = str(connection.execute(sa.select(store.tables.record)).all())
        assert "known" in kept
        assert [word for word in (HOME.ip, network_of(HOME.ip), "fp_home") if word and word in kept] == []

        again.forget(ACTOR)
        assert reasons(again, HOME) == ("new_device", "new_network")


@every_async
def test_places_are_known_on_the_async_face(backend: Backend, tmp_path: Path) -> None:
    """The same, with a country hook that is async."""

    async def country_of(ip: str) -> str | None:
        return {"192.0.2.7": "DE", "198.51.100.9": "JP"}.get(ip)

    async def run() -> None:
        async with opened_async(backend, tmp_path) as store:
            gate = async_gate_over(store, Signals(country_of=country_of))
            challenge = await gate.start("role.change", HOME, resource=ACCOUNT)
            assert await gate.verify(challenge.id, "password", "right", HOME)

            here = await gate.check("role.change", HOME, resource=ACCOUNT)
            there = await gate.check("vault.open", HOTEL, resource=ACCOUNT)
            assert here.risk.reasons == ()
            assert (there.code, there.risk.reasons) == (Code.ACTION_BLOCKED, FAR)

    asyncio.run(run())


def async_gate_over(store: AsyncSQLStore, rules: Signals) -> AsyncStepUp:
    return AsyncStepUp(
        actions=ALL,
        verifiers=[ScriptedVerifier("password")],
        store=store,
        secret=SECRET,
        clock=FrozenClock(),
        risk=rules,
    )


@every_sync
def test_a_proof_is_spent_in_a_transaction_of_the_applications(backend: Backend, tmp_path: Path) -> None:
    """The history is read beside the transaction, and the risk of the moment decides."""
    with shop(backend, tmp_path, risk=RULES) as here:
        token = grant(here.gate, "payout.create", HOME, resource=ACCOUNT)
        with here.engine.begin() as connection:
            here.gate.require("payout.create", HOME, resource=ACCOUNT, token=token, within=connection)
            here.pay(connection)
        assert here.payments() == 1


@every_async
def test_a_proof_is_spent_in_an_async_transaction(backend: Backend, tmp_path: Path) -> None:
    """The same on the async face."""

    async def run() -> None:
        async with async_shop(backend, tmp_path, risk=RULES) as here:
            challenge = await here.gate.start("payout.create", HOME, resource=ACCOUNT)
            made = await here.gate.verify(challenge.id, "password", "right", HOME)
            assert isinstance(made, Verified)
            async with here.engine.begin() as connection:
                await here.gate.require("payout.create", HOME, resource=ACCOUNT, token=made.token, within=connection)
                await connection.execute(here.paid.insert().values(note=""))
            assert await here.payments() == 1

    asyncio.run(run())
