"""Two calls about one request at the same moment: one serial outcome, on every store, on both faces.

Each race is run in several rounds, and each time the calls meet before their first write: all have read the same
records and decided on them. What is asserted are the outcomes that one after the other could have, in either order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from approval_world import ACCOUNT, ACTIONS, INES, MARCUS, PARAMS, ROLES, World, every_store, who

from stepup import Challenge, Code, Denied, Rejected, Verified
from stepup.approval import ApprovalRequest, Approvers, Standing
from stepup.challenge import State
from stepup.event import EventType

ROUNDS = 4
pytestmark = [every_store, pytest.mark.requirement("X-12", "P-04")]


def rounds(world: World, action: str) -> Any:
    """A new request for each round, of somebody new, so that no limit is met."""
    for number in range(ROUNDS):
        me = who(f"person{number}")
        challenge, request = world.ask(action, me)
        yield me, challenge, request


def approving(request: str, context: Any = INES) -> Callable[[Any], Any]:
    return lambda gate: gate.approvals.approve(request, context)


def denying(request: str) -> Callable[[Any], Any]:
    return lambda gate: gate.approvals.deny(request, MARCUS)


def collecting(challenge: Challenge, me: Any) -> Callable[[Any], Any]:
    return lambda gate: gate.verify(challenge.id, "approval", None, me)


def state(world: World, challenge: Challenge, me: Any) -> State:
    found = world.gate.challenge(challenge.id, me)
    assert found is not None
    return found.state


def kinds(world: World, me: Any) -> list[EventType]:
    return [event.type for event in world.events(me.actor)]


def test_two_approvers_at_once(world: World) -> None:
    """Both count, each once, and it is ready after the second whichever that was."""
    for me, challenge, request in rounds(world, "payout.two"):
        found = world.race(approving(request), approving(request, MARCUS))

        assert {type(one) for one in found} == {ApprovalRequest}
        assert sorted(one.standing for one in found) == [Standing.PENDING, Standing.READY]
        assert kinds(world, me).count(EventType.APPROVAL_GIVEN) == 2
        done = world.collect(challenge, me)
        assert isinstance(done, Verified)


def test_two_approvers_of_one_device_at_once(world: World) -> None:
    """Both have seen nobody else's answer: the second to write is judged again, by what the first has written."""
    for me, challenge, request in rounds(world, "payout.two"):
        found = world.race(approving(request), approving(request, who("marcus", device=INES.device)))

        assert sorted(type(one).__name__ for one in found) == ["ApprovalRequest", "Denied"]
        assert kinds(world, me).count(EventType.APPROVAL_GIVEN) == 1
        assert world.collect(challenge, me).code is Code.APPROVAL_PENDING


def test_one_approver_twice_at_once(world: World) -> None:
    """From two browsers: one person counts once."""
    for me, challenge, request in rounds(world, "payout.two"):
        world.race(approving(request), approving(request, who("ines", 2)))

        assert kinds(world, me).count(EventType.APPROVAL_GIVEN) == 1
        assert world.collect(challenge, me).code is Code.APPROVAL_PENDING


def test_approving_against_denying(world: World) -> None:
    """It ends denied; the approval was before that, or is refused."""
    for me, challenge, request in rounds(world, "payout.plain"):
        approved, denied = world.race(approving(request), denying(request))

        assert isinstance(denied, ApprovalRequest)
        assert state(world, challenge, me) is State.DENIED
        given = kinds(world, me).count(EventType.APPROVAL_GIVEN)
        assert given == (0 if isinstance(approved, Denied) else 1)
        assert world.collect(challenge, me).code is Code.APPROVAL_DENIED


def test_approving_against_withdrawing(world: World) -> None:
    """It ends withdrawn, and nothing is left to collect."""
    for me, challenge, request in rounds(world, "payout.plain"):

        def withdrawing(gate: Any, request: str = request, me: Any = me) -> Any:
            return gate.approvals.withdraw(request, me)

        approved, withdrawn = world.race(approving(request), withdrawing)

        assert withdrawn is True
        assert state(world, challenge, me) is State.CANCELLED
        assert kinds(world, me).count(EventType.APPROVAL_GIVEN) == (0 if isinstance(approved, Denied) else 1)
        assert isinstance(world.collect(challenge, me), Rejected)


def test_approving_against_an_edit(world: World) -> None:
    """The rules change and the call is started anew: what is approved is the old request, which opens nothing."""
    changed = [
        replace(one, approvers=Approvers("finance", quorum=2, step_up=False)) if one.id == "payout.plain" else one
        for one in ACTIONS
    ]
    later = world.made(actions=changed)
    for me, challenge, request in rounds(world, "payout.plain"):

        def editing(_: Any, me: Any = me) -> Any:
            return later.start("payout.plain", me, resource=ACCOUNT, params=PARAMS)

        approved, edited = world.race(approving(request), editing)

        assert isinstance(edited, Challenge)
        assert edited.id != challenge.id
        assert state(world, challenge, me) is State.SUPERSEDED
        assert kinds(world, me).count(EventType.APPROVAL_GIVEN) == (0 if isinstance(approved, Denied) else 1)
        assert world.collect(challenge, me).code is Code.CHALLENGE_CLOSED
        assert edited.asked is None


