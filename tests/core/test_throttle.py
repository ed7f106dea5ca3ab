"""How often a person may try: the schedule of waits, the guess budget, and what is forgiven by what."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime
from typing import Any

import pytest
from core_values import NOW, seconds
from hypothesis import given
from hypothesis import strategies as st

from stepup.errors import ConfigurationError
from stepup.limits import Limits
from stepup.throttle import (
    KEPT,
    MAX_ENDED,
    Blocked,
    Count,
    Guess,
    OpenChallenge,
    Throttle,
    closing,
    open_ids,
    opening,
    sending,
    unsending,
)
from stepup.tries import YEAR, Trial, blocked, counting, spent, succeeded, unlocked

LIMITS = Limits()
EMPTY = Throttle()


def trial(*factors: str, challenge: str = "c1", device: str | None = None, points: int = 0) -> Trial:
    return Trial(challenge, factors or ("totp:1",), device, points)


def failing(throttle: Throttle, times: int, one: Trial, *, at: datetime = NOW) -> Throttle:
    """*times* failures at the same moment, whether they would be taken or not."""
    for _ in range(times):
        throttle = counting(throttle, one, LIMITS, at)
    return throttle


# -- the schedule ------------------------------------------------------------------------

SCHEDULE = [0, 0, 0, 0, 0, 5, 15, 30, 60, 120, 900, 1800, 3600, 3600, 3600, 3600]
"""Seconds to wait after 0, 1, 2 ... failures: the golden table. A change of it is a change of the documentation."""


@pytest.mark.requirement("R-03", "R-06")
def test_the_schedule_of_waits() -> None:
    """Four failures cost nothing, then the wait grows, then the factor is locked for 15 minutes, at most an hour."""
    assert [LIMITS.wait(failures) for failures in range(len(SCHEDULE))] == SCHEDULE
    assert LIMITS.wait(99) == LIMITS.wait(10**9) == 3600


@pytest.mark.requirement("R-03")
@pytest.mark.parametrize(("failures", "wait"), list(enumerate(SCHEDULE)))
def test_the_wait_is_kept_to_the_second(failures: int, wait: int) -> None:
    """A second before its end the try is not taken; at its end it is."""
    one = trial()
    throttle = failing(EMPTY, failures, one)

    if not wait:
        assert blocked(throttle, one, LIMITS, NOW) is None
        return
    ends = NOW + seconds(wait)
    assert blocked(throttle, one, LIMITS, NOW) == Blocked("locked", ends)
    assert blocked(throttle, one, LIMITS, ends - seconds(1)) == Blocked("locked", ends)
    assert blocked(throttle, one, LIMITS, ends) is None


@given(st.integers(0, 300), st.integers(0, 300))
def test_more_failures_never_wait_less(one: int, two: int) -> None:
    """The schedule only grows."""
    assert LIMITS.wait(min(one, two)) <= LIMITS.wait(max(one, two))


@pytest.mark.requirement("R-03")
def test_failures_are_forgotten_after_a_quiet_day() -> None:
    """24 hours after the last failure the schedule begins again; a second earlier it goes on."""
    one = trial()
    throttle = failing(EMPTY, 9, one)
    day = seconds(LIMITS.forget_after)

    assert counting(throttle, one, LIMITS, NOW + day).counts["totp:1"].failures == 10
    assert counting(throttle, one, LIMITS, NOW + day + seconds(1)).counts["totp:1"].failures == 1
    assert counting(throttle, one, LIMITS, NOW + day + seconds(1)).counts["totp:1"].total == 10


@pytest.mark.requirement("R-01")
def test_a_hundred_in_a_row_disable_the_factor_for_good() -> None:
    """Spread over years so that no lock ever stops them, the hundredth disables: no time opens it again."""
    one, when, throttle = trial(), NOW, EMPTY
    for _ in range(99):
        throttle = counting(throttle, one, LIMITS, when)
        when += seconds(LIMITS.forget_after + 1)
    assert blocked(throttle, one, LIMITS, when) is None

    throttle = counting(throttle, one, LIMITS, when)

    for later in (0, 3600, 86400 * 1000):
        assert blocked(throttle, one, LIMITS, when + seconds(later)) == Blocked("disabled")
    assert blocked(throttle, trial("password:1"), LIMITS, when) is None
    assert blocked(unlocked(throttle, ["totp:1"]), one, LIMITS, when) is None


@pytest.mark.requirement("R-01")
def test_a_success_breaks_the_row() -> None:
    """99 failures, a success, 99 more: still not disabled, because they were not consecutive."""
    one = trial()
    throttle = succeeded(failing(EMPTY, 99, one), one, "totp:1", LIMITS)

    assert throttle.counts == {}
    assert blocked(failing(throttle, 99, one), one, LIMITS, NOW + seconds(3600)) is None


def test_where_several_factors_are_tried_one_that_may_not_stops_all() -> None:
    """An answer held against two authenticators is not taken while one of them is locked."""
    throttle = failing(EMPTY, 10, trial("totp:2"))

    assert blocked(throttle, trial("totp:1", "totp:2"), LIMITS, NOW) == Blocked("locked", NOW + seconds(900))
    assert blocked(throttle, trial("totp:1"), LIMITS, NOW) is None


# -- the guess budget --------------------------------------------------------------------


@pytest.mark.parametrize(("points", "live_codes"), [(2, 2), (1, 1)])
@pytest.mark.requirement("R-01")
def test_the_budget_bounds_guessing(points: int, live_codes: int) -> None:
    """Whoever guesses six digits all year, in any number of challenges, succeeds with a chance below 1e-4."""
    throttle, tries = EMPTY, 0
    while blocked(throttle, trial(f"f{tries}", points=points), LIMITS, NOW) is None:
        throttle = counting(throttle, trial(f"f{tries}", challenge=f"c{tries}", points=points), LIMITS, NOW)
        tries += 1

    assert tries == LIMITS.guess_budget // points
    assert 1 - (1 - live_codes / 10**6) ** tries < 1e-4
    assert blocked(throttle, trial("f", points=points), LIMITS, NOW) == Blocked("budget")


def test_the_budget_is_exact() -> None:
    """A try is taken while the points for it are still there, and not one point later."""
    throttle = replace(EMPTY, guesses=counting(EMPTY, trial(points=88), LIMITS, NOW).guesses)

    assert blocked(throttle, trial(points=2), LIMITS, NOW) is None
    throttle = replace(EMPTY, guesses=counting(EMPTY, trial(points=89), LIMITS, NOW).guesses)
    assert blocked(throttle, trial(points=2), LIMITS, NOW) == Blocked("budget")
    assert blocked(throttle, trial(points=1), LIMITS, NOW) is None


def test_what_cannot_be_guessed_costs_nothing_and_is_never_out_of_budget() -> None:
    """A password or passkey has no points, so an exhausted budget leaves it usable."""
    throttle = counting(EMPTY, trial(points=90), LIMITS, NOW)
    assert spent(throttle, NOW) == 90

    assert blocked(throttle, trial("password:1"), LIMITS, NOW) is None
    assert counting(throttle, trial("password:1"), LIMITS, NOW).guesses == throttle.guesses


def test_the_year_rolls() -> None:
    """Points come back 365 days after they were spent, and not a second earlier."""
    throttle = counting(EMPTY, trial(points=90), LIMITS, NOW)

    assert spent(throttle, NOW + YEAR - seconds(1)) == 90
    assert spent(throttle, NOW + YEAR) == 0
    assert counting(throttle, trial(challenge="c2", points=1), LIMITS, NOW + YEAR).guesses[0].challenge_id == "c2"


@pytest.mark.requirement("C-07", "C-08")
def test_success_gives_back_the_points_of_its_own_challenge_only() -> None:
    """A thief who guesses is not forgiven when the owner later proves something else."""
    throttle = counting(EMPTY, trial(challenge="thief", points=2), LIMITS, NOW)
    throttle = counting(throttle, trial(challenge="thief", points=2), LIMITS, NOW)
    throttle = counting(throttle, trial(challenge="owner", points=2), LIMITS, NOW)
    assert spent(throttle, NOW) == 6

    throttle = succeeded(throttle, trial(challenge="owner", points=2), "totp:1", LIMITS)

    assert throttle.guesses == (Guess("thief", ("totp:1",), NOW, 4),)
    assert spent(throttle, NOW) == 4


@pytest.mark.requirement("C-07", "R-01")
@pytest.mark.parametrize(
    ("factor", "left"),
    [
        ("password:1", ["email:1", "totp:1", "totp:1 totp:2"]),
        ("email:1", ["totp:1", "totp:1 totp:2"]),
        ("totp:1", ["email:1"]),
        ("totp:2", ["email:1", "totp:1"]),
        (None, ["email:1", "totp:1", "totp:1 totp:2"]),
    ],
)
def test_success_gives_back_the_guesses_at_the_factor_that_succeeded(factor: str | None, left: list[str]) -> None:
    """Proving the password does not pay for the codes guessed in the same challenge, and so not for guessing on."""
    throttle = EMPTY
    for one in (trial("email:1", points=1), trial("totp:1", points=2), trial("totp:1", "totp:2", points=4)):
        throttle = counting(counting(throttle, one, LIMITS, NOW), one, LIMITS, NOW)
    assert [guess.points for guess in throttle.guesses] == [2, 4, 8]

    throttle = succeeded(throttle, trial(*([factor] if factor else [])), factor, LIMITS)

    assert [" ".join(guess.factors) for guess in throttle.guesses] == left


# -- what success forgives ------------------------------------------------------------------


@pytest.mark.requirement("R-02")
def test_success_forgives_only_the_factor_that_was_used() -> None:
    """A right password does not take back wrong codes."""
    throttle = failing(failing(EMPTY, 7, trial("totp:1")), 3, trial("password:1"))

    throttle = succeeded(throttle, trial("password:1"), "password:1", LIMITS)

    assert set(throttle.counts) == {"totp:1"}
    assert throttle.counts["totp:1"] == Count(7, 7, NOW, NOW + seconds(30))


@pytest.mark.requirement("R-02")
def test_the_other_authenticators_lose_the_one_failure_of_this_try() -> None:
    """An answer right for one of two authenticators was never a failure of the other."""
    throttle = failing(EMPTY, 3, trial("totp:2"))
    both = trial("totp:1", "totp:2")

    throttle = succeeded(counting(throttle, both, LIMITS, NOW), both, "totp:1", LIMITS)

    assert set(throttle.counts) == {"totp:2"}
    assert (throttle.counts["totp:2"].failures, throttle.counts["totp:2"].total) == (3, 3)


def test_success_without_a_known_factor_forgives_only_itself() -> None:
    """Where the proof names no factor, nothing but this very try is taken back."""
    throttle = failing(EMPTY, 3, trial())

    throttle = succeeded(counting(throttle, trial(), LIMITS, NOW), trial(), None, LIMITS)

    assert (throttle.counts["totp:1"].failures, throttle.counts["totp:1"].total) == (3, 3)


@given(st.integers(0, 9), st.booleans())
def test_counting_and_succeeding_never_go_below_zero(before: int, known: bool) -> None:
    """Taking back what was never counted leaves zero, not a credit."""
    throttle = failing(EMPTY, before, trial())

    after = succeeded(throttle, trial("totp:1", "totp:9"), "totp:9" if known else None, LIMITS)

    assert all(count.failures >= 0 and count.total >= 0 for count in after.counts.values())
    assert after.counts.get("totp:1", Count()).failures == max(0, before - 1)


@pytest.mark.requirement("R-02", "R-03")
@pytest.mark.parametrize("failures", range(17))
def test_taking_a_try_back_leaves_what_was_before(failures: int) -> None:
    """Of the other authenticator's count, and its wait, what its own failures had made stays, and no more."""
    other, both = trial("totp:2"), trial("totp:1", "totp:2")
    before = failing(EMPTY, failures, other)

    after = succeeded(counting(before, both, LIMITS, NOW), both, "totp:1", LIMITS)

    wait = SCHEDULE[failures] if failures < len(SCHEDULE) else 3600
    assert after.counts == {"totp:2": Count(failures, failures, NOW, NOW + seconds(wait) if wait else None)}


