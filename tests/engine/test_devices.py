"""Remembered devices: what they lengthen and what they never replace, how their tokens turn, and what ends them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from engine_bench import (
    ACTOR,
    CONTEXT,
    ORG,
    OTHER,
    OTHER_SECRET,
    PASSWORD,
    SECRET,
    Counting,
    World,
    both_faces,
    context,
    enrolled_totp,
    outcome,
    real_world,
    recovery_codes,
    world,
)

from stepup import (
    Action,
    Code,
    Context,
    Denied,
    KeyRing,
    Limits,
    MoreNeeded,
    Policy,
    Resource,
    RiskAssessment,
    RiskLevel,
    StepUpRequired,
    Verified,
    all_of,
)
from stepup.changes import DEVICES, Applied, Changes, Key, Lost, Partition, Record
from stepup.codec import encode, encode_event
from stepup.decide.device import MANAGE
from stepup.decide.enrol import ADD, REMOVE
from stepup.device import DeviceSet
from stepup.errors import InvalidInput
from stepup.event import EventType

pytestmark = both_faces
DAY = 86400


def remembered(here: World, who: Context = CONTEXT, **call: Any) -> str:
    """The token of a device that has just been remembered."""
    token = here.prove("member.role", who, remember=True, **call).device_token
    assert token is not None
    return token


def away(here: World, token: str | None, age: float = 3600, session: str = "sess_2", **more: Any) -> Context:
    """A request in another session of the same browser, which was signed in to *age* seconds ago."""
    return context(session, at=here.now, age=age, device_token=token, **more)


def calls(here: World, action: str, who: Context, token: str | None = None) -> Sequence[str]:
    return here.store.during(lambda: here.allows(action, who, token))


def no_risk(*_: object) -> RiskAssessment:
    return RiskAssessment()


def known(here: World, token: str | None, **more: Any) -> bool:
    return here.gate.devices.recognise(away(here, token, **more)) is not None


def ended_by(here: World) -> list[str | None]:
    """Why devices have ended, oldest first."""
    return [one.reason for one in here.events() if one.type is EventType.DEVICE_REVOKED]


# -- what it lengthens ---------------------------------------------------------------------


def test_a_remembered_device_lengthens_the_window_at_levels_1_and_2(face: str) -> None:
    """Twelve hours instead of thirty minutes, and thirty minutes instead of five; not a second more."""
    here = world(face=face)
    token = remembered(here)

    for action, plain, trusted in (("note.edit", 1800, 43200), ("member.remove", 300, 1800)):
        assert here.allows(action, away(here, None, plain - 1))
        assert not here.allows(action, away(here, None, plain))
        assert here.allows(action, away(here, token, trusted - 1))
        assert not here.allows(action, away(here, token, trusted))


@pytest.mark.requirement("V-01")
def test_it_lengthens_nothing_else(face: str) -> None:
    """No other level, whatever its policy says; no other method; no session of which no sign-in is known."""
    actions = (
        Action("high", "High", risk=3, policy=Policy(session_window=60, session_window_trusted=3600, methods="any")),
        Action("low", "Low", risk=1, policy=Policy(session_window=60, session_window_trusted=3600, methods="passkey")),
        Action("capped", "Capped", risk=1, policy=Policy(session_window_trusted=3600, methods="any", max_age=600)),
        Action("member.role", "Change role", risk=3),
    )
    here = world(face=face, actions=actions)
    token = remembered(here)

    for action in ("high", "low", "member.role"):
        assert not here.allows(action, away(here, token, 120)), action
    assert here.allows("capped", away(here, token, 599))
    assert not here.allows("capped", away(here, token, 601))
    nobody = context("sess_2", age=None, device_token=token)
    assert not here.allows("capped", nobody)


@pytest.mark.requirement("V-01")
def test_it_replaces_no_proof(face: str) -> None:
    """It answers no challenge, adds no method, and blocks nothing less: session risk is session risk."""
    blocking = Policy(
        session_window=60, session_window_trusted=3600, methods="any", block_session_risk=["high", "unknown"]
    )
    here = world(face=face, actions=(Action("member.role", "Change", risk=3), Action("low", "Low", policy=blocking)),
                 risk=no_risk)  # fmt: skip
    token = remembered(here)
    who = away(here, token)
    challenge = here.start("member.role", who)

    assert not here.gate.verify(challenge.id, "device", token, who)
    assert not here.gate.verify(challenge.id, "passkey", token, who)
    suspect = away(here, token, 120, risk=RiskAssessment(90, RiskLevel.HIGH))
    assert not here.allows("low", suspect)
    assert here.gate.check("low", suspect).code == "action_blocked"


def test_it_costs_a_look_only_where_it_matters(face: str) -> None:
    """A fresh session asks nothing; where the device decides, one read; a token that is none of ours adds nothing."""
    here = world(face=face)
    here.start("batch.run")
    token = remembered(here)

    assert calls(here, "note.edit", away(here, token, 60)) == []
    assert calls(here, "note.edit", away(here, token)) == ["load"]
    assert calls(here, "note.edit", away(here, None)) == ["load"]
    assert calls(here, "org.delete", away(here, token)) == ["load"]
    single = here.prove("org.delete", away(here, None)).token
    assert calls(here, "org.delete", away(here, token), single) == ["apply"]
    many = here.prove("note.edit", away(here, None, DAY)).token
    assert calls(here, "note.edit", away(here, "junk"), many) == ["load"]
    assert calls(here, "note.edit", away(here, token), many) == ["load"]
    assert calls(here, "note.edit", away(here, token, DAY), many) == ["load"]
    assert calls(here, "note.edit", away(here, token, device="fp_2"), many) == ["load"]


def test_starting_and_answering_cost_what_they_did(face: str) -> None:
    """Its record is read and written in the calls that are made anyway."""
    here = world(face=face)
    who = away(here, remembered(here))

    assert here.store.during(lambda: here.start("org.delete", who)) == ["load", "apply"]
    challenge = here.start("org.delete", who)
    answered = here.store.during(lambda: here.gate.verify(challenge.id, "passkey", "touch", who, remember=True))
    assert answered == ["load", "apply", "load", "apply"]


def test_a_presented_grant_is_still_good_where_the_device_is_not(face: str) -> None:
    """A token of a device that has ended takes nothing away from a grant."""
    here = world(face=face)
    token = remembered(here)
    here.clock.advance(31 * DAY)
    who = away(here, token)
    made = here.prove("note.edit", away(here, None, DAY)).token

    assert here.allows("note.edit", who, made)


# -- when it is remembered -----------------------------------------------------------------


def test_only_a_finished_step_up_that_was_asked_to_remembers(face: str) -> None:
    """Not unasked, not half-way, not where policy says no, and not by anything but True."""
    here = world(face=face, actions=(*ACTIONS_HERE, Action("never", "Never", policy=Policy(remember=False))))

    assert here.prove("member.role").device_token is None
    assert here.prove("member.role", remember=1).device_token is None
    assert here.prove("never", remember=True).device_token is None
    challenge = here.start("key.rotate")
    half = here.gate.verify(challenge.id, "password", "pw", CONTEXT, remember=True)
    assert isinstance(half, MoreNeeded)
    assert EventType.DEVICE_REMEMBERED not in [one.type for one in here.events()]
    done = here.gate.verify(challenge.id, "passkey", "touch", CONTEXT, remember=True)
    assert isinstance(done, Verified)
    assert done.device_token is not None
    assert [one.type for one in here.events()][-1] is EventType.DEVICE_REMEMBERED


ACTIONS_HERE = (
    Action("member.role", "Change role", risk=3),
    Action("key.rotate", "Rotate key", policy=Policy(methods=all_of("password", "passkey"))),
)
"""With one that asks for two methods, below."""


@pytest.mark.requirement("P-15")
def test_a_recovery_code_is_no_proof_to_remember_a_device_by(face: str) -> None:
    """Whoever has lost a factor proves themselves again next time."""
    here = real_world(face)
    codes = recovery_codes(here, CONTEXT, enrolled_totp(here, CONTEXT))

    assert here.prove("member.role", CONTEXT, "recovery_code", codes[0], remember=True).device_token is None


def test_what_would_forget_it_at_once_does_not_offer_it(face: str) -> None:
    """Adding or removing a factor ends every remembered device, so its step-up remembers none."""
    here = world(face=face)
    for action, resource in ((ADD, Resource("factors", ACTOR.id)), (REMOVE, Resource("factor", "totp_1"))):
        assert here.prove(action, remember=True, resource=resource).device_token is None


def test_it_is_remembered_for_thirty_days(face: str) -> None:
    """Turning its token does not make it longer; asking again does."""
    here = world(face=face)
    done = here.prove("member.role", remember=True)
    assert done.device_expires_at is not None
    assert (done.device_expires_at - here.now).days == 30
    token = done.device_token
    here.clock.advance(20 * DAY)
    token = here.prove("member.role", away(here, token)).device_token
    here.clock.advance(10 * DAY - 1)
    assert known(here, token)
    here.clock.advance(1)
    assert not known(here, token)

    token = remembered(here)
    here.clock.advance(20 * DAY)
    token = remembered(here, away(here, token))
    here.clock.advance(20 * DAY)
    assert known(here, token)


def test_a_person_has_so_many_devices(face: str) -> None:
    """The one used longest ago makes room."""
    here = world(face=face, limits=Limits(trusted_devices=2, trusted_device_ttl=DAY))
    first = remembered(here, context(device="fp_1"))
    here.clock.advance(100)
    second = remembered(here, context(device="fp_2"))
    here.clock.advance(100)
    first = here.prove("member.role", context(device="fp_1", device_token=first)).device_token or ""
    here.clock.advance(100)
    third = remembered(here, context(device="fp_3"))

    assert [known(here, token, device=f"fp_{n}") for n, token in enumerate((first, second, third), 1)] == [
        True,
        False,
        True,
    ]
    assert ended_by(here) == []


@pytest.mark.requirement("V-02")
def test_each_device_has_one_token_of_its_own(face: str) -> None:
    """Two devices, two secrets; the same device remembered again is the same one, with another token."""
    here = world(face=face)
    laptop, phone = remembered(here, context(device="laptop")), remembered(here, context(device="phone"))
    assert laptop != phone
    again = remembered(here, context(device="laptop"))

    fresh = context(at=here.now, age=5, device="laptop", device_token=again)
    listed = here.gate.devices.list(fresh)
    assert [one.current for one in sorted(listed, key=lambda one: not one.current)] == [True, False]
    assert known(here, phone, device="phone")
    assert here.gate.devices.revoke(fresh, next(one.id for one in listed if not one.current))
    assert not known(here, phone, device="phone")
    assert known(here, again, device="laptop")


def test_without_a_fingerprint_it_is_bound_to_the_person_alone(face: str) -> None:
    """A client that has none can be remembered too; one that was remembered with one needs it."""
    here = world(face=face)
    token = remembered(here, context(device=None))
    bound = remembered(here)

    assert known(here, token, device=None)
    assert here.allows("note.edit", away(here, token, device=None))
    assert not known(here, bound, device=None)
    other = remembered(here, context(device=None))
    assert known(here, token, device=None)
    assert known(here, other, device=None)


# -- whose it is ---------------------------------------------------------------------------


@pytest.mark.requirement("V-04")
def test_it_is_one_persons_on_one_device_at_one_gate(face: str) -> None:
    """Presented by anybody else, elsewhere, or to a gate with another secret or name, it is nothing; and no alarm."""
    here = world(face=face)
    token = remembered(here)
    remembered(here, context(actor=OTHER))
    strangers = [world(face=face, store=here.store, secret=OTHER_SECRET), world(face=face, store=here.store,
                                                                               namespace="other")]  # fmt: skip

    for who in (away(here, token, actor=OTHER), away(here, token, device="fp_2")):
        assert here.gate.devices.recognise(who) is None
        assert not here.allows("note.edit", who)
    for gate in strangers:
        assert not known(gate, token)
    head, body, mac = token.split(".")
    for forged in (f"{head}.{body[:-2]}AA.{mac}", token[:-1], "", "x", f"{head}.{mac}.{body}"):
        assert not known(here, forged)
    for grant in (here.prove("note.edit").token, here.gate.check("org.delete", CONTEXT, resource=ORG).offer):
        assert not known(here, grant)
    assert known(here, token)
    assert ended_by(here) == []


@pytest.mark.requirement("V-04")
def test_what_is_stored_is_of_no_use(face: str) -> None:
    """Neither records, nor events, nor reprs hold the token or its secret."""
    here = world(face=face)
    done = here.prove("member.role", remember=True)
    token = done.device_token
    assert token is not None
    claims = here.gate.core.trust._tokens.read(token)  # pyright: ignore[reportPrivateUsage]
    assert claims is not None
    secret = str(claims["key"])
    assert len(secret) >= 43
    stored = [encode(record.value) for batch in here.store.batches for record in batch.puts]
    told = [encode_event(one) for one in here.events()]
    shown = [repr(done), repr(away(here, token)), repr(here.gate.core.trust), *map(repr, here.store.batches)]

    for text in (*stored, *told, *shown):
        assert secret not in text
        assert token not in text


def test_a_token_of_another_shape_is_none(face: str) -> None:
    """Signed by us, and yet not what we write today."""
    here = world(face=face)
    remembered(here)
    sign = here.gate.core.trust._tokens.sign  # pyright: ignore[reportPrivateUsage]
    for claims in ({}, {"iss": "stepup"}, {"iss": "stepup", "jti": 1, "n": 1, "key": "x"},
                   {"iss": "stepup", "jti": "x", "n": True, "key": "x"},
                   {"iss": "stepup", "jti": "x", "n": 1, "key": None}):  # fmt: skip
        assert here.store.during(lambda: here.gate.devices.recognise(away(here, sign(claims)))) == []  # noqa: B023
    with pytest.raises(InvalidInput):
        context(device_token=1)  # type: ignore[arg-type]


def test_keys_can_be_turned_without_an_alarm(face: str) -> None:
    """With the old key behind the new one it stays known; without it, it is nobody's, and nothing is revoked."""
    here = world(face=face)
    token = remembered(here)
    turned = world(face=face, store=here.store, clock=here.clock, secret=KeyRing(OTHER_SECRET, SECRET))
    assert known(turned, token)
    newer = turned.prove("member.role", away(turned, token)).device_token
    dropped = world(face=face, store=here.store, clock=here.clock, secret=OTHER_SECRET)

    here.clock.advance(120)
    assert dropped.gate.core.trust.read(newer) is not None
    assert not known(dropped, newer)
    assert ended_by(here) == []


