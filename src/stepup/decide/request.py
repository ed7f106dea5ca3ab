"""One call made concrete: who wants what, bound to what, at which risk, under which rules.

``resolving`` makes it; ``session`` says what the login is worth to it, ``shown`` what the person is shown of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from stepup.binding import Binding
from stepup.bundle import item_data
from stepup.context import MAX_TEXT, Context, Resource, RiskAssessment
from stepup.decision import Decision, Detail, Outcome, Reason
from stepup.device import Presented
from stepup.errors import IMPERSONATING, SURFACE_REFUSED, Code
from stepup.event import Event, EventType, event
from stepup.history import Visit
from stepup.policy import Action, Params
from stepup.requirement import met_by_others
from stepup.rules import Rules, least
from stepup.surface import Handling, Impersonation, Surface


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
        by_others = met_by_others(self.rules.policy.requirement)
        said = self.action.handling(self.context.surface, self.rules.level, by_others=by_others)
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