def test_taking_a_try_back_never_locks_for_longer() -> None:
    """A wait that was shorter stays so; one that was not set, or cannot be dated, is not invented."""
    both = trial("totp:1", "totp:2")
    for count, until in (
        (Count(11, 11, NOW, NOW + seconds(10)), NOW + seconds(10)),
        (Count(11, 11, NOW, NOW + seconds(1800)), NOW + seconds(900)),
        (Count(11, 11, NOW, None), None),
        (Count(11, 11, None, NOW + seconds(10)), None),
        (Count(5, 5, NOW, NOW + seconds(5)), None),
    ):
        after = succeeded(Throttle(counts={"totp:2": count}), both, "totp:1", LIMITS)

        assert after.counts["totp:2"].locked_until == until


# -- trusted devices -----------------------------------------------------------------------


@pytest.mark.requirement("R-04")
def test_somebody_guessing_elsewhere_does_not_lock_out_the_trusted_device() -> None:
    """The owner's remembered browser has a window of its own."""
    throttle = failing(EMPTY, 12, trial())

    assert blocked(throttle, trial(), LIMITS, NOW)
    assert blocked(throttle, trial(device="laptop"), LIMITS, NOW) is None
    assert blocked(throttle, trial(device="phone"), LIMITS, NOW) is None