# -- its token turns -----------------------------------------------------------------------


@pytest.mark.requirement("V-02")
def test_its_token_turns_at_each_step_up(face: str) -> None:
    """Unasked, and whatever was proved; looking and passing by turn nothing."""
    here = world(face=face)
    tokens = [remembered(here)]
    for action in ("org.delete", "note.edit", "member.role"):
        here.clock.advance(300)
        assert known(here, tokens[-1])
        assert here.allows("note.edit", away(here, tokens[-1]))
        done = here.prove(action, away(here, tokens[-1], DAY))
        assert done.device_token not in (None, *tokens)
        tokens.append(done.device_token or "")

    assert known(here, tokens[-1])
    assert ended_by(here) == []


@pytest.mark.requirement("V-02")
def test_the_one_before_it_is_good_for_a_minute(face: str) -> None:
    """Two tabs prove something one after the other with the same token: both are served, and one cookie is left."""
    here = world(face=face)
    token = remembered(here)
    here.clock.advance(300)
    first = here.prove("member.role", away(here, token))
    here.clock.advance(59)
    second = here.prove("member.remove", away(here, token), remember=True)

    assert second.device_token is None
    assert here.allows("note.edit", away(here, token))
    assert here.allows("note.edit", away(here, first.device_token))
    assert ended_by(here) == []


