"""``grant`` and ``grant_bundle``: real tokens for an application's tests, on both faces, bound like any other."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from stepup import (
    Action,
    Actor,
    AsyncStepUp,
    ConfigurationError,
    Context,
    Denied,
    Item,
    Policy,
    Resource,
    RiskAssessment,
    RiskLevel,
    Session,
    StepUp,
    StepUpRequired,
    all_of,
)
from stepup.errors import InvalidInput
from stepup.stores.memory import AsyncMemoryStore, MemoryStore
from stepup.testing import FrozenClock, ScriptedVerifier, grant, grant_async, grant_bundle, grant_bundle_async

CONTEXT = Context(Actor("usr_2048"), Session("the session id"))
BLOCKED = frozenset({RiskLevel.HIGH, RiskLevel.UNKNOWN})
ACTIONS = (
    Action("invoice.pay", "Pay invoice", risk=4),
    Action("member.invite", "Invite", policy=Policy(uses=25)),
    Action("key.rotate", "Rotate", policy=Policy(methods=all_of("password", "badge"), block_session_risk=BLOCKED)),
)
ITEMS = (
    Item("invoice.pay", Resource("invoice", "inv_1"), {"amount": "1 EUR"}),
    Item("key.rotate", Resource("key", "k_1")),
)
faces = pytest.mark.parametrize("face", ["sync", "async"])


class Face:
    """A gate and the helpers of its colour, each call run to its end."""

    def __init__(self, face: str) -> None:
        kind: Any = StepUp if face == "sync" else AsyncStepUp
        self.gate: Any = kind(
            actions=ACTIONS,
            verifiers=[ScriptedVerifier("password"), ScriptedVerifier("badge")],
            store=MemoryStore() if face == "sync" else AsyncMemoryStore(),
            secret="a secret of the tests, never a real one: 0123456789",
            clock=FrozenClock(),
            risk=lambda context, action: RiskAssessment(),
        )
        self.grant: Any = grant if face == "sync" else grant_async
        self.grant_bundle: Any = grant_bundle if face == "sync" else grant_bundle_async

    def __call__(self, made: Any) -> Any:
        async def awaited() -> Any:
            return await made

        return asyncio.run(awaited()) if inspect.isawaitable(made) else made


@faces
def test_a_number_of_uses_is_asked_for_and_bounded(face: str) -> None:
    """As many as were asked for pass, and the policy's number at most."""
    here = Face(face)
    token = here(here.grant(here.gate, "member.invite", CONTEXT, uses=2))
    left = [here(here.gate.require("member.invite", CONTEXT, token=token)).remaining for _ in range(2)]

    assert left == [1, 0]
    with pytest.raises(StepUpRequired):
        here(here.gate.require("member.invite", CONTEXT, token=token))
    many = here(here.grant(here.gate, "member.invite", CONTEXT, uses=1000))
    assert here(here.gate.require("member.invite", CONTEXT, token=many)).remaining == 24
    with pytest.raises(InvalidInput):
        here(here.grant(here.gate, "member.invite", CONTEXT, uses=0))


@faces
def test_a_bundle_is_granted_without_a_person(face: str) -> None:
    """Every item once, nothing beside them, whatever all of them ask for."""
    here = Face(face)
    token = here(here.grant_bundle(here.gate, ITEMS, CONTEXT))

    assert here(here.gate.check_bundle(ITEMS, CONTEXT, token=token)).allowed
    with pytest.raises(StepUpRequired):
        here(here.gate.require("invoice.pay", CONTEXT, resource=Resource("invoice", "inv_2"), token=token))
    assert len(here(here.gate.require_bundle(ITEMS, CONTEXT, token=token))) == 2
    with pytest.raises(StepUpRequired):
        here(here.gate.require_bundle(ITEMS, CONTEXT, token=token))


@faces
def test_what_no_proof_would_open_is_not_granted(face: str) -> None:
    """The risk of one item blocks all; and what is no bundle is a mistake."""
    here = Face(face)
    risky = Context(CONTEXT.actor, CONTEXT.session, risk=RiskAssessment(90, RiskLevel.HIGH))

    with pytest.raises(Denied):
        here(here.grant_bundle(here.gate, ITEMS, risky))
    with pytest.raises(InvalidInput):
        here(here.grant_bundle(here.gate, (ITEMS[0], ITEMS[0]), CONTEXT))


def test_the_wrong_colour_is_told() -> None:
    """With what to write instead."""
    gate = Face("async").gate
    with pytest.raises(ConfigurationError, match="grant_bundle_async"):
        grant_bundle(gate, ITEMS, CONTEXT)
    with pytest.raises(ConfigurationError, match="grant_async"):
        grant(gate, "member.invite", CONTEXT)


def test_the_fixtures_are_the_helpers(stepup_grant: Any, stepup_bundle: Any) -> None:
    """Found by themselves."""
    assert (stepup_grant, stepup_bundle) == (grant, grant_bundle)
