"""What the application says about a request: right values are kept as they are, wrong ones refused by name."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from core_values import ACTOR, CONTEXT, NOW, SESSION, proof, seconds
from hypothesis import given
from hypothesis import strategies as st

from stepup.context import (
    MAX_ID,
    NO_RISK,
    UNKNOWN_RISK,
    Actor,
    Context,
    Device,
    Proof,
    Resource,
    RiskAssessment,
    RiskLevel,
    Session,
    clean_text,
    require_actor,
    require_context,
    require_text,
    require_time,
    same_person,
)
from stepup.errors import InvalidInput

NOT_TEXT: list[Any] = [None, b"usr_1", 1, 1.0, True, [], ["usr_1"], {}, {"id": 1}, object()]
BAD_TEXT = [
    ("", "must not be empty"),
    ("a" * (MAX_ID + 1), "at most 255 characters"),
    (" usr_1", "surrounding white space"),
    ("usr_1 ", "surrounding white space"),
    ("\u00a0usr_1", "surrounding white space"),
    ("usr_1\n", "surrounding white space"),
    ("usr\n_1", "control characters"),
    ("usr\x00_1", "control characters"),
    ("usr\x1b[31m_1", "control characters"),
    ("usr\x7f_1", "control characters"),
    ("usr\ud800_1", "control characters"),
]


@pytest.mark.requirement("G-12")
@pytest.mark.parametrize("value", NOT_TEXT)
def test_an_id_is_text(value: Any) -> None:
    """Numbers, bytes, lists and nothing are refused, and the error names the field and the type."""
    with pytest.raises(InvalidInput, match=rf"^Actor\.id must be a string, not {type(value).__name__}\.$"):
        Actor(value)


@pytest.mark.requirement("G-12", "D-04")
@pytest.mark.parametrize(("value", "problem"), BAD_TEXT)
def test_an_id_has_no_surprises(value: str, problem: str) -> None:
    """An id that would look like another, or break a line of a log, is refused rather than mended."""
    with pytest.raises(InvalidInput, match=problem) as caught:
        require_text("thing", value)

    assert caught.value.name == "thing"


@pytest.mark.parametrize("value", ["a", "a" * MAX_ID, "usr 1", "ünï", "\U0001f600", "e\u0301", "../../etc", "' OR 1=1"])
def test_an_id_is_kept_as_it_is(value: str) -> None:
    """Whatever else is in it, an id is neither folded nor normalised."""
    assert require_text("thing", value) == value
    assert Actor(value).id == value


@pytest.mark.requirement("D-04")
@given(st.text(max_size=2000), st.integers(0, 50))
def test_evidence_is_cleaned_not_refused(text: str, limit: int) -> None:
    """Free text keeps its length up to the limit and loses every control character."""
    cleaned = clean_text(text, limit=limit)

    assert len(cleaned) == min(len(text), limit)
    assert not any(c in cleaned for c in "\r\n\x00\x1b\x85\u200e\u2028\u2029")
    assert all(c == d or d == "\ufffd" for c, d in zip(text, cleaned, strict=False))
    cleaned.encode()


@pytest.mark.parametrize("value", NOT_TEXT)
def test_evidence_of_another_type_is_no_evidence(value: Any) -> None:
    """What is no text is recorded as nothing."""
    assert clean_text(value) == ""


# -- times ----------------------------------------------------------------------------------


def test_times_mean_utc() -> None:
    """A time in another zone is the same moment in UTC."""
    tokyo = NOW.astimezone(timezone(timedelta(hours=9)))

    assert require_time("at", NOW) is NOW
    assert require_time("at", tokyo) == NOW
    assert require_time("at", tokyo).tzinfo is UTC
    assert Session("s", authenticated_at=tokyo).authenticated_at == NOW
    assert Proof("totp", tokyo).at.tzinfo is UTC


@pytest.mark.requirement("G-12")
@pytest.mark.parametrize(
    "value", [NOW.replace(tzinfo=None), date(2026, 6, 11), 1781200980, "2026-06-11T18:03:00Z", None, True, b"", []]
)
def test_a_time_without_a_zone_is_no_time(value: Any) -> None:
    """Naive times, dates, numbers and texts are refused by name."""
    with pytest.raises(InvalidInput, match=r"^at must be a timezone-aware datetime\. Use datetime"):
        require_time("at", value)
    if value is not None:
        with pytest.raises(InvalidInput, match=r"Session\.authenticated_at must be"):
            Session("s", authenticated_at=value)
    with pytest.raises(InvalidInput, match=r"Proof\.at must be"):
        Proof("totp", value)


# -- the values ---------------------------------------------------------------------------------


@pytest.mark.requirement("G-12")
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Actor("a", email=""), "Actor.email"),
        (lambda: Actor("a", email="a" * 321), "Actor.email"),
        (lambda: Actor("a", email="a@b.example\r\nBcc: x@y.example"), "Actor.email"),
        (lambda: Actor("a", on_behalf_of=" b"), "Actor.on_behalf_of"),
        (lambda: Actor("a", on_behalf_of=""), "Actor.on_behalf_of"),
        (lambda: Actor("a", tenant="\t"), "Actor.tenant"),
        (lambda: Actor("a", tenant=None), "Actor.tenant"),  # type: ignore[arg-type]
        (lambda: Session(""), "Session.id"),
        (lambda: Session("s" * 1025), "Session.id"),
        (lambda: Session("s", proofs=("totp",)), "Session.proofs"),  # type: ignore[arg-type]
        (lambda: Session("s", label=""), "Session.label"),
        (lambda: Device(""), "Device.fingerprint"),
        (lambda: Device("d", trusted=1), "Device.trusted"),  # type: ignore[arg-type]
        (lambda: Device("d", trusted="yes"), "Device.trusted"),  # type: ignore[arg-type]
        (lambda: Device("d", trusted=None), "Device.trusted"),  # type: ignore[arg-type]
        (lambda: Resource("", "1"), "Resource.type"),
        (lambda: Resource("organization", ""), "Resource.id"),
        (lambda: Resource("organization", 7), "Resource.id"),  # type: ignore[arg-type]
        (lambda: Proof("", NOW), "Proof.method"),
        (lambda: Proof("m" * 65, NOW), "Proof.method"),
        (lambda: RiskAssessment(-1), "RiskAssessment.score"),
        (lambda: RiskAssessment(101), "RiskAssessment.score"),
        (lambda: RiskAssessment(True), "RiskAssessment.score"),
        (lambda: RiskAssessment(1.5), "RiskAssessment.score"),  # type: ignore[arg-type]
        (lambda: RiskAssessment(0, "awful"), "RiskAssessment.level"),  # type: ignore[arg-type]
        (lambda: RiskAssessment(0, None), "RiskAssessment.level"),  # type: ignore[arg-type]
        (lambda: Context("usr_1"), "Context.actor"),  # type: ignore[arg-type]
        (lambda: Context(None), "Context.actor"),  # type: ignore[arg-type]
        (lambda: Context(ACTOR, session="sess_1"), "Context.session"),  # type: ignore[arg-type]
        (lambda: Context(ACTOR, device="laptop"), "Context.device"),  # type: ignore[arg-type]
        (lambda: Context(ACTOR, risk="high"), "Context.risk"),  # type: ignore[arg-type]
        (lambda: Context(ACTOR, organization=""), "Context.organization"),
        (lambda: Context(ACTOR, organization=7), "Context.organization"),  # type: ignore[arg-type]
    ],
)
def test_wrong_values_are_refused_by_name(make: Any, name: str) -> None:
    """Each field refuses what it cannot mean, and the error says which field it was."""
    with pytest.raises(InvalidInput) as caught:
        make()

    assert caught.value.name == name


def test_right_values_are_kept() -> None:
    """A full context holds what was given."""
    context = Context(
        Actor("usr_1", "olivia@northstar.example", "usr_2", "northstar"),
        Session("s", NOW, (proof(),), "session 1"),
        Device("d", "MacBook", trusted=True),
        "org_7",
        "2001:db8::1",
        "Safari",
        "de-DE",
        RiskAssessment(40, RiskLevel.MEDIUM, ("new_device",), frozenset({"totp"})),
    )

    assert context.actor.tenant == "northstar"
    assert context.session is not None
    assert context.session.proofs == (proof(),)
    assert (context.ip, context.user_agent, context.locale) == ("2001:db8::1", "Safari", "de-DE")
    assert Context(ACTOR).session is None


def test_lists_become_tuples() -> None:
    """Values are frozen to the bottom, whatever was passed in."""
    session = Session("s", proofs=[proof()])  # type: ignore[arg-type]
    risk = RiskAssessment(0, RiskLevel.LOW, ["new_device"], {"totp"})  # type: ignore[arg-type]

    assert session.proofs == (proof(),)
    assert Proof("totp", NOW, ["otp"]).amr == ("otp",)  # type: ignore[arg-type]
    assert (risk.reasons, risk.methods) == (("new_device",), frozenset({"totp"}))
    hash((session, risk))


@pytest.mark.requirement("D-04")
def test_what_comes_from_outside_is_cleaned() -> None:
    """Header values and labels lose control characters and excess length, and stop nobody."""
    context = Context(ACTOR, ip="1" * 99, user_agent="a\r\nInjected: yes" + "x" * 999, locale="de\x00")

    assert context.ip == "1" * 64
    assert context.user_agent is not None
    assert context.user_agent.startswith("a\ufffd\ufffdInjected")
    assert len(context.user_agent) == 512
    assert context.locale == "de\ufffd"
    assert Device("d", label="a\nb").label == "a\ufffdb"
    assert Resource("t", "i", label="\x1b[31m").label == "\ufffd[31m"


@pytest.mark.parametrize("value", [ACTOR, SESSION, CONTEXT, NO_RISK, proof(), Resource("t", "i"), Device("d")])
def test_values_are_frozen(value: Any) -> None:
    """Nothing that was checked can be changed afterwards."""
    with pytest.raises(FrozenInstanceError):
        setattr(value, fields(value)[0].name, "other")


@pytest.mark.requirement("Z-08", "D-03")
def test_secrets_are_not_shown() -> None:
    """Neither a session's id nor a device's fingerprint is in any repr."""
    context = Context(ACTOR, Session("sess_secret"), Device("fingerprint_secret"))

    assert "secret" not in repr(context)
    assert "secret" not in f"{context.session} {context.device}"


# -- risk -----------------------------------------------------------------------------------------


def test_unknown_is_the_worst() -> None:
    """Levels are ordered, and not knowing counts as worse than high."""
    assert sorted(RiskLevel, key=lambda level: level.rank) == [
        RiskLevel.LOW, RiskLevel.MEDIUM, RiskLevel.HIGH, RiskLevel.UNKNOWN,
    ]  # fmt: skip
    assert (UNKNOWN_RISK.score, UNKNOWN_RISK.level) == (100, RiskLevel.UNKNOWN)


assessments = st.builds(
    RiskAssessment,
    st.integers(0, 100),
    st.sampled_from(RiskLevel),
    st.lists(st.sampled_from(["a", "b", "c"]), max_size=3).map(tuple),
    st.none() | st.frozensets(st.sampled_from(["totp", "password", "passkey"])),
)


@pytest.mark.requirement("P-06")
@given(assessments, assessments)
def test_two_assessments_never_weaken_each_other(one: RiskAssessment, two: RiskAssessment) -> None:
    """The worse score, the worse level, every reason, and only the methods both would take."""
    both = one.worse(two)

    for each in (one, two):
        assert both.score >= each.score
        assert both.level.rank >= each.level.rank
        assert set(both.reasons) >= set(each.reasons)
        assert each.methods is None or (both.methods is not None and both.methods <= each.methods)
    swapped = two.worse(one)
    assert (both.score, both.level, both.methods) == (swapped.score, swapped.level, swapped.methods)
    assert one.worse(one).reasons == tuple(dict.fromkeys(one.reasons))
    assert (NO_RISK.worse(one).score, NO_RISK.worse(one).methods) == (one.score, one.methods)


# -- proofs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "usr_1", {"actor": "usr_1"}, Session("s")])
def test_only_a_context_is_a_context_and_only_an_actor_an_actor(value: object) -> None:
    """What the application mixes up is named, before anything is done with it."""
    with pytest.raises(InvalidInput, match=f"context must be a Context, not {type(value).__name__}"):
        require_context(value)
    with pytest.raises(InvalidInput, match=f"actor must be an Actor, not {type(value).__name__}"):
        require_actor(value)

    actor = Actor("usr_1")

    assert require_actor(actor) is actor
    assert require_context(Context(actor)).actor is actor


def test_a_new_address_makes_nobody_another_person() -> None:
    """Id, tenant and the person acted for make the person; the address does not."""
    one = Actor("usr_1", email="olivia@northstar.example")

    assert same_person(one, Actor("usr_1", email="olivia@elsewhere.example"))
    assert not same_person(one, Actor("usr_2", email=one.email))
    assert not same_person(one, Actor("usr_1", tenant="b"))
    assert not same_person(one, Actor("usr_1", on_behalf_of="usr_9"))


def test_a_time_of_a_proof_can_be_read_back() -> None:
    """Proofs keep fractions of seconds."""
    assert Proof("totp", NOW + seconds(0.5)).at == datetime(2026, 6, 11, 18, 3, 0, 500000, tzinfo=UTC)


@pytest.mark.requirement("D-04")
@pytest.mark.parametrize(
    "character",
    ["\n", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\u202e", "\u200b", "\u200d", "\ufeff", "\U000e0041", "\xad",
     "\ud800", "\ue000", "\uffff", "\u0378"],
)  # fmt: skip
def test_what_cannot_be_printed_is_replaced(character: str) -> None:
    """Breaks, controls, directions, invisible characters, halves, private and unassigned ones: one mark for each."""
    assert clean_text(f"Safari{character}ok") == "Safari\ufffdok"


@pytest.mark.parametrize(
    "text", ["Zo\u00eb e\u0301 \u6771\u4eac \U0001f511", "a\xa0b\u2003c", "\u05e9\u05dc\u05d5\u05dd 12,5 \u20ac"]
)
def test_what_can_be_printed_is_kept(text: str) -> None:
    """Any script, marks that combine, signs, and spaces of any width."""
    assert clean_text(text) == text


@pytest.mark.requirement("D-04")
@pytest.mark.parametrize("breaker", ["\u2028", "\u2029"])
def test_no_line_break_of_any_kind_survives(breaker: str) -> None:
    """Text from outside is one line for every reader."""
    assert len(clean_text(f"Safari{breaker}ok allowed").splitlines()) == 1
