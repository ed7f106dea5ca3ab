"""Bundles: one proof for a declared list of calls; each is opened once, in any order, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from engine_bench import ACTIONS, ACTOR, CONTEXT, ORG, OTHER, Counting, World, both_faces, context, outcome, world

from stepup import (
    BINDS,
    Action,
    Code,
    ConfigurationError,
    Context,
    Denied,
    Item,
    Policy,
    Resource,
    Risk,
    RiskAssessment,
    RiskLevel,
    StepUpRequired,
    Verified,
    all_of,
)
from stepup.binding import Binding
from stepup.bundle import BUNDLE_DOMAIN, MAX_ITEMS, bundle_digest, item_data
from stepup.challenge import State
from stepup.changes import Applied, Changes, Lost, Partition
from stepup.errors import InvalidInput, StoreBusy, UnknownAction
from stepup.event import EventType
from stepup.policy import BUNDLE

pytestmark = both_faces


def invoice(number: int) -> Resource:
    return Resource("invoice", f"inv_{number}", label=f"Invoice {number}")


def pay(number: int, amount: str = "10 EUR") -> Item:
    return Item("invoice.pay", invoice(number), {"amount": amount})


def tried(call: Callable[..., object], *args: Any, **named: Any) -> Any:
    """What a call returns, or raises on purpose."""
    return outcome(lambda: call(*args, **named))


PAYING = Action("invoice.pay", "Pay invoice", risk=Risk.CRITICAL)
ROLE = Item("member.role", Resource("member", "m_1"), {"role": "owner"})
MIXED = (pay(1), pay(2), ROLE)


def bench(face: str, **settings: Any) -> World:
    return world(face=face, actions=(*ACTIONS, PAYING), **settings)


def proved(here: World, items: Sequence[Item] = MIXED, who: Context = CONTEXT, method: str = "passkey") -> Verified:
    """The whole ceremony for a bundle, from the blocked call on."""
    needed = tried(here.gate.require_bundle, items, who)
    assert isinstance(needed, StepUpRequired), needed
    challenge = here.gate.start_offer(needed.offer, who)
    done = here.gate.verify(challenge.id, method, {"passkey": "touch", "password": "pw"}[method], who)
    assert isinstance(done, Verified), done
    return done


def takes(here: World, item: Item, token: str | None, who: Context = CONTEXT, **more: Any) -> bool:
    """Whether ``require`` lets one item pass, which spends it."""
    return here.allows(item.action, who, token, resource=item.resource, params=item.params, **more)


def reasons(here: World, item: Item, token: str | None, who: Context = CONTEXT) -> set[str]:
    """Why one item does not pass."""
    found = here.gate.check(item.action, who, resource=item.resource, params=item.params, token=token)
    return {reason.code for reason in found.reasons}


# -- one by one ---------------------------------------------------------------------


def test_each_item_is_opened_once_in_any_order(face: str) -> None:
    """One ceremony, one token; every item takes it once, whatever its policy would allow a grant of its own."""
    here = bench(face)
    token = proved(here).token

    for item in reversed(MIXED):
        assert takes(here, item, token)
        assert not takes(here, item, token)
        assert reasons(here, item, token) == {"spent"}


def test_nothing_outside_the_list_is_opened(face: str) -> None:
    """Another resource, other params, another action of the same resource, none of them."""
    here = bench(face)
    token = proved(here).token

    for other in (
        pay(3),
        pay(1, "11 EUR"),
        Item("invoice.pay", invoice(1)),
        Item("member.role", invoice(1), {"amount": "10 EUR"}),
        Item("org.delete", ORG),
        Item("note.edit", ORG),
    ):
        assert "not_in_bundle" in reasons(here, other, token) or other.action == "note.edit"
        assert not takes(here, other, token)
    assert takes(here, pay(1), token)


@pytest.mark.requirement("G-13")
def test_a_bundle_is_bound_as_a_single_call_is(face: str) -> None:
    """Another person, session, device or organization gets nothing from the token."""
    here = bench(face)
    token = proved(here).token

    for who in (context(actor=OTHER), context("sess_2"), context(device="fp_2"), context(organization="org_8")):
        assert not takes(here, pay(1), token, who)
        assert isinstance(tried(here.gate.require_bundle, MIXED, who, token=token), StepUpRequired)
    assert takes(here, pay(1), token)


def test_what_an_action_does_not_bind_may_differ(face: str) -> None:
    """An item is compared as its own action says, as a grant of its own would be."""
    loose = Action("report.send", "Send report", binds=BINDS - {"params", "device"})
    here = world(face=face, actions=(loose,))
    token = proved(here, [Item("report.send", ORG, {"copy": 1})]).token

    assert takes(here, Item("report.send", ORG, {"copy": 2}), token, context(device="fp_2"))


def test_an_item_costs_one_write_and_a_refused_one_none(face: str) -> None:
    """The budget of a single use: claim, checks and event in one batch; what the token rules out costs none."""
    here = bench(face)
    token = proved(here).token

    assert here.store.during(lambda: takes(here, pay(1), token)) == ["apply"]
    batch = here.store.batches[-1]
    assert [put.key.kind for put in batch.puts] == ["claim"]
    assert sorted(check.key.kind for check in batch.checks) == ["epoch", "epoch", "fence", "grant"]
    assert [(event.action, event.resource_id) for event in batch.events] == [("invoice.pay", "inv_1")]
    assert here.store.during(lambda: takes(here, pay(9), token)) == []


def test_without_a_token_the_shelf_opens_items_that_need_none(face: str) -> None:
    """Level 3 is found in the session, once; level 4 wants the token."""
    here = bench(face)
    token = proved(here).token

    assert takes(here, ROLE, None)
    assert not takes(here, ROLE, None)
    assert not takes(here, pay(1), None)
    assert takes(here, pay(1), token)


def test_revoking_ends_every_item_that_is_left(face: str) -> None:
    """One grant, revoked by its id; and what a session's or a person's revocation ends."""
    for way in ("grant", "session", "everything"):
        here = bench(face)
        done = proved(here)
        assert takes(here, pay(1), done.token)
        assert tried(here.gate.revoke, CONTEXT, **{way: done.grant.id if way == "grant" else True})
        assert not takes(here, pay(2), done.token)
        assert reasons(here, pay(2), done.token) == {"revoked"}
        assert not here.gate.check_bundle([ROLE], CONTEXT, token=done.token).allowed


def test_the_very_same_request_learns_of_its_success(face: str) -> None:
    """After a lost reply; for one item and for all."""
    here = bench(face)
    token = proved(here).token
    assert takes(here, pay(1), token, request_id="r1")
    assert takes(here, pay(1), token, request_id="r1")
    assert not takes(here, pay(1), token, request_id="r2")

    rest = MIXED[1:]
    for _ in range(2):
        assert len(here.gate.require_bundle(rest, CONTEXT, token=token, request_id="r3")) == 2
    assert isinstance(tried(here.gate.require_bundle, rest, CONTEXT, token=token, request_id="r4"), StepUpRequired)


# -- all together -------------------------------------------------------------------


def test_all_pass_together_in_one_write_and_once(face: str) -> None:
    """An authorization for each, in order; a second time nothing."""
    here = bench(face)
    done = proved(here)
    before = len(here.store.calls)

    passed = here.gate.require_bundle(MIXED, CONTEXT, token=done.token)
    assert here.store.calls[before:] == ["apply"]
    assert [one.action for one in passed] == ["invoice.pay", "invoice.pay", "member.role"]
    assert {(one.grant_id, one.remaining, one.decision.satisfied_by) for one in passed} == {(done.grant.id, 0, "token")}
    assert len(here.store.batches[-1].events) == 3
    again = tried(here.gate.require_bundle, MIXED, CONTEXT, token=done.token)
    assert isinstance(again, StepUpRequired)
    assert (again.code, again.offer != "") == (Code.GRANT_INVALID, True)
    assert here.reasons()[-1] == "spent"


def test_all_or_none(face: str) -> None:
    """Where one item was spent before, none of the others is."""
    here = bench(face)
    token = proved(here).token
    assert takes(here, pay(2), token)

    assert isinstance(tried(here.gate.require_bundle, MIXED, CONTEXT, token=token), StepUpRequired)
    assert takes(here, pay(1), token)
    assert takes(here, ROLE, token)


def test_part_of_the_list_will_do_and_more_will_not(face: str) -> None:
    """Any items of the list, in any order."""
    here = bench(face)
    token = proved(here).token

    assert isinstance(tried(here.gate.require_bundle, [*MIXED, pay(3)], CONTEXT, token=token), StepUpRequired)
    assert len(here.gate.require_bundle([ROLE, pay(1)], CONTEXT, token=token)) == 2


def test_a_token_for_one_call_is_no_bundle(face: str) -> None:
    """Not even for the one call that it opens."""
    here = bench(face)
    token = here.prove("invoice.pay", resource=invoice(1), params={"amount": "10 EUR"}).token
    found = here.gate.check_bundle([pay(1)], CONTEXT, token=token)

    assert [reason.code for reason in found.reasons] == ["not_a_bundle"]
    for other in ("", "nonsense", None):
        assert not here.gate.check_bundle([pay(1)], CONTEXT, token=other).allowed
    assert takes(here, pay(1), token)


def test_the_shelf_opens_a_bundle_where_no_item_needs_a_token(face: str) -> None:
    """As for a single call; and there, too, once."""
    here = bench(face)
    items = [ROLE, Item("member.role", Resource("member", "m_2"), {"role": "owner"})]
    proved(here, items)

    assert here.gate.check_bundle(items, CONTEXT).allowed
    assert [one.decision.satisfied_by for one in here.gate.require_bundle(items, CONTEXT)] == ["grant", "grant"]
    assert isinstance(tried(here.gate.require_bundle, items, CONTEXT), StepUpRequired)
    mixed = bench(face)
    proved(mixed)
    needed = tried(mixed.gate.require_bundle, MIXED, CONTEXT)
    assert isinstance(needed, StepUpRequired)
    assert needed.code == Code.GRANT_REQUIRED


def test_the_shelf_forgets_what_was_revoked(face: str) -> None:
    """A rotated or revoked session's bundle is not found again."""
    here = bench(face)
    proved(here, [ROLE])
    assert here.gate.revoke(CONTEXT, session=True)
    assert {one.code for one in here.gate.check_bundle([ROLE], CONTEXT).reasons} == {"revoked"}


