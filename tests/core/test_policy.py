"""What actions ask for: the table of defaults, what cannot be configured, and how raised levels only tighten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from core_values import CONTEXT, NOW, RESOURCE, proof
from hypothesis import given, settings
from hypothesis import strategies as st

from stepup.context import Proof, RiskLevel
from stepup.errors import ConfigurationError, InvalidInput, UnknownAction
from stepup.policy import BINDS, DEFAULT_POLICIES, MAX_GRANT_TTL, MAX_SESSION_WINDOW, Action, Policy, Risk
from stepup.registry import Registry
from stepup.requirement import ANY, STRONGEST, Holding, Method, Requirement, Strength, all_of, any_of, met, method
from stepup.rules import Rules, stricter

METHODS = {"passkey": 50, "totp": 30, "password": 20, "email_code": 10, "recovery_code": 30}


def registry(*actions: Any, policies: Mapping[Any, Any] | None = None, assessed: bool = False) -> Registry:
    return Registry(actions, policies, methods=METHODS, assessed=assessed)


def rules(action: Action, level: Risk | None = None, **options: Any) -> Rules:
    return registry(action, **options).rules(action.id, level or action.level)


# -- the defaults ----------------------------------------------------------------------------


@pytest.mark.requirement("P-02", "P-12")
@pytest.mark.parametrize(
    ("level", "methods", "window", "trusted", "ttl", "uses", "token"),
    [
        (Risk.LOW, ANY, 30 * 60, 12 * 3600, 600, None, False),
        (Risk.MEDIUM, ANY, 5 * 60, 30 * 60, 600, None, False),
        (Risk.HIGH, STRONGEST, 0, 0, 300, None, False),
        (Risk.CRITICAL, STRONGEST, 0, 0, 120, 1, True),
    ],
)
def test_the_table_of_defaults(
    level: Risk, methods: Requirement, window: int, trusted: int, ttl: int, uses: int | None, token: bool
) -> None:
    """Row by row: what satisfies without a prompt, which methods, how long a grant lasts, how often, with a token."""
    policy = DEFAULT_POLICIES[level]

    assert policy.methods == methods
    assert (policy.session_window, policy.session_window_trusted) == (window, trusted)
    assert (policy.grant_ttl, policy.uses, policy.token_required) == (ttl, uses, token)
    assert (policy.challenge_ttl, policy.attempts) == (300, 5)
    assert (policy.max_age, policy.min_strength, policy.block_session_risk) == (None, 0, frozenset())


def test_the_levels() -> None:
    """Low 1, medium 2, high 3, critical 4; an action that says nothing is high."""
    assert {level.name: level.value for level in Risk} == {"LOW": 1, "MEDIUM": 2, "HIGH": 3, "CRITICAL": 4}
    assert set(DEFAULT_POLICIES) == set(Risk)
    assert Action("a", "A").risk is Risk.HIGH
    assert Action("a", "A", risk=4).risk is Risk.CRITICAL


@pytest.mark.requirement("P-06")
def test_each_level_is_at_least_as_strict_as_the_one_below() -> None:
    """Going up the table never widens a window, lengthens a grant, or drops the token."""
    for lower, higher in ((Risk.LOW, Risk.MEDIUM), (Risk.MEDIUM, Risk.HIGH), (Risk.HIGH, Risk.CRITICAL)):
        one, two = DEFAULT_POLICIES[lower], DEFAULT_POLICIES[higher]
        assert stricter(one, two) == two


@pytest.mark.requirement("P-12")
def test_no_grant_can_outlive_half_a_day() -> None:
    """The ceilings are below those for re-authentication, and cannot be configured away."""
    assert MAX_GRANT_TTL == 12 * 3600
    assert MAX_SESSION_WINDOW == 24 * 3600
    Policy(grant_ttl=MAX_GRANT_TTL, session_window=MAX_SESSION_WINDOW)
    with pytest.raises(ConfigurationError, match=r"Policy\.grant_ttl must be an integer from 1 to 43200"):
        Policy(grant_ttl=MAX_GRANT_TTL + 1)
    with pytest.raises(ConfigurationError, match=r"Policy\.session_window must be an integer from 0 to 86400"):
        Policy(session_window=MAX_SESSION_WINDOW + 1)


# -- what cannot be a policy -------------------------------------------------------------------

RANGES = {
    "session_window": (0, 86400), "session_window_trusted": (0, 86400), "max_age": (1, 43200), "grant_ttl": (1, 43200),
    "uses": (1, 1000), "challenge_ttl": (30, 86400), "attempts": (1, 10), "min_strength": (0, 1000),
}  # fmt: skip


@pytest.mark.requirement("G-12")
@pytest.mark.parametrize("name", RANGES)
def test_numbers_have_ranges(name: str) -> None:
    """Both ends are taken; beyond them, and other types, the error names the field and the range, not the value."""
    low, high = RANGES[name]
    ends: list[Any] = [low, high]
    for value in ends:
        assert getattr(Policy(**{name: value}), name) == value
    wrong: list[Any] = [low - 1, high + 1, float(low), str(low), True, [low], b"1"]
    if name not in {"max_age", "uses"}:
        wrong.append(None)
    for value in wrong:
        with pytest.raises(ConfigurationError) as caught:
            Policy(**{name: value})
        assert str(caught.value) == f"Policy.{name} must be an integer from {low} to {high}."


def test_a_strength_is_a_number() -> None:
    """It may be written where a number is meant, and becomes one: the rules are plain JSON."""
    policy = Policy(min_strength=Strength.TOTP, attempts=Risk.HIGH)

    assert (type(policy.min_strength), policy.min_strength) == (int, 30)
    assert (type(policy.attempts), policy.attempts) == (int, 3)
    plain, written = (rules(Action("a", "A", policy=Policy(min_strength=one))) for one in (30, Strength.TOTP))
    assert plain.hash == written.hash
    assert type(written.snapshot["min_strength"]) is int


@pytest.mark.parametrize("name", ["token_required", "remember"])
@pytest.mark.parametrize("value", [1, 0, None, "yes", []])
def test_switches_are_true_or_false(name: str, value: Any) -> None:
    """What is merely truthy is refused."""
    with pytest.raises(ConfigurationError, match=rf"Policy\.{name} must be True or False"):
        Policy(**{name: value})


def test_an_unknown_keyword_is_an_error() -> None:
    """A misspelt rule is not a rule that silently does not apply."""
    with pytest.raises(TypeError, match="token_requird"):
        Policy(token_requird=True)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="metods"):
        Action("a", "A", metods="totp")  # type: ignore[call-arg]


def test_blocked_risk_levels_are_named() -> None:
    """Texts are taken, unknown ones refused with those there are."""
    policy = Policy(block_session_risk=["high", "unknown"])

    assert policy.block_session_risk == {RiskLevel.HIGH, RiskLevel.UNKNOWN}
    with pytest.raises(ConfigurationError, match=r"'awful' is not a valid RiskLevel.* Allowed: low, medium, high"):
        Policy(block_session_risk=["awful"])


@pytest.mark.requirement("P-06")
@pytest.mark.parametrize(
    ("blocked", "missing"),
    [
        (["high"], "unknown"),
        (["medium", "unknown"], "high"),
        (["low", "high", "unknown"], "medium"),
        (["medium"], "high"),
    ],
)
def test_blocking_a_risk_blocks_every_worse_one(blocked: list[str], missing: str) -> None:
    """Otherwise more risk would open what less risk closes."""
    with pytest.raises(ConfigurationError, match=rf"but not \[.*'{missing}'.*Block every worse level too"):
        Policy(block_session_risk=blocked)


def test_methods_of_a_policy_are_requirements() -> None:
    """Whatever form they were written in."""
    assert Policy(methods="totp").methods == Method("totp")
    assert Policy(methods=["totp", "passkey"]).methods == any_of("totp", "passkey")
    with pytest.raises(ConfigurationError, match="cannot be made from a NoneType"):
        Policy(methods=None)  # type: ignore[arg-type]


# -- what cannot be an action --------------------------------------------------------------------


@pytest.mark.requirement("G-12")
@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Action("", "A"), r"Action\.id must not be empty"),
        (lambda: Action("a" * 129, "A"), r"Action\.id must have at most 128"),
        (lambda: Action(7, "A"), r"Action\.id must be a string, not int"),  # type: ignore[arg-type]
        (lambda: Action("a", ""), r"Action\.label must not be empty"),
        (lambda: Action("a", "A", risk=5), r"Action 'a': risk must be 1 to 4, not 5"),
        (lambda: Action("a", "A", risk=0), r"Action 'a': risk must be 1 to 4"),
        (lambda: Action("a", "A", risk="high"), r"Action 'a': risk must be 1 to 4"),  # type: ignore[arg-type]
        (lambda: Action("a", "A", risk=None), r"Action 'a': risk must be 1 to 4"),  # type: ignore[arg-type]
        (lambda: Action("a", "A", binds=frozenset({"ip"})), r"Action 'a' binds \['ip'\]\. Allowed: \['device', "),
        (lambda: Action("a", "A", binds=BINDS | {"actor"}), r"Action 'a' binds \['actor'\]"),
        (lambda: Action("a", "A", risk=Risk.CRITICAL, group="sudo"), r"Action 'a' is critical and in group 'sudo'"),
        (lambda: Action("a", "A", methods=object()), r"cannot be made from a object"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_wrong_actions_fail_at_construction(make: Any, problem: str) -> None:
    """The error names the action and what is wrong with it."""
    with pytest.raises((ConfigurationError, InvalidInput), match=problem):
        make()


def test_what_is_left_out_of_a_binding_is_named() -> None:
    """An action binds everything unless it says otherwise, by name."""
    assert Action("a", "A").binds == {"session", "device", "organization", "resource", "params"}
    assert Action("a", "A", binds=["params"]).binds == {"params"}


# -- registries --------------------------------------------------------------------------------------

NAMES_TOTP = Action("a", "A", methods=Method("totp"))


UNKNOWN_BLOCKED = Policy(block_session_risk=frozenset({RiskLevel.UNKNOWN}))
MAILED_BUT_STRONG = Policy(methods=Method("email_code"), min_strength=20)


@pytest.mark.parametrize(
    ("actions", "policies", "problem"),
    [
        ([Action("a", "A"), Action("a", "B")], None, r"Action 'a' is registered twice"),
        (["a"], None, r"actions holds a str\. Use Action"),
        ([Action("a", "A", policy="strict")], None, r"Action 'a' uses the policy 'strict'.*policies are: none"),
        ([Action("a", "A", policy="x")], {"strict": Policy()}, r"policies are: \['strict'\]"),
        ([], {5: Policy()}, r"policies has the key 5.*Risk\.LOW to Risk\.CRITICAL"),
        ([], {None: Policy()}, r"policies has the key None"),
        ([], {Risk.LOW: {"uses": 1}}, r"policies\[.*\] is a dict\. Use Policy"),
        ([], {"": Policy()}, r"policies key must not be empty"),
        (
            [Action("a", "A", methods=Method("fax"))],
            None,
            r"Action 'a' at level 3 names the method 'fax'.*use one of: email_code, fresh_session, passkey",
        ),
        ([Action("a", "A", methods=all_of("totp", any_of("fax", "password")))], None, r"names the method 'fax'"),
        (
            [Action("a", "A", methods=Method("fresh_session"))],
            None,
            r"Action 'a' at level 3 names fresh_session, but its session_window is 0",
        ),
        (
            [Action("a", "A", policy=MAILED_BUT_STRONG)],
            None,
            r"Action 'a' at level 3 names 'email_code', which is weaker than its min_strength 20",
        ),
        (
            [Action("a", "A", policy=UNKNOWN_BLOCKED)],
            None,
            r"Action 'a' at level 3 blocks on session risk, but nothing assesses it.*Pass risk=",
        ),
        ([Action("a", "A", risk=Risk.LOW)], {4: UNKNOWN_BLOCKED}, r"policies\[4\] blocks on session risk"),
    ],
)
def test_what_can_never_be_decided_fails_at_construction(
    actions: list[Any], policies: dict[Any, Any] | None, problem: str
) -> None:
    """A wrong action or policy is found when the gate is built, at every level it can be raised to, with a remedy."""
    with pytest.raises((ConfigurationError, InvalidInput), match=problem):
        registry(*actions, policies=policies)


@pytest.mark.requirement("E-04")
def test_a_mailed_code_can_be_excluded() -> None:
    """With a least strength the registry refuses an action that names the mailed code."""
    strict = Policy(methods=any_of("email_code", "totp"), min_strength=20)

    with pytest.raises(ConfigurationError, match="names 'email_code', which is weaker than its min_strength"):
        registry(Action("a", "A", policy=strict))
    registry(Action("a", "A", policy=replace(strict, methods=any_of("password", "totp"))))


def test_blocking_is_possible_with_an_assessor() -> None:
    """The same policy is accepted where something assesses the risk."""
    blocking = Policy(block_session_risk=frozenset({RiskLevel.HIGH, RiskLevel.UNKNOWN}))

    assert rules(Action("a", "A", policy=blocking), assessed=True).policy.block_session_risk


def test_a_recovery_code_may_be_named_whatever_its_strength() -> None:
    """It is as strong as what it stands for, so its own number says nothing."""
    naming = Policy(methods=Method("recovery_code"), min_strength=40)

    assert rules(Action("a", "A", policy=naming)).named == ("recovery_code",)


def test_a_fresh_session_may_bring_its_own_window() -> None:
    """With a window of the policy or of its own, it can be named."""
    for action in (
        Action("a", "A", policy=Policy(methods=Method("fresh_session"), session_window=60)),
        Action("a", "A", methods=method("fresh_session", max_age=60)),
    ):
        assert rules(action).named == ("fresh_session",)


def test_an_unknown_action_says_what_is_known() -> None:
    """Asking for an action nobody registered names it and the registered ones, whatever was asked."""
    with pytest.raises(UnknownAction, match=r"'b' is not registered.*known are: a") as caught:
        registry(Action("a", "A")).action("b")
    assert (caught.value.action, caught.value.known) == ("b", ("a",))

    asked: list[Any] = [None, 1, b"a", ["a"], {"a": 1}, "a" * 10_000, "A", " a"]
    for one in asked:
        with pytest.raises(UnknownAction) as caught:
            registry(Action("a", "A")).action(one)
        assert len(caught.value.action) <= 128


def test_a_registry_lists_its_actions() -> None:
    """In the order registered, by id."""
    made = registry(Action("b", "B"), Action("a", "A"))

    assert list(made.actions) == ["b", "a"]
    assert made.action("a").label == "A"


def test_a_registry_lists_its_named_policies() -> None:
    """Those that actions can name, whether or not one does; replacements of a level have no name."""
    strict, spare = Policy(uses=1), Policy(uses=2)
    made = registry(
        Action("a", "A", policy="strict"), policies={"strict": strict, Risk.LOW: Policy(uses=3), "spare": spare}
    )

    assert made.named_policies == {"strict": strict, "spare": spare}
    assert registry(Action("a", "A")).named_policies == {}


# -- effective rules ---------------------------------------------------------------------------------


def test_where_a_policy_comes_from() -> None:
    """The level's default, the level's replacement, a named one, or the action's own."""
    own, named, level = Policy(grant_ttl=1), Policy(grant_ttl=2), Policy(grant_ttl=3)
    made = registry(
        Action("default", "D"), Action("own", "O", policy=own), Action("named", "N", policy="named"),
        Action("level", "L", risk=Risk.MEDIUM), policies={"named": named, 2: level},
    )  # fmt: skip

    assert made.rules("default", Risk.HIGH).policy == DEFAULT_POLICIES[Risk.HIGH]
    assert made.rules("own", Risk.HIGH).policy == own
    assert made.rules("named", Risk.HIGH).policy == named
    assert made.rules("level", Risk.MEDIUM).policy == level


