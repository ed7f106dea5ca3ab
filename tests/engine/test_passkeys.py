"""Passkeys through the whole gate, on both faces: enrolled, proved, counted, replayed, moved, evidenced, removed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from engine_bench import ACTOR, CONTEXT, OTHER, PASSWORD, World, both_faces, context, outcome, right_password, world

from stepup import (
    Action,
    Actor,
    Challenge,
    Code,
    Denied,
    Factor,
    MoreNeeded,
    Policy,
    Proof,
    Rejected,
    Resource,
    StepUpRequired,
    Verified,
    all_of,
    evidence,
)
from stepup.binding import Binding
from stepup.ceremony import Checked, Registered, Registering, Verdict
from stepup.changes import Key, factor_key
from stepup.codec import decode, encode
from stepup.decide.enrol import ADD, REMOVE
from stepup.errors import ConfigurationError, ContractBroken, InvalidInput
from stepup.event import EVIDENCE, Event, EventType
from stepup.factor import FactorSet, StoredFactor
from stepup.keys import Vault
from stepup.mailers import Outbox
from stepup.testing import SoftPasskey
from stepup.verifiers import TOTP, Passkey, Password
from stepup.verifiers._webauthn_read import unb64

ORIGIN = "https://northstar.example"
ACTIONS = (
    Action("org.delete", "Delete organization", risk=4),
    Action("member.role", "Change role", risk=3),
    Action("note.edit", "Edit note", policy=Policy(methods="any")),
    Action("key.rotate", "Rotate key", policy=Policy(methods=all_of("password", "passkey"))),
)


def gate(face: str = "sync", **settings: Any) -> World:
    """A gate with a password and passkeys; *settings* of the passkey by their own names."""
    outbox, own = Outbox(), {"rp_id": "northstar.example", "rp_name": "Northstar", "origins": [ORIGIN]}
    passkey = Passkey(**{**own, **settings})
    methods = [Password(check=right_password), TOTP(), passkey]
    return world(face=face, actions=ACTIONS, verifiers=methods, outbox=outbox, mailer=outbox)


def permit(here: World, method: str = "password", answer: object = PASSWORD, who: Any = CONTEXT) -> None:
    """The step-up that adding a passkey takes."""
    here.prove(ADD, who, method, answer, resource=Resource("factors", who.actor.id), params={"method": "passkey"})


def enrol(here: World, device: SoftPasskey, **call: Any) -> Factor:
    """Enrol *device* by what is permitted now."""
    begun = here.gate.factors.enrol_passkey(CONTEXT, **call)
    made = here.gate.factors.confirm_passkey(CONTEXT, begun.factor_id, device.create(begun.options))
    assert isinstance(made, Factor), made
    return made


def ready(face: str = "sync", device: SoftPasskey | None = None, **settings: Any) -> tuple[World, SoftPasskey, Factor]:
    """A gate at which Olivia has a passkey that counts."""
    here, device = gate(face, **settings), device or SoftPasskey(ORIGIN)
    permit(here)
    made = enrol(here, device, label="Laptop")
    here.clock.advance(timedelta(hours=24))
    return here, device, made


def touch(here: World, device: SoftPasskey, action: str = "org.delete", **call: Any) -> Any:
    """The whole ceremony with a passkey, whatever comes of it."""
    challenge = here.start(action, **call)
    prompt = here.gate.begin(challenge.id, "passkey", CONTEXT)
    return here.gate.verify(challenge.id, "passkey", device.get(prompt.options), CONTEXT)


# -- enrolling ------------------------------------------------------------------------


@both_faces
def test_a_passkey_is_enrolled_by_a_step_up_and_waits(face: str) -> None:
    """A password let it in, so it does not count for a day; then it is the strongest."""
    here, device = gate(face), SoftPasskey(ORIGIN)
    refused = outcome(lambda: here.gate.factors.enrol_passkey(CONTEXT))
    assert isinstance(refused, StepUpRequired)
    assert refused.action == ADD
    permit(here)
    made = enrol(here, device, label="Laptop")

    assert (made.method, made.label, made.strength) == ("passkey", "Laptop", 50)
    assert made.quarantined_until == here.now + timedelta(hours=24)
    assert made in here.gate.factors.list(CONTEXT)
    assert here.gate.check("org.delete", CONTEXT).methods == ("password",)
    here.clock.advance(timedelta(hours=24))
    assert here.gate.check("org.delete", CONTEXT).methods == ("passkey",)
    assert isinstance(touch(here, device), Verified)


@both_faces
def test_the_person_is_told(face: str) -> None:
    """By mail when it is added and when it is removed."""
    here, _, made = ready(face)
    sent = here.outbox.messages[-1]
    assert sent.subject == "A verification method was added to your account"
    assert "passkey" in sent.text
    assert here.gate.factors.list(CONTEXT)[0].id == made.id


@both_faces
def test_the_first_factor_of_all_needs_a_fresh_session(face: str) -> None:
    """Somebody who can prove nothing yet; a login with a passkey a moment ago spares the wait."""
    nobody = Actor("usr_8192")
    verifiers = [
        Password(check=lambda actor, word: False, has_password=lambda actor: False),
        Passkey(rp_id="northstar.example", rp_name="Northstar", origins=[ORIGIN]),
    ]
    here = world(face=face, actions=ACTIONS, verifiers=verifiers)
    refused = outcome(lambda: here.gate.factors.enrol_passkey(context("s", actor=nobody, age=300)))
    assert isinstance(refused, Denied)
    assert refused.code == Code.LOGIN_REQUIRED
    for proofs, waits in (([], True), ([Proof("passkey", here.now, strength=50)], False)):
        person = replace(nobody, id=f"usr_{waits}")
        who = context("s", actor=person, age=5, proofs=proofs)
        begun = here.gate.factors.enrol_passkey(who)
        made = here.gate.factors.confirm_passkey(who, begun.factor_id, SoftPasskey(ORIGIN).create(begun.options))
        assert isinstance(made, Factor)
        assert (made.quarantined_until is not None) is waits


@both_faces
def test_a_second_passkey_by_the_first_counts_at_once(face: str) -> None:
    """It takes the first one, which is excluded on the new device, and there is no wait."""
    here, device, _ = ready(face)
    assert isinstance(outcome(lambda: here.gate.factors.enrol_passkey(CONTEXT)), StepUpRequired)
    challenge = here.start(ADD, resource=Resource("factors", ACTOR.id), params={"method": "passkey"})
    assert challenge.allowed == ("passkey",)
    prompt = here.gate.begin(challenge.id, "passkey", CONTEXT)
    assert here.gate.verify(challenge.id, "passkey", device.get(prompt.options), CONTEXT)
    begun = here.gate.factors.enrol_passkey(CONTEXT)
    options = cast("Any", begun.options)
    assert [unb64(one["id"], 1023) for one in options["excludeCredentials"]] == [device.id]
    assert options["user"]["id"] == device.user_handle

    again = here.gate.factors.confirm_passkey(CONTEXT, begun.factor_id, device.create(begun.options))
    assert isinstance(again, Rejected)
    second = SoftPasskey(ORIGIN, algorithm="EdDSA")
    made = here.gate.factors.confirm_passkey(CONTEXT, begun.factor_id, second.create(begun.options))
    assert isinstance(made, Factor)
    assert made.quarantined_until is None
    assert isinstance(touch(here, second), Verified)
    assert isinstance(touch(here, device, "member.role"), Verified)


@both_faces
def test_five_tries_and_ten_minutes(face: str) -> None:
    """Then the registration is gone, also for the right answer; and wrong ones are events."""
    here, device = gate(face), SoftPasskey(ORIGIN)
    permit(here)
    begun = here.gate.factors.enrol_passkey(CONTEXT)
    assert begun.expires_at == here.now + timedelta(minutes=10)
    for left in (4, 3, 2, 1, 0):
        wrong = here.gate.factors.confirm_passkey(CONTEXT, begun.factor_id, {"id": "no"})
        assert wrong == Rejected(Code.VERIFICATION_FAILED, left)
    gone = here.gate.factors.confirm_passkey(CONTEXT, begun.factor_id, device.create(begun.options))
    assert gone == Rejected(Code.CHALLENGE_NOT_FOUND)
    assert here.reasons()[-6:] == ["wrong"] * 5 + ["enrolment_not_found"]
    assert {one.method for one in here.events()[-6:]} == {"passkey"}

    begun = here.gate.factors.enrol_passkey(CONTEXT)
    here.clock.advance(599)
    late = replace(CONTEXT, session=CONTEXT.session)
    here.clock.advance(1)
    gone = here.gate.factors.confirm_passkey(late, begun.factor_id, device.create(begun.options))
    assert gone == Rejected(Code.CHALLENGE_NOT_FOUND)


@both_faces
def test_a_registration_belongs_to_its_session_and_its_person(face: str) -> None:
    """Nobody else's, no other session's, no other registration's, and each only once."""
    here, device = gate(face), SoftPasskey(ORIGIN)
    permit(here)
    older = here.gate.factors.enrol_passkey(CONTEXT)
    begun = here.gate.factors.enrol_passkey(CONTEXT)
    answer = device.create(begun.options)
    for who in (context("sess_2"), context(actor=OTHER), context(session=None, age=None)):
        gone = here.gate.factors.confirm_passkey(who, begun.factor_id, answer)
        assert gone == Rejected(Code.CHALLENGE_NOT_FOUND)
    assert not here.gate.factors.confirm_passkey(CONTEXT, older.factor_id, answer)
    assert not here.gate.factors.confirm_passkey(CONTEXT, begun.factor_id, device.create(older.options))
    assert here.gate.factors.confirm_passkey(CONTEXT, begun.factor_id, answer)
    assert here.gate.factors.confirm_passkey(CONTEXT, begun.factor_id, answer) == Rejected(Code.CHALLENGE_NOT_FOUND)
    strange: tuple[Any, ...] = (None, 1, [], "", "passkey_x", "totp_1")
    for odd in strange:
        assert not here.gate.factors.confirm_passkey(CONTEXT, odd, answer)


