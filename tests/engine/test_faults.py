"""A fault at every store call of every flow, and from every other port: refusals, whole counters, no half grants."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from engine_bench import (
    ACTOR,
    CONTEXT,
    ORG,
    PASSWORD,
    Counting,
    World,
    both_faces,
    code,
    context,
    enrolled_totp,
    outcome,
    real_world,
    world,
)

from stepup import Action, Code, Policy, Proof, Rejected, Resource, StepUpError, Verified
from stepup.challenge import Challenge
from stepup.changes import Applied, Changes, Epoch, Key, Lost, Partition, Record
from stepup.decide.enrol import ADD, REMOVE
from stepup.errors import ConfigurationError, ContractBroken, DeliveryFailed, StoreBusy, StoreUnavailable
from stepup.event import EventType
from stepup.factor import StoredFactor
from stepup.ports import REJECTED, Checked, Verdict
from stepup.testing.scripted import ScriptedVerifier

# -- the store, at every call -------------------------------------------------------


class Faulty(Counting):
    """Does what ``fault`` says at the call numbered ``at`` (from there on, where it is for ever)."""

    def __init__(self) -> None:
        super().__init__()
        self.fault: Fault | None = None
        self.at = -1
        self.seen = 0
        self.hit = False

    def arm(self, fault: Fault, at: int) -> None:
        self.fault, self.at, self.seen, self.hit = fault, at, 0, False

    def disarm(self) -> None:
        self.fault = None

    def _now(self) -> Fault | None:
        if self.fault is None:
            return None
        due = self.seen == self.at or (self.fault.for_ever and self.seen > self.at)
        self.seen += 1
        self.hit = self.hit or due
        return self.fault if due else None

    def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        fault = self._now()
        real = super().load
        return real(partition, keys) if fault is None else fault.load(lambda: real(partition, keys), keys)

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        fault = self._now()
        real = super().apply
        return real(partition, changes) if fault is None else fault.apply(lambda: real(partition, changes))


class Fault:
    """What goes wrong in one call."""

    def __init__(
        self,
        name: str,
        *,
        raising: BaseException | None = None,
        answer: Any = None,
        after: bool = False,
        for_ever: bool = False,
    ) -> None:
        self.name = name
        self.raising = raising
        self.answer = answer
        self.after = after
        self.for_ever = for_ever

    def __repr__(self) -> str:
        return self.name

    def load(self, real: Callable[[], Any], keys: Sequence[Key]) -> Any:
        if isinstance(self.answer, Lost):
            return real()
        return self._do(real, self.answer(keys) if callable(self.answer) else self.answer)

    def apply(self, real: Callable[[], Any]) -> Any:
        return self._do(real, self.answer(()) if callable(self.answer) else self.answer)

    def _do(self, real: Callable[[], Any], answer: Any) -> Any:
        if self.after:
            real()
        if self.raising is not None:
            raise self.raising
        return answer


def _mislabelled(keys: Sequence[Key]) -> list[Record]:
    return [Record(Key("epoch", "other"), Epoch(), 1) for _ in keys]


FAULTS = (
    Fault("down", raising=StoreUnavailable("down")),
    Fault("driver error", raising=RuntimeError("connection reset")),
    Fault("timeout", raising=TimeoutError()),
    Fault("stop iteration", raising=StopIteration(Verified)),
    Fault("reply lost", raising=StoreUnavailable("reply lost"), after=True),
    Fault("answers True", answer=True),
    Fault("wrote and answers True", answer=True, after=True),
    Fault("answers None", answer=None),
    Fault("answers text", answer="APPLIED"),
    Fault("answers a class", answer=lambda keys: Lost),
    Fault("answers one", answer=1),
    Fault("answers too much", answer=lambda keys: [None] * (len(keys) + 1)),
    Fault("answers other records", answer=_mislabelled),
    Fault("another Applied", answer=lambda keys: Applied()),
    Fault("conflicts for ever", answer=Lost(None), for_ever=True),
    Fault("loses for ever", answer=Lost(Key("epoch", "actor")), for_ever=True),
)


class Flow:
    """A flow: what stands before it, what it does under the fault, and what its answer must be worth."""

    def __init__(self, before: Callable[[World], Any], run: Callable[[World, Any], Any]) -> None:
        self.before, self.run = before, run


def _started(here: World) -> Challenge:
    return here.start("member.role")


def _verify(here: World, challenge: Challenge, answer: str = "touch", **more: Any) -> Any:
    return here.gate.verify(challenge.id, "passkey", answer, CONTEXT, **more)


def _require(here: World, action: str, token: str | None) -> Any:
    return here.gate.require(action, CONTEXT, resource=ORG, token=token)


FLOWS: dict[str, Flow] = {
    "start": Flow(lambda here: None, lambda here, _: here.start("member.role")),
    "start again": Flow(_started, lambda here, _: here.start("member.role")),
    "begin": Flow(_started, lambda here, made: here.gate.begin(made.id, "passkey", CONTEXT)),
    "verify": Flow(_started, _verify),
    "verify wrong": Flow(_started, lambda here, made: _verify(here, made, "wrong")),
    "verify and rotate": Flow(_started, lambda here, made: _verify(here, made, rotate=lambda: "sess_new")),
    "cancel": Flow(_started, lambda here, made: here.gate.cancel(made.id, CONTEXT)),
    "single use": Flow(lambda here: here.prove("org.delete").token, lambda here, t: _require(here, "org.delete", t)),
    "many uses": Flow(lambda here: here.prove("member.role").token, lambda here, t: _require(here, "member.role", t)),
    "level 2": Flow(
        lambda here: here.prove("member.remove", context(age=86400)).token,
        lambda here, t: here.gate.require("member.remove", context(age=86400), resource=ORG, token=t),
    ),
    "counted": Flow(lambda here: here.prove("batch.run").token, lambda here, t: _require(here, "batch.run", t)),
    "shelf": Flow(lambda here: here.prove("member.role").token, lambda here, t: _require(here, "member.role", None)),
    "shelf once": Flow(lambda here: here.prove("once.shelf").token, lambda here, t: _require(here, "once.shelf", None)),
    "revoke one": Flow(
        lambda here: here.prove("member.role"), lambda here, d: here.gate.revoke(CONTEXT, grant=d.grant.id)
    ),
    "revoke all": Flow(
        lambda here: here.prove("member.role"), lambda here, d: here.gate.revoke(CONTEXT, everything=True)
    ),
    "rotated": Flow(lambda here: here.prove("member.role"), lambda here, d: here.gate.rotated(CONTEXT, "sess_new")),
    "forget": Flow(lambda here: here.prove("member.role"), lambda here, d: here.gate.forget(ACTOR)),
    "grants": Flow(lambda here: here.prove("member.role"), lambda here, d: here.gate.grants(CONTEXT)),
}
REDEEMS = {"single use", "many uses", "level 2", "counted", "shelf", "shelf once"}


def _calls(name: str) -> int:
    here = world(store=Faulty())
    made = FLOWS[name].before(here)
    start = len(here.store.calls)
    FLOWS[name].run(here, made)
    return len(here.store.calls) - start


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.requirement("S-03", "Y-01", "Y-02", "Y-14")
def test_a_fault_at_any_store_call_opens_nothing(name: str) -> None:
    """Sixteen faults at every call: the flow is refused, or what it answered really stands."""
    for at in range(_calls(name)):
        for fault in FAULTS:
            store = Faulty()
            here = world(store=store)
            made = FLOWS[name].before(here)
            attempts = here.methods["passkey"].calls
            store.arm(fault, at)
            found = outcome(lambda: FLOWS[name].run(here, made))  # noqa: B023
            hit = store.hit
            store.disarm()

            where = f"{fault} at call {at} of {name}: {found!r}"
            assert hit, where
            _no_pass(name, fault, found, where)
            if isinstance(found, Verified):
                assert here.allows("member.role", token=found.token), where
            _counted(here, made, attempts, where)


def _no_pass(name: str, fault: Fault, found: object, where: str) -> None:
    if name in REDEEMS:
        # What a load answered truly, and a conflict that it never sees, may leave a call that only reads intact.
        assert isinstance(found, StepUpError) or (name == "level 2" and fault.for_ever), where
    elif not fault.for_ever:
        assert isinstance(found, StepUpError) or name in {"start", "start again", "verify", "verify wrong"}, where
        if isinstance(found, Challenge | Verified):
            # The first write may lose and be decided again, which is no error; nothing but a conflict allows that.
            assert isinstance(fault.answer, Lost), where


def _counted(here: World, made: object, before: int, where: str) -> None:
    """The count on the challenge is never lower than how often the verifier ran."""
    if not isinstance(made, Challenge):
        return
    runs = here.methods["passkey"].calls - before
    found = here.gate.challenge(made.id, CONTEXT)
    if found is not None:
        assert found.attempts >= runs, where
    left = sum(isinstance(_answer(here, made), Rejected) for _ in range(10))
    assert left == 10, where
    assert here.methods["passkey"].calls - before <= 5, where


def _answer(here: World, challenge: Challenge) -> object:
    return here.gate.verify(challenge.id, "passkey", "wrong", CONTEXT)


class Interposing(Counting):
    """Lets somebody else in just before the call numbered ``at``."""

    def __init__(self) -> None:
        super().__init__()
        self.act: Callable[[], object] | None = None
        self.at = 0

    def _turn(self) -> None:
        if self.act is not None:
            if self.at == 0:
                act, self.act = self.act, None
                act()
            self.at -= 1

    def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        self._turn()
        return super().load(partition, keys)

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        self._turn()
        return super().apply(partition, changes)


def _forget_writes(here: World) -> None:
    """What a restore does: the fence has another version from now on."""
    fence = here.store.inner._fence
    here.store.inner._fence = replace(fence, version=fence.version + 1)


ACTS: dict[str, Callable[[World, Any], object]] = {
    "everything revoked": lambda here, made: here.gate.revoke(CONTEXT, everything=True),
    "signed out": lambda here, made: here.gate.revoke(CONTEXT, session=True),
    "rotated": lambda here, made: here.gate.rotated(CONTEXT, "sess_elsewhere"),
    "forgotten": lambda here, made: here.gate.forget(ACTOR),
    "restored": lambda here, made: _forget_writes(here),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("name", ["verify", "verify and rotate", *sorted(REDEEMS - {"shelf", "shelf once"})])
@pytest.mark.requirement("X-05", "G-02", "Y-11")
def test_nothing_passes_once_the_end_has_been_committed(name: str, act: str) -> None:
    """Signing out, revoking, rotating, forgetting or a restore, just before each store call of the flow: refused."""
    for at in range(_calls(name)):
        store = Interposing()
        here = world(store=store)
        made = FLOWS[name].before(here)
        store.act, store.at = (lambda: ACTS[act](here, made)), at  # noqa: B023
        found = outcome(lambda: FLOWS[name].run(here, made))  # noqa: B023

        assert store.act is None
        assert isinstance(found, StepUpError | Rejected), f"{act} before call {at} of {name}: {found!r}"
        assert here.gate.grants(CONTEXT) == ()


@pytest.mark.requirement("X-05")
def test_a_challenge_that_is_closed_meanwhile_is_not_verified() -> None:
    """Cancelled, or superseded, just before each store call of an answer: rejected."""
    acts: tuple[Callable[[World, Challenge], object], ...] = (
        lambda here, made: here.gate.cancel(made.id, CONTEXT),
        lambda here, made: here.start("member.role"),
    )
    for act in acts:
        for at in range(4):
            store = Interposing()
            here = world(store=store)
            made = here.start("member.role")
            store.act, store.at = (lambda: act(here, made)), at  # noqa: B023
            assert not _verify(here, made), at
            assert here.gate.grants(CONTEXT) == ()


@pytest.mark.requirement("Y-02", "S-03")
@pytest.mark.parametrize("action", ["org.delete", "batch.run", "once.shelf"])
def test_a_lost_reply_is_a_use_gone(action: str) -> None:
    """Committed, but nobody heard: refused, and spent. With its request id, the same request hears of it."""
    for request_id in (None, "req_1"):
        store = Faulty()
        here = world(store=store)
        token = here.prove(action).token
        for at in range(2 if action == "batch.run" else 1):
            store.arm(FAULTS[4], at)
            refused = outcome(
                lambda: here.gate.require(action, CONTEXT, resource=ORG, token=token, request_id=request_id)  # noqa: B023
            )
            assert isinstance(refused, StoreUnavailable)
        store.disarm()

        if action == "batch.run":
            uses = sum(here.allows(action, token=token, request_id=f"other_{n}") for n in range(5))
            assert uses == 2
            assert here.allows(action, token=token, request_id=request_id) is (request_id is not None)
        else:
            assert here.allows(action, token=token, request_id=request_id) is (request_id is not None)
            assert not here.allows(action, token=token, request_id="another")


@pytest.mark.requirement("Y-02")
def test_a_lost_reply_to_the_last_answer_gives_no_token() -> None:
    """The grant was minted and nobody heard: no token; the session grant stands and can be revoked."""
    store = Faulty()
    here = world(store=store)
    challenge = here.start("org.delete")
    store.arm(FAULTS[4], 3)
    assert isinstance(outcome(lambda: _verify(here, challenge)), StoreUnavailable)
    store.disarm()

    assert not here.allows("org.delete")
    assert _verify(here, challenge) == Rejected(Code.CHALLENGE_CLOSED)


@pytest.mark.requirement("S-04")
def test_a_conflict_that_passes_is_no_refusal() -> None:
    """Seven conflicts of unknown cause in a row are decided again; it is never taken for a replay."""

    class Conflicting(Counting):
        left = 0

        def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
            if self.left:
                self.left -= 1
                return Lost(None)
            return super().apply(partition, changes)

    store = Conflicting()
    here = world(store=store)
    for action in ("org.delete", "batch.run", "member.role"):
        store.left = 7
        done = here.prove(action)
        store.left = 7
        assert here.allows(action, token=done.token), action
    store.left = 8
    refused = outcome(lambda: here.gate.require("member.role", CONTEXT, resource=ORG, token=done.token))
    assert isinstance(refused, StoreBusy)


@pytest.mark.parametrize("name", ["enrol", "confirm", "recovery", "remove"])
@pytest.mark.requirement("S-03", "Y-01")
def test_a_fault_while_enrolling_leaves_no_half_factor(name: str) -> None:
    """Either the factor is there and counts, or it is not there; its codes are only shown if they are good."""
    at = 0
    while True:
        fault = FAULTS[at % 2 * 4]
        store = Faulty()
        here = real_world(store=store)
        found = _enrol(here, store, name, fault, at)
        if not store.hit:
            assert at > 0
            break
        store.disarm()
        assert isinstance(found, StepUpError), (name, at, found)
        listed = {factor.method for factor in here.gate.factors.list(CONTEXT)}
        assert listed <= {"password", "email_code", "totp", "recovery_code"}
        here.prove("by.any", method="password", answer=PASSWORD)
        at += 1


def _enrol(here: World, store: Faulty, name: str, fault: Fault, at: int) -> object:
    if name in {"enrol", "confirm"}:
        here.prove(
            ADD, CONTEXT, "password", PASSWORD, resource=Resource("factors", ACTOR.id), params={"method": "totp"}
        )
        if name == "enrol":
            store.arm(fault, at)
        made = outcome(lambda: here.gate.factors.enrol_totp(CONTEXT))
        if name == "enrol" or isinstance(made, StepUpError):
            return made
        store.arm(fault, at)
        return outcome(lambda: here.gate.factors.confirm_totp(CONTEXT, made.factor_id, code(made.secret, here.now)))
    secret = enrolled_totp(here, CONTEXT)
    here.clock.advance(60)
    if name == "recovery":
        here.prove(
            ADD,
            CONTEXT,
            "totp",
            code(secret, here.now),
            resource=Resource("factors", ACTOR.id),
            params={"method": "recovery_code"},
        )
        store.arm(fault, at)
        return outcome(lambda: here.gate.factors.new_recovery_codes(CONTEXT))
    totp = next(factor.id for factor in here.gate.factors.list(CONTEXT) if factor.method == "totp")
    here.prove(REMOVE, CONTEXT, "totp", code(secret, here.now), resource=Resource("factor", totp))
    store.arm(fault, at)
    return outcome(lambda: here.gate.factors.remove(CONTEXT, totp))


@pytest.mark.requirement("Y-05")
def test_recording_everything_fails_closed() -> None:
    """``record="all"`` and a store that cannot write: a fresh session does not pass unrecorded."""
    store = Faulty()
    here = world(store=store, record="all")
    assert here.allows("note.edit", context(age=60))
    store.arm(FAULTS[0], 0)

    assert isinstance(outcome(lambda: here.gate.require("note.edit", context(age=60))), StoreUnavailable)


# -- the verifier ---------------------------------------------------------------------


def _proof(here: World, **changes: Any) -> Proof:
    return replace(Proof("passkey", here.now, ("hwk",), factor_id="passkey", strength=40), **changes)


JUNK_ANSWERS: dict[str, Callable[[World], object]] = {
    "True": lambda here: True,
    "None": lambda here: None,
    "one": lambda here: 1,
    "text": lambda here: "accepted",
    "the verdict alone": lambda here: Verdict.ACCEPTED,
    "a proof": lambda here: _proof(here),
    "a mapping": lambda here: {"verdict": "accepted"},
    "accepted without proof": lambda here: Checked(Verdict.ACCEPTED),
    "text as verdict": lambda here: Checked("accepted", _proof(here)),  # type: ignore[arg-type]
    "True as verdict": lambda here: Checked(True, _proof(here)),  # type: ignore[arg-type]
    "rejected with proof": lambda here: Checked(Verdict.REJECTED, _proof(here)),
    "replayed with proof": lambda here: Checked(Verdict.REPLAYED, _proof(here)),
    "another method's proof": lambda here: Checked(Verdict.ACCEPTED, _proof(here, method="password")),
    "an older proof": lambda here: Checked(Verdict.ACCEPTED, _proof(here, at=here.now - timedelta(seconds=1))),
    "a later proof": lambda here: Checked(Verdict.ACCEPTED, _proof(here, at=here.now + timedelta(seconds=1))),
    "another factor's proof": lambda here: Checked(Verdict.ACCEPTED, _proof(here, factor_id="password")),
    "nobody's proof": lambda here: Checked(Verdict.ACCEPTED, _proof(here, factor_id=None)),
    "text as proof": lambda here: Checked(Verdict.ACCEPTED, "proof"),  # type: ignore[arg-type]
    "a mapping as proof": lambda here: Checked(Verdict.ACCEPTED, {"method": "passkey"}),  # type: ignore[arg-type]
    "text as strength": lambda here: Checked(Verdict.ACCEPTED, _proof(here, strength="40")),
    "a number as claims": lambda here: Checked(Verdict.ACCEPTED, _proof(here), claims=5),  # type: ignore[arg-type]
    "None among the claims": lambda here: Checked(Verdict.ACCEPTED, _proof(here), claims=(None,)),  # type: ignore[arg-type]
    "a claim twice": lambda here: Checked(Verdict.ACCEPTED, _proof(here), claims=("a", "a")),
    "a foreign claim": lambda here: Checked(Verdict.ACCEPTED, _proof(here), claims=("\u00fc",)),
    "a claim too long": lambda here: Checked(Verdict.ACCEPTED, _proof(here), claims=("x" * 1000,)),
    "text as advance": lambda here: Checked(Verdict.ACCEPTED, _proof(here), advance="moved"),  # type: ignore[arg-type]
    "another method's advance": lambda here: Checked(
        Verdict.ACCEPTED, _proof(here), advance=StoredFactor("t", "totp", {"last_step": 0})
    ),
    "text as material": lambda here: Checked(Verdict.ACCEPTED, _proof(here), material="hash"),  # type: ignore[arg-type]
}


class _Junk(ScriptedVerifier):
    """A passkey verifier that answers what it is told."""

    def __init__(self) -> None:
        super().__init__("passkey", strength=40, answer="touch")
        self.answer: Callable[[], Any] | None = None

    def check(self, state: Any, response: object, context: Any, /) -> Checked:
        found = super().check(state, response, context)
        return found if self.answer is None else self.answer()


@both_faces
@pytest.mark.parametrize("name", JUNK_ANSWERS)
@pytest.mark.requirement("S-05", "S-03")
def test_nothing_but_a_whole_acceptance_is_one(face: str, name: str) -> None:
    """Truthy values, half acceptances and proofs of something else: a refusal, an event, a counted attempt."""
    verifier = _Junk()
    here = world(face=face, verifiers=[verifier], actions=(Action("member.role", "Change role"),))
    challenge = here.start("member.role")
    verifier.answer = lambda: JUNK_ANSWERS[name](here)

    found = here.gate.verify(challenge.id, "passkey", "touch", CONTEXT)
    assert found == Rejected(Code.VERIFICATION_FAILED, 4), name
    assert not here.allows("member.role")
    assert here.gate.grants(CONTEXT) == ()
    assert [event.result for event in here.events() if event.type is EventType.ATTEMPT] == ["refused"]
    verifier.answer = None
    assert here.gate.verify(challenge.id, "passkey", "touch", CONTEXT)


@both_faces
@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("touch was wrong"),
        ValueError(),
        StopIteration(True),
        StepUpError("x"),
        StoreUnavailable("x"),
        KeyError(),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.requirement("S-05", "S-03")
def test_a_verifier_that_raises_has_not_accepted(face: str, error: Exception) -> None:
    """A refusal, a counted attempt, an event that says verifier_error; five of them end the challenge."""
    here = world(face=face)
    here.methods["passkey"].raising = error
    challenge = here.start("member.role")

    for left in (4, 3, 2, 1, 0):
        found = here.gate.verify(challenge.id, "passkey", "touch", CONTEXT)
        assert found == Rejected(Code.VERIFICATION_FAILED, left)
    here.methods["passkey"].raising = None
    assert here.gate.verify(challenge.id, "passkey", "touch", CONTEXT) == Rejected(Code.CHALLENGE_CLOSED)
    assert here.reasons().count("verifier_error") == 5


@pytest.mark.requirement("P-11")
def test_a_proof_is_never_stronger_than_its_factor() -> None:
    """A verifier that claims strength 1000 for a factor of 40 proves 40."""
    verifier = _Junk()
    here = world(verifiers=[verifier], actions=(Action("x", "X"),))
    challenge = here.start("x")
    verifier.answer = lambda: Checked(Verdict.ACCEPTED, _proof(here, strength=1000))

    found = here.gate.verify(challenge.id, "passkey", "touch", CONTEXT)
    assert isinstance(found, Verified)
    assert [proof.strength for proof in found.grant.proofs] == [40]


@both_faces
@pytest.mark.parametrize(
    "answer", [None, True, "prompt", {}, REJECTED, RuntimeError("the code is 123456"), StopIteration()]
)
def test_a_verifier_that_cannot_prepare_changes_nothing(face: str, answer: Any) -> None:
    """``begin`` raises or answers junk: an error for the operator that repeats none of it; the challenge stands."""

    class Bad(ScriptedVerifier):
        def begin(self, challenge: Any, context: Any, /) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

    here = world(face=face, verifiers=[Bad("passkey", strength=40, answer="touch")], actions=(Action("x", "X"),))
    challenge = here.start("x")
    found = outcome(lambda: here.gate.begin(challenge.id, "passkey", CONTEXT))

    assert isinstance(found, ContractBroken)
    assert "123456" not in str(found)
    assert here.gate.verify(challenge.id, "passkey", "touch", CONTEXT)


# -- mail ---------------------------------------------------------------------------------


@both_faces
@pytest.mark.requirement("Y-06", "E-03")
def test_a_failed_send_is_seen_and_can_be_repeated_at_once(face: str) -> None:
    """An error and an event; counters as before; the code nobody got is void; the next send goes out."""
    here = real_world(face)
    challenge = here.start("by.mail")
    here.outbox.fail_next(3)

    for _ in range(3):
        assert isinstance(outcome(lambda: here.gate.begin(challenge.id, "email_code", CONTEXT)), DeliveryFailed)
    found = here.gate.challenge(challenge.id, CONTEXT)
    assert found is not None
    assert (found.sends, dict(found.prepared)) == (0, {})
    assert [event.type for event in here.events()].count(EventType.DELIVERY_FAILED) == 3
    for _ in range(3):
        here.gate.begin(challenge.id, "email_code", CONTEXT)
        here.clock.advance(60)
    assert len(here.outbox.messages) == 3
    assert isinstance(outcome(lambda: here.gate.begin(challenge.id, "email_code", CONTEXT)), StepUpError)
    assert here.gate.verify(challenge.id, "email_code", here.outbox.code(), CONTEXT)


@pytest.mark.requirement("Y-06")
def test_nothing_is_mailed_before_it_is_written() -> None:
    """The write fails: no mail. A mailed code always has its row."""
    store = Faulty()
    here = real_world(store=store)
    challenge = here.start("by.mail")
    for at in (0, 1, 2):
        store.arm(FAULTS[0], at)
        assert isinstance(outcome(lambda: here.gate.begin(challenge.id, "email_code", CONTEXT)), StoreUnavailable)
        assert here.outbox.messages == ()
    store.disarm()
    here.gate.begin(challenge.id, "email_code", CONTEXT)


@both_faces
@pytest.mark.requirement("L-08")
def test_a_notice_that_cannot_be_sent_neither_grants_nor_blocks(face: str) -> None:
    """A recovery code was right: the grant stands, and that nobody was told is recorded."""
    from engine_bench import recovery_codes

    here = real_world(face)
    codes = recovery_codes(here, CONTEXT, enrolled_totp(here, CONTEXT))
    here.outbox.fail_next(1)

    here.prove("member.role", method="recovery_code", answer=codes[0])
    assert EventType.DELIVERY_FAILED in {event.type for event in here.events()}


# -- hooks and clocks ----------------------------------------------------------------------


def _boom(*args: Any) -> Any:
    raise RuntimeError("the hook is broken")


@both_faces
def test_listeners_cannot_undo_or_make_a_decision(face: str) -> None:
    """``on_event`` and ``on_decision`` raise every time: everything goes on as if they were not there."""
    here = world(face=face, on_event=_boom, on_decision=_boom)

    assert not here.allows("org.delete")
    assert here.allows("org.delete", token=here.prove("org.delete").token)
    assert here.allows("note.edit", context(age=5))


def test_a_description_that_fails_stops_the_ceremony() -> None:
    """Nothing is approved unseen: no challenge without the words for it."""
    for describe in (_boom, lambda *_: None, lambda *_: [1], lambda *_: [("a",)], lambda *_: 5):
        here = world(actions=(Action("x", "X", describe=describe),))  # type: ignore[arg-type]
        assert isinstance(outcome(lambda: here.start("x", params={"a": 1})), StepUpError)  # noqa: B023
        assert not here.allows("x", params={"a": 1})


@pytest.mark.requirement("Y-08", "T-04", "C-06")
def test_a_clock_that_jumps_back_revives_nothing() -> None:
    """What had expired stays so: challenge, grant, freshness; and a forward jump only shortens."""
    here = world()
    who = context(age=0)
    challenge = here.start("org.delete")
    token = here.prove("member.role").token
    assert here.allows("note.edit", who)
    start = here.now
    here.clock.advance(timedelta(days=1))
    assert not here.allows("member.role", token=token)

    here.clock.set(start)
    assert not here.allows("member.role", token=token)
    assert not here.allows("member.role")
    assert not here.allows("note.edit", context(age=86400))
    assert here.gate.verify(challenge.id, "passkey", "touch", CONTEXT) == Rejected(Code.CHALLENGE_EXPIRED)
    here.clock.set(start - timedelta(days=30))
    assert not here.allows("member.role", token=token)


@pytest.mark.requirement("Y-08")
def test_a_code_is_not_good_again_after_the_clock_went_back() -> None:
    """The step that was accepted stays the last one, in this process and in another with its own clock."""
    from engine_bench import TOTP_SECRET

    from stepup.verifiers import TOTP

    here = world(verifiers=[TOTP(secret_of=lambda actor: TOTP_SECRET)], actions=(Action("x", "X"),))
    there = world(verifiers=[TOTP(secret_of=lambda actor: TOTP_SECRET)], actions=(Action("x", "X"),), store=here.store)
    used = code(TOTP_SECRET, here.now)
    here.prove("x", method="totp", answer=used)
    there.clock.set(here.now - timedelta(seconds=30))

    for one in (here, there):
        challenge = one.start("x", resource=None)
        for answer in (used, code(TOTP_SECRET, one.now), code(TOTP_SECRET, one.now - timedelta(seconds=30))):
            assert not one.gate.verify(challenge.id, "totp", answer, CONTEXT)


@pytest.mark.parametrize("answer", [None, "now", 0, math.nan, datetime(2026, 6, 11), True])  # noqa: DTZ001
def test_a_clock_that_answers_junk_is_refused(answer: Any) -> None:
    """No time, no decision."""
    here = world()
    token = here.prove("member.role").token
    here.clock._now = answer

    assert isinstance(
        outcome(lambda: here.gate.require("member.role", CONTEXT, resource=ORG, token=token)), StepUpError
    )


def test_a_gate_that_blocks_on_risk_has_an_assessor() -> None:
    """Without one it is not built at all."""
    from stepup import RiskLevel

    blocking = Policy(block_session_risk=frozenset({RiskLevel.UNKNOWN}))
    with pytest.raises(ConfigurationError):
        world(actions=(Action("x", "X", policy=blocking),))