def test_a_fresh_session_opens_a_bundle_of_what_it_opens(face: str) -> None:
    """Where every item would pass by itself; one that would not asks for all."""
    here = bench(face)
    fresh = context(age=10)
    easy = [Item("note.edit", ORG), Item("member.remove", ORG)]

    assert [one.decision.satisfied_by for one in here.gate.require_bundle(easy, fresh)] == ["session", "session"]
    assert isinstance(tried(here.gate.require_bundle, [*easy, ROLE], fresh), StepUpRequired)


def test_looking_spends_nothing(face: str) -> None:
    """``check_bundle`` is advice, in either direction."""
    here = bench(face)
    assert not here.gate.check_bundle(MIXED, CONTEXT).allowed
    token = proved(here).token

    for _ in range(2):
        assert here.gate.check_bundle(MIXED, CONTEXT, token=token).allowed
    assert takes(here, ROLE, token)
    assert not here.gate.check_bundle(MIXED, CONTEXT, token=token).allowed
    assert here.gate.check_bundle(MIXED[:2], CONTEXT, token=token).allowed


# -- the rules of the strictest -------------------------------------------------------


def test_what_satisfies_all_is_asked_for(face: str) -> None:
    """A password is enough for one item, and not for the other."""
    here = world(
        face=face,
        actions=(
            Action("by.password", "By password", policy=Policy(methods="password", grant_ttl=300)),
            Action(
                "by.both", "By both", policy=Policy(methods=all_of("password", "passkey"), grant_ttl=60, attempts=2)
            ),
        ),
    )
    items = [Item("by.password", ORG), Item("by.both", ORG)]
    challenge = here.gate.start_bundle(items, CONTEXT)

    assert (set(challenge.allowed), challenge.max_attempts) == ({"password", "passkey"}, 2)
    more = here.gate.verify(challenge.id, "password", "pw", CONTEXT)
    assert not more
    done = here.gate.verify(challenge.id, "passkey", "touch", CONTEXT)
    assert isinstance(done, Verified)
    assert done.grant.expires_at - done.grant.issued_at == timedelta(seconds=60)
    assert takes(here, items[0], done.token)


