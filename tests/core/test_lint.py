"""The linter: each finding where it belongs, and none where all is well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from stepup.decide.enrol import OWN_ACTIONS
from stepup.errors import ConfigurationError
from stepup.lint import AAL2_CEILING, AAL3_CEILING, Finding, changes_identity, lint
from stepup.policy import DEFAULT_POLICIES, MAX_GRANT_TTL, MAX_SESSION_WINDOW, Action, Policy, Risk
from stepup.registry import Registry
from stepup.requirement import ANY, STRONGEST, Requirement, all_of, any_of, method

METHODS = {"passkey": 50, "totp": 30, "password": 20, "email_code": 10, "recovery_code": 0}
Policies = Mapping[Risk | int | str, Policy]


def findings(
    actions: Sequence[Action], policies: Policies | None = None, methods: Mapping[str, int] = METHODS
) -> tuple[Finding, ...]:
    return lint(Registry(actions, policies, methods=methods, assessed=False), methods)


def codes(
    *actions: Action, policies: Policies | None = None, methods: Mapping[str, int] = METHODS
) -> list[tuple[str, str | None]]:
    return [(one.code, one.action) for one in findings(actions, policies, methods)]


def change(risk: Risk = Risk.HIGH, **more: object) -> Action:
    return Action("account.changeEmail", "Change address", risk=risk, **more)  # type: ignore[arg-type]


# -- what signs people in ----------------------------------------------------------


@pytest.mark.requirement("P-01")
@pytest.mark.parametrize(
    "action_id",
    [
        "email.change", "account.changeEmail", "change_email", "change-e-mail", "account.email_update", "ChangeEmail",
        "phone.change", "profile.setMobilePhone", "password.change", "account.resetPassword", "pass-word_set",
        "mfa.disable", "disable_mfa", "account.disableMFA", "mfa.view", "enable2FA", "two.2fa_off", "totp.remove",
        "recovery.show", "account.newRecoveryCodes", "passkey.add", "account.pass_key.rename", "user.passkeys.list",
        "stepup.factor.add", "account.MFAReset", "username.change",
    ],
)  # fmt: skip
def test_identity_changes_are_known_by_their_words(action_id: str) -> None:
    """Dotted, camel, snake and dashed ids are all read word by word."""
    assert changes_identity(action_id)


@pytest.mark.parametrize(
    "action_id",
    [
        "organization.delete", "email.send", "newsletter.email", "password.check", "data.export", "member.change",
        "keys.rotate", "comfactory.add", "phonebook.change", "billing.cancelSubscription", "émail.change", "1", "",
    ],
)  # fmt: skip
def test_other_actions_are_left_alone(action_id: str) -> None:
    """A word within a word, or a subject that is not changed, is no identity change."""
    assert not changes_identity(action_id)


@pytest.mark.requirement("P-01")
@pytest.mark.parametrize("risk", [Risk.LOW, Risk.MEDIUM])
def test_an_identity_change_at_a_low_level(risk: Risk) -> None:
    """By default levels 1 and 2 take a login or any method, so all three things are wrong with it."""
    assert codes(change(risk)) == [
        ("identity_change_level", "account.changeEmail"),
        ("identity_change_session", "account.changeEmail"),
        ("identity_change_method", "account.changeEmail"),
    ]


@pytest.mark.requirement("P-01")
@pytest.mark.parametrize("risk", [Risk.HIGH, Risk.CRITICAL])
def test_an_identity_change_at_a_high_level(risk: Risk) -> None:
    """The default table is right for it, and so are stepup's own actions."""
    assert codes(change(risk), *OWN_ACTIONS) == []


@pytest.mark.requirement("P-01")
@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy(methods=any_of("passkey", "fresh_session"), session_window=60), ["session"]),
        (Policy(methods=method("fresh_session", max_age=60)), ["session"]),
        (Policy(methods=all_of("passkey", method("fresh_session", max_age=60))), []),
        (Policy(methods=method("passkey"), session_window_trusted=60), ["session"]),
        (Policy(methods=STRONGEST, session_window=60), []),
        (Policy(methods=any_of("passkey", "totp")), ["method"]),
        (Policy(methods=any_of("passkey", all_of("password", "totp"))), ["method"]),
        (Policy(methods=all_of("password", "passkey")), []),
        (Policy(methods=any_of("passkey", "recovery_code")), []),
        (Policy(methods=ANY), ["method"]),
        (Policy(methods=ANY, min_strength=50), []),
        (Policy(methods=ANY, session_window=60), ["session", "method"]),
    ],
)
def test_what_is_enough_for_an_identity_change(policy: Policy, expected: list[str]) -> None:
    """Nothing weaker than the strongest method configured is, and no login, however recent."""
    assert codes(change(policy=policy)) == [(f"identity_change_{one}", "account.changeEmail") for one in expected]


