"""The table of four levels, row by row, through a real gate."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from stepup import (
    Action,
    Actor,
    Code,
    Context,
    Denied,
    Outcome,
    Rejected,
    Resource,
    Risk,
    Session,
    StepUp,
    StepUpRequired,
    Strength,
    Verified,
)
from stepup.mailers import Outbox
from stepup.stores.memory import MemoryStore
from stepup.testing.clock import FrozenClock
from stepup.verifiers import EmailCode, Password

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))
import four_levels  # noqa: E402

PASSWORD = "seven quiet herons"
SECRET = "a secret of these tests, and of nothing else"
ROLES = {"usr_ada": "owner", "usr_bo": "admin", "usr_cy": "member", "usr_di": "guest"}
ORG, MEMBER = Resource("organization", "org_7"), Resource("member", "usr_cy")

SEVEN = {
    "organization.delete": 4,
    "account.delete": 4,
    "organization.changeMemberRole": 3,
    "organization.removeMember": 2,
    "billing.cancelSubscription": 3,
    "account.changeEmail": 3,
    "account.changePassword": 3,
}


@dataclass
class Desk:
    """A gate, its clock and its outbox."""

    gate: StepUp
    clock: FrozenClock
    outbox: Outbox

    def context(self, minutes: float | None, *, actor: str = "usr_2048", session: str = "a") -> Context:
        """A person who signed in that many minutes ago; ``usr_4096`` has no password."""
        at = None if minutes is None else self.clock.now() - timedelta(minutes=minutes)
        return Context(Actor(actor, email=f"{actor}@northstar.example"), Session(session, at), organization="org_7")

    def answer(self, action: str, context: Context, method: str, resource: Resource = ORG) -> Verified:
        with pytest.raises(StepUpRequired) as blocked:
            self.gate.require(action, context, resource=resource)
        challenge = self.gate.start_offer(blocked.value.offer, context)
        response = PASSWORD
        if method == "email_code":
            self.gate.begin(challenge.id, method, context)
            response = self.outbox.code()
        result = self.gate.verify(challenge.id, method, response, context)
        assert isinstance(result, Verified)
        return result


@pytest.fixture
def desk() -> Desk:
    clock, outbox = FrozenClock(), Outbox()
    gate = four_levels.build_gate(
        lambda organization, member: ROLES.get(member) if organization == "org_7" else None,
        check=lambda actor, password: actor.id == "usr_2048" and password == PASSWORD,
        has_password=lambda actor: actor.id == "usr_2048",
        mailer=outbox,
        secret=SECRET,
        clock=clock,
    )
    return Desk(gate, clock, outbox)


def test_the_seven_actions_have_their_levels(desk: Desk) -> None:
    own = {one.id: int(one.risk) for one in desk.gate.core.registry.actions.values() if "stepup." not in one.id}
    assert own == SEVEN


def test_the_table() -> None:
    rows = {
        int(level): (policy.session_window, policy.grant_ttl, policy.uses, policy.token_required)
        for level, policy in four_levels.POLICIES.items()
    }
    assert rows == {
        1: (1800, 600, None, False),
        2: (300, 600, None, False),
        3: (0, 300, None, False),
        4: (0, 120, 1, True),
    }


# -- a fresh session --------------------------------------------------------------------


@pytest.mark.parametrize("action", SEVEN)
def test_a_fresh_session_passes_low_and_medium_alone(desk: Desk, action: str) -> None:
    decision = desk.gate.check(action, desk.context(0), resource=MEMBER)
    assert (decision.outcome is Outcome.ALLOWED) is (SEVEN[action] <= 2)
    if decision.outcome is Outcome.ALLOWED:
        assert decision.satisfied_by == "session"
        assert desk.gate.require(action, desk.context(0), resource=MEMBER).grant_id is None


@pytest.mark.parametrize(("minutes", "passes"), [(0, True), (4.99, True), (5, False), (60, False), (None, False)])
def test_medium_takes_a_session_of_less_than_five_minutes(desk: Desk, minutes: float | None, passes: bool) -> None:
    decision = desk.gate.check("organization.removeMember", desk.context(minutes), resource=MEMBER)
    assert (decision.outcome is Outcome.ALLOWED) is passes


@pytest.mark.parametrize(("minutes", "passes"), [(0, True), (29.99, True), (30, False), (None, False)])
def test_low_takes_a_session_of_less_than_half_an_hour_and_nothing_else(
    desk: Desk, minutes: float | None, passes: bool
) -> None:
    actions, policies = four_levels.build(lambda *_: None)
    gate = StepUp(
        actions=[*actions, Action("workspace.rename", "Rename workspace", risk=Risk.LOW)],
        policies=policies,
        verifiers=[Password(check=lambda *_: True), EmailCode(Outbox())],
        store=MemoryStore(),
        secret=SECRET,
        clock=desk.clock,
        login_url="/login",
    )
    context = desk.context(minutes)
    if passes:
        assert gate.require("workspace.rename", context).decision.satisfied_by == "session"
        return
    with pytest.raises(Denied) as refused:
        gate.require("workspace.rename", context)
    assert refused.value.decision.code is Code.LOGIN_REQUIRED
    assert refused.value.login_url == "/login"


# -- methods ---------------------------------------------------------------------------


@pytest.mark.requirement("P-02")
@pytest.mark.parametrize("action", SEVEN)
def test_everybody_else_is_asked_for_the_password_or_a_mailed_code(desk: Desk, action: str) -> None:
    decision = desk.gate.check(action, desk.context(60), resource=MEMBER)
    assert decision.outcome is Outcome.STEP_UP_REQUIRED
    assert decision.methods == ("password", "email_code")


@pytest.mark.parametrize("action", SEVEN)
def test_people_without_a_password_go_to_mail_by_themselves(desk: Desk, action: str) -> None:
    context = desk.context(60, actor="usr_4096")
    decision = desk.gate.check(action, context, resource=MEMBER)
    assert decision.methods == ("email_code",)
    assert decision.unavailable == {"password": "not_enrolled"}
    result = desk.answer(action, context, "email_code", MEMBER)
    assert desk.gate.require(action, context, resource=MEMBER, token=result.token).strength == Strength.MAILED


def test_a_password_they_do_not_have_opens_nothing(desk: Desk) -> None:
    context = desk.context(60, actor="usr_4096")
    challenge = desk.gate.start("account.delete", context, resource=Resource("account", "usr_4096"))
    result = desk.gate.verify(challenge.id, "password", PASSWORD, context)
    assert isinstance(result, Rejected)
    assert result.code is Code.METHOD_NOT_ALLOWED


@pytest.mark.parametrize("method", ["password", "email_code"])
@pytest.mark.parametrize("action", SEVEN)
def test_each_method_opens_each_action(desk: Desk, action: str, method: str) -> None:
    context = desk.context(60)
    result = desk.answer(action, context, method, MEMBER)
    passed = desk.gate.require(action, context, resource=MEMBER, token=result.token)
    assert [proof.method for proof in passed.proofs] == [method]


# -- grants ----------------------------------------------------------------------------


@pytest.mark.parametrize("action", [action for action, level in SEVEN.items() if level < 4])
def test_below_critical_the_call_passes_again_without_a_token(desk: Desk, action: str) -> None:
    context = desk.context(60)
    desk.answer(action, context, "password", MEMBER)
    for _ in range(3):
        assert desk.gate.require(action, context, resource=MEMBER).decision.satisfied_by in {"grant", "step_up"}
    with pytest.raises(StepUpRequired):
        desk.gate.require(action, replace(context, organization="org_8"), resource=ORG)


@pytest.mark.parametrize("action", ["organization.delete", "account.delete"])
def test_critical_takes_the_token_once(desk: Desk, action: str) -> None:
    context = desk.context(60)
    token = desk.answer(action, context, "password").token
    with pytest.raises(StepUpRequired):
        desk.gate.require(action, context, resource=ORG)
    assert desk.gate.require(action, context, resource=ORG, token=token).remaining == 0
    with pytest.raises(StepUpRequired) as spent:
        desk.gate.require(action, context, resource=ORG, token=token)
    assert spent.value.decision.code is Code.GRANT_INVALID


@pytest.mark.parametrize("action", SEVEN)
def test_grants_last_as_long_as_their_level_says(desk: Desk, action: str) -> None:
    context = desk.context(60)
    seconds = {2: 600, 3: 300, 4: 120}[SEVEN[action]]
    result = desk.answer(action, context, "password", MEMBER)
    assert result.grant.expires_at - result.grant.issued_at == timedelta(seconds=seconds)
    desk.clock.advance(seconds - 1)
    assert desk.gate.check(action, context, resource=MEMBER, token=result.token).allowed
    desk.clock.advance(1)
    assert not desk.gate.check(action, context, resource=MEMBER, token=result.token).allowed


def test_a_grant_is_for_its_organization_alone(desk: Desk) -> None:
    context = desk.context(60)
    desk.answer("billing.cancelSubscription", context, "password")
    with pytest.raises(StepUpRequired):
        desk.gate.require("billing.cancelSubscription", replace(context, organization="org_8"), resource=ORG)


def test_a_step_up_at_medium_opens_no_action_above_it(desk: Desk) -> None:
    context = desk.context(60)
    desk.answer("organization.removeMember", context, "password", MEMBER)
    for action, level in SEVEN.items():
        assert desk.gate.check(action, context, resource=MEMBER).allowed is (level == 2)


# -- removing an owner or an admin -------------------------------------------------------


@pytest.mark.parametrize(
    ("member", "level"), [("usr_cy", 2), ("usr_di", 2), ("usr_bo", 3), ("usr_ada", 3), ("usr_nobody", 3)]
)
def test_removing_an_owner_or_an_admin_is_a_high_risk(desk: Desk, member: str, level: int) -> None:
    decision = desk.gate.check("organization.removeMember", desk.context(0), resource=Resource("member", member))
    assert decision.level == level
    assert (decision.outcome is Outcome.ALLOWED) is (level == 2)


def test_a_removal_without_a_member_is_a_high_risk(desk: Desk) -> None:
    assert desk.gate.check("organization.removeMember", desk.context(0)).level == Risk.HIGH


def test_the_raised_rules_are_those_of_high(desk: Desk) -> None:
    raised = desk.gate.core.registry.rules("organization.removeMember", Risk.HIGH).policy
    assert raised == four_levels.POLICIES[Risk.HIGH]


@pytest.mark.requirement("G-03")
def test_somebody_promoted_after_the_proof_is_judged_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    context = desk.context(60)
    desk.answer("organization.removeMember", context, "password", MEMBER)
    assert desk.gate.check("organization.removeMember", context, resource=MEMBER).allowed
    desk.clock.advance(301)
    assert desk.gate.check("organization.removeMember", context, resource=MEMBER).allowed
    monkeypatch.setitem(ROLES, "usr_cy", "admin")
    assert not desk.gate.check("organization.removeMember", context, resource=MEMBER).allowed


def test_it_prints_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    four_levels.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(four_levels.CASES) + 1
    words = ["organization.removeMember", "(member)", "2", "passes", "password", "or", "email_code", "email_code"]
    assert lines[4].split() == words