@pytest.mark.requirement("R-04")
def test_what_fails_on_a_trusted_device_counts_in_general_too() -> None:
    """Trusting a browser gives nobody a second row of tries: five there and five elsewhere lock like ten."""
    throttle = failing(failing(EMPTY, 5, trial(device="laptop")), 5, trial())

    assert throttle.counts["totp:1"] == Count(10, 10, NOW, NOW + seconds(900))
    assert throttle.counts["totp:1\x1flaptop"] == Count(5, 0, NOW, NOW + seconds(5))
    assert blocked(throttle, trial(), LIMITS, NOW) == Blocked("locked", NOW + seconds(900))
    assert blocked(throttle, trial(device="laptop"), LIMITS, NOW) == Blocked("locked", NOW + seconds(5))


@pytest.mark.requirement("R-04")
def test_a_trusted_device_is_limited_too() -> None:
    """Its failures lock it by the same schedule, and all untrusted places; not the other trusted ones."""
    throttle = failing(EMPTY, 10, trial(device="laptop"))

    assert blocked(throttle, trial(device="laptop"), LIMITS, NOW) == Blocked("locked", NOW + seconds(900))
    assert blocked(throttle, trial(), LIMITS, NOW) == Blocked("locked", NOW + seconds(900))
    assert blocked(throttle, trial(device="phone"), LIMITS, NOW) is None


