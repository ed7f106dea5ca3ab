"""Approval by a second person through the public gate: asked, answered, collected; on every store, on both faces."""

from __future__ import annotations

import functools
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from approval_world import (
    ACCOUNT,
    ACTIONS,
    INES,
    MARCUS,
    ME,
    MEMORY,
    OLIVIA,
    PARAMS,
    ROLES,
    TOM,
    World,
    both_faces,
    every_store,
    opened_world,
    outcome,
    who,
)

from stepup import (
    Action,
    Actor,
    Challenge,
    Code,
    Denied,
    Device,
    Factor,
    MoreNeeded,
    Proof,
    Rejected,
    Resource,
    Session,
    StepUpRequired,
    Surface,
    Verified,
    all_of,
)
from stepup.approval import Approvers, Choice, Standing
from stepup.challenge import State
from stepup.errors import InvalidInput
from stepup.event import EventType
from stepup.testing import ScriptedVerifier

HOUR = timedelta(hours=1)


def code_of(call: Any) -> str:
    """The code that *call* was refused with."""
    found = outcome(call)
    assert isinstance(found, Denied), found
    return found.code


# -- the whole way -------------------------------------------------------------------


@every_store
@pytest.mark.requirement("P-04")
def test_the_whole_way(world: World) -> None:
    """Asked, seen in the inbox with the same words and digest, approved under a step-up, collected, spent once."""
    challenge, request = world.ask("payout.create")
    (seen,) = world.inbox(INES)
    assert (seen.id, seen.standing, seen.requester) == (request, Standing.PENDING, OLIVIA.id)
    assert (seen.label, seen.resource_label, seen.shown) == (challenge.label, "Northstar payroll", challenge.shown)
    assert (seen.params_digest, seen.digest) == (challenge.binding.params, challenge.binding.digest.hex())

    needed = outcome(lambda: world.gate.approvals.approve(request, INES))
    assert isinstance(needed, StepUpRequired)
    own = world.gate.start_offer(needed.offer, INES)
    assert ("amount", "9000.00 EUR") in own.shown
    assert ("Requested by", OLIVIA.id) in own.shown
    step = world.gate.verify(own.id, "passkey", "touch", INES)
    assert isinstance(step, Verified)
    assert world.gate.approvals.approve(request, INES, token=step.token).standing is Standing.READY
    assert world.inbox(INES)[0].given == ("usr_ines",), "it stays listed until it is collected"

    assert isinstance(world.gate.verify(challenge.id, "passkey", "touch", ME), MoreNeeded)
    done = world.collect(challenge)
    assert isinstance(done, Verified)
    assert [proof.method for proof in done.grant.proofs] == ["passkey", "approval"]
    assert done.grant.amr == ("hwk",), "what somebody else says makes nobody's proof multi-factor"
    assert world.opens(done, "payout.create")
    assert not world.opens(done, "payout.create")
    assert world.inbox(INES) == []
    assert isinstance(outcome(lambda: world.collect(challenge)), Rejected)


@both_faces
@pytest.mark.requirement("P-04")
def test_who_did_what_and_why_is_in_the_audit(world: World) -> None:
    """The requester's trail names the approver, the digest and the reasons; the approver's has their step-up."""
    challenge, request = world.ask("payout.plain")
    world.gate.approvals.approve(request, INES, reason="Invoice 4411 checked")
    world.collect(challenge)

    events = {event.type: event for event in world.events()}
    asked, given = events[EventType.APPROVAL_REQUESTED], events[EventType.APPROVAL_GIVEN]
    assert (asked.actor, asked.detail["who"], asked.detail["quorum"]) == (OLIVIA.id, "finance", 1)
    assert (given.actor, given.ip, given.challenge_id) == ("usr_ines", INES.ip, challenge.id)
    assert given.detail["reason"] == "Invoice 4411 checked"
    assert given.detail["digest"] == challenge.binding.digest.hex()
    minted = next(event for event in world.events() if event.grant_id is not None)
    assert (minted.method, minted.detail["approved_by"]) == ("approval", "usr_ines")


@every_store
def test_a_denial_ends_it_and_says_why(world: World) -> None:
    """Whatever others have said: the requester learns the reason, and nothing can be collected any more."""
    challenge, request = world.ask("payout.two")
    world.gate.approvals.approve(request, INES)
    seen = world.gate.approvals.deny(request, MARCUS, reason="Wrong payee")
    assert (seen.standing, seen.denied_by, seen.denial) == (Standing.DENIED, "usr_marcus", "Wrong payee")

    assert world.collect(challenge).code is Code.APPROVAL_DENIED
    found = world.gate.challenge(challenge.id, ME)
    assert found is not None
    assert found.state is State.DENIED
    mine = world.gate.approvals.get(challenge.id, ME)
    assert mine is not None
    assert mine.denial == "Wrong payee"
    assert code_of(lambda: world.gate.approvals.approve(request, INES)) == "approval_denied"
    assert code_of(lambda: world.gate.begin(challenge.id, "approval", ME)) == "approval_denied"
    assert world.inbox(INES) == []
    assert world.types()[-3:] == ["approval_denied", "attempt", "code_refused"]


# -- quorum and separation of duties -----------------------------------------------------


@every_store
@pytest.mark.requirement("P-04")
def test_a_quorum_is_of_different_people(world: World) -> None:
    """One person counts once, from whatever session; two are needed, and the second makes it ready."""
    challenge, request = world.ask("payout.two")
    for session in (1, 2):
        seen = world.gate.approvals.approve(request, who("ines", session))
        assert (seen.standing, seen.given) == (Standing.PENDING, ("usr_ines",))
    assert world.types().count("approval_given") == 1
    assert world.collect(challenge).code is Code.APPROVAL_PENDING
    assert world.gate.approvals.approve(request, MARCUS).standing is Standing.READY
    assert isinstance(world.collect(challenge), Verified)


