"""Time is not believed blindly: a clock that jumps refuses until it has settled, and none goes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from core_values import NOW, seconds

from stepup.clock import ForwardClock, SystemClock
from stepup.errors import InvalidInput, Unavailable
from stepup.testing.clock import FrozenClock

DAY = 86400


class Machine:
    """A machine's two clocks: what it says the time is, and the seconds since it was started."""

    def __init__(self) -> None:
        self.wall = NOW.timestamp()
        self.monotonic = 1000.0
        self.clock = SystemClock(lambda: self.wall, lambda: self.monotonic)

    def passes(self, seconds: float) -> None:
        """Time passes, on both."""
        self.wall += seconds
        self.monotonic += seconds

    def jumps(self, seconds: float) -> None:
        """The time of day is set; no time passes."""
        self.wall += seconds

    @property
    def since(self) -> float:
        """Seconds that the clock says have passed since it was made."""
        return (self.clock.now() - NOW).total_seconds()

    @property
    def refuses(self) -> bool:
        """Whether the clock raises now."""
        try:
            self.clock.now()
        except Unavailable:
            return True
        return False


@pytest.fixture
def machine() -> Machine:
    """Just started."""
    return Machine()


# -- the system's clock ------------------------------------------------------------------------


def test_the_systems_clock_tells_the_time() -> None:
    """Without arguments it reads the machine's own, in UTC."""
    before = datetime.now(UTC)

    read = SystemClock().now()

    assert before <= read <= datetime.now(UTC)
    assert read.tzinfo is UTC


def test_time_that_passes_is_believed(machine: Machine) -> None:
    """A second or a year: as long as both clocks agree, it is the time."""
    for step in (0, 1, 0.25, DAY - 1, DAY, DAY + 1, 365 * DAY):
        before = machine.since
        machine.passes(step)

        assert machine.since == before + step


@pytest.mark.requirement("Y-08")
@pytest.mark.parametrize("jump", [1, 3600, DAY, -1, -3600, -DAY])
def test_a_clock_may_be_set_by_a_day(machine: Machine, jump: float) -> None:
    """Daylight, drift and a wrong zone are corrected without anybody being refused."""
    machine.jumps(jump)

    assert machine.since == jump


@pytest.mark.requirement("Y-08")
@pytest.mark.parametrize("jump", [DAY + 1, 30 * DAY, 10_000 * DAY, -DAY - 1, -365 * DAY])
def test_a_jump_of_more_than_a_day_is_not_believed(machine: Machine, jump: float) -> None:
    """Either way, it is refused for a minute, to the second; a clock that keeps to the new time is believed then."""
    machine.jumps(jump)

    with pytest.raises(Unavailable, match=r"jumped by more than a day\. It is believed once it has kept to the new"):
        machine.clock.now()
    machine.passes(59.5)
    assert machine.refuses
    machine.passes(0.5)
    assert machine.since == jump + 60
    machine.passes(1)
    assert machine.since == jump + 61


@pytest.mark.requirement("Y-08")
def test_the_minute_begins_when_somebody_looks(machine: Machine) -> None:
    """A jump that nobody has seen yet is not older for it."""
    machine.jumps(2 * DAY)
    machine.passes(3600)

    assert machine.refuses
    machine.passes(60)
    assert not machine.refuses


@pytest.mark.requirement("Y-08")
def test_one_wild_reading_does_no_harm(machine: Machine) -> None:
    """When the clock comes back the right time is believed at once, and another wild one has its own minute."""
    for _ in range(3):
        machine.jumps(400 * DAY)
        assert machine.refuses
        machine.passes(40)
        machine.jumps(-400 * DAY)
        assert not machine.refuses

    assert machine.since == 120


@pytest.mark.requirement("Y-08")
def test_a_clock_that_goes_on_jumping_is_never_believed(machine: Machine) -> None:
    """Each jump to somewhere else begins its minute again; staying within a day of one does not."""
    for _ in range(5):
        machine.jumps(10 * DAY)
        assert machine.refuses
        machine.passes(59)
        assert machine.refuses

    machine.jumps(3600)
    machine.passes(1)
    assert machine.since == 50 * DAY + 3600 + 5 * 59 + 1


@pytest.mark.requirement("Y-08")
def test_small_corrections_do_not_add_up_to_a_jump(machine: Machine) -> None:
    """A clock corrected by hours again and again is compared with what it said last."""
    for _ in range(100):
        machine.jumps(20 * 3600)
        machine.passes(1)
        assert not machine.refuses


# -- forward only --------------------------------------------------------------------------------


@pytest.mark.requirement("Y-08", "C-06")
def test_a_clock_set_back_revives_nothing() -> None:
    """Up to a day behind, the time stands still at the latest that was seen, until the clock has caught up."""
    told = FrozenClock(NOW)
    clock = ForwardClock(told)

    assert clock.now() == NOW
    for behind in (0.001, 3600, DAY):
        told.set(NOW - seconds(behind))
        assert clock.now() == NOW
    told.set(NOW + seconds(1))
    assert clock.now() == NOW + seconds(1)


@pytest.mark.requirement("Y-08")
def test_a_clock_that_is_more_than_a_day_behind_is_refused() -> None:
    """One of its readings was wild, and which cannot be known: neither the past nor the future is taken for now."""
    told = FrozenClock(NOW)
    clock = ForwardClock(told)
    clock.now()

    told.set(NOW - seconds(DAY) - timedelta(microseconds=1))
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"more than a day behind .* Mend the clock and restart the process"):
            clock.now()
    told.set(NOW - seconds(DAY))
    assert clock.now() == NOW


def test_the_clock_can_be_read_as_it_is() -> None:
    """For deleting, which must never be early: set back, it says the earlier time, and does not move the other."""
    told = FrozenClock(NOW)
    clock = ForwardClock(told)
    clock.now()

    told.set(NOW - seconds(1000 * DAY))
    assert clock.read() == NOW - seconds(1000 * DAY)
    told.set(NOW + seconds(DAY))
    assert clock.read() == NOW + seconds(DAY)
    told.set(NOW)
    assert clock.now() == NOW


@pytest.mark.requirement("G-12")
@pytest.mark.parametrize("value", [None, 0, 1.5, "now", NOW.replace(tzinfo=None)])
def test_a_clock_that_tells_no_time_is_refused_by_name(value: Any) -> None:
    """A naive time, or no time at all, is neither read nor remembered."""

    class Broken:
        def now(self) -> Any:
            return value

    clock = ForwardClock(Broken())
    for read in (clock.now, clock.read):
        with pytest.raises(InvalidInput, match=r"Clock\.now\(\) must be a timezone-aware datetime"):
            read()


def test_times_of_other_zones_are_utc() -> None:
    """A clock may tell the time of anywhere."""
    tokyo = timezone(timedelta(hours=9))

    class Tokyo:
        def now(self) -> datetime:
            return NOW.astimezone(tokyo)

    clock = ForwardClock(Tokyo())
    assert [clock.now(), clock.read()] == [NOW, NOW]
    assert clock.now().tzinfo is clock.read().tzinfo is UTC