@pytest.mark.requirement("R-01", "R-04")
def test_every_place_counts_towards_a_hundred() -> None:
    """The consecutive failures are the factor's, wherever they were made."""
    throttle = failing(failing(EMPTY, 50, trial(device="laptop")), 50, trial(device="phone"))

    for place in (trial(), trial(device="laptop"), trial(device="tablet")):
        assert blocked(throttle, place, LIMITS, NOW + seconds(7200)) == Blocked("disabled")


@pytest.mark.requirement("R-02", "R-04")
def test_success_on_a_trusted_device_leaves_the_general_lock() -> None:
    """The owner gets in; whoever is guessing elsewhere stays locked out, though no longer towards a hundred."""
    throttle = failing(EMPTY, 10, trial())
    owner = trial(device="laptop")

    throttle = succeeded(counting(throttle, owner, LIMITS, NOW), owner, "totp:1", LIMITS)

    assert throttle.counts == {"totp:1": Count(10, 0, NOW, NOW + seconds(900))}
    assert blocked(throttle, trial(), LIMITS, NOW + seconds(899))
    assert blocked(throttle, trial(), LIMITS, NOW + seconds(900)) is None


def test_windows_of_trusted_devices_are_dropped_when_they_mean_nothing() -> None:
    """A window older than a day goes; the factor's consecutive failures are never dropped."""
    throttle = failing(EMPTY, 3, trial(device="laptop"))
    assert set(throttle.counts) == {"totp:1", "totp:1\x1flaptop"}

    later = counting(throttle, trial("password:1"), LIMITS, NOW + seconds(LIMITS.forget_after + 1))

    assert set(later.counts) == {"totp:1", "password:1"}
    assert later.counts["totp:1"].total == 3