def test_named_methods_replace_the_levels() -> None:
    """An action that names its methods means all of them; the rest of the policy stays."""
    made = rules(Action("a", "A", risk=Risk.CRITICAL, methods=any_of("passkey", "password")))

    assert made.policy == replace(DEFAULT_POLICIES[Risk.CRITICAL], methods=any_of("passkey", "password"))
    assert made.named == ("passkey", "password")


@pytest.mark.parametrize(("level", "stands"), [(Risk.LOW, True), (Risk.HIGH, True), (Risk.CRITICAL, False)])
def test_recovery_codes_stand_in_below_critical(level: Risk, stands: bool) -> None:
    """At level 4 they count only where they are named."""
    assert rules(Action("a", "A", risk=level)).recovery_stands_in is stands


@pytest.mark.requirement("P-06")
def test_a_raised_level_folds_every_level_between() -> None:
    """Raised from 1 to 4, the rules are the strictest of all four, not just of the last."""
    table: dict[Risk | int | str, Policy] = {
        1: Policy(methods=ANY, session_window=1800, grant_ttl=600, attempts=9),
        2: Policy(methods=ANY, session_window=300, grant_ttl=60),
        3: Policy(methods=Method("totp"), grant_ttl=500, attempts=3, uses=7),
        4: Policy(methods=Method("passkey"), grant_ttl=400, uses=20, token_required=True),
    }
    action = Action("a", "A", risk=Risk.LOW)

    raised = rules(action, Risk.CRITICAL, policies=table).policy

    assert raised.methods == all_of("totp", "passkey")
    assert (raised.session_window, raised.grant_ttl, raised.attempts, raised.uses) == (0, 60, 3, 7)
    assert raised.token_required
    assert rules(action, Risk.MEDIUM, policies=table).policy.methods == ANY


