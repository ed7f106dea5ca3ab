"""What a person has enrolled: the roster, quarantine, and which factor is the strongest."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_values import NOW, seconds
from hypothesis import given
from hypothesis import strategies as st

from stepup.factor import QUARANTINE, Factor, FactorSet, Roster, Seen, StoredFactor, quarantine_until, strongest

STRENGTHS = {"passkey": 50, "totp": 30, "password": 20, "email_code": 10, "recovery_code": 60}
TOTP = Factor("totp:1", "totp")
OTHER = Factor("totp:2", "totp")
CODES = Factor("codes:1", "recovery_code", stands_for="totp")
PASSWORD = Factor("password", "password", fingerprint="hash one")
DAY = seconds(86400)


# -- the roster ------------------------------------------------------------------------------


def test_a_roster_finds_its_factors() -> None:
    """By method, in the order enrolled, and by id."""
    roster = Roster().adding(TOTP).adding(OTHER).adding(CODES)

    assert roster.of("totp") == (TOTP, OTHER)
    assert roster.of("passkey") == ()
    assert roster.get("totp:2") == OTHER
    assert roster.get("totp:3") is None


@pytest.mark.requirement("L-01")
def test_new_recovery_codes_replace_the_old_ones() -> None:
    """There is one set of them; other factors stand side by side."""
    newer = replace(CODES, id="codes:2")

    roster = Roster().adding(TOTP).adding(CODES).adding(newer).adding(OTHER)

    assert roster.factors == (TOTP, newer, OTHER)


@pytest.mark.requirement("L-04")
@pytest.mark.parametrize(
    ("roster", "removed", "others", "left"),
    [
        (Roster((TOTP, CODES)), "totp:1", (), ()),
        (Roster((TOTP, OTHER, CODES)), "totp:1", (), (OTHER, CODES)),
        (Roster((TOTP, CODES)), "codes:1", (), (TOTP,)),
        (Roster((TOTP, CODES)), "unknown", (), (TOTP, CODES)),
        (Roster((CODES,)), "unknown", (), ()),
        (Roster((CODES,)), "unknown", ("totp",), (CODES,)),
        (Roster((TOTP, CODES)), "totp:1", ("password",), ()),
        (Roster((TOTP, CODES)), "totp:1", ("totp",), (CODES,)),
    ],
)
def test_recovery_codes_go_with_what_they_stand_for(
    roster: Roster, removed: str, others: tuple[str, ...], left: tuple[Factor, ...]
) -> None:
    """Codes that recover nothing any more are removed with the last factor of their method."""
    assert roster.without(removed, others).factors == left


# -- quarantine --------------------------------------------------------------------------------


@pytest.mark.requirement("P-09")
def test_a_factor_that_changed_unproved_waits_a_day() -> None:
    """The first look only remembers; a change starts quarantine, which ends to the second."""
    roster = Roster().observing([PASSWORD], NOW)
    assert roster.seen == (Seen("password", "hash one"),)
    assert roster.apply_quarantine([PASSWORD]) == (PASSWORD,)

    changed = replace(PASSWORD, fingerprint="hash two")
    roster = roster.observing([changed], NOW)
    (waiting,) = roster.apply_quarantine([changed])

    assert QUARANTINE == DAY
    assert waiting.quarantined_until == NOW + DAY
    assert [waiting.in_quarantine(NOW + seconds(at)) for at in (0, 86399, 86400, 86401)] == [True, True, False, False]


def test_looking_again_changes_nothing() -> None:
    """The same fingerprints give the very same roster, so nothing has to be written."""
    roster = Roster().observing([PASSWORD], NOW)

    assert roster.observing([PASSWORD], NOW + DAY) is roster
    assert roster.observing([], NOW) is roster
    assert roster.observing([replace(PASSWORD, fingerprint=None)], NOW) is roster


def test_looking_again_does_not_lengthen_quarantine() -> None:
    """It counts from the change, not from every look at it."""
    changed = replace(PASSWORD, fingerprint="hash two")
    roster = Roster().observing([PASSWORD], NOW).observing([changed], NOW)

    assert roster.observing([changed], NOW + seconds(3600)) is roster


def test_changing_back_starts_again() -> None:
    """An attacker who restores the old value after a change gains nothing."""
    changed = replace(PASSWORD, fingerprint="hash two")
    roster = Roster().observing([PASSWORD], NOW).observing([changed], NOW).observing([PASSWORD], NOW + DAY)

    assert roster.apply_quarantine([PASSWORD])[0].quarantined_until == NOW + DAY + DAY


def test_a_change_under_a_step_up_is_trusted() -> None:
    """It counts at once, or from when its proof says; other factors keep what is known of them."""
    address = Factor("email", "email_code", fingerprint="address")
    roster = Roster().observing([PASSWORD, address], NOW)

    trusted = roster.trusting("password", "hash two")
    waiting = roster.trusting("password", "hash two", NOW + DAY)

    changed = replace(PASSWORD, fingerprint="hash two")
    assert trusted.observing([changed], NOW) is trusted
    assert trusted.apply_quarantine([changed]) == (changed,)
    assert waiting.apply_quarantine([changed])[0].quarantined_until == NOW + DAY
    assert Seen("email", "address") in trusted.seen


def test_a_quarantine_of_its_own_is_kept() -> None:
    """What a verifier or the roster already says about a factor is not overwritten."""
    own = replace(PASSWORD, quarantined_until=NOW + seconds(1))
    roster = Roster(seen=(Seen("password", "x", NOW + DAY),))

    assert roster.apply_quarantine([own, TOTP]) == (own, TOTP)


@pytest.mark.requirement("P-09")
@pytest.mark.parametrize(
    ("strength", "proved", "waits"), [(50, 30, True), (30, 30, False), (20, 30, False), (30, 29, True), (10, 0, True)]
)
def test_a_factor_enrolled_under_a_weaker_proof_waits(strength: int, proved: int, waits: bool) -> None:
    """Otherwise a stolen password would enrol a passkey and be as strong as one."""
    assert quarantine_until(strength, proved, NOW) == (NOW + DAY if waits else None)


# -- the strongest -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factors", "strength"),
    [
        ((), None),
        ((PASSWORD,), 20),
        ((PASSWORD, TOTP), 30),
        ((TOTP, replace(TOTP, id="x", usable=False)), 30),
        ((PASSWORD, replace(TOTP, usable=False)), 30),
        ((PASSWORD, replace(TOTP, quarantined_until=NOW + seconds(1))), 20),
        ((PASSWORD, replace(TOTP, quarantined_until=NOW)), 30),
        ((PASSWORD, CODES), 20),
        ((CODES,), None),
        ((Factor("passkey:1", "passkey", 40), PASSWORD), 40),
        ((Factor("x", "unheard_of"), PASSWORD), 20),
        ((Factor("x", "unheard_of"),), 0),
        ((Factor("x", "fresh_session", 99), PASSWORD), 20),
    ],
)
def test_the_strongest_enrolled(factors: tuple[Factor, ...], strength: int | None) -> None:
    """Unreadable ones count, quarantined ones and recovery codes do not; a factor's own strength goes first."""
    assert strongest(factors, STRENGTHS, NOW) == strength


