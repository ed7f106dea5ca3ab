"""``require`` and ``check``: orchestration of ``decide.authorize``.

Store calls: a session fresh enough 0, a token refused by its own claims 0, single use 1, many uses 1,
counted uses 2; a look at the shelf 1 more. Whether a device is remembered is seen in that look; where a token is
presented too and a remembered device would do instead of it, in a look of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from stepup._bridge import joined
from stepup.changes import ROSTER, THROTTLE, Changes, Snapshot, claim_key, grant_key
from stepup.context import Context, Resource, require_text
from stepup.decide import authorize as pure
from stepup.decide.device import LOOKED_UP, could_matter, trusting
from stepup.decide.holding import Held, answer, asked_age, judge
from stepup.decide.request import Request, refused_outright
from stepup.decide.signal import is_disabled
from stepup.decide.standing import roster_of
from stepup.decide.start import observe as remember
from stepup.decision import Authorization, Decision, Outcome, Reason
from stepup.errors import Code, Denied, StepUpRequired, StoreBusy
from stepup.grant import Claim, Grant, from_claims
from stepup.policy import Params
from stepup.ports import Joined
from stepup.throttle import Throttle

from .asking import asked_before
from .core import TRIES, Core, Look, event_id
from .offer import make_offer
from .trust import end_reused


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


async def require(
    core: Core,
    action: object,
    context: Context,
    resource: Resource | None,
    params: Params | None,
    token: object,
    request_id: str | None,
    within: object = None,
    uses: int | None = None,
) -> Authorization:
    """Let the call pass or raise; see ``StepUp.require``."""
    request = await core.request(action, context, resource, params, uses=uses)
    asking = await joining(core, asked(core, request, token, request_id, spend=True), within)
    found = await _decide(core, asking)
    await note(core, asking, found)
    if found.decision.outcome is Outcome.ALLOWED:
        return pure.authorization(asking.request, found.decision, asking.now, found.grant, found.remaining)
    raise refusing(found.decision)


async def check(
    core: Core,
    action: object,
    context: Context,
    resource: Resource | None,
    params: Params | None,
    token: object,
    uses: int | None = None,
) -> Decision:
    """Decide without spending or recording anything; see ``StepUp.check``."""
    return await check_made(core, await core.request(action, context, resource, params, uses=uses), token)


async def check_made(core: Core, request: Request, token: object = None) -> Decision:
    """``check``, for a call made concrete already."""
    return (await _decide(core, asked(core, request, token, None, spend=False))).decision


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


async def _decide(core: Core, asking: Asking) -> Found:
    request = asking.request
    if (denied := refused_outright(request)) is not None:
        return Found(denied)
    if (found := pure.by_session(request, core.methods, asking.now)) is not None:
        return Found(found)
    if (found := pure.by_surface(request)) is not None:
        if asking.spend:  # the only trace of an action that nobody proved anything for
            await write(core, asking, recorded(asking, found))
        return Found(found, recorded=asking.spend)
    if asking.token is None:
        return await _by_shelf(core, asking)
    if could_matter(request, asking.now):
        where = core.partition(request.context.actor)
        asking = await _recognised(core, asking, await core.load(where, LOOKED_UP))
        if (found := pure.by_session(asking.request, core.methods, asking.now)) is not None:
            return Found(found)
    return await _by_token(core, asking)


async def _recognised(core: Core, asking: Asking, snapshot: Snapshot) -> Asking:
    """*asking*, from a device that is remembered or not; one whose older token was used again is ended."""
    request = trusting(asking.request, snapshot, asking.now)
    if asking.spend and request.reused is not None:
        await _end_reused(core, asking, request)
    return replace(asking, request=request)


async def _end_reused(core: Core, asking: Asking, request: Request) -> None:
    """End the device at once, or when the caller's transaction has ended, which may hold the only writer."""
    if asking.through is None:
        await end_reused(core, request, asking.now)
    else:
        asking.through.afterwards(lambda _: end_reused(core, request, asking.now))


async def _by_token(core: Core, asking: Asking) -> Found:
    claims = core.grants.read(asking.token)
    grant = None if claims is None else from_claims(claims, core.namespace, core.audience)
    candidate = pure.by_token(asking.request, grant, asking.now)
    if candidate.grant is None:
        return Found(invalid(core, asking, candidate.reasons))
    if candidate.to_judge and not await still_good(core, asking, candidate.grant):
        return Found(invalid(core, asking, ("rules_changed",)))
    refusal, remaining = await _redeem(core, asking, candidate.grant)
    if refusal is None:
        return _passed(asking, "token", candidate.grant, remaining)
    decision = invalid(core, asking, (refusal,))
    if asking.spend:
        await write(core, asking, recorded(asking, decision))
    return Found(decision, recorded=True)


async def _by_shelf(core: Core, asking: Asking) -> Found:
    where, now = core.partition(asking.request.context.actor), asking.now
    snapshot = await core.load(where, (*pure.authorize_keys(asking.request), THROTTLE, ROSTER))
    asking = await _recognised(core, asking, snapshot)
    request = asking.request
    if is_disabled(snapshot):
        return Found(request.denied(Code.ACTION_BLOCKED, "disabled"))
    if request.trusted is not None and (found := pure.by_session(request, core.methods, now)) is not None:
        return Found(found)
    shelf = pure.shelf_of(request, snapshot)
    if proved := pure.earlier_proofs(request, shelf, snapshot, now):
        grants = await core.load(where, tuple(dict.fromkeys(grant_key(one.grant_id) for one in proved)))
        if (passed := pure.by_step_up(request, proved, grants, now)) is not None:
            return Found(passed)
    candidates, why = pure.by_shelf(request, shelf, snapshot, now)
    if len(candidates) > 1:
        candidates, why = await _unspent(core, asking, candidates)
    for candidate in candidates:
        passed_by, why = await _try_shelf(core, asking, candidate)
        if passed_by is not None:
            return passed_by
    return await _unproved(core, asking, snapshot, why)