@both_faces
def test_a_revocation_ends_a_registration(face: str) -> None:
    """Whatever is revoked while the browser asks."""
    here, device = gate(face), SoftPasskey(ORIGIN)
    permit(here)
    begun = here.gate.factors.enrol_passkey(CONTEXT)
    here.gate.revoke(CONTEXT, everything=True)
    gone = here.gate.factors.confirm_passkey(CONTEXT, begun.factor_id, device.create(begun.options))
    assert gone == Rejected(Code.CHALLENGE_NOT_FOUND)


def test_a_registration_cannot_be_used_to_prove() -> None:
    """What waits for its first answer is no factor, and an answer to a registration is none to a challenge."""
    here, device = gate(), SoftPasskey(ORIGIN)
    permit(here)
    begun = here.gate.factors.enrol_passkey(CONTEXT)
    device.create(begun.options)
    assert here.gate.check("org.delete", CONTEXT).methods == ("password",)
    ready_world, known, _ = ready()
    challenge = ready_world.start("org.delete")
    prompt = ready_world.gate.begin(challenge.id, "passkey", CONTEXT)
    as_registration = {**prompt.options, "user": {"id": known.user_handle}, "rp": {"id": "northstar.example"}}
    assert not ready_world.gate.verify(challenge.id, "passkey", known.create(as_registration), CONTEXT)


