"""How often a person may try: one record per person, counted before anything is verified.

============================ ======================= ======================================
what                         default                 forgiven by
============================ ======================= ======================================
open challenges              10                      finishing, cancelling, expiry
... others are to approve    10                      the same
challenges opened            100 in an hour          time
sends per action             3 in 10 min, 60 s apart time
failures per factor          10, then locked 15 min  a success with that factor; 24 h; unlock
delay before the next try    5 s after the 5th, ...  as above
consecutive failures, factor 100, then disabled      a success with it; unlock; enrolling anew
guess points per year        90 (totp 2, mail 1)     success: its own challenge's, same factor; unlock
remembered devices           10, each for 30 days    the one used longest ago makes room
============================ ======================= ======================================

Failures are counted *up front*, in the batch that reserves the attempt, and taken back by success: a
crash, a lost reply or 64 answers at once can only make the count too high, never too low. What has been *found*
wrong is counted beside it, for what a person is told: answers still on their way are no news.
The guess budget bounds guessing six-digit codes at 1e-4 a year whatever the windows do: 45 tries against
two live TOTP codes, or 90 against one mailed code.

Counters are keyed by the person and the factor, never by address or network: nobody without a live
session can lock anybody out. A trusted device is judged by a window of its own, so that somebody guessing
from elsewhere does not lock out the owner; what fails there counts in the general window too. All functions are pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Final

from .errors import ConfigurationError

YEAR: Final = timedelta(days=365)
KEPT: Final = timedelta(hours=24)
MAX_ENDED: Final = 32
SEPARATOR: Final = "\x1f"  # no factor id holds a control character


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The numbers above, in one place. Times are seconds."""

    open_challenges: int = 10
    starts: int = 100
    starts_window: int = 3600
    sends: int = 3
    sends_window: int = 600
    resend_after: int = 60
    lock_after: int = 10
    lock_for: int = 900
    lock_at_most: int = 3600
    delays: tuple[int, ...] = (5, 15, 30, 60, 120)
    delay_after: int = 5
    forget_after: int = 86400
    disable_after: int = 100
    guess_budget: int = 90
    trusted_devices: int = 10
    trusted_device_ttl: int = 2592000

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            numbers = value if one.name == "delays" else (value,)
            if not numbers or not all(type(number) is int and number > 0 for number in numbers):
                raise ConfigurationError(f"Limits.{one.name} must be positive whole numbers, not {value!r}.")

    def wait(self, failures: int) -> int:
        """Seconds to wait after that many failures in a row: none, a growing delay, then a growing lock."""
        if failures >= self.lock_after:
            return min(self.lock_for << min(failures - self.lock_after, 16), self.lock_at_most)
        if failures >= self.delay_after:
            return self.delays[min(failures - self.delay_after, len(self.delays) - 1)]
        return 0


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


@dataclass(frozen=True, slots=True)
class Trial:
    """One answer about to be checked: against which factors, from where, at what price in points."""

    challenge_id: str
    factors: tuple[str, ...]
    trusted_device: str | None = None
    points: int = 0


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


# -- tries ----------------------------------------------------------------------


def blocked(throttle: Throttle, trial: Trial, limits: Limits, now: datetime) -> Blocked | None:
    """Why *trial* may not be made now; None if it may. The answer does not depend on the response."""
    for factor in trial.factors:
        if _count(throttle, factor).total >= limits.disable_after:
            return Blocked("disabled")
        window = _count(throttle, _window_key(factor, trial))
        if window.locked_until is not None and now < window.locked_until:
            return Blocked("locked", window.locked_until)
    if trial.points and spent(throttle, now) + trial.points > limits.guess_budget:
        return Blocked("budget")
    return None


def counting(throttle: Throttle, trial: Trial, limits: Limits, now: datetime) -> Throttle:
    """With *trial* counted as a failure of every factor it is checked against."""
    counts = dict(throttle.counts)
    for factor in trial.factors:
        window = _window_key(factor, trial)
        for key in dict.fromkeys((factor, window)):
            before = counts.get(key, Count())
            counts[key] = _failed(before, limits, now, total=key == factor)
    guesses = _live_guesses(throttle, now)
    if trial.points:
        same = [
            guess for guess in guesses if (guess.challenge_id, guess.factors) == (trial.challenge_id, trial.factors)
        ]
        others = tuple(guess for guess in guesses if guess not in same)
        points = trial.points + sum(guess.points for guess in same)
        guesses = (*others, Guess(trial.challenge_id, trial.factors, now, points))
    return replace(throttle, counts=_pruned(counts, limits, now), guesses=guesses)