SAME_SESSION = who("ines", session=ME.session)
SAME_DEVICE = who("ines", device=ME.device)
REFUSED = {
    "oneself": (ME, "own_request"),
    "oneself elsewhere": (who("olivia", 2, device=Device("another")), "own_request"),
    "for somebody else": (who("ines", actor=Actor("usr_ines", on_behalf_of="usr_tom")), "impersonating"),
    "the same session": (SAME_SESSION, "same_session"),
    "the same device": (SAME_DEVICE, "same_device"),
    "another tenant": (who("ines", actor=Actor("usr_ines", tenant="acme")), "other_tenant"),
    "another organization": (who("ines", organization="org_8"), "other_organization"),
    "no organization": (who("ines", organization=None), "other_organization"),
    "no role": (who("zoe"), "not_entitled"),
    "another role": (TOM, "not_entitled"),
}


@both_faces
@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.requirement("P-04")
def test_whoever_may_not_sees_nothing(world: World, name: str) -> None:
    """The same answer as for a request that never was; the audit of the one who tried has the reason."""
    context, reason = REFUSED[name]
    challenge, request = world.ask("payout.plain")
    unknown = request.replace(challenge.id, "stepup_" + "0" * 32)

    assert world.inbox(context) == []
    if context.actor != OLIVIA:
        assert world.gate.approvals.get(request, context) is None
    for call in (world.gate.approvals.approve, world.gate.approvals.deny):
        one, two = (outcome(functools.partial(call, name, context)) for name in (request, unknown))
        assert isinstance(one, Denied)
        assert isinstance(two, Denied)
        assert (one.decision, str(one)) == (two.decision, str(two))
        assert one.code == "challenge_not_found"
    tried = [event.reason for event in world.events(context.actor) if event.type is EventType.APPROVAL_REFUSED]
    assert tried == [reason, "approval_not_found"] * 2
    told = [event for event in world.events(context.actor) if event.type is EventType.APPROVAL_REFUSED]
    assert {(event.action, event.resource_id) for event in told} == {(None, None)}, "nor does their own history say it"
    assert world.collect(challenge).code is Code.APPROVAL_PENDING


@both_faces
@pytest.mark.requirement("P-04")
def test_nobody_approves_for_whom_it_is_done(world: World) -> None:
    """Support acts for Ines: neither of them can approve."""
    support = who("tom", actor=Actor("usr_tom", on_behalf_of="usr_ines"))
    ROLES["usr_tom"] = ("finance",)
    challenge, request = world.ask("payout.plain", support)

    assert code_of(lambda: world.gate.approvals.approve(request, INES)) == "challenge_not_found"
    assert code_of(lambda: world.gate.approvals.approve(request, who("tom", 2))) == "challenge_not_found"
    assert world.gate.approvals.approve(request, MARCUS).standing is Standing.READY
    assert isinstance(world.collect(challenge, support), Verified)


@both_faces
@pytest.mark.parametrize(
    ("ip", "allowed"),
    [("203.0.113.9", True), ("192.0.2.250", False), ("2001:db8::1", True), (None, False), ("nowhere", False)],
)
def test_the_same_network_counts_where_the_policy_says_so(world: World, ip: str | None, allowed: bool) -> None:
    """/24 and /64; a network that is not known might be the same one."""
    me = replace(ME, ip="192.0.2.7")
    challenge, request = world.ask("strict", me)

    found = outcome(lambda: world.gate.approvals.approve(request, replace(INES, ip=ip)))

    assert (not isinstance(found, Denied)) is allowed
    assert isinstance(world.collect(challenge, me), Verified) is allowed


@both_faces
@pytest.mark.parametrize("shared", ["session", "device"])
def test_asking_for_another_network_keeps_session_and_device_apart(world: World, shared: str) -> None:
    """What a rule adds takes nothing away: the requester's browser approves nothing, wherever it is now."""
    challenge, request = world.ask("strict")
    elsewhere = replace(INES, ip="203.0.113.9", **{shared: getattr(ME, shared)})

    assert code_of(lambda: world.gate.approvals.approve(request, elsewhere)) == "challenge_not_found"
    assert world.collect(challenge).code is Code.APPROVAL_PENDING


@both_faces
def test_two_approvers_do_not_share_a_device(world: World) -> None:
    """Two accounts in one browser are one person, until the opposite is shown."""
    challenge, request = world.ask("payout.two")
    world.gate.approvals.approve(request, INES)

    assert code_of(lambda: world.gate.approvals.approve(request, who("marcus", device=INES.device))) == (
        "challenge_not_found"
    )
    assert world.collect(challenge).code is Code.APPROVAL_PENDING


# -- freshness, and what counts when it is collected ---------------------------------------


@every_store
def test_the_other_proofs_are_fresh_when_it_is_collected(world: World) -> None:
    """The passkey of six hours ago does not count; a new one does, and the grant lives from now on."""
    challenge, request = world.ask("payout.create")
    assert isinstance(world.gate.verify(challenge.id, "passkey", "touch", ME), MoreNeeded)
    world.clock.advance(6 * HOUR)
    step = world.gate.start_offer(_offer(world, request), INES)
    own = world.gate.verify(step.id, "passkey", "touch", INES)
    assert isinstance(own, Verified)
    world.gate.approvals.approve(request, INES, token=own.token)

    early = world.collect(challenge)
    assert isinstance(early, MoreNeeded)
    assert early.remaining == ("passkey",)
    assert isinstance(world.gate.verify(challenge.id, "passkey", "touch", ME), MoreNeeded)
    done = world.collect(challenge)
    assert isinstance(done, Verified)
    assert done.grant.issued_at == world.clock.now()
    assert {proof.at for proof in done.grant.proofs} == {world.clock.now()}


