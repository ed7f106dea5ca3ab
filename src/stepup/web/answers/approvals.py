"""Approvals: what others are asked to approve, and how that stands."""

from __future__ import annotations

from stepup.approval import Choice

from .ceremony import ApprovalProgress, ChallengeAction, ShownParam
from .document import Document, Time


class Requester(Document):
    """Who asks, and on whose behalf."""

    id: str
    on_behalf_of: str | None


class Approval(ApprovalProgress):
    """A request for approval, as its requester was shown it. ``mine`` is what the reader has said.

    ``uses`` is how often what is approved could be done; null where that is not counted.
    """

    action: ChallengeAction
    description: str
    resource_label: str | None
    requester: Requester
    params: list[ShownParam]
    params_digest: str | None
    digest: str
    uses: int | None
    reason: str | None
    ip: str | None
    device_label: str | None
    asked_at: Time
    mine: Choice | None


class Approvals(Document):
    """What waits for the person's answer, what they wait for, and what asks for the next page of the first."""

    inbox: list[Approval]
    own: list[Approval]
    after: str | None
    now: Time


class ApprovalEnvelope(Document):
    """A request for approval, after an answer."""

    approval: Approval
    now: Time
