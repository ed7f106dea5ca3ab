"""What hardly happens to a request for approval: failing stores, gone records, changed rules, wrong construction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from approval_world import ACCOUNT, ACTIONS, INES, ME, OLIVIA, PARAMS, World, outcome, who

from stepup import Code, Denied, Rejected, RiskAssessment, RiskLevel, Session, Verified
from stepup._bridge import inline_call, run_sync
from stepup.approval import Approvers
from stepup.challenge import Challenge
from stepup.changes import Check, Lost, Page, Snapshot, challenge_key
from stepup.decide import approval as pure
from stepup.decide import approving
from stepup.decide.standing import NOT_FOUND
from stepup.errors import ConfigurationError, ContractBroken, InvalidInput, StoreBusy, StoreUnavailable, WrongColour
from stepup.ports import REJECTED, Prompt
from stepup.testing import _store_samples as samples
from stepup.testing._store_bench import NOW
from stepup.verifiers import Approval


def code_of(call: Any) -> str:
    found = outcome(call)
    assert isinstance(found, Denied), found
    return found.code


def _raises(*_: Any, **__: Any) -> Any:
    raise RuntimeError("unreachable")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (_raises, StoreUnavailable),
        (lambda *_, **__: None, ContractBroken),
        (lambda *_, **__: Page(("no record",)), ContractBroken),
        (lambda *_, **__: Page((samples.SAMPLES[0],)), ContractBroken),
    ],
)
def test_a_listing_that_cannot_be_had_is_no_empty_inbox(world: World, answer: Any, error: type[Exception]) -> None:
    """It is said, and nothing is made up."""
    world.store.list = answer
    with pytest.raises(error):
        world.gate.approvals.inbox(INES)


def test_a_store_that_is_down_is_said_to_be(world: World) -> None:
    """As it was raised, with what it says."""
    world.store.list = lambda *_, **__: (_ for _ in ()).throw(StoreUnavailable("down"))
    with pytest.raises(StoreUnavailable, match="down"):
        world.gate.approvals.inbox(INES)


def test_a_listing_that_lags_shows_nothing_that_is_gone(world: World) -> None:
    """What decides is the record: one that was erased, or closed, is not shown."""
    _, request = world.ask()
    listed = [world.store.inner.list(pure.tag_of("stepup", "", "org_7"), after=None, limit=9)]
    assert len(listed[0].items) == 1
    world.store.list = lambda tag, **_: listed[0] if listed else Page()
    assert len(world.gate.approvals.inbox(INES).items) == 1
    world.gate.approvals.withdraw(request, ME)
    assert world.gate.approvals.inbox(INES).items == ()
    world.gate.forget(OLIVIA)
    assert world.gate.approvals.inbox(INES).items == ()
    assert world.gate.approvals.get(request, ME) is None
    assert code_of(lambda: world.gate.approvals.approve(request, INES)) == "challenge_not_found"


def test_rules_that_changed_before_asking_ask_nobody(world: World) -> None:
    """The challenge was opened under others; it is started anew."""
    challenge = world.gate.start("payout.plain", ME, resource=ACCOUNT, params=PARAMS)
    later = world.again(actions=changed_actions())
    found = outcome(lambda: later.begin(challenge.id, "approval", ME))
    assert isinstance(found, Denied)
    assert (found.code, found.decision.reasons[0].code) == ("challenge_closed", "rules_changed")
    assert world.told == []


def changed_actions() -> list[Any]:
    rule = Approvers("finance", quorum=2, step_up=False)
    return [replace(one, approvers=rule) if one.id == "payout.plain" else one for one in ACTIONS]


def test_an_action_that_is_gone_is_approved_by_nobody(world: World) -> None:
    """An instance without it knows no approvers, whoever asks."""
    challenge, request = world.ask()
    later = world.again(actions=[one for one in ACTIONS if one.id != "payout.plain"])
    assert code_of(lambda: later.approvals.approve(request, INES)) == "challenge_not_found"
    assert later.approvals.inbox(INES).items == ()
    assert later.verify(challenge.id, "approval", None, ME).code is Code.CHALLENGE_NOT_FOUND
    seen = later.approvals.get(request, ME)
    assert seen is not None
    assert seen.given == ()


class _Forgetful:
    """A store in which the challenge is gone before the second look at it."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.loads = inner, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def load(self, partition: str, keys: Any) -> Any:
        found = self.inner.load(partition, keys)
        if any(key.kind == "challenge" for key in keys):
            self.loads += 1
            if self.loads > 1:
                return [None if key.kind == "challenge" else one for key, one in zip(keys, found, strict=True)]
        return found


