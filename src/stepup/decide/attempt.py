"""Answering a challenge, in two committed steps with the verifier between them.

``reserve_attempt`` counts the answer as a failure before anybody looks at it. ``conclude`` then rejects it, adds a
part to what was proved, or has it minted (``minting``): what was used claimed or moved forward, failures forgiven,
one event, all in one batch. ``acceptance`` says whether the verifier's finding is one.

Everything ``conclude`` relies on is loaded anew, because the verifier may have taken its time: the state,
the preparation the answer was checked against, the epochs, the fence, the factor's record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from stepup.ceremony import Checked
from stepup.challenge import Challenge, FactorRef, State, prove, reject, reserve
from stepup.changes import (
    RETENTION,
    ROSTER,
    THROTTLE,
    Changes,
    Check,
    Record,
    Snapshot,
    challenge_key,
    claim_key,
    factor_key,
)
from stepup.context import RECOVERY_CODE
from stepup.decision import Detail
from stepup.errors import Code
from stepup.event import EventType
from stepup.factor import FactorSet, Roster
from stepup.grant import Claim, Grant
from stepup.requirement import met
from stepup.throttle import Throttle, closing
from stepup.told import LOCKED
from stepup.tries import blocked, counting, found_wrong, locks, succeeded

from .acceptance import after_failures, evidenced, proof_of, signals_of
from .answering import Answering, Findings, MoreNeeded, Rejected
from .device import trust_checks, trusting
from .minting import minted
from .request import Ids, Request
from .session import holding
from .standing import Refusal, check_method, check_standing, counted, remaining, roster_of, standing_checks


def reserve_attempt(one: Answering, request: Request, snapshot: Snapshot, now: datetime) -> Changes | Refusal:
    """Count the answer, or say why it is not even looked at. Does not depend on the answer."""
    request = trusting(request, snapshot, now)
    refusal = check_standing(one.challenge, request, snapshot, now)
    if refusal:
        return refusal
    taken = reserve(one.challenge)
    if taken is None:
        return Refusal(Code.CHALLENGE_CLOSED, "attempts_exhausted")
    if refusal := check_method(one.challenge, request, one.method, one.refs, now):
        return refusal
    throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    stopped = blocked(throttle, one.trial(request), one.limits, now)
    if stopped:
        return Refusal(Code.LOCKED_OUT, stopped.why, stopped.retry_at)
    counted = counting(throttle, one.trial(request), one.limits, now)
    puts = (snapshot.put_challenge(taken), snapshot.put(THROTTLE, counted))
    return Changes(now, puts, (snapshot.check(ROSTER), *trust_checks(request, snapshot)))


def refused_attempt(
    request: Request, challenge_id: str, method: str, refusal: Refusal, now: datetime, ids: Ids
) -> tuple[Changes, Rejected]:
    """Record an answer that was not looked at."""
    event = request.event(
        ids.event, now, EventType.ATTEMPT, "refused", reason=refusal.reason, method=method, challenge_id=challenge_id
    )
    return Changes(now, events=(event,)), Rejected(refusal.code, retry_at=refusal.retry_at)


def completes(one: Answering, request: Request, checked: Checked, now: datetime) -> bool:
    """Whether this proof is the last one the requirement asks for."""
    proofs = (*counted(one.challenge, request, now), proof_of(one, checked))
    return met(request.rules.policy.requirement, proofs, holding(request, now, one.challenge.strongest), now)


def conclude(
    one: Answering, request: Request, snapshot: Snapshot, findings: Findings, now: datetime, ids: Ids
) -> tuple[Changes, Grant | MoreNeeded | Rejected]:
    """Write what came of the answer."""
    challenge = snapshot.get(challenge_key(one.challenge.id), Challenge)
    if challenge is None:
        return refused_attempt(
            request, one.challenge.id, one.method, Refusal(Code.CHALLENGE_NOT_FOUND, "gone"), now, ids
        )
    request = trusting(request, snapshot, now)
    challenge = replace(challenge, proofs=counted(challenge, request, now))
    one = replace(one, challenge=challenge)
    refusal = check_standing(challenge, request, snapshot, now)
    if refusal:
        return refused_attempt(request, challenge.id, one.method, refusal, now, ids)
    reason = findings.reason or _overtaken(one, request, snapshot, findings, now)
    if reason:
        return _reject(one, request, snapshot, reason, now, ids, signals_of(findings.checked))
    done = completes(one, request, findings.checked, now)
    if done and findings.rotation_due:
        return _reject(one, request, snapshot, "overtaken", now, ids)
    proof = proof_of(one, findings.checked)
    throttle = succeeded(
        snapshot.get(THROTTLE, Throttle) or Throttle(), one.trial(request), proof.factor_id, one.limits
    )
    used_puts, used_checks = _used(one, snapshot, findings, now)
    if done:
        return minted(one, request, snapshot, findings, throttle, (used_puts, used_checks), now, ids)
    partly = prove(challenge, proof, complete=False)
    assert partly is not None  # check_standing found it open
    left = remaining(partly, request, now)
    event = request.event(
        ids.event,
        now,
        EventType.ATTEMPT,
        "open",
        reason="more_needed",
        method=one.method,
        challenge_id=challenge.id,
        detail={**signals_of(findings.checked), **after_failures(one, request, snapshot, proof)},
    )
    event = evidenced(event, challenge, findings.checked)
    puts = (snapshot.put_challenge(partly), snapshot.put(THROTTLE, throttle), *used_puts)
    checks = (*used_checks, *standing_checks(challenge, request), *trust_checks(request, snapshot))
    return Changes(now, puts, checks, (event,)), MoreNeeded(left, partly)


def _overtaken(one: Answering, request: Request, snapshot: Snapshot, findings: Findings, now: datetime) -> str | None:
    """Why the answer is void although it was right: what it was checked against has changed since."""
    prepared = one.challenge.prepared.get(one.method)
    if (prepared.serial if prepared else None) != findings.serial:
        return "superseded_code"
    if prepared and (now - prepared.at).total_seconds() >= request.rules.policy.challenge_ttl:
        return "preparation_expired"  # it may outlive its time where the challenge waits for somebody's approval
    if any(_changed(ref, roster_of(snapshot)) for ref in one.refs):
        return "factor_changed"
    if findings.checked.advance is not None and snapshot.version(factor_key(one.method)) != findings.factors:
        return "replayed"
    return None


def _changed(ref: FactorRef, roster: Roster) -> bool:
    """Whether somebody has seen another fingerprint of an application-owned factor meanwhile."""
    return any(seen.factor_id == ref.id and seen.fingerprint != ref.fingerprint for seen in roster.seen)


def _reject(
    one: Answering,
    request: Request,
    snapshot: Snapshot,
    reason: str,
    now: datetime,
    ids: Ids,
    detail: Mapping[str, Detail] | None = None,
) -> tuple[Changes, Rejected]:
    ended = reject(one.challenge)
    assert ended is not None  # check_standing found it open
    before = throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    puts: tuple[Record, ...] = ()
    if reason == "wrong":
        throttle = found_wrong(throttle, one.trial(request))
    if ended.state is State.FAILED:
        puts, throttle = (snapshot.put_challenge(ended),), closing(throttle, ended.id)
    if throttle != before:
        puts = (*puts, snapshot.put(THROTTLE, throttle))
    event = request.event(
        ids.event,
        now,
        EventType.ATTEMPT,
        "refused",
        reason=reason,
        method=one.method,
        challenge_id=ended.id,
        detail={**(detail or {}), **({LOCKED: True} if locks(throttle, one.trial(request), one.limits, now) else {})},
    )
    return Changes(now, puts, events=(event,)), Rejected(Code.VERIFICATION_FAILED, ended.attempts_left)


def _used(
    one: Answering, snapshot: Snapshot, findings: Findings, now: datetime
) -> tuple[tuple[Record, ...], tuple[Check, ...]]:
    """What the answer used up: claims made, the factor moved forward, a rehashed password remembered.

    With its last code gone, a set of recovery codes is no longer enrolled.
    """
    checked, roster = findings.checked, roster_of(snapshot)
    after = roster
    until = one.challenge.expires_at + RETENTION
    puts = [Record(claim_key(f"method:{one.method}:{name}"), Claim(now), 0, until) for name in checked.claims]
    if checked.advance is not None:
        before = snapshot.get(factor_key(one.method), FactorSet) or FactorSet()
        puts.append(snapshot.put(factor_key(one.method), before.replacing(checked.advance)))
        if one.method == RECOVERY_CODE and not checked.advance.data.get("codes"):
            after = roster.without(checked.advance.id, (factor.stands_for or "" for factor in roster.factors))
    if findings.fingerprint is not None and checked.proof is not None and checked.proof.factor_id is not None:
        after = roster.trusting(checked.proof.factor_id, findings.fingerprint, now)
    if after is roster:
        return tuple(puts), (snapshot.check(ROSTER),)
    return (*puts, snapshot.put(ROSTER, after)), ()
