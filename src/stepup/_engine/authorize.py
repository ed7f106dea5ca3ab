"""``require`` and ``check``: orchestration of ``decide.authorize``.

Store calls: a session fresh enough 0, a token refused by its own claims 0, single use 1, many uses 1,
counted uses 2; a look at the shelf 1 more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from stepup._bridge import joined
from stepup.changes import ROSTER, THROTTLE, Changes, Snapshot, claim_key, grant_key
from stepup.context import Context, Resource, require_text
from stepup.decide import authorize as pure
from stepup.decide.holding import Held, answer, asked_age, judge
from stepup.decide.request import Request, refused_outright
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
) -> Authorization:
    """Let the call pass or raise; see ``StepUp.require``."""
    asking = await _asking(core, action, context, resource, params, token, request_id, spend=True)
    if within is not None:
        through = joined(core.store, within)
        await through.prepare()
        asking = replace(asking, through=through)
    found = await _decide(core, asking)
    await _note(core, asking, found)
    if found.decision.outcome is Outcome.ALLOWED:
        return pure.authorization(asking.request, found.decision, asking.now, found.grant, found.remaining)
    raise (StepUpRequired if found.decision.outcome is Outcome.STEP_UP_REQUIRED else Denied)(found.decision)


async def check(
    core: Core, action: object, context: Context, resource: Resource | None, params: Params | None, token: object
) -> Decision:
    """Decide without spending or recording anything; see ``StepUp.check``."""
    asking = await _asking(core, action, context, resource, params, token, None, spend=False)
    return (await _decide(core, asking)).decision


async def _asking(
    core: Core,
    action: object,
    context: Context,
    resource: Resource | None,
    params: Params | None,
    token: object,
    request_id: str | None,
    *,
    spend: bool,
) -> Asking:
    request = await core.request(action, context, resource, params)
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
    if asking.token is not None:
        return await _by_token(core, asking)
    return await _by_shelf(core, asking)


async def _by_token(core: Core, asking: Asking) -> Found:
    claims = core.grants.read(asking.token)
    grant = None if claims is None else from_claims(claims, core.namespace, core.audience)
    candidate = pure.by_token(asking.request, grant, asking.now)
    if candidate.grant is None:
        return Found(_invalid(core, asking, candidate.reasons))
    if candidate.to_judge and not await _still_good(core, asking, candidate.grant):
        return Found(_invalid(core, asking, ("rules_changed",)))
    refusal, remaining = await _redeem(core, asking, candidate.grant)
    if refusal is None:
        return _passed(asking, "token", candidate.grant, remaining)
    decision = _invalid(core, asking, (refusal,))
    if asking.spend:
        await _record(core, asking, _recorded(asking, decision))
    return Found(decision, recorded=True)


async def _by_shelf(core: Core, asking: Asking) -> Found:
    request, now = asking.request, asking.now
    where = core.partition(request.context.actor)
    snapshot = await core.load(where, (*pure.authorize_keys(request), THROTTLE, ROSTER))
    shelf = pure.shelf_of(request, snapshot)
    if proved := pure.earlier_proofs(request, shelf, snapshot, now):
        grants = await core.load(where, tuple(dict.fromkeys(grant_key(one.grant_id) for one in proved)))
        if (passed := pure.by_step_up(request, proved, grants, now)) is not None:
            return Found(passed)
    candidates, why = pure.by_shelf(request, shelf, snapshot, now)
    if len(candidates) > 1:
        candidates, why = await _unspent(core, asking, candidates)
    for candidate in candidates:
        found, why = await _try_shelf(core, asking, candidate)
        if found is not None:
            return found
    held, look = await _held(core, asking, snapshot)
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
            await _record(core, asking, Changes(now, (seen,)), once=True)
    return Found(_with_offer(core, asking, decision))


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
    if candidate.to_judge and not await _still_good(core, asking, grant):
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
    claim, refusal = snapshot.get(claim_key(f"grant:{grant.id}"), Claim), pure.standing(grant, snapshot) or "spent"
    # In a transaction of the caller's the action was committed with the claim: letting it pass would do it twice.
    own = asking.through is None and pure.same_request(claim, asking.request_hash)
    return (None, 0) if refusal == "spent" and own else (refusal, None)


async def _still_good(core: Core, asking: Asking, grant: Grant) -> bool:
    """Judge the proofs behind a grant again, because the rules have changed since it was minted."""
    where = core.partition(asking.request.context.actor)
    snapshot = await core.load(where, (THROTTLE, ROSTER))
    held, _ = await _held(core, asking, snapshot)
    return pure.still_good(asking.request, grant, held.strongest, asking.now)


async def _held(core: Core, asking: Asking, snapshot: Snapshot) -> tuple[Held, Look]:
    """What the person can prove now, and the look at their factors that it comes from."""
    look = await core.factors(asking.request.context.actor, roster_of(snapshot), asking.now)
    throttle = snapshot.get(THROTTLE, Throttle) or Throttle()
    return judge(asking.request, look.every, core.methods, throttle, core.limits, asking.now), look


def _invalid(core: Core, asking: Asking, reasons: Sequence[str]) -> Decision:
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
    return _with_offer(core, asking, decision)


def _with_offer(core: Core, asking: Asking, decision: Decision) -> Decision:
    if decision.outcome is not Outcome.STEP_UP_REQUIRED:
        return decision
    return replace(decision, offer=make_offer(core, asking.request, asking.now))


async def _note(core: Core, asking: Asking, found: Found) -> None:
    """Tell the decision hook what no event tells; with ``record="all"`` write an event for it too."""
    if found.recorded:
        return
    if core.record_all:
        await _record(core, asking, _recorded(asking, found.decision))
    if core.observe is not None:
        await core.observe(found.decision, asking.request.context)


async def _record(core: Core, asking: Asking, changes: Changes, *, once: bool = False) -> None:
    """Write what is no part of redeeming: at once, or when the caller's transaction has ended, whatever its end."""
    where = core.partition(asking.request.context.actor)
    write = core.apply if once else core.record
    if asking.through is None:
        await write(where, changes)
    else:
        asking.through.afterwards(lambda _: write(where, changes))


def _recorded(asking: Asking, decision: Decision) -> Changes:
    return pure.recorded(asking.request, decision, asking.now, event_id())
