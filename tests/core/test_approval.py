"""Who may approve, as a rule: what can be stated, and what of it is kept, shown and hashed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stepup.approval import Answer, Approvers, Asked, Choice, Standing, network
from stepup.challenge import State
from stepup.context import APPROVAL, Actor, Context, Proof
from stepup.decide import approval as pure
from stepup.decide import approving
from stepup.decide import ballot as counting
from stepup.decide.request import Ids
from stepup.errors import ConfigurationError
from stepup.policy import BINDS, Action, Risk
from stepup.registry import Registry
from stepup.requirement import ANY, STRONGEST, Holding, Usable, any_of, met, method, open_methods
from stepup.testing import _store_samples as samples
from stepup.testing._store_bench import NOW

FINANCE = Approvers("finance")


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"role": ""},
        {"role": []},
        {"role": "finance", "people": ["usr_1"]},
        {"role": "finance", "may": print},
        {"people": "usr_1"},
        {"people": []},
        {"people": [""]},
        {"may": "finance"},
        {"role": "finance", "quorum": 0},
        {"role": "finance", "quorum": 11},
        {"role": "finance", "quorum": True},
        {"people": ["usr_1", "usr_1"], "quorum": 2},
        {"people": [f"usr_{n}" for n in range(1001)]},
        {"role": "finance", "apart": ["country"]},
        {"role": "finance", "step_up": 1},
    ],
)
def test_a_rule_that_cannot_be_right_is_refused(wrong: dict[str, Any]) -> None:
    """Exactly one way to say who, a quorum that can be reached, and known words."""
    with pytest.raises(ValueError, match=r"Approvers|people"):
        Approvers(**wrong)


@pytest.mark.parametrize("more", [(), ["network"], "network", ["session"], {"device", "network"}])
def test_session_and_device_are_kept_apart_whatever_is_added(more: Any) -> None:
    """Separation of duties is no setting: naming the network adds it, and naming nothing takes nothing away."""
    rule = Approvers("finance", apart=more)
    assert rule.kept_apart == {"session", "device"} | ({"network"} if "network" in more else set())
    assert rule.as_data()["apart"] == sorted(rule.kept_apart)


def test_who_that_is_in_words() -> None:
    """Roles by their names, people by their number, never by their ids; or what the product calls them."""
    assert Approvers(["finance", "owner"]).who == "finance or owner"
    assert Approvers(people=["usr_1", "usr_2", "usr_1"]).who == "2 named people"
    assert Approvers(may=lambda *_: True).who == "somebody entitled"
    assert Approvers("finance", called="a colleague in finance").who == "a colleague in finance"


def test_the_rule_is_part_of_the_rules_hash() -> None:
    """Whatever of it changes, what was asked under it is asked no longer; what it is called changes nothing."""

    def hashed(rule: Approvers) -> str:
        action = Action("x", "X", methods=APPROVAL, approvers=rule)
        return Registry([action], methods={APPROVAL: 0}, assessed=False).rules("x", Risk.HIGH).hash

    others = [
        replace(FINANCE, role="owner"),
        Approvers(people=["usr_1"]),
        Approvers(may=lambda *_: True),
        replace(FINANCE, quorum=2),
        replace(FINANCE, apart=["network"]),
        replace(FINANCE, step_up=False),
    ]
    assert len({hashed(one) for one in (FINANCE, *others)}) == 1 + len(others)
    assert hashed(replace(FINANCE, called="finance people")) == hashed(FINANCE)
    assert hashed(Approvers(["a", "b"])) == hashed(Approvers(["b", "a"]))


def test_the_gates_approvers_stand_in_for_an_actions_own() -> None:
    """And only where approval is named; without any, it is a mistake."""
    plain, named = Action("plain", "Plain", methods="totp"), Action("named", "Named", methods=APPROVAL)
    methods = {APPROVAL: 0, "totp": 30}
    registry = Registry([plain, named], methods=methods, assessed=False, approvers=FINANCE)
    assert registry.rules("plain", Risk.HIGH).approvers is None
    assert "approvers" not in registry.rules("plain", Risk.HIGH).snapshot
    assert registry.rules("named", Risk.HIGH).approvers is FINANCE
    with pytest.raises(ConfigurationError, match="nobody may approve"):
        Registry([named], methods=methods, assessed=False)


@pytest.mark.parametrize("wrong", [{"group": "sudo"}, {"binds": BINDS - {"params"}}, {"binds": BINDS - {"resource"}}])
def test_what_is_approved_is_one_whole_call(wrong: dict[str, Any]) -> None:
    """A grant for it must not open more than was shown."""
    action = Action("x", "X", methods=any_of("totp", APPROVAL), approvers=FINANCE, **wrong)
    with pytest.raises(ConfigurationError, match="more than was approved"):
        Registry([action], methods={APPROVAL: 0, "totp": 30}, assessed=False)


def test_an_approval_counts_where_it_is_named() -> None:
    """Not as any method, not as the strongest, not for what a recovery code says; a least strength is not for it."""
    given = Proof(APPROVAL, NOW)
    strict = Holding(strongest=50, min_strength=40)
    assert met(method(APPROVAL), [given], strict, NOW)
    assert open_methods(method(APPROVAL), [Usable(APPROVAL, 0)], (), strict, NOW) == (APPROVAL,)
    assert not met(ANY, [given], Holding(), NOW)
    assert not met(STRONGEST, [given], Holding(strongest=10), NOW)
    assert not met(method(APPROVAL), [given], Holding(allowed=frozenset({"totp"})), NOW)
    assert not met(method(APPROVAL), [Proof("recovery_code", NOW, strength=50, stands_for=APPROVAL)], Holding(), NOW)


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("::ffff:192.0.2.9", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("example", None),
        ("", None),
        (None, None),
    ],
)
def test_the_network_of_an_address(ip: str | None, expected: str | None) -> None:
    """/24 and /64; what cannot be told is None, which is nobody's network."""
    assert network(ip) == expected


