"""Decisions, errors and events: everything for the audit, only what is safe for the client."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC
from typing import Any

import pytest
from core_values import ACTOR, BINDING, CONTEXT, DEVICE, NOW, SESSION, proof

from stepup import errors
from stepup.context import RiskAssessment, RiskLevel
from stepup.decision import Authorization, Decision, Outcome, Reason
from stepup.errors import Code, Denied, StepUpError, StepUpRequired
from stepup.event import EventType, event

RISK = RiskAssessment(80, RiskLevel.HIGH, ("new_device",))
DECISION = Decision(
    Outcome.STEP_UP_REQUIRED, Code.GRANT_INVALID, "organization.delete", 4,
    reasons=(Reason("params_changed", {"field": "amount"}), Reason("proof_stale", {"by": 312}, public=True)),
    methods=("totp",), unavailable={"passkey": "not_enrolled"}, satisfied_by=None, offer="an.opaque.offer",
    grant_id="grant_1", max_age=300, retry_at=NOW, enrol_url="/enrol", login_url="/login", rules="abc", risk=RISK,
)  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "allowed"), [(Outcome.ALLOWED, True), (Outcome.STEP_UP_REQUIRED, False), (Outcome.DENIED, False)]
)
def test_a_decision_says_whether_it_allows(outcome: Outcome, allowed: bool) -> None:
    """Of the three outcomes one allows; a decision itself is neither true nor false, so no ``if`` can misread it."""
    decision = replace(DECISION, outcome=outcome)

    assert decision.allowed is allowed
    with pytest.raises(TypeError, match=r"no truth value"):
        bool(decision)
    assert len(Outcome) == 3


@pytest.mark.requirement("D-07", "Z-02", "P-08")
def test_what_a_client_may_see() -> None:
    """Neither the causes of a refused proof, nor risk, rules, grant or level of detail are in the public form."""
    public = DECISION.public()

    assert public == {
        "outcome": "step_up_required", "code": "grant_invalid", "action": "organization.delete", "methods": ["totp"],
        "unavailable": {"passkey": "not_enrolled"}, "maxAge": 300, "acrValues": "urn:stepup:level:4",
        "retryAt": "2026-06-11T18:03:00+00:00", "enrolUrl": "/enrol", "loginUrl": "/login",
        "reasons": [{"reason": "proof_stale", "by": 312}],
    }  # fmt: skip
    text = json.dumps(public)
    for hidden in ("params_changed", "amount", "80", "new_device", "abc", "grant_1", "opaque"):
        assert hidden not in text
    assert replace(DECISION, retry_at=None).public()["retryAt"] is None


def test_the_full_form_explains_everything() -> None:
    """The audit gets every reason with its numbers, and is plain JSON."""
    full = DECISION.explain()

    assert full["reasons"] == [{"reason": "params_changed", "field": "amount"}, {"reason": "proof_stale", "by": 312}]
    assert full["risk"] == {"score": 80, "level": "high", "reasons": ["new_device"], "methods": None}
    assert (full["rules"], full["grantId"], full["level"], full["satisfiedBy"]) == ("abc", "grant_1", 4, None)
    assert set(DECISION.public()) <= set(full)
    assert json.loads(json.dumps(full)) == full


def test_an_offer_is_not_shown() -> None:
    """An offer belongs to the one it was made for, not to a log."""
    assert "opaque" not in repr(DECISION)


def test_an_authorization_knows_its_strength() -> None:
    """The strongest proof behind it, or nothing where a session was enough."""
    base = Authorization("a", ACTOR, NOW, DECISION)

    assert base.strength == 0
    assert replace(base, proofs=(proof("password", strength=20), proof("totp", strength=30))).strength == 30


# -- errors ------------------------------------------------------------------------------------


def test_what_a_refusal_carries() -> None:
    """The exception holds the decision, and hands out what a caller needs of it."""
    needed, denied = StepUpRequired(DECISION), Denied(replace(DECISION, offer=None))

    assert (needed.code, needed.action, needed.methods, needed.retry_at) == (
        Code.GRANT_INVALID, "organization.delete", ("totp",), NOW,
    )  # fmt: skip
    assert needed.offer == "an.opaque.offer"
    assert StepUpRequired(replace(DECISION, offer=None)).offer == ""
    assert (denied.enrol_url, denied.login_url) == ("/enrol", "/login")
    assert (
        str(needed)
        == "organization.delete: grant_invalid. Start a challenge with the offer, verify it, then repeat the call."
    )
    assert str(Denied(DECISION, "No.")) == "No."
    assert "opaque" not in repr(needed) + str(needed)


def test_a_refusal_says_what_to_do() -> None:
    """By its code alone, also where no action is known; what the code hides stays hidden."""
    limited = Denied(replace(DECISION, code=Code.RATE_LIMITED, reasons=(Reason("sends"),)))
    stranger = Denied(Decision(Outcome.DENIED, Code.CHALLENGE_NOT_FOUND, "", 0, (Reason("gone"),)))

    assert str(limited) == "organization.delete: rate_limited. Wait until retry_at."
    assert str(stranger).startswith("challenge_not_found. ")
    assert "gone" not in str(stranger)
    for code in Code:
        spoken = str(Denied(replace(DECISION, code=code, reasons=())))
        assert spoken.endswith(errors.HELPS.get(code, code.value)), code


def every_error(kind: type[StepUpError] = StepUpError) -> list[type[StepUpError]]:
    return [kind, *(found for sub in kind.__subclasses__() for found in every_error(sub))]


def test_the_tree_is_the_one_that_is_drawn() -> None:
    """Every class is in the module's drawing, has a stable code and a sentence of its own."""
    for kind in every_error():
        if kind.__module__ == "stepup.errors":
            assert kind.__name__ in str(errors.__doc__)
            assert kind.code
            assert kind.__doc__
            assert kind.__doc__ != StepUpError.__doc__ or kind is StepUpError


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [(errors.ConfigurationError, ValueError), (errors.UnknownAction, LookupError), (errors.WrongColour, TypeError),
     (errors.InvalidInput, ValueError)],
)  # fmt: skip
def test_misuse_is_also_the_builtin_people_expect(kind: type[Exception], builtin: type[Exception]) -> None:
    """Code that catches ValueError, LookupError or TypeError catches ours."""
    assert issubclass(kind, builtin)
    assert issubclass(kind, errors.Misuse)


