"""The default assessor: each signal and its points, the levels, what is unknown, and what can be replaced."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stepup import Actor, ConfigurationError, Context, RiskLevel
from stepup.history import History, Known, Sighting, Visit, proved_from
from stepup.risk import (
    DEFAULTS,
    Signal,
    Signals,
    assess,
    impossible_country,
    long_since_proof,
    new_device,
    new_network,
    recent_factor_change,
    recent_failures,
)
from stepup.throttle import Count, Throttle

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MOMENT = timedelta(microseconds=1)
CONTEXT = Context(Actor("usr_2048"))
HERE = Visit(("laptop",), ("home",), ("de",))
USUAL = History(HERE, proved_from(Known(), HERE, NOW - HOUR))
FAILED = Throttle(counts={"totp": Count(3, 3, NOW)})


def raised(history: History, rules: Signals | None = None, now: datetime = NOW) -> tuple[str, ...]:
    return assess(history, CONTEXT, now, rules).reasons


def always(code: str, points: int = 10, answer: Any = True) -> Signal:
    return Signal(code, points, lambda history, context, now: answer)


def test_the_usual_place_is_no_risk() -> None:
    """Nothing raised: score 0, low, no reasons, nothing narrowed."""
    found = assess(USUAL, CONTEXT, NOW)

    assert (found.score, found.level, found.reasons, found.methods) == (0, RiskLevel.LOW, (), None)
    assert Signals().assess(USUAL, CONTEXT, NOW) == found


@pytest.mark.parametrize(
    ("code", "points", "history"),
    [
        ("new_device", 20, replace(USUAL, visit=replace(HERE, device=("phone",)))),
        ("new_network", 10, replace(USUAL, visit=replace(HERE, network=("hotel",)))),
        ("long_since_proof", 10, replace(USUAL, known=replace(USUAL.known, proved_at=NOW - timedelta(days=31)))),
        ("recent_failures", 30, replace(USUAL, throttle=FAILED)),
        ("recent_factor_change", 20, replace(USUAL, known=replace(USUAL.known, factors_changed_at=NOW - HOUR))),
        ("impossible_country", 40, replace(USUAL, visit=replace(HERE, country=("jp",)))),
    ],
)
def test_each_signal_adds_its_points(code: str, points: int, history: History) -> None:
    """One at a time, with the code as the reason."""
    found = assess(history, CONTEXT, NOW)

    assert (found.reasons, found.score) == ((code,), points)
    assert found.level is (RiskLevel.MEDIUM if points >= 30 else RiskLevel.LOW)


def test_all_of_it_together_is_high_and_no_more_than_a_hundred() -> None:
    """A stranger's visit after wrong answers, from another country, just after a factor changed."""
    worst = History(
        Visit(("phone",), ("hotel",), ("jp",)),
        replace(USUAL.known, proved_at=NOW - timedelta(days=31), factors_changed_at=NOW),
        FAILED,
    )
    found = assess(worst, CONTEXT, NOW)

    assert found.reasons == tuple(signal.code for signal in DEFAULTS)
    assert (found.score, found.level) == (100, RiskLevel.HIGH)


def test_somebody_who_never_proved_anything_is_medium() -> None:
    """Device and network say it; there is no last proof to be long ago, and no country to have left."""
    found = assess(History(HERE), CONTEXT, NOW)

    assert found.reasons == ("new_device", "new_network")
    assert (found.score, found.level) == (30, RiskLevel.MEDIUM)


def test_times_and_numbers_are_exact() -> None:
    """Each threshold to the microsecond, or the one failure."""
    last = replace(USUAL.known, proved_at=NOW - timedelta(days=30))
    changed = replace(USUAL.known, factors_changed_at=NOW - timedelta(hours=24))
    left = replace(USUAL, known=replace(USUAL.known, country=Sighting("jp", NOW - HOUR * 4)))
    twice = Throttle(counts={"totp": Count(2, 2, NOW)})

    assert raised(replace(USUAL, known=last)) == ()
    assert raised(replace(USUAL, known=replace(last, proved_at=NOW - timedelta(days=30) - MOMENT))) == (
        "long_since_proof",
    )
    assert raised(replace(USUAL, known=changed)) == ()
    assert raised(replace(USUAL, known=changed), now=NOW - MOMENT) == ("recent_factor_change",)
    assert raised(left) == ()
    assert raised(left, now=NOW - MOMENT) == ("impossible_country",)
    assert raised(replace(USUAL, throttle=twice)) == ()


def test_levels_begin_at_their_thresholds() -> None:
    """One point less is the level below."""
    for points, level in ((29, RiskLevel.LOW), (30, RiskLevel.MEDIUM), (59, RiskLevel.MEDIUM), (60, RiskLevel.HIGH)):
        assert assess(USUAL, CONTEXT, NOW, Signals(signals=(always("odd", points),))).level is level
    strict = Signals(signals=(always("odd", 10),), medium=10, high=10)
    assert assess(USUAL, CONTEXT, NOW, strict).level is RiskLevel.HIGH


def test_a_history_that_cannot_be_read_is_unknown() -> None:
    """Never low: the worst there is."""
    found = assess(None, CONTEXT, NOW)

    assert (found.score, found.level, found.reasons) == (100, RiskLevel.UNKNOWN, ("history_unreadable",))


