"""``require`` and ``check``: whether a call is open now, by a grant.

Three ways to be open, in this order: a session fresh enough (``freshness``; no store call), the token presented (the
store is asked only once the token's own claims hold), a grant on the session's shelf. ``redeeming`` spends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from stepup.changes import (
    ACCOUNT,
    ACTOR_EPOCH,
    FENCE,
    Changes,
    Key,
    Snapshot,
    session_epoch,
    shelf_key,
)
from stepup.context import APPROVAL
from stepup.decision import Authorization, Decision, Outcome, Reason
from stepup.errors import Code
from stepup.event import EventType
from stepup.grant import Grant, Shelf, for_item, refusals
from stepup.requirement import met

from .device import device_keys
from .redeeming import epochs_hold
from .request import Request
from .session import holding


def allowed(request: Request, by: str, *, grant_id: str | None = None, reasons: tuple[Reason, ...] = ()) -> Decision:
    """The decision that lets the call pass."""
    return Decision(
        Outcome.ALLOWED,
        Code.ALLOWED,
        request.action.id,
        request.rules.level,
        reasons,
        satisfied_by=by,
        grant_id=grant_id,
        rules=request.rules.hash,
        risk=request.risk,
    )


def authorization(
    request: Request, decision: Decision, now: datetime, grant: Grant | None = None, remaining: int | None = None
) -> Authorization:
    """What ``require`` returns."""
    proofs = grant.proofs if grant else ()
    return Authorization(request.action.id, request.context.actor, now, decision, decision.grant_id, proofs, remaining)


SHELF_TRIES: Final = 4
"""How many grants of a shelf are tried before proof is asked for anew."""

# -- by a grant -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Candidate:
    """A grant that covers the call as far as its own values tell, or why it does not.

    ``to_judge``: it was minted under other rules, or the risk of this request narrows the methods, so its
    proofs have to be judged again.
    """

    grant: Grant | None
    reasons: tuple[str, ...] = ()
    to_judge: bool = False


def by_token(request: Request, grant: Grant | None, now: datetime) -> Candidate:
    """Judge the grant that a token holds; None stands for a token nobody here signed."""
    if grant is None:
        return Candidate(None, ("token_unknown",))
    found = refusals(grant, request.binding, request.rules, now)
    return Candidate(None, found) if found else _candidate(request, grant)


def by_shelf(
    request: Request, shelf: Shelf | None, snapshot: Snapshot, now: datetime
) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    """The grants on the shelf that cover the call, newest first; and why the others do not."""
    found: list[Candidate] = []
    reasons: list[str] = []
    for grant in reversed(shelf.grants if shelf else ()):
        if why := refusals(grant, request.binding, request.rules, now):
            reasons.extend(why)
        elif not epochs_hold(grant, snapshot) or grant.fence != snapshot.version(FENCE):
            reasons.append("revoked")
        else:
            found.append(_candidate(request, grant))
    if found and request.rules.policy.token_required:
        return (), ("token_required",)
    return tuple(found), tuple(dict.fromkeys(reasons)) or ("no_grant",)


def _candidate(request: Request, grant: Grant) -> Candidate:
    taken = for_item(grant, request.binding, request.rules)
    return Candidate(taken, (), _to_judge(request, taken))


def _to_judge(request: Request, grant: Grant) -> bool:
    return grant.rules != request.rules.hash or request.risk.methods is not None


def still_good(request: Request, grant: Grant, strongest: int | None, now: datetime) -> bool:
    """Whether the proofs behind a grant satisfy the rules in force now, where those have changed.

    A tightened policy applies to grants already out: its methods, ages, life and uses; a policy that now
    wants a single use or fewer uses ends a grant that had more.
    """
    policy = request.rules.policy
    if APPROVAL in request.rules.named and grant.rules != request.rules.hash:
        return False  # who approved it, and how many they were, cannot be judged again
    if policy.uses is not None and (grant.uses is None or grant.uses > policy.uses):
        return False
    if (now - grant.issued_at).total_seconds() >= policy.grant_ttl:
        return False
    if policy.max_age is not None and (now - grant.auth_time).total_seconds() >= policy.max_age:
        return False
    return met(policy.requirement, grant.proofs, holding(request, now, strongest), now)


def recorded(request: Request, decision: Decision, now: datetime, event_id: str) -> Changes:
    """An events-only batch that records a decision."""
    result = "ok" if decision.outcome is Outcome.ALLOWED else "refused"
    reason = ",".join(reason.code for reason in decision.reasons) or decision.code.value
    made = request.event(
        event_id,
        now,
        EventType.AUTHORIZATION,
        result,
        reason=reason,
        grant_id=decision.grant_id,
        detail={"satisfied_by": decision.satisfied_by},
    )
    return Changes(now, events=(made,))


def authorize_keys(request: Request) -> tuple[Key, ...]:
    """What to load to look for a session grant."""
    epoch = session_epoch(request.binding.session)
    return (shelf_key(request.shelf_session), ACTOR_EPOCH, epoch, FENCE, ACCOUNT, *device_keys(request))


def shelf_of(request: Request, snapshot: Snapshot) -> Shelf | None:
    """The shelf that grants for this call would stand on."""
    return snapshot.get(shelf_key(request.shelf_session), Shelf) if request.has_shelf else None


# -- by the grant of a bundle -------------------------------------------------------


def of_bundle(request: Request, grant: Grant | None, now: datetime) -> tuple[tuple[Candidate, ...], tuple[str, ...]]:
    """The grant that a token holds, as each call of the bundle *request* uses it; else why it does not do."""
    if grant is None:
        return (), ("token_unknown",)
    if not grant.items:
        return (), ("not_a_bundle",)
    taken = tuple(by_token(one, grant, now) for one in request.items)
    return taken, tuple(dict.fromkeys(why for one in taken for why in one.reasons))


def bundles_on_shelf(
    request: Request, shelf: Shelf | None, snapshot: Snapshot, now: datetime
) -> tuple[tuple[tuple[Candidate, ...], ...], tuple[str, ...]]:
    """The grants on the shelf that open every call of the bundle *request*, newest first; and why the others do not."""
    found: list[tuple[Candidate, ...]] = []
    reasons: list[str] = []
    for grant in reversed(shelf.grants if shelf else ()):
        taken, why = of_bundle(request, grant, now)
        if why:
            reasons.extend(why)
        elif not epochs_hold(grant, snapshot) or grant.fence != snapshot.version(FENCE):
            reasons.append("revoked")
        else:
            found.append(taken)
    if found and request.rules.policy.token_required:
        return (), ("token_required",)
    return tuple(found[:SHELF_TRIES]), tuple(dict.fromkeys(reasons)) or ("no_grant",)