def test_an_error_ends_with_its_remedy() -> None:
    """What to do stands in the message, the class's own unless the call has a better one."""
    assert str(errors.NotInteractive("Nobody can answer.")).endswith(errors.NotInteractive.remedy)
    assert str(errors.Misuse("Wrong.", remedy="Do it right.")) == "Wrong. Do it right."
    assert str(errors.Misuse("Wrong.")) == "Wrong."
    assert errors.UnknownAction("x", ()).remedy.endswith("known are: none.")


def test_codes_are_what_they_are_called() -> None:
    """Each outward code is its own name in small letters: stable, and easy to search for."""
    assert [code.value for code in Code] == [code.name.lower() for code in Code]


# -- events --------------------------------------------------------------------------------------


@pytest.mark.requirement("D-02")
def test_an_event_says_who_what_when_and_where_from() -> None:
    """It takes its fields from the request and the call, and its time is in UTC."""
    made = event(
        "e1", NOW, EventType.ATTEMPT, "refused", replace(CONTEXT, actor=replace(ACTOR, on_behalf_of="usr_1")),
        binding=BINDING, risk=RISK, reason="wrong_code", method="totp", challenge_id="c1", grant_id="g1", rules="r",
        snapshot={"level": 4}, detail={"left": 3},
    )  # fmt: skip

    found = {field.name: getattr(made, field.name) for field in fields(made)}
    assert found == {
        "id": "e1", "at": NOW, "type": EventType.ATTEMPT, "result": "refused", "actor": "usr_2048",
        "reason": "wrong_code",
        "on_behalf_of": "usr_1", "action": "organization.delete", "resource_type": "organization",
        "resource_id": "org_7", "organization": "org_7", "session": BINDING.session, "device": BINDING.device,
        "method": "totp", "risk_score": 80, "risk_level": "high", "ip": "81.2.69.142", "user_agent": "Safari",
        "challenge_id": "c1", "grant_id": "g1", "rules": "r", "detail": {"left": 3}, "snapshot": {"level": 4},
    }  # fmt: skip
    assert made.at.tzinfo is UTC


@pytest.mark.requirement("D-03")
def test_an_event_holds_no_secret() -> None:
    """Session and device are there as hashes only."""
    made = event("e1", NOW, EventType.ATTEMPT, "ok", CONTEXT, binding=BINDING)

    text = repr(made)
    assert SESSION.id not in text
    assert DEVICE.fingerprint not in text


def test_an_event_without_a_call() -> None:
    """What happened to the person as a whole names no action, session or device."""
    made = event("e1", NOW, EventType.UNLOCKED, "ok", CONTEXT)

    missing: list[Any] = [made.action, made.resource_type, made.resource_id, made.session, made.device, made.method]
    assert missing == [None] * 6
    assert (made.detail, made.snapshot, made.risk_level) == ({}, None, "low")