def test_a_tightened_policy_applies_to_items_already_out(face: str) -> None:
    """The rules of the item itself are compared; only where they changed are the proofs judged again."""
    loose = [Action("invoice.pay", "Pay", policy=Policy(methods=("password", "passkey"))), *ACTIONS]
    strict = [Action("invoice.pay", "Pay", policy=Policy(methods="passkey")), *ACTIONS]
    here = world(face=face, actions=loose)
    later = world(face=face, actions=strict, store=here.store, clock=here.clock)
    items = [pay(1), pay(2), Item("by.password", ORG)]
    token = proved(here, items, method="password").token

    assert reasons(later, pay(1), token) == {"rules_changed"}
    assert {one.code for one in later.gate.check_bundle(items, CONTEXT, token=token).reasons} == {"rules_changed"}
    assert later.store.during(lambda: takes(later, items[2], token)) == ["apply"]
    good = proved(here, [*items[:2], ROLE]).token
    assert takes(later, pay(1), good)
    assert len(later.gate.require_bundle([pay(2), ROLE], CONTEXT, token=good)) == 2


def test_a_shelved_bundle_is_judged_again_too(face: str) -> None:
    """Without a token, as with one."""

    def actions(method: str) -> tuple[Action, ...]:
        return (Action("invoice.pay", "Pay", policy=Policy(methods=method)),)

    here = world(face=face, actions=actions("password"))
    later = world(face=face, actions=actions("passkey"), store=here.store, clock=here.clock)
    proved(here, [pay(1)], method="password")

    found = later.gate.check_bundle([pay(1)], CONTEXT)
    assert {one.code for one in found.reasons} == {"rules_changed"}