@pytest.mark.requirement("V-02", "V-03")
@pytest.mark.parametrize("by", ["recognise", "require", "with a grant", "start", "verify"])
def test_an_older_token_ends_the_device(face: str, by: str) -> None:
    """A minute later it is a copy: the device is believed no more, whichever token it comes with, and it is told."""
    here = world(face=face)
    old = remembered(here)
    here.clock.advance(300)
    new = here.prove("member.role", away(here, old)).device_token
    who, granted = away(here, old, session="sess_3"), away(here, old, session="sess_4")
    many = here.prove("note.edit", away(here, None, DAY, "sess_4")).token
    challenge = here.start("org.delete", who)
    assert not ended_by(here)
    here.clock.advance(60)
    assert known(here, new)
    assert not here.gate.check("note.edit", who, resource=ORG).allowed
    assert known(here, new), "check() writes nothing"

    if by == "recognise":
        assert here.gate.devices.recognise(who) is None
    elif by == "require":
        assert not here.allows("note.edit", who)
    elif by == "with a grant":
        assert here.allows("note.edit", granted, many)
    elif by == "start":
        here.start("member.role", who)
    else:
        assert here.gate.verify(challenge.id, "passkey", "wrong", who) is not None

    assert not known(here, new)
    assert not here.allows("note.edit", away(here, new, session="sess_3"))
    assert ended_by(here) == ["token_reused"]
    (told,) = (one for one in here.events() if one.reason == "token_reused")
    assert (told.result, told.ip, told.actor) == ("refused", who.ip, ACTOR.id)
    for token in (old, new):
        assert not known(here, token)
    assert ended_by(here) == ["token_reused"]


