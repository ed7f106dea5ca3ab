"""Impersonation: whoever acts proves it is them, with what is theirs; nothing of the impersonated person's counts."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from engine_bench import (
    ACTIONS,
    ACTOR,
    CONTEXT,
    ORG,
    OTHER,
    PASSWORD,
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
    Action,
    Actor,
    Authorization,
    Code,
    ConfigurationError,
    Context,
    Denied,
    Factor,
    Item,
    MoreNeeded,
    Policy,
    Proof,
    Rejected,
    Resource,
    Risk,
    StepUpRequired,
    Strength,
    Verified,
    any_of,
    method,
)
from stepup.approval import Approvers
from stepup.errors import InvalidInput
from stepup.testing.clock import START
from stepup.testing.scripted import ScriptedVerifier
from stepup.verifiers import Approval

pytestmark = both_faces

BEHALF = replace(ACTOR, on_behalf_of=OTHER.id)
AS_MARCUS = context(actor=BEHALF)


def asked(here: World, action: str, who: Context = AS_MARCUS, token: str | None = None) -> Any:
    return outcome(lambda: here.gate.require(action, who, resource=ORG, token=token))


@pytest.mark.parametrize("action", [one.id for one in ACTIONS])
def test_the_default_refuses_critical_actions_and_asks_for_the_others(face: str, action: str) -> None:
    """Denied with a way on, before anything is asked or stored."""
    here = world(face=face)
    found = asked(here, action)

    if here.gate.core.registry.action(action).level == Risk.CRITICAL:
        assert isinstance(found, Denied)
        assert (found.code, found.decision.public()["reasons"]) == (Code.ACTION_BLOCKED, [{"reason": "impersonating"}])
        assert "yourself" in found.remedy
        assert here.store.calls == []
        assert isinstance(outcome(partial(here.gate.start, action, AS_MARCUS, resource=ORG)), Denied)
    else:
        assert isinstance(found, StepUpRequired)


def test_escalation_to_critical_refuses_too(face: str) -> None:
    """The default goes by the level in force."""
    owner = Action("member.out", "Remove", risk=Risk.MEDIUM, escalate=lambda *_: Risk.CRITICAL)  # pyright: ignore
    assert isinstance(asked(world(face=face, actions=(owner,)), "member.out"), Denied)


def test_an_action_says_otherwise(face: str) -> None:
    """``refuse`` at any level, ``prove`` at level 4."""
    here = world(
        face=face,
        actions=(
            Action("never", "Never", risk=Risk.LOW, impersonation="refuse"),
            Action("well", "Well", risk=Risk.CRITICAL, impersonation="prove"),
        ),
    )
    assert isinstance(asked(here, "never"), Denied)
    assert isinstance(asked(here, "never", context(age=1)), Authorization)
    token = here.prove("well", AS_MARCUS).token
    assert isinstance(asked(here, "well", token=token), Authorization)


def test_the_impersonated_persons_factors_never_count(face: str) -> None:
    """The acting person's are looked up, counted and answered with; the other's answer is wrong."""
    factors = {
        ACTOR.id: [Factor("olivias", "password")],
        OTHER.id: [Factor("marcus", "password"), Factor("marcus-key", "passkey")],
    }
    here = world(face=face, verifiers=[_Own("password", factors), _Own("passkey", factors)])
    needed = asked(here, "member.role")
    assert needed.methods == ("password",)
    challenge = here.gate.start_offer(needed.offer, AS_MARCUS)
    assert [factor.id for factor in challenge.factors] == ["olivias"]
    assert not here.gate.verify(challenge.id, "password", "marcus", AS_MARCUS)
    assert not here.gate.verify(challenge.id, "passkey", "marcus-key", AS_MARCUS)
    # nor can he answer it himself, from his own session or from hers
    for who in (context(actor=OTHER), context("sess_2", actor=OTHER)):
        rejected: Any = here.gate.verify(challenge.id, "password", "marcus", who)
        assert rejected.code == Code.CHALLENGE_NOT_FOUND
    assert isinstance(here.gate.verify(challenge.id, "password", "olivias", AS_MARCUS), Verified)


class _Own(ScriptedVerifier):
    """Accepts the id of a factor of the person who is asked, and nothing else."""

    def __init__(self, method_: str, held: dict[str, list[Factor]]) -> None:
        super().__init__(method_)
        self._held = held

    def enrolled(self, actor: Actor, /) -> Any:
        return [factor for factor in self._held.get(actor.id, []) if factor.method == self.method]

    def check(self, state: Any, response: object, context: Any, /) -> Any:
        self._answer = next((ref.id for ref in context.factors), None)
        return super().check(state, response, context)


def test_no_session_counts(face: str) -> None:
    """Neither the login of whoever acts, nor one of the other's, nor one that names what was proved."""
    proofs = (Proof("passkey", START, ("hwk",), strength=Strength.PASSKEY),)
    fresh = context(actor=BEHALF, age=1, proofs=proofs)
    login = Action("by.login", "By login", policy=Policy(methods=any_of(method("fresh_session", max_age=600))))
    here = world(face=face, actions=(*ACTIONS, login))

    for action in ("note.edit", "member.remove"):
        found = asked(here, action, fresh)
        assert isinstance(found, StepUpRequired)
        assert {"reason": "impersonating"} in found.decision.public()["reasons"]  # type: ignore[operator]
    assert isinstance(asked(here, "by.login", fresh), Denied)
    assert asked(here, "by.login", fresh).code == Code.NO_USABLE_METHOD
    assert isinstance(asked(here, "note.edit", context(age=1)), Authorization)


