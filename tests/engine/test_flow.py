"""The whole ceremony: blocked, offered, started, prepared, proved, opened; and every way in which it is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from engine_bench import (
    ACTIONS,
    ACTOR,
    CONTEXT,
    ORG,
    OTHER,
    PASSWORD,
    REAL_ACTIONS,
    Counting,
    World,
    both_faces,
    code,
    context,
    enrolled_totp,
    outcome,
    real_world,
    recovery_codes,
    scripted,
    world,
)

from stepup import (
    BINDS,
    Action,
    Challenge,
    Code,
    Context,
    Denied,
    Factor,
    MoreNeeded,
    Policy,
    Proof,
    Rejected,
    Resource,
    Risk,
    RiskAssessment,
    RiskLevel,
    StepUpError,
    StepUpRequired,
    Verified,
    all_of,
    any_of,
    method,
)
from stepup.challenge import State
from stepup.event import EventType
from stepup.testing.clock import START
from stepup.testing.scripted import ScriptedVerifier

# -- each method, all the way ----------------------------------------------------


@both_faces
@pytest.mark.requirement("P-02", "P-08", "C-01")
def test_the_whole_way_with_a_password(face: str) -> None:
    """Blocked with an offer; the offer opens a challenge; the answer opens the action, once, with its token."""
    here = real_world(face)
    needed = outcome(lambda: here.gate.require("org.delete", CONTEXT, resource=ORG, params={"confirm": "Northstar"}))
    assert isinstance(needed, StepUpRequired)
    assert needed.methods == ("password",)

    challenge = here.gate.start_offer(needed.offer, CONTEXT, reason="User requested it")
    assert challenge.label == "Delete organization"
    assert challenge.resource_label == "Northstar"
    assert challenge.shown == (("confirm", "Northstar"),)
    done = here.gate.verify(challenge.id, "password", PASSWORD, CONTEXT)
    assert isinstance(done, Verified)

    call: dict[str, Any] = {"resource": ORG, "params": {"confirm": "Northstar"}}
    passed = here.gate.require("org.delete", CONTEXT, token=done.token, **call)
    assert passed.decision.satisfied_by == "token"
    assert passed.remaining == 0
    again = outcome(lambda: here.gate.require("org.delete", CONTEXT, token=done.token, **call))
    assert isinstance(again, StepUpRequired)
    assert again.code == Code.GRANT_INVALID
    assert [event.type for event in here.events()] == [
        EventType.CHALLENGE_STARTED,
        EventType.ATTEMPT,
        EventType.AUTHORIZATION,
        EventType.AUTHORIZATION,
    ]


@both_faces
def test_the_whole_way_with_a_mailed_code(face: str) -> None:
    """A code goes out when asked for, once a minute at most; the newest one opens the action."""
    here = real_world(face)
    challenge = here.start("by.mail")
    prompt = here.gate.begin(challenge.id, "email_code", CONTEXT)
    assert prompt.sent_to is not None
    assert "olivia" not in prompt.sent_to
    assert here.gate.begin(challenge.id, "email_code", CONTEXT).sent_to == prompt.sent_to
    assert len(here.outbox.messages) == 1

    assert here.gate.verify(challenge.id, "email_code", here.outbox.code(), CONTEXT)
    assert here.allows("by.mail")


@both_faces
@pytest.mark.requirement("C-02", "C-08")
def test_a_code_counts_for_its_own_challenge_only(face: str) -> None:
    """The code of the first challenge is wrong for the second, and the other way round."""
    here = real_world(face)
    first = here.start("by.mail")
    here.gate.begin(first.id, "email_code", CONTEXT)
    first_code = here.outbox.code()
    here.clock.advance(61)
    second = here.start("by.mail", resource=Resource("organization", "org_8"))
    here.gate.begin(second.id, "email_code", CONTEXT)
    second_code = here.outbox.code()
    if first_code == second_code:  # one in a million
        pytest.skip("the two codes are equal by chance")

    assert here.gate.verify(second.id, "email_code", first_code, CONTEXT) == Rejected(Code.VERIFICATION_FAILED, 4)
    assert here.gate.verify(first.id, "email_code", second_code, CONTEXT) == Rejected(Code.VERIFICATION_FAILED, 4)
    assert here.gate.verify(first.id, "email_code", first_code, CONTEXT)


@both_faces
def test_the_whole_way_with_an_authenticator_and_with_both(face: str) -> None:
    """An authenticator enrolled a day ago is the strongest; with all-of, each part is proved in either order."""
    here = real_world(face)
    secret = enrolled_totp(here, CONTEXT)

    here.prove("org.delete", method="totp", answer=code(secret, here.now))
    for order in (("password", "totp"), ("totp", "password")):
        here.clock.advance(60)
        answers = {"password": PASSWORD, "totp": code(secret, here.now)}
        challenge = here.start("by.both")
        part = here.gate.verify(challenge.id, order[0], answers[order[0]], CONTEXT)
        assert isinstance(part, MoreNeeded)
        assert part.remaining == (order[1],)
        assert not here.allows("by.both", resource=Resource("organization", "never"))
        done = here.gate.verify(challenge.id, order[1], answers[order[1]], CONTEXT)
        assert isinstance(done, Verified)
        assert set(done.grant.amr) == {"pwd", "otp", "mfa"}


@both_faces
@pytest.mark.requirement("P-09")
def test_a_recovery_code_stands_in_up_to_level_3(face: str) -> None:
    """It is good at 3 for the authenticator, not at 4 unless the action names it, and always told by mail."""
    here = real_world(face)
    secret = enrolled_totp(here, CONTEXT)
    codes = recovery_codes(here, CONTEXT, secret)
    assert len(set(codes)) == 10

    sent = len(here.outbox.messages)
    here.prove("member.role", method="recovery_code", answer=codes[0])
    assert len(here.outbox.messages) == sent + 1
    challenge = here.start("org.delete")
    assert "recovery_code" not in challenge.allowed
    found = here.gate.verify(challenge.id, "recovery_code", codes[1], CONTEXT)
    assert isinstance(found, Rejected)
    assert found.code is Code.METHOD_NOT_ALLOWED
    here.prove("crit.recovery", method="recovery_code", answer=codes[1])
    challenge = here.start("member.role")
    assert isinstance(here.gate.verify(challenge.id, "recovery_code", codes[0], CONTEXT), Rejected)


def test_a_recovery_code_counts_as_its_factor_in_all_of() -> None:
    """Password and recovery code meet "password and authenticator"; two recovery codes do not."""
    here = real_world()
    secret = enrolled_totp(here, CONTEXT)
    codes = recovery_codes(here, CONTEXT, secret)
    challenge = here.start("by.both")

    assert isinstance(here.gate.verify(challenge.id, "recovery_code", codes[0], CONTEXT), MoreNeeded)
    refused = here.gate.verify(challenge.id, "recovery_code", codes[1], CONTEXT)
    assert isinstance(refused, Rejected)
    assert here.gate.verify(challenge.id, "password", PASSWORD, CONTEXT)


# -- offers ----------------------------------------------------------------------


@both_faces
@pytest.mark.requirement("C-03")
def test_an_offer_opens_what_it_was_made_for_and_nothing_else(face: str) -> None:
    """Same person, session, tenant and organization, within ten minutes; policy decides again."""
    here = world(face=face)
    needed = outcome(lambda: here.gate.require("member.role", CONTEXT, resource=ORG, params={"role": "owner"}))
    assert isinstance(needed, StepUpRequired)

    challenge = here.gate.start_offer(needed.offer, CONTEXT)
    direct = here.start("member.role", params={"role": "owner"})
    assert challenge.binding == direct.binding
    assert challenge.params == direct.params
    for who in (
        context("sess_2"),
        context(None),
        context(actor=OTHER),
        context(organization="org_8"),
        context(actor=replace(ACTOR, on_behalf_of="usr_1")),
        context(actor=replace(ACTOR, tenant="acme")),
    ):
        refused = outcome(lambda who=who: here.gate.start_offer(needed.offer, who))
        assert isinstance(refused, Denied)
        assert refused.code == Code.BAD_REQUEST
    here.clock.advance(599)
    here.gate.start_offer(needed.offer, CONTEXT)
    here.clock.advance(1)
    assert isinstance(outcome(lambda: here.gate.start_offer(needed.offer, CONTEXT)), Denied)


def test_an_offer_is_decided_again() -> None:
    """A session that has turned risky since gets no challenge for its old offer."""
    risk = {"now": RiskAssessment()}
    blocking = Policy(block_session_risk=frozenset({RiskLevel.HIGH, RiskLevel.UNKNOWN}))
    here = world(actions=(Action("x", "X", policy=blocking),), risk=lambda who, action: risk["now"])
    needed = outcome(lambda: here.gate.require("x", CONTEXT))
    assert isinstance(needed, StepUpRequired)
    risk["now"] = RiskAssessment(90, RiskLevel.HIGH)

    refused = outcome(lambda: here.gate.start_offer(needed.offer, CONTEXT))
    assert isinstance(refused, Denied)
    assert refused.code == Code.ACTION_BLOCKED


# -- the life of a challenge ------------------------------------------------------


@both_faces
def test_a_new_challenge_for_the_same_binding_supersedes_the_old(face: str) -> None:
    """The old one is closed at once; one for another resource stands beside it."""
    here = world(face=face)
    old, other = here.start("org.delete"), here.start("org.delete", resource=Resource("organization", "org_8"))
    new = here.start("org.delete")

    found = here.gate.challenge(old.id, CONTEXT)
    assert found is not None
    assert found.state is State.SUPERSEDED
    closed = here.gate.verify(old.id, "passkey", "touch", CONTEXT)
    assert closed == Rejected(Code.CHALLENGE_CLOSED)
    assert here.gate.verify(other.id, "passkey", "touch", CONTEXT)
    assert here.gate.verify(new.id, "passkey", "touch", CONTEXT)
    assert here.methods["passkey"].calls == 2


@both_faces
def test_a_cancelled_challenge_is_closed(face: str) -> None:
    """Nobody can answer it any more, it can be cancelled once, and its place is free."""
    here = world(face=face)
    challenge = here.start("org.delete")

    assert not here.gate.cancel(challenge.id, context("sess_2"))
    assert here.gate.cancel(challenge.id, CONTEXT)
    assert not here.gate.cancel(challenge.id, CONTEXT)
    assert here.gate.verify(challenge.id, "passkey", "touch", CONTEXT) == Rejected(Code.CHALLENGE_CLOSED)
    assert isinstance(outcome(lambda: here.gate.begin(challenge.id, "passkey", CONTEXT)), Denied)


@both_faces
@pytest.mark.requirement("C-06", "C-09")
def test_a_challenge_ends_on_time(face: str) -> None:
    """Good in its last second, refused at its end."""
    here = world(face=face)
    one, two = here.start("org.delete"), here.start("member.role")

    here.clock.advance(299)
    assert here.gate.verify(one.id, "passkey", "touch", CONTEXT)
    here.clock.advance(1)
    assert here.gate.verify(two.id, "passkey", "touch", CONTEXT) == Rejected(Code.CHALLENGE_EXPIRED)
    assert here.methods["passkey"].calls == 1


@both_faces
@pytest.mark.requirement("C-06")
@pytest.mark.parametrize(("action", "lasts"), [("org.delete", 120), ("member.role", 300), ("member.remove", 600)])
def test_a_grant_ends_on_time(face: str, action: str, lasts: int) -> None:
    """Good in its last second, refused at its end, with token and without."""
    here = world(face=face)
    who = context(age=86400)
    token = here.prove(action, who).token

    here.clock.advance(lasts - 1)
    assert here.gate.check(action, who, resource=ORG, token=token).allowed
    here.clock.advance(1)
    assert not here.allows(action, who, token)
    assert here.gate.check(action, who, resource=ORG).satisfied_by != "grant"


@both_faces
@pytest.mark.requirement("C-07", "E-03")
def test_the_fifth_wrong_answer_ends_the_challenge(face: str) -> None:
    """The right answer is then refused unseen; a new challenge forgives nothing."""
    here = world(face=face)
    challenge = here.start("org.delete")

    left = [here.gate.verify(challenge.id, "passkey", "wrong", CONTEXT) for _ in range(5)]
    assert left == [Rejected(Code.VERIFICATION_FAILED, n) for n in (4, 3, 2, 1, 0)]
    assert here.gate.verify(challenge.id, "passkey", "touch", CONTEXT) == Rejected(Code.CHALLENGE_CLOSED)
    found = here.gate.challenge(challenge.id, CONTEXT)
    assert found is not None
    assert found.state is State.FAILED
    assert here.methods["passkey"].calls == 5
    refused = outcome(lambda: here.start("org.delete"))
    assert isinstance(refused, Denied)
    assert refused.code == Code.LOCKED_OUT
    assert refused.retry_at == here.now + timedelta(seconds=5)


@both_faces
@pytest.mark.requirement("C-08", "E-03")
def test_a_new_code_does_not_reset_the_count(face: str) -> None:
    """Four wrong, a new code, one wrong: the challenge is dead. The old code was void anyway."""
    here = real_world(face)
    challenge = here.start("by.mail")
    here.gate.begin(challenge.id, "email_code", CONTEXT)
    old = here.outbox.code()
    wrong = f"{(int(old) + 1) % 1_000_000:06}"
    for _ in range(4):
        assert isinstance(here.gate.verify(challenge.id, "email_code", wrong, CONTEXT), Rejected)
    here.clock.advance(60)
    here.gate.begin(challenge.id, "email_code", CONTEXT)
    assert len(here.outbox.messages) == 2

    if here.outbox.code() != old:
        assert here.gate.verify(challenge.id, "email_code", old, CONTEXT) == Rejected(Code.VERIFICATION_FAILED, 0)
    else:  # one in a million
        here.gate.verify(challenge.id, "email_code", wrong, CONTEXT)
    assert here.gate.verify(challenge.id, "email_code", here.outbox.code(), CONTEXT) == Rejected(Code.CHALLENGE_CLOSED)


@both_faces
@pytest.mark.requirement("P-10")
def test_the_client_cannot_choose_a_weaker_method(face: str) -> None:
    """The strongest is asked for; a right password is refused unseen, and recorded."""
    here = world(face=face)
    challenge = here.start("org.delete")
    assert challenge.allowed == ("passkey",)

    for name in ("password", "email_code", "", "PASSKEY", "passkey ", "fresh_session"):
        refused = here.gate.verify(challenge.id, name, "pw", CONTEXT)
        assert isinstance(refused, Rejected)
        assert refused.code is Code.METHOD_NOT_ALLOWED, name
    assert here.methods["password"].calls == 0
    assert here.reasons().count("method_not_allowed") + here.reasons().count("method_unknown") == 6
    assert here.gate.verify(challenge.id, "passkey", "touch", CONTEXT)


@both_faces
@pytest.mark.requirement("C-03", "G-13", "G-14")
def test_a_challenge_is_answered_only_where_it_was_opened(face: str) -> None:
    """Another session, device, organization, tenant, person or impersonation: as if it did not exist."""
    here = world(face=face)
    challenge = here.start("org.delete")

    for who in (
        context("sess_2"),
        context(None),
        context(device="fp_2"),
        context(device=None),
        context(organization="org_8"),
        context(organization=None),
        context(actor=OTHER),
        context(actor=replace(ACTOR, tenant="acme")),
        context(actor=replace(ACTOR, on_behalf_of="usr_1")),
    ):
        assert here.gate.verify(challenge.id, "passkey", "touch", who) == Rejected(Code.CHALLENGE_NOT_FOUND)
        assert here.gate.challenge(challenge.id, who) is None
        assert not here.gate.cancel(challenge.id, who)
    assert here.methods["passkey"].calls == 0
    assert here.gate.verify(challenge.id, "passkey", "touch", CONTEXT)


@pytest.mark.requirement("C-01", "C-09", "G-06")
def test_a_challenge_is_answered_once() -> None:
    """After it has been verified it opens nothing more; a used id can be made to revoke what it minted."""
    here = world()
    challenge = here.start("member.role")
    assert here.gate.verify(challenge.id, "passkey", "touch", CONTEXT)
    assert here.gate.verify(challenge.id, "passkey", "touch", CONTEXT) == Rejected(Code.CHALLENGE_CLOSED)
    assert here.allows("member.role")

    strict = world(revoke_on_reuse=True)
    challenge = strict.start("member.role")
    done = strict.gate.verify(challenge.id, "passkey", "touch", CONTEXT)
    assert isinstance(done, Verified)
    assert strict.allows("member.role", token=done.token)
    strict.gate.verify(challenge.id, "passkey", "touch", CONTEXT)
    assert not strict.allows("member.role", token=done.token)
    assert not strict.allows("member.role")
    assert EventType.GRANT_REVOKED in {event.type for event in strict.events()}


def test_ten_challenges_are_open_at_most() -> None:
    """The eleventh is refused until one is finished, cancelled or expired."""
    here = world()
    made = [here.start("org.delete", resource=Resource("organization", f"org_{n}")) for n in range(10)]

    refused = outcome(lambda: here.start("member.role"))
    assert isinstance(refused, Denied)
    assert refused.code == Code.RATE_LIMITED
    assert refused.retry_at == made[0].expires_at
    assert here.gate.cancel(made[3].id, CONTEXT)
    here.start("member.role")
    assert isinstance(outcome(lambda: here.start("batch.run")), Denied)
    here.clock.advance(300)
    here.start("batch.run")


# -- parts and their ages ----------------------------------------------------------


def test_a_part_can_be_too_old_when_the_last_one_comes() -> None:
    """Freshness per method: a password proved 61 seconds before the passkey has to be proved again."""
    asked = all_of(method("password", max_age=60), "passkey")
    here = world(actions=(Action("x", "X", policy=Policy(methods=asked)),))
    challenge = here.start("x")
    assert isinstance(here.gate.verify(challenge.id, "password", "pw", CONTEXT), MoreNeeded)
    here.clock.advance(61)

    late = here.gate.verify(challenge.id, "passkey", "touch", CONTEXT)
    assert isinstance(late, MoreNeeded)
    assert late.remaining == ("password",)
    assert here.gate.verify(challenge.id, "password", "pw", CONTEXT)


def test_a_part_alone_opens_nothing() -> None:
    """One of two parts mints no grant, leaves the shelf empty and freshens nothing (A-06, B-05)."""
    here = world()
    challenge = here.start("key.rotate")
    assert isinstance(here.gate.verify(challenge.id, "password", "pw", CONTEXT), MoreNeeded)

    assert here.gate.grants(CONTEXT) == ()
    assert not here.allows("key.rotate")
    assert not here.allows("note.edit")


def test_parts_belong_to_their_challenge() -> None:
    """A password proved for one challenge is no part of another."""
    here = world()
    one = here.start("key.rotate")
    assert isinstance(here.gate.verify(one.id, "password", "pw", CONTEXT), MoreNeeded)
    two = here.start("key.rotate", resource=Resource("key", "k_2"))

    assert isinstance(here.gate.verify(two.id, "passkey", "touch", CONTEXT), MoreNeeded)


@pytest.mark.requirement("P-11", "G-11")
def test_a_grant_says_what_was_proved() -> None:
    """amr holds the methods verified for this challenge; ``mfa`` stands for two distinct ones."""
    here = world()

    assert here.prove("member.role").grant.amr == ("hwk", "user")
    challenge = here.start("key.rotate")
    here.gate.verify(challenge.id, "password", "pw", CONTEXT)
    done = here.gate.verify(challenge.id, "passkey", "touch", CONTEXT)
    assert isinstance(done, Verified)
    assert set(done.grant.amr) == {"pwd", "hwk", "user", "mfa"}
    assert done.grant.auth_time == here.now
    assert min(proof.strength for proof in done.grant.proofs) == 20


def test_a_right_part_does_not_use_up_the_wrong_answers() -> None:
    """``attempts`` counts wrong answers: with one allowed, both right parts still open the action."""
    policy = Policy(methods=all_of("password", "passkey"), attempts=1)
    here = world(actions=(Action("x", "X", policy=policy),))
    challenge = here.start("x")
    assert isinstance(here.gate.verify(challenge.id, "password", "pw", CONTEXT), MoreNeeded)

    assert isinstance(here.gate.verify(challenge.id, "passkey", "touch", CONTEXT), Verified)


# -- what else opens an action -----------------------------------------------------


@pytest.mark.requirement("P-11")
def test_a_step_up_freshens_the_session_at_levels_1_and_2_only() -> None:
    """In the same session, within the window, and never at 3 or 4."""
    here = world()
    stale = context(age=86400)
    here.prove("org.delete", stale)

    assert here.gate.check("note.edit", stale).satisfied_by == "step_up"
    assert here.gate.check("member.remove", stale).satisfied_by == "step_up"
    for action in ("member.role", "key.rotate", "batch.run"):
        assert not here.allows(action, stale)
    other = context("sess_2", age=86400)
    assert not here.allows("note.edit", other)
    here.clock.advance(299)
    assert here.allows("member.remove", stale)
    here.clock.advance(1)
    assert not here.allows("member.remove", stale)
    assert here.allows("note.edit", stale)


def test_a_step_up_never_opens_level_3_even_with_a_session_window() -> None:
    """A level-3 policy with a window accepts a recent login, never an earlier step-up for something else."""
    policy = Policy(methods="any", session_window=600)
    here = world(actions=(Action("x", "X", policy=policy), Action("y", "Y", risk=Risk.LOW)))
    stale = context(age=86400)
    here.prove("y", stale)

    assert not here.allows("x", stale)
    assert here.allows("x", context(age=599))
    assert not here.allows("x", context(age=600))


@pytest.mark.requirement("P-11")
def test_session_freshness_follows_the_table() -> None:
    """30 and 5 minutes; 12 hours and 30 minutes on a trusted device; unknown and future logins are never fresh."""
    here = world()

    for action, trusted, window in (
        ("note.edit", False, 1800),
        ("note.edit", True, 43200),
        ("member.remove", False, 300),
        ("member.remove", True, 1800),
    ):
        assert here.allows(action, context(age=window - 1, trusted=trusted)), (action, trusted)
        assert not here.allows(action, context(age=window, trusted=trusted)), (action, trusted)
    for action in ("note.edit", "member.remove"):
        assert not here.allows(action, context(age=None))
        assert not here.allows(action, context(age=-1))
        assert not here.allows(action, context(None))
    for action in ("member.role", "org.delete"):
        assert not here.allows(action, context(age=0, trusted=True))


def test_a_session_must_have_been_opened_with_the_methods_asked_for() -> None:
    """Where methods are named, a fresh login by something else is not enough (A-04)."""
    policy = Policy(methods="passkey", session_window=300)
    here = world(actions=(Action("x", "X", risk=Risk.MEDIUM, policy=policy),))
    at = here.now - timedelta(seconds=10)

    assert not here.allows("x", context(age=10))
    assert not here.allows("x", context(age=10, proofs=[Proof("password", at, strength=50)]))
    assert here.allows("x", context(age=10, proofs=[Proof("passkey", at)]))
    assert not here.allows("x", context(age=10, proofs=[Proof("passkey", at - timedelta(seconds=290))]))
    assert not here.allows("x", context(age=10, proofs=[Proof("passkey", here.now + timedelta(seconds=1))]))
    assert not here.allows("x", context(age=10, proofs=[Proof("unheard_of", at, strength=50)]))


@pytest.mark.requirement("P-14")
def test_a_reset_password_opens_nothing_that_asks_for_more() -> None:
    """What a reset gives (mail and a new password) is one factor: never "password and passkey"."""
    here = world()
    at = here.now - timedelta(seconds=5)
    who = context(age=5, proofs=[Proof("password", at), Proof("email_code", at)])

    assert not here.allows("key.rotate", who)
    challenge = here.start("key.rotate", who)
    found = here.gate.verify(challenge.id, "password", "pw", who)
    assert isinstance(found, MoreNeeded)
    assert not here.allows("key.rotate", who)


def test_a_group_is_a_sudo_mode_up_to_level_3() -> None:
    """One proof opens every action of the group, on any resource; never outside the group, never at 4."""
    actions = (
        Action("a", "A", group="sudo"),
        Action("b", "B", group="sudo"),
        Action("low", "Low", risk=Risk.LOW, group="sudo"),
        Action("c", "C"),
        Action("d", "D", group="other"),
        Action("raised", "Raised", group="sudo", escalate=lambda who, resource, params: Risk.CRITICAL),
    )
    here = world(actions=actions)
    token = here.prove("a").token

    assert here.allows("b", resource=Resource("member", "m_1"), params={"x": 1})
    assert here.allows("b", token=token)
    assert here.allows("low", context(age=86400))
    for action in ("c", "d", "raised"):
        assert not here.allows(action), action
        assert not here.allows(action, token=token), action
    assert not here.allows("b", context("sess_2"), token)
    assert not here.allows("b", context(device="fp_2"), token)


def test_a_group_asks_each_action_for_its_own_strength() -> None:
    """A password grant of the group opens no action of it that asks for the strongest."""
    actions = (
        Action("weak", "Weak", group="sudo", methods="password"),
        Action("strong", "Strong", group="sudo"),
    )
    here = world(actions=actions)
    token = here.prove("weak", method="password", answer="pw").token

    assert here.allows("weak", token=token, resource=None)
    assert not here.allows("strong", token=token)
    assert not here.allows("strong")


def test_a_weaker_grant_does_not_hide_a_stronger_one() -> None:
    """A proof for something small of the group does not lock again what was proved before."""
    actions = (
        Action("weak", "Weak", group="sudo", methods="password"),
        Action("strong", "Strong", group="sudo"),
    )
    here = world(actions=actions)
    here.prove("strong")
    assert here.allows("strong")
    here.prove("weak", method="password", answer="pw")

    assert here.allows("strong")


# -- escalation and risk -----------------------------------------------------------


def _raising(who: Context, resource: Resource | None, params: Any) -> Risk | None:
    if params and params.get("role") == "boom":
        raise RuntimeError("the directory is down")
    return Risk.CRITICAL if params and params.get("role") == "owner" else None


def test_escalation_raises_and_only_raises() -> None:
    """Removing an owner is critical, removing a member is not; a hook that fails blocks the call."""
    action = Action("member.remove", "Remove", risk=Risk.MEDIUM, escalate=_raising)
    here = world(actions=(action,))
    who = context(age=10)

    assert here.allows("member.remove", who, params={"role": "member"})
    assert not here.allows("member.remove", who, params={"role": "owner"})
    challenge = here.start("member.remove", who, params={"role": "owner"})
    assert challenge.level == 4
    done = here.gate.verify(challenge.id, "passkey", "touch", who)
    assert isinstance(done, Verified)
    assert done.grant.uses == 1
    assert not here.allows("member.remove", who, params={"role": "owner"})
    assert here.allows("member.remove", who, done.token, params={"role": "owner"})
    blocked = outcome(lambda: here.gate.require("member.remove", who, params={"role": "boom"}))
    assert isinstance(blocked, Denied)
    assert blocked.code == Code.ACTION_BLOCKED


@pytest.mark.parametrize("answer", [0, 5, -1, "4", b"4", 2.5, [], {}, object(), Resource("a", "b")])
def test_an_escalation_that_answers_nonsense_blocks(answer: Any) -> None:
    """Neither the action's own level nor another: the call is refused."""
    here = world(actions=(Action("x", "X", risk=Risk.LOW, escalate=lambda *_: answer),))

    assert not here.allows("x", context(age=1))


