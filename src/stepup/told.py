"""What a person is told of out of band: the kinds of notices, what raises each, and how often it may be told.

============================ ======================================================== =============== ==========
kind                         raised by                                                at most         demanded
============================ ======================================================== =============== ==========
``factor_added``             a factor was enrolled                                    every time      ASVS 6.3.7
``factor_changed``           an application-owned factor changed under a step-up      every time      ASVS 6.3.7
``factor_removed``           a factor was removed                                     every time      ASVS 6.3.7
``recovery_code_used``       a recovery code was accepted                             every time      63B-4 4.6
``locked_out``               a wrong answer that locked or disabled a method          1 in an hour
``success_after_failures``   a right answer after three wrong ones or more            1 in an hour
``code_replayed``            a code that had been used before                         1 in an hour
``approval_asked``           somebody was asked to approve                            10 in an hour
``approval_given``           somebody approved                                        10 in an hour
``approval_denied``          somebody denied                                          10 in an hour
``device_trusted``           a browser was remembered                                 10 in an hour
``factor_renamed``           a factor was given another label                         10 in an hour
``device_renamed``           a remembered device was given another label              10 in an hour
============================ ======================================================== =============== ==========

The demanded ones have no limit of their own: each follows an accepted proof, and those are limited. Kinds follow from
the audit's events (``kinds_of``), so that nobody is told of what is not recorded. All functions are pure.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from .context import RECOVERY_CODE, Actor, Context
from .event import Event, EventType

FAILURES_WORTH_TELLING: Final = 3
"""So many wrong answers before a right one are told of."""

AFTER_FAILURES: Final = "after_failures"
LOCKED: Final = "locked"
"""Members of an attempt's ``Event.detail``: how many wrong answers came before, and that this one locked."""


class NoticeKind(enum.StrEnum):
    """What a notice is about."""

    FACTOR_ADDED = "factor_added"
    FACTOR_CHANGED = "factor_changed"
    FACTOR_REMOVED = "factor_removed"
    RECOVERY_CODE_USED = "recovery_code_used"
    LOCKED_OUT = "locked_out"
    SUCCESS_AFTER_FAILURES = "success_after_failures"
    CODE_REPLAYED = "code_replayed"
    APPROVAL_ASKED = "approval_asked"
    APPROVAL_GIVEN = "approval_given"
    APPROVAL_DENIED = "approval_denied"
    DEVICE_TRUSTED = "device_trusted"
    FACTOR_RENAMED = "factor_renamed"
    DEVICE_RENAMED = "device_renamed"


DEMANDED: Final = frozenset(
    {
        NoticeKind.FACTOR_ADDED,
        NoticeKind.FACTOR_CHANGED,
        NoticeKind.FACTOR_REMOVED,
        NoticeKind.RECOVERY_CODE_USED,
    }
)
"""Those that ASVS 6.3.7 and NIST SP 800-63B-4 section 4.6 demand."""

RAISED_BY: Final[Mapping[str, NoticeKind]] = {
    "factor_enrolled": NoticeKind.FACTOR_ADDED,
    "factor_removed": NoticeKind.FACTOR_REMOVED,
    "approval_requested": NoticeKind.APPROVAL_ASKED,
    "approval_given": NoticeKind.APPROVAL_GIVEN,
    "approval_denied": NoticeKind.APPROVAL_DENIED,
    "device_remembered": NoticeKind.DEVICE_TRUSTED,
    "device_renamed": NoticeKind.DEVICE_RENAMED,
}
"""The kind that an event raises, by the value of its type; ``factor_changed`` and ``attempt`` need a look inside."""


class Limit(NamedTuple):
    """So many notices of a kind to a person within so many seconds."""

    most: int
    seconds: int


_SUSPICION: Final = Limit(1, 3600)
_NEWS: Final = Limit(10, 3600)

