"""Verifiers for the races: one that counts its calls, and two in which workers with the same code meet again.

A code is accepted between two store calls, the look at what was used before and the write of what is used now. Where
workers come in at their own pace, few are ever in there together; behind a ``Meeting`` all of them are.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Final, Protocol

from stepup.ports import Ceremony, Checked, Message, State
from stepup.testing.scripted import ScriptedVerifier
from stepup.verifiers import TOTP, RecoveryCode

PATIENCE: Final = 120.0
"""Seconds after which nobody waits at a barrier any more."""

CODES: Final = 10
TOTP_SECRET: Final = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


class Tally(ScriptedVerifier):
    """A verifier that accepts nothing here, and counts its calls for each challenge."""

    def __init__(self) -> None:
        super().__init__("pin", answer=object())
        self._seen: Counter[str] = Counter()
        self._guard = threading.Lock()

    def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:
        with self._guard:
            self._seen[context.challenge.id] += 1
        return super().check(state, response, context)

    def take(self) -> Counter[str]:
        """The counts since the last time, by challenge."""
        with self._guard:
            seen, self._seen = self._seen, Counter()
        return seen


class Barrier(Protocol):
    """What the barriers of threads and those of processes have in common."""

    def wait(self, timeout: float | None = None) -> int: ...

    def abort(self) -> None: ...


class Meeting(threading.local):
    """A barrier that a worker passes once for each try: inside the verifier, or afterwards if it never got there."""

    barrier: Barrier | None = None

    def pass_by(self) -> None:
        """Wait for the others of the group, the first time."""
        barrier, self.barrier = self.barrier, None
        if barrier is not None:
            barrier.wait(PATIENCE)


class MeetingTOTP(TOTP):
    def __init__(self, meeting: Meeting) -> None:
        super().__init__(secret_of=lambda actor: TOTP_SECRET)
        self._meeting = meeting

    async def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:
        checked = await super().check(state, response, context)
        self._meeting.pass_by()
        return checked


class MeetingRecoveryCode(RecoveryCode):
    def __init__(self, meeting: Meeting) -> None:
        super().__init__(count=CODES)
        self._meeting = meeting

    async def check(self, state: State | None, response: object, context: Ceremony, /) -> Checked:
        checked = await super().check(state, response, context)
        self._meeting.pass_by()
        return checked


class Silent:
    """A mailer that takes everything."""

    def send(self, message: Message) -> None:
        pass