def test_an_own_policy_is_tightened_too() -> None:
    """An action with a policy of its own, raised, keeps it where it is stricter."""
    raised = rules(Action("a", "A", risk=Risk.HIGH, policy=Policy(grant_ttl=30, methods=Method("totp"))), Risk.CRITICAL)

    assert raised.policy.methods == all_of("totp", STRONGEST)
    assert (raised.policy.grant_ttl, raised.policy.uses, raised.policy.token_required) == (30, 1, True)


@pytest.mark.parametrize(
    ("one", "two", "both"),
    [
        (ANY, STRONGEST, STRONGEST),
        (STRONGEST, ANY, STRONGEST),
        (Method("totp"), STRONGEST, all_of("totp", STRONGEST)),
        (Method("fresh_session"), STRONGEST, STRONGEST),
        (STRONGEST, Method("fresh_session"), STRONGEST),
        (any_of("fresh_session", "password"), STRONGEST, all_of("password", STRONGEST)),
        (any_of("totp", "password"), Method("totp"), all_of(any_of("totp", "password"), "totp")),
        (any_of("fresh_session", "fresh_session"), ANY, ANY),
    ],
)
def test_both_requirements(one: Requirement, two: Requirement, both: Requirement) -> None:
    """What any method satisfies adds nothing; a fresh session beside an alternative is dropped: raised means prove."""
    assert stricter(Policy(methods=one), Policy(methods=two)).methods == both