def _offer(world: World, request: str) -> str:
    needed = outcome(lambda: world.gate.approvals.approve(request, INES))
    assert isinstance(needed, StepUpRequired)
    return needed.offer


@both_faces
def test_what_was_prepared_does_not_wait_for_an_approval(world: World) -> None:
    """Options given out with the challenge end when other proofs end, however long others may take."""
    challenge, _ = world.ask("key.rotate")
    world.gate.begin(challenge.id, "passkey", ME)
    world.clock.advance(300)
    late = world.gate.verify(challenge.id, "passkey", "touch", ME)
    assert isinstance(late, Rejected)
    assert world.events()[-1].reason == "preparation_expired"

    world.gate.begin(challenge.id, "passkey", ME)
    assert isinstance(world.gate.verify(challenge.id, "passkey", "touch", ME), Verified)


@every_store
@pytest.mark.requirement("P-04")
def test_an_approver_who_was_signed_out_no_longer_counts(world: World) -> None:
    """Between the approval and its collection everything of theirs ends: they would have to say it again."""
    challenge, request = world.ask("payout.plain")
    world.gate.approvals.approve(request, INES)
    world.gate.revoke(INES, everything=True)

    assert world.collect(challenge).code is Code.APPROVAL_PENDING
    seen = world.gate.approvals.get(challenge.id, ME)
    assert seen is not None
    assert (seen.standing, seen.given) == (Standing.PENDING, ())
    assert world.gate.approvals.approve(request, who("ines", 2)).standing is Standing.READY
    assert isinstance(world.collect(challenge), Verified)


@both_faces
def test_ending_one_session_of_an_approver_leaves_what_they_said(world: World) -> None:
    """Signing out in the evening is no change of mind."""
    challenge, request = world.ask("payout.create")
    step = world.gate.start_offer(_offer(world, request), INES)
    own = world.gate.verify(step.id, "passkey", "touch", INES)
    assert isinstance(own, Verified)
    world.gate.approvals.approve(request, INES, token=own.token)
    world.gate.revoke(INES, session=True)
    world.gate.verify(challenge.id, "passkey", "touch", ME)

    assert isinstance(world.collect(challenge), Verified)


@both_faces
@pytest.mark.requirement("P-04")
def test_an_approver_who_lost_the_role_no_longer_counts(world: World) -> None:
    """Who may approve is asked again when it is collected; a hook that fails says no."""
    challenge, request = world.ask("payout.plain")
    world.gate.approvals.approve(request, INES)
    ROLES["usr_ines"] = ("staff",)
    assert world.collect(challenge).code is Code.APPROVAL_PENDING
    ROLES["usr_ines"] = ("finance",)
    assert isinstance(world.collect(challenge), Verified)


@both_faces
@pytest.mark.parametrize("answer", ["finance", None, 7, b"finance", True])
def test_roles_that_are_no_list_are_none(world: World, answer: Any) -> None:
    """What is not plainly a list of names entitles nobody."""
    _, request = world.ask("payout.plain")
    strange = world.again(roles_of=lambda _: answer)

    assert code_of(lambda: strange.approvals.approve(request, INES)) == "challenge_not_found"


@both_faces
def test_a_failing_hook_entitles_nobody(world: World) -> None:
    """Neither the roles nor a function of the action's own."""

    def broken(*_: Any) -> Any:
        raise RuntimeError("the directory is down")

    action = Action("x", "X", methods="approval", approvers=Approvers(may=broken, step_up=False))
    for here in (world.again(roles_of=broken), world.again(actions=[action])):
        name = "payout.plain" if here.core.registry.actions.get("payout.plain") else "x"
        made = here.start(name, ME)
        here.begin(made.id, "approval", ME)
        request = f"{made.id}.{world.partition(OLIVIA)}"
        assert code_of(lambda here=here, request=request: here.approvals.approve(request, INES)) == (
            "challenge_not_found"
        )


@both_faces
@pytest.mark.parametrize(
    ("answer", "allowed"), [(True, True), (False, False), (1, False), ("yes", False), (None, False)]
)
def test_a_function_may_say_who_approves(world: World, answer: Any, allowed: bool) -> None:
    """It is asked about the person and the request; nothing but True is yes."""
    asked: list[tuple[str, str]] = []

    def may(context: Any, request: Any) -> Any:
        asked.append((context.actor.id, request.resource_id))
        return answer

    action = Action("x", "X", methods="approval", approvers=Approvers(may=may, step_up=False))
    here = world.again(actions=[action])
    made = here.start("x", ME, resource=ACCOUNT)
    here.begin(made.id, "approval", ME)
    found = outcome(lambda: here.approvals.approve(f"{made.id}.{world.partition(OLIVIA)}", INES))

    assert (not isinstance(found, Denied)) is allowed
    assert asked[0] == ("usr_ines", "acct_9")
    assert isinstance(here.verify(made.id, "approval", None, ME), Verified) is allowed


@both_faces
def test_people_may_be_named(world: World) -> None:
    """A list of ids: these and nobody else."""
    challenge, request = world.ask("key.rotate")
    assert world.inbox(INES) == []
    (seen,) = world.inbox(TOM)
    assert (seen.id, seen.who) == (request, "1 named people")
    needed = outcome(lambda: world.gate.approvals.approve(request, TOM))
    assert isinstance(needed, StepUpRequired)
    assert world.collect(challenge).code is Code.APPROVAL_PENDING


