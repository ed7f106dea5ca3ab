"""Where two things meet that rarely do: a factor that changes while it is checked, a send that fails after the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from engine_bench import (
    CONTEXT,
    ORG,
    PASSWORD,
    REAL_ACTIONS,
    SECRET,
    Counting,
    code,
    context,
    enrolled_totp,
    outcome,
    real_world,
    recovery_codes,
    world,
)

from stepup import (
    Action,
    Actor,
    Denied,
    KeyRing,
    MoreNeeded,
    Policy,
    Rejected,
    Resource,
    RiskAssessment,
    RiskLevel,
    Session,
    StepUp,
    Verified,
    all_of,
    any_of,
)
from stepup.binding import partition
from stepup.ceremony import Ceremony, Checked, State
from stepup.changes import APPLIED, ROSTER, Applied, Changes, Lost, Page, Partition, Record
from stepup.decide.enrol import ADD
from stepup.errors import Code, ConfigurationError, ContractBroken, DeliveryFailed, InvalidInput
from stepup.factor import MAX_FACTORS, Factor, Roster
from stepup.mailers import Outbox
from stepup.ports import Message
from stepup.stores.memory import MemoryStore
from stepup.testing import FrozenClock, ScriptedVerifier
from stepup.token import GRANT_TYPE, OFFER_TYPE, TokenWriter
from stepup.verifiers import EmailCode, Password

FACTORS = Resource("factors", CONTEXT.actor.id)


@pytest.mark.requirement("X-07")
def test_a_password_that_changes_while_it_is_checked_opens_nothing() -> None:
    """Somebody resets it between the answer and the batch, and another session notices: the answer is void."""
    version = ["one"]

    def check(actor: Actor, password: str) -> bool:
        if version == ["one"]:
            version[0] = "two"
            outcome(lambda: gate.start("a", context("sess_2")))
        return True

    gate = StepUp(
        actions=[Action("a", "A")],
        verifiers=[Password(check=check, version_of=lambda _: version[0])],
        store=MemoryStore(),
        secret=SECRET,
        clock=FrozenClock(),
    )
    challenge = gate.start("a", CONTEXT)

    found = gate.verify(challenge.id, "password", PASSWORD, CONTEXT)

    assert isinstance(found, Rejected)
    assert found.code is Code.VERIFICATION_FAILED
    assert [event.reason for event in gate.events(CONTEXT.actor).items if event.type == "attempt"] == ["factor_changed"]


@pytest.mark.requirement("L-03", "L-04")
def test_a_set_of_recovery_codes_ends_with_its_last_code() -> None:
    """Once every code is used, the method is no longer offered; the authenticator it stood for still is."""
    here = real_world(actions=(*REAL_ACTIONS, Action("again", "Again", methods=any_of("totp", "recovery_code"))))
    for one in recovery_codes(here, CONTEXT, enrolled_totp(here, CONTEXT)):
        challenge = here.gate.start("again", CONTEXT)
        assert "recovery_code" in challenge.allowed
        assert isinstance(here.gate.verify(challenge.id, "recovery_code", one, CONTEXT), Verified)

    assert here.gate.start("again", CONTEXT).allowed == ("totp",)
    assert {factor.method for factor in here.gate.factors.list(CONTEXT)} == {"password", "totp", "email_code"}


def test_nobody_enrols_without_end() -> None:
    """A person has at most twenty stored factors; the next enrolment is refused and says so."""
    here = real_world()
    secret = enrolled_totp(here, CONTEXT)
    for number in range(MAX_FACTORS - 1):
        here.clock.advance(timedelta(seconds=60))
        here.prove(ADD, CONTEXT, "totp", code(secret, here.now), resource=FACTORS, params={"method": "totp"})
        made = here.gate.factors.enrol_totp(CONTEXT, label=f"Phone {number}")
        assert here.gate.factors.confirm_totp(CONTEXT, made.factor_id, code(made.secret, here.now))
        here.clock.advance(timedelta(hours=1))  # not more than a hundred challenges an hour
    here.clock.advance(timedelta(seconds=60))
    here.prove(ADD, CONTEXT, "totp", code(secret, here.now), resource=FACTORS, params={"method": "totp"})

    refused = outcome(lambda: here.gate.factors.enrol_totp(CONTEXT))

    assert isinstance(refused, Denied)
    assert [reason.code for reason in refused.decision.reasons] == ["too_many_factors"]


def test_a_stored_factor_without_its_verifier_is_held_and_unusable() -> None:
    """A gate that lacks the authenticator's verifier (an older instance) does not fall back to the password."""
    here = real_world()
    enrolled_totp(here, CONTEXT)
    older = StepUp(
        actions=REAL_ACTIONS[:3],
        verifiers=[Password(check=lambda _, given: given == PASSWORD)],
        store=here.store,
        secret=SECRET,
        clock=here.clock,
    )

    refused = outcome(lambda: older.start("member.role", CONTEXT, resource=ORG))

    assert isinstance(refused, Denied)
    assert refused.decision.code is Code.NO_USABLE_METHOD


