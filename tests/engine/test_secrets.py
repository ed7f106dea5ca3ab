"""Canaries: every secret of a full run is looked for wherever something can leak; and answers that must not differ.

A secret is a string that would let its finder in: codes, recovery codes, authenticator secrets, passwords, tokens,
session ids, device fingerprints, the gate's own keys.
"""

from __future__ import annotations

import dataclasses
import enum
import logging
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest
from engine_bench import (
    ACTOR,
    OTHER,
    PASSWORD,
    REAL_ACTIONS,
    SECRET,
    World,
    code,
    context,
    enrolled_totp,
    outcome,
    real_world,
    recovery_codes,
    world,
)

from stepup import Code, Context, Denied, MoreNeeded, Rejected, Resource, StepUpError, StepUpRequired, Verified
from stepup.decide.enrol import ADD
from stepup.errors import DeliveryFailed
from stepup.ports import Message

SESSION = "sess_canary_9f4b1c7e"
DEVICE = "fingerprint_canary_77aa31"
WRONG = "a wrong password, still nobody's business"
WHO = context(SESSION, device=DEVICE)
ORG = Resource("organization", "org_7", label="Northstar")


@dataclass
class Run:
    """A full run: what was secret in it, and everything it showed."""

    here: World
    secrets: dict[str, str] = field(default_factory=dict)
    shown: list[object] = field(default_factory=list)
    heard: list[object] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def show(self, *values: Any) -> Any:
        for value in values:
            self.shown.append(value)
            if isinstance(value, StepUpError):
                self.errors.append(value)
        return values[-1]


def _full_run() -> Run:
    heard: list[object] = []
    here = real_world(
        on_event=heard.append, on_decision=lambda decision, who, count: heard.append((decision, who)), record="all"
    )
    run = Run(here, {"gate": SECRET, "session": SESSION, "device": DEVICE, "password": PASSWORD, "wrong": WRONG})
    run.heard = heard
    gate = here.gate
    run.show(here, gate, gate.core, gate.factors, WHO, *here.gate.core.verifiers.values())

    run.show(outcome(lambda: gate.require("org.delete", WHO, resource=ORG, params={"reason": "closing"})))
    run.show(run.shown[-1].decision)  # type: ignore[attr-defined]
    challenge = run.show(here.start("member.role", WHO))
    run.show(gate.verify(challenge.id, "password", WRONG, WHO), gate.verify(challenge.id, "password", PASSWORD, WHO))
    part = here.start("by.both", WHO) if _both(here) else None

    here.prove(ADD, WHO, "password", PASSWORD, resource=Resource("factors", ACTOR.id), params={"method": "totp"})
    made = run.show(gate.factors.enrol_totp(WHO, label="Phone"))
    run.secrets["abandoned secret"] = made.secret
    secret = run.secrets["totp secret"] = enrolled_totp(here, WHO)
    assert part is None
    part = run.show(here.start("by.both", WHO))
    half = run.show(gate.verify(part.id, "password", PASSWORD, WHO))
    assert isinstance(half, MoreNeeded)

    for number, one in enumerate(recovery_codes(here, WHO, secret)):
        run.secrets[f"recovery code {number}"] = one
        run.secrets[f"recovery code {number}, plain"] = one.replace("-", "")
    mailed = here.start("by.mail", WHO)
    run.show(gate.begin(mailed.id, "email_code", WHO))
    run.secrets["mailed code"] = here.outbox.code()
    run.show(here.outbox, *here.outbox.messages, gate.verify(mailed.id, "email_code", here.outbox.code(), WHO))
    here.clock.advance(61)
    mailed = here.start("by.mail", WHO)
    here.outbox.fail_next()
    run.show(outcome(lambda: gate.begin(mailed.id, "email_code", WHO)))
    run.show(gate.begin(mailed.id, "email_code", WHO))
    run.secrets["unused mailed code"] = here.outbox.code()
    here.prove("member.role", WHO, "recovery_code", run.secrets["recovery code 0"])
    here.clock.advance(60)
    run.secrets["totp code"] = code(secret, here.now)
    done = run.show(here.prove("org.delete", WHO, "totp", run.secrets["totp code"]))
    run.secrets["token"] = done.token
    run.secrets["token's mac"] = done.token.rpartition(".")[2]
    run.show(gate.check("org.delete", WHO, resource=ORG, token=done.token))
    run.show(gate.require("org.delete", WHO, resource=ORG, token=done.token))
    for bad in (done.token, done.token[:-1], ""):
        run.show(outcome(lambda bad=bad: gate.require("org.delete", WHO, resource=ORG, token=bad)))
    run.show(outcome(lambda: gate.verify("nonsense", "password", PASSWORD, WHO)))
    run.show(*gate.grants(WHO), *gate.factors.list(WHO), gate.challenge(part.id, WHO))
    run.show(outcome(lambda: gate.factors.remove(WHO, gate.factors.list(WHO)[0].id)))
    for junk in (PASSWORD, {"password": PASSWORD}, [PASSWORD], PASSWORD.encode()):
        run.show(outcome(lambda junk=junk: gate.start("org.delete", WHO, resource=junk)))
        run.show(outcome(lambda junk=junk: gate.require("org.delete", WHO, request_id=junk)))
        run.show(outcome(lambda junk=junk: gate.revoke(WHO, session=junk)))
    gate.rotated(WHO, "sess_canary_rotated_51")
    run.secrets["rotated session"] = "sess_canary_rotated_51"
    return run


