"""The ceremony: a challenge, what is asked for, what a right answer comes to, and what would open a call."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, RootModel

from stepup.approval import Standing
from stepup.bundle import MAX_ITEMS
from stepup.challenge import State
from stepup.context import RiskLevel
from stepup.decision import Outcome
from stepup.errors import Code
from stepup.web.details import MEMBER

from .document import Detail, Details, Document, RiskWord, Time


class ChallengeAction(Document):
    """What would be approved."""

    id: str
    label: str
    resource_type: str | None
    resource_id: str | None
    risk_level: RiskWord


class ChallengeActor(Document):
    """Who would approve it. ``sessionId`` is a label, never the session's secret."""

    id: str
    email: str | None
    session_id: str | None


class ShownParam(Document):
    """A line of what the person is shown."""

    label: str
    value: str


class ChallengePolicy(Document):
    """The rules, as far as a person is told of them."""

    require_fresh_auth_within_minutes: Annotated[int, Field(ge=1)]
    block_if_session_risk: list[RiskLevel]
    allow_trusted_device_remembering: bool


class ChallengeAudit(Document):
    """What will be recorded of it."""

    ip: str | None
    device_label: str | None
    reason: str | None


class Challenge(Document):
    """A request for fresh proof."""

    id: str
    status: State
    action: ChallengeAction
    actor: ChallengeActor
    params: list[ShownParam]
    allowed_methods: list[str]
    expires_at: Time
    policy: ChallengePolicy
    audit: ChallengeAudit


class ItemResource(Document):
    """What one call of a bundle is done to."""

    type: str
    id: str
    label: str | None


class ChallengeItem(Document):
    """One call of a bundle, as the person is shown it."""

    label: str
    resource: ItemResource | None
    params: list[ShownParam]


class ChallengeEnvelope(Document):
    """A challenge, and what else a client needs to carry it on.

    ``resourceLabel`` is what people call the resource. ``items`` are the calls of a bundle. ``uses`` is how often the
    proof could be spent; null where that is not counted. ``onBehalfOf`` is whom the person acts for, by id.
    """

    challenge: Challenge
    description: str
    resource_label: str | None
    now: Time
    attempts_left: Annotated[int, Field(ge=0)]
    remaining: list[str]
    proved: list[str]
    items: Annotated[list[ChallengeItem], Field(max_length=MAX_ITEMS)]
    uses: int | None
    on_behalf_of: str | None
    approval: ApprovalProgress | None


class ApprovalProgress(Document):
    """How far the approval by others is. ``given`` of ``quorum`` have approved; ``denial`` is why one refused."""

    id: str
    standing: Standing
    who: str
    quorum: Annotated[int, Field(ge=1)]
    given: Annotated[int, Field(ge=0)]
    expires_at: Time
    denial: str | None


class Prompt(Document):
    """What the person is asked for. ``options`` are for the browser's own functions."""

    method: str
    sent_to: str | None
    resend_at: Time | None
    expires_at: Time | None
    options: dict[str, object]


class PromptEnvelope(Document):
    """A prompt, and the server's time."""

    prompt: Prompt
    now: Time


class MintedGrant(Document):
    """What opens the call: repeat it with the token. It is told this once."""

    token: str
    id: str
    expires_at: Time
    uses: int | None


class AttemptVerified(Document):
    """The challenge is finished."""

    status: Literal["verified"]
    grant: MintedGrant


class AttemptOpen(Document):
    """That was right, and more is asked for: any of ``remaining``."""

    status: Literal["open"]
    remaining: list[str]


class AttemptAnswer(RootModel[Annotated[AttemptVerified | AttemptOpen, Field(discriminator="status")]]):
    """What a right answer comes to."""


class Preflight(Document):
    """Whether a call would pass, and if not, what would open it."""

    outcome: Outcome
    code: Code
    action: str
    methods: list[str]
    unavailable: dict[str, str]
    max_age: int | None
    acr_values: str
    retry_at: Time | None
    enrol_url: str | None
    login_url: str | None
    reasons: list[dict[str, Detail]]
    offer: str | None
    authorization_details: Annotated[Details | None, Field(alias=MEMBER)]