def test_escalation_runs_again_at_every_redeem() -> None:
    """A grant from before the raise is judged under the raised rules, and refused where those want one use."""
    level: dict[str, Risk] = {"now": Risk.HIGH}
    here = world(actions=(Action("x", "X", escalate=lambda *_: level["now"]),))
    token = here.prove("x").token
    assert here.allows("x", token=token)
    level["now"] = Risk.CRITICAL

    assert not here.allows("x", token=token)
    assert not here.allows("x")


@both_faces
@pytest.mark.requirement("P-06")
@pytest.mark.parametrize(
    ("answer", "passes"),
    [
        (RiskAssessment(10, RiskLevel.LOW), True),
        (RiskAssessment(60, RiskLevel.MEDIUM), True),
        (RiskAssessment(90, RiskLevel.HIGH), False),
        (RiskAssessment(0, RiskLevel.UNKNOWN), False),
        (None, False),
        (True, False),
        ("low", False),
        ({"level": "low"}, False),
        (RuntimeError("the risk engine is down"), False),
    ],
)
def test_a_risky_session_is_blocked_at_every_step(face: str, answer: Any, passes: bool) -> None:
    """High and unknown are blocked; a failing assessor and one that answers junk are unknown."""
    current: dict[str, Any] = {"risk": RiskAssessment()}

    def assess(who: Context, action: str) -> Any:
        if isinstance(current["risk"], Exception):
            raise current["risk"]
        return current["risk"]

    blocking = Policy(block_session_risk=frozenset({RiskLevel.HIGH, RiskLevel.UNKNOWN}))
    here = world(face=face, actions=(Action("x", "X", policy=blocking),), risk=assess)
    token = here.prove("x").token
    half = here.start("x", resource=Resource("organization", "half"))
    current["risk"] = answer

    assert here.allows("x", token=token) is passes
    assert here.allows("x") is passes
    assert bool(here.gate.verify(half.id, "passkey", "touch", CONTEXT)) is passes
    assert isinstance(outcome(lambda: here.start("x")), Challenge) is passes
    assert here.methods["passkey"].calls == 1 + passes