# -- what changes meanwhile, and what ends ------------------------------------------------


@every_store
@pytest.mark.requirement("X-12")
def test_what_has_changed_meanwhile_is_not_approved(world: World) -> None:
    """Other approvers, another quorum: an approval under other rules is refused, and so is collecting."""
    challenge, request = world.ask("payout.plain")
    changed = [
        replace(one, approvers=Approvers("finance", quorum=2, step_up=False)) if one.id == "payout.plain" else one
        for one in ACTIONS
    ]
    later = world.again(actions=changed)

    found = outcome(lambda: later.approvals.approve(request, INES))
    assert isinstance(found, Denied)
    assert (found.code, found.decision.reasons[0].code) == ("challenge_closed", "rules_changed")
    world.gate.approvals.approve(request, INES)
    assert later.verify(challenge.id, "approval", None, ME).code is Code.CHALLENGE_CLOSED
    again = later.start("payout.plain", ME, resource=ACCOUNT, params=PARAMS)
    assert again.id != challenge.id
    assert code_of(lambda: world.gate.approvals.approve(request, MARCUS)) == "challenge_closed"


@every_store
@pytest.mark.requirement("X-12")
def test_an_approval_is_for_these_params_alone(world: World) -> None:
    """Another amount is another request: what Ines approved opens nothing else."""
    first, request = world.ask("payout.plain")
    second = world.gate.start("payout.plain", ME, resource=ACCOUNT, params={**PARAMS, "amount": "90000.00 EUR"})
    assert second.id != first.id
    world.gate.approvals.approve(request, INES)
    assert world.collect(second).code is Code.METHOD_NOT_ALLOWED
    done = world.collect(first)
    assert isinstance(done, Verified)
    assert not world.opens(done, "payout.plain", params={**PARAMS, "amount": "90000.00 EUR"})
    assert not world.opens(done, "payout.plain", resource=Resource("account", "acct_8"))
    assert world.opens(done, "payout.plain")


@every_store
def test_it_expires_and_that_is_recorded_once(world: World) -> None:
    """After a day nothing is left to approve or to collect; whoever meets it first writes it down."""
    challenge, request = world.ask("payout.plain")
    world.clock.advance(24 * HOUR - timedelta(seconds=1))
    assert len(world.inbox(INES)) == 1
    world.clock.advance(1)

    assert world.inbox(INES) == []
    assert code_of(lambda: world.gate.approvals.approve(request, INES)) == "challenge_expired"
    for _ in range(2):
        assert world.collect(challenge).code is Code.CHALLENGE_EXPIRED
    seen = world.gate.approvals.get(request, ME)
    assert seen is not None
    assert seen.standing is Standing.EXPIRED
    (expired,) = [event for event in world.events() if event.type is EventType.APPROVAL_EXPIRED]
    assert expired.actor == "usr_ines"
    assert not world.gate.approvals.withdraw(request, ME)


@every_store
def test_it_can_be_withdrawn(world: World) -> None:
    """By its requester, from whatever session, and by nobody else; then it is over."""
    challenge, request = world.ask("payout.plain")
    assert not world.gate.approvals.withdraw(request, INES)
    assert not world.gate.approvals.withdraw(challenge.id, INES)
    assert not world.gate.approvals.withdraw(request, who("olivia", actor=Actor(OLIVIA.id, on_behalf_of="usr_tom")))
    assert world.gate.approvals.withdraw(request, who("olivia", 2))

    assert not world.gate.approvals.withdraw(request, ME)
    assert world.inbox(INES) == []
    assert code_of(lambda: world.gate.approvals.approve(request, INES)) == "challenge_closed"
    assert world.collect(challenge).code is Code.CHALLENGE_CLOSED
    seen = world.gate.approvals.get(request, ME)
    assert seen is not None
    assert seen.standing is Standing.WITHDRAWN
    assert world.types()[2] == "approval_withdrawn"


@both_faces
def test_cancelling_withdraws_it(world: World) -> None:
    """Closing the challenge is the same."""
    challenge, _ = world.ask("payout.plain")

    assert world.gate.cancel(challenge.id, ME)
    assert world.inbox(INES) == []
    assert world.types()[-1] == "approval_withdrawn"
    assert not world.gate.approvals.withdraw(challenge.id, ME)


@every_store
def test_the_requester_can_leave_and_come_back(world: World) -> None:
    """The same call finds the same request; nothing is asked anew, and the blocked call says so."""
    challenge, request = world.ask("payout.plain")
    world.clock.advance(3 * HOUR)
    blocked = outcome(lambda: world.gate.require("payout.plain", ME, resource=ACCOUNT, params=PARAMS))
    assert isinstance(blocked, StepUpRequired)
    assert blocked.code == "approval_pending"
    assert world.gate.start_offer(blocked.offer, ME).id == challenge.id
    before = len(world.events())
    assert world.gate.begin(challenge.id, "approval", ME).expires_at == challenge.created_at + 24 * HOUR
    assert len(world.events()) == before
    assert len(world.told) == 1
    other = outcome(lambda: world.gate.require("payout.plain", ME, resource=ACCOUNT, params={"amount": "1 EUR"}))
    assert isinstance(other, StepUpRequired)
    assert other.code == "verification_required"
    world.gate.approvals.approve(request, INES)
    assert isinstance(world.collect(challenge), Verified)