def test_a_raised_action_that_names_a_fresh_session_asks_for_proof() -> None:
    """Its own alternatives stay, the login does not."""
    action = Action(
        "a", "A", risk=Risk.MEDIUM, methods=any_of("fresh_session", "password"), policy=Policy(session_window=300)
    )

    assert rules(action).policy.methods == any_of("fresh_session", "password")
    assert rules(action, Risk.HIGH).policy.methods == Method("password")


requirements = st.sampled_from(
    [
        ANY, STRONGEST, Method("totp"), Method("password"), Method("passkey"), any_of("totp", "password"),
        all_of("totp", "password"), any_of("passkey", all_of("password", "totp")), method("totp", max_age=60),
        Method("fresh_session"), any_of("fresh_session", "password"), all_of("fresh_session", "totp"),
    ]
)  # fmt: skip
blocks = st.sampled_from(
    [frozenset[RiskLevel](), frozenset({RiskLevel.UNKNOWN}), frozenset({RiskLevel.HIGH, RiskLevel.UNKNOWN})]
)
policies = st.builds(
    Policy,
    methods=requirements,
    session_window=st.integers(0, 86400),
    session_window_trusted=st.integers(0, 86400),
    max_age=st.none() | st.integers(1, 43200),
    grant_ttl=st.integers(1, 43200),
    uses=st.none() | st.integers(1, 1000),
    token_required=st.booleans(),
    challenge_ttl=st.integers(30, 86400),
    attempts=st.integers(1, 10),
    block_session_risk=blocks,
    min_strength=st.sampled_from([0, 20, 40]),
    remember=st.booleans(),
)