class Slow:
    """A mailer whose first message fails only after a second one was sent."""

    def __init__(self) -> None:
        self.box = Outbox()
        self.meanwhile = iter([True])

    def send(self, message: Message) -> None:
        if next(self.meanwhile, False):
            self.clock.advance(timedelta(seconds=61))
            self.gate.begin(self.challenge, "email_code", CONTEXT)
            raise OSError("the first one bounced")
        self.box.send(message)

    gate: StepUp
    clock: FrozenClock
    challenge: str


@pytest.mark.requirement("Y-06")
def test_a_send_that_fails_late_does_not_void_the_one_after_it() -> None:
    """The second code was delivered and stays good; only the failed send is taken back."""
    mailer = Slow()
    here = world(actions=[Action("a", "A")], verifiers=[EmailCode(mailer=mailer)])
    challenge = here.gate.start("a", CONTEXT)
    mailer.gate, mailer.clock, mailer.challenge = here.gate, here.clock, challenge.id

    failed = outcome(lambda: here.gate.begin(challenge.id, "email_code", CONTEXT))

    assert isinstance(failed, DeliveryFailed)
    assert isinstance(here.gate.verify(challenge.id, "email_code", mailer.box.code(), CONTEXT), Verified)


@pytest.mark.requirement("G-01")
def test_a_session_can_get_an_id_that_was_used_before() -> None:
    """What the id had opened in its earlier life stays shut; what moves is what the rotated session holds."""
    here = world(verifiers=[ScriptedVerifier()], actions=[Action("a", "A"), Action("b", "B")])
    before = replace(CONTEXT, session=Session("sess_9"))
    here.prove("a", before, "scripted", "right")
    here.gate.revoke(before, session=True)
    here.prove("b", CONTEXT, "scripted", "right")

    here.gate.rotated(CONTEXT, "sess_9")

    assert here.allows("b", before)
    assert not here.allows("a", before)
    assert not here.allows("b", CONTEXT)


class Meanwhile(Counting):
    """A store in which something happens just before the first batch."""

    def __init__(self, partition: str, happens: Changes) -> None:
        super().__init__()
        self.partition = partition
        self.waiting = [happens]

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        if self.waiting:
            assert self.inner.apply(self.partition, self.waiting.pop()) is APPLIED
        return super().apply(partition, changes)


@pytest.mark.requirement("X-07")
def test_a_challenge_opened_while_a_factor_is_added_asks_for_that_factor() -> None:
    """What the person holds is read again with the roster: the weaker method does not slip through the gap."""
    roster = Roster(factors=(Factor("totp_1", "totp"),))
    happens = Changes(FrozenClock().now(), (Record(ROSTER, roster),))
    store = Meanwhile(partition("stepup", CONTEXT.actor), happens)
    here = real_world(store=store)

    challenge = here.gate.start("member.role", CONTEXT, resource=ORG)

    assert challenge.allowed == ("totp",)
    assert challenge.strongest == 30


@pytest.mark.requirement("P-06", "S-03")
@pytest.mark.parametrize("junk", [{"score": 150}, {"level": "dire"}, {"score": 0.5 * 100}])
def test_an_assessment_that_cannot_be_is_an_unknown_one(junk: Any) -> None:
    """An assessor that fails by building a wrong value has failed: the risk is unknown, and blocked where that is."""
    blocks = Policy(block_session_risk=["high", "unknown"])
    here = world(actions=[Action("a", "A", policy=blocks)], risk=lambda *_: RiskAssessment(**junk))

    decision = here.gate.check("a", CONTEXT)

    assert (decision.code, decision.risk.level) == (Code.ACTION_BLOCKED, RiskLevel.UNKNOWN)


@pytest.mark.requirement("C-06")
def test_a_part_that_grew_too_old_is_asked_for_again() -> None:
    """With a limit of age, the first part of an all-of must still be young when the second one is proved."""
    rule = Policy(methods=all_of("password", "passkey"), max_age=60)
    here = world(actions=[Action("a", "A", policy=rule)])
    challenge = here.gate.start("a", CONTEXT)
    here.gate.verify(challenge.id, "password", "pw", CONTEXT)
    here.clock.advance(60)

    late = here.gate.verify(challenge.id, "passkey", "touch", CONTEXT)
    done = here.gate.verify(challenge.id, "password", "pw", CONTEXT)

    assert isinstance(late, MoreNeeded)
    assert late.remaining == ("password",)
    assert isinstance(done, Verified)
    assert done.grant.expires_at == here.now + timedelta(seconds=60)