def test_risk_can_narrow_the_methods_and_never_widen_them() -> None:
    """What the assessor leaves is what can be proved, and what counts at the redeem."""
    left: dict[str, frozenset[str] | None] = {"now": None}
    actions = (Action("x", "X", methods=("passkey", "password")), Action("y", "Y", methods="password"))
    here = world(actions=actions, risk=lambda who, action: RiskAssessment(methods=left["now"]))
    token = here.prove("x", method="password", answer="pw").token
    half = here.start("x", resource=Resource("organization", "half"))
    left["now"] = frozenset({"passkey", "email_code", "sms"})

    assert here.start("x").allowed == ("passkey",)
    refused = here.gate.verify(half.id, "password", "pw", CONTEXT)
    assert isinstance(refused, Rejected)
    assert refused.code is Code.METHOD_NOT_ALLOWED
    assert isinstance(outcome(lambda: here.start("y")), Denied)
    assert not here.allows("x", token=token)
    left["now"] = frozenset()
    assert isinstance(outcome(lambda: here.start("x")), Denied)


# -- the strongest enrolled --------------------------------------------------------


def _with_strong(*factors: Factor) -> World:
    strong = ScriptedVerifier("passkey", strength=40, answer="touch", factors=factors)
    weak = ScriptedVerifier("password", strength=20, answer="pw")
    return world(verifiers=[weak, strong], actions=(Action("x", "X"),))


