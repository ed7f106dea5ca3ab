"""From what the application passes to a ``Request``: one call, or those of a bundle, under the rules in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stepup.binding import Binding
from stepup.bundle import MAX_ITEMS, bundle_digest, item_digest
from stepup.canonical import canonical_json, params_digest
from stepup.challenge import Challenge
from stepup.context import APPROVAL, NO_RISK, Context, Resource, RiskAssessment, require_context
from stepup.errors import InvalidInput
from stepup.keys import KeyRing
from stepup.policy import Action, Params, Risk
from stepup.registry import Registry
from stepup.rules import Rules, combined
from stepup.surface import Impersonation

from .request import Request

PARAMS_LIMIT = 4096


def resolve(
    registry: Registry,
    ring: KeyRing,
    action_id: object,
    context: Context,
    resource: Resource | None,
    params: Params | None,
    assessed: RiskAssessment | None = None,
    at_least: Risk = Risk.LOW,
) -> Request:
    """Make the call concrete: look the action up, digest the params, take the worse risk, escalate.

    Raises:
        UnknownAction: if nobody registered the action.
        InvalidInput: for values the application got wrong.
    """
    require_context(context)
    if resource is not None and not isinstance(resource, Resource):  # pyright: ignore[reportUnnecessaryIsInstance] -- as above
        raise InvalidInput("resource", f"must be a Resource, not {type(resource).__name__}")
    action = registry.action(action_id)
    digest = params_digest(params, limit=PARAMS_LIMIT)
    risk = context.risk or NO_RISK
    if assessed is not None:
        risk = risk.worse(assessed)
    level, failed = _escalated(action, context, resource, params)
    level = max(level, at_least)
    impersonated = context.actor.on_behalf_of is not None
    rules = _in_force(registry, action.id, level, impersonated=impersonated)
    binding = Binding.of(action.id, context, resource, digest, ring)
    return Request(action, context, resource, params, binding, risk, rules, failed)


ITEMS_LIMIT = 8192


def bundle_of(items: Sequence[Request]) -> Request:
    """The calls *items*, all of one context, as one call for all of them, under everything that any of them asks for.

    Raises:
        InvalidInput: for none, for more than 32, for too much to be signed and shown, for one call twice, and for a
            call that others have to approve.
    """
    if not 0 < len(items) <= MAX_ITEMS:
        raise InvalidInput(
            "items", f"must be 1 to {MAX_ITEMS} calls", remedy="For more of the same, ask for uses= of one call."
        )
    if len({item_digest(one.binding, one.action.bound) for one in items}) < len(items):
        raise InvalidInput("items", "has one call twice", remedy="For more of the same, ask for uses= of one call.")
    if any(APPROVAL in one.rules.named for one in items):
        raise InvalidInput(
            "items",
            "has a call that others approve",
            remedy="Ask for that one by itself: what is approved is one call.",
        )
    canonical_json([_named(one) for one in items], name="items", limit=ITEMS_LIMIT)
    rules, first = combined([one.rules for one in items]), items[0]
    risk = first.risk
    for one in items[1:]:
        risk = risk.worse(one.risk)
    bound = replace(first.binding, action=rules.action.id, resource_type=None, resource_id=None)
    binding = replace(bound, params=bundle_digest(one.binding for one in items))
    made = Request(rules.action, first.context, None, None, binding, risk, rules, items=tuple(items))
    return replace(made, visit=first.visit, presented=first.presented)


def _named(request: Request) -> list[object]:
    """One call of a bundle as an offer names it."""
    resource = request.resource
    return [request.action.id, resource and [resource.type, resource.id, resource.label], request.params]


def rules_of(registry: Registry, challenge: Challenge) -> Rules:
    """The rules of the call, or of the bundle, that a challenge is for, at the levels it was opened at.

    Raises:
        UnknownAction: if an action is gone.
    """
    impersonated = challenge.binding.on_behalf_of is not None
    calls = [(one.action, one.level) for one in challenge.items] or [(challenge.binding.action, challenge.level)]
    rules = [_in_force(registry, action, Risk(level), impersonated=impersonated) for action, level in calls]
    return combined(rules) if challenge.items else rules[0]


def _in_force(registry: Registry, action_id: str, level: Risk, *, impersonated: bool) -> Rules:
    """The rules of an action; somebody has to approve besides where it says so of calls on behalf of somebody."""
    approves = registry.action(action_id).impersonating(level) is Impersonation.APPROVE
    return registry.rules(action_id, level, impersonated and approves)


def _escalated(action: Action, context: Context, resource: Resource | None, params: Params | None) -> tuple[Risk, bool]:
    if action.escalate is None:
        return action.level, False
    try:
        raised = action.escalate(context, resource, params)
        if raised is None:
            return action.level, False
        if isinstance(raised, bool) or not isinstance(raised, int):  # pyright: ignore[reportUnnecessaryIsInstance] -- True is 1, which would raise nothing
            return Risk.CRITICAL, True
        return max(action.level, Risk(raised)), False
    except Exception:  # noqa: BLE001 -- whatever the hook raises, the call is refused, not the process ended
        return Risk.CRITICAL, True