@pytest.mark.requirement("P-01")
def test_the_strongest_is_what_is_configured() -> None:
    """Where passwords are all there is, a password is enough."""
    assert codes(change(methods=method("password")), methods={"password": 20, "email_code": 10}) == []
    assert codes(change(methods=method("email_code")), methods={"password": 20, "email_code": 10}) == [
        ("identity_change_method", "account.changeEmail")
    ]


def test_a_finding_says_what_and_what_to_do() -> None:
    """Code, action, sentence and remedy are complete, and the sentence has the numbers."""
    (found,) = findings([change(methods=method("totp"))])

    assert found == Finding(
        "identity_change_method",
        "account.changeEmail",
        "account.changeEmail changes how people sign in, and a proof of strength 30 is enough for it "
        "where 50 is configured.",
        'Use methods="strongest": it asks each person for the best they have.',
        "warning",
    )


# -- ceilings -----------------------------------------------------------------------


@pytest.mark.requirement("P-12")
@pytest.mark.parametrize(
    ("risk", "policy", "flagged"),
    [
        (Risk.HIGH, Policy(methods=any_of("totp"), session_window=AAL3_CEILING), False),
        (Risk.HIGH, Policy(methods=any_of("totp"), session_window=AAL3_CEILING + 1), True),
        (Risk.HIGH, Policy(methods=any_of("totp"), session_window_trusted=AAL3_CEILING + 1), True),
        (Risk.LOW, Policy(methods=any_of("totp"), session_window=AAL2_CEILING), False),
        (Risk.LOW, Policy(methods=any_of("passkey"), session_window=AAL3_CEILING), False),
        (Risk.LOW, Policy(methods=any_of("passkey"), session_window=AAL3_CEILING + 1), True),
        (Risk.LOW, Policy(methods=method("fresh_session", max_age=AAL2_CEILING)), True),
        (Risk.LOW, Policy(methods=any_of("totp", method("fresh_session", max_age=AAL2_CEILING))), False),
        (Risk.LOW, Policy(methods=any_of("totp", method("fresh_session", max_age=AAL2_CEILING + 1))), True),
    ],
)
def test_no_window_outlives_the_ceiling(risk: Risk, policy: Policy, flagged: bool) -> None:
    """12 hours where the level is high or a passkey is asked for, 24 hours elsewhere."""
    found = codes(Action("report.read", "Read", risk=risk, policy=policy))

    assert (("reauthentication_ceiling", "report.read") in found) is flagged


@pytest.mark.requirement("P-12")
def test_no_grant_can_outlive_the_ceiling() -> None:
    """What the linter would have to flag cannot even be made: a grant lasts half a day at most."""
    assert MAX_GRANT_TTL <= AAL3_CEILING
    assert MAX_SESSION_WINDOW <= AAL2_CEILING
    with pytest.raises(ConfigurationError):
        Policy(grant_ttl=AAL3_CEILING + 1)
    longest = [Action("report.read", "Read", risk=risk, policy=Policy(grant_ttl=MAX_GRANT_TTL)) for risk in (3,)]
    assert codes(*longest) == []


@pytest.mark.requirement("P-12")
@pytest.mark.parametrize("level", list(Risk))
def test_the_defaults_are_below_the_ceilings(level: Risk) -> None:
    """Nothing is found in the default table."""
    assert codes(Action("report.read", "Read", risk=level), policies={level: DEFAULT_POLICIES[level]}) == []


# -- can it run at all ----------------------------------------------------------------


def raised(*_: object) -> Risk:
    return Risk.CRITICAL


@pytest.mark.parametrize(
    ("policy", "methods", "flagged"),
    [
        (Policy(methods=ANY, min_strength=60), METHODS, True),
        (Policy(methods=STRONGEST, min_strength=60), METHODS, True),
        (Policy(methods=STRONGEST, min_strength=50), METHODS, False),
        (Policy(methods=STRONGEST), {}, True),
        (Policy(methods=ANY), {"recovery_code": 0}, True),
        (Policy(methods=ANY), {"captcha": 0}, True),
        (Policy(methods=ANY, session_window=60), {}, False),
        (Policy(methods=ANY, session_window=60, min_strength=1), {}, True),
        (Policy(methods=method("fresh_session", max_age=60)), {}, False),
        (Policy(methods=method("recovery_code")), {"recovery_code": 0, "password": 20}, True),
        (Policy(methods=method("recovery_code")), {"recovery_code": 0, "totp": 30}, False),
        (Policy(methods=any_of("recovery_code", "password")), {"recovery_code": 0, "password": 20}, False),
        (Policy(methods=all_of("recovery_code", "password")), {"recovery_code": 0, "password": 20}, True),
    ],
)
def test_an_action_that_can_never_run(policy: Policy, methods: Mapping[str, int], flagged: bool) -> None:
    """A requirement that nothing configured can meet is found before the first person meets it."""
    found = codes(Action("report.read", "Read", policy=policy), methods=methods)

    assert found == ([("unsatisfiable", "report.read")] if flagged else [])


