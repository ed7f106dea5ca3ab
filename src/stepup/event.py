"""Audit events: who did what, when, where from, with which proof, under which rules, and what came of it.

Every attempt is an event, right or wrong, and every state change carries its event in the same batch.
No event holds a secret: session and device appear as keyed hashes, responses and codes not at all
(ASVS 16.2.1, 16.2.5, 16.3.1). Text from outside is cleaned of control characters where it enters.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from .binding import Binding
from .context import NO_RISK, Context, RiskAssessment
from .decision import Detail

EVIDENCE: Final = "evidence"
"""The member of ``Event.snapshot`` that holds what lets others check an accepted attempt; see ``stepup.evidence``."""


class EventType(enum.StrEnum):
    """What happened."""

    CHALLENGE_STARTED = "challenge_started"
    CHALLENGE_REFUSED = "challenge_refused"
    CHALLENGE_CANCELLED = "challenge_cancelled"
    PREPARED = "prepared"
    CODE_SENT = "code_sent"
    CODE_REFUSED = "code_refused"
    DELIVERY_FAILED = "delivery_failed"
    ATTEMPT = "attempt"
    APPROVAL_REQUESTED = "approval_requested"
    APPROVAL_GIVEN = "approval_given"
    APPROVAL_DENIED = "approval_denied"
    APPROVAL_WITHDRAWN = "approval_withdrawn"
    APPROVAL_EXPIRED = "approval_expired"
    APPROVAL_REFUSED = "approval_refused"
    AUTHORIZATION = "authorization"
    GRANT_REVOKED = "grant_revoked"
    SESSION_REVOKED = "session_revoked"
    SESSION_ROTATED = "session_rotated"
    EVERYTHING_REVOKED = "everything_revoked"
    FACTOR_ENROLMENT_STARTED = "factor_enrolment_started"
    FACTOR_ENROLLED = "factor_enrolled"
    FACTOR_CHANGED = "factor_changed"
    FACTOR_REMOVED = "factor_removed"
    DEVICE_REMEMBERED = "device_remembered"
    DEVICE_RENAMED = "device_renamed"
    DEVICE_REVOKED = "device_revoked"
    DISABLED = "disabled"
    ENABLED = "enabled"
    UNLOCKED = "unlocked"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Event:
    """One audit record. ``at`` is UTC; ``result`` is ``ok``, ``refused`` or ``open`` (more is needed)."""

    id: str
    at: datetime
    type: EventType
    result: str
    actor: str
    reason: str | None = None
    on_behalf_of: str | None = None
    action: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    organization: str | None = None
    session: str | None = None
    device: str | None = None
    method: str | None = None
    risk_score: int = 0
    risk_level: str = "low"
    ip: str | None = None
    user_agent: str | None = None
    challenge_id: str | None = None
    grant_id: str | None = None
    rules: str | None = None
    detail: Mapping[str, Detail] = field(default_factory=dict[str, Detail])
    snapshot: Mapping[str, object] | None = None


def event(
    event_id: str,
    at: datetime,
    kind: EventType,
    result: str,
    context: Context,
    *,
    binding: Binding | None = None,
    risk: RiskAssessment = NO_RISK,
    reason: str | None = None,
    method: str | None = None,
    challenge_id: str | None = None,
    grant_id: str | None = None,
    rules: str | None = None,
    snapshot: Mapping[str, object] | None = None,
    detail: Mapping[str, Detail] | None = None,
) -> Event:
    """An event about the request in *context*, for the call in *binding*."""
    return Event(
        id=event_id,
        at=at,
        type=kind,
        result=result,
        actor=context.actor.id,
        reason=reason,
        on_behalf_of=context.actor.on_behalf_of,
        action=binding.action if binding else None,
        resource_type=binding.resource_type if binding else None,
        resource_id=binding.resource_id if binding else None,
        organization=context.organization,
        session=binding.session if binding else None,
        device=binding.device if binding else None,
        method=method,
        risk_score=risk.score,
        risk_level=risk.level.value,
        ip=context.ip,
        user_agent=context.user_agent,
        challenge_id=challenge_id,
        grant_id=grant_id,
        rules=rules,
        detail=detail or {},
        snapshot=snapshot,
    )