@both_faces
def test_it_is_the_requester_in_that_session_who_collects(world: World) -> None:
    """Another session of theirs sees it and can withdraw it; ending the session it came from ends it."""
    challenge, request = world.ask("payout.plain")
    elsewhere = who("olivia", 2)
    world.gate.approvals.approve(request, INES)
    assert [one.id for one in world.gate.approvals.own(elsewhere)] == [request]
    assert world.collect(challenge, elsewhere).code is Code.CHALLENGE_NOT_FOUND
    world.gate.revoke(ME, session=True)

    assert world.inbox(MARCUS) == []
    seen = world.gate.approvals.get(request, ME)
    assert seen is not None
    assert seen.standing is Standing.CLOSED
    assert code_of(lambda: world.gate.approvals.approve(request, MARCUS)) == "challenge_closed"
    assert world.collect(challenge).code is Code.CHALLENGE_CLOSED


@both_faces
def test_ending_everything_of_the_requester_ends_it(world: World) -> None:
    """Their epoch moved: nothing to see, to approve or to collect."""
    challenge, request = world.ask("payout.plain")
    world.gate.revoke(ME, everything=True)

    assert world.inbox(INES) == []
    assert world.gate.approvals.own(ME) == ()
    assert code_of(lambda: world.gate.approvals.approve(request, INES)) == "challenge_closed"
    assert world.collect(challenge).code is Code.CHALLENGE_CLOSED


@both_faces
def test_a_changed_factor_makes_a_new_challenge(world: World) -> None:
    """A request whose other parts can no longer be proved is not handed out for ever."""
    kept = Key({"now": b"first"})
    here = world.again(verifiers=[kept, _approval()])
    call: dict[str, Any] = {"resource": ACCOUNT, "params": PARAMS}
    challenge = here.start("payout.create", ME, **call)
    here.begin(challenge.id, "approval", ME)
    assert here.start("payout.create", ME, **call).id == challenge.id
    kept.prints["now"] = b"second"
    found = outcome(lambda: here.start("payout.create", ME, **call))
    assert not isinstance(found, Challenge) or found.id != challenge.id


class Key(ScriptedVerifier):
    """A method whose factor the application owns, and can change."""

    def __init__(self, prints: dict[str, bytes]) -> None:
        super().__init__("passkey", strength=40, answer="touch")
        self.prints = prints

    def enrolled(self, actor: Actor, /) -> Any:
        return (Factor("passkey", "passkey", material=self.prints["now"]),)


# -- asking --------------------------------------------------------------------------------


@every_store
@pytest.mark.requirement("E-08")
def test_requests_are_limited_like_sends(world: World) -> None:
    """A minute apart, three in ten minutes for one action; withdrawing gives none back."""
    for _ in range(3):
        challenge, request = world.ask("payout.plain")
        assert world.gate.approvals.withdraw(request, ME)
        again = world.gate.start("payout.plain", ME, resource=ACCOUNT, params=PARAMS)
        assert code_of(lambda again=again: world.gate.begin(again.id, "approval", ME)) == "rate_limited"
        world.clock.advance(60)
    challenge = world.gate.start("payout.plain", ME, resource=ACCOUNT, params=PARAMS)
    found = outcome(lambda: world.gate.begin(challenge.id, "approval", ME))
    assert isinstance(found, Denied)
    assert (found.code, found.decision.reasons[0].code) == ("rate_limited", "sends")
    assert found.retry_at is not None
    assert len(world.told) == 3
    world.ask("job.run")  # another action has a count of its own


@both_faces
def test_what_waits_for_others_leaves_room(world: World) -> None:
    """Ten requests may wait, and no more; a step-up of one's own is still possible, and so is an eleventh later."""
    requests = []
    for number in range(10):
        challenge, request = world.ask("payout.plain", params={"number": number})
        requests.append((challenge, request))
        world.clock.advance(240)
    one_more = world.gate.start("payout.plain", ME, resource=ACCOUNT, params={"number": 10})
    found = outcome(lambda: world.gate.begin(one_more.id, "approval", ME))
    assert isinstance(found, Denied)
    assert (found.code, found.decision.reasons[0].code) == ("rate_limited", "open_challenges")
    assert found.retry_at == requests[0][0].created_at + 24 * HOUR
    assert isinstance(world.gate.verify(world.gate.start("key.rotate", ME).id, "passkey", "touch", ME), Verified)
    assert world.gate.approvals.withdraw(requests[0][1], ME)
    assert world.gate.begin(one_more.id, "approval", ME).method == "approval"
    assert len(world.gate.approvals.own(ME)) == 10


@both_faces
def test_a_grant_is_not_judged_again_without_its_approvers(world: World) -> None:
    """The rule asks for two since; the grant that one approval gave opens nothing any more."""
    challenge, request = world.ask("payout.plain")
    world.gate.approvals.approve(request, INES)
    done = world.collect(challenge)
    assert isinstance(done, Verified)
    changed = [
        replace(one, approvers=Approvers("finance", quorum=2, step_up=False)) if one.id == "payout.plain" else one
        for one in ACTIONS
    ]
    later = world.again(actions=changed)
    call: dict[str, Any] = {"resource": ACCOUNT, "params": PARAMS}
    assert not later.check("payout.plain", ME, token=done.token, **call).allowed
    assert not later.check("payout.plain", ME, **call).allowed
    assert world.gate.check("payout.plain", ME, **call).allowed


