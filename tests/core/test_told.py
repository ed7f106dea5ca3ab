"""What raises a notice, and how often it is told: from the audit's events alone."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from stepup.context import Actor, Context, Device
from stepup.event import Event, EventType
from stepup.limits import Limits
from stepup.throttle import Count, Throttle
from stepup.told import DEMANDED, LIMITS, RAISED_BY, Limit, Notice, NoticeKind, Told, kinds_of, telling, untelling
from stepup.tries import Trial, counting, found_wrong, locks, wrong_before

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ATTEMPT = Event("e1", NOW, EventType.ATTEMPT, "refused", "usr_2048", reason="wrong", method="totp")


@pytest.mark.parametrize(
    ("event", "kinds"),
    [
        (ATTEMPT, ()),
        (replace(ATTEMPT, reason="replayed"), (NoticeKind.CODE_REPLAYED,)),
        (replace(ATTEMPT, result="ok", reason="replayed"), ()),
        (replace(ATTEMPT, detail={"locked": True}), (NoticeKind.LOCKED_OUT,)),
        (
            replace(ATTEMPT, reason="replayed", detail={"locked": True}),
            (NoticeKind.CODE_REPLAYED, NoticeKind.LOCKED_OUT),
        ),
        (replace(ATTEMPT, result="ok", reason=None), ()),
        (replace(ATTEMPT, result="ok", detail={"after_failures": 3}), (NoticeKind.SUCCESS_AFTER_FAILURES,)),
        (replace(ATTEMPT, result="open", detail={"after_failures": 3}), (NoticeKind.SUCCESS_AFTER_FAILURES,)),
        (replace(ATTEMPT, detail={"after_failures": 3}), ()),
        (replace(ATTEMPT, result="ok", method="recovery_code"), (NoticeKind.RECOVERY_CODE_USED,)),
        (replace(ATTEMPT, result="open", method="recovery_code"), (NoticeKind.RECOVERY_CODE_USED,)),
        (replace(ATTEMPT, method="recovery_code"), ()),
        (replace(ATTEMPT, type=EventType.FACTOR_ENROLLED), (NoticeKind.FACTOR_ADDED,)),
        (replace(ATTEMPT, type=EventType.FACTOR_REMOVED), (NoticeKind.FACTOR_REMOVED,)),
        (replace(ATTEMPT, type=EventType.FACTOR_CHANGED), (NoticeKind.FACTOR_CHANGED,)),
        (replace(ATTEMPT, type=EventType.FACTOR_CHANGED, detail={"renamed": True}), (NoticeKind.FACTOR_RENAMED,)),
        (replace(ATTEMPT, type=EventType.DEVICE_RENAMED), (NoticeKind.DEVICE_RENAMED,)),
        (replace(ATTEMPT, type=EventType.CHALLENGE_STARTED), ()),
        (replace(ATTEMPT, type=EventType.AUTHORIZATION, reason="replayed", detail={"locked": True}), ()),
    ],
)  # fmt: skip
def test_a_notice_follows_from_an_event(event: Event, kinds: tuple[NoticeKind, ...]) -> None:
    """And from nothing else."""
    assert kinds_of(event) == kinds


class _Later(str):
    """The type of an event that a later release may have."""

    __slots__ = ()

    @property
    def value(self) -> str:
        return str(self)


@pytest.mark.parametrize("name", RAISED_BY)
def test_the_table_is_by_the_name_of_the_type(name: str) -> None:
    """So that approvals and remembered devices are told of as soon as there are events of them."""
    event = replace(ATTEMPT, type=cast(Any, _Later(name)))
    assert kinds_of(event) == (RAISED_BY[name],)


def test_every_kind_is_raised_by_something() -> None:
    """And a kind without a limit of its own is one that is demanded."""
    of_attempts = {
        NoticeKind.RECOVERY_CODE_USED,
        NoticeKind.LOCKED_OUT,
        NoticeKind.SUCCESS_AFTER_FAILURES,
        NoticeKind.CODE_REPLAYED,
    }
    assert {*RAISED_BY.values(), NoticeKind.FACTOR_CHANGED, NoticeKind.FACTOR_RENAMED} | of_attempts == set(NoticeKind)
    assert set(NoticeKind) - set(LIMITS) == DEMANDED


def test_a_person_is_told_so_often_and_no_more() -> None:
    """Within the window; each kind has its own; the record holds no more times than it needs."""
    limit, told = Limit(2, 60), Told()
    for second in (0, 1):
        made = telling(told, NoticeKind.LOCKED_OUT, limit, NOW + timedelta(seconds=second))
        assert made is not None
        told = made

    assert telling(told, NoticeKind.LOCKED_OUT, limit, NOW + timedelta(seconds=59)) is None
    assert telling(told, NoticeKind.CODE_REPLAYED, limit, NOW + timedelta(seconds=59)) is not None
    later = telling(told, NoticeKind.LOCKED_OUT, limit, NOW + timedelta(seconds=60))
    assert later is not None
    assert later.times["locked_out"] == (NOW + timedelta(seconds=1), NOW + timedelta(seconds=60))


def test_what_nobody_took_was_not_told() -> None:
    """It is counted no more; the others are."""
    told = Told({"locked_out": (NOW, NOW + timedelta(seconds=1)), "code_replayed": (NOW,)})

    assert untelling(told, NoticeKind.LOCKED_OUT, NOW) == Told(
        {"locked_out": (NOW + timedelta(seconds=1),), "code_replayed": (NOW,)}
    )
    assert untelling(Told(), NoticeKind.LOCKED_OUT, NOW) == Told({"locked_out": ()})


def test_a_notice_says_who_when_and_where_from() -> None:
    """As the server knows it."""
    context = Context(Actor("usr_2048", "olivia@northstar.example"), device=Device("fp", "Laptop"), ip="192.0.2.7")
    notice = Notice.of(NoticeKind.LOCKED_OUT, replace(context, locale="de"), NOW, method="totp", about="Pay out")

    assert (notice.actor, notice.at, notice.ip, notice.device) == (context.actor, NOW, "192.0.2.7", "Laptop")
    assert (notice.method, notice.about, notice.locale) == ("totp", "Pay out", "de")
    assert Notice.of(NoticeKind.LOCKED_OUT, Context(Actor("usr_2048")), NOW).device is None
    assert not {one.name for one in fields(Notice)} & {"session", "token", "code", "response", "fingerprint"}


LIMIT = Limits(lock_after=3, disable_after=9, guess_budget=10)


@pytest.mark.parametrize(
    ("counts", "points", "locked"),
    [
        ({}, 0, False),
        ({"totp": Count(2, 2)}, 0, False),
        ({"totp": Count(3, 3)}, 0, True),
        ({"totp": Count(0, 8)}, 0, False),
        ({"totp": Count(0, 9)}, 0, True),
        ({"other": Count(3, 9)}, 0, False),
        ({}, 10, False),
        ({}, 11, True),
    ],
)
def test_a_wrong_answer_that_locks_is_known(counts: Any, points: int, locked: bool) -> None:
    """By the window, by the factor as a whole, or by what is left of the year's guesses."""
    assert locks(Throttle(counts=counts), Trial("c", ("totp",), points=points), LIMIT, NOW) is locked


