"""A request for approval: asking others, finding it again, ending it, and moving it with its session.

It is part of its challenge, in the requester's partition, so every change of it is a conditional write of that one
record, with checks of all that decided whether it could still be changed: the requester's open challenges, their
epochs, the fence. ``approving`` is the approver's side; ``ballot`` says what of the answers counts.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from stepup.approval import Asked, Standing
from stepup.challenge import Challenge, Input, State, advance
from stepup.changes import ACTOR_EPOCH, FENCE, THROTTLE, Changes, Key, Snapshot, challenge_key, session_epoch
from stepup.context import APPROVAL, Context
from stepup.errors import Code
from stepup.event import EventType, event
from stepup.limits import Limits
from stepup.throttle import Blocked, Throttle, closing, lasting, sending

from .request import Ids, Request
from .standing import Refusal, check_standing, standing_checks
from .standing import remaining as still_open

ID_SEPARATOR: Final = "."


def tag_of(namespace: str, tenant: str, organization: str | None) -> str:
    """The inbox that requests of that tenant and organization are listed in."""
    text = "\0".join((namespace, tenant, "" if organization is None else f"\0{organization}"))
    return "approvals:" + hashlib.sha256(b"stepup.inbox.v1\0" + text.encode()).hexdigest()[:32]


def request_id(challenge_id: str, partition: str) -> str:
    """Names a request for approval, wherever it is looked for. It grants nothing."""
    return f"{challenge_id}{ID_SEPARATOR}{partition}"


def request_keys(challenge_id: str, session: str | None = None) -> tuple[Key, ...]:
    """What to load to see where a request stands, in the requester's partition."""
    keys = (challenge_key(challenge_id), THROTTLE, ACTOR_EPOCH, FENCE)
    return keys if session is None else (*keys, session_epoch(session))


# -- asking -----------------------------------------------------------------------


def ask(
    challenge: Challenge,
    request: Request,
    snapshot: Snapshot,
    asked: Asked,
    ttl: int,
    limits: Limits,
    ids: Ids,
) -> tuple[Changes | None, Challenge | Refusal]:
    """Ask for approval; the challenge then lives as long as others may take. Asked already, nothing is written."""
    now = asked.at
    if (refusal := check_standing(challenge, request, snapshot, now)) is not None:
        return None, refusal
    if challenge.asked is not None:
        return None, challenge
    if APPROVAL not in challenge.allowed or APPROVAL not in still_open(challenge, request, now):
        return None, Refusal(Code.METHOD_NOT_ALLOWED, "method_not_allowed")
    if challenge.rules != request.rules.hash:
        return None, Refusal(Code.CHALLENGE_CLOSED, "rules_changed")
    throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    sent = sending(throttle, f"{APPROVAL}:{request.action.id}", challenge.id, limits, now)
    if isinstance(sent, Blocked):
        return None, Refusal(Code.RATE_LIMITED, sent.why, sent.retry_at)
    until = now + timedelta(seconds=ttl)
    waiting = lasting(sent, challenge.id, until, limits, now)
    if isinstance(waiting, Blocked):
        return None, Refusal(Code.RATE_LIMITED, f"{waiting.why}_challenges", waiting.retry_at)
    moved = advance(challenge, Input.BEGIN)
    assert moved is not None  # check_standing found it open
    moved = replace(moved, asked=asked, expires_at=until)
    made = request.event(
        ids.event,
        now,
        EventType.APPROVAL_REQUESTED,
        "ok",
        method=APPROVAL,
        challenge_id=challenge.id,
        detail={"who": asked.who, "quorum": asked.quorum, "reason": challenge.reason},
    )
    puts = (snapshot.put_challenge(moved), snapshot.put(THROTTLE, waiting))
    return Changes(now, puts, standing_checks(challenge, request), (made,)), moved


# -- finding it again ---------------------------------------------------------------


def pending(challenge: Challenge | None, request: Request, snapshot: Snapshot, now: datetime) -> bool:
    """Whether a call has a request for approval that still stands, so that a new challenge would only lose it."""
    if challenge is None or challenge.asked is None or challenge.rules != request.rules.hash:
        return False
    return check_standing(challenge, request, snapshot, now) is None


def same_slot(request: Request, snapshot: Snapshot, now: datetime) -> str | None:
    """The id of the open challenge for this very call, where its rules let others approve it."""
    if APPROVAL not in request.rules.named:
        return None
    throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    slot = request.binding.slot
    return next((one.id for one in throttle.open if one.slot == slot and one.expires_at > now), None)


# -- ending, and moving --------------------------------------------------------------


def ended(
    challenge: Challenge, how: Standing, context: Context, snapshot: Snapshot, now: datetime, ids: Ids
) -> Changes | None:
    """Write that a request was withdrawn, or that it has expired, once; None where its end is recorded."""
    asked = challenge.asked
    if asked is None or asked.ended is not None or challenge.state is not State.OPEN:
        return None
    moved = replace(challenge, asked=replace(asked, ended=how))
    if how is Standing.WITHDRAWN:
        cancelled = advance(moved, Input.CANCEL)
        assert cancelled is not None  # it is open, as above
        moved = cancelled
    kind = EventType.APPROVAL_WITHDRAWN if how is Standing.WITHDRAWN else EventType.APPROVAL_EXPIRED
    made = event(
        ids.event,
        now,
        kind,
        "ok",
        context,
        binding=challenge.binding,
        method=APPROVAL,
        challenge_id=challenge.id,
        rules=challenge.rules,
        detail={"requester": challenge.binding.actor, "given": len(asked.approvals), "quorum": asked.quorum},
    )
    puts = [snapshot.put_challenge(moved)]
    if how is Standing.WITHDRAWN:
        puts.append(snapshot.put(THROTTLE, closing(snapshot.get(THROTTLE, Throttle) or Throttle(), challenge.id)))
    return Changes(now, tuple(puts), events=(made,))


def carried(challenge: Challenge, old: str, new: str, epoch: int, snapshot: Snapshot, now: datetime) -> Changes | None:
    """Move a request to its session's new id; None unless it stood until that session was renewed, and by that alone.

    Renewing has moved the old session's epoch by one. Anything else that ended it has moved it further. *epoch* is that
    of the new session when it began.
    """
    bound, ended_at = challenge.binding, snapshot.version(session_epoch(old))
    alive = (snapshot.version(ACTOR_EPOCH), ended_at - 1) == challenge.epochs
    alive = alive and snapshot.version(session_epoch(new)) == epoch
    if challenge.asked is None or challenge.state is not State.OPEN or bound.session != old or not alive:
        return None
    throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    moved = replace(challenge, binding=bound.in_session(new), epochs=(challenge.epochs[0], epoch))
    kept = tuple(replace(o, slot=moved.binding.slot) if o.id == challenge.id else o for o in throttle.open)
    checks = tuple(snapshot.check(key) for key in (ACTOR_EPOCH, FENCE, session_epoch(old), session_epoch(new)))
    return Changes(now, (snapshot.put_challenge(moved), snapshot.put(THROTTLE, replace(throttle, open=kept))), checks)