@pytest.mark.requirement("P-06")
@given(policies, policies)
def test_the_stricter_of_two_asks_for_everything_either_asks(one: Policy, two: Policy) -> None:
    """No field of the combination is looser than in either, in either order; combining with itself changes nothing."""
    both = stricter(one, two)

    for each in (one, two):
        assert both.session_window <= each.session_window
        assert both.session_window_trusted <= each.session_window_trusted
        assert both.grant_ttl <= each.grant_ttl
        assert both.challenge_ttl <= each.challenge_ttl
        assert both.attempts <= each.attempts
        assert both.min_strength >= each.min_strength
        assert both.blocked >= each.blocked
        assert both.token_required >= each.token_required
        assert both.remember <= each.remember
        assert each.uses is None or (both.uses is not None and both.uses <= each.uses)
        assert each.max_age is None or (both.max_age is not None and both.max_age <= each.max_age)
    assert stricter(one, one) == one
    assert replace(stricter(two, one), methods=ANY) == replace(both, methods=ANY)


def _drawn(name: str, age: int) -> Proof:
    return proof(name, age=age, strength=METHODS[name])


proofs = st.lists(st.builds(_drawn, st.sampled_from(list(METHODS)), st.integers(0, 90)), max_size=3)


@pytest.mark.requirement("P-06")
@settings(max_examples=300)
@given(policies, policies, proofs, st.sampled_from([10, 20, 30, 50]), st.none() | st.integers(0, 90000))
def test_raising_never_opens_what_was_closed(
    one: Policy, two: Policy, given_proofs: list[Proof], strongest: int, age: int | None
) -> None:
    """Proofs that satisfy the combination satisfy each of the two, where a proof given counts as a fresh login too."""

    def satisfied(policy: Policy, session_age: int | None) -> bool:
        holding = Holding(strongest, policy.min_strength, True, session_age, policy.session_window)
        return met(policy.requirement, given_proofs, holding, NOW)

    if not satisfied(stricter(one, two), age):
        return
    for each in (one, two):
        fresh = replace(each, session_window=MAX_SESSION_WINDOW) if given_proofs else each
        assert satisfied(fresh, 0 if given_proofs else age)


