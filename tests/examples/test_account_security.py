"""The account-security page, row by row, through a real gate."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest

from stepup import (
    Actor,
    Code,
    Context,
    Denied,
    Device,
    Outcome,
    Proof,
    Rejected,
    Resource,
    Risk,
    RiskAssessment,
    RiskLevel,
    Session,
    StepUp,
    StepUpRequired,
    Verified,
)
from stepup.testing.clock import FrozenClock

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))
import account_security as page  # noqa: E402

SETTINGS = Resource("user_security_settings", "usr_2048")
METHODS = {
    "disable_mfa": ("passkey", "totp", "password"),
    "export_data": ("passkey", "totp"),
    "rotate_key": ("passkey", "password"),
}
PAIRS = [(action, method) for action, methods in METHODS.items() for method in methods]
REFUSED = [(action, method) for action in METHODS for method in METHODS["disable_mfa"] if method not in METHODS[action]]
LOW, MEDIUM, HIGH, UNKNOWN = (RiskAssessment(level=level) for level in RiskLevel)


class Assessor:
    """Session risk as the test sets it."""

    def __init__(self) -> None:
        self.found: RiskAssessment | None = LOW

    def __call__(self, context: Context, action: str, /) -> RiskAssessment:
        if self.found is None:
            raise TimeoutError("the risk engine does not answer")
        return self.found


@dataclass
class Page:
    gate: StepUp
    clock: FrozenClock
    assessor: Assessor

    def context(self, *proofs: str, minutes: float = 60, trusted: bool = False) -> Context:
        """A person who signed in that many minutes ago, with *proofs*."""
        at = self.clock.now() - timedelta(minutes=minutes)
        session = Session("a-session", at, tuple(Proof(method, at) for method in proofs))
        return Context(Actor("usr_2048"), session, Device("a-browser", trusted=trusted))

    def response(self, method: str) -> str:
        codes = {"passkey": "touch", "password": "seven quiet herons"}
        return codes.get(method) or pyotp.TOTP(page.TOTP_SECRET).at(self.clock.now())

    def prove(self, action: str, method: str, context: Context) -> Verified:
        challenge = self.gate.start(action, context, resource=SETTINGS)
        result = self.gate.verify(challenge.id, method, self.response(method), context)
        assert isinstance(result, Verified)
        return result


@pytest.fixture
def desk() -> Page:
    clock, assessor = FrozenClock(), Assessor()
    return Page(page.build_gate(assessor, clock=clock), clock, assessor)


# -- methods ---------------------------------------------------------------------------


@pytest.mark.parametrize("action", METHODS)
def test_the_three_actions_ask_for_their_methods(desk: Page, action: str) -> None:
    with pytest.raises(StepUpRequired) as blocked:
        desk.gate.require(action, desk.context(), resource=SETTINGS)
    assert blocked.value.methods == METHODS[action]


def test_their_risks(desk: Page) -> None:
    risks = {action: desk.gate.core.registry.action(action).risk for action in METHODS}
    assert risks == {"disable_mfa": Risk.HIGH, "export_data": Risk.MEDIUM, "rotate_key": Risk.HIGH}


@pytest.mark.parametrize(("action", "method"), PAIRS)
def test_each_method_opens_what_names_it(desk: Page, action: str, method: str) -> None:
    context = desk.context()
    result = desk.prove(action, method, context)
    passed = desk.gate.require(action, context, resource=SETTINGS, token=result.token)
    assert [proof.method for proof in passed.proofs] == [method]


@pytest.mark.requirement("P-10")
@pytest.mark.parametrize(("action", "method"), REFUSED)
def test_no_method_opens_what_does_not_name_it(desk: Page, action: str, method: str) -> None:
    context = desk.context()
    challenge = desk.gate.start(action, context, resource=SETTINGS)
    result = desk.gate.verify(challenge.id, method, desk.response(method), context)
    assert isinstance(result, Rejected)
    assert result.code is Code.METHOD_NOT_ALLOWED


@pytest.mark.parametrize("action", METHODS)
def test_the_token_must_be_presented_and_opens_nothing_else(desk: Page, action: str) -> None:
    context = desk.context()
    token = desk.prove(action, METHODS[action][0], context).token
    with pytest.raises(StepUpRequired):
        desk.gate.require(action, context, resource=SETTINGS)
    for other in METHODS.keys() - {action}:
        with pytest.raises(StepUpRequired) as refused:
            desk.gate.require(other, context, resource=SETTINGS, token=token)
        assert refused.value.decision.code is Code.GRANT_INVALID


# -- five minutes ----------------------------------------------------------------------


@pytest.mark.parametrize(("action", "method"), PAIRS)
def test_a_proof_opens_nothing_after_five_minutes(desk: Page, action: str, method: str) -> None:
    context = desk.context()
    token = desk.prove(action, method, context).token
    desk.clock.advance(299)
    assert desk.gate.check(action, context, resource=SETTINGS, token=token).allowed
    desk.clock.advance(1)
    assert not desk.gate.check(action, context, resource=SETTINGS, token=token).allowed


@pytest.mark.parametrize("action", METHODS)
@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("proof", ["passkey", "totp", "password"])
def test_no_login_is_fresh_enough_not_even_on_a_trusted_device(
    desk: Page, action: str, trusted: bool, proof: str
) -> None:
    decision = desk.gate.check(action, desk.context(proof, minutes=0, trusted=trusted), resource=SETTINGS)
    assert decision.outcome is Outcome.STEP_UP_REQUIRED


@pytest.mark.parametrize("action", METHODS)
def test_no_proof_for_one_opens_another(desk: Page, action: str) -> None:
    context = desk.context()
    desk.prove(action, "passkey", context)
    for other in METHODS:
        assert desk.gate.check(other, context, resource=SETTINGS).outcome is Outcome.STEP_UP_REQUIRED


# -- session risk ----------------------------------------------------------------------


@pytest.mark.requirement("P-06")
@pytest.mark.parametrize("action", METHODS)
@pytest.mark.parametrize("risk", [HIGH, UNKNOWN, None], ids=["high", "unknown", "failing"])
def test_high_and_unknown_risk_block_whatever_is_proved(desk: Page, action: str, risk: RiskAssessment | None) -> None:
    context = desk.context("passkey", minutes=1)
    token = desk.prove(action, "passkey", context).token
    pending = desk.gate.start(action, context, resource=SETTINGS)
    desk.assessor.found = risk
    for given in (None, token):
        with pytest.raises(Denied) as refused:
            desk.gate.require(action, context, resource=SETTINGS, token=given)
        assert refused.value.decision.code is Code.ACTION_BLOCKED
    with pytest.raises(Denied) as refused:
        desk.gate.start(action, context, resource=SETTINGS)
    assert refused.value.decision.code is Code.ACTION_BLOCKED
    result = desk.gate.verify(pending.id, "passkey", "touch", context)
    assert isinstance(result, Rejected)
    assert result.code is Code.ACTION_BLOCKED


@pytest.mark.parametrize("action", METHODS)
@pytest.mark.parametrize("risk", [LOW, MEDIUM], ids=["low", "medium"])
def test_low_and_medium_risk_ask_for_proof_as_ever(desk: Page, action: str, risk: RiskAssessment) -> None:
    desk.assessor.found = risk
    context = desk.context()
    token = desk.prove(action, "passkey", context).token
    assert desk.gate.require(action, context, resource=SETTINGS, token=token).decision.satisfied_by == "token"


@pytest.mark.parametrize("risk", [HIGH, UNKNOWN], ids=["high", "unknown"])
def test_what_the_application_says_itself_blocks_too(desk: Page, risk: RiskAssessment) -> None:
    context = Context(Actor("usr_2048"), Session("a-session"), risk=risk)
    with pytest.raises(Denied):
        desk.gate.require("rotate_key", context, resource=SETTINGS)


@pytest.mark.parametrize("action", METHODS)
def test_the_device_may_be_remembered(desk: Page, action: str) -> None:
    registry = desk.gate.core.registry
    policy = registry.rules(action, registry.action(action).level).policy
    assert policy.remember
    assert policy.max_age == 300
    assert policy.block_session_risk == {RiskLevel.HIGH, RiskLevel.UNKNOWN}


@pytest.mark.requirement("P-08")
def test_an_export_shows_what_is_exported(desk: Page) -> None:
    challenge = desk.gate.start("export_data", desk.context(), params={"format": "JSON", "since": "2026-01-01"})
    assert challenge.shown == (("Format", "JSON"), ("Since", "2026-01-01"))


def test_it_prints_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    page.main()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == list(METHODS)
    assert [line[-3:] for line in lines[3:5]] == [["action_blocked"] * 3] * 2
    assert len(lines) == 6
    assert "passes" not in lines[5]
