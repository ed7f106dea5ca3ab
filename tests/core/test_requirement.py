"""Which proofs are good enough: any-of and all-of, freshness, the strongest rule, and recovery codes."""

from __future__ import annotations

from typing import Any

import pytest
from core_values import NOW, proof, seconds
from hypothesis import given
from hypothesis import strategies as st

from stepup.context import Proof
from stepup.errors import ConfigurationError, InvalidInput
from stepup.requirement import (
    ANY,
    STRONGEST,
    AllOf,
    AnyOf,
    Enrolled,
    Holding,
    Method,
    Requirement,
    Strength,
    Usable,
    all_of,
    any_of,
    as_data,
    coerce,
    leaves,
    met,
    method,
    names,
    open_methods,
)

STRENGTHS = {"email_code": 10, "password": 20, "totp": 30, "passkey": 50, "recovery_code": 30}


def given_proofs(*methods: str, age: float = 0) -> list[Proof]:
    return [proof(name, age=age, strength=STRENGTHS[name]) for name in methods]


def usable(*methods: str) -> list[Usable]:
    return [Usable(name, STRENGTHS[name]) for name in methods]


# -- making requirements ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ("passkey", Method("passkey")),
        ("any", ANY),
        ("strongest", STRONGEST),
        (ANY, ANY),
        (Method("totp", 60), Method("totp", 60)),
        (["passkey", "totp"], AnyOf((Method("passkey"), Method("totp")))),
        (("passkey",), Method("passkey")),
        (any_of("passkey", all_of("password", "totp")),
         AnyOf((Method("passkey"), AllOf((Method("password"), Method("totp")))))),
        (all_of("password", "password"), Method("password")),
        (any_of(any_of("totp"), "totp"), Method("totp")),
        (all_of("strongest", "password"), AllOf((STRONGEST, Method("password")))),
    ],
)  # fmt: skip
def test_what_can_be_written(value: object, made: Requirement) -> None:
    """Names, lists and combinations mean one thing each; repetition and single parts fall away."""
    assert coerce(value) == made


@pytest.mark.requirement("G-12")
@pytest.mark.parametrize(
    "value", [None, 1, True, b"totp", {"totp"}, {"any_of": ["totp"]}, object(), [None], ["totp", 1]]
)
def test_what_cannot_be_a_requirement(value: object) -> None:
    """Anything else is refused at construction, with what to write instead."""
    with pytest.raises(ConfigurationError, match=r"cannot be made from a .* Use a method name"):
        coerce(value)


@pytest.mark.parametrize("make", [any_of, all_of, lambda: coerce([])])
def test_nothing_is_no_requirement(make: Any) -> None:
    """An empty any-of or all-of would mean never or always; neither may be written."""
    with pytest.raises(ConfigurationError, match="need at least one method"):
        make()


@pytest.mark.parametrize("max_age", [0, -1, 1.5, "60", True])
def test_a_freshness_is_a_positive_number_of_seconds(max_age: Any) -> None:
    """Zero, fractions and booleans are refused, naming the method."""
    with pytest.raises(ConfigurationError, match=r"method\('totp'\): max_age must be a positive number"):
        method("totp", max_age=max_age)


@pytest.mark.parametrize("name", ["", " totp", "t" * 65, "to\ntp"])
def test_a_method_has_a_proper_name(name: str) -> None:
    """A name is text like any other id."""
    with pytest.raises(InvalidInput):
        coerce(name)


def test_what_is_named_in_it() -> None:
    """Names come in the order written, once each; looks at the enrolled ones have no name."""
    requirement = any_of("passkey", all_of("password", method("totp", max_age=60)), STRONGEST, "password")

    assert names(requirement) == ("passkey", "password", "totp")
    assert list(leaves(requirement)) == [
        Method("passkey"), Method("password"), Method("totp", 60), STRONGEST, Method("password"),
    ]  # fmt: skip
    assert as_data(requirement) == {
        "any_of": ["passkey", {"all_of": ["password", ["totp", 60]]}, {"enrolled": "strongest"}, "password"]
    }
    assert as_data(ANY) == {"enrolled": "any"}


# -- the strengths -----------------------------------------------------------------------------


