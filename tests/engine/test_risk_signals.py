"""The default assessor at work: what a gate remembers, when, at what cost, and what it does to decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from engine_bench import (
    ACTIONS,
    ACTOR,
    CONTEXT,
    ORG,
    OTHER_SECRET,
    PASSWORD,
    REAL_ACTIONS,
    SECRET,
    Counting,
    World,
    both_faces,
    code,
    context,
    outcome,
    real_world,
    world,
)

from stepup import (
    Action,
    Code,
    ConfigurationError,
    Context,
    Denied,
    Item,
    MoreNeeded,
    Policy,
    Rejected,
    Resource,
    RiskAssessment,
    RiskLevel,
    StepUpRequired,
    all_of,
)
from stepup.changes import KNOWN, Key, Record
from stepup.decide.enrol import ADD, REMOVE
from stepup.errors import WrongColour
from stepup.history import History, Known
from stepup.risk import Signal, Signals, recent_failures

pytestmark = both_faces

HOTEL = replace(context(device="fp_hotel", ip="198.51.100.9"), user_agent="Other")
BAD = frozenset({RiskLevel.HIGH, RiskLevel.UNKNOWN})
BLOCKING = (
    Action("vault.open", "Open vault", risk=3, policy=Policy(methods="any", block_session_risk=BAD)),
    Action("both.needed", "Both needed", policy=Policy(methods=all_of("password", "passkey"))),
    *ACTIONS,
)


def watched(face: str, **settings: Any) -> World:
    return world(face=face, **{"actions": BLOCKING, "risk": Signals(), **settings})


def known(here: World, who: Context = CONTEXT) -> Known | None:
    """The record as it is stored."""
    found = here.store.inner.load(here.gate.core.partition(who.actor), (KNOWN,))[0]
    if found is None:
        return None
    assert isinstance(found.value, Known)
    return found.value


def risk_of(here: World, who: Context = CONTEXT, action: str = "member.role") -> RiskAssessment:
    return here.gate.check(action, who, resource=ORG).risk


# -- what is remembered, and when ----------------------------------------------------------


def test_a_place_is_known_after_a_proof_from_it(face: str) -> None:
    """And only that one: another device in another network is new still."""
    here = watched(face)
    assert risk_of(here).reasons == ("new_device", "new_network")

    here.prove("member.role")

    assert risk_of(here) == RiskAssessment()
    assert risk_of(here, context(ip="192.0.2.200")).reasons == ()
    assert risk_of(here, context(ip="192.0.3.7")).reasons == ("new_network",)
    assert risk_of(here, context(device="fp_2")).reasons == ("new_device",)
    assert risk_of(here, context(device=None)).reasons == ("new_device",)


def test_visits_without_a_proof_make_nothing_known(face: str) -> None:
    """A thief's visits, challenges, wrong answers and half an answer leave his place as new as it was."""
    here = watched(face)
    here.prove("member.role")
    before = known(here)

    for _ in range(3):
        outcome(lambda: here.gate.require("member.role", HOTEL, resource=ORG))
    assert isinstance(here.gate.verify(here.start("vault.open", HOTEL).id, "passkey", "no", HOTEL), Rejected)
    half = here.gate.verify(here.start("both.needed", HOTEL).id, "password", "pw", HOTEL)

    assert isinstance(half, MoreNeeded)
    assert known(here) == before
    assert {"new_device", "new_network"} <= set(risk_of(here, HOTEL).reasons)


def test_what_is_remembered_is_written_with_the_grant(face: str) -> None:
    """One batch for both: either is there with the other, or neither."""
    here = watched(face)
    here.prove("member.role")

    minting = here.store.batches[-1]
    assert {"challenge", "grant", "known", "shelf", "throttle"} <= {put.key.kind for put in minting.puts}
    assert [event.result for event in minting.events] == ["ok"]


