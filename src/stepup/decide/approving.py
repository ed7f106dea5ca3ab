"""Answering a request for approval: who may not, whoever they are; what it costs them; and what is written.

An answer is a conditional write of the request's challenge, in the requester's partition, with checks of all that
decided whether it could still be answered. The approver's own step-up is for one request (``own_step_up``), and is
spent before that, in theirs.

Whoever is not entitled gets the answer for a request that never was; the audit has the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from stepup.approval import Answer, ApprovalRequest, Approvers, Choice, Standing, network
from stepup.binding import Binding
from stepup.challenge import Challenge, Input, advance, observed
from stepup.changes import ACTOR_EPOCH, FENCE, THROTTLE, Changes, Check, Snapshot, session_epoch
from stepup.context import APPROVAL, Context, Resource
from stepup.decision import Detail
from stepup.errors import Code
from stepup.event import EventType, event
from stepup.policy import Action, Params, Policy, Risk
from stepup.requirement import STRONGEST
from stepup.rules import Rules
from stepup.throttle import Throttle, closing, open_ids

from .request import Ids
from .standing import NOT_FOUND, Refusal, closed

APPROVE: Final = "stepup.approval.approve"
REASON_LIMIT: Final = 500
MAX_LINES: Final = 2400


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


# -- who, from where ------------------------------------------------------------------


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


def own_step_up(view: ApprovalRequest) -> tuple[Resource, dict[str, object]]:
    """What an approver's own grant is bound to: this request, and all that it is for.

    The lines are those that the requester was shown; where they would be too many for one prompt, their digest.
    """
    params: dict[str, object] = {"Request": view.digest, "For": view.label, "Requested by": view.requester}
    if view.on_behalf_of is not None:
        params["On behalf of"] = view.on_behalf_of
    if view.resource_id is not None:
        params["On"] = view.resource_label or view.resource_id
    if view.often is not None:
        params["How often"] = view.often
    lines = {label: value for label, value in view.shown if label not in params}
    long = sum(len((label + value).encode()) for label, value in view.shown) > MAX_LINES
    if len(lines) != len(view.shown) or len(lines) > 24 or long:
        lines = {"Details": f"as listed with the request, digest {view.params_digest}"}
    return Resource("approval", view.id), {**params, **lines}


# -- the answer -----------------------------------------------------------------------


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
