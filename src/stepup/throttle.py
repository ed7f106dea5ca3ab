"""What is counted for a person, one record each, before anything is verified: open challenges, and what is sent.

``limits`` has the numbers. What answers may be tried, and what failures cost, is in ``tries``. All functions are pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from .limits import Limits

KEPT: Final = timedelta(hours=24)
MAX_ENDED: Final = 32


@dataclass(frozen=True, slots=True)
class OpenChallenge:
    """A challenge that is open, in the slot of its binding; ``asked``: others are to approve it, which takes longer."""

    slot: str
    id: str
    expires_at: datetime
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """One message sent for an action."""

    action: str
    challenge_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Guess:
    """Points spent on guesses in one challenge, against the same factors."""

    challenge_id: str
    factors: tuple[str, ...]
    at: datetime
    points: int


@dataclass(frozen=True, slots=True)
class Count:
    """Failures of one factor, in general or from one trusted device.

    ``failures`` are those in the window; ``total`` the consecutive ones, kept for the factor as a whole; ``wrong``
    those in the window that a verifier has found wrong by now, which decides nothing.
    """

    failures: int = 0
    total: int = 0
    last_at: datetime | None = None
    locked_until: datetime | None = None
    wrong: int = 0


@dataclass(frozen=True, slots=True)
class Throttle:
    """Everything counted for one person. ``starts``: when the current hour began, and challenges opened in it."""

    open: tuple[OpenChallenge, ...] = ()
    starts: tuple[datetime, int] | None = None
    sends: tuple[Send, ...] = ()
    guesses: tuple[Guess, ...] = ()
    counts: Mapping[str, Count] = field(default_factory=dict[str, Count])


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why not: ``locked``, ``disabled``, ``budget``, ``cooldown``, ``sends``, ``open`` or ``starts``."""

    why: str
    retry_at: datetime | None = None


# -- open challenges ------------------------------------------------------------


def open_ids(throttle: Throttle) -> frozenset[str]:
    """The ids of the challenges that stand in a slot."""
    return frozenset(one.id for one in throttle.open)


def opening(throttle: Throttle, one: OpenChallenge, limits: Limits, now: datetime) -> Throttle | Blocked:
    """With one more open challenge; the one in the same slot is superseded.

    Those that have expired stay listed for a day, so that what expired is not taken for superseded.
    """
    live = [other for other in throttle.open if other.expires_at > now and other.slot != one.slot]
    short = [other.expires_at for other in live if not other.asked]
    if len(short) >= limits.open_challenges:
        return Blocked("open", min(short))
    since, count = throttle.starts or (now, 0)
    again = since + timedelta(seconds=limits.starts_window)
    if now >= again:
        since, count = now, 0
    elif count >= limits.starts:
        return Blocked("starts", again)
    ended = [other for other in throttle.open if now - KEPT < other.expires_at <= now]
    return replace(throttle, open=(*ended[-MAX_ENDED:], *live, one), starts=(since, count + 1))


def closing(throttle: Throttle, challenge_id: str) -> Throttle:
    """With that challenge no longer open."""
    return replace(throttle, open=tuple(one for one in throttle.open if one.id != challenge_id))


def lasting(
    throttle: Throttle, challenge_id: str, until: datetime, limits: Limits, now: datetime
) -> Throttle | Blocked:
    """With that open challenge lasting until *until*, since others are to approve it; as many as can be open wait so.

    They are counted by themselves, so that what waits for others leaves room for what one proves alone.
    """
    waiting = [one.expires_at for one in throttle.open if one.asked and one.expires_at > now]
    if len(waiting) >= limits.open_challenges:
        return Blocked("open", min(waiting))
    kept = (replace(one, expires_at=until, asked=True) if one.id == challenge_id else one for one in throttle.open)
    return replace(throttle, open=tuple(kept))


# -- sends ----------------------------------------------------------------------


def sending(throttle: Throttle, action: str, challenge_id: str, limits: Limits, now: datetime) -> Throttle | Blocked:
    """With one more message sent for *action*, or why not yet."""
    horizon = now - timedelta(seconds=limits.sends_window)
    recent = tuple(send for send in throttle.sends if send.at > horizon)
    same = [send for send in recent if send.action == action]
    if same:
        again = max(send.at for send in same) + timedelta(seconds=limits.resend_after)
        if now < again:
            return Blocked("cooldown", again)
    if len(same) >= limits.sends:
        return Blocked("sends", min(send.at for send in same) + timedelta(seconds=limits.sends_window))
    return replace(throttle, sends=(*recent, Send(action, challenge_id, now)))


def unsending(throttle: Throttle, challenge_id: str, at: datetime) -> Throttle:
    """As if the message of *at* had not been sent: it was not delivered."""
    kept = tuple(send for send in throttle.sends if (send.challenge_id, send.at) != (challenge_id, at))
    return replace(throttle, sends=kept)
