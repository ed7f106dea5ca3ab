"""The challenge: one request for fresh proof, as a state machine.

The rules, all of them, are the table ``TRANSITIONS``: a flat ``(state, input) -> state`` mapping in which
absence means refuse. ``docs/explanation/state-machine.md`` is drawn from it, and a test walks every pair.

- A challenge is answered only while ``OPEN``. Every other state is final.
- ``ATTEMPT`` is committed before a verifier runs, so that the count is right even if nothing else is.
- ``PROVE_PART`` leaves it open: an all-of requirement has parts still to prove.
- ``APPROVE`` leaves it open: its requester collects what others have approved. ``DENY`` ends it.
- ``EXPIRED`` and ``SUPERSEDED`` are never written: they follow from the clock and from the person's list
  of open challenges, so ``observed`` works them out before any decision.

Values are frozen; functions return new ones. Nothing here reads a clock.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from .approval import Asked
from .binding import Binding
from .bundle import Listed
from .context import Proof


class State(enum.StrEnum):
    """Where a challenge stands."""

    OPEN = "open"
    VERIFIED = "verified"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DENIED = "denied"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


class Input(enum.StrEnum):
    """What can happen to a challenge."""

    BEGIN = "begin"
    ATTEMPT = "attempt"
    REJECT = "reject"
    EXHAUST = "exhaust"
    PROVE_PART = "prove_part"
    PROVE = "prove"
    APPROVE = "approve"
    DENY = "deny"
    CANCEL = "cancel"
    EXPIRE = "expire"
    SUPERSEDE = "supersede"


TRANSITIONS: Final[Mapping[tuple[State, Input], State]] = {
    (State.OPEN, Input.BEGIN): State.OPEN,
    (State.OPEN, Input.ATTEMPT): State.OPEN,
    (State.OPEN, Input.REJECT): State.OPEN,
    (State.OPEN, Input.EXHAUST): State.FAILED,
    (State.OPEN, Input.PROVE_PART): State.OPEN,
    (State.OPEN, Input.PROVE): State.VERIFIED,
    (State.OPEN, Input.APPROVE): State.OPEN,
    (State.OPEN, Input.DENY): State.DENIED,
    (State.OPEN, Input.CANCEL): State.CANCELLED,
    (State.OPEN, Input.EXPIRE): State.EXPIRED,
    (State.OPEN, Input.SUPERSEDE): State.SUPERSEDED,
}


@dataclass(frozen=True, slots=True)
class FactorRef:
    """A factor as it was when the challenge was opened: only these count, and only while unchanged."""

    id: str
    method: str
    strength: int
    fingerprint: str | None = None
    stands_for: str | None = None


@dataclass(frozen=True, slots=True)
class Preparation:
    """What ``begin`` left behind for one method: the verifier's own state and when it was made.

    ``state`` holds digests, never a code. ``serial`` tells one preparation from the next, so that an answer
    checked against an older one is refused.
    """

    at: datetime
    state: Mapping[str, str | int | bool] = field(default_factory=dict[str, str | int | bool], repr=False)
    serial: int = 0
    sent_to: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Challenge:
    """One request for fresh proof, bound to one call of one person in one session.

    Attributes:
        id: unguessable (128 random bits); an id says nothing about anything.
        binding: what the proof will be for.
        level, rules: the risk level and the rules hash when it was opened.
        allowed: the methods that would count, strongest first.
        factors: the factors that would count, with their fingerprints.
        strongest: the strongest factor enrolled when it was opened.
        epochs, fence: versions that must still hold when it is answered.
        shown: label and value pairs the person is shown.
        attempts: answers reserved so far; ``max_attempts`` ends it.
        serial: preparations made so far; it never goes back.
        risk_score, risk_level, risk_reasons, risk_methods: the session's risk when it was opened, and the only methods
            it left. For the audit; each answer is judged by the risk of its own request.
        items: the calls it is for, where it is for a bundle.
        uses: how often its grant could be spent, where that is counted.
        asked: the request for approval and its answers, once its requester has asked; it then lives longer.
    """

    id: str
    binding: Binding
    level: int
    rules: str
    allowed: tuple[str, ...]
    factors: tuple[FactorRef, ...]
    strongest: int | None
    epochs: tuple[int, int]
    fence: int
    created_at: datetime
    expires_at: datetime
    max_attempts: int
    state: State = State.OPEN
    attempts: int = 0
    sends: int = 0
    serial: int = 0
    proofs: tuple[Proof, ...] = ()
    prepared: Mapping[str, Preparation] = field(default_factory=dict[str, Preparation], repr=False)
    params: str | None = field(default=None, repr=False)
    shown: tuple[tuple[str, str], ...] = ()
    label: str = ""
    resource_label: str | None = None
    reason: str | None = None
    ip: str | None = None
    device_label: str | None = None
    grant_id: str | None = None
    risk_score: int = 0
    risk_level: str = "low"
    risk_reasons: tuple[str, ...] = ()
    risk_methods: tuple[str, ...] | None = None
    items: tuple[Listed, ...] = ()
    uses: int | None = None
    asked: Asked | None = None

    @property
    def attempts_left(self) -> int:
        """How many answers it still takes."""
        return max(0, self.max_attempts - self.attempts)


def observed(challenge: Challenge, open_ids: frozenset[str], now: datetime) -> Challenge:
    """The challenge as it stands at *now*: superseded if another took its slot, expired by the clock.

    So is a request for approval of which that was written down, for a process whose clock is behind, too.
    """
    if challenge.state is not State.OPEN:
        return challenge
    if challenge.id not in open_ids:
        return replace(challenge, state=TRANSITIONS[State.OPEN, Input.SUPERSEDE])
    if now >= challenge.expires_at or (challenge.asked is not None and challenge.asked.ended is not None):
        return replace(challenge, state=TRANSITIONS[State.OPEN, Input.EXPIRE])
    return challenge


def advance(challenge: Challenge, given: Input) -> Challenge | None:
    """The challenge after *given*; None where the table has no such transition, which means refuse."""
    state = TRANSITIONS.get((challenge.state, given))
    return None if state is None else replace(challenge, state=state)


def reserve(challenge: Challenge) -> Challenge | None:
    """Count one answer, before it is looked at; None where no more are taken."""
    if challenge.attempts >= challenge.max_attempts:
        return None
    moved = advance(challenge, Input.ATTEMPT)
    return None if moved is None else replace(moved, attempts=moved.attempts + 1)


def reject(challenge: Challenge) -> Challenge | None:
    """After a wrong answer: still open, or failed if it was the last one."""
    return advance(challenge, Input.EXHAUST if challenge.attempts >= challenge.max_attempts else Input.REJECT)


def prove(challenge: Challenge, proof: Proof, *, complete: bool, grant_id: str | None = None) -> Challenge | None:
    """After a right answer: verified if *complete*, else open with one part proved and this answer uncounted."""
    moved = advance(challenge, Input.PROVE if complete else Input.PROVE_PART)
    if moved is None:
        return None
    others = tuple(one for one in challenge.proofs if one.method != proof.method)
    attempts = moved.attempts if complete else max(0, moved.attempts - 1)
    return replace(moved, proofs=(*others, proof), attempts=attempts, grant_id=grant_id)


def prepare(challenge: Challenge, method: str, preparation: Preparation, *, sent: bool) -> Challenge | None:
    """After ``begin``: the newest preparation of *method* replaces any older one."""
    moved = advance(challenge, Input.BEGIN)
    if moved is None:
        return None
    numbered = replace(preparation, serial=challenge.serial + 1)
    prepared = {**challenge.prepared, method: numbered}
    return replace(moved, prepared=prepared, sends=moved.sends + sent, serial=numbered.serial)


def unprepare(challenge: Challenge, method: str) -> Challenge:
    """After a failed delivery: as if nothing had been sent."""
    prepared = {name: value for name, value in challenge.prepared.items() if name != method}
    return replace(challenge, prepared=prepared, sends=challenge.sends - 1)


def lifetime(now: datetime, seconds: int) -> datetime:
    """The moment *seconds* after *now*."""
    return now + timedelta(seconds=seconds)
