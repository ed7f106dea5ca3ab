"""Approval by a second person: asking for it, answering, withdrawing, and what still counts when it is collected.

A request for approval is part of its challenge, in the requester's partition, so every change of it is a conditional
write of that one record, with checks of all that decided whether it could still be changed: the requester's open
challenges, their epochs, the fence. The approver's own partition is read (``Answer.epoch``), never written from here.

Whoever is not entitled gets the answer for a request that never was; the audit has the reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from stepup.approval import Answer, ApprovalRequest, Approvers, Asked, Choice, Standing, network
from stepup.binding import Binding
from stepup.challenge import Challenge, Input, State, advance, observed
from stepup.changes import (
    ACTOR_EPOCH,
    FENCE,
    THROTTLE,
    Changes,
    Check,
    Key,
    Snapshot,
    challenge_key,
    session_epoch,
)
from stepup.context import APPROVAL, Context, Resource
from stepup.decision import Detail
from stepup.errors import Code
from stepup.event import EventType, event
from stepup.limits import Limits
from stepup.policy import Action, Params, Policy, Risk
from stepup.requirement import STRONGEST
from stepup.rules import Rules
from stepup.throttle import Blocked, Throttle, closing, lasting, open_ids, sending

from .request import Ids, Request
from .standing import NOT_FOUND, Refusal, check_standing, closed, standing_checks
from .standing import remaining as still_open

APPROVE: Final = "stepup.approval.approve"
REASON_LIMIT: Final = 500
ID_SEPARATOR: Final = "."


def _described(_: Resource | None, params: Params | None) -> Iterable[tuple[str, str]]:
    """What an approver's own step-up shows: the request, in the words its requester was shown."""
    for label, value in (params or {}).items():
        if label != "Request":
            yield label, str(value)


ACTION: Final = Action(
    APPROVE,
    "Approve what somebody else asks for",
    risk=Risk.HIGH,
    policy=Policy(methods=STRONGEST, grant_ttl=300, uses=1),
    describe=_described,
)
"""The approver's own step-up: one use, for one request. An application may register its own under the same id."""


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


# -- answering ---------------------------------------------------------------------


def apart(challenge: Challenge, approvers: Approvers, context: Context, answer: Answer) -> str | None:
    """Why the person in *context* may not answer, whoever they are; None if duties are separate.

    *answer* is what they would say: its session and device are keyed hashes as in the challenge's binding.
    """
    bound = challenge.binding
    if context.actor.on_behalf_of is not None:
        return "impersonating"
    if context.actor.id in {bound.actor, bound.on_behalf_of}:
        return "own_request"
    if context.actor.tenant != bound.tenant:
        return "other_tenant"
    if bound.organization is not None and context.organization != bound.organization:
        return "other_organization"
    others = challenge.asked.answers if challenge.asked else ()
    shared = [(bound.session, bound.device, challenge.ip)]
    shared += [(one.session, one.device, one.ip) for one in others if one.partition != answer.partition]
    for session, device, ip in shared:
        if found := _shares(approvers.kept_apart, answer, session, device, ip):
            return found
    return None


def _shares(
    kept: frozenset[str], answer: Answer, session: str | None, device: str | None, ip: str | None
) -> str | None:
    if "session" in kept and session is not None and session == answer.session:
        return "same_session"
    if "device" in kept and device is not None and device == answer.device:
        return "same_device"
    if "network" in kept:
        mine, other = network(answer.ip), network(ip)
        if mine is None or other is None:
            return "network_unknown"
        if mine == other:
            return "same_network"
    return None


def refuse_answer(
    challenge: Challenge | None, rules: Rules | None, snapshot: Snapshot, now: datetime
) -> Refusal | None:
    """Why a request cannot be answered now; None if it can. Asked after it is known that the person may."""
    if challenge is None or challenge.asked is None or rules is None:
        return NOT_FOUND
    throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    if (refusal := closed(observed(challenge, open_ids(throttle), now).state)) is not None:
        return refusal
    if not _held(challenge, snapshot):
        return Refusal(Code.CHALLENGE_CLOSED, "revoked")
    if challenge.rules != rules.hash:
        return Refusal(Code.CHALLENGE_CLOSED, "rules_changed")
    return None


