"""More risk never gives a weaker decision, more proof never a worse one, and what is offered leads somewhere.

Decisions are ordered: allowed > step-up required > denied. Requirements, policies and situations are generated.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, assume, given, settings

from stepup import (
    Action,
    Actor,
    ConfigurationError,
    Context,
    Denied,
    Device,
    Factor,
    Outcome,
    Policy,
    Proof,
    Rejected,
    Resource,
    Risk,
    RiskAssessment,
    RiskLevel,
    Session,
    StepUp,
    Strength,
    Verified,
    all_of,
    any_of,
    method,
)
from stepup.context import NO_RISK, RECOVERY_CODE
from stepup.policy import Params
from stepup.requirement import ANY, STRONGEST, Holding, Requirement, Usable, met, open_methods
from stepup.stores.memory import MemoryStore
from stepup.surface import Handling, Impersonation, Surface
from stepup.testing import FrozenClock, ScriptedVerifier
from stepup.testing.clock import START

THOROUGH = os.environ.get("STEPUP_HYPOTHESIS_PROFILE") == "thorough"
SECRET = b"monotone tests only: never a production key"
ACTOR = Actor("usr_2048", email="olivia@northstar.example")
RESOURCE = Resource("organization", "org_7")
STRENGTHS = {
    "passkey": int(Strength.PASSKEY),
    "totp": int(Strength.TOTP),
    "password": int(Strength.PASSWORD),
    "mailed": int(Strength.MAILED),
}
METHODS = sorted(STRENGTHS)
RANK = {Outcome.DENIED: 0, Outcome.STEP_UP_REQUIRED: 1, Outcome.ALLOWED: 2}
WORSE = {level: [other for other in RiskLevel if other.rank >= level.rank] for level in RiskLevel}
NOW = START


def examples(number: int) -> settings:
    """The same examples every time in CI; twenty times as many, and other ones, when asked to be thorough."""
    return settings(
        max_examples=number * 20 if THOROUGH else number,
        derandomize=not THOROUGH,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


# -- what is generated

ages = st.none() | st.sampled_from([60, 300])
named = st.builds(lambda name, age: method(name, max_age=age), st.sampled_from(METHODS), ages)
sessions = st.builds(lambda age: method("fresh_session", max_age=age), st.sampled_from([60, 300]))
leaves = named | st.sampled_from([ANY, STRONGEST]) | sessions


def requirements(leaf: st.SearchStrategy[Requirement]) -> st.SearchStrategy[Requirement]:
    """Trees of any-of and all-of over *leaf*."""
    return st.recursive(
        leaf,
        lambda inner: st.builds(
            lambda kind, parts: kind(*parts),
            st.sampled_from([any_of, all_of]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        max_leaves=5,
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """A policy an application could write."""
    blocked = draw(st.sampled_from([None, *RiskLevel]))
    return Policy(
        methods=draw(requirements(leaves)),
        session_window=draw(st.sampled_from([0, 300, 1800])),
        session_window_trusted=draw(st.sampled_from([0, 1800, 43200])),
        max_age=draw(st.sampled_from([None, 100, 300])),
        grant_ttl=draw(st.sampled_from([120, 300, 600])),
        uses=draw(st.sampled_from([None, 1, 3])),
        token_required=draw(st.booleans()),
        block_session_risk=frozenset() if blocked is None else frozenset(WORSE[blocked]),
        min_strength=draw(st.sampled_from([0, 0, 15, 25])),
    )


@dataclass(frozen=True)
class Situation:
    """Everything about a request in which risk can lie."""

    level: int
    score: int
    risk: RiskLevel
    narrowed: frozenset[str] | None
    trusted: bool
    age: int | None
    login: frozenset[str]

    @property
    def context(self) -> Context:
        """As the application would tell it. The level it asks for stands in ``ip``, which nothing is bound to."""
        at = None if self.age is None else NOW - timedelta(seconds=self.age)
        proofs = () if at is None else tuple(Proof(name, at) for name in sorted(self.login))
        risk = RiskAssessment(self.score, self.risk, methods=self.narrowed)
        device = Device("fingerprint", trusted=self.trusted)
        return Context(ACTOR, Session("session", at, proofs), device, ip=str(self.level), risk=risk)


subsets = st.frozensets(st.sampled_from(METHODS))
situations = st.builds(
    Situation,
    level=st.integers(1, 4),
    score=st.integers(0, 100),
    risk=st.sampled_from(RiskLevel),
    narrowed=st.none() | subsets,
    trusted=st.booleans(),
    age=st.none() | st.sampled_from([0, 10, 299, 300, 1799, 1800, 50000]),
    login=subsets,
)
KINDS = ("level", "score", "risk", "narrowed", "trusted", "age", "login")


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Situation, Situation]:
    """A situation and one that is riskier in one way, or in several."""
    base = draw(situations)
    worse = base
    for kind in draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3, unique=True)):
        if kind == "level":
            worse = replace(worse, level=draw(st.integers(base.level, 4)))
        elif kind == "score":
            worse = replace(worse, score=draw(st.integers(base.score, 100)))
        elif kind == "risk":
            worse = replace(worse, risk=draw(st.sampled_from(WORSE[base.risk])))
        elif kind == "narrowed":
            fewer = draw(subsets)
            worse = replace(worse, narrowed=fewer if base.narrowed is None else base.narrowed & fewer)
        elif kind == "trusted":
            worse = replace(worse, trusted=False)
        elif kind == "age" and base.age is not None:
            worse = replace(worse, age=draw(st.none() | st.integers(base.age, 60000)))
        elif kind == "login":
            worse = replace(worse, login=base.login & draw(subsets))
    return base, worse


def escalate(context: Context, resource: Resource | None, params: Params | None) -> int:
    """The level that the situation asks for."""
    return int(context.ip or 1)


def make_gate(action: Action, enrolled: frozenset[str]) -> StepUp:
    """A gate for one action; the person holds *enrolled*."""
    verifiers = [
        ScriptedVerifier(name, strength=strength, factors=[Factor(name, name)] if name in enrolled else [])
        for name, strength in STRENGTHS.items()
    ]
    return StepUp(
        actions=[action],
        verifiers=verifiers,
        store=MemoryStore(),
        secret=SECRET,
        clock=FrozenClock(NOW),
        risk=lambda context, name: NO_RISK,
    )


def opened(gate: StepUp, context: Context) -> frozenset[str]:
    """The methods that a challenge would take; none where it is not opened."""
    try:
        return frozenset(gate.start("act", context, resource=RESOURCE).allowed)
    except Denied:
        return frozenset()


def stepped_up(gate: StepUp, context: Context, order: Sequence[str]) -> str | None:
    """A token, if the person can get one in this situation, proving in the given order where there is a choice."""
    try:
        challenge = gate.start("act", context, resource=RESOURCE)
    except Denied:
        return None
    left = challenge.allowed
    for _ in range(len(METHODS)):
        result = gate.verify(challenge.id, min(left, key=order.index), "right", context)
        if isinstance(result, Verified):
            return result.token
        assert not isinstance(result, Rejected), f"an offered method was refused: {result}"
        left = result.remaining
    raise AssertionError("what was offered led nowhere")


def compare(gate: StepUp, base: Situation, worse: Situation, order: Sequence[str], *, mint: bool) -> None:
    """The riskier situation has no better decision and no further method, with a grant or without."""
    before, after = opened(gate, base.context), opened(gate, worse.context)
    assert after <= before, f"methods grew from {sorted(before)} to {sorted(after)}"
    token = stepped_up(gate, base.context, order) if mint else None
    for shown in {None, token}:
        one = gate.check("act", base.context, resource=RESOURCE, token=shown)
        two = gate.check("act", worse.context, resource=RESOURCE, token=shown)
        assert RANK[two.outcome] <= RANK[one.outcome], f"{one.explain()} became {two.explain()}"


@pytest.mark.requirement("P-06")
@given(pairs(), st.sampled_from(Risk), subsets, st.permutations(METHODS), st.booleans())
@examples(200)
def test_more_risk_never_weakens_a_default_decision(
    pair: tuple[Situation, Situation], risk: Risk, enrolled: frozenset[str], order: list[str], mint: bool
) -> None:
    """The table of four levels as it ships."""
    gate = make_gate(Action("act", "Act", risk=risk, escalate=escalate), enrolled)
    compare(gate, *pair, order, mint=mint)


@pytest.mark.requirement("P-06")
@given(
    pairs(),
    st.sampled_from(Risk),
    policies(),
    st.none() | requirements(leaves),
    subsets,
    st.permutations(METHODS),
    st.booleans(),
)
@examples(250)
def test_more_risk_never_weakens_a_generated_decision(
    pair: tuple[Situation, Situation],
    risk: Risk,
    policy: Policy,
    named_methods: Requirement | None,
    enrolled: frozenset[str],
    order: list[str],
    mint: bool,
) -> None:
    """Whatever policy an application writes, with methods named by the action or not."""
    action = Action("act", "Act", risk=risk, policy=policy, methods=named_methods, escalate=escalate)
    try:
        gate = make_gate(action, enrolled)
    except ConfigurationError:
        assume(False)
        return
    compare(gate, *pair, order, mint=mint)


@pytest.mark.requirement("P-06")
@given(situations, st.sampled_from(Risk), st.none() | policies(), subsets, st.permutations(METHODS))
@examples(150)
def test_where_no_method_is_accepted_nothing_is_open(
    base: Situation, risk: Risk, policy: Policy | None, enrolled: frozenset[str], order: list[str]
) -> None:
    """Risk that narrows the methods to none at all closes the call: to a login, to a token and to what is unlocked."""
    try:
        gate = make_gate(Action("act", "Act", risk=risk, policy=policy, escalate=escalate), enrolled)
    except ConfigurationError:
        assume(False)
        return
    token = stepped_up(gate, base.context, order)
    for shown in {None, token}:
        decision = gate.check("act", replace(base, narrowed=frozenset()).context, resource=RESOURCE, token=shown)
        assert decision.outcome is not Outcome.ALLOWED, decision.explain()


@pytest.mark.requirement("P-06")
@given(situations, st.sampled_from(Risk), subsets)
@examples(150)
def test_an_action_that_is_raised_is_no_weaker_than_one_that_was_born_there(
    base: Situation, risk: Risk, enrolled: frozenset[str]
) -> None:
    """Escalated to a level, an action asks for at least what the table asks for at that level."""
    assume(base.level > risk)
    born = make_gate(Action("act", "Act", risk=Risk(base.level)), enrolled)
    raised = make_gate(Action("act", "Act", risk=risk, escalate=escalate), enrolled)
    one = born.check("act", base.context, resource=RESOURCE)
    two = raised.check("act", base.context, resource=RESOURCE)
    assert RANK[two.outcome] <= RANK[one.outcome], f"{two.explain()} where the level asks for {one.explain()}"
    assert opened(raised, base.context) <= opened(born, base.context)


@pytest.mark.requirement("P-06")
@pytest.mark.parametrize("risk", Risk)
def test_a_blocked_session_opens_nothing(risk: Risk) -> None:
    """At a risk that the policy blocks, neither login nor token nor grant opens anything, and nothing is offered."""
    blocked = frozenset({RiskLevel.HIGH, RiskLevel.UNKNOWN})
    policy = Policy(methods=ANY, session_window=300, block_session_risk=blocked)
    gate = make_gate(Action("act", "Act", risk=risk, policy=policy), frozenset(METHODS))
    base = Situation(1, 0, RiskLevel.MEDIUM, None, False, 10, frozenset(METHODS))
    token = stepped_up(gate, base.context, METHODS)
    assert gate.check("act", base.context, resource=RESOURCE, token=token).outcome is Outcome.ALLOWED
    for level in blocked:
        context = replace(base, risk=level).context
        for shown in (None, token):
            assert gate.check("act", context, resource=RESOURCE, token=shown).outcome is Outcome.DENIED
        assert not opened(gate, context)


@pytest.mark.requirement("P-06")
def test_losing_the_trust_of_a_device_does_not_undo_a_lock() -> None:
    """Who has used up the tries of a trusted device gets no further ones by dropping its cookie."""
    gate = make_gate(Action("act", "Act", risk=Risk.HIGH), frozenset({"totp"}))
    clock = gate.core.clock
    base = Situation(3, 0, RiskLevel.LOW, None, True, None, frozenset())
    challenge = gate.start("act", base.context, resource=RESOURCE)
    for _ in range(5):
        gate.verify(challenge.id, "totp", "wrong", base.context)
    assert clock.now() == NOW
    trusted = gate.check("act", base.context, resource=RESOURCE)
    dropped = gate.check("act", replace(base, trusted=False).context, resource=RESOURCE)
    assert trusted.outcome is Outcome.DENIED
    assert dropped.outcome is Outcome.DENIED


# -- surfaces and impersonation

said_of = st.dictionaries(st.sampled_from(Surface), st.sampled_from(Handling), max_size=5)
HARDER = {
    Handling.ALLOW: list(Handling),
    Handling.ASK: [Handling.ASK, Handling.REFUSE],
    Handling.REFUSE: [Handling.REFUSE],
}
STRICTER: dict[Impersonation | None, list[Impersonation | None]] = {
    None: [None, Impersonation.REFUSE],
    Impersonation.PROVE: [Impersonation.PROVE, Impersonation.REFUSE],
    Impersonation.REFUSE: [Impersonation.REFUSE],
}


def on(base: Situation, surface: Surface, behalf: bool) -> Context:
    """The situation as a call that comes in so, for the person themselves or on behalf of another."""
    actor = replace(ACTOR, on_behalf_of="usr_4096") if behalf else ACTOR
    return replace(base.context, actor=actor, surface=surface)


def no_better(one: StepUp, first: Context, two: StepUp, second: Context, token: str | None) -> None:
    """The second is decided no better than the first, with a token or without, and offers no other method."""
    assert opened(two, second) <= opened(one, first)
    for shown in {None, token}:
        before, after = (
            gate.check("act", context, resource=RESOURCE, token=shown)
            for gate, context in ((one, first), (two, second))
        )
        assert RANK[after.outcome] <= RANK[before.outcome], f"{before.explain()} became {after.explain()}"


@pytest.mark.requirement("P-06")
@given(
    situations,
    st.sampled_from(Risk),
    st.none() | policies(),
    subsets,
    st.permutations(METHODS),
    st.sampled_from(Surface),
    st.booleans(),
)
@examples(150)
def test_neither_surface_nor_impersonation_weakens_a_decision(
    base: Situation,
    risk: Risk,
    policy: Policy | None,
    enrolled: frozenset[str],
    order: list[str],
    surface: Surface,
    behalf: bool,
) -> None:
    """Without a word of the action, a browser and oneself have the best decision there is."""
    try:
        gate = make_gate(Action("act", "Act", risk=risk, policy=policy, escalate=escalate), enrolled)
    except ConfigurationError:
        assume(False)
        return
    token = stepped_up(gate, base.context, order)
    no_better(gate, base.context, gate, on(base, surface, behalf), token)


@pytest.mark.requirement("P-06")
@given(
    pairs(),
    st.sampled_from([Risk.LOW, Risk.MEDIUM, Risk.HIGH]),
    said_of,
    st.sampled_from([None, Impersonation.PROVE, Impersonation.REFUSE]),
    subsets,
    st.sampled_from(Surface),
    st.booleans(),
    st.data(),
)
@examples(250)
def test_what_an_action_says_of_them_is_monotone_too(
    pair: tuple[Situation, Situation],
    risk: Risk,
    surfaces: dict[Surface | str, Handling | str],
    impersonation: Impersonation | None,
    enrolled: frozenset[str],
    surface: Surface,
    behalf: bool,
    data: st.DataObject,
) -> None:
    """More risk, acting for another and harder words never give a better decision, whatever the action allows."""

    def gate_of(said: dict[Surface | str, Handling | str], of_others: Impersonation | None) -> StepUp:
        action = Action("act", "Act", risk=risk, escalate=escalate, surfaces=said, impersonation=of_others)
        return make_gate(action, enrolled)

    base, worse = pair
    gate = gate_of(surfaces, impersonation)
    first = on(base, surface, behalf)
    no_better(gate, first, gate, on(worse, surface, behalf), None)
    no_better(gate, first, gate, on(base, surface, True), None)
    harder: dict[Surface | str, Handling | str] = {
        name: data.draw(st.sampled_from(HARDER[Handling(one)])) for name, one in surfaces.items()
    }
    no_better(gate, first, gate_of(harder, data.draw(st.sampled_from(STRICTER[impersonation]))), first, None)
    if base.level == 4 and surface in surfaces and behalf:
        found = gate.check("act", first, resource=RESOURCE)
        assert found.outcome is not Outcome.ALLOWED, "nothing passes at level 4 on behalf of somebody without proof"


# -- requirements and proofs

FOREIGN = "smoke_signal"
proofs_given = st.builds(
    lambda name, age: Proof(name, NOW - timedelta(seconds=age), strength=STRENGTHS.get(name, 10)),
    st.sampled_from([*METHODS, FOREIGN]),
    st.sampled_from([-1, 0, 59, 60, 299, 300]),
)
recovery = st.builds(
    lambda target, age: Proof(
        RECOVERY_CODE, NOW - timedelta(seconds=age), strength=STRENGTHS[target], stands_for=target
    ),
    st.sampled_from(METHODS),
    st.sampled_from([0, 100]),
)
holdings = st.builds(
    Holding,
    strongest=st.none() | st.sampled_from(sorted(STRENGTHS.values())),
    min_strength=st.sampled_from([0, 15, 25]),
    recovery=st.booleans(),
    session_age=st.none() | st.sampled_from([0.0, 59.0, 60.0, 400.0]),
    session_window=st.sampled_from([0, 60, 300]),
    allowed=st.none() | st.frozensets(st.sampled_from([*METHODS, RECOVERY_CODE])),
)


def usable(names: frozenset[str], stands_for: str | None) -> list[Usable]:
    """One factor of each method; recovery codes for *stands_for* as well."""
    found = [Usable(name, STRENGTHS[name]) for name in sorted(names)]
    return found if stands_for is None else [*found, Usable(RECOVERY_CODE, STRENGTHS[stands_for], stands_for)]


@pytest.mark.requirement("P-06")
@given(requirements(leaves), st.lists(proofs_given | recovery, max_size=4), proofs_given | recovery, holdings)
@examples(200)
def test_another_proof_never_makes_a_met_requirement_unmet(
    requirement: Requirement, proofs: list[Proof], another: Proof, holding: Holding
) -> None:
    """Proving more is never a disadvantage; nor does an unknown method, or a proof from the future, meet anything."""
    if met(requirement, proofs, holding, NOW):
        assert met(requirement, [*proofs, another], holding, NOW)
        assert met(requirement, [another, *proofs], holding, NOW)
    if another.at > NOW or not holding.admits(another.method, another.strength):
        assert met(requirement, [*proofs, another], holding, NOW) == met(requirement, proofs, holding, NOW)


@pytest.mark.requirement("P-06")
@given(requirements(leaves), st.lists(proofs_given, max_size=3), holdings, subsets)
@examples(200)
def test_a_narrower_holding_meets_no_more(
    requirement: Requirement, proofs: list[Proof], holding: Holding, kept: frozenset[str]
) -> None:
    """Fewer methods allowed, a higher strength asked for, an older login: whatever was unmet stays unmet."""
    allowed = kept if holding.allowed is None else holding.allowed & kept
    age = None if holding.session_age is None else holding.session_age + 100
    for worse in (
        replace(holding, allowed=allowed),
        replace(holding, min_strength=holding.min_strength + 10),
        replace(holding, session_age=age),
        replace(holding, session_window=0),
        replace(holding, recovery=False),
        replace(holding, strongest=None if holding.strongest is None else holding.strongest + 10),
    ):
        assert met(requirement, proofs, holding, NOW) or not met(requirement, proofs, worse, NOW)
        names = frozenset(open_methods(requirement, usable(frozenset(METHODS), "totp"), (), worse, NOW))
        if not met(requirement, (), worse, NOW) and not met(requirement, (), holding, NOW):
            assert names <= set(open_methods(requirement, usable(frozenset(METHODS), "totp"), (), holding, NOW))


@given(
    requirements(leaves),
    holdings,
    subsets,
    st.none() | st.sampled_from(METHODS),
    st.permutations([*METHODS, RECOVERY_CODE]),
)
@examples(200)
def test_what_is_offered_leads_to_the_requirement_being_met(
    requirement: Requirement, holding: Holding, names: frozenset[str], stands_for: str | None, order: list[str]
) -> None:
    """Whichever offered method is proved first, and next, it ends with the requirement met, and soon."""
    held = {one.method: one for one in usable(names, stands_for)}
    proofs: list[Proof] = []
    for _ in range(len(held) + 1):
        offered = open_methods(requirement, held.values(), proofs, holding, NOW)
        if not offered:
            break
        chosen = held[min(offered, key=order.index)]
        assert chosen.method not in {proof.method for proof in proofs}, "what was proved is asked for again"
        assert not met(requirement, proofs, holding, NOW)
        proofs.append(Proof(chosen.method, NOW, strength=chosen.strength, stands_for=chosen.stands_for))
    assert not proofs or met(requirement, proofs, holding, NOW)


@given(
    requirements(leaves), holdings, subsets, st.none() | st.sampled_from(METHODS), st.lists(proofs_given, max_size=2)
)
@examples(200)
def test_what_is_not_offered_completes_nothing(
    requirement: Requirement, holding: Holding, names: frozenset[str], stands_for: str | None, proofs: list[Proof]
) -> None:
    """No method outside the offer finishes a requirement, and where nothing is offered nothing would."""
    held = usable(names, stands_for)
    assume(not met(requirement, proofs, holding, NOW))
    offered = open_methods(requirement, held, proofs, holding, NOW)
    for one in held:
        proof = Proof(one.method, NOW, strength=one.strength, stands_for=one.stands_for)
        if one.method not in offered:
            assert not met(requirement, [*proofs, proof], holding, NOW)
    every = [Proof(one.method, NOW, strength=one.strength, stands_for=one.stands_for) for one in held]
    assert met(requirement, [*proofs, *every], holding, NOW) is bool(offered)