@pytest.mark.parametrize("label", [None, 1, b"x", ["x"]])
def test_a_label_is_text(label: Any) -> None:
    """Refused before anything is asked for."""
    with pytest.raises(InvalidInput):
        gate().gate.factors.enrol_passkey(CONTEXT, label=label)


@both_faces
def test_a_gate_without_passkeys_says_so(face: str) -> None:
    """Also one whose passkeys are somebody else's verifier."""
    bare = world(face=face, actions=ACTIONS[:2], verifiers=[Password(check=right_password)])
    for here in (world(face=face), bare):
        with pytest.raises(ConfigurationError, match=r"Passkey\(\)"):
            here.gate.factors.enrol_passkey(CONTEXT)
        with pytest.raises(ConfigurationError, match=r"Passkey\(\)"):
            here.gate.factors.confirm_passkey(CONTEXT, "x", {})


def test_the_audit_learns_which_step_of_a_registration_failed() -> None:
    """A page at an origin that the settings lack is the mistake everybody makes once."""
    here = gate()
    permit(here)
    begun = here.gate.factors.enrol_passkey(CONTEXT)
    elsewhere = SoftPasskey("https://www.northstar.example")
    assert not here.gate.factors.confirm_passkey(CONTEXT, begun.factor_id, elsewhere.create(begun.options))
    assert (here.events()[-1].reason, here.events()[-1].detail) == ("wrong", {"signals": "origin"})