async def _unproved(core: Core, asking: Asking, snapshot: Snapshot, why: tuple[str, ...]) -> Found:
    """No grant covers the call: what could be proved for it, or why nothing can."""
    request, now = asking.request, asking.now
    held, look = await held_now(core, asking, snapshot)
    reasons = (*pure.stale(request, now), *(Reason(one) for one in why))
    code = Code.GRANT_REQUIRED if "token_required" in why else Code.VERIFICATION_REQUIRED
    if await asked_before(core, request, snapshot, None, now) is not None:
        code = Code.APPROVAL_PENDING
    decision = answer(
        request, held, now, code=code, reasons=reasons, enrol_url=core.enrol_url, login_url=core.login_url
    )
    if asking.spend and decision.outcome is Outcome.DENIED:
        # Nothing else will remember what was seen of the factors, and a quarantine not begun would never end.
        seen = remember(snapshot, look.own, look.methods, now)
        if seen is not None:
            await write(core, asking, Changes(now, (seen,)), once=True)
    return Found(with_offer(core, asking, decision))


async def _unspent(
    core: Core, asking: Asking, candidates: tuple[pure.Candidate, ...]
) -> tuple[tuple[pure.Candidate, ...], tuple[str, ...]]:
    """Those of several grants that still stand, by one look, so that spent ones cost no tries."""
    grants = [one.grant for one in candidates if one.grant is not None]
    keys = dict.fromkeys(key for grant in grants for key in pure.grant_keys(grant))
    snapshot = await core.load(core.partition(asking.request.context.actor), tuple(keys))
    live = tuple(one for one in candidates if one.grant is not None and pure.standing(one.grant, snapshot) is None)
    return live[: pure.SHELF_TRIES], ("spent",)


async def _try_shelf(core: Core, asking: Asking, candidate: pure.Candidate) -> tuple[Found | None, tuple[str, ...]]:
    """Use one grant of the shelf, or say why it cannot be used."""
    grant = candidate.grant
    assert grant is not None  # by_shelf() gives only those that cover the call
    if candidate.to_judge and not await still_good(core, asking, grant):
        return None, ("rules_changed",)
    refusal, remaining = await _redeem(core, asking, grant)
    return (_passed(asking, "grant", grant, remaining), ()) if refusal is None else (None, (refusal,))


def _passed(asking: Asking, by: str, grant: Grant, remaining: int | None) -> Found:
    decision = pure.allowed(asking.request, by, grant_id=grant.id)
    return Found(decision, grant, remaining, recorded=_writes(asking, grant))


def _writes(asking: Asking, grant: Grant) -> bool:
    """Whether redeeming is a batch; in a transaction of the caller's it always is, so that it holds until the end."""
    return asking.spend and (asking.through is not None or pure.writes_on_redeem(asking.request, grant))


async def _redeem(core: Core, asking: Asking, grant: Grant) -> tuple[str | None, int | None]:
    """Spend the grant, or see whether it stands: ``(refusal, remaining)``."""
    request = asking.request
    where = core.partition(request.context.actor)
    if not _writes(asking, grant):
        snapshot = await core.load(where, pure.grant_keys(grant))
        return pure.standing(grant, snapshot), None
    if grant.uses is not None and grant.uses > 1:
        return await _redeem_counted(core, asking, grant)
    for _ in range(TRIES):
        changes = pure.redeem(request, grant, asking.now, event_id(), asking.request_hash)
        lost = await core.apply(where, changes, asking.through)
        if lost is None:
            return None, 0 if grant.uses else None
        if lost.key is None:
            continue
        refusal = pure.lost_because(grant, lost.key)
        return await _why_spent(core, asking, grant) if refusal == "spent" else (refusal, None)
    raise StoreBusy(f"Redeeming met a conflict of unknown cause {TRIES} times.")


async def _redeem_counted(core: Core, asking: Asking, grant: Grant) -> tuple[str | None, int | None]:
    def decide(snapshot: Snapshot) -> tuple[Changes | None, tuple[str | None, int | None]]:
        changes, refusal, left = pure.redeem_counted(
            asking.request, grant, snapshot, asking.now, event_id(), asking.request_hash
        )
        if changes is None and refusal is None and asking.through is not None:
            return None, ("spent", None)  # as in _why_spent()
        return changes, (refusal, left)

    where = core.partition(asking.request.context.actor)
    return await core.commit(where, pure.grant_keys(grant), decide, through=asking.through)


async def _why_spent(core: Core, asking: Asking, grant: Grant) -> tuple[str | None, int | None]:
    """Whether the claim was made by this very request, by a revocation, or by somebody else."""
    where = core.partition(asking.request.context.actor)
    snapshot = await core.load(where, pure.grant_keys(grant), asking.through)
    claim, refusal = snapshot.get(claim_key(grant.claim), Claim), pure.standing(grant, snapshot) or "spent"
    # In a transaction of the caller's the action was committed with the claim: letting it pass would do it twice.
    own = asking.through is None and pure.same_request(claim, asking.request_hash)
    return (None, 0) if refusal == "spent" and own else (refusal, None)


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
