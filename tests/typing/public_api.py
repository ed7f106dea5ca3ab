"""What the public names promise to a type checker: checked by mypy and pyright, never run."""

from __future__ import annotations

from typing import assert_type

from stepup import (
    Action,
    Actor,
    AsyncStepUp,
    Authorization,
    Challenge,
    Context,
    Decision,
    Event,
    Factor,
    Grant,
    Item,
    MoreNeeded,
    Policy,
    Prompt,
    Rejected,
    Resource,
    Risk,
    StepUp,
    Verified,
    all_of,
    any_of,
    method,
)
from stepup.changes import Page
from stepup.mailers import Outbox
from stepup.stores.memory import AsyncMemoryStore, MemoryStore
from stepup.testing import FrozenClock, grant, grant_async, grant_bundle, grant_bundle_async
from stepup.verifiers import TOTP, EmailCode, Password, RecoveryCode


def right(actor: Actor, password: str) -> bool:
    return password == actor.id


async def right_async(actor: Actor, password: str) -> bool:
    return password == actor.id


ACTIONS = [
    Action("a", "A", risk=Risk.CRITICAL),
    Action("b", "B", risk=2, methods=("passkey", all_of("password", method("totp", max_age=60)))),
    Action("c", "C", methods="totp", policy=Policy(methods=any_of("totp", "password"), block_session_risk=["high"])),
]


def sync_face(context: Context, resource: Resource) -> None:
    gate = StepUp(
        actions=ACTIONS,
        verifiers=[Password(check=right), TOTP(), EmailCode(mailer=Outbox()), RecoveryCode()],
        store=MemoryStore(),
        secret=[b"current", "old"],
        clock=FrozenClock(),
    )

    def organization(name: str) -> Resource:
        return Resource("organization", name)

    @gate.guard("a", context=context, resource=organization)
    def guarded(name: str, *, force: bool = False) -> int:
        return len(name) + force

    assert_type(guarded("x", force=True), int)
    assert_type(gate.check("a", context, resource=resource), Decision)
    assert_type(gate.require("a", context, params={"amount": 1}), Authorization)
    assert_type(gate.start("a", context), Challenge)
    assert_type(gate.begin("id", "email_code", context), Prompt)
    assert_type(gate.verify("id", "totp", "123 456", context), Verified | MoreNeeded | Rejected)
    assert_type(gate.grants(context), tuple[Grant, ...])
    assert_type(gate.events(context.actor), Page[Event])
    assert_type(gate.factors.list(context), tuple[Factor, ...])
    assert_type(gate.factors.confirm_totp(context, "id", "123456"), Factor | Rejected)
    assert_type(grant(gate, "a", context, uses=2), str)
    assert_type(grant_bundle(gate, [Item("a")], context), str)


async def async_face(context: Context) -> None:
    gate = AsyncStepUp(
        actions=ACTIONS,
        verifiers=[Password(check=right_async), TOTP()],
        store=AsyncMemoryStore(),
        secret=b"current",
    )

    @gate.guard("a", context=context)
    async def guarded(name: str) -> int:
        return len(name)

    assert_type(await guarded("x"), int)
    assert_type(await gate.require("a", context), Authorization)
    assert_type(await gate.verify("id", "totp", "1", context, rotate=lambda: "new"), Verified | MoreNeeded | Rejected)
    assert_type(await gate.events(context.actor), Page[Event])
    assert_type(await grant_async(gate, "a", context, uses=2), str)
    assert_type(await grant_bundle_async(gate, [Item("a")], context), str)
