"""A risk assessor from what stepup itself can see: ``Signals``, and the signals it comes with.

========================= ====== ==================================================================
code                      points raised when
========================= ====== ==================================================================
``new_device``            20     no proof from this device was accepted in 90 days
``new_network``           10     ... from this /24, or for IPv6 this /64
``long_since_proof``      10     the last accepted proof is more than 30 days old
``recent_failures``       30     3 answers were wrong, the last within the hour, and none was right since
``recent_factor_change``  20     a factor was added, changed or removed in the last 24 hours
``impossible_country``    40     the last proof came from another country, less than 4 hours ago
========================= ====== ==================================================================

The points add up to the score, at most 100. From 30 on the level is medium, from 60 on high. A signal that cannot be
told makes it unknown, the worst there is: never low (ASVS 8.2.4; NIST SP 800-63B-4 section 3.2.2 on risk signals).
The last one is raised only where ``country_of`` looks addresses up.

Everything can be replaced: points (``weights``), thresholds, single signals (``also``), all of them (``signals``).
Each signal is a plain function of the history, the context and the time. ``assess`` is pure.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from .context import Context, RiskAssessment, RiskLevel
from .errors import ConfigurationError
from .history import History

__all__ = ["DEFAULTS", "UNREADABLE", "CountryOf", "Signal", "Signals", "assess"]

CountryOf = Callable[[str], str | Awaitable[str | None] | None]
"""The country of an address, in any spelling that is always the same; None where it is not known."""

Found = Callable[[History, Context, datetime], bool | None]
"""Whether a signal is raised; None where it cannot be told."""

MOST: Final = 100
UNREADABLE: Final = "history_unreadable"
_CODE: Final = re.compile("[a-z][a-z0-9_]{0,39}")


def _points(name: str, points: object) -> None:
    if type(points) is not int or not 0 <= points <= MOST:
        raise ConfigurationError(f"{name} must be a whole number from 0 to {MOST}, not {points!r}.")


@dataclass(frozen=True, slots=True)
class Signal:
    """One sign of risk: its code, its points (0 to 100), and the function that looks for it.

    The function only computes: it is called in place for every guarded call, on either face. Whatever it raises, and
    whatever it answers besides True and False, makes the risk unknown. The code is what people may be told.
    """

    code: str
    points: int
    found: Found

    def __post_init__(self) -> None:
        if not isinstance(self.code, str) or not _CODE.fullmatch(self.code):  # pyright: ignore[reportUnnecessaryIsInstance] -- callers may not type-check
            raise ConfigurationError(f"Signal.code must be lower-case letters, digits and '_', not {self.code!r}.")
        _points(f"Signal {self.code!r}: points", self.points)
        if not callable(self.found) or inspect.iscoroutinefunction(self.found):
            raise ConfigurationError(f"Signal {self.code!r}: found must be a plain function.")


def new_device(points: int = 20) -> Signal:
    """No proof from this device was accepted in 90 days."""
    return Signal("new_device", points, lambda history, _, now: not history.knows_device(now))


def new_network(points: int = 10) -> Signal:
    """No proof from this network was accepted in 90 days."""
    return Signal("new_network", points, lambda history, _, now: not history.knows_network(now))


def long_since_proof(points: int = 10, *, after: timedelta = timedelta(days=30)) -> Signal:
    """The last accepted proof is older than *after*. Where there never was one, the device and the network say so."""

    def found(history: History, _: Context, now: datetime) -> bool:
        last = history.known.proved_at
        return last is not None and now - last > after

    return Signal("long_since_proof", points, found)


def recent_failures(points: int = 30, *, at_least: int = 3, within: timedelta = timedelta(hours=1)) -> Signal:
    """At least so many answers were wrong, the last one *within* that time, and none was right since."""
    return Signal("recent_failures", points, lambda history, _, now: history.failures(within, now) >= at_least)


def recent_factor_change(points: int = 20, *, within: timedelta = timedelta(hours=24)) -> Signal:
    """A factor was added, changed or removed *within* that time."""

    def found(history: History, _: Context, now: datetime) -> bool:
        changed = history.factors_changed_at()
        return changed is not None and now - changed < within

    return Signal("recent_factor_change", points, found)


def impossible_country(points: int = 40, *, within: timedelta = timedelta(hours=4)) -> Signal:
    """The last proof came from another country, less than *within* ago. It cannot be told where the country cannot."""

    def found(history: History, _: Context, now: datetime) -> bool | None:
        if history.visit.country is None:
            return None
        since = history.left_country(now)
        return since is not None and since < within

    return Signal("impossible_country", points, found)


DEFAULTS: Final = (
    new_device(),
    new_network(),
    long_since_proof(),
    recent_failures(),
    recent_factor_change(),
    impossible_country(),
)
"""The signals of the table above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """The default assessor: pass it to a gate as ``risk=Signals()``. Immutable, safe to share.

    The gate loads the person's history for every decision, one store call more, and keeps it with every finished
    challenge. A history that cannot be read is unknown risk.

    Attributes:
        signals: the signals; ``DEFAULTS`` without.
        also: more of them; one whose code is there already takes its place.
        weights: points by code, in place of the signals' own; 0 leaves a signal out.
        medium, high: the scores from which the level is medium, and high.
        narrow: by level, the only methods that may count from that level on. It holds for every worse level too, where
            that names methods itself, for those that are in both; it never adds a method to what the policy takes.
        country_of: looks the country of an address up; of either colour on the async face. What it raises, and None,
            make the risk unknown, and so does a request without an address.

    Raises:
        ConfigurationError: for a code given twice or unknown, and for numbers out of range.
    """

    signals: tuple[Signal, ...] = DEFAULTS
    also: tuple[Signal, ...] = ()
    weights: Mapping[str, int] = field(default_factory=dict[str, int])
    medium: int = 30
    high: int = 60
    narrow: Mapping[RiskLevel, Collection[str]] = field(default_factory=dict[RiskLevel, Collection[str]])
    country_of: CountryOf | None = None

    def __post_init__(self) -> None:
        given = {one.code: one for one in _signals("signals", self.signals)}
        given |= {one.code: one for one in _signals("also", self.also)}
        for code, points in self.weights.items():
            if code not in given:
                known = ", ".join(sorted(given))
                raise ConfigurationError(f"Signals(weights=) names {code!r}.", remedy=f"Name one of: {known}.")
            _points(f"Signals(weights=) of {code!r}", points)
            given[code] = Signal(code, points, given[code].found)
        for name in ("medium", "high"):
            _points(f"Signals({name}=)", getattr(self, name))
        if not 0 < self.medium <= self.high:
            raise ConfigurationError("Signals(): medium must be above 0 and not above high.")
        if self.country_of is not None and not callable(self.country_of):
            raise ConfigurationError("Signals(country_of=) must be a function.")
        object.__setattr__(self, "signals", tuple(one for one in given.values() if one.points))
        object.__setattr__(self, "also", ())
        object.__setattr__(self, "weights", MappingProxyType(dict[str, int]()))  # they stand in the signals now
        object.__setattr__(self, "narrow", _narrow(self.narrow))

    @property
    def codes(self) -> frozenset[str]:
        """Every reason it can give. They are words for a person too: none holds an address."""
        return frozenset({UNREADABLE, *(word for one in self.signals for word in (one.code, _untold(one.code)))})

    def assess(self, history: History | None, context: Context, now: datetime, /) -> RiskAssessment:
        """The risk of a request; unknown without a history."""
        return assess(history, context, now, self)