def test_no_address_and_no_device_is_kept(face: str) -> None:
    """Keyed digests alone: whoever reads the record cannot tell a place from it."""
    from stepup.codec import encode

    here = watched(face, risk=Signals(country_of=lambda ip: "DE"))
    here.prove("member.role")
    found = known(here)
    assert found is not None

    text = encode(found)
    assert not [word for word in ("192.0.2", "fp_1", "DE", "usr_2048", "sess_1") if word in text]
    other = watched(face, risk=Signals(country_of=lambda ip: "DE"), secret=OTHER_SECRET)
    other.prove("member.role")
    elsewhere = known(other)
    assert elsewhere is not None
    assert {one.mark for one in elsewhere.devices}.isdisjoint(one.mark for one in found.devices)


def test_a_gate_without_the_assessor_keeps_nothing(face: str) -> None:
    """What nobody asks for is not collected."""
    here = watched(face, risk=lambda who, action: RiskAssessment())
    here.prove("member.role")

    assert known(here) is None


def test_rotating_the_key_makes_nobody_new(face: str) -> None:
    """A digest names its key; only dropping the key it was made with forgets."""
    store, first = Counting(), "a first secret for the tests of risk: 0123456789"
    watched(face, store=store, secret=first).prove("member.role")

    both = watched(face, store=store, secret=[SECRET, first])
    assert risk_of(both).reasons == ()
    both.prove("member.role")
    assert risk_of(watched(face, store=store, secret=[SECRET])).reasons == ()


def test_forgetting_a_person_forgets_their_places(face: str) -> None:
    """Nothing is left of it."""
    here = watched(face)
    here.prove("member.role")
    here.gate.forget(ACTOR)

    assert known(here) is None


def test_the_record_may_go_when_nothing_in_it_counts(face: str) -> None:
    """Ninety days after the last proof it is purged."""
    here = watched(face)
    here.prove("member.role")
    here.clock.advance(timedelta(days=91))
    here.gate.purge()

    assert known(here) is None
    assert risk_of(here).reasons == ("new_device", "new_network")


# -- what it costs --------------------------------------------------------------------------


def _calls(here: World, action: str, token: str | None, who: Context = CONTEXT) -> Sequence[str]:
    return here.store.during(lambda: here.allows(action, who, token))


def test_a_decision_costs_one_read_more(face: str) -> None:
    """The history is loaded once for each decision, and never written for one."""
    here = watched(face)
    single, many = here.prove("org.delete").token, here.prove("member.role").token

    assert _calls(here, "note.edit", None, context(age=60)) == ["load"]
    assert _calls(here, "member.role", "nonsense") == ["load"]
    assert _calls(here, "member.role", many) == ["load", "apply"]
    assert _calls(here, "org.delete", single) == ["load", "apply"]
    assert here.store.during(lambda: here.start("org.delete")) == ["load", "load", "apply"]
    bundle = [Item("member.role", ORG), Item("member.remove", ORG), Item("note.edit", ORG)]
    assert here.store.during(lambda: here.gate.require_bundle(bundle, CONTEXT, token="nonsense")) == ["load"]
    challenge = here.start("org.delete")
    answered = here.store.during(lambda: here.gate.verify(challenge.id, "passkey", "touch", CONTEXT))
    assert answered == ["load", "load", "apply", "load", "apply"]


@pytest.mark.parametrize("risk", [None, lambda who, action: RiskAssessment()])
def test_a_gate_without_it_costs_what_it_did(face: str, risk: Any) -> None:
    """A fresh session nothing, a token one call."""
    here = watched(face, risk=risk) if risk else world(face=face)
    token = here.prove("org.delete").token

    assert _calls(here, "note.edit", None, context(age=60)) == []
    assert _calls(here, "org.delete", token) == ["apply"]


# -- what it does ----------------------------------------------------------------------------


@pytest.mark.requirement("P-06")
def test_a_policy_that_blocks_stops_a_visit_from_elsewhere(face: str) -> None:
    """New device, new network, three wrong answers: high, and blocked; at home the same person goes on."""
    here = watched(face)
    here.prove("vault.open")
    challenge = here.start("vault.open", HOTEL)
    for _ in range(3):
        here.gate.verify(challenge.id, "passkey", "no", HOTEL)

    refused = outcome(lambda: here.gate.require("vault.open", HOTEL, resource=ORG))

    assert isinstance(refused, Denied)
    assert refused.decision.code is Code.ACTION_BLOCKED
    assert refused.decision.risk.level is RiskLevel.HIGH
    assert refused.decision.explain()["risk"] == {
        "score": 60,
        "level": "high",
        "reasons": ["new_device", "new_network", "recent_failures"],
        "methods": None,
    }
    assert isinstance(outcome(lambda: here.start("vault.open", HOTEL)), Denied)
    right = here.gate.verify(challenge.id, "passkey", "touch", HOTEL)
    assert isinstance(right, Rejected)
    assert here.reasons()[-1] == "session_risk"
    assert isinstance(outcome(lambda: here.gate.require("vault.open", HOTEL, resource=ORG)), Denied)
    assert here.allows("vault.open")