def test_a_locked_strong_factor_does_not_open_the_weak_one() -> None:
    """Ten wrong touches lock the passkey; the password is still not enough."""
    here = _with_strong(Factor("k", "passkey"))
    for n in range(10):
        challenge = here.start("x", resource=Resource("r", str(n)))
        here.gate.verify(challenge.id, "passkey", "wrong", CONTEXT)
        here.clock.advance(130)
    refused = outcome(lambda: here.start("x"))

    assert isinstance(refused, Denied)
    assert refused.code == Code.LOCKED_OUT
    assert refused.methods == ()
    assert refused.retry_at is not None


@pytest.mark.parametrize("factor", [Factor("k", "passkey", usable=False)])
def test_an_unreadable_strong_factor_does_not_open_the_weak_one(factor: Factor) -> None:
    """Breaking the strong factor never opens the weak one: denied, with a hint where to enrol."""
    here = _with_strong(factor)
    refused = outcome(lambda: here.start("x"))

    assert isinstance(refused, Denied)
    assert refused.code == Code.NO_USABLE_METHOD
    assert refused.decision.unavailable["passkey"] == "unreadable"


def test_a_verifier_that_cannot_list_its_factors_is_an_unreadable_factor() -> None:
    """``enrolled`` raises: it counts as enrolled (A-07), so the weaker method opens nothing."""
    here = _with_strong()
    assert here.start("x").allowed == ("password",)

    class Broken(ScriptedVerifier):
        def enrolled(self, actor: Any, /) -> Any:
            raise RuntimeError("the directory is down")

    broken = Broken("passkey", strength=40)
    here = world(verifiers=[ScriptedVerifier("password", answer="pw"), broken], actions=(Action("x", "X"),))
    refused = outcome(lambda: here.start("x"))
    assert isinstance(refused, Denied)
    assert refused.decision.unavailable["passkey"] == "unreadable"