@both_faces
def test_looking_counts_nothing(world: World) -> None:
    """A hundred polls: no attempt, no event, no lock."""
    challenge, request = world.ask("payout.plain")
    before = len(world.events())
    for _ in range(100):
        assert world.collect(challenge).code is Code.APPROVAL_PENDING
        assert world.gate.approvals.get(challenge.id, ME) is not None
    assert len(world.events()) == before
    found = world.gate.challenge(challenge.id, ME)
    assert found is not None
    assert found.attempts == 0
    world.gate.approvals.approve(request, INES)
    assert isinstance(world.collect(challenge), Verified)


@both_faces
def test_what_was_not_asked_cannot_be_collected(world: World) -> None:
    """Nor is approval a way into what does not name it."""
    challenge = world.gate.start("payout.plain", ME, resource=ACCOUNT)
    assert world.collect(challenge).code is Code.METHOD_NOT_ALLOWED
    assert world.events()[-1].reason == "approval_not_requested"
    world.gate.begin(challenge.id, "approval", ME)
    other = world.gate.start("stepup.factor.add", ME, resource=Resource("factors", OLIVIA.id))
    assert "approval" not in other.allowed
    assert code_of(lambda: world.gate.begin(other.id, "approval", ME)) == "method_not_allowed"
    assert world.collect(other).code is Code.METHOD_NOT_ALLOWED
    assert code_of(lambda: world.gate.begin("stepup_unknown", "approval", ME)) == "challenge_not_found"
    assert code_of(lambda: world.gate.begin(challenge.id, "approval", INES)) == "challenge_not_found"


@both_faces
def test_those_who_could_approve_are_told(world: World) -> None:
    """A hook, and a mail to each address once; no link that approves, and nothing secret in its subject."""
    here = world.again(addresses=lambda _: ["ines@northstar.example", "marcus@northstar.example"] * 2)
    challenge = here.start("payout.plain", ME, resource=ACCOUNT, params=PARAMS, reason="Invoice 4411")
    here.begin(challenge.id, "approval", ME)

    (seen,) = world.told
    assert (seen.challenge_id, seen.reason) == (challenge.id, "Invoice 4411")
    own, *mails = world.outbox.messages
    assert own.to == OLIVIA.email  # who is told that it was asked in their name
    assert [mail.to for mail in mails] == ["ines@northstar.example", "marcus@northstar.example"]
    mail = mails[0]
    assert mail.subject == "Somebody asks for your approval"
    assert "9000.00 EUR" in mail.text
    assert "Invoice 4411" not in mail.text  # worded by whoever has the session; it stands in the inbox
    assert challenge.id not in mail.text


def _fails(*_: Any) -> Any:
    raise RuntimeError("no route to host")


@both_faces
@pytest.mark.parametrize(
    "broken", [{"notify": _fails}, {"addresses": _fails}, {"addresses": lambda _: "one@x.example"}]
)
def test_telling_can_neither_grant_nor_block(world: World, broken: dict[str, Any]) -> None:
    """What was asked stands; that somebody was not told is recorded."""
    here = world.again(**broken)
    challenge = here.start("payout.plain", ME, resource=ACCOUNT)
    assert here.begin(challenge.id, "approval", ME).method == "approval"

    assert world.types()[-1] == "delivery_failed"
    assert world.events()[-1].detail == {"notice": "approval_wanted", "by": "hook" if "notify" in broken else "mail"}
    assert len(world.inbox(INES)) == 1


@both_faces
def test_what_one_does_not_take_the_others_are_told(world: World) -> None:
    """A hook that fails and an address that bounces keep nobody else from hearing of it; each is recorded."""
    sent: list[str] = []

    class Picky:
        def send(self, message: Any) -> None:
            if message.to.startswith("gone"):
                raise OSError("no such mailbox")
            sent.append(message.to)

    everybody = ["gone@northstar.example", "ines@northstar.example"]
    here = world.again(notify=_fails, addresses=lambda _: everybody, mailer=Picky())
    challenge = here.start("payout.plain", ME, resource=ACCOUNT)
    here.begin(challenge.id, "approval", ME)

    assert "ines@northstar.example" in sent
    untold = [event.detail["by"] for event in world.events() if event.type is EventType.DELIVERY_FAILED]
    assert untold == ["hook", "mail"]


@both_faces
def test_approving_again_says_the_same_again(world: World) -> None:
    """Whoever presses twice hears that it is ready, as the first time."""
    challenge = world.gate.start("payout.plain", ME, resource=ACCOUNT)
    world.gate.begin(challenge.id, "approval", ME)
    [request] = world.inbox(INES)
    first = world.gate.approvals.approve(request.id, INES)

    assert first.standing == "ready"
    assert world.gate.approvals.approve(request.id, INES) == first


@both_faces
def test_a_factorless_person_can_ask_and_still_enrol_first(world: World) -> None:
    """Approval is no factor of anybody's: it neither counts as held nor stands in the way of the first one."""
    bare = world.again(verifiers=[world.raw.core.verifiers and _approval()], actions=[ACTIONS[1]])
    assert bare.factors.list(ME) == ()
    high = bare.check("stepup.factor.add", ME, resource=Resource("factors", OLIVIA.id))
    assert high.code is Code.NO_USABLE_METHOD
    assert bare.start("payout.plain", ME).allowed == ("approval",)


def _approval() -> Any:
    from stepup.verifiers import Approval

    return Approval(Approvers("finance"), roles_of=lambda context: ROLES.get(context.actor.id, ()))


