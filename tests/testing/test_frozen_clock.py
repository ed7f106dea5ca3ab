"""The clock for tests stands still until it is told to move."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

import pytest

from stepup.clock import ForwardClock
from stepup.errors import InvalidInput
from stepup.testing.clock import START, FrozenClock

NOON = datetime(2026, 6, 11, 12, tzinfo=UTC)


def test_it_stands_still() -> None:
    """Asking for the time does not move it, and without a time it starts at a fixed one."""
    clock = FrozenClock(NOON)
    assert [clock.now(), clock.now()] == [NOON, NOON]
    assert FrozenClock().now() == START
    assert repr(clock) == "FrozenClock(2026-06-11T12:00:00+00:00)"


def test_it_moves_when_told() -> None:
    """It advances by seconds or by a timedelta, and can be set anywhere."""
    clock = FrozenClock(NOON)
    assert clock.advance(90) == NOON + timedelta(seconds=90)
    assert clock.advance(0.5) == NOON + timedelta(seconds=90.5)
    assert clock.advance(timedelta(days=1)) == clock.now() == NOON + timedelta(days=1, seconds=90.5)
    clock.set(NOON - timedelta(days=400))
    assert clock.now() == NOON - timedelta(days=400)


def test_its_times_are_utc() -> None:
    """A time given in another zone is the same moment, in UTC."""
    clock = FrozenClock(datetime(2026, 6, 11, 14, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now() == NOON
    assert clock.now().tzinfo is UTC


def test_set_back_it_shows_that_time_never_goes_back() -> None:
    """A gate's clock keeps the latest time it has seen when this one is set back."""
    clock = FrozenClock(NOON)
    seen = ForwardClock(clock)
    assert seen.now() == NOON
    clock.set(NOON - timedelta(hours=1))
    assert seen.now() == NOON


@pytest.mark.parametrize("by", [-1, timedelta(microseconds=-1), float("nan"), float("inf"), 1e300, "1", None, True])
def test_it_advances_forward_only(by: object) -> None:
    """A step back, or one that is no time, is refused, and the clock stays where it is."""
    clock = FrozenClock(NOON)
    with pytest.raises(InvalidInput):
        clock.advance(cast("Any", by))
    assert clock.now() == NOON


@pytest.mark.parametrize("at", [datetime(2026, 6, 11), "2026-06-11", None, 0])  # noqa: DTZ001 -- naive on purpose
def test_a_time_without_a_zone_is_refused(at: object) -> None:
    """A naive time has no meaning across machines."""
    with pytest.raises(InvalidInput):
        FrozenClock(cast("Any", at))
    with pytest.raises(InvalidInput):
        FrozenClock(NOON).set(cast("Any", at))


def test_no_step_is_lost_between_threads() -> None:
    """Threads that advance it at once add up."""
    clock = FrozenClock(NOON)
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda _: [clock.advance(1) for _ in range(200)], range(8)):
            pass
    assert clock.now() == NOON + timedelta(seconds=1600)
