"""Whether a challenge can be answered now, by this request, with this method: one place for begin and verify."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from stepup.challenge import Challenge, FactorRef, State, observed
from stepup.changes import (
    ACTOR_EPOCH,
    DEVICES,
    FENCE,
    ROSTER,
    THROTTLE,
    Check,
    Key,
    Snapshot,
    challenge_key,
    factor_key,
    session_epoch,
    shelf_key,
)
from stepup.context import Proof
from stepup.errors import Code
from stepup.factor import Factor, Roster
from stepup.requirement import open_methods
from stepup.throttle import Throttle, open_ids

from .holding import Held
from .request import Request, refused_outright
from .session import holding


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not: the outward code, the audit reason, and when trying again can succeed."""

    code: Code
    reason: str
    retry_at: datetime | None = None


NOT_FOUND = Refusal(Code.CHALLENGE_NOT_FOUND, "challenge_not_found")


def answer_keys(challenge_id: str, session: str | None, method: str, rotated: str | None = None) -> tuple[Key, ...]:
    """What to load to prepare or answer a challenge with *method* from *session*, moving to *rotated*."""
    keys = [challenge_key(challenge_id), THROTTLE, ROSTER, ACTOR_EPOCH, FENCE, DEVICES]
    keys += [factor_key(method), shelf_key(None)]
    for one in dict.fromkeys((session, rotated)):
        if one is not None or one is session:
            keys += [session_epoch(one), shelf_key(one)]
    return tuple(dict.fromkeys(keys))


def check_open(challenge: Challenge, request: Request, snapshot: Snapshot, now: datetime) -> Refusal | None:
    """Why this request cannot even close the challenge; None if it is its own and open.

    Another session, device or organization gets the same answer as an id that never existed.
    """
    if challenge.binding.mismatches(request.binding, request.action.bound | {"session"}):
        return NOT_FOUND
    throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    state = observed(challenge, open_ids(throttle), now).state
    return closed(state)


def closed(state: State) -> Refusal | None:
    """Why nothing can happen to a challenge in *state*; None while it is open."""
    if state is State.OPEN:
        return None
    codes = {State.EXPIRED: Code.CHALLENGE_EXPIRED, State.DENIED: Code.APPROVAL_DENIED}
    return Refusal(codes.get(state, Code.CHALLENGE_CLOSED), f"challenge_{state.value}")


def check_standing(challenge: Challenge, request: Request, snapshot: Snapshot, now: datetime) -> Refusal | None:
    """Why the challenge cannot be answered by this request now; None if it can."""
    if (refusal := check_open(challenge, request, snapshot, now)) is not None:
        return refusal
    versions = (snapshot.version(ACTOR_EPOCH), snapshot.version(session_epoch(request.binding.session)))
    if versions != challenge.epochs:
        return Refusal(Code.CHALLENGE_CLOSED, "revoked")
    if snapshot.version(FENCE) != challenge.fence:
        return Refusal(Code.CHALLENGE_CLOSED, "fence")
    denied = refused_outright(request)
    return None if denied is None else Refusal(denied.code, denied.reasons[0].code)


def standing_checks(challenge: Challenge, request: Request) -> tuple[Check, ...]:
    """The checks of a batch that relies on ``check_standing``."""
    actor, session = challenge.epochs
    return (
        Check(ACTOR_EPOCH, actor),
        Check(session_epoch(request.binding.session), session),
        Check(FENCE, challenge.fence),
    )


def refs_now(challenge: Challenge, method: str, enrolled: Iterable[Factor], now: datetime) -> tuple[FactorRef, ...]:
    """The factors of *method* that the challenge was opened with and that are still what they were."""
    current = {factor.id: factor for factor in enrolled if factor.usable and not factor.in_quarantine(now)}
    return tuple(
        ref
        for ref in challenge.factors
        if ref.method == method and ref.id in current and current[ref.id].fingerprint == ref.fingerprint
    )


def counted(challenge: Challenge, request: Request, now: datetime) -> tuple[Proof, ...]:
    """The proofs given so far that still count: others may take a day to approve, and no proof waits that long."""
    window = request.rules.policy.challenge_ttl
    fresh = [proof for proof in challenge.proofs if (now - proof.at).total_seconds() < window]
    return challenge.proofs if challenge.asked is None else tuple(fresh)


def remaining(challenge: Challenge, request: Request, now: datetime) -> tuple[str, ...]:
    """The methods that still lead to the requirement being met, strongest first; empty when it is."""
    usable = Held(challenge.factors, {}, challenge.strongest, any_enrolled=True).usable
    held = holding(request, now, challenge.strongest)
    return open_methods(request.rules.policy.requirement, usable, counted(challenge, request, now), held, now)


def check_method(
    challenge: Challenge, request: Request, method: str, refs: tuple[FactorRef, ...], now: datetime
) -> Refusal | None:
    """Why *method* cannot be used; None if it can. The client's choice never widens what was allowed."""
    if method not in challenge.allowed or method not in remaining(challenge, request, now):
        return Refusal(Code.METHOD_NOT_ALLOWED, "method_not_allowed")
    if not refs:
        return Refusal(Code.METHOD_NOT_ALLOWED, "factor_changed")
    return None


def roster_of(snapshot: Snapshot) -> Roster:
    """The person's roster, empty where there is none yet."""
    return snapshot.get(ROSTER, Roster) or Roster()
