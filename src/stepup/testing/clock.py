"""A clock for tests: it stands still until it is told to move."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Final

from stepup.context import require_time
from stepup.errors import InvalidInput

START: Final = datetime(2026, 6, 11, 18, 3, tzinfo=UTC)
"""Where a clock stands that was not told where to start."""


class FrozenClock:
    """A ``Clock`` that the test moves. Thread-safe; all times are UTC.

    Note that a gate never goes back behind a time it has seen, so ``set`` to an earlier time shows what a
    clock set back does: nothing that had expired lives again.
    """

    def __init__(self, at: datetime = START) -> None:
        self._lock = threading.Lock()
        self._now = require_time("FrozenClock(at=...)", at)

    def __repr__(self) -> str:
        return f"FrozenClock({self._now.isoformat()})"

    def now(self) -> datetime:
        """The time it stands at."""
        return self._now

    def advance(self, by: float | timedelta) -> datetime:
        """Move forward by seconds or a timedelta; return the new time.

        Raises:
            InvalidInput: if *by* is neither, or negative; ``set`` moves back.
        """
        step = by if isinstance(by, timedelta) else _seconds(by)
        if step < timedelta():
            raise InvalidInput("FrozenClock.advance()", "moves forward only", remedy="Use set() to move back.")
        with self._lock:
            self._now += step
            return self._now

    def set(self, at: datetime) -> None:
        """Stand at *at*, earlier or later.

        Raises:
            InvalidInput: if *at* is not a timezone-aware datetime.
        """
        now = require_time("FrozenClock.set()", at)
        with self._lock:
            self._now = now


def _seconds(by: object) -> timedelta:
    if isinstance(by, bool) or not isinstance(by, int | float):
        raise InvalidInput("FrozenClock.advance()", f"takes seconds or a timedelta, not {type(by).__name__}")
    try:
        return timedelta(seconds=by)
    except (ValueError, OverflowError):
        raise InvalidInput("FrozenClock.advance()", f"cannot move by {by} seconds") from None
