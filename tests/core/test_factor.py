"""What a person has enrolled: the roster, quarantine, and which factor is the strongest."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

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
CHANGED = replace(PASSWORD, fingerprint="hash two")
DAY = seconds(86400)


def watching(*factors: Factor) -> Roster:
    """A roster that has seen these factors, and their methods, before."""
    return Roster().observing(factors, [factor.method for factor in factors], NOW)


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
    roster = Roster().observing([PASSWORD], ["password"], NOW)
    assert (roster.seen, roster.methods) == ((Seen("password", "hash one"),), ("password",))
    assert roster.apply_quarantine([PASSWORD]) == (PASSWORD,)

    roster = roster.observing([CHANGED], ["password"], NOW)
    (waiting,) = roster.apply_quarantine([CHANGED])

    assert QUARANTINE == DAY
    assert waiting == replace(CHANGED, quarantined_until=NOW + DAY, changed=True)
    assert [waiting.in_quarantine(NOW + seconds(at)) for at in (0, 86399, 86400, 86401)] == [True, True, False, False]


@pytest.mark.requirement("P-09")
@pytest.mark.parametrize(
    ("observed", "until"),
    [((), None), (("email_code",), None), (("password",), NOW + DAY), (("email_code", "password"), NOW + DAY)],
)
def test_a_factor_that_appears_later_is_new(observed: tuple[str, ...], until: datetime | None) -> None:
    """What is there at the first look at a method is taken as it is; what appears under it afterwards waits a day."""
    roster = Roster().observing([], observed, NOW - DAY)

    after = roster.observing([PASSWORD], ["password"], NOW)

    assert after.seen == (Seen("password", "hash one", until),)
    assert after.apply_quarantine([PASSWORD]) == (replace(PASSWORD, quarantined_until=until),)


def test_methods_are_remembered_in_the_order_met() -> None:
    """Each once, whether or not the person has a factor of it, and never forgotten."""
    roster = Roster().observing([PASSWORD], ["password", "email_code"], NOW).observing([], ["passkey", "password"], NOW)

    assert roster.methods == ("password", "email_code", "passkey")
    assert roster.observing([], ["passkey"], NOW) is roster


def test_what_is_new_stays_new_until_its_quarantine_is_over() -> None:
    """Changing it meanwhile starts its day again and does not make it count; afterwards it is a factor like others."""
    new = Roster().observing([], ["password"], NOW).observing([PASSWORD], ["password"], NOW)

    early = new.observing([CHANGED], ["password"], NOW + DAY - seconds(1))
    late = new.observing([CHANGED], ["password"], NOW + DAY)

    assert early.seen == (Seen("password", "hash two", NOW + DAY + DAY - seconds(1)),)
    assert late.seen == (Seen("password", "hash two", NOW + DAY + DAY, changed=True),)


def test_what_changed_stays_changed() -> None:
    """A second change, in the middle of the first one's quarantine, does not turn it into a new factor."""
    roster = watching(PASSWORD).observing([CHANGED], ["password"], NOW)

    again = roster.observing([PASSWORD], ["password"], NOW + seconds(3600))

    assert again.seen == (Seen("password", "hash one", NOW + seconds(3600) + DAY, changed=True),)


@pytest.mark.requirement("P-09")
def test_what_cannot_be_read_is_passed_over() -> None:
    """A directory that is down tells nothing: what was known stays known, and the factor is the old one afterwards."""
    roster = watching(PASSWORD)
    unreadable = Factor("password:unreadable", "password", usable=False)
    unknown = replace(CHANGED, usable=False)

    assert roster.observing([unreadable, unknown], ["password"], NOW + DAY) is roster
    assert roster.observing([PASSWORD], ["password"], NOW + DAY) is roster


@pytest.mark.parametrize("until", [None, NOW + DAY])
def test_where_one_side_has_no_fingerprint_nothing_changed(until: datetime | None) -> None:
    """A gate that begins to look at the material remembers it; one that ceases to, keeps it; quarantine stays."""
    bare = replace(PASSWORD, fingerprint=None)
    blind = Roster((), (Seen("password", None, until, changed=until is not None),), ("password",))
    sighted = Roster((), (Seen("password", "hash one", until, changed=until is not None),), ("password",))

    assert blind.observing([PASSWORD], ["password"], NOW) == sighted
    assert sighted.observing([bare], ["password"], NOW) is sighted
    assert blind.observing([bare], ["password"], NOW) is blind
    changed = sighted.observing([bare], ["password"], NOW).observing([CHANGED], ["password"], NOW)
    assert changed.seen == (Seen("password", "hash two", NOW + DAY, changed=True),)


def test_a_digest_under_an_older_key_is_renewed() -> None:
    """After a rotation of keys the same material has another digest: remembered, and no change."""
    rotated = replace(PASSWORD, renewed="hash one, newest key")
    waiting = Roster((), (Seen("password", "hash one", NOW + DAY, changed=True),), ("password",))

    assert watching(PASSWORD).observing([rotated], ["password"], NOW).seen == (
        Seen("password", "hash one, newest key"),
    )
    assert waiting.observing([rotated], ["password"], NOW).seen == (
        Seen("password", "hash one, newest key", NOW + DAY, changed=True),
    )
    changed = watching(PASSWORD).observing([replace(rotated, fingerprint="hash two")], ["password"], NOW)
    assert changed.seen == (Seen("password", "hash two", NOW + DAY, changed=True),)