def test_a_quarantined_factor_does_not_count_either_way() -> None:
    """It opens nothing, and while it waits the one held before is the strongest."""
    until = START + timedelta(hours=9)
    here = _with_strong(Factor("k", "passkey", quarantined_until=until))
    assert here.start("x").allowed == ("password",)

    here.clock.set(until)
    assert here.start("x").allowed == ("passkey",)


def test_somebody_without_a_factor_is_told_where_to_enrol() -> None:
    """Never "no factor, so pass": denied, with the way on."""
    here = world(
        verifiers=[ScriptedVerifier("passkey", factors=())],
        actions=(Action("x", "X", risk=Risk.CRITICAL), Action("low", "Low", risk=Risk.LOW)),
        enrol_url="/security",
        login_url="/login",
    )
    for action, who, code_, url in (
        ("x", CONTEXT, Code.NO_USABLE_METHOD, "/security"),
        ("low", context(age=86400), Code.LOGIN_REQUIRED, "/login"),
    ):
        refused = outcome(lambda action=action, who=who: here.gate.require(action, who))
        assert isinstance(refused, Denied)
        assert refused.code == code_
        assert url in (refused.enrol_url, refused.login_url)
        assert not refused.decision.allowed


def test_equals_of_the_strongest_count_too() -> None:
    """Two methods of one strength are both the strongest."""
    here = world(
        verifiers=[ScriptedVerifier("a", strength=30), ScriptedVerifier("b", strength=30), scripted()["password"]],
        actions=(Action("x", "X"),),
    )

    assert set(here.start("x").allowed) == {"a", "b"}