def test_escalation_is_each_items_own(face: str) -> None:
    """It is asked again when the item is used."""
    level = {"now": Risk.LOW}

    def raised(*_: object) -> Risk:
        return level["now"]

    raising = Action("member.out", "Remove", risk=Risk.LOW, escalate=raised)
    here = world(face=face, actions=(raising, *ACTIONS))
    items = [Item("member.out", ORG), ROLE]
    done = proved(here, items, method="passkey")
    assert done.grant.level == Risk.HIGH

    level["now"] = Risk.CRITICAL
    assert takes(here, items[0], done.token)  # a passkey is good enough there, too
    assert takes(here, ROLE, done.token)


def test_one_item_that_is_refused_refuses_all(face: str) -> None:
    """Session risk, or a hook that fails: no proof for the others either."""

    def fails(*_: object) -> Risk:
        raise RuntimeError

    blocked = Action("risky", "Risky", policy=Policy(block_session_risk=["high", "unknown"]))
    here = world(face=face, actions=(blocked, Action("broken", "Broken", escalate=fails), *ACTIONS), risk=_high)

    for name in ("risky", "broken"):
        refused = tried(here.gate.require_bundle, [ROLE, Item(name, ORG)], CONTEXT)
        assert isinstance(refused, Denied)
        assert (refused.code, refused.action) == (Code.ACTION_BLOCKED, name)
        assert isinstance(tried(here.gate.start_bundle, [Item(name, ORG)], CONTEXT), Denied)


def _high(who: Context, action: str) -> RiskAssessment:
    return RiskAssessment(90, "high", (action,), frozenset({"passkey"}))  # type: ignore[arg-type] # made one


def test_somebody_disabled_is_told_so_at_once(face: str) -> None:
    """As for a single call: blocked, and no offer of a proof that could not be given."""
    here = bench(face)
    token = proved(here).token
    here.gate.signal(ACTOR, "disabled")

    for found in (tried(here.gate.require_bundle, MIXED, CONTEXT), tried(here.gate.start_bundle, MIXED, CONTEXT)):
        assert isinstance(found, Denied)
        assert found.code == Code.ACTION_BLOCKED
    assert not here.gate.check_bundle(MIXED, CONTEXT).offer
    assert isinstance(tried(here.gate.require_bundle, MIXED, CONTEXT, token=token), StepUpRequired)


def test_nobody_can_prove_it(face: str) -> None:
    """Without a factor the bundle is denied, as a single call is."""
    here = bench(face)
    for verifier in here.methods.values():
        verifier.factors = ()
    refused = tried(here.gate.require_bundle, MIXED, CONTEXT)
    assert isinstance(refused, Denied)
    assert refused.code == Code.NO_USABLE_METHOD


# -- what is declared ---------------------------------------------------------------


def test_what_is_no_bundle_is_refused(face: str) -> None:
    """By name: too many, none, one twice, something else, an action that nobody registered."""
    here = bench(face)
    many = [pay(number) for number in range(MAX_ITEMS + 1)]
    long = [pay(number, "x" * 400) for number in range(MAX_ITEMS)]
    labelled = [Item("invoice.pay", Resource("invoice", f"{n}", label="x" * 255)) for n in range(MAX_ITEMS)]
    unseen = [pay(1, "x" * 499)]
    everything: Sequence[Any] = (
        [],
        many,
        long,
        labelled,
        [pay(1), pay(1)],
        ["invoice.pay"],
        "invoice.pay",
        None,
        {},
        7,
    )

    for items in everything:
        assert isinstance(tried(here.gate.require_bundle, items, CONTEXT), InvalidInput), items
    assert isinstance(tried(here.gate.start_bundle, unseen, CONTEXT), InvalidInput)
    assert isinstance(tried(here.gate.require_bundle, [Item("nothing")], CONTEXT), UnknownAction)
    assert len(here.gate.start_bundle(many[:MAX_ITEMS], CONTEXT).items) == MAX_ITEMS