def assess(history: History | None, context: Context, now: datetime, rules: Signals | None = None) -> RiskAssessment:
    """The risk of the request in *context*, by the signals of *rules*. None stands for a history that was not readable.

    Adding a signal, or raising one that was not, never gives a lower score, a better level or more methods.
    """
    rules = Signals() if rules is None else rules
    if history is None:
        return _assessment(MOST, RiskLevel.UNKNOWN, (UNREADABLE,), rules)
    score, reasons, told = 0, list[str](), True
    for signal in rules.signals:
        found = _look(signal, history, context, now)
        if found is None:
            reasons.append(_untold(signal.code))
            told = False
        elif found:
            reasons.append(signal.code)
            score += signal.points
    if not told:
        return _assessment(MOST, RiskLevel.UNKNOWN, tuple(reasons), rules)
    score = min(score, MOST)
    level = RiskLevel.HIGH if score >= rules.high else RiskLevel.MEDIUM if score >= rules.medium else RiskLevel.LOW
    return _assessment(score, level, tuple(reasons), rules)


def _look(signal: Signal, history: History, context: Context, now: datetime) -> bool | None:
    try:
        found: object = signal.found(history, context, now)
    except Exception:  # noqa: BLE001 -- a signal that fails has not said that there is no risk
        return None
    return found if isinstance(found, bool) else None


def _assessment(score: int, level: RiskLevel, reasons: tuple[str, ...], rules: Signals) -> RiskAssessment:
    """With the methods that every narrowing up to *level* leaves."""
    methods: frozenset[str] | None = None
    for other, left in rules.narrow.items():
        if other.rank <= level.rank:
            methods = frozenset(left) if methods is None else methods & frozenset(left)
    return RiskAssessment(score, level, reasons, methods)


def _untold(code: str) -> str:
    return f"{code}_unknown"


def _signals(name: str, given: Iterable[object]) -> tuple[Signal, ...]:
    if not isinstance(given, list | tuple):
        raise ConfigurationError(f"Signals({name}=) must be a list of Signal values.")
    found = tuple(one for one in given if isinstance(one, Signal))
    if len(found) != len(given) or len({one.code for one in found}) != len(found):
        raise ConfigurationError(f"Signals({name}=) must hold Signal values, each code once.")
    return found


def _narrow(given: Mapping[RiskLevel, Collection[str]]) -> Mapping[RiskLevel, frozenset[str]]:
    made: dict[RiskLevel, frozenset[str]] = {}
    for level, methods in given.items():
        if level not in set(RiskLevel) or isinstance(methods, str):
            raise ConfigurationError(
                "Signals(narrow=) must map levels to method names.", remedy='Write {RiskLevel.HIGH: {"passkey"}}.'
            )
        made[RiskLevel(level)] = frozenset(methods)
    return MappingProxyType(made)