def test_a_count_without_a_time_is_kept() -> None:
    """What cannot be dated is not dropped."""
    throttle = replace(EMPTY, counts={"x": Count()})

    assert "x" in counting(throttle, trial(), LIMITS, NOW).counts


@pytest.mark.parametrize(
    ("before", "right"),
    [(trial("totp:2"), trial("totp:1", "totp:2")), (trial("totp:1"), trial("totp:1", device="laptop"))],
    ids=["two authenticators", "trusted device"],
)
def test_a_right_answer_locks_nothing(before: Trial, right: Trial) -> None:
    """Counting up front is undone by success, the wait as well as the number."""
    throttle = failing(EMPTY, 9, before)
    later = NOW + seconds(3600)
    assert blocked(throttle, before, LIMITS, later) is None
    counted = counting(throttle, right, LIMITS, later)
    assert blocked(counted, before, LIMITS, later + seconds(899))

    throttle = succeeded(counted, right, "totp:1", LIMITS)

    assert throttle.counts[before.factors[0]].failures == 9
    # What is left is the wait of nine failures, counted from this try at the latest.
    assert blocked(throttle, before, LIMITS, later + seconds(SCHEDULE[9])) is None


# -- unlocking -------------------------------------------------------------------------------


def test_unlocking_everything() -> None:
    """All counters and the budget are at zero; open challenges and sends stay."""
    throttle = counting(failing(EMPTY, 20, trial()), trial(points=90), LIMITS, NOW)
    opened = opening(throttle, OpenChallenge("slot", "c1", NOW + seconds(300)), LIMITS, NOW)
    assert isinstance(opened, Throttle)

    free = unlocked(opened)

    assert (free.counts, free.guesses) == ({}, ())
    assert free.open == opened.open


def test_unlocking_one_factor() -> None:
    """Its windows on every device go; other factors and the budget stay."""
    throttle = failing(failing(EMPTY, 10, trial(device="laptop")), 10, trial("password:1", points=1))

    free = unlocked(throttle, ["totp:1"])

    assert set(free.counts) == {"password:1"}
    assert spent(free, NOW) == 10


# -- open challenges ---------------------------------------------------------------------------


def one_open(name: str, slot: str | None = None, ttl: int = 300) -> OpenChallenge:
    return OpenChallenge(slot or f"slot {name}", name, NOW + seconds(ttl))


def with_open(*names: str) -> Throttle:
    throttle = EMPTY
    for name in names:
        opened = opening(throttle, one_open(name), LIMITS, NOW)
        assert isinstance(opened, Throttle)
        throttle = opened
    return throttle


def test_ten_are_open_at_most() -> None:
    """The eleventh is refused, with the moment the first of them ends."""
    throttle = with_open(*(f"c{number}" for number in range(10)))

    assert opening(throttle, one_open("c10"), LIMITS, NOW) == Blocked("open", NOW + seconds(300))
    assert len(open_ids(throttle)) == 10


def test_one_more_fits_when_one_ends() -> None:
    """Closing, or the clock, makes room, at the very moment it says."""
    throttle = with_open(*(f"c{number}" for number in range(10)))

    closed = opening(closing(throttle, "c3"), one_open("c10"), LIMITS, NOW)
    assert isinstance(closed, Throttle)
    assert open_ids(closed) == {f"c{number}" for number in range(11)} - {"c3"}
    ends = NOW + seconds(300)
    assert isinstance(opening(throttle, one_open("c10"), LIMITS, ends - seconds(1)), Blocked)
    later = opening(throttle, one_open("c10", ttl=900), LIMITS, ends)
    assert isinstance(later, Throttle)
    assert later.open[-1] == one_open("c10", ttl=900)


