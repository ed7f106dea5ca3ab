"""Whatever is passed to whichever argument: an error of our own or a refusal, never a pass, never a stack trace."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from engine_bench import (
    ACTOR,
    CONTEXT,
    ORG,
    PASSWORD,
    SECRET,
    World,
    both_faces,
    context,
    enrolled_totp,
    outcome,
    real_world,
    world,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from stepup import (
    Action,
    Actor,
    AsyncStepUp,
    Authorization,
    Challenge,
    Code,
    Context,
    Decision,
    Denied,
    Device,
    Item,
    Limits,
    MoreNeeded,
    Policy,
    Proof,
    Rejected,
    Resource,
    RiskAssessment,
    Session,
    StepUp,
    StepUpError,
    StepUpRequired,
    Verified,
)
from stepup.errors import ConfigurationError, InvalidInput, UnknownAction
from stepup.stores.memory import AsyncMemoryStore, MemoryStore
from stepup.testing import FrozenClock, Outbox, ScriptedVerifier
from stepup.verifiers import TOTP, RecoveryCode

pytestmark = pytest.mark.requirement("G-12")


class _Odd:
    """Raises at whatever is done with it."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compared")

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        raise RuntimeError("shown")

    __repr__ = __str__


class _Text(str):
    """Text with a class of its own."""

    __slots__ = ()


JUNK: dict[str, Any] = {
    "None": None,
    "empty": "",
    "list": [],
    "mapping": {},
    "True": True,
    "False": False,
    "zero": 0,
    "minus one": -1,
    "infinity": math.inf,
    "not a number": math.nan,
    "huge": 10**5000,
    "bytes": b"totp",
    "nested": {"a": [{"b": [[[{}]]]}]},
    "long": "x" * 10_000,
    "long foreign": "\u00fc" * 10_000,
    "foreign digits": "\u0661\u0662\u0663\u0664\u0665\u0666",
    "full width": "\uff11\uff12\uff13\uff14\uff15\uff16",
    "surrogate": "\ud800",
    "control": "a\r\nb\x00\x1b[31m",
    "spaces": "   ",
    "odd": _Odd(),
    "class": Challenge,
    "function": len,
    "set": {1},
    "tuple": (),
    "date": datetime(2026, 6, 11),  # noqa: DTZ001
    "exception": ValueError("x"),
    "text of a class": _Text("x"),
}


def _methods(kind: Any) -> dict[str, list[str]]:
    found = {}
    for name, method in inspect.getmembers(kind):
        if not name.startswith("_") and inspect.isfunction(method) and name not in {"guard", "lint"}:
            found[name] = [p for p in inspect.signature(method).parameters if p != "self"]
    return found


def _good(here: World) -> dict[str, Any]:
    challenge = here.start("member.role")
    return {
        "action": "member.role",
        "context": CONTEXT,
        "resource": ORG,
        "params": None,
        "token": None,
        "request_id": None,
        "within": None,
        "uses": None,
        "items": [Item("member.role", ORG)],
        "offer": here.gate.check("member.role", CONTEXT, resource=ORG).offer,
        "reason": None,
        "challenge_id": challenge.id,
        "method": "passkey",
        "response": "wrong",
        "rotate": None,
        "grant": None,
        "session": False,
        "everything": False,
        "session_id": "sess_new",
        "actor": ACTOR,
        "support": context("sess_s", actor=Actor("usr_support")),
        "methods": None,
        "after": None,
        "limit": 10,
        "label": "",
        "factor_id": "totp_0",
        "code": "123456",
        "authorization": None,
        "step": 1,
        "remember": False,
        "who": ACTOR,
        "signal": "logged_out",
        "moved_to": None,
        "device_id": "dev_0",
    }


KINDS: dict[str, Any] = {
    "gate": StepUp,
    "factors": type(world().gate.factors),
    "devices": type(world().gate.devices),
}
CALLS = [
    (owner, name, argument)
    for owner, kind in KINDS.items()
    for name, arguments in _methods(kind).items()
    for argument in arguments
]