def test_the_order_of_strengths() -> None:
    """Passkey with user verification, passkey, authenticator code, password, mailed code, nothing."""
    assert sorted(Strength, reverse=True) == [
        Strength.PASSKEY_VERIFIED, Strength.PASSKEY, Strength.TOTP, Strength.PASSWORD, Strength.MAILED, Strength.NONE,
    ]  # fmt: skip


# -- met ----------------------------------------------------------------------------------------

PASSKEY_OR_BOTH = any_of("passkey", all_of("password", "totp"))


@pytest.mark.parametrize(
    ("methods", "answer"),
    [
        ((), False),
        (("passkey",), True),
        (("password",), False),
        (("totp",), False),
        (("password", "totp"), True),
        (("totp", "password"), True),
        (("email_code",), False),
        (("email_code", "password"), False),
        (("passkey", "email_code"), True),
    ],
)
def test_any_of_and_all_of(methods: tuple[str, ...], answer: bool) -> None:
    """A passkey, or a password and a code, and nothing less."""
    assert met(PASSKEY_OR_BOTH, given_proofs(*methods), Holding(), NOW) is answer


@pytest.mark.requirement("C-06")
@pytest.mark.parametrize(("age", "answer"), [(0, True), (59, True), (60, False), (61, False)])
def test_freshness_of_a_method(age: float, answer: bool) -> None:
    """A proof counts until just before it is as old as allowed."""
    requirement = method("totp", max_age=60)

    assert met(requirement, given_proofs("totp", age=age), Holding(), NOW) is answer


def test_freshness_is_each_methods_own() -> None:
    """An old password counts beside a code that must be fresh."""
    requirement = all_of("password", method("totp", max_age=60))
    proofs = given_proofs("password", age=3600)

    assert met(requirement, [*proofs, *given_proofs("totp", age=10)], Holding(), NOW)
    assert not met(requirement, [*proofs, *given_proofs("totp", age=100)], Holding(), NOW)


@pytest.mark.requirement("T-04")
@pytest.mark.parametrize("requirement", [ANY, STRONGEST, method("totp"), all_of("totp")])
def test_a_proof_from_the_future_satisfies_nothing(requirement: Requirement) -> None:
    """Whatever clock made it, it is not believed; at this very moment it is."""
    assert not met(requirement, given_proofs("totp", age=-1), Holding(strongest=30), NOW)
    assert met(requirement, given_proofs("totp", age=0), Holding(strongest=30), NOW)


@pytest.mark.requirement("P-11")
@pytest.mark.parametrize(
    ("strongest", "methods", "answer"),
    [
        (30, ("totp",), True),
        (30, ("password",), False),
        (30, ("passkey",), True),
        (50, ("totp", "password", "email_code"), False),
        (50, ("passkey",), True),
        (10, ("email_code",), True),
        (0, ("email_code",), True),
        (None, ("passkey",), False),
        (None, (), False),
    ],
)
def test_the_strongest_and_its_equals(strongest: int | None, methods: tuple[str, ...], answer: bool) -> None:
    """Weaker proofs never add up to the strongest, and where nothing is known nothing is enough."""
    assert met(STRONGEST, given_proofs(*methods), Holding(strongest=strongest), NOW) is answer


def test_a_passkey_without_verification_is_not_the_strongest() -> None:
    """A proof is worth what was reached, not what its factor could have reached."""
    unverified = [proof("passkey", strength=Strength.PASSKEY)]

    assert not met(STRONGEST, unverified, Holding(strongest=Strength.PASSKEY_VERIFIED), NOW)
    assert met(STRONGEST, unverified, Holding(strongest=Strength.PASSKEY), NOW)
    assert met(coerce("passkey"), unverified, Holding(strongest=Strength.PASSKEY_VERIFIED), NOW)


@pytest.mark.requirement("P-11", "E-04")
def test_a_proof_below_the_least_strength_never_counts() -> None:
    """A policy that excludes weak proofs excludes them even where they are named."""
    for requirement in (coerce("email_code"), ANY, any_of("email_code", "totp")):
        assert not met(requirement, given_proofs("email_code"), Holding(min_strength=20), NOW)
        assert met(requirement, given_proofs("email_code"), Holding(min_strength=10), NOW)


