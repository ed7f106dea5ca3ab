"""One question whether a call, or several, may pass: what is asked, what can be proved for it, and what is noted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from stepup._wrapped import joined
from stepup.changes import ROSTER, THROTTLE, Changes, Snapshot
from stepup.context import require_text
from stepup.decide import authorize as pure
from stepup.decide.holding import Held, asked_age, judge
from stepup.decide.request import Request
from stepup.decide.standing import roster_of
from stepup.decision import Decision, Outcome, Reason
from stepup.errors import Code, Denied, StepUpRequired
from stepup.grant import Grant
from stepup.ports import Joined
from stepup.throttle import Throttle

from .core import Core, Look, event_id
from .offer import make_offer


@dataclass(frozen=True, slots=True)
class Asking:
    """One ``require`` or ``check``: the call, the token presented, the request's id, and whether to spend.

    ``through`` is the store in a transaction of the caller's: what redeems goes into it, all else follows its end.
    """

    request: Request
    token: object
    request_hash: str | None
    spend: bool
    now: datetime
    through: Joined | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it: the decision, the grant behind it, and what is left of its uses."""

    decision: Decision
    grant: Grant | None = None
    remaining: int | None = None
    recorded: bool = False


def refusing(decision: Decision) -> StepUpRequired | Denied:
    """What is raised for a call that may not pass."""
    return StepUpRequired(decision) if decision.outcome is Outcome.STEP_UP_REQUIRED else Denied(decision)


async def joining(core: Core, asking: Asking, within: object) -> Asking:
    """*asking*, spending in the transaction *within* of the caller's, if there is one."""
    if within is None:
        return asking
    through = joined(core.store, within)
    await through.prepare()
    return replace(asking, through=through)


def asked(core: Core, request: Request, token: object, request_id: str | None, *, spend: bool) -> Asking:
    """The question whether a call made concrete may pass now."""
    hashed = None
    if request_id is not None:
        # With the binding: the same id on a call for something else is another request.
        bound = f"{request.binding.slot}\0{require_text('request_id', request_id, limit=1024)}"
        hashed = core.ring.hash_id("request", bound)
    return Asking(request, token, hashed, spend, core.now())


async def still_good(core: Core, asking: Asking, grant: Grant) -> bool:
    """Judge the proofs behind a grant again, because the rules have changed since it was minted."""
    where = core.partition(asking.request.context.actor)
    snapshot = await core.load(where, (THROTTLE, ROSTER))
    held, _ = await held_now(core, asking, snapshot)
    return pure.still_good(asking.request, grant, held.strongest, asking.now)


async def held_now(core: Core, asking: Asking, snapshot: Snapshot) -> tuple[Held, Look]:
    """What the person can prove now, and the look at their factors that it comes from."""
    look = await core.factors(asking.request.context.actor, roster_of(snapshot), asking.now)
    throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    return judge(asking.request, look.every, core.methods, throttle, core.limits, asking.now), look


def invalid(core: Core, asking: Asking, reasons: Sequence[str]) -> Decision:
    """One outward answer for every way in which a token does not open the call, with a new offer."""
    request = asking.request
    named = request.rules.named or tuple(sorted(core.methods, key=lambda name: -core.methods[name].strength))
    decision = Decision(
        Outcome.STEP_UP_REQUIRED,
        Code.GRANT_INVALID,
        request.action.id,
        request.rules.level,
        tuple(Reason(one) for one in reasons),
        tuple(name for name in named if name in core.methods),
        max_age=asked_age(request),
        rules=request.rules.hash,
        risk=request.risk,
    )
    return with_offer(core, asking, decision)


def with_offer(core: Core, asking: Asking, decision: Decision) -> Decision:
    if decision.outcome is not Outcome.STEP_UP_REQUIRED:
        return decision
    return replace(decision, offer=make_offer(core, asking.request, asking.now))


async def note(core: Core, asking: Asking, found: Found) -> None:
    """Tell the decision hook what no event tells; with ``record="all"`` write an event for it too."""
    if found.recorded:
        return
    if core.record_all:
        await write(core, asking, recorded(asking, found.decision))
    if core.observe is not None:
        await core.observe(found.decision, asking.request.context)


async def write(core: Core, asking: Asking, changes: Changes, *, once: bool = False) -> None:
    """Write what is no part of redeeming: at once, or when the caller's transaction has ended, whatever its end."""
    where = core.partition(asking.request.context.actor)
    write = core.apply if once else core.record
    if asking.through is None:
        await write(where, changes)
    else:
        asking.through.afterwards(lambda _: write(where, changes))


def recorded(asking: Asking, decision: Decision) -> Changes:
    return pure.recorded(asking.request, decision, asking.now, event_id())
