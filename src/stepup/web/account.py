"""The account's calls: what is protected, how the session stands, what is unlocked, what has happened."""

from __future__ import annotations

from typing import Final

from stepup._engine import authorize, devices, upkeep
from stepup._engine.risk import session_risk
from stepup.binding import session_hash
from stepup.context import FRESH_SESSION
from stepup.decide.request import Request as Asked
from stepup.decision import Outcome
from stepup.requirement import Method, leaves

from . import documents as doc
from .call import Call
from .http import WebResponse, response
from .problems import zulu
from .wire import EventsQuery

_STATUS: Final = {Outcome.ALLOWED: "unlocked", Outcome.STEP_UP_REQUIRED: "needs_proof", Outcome.DENIED: "blocked"}


async def actions(call: Call) -> WebResponse:
    """The registry, for this person; stepup's own actions are not the application's."""
    unlocked = {grant.binding.action for grant in await upkeep.grants(call.core, call.context)}
    judged = await call.core.judged(call.context)
    listed: list[dict[str, object]] = []
    for action in call.core.registry.actions.values():
        if action.id.startswith("stepup."):
            continue
        asked = await call.core.request(action.id, call.context, None, None, judged=judged)
        status = "unlocked" if action.id in unlocked else await _status(call, asked)
        risk = asked.risk.level if _judged(call) else None
        listed.append(doc.action_document(action, asked.rules.policy, status, _named(call, asked), risk))
    return call.ok({"actions": listed})


def _judged(call: Call) -> bool:
    """Whether anybody says what the session's risk is."""
    return call.context.risk is not None or call.core.assess is not None or call.core.watch is not None


async def _status(call: Call, asked: Asked) -> str:
    return _STATUS[(await authorize.check_made(call.core, asked)).outcome]


def _named(call: Call, asked: Asked) -> list[str]:
    """The methods that count for an action, strongest first, as far as it names any; else all there are."""
    named = {leaf.name for leaf in leaves(asked.rules.policy.requirement) if isinstance(leaf, Method)} - {FRESH_SESSION}
    known = sorted(call.core.methods, key=lambda name: -call.core.methods[name].strength)
    return [name for name in known if not named or name in named]


async def session(call: Call) -> WebResponse:
    """What is known of the session."""
    known, now = call.context.session, call.core.now()
    hashed = session_hash(call.core.ring, call.context)
    since = known.authenticated_at if known else None
    device = call.context.device
    risk, reasons = await session_risk(call.core, call.context)
    trusted = await devices.recognise(call.core, call.context) is not None or (device is not None and device.trusted)
    return call.ok(
        {
            "sessionId": doc.session_label(call.context, hashed),
            "authenticatedAt": zulu(since),
            "ageSeconds": None if since is None else max(0, int((now - since).total_seconds())),
            "proofs": [{"method": proof.method, "at": zulu(proof.at)} for proof in (known.proofs if known else ())],
            "device": None if device is None else {"label": device.label, "trusted": trusted},
            "riskLevel": None if risk is None else risk.level.value,
            "riskReasons": list(reasons),
            "now": zulu(now),
        }
    )


async def grants(call: Call) -> WebResponse:
    """What is unlocked now."""
    held = await upkeep.unlocked(call.core, call.context)
    listed = [doc.grant_document(grant, remaining) for grant, remaining in held]
    return call.ok({"grants": listed, "now": zulu(call.core.now())})


async def revoke_grant(call: Call) -> WebResponse:
    """Lock something again; what is not unlocked is locked already."""
    await upkeep.revoke_some(call.core, call.context, call.parts["grant"], session=False, everything=False)
    return response(204, b"", "application/json")


async def events(call: Call) -> WebResponse:
    """A page of the person's own history."""
    asked = call.body(EventsQuery)
    page = await upkeep.events(call.core, call.context.actor, asked.after, asked.limit)
    return call.ok({"events": [doc.event_document(event) for event in page.items], "after": page.after})