def test_approving_against_the_end_of_its_time(world: World) -> None:
    """Decided a moment before its end and written a moment after: approved in time, or expired and refused."""
    for me, challenge, request in rounds(world, "payout.plain"):
        world.clock.advance(24 * 3600 - 1)

        def late(gate: Any, challenge: Challenge = challenge, me: Any = me) -> Any:
            world.clock.advance(2)
            return gate.verify(challenge.id, "approval", None, me)

        approved, collected = world.race(approving(request), late)

        assert isinstance(collected, Rejected)
        assert collected.code is Code.CHALLENGE_EXPIRED
        assert kinds(world, me).count(EventType.APPROVAL_GIVEN) == (0 if isinstance(approved, Denied) else 1)
        assert kinds(world, me).count(EventType.APPROVAL_EXPIRED) == 1
        assert world.collect(challenge, me).code is Code.CHALLENGE_EXPIRED


def test_collecting_against_an_approver_being_signed_out(world: World) -> None:
    """Collected before it, or not at all, or taken back in the same call; after it has returned, never."""
    for me, challenge, request in rounds(world, "payout.plain"):
        world.gate.approvals.approve(request, INES)

        collected, revoked = world.race(
            collecting(challenge, me),
            lambda gate: gate.revoke(INES, everything=True),
        )

        assert revoked is True
        if isinstance(collected, Verified):
            assert state(world, challenge, me) is State.VERIFIED
        elif collected.code is Code.CHALLENGE_CLOSED:
            assert state(world, challenge, me) is State.VERIFIED
            assert world.gate.grants(me) == ()
        else:
            assert world.collect(challenge, me).code is Code.APPROVAL_PENDING


def test_approving_against_being_signed_out(world: World) -> None:
    """Whichever is first: what was said before everything ended does not count."""
    world.gate.start("key.rotate", INES)
    for me, challenge, request in rounds(world, "payout.plain"):
        approved, revoked = world.race(approving(request), lambda gate: gate.revoke(INES, everything=True))

        assert isinstance(approved, ApprovalRequest)
        assert revoked is True
        assert world.collect(challenge, me).code is Code.APPROVAL_PENDING


def test_the_first_thing_kept_of_an_approver_is_what_they_say(world: World) -> None:
    """Nothing is known of them yet: said before everything ended, it does not count; said after it, it does."""
    for number, (me, challenge, request) in enumerate(rounds(world, "payout.plain")):
        new = who(f"new{number}")
        ROLES[new.actor.id] = ("finance",)

        def ending(gate: Any, new: Any = new) -> Any:
            return gate.revoke(new, everything=True)

        approved, revoked = world.race(approving(request, new), ending)

        assert isinstance(approved, ApprovalRequest)
        assert revoked is True
        after = world.gate.approvals.get(challenge.id, me)
        assert after is not None
        collected = world.collect(challenge, me)
        assert isinstance(collected, Verified) is (after.standing is Standing.READY)
        world.gate.revoke(new, everything=True)
        assert isinstance(world.collect(challenge, me), Rejected)


def test_approving_against_the_requester_being_signed_out(world: World) -> None:
    """Nothing is left to collect, and the approval was before that, or is refused."""
    for me, challenge, request in rounds(world, "payout.plain"):

        def signing_out(gate: Any, me: Any = me) -> Any:
            return gate.revoke(me, session=True)

        approved, revoked = world.race(approving(request), signing_out)

        assert revoked is True
        assert kinds(world, me).count(EventType.APPROVAL_GIVEN) == (0 if isinstance(approved, Denied) else 1)
        assert world.collect(challenge, me).code is Code.CHALLENGE_CLOSED


def test_collecting_twice_at_once(world: World) -> None:
    """One grant."""
    for me, challenge, request in rounds(world, "payout.plain"):
        world.gate.approvals.approve(request, INES)

        found = world.race(collecting(challenge, me), collecting(challenge, me))

        assert sorted(type(one).__name__ for one in found) == ["Rejected", "Verified"]
        assert len(world.gate.grants(me)) == 1
        assert sum(event.grant_id is not None for event in world.events(me.actor)) == 1


def test_collecting_against_denying(world: World) -> None:
    """Collected, and then there is nothing to deny; or denied, and there is nothing to collect."""
    for me, challenge, request in rounds(world, "payout.plain"):
        world.gate.approvals.approve(request, INES)

        collected, denied = world.race(
            collecting(challenge, me),
            denying(request),
        )

        if isinstance(collected, Verified):
            assert isinstance(denied, Denied)
            assert denied.code == "challenge_closed"
        else:
            assert isinstance(denied, ApprovalRequest)
            assert collected.code is Code.APPROVAL_DENIED
            assert world.gate.grants(me) == ()


def test_asking_twice_at_once(world: World) -> None:
    """Two tabs: one request, counted and told once."""
    for number in range(ROUNDS):
        me = who(f"other{number}")
        challenge = world.gate.start("payout.plain", me, resource=ACCOUNT, params=PARAMS)

        def asking(gate: Any, challenge: Challenge = challenge, me: Any = me) -> Any:
            return gate.begin(challenge.id, "approval", me)

        found = world.race(asking, asking)

        assert [one.method for one in found] == ["approval", "approval"]
        assert kinds(world, me).count(EventType.APPROVAL_REQUESTED) == 1
        assert len(world.told) == number + 1


def test_the_same_quorum_is_never_reached_by_losing_votes(world: World) -> None:
    """An approver who is signed out while another approves leaves one approval, which is not two."""
    for me, challenge, request in rounds(world, "payout.two"):
        world.gate.approvals.approve(request, INES)

        world.race(approving(request, MARCUS), lambda gate: gate.revoke(INES, everything=True))

        assert world.collect(challenge, me).code is Code.APPROVAL_PENDING
        seen = world.gate.approvals.get(challenge.id, me)
        assert seen is not None
        assert seen.given == ("usr_marcus",)