def test_a_trusted_device_has_a_window_of_its_own() -> None:
    """What failed from elsewhere locks elsewhere."""
    throttle = Throttle(counts={"totp": Count(3, 3), "totp\x1fdev": Count(1)})

    assert locks(throttle, Trial("c", ("totp",)), LIMIT, NOW)
    assert not locks(throttle, Trial("c", ("totp",), "dev"), LIMIT, NOW)


def test_what_was_found_wrong_is_counted_beside_what_was_counted_up_front() -> None:
    """In the window of the trial and in general, the larger is told; a window gone stale starts anew."""
    here, elsewhere = Trial("c", ("totp",), "dev"), Trial("c", ("totp",))
    throttle = counting(counting(Throttle(), here, LIMIT, NOW), elsewhere, LIMIT, NOW)

    assert wrong_before(throttle, here, "totp") == wrong_before(Throttle(), here, "totp") == 0
    throttle = found_wrong(found_wrong(throttle, elsewhere), here)
    assert (wrong_before(throttle, here, "totp"), throttle.counts["totp\x1fdev"].wrong) == (2, 1)
    assert found_wrong(Throttle(), here) == Throttle()
    later = counting(throttle, elsewhere, LIMIT, NOW + timedelta(days=2))
    assert wrong_before(later, elsewhere, "totp") == 0