def test_a_challenge_that_is_gone_when_it_is_asked_for(world: World) -> None:
    """The answer for one that never was."""
    challenge = world.gate.start("payout.plain", ME, resource=ACCOUNT)
    object.__setattr__(world.raw.core.store, "_inner", _Forgetful(world.store))
    assert code_of(lambda: world.gate.begin(challenge.id, "approval", ME)) == "challenge_not_found"


class _Losing:
    """A store that loses every write of a challenge, and lets it be gone at last."""

    def __init__(self, inner: Any, gone: bool) -> None:
        self.inner, self.gone, self.lost = inner, gone, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def load(self, partition: str, keys: Any) -> Any:
        found = self.inner.load(partition, keys)
        away = self.gone and self.lost > 0
        return [None if away and key.kind == "challenge" else one for key, one in zip(keys, found, strict=True)]

    def apply(self, partition: str, changes: Any) -> Any:
        if any(put.key.kind == "challenge" for put in changes.puts):
            self.lost += 1
            return Lost(None)
        return self.inner.apply(partition, changes)


@pytest.mark.parametrize("gone", [False, True])
def test_losing_every_time_is_a_refusal(world: World, gone: bool) -> None:
    """Answering and collecting, whether the record stays or goes."""
    challenge, request = world.ask()
    store = _Losing(world.store, gone)
    object.__setattr__(world.raw.core.store, "_inner", store)
    answered = outcome(lambda: world.gate.approvals.approve(request, INES))
    assert isinstance(answered, Denied if gone else StoreBusy)
    object.__setattr__(world.raw.core.store, "_inner", world.store)
    world.gate.approvals.approve(request, INES)
    store.lost = 0
    object.__setattr__(world.raw.core.store, "_inner", store)
    collected = outcome(lambda: world.collect(challenge))
    assert isinstance(collected, Rejected if gone else StoreBusy)


def test_a_quorum_that_one_lost_is_not_ready(world: World) -> None:
    """The second approval is told how many count now, not how many were given."""
    _, request = world.ask("payout.two")
    world.gate.approvals.approve(request, INES)
    world.gate.revoke(INES, everything=True)
    seen = world.gate.approvals.approve(request, who("marcus"))
    assert (seen.standing, seen.given) == ("pending", ("usr_marcus",))


def test_what_was_approved_under_another_form_of_the_requirement(world: World) -> None:
    """A part that is proved by now needs no approval: there is nothing to collect."""
    challenge, _ = world.ask("key.rotate")
    assert isinstance(world.gate.verify(challenge.id, "passkey", "touch", ME), Verified)
    assert world.collect(challenge).code is Code.CHALLENGE_CLOSED


@pytest.mark.parametrize(
    "wrong",
    [
        {"approvers": "finance"},
        {"ttl": 59},
        {"ttl": 86401},
        {"ttl": True},
        {"roles_of": "finance"},
        {"notify": 7},
    ],
)
def test_an_approval_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    """When it is made."""
    with pytest.raises(ConfigurationError):
        Approval(**wrong)


def test_async_hooks_are_refused_by_the_sync_face(world: World) -> None:
    """Of the verifier, of its approvers, and of an action's own."""
    if world.runner is not None:
        return

    async def later(*_: Any) -> Any:
        return True

    from stepup import Action

    wrong: list[dict[str, Any]] = [
        {"verifiers": [Approval(Approvers("finance"), roles_of=later)], "actions": []},
        {"verifiers": [Approval(Approvers(may=later))], "actions": []},
        {"actions": [Action("x", "X", methods="approval", approvers=Approvers(may=later))]},
    ]
    for settings in wrong:
        with pytest.raises(WrongColour):
            world.made(**settings)


