"""The demo's clocks: one that shows the past, for what people did yesterday, and one that can be put on.

A new passkey waits for a day where it was added under a weaker proof. Nobody wants to wait that long to try one, so the
demo can skip it; and an hour, to see what a remembered device is good for. An authenticator app knows nothing of that:
it shows the code of the real time, and is judged by it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from stepup.ports import Ceremony, Checked, State
from stepup.verifiers import TOTP

DAY, HOUR = timedelta(hours=25), timedelta(hours=1)


class Past:
    """A clock that shows an earlier time."""

    def __init__(self, **ago: float) -> None:
        self._ago = timedelta(**ago)

    def now(self) -> datetime:
        """The time."""
        return datetime.now(UTC) - self._ago


class Ahead:
    """The time, and as many days more as were skipped."""

    def __init__(self) -> None:
        self.skipped = timedelta()

    def now(self) -> datetime:
        """The time."""
        return datetime.now(UTC) + self.skipped

    def skip(self, by: timedelta) -> None:
        """Put it on."""
        self.skipped += by


class RealTimeTOTP(TOTP):
    """An authenticator whose codes are those of the real time, whatever the demo's clock says."""

    def __init__(self, clock: Ahead) -> None:
        super().__init__(issuer="Northstar")
        self._clock = clock

    async def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:
        """As ever, at the real time; the proof is of the demo's time."""
        found = await super().check(state, response, replace(context, now=context.now - self._clock.skipped))
        return found if found.proof is None else replace(found, proof=replace(found.proof, at=context.now))
