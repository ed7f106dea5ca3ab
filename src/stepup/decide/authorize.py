"""``require`` and ``check``: whether a call is open now, and the batch that redeems a grant.

Three ways to be open, in this order: a session fresh enough (no store call), the token presented (the
store is asked only once the token's own claims hold), a grant on the session's shelf.

What redeeming costs, in store calls: single use one ``apply``; many uses one ``apply`` with checks at
levels 3 and 4, one ``load`` at 1 and 2; counted uses two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from stepup.changes import (
    ACCOUNT,
    ACTOR_EPOCH,
    FENCE,
    RETENTION,
    Changes,
    Check,
    Key,
    Record,
    Snapshot,
    claim_key,
    grant_key,
    session_epoch,
    shelf_key,
)
from stepup.context import APPROVAL, FRESH_SESSION, Proof
from stepup.decision import Authorization, Decision, Outcome, Reason
from stepup.errors import IMPERSONATING, Code
from stepup.event import Event, EventType
from stepup.grant import REMEMBER_REQUESTS, Claim, Grant, Proved, Shelf, Spend, for_item, refusals
from stepup.policy import Risk
from stepup.requirement import ANY, met
from stepup.surface import Handling

from .device import device_keys
from .holding import MethodInfo
from .request import Request, holding, session_age, session_window


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


# -- by the session alone ---------------------------------------------------------


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
        elif not _epochs_hold(grant, snapshot) or grant.fence != snapshot.version(FENCE):
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


def grant_keys(grant: Grant) -> tuple[Key, ...]:
    """What to load to see whether *grant* still stands, without spending it."""
    bound = session_epoch(grant.binding.session)
    return (ACTOR_EPOCH, bound, FENCE, grant_key(grant.id), claim_key(grant.claim))


def standing(grant: Grant, snapshot: Snapshot) -> str | None:
    """Why *grant* stands no longer: ``revoked``, ``fence`` or ``spent``; None if it does."""
    if snapshot.version(FENCE) != grant.fence:
        return "fence"
    if not _epochs_hold(grant, snapshot):
        return "revoked"
    spend = snapshot.get(grant_key(grant.id), Spend)
    if spend is None or spend.revoked:
        return "revoked"
    if spend.remaining == 0 or snapshot.version(claim_key(grant.claim)):
        return "spent"
    return None


def left(grant: Grant, snapshot: Snapshot) -> int | None:
    """How often *grant* can still be spent; None where that is not counted; 0 where it stands no longer."""
    parts = [replace(grant, items=(part,), uses=1) for part in grant.items]
    if parts:
        return sum(standing(part, snapshot) is None for part in parts)
    if standing(grant, snapshot) is not None:
        return 0
    spend = snapshot.get(grant_key(grant.id), Spend)
    return spend.remaining if spend else 0


def left_keys(grant: Grant) -> tuple[Key, ...]:
    """What to load for ``left``."""
    claims = [claim_key(replace(grant, items=(part,)).claim) for part in grant.items]
    return (*grant_keys(grant), *claims)


def writes_on_redeem(request: Request, grant: Grant) -> bool:
    """Whether redeeming is a batch: where uses are limited, at levels 3 and 4, and away from its session."""
    away = grant.binding.session != request.binding.session
    return grant.uses is not None or request.rules.level >= Risk.HIGH or away


def redeem(request: Request, grant: Grant, now: datetime, event_id: str, request_hash: str | None) -> Changes:
    """The batch that redeems a grant of one use (by a claim) or of many (by checks alone)."""
    puts: tuple[Record, ...] = ()
    checks = _checks(grant)
    if grant.uses == 1:
        claim = Claim(now, request_hash)
        puts = (Record(claim_key(grant.claim), claim, 0, grant.expires_at + RETENTION),)
    if grant.uses != 1 or grant.items:  # a bundle's revocation claims none of its items
        checks = (*checks, Check(grant_key(grant.id), 1))
    return Changes(now, puts, checks, (_redeemed(request, grant, now, event_id),))


def redeem_counted(
    request: Request, grant: Grant, snapshot: Snapshot, now: datetime, event_id: str, request_hash: str | None
) -> tuple[Changes | None, str | None, int | None]:
    """The batch that takes one of several uses: ``(changes, refusal, remaining)``.

    Without changes and refusal, this very request has taken its use before.
    """
    key = grant_key(grant.id)
    spend = snapshot.get(key, Spend)
    if spend is None or spend.revoked:
        return None, "revoked", None
    if request_hash is not None and request_hash in spend.requests:
        refusal = standing(grant, snapshot)
        return None, None if refusal == "spent" else refusal, spend.remaining
    if (refusal := standing(grant, snapshot)) is not None or not spend.remaining:
        return None, refusal or "spent", None
    left = spend.remaining - 1
    requests = (*spend.requests, request_hash)[-REMEMBER_REQUESTS:] if request_hash else spend.requests
    put = snapshot.put(key, Spend(left, requests=requests), expires_at=grant.expires_at + RETENTION)
    return Changes(now, (put,), _checks(grant), (_redeemed(request, grant, now, event_id),)), None, left


def lost_because(grant: Grant, key: Key) -> str:
    """What it means that a redeeming batch lost on *key*."""
    if key == claim_key(grant.claim):
        return "spent"
    return "fence" if key == FENCE else "revoked"


def same_request(claim: Claim | None, request_hash: str | None) -> bool:
    """Whether a claim was made by this very request."""
    return claim is not None and request_hash is not None and claim.request == request_hash


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


def _checks(grant: Grant) -> tuple[Check, ...]:
    actor, session = grant.epochs
    return (Check(ACTOR_EPOCH, actor), Check(session_epoch(grant.binding.session), session), Check(FENCE, grant.fence))


def _epochs_hold(grant: Grant, snapshot: Snapshot) -> bool:
    """Whether the epochs hold as far as loaded; the redeeming batch checks the rest."""
    if grant.epochs[0] != snapshot.version(ACTOR_EPOCH):
        return False
    key = session_epoch(grant.binding.session)
    return key not in snapshot.records or snapshot.version(key) == grant.epochs[1]


def _redeemed(request: Request, grant: Grant, now: datetime, event_id: str) -> Event:
    return request.event(event_id, now, EventType.AUTHORIZATION, "ok", reason="grant_redeemed", grant_id=grant.id)


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
        elif not _epochs_hold(grant, snapshot) or grant.fence != snapshot.version(FENCE):
            reasons.append("revoked")
        else:
            found.append(taken)
    if found and request.rules.policy.token_required:
        return (), ("token_required",)
    return tuple(found[:SHELF_TRIES]), tuple(dict.fromkeys(reasons)) or ("no_grant",)


def redeem_all(
    pairs: Iterable[tuple[Request, Grant]], now: datetime, event_ids: Iterable[str], request_hash: str | None
) -> Changes:
    """The one batch that takes every call of a bundle: all of them, or none."""
    each = [redeem(one, grant, now, made, request_hash) for (one, grant), made in zip(pairs, event_ids, strict=True)]
    return Changes(
        now,
        tuple(put for one in each for put in one.puts),
        tuple(dict.fromkeys(check for one in each for check in one.checks)),
        tuple(event for one in each for event in one.events),
    )