@pytest.mark.requirement("P-06")
def test_redeeming_runs_it_again(face: str) -> None:
    """A token that was good is refused where the risk has become too high, and good again when it has gone."""
    here = watched(face, risk=Signals(weights={"recent_failures": 60}))
    token = here.prove("vault.open").token
    challenge = here.start("vault.open")
    for _ in range(3):
        here.gate.verify(challenge.id, "passkey", "no", CONTEXT)

    assert not here.allows("vault.open", token=token)
    assert here.gate.check("vault.open", CONTEXT, resource=ORG, token=token).code is Code.ACTION_BLOCKED
    here.prove("member.role")  # which forgives the failures
    assert here.allows("vault.open", token=token)


def test_a_level_narrows_what_may_be_proved(face: str) -> None:
    """From a new place the passkey alone counts, for new challenges and for what was granted before."""
    here = watched(face, risk=Signals(narrow={RiskLevel.MEDIUM: {"passkey"}}))
    here.prove("vault.open")

    assert set(here.start("vault.open").allowed) == {"passkey", "password"}
    narrowed = here.start("vault.open", HOTEL)
    assert narrowed.allowed == ("passkey",)
    assert isinstance(here.gate.verify(narrowed.id, "password", "pw", HOTEL), Rejected)
    assert here.events()[-1].detail == {
        "risk_reasons": "new_device,new_network",
        "risk_methods": "passkey",
    }


def test_the_challenge_and_the_event_hold_the_whole_assessment(face: str) -> None:
    """Score, level, reasons and what was narrowed: what the audit needs to tell why."""
    here = watched(face, risk=Signals(narrow={RiskLevel.MEDIUM: {"passkey"}}))
    made = here.start("vault.open", HOTEL)

    assert (made.risk_score, made.risk_level) == (30, "medium")
    assert made.risk_reasons == ("new_device", "new_network")
    assert made.risk_methods == ("passkey",)
    told = here.events()[-1]
    assert (told.risk_score, told.risk_level) == (30, "medium")
    assert told.detail["risk_reasons"] == "new_device,new_network"
    assert told.detail["risk_methods"] == "passkey"
    plain = world(face=face).start("member.role")
    assert (plain.risk_score, plain.risk_level, plain.risk_reasons, plain.risk_methods) == (0, "low", (), None)


def test_a_client_is_told_no_reasons_by_a_decision(face: str) -> None:
    """What a blocked call tells is that it is blocked."""
    here = watched(face)
    needed = outcome(lambda: here.gate.require("member.role", HOTEL, resource=ORG))

    assert isinstance(needed, StepUpRequired)
    assert needed.decision.risk.reasons == ("new_device", "new_network")
    assert "new_device" not in repr(needed.decision.public())


def test_what_the_application_says_is_combined_with_it(face: str) -> None:
    """The worse of the two, with the reasons of both."""
    here = watched(face)
    mine = replace(HOTEL, risk=RiskAssessment(90, RiskLevel.HIGH, ("reported_stolen",)))

    found = risk_of(here, mine)

    assert (found.score, found.level) == (90, RiskLevel.HIGH)
    assert found.reasons == ("reported_stolen", "new_device", "new_network")


# -- what it sees ----------------------------------------------------------------------------


def _proved(here: World, action: str, method: str, answer: str, resource: Resource, params: Any = None) -> None:
    here.prove(action, CONTEXT, method, answer, resource=resource, params=params)