def test_looking_again_changes_nothing() -> None:
    """The same fingerprints give the very same roster, so nothing has to be written."""
    roster = watching(PASSWORD)

    assert roster.observing([PASSWORD], ["password"], NOW + DAY) is roster
    assert roster.observing([], ["password"], NOW) is roster
    assert roster.observing([], [], NOW) is roster
    assert roster.observing([replace(PASSWORD, fingerprint=None)], ["password"], NOW) is roster


def test_looking_again_does_not_lengthen_quarantine() -> None:
    """It counts from the change, not from every look at it."""
    roster = watching(PASSWORD).observing([CHANGED], ["password"], NOW)

    assert roster.observing([CHANGED], ["password"], NOW + seconds(3600)) is roster


def test_changing_back_starts_again() -> None:
    """An attacker who restores the old value after a change gains nothing."""
    roster = watching(PASSWORD).observing([CHANGED], ["password"], NOW).observing([PASSWORD], ["password"], NOW + DAY)

    assert roster.apply_quarantine([PASSWORD])[0].quarantined_until == NOW + DAY + DAY


def test_a_change_under_a_step_up_is_trusted() -> None:
    """It counts at once, or from when its proof says; other factors keep what is known of them."""
    address = Factor("email", "email_code", fingerprint="address")
    roster = watching(PASSWORD, address)

    trusted = roster.trusting("password", "hash two", NOW)
    waiting = roster.trusting("password", "hash two", NOW, NOW + DAY)

    assert trusted.observing([CHANGED], ["password"], NOW) is trusted
    assert trusted.apply_quarantine([CHANGED]) == (CHANGED,)
    assert waiting.apply_quarantine([CHANGED]) == (replace(CHANGED, quarantined_until=NOW + DAY, changed=True),)
    assert Seen("email", "address") in trusted.seen
    assert (trusted.methods, waiting.methods) == (roster.methods, roster.methods)


@pytest.mark.requirement("P-09")
def test_trusting_what_is_new_does_not_make_it_count() -> None:
    """Under too weak a proof a factor never seen, or still new, waits as a new one; what had changed, as changed."""
    unseen = Roster((), (), ("password",))
    new = Roster((), (Seen("password", "hash one", NOW + DAY),), ("password",))
    changed = Roster((), (Seen("password", "hash one", NOW + DAY, changed=True),), ("password",))

    for roster, as_changed in ((unseen, False), (new, False), (changed, True)):
        assert roster.trusting("password", "hash two", NOW, NOW + DAY).seen == (
            Seen("password", "hash two", NOW + DAY, as_changed),
        )
        assert roster.trusting("password", "hash two", NOW).seen == (Seen("password", "hash two"),)


def test_what_was_new_once_has_become_one_of_the_persons_own() -> None:
    """A factor whose wait is over changes like any other: under too weak a proof it still counts as enrolled."""
    waited = Roster((), (Seen("password", "hash one", NOW),), ("password",))

    changed = waited.trusting("password", "hash two", NOW, NOW + DAY)

    assert changed.seen == (Seen("password", "hash two", NOW + DAY, changed=True),)


def test_the_rosters_quarantine_replaces_the_factors_own() -> None:
    """What the roster knows goes first; a factor it knows no quarantine of keeps what its verifier says."""
    own = replace(PASSWORD, quarantined_until=NOW + seconds(1))
    knows = Roster(seen=(Seen("password", "x", NOW + DAY),))
    knows_none = Roster(seen=(Seen("password", "x"),))

    assert knows.apply_quarantine([own, TOTP]) == (replace(own, quarantined_until=NOW + DAY), TOTP)
    assert knows_none.apply_quarantine([own, TOTP]) == (own, TOTP)
    assert Roster().apply_quarantine([own, TOTP]) == (own, TOTP)


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
        ((PASSWORD, replace(TOTP, quarantined_until=NOW + seconds(1), changed=True)), 30),
        ((PASSWORD, replace(TOTP, quarantined_until=NOW + seconds(1), usable=False)), 30),
        ((PASSWORD, CODES), 20),
        ((CODES,), None),
        ((Factor("passkey:1", "passkey", 40), PASSWORD), 40),
        ((Factor("x", "unheard_of"), PASSWORD), 20),
        ((Factor("x", "unheard_of"),), 0),
        ((Factor("x", "fresh_session", 99), PASSWORD), 20),
    ],
)
def test_the_strongest_enrolled(factors: tuple[Factor, ...], strength: int | None) -> None:
    """Unreadable and changed ones count, new ones and recovery codes do not; a factor's own strength goes first."""
    assert strongest(factors, STRENGTHS, NOW) == strength


@given(st.lists(st.sampled_from([TOTP, PASSWORD, CODES, OTHER]), max_size=4), st.booleans())
def test_breaking_a_factor_never_weakens_what_is_asked(factors: list[Factor], usable: bool) -> None:
    """Making any factor unusable leaves the strongest as it was."""
    broken = [replace(factor, usable=usable) for factor in factors]

    assert strongest(broken, STRENGTHS, NOW) == strongest(factors, STRENGTHS, NOW)


@pytest.mark.requirement("P-09", "P-11")
def test_resetting_the_strong_factor_does_not_open_the_weak_one() -> None:
    """After a password reset by mail more than a mailed code is asked for still; a planted factor adds nothing."""
    roster = watching(PASSWORD)
    address = Factor("email", "email_code")

    reset = roster.observing([CHANGED], ["password", "passkey"], NOW)
    planted = reset.observing([CHANGED, Factor("passkey:1", "passkey")], ["password", "passkey"], NOW)

    held = planted.apply_quarantine([CHANGED, Factor("passkey:1", "passkey")])
    assert [factor.in_quarantine(NOW) for factor in held] == [True, True]
    assert strongest([*held, address], STRENGTHS, NOW) == 20


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
