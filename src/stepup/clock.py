"""Time: the system clock, checked against itself, and a guard that never goes back behind what it has seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from .context import require_time
from .errors import Unavailable
from .ports import Clock

JUMP: Final = timedelta(days=1)
SETTLE: Final = 60.0


class SystemClock:
    """The operating system's clock, in UTC.

    One wild reading would expire what is alive and lock people out until the year it named, so a clock that
    jumps by more than a day against the monotonic one is not believed before it has kept to the new time for
    a minute. Until then ``now`` raises, which refuses; a machine resumed after days is refused that minute.
    """

    __slots__ = ("_anchor", "_doubt", "_monotonic", "_wall")

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read *wall* (Unix seconds) and *monotonic* (seconds)."""
        self._wall = wall
        self._monotonic = monotonic
        self._anchor = wall() - monotonic()
        self._doubt: tuple[float, float] | None = None

    def now(self) -> datetime:
        """The current time.

        Raises:
            Unavailable: within a minute of a jump of more than a day.
        """
        wall, monotonic = self._wall(), self._monotonic()
        offset = wall - monotonic
        if abs(offset - self._anchor) > JUMP.total_seconds():
            self._settle(offset, monotonic)
        else:
            self._anchor, self._doubt = offset, None
        return datetime.fromtimestamp(wall, UTC)

    def _settle(self, offset: float, monotonic: float) -> None:
        doubt = self._doubt
        if doubt is None or abs(offset - doubt[0]) > JUMP.total_seconds():
            doubt = self._doubt = (offset, monotonic)
        if monotonic - doubt[1] < SETTLE:
            raise Unavailable(
                "The system clock has jumped by more than a day.",
                remedy="It is believed once it has kept to the new time for a minute.",
            )
        self._anchor, self._doubt = offset, None


class ForwardClock:
    """A clock that is ``max(seen, now)``: a clock set back never revives what had expired.

    Set back by more than a day, one of its readings was wild; it then refuses instead of living in the future.
    Thread-safe: a lost race keeps one of two readings of the same moment.
    """

    __slots__ = ("_clock", "_seen")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        """The later of the clock's time and the latest time seen before.

        Raises:
            Unavailable: if the clock is more than a day behind that.
        """
        now = self.read()
        seen = self._seen
        if now > seen:
            self._seen = now
            return now
        if seen - now > JUMP:
            raise Unavailable(
                "The clock is more than a day behind what it has shown before.",
                remedy="Mend the clock and restart the process.",
            )
        return seen

    def read(self) -> datetime:
        """The clock's time as it is: for what must never be early, such as deleting."""
        return require_time("Clock.now()", self._clock.now())
