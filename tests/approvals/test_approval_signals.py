"""What becomes of requests for approval when the application tells what has happened to their requester."""

from __future__ import annotations

from dataclasses import replace

import pytest
from approval_world import ACCOUNT, ACTIONS, INES, ME, PARAMS, World, both_faces, every_store

from stepup import Action, Context, Device, Session, all_of
from stepup.approval import Approvers, Standing
from stepup.decide.answering import MoreNeeded, Rejected, Verified
from stepup.decide.signal import TABLE, Fate, Signal
from stepup.errors import Code, Denied
from stepup.event import EventType
from stepup.risk import Signals

BOTH = Action(
    "payout.both", "Send a proved payout", methods=all_of("passkey", "approval"),
    approvers=Approvers("finance", step_up=False),
)  # fmt: skip
ELSEWHERE = replace(ME, session=Session("sess_elsewhere", ME.session.authenticated_at if ME.session else None))


def fate(world: World, challenge_id: str, request: str) -> Fate:
    """What has become of a request that was made in the session of ``ME``."""
    shown = world.gate.approvals.get(request, ME)
    if shown is None or shown.standing not in {Standing.PENDING, Standing.READY}:
        return Fate.ENDS
    here = world.gate.challenge(challenge_id, ME)
    return Fate.STAYS if here is not None else Fate.MOVES


@both_faces
@pytest.mark.parametrize("signal", TABLE)
def test_a_signal_does_to_requests_what_its_row_says(world: World, signal: Signal) -> None:
    """Told of the session it was asked in, and of another."""
    row = TABLE[signal]
    moved = "sess_new" if signal is Signal.SESSION_ROTATED else None
    challenge, request = world.ask()
    world.gate.signal(ELSEWHERE, signal, moved_to=moved and f"{moved}_2")
    assert fate(world, challenge.id, request) is row.approvals_elsewhere
    if row.approvals_elsewhere is Fate.ENDS:
        return
    world.gate.signal(ME, signal, moved_to=moved)
    assert fate(world, challenge.id, request) is row.approvals_here


@every_store
def test_somebody_who_was_disabled_approves_nothing(world: World) -> None:
    """Nor counts what they approved before; enabled again, they start anew."""
    challenge, request = world.ask("payout.plain")
    world.gate.approvals.approve(request, INES)
    world.gate.signal(INES, "disabled")
    waiting = world.collect(challenge)
    assert isinstance(waiting, Rejected)
    assert waiting.code is Code.APPROVAL_PENDING
    with pytest.raises(Denied):
        world.gate.approvals.approve(request, INES)
    world.gate.enable(INES)
    world.gate.approvals.approve(request, INES)
    assert isinstance(world.collect(challenge), Verified)


@both_faces
def test_collecting_makes_a_place_known_and_renews_a_remembered_device(world: World) -> None:
    """A step-up that others complete is one like any other, to the risk and to a device that is remembered."""
    gate = world.again(risk=Signals(), actions=[*ACTIONS, BOTH])
    device = replace(ME, device=Device("fp_olivia"), ip="192.0.2.7")

    def collected(who: Context, amount: str, *, remember: bool, action: str = "payout.plain") -> Verified:
        params = {**PARAMS, "amount": amount}
        challenge = gate.start(action, who, resource=ACCOUNT, params=params)
        gate.begin(challenge.id, "approval", who)
        if action == BOTH.id:
            assert isinstance(gate.verify(challenge.id, "passkey", "touch", who), MoreNeeded)
        gate.approvals.approve(f"{challenge.id}.{world.partition(who.actor)}", INES)
        found = gate.verify(challenge.id, "approval", None, who, remember=remember)
        assert isinstance(found, Verified)
        return found

    def reasons(who: Context) -> tuple[str, ...]:
        found: tuple[str, ...] = gate.check("payout.plain", who, resource=ACCOUNT, params=PARAMS).risk.reasons
        return found

    collected(device, "0.50 EUR", remember=False)
    assert "new_device" in reasons(device)  # what others approved shows nothing of who asked
    token = collected(device, "1.00 EUR", remember=True, action=BOTH.id).device_token
    assert token is not None
    assert reasons(device) == ()
    world.clock.advance(601)
    again = collected(replace(device, device_token=token), "2.00 EUR", remember=False).device_token
    assert again not in {None, token}


@both_faces
@pytest.mark.requirement("P-15")
def test_what_others_approved_alone_remembers_no_device(world: World) -> None:
    """Nor does it make the time of one longer: whoever has the session collects it, and has proved nothing."""
    gate = world.again(actions=[*ACTIONS, BOTH])

    def approved(action: str, who: Context = ME) -> Verified:
        challenge = gate.start(action, who, resource=ACCOUNT, params=PARAMS)
        gate.begin(challenge.id, "approval", who)
        gate.approvals.approve(f"{challenge.id}.{world.partition(who.actor)}", INES)
        if action == BOTH.id:
            gate.verify(challenge.id, "passkey", "touch", who)
        found = gate.verify(challenge.id, "approval", None, who, remember=True)
        assert isinstance(found, Verified)
        return found

    assert approved("payout.plain").device_token is None
    assert EventType.DEVICE_REMEMBERED not in [one.type for one in world.events()]
    both = approved(BOTH.id)
    assert both.device_token is not None
    world.clock.advance(601)
    renewed = approved("payout.plain", replace(ME, device_token=both.device_token))
    assert renewed.device_expires_at == both.device_expires_at