def _held(challenge: Challenge, snapshot: Snapshot) -> bool:
    """Whether the requester's epochs and the fence hold, as far as loaded; an answer's batch checks the rest."""
    key = session_epoch(challenge.binding.session)
    session = key not in snapshot.records or snapshot.version(key) == challenge.epochs[1]
    return session and (snapshot.version(ACTOR_EPOCH), snapshot.version(FENCE)) == (
        challenge.epochs[0],
        challenge.fence,
    )


def answered(
    challenge: Challenge, answer: Answer, context: Context, snapshot: Snapshot, ids: Ids
) -> tuple[Changes | None, Challenge]:
    """Add an answer: one that approves leaves the request open for its requester, one that denies ends it.

    Without changes, the same person has said the same before and nothing has ended it since.
    """
    asked, now = challenge.asked, answer.at
    assert asked is not None  # refuse_answer() saw it
    before = asked.by(answer.partition)
    if before is not None and (before.choice, before.epoch) == (answer.choice, answer.epoch):
        return None, challenge
    denies = answer.choice is Choice.DENY
    moved = advance(challenge, Input.DENY if denies else Input.APPROVE)
    assert moved is not None  # refuse_answer() found it open
    after = replace(asked, answers=asked.answering(answer), ended=Standing.DENIED if denies else None)
    moved = replace(moved, asked=after)
    puts = [snapshot.put_challenge(moved)]
    checks = [Check(ACTOR_EPOCH, challenge.epochs[0]), Check(FENCE, challenge.fence)]
    checks.append(Check(session_epoch(challenge.binding.session), challenge.epochs[1]))
    if denies:
        puts.append(snapshot.put(THROTTLE, closing(snapshot.get(THROTTLE, Throttle) or Throttle(), challenge.id)))
    else:
        checks.append(snapshot.check(THROTTLE))
    detail: dict[str, Detail] = {
        "requester": challenge.binding.actor,
        "given": len(after.approvals),
        "quorum": asked.quorum,
        "session": answer.session,
        "device": answer.device,
        "digest": challenge.binding.digest.hex(),
        "reason": answer.reason,
        "step_up": answer.grant_id,
    }
    kind = EventType.APPROVAL_DENIED if denies else EventType.APPROVAL_GIVEN
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
        detail=detail,
    )
    return Changes(now, tuple(puts), tuple(checks), (made,)), moved


def refused_answer(
    context: Context,
    choice: Choice,
    challenge_id: str,
    binding: Binding | None,
    refusal: Refusal,
    at: datetime,
    ids: Ids,
) -> Changes:
    """Record, with the person who tried, that their answer was not taken, and why."""
    made = event(
        ids.event,
        at,
        EventType.APPROVAL_REFUSED,
        "refused",
        context,
        binding=binding,
        reason=refusal.reason,
        method=APPROVAL,
        challenge_id=challenge_id,
        detail={"choice": choice.value, "requester": binding.actor if binding else None},
    )
    return Changes(at, events=(made,))


def own_step_up(view: ApprovalRequest) -> tuple[Resource, dict[str, object]]:
    """What an approver's own grant is bound to: this request, and all that it is for.

    The lines are those that the requester was shown; where they would be too many for one prompt, their digest.
    """
    params: dict[str, object] = {"Request": view.digest, "For": view.label, "Requested by": view.requester}
    if view.on_behalf_of is not None:
        params["On behalf of"] = view.on_behalf_of
    if view.resource_id is not None:
        params["On"] = view.resource_label or view.resource_id
    lines = {label: value for label, value in view.shown if label not in params}
    long = sum(len((label + value).encode()) for label, value in view.shown) > MAX_LINES
    if len(lines) != len(view.shown) or len(lines) > 24 or long:
        lines = {"Details": f"as listed with the request, digest {view.params_digest}"}
    return Resource("approval", view.id), {**params, **lines}


MAX_LINES: Final = 2400

# -- ending ------------------------------------------------------------------------


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