@pytest.mark.parametrize(("strength", "answer"), [(-1, False), (0, False), (1, True), (10, True)])
def test_what_is_worth_nothing_is_not_any_method(strength: int, answer: bool) -> None:
    """A proof of no strength satisfies ``ANY`` neither alone nor in an alternative, and is not offered for it."""
    worthless = [proof("custom", strength=strength)]

    for requirement in (ANY, any_of(ANY, "passkey"), all_of(ANY, "custom")):
        assert met(requirement, worthless, Holding(min_strength=-1), NOW) is answer
    assert open_methods(ANY, [Usable("custom", strength)], [], Holding(min_strength=-1), NOW) == (("custom",) * answer)
    assert met(coerce("custom"), worthless, Holding(min_strength=-1), NOW)


@pytest.mark.requirement("P-10")
def test_what_the_risk_narrowed_away_does_not_count() -> None:
    """A method that is not among the allowed ones counts for nothing, even if it was proved before."""
    holding = Holding(strongest=30, allowed=frozenset({"passkey"}))

    for requirement in (coerce("totp"), ANY, STRONGEST):
        assert not met(requirement, given_proofs("totp"), holding, NOW)
        assert met(any_of(requirement, "passkey"), given_proofs("passkey"), holding, NOW)


# -- fresh sessions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("holding", "answer"),
    [
        (Holding(), False),
        (Holding(session_age=0, session_window=300), True),
        (Holding(session_age=299.9, session_window=300), True),
        (Holding(session_age=300, session_window=300), False),
        (Holding(session_age=0, session_window=0), False),
        (Holding(session_age=None, session_window=300), False),
        (Holding(session_age=0, session_window=300, allowed=frozenset({"totp"})), False),
    ],
)
def test_a_fresh_session_is_a_recent_login(holding: Holding, answer: bool) -> None:
    """It is measured from the login alone, and narrowing the methods takes it away."""
    assert met(coerce("fresh_session"), given_proofs("passkey"), holding, NOW) is answer


def test_a_fresh_session_can_have_a_window_of_its_own() -> None:
    """``max_age`` replaces the policy's window."""
    requirement = method("fresh_session", max_age=60)

    assert met(requirement, [], Holding(session_age=59, session_window=0), NOW)
    assert not met(requirement, [], Holding(session_age=60, session_window=300), NOW)


def test_a_fresh_session_cannot_be_answered() -> None:
    """A proof of that name proves nothing, and it is never offered."""
    forged = [Proof("fresh_session", NOW, strength=50)]

    assert not met(coerce("fresh_session"), forged, Holding(), NOW)
    assert open_methods(coerce("fresh_session"), [Usable("fresh_session", 50)], [], Holding(), NOW) == ()


# -- recovery codes ----------------------------------------------------------------------------------


def recovery(stands_for: str | None = "totp") -> list[Proof]:
    return [proof("recovery_code", strength=30, stands_for=stands_for)]


@pytest.mark.parametrize("requirement", [coerce("totp"), ANY, STRONGEST, any_of("passkey", "totp")])
def test_a_recovery_code_stands_in_where_it_may(requirement: Requirement) -> None:
    """At levels 1 to 3 it counts as the factor it was issued with; at 4 it does not."""
    assert met(requirement, recovery(), Holding(strongest=30), NOW)
    assert not met(requirement, recovery(), Holding(strongest=30, recovery=False), NOW)


def test_a_recovery_code_counts_where_it_is_named() -> None:
    """An action that names it means it, at any level."""
    assert met(coerce("recovery_code"), recovery(), Holding(recovery=False), NOW)
    assert met(any_of("passkey", "recovery_code"), recovery(None), Holding(recovery=False), NOW)


@pytest.mark.parametrize("named", [any_of("recovery_code", "passkey"), all_of("recovery_code", "totp")])
def test_where_recovery_codes_are_named_they_stand_in_for_nothing(named: Requirement) -> None:
    """They have a place of their own: one code is never both the code and the authenticator it replaces."""
    pair = all_of("recovery_code", any_of("totp", "password"))

    assert not met(any_of(pair, "passkey"), recovery(), Holding(), NOW)
    assert met(pair, [*recovery(), *given_proofs("totp")], Holding(), NOW)
    assert met(named, [*recovery(), *given_proofs("totp")], Holding(), NOW)
    assert met(named, recovery("passkey"), Holding(), NOW) is (named == any_of("recovery_code", "passkey"))