def test_the_inboxes_of_organizations_differ() -> None:
    """And those of tenants and of gates; the name of none is the name of another."""
    places = [("a", "", None), ("a", "", "x"), ("a", "x", None), ("b", "", None), ("a", "x", "x"), ("a", "", "")]
    tags = {pure.tag_of(*place) for place in places}
    assert len(tags) == len(places)
    assert all(tag.isascii() and len(tag) < 192 for tag in tags)


def test_what_an_approver_proves_is_bound_to_the_request() -> None:
    """Its digest and all that is shown; where the lines are too many, or look like ours, the digest of the params."""
    challenge = replace(samples.CHALLENGE, asked=Asked(NOW, "approvals:x", 1, "finance"))
    snapshot = _snapshot(challenge)
    shown = counting.view(challenge, "0" * 64, snapshot, None, NOW, "")
    assert shown is not None
    resource, params = approving.own_step_up(shown)
    assert (resource.type, resource.id) == ("approval", shown.id)
    assert params["Request"] == challenge.binding.digest.hex()
    assert params["Requested by"] == challenge.binding.actor
    assert {label: params[label] for label, _ in challenge.shown} == dict(challenge.shown)
    for lines in (
        [("x", "y" * 3000)],
        [("For", "y")],
        [("twice", "1"), ("twice", "2")],
        [(str(n), "x") for n in range(25)],
    ):
        _, params = approving.own_step_up(replace(shown, shown=tuple(lines), on_behalf_of=None, resource_id=None))
        assert str(params["Details"]).endswith(str(shown.params_digest))
        assert "On" not in params


def _snapshot(challenge: Any) -> Any:
    from stepup.changes import Snapshot

    return Snapshot(dict.fromkeys(pure.request_keys(challenge.id)))


def test_answers_of_one_person_replace_each_other() -> None:
    """One person counts once, with what they said last."""
    first = Answer("p1", "usr_1", Choice.APPROVE, NOW, 1)
    asked = Asked(NOW, "t", 2, "finance", (first, Answer("p2", "usr_2", Choice.APPROVE, NOW, 4)))
    again = replace(first, epoch=2)
    after = replace(asked, answers=asked.answering(again))
    assert [one.epoch for one in after.approvals] == [4, 2]
    assert after.by("p1") is again
    assert after.by("p3") is None
    assert after.denial is None
    counted = counting.ballot(after, {"p1": 2, "p2": 5}, frozenset({"p1", "p2"}))
    assert (counted.counted, counted.enough) == ((again,), False)
    assert counting.ballot(after, {"p1": 2, "p2": 4}, frozenset({"p2"})).counted == (asked.answers[1],)
    assert counting.ballot(after, {"p1": 2, "p2": 4}, frozenset({"p1", "p2"})).enough


@pytest.mark.parametrize("state", [one for one in State if one is not State.OPEN])
def test_what_has_ended_does_not_end_again(state: State) -> None:
    """Withdrawn or expired is said once, of what waited until then."""
    challenge = replace(samples.CHALLENGE, asked=Asked(NOW, "t", 1, "finance"), state=state)
    for how in (Standing.WITHDRAWN, Standing.EXPIRED):
        made = pure.ended(challenge, how, Context(Actor("usr_1")), _snapshot(challenge), NOW, Ids("e", "c", "g"))
        assert made is None
