"""Which approvals count, and what people are shown of a request for approval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from stepup.approval import Answer, ApprovalRequest, Approvers, Asked, Standing
from stepup.binding import Binding
from stepup.challenge import Challenge, State, observed
from stepup.changes import THROTTLE, Snapshot
from stepup.rules import Rules
from stepup.throttle import Throttle, open_ids

from .approval import request_id
from .approving import refuse_answer

# -- counting ------------------------------------------------------------------------


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


def together(answer: Answer, approvers: Approvers, *bindings: Binding) -> bool:
    """Whether an answer came from the session or the device of one of *bindings*, which were to be kept apart."""
    session = "session" in approvers.kept_apart and answer.session is not None
    device = "device" in approvers.kept_apart and answer.device is not None
    return any(
        (session and one.session == answer.session) or (device and one.device == answer.device) for one in bindings
    )


# -- looking -------------------------------------------------------------------------


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
        uses=challenge.uses,
        description=rules.action.description if rules is not None else "",
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