def test_nobody_registers_or_asks_for_the_bundle_action(face: str) -> None:
    """It names bundles, and is nobody's."""
    with pytest.raises(ConfigurationError, match="bundles are under"):
        world(face=face, actions=(Action(BUNDLE, "Mine"),))
    here = bench(face)
    for call in (here.gate.require, here.gate.check, here.gate.start):
        assert isinstance(tried(call, BUNDLE, CONTEXT), UnknownAction)


def test_the_token_stays_short(face: str) -> None:
    """As many items as there may be, each of rules of its own: below what a header, or a cookie, holds."""
    actions = tuple(Action(f"do.{number}", f"Do {number}") for number in range(MAX_ITEMS))
    here = world(face=face, actions=actions)
    items = [Item(action.id, ORG, {"amount": "x" * 40}) for action in actions]
    token = proved(here, items).token

    assert len(token) < 6000
    assert all(takes(here, item, token) for item in items)
    alike = bench(face)
    assert len(proved(alike, [pay(number) for number in range(MAX_ITEMS)]).token) < 3500


@pytest.mark.requirement("P-08")
def test_the_person_is_shown_every_item(face: str) -> None:
    """Structured for clients that know bundles, and a line each for whoever shows ``params`` alone."""
    here = bench(face)
    challenge = here.gate.start_bundle(MIXED, CONTEXT)

    assert challenge.label == "Pay invoice (2), Change role"
    assert challenge.shown == (
        ("Pay invoice", "invoice inv_1 (Invoice 1); amount: 10 EUR"),
        ("Pay invoice", "invoice inv_2 (Invoice 2); amount: 10 EUR"),
        ("Change role", "member m_1; role: owner"),
    )
    assert [(one.label, one.resource_id, one.shown) for one in challenge.items][2] == (
        "Change role",
        "m_1",
        (("role", "owner"),),
    )
    many = [Item(f"a.{n}", None) for n in range(5)]
    wide = world(face=face, actions=tuple(Action(f"a.{n}", f"A{n}") for n in range(5)))
    assert wide.gate.start_bundle(many, CONTEXT).label == "A0, A1, A2, +2"
    assert wide.gate.start_bundle(many[:1], CONTEXT).shown == (("A0", ""),)


def test_the_binding_commits_to_the_whole_list_in_order(face: str) -> None:
    """What a passkey signs changes with any item, and with their order; and it can be made again from the event."""
    here = bench(face)
    first = here.gate.start_bundle(MIXED, CONTEXT).binding
    others = (MIXED[::-1], MIXED[:2], (pay(1), pay(2, "11 EUR"), ROLE), (pay(1), pay(3), ROLE))

    assert all(here.gate.start_bundle(items, CONTEXT).binding.digest != first.digest for items in others)
    assert (first.action, first.resource_id) == (BUNDLE, None)
    started = next(one for one in here.events() if one.type is EventType.CHALLENGE_STARTED)
    assert started.snapshot is not None
    calls: Any = started.snapshot["calls"]
    again = [Binding("", **call) for call in calls]
    assert bundle_digest(again) == first.params
    assert item_data(again[0])["resource_id"] == "inv_1"
    assert BUNDLE_DOMAIN.endswith(b"\0")


def test_a_newer_request_for_the_same_list_takes_its_place(face: str) -> None:
    """One slot for a binding, as for single calls; another list has another."""
    here = bench(face)
    one = here.gate.start_bundle(MIXED, CONTEXT)
    other = here.gate.start_bundle(MIXED[:2], CONTEXT)
    here.gate.start_bundle(MIXED, CONTEXT)

    states = [here.gate.challenge(found.id, CONTEXT) for found in (one, other)]
    assert [found and found.state for found in states] == [State.SUPERSEDED, State.OPEN]


def test_a_bundle_whose_action_is_gone_is_no_challenge(face: str) -> None:
    """A deploy that drops an action drops its challenges."""
    here = bench(face)
    challenge = here.gate.start_bundle([pay(1)], CONTEXT)
    later = world(face=face, store=here.store, clock=here.clock)
    assert later.gate.challenge(challenge.id, CONTEXT) is None
    rejected = later.gate.verify(challenge.id, "passkey", "touch", CONTEXT)
    assert not rejected
    assert ACTOR.id in str(here.events()[-1].actor)