@pytest.mark.parametrize("fresh", [method("fresh_session", max_age=60), any_of("fresh_session", "password")])
def test_a_login_never_replaces_a_proof(fresh: Requirement) -> None:
    """Where the lower level asks for any proof, raising it to one that a login satisfies still asks for a proof."""
    raised = stricter(Policy(methods=ANY), Policy(methods=fresh, session_window=300))

    assert not met(raised.requirement, [], Holding(50, session_age=1, session_window=300), NOW)


@pytest.mark.parametrize(
    "methods",
    [any_of(method("fresh_session", max_age=300), "password"), any_of(any_of("fresh_session", "totp"), "password")],
)
def test_a_raised_action_asks_for_proof_however_its_login_was_written(methods: Requirement) -> None:
    """With a window of its own, or further in: a raised level is not opened by a login."""
    action = Action("a", "A", risk=Risk.MEDIUM, methods=methods, policy=Policy(methods=ANY, session_window=300))

    raised = rules(action, Risk.HIGH).policy

    assert not met(raised.requirement, [], Holding(50, session_age=1, session_window=300), NOW)


# -- the hash of the rules ---------------------------------------------------------------------------

BASE = Action("a", "A", risk=Risk.LOW)
CHANGES: dict[str, Any] = {
    "methods": Method("totp"), "session_window": 1799, "session_window_trusted": 1, "max_age": 60, "grant_ttl": 299,
    "uses": 3, "token_required": True, "challenge_ttl": 299, "attempts": 4,
    "block_session_risk": frozenset({RiskLevel.UNKNOWN}), "min_strength": 1, "remember": False,
}  # fmt: skip