def test_by_itself_the_verifier_accepts_nothing() -> None:
    """Whatever is answered: others approve, and the engine counts them."""
    verifier = Approval(Approvers("finance")).bind(inline_call)
    nothing: Any = None
    assert run_sync(verifier.enrolled(OLIVIA)) == ()
    assert run_sync(verifier.begin(nothing, nothing)).prompt == Prompt("approval")
    assert run_sync(verifier.check(None, "yes", nothing)) is REJECTED


def test_what_never_was_cannot_be_answered() -> None:
    """No challenge, none that was asked about, or no rules: the same."""
    empty = Snapshot({challenge_key("x"): None})
    assert approving.refuse_answer(None, None, empty, NOW) is NOT_FOUND
    assert approving.refuse_answer(replace(samples.CHALLENGE, asked=None), None, empty, NOW) is NOT_FOUND
    assert approving.refuse_answer(samples.CHALLENGE, None, empty, NOW) is NOT_FOUND


def test_an_answers_batch_checks_what_it_rests_on(world: World) -> None:
    """The requester's epochs, the fence, and that no other challenge took its place."""
    challenge, request = world.ask()
    batches: list[Any] = []
    inner = world.store.inner.apply

    def noting(where: str, changes: Any) -> Any:
        batches.append(changes)
        return inner(where, changes)

    world.store.inner.apply = noting
    world.gate.approvals.approve(request, INES)
    batches = [one for one in batches if any(isinstance(put.value, Challenge) for put in one.puts)]  # no notices
    checked = {check.key.kind: check for check in batches[-1].checks}
    assert {kind: len([c for c in batches[-1].checks if c.key.kind == kind]) for kind in checked} == {
        "epoch": 2, "fence": 1, "throttle": 1,
    }  # fmt: skip
    assert all(isinstance(check, Check) and check.version for check in batches[-1].checks)
    assert [type(put.value) for put in batches[-1].puts] == [Challenge]
    assert batches[-1].puts[0].value.id == challenge.id


def test_a_page_of_the_inbox_is_marked_by_it_alone(world: World) -> None:
    """Somebody without an organization has one inbox, and no mark of a second."""
    with pytest.raises(InvalidInput):
        world.gate.approvals.inbox(who("ines", organization=None), after="1:x")


def test_risk_may_exclude_it_at_any_time(world: World) -> None:
    """Where the risk of a request leaves approval out, nobody is asked, and nothing that was approved is collected."""
    narrow = replace(ME, risk=RiskAssessment(80, RiskLevel.HIGH, ("new_network",), frozenset({"passkey"})))
    found = outcome(lambda: world.gate.start("payout.plain", narrow, resource=ACCOUNT, params=PARAMS))
    assert isinstance(found, Denied)
    assert (found.code, dict(found.decision.unavailable)) == ("no_usable_method", {"approval": "narrowed"})
    challenge, request = world.ask()
    world.gate.approvals.approve(request, INES)
    assert world.collect(challenge, narrow).code is Code.METHOD_NOT_ALLOWED
    assert isinstance(world.collect(challenge), Verified)


def test_a_request_that_cannot_be_moved_costs_nobody_their_token(world: World) -> None:
    """The store fails right after the session was renewed: the grant stands, and the request has ended."""
    challenge, _ = world.ask()

    class Failing:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.store, name)

        def load(self, partition: str, keys: Any) -> Any:
            return _raises() if [key.kind for key in keys] == ["throttle"] else world.store.load(partition, keys)

    object.__setattr__(world.raw.core.store, "_inner", Failing())
    other = world.gate.start("key.rotate", ME)
    done = world.gate.verify(other.id, "passkey", "touch", ME, rotate=lambda: "session 2 of olivia")
    assert isinstance(done, Verified)
    assert done.token
    moved = replace(ME, session=Session("session 2 of olivia"))
    assert world.collect(challenge, moved).code is Code.CHALLENGE_NOT_FOUND