# -- uses ---------------------------------------------------------------------------


@both_faces
def test_a_grant_of_three_uses_is_spent_three_times(face: str) -> None:
    """With its token and without, from one count."""
    here = world(face=face)
    token = here.prove("batch.run").token

    left = [
        here.gate.require("batch.run", CONTEXT, resource=ORG, token=given).remaining for given in (token, None, token)
    ]
    assert left == [2, 1, 0]
    assert not here.allows("batch.run", token=token)
    assert not here.allows("batch.run")


@both_faces
@pytest.mark.requirement("C-05")
def test_a_single_use_session_grant_needs_no_token(face: str) -> None:
    """Found by the server, spent once; its token is then spent as well."""
    here = world(face=face)
    token = here.prove("once.shelf").token

    passed = here.gate.require("once.shelf", CONTEXT, resource=ORG)
    assert passed.decision.satisfied_by == "grant"
    assert passed.remaining == 0
    assert not here.allows("once.shelf")
    assert not here.allows("once.shelf", token=token)


def test_at_level_4_the_token_must_be_presented() -> None:
    """A session grant is not enough, and the answer says so."""
    here = world()
    token = here.prove("org.delete").token
    refused = outcome(lambda: here.gate.require("org.delete", CONTEXT, resource=ORG))

    assert isinstance(refused, StepUpRequired)
    assert refused.code == Code.GRANT_REQUIRED
    assert here.allows("org.delete", token=token)


@pytest.mark.requirement("G-13")
def test_a_session_grant_is_for_this_very_call() -> None:
    """Other resource, params, device, organization, session, person: none of them finds it."""
    here = world()
    here.prove("member.role", params={"role": "owner"})

    assert here.allows("member.role", params={"role": "owner"})
    assert not here.allows("member.role", params={"role": "admin"})
    assert not here.allows("member.role", params={"role": "owner"}, resource=Resource("organization", "org_8"))
    for who in (
        context("sess_2"),
        context(None),
        context(device="fp_2"),
        context(device=None),
        context(organization="org_8"),
        context(actor=OTHER),
        context(actor=replace(ACTOR, on_behalf_of="usr_1")),
        context(actor=replace(ACTOR, tenant="acme")),
    ):
        assert not here.allows("member.role", who, params={"role": "owner"}), who


def test_what_an_action_does_not_bind_may_differ() -> None:
    """Params, device, or the session left out by name: the rest is compared as ever."""
    actions = (
        Action("no.params", "A", binds=BINDS - {"params"}),
        Action("no.device", "B", binds=BINDS - {"device"}),
        Action("no.session", "C", binds=BINDS - {"session"}),
    )
    here = world(actions=actions)
    here.prove("no.params", params={"n": 1})
    assert here.allows("no.params", params={"n": 2})
    assert here.allows("no.params")
    assert not here.allows("no.params", resource=None)
    here.prove("no.device")
    assert here.allows("no.device", context(device="fp_2"))
    assert not here.allows("no.device", context("sess_2"))
    token = here.prove("no.session").token
    assert here.allows("no.session", context("sess_2"))
    assert here.allows("no.session", context("sess_2"), token)
    assert here.allows("no.session", context(None), token)
    assert not here.allows("no.session", context("sess_2", device="fp_2"))
    here.gate.revoke(context("sess_1"), session=True)
    assert not here.allows("no.session", context("sess_2"), token)