@pytest.mark.requirement("G-03")
def test_every_rule_is_in_the_hash() -> None:
    """Whatever is changed about the policy, the level, the binding or the group, the hash changes with it."""
    assert set(CHANGES) == set(Policy.__dataclass_fields__)
    policy = Policy(session_window=1800)
    hashes = {"": rules(replace(BASE, policy=policy), assessed=True).hash}
    for name, value in CHANGES.items():
        hashes[name] = rules(replace(BASE, policy=replace(policy, **{name: value})), assessed=True).hash
    hashes["level"] = rules(replace(BASE, policy=policy), Risk.MEDIUM, assessed=True).hash
    hashes["id"] = rules(replace(BASE, policy=policy, id="b"), assessed=True).hash
    hashes["binds"] = rules(replace(BASE, policy=policy, binds=BINDS - {"device"}), assessed=True).hash
    hashes["group"] = rules(replace(BASE, policy=policy, group="sudo"), assessed=True).hash

    assert len(set(hashes.values())) == len(hashes)
    assert {len(digest) for digest in hashes.values()} == {32}


@pytest.mark.requirement("G-03")
def test_the_methods_of_the_gate_are_in_the_hash() -> None:
    """A verifier more, one fewer, or one that is worth something else: grants made before are judged again."""
    hashes = [
        Registry([BASE], methods=methods, assessed=False).rules("a", Risk.LOW).hash
        for methods in ({"totp": 30}, {"totp": 30, "password": 20}, {"totp": 31}, {"password": 30}, {})
    ]

    assert len(set(hashes)) == len(hashes)
    again = {"password": 20, "totp": 30}
    assert Registry([BASE], methods=again, assessed=False).rules("a", Risk.LOW).hash == hashes[1]


def test_texts_are_not_rules() -> None:
    """A better label or description ends no grant that is out."""
    same = replace(BASE, label="B", description="C", confirmation="D", audit_level="E", describe=lambda *_: [])

    assert rules(same).hash == rules(BASE).hash


def test_the_snapshot_is_what_the_hash_is_over() -> None:
    """It is plain JSON, names every rule, and is the same in every process."""
    made = rules(Action("a", "A", risk=Risk.CRITICAL))

    assert made.snapshot == {
        "action": "a", "level": 4, "binds": ["device", "organization", "params", "resource", "session"], "group": None,
        "surfaces": {}, "impersonation": "refuse",
        "methods": {"enrolled": "strongest"}, "session_window": 0, "session_window_trusted": 0, "max_age": None,
        "grant_ttl": 120, "uses": 1, "token_required": True, "challenge_ttl": 300, "attempts": 5,
        "block_session_risk": [], "min_strength": 0, "remember": True,
        "verifiers": {"passkey": 50, "totp": 30, "password": 20, "email_code": 10, "recovery_code": 30},
    }  # fmt: skip
    assert made.hash == rules(Action("a", "A", risk=Risk.CRITICAL)).hash


def test_rules_are_made_once() -> None:
    """The hot path resolves an action without computing its hash again."""
    made = registry(BASE)

    assert made.rules("a", Risk.LOW) is made.rules("a", Risk.LOW)


def test_an_escalation_gets_the_call() -> None:
    """The hook an action carries is called with context, resource and params as they are."""
    seen: list[object] = []

    def escalate(*call: object) -> Risk:
        seen.extend(call)
        return Risk.CRITICAL

    action = replace(BASE, escalate=escalate)
    assert action.escalate is not None
    assert action.escalate(CONTEXT, RESOURCE, {"role": "owner"}) is Risk.CRITICAL
    assert seen == [CONTEXT, RESOURCE, {"role": "owner"}]
