"""Open without a grant: a session fresh enough, a surface that asks for nothing, an earlier step-up in the session.

No store is asked for the first two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from stepup.changes import (
    ACTOR_EPOCH,
    FENCE,
    Snapshot,
    grant_key,
    session_epoch,
)
from stepup.context import APPROVAL, FRESH_SESSION, Proof
from stepup.decision import Decision, Reason
from stepup.errors import IMPERSONATING
from stepup.grant import Proved, Shelf, Spend
from stepup.policy import Risk
from stepup.requirement import ANY, met
from stepup.surface import Handling

from .authorize import allowed
from .holding import MethodInfo
from .request import Request
from .session import holding, session_age, session_window


def by_session(request: Request, methods: Mapping[str, MethodInfo], now: datetime) -> Decision | None:
    """Allowed, if the session was opened recently enough with methods that count; no store is asked."""
    if not session_window(request) and FRESH_SESSION not in request.rules.named:
        return None  # no login could be enough
    if session_age(request.context, now) is None:
        return None  # no login that is known: whatever is said of its methods, the session is never fresh
    proofs = request.context.session.proofs if request.context.session else ()
    return _by_proofs(request, _with_strength(proofs, methods), now, "session")


def by_surface(request: Request) -> Decision | None:
    """Allowed without proof, where the action allows its surface to."""
    if request.handling is not Handling.ALLOW:
        return None
    surface = request.context.surface.value
    return allowed(request, "surface", reasons=(Reason("surface_allowed", {"surface": surface}),))


def earlier_proofs(request: Request, shelf: Shelf | None, snapshot: Snapshot, now: datetime) -> tuple[Proved, ...]:
    """What an earlier step-up in the same session proved, at levels 1 and 2, recently enough to count."""
    if shelf is None or request.shelf_session is None or request.rules.level > Risk.MEDIUM:
        return ()
    here = (snapshot.version(ACTOR_EPOCH), snapshot.version(session_epoch(request.binding.session)))
    if (shelf.epochs, shelf.fence) != (here, snapshot.version(FENCE)):
        return ()
    window, alike = session_window(request), request.action.bound - {"resource", "params"}
    return tuple(
        one
        for one in shelf.proved
        if 0 <= (now - one.proof.at).total_seconds() < window
        and set(one.binding.mismatches(request.binding, alike)) <= {"action"}
    )


def by_step_up(request: Request, proved: Iterable[Proved], snapshot: Snapshot, now: datetime) -> Decision | None:
    """Allowed by earlier proofs, but for those whose grant was revoked."""
    spends = [(one.proof, snapshot.get(grant_key(one.grant_id), Spend)) for one in proved]
    return _by_proofs(request, [proof for proof, spend in spends if spend and not spend.revoked], now, "step_up")


def stale(request: Request, now: datetime) -> tuple[Reason, ...]:
    """Why the session alone is not enough, where it could have been."""
    window = session_window(request)
    if not window:
        return ()
    age = session_age(request.context, now)
    if request.impersonated:
        return (Reason(IMPERSONATING, public=True),)
    if age is None:
        return (Reason("session_age_unknown", public=True),)
    if age < window:
        return (Reason("session_method_insufficient", public=True),)
    return (Reason("session_stale", {"stale_by": int(age - window), "window": window}, public=True),)


def _by_proofs(request: Request, proofs: Iterable[Proof], now: datetime, by: str) -> Decision | None:
    window = session_window(request)
    held = holding(request, now)
    fresh = [proof for proof in proofs if 0 <= (now - proof.at).total_seconds() < window]
    requirement = request.rules.policy.requirement
    if by == "session" and requirement is ANY and held.min_strength == 0 and held.session_within(window):
        return allowed(request, by)
    return allowed(request, by) if met(requirement, fresh, held, now) else None


def _with_strength(proofs: Iterable[Proof], methods: Mapping[str, MethodInfo]) -> list[Proof]:
    """Login proofs as the application reports them, each at most as strong as its method can be."""
    known = [proof for proof in proofs if proof.method in methods and proof.method != APPROVAL]  # no login is one
    return [
        replace(proof, strength=min(proof.strength or methods[proof.method].strength, methods[proof.method].strength))
        for proof in known
    ]