@given(st.lists(st.sampled_from([TOTP, PASSWORD, CODES, OTHER]), max_size=4), st.booleans())
def test_breaking_a_factor_never_weakens_what_is_asked(factors: list[Factor], usable: bool) -> None:
    """Making any factor unusable leaves the strongest as it was."""
    broken = [replace(factor, usable=usable) for factor in factors]

    assert strongest(broken, STRENGTHS, NOW) == strongest(factors, STRENGTHS, NOW)


# -- stored factors --------------------------------------------------------------------------------


def test_a_set_of_stored_factors() -> None:
    """One is found, replaced in its place, added, and taken out by id."""
    one, two = StoredFactor("totp:1", "totp", {"step": 1}), StoredFactor("totp:2", "totp", {"step": 5})
    both = FactorSet().replacing(one).replacing(two)
    moved = replace(one, data={"step": 2})

    assert both.get("totp:1") == one
    assert both.get("totp:3") is None
    assert both.replacing(moved).get("totp:1") == moved
    assert len(both.replacing(moved).factors) == 2
    assert both.without("totp:1").factors == (two,)
    assert both.without("totp:3") == both


@pytest.mark.requirement("Z-08", "S-06")
def test_factors_show_no_material() -> None:
    """Neither what lies behind a factor nor its verifier's data is in a repr."""
    assert "hunter2" not in repr(Factor("password", "password", material=b"hunter2"))
    assert "hunter2" not in repr(FactorSet((StoredFactor("totp:1", "totp", {"secret": "hunter2"}),)))