def test_a_third_token_before_last_is_older_at_once(face: str) -> None:
    """The minute is for the predecessor alone."""
    here = world(face=face)
    tokens = [remembered(here)]
    for _ in range(2):
        tokens.append(here.prove("member.role", away(here, tokens[-1])).device_token or "")

    assert known(here, tokens[1])
    assert not known(here, tokens[0])
    assert not known(here, tokens[2])


def test_a_device_that_was_found_out_can_be_remembered_anew(face: str) -> None:
    """It starts over, as another device."""
    here = world(face=face)
    old = remembered(here)
    here.clock.advance(300)
    here.prove("member.role", away(here, old))
    here.clock.advance(61)
    token = remembered(here, away(here, old))

    assert ended_by(here) == ["token_reused"]
    assert known(here, token)


class _Late(Counting):
    """Lets something happen before the next load of devices, or before or after the next write."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[Any] = []
        self.after: list[Any] = []
        self.writing: list[Any] = []

    def load(self, partition: Partition, keys: Sequence[Key]) -> Sequence[Record | None]:
        if self.before and DEVICES in keys:
            self.before.pop()()
        return super().load(partition, keys)

    def apply(self, partition: Partition, changes: Changes) -> Applied | Lost:
        if self.writing:
            self.writing.pop()()
        answer = super().apply(partition, changes)
        if self.after:
            self.after.pop()()
        return answer


@pytest.mark.parametrize("wanted", [True, False])
def test_one_that_grows_old_while_it_is_proved_is_found_out(face: str, wanted: bool) -> None:
    """The minute runs out between the question and the answer: the minting batch itself ends the device."""
    store = _Late()
    here = world(face=face, store=store)
    old = remembered(here)
    here.clock.advance(300)
    new = here.prove("member.role", away(here, old)).device_token
    challenge = here.start("member.remove", away(here, old))
    store.after = [lambda: here.clock.advance(61)]
    done = here.gate.verify(challenge.id, "passkey", "touch", away(here, old), remember=wanted)

    assert ended_by(here) == ["token_reused"]
    assert isinstance(done, Verified)
    assert (done.device_token is not None) is wanted
    assert not known(here, new)


# -- what ends it --------------------------------------------------------------------------

ENDINGS: dict[str, Callable[[World, Context], object]] = {
    "everything": lambda here, who: here.gate.revoke(who, everything=True),
    "forget": lambda here, who: here.gate.forget(ACTOR),
    "password_changed": lambda here, who: here.gate.signal(who, "password_changed"),
    "factor_changed": lambda here, who: here.gate.signal(ACTOR, "factor_changed"),
    "risk_raised": lambda here, who: here.gate.signal(ACTOR, "risk_raised"),
    "disabled": lambda here, who: here.gate.signal(ACTOR, "disabled"),
    "one": lambda here, who: here.gate.devices.revoke(who, here.gate.devices.list(who)[0].id),
    "all": lambda here, who: here.gate.devices.revoke_all(who),
}


@pytest.mark.requirement("V-02", "V-03", "P-15")
@pytest.mark.parametrize("ending", ENDINGS)
def test_an_ending_ends_it_at_once(face: str, ending: str) -> None:
    """And for good: what comes after does not bring it back."""
    here = world(face=face)
    token = remembered(here)
    fresh = context(at=here.now, age=5, device_token=token)
    assert here.allows("note.edit", away(here, token))

    ENDINGS[ending](here, fresh)

    assert not known(here, token)
    assert not here.allows("note.edit", away(here, token))
    here.gate.enable(ACTOR)
    remembered(here, context("sess_3"))
    assert not known(here, token)


@pytest.mark.requirement("V-02")
def test_changing_a_factor_ends_it(face: str) -> None:
    """Enrolling one, removing one, and a password changed under a step-up."""
    here = real_world(face)
    from stepup import Resource
    from stepup.decide.enrol import REMOVE

    def again(who: Context = CONTEXT, method: str = "password", answer: object = PASSWORD) -> str:
        return remembered(here, who, method=method, answer=answer)

    token = again()
    secret = enrolled_totp(here, CONTEXT)
    assert not known(here, token)
    from engine_bench import code

    token = again(CONTEXT, "totp", code(secret, here.now))
    here.clock.advance(60)
    here.prove("by.any", CONTEXT, "totp", code(secret, here.now), resource=None)
    authorization = here.gate.require("by.any", CONTEXT)
    here.gate.factors.changed(CONTEXT, "password", authorization)
    assert not known(here, token)
    here.clock.advance(60)
    token = again(CONTEXT, "totp", code(secret, here.now))
    here.clock.advance(60)
    (factor,) = [one for one in here.gate.factors.list(CONTEXT) if one.method == "totp"]
    here.prove(REMOVE, CONTEXT, "totp", code(secret, here.now), resource=Resource("factor", factor.id))
    assert here.gate.factors.remove(CONTEXT, factor.id)
    assert not known(here, token)


def test_signing_out_and_a_new_session_id_leave_it(face: str) -> None:
    """To be remembered beyond a session is what it is for."""
    here = world(face=face)
    token = remembered(here)
    here.gate.revoke(CONTEXT, session=True)
    here.gate.rotated(context("sess_8"), "sess_9")

    assert known(here, token)


# -- reviewing -----------------------------------------------------------------------------


@pytest.mark.requirement("P-03")
def test_seeing_and_ending_devices_takes_one_fresh_proof(face: str) -> None:
    """One for all of them, for ten minutes; the device to be reviewed does not vouch for itself."""
    here = world(face=face)
    token = remembered(here)
    here.clock.advance(400)
    stale = away(here, token, 301)
    devices = here.gate.devices
    refused = [
        outcome(lambda: devices.rename(stale, "x", "y")),
        outcome(lambda: devices.revoke(stale, "x")),
        outcome(lambda: devices.revoke_all(stale)),
        outcome(lambda: devices.list(stale)),
    ]
    assert all(isinstance(one, StepUpRequired) and one.decision.action == MANAGE for one in refused)
    challenge = here.gate.start_offer(refused[-1].decision.offer, stale)
    done = here.gate.verify(challenge.id, "passkey", "touch", stale)
    assert isinstance(done, Verified)

    stale = away(here, done.device_token, 301)
    (one,) = devices.list(stale)
    assert devices.rename(stale, one.id, "Desk\n")
    assert [(found.label, found.current) for found in devices.list(stale)] == [("Desk\N{REPLACEMENT CHARACTER}", True)]
    assert devices.list(stale)[0].last_used_at == here.now
    assert not devices.rename(stale, "nothing", "Desk")
    assert not devices.revoke(stale, "nothing")
    assert devices.revoke(stale, one.id)
    assert devices.list(stale) == ()
    assert devices.revoke_all(stale) == 0
    assert [one.type for one in here.events() if one.type.value.startswith("device_")] == [
        EventType.DEVICE_REMEMBERED,
        EventType.DEVICE_RENAMED,
        EventType.DEVICE_REVOKED,
    ]


def test_somebody_elses_device_is_none(face: str) -> None:
    """Its id is of no use to anybody else."""
    here = world(face=face)
    token = remembered(here)
    mine = here.gate.devices.recognise(away(here, token))
    assert mine is not None
    other = context(actor=OTHER, age=5)

    assert not here.gate.devices.revoke(other, mine.id)
    assert not here.gate.devices.rename(other, mine.id, "Mine")
    assert here.gate.devices.list(other) == ()
    assert known(here, token)


def test_trust_that_ends_while_it_is_relied_on_refuses(face: str) -> None:
    """A batch that relies on the device checks its record: a revocation in between makes it decide again."""
    store = _Late()
    actions = (
        Action("login", "Login", risk=1, policy=Policy(session_window=60, session_window_trusted=3600,
                                                       methods="fresh_session")),
        Action("member.role", "Change role", risk=3),
    )  # fmt: skip
    here = world(face=face, store=store, actions=actions)
    token = remembered(here)
    who = away(here, token, 120)
    assert here.allows("login", who)
    fresh = context(at=here.now, age=5, device_token=token)
    other = world(store=store.inner, clock=here.clock, actions=actions)
    store.before = [lambda: other.gate.devices.revoke_all(fresh)]

    assert not here.allows("login", who)


def test_a_proof_that_leans_on_trust_falls_with_it(face: str) -> None:
    """A minting batch checks the device that made the sign-in fresh, also where it puts nothing of it."""
    store = _Late()
    leaning = Policy(methods=all_of("fresh_session", "password"), session_window=60, session_window_trusted=3600)
    actions = (Action("both", "Both", risk=1, policy=leaning), Action("member.role", "Change role", risk=3))
    here = world(face=face, store=store, actions=actions)
    old = remembered(here)
    here.prove("member.role", away(here, old))  # so that the token is the one before the current
    who = away(here, old, 120)
    here.prove("both", who, "password", "pw")
    challenge = here.start("both", who, resource=None)
    other = world(store=store.inner, clock=here.clock, actions=actions)
    fresh = context(at=here.now, age=5)
    store.writing = [lambda: other.gate.devices.revoke_all(fresh), lambda: None]
    found = here.gate.verify(challenge.id, "password", "pw", who)

    assert not isinstance(found, Verified)
    assert store.writing == []


def test_no_challenge_is_opened_on_trust_that_has_ended(face: str) -> None:
    """The batch that opens one checks the device too: with the trust gone, only signing in again would help."""
    store = _Late()
    leaning = Policy(methods=all_of("fresh_session", "password"), session_window=60, session_window_trusted=3600)
    actions = (Action("both", "Both", risk=1, policy=leaning), Action("member.role", "Change role", risk=3))
    here = world(face=face, store=store, actions=actions)
    who = away(here, remembered(here), 120)
    other = world(store=store.inner, clock=here.clock, actions=actions)
    fresh = context(at=here.now, age=5)
    store.writing = [lambda: other.gate.devices.revoke_all(fresh)]

    refused = outcome(lambda: here.start("both", who, resource=None))
    assert store.writing == []
    assert isinstance(refused, Denied)
    assert refused.code == Code.LOGIN_REQUIRED


def test_a_locked_method_can_be_answered_from_a_remembered_device(face: str) -> None:
    """Somebody who guesses elsewhere locks themselves out, not the owner (R-04)."""
    here = world(face=face)
    token = remembered(here)
    here.prove("member.remove", away(here, None, DAY))
    for n in range(10):
        here.clock.advance(130)
        stranger = context(f"evil_{n}", at=here.now, device="fp_evil")
        here.gate.verify(here.start("member.role", stranger).id, "passkey", "wrong", stranger)
    who = away(here, token)

    assert outcome(lambda: here.gate.verify(here.start("member.role", who).id, "passkey", "touch", who))
    stranger = context("evil", at=here.now, device="fp_evil")
    assert "passkey" not in here.gate.check("member.role", stranger, resource=ORG).methods


def test_batches_hold_no_device_but_the_persons(face: str) -> None:
    """What is put is the whole set, and it may go a day after its last device."""
    here = world(face=face)
    remembered(here)
    puts = [record for batch in here.store.batches for record in _puts(batch)]

    assert [len(record.value.devices) for record in puts if isinstance(record.value, DeviceSet)] == [1]
    assert (puts[-1].expires_at - here.now).days == 31


def _puts(batch: Changes) -> list[Record]:
    return [record for record in batch.puts if record.key == DEVICES]