@both_faces
def test_no_login_and_no_earlier_approval_is_one(world: World) -> None:
    """An approval opens its own call: no session says it, and no other call of the session has it."""
    low = Action("low", "Low", risk=1, methods="approval", approvers=Approvers("finance", step_up=False))
    here = world.again(actions=[low])
    now = world.clock.now()
    claimed = replace(ME, session=Session("session 1 of olivia", now, (Proof("approval", now),)))
    assert not here.check("low", claimed).allowed
    challenge = here.start("low", ME, resource=ACCOUNT)
    here.begin(challenge.id, "approval", ME)
    here.approvals.approve(f"{challenge.id}.{world.partition(OLIVIA)}", INES)
    assert isinstance(here.verify(challenge.id, "approval", None, ME), Verified)
    assert here.check("low", ME, resource=ACCOUNT).allowed
    assert not here.check("low", ME, resource=Resource("account", "acct_8")).allowed


# -- callers without a browser ---------------------------------------------------------------


@every_store
def test_a_job_waits_and_its_grant_is_bound_to_its_arguments(world: World) -> None:
    """No session, no device: the job comes back as often as it likes, and finds what it asked for."""
    job = replace(who("nightly", session=None, device=None, ip=None), user_agent=None, surface=Surface.JOB)
    arguments = {"table": "customers", "rows": 41200}
    heard: list[str] = []
    here = world.again(on_event=lambda event: heard.append(event.type.value))
    challenge = here.start("job.run", job, resource=Resource("database", "prod"), params=arguments)
    here.begin(challenge.id, "approval", job)
    assert here.start("job.run", job, resource=Resource("database", "prod"), params=arguments).id == challenge.id
    assert here.verify(challenge.id, "approval", None, job).code is Code.APPROVAL_PENDING

    refused: Any = outcome(lambda: here.start("payout.create", job, resource=ACCOUNT, params=PARAMS))
    assert (refused.code, refused.decision.reasons[0].code) == ("action_blocked", "surface_refused")  # a proof besides

    (request,) = here.approvals.inbox(INES).items
    here.approvals.approve(request.id, INES)
    assert heard[-1] == "approval_given"
    found = here.approvals.get(challenge.id, job)
    assert found.standing is Standing.READY
    done = here.verify(challenge.id, "approval", None, job)
    assert isinstance(done, Verified)
    call: dict[str, Any] = {"resource": Resource("database", "prod"), "token": done.token}
    assert isinstance(
        outcome(lambda: here.require("job.run", job, params={**arguments, "rows": 1}, **call)), StepUpRequired
    )
    assert here.require("job.run", job, params=arguments, **call).proofs[0].method == "approval"


# -- rotation, idempotence, pages, bad input ------------------------------------------------


@both_faces
def test_the_session_is_rotated_when_it_is_collected(world: World) -> None:
    """Once, and only when there is something to collect; the grant is of the new session."""
    challenge, request = world.ask("payout.plain")
    new: list[str] = []

    def rotated() -> str:
        new.append("session 9 of olivia")
        return new[-1]

    assert world.gate.verify(challenge.id, "approval", None, ME, rotate=rotated).code is Code.APPROVAL_PENDING  # type: ignore[union-attr]
    assert new == []
    world.gate.approvals.approve(request, INES)
    done = world.gate.verify(challenge.id, "approval", None, ME, rotate=rotated)
    assert isinstance(done, Verified)
    assert len(new) == 1
    moved = replace(ME, session=Session(new[0]))
    assert not world.opens(done, "payout.plain", ME)
    assert world.opens(done, "payout.plain", moved)


@every_store
@pytest.mark.parametrize("how", ["a step-up", "told", "a collection"])
def test_a_request_moves_with_its_session(world: World, how: str) -> None:
    """Every finished proof renews the session: what waits for others goes along, with what they have said."""
    challenge, request = world.ask("payout.two")
    world.gate.approvals.approve(request, INES)
    new = "session 2 of olivia"
    if how == "told":
        world.gate.rotated(ME, new)
    elif how == "a step-up":
        other = world.gate.start("key.rotate", ME)
        assert isinstance(world.gate.verify(other.id, "passkey", "touch", ME, rotate=lambda: new), Verified)
    else:
        other, second = world.ask("payout.plain")
        world.gate.approvals.approve(second, INES)
        assert isinstance(world.gate.verify(other.id, "approval", None, ME, rotate=lambda: new), Verified)
    moved = replace(ME, session=Session(new))

    assert world.collect(challenge).code is Code.CHALLENGE_NOT_FOUND
    assert world.gate.start("payout.two", moved, resource=ACCOUNT, params=PARAMS).id == challenge.id
    assert world.gate.approvals.approve(request, MARCUS).standing is Standing.READY
    done = world.collect(challenge, moved)
    assert isinstance(done, Verified)
    assert done.grant.binding.session != challenge.binding.session


@both_faces
def test_what_ended_does_not_move(world: World) -> None:
    """A request that was withdrawn, or whose session was ended before it was renewed, stays ended."""
    first, request = world.ask("payout.plain")
    assert world.gate.approvals.withdraw(request, ME)
    second, _ = world.ask("payout.two")
    third, _ = world.ask("strict", who("olivia", 5))
    world.gate.revoke(ME, session=True)
    world.gate.rotated(ME, "session 2 of olivia")
    moved = replace(ME, session=Session("session 2 of olivia"))
    for challenge in (first, second, third):
        assert world.gate.challenge(challenge.id, moved) is None
    assert world.gate.challenge(third.id, who("olivia", 5)) is not None


@both_faces
def test_a_session_that_cannot_be_rotated_collects_nothing(world: World) -> None:
    """And nothing is lost: it can be collected later."""
    challenge, request = world.ask("payout.plain")
    world.gate.approvals.approve(request, INES)
    found = world.gate.verify(challenge.id, "approval", None, ME, rotate=_fails)
    assert isinstance(found, Rejected)
    assert found.code is Code.VERIFICATION_FAILED
    assert isinstance(world.collect(challenge), Verified)


