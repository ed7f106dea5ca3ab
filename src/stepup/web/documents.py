"""The documents that clients read: the challenge, the actions, grants, events. Plain JSON values with camelCase keys.

``challenge_document`` has the keys that are promised to users and no others; what else a client needs stands beside
it in ``envelope``. No document holds a secret: sessions and devices appear as public labels or a few characters of
their keyed hash, responses and codes not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from stepup.bundle import Listed
from stepup.ceremony import Prompt
from stepup.challenge import Challenge, State
from stepup.context import Context, RiskLevel
from stepup.event import Event
from stepup.grant import Grant
from stepup.policy import Action, Policy, Risk
from stepup.rules import Rules

from .problems import zulu

SHOWN_HASH = 12


def risk_word(level: int) -> str:
    """A level as a word."""
    return Risk(level).name.lower()


def challenge_document(challenge: Challenge, policy: Policy, context: Context) -> dict[str, object]:
    """The challenge, with the promised keys."""
    bound = challenge.binding
    return {
        "id": challenge.id,
        "status": challenge.state.value,
        "action": {
            "id": bound.action,
            "label": challenge.label,
            "resourceType": bound.resource_type,
            "resourceId": bound.resource_id,
            "riskLevel": risk_word(challenge.level),
        },
        "actor": {"id": bound.actor, "email": context.actor.email, "sessionId": session_label(context, bound.session)},
        "params": [{"label": label, "value": value} for label, value in challenge.shown],
        "allowedMethods": list(challenge.allowed),
        "expiresAt": zulu(challenge.expires_at),
        "policy": {
            "requireFreshAuthWithinMinutes": -(-(policy.max_age or policy.grant_ttl) // 60),
            "blockIfSessionRisk": sorted(level.value for level in policy.blocked),
            "allowTrustedDeviceRemembering": policy.remember,
        },
        "audit": {"ip": challenge.ip, "deviceLabel": challenge.device_label, "reason": challenge.reason},
    }


def envelope(challenge: Challenge, rules: Rules, context: Context, now: datetime) -> dict[str, object]:
    """The challenge and what else a client needs."""
    proved = still_proved(challenge, rules, now)
    return {
        "challenge": challenge_document(challenge, rules.policy, context),
        "description": rules.action.description,
        "resourceLabel": challenge.resource_label,
        "now": zulu(now),
        "attemptsLeft": challenge.attempts_left if challenge.state is State.OPEN else 0,
        "remaining": [name for name in challenge.allowed if name not in proved],
        "proved": sorted(proved),
        "items": [item_document(one) for one in challenge.items],
        "uses": challenge.uses,
        "onBehalfOf": challenge.binding.on_behalf_of,
    }


def still_proved(challenge: Challenge, rules: Rules, now: datetime) -> frozenset[str]:
    """The methods that were proved and count: no proof waits as long as an approval may."""
    counted, window = challenge.asked is None, rules.policy.challenge_ttl
    return frozenset(one.method for one in challenge.proofs if counted or (now - one.at).total_seconds() < window)


def item_document(item: Listed) -> dict[str, object]:
    """One call of a bundle, as the person is shown it."""
    resource = None
    if item.resource_type is not None:
        resource = {"type": item.resource_type, "id": item.resource_id, "label": item.resource_label}
    return {
        "label": item.label,
        "resource": resource,
        "params": [{"label": label, "value": value} for label, value in item.shown],
    }


def session_label(context: Context, hashed: str | None) -> str | None:
    """What a session is called in public: its label, or the beginning of its keyed hash."""
    if hashed is None:
        return None
    label = context.session.label if context.session else None
    return label or f"sess_{hashed[:SHOWN_HASH]}"


def prompt_document(prompt: Prompt) -> dict[str, object]:
    """What the person is asked for."""
    return {
        "method": prompt.method,
        "sentTo": prompt.sent_to,
        "resendAt": zulu(prompt.resend_at),
        "expiresAt": zulu(prompt.expires_at),
        "options": dict(prompt.options),
    }


def grant_document(grant: Grant, remaining: int | None) -> dict[str, object]:
    """Something that is unlocked, and how often it can still be spent where that is counted."""
    bound = grant.binding
    return {
        "id": grant.id,
        "action": bound.action,
        "resourceType": bound.resource_type,
        "resourceId": bound.resource_id,
        "riskLevel": risk_word(grant.level),
        "methods": [proof.method for proof in grant.proofs],
        "issuedAt": zulu(grant.issued_at),
        "expiresAt": zulu(grant.expires_at),
        "uses": grant.uses,
        "remaining": remaining,
    }


def minted_document(grant: Grant, token: str) -> dict[str, object]:
    """What a finished challenge answers: the only place where a token is told."""
    return {"token": token, "id": grant.id, "expiresAt": zulu(grant.expires_at), "uses": grant.uses}


def action_document(
    action: Action, policy: Policy, status: str, methods: list[str], risk: RiskLevel | None = None
) -> dict[str, object]:
    """An action of the registry, for this person; *risk* is the session's, where anybody judges it."""
    return {
        "id": action.id,
        "label": action.label,
        "description": action.description,
        "risk": int(action.level),
        "riskLevel": risk_word(int(action.level)),
        "methods": methods,
        "confirmation": action.confirmation,
        "auditLevel": action.audit_level,
        "tokenRequired": policy.token_required,
        "sessionRisk": None if risk is None else risk.value,
        "status": status,
    }


def event_document(event: Event) -> dict[str, object]:
    """One line of the person's own history. Reasons are for the audit: a client sees results only."""
    made: Mapping[str, object] = {
        "id": event.id,
        "at": zulu(event.at),
        "type": event.type.value,
        "result": event.result,
        "onBehalfOf": event.on_behalf_of,
        "action": event.action,
        "resourceType": event.resource_type,
        "resourceId": event.resource_id,
        "method": event.method,
        "ip": event.ip,
        "userAgent": event.user_agent,
    }
    return dict(made)