def test_a_named_recovery_code_does_not_stand_in_elsewhere_in_the_requirement() -> None:
    """Neither for a method, nor for any, nor for the strongest, however far from where it is named."""
    for other in (coerce("totp"), ANY, STRONGEST):
        requirement = any_of(other, all_of("recovery_code", "password"))

        assert met(other, recovery(), Holding(strongest=30), NOW)
        assert not met(requirement, recovery(), Holding(strongest=30), NOW)
        assert open_methods(requirement, [Usable("recovery_code", 30, "totp")], [], Holding(strongest=30), NOW) == ()
        both = [*usable("password"), Usable("recovery_code", 30, "totp")]
        assert "recovery_code" in open_methods(requirement, both, [], Holding(strongest=50), NOW)


def test_only_a_recovery_code_that_may_stand_in_counts_as_another_method() -> None:
    """Whatever else a proof claims to stand for, at level 4 it counts as itself alone."""
    odd = [proof("password", strength=20, stands_for="totp")]

    assert met(coerce("totp"), odd, Holding(), NOW)
    assert not met(coerce("totp"), odd, Holding(recovery=False), NOW)
    assert met(coerce("password"), odd, Holding(recovery=False), NOW)


def test_a_recovery_code_stands_for_one_method_only() -> None:
    """It does not open what asks for something else."""
    for other in ("passkey", "password", "email_code"):
        assert not met(coerce(other), recovery("totp"), Holding(), NOW)
    assert not met(coerce("totp"), recovery(None), Holding(), NOW)


def test_an_old_recovery_code_is_old() -> None:
    """Freshness of the method it stands for applies to it."""
    requirement = method("totp", max_age=60)
    old = [proof("recovery_code", age=60, strength=30, stands_for="totp")]

    assert not met(requirement, old, Holding(), NOW)


# -- what to offer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requirement", "held", "offered"),
    [
        (PASSKEY_OR_BOTH, ("email_code", "password", "totp", "passkey"), ("passkey", "totp", "password")),
        (PASSKEY_OR_BOTH, ("password", "totp"), ("totp", "password")),
        (PASSKEY_OR_BOTH, ("passkey", "totp"), ("passkey",)),
        (PASSKEY_OR_BOTH, ("password",), ()),
        (PASSKEY_OR_BOTH, (), ()),
        (ANY, ("password", "email_code"), ("password", "email_code")),
        (STRONGEST, ("password", "totp"), ("totp",)),
        (all_of("password", STRONGEST), ("password", "totp"), ("totp", "password")),
        (all_of("password", "fresh_session"), ("password",), ()),
        (any_of("password", "fresh_session"), ("password",), ("password",)),
    ],
)
def test_only_what_leads_there_is_offered(
    requirement: Requirement, held: tuple[str, ...], offered: tuple[str, ...]
) -> None:
    """Strongest first, and nothing of a branch that cannot be finished."""
    assert open_methods(requirement, usable(*held), [], Holding(strongest=30), NOW) == offered


def test_what_is_already_proved_is_not_asked_again() -> None:
    """After one part only the other is open; after both nothing is."""
    requirement = all_of("password", "totp")
    both = usable("password", "totp")

    assert open_methods(requirement, both, given_proofs("password"), Holding(), NOW) == ("totp",)
    assert open_methods(requirement, both, given_proofs("password", "totp"), Holding(), NOW) == ()
    assert open_methods(all_of("fresh_session", "totp"), both, [], Holding(session_age=1, session_window=9), NOW) == (
        "totp",
    )


def test_what_does_not_count_is_not_offered() -> None:
    """Too weak, narrowed away, or a stand-in where none may stand in."""
    held = [*usable("email_code", "totp"), Usable("recovery_code", 30, "totp")]

    assert open_methods(ANY, held, [], Holding(min_strength=20), NOW) == ("totp", "recovery_code")
    assert open_methods(ANY, held, [], Holding(allowed=frozenset({"email_code"})), NOW) == ("email_code",)
    assert open_methods(coerce("totp"), held, [], Holding(recovery=False), NOW) == ("totp",)
    assert open_methods(coerce("totp"), held, [], Holding(recovery=True), NOW) == ("totp", "recovery_code")