# -- request ids ----------------------------------------------------------------------


@both_faces
@pytest.mark.parametrize("action", ["org.delete", "batch.run"])
@pytest.mark.requirement("Y-02")
def test_the_very_same_request_may_learn_its_own_success(face: str, action: str) -> None:
    """After a lost reply it asks again with its id, and is told again; nobody else is."""
    here = world(face=face)
    token = here.prove(action).token

    assert here.allows(action, token=token, request_id="req_1")
    assert here.allows(action, token=token, request_id="req_1")
    if action == "org.delete":
        assert not here.allows(action, token=token, request_id="req_2")
        assert not here.allows(action, token=token)
        assert not here.allows(action, token=token, request_id="")
    else:
        assert [here.allows(action, token=token, request_id=f"req_{n}") for n in (2, 3, 4)] == [True, True, False]
        assert here.allows(action, token=token, request_id="req_3")


def test_a_request_id_is_for_one_grant() -> None:
    """Another token with the same id is a redeem of its own, and the first stays spent."""
    here = world()
    one, two = here.prove("org.delete").token, here.prove("org.delete").token

    assert here.allows("org.delete", token=one, request_id="req_1")
    assert here.allows("org.delete", token=two, request_id="req_1")
    assert not here.allows("org.delete", token=two, request_id="req_2")


@pytest.mark.parametrize("action", ["org.delete", "batch.run"])
def test_a_revoked_grant_is_not_learnt_again(action: str) -> None:
    """Signing out between the request and its repetition refuses the repetition."""
    here = world()
    token = here.prove(action).token
    assert here.allows(action, token=token, request_id="req_1")
    here.gate.revoke(CONTEXT, everything=True)
    assert not here.allows(action, token=token, request_id="req_1")

    done = here.prove(action)
    assert here.allows(action, token=done.token, request_id="req_2")
    here.gate.revoke(CONTEXT, grant=done.grant.id)
    assert not here.allows(action, token=done.token, request_id="req_2")


@pytest.mark.requirement("C-05")
@pytest.mark.parametrize("what", ["params", "resource", "device", "group"])
def test_a_request_id_does_not_carry_over_to_another_request(what: str) -> None:
    """Where the binding leaves something out, the same id with other content is another request: one use, one call."""
    binds = BINDS if what == "group" else BINDS - {what}
    policy = Policy(uses=1)
    actions = [Action(name, name, policy=policy, binds=binds, group="g" if what == "group" else None) for name in "ab"]
    here = world(actions=actions)
    token = here.prove("a", params={"to": "alice"}).token
    assert here.allows("a", token=token, params={"to": "alice"}, request_id="req_1")

    call: dict[str, Any] = {"params": {"to": "alice"}, "resource": ORG}
    who = CONTEXT
    if what == "params":
        call["params"] = {"to": "mallory"}
    elif what == "resource":
        call["resource"] = Resource("organization", "org_8")
    elif what == "device":
        who = context(device="fp_2")
    assert not here.allows("b" if what == "group" else "a", who, token, request_id="req_1", **call)


# -- rules that change -------------------------------------------------------------------


def _two(old: Policy, new: Policy) -> tuple[World, World]:
    """Two processes over one store, before and after a change of one policy; "same" stays as it is."""
    store = Counting()
    same = Action("same", "Same", policy=Policy(methods="password"))
    before = world(actions=(Action("x", "X", policy=old), same), store=store)
    after = world(actions=(Action("x", "X", policy=new), same), store=store, clock=before.clock)
    return before, after


BOTH = any_of("password", "passkey")


@pytest.mark.requirement("G-03", "X-08")
@pytest.mark.parametrize(
    ("tightened", "advance"),
    [
        (Policy(methods="passkey"), 0),
        (Policy(methods=all_of("password", "passkey")), 0),
        (Policy(methods=BOTH, min_strength=0, uses=1), 0),
        (Policy(methods=BOTH, grant_ttl=60), 60),
        (Policy(methods=BOTH, max_age=60), 60),
        (Policy(methods=any_of(method("password", max_age=60), "passkey")), 60),
    ],
    ids=["methods", "more methods", "uses", "life", "age", "age of the method"],
)
def test_a_tightened_policy_applies_to_grants_already_out(tightened: Policy, advance: int) -> None:
    """Judged anew under the new rules, with token and without; the old process still follows the old ones."""
    before, after = _two(Policy(methods=BOTH), tightened)
    token = before.prove("x", method="password", answer="pw").token
    before.clock.advance(advance)

    assert before.allows("x", token=token)
    assert not after.allows("x", token=token)
    assert not after.allows("x")
    assert before.allows("x")


@pytest.mark.requirement("G-03")
def test_a_rolling_deploy_breaks_nothing_that_did_not_change() -> None:
    """Grants of both processes pass in both, where the change did not touch them or loosened the rules."""
    before, after = _two(Policy(methods="passkey"), Policy(methods=BOTH))
    for minting, using in ((before, after), (after, before)):
        same = minting.prove("same", method="password", answer="pw").token
        assert using.allows("same", token=same)
        strong = minting.prove("x").token
        assert using.allows("x", token=strong)
        assert minting.allows("x", token=strong)
    weak = after.prove("x", method="password", answer="pw").token
    assert after.allows("x", token=weak)
    assert not before.allows("x", token=weak)


def test_a_challenge_opened_before_a_change_is_concluded_under_the_new_rules() -> None:
    """A right password for a challenge of yesterday's rules is refused by today's, and the other way round."""
    before, after = _two(Policy(methods=BOTH), Policy(methods="passkey"))
    challenge = before.start("x")

    refused = after.gate.verify(challenge.id, "password", "pw", CONTEXT)
    assert isinstance(refused, Rejected)
    assert refused.code is Code.METHOD_NOT_ALLOWED
    assert after.gate.verify(challenge.id, "passkey", "touch", CONTEXT)
    challenge = after.start("x", resource=Resource("r", "2"))
    assert isinstance(before.gate.verify(challenge.id, "password", "pw", CONTEXT), Rejected)


