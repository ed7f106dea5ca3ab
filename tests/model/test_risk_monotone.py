"""More signals never weaken a decision: over generated policies, signals, thresholds, narrowings and situations.

``test_monotone`` says what a weaker decision is and compares; here the risk comes from ``stepup.risk.Signals``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given
from test_monotone import (
    ACTOR,
    METHODS,
    NOW,
    RANK,
    RESOURCE,
    SECRET,
    STRENGTHS,
    examples,
    leaves,
    opened,
    policies,
    requirements,
    stepped_up,
)

from stepup import (
    Action,
    ConfigurationError,
    Context,
    Device,
    Factor,
    Outcome,
    Policy,
    Proof,
    Risk,
    RiskLevel,
    Session,
    StepUp,
)
from stepup.history import History, Known, Sighting, Visit
from stepup.requirement import Requirement
from stepup.risk import DEFAULTS, Signal, Signals, assess
from stepup.stores.memory import MemoryStore
from stepup.testing import FrozenClock, ScriptedVerifier
from stepup.throttle import Count, Throttle

CODES = tuple(f"signal_{letter}" for letter in "abcdef")
subsets = st.frozensets(st.sampled_from(METHODS))
raised = st.frozensets(st.sampled_from(CODES))
narrowings = st.dictionaries(st.sampled_from(RiskLevel), subsets, max_size=3)
points = st.integers(1, 60)


def looks_for(code: str) -> Signal:
    """A signal that is raised, or cannot be told, where the request says so; nothing is bound to a user agent."""

    def found(history: History, context: Context, now: datetime) -> bool | None:
        words = (context.user_agent or "").split()
        return None if f"?{code}" in words else code in words

    return Signal(code, 10, found)


@st.composite
def rules(draw: st.DrawFn) -> Signals:
    """An assessor that an application could make, of its own signals alone."""
    medium = draw(st.integers(1, 60))
    return Signals(
        signals=tuple(map(looks_for, CODES)),
        weights={code: draw(points) for code in CODES},
        medium=medium,
        high=draw(st.integers(medium, 100)),
        narrow=draw(narrowings),
    )


@dataclass(frozen=True)
class Visitor:
    """What is raised of a request, what cannot be told, and how old its login is."""

    raised: frozenset[str]
    untold: frozenset[str]
    age: int | None

    @property
    def context(self) -> Context:
        at = None if self.age is None else NOW - timedelta(seconds=self.age)
        proofs = () if at is None else tuple(Proof(name, at) for name in METHODS)
        words = " ".join((*sorted(self.raised), *(f"?{code}" for code in sorted(self.untold))))
        return Context(ACTOR, Session("session", at, proofs), Device("fingerprint"), user_agent=words)


visitors = st.builds(
    Visitor,
    raised=raised,
    untold=st.just(frozenset()) | raised,
    age=st.none() | st.sampled_from([0, 299, 300, 50000]),
)


def gate_of(action: Action, risk: Signals, enrolled: frozenset[str]) -> StepUp:
    verifiers = [
        ScriptedVerifier(name, strength=strength, factors=[Factor(name, name)] if name in enrolled else [])
        for name, strength in STRENGTHS.items()
    ]
    return StepUp(
        actions=[action], verifiers=verifiers, store=MemoryStore(), secret=SECRET, clock=FrozenClock(NOW), risk=risk
    )


@pytest.mark.requirement("P-06")
@given(
    visitors,
    raised,
    raised,
    st.sampled_from(Risk),
    policies(),
    st.none() | requirements(leaves),
    rules(),
    subsets,
    st.permutations(METHODS),
    st.booleans(),
)
@examples(300)
def test_more_signals_never_weaken_a_decision(
    base: Visitor,
    more: frozenset[str],
    untold: frozenset[str],
    risk: Risk,
    policy: Policy,
    named: Requirement | None,
    signals: Signals,
    enrolled: frozenset[str],
    order: Sequence[str],
    mint: bool,
) -> None:
    """With or without a grant, a riskier request gets no better decision and no further method."""
    worse = replace(base, raised=base.raised | more, untold=base.untold | untold)
    try:
        gate = gate_of(Action("act", "Act", risk=risk, policy=policy, methods=named), signals, enrolled)
    except ConfigurationError:
        assume(False)
        return
    before, after = opened(gate, base.context), opened(gate, worse.context)
    assert after <= before, f"methods grew from {sorted(before)} to {sorted(after)}"
    token = stepped_up(gate, base.context, order) if mint else None
    for shown in {None, token}:
        one = gate.check("act", base.context, resource=RESOURCE, token=shown)
        two = gate.check("act", worse.context, resource=RESOURCE, token=shown)
        assert RANK[two.outcome] <= RANK[one.outcome], f"{one.explain()} became {two.explain()}"
        if two.outcome is not Outcome.DENIED:
            assert two.risk.level not in gate.core.registry.rules("act", risk).policy.blocked


def no_weaker(one: Signals, history: History | None, two: Signals, worse: History | None, context: Context) -> None:
    """The second assessment is at least as bad as the first in every respect."""
    before, after = assess(history, context, NOW, one), assess(worse, context, NOW, two)
    assert after.score >= before.score
    assert after.level.rank >= before.level.rank
    if before.methods is not None:
        assert after.methods is not None
        assert after.methods <= before.methods


@pytest.mark.requirement("P-06")
@given(visitors, rules(), st.sets(st.sampled_from(("x", "y", "z"))), points)
@examples(300)
def test_an_assessor_with_more_signals_is_no_weaker(
    visitor: Visitor, signals: Signals, added: set[str], weight: int
) -> None:
    """Whatever is added to it: raised, not raised, or not to be told."""
    answers: Mapping[str, bool | None] = {"x": True, "y": False, "z": None}
    also = tuple(Signal(code, weight, lambda *_, code=code: answers[code]) for code in sorted(added))
    no_weaker(signals, History(HERE), replace(signals, also=also), History(HERE), visitor.context)


# -- the shipped signals

HERE = Visit(("laptop",), ("home",), ("de",))
moments = st.none() | st.sampled_from([0, 1, 3599, 3600, 14400, 86400, 40 * 86400, 100 * 86400]).map(
    lambda seconds: NOW - timedelta(seconds=seconds)
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[History, History]:
    """A history and one that is worse in some ways: less is known, more was wrong, later changed, farther away."""
    last, changed, at = draw(moments), draw(moments), draw(moments)
    failures = draw(st.integers(0, 4))
    places = tuple(Sighting(mark, at) for mark in ("laptop", "home") if at is not None)
    known = Known(places, places, Sighting(draw(st.sampled_from(["de", "jp"])), at) if at else None, last, changed)
    history = History(replace(HERE, country=draw(st.sampled_from([(), ("de",)]))), known, _failed(failures))
    worse = history
    for kind in draw(st.sets(st.sampled_from(["device", "network", "failures", "changed", "country", "unread"]))):
        if kind == "device":
            worse = replace(worse, known=replace(worse.known, devices=()))
        elif kind == "network":
            worse = replace(worse, known=replace(worse.known, networks=()))
        elif kind == "failures":
            worse = replace(worse, throttle=_failed(failures + draw(st.integers(0, 5))))
        elif kind == "changed":
            worse = replace(worse, known=replace(worse.known, factors_changed_at=NOW))
        elif kind == "country":
            worse = replace(worse, visit=replace(worse.visit, country=None))
    return history, worse


def _failed(times: int) -> Throttle:
    return Throttle(counts={"totp": Count(times, times, NOW)} if times else {})


@pytest.mark.requirement("P-06")
@given(histories(), narrowings, st.booleans())
@examples(400)
def test_a_worse_history_is_no_lower_risk(
    pair: tuple[History, History], narrow: Mapping[RiskLevel, frozenset[str]], unread: bool
) -> None:
    """Less known, more wrong, changed since, a country that cannot be told, or nothing readable at all."""
    shipped = Signals(signals=DEFAULTS, narrow=narrow)
    history, worse = pair
    no_weaker(shipped, history, shipped, None if unread else worse, Context(ACTOR))