# -- properties --------------------------------------------------------------------------------------------

method_names = st.sampled_from([*STRENGTHS, "fresh_session"])
requirements = st.recursive(
    st.builds(method, method_names, max_age=st.none() | st.integers(1, 120)) | st.sampled_from(Enrolled),
    lambda inner: st.lists(inner, min_size=1, max_size=3).flatmap(
        lambda parts: st.sampled_from([any_of(*parts), all_of(*parts)])
    ),
    max_leaves=6,
)


def _drawn(name: str, age: int, stands_for: str | None) -> Proof:
    stands = stands_for if name == "recovery_code" else None
    return proof(name, age=age, strength=STRENGTHS[name], stands_for=stands)


proofs_given = st.lists(
    st.builds(
        _drawn, st.sampled_from(list(STRENGTHS)), st.integers(-10, 200), st.sampled_from(["totp", "passkey", None])
    ),
    max_size=4,
)
holdings = st.builds(
    Holding,
    strongest=st.none() | st.sampled_from([10, 20, 30, 50]),
    min_strength=st.sampled_from([0, 10, 20, 40]),
    recovery=st.booleans(),
    session_age=st.none() | st.integers(0, 400),
    session_window=st.sampled_from([0, 60, 300]),
    allowed=st.none() | st.frozensets(st.sampled_from(list(STRENGTHS))),
)


@pytest.mark.requirement("P-06")
@given(requirements, proofs_given, proofs_given, holdings)
def test_another_proof_never_closes_what_was_open(
    requirement: Requirement, proofs: list[Proof], more: list[Proof], holding: Holding
) -> None:
    """Proofs only ever add."""
    if met(requirement, proofs, holding, NOW):
        assert met(requirement, [*proofs, *more], holding, NOW)


@pytest.mark.requirement("P-06")
@given(requirements, proofs_given, holdings, st.integers(0, 60), st.frozensets(st.sampled_from(list(STRENGTHS))))
def test_asking_for_more_never_opens_more(
    requirement: Requirement, proofs: list[Proof], holding: Holding, stronger: int, allowed: frozenset[str]
) -> None:
    """A higher least strength, fewer methods, no stand-ins or no fresh session never turn no into yes."""
    narrowed = allowed if holding.allowed is None else holding.allowed & allowed
    tighter = Holding(
        None if holding.strongest is None else holding.strongest + stronger,
        holding.min_strength + stronger,
        False,
        None,
        0,
        narrowed,
    )

    if met(requirement, proofs, tighter, NOW):
        assert met(requirement, proofs, holding, NOW)


@given(requirements, proofs_given, holdings, st.integers(0, 300))
def test_time_only_takes_away(requirement: Requirement, proofs: list[Proof], holding: Holding, later: int) -> None:
    """What is not met by proofs already given is not met later by the same proofs."""
    past = [one for one in proofs if one.at <= NOW]

    if met(requirement, past, holding, NOW + seconds(later)):
        assert met(requirement, past, holding, NOW)


@given(requirements, st.lists(st.sampled_from(list(STRENGTHS)), max_size=5, unique=True), proofs_given, holdings)
def test_proving_everything_offered_opens_it(
    requirement: Requirement, held: list[str], proofs: list[Proof], holding: Holding
) -> None:
    """If anything is offered, proving all of it leads there; if nothing is, it is met already or cannot be."""
    own = [Usable(name, STRENGTHS[name], "totp" if name == "recovery_code" else None) for name in held]
    offered = open_methods(requirement, own, proofs, holding, NOW)
    everything = [proof(u.method, strength=u.strength, stands_for=u.stands_for) for u in own]

    after = met(requirement, [*proofs, *(one for one in everything if one.method in offered)], holding, NOW)

    assert set(offered) <= set(held)
    if offered:
        assert after
    else:
        assert after == met(requirement, [*proofs, *everything], holding, NOW)


@given(requirements)
def test_the_json_form_tells_requirements_apart(requirement: Requirement) -> None:
    """It is stable, and holds every method named."""
    assert as_data(requirement) == as_data(requirement)
    assert all(name in str(as_data(requirement)) for name in names(requirement))
    assert coerce(requirement) is requirement
