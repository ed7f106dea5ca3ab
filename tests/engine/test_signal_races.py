"""A signal at the last moment: right before the batch that would have opened, spent or enrolled something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from engine_bench import (
    ACTOR,
    ORG,
    PASSWORD,
    Counting,
    World,
    both_faces,
    code,
    context,
    enrolled_totp,
    outcome,
    real_world,
    world,
)

from stepup import Denied, Resource, Signal, Verified
from stepup.changes import Applied, Changes, Lost, Partition
from stepup.decide.enrol import ADD, REMOVE
from stepup.decide.signal import TABLE
from stepup.event import EventType

pytestmark = both_faces
HERE = context("sess_1", age=60)
ENDING = [signal for signal, row in TABLE.items() if row.challenges_here.value == "ends"]


class Late(Counting):
    """A store in which something else is written right before the batch that has an event of the kind waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[tuple[EventType, str], Callable[[], object]] = {}

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        for made in changes.events:
            first = self.before.pop((made.type, made.result), None)
            if first is not None:
                first()
        return super().apply(partition, changes)


def other(here: World, face: str) -> Any:
    """A gate of another process: the same store and keys, called inside a call of the first."""
    if face == "sync":
        return here.gate
    return world(store=here.store.inner, clock=here.clock).gate


def late(here: World, face: str, kind: EventType, result: str, signal: Signal) -> None:
    """Let *signal* come right before the batch with an event of that kind and result."""
    moved = "sess_new" if signal is Signal.SESSION_ROTATED else None
    assert isinstance(here.store, Late)
    gate = other(here, face)
    here.store.before[(kind, result)] = lambda: gate.signal(HERE, signal, moved_to=moved)


def came(here: World) -> bool:
    """Whether the batch was met that the signal waited for."""
    return isinstance(here.store, Late) and here.store.before == {}


@pytest.mark.requirement("G-02", "X-05")
@pytest.mark.parametrize("signal", ENDING)
def test_nothing_is_minted_after_a_signal(face: str, signal: Signal) -> None:
    """The proof was right, and its batch came after: no grant, no device, no shelf."""
    here = world(face=face, store=Late())
    challenge = here.start("member.role", HERE)
    late(here, face, EventType.ATTEMPT, "ok", signal)

    found = here.gate.verify(challenge.id, "passkey", "touch", HERE, remember=True)

    assert not isinstance(found, Verified)
    for who in (HERE, context("sess_new", age=3600)):
        assert here.gate.grants(who) == ()
        assert not here.gate.check("member.role", who, resource=ORG).allowed
    assert EventType.DEVICE_REMEMBERED not in {one.type for one in here.events()}


@pytest.mark.parametrize("signal", ENDING)
@pytest.mark.parametrize("action", ["org.delete", "member.role", "batch.run"])
def test_nothing_is_redeemed_after_a_signal(face: str, action: str, signal: Signal) -> None:
    """A token of one use, of many, and of a counted number."""
    here = world(face=face, store=Late())
    token = here.prove(action, HERE).token
    late(here, face, EventType.AUTHORIZATION, "ok", signal)

    assert not here.allows(action, HERE, token)
    assert came(here)


@pytest.mark.requirement("X-07")
@pytest.mark.parametrize("signal", ENDING)
def test_no_factor_is_enrolled_after_a_signal(face: str, signal: Signal) -> None:
    """The code was right, and the session in which it was asked for has ended meanwhile."""
    here = real_world(face, store=Late())
    here.prove(ADD, HERE, "password", PASSWORD, resource=Resource("factors", ACTOR.id), params={"method": "totp"})
    made = here.gate.factors.enrol_totp(HERE)
    late(here, face, EventType.FACTOR_ENROLLED, "ok", signal)

    found = outcome(lambda: here.gate.factors.confirm_totp(HERE, made.factor_id, code(made.secret, here.now)))

    assert came(here)
    assert not found
    assert [one for one in here.gate.factors.list(HERE) if one.method == "totp"] == []


@pytest.mark.parametrize("signal", ENDING)
def test_no_enrolment_begins_after_a_signal(face: str, signal: Signal) -> None:
    """What was permitted before it is not begun after it; or what was begun cannot be confirmed."""
    here = real_world(face, store=Late())
    here.prove(ADD, HERE, "password", PASSWORD, resource=Resource("factors", ACTOR.id), params={"method": "totp"})
    late(here, face, EventType.FACTOR_ENROLMENT_STARTED, "ok", signal)

    made = outcome(lambda: here.gate.factors.enrol_totp(HERE))

    assert came(here)
    if hasattr(made, "secret"):
        here.gate.factors.confirm_totp(HERE, made.factor_id, code(made.secret, here.now))
    assert [one for one in here.gate.factors.list(HERE) if one.method == "totp"] == []


@pytest.mark.parametrize("signal", ENDING)
def test_no_recovery_codes_are_made_and_no_factor_is_removed_after_a_signal(face: str, signal: Signal) -> None:
    """Both were permitted before it, in the session that has ended."""
    here = real_world(face, store=Late())
    secret = enrolled_totp(here, HERE)
    mine = Resource("factors", ACTOR.id)
    here.prove(ADD, HERE, "totp", code(secret, here.now), resource=mine, params={"method": "recovery_code"})
    late(here, face, EventType.FACTOR_ENROLLED, "ok", signal)
    assert isinstance(outcome(lambda: here.gate.factors.new_recovery_codes(HERE)), Denied)

    here.gate.enable(ACTOR)
    fresh = context("sess_5", age=60)
    here.clock.advance(60)
    held = next(one.id for one in here.gate.factors.list(fresh) if one.method == "totp")
    assert [one.method for one in here.gate.factors.list(fresh) if one.method == "recovery_code"] == []
    here.prove(REMOVE, HERE, "totp", code(secret, here.now), resource=Resource("factor", held))
    late(here, face, EventType.FACTOR_REMOVED, "ok", signal)
    assert not outcome(lambda: here.gate.factors.remove(HERE, held))
    assert held in {one.id for one in here.gate.factors.list(fresh)}
    assert came(here)