def test_an_action_that_is_gone_takes_its_challenges_with_it() -> None:
    """A process that no longer knows the action does not know its challenges."""
    store = Counting()
    before = world(store=store)
    after = world(store=store, actions=ACTIONS[1:], clock=before.clock)
    challenge = before.start("org.delete")

    assert after.gate.verify(challenge.id, "passkey", "touch", CONTEXT) == Rejected(Code.CHALLENGE_NOT_FOUND)


def test_no_proof_outlives_its_age() -> None:
    """``max_age`` ends a grant however long it would last; with two proofs, the older one counts."""
    policy = Policy(methods=all_of("password", "passkey"), max_age=100, grant_ttl=3600)
    here = world(actions=(Action("x", "X", policy=policy),))
    challenge = here.start("x")
    here.gate.verify(challenge.id, "password", "pw", CONTEXT)
    here.clock.advance(40)
    done = here.gate.verify(challenge.id, "passkey", "touch", CONTEXT)
    assert isinstance(done, Verified)

    here.clock.advance(59)
    assert here.allows("x", token=done.token)
    here.clock.advance(1)
    assert not here.allows("x", token=done.token)
    assert not here.allows("x")


@pytest.mark.requirement("P-12")
def test_no_grant_outlives_half_a_day() -> None:
    """The longest a policy can ask for is 12 hours, and that is what it gets."""
    here = world(actions=(Action("x", "X", policy=Policy(grant_ttl=43200)),))
    grant = here.prove("x").grant
    assert grant.expires_at - grant.issued_at == timedelta(hours=12)
    with pytest.raises(StepUpError):
        Policy(grant_ttl=43201)
    with pytest.raises(StepUpError):
        Policy(session_window=86401)


@pytest.mark.requirement("P-02", "P-03")
@both_faces
def test_no_registered_action_runs_for_a_bare_session(face: str) -> None:
    """Every action of the gate, stepup's own included: refused to a session of yesterday, and nothing happens."""
    here = world(face=face)
    ran: list[str] = []
    for action in here.gate.core.registry.actions:
        needed = outcome(lambda action=action: here.gate.require(action, context(age=86400)))
        if not isinstance(needed, StepUpRequired):
            ran.append(action)
    assert ran == []


@both_faces
@pytest.mark.requirement("P-05", "P-10")
def test_no_method_is_reachable_that_is_not_listed(face: str) -> None:
    """For every action: begin and verify take exactly the methods that the challenge names, and no other name."""
    here = real_world(face)
    enrolled_totp(here, CONTEXT)
    names = (*here.gate.core.methods, "passkey", "fresh_session", "approval", "any", "strongest", "")
    for action in (*(one.id for one in REAL_ACTIONS if one.id != "crit.recovery"), "stepup.factor.add"):
        for name in names:
            here.clock.advance(3601)
            challenge = here.start(action)
            assert set(challenge.allowed) <= set(here.gate.core.methods)
            begun = outcome(lambda id_=challenge.id, name=name: here.gate.begin(id_, name, CONTEXT))
            assert isinstance(begun, Denied) is (name not in challenge.allowed), (action, name)
            found = here.gate.verify(challenge.id, name, "wrong", CONTEXT)
            assert isinstance(found, Rejected)
            code_ = Code.VERIFICATION_FAILED if name in challenge.allowed else Code.METHOD_NOT_ALLOWED
            assert found.code is code_, (action, name)
            here.gate.cancel(challenge.id, CONTEXT)


@both_faces
@pytest.mark.requirement("D-01")
def test_every_answer_and_every_redeem_is_recorded_once(face: str) -> None:
    """Right, wrong, of another method, to a closed or unknown challenge: one event each, and never two."""
    here = world(face=face)
    challenge = here.start("org.delete")
    answers: list[tuple[str, str, str]] = [
        (challenge.id, "passkey", "wrong"),
        (challenge.id, "password", "pw"),
        (challenge.id, "unheard of", "pw"),
        ("stepup_0", "passkey", "touch"),
        (challenge.id, "passkey", "touch"),
        (challenge.id, "passkey", "touch"),
    ]
    token = ""
    for one in answers:
        found = here.gate.verify(*one, CONTEXT)
        token = found.token if isinstance(found, Verified) else token
    attempts = [event for event in here.events() if event.type is EventType.ATTEMPT]
    assert [event.result for event in attempts] == ["refused"] * 4 + ["ok", "refused"]
    assert len({event.id for event in attempts}) == len(attempts)
    assert all(event.ip == "192.0.2.7" and event.actor == ACTOR.id for event in attempts)

    for _ in range(3):
        here.allows("org.delete", token=token)
    redeems = [event.result for event in here.events() if event.type is EventType.AUTHORIZATION]
    assert redeems == ["ok", "refused", "refused"]


@pytest.mark.requirement("C-10", "C-11", "E-03")
def test_ids_are_unguessable() -> None:
    """Challenge and grant ids carry 128 random bits and never meet."""
    here = world()
    seen = set()
    for _ in range(50):
        challenge = here.start("member.role")
        done = here.gate.verify(challenge.id, "passkey", "touch", CONTEXT)
        assert isinstance(done, Verified)
        for text in (challenge.id.removeprefix("stepup_"), done.grant.id):
            assert len(text) == 32
            int(text, 16)
            seen.add(text)
    assert len(seen) == 100


@pytest.mark.requirement("G-02", "G-13")
@pytest.mark.parametrize("other", ["device", "organization", "on_behalf_of", "session"])
def test_an_earlier_proof_counts_where_it_was_given(one: World, other: str) -> None:
    """At level 1 a step-up passes other actions: on this device, in this organization, for this person alone."""
    one.prove("member.remove")
    assert one.gate.check("note.edit", CONTEXT, resource=ORG).satisfied_by == "step_up"
    elsewhere = {
        "device": context(device="fp_2"),
        "organization": context(organization="org_8"),
        "on_behalf_of": context(actor=replace(ACTOR, on_behalf_of=OTHER.id)),
        "session": context("sess_2"),
    }[other]
    assert not one.gate.check("note.edit", elsewhere, resource=ORG).allowed


@pytest.mark.requirement("G-02")
def test_an_earlier_proof_ends_with_the_grant_it_earned(one: World) -> None:
    """Locking one thing again leaves no door open that the person cannot see."""
    done = one.prove("member.remove")
    assert one.gate.check("note.edit", CONTEXT, resource=ORG).allowed

    assert one.gate.revoke(CONTEXT, grant=done.grant.id)
    assert not one.gate.check("note.edit", CONTEXT, resource=ORG).allowed