def test_a_raised_level_that_can_never_run() -> None:
    """An action that may be raised is looked at on every level that it can reach, any other only on its own."""
    critical: Policies = {Risk.CRITICAL: Policy(methods=STRONGEST, min_strength=60)}

    assert codes(Action("report.read", "Read"), policies=critical) == []
    assert codes(Action("report.read", "Read", escalate=raised), policies=critical) == [
        ("unsatisfiable", "report.read")
    ]


def test_a_method_that_the_registry_knows_and_the_gate_does_not() -> None:
    """The methods are an argument: without the verifier, the named method meets nothing."""
    registry = Registry([Action("a", "A", methods=method("totp"))], methods=METHODS, assessed=False)

    assert [one.code for one in lint(registry, {"password": 20})] == ["unsatisfiable"]


# -- shared recovery ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("methods", "flagged"),
    [
        (all_of("password", "email_code"), True),
        (any_of("passkey", all_of("email_code", "password")), True),
        (all_of("email_code", any_of("totp", "password")), True),
        (all_of("email_code", any_of("totp", "passkey")), False),
        (all_of("password", "email_code", "totp"), False),
        (all_of("password", "totp"), False),
        (any_of("password", "email_code"), False),
        (all_of("password", STRONGEST), False),
        (all_of("password", method("password", max_age=60)), False),
    ],
)
def test_two_factors_behind_one_mailbox(methods: Requirement, flagged: bool) -> None:
    """A password and a mailed code together are pointed out, wherever they stand, and only where nothing else helps."""
    found = findings([Action("report.read", "Read", methods=methods)])

    assert [(one.code, one.severity) for one in found] == ([("shared_recovery", "info")] if flagged else [])


# -- the whole ------------------------------------------------------------------------------


def test_a_named_policy_that_nobody_names() -> None:
    """A policy that no action uses is probably a slip of the pen in one of them."""
    named: Policies = {"used": Policy(), "unused": Policy(), Risk.LOW: Policy()}

    (found,) = findings([Action("a", "A", policy="used"), Action("b", "B", policy=Policy())], named)

    assert (found.code, found.action, found.severity) == ("unused_policy", None, "info")
    assert "'unused'" in found.message


def test_a_group_over_several_levels() -> None:
    """One proof need not do for the higher of them."""
    mixed = [Action("a", "A", risk=Risk.MEDIUM, group="sudo"), Action("b", "B", risk=Risk.HIGH, group="sudo")]
    even = [Action("c", "C", group="admin"), Action("d", "D", group="admin"), Action("e", "E", risk=Risk.LOW)]

    (found,) = findings([*mixed, *even])

    assert (found.code, found.action, found.severity) == ("group_levels", None, "info")
    assert found.message == "The group 'sudo' covers several levels (a at 2, b at 3)."


def test_nothing_is_found_in_a_plain_configuration() -> None:
    """The default table and actions at the levels they belong to raise nothing."""
    assert findings([Action(f"report.{risk.name.lower()}", "Report", risk=risk) for risk in Risk]) == ()


# -- keys that verify nobody --------------------------------------------------------


@pytest.mark.requirement("A-W9")
@pytest.mark.parametrize(
    ("policy", "found"),
    [
        (Policy(methods=STRONGEST), True),
        (Policy(methods=ANY), True),
        (Policy(methods="passkey"), True),
        (Policy(methods=any_of("passkey", "totp")), True),
        (Policy(methods=any_of("totp", all_of("passkey", method("passkey", max_age=60)))), True),
        (Policy(methods="totp"), False),
        (Policy(methods=all_of("passkey", "password")), False),
        (Policy(methods=STRONGEST, min_strength=50), False),
        (Policy(methods=STRONGEST, min_strength=49), True),
    ],
)
def test_a_passkey_that_verified_nobody_at_level_4(policy: Policy, found: bool) -> None:
    """Advice where it alone opens the action, and the gate takes such keys; nowhere below level 4."""
    for risk, unverified, expected in (
        (Risk.CRITICAL, {"passkey"}, found),
        (Risk.CRITICAL, set[str](), False),
        (Risk.HIGH, {"passkey"}, False),
    ):
        registry = Registry([Action("org.delete", "X", risk=risk, policy=policy)], methods=METHODS, assessed=False)
        told = [one for one in lint(registry, METHODS, unverified) if one.code == "passkey_unverified"]
        assert [one.action for one in told] == (["org.delete"] if expected else [])
        assert all(one.severity == "warning" and "required" in one.remedy for one in told)
