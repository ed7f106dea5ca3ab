"""Where a call comes in, and for whom it is made, on every database: what is refused, and what the audit keeps."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from within_world import ACCOUNT, CONTEXT, SECRET

from sql_backends import Backend, every_async, every_sync, opened, opened_async
from stepup import Action, Actor, AsyncStepUp, Context, Denied, Event, Policy, StepUp, StepUpRequired, Surface, Verified
from stepup.testing import FrozenClock, ScriptedVerifier

BY_PASSWORD = Policy(methods="password", uses=1)
ACTIONS = (
    Action("key.rotate", "Rotate the key", risk=3, policy=BY_PASSWORD),
    Action("key.watched", "Rotate it from a job", risk=3, policy=BY_PASSWORD, surfaces={"job": "ask"}),
    Action("vault.open", "Open the vault", risk=4, policy=replace(BY_PASSWORD, token_required=True)),
)
JOB = replace(CONTEXT, surface=Surface.JOB)
BEHALF = replace(CONTEXT, actor=replace(CONTEXT.actor, on_behalf_of="usr_7"))


def settings(store: Any) -> dict[str, Any]:
    verifiers = [ScriptedVerifier("password")]
    return {"actions": ACTIONS, "verifiers": verifiers, "store": store, "secret": SECRET, "clock": FrozenClock()}


def told(events: tuple[Event, ...]) -> list[tuple[str | None, str | None, object]]:
    """Action, on whose behalf, and where it came in, of the answers that were right; oldest first."""
    right = [one for one in reversed(events) if one.type.value == "attempt" and one.result == "ok"]
    return [(one.action, one.on_behalf_of, one.detail.get("surface")) for one in right]


@every_sync
def test_surfaces_and_impersonation(backend: Backend, tmp_path: Path) -> None:
    """A job is refused, proof in hand or not; whoever acts for somebody proves it, opens nothing of theirs, and stands
    in the audit with both names.
    """
    with opened(backend, tmp_path) as store:
        gate = StepUp(**settings(store))

        def proved(action: str, context: Context) -> Verified:
            challenge = gate.start(action, context, resource=ACCOUNT)
            done = gate.verify(challenge.id, "password", "right", context)
            assert isinstance(done, Verified)
            return done

        token = proved("key.rotate", CONTEXT).token
        with pytest.raises(Denied, match=r"key\.rotate"):
            gate.require("key.rotate", JOB, resource=ACCOUNT, token=token)
        gate.require("key.rotate", CONTEXT, resource=ACCOUNT, token=token)
        gate.require("key.watched", JOB, resource=ACCOUNT, token=proved("key.watched", JOB).token)
        acting = proved("key.rotate", BEHALF).token
        for other in (CONTEXT, replace(CONTEXT, actor=Actor("usr_7"))):
            with pytest.raises(StepUpRequired):
                gate.require("key.rotate", other, resource=ACCOUNT, token=acting)
        gate.require("key.rotate", BEHALF, resource=ACCOUNT, token=acting)
        with pytest.raises(Denied, match=r"vault\.open"):
            gate.require("vault.open", BEHALF, resource=ACCOUNT)
        assert told(gate.events(CONTEXT.actor).items) == [
            ("key.rotate", None, None), ("key.watched", None, "job"), ("key.rotate", "usr_7", None),
        ]  # fmt: skip


@every_async
def test_surfaces_and_impersonation_on_the_async_face(backend: Backend, tmp_path: Path) -> None:
    """The same rules, awaited."""

    async def run() -> None:
        async with opened_async(backend, tmp_path) as store:
            gate = AsyncStepUp(**settings(store))
            challenge = await gate.start("key.rotate", BEHALF, resource=ACCOUNT)
            done = await gate.verify(challenge.id, "password", "right", BEHALF)
            assert isinstance(done, Verified)
            for refused in (JOB, replace(BEHALF, surface=Surface.API_KEY)):
                with pytest.raises(Denied):
                    await gate.require("key.rotate", refused, resource=ACCOUNT, token=done.token)
            with pytest.raises(StepUpRequired):
                await gate.require("key.rotate", CONTEXT, resource=ACCOUNT, token=done.token)
            await gate.require("key.rotate", BEHALF, resource=ACCOUNT, token=done.token)
            assert told((await gate.events(CONTEXT.actor)).items) == [("key.rotate", "usr_7", None)]

    asyncio.run(run())
