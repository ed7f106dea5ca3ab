"""How everything stands for one person at one moment, as the account page shows it before any script has run.

The page's script keeps it up to date from the protocol (``GET /stepup/actions``, ``/session``, ``/grants``,
``/events``); here the gate is asked for the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from stepup import Action, Context, RiskAssessment
from stepup.decision import Outcome
from stepup.event import Event
from stepup.grant import Grant
from stepup.requirement import names

from .actions import CARDS, GRANT_SECONDS, MAY_START, MFA, Card, actions, settings_of
from .site import Site
from .words import METHODS

SHOWN = 8
STATUS: Mapping[Outcome, str] = {
    Outcome.ALLOWED: "unlocked", Outcome.STEP_UP_REQUIRED: "needs_proof", Outcome.DENIED: "blocked",
}  # fmt: skip
EVERYTHING = ("passkey", "totp", "password", "email_code")


@dataclass(frozen=True)
class Shown:
    """One card."""

    action: Action
    card: Card
    status: str
    methods: tuple[str, ...]
    resource: Mapping[str, str]
    may_start: bool
    until: datetime | None


@dataclass(frozen=True)
class Trust:
    """What is known of the session."""

    age: float | None
    methods: tuple[str, ...]
    device: str
    trusted: bool
    minutes: int = GRANT_SECONDS // 60


@dataclass(frozen=True)
class Standing:
    """All of it."""

    cards: Sequence[Shown]
    grants: Sequence[Grant]
    events: Sequence[Event]
    trust: Trust
    risk: RiskAssessment
    labels: Mapping[str, str]


async def standing(site: Site, request: Request) -> Standing:
    """How everything stands for whoever makes *request*."""
    context = await site.step_up.context(request)
    assert context is not None
    return await run_in_threadpool(_standing, site, context)


def _standing(site: Site, context: Context) -> Standing:
    registry = {one.id: one for one in actions(site.workspace)}
    grants = site.gate.grants(context)
    manages = site.workspace.manages(context.actor.id)
    own = {name: card for name, card in CARDS.items() if manages or name == MFA}
    cards = [_shown(site, context, registry[name], card, grants) for name, card in own.items()]
    events = site.gate.events(context.actor, limit=SHOWN).items
    labels = {name: one.label for name, one in registry.items()}
    risk = site.gate.check(MFA, context).risk
    return Standing(cards, grants, events, _trust(site, context), risk, labels)


def _shown(site: Site, context: Context, action: Action, card: Card, grants: Sequence[Grant]) -> Shown:
    own = [grant for grant in grants if grant.binding.action == action.id]
    status = "unlocked" if own else STATUS[site.gate.check(action.id, context).outcome]
    named = names(action.requirement) if action.requirement else EVERYTHING
    resource = card.resource
    if action.id == MFA:
        about = settings_of(context.actor.id)
        resource = {"type": about.type, "id": about.id}
    until = max((grant.expires_at for grant in own), default=None)
    return Shown(action, card, status, named, resource, action.id in MAY_START, until)


def _trust(site: Site, context: Context) -> Trust:
    known, device = context.session, context.device
    since = known.authenticated_at if known else None
    age = None if since is None else (site.clock.now() - since).total_seconds()
    methods = tuple(METHODS.get(proof.method, proof.method) for proof in (known.proofs if known else ()))
    label = (device.label if device else None) or "This browser"
    return Trust(age, methods, label, site.gate.devices.recognise(context) is not None)