def test_a_proof_is_for_the_one_acted_for(face: str) -> None:
    """Not for oneself, not for a third; and nobody's own proof is one on behalf of somebody."""
    here = world(face=face)
    behalf, own = here.prove("member.role", AS_MARCUS).token, here.prove("member.role").token
    third = context(actor=replace(ACTOR, on_behalf_of="usr_3"))

    assert isinstance(asked(here, "member.role", CONTEXT, behalf), StepUpRequired)
    assert isinstance(asked(here, "member.role", third, behalf), StepUpRequired)
    assert isinstance(asked(here, "member.role", AS_MARCUS, own), StepUpRequired)
    assert isinstance(asked(here, "member.role", context(actor=OTHER), behalf), StepUpRequired)
    assert isinstance(asked(here, "member.role", AS_MARCUS, behalf), Authorization)


def test_both_stand_in_token_events_and_challenge(face: str) -> None:
    """``act`` says who acts (RFC 8693), ``sub`` for whom; every event has both."""
    here = world(face=face)
    done = here.prove("member.role", AS_MARCUS)
    body = done.token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))

    assert (claims["sub"], claims["act"]) == (OTHER.id, {"sub": ACTOR.id})
    assert done.challenge.binding.on_behalf_of == OTHER.id
    assert {(event.actor, event.on_behalf_of) for event in here.events()} == {(ACTOR.id, OTHER.id)}
    assert here.events(OTHER) == []


def test_mails_name_both(face: str) -> None:
    """The code's mail and the notice that follows a recovery code; both go to whoever acts."""
    here = real_world(face)
    secret = enrolled_totp(here, CONTEXT)
    codes = recovery_codes(here, CONTEXT, secret)
    here.clock.advance(60)
    challenge = here.start("by.mail", AS_MARCUS)
    here.gate.begin(challenge.id, "email_code", AS_MARCUS)
    mail = here.outbox.messages[-1]
    assert mail.to == ACTOR.email
    assert f"On behalf of: {OTHER.id}" in mail.text

    spent = here.start("by.both", AS_MARCUS)
    here.gate.verify(spent.id, "password", PASSWORD, AS_MARCUS)
    assert isinstance(here.gate.verify(spent.id, "recovery_code", codes[0], AS_MARCUS), Verified)
    notice = next(one for one in here.outbox.messages if "recovery code" in one.subject and "was used" in one.subject)
    assert notice.to == ACTOR.email
    assert f"On behalf of: {OTHER.id}" in notice.text
    assert "on behalf of" not in here.outbox.messages[0].text.lower()