def test_what_expired_stays_listed_for_a_day() -> None:
    """It takes no room among the ten, is not taken for superseded, and goes in the end; a bounded number stays."""
    throttle = EMPTY
    for number in range(60):
        opened = opening(throttle, one_open(f"c{number}", ttl=number * 400 + 300), LIMITS, NOW + seconds(number * 400))
        assert isinstance(opened, Throttle)
        throttle = opened

    assert {"c59", "c58"} < open_ids(throttle)
    assert len(open_ids(throttle)) == MAX_ENDED + 1
    next_day = opening(throttle, one_open("new", ttl=10**6), LIMITS, NOW + seconds(60 * 400) + KEPT)
    assert isinstance(next_day, Throttle)
    assert open_ids(next_day) == {"new"}


def test_a_new_challenge_supersedes_the_one_in_its_slot() -> None:
    """One challenge per binding, even where ten are open."""
    throttle = with_open(*(f"c{number}" for number in range(10)))

    again = opening(throttle, one_open("new", slot="slot c4"), LIMITS, NOW)

    assert isinstance(again, Throttle)
    assert open_ids(again) == {f"c{number}" for number in range(10)} - {"c4"} | {"new"}


def test_closing_what_is_not_open_changes_nothing() -> None:
    """Closing twice is closing once."""
    throttle = with_open("c1")

    assert closing(closing(throttle, "c1"), "c1") == closing(throttle, "c1") == replace(EMPTY, starts=(NOW, 1))
    assert closing(throttle, "c2") == throttle


# -- challenges opened ---------------------------------------------------------------------------


def opened_often(throttle: Throttle, times: int, at: datetime = NOW) -> Throttle:
    """*times* challenges in the same slot, each superseding the one before."""
    for number in range(times):
        opened = opening(throttle, OpenChallenge("slot", f"c{number}", at + seconds(300)), LIMITS, at)
        assert isinstance(opened, Throttle), (number, opened)
        throttle = opened
    return throttle


def test_a_hundred_challenges_in_an_hour() -> None:
    """Superseding one's own challenges again and again is no way to endless tries, nor is closing them."""
    throttle = opened_often(EMPTY, 100)
    one = one_open("more")

    assert throttle.starts == (NOW, 100)
    assert opening(throttle, one, LIMITS, NOW) == Blocked("starts", NOW + seconds(3600))
    assert opening(closing(throttle, "c99"), one, LIMITS, NOW) == Blocked("starts", NOW + seconds(3600))
    assert opening(unlocked(throttle), one, LIMITS, NOW) == Blocked("starts", NOW + seconds(3600))
    assert opening(throttle, one, LIMITS, NOW + seconds(3599)) == Blocked("starts", NOW + seconds(3600))


def test_the_hour_of_the_challenges_begins_with_the_first() -> None:
    """It ends 3600 seconds after it, to the second, and the next one begins with the next challenge."""
    throttle = opened_often(opened_often(EMPTY, 1), 99, NOW + seconds(3000))

    assert isinstance(opening(throttle, one_open("more"), LIMITS, NOW + seconds(3599)), Blocked)
    assert opened_often(throttle, 1, NOW + seconds(3600)).starts == (NOW + seconds(3600), 1)
    assert opened_often(throttle, 100, NOW + seconds(7000)).starts == (NOW + seconds(7000), 100)


def test_a_challenge_that_was_refused_was_not_opened() -> None:
    """Where ten are open, asking for more costs nothing of the hundred."""
    throttle = with_open(*(f"c{number}" for number in range(10)))

    assert throttle.starts == (NOW, 10)
    assert isinstance(opening(throttle, one_open("c10"), LIMITS, NOW), Blocked)


# -- sends -------------------------------------------------------------------------------------