def test_what_is_unlocked_lists_a_bundle_until_it_is_spent(face: str) -> None:
    """With what is left of it."""
    here = bench(face)
    done = proved(here)
    assert [one.id for one in here.gate.grants(CONTEXT)] == [done.grant.id]
    assert takes(here, pay(1), done.token)
    assert [one.id for one in here.gate.grants(CONTEXT)] == [done.grant.id]
    assert takes(here, pay(2), done.token)
    assert takes(here, ROLE, done.token)
    assert here.gate.grants(CONTEXT) == ()


class _Conflicted(Counting):
    """Loses so many batches that put a claim, and cannot say why."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        if self.times and any(put.key.kind == "claim" for put in changes.puts):
            self.times -= 1
            return Lost(None)
        return super().apply(partition, changes)


@pytest.mark.parametrize(("times", "passes"), [(7, True), (8, False)])
def test_a_conflict_of_unknown_cause_is_tried_again(face: str, times: int, passes: bool) -> None:
    """It is never taken for a replay; and not for ever."""
    here = bench(face, store=_Conflicted(0))
    token = proved(here).token
    store: Any = here.store
    store.times = times

    found = tried(here.gate.require_bundle, MIXED, CONTEXT, token=token)
    assert isinstance(found, tuple if passes else StoreBusy)
    store.times = 0
    assert here.gate.check_bundle(MIXED, CONTEXT, token=token).allowed is not passes


def test_a_bundle_is_proved_on_a_remembered_device(face: str) -> None:
    """Its proof renews the device's token like any other, and can be the one after which it is remembered."""
    here = world(face=face)
    items = [Item("member.role", ORG), Item("member.role", Resource("organization", "org_8"))]

    def proved(who: Context, *, remember: bool) -> str | None:
        challenge = here.gate.start_bundle(items, who)
        found = here.gate.verify(challenge.id, "passkey", "touch", who, remember=remember)
        assert isinstance(found, Verified)
        return found.device_token

    token = proved(CONTEXT, remember=True)
    assert token is not None
    again = proved(replace(CONTEXT, device_token=token), remember=False)
    assert again not in {None, token}
    assert here.gate.devices.recognise(replace(CONTEXT, device_token=again)) is not None


@pytest.mark.parametrize("risky", ["invoice.pay", "member.role"])
def test_the_worst_risk_of_any_item_is_the_bundles(face: str, risky: str) -> None:
    """Wherever it stands in the list: what it narrows counts for all, and the challenge tells it."""

    def assess(who: Context, action: str) -> RiskAssessment:
        narrowed = RiskAssessment(50, RiskLevel.MEDIUM, ("odd",), frozenset({"passkey"}))
        return narrowed if action == risky else RiskAssessment()

    here = bench(face, risk=assess)
    challenge = here.gate.start_bundle([pay(1), ROLE], CONTEXT)

    assert (challenge.risk_level, challenge.risk_score) == ("medium", 50)
    assert challenge.risk_methods == ("passkey",)
    assert challenge.allowed == ("passkey",)


def test_a_level_that_falls_while_it_is_answered_stays(face: str) -> None:
    """An item is asked for at the level it was opened at, or a higher one."""
    levels = [Risk.CRITICAL]
    raised = Action("member.role", "Change role", risk=1, escalate=lambda *_: levels[0])
    here = world(face=face, actions=(raised, PAYING))
    challenge = here.gate.start_bundle([ROLE], CONTEXT)
    levels[0] = Risk.LOW

    assert not here.gate.verify(challenge.id, "password", "pw", CONTEXT)
    done = here.gate.verify(challenge.id, "passkey", "touch", CONTEXT)
    assert isinstance(done, Verified)
    assert done.grant.level == Risk.CRITICAL


def test_a_request_that_was_revoked_meanwhile_does_not_learn_of_success(face: str) -> None:
    """The very same request, after everything was ended: what it spent is ended too."""
    here = bench(face)
    token = proved(here).token
    assert here.gate.require_bundle(MIXED, CONTEXT, token=token, request_id="r1")
    assert here.gate.require_bundle(MIXED, CONTEXT, token=token, request_id="r1")

    here.gate.signal(ACTOR, "password_changed")
    assert isinstance(tried(here.gate.require_bundle, MIXED, CONTEXT, token=token, request_id="r1"), StepUpRequired)