def test_what_is_verified_is_shown_as_verified() -> None:
    """The challenge in the result is the one that was finished, with its grant and its proofs."""
    done = world().prove("member.role")

    assert done.challenge.state == "verified"
    assert done.challenge.grant_id == done.grant.id
    assert done.challenge.proofs == done.grant.proofs


def test_a_rotation_that_is_refused_is_an_attempt_that_failed() -> None:
    """Whatever the application raises while it changes the session's id, the answer is counted and recorded."""

    def rotate() -> str:
        raise InvalidInput("session", "cannot be changed now")

    here = world()
    challenge = here.start("member.role")

    found = here.gate.verify(challenge.id, "passkey", "touch", CONTEXT, rotate=rotate)

    assert isinstance(found, Rejected)
    assert here.reasons()[-1] == "rotate_failed"


@pytest.mark.requirement("G-02")
def test_signing_out_of_what_never_proved_anything_writes_nothing() -> None:
    """A site that revokes on every sign-out leaves no record for sessions that never stepped up."""
    here = world()

    assert here.gate.revoke(CONTEXT, session=True) is False
    assert here.store.calls == ["load"]
    assert here.events() == []


def test_a_lock_on_another_method_is_no_reason_to_wait() -> None:
    """Only methods that the action would take count in the answer: waiting for the password helps nobody here."""
    here = real_world(actions=(*REAL_ACTIONS, Action("by.totp", "By code", methods="totp")), enrol_url="/enrol")
    for _ in range(2):
        challenge = here.gate.start("by.any", CONTEXT)
        for _ in range(5):
            here.gate.verify(challenge.id, "password", "wrong", CONTEXT)
            here.clock.advance(121)

    refused = outcome(lambda: here.gate.start("by.totp", CONTEXT))

    assert isinstance(refused, Denied)
    assert (refused.code, refused.retry_at, refused.enrol_url) == (Code.NO_USABLE_METHOD, None, "/enrol")
    assert refused.decision.unavailable == {"totp": "not_enrolled", "recovery_code": "not_enrolled"}


def test_a_recovery_code_is_missed_only_where_it_would_count() -> None:
    """At level 4 it stands in for nothing, so that none are set up is no answer there, unless it is named."""
    actions = (
        Action("by.totp", "By code", risk=4, methods="totp"),
        Action("by.either", "By either", risk=4, methods=any_of("totp", "recovery_code")),
        Action("by.strongest", "By whatever there is", risk=4),
    )
    here = real_world(actions=(*REAL_ACTIONS, *actions), enrol_url="/enrol")
    missed = {one.id: here.gate.check(one.id, CONTEXT).unavailable for one in actions}
    assert missed["by.totp"] == {"totp": "not_enrolled"}
    assert missed["by.either"] == {"totp": "not_enrolled", "recovery_code": "not_enrolled"}
    assert "recovery_code" not in missed["by.strongest"]
    assert "totp" in missed["by.strongest"]


@pytest.mark.requirement("C-05")
def test_every_single_use_of_a_session_can_be_used() -> None:
    """Six proofs are six uses: what was spent of them hides nothing that still stands."""
    here = world()
    for _ in range(6):
        here.prove("once.shelf")
        here.clock.advance(1)

    assert [here.allows("once.shelf") for _ in range(7)] == [True] * 6 + [False]


@pytest.mark.requirement("G-04")
def test_claims_in_the_shape_of_another_release_are_no_grant() -> None:
    """Signed by our own key and yet not ours: refused like any other token, and an offer likewise."""
    here = world()
    common = {"iss": "stepup", "aud": "stepup", "sub": CONTEXT.actor.id}
    grants = TokenWriter(KeyRing(SECRET), GRANT_TYPE)
    offers = TokenWriter(KeyRing(SECRET), OFFER_TYPE)
    for claims in (
        common,
        {**common, "jti": "x", "stepup": {}},
        {**common, "stepup": [], "iat": "now", "exp": "never"},
    ):
        needed = outcome(lambda claims=claims: here.gate.require("org.delete", CONTEXT, token=grants.sign(claims)))
        assert needed.code == Code.GRANT_INVALID
        refused = outcome(lambda claims=claims: here.gate.start_offer(offers.sign(claims), CONTEXT))
        assert refused.code == Code.BAD_REQUEST


