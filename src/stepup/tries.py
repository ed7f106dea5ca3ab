"""Answers that are tried: whether one may be, what a failure counts and costs, and what success forgives.

Failures are counted *up front*, in the batch that reserves the attempt, and taken back by success: a
crash, a lost reply or 64 answers at once can only make the count too high, never too low. What has been *found*
wrong is counted beside it, for what a person is told: answers still on their way are no news.
The guess budget bounds guessing six-digit codes at 1e-4 a year whatever the windows do: 45 tries against
two live TOTP codes, or 90 against one mailed code.

Counters are keyed by the person and the factor, never by address or network: nobody without a live
session can lock anybody out. A trusted device is judged by a window of its own, so that somebody guessing
from elsewhere does not lock out the owner; what fails there counts in the general window too.

All functions are pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from .limits import Limits
from .throttle import Blocked, Count, Guess, Throttle

YEAR: Final = timedelta(days=365)
SEPARATOR: Final = "\x1f"  # no factor id holds a control character


@dataclass(frozen=True, slots=True)
class Trial:
    """One answer about to be checked: against which factors, from where, at what price in points."""

    challenge_id: str
    factors: tuple[str, ...]
    trusted_device: str | None = None
    points: int = 0


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
