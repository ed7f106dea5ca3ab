"""What clients get back, as models, for the OpenAPI document.

The answers themselves are made as plain values, by ``documents``, ``problems`` and the calls; the tests hold every one
of them against its model here. No model has a member that an answer does not have, and the other way round.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, Field, RootModel

from stepup.approval import Choice, Standing
from stepup.bundle import MAX_ITEMS
from stepup.challenge import State
from stepup.context import RiskLevel
from stepup.decision import Outcome
from stepup.errors import Code
from stepup.event import EventType

from .details import MEMBER
from .wire import STRICT, AuthorizationDetail

Answer: TypeAlias = BaseModel
"""Any of the models here."""


class Document(BaseModel):
    """A document that a client reads."""

    model_config = STRICT


def _absent() -> Any:
    """The default of a member that is left out where there is nothing to say, and never null."""
    return Field(default_factory=lambda: None)


_Time = Annotated[
    str,
    Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$", json_schema_extra={"format": "date-time"}),
]
_Detail = str | int | bool | None
_RiskWord = Literal["low", "medium", "high", "critical"]
_Details = Annotated[list[AuthorizationDetail], Field(min_length=1, max_length=MAX_ITEMS)]


# -- the ceremony -------------------------------------------------------------------------


class ChallengeAction(Document):
    """What would be approved."""

    id: str
    label: str
    resource_type: str | None
    resource_id: str | None
    risk_level: _RiskWord


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
    expires_at: _Time
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

    ``items`` are the calls of a bundle. ``uses`` is how often the proof could be spent; null where that is not counted.
    ``onBehalfOf`` is whom the person acts for, by id.
    """

    challenge: Challenge
    description: str
    now: _Time
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
    expires_at: _Time
    denial: str | None


class Prompt(Document):
    """What the person is asked for. ``options`` are for the browser's own functions."""

    method: str
    sent_to: str | None
    resend_at: _Time | None
    expires_at: _Time | None
    options: dict[str, object]


class PromptEnvelope(Document):
    """A prompt, and the server's time."""

    prompt: Prompt
    now: _Time


class MintedGrant(Document):
    """What opens the call: repeat it with the token. It is told this once."""

    token: str
    id: str
    expires_at: _Time
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
    retry_at: _Time | None
    enrol_url: str | None
    login_url: str | None
    reasons: list[dict[str, _Detail]]
    offer: str | None
    authorization_details: Annotated[_Details | None, Field(alias=MEMBER)]


# -- approvals ------------------------------------------------------------------------------


class Requester(Document):
    """Who asks, and on whose behalf."""

    id: str
    on_behalf_of: str | None


class Approval(ApprovalProgress):
    """A request for approval, as its requester was shown it. ``mine`` is what the reader has said.

    ``uses`` is how often what is approved could be done; null where that is not counted.
    """

    action: ChallengeAction
    resource_label: str | None
    requester: Requester
    params: list[ShownParam]
    params_digest: str | None
    digest: str
    uses: int | None
    reason: str | None
    ip: str | None
    device_label: str | None
    asked_at: _Time
    mine: Choice | None


class Approvals(Document):
    """What waits for the person's answer, what they wait for, and what asks for the next page of the first."""

    inbox: list[Approval]
    own: list[Approval]
    after: str | None
    now: _Time


class ApprovalEnvelope(Document):
    """A request for approval, after an answer."""

    approval: Approval
    now: _Time


# -- the account --------------------------------------------------------------------------


class ActionItem(Document):
    """An action of the registry, for this person."""

    id: str
    label: str
    description: str
    risk: Annotated[int, Field(ge=1, le=4)]
    risk_level: _RiskWord
    methods: list[str]
    confirmation: str
    audit_level: str
    token_required: bool
    session_risk: RiskLevel | None
    status: Literal["blocked", "needs_proof", "unlocked"]


class Actions(Document):
    """The registry."""

    actions: list[ActionItem]


class SessionProof(Document):
    """A way the person has signed in by."""

    method: str
    at: _Time