def succeeded(throttle: Throttle, trial: Trial, factor: str | None, limits: Limits) -> Throttle:
    """After success with *factor*: its failures are forgiven, and the guesses made at it in this challenge.

    The other factors the answer was held against lose only the failure that this very try had cost them,
    and success from a trusted device leaves the general window of the factor as it is.
    """
    counts = dict(throttle.counts)
    for tried in trial.factors:
        window = _window_key(tried, trial)
        for key in dict.fromkeys((tried, window)):
            before = counts.pop(key, None)
            if before is None or (tried == factor and key == window):
                continue
            total = 0 if tried == factor else max(0, before.total - (key == tried))
            counts[key] = _taken_back(before, total, limits)
    guesses = tuple(
        guess for guess in throttle.guesses if guess.challenge_id != trial.challenge_id or factor not in guess.factors
    )
    return replace(throttle, counts=counts, guesses=guesses)


def locks(throttle: Throttle, trial: Trial, limits: Limits, now: datetime) -> bool:
    """Whether a wrong answer that was just counted has locked or disabled what it was held against."""
    for factor in trial.factors:
        if _count(throttle, factor).total >= limits.disable_after:
            return True
        if _count(throttle, _window_key(factor, trial)).failures >= limits.lock_after:
            return True
    return trial.points > 0 and spent(throttle, now) + trial.points > limits.guess_budget


def found_wrong(throttle: Throttle, trial: Trial) -> Throttle:
    """With *trial*, which was counted before, found wrong."""
    counts = dict(throttle.counts)
    for factor in trial.factors:
        for key in {factor, _window_key(factor, trial)} & counts.keys():
            counts[key] = replace(counts[key], wrong=counts[key].wrong + 1)
    return replace(throttle, counts=counts)


def wrong_before(throttle: Throttle, trial: Trial, factor: str) -> int:
    """How many answers of *factor* have been found wrong since the last right one, in the window of *trial* or any."""
    return max(_count(throttle, key).wrong for key in (factor, _window_key(factor, trial)))


def unlocked(throttle: Throttle, factors: Iterable[str] | None = None) -> Throttle:
    """With the counters of *factors* at zero, or all of them and the guess budget."""
    if factors is None:
        return replace(throttle, counts={}, guesses=())
    keys = set(factors)
    kept = {key: count for key, count in throttle.counts.items() if key.partition(SEPARATOR)[0] not in keys}
    return replace(throttle, counts=kept)


def spent(throttle: Throttle, now: datetime) -> int:
    """Guess points spent in the year before *now*."""
    return sum(guess.points for guess in _live_guesses(throttle, now))


def _live_guesses(throttle: Throttle, now: datetime) -> tuple[Guess, ...]:
    return tuple(guess for guess in throttle.guesses if guess.at > now - YEAR)


def _count(throttle: Throttle, key: str) -> Count:
    return throttle.counts.get(key, Count())


def _window_key(factor: str, trial: Trial) -> str:
    return f"{factor}{SEPARATOR}{trial.trusted_device}" if trial.trusted_device else factor


def _failed(count: Count, limits: Limits, now: datetime, *, total: bool) -> Count:
    stale = count.last_at is not None and now - count.last_at > timedelta(seconds=limits.forget_after)
    failures = 1 if stale else count.failures + 1
    wait = limits.wait(failures)
    until = now + timedelta(seconds=wait) if wait else None
    return Count(failures, count.total + total, now, until, 0 if stale else count.wrong)


def _taken_back(count: Count, total: int, limits: Limits) -> Count:
    """Without the last failure, and without what it alone had locked."""
    failures = max(0, count.failures - 1)
    wait = limits.wait(failures)
    until = None
    if wait and count.last_at is not None and count.locked_until is not None:
        until = min(count.locked_until, count.last_at + timedelta(seconds=wait))
    return replace(count, failures=failures, total=total, locked_until=until)


def _pruned(counts: dict[str, Count], limits: Limits, now: datetime) -> dict[str, Count]:
    """Without windows that no longer mean anything; a factor's consecutive failures are never dropped."""
    horizon = now - timedelta(seconds=limits.forget_after)
    return {key: c for key, c in counts.items() if c.total or c.last_at is None or c.last_at > horizon}
