"""``begin``: may this method be prepared now, and what is written before anything is sent.

Order matters: the verifier makes its state, the challenge is written with it and the send is counted, and
only then is the message handed over. A send that fails is taken back, so that it can be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from stepup.ceremony import Begun, Prompt
from stepup.challenge import Challenge, FactorRef, Preparation, prepare, unprepare
from stepup.changes import THROTTLE, Changes, Record, Snapshot, challenge_key
from stepup.errors import Code
from stepup.event import EventType
from stepup.limits import Limits
from stepup.throttle import Blocked, Throttle, sending, unsending
from stepup.tries import blocked

from .holding import MethodInfo, trial, trusted_device
from .request import Ids, Request
from .standing import Refusal, check_method, check_standing, standing_checks


@dataclass(frozen=True, slots=True)
class Preparing:
    """One ``begin``: which challenge, method and factors."""

    challenge: Challenge
    method: str
    refs: tuple[FactorRef, ...]
    info: MethodInfo
    limits: Limits


def refuse_begin(one: Preparing, request: Request, snapshot: Snapshot, now: datetime) -> Refusal | None:
    """Why nothing can be prepared now; asked before the verifier does any work."""
    refusal = check_standing(one.challenge, request, snapshot, now)
    refusal = refusal or check_method(one.challenge, request, one.method, one.refs, now)
    if refusal:
        return refusal
    throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    stopped = blocked(throttle, trial(one.challenge.id, one.refs, one.info, trusted_device(request)), one.limits, now)
    return Refusal(Code.LOCKED_OUT, stopped.why, stopped.retry_at) if stopped else None


def prepared(
    one: Preparing, request: Request, snapshot: Snapshot, begun: Begun, now: datetime, ids: Ids
) -> tuple[Changes | None, Prompt | Refusal]:
    """Write the preparation and count the send.

    Without changes: the code sent a moment ago still stands and is not sent again, or sending is refused.
    """
    if refusal := refuse_begin(one, request, snapshot, now):
        return None, refusal
    throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    resend_at = None
    puts: list[Record] = []
    if begun.deliver is not None:
        sent = sending(throttle, request.action.id, one.challenge.id, one.limits, now)
        if isinstance(sent, Blocked):
            return None, _already_sent(one, sent) or Refusal(Code.RATE_LIMITED, sent.why, sent.retry_at)
        puts.append(snapshot.put(THROTTLE, sent))
        resend_at = now + timedelta(seconds=one.limits.resend_after)
    preparation = Preparation(now, begun.state, sent_to=begun.prompt.sent_to, expires_at=begun.prompt.expires_at)
    moved = prepare(one.challenge, one.method, preparation, sent=begun.deliver is not None)
    assert moved is not None  # check_standing found it open
    puts.append(snapshot.put_challenge(moved))
    event = request.event(
        ids.event,
        now,
        EventType.CODE_SENT if begun.deliver else EventType.PREPARED,
        "ok",
        method=one.method,
        challenge_id=moved.id,
    )
    checks = standing_checks(moved, request)
    return Changes(now, tuple(puts), checks, (event,)), replace(begun.prompt, resend_at=resend_at)


def undelivered(
    one: Preparing, request: Request, snapshot: Snapshot, sent_at: datetime, now: datetime, ids: Ids
) -> Changes:
    """Take a failed send back: counters as before, the undelivered code void, and an event that says so."""
    puts: list[Record] = []
    challenge = snapshot.get(challenge_key(one.challenge.id), Challenge)
    if challenge and (found := challenge.prepared.get(one.method)) and found.at == sent_at:
        void = unprepare(challenge, one.method)
        puts.append(snapshot.put_challenge(void))
    throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    puts.append(snapshot.put(THROTTLE, unsending(throttle, one.challenge.id, sent_at)))
    event = request.event(
        ids.event, now, EventType.DELIVERY_FAILED, "refused", method=one.method, challenge_id=one.challenge.id
    )
    return Changes(now, tuple(puts), events=(event,))


def refused_begin(one_id: str, request: Request, method: str, refusal: Refusal, now: datetime, ids: Ids) -> Changes:
    """Record that nothing was prepared, and why."""
    event = request.event(
        ids.event, now, EventType.CODE_REFUSED, "refused", reason=refusal.reason, method=method, challenge_id=one_id
    )
    return Changes(now, events=(event,))


def _already_sent(one: Preparing, stopped: Blocked) -> Prompt | None:
    """The same answer as for the first send, if its code is still good: nothing more is mailed."""
    found = one.challenge.prepared.get(one.method)
    if stopped.why != "cooldown" or found is None:
        return None
    return Prompt(one.method, found.sent_to, stopped.retry_at, found.expires_at)