def test_changes_of_factors_are_seen(face: str) -> None:
    """One added, one changed by the application under a step-up, one removed: each for a day."""
    mine = Resource("factors", ACTOR.id)
    here = real_world(face, risk=Signals(), actions=REAL_ACTIONS)
    _proved(here, ADD, "password", PASSWORD, mine, {"method": "totp"})
    assert risk_of(here).reasons == ()

    made = here.gate.factors.enrol_totp(CONTEXT)
    assert here.gate.factors.confirm_totp(CONTEXT, made.factor_id, code(made.secret, here.now))
    assert risk_of(here).reasons == ("recent_factor_change",)
    here.clock.advance(timedelta(hours=24))
    assert risk_of(here).reasons == ()

    here.prove("by.any", CONTEXT, "password", PASSWORD)
    here.gate.factors.changed(CONTEXT, "password", here.gate.require("by.any", CONTEXT, resource=ORG))
    assert risk_of(here).reasons == ("recent_factor_change",)
    here.clock.advance(timedelta(hours=24))

    _proved(here, REMOVE, "totp", code(made.secret, here.now), Resource("factor", made.factor_id))
    assert risk_of(here).reasons == ()
    assert here.gate.factors.remove(CONTEXT, made.factor_id)
    assert risk_of(here).reasons == ("recent_factor_change",)


def test_failures_are_forgiven_with_the_factor(face: str) -> None:
    """Three wrong answers raise it for an hour, or until a right one."""
    here = watched(face)
    here.prove("member.role")
    challenge = here.start("member.role")
    for _ in range(3):
        here.gate.verify(challenge.id, "passkey", "no", CONTEXT)

    assert risk_of(here).reasons == ("recent_failures",)
    here.clock.advance(3599)
    assert risk_of(here).reasons == ("recent_failures",)
    here.clock.advance(1)
    assert risk_of(here).reasons == ()


def test_a_country_that_nobody_can_reach_is_seen(face: str) -> None:
    """Two hours after a proof at home, in another country; after four hours it is possible."""
    where = {"192.0.2.7": "DE", "198.51.100.9": "JP"}
    here = watched(face, risk=Signals(country_of=where.get))
    here.prove("member.role")
    here.clock.advance(timedelta(hours=2))

    assert risk_of(here, HOTEL).reasons == ("new_device", "new_network", "impossible_country")
    assert risk_of(here, HOTEL).level is RiskLevel.HIGH
    here.clock.advance(timedelta(hours=2))
    assert risk_of(here, HOTEL).reasons == ("new_device", "new_network")


def _broken(ip: str) -> str:
    raise OSError("the database of countries is gone")


@pytest.mark.parametrize("country_of", [_broken, lambda ip: None, lambda ip: "", lambda ip: 49, lambda ip: b"DE"])
def test_a_country_that_cannot_be_told_is_unknown_and_blocked(face: str, country_of: Any) -> None:
    """Never low; and what was known of the last country stays."""
    here = watched(face, risk=Signals(country_of=country_of))

    found = risk_of(here)

    assert (found.score, found.level) == (100, RiskLevel.UNKNOWN)
    assert "impossible_country_unknown" in found.reasons
    assert not here.allows("vault.open")
    assert here.gate.check("vault.open", CONTEXT).code is Code.ACTION_BLOCKED
    assert risk_of(watched(face, risk=Signals(country_of=lambda ip: "DE")), replace(CONTEXT, ip=None)).level is (
        RiskLevel.UNKNOWN
    )


class _Unreadable(Counting):
    """A store that cannot read the history."""

    how: object = None

    def load(self, partition: str, keys: Sequence[Key]) -> Sequence[Record | None]:
        if KNOWN in keys and len(keys) == 3:
            if isinstance(self.how, Exception):
                raise self.how
            return self.how  # type: ignore[return-value]  # what a broken store might answer
        return super().load(partition, keys)


@pytest.mark.parametrize("how", [OSError("gone"), None, [], [None, None, "throttle"]])
def test_a_history_that_cannot_be_read_is_unknown(face: str, how: object) -> None:
    """Blocked where the policy says so; elsewhere the decision goes on with the worst risk."""
    store = _Unreadable()
    here = watched(face, store=store)
    here.prove("member.role")
    store.how = how

    found = risk_of(here)

    assert (found.score, found.level, found.reasons) == (100, RiskLevel.UNKNOWN, ("history_unreadable",))
    blocked = outcome(lambda: here.gate.require("vault.open", CONTEXT, resource=ORG))
    assert isinstance(blocked, Denied)
    assert blocked.decision.code is Code.ACTION_BLOCKED