def carried(challenge: Challenge, old: str, new: str, snapshot: Snapshot, now: datetime) -> Changes | None:
    """Move a request to its session's new id; None unless it stood until that session was renewed, and by that alone.

    Renewing has moved the old session's epoch by one. Anything else that ended it has moved it further.
    """
    bound, ended_at = challenge.binding, snapshot.version(session_epoch(old))
    alive = (snapshot.version(ACTOR_EPOCH), ended_at - 1) == challenge.epochs
    if challenge.asked is None or challenge.state is not State.OPEN or bound.session != old or not alive:
        return None
    throttle, epoch = snapshot.get(THROTTLE, Throttle) or Throttle(), snapshot.version(session_epoch(new))
    moved = replace(challenge, binding=bound.in_session(new), epochs=(challenge.epochs[0], epoch))
    kept = tuple(replace(o, slot=moved.binding.slot) if o.id == challenge.id else o for o in throttle.open)
    checks = tuple(snapshot.check(key) for key in (ACTOR_EPOCH, FENCE, session_epoch(old), session_epoch(new)))
    return Changes(now, (snapshot.put_challenge(moved), snapshot.put(THROTTLE, replace(throttle, open=kept))), checks)


# -- collecting --------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class Ballot:
    """The approvals that count now: those of people who still may, and whom nothing has signed out since."""

    counted: tuple[Answer, ...]
    quorum: int

    @property
    def enough(self) -> bool:
        """Whether the quorum is there."""
        return len(self.counted) >= self.quorum


def ballot(asked: Asked, epochs: Mapping[str, int], entitled: frozenset[str]) -> Ballot:
    """Count the approvals, given each approver's epoch now and the partitions of those who still may approve."""
    good = [one for one in asked.approvals if one.partition in entitled and epochs.get(one.partition) == one.epoch]
    return Ballot(tuple(good), asked.quorum)


# -- looking -----------------------------------------------------------------------


def view(
    challenge: Challenge, partition: str, snapshot: Snapshot, rules: Rules | None, now: datetime, mine: str
) -> ApprovalRequest | None:
    """What people are shown of a request; None where there is none. ``READY`` is for ``ready()`` to say."""
    asked, bound = challenge.asked, challenge.binding
    if asked is None:
        return None
    own = asked.by(mine)
    denial = asked.denial
    return ApprovalRequest(
        id=request_id(challenge.id, partition),
        challenge_id=challenge.id,
        standing=_standing(challenge, snapshot, rules, now),
        action=bound.action,
        label=challenge.label,
        level=challenge.level,
        requester=bound.actor,
        asked_at=asked.at,
        expires_at=challenge.expires_at,
        who=asked.who,
        quorum=asked.quorum,
        digest=bound.digest.hex(),
        tenant=bound.tenant,
        on_behalf_of=bound.on_behalf_of,
        organization=bound.organization,
        resource_type=bound.resource_type,
        resource_id=bound.resource_id,
        resource_label=challenge.resource_label,
        shown=challenge.shown,
        params_digest=bound.params,
        reason=challenge.reason,
        ip=challenge.ip,
        device_label=challenge.device_label,
        given=tuple(one.actor for one in asked.approvals),
        denied_by=denial.actor if denial else None,
        denial=denial.reason if denial else None,
        mine=own.choice if own else None,
    )


_ENDED: Final = {
    State.VERIFIED: Standing.COLLECTED,
    State.DENIED: Standing.DENIED,
    State.CANCELLED: Standing.WITHDRAWN,
    State.EXPIRED: Standing.EXPIRED,
}


def _standing(challenge: Challenge, snapshot: Snapshot, rules: Rules | None, now: datetime) -> Standing:
    throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    state = observed(challenge, open_ids(throttle), now).state
    if state is not State.OPEN:
        return _ENDED.get(state, Standing.CLOSED)
    return Standing.PENDING if refuse_answer(challenge, rules, snapshot, now) is None else Standing.CLOSED


def ready(view: ApprovalRequest, counted: Ballot) -> ApprovalRequest:
    """*view* with only the approvals that still count, and whether they are enough."""
    if view.standing is not Standing.PENDING:
        return view
    given = tuple(one.actor for one in counted.counted)
    return replace(view, given=given, standing=Standing.READY if counted.enough else Standing.PENDING)