LIMITS: Final[Mapping[NoticeKind, Limit]] = {
    NoticeKind.LOCKED_OUT: _SUSPICION,
    NoticeKind.SUCCESS_AFTER_FAILURES: _SUSPICION,
    NoticeKind.CODE_REPLAYED: _SUSPICION,
    NoticeKind.APPROVAL_ASKED: _NEWS,
    NoticeKind.APPROVAL_GIVEN: _NEWS,
    NoticeKind.APPROVAL_DENIED: _NEWS,
    NoticeKind.DEVICE_TRUSTED: _NEWS,
    NoticeKind.FACTOR_RENAMED: _NEWS,
    NoticeKind.DEVICE_RENAMED: _NEWS,
}
"""How often a person is told of what; a kind that is not here is told every time."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person is told. It holds no secret, no code and no link.

    Attributes:
        kind: what it is about.
        actor: whom it is told, with their address.
        at: when it happened, UTC.
        method: the method it concerns, if any.
        about: the action's label, or what else it concerns (a device's name).
        ip, device: where the request came from, as the server saw it.
        usable_from: of a factor that was added, when it begins to count, if not at once.
        locale: the person's language, as the context has it.
        challenge_id: the challenge in which it happened.
    """

    kind: NoticeKind
    actor: Actor
    at: datetime
    method: str | None = None
    about: str | None = None
    ip: str | None = None
    device: str | None = None
    usable_from: datetime | None = None
    locale: str | None = None
    challenge_id: str | None = None

    @classmethod
    def of(
        cls,
        kind: NoticeKind,
        context: Context,
        at: datetime,
        *,
        method: str | None = None,
        about: str | None = None,
        usable_from: datetime | None = None,
        challenge_id: str | None = None,
    ) -> Notice:
        """A notice to the person in *context*, of what happened in that request."""
        device = context.device.label if context.device else None
        return cls(
            kind, context.actor, at, method, about, context.ip, device, usable_from, context.locale, challenge_id
        )


@dataclass(frozen=True, slots=True)
class Told:
    """The record: when a person was told of what lately, newest last; no more times of a kind than its limit."""

    times: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict[str, tuple[datetime, ...]])


def kinds_of(event: Event) -> tuple[NoticeKind, ...]:
    """What a person is to be told of an event; most events raise nothing."""
    if event.type is EventType.FACTOR_CHANGED:
        return (NoticeKind.FACTOR_RENAMED if event.detail.get("renamed") else NoticeKind.FACTOR_CHANGED,)
    if event.type is not EventType.ATTEMPT:
        kind = RAISED_BY.get(event.type.value)
        return () if kind is None else (kind,)
    return tuple(kind for kind, raised in _of_attempt(event) if raised)


def _of_attempt(event: Event) -> tuple[tuple[NoticeKind, bool], ...]:
    right = event.result in {"ok", "open"}
    return (
        (NoticeKind.RECOVERY_CODE_USED, right and event.method == RECOVERY_CODE),
        (NoticeKind.SUCCESS_AFTER_FAILURES, right and AFTER_FAILURES in event.detail),
        (NoticeKind.CODE_REPLAYED, not right and event.reason == "replayed"),
        (NoticeKind.LOCKED_OUT, not right and LOCKED in event.detail),
    )


def telling(told: Told, kind: NoticeKind, limit: Limit, now: datetime) -> Told | None:
    """With one more notice of *kind*; None where that would be too many."""
    lately = _lately(told, kind, limit, now)
    return None if len(lately) >= limit.most else Told({**told.times, kind.value: (*lately, now)})


def untelling(told: Told, kind: NoticeKind, at: datetime) -> Told:
    """As if the notice of *at* had not been told: nobody took it."""
    kept = tuple(one for one in told.times.get(kind.value, ()) if one != at)
    return Told({**told.times, kind.value: kept})


def _lately(told: Told, kind: NoticeKind, limit: Limit, now: datetime) -> tuple[datetime, ...]:
    horizon = now - timedelta(seconds=limit.seconds)
    return tuple(one for one in told.times.get(kind.value, ()) if one > horizon)