@both_faces
@pytest.mark.parametrize(("owner", "name", "argument"), CALLS)
@pytest.mark.requirement("S-03", "P-02")
def test_junk_in_any_argument_is_refused(face: str, owner: str, name: str, argument: str) -> None:
    """Every argument of every public method, one at a time: an error of our own or a plain refusal."""
    here = world(face=face)
    good = _good(here)
    target = here.gate if owner == "gate" else getattr(here.gate, owner)
    signature = inspect.signature(getattr(KINDS[owner], name))
    for label, junk in JUNK.items():
        given_ = {p: good[p] for p in signature.parameters if p != "self"}
        given_[argument] = junk
        found = outcome(lambda: getattr(target, name)(**given_))  # noqa: B023
        where = f"{name}({argument}={label}) gave {found!r}"
        assert not isinstance(found, Verified | MoreNeeded | Authorization), where
        assert not (isinstance(found, Decision) and found.allowed), where


@pytest.mark.parametrize("name", [name for name in JUNK if name not in {"None", "odd"}])
def test_a_junk_token_is_never_a_pass_and_never_the_session_grant(name: str) -> None:
    """A token that was given is the one that counts: junk is refused although a session grant stands (H-05)."""
    here = world()
    here.prove("member.role")
    assert here.allows("member.role")
    found = outcome(lambda: here.gate.require("member.role", CONTEXT, resource=ORG, token=JUNK[name]))

    assert isinstance(found, StepUpRequired)
    assert found.code == Code.GRANT_INVALID


@both_faces
@pytest.mark.requirement("W-03")
@pytest.mark.parametrize("method", ["password", "email_code", "totp"])
def test_a_junk_answer_is_a_wrong_answer(face: str, method: str) -> None:
    """To the real verifiers: rejected, counted, recorded; A-01 and W-03 among them."""
    for label, junk in JUNK.items():
        here = real_world(face)
        if method == "totp":
            enrolled_totp(here, CONTEXT)
        challenge = here.start("by.any")
        if method == "email_code":
            here.gate.begin(challenge.id, method, CONTEXT)
        found = here.gate.verify(challenge.id, method, junk, CONTEXT)
        assert found == Rejected(Code.VERIFICATION_FAILED, 4), label


@pytest.mark.requirement("W-01", "W-03")
def test_a_password_is_checked_exactly_as_received() -> None:
    """Not stripped, not folded, not cut; the empty one and a missing one never reach the check."""
    seen: list[str] = []
    from stepup.verifiers import Password

    def check(actor: Actor, password: str) -> bool:
        seen.append(password)
        return password == PASSWORD

    here = world(verifiers=[Password(check=check)], actions=(Action("x", "X"),))
    variants = [f" {PASSWORD}", f"{PASSWORD} ", PASSWORD.upper(), f"{PASSWORD}\0", PASSWORD + "x" * 72]
    for n, word in enumerate(variants):
        challenge = here.start("x", resource=Resource("r", str(n)))
        assert isinstance(here.gate.verify(challenge.id, "password", word, CONTEXT), Rejected)
        here.clock.advance(130)
    assert seen == variants
    missing: tuple[object, ...] = ("", None, [], {}, {"password": PASSWORD}, [PASSWORD], PASSWORD.encode(), True)
    for given_ in missing:
        challenge = here.start("x", resource=Resource("r", repr(given_)[:40].strip()))
        assert isinstance(here.gate.verify(challenge.id, "password", given_, CONTEXT), Rejected)
        here.clock.advance(4000)
    assert seen == variants
    here.prove("x", method="password", answer=PASSWORD)


# -- tokens and offers, cut and edited -----------------------------------------------------


