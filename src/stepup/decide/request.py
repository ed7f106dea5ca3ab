"""One call made concrete: who wants what, bound to what, at which risk, under which rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from stepup.binding import Binding
from stepup.bundle import MAX_ITEMS, Listed, bundle_digest, item_data, item_digest
from stepup.canonical import canonical_json, params_digest
from stepup.challenge import Challenge
from stepup.context import APPROVAL, MAX_TEXT, NO_RISK, Context, Resource, RiskAssessment, clean_text, require_context
from stepup.decision import Decision, Detail, Outcome, Reason
from stepup.device import Presented
from stepup.errors import IMPERSONATING, SURFACE_REFUSED, Code, InvalidInput
from stepup.event import Event, EventType, event
from stepup.history import Visit
from stepup.keys import KeyRing
from stepup.policy import Action, Params, Risk
from stepup.registry import Registry
from stepup.requirement import Holding
from stepup.rules import Rules, combined, least
from stepup.surface import Handling, Impersonation, Surface

PARAMS_LIMIT = 4096
SHOWN_LIMIT = 32
LABEL_LIMIT = 100
VALUE_LIMIT = 500


class Ids(NamedTuple):
    """Fresh unguessable ids for one decision: 128 random bits each."""

    event: str
    challenge: str
    grant: str


@dataclass(frozen=True, slots=True)
class Request:
    """One call: the action on the resource with the params, in the context, under the rules in force.

    ``escalation_failed`` is set where the action's ``escalate`` hook did not answer; the call is refused. ``visit`` is
    set where the gate keeps a history: where the call comes from.
    ``presented`` is the device token that came with it, ``trusted`` the id of the remembered device that it was found
    to stand for (``decide.device``), and ``reused`` that of one whose older token it is.
    ``items`` are the calls of a bundle. ``uses`` is how many uses were asked for, where the call asks for a number.
    """

    action: Action
    context: Context
    resource: Resource | None
    params: Params | None
    binding: Binding
    risk: RiskAssessment
    rules: Rules
    escalation_failed: bool = False
    visit: Visit | None = None
    presented: Presented | None = None
    trusted: str | None = None
    reused: str | None = None
    items: tuple[Request, ...] = ()
    uses: int | None = None

    @property
    def on_trusted_device(self) -> bool:
        """Whether the server remembers the device, stepup itself or the application."""
        return self.trusted is not None or (self.context.device is not None and self.context.device.trusted)

    @property
    def impersonated(self) -> bool:
        """Whether somebody acts on behalf of somebody else."""
        return self.context.actor.on_behalf_of is not None

    @property
    def handling(self) -> Handling:
        """What is done with the call on its surface. Without proof it passes only where nothing speaks for asking."""
        said = self.action.handling(self.context.surface, self.rules.level)
        doubtful = self.impersonated or self.risk.methods is not None
        return Handling.ASK if said is Handling.ALLOW and doubtful else said

    @property
    def counted(self) -> int | None:
        """How often a grant for this could be spent: as many as asked for, and never more than the policy allows."""
        return len(self.items) or least(self.uses, self.rules.policy.uses)

    @property
    def shelf_session(self) -> str | None:
        """Whose shelf a grant for this call stands on: the session's, or the person's if not bound to it."""
        return self.binding.session if "session" in self.action.bound else None

    @property
    def has_shelf(self) -> bool:
        """Whether a grant can be found without a token: never for a bound session that is not there."""
        return "session" not in self.action.bound or self.binding.session is not None

    def event(
        self,
        event_id: str,
        now: datetime,
        kind: EventType,
        result: str,
        *,
        reason: str | None = None,
        method: str | None = None,
        challenge_id: str | None = None,
        grant_id: str | None = None,
        detail: Mapping[str, Detail] | None = None,
    ) -> Event:
        """An event about this call, with its risk and the snapshot of its rules."""
        return event(
            event_id,
            now,
            kind,
            result,
            self.context,
            binding=self.binding,
            risk=self.risk,
            reason=reason,
            method=method,
            challenge_id=challenge_id,
            grant_id=grant_id,
            rules=self.rules.hash,
            snapshot=self._snapshot,
            detail={**risk_detail(self.risk), **self._told, **(detail or {})},
        )

    @property
    def _told(self) -> dict[str, Detail]:
        """Where the call came in, if not by the session of a browser."""
        surface = self.context.surface
        return {} if surface is Surface.BROWSER else {"surface": surface.value}

    @property
    def _snapshot(self) -> Mapping[str, object]:
        """The rules, and of a bundle every call: its digest can be made again from them."""
        if not self.items:
            return self.rules.snapshot
        return {**self.rules.snapshot, "calls": [item_data(one.binding) for one in self.items]}

    def denied(
        self, code: Code, reason: str, *, public: bool = False, retry_at: datetime | None = None, **detail: Detail
    ) -> Decision:
        """A denial of this call for one reason."""
        return Decision(
            Outcome.DENIED,
            code,
            self.action.id,
            self.rules.level,
            (Reason(reason, detail, public),),
            retry_at=retry_at,
            rules=self.rules.hash,
            risk=self.risk,
        )


def risk_detail(risk: RiskAssessment) -> Mapping[str, Detail]:
    """What an event says of the risk besides its score and level: the reasons, and the methods it left."""
    made: dict[str, Detail] = {}
    if risk.reasons:
        made["risk_reasons"] = ",".join(risk.reasons)[:MAX_TEXT]
    if risk.methods is not None:
        made["risk_methods"] = ",".join(sorted(risk.methods))[:MAX_TEXT]
    return made


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


def listed(action: Action, resource: Resource | None, params: Params | None, level: int = 0) -> Listed:
    """One call of a bundle, as its challenge keeps it and the person is shown it.

    Raises:
        InvalidInput: as ``shown``.
    """
    return Listed(
        action=action.id,
        label=action.label,
        level=level or int(action.level),
        resource_type=resource.type if resource else None,
        resource_id=resource.id if resource else None,
        resource_label=resource.label if resource else None,
        params=None if params is None else canonical_json(params).decode(),
        shown=shown(action, resource, params),
    )


def listed_of(request: Request) -> tuple[Listed, ...]:
    """Every call of the bundle *request*."""
    return tuple(listed(one.action, one.resource, one.params, int(one.rules.level)) for one in request.items)


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


def refused_outright(request: Request) -> Decision | None:
    """The denial that no proof can change: blocked session risk, a hook that failed, a surface or an impersonation that
    the action does not take; of a bundle, that of any item.
    """
    if request.items:
        return next((denied for one in request.items if (denied := refused_outright(one)) is not None), None)
    if request.escalation_failed:
        return request.denied(Code.ACTION_BLOCKED, "escalation_failed")
    if request.risk.level in request.rules.policy.blocked:
        return request.denied(
            Code.ACTION_BLOCKED, "session_risk", score=request.risk.score, risk=request.risk.level.value
        )
    if request.impersonated and request.action.impersonating(request.rules.level) is Impersonation.REFUSE:
        return request.denied(Code.ACTION_BLOCKED, IMPERSONATING, public=True)
    if request.handling is Handling.REFUSE:
        surface = request.context.surface.value
        return request.denied(Code.ACTION_BLOCKED, SURFACE_REFUSED, public=True, surface=surface)
    return None


def session_age(context: Context, now: datetime) -> float | None:
    """Seconds since the person last signed in to this session; None where that is not known.

    While somebody is impersonated no login counts: it may be theirs, or the moment the impersonation began.
    """
    if context.actor.on_behalf_of is not None:
        return None
    session = context.session
    if session is None or session.authenticated_at is None or session.authenticated_at > now:
        return None
    return (now - session.authenticated_at).total_seconds()


def session_window(request: Request) -> int:
    """How old the login may be under the rules in force; longer on a trusted device, at levels 1 and 2."""
    return (
        trusted_window(request) if request.on_trusted_device else _capped(request, request.rules.policy.session_window)
    )


def trusted_window(request: Request) -> int:
    """How old the login might be on a trusted device."""
    policy = request.rules.policy
    if request.rules.level > Risk.MEDIUM:
        return _capped(request, policy.session_window)
    return _capped(request, max(policy.session_window, policy.session_window_trusted))


def _capped(request: Request, window: int) -> int:
    return window if request.rules.policy.max_age is None else min(window, request.rules.policy.max_age)


def holding(request: Request, now: datetime, strongest: int | None = None) -> Holding:
    """What counts for this request. A step-up is no login: it counts for the methods it proved alone."""
    return Holding(
        strongest=strongest,
        min_strength=request.rules.policy.min_strength,
        recovery=request.rules.recovery_stands_in,
        session_age=session_age(request.context, now),
        session_window=session_window(request),
        allowed=request.risk.methods,
        max_age=request.rules.policy.max_age,
    )


def shown_of(request: Request) -> tuple[tuple[str, str], ...]:
    """What the person is shown of a call; of a bundle, a line for each item.

    Raises:
        InvalidInput: as ``shown``; also for an item that does not fit its line.
    """
    if not request.items:
        return shown(request.action, request.resource, request.params)
    return _fitting("The bundle", [(one.label, one.summary) for one in listed_of(request)])


def shown(action: Action, resource: Resource | None, params: Params | None) -> tuple[tuple[str, str], ...]:
    """What the person is shown of the params: what ``describe`` makes of them, or name and value of each.

    Raises:
        InvalidInput: if the hook fails or answers something else than pairs of text; nothing is approved unseen.
    """
    if action.describe is None:
        pairs = [(str(name), value if isinstance(value, str) else str(value)) for name, value in (params or {}).items()]
    else:
        try:
            pairs = [(str(label), str(value)) for label, value in action.describe(resource, params)]
        except Exception as error:
            raise InvalidInput(f"Action {action.id!r}: describe", f"failed with {type(error).__name__}") from error
    return _fitting(f"Action {action.id!r}", pairs)


def _fitting(whose: str, pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    if len(pairs) > SHOWN_LIMIT or any(len(label) > LABEL_LIMIT or len(value) > VALUE_LIMIT for label, value in pairs):
        raise InvalidInput(
            f"{whose}: what the person would be shown",
            f"exceeds {SHOWN_LIMIT} lines of {VALUE_LIMIT} characters",
            remedy="Nothing is approved unseen: pass describe= with the params that matter, in short.",
        )
    return tuple((clean_text(label, limit=LABEL_LIMIT), clean_text(value, limit=VALUE_LIMIT)) for label, value in pairs)