def test_a_country_that_cannot_be_told_is_unknown() -> None:
    """Whoever looks countries up wants to know them; who does not is not asked."""
    untold = replace(USUAL, visit=replace(HERE, country=None))
    found = assess(untold, CONTEXT, NOW)

    assert (found.score, found.level, found.reasons) == (100, RiskLevel.UNKNOWN, ("impossible_country_unknown",))
    assert raised(replace(USUAL, visit=replace(HERE, country=()))) == ()


def fails(*_: object) -> bool:
    """A signal that breaks."""
    raise RuntimeError("no such table")


@pytest.mark.parametrize("answer", [None, 1, 0, "yes", [], ...])
def test_a_signal_that_answers_anything_else_is_unknown(answer: object) -> None:
    """And so is one that raises; the others are told all the same."""
    for odd in (always("odd", answer=answer), Signal("odd", 10, fails)):
        found = assess(USUAL, CONTEXT, NOW, Signals(signals=(always("sure"), odd)))
        assert (found.level, found.reasons) == (RiskLevel.UNKNOWN, ("sure", "odd_unknown"))


def test_a_level_narrows_the_methods_and_so_does_every_worse_one() -> None:
    """What two levels name is cut down to what is in both."""
    rules = Signals(
        signals=(new_device(30), recent_failures(60)),
        narrow={RiskLevel.MEDIUM: {"passkey", "totp"}, RiskLevel.HIGH: ["passkey", "password"]},
    )
    strange = replace(USUAL, visit=replace(HERE, device=("phone",)))

    assert assess(USUAL, CONTEXT, NOW, rules).methods is None
    assert assess(strange, CONTEXT, NOW, rules).methods == frozenset({"passkey", "totp"})
    assert assess(replace(strange, throttle=FAILED), CONTEXT, NOW, rules).methods == frozenset({"passkey"})
    assert assess(None, CONTEXT, NOW, rules).methods == frozenset({"passkey"})


def test_signals_points_and_thresholds_can_be_replaced() -> None:
    """One by code, points alone, one left out, one added, all of them."""
    rules = Signals(
        also=(always("from_vpn", 25), recent_failures(5, at_least=1)), weights={"new_device": 7, "new_network": 0}
    )
    elsewhere = replace(USUAL, visit=Visit(("phone",), ("hotel",), ("de",)), throttle=FAILED)

    found = assess(elsewhere, CONTEXT, NOW, rules)

    assert found.reasons == ("new_device", "recent_failures", "from_vpn")
    assert found.score == 7 + 5 + 25
    assert replace(rules, medium=20).medium == 20
    assert [signal.code for signal in Signals(signals=(new_network(),)).signals] == ["new_network"]


def test_the_shipped_signals_take_numbers() -> None:
    """Another time, another count."""
    late = replace(USUAL, known=replace(USUAL.known, proved_at=NOW - HOUR * 2, factors_changed_at=NOW - HOUR * 2))
    rules = Signals(
        signals=(
            long_since_proof(1, after=HOUR),
            recent_factor_change(1, within=HOUR * 3),
            recent_failures(1, at_least=4),
            impossible_country(1, within=MOMENT),
        )
    )

    assert raised(replace(late, throttle=FAILED), rules) == ("long_since_proof", "recent_factor_change")


def test_what_a_client_may_be_told_is_known_beforehand() -> None:
    """The codes, their unknown forms, and that the history could not be read; nothing else is ever a reason."""
    assert Signals(signals=(always("odd"),)).codes == {"odd", "odd_unknown", "history_unreadable"}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Signal("New device", 10, fails),
        lambda: Signal("", 10, fails),
        lambda: Signal("192.0.2.7", 10, fails),
        lambda: Signal("x" * 41, 10, fails),
        lambda: Signal(3, 10, fails),  # type: ignore[arg-type]  # what an untyped caller might pass
        lambda: always("odd", -1),
        lambda: always("odd", 101),
        lambda: always("odd", True),
        lambda: always("odd", 1.5),  # type: ignore[arg-type]  # as above
        lambda: Signal("odd", 10, None),  # type: ignore[arg-type]  # as above
        lambda: Signal("odd", 10, _later),  # type: ignore[arg-type]  # as above
        lambda: Signals(signals=(always("odd"), always("odd"))),
        lambda: Signals(signals=always("odd")),  # type: ignore[arg-type]  # as above
        lambda: Signals(also=("new_device",)),  # type: ignore[arg-type]  # as above
        lambda: Signals(weights={"new_devise": 10}),
        lambda: Signals(weights={"new_device": 101}),
        lambda: Signals(medium=0),
        lambda: Signals(medium=61),
        lambda: Signals(high=101),
        lambda: Signals(narrow={"severe": {"passkey"}}),  # type: ignore[dict-item]  # as above
        lambda: Signals(narrow={RiskLevel.HIGH: "passkey"}),
        lambda: Signals(country_of="DE"),  # type: ignore[arg-type]  # as above
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(wrong: Any) -> None:
    """By name, when it is made."""
    with pytest.raises(ConfigurationError):
        wrong()


async def _later(*_: object) -> bool:
    return True


def test_a_signal_of_no_points_is_not_looked_at() -> None:
    """So it cannot make the risk unknown either."""
    assert [signal.code for signal in Signals(signals=(new_device(0), new_network())).signals] == ["new_network"]
    assert assess(USUAL, CONTEXT, NOW, Signals(also=(Signal("odd", 0, fails),))).level is RiskLevel.LOW
