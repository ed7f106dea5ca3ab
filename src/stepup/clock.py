"""Time: the system clock, and a guard that never goes back behind what it has seen."""

from __future__ import annotations

from datetime import UTC, datetime

from .context import require_time
from .ports import Clock


class SystemClock:
    """The operating system's clock, in UTC."""

    def now(self) -> datetime:
        """The current time."""
        return datetime.now(UTC)


class ForwardClock:
    """A clock that is ``max(seen, now)``: a clock set back never revives what had expired.

    Thread-safe: a lost race keeps one of two readings of the same moment.
    """

    __slots__ = ("_clock", "_seen")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        """The later of the clock's time and the latest time seen before."""
        now = require_time("Clock.now()", self._clock.now())
        seen = self._seen
        if now > seen:
            self._seen = now
            return now
        return seen