@both_faces
def test_somebody_may_change_their_mind_for_the_worse(world: World) -> None:
    """Who approved may still deny; who denied has ended it."""
    challenge, request = world.ask("payout.two")
    assert world.gate.approvals.approve(request, INES).mine is Choice.APPROVE
    assert world.gate.approvals.deny(request, INES).mine is Choice.DENY
    assert world.collect(challenge).code is Code.APPROVAL_DENIED


@both_faces
def test_the_inbox_comes_in_pages(world: World) -> None:
    """Of one organization, then of those without one; what is not for the reader leaves short pages."""
    names = []
    for number in range(5):
        challenge, _ = world.ask("payout.plain", who(f"person{number}"))
        names.append(challenge.id)
    world.ask("key.rotate", who("person9"))
    free, _ = world.ask("payout.plain", who("person8", organization=None))
    found, after, pages = [], None, 0
    while True:
        page = world.gate.approvals.inbox(INES, after=after, limit=2)
        found += [one.challenge_id for one in page.items]
        pages += 1
        if (after := page.after) is None:
            break
    assert sorted(found) == sorted([*names, free.id])
    assert pages >= 4
    assert [one.challenge_id for one in world.inbox(replace(INES, organization=None))] == [free.id]


@both_faces
@pytest.mark.parametrize("after", ["", "x", "2:", "9:1", "0:\N{SNOWMAN}", "0:" + "x" * 2000, 7])
def test_a_mark_that_no_inbox_gave_is_refused(world: World, after: Any) -> None:
    """It is the developer's mistake, or somebody's try."""
    with pytest.raises(InvalidInput):
        world.gate.approvals.inbox(INES, after=after)


@both_faces
@pytest.mark.parametrize("limit", [0, 101, True, "10"])
def test_a_page_has_a_size(world: World, limit: Any) -> None:
    """From 1 to 100."""
    with pytest.raises(InvalidInput):
        world.gate.approvals.inbox(INES, limit=limit)


@both_faces
@pytest.mark.parametrize(
    "request_id", ["", "x", "a.b", "stepup_1." + "0" * 64, "stepup_\N{SNOWMAN}." + "0" * 64, 7, None]
)
def test_strange_ids_are_unknown(world: World, request_id: Any) -> None:
    """Whatever they are."""
    assert world.gate.approvals.get(request_id, INES) is None
    assert code_of(lambda: world.gate.approvals.approve(request_id, INES)) == "challenge_not_found"
    assert not world.gate.approvals.withdraw(request_id, INES)


# -- store calls ---------------------------------------------------------------------------


def test_what_it_costs(tmp_path: Path) -> None:
    """Asking, answering, looking and collecting, in store calls; a notice is counted first, in two more."""
    told = ["load", "apply"]
    with opened_world(MEMORY[0], tmp_path, notify=None) as world:
        challenge = world.gate.start("payout.create", ME, resource=ACCOUNT, params=PARAMS)

        def cost(call: Any) -> list[str]:
            before = len(world.store.calls)
            outcome(call)
            return cast("list[str]", world.store.calls[before:])

        request = f"{challenge.id}.{world.partition(OLIVIA)}"
        assert cost(lambda: world.gate.begin(challenge.id, "approval", ME)) == ["load", "load", "apply", *told, "load"]
        assert cost(lambda: world.gate.begin(challenge.id, "approval", ME)) == ["load", "load"]
        assert cost(lambda: world.collect(challenge)) == ["load"]
        assert cost(lambda: world.gate.approvals.get(challenge.id, ME)) == ["load", "load"]
        own = world.gate.start_offer(_offer(world, request), INES)
        step = world.gate.verify(own.id, "passkey", "touch", INES)
        assert isinstance(step, Verified)
        approve = cost(lambda: world.gate.approvals.approve(request, INES, token=step.token))
        assert approve == ["load", "load", "apply", "apply", *told]
        world.gate.verify(challenge.id, "passkey", "touch", ME)
        assert cost(lambda: world.collect(challenge)) == ["load", "load", "apply", "load"]
        other, other_request = world.ask("payout.plain")
        assert cost(lambda: world.gate.approvals.deny(other_request, MARCUS)) == ["load", "load", "apply", *told]
        assert cost(lambda: world.gate.start("payout.two", ME)) == ["load", "apply"]
        assert other.id != challenge.id


# -- construction ---------------------------------------------------------------------------


def test_approval_is_named_with_somebody_who_may(tmp_path: Path) -> None:
    """What cannot be approved, or would open more than was approved, is a mistake when the gate is made."""
    from stepup.errors import ConfigurationError
    from stepup.verifiers import Approval

    rule = Approvers("finance")
    with opened_world(MEMORY[0], tmp_path) as world:
        wrong: list[dict[str, Any]] = [
            {"actions": [Action("x", "X", methods="approval")], "verifiers": [Approval()]},
            {"actions": [Action("x", "X", methods="approval", approvers=rule)], "verifiers": [Approval()]},
            {"actions": [Action("x", "X", methods="approval", approvers=rule, group="sudo")]},
            {"actions": [Action("x", "X", methods="approval", approvers=rule, binds={"resource", "session"})]},
            {"actions": [], "verifiers": [ScriptedVerifier("approval")]},
        ]
        for settings in wrong:
            with pytest.raises(ConfigurationError):
                world.made(**settings)
        with pytest.raises(ConfigurationError):
            Action("x", "X", methods=all_of("approval"), approvers="finance")  # type: ignore[arg-type]