@pytest.fixture(scope="module")
def minted() -> tuple[World, str, str]:
    """A gate, a token of it that passes as often as wanted, and an offer."""
    here = world()
    offer = here.gate.check("member.role", CONTEXT, resource=ORG).offer
    assert offer is not None
    return here, here.prove("member.role").token, offer


@given(data=st.data())
@settings(max_examples=200)
@pytest.mark.requirement("G-04", "G-05", "C-03")
def test_an_edited_text_is_no_text_of_ours(minted: tuple[World, str, str], data: st.DataObject) -> None:
    """Any edit of a token or offer, anywhere: refused; a token without a store call."""
    here, token, offer = minted
    for text, offered in ((token, False), (offer, True)):
        start = data.draw(st.integers(0, len(text) - 1))
        end = data.draw(st.integers(start, len(text)))
        new = data.draw(st.text(max_size=8) | st.sampled_from([".", "=", "A", text, "\n", " "]))
        edited = text[:start] + new + text[end:]
        if edited == text:
            continue
        if offered:
            found = outcome(lambda edited=edited: here.gate.start_offer(edited, CONTEXT))
            assert isinstance(found, Denied)
            assert found.code == Code.BAD_REQUEST
        else:
            before = len(here.store.calls)
            found = outcome(lambda edited=edited: here.gate.require("member.role", CONTEXT, resource=ORG, token=edited))
            assert isinstance(found, StepUpRequired)
            assert found.code == Code.GRANT_INVALID
            assert len(here.store.calls) == before


@given(text=st.text(max_size=300) | st.text(alphabet="abcDEF012.-_=", max_size=300))
@settings(max_examples=100)
@pytest.mark.requirement("G-04")
def test_no_made_up_text_is_a_token(minted: tuple[World, str, str], text: str) -> None:
    """Nor an offer, nor a challenge id."""
    here, _, _ = minted
    assert not here.allows("member.role", token=text)
    assert isinstance(outcome(lambda: here.gate.start_offer(text, CONTEXT)), Denied)
    assert here.gate.verify(text, "passkey", "touch", CONTEXT) == Rejected(Code.CHALLENGE_NOT_FOUND)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda one: st.lists(one, max_size=4) | st.dictionaries(st.text(max_size=8), one, max_size=4),
    max_leaves=15,
)


@given(params=st.dictionaries(st.text(st.characters(), max_size=8), JSON, max_size=4), other=JSON)
@settings(max_examples=100)
@pytest.mark.requirement("C-03", "G-10")
def test_any_params_are_bound_or_refused(params: dict[str, Any], other: Any) -> None:
    """Whatever JSON is approved: it opens the call with exactly that, and no other."""
    here = world()
    challenge = outcome(lambda: here.start("member.role", params=params))
    if not isinstance(challenge, Challenge):
        assert isinstance(challenge, StepUpError)
        assert not here.allows("member.role", params=params)
        return
    assert here.gate.verify(challenge.id, "passkey", "touch", CONTEXT)
    assert here.allows("member.role", params=params)
    changed = {**params, "one more": other}
    assert not here.allows("member.role", params=changed)
    assert not here.allows("member.role", params=None)


@given(
    method=st.text(st.characters(), max_size=80) | st.none() | st.integers() | st.binary(max_size=5),
    response=JSON | st.binary(max_size=10),
    challenge_id=st.text(st.characters(), max_size=80) | st.none() | st.integers(),
)
@settings(max_examples=100)
def test_made_up_answers_are_rejected(method: Any, response: Any, challenge_id: Any) -> None:
    """Any method, any response, any id: rejected, and recorded without a control character."""
    here = world()
    challenge = here.start("org.delete")
    for one in (challenge.id, challenge_id):
        found = here.gate.verify(one, method, response, CONTEXT)
        assert isinstance(found, Rejected)
        assert isinstance(outcome(lambda one=one: here.gate.begin(one, method, CONTEXT)), Denied) or method == "passkey"
    for event in here.events():
        for text in (event.method, event.challenge_id, event.reason):
            assert text is None or text.isprintable() or "\N{REPLACEMENT CHARACTER}" in text
            assert text is None or not {"\r", "\n", "\x1b", "\0"} & set(text)