def sent(throttle: Throttle, at: float, action: str = "a", challenge: str = "c1") -> Throttle:
    after = sending(throttle, action, challenge, LIMITS, NOW + seconds(at))
    assert isinstance(after, Throttle), after
    return after


@pytest.mark.requirement("E-07")
def test_a_minute_between_two_messages() -> None:
    """The next one goes at 60 seconds, not at 59, whichever challenge of the action asks for it."""
    throttle = sent(EMPTY, 0)

    for challenge in ("c1", "c2"):
        assert sending(throttle, "a", challenge, LIMITS, NOW + seconds(59)) == Blocked("cooldown", NOW + seconds(60))
    assert len(sent(throttle, 60, challenge="c2").sends) == 2


@pytest.mark.requirement("E-07")
def test_three_in_ten_minutes() -> None:
    """The fourth waits until the first is ten minutes old; other actions have their own count."""
    throttle = sent(sent(sent(EMPTY, 0), 60), 120)

    assert sending(throttle, "a", "c1", LIMITS, NOW + seconds(599)) == Blocked("sends", NOW + seconds(600))
    assert len(sent(throttle, 180, action="b").sends) == 4
    assert [send.at for send in sent(throttle, 600).sends] == [NOW + seconds(at) for at in (60, 120, 600)]


@pytest.mark.requirement("E-07")
def test_twenty_askings_in_a_minute_are_one_message() -> None:
    """Asking often sends nothing more."""
    throttle, count = EMPTY, 0
    for second in range(0, 60, 3):
        after = sending(throttle, "a", f"c{second}", LIMITS, NOW + seconds(second))
        if isinstance(after, Throttle):
            throttle, count = after, count + 1

    assert count == 1


def test_what_was_not_delivered_was_not_sent() -> None:
    """Taking a message back takes back that one only."""
    throttle = sent(sent(EMPTY, 0), 60, challenge="c2")

    assert unsending(throttle, "c2", NOW + seconds(60)) == sent(EMPTY, 0)
    assert unsending(throttle, "c2", NOW) == throttle
    assert len(sent(unsending(throttle, "c2", NOW + seconds(60)), 61).sends) == 2


# -- the numbers ---------------------------------------------------------------------------------


def test_the_defaults() -> None:
    """The numbers of the documentation, each."""
    assert {field.name: getattr(LIMITS, field.name) for field in fields(LIMITS)} == {
        "open_challenges": 10,
        "starts": 100,
        "starts_window": 3600,
        "sends": 3,
        "sends_window": 600,
        "resend_after": 60,
        "lock_after": 10,
        "lock_for": 900,
        "lock_at_most": 3600,
        "delays": (5, 15, 30, 60, 120),
        "delay_after": 5,
        "forget_after": 86400,
        "disable_after": 100,
        "guess_budget": 90,
        "trusted_devices": 10,
        "trusted_device_ttl": 30 * 86400,
    }


@pytest.mark.requirement("G-12")
@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
@pytest.mark.parametrize("value", [0, -1, 1.5, "10", None, True])
def test_a_number_that_cannot_be_right_is_refused_by_name(name: str, value: Any) -> None:
    """Zero, negative, fractional and missing limits fail at construction."""
    wrong: Any = (5, value) if name == "delays" else value

    with pytest.raises(ConfigurationError, match=rf"Limits\.{name} must be positive whole numbers"):
        Limits(**{name: wrong})


@pytest.mark.parametrize("device", [None, "laptop"])
def test_an_address_can_be_a_factors_id(device: str | None) -> None:
    """Unlocking a factor whose id holds an @ unlocks it, and no other."""
    one = trial("olivia@northstar.example", device=device)
    throttle = failing(failing(EMPTY, 10, one), 10, trial("olivia", device=device))

    free = unlocked(throttle, ["olivia@northstar.example"])

    assert set(free.counts) == {"olivia", f"olivia\x1f{device}"} - {"olivia\x1fNone"}
    assert blocked(free, one, LIMITS, NOW) is None
    assert blocked(free, trial("olivia", device=device), LIMITS, NOW) == Blocked("locked", NOW + seconds(900))