# -- replacing it ------------------------------------------------------------------------------


def test_a_signal_of_ones_own_is_a_function(face: str) -> None:
    """With the history and the context to look at."""

    def at_night(history: History, who: Context, now: Any) -> bool:
        return now.hour < 6 or not history.roster.factors

    rules = Signals(also=(Signal("at_night", 35, at_night), recent_failures(50, at_least=1)))
    assert risk_of(watched(face, risk=rules)).reasons == ("new_device", "new_network", "at_night")


class _Own:
    """A whole assessor over the same history."""

    codes = frozenset({"mine"})
    country_of = None

    def __init__(self, answer: object = None) -> None:
        self.answer = answer
        self.seen: list[History | None] = []

    def assess(self, history: History | None, context: Context, now: object, /) -> RiskAssessment:
        self.seen.append(history)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[return-value]  # what a broken one might answer


def test_the_whole_assessor_can_be_replaced(face: str) -> None:
    """It gets the history; what it raises or answers besides an assessment is unknown."""
    own = _Own(RiskAssessment(10, RiskLevel.LOW, ("mine",)))
    here = watched(face, risk=own)
    here.prove("member.role")

    assert risk_of(here).reasons == ("mine",)
    assert own.seen[-1] is not None
    assert own.seen[-1].knows_device(here.now)
    for answer in (RuntimeError("no"), None, "low", 0):
        assert risk_of(watched(face, risk=_Own(answer))).level is RiskLevel.UNKNOWN


def test_what_cannot_be_an_assessor_is_refused(face: str) -> None:
    """The class instead of an object, an async ``assess``; a country hook of the other colour on the sync face."""

    class Later(_Own):
        async def assess(self, *_: object) -> RiskAssessment:  # type: ignore[override]  # the mistake
            return RiskAssessment()

    async def later(ip: str) -> str:
        return "DE"

    for wrong in (Signals, Later()):
        with pytest.raises(ConfigurationError):
            watched(face, risk=wrong)
    if face == "sync":
        with pytest.raises(WrongColour):
            watched(face, risk=Signals(country_of=later))
        with pytest.raises(WrongColour):
            risk_of(watched(face, risk=Signals(country_of=lambda ip: later(ip))))
    else:
        here = watched(face, risk=Signals(country_of=later))
        here.prove("member.role")
        assert risk_of(here).reasons == ()


def test_blocking_without_an_assessor_is_still_refused(face: str) -> None:
    """It would block nothing."""
    with pytest.raises(ConfigurationError, match="nothing assesses"):
        watched(face, risk=None)


def test_lint_warns_where_newcomers_are_blocked(face: str) -> None:
    """Medium is what everybody is once; blocking high and unknown is advised."""
    medium = Policy(methods="any", block_session_risk=BAD | {RiskLevel.MEDIUM})
    strict = Action("vault.close", "Close vault", policy=medium)

    def found(risk: Any) -> list[str | None]:
        here = watched(face, actions=(*BLOCKING[:1], strict), risk=risk)
        return [one.action for one in here.gate.lint() if one.code == "blocks_newcomers"]

    assert found(Signals()) == ["vault.close"]
    assert found(lambda who, action: RiskAssessment()) == []


@pytest.mark.parametrize("with_token", [True, False])
def test_a_grant_is_judged_by_the_methods_that_are_left_now(face: str, with_token: bool) -> None:
    """A password was enough when it was given; while the risk leaves the passkey alone, it opens nothing."""
    here = world(face=face)
    token = here.prove("by.password", method="password", answer="pw").token if with_token else None
    if not with_token:
        here.prove("by.password", method="password", answer="pw")
    narrowed = context(risk=RiskAssessment(40, RiskLevel.MEDIUM, methods=frozenset({"passkey"})))

    assert not here.gate.check("by.password", narrowed, resource=ORG, token=token).allowed
    assert here.gate.check("by.password", CONTEXT, resource=ORG, token=token).allowed