# -- values and construction -----------------------------------------------------------------


VALUES: dict[str, Callable[[Any], object]] = {
    "Actor.id": lambda one: Actor(one),
    "Actor.email": lambda one: Actor("u", email=one),
    "Actor.on_behalf_of": lambda one: Actor("u", on_behalf_of=one),
    "Actor.tenant": lambda one: Actor("u", tenant=one),
    "Session.id": lambda one: Session(one),
    "Session.authenticated_at": lambda one: Session("s", one),
    "Session.proofs": lambda one: Session("s", proofs=one),
    "Session.label": lambda one: Session("s", label=one),
    "Device.fingerprint": lambda one: Device(one),
    "Device.trusted": lambda one: Device("f", trusted=one),
    "Resource.type": lambda one: Resource(one, "1"),
    "Resource.id": lambda one: Resource("r", one),
    "Context.actor": lambda one: Context(one),
    "Context.session": lambda one: Context(ACTOR, session=one),
    "Context.device": lambda one: Context(ACTOR, device=one),
    "Context.organization": lambda one: Context(ACTOR, organization=one),
    "Context.ip": lambda one: Context(ACTOR, ip=one),
    "Context.user_agent": lambda one: Context(ACTOR, user_agent=one),
    "Context.locale": lambda one: Context(ACTOR, locale=one),
    "Context.risk": lambda one: Context(ACTOR, risk=one),
    "RiskAssessment.score": lambda one: RiskAssessment(one),
    "RiskAssessment.level": lambda one: RiskAssessment(0, one),
    "Proof.method": lambda one: Proof(one, CONTEXT.session.authenticated_at),  # type: ignore[union-attr,arg-type]
    "Proof.at": lambda one: Proof("totp", one),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_refuse_what_they_cannot_hold(name: str) -> None:
    """Made by the application's own server code: an error of ours, or a value that a gate can work with."""
    for label, junk in JUNK.items():
        if label == "odd":
            continue  # this is the application's own code
        made = outcome(lambda: VALUES[name](junk))  # noqa: B023
        if isinstance(made, Context):
            here = world()
            assert not here.allows("member.role", made), (name, label)


def test_white_space_and_case_never_make_a_second_person() -> None:
    """An id with white space is refused, one in other case is somebody else (G-05, E-07 of the advisories)."""
    for bad in (" usr_2048", "usr_2048 ", "usr_2048\n", "\tusr_2048", "usr\x00_2048"):
        with pytest.raises(StepUpError):
            Actor(bad)
    here = world()
    token = here.prove("member.role").token
    for other in ("USR_2048", "usr_2048\u200b", "usr_\uff12048"):
        made = outcome(lambda other=other: context(actor=Actor(other)))
        if isinstance(made, Context):
            assert not here.allows("member.role", made, token)


MISUSE: dict[str, dict[str, Any]] = {
    "short secret": {"secret": "short"},
    "no secret": {"secret": []},
    "secret of nothing": {"secret": None},
    "monotonous secret": {"secret": "a" * 64},
    "the same secret twice": {"secret": [SECRET, SECRET]},
    "two actions of one id": {"actions": [Action("x", "X"), Action("x", "Y")]},
    "not an action": {"actions": ["x"]},
    "an unknown method": {"actions": [Action("x", "X", methods="retina")]},
    "an unknown policy": {"actions": [Action("x", "X", policy="strict")]},
    "not a policy": {"policies": {1: {"methods": "any"}}},
    "an unknown level": {"policies": {9: Policy()}},
    "record": {"record": "some"},
    "an empty namespace": {"namespace": ""},
    "a clock without now": {"clock": object()},
    "a mailer without send": {"mailer": object()},
    "a verifier without check": {"verifiers": [object()]},
    "an action without its brackets": {"actions": Action("x", "X")},
    "a verifier without its brackets": {"verifiers": RecoveryCode()},
    "an action's id in place of a list": {"actions": "organization.delete"},
}


@pytest.mark.parametrize("name", MISUSE)
def test_misuse_is_refused_when_the_gate_is_made(name: str) -> None:
    """With an error of ours that says what to do."""
    good: dict[str, Any] = {"actions": [], "verifiers": [], "store": MemoryStore(), "secret": SECRET}
    found = outcome(lambda: StepUp(**{**good, **MISUSE[name]}))

    assert isinstance(found, ConfigurationError | InvalidInput), name
    assert "0123456789" not in str(found)


@pytest.mark.parametrize("face", [StepUp, AsyncStepUp])
def test_what_is_passed_as_a_list_is_read_once(face: Any) -> None:
    """A generator makes the same gate as a list; one alone is told how to be written."""
    store: Any = MemoryStore() if face is StepUp else AsyncMemoryStore()
    good: dict[str, Any] = {"store": store, "secret": SECRET, "mailer": Outbox()}
    made = face(
        actions=(Action(name, "X") for name in "ab"), verifiers=(one for one in [TOTP(), RecoveryCode()]), **good
    )
    assert {"a", "b"} <= made.core.registry.actions.keys()
    assert set(made.core.methods) == {"totp", "recovery_code"}
    with pytest.raises(ConfigurationError, match=r"verifiers=\[\.\.\.\]"):
        face(actions=[], verifiers=RecoveryCode(), **good)


def test_two_verifiers_of_one_name_are_refused() -> None:
    """One of them would never be asked."""
    from stepup.testing.scripted import ScriptedVerifier

    with pytest.raises(ConfigurationError, match="passkey"):
        StepUp(
            actions=[],
            verifiers=[ScriptedVerifier("passkey"), ScriptedVerifier("passkey")],
            store=MemoryStore(),
            secret=SECRET,
        )


@pytest.mark.parametrize(
    "values",
    [
        *({"grant_ttl": 0}, {"grant_ttl": "300"}, {"uses": 0}, {"uses": True}, {"attempts": 11}, {"token_required": 1}),
        *({"methods": 5}, {"methods": []}, {"block_session_risk": ["awful"]}, {"block_session_risk": ["high"]}),
        *({"max_age": 0}, {"session_window": -1}, {"challenge_ttl": 10**9}, {"remember": None}),
    ],
)
def test_a_policy_that_cannot_be_right_is_refused(values: dict[str, Any]) -> None:
    """Out of range, of the wrong type, or weaker for a worse risk."""
    with pytest.raises(ConfigurationError):
        Policy(**values)


def test_an_unknown_action_names_itself_and_the_known_ones() -> None:
    """At the call, and in every method that takes an action."""
    here = world()
    for call in (here.gate.check, here.gate.require, here.gate.start):
        with pytest.raises(UnknownAction, match=r"org\.delte"):
            call("org.delte", CONTEXT)
    with pytest.raises(ConfigurationError):
        Limits(sends=0)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"store": MemoryStore}, "store is the class MemoryStore"),
        ({"verifiers": [ScriptedVerifier]}, "is the class ScriptedVerifier"),
        ({"verifiers": [TOTP]}, "is the class TOTP"),
        ({"clock": FrozenClock}, "clock is the class FrozenClock"),
        ({"limits": "strict"}, "limits= must be Limits, not str"),
    ],
)
def test_forgotten_parentheses_are_named(settings: dict[str, Any], named: str) -> None:
    """A class where an instance belongs, or text where numbers do, is found when the gate is made."""
    given: dict[str, Any] = {
        "actions": [Action("a", "A")], "verifiers": [ScriptedVerifier()], "store": MemoryStore(), "secret": SECRET,
    }  # fmt: skip
    with pytest.raises(ConfigurationError, match=re.escape(named)):
        StepUp(**{**given, **settings})