def _both(here: World) -> bool:
    return any(factor.method == "totp" for factor in here.gate.factors.list(WHO))


def _texts(value: object, depth: int = 0) -> Iterator[str]:
    """Every string in *value*, fields that its repr hides included."""
    if depth > 12 or value is None or isinstance(value, bool | int | float | datetime | enum.Enum):
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield value.decode("latin-1")
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _texts(key, depth + 1)
            yield from _texts(one, depth + 1)
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from _texts(one, depth + 1)
    elif dataclasses.is_dataclass(value):
        for one in dataclasses.fields(value):
            yield from _texts(getattr(value, one.name), depth + 1)
    else:
        yield repr(value)


def _leaks(run: Run, texts: Iterator[str], *, but: frozenset[str] = frozenset()) -> list[tuple[str, str]]:
    found = []
    for text in texts:
        for name, secret in run.secrets.items():
            if name not in but and secret in text:
                found.append((name, text[:160]))
    return found


CODES = frozenset({"mailed code", "unused mailed code", "totp code"})
"""Six digits can stand by chance in any hex id or number: they are looked for as a word of their own."""


def _words(run: Run, texts: Iterator[str]) -> list[tuple[str, str]]:
    import re

    found = []
    for text in texts:
        words = set(re.findall(r"(?<![0-9a-zA-Z_.])[0-9]{6}(?![0-9a-zA-Z_.])", text))
        found += [(name, text[:160]) for name in CODES & run.secrets.keys() if run.secrets[name] in words]
    return found


@pytest.fixture(scope="module")
def run() -> Run:
    """One full run for the tests that only look."""
    logger = logging.getLogger("stepup")
    kept: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = kept.append  # type: ignore[method-assign,assignment]
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        made = _full_run()
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    made.show(*[(record.getMessage(), record.args, record.exc_text) for record in kept])
    return made


@pytest.mark.requirement("D-03", "Z-08")
def test_no_event_holds_a_secret(run: Run) -> None:
    """Every field of every stored event, and of everything the hooks were told."""
    events = run.here.events()
    assert len(events) > 20
    assert len(run.heard) > len(events)

    found = _leaks(run, _texts(events), but=CODES) + _words(run, _texts(events))
    assert found == []
    told = [one for one in run.heard if not isinstance(one, tuple)]
    assert _leaks(run, _texts(told), but=CODES) == []
    assert _leaks(run, (repr(one) for one in run.heard), but=CODES) == []


@pytest.mark.requirement("D-03", "Z-08", "E-03", "W-04", "S-06", "L-01", "Z-13")
def test_no_stored_record_holds_a_secret(run: Run) -> None:
    """Every field of every record in the store, hidden ones included: hashes, digests and sealed values only."""
    records = [record for part in run.here.store.inner._records._parts.values() for record in part.values()]
    kinds = {record.key.kind for record in records}
    assert {"challenge", "factor", "grant", "claim", "shelf", "throttle", "roster", "epoch"} <= kinds

    assert _leaks(run, _texts(records), but=CODES) == []
    assert _words(run, _texts(records)) == []
    batches = list(run.here.store.batches)
    assert _leaks(run, _texts(batches), but=CODES) == []
    assert _words(run, _texts(batches)) == []