class SessionDevice(Document):
    """The browser or machine."""

    label: str | None
    trusted: bool


class Session(Document):
    """What is known of the session."""

    session_id: str | None
    authenticated_at: _Time | None
    age_seconds: Annotated[int, Field(ge=0)] | None
    proofs: list[SessionProof]
    device: SessionDevice | None
    risk_level: RiskLevel | None
    risk_reasons: list[str]
    now: _Time


class Grant(Document):
    """Something that is unlocked. ``uses``, and ``remaining`` of them, are null where they are not counted."""

    id: str
    action: str
    resource_type: str | None
    resource_id: str | None
    risk_level: _RiskWord
    methods: list[str]
    issued_at: _Time
    expires_at: _Time
    uses: int | None
    remaining: int | None


class Grants(Document):
    """What is unlocked now."""

    grants: list[Grant]
    now: _Time


class Event(Document):
    """One line of the person's own history."""

    id: str
    at: _Time
    type: EventType
    result: Literal["ok", "refused", "open"]
    on_behalf_of: str | None
    action: str | None
    resource_type: str | None
    resource_id: str | None
    method: str | None
    ip: str | None
    user_agent: str | None


class Events(Document):
    """A page of the history, newest first. ``after`` asks for the next one."""

    events: list[Event]
    after: str | None


class DeviceItem(Document):
    """A device that is remembered. ``current`` is the one that asks; ``lastUsedAt`` its last step-up."""

    id: str
    label: str
    current: bool
    created_at: _Time
    last_used_at: _Time
    expires_at: _Time


class Devices(Document):
    """The remembered devices."""

    devices: list[DeviceItem]


# -- refusals -------------------------------------------------------------------------------


class Problem(Document):
    """A refusal (RFC 9457). Members that have nothing to say are left out."""

    type: Annotated[str, Field(json_schema_extra={"format": "uri-reference"})]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    code: Code
    detail: str = _absent()
    action: str = _absent()
    methods: list[str] = _absent()
    unavailable: dict[str, str] = _absent()
    offer: str = _absent()
    max_age: int = _absent()
    acr_values: str = _absent()
    reasons: list[dict[str, _Detail]] = _absent()
    retry_at: _Time = _absent()
    attempts_left: Annotated[int, Field(ge=0)] = _absent()
    enrol_url: str = _absent()
    login_url: str = _absent()
    authorization_details: Annotated[_Details, Field(alias=MEMBER)] = _absent()


class FactorItem(Document):
    """Something that the person can prove themselves with. What is not ``removable`` is the application's."""

    id: str
    method: str
    label: str
    enrolled_at: _Time | None
    usable: bool
    quarantined_until: _Time | None
    removable: bool


class Factors(Document):
    """Everything that is enrolled, and the methods of which the person can enrol more."""

    factors: list[FactorItem]
    enrollable: list[str]
    now: _Time


class FactorEnvelope(Document):
    """A factor that counts from now, or from the end of its quarantine."""

    factor: FactorItem


class QrCode(Document):
    """A picture: the side of its square, and the outline of its dark parts, as in SVG."""

    size: int
    path: str


class TotpEnrolment(Document):
    """A secret that waits for its first code. It is told this once."""

    id: str
    secret: str
    uri: str
    qr: QrCode | None
    expires_at: _Time


class PasskeyEnrolment(Document):
    """A registration that waits for the browser's answer; ``options`` are for ``credentials.create()``."""

    id: str
    options: dict[str, object]
    expires_at: _Time


class RecoveryCodes(Document):
    """Codes for a lost factor, each good once. They are told this once."""

    codes: list[str]


class ProblemDescription(Document):
    """What a code means."""

    type: Annotated[str, Field(json_schema_extra={"format": "uri-reference"})]
    code: Code
    status: Annotated[int, Field(ge=400, le=599)]
    title: str
    detail: str


class OpenApi(RootModel[dict[str, object]]):
    """The description of the protocol."""