class Boasting(ScriptedVerifier):
    """A password hook that says its factor stands for an authenticator."""

    def enrolled(self, actor: Actor, /) -> tuple[Factor, ...]:
        return (Factor("password", self.method, stands_for="totp"),)


def test_only_a_recovery_code_stands_for_another_method() -> None:
    """A hook cannot promote its own factor: its answer breaks the contract, and nothing is decided on it."""
    here = world(
        actions=[Action("a", "A", methods="totp")],
        verifiers=[Boasting("password", strength=20, answer="x"), ScriptedVerifier("totp", strength=30)],
    )

    assert isinstance(outcome(lambda: here.gate.start("a", CONTEXT)), ContractBroken)


@pytest.mark.parametrize(
    "change",
    [{"amr": (1,)}, {"amr": ("x" * 20_000,)}, {"amr": ("",)}, {"amr": ("a",) * 17}, {"user_verified": object()}],
)
def test_a_proof_with_a_wrong_value_inside_is_none(change: dict[str, Any]) -> None:
    """It would travel in the token: refused before anything is minted, and recorded."""

    class Odd(ScriptedVerifier):
        def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:
            found = super().check(state, response, context)
            assert found.proof is not None
            return replace(found, proof=replace(found.proof, **change))

    here = world(actions=[Action("a", "A")], verifiers=[Odd()])
    challenge = here.gate.start("a", CONTEXT)

    found = here.gate.verify(challenge.id, "scripted", "right", CONTEXT)

    assert isinstance(found, Rejected)
    assert here.reasons()[-1] == "verifier_error"


@pytest.mark.parametrize("method", ["any", "strongest", "fresh_session"])
def test_no_method_has_a_name_that_means_something_else(method: str) -> None:
    """In a policy these words are requirements; a verifier of that name could never be named."""
    with pytest.raises(ConfigurationError, match=r"means? something else"):
        world(actions=[], verifiers=[ScriptedVerifier(method)])


@pytest.mark.requirement("G-02")
def test_signing_out_ends_an_enrolment_that_waits() -> None:
    """A secret that was shown before the sign-out can not be confirmed after it, not even from the same session."""
    here = real_world()
    here.prove(ADD, CONTEXT, "password", PASSWORD, resource=FACTORS, params={"method": "totp"})
    made = here.gate.factors.enrol_totp(CONTEXT)

    assert here.gate.revoke(CONTEXT, session=True) is True
    assert not here.gate.factors.confirm_totp(CONTEXT, made.factor_id, code(made.secret, here.now))
    assert here.gate.factors.list(CONTEXT) == here.gate.factors.list(context("sess_2"))
    assert "totp" not in {factor.method for factor in here.gate.factors.list(CONTEXT)}


@pytest.mark.requirement("G-06", "X-05")
def test_an_answer_that_comes_second_revokes_what_the_first_minted() -> None:
    """With ``revoke_on_reuse``, also where the challenge was finished while the second answer was being counted."""

    class Interrupted(Counting):
        then: Callable[[], None] | None = None

        def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
            then, self.then = self.then, None
            if then is not None:
                then()
            return super().apply(partition, changes)

    store = Interrupted()
    here = world(store=store, revoke_on_reuse=True)
    challenge = here.start("member.role")
    minted: list[Verified] = []

    def first() -> None:
        result = here.gate.verify(challenge.id, "passkey", "touch", CONTEXT)
        assert isinstance(result, Verified)
        minted.append(result)

    store.then = first
    second = here.gate.verify(challenge.id, "passkey", "touch", CONTEXT)

    assert second == Rejected(Code.CHALLENGE_CLOSED)
    assert len(minted) == 1
    assert not here.allows("member.role", token=minted[0].token)


@pytest.mark.parametrize("answer", [None, True, [], "page", Page((1, 2))])
def test_a_store_that_lists_something_else_is_found_out(answer: Any) -> None:
    """What ``events`` hands on is a page of events, whatever the store says."""

    class Lists(Counting):
        def events(self, partition: Any, *, after: Any, limit: Any) -> Any:
            return answer

    with pytest.raises(ContractBroken, match="events"):
        world(store=Lists()).gate.events(CONTEXT.actor)


@pytest.mark.parametrize("answer", [None, True, -1, "3", 1.0])
def test_a_store_that_counts_something_else_is_found_out(answer: Any) -> None:
    """What ``purge`` answers is a number of records."""

    class Counts(Counting):
        def purge(self, before: Any, *, limit: int = 1000) -> Any:
            return answer

    with pytest.raises(ContractBroken, match="purge"):
        world(store=Counts()).gate.purge()