@pytest.mark.requirement("Z-08", "D-03", "S-06")
def test_no_repr_shows_a_secret(run: Run) -> None:
    """Of any object the library hands out, and of the gate itself."""
    assert len(run.shown) > 40
    texts = [repr(one) for one in run.shown] + [str(one) for one in run.shown] + [f"{run.shown!r}"]

    assert _leaks(run, iter(texts), but=CODES) == []
    assert _words(run, iter(texts)) == []


@pytest.mark.requirement("Z-08", "D-03")
def test_no_error_tells_a_secret(run: Run) -> None:
    """Neither its text, its arguments, its traceback, nor what it was raised from."""
    assert len(run.errors) > 5
    texts: list[str] = []
    for error in run.errors:
        texts += traceback.format_exception(error)
        link: BaseException | None = error
        while link is not None:
            texts += [str(link), repr(link.args), repr(vars(link))]
            link = link.__cause__ or link.__context__
    assert _leaks(run, iter(texts), but=CODES) == []
    assert _words(run, iter(texts)) == []


@pytest.mark.requirement("Z-08", "D-07")
def test_no_decision_tells_a_secret(run: Run) -> None:
    """Neither in full nor in what the client may see; and the client never sees why a token was refused."""
    refused = [one.decision for one in run.errors if isinstance(one, Denied | StepUpRequired)]
    assert {Code.GRANT_INVALID, Code.VERIFICATION_REQUIRED} <= {decision.code for decision in refused}
    for decision in refused:
        assert _leaks(run, _texts([decision.public(), decision.explain()]), but=CODES) == []
        if decision.code is Code.GRANT_INVALID:
            assert decision.public()["reasons"] == []


@pytest.mark.requirement("Z-10")
def test_no_subject_holds_a_code(run: Run) -> None:
    """A locked screen shows the subject."""
    subjects = [message.subject for message in run.here.outbox.messages]
    assert len(subjects) >= 3
    assert _leaks(run, iter(subjects)) == []


@pytest.mark.requirement("Z-08")
def test_a_mailer_that_quotes_the_message_in_its_error_leaks_nothing() -> None:
    """The mail system's own error holds the mail; ours holds neither its text nor the code, log included."""

    class Quoting:
        def __init__(self) -> None:
            self.bodies: list[str] = []

        def send(self, message: Message) -> None:
            self.bodies.append(message.text)
            raise OSError(f"550 rejected: {message.text}")

    from stepup.verifiers import EmailCode

    mailer = Quoting()
    here = world(verifiers=[EmailCode(mailer)], actions=(REAL_ACTIONS[4],))
    challenge = here.start("by.mail", WHO)
    found = outcome(lambda: here.gate.begin(challenge.id, "email_code", WHO))
    assert isinstance(found, DeliveryFailed)
    text = "".join(traceback.format_exception(found))
    assert mailer.bodies
    assert "550" not in text
    assert mailer.bodies[0] not in text


@pytest.mark.requirement("W-04")
def test_the_password_is_not_kept_between_the_steps(run: Run) -> None:
    """After a right password and a wrong second factor, nothing in the store or on the challenge holds it."""
    here = run.here
    part = here.start("by.both", context(SESSION + "_2"), resource=Resource("organization", "between"))
    who = context(SESSION + "_2")
    assert isinstance(here.gate.verify(part.id, "password", PASSWORD, who), MoreNeeded)
    assert isinstance(here.gate.verify(part.id, "totp", "000000", who), Rejected)
    records = [record for parts in here.store.inner._records._parts.values() for record in parts.values()]

    assert not [text for text in _texts(records) if PASSWORD in text]
    assert PASSWORD not in repr(here.gate.challenge(part.id, who))


# -- answers that must not differ ---------------------------------------------------------------


def _seen(call: Any) -> object:
    """What the outside sees of an answer."""
    found = outcome(call)
    if isinstance(found, Denied | StepUpRequired):
        return (type(found), str(found), found.decision.public(), found.retry_at, found.methods)
    return found


