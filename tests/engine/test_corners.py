"""Where two things meet that rarely do: a factor that changes while it is checked, a send that fails after the next."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

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

from stepup import Action, Actor, Denied, Rejected, Resource, Session, StepUp, Verified, any_of
from stepup.binding import partition
from stepup.changes import APPLIED, ROSTER, Applied, Changes, Lost, Partition, Record
from stepup.decide.enrol import ADD
from stepup.errors import Code, DeliveryFailed
from stepup.factor import MAX_FACTORS, Factor, Roster
from stepup.mailers import Outbox
from stepup.ports import Message
from stepup.stores.memory import MemoryStore
from stepup.testing import FrozenClock, ScriptedVerifier
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
