"""``start`` and ``start_offer``: opening a challenge. Two store calls; what others are asked to approve stays open."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from stepup.bundle import Item
from stepup.challenge import Challenge
from stepup.changes import THROTTLE, Changes, Snapshot
from stepup.context import Context, Resource, require_context
from stepup.decide import start
from stepup.decide.device import trusting
from stepup.decide.holding import answer, judge
from stepup.decide.request import Request, refused_outright
from stepup.decide.signal import is_disabled
from stepup.decide.standing import Refusal, roster_of
from stepup.decision import Decision, Outcome, Reason
from stepup.errors import Code, Denied, StoreBusy
from stepup.event import EventType
from stepup.policy import Params
from stepup.throttle import Throttle

from .asking import asked_before
from .core import TRIES, Core, Look, ids
from .offer import Offered, read_offer
from .opened import record_refusal
from .trust import end_reused

OFFER_INVALID: Final = Refusal(Code.BAD_REQUEST, "offer_invalid")


async def start_offer(core: Core, offer: object, context: Context, reason: str | None) -> Challenge:
    """Open a challenge for the call that an offer describes; see ``StepUp.start_offer``."""
    found = read_offer(core, offer, require_context(context), core.now())
    if found is None:
        await record_refusal(core, context, "", "", OFFER_INVALID, core.now(), EventType.CHALLENGE_REFUSED)
        raise Denied(Decision(Outcome.DENIED, Code.BAD_REQUEST, "", 0, (Reason("offer_invalid"),)))
    return await open_for(core, await named_request(core, found, context), reason)


async def named_request(core: Core, named: Offered, context: Context) -> Request:
    """The call, or the bundle, that an offer names, made concrete."""
    if named.items:
        return await core.bundle(named.items, context)
    return await core.request(named.action, context, named.resource, named.params, uses=named.uses)


async def start_challenge(
    core: Core,
    action: object,
    context: Context,
    resource: Resource | None,
    params: Params | None,
    reason: str | None,
    uses: int | None = None,
) -> Challenge:
    """Open a challenge; see ``StepUp.start``."""
    return await open_for(core, await core.request(action, context, resource, params, uses=uses), reason)


async def start_bundle(core: Core, items: Iterable[Item], context: Context, reason: str | None) -> Challenge:
    """Open a challenge for several calls; see ``StepUp.start_bundle``."""
    return await open_for(core, await core.bundle(items, context), reason)


async def open_for(core: Core, request: Request, reason: str | None) -> Challenge:
    """Open the challenge for a call made concrete."""
    context = request.context
    where, now = core.partition(context.actor), core.now()
    if (denied := refused_outright(request)) is not None:
        changes, decision = start.refuse_start(request, now, ids(), denied)
        await core.record(where, changes)
        raise Denied(decision)
    for _ in range(TRIES):  # from the load on, because what the person holds was read under this very roster
        snapshot = await core.load(where, start.start_keys(request))
        request = trusting(request, snapshot, now)
        look = await core.factors(context.actor, roster_of(snapshot), now)
        if (kept := await asked_before(core, request, snapshot, look.every, now)) is not None:
            return kept
        changes, outcome = _decide(core, request, reason, snapshot, look, now)
        if await core.apply(where, changes) is None:
            break
    else:
        raise StoreBusy(f"Opening a challenge lost {TRIES} times.")
    await end_reused(core, request, now)
    if isinstance(outcome, Decision):
        raise Denied(outcome)
    return outcome


def _decide(
    core: Core,
    request: Request,
    reason: str | None,
    snapshot: Snapshot,
    look: Look,
    now: datetime,
) -> tuple[Changes, Challenge | Decision]:
    if is_disabled(snapshot):
        return start.refuse_start(request, now, ids(), request.denied(Code.ACTION_BLOCKED, "disabled"))
    throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    held = judge(request, look.every, core.methods, throttle, core.limits, now)
    decision = answer(request, held, now, enrol_url=core.enrol_url, login_url=core.login_url)
    if decision.outcome is Outcome.DENIED:
        return start.refuse_start(request, now, ids(), decision, start.observe(snapshot, look.own, look.methods, now))
    opening = start.Opening(held, look.own, look.methods, reason, core.limits)
    return start.open_challenge(request, opening, snapshot, now, ids())