class Odd(Passkey):
    """Keeps passkeys, and answers what it is told to."""

    def __init__(self) -> None:
        super().__init__(rp_id="northstar.example", rp_name="Northstar", origins=[ORIGIN])
        self.told: dict[str, Any] = {}

    def register(self, factor_id: str, actor: Actor, vault: Vault, held: Sequence[StoredFactor], /) -> Registering:
        return cast("Registering", self.told.get("begun") or super().register(factor_id, actor, vault, held))

    def registered(
        self, pending: StoredFactor, response: object, actor: Actor, vault: Vault, held: Sequence[StoredFactor], /
    ) -> Registered | Checked:
        made = self.told["made"]
        if isinstance(made, Exception):
            raise made
        return cast("Registered", made(pending) if callable(made) else made)


ODD: dict[str, Any] = {
    "nothing": None,
    "true": True,
    "raises": ValueError("with a secret"),
    "refuses": Checked(Verdict.REJECTED),
    "accepts by a verdict": Checked(Verdict.ACCEPTED),
    "another id": lambda pending: Registered(replace(pending, id="passkey_other"), 50),
    "another method": lambda pending: Registered(replace(pending, method="totp"), 50),
}


@pytest.mark.parametrize("name", ODD)
def test_a_verifier_of_ones_own_is_not_taken_on_trust(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Only the factor that waits, as an answer of the one type, is enrolled; what it raised is named, not shown."""
    verifier = Odd()
    here = world(actions=ACTIONS[:2], verifiers=[Password(check=right_password), verifier])
    permit(here)
    begun = here.gate.factors.enrol_passkey(CONTEXT)
    verifier.told["made"] = ODD[name]
    assert not here.gate.factors.confirm_passkey(CONTEXT, begun.factor_id, {})
    assert "secret" not in caplog.text
    verifier.told["made"] = lambda pending: Registered(pending, 50)
    assert isinstance(here.gate.factors.confirm_passkey(CONTEXT, begun.factor_id, {}), Factor)


def test_a_registration_that_is_none_is_refused() -> None:
    """A verifier that begins with something else breaks its contract."""
    verifier = Odd()
    verifier.told["begun"] = object()
    here = world(actions=ACTIONS[:2], verifiers=[Password(check=right_password), verifier])
    permit(here)
    with pytest.raises(ContractBroken):
        here.gate.factors.enrol_passkey(CONTEXT)


# -- proving ----------------------------------------------------------------------------


@both_faces
@pytest.mark.requirement("A-W11", "G-09")
def test_a_passkey_opens_what_it_was_asked_for(face: str) -> None:
    """With its values in the grant; a wrong signature and another passkey get one and the same answer."""
    here, device, made = ready(face)
    challenge = here.start("org.delete")
    prompt = here.gate.begin(challenge.id, "passkey", CONTEXT)
    forger = SoftPasskey(ORIGIN)
    forger.id = device.id
    answers: list[Any] = [
        here.gate.verify(challenge.id, "passkey", other.get(prompt.options), CONTEXT)
        for other in (SoftPasskey(ORIGIN), forger)
    ]
    assert [replace(one, attempts_left=None) for one in answers] == [Rejected(Code.VERIFICATION_FAILED)] * 2
    done = here.gate.verify(challenge.id, "passkey", device.get(prompt.options), CONTEXT)
    assert isinstance(done, Verified)
    assert done.grant.amr == ("swk", "user")
    (proof,) = done.grant.proofs
    assert (proof.method, proof.user_verified, proof.factor_id) == ("passkey", True, made.id)
    assert here.allows("org.delete", token=done.token)
    refused = [one for one in here.events() if one.type is EventType.ATTEMPT and one.result == "refused"]
    assert [(one.reason, one.detail.get("signals")) for one in refused[-2:]] == [
        ("wrong", "credential"),
        ("wrong", "signature"),
    ]


@both_faces
@pytest.mark.requirement("G-09", "A-W11")
def test_a_forged_assertion_uses_nothing_up(face: str) -> None:
    """Only what was signed by the key is remembered: a stranger cannot make the right answer a replay."""
    here, device, _ = ready(face)
    forger = SoftPasskey(ORIGIN)
    forger.id, forger.user_handle = device.id, device.user_handle
    challenge = here.start("org.delete")
    prompt = here.gate.begin(challenge.id, "passkey", CONTEXT)
    assert not here.gate.verify(challenge.id, "passkey", forger.get(prompt.options), CONTEXT)
    assert here.events()[-1].detail["signals"] == "signature"
    assert isinstance(here.gate.verify(challenge.id, "passkey", device.get(prompt.options), CONTEXT), Verified)


@both_faces
@pytest.mark.requirement("A-W14")
def test_options_tell_of_nobody_else(face: str) -> None:
    """They list one's own passkeys; whoever has none is answered like somebody who was never here."""
    here, device, _ = ready(face)
    prompt = here.gate.begin(here.start("org.delete").id, "passkey", CONTEXT)
    listed = cast("list[dict[str, object]]", prompt.options["allowCredentials"])
    assert [one["id"] for one in listed] == [device.get(prompt.options)["id"]]

    here.start("note.edit", context(actor=OTHER))  # known here, without a passkey
    answers: list[tuple[Any, ...]] = []
    for who in (context(actor=OTHER), context(actor=Actor("usr_nobody"))):
        challenge = here.start("note.edit", who)
        refused = outcome(lambda: here.gate.begin(challenge.id, "passkey", who))  # noqa: B023
        assert isinstance(refused, Denied)
        answers.append((challenge.allowed, str(refused), refused.decision.public()))
    assert answers[0] == answers[1]


@both_faces
@pytest.mark.requirement("A-W4", "G-09")
def test_an_assertion_is_good_once(face: str) -> None:
    """The same answer to the same challenge, to another one, and at another preparation of it."""
    here, device, _ = ready(face)
    challenge = here.start("key.rotate")
    prompt = here.gate.begin(challenge.id, "passkey", CONTEXT)
    answer = device.get(prompt.options)
    assert isinstance(here.gate.verify(challenge.id, "passkey", answer, CONTEXT), MoreNeeded)
    assert not here.gate.verify(challenge.id, "passkey", answer, CONTEXT)
    other = here.start("org.delete")
    assert not here.gate.verify(other.id, "passkey", answer, CONTEXT)
    here.gate.begin(other.id, "passkey", CONTEXT)
    assert not here.gate.verify(other.id, "passkey", answer, CONTEXT)


@pytest.mark.requirement("A-W4")
def test_of_many_at_once_one_passes() -> None:
    """Eight threads with one right answer: one grant."""
    here, device, _ = ready()
    challenge = here.start("org.delete")
    answer = device.get(here.gate.begin(challenge.id, "passkey", CONTEXT).options)
    found: list[object] = []
    start = threading.Barrier(8)

    def answer_now() -> None:
        start.wait()
        found.append(outcome(lambda: here.gate.verify(challenge.id, "passkey", answer, CONTEXT)))

    threads = [threading.Thread(target=answer_now) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(one, Verified) for one in found) == 1


@both_faces
@pytest.mark.requirement("A-W4")
def test_the_newest_preparation_only(face: str) -> None:
    """Asking again makes what was asked before void."""
    here, device, _ = ready(face)
    challenge = here.start("org.delete")
    first = here.gate.begin(challenge.id, "passkey", CONTEXT)
    second = here.gate.begin(challenge.id, "passkey", CONTEXT)
    assert not here.gate.verify(challenge.id, "passkey", device.get(first.options), CONTEXT)
    assert here.gate.verify(challenge.id, "passkey", device.get(second.options), CONTEXT)


@both_faces
@pytest.mark.requirement("A-W2")
def test_nobody_else_answers(face: str) -> None:
    """Marcus' passkey on Olivia's challenge, no assertion at all, and an answer without a preparation."""
    here, device, _ = ready(face)
    marcus = context(actor=OTHER)
    here.prove(ADD, marcus, "password", PASSWORD, resource=Resource("factors", OTHER.id), params={"method": "passkey"})
    his = SoftPasskey(ORIGIN)
    begun = here.gate.factors.enrol_passkey(marcus)
    assert here.gate.factors.confirm_passkey(marcus, begun.factor_id, his.create(begun.options))
    here.clock.advance(timedelta(hours=24))

    unprepared = here.start("org.delete")
    right = {"challenge": "AAAA", "rpId": "northstar.example"}
    assert not here.gate.verify(unprepared.id, "passkey", device.get(right), CONTEXT)
    challenge = here.start("org.delete")
    prompt = here.gate.begin(challenge.id, "passkey", CONTEXT)
    wrong: tuple[Any, ...] = (None, {}, "", [], {"method": "passkey"}, his.get(prompt.options))
    for answer in wrong:
        assert not here.gate.verify(challenge.id, "passkey", answer, CONTEXT)
    assert not here.allows("org.delete")


@both_faces
@pytest.mark.requirement("A-W12")
def test_a_counter_moves_with_the_proof_and_is_audited(face: str) -> None:
    """It goes up in the batch that mints; one that went back is an event's signal, or a refusal where that is asked."""
    for counter, passes in (("flag", True), ("refuse", False)):
        here, device, made = ready(face, SoftPasskey(ORIGIN, synced=False, count=10), counter=counter)
        assert isinstance(touch(here, device), Verified)
        assert _record(here, made.id)["count"] == 11
        device.count = 3
        assert isinstance(touch(here, device), Verified) is passes
        assert here.events()[-1].detail["signals"] == "counter"
        assert _record(here, made.id)["count"] == 11


@pytest.mark.requirement("A-W12")
def test_a_refused_answer_moves_no_counter() -> None:
    """State moves only after every check: a forged answer with a high counter changes nothing."""
    here, device, made = ready(device=SoftPasskey(ORIGIN, synced=False, count=10))
    forger = SoftPasskey(ORIGIN, synced=False, count=900)
    forger.id, forger.user_handle = device.id, device.user_handle
    before = _record(here, made.id)
    assert not touch(here, forger)
    assert _record(here, made.id) == before


@both_faces
@pytest.mark.requirement("A-W9")
def test_a_key_that_cannot_verify_is_worth_less(face: str) -> None:
    """Where verification is preferred it can be enrolled; the strongest method held is then what it can show."""
    here, device, made = ready(face, SoftPasskey(ORIGIN, verified=False, synced=False), user_verification="preferred")
    assert made.strength == 40
    done = touch(here, device)
    assert isinstance(done, Verified)
    assert (done.grant.proofs[0].strength, done.grant.proofs[0].user_verified) == (40, False)
    strict = gate(face)
    permit(strict)
    begun = strict.gate.factors.enrol_passkey(CONTEXT)
    assert not strict.gate.factors.confirm_passkey(CONTEXT, begun.factor_id, device.create(begun.options))


# -- listing, renaming, removing --------------------------------------------------------------


@both_faces
def test_removing_takes_the_strongest_and_ends_it(face: str) -> None:
    """As for every factor; afterwards its answers prove nothing."""
    here, device, made = ready(face)
    assert isinstance(outcome(lambda: here.gate.factors.remove(CONTEXT, made.id)), StepUpRequired)
    challenge = here.start(REMOVE, resource=Resource("factor", made.id))
    prompt = here.gate.begin(challenge.id, "passkey", CONTEXT)
    assert here.gate.verify(challenge.id, "passkey", device.get(prompt.options), CONTEXT)
    assert here.gate.factors.remove(CONTEXT, made.id)
    assert here.outbox.messages[-1].subject == "A verification method was removed from your account"
    assert [one.method for one in here.gate.factors.list(CONTEXT)] == ["password"]
    assert here.gate.check("org.delete", CONTEXT).methods == ("password",)


@both_faces
def test_a_factor_can_be_renamed(face: str) -> None:
    """It is a label: nothing that was opened ends, and nobody else's is touched."""
    here, device, made = ready(face)
    done = touch(here, device)
    assert here.gate.factors.rename(CONTEXT, made.id, "Work\u0007 laptop")
    (listed,) = [one for one in here.gate.factors.list(CONTEXT) if one.id == made.id]
    assert listed == replace(made, label="Work\N{REPLACEMENT CHARACTER} laptop")
    event = here.events()[-1]
    assert (event.type, event.method, event.detail["renamed"]) == (EventType.FACTOR_CHANGED, "passkey", True)
    assert here.allows("org.delete", token=done.token)

    written = len(here.store.batches)
    assert here.gate.factors.rename(CONTEXT, made.id, "Work\u0007 laptop")
    assert not here.gate.factors.rename(context(actor=OTHER), made.id, "Mine")
    strange: tuple[Any, ...] = ("passkey_x", "", None, 1, [])
    for odd in strange:
        assert not here.gate.factors.rename(CONTEXT, odd, "x")
    assert len(here.store.batches) == written
    with pytest.raises(InvalidInput):
        here.gate.factors.rename(CONTEXT, made.id, cast("str", None))


# -- what is kept ------------------------------------------------------------------------------


@both_faces
def test_the_event_keeps_what_was_signed(face: str) -> None:
    """With the binding, beside the rules; that of enrolling, the public key; and the codec knows both."""
    here, device, _ = ready(face)
    touch(here, device, params={"amount": "120.00 EUR"})
    attempt = _attempts(here)[-1]
    assert attempt.snapshot is not None
    kept = cast("Any", attempt.snapshot[EVIDENCE])
    assert kept["binding"]["action"] == attempt.action == "org.delete"
    assert Binding(**kept["binding"]).params is not None
    assert set(attempt.snapshot) > {EVIDENCE}
    enrolled = next(one for one in here.events() if one.type is EventType.FACTOR_ENROLLED)
    assert enrolled.detail["public_key"] == kept["public_key"]
    assert enrolled.detail["algorithm"] == "ES256"
    before = [one for one in _attempts(here) if one.method == "password"]
    assert all(EVIDENCE not in (one.snapshot or {}) for one in before)


def test_a_part_of_a_proof_is_evidence_too() -> None:
    """Where a password is asked for as well, the passkey's event says ``open``, and keeps what was signed."""
    here, device, _ = ready()
    assert isinstance(touch(here, device, "key.rotate"), MoreNeeded)
    attempt = _attempts(here)[-1]
    enrolled = next(one for one in here.events() if one.type is EventType.FACTOR_ENROLLED)
    assert attempt.result == "open"
    approval = evidence.verify(evidence.record_of(attempt), evidence.public_key_of(enrolled))
    assert (approval.action, approval.actor) == ("key.rotate", ACTOR.id)


def test_the_record_survives_the_codec() -> None:
    """What is stored is text in other stores."""
    here, _, made = ready()
    (record,) = _records(here, factor_key("passkey"))
    assert isinstance(record, FactorSet)
    assert decode(encode(record)) == record
    assert record.get(made.id) is not None


def test_secrets_are_in_no_event() -> None:
    """Neither the nonce of an open challenge nor a user handle; what is kept was signed and is spent."""
    here, device, _ = ready()
    challenge = here.start("org.delete")
    prompt = here.gate.begin(challenge.id, "passkey", CONTEXT)
    told = repr(here.events())
    assert str(prompt.options["challenge"]) not in told
    assert str(device.user_handle) not in told
    assert isinstance(challenge, Challenge)


def _attempts(here: World) -> list[Event]:
    return [one for one in here.events() if one.type is EventType.ATTEMPT]


def _records(here: World, key: Key) -> list[object]:
    """What Olivia's partition holds under *key*, as it was last written."""
    found: list[object] = [put.value for batch in here.store.batches for put in batch.puts if put.key == key]
    return found[-1:]


def _record(here: World, factor_id: str) -> dict[str, Any]:
    (found,) = _records(here, factor_key("passkey"))
    assert isinstance(found, FactorSet)
    stored = found.get(factor_id)
    assert stored is not None
    return dict(stored.data)


@both_faces
def test_the_lint_knows_of_keys_that_cannot_verify(face: str) -> None:
    """From the verifier's own setting."""
    for setting, expected in (("preferred", ["org.delete"]), ("required", [])):
        found = gate(face, user_verification=setting).gate.lint()
        assert [one.action for one in found if one.code == "passkey_unverified"] == expected