@pytest.mark.requirement("Z-02", "D-07")
def test_an_unknown_challenge_and_somebody_elses_are_the_same_answer() -> None:
    """To begin, verify, cancel and look; for another person, tenant, session, device, organization."""
    here = world()
    mine = here.start("org.delete", WHO)
    unknown = "stepup_" + "0" * 32
    for who in (
        context(SESSION, actor=OTHER, device=DEVICE),
        context(SESSION, actor=replace(ACTOR, tenant="acme"), device=DEVICE),
        context("another session", device=DEVICE),
        context(SESSION, device="another device"),
        context(SESSION, device=DEVICE, organization="org_8"),
    ):
        for method in ("passkey", "password", "unheard_of"):
            for answer in ("touch", "wrong"):
                pair = [_seen(lambda id_=id_: here.gate.verify(id_, method, answer, who)) for id_ in (mine.id, unknown)]  # noqa: B023
                assert pair[0] == pair[1] == Rejected(Code.CHALLENGE_NOT_FOUND)
            if method == "unheard_of":
                continue  # a test of its own
            pair = [_seen(lambda id_=id_: here.gate.begin(id_, method, who)) for id_ in (mine.id, unknown)]  # noqa: B023
            assert pair[0] == pair[1]
        assert here.gate.cancel(mine.id, who) is here.gate.cancel(unknown, who) is False
        assert here.gate.challenge(mine.id, who) is here.gate.challenge(unknown, who) is None
    assert here.methods["passkey"].calls == here.methods["password"].calls == 0
    assert isinstance(here.gate.verify(mine.id, "passkey", "touch", WHO), Verified)


@pytest.mark.requirement("Z-02")
def test_an_unknown_method_does_not_tell_whose_challenge_it_is() -> None:
    """Asked to begin something unheard of, another session's challenge answers like one that is not there."""
    here = world()
    mine = here.start("org.delete", WHO)
    who = context("another session", device=DEVICE)

    pair = [_seen(lambda id_=id_: here.gate.begin(id_, "unheard_of", who)) for id_ in (mine.id, "stepup_0")]
    assert pair[0] == pair[1]


@pytest.mark.requirement("Z-03", "R-06")
def test_right_and_wrong_are_the_same_answer_while_locked() -> None:
    """Same value, no verifier call, and the lock does not grow."""
    here = world(actions=(_by_key(),))
    challenges = []
    for n in range(10):
        challenges.append(here.start("k", WHO, resource=Resource("r", str(n))))
        here.gate.verify(challenges[-1].id, "passkey", "wrong", WHO)
        here.clock.advance(121 if n < 9 else 0)
    waiting = context(SESSION, device=DEVICE)
    still_open = challenges[-1]
    calls = here.methods["passkey"].calls
    answers = [
        here.gate.verify(still_open.id, "passkey", answer, waiting) for answer in ("touch", "wrong", None, "x" * 9)
    ]

    assert all(answer == answers[0] for answer in answers)
    assert isinstance(answers[0], Rejected)
    assert answers[0].code is Code.LOCKED_OUT
    assert here.methods["passkey"].calls == calls
    assert answers[0].retry_at is not None
    here.clock.set(answers[0].retry_at)
    fresh = here.start("k", waiting)
    assert here.gate.verify(fresh.id, "passkey", "touch", waiting)


def _by_key() -> Any:
    from stepup import Action

    return Action("k", "K", methods="passkey")


@pytest.mark.requirement("Z-02", "G-05")
def test_every_refused_token_is_the_same_answer() -> None:
    """Forged, cut, expired, spent, revoked, of another session, action, resource: one outward answer."""
    here = world()
    spent, revoked, expired = (here.prove("org.delete", WHO) for _ in range(3))
    other = here.prove("member.role", WHO)
    elsewhere = here.prove("org.delete", context("another session", device=DEVICE))
    assert here.allows("org.delete", WHO, spent.token)
    here.gate.revoke(WHO, grant=revoked.grant.id)

    def seen(token: str, who: Context = WHO) -> object:
        found = outcome(lambda: here.gate.require("org.delete", who, resource=ORG, token=token))
        assert isinstance(found, StepUpRequired)
        return (str(found), found.decision.public(), found.methods)

    answers = [
        seen(token)
        for token in (spent.token, revoked.token, other.token, elsewhere.token, expired.token[:-1], "x.y.z", "")
    ]
    here.clock.advance(120)
    answers.append(seen(expired.token))
    assert all(answer == answers[0] for answer in answers)
    assert "spent" in here.reasons()


def test_the_audit_tells_spent_from_revoked() -> None:
    """What the outside must not tell apart, the audit must."""
    here = world()
    done = here.prove("org.delete", WHO)
    here.gate.revoke(WHO, grant=done.grant.id)

    assert not here.allows("org.delete", WHO, done.token)
    assert here.reasons()[-1] == "revoked"
