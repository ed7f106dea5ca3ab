"""The account: what is protected and unlocked, the session, the history, and remembered devices."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stepup.context import RiskLevel
from stepup.event import EventType

from .document import Document, RiskWord, Time


class ActionItem(Document):
    """An action of the registry, for this person."""

    id: str
    label: str
    description: str
    risk: Annotated[int, Field(ge=1, le=4)]
    risk_level: RiskWord
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
    at: Time


class SessionDevice(Document):
    """The browser or machine."""

    label: str | None
    trusted: bool


class Session(Document):
    """What is known of the session."""

    session_id: str | None
    authenticated_at: Time | None
    age_seconds: Annotated[int, Field(ge=0)] | None
    proofs: list[SessionProof]
    device: SessionDevice | None
    risk_level: RiskLevel | None
    risk_reasons: list[str]
    now: Time


class Grant(Document):
    """Something that is unlocked. ``uses``, and ``remaining`` of them, are null where they are not counted."""

    id: str
    action: str
    resource_type: str | None
    resource_id: str | None
    risk_level: RiskWord
    methods: list[str]
    issued_at: Time
    expires_at: Time
    uses: int | None
    remaining: int | None


class Grants(Document):
    """What is unlocked now."""

    grants: list[Grant]
    now: Time


class Event(Document):
    """One line of the person's own history."""

    id: str
    at: Time
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
    created_at: Time
    last_used_at: Time
    expires_at: Time


class Devices(Document):
    """The remembered devices."""

    devices: list[DeviceItem]