def test_factors_are_everybodys_own(face: str) -> None:
    """Nothing is enrolled, confirmed, renamed, removed, acknowledged or unlocked on behalf of somebody."""
    here = real_world(face)
    secret = enrolled_totp(here, CONTEXT)
    before = here.gate.factors.list(CONTEXT)
    totp = next(one for one in before if one.method == "totp")
    authorized = Authorization("x", BEHALF, here.now, here.gate.check("member.remove", CONTEXT))
    factors = here.gate.factors
    for call in (
        partial(factors.enrol_totp, AS_MARCUS),
        partial(factors.enrol_totp, context(actor=BEHALF, age=1)),
        partial(factors.confirm_totp, AS_MARCUS, totp.id, code(secret, here.now)),
        partial(factors.new_recovery_codes, AS_MARCUS),
        partial(factors.rename, AS_MARCUS, totp.id, "mine"),
        partial(factors.remove, AS_MARCUS, totp.id),
        partial(factors.changed, AS_MARCUS, "password", authorized),
        partial(here.gate.unlock, Actor("usr_3"), AS_MARCUS),
    ):
        refused = outcome(call)
        assert isinstance(refused, Denied), call
        assert (refused.code, refused.decision.reasons[0].code) == (Code.ACTION_BLOCKED, "impersonating")
    assert here.gate.factors.list(CONTEXT) == before
    assert isinstance(
        outcome(lambda: here.gate.start("stepup.factor.add", AS_MARCUS, resource=Resource("factors", ACTOR.id))), Denied
    )


def test_an_approval_can_be_asked_for_besides(face: str) -> None:
    """The acting person's own proof, and somebody's approval: neither alone, and no login in their place."""
    approval = Approval(approvers=Approvers(people=["usr_9"], step_up=False))
    actions = (
        Action("case.close", "Close case", policy=Policy(methods="password"), impersonation="approve"),
        Action("case.named", "Named", policy=Policy(methods="approval"), impersonation="approve"),
    )
    here = world(face=face, actions=actions, verifiers=[*scripted().values(), approval])

    assert set(asked(here, "case.close").methods) == {"password", "approval"}
    assert asked(here, "case.close", CONTEXT).methods == ("password",)
    assert asked(here, "case.named").methods == ("approval",)
    challenge = here.start("case.close", AS_MARCUS)
    assert isinstance(here.gate.verify(challenge.id, "password", "pw", AS_MARCUS), MoreNeeded)
    here.gate.begin(challenge.id, "approval", AS_MARCUS)
    waiting = here.gate.verify(challenge.id, "approval", None, AS_MARCUS)
    assert isinstance(waiting, Rejected)
    assert waiting.code is Code.APPROVAL_PENDING
    other = Context(Actor("usr_9", tenant=AS_MARCUS.actor.tenant), organization=AS_MARCUS.organization)
    (request,) = here.gate.approvals.inbox(other).items
    here.gate.approvals.approve(request.id, other)
    done = here.gate.verify(challenge.id, "approval", None, AS_MARCUS)
    assert isinstance(done, Verified)
    assert isinstance(asked(here, "case.close", token=done.token), Authorization)


def test_what_others_approve_is_in_no_bundle(face: str) -> None:
    """What they approve is one call, with its params: a list is asked for without it."""
    approval = Approval(approvers=Approvers(people=["usr_9"], step_up=False))
    actions = (Action("case.close", "Close case", policy=Policy(methods="password"), impersonation="approve"),)
    here = world(face=face, actions=actions, verifiers=[*scripted().values(), approval])
    items = [Item("case.close", ORG)]
    with pytest.raises(InvalidInput, match="others approve"):
        here.gate.start_bundle(items, AS_MARCUS)
    assert here.gate.start_bundle(items, CONTEXT).allowed == ("password",)


def test_an_approval_nobody_can_give_is_a_mistake_at_once(face: str) -> None:
    """Without a verifier for it."""
    with pytest.raises(ConfigurationError, match="approval"):
        world(face=face, actions=(Action("case.close", "Close", impersonation="approve"),))


def test_a_bundle_is_refused_with_its_critical_item(face: str) -> None:
    """The strictest item decides."""
    here = world(face=face)
    assert isinstance(outcome(partial(here.gate.require_bundle, [Item("member.role", ORG)], AS_MARCUS)), StepUpRequired)
    items = [Item("member.role", ORG), Item("org.delete", ORG)]
    assert isinstance(outcome(partial(here.gate.require_bundle, items, AS_MARCUS)), Denied)
