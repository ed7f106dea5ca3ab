"""What the session is worth to a call: how old its login is, how old it may be, and what counts besides."""

from __future__ import annotations

from datetime import datetime

from stepup.context import Context
from stepup.policy import Risk
from stepup.requirement import Holding

from .request import Request


def session_age(context: Context, now: datetime) -> float | None:
    """Seconds since the person last signed in to this session; None where that is not known.

    While somebody is impersonated no login counts: it may be theirs, or the moment the impersonation began.
    """
    if context.actor.on_behalf_of is not None:
        return None
    session = context.session
    if session is None or session.authenticated_at is None or session.authenticated_at > now:
        return None
    return (now - session.authenticated_at).total_seconds()


def session_window(request: Request) -> int:
    """How old the login may be under the rules in force; longer on a trusted device, at levels 1 and 2."""
    return (
        trusted_window(request) if request.on_trusted_device else _capped(request, request.rules.policy.session_window)
    )


def trusted_window(request: Request) -> int:
    """How old the login might be on a trusted device."""
    policy = request.rules.policy
    if request.rules.level > Risk.MEDIUM:
        return _capped(request, policy.session_window)
    return _capped(request, max(policy.session_window, policy.session_window_trusted))


def _capped(request: Request, window: int) -> int:
    return window if request.rules.policy.max_age is None else min(window, request.rules.policy.max_age)


def holding(request: Request, now: datetime, strongest: int | None = None) -> Holding:
    """What counts for this request. A step-up is no login: it counts for the methods it proved alone."""
    return Holding(
        strongest=strongest,
        min_strength=request.rules.policy.min_strength,
        recovery=request.rules.recovery_stands_in,
        session_age=session_age(request.context, now),
        session_window=session_window(request),
        allowed=request.risk.methods,
        max_age=request.rules.policy.max_age,
    )
